/* postgres_internal.h - what the files of the PostgreSQL backend share: connections, statements, errors.
 *
 *     postgres.c         connections, statements, transactions        postgres_schema.c  the schema's steps, migrating
 *     postgres_sql.h     the SQL, one row per statement               postgres_array.c   a column of a batch as one value
 *     postgres_batch.c   the job's verbs, many writes a statement     postgres_write.c   the other verbs, one by one
 *     postgres_read.c    reads        postgres_web.c  the web side    postgres_nodes.c   what several nodes share       */
#ifndef REFRACTR_STORE_POSTGRES_INTERNAL_H
#define REFRACTR_STORE_POSTGRES_INTERNAL_H

#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/uuid.h"
#include "store/backend.h"
#include "store/postgres_sql.h"

enum pg_statement {
#define X(name, types, sql) PG_##name,
    PG_TABLE(X)
#undef X
    PG_COUNT
};

struct pg_connection {
    struct backend *owner;
    PGconn *db;                /* NULL: not connected */
    bool probes;               /* tries a server that could not be reached; the others wait until it succeeded */
    bool in_transaction;
    bool in_doubt;             /* the connection broke while a commit was under way */
    bool prepared[PG_COUNT];   /* when first needed, kept as long as the connection */
    bool holds_lock;           /* of the node that sends webhooks */
    bool asynchronous;         /* its commits do not wait for the disk */
    int64_t number;            /* of the transaction under way, as it stands in `commits` */
    char sqlstate[6];          /* of the last error, "" when there was none or the connection broke */
    struct pg_connection *next; /* in the pool of readers */
};

enum { PG_READERS_MAX = 6, PG_URL_CHARS = 4000 };

struct backend {
    char url[PG_URL_CHARS];
    bool synchronous;          /* commits wait for the server's disk */
    char process[UUID_CHARS + 1]; /* this one, in `commits` */
    bool opened;               /* from then on an error's details go to the log, not to whoever asks */
    struct pg_connection writer;
    struct pg_connection sender; /* holds the lock of the node that sends webhooks */
    struct pg_connection pulse;  /* the heartbeat's */
    atomic_bool beats;           /* there is a heartbeat: it and the writer find out when a lost server is back */
    atomic_llong node;         /* this process in `nodes`; 0: not among them */
    atomic_llong down_until_ns; /* monotonic: no new connection is tried before */
    atomic_int down_ms;        /* length of the last such pause */
    pthread_mutex_t lock;      /* guards the pool */
    pthread_cond_t returned;
    struct pg_connection readers[PG_READERS_MAX], *idle_readers;
};

/* ---- postgres.c ---------------------------------------------------------------------------------------------------- */

/* A value per letter of the statement's types: t text or NULL, i int64_t, b blob (pointer, int; NULL: null), T I B one
 * struct pg_array * each. NULL: `e` filled. Outside of a transaction a connection found broken is made anew, once. */
PGresult *pg_query(struct pg_connection *c, enum pg_statement which, struct error *e, ...)
    __attribute__((warn_unused_result));
/* The same for who wants no rows; `changes` may be NULL. */
bool pg_run(struct pg_connection *c, int *changes, struct error *e, enum pg_statement which, ...)
    __attribute__((warn_unused_result));
/* The single value of the one row there may be. */
bool pg_run_returning(struct pg_connection *c, int64_t *value, bool *found, struct error *e, enum pg_statement which, ...)
    __attribute__((warn_unused_result));
bool pg_exec(struct pg_connection *c, const char *sql, struct error *e) __attribute__((warn_unused_result));
/* Fills `e` from the connection's (or the result's, may be NULL) error; drops a connection that is of no more use. */
bool pg_fail(struct pg_connection *c, const PGresult *result, struct error *e);
bool pg_connect(struct pg_connection *c, struct error *e) __attribute__((warn_unused_result));
void pg_disconnect(struct pg_connection *c);

bool pg_begin(struct pg_connection *c, struct error *e) __attribute__((warn_unused_result));
/* False: nothing of the transaction has happened, or (c->in_doubt) it is not known; pg_settle_doubt finds out. */
bool pg_commit(struct pg_connection *c, struct error *e) __attribute__((warn_unused_result));
void pg_rollback(struct pg_connection *c);
/* Asks the server, for as long as a lease lasts, what became of the commit. True: it was committed. */
bool pg_settle_doubt(struct pg_connection *c, struct error *e) __attribute__((warn_unused_result));
/* Another transaction was in the way (a deadlock, a conflict): the same again may well succeed. */
bool pg_may_retry(const struct pg_connection *c);

int64_t pg_i64(const PGresult *r, int row, int column);                       /* NULL: 0 */
const char *pg_text(const PGresult *r, int row, int column);                  /* borrowed from `r`; NULL: NULL */
void pg_copy(const PGresult *r, int row, int column, char *out, size_t size); /* NULL: "" */
/* Bytes of a bytea column into `out`, up to `size`; how many there were. */
size_t pg_copy_bytes(const PGresult *r, int row, int column, unsigned char *out, size_t size);

