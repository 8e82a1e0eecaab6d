/* sqlite_read.c - reads, over the pool of read-only connections. */
#include <stdlib.h>
#include <string.h>

#include "store/sqlite_internal.h"

void sqlite_fill_account(sqlite3_stmt *s, void *out)
{
    struct store_account *a = out;
    sql_copy_text(s, 0, a->id, sizeof a->id);
    sql_copy_text(s, 1, a->name, sizeof a->name);
    a->balance = sqlite3_column_int64(s, 2);
    a->held = sqlite3_column_int64(s, 3);
    a->created_ms = sqlite3_column_int64(s, 4);
}

static void fill_key(sqlite3_stmt *s, void *out)
{
    struct store_key *k = out;
    k->id = sqlite3_column_int64(s, 0);
    sql_copy_text(s, 1, k->account_id, sizeof k->account_id);
    sql_copy_text(s, 2, k->name, sizeof k->name);
    sql_copy_text(s, 3, k->prefix, sizeof k->prefix);
    memset(k->hash, 0, sizeof k->hash);
    if (sqlite3_column_bytes(s, 4) == sizeof k->hash) memcpy(k->hash, sqlite3_column_blob(s, 4), sizeof k->hash);
    k->created_ms = sqlite3_column_int64(s, 5);
    k->last_used_ms = sqlite3_column_int64(s, 6);
    k->revoked_ms = sqlite3_column_int64(s, 7);
}

void sqlite_fill_job(sqlite3_stmt *s, void *out)
{
    struct store_job *j = out;
    *j = (struct store_job){.state = (enum store_job_state)sqlite3_column_int(s, 1)};
    sql_copy_text(s, 0, j->id, sizeof j->id);
    j->created_ms = sqlite3_column_int64(s, 2);
    j->finished_ms = sqlite3_column_int64(s, 3);
    j->latency_ms = sqlite3_column_int64(s, 4);
    j->credits_charged = sqlite3_column_int(s, 5);
    const char *result = (const char *)sqlite3_column_text(s, 6);
    j->result = result ? strdup(result) : NULL;
    if (j->state != STORE_FAILED) return;
    const char *code = (const char *)sqlite3_column_text(s, 7);
    j->error.code = error_code_parse(code ? code : "");
    sql_copy_text(s, 8, j->error.param, sizeof j->error.param);
    sql_copy_text(s, 9, j->error.message, sizeof j->error.message);
}

/* Runs `s` on `c` for one row; not_found is the error when there is none. Takes c back into the pool. */
bool sqlite_read_one(struct backend *b, struct connection *c, sqlite3_stmt *s, fill_row fill, void *out,
                     enum error_code not_found, struct error *e)
{
    int rc = s ? sql_step(c, s, e) : SQLITE_ERROR;
    if (rc == SQLITE_ROW) fill(s, out);
    if (s) sql_end(s);
    reader_return(b, c);
    if (rc == SQLITE_DONE) return error_set(e, not_found, "", "there is no such thing");
    return rc == SQLITE_ROW;
}

bool sqlite_account_read(struct backend *b, const char *account_id, struct store_account *out, struct error *e)
{
    struct connection *c = reader_take(b, e);
    return c && sqlite_read_one(b, c, sql_bind(c, SQL_ACCOUNT_GET, e, "t", account_id), sqlite_fill_account, out, ERR_NOT_FOUND, e);
}

bool sqlite_key_find(struct backend *b, const unsigned char *hash, struct store_key *out, struct error *e)
{
    struct connection *c = reader_take(b, e);
    return c && sqlite_read_one(b, c, sql_bind(c, SQL_KEY_FIND, e, "b", hash, STORE_HASH_BYTES), fill_key, out, ERR_NOT_FOUND, e);
}

bool sqlite_job_read(struct backend *b, const char *account_id, const char *id, struct store_job *out, struct error *e)
{
    struct connection *c = reader_take(b, e);
    return c && sqlite_read_one(b, c, sql_bind(c, SQL_JOB_GET, e, "tt", id, account_id), sqlite_fill_job, out, ERR_JOB_NOT_FOUND, e);
}

static void fill_nothing(sqlite3_stmt *s, void *out) { (void)s, (void)out; }

bool sqlite_ping(struct backend *b, struct error *e)
{
    struct connection *c = reader_take(b, e);
    return c && (sqlite_read_one(b, c, sql_bind(c, SQL_PING, e, ""), fill_nothing, NULL, ERR_NOT_FOUND, e) ||
                 e->code == ERR_NOT_FOUND); /* no account yet is an answer too */
}

