/* upstream.c - see upstream.h. Everything in struct upstream is guarded by pool->lock but the url, which never changes; each
 * change of `state` is made in admit() or shut(). */
#include "engine/upstream.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

enum {
    FAILURES_IN_A_ROW = 3,
    FAILURES_OF_16 = 8,
    BAD_IN_A_ROW = 3,
    WAIT_FIRST_MS = 1000,
    WAIT_MAX_MS = 60000,
    LOOK_EVERY_MS = 10000,
    PAUSE_S = 2,
    PAUSE_MAX_S = 30,
    RETRIES_AT_ONCE = 10,
    OK_PER_RETRY = 5,
};

enum state { STATE_NEW, STATE_UP, STATE_DOWN };

struct upstream {
    struct pool *pool;
    char *url;
    pthread_t keeper;
    bool kept;              /* the thread runs */
    enum state state;
    struct upstream_traits traits;
    struct breaker breaker;
    int openings;           /* in a row */
    int in_flight;
    int64_t due_ns;         /* the next probe */
    int64_t paused_until_ns;
    bool doubted;           /* probe in full, though up */
    uint64_t requests, failures, bad;
};

struct pool {
    struct pool_options options;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* a place is free, a state changed, or closing */
    atomic_bool closing;
    int retries;            /* in fifths */
    int next;               /* where the search begins, so that equals take turns */
    int count;
    struct upstream at[];
};

/* ---- the breaker ------------------------------------------------------------------------------------------------- */

static int bits(uint16_t word)
{
    int n = 0;
    for (; word; word &= (uint16_t)(word - 1))
        n++;
    return n;
}

enum breaker_says breaker_note(struct breaker *b, enum outcome outcome)
{
    if (outcome == OUTCOME_NEUTRAL || outcome == OUTCOME_BUSY)
        return BREAKER_FINE;
    bool failed = outcome == OUTCOME_FAILED;
    b->history = (uint16_t)(b->history << 1 | failed);
    b->seen += b->seen < 16;
    b->failures = failed ? b->failures + 1 : 0;
    b->bad = outcome == OUTCOME_BAD ? b->bad + 1 : 0;
    if (b->failures >= FAILURES_IN_A_ROW || bits(b->history) >= FAILURES_OF_16)
        return BREAKER_OPEN;
    if (b->bad < BAD_IN_A_ROW)
        return BREAKER_FINE;
    b->bad = 0;
    return BREAKER_PROBE;
}

int breaker_wait_ms(int openings)
{
    return openings < 6 ? WAIT_FIRST_MS << openings : WAIT_MAX_MS;
}

/* ---- changes of state: with the lock held ------------------------------------------------------------------------ */

static int64_t jittered_ns(int64_t ms)
{
    return (ms - ms / 10 + randombytes_uniform((uint32_t)(ms / 5) + 1)) * NS_PER_MS;
}

static void admit(struct upstream *u, const struct upstream_traits *traits)
{
    bool fresh = u->state != STATE_UP;
    u->state = STATE_UP;
    u->traits = *traits;
    u->breaker = (struct breaker){0};
    u->doubted = false;
    u->due_ns = clock_monotonic_ns() + jittered_ns(LOOK_EVERY_MS);
    pthread_cond_broadcast(&u->pool->changed);
    if (fresh)
        log_info(NULL, "upstream: up", LOG_STR("url", u->url), LOG_STR("model", traits->model),
                 LOG_INT("context", (int64_t)traits->context));
}

static void shut(struct upstream *u, const char *why)
{
    int wait_ms = breaker_wait_ms(u->openings);
    if (u->openings == 0 || u->state == STATE_UP)
        log_warn(NULL, "upstream: down", LOG_STR("url", u->url), LOG_STR("why", why), LOG_INT("probed_in_ms", wait_ms));
    u->state = STATE_DOWN;
    u->openings++;
    u->doubted = false;
    u->due_ns = clock_monotonic_ns() + jittered_ns(wait_ms);
    pthread_cond_broadcast(&u->pool->changed);
}

static void note(struct upstream *u, enum outcome outcome, const char *why)
{
    if (u->state != STATE_UP)
        return; /* a request that began before it went down */
    if (outcome == OUTCOME_OK)
        u->openings = 0;
    enum breaker_says says = breaker_note(&u->breaker, outcome);
    if (says == BREAKER_OPEN) {
        shut(u, why);
    } else if (says == BREAKER_PROBE) {
        u->doubted = true;
        pthread_cond_broadcast(&u->pool->changed);
    }
}

