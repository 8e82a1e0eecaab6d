/* job.c - the way of a job, and the only place where its state changes.
 *
 *     job_submit --insert+hold--> [pending] --claim--> [running] --engine--> --settle--> [success] or [failed]
 *         |                          ^ waits in queue.c        |                 |
 *         |  a free slot: inserted as [running] at once        |                 +--> reply, unless the deadline was first
 *
 * Each arrow is a write posted to the store whose completion starts the next step, so no thread ever waits for the disk.
 * A settlement that the store refuses (disk full) is tried again every second: the work is not lost and not repeated. */
#include "job/job.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/uuid.h"
#include "job/internal.h"
#include "store/store_nodes.h"

enum {
    DIRECT_STARTS = 32,  /* jobs that may be on their way past the queue, beside the engine's slots */
    SWEEP_EVERY_S = 30,
    SWEEP_BATCH = 200,   /* rows per transaction: a sweep never delays a request by more */
    RETRY_EVERY_S = 1,
    FULL_RETRY_AFTER_S = 2,
};

static void post_settle(struct job *job);

/* ---- a job's life ------------------------------------------------------------------------------------------------- */

void job_free(struct job *job)
{
    template_free(job->plan);
    free(job->text);
    free(job->template_text);
    free(job->idempotency_key);
    free(job->webhook_url);
    free(job->result);
    engine_answer_clear(&job->answer);
    free(job);
}

static struct job *job_new(struct jobs *jobs, const char *account_id)
{
    struct job *job = calloc(1, sizeof *job);
    if (!job) return NULL;
    job->jobs = jobs;
    snprintf(job->account_id, sizeof job->account_id, "%s", account_id);
    return job;
}

void job_leave(struct job *job)
{
    struct jobs *jobs = job->jobs;
    pthread_mutex_lock(&jobs->lock);
    queue_leave(&jobs->queue, job->account_id);
    if (--jobs->accepted == 0) pthread_cond_broadcast(&jobs->drained);
    pthread_mutex_unlock(&jobs->lock);
    job_free(job);
}

void job_answer(struct job *job, const struct job_view *view, const struct error *e)
{
    void *arg;
    pthread_mutex_lock(&job->jobs->lock);
    job_reply reply = waiter_take(job->jobs, job, &arg);
    pthread_mutex_unlock(&job->jobs->lock);
    if (reply) reply(arg, view, e);
}

/* Touches nothing that changes after the insert: the timer thread calls it while an engine thread works on the job. */
static struct job_view view_of(const struct job *job, enum job_state state)
{
    struct job_view view = {.state = state, .credits_remaining = -1};
    memcpy(view.id, job->id, sizeof view.id);
    return view;
}

/* ---- settle ------------------------------------------------------------------------------------------------------- */

static void count_end(struct jobs *jobs, bool succeeded)
{
    pthread_mutex_lock(&jobs->lock);
    if (succeeded) jobs->counters.succeeded++;
    else jobs->counters.failed++;
    pthread_mutex_unlock(&jobs->lock);
}

static void retry_later(struct job *job)
{
    struct jobs *jobs = job->jobs;
    log_error(NULL, "job: result not stored, trying again", LOG_STR("job_id", job->id),
              LOG_STR("error", job->w.settle.write.error.message));
    pthread_mutex_lock(&jobs->lock);
    LL_APPEND(jobs->retries, job);
    pthread_cond_signal(&jobs->wake);
    pthread_mutex_unlock(&jobs->lock);
}

