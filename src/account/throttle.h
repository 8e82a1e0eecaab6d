/* throttle.h - counts tries by name ("email:ada@example.org") in windows that begin with the first try. Kept in memory,
 * bounded: beyond 50,000 names the one whose window began first is forgotten, so names that cost an attacker nothing and
 * names that protect somebody belong into tables of their own. Names are kept as hashes only. Any thread. */
#ifndef REFRACTR_ACCOUNT_THROTTLE_H
#define REFRACTR_ACCOUNT_THROTTLE_H

#include "base/error.h"

struct throttle;

enum { THROTTLE_NAMES_MAX = 50000, THROTTLE_NETWORK_CHARS = 63 };

struct throttle *throttle_open(void) __attribute__((warn_unused_result));
void throttle_close(struct throttle *throttle);
/* Counts a try in. False: `limit` were made in this window already; 429 with retry_after_s. */
bool throttle_count(struct throttle *throttle, const char *kind, const char *name, int limit, int window_s,
                    struct error *e) __attribute__((warn_unused_result));
/* The last try was a good one: takes it back. */
void throttle_forgive(struct throttle *throttle, const char *kind, const char *name);
/* The name a client is counted by: its address, but of an IPv6 address the first 64 bits, because whoever has one address
 * has all of them; of a v4-mapped one the IPv4 address. What is no address is its own name. */
void throttle_network(const char *address, char out[THROTTLE_NETWORK_CHARS + 1]);

#endif
