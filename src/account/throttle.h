/* throttle.h - counts tries by name ("email:ada@example.org") in windows that begin with the first try. Kept in memory,
 * bounded; names are kept as hashes only. Any thread. */
#ifndef REFRACTR_ACCOUNT_THROTTLE_H
#define REFRACTR_ACCOUNT_THROTTLE_H

#include "base/error.h"

struct throttle;

struct throttle *throttle_open(void) __attribute__((warn_unused_result));
void throttle_close(struct throttle *throttle);
/* Counts a try in. False: `limit` were made in this window already; 429 with retry_after_s. */
bool throttle_count(struct throttle *throttle, const char *kind, const char *name, int limit, int window_s,
                    struct error *e) __attribute__((warn_unused_result));
/* The last try was a good one: takes it back. */
void throttle_forgive(struct throttle *throttle, const char *kind, const char *name);

#endif
