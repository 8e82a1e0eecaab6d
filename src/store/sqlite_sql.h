/* sqlite_sql.h - every statement the SQLite backend runs, but for schema and pragmas. X(name, sql). */
#ifndef REFRACTR_STORE_SQLITE_SQL_H
#define REFRACTR_STORE_SQLITE_SQL_H

#include "store/sqlite_sql_web.h"

#define SQL_KEY_COLUMNS                                                                                               \
    "id, account_id, name, prefix, hash, created_ms, coalesce(last_used_ms, 0), coalesce(revoked_ms, 0)"

/* clang-format off */
#define SQL_TABLE(X) \
    X(BEGIN, "BEGIN IMMEDIATE") \
    X(COMMIT, "COMMIT") \
    X(ROLLBACK, "ROLLBACK") \
    \
    X(ACCOUNT_ADD, "INSERT INTO accounts (id, name, created_ms, balance, held) VALUES (?, ?, ?, 0, 0)") \
    X(ACCOUNT_GET, "SELECT id, name, balance, held, created_ms FROM accounts WHERE id = ?") \
    X(ACCOUNT_LIST, "SELECT id, name, balance, held, created_ms FROM accounts ORDER BY created_ms, id") \
    X(BALANCE_ADD, "UPDATE accounts SET balance = balance + ?2 WHERE id = ?1 AND balance + ?2 - held >= 0 " \
                   "RETURNING balance") \
    X(LEDGER_ADD, "INSERT INTO ledger (account_id, amount, kind, job_id, note, created_ms) VALUES (?, ?, ?, ?, ?, ?)") \
    X(HOLD, "UPDATE accounts SET held = held + 1 WHERE id = ? AND balance - held >= 1") \
    X(RELEASE_HOLD, "UPDATE accounts SET held = held - 1 WHERE id = ?") \
    X(CAPTURE, "UPDATE accounts SET held = held - 1, balance = balance - 1 WHERE id = ?") \
    X(CREDITS_LEFT, "SELECT balance - held FROM accounts WHERE id = ?") \
    \
    X(KEY_ADD, "INSERT INTO api_keys (account_id, hash, prefix, name, created_ms) VALUES (?, ?, ?, ?, ?)") \
    X(KEY_REVOKE, "UPDATE api_keys SET revoked_ms = min(coalesce(revoked_ms, ?2), ?2) WHERE id = ?1 " \
                  "AND (?3 IS NULL OR account_id = ?3)") \
    X(KEY_USED, "UPDATE api_keys SET last_used_ms = ?2 WHERE id = ?1") \
    X(KEY_FIND, "SELECT " SQL_KEY_COLUMNS " FROM api_keys WHERE hash = ?") \
    X(KEY_LIST, "SELECT " SQL_KEY_COLUMNS " FROM api_keys WHERE ?1 IS NULL OR account_id = ?1 ORDER BY id") \
    \
    X(JOB_BY_KEY, "SELECT seq, id, state, body_hash, created_ms FROM jobs " \
                  "WHERE account_id = ? AND idempotency_key = ?") \
    X(JOB_LET_KEY_GO, "UPDATE jobs SET idempotency_key = NULL WHERE seq = ?") \
    X(JOB_ADD, "INSERT INTO jobs (id, account_id, state, attempt, details, created_ms, idempotency_key, body_hash, " \
               "webhook_url, webhook_key) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)") \
    X(DOCUMENT_ADD, "INSERT INTO documents (job, template, text) VALUES (last_insert_rowid(), ?, ?)") \
    X(DOCUMENT_DROP, "DELETE FROM documents WHERE job = ?") \
    X(JOB_CLAIM, "UPDATE jobs SET state = 1, attempt = attempt + 1 WHERE id = ? AND state = 0 AND attempt = ?") \
    X(JOB_RUNNING, "SELECT seq, account_id FROM jobs WHERE id = ? AND state = 1 AND attempt = ?") \
    X(JOB_SUCCEED, "UPDATE jobs SET state = 2, result = ?2, latency_ms = ?3, finished_ms = ?4, credits = 1 WHERE seq = ?1") \
    X(JOB_FAIL, "UPDATE jobs SET state = 3, error_code = ?2, error_param = ?3, error_message = ?4, latency_ms = ?5, " \
                "finished_ms = ?6, idempotency_key = NULL WHERE seq = ?1") \
    X(JOB_GET, "SELECT id, state, created_ms, finished_ms, latency_ms, credits, result, error_code, error_param, " \
               "error_message FROM jobs WHERE id = ? AND account_id = ?") \
    X(JOBS_OPEN, "SELECT j.id, j.account_id, j.attempt, j.details, j.created_ms, d.template, d.text " \
                 "FROM documents d JOIN jobs j ON j.seq = d.job WHERE j.state = 0 ORDER BY d.job") \
    X(JOBS_WORN_OUT, "SELECT j.id, j.attempt, j.created_ms FROM documents d JOIN jobs j ON j.seq = d.job " \
                     "WHERE j.state = 1 AND j.attempt >= ? ORDER BY d.job LIMIT 1") \
    X(JOBS_REQUEUE, "UPDATE jobs SET state = 0 WHERE state = 1 AND seq IN (SELECT job FROM documents)") \
    X(JOBS_SWEEP, "DELETE FROM jobs WHERE seq IN (SELECT seq FROM jobs WHERE created_ms < ?1 AND finished_ms < ?1 " \
                  "AND (idempotency_key IS NULL OR created_ms < ?2) ORDER BY created_ms LIMIT ?3)") \
    \
    X(PING, "SELECT 1 FROM accounts LIMIT 1") \
    X(CHECK, "PRAGMA integrity_check(1)") \
    X(AUDIT, "SELECT a.id, a.balance, coalesce(l.total, 0), a.held, coalesce(h.open, 0) FROM accounts a " \
             "LEFT JOIN (SELECT account_id, sum(amount) AS total FROM ledger GROUP BY account_id) l " \
             "ON l.account_id = a.id " \
             "LEFT JOIN (SELECT account_id, count(*) AS open FROM jobs WHERE state < 2 GROUP BY account_id) h " \
             "ON h.account_id = a.id " \
             "WHERE a.balance <> coalesce(l.total, 0) OR a.held <> coalesce(h.open, 0) LIMIT 1") \
    \
    SQL_TABLE_WEB(X)
/* clang-format on */

#endif
