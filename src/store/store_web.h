/* store_web.h - verbs and questions of the web side: people and their sessions, an account's keys, usage, ledger,
 * purchases, webhooks.
 *
 * Writes are posted or waited for as those of store.h; each struct begins with a store_write. Questions are structs too,
 * each begins with a store_read and is answered by store_read. Called by account/, billing/, webhook/, api/ and the
 * command line. Secrets arrive hashed (SHA-256), but for the keys of webhook signatures, which must be known to sign. */
#ifndef REFRACTR_STORE_STORE_WEB_H
#define REFRACTR_STORE_STORE_WEB_H

#include "store/store.h"

enum {
    STORE_EMAIL_CHARS = 254,
    STORE_PASSWORD_CHARS = 127, /* crypto_pwhash_STRBYTES with its NUL is 128 */
    STORE_URL_CHARS = 2000,
    STORE_SECRET_BYTES = 32,
    STORE_EVENT_CHARS = 40,
    STORE_STRIPE_ID_CHARS = 255,
    STORE_LATENCY_BUCKETS = 96, /* bucket b: latencies up to 2^(b/4) ms */
};

/* ---- writes: people and sessions ------------------------------------------------------------------------------- */

/* Makes an account with its one user. ERR_INVALID_VALUE (email): another user has the address. */
struct store_signup {
    struct store_write write;
    const char *name, *email, *password_hash;
    char account_id[STORE_ID_CHARS + 1]; /* out */
    int64_t user_id;                     /* out */
};

/* A one-time link for the account; its user is made when there is none. `email` may be NULL. ERR_NOT_FOUND,
 * ERR_INVALID_VALUE (email). */
struct store_link_create {
    struct store_write write;
    const char *account_id, *email;
    unsigned char hash[STORE_HASH_BYTES];
    int64_t expires_ms;
};

/* Opens a session: for `user_id`, or (`link` set) for the user of that link, which is used up. ERR_NOT_FOUND: no such
 * link, used or expired. */
struct store_session_open {
    struct store_write write;
    int64_t user_id;
    const unsigned char *link; /* hash or NULL */
    unsigned char hash[STORE_HASH_BYTES];
    int64_t now_ms, expires_ms;
};

struct store_session_touch {
    struct store_write write;
    int64_t session_id, seen_ms, expires_ms;
};

struct store_session_close {
    struct store_write write;
    int64_t session_id;
};

/* Sets the password, ends every other session of the user. ERR_NOT_FOUND. */
struct store_password_set {
    struct store_write write;
    int64_t user_id, keep_session;
    const char *password_hash;
    const char *email; /* set where the user has none; or NULL */
};

/* ---- writes: keys ---------------------------------------------------------------------------------------------- */

/* A new key with the old one's name; the old one stops to work at old_ends_ms. ERR_NOT_FOUND: not a living key of the
 * account. */
struct store_key_rotate {
    struct store_write write;
    const char *account_id;
    int64_t key_id, now_ms, old_ends_ms;
    const char *prefix;
    unsigned char hash[STORE_HASH_BYTES];
    int64_t new_id;                  /* out */
    char name[STORE_NAME_CHARS + 1]; /* out */
};

/* ---- writes: money --------------------------------------------------------------------------------------------- */

/* Credits a paid Checkout session, once however often it is told. `applied` false: it was credited before. A refund that
 * was told earlier is taken back in the same transaction. ERR_NOT_FOUND: no such account. */
struct store_purchase {
    struct store_write write;
    const char *session_id, *account_id, *payment_intent, *invoice_id, *note; /* the middle two may be NULL */
    int64_t credits, now_ms;
    bool applied; /* out */
};

/* `refunded` of `amount` (smallest units, cumulative) of a payment went back. Takes the same share of its credits, but
 * never more than are free: spent credits are not claimed back, and the balance never goes below zero. Told twice, or late,
 * it changes nothing more. */
struct store_refund {
    struct store_write write;
    const char *payment_intent;
    int64_t amount, refunded, now_ms;
    int64_t taken; /* out: credits */
};

struct store_invoice {
    struct store_write write;
    const char *invoice_id, *url;
};

/* ---- writes: webhooks ------------------------------------------------------------------------------------------ */

/* ERR_INVALID_VALUE: the account has `limit` endpoints already. */
struct store_endpoint_create {
    struct store_write write;
    const char *account_id, *url;
    unsigned char secret[STORE_SECRET_BYTES];
    int limit;
    int64_t now_ms;
    int64_t endpoint_id; /* out */
};