static void settled(struct store_write *write)
{
    struct job *job = (struct job *)((char *)write - offsetof(struct job, w));
    const struct store_job_settle *settle = &job->w.settle;
    if (!write->ok) {
        retry_later(job);
        return;
    }
    bool succeeded = settle->result != NULL;
    struct job_view view = view_of(job, succeeded ? JOB_SUCCESS : JOB_FAILED);
    view.latency_ms = job->latency_ms;
    if (!settle->applied && job->jobs->fleet) { /* this node was thought dead: another has the job */
        fleet_watch(job);
        return;
    }
    if (!settle->applied) {
        struct error e;
        error_set(&e, ERR_INTERNAL, "", "this job was taken over by another process");
        log_error(NULL, "job: settled by somebody else", LOG_STR("job_id", job->id));
        job_answer(job, &view, &e);
    } else {
        view.data = job->answer.data;
        view.fields = job->answer.fields;
        view.warnings = job->answer.warnings;
        view.credits_charged = succeeded ? 1 : 0;
        view.credits_remaining = settle->credits_remaining;
        view.error = settle->failure;
        count_end(job->jobs, succeeded);
        job_answer(job, &view, NULL);
    }
    job_leave(job);
}

static void post_settle(struct job *job)
{
    job->w.settle.write.verb = STORE_JOB_SETTLE;
    job->w.settle.write.done = settled;
    store_post(job->jobs->store, &job->w.settle.write);
}

/* running -> success or failed, as the engine's answer says */
static void settle(struct job *job)
{
    job->latency_ms = (clock_monotonic_ns() - job->arrived_ns) / NS_PER_MS;
    if (job->answer.ok && !(job->result = result_dump(&job->answer))) {
        job->answer.ok = error_set(&job->answer.error, ERR_INTERNAL, "", "no memory for the answer");
    }
    job->w.settle = (struct store_job_settle){.id = job->id,
                                              .attempt = job->attempt,
                                              .result = job->result,
                                              .failure = job->answer.error,
                                              .latency_ms = job->latency_ms,
                                              .now_ms = clock_wall_ms()};
    post_settle(job);
}

/* ---- run ---------------------------------------------------------------------------------------------------------- */

static void engine_left(struct jobs *jobs)
{
    pthread_mutex_lock(&jobs->lock);
    jobs->in_engine--;
    if (jobs->fleet) fleet_wake(jobs->fleet);
    pthread_mutex_unlock(&jobs->lock);
    job_dispatch(jobs);
}

static void on_answer(void *arg, struct engine_answer *given)
{
    struct job *job = arg;
    struct jobs *jobs = job->jobs;
    job->answer = *given;
    *given = (struct engine_answer){.ok = false};
    settle(job); /* from here on the job may be gone */
    engine_left(jobs);
}

/* The job is running in the store, and counted in jobs->in_engine. */
static void run(struct job *job)
{
    struct jobs *jobs = job->jobs;
    struct engine_task task = {.text = job->text,
                               .text_bytes = job->text_bytes,
                               .plan = job->plan,
                               .details = job->details,
                               .done = on_answer,
                               .arg = job};
    if (job->plan && engine_submit(jobs->engine, &task, &job->answer.error)) return;
    if (!job->plan) error_set(&job->answer.error, ERR_INTERNAL, "template", "the stored template cannot be read");
    settle(job);
    engine_left(jobs);
}

static void claimed(struct store_write *write)
{
    struct job *job = (struct job *)((char *)write - offsetof(struct job, w));
    struct jobs *jobs = job->jobs;
    if (write->ok && job->w.claim.applied) {
        job->attempt++;
        run(job);
        return;
    }
    log_error(NULL, "job: not claimed", LOG_STR("job_id", job->id), LOG_STR("error", write->error.message));
    pthread_mutex_lock(&jobs->lock);
    if (!write->ok) { /* the store is in trouble: the timer tries again */
        queue_push(&jobs->queue, job);
        jobs->in_engine--;
        pthread_mutex_unlock(&jobs->lock);
        return;
    }
    pthread_mutex_unlock(&jobs->lock);
    job_leave(job); /* its waiter, if any, was answered by its deadline or will poll */
    engine_left(jobs);
}

