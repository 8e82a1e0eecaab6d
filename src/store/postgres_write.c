/* postgres_write.c - the verbs that are not a job's, one function each, inside a transaction of their own: a function that
 * returns false has it undone. The web side's are in postgres_web.c. */
#include <string.h>

#include "base/clock.h"
#include "base/uuid.h"
#include "store/postgres_internal.h"

bool postgres_require_account(struct pg_connection *c, const char *account_id, struct error *e)
{
    PGresult *r = pg_query(c, PG_ACCOUNT_GET, e, account_id);
    bool ok = r && PQntuples(r) == 1;
    if (r && !ok) error_set(e, ERR_NOT_FOUND, "account", "there is no account %.36s", account_id);
    PQclear(r);
    return ok;
}

bool postgres_ledger_add(struct pg_connection *c, const char *account_id, int64_t amount, const char *kind,
                         const char *note, int64_t now_ms, int64_t *entry, struct error *e)
{
    int64_t id = 0;
    bool found;
    bool ok = pg_run_returning(c, &id, &found, e, PG_LEDGER_ADD, account_id, amount, kind, note, now_ms);
    if (entry) *entry = id;
    return ok;
}

static bool grant(struct pg_connection *c, const char *account_id, int64_t amount, const char *note, int64_t *balance,
                  struct error *e)
{
    bool found;
    if (!pg_run_returning(c, balance, &found, e, PG_BALANCE_ADD, account_id, amount)) return false;
    if (!found) {
        return postgres_require_account(c, account_id, e) &&
               error_set(e, ERR_INVALID_VALUE, "credits", "%lld credits cannot be taken back: fewer are free",
                         (long long)-amount);
    }
    return postgres_ledger_add(c, account_id, amount, "grant", note, clock_wall_ms(), NULL, e);
}

static bool run_account_create(struct pg_connection *c, struct store_write *write, struct error *e)
{
    struct store_account_create *w = (struct store_account_create *)write;
    int64_t balance;
    uuid_make(w->id);
    if (!pg_run(c, NULL, e, PG_ACCOUNT_ADD, w->id, w->name, clock_wall_ms())) return false;
    return w->credits == 0 || grant(c, w->id, w->credits, "opening balance", &balance, e);
}

static bool run_credits_grant(struct pg_connection *c, struct store_write *write, struct error *e)
{
    struct store_credits_grant *w = (struct store_credits_grant *)write;
    return grant(c, w->account_id, w->amount, w->note, &w->balance, e);
}

static bool run_key_create(struct pg_connection *c, struct store_write *write, struct error *e)
{
    struct store_key_create *w = (struct store_key_create *)write;
    bool found;
    return postgres_require_account(c, w->account_id, e) &&
           pg_run_returning(c, &w->key_id, &found, e, PG_KEY_ADD, w->account_id, w->hash, STORE_HASH_BYTES, w->prefix,
                            w->name, clock_wall_ms());
}

static bool run_key_revoke(struct pg_connection *c, struct store_write *write, struct error *e)
{
    struct store_key_revoke *w = (struct store_key_revoke *)write;
    int changes;
    if (!pg_run(c, &changes, e, PG_KEY_REVOKE, w->key_id, w->at_ms, w->account_id)) return false;
    return changes > 0 || error_set(e, ERR_NOT_FOUND, "key", "there is no key %lld", (long long)w->key_id);
}

static bool run_key_used(struct pg_connection *c, struct store_write *write, struct error *e)
{
    struct store_key_used *w = (struct store_key_used *)write;
    return pg_run(c, NULL, e, PG_KEY_USED, w->key_id, w->at_ms);
}

/* ---- jobs whose process is gone -------------------------------------------------------------------------------------------- */

enum { GIVE_UP_MOST = 100 }; /* more are given up by the next call */

struct worn_out {
    struct store_job_settle settles[GIVE_UP_MOST];
    char ids[GIVE_UP_MOST][STORE_ID_CHARS + 1];
    int count;
};

