/* fleet.c - one node among several on a shared store: its heartbeat, the jobs it takes from the line all nodes share, the
 * jobs it watches because they run elsewhere. With a store of one process there is no fleet, and nothing here runs.
 *
 *     submitted here, room here      inserted as running, run here                       (job.c, as without a fleet)
 *     submitted here, no room        inserted as pending; watched until it has ended, its waiter then answered
 *     waiting in the store           taken by whichever node has room, run there, settled there
 *     of a node not heard of         pending again after its lease (STORE_LEASE_S), taken by another
 *
 * Nobody sends messages: one thread per node looks into two small indexes of the store, every 5 ms while it finds something
 * and every 50 ms while it does not. LISTEN/NOTIFY would tell sooner, but a NOTIFY holds one lock of the whole server while
 * its transaction commits, needs connections that no pooler may share, and is lost when they break, so that one had to
 * look anyway; a look at an empty index costs a twentieth of a millisecond.
 *
 * Only the fleet's thread takes jobs out of `watched`. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "job/internal.h"
#include "store/store_nodes.h"

enum {
    BEAT_EVERY_MS = 2000,
    BEAT_RETRY_MS = 500,
    RECOVER_EVERY_MS = 3000,
    LOOK_MIN_MS = 5,
    LOOK_MAX_MS = 50,
    AHEAD_MAX = 64,     /* jobs taken beyond the engine's room: what it has ended since the last look, at most this */
    WATCH_AT_ONCE = 500,
};

struct fleet {
    struct jobs *jobs;
    pthread_t thread;
    pthread_cond_t wake;
    bool works;              /* takes jobs; otherwise it watches only */
    struct job *watched;     /* by id. This and the next three are guarded by jobs->lock, the rest is the thread's own */
    bool line_first;         /* jobs may wait in the store: none may pass them by */
    bool new_room, new_watched; /* since the thread last looked */
    const char *role;
    char name[96];
    struct store_take take;
    int look_ms, watch_ms;
    int64_t next_beat_ns, next_recover_ns, next_look_ns, next_watch_ns;
    uint64_t ended_before;
};

static int64_t later(int64_t now_ns, int ms) { return now_ns + ms * NS_PER_MS; }

static int longer(int ms) { return ms * 2 < LOOK_MAX_MS ? ms * 2 : LOOK_MAX_MS; }

/* ---- the heartbeat ----------------------------------------------------------------------------------------------------- */

static bool beat(struct fleet *f, struct error *e)
{
    bool rejoined;
    if (!store_node_beat(f->jobs->store, f->name, f->role, &rejoined, e)) return false;
    if (rejoined) log_info(NULL, "job: this node works on the store", LOG_STR("node", f->name), LOG_STR("role", f->role));
    return true;
}

static void recover_others(struct fleet *f)
{
    struct error e;
    struct store_jobs_recover w = {
        .write = {.verb = STORE_JOBS_RECOVER}, .max_attempts = JOB_ATTEMPTS_MAX, .now_ms = clock_wall_ms()};
    if (!store_write_wait(f->jobs->store, &w.write, &e)) {
        log_warn(NULL, "job: dead nodes not looked for", LOG_STR("error", e.message));
    } else if (w.requeued || w.given_up) {
        log_info(NULL, "job: a node is gone", LOG_INT("again", w.requeued), LOG_INT("given_up", w.given_up));
        pthread_mutex_lock(&f->jobs->lock);
        f->jobs->counters.recovered += (uint64_t)w.requeued;
        pthread_mutex_unlock(&f->jobs->lock);
    }
}

/* ---- jobs from the line -------------------------------------------------------------------------------------------------- */

/* Pending elsewhere -> running here. One that was submitted here goes on as what it was, its waiter with it. */
static bool take_one(void *arg, const struct store_pending_job *stored)
{
    struct fleet *f = arg;
    struct jobs *jobs = f->jobs;
    struct job *job = job_restore(jobs, stored), *mine;
    if (!job) { /* it belongs to nobody then: neither do the others this node has */
        store_node_leave(jobs->store);
        return false;
    }
    pthread_mutex_lock(&jobs->lock);
    HASH_FIND(watched, f->watched, job->id, JOB_ID_CHARS, mine);
    if (mine) {
        HASH_DELETE(watched, f->watched, mine);
        job_fill(mine, job);
        job = mine;
    } else {
        jobs->accepted++; /* over the limit if need be: it was accepted before */
        (void)queue_admit(&jobs->queue, job->account_id, 1 << 30);
    }
    job->claimed = true;
    queue_push(&jobs->queue, job);
    pthread_mutex_unlock(&jobs->lock);
    return true;
}

