/* remote_probe.h - one request to an upstream and what came of it, and the probe made of such requests. Called by remote.c,
 * the probe by the pool's keepers (upstream.h). */
#ifndef REFRACTR_ENGINE_REMOTE_PROBE_H
#define REFRACTR_ENGINE_REMOTE_PROBE_H

#include "engine/engine.h"
#include "engine/prompt.h"
#include "engine/remote_http.h"
#include "engine/reply.h"
#include "engine/upstream.h"

struct remote_settings { /* fixed at open */
    char *model;         /* as given, or NULL */
    char *prompt;        /* "auto", "chat", "nuextract" */
    char *key;           /* or NULL */
    int timeout_ms, context;
    struct template_plan *canary;
};

struct asking { /* one piece of a document, for one upstream */
    const char *url;
    const struct upstream_traits *traits;
    const struct template_plan *plan;
    const bool *asked;
    const char *text;
    size_t bytes;
    int max_tokens;
    const atomic_bool *stop; /* or NULL */
};

struct told { /* reply_free(&told->reply) when done, whatever the outcome */
    enum outcome outcome;
    bool too_long;       /* ask for less at once; `reply` may hold a part */
    int pause_s;         /* with OUTCOME_BUSY; -1: not told */
    struct reply reply;
    char why[UPSTREAM_WHY_CHARS];
};

void remote_ask(struct http *http, const struct remote_settings *settings, const struct asking *asking, struct told *told);
/* An upstream_probe; `arg` is a struct remote_settings. */
bool remote_probe(void *arg, const char *url, bool full, const atomic_bool *stop, struct upstream_traits *traits,
                  char why[UPSTREAM_WHY_CHARS]);

/* Tokens kept for the answer of a model with such a window. */
int remote_answer_tokens(size_t context);

#endif
