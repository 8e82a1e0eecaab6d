/* sqlite_account.c - people, sessions, one-time links, the keys' rotation, usage per day: verbs and questions of
 * store_web.h. Verbs run on the writer thread, as those of sqlite_write.c. */
#include <string.h>

#include "base/clock.h"
#include "base/uuid.h"
#include "store/sqlite_internal.h"

static bool email_taken(struct error *e)
{
    return error_set(e, ERR_INVALID_VALUE, "email", "another account has this e-mail address");
}

/* `user_id` 0: the address was taken. */
static bool user_add(struct connection *c, const char *account_id, const char *email, const char *password_hash,
                     int64_t *user_id, struct error *e)
{
    int changes;
    sqlite3_stmt *s = sql_bind(c, SQL_USER_ADD, e, "ttti", account_id, email, password_hash, clock_wall_ms());
    if (!sql_run(c, s, &changes, e)) return false;
    *user_id = sqlite3_last_insert_rowid(c->db);
    return changes == 1 || email_taken(e);
}

bool sqlite_signup(struct connection *c, struct store_write *write, struct error *e)
{
    struct store_signup *w = (struct store_signup *)write;
    uuid_make(w->account_id);
    return sql_run(c, sql_bind(c, SQL_ACCOUNT_ADD, e, "tti", w->account_id, w->name, clock_wall_ms()), NULL, e) &&
           user_add(c, w->account_id, w->email, w->password_hash, &w->user_id, e);
}

bool sqlite_link_create(struct connection *c, struct store_write *write, struct error *e)
{
    struct store_link_create *w = (struct store_link_create *)write;
    int64_t user_id = 0;
    bool found;
    if (!sqlite_require_account(c, w->account_id, e)) return false;
    if (!sql_run_returning(c, sql_bind(c, SQL_USER_OF_ACCOUNT, e, "t", w->account_id), &user_id, &found, e)) return false;
    if (!found && !user_add(c, w->account_id, w->email, NULL, &user_id, e)) return false;
    return sql_run(c, sql_bind(c, SQL_LINKS_SWEEP, e, "i", clock_wall_ms()), NULL, e) &&
           sql_run(c, sql_bind(c, SQL_LINK_ADD, e, "bii", w->hash, STORE_HASH_BYTES, user_id, w->expires_ms), NULL, e);
}

bool sqlite_session_open(struct connection *c, struct store_write *write, struct error *e)
{
    struct store_session_open *w = (struct store_session_open *)write;
    bool found = true;
    if (w->link) {
        sqlite3_stmt *s = sql_bind(c, SQL_LINK_TAKE, e, "bi", w->link, STORE_HASH_BYTES, w->now_ms);
        if (!sql_run_returning(c, s, &w->user_id, &found, e)) return false;
    }
    if (!found) return error_set(e, ERR_NOT_FOUND, "token", "this sign-in link was used before or has expired");
    return sql_run(c, sql_bind(c, SQL_SESSIONS_SWEEP, e, "i", w->now_ms), NULL, e) &&
           sql_run(c, sql_bind(c, SQL_SESSION_ADD, e, "biii", w->hash, STORE_HASH_BYTES, w->user_id, w->now_ms,
                               w->expires_ms), NULL, e);
}

bool sqlite_session_touch(struct connection *c, struct store_write *write, struct error *e)
{
    struct store_session_touch *w = (struct store_session_touch *)write;
    sqlite3_stmt *s = sql_bind(c, SQL_SESSION_TOUCH, e, "iii", w->session_id, w->seen_ms, w->expires_ms);
    return sql_run(c, s, NULL, e);
}

bool sqlite_session_close(struct connection *c, struct store_write *write, struct error *e)
{
    struct store_session_close *w = (struct store_session_close *)write;
    return sql_run(c, sql_bind(c, SQL_SESSION_DROP, e, "i", w->session_id), NULL, e);
}

