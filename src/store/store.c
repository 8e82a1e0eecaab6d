/* store.c - the writer thread and its queue (group commit), and the way through to the backend.
 *
 *     store_post --> queue --> writer: begin | run, run, run ... | commit --> done, done, done
 *
 * While one batch commits the next one gathers, so the cost of a commit is shared by all who wait: the more load, the
 * larger the batches. `lock` guards the queue and the counters only; nothing is called with it held. */
#include "store/store.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/backend.h"

enum { BATCH_MAX = 256 };

#define IDLE_NS (1 * NS_PER_S)

struct store {
    const struct backend_ops *ops;
    struct backend *backend;
    pthread_t writer;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct store_write *head, **tail;
    bool closing;
    struct store_counters counters;
};

/* With the lock held. After a second without work the backend keeps house, until it has done so once. */
static void wait_for_work(struct store *store)
{
    int64_t idle_at = clock_monotonic_ns() + IDLE_NS;
    bool rested = false;
    while (!store->head && !store->closing) {
        if (rested) {
            pthread_cond_wait(&store->wake, &store->lock);
        } else if (!cond_wait_until(&store->wake, &store->lock, idle_at)) {
            pthread_mutex_unlock(&store->lock);
            rested = store->ops->keep_house(store->backend, true);
            idle_at = clock_monotonic_ns() + IDLE_NS;
            pthread_mutex_lock(&store->lock);
        }
    }
}

/* Takes up to BATCH_MAX writes, in the order posted. NULL: closing and nothing left. */
static struct store_write *batch_take(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    wait_for_work(store);
    struct store_write *batch = store->head, **end = &store->head;
    int taken = 0;
    while (*end && taken < BATCH_MAX) end = &(*end)->next, taken++;
    store->head = *end;
    *end = NULL;
    if (!store->head) store->tail = &store->head;
    if (taken == 0) batch = NULL;
    store->counters.queued -= taken;
    pthread_mutex_unlock(&store->lock);
    return batch;
}

static void batch_finish(struct store_write *batch, const struct error *failure)
{
    while (batch) {
        struct store_write *w = batch;
        batch = w->next; /* done may free it */
        w->next = NULL;
        if (failure && (w->ok || w->error.code == ERR_NONE)) {
            w->ok = false;
            w->error = *failure;
        }
        w->done(w);
    }
}

static void batch_count(struct store *store, const struct store_write *batch, int64_t took_ns)
{
    pthread_mutex_lock(&store->lock);
    store->counters.batches++;
    for (; batch; batch = batch->next) store->counters.writes++;
    if (took_ns > store->counters.commit_ns_max) store->counters.commit_ns_max = took_ns;
    pthread_mutex_unlock(&store->lock);
}

static void *writer_main(void *arg)
{
    struct store *store = arg;
    struct store_write *batch;
    pthread_setname_np(pthread_self(), "store writer");
    while ((batch = batch_take(store))) {
        struct error e = {.code = ERR_NONE};
        int64_t began = clock_monotonic_ns();
        bool ok = store->ops->batch(store->backend, &batch, &e);
        if (!ok) log_error(NULL, "store: a batch was not committed", LOG_STR("error", e.message));
        batch_count(store, batch, clock_monotonic_ns() - began);
        batch_finish(batch, ok ? NULL : &e);
        (void)store->ops->keep_house(store->backend, !ok); /* hindered, it is asked again when idle */
    }
    return NULL;
}

static const struct backend_ops *backend_of(const struct store_options *options)
{
    return options->url ? &postgres_backend : &sqlite_backend;
}

static bool url_ok(const struct store_options *options, struct error *e)
{
    const char *url = options->url;
    if (!url || !strncmp(url, "postgresql://", 13) || !strncmp(url, "postgres://", 11)) return true;
    return error_set(e, ERR_INVALID_VALUE, "store", "--store must be a URL that begins with postgresql://; without it the "
                     "store is SQLite in the folder --data");
}

bool store_migrate(const struct store_options *options, int *from, int *to, struct error *e)
{
    return url_ok(options, e) && backend_of(options)->migrate(options, from, to, e);
}

struct store *store_open(const struct store_options *options, struct error *e)
{
    if (!url_ok(options, e)) return NULL;
    struct store *store = calloc(1, sizeof *store);
    if (!store) return error_set(e, ERR_STORE_UNAVAILABLE, "", "out of memory"), NULL;
    store->ops = backend_of(options);
    store->tail = &store->head;
    pthread_mutex_init(&store->lock, NULL);
    cond_init_monotonic(&store->wake);
    store->backend = store->ops->open(options, e);
    if (store->backend && pthread_create(&store->writer, NULL, writer_main, store) == 0) return store;
    if (store->backend) {
        store->ops->close(store->backend);
        error_set(e, ERR_STORE_UNAVAILABLE, "", "cannot start the store's thread");
    }
    free(store);
    return NULL;
}

