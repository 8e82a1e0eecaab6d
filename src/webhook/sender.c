/* sender.c - the thread that sends: due deliveries -> curl's multi interface -> results, written down by the store.
 *
 *     loop: free the slots whose result is stored -> read what is due (not what has a slot) -> start transfers
 *           -> each finished transfer: post its result -> wait half a second or for the network
 * Only the sender's thread touches the slots, but for `state`, which the store's writer sets to SLOT_WRITTEN. */
#include <curl/curl.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "job/job.h"
#include "store/store_web.h"
#include "webhook/webhook.h"

enum {
    SLOTS = 32,
    PER_ACCOUNT = 8,
    ATTEMPT_MS = 10000,
    CONNECT_MS = 5000,
    ANSWER_BYTES = 64 * 1024,
    POLL_MS = 500,
    LOG_DAYS = 30, /* finished deliveries are listed this long */
};

static const char default_retries[] = "5,300,1800,7200,18000,36000,36000"; /* 28 hours in all */

enum slot_state { SLOT_FREE, SLOT_SENDING, SLOT_WRITING, SLOT_WRITTEN };

struct slot {
    struct webhooks *owner;
    atomic_int state;
    int64_t delivery_id;
    int attempts;
    char account_id[STORE_ID_CHARS + 1];
    CURL *curl;
    struct curl_slist *headers;
    char *body;
    size_t received;
    bool refused; /* the address is not public */
    struct store_delivery_result result;
};

struct webhooks {
    struct store *store;
    struct webhooks_options options;
    int waits_s[WEBHOOK_RETRIES_MAX], wait_count;
    pthread_t thread;
    CURLM *multi;
    atomic_bool closing;
    struct slot slots[SLOTS];
};

/* ---- what is sent -------------------------------------------------------------------------------------------------- */

static json_t *event_data(const struct webhooks *w, const struct store_delivery *d)
{
    if (!d->job.id[0]) return json_pack("{s:s}", "message", "This is a test event.");
    char doc_url[256];
    const struct error *e = &d->job.error;
    json_t *error = NULL;
    if (d->job.state == STORE_FAILED) {
        const char *code = error_code_name(e->code), *docs = w->options.docs_url ? w->options.docs_url : "/docs/";
        (void)snprintf(doc_url, sizeof doc_url, "%s#error-%s", docs, code);
        error = json_pack("{s:s, s:s, s:s, s:s*, s:s, s:n}", "type", error_type_name(e->code), "code", code, "message",
                          e->message, "param", e->param[0] ? e->param : NULL, "doc_url", doc_url, "request_id");
        if (error && !e->param[0] && json_object_set_new(error, "param", json_null())) return json_decref(error), NULL;
    }
    return job_stored_json(&d->job, error);
}

static char *event_body(const struct webhooks *w, const struct store_delivery *d)
{
    char at[CLOCK_ISO_CHARS + 1];
    clock_iso8601(d->created_ms, at);
    json_t *event = json_pack("{s:s, s:s, s:o}", "type", d->event, "timestamp", at, "data", event_data(w, d));
    char *text = event ? json_text(event, JSON_OUTSIDE) : NULL;
    json_decref(event);
    return text;
}

static void sign(const unsigned char *secret, const char *id, long long at_s, const char *body, char *out, size_t size)
{
    char head[96];
    unsigned char mac[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state state;
    int n = snprintf(head, sizeof head, "%s.%lld.", id, at_s);
    crypto_auth_hmacsha256_init(&state, secret, STORE_SECRET_BYTES);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)head, (unsigned long long)n);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)body, strlen(body));
    crypto_auth_hmacsha256_final(&state, mac);
    sodium_bin2base64(out, size, mac, sizeof mac, sodium_base64_VARIANT_ORIGINAL);
}

void webhook_secret_text(const unsigned char secret[32], char out[WEBHOOK_SECRET_CHARS + 1])
{
    memcpy(out, "whsec_", 6);
    sodium_bin2base64(out + 6, WEBHOOK_SECRET_CHARS + 1 - 6, secret, STORE_SECRET_BYTES, sodium_base64_VARIANT_ORIGINAL);
}