static bool require_free_email(struct connection *c, const char *email, int64_t user_id, struct error *e)
{
    int64_t one;
    bool found;
    if (!email) return true;
    if (!sql_run_returning(c, sql_bind(c, SQL_USER_EMAIL_TAKEN, e, "ti", email, user_id), &one, &found, e)) return false;
    return !found || email_taken(e);
}

bool sqlite_password_set(struct connection *c, struct store_write *write, struct error *e)
{
    struct store_password_set *w = (struct store_password_set *)write;
    int changes;
    if (!require_free_email(c, w->email, w->user_id, e)) return false;
    sqlite3_stmt *s = sql_bind(c, SQL_USER_PASSWORD, e, "itt", w->user_id, w->password_hash, w->email);
    if (!sql_run(c, s, &changes, e)) return false;
    if (changes == 0) return error_set(e, ERR_NOT_FOUND, "", "there is no such user");
    return sql_run(c, sql_bind(c, SQL_SESSIONS_DROP, e, "ii", w->user_id, w->keep_session), NULL, e);
}

bool sqlite_key_rotate(struct connection *c, struct store_write *write, struct error *e)
{
    struct store_key_rotate *w = (struct store_key_rotate *)write;
    bool found;
    sqlite3_stmt *s = sql_bind(c, SQL_KEY_END, e, "itii", w->key_id, w->account_id, w->now_ms, w->old_ends_ms);
    bool ok = sql_step_row(c, s, &found, e);
    if (ok && found) sql_copy_text(s, 0, w->name, sizeof w->name);
    if (s) sql_end(s);
    if (!ok) return false;
    if (!found) return error_set(e, ERR_NOT_FOUND, "key", "there is no such key, or it was revoked already");
    s = sql_bind(c, SQL_KEY_ADD, e, "tbtti", w->account_id, w->hash, STORE_HASH_BYTES, w->prefix, w->name, w->now_ms);
    if (!sql_run(c, s, NULL, e)) return false;
    w->new_id = sqlite3_last_insert_rowid(c->db);
    return true;
}

/* ---- a job's end --------------------------------------------------------------------------------------------------- */

bool sqlite_job_ended(struct connection *c, const struct store_job_settle *w, int64_t seq, const char *account_id,
                      struct error *e)
{
    int64_t succeeded = w->result ? 1 : 0;
    sqlite3_stmt *s = sql_bind(c, SQL_USAGE_ADD, e, "tiiii", account_id, w->now_ms / MS_PER_DAY,
                               (int64_t)store_latency_bucket(w->latency_ms), succeeded, 1 - succeeded);
    return sql_run(c, s, NULL, e) &&
           sql_run(c, sql_bind(c, SQL_DELIVERY_FOR_ENDPOINTS, e, "it", seq, account_id), NULL, e) &&
           sql_run(c, sql_bind(c, SQL_DELIVERY_FOR_URL, e, "i", seq), NULL, e);
}

/* ---- questions ------------------------------------------------------------------------------------------------------ */

static void fill_user(sqlite3_stmt *s, void *out)
{
    struct store_user_by_email *q = out;
    q->user_id = sqlite3_column_int64(s, 0);
    sql_copy_text(s, 1, q->password_hash, sizeof q->password_hash);
}

bool sqlite_read_user_by_email(struct backend *b, struct store_read *read, struct error *e)
{
    struct store_user_by_email *q = (struct store_user_by_email *)read;
    struct connection *c = reader_take(b, e);
    return c && sqlite_read_one(b, c, sql_bind(c, SQL_USER_BY_EMAIL, e, "t", q->email), fill_user, q, ERR_NOT_FOUND, e);
}

