/* sqlite.c - opening, schema, transactions and connections of the SQLite backend.
 *
 * One connection writes and checkpoints, ever: SQLite 3.7.0 to 3.51.2 can corrupt a write-ahead log when two connections
 * write or checkpoint at the same instant. In one process that is the writer thread. A command (`refractr credits grant`)
 * beside a running service is a second process, so whoever writes or checkpoints holds an flock on a file of its own for
 * just that long, and a command never checkpoints at all. Readers are read-only and do neither.
 *
 * With durability `normal` a commit does not wait for the disk. A thread of its own syncs the log fifty times a second, so
 * a power loss undoes a tenth of a second at most even where a sync takes 40 ms, and a checkpoint, which must sync the log
 * first, finds little to do: without it, 256 MiB of log held the writer up for 600 ms. Often is better: at 1,000 jobs a
 * second, 50 MB of log, one answer in a hundred took 1.0 to 1.9 ms with ten syncs a second, 0.8 ms with 25 to 200.
 * A checkpoint itself takes two syncs, and a larger log no more of them: so it comes late, and after the answers.
 *
 * Pages have 2 KiB: a job changes fourteen of them a little each, and the log keeps every one of them whole. With SQLite's
 * usual 4 KiB the log was twice as long for the same jobs. A database made with 4 KiB pages keeps them.
 *
 *     DIR/refractr.db          the database (with -wal and -shm while open)
 *     DIR/refractr.write       flock: writes or checkpoints now
 *     DIR/refractr.service     flock: the service of this folder lives                                               */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/sqlite_internal.h"

enum {
    BUSY_TIMEOUT_MS = 5000,
    CHECKPOINT_IDLE_PAGES = 100,     /* copied back to the database when nothing was written for a second */
    CHECKPOINT_FORCED_PAGES = 64000, /* 128 MiB of log: copied back whoever waits */
    SYNC_EVERY_MS = 20,
    DIR_BYTES_MAX = 3800
};

/* ---- schema ------------------------------------------------------------------------------------------------------- */

/* Step i takes a database of user_version i to i + 1. Steps are never edited once released; add another. */
static const char *const schema_steps[] = {
    /* 1: accounts, their ledger and keys; jobs. A row of `documents` lives exactly as long as its job is unfinished. */
    "CREATE TABLE accounts ("
    "  id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, created_ms INTEGER NOT NULL,"
    "  balance INTEGER NOT NULL, held INTEGER NOT NULL CHECK (held >= 0), CHECK (balance - held >= 0)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE ledger ("
    "  id INTEGER PRIMARY KEY, account_id TEXT NOT NULL REFERENCES accounts (id),"
    "  amount INTEGER NOT NULL CHECK (amount <> 0),"
    "  kind TEXT NOT NULL CHECK (kind IN ('grant', 'usage', 'purchase', 'refund')),"
    "  job_id TEXT UNIQUE CHECK ((job_id IS NOT NULL) = (kind = 'usage')),"
    "  note TEXT, created_ms INTEGER NOT NULL"
    ") STRICT;"
    "CREATE TRIGGER ledger_no_update BEFORE UPDATE ON ledger BEGIN"
    "  SELECT raise(ABORT, 'the ledger is append-only'); END;"
    "CREATE TRIGGER ledger_no_delete BEFORE DELETE ON ledger BEGIN"
    "  SELECT raise(ABORT, 'the ledger is append-only'); END;"
    "CREATE TABLE api_keys ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT, account_id TEXT NOT NULL REFERENCES accounts (id),"
    "  hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32), prefix TEXT NOT NULL, name TEXT NOT NULL,"
    "  created_ms INTEGER NOT NULL, last_used_ms INTEGER, revoked_ms INTEGER"
    ") STRICT;"
    "CREATE TABLE jobs ("
    "  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, account_id TEXT NOT NULL REFERENCES accounts (id),"
    "  state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 3), attempt INTEGER NOT NULL, details INTEGER NOT NULL,"
    "  created_ms INTEGER NOT NULL, finished_ms INTEGER, latency_ms INTEGER, credits INTEGER NOT NULL DEFAULT 0,"
    "  result TEXT, error_code TEXT, error_param TEXT, error_message TEXT, idempotency_key TEXT, body_hash BLOB,"
    "  CHECK ((finished_ms IS NOT NULL) = (state >= 2))"
    ") STRICT;"
    "CREATE UNIQUE INDEX jobs_idempotency ON jobs (account_id, idempotency_key) WHERE idempotency_key IS NOT NULL;"
    "CREATE INDEX jobs_created ON jobs (created_ms);"
    "CREATE TABLE documents ("
    "  job INTEGER PRIMARY KEY REFERENCES jobs (seq), template TEXT NOT NULL, text BLOB NOT NULL"
    ") STRICT;",
    /* 2: people, sessions, usage per day, purchases, webhooks. */
    SCHEMA_WEB,
};

