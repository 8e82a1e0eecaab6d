/* sqlite_billing.c - purchases, refunds, invoices, the ledger's listing: verbs and questions of store_web.h.
 *
 * A purchase is told by one event and its refunds by others, in any order and more than once. The refund is therefore
 * noted under its payment first; what is due is then worked out from both rows, by whichever of the two comes last. */
#include "base/log.h"
#include "store/sqlite_internal.h"

/* Takes back what the noted refund of the payment asks for and is free. Nothing when the purchase is not there yet. */
static bool apply_refund(struct connection *c, const char *payment_intent, int64_t now_ms, int64_t *taken, struct error *e)
{
    char account_id[STORE_ID_CHARS + 1] = "";
    int64_t due = 0, available = 0, balance;
    bool found;
    *taken = 0;
    sqlite3_stmt *s = sql_bind(c, SQL_REFUND_DUE, e, "t", payment_intent);
    bool ok = sql_step_row(c, s, &found, e);
    if (ok && found) {
        sql_copy_text(s, 0, account_id, sizeof account_id);
        due = sqlite3_column_int64(s, 1);
        available = sqlite3_column_int64(s, 2);
    }
    if (s) sql_end(s);
    if (!ok || !found || due <= 0) return ok;
    *taken = due < available ? due : available;
    if (*taken < due)
        log_warn(NULL, "billing: refunded credits were spent already", LOG_STR("account", account_id),
                 LOG_INT("credits", due - *taken));
    if (!sql_run(c, sql_bind(c, SQL_REFUND_DONE, e, "ti", payment_intent, due), NULL, e)) return false;
    if (*taken == 0) return true;
    if (!sql_run_returning(c, sql_bind(c, SQL_BALANCE_ADD, e, "ti", account_id, -*taken), &balance, &found, e)) return false;
    return sqlite_ledger_add(c, account_id, -*taken, "refund", NULL, "payment refunded", now_ms, e);
}

bool sqlite_purchase(struct connection *c, struct store_write *write, struct error *e)
{
    struct store_purchase *w = (struct store_purchase *)write;
    int64_t balance, taken;
    int changes;
    bool found;
    if (!sqlite_require_account(c, w->account_id, e)) return false;
    sqlite3_stmt *s = sql_bind(c, SQL_PURCHASE_ADD, e, "tttti", w->session_id, w->account_id, w->payment_intent,
                               w->invoice_id, w->credits);
    if (!sql_run(c, s, &changes, e)) return false;
    w->applied = changes == 1;
    if (!w->applied) return true;
    s = sql_bind(c, SQL_BALANCE_ADD, e, "ti", w->account_id, w->credits);
    return sql_run_returning(c, s, &balance, &found, e) &&
           sqlite_ledger_add(c, w->account_id, w->credits, "purchase", NULL, w->note, w->now_ms, e) &&
           sql_run(c, sql_bind(c, SQL_PURCHASE_LEDGER, e, "t", w->session_id), NULL, e) &&
           (!w->payment_intent || apply_refund(c, w->payment_intent, w->now_ms, &taken, e));
}

bool sqlite_refund(struct connection *c, struct store_write *write, struct error *e)
{
    struct store_refund *w = (struct store_refund *)write;
    sqlite3_stmt *s = sql_bind(c, SQL_REFUND_NOTE, e, "tii", w->payment_intent, w->amount, w->refunded);
    return sql_run(c, s, NULL, e) && apply_refund(c, w->payment_intent, w->now_ms, &w->taken, e);
}

bool sqlite_invoice(struct connection *c, struct store_write *write, struct error *e)
{
    struct store_invoice *w = (struct store_invoice *)write;
    return sql_run(c, sql_bind(c, SQL_INVOICE_ADD, e, "tt", w->invoice_id, w->url), NULL, e);
}

struct ledger_walk {
    struct store_ledger *q;
    int64_t later; /* sum of the entries after this one */
};

static bool ledger_row(sqlite3_stmt *s, void *arg)
{
    struct ledger_walk *walk = arg;
    struct store_ledger_row row = {.id = sqlite3_column_int64(s, 0),
                                   .created_ms = sqlite3_column_int64(s, 1),
                                   .amount = sqlite3_column_int64(s, 2),
                                   .balance = sqlite3_column_int64(s, 3) - walk->later,
                                   .kind = (const char *)sqlite3_column_text(s, 4),
                                   .note = (const char *)sqlite3_column_text(s, 5),
                                   .invoice_url = (const char *)sqlite3_column_text(s, 6)};
    walk->later += row.amount;
    return walk->q->visit(walk->q->arg, &row);
}

bool sqlite_read_ledger(struct backend *b, struct store_read *read, struct error *e)
{
    struct ledger_walk walk = {.q = (struct store_ledger *)read};
    struct connection *c = reader_take(b, e);
    if (!c) return false;
    sqlite3_stmt *s = sql_bind(c, SQL_LEDGER_LIST, e, "ti", walk.q->account_id, (int64_t)walk.q->limit);
    return sqlite_read_rows(b, c, s, ledger_row, &walk, e);
}
