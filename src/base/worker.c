/* worker.c - the queue is a ring of tasks; `lock` guards it, `wake` tells the thread. */
#include "base/worker.h"

#include <pthread.h>
#include <stdlib.h>

struct task {
    void (*run)(void *arg);
    void *arg;
};

struct worker {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool closing; /* set by the one thread that stops and closes */
    int first, used, limit;
    struct task tasks[]; /* limit */
};

/* False: closing, and nothing is left. */
static bool take(struct worker *w, struct task *task)
{
    pthread_mutex_lock(&w->lock);
    while (w->used == 0 && !w->closing) pthread_cond_wait(&w->wake, &w->lock);
    bool taken = w->used > 0;
    if (taken) {
        *task = w->tasks[w->first];
        w->first = (w->first + 1) % w->limit;
        w->used--;
    }
    pthread_mutex_unlock(&w->lock);
    return taken;
}

static void *worker_main(void *arg)
{
    struct task task;
    pthread_setname_np(pthread_self(), "page worker");
    while (take(arg, &task)) task.run(task.arg);
    return NULL;
}

struct worker *worker_open(int queue_limit)
{
    struct worker *w = calloc(1, sizeof *w + (size_t)queue_limit * sizeof w->tasks[0]);
    if (!w) return NULL;
    w->limit = queue_limit;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
    if (pthread_create(&w->thread, NULL, worker_main, w) == 0) return w;
    free(w);
    return NULL;
}

void worker_stop(struct worker *w)
{
    if (!w || w->closing) return;
    pthread_mutex_lock(&w->lock);
    w->closing = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
}

void worker_close(struct worker *w)
{
    if (!w) return;
    worker_stop(w);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

bool worker_post(struct worker *w, void (*run)(void *arg), void *arg)
{
    pthread_mutex_lock(&w->lock);
    bool room = w->used < w->limit && !w->closing;
    if (room) w->tasks[(w->first + w->used++) % w->limit] = (struct task){.run = run, .arg = arg};
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    return room;
}
