/* postgres_schema.c - the schema in steps, and bringing a database to the last of them. Called by postgres.c.
 *
 * Forward only. An advisory lock keeps two processes from migrating at once; each step is one transaction with the row that
 * says it was taken. A program that finds a newer schema than its own refuses to work, one that finds an older one says that
 * `refractr migrate` is to be run: with several nodes on a database that is the operator's to time. An empty database is
 * given its schema by whoever may create.
 *
 * A job's row is in `open_jobs` (with its document) until it ends, then in `jobs`: the first stays as small as the work in
 * hand, the second is written once and never changed, so neither gathers dead rows on the way. Finished jobs are deleted in
 * small batches in the order they ended, which gives their pages back whole; the tables that turn over are vacuumed early.
 * Jobs and ledger have no foreign key to their account: every insert would mark the account's row, which is the one row all
 * of an account's writes want; accounts are never deleted and a job's insert checks its account in the same statement. */
#include "base/log.h"
#include "store/postgres_internal.h"

#define QUICK_VACUUM "autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0"
#define TEXT "text COLLATE \"C\""

static const char *const first_step[] = {
    "CREATE TABLE accounts ("
    "  id " TEXT " PRIMARY KEY, name " TEXT " NOT NULL, created_ms bigint NOT NULL,"
    "  balance bigint NOT NULL, held bigint NOT NULL CHECK (held >= 0), CHECK (balance - held >= 0)"
    ") WITH (fillfactor = 50, " QUICK_VACUUM ")",
    "CREATE TABLE ledger ("
    "  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account_id " TEXT " NOT NULL,"
    "  amount bigint NOT NULL CHECK (amount <> 0),"
    "  kind " TEXT " NOT NULL CHECK (kind IN ('grant', 'usage', 'purchase', 'refund')),"
    "  job_id uuid UNIQUE CHECK ((job_id IS NOT NULL) = (kind = 'usage')), note " TEXT ", created_ms bigint NOT NULL"
    ")",
    "CREATE INDEX ledger_account ON ledger (account_id, id)",
    "CREATE FUNCTION ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    "  RAISE EXCEPTION 'the ledger is append-only' USING ERRCODE = 'restrict_violation'; END $$",
    "CREATE TRIGGER ledger_no_change BEFORE UPDATE OR DELETE ON ledger FOR EACH ROW EXECUTE FUNCTION ledger_is_append_only()",
    "CREATE TRIGGER ledger_no_truncate BEFORE TRUNCATE ON ledger EXECUTE FUNCTION ledger_is_append_only()",
    "CREATE TABLE api_keys ("
    "  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account_id " TEXT " NOT NULL REFERENCES accounts (id),"
    "  hash bytea NOT NULL UNIQUE CHECK (length(hash) = 32), prefix " TEXT " NOT NULL, name " TEXT " NOT NULL,"
    "  created_ms bigint NOT NULL, last_used_ms bigint, revoked_ms bigint"
    ")",
    "CREATE INDEX api_keys_account ON api_keys (account_id)",
    /* state: 0 pending, 1 running (of `node`); job ids carry the time in front, so they sort by age */
    "CREATE TABLE open_jobs ("
    "  id uuid PRIMARY KEY, account_id " TEXT " NOT NULL, state integer NOT NULL CHECK (state IN (0, 1)),"
    "  attempt integer NOT NULL, details integer NOT NULL, created_ms bigint NOT NULL, node bigint, keyed boolean NOT NULL,"
    "  webhook_url " TEXT ", webhook_key bigint, template " TEXT " NOT NULL, text bytea NOT NULL"
    ") WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0)",
    "CREATE INDEX open_jobs_pending ON open_jobs (account_id, id) WHERE state = 0",
    "CREATE INDEX open_jobs_running ON open_jobs (id) WHERE state = 1",
    /* state: 2 success, 3 failed, as in store.h */
    "CREATE TABLE jobs ("
    "  id uuid PRIMARY KEY, account_id " TEXT " NOT NULL, state integer NOT NULL CHECK (state IN (2, 3)),"
    "  created_ms bigint NOT NULL, finished_ms bigint NOT NULL, latency_ms bigint NOT NULL, credits integer NOT NULL,"
    "  result " TEXT ", error_code " TEXT ", error_param " TEXT ", error_message " TEXT ", keyed boolean NOT NULL"
    ") WITH (" QUICK_VACUUM ", autovacuum_vacuum_insert_scale_factor = 0.1)",
    "CREATE INDEX jobs_account ON jobs (account_id, id)",
    "CREATE INDEX jobs_finished ON jobs (finished_ms)",
    "CREATE TABLE idempotency_keys ("
    "  account_id " TEXT " NOT NULL, key " TEXT " NOT NULL, job_id uuid NOT NULL UNIQUE, body_hash bytea NOT NULL,"
    "  created_ms bigint NOT NULL, PRIMARY KEY (account_id, key)"
    ") WITH (" QUICK_VACUUM ")",
    "CREATE TABLE users ("
    "  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account_id " TEXT " NOT NULL UNIQUE REFERENCES accounts (id),"
    "  email " TEXT " UNIQUE, password_hash " TEXT ", created_ms bigint NOT NULL"
    ")",
    "CREATE TABLE signin_links ("
    "  hash bytea PRIMARY KEY, user_id bigint NOT NULL REFERENCES users (id), expires_ms bigint NOT NULL"
    ")",
    "CREATE TABLE sessions ("
    "  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, hash bytea NOT NULL UNIQUE,"
    "  user_id bigint NOT NULL REFERENCES users (id), seen_ms bigint NOT NULL, expires_ms bigint NOT NULL"
    ")",
    "CREATE INDEX sessions_user ON sessions (user_id)",
    "CREATE INDEX sessions_expire ON sessions (expires_ms)",
    "CREATE TABLE usage ("
    "  account_id " TEXT " NOT NULL, day bigint NOT NULL, bucket integer NOT NULL, requests bigint NOT NULL,"
    "  credits bigint NOT NULL, errors bigint NOT NULL, PRIMARY KEY (account_id, day, bucket)"
    ") WITH (fillfactor = 50, " QUICK_VACUUM ")",
    "CREATE TABLE purchases ("
    "  session_id " TEXT " PRIMARY KEY, account_id " TEXT " NOT NULL REFERENCES accounts (id),"
    "  payment_intent " TEXT ", invoice_id " TEXT ", credits bigint NOT NULL CHECK (credits > 0),"
    "  credits_refunded bigint NOT NULL DEFAULT 0, ledger_id bigint REFERENCES ledger (id)"
    ")",
    "CREATE INDEX purchases_payment ON purchases (payment_intent)",
    "CREATE INDEX purchases_ledger ON purchases (ledger_id)",
    "CREATE TABLE refunds ("
    "  payment_intent " TEXT " PRIMARY KEY, amount bigint NOT NULL CHECK (amount > 0), refunded bigint NOT NULL"
    ")",
    "CREATE TABLE invoices (id " TEXT " PRIMARY KEY, url " TEXT " NOT NULL)",
    "CREATE TABLE endpoints ("
    "  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account_id " TEXT " NOT NULL REFERENCES accounts (id),"
    "  url " TEXT " NOT NULL, secret bytea NOT NULL CHECK (length(secret) = 32), created_ms bigint NOT NULL,"
    "  disabled_ms bigint"
    ")",
    "CREATE INDEX endpoints_account ON endpoints (account_id)",
    "CREATE TABLE deliveries ("
    "  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, msg_id " TEXT " NOT NULL, account_id " TEXT " NOT NULL,"
    "  endpoint_id bigint, key_id bigint, url " TEXT ", event " TEXT " NOT NULL, created_ms bigint NOT NULL, next_ms bigint,"
    "  state integer NOT NULL DEFAULT 0, attempts integer NOT NULL DEFAULT 0, response_status integer, job_id " TEXT ","
    "  job_state integer, latency_ms bigint, credits bigint, result " TEXT ", error_code " TEXT ", error_param " TEXT ","
    "  error_message " TEXT
    ") WITH (" QUICK_VACUUM ")",
    "CREATE INDEX deliveries_due ON deliveries (next_ms) WHERE state = 0",
    "CREATE INDEX deliveries_endpoint ON deliveries (endpoint_id, id)",
    "CREATE INDEX deliveries_created ON deliveries (created_ms) WHERE state <> 0",
    /* Processes that work on this database. `seen` by the database's own clock, so that nodes need not agree on the time. */
    "CREATE TABLE nodes ("
    "  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name " TEXT " NOT NULL, role " TEXT " NOT NULL,"
    "  seen timestamptz NOT NULL"
    ") WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200)",
    /* The shared windows of the rate limit: when blocks of permits were given, oldest first. */
    "CREATE TABLE permits ("
    "  key_id bigint NOT NULL, bucket bigint NOT NULL, given bigint[] NOT NULL, granted boolean NOT NULL,"
    "  at_ms bigint NOT NULL, PRIMARY KEY (key_id, bucket)"
    ") WITH (fillfactor = 30, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,"
    "  autovacuum_vacuum_cost_delay = 0)",
    NULL,
};

