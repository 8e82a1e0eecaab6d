/* api.c - the table of resources, and who may use them. */
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "web/assets.h"

static const struct route resources[] = {
    {.method = "POST", .path = "/api/v1/extract/", .cors = true, .json_body = true, .admit = admit_extract, .handle = handle_extract},
    {.method = "GET", .path = "/api/v1/extract/{job_id}/", .cors = true, .admit = admit_poll, .handle = handle_job},
    {.method = "GET", .path = "/api/v1/account/", .cors = true, .admit = admit_poll, .handle = handle_account},
    {.method = "GET", .path = "/livez", .handle = handle_livez},
    {.method = "GET", .path = "/readyz", .handle = handle_readyz},
    {.method = "GET", .path = "/metrics", .handle = handle_metrics},
};

enum { RESOURCES = sizeof resources / sizeof resources[0] };

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

static bool admit(struct api *api, struct request *r, enum rate_bucket bucket, struct error *e)
{
    struct visit *visit = calloc(1, sizeof *visit);
    if (!visit) return error_set(e, ERR_INTERNAL, "", "There is no memory for this request. Try again.");
    visit->api = api;
    *request_data(r) = visit;
    request_on_end(r, free);
    if (!access_authenticate(api->options.access, request_header(r, "Authorization"), &visit->caller, e)) {
        if (error_http_status(e->code) == 401) request_add_header(r, "WWW-Authenticate", "Bearer realm=\"refractr\"");
        return false;
    }
    request_set_account(r, visit->caller.account_id);
    struct rate_state state = {0};
    bool ok = access_rate(api->options.access, &visit->caller, bucket, &state, e);
    add_rate_headers(r, &state);
    return ok;
}

bool admit_extract(void *context, struct request *r, struct error *e) { return admit(context, r, RATE_EXTRACT, e); }

bool admit_poll(void *context, struct request *r, struct error *e) { return admit(context, r, RATE_POLL, e); }

struct api *api_open(const struct api_options *options, struct error *e)
{
    size_t pages;
    const struct asset *assets = assets_all(&pages);
    struct api *api = calloc(1, sizeof *api);
    struct route *routes = calloc(RESOURCES + pages, sizeof *routes);
    if (!api || !routes) {
        free(api);
        free(routes);
        error_set(e, ERR_INTERNAL, "", "Out of memory while opening the API.");
        return NULL;
    }
    memcpy(routes, resources, sizeof resources);
    for (size_t i = 0; i < pages; i++)
        routes[RESOURCES + i] = (struct route){.method = "GET", .path = assets[i].path, .cors = assets[i].cors, .handle = handle_asset};
    api->options = *options;
    if (!api->options.billing_url) api->options.billing_url = "/billing/";
    if (api->options.requests_per_minute <= 0) api->options.requests_per_minute = 100;
    if (api->options.polls_per_minute <= 0) api->options.polls_per_minute = 6000;
    api->routes = routes;
    api->route_count = RESOURCES + pages;
    return api;
}

void api_close(struct api *api)
{
    if (!api) return;
    free(api->routes);
    free(api);
}

const struct route *api_routes(const struct api *api, size_t *count)
{
    *count = api->route_count;
    return api->routes;
}

void api_drain(struct api *api) { atomic_store(&api->draining, true); }
