/* internal.h - what the files of job/ share.
 *
 *     job.c     the way of a job: submit -> insert -> (queue) -> engine -> settle -> reply; recovery, sweep, shutdown
 *     queue.c   one line per account, served in turn
 *     waiter.c  who waits for an answer, until when
 *     fleet.c   several nodes on one store: heartbeat, the shared line, jobs that run elsewhere
 *     view.c    result JSON <-> what a client sees
 *
 * jobs->lock guards the queue, the waiters and all counts; it is a leaf: nothing is called with it held. All else in a
 * struct job belongs to the one step that works on it: it is handed from thread to thread, never shared. */
#ifndef REFRACTR_JOB_INTERNAL_H
#define REFRACTR_JOB_INTERNAL_H

#include <pthread.h>

#include "base/hash.h"
#include "job/job.h"
#include "store/store.h"

struct waiter {             /* part of a job; linked while its request waits. Guarded by jobs->lock */
    job_reply reply;        /* NULL: nobody waits, or the answer was given: whoever sets it to NULL replies */
    void *arg;
    int64_t deadline_ns;
    struct waiter *prev, *next;
};

struct job {
    struct jobs *jobs;
    char id[JOB_ID_CHARS + 1];
    char account_id[JOB_ID_CHARS + 1];
    struct template_plan *plan;
    char *text;
    size_t text_bytes;
    bool details, wait;
    bool claimed;           /* running in the store already: dispatch need not claim it */
    int attempt;            /* as in the store: starts so far */
    int64_t arrived_ns;     /* monotonic */
    struct waiter waiter;
    struct job *next;       /* in its account's line, or in the list of settlements to try again */
    UT_hash_handle watched; /* among the fleet's, while it runs elsewhere */

    union {                 /* the write under way */
        struct store_job_insert insert;
        struct store_job_claim claim;
        struct store_job_settle settle;
    } w;
    char *template_text, *idempotency_key, *webhook_url; /* until inserted */
    int64_t key_id;
    unsigned char body_hash[32];

    struct engine_answer answer;           /* from the engine until replied */
    char *result;                          /* its JSON, as stored */
    int64_t latency_ms;
};

struct account_line {       /* one per account that has accepted jobs */
    char id[JOB_ID_CHARS + 1];
    int accepted;           /* jobs not finished; the line lives as long as it has some */
    struct job *head, **tail;
    struct account_line *prev, *next; /* in the ring while jobs wait */
    UT_hash_handle hh;
};

struct queue {
    struct account_line *accounts, *ring;
    int waiting;            /* jobs in all lines */
};

struct jobs {
    struct store *store;
    struct engine *engine;
    struct jobs_options options;
    pthread_t timer;
    pthread_mutex_t lock;
    pthread_cond_t wake;    /* the timer thread */
    pthread_cond_t drained; /* jobs_drain */
    bool stopping, closing; /* no intake; the timer thread ends */
    int64_t timer_wakes_ns;
    struct queue queue;
    struct waiter *waiters; /* by deadline */
    struct job *retries;    /* settlements the store did not take */
    int accepted;           /* jobs not finished, and submits not yet answered */
    int starting;           /* of these, on their way into the engine without waiting in line */
    int in_engine;
    struct fleet *fleet;    /* NULL: the store is this process's alone */
    int sweeps_out;         /* 1 while a sweep is posted */
    struct jobs_counters counters;
};

enum { JOB_ATTEMPTS_MAX = 3 };

/* job.c, for fleet.c */
void job_answer(struct job *job, const struct job_view *view, const struct error *e);
void job_leave(struct job *job); /* it is done with, whatever became of it */
void job_free(struct job *job);
void job_dispatch(struct jobs *jobs);
struct job *job_restore(struct jobs *jobs, const struct store_pending_job *stored); /* not counted yet; NULL: no memory */
/* Gives `job` what it needs to run, out of `from`, which is freed; NULL: takes it away. */
void job_fill(struct job *job, struct job *from);

/* fleet.c */
bool fleet_open(struct jobs *jobs, struct error *e) __attribute__((warn_unused_result)); /* sets jobs->fleet */
void fleet_watch(struct job *job);               /* pending or running elsewhere: the fleet's until it has ended */
bool fleet_may_start(const struct fleet *fleet); /* with the lock held: may a new job pass the line by? */
void fleet_wake(struct fleet *fleet);            /* with the lock held: the engine has room again */
void fleet_stopping(struct fleet *fleet);        /* with the lock held: jobs->stopping was set */
void fleet_end(struct jobs *jobs);               /* after jobs->closing was set: joins the thread, signs the node off */
void fleet_close(struct fleet *fleet);

/* queue.c; with the lock held */
bool queue_admit(struct queue *q, const char *account_id, int limit); /* counts one in; false: the account has its share */
void queue_leave(struct queue *q, const char *account_id);
void queue_push(struct queue *q, struct job *job); /* the job was admitted */
struct job *queue_pop(struct queue *q);            /* of the account whose turn it is; NULL: empty */

/* waiter.c; with the lock held */
bool waiter_add(struct jobs *jobs, struct job *job); /* true: the timer thread must be woken */
/* Takes the right to reply: NULL when somebody else has it. */
job_reply waiter_take(struct jobs *jobs, struct job *job, void **arg);
struct job *waiter_expired(struct jobs *jobs, int64_t now_ns); /* its waiter is still linked */

/* view.c */
char *result_dump(const struct engine_answer *answer); /* malloc'd; NULL: no memory */
/* Fills `view` from a stored job; `result` holds the references. False: the stored JSON cannot be read. */
bool view_of_stored(const struct store_job *stored, struct job_view *view, struct engine_answer *result);

#endif