/* ---- keepers ----------------------------------------------------------------------------------------------------- */

static void probe(struct upstream *u)
{
    struct pool *pool = u->pool;
    struct upstream_traits traits = {.context = 0};
    char why[UPSTREAM_WHY_CHARS] = "";
    bool full = u->state != STATE_UP || u->doubted;
    pthread_mutex_unlock(&pool->lock);
    bool ok = pool->options.probe(pool->options.arg, u->url, full, &pool->closing, &traits, why);
    pthread_mutex_lock(&pool->lock);
    if (full && ok)
        admit(u, &traits);
    else if (full)
        shut(u, why);
    else {
        u->due_ns = clock_monotonic_ns() + jittered_ns(LOOK_EVERY_MS);
        if (!ok)
            note(u, OUTCOME_FAILED, why);
    }
}

static void *keep(void *argument)
{
    struct upstream *u = argument;
    struct pool *pool = u->pool;
    pthread_mutex_lock(&pool->lock);
    while (!atomic_load(&pool->closing)) {
        if (u->doubted || clock_monotonic_ns() >= u->due_ns)
            probe(u);
        else
            (void)cond_wait_until(&pool->changed, &pool->lock, u->due_ns);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* ---- taking and giving ------------------------------------------------------------------------------------------- */

struct view { int best, ups, wanted_ups, news; int64_t next_due_ns, pause_ends_ns; };

/* The least loaded with a free place, and what there is beside it. */
static struct view look(const struct pool *pool, uint32_t avoid, int64_t now)
{
    struct view v = {.best = -1, .next_due_ns = INT64_MAX, .pause_ends_ns = INT64_MAX};
    for (int n = 0; n < pool->count; n++) {
        int i = (pool->next + n) % pool->count;
        const struct upstream *u = &pool->at[i];
        bool wanted = !(avoid >> i & 1);
        v.news += u->state == STATE_NEW;
        if (u->state == STATE_DOWN && u->due_ns < v.next_due_ns)
            v.next_due_ns = u->due_ns;
        if (u->state != STATE_UP)
            continue;
        v.ups++;
        v.wanted_ups += wanted;
        if (wanted && u->paused_until_ns > now && u->paused_until_ns < v.pause_ends_ns)
            v.pause_ends_ns = u->paused_until_ns;
        if (wanted && u->paused_until_ns <= now && u->in_flight < pool->options.concurrency &&
            (v.best < 0 || u->in_flight < pool->at[v.best].in_flight))
            v.best = i;
    }
    return v;
}

static int seconds_until(int64_t due_ns, int64_t now)
{
    int64_t s = (due_ns - now + NS_PER_S - 1) / NS_PER_S;
    return s < 1 ? 1 : s > WAIT_MAX_MS / 1000 ? WAIT_MAX_MS / 1000 : (int)s;
}

bool pool_take(struct pool *pool, uint32_t avoid, struct lease *lease, int *retry_after_s)
{
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        int64_t now = clock_monotonic_ns();
        struct view v = look(pool, avoid, now);
        if (v.best >= 0) {
            struct upstream *u = &pool->at[v.best];
            u->in_flight++;
            u->requests++;
            pool->next = (v.best + 1) % pool->count;
            *lease = (struct lease){v.best, u->url, u->traits};
            break;
        }
        if (v.ups > 0 && v.wanted_ups == 0) {
            avoid = 0;
            continue;
        }
        if ((v.ups == 0 && v.news == 0) || atomic_load(&pool->closing)) {
            *retry_after_s = seconds_until(v.next_due_ns, now);
            pthread_mutex_unlock(&pool->lock);
            return false;
        }
        (void)cond_wait_until(&pool->changed, &pool->lock, v.pause_ends_ns < INT64_MAX ? v.pause_ends_ns : now + NS_PER_S);
    }
    pthread_mutex_unlock(&pool->lock);
    return true;
}

void pool_give(struct pool *pool, const struct lease *lease, enum outcome outcome, int pause_s, const char *why)
{
    struct upstream *u = &pool->at[lease->index];
    pthread_mutex_lock(&pool->lock);
    u->in_flight--;
    u->failures += outcome == OUTCOME_FAILED;
    u->bad += outcome == OUTCOME_BAD;
    if (outcome == OUTCOME_OK && pool->retries < RETRIES_AT_ONCE * OK_PER_RETRY)
        pool->retries++;
    if (outcome == OUTCOME_BUSY) {
        int s = pause_s < 0 ? PAUSE_S : pause_s > PAUSE_MAX_S ? PAUSE_MAX_S : pause_s;
        u->paused_until_ns = clock_monotonic_ns() + s * NS_PER_S;
    }
    note(u, outcome, why);
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
}

bool pool_may_retry(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    bool may = pool->retries >= OK_PER_RETRY;
    pool->retries -= may ? OK_PER_RETRY : 0;
    pthread_mutex_unlock(&pool->lock);
    return may;
}

size_t pool_context(struct pool *pool, int *retry_after_s)
{
    size_t smallest = 0;
    pthread_mutex_lock(&pool->lock);
    struct view v = look(pool, 0, clock_monotonic_ns());
    while (v.ups == 0 && v.news > 0 && !atomic_load(&pool->closing)) {
        (void)cond_wait_until(&pool->changed, &pool->lock, clock_monotonic_ns() + NS_PER_S);
        v = look(pool, 0, clock_monotonic_ns());
    }
    for (int i = 0; i < pool->count; i++) {
        const struct upstream *u = &pool->at[i];
        if (u->state == STATE_UP && (smallest == 0 || u->traits.context < smallest))
            smallest = u->traits.context;
    }
    *retry_after_s = seconds_until(v.next_due_ns, clock_monotonic_ns());
    pthread_mutex_unlock(&pool->lock);
    return smallest;
}

int pool_places(const struct pool *pool)
{
    return pool->count * pool->options.concurrency;
}

void pool_metrics(struct pool *pool, FILE *out)
{
    static const struct { const char *name, *type, *help; } rows[] = {
        {"refractr_upstream_up", "gauge", "1 while the upstream gets traffic."},
        {"refractr_upstream_in_flight", "gauge", "Requests at the upstream."},
        {"refractr_upstream_requests_total", "counter", "Requests sent to the upstream, canaries left out."},
        {"refractr_upstream_failures_total", "counter", "Requests it did not answer: connection, timeout, 5xx."},
        {"refractr_upstream_bad_answers_total", "counter", "Answers that could not be used: refused, broken, another form."},
    };
    pthread_mutex_lock(&pool->lock);
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", rows[r].name, rows[r].help, rows[r].name, rows[r].type);
        for (int i = 0; i < pool->count; i++) {
            const struct upstream *u = &pool->at[i];
            const uint64_t values[] = {u->state == STATE_UP, (uint64_t)u->in_flight, u->requests, u->failures, u->bad};
            fprintf(out, "%s{upstream=\"%s\"} %llu\n", rows[r].name, u->url, (unsigned long long)values[r]);
        }
    }
    pthread_mutex_unlock(&pool->lock);
}

