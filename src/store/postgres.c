/* postgres.c - connections, statements and transactions of the PostgreSQL backend.
 *
 * One connection writes (the store's writer thread), one carries the heartbeat, one holds the lock of the node that sends
 * webhooks, a small pool does the rest. A broken connection is made anew by whoever needs it next. While the server cannot
 * be reached only the writer and the heartbeat try, once per pause, and pauses grow to 2 s; everybody else, the HTTP thread
 * first of all, is told so at once.
 *
 * The one thing that cannot be tried again blindly is a COMMIT whose answer never came. Every transaction writes its number
 * into this process's row of `commits`; the number found there afterwards tells what became of it, on the same server or
 * on the standby that took over. (The server's own numbers of transactions do not: those it lost it gives again.) That is
 * asked for as long as a lease lasts. Only after that the batch counts as failed, and this process stops being the node it
 * was: what it may have written without knowing then belongs to nobody and runs elsewhere. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/postgres_internal.h"
#include "store/store_nodes.h"

enum {
    PAUSE_FIRST_MS = 50,
    PAUSE_MAX_MS = 2000,
    PARAMETERS_MAX = 16,
    DOUBT_PAUSE_MS = 100,
};

static const struct { const char *types, *sql; } statements[PG_COUNT] = {
#define X(name, types, sql) [PG_##name] = {types, sql},
    PG_TABLE(X)
#undef X
};

/* ---- errors --------------------------------------------------------------------------------------------------------- */

/* Neither the server going away nor a standby that was the primary a moment ago is a state to go on in. Nor is a statement
 * that was not answered, as libpq's memory may have ended: it may have been sent or not, a transaction be open or a name
 * taken. */
static bool connection_useless(const struct pg_connection *c)
{
    return !c->db || PQstatus(c->db) != CONNECTION_OK || !c->sqlstate[0] || !strncmp(c->sqlstate, "57P", 3) ||
           !strcmp(c->sqlstate, "25006");
}

/* libpq's message on one line. */
static void one_line(const char *message, char *out, size_t size)
{
    size_t n = 0;
    for (const char *p = message ? message : ""; *p && n + 1 < size; p++) out[n++] = *p == '\n' ? ' ' : *p;
    while (n > 0 && out[n - 1] == ' ') n--;
    out[n] = '\0';
}

bool pg_fail(struct pg_connection *c, const PGresult *result, struct error *e)
{
    char said[320];
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    snprintf(c->sqlstate, sizeof c->sqlstate, "%s", state ? state : "");
    one_line(result && state ? PQresultErrorMessage(result) : PQerrorMessage(c->db), said, sizeof said);
    bool bad_value = !strncmp(c->sqlstate, "22", 2);
    if (c->owner->opened) log_warn(NULL, "store: PostgreSQL refused", LOG_STR("sqlstate", c->sqlstate), LOG_STR("error", said));
    if (bad_value) error_set(e, ERR_INVALID_VALUE, "", "the store cannot hold one of these values");
    else if (c->owner->opened) error_set(e, ERR_STORE_UNAVAILABLE, "", "the store does not answer; try again");
    else error_set(e, ERR_STORE_UNAVAILABLE, "", "PostgreSQL: %s", said);
    if (!bad_value) e->retry_after_s = 1;
    if (connection_useless(c)) pg_disconnect(c);
    return false;
}

bool pg_may_retry(const struct pg_connection *c) { return !strncmp(c->sqlstate, "40", 2) || !strcmp(c->sqlstate, "55P03"); }

/* ---- connections ------------------------------------------------------------------------------------------------------ */

void pg_disconnect(struct pg_connection *c)
{
    if (c->db) PQfinish(c->db);
    c->db = NULL;
    c->in_transaction = c->holds_lock = c->asynchronous = false;
    memset(c->prepared, 0, sizeof c->prepared);
}

static void pause_longer(struct backend *b)
{
    int ms = atomic_load(&b->down_ms) * 2;
    if (ms < PAUSE_FIRST_MS) ms = PAUSE_FIRST_MS;
    if (ms > PAUSE_MAX_MS) ms = PAUSE_MAX_MS;
    atomic_store(&b->down_ms, ms);
    atomic_store(&b->down_until_ns, clock_monotonic_ns() + ms * NS_PER_MS);
}

/* Every statement finds its rows by an index, one by one: plans are made once, and never by what a table held just then. */
static bool set_up(struct pg_connection *c, struct error *e)
{
    static const char settings[] =
        "SET client_encoding = 'UTF8'; SET statement_timeout = '10s'; SET lock_timeout = '5s'; SET jit = off;"
        "SET idle_in_transaction_session_timeout = '30s'; SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off;"
        "SET enable_mergejoin = off; SET enable_hashjoin = off; SET client_min_messages = 'error';";
    return pg_exec(c, settings, e) &&
           pg_exec(c, c->owner->synchronous ? "SET synchronous_commit = on" : "SET synchronous_commit = off", e);
}