static bool add_header(struct slot *slot, const char *name, const char *value)
{
    char line[160];
    (void)snprintf(line, sizeof line, "%s: %s", name, value);
    struct curl_slist *more = curl_slist_append(slot->headers, line);
    if (more) slot->headers = more;
    return more != NULL;
}

static bool add_headers(struct slot *slot, const struct store_delivery *d)
{
    char id[STORE_ID_CHARS + 8], at[24], mac[64], signature[72];
    long long now_s = clock_wall_ms() / 1000;
    (void)snprintf(id, sizeof id, "msg_%s", d->msg_id);
    (void)snprintf(at, sizeof at, "%lld", now_s);
    sign(d->secret, id, now_s, slot->body, mac, sizeof mac);
    (void)snprintf(signature, sizeof signature, "v1,%s", mac);
    return add_header(slot, "Content-Type", "application/json") && add_header(slot, "webhook-id", id) &&
           add_header(slot, "webhook-timestamp", at) && add_header(slot, "webhook-signature", signature) &&
           add_header(slot, "Expect", "");
}

bool webhook_url_ok(const char *url, bool allow_private, const char *param, struct error *e)
{
    size_t n = strlen(url);
    bool https = !strncmp(url, "https://", 8), http = !strncmp(url, "http://", 7);
    if (n > STORE_URL_CHARS) {
        return error_set(e, ERR_INVALID_VALUE, param, "%s may have %d bytes at most, but has %zu", param, STORE_URL_CHARS, n);
    }
    if (!https && !(http && allow_private)) {
        return error_set(e, ERR_INVALID_VALUE, param, "%s must be a URL that begins with https://", param);
    }
    CURLU *parsed = curl_url();
    char *user = NULL;
    CURLUcode read = parsed ? curl_url_set(parsed, CURLUPART_URL, url, 0) : CURLUE_OUT_OF_MEMORY;
    CURLUcode login = read == CURLUE_OK ? curl_url_get(parsed, CURLUPART_USER, &user, 0) : read;
    curl_free(user);
    curl_url_cleanup(parsed);
    if (login == CURLUE_NO_USER) return true;
    if (login == CURLUE_OUT_OF_MEMORY) return error_set(e, ERR_INTERNAL, "", "there is no memory for this request; try again");
    return error_set(e, ERR_INVALID_VALUE, param, "%s is not a URL events can be sent to (no user name or password)", param);
}

/* ---- one attempt ----------------------------------------------------------------------------------------------------- */

static curl_socket_t open_checked(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)purpose;
    struct slot *slot = arg;
    if (!slot->owner->options.allow_private && !address_is_public(&address->addr)) {
        slot->refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t drop_answer(char *data, size_t size, size_t count, void *arg)
{
    (void)data;
    struct slot *slot = arg;
    slot->received += size * count;
    return slot->received > ANSWER_BYTES ? 0 : size * count;
}

static bool set_options(struct slot *slot, const char *url)
{
    CURL *c = slot->curl;
    bool ok = true;
#define SET(option, value) ok = curl_easy_setopt(c, option, value) == CURLE_OK && ok
    SET(CURLOPT_URL, url);
    SET(CURLOPT_PROTOCOLS_STR, slot->owner->options.allow_private ? "http,https" : "https");
    SET(CURLOPT_PROXY, ""); /* none from the environment: the address checked must be the receiver's */
    SET(CURLOPT_DNS_CACHE_TIMEOUT, 0L); /* asked anew for each attempt; within one the answer stands */
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_TIMEOUT_MS, (long)ATTEMPT_MS);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    SET(CURLOPT_FORBID_REUSE, 1L);
    SET(CURLOPT_HTTPHEADER, slot->headers);
    SET(CURLOPT_POSTFIELDS, slot->body);
    SET(CURLOPT_OPENSOCKETFUNCTION, open_checked);
    SET(CURLOPT_OPENSOCKETDATA, slot);
    SET(CURLOPT_WRITEFUNCTION, drop_answer);
    SET(CURLOPT_WRITEDATA, slot);
    SET(CURLOPT_USERAGENT, "refractr/" REFRACTR_VERSION);
    SET(CURLOPT_PRIVATE, slot);
#undef SET
    return ok;
}