/* How many jobs may be taken now. None: whoever leaves the engine wakes this thread. */
static int room(struct fleet *f)
{
    struct jobs *jobs = f->jobs;
    pthread_mutex_lock(&jobs->lock);
    uint64_t ended = jobs->counters.succeeded + jobs->counters.failed, ahead = ended - f->ended_before;
    if (ahead > AHEAD_MAX) ahead = AHEAD_MAX;
    int free = jobs->options.engine_slots + (int)ahead - jobs->in_engine - jobs->starting - jobs->queue.waiting;
    bool wanted = f->works && (!jobs->stopping || jobs->waiters);
    if (wanted && free <= 0) f->line_first = true;
    else f->ended_before = ended;
    pthread_mutex_unlock(&jobs->lock);
    return wanted ? free : 0;
}

static void look(struct fleet *f, int64_t now_ns)
{
    struct error e;
    int limit = room(f);
    f->next_look_ns = later(now_ns, LOOK_MAX_MS);
    if (limit <= 0) return;
    f->take.limit = limit;
    bool ok = store_jobs_take(f->jobs->store, &f->take, &e);
    if (!ok) log_warn(NULL, "job: the line was not looked at", LOG_STR("error", e.message));
    pthread_mutex_lock(&f->jobs->lock);
    f->line_first = f->take.more;
    pthread_mutex_unlock(&f->jobs->lock);
    f->look_ms = !ok ? BEAT_RETRY_MS : f->take.taken ? LOOK_MIN_MS : longer(f->look_ms);
    f->next_look_ns = f->take.more ? now_ns : later(now_ns, f->look_ms);
    if (f->take.taken) job_dispatch(f->jobs);
}

/* ---- jobs that run elsewhere ----------------------------------------------------------------------------------------------- */

struct watch_round {
    struct fleet *fleet;
    int asked, ended;
};

static void end_one(void *arg, const struct store_job *stored, int64_t credits_remaining)
{
    struct watch_round *round = arg;
    struct fleet *f = round->fleet;
    struct job *job;
    struct engine_answer result;
    struct job_view view;
    struct error e;
    pthread_mutex_lock(&f->jobs->lock);
    HASH_FIND(watched, f->watched, stored->id, JOB_ID_CHARS, job);
    if (job) HASH_DELETE(watched, f->watched, job);
    pthread_mutex_unlock(&f->jobs->lock);
    if (!job) return;
    round->ended++;
    bool ok = view_of_stored(stored, &view, &result);
    view.credits_remaining = credits_remaining;
    if (!ok) error_set(&e, ERR_INTERNAL, "", "the stored answer cannot be read");
    job_answer(job, &view, ok ? NULL : &e);
    engine_answer_clear(&result);
    job_leave(job);
}

/* Up to WATCH_AT_ONCE of the watched, from `*from` on; `*from` NULL afterwards: that was all. */
static int watched_ids(struct fleet *f, struct job **from, const char *ids[WATCH_AT_ONCE])
{
    int count = 0;
    pthread_mutex_lock(&f->jobs->lock);
    struct job *job = *from ? *from : f->watched;
    for (; job && count < WATCH_AT_ONCE; job = job->watched.next) ids[count++] = job->id;
    *from = job;
    pthread_mutex_unlock(&f->jobs->lock);
    return count;
}

static void watch(struct fleet *f, int64_t now_ns)
{
    const char *ids[WATCH_AT_ONCE];
    struct error e;
    struct watch_round round = {.fleet = f};
    struct job *from = NULL;
    bool ok = true;
    do {
        struct store_watch w = {.ids = ids, .count = watched_ids(f, &from, ids), .visit = end_one, .arg = &round};
        ok = w.count == 0 || store_jobs_watch(f->jobs->store, &w, &e);
        round.asked += w.count;
    } while (ok && from);
    if (!ok) log_warn(NULL, "job: jobs elsewhere not looked at", LOG_STR("error", e.message));
    int least = LOOK_MIN_MS + round.asked / 20; /* the more it costs the less often */
    f->watch_ms = !ok ? BEAT_RETRY_MS : round.ended ? least : longer(f->watch_ms);
    if (ok && f->watch_ms < least) f->watch_ms = least;
    f->next_watch_ns = later(now_ns, f->watch_ms);
}

/* Nobody waits for it and this node stops, or it must have been kept and deleted while the store was away. */
static bool forgettable(const struct jobs *jobs, const struct job *job, int64_t now_ns)
{
    int64_t kept_ns = jobs->options.retention_s * NS_PER_S + jobs->options.deadline_ms * NS_PER_MS;
    return !job->waiter.reply && (jobs->stopping || job->arrived_ns + kept_ns < now_ns);
}

static void forget(struct fleet *f, int64_t now_ns)
{
    struct job *job, *next, *gone = NULL;
    pthread_mutex_lock(&f->jobs->lock);
    HASH_ITER(watched, f->watched, job, next)
    {
        if (!forgettable(f->jobs, job, now_ns)) continue;
        HASH_DELETE(watched, f->watched, job);
        job->next = gone;
        gone = job;
    }
    pthread_mutex_unlock(&f->jobs->lock);
    for (; gone; gone = next) {
        next = gone->next;
        job_leave(gone);
    }
}