/* ---- opening and closing ----------------------------------------------------------------------------------------- */

void pool_close(struct pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    atomic_store(&pool->closing, true);
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->count; i++) {
        if (pool->at[i].kept)
            pthread_join(pool->at[i].keeper, NULL);
        free(pool->at[i].url);
    }
    pthread_cond_destroy(&pool->changed);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

struct pool *pool_open(const struct pool_options *options, struct error *e)
{
    struct pool *pool = calloc(1, sizeof *pool + (size_t)options->count * sizeof pool->at[0]);
    if (!pool)
        return error_set(e, ERR_ENGINE_UNAVAILABLE, "", "Out of memory opening the pool."), NULL;
    pool->options = *options;
    pool->options.urls = NULL; /* the caller's, copied below */
    pool->count = options->count;
    pool->retries = RETRIES_AT_ONCE * OK_PER_RETRY;
    pthread_mutex_init(&pool->lock, NULL);
    cond_init_monotonic(&pool->changed);
    bool ok = true;
    for (int i = 0; ok && i < pool->count; i++) {
        pool->at[i].pool = pool;
        ok = (pool->at[i].url = strdup(options->urls[i])) != NULL;
    }
    for (int i = 0; ok && i < pool->count; i++)
        ok = pool->at[i].kept = pthread_create(&pool->at[i].keeper, NULL, keep, &pool->at[i]) == 0;
    if (ok)
        return pool;
    pool_close(pool);
    return error_set(e, ERR_ENGINE_UNAVAILABLE, "", "Cannot start the threads that watch the upstreams."), NULL;
}