/* pending -> running for as many as the engine has room for */
void job_dispatch(struct jobs *jobs)
{
    for (;;) {
        pthread_mutex_lock(&jobs->lock);
        struct job *job = jobs->in_engine < jobs->options.engine_slots ? queue_pop(&jobs->queue) : NULL;
        if (job) jobs->in_engine++;
        pthread_mutex_unlock(&jobs->lock);
        if (!job) return;
        if (job->claimed) {
            run(job);
            continue;
        }
        job->w.claim = (struct store_job_claim){
            .write = {.verb = STORE_JOB_CLAIM, .done = claimed}, .id = job->id, .attempt = job->attempt};
        store_post(jobs->store, &job->w.claim.write);
    }
}

/* ---- submit ------------------------------------------------------------------------------------------------------- */

/* Answers from the job that the same idempotency key made before. */
static void replay(struct job *job, const struct store_job_insert *w)
{
    struct error e;
    struct store_job stored;
    struct engine_answer result;
    struct job_view view;
    if (w->existing_state < STORE_SUCCESS) {
        view = view_of(job, JOB_PENDING);
        memcpy(view.id, w->existing_id, sizeof view.id);
        view.replayed = true;
        error_set(&e, ERR_IN_PROGRESS, "Idempotency-Key", "the first request with this Idempotency-Key is still being "
                  "worked on (job %s); try again in a moment", w->existing_id);
        job_answer(job, job->wait ? NULL : &view, job->wait ? &e : NULL);
        return;
    }
    if (!store_job_read(job->jobs->store, job->account_id, w->existing_id, &stored, &e)) {
        job_answer(job, NULL, &e);
        return;
    }
    bool ok = view_of_stored(&stored, &view, &result);
    view.replayed = true;
    if (!ok) error_set(&e, ERR_INTERNAL, "", "the stored answer cannot be read");
    job_answer(job, &view, ok ? NULL : &e);
    engine_answer_clear(&result);
    store_job_clear(&stored);
}

static void refuse_insert(struct job *job)
{
    const struct store_job_insert *w = &job->w.insert;
    struct error e = w->write.error;
    if (w->write.ok) {
        error_set(&e, ERR_IDEMPOTENCY_MISMATCH, "Idempotency-Key", "this Idempotency-Key was used within 24 hours with "
                  "another body; use a new one for a new request");
    }
    job_answer(job, NULL, &e);
}

static void start_or_wait(struct job *job, bool start)
{
    struct jobs *jobs = job->jobs;
    pthread_mutex_lock(&jobs->lock);
    jobs->counters.submitted++;
    if (start) jobs->starting--, jobs->in_engine++;
    else if (!jobs->fleet) queue_push(&jobs->queue, job);
    pthread_mutex_unlock(&jobs->lock);
    if (start) run(job);
    else if (jobs->fleet) fleet_watch(job);
    else job_dispatch(jobs);
}

static void inserted(struct store_write *write)
{
    struct job *job = (struct job *)((char *)write - offsetof(struct job, w));
    const struct store_job_insert *w = &job->w.insert;
    bool start = w->running;
    if (write->ok && w->outcome == INSERT_CREATED) {
        struct job_view view = view_of(job, JOB_PENDING);
        view.credits_remaining = w->credits_remaining;
        job->attempt = start ? 1 : 0;
        if (!job->wait) job_answer(job, &view, NULL);
        start_or_wait(job, start);
        return;
    }
    if (write->ok && w->outcome == INSERT_REPLAY) replay(job, w);
    else refuse_insert(job);
    pthread_mutex_lock(&job->jobs->lock);
    if (start) job->jobs->starting--;
    pthread_mutex_unlock(&job->jobs->lock);
    job_leave(job);
}

static struct job *job_from(struct jobs *jobs, const struct job_request *r)
{
    struct job *job = job_new(jobs, r->caller.account_id);
    if (!job) return NULL;
    uuid_make(job->id);
    job->details = r->details;
    job->wait = r->wait;
    job->arrived_ns = r->arrived_ns;
    memcpy(job->body_hash, r->body_hash, sizeof job->body_hash);
    job->template_text = json_text(r->template, JSON_COMPACT | JSON_ENCODE_ANY);
    if (r->idempotency_key) job->idempotency_key = strdup(r->idempotency_key);
    if (r->webhook_url) job->webhook_url = strdup(r->webhook_url);
    job->key_id = r->caller.key_id;
    bool complete = (job->idempotency_key || !r->idempotency_key) && (job->webhook_url || !r->webhook_url);
    if (job->template_text && complete) return job;
    job_free(job);
    return NULL;
}

