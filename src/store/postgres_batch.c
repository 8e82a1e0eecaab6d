/* postgres_batch.c - a batch of writes: the jobs' verbs together, the others one by one.
 *
 *     inserts, claims, settlements    one transaction: lock their accounts, one statement per verb, commit
 *     everything else                 a transaction each, in the order posted
 *
 * A statement that carries a hundred jobs costs little more than one that carries one, and an account's row is written
 * once for all of them, so nodes that work for the same account seldom wait for each other. A batch that fails for another
 * reason than the server's absence is taken apart and tried again write by write: one bad value spoils no other. */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/postgres_internal.h"

/* Texts in one statement: more are sent by further ones of the same transaction. */
#define STATEMENT_BYTES ((size_t)16 << 20)

enum { TRIES = 3 };

/* ---- inserts -------------------------------------------------------------------------------------------------------------- */

enum insert_column { ADD_ID, ADD_ACCOUNT, ADD_RUNNING, ADD_DETAILS, ADD_CREATED, ADD_KEY, ADD_HASH, ADD_URL, ADD_URL_KEY,
                     ADD_TEMPLATE, ADD_TEXT, ADD_COLUMNS };
enum add_outcome { ADDED, ADD_KEY_TAKEN, ADD_NO_CREDITS, ADD_NO_ACCOUNT };

static void put_insert(struct pg_array *a, const struct store_job_insert *w)
{
    pg_array_text(&a[ADD_ID], w->id);
    pg_array_text(&a[ADD_ACCOUNT], w->account_id);
    pg_array_i64(&a[ADD_RUNNING], w->running);
    pg_array_i64(&a[ADD_DETAILS], w->details);
    pg_array_i64(&a[ADD_CREATED], w->now_ms);
    pg_array_text(&a[ADD_KEY], w->idempotency_key);
    pg_array_bytes(&a[ADD_HASH], w->idempotency_key ? w->body_hash : NULL, STORE_HASH_BYTES);
    pg_array_text(&a[ADD_URL], w->webhook_url);
    pg_array_i64(&a[ADD_URL_KEY], w->webhook_key);
    pg_array_text(&a[ADD_TEMPLATE], w->template);
    pg_array_bytes(&a[ADD_TEXT], w->text, w->text_bytes);
}

/* Decides between replay and mismatch: the key is there. */
static bool read_existing(struct pg_connection *c, struct store_job_insert *w, struct error *e)
{
    unsigned char hash[STORE_HASH_BYTES];
    PGresult *r = pg_query(c, PG_JOB_BY_KEY, e, w->account_id, w->idempotency_key);
    if (!r) return false;
    bool found = PQntuples(r) == 1;
    if (found) {
        bool same = pg_copy_bytes(r, 0, 1, hash, sizeof hash) == sizeof hash && !memcmp(hash, w->body_hash, sizeof hash);
        w->outcome = same ? INSERT_REPLAY : INSERT_MISMATCH;
        pg_copy(r, 0, 0, w->existing_id, sizeof w->existing_id);
        w->existing_state = (enum store_job_state)pg_i64(r, 0, 2);
        w->write.ok = true;
    }
    PQclear(r);
    return found || error_set(e, ERR_STORE_UNAVAILABLE, "", "the store changed under the request; try again");
}

static bool take_outcome(struct pg_connection *c, struct store_job_insert *w, int64_t outcome, int64_t free,
                         struct pg_array *unkeyed, struct error *e)
{
    w->outcome = INSERT_CREATED;
    w->write.ok = outcome == ADDED;
    w->credits_remaining = free;
    if (outcome == ADD_KEY_TAKEN) return read_existing(c, w, e);
    if (outcome == ADDED) return true;
    if (w->idempotency_key) pg_array_text(unkeyed, w->id);
    if (outcome == ADD_NO_ACCOUNT)
        error_set(&w->write.error, ERR_NOT_FOUND, "account", "there is no account %.36s", w->account_id);
    else
        error_set(&w->write.error, ERR_NO_CREDITS, "", "the account has no credits left; see /billing/ for how to get more");
    return true;
}

