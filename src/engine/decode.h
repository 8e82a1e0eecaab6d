/* decode.h - scores -> spans: what one window says of a field, and what all windows say together.
 *
 * Scalar: start and end are softmaxes over {null} + document pieces; the best span maximises log p(start) + log p(end) +
 * inside_weight * sum(log sigmoid(inside)); its margin is over null. List: sigmoid start, end and inside; spans with
 * (start * end * min inside)^(1/3) over the threshold, none overlapping. Choice: the option marker's score over null's.
 * No span runs on past its paragraph. Pure functions; every order is total, so the outcome does not depend on which window came first. Called by local.c. */
#ifndef REFRACTR_ENGINE_DECODE_H
#define REFRACTR_ENGINE_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/ask.h"
#include "engine/encoder.h"
#include "engine/grid.h"
#include "engine/model.h"

enum finding_kind {
    FINDING_SPAN,   /* scalar: score is the margin over null */
    FINDING_ITEM,   /* list: score over the threshold */
    FINDING_NEAR,   /* list: score just under it */
    FINDING_START,  /* records: a record begins at `first` */
    FINDING_OPTION, /* choice: score is the margin; first..last the evidence, or first > last where none was seen */
    FINDING_CELL,   /* records' members: evidence for cell `option` of the grid */
};

struct finding {
    uint32_t ask;
    enum finding_kind kind;
    uint32_t first, last; /* document pieces, both inclusive */
    uint32_t option;      /* or cell */
    float score;
};

struct findings { /* grows; zero before use, findings_free when done */
    struct finding *at;
    size_t count, room;
};

void findings_free(struct findings *findings);
bool findings_add(struct findings *findings, const struct finding *finding) __attribute__((warn_unused_result));

/* Appends what window `window` (starting at document piece `at`) says of every field of `pass`. ends[p] is the document piece
 * behind the last one of p's paragraph; `grid` the document's tables, empty where they are not asked about. False: out of memory. */
bool decode_window(const struct model *model, const struct plan *plan, const struct pass *pass, const struct window *window,
                   const struct scores *scores, size_t at, const uint32_t *ends, const struct grid *grid, struct findings *out)
    __attribute__((warn_unused_result));

/* Sorts by field, then best first (margin, then place). */
void decode_sort(struct findings *findings);

/* Of findings[0..count) of one field and kind, best first: moves those that overlap no better one to the front; returns how
 * many. */
size_t decode_without_overlap(struct finding *findings, size_t count);
/* The same, but drops only what says the same span again. */
size_t decode_distinct(struct finding *findings, size_t count);

#endif