/* Room for one more? On true it is counted, its waiter set, and `start` says whether it may pass the queue by. */
static bool admit(struct jobs *jobs, struct job *job, job_reply reply, void *arg, bool *start, struct error *e)
{
    int limit = jobs->options.queue_limit;
    bool ok = true, wake = false;
    pthread_mutex_lock(&jobs->lock);
    if (jobs->stopping) {
        ok = error_set(e, ERR_SHUTTING_DOWN, "", "the service is shutting down; try again");
    } else if (jobs->accepted >= limit || !queue_admit(&jobs->queue, job->account_id, limit - limit / 10)) {
        ok = error_set(e, ERR_QUEUE_FULL, "", "%d documents are waiting already; try again in a moment", jobs->accepted);
    } else {
        jobs->accepted++;
        job->waiter.reply = reply;
        job->waiter.arg = arg;
        wake = waiter_add(jobs, job);
        *start = jobs->queue.waiting == 0 && jobs->in_engine < jobs->options.engine_slots &&
                 jobs->starting < DIRECT_STARTS && (!jobs->fleet || fleet_may_start(jobs->fleet));
        if (*start) jobs->starting++;
    }
    if (wake) pthread_cond_signal(&jobs->wake);
    pthread_mutex_unlock(&jobs->lock);
    if (!ok) e->retry_after_s = FULL_RETRY_AFTER_S;
    return ok;
}

void job_submit(struct jobs *jobs, struct job_request *request, job_reply reply, void *arg)
{
    struct error e;
    bool start = false;
    struct job *job = job_from(jobs, request);
    if (!job) error_set(&e, ERR_INTERNAL, "", "there is no memory for this request; try again");
    if (!job || !admit(jobs, job, reply, arg, &start, &e)) {
        template_free(request->plan);
        free(request->text);
        if (job) job_free(job);
        reply(arg, NULL, &e);
        return;
    }
    job->plan = request->plan;
    job->text = request->text;
    job->text_bytes = request->text_bytes;
    job->w.insert = (struct store_job_insert){.write = {.verb = STORE_JOB_INSERT, .done = inserted},
                                              .id = job->id,
                                              .account_id = job->account_id,
                                              .running = start,
                                              .details = job->details,
                                              .template = job->template_text,
                                              .text = job->text,
                                              .text_bytes = job->text_bytes,
                                              .idempotency_key = job->idempotency_key,
                                              .body_hash = job->body_hash,
                                              .webhook_url = job->webhook_url,
                                              .webhook_key = job->key_id,
                                              .now_ms = clock_wall_ms()};
    store_post(jobs->store, &job->w.insert.write);
}

/* ---- get ---------------------------------------------------------------------------------------------------------- */

void job_get(struct jobs *jobs, const struct caller *caller, const char *id, job_reply reply, void *arg)
{
    struct error e;
    struct store_job stored;
    struct engine_answer result = {.ok = false};
    struct job_view view;
    if (!store_job_read(jobs->store, caller->account_id, id, &stored, &e)) {
        if (e.code == ERR_JOB_NOT_FOUND) error_set(&e, ERR_JOB_NOT_FOUND, "job_id", "there is no job %.36s", id);
        reply(arg, NULL, &e);
        return;
    }
    bool finished = stored.state >= STORE_SUCCESS;
    if (finished && stored.finished_ms + jobs->options.retention_s * INT64_C(1000) <= clock_wall_ms()) {
        error_set(&e, ERR_JOB_NOT_FOUND, "job_id", "job %.36s is kept no longer: it finished more than %d seconds ago", id,
                  jobs->options.retention_s);
        reply(arg, NULL, &e);
    } else if (!view_of_stored(&stored, &view, &result)) {
        error_set(&e, ERR_INTERNAL, "", "the stored answer cannot be read");
        reply(arg, NULL, &e);
    } else {
        reply(arg, &view, NULL);
    }
    engine_answer_clear(&result);
    store_job_clear(&stored);
}

