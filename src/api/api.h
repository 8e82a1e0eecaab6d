/* api.h - the resources of the API: parse, call, reply; one file each (extract, jobs, account, health).
 *
 * Knows http/, access/, account/, billing/, job/, engine/template.h and store/ (reads only). Called by cli/serve.c:
 *     api = api_open(&options, &e);  routes = api_routes(api, &count);  server = server_start(&so, routes, count, api, &e);
 *     on SIGTERM: api_drain(api); server_quiesce(server); jobs_drain(jobs, 30000); server_stop(server); jobs_close(jobs);
 *         api_close(api). Open connections may still ask until server_stop returns, so jobs_close comes after it. */
#ifndef REFRACTR_API_API_H
#define REFRACTR_API_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/http.h"

struct api;
struct access;
struct account;
struct billing;
struct engine;
struct jobs;
struct store;

struct api_options {      /* borrowed: all must outlive the api */
    struct access *access;
    struct jobs *jobs;
    struct store *store;
    struct engine *engine;
    const char *billing_url; /* named in 402; NULL: "/billing/" */
    struct account *account;
    struct billing *billing;
    const char *contact;     /* whom the pages name for a key or credits */
    const char *public_url;  /* "https://refractr.example", without a slash at its end; NULL: as the request's Host says */
    bool health_only;        /* a node that only works: /livez, /readyz and /metrics are all it answers */
    bool signup_open;
    bool trust_proxy;        /* a proxy before us: X-Forwarded-For and X-Forwarded-Proto are its word */
    bool webhook_allow_private; /* webhook_url may be plain http */
    int demos_per_minute;    /* per client address; 0: 30 */
    int64_t low_credits;     /* an account with fewer is told so on its dashboard */
    int requests_per_minute, polls_per_minute; /* as given to access/, told by /api/v1/account/; 0: 100 and 6000 */
};

struct api *api_open(const struct api_options *options, struct error *e) __attribute__((warn_unused_result));
void api_close(struct api *api);
const struct route *api_routes(const struct api *api, size_t *count);
/* Ends the workers: what waits there is done and answered. Between server_quiesce and server_stop. */
void api_finish(struct api *api);
/* From now on /readyz answers 503, so that a proxy sends new work elsewhere. */
void api_drain(struct api *api);

#endif
