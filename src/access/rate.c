#include "access/rate.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"

#define WINDOW_NS (RATE_WINDOW_S * NS_PER_S)

struct window_id { /* hashed as bytes: no padding */
    int64_t key_id, bucket;
};

/* times[first .. first + used) modulo capacity, oldest first; capacity doubles up to the limit */
struct window {
    struct window_id id;
    int64_t *times;
    int first, used, capacity;
    UT_hash_handle hh;
};

struct rate_table {
    pthread_mutex_t lock;
    struct window *windows; /* in the order of last use: the longest silent first */
};

struct rate_table *rate_open(void)
{
    struct rate_table *table = calloc(1, sizeof *table);
    if (table) pthread_mutex_init(&table->lock, NULL);
    return table;
}

static void window_drop(struct rate_table *table, struct window *w)
{
    HASH_DEL(table->windows, w);
    free(w->times);
    free(w);
}

void rate_close(struct rate_table *table)
{
    if (!table) return;
    while (table->windows) window_drop(table, table->windows);
    pthread_mutex_destroy(&table->lock);
    free(table);
}

static int64_t time_at(const struct window *w, int i) { return w->times[(w->first + i) % w->capacity]; }

static void forget_old(struct window *w, int64_t now_ns)
{
    while (w->used > 0 && time_at(w, 0) + WINDOW_NS <= now_ns) {
        w->first = (w->first + 1) % w->capacity;
        w->used--;
    }
}

static bool grow(struct window *w, int limit)
{
    int capacity = w->capacity ? w->capacity * 2 : 16;
    if (capacity > limit) capacity = limit;
    int64_t *times = malloc((size_t)capacity * sizeof *times);
    if (!times) return false;
    for (int i = 0; i < w->used; i++) times[i] = time_at(w, i);
    free(w->times);
    w->times = times;
    w->first = 0;
    w->capacity = capacity;
    return true;
}

/* Two silent windows go for every one that is asked for, so the table shrinks by itself and no call is long. */
static void drop_silent(struct rate_table *table, int64_t now_ns)
{
    for (int i = 0; i < 2 && table->windows; i++) {
        struct window *oldest = table->windows;
        if (oldest->used > 0 && time_at(oldest, oldest->used - 1) + WINDOW_NS > now_ns) return;
        window_drop(table, oldest);
    }
}

static struct window *window_of(struct rate_table *table, int64_t key_id, enum rate_bucket bucket, int64_t now_ns)
{
    struct window_id id = {.key_id = key_id, .bucket = bucket};
    struct window *w;
    HASH_FIND(hh, table->windows, &id, sizeof id, w);
    if (w) {
        HASH_DEL(table->windows, w); /* to the end of the order */
    } else {
        drop_silent(table, now_ns);
        if (HASH_COUNT(table->windows) >= RATE_KEYS_MAX || !(w = calloc(1, sizeof *w))) return NULL;
        w->id = id;
    }
    HASH_ADD(hh, table->windows, id, sizeof w->id, w);
    if (HASH_ADDED(w)) return w;
    free(w->times);
    free(w);
    return NULL;
}

static int seconds_until(int64_t at_ns, int64_t now_ns) { return (int)((at_ns - now_ns + NS_PER_S - 1) / NS_PER_S); }

static bool refuse(struct error *e, int limit, int wait_s)
{
    error_set(e, ERR_RATE_LIMITED, "", "more than %d requests in %d seconds with this key; try again in %d s", limit,
              RATE_WINDOW_S, wait_s);
    e->retry_after_s = wait_s;
    return false;
}

static bool no_memory(struct error *e)
{
    return error_set(e, ERR_INTERNAL, "", "there is no memory for this request; try again");
}

static bool count_in(struct window *w, int limit, int64_t now_ns, struct rate_state *state, struct error *e)
{
    forget_old(w, now_ns);
    bool room = w->used < limit;
    if (room && w->used == w->capacity && !grow(w, limit)) return no_memory(e);
    if (room) {
        w->times[(w->first + w->used) % w->capacity] = now_ns;
        w->used++;
    }
    state->remaining = limit - w->used;
    state->reset_s = seconds_until(time_at(w, 0) + WINDOW_NS, now_ns);
    return room || refuse(e, limit, state->reset_s);
}

bool rate_count(struct rate_table *table, int64_t key_id, enum rate_bucket bucket, int limit, int64_t now_ns,
                struct rate_state *state, struct error *e)
{
    *state = (struct rate_state){.limit = limit, .window_s = RATE_WINDOW_S, .reset_s = RATE_WINDOW_S};
    pthread_mutex_lock(&table->lock);
    struct window *w = window_of(table, key_id, bucket, now_ns);
    bool full = HASH_COUNT(table->windows) >= RATE_KEYS_MAX;
    bool ok = w ? count_in(w, limit, now_ns, state, e) : full ? refuse(e, limit, 1) : no_memory(e);
    pthread_mutex_unlock(&table->lock);
    return ok;
}