static bool send_inserts(struct pg_connection *c, struct pg_array *a, struct store_write *first, int count, struct error *e)
{
    struct pg_array unkeyed = {0};
    PGresult *r = pg_query(c, PG_JOBS_ADD, e, &a[ADD_ID], &a[ADD_ACCOUNT], &a[ADD_RUNNING], &a[ADD_DETAILS], &a[ADD_CREATED],
                           &a[ADD_KEY], &a[ADD_HASH], &a[ADD_URL], &a[ADD_URL_KEY], &a[ADD_TEMPLATE], &a[ADD_TEXT],
                           (int64_t)atomic_load(&c->owner->node));
    bool ok = r != NULL;
    if (ok && PQntuples(r) != count) ok = error_set(e, ERR_STORE_UNAVAILABLE, "", "the store answered with too few rows");
    struct store_write *w = first;
    for (int i = 0; ok && i < count; i++, w = w->next)
        ok = take_outcome(c, (struct store_job_insert *)w, pg_i64(r, i, 0), pg_i64(r, i, 1), &unkeyed, e);
    PQclear(r);
    if (ok && unkeyed.count) ok = pg_run(c, NULL, e, PG_KEYS_LET_GO, &unkeyed);
    pg_array_free(&unkeyed);
    return ok;
}

static bool expire_keys(struct pg_connection *c, struct store_write *inserts, struct error *e)
{
    struct pg_array accounts = {0}, keys = {0};
    int64_t now_ms = 0;
    for (struct store_write *w = inserts; w; w = w->next) {
        const struct store_job_insert *insert = (struct store_job_insert *)w;
        if (!insert->idempotency_key) continue;
        pg_array_text(&accounts, insert->account_id);
        pg_array_text(&keys, insert->idempotency_key);
        if (insert->now_ms > now_ms) now_ms = insert->now_ms;
    }
    bool ok = !keys.count || pg_run(c, NULL, e, PG_KEYS_EXPIRE, &accounts, &keys, now_ms - MS_PER_DAY);
    pg_array_free(&accounts);
    pg_array_free(&keys);
    return ok;
}

static bool insert_all(struct pg_connection *c, struct store_write *inserts, struct error *e)
{
    bool ok = expire_keys(c, inserts, e);
    while (ok && inserts) {
        struct pg_array columns[ADD_COLUMNS] = {0};
        struct store_write *w = inserts;
        int count = 0;
        for (; w && columns[ADD_TEXT].used + columns[ADD_TEMPLATE].used < STATEMENT_BYTES; w = w->next, count++)
            put_insert(columns, (struct store_job_insert *)w);
        ok = send_inserts(c, columns, inserts, count, e);
        for (int i = 0; i < ADD_COLUMNS; i++) pg_array_free(&columns[i]);
        inserts = w;
    }
    return ok;
}

/* ---- claims ------------------------------------------------------------------------------------------------------------- */

/* The write at position `ord`, counted from 1, as the server counts. */
static struct store_write *write_at(struct store_write *first, int64_t ord)
{
    while (first && --ord > 0) first = first->next;
    return first;
}

static bool claim_all(struct pg_connection *c, struct store_write *claims, struct error *e)
{
    struct pg_array ids = {0}, attempts = {0};
    for (struct store_write *w = claims; w; w = w->next) {
        struct store_job_claim *claim = (struct store_job_claim *)w;
        pg_array_text(&ids, claim->id);
        pg_array_i64(&attempts, claim->attempt);
        claim->applied = false;
        w->ok = true;
    }
    PGresult *r = pg_query(c, PG_JOBS_CLAIM, e, &ids, &attempts, (int64_t)atomic_load(&c->owner->node));
    for (int i = 0; r && i < PQntuples(r); i++)
        ((struct store_job_claim *)write_at(claims, pg_i64(r, i, 0)))->applied = true;
    pg_array_free(&ids);
    pg_array_free(&attempts);
    bool ok = r != NULL;
    PQclear(r);
    return ok;
}

/* ---- settlements ---------------------------------------------------------------------------------------------------------- */

