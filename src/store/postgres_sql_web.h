/* postgres_sql_web.h - statements of the web side (store_web.h), part of PG_TABLE. X(name, types, sql). */
#ifndef REFRACTR_STORE_POSTGRES_SQL_WEB_H
#define REFRACTR_STORE_POSTGRES_SQL_WEB_H

/* clang-format off */
#define PG_TABLE_WEB(X) \
    X(USER_ADD, "ttti", "INSERT INTO users (account_id, email, password_hash, created_ms) VALUES ($1, $2, $3, $4) " \
                        "ON CONFLICT (email) DO NOTHING RETURNING id") \
    X(USER_OF_ACCOUNT, "t", "SELECT id FROM users WHERE account_id = $1") \
    X(USER_BY_EMAIL, "t", "SELECT id, coalesce(password_hash, '') FROM users WHERE email = $1") \
    X(USER_EMAIL_TAKEN, "ti", "SELECT 1 FROM users WHERE email = $1 AND id <> $2") \
    X(USER_PASSWORD, "itt", "UPDATE users SET password_hash = $2, email = coalesce(email, $3) WHERE id = $1") \
    X(LINK_ADD, "bii", "INSERT INTO signin_links (hash, user_id, expires_ms) VALUES ($1, $2, $3)") \
    X(LINK_TAKE, "bi", "DELETE FROM signin_links WHERE hash = $1 AND expires_ms > $2 RETURNING user_id") \
    X(LINKS_SWEEP, "i", "DELETE FROM signin_links WHERE expires_ms <= $1") \
    X(SESSION_ADD, "biii", "INSERT INTO sessions (hash, user_id, seen_ms, expires_ms) VALUES ($1, $2, $3, $4)") \
    X(SESSION_GET, "bi", "SELECT s.id, s.user_id, s.seen_ms, coalesce(u.email, ''), coalesce(u.password_hash, ''), " \
                   "a.id, a.name, a.balance, a.held, a.created_ms FROM sessions s JOIN users u ON u.id = s.user_id " \
                   "JOIN accounts a ON a.id = u.account_id WHERE s.hash = $1 AND s.expires_ms > $2") \
    X(SESSION_TOUCH, "iii", "UPDATE sessions SET seen_ms = $2, expires_ms = $3 WHERE id = $1") \
    X(SESSION_DROP, "i", "DELETE FROM sessions WHERE id = $1") \
    X(SESSIONS_DROP, "ii", "DELETE FROM sessions WHERE user_id = $1 AND id <> $2") \
    X(SESSIONS_SWEEP, "i", "DELETE FROM sessions WHERE expires_ms <= $1") \
    \
    X(KEY_END, "itii", "UPDATE api_keys SET revoked_ms = least(coalesce(revoked_ms, $4), $4) WHERE id = $1 " \
                       "AND account_id = $2 AND (revoked_ms IS NULL OR revoked_ms > $3) RETURNING name") \
    \
    X(USAGE_LIST, "ti", "SELECT day, bucket, requests, credits, errors FROM usage WHERE account_id = $1 AND day >= $2 " \
                        "ORDER BY day, bucket") \
    X(JOBS_RECENT, "ti", "(SELECT id, state, created_ms, finished_ms, latency_ms, credits, NULL, error_code, error_param, " \
                   "error_message FROM jobs WHERE account_id = $1 ORDER BY id DESC LIMIT $2) UNION ALL " \
                   "(SELECT id, state, created_ms, 0, 0, 0, NULL, NULL, NULL, NULL FROM open_jobs WHERE account_id = $1 " \
                   "AND state = 0 ORDER BY id DESC LIMIT $2) UNION ALL " \
                   "(SELECT id, state, created_ms, 0, 0, 0, NULL, NULL, NULL, NULL FROM open_jobs WHERE account_id = $1 " \
                   "AND state = 1 ORDER BY id DESC LIMIT $2) ORDER BY id DESC LIMIT $2") \
    X(LEDGER_LIST, "ti", "SELECT l.id, l.created_ms, l.amount, a.balance, l.kind, coalesce(l.note, 'job ' || l.job_id), " \
                   "i.url FROM ledger l JOIN accounts a ON a.id = l.account_id " \
                   "LEFT JOIN purchases p ON p.ledger_id = l.id LEFT JOIN invoices i ON i.id = p.invoice_id " \
                   "WHERE l.account_id = $1 ORDER BY l.id DESC LIMIT $2") \
    \
    X(PURCHASE_ADD, "tttti", "INSERT INTO purchases (session_id, account_id, payment_intent, invoice_id, credits) " \
                    "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (session_id) DO NOTHING") \
    X(PURCHASE_LEDGER, "ti", "UPDATE purchases SET ledger_id = $2 WHERE session_id = $1") \
    /* One payment's purchase and refunds wait for each other, on whichever node they are told. */ \
    X(PAYMENT_LOCK, "t", "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))") \
    X(REFUND_NOTE, "tii", "INSERT INTO refunds AS r (payment_intent, amount, refunded) VALUES ($1, $2, $3) " \
                   "ON CONFLICT (payment_intent) DO UPDATE SET refunded = greatest(r.refunded, excluded.refunded)") \
    X(REFUND_DUE, "t", "SELECT p.account_id, p.credits * least(r.refunded, r.amount) / r.amount - p.credits_refunded, " \
                  "a.balance - a.held FROM refunds r JOIN purchases p ON p.payment_intent = r.payment_intent " \
                  "JOIN accounts a ON a.id = p.account_id WHERE r.payment_intent = $1 FOR NO KEY UPDATE OF a") \
    X(REFUND_DONE, "ti", "UPDATE purchases SET credits_refunded = credits_refunded + $2 WHERE payment_intent = $1") \
    X(INVOICE_ADD, "tt", "INSERT INTO invoices (id, url) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET url = excluded.url") \
    \
    X(ENDPOINT_ADD, "ttbii", "INSERT INTO endpoints (account_id, url, secret, created_ms) SELECT $1, $2, $3, $5 " \
                    "WHERE (SELECT count(*) FROM endpoints WHERE account_id = $1) < $4 RETURNING id") \
    X(ENDPOINT_DROP, "it", "DELETE FROM endpoints WHERE id = $1 AND account_id = $2") \
    X(ENDPOINT_DELIVERIES_DROP, "i", "DELETE FROM deliveries WHERE endpoint_id = $1") \
    X(ENDPOINT_GET, "it", "SELECT 1 FROM endpoints WHERE id = $1 AND account_id = $2") \
    X(ENDPOINT_LIST, "t", "SELECT id, created_ms, coalesce(disabled_ms, 0), url FROM endpoints WHERE account_id = $1 " \
                          "ORDER BY id") \
    X(ENDPOINT_DISABLE, "ii", "UPDATE endpoints SET disabled_ms = $2 " \
                              "WHERE id = (SELECT endpoint_id FROM deliveries WHERE id = $1)") \
    X(ACCOUNT_LOCK, "t", "SELECT 1 FROM accounts WHERE id = $1 FOR NO KEY UPDATE") \
    X(DELIVERY_TEST, "titi", "INSERT INTO deliveries (msg_id, account_id, endpoint_id, event, created_ms, next_ms) " \
                     "SELECT $1, account_id, id, 'test', $4, $4 FROM endpoints WHERE id = $2 AND account_id = $3 RETURNING id") \
    X(DELIVERY_RESULT, "iiii", "UPDATE deliveries SET state = $2, response_status = nullif($3, 0), next_ms = $4, " \
                       "attempts = attempts + 1 WHERE id = $1 AND state = 0") \
    X(DELIVERIES_SWEEP, "i", "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE created_ms < $1 " \
                        "AND state <> 0 ORDER BY created_ms LIMIT 100 FOR UPDATE SKIP LOCKED)") \
    X(DELIVERY_LIST, "ii", "SELECT id, created_ms, coalesce(next_ms, 0), event, attempts, coalesce(response_status, 0), " \
                     "state FROM deliveries WHERE endpoint_id = $1 ORDER BY id DESC LIMIT $2") \
    X(SENDER_LOCK, "", "SELECT CASE WHEN pg_try_advisory_lock(hashtextextended(current_schema() || ' refractr webhooks', 0)) " \
                       "THEN 1 ELSE 0 END") \
    X(DELIVERY_DUE, "iii", "SELECT d.id, d.created_ms, d.next_ms, d.event, d.attempts, coalesce(d.response_status, 0), " \
                    "d.state, d.account_id, d.msg_id, coalesce(e.url, d.url), coalesce(e.secret, k.hash), " \
                    "coalesce(d.job_id, ''), d.job_state, d.latency_ms, d.credits, d.result, d.error_code, d.error_param, " \
                    "d.error_message FROM " \
                    "(SELECT *, row_number() OVER (PARTITION BY account_id ORDER BY next_ms) AS turn FROM deliveries " \
                    "WHERE state = 0 AND next_ms <= $1) d LEFT JOIN endpoints e ON e.id = d.endpoint_id " \
                    "LEFT JOIN api_keys k ON k.id = d.key_id WHERE d.turn <= $2 ORDER BY d.next_ms LIMIT $3")
/* clang-format on */

#endif