bool sqlite_accounts(struct backend *b, store_account_visit visit, void *arg, struct error *e)
{
    struct connection *c = reader_take(b, e);
    if (!c) return false;
    sqlite3_stmt *s = sql_bind(c, SQL_ACCOUNT_LIST, e, "");
    struct store_account account;
    int rc = s ? SQLITE_ROW : SQLITE_ERROR;
    while (rc == SQLITE_ROW && (rc = sql_step(c, s, e)) == SQLITE_ROW) {
        sqlite_fill_account(s, &account);
        if (!visit(arg, &account)) rc = SQLITE_DONE;
    }
    if (s) sql_end(s);
    reader_return(b, c);
    return rc == SQLITE_DONE;
}

bool sqlite_keys(struct backend *b, const char *account_id, store_key_visit visit, void *arg, struct error *e)
{
    struct connection *c = reader_take(b, e);
    if (!c) return false;
    sqlite3_stmt *s = sql_bind(c, SQL_KEY_LIST, e, "t", account_id);
    struct store_key key;
    int rc = s ? SQLITE_ROW : SQLITE_ERROR;
    while (rc == SQLITE_ROW && (rc = sql_step(c, s, e)) == SQLITE_ROW) {
        fill_key(s, &key);
        if (!visit(arg, &key)) rc = SQLITE_DONE;
    }
    if (s) sql_end(s);
    reader_return(b, c);
    return rc == SQLITE_DONE;
}

static void fill_pending(sqlite3_stmt *s, struct store_pending_job *job)
{
    sql_copy_text(s, 0, job->id, sizeof job->id);
    sql_copy_text(s, 1, job->account_id, sizeof job->account_id);
    job->attempt = sqlite3_column_int(s, 2);
    job->details = sqlite3_column_int(s, 3) != 0;
    job->created_ms = sqlite3_column_int64(s, 4);
    job->template = (const char *)sqlite3_column_text(s, 5);
    job->text = sqlite3_column_blob(s, 6);
    job->text_bytes = (size_t)sqlite3_column_bytes(s, 6);
}

bool sqlite_pending_jobs(struct backend *b, store_pending_visit visit, void *arg, struct error *e)
{
    struct connection *c = reader_take(b, e);
    if (!c) return false;
    sqlite3_stmt *s = sql_bind(c, SQL_JOBS_OPEN, e, "");
    struct store_pending_job job;
    int rc = s ? SQLITE_ROW : SQLITE_ERROR;
    while (rc == SQLITE_ROW && (rc = sql_step(c, s, e)) == SQLITE_ROW) {
        fill_pending(s, &job);
        if (!visit(arg, &job)) rc = SQLITE_DONE;
    }
    if (s) sql_end(s);
    reader_return(b, c);
    return rc == SQLITE_DONE;
}

bool sqlite_audit_on(struct connection *c, struct error *e)
{
    sqlite3_stmt *s = sql_bind(c, SQL_AUDIT, e, "");
    int rc = s ? sql_step(c, s, e) : SQLITE_ERROR;
    if (rc == SQLITE_ROW) {
        error_set(e, ERR_INTERNAL, "", "account %s: balance %lld, ledger %lld, held %lld, unfinished jobs %lld",
                  sqlite3_column_text(s, 0), (long long)sqlite3_column_int64(s, 1),
                  (long long)sqlite3_column_int64(s, 2), (long long)sqlite3_column_int64(s, 3),
                  (long long)sqlite3_column_int64(s, 4));
    }
    if (s) sql_end(s);
    return rc == SQLITE_DONE;
}

bool sqlite_check_on(struct connection *c, struct error *e)
{
    sqlite3_stmt *s = sql_bind(c, SQL_CHECK, e, "");
    int rc = s ? sql_step(c, s, e) : SQLITE_ERROR;
    const char *says = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : NULL;
    bool whole = says && !strcmp(says, "ok");
    const char *last = says ? strrchr(says, '\n') : NULL; /* a heading may stand before it */
    if (says && !whole) error_set(e, ERR_STORE_UNAVAILABLE, "", "%s", last ? last + 1 : says);
    if (s) sql_end(s);
    return whole;
}

/* Asks on a connection of the pool. */
static bool on_reader(struct backend *b, bool (*ask)(struct connection *c, struct error *e), struct error *e)
{
    struct connection *c = reader_take(b, e);
    if (!c) return false;
    bool ok = ask(c, e);
    reader_return(b, c);
    return ok;
}

bool sqlite_audit(struct backend *b, struct error *e) { return on_reader(b, sqlite_audit_on, e); }

bool sqlite_check(struct backend *b, struct error *e) { return on_reader(b, sqlite_check_on, e); }