enum { SCHEMA_VERSION = sizeof schema_steps / sizeof schema_steps[0] };

static const char *const statement_sql[SQL_COUNT] = {
#define X(name, sql) [SQL_##name] = sql,
    SQL_TABLE(X)
#undef X
};

/* ---- statements --------------------------------------------------------------------------------------------------- */

bool sql_fail(struct connection *c, struct error *e)
{
    error_set(e, ERR_STORE_UNAVAILABLE, "", "the store does not answer (%s); try again", sqlite3_errmsg(c->db));
    e->retry_after_s = 1;
    return false;
}

static bool bind_one(sqlite3_stmt *s, int at, char type, va_list *args)
{
    if (type == 'i') return sqlite3_bind_int64(s, at, va_arg(*args, int64_t)) == SQLITE_OK;
    const char *bytes = va_arg(*args, const char *);
    if (type == 't') return sqlite3_bind_text(s, at, bytes, -1, SQLITE_STATIC) == SQLITE_OK;
    int count = va_arg(*args, int);
    return sqlite3_bind_blob(s, at, bytes, count, SQLITE_STATIC) == SQLITE_OK;
}

sqlite3_stmt *sql_bind(struct connection *c, enum statement which, struct error *e, const char *types, ...)
{
    sqlite3_stmt **s = &c->statements[which];
    if (!*s && sqlite3_prepare_v3(c->db, statement_sql[which], -1, SQLITE_PREPARE_PERSISTENT, s, NULL) != SQLITE_OK) {
        return sql_fail(c, e), NULL;
    }
    va_list args;
    va_start(args, types);
    bool ok = true;
    for (int i = 0; ok && types[i]; i++) ok = bind_one(*s, i + 1, types[i], &args);
    va_end(args);
    if (ok) return *s;
    sql_fail(c, e);
    sql_end(*s);
    return NULL;
}

/* A text may need memory to be handed out. Without it sqlite3_column_text would say NULL, as for a column that is NULL. */
static bool texts_are_there(sqlite3_stmt *s)
{
    for (int i = sqlite3_data_count(s); i-- > 0;)
        if (sqlite3_column_type(s, i) == SQLITE_TEXT && !sqlite3_column_text(s, i)) return false;
    return true;
}

int sql_step(struct connection *c, sqlite3_stmt *s, struct error *e)
{
    int rc = sqlite3_step(s);
    if (rc == SQLITE_DONE || (rc == SQLITE_ROW && texts_are_there(s))) return rc;
    sql_fail(c, e);
    return SQLITE_ERROR;
}

void sql_end(sqlite3_stmt *s)
{
    sqlite3_reset(s); /* repeats the error sql_step has told already */
    sqlite3_clear_bindings(s);
}

bool sql_run(struct connection *c, sqlite3_stmt *s, int *changes, struct error *e)
{
    if (!s) return false;
    int rc = sql_step(c, s, e);
    if (changes) *changes = sqlite3_changes(c->db);
    sql_end(s);
    return rc != SQLITE_ERROR;
}

void sql_copy_text(sqlite3_stmt *s, int column, char *out, size_t size)
{
    const char *text = (const char *)sqlite3_column_text(s, column);
    snprintf(out, size, "%s", text ? text : "");
}

static bool run_plain(struct connection *c, enum statement which, struct error *e)
{
    return sql_run(c, sql_bind(c, which, e, ""), NULL, e);
}

