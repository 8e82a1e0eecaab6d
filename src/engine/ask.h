/* ask.h - a template's fields in the model's own words: header pieces, passes, windows.
 *
 *     [CLS] field* [SEP] document [SEP]     field := marker [type] key-pieces [":" description-pieces] option*
 *
 * Fields share a pass, in template order, until a limit of the model is met; every pass reads the whole document in
 * windows that overlap. Pure: no threads, no scores. Called by local.c. */
#ifndef REFRACTR_ENGINE_ASK_H
#define REFRACTR_ENGINE_ASK_H

#include <jansson.h>

#include "engine/arena.h"
#include "engine/encoder.h"
#include "engine/model.h"
#include "engine/template.h"
#include "engine/tokenizer.h"

enum ask_kind { ASK_SCALAR, ASK_LIST, ASK_RECORDS, ASK_CHOICE };

struct ask { /* one field's header; asks[i] belongs to the template's field i */
    enum ask_kind kind;
    int32_t *pieces;
    size_t count;
    uint16_t *options;      /* positions of the option markers among `pieces`; NULL where none were asked */
    size_t option_count;
    bool is_member;         /* of a list of records */
    int32_t *name;          /* a member's own name in pieces, no two alike */
    size_t name_count;
};

struct pass {
    const size_t *asks;     /* indices */
    size_t count;
    size_t head;            /* pieces of the header, [CLS] and [SEP] included */
    size_t room;            /* document pieces of a window */
    size_t windows;
};

struct plan {
    struct ask *asks;
    size_t ask_count;
    struct pass *passes;
    size_t pass_count;
    size_t windows;         /* of all passes */
    json_t *warnings;       /* strings, or NULL; the caller's (json_decref) */
};

/* Everything but `warnings` lies in `arena`. `tokens`: pieces of the document; 0 gives a plan without windows.
 * `scratch` is used for tokenizing and may hold anything. */
bool plan_make(struct plan *plan, const struct model *model, const struct tokenizer *tokenizer, const struct field *fields,
               size_t count, size_t tokens, struct arena *arena, struct pieces *scratch, struct error *e)
    __attribute__((warn_unused_result));

/* Fills `out` with window `number` (0 .. plan->windows - 1); *pass is its pass, *at the document piece it starts at. */
void plan_window(const struct plan *plan, const struct model *model, const struct piece *pieces, size_t tokens, size_t number,
                 struct window *out, const struct pass **pass, size_t *at);

#endif
