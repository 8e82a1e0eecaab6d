/* usage.c - GET /web/v1/usage and /web/v1/jobs: what an account has asked for, per day and lately. */
#include <math.h>
#include <string.h>

#include "api/internal.h"
#include "base/clock.h"

enum { DAYS_DEFAULT = 30, DAYS_MAX = 366, JOBS_DEFAULT = 50, JOBS_MAX = 200 };

struct day {
    int64_t requests, credits, errors;
    int64_t buckets[STORE_LATENCY_BUCKETS];
};

struct days {
    int64_t first;
    int count;
    struct day days[DAYS_MAX];
};

static bool add_row(void *arg, const struct store_usage_row *row)
{
    struct days *d = arg;
    int64_t i = row->day - d->first;
    if (i < 0 || i >= d->count || row->bucket < 0 || row->bucket >= STORE_LATENCY_BUCKETS) return true;
    d->days[i].requests += row->requests;
    d->days[i].credits += row->credits;
    d->days[i].errors += row->errors;
    d->days[i].buckets[row->bucket] += row->requests;
    return true;
}

/* The upper edge of the bucket the percentile lies in; null for a day without requests. */
static json_t *percentile(const struct day *day, double share)
{
    int64_t wanted = (int64_t)ceil((double)day->requests * share), seen = 0;
    if (day->requests == 0) return json_null();
    for (int b = 0; b < STORE_LATENCY_BUCKETS; b++) {
        seen += day->buckets[b];
        if (seen >= wanted) return json_integer((json_int_t)llround(exp2(b / 4.0)));
    }
    return json_null();
}

static json_t *day_json(int64_t number, const struct day *day)
{
    char iso[CLOCK_ISO_CHARS + 1];
    clock_iso8601(number * MS_PER_DAY, iso);
    iso[10] = 0;
    return json_pack("{s:s, s:I, s:I, s:o, s:o, s:I}", "date", iso, "requests", (json_int_t)day->requests, "credits",
                     (json_int_t)day->credits, "p50_ms", percentile(day, 0.5), "p95_ms", percentile(day, 0.95), "errors",
                     (json_int_t)day->errors);
}

static void usage(struct api *api, struct request *r)
{
    static struct days d; /* 300 KB: the desk's one thread alone comes here */
    struct error e = {0};
    memset(&d, 0, sizeof d);
    d.count = web_limit(r, "days", DAYS_DEFAULT, DAYS_MAX);
    d.first = clock_wall_ms() / MS_PER_DAY - d.count + 1;
    struct store_usage q = {.read = {STORE_READ_USAGE},
                            .account_id = visit_of(r)->caller.account_id,
                            .since_day = d.first,
                            .visit = add_row,
                            .arg = &d};
    if (!store_read(api->options.store, &q.read, &e)) {
        request_fail(r, &e, NULL);
        return;
    }
    json_t *rows = json_array();
    for (int i = 0; i < d.count; i++) (void)web_append(&rows, day_json(d.first + i, &d.days[i]));
    request_reply_json(r, 200, json_pack("{s:o}", "days", rows));
}

static bool add_job(void *arg, const struct store_job *job)
{
    static const char *const names[] = {"pending", "pending", "success", "failed"};
    bool ended = job->state >= STORE_SUCCESS;
    json_t *row = json_pack("{s:s, s:s, s:o, s:o, s:i, s:o}", "job_id", job->id, "status", names[job->state], "created_at",
                            web_time(job->created_ms), "latency_ms",
                            ended ? json_integer((json_int_t)job->latency_ms) : json_null(), "credits_charged",
                            job->credits_charged, "error_code",
                            job->state == STORE_FAILED ? json_string(error_code_name(job->error.code)) : json_null());
    return web_append(arg, row);
}

static void recent_jobs(struct api *api, struct request *r)
{
    struct error e = {0};
    json_t *rows = json_array();
    struct store_recent_jobs q = {.read = {STORE_READ_RECENT_JOBS},
                                  .account_id = visit_of(r)->caller.account_id,
                                  .limit = web_limit(r, "limit", JOBS_DEFAULT, JOBS_MAX),
                                  .visit = add_job,
                                  .arg = &rows};
    if (store_read(api->options.store, &q.read, &e)) {
        request_reply_json(r, 200, json_pack("{s:o}", "jobs", rows));
        return;
    }
    json_decref(rows);
    request_fail(r, &e, NULL);
}

void handle_usage(void *context, struct request *r)
{
    struct api *api = context;
    web_work(r, api->desk, usage);
}

void handle_recent_jobs(void *context, struct request *r)
{
    struct api *api = context;
    web_work(r, api->desk, recent_jobs);
}
