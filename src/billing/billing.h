/* billing.h - credits for money: the table of packs, and Stripe Checkout by which they are paid.
 *
 *     POST /web/v1/billing/checkout -> billing_checkout: a Checkout session with the account and the pack in its metadata
 *     Stripe -> POST /stripe/webhook -> billing_event: the only place where bought credits are given
 * Events are trusted by their signature alone (HMAC-SHA256 over the raw body, docs.stripe.com/webhooks#verify-manually);
 * they may come twice, late and in any order. Refunds take back the same share of the purchase's credits as was refunded
 * of its money, as far as they are unspent; the balance never goes below zero, what was spent is logged and let go.
 * Both functions block: never call them on the HTTP thread. Called by api/. */
#ifndef REFRACTR_BILLING_BILLING_H
#define REFRACTR_BILLING_BILLING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct store;
struct billing;

enum { PACKS_MAX = 20, PACK_ID_CHARS = 40, CHECKOUT_URL_CHARS = 4000, SIGNATURE_TOLERANCE_S = 300 };

struct pack {
    char id[PACK_ID_CHARS + 1];
    int64_t credits, price_cents;
    char currency[4]; /* ISO 4217, lower case */
};

struct billing_options {
    const char *packs_file;      /* JSON: [{"id", "credits", "price_cents", "currency"}]; NULL: a built-in table */
    const char *key_file;        /* holds Stripe's secret key; NULL: no payments */
    const char *webhook_secret_file;
    const char *stripe_url;      /* NULL: https://api.stripe.com */
};

struct billing *billing_open(struct store *store, const struct billing_options *options, struct error *e)
    __attribute__((warn_unused_result));
void billing_close(struct billing *billing);

bool billing_ready(const struct billing *billing); /* can anything be paid? */
const struct pack *billing_packs(const struct billing *billing, int *count);

/* A Checkout session for the pack; comes back to <site>/billing/. `email` may be "". ERR_INVALID_VALUE (pack),
 * ERR_PAYMENTS_UNAVAILABLE. */
bool billing_checkout(struct billing *billing, const char *pack_id, const char *account_id, const char *email,
                      const char *site, char url[CHECKOUT_URL_CHARS + 1], struct error *e)
    __attribute__((warn_unused_result));

/* `signature`: the header Stripe-Signature or NULL. ERR_SIGNATURE: not from Stripe, or older than the tolerance. */
bool billing_event(struct billing *billing, const char *signature, const char *body, size_t bytes, struct error *e)
    __attribute__((warn_unused_result));

#endif