/* ---- the timer thread: deadlines, retries, retention -------------------------------------------------------------- */

static void answer_timeout(struct jobs *jobs, int64_t now_ns, const char *message)
{
    for (;;) {
        void *arg = NULL;
        job_reply reply = NULL;
        struct job_view view;
        pthread_mutex_lock(&jobs->lock);
        struct job *job = waiter_expired(jobs, now_ns);
        if (job) {
            view = view_of(job, JOB_PENDING);
            reply = waiter_take(jobs, job, &arg);
            jobs->counters.timed_out++;
        }
        pthread_mutex_unlock(&jobs->lock);
        if (!reply) return;
        struct error e;
        error_set(&e, ERR_TIMEOUT, "", "%s", message);
        reply(arg, &view, &e);
    }
}

static void retry_settlements(struct jobs *jobs)
{
    pthread_mutex_lock(&jobs->lock);
    struct job *job = jobs->retries;
    jobs->retries = NULL;
    pthread_mutex_unlock(&jobs->lock);
    while (job) {
        struct job *next = job->next;
        job->next = NULL;
        post_settle(job);
        job = next;
    }
    job_dispatch(jobs);
}

struct sweep {
    struct store_jobs_sweep w;
    struct jobs *jobs;
};

static void post_sweep(struct sweep *sweep)
{
    int64_t now = clock_wall_ms();
    sweep->w.before_ms = now - sweep->jobs->options.retention_s * INT64_C(1000);
    sweep->w.keys_before_ms = now - MS_PER_DAY;
    store_post(sweep->jobs->store, &sweep->w.write);
}

static void swept(struct store_write *write)
{
    struct sweep *sweep = (struct sweep *)write;
    struct jobs *jobs = sweep->jobs;
    if (!write->ok) log_warn(NULL, "job: sweep failed", LOG_STR("error", write->error.message));
    pthread_mutex_lock(&jobs->lock);
    bool again = write->ok && sweep->w.deleted == sweep->w.limit && !jobs->stopping;
    if (!again) jobs->sweeps_out = 0, pthread_cond_broadcast(&jobs->drained);
    pthread_mutex_unlock(&jobs->lock);
    if (again) post_sweep(sweep);
    else free(sweep);
}

static void start_sweep(struct jobs *jobs)
{
    struct sweep *sweep = calloc(1, sizeof *sweep);
    if (!sweep) return;
    sweep->w = (struct store_jobs_sweep){.write = {.verb = STORE_JOBS_SWEEP, .done = swept}, .limit = SWEEP_BATCH};
    sweep->jobs = jobs;
    pthread_mutex_lock(&jobs->lock);
    bool free_to_go = !jobs->sweeps_out && !jobs->stopping;
    if (free_to_go) jobs->sweeps_out = 1;
    pthread_mutex_unlock(&jobs->lock);
    if (free_to_go) post_sweep(sweep);
    else free(sweep);
}

/* With the lock held: sleeps until a deadline, a retry or `until_ns`. */
static void timer_sleep(struct jobs *jobs, int64_t until_ns)
{
    if (jobs->waiters && jobs->waiters->deadline_ns < until_ns) until_ns = jobs->waiters->deadline_ns;
    jobs->timer_wakes_ns = until_ns;
    if (clock_monotonic_ns() < until_ns) (void)cond_wait_until(&jobs->wake, &jobs->lock, until_ns);
    jobs->timer_wakes_ns = 0; /* awake: it looks at all deadlines before it sleeps again */
}