static bool read_worn_out(struct pg_connection *c, const struct store_jobs_recover *w, struct worn_out *worn, struct error *e)
{
    PGresult *r = pg_query(c, PG_JOBS_WORN_OUT, e, (int64_t)w->max_attempts);
    worn->count = r ? PQntuples(r) : 0;
    for (int i = 0; i < worn->count; i++) {
        struct store_job_settle *s = &worn->settles[i];
        pg_copy(r, i, 0, worn->ids[i], sizeof worn->ids[i]);
        *s = (struct store_job_settle){.id = worn->ids[i],
                                       .attempt = (int)pg_i64(r, i, 1),
                                       .latency_ms = w->now_ms - pg_i64(r, i, 2),
                                       .now_ms = w->now_ms};
        error_set(&s->failure, ERR_INTERNAL, "",
                  "the service stopped %d times while it worked on this document; nothing was charged", w->max_attempts);
        if (i > 0) worn->settles[i - 1].write.next = &s->write;
    }
    bool ok = r != NULL;
    PQclear(r);
    return ok;
}

static bool run_jobs_recover(struct pg_connection *c, struct store_write *write, struct error *e)
{
    struct store_jobs_recover *w = (struct store_jobs_recover *)write;
    struct worn_out worn;
    if (!read_worn_out(c, w, &worn, e)) return false;
    if (worn.count && !(postgres_lock_settled(c, &worn.settles[0].write, e) &&
                        postgres_settle_all(c, &worn.settles[0].write, e))) {
        return false;
    }
    w->given_up = 0;
    for (int i = 0; i < worn.count; i++) w->given_up += worn.settles[i].applied;
    return pg_run(c, &w->requeued, e, PG_JOBS_REQUEUE, (int64_t)w->max_attempts);
}

static bool run_jobs_sweep(struct pg_connection *c, struct store_write *write, struct error *e)
{
    struct store_jobs_sweep *w = (struct store_jobs_sweep *)write;
    int64_t deleted = 0;
    bool found;
    bool ok = pg_run_returning(c, &deleted, &found, e, PG_JOBS_SWEEP, w->before_ms, w->keys_before_ms, (int64_t)w->limit);
    w->deleted = (int)deleted;
    return ok;
}

/* The jobs' own verbs are in postgres_batch.c. */
static bool (*const verbs[STORE_VERB_COUNT])(struct pg_connection *, struct store_write *, struct error *) = {
    [STORE_ACCOUNT_CREATE] = run_account_create,
    [STORE_CREDITS_GRANT] = run_credits_grant,
    [STORE_KEY_CREATE] = run_key_create,
    [STORE_KEY_REVOKE] = run_key_revoke,
    [STORE_KEY_USED] = run_key_used,
    [STORE_JOBS_RECOVER] = run_jobs_recover,
    [STORE_JOBS_SWEEP] = run_jobs_sweep,
    [STORE_SIGNUP] = postgres_signup,
    [STORE_LINK_CREATE] = postgres_link_create,
    [STORE_SESSION_OPEN] = postgres_session_open,
    [STORE_SESSION_TOUCH] = postgres_session_touch,
    [STORE_SESSION_CLOSE] = postgres_session_close,
    [STORE_PASSWORD_SET] = postgres_password_set,
    [STORE_KEY_ROTATE] = postgres_key_rotate,
    [STORE_PURCHASE] = postgres_purchase,
    [STORE_REFUND] = postgres_refund,
    [STORE_INVOICE] = postgres_invoice,
    [STORE_ENDPOINT_CREATE] = postgres_endpoint_create,
    [STORE_ENDPOINT_DELETE] = postgres_endpoint_delete,
    [STORE_ENDPOINT_TEST] = postgres_endpoint_test,
    [STORE_DELIVERY_RESULT] = postgres_delivery_result,
};

bool postgres_run(struct pg_connection *c, struct store_write *write, struct error *e)
{
    return verbs[write->verb](c, write, e);
}
