#include "account/throttle.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"

enum { NAME_BYTES = 16, NETWORK_BYTES = 8 /* of an IPv6 address */ };

struct tries {
    unsigned char name[NAME_BYTES];
    int count;
    int64_t until_ns; /* monotonic: the window's end */
    UT_hash_handle hh;
};

struct throttle {
    pthread_mutex_t lock;
    unsigned char key[crypto_generichash_KEYBYTES]; /* of the names' hash: collisions cannot be prepared */
    struct tries *names;
};

struct throttle *throttle_open(void)
{
    struct throttle *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    pthread_mutex_init(&t->lock, NULL);
    randombytes_buf(t->key, sizeof t->key);
    return t;
}

void throttle_close(struct throttle *t)
{
    struct tries *tries, *next;
    if (!t) return;
    HASH_ITER(hh, t->names, tries, next)
    {
        HASH_DEL(t->names, tries);
        free(tries);
    }
    pthread_mutex_destroy(&t->lock);
    free(t);
}

static void hash_name(const struct throttle *t, const char *kind, const char *name, unsigned char out[NAME_BYTES])
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, t->key, sizeof t->key, NAME_BYTES);
    crypto_generichash_update(&state, (const unsigned char *)kind, strlen(kind) + 1);
    crypto_generichash_update(&state, (const unsigned char *)name, strlen(name));
    crypto_generichash_final(&state, out, NAME_BYTES);
}

static struct tries *find(struct throttle *t, const unsigned char *name)
{
    struct tries *tries;
    HASH_FIND(hh, t->names, name, NAME_BYTES, tries);
    return tries;
}

/* The oldest name goes when the table is full: uthash keeps the order of insertion, which is that of the windows. */
static struct tries *add(struct throttle *t, const unsigned char *name)
{
    struct tries *oldest = HASH_COUNT(t->names) >= THROTTLE_NAMES_MAX ? t->names : NULL;
    struct tries *tries = calloc(1, sizeof *tries);
    if (!tries) return NULL;
    if (oldest) {
        HASH_DEL(t->names, oldest);
        free(oldest);
    }
    memcpy(tries->name, name, NAME_BYTES);
    HASH_ADD(hh, t->names, name, NAME_BYTES, tries);
    if (HASH_ADDED(tries)) return tries;
    free(tries);
    return NULL;
}

static void begin_window(struct throttle *t, struct tries *tries, int64_t until_ns)
{
    HASH_DEL(t->names, tries);
    tries->count = 0;
    tries->until_ns = until_ns;
    HASH_ADD(hh, t->names, name, NAME_BYTES, tries);
}

bool throttle_count(struct throttle *t, const char *kind, const char *name, int limit, int window_s, struct error *e)
{
    unsigned char hash[NAME_BYTES];
    int64_t now = clock_monotonic_ns();
    int wait_s = 1;
    hash_name(t, kind, name, hash);
    pthread_mutex_lock(&t->lock);
    struct tries *tries = find(t, hash);
    if (!tries) tries = add(t, hash);
    if (tries && tries->until_ns <= now) begin_window(t, tries, now + window_s * NS_PER_S);
    bool ok = tries && tries->count < limit;
    if (ok) tries->count++;
    else if (tries) wait_s = (int)((tries->until_ns - now + NS_PER_S - 1) / NS_PER_S);
    pthread_mutex_unlock(&t->lock);
    if (ok) return true;
    if (!tries) return error_set(e, ERR_INTERNAL, "", "there is no memory for this request; try again");
    error_set(e, ERR_RATE_LIMITED, "", "too many tries; try again in %d s", wait_s);
    e->retry_after_s = wait_s;
    return false;
}

void throttle_forgive(struct throttle *t, const char *kind, const char *name)
{
    unsigned char hash[NAME_BYTES];
    hash_name(t, kind, name, hash);
    pthread_mutex_lock(&t->lock);
    struct tries *tries = find(t, hash);
    if (tries && tries->count > 0) tries->count--;
    pthread_mutex_unlock(&t->lock);
}

void throttle_network(const char *address, char out[THROTTLE_NETWORK_CHARS + 1])
{
    struct in6_addr v6;
    char text[INET6_ADDRSTRLEN] = "";
    (void)snprintf(out, THROTTLE_NETWORK_CHARS + 1, "%s", address);
    out[strcspn(out, "%")] = '\0'; /* the zone of a link-local address */
    if (inet_pton(AF_INET6, out, &v6) != 1) return;
    if (IN6_IS_ADDR_V4MAPPED(&v6)) {
        (void)inet_ntop(AF_INET, v6.s6_addr + 12, text, sizeof text);
    } else {
        memset(v6.s6_addr + NETWORK_BYTES, 0, sizeof v6.s6_addr - NETWORK_BYTES);
        (void)inet_ntop(AF_INET6, &v6, text, sizeof text);
    }
    (void)snprintf(out, THROTTLE_NETWORK_CHARS + 1, "%s", text);
}
