/* webhooks.c - /web/v1/webhooks: an account's endpoints, their test event and the log of deliveries. */
#include <sodium.h>

#include "api/internal.h"
#include "base/clock.h"
#include "webhook/webhook.h"

enum { DELIVERIES_LISTED = 50 };

static bool add_endpoint(void *arg, const struct store_endpoint *endpoint)
{
    json_t *row = json_pack("{s:o, s:s, s:o, s:o}", "id", web_id(endpoint->id), "url", endpoint->url, "created_at",
                            web_time(endpoint->created_ms), "disabled_at", web_time(endpoint->disabled_ms));
    return web_append(arg, row);
}

static void list_endpoints(struct api *api, struct request *r)
{
    struct error e = {0};
    json_t *rows = json_array();
    struct store_endpoints q = {.read = {STORE_READ_ENDPOINTS},
                                .account_id = visit_of(r)->caller.account_id,
                                .visit = add_endpoint,
                                .arg = &rows};
    if (store_read(api->options.store, &q.read, &e)) {
        request_reply_json(r, 200, json_pack("{s:o}", "endpoints", rows));
        return;
    }
    json_decref(rows);
    request_fail(r, &e, NULL);
}

static void create_endpoint(struct api *api, struct request *r)
{
    char secret[WEBHOOK_SECRET_CHARS + 1];
    struct error e = {0};
    json_t *body = web_body(r, &e);
    struct store_endpoint_create w = {.write = {.verb = STORE_ENDPOINT_CREATE},
                                      .account_id = visit_of(r)->caller.account_id,
                                      .url = body ? web_text(body, "url", &e) : NULL,
                                      .limit = WEBHOOK_ENDPOINTS_MAX,
                                      .now_ms = clock_wall_ms()};
    randombytes_buf(w.secret, sizeof w.secret);
    webhook_secret_text(w.secret, secret);
    if (w.url && webhook_url_ok(w.url, api->options.webhook_allow_private, "url", &e) &&
        store_write_wait(api->options.store, &w.write, &e))
        request_reply_json(r, 201, json_pack("{s:o, s:s, s:s}", "id", web_id(w.endpoint_id), "url", w.url, "secret", secret));
    else
        request_fail(r, &e, NULL);
    json_decref(body);
}

static void delete_endpoint(struct api *api, struct request *r)
{
    struct error e = {0};
    struct store_endpoint_delete w = {.write = {.verb = STORE_ENDPOINT_DELETE},
                                      .account_id = visit_of(r)->caller.account_id,
                                      .endpoint_id = web_number(request_part(r))};
    if (store_write_wait(api->options.store, &w.write, &e)) web_ok(r);
    else request_fail(r, &e, NULL);
}

static void test_endpoint(struct api *api, struct request *r)
{
    struct error e = {0};
    struct store_endpoint_test w = {.write = {.verb = STORE_ENDPOINT_TEST},
                                    .account_id = visit_of(r)->caller.account_id,
                                    .endpoint_id = web_number(request_part(r)),
                                    .now_ms = clock_wall_ms()};
    if (store_write_wait(api->options.store, &w.write, &e))
        request_reply_json(r, 202, json_pack("{s:o}", "delivery_id", web_id(w.delivery_id)));
    else
        request_fail(r, &e, NULL);
}

static const char *state_name(const struct store_delivery *d)
{
    if (d->state == DELIVERY_DELIVERED) return "delivered";
    if (d->state == DELIVERY_FAILED) return "failed";
    return d->attempts ? "retrying" : "pending";
}

static bool add_delivery(void *arg, const struct store_delivery *d)
{
    bool waits = d->state == DELIVERY_PENDING;
    json_t *row = json_pack("{s:o, s:s, s:o, s:i, s:s, s:o, s:o}", "id", web_id(d->id), "event", d->event, "created_at",
                            web_time(d->created_ms), "attempts", d->attempts, "status", state_name(d), "response_status",
                            d->response_status ? json_integer(d->response_status) : json_null(), "next_attempt_at",
                            web_time(waits ? d->next_attempt_ms : 0));
    return web_append(arg, row);
}

static void list_deliveries(struct api *api, struct request *r)
{
    struct error e = {0};
    json_t *rows = json_array();
    struct store_deliveries q = {.read = {STORE_READ_DELIVERIES},
                                 .account_id = visit_of(r)->caller.account_id,
                                 .endpoint_id = web_number(request_part(r)),
                                 .limit = DELIVERIES_LISTED,
                                 .visit = add_delivery,
                                 .arg = &rows};
    if (store_read(api->options.store, &q.read, &e)) {
        request_reply_json(r, 200, json_pack("{s:o}", "deliveries", rows));
        return;
    }
    json_decref(rows);
    request_fail(r, &e, NULL);
}

void handle_webhooks(void *context, struct request *r)
{
    struct api *api = context;
    web_work(r, api->desk, list_endpoints);
}

void handle_webhook_create(void *context, struct request *r)
{
    struct api *api = context;
    web_work(r, api->desk, create_endpoint);
}

void handle_webhook_delete(void *context, struct request *r)
{
    struct api *api = context;
    web_work(r, api->desk, delete_endpoint);
}

void handle_webhook_test(void *context, struct request *r)
{
    struct api *api = context;
    web_work(r, api->desk, test_endpoint);
}

void handle_deliveries(void *context, struct request *r)
{
    struct api *api = context;
    web_work(r, api->desk, list_deliveries);
}
