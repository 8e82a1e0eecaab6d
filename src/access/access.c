/* access.c - API keys and the cache in front of them. The rate windows are in rate.c.
 *
 * A key's record is cached for a second: a revocation made by another process (the command line) is noticed within that
 * time, one made in this process at once (access_forget). Unknown keys are not cached: an attacker cannot push out good
 * ones, and each costs one indexed read. Nor are revoked ones, so that they take the way of unknown ones (`make timing`
 * measures it). Looking up by SHA-256 leaks nothing of a key by its timing; the found hash is compared in constant time
 * all the same. */
#include "access/access.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "access/rate.h"
#include "access/rate_shared.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "store/store_nodes.h"

enum { CACHE_MAX = 10000, KEY_BODY_CHARS = 32, KEY_CHECK_CHARS = 6 };

#define CACHE_NS (1 * NS_PER_S)
#define USED_EVERY_MS INT64_C(60000) /* `last used` is kept to the minute, so that it costs next to no writes */

struct cached_key {
    unsigned char hash[KEY_HASH_BYTES];
    struct caller caller;
    int64_t fresh_until_ns; /* monotonic */
    int64_t revoked_ms;     /* wall clock; 0: not */
    int64_t last_used_ms;
    UT_hash_handle hh;
};

struct access {
    struct store *store;
    struct access_options options;
    struct rate_table *rates;
    struct shared_rates *shared;
    pthread_mutex_t lock; /* guards the cache */
    struct cached_key *cache;
};

/* ---- the form of a key -------------------------------------------------------------------------------------------- */

