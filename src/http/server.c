/* server.c - the life of the server: listen, take requests through their stages, quiesce, stop.
 *
 * One thread (libmicrohttpd's epoll loop) runs every callback here. Order of calls for a request:
 *     on_target (first line) -> on_request with the head -> on_request per piece of body -> on_request at the end
 *     -> [parked ... resumed -> on_request again] -> on_completed
 * A reply to a request whose body is still to come can only be queued on the first of these calls; one without a body
 * must be queued later, or libmicrohttpd closes the connection. Both rules are kept in `on_head`. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/internal.h"

enum { DEFAULT_CONNECTIONS = 4096, DEFAULT_IDLE_S = 30, DEFAULT_BODY_S = 60, DEFAULT_ANSWER_S = 60, CONNECTION_MEMORY = 16384,
       SEND_BUFFER = 64 << 10, BACKLOG = 4096 };
enum { SPARE_SHARE = 16 }; /* one connection in so many is kept free: libmicrohttpd does not hear who comes after the last */

/* ---- stages of a request ---- */

static enum MHD_Result queue_reply(struct request *r)
{
    if (!atomic_load(&r->replied)) return MHD_NO;
    struct MHD_Response *response = r->response;
    if (!response) {
        r->status = 500;
        return MHD_queue_response(r->connection, 500, r->server->no_memory);
    }
    r->response = NULL;
    guard_deadline(r->server->guard, r->guarded, r->server->options.answer_timeout_s);
    enum MHD_Result result = MHD_queue_response(r->connection, (unsigned)r->status, response);
    MHD_destroy_response(response);
    return result;
}

/* An answer before the body: libmicrohttpd closes the connection after it, the guard reads on for a moment so that the
 * peer gets to see it. */
static enum MHD_Result queue_early_reply(struct request *r)
{
    r->handled = true;
    guard_linger(r->server->guard, r->guarded);
    return queue_reply(r);
}

static bool content_type_is_json(struct request *r, struct error *e)
{
    const char *type = request_header(r, "Content-Type");
    size_t n = type ? strcspn(type, "; \t") : 0;
    if (type && n == strlen("application/json") && !strncasecmp(type, "application/json", n)) {
        const char *charset = strcasestr(type + n, "charset=");
        if (!charset) return true;
        charset += strlen("charset=");
        if (!strncasecmp(charset, "utf-8", 5) || !strncasecmp(charset, "\"utf-8\"", 7)) return true;
    }
    return error_set(e, ERR_UNSUPPORTED_MEDIA, "", "Content-Type must be application/json (in UTF-8), but is %s%.60s%s.",
                     type ? "\"" : "", type ? type : "missing", type ? "\"" : "");
}

static size_t most_bytes(const struct request *r) { return r->route->short_body ? REQUEST_SHORT_MAX : REQUEST_BODY_MAX; }

static bool size_is_allowed(const struct request *r, size_t bytes, struct error *e)
{
    if (bytes <= most_bytes(r) || bytes == SIZE_MAX) return true;
    return error_set(e, ERR_BODY_TOO_LARGE, "", "The body may have %zu bytes at most, Content-Length says %zu.", most_bytes(r),
                     bytes);
}

static void reply_options(struct request *r, const char *path)
{
    char allow[128] = "";
    r->route = route_allow(r->server, path, allow, sizeof allow);
    if (!r->route) {
        struct error e;
        error_set(&e, ERR_NOT_FOUND, "", "There is nothing at this path. The API is described in /openapi.json.");
        request_fail(r, &e, NULL);
        return;
    }
    request_add_header(r, "Allow", "%s", allow);
    if (r->route->cors) {
        request_add_header(r, "Access-Control-Allow-Methods", "%s", allow);
        request_add_header(r, "Access-Control-Allow-Headers",
                           "Authorization, Content-Type, Idempotency-Key, X-Request-Id");
        request_add_header(r, "Access-Control-Max-Age", "86400");
    }
    request_reply(r, 204, NULL, "", 0, NULL);
}

/* The head's checks in the order they are documented: sane, known path, allowed method, admitted, media type, size. */
static bool head_is_accepted(struct request *r, const char *path, const char *method, const char *version, size_t body)
{
    struct server *server = r->server;
    struct error e = {0};
    bool sane = head_check(r, method, version, &e);
    request_choose_id(r);
    if (sane && r->bad_target) sane = error_set(&e, ERR_MALFORMED_REQUEST, "", "The request's target holds a NUL or a control character.");
    if (!sane) {
        r->has_body = true; /* what follows the head cannot be trusted: close */
        request_fail(r, &e, NULL);
        return false;
    }
    if (!strcmp(method, "OPTIONS")) {
        reply_options(r, path);
        return false;
    }
    r->route = route_find(server, method, path, r->part, &e);
    bool ok = r->route != NULL;
    if (!ok && e.code == ERR_METHOD_NOT_ALLOWED) {
        char allow[128] = "";
        r->route = route_allow(server, path, allow, sizeof allow);
        request_add_header(r, "Allow", "%s", allow);
    }
    if (ok && r->route->admit) ok = r->route->admit(server->context, r, &e);
    if (ok && r->route->json_body) ok = content_type_is_json(r, &e);
    if (ok) ok = size_is_allowed(r, body, &e);
    if (!ok) request_fail(r, &e, NULL);
    return ok;
}

