/* sqlite_sql_web.h - statements of the web side (store_web.h), part of SQL_TABLE. X(name, sql). */
#ifndef REFRACTR_STORE_SQLITE_SQL_WEB_H
#define REFRACTR_STORE_SQLITE_SQL_WEB_H

/* clang-format off */
#define SQL_TABLE_WEB(X) \
    X(USER_ADD, "INSERT INTO users (account_id, email, password_hash, created_ms) VALUES (?, ?, ?, ?) " \
                "ON CONFLICT (email) DO NOTHING") \
    X(USER_OF_ACCOUNT, "SELECT id FROM users WHERE account_id = ?") \
    X(USER_BY_EMAIL, "SELECT id, coalesce(password_hash, '') FROM users WHERE email = ?") \
    X(USER_EMAIL_TAKEN, "SELECT 1 FROM users WHERE email = ? AND id <> ?") \
    X(USER_PASSWORD, "UPDATE users SET password_hash = ?2, email = coalesce(email, ?3) WHERE id = ?1") \
    X(LINK_ADD, "INSERT INTO signin_links (hash, user_id, expires_ms) VALUES (?, ?, ?)") \
    X(LINK_TAKE, "DELETE FROM signin_links WHERE hash = ? AND expires_ms > ? RETURNING user_id") \
    X(LINKS_SWEEP, "DELETE FROM signin_links WHERE expires_ms <= ?") \
    X(SESSION_ADD, "INSERT INTO sessions (hash, user_id, seen_ms, expires_ms) VALUES (?, ?, ?, ?)") \
    X(SESSION_GET, "SELECT s.id, s.user_id, s.seen_ms, coalesce(u.email, ''), coalesce(u.password_hash, ''), " \
                   "a.id, a.name, a.balance, a.held, a.created_ms FROM sessions s JOIN users u ON u.id = s.user_id " \
                   "JOIN accounts a ON a.id = u.account_id WHERE s.hash = ? AND s.expires_ms > ?") \
    X(SESSION_TOUCH, "UPDATE sessions SET seen_ms = ?2, expires_ms = ?3 WHERE id = ?1") \
    X(SESSION_DROP, "DELETE FROM sessions WHERE id = ?") \
    X(SESSIONS_DROP, "DELETE FROM sessions WHERE user_id = ? AND id <> ?") \
    X(SESSIONS_SWEEP, "DELETE FROM sessions WHERE expires_ms <= ?") \
    \
    X(KEY_END, "UPDATE api_keys SET revoked_ms = min(coalesce(revoked_ms, ?4), ?4) WHERE id = ?1 AND account_id = ?2 " \
               "AND (revoked_ms IS NULL OR revoked_ms > ?3) RETURNING name") \
    \
    X(USAGE_ADD, "INSERT INTO usage (account_id, day, bucket, requests, credits, errors) VALUES (?, ?, ?, 1, ?, ?) " \
                 "ON CONFLICT DO UPDATE SET requests = requests + 1, credits = credits + excluded.credits, " \
                 "errors = errors + excluded.errors") \
    X(USAGE_LIST, "SELECT day, bucket, requests, credits, errors FROM usage WHERE account_id = ? AND day >= ? " \
                  "ORDER BY day, bucket") \
    X(JOBS_RECENT, "SELECT id, state, created_ms, finished_ms, latency_ms, credits, NULL, error_code, error_param, " \
                   "error_message FROM jobs WHERE account_id = ? ORDER BY seq DESC LIMIT ?") \
    X(LEDGER_LIST, "SELECT l.id, l.created_ms, l.amount, a.balance, l.kind, coalesce(l.note, 'job ' || l.job_id), i.url " \
                   "FROM ledger l JOIN accounts a ON a.id = l.account_id " \
                   "LEFT JOIN purchases p ON p.ledger_id = l.id LEFT JOIN invoices i ON i.id = p.invoice_id " \
                   "WHERE l.account_id = ? ORDER BY l.id DESC LIMIT ?") \
    \
    X(PURCHASE_ADD, "INSERT INTO purchases (session_id, account_id, payment_intent, invoice_id, credits) " \
                    "VALUES (?, ?, ?, ?, ?) ON CONFLICT (session_id) DO NOTHING") \
    X(PURCHASE_LEDGER, "UPDATE purchases SET ledger_id = last_insert_rowid() WHERE session_id = ?") \
    X(REFUND_NOTE, "INSERT INTO refunds (payment_intent, amount, refunded) VALUES (?, ?, ?) " \
                   "ON CONFLICT (payment_intent) DO UPDATE SET refunded = max(refunded, excluded.refunded)") \
    X(REFUND_DUE, "SELECT p.account_id, p.credits * min(r.refunded, r.amount) / r.amount - p.credits_refunded, " \
                  "a.balance - a.held FROM refunds r JOIN purchases p ON p.payment_intent = r.payment_intent " \
                  "JOIN accounts a ON a.id = p.account_id WHERE r.payment_intent = ?") \
    X(REFUND_DONE, "UPDATE purchases SET credits_refunded = credits_refunded + ?2 WHERE payment_intent = ?1") \
    X(INVOICE_ADD, "INSERT INTO invoices (id, url) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET url = excluded.url") \
    \
    X(ENDPOINT_ADD, "INSERT INTO endpoints (account_id, url, secret, created_ms) SELECT ?1, ?2, ?3, ?5 " \
                    "WHERE (SELECT count(*) FROM endpoints WHERE account_id = ?1) < ?4") \
    X(ENDPOINT_DROP, "DELETE FROM endpoints WHERE id = ? AND account_id = ?") \
    X(ENDPOINT_DELIVERIES_DROP, "DELETE FROM deliveries WHERE endpoint_id = ?") \
    X(ENDPOINT_GET, "SELECT 1 FROM endpoints WHERE id = ? AND account_id = ?") \
    X(ENDPOINT_LIST, "SELECT id, created_ms, coalesce(disabled_ms, 0), url FROM endpoints WHERE account_id = ? ORDER BY id") \
    X(ENDPOINT_DISABLE, "UPDATE endpoints SET disabled_ms = ?2 WHERE id = (SELECT endpoint_id FROM deliveries WHERE id = ?1)") \
    X(DELIVERY_TEST, "INSERT INTO deliveries (msg_id, account_id, endpoint_id, event, created_ms, next_ms) " \
                     "SELECT ?1, account_id, id, 'test', ?4, ?4 FROM endpoints WHERE id = ?2 AND account_id = ?3") \
    X(DELIVERY_FOR_ENDPOINTS, "INSERT INTO deliveries (msg_id, account_id, endpoint_id, event, created_ms, next_ms, job_id, " \
                     "job_state, latency_ms, credits, result, error_code, error_param, error_message) " \
                     "SELECT lower(hex(randomblob(16))), e.account_id, e.id, iif(j.state = 2, 'job.succeeded', 'job.failed'), " \
                     "j.finished_ms, j.finished_ms, j.id, j.state, j.latency_ms, j.credits, j.result, j.error_code, " \
                     "j.error_param, j.error_message FROM endpoints e JOIN jobs j ON j.seq = ?1 " \
                     "WHERE e.account_id = ?2 AND e.disabled_ms IS NULL") \
    X(DELIVERY_FOR_URL, "INSERT INTO deliveries (msg_id, account_id, key_id, url, event, created_ms, next_ms, job_id, " \
                     "job_state, latency_ms, credits, result, error_code, error_param, error_message) " \
                     "SELECT lower(hex(randomblob(16))), j.account_id, j.webhook_key, j.webhook_url, " \
                     "iif(j.state = 2, 'job.succeeded', 'job.failed'), " \
                     "j.finished_ms, j.finished_ms, j.id, j.state, j.latency_ms, j.credits, j.result, j.error_code, " \
                     "j.error_param, j.error_message FROM jobs j WHERE j.seq = ?1 AND j.webhook_url IS NOT NULL") \
    X(DELIVERY_RESULT, "UPDATE deliveries SET state = ?2, response_status = nullif(?3, 0), next_ms = ?4, " \
                       "attempts = attempts + 1 WHERE id = ?1 AND state = 0") \
    X(DELIVERIES_SWEEP, "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE created_ms < ? " \
                        "AND state <> 0 ORDER BY created_ms LIMIT 100)") \
    X(DELIVERY_LIST, "SELECT id, created_ms, coalesce(next_ms, 0), event, attempts, coalesce(response_status, 0), state " \
                     "FROM deliveries WHERE endpoint_id = ? ORDER BY id DESC LIMIT ?") \
    X(DELIVERY_DUE, "SELECT d.id, d.created_ms, d.next_ms, d.event, d.attempts, coalesce(d.response_status, 0), d.state, " \
                    "d.account_id, d.msg_id, coalesce(e.url, d.url), coalesce(e.secret, k.hash), coalesce(d.job_id, ''), " \
                    "d.job_state, d.latency_ms, d.credits, d.result, d.error_code, d.error_param, d.error_message FROM " \
                    "(SELECT *, row_number() OVER (PARTITION BY account_id ORDER BY next_ms) AS turn FROM deliveries " \
                    "WHERE state = 0 AND next_ms <= ?1) d LEFT JOIN endpoints e ON e.id = d.endpoint_id " \
                    "LEFT JOIN api_keys k ON k.id = d.key_id WHERE d.turn <= ?2 ORDER BY d.next_ms LIMIT ?3")