void fleet_watch(struct job *job)
{
    struct fleet *f = job->jobs->fleet;
    job_fill(job, NULL);
    pthread_mutex_lock(&job->jobs->lock);
    job->claimed = false;
    HASH_ADD(watched, f->watched, id, JOB_ID_CHARS, job);
    f->line_first = f->new_watched = true;
    pthread_cond_signal(&f->wake);
    pthread_mutex_unlock(&job->jobs->lock);
}

/* ---- the thread -------------------------------------------------------------------------------------------------------------- */

bool fleet_may_start(const struct fleet *f) { return f->works && !f->line_first; }

void fleet_wake(struct fleet *f)
{
    if (!f->line_first) return;
    f->new_room = true;
    pthread_cond_signal(&f->wake);
}

static void step(struct fleet *f)
{
    struct error e;
    int64_t now = clock_monotonic_ns();
    if (now >= f->next_beat_ns) {
        bool ok = beat(f, &e);
        if (!ok) log_warn(NULL, "job: no heartbeat", LOG_STR("error", e.message));
        forget(f, now);
        f->next_beat_ns = later(now, ok ? BEAT_EVERY_MS : BEAT_RETRY_MS);
    }
    if (now >= f->next_recover_ns) {
        recover_others(f);
        f->next_recover_ns = later(now, RECOVER_EVERY_MS);
    }
    if (f->works && now >= f->next_look_ns) look(f, now);
    if (now >= f->next_watch_ns) watch(f, now);
}

/* With the lock held. */
static void take_note(struct fleet *f)
{
    int64_t soon = later(clock_monotonic_ns(), LOOK_MIN_MS);
    if (f->new_watched && soon < f->next_watch_ns) f->next_watch_ns = soon;
    if (f->new_watched || f->new_room) f->next_look_ns = 0;
    f->new_watched = f->new_room = false;
}

/* With the lock held: sleeps until the next thing is due. */
static void rest(struct fleet *f)
{
    int64_t until = f->next_beat_ns < f->next_recover_ns ? f->next_beat_ns : f->next_recover_ns;
    if (f->works && f->next_look_ns < until) until = f->next_look_ns;
    if (f->watched && f->next_watch_ns < until) until = f->next_watch_ns;
    bool told = f->new_watched || f->new_room;
    if (!told && clock_monotonic_ns() < until) (void)cond_wait_until(&f->wake, &f->jobs->lock, until);
}

static void *fleet_main(void *arg)
{
    struct fleet *f = arg;
    struct jobs *jobs = f->jobs;
    bool told = false;
    pthread_mutex_lock(&jobs->lock);
    while (!jobs->closing) {
        bool stops = jobs->stopping && !told;
        take_note(f);
        pthread_mutex_unlock(&jobs->lock);
        if (stops) forget(f, clock_monotonic_ns());
        told = told || stops;
        step(f);
        pthread_mutex_lock(&jobs->lock);
        if (!jobs->closing) rest(f);
    }
    pthread_mutex_unlock(&jobs->lock);
    return NULL;
}

bool fleet_open(struct jobs *jobs, struct error *e)
{
    char host[64] = "";
    struct fleet *f = calloc(1, sizeof *f);
    if (!f) return error_set(e, ERR_INTERNAL, "", "out of memory");
    (void)gethostname(host, sizeof host - 1);
    snprintf(f->name, sizeof f->name, "%s/%d", host, (int)getpid());
    f->role = jobs->options.role == ROLE_API ? "api" : jobs->options.role == ROLE_WORKER ? "worker" : "all";
    f->works = jobs->options.role != ROLE_API;
    f->jobs = jobs;
    f->take = (struct store_take){.visit = take_one, .arg = f};
    f->look_ms = f->watch_ms = LOOK_MIN_MS;
    cond_init_monotonic(&f->wake);
    bool ok = beat(f, e);
    jobs->fleet = f;
    if (ok && pthread_create(&f->thread, NULL, fleet_main, f) != 0)
        ok = error_set(e, ERR_INTERNAL, "", "cannot start the fleet's thread");
    if (ok) return true;
    jobs->fleet = NULL;
    pthread_cond_destroy(&f->wake);
    free(f);
    return false;
}

void fleet_stopping(struct fleet *f) { pthread_cond_signal(&f->wake); }

void fleet_end(struct jobs *jobs)
{
    pthread_join(jobs->fleet->thread, NULL);
    store_node_leave(jobs->store);
}

void fleet_close(struct fleet *f)
{
    struct job *job, *next;
    HASH_ITER(watched, f->watched, job, next)
    {
        HASH_DELETE(watched, f->watched, job);
        queue_leave(&f->jobs->queue, job->account_id);
        job_free(job);
    }
    pthread_cond_destroy(&f->wake);
    free(f);
}