static enum MHD_Result on_head(struct request *r, const char *path, const char *method, const char *version)
{
    r->head_read = true;
    (void)snprintf(r->method, sizeof r->method, "%s", method);
    size_t body = head_body_bytes(r->connection);
    r->has_body = body > 0;
    r->close = body == SIZE_MAX; /* libmicrohttpd reads chunks leniently: nothing after them is read as a request */
    guard_deadline(r->server->guard, r->guarded, r->has_body ? r->server->options.body_timeout_s : 0);
    if (!head_is_accepted(r, path, method, version, body) && r->has_body) return queue_early_reply(r);
    return MHD_YES;
}

static enum MHD_Result on_body(struct request *r, const char *data, size_t *bytes)
{
    r->received += *bytes;
    if (r->received > DISCARD_MAX) return MHD_NO;
    bool wanted = r->route->json_body && !atomic_load(&r->replied);
    if (wanted && r->received > most_bytes(r)) { /* chunked: no length was announced */
        struct error e;
        error_set(&e, ERR_BODY_TOO_LARGE, "", "The body may have %zu bytes at most.", most_bytes(r));
        r->close = true;
        request_fail(r, &e, NULL);
    } else if (wanted && !request_append(r, data, *bytes)) {
        struct error e;
        error_set(&e, ERR_QUEUE_FULL, "", "Too many large requests are being read at once. Try again in a moment.");
        r->close = true;
        request_fail(r, &e, NULL);
    }
    *bytes = 0;
    return MHD_YES;
}

static void fail_shutting_down(struct request *r)
{
    struct error e;
    error_set(&e, ERR_SHUTTING_DOWN, "", "The service is shutting down. Try again in a moment.");
    e.retry_after_s = 5;
    request_fail(r, &e, NULL);
}

/* Runs the route's handler, unless the server stops: see server_stop. */
static void handle(struct request *r)
{
    struct server *server = r->server;
    pthread_mutex_lock(&server->lock);
    bool stopping = server->stopping;
    server->handling = !stopping;
    pthread_mutex_unlock(&server->lock);
    if (stopping) {
        fail_shutting_down(r);
        return;
    }
    r->route->handle(server->context, r);
    pthread_mutex_lock(&server->lock);
    server->handling = false;
    pthread_mutex_unlock(&server->lock);
}

static enum MHD_Result on_end(struct request *r)
{
    guard_deadline(r->server->guard, r->guarded, 0);
    if (!r->handled) {
        r->handled = true;
        if (!atomic_load(&r->replied)) handle(r);
        if (r->parked) return MHD_YES; /* called again when the reply is there */
    }
    return queue_reply(r);
}

/* ---- libmicrohttpd's callbacks ---- */

static void *on_target(void *arg, const char *target, struct MHD_Connection *connection)
{
    struct request *r = request_new(arg, connection, target);
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    if (!r) return NULL;
    if (info) r->guarded = info->socket_context;
    atomic_fetch_add(&r->server->open_requests, 1);
    return r;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *path, const char *method,
                                  const char *version, const char *data, size_t *bytes, void **slot)
{
    struct server *server = arg;
    struct request *r = *slot;
    if (!r) return MHD_queue_response(connection, 500, server->no_memory);
    if (!r->head_read) return on_head(r, path, method, version);
    if (*bytes) return on_body(r, data, bytes);
    return on_end(r);
}

static const double latency_bounds[LATENCY_BUCKETS] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                       0.1,    0.25,  0.5,    1,     2.5,  10,    30};

