/* rate.h - sliding windows: never more than `limit` requests of one key in ANY 60 seconds.
 *
 * Each key keeps the times of its last `limit` admitted requests in a ring. A request is admitted when the ring is not
 * full or its oldest time has left the window. Unlike counters per minute this lets no double burst through at a minute's
 * edge. A refused request is not counted. Memory grows with use and is given back when a key falls silent. */
#ifndef REFRACTR_ACCESS_RATE_H
#define REFRACTR_ACCESS_RATE_H

#include "access/access.h"

enum { RATE_WINDOW_S = 60, RATE_KEYS_MAX = 50000 };

struct rate_table;

struct rate_table *rate_open(void);
void rate_close(struct rate_table *table);
/* `now_ns` must never go back between calls. Otherwise as access_rate. */
bool rate_count(struct rate_table *table, int64_t key_id, enum rate_bucket bucket, int limit, int64_t now_ns,
                struct rate_state *state, struct error *e) __attribute__((warn_unused_result));

#endif
