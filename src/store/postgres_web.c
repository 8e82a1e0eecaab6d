/* postgres_web.c - people, sessions, links, the keys' rotation, money, webhooks: verbs and questions of store_web.h. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/uuid.h"
#include "store/postgres_internal.h"

/* ---- people and sessions ---------------------------------------------------------------------------------------------- */

static bool email_taken(struct error *e)
{
    return error_set(e, ERR_INVALID_VALUE, "email", "another account has this e-mail address");
}

static bool user_add(struct pg_connection *c, const char *account_id, const char *email, const char *password_hash,
                     int64_t *user_id, struct error *e)
{
    bool found;
    return pg_run_returning(c, user_id, &found, e, PG_USER_ADD, account_id, email, password_hash, clock_wall_ms()) &&
           (found || email_taken(e));
}

bool postgres_signup(struct pg_connection *c, struct store_write *write, struct error *e)
{
    struct store_signup *w = (struct store_signup *)write;
    uuid_make(w->account_id);
    return pg_run(c, NULL, e, PG_ACCOUNT_ADD, w->account_id, w->name, clock_wall_ms()) &&
           user_add(c, w->account_id, w->email, w->password_hash, &w->user_id, e);
}

bool postgres_link_create(struct pg_connection *c, struct store_write *write, struct error *e)
{
    struct store_link_create *w = (struct store_link_create *)write;
    int64_t user_id = 0;
    bool found;
    if (!postgres_require_account(c, w->account_id, e)) return false;
    if (!pg_run_returning(c, &user_id, &found, e, PG_USER_OF_ACCOUNT, w->account_id)) return false;
    if (!found && !user_add(c, w->account_id, w->email, NULL, &user_id, e)) return false;
    return pg_run(c, NULL, e, PG_LINKS_SWEEP, clock_wall_ms()) &&
           pg_run(c, NULL, e, PG_LINK_ADD, w->hash, STORE_HASH_BYTES, user_id, w->expires_ms);
}

bool postgres_session_open(struct pg_connection *c, struct store_write *write, struct error *e)
{
    struct store_session_open *w = (struct store_session_open *)write;
    bool found = true;
    if (w->link && !pg_run_returning(c, &w->user_id, &found, e, PG_LINK_TAKE, w->link, STORE_HASH_BYTES, w->now_ms))
        return false;
    if (!found) return error_set(e, ERR_NOT_FOUND, "token", "this sign-in link was used before or has expired");
    return pg_run(c, NULL, e, PG_SESSIONS_SWEEP, w->now_ms) &&
           pg_run(c, NULL, e, PG_SESSION_ADD, w->hash, STORE_HASH_BYTES, w->user_id, w->now_ms, w->expires_ms);
}

bool postgres_session_touch(struct pg_connection *c, struct store_write *write, struct error *e)
{
    struct store_session_touch *w = (struct store_session_touch *)write;
    return pg_run(c, NULL, e, PG_SESSION_TOUCH, w->session_id, w->seen_ms, w->expires_ms);
}

bool postgres_session_close(struct pg_connection *c, struct store_write *write, struct error *e)
{
    struct store_session_close *w = (struct store_session_close *)write;
    return pg_run(c, NULL, e, PG_SESSION_DROP, w->session_id);
}

static bool require_free_email(struct pg_connection *c, const char *email, int64_t user_id, struct error *e)
{
    int64_t one;
    bool found;
    if (!email) return true;
    return pg_run_returning(c, &one, &found, e, PG_USER_EMAIL_TAKEN, email, user_id) && (!found || email_taken(e));
}

bool postgres_password_set(struct pg_connection *c, struct store_write *write, struct error *e)
{
    struct store_password_set *w = (struct store_password_set *)write;
    int changes;
    if (!require_free_email(c, w->email, w->user_id, e)) return false;
    if (!pg_run(c, &changes, e, PG_USER_PASSWORD, w->user_id, w->password_hash, w->email)) {
        return !strcmp(c->sqlstate, "23505") ? email_taken(e) : false; /* taken on another node this moment */
    }
    if (changes == 0) return error_set(e, ERR_NOT_FOUND, "", "there is no such user");
    return pg_run(c, NULL, e, PG_SESSIONS_DROP, w->user_id, w->keep_session);
}

