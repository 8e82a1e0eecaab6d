/* fuzz_stripe.c - Stripe's deliveries: "signature header LF body", once as it came, once with the body signed right. Only
 * the signed one may change anything, and what it asks the store for is within the ledger's bounds. */
#include "billing/event.c"

#include "fuzz.h"

static bool may_write;
static bool fail_writes;

static void check_id(const char *id, bool needed) { must(id ? strlen(id) <= STORE_STRIPE_ID_CHARS : !needed); }

/* In place of the store: looks at what would have been written. */
bool store_write_wait(struct store *store, struct store_write *write, struct error *e)
{
    (void)store;
    must(may_write);
    if (write->verb == STORE_PURCHASE) {
        const struct store_purchase *w = (const struct store_purchase *)write;
        check_id(w->session_id, true), check_id(w->account_id, true);
        check_id(w->payment_intent, false), check_id(w->invoice_id, false);
        must(w->credits >= 1 && w->credits <= 1000000000 && strlen(w->note) < STORE_NOTE_CHARS);
    } else if (write->verb == STORE_REFUND) {
        const struct store_refund *w = (const struct store_refund *)write;
        check_id(w->payment_intent, true);
        must(w->amount > 0 && w->refunded > 0);
    } else {
        const struct store_invoice *w = (const struct store_invoice *)write;
        must(write->verb == STORE_INVOICE && strlen(w->url) <= STORE_URL_CHARS && !strncmp(w->url, "https://", 8));
        check_id(w->invoice_id, true);
    }
    return fail_writes ? error_set(e, ERR_STORE_UNAVAILABLE, "", "not now") : true;
}

static void sign(const struct billing *b, const char *body, size_t bytes, char *header, size_t size)
{
    char now[24], hex[SIGNATURE_HEX + 1];
    (void)snprintf(now, sizeof now, "%lld", (long long)clock_wall_ms() / 1000);
    signature_of(b, now, strlen(now), body, bytes, hex);
    (void)snprintf(header, size, "t=%s,v0=ab,v1=%s", now, hex);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct billing b = {.webhook_secret = "whsec_fuzz"};
    const uint8_t *line = memchr(data, '\n', size);
    if (!line) return 0;
    log_set_level(LOG_OFF);
    size_t bytes = size - (size_t)(line + 1 - data);
    char *header = as_text(data, (size_t)(line - data)), *body = as_text(line + 1, bytes), genuine[200];
    struct error e = {0};
    may_write = false;
    must(!billing_event(&b, header, body, bytes, &e) && e.code == ERR_SIGNATURE);
    must(!billing_event(&b, NULL, body, bytes, &e) && e.code == ERR_SIGNATURE);
    sign(&b, body, bytes, genuine, sizeof genuine);
    may_write = true;
    fail_writes = bytes % 7 == 0;
    bool ok = billing_event(&b, genuine, body, bytes, &e);
    must(ok || (fail_writes && e.code == ERR_STORE_UNAVAILABLE));
    free(header);
    free(body);
    return 0;
}