bool pg_connect(struct pg_connection *c, struct error *e)
{
    /* What stands before dbname is a default, which the URL may change. A machine that vanished is given up within 15 s. */
    static const char *const keys[] = {"application_name", "connect_timeout", "tcp_user_timeout", "keepalives_idle",
                                       "keepalives_interval", "keepalives_count", "target_session_attrs", "dbname", NULL};
    const char *values[] = {"refractr", "3", "10000", "6", "3", "3", "read-write", c->owner->url, NULL};
    struct backend *b = c->owner;
    if (c->db) return true;
    bool others_try = !c->probes && atomic_load(&b->beats) && atomic_load(&b->down_ms) > 0;
    if (others_try || clock_monotonic_ns() < atomic_load(&b->down_until_ns)) {
        error_set(e, ERR_STORE_UNAVAILABLE, "", "the store cannot be reached; try again");
        e->retry_after_s = 1;
        return false;
    }
    c->db = PQconnectdbParams(keys, values, 1);
    bool ok = c->db && PQstatus(c->db) == CONNECTION_OK;
    if (!ok) pg_fail(c, NULL, e);
    if (ok && !set_up(c, e)) ok = false;
    if (!ok) {
        pg_disconnect(c);
        pause_longer(b);
        return false;
    }
    if (atomic_exchange(&b->down_ms, 0) > 0) log_info(NULL, "store: PostgreSQL is back");
    return true;
}

struct pg_connection *pg_reader_take(struct backend *b, struct error *e)
{
    pthread_mutex_lock(&b->lock);
    while (!b->idle_readers) pthread_cond_wait(&b->returned, &b->lock);
    struct pg_connection *c = b->idle_readers;
    b->idle_readers = c->next;
    pthread_mutex_unlock(&b->lock);
    if (pg_connect(c, e)) return c;
    pg_reader_return(b, c);
    return NULL;
}

void pg_reader_return(struct backend *b, struct pg_connection *c)
{
    pthread_mutex_lock(&b->lock);
    c->next = b->idle_readers;
    b->idle_readers = c;
    pthread_cond_signal(&b->returned);
    pthread_mutex_unlock(&b->lock);
}

/* ---- statements --------------------------------------------------------------------------------------------------------- */

struct parameters {
    const char *values[PARAMETERS_MAX];
    int lengths[PARAMETERS_MAX], formats[PARAMETERS_MAX];
    Oid types[PARAMETERS_MAX];
    unsigned char integers[PARAMETERS_MAX][8];
    int count;
};

static bool put_parameter(struct parameters *p, char type, va_list *args)
{
    static const struct { char letter; Oid oid; } types[] = {{'t', 25},   {'i', 20},   {'b', 17},
                                                             {'T', 1009}, {'I', 1016}, {'B', 1001}};
    int at = p->count++;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (types[i].letter == type) p->types[at] = types[i].oid;
    p->formats[at] = type != 't';
    if (type == 't') {
        p->values[at] = va_arg(*args, const char *);
    } else if (type == 'i') {
        pg_put_i64(p->integers[at], va_arg(*args, int64_t));
        p->values[at] = (const char *)p->integers[at];
        p->lengths[at] = 8;
    } else if (type == 'b') {
        p->values[at] = va_arg(*args, const char *);
        p->lengths[at] = va_arg(*args, int);
    } else {
        struct pg_array *a = va_arg(*args, struct pg_array *);
        if (!pg_array_finish(a, (char)(type - 'A' + 'a'))) return false;
        p->values[at] = (const char *)a->bytes;
        p->lengths[at] = (int)a->used;
    }
    return true;
}

static bool read_parameters(struct parameters *p, const char *types, va_list *args, struct error *e)
{
    p->count = 0;
    for (const char *t = types; *t; t++) {
        if (!put_parameter(p, *t, args)) return error_set(e, ERR_STORE_UNAVAILABLE, "", "out of memory");
    }
    return true;
}

static bool result_ok(const PGresult *r)
{
    return PQresultStatus(r) == PGRES_TUPLES_OK || PQresultStatus(r) == PGRES_COMMAND_OK;
}