static void slot_clear(struct slot *slot)
{
    if (slot->curl) curl_easy_cleanup(slot->curl);
    curl_slist_free_all(slot->headers);
    free(slot->body);
    slot->curl = NULL;
    slot->headers = NULL;
    slot->body = NULL;
}

static struct slot *free_slot(struct webhooks *w, const struct store_delivery *d)
{
    struct slot *found = NULL;
    int of_account = 0;
    for (int i = 0; i < SLOTS; i++) {
        struct slot *slot = &w->slots[i];
        if (atomic_load(&slot->state) == SLOT_FREE) {
            found = slot;
            continue;
        }
        if (slot->delivery_id == d->id) return NULL;
        of_account += !strcmp(slot->account_id, d->account_id);
    }
    return of_account < PER_ACCOUNT ? found : NULL;
}

static bool start_one(void *arg, const struct store_delivery *d)
{
    struct webhooks *w = arg;
    struct slot *slot = free_slot(w, d);
    if (!slot) return true;
    slot->owner = w;
    slot->delivery_id = d->id;
    slot->attempts = d->attempts;
    slot->received = 0;
    slot->refused = false;
    memcpy(slot->account_id, d->account_id, sizeof slot->account_id);
    slot->body = event_body(w, d);
    slot->curl = slot->body ? curl_easy_init() : NULL;
    if (slot->curl && add_headers(slot, d) && set_options(slot, d->url) && curl_multi_add_handle(w->multi, slot->curl) == CURLM_OK) {
        atomic_store(&slot->state, SLOT_SENDING);
    } else {
        log_error(NULL, "webhook: no memory for a delivery", LOG_INT("delivery", d->id));
        slot_clear(slot);
    }
    return true;
}

/* ---- what became of it ----------------------------------------------------------------------------------------------- */

static void written(struct store_write *write)
{
    struct slot *slot = (struct slot *)((char *)write - offsetof(struct slot, result));
    if (!write->ok) log_warn(NULL, "webhook: a result was not stored", LOG_STR("error", write->error.message));
    atomic_store(&slot->state, SLOT_WRITTEN);
}

/* Only before the queue is read: in what was read earlier a delivery may still be due whose result was stored since, and its
 * slot is what keeps it from being sent again. */
static void free_written(struct webhooks *w)
{
    for (int i = 0; i < SLOTS; i++) {
        int written_state = SLOT_WRITTEN;
        atomic_compare_exchange_strong(&w->slots[i].state, &written_state, SLOT_FREE);
    }
}

/* A tenth more or less, so that receivers do not see all retries at once. */
static int64_t jittered_ms(int seconds)
{
    int64_t ms = seconds * INT64_C(1000);
    return ms - ms / 10 + randombytes_uniform((uint32_t)(ms / 5) + 1);
}

static void finish(struct webhooks *w, struct slot *slot, CURLcode code)
{
    long status = 0;
    int64_t now = clock_wall_ms();
    curl_easy_getinfo(slot->curl, CURLINFO_RESPONSE_CODE, &status);
    bool delivered = status >= 200 && status < 300 && (code == CURLE_OK || code == CURLE_WRITE_ERROR);
    bool again = !delivered && status != 410 && slot->attempts < w->wait_count;
    slot->result = (struct store_delivery_result){
        .write = {.verb = STORE_DELIVERY_RESULT, .done = written},
        .delivery_id = slot->delivery_id,
        .state = delivered ? DELIVERY_DELIVERED : again ? DELIVERY_PENDING : DELIVERY_FAILED,
        .response_status = (int)status,
        .now_ms = now,
        .next_attempt_ms = again ? now + jittered_ms(w->waits_s[slot->attempts]) : 0,
        .sweep_before_ms = now - LOG_DAYS * MS_PER_DAY,
        .disable = status == 410};
    if (!delivered)
        log_info(NULL, "webhook: not delivered", LOG_INT("delivery", slot->delivery_id), LOG_INT("status", status),
                 LOG_STR("why", slot->refused ? "the address is not public" : curl_easy_strerror(code)));
    curl_multi_remove_handle(w->multi, slot->curl);
    slot_clear(slot);
    atomic_store(&slot->state, SLOT_WRITING);
    store_post(w->store, &slot->result.write);
}