static void count(struct server *server, const struct request *r, int64_t latency_ns)
{
    size_t index = r->route ? (size_t)(r->route - server->routes) : server->route_count;
    struct route_counters *c = &server->counters[index];
    double seconds = (double)latency_ns / 1e9;
    int bucket = 0;
    while (bucket < LATENCY_BUCKETS && seconds > latency_bounds[bucket]) bucket++;
    c->latency[bucket]++;
    c->latency_sum += seconds;
    c->by_status[r->status > 0 && r->status < STATUS_MAX ? r->status : 0]++;
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **slot, enum MHD_RequestTerminationCode why)
{
    (void)connection;
    struct server *server = arg;
    struct request *r = *slot;
    *slot = NULL;
    if (!r) return;
    if (why != MHD_REQUEST_TERMINATED_COMPLETED_OK && r->status == 0 && r->id[0] == 0) request_choose_id(r);
    int64_t latency_ns = clock_monotonic_ns() - r->arrived_ns;
    count(server, r, latency_ns);
    if (server->options.log_requests) access_log(r, latency_ns);
    guard_deadline(server->guard, r->guarded, server->options.idle_timeout_s);
    atomic_fetch_sub(&server->open_requests, 1);
    request_release(r);
}

/* Peers that ask and do not read: what they leave with the kernel is bounded too (it would grow to some MiB each). */
static void limit_send_buffer(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    int bytes = SEND_BUFFER;
    if (info) (void)setsockopt(info->connect_fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **slot,
                          enum MHD_ConnectionNotificationCode what)
{
    struct server *server = arg;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        server->connections--;
        guard_remove(server->guard, *slot);
        *slot = NULL;
        return;
    }
    server->connections++;
    limit_send_buffer(connection);
    if (server->connections > server->options.connection_limit - server->options.connection_limit / SPARE_SHARE)
        guard_make_room(server->guard);
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    *slot = info ? guard_add(info->connect_fd) : NULL;
    guard_deadline(server->guard, *slot, server->options.idle_timeout_s);
}

/* ---- life ---- */

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* A listening socket on host:port, or -1 and `e`. */
static int listen_on(const char *host, int port, struct error *e)
{
    char service[8];
    (void)snprintf(service, sizeof service, "%d", port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *found = NULL;
    int failed = getaddrinfo(host, service, &hints, &found);
    if (failed) {
        error_set(e, ERR_INTERNAL, "host", "Cannot listen on host %s: %s.", host, gai_strerror(failed));
        return -1;
    }
    int one = 1, fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) ||
        bind(fd, found->ai_addr, found->ai_addrlen) || listen(fd, BACKLOG)) {
        error_set(e, ERR_INTERNAL, "port", "Cannot listen on %s port %d: %s. Choose another with --port.", host, port,
                  strerror(errno));
        if (fd >= 0) (void)close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

static int bound_port(int fd)
{
    struct sockaddr_storage address;
    socklen_t bytes = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &bytes)) return 0;
    if (address.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

static void server_free(struct server *server)
{
    if (server->guard) guard_close(server->guard);
    if (server->no_memory) MHD_destroy_response(server->no_memory);
    pthread_mutex_destroy(&server->lock);
    free(server->counters);
    free(server);
}

static void fill_defaults(struct server_options *o)
{
    if (!o->host) o->host = "127.0.0.1";
    if (o->connection_limit <= 0) o->connection_limit = DEFAULT_CONNECTIONS;
    if (o->idle_timeout_s <= 0) o->idle_timeout_s = DEFAULT_IDLE_S;
    if (o->body_timeout_s <= 0) o->body_timeout_s = DEFAULT_BODY_S;
    if (o->answer_timeout_s <= 0) o->answer_timeout_s = DEFAULT_ANSWER_S;
}

static struct MHD_Daemon *start_daemon(struct server *server, int fd)
{
    const struct server_options *o = &server->options;
    return MHD_start_daemon(
        MHD_USE_EPOLL_INTERNALLY | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC, 0, NULL, NULL, on_request, server,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)o->connection_limit,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)o->idle_timeout_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_MEMORY, MHD_OPTION_URI_LOG_CALLBACK, on_target, server, MHD_OPTION_NOTIFY_COMPLETED,
        on_completed, server, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
#if MHD_VERSION >= 0x00097600
        MHD_OPTION_CLIENT_DISCIPLINE_LVL, 1,
#endif
        MHD_OPTION_END);
}

struct server *server_start(const struct server_options *options, const struct route *routes, size_t route_count,
                            void *context, struct error *e)
{
    struct server *server = calloc(1, sizeof *server);
    struct route_counters *counters = calloc(route_count + 1, sizeof *counters);
    if (!server || !counters) {
        free(server);
        free(counters);
        error_set(e, ERR_INTERNAL, "", "Out of memory while starting the server.");
        return NULL;
    }
    server->options = *options;
    server->routes = routes;
    server->route_count = route_count;
    server->context = context;
    server->counters = counters;
    pthread_mutex_init(&server->lock, NULL);
    fill_defaults(&server->options);
    raise_descriptor_limit();
    int fd = listen_on(server->options.host, server->options.port, e);
    if (fd >= 0) {
        server->port = bound_port(fd);
        server->no_memory = no_memory_response();
        server->guard = server->no_memory ? guard_open() : NULL;
        server->daemon = server->guard ? start_daemon(server, fd) : NULL;
        if (server->daemon) return server;
        (void)close(fd);
        error_set(e, ERR_INTERNAL, "", "The HTTP server's threads could not be started: %s.", strerror(errno));
    }
    server_free(server);
    return NULL;
}

