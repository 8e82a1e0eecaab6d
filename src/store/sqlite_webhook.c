/* sqlite_webhook.c - webhook endpoints and the queue of deliveries: verbs and questions of store_web.h. Deliveries are
 * made where a job ends (sqlite_job_ended), so an event is durable exactly when its job's end is. */
#include <stdlib.h>

#include "base/uuid.h"
#include "store/sqlite_internal.h"

static bool no_endpoint(struct error *e) { return error_set(e, ERR_NOT_FOUND, "id", "there is no such webhook endpoint"); }

bool sqlite_endpoint_create(struct connection *c, struct store_write *write, struct error *e)
{
    struct store_endpoint_create *w = (struct store_endpoint_create *)write;
    int changes;
    sqlite3_stmt *s = sql_bind(c, SQL_ENDPOINT_ADD, e, "ttbii", w->account_id, w->url, w->secret, STORE_SECRET_BYTES,
                               (int64_t)w->limit, w->now_ms);
    if (!sql_run(c, s, &changes, e)) return false;
    w->endpoint_id = sqlite3_last_insert_rowid(c->db);
    return changes == 1 ||
           error_set(e, ERR_INVALID_VALUE, "url", "an account may have %d webhook endpoints; remove one first", w->limit);
}

bool sqlite_endpoint_delete(struct connection *c, struct store_write *write, struct error *e)
{
    struct store_endpoint_delete *w = (struct store_endpoint_delete *)write;
    int changes;
    if (!sql_run(c, sql_bind(c, SQL_ENDPOINT_DROP, e, "it", w->endpoint_id, w->account_id), &changes, e)) return false;
    if (changes == 0) return no_endpoint(e);
    return sql_run(c, sql_bind(c, SQL_ENDPOINT_DELIVERIES_DROP, e, "i", w->endpoint_id), NULL, e);
}

bool sqlite_endpoint_test(struct connection *c, struct store_write *write, struct error *e)
{
    struct store_endpoint_test *w = (struct store_endpoint_test *)write;
    char msg_id[UUID_CHARS + 1];
    int changes;
    uuid_make(msg_id);
    sqlite3_stmt *s = sql_bind(c, SQL_DELIVERY_TEST, e, "titi", msg_id, w->endpoint_id, w->account_id, w->now_ms);
    if (!sql_run(c, s, &changes, e)) return false;
    w->delivery_id = sqlite3_last_insert_rowid(c->db);
    return changes == 1 || no_endpoint(e);
}

bool sqlite_delivery_result(struct connection *c, struct store_write *write, struct error *e)
{
    struct store_delivery_result *w = (struct store_delivery_result *)write;
    sqlite3_stmt *s = sql_bind(c, SQL_DELIVERY_RESULT, e, "iiii", w->delivery_id, (int64_t)w->state,
                               (int64_t)w->response_status, w->next_attempt_ms);
    return sql_run(c, s, NULL, e) &&
           (!w->disable || sql_run(c, sql_bind(c, SQL_ENDPOINT_DISABLE, e, "ii", w->delivery_id, w->now_ms), NULL, e)) &&
           sql_run(c, sql_bind(c, SQL_DELIVERIES_SWEEP, e, "i", w->sweep_before_ms), NULL, e);
}

static bool endpoint_row(sqlite3_stmt *s, void *arg)
{
    struct store_endpoints *q = arg;
    struct store_endpoint endpoint = {.id = sqlite3_column_int64(s, 0),
                                      .created_ms = sqlite3_column_int64(s, 1),
                                      .disabled_ms = sqlite3_column_int64(s, 2),
                                      .url = (const char *)sqlite3_column_text(s, 3)};
    return q->visit(q->arg, &endpoint);
}

bool sqlite_read_endpoints(struct backend *b, struct store_read *read, struct error *e)
{
    struct store_endpoints *q = (struct store_endpoints *)read;
    struct connection *c = reader_take(b, e);
    return c && sqlite_read_rows(b, c, sql_bind(c, SQL_ENDPOINT_LIST, e, "t", q->account_id), endpoint_row, q, e);
}

static void fill_delivery(sqlite3_stmt *s, struct store_delivery *d)
{
    *d = (struct store_delivery){.id = sqlite3_column_int64(s, 0),
                                 .created_ms = sqlite3_column_int64(s, 1),
                                 .next_attempt_ms = sqlite3_column_int64(s, 2),
                                 .event = (const char *)sqlite3_column_text(s, 3),
                                 .attempts = sqlite3_column_int(s, 4),
                                 .response_status = sqlite3_column_int(s, 5),
                                 .state = (enum store_delivery_state)sqlite3_column_int(s, 6)};
}

static bool delivery_row(sqlite3_stmt *s, void *arg)
{
    struct store_deliveries *q = arg;
    struct store_delivery delivery;
    fill_delivery(s, &delivery);
    return q->visit(q->arg, &delivery);
}

static void fill_nothing(sqlite3_stmt *s, void *out) { (void)s, (void)out; }

bool sqlite_read_deliveries(struct backend *b, struct store_read *read, struct error *e)
{
    struct store_deliveries *q = (struct store_deliveries *)read;
    struct connection *c = reader_take(b, e);
    if (!c) return false;
    sqlite3_stmt *s = sql_bind(c, SQL_ENDPOINT_GET, e, "it", q->endpoint_id, q->account_id);
    if (!sqlite_read_one(b, c, s, fill_nothing, NULL, ERR_NOT_FOUND, e)) {
        return e->code == ERR_NOT_FOUND ? no_endpoint(e) : false;
    }
    if (!(c = reader_take(b, e))) return false;
    s = sql_bind(c, SQL_DELIVERY_LIST, e, "ii", q->endpoint_id, (int64_t)q->limit);
    return sqlite_read_rows(b, c, s, delivery_row, q, e);
}

/* The job as it was when it ended, from the delivery's own columns 11 to 18. */
static void fill_event(sqlite3_stmt *s, struct store_job *job)
{
    sql_copy_text(s, 11, job->id, sizeof job->id);
    job->state = (enum store_job_state)sqlite3_column_int(s, 12);
    job->latency_ms = sqlite3_column_int64(s, 13);
    job->credits_charged = sqlite3_column_int(s, 14);
    job->result = (char *)(size_t)sqlite3_column_text(s, 15);
    if (job->state != STORE_FAILED) return;
    const char *code = (const char *)sqlite3_column_text(s, 16);
    job->error.code = error_code_parse(code ? code : "");
    sql_copy_text(s, 17, job->error.param, sizeof job->error.param);
    sql_copy_text(s, 18, job->error.message, sizeof job->error.message);
}

static bool due_row(sqlite3_stmt *s, void *arg)
{
    struct store_due *q = arg;
    struct store_delivery d;
    fill_delivery(s, &d);
    sql_copy_text(s, 7, d.account_id, sizeof d.account_id);
    sql_copy_text(s, 8, d.msg_id, sizeof d.msg_id);
    d.url = (const char *)sqlite3_column_text(s, 9);
    d.secret = sqlite3_column_blob(s, 10);
    fill_event(s, &d.job);
    return !d.url || !d.secret || q->visit(q->arg, &d);
}

bool sqlite_read_due(struct backend *b, struct store_read *read, struct error *e)
{
    struct store_due *q = (struct store_due *)read;
    struct connection *c = reader_take(b, e);
    if (!c) return false;
    sqlite3_stmt *s = sql_bind(c, SQL_DELIVERY_DUE, e, "iii", q->now_ms, (int64_t)q->per_account, (int64_t)q->limit);
    return sqlite_read_rows(b, c, s, due_row, q, e);
}
