/* merge.h - what the model said of each piece of a document -> one filled template with details and warnings.
 *
 * Pieces overlap, so the same value is often said twice: one value takes the best grounded, surest one; items of lists and
 * records that stand at the same place are one. What stands nowhere comes last and once. The outcome does not depend on the
 * order in which pieces were answered. Layout of the details as in answer.h, with two members more per value:
 *     {"value_text", "start", "end", "confidence", "grounding": "verbatim" | "normalised" | "inferred", "engine": "remote"}
 * For no value all but the confidence and the engine are null. Pure. Called by remote.c and auto.c. */
#ifndef REFRACTR_ENGINE_MERGE_H
#define REFRACTR_ENGINE_MERGE_H

#include <jansson.h>

#include "engine/ground.h"
#include "engine/reply.h"

struct item {
    uint32_t field;
    uint32_t piece;      /* of the document; with `row` it names a record */
    int32_t row;
    struct found found;
    json_t *value;       /* owned; NULL: the model says there is none */
    double sure;
    bool chosen;         /* true, false or an option: what the words mean, so they need not stand in the document */
};

struct items { struct item *at; size_t count, room; }; /* zero before use, items_free when done */

void items_free(struct items *items);
bool items_append(struct items *items, const struct item *item) __attribute__((warn_unused_result)); /* takes the value on true */
/* Grounds everything `reply` says of the piece from..to and appends it. False: out of memory. */
bool items_add(struct items *items, const struct ground *ground, const struct template_plan *plan, const struct reply *reply,
               uint32_t piece, size_t from, size_t to) __attribute__((warn_unused_result));

/* Sorts `items`. *data and *fields (one entry for each field asked) are new references. False: out of memory. */
bool merge_make(const struct template_plan *plan, const bool *asked, const struct ground *ground, struct items *items,
                json_t **data, json_t **fields) __attribute__((warn_unused_result));

/* "Not found in the document, so inferred by the model: a, b and 3 more." by what `fields` says; malloc'd. NULL: all was found. */
char *merge_inferred_warning(json_t *fields) __attribute__((warn_unused_result));

#endif