struct pg_connection *pg_reader_take(struct backend *b, struct error *e) __attribute__((warn_unused_result));
void pg_reader_return(struct backend *b, struct pg_connection *c);

/* ---- postgres_array.c ---------------------------------------------------------------------------------------------- */

struct pg_array {           /* one column of many writes, in the server's binary format; zeroed to begin with */
    unsigned char *bytes;
    size_t used, size;
    int count;
    bool failed;            /* no memory: the statement will not run */
};
void pg_array_bytes(struct pg_array *a, const void *bytes, size_t count); /* NULL: null */
void pg_array_text(struct pg_array *a, const char *text);                 /* cut before the first byte that is not UTF-8 */
void pg_array_i64(struct pg_array *a, int64_t value);
/* Puts the array's head in front; `type` is t, i or b. False: no memory. */
bool pg_array_finish(struct pg_array *a, char type);
void pg_array_free(struct pg_array *a);
void pg_put_i64(unsigned char out[8], int64_t value);

/* ---- verbs and questions --------------------------------------------------------------------------------------------- */

bool postgres_batch(struct backend *b, struct store_write **batch, struct error *e);
/* Settles the list of job settlements (linked by next) inside the transaction under way. */
bool postgres_settle_all(struct pg_connection *c, struct store_write *settles, struct error *e);
/* Locks the accounts of settlements, as every transaction does that touches several. */
bool postgres_lock_settled(struct pg_connection *c, struct store_write *settles, struct error *e);
/* A verb that is not one of the job's, inside a transaction of its own. */
bool postgres_run(struct pg_connection *c, struct store_write *write, struct error *e);

bool postgres_require_account(struct pg_connection *c, const char *account_id, struct error *e);
bool postgres_ledger_add(struct pg_connection *c, const char *account_id, int64_t amount, const char *kind,
                         const char *note, int64_t now_ms, int64_t *entry, struct error *e);

bool postgres_signup(struct pg_connection *c, struct store_write *write, struct error *e);
bool postgres_link_create(struct pg_connection *c, struct store_write *write, struct error *e);
bool postgres_session_open(struct pg_connection *c, struct store_write *write, struct error *e);
bool postgres_session_touch(struct pg_connection *c, struct store_write *write, struct error *e);
bool postgres_session_close(struct pg_connection *c, struct store_write *write, struct error *e);
bool postgres_password_set(struct pg_connection *c, struct store_write *write, struct error *e);
bool postgres_key_rotate(struct pg_connection *c, struct store_write *write, struct error *e);
bool postgres_purchase(struct pg_connection *c, struct store_write *write, struct error *e);
bool postgres_refund(struct pg_connection *c, struct store_write *write, struct error *e);
bool postgres_invoice(struct pg_connection *c, struct store_write *write, struct error *e);
bool postgres_endpoint_create(struct pg_connection *c, struct store_write *write, struct error *e);
bool postgres_endpoint_delete(struct pg_connection *c, struct store_write *write, struct error *e);
bool postgres_endpoint_test(struct pg_connection *c, struct store_write *write, struct error *e);
bool postgres_delivery_result(struct pg_connection *c, struct store_write *write, struct error *e);

bool postgres_account_read(struct backend *b, const char *account_id, struct store_account *out, struct error *e);
bool postgres_key_find(struct backend *b, const unsigned char *hash, struct store_key *out, struct error *e);
bool postgres_job_read(struct backend *b, const char *account_id, const char *id, struct store_job *out, struct error *e);
bool postgres_accounts(struct backend *b, store_account_visit visit, void *arg, struct error *e);
bool postgres_keys(struct backend *b, const char *account_id, store_key_visit visit, void *arg, struct error *e);
bool postgres_pending_jobs(struct backend *b, store_pending_visit visit, void *arg, struct error *e);
bool postgres_ping(struct backend *b, struct error *e);
bool postgres_audit(struct backend *b, struct error *e);
bool postgres_read(struct backend *b, struct store_read *read, struct error *e);
void postgres_fill_account(const PGresult *r, int row, int column, struct store_account *out);
void postgres_fill_job(const PGresult *r, int row, struct store_job *out); /* result is malloc'd */
bool postgres_visit_open_jobs(const PGresult *r, store_pending_visit visit, void *arg, struct error *e);

extern const struct node_ops postgres_node_ops; /* postgres_nodes.c */

/* postgres_schema.c. Brings the database to this program's schema; `from` and `to` may be NULL. */
bool postgres_migrate(struct pg_connection *c, int *from, int *to, struct error *e) __attribute__((warn_unused_result));
/* Is it this program's schema? An empty database is given one when `create` is set. */
bool postgres_schema_check(struct pg_connection *c, bool create, struct error *e) __attribute__((warn_unused_result));

#endif
