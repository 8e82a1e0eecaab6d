/* store.h - durable state, as verbs. The modules above say what shall be true; how it is kept (SQL) stays in here.
 *
 * Writes are structs posted to the store's one writer thread. It runs as many as are waiting inside one transaction, commits
 * once, then calls each write's `done`; one that fails does not spoil the others.
 * Nothing is told to anybody before it is committed. Reads are plain calls, safe from any thread; they see all that was
 * committed before. Called by access/, job/, api/ (account reads) and the command line. Errors: ERR_STORE_UNAVAILABLE
 * when the store itself fails, others as named at each verb. Times are wall-clock milliseconds since 1970. */
#ifndef REFRACTR_STORE_STORE_H
#define REFRACTR_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct store;

enum {
    STORE_ID_CHARS = 36,
    STORE_HASH_BYTES = 32,
    STORE_NAME_CHARS = 200,  /* bytes of an account's or a key's name */
    STORE_PREFIX_CHARS = 16, /* bytes of a key's visible start */
    STORE_NOTE_CHARS = 200,
};

enum store_durability {
    DURABILITY_FULL,   /* every commit reaches the disk before it is told: survives a power loss */
    DURABILITY_NORMAL, /* survives kill -9; a power loss may undo the last tenth of a second */
};

struct store_options {
    const char *data_dir; /* SQLite's folder; created (0700) when `create` is set */
    const char *url;      /* postgresql://...: that database instead of the folder; or NULL */
    enum store_durability durability;
    bool create;          /* make folder and database; otherwise a missing one is an error */
    bool service;         /* the one service of this folder (a second is refused); false: a command beside it */
};

struct store *store_open(const struct store_options *options, struct error *e) __attribute__((warn_unused_result));
void store_close(struct store *store); /* finishes what was posted */
/* Brings the schema of an existing or empty store to what this program needs. Forward only; any number of processes may
 * try at once. `from` 0: it was empty. */
bool store_migrate(const struct store_options *options, int *from, int *to, struct error *e)
    __attribute__((warn_unused_result));

/* ---- writes ---------------------------------------------------------------------------------------------------- */

#define STORE_VERBS(X)     \
    X(ACCOUNT_CREATE)      \
    X(CREDITS_GRANT)       \
    X(KEY_CREATE)          \
    X(KEY_REVOKE)          \
    X(KEY_USED)            \
    X(JOB_INSERT)          \
    X(JOB_CLAIM)           \
    X(JOB_SETTLE)          \
    X(JOBS_RECOVER)        \
    X(JOBS_SWEEP)          \
    X(SIGNUP)              \
    X(LINK_CREATE)         \
    X(SESSION_OPEN)        \
    X(SESSION_TOUCH)       \
    X(SESSION_CLOSE)       \
    X(PASSWORD_SET)        \
    X(KEY_ROTATE)          \
    X(PURCHASE)            \
    X(REFUND)              \
    X(INVOICE)             \
    X(ENDPOINT_CREATE)     \
    X(ENDPOINT_DELETE)     \
    X(ENDPOINT_TEST)       \
    X(DELIVERY_RESULT)

enum store_verb {
#define X(name) STORE_##name,
    STORE_VERBS(X)
#undef X
    STORE_VERB_COUNT
};

/* First member of every write. The caller owns the struct and all it points at; the store holds it from store_post until
 * it calls `done` (on the writer thread, nothing locked, so keep it short; it may post again and may free the struct). */
struct store_write {
    enum store_verb verb;
    void (*done)(struct store_write *write);
    bool ok;            /* out: committed */
    struct error error; /* out: when not ok */
    struct store_write *next;
};

void store_post(struct store *store, struct store_write *write);
/* Posts and waits; for the command line and start-up. Fills `e` from the write. */
bool store_write_wait(struct store *store, struct store_write *write, struct error *e)
    __attribute__((warn_unused_result));

