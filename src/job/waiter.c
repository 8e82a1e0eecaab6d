/* waiter.c - requests that wait for their job, ordered by deadline. The list is walked from its end when one is added:
 * deadlines come almost in order, so that is a step or none. */
#include <stddef.h>
#include <utlist.h>

#include "base/clock.h"
#include "job/internal.h"

static bool before(const struct waiter *a, const struct waiter *b) { return a->deadline_ns < b->deadline_ns; }

bool waiter_add(struct jobs *jobs, struct job *job)
{
    struct waiter *w = &job->waiter, *after = jobs->waiters ? jobs->waiters->prev : NULL;
    w->deadline_ns = job->arrived_ns + jobs->options.deadline_ms * NS_PER_MS;
    while (after && before(w, after)) after = after == jobs->waiters ? NULL : after->prev;
    DL_APPEND_ELEM(jobs->waiters, after, w);
    jobs->counters.waiting++;
    return w->deadline_ns < jobs->timer_wakes_ns;
}

job_reply waiter_take(struct jobs *jobs, struct job *job, void **arg)
{
    job_reply reply = job->waiter.reply;
    if (!reply) return NULL;
    *arg = job->waiter.arg;
    job->waiter.reply = NULL;
    DL_DELETE(jobs->waiters, &job->waiter);
    jobs->counters.waiting--;
    return reply;
}

struct job *waiter_expired(struct jobs *jobs, int64_t now_ns)
{
    struct waiter *w = jobs->waiters;
    if (!w || w->deadline_ns > now_ns) return NULL;
    return (struct job *)((char *)w - offsetof(struct job, waiter));
}
