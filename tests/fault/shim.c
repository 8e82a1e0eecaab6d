/* shim.c - a library loaded before all others (LD_PRELOAD) that makes the n-th call of a kind fail, kills the process
 * there, or takes the power away: what was written and not yet synced is undone, then the process is killed.
 *
 * Which calls, which one and how is told in a page of memory shared with the test (the file named by REFRACTR_FAULT);
 * faults.py holds the other side of `struct control` and must be changed with it. Nothing happens while `classes` is 0.
 * Only for the normal build: sanitizers bring an allocator of their own. */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum call_class { ALLOC = 1, WRITE = 2, SYNC = 4, READ = 8, OPEN = 16, SEND = 32, RECEIVE = 64, ACCEPT = 128, SQL = 256 };
enum action { COUNT, FAIL, KILL, POWER_LOSS, POWER_LOSS_IN_PART };

struct control {
    _Atomic uint32_t classes; /* of calls that count */
    _Atomic uint32_t action;
    _Atomic int64_t at;       /* the first call that is hit, counted from 1 */
    _Atomic int64_t length;   /* how many calls fail from there */
    _Atomic int32_t error;    /* errno; for SQL the result code */
    _Atomic uint32_t trace;   /* 1: a backtrace of each failed call on standard error */
    _Atomic int64_t seen;     /* calls counted since `classes` was set */
    _Atomic int64_t hit;
    _Atomic int64_t clock_ms; /* added to the wall clock */
    char match[64];           /* counting begins with a statement that holds this text; "": at once */
    _Atomic uint32_t matched;
};

static struct control *control;

/* glibc's own allocator under the names it keeps for such libraries. */
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