/* Makes an account whose first ledger entry is the grant of `credits` (>= 0). */
struct store_account_create {
    struct store_write write;
    const char *name;
    int64_t credits;
    char id[STORE_ID_CHARS + 1]; /* out */
};

/* Adds `amount` (negative takes back, never below what is held). ERR_NOT_FOUND, ERR_INVALID_VALUE. */
struct store_credits_grant {
    struct store_write write;
    const char *account_id;
    int64_t amount;
    const char *note;  /* or NULL */
    int64_t balance;   /* out */
};

/* ERR_NOT_FOUND: no such account. */
struct store_key_create {
    struct store_write write;
    const char *account_id;
    const char *name, *prefix;
    unsigned char hash[STORE_HASH_BYTES];
    int64_t key_id; /* out */
};

/* The key stops to work at `at_ms` (now: revoked; later: an overlap for rotation). ERR_NOT_FOUND. */
struct store_key_revoke {
    struct store_write write;
    const char *account_id; /* the key must be this account's; NULL: anybody's */
    int64_t key_id;
    int64_t at_ms;
};

struct store_key_used {
    struct store_write write;
    int64_t key_id;
    int64_t at_ms;
};

enum store_job_state { STORE_PENDING, STORE_RUNNING, STORE_SUCCESS, STORE_FAILED };

enum store_insert_outcome {
    INSERT_CREATED,
    INSERT_REPLAY,  /* same idempotency key and body: `existing_id` is the job, finished or not (`existing_state`) */
    INSERT_MISMATCH /* same idempotency key, another body */
};

/* Inserts the job and holds one credit, or finds the job of the same idempotency key. ERR_NO_CREDITS, ERR_NOT_FOUND (no
 * such account). `running`: the caller starts it at once, so it is claimed (attempt 1) by the same write. */
struct store_job_insert {
    struct store_write write;
    const char *id, *account_id;
    bool running, details;
    const char *template; /* JSON */
    const char *text;
    size_t text_bytes;
    const char *idempotency_key; /* or NULL */
    const unsigned char *body_hash;
    const char *webhook_url;     /* told when the job ends, signed with the key's hash; or NULL */
    int64_t webhook_key;
    int64_t now_ms;
    enum store_insert_outcome outcome;     /* out */
    char existing_id[STORE_ID_CHARS + 1];  /* out, INSERT_REPLAY */
    enum store_job_state existing_state;   /* out, INSERT_REPLAY */
    int64_t credits_remaining;             /* out, INSERT_CREATED: balance less holds */
};

/* pending -> running, fenced by `attempt` (the attempts before this one). `applied` false: somebody else has it. */
struct store_job_claim {
    struct store_write write;
    const char *id;
    int attempt;
    bool applied; /* out */
};

/* running -> success (captures the held credit, one ledger entry) or failed (releases it), fenced by `attempt`. The
 * document's text is deleted; a failed job gives its idempotency key back. `applied` false: the fence did not hold and
 * nothing was changed. */
struct store_job_settle {
    struct store_write write;
    const char *id;
    int attempt;
    const char *result;        /* JSON; NULL: failed with `failure` */
    struct error failure;
    int64_t latency_ms, now_ms;
    bool applied;              /* out */
    int64_t credits_remaining; /* out, balance less holds */
};

/* At start, before anything runs: jobs a killed process was running go back to pending; one whose `max_attempts` are used
 * up fails and gives its hold back. */
struct store_jobs_recover {
    struct store_write write;
    int max_attempts;
    int64_t now_ms;
    int requeued, given_up; /* out */
};

/* Deletes up to `limit` jobs that finished before `before_ms`, but for those with an idempotency key from after
 * `keys_before_ms`: their answer is still promised to the key (readers hide the job by its age). */
struct store_jobs_sweep {
    struct store_write write;
    int64_t before_ms, keys_before_ms;
    int limit;
    int deleted; /* out */
};

