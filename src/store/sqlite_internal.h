/* sqlite_internal.h - what the files of the SQLite backend share: connections, statements, errors.
 *
 *     sqlite.c        open, schema, transactions, connections      sqlite_write.c  one function per verb
 *     sqlite_sql.h    the SQL, one row per statement               sqlite_read.c   reads
 *     sqlite_backup.c copies of the database, and back
 *     sqlite_account.c, sqlite_billing.c, sqlite_webhook.c, sqlite_sql_web.h   the web side, as store_web.h has it    */
#ifndef REFRACTR_STORE_SQLITE_INTERNAL_H
#define REFRACTR_STORE_SQLITE_INTERNAL_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "store/backend.h"
#include "store/sqlite_sql.h"

enum statement {
#define X(name, sql) SQL_##name,
    SQL_TABLE(X)
#undef X
    SQL_COUNT
};

struct connection {
    sqlite3 *db;
    sqlite3_stmt *statements[SQL_COUNT]; /* prepared when first needed, kept */
    struct connection *next;             /* in the pool of readers */
};

enum { READERS_MAX = 4 };

struct backend {
    struct connection writer;
    bool service;
    int write_lock;     /* descriptor; flock'ed while this process writes or checkpoints */
    int service_lock;   /* descriptor, held as long as the service lives; -1 for a command */
    int wal_pages;      /* in the log after the last commit */
    char path[4096];

    bool syncing;       /* the syncer thread runs */
    pthread_t syncer;
    pthread_cond_t syncer_wake;
    int log_file;       /* descriptor of the write-ahead log, for fdatasync alone */
    atomic_bool unsynced;

    pthread_mutex_t lock; /* guards the pool and `closing` */
    bool closing;
    pthread_cond_t returned;
    struct connection readers[READERS_MAX], *idle_readers;
};

/* The statement, reset and with `types` bound from the arguments: t text or NULL, i int64_t, b blob (pointer, int).
 * NULL: `e` filled. */
sqlite3_stmt *sql_bind(struct connection *c, enum statement which, struct error *e, const char *types, ...)
    __attribute__((warn_unused_result));
/* Runs a statement that returns no row, and resets it. `changes` may be NULL. */
bool sql_run(struct connection *c, sqlite3_stmt *s, int *changes, struct error *e) __attribute__((warn_unused_result));
/* SQLITE_ROW, SQLITE_DONE, or SQLITE_ERROR with `e` filled. The caller resets with sql_end. */
int sql_step(struct connection *c, sqlite3_stmt *s, struct error *e) __attribute__((warn_unused_result));
void sql_end(sqlite3_stmt *s);
bool sql_fail(struct connection *c, struct error *e);

/* Text of a column into a fixed buffer, cut at its end. */
void sql_copy_text(sqlite3_stmt *s, int column, char *out, size_t size);

bool connection_open(struct connection *c, const char *path, int flags, struct error *e) __attribute__((warn_unused_result));
void connection_close(struct connection *c);
/* An opened database's schema is one this program can bring up to date? `path` names it in the error. */
bool sqlite_schema_known(struct connection *c, const char *path, struct error *e) __attribute__((warn_unused_result));

/* A data folder no service and no command can use meanwhile; made when missing. */
struct folder {
    int write_lock, service_lock; /* as in struct backend */
    char database[4096];          /* path of refractr.db, there or not */
};
bool folder_claim(struct folder *folder, const char *dir, struct error *e) __attribute__((warn_unused_result));
void folder_let_go(struct folder *folder);

struct connection *reader_take(struct backend *b, struct error *e) __attribute__((warn_unused_result));
void reader_return(struct backend *b, struct connection *c);

/* sqlite_write.c. Runs a statement with RETURNING that touches one row at most, `found` tells; the caller ends it. */
bool sql_step_row(struct connection *c, sqlite3_stmt *s, bool *found, struct error *e);
/* The same, for the single value it gives back; ends it. */
bool sql_run_returning(struct connection *c, sqlite3_stmt *s, int64_t *value, bool *found, struct error *e);
bool sqlite_require_account(struct connection *c, const char *account_id, struct error *e);
bool sqlite_ledger_add(struct connection *c, const char *account_id, int64_t amount, const char *kind,
                       const char *job_id, const char *note, int64_t now_ms, struct error *e);