static PGresult *run_once(struct pg_connection *c, enum pg_statement which, const struct parameters *p, struct error *e)
{
    char name[16];
    PGresult *r;
    snprintf(name, sizeof name, "s%d", (int)which);
    if (!c->prepared[which]) {
        r = PQprepare(c->db, name, statements[which].sql, p->count, p->types);
        bool ok = PQresultStatus(r) == PGRES_COMMAND_OK;
        if (!ok) pg_fail(c, r, e);
        PQclear(r);
        if (!ok) return NULL;
        c->prepared[which] = true;
    }
    r = PQexecPrepared(c->db, name, p->count, p->values, p->lengths, p->formats, 0);
    if (result_ok(r)) return r;
    pg_fail(c, r, e);
    PQclear(r);
    return NULL;
}

static PGresult *query(struct pg_connection *c, enum pg_statement which, struct error *e, va_list *args)
{
    struct parameters p;
    if (!read_parameters(&p, statements[which].types, args, e)) return NULL;
    bool alone = !c->in_transaction;
    c->sqlstate[0] = '\0';
    if (!c->db && (!alone || !pg_connect(c, e))) {
        return alone ? NULL : (error_set(e, ERR_STORE_UNAVAILABLE, "", "the store's connection broke; try again"), NULL);
    }
    PGresult *r = run_once(c, which, &p, e);
    if (r || c->db || !alone) return r;
    return pg_connect(c, e) ? run_once(c, which, &p, e) : NULL; /* it had been lying there broken */
}

PGresult *pg_query(struct pg_connection *c, enum pg_statement which, struct error *e, ...)
{
    va_list args;
    va_start(args, e);
    PGresult *r = query(c, which, e, &args);
    va_end(args);
    return r;
}

bool pg_run(struct pg_connection *c, int *changes, struct error *e, enum pg_statement which, ...)
{
    va_list args;
    va_start(args, which);
    PGresult *r = query(c, which, e, &args);
    va_end(args);
    if (r && changes) *changes = (int)strtol(PQcmdTuples(r), NULL, 10);
    PQclear(r);
    return r != NULL;
}

bool pg_run_returning(struct pg_connection *c, int64_t *value, bool *found, struct error *e, enum pg_statement which, ...)
{
    va_list args;
    va_start(args, which);
    PGresult *r = query(c, which, e, &args);
    va_end(args);
    *found = r && PQntuples(r) > 0;
    if (*found) *value = pg_i64(r, 0, 0);
    PQclear(r);
    return r != NULL;
}

bool pg_exec(struct pg_connection *c, const char *sql, struct error *e)
{
    PGresult *r = PQexec(c->db, sql);
    bool ok = result_ok(r);
    if (!ok) pg_fail(c, r, e);
    PQclear(r);
    return ok;
}

int64_t pg_i64(const PGresult *r, int row, int column)
{
    return PQgetisnull(r, row, column) ? 0 : strtoll(PQgetvalue(r, row, column), NULL, 10);
}

const char *pg_text(const PGresult *r, int row, int column)
{
    return PQgetisnull(r, row, column) ? NULL : PQgetvalue(r, row, column);
}

void pg_copy(const PGresult *r, int row, int column, char *out, size_t size)
{
    const char *text = pg_text(r, row, column);
    snprintf(out, size, "%s", text ? text : "");
}

size_t pg_copy_bytes(const PGresult *r, int row, int column, unsigned char *out, size_t size)
{
    size_t count = 0;
    unsigned char *bytes = PQgetisnull(r, row, column)
                               ? NULL
                               : PQunescapeBytea((const unsigned char *)PQgetvalue(r, row, column), &count);
    if (bytes) memcpy(out, bytes, count < size ? count : size);
    PQfreemem(bytes);
    return count;
}

/* ---- transactions ------------------------------------------------------------------------------------------------------- */

bool pg_begin(struct pg_connection *c, struct error *e)
{
    c->number++;
    c->in_doubt = false;
    c->sqlstate[0] = '\0';
    if (!pg_connect(c, e)) return false;
    bool ok = pg_exec(c, "BEGIN", e);
    if (!ok && !c->db) ok = pg_connect(c, e) && pg_exec(c, "BEGIN", e); /* it had been lying there broken */
    c->in_transaction = ok;
    return ok;
}

bool pg_commit(struct pg_connection *c, struct error *e)
{
    if (!c->db) return error_set(e, ERR_STORE_UNAVAILABLE, "", "the store's connection broke; try again");
    PGresult *r = PQexec(c->db, "COMMIT");
    bool ok = PQresultStatus(r) == PGRES_COMMAND_OK && !strcmp(PQcmdStatus(r), "COMMIT");
    bool answered = ok || (r && PQresultErrorField(r, PG_DIAG_SQLSTATE)) || PQresultStatus(r) == PGRES_COMMAND_OK;
    if (!ok) pg_fail(c, r, e);
    PQclear(r);
    c->in_transaction = false;
    /* An administrator's shutdown may be told after the commit was done. */
    c->in_doubt = !ok && (!answered || !strncmp(c->sqlstate, "57P", 3));
    return ok;
}

