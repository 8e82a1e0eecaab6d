/* stripe.c - POST /v1/checkout/sessions (docs.stripe.com/api/checkout/sessions/create). */
#include <curl/curl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/uuid.h"
#include "billing/internal.h"

enum { CALL_MS = 15000, CONNECT_MS = 5000, ANSWER_MAX = 1 << 20, FORM_MAX = 8000 };

struct answer {
    char *bytes; /* ANSWER_MAX + 1 */
    size_t used;
};

static size_t keep(char *data, size_t size, size_t count, void *arg)
{
    struct answer *answer = arg;
    size_t n = size * count;
    if (n > ANSWER_MAX - answer->used) return 0;
    memcpy(answer->bytes + answer->used, data, n);
    answer->used += n;
    return n;
}

/* "name=value" in form encoding at `*used`; false: no room. */
static bool put(CURL *c, char form[FORM_MAX], size_t *used, const char *name, const char *value)
{
    char *n = curl_easy_escape(c, name, 0), *v = curl_easy_escape(c, value, 0);
    int wrote = n && v ? snprintf(form + *used, FORM_MAX - *used, "%s%s=%s", *used ? "&" : "", n, v) : -1;
    curl_free(n);
    curl_free(v);
    if (wrote < 0 || (size_t)wrote >= FORM_MAX - *used) return false;
    *used += (size_t)wrote;
    return true;
}

static bool put_number(CURL *c, char form[FORM_MAX], size_t *used, const char *name, int64_t value)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%lld", (long long)value);
    return put(c, form, used, name, text);
}

static bool write_form(CURL *c, char form[FORM_MAX], const struct pack *pack, const char *account_id, const char *email,
                       const char *site)
{
    char success[400], cancel[400], product[80];
    size_t n = 0;
    (void)snprintf(success, sizeof success, "%s/billing/?checkout=success", site);
    (void)snprintf(cancel, sizeof cancel, "%s/billing/?checkout=cancelled", site);
    (void)snprintf(product, sizeof product, "%lld credits", (long long)pack->credits);
    return put(c, form, &n, "mode", "payment") && put(c, form, &n, "success_url", success) &&
           put(c, form, &n, "cancel_url", cancel) && put(c, form, &n, "client_reference_id", account_id) &&
           put(c, form, &n, "metadata[account_id]", account_id) && put(c, form, &n, "metadata[pack]", pack->id) &&
           put_number(c, form, &n, "metadata[credits]", pack->credits) &&
           put(c, form, &n, "line_items[0][quantity]", "1") &&
           put(c, form, &n, "line_items[0][price_data][currency]", pack->currency) &&
           put_number(c, form, &n, "line_items[0][price_data][unit_amount]", pack->price_cents) &&
           put(c, form, &n, "line_items[0][price_data][product_data][name]", product) &&
           put(c, form, &n, "invoice_creation[enabled]", "true") &&
           (!email[0] || put(c, form, &n, "customer_email", email));
}

static bool set_options(CURL *c, const struct billing *b, struct curl_slist *headers, const char *form,
                        struct answer *answer)
{
    char url[300];
    bool ok = true;
    (void)snprintf(url, sizeof url, "%s/v1/checkout/sessions", b->stripe_url);
#define SET(option, value) ok = curl_easy_setopt(c, option, value) == CURLE_OK && ok
    SET(CURLOPT_URL, url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_TIMEOUT_MS, (long)CALL_MS);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    SET(CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
    SET(CURLOPT_XOAUTH2_BEARER, b->key);
    SET(CURLOPT_HTTPHEADER, headers);
    SET(CURLOPT_POSTFIELDS, form);
    SET(CURLOPT_WRITEFUNCTION, keep);
    SET(CURLOPT_WRITEDATA, answer);
    SET(CURLOPT_USERAGENT, "refractr/" REFRACTR_VERSION);
#undef SET
    return ok;
}

static bool unavailable(struct error *e, long status, const char *why)
{
    log_error(NULL, "billing: Checkout session not made", LOG_INT("status", status), LOG_STR("error", why));
    error_set(e, ERR_PAYMENTS_UNAVAILABLE, "", "the payment provider does not answer as it should; try again in a minute");
    e->retry_after_s = 60;
    return false;
}

static bool read_answer(const struct answer *answer, long status, char url[CHECKOUT_URL_CHARS + 1], struct error *e)
{
    json_error_t ignored;
    json_t *session = json_read(answer->bytes, answer->used, 0, &ignored);
    const char *told = json_string_value(json_object_get(session, "url"));
    const char *why = json_string_value(json_object_get(json_object_get(session, "error"), "message"));
    bool ok = status == 200 && told && strlen(told) <= CHECKOUT_URL_CHARS;
    if (ok) (void)snprintf(url, CHECKOUT_URL_CHARS + 1, "%s", told);
    else unavailable(e, status, why ? why : "no url in the answer");
    json_decref(session);
    return ok;
}

/* One call; `form` is ready. A retry by curl itself is safe: the idempotency key goes with it. */
static bool call(const struct billing *b, CURL *c, const char *form, char url[CHECKOUT_URL_CHARS + 1], struct error *e)
{
    char key[64], id[UUID_CHARS + 1];
    struct answer answer = {.bytes = malloc(ANSWER_MAX)};
    uuid_make(id);
    (void)snprintf(key, sizeof key, "Idempotency-Key: %s", id);
    struct curl_slist *headers = curl_slist_append(NULL, key);
    bool ok = answer.bytes && headers && set_options(c, b, headers, form, &answer);
    CURLcode code = ok ? curl_easy_perform(c) : CURLE_OUT_OF_MEMORY;
    long status = 0;
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    ok = code == CURLE_OK ? read_answer(&answer, status, url, e) : unavailable(e, status, curl_easy_strerror(code));
    curl_slist_free_all(headers);
    free(answer.bytes);
    return ok;
}

bool billing_checkout(struct billing *b, const char *pack_id, const char *account_id, const char *email, const char *site,
                      char url[CHECKOUT_URL_CHARS + 1], struct error *e)
{
    const struct pack *pack = NULL;
    for (int i = 0; i < b->pack_count; i++)
        if (!strcmp(b->packs[i].id, pack_id)) pack = &b->packs[i];
    if (!pack) return error_set(e, ERR_INVALID_VALUE, "pack", "there is no pack \"%.40s\"", pack_id);
    if (!billing_ready(b))
        return error_set(e, ERR_PAYMENTS_UNAVAILABLE, "", "payments are not set up here; the billing page says how to get credits");
    char form[FORM_MAX];
    CURL *c = curl_easy_init();
    bool ok = c && write_form(c, form, pack, account_id, email, site);
    if (!ok) error_set(e, ERR_INTERNAL, "", "the payment could not be prepared");
    ok = ok && call(b, c, form, url, e);
    curl_easy_cleanup(c);
    return ok;
}
