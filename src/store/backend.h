/* backend.h - what a database must offer to the store. store.c owns queue, batches and threads; a backend speaks SQL.
 *
 * All write functions are called by the writer thread only; reads may come from any thread at once. */
#ifndef REFRACTR_STORE_BACKEND_H
#define REFRACTR_STORE_BACKEND_H

#include "store/store_nodes.h"
#include "store/store_web.h"

struct backend;

struct node_ops;

struct backend_ops {
    struct backend *(*open)(const struct store_options *options, struct error *e);
    bool (*migrate)(const struct store_options *options, int *from, int *to, struct error *e);
    void (*close)(struct backend *b);

    /* Runs the writes of the list and commits; each write's `ok` (and `error`) tells what became of it, one that fails
     * leaves the others alone. The list may come back in another order. False: nothing of it has happened, `e` says why. */
    bool (*batch)(struct backend *b, struct store_write **batch, struct error *e);
    /* The answers to a batch are out: housekeeping that must be done whoever waits. `thorough`: all there is, since nothing
     * was written for a second, or since the batch failed, perhaps for want of room. False: it was hindered, and is to be asked
     * again in a second. */
    bool (*keep_house)(struct backend *b, bool thorough);

    bool (*account_read)(struct backend *b, const char *account_id, struct store_account *out, struct error *e);
    bool (*key_find)(struct backend *b, const unsigned char *hash, struct store_key *out, struct error *e);
    bool (*job_read)(struct backend *b, const char *account_id, const char *id, struct store_job *out, struct error *e);
    bool (*accounts)(struct backend *b, store_account_visit visit, void *arg, struct error *e);
    bool (*keys)(struct backend *b, const char *account_id, store_key_visit visit, void *arg, struct error *e);
    bool (*pending_jobs)(struct backend *b, store_pending_visit visit, void *arg, struct error *e);
    bool (*ping)(struct backend *b, struct error *e);
    bool (*audit)(struct backend *b, struct error *e);
    bool (*check)(struct backend *b, struct error *e); /* or NULL: the server looks after its files */
    bool (*backup)(struct backend *b, const char *file, struct error *e); /* or NULL: the server has its own tools */
    bool (*restore)(const char *file, const char *data_dir, struct error *e); /* or NULL, likewise */
    bool (*read)(struct backend *b, struct store_read *read, struct error *e); /* the questions of store_web.h */
    const struct node_ops *nodes; /* NULL: one process at a time */
};

/* What processes share on one store: store_nodes.h. From any thread at once. */
struct node_ops {
    bool (*beat)(struct backend *b, const char *name, const char *role, bool *rejoined, struct error *e);
    void (*leave)(struct backend *b);
    bool (*take)(struct backend *b, struct store_take *take, struct error *e);
    bool (*watch)(struct backend *b, const struct store_watch *watch, struct error *e);
    bool (*permit)(struct backend *b, struct store_permit *permit, struct error *e);
};

extern const struct backend_ops sqlite_backend, postgres_backend;

/* The bucket of store_usage_row a latency is counted into: percentiles from it are at most 19 % too high. */
int store_latency_bucket(int64_t latency_ms);

#endif