/* ---- reads ----------------------------------------------------------------------------------------------------- */

struct store_account {
    char id[STORE_ID_CHARS + 1];
    char name[STORE_NAME_CHARS + 1];
    int64_t balance, held; /* what may be spent is balance - held */
    int64_t created_ms;
};

struct store_key {
    int64_t id;
    char account_id[STORE_ID_CHARS + 1];
    char name[STORE_NAME_CHARS + 1];
    char prefix[STORE_PREFIX_CHARS + 1];
    unsigned char hash[STORE_HASH_BYTES];
    int64_t created_ms, last_used_ms; /* 0: never used */
    int64_t revoked_ms;               /* 0: not; otherwise refused from then on, perhaps in the future */
};

struct store_job {                    /* clear with store_job_clear */
    char id[STORE_ID_CHARS + 1];
    enum store_job_state state;
    int64_t created_ms, finished_ms, latency_ms;
    int credits_charged;
    char *result;                     /* JSON, on success */
    struct error error;               /* on failed */
};

struct store_pending_job {            /* borrowed during the visit */
    char id[STORE_ID_CHARS + 1];
    char account_id[STORE_ID_CHARS + 1];
    int attempt;
    bool details;
    int64_t created_ms;
    const char *template, *text;
    size_t text_bytes;
};

/* False with ERR_NOT_FOUND when there is none, ERR_STORE_UNAVAILABLE when it cannot be told. */
bool store_account_read(struct store *store, const char *account_id, struct store_account *out, struct error *e)
    __attribute__((warn_unused_result));
bool store_key_find(struct store *store, const unsigned char *hash, struct store_key *out, struct error *e)
    __attribute__((warn_unused_result));
/* Another account's job is not found. */
bool store_job_read(struct store *store, const char *account_id, const char *job_id, struct store_job *out,
                    struct error *e) __attribute__((warn_unused_result));
void store_job_clear(struct store_job *job);

/* Visit rows in the order they were made; a visitor that returns false ends the walk. */
typedef bool (*store_account_visit)(void *arg, const struct store_account *account);
typedef bool (*store_key_visit)(void *arg, const struct store_key *key);
typedef bool (*store_pending_visit)(void *arg, const struct store_pending_job *job);
bool store_accounts(struct store *store, store_account_visit visit, void *arg, struct error *e)
    __attribute__((warn_unused_result));
/* `account_id` NULL: of all accounts. */
bool store_keys(struct store *store, const char *account_id, store_key_visit visit, void *arg, struct error *e)
    __attribute__((warn_unused_result));
bool store_pending_jobs(struct store *store, store_pending_visit visit, void *arg, struct error *e)
    __attribute__((warn_unused_result));

/* True when the store answers; for /readyz. */
bool store_ping(struct store *store, struct error *e) __attribute__((warn_unused_result));
/* Compares every account's balance with the sum of its ledger, and its holds with its unfinished jobs: false names the
 * first account that differs (ERR_INTERNAL). For tests and for an operator's check. */
bool store_audit(struct store *store, struct error *e) __attribute__((warn_unused_result));
/* Reads the whole database and looks whether its pages and indexes hold together (ERR_STORE_UNAVAILABLE: they do not).
 * Takes seconds per gigabyte. True where a database server looks after that itself. */
bool store_check(struct store *store, struct error *e) __attribute__((warn_unused_result));

/* A checked copy of everything, as it stood at one commit, in a new file; any thread, the service goes on meanwhile. */
bool store_backup(struct store *store, const char *file, struct error *e) __attribute__((warn_unused_result));
/* Puts such a copy, checked again, into a data folder that has no database yet and that no service uses. */
bool store_restore(const char *file, const struct store_options *options, struct error *e) __attribute__((warn_unused_result));

struct store_counters { uint64_t batches, writes; int queued; int64_t commit_ns_max; };
void store_count(struct store *store, struct store_counters *out);

#endif
