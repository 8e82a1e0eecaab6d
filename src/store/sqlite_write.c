/* sqlite_write.c - the verbs that change state, one function each. Runs on the writer thread, inside a transaction that is
 * undone when a function returns false and has changed something. */
#include <string.h>

#include "base/clock.h"
#include "base/uuid.h"
#include "store/sqlite_internal.h"

/* Runs a statement with RETURNING that touches one row at most. False: error, or no row (`found` tells). */
bool sql_step_row(struct connection *c, sqlite3_stmt *s, bool *found, struct error *e)
{
    *found = false;
    if (!s) return false;
    int rc = sql_step(c, s, e);
    *found = rc == SQLITE_ROW;
    return rc != SQLITE_ERROR;
}

bool sqlite_require_account(struct connection *c, const char *account_id, struct error *e)
{
    bool found;
    sqlite3_stmt *s = sql_bind(c, SQL_ACCOUNT_GET, e, "t", account_id);
    bool ok = sql_step_row(c, s, &found, e);
    if (s) sql_end(s);
    if (ok && !found) return error_set(e, ERR_NOT_FOUND, "account", "there is no account %.36s", account_id);
    return ok;
}

bool sqlite_ledger_add(struct connection *c, const char *account_id, int64_t amount, const char *kind,
                       const char *job_id, const char *note, int64_t now_ms, struct error *e)
{
    return sql_run(c, sql_bind(c, SQL_LEDGER_ADD, e, "tittti", account_id, amount, kind, job_id, note, now_ms), NULL, e);
}

/* The single value a RETURNING statement gives back. */
bool sql_run_returning(struct connection *c, sqlite3_stmt *s, int64_t *value, bool *found, struct error *e)
{
    bool ok = sql_step_row(c, s, found, e);
    if (ok && *found) *value = sqlite3_column_int64(s, 0);
    if (s) sql_end(s);
    return ok;
}

static bool grant(struct connection *c, const char *account_id, int64_t amount, const char *note, int64_t *balance,
                  struct error *e)
{
    bool found;
    if (!sql_run_returning(c, sql_bind(c, SQL_BALANCE_ADD, e, "ti", account_id, amount), balance, &found, e)) return false;
    if (!found) {
        return sqlite_require_account(c, account_id, e) &&
               error_set(e, ERR_INVALID_VALUE, "credits", "%lld credits cannot be taken back: fewer are free",
                         (long long)-amount);
    }
    return sqlite_ledger_add(c, account_id, amount, "grant", NULL, note, clock_wall_ms(), e);
}

static bool run_account_create(struct connection *c, struct store_write *write, struct error *e)
{
    struct store_account_create *w = (struct store_account_create *)write;
    int64_t balance;
    uuid_make(w->id);
    if (!sql_run(c, sql_bind(c, SQL_ACCOUNT_ADD, e, "tti", w->id, w->name, clock_wall_ms()), NULL, e)) return false;
    return w->credits == 0 || grant(c, w->id, w->credits, "opening balance", &balance, e);
}

static bool run_credits_grant(struct connection *c, struct store_write *write, struct error *e)
{
    struct store_credits_grant *w = (struct store_credits_grant *)write;
    return grant(c, w->account_id, w->amount, w->note, &w->balance, e);
}

static bool run_key_create(struct connection *c, struct store_write *write, struct error *e)
{
    struct store_key_create *w = (struct store_key_create *)write;
    if (!sqlite_require_account(c, w->account_id, e)) return false;
    sqlite3_stmt *s = sql_bind(c, SQL_KEY_ADD, e, "tbtti", w->account_id, w->hash, STORE_HASH_BYTES, w->prefix, w->name,
                               clock_wall_ms());
    if (!sql_run(c, s, NULL, e)) return false;
    w->key_id = sqlite3_last_insert_rowid(c->db);
    return true;
}

static bool run_key_revoke(struct connection *c, struct store_write *write, struct error *e)
{
    struct store_key_revoke *w = (struct store_key_revoke *)write;
    int changes;
    if (!sql_run(c, sql_bind(c, SQL_KEY_REVOKE, e, "iit", w->key_id, w->at_ms, w->account_id), &changes, e)) return false;
    return changes > 0 || error_set(e, ERR_NOT_FOUND, "key", "there is no key %lld", (long long)w->key_id);
}

static bool run_key_used(struct connection *c, struct store_write *write, struct error *e)
{
    struct store_key_used *w = (struct store_key_used *)write;
    return sql_run(c, sql_bind(c, SQL_KEY_USED, e, "ii", w->key_id, w->at_ms), NULL, e);
}

/* ---- jobs --------------------------------------------------------------------------------------------------------- */