/* The function of that name behind this library; looked up once. */
#define REAL(name) \
    ({ \
        static __typeof__(&name) found; \
        if (!found) found = (__typeof__(&name))dlsym(RTLD_NEXT, #name); \
        found; \
    })

__attribute__((constructor)) static void attach(void)
{
    void *warm_up[1];
    const char *path = getenv("REFRACTR_FAULT");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    (void)backtrace(warm_up, 1); /* loads its library now, so that a trace allocates nothing */
    if (fd < 0) return;
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (page != MAP_FAILED) control = page;
}

/* ---- power loss: what was not synced is undone ---------------------------------------------------------------------- */

struct undo { /* one write to a file that no sync has followed */
    struct undo *older;
    int64_t number;
    dev_t device;
    ino_t inode;
    int fd; /* of our own */
    off_t offset, size_before;
    size_t bytes, old_bytes;
    unsigned char old[];
};

static pthread_mutex_t undo_lock = PTHREAD_MUTEX_INITIALIZER;
static struct undo *undo_newest;
static int64_t undo_number;

static bool powered(void)
{
    return control && (atomic_load(&control->action) == POWER_LOSS || atomic_load(&control->action) == POWER_LOSS_IN_PART);
}

/* A descriptor that can read the file's old bytes. */
static int reopen(int fd)
{
    char path[64];
    int n = 0;
    char digits[16];
    memcpy(path, "/proc/self/fd/", 14);
    do digits[n++] = (char)('0' + fd % 10); while ((fd /= 10));
    for (int i = 0; i < n; i++) path[14 + i] = digits[n - 1 - i];
    path[14 + n] = '\0';
    return (int)REAL(open)(path, O_RDWR | O_CLOEXEC);
}

static void undo_note(int fd, off_t offset, size_t bytes)
{
    struct stat s;
    struct undo *u = __libc_malloc(sizeof *u + bytes);
    if (!u || fstat(fd, &s) < 0) abort();
    *u = (struct undo){.device = s.st_dev, .inode = s.st_ino, .offset = offset, .size_before = s.st_size, .bytes = bytes};
    u->fd = reopen(fd);
    if (u->fd < 0) abort();
    ssize_t got = REAL(pread)(u->fd, u->old, bytes, offset);
    u->old_bytes = got > 0 ? (size_t)got : 0;
    u->number = ++undo_number;
    u->older = undo_newest;
    undo_newest = u;
}

static void undo_forget(int fd, int64_t up_to)
{
    struct stat s;
    if (fstat(fd, &s) < 0) return;
    pthread_mutex_lock(&undo_lock);
    for (struct undo **at = &undo_newest; *at;) {
        struct undo *u = *at;
        if (u->number > up_to || u->inode != s.st_ino || u->device != s.st_dev) {
            at = &u->older;
            continue;
        }
        *at = u->older;
        close(u->fd);
        free(u);
    }
    pthread_mutex_unlock(&undo_lock);
}

/* Never returns. With the lock held nobody writes any more. In part: each write had an even chance to reach the disk. */
static void lose_power(bool in_part)
{
    pthread_mutex_lock(&undo_lock);
    for (struct undo *u = undo_newest; u; u = u->older) {
        unsigned char coin = 0;
        if (in_part && getrandom(&coin, 1, 0) == 1 && (coin & 1)) continue;
        if (u->old_bytes && REAL(pwrite)(u->fd, u->old, u->old_bytes, u->offset) < 0) abort();
        if (!in_part && u->old_bytes < u->bytes && ftruncate(u->fd, u->size_before) < 0) abort();
    }
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* ---- the decision ---------------------------------------------------------------------------------------------------- */

/* True: this call shall fail, errno is set. Does not return when the process dies here. */
static bool strike(enum call_class class)
{
    if (!control || !(atomic_load(&control->classes) & class) || (control->match[0] && !atomic_load(&control->matched))) return false;
    int64_t seen = atomic_fetch_add(&control->seen, 1) + 1, at = atomic_load(&control->at);
    uint32_t action = atomic_load(&control->action);
    if (action == COUNT || seen < at || seen - at >= atomic_load(&control->length)) return false;
    atomic_fetch_add(&control->hit, 1);
    if (action == POWER_LOSS || action == POWER_LOSS_IN_PART) lose_power(action == POWER_LOSS_IN_PART);
    if (action == KILL) {
        kill(getpid(), SIGKILL);
        for (;;) pause();
    }
    if (atomic_load(&control->trace)) {
        void *frames[32];
        backtrace_symbols_fd(frames, backtrace(frames, 32), STDERR_FILENO);
        (void)!write(STDERR_FILENO, "--\n", 3);
    }
    errno = class == ALLOC ? ENOMEM : atomic_load(&control->error);
    return true;
}

static bool is_kind(int fd, mode_t kind)
{
    struct stat s;
    return fd > STDERR_FILENO && fstat(fd, &s) == 0 && (s.st_mode & S_IFMT) == kind;
}

static bool strike_kind(enum call_class class, int fd, mode_t kind)
{
    return control && atomic_load(&control->classes) & class && is_kind(fd, kind) && strike(class);
}

static bool strike_file(enum call_class class, int fd) { return strike_kind(class, fd, S_IFREG); }

static bool strike_socket(enum call_class class, int fd)
{
    if (!strike_kind(class, fd, S_IFSOCK)) return false;
    if (errno == ECONNRESET) { /* such a connection is of no use in either direction: libpq would wait to read */
        REAL(shutdown)(fd, SHUT_RDWR);
        errno = ECONNRESET;
    }
    return true;
}

/* ---- memory ---------------------------------------------------------------------------------------------------------- */

void *malloc(size_t bytes) { return strike(ALLOC) ? NULL : __libc_malloc(bytes); }

void *calloc(size_t count, size_t bytes) { return strike(ALLOC) ? NULL : __libc_calloc(count, bytes); }

void *realloc(void *old, size_t bytes) { return strike(ALLOC) ? NULL : __libc_realloc(old, bytes); }

void *memalign(size_t alignment, size_t bytes) { return strike(ALLOC) ? NULL : __libc_memalign(alignment, bytes); }

void *aligned_alloc(size_t alignment, size_t bytes) { return memalign(alignment, bytes); }

int posix_memalign(void **out, size_t alignment, size_t bytes)
{
    void *got = memalign(alignment, bytes);
    if (!got) return ENOMEM;
    *out = got;
    return 0;
}

/* ---- files and sockets ------------------------------------------------------------------------------------------------ */

static ssize_t do_pwrite(int fd, const void *data, size_t bytes, off_t offset)
{
    if (strike_file(WRITE, fd)) return -1;
    if (!powered() || !is_kind(fd, S_IFREG)) return REAL(pwrite)(fd, data, bytes, offset);
    pthread_mutex_lock(&undo_lock);
    undo_note(fd, offset, bytes);
    ssize_t n = REAL(pwrite)(fd, data, bytes, offset);
    pthread_mutex_unlock(&undo_lock);
    return n;
}

ssize_t pwrite(int fd, const void *data, size_t bytes, off_t offset) { return do_pwrite(fd, data, bytes, offset); }

ssize_t pwrite64(int fd, const void *data, size_t bytes, off64_t offset) { return do_pwrite(fd, data, bytes, offset); }

ssize_t write(int fd, const void *data, size_t bytes)
{
    return strike_file(WRITE, fd) || strike_socket(SEND, fd) ? -1 : REAL(write)(fd, data, bytes);
}

ssize_t writev(int fd, const struct iovec *pieces, int count)
{
    return strike_file(WRITE, fd) || strike_socket(SEND, fd) ? -1 : REAL(writev)(fd, pieces, count);
}

int ftruncate(int fd, off_t length) { return strike_file(WRITE, fd) ? -1 : REAL(ftruncate)(fd, length); }

int ftruncate64(int fd, off64_t length) { return ftruncate(fd, length); }

int fallocate(int fd, int mode, off_t offset, off_t length)
{
    return strike_file(WRITE, fd) ? -1 : REAL(fallocate)(fd, mode, offset, length);
}

static int synced(int fd, int (*sync)(int))
{
    if (strike_file(SYNC, fd)) return -1;
    if (!powered()) return sync(fd);
    pthread_mutex_lock(&undo_lock);
    int64_t up_to = undo_number;
    pthread_mutex_unlock(&undo_lock);
    int failed = sync(fd);
    if (!failed) undo_forget(fd, up_to);
    return failed;
}

int fdatasync(int fd) { return synced(fd, REAL(fdatasync)); }

int fsync(int fd) { return synced(fd, REAL(fsync)); }

ssize_t pread(int fd, void *data, size_t bytes, off_t offset) { return strike_file(READ, fd) ? -1 : REAL(pread)(fd, data, bytes, offset); }

ssize_t pread64(int fd, void *data, size_t bytes, off64_t offset) { return pread(fd, data, bytes, offset); }

ssize_t read(int fd, void *data, size_t bytes)
{
    return strike_file(READ, fd) || strike_socket(RECEIVE, fd) ? -1 : REAL(read)(fd, data, bytes);
}

static bool strike_open(const char *path, int flags)
{
    bool system = !strncmp(path, "/proc/", 6) || !strncmp(path, "/sys/", 5) || !strncmp(path, "/dev/", 5) || !strncmp(path, "/etc/", 5);
    bool read_only = control && atomic_load(&control->error) == EROFS && (flags & O_ACCMODE) == O_RDONLY;
    return !system && !read_only && strike(OPEN);
}

int open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return strike_open(path, flags) ? -1 : REAL(open)(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return strike_open(path, flags) ? -1 : REAL(open)(path, flags, mode);
}

ssize_t send(int fd, const void *data, size_t bytes, int flags) { return strike_socket(SEND, fd) ? -1 : REAL(send)(fd, data, bytes, flags); }

ssize_t sendto(int fd, const void *data, size_t bytes, int flags, __CONST_SOCKADDR_ARG to, socklen_t to_bytes)
{
    return strike_socket(SEND, fd) ? -1 : REAL(sendto)(fd, data, bytes, flags, to, to_bytes);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) { return strike_socket(SEND, fd) ? -1 : REAL(sendmsg)(fd, message, flags); }

ssize_t recv(int fd, void *data, size_t bytes, int flags) { return strike_socket(RECEIVE, fd) ? -1 : REAL(recv)(fd, data, bytes, flags); }

int accept4(int fd, __SOCKADDR_ARG peer, socklen_t *peer_bytes, int flags)
{
    return strike(ACCEPT) ? -1 : REAL(accept4)(fd, peer, peer_bytes, flags);
}

int accept(int fd, __SOCKADDR_ARG peer, socklen_t *peer_bytes) { return strike(ACCEPT) ? -1 : REAL(accept)(fd, peer, peer_bytes); }

/* ---- statements -------------------------------------------------------------------------------------------------------- */

/* SQLite steps through its own schema with the same function, and takes what it has then read for the whole of it. */
static bool from_sqlite(void *caller)
{
    Dl_info found;
    return control && (atomic_load(&control->classes) & SQL) && dladdr(caller, &found) && found.dli_fname && strstr(found.dli_fname, "libsqlite3");
}

/* Counting begins with the statement that is waited for. */
static void meet(const char *sql)
{
    bool waits = control && control->match[0] && !atomic_load(&control->matched);
    if (waits && sql && strstr(sql, control->match)) atomic_store(&control->matched, 1);
}

int sqlite3_step(sqlite3_stmt *s)
{
    meet(sqlite3_sql(s));
    return !from_sqlite(__builtin_return_address(0)) && strike(SQL) ? atomic_load(&control->error) : REAL(sqlite3_step)(s);
}

int sqlite3_prepare_v3(sqlite3 *db, const char *sql, int bytes, unsigned flags, sqlite3_stmt **s, const char **tail)
{
    return strike(SQL) ? atomic_load(&control->error) : REAL(sqlite3_prepare_v3)(db, sql, bytes, flags, s, tail);
}

/* Of a statement for PostgreSQL two calls are counted: before it is sent, and when it has run but its answer is not yet known. */
#define RUN_BETWEEN_STRIKES(call) \
    ({ \
        PGresult *answer = strike(SQL) ? NULL : (call); \
        if (answer && strike(SQL)) PQclear(answer), answer = NULL; \
        answer; \
    })

enum { NAMES_MAX = 512 };

static struct { char name[16]; const char *sql; } names[NAMES_MAX]; /* the program's statements are never freed */
static int name_count;
static pthread_mutex_t names_lock = PTHREAD_MUTEX_INITIALIZER;

/* The statement of that name; with `sql` it is noted. */
static const char *named(const char *name, const char *sql)
{
    pthread_mutex_lock(&names_lock);
    int i = 0;
    while (i < name_count && strcmp(names[i].name, name)) i++;
    if (i == name_count && sql && i < NAMES_MAX && strlen(name) < sizeof names[i].name) {
        strcpy(names[i].name, name);
        names[name_count++].sql = sql;
    }
    const char *found = i < name_count ? names[i].sql : NULL;
    pthread_mutex_unlock(&names_lock);
    return found;
}

PGresult *PQexec(PGconn *db, const char *sql)
{
    meet(sql);
    return RUN_BETWEEN_STRIKES(REAL(PQexec)(db, sql));
}

PGresult *PQprepare(PGconn *db, const char *name, const char *sql, int count, const Oid *types)
{
    named(name, sql);
    return RUN_BETWEEN_STRIKES(REAL(PQprepare)(db, name, sql, count, types));
}

PGresult *PQexecPrepared(PGconn *db, const char *name, int count, const char *const *values, const int *lengths,
                         const int *formats, int binary)
{
    meet(named(name, NULL));
    return RUN_BETWEEN_STRIKES(REAL(PQexecPrepared)(db, name, count, values, lengths, formats, binary));
}

/* ---- clock -------------------------------------------------------------------------------------------------------------- */

static int64_t clock_shift_ms(void) { return control ? atomic_load(&control->clock_ms) : 0; }

int clock_gettime(clockid_t clock, struct timespec *t)
{
    int failed = REAL(clock_gettime)(clock, t);
    if (!failed && clock == CLOCK_REALTIME) t->tv_sec += clock_shift_ms() / 1000;
    return failed;
}

int gettimeofday(struct timeval *t, void *zone)
{
    int failed = REAL(gettimeofday)(t, zone);
    if (!failed) t->tv_sec += clock_shift_ms() / 1000;
    return failed;
}

time_t time(time_t *out)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (out) *out = t.tv_sec;
    return t.tv_sec;
}