/* ---- batches ------------------------------------------------------------------------------------------------------ */

static void write_lock(struct backend *b)
{
    while (flock(b->write_lock, LOCK_EX) < 0 && errno == EINTR) continue;
}

static void write_unlock(struct backend *b) { flock(b->write_lock, LOCK_UN); }

/* A transaction is left open where undoing it failed too: it is tried again, or nobody could write any more. */
static bool close_left_open(struct backend *b, struct error *e)
{
    return sqlite3_get_autocommit(b->writer.db) || run_plain(&b->writer, SQL_ROLLBACK, e);
}

static bool begin(struct backend *b, struct error *e) { return close_left_open(b, e) && run_plain(&b->writer, SQL_BEGIN, e); }

static void roll_back(struct backend *b)
{
    struct error e;
    if (!close_left_open(b, &e)) log_error(NULL, "store: rollback failed", LOG_STR("error", e.message));
}

/* Runs one write in the open transaction. `undo`: it failed and had changed something. False: SQLite gave the transaction up
 * by itself (disk full, ...), nothing more may run in it. */
static bool run_write(struct backend *b, struct store_write *w, bool *undo, struct error *e)
{
    sqlite3 *db = b->writer.db;
    int before = sqlite3_total_changes(db);
    w->ok = sqlite_run(b, w, &w->error);
    *undo = !w->ok && sqlite3_total_changes(db) != before;
    if (!sqlite3_get_autocommit(db)) return true;
    return error_set(e, ERR_STORE_UNAVAILABLE, "", "the store undid this batch of writes; try again");
}

/* Runs the writes from `first` to before `end` as one transaction. `undone`: one of them failed and had changed something, so
 * nothing was committed. False: nothing was committed, for a reason that none of them is to blame for. */
static bool transaction(struct backend *b, struct store_write *first, const struct store_write *end, bool *undone, struct error *e)
{
    *undone = false;
    bool ok = begin(b, e);
    for (struct store_write *w = first; ok && !*undone && w != end; w = w->next) ok = run_write(b, w, undone, e);
    ok = ok && (*undone || run_plain(&b->writer, SQL_COMMIT, e));
    if (!ok || *undone) roll_back(b);
    if (!ok) e->retry_after_s = 1;
    return ok;
}

static void run_alone(struct backend *b, struct store_write *w)
{
    bool undone;
    struct error e = {.code = ERR_NONE};
    w->error = e;
    if (transaction(b, w, w->next, &undone, &e)) return;
    w->ok = false;
    w->error = e;
}

/* A batch has no savepoints: they would copy every page a write changes, a tenth of the writer's time. A write that fails has
 * as a rule changed nothing, refused by what it read; else the whole batch is undone and its writes run one by one. */
static bool batch_all(struct backend *b, struct store_write **batch, struct error *e)
{
    bool undone;
    if (!close_left_open(b, e)) return false; /* before the lock: who has it may be waiting for that transaction's end */
    write_lock(b);
    bool ok = transaction(b, *batch, NULL, &undone, e);
    if (ok && undone && (*batch)->next)
        for (struct store_write *w = *batch; w; w = w->next) run_alone(b, w);
    write_unlock(b);
    return ok;
}

static void checkpoint(struct backend *b)
{
    int in_log = 0, copied = 0;
    if (sqlite3_wal_checkpoint_v2(b->writer.db, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_log, &copied) != SQLITE_OK) {
        log_warn(NULL, "store: checkpoint failed", LOG_STR("error", sqlite3_errmsg(b->writer.db)));
    }
    b->wal_pages = 0; /* what readers kept from being copied is told again by the next commit */
}

static bool keep_house(struct backend *b, bool thorough)
{
    struct error ignored;
    int most = thorough ? CHECKPOINT_IDLE_PAGES : CHECKPOINT_FORCED_PAGES;
    if (!close_left_open(b, &ignored)) return false;
    if (!b->service || b->wal_pages < most) return true;
    write_lock(b);
    checkpoint(b);
    write_unlock(b);
    return true;
}

static int note_wal_pages(void *arg, sqlite3 *db, const char *name, int pages)
{
    (void)db, (void)name;
    struct backend *b = arg;
    b->wal_pages = pages;
    atomic_store(&b->unsynced, true);
    return SQLITE_OK;
}