enum settle_column { END_ID, END_ATTEMPT, END_GOOD, END_RESULT, END_CODE, END_PARAM, END_MESSAGE, END_LATENCY, END_NOW,
                     END_BUCKET, END_COLUMNS };

static void put_settle(struct pg_array *a, struct store_job_settle *w)
{
    bool good = w->result != NULL;
    pg_array_text(&a[END_ID], w->id);
    pg_array_i64(&a[END_ATTEMPT], w->attempt);
    pg_array_i64(&a[END_GOOD], good);
    pg_array_text(&a[END_RESULT], w->result);
    pg_array_text(&a[END_CODE], good ? NULL : error_code_name(w->failure.code));
    pg_array_text(&a[END_PARAM], good ? NULL : w->failure.param);
    pg_array_text(&a[END_MESSAGE], good ? NULL : w->failure.message);
    pg_array_i64(&a[END_LATENCY], w->latency_ms);
    pg_array_i64(&a[END_NOW], w->now_ms);
    pg_array_i64(&a[END_BUCKET], store_latency_bucket(w->latency_ms));
    w->applied = false;
    w->credits_remaining = -1;
    w->write.ok = true;
}

static bool send_settles(struct pg_connection *c, struct pg_array *a, struct store_write *first, struct error *e)
{
    PGresult *r = pg_query(c, PG_JOBS_SETTLE, e, &a[END_ID], &a[END_ATTEMPT], &a[END_GOOD], &a[END_RESULT], &a[END_CODE],
                           &a[END_PARAM], &a[END_MESSAGE], &a[END_LATENCY], &a[END_NOW], &a[END_BUCKET]);
    for (int i = 0; r && i < PQntuples(r); i++) {
        struct store_job_settle *w = (struct store_job_settle *)write_at(first, pg_i64(r, i, 0));
        w->applied = true;
        w->credits_remaining = pg_i64(r, i, 1);
    }
    bool ok = r != NULL;
    PQclear(r);
    return ok;
}

bool postgres_settle_all(struct pg_connection *c, struct store_write *settles, struct error *e)
{
    bool ok = true;
    while (ok && settles) {
        struct pg_array columns[END_COLUMNS] = {0};
        struct store_write *w = settles;
        for (; w && columns[END_RESULT].used < STATEMENT_BYTES; w = w->next) put_settle(columns, (struct store_job_settle *)w);
        ok = send_settles(c, columns, settles, e);
        for (int i = 0; i < END_COLUMNS; i++) pg_array_free(&columns[i]);
        settles = w;
    }
    return ok;
}

/* ---- the jobs' transaction ------------------------------------------------------------------------------------------------ */

struct job_writes { /* each linked by next, in the order posted */
    struct store_write *inserts, *claims, *settles;
};

static bool lock_accounts(struct pg_connection *c, const struct job_writes *jobs, struct error *e)
{
    struct pg_array accounts = {0}, ids = {0};
    for (struct store_write *w = jobs->inserts; w; w = w->next)
        pg_array_text(&accounts, ((struct store_job_insert *)w)->account_id);
    for (struct store_write *w = jobs->settles; w; w = w->next) pg_array_text(&ids, ((struct store_job_settle *)w)->id);
    bool ok = pg_run(c, NULL, e, PG_BATCH_LOCK, &accounts, &ids, c->owner->process, c->number);
    pg_array_free(&accounts);
    pg_array_free(&ids);
    return ok;
}

bool postgres_lock_settled(struct pg_connection *c, struct store_write *settles, struct error *e)
{
    return lock_accounts(c, &(struct job_writes){.settles = settles}, e);
}

static bool run_jobs(struct pg_connection *c, const struct job_writes *jobs, struct error *e)
{
    if (!pg_begin(c, e)) return false;
    bool ok = lock_accounts(c, jobs, e) && (!jobs->settles || postgres_settle_all(c, jobs->settles, e)) &&
              (!jobs->claims || claim_all(c, jobs->claims, e)) && (!jobs->inserts || insert_all(c, jobs->inserts, e));
    if (!ok) {
        pg_rollback(c);
        return false;
    }
    return pg_commit(c, e) || (c->in_doubt && pg_settle_doubt(c, e));
}

