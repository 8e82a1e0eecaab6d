/* engine.h - document + compiled template -> values. The whole of what the service knows about extraction.
 *
 * Behind it, chosen at open: local.c (the embedded model), remote.c (a pool of OpenAI-compatible servers) and auto.c (the
 * first, and the second where the first is unsure). Nothing here knows SQL, keys or credits, nor how requests come in.
 * Called by job/ (service) and by the command line (extract, bench). */
#ifndef REFRACTR_ENGINE_ENGINE_H
#define REFRACTR_ENGINE_ENGINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"
#include "engine/template.h"

struct engine;

enum engine_kind { ENGINE_EMBEDDED, ENGINE_REMOTE, ENGINE_AUTO };

struct upstream_options {  /* of the remote engine; strings are borrowed during engine_open only */
    const char *urls;      /* "http://gpu1:8000,http://gpu2:8000", ENGINE_UPSTREAMS_MAX at most */
    const char *model;     /* NULL: the first one the server lists */
    const char *key_file;  /* holds the key sent as Authorization: Bearer; NULL: none */
    const char *prompt;    /* "chat", "nuextract", or "auto": by the model's name */
    int concurrency;       /* requests at once, per upstream */
    int timeout_ms;        /* of one request */
    int context;           /* tokens of the model's window; 0: what the server says */
};

enum { ENGINE_UPSTREAMS_MAX = 16, ENGINE_CONCURRENCY_MAX = 64 };

struct engine_options {
    enum engine_kind kind;
    struct upstream_options upstream;
    int threshold_percent;    /* auto: a field whose confidence is below this is asked of the pool too */
    const char *model_dir; /* holds model.safetensors, vocab.txt, config.json; NULL: searched (beside the binary, ...) */
    const char *data_dir;  /* or NULL; <data_dir>/model is searched before the places beside the binary */
    int threads;           /* 0: one per core */
    bool stub;             /* test option: answers every template with nulls, no model loaded */
    int stub_delay_ms;     /* with stub: each answer takes this long; without: added to every job (test option) */
};

struct engine_answer {
    bool ok;
    struct error error;  /* when not ok */
    json_t *data;        /* the filled template */
    json_t *fields;      /* metadata.fields when details were asked for, else NULL (layout: ARCHITECTURE.md) */
    json_t *warnings;    /* array of strings when a limit of the engine dropped anything, else NULL */
};

struct engine_task {
    const char *text;                 /* UTF-8, valid, 1..50,000 code points; NULs allowed inside */
    size_t text_bytes;
    const struct template_plan *plan;
    bool details;
    /* Called exactly once, on an engine thread, never under an engine lock. Owns `answer` (engine_answer_clear).
     * text and plan must live until then. */
    void (*done)(void *arg, struct engine_answer *answer);
    void *arg;
};

struct engine *engine_open(const struct engine_options *options, struct error *e) __attribute__((warn_unused_result));
/* Runs what was submitted to its end, then stops the threads. No submit may run beside or after it. */
void engine_close(struct engine *engine);

/* Hands a task over (the struct is copied). Never blocks on inference. False: out of memory or closing; done is not called. */
bool engine_submit(struct engine *engine, const struct engine_task *task, struct error *e)
    __attribute__((warn_unused_result));
/* submit + wait, for the command line. */
bool engine_extract(struct engine *engine, const char *text, size_t text_bytes, const struct template_plan *plan,
                    bool details, struct engine_answer *answer) __attribute__((warn_unused_result));
void engine_answer_clear(struct engine_answer *answer);

/* How many tasks it is worth handing over at once; more would only wait in here. */
int engine_slots(const struct engine *engine);
/* Prometheus lines on how the upstreams do; nothing where there are none. */
void engine_metrics(struct engine *engine, FILE *out);
const char *engine_model_name(const struct engine *engine); /* "refractr-mini 1.0 (sha256 ab12...)", for logs, metrics */

#endif
