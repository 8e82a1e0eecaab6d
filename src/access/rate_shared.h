/* rate_shared.h - the windows of rate.h for nodes that share a store: never more than `limit` requests of one key in ANY 60
 * seconds, whichever nodes they reach.
 *
 * Permits are taken from the store in blocks of a hundredth of the limit (one, for the usual limit of 100): a round trip for
 * every block, and none to refuse, as the store told when it will have one again. A permit may be used for a second and is
 * counted by the store for 61, so whatever is admitted in 60 s was given within 61 s. The cost: the request that takes a
 * block waits for the store, a permit comes back after 61 s, and up to a hundredth of the limit per node may go unused. */
#ifndef REFRACTR_ACCESS_RATE_SHARED_H
#define REFRACTR_ACCESS_RATE_SHARED_H

#include "access/rate.h"

struct shared_rates;

struct shared_rates *rate_shared_open(struct store *store); /* NULL: no memory */
void rate_shared_close(struct shared_rates *rates);
/* As rate_count, and 503 when the store does not answer. */
bool rate_count_shared(struct shared_rates *rates, int64_t key_id, enum rate_bucket bucket, int limit,
                       struct rate_state *state, struct error *e) __attribute__((warn_unused_result));

#endif