/* ERR_NOT_FOUND. Its deliveries go with it. */
struct store_endpoint_delete {
    struct store_write write;
    const char *account_id;
    int64_t endpoint_id;
};

/* A delivery of the event "test". ERR_NOT_FOUND. */
struct store_endpoint_test {
    struct store_write write;
    const char *account_id;
    int64_t endpoint_id, now_ms;
    int64_t delivery_id; /* out */
};

enum store_delivery_state { DELIVERY_PENDING, DELIVERY_DELIVERED, DELIVERY_FAILED };

/* What became of an attempt. `disable`: the endpoint said it is gone. Old deliveries are swept along. */
struct store_delivery_result {
    struct store_write write;
    int64_t delivery_id;
    enum store_delivery_state state;
    int response_status; /* 0: none */
    int64_t now_ms, next_attempt_ms, sweep_before_ms;
    bool disable;
};

/* ---- questions ------------------------------------------------------------------------------------------------- */

#define STORE_READS(X) \
    X(USER_BY_EMAIL)   \
    X(SESSION)         \
    X(USAGE)           \
    X(RECENT_JOBS)     \
    X(LEDGER)          \
    X(ENDPOINTS)       \
    X(DELIVERIES)      \
    X(DUE)

enum store_read_verb {
#define X(name) STORE_READ_##name,
    STORE_READS(X)
#undef X
    STORE_READ_COUNT
};

struct store_read {
    enum store_read_verb verb;
};

/* Answers the question whose first member is `read`. Single things: ERR_NOT_FOUND when there is none. Lists: calls
 * `visit` per row until it returns false; the row is borrowed. Any thread. */
bool store_read(struct store *store, struct store_read *read, struct error *e) __attribute__((warn_unused_result));

struct store_user_by_email {
    struct store_read read;
    const char *email;
    int64_t user_id;                              /* out */
    char password_hash[STORE_PASSWORD_CHARS + 1]; /* out, "" when none is set */
};

struct store_session { /* out, but for read, hash and now_ms */
    struct store_read read;
    unsigned char hash[STORE_HASH_BYTES];
    int64_t now_ms;
    int64_t id, user_id, seen_ms;
    char email[STORE_EMAIL_CHARS + 1];
    char password_hash[STORE_PASSWORD_CHARS + 1];
    struct store_account account;
};

struct store_usage_row { /* one per day and latency bucket, in that order */
    int64_t day;         /* days since 1970, UTC */
    int bucket;
    int64_t requests, credits, errors;
};
struct store_usage {
    struct store_read read;
    const char *account_id;
    int64_t since_day;
    bool (*visit)(void *arg, const struct store_usage_row *row);
    void *arg;
};

struct store_recent_jobs { /* newest first; `result` is NULL */
    struct store_read read;
    const char *account_id;
    int limit;
    bool (*visit)(void *arg, const struct store_job *job);
    void *arg;
};

struct store_ledger_row {
    int64_t id, created_ms, amount, balance; /* balance: after this entry */
    const char *kind, *note, *invoice_url;   /* note and invoice_url may be NULL */
};
struct store_ledger { /* newest first */
    struct store_read read;
    const char *account_id;
    int limit;
    bool (*visit)(void *arg, const struct store_ledger_row *row);
    void *arg;
};

struct store_endpoint {
    int64_t id, created_ms, disabled_ms; /* 0: not */
    const char *url;
};
struct store_endpoints {
    struct store_read read;
    const char *account_id;
    bool (*visit)(void *arg, const struct store_endpoint *endpoint);
    void *arg;
};

struct store_delivery {
    int64_t id, created_ms, next_attempt_ms;
    const char *event;
    int attempts, response_status; /* 0: no answer yet */
    enum store_delivery_state state;
    /* of STORE_READ_DUE only: */
    char account_id[STORE_ID_CHARS + 1];
    char msg_id[STORE_ID_CHARS + 1];
    const char *url;
    const unsigned char *secret; /* STORE_SECRET_BYTES */
    struct store_job job;        /* the event is about; job.id "" for a test. Borrowed, as all else */
};
struct store_deliveries { /* newest first. ERR_NOT_FOUND: not an endpoint of the account */
    struct store_read read;
    const char *account_id;
    int64_t endpoint_id;
    int limit;
    bool (*visit)(void *arg, const struct store_delivery *delivery);
    void *arg;
};
struct store_due { /* pending deliveries whose time has come, oldest first, `per_account` of each account at most */
    struct store_read read;
    int64_t now_ms;
    int per_account, limit;
    bool (*visit)(void *arg, const struct store_delivery *delivery);
    void *arg;
};

#endif
