/* doctor_data.c - the data folder, the disk below it, the store inside it, and who serves it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <netdb.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/doctor.h"
#include "store/store.h"

enum { SYNCS = 9, SYNC_BYTES = 4096, SLOW_SYNC_MS = 30, INODES_LEAST = 100, PATH_CHARS = 4096 };

#define MIB (INT64_C(1) << 20)
#define FREE_LEAST (512 * MIB) /* the write-ahead log alone may grow to 128 MiB before it is copied back */
#define FREE_WANTED (1024 * MIB)

/* ---- folder ---------------------------------------------------------------------------------------------------------- */

static const char *user_name(uid_t uid)
{
    static char number[24];
    const struct passwd *user = getpwuid(uid);
    if (user) return user->pw_name;
    (void)snprintf(number, sizeof number, "%u", (unsigned)uid);
    return number;
}

/* Is it ours, and nobody else's to read? */
static bool check_owner(struct examination *x, const char *path, const struct stat *info)
{
    char remedy[PATH_CHARS + 64];
    if (info->st_uid != geteuid()) {
        (void)snprintf(remedy, sizeof remedy, "run doctor as the user of the service, or give it to him: chown -R USER %s", x->data);
        found(x, FAULT, remedy, "%s belongs to %s", path, user_name(info->st_uid));
        return false;
    }
    if (info->st_mode & 077) {
        (void)snprintf(remedy, sizeof remedy, "chmod %s %s", S_ISDIR(info->st_mode) ? "700" : "600", path);
        found(x, FAULT, remedy, "%s can be read by others (mode %04o)", path, info->st_mode & 07777);
    }
    return true;
}

static bool check_entries(struct examination *x)
{
    bool ours = true;
    DIR *folder = opendir(x->data);
    if (!folder) {
        found(x, FAULT, "give the folder back to the user of the service", "%s cannot be read: %s", x->data, strerror(errno));
        return false;
    }
    for (struct dirent *entry; (entry = readdir(folder));) {
        char path[PATH_CHARS];
        struct stat info;
        if (strncmp(entry->d_name, "refractr.", 9) != 0) continue;
        if (snprintf(path, sizeof path, "%s/%s", x->data, entry->d_name) >= (int)sizeof path || lstat(path, &info) < 0) continue;
        ours = check_owner(x, path, &info) && ours;
    }
    (void)closedir(folder);
    return ours;
}

void check_folder(struct examination *x)
{
    if (x->options->store) {
        found(x, FINE, NULL, "not used: the store is PostgreSQL");
        return;
    }
    struct stat info;
    int before = x->counts[FAULT];
    bool there = stat(x->data, &info) == 0;
    if (!there || !S_ISDIR(info.st_mode)) {
        found(x, FAULT, "`refractr account create NAME` makes one; --data names another", "no data folder at %s: %s", x->data,
              there ? "not a folder" : strerror(errno));
        return;
    }
    x->data_usable = check_owner(x, x->data, &info) && check_entries(x);
    if (before == x->counts[FAULT]) found(x, FINE, NULL, "%s is %s's alone", x->data, user_name(info.st_uid));
}

/* ---- disk ------------------------------------------------------------------------------------------------------------ */

static void check_space(struct examination *x)
{
    struct statvfs disk;
    if (statvfs(x->data, &disk) < 0) return;
    int64_t free_bytes = (int64_t)(disk.f_bavail * disk.f_frsize);
    if (disk.f_flag & ST_RDONLY)
        found(x, FAULT, "mount it for writing; see the kernel's log for why it is not", "the disk is mounted read-only");
    if (free_bytes < FREE_WANTED)
        found(x, free_bytes < FREE_LEAST ? FAULT : WARNING, "make room: the service refuses work with 503 while the disk is full",
              "%lld MiB are free", (long long)(free_bytes / MIB));
    if (disk.f_files && disk.f_favail < INODES_LEAST)
        found(x, FAULT, "delete files: the disk has room for bytes but not for files", "%llu more files fit on the disk",
              (unsigned long long)disk.f_favail);
}