static void replay_or_mismatch(sqlite3_stmt *s, struct store_job_insert *w)
{
    const void *hash = sqlite3_column_blob(s, 3);
    bool same = hash && sqlite3_column_bytes(s, 3) == STORE_HASH_BYTES && !memcmp(hash, w->body_hash, STORE_HASH_BYTES);
    w->outcome = same ? INSERT_REPLAY : INSERT_MISMATCH;
    sql_copy_text(s, 1, w->existing_id, sizeof w->existing_id);
    w->existing_state = (enum store_job_state)sqlite3_column_int(s, 2);
}

/* Decides `outcome` for a request with an idempotency key. A finished job's key that is over a day old is let go. */
static bool idempotency_check(struct connection *c, struct store_job_insert *w, struct error *e)
{
    bool found;
    sqlite3_stmt *s = sql_bind(c, SQL_JOB_BY_KEY, e, "tt", w->account_id, w->idempotency_key);
    bool ok = sql_step_row(c, s, &found, e);
    int64_t expired = 0;
    if (ok && found) {
        bool finished = sqlite3_column_int(s, 2) >= STORE_SUCCESS;
        if (finished && sqlite3_column_int64(s, 4) + MS_PER_DAY <= w->now_ms) expired = sqlite3_column_int64(s, 0);
        else replay_or_mismatch(s, w);
    }
    if (s) sql_end(s);
    return ok && (!expired || sql_run(c, sql_bind(c, SQL_JOB_LET_KEY_GO, e, "i", expired), NULL, e));
}

/* Runs a statement that changes the account's held credits. `changed` false: it did not apply. Asked for separately, what
 * is left costs less than a RETURNING, for which SQLite opens a temporary table each time. */
static bool change_held(struct connection *c, enum statement which, const char *account_id, bool *changed, int64_t *left,
                        struct error *e)
{
    int changes;
    if (!sql_run(c, sql_bind(c, which, e, "t", account_id), &changes, e)) return false;
    *changed = changes == 1;
    bool found;
    return !*changed || sql_run_returning(c, sql_bind(c, SQL_CREDITS_LEFT, e, "t", account_id), left, &found, e);
}

static bool hold_credit(struct connection *c, const char *account_id, int64_t *remaining, struct error *e)
{
    bool held;
    if (!change_held(c, SQL_HOLD, account_id, &held, remaining, e)) return false;
    if (held) return true;
    return sqlite_require_account(c, account_id, e) &&
           error_set(e, ERR_NO_CREDITS, "", "the account has no credits left; see /billing/ for how to get more");
}

static bool run_job_insert(struct connection *c, struct store_write *write, struct error *e)
{
    struct store_job_insert *w = (struct store_job_insert *)write;
    w->outcome = INSERT_CREATED;
    if (w->idempotency_key && !idempotency_check(c, w, e)) return false;
    if (w->outcome != INSERT_CREATED) return true;
    if (!hold_credit(c, w->account_id, &w->credits_remaining, e)) return false;
    int64_t running = w->running ? 1 : 0; /* state 1 with attempt 1, or state 0 with attempt 0 */
    sqlite3_stmt *s = sql_bind(c, SQL_JOB_ADD, e, "ttiiiitbti", w->id, w->account_id, running, running,
                               (int64_t)w->details, w->now_ms, w->idempotency_key,
                               w->idempotency_key ? w->body_hash : NULL, STORE_HASH_BYTES, w->webhook_url,
                               w->webhook_key);
    return sql_run(c, s, NULL, e) &&
           sql_run(c, sql_bind(c, SQL_DOCUMENT_ADD, e, "tb", w->template, w->text, (int)w->text_bytes), NULL, e);
}

static bool run_job_claim(struct connection *c, struct store_write *write, struct error *e)
{
    struct store_job_claim *w = (struct store_job_claim *)write;
    int changes;
    if (!sql_run(c, sql_bind(c, SQL_JOB_CLAIM, e, "ti", w->id, (int64_t)w->attempt), &changes, e)) return false;
    w->applied = changes == 1;
    return true;
}

/* Ends the job row if the fence holds; then `seq` and `account_id` are its own. */
static bool finish_row(struct connection *c, struct store_job_settle *w, int64_t *seq,
                       char account_id[STORE_ID_CHARS + 1], struct error *e)
{
    sqlite3_stmt *s = sql_bind(c, SQL_JOB_RUNNING, e, "ti", w->id, (int64_t)w->attempt);
    bool ok = sql_step_row(c, s, &w->applied, e);
    if (ok && w->applied) {
        *seq = sqlite3_column_int64(s, 0);
        sql_copy_text(s, 1, account_id, STORE_ID_CHARS + 1);
    }
    if (s) sql_end(s);
    if (!ok || !w->applied) return ok;
    s = w->result ? sql_bind(c, SQL_JOB_SUCCEED, e, "itii", *seq, w->result, w->latency_ms, w->now_ms)
                  : sql_bind(c, SQL_JOB_FAIL, e, "itttii", *seq, error_code_name(w->failure.code), w->failure.param,
                             w->failure.message, w->latency_ms, w->now_ms);
    return sql_run(c, s, NULL, e);
}

