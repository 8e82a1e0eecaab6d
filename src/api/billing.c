/* billing.c - /web/v1/billing: balance, packs, ledger (JSON and CSV), Checkout; POST /stripe/webhook. */
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "base/clock.h"
#include "billing/billing.h"

enum { LEDGER_DEFAULT = 100, LEDGER_MAX = 1000, CSV_MAX = 250000 /* entries, newest first: 20 MB */ };

static json_t *packs_json(const struct billing *billing)
{
    int count;
    const struct pack *packs = billing_packs(billing, &count);
    json_t *rows = json_array();
    for (int i = 0; i < count; i++)
        (void)web_append(&rows, json_pack("{s:s, s:I, s:I, s:s}", "id", packs[i].id, "credits", (json_int_t)packs[i].credits,
                                          "price_cents", (json_int_t)packs[i].price_cents, "currency", packs[i].currency));
    return rows;
}

void handle_billing(void *context, struct request *r)
{
    struct api *api = context;
    const struct store_account *a = &visit_of(r)->session.account;
    json_t *credits = json_pack("{s:I, s:I}", "available", (json_int_t)(a->balance - a->held), "held", (json_int_t)a->held);
    request_reply_json(r, 200, json_pack("{s:o, s:o, s:b, s:s}", "credits", credits, "packs",
                                         packs_json(api->options.billing), "stripe", billing_ready(api->options.billing),
                                         "contact", api->options.contact ? api->options.contact : ""));
}

/* ---- ledger ---------------------------------------------------------------------------------------------------------- */

static const char *kind_name(const char *kind) { return strcmp(kind, "usage") ? kind : "extraction"; }

static bool add_entry(void *arg, const struct store_ledger_row *row)
{
    json_t *entry = json_pack("{s:o, s:o, s:s, s:I, s:I, s:s?, s:s?}", "id", web_id(row->id), "created_at",
                              web_time(row->created_ms), "kind", kind_name(row->kind), "credits", (json_int_t)row->amount,
                              "balance", (json_int_t)row->balance, "note", row->note, "invoice_url", row->invoice_url);
    return web_append(arg, entry);
}

static void ledger(struct api *api, struct request *r)
{
    struct error e = {0};
    json_t *rows = json_array();
    struct store_ledger q = {.read = {STORE_READ_LEDGER},
                             .account_id = visit_of(r)->caller.account_id,
                             .limit = web_limit(r, "limit", LEDGER_DEFAULT, LEDGER_MAX),
                             .visit = add_entry,
                             .arg = &rows};
    if (store_read(api->options.store, &q.read, &e)) {
        request_reply_json(r, 200, json_pack("{s:o}", "entries", rows));
        return;
    }
    json_decref(rows);
    request_fail(r, &e, NULL);
}

/* RFC 4180. A value a spreadsheet would run as a formula gets an apostrophe before it. */
static void put_csv(FILE *out, const char *text)
{
    fputs(",\"", out);
    if (text && *text && strchr("=+-@\t\r", *text)) fputc('\'', out);
    for (; text && *text; text++) {
        if (*text == '"') fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

static bool add_line(void *arg, const struct store_ledger_row *row)
{
    FILE *out = arg;
    char at[CLOCK_ISO_CHARS + 1];
    clock_iso8601(row->created_ms, at);
    fprintf(out, "%lld,%s,%s,%lld,%lld", (long long)row->id, at, kind_name(row->kind), (long long)row->amount,
            (long long)row->balance);
    put_csv(out, row->note);
    put_csv(out, row->invoice_url);
    fputs("\r\n", out);
    return !ferror(out);
}

static void ledger_csv(struct api *api, struct request *r)
{
    struct error e = {0};
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    struct store_ledger q = {.read = {STORE_READ_LEDGER},
                             .account_id = visit_of(r)->caller.account_id,
                             .limit = CSV_MAX,
                             .visit = add_line,
                             .arg = out};
    bool ok = out != NULL;
    if (ok) fputs("id,created_at,kind,credits,balance,note,invoice_url\r\n", out);
    if (ok) ok = store_read(api->options.store, &q.read, &e);
    if (out && (fclose(out) != 0 || !text)) ok = false; /* glibc tells a failed last step by no text alone */
    if (ok) {
        request_add_header(r, "Content-Disposition", "attachment; filename=\"refractr-ledger.csv\"");
        request_reply(r, 200, "text/csv; charset=utf-8", text, bytes, free);
        return;
    }
    free(text);
    if (e.code == ERR_NONE) error_set(&e, ERR_INTERNAL, "", "There is no memory for the list.");
    request_fail(r, &e, NULL);
}

/* ---- Stripe ---------------------------------------------------------------------------------------------------------- */

/* Where the browser comes back to. */
static void site_of(struct api *api, struct request *r, char site[256])
{
    const char *host = request_header(r, "Host");
    if (api->options.public_url) (void)snprintf(site, 256, "%s", api->options.public_url);
    else (void)snprintf(site, 256, "%s://%s", web_behind_tls(api, r) ? "https" : "http", host ? host : "localhost");
}

static void checkout(struct api *api, struct request *r)
{
    char site[256], url[CHECKOUT_URL_CHARS + 1];
    struct error e = {0};
    json_t *body = web_body(r, &e);
    const char *pack = body ? web_text(body, "pack", &e) : NULL;
    site_of(api, r, site);
    bool ok = pack && billing_checkout(api->options.billing, pack, visit_of(r)->caller.account_id,
                                       visit_of(r)->session.email, site, url, &e);
    json_decref(body);
    if (ok) request_reply_json(r, 200, json_pack("{s:s}", "url", url));
    else request_fail(r, &e, NULL);
}

static void stripe_event(struct api *api, struct request *r)
{
    struct error e = {0};
    size_t bytes;
    const char *body = request_body(r, &bytes);
    if (billing_event(api->options.billing, request_header(r, "Stripe-Signature"), body, bytes, &e)) web_ok(r);
    else request_fail(r, &e, NULL);
}

void handle_ledger(void *context, struct request *r)
{
    struct api *api = context;
    web_work(r, api->desk, ledger);
}

void handle_ledger_csv(void *context, struct request *r)
{
    struct api *api = context;
    web_work(r, api->desk, ledger_csv);
}

void handle_checkout(void *context, struct request *r)
{
    struct api *api = context;
    web_work(r, api->payments, checkout);
}

void handle_stripe_event(void *context, struct request *r)
{
    struct api *api = context;
    struct error e = {0};
    if (visit_open(api, r, &e)) web_work(r, api->desk, stripe_event);
    else request_fail(r, &e, NULL);
}