bool postgres_key_rotate(struct pg_connection *c, struct store_write *write, struct error *e)
{
    struct store_key_rotate *w = (struct store_key_rotate *)write;
    PGresult *r = pg_query(c, PG_KEY_END, e, w->key_id, w->account_id, w->now_ms, w->old_ends_ms);
    bool found = r && PQntuples(r) == 1;
    if (found) pg_copy(r, 0, 0, w->name, sizeof w->name);
    else if (r) error_set(e, ERR_NOT_FOUND, "key", "there is no such key, or it was revoked already");
    PQclear(r);
    return found && pg_run_returning(c, &w->new_id, &found, e, PG_KEY_ADD, w->account_id, w->hash, STORE_HASH_BYTES,
                                     w->prefix, w->name, w->now_ms);
}

/* ---- money (the way of it: sqlite_billing.c) ------------------------------------------------------------------------------ */

static bool lock_payment(struct pg_connection *c, const char *payment_intent, struct error *e)
{
    return !payment_intent || pg_run(c, NULL, e, PG_PAYMENT_LOCK, payment_intent);
}

static bool take_back(struct pg_connection *c, const char *account_id, int64_t credits, int64_t now_ms, struct error *e)
{
    int64_t balance;
    bool found;
    return pg_run_returning(c, &balance, &found, e, PG_BALANCE_ADD, account_id, -credits) &&
           postgres_ledger_add(c, account_id, -credits, "refund", "payment refunded", now_ms, NULL, e);
}

/* Takes back what the noted refund of the payment asks for and is free. Nothing when the purchase is not there yet. */
static bool apply_refund(struct pg_connection *c, const char *payment_intent, int64_t now_ms, int64_t *taken, struct error *e)
{
    char account_id[STORE_ID_CHARS + 1] = "";
    int64_t due = 0, available = 0;
    *taken = 0;
    PGresult *r = pg_query(c, PG_REFUND_DUE, e, payment_intent);
    if (!r) return false;
    if (PQntuples(r) > 0) {
        pg_copy(r, 0, 0, account_id, sizeof account_id);
        due = pg_i64(r, 0, 1);
        available = pg_i64(r, 0, 2);
    }
    PQclear(r);
    if (due <= 0) return true;
    *taken = due < available ? due : available;
    if (*taken < due)
        log_warn(NULL, "billing: refunded credits were spent already", LOG_STR("account", account_id),
                 LOG_INT("credits", due - *taken));
    return pg_run(c, NULL, e, PG_REFUND_DONE, payment_intent, due) &&
           (*taken == 0 || take_back(c, account_id, *taken, now_ms, e));
}

bool postgres_purchase(struct pg_connection *c, struct store_write *write, struct error *e)
{
    struct store_purchase *w = (struct store_purchase *)write;
    int64_t balance, taken, entry;
    int changes;
    bool found;
    if (!lock_payment(c, w->payment_intent, e) || !postgres_require_account(c, w->account_id, e)) return false;
    if (!pg_run(c, &changes, e, PG_PURCHASE_ADD, w->session_id, w->account_id, w->payment_intent, w->invoice_id, w->credits))
        return false;
    w->applied = changes == 1;
    if (!w->applied) return true;
    return pg_run_returning(c, &balance, &found, e, PG_BALANCE_ADD, w->account_id, w->credits) &&
           postgres_ledger_add(c, w->account_id, w->credits, "purchase", w->note, w->now_ms, &entry, e) &&
           pg_run(c, NULL, e, PG_PURCHASE_LEDGER, w->session_id, entry) &&
           (!w->payment_intent || apply_refund(c, w->payment_intent, w->now_ms, &taken, e));
}

bool postgres_refund(struct pg_connection *c, struct store_write *write, struct error *e)
{
    struct store_refund *w = (struct store_refund *)write;
    return lock_payment(c, w->payment_intent, e) &&
           pg_run(c, NULL, e, PG_REFUND_NOTE, w->payment_intent, w->amount, w->refunded) &&
           apply_refund(c, w->payment_intent, w->now_ms, &w->taken, e);
}

