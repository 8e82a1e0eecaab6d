/* backend.h - what a database must offer to the store. store.c owns queue, batches and threads; a backend speaks SQL.
 *
 * All write functions are called by the writer thread only; reads may come from any thread at once. */
#ifndef REFRACTR_STORE_BACKEND_H
#define REFRACTR_STORE_BACKEND_H

#include "store/store_web.h"

struct backend;

struct backend_ops {
    struct backend *(*open)(const struct store_options *options, struct error *e);
    void (*close)(struct backend *b);

    /* One batch: begin, run each write (false: `e` filled, its own changes are undone, others stay), commit. When commit
     * fails nothing of the batch has happened. */
    bool (*begin)(struct backend *b, struct error *e);
    bool (*run)(struct backend *b, struct store_write *write, struct error *e);
    bool (*commit)(struct backend *b, struct error *e);
    void (*idle)(struct backend *b); /* nothing was written for a while: time for housekeeping */

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
    bool (*restore)(const char *file, const char *data_dir, struct error *e);
    bool (*read)(struct backend *b, struct store_read *read, struct error *e); /* the questions of store_web.h */
};

extern const struct backend_ops sqlite_backend;

#endif