/* clang-format on */

/* Step 2 of the schema. */
#define SCHEMA_WEB \
    "CREATE TABLE users (" \
    "  id INTEGER PRIMARY KEY AUTOINCREMENT, account_id TEXT NOT NULL UNIQUE REFERENCES accounts (id)," \
    "  email TEXT UNIQUE, password_hash TEXT, created_ms INTEGER NOT NULL" \
    ") STRICT;" \
    "CREATE TABLE signin_links (" \
    "  hash BLOB PRIMARY KEY NOT NULL, user_id INTEGER NOT NULL REFERENCES users (id), expires_ms INTEGER NOT NULL" \
    ") STRICT, WITHOUT ROWID;" \
    "CREATE TABLE sessions (" \
    "  id INTEGER PRIMARY KEY AUTOINCREMENT, hash BLOB NOT NULL UNIQUE, user_id INTEGER NOT NULL REFERENCES users (id)," \
    "  seen_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL" \
    ") STRICT;" \
    "CREATE INDEX sessions_user ON sessions (user_id);" \
    "CREATE TABLE usage (" \
    "  account_id TEXT NOT NULL REFERENCES accounts (id), day INTEGER NOT NULL, bucket INTEGER NOT NULL," \
    "  requests INTEGER NOT NULL, credits INTEGER NOT NULL, errors INTEGER NOT NULL," \
    "  PRIMARY KEY (account_id, day, bucket)" \
    ") STRICT, WITHOUT ROWID;" \
    "CREATE INDEX ledger_account ON ledger (account_id);" \
    "CREATE INDEX jobs_account ON jobs (account_id);" \
    "CREATE TABLE purchases (" \
    "  session_id TEXT PRIMARY KEY NOT NULL, account_id TEXT NOT NULL REFERENCES accounts (id)," \
    "  payment_intent TEXT, invoice_id TEXT, credits INTEGER NOT NULL CHECK (credits > 0)," \
    "  credits_refunded INTEGER NOT NULL DEFAULT 0, ledger_id INTEGER REFERENCES ledger (id)" \
    ") STRICT, WITHOUT ROWID;" \
    "CREATE INDEX purchases_payment ON purchases (payment_intent);" \
    "CREATE INDEX purchases_ledger ON purchases (ledger_id);" \
    "CREATE TABLE refunds (" \
    "  payment_intent TEXT PRIMARY KEY NOT NULL, amount INTEGER NOT NULL CHECK (amount > 0), refunded INTEGER NOT NULL" \
    ") STRICT, WITHOUT ROWID;" \
    "CREATE TABLE invoices (id TEXT PRIMARY KEY NOT NULL, url TEXT NOT NULL) STRICT, WITHOUT ROWID;" \
    "CREATE TABLE endpoints (" \
    "  id INTEGER PRIMARY KEY AUTOINCREMENT, account_id TEXT NOT NULL REFERENCES accounts (id), url TEXT NOT NULL," \
    "  secret BLOB NOT NULL CHECK (length(secret) = 32), created_ms INTEGER NOT NULL, disabled_ms INTEGER" \
    ") STRICT;" \
    "CREATE INDEX endpoints_account ON endpoints (account_id);" \
    "ALTER TABLE jobs ADD COLUMN webhook_url TEXT;" \
    "ALTER TABLE jobs ADD COLUMN webhook_key INTEGER;" \
    "CREATE TABLE deliveries (" \
    "  id INTEGER PRIMARY KEY AUTOINCREMENT, msg_id TEXT NOT NULL, account_id TEXT NOT NULL, endpoint_id INTEGER," \
    "  key_id INTEGER, url TEXT, event TEXT NOT NULL, created_ms INTEGER NOT NULL, next_ms INTEGER," \
    "  state INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0, response_status INTEGER," \
    "  job_id TEXT, job_state INTEGER, latency_ms INTEGER, credits INTEGER, result TEXT," \
    "  error_code TEXT, error_param TEXT, error_message TEXT" \
    ") STRICT;" \
    "CREATE INDEX deliveries_due ON deliveries (next_ms) WHERE state = 0;" \
    "CREATE INDEX deliveries_endpoint ON deliveries (endpoint_id);" \
    "CREATE INDEX deliveries_created ON deliveries (created_ms) WHERE state <> 0;"

#endif