/* ---- the log's syncer, for durability `normal` ---------------------------------------------------------------------- */

static void *syncer_main(void *arg)
{
    struct backend *b = arg;
    pthread_setname_np(pthread_self(), "log syncer");
    pthread_mutex_lock(&b->lock);
    while (!b->closing) {
        (void)cond_wait_until(&b->syncer_wake, &b->lock, clock_monotonic_ns() + SYNC_EVERY_MS * NS_PER_MS);
        pthread_mutex_unlock(&b->lock);
        if (atomic_exchange(&b->unsynced, false) && fdatasync(b->log_file) < 0) {
            atomic_store(&b->unsynced, true);
            log_error(NULL, "store: the log was not synced", LOG_STR("error", strerror(errno)));
        }
        pthread_mutex_lock(&b->lock);
    }
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

static bool syncer_start(struct backend *b, struct error *e)
{
    char path[sizeof b->path + 8];
    snprintf(path, sizeof path, "%s-wal", b->path);
    b->log_file = open(path, O_RDONLY | O_CLOEXEC); /* SQLite keeps no locks on the log: closing this drops none */
    if (b->log_file < 0 || pthread_create(&b->syncer, NULL, syncer_main, b) != 0) {
        return error_set(e, ERR_STORE_UNAVAILABLE, "", "cannot watch over %s: %s", path, strerror(errno));
    }
    return b->syncing = true;
}

static void syncer_stop(struct backend *b)
{
    if (b->syncing) {
        pthread_mutex_lock(&b->lock);
        b->closing = true;
        pthread_cond_signal(&b->syncer_wake);
        pthread_mutex_unlock(&b->lock);
        pthread_join(b->syncer, NULL);
    }
    if (b->log_file >= 0) close(b->log_file);
}

/* ---- connections -------------------------------------------------------------------------------------------------- */

static bool exec(struct connection *c, const char *sql, struct error *e)
{
    return sqlite3_exec(c->db, sql, NULL, NULL, NULL) == SQLITE_OK || sql_fail(c, e);
}

void connection_close(struct connection *c)
{
    for (int i = 0; i < SQL_COUNT; i++) sqlite3_finalize(c->statements[i]);
    sqlite3_close(c->db);
    *c = (struct connection){0};
}

bool connection_open(struct connection *c, const char *path, int flags, struct error *e)
{
    int rc = sqlite3_open_v2(path, &c->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc != SQLITE_OK) {
        error_set(e, ERR_STORE_UNAVAILABLE, "", "cannot open %s: %s", path,
                  c->db ? sqlite3_errmsg(c->db) : sqlite3_errstr(rc));
        connection_close(c);
        return false;
    }
    sqlite3_busy_timeout(c->db, BUSY_TIMEOUT_MS);
    return true;
}

struct connection *reader_take(struct backend *b, struct error *e)
{
    pthread_mutex_lock(&b->lock);
    while (!b->idle_readers) pthread_cond_wait(&b->returned, &b->lock);
    struct connection *c = b->idle_readers;
    b->idle_readers = c->next;
    pthread_mutex_unlock(&b->lock);
    if (c->db || connection_open(c, b->path, SQLITE_OPEN_READONLY, e)) return c;
    reader_return(b, c);
    return NULL;
}

void reader_return(struct backend *b, struct connection *c)
{
    pthread_mutex_lock(&b->lock);
    c->next = b->idle_readers;
    b->idle_readers = c;
    pthread_cond_signal(&b->returned);
    pthread_mutex_unlock(&b->lock);
}

/* ---- opening ------------------------------------------------------------------------------------------------------ */

static int user_version(struct connection *c, struct error *e)
{
    sqlite3_stmt *s;
    if (sqlite3_prepare_v2(c->db, "PRAGMA user_version", -1, &s, NULL) != SQLITE_OK) return sql_fail(c, e), -1;
    int version = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int(s, 0) : -1;
    if (version < 0) sql_fail(c, e);
    sqlite3_finalize(s);
    return version;
}

bool sqlite_schema_known(struct connection *c, const char *path, struct error *e)
{
    int version = user_version(c, e);
    if (version < 0) return false;
    if (version >= 1 && version <= SCHEMA_VERSION) return true;
    return error_set(e, ERR_STORE_UNAVAILABLE, "", "%s has schema %d, this program knows 1 to %d", path, version,
                     SCHEMA_VERSION);
}

static bool migrate_step(struct connection *c, int version, struct error *e)
{
    char stamp[64];
    snprintf(stamp, sizeof stamp, "PRAGMA user_version = %d", version + 1);
    struct error ignored;
    if (exec(c, schema_steps[version], e) && exec(c, stamp, e) && exec(c, "COMMIT", e)) return true;
    exec(c, "ROLLBACK", &ignored);
    return false;
}

/* Forward only. Two processes may come here at once: the version is read again inside the write transaction. */
static bool migrate(struct connection *c, struct error *e)
{
    for (;;) {
        if (!exec(c, "BEGIN IMMEDIATE", e)) return false;
        int version = user_version(c, e);
        if (version == SCHEMA_VERSION || version < 0) return exec(c, "COMMIT", e) && version >= 0;
        if (version > SCHEMA_VERSION) {
            exec(c, "ROLLBACK", e);
            return error_set(e, ERR_STORE_UNAVAILABLE, "",
                             "the database has schema %d, this program knows up to %d; use the newer program", version,
                             SCHEMA_VERSION);
        }
        if (!migrate_step(c, version, e)) return false;
    }
}

static bool make_folders(const char *dir, struct error *e)
{
    char path[3900];
    snprintf(path, sizeof path, "%s", dir);
    for (char *p = path + 1; *p; p++) {
        if (*p != '/') continue;
        *p = '\0';
        if (mkdir(path, 0755) < 0 && errno != EEXIST && errno != EROFS && errno != EACCES) break;
        *p = '/';
    }
    if (mkdir(path, 0700) == 0 || errno == EEXIST) return true;
    return error_set(e, ERR_STORE_UNAVAILABLE, "", "cannot make the data folder %s: %s", dir, strerror(errno));
}

static int open_lock(const char *dir, const char *name, struct error *e)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) error_set(e, ERR_STORE_UNAVAILABLE, "", "cannot open %s: %s", path, strerror(errno));
    return fd;
}

