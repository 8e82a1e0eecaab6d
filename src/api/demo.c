/* demo.c - POST /web/v1/demo: one of the examples in web/static/examples.json, really run, for anybody. It goes to the
 * engine straight: no account, no credits, no job row. Limited per client address. */
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "base/clock.h"
#include "base/uuid.h"

enum { DEMOS_UNDER_WAY = 8, WINDOW_S = 60, BUSY_RETRY_S = 2 };

struct demo {
    struct request *request;
    struct template_plan *plan;
    int64_t arrived_ns;
};

static atomic_int under_way; /* demos never take more of the engine than this */

static const json_t *example_of(const struct api *api, const char *id)
{
    size_t i;
    json_t *example;
    json_array_foreach(api->examples, i, example)
    {
        const char *own = json_string_value(json_object_get(example, "id"));
        if (own && id && !strcmp(own, id)) return example;
    }
    return NULL;
}

static void demo_done(void *arg, struct engine_answer *answer)
{
    struct demo *demo = arg;
    struct job_view view = {.state = answer->ok ? JOB_SUCCESS : JOB_FAILED,
                            .data = answer->data,
                            .fields = answer->fields,
                            .warnings = answer->warnings,
                            .latency_ms = (clock_monotonic_ns() - demo->arrived_ns) / NS_PER_MS,
                            .credits_remaining = -1,
                            .error = answer->error};
    uuid_make(view.id);
    atomic_fetch_sub(&under_way, 1);
    if (request_take(demo->request)) {
        if (answer->ok) request_reply_json(demo->request, 200, job_success_json(&view));
        else request_fail(demo->request, &view.error, NULL);
    }
    engine_answer_clear(answer);
    template_free(demo->plan);
    free(demo);
}

/* Parks the request and hands it to the engine. False: it is not parked, `e` says why. */
static bool start(struct api *api, struct request *r, const json_t *example, struct error *e)
{
    const json_t *text = json_object_get(example, "document_text");
    struct demo *demo = calloc(1, sizeof *demo);
    if (!demo || !(demo->plan = template_compile(json_object_get(example, "template"), e))) {
        free(demo);
        return error_set(e, ERR_INTERNAL, "", "The example cannot be run.");
    }
    demo->request = r;
    demo->arrived_ns = request_arrived_ns(r);
    struct engine_task task = {.text = json_string_value(text), /* the examples live as long as the api */
                               .text_bytes = json_string_length(text),
                               .plan = demo->plan,
                               .details = true,
                               .done = demo_done,
                               .arg = demo};
    request_park(r);
    if (engine_submit(api->options.engine, &task, e)) return true;
    template_free(demo->plan);
    free(demo);
    if (request_take(r)) request_fail(r, e, NULL);
    atomic_fetch_sub(&under_way, 1);
    return true;
}

static bool admit_demo(struct api *api, struct request *r, struct error *e)
{
    char client[REQUEST_PEER_CHARS + 1];
    web_client(api, r, client);
    if (!account_throttle(api->options.account, "demo", client, api->options.demos_per_minute, WINDOW_S, e)) return false;
    if (atomic_fetch_add(&under_way, 1) < DEMOS_UNDER_WAY) return true;
    atomic_fetch_sub(&under_way, 1);
    error_set(e, ERR_QUEUE_FULL, "", "Many examples are running. Try again in a moment.");
    e->retry_after_s = BUSY_RETRY_S;
    return false;
}

void handle_demo(void *context, struct request *r)
{
    struct api *api = context;
    struct error e = {0};
    json_t *body = web_body(r, &e);
    const char *id = body ? web_text(body, "example", &e) : NULL;
    const json_t *example = example_of(api, id);
    if (id && !example) error_set(&e, ERR_NOT_FOUND, "example", "There is no example \"%.40s\".", id);
    json_decref(body);
    if (!example || !admit_demo(api, r, &e)) {
        request_fail(r, &e, NULL);
    } else if (!start(api, r, example, &e)) {
        atomic_fetch_sub(&under_way, 1);
        request_fail(r, &e, NULL);
    }
}
