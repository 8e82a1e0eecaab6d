/* api.c - the table of resources, and who may use them. */
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "base/json.h"
#include "web/assets.h"

static const struct route resources[] = {
    {.method = "POST", .path = "/api/v1/extract/", .cors = true, .json_body = true, .admit = admit_extract, .handle = handle_extract},
    {.method = "GET", .path = "/api/v1/extract/{job_id}/", .cors = true, .admit = admit_poll, .handle = handle_job},
    {.method = "GET", .path = "/api/v1/account/", .cors = true, .admit = admit_poll, .handle = handle_account},
    {.method = "GET", .path = "/web/v1/session", .admit = admit_visitor, .handle = handle_session},
    {.method = "POST", .path = "/web/v1/session", .json_body = true, .short_body = true, .admit = admit_visitor_change, .handle = handle_sign_in},
    {.method = "DELETE", .path = "/web/v1/session", .admit = admit_visitor_change, .handle = handle_sign_out},
    {.method = "POST", .path = "/web/v1/signup", .json_body = true, .short_body = true, .admit = admit_visitor_change, .handle = handle_sign_up},
    {.method = "POST", .path = "/web/v1/signin-link", .json_body = true, .short_body = true, .admit = admit_visitor_change, .handle = handle_signin_link},
    {.method = "POST", .path = "/web/v1/password", .json_body = true, .short_body = true, .admit = admit_session_change, .handle = handle_password},
    {.method = "GET", .path = "/web/v1/keys", .admit = admit_session, .handle = handle_keys},
    {.method = "POST", .path = "/web/v1/keys", .json_body = true, .short_body = true, .admit = admit_session_change, .handle = handle_key_create},
    {.method = "POST", .path = "/web/v1/keys/{id}/regenerate", .json_body = true, .short_body = true, .admit = admit_session_change, .handle = handle_key_regenerate},
    {.method = "DELETE", .path = "/web/v1/keys/{id}", .admit = admit_session_change, .handle = handle_key_revoke},
    {.method = "GET", .path = "/web/v1/usage", .admit = admit_session, .handle = handle_usage},
    {.method = "GET", .path = "/web/v1/jobs", .admit = admit_session, .handle = handle_recent_jobs},
    {.method = "POST", .path = "/web/v1/extract", .json_body = true, .admit = admit_session_extract, .handle = handle_extract},
    {.method = "POST", .path = "/web/v1/demo", .json_body = true, .short_body = true, .handle = handle_demo},
    {.method = "GET", .path = "/web/v1/webhooks", .admit = admit_session, .handle = handle_webhooks},
    {.method = "POST", .path = "/web/v1/webhooks", .json_body = true, .short_body = true, .admit = admit_session_change, .handle = handle_webhook_create},
    {.method = "DELETE", .path = "/web/v1/webhooks/{id}", .admit = admit_session_change, .handle = handle_webhook_delete},
    {.method = "POST", .path = "/web/v1/webhooks/{id}/test", .admit = admit_session_change, .handle = handle_webhook_test},
    {.method = "GET", .path = "/web/v1/webhooks/{id}/deliveries", .admit = admit_session, .handle = handle_deliveries},
    {.method = "GET", .path = "/web/v1/billing", .admit = admit_session, .handle = handle_billing},
    {.method = "GET", .path = "/web/v1/billing/ledger", .admit = admit_session, .handle = handle_ledger},
    {.method = "GET", .path = "/web/v1/billing/ledger.csv", .admit = admit_session, .handle = handle_ledger_csv},
    {.method = "POST", .path = "/web/v1/billing/checkout", .json_body = true, .short_body = true, .admit = admit_session_change, .handle = handle_checkout},
    {.method = "POST", .path = "/stripe/webhook", .json_body = true, .handle = handle_stripe_event},
};

static const struct route health[] = {
    {.method = "GET", .path = "/livez", .handle = handle_livez},
    {.method = "GET", .path = "/readyz", .handle = handle_readyz},
    {.method = "GET", .path = "/metrics", .handle = handle_metrics},
};

/* Longest lines before the workers: a password takes 0.1 s, a call to Stripe a second or so, a large body 20 ms. */
enum { DESK_QUEUE = 256, PASSWORDS_QUEUE = 50, PAYMENTS_QUEUE = 50, READERS_QUEUE = 256 };

enum { RESOURCES = sizeof resources / sizeof resources[0], HEALTH = sizeof health / sizeof health[0] };

struct visit *visit_of(struct request *r) { return *request_data(r); }

