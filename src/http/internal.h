/* internal.h - what the files of http/ share and nobody else sees: struct request, struct server. */
#ifndef REFRACTR_HTTP_INTERNAL_H
#define REFRACTR_HTTP_INTERNAL_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "http/guard.h"
#include "http/http.h"

enum {
    TARGET_CHARS = 256,     /* of the path, for the log; longer ones are cut there */
    PART_CHARS = 64,        /* of a path's {name} part; longer ones match no route */
    HEADERS_BYTES = 2048,   /* of a reply's own headers */
    STATUS_MAX = 600,
    DEFAULT_RETRY_S = 5,    /* Retry-After of a 503 whose cause names none */
    LATENCY_BUCKETS = 14,
    SMALL_BODY = 64 << 10,  /* a body up to here always has its place */
    LARGE_BODIES_MAX = 256 << 20, /* bytes that all larger ones may take together */
    DISCARD_MAX = 8 << 20,  /* of a body that is refused or not wanted; more: the connection is cut */
};

struct request {
    /* The connection and, while it is parked, the handler each hold one reference. */
    atomic_int references;
    atomic_bool answered; /* the one slot: whoever sets it builds the reply */

    struct server *server;
    struct MHD_Connection *connection;
    struct guarded *guarded;
    struct request *previous, *next; /* server->parked, under its lock */

    const struct route *route; /* NULL: none found */
    char id[REQUEST_ID_CHARS + 1];
    char part[PART_CHARS + 1];
    char method[16], target[TARGET_CHARS + 1]; /* for the log */
    char account[37];
    int64_t arrived_ns;
    const char *target_at; /* where it stood in the head: compared, never followed */
    size_t target_bytes;
    bool bad_target;   /* a NUL or a control character in the request's target */
    bool head_read, handled, parked;
    bool has_body;     /* the head announces one */
    bool close;        /* the connection ends with this answer */

    char *body;
    size_t body_bytes, body_capacity;
    size_t received;   /* body bytes seen, kept or not */

    char headers[HEADERS_BYTES]; /* "name\0value\0..." */
    size_t headers_bytes;
    int status;
    /* Built by whoever took the slot, queued on the server's thread; NULL when replied: there was no memory for it. */
    struct MHD_Response *response;
    atomic_bool replied; /* the two above are there */

    void *data;
    void (*release)(void *data);
};

/* Only the server's own thread touches the counters. */
struct route_counters {
    uint64_t by_status[STATUS_MAX];
    uint64_t latency[LATENCY_BUCKETS + 1];
    double latency_sum;
};

struct server {
    struct MHD_Daemon *daemon;
    struct MHD_Response *no_memory; /* a 500 made beforehand, for when nothing more can be made */
    struct guard *guard;
    struct server_options options;
    const struct route *routes;
    size_t route_count;
    void *context;
    int port;
    atomic_bool draining;
    atomic_int open_requests; /* first line read, answer not yet written */
    pthread_mutex_t lock; /* over the three below; never held while resuming or calling out */
    struct request *parked;
    bool stopping;        /* no handler is entered any more, so nothing parks any more */
    bool handling;        /* a handler runs this moment and may park its request */
    struct route_counters *counters; /* route_count + 1: the last is for requests no route was found for */
    int connections;                 /* the server's thread only */
};

/* head.c: is this head unambiguous? False: `e` is a 400 and the connection must be closed. */
bool head_check(const struct request *r, const char *method, const char *version, struct error *e);
/* The announced body's size: 0 none, SIZE_MAX unknown (chunked). Only after head_check. */
size_t head_body_bytes(struct MHD_Connection *connection);

/* route.c */
const struct route *route_find(const struct server *server, const char *method, const char *path, char *part,
                               struct error *e);
/* Fills Allow for a path; NULL when the path is unknown. The route returned is any of that path. */
const struct route *route_allow(const struct server *server, const char *path, char *allow, size_t size);

/* request.c */
struct request *request_new(struct server *server, struct MHD_Connection *connection, const char *target);
void request_release(struct request *r);
bool request_append(struct request *r, const char *data, size_t bytes); /* false: no memory left for it */
void request_choose_id(struct request *r);
struct MHD_Response *no_memory_response(void); /* NULL: no memory */

/* access_log.c */
void access_log(const struct request *r, int64_t latency_ns);

#endif
