/* internal.h - what the files of api/ share: the api's modules and the few helpers every resource uses. */
#ifndef REFRACTR_API_INTERNAL_H
#define REFRACTR_API_INTERNAL_H

#include <jansson.h>
#include <stdatomic.h>

#include "access/access.h"
#include "account/account.h"
#include "api/api.h"
#include "base/worker.h"
#include "job/job.h"

enum { DOCUMENT_MAX_CHARS = 50000 }; /* Unicode code points */

struct api {
    struct api_options options;
    struct route *routes; /* the resources' rows, then one per embedded page */
    size_t route_count;
    atomic_bool draining;
    struct worker *desk;      /* calls of the pages that wait for the store */
    struct worker *passwords; /* those that hash a password */
    struct worker *payments;  /* those that call Stripe */
    struct worker *readers;   /* large extraction requests, parsed there */
    json_t *examples;         /* web/static/examples.json, for the demo */
};

/* What admit learned of a request; request_data holds it. */
struct visit {
    struct api *api;
    struct caller caller;
    char cookie[TOKEN_CHARS + 1];  /* of the pages' calls, "" elsewhere */
    struct store_session session;  /* whose it is, where admit_session let it in */
    void (*work)(struct api *api, struct request *r); /* what the worker does */
};

/* api.c: route.admit for authenticated resources: who is it, and how fast? */
bool admit_extract(void *context, struct request *r, struct error *e);
bool admit_poll(void *context, struct request *r, struct error *e);
struct visit *visit_of(struct request *r);
/* Gives the request a visit, freed with it; NULL: no memory. */
struct visit *visit_open(struct api *api, struct request *r, struct error *e);
/* Counts the request of visit_of(r)->caller and adds the rate headers. */
bool admit_rate(struct api *api, struct request *r, enum rate_bucket bucket, struct error *e);

/* json_body.c: bytes -> JSON value (new reference), or NULL and a 400 with line and column. Duplicate keys and NULs in
 * keys are refused under their own codes, everything RFC 8259 calls malformed as invalid_json. */
json_t *json_body_parse(const char *bytes, size_t size, struct error *e);

/* reply_job.c: the job_reply for both resources that answer with a job; `arg` is the parked struct request. */
void reply_job_submitted(void *arg, const struct job_view *view, const struct error *e);
void reply_job_polled(void *arg, const struct job_view *view, const struct error *e);

/* web.c: route.admit of the pages' calls (docs/web-api.md). A visitor has a cookie and, to change something, its CSRF
 * token; a session is also signed in, and visit_of(r)->caller is its account. */
bool admit_visitor(void *context, struct request *r, struct error *e);
bool admit_visitor_change(void *context, struct request *r, struct error *e);
bool admit_session(void *context, struct request *r, struct error *e);
bool admit_session_change(void *context, struct request *r, struct error *e);
bool admit_session_extract(void *context, struct request *r, struct error *e);
/* Adds a row to a list (steals it). No memory: false, and the list is gone, so that no answer is made of half of it. */
bool web_append(json_t **list, json_t *row);
/* Parks the request and lets the worker run `work`, which replies. */
void web_work(struct request *r, struct worker *worker, void (*work)(struct api *api, struct request *r));
void web_client(struct api *api, struct request *r, char out[REQUEST_PEER_CHARS + 1]); /* the client's address */
bool web_behind_tls(struct api *api, struct request *r);
const char *web_cookie_name(struct api *api, struct request *r);
/* The body as a JSON object (new reference), or NULL and `e`. */
json_t *web_body(struct request *r, struct error *e);
/* A string member without NULs; NULL and `e` when it is missing. web_optional: NULL without `e` when absent or null. */
const char *web_text(const json_t *body, const char *name, struct error *e);
const char *web_optional(const json_t *body, const char *name);
int64_t web_number(const char *text);                      /* an id or a limit; -1 when it is none */
int web_limit(struct request *r, const char *name, int fallback, int max);
json_t *web_time(int64_t wall_ms);                         /* RFC 3339, null for 0 */
json_t *web_id(int64_t id);                                /* ids are strings */
void web_ok(struct request *r);                            /* {"ok": true} */

/* The handlers, one per resource. */
void handle_session(void *context, struct request *r);
void handle_sign_in(void *context, struct request *r);
void handle_sign_out(void *context, struct request *r);
void handle_sign_up(void *context, struct request *r);
void handle_signin_link(void *context, struct request *r);
void handle_password(void *context, struct request *r);
void handle_keys(void *context, struct request *r);
void handle_key_create(void *context, struct request *r);
void handle_key_regenerate(void *context, struct request *r);
void handle_key_revoke(void *context, struct request *r);
void handle_usage(void *context, struct request *r);
void handle_recent_jobs(void *context, struct request *r);
void handle_demo(void *context, struct request *r);
void handle_webhooks(void *context, struct request *r);
void handle_webhook_create(void *context, struct request *r);
void handle_webhook_delete(void *context, struct request *r);
void handle_webhook_test(void *context, struct request *r);
void handle_deliveries(void *context, struct request *r);
void handle_billing(void *context, struct request *r);
void handle_ledger(void *context, struct request *r);
void handle_ledger_csv(void *context, struct request *r);
void handle_checkout(void *context, struct request *r);
void handle_stripe_event(void *context, struct request *r);
void handle_extract(void *context, struct request *r);
void handle_job(void *context, struct request *r);
void handle_account(void *context, struct request *r);
void handle_livez(void *context, struct request *r);
void handle_readyz(void *context, struct request *r);
void handle_metrics(void *context, struct request *r);
void handle_asset(void *context, struct request *r);

#endif