/* draft-ietf-httpapi-ratelimit-headers-06 (three fields and a policy) and the x- names many clients know. */
static void add_rate_headers(struct request *r, const struct rate_state *s)
{
    request_add_header(r, "RateLimit-Limit", "%d", s->limit);
    request_add_header(r, "RateLimit-Remaining", "%d", s->remaining);
    request_add_header(r, "RateLimit-Reset", "%d", s->reset_s);
    request_add_header(r, "RateLimit-Policy", "%d;w=%d", s->limit, s->window_s);
    request_add_header(r, "x-ratelimit-limit-requests", "%d", s->limit);
    request_add_header(r, "x-ratelimit-remaining-requests", "%d", s->remaining);
    request_add_header(r, "x-ratelimit-reset-requests", "%ds", s->reset_s);
}

struct visit *visit_open(struct api *api, struct request *r, struct error *e)
{
    struct visit *visit = calloc(1, sizeof *visit);
    if (!visit) return error_set(e, ERR_INTERNAL, "", "There is no memory for this request. Try again."), NULL;
    visit->api = api;
    *request_data(r) = visit;
    request_on_end(r, free);
    return visit;
}

bool admit_rate(struct api *api, struct request *r, enum rate_bucket bucket, struct error *e)
{
    struct rate_state state = {0};
    request_set_account(r, visit_of(r)->caller.account_id);
    bool ok = access_rate(api->options.access, &visit_of(r)->caller, bucket, &state, e);
    add_rate_headers(r, &state);
    return ok;
}

static bool admit(struct api *api, struct request *r, enum rate_bucket bucket, struct error *e)
{
    struct visit *visit = visit_open(api, r, e);
    if (!visit) return false;
    if (!access_authenticate(api->options.access, request_header(r, "Authorization"), &visit->caller, e)) {
        if (error_http_status(e->code) == 401) request_add_header(r, "WWW-Authenticate", "Bearer realm=\"refractr\"");
        return false;
    }
    return admit_rate(api, r, bucket, e);
}

bool admit_extract(void *context, struct request *r, struct error *e) { return admit(context, r, RATE_EXTRACT, e); }

bool admit_poll(void *context, struct request *r, struct error *e) { return admit(context, r, RATE_POLL, e); }

static json_t *read_examples(const struct asset *assets, size_t count)
{
    json_error_t ignored;
    for (size_t i = 0; i < count; i++) {
        const char *bytes = (const char *)assets[i].data;
        if (!strcmp(assets[i].path, "/static/examples.json"))
            return json_read(bytes, (size_t)(assets[i].end - assets[i].data), 0, &ignored);
    }
    return NULL;
}

static bool open_workers(struct api *api)
{
    return (api->desk = worker_open(DESK_QUEUE)) && (api->passwords = worker_open(PASSWORDS_QUEUE)) &&
           (api->payments = worker_open(PAYMENTS_QUEUE)) && (api->readers = worker_open(READERS_QUEUE));
}

struct api *api_open(const struct api_options *options, struct error *e)
{
    size_t pages;
    const struct asset *assets = assets_all(&pages);
    struct api *api = calloc(1, sizeof *api);
    struct route *routes = calloc(HEALTH + RESOURCES + pages, sizeof *routes);
    if (!api || !routes) {
        free(api);
        free(routes);
        error_set(e, ERR_INTERNAL, "", "Out of memory while opening the API.");
        return NULL;
    }
    memcpy(routes, health, sizeof health);
    memcpy(routes + HEALTH, resources, sizeof resources);
    for (size_t i = 0; i < pages; i++)
        routes[HEALTH + RESOURCES + i] = (struct route){.method = "GET", .path = assets[i].path, .cors = assets[i].cors, .handle = handle_asset};
    api->options = *options;
    if (!api->options.billing_url) api->options.billing_url = "/billing/";
    if (api->options.requests_per_minute <= 0) api->options.requests_per_minute = 100;
    if (api->options.polls_per_minute <= 0) api->options.polls_per_minute = 6000;
    if (api->options.demos_per_minute <= 0) api->options.demos_per_minute = 30;
    api->examples = read_examples(assets, pages);
    api->routes = routes;
    api->route_count = options->health_only ? HEALTH : HEALTH + RESOURCES + pages;
    if (!api->examples) error_set(e, ERR_INTERNAL, "", "Out of memory reading the examples.");
    else if (open_workers(api)) return api;
    else error_set(e, ERR_INTERNAL, "", "The workers' threads could not be started.");
    api_close(api);
    return NULL;
}

void api_finish(struct api *api)
{
    worker_stop(api->desk);
    worker_stop(api->passwords);
    worker_stop(api->payments);
    worker_stop(api->readers);
}

void api_close(struct api *api)
{
    if (!api) return;
    worker_close(api->desk);
    worker_close(api->passwords);
    worker_close(api->payments);
    worker_close(api->readers);
    json_decref(api->examples);
    free(api->routes);
    free(api);
}

const struct route *api_routes(const struct api *api, size_t *count)
{
    *count = api->route_count;
    return api->routes;
}

void api_drain(struct api *api) { atomic_store(&api->draining, true); }