static void *timer_main(void *arg)
{
    struct jobs *jobs = arg;
    int64_t next_sweep_ns = 0, next_retry_ns = 0;
    pthread_setname_np(pthread_self(), "job timer");
    pthread_mutex_lock(&jobs->lock);
    while (!jobs->closing) {
        pthread_mutex_unlock(&jobs->lock);
        int64_t now = clock_monotonic_ns();
        answer_timeout(jobs, now, "the answer took longer than the deadline; the job goes on, poll it at Location");
        if (now >= next_retry_ns) {
            retry_settlements(jobs);
            next_retry_ns = now + RETRY_EVERY_S * NS_PER_S;
        }
        if (now >= next_sweep_ns) {
            start_sweep(jobs);
            next_sweep_ns = now + SWEEP_EVERY_S * NS_PER_S;
        }
        pthread_mutex_lock(&jobs->lock);
        if (!jobs->closing) timer_sleep(jobs, next_retry_ns);
    }
    pthread_mutex_unlock(&jobs->lock);
    return NULL;
}

/* ---- open and close ----------------------------------------------------------------------------------------------- */

/* A template that cannot be read leaves the job without a plan: it fails when its turn comes. False: no memory. */
static bool read_stored_template(struct job *job, const char *text)
{
    json_error_t found;
    struct error e = {0};
    json_t *template = json_read(text, strlen(text), JSON_ALLOW_NUL, &found);
    if (template) job->plan = template_compile(template, &e);
    json_decref(template);
    return job->plan || (template ? e.code != ERR_INTERNAL : json_error_code(&found) != json_error_out_of_memory);
}

struct job *job_restore(struct jobs *jobs, const struct store_pending_job *stored)
{
    struct job *job = job_new(jobs, stored->account_id);
    if (!job || !(job->text = malloc(stored->text_bytes + 1)) || !read_stored_template(job, stored->template)) {
        if (job) job_free(job);
        return NULL;
    }
    memcpy(job->id, stored->id, sizeof job->id);
    memcpy(job->text, stored->text, stored->text_bytes);
    job->text[stored->text_bytes] = '\0';
    job->text_bytes = stored->text_bytes;
    job->attempt = stored->attempt;
    job->details = stored->details;
    job->arrived_ns = clock_monotonic_ns() - (clock_wall_ms() - stored->created_ms) * NS_PER_MS;
    return job;
}

void job_fill(struct job *job, struct job *from)
{
    template_free(job->plan);
    free(job->text);
    free(job->result);
    engine_answer_clear(&job->answer);
    job->plan = NULL;
    job->text = job->result = NULL;
    if (!from) return;
    job->plan = from->plan;
    job->text = from->text;
    job->text_bytes = from->text_bytes;
    job->attempt = from->attempt;
    from->plan = NULL;
    from->text = NULL;
    job_free(from);
}

struct recovery {
    struct jobs *jobs;
    bool no_memory;
};

/* False ends the walk: there was no memory, and the service must not start without the job. */
static bool recover_one(void *arg, const struct store_pending_job *stored)
{
    struct recovery *recovery = arg;
    struct jobs *jobs = recovery->jobs;
    struct job *job = job_restore(jobs, stored);
    if (!job || !queue_admit(&jobs->queue, job->account_id, 1 << 30)) {
        if (job) job_free(job);
        recovery->no_memory = true;
        return false;
    }
    jobs->accepted++; /* over the limit if need be: they were accepted before */
    jobs->counters.recovered++;
    queue_push(&jobs->queue, job);
    return true;
}

