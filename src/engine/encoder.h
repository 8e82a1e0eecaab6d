/* encoder.h - token ids -> scores: a BERT encoder (post-norm, exact GELU) with int8 products, and the span heads.
 *
 * An encoder is immutable but for its cache of compiled shapes (behind a lock) and shared by all threads; each thread
 * works in an encoder_worker of its own. One run takes one window. The same window always gives the same scores. Called by
 * local.c and the bench. */
#ifndef REFRACTR_ENGINE_ENCODER_H
#define REFRACTR_ENGINE_ENCODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "engine/model.h"
#include "engine/weights.h"

enum { ENCODER_MAX_TOKENS = 512, ENCODER_MAX_FIELDS = 32, ENCODER_MAX_OPTIONS = 256 };

struct encoder;
struct encoder_worker;

struct window {
    int32_t ids[ENCODER_MAX_TOKENS];
    size_t length;                      /* tokens in all */
    size_t head;                        /* the first token of the document; before it token type 0, from it on 1 */
    size_t tokens;                      /* of the document */
    uint16_t markers[ENCODER_MAX_FIELDS];
    size_t fields;
    uint16_t options[ENCODER_MAX_OPTIONS]; /* positions of the option markers, all fields' in a row */
    size_t option_count;
};

struct scores { /* points into the worker; good until its next run */
    const float *span;   /* logits: [field][start, end, inside][stride], of which `tokens` are set; breaks neither start nor end */
    size_t stride;
    const float *null;   /* [field][start, end] */
    const float *option; /* [option] */
};

struct encoder *encoder_open(const struct weights *weights, const struct model *model, struct error *e)
    __attribute__((warn_unused_result));
void encoder_close(struct encoder *encoder);
const char *encoder_machine(const struct encoder *encoder); /* library, instruction set, kernels: for logs and bench */

struct encoder_worker *encoder_worker_open(struct encoder *encoder, struct error *e) __attribute__((warn_unused_result));
void encoder_worker_close(struct encoder_worker *worker);
/* To be called once on the thread that will run the worker. */
void encoder_thread_start(void);

bool encoder_run(struct encoder_worker *worker, const struct window *window, struct scores *scores, struct error *e)
    __attribute__((warn_unused_result));

/* The rate of the int8 product this machine does best on one thread, by oneDNN or by our own kernel, in operations (2 per
 * multiply-add) a second: the yardstick of the bench. The weights are of full range, for which our kernel has no shortcut. */
bool encoder_peak(double seconds, double *rate, struct error *e) __attribute__((warn_unused_result));

#endif