static void finish_done(struct webhooks *w)
{
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(w->multi, &left))) {
        struct slot *slot = NULL;
        CURLcode code = message->data.result;
        if (message->msg != CURLMSG_DONE) continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&slot);
        finish(w, slot, code);
    }
}

static void *sender_main(void *arg)
{
    struct webhooks *w = arg;
    pthread_setname_np(pthread_self(), "webhooks");
    while (!atomic_load(&w->closing)) {
        struct error e;
        int running;
        struct store_due due = {.read = {STORE_READ_DUE},
                                .now_ms = clock_wall_ms(),
                                .per_account = PER_ACCOUNT,
                                .limit = SLOTS * 2,
                                .visit = start_one,
                                .arg = w};
        free_written(w);
        if (!store_read(w->store, &due.read, &e)) log_warn(NULL, "webhook: queue not read", LOG_STR("error", e.message));
        curl_multi_perform(w->multi, &running);
        finish_done(w);
        if (!atomic_load(&w->closing)) curl_multi_poll(w->multi, NULL, 0, POLL_MS, NULL);
    }
    return NULL;
}

/* ---- life ------------------------------------------------------------------------------------------------------------ */

static bool read_waits(struct webhooks *w, const char *text, struct error *e)
{
    for (const char *at = text; *at;) {
        char *end;
        long seconds = strtol(at, &end, 10);
        if (end == at || seconds < 0 || seconds > 604800 || (*end && *end != ',') || w->wait_count == WEBHOOK_RETRIES_MAX) {
            return error_set(e, ERR_INVALID_VALUE, "webhook-retries", "--webhook-retries must be up to %d whole numbers of "
                             "seconds with commas between, each up to 604800, not '%.80s'", WEBHOOK_RETRIES_MAX, text);
        }
        w->waits_s[w->wait_count++] = (int)seconds;
        at = *end ? end + 1 : end;
    }
    return true;
}

bool webhook_retries_ok(const char *retries, struct error *e)
{
    struct webhooks *w = calloc(1, sizeof *w);
    bool ok = w ? read_waits(w, retries, e) : error_set(e, ERR_INTERNAL, "", "out of memory");
    free(w);
    return ok;
}

struct webhooks *webhooks_open(struct store *store, const struct webhooks_options *options, struct error *e)
{
    struct webhooks *w = calloc(1, sizeof *w);
    if (!w) return error_set(e, ERR_INTERNAL, "", "out of memory"), NULL;
    w->store = store;
    w->options = *options;
    if (!read_waits(w, options->retries ? options->retries : default_retries, e)) return free(w), NULL;
    bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK && (w->multi = curl_multi_init());
    if (ready && pthread_create(&w->thread, NULL, sender_main, w) == 0) return w;
    if (w->multi) curl_multi_cleanup(w->multi);
    free(w);
    return error_set(e, ERR_INTERNAL, "", "the webhooks' thread could not be started"), NULL;
}

void webhooks_close(struct webhooks *w)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    if (!w) return;
    atomic_store(&w->closing, true);
    curl_multi_wakeup(w->multi);
    pthread_join(w->thread, NULL);
    for (int i = 0; i < SLOTS; i++) {
        struct slot *slot = &w->slots[i];
        while (atomic_load(&slot->state) == SLOT_WRITING) (void)nanosleep(&pause, NULL);
        if (slot->curl) curl_multi_remove_handle(w->multi, slot->curl);
        slot_clear(slot);
    }
    curl_multi_cleanup(w->multi);
    free(w);
}
