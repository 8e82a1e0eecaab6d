/* access.h - may this request run? API keys (who), rate limit (how fast). Credits are held with the job's own insert.
 *
 * Keys: "dm_" + 43 base62 characters from 256 random bits would be overlong; we use 32 base62 characters (190 bits) and 6
 * of CRC-32 checksum, so a mistyped key is told from an unknown one without asking the store. Stored as SHA-256.
 * Called by api/ and the command line. Owns the key cache and the rate windows; durable keys lie in store/. */
#ifndef REFRACTR_ACCESS_ACCESS_H
#define REFRACTR_ACCESS_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct access;
struct store;

enum { KEY_CHARS = 3 + 32 + 6, KEY_HASH_BYTES = 32, KEY_PREFIX_CHARS = 11 };

struct caller {            /* who is asking; filled by access_authenticate */
    char account_id[37];   /* UUID */
    int64_t key_id;
};

struct rate_state {        /* for RateLimit headers */
    int limit;             /* requests per window */
    int window_s;
    int remaining;
    int reset_s;           /* seconds until at least one more request is allowed / the window is clear */
};

enum rate_bucket { RATE_EXTRACT, RATE_POLL };

struct access_options {
    int extract_per_minute; /* default 100 */
    int poll_per_minute;    /* default 6000 */
};

struct access *access_open(struct store *store, const struct access_options *options, struct error *e);
void access_close(struct access *access);

/* `authorization`: the header's value or NULL. Fills `caller`, or error 401 / 503. Constant time in the secret part. */
bool access_authenticate(struct access *access, const char *authorization, struct caller *caller, struct error *e)
    __attribute__((warn_unused_result));

/* Counts one request against the key's sliding window: never more than the limit in ANY window_s seconds (exact log of
 * arrival times per key, not buckets). False: 429 with retry_after_s. `state` is filled either way. Monotonic clock. */
bool access_rate(struct access *access, const struct caller *caller, enum rate_bucket bucket, struct rate_state *state,
                 struct error *e) __attribute__((warn_unused_result));

/* Makes a key: `key` gets KEY_CHARS + 1 bytes, `hash` KEY_HASH_BYTES. */
void access_key_generate(char *key, unsigned char *hash);
bool access_key_well_formed(const char *key);
void access_key_hash(const char *key, unsigned char *hash);
/* Revocation and rotation take effect at once on this node: drops cached entries. */
void access_forget(struct access *access);

#endif