static const char *const second_step[] = {
    /* The last transaction that each process committed. */
    "CREATE TABLE commits (writer uuid PRIMARY KEY, number bigint NOT NULL, at timestamptz NOT NULL)"
    "  WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,"
    "  autovacuum_vacuum_cost_delay = 0)",
    NULL,
};

/* Step i takes a database of version i to i + 1. Steps are never edited once released; add another. */
static const char *const *const schema_steps[] = {first_step, second_step};

enum { SCHEMA_VERSION = sizeof schema_steps / sizeof schema_steps[0] };

/* Any number, the same in every version of the program. */
#define MIGRATION_LOCK "6072041525109117"

/* The database's version; 0: it is empty. -1: `e` filled. */
static int version_of(struct pg_connection *c, struct error *e)
{
    PGresult *r = PQexec(c->db, "SELECT to_regclass('schema_versions') IS NOT NULL");
    bool ok = PQresultStatus(r) == PGRES_TUPLES_OK, there = ok && PQgetvalue(r, 0, 0)[0] == 't';
    if (!ok) pg_fail(c, r, e);
    PQclear(r);
    if (!ok || !there) return ok ? 0 : -1;
    r = PQexec(c->db, "SELECT coalesce(max(version), 0) FROM schema_versions");
    int version = PQresultStatus(r) == PGRES_TUPLES_OK ? (int)pg_i64(r, 0, 0) : -1;
    if (version < 0) pg_fail(c, r, e);
    PQclear(r);
    return version;
}