void pg_rollback(struct pg_connection *c)
{
    struct error ignored;
    if (c->db && c->in_transaction && !pg_exec(c, "ROLLBACK", &ignored)) pg_disconnect(c);
    c->in_transaction = false;
}

bool pg_settle_doubt(struct pg_connection *c, struct error *e)
{
    const struct timespec pause = {.tv_nsec = DOUBT_PAUSE_MS * NS_PER_MS};
    int64_t until_ns = clock_monotonic_ns() + STORE_LEASE_S * NS_PER_S;
    c->in_doubt = false;
    while (clock_monotonic_ns() < until_ns) {
        struct error ignored;
        int64_t last;
        bool found;
        if (pg_run_returning(c, &last, &found, &ignored, PG_COMMIT_LAST, c->owner->process) && found)
            return last == c->number || error_set(e, ERR_STORE_UNAVAILABLE, "", "the store's connection broke; try again");
        (void)nanosleep(&pause, NULL);
    }
    atomic_store(&c->owner->node, 0);
    log_error(NULL, "store: what became of a commit is not known");
    uuid_make(c->owner->process); /* the row may be held by that transaction for long */
    pg_disconnect(c);
    return false;
}

/* ---- opening -------------------------------------------------------------------------------------------------------------- */

static void backend_close(struct backend *b)
{
    for (int i = 0; i < PG_READERS_MAX; i++) pg_disconnect(&b->readers[i]);
    pg_disconnect(&b->writer);
    pg_disconnect(&b->sender);
    pg_disconnect(&b->pulse);
    pthread_cond_destroy(&b->returned);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

/* The database must keep what it is given: every character, and the order of bytes of an index. */
static bool check_encoding(struct pg_connection *c, struct error *e)
{
    const char *encoding = PQparameterStatus(c->db, "server_encoding");
    if (encoding && !strcmp(encoding, "UTF8")) return true;
    return error_set(e, ERR_STORE_UNAVAILABLE, "", "the database's encoding is %s; make one with encoding UTF8",
                     encoding ? encoding : "unknown");
}

static struct backend *backend_new(const struct store_options *options, struct error *e)
{
    if (strlen(options->url) >= PG_URL_CHARS) return error_set(e, ERR_STORE_UNAVAILABLE, "", "--store is too long"), NULL;
    struct backend *b = calloc(1, sizeof *b);
    if (!b) return error_set(e, ERR_STORE_UNAVAILABLE, "", "out of memory"), NULL;
    snprintf(b->url, sizeof b->url, "%s", options->url);
    uuid_make(b->process);
    b->synchronous = options->durability == DURABILITY_FULL;
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->returned, NULL);
    b->writer.owner = b->sender.owner = b->pulse.owner = b;
    b->writer.probes = b->pulse.probes = true;
    for (int i = 0; i < PG_READERS_MAX; i++) {
        b->readers[i].owner = b;
        pg_reader_return(b, &b->readers[i]);
    }
    if (pg_connect(&b->writer, e) && check_encoding(&b->writer, e)) return b;
    backend_close(b);
    return NULL;
}

static struct backend *backend_open(const struct store_options *options, struct error *e)
{
    struct backend *b = backend_new(options, e);
    if (!b || postgres_schema_check(&b->writer, options->create, e)) {
        if (b) b->opened = true;
        return b;
    }
    backend_close(b);
    return NULL;
}

static bool backend_migrate(const struct store_options *options, int *from, int *to, struct error *e)
{
    struct backend *b = backend_new(options, e);
    bool ok = b && postgres_migrate(&b->writer, from, to, e);
    if (b) backend_close(b);
    return ok;
}

/* The server does that by itself. */
static bool keep_house(struct backend *b, bool thorough) { return (void)b, (void)thorough, true; }

const struct backend_ops postgres_backend = {
    .open = backend_open,
    .migrate = backend_migrate,
    .close = backend_close,
    .batch = postgres_batch,
    .keep_house = keep_house,
    .account_read = postgres_account_read,
    .key_find = postgres_key_find,
    .job_read = postgres_job_read,
    .accounts = postgres_accounts,
    .keys = postgres_keys,
    .pending_jobs = postgres_pending_jobs,
    .ping = postgres_ping,
    .audit = postgres_audit,
    .read = postgres_read,
    .nodes = &postgres_node_ops,
};
