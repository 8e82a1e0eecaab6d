/* health.c - for machines that watch: is it alive, is it ready, what does it count. No key is asked for; a proxy keeps
 * /metrics to itself (deploy/nginx.conf). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "store/store.h"

void handle_livez(void *context, struct request *r)
{
    (void)context;
    request_reply_json(r, 200, json_pack("{s:s}", "status", "ok"));
}

void handle_readyz(void *context, struct request *r)
{
    struct api *api = context;
    struct error e = {0};
    bool ready = true;
    if (atomic_load(&api->draining))
        ready = error_set(&e, ERR_SHUTTING_DOWN, "", "The service is shutting down.");
    else if (!api->options.engine)
        ready = error_set(&e, ERR_ENGINE_UNAVAILABLE, "", "The engine is not loaded.");
    else
        ready = store_ping(api->options.store, &e);
    if (ready) {
        request_reply_json(r, 200, json_pack("{s:s}", "status", "ready"));
        return;
    }
    e.retry_after_s = 5;
    request_fail(r, &e, NULL);
}

static void print(FILE *out, const char *name, const char *type, const char *help, double value)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n%s %.15g\n", name, help, name, type, name, value);
}

static void print_jobs(struct jobs *jobs, FILE *out)
{
    struct jobs_counters c;
    jobs_count(jobs, &c);
    print(out, "refractr_jobs_submitted_total", "counter", "Jobs accepted.", (double)c.submitted);
    print(out, "refractr_jobs_succeeded_total", "counter", "Jobs that ended with an answer: one credit each.", (double)c.succeeded);
    print(out, "refractr_jobs_failed_total", "counter", "Jobs that ended without an answer; not charged.", (double)c.failed);
    print(out, "refractr_jobs_timed_out_total", "counter", "Waiting requests answered 504.", (double)c.timed_out);
    print(out, "refractr_jobs_recovered_total", "counter", "Jobs of a killed process that ran again.", (double)c.recovered);
    print(out, "refractr_jobs_queued", "gauge", "Jobs accepted and not yet running.", c.queued);
    print(out, "refractr_jobs_running", "gauge", "Jobs in the engine.", c.running);
    print(out, "refractr_jobs_waiting", "gauge", "Requests that wait for their answer.", c.waiting);
}

static void print_store(struct store *store, FILE *out)
{
    struct store_counters c;
    store_count(store, &c);
    print(out, "refractr_store_commits_total", "counter", "Transactions committed.", (double)c.batches);
    print(out, "refractr_store_writes_total", "counter", "Writes in them.", (double)c.writes);
    print(out, "refractr_store_writes_queued", "gauge", "Writes that wait for the writer.", c.queued);
    print(out, "refractr_store_commit_seconds_max", "gauge", "Longest commit so far.", (double)c.commit_ns_max / 1e9);
}

void handle_metrics(void *context, struct request *r)
{
    struct api *api = context;
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    if (out) {
        fprintf(out, "# HELP refractr_info The program and the model it runs.\n# TYPE refractr_info gauge\n"
                     "refractr_info{version=\"%s\",model=\"%s\"} 1\n", REFRACTR_VERSION, engine_model_name(api->options.engine));
        print_jobs(api->options.jobs, out);
        engine_metrics(api->options.engine, out);
        print_store(api->options.store, out);
        server_metrics(request_server(r), out);
    }
    if (out && fclose(out) == 0 && text) { /* glibc tells a failed last step by no text alone */
        request_reply(r, 200, "text/plain; version=0.0.4; charset=utf-8", text, bytes, free);
        return;
    }
    free(text);
    struct error e;
    error_set(&e, ERR_INTERNAL, "", "There is no memory for the metrics.");
    request_fail(r, &e, NULL);
}
