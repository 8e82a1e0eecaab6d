/* guard.h - limits on what a slow or stubborn peer may take: deadlines on heads and bodies, room for newcomers, and the
 * lingering close.
 *
 * libmicrohttpd's own timeout starts again at every byte, so a peer sending a byte a second holds its connection for
 * hours. The guard's thread shuts such sockets down; libmicrohttpd then sees the end and cleans up as usual.
 * Closing a socket with unread bytes makes the kernel send RST, which can destroy an answer the peer has not read yet:
 * an early refusal therefore lingers on a duplicate of the descriptor, reading and dropping for two seconds at most.
 * Called by server.c and request.c; every function may be called from any thread. */
#ifndef REFRACTR_HTTP_GUARD_H
#define REFRACTR_HTTP_GUARD_H

#include <stdbool.h>
#include <stdint.h>

struct guard;
struct guarded; /* one open connection */

struct guard *guard_open(void) __attribute__((warn_unused_result)); /* NULL: no thread or no memory */
void guard_close(struct guard *guard);

/* NULL when memory is short: the connection then goes unguarded by us, libmicrohttpd's idle timeout stays. */
struct guarded *guard_add(int fd);
void guard_remove(struct guard *guard, struct guarded *connection);
/* After `seconds` from now the socket is shut down; 0: never. */
void guard_deadline(struct guard *guard, struct guarded *connection, int seconds);
/* Connections are getting scarce: shuts the one that has been waited for the longest. Those whose answer is being made have
 * no deadline and stay. */
void guard_make_room(struct guard *guard);
/* The connection is about to be closed with unread input: drain a duplicate of its descriptor for a while. */
void guard_linger(struct guard *guard, struct guarded *connection);

#endif