static bool be_the_service(int *lock, const char *dir, struct error *e)
{
    *lock = open_lock(dir, "refractr.service", e);
    if (*lock < 0) return false;
    if (flock(*lock, LOCK_EX | LOCK_NB) == 0) return true;
    return error_set(e, ERR_STORE_UNAVAILABLE, "", "another refractr serves the data folder %s; stop it or use another "
                     "folder (--data)", dir);
}

bool folder_claim(struct folder *folder, const char *dir, struct error *e)
{
    *folder = (struct folder){.write_lock = -1, .service_lock = -1};
    if (strlen(dir) > DIR_BYTES_MAX) return error_set(e, ERR_STORE_UNAVAILABLE, "", "the data folder's path is too long");
    snprintf(folder->database, sizeof folder->database, "%s/refractr.db", dir);
    if (make_folders(dir, e) && (folder->write_lock = open_lock(dir, "refractr.write", e)) >= 0 &&
        be_the_service(&folder->service_lock, dir, e)) {
        while (flock(folder->write_lock, LOCK_EX) < 0 && errno == EINTR) continue;
        return true;
    }
    folder_let_go(folder);
    return false;
}

void folder_let_go(struct folder *folder)
{
    if (folder->write_lock >= 0) close(folder->write_lock);
    if (folder->service_lock >= 0) close(folder->service_lock);
}

