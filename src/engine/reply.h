/* reply.h - what an upstream sent back -> what the model said of each field. The bytes are a stranger's: nothing is believed.
 *
 *     HTTP body  {"choices": [{"message": {"content": TEXT}, "finish_reason": ..., "logprobs": {"content": [...]}}]}
 *     TEXT       the filled form, perhaps with a word around it: {"$check": mark, "total": "12.50", "items": [{...}, ...]}
 *
 * Limits: REPLY_BYTES_MAX for the body, REPLY_DEPTH_MAX for nesting (looked at before any parser runs), REPLY_SAID_MAX values.
 * Members that were not asked for are passed over; a single value where a list is due is a list of one, of a list where one
 * value is due the first counts; everything else of the wrong shape is passed over. The sureness of a value is the
 * probability of its least likely token, where the server tells.
 * Pure functions. Called by remote.c; fuzzed by tests/fuzz/fuzz_upstream_reply.c. */
#ifndef REFRACTR_ENGINE_REPLY_H
#define REFRACTR_ENGINE_REPLY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/template.h"

enum {
    REPLY_BYTES_MAX = 8 * 1024 * 1024, /* log-probabilities are most of it: some 200 bytes a token */
    REPLY_TEXT_MAX = 512 * 1024,
    REPLY_DEPTH_MAX = 32,
    REPLY_SAID_MAX = 8000,
};

enum reply_kind {
    REPLY_OK,
    REPLY_CUT,     /* the model ran out of tokens, or a list is as long as a list may be: ask for less at once */
    REPLY_REFUSED, /* the model will not answer */
    REPLY_WRONG,   /* no completion, no JSON, another form than was asked for */
    REPLY_OTHERS,  /* the answer to another request: the mark is not ours */
};

struct said {
    uint32_t field;
    int32_t row;   /* of a list or of records, in the answer's order; 0 for one value */
    json_t *value; /* string, number, true, false or null; borrowed from the reply */
    double sure;   /* 0..1, or -1: the server does not tell */
};

struct reply {
    enum reply_kind kind;
    struct said *said;
    size_t count;
    bool marked;      /* the mark was there, and ours */
    char why[120];    /* when not REPLY_OK: for the log; holds nothing of the document */
    json_t *root;     /* owns what `said` borrows */
};

/* `mark`: what PROMPT_CHECK_KEY must hold; NULL: it was not asked for. Always fills `reply`; reply_free when done. */
void reply_parse(const char *body, size_t bytes, const struct template_plan *plan, const bool *asked, const char *mark,
                 struct reply *reply);
void reply_free(struct reply *reply);

/* JSON without duplicate keys and not nested deeper than REPLY_DEPTH_MAX; NULL: it is not. */
json_t *json_parse_shallow(const char *text, size_t bytes) __attribute__((warn_unused_result));

#endif