bool postgres_invoice(struct pg_connection *c, struct store_write *write, struct error *e)
{
    struct store_invoice *w = (struct store_invoice *)write;
    return pg_run(c, NULL, e, PG_INVOICE_ADD, w->invoice_id, w->url);
}

/* ---- webhooks ---------------------------------------------------------------------------------------------------------------- */

static bool no_endpoint(struct error *e) { return error_set(e, ERR_NOT_FOUND, "id", "there is no such webhook endpoint"); }

bool postgres_endpoint_create(struct pg_connection *c, struct store_write *write, struct error *e)
{
    struct store_endpoint_create *w = (struct store_endpoint_create *)write;
    bool found;
    if (!pg_run(c, NULL, e, PG_ACCOUNT_LOCK, w->account_id)) return false; /* the limit holds across nodes */
    return pg_run_returning(c, &w->endpoint_id, &found, e, PG_ENDPOINT_ADD, w->account_id, w->url, w->secret,
                            STORE_SECRET_BYTES, (int64_t)w->limit, w->now_ms) &&
           (found || error_set(e, ERR_INVALID_VALUE, "url", "an account may have %d webhook endpoints; remove one first",
                               w->limit));
}

bool postgres_endpoint_delete(struct pg_connection *c, struct store_write *write, struct error *e)
{
    struct store_endpoint_delete *w = (struct store_endpoint_delete *)write;
    int changes;
    if (!pg_run(c, &changes, e, PG_ENDPOINT_DROP, w->endpoint_id, w->account_id)) return false;
    return changes > 0 ? pg_run(c, NULL, e, PG_ENDPOINT_DELIVERIES_DROP, w->endpoint_id) : no_endpoint(e);
}

bool postgres_endpoint_test(struct pg_connection *c, struct store_write *write, struct error *e)
{
    struct store_endpoint_test *w = (struct store_endpoint_test *)write;
    char msg_id[UUID_CHARS + 1];
    bool found;
    uuid_make(msg_id);
    return pg_run_returning(c, &w->delivery_id, &found, e, PG_DELIVERY_TEST, msg_id, w->endpoint_id, w->account_id,
                            w->now_ms) &&
           (found || no_endpoint(e));
}

bool postgres_delivery_result(struct pg_connection *c, struct store_write *write, struct error *e)
{
    struct store_delivery_result *w = (struct store_delivery_result *)write;
    return pg_run(c, NULL, e, PG_DELIVERY_RESULT, w->delivery_id, (int64_t)w->state, (int64_t)w->response_status,
                  w->next_attempt_ms) &&
           (!w->disable || pg_run(c, NULL, e, PG_ENDPOINT_DISABLE, w->delivery_id, w->now_ms)) &&
           pg_run(c, NULL, e, PG_DELIVERIES_SWEEP, w->sweep_before_ms);
}

/* ---- questions ------------------------------------------------------------------------------------------------------------------ */

static bool not_found(struct error *e) { return error_set(e, ERR_NOT_FOUND, "", "there is no such thing"); }

static bool read_user_by_email(struct pg_connection *c, struct store_read *read, struct error *e)
{
    struct store_user_by_email *q = (struct store_user_by_email *)read;
    PGresult *r = pg_query(c, PG_USER_BY_EMAIL, e, q->email);
    bool found = r && PQntuples(r) == 1;
    if (found) {
        q->user_id = pg_i64(r, 0, 0);
        pg_copy(r, 0, 1, q->password_hash, sizeof q->password_hash);
    }
    bool ok = found || (r && not_found(e));
    PQclear(r);
    return ok;
}

