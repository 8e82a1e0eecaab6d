/* store_nodes.h - what several processes need from a store they share. Called by job/ (fleet.c) and access/.
 *
 * Only a store that several may open (PostgreSQL) has these; store_shared tells, and without it nothing here may be called.
 * All are plain calls that wait for the store's answer, safe from any thread, but for beat and leave, which one thread at a time
 * may call. Errors: ERR_STORE_UNAVAILABLE. */
#ifndef REFRACTR_STORE_STORE_NODES_H
#define REFRACTR_STORE_STORE_NODES_H

#include "store/store.h"

enum { STORE_LEASE_S = 10 }; /* a node that was not heard of for so long is dead: its jobs go to others */

bool store_shared(const struct store *store);

/* Says that this process lives, and makes it a node when it is none (any more): the jobs it starts are its own for as long
 * as it is heard of. `rejoined`: it is a new node, what it had under way belongs to nobody now. */
bool store_node_beat(struct store *store, const char *name, const char *role, bool *rejoined, struct error *e)
    __attribute__((warn_unused_result));
void store_node_leave(struct store *store); /* its running jobs, if any, go to others at once */

/* Takes up to `limit` waiting jobs for this node: pending -> running, attempt + 1, the accounts in turn; what others take at
 * the same moment is passed over. The visitor sees each with its new attempt. */
struct store_take {
    int limit;
    char after[STORE_ID_CHARS + 1]; /* in and out: the account served last, "" to begin with */
    store_pending_visit visit;
    void *arg;
    int taken;   /* out */
    bool more;   /* out: others wait */
};
bool store_jobs_take(struct store *store, struct store_take *take, struct error *e) __attribute__((warn_unused_result));

/* Which of these `count` jobs have ended? Visits each that has, with what its account may still spend. */
struct store_watch {
    const char *const *ids;
    int count;
    void (*visit)(void *arg, const struct store_job *job, int64_t credits_remaining); /* the job is borrowed */
    void *arg;
};
bool store_jobs_watch(struct store *store, const struct store_watch *watch, struct error *e)
    __attribute__((warn_unused_result));

/* Takes one block of permits of a key's window, which all nodes share: at most `blocks` are given in any `window_ms`. */
struct store_permit {
    int64_t key_id;
    int bucket;
    int blocks;
    int64_t window_ms;
    bool granted;       /* out */
    int in_use;         /* out: blocks given within the window, this one included */
    int64_t frees_in_ms; /* out: until the oldest of them leaves the window */
};
bool store_permit_take(struct store *store, struct store_permit *permit, struct error *e)
    __attribute__((warn_unused_result));

#endif