/* False: nothing of these has happened, each is told so. */
static bool try_jobs(struct pg_connection *c, const struct job_writes *jobs, struct error *e)
{
    bool ok = false;
    for (int i = 0; !ok && i < TRIES; i++) {
        ok = run_jobs(c, jobs, e);
        if (!ok && !pg_may_retry(c)) break;
    }
    return ok;
}

static void fail_all(struct store_write *w, const struct error *e)
{
    for (; w; w = w->next) {
        w->ok = false;
        w->error = *e;
    }
}

static void run_one_by_one(struct pg_connection *c, struct store_write **list, size_t which)
{
    for (struct store_write *w = *list; w; w = w->next) {
        struct store_write *rest = w->next;
        struct job_writes one = {0};
        struct error e = {.code = ERR_NONE};
        *(struct store_write **)((char *)&one + which) = w;
        w->next = NULL;
        w->error.code = ERR_NONE;
        if (!try_jobs(c, &one, &e)) fail_all(w, &e);
        w->next = rest;
    }
}

static void run_job_writes(struct pg_connection *c, struct job_writes *jobs)
{
    struct error e = {.code = ERR_NONE};
    if (!jobs->inserts && !jobs->claims && !jobs->settles) return;
    if (try_jobs(c, jobs, &e)) return;
    if (c->db) { /* the server is there and said no */
        run_one_by_one(c, &jobs->settles, offsetof(struct job_writes, settles));
        run_one_by_one(c, &jobs->claims, offsetof(struct job_writes, claims));
        run_one_by_one(c, &jobs->inserts, offsetof(struct job_writes, inserts));
        return;
    }
    fail_all(jobs->inserts, &e);
    fail_all(jobs->claims, &e);
    fail_all(jobs->settles, &e);
}

/* ---- everything else -------------------------------------------------------------------------------------------------------- */

static bool run_alone(struct pg_connection *c, struct store_write *write, struct error *e)
{
    if (!pg_begin(c, e)) return false;
    if (!postgres_run(c, write, e) || !pg_run(c, NULL, e, PG_COMMIT_MARK, c->owner->process, c->number)) {
        pg_rollback(c);
        return false;
    }
    if (pg_commit(c, e)) return true;
    return c->in_doubt && pg_settle_doubt(c, e);
}

static void run_other(struct pg_connection *c, struct store_write *write)
{
    for (int i = 0; i < TRIES; i++) {
        write->error.code = ERR_NONE;
        write->ok = run_alone(c, write, &write->error);
        if (write->ok || !pg_may_retry(c)) return;
    }
}

/* ---- the batch ---------------------------------------------------------------------------------------------------------------- */

static struct store_write ***tail_of(struct store_write ***tails, enum store_verb verb)
{
    return verb == STORE_JOB_INSERT ? &tails[0] : verb == STORE_JOB_CLAIM ? &tails[1] : verb == STORE_JOB_SETTLE ? &tails[2]
                                                                                                          : &tails[3];
}

/* Puts the writes of `more` behind `*end`; returns the new end. */
static struct store_write **append(struct store_write **end, struct store_write *more)
{
    *end = more;
    while (*end) end = &(*end)->next;
    return end;
}

/* The list is taken apart by verb and put together again, in another order. */
bool postgres_batch(struct backend *b, struct store_write **batch, struct error *e)
{
    struct job_writes jobs = {0};
    struct store_write *others = NULL, **tails[4] = {&jobs.inserts, &jobs.claims, &jobs.settles, &others};
    (void)e; /* what fails is told write by write */
    for (struct store_write *w = *batch, *next; w; w = next) {
        next = w->next;
        w->next = NULL;
        struct store_write ***tail = tail_of(tails, w->verb);
        **tail = w;
        *tail = &w->next;
    }
    for (struct store_write *w = others; w; w = w->next) run_other(&b->writer, w);
    run_job_writes(&b->writer, &jobs);
    struct store_write **end = append(batch, jobs.inserts);
    end = append(end, jobs.claims);
    end = append(end, jobs.settles);
    append(end, others);
    return true;
}
