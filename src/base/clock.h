/* clock.h - the two clocks: monotonic for durations and deadlines, wall for what is written down. */
#ifndef REFRACTR_BASE_CLOCK_H
#define REFRACTR_BASE_CLOCK_H

#include <pthread.h>
#include <stdint.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)
#define MS_PER_DAY INT64_C(86400000)

enum { CLOCK_ISO_CHARS = 24 }; /* "2026-01-15T10:30:00.123Z" */

int64_t clock_monotonic_ns(void);
int64_t clock_wall_ms(void); /* since 1970, UTC */
void clock_iso8601(int64_t wall_ms, char out[CLOCK_ISO_CHARS + 1]);

/* A condition variable whose timed waits are on the monotonic clock, and such a wait: false when `until_ns` has passed. */
void cond_init_monotonic(pthread_cond_t *cond);
int cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t until_ns);

#endif
