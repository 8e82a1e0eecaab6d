/* packs.c - what billing is opened with: the table of packs and the secrets, each from a file. */
#include <errno.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "billing/internal.h"

static const struct pack default_packs[] = {
    {"starter", 1000, 900, "eur"},
    {"team", 10000, 7900, "eur"},
    {"scale", 100000, 64900, "eur"},
};

/* The first line of the file, without blanks around. */
static bool read_secret(const char *path, const char *option, char out[SECRET_CHARS + 1], struct error *e)
{
    if (!path) return true;
    FILE *file = fopen(path, "re");
    bool ok = file && fgets(out, SECRET_CHARS + 1, file);
    if (file) (void)fclose(file);
    if (ok) out[strcspn(out, " \t\r\n")] = '\0';
    if (ok && out[0]) return true;
    return error_set(e, ERR_INTERNAL, option, "%s: cannot read a secret from %s: %s", option, path,
                     ok ? "its first line is empty" : strerror(errno));
}

static bool read_pack(const json_t *row, struct pack *pack)
{
    const char *id, *currency;
    json_int_t credits, price;
    if (json_unpack((json_t *)(size_t)row, "{s:s, s:I, s:I, s:s !}", "id", &id, "credits", &credits, "price_cents", &price,
                    "currency", &currency)) {
        return false;
    }
    bool ok = *id && strlen(id) <= PACK_ID_CHARS && strlen(currency) == 3 && credits > 0 && credits <= 1000000000 &&
              price > 0 && price <= 100000000;
    if (!ok) return false;
    *pack = (struct pack){.credits = credits, .price_cents = price};
    memcpy(pack->id, id, strlen(id) + 1);
    for (int i = 0; i < 3; i++) pack->currency[i] = (char)(currency[i] | 0x20);
    return true;
}

static bool read_packs(struct billing *b, const char *path, struct error *e)
{
    json_error_t found;
    json_t *rows = json_load_file(path, JSON_REJECT_DUPLICATES, &found);
    if (!rows) {
        return error_set(e, ERR_INTERNAL, "--packs", "--packs %s: %s (line %d)", path, found.text, found.line);
    }
    size_t count = json_array_size(rows);
    bool ok = json_is_array(rows) && count >= 1 && count <= PACKS_MAX;
    for (size_t i = 0; ok && i < count; i++) ok = read_pack(json_array_get(rows, i), &b->packs[b->pack_count++]);
    json_decref(rows);
    return ok || error_set(e, ERR_INTERNAL, "--packs", "--packs %s must be a list of 1 to %d objects "
                           "{\"id\", \"credits\", \"price_cents\", \"currency\"}; row %d is not one", path, PACKS_MAX,
                           b->pack_count);
}

struct billing *billing_open(struct store *store, const struct billing_options *o, struct error *e)
{
    struct billing *b = calloc(1, sizeof *b);
    if (!b) return error_set(e, ERR_INTERNAL, "", "out of memory"), NULL;
    b->store = store;
    (void)snprintf(b->stripe_url, sizeof b->stripe_url, "%s", o->stripe_url ? o->stripe_url : "https://api.stripe.com");
    if (!o->packs_file) {
        memcpy(b->packs, default_packs, sizeof default_packs);
        b->pack_count = (int)(sizeof default_packs / sizeof default_packs[0]);
    }
    bool ok = (!o->packs_file || read_packs(b, o->packs_file, e)) &&
              read_secret(o->key_file, "--stripe-key-file", b->key, e) &&
              read_secret(o->webhook_secret_file, "--stripe-webhook-secret-file", b->webhook_secret, e);
    if (ok && b->key[0] && !b->webhook_secret[0])
        ok = error_set(e, ERR_INTERNAL, "", "--stripe-key-file needs --stripe-webhook-secret-file: without it nobody who paid "
                       "would get credits");

    if (ok) return b;
    billing_close(b);
    return NULL;
}

void billing_close(struct billing *b)
{
    if (!b) return;
    sodium_memzero(b->key, sizeof b->key);
    sodium_memzero(b->webhook_secret, sizeof b->webhook_secret);
    free(b);
}

bool billing_ready(const struct billing *b) { return b->key[0] != '\0'; }

const struct pack *billing_packs(const struct billing *b, int *count)
{
    *count = b->pack_count;
    return b->packs;
}
