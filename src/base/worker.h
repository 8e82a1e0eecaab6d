/* worker.h - one thread with a bounded queue: for what may wait (a password's hash, a remote call, a commit) and must not
 * hold up the HTTP thread. Called by api/. Tasks run in the order posted; nothing is locked while one runs. */
#ifndef REFRACTR_BASE_WORKER_H
#define REFRACTR_BASE_WORKER_H

#include <stdbool.h>

struct worker;

struct worker *worker_open(int queue_limit) __attribute__((warn_unused_result)); /* NULL: no memory, no thread */
void worker_stop(struct worker *worker);  /* runs what was posted, then ends the thread; posts beside and after are refused */
void worker_close(struct worker *worker); /* stops it and frees it: no post may run beside or after */
/* False: the queue is full, or the worker stopped; `run` is not called. */
bool worker_post(struct worker *worker, void (*run)(void *arg), void *arg) __attribute__((warn_unused_result));

#endif