void store_close(struct store *store)
{
    if (!store) return;
    pthread_mutex_lock(&store->lock);
    store->closing = true;
    pthread_cond_signal(&store->wake);
    pthread_mutex_unlock(&store->lock);
    pthread_join(store->writer, NULL);
    store->ops->close(store->backend);
    pthread_cond_destroy(&store->wake);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

void store_post(struct store *store, struct store_write *write)
{
    write->ok = false;
    write->error = (struct error){.code = ERR_NONE};
    write->next = NULL;
    pthread_mutex_lock(&store->lock);
    bool was_empty = !store->head;
    *store->tail = write;
    store->tail = &write->next;
    store->counters.queued++;
    pthread_mutex_unlock(&store->lock);
    if (was_empty) pthread_cond_signal(&store->wake);
}

/* ---- waiting for a write -------------------------------------------------------------------------------------------- */

/* One waiter at a time holds the pair; start-up and the command line have no need for more. */
static pthread_mutex_t wait_turn = PTHREAD_MUTEX_INITIALIZER, wait_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wait_cond = PTHREAD_COND_INITIALIZER;
static bool wait_done;

static void wait_wake(struct store_write *write)
{
    (void)write;
    pthread_mutex_lock(&wait_lock);
    wait_done = true;
    pthread_cond_signal(&wait_cond);
    pthread_mutex_unlock(&wait_lock);
}

bool store_write_wait(struct store *store, struct store_write *write, struct error *e)
{
    pthread_mutex_lock(&wait_turn);
    wait_done = false;
    write->done = wait_wake;
    store_post(store, write);
    pthread_mutex_lock(&wait_lock);
    while (!wait_done) pthread_cond_wait(&wait_cond, &wait_lock);
    pthread_mutex_unlock(&wait_lock);
    bool ok = write->ok;
    if (!ok) *e = write->error;
    pthread_mutex_unlock(&wait_turn);
    return ok;
}

/* ---- through to the backend ----------------------------------------------------------------------------------------- */

bool store_account_read(struct store *store, const char *account_id, struct store_account *out, struct error *e)
{
    return store->ops->account_read(store->backend, account_id, out, e);
}

bool store_key_find(struct store *store, const unsigned char *hash, struct store_key *out, struct error *e)
{
    return store->ops->key_find(store->backend, hash, out, e);
}

bool store_job_read(struct store *store, const char *account_id, const char *job_id, struct store_job *out,
                    struct error *e)
{
    return store->ops->job_read(store->backend, account_id, job_id, out, e);
}

void store_job_clear(struct store_job *job)
{
    free(job->result);
    job->result = NULL;
}

bool store_accounts(struct store *store, store_account_visit visit, void *arg, struct error *e)
{
    return store->ops->accounts(store->backend, visit, arg, e);
}

bool store_keys(struct store *store, const char *account_id, store_key_visit visit, void *arg, struct error *e)
{
    return store->ops->keys(store->backend, account_id, visit, arg, e);
}

bool store_pending_jobs(struct store *store, store_pending_visit visit, void *arg, struct error *e)
{
    return store->ops->pending_jobs(store->backend, visit, arg, e);
}

bool store_ping(struct store *store, struct error *e) { return store->ops->ping(store->backend, e); }

bool store_read(struct store *store, struct store_read *read, struct error *e)
{
    return store->ops->read(store->backend, read, e);
}

bool store_audit(struct store *store, struct error *e) { return store->ops->audit(store->backend, e); }

bool store_check(struct store *store, struct error *e) { return !store->ops->check || store->ops->check(store->backend, e); }

static bool copied_by_server(struct error *e)
{
    return error_set(e, ERR_INVALID_VALUE, "", "this store is copied and restored by the tools of its server, such as pg_dump "
                     "and pg_restore");
}

bool store_backup(struct store *store, const char *file, struct error *e)
{
    return store->ops->backup ? store->ops->backup(store->backend, file, e) : copied_by_server(e);
}

bool store_restore(const char *file, const struct store_options *options, struct error *e)
{
    const struct backend_ops *ops = backend_of(options);
    return ops->restore ? ops->restore(file, options->data_dir, e) : copied_by_server(e);
}

int store_latency_bucket(int64_t latency_ms)
{
    if (latency_ms <= 1) return 0;
    int bucket = (int)ceil(4 * log2((double)latency_ms) - 1e-9);
    return bucket < STORE_LATENCY_BUCKETS ? bucket : STORE_LATENCY_BUCKETS - 1;
}

/* ---- through to what nodes share -------------------------------------------------------------------------------------- */

bool store_shared(const struct store *store) { return store->ops->nodes != NULL; }

bool store_node_beat(struct store *store, const char *name, const char *role, bool *rejoined, struct error *e)
{
    return store->ops->nodes->beat(store->backend, name, role, rejoined, e);
}

void store_node_leave(struct store *store) { store->ops->nodes->leave(store->backend); }

bool store_jobs_take(struct store *store, struct store_take *take, struct error *e)
{
    return store->ops->nodes->take(store->backend, take, e);
}

bool store_jobs_watch(struct store *store, const struct store_watch *watch, struct error *e)
{
    return store->ops->nodes->watch(store->backend, watch, e);
}

bool store_permit_take(struct store *store, struct store_permit *permit, struct error *e)
{
    return store->ops->nodes->permit(store->backend, permit, e);
}

void store_count(struct store *store, struct store_counters *out)
{
    pthread_mutex_lock(&store->lock);
    *out = store->counters;
    pthread_mutex_unlock(&store->lock);
}