static void fill_session(sqlite3_stmt *s, void *out)
{
    struct store_session *q = out;
    q->id = sqlite3_column_int64(s, 0);
    q->user_id = sqlite3_column_int64(s, 1);
    q->seen_ms = sqlite3_column_int64(s, 2);
    sql_copy_text(s, 3, q->email, sizeof q->email);
    sql_copy_text(s, 4, q->password_hash, sizeof q->password_hash);
    sql_copy_text(s, 5, q->account.id, sizeof q->account.id);
    sql_copy_text(s, 6, q->account.name, sizeof q->account.name);
    q->account.balance = sqlite3_column_int64(s, 7);
    q->account.held = sqlite3_column_int64(s, 8);
    q->account.created_ms = sqlite3_column_int64(s, 9);
}

bool sqlite_read_session(struct backend *b, struct store_read *read, struct error *e)
{
    struct store_session *q = (struct store_session *)read;
    struct connection *c = reader_take(b, e);
    if (!c) return false;
    sqlite3_stmt *s = sql_bind(c, SQL_SESSION_GET, e, "bi", q->hash, STORE_HASH_BYTES, q->now_ms);
    return sqlite_read_one(b, c, s, fill_session, q, ERR_NOT_FOUND, e);
}

static bool usage_row(sqlite3_stmt *s, void *arg)
{
    struct store_usage *q = arg;
    struct store_usage_row row = {.day = sqlite3_column_int64(s, 0),
                                  .bucket = sqlite3_column_int(s, 1),
                                  .requests = sqlite3_column_int64(s, 2),
                                  .credits = sqlite3_column_int64(s, 3),
                                  .errors = sqlite3_column_int64(s, 4)};
    return q->visit(q->arg, &row);
}

bool sqlite_read_usage(struct backend *b, struct store_read *read, struct error *e)
{
    struct store_usage *q = (struct store_usage *)read;
    struct connection *c = reader_take(b, e);
    return c && sqlite_read_rows(b, c, sql_bind(c, SQL_USAGE_LIST, e, "ti", q->account_id, q->since_day), usage_row, q, e);
}

static bool job_row(sqlite3_stmt *s, void *arg)
{
    struct store_recent_jobs *q = arg;
    struct store_job job;
    sqlite_fill_job(s, &job);
    return q->visit(q->arg, &job);
}

bool sqlite_read_recent_jobs(struct backend *b, struct store_read *read, struct error *e)
{
    struct store_recent_jobs *q = (struct store_recent_jobs *)read;
    struct connection *c = reader_take(b, e);
    if (!c) return false;
    sqlite3_stmt *s = sql_bind(c, SQL_JOBS_RECENT, e, "ti", q->account_id, (int64_t)q->limit);
    return sqlite_read_rows(b, c, s, job_row, q, e);
}

static bool (*const questions[STORE_READ_COUNT])(struct backend *, struct store_read *, struct error *) = {
    [STORE_READ_USER_BY_EMAIL] = sqlite_read_user_by_email,
    [STORE_READ_SESSION] = sqlite_read_session,
    [STORE_READ_USAGE] = sqlite_read_usage,
    [STORE_READ_RECENT_JOBS] = sqlite_read_recent_jobs,
    [STORE_READ_LEDGER] = sqlite_read_ledger,
    [STORE_READ_ENDPOINTS] = sqlite_read_endpoints,
    [STORE_READ_DELIVERIES] = sqlite_read_deliveries,
    [STORE_READ_DUE] = sqlite_read_due,
};

bool sqlite_read(struct backend *b, struct store_read *read, struct error *e) { return questions[read->verb](b, read, e); }

bool sqlite_read_rows(struct backend *b, struct connection *c, sqlite3_stmt *s, bool (*row)(sqlite3_stmt *s, void *arg),
                      void *arg, struct error *e)
{
    int rc = s ? SQLITE_ROW : SQLITE_ERROR;
    while (rc == SQLITE_ROW && (rc = sql_step(c, s, e)) == SQLITE_ROW) {
        if (!row(s, arg)) rc = SQLITE_DONE;
    }
    if (s) sql_end(s);
    reader_return(b, c);
    return rc == SQLITE_DONE;
}