static bool read_session(struct pg_connection *c, struct store_read *read, struct error *e)
{
    struct store_session *q = (struct store_session *)read;
    PGresult *r = pg_query(c, PG_SESSION_GET, e, q->hash, STORE_HASH_BYTES, q->now_ms);
    bool found = r && PQntuples(r) == 1;
    if (found) {
        q->id = pg_i64(r, 0, 0);
        q->user_id = pg_i64(r, 0, 1);
        q->seen_ms = pg_i64(r, 0, 2);
        pg_copy(r, 0, 3, q->email, sizeof q->email);
        pg_copy(r, 0, 4, q->password_hash, sizeof q->password_hash);
        postgres_fill_account(r, 0, 5, &q->account);
    }
    bool ok = found || (r && not_found(e));
    PQclear(r);
    return ok;
}

static bool read_usage(struct pg_connection *c, struct store_read *read, struct error *e)
{
    struct store_usage *q = (struct store_usage *)read;
    PGresult *r = pg_query(c, PG_USAGE_LIST, e, q->account_id, q->since_day);
    for (int i = 0; r && i < PQntuples(r); i++) {
        struct store_usage_row row = {.day = pg_i64(r, i, 0),
                                      .bucket = (int)pg_i64(r, i, 1),
                                      .requests = pg_i64(r, i, 2),
                                      .credits = pg_i64(r, i, 3),
                                      .errors = pg_i64(r, i, 4)};
        if (!q->visit(q->arg, &row)) break;
    }
    PQclear(r);
    return r != NULL;
}

static bool read_recent_jobs(struct pg_connection *c, struct store_read *read, struct error *e)
{
    struct store_recent_jobs *q = (struct store_recent_jobs *)read;
    PGresult *r = pg_query(c, PG_JOBS_RECENT, e, q->account_id, (int64_t)q->limit);
    struct store_job job;
    for (int i = 0; r && i < PQntuples(r); i++) {
        postgres_fill_job(r, i, &job);
        if (!q->visit(q->arg, &job)) break;
    }
    PQclear(r);
    return r != NULL;
}

static bool read_ledger(struct pg_connection *c, struct store_read *read, struct error *e)
{
    struct store_ledger *q = (struct store_ledger *)read;
    PGresult *r = pg_query(c, PG_LEDGER_LIST, e, q->account_id, (int64_t)q->limit);
    int64_t later = 0; /* sum of the entries after this one */
    for (int i = 0; r && i < PQntuples(r); i++) {
        struct store_ledger_row row = {.id = pg_i64(r, i, 0),
                                       .created_ms = pg_i64(r, i, 1),
                                       .amount = pg_i64(r, i, 2),
                                       .balance = pg_i64(r, i, 3) - later,
                                       .kind = pg_text(r, i, 4),
                                       .note = pg_text(r, i, 5),
                                       .invoice_url = pg_text(r, i, 6)};
        later += row.amount;
        if (!q->visit(q->arg, &row)) break;
    }
    PQclear(r);
    return r != NULL;
}

static bool read_endpoints(struct pg_connection *c, struct store_read *read, struct error *e)
{
    struct store_endpoints *q = (struct store_endpoints *)read;
    PGresult *r = pg_query(c, PG_ENDPOINT_LIST, e, q->account_id);
    for (int i = 0; r && i < PQntuples(r); i++) {
        struct store_endpoint endpoint = {.id = pg_i64(r, i, 0),
                                          .created_ms = pg_i64(r, i, 1),
                                          .disabled_ms = pg_i64(r, i, 2),
                                          .url = pg_text(r, i, 3)};
        if (!q->visit(q->arg, &endpoint)) break;
    }
    PQclear(r);
    return r != NULL;
}

static void fill_delivery(const PGresult *r, int row, struct store_delivery *d)
{
    *d = (struct store_delivery){.id = pg_i64(r, row, 0),
                                 .created_ms = pg_i64(r, row, 1),
                                 .next_attempt_ms = pg_i64(r, row, 2),
                                 .event = pg_text(r, row, 3),
                                 .attempts = (int)pg_i64(r, row, 4),
                                 .response_status = (int)pg_i64(r, row, 5),
                                 .state = (enum store_delivery_state)pg_i64(r, row, 6)};
}