static bool prepare_writer(struct backend *b, const struct store_options *options, struct error *e)
{
    struct connection *c = &b->writer;
    int flags = SQLITE_OPEN_READWRITE | (options->create ? SQLITE_OPEN_CREATE : 0);
    if (!connection_open(c, b->path, flags, e)) return false;
    chmod(b->path, 0600);
    const char *sync = options->durability == DURABILITY_FULL ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL";
    /* secure_delete: deleted document text is overwritten where that costs no further page. */
    if (!exec(c, "PRAGMA page_size = 2048; PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON;"
                 "PRAGMA wal_autocheckpoint = 0; PRAGMA secure_delete = FAST; PRAGMA cache_size = -16384;"
                 "PRAGMA journal_size_limit = 134217728;", e) ||
        !exec(c, sync, e)) {
        return false;
    }
    if (!options->service) sqlite3_db_config(c->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_wal_hook(c->db, note_wal_pages, b);
    return migrate(c, e);
}

static void backend_close(struct backend *b)
{
    syncer_stop(b);
    /* Readers first: the writer, closing last, brings the log back into the database. */
    for (int i = 0; i < READERS_MAX; i++) connection_close(&b->readers[i]);
    if (b->writer.db) {
        write_lock(b);
        connection_close(&b->writer);
        write_unlock(b);
    }
    if (b->write_lock >= 0) close(b->write_lock);
    if (b->service_lock >= 0) close(b->service_lock);
    pthread_cond_destroy(&b->syncer_wake);
    pthread_cond_destroy(&b->returned);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

static bool open_files(struct backend *b, const struct store_options *options, struct error *e)
{
    const char *dir = options->data_dir;
    if (strlen(dir) > DIR_BYTES_MAX) return error_set(e, ERR_STORE_UNAVAILABLE, "", "the data folder's path is too long");
    snprintf(b->path, sizeof b->path, "%s/refractr.db", dir);
    if (options->create && !make_folders(dir, e)) return false;
    if (!options->create && access(b->path, R_OK | W_OK) < 0) {
        return error_set(e, ERR_STORE_UNAVAILABLE, "", "no database at %s (%s); `refractr account create` or `refractr "
                         "serve` makes one, --data names its folder", b->path, strerror(errno));
    }
    if ((b->write_lock = open_lock(dir, "refractr.write", e)) < 0) return false;
    if (options->service && !be_the_service(&b->service_lock, dir, e)) return false;
    write_lock(b);
    bool ok = prepare_writer(b, options, e);
    write_unlock(b);
    return ok && (!options->service || options->durability == DURABILITY_FULL || syncer_start(b, e));
}

static struct backend *backend_open(const struct store_options *options, struct error *e)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* its count of bytes, which nobody reads, costs a lock per allocation */
    struct backend *b = calloc(1, sizeof *b);
    if (!b) return error_set(e, ERR_STORE_UNAVAILABLE, "", "out of memory"), NULL;
    b->service = options->service;
    b->write_lock = b->service_lock = b->log_file = -1;
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->returned, NULL);
    cond_init_monotonic(&b->syncer_wake);
    for (int i = 0; i < READERS_MAX; i++) reader_return(b, &b->readers[i]);
    if (open_files(b, options, e)) return b;
    backend_close(b);
    return NULL;
}

/* A folder without a database counts as version 0 and gets none here. */
static bool backend_migrate(const struct store_options *options, int *from, int *to, struct error *e)
{
    struct store_options beside = {.data_dir = options->data_dir, .durability = DURABILITY_FULL};
    struct connection c = {0};
    char path[4096];
    snprintf(path, sizeof path, "%.3800s/refractr.db", options->data_dir);
    *from = connection_open(&c, path, SQLITE_OPEN_READONLY, e) ? user_version(&c, e) : -1;
    connection_close(&c);
    if (*from < 0) return false;
    struct backend *b = backend_open(&beside, e);
    if (!b) return false;
    backend_close(b);
    *to = SCHEMA_VERSION;
    return true;
}

const struct backend_ops sqlite_backend = {
    .open = backend_open,
    .migrate = backend_migrate,
    .close = backend_close,
    .batch = batch_all,
    .keep_house = keep_house,
    .account_read = sqlite_account_read,
    .key_find = sqlite_key_find,
    .job_read = sqlite_job_read,
    .accounts = sqlite_accounts,
    .keys = sqlite_keys,
    .pending_jobs = sqlite_pending_jobs,
    .ping = sqlite_ping,
    .audit = sqlite_audit,
    .check = sqlite_check,
    .backup = sqlite_backup,
    .restore = sqlite_restore,
    .read = sqlite_read,
};
