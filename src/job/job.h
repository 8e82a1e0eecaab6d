/* job.h - work that outlives a request: durable jobs, a bounded queue, waiters with a deadline.
 *
 * States (one function in job.c changes them, fenced by (state, attempt) in the store):
 *     pending -> running -> success | failed         running -> pending (process died; attempt + 1)
 * Insert + credit hold is one transaction; result + capture (or release) another. The store's single writer thread groups
 * commits, so api/ never blocks on fsync: every verb here takes a callback. On a store that several processes share any of
 * them may run a job, and the one that accepted it answers (fleet.c). Called by api/ and cli/serve.c. */
#ifndef REFRACTR_JOB_JOB_H
#define REFRACTR_JOB_JOB_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "access/access.h"
#include "base/error.h"
#include "engine/engine.h"

struct jobs;
struct store;

enum { JOB_ID_CHARS = 36, IDEMPOTENCY_KEY_CHARS = 255 };

enum job_role { ROLE_ALL, ROLE_API, ROLE_WORKER };

struct jobs_options {
    enum job_role role;    /* on a store that nodes share: ROLE_API runs no jobs */
    int queue_limit;       /* jobs accepted and not finished, all accounts; more: 503 queue_full. Default 1000 */
    int retention_s;       /* finished jobs are kept this long, then 404. Default 86400 */
    int deadline_ms;       /* a waiter is answered 504 after this; default 30000 */
    int engine_slots;      /* tasks the engine holds at once; 0: as many as it likes. More wait here, one queue per account */
};

enum job_state { JOB_PENDING, JOB_RUNNING, JOB_SUCCESS, JOB_FAILED };

struct job_request {       /* borrowed during the call: job/ copies what it keeps */
    struct caller caller;
    json_t *template;      /* already compiled once by api/ to refuse bad ones */
    struct template_plan *plan; /* ownership passes to job/ */
    char *text;            /* malloc'd UTF-8; ownership passes to job/ */
    size_t text_bytes;
    bool details;
    bool wait;
    const char *idempotency_key;          /* or NULL */
    const char *webhook_url;              /* told when the job ends, signed with the caller's key; or NULL */
    unsigned char body_hash[32];          /* SHA-256 of the raw request body, compared for the same idempotency key */
    int64_t arrived_ns;                   /* monotonic: latency_ms and the deadline count from here */
};

struct job_view {          /* what a client may see of a job; borrowed during the reply, keep json_t's by json_incref */
    char id[JOB_ID_CHARS + 1];
    enum job_state state;
    json_t *data;          /* on success */
    json_t *fields;        /* details, or NULL */
    json_t *warnings;      /* or NULL */
    int64_t latency_ms;
    int credits_charged;
    int64_t credits_remaining; /* of the account, -1 when not known */
    struct error error;    /* on failed */
    bool replayed;         /* answered from an idempotency key's stored answer */
};

/* Exactly one call per job_submit/job_get that returned. `e` NULL: `view` holds the answer (wait=false: state pending).
 * `e` set: nothing was created and nothing is charged, except ERR_TIMEOUT, where view->id names the job that goes on.
 * Runs on whichever thread has the answer (store's writer, engine, timer, caller), nothing locked: keep it short. */
typedef void (*job_reply)(void *arg, const struct job_view *view, const struct error *e);

struct jobs *jobs_open(struct store *store, struct engine *engine, const struct jobs_options *options, struct error *e);
/* Stops intake (new submits: ERR_SHUTTING_DOWN), lets accepted jobs end until drain_ms, answers every waiter. False: the
 * engine or the store still holds jobs; do not close, end the process with _exit: they are durable and run again at the
 * next start. job_submit and job_get may still be called; stop the callers (server_stop) before jobs_close. */
bool jobs_drain(struct jobs *jobs, int drain_ms) __attribute__((warn_unused_result));
void jobs_close(struct jobs *jobs); /* after jobs_drain said true */
void jobs_stop_intake(struct jobs *jobs);

/* Never blocks. Takes plan and text in every case. `reply` may run before this returns. */
void job_submit(struct jobs *jobs, struct job_request *request, job_reply reply, void *arg);
/* Another account's job is not found. */
void job_get(struct jobs *jobs, const struct caller *caller, const char *id, job_reply reply, void *arg);

/* A finished job as its owner sees it, from its stored row: the answer to a poll. New reference; takes `error` (what stands
 * under "error" when it failed, or NULL). NULL: no memory, or the row cannot be read. */
struct store_job;
json_t *job_stored_json(const struct store_job *stored, json_t *error);
/* The same from a view: the one place that writes a successful job. */
json_t *job_success_json(const struct job_view *view);

struct jobs_counters { uint64_t submitted, succeeded, failed, timed_out, recovered; int queued, running, waiting; };
void jobs_count(struct jobs *jobs, struct jobs_counters *out);

#endif