static bool too_new(int version, struct error *e)
{
    return error_set(e, ERR_STORE_UNAVAILABLE, "", "the database has schema %d, this program knows up to %d; use the newer "
                     "program", version, SCHEMA_VERSION);
}

static bool exec_all(struct pg_connection *c, const char *const *statements, struct error *e)
{
    for (; *statements; statements++)
        if (!pg_exec(c, *statements, e)) return false;
    return true;
}

static bool take_step(struct pg_connection *c, int version, struct error *e)
{
    char note[160];
    struct error ignored;
    snprintf(note, sizeof note, "INSERT INTO schema_versions (version, migrated) VALUES (%d, now())", version + 1);
    if (pg_exec(c, "BEGIN", e) &&
        pg_exec(c, "CREATE TABLE IF NOT EXISTS schema_versions (version integer PRIMARY KEY, migrated timestamptz NOT NULL)", e) &&
        exec_all(c, schema_steps[version], e) && pg_exec(c, note, e) && pg_exec(c, "COMMIT", e)) {
        return true;
    }
    if (c->db && !pg_exec(c, "ROLLBACK", &ignored)) log_error(NULL, "store: rollback failed", LOG_STR("error", ignored.message));
    return false;
}

static bool migrate_locked(struct pg_connection *c, int *from, int *to, struct error *e)
{
    int version = version_of(c, e);
    *from = version;
    if (version > SCHEMA_VERSION) return too_new(version, e);
    while (version >= 0 && version < SCHEMA_VERSION) {
        if (!take_step(c, version, e)) return false;
        version++;
    }
    *to = version;
    return version >= 0;
}

bool postgres_migrate(struct pg_connection *c, int *from, int *to, struct error *e)
{
    struct error ignored;
    int before = 0, after = 0;
    if (!pg_exec(c, "SET statement_timeout = 0; SET lock_timeout = '60s'", e) ||
        !pg_exec(c, "SELECT pg_advisory_lock(" MIGRATION_LOCK ")", e)) {
        return false;
    }
    bool ok = migrate_locked(c, &before, &after, e);
    if (c->db && !pg_exec(c, "SELECT pg_advisory_unlock(" MIGRATION_LOCK ")", &ignored)) ok = false;
    pg_disconnect(c); /* and with it go the two settings above */
    if (from) *from = before;
    if (to) *to = after;
    return ok;
}

bool postgres_schema_check(struct pg_connection *c, bool create, struct error *e)
{
    int version = version_of(c, e);
    if (version < 0) return false;
    if (version == SCHEMA_VERSION) return true;
    if (version > SCHEMA_VERSION) return too_new(version, e);
    if (version == 0 && create) return postgres_migrate(c, NULL, NULL, e);
    if (version == 0) {
        return error_set(e, ERR_STORE_UNAVAILABLE, "", "the database is empty; `refractr migrate`, `refractr account create` "
                         "or `refractr serve` gives it its tables");
    }
    return error_set(e, ERR_STORE_UNAVAILABLE, "", "the database has schema %d, this program needs %d; run `refractr migrate`",
                     version, SCHEMA_VERSION);
}
