/* sqlite_backup.c - a copy of the database that can be kept, made beside a running service, and the way back.
 *
 * A copy is made by VACUUM INTO over a read-only connection: one read transaction, so it is the database as it stood at one
 * commit, and the writing connection stays the only one that writes or checkpoints. (SQLite's online backup interface would
 * begin again at every commit of another process and not end under load.) The log cannot be emptied meanwhile and grows by
 * what is written. The copy is one file without a log; it is checked before it gets its name, and again before it is put
 * back. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/sqlite_internal.h"

enum { PATH_BYTES = 4096 };

/* Sound as SQLite sees it, of a schema this program knows, and its books balance? */
static bool check_copy(const char *path, struct error *e)
{
    struct connection c = {0};
    struct error why;
    if (!connection_open(&c, path, SQLITE_OPEN_READONLY, e)) return false;
    bool ok = sqlite_check_on(&c, &why) ||
              error_set(e, ERR_STORE_UNAVAILABLE, "", "%s is not a sound database: %s", path, why.message);
    ok = ok && sqlite_schema_known(&c, path, e) && sqlite_audit_on(&c, e);
    connection_close(&c);
    return ok;
}

/* The bytes of a file, or the name of a folder's file, reach the disk. */
static bool sync_path(const char *path, int flags, struct error *e)
{
    int fd = open(path, flags | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (!ok) error_set(e, ERR_STORE_UNAVAILABLE, "", "cannot sync %s: %s", path, strerror(errno));
    if (fd >= 0) close(fd);
    return ok;
}

static bool sync_folder_of(const char *path, struct error *e)
{
    char copy[PATH_BYTES];
    (void)snprintf(copy, sizeof copy, "%s", path);
    return sync_path(dirname(copy), O_RDONLY | O_DIRECTORY, e);
}

static bool vacuum_into(struct connection *from, const char *path, struct error *e)
{
    sqlite3_stmt *s = NULL;
    bool ok = sqlite3_prepare_v2(from->db, "VACUUM INTO ?", -1, &s, NULL) == SQLITE_OK &&
              sqlite3_bind_text(s, 1, path, -1, SQLITE_STATIC) == SQLITE_OK && sqlite3_step(s) == SQLITE_DONE;
    if (!ok) error_set(e, ERR_STORE_UNAVAILABLE, "", "cannot write %s: %s", path, sqlite3_errmsg(from->db));
    sqlite3_finalize(s);
    return ok;
}

/* Everything `from` holds, under a name that appears when the copy is whole, checked and on the disk. */
static bool copy_to(struct connection *from, const char *path, struct error *e)
{
    char part[PATH_BYTES + 8];
    if (strlen(path) >= PATH_BYTES)
        return error_set(e, ERR_INVALID_VALUE, "", "the file's path may have %d bytes at most", PATH_BYTES - 1);
    (void)snprintf(part, sizeof part, "%s.part", path);
    if (access(path, F_OK) == 0) return error_set(e, ERR_INVALID_VALUE, "", "%s is there already; it is not replaced", path);
    (void)unlink(part); /* of a copy that was broken off */
    int fd = open(part, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600); /* it holds documents and hashes of keys */
    if (fd < 0) return error_set(e, ERR_STORE_UNAVAILABLE, "", "cannot make %s: %s", part, strerror(errno));
    close(fd);
    bool ok = vacuum_into(from, part, e) && check_copy(part, e) && sync_path(part, O_RDONLY, e);
    if (ok && rename(part, path) < 0)
        ok = error_set(e, ERR_STORE_UNAVAILABLE, "", "cannot name %s: %s", path, strerror(errno));
    if (!ok) (void)unlink(part);
    return ok && sync_folder_of(path, e);
}

bool sqlite_backup(struct backend *b, const char *file, struct error *e)
{
    struct connection *c = reader_take(b, e);
    if (!c) return false;
    bool ok = copy_to(c, file, e);
    reader_return(b, c);
    return ok;
}

/* A log left beside a database that was moved away would be applied to the one that comes in its place. */
static bool folder_is_free(const char *database, struct error *e)
{
    static const char *const names[] = {"", "-wal", "-journal"};
    char path[PATH_BYTES + 16];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(path, sizeof path, "%s%s", database, names[i]);
        if (access(path, F_OK) < 0) continue;
        return error_set(e, ERR_INVALID_VALUE, "", "%s is there already; move it away first, with all files of its name", path);
    }
    return true;
}

bool sqlite_restore(const char *file, const char *data_dir, struct error *e)
{
    struct connection from = {0};
    struct folder folder;
    if (access(file, R_OK) < 0)
        return error_set(e, ERR_STORE_UNAVAILABLE, "", "cannot read %s: %s", file, strerror(errno));
    if (!check_copy(file, e) || !folder_claim(&folder, data_dir, e)) return false;
    bool ok = folder_is_free(folder.database, e) && connection_open(&from, file, SQLITE_OPEN_READONLY, e) &&
              copy_to(&from, folder.database, e);
    connection_close(&from);
    folder_let_go(&folder);
    return ok;
}