static bool recover(struct jobs *jobs, struct error *e)
{
    struct store_jobs_recover w = {
        .write = {.verb = STORE_JOBS_RECOVER}, .max_attempts = JOB_ATTEMPTS_MAX, .now_ms = clock_wall_ms()};
    if (!store_write_wait(jobs->store, &w.write, e)) return false;
    struct recovery recovery = {.jobs = jobs};
    if (!store_pending_jobs(jobs->store, recover_one, &recovery, e)) return false;
    if (recovery.no_memory) return error_set(e, ERR_INTERNAL, "", "out of memory reading the jobs that must run again");
    if (jobs->counters.recovered || w.given_up) {
        log_info(NULL, "job: recovered", LOG_INT("again", (int64_t)jobs->counters.recovered),
                 LOG_INT("interrupted", w.requeued), LOG_INT("given_up", w.given_up));
    }
    return true;
}

void jobs_close(struct jobs *jobs)
{
    struct job *job;
    if (!jobs) return;
    while ((job = queue_pop(&jobs->queue))) {
        queue_leave(&jobs->queue, job->account_id);
        job_free(job);
    }
    if (jobs->fleet) fleet_close(jobs->fleet);
    pthread_cond_destroy(&jobs->wake);
    pthread_cond_destroy(&jobs->drained);
    pthread_mutex_destroy(&jobs->lock);
    free(jobs);
}

static bool drain(struct jobs *jobs, int64_t until_ns)
{
    bool in_time = true;
    pthread_mutex_lock(&jobs->lock);
    while ((jobs->accepted > 0 || jobs->sweeps_out) && in_time) {
        in_time = cond_wait_until(&jobs->drained, &jobs->lock, until_ns);
    }
    bool done = jobs->accepted == 0 && !jobs->sweeps_out;
    jobs->closing = true;
    pthread_cond_signal(&jobs->wake);
    if (jobs->fleet) fleet_stopping(jobs->fleet);
    pthread_mutex_unlock(&jobs->lock);
    pthread_join(jobs->timer, NULL);
    if (jobs->fleet) fleet_end(jobs);
    return done;
}

struct jobs *jobs_open(struct store *store, struct engine *engine, const struct jobs_options *options, struct error *e)
{
    struct jobs *jobs = calloc(1, sizeof *jobs);
    if (!jobs) return error_set(e, ERR_INTERNAL, "", "out of memory"), NULL;
    jobs->store = store;
    jobs->engine = engine;
    jobs->options = *options;
    if (jobs->options.engine_slots == 0) jobs->options.engine_slots = engine_slots(engine);
    pthread_mutex_init(&jobs->lock, NULL);
    cond_init_monotonic(&jobs->wake);
    cond_init_monotonic(&jobs->drained);
    bool ok = store_shared(store) || recover(jobs, e);
    if (ok && pthread_create(&jobs->timer, NULL, timer_main, jobs) != 0) {
        ok = error_set(e, ERR_INTERNAL, "", "cannot start the timer's thread");
    }
    if (ok && store_shared(store) && !fleet_open(jobs, e)) {
        (void)drain(jobs, 0);
        ok = false;
    }
    if (!ok) {
        jobs_close(jobs);
        return NULL;
    }
    job_dispatch(jobs);
    return jobs;
}

void jobs_stop_intake(struct jobs *jobs)
{
    pthread_mutex_lock(&jobs->lock);
    jobs->stopping = true;
    if (jobs->fleet) fleet_stopping(jobs->fleet);
    pthread_mutex_unlock(&jobs->lock);
}

bool jobs_drain(struct jobs *jobs, int drain_ms)
{
    if (!jobs) return true;
    jobs_stop_intake(jobs);
    bool done = drain(jobs, clock_monotonic_ns() + drain_ms * NS_PER_MS);
    answer_timeout(jobs, INT64_MAX, "the service is stopping; the job runs when it is back, poll it at Location");
    if (!done) log_warn(NULL, "job: not all jobs ended in time; they run again at the next start");
    return done;
}

void jobs_count(struct jobs *jobs, struct jobs_counters *out)
{
    pthread_mutex_lock(&jobs->lock);
    *out = jobs->counters;
    out->running = jobs->in_engine;
    out->queued = jobs->accepted - jobs->in_engine > 0 ? jobs->accepted - jobs->in_engine : 0;
    pthread_mutex_unlock(&jobs->lock);
}
