/* reply_job.c - a job as its owner sees it: 200 with the data, 202 or "pending", "failed" with its error, 504.
 *
 * Runs on job/'s threads. request_take first: the deadline, a worker or the shutdown may have been faster. */
#include <string.h>

#include "api/internal.h"

static void add_location(struct request *r, const char *id)
{
    request_add_header(r, "Location", "/api/v1/extract/%s/", id);
}

static json_t *pending_body(const struct job_view *view)
{
    return json_pack("{s:s, s:s}", "job_id", view->id, "status", "pending");
}

/* Adds what api/ knows and job/ does not: where credits are bought, where the job that goes on can be polled. */
static void fail_submitted(struct request *r, const struct job_view *view, const struct error *e)
{
    struct error told = *e;
    json_t *extra = NULL;
    if (told.code == ERR_NO_CREDITS) {
        const char *billing = visit_of(r)->api->options.billing_url;
        error_set(&told, ERR_NO_CREDITS, "", "This account has no credits left. Get more at %s.", billing);
        request_add_header(r, "X-Credits-Remaining", "0");
    }
    if (view && view->id[0]) {
        extra = json_pack("{s:s}", "job_id", view->id);
        add_location(r, view->id);
    }
    request_fail(r, &told, extra);
}

void reply_job_submitted(void *arg, const struct job_view *view, const struct error *e)
{
    struct request *r = arg;
    if (!request_take(r)) return;
    if (view && view->replayed) request_add_header(r, "Idempotency-Replayed", "true");
    if (view && view->credits_remaining >= 0)
        request_add_header(r, "X-Credits-Remaining", "%lld", (long long)view->credits_remaining);
    if (e) {
        fail_submitted(r, view, e);
    } else if (view->state == JOB_FAILED) {
        fail_submitted(r, view, &view->error);
    } else if (view->state == JOB_SUCCESS) {
        request_reply_json(r, 200, job_success_json(view));
    } else {
        add_location(r, view->id);
        request_reply_json(r, 202, pending_body(view));
    }
}

static json_t *failed_body(struct request *r, const struct job_view *view)
{
    json_t *error = request_error_json(r, &view->error);
    return json_pack("{s:s, s:s, s:o}", "job_id", view->id, "status", "failed", "error", error);
}

void reply_job_polled(void *arg, const struct job_view *view, const struct error *e)
{
    struct request *r = arg;
    if (!request_take(r)) return;
    if (e)
        request_fail(r, e, NULL);
    else if (view->state == JOB_SUCCESS)
        request_reply_json(r, 200, job_success_json(view));
    else if (view->state == JOB_FAILED)
        request_reply_json(r, 200, failed_body(r, view));
    else
        request_reply_json(r, 200, pending_body(view));
}
