/* ground.h - where in the document does a model's answer stand? Nothing a model says is believed without an answer to that.
 *
 *     verbatim    the words stand in the document as the model wrote them
 *     normalised  they stand there but for white space, case, accents or a few letters, or the same number or date stands
 *                 there written another way
 *     inferred    they do not stand there
 *
 * Digits are never forgiven: "2848" is not found in "2847". Where words stand several times, the place nearest to `near`
 * is taken, else the one that best follows the field's own name. Pure functions over one document; a struct ground may be
 * read by several threads at once. Called by remote.c. */
#ifndef REFRACTR_ENGINE_GROUND_H
#define REFRACTR_ENGINE_GROUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/arena.h"
#include "engine/template.h"
#include "engine/values.h"

enum grounding { GROUND_VERBATIM, GROUND_NORMALISED, GROUND_INFERRED };
const char *grounding_name(enum grounding how);

struct ground { /* a document, folded for searching; lies in the arena it was made in */
    const char *text;
    size_t bytes;
    uint32_t *codes; /* folded code points */
    uint32_t *from;  /* where each begins in the text, in bytes; from[count] = bytes */
    size_t count;
    uint32_t *chars; /* code points of the text before byte 256 * i */
    struct habits habits;
};

/* False: out of memory. */
bool ground_open(struct ground *g, const char *text, size_t bytes, struct arena *arena) __attribute__((warn_unused_result));

struct sought {
    const struct field *field;
    const char *text;      /* what the model said; valid UTF-8 */
    size_t bytes;
    size_t from, to;       /* bytes of the document that the model was shown */
    const size_t *near;    /* a byte of the document this should be close to, or NULL */
    size_t *work;          /* steps that may still be spent on meaning and likeness; taken from. At 0 only words are looked for */
};

enum { GROUND_WORK = 60 * 1000 * 1000 }; /* a sensible start for *work: a few tenths of a second */

struct found { enum grounding how; size_t start, end; }; /* bytes; 0, 0 when inferred */

struct found ground_find(const struct ground *g, const struct sought *sought);

/* Code points before `byte`. */
size_t ground_char(const struct ground *g, size_t byte);

#endif
