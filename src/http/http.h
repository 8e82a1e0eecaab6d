/* http.h - bytes -> request, reply -> bytes. The only module that knows libmicrohttpd.
 *
 * The way of a request (all on the server's one epoll thread, except the reply of a parked one):
 *     head read -> checks of the head -> route found -> route->admit (who, how fast) -> body read -> route->handle
 *     -> request_reply* / request_fail, exactly once -> answer written, access log line, counters.
 * A handler that cannot answer at once calls request_park, passes the request on and returns; the reply may then come
 * from any thread. Whoever comes first (worker, deadline, shutdown) takes one atomic slot with request_take; a later one
 * is told so and does nothing. Handlers never infer, never wait.
 * Routes come as a table from api/ (api_routes) together with a context pointer. Called by api/ and cli/serve.c. */
#ifndef REFRACTR_HTTP_HTTP_H
#define REFRACTR_HTTP_HTTP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

struct server;
struct request;

enum { REQUEST_ID_CHARS = 64, REQUEST_SHORT_MAX = 64 << 10,
       REQUEST_BODY_MAX = 1 << 20 }; /* 1 MiB: 50,000 code points as \uXXXX pairs and a template */

struct route {
    const char *method;  /* "GET" (answers HEAD too) or "POST" */
    const char *path;    /* "/api/v1/extract/{id}/": one {name} part at most; the trailing slash is optional for clients */
    bool cors;           /* any origin may call it from a browser (bearer token, never cookies) */
    bool json_body;      /* has a body: application/json, REQUEST_BODY_MAX bytes at most */
    bool short_body;     /* ... of REQUEST_SHORT_MAX at most */
    /* Head is there, body not yet. False: `e` is answered without reading the body. May be NULL. */
    bool (*admit)(void *context, struct request *r, struct error *e);
    void (*handle)(void *context, struct request *r);
};

struct server_options {
    const char *host;      /* address to listen on; NULL: 127.0.0.1 */
    int port;              /* 0: any free one, see server_port */
    int connection_limit;  /* default 4096 */
    int idle_timeout_s;    /* a whole request head must come within this, from accept or the last answer; default 30 */
    int body_timeout_s;    /* the whole body must come within this after its head; default 60 */
    int answer_timeout_s;  /* the whole answer must be taken within this; default 60 */
    const char *docs_url;  /* base of doc_url in errors; NULL: "/docs/" */
    bool log_requests;     /* one access log line per request */
};

/* Listens and serves at once. `routes` and `context` must outlive the server. NULL: `e` says why (port taken, ...). */
struct server *server_start(const struct server_options *options, const struct route *routes, size_t route_count,
                            void *context, struct error *e) __attribute__((warn_unused_result));
int server_port(const struct server *server);
/* Stops listening. Open connections go on; answers from now on carry Connection: close. */
void server_quiesce(struct server *server);
/* After quiesce and after job/ has answered its waiters: answers what is still parked with 503 shutting_down, waits for
 * the answers to be written (2 s at most), stops the thread, frees. A late request_take after this is harmless. */
void server_stop(struct server *server);

/* What a handler may ask. Strings live as long as the request. */
const char *request_header(struct request *r, const char *name); /* NULL when absent */
const char *request_part(const struct request *r);               /* the path's {name} part, "" when none */
const char *request_id(const struct request *r);
const char *request_route_path(const struct request *r);         /* "" when no route was found */
const char *request_query(struct request *r, const char *name);  /* NULL when absent */
const void *request_body(const struct request *r, size_t *bytes);
/* The peer's address as text, "" when unknown; the proxy's where one stands before us. */
enum { REQUEST_PEER_CHARS = 45 };
void request_peer(struct request *r, char out[REQUEST_PEER_CHARS + 1]);
int64_t request_arrived_ns(const struct request *r);             /* monotonic, first byte of the head handled */
void **request_data(struct request *r);       /* a slot for the api/ layer, freed with `release` when the request ends */
void request_on_end(struct request *r, void (*release)(void *data));
/* For the access log line and nothing else; "" when unknown. */
void request_set_account(struct request *r, const char *account_id);

/* Puts the request to sleep BEFORE it is handed to another thread. From then on only the holder of the slot may touch it:
 * exactly one request_take per park, from any thread; true: reply now; false: answered by another, forget the request. */
void request_park(struct request *r);
bool request_take(struct request *r) __attribute__((warn_unused_result));

/* Before the reply: headers of the answer. Name and value are copied; too many are dropped with a log line. */
void request_add_header(struct request *r, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The reply: exactly one of these per handled request, after request_take when it was parked. */
void request_reply_json(struct request *r, int status, json_t *body); /* takes the reference */
/* `body` is static data when `free_body` is NULL. */
void request_reply(struct request *r, int status, const char *content_type, void *body, size_t bytes,
                   void (*free_body)(void *));
/* The members of "error" in the one error shape (new reference, NULL without memory). */
json_t *request_error_json(const struct request *r, const struct error *e);
/* The one error shape; a 503 always carries Retry-After. `extra` (reference taken, or NULL): members put beside "error". */
void request_fail(struct request *r, const struct error *e, json_t *extra);

/* Prometheus text: requests by route, method and status; latency histogram; open connections. */
void server_metrics(struct server *server, FILE *out);
struct server *request_server(const struct request *r);

#endif
