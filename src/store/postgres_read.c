/* postgres_read.c - reads, over the pool of connections. */
#include <stdlib.h>
#include <string.h>

#include "base/uuid.h"
#include "store/postgres_internal.h"

void postgres_fill_account(const PGresult *r, int row, int column, struct store_account *out)
{
    pg_copy(r, row, column, out->id, sizeof out->id);
    pg_copy(r, row, column + 1, out->name, sizeof out->name);
    out->balance = pg_i64(r, row, column + 2);
    out->held = pg_i64(r, row, column + 3);
    out->created_ms = pg_i64(r, row, column + 4);
}

static void fill_key(const PGresult *r, int row, struct store_key *k)
{
    *k = (struct store_key){.id = pg_i64(r, row, 0)};
    pg_copy(r, row, 1, k->account_id, sizeof k->account_id);
    pg_copy(r, row, 2, k->name, sizeof k->name);
    pg_copy(r, row, 3, k->prefix, sizeof k->prefix);
    pg_copy_bytes(r, row, 4, k->hash, sizeof k->hash);
    k->created_ms = pg_i64(r, row, 5);
    k->last_used_ms = pg_i64(r, row, 6);
    k->revoked_ms = pg_i64(r, row, 7);
}

void postgres_fill_job(const PGresult *r, int row, struct store_job *out)
{
    *out = (struct store_job){.state = (enum store_job_state)pg_i64(r, row, 1)};
    pg_copy(r, row, 0, out->id, sizeof out->id);
    out->created_ms = pg_i64(r, row, 2);
    out->finished_ms = pg_i64(r, row, 3);
    out->latency_ms = pg_i64(r, row, 4);
    out->credits_charged = (int)pg_i64(r, row, 5);
    const char *result = pg_text(r, row, 6);
    out->result = result ? strdup(result) : NULL;
    if (out->state != STORE_FAILED) return;
    const char *code = pg_text(r, row, 7);
    out->error.code = error_code_parse(code ? code : "");
    pg_copy(r, row, 8, out->error.param, sizeof out->error.param);
    pg_copy(r, row, 9, out->error.message, sizeof out->error.message);
}

/* True: one row. Otherwise `r` is let go and the error told. */
static bool one_row(PGresult *r, enum error_code not_found, struct error *e)
{
    if (r && PQntuples(r) == 1) return true;
    if (r) error_set(e, not_found, "", "there is no such thing");
    PQclear(r);
    return false;
}

bool postgres_account_read(struct backend *b, const char *account_id, struct store_account *out, struct error *e)
{
    struct pg_connection *c = pg_reader_take(b, e);
    if (!c) return false;
    PGresult *r = pg_query(c, PG_ACCOUNT_GET, e, account_id);
    pg_reader_return(b, c);
    if (!one_row(r, ERR_NOT_FOUND, e)) return false;
    postgres_fill_account(r, 0, 0, out);
    PQclear(r);
    return true;
}

bool postgres_key_find(struct backend *b, const unsigned char *hash, struct store_key *out, struct error *e)
{
    struct pg_connection *c = pg_reader_take(b, e);
    if (!c) return false;
    PGresult *r = pg_query(c, PG_KEY_FIND, e, hash, STORE_HASH_BYTES);
    pg_reader_return(b, c);
    if (!one_row(r, ERR_NOT_FOUND, e)) return false;
    fill_key(r, 0, out);
    PQclear(r);
    return true;
}

bool postgres_job_read(struct backend *b, const char *account_id, const char *id, struct store_job *out, struct error *e)
{
    struct pg_connection *c = uuid_well_formed(id) ? pg_reader_take(b, e) : NULL;
    if (!c) return uuid_well_formed(id) ? false : error_set(e, ERR_JOB_NOT_FOUND, "", "there is no such thing");
    PGresult *r = pg_query(c, PG_JOB_GET, e, id, account_id);
    pg_reader_return(b, c);
    if (!one_row(r, ERR_JOB_NOT_FOUND, e)) return false;
    postgres_fill_job(r, 0, out);
    PQclear(r);
    return true;
}

