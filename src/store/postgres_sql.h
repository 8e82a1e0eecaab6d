/* postgres_sql.h - every statement the PostgreSQL backend runs, but for schema, settings and BEGIN. X(name, types, sql):
 * t text, i bigint, b bytea; T, I, B an array of them. */
#ifndef REFRACTR_STORE_POSTGRES_SQL_H
#define REFRACTR_STORE_POSTGRES_SQL_H

#include "store/postgres_sql_web.h"

#define PG_KEY_COLUMNS "id, account_id, name, prefix, hash, created_ms, coalesce(last_used_ms, 0), coalesce(revoked_ms, 0)"

/* A node is alive while it was heard of within this many seconds (STORE_LEASE_S). */
#define PG_LEASE "interval '10 seconds'"

/* `state + 0 = 1` where rows are named by their ids: with `state = 1` the planner reads all that run, and all the dead rows of
 * those that ran since the last vacuum, through the index that is for them. */

/* A process's row of `commits`, made when it is not there. */
#define PG_MARK(writer, number, set) \
    "INSERT INTO commits AS c (writer, number, at) VALUES (" writer "::uuid, " number ", clock_timestamp()) " \
    "ON CONFLICT (writer) DO UPDATE SET " set "at = excluded.at"

/* clang-format off */
#define PG_TABLE(X) \
    X(ACCOUNT_ADD, "tti", "INSERT INTO accounts (id, name, created_ms, balance, held) VALUES ($1, $2, $3, 0, 0)") \
    X(ACCOUNT_GET, "t", "SELECT id, name, balance, held, created_ms FROM accounts WHERE id = $1") \
    X(ACCOUNT_LIST, "", "SELECT id, name, balance, held, created_ms FROM accounts ORDER BY created_ms, id") \
    X(BALANCE_ADD, "ti", "UPDATE accounts SET balance = balance + $2 WHERE id = $1 AND balance + $2 - held >= 0 " \
                         "RETURNING balance") \
    X(LEDGER_ADD, "titti", "INSERT INTO ledger (account_id, amount, kind, note, created_ms) VALUES ($1, $2, $3, $4, $5) " \
                           "RETURNING id") \
    \
    X(KEY_ADD, "tbtti", "INSERT INTO api_keys (account_id, hash, prefix, name, created_ms) VALUES ($1, $2, $3, $4, $5) " \
                        "RETURNING id") \
    X(KEY_REVOKE, "iit", "UPDATE api_keys SET revoked_ms = least(coalesce(revoked_ms, $2), $2) WHERE id = $1 " \
                         "AND ($3 IS NULL OR account_id = $3)") \
    X(KEY_USED, "ii", "UPDATE api_keys SET last_used_ms = greatest(coalesce(last_used_ms, 0), $2) WHERE id = $1") \
    X(KEY_FIND, "b", "SELECT " PG_KEY_COLUMNS " FROM api_keys WHERE hash = $1") \
    X(KEY_LIST, "t", "SELECT " PG_KEY_COLUMNS " FROM api_keys WHERE $1 IS NULL OR account_id = $1 ORDER BY id") \
    \
    /* The accounts of a batch, locked in one order whatever else runs: no two batches can wait for each other. $1: accounts
     * of inserts, $2: jobs of settlements; $3, $4 as below. */ \
    X(BATCH_LOCK, "TTti", "WITH mark AS (" PG_MARK("$3", "$4", "number = excluded.number, ") ")" \
        "SELECT count(*) FROM (SELECT id FROM accounts WHERE id IN " \
        "(SELECT unnest($1) UNION SELECT account_id FROM open_jobs WHERE id = ANY($2::uuid[])) " \
        "ORDER BY id FOR NO KEY UPDATE) locked") \
    /* Writes into the transaction which one of this process's ($1) it is ($2): what is there after a lost connection is the \
     * last one that was committed. Who asks waits for the row, and so until the one in doubt has ended. */ \
    X(COMMIT_MARK, "ti", PG_MARK("$1", "$2", "number = excluded.number, ")) \
    X(COMMIT_LAST, "t", PG_MARK("$1", "0", "") " RETURNING number") \
    \
    /* $1 ids, $2 accounts, $3 running, $4 details, $5 created, $6 idempotency keys, $7 body hashes, $8 webhook URLs, \
     * $9 webhook keys, $10 templates, $11 texts; $12 this node. Per job: 0 made (and what its account may still spend), \
     * 1 its idempotency key is taken, 2 no credits, 3 no such account. The accounts are locked. */ \
    X(JOBS_ADD, "TTIIITBTITBi", \
        "WITH input AS (SELECT * FROM unnest($1::uuid[], $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) WITH ORDINALITY " \
        "  AS i (id, account_id, running, details, created_ms, key, body_hash, webhook_url, webhook_key, template, text, ord))," \
        "keyed AS (INSERT INTO idempotency_keys (account_id, key, job_id, body_hash, created_ms) " \
        "  SELECT account_id, key, id, body_hash, created_ms FROM input WHERE key IS NOT NULL " \
        "  ON CONFLICT DO NOTHING RETURNING job_id)," \
        "fresh AS (SELECT *, key IS NULL OR id IN (SELECT job_id FROM keyed) AS is_fresh FROM input)," \
        "placed AS (SELECT f.*, a.balance - a.held AS free, " \
        "  row_number() OVER (PARTITION BY f.account_id, f.is_fresh ORDER BY f.ord) AS turn " \
        "  FROM fresh f LEFT JOIN accounts a ON a.id = f.account_id)," \
        "judged AS (SELECT *, CASE WHEN free IS NULL THEN 3 WHEN NOT is_fresh THEN 1 WHEN turn > free THEN 2 ELSE 0 END " \
        "  AS outcome FROM placed)," \
        "held AS (UPDATE accounts a SET held = a.held + s.jobs FROM (SELECT account_id, count(*) AS jobs FROM judged " \
        "  WHERE outcome = 0 GROUP BY account_id) s WHERE a.id = s.account_id)," \
        "made AS (INSERT INTO open_jobs (id, account_id, state, attempt, details, created_ms, node, keyed, webhook_url, " \
        "  webhook_key, template, text) SELECT id, account_id, running, running, details, created_ms, " \
        "  CASE WHEN running = 1 THEN nullif($12, 0) END, key IS NOT NULL, webhook_url, webhook_key, template, text " \
        "  FROM judged WHERE outcome = 0)" \
        "SELECT outcome, free - turn FROM judged ORDER BY ord") \
    X(KEYS_LET_GO, "T", "DELETE FROM idempotency_keys WHERE job_id = ANY($1::uuid[])") \
    /* A finished job's key that is over a day old. $1 accounts, $2 keys, $3 now less a day */ \
    X(KEYS_EXPIRE, "TTi", "DELETE FROM idempotency_keys k USING unnest($1, $2) AS i (account_id, key) " \
        "WHERE k.account_id = i.account_id AND k.key = i.key AND k.created_ms <= $3 " \
        "AND NOT EXISTS (SELECT 1 FROM open_jobs o WHERE o.id = k.job_id)") \
    X(JOB_BY_KEY, "tt", "SELECT k.job_id, k.body_hash, coalesce(o.state, j.state, 3) FROM idempotency_keys k " \
        "LEFT JOIN open_jobs o ON o.id = k.job_id LEFT JOIN jobs j ON j.id = k.job_id " \
        "WHERE k.account_id = $1 AND k.key = $2") \
    X(JOBS_CLAIM, "TIi", "WITH input AS (SELECT * FROM unnest($1::uuid[], $2) WITH ORDINALITY AS i (id, attempt, ord))," \
        "won AS (UPDATE open_jobs o SET state = 1, attempt = o.attempt + 1, node = nullif($3, 0) FROM input i " \
        "  WHERE o.id = i.id AND o.state + 0 = 0 AND o.attempt = i.attempt RETURNING i.ord) SELECT ord FROM won") \
    \
    /* $1 ids, $2 attempts, $3 1 success 0 failure, $4 results, $5 to $7 errors, $8 latencies, $9 now, $10 latency buckets. \
     * Gives back which were settled, and what their accounts may spend. The accounts are locked. */ \
    X(JOBS_SETTLE, "TIITTTTIII", \
        "WITH input AS (SELECT * FROM unnest($1::uuid[], $2, $3, $4, $5, $6, $7, $8, $9, $10) WITH ORDINALITY " \
        "  AS i (id, attempt, good, result, error_code, error_param, error_message, latency_ms, now_ms, bucket, ord))," \
        "gone AS (DELETE FROM open_jobs o USING input i WHERE o.id = i.id AND o.state + 0 = 1 AND o.attempt = i.attempt " \
        "  RETURNING i.*, o.account_id, o.created_ms, o.keyed, o.webhook_url, o.webhook_key)," \
        "ended AS (INSERT INTO jobs (id, account_id, state, created_ms, finished_ms, latency_ms, credits, result, error_code, " \
        "  error_param, error_message, keyed) SELECT id, account_id, 3 - good, created_ms, now_ms, latency_ms, good, result, " \
        "  error_code, error_param, error_message, keyed AND good = 1 FROM gone)," \
        "entries AS (INSERT INTO ledger (account_id, amount, kind, job_id, created_ms) " \
        "  SELECT account_id, -1, 'usage', id, now_ms FROM gone WHERE good = 1)," \
        "paid AS (UPDATE accounts a SET held = a.held - s.jobs, balance = a.balance - s.good FROM (SELECT account_id, " \
        "  count(*) AS jobs, sum(good)::bigint AS good FROM gone GROUP BY account_id) s WHERE a.id = s.account_id " \
        "  RETURNING a.id, a.balance - a.held AS free)," \
        "counted AS (INSERT INTO usage AS u (account_id, day, bucket, requests, credits, errors) SELECT account_id, " \
        "  now_ms / 86400000, bucket, count(*), sum(good), sum(1 - good) FROM gone GROUP BY 1, 2, 3 " \
        "  ON CONFLICT (account_id, day, bucket) DO UPDATE SET requests = u.requests + excluded.requests, " \
        "  credits = u.credits + excluded.credits, errors = u.errors + excluded.errors)," \
        "unkeyed AS (DELETE FROM idempotency_keys WHERE job_id IN (SELECT id FROM gone WHERE keyed AND good = 0))," \
        "told AS (INSERT INTO deliveries (msg_id, account_id, endpoint_id, key_id, url, event, created_ms, next_ms, job_id, " \
        "  job_state, latency_ms, credits, result, error_code, error_param, error_message) " \
        "  SELECT replace(gen_random_uuid()::text, '-', ''), g.account_id, t.endpoint_id, t.key_id, t.url, " \
        "  CASE WHEN g.good = 1 THEN 'job.succeeded' ELSE 'job.failed' END, g.now_ms, g.now_ms, g.id::text, 3 - g.good, " \
        "  g.latency_ms, g.good, g.result, g.error_code, g.error_param, g.error_message FROM gone g, LATERAL " \
        "  (SELECT e.id AS endpoint_id, NULL::bigint AS key_id, NULL AS url FROM endpoints e " \
        "   WHERE e.account_id = g.account_id AND e.disabled_ms IS NULL " \
        "   UNION ALL SELECT NULL, g.webhook_key, g.webhook_url WHERE g.webhook_url IS NOT NULL) t)" \
        "SELECT g.ord, p.free FROM gone g JOIN paid p ON p.id = g.account_id") \
    \
    X(JOB_GET, "tt", "SELECT id, state, created_ms, finished_ms, latency_ms, credits, result, error_code, error_param, " \
        "error_message FROM jobs WHERE id = $1::uuid AND account_id = $2 UNION ALL " \
        "SELECT id, state, created_ms, 0, 0, 0, NULL, NULL, NULL, NULL FROM open_jobs WHERE id = $1::uuid AND account_id = $2") \
    X(JOBS_OPEN, "", "SELECT id, account_id, attempt, details, created_ms, template, text FROM open_jobs WHERE state = 0 " \
        "ORDER BY id") \
    X(JOBS_SWEEP, "iii", "WITH old AS (DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE finished_ms < $1 " \
        "AND created_ms < $1 AND (NOT keyed OR created_ms < $2) ORDER BY finished_ms LIMIT $3 FOR UPDATE SKIP LOCKED) " \
        "RETURNING id, keyed), keys AS (DELETE FROM idempotency_keys WHERE job_id IN (SELECT id FROM old WHERE keyed)) " \
        "SELECT count(*) FROM old") \
    \
    /* Running, but of no node that lives. */ \
    X(JOBS_WORN_OUT, "i", "SELECT id, attempt, created_ms FROM open_jobs o WHERE state = 1 AND attempt >= $1 AND NOT EXISTS " \
        "(SELECT 1 FROM nodes n WHERE n.id = o.node AND n.seen > clock_timestamp() - " PG_LEASE ") ORDER BY id LIMIT 100") \
    X(JOBS_REQUEUE, "i", "UPDATE open_jobs SET state = 0, node = NULL WHERE id IN (SELECT id FROM open_jobs o " \
        "WHERE state = 1 AND attempt < $1 AND NOT EXISTS (SELECT 1 FROM nodes n WHERE n.id = o.node " \
        "AND n.seen > clock_timestamp() - " PG_LEASE ") ORDER BY id LIMIT 1000 FOR NO KEY UPDATE SKIP LOCKED)") \
    \
    X(PING, "", "SELECT 1") \
    X(AUDIT, "", "SELECT a.id, a.balance, coalesce(l.total, 0), a.held, coalesce(h.open, 0) FROM accounts a " \
        "LEFT JOIN (SELECT account_id, sum(amount) AS total FROM ledger GROUP BY account_id) l ON l.account_id = a.id " \
        "LEFT JOIN (SELECT account_id, count(*) AS open FROM open_jobs GROUP BY account_id) h ON h.account_id = a.id " \
        "WHERE a.balance <> coalesce(l.total, 0) OR a.held <> coalesce(h.open, 0) LIMIT 1") \
    \
    X(NODE_JOIN, "tt", "WITH dead AS (DELETE FROM nodes WHERE seen < clock_timestamp() - interval '1 day')," \
        "left_behind AS (DELETE FROM commits WHERE at < clock_timestamp() - interval '1 day') " \
        "INSERT INTO nodes (name, role, seen) VALUES ($1, $2, clock_timestamp()) RETURNING id") \
    /* By its name too: a number given shortly before a failover may be given again after it. */ \
    X(NODE_BEAT, "it", "UPDATE nodes SET seen = clock_timestamp() WHERE id = $1 AND name = $2 " \
        "AND seen > clock_timestamp() - " PG_LEASE) \
    X(NODE_LEAVE, "i", "DELETE FROM nodes WHERE id = $1") \
    /* $1 this node, $2 how many, $3 the account served last. `line`: accounts with waiting jobs, found one after the other \
     * in the index, from the one after $3 on, $2 at most; `wrapped`: those before it. `wanted`: the first jobs of each, all \
     * first ones before all second ones; more than asked for, as others may be taking some at this moment. */ \
    X(JOBS_TAKE, "iit", \
        "WITH RECURSIVE line (account_id, at) AS (" \
        "  (SELECT account_id, 0::bigint FROM open_jobs WHERE state = 0 AND account_id > $3 ORDER BY account_id LIMIT 1) " \
        "  UNION ALL SELECT n.account_id, l.at + 1 FROM line l, LATERAL (SELECT account_id FROM open_jobs " \
        "  WHERE state = 0 AND account_id > l.account_id ORDER BY account_id LIMIT 1) n WHERE l.at + 1 < $2)," \
        "wrapped (account_id, at) AS (" \
        "  (SELECT account_id, $2 FROM open_jobs WHERE state = 0 AND account_id <= $3 ORDER BY account_id LIMIT 1) " \
        "  UNION ALL SELECT n.account_id, w.at + 1 FROM wrapped w, LATERAL (SELECT account_id FROM open_jobs " \
        "  WHERE state = 0 AND account_id > w.account_id AND account_id <= $3 ORDER BY account_id LIMIT 1) n " \
        "  WHERE w.at + 1 < 2 * $2)," \
        "ring AS (SELECT *, count(*) OVER () AS accounts FROM (SELECT * FROM line UNION ALL SELECT * FROM wrapped) r)," \
        "wanted AS (SELECT j.id, j.turn, r.at FROM ring r, LATERAL (SELECT id, row_number() OVER (ORDER BY id) AS turn FROM " \
        "  (SELECT id FROM open_jobs WHERE state = 0 AND account_id = r.account_id ORDER BY id " \
        "   LIMIT 1 + 4 * $2 / r.accounts) f) j ORDER BY j.turn, r.at LIMIT 4 * $2)," \
        "free AS (SELECT o.id, w.turn, w.at FROM wanted w JOIN open_jobs o ON o.id = w.id WHERE o.state + 0 = 0 " \
        "  ORDER BY w.turn, w.at LIMIT $2 FOR NO KEY UPDATE OF o SKIP LOCKED)," \
        "mine AS (UPDATE open_jobs o SET state = 1, attempt = o.attempt + 1, node = $1 FROM free WHERE o.id = free.id " \
        "  RETURNING o.id, o.account_id, o.attempt, o.details, o.created_ms, o.template, o.text, free.turn, free.at)" \
        "SELECT id, account_id, attempt, details, created_ms, template, text FROM mine ORDER BY turn, at") \
    X(JOBS_WATCH, "T", "SELECT j.id, j.state, j.created_ms, j.finished_ms, j.latency_ms, j.credits, j.result, j.error_code, " \
        "j.error_param, j.error_message, a.balance - a.held FROM jobs j JOIN accounts a ON a.id = j.account_id " \
        "WHERE j.id = ANY($1::uuid[])") \
    /* $1 key, $2 bucket, $3 blocks at most, $4 window in ms. The row is locked before the clock is read. */ \
    X(PERMIT_TAKE, "iiii", \
        "INSERT INTO permits AS p (key_id, bucket, given, granted, at_ms) VALUES ($1, $2, " \
        "  ARRAY[(extract(epoch FROM clock_timestamp()) * 1000)::bigint], true, " \
        "  (extract(epoch FROM clock_timestamp()) * 1000)::bigint) " \
        "ON CONFLICT (key_id, bucket) DO UPDATE SET (given, granted, at_ms) = (" \
        "  SELECT CASE WHEN cardinality(kept) < $3 THEN kept || now_ms ELSE kept END, cardinality(kept) < $3, now_ms FROM (" \
        "    SELECT t.now_ms, ARRAY(SELECT g FROM unnest(p.given) g WHERE g > t.now_ms - $4 ORDER BY g) AS kept FROM (" \
        "      SELECT greatest((extract(epoch FROM clock_timestamp()) * 1000)::bigint, p.at_ms) AS now_ms) t) k) " \
        "RETURNING granted, cardinality(given), given[1] + $4 - at_ms") \
    \
    PG_TABLE_WEB(X)
/* clang-format on */

#endif