static void check_kind(struct examination *x)
{
    static const struct {
        long magic;
        enum verdict verdict;
        const char *says, *remedy;
    } kinds[] = {
        {NFS_SUPER_MAGIC, FAULT, "a network file system cannot hold the store: its log needs shared memory", "use a local disk"},
        {SMB2_SUPER_MAGIC, FAULT, "a network file system cannot hold the store: its log needs shared memory", "use a local disk"},
        {CIFS_SUPER_MAGIC, FAULT, "a network file system cannot hold the store: its log needs shared memory", "use a local disk"},
        {TMPFS_MAGIC, WARNING, "the folder lies in memory and is gone after a restart of the machine", "use a disk"},
        {OVERLAYFS_SUPER_MAGIC, WARNING, "the folder lies inside a container and goes with it", "mount a volume for it"},
    };
    struct statfs disk;
    if (statfs(x->data, &disk) < 0) return;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if ((long)disk.f_type == kinds[i].magic) found(x, kinds[i].verdict, kinds[i].remedy, "%s", kinds[i].says);
    }
}

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Median time of a write that reaches the disk, by a file without a name; -1: it failed. */
static int64_t sync_ns(const char *folder)
{
    static const char block[SYNC_BYTES];
    int64_t times[SYNCS];
    int fd = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    bool ok = fd >= 0;
    for (int i = 0; ok && i < SYNCS; i++) {
        int64_t start = clock_monotonic_ns();
        ok = write(fd, block, sizeof block) == (ssize_t)sizeof block && fdatasync(fd) == 0;
        times[i] = clock_monotonic_ns() - start;
    }
    int failure = errno;
    if (fd >= 0) (void)close(fd);
    errno = failure;
    if (!ok) return -1;
    qsort(times, SYNCS, sizeof times[0], compare_times);
    return times[SYNCS / 2];
}

void check_disk(struct examination *x)
{
    if (!x->data_usable) return;
    int before = x->counts[WARNING] + x->counts[FAULT];
    check_space(x);
    check_kind(x);
    int64_t ns = sync_ns(x->data);
    if (ns < 0 && errno != EOPNOTSUPP && errno != EISDIR)
        found(x, FAULT, "mend the disk or the folder's rights", "cannot write into %s: %s", x->data, strerror(errno));
    if (ns > SLOW_SYNC_MS * NS_PER_MS)
        found(x, WARNING, "a faster disk, or --durability normal, which does not wait for it", "the disk takes %.1f ms for one write",
              (double)ns / 1e6);
    if (before == x->counts[WARNING] + x->counts[FAULT]) found(x, FINE, NULL, "room enough; one write takes %.2f ms", (double)ns / 1e6);
}

/* ---- store ----------------------------------------------------------------------------------------------------------- */

void check_store(struct examination *x)
{
    const char *url = x->options->store;
    if (!x->data_usable && !url) return;
    struct error e;
    struct store_options options = {.data_dir = x->data, .url = url, .durability = DURABILITY_FULL};
    struct store *store = store_open(&options, &e);
    if (!store) {
        found(x, FAULT, url ? "see deploy/POSTGRESQL.md" : "if it is broken: stop the service, keep the file, restore the newest backup",
              "%s", e.message);
        return;
    }
    bool whole = store_check(store, &e);
    if (!whole)
        found(x, FAULT, "stop the service, keep the file, restore the newest backup; `sqlite3 refractr.db .recover` saves the rest",
              "the database is damaged: %.300s", e.message);
    bool balanced = whole && store_audit(store, &e);
    if (whole && !balanced)
        found(x, FAULT, "restore the newest backup beside it, compare that account's ledger, and report it (SECURITY.md)",
              "the books do not balance: %.300s", e.message);
    if (balanced) found(x, FINE, NULL, "the database is whole, every ledger sums to its balance");
    store_close(store);
}

/* ---- port ------------------------------------------------------------------------------------------------------------ */

/* Does somebody hold the lock of this folder's service? Asked of the kernel's list: trying to take it could keep a service
 * that starts at this very moment from taking it. */
static bool service_runs(const char *data)
{
    char path[PATH_CHARS], line[256], wanted[64];
    struct stat info;
    bool held = false;
    if (snprintf(path, sizeof path, "%s/refractr.service", data) >= (int)sizeof path || stat(path, &info) < 0) return false;
    (void)snprintf(wanted, sizeof wanted, " %02x:%02x:%llu ", major(info.st_dev), minor(info.st_dev), (unsigned long long)info.st_ino);
    FILE *locks = fopen("/proc/locks", "re");
    while (locks && !held && fgets(line, sizeof line, locks)) held = strstr(line, "FLOCK") && strstr(line, wanted);
    if (locks) (void)fclose(locks);
    return held;
}

/* 0, or why nobody could listen there. */
static int try_port(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *address = NULL;
    if (getaddrinfo(host, port, &hints, &address)) return EADDRNOTAVAIL;
    int one = 1, fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), failure = 0;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) || bind(fd, address->ai_addr, address->ai_addrlen) ||
        listen(fd, 1))
        failure = errno;
    if (fd >= 0) (void)close(fd);
    freeaddrinfo(address);
    return failure;
}

void check_port(struct examination *x)
{
    char port[8];
    (void)snprintf(port, sizeof port, "%d", (int)x->options->port);
    if (service_runs(x->data)) {
        found(x, FINE, NULL, "a service runs on this folder");
        return;
    }
    int failure = try_port(x->options->host, port);
    if (failure)
        found(x, FAULT, "stop what listens there, or choose another with --host and --port", "nobody can listen on %s port %s: %s",
              x->options->host, port, strerror(failure));
    else
        found(x, FINE, NULL, "%s port %s is free", x->options->host, port);
}
