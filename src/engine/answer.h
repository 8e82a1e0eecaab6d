/* answer.h - what was found -> the filled template and, on request, where every value stands.
 *
 * Layout of the details, one member per dotted path (records: "items[0].price"):
 *     one value:  {"value_text": source text or null, "start": code point or null, "end": ..., "confidence": 0..1}
 *     a list:     {"values": [those], "near_misses": how many spans scored just under the threshold}
 * Called by local.c with a finished task's findings. */
#ifndef REFRACTR_ENGINE_ANSWER_H
#define REFRACTR_ENGINE_ANSWER_H

#include <jansson.h>

#include "engine/arena.h"
#include "engine/ask.h"
#include "engine/decode.h"
#include "engine/grid.h"
#include "engine/model.h"
#include "engine/template.h"

struct document {
    const char *text;
    size_t bytes;
    const struct piece *pieces;
    const uint32_t *byte_of; /* byte offset of each code point, and of the end */
    const struct grid *grid; /* its tables, or those nobody asked for: empty */
};

/* Sorts `findings`. *data and, where `fields` is not NULL, *fields are new references. False: out of memory. */
bool answer_make(const struct model *model, const struct template_plan *template, const struct plan *plan,
                 const struct document *document, struct findings *findings, struct arena *arena, json_t **data, json_t **fields)
    __attribute__((warn_unused_result));

#endif