/* sqlite_read.c. Runs `s` on `c` for one row; not_found is the error when there is none. Takes c back into the pool. */
typedef void (*fill_row)(sqlite3_stmt *s, void *out);
bool sqlite_read_one(struct backend *b, struct connection *c, sqlite3_stmt *s, fill_row fill, void *out,
                     enum error_code not_found, struct error *e);
void sqlite_fill_account(sqlite3_stmt *s, void *out); /* columns 0 to 4 of ACCOUNT_GET */
void sqlite_fill_job(sqlite3_stmt *s, void *out);     /* columns of JOB_GET; result is malloc'd */

/* sqlite_account.c, sqlite_billing.c, sqlite_webhook.c: verbs and questions of store_web.h */
bool sqlite_signup(struct connection *c, struct store_write *write, struct error *e);
bool sqlite_link_create(struct connection *c, struct store_write *write, struct error *e);
bool sqlite_session_open(struct connection *c, struct store_write *write, struct error *e);
bool sqlite_session_touch(struct connection *c, struct store_write *write, struct error *e);
bool sqlite_session_close(struct connection *c, struct store_write *write, struct error *e);
bool sqlite_password_set(struct connection *c, struct store_write *write, struct error *e);
bool sqlite_key_rotate(struct connection *c, struct store_write *write, struct error *e);
bool sqlite_purchase(struct connection *c, struct store_write *write, struct error *e);
bool sqlite_refund(struct connection *c, struct store_write *write, struct error *e);
bool sqlite_invoice(struct connection *c, struct store_write *write, struct error *e);
bool sqlite_endpoint_create(struct connection *c, struct store_write *write, struct error *e);
bool sqlite_endpoint_delete(struct connection *c, struct store_write *write, struct error *e);
bool sqlite_endpoint_test(struct connection *c, struct store_write *write, struct error *e);
bool sqlite_delivery_result(struct connection *c, struct store_write *write, struct error *e);
/* Within a job's settlement: counts it into the day's usage and queues the webhooks it is told to. */
bool sqlite_job_ended(struct connection *c, const struct store_job_settle *w, int64_t seq, const char *account_id,
                      struct error *e);
bool sqlite_read_user_by_email(struct backend *b, struct store_read *read, struct error *e);
bool sqlite_read_session(struct backend *b, struct store_read *read, struct error *e);
bool sqlite_read_usage(struct backend *b, struct store_read *read, struct error *e);
bool sqlite_read_recent_jobs(struct backend *b, struct store_read *read, struct error *e);
bool sqlite_read_ledger(struct backend *b, struct store_read *read, struct error *e);
bool sqlite_read_endpoints(struct backend *b, struct store_read *read, struct error *e);
bool sqlite_read_deliveries(struct backend *b, struct store_read *read, struct error *e);
bool sqlite_read_due(struct backend *b, struct store_read *read, struct error *e);
bool sqlite_read(struct backend *b, struct store_read *read, struct error *e);
/* Runs `s` on `c` row by row until `row` returns false. Takes c back into the pool. */
bool sqlite_read_rows(struct backend *b, struct connection *c, sqlite3_stmt *s, bool (*row)(sqlite3_stmt *s, void *arg),
                      void *arg, struct error *e);

bool sqlite_run(struct backend *b, struct store_write *write, struct error *e);
bool sqlite_account_read(struct backend *b, const char *account_id, struct store_account *out, struct error *e);
bool sqlite_key_find(struct backend *b, const unsigned char *hash, struct store_key *out, struct error *e);
bool sqlite_job_read(struct backend *b, const char *account_id, const char *id, struct store_job *out, struct error *e);
bool sqlite_accounts(struct backend *b, store_account_visit visit, void *arg, struct error *e);
bool sqlite_keys(struct backend *b, const char *account_id, store_key_visit visit, void *arg, struct error *e);
bool sqlite_pending_jobs(struct backend *b, store_pending_visit visit, void *arg, struct error *e);
bool sqlite_ping(struct backend *b, struct error *e);
bool sqlite_audit(struct backend *b, struct error *e);
bool sqlite_check(struct backend *b, struct error *e);
/* The same questions on a connection of the caller's. */
bool sqlite_audit_on(struct connection *c, struct error *e);
bool sqlite_check_on(struct connection *c, struct error *e);

/* sqlite_backup.c */
bool sqlite_backup(struct backend *b, const char *file, struct error *e);
bool sqlite_restore(const char *file, const char *data_dir, struct error *e);

#endif
