/* internal.h - what the files of billing/ share.
 *
 *     packs.c  opening, the table of packs, secrets from files      stripe.c  the call to Stripe      event.c  its events */
#ifndef REFRACTR_BILLING_INTERNAL_H
#define REFRACTR_BILLING_INTERNAL_H

#include "billing/billing.h"

enum { SECRET_CHARS = 255 };

struct billing {
    struct store *store;
    struct pack packs[PACKS_MAX];
    int pack_count;
    char stripe_url[256];
    char key[SECRET_CHARS + 1], webhook_secret[SECRET_CHARS + 1]; /* "" when not configured */
};

#endif