bool postgres_ping(struct backend *b, struct error *e)
{
    struct pg_connection *c = pg_reader_take(b, e);
    if (!c) return false;
    bool ok = pg_run(c, NULL, e, PG_PING);
    pg_reader_return(b, c);
    return ok;
}

bool postgres_accounts(struct backend *b, store_account_visit visit, void *arg, struct error *e)
{
    struct pg_connection *c = pg_reader_take(b, e);
    if (!c) return false;
    PGresult *r = pg_query(c, PG_ACCOUNT_LIST, e);
    pg_reader_return(b, c);
    struct store_account account;
    for (int i = 0; r && i < PQntuples(r); i++) {
        postgres_fill_account(r, i, 0, &account);
        if (!visit(arg, &account)) break;
    }
    PQclear(r);
    return r != NULL;
}

bool postgres_keys(struct backend *b, const char *account_id, store_key_visit visit, void *arg, struct error *e)
{
    struct pg_connection *c = pg_reader_take(b, e);
    if (!c) return false;
    PGresult *r = pg_query(c, PG_KEY_LIST, e, account_id);
    pg_reader_return(b, c);
    struct store_key key;
    for (int i = 0; r && i < PQntuples(r); i++) {
        fill_key(r, i, &key);
        if (!visit(arg, &key)) break;
    }
    PQclear(r);
    return r != NULL;
}

bool postgres_visit_open_jobs(const PGresult *r, store_pending_visit visit, void *arg, struct error *e)
{
    for (int i = 0; i < PQntuples(r); i++) {
        struct store_pending_job job = {.attempt = (int)pg_i64(r, i, 2),
                                        .details = pg_i64(r, i, 3) != 0,
                                        .created_ms = pg_i64(r, i, 4),
                                        .template = pg_text(r, i, 5)};
        pg_copy(r, i, 0, job.id, sizeof job.id);
        pg_copy(r, i, 1, job.account_id, sizeof job.account_id);
        unsigned char *text = PQunescapeBytea((const unsigned char *)PQgetvalue(r, i, 6), &job.text_bytes);
        if (!text) return error_set(e, ERR_STORE_UNAVAILABLE, "", "out of memory");
        job.text = (const char *)text;
        bool more = visit(arg, &job);
        PQfreemem(text);
        if (!more) break;
    }
    return true;
}

bool postgres_pending_jobs(struct backend *b, store_pending_visit visit, void *arg, struct error *e)
{
    struct pg_connection *c = pg_reader_take(b, e);
    if (!c) return false;
    PGresult *r = pg_query(c, PG_JOBS_OPEN, e);
    pg_reader_return(b, c);
    bool ok = r && postgres_visit_open_jobs(r, visit, arg, e);
    PQclear(r);
    return ok;
}

/* Reads every row there is, which a reader's settings are not made for: its connection ends with it. */
bool postgres_audit(struct backend *b, struct error *e)
{
    struct pg_connection *c = pg_reader_take(b, e);
    if (!c) return false;
    bool ready = pg_exec(c, "SET statement_timeout = 0; SET enable_seqscan = on; SET enable_hashjoin = on", e);
    PGresult *r = ready ? pg_query(c, PG_AUDIT, e) : NULL;
    pg_disconnect(c);
    pg_reader_return(b, c);
    bool balanced = r && PQntuples(r) == 0;
    if (r && !balanced) {
        error_set(e, ERR_INTERNAL, "", "account %s: balance %s, ledger %s, held %s, unfinished jobs %s", pg_text(r, 0, 0),
                  pg_text(r, 0, 1), pg_text(r, 0, 2), pg_text(r, 0, 3), pg_text(r, 0, 4));
    }
    PQclear(r);
    return balanced;
}
