/* internal.h - what the files of api/ share: the api's modules and the few helpers every resource uses. */
#ifndef REFRACTR_API_INTERNAL_H
#define REFRACTR_API_INTERNAL_H

#include <jansson.h>
#include <stdatomic.h>

#include "access/access.h"
#include "api/api.h"
#include "job/job.h"

enum { DOCUMENT_MAX_CHARS = 50000 }; /* Unicode code points */

struct api {
    struct api_options options;
    struct route *routes; /* the resources' rows, then one per embedded page */
    size_t route_count;
    atomic_bool draining;
};

/* What admit learned of a request; request_data holds it. */
struct visit {
    struct api *api;
    struct caller caller;
};

/* api.c: route.admit for authenticated resources: who is it, and how fast? */
bool admit_extract(void *context, struct request *r, struct error *e);
bool admit_poll(void *context, struct request *r, struct error *e);
struct visit *visit_of(struct request *r);

/* json_body.c: bytes -> JSON value (new reference), or NULL and a 400 with line and column. Duplicate keys and NULs in
 * keys are refused under their own codes, everything RFC 8259 calls malformed as invalid_json. */
json_t *json_body_parse(const char *bytes, size_t size, struct error *e);

/* reply_job.c: the job_reply for both resources that answer with a job; `arg` is the parked struct request. */
void reply_job_submitted(void *arg, const struct job_view *view, const struct error *e);
void reply_job_polled(void *arg, const struct job_view *view, const struct error *e);

/* The handlers, one per resource. */
void handle_extract(void *context, struct request *r);
void handle_job(void *context, struct request *r);
void handle_account(void *context, struct request *r);
void handle_livez(void *context, struct request *r);
void handle_readyz(void *context, struct request *r);
void handle_metrics(void *context, struct request *r);
void handle_asset(void *context, struct request *r);

#endif