static bool read_deliveries(struct pg_connection *c, struct store_read *read, struct error *e)
{
    struct store_deliveries *q = (struct store_deliveries *)read;
    int64_t one;
    bool found;
    if (!pg_run_returning(c, &one, &found, e, PG_ENDPOINT_GET, q->endpoint_id, q->account_id)) return false;
    if (!found) return no_endpoint(e);
    PGresult *r = pg_query(c, PG_DELIVERY_LIST, e, q->endpoint_id, (int64_t)q->limit);
    for (int i = 0; r && i < PQntuples(r); i++) {
        struct store_delivery delivery;
        fill_delivery(r, i, &delivery);
        if (!q->visit(q->arg, &delivery)) break;
    }
    PQclear(r);
    return r != NULL;
}

/* The job as it was when it ended, from the delivery's own columns 11 to 18. */
static void fill_event(const PGresult *r, int row, struct store_job *job)
{
    pg_copy(r, row, 11, job->id, sizeof job->id);
    job->state = (enum store_job_state)pg_i64(r, row, 12);
    job->latency_ms = pg_i64(r, row, 13);
    job->credits_charged = (int)pg_i64(r, row, 14);
    job->result = PQgetisnull(r, row, 15) ? NULL : PQgetvalue(r, row, 15);
    if (job->state != STORE_FAILED) return;
    const char *code = pg_text(r, row, 16);
    job->error.code = error_code_parse(code ? code : "");
    pg_copy(r, row, 17, job->error.param, sizeof job->error.param);
    pg_copy(r, row, 18, job->error.message, sizeof job->error.message);
}

static bool visit_due(const PGresult *r, int row, struct store_due *q)
{
    unsigned char secret[STORE_SECRET_BYTES];
    struct store_delivery d;
    fill_delivery(r, row, &d);
    pg_copy(r, row, 7, d.account_id, sizeof d.account_id);
    pg_copy(r, row, 8, d.msg_id, sizeof d.msg_id);
    d.url = pg_text(r, row, 9);
    bool signable = pg_copy_bytes(r, row, 10, secret, sizeof secret) == sizeof secret;
    d.secret = secret;
    fill_event(r, row, &d.job);
    return !d.url || !signable || q->visit(q->arg, &d);
}

/* One node sends, so that nothing is sent twice: the one whose `sender` connection holds the lock. When it goes, the server
 * gives the lock free and another node has it within half a second. */
static bool read_due(struct pg_connection *c, struct store_read *read, struct error *e)
{
    struct store_due *q = (struct store_due *)read;
    struct pg_connection *sender = &c->owner->sender;
    int64_t mine = 0;
    bool found;
    if (!pg_connect(sender, e)) return false;
    if (!sender->holds_lock) {
        if (!pg_run_returning(sender, &mine, &found, e, PG_SENDER_LOCK)) return false;
        sender->holds_lock = mine == 1;
        if (!mine) return true;
    }
    PGresult *r = pg_query(sender, PG_DELIVERY_DUE, e, q->now_ms, (int64_t)q->per_account, (int64_t)q->limit);
    if (!sender->holds_lock) { /* it was asked over a new connection */
        PQclear(r);
        return r != NULL;
    }
    for (int i = 0; r && i < PQntuples(r); i++)
        if (!visit_due(r, i, q)) break;
    PQclear(r);
    return r != NULL;
}

static bool (*const questions[STORE_READ_COUNT])(struct pg_connection *, struct store_read *, struct error *) = {
    [STORE_READ_USER_BY_EMAIL] = read_user_by_email,
    [STORE_READ_SESSION] = read_session,
    [STORE_READ_USAGE] = read_usage,
    [STORE_READ_RECENT_JOBS] = read_recent_jobs,
    [STORE_READ_LEDGER] = read_ledger,
    [STORE_READ_ENDPOINTS] = read_endpoints,
    [STORE_READ_DELIVERIES] = read_deliveries,
    [STORE_READ_DUE] = read_due,
};

bool postgres_read(struct backend *b, struct store_read *read, struct error *e)
{
    if (read->verb == STORE_READ_DUE) return read_due(&b->sender, read, e); /* the sender's thread alone asks */
    struct pg_connection *c = pg_reader_take(b, e);
    if (!c) return false;
    bool ok = questions[read->verb](c, read, e);
    pg_reader_return(b, c);
    return ok;
}
