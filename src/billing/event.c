/* event.c - Stripe's events: is it genuine (docs.stripe.com/webhooks#verify-manually), and what does it change?
 *
 * An event that changes nothing here is answered 200 as well, or Stripe would send it for days. */
#include <errno.h>
#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "billing/internal.h"
#include "store/store_web.h"

enum { HEADER_MAX = 2000, SIGNATURE_HEX = 2 * crypto_auth_hmacsha256_BYTES };

/* ---- the signature --------------------------------------------------------------------------------------------------- */

static void signature_of(const struct billing *b, const char *at, size_t at_chars, const char *body, size_t bytes,
                         char hex[SIGNATURE_HEX + 1])
{
    crypto_auth_hmacsha256_state state;
    unsigned char mac[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_init(&state, (const unsigned char *)b->webhook_secret, strlen(b->webhook_secret));
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)at, at_chars);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)".", 1);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)body, bytes);
    crypto_auth_hmacsha256_final(&state, mac);
    sodium_bin2hex(hex, SIGNATURE_HEX + 1, mac, sizeof mac);
}

/* "t=1492774577,v1=5257a8...,v1=...": one v1 must fit, and t be within the tolerance. */
static bool is_genuine(const struct billing *b, const char *header, const char *body, size_t bytes)
{
    char expected[SIGNATURE_HEX + 1] = "";
    bool fits = false, fresh = false;
    if (!header || strlen(header) > HEADER_MAX) return false;
    for (const char *at = header; *at; at += strcspn(at, ","), at += *at == ',') {
        size_t n = strcspn(at, ",");
        if (n > 2 && !strncmp(at, "t=", 2) && !expected[0]) {
            char *end;
            errno = 0;
            long long t = strtoll(at + 2, &end, 10), now = clock_wall_ms() / 1000;
            fresh = !errno && end == at + n && t <= now + SIGNATURE_TOLERANCE_S && t >= now - SIGNATURE_TOLERANCE_S;
            signature_of(b, at + 2, n - 2, body, bytes, expected);
        } else if (n == 3 + SIGNATURE_HEX && !strncmp(at, "v1=", 3) && expected[0]) {
            fits = sodium_memcmp(at + 3, expected, SIGNATURE_HEX) == 0 || fits;
        }
    }
    return fits && fresh;
}

/* ---- what an event changes ------------------------------------------------------------------------------------------- */

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text && strlen(text) <= STORE_STRIPE_ID_CHARS ? text : NULL;
}

/* checkout.session.completed and .async_payment_succeeded: only when paid. */
static bool on_session(struct billing *b, const json_t *session, struct error *e)
{
    const json_t *metadata = json_object_get(session, "metadata");
    const char *status = text_of(session, "payment_status"), *credits = text_of(metadata, "credits");
    char note[STORE_NOTE_CHARS];
    struct store_purchase w = {.write = {.verb = STORE_PURCHASE},
                               .session_id = text_of(session, "id"),
                               .account_id = text_of(metadata, "account_id"),
                               .payment_intent = text_of(session, "payment_intent"),
                               .invoice_id = text_of(session, "invoice"),
                               .note = note,
                               .credits = credits ? strtoll(credits, NULL, 10) : 0,
                               .now_ms = clock_wall_ms()};
    const char *pack = text_of(metadata, "pack");
    if (!status || strcmp(status, "paid") != 0) return true; /* the money comes later, or never */
    if (!w.session_id || !w.account_id || w.credits <= 0 || w.credits > 1000000000) {
        log_info(NULL, "billing: a Checkout session that is not ours", LOG_STR("session", w.session_id));
        return true;
    }
    (void)snprintf(note, sizeof note, "%.100s", pack ? pack : "pack");
    if (!store_write_wait(b->store, &w.write, e)) {
        if (e->code != ERR_NOT_FOUND) return false;
        log_error(NULL, "billing: paid by an unknown account", LOG_STR("session", w.session_id));
        return true;
    }
    log_info(NULL, "billing: purchase", LOG_STR("session", w.session_id), LOG_STR("account", w.account_id),
             LOG_INT("credits", w.credits), LOG_INT("applied", w.applied));
    return true;
}

static bool on_refund(struct billing *b, const json_t *charge, struct error *e)
{
    struct store_refund w = {.write = {.verb = STORE_REFUND},
                             .payment_intent = text_of(charge, "payment_intent"),
                             .amount = json_integer_value(json_object_get(charge, "amount")),
                             .refunded = json_integer_value(json_object_get(charge, "amount_refunded")),
                             .now_ms = clock_wall_ms()};
    if (!w.payment_intent || w.amount <= 0 || w.refunded <= 0) return true;
    if (!store_write_wait(b->store, &w.write, e)) return false;
    log_info(NULL, "billing: refund", LOG_STR("payment_intent", w.payment_intent), LOG_INT("credits", w.taken));
    return true;
}

static bool on_invoice(struct billing *b, const json_t *invoice, struct error *e)
{
    const char *url = json_string_value(json_object_get(invoice, "hosted_invoice_url"));
    struct store_invoice w = {.write = {.verb = STORE_INVOICE}, .invoice_id = text_of(invoice, "id"), .url = url};
    if (!w.invoice_id || !url || strncmp(url, "https://", 8) != 0 || strlen(url) > STORE_URL_CHARS) return true;
    return store_write_wait(b->store, &w.write, e);
}

static const struct {
    const char *type;
    bool (*handle)(struct billing *b, const json_t *object, struct error *e);
} events[] = {
    {"checkout.session.completed", on_session},
    {"checkout.session.async_payment_succeeded", on_session},
    {"charge.refunded", on_refund},
    {"invoice.finalized", on_invoice},
    {"invoice.paid", on_invoice},
};

bool billing_event(struct billing *b, const char *signature, const char *body, size_t bytes, struct error *e)
{
    if (!b->webhook_secret[0])
        return error_set(e, ERR_PAYMENTS_UNAVAILABLE, "", "payments are not set up here (--stripe-webhook-secret-file)");
    if (!is_genuine(b, signature, body, bytes))
        return error_set(e, ERR_SIGNATURE, "Stripe-Signature", "the signature does not fit the body, or is older than %d s",
                         SIGNATURE_TOLERANCE_S);
    json_error_t found;
    json_t *event = json_read(body, bytes, 0, &found);
    if (!event && json_error_code(&found) == json_error_out_of_memory)
        return error_set(e, ERR_INTERNAL, "", "there is no memory for this event; send it again");
    const char *type = json_string_value(json_object_get(event, "type"));
    const json_t *object = json_object_get(json_object_get(event, "data"), "object");
    bool ok = true;
    for (size_t i = 0; type && i < sizeof events / sizeof events[0]; i++)
        if (!strcmp(events[i].type, type)) ok = events[i].handle(b, object, e);
    json_decref(event);
    return ok;
}
