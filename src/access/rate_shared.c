#include "access/rate_shared.h"

#include <pthread.h>
#include <stdlib.h>
#include <uthash.h>

#include "base/clock.h"
#include "store/store_nodes.h"

enum { BLOCKS = 100, USE_WITHIN_MS = 1000 };

struct permits_id { /* hashed as bytes: no padding */
    int64_t key_id, bucket;
};

struct permits { /* of one key, in this node's hand */
    struct permits_id id;
    int left;                 /* of the last block */
    int blocks_in_use;        /* of all nodes, as last told */
    int64_t use_until_ns;     /* what is left is void afterwards */
    int64_t refused_until_ns; /* the store has none before */
    int64_t frees_at_ns;
    UT_hash_handle hh;
};

struct shared_rates {
    struct store *store;
    pthread_mutex_t lock; /* guards the table; the store is not asked with it held */
    struct permits *keys; /* in the order of first use */
};

struct shared_rates *rate_shared_open(struct store *store)
{
    struct shared_rates *rates = calloc(1, sizeof *rates);
    if (!rates) return NULL;
    rates->store = store;
    pthread_mutex_init(&rates->lock, NULL);
    return rates;
}

static void drop(struct shared_rates *rates, struct permits *p)
{
    HASH_DEL(rates->keys, p);
    free(p);
}

void rate_shared_close(struct shared_rates *rates)
{
    if (!rates) return;
    while (rates->keys) drop(rates, rates->keys);
    pthread_mutex_destroy(&rates->lock);
    free(rates);
}

/* The oldest goes when the table is full: what it knew the store knows too. */
static struct permits *permits_of(struct shared_rates *rates, int64_t key_id, enum rate_bucket bucket)
{
    struct permits_id id = {.key_id = key_id, .bucket = bucket};
    struct permits *p;
    HASH_FIND(hh, rates->keys, &id, sizeof id, p);
    if (p) return p;
    if (HASH_COUNT(rates->keys) >= RATE_KEYS_MAX) drop(rates, rates->keys);
    if (!(p = calloc(1, sizeof *p))) return NULL;
    p->id = id;
    HASH_ADD(hh, rates->keys, id, sizeof p->id, p);
    return p;
}

static int seconds_until(int64_t at_ns, int64_t now_ns)
{
    return at_ns <= now_ns ? 1 : (int)((at_ns - now_ns + NS_PER_S - 1) / NS_PER_S);
}

enum verdict { ADMIT, REFUSE, ASK };

/* With the lock held; `told` is the store's answer to a question asked at `asked_ns`, or NULL. */
static enum verdict judge(struct permits *p, int block, const struct store_permit *told, int64_t asked_ns, int64_t now_ns)
{
    if (told) {
        p->blocks_in_use = told->in_use;
        p->frees_at_ns = now_ns + told->frees_in_ms * NS_PER_MS;
        if (!told->granted) p->refused_until_ns = p->frees_at_ns;
        if (told->granted) p->left = block, p->use_until_ns = asked_ns + USE_WITHIN_MS * NS_PER_MS;
    }
    if (p->left > 0 && now_ns < p->use_until_ns) {
        p->left--;
        return ADMIT;
    }
    p->left = 0;
    return now_ns < p->refused_until_ns ? REFUSE : ASK;
}

bool rate_count_shared(struct shared_rates *rates, int64_t key_id, enum rate_bucket bucket, int limit,
                       struct rate_state *state, struct error *e)
{
    int block = limit / BLOCKS > 1 ? limit / BLOCKS : 1, wait_s = 1;
    struct store_permit ask = {.key_id = key_id,
                               .bucket = bucket,
                               .blocks = limit / block,
                               .window_ms = RATE_WINDOW_S * INT64_C(1000) + USE_WITHIN_MS};
    enum verdict verdict = REFUSE;
    int64_t asked_ns = 0;
    *state = (struct rate_state){.limit = limit, .window_s = RATE_WINDOW_S, .reset_s = RATE_WINDOW_S};
    for (;;) {
        int64_t now_ns = clock_monotonic_ns();
        pthread_mutex_lock(&rates->lock);
        struct permits *p = permits_of(rates, key_id, bucket);
        if (p) {
            verdict = judge(p, block, asked_ns ? &ask : NULL, asked_ns, now_ns);
            state->remaining = p->left + (ask.blocks > p->blocks_in_use ? (ask.blocks - p->blocks_in_use) * block : 0);
            if (p->frees_at_ns) state->reset_s = wait_s = seconds_until(p->frees_at_ns, now_ns);
        }
        pthread_mutex_unlock(&rates->lock);
        if (verdict != ASK || asked_ns) break;
        asked_ns = now_ns;
        if (!store_permit_take(rates->store, &ask, e)) return false;
    }
    if (verdict == ADMIT) return true;
    error_set(e, ERR_RATE_LIMITED, "", "more than %d requests in %d seconds with this key; try again in %d s", limit,
              RATE_WINDOW_S, wait_s);
    e->retry_after_s = wait_s;
    return false;
}