static const char base62[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/* CRC-32 of prefix and body as six base62 digits. */
static void key_check(const char *key, char check[KEY_CHECK_CHARS])
{
    unsigned long crc = crc32(0, (const unsigned char *)key, 3 + KEY_BODY_CHARS);
    for (int i = KEY_CHECK_CHARS; i-- > 0; crc /= 62) check[i] = base62[crc % 62];
}

void access_key_generate(char *key, unsigned char *hash)
{
    memcpy(key, "dm_", 3);
    for (int i = 0; i < KEY_BODY_CHARS; i++) key[3 + i] = base62[randombytes_uniform(62)];
    key_check(key, key + 3 + KEY_BODY_CHARS);
    key[KEY_CHARS] = '\0';
    access_key_hash(key, hash);
}

bool access_key_well_formed(const char *key)
{
    char check[KEY_CHECK_CHARS];
    if (strnlen(key, KEY_CHARS + 1) != KEY_CHARS || memcmp(key, "dm_", 3) != 0) return false;
    if (strspn(key + 3, base62) != KEY_CHARS - 3) return false;
    key_check(key, check);
    return sodium_memcmp(check, key + 3 + KEY_BODY_CHARS, sizeof check) == 0;
}

void access_key_hash(const char *key, unsigned char *hash)
{
    crypto_hash_sha256(hash, (const unsigned char *)key, KEY_CHARS);
}

/* ---- the cache ---------------------------------------------------------------------------------------------------- */

static void cache_drop_oldest(struct access *access)
{
    struct cached_key *oldest = access->cache; /* uthash keeps the order of insertion */
    HASH_DEL(access->cache, oldest);
    free(oldest);
}

/* True: `caller` is filled from a fresh record (and `revoked` told). */
static bool cache_find(struct access *access, const unsigned char *hash, struct caller *caller, int64_t *revoked_ms)
{
    struct cached_key *found;
    pthread_mutex_lock(&access->lock);
    HASH_FIND(hh, access->cache, hash, KEY_HASH_BYTES, found);
    bool fresh = found && clock_monotonic_ns() < found->fresh_until_ns &&
                 sodium_memcmp(found->hash, hash, KEY_HASH_BYTES) == 0;
    if (fresh) {
        *caller = found->caller;
        *revoked_ms = found->revoked_ms;
    }
    pthread_mutex_unlock(&access->lock);
    return fresh;
}

static void cache_put(struct access *access, const struct store_key *key, const struct caller *caller)
{
    struct cached_key *entry;
    pthread_mutex_lock(&access->lock);
    HASH_FIND(hh, access->cache, key->hash, KEY_HASH_BYTES, entry);
    if (!entry && (entry = calloc(1, sizeof *entry))) {
        if (HASH_COUNT(access->cache) >= CACHE_MAX) cache_drop_oldest(access);
        memcpy(entry->hash, key->hash, sizeof entry->hash);
        HASH_ADD(hh, access->cache, hash, KEY_HASH_BYTES, entry);
        if (!HASH_ADDED(entry)) free(entry), entry = NULL; /* the store answers until there is memory for it */
    }
    if (entry) {
        entry->caller = *caller;
        entry->revoked_ms = key->revoked_ms;
        entry->fresh_until_ns = clock_monotonic_ns() + CACHE_NS;
    }
    pthread_mutex_unlock(&access->lock);
}

void access_forget(struct access *access)
{
    struct cached_key *entry, *next;
    pthread_mutex_lock(&access->lock);
    HASH_ITER(hh, access->cache, entry, next)
    {
        HASH_DEL(access->cache, entry);
        free(entry);
    }
    pthread_mutex_unlock(&access->lock);
}

/* ---- who is asking ------------------------------------------------------------------------------------------------ */

static void key_used_done(struct store_write *write)
{
    if (!write->ok) log_warn(NULL, "access: last use of a key not noted", LOG_STR("error", write->error.message));
    free(write);
}

static void note_use(struct access *access, const struct store_key *key)
{
    int64_t now = clock_wall_ms();
    if (now - key->last_used_ms < USED_EVERY_MS) return;
    struct store_key_used *used = calloc(1, sizeof *used);
    if (!used) return;
    *used = (struct store_key_used){
        .write = {.verb = STORE_KEY_USED, .done = key_used_done}, .key_id = key->id, .at_ms = now};
    store_post(access->store, &used->write);
}

static bool is_over(int64_t revoked_ms) { return revoked_ms && clock_wall_ms() >= revoked_ms; }

static bool look_up(struct access *access, const unsigned char *hash, struct caller *caller, int64_t *revoked_ms,
                    struct error *e)
{
    struct store_key key;
    if (!store_key_find(access->store, hash, &key, e)) {
        if (e->code != ERR_NOT_FOUND) return false;
        return error_set(e, ERR_KEY_INVALID, "", "this API key is not known or no longer valid; see the dashboard for "
                         "your keys");
    }
    *caller = (struct caller){.key_id = key.id};
    memcpy(caller->account_id, key.account_id, sizeof caller->account_id);
    *revoked_ms = key.revoked_ms;
    if (is_over(key.revoked_ms)) return true;
    cache_put(access, &key, caller);
    note_use(access, &key);
    return true;
}

/* The key inside "Bearer dm_...": NULL with the error told. */
static const char *bearer(const char *authorization, struct error *e)
{
    if (!authorization || !*authorization) {
        error_set(e, ERR_KEY_MISSING, "", "no API key was sent; send the header `Authorization: Bearer dm_...`");
        return NULL;
    }
    const char *key = authorization + 7;
    if (strncasecmp(authorization, "Bearer ", 7) == 0) {
        key += strspn(key, " ");
        if (access_key_well_formed(key)) return key;
    }
    error_set(e, ERR_KEY_MALFORMED, "", "the Authorization header holds no well-formed API key; it must be `Bearer ` and "
              "the %d characters of the key as they were shown, beginning with dm_", KEY_CHARS);
    return NULL;
}

bool access_authenticate(struct access *access, const char *authorization, struct caller *caller, struct error *e)
{
    unsigned char hash[KEY_HASH_BYTES];
    int64_t revoked_ms = 0;
    const char *key = bearer(authorization, e);
    if (!key) return false;
    access_key_hash(key, hash);
    if (!cache_find(access, hash, caller, &revoked_ms) && !look_up(access, hash, caller, &revoked_ms, e)) return false;
    if (!is_over(revoked_ms)) return true;
    return error_set(e, ERR_KEY_INVALID, "", "this API key is not known or no longer valid; see the dashboard for your "
                     "keys");
}

bool access_rate(struct access *access, const struct caller *caller, enum rate_bucket bucket, struct rate_state *state,
                 struct error *e)
{
    int limit = bucket == RATE_EXTRACT ? access->options.extract_per_minute : access->options.poll_per_minute;
    if (store_shared(access->store)) return rate_count_shared(access->shared, caller->key_id, bucket, limit, state, e);
    return rate_count(access->rates, caller->key_id, bucket, limit, clock_monotonic_ns(), state, e);
}

struct access *access_open(struct store *store, const struct access_options *options, struct error *e)
{
    struct access *access = calloc(1, sizeof *access);
    if (!access || sodium_init() < 0 || !(access->rates = rate_open()) || !(access->shared = rate_shared_open(store))) {
        if (access) rate_close(access->rates);
        free(access);
        return error_set(e, ERR_INTERNAL, "", "out of memory"), NULL;
    }
    access->store = store;
    access->options = *options;
    pthread_mutex_init(&access->lock, NULL);
    return access;
}

void access_close(struct access *access)
{
    if (!access) return;
    access_forget(access);
    rate_close(access->rates);
    rate_shared_close(access->shared);
    pthread_mutex_destroy(&access->lock);
    free(access);
}