static bool run_job_settle(struct connection *c, struct store_write *write, struct error *e)
{
    struct store_job_settle *w = (struct store_job_settle *)write;
    char account_id[STORE_ID_CHARS + 1];
    int64_t seq = 0;
    bool found;
    w->credits_remaining = -1;
    if (!finish_row(c, w, &seq, account_id, e)) return false;
    if (!w->applied) return true;
    if (!sql_run(c, sql_bind(c, SQL_DOCUMENT_DROP, e, "i", seq), NULL, e)) return false;
    if (!change_held(c, w->result ? SQL_CAPTURE : SQL_RELEASE_HOLD, account_id, &found, &w->credits_remaining, e)) return false;
    if (!sqlite_job_ended(c, w, seq, account_id, e)) return false;
    return !w->result || sqlite_ledger_add(c, account_id, -1, "usage", w->id, NULL, w->now_ms, e);
}

/* The oldest running job whose attempts are used up; `id` is "" when there is none. */
static bool next_worn_out(struct connection *c, int max_attempts, struct store_job_settle *settle,
                          char id[STORE_ID_CHARS + 1], struct error *e)
{
    bool found;
    sqlite3_stmt *s = sql_bind(c, SQL_JOBS_WORN_OUT, e, "i", (int64_t)max_attempts);
    bool ok = sql_step_row(c, s, &found, e);
    id[0] = '\0';
    if (ok && found) {
        sql_copy_text(s, 0, id, STORE_ID_CHARS + 1);
        settle->attempt = sqlite3_column_int(s, 1);
        settle->latency_ms = settle->now_ms - sqlite3_column_int64(s, 2);
    }
    if (s) sql_end(s);
    return ok;
}

static bool run_jobs_recover(struct connection *c, struct store_write *write, struct error *e)
{
    struct store_jobs_recover *w = (struct store_jobs_recover *)write;
    char id[STORE_ID_CHARS + 1];
    struct store_job_settle settle = {.id = id, .now_ms = w->now_ms};
    error_set(&settle.failure, ERR_INTERNAL, "",
              "the service stopped %d times while it worked on this document; nothing was charged", w->max_attempts);
    for (w->given_up = 0;; w->given_up++) {
        if (!next_worn_out(c, w->max_attempts, &settle, id, e)) return false;
        if (!id[0]) break;
        if (!run_job_settle(c, &settle.write, e)) return false;
    }
    return sql_run(c, sql_bind(c, SQL_JOBS_REQUEUE, e, ""), &w->requeued, e);
}

static bool run_jobs_sweep(struct connection *c, struct store_write *write, struct error *e)
{
    struct store_jobs_sweep *w = (struct store_jobs_sweep *)write;
    sqlite3_stmt *s = sql_bind(c, SQL_JOBS_SWEEP, e, "iii", w->before_ms, w->keys_before_ms, (int64_t)w->limit);
    return sql_run(c, s, &w->deleted, e);
}

static bool (*const verbs[STORE_VERB_COUNT])(struct connection *, struct store_write *, struct error *) = {
    [STORE_ACCOUNT_CREATE] = run_account_create,
    [STORE_CREDITS_GRANT] = run_credits_grant,
    [STORE_KEY_CREATE] = run_key_create,
    [STORE_KEY_REVOKE] = run_key_revoke,
    [STORE_KEY_USED] = run_key_used,
    [STORE_JOB_INSERT] = run_job_insert,
    [STORE_JOB_CLAIM] = run_job_claim,
    [STORE_JOB_SETTLE] = run_job_settle,
    [STORE_JOBS_RECOVER] = run_jobs_recover,
    [STORE_JOBS_SWEEP] = run_jobs_sweep,
    [STORE_SIGNUP] = sqlite_signup,
    [STORE_LINK_CREATE] = sqlite_link_create,
    [STORE_SESSION_OPEN] = sqlite_session_open,
    [STORE_SESSION_TOUCH] = sqlite_session_touch,
    [STORE_SESSION_CLOSE] = sqlite_session_close,
    [STORE_PASSWORD_SET] = sqlite_password_set,
    [STORE_KEY_ROTATE] = sqlite_key_rotate,
    [STORE_PURCHASE] = sqlite_purchase,
    [STORE_REFUND] = sqlite_refund,
    [STORE_INVOICE] = sqlite_invoice,
    [STORE_ENDPOINT_CREATE] = sqlite_endpoint_create,
    [STORE_ENDPOINT_DELETE] = sqlite_endpoint_delete,
    [STORE_ENDPOINT_TEST] = sqlite_endpoint_test,
    [STORE_DELIVERY_RESULT] = sqlite_delivery_result,
};

bool sqlite_run(struct backend *b, struct store_write *write, struct error *e)
{
    return verbs[write->verb](&b->writer, write, e);
}
