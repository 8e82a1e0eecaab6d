/* guard.c - one thread that looks at every open connection twice a second. See guard.h. */
#include "http/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

enum { TICK_MS = 500, LINGER_MAX = 256, LINGER_S = 2, LINGER_READ = 65536 };

struct guarded {
    int fd;
    bool waiting;                    /* in the list: something must come from the peer by the deadline */
    int64_t deadline_ns;
    struct guarded *previous, *next;
};

struct lingering {
    int fd;
    int64_t until_ns;
};

struct guard {
    pthread_t thread;
    int wake; /* eventfd */
    atomic_bool stopping;
    pthread_mutex_t lock; /* over all below; never held while calling out */
    struct guarded *first, *last; /* those waited for, in the order in which the waiting began */
    struct lingering lingering[LINGER_MAX];
    int lingering_count;
};

/* ---- the list of those waited for; with the lock held ---- */

static void unlink_waiting(struct guard *guard, struct guarded *c)
{
    if (!c->waiting) return;
    *(c->next ? &c->next->previous : &guard->last) = c->previous;
    *(c->previous ? &c->previous->next : &guard->first) = c->next;
    c->waiting = false;
}

static void append_waiting(struct guard *guard, struct guarded *c)
{
    c->waiting = true;
    c->previous = guard->last;
    c->next = NULL;
    *(guard->last ? &guard->last->next : &guard->first) = c;
    guard->last = c;
}

/* libmicrohttpd sees the end and cleans up. */
static void shut(struct guard *guard, struct guarded *c)
{
    (void)shutdown(c->fd, SHUT_RDWR);
    unlink_waiting(guard, c);
}

/* ---- the guard's thread ---- */

static void shut_overdue(struct guard *guard, int64_t now)
{
    pthread_mutex_lock(&guard->lock);
    for (struct guarded *c = guard->first, *next; c; c = next) {
        next = c->next;
        if (c->deadline_ns < now) shut(guard, c);
    }
    pthread_mutex_unlock(&guard->lock);
}

/* Reads what has come. False: the peer is done or broken. */
static bool drain(int fd)
{
    char dropped[4096];
    for (int total = 0; total < LINGER_READ; total += (int)sizeof dropped) {
        ssize_t n = recv(fd, dropped, sizeof dropped, MSG_DONTWAIT);
        if (n == 0) return false;
        if (n < 0) return errno == EAGAIN || errno == EINTR;
    }
    return true;
}

static void drain_lingering(struct guard *guard, int64_t now)
{
    pthread_mutex_lock(&guard->lock);
    for (int i = 0; i < guard->lingering_count;) {
        struct lingering *l = &guard->lingering[i];
        if (l->until_ns > now && drain(l->fd)) {
            i++;
            continue;
        }
        (void)close(l->fd);
        *l = guard->lingering[--guard->lingering_count];
    }
    pthread_mutex_unlock(&guard->lock);
}

static void wait_for_work(struct guard *guard)
{
    struct pollfd fds[LINGER_MAX + 1];
    fds[0] = (struct pollfd){.fd = guard->wake, .events = POLLIN};
    pthread_mutex_lock(&guard->lock);
    int count = guard->lingering_count;
    for (int i = 0; i < count; i++) fds[i + 1] = (struct pollfd){.fd = guard->lingering[i].fd, .events = POLLIN};
    pthread_mutex_unlock(&guard->lock);
    if (poll(fds, (nfds_t)count + 1, TICK_MS) > 0 && fds[0].revents) {
        uint64_t ignored;
        (void)!read(guard->wake, &ignored, sizeof ignored);
    }
}

static void *run(void *arg)
{
    struct guard *guard = arg;
    pthread_setname_np(pthread_self(), "http guard");
    while (!atomic_load(&guard->stopping)) {
        wait_for_work(guard);
        int64_t now = clock_monotonic_ns();
        shut_overdue(guard, now);
        drain_lingering(guard, now);
    }
    return NULL;
}

struct guard *guard_open(void)
{
    struct guard *guard = calloc(1, sizeof *guard);
    if (!guard) return NULL;
    pthread_mutex_init(&guard->lock, NULL);
    guard->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (guard->wake >= 0 && pthread_create(&guard->thread, NULL, run, guard) == 0) return guard;
    if (guard->wake >= 0) (void)close(guard->wake);
    pthread_mutex_destroy(&guard->lock);
    free(guard);
    return NULL;
}

static void wake(struct guard *guard)
{
    uint64_t one = 1;
    (void)!write(guard->wake, &one, sizeof one);
}

void guard_close(struct guard *guard)
{
    atomic_store(&guard->stopping, true);
    wake(guard);
    pthread_join(guard->thread, NULL);
    for (int i = 0; i < guard->lingering_count; i++) (void)close(guard->lingering[i].fd);
    (void)close(guard->wake);
    pthread_mutex_destroy(&guard->lock);
    free(guard);
}

/* ---- called by the server ---- */

struct guarded *guard_add(int fd)
{
    struct guarded *c = calloc(1, sizeof *c);
    if (c) c->fd = fd;
    return c;
}

void guard_remove(struct guard *guard, struct guarded *c)
{
    if (!c) return;
    pthread_mutex_lock(&guard->lock);
    unlink_waiting(guard, c);
    pthread_mutex_unlock(&guard->lock);
    free(c);
}

void guard_deadline(struct guard *guard, struct guarded *c, int seconds)
{
    if (!c) return;
    int64_t deadline_ns = clock_monotonic_ns() + seconds * NS_PER_S;
    pthread_mutex_lock(&guard->lock);
    unlink_waiting(guard, c);
    c->deadline_ns = deadline_ns;
    if (seconds) append_waiting(guard, c);
    pthread_mutex_unlock(&guard->lock);
}

void guard_make_room(struct guard *guard)
{
    pthread_mutex_lock(&guard->lock);
    if (guard->first) shut(guard, guard->first);
    pthread_mutex_unlock(&guard->lock);
}

void guard_linger(struct guard *guard, struct guarded *c)
{
    if (!c) return;
    pthread_mutex_lock(&guard->lock);
    int fd = guard->lingering_count < LINGER_MAX ? fcntl(c->fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (fd >= 0) guard->lingering[guard->lingering_count++] = (struct lingering){fd, clock_monotonic_ns() + LINGER_S * NS_PER_S};
    pthread_mutex_unlock(&guard->lock);
    if (fd >= 0) wake(guard);
}
