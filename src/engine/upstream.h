/* upstream.h - the pool of upstreams: which may have traffic, which is asked next, how often a request may be tried again.
 *
 *                 probe right                    breaker opens
 *     new, down ---------------> up ------------------------------------> down, for 1 s, 2 s, 4 s ... 60 s
 *         ^                       | 3 bad answers: probed while it works       |
 *         +-- probe wrong --------+--------------------------------------------+
 *
 * An upstream gets traffic only after a full probe, whose canary must come back right; it is the only request that a closed
 * road ever carries. While up it is looked at every 10 s. The breaker opens at 3 failures in a row or 8 of the last 16
 * requests (no connection, timeout, 5xx). A bad answer (refusal, broken JSON) is no failure, for a document can provoke it:
 * three in a row only cause a full probe, and that decides.
 *
 * Knows nothing of HTTP or prompts: the probe is the caller's. One keeper thread per upstream; one lock, a leaf. Called by
 * remote.c. */
#ifndef REFRACTR_ENGINE_UPSTREAM_H
#define REFRACTR_ENGINE_UPSTREAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

enum { UPSTREAM_MODEL_CHARS = 200, UPSTREAM_WHY_CHARS = 160 };

struct upstream_traits { /* what a full probe finds out */
    char model[UPSTREAM_MODEL_CHARS + 1];
    size_t context;   /* tokens */
    bool guided_json; /* vLLM */
    bool marks;       /* puts our mark into its answers: one without is not ours */
};

/* Asks the upstream at `url`: `full` the canary too, filling *traits; else only whether it lives. Blocks; ends soon after
 * *stop becomes true. False: `why` says why. Runs on a keeper thread, nothing locked. */
typedef bool (*upstream_probe)(void *arg, const char *url, bool full, const atomic_bool *stop, struct upstream_traits *traits,
                               char why[UPSTREAM_WHY_CHARS]);

struct pool_options {
    const char *const *urls; /* copied */
    int count;
    int concurrency;         /* requests at once, per upstream */
    upstream_probe probe;
    void *arg;
};

struct pool;
struct pool *pool_open(const struct pool_options *options, struct error *e) __attribute__((warn_unused_result));
void pool_close(struct pool *pool); /* no lease may be out */

struct lease { int index; const char *url; struct upstream_traits traits; };

enum outcome {
    OUTCOME_OK,
    OUTCOME_FAILED, /* the server: no connection, timeout, 5xx, no HTTP */
    OUTCOME_BAD,    /* the model: refused, broken, another form */
    OUTCOME_NEUTRAL,/* the request: too long, not accepted */
    OUTCOME_BUSY,   /* 429: no traffic for a while */
};

/* Takes a place at the least loaded upstream that is up, if it can one not in `avoid` (a bit per index). Waits while all are
 * full, or while the first probes run. False: none is up; *retry_after_s says when one is probed again. */
bool pool_take(struct pool *pool, uint32_t avoid, struct lease *lease, int *retry_after_s) __attribute__((warn_unused_result));
/* `pause_s`: with OUTCOME_BUSY, as the upstream asked. */
void pool_give(struct pool *pool, const struct lease *lease, enum outcome outcome, int pause_s, const char *why);
/* May a failed request be tried again? Ten may at once; then one for every five that succeed. */
bool pool_may_retry(struct pool *pool) __attribute__((warn_unused_result));
/* The smallest window, in tokens, of those that are up; waits while none is and the first probes run. 0: none is, and
 * *retry_after_s says when one is probed again. */
size_t pool_context(struct pool *pool, int *retry_after_s);
int pool_places(const struct pool *pool); /* of all upstreams */
void pool_metrics(struct pool *pool, FILE *out);

/* The breaker alone, without clock and threads. */
struct breaker { uint16_t history; int seen, failures, bad; };
enum breaker_says { BREAKER_FINE, BREAKER_PROBE, BREAKER_OPEN };
enum breaker_says breaker_note(struct breaker *breaker, enum outcome outcome);
/* How long after the n-th opening in a row (n = 0, 1, ...). */
int breaker_wait_ms(int openings);

#endif