int server_port(const struct server *server) { return server->port; }

void server_quiesce(struct server *server)
{
    if (atomic_exchange(&server->draining, true)) return;
    MHD_socket fd = MHD_quiesce_daemon(server->daemon);
    if (fd != MHD_INVALID_SOCKET) (void)close(fd);
}

/* The first parked request with a reference of our own, or NULL; `busy`: a handler may be about to park one. */
static struct request *parked_request(struct server *server, bool *busy)
{
    pthread_mutex_lock(&server->lock);
    struct request *r = server->parked;
    if (r) atomic_fetch_add(&r->references, 1);
    *busy = server->handling;
    pthread_mutex_unlock(&server->lock);
    return r;
}

/* libmicrohttpd must not be stopped while a connection sleeps. So: no handler is entered from here on, the one that may be
 * running ends, and everything parked is answered; then nothing can go to sleep again. */
static void wake_all(struct server *server, const struct timespec *pause)
{
    pthread_mutex_lock(&server->lock);
    server->stopping = true;
    pthread_mutex_unlock(&server->lock);
    bool busy;
    for (struct request *r; (r = parked_request(server, &busy)) || busy;) {
        if (r && request_take(r))
            fail_shutting_down(r);
        else /* a handler runs, or a worker is replying this moment: let it leave the list */
            (void)nanosleep(pause, NULL);
    }
}

void server_stop(struct server *server)
{
    const struct timespec pause = {.tv_nsec = 10000000};
    server_quiesce(server);
    wake_all(server, &pause);
    for (int i = 0; i < 200 && atomic_load(&server->open_requests); i++) (void)nanosleep(&pause, NULL);
    MHD_stop_daemon(server->daemon);
    server_free(server);
}

/* ---- metrics ---- */

struct label {
    const char *route, *method;
};

static struct label label_of(const struct server *server, size_t i)
{
    if (i == server->route_count) return (struct label){"other", "other"};
    return (struct label){server->routes[i].path, server->routes[i].method};
}

static void print_counts(const struct server *server, size_t i, FILE *out)
{
    struct label l = label_of(server, i);
    for (int status = 0; status < STATUS_MAX; status++) {
        uint64_t n = server->counters[i].by_status[status];
        if (n)
            fprintf(out, "refractr_http_requests_total{route=\"%s\",method=\"%s\",status=\"%d\"} %" PRIu64 "\n", l.route,
                    l.method, status, n);
    }
}

static void print_latency(const struct server *server, size_t i, FILE *out)
{
    static const char name[] = "refractr_http_request_seconds";
    const struct route_counters *c = &server->counters[i];
    struct label l = label_of(server, i);
    uint64_t below = 0;
    for (int b = 0; b < LATENCY_BUCKETS; b++) {
        below += c->latency[b];
        fprintf(out, "%s_bucket{route=\"%s\",method=\"%s\",le=\"%g\"} %" PRIu64 "\n", name, l.route, l.method,
                latency_bounds[b], below);
    }
    below += c->latency[LATENCY_BUCKETS];
    fprintf(out, "%s_bucket{route=\"%s\",method=\"%s\",le=\"+Inf\"} %" PRIu64 "\n", name, l.route, l.method, below);
    fprintf(out, "%s_sum{route=\"%s\",method=\"%s\"} %.6f\n", name, l.route, l.method, c->latency_sum);
    fprintf(out, "%s_count{route=\"%s\",method=\"%s\"} %" PRIu64 "\n", name, l.route, l.method, below);
}

void server_metrics(struct server *server, FILE *out)
{
    fprintf(out, "# HELP refractr_http_connections Open connections.\n# TYPE refractr_http_connections gauge\n"
                 "refractr_http_connections %d\n", server->connections);
    fprintf(out, "# HELP refractr_http_requests_total Requests answered, by route and status (0: cut off).\n"
                 "# TYPE refractr_http_requests_total counter\n");
    for (size_t i = 0; i <= server->route_count; i++) print_counts(server, i, out);
    fprintf(out, "# HELP refractr_http_request_seconds Time from the request line to the answer written.\n"
                 "# TYPE refractr_http_request_seconds histogram\n");
    for (size_t i = 0; i <= server->route_count; i++) print_latency(server, i, out);
}
