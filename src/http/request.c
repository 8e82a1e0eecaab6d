/* request.c - one request's life: made with its first line, replied to once, freed when nobody holds it.
 *
 * References: the connection's (dropped by server.c when libmicrohttpd says the request is over) and, while parked, the
 * handler's (dropped by its reply). `answered` is the one slot a parked request's reply must win (request_take). */
#include <ctype.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/uuid.h"
#include "http/internal.h"

/* The target is for the log. A key that was put into the path by mistake must not stand there. */
static void mask_key(char *target)
{
    for (char *at = target; (at = strstr(at, "dm_"));)
        for (at += 3; isalnum((unsigned char)*at); at++) *at = '*';
}

struct request *request_new(struct server *server, struct MHD_Connection *connection, const char *target)
{
    struct request *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    atomic_init(&r->references, 1);
    r->server = server;
    r->connection = connection;
    r->arrived_ns = clock_monotonic_ns();
    r->target_at = target;
    r->target_bytes = strlen(target);
    size_t path = strcspn(target, "?");
    for (size_t i = 0; target[i]; i++)
        if ((unsigned char)target[i] <= 0x20 || target[i] == 0x7f) r->bad_target = true;
    if (strstr(target, "%00")) r->bad_target = true;
    for (size_t i = 0; i < path && i < TARGET_CHARS; i++) r->target[i] = (unsigned char)target[i] < 0x80 ? target[i] : '?';
    mask_key(r->target);
    return r;
}

/* Bytes of bodies over SMALL_BODY. The process's, not the server's: a worker may let go of a request after the server's end. */
static atomic_size_t large_bodies;

static void drop_body(struct request *r)
{
    if (r->body_capacity > SMALL_BODY) atomic_fetch_sub(&large_bodies, r->body_capacity);
    free(r->body);
    r->body = NULL;
    r->body_bytes = r->body_capacity = 0;
}

void request_release(struct request *r)
{
    if (atomic_fetch_sub(&r->references, 1) != 1) return;
    if (r->release) r->release(r->data);
    if (r->response) MHD_destroy_response(r->response);
    drop_body(r);
    free(r);
}

/* Grows the body's place. Small bodies are bounded by the number of connections, large ones by what all may take. */
static bool make_room(struct request *r, size_t bytes)
{
    size_t capacity = r->body_capacity ? r->body_capacity * 2 : 4096;
    size_t before = r->body_capacity > SMALL_BODY ? r->body_capacity : 0;
    while (capacity < bytes) capacity *= 2;
    size_t more = capacity > SMALL_BODY ? capacity - before : 0;
    if (more && atomic_fetch_add(&large_bodies, more) + more > LARGE_BODIES_MAX) {
        atomic_fetch_sub(&large_bodies, more);
        return false;
    }
    char *grown = realloc(r->body, capacity);
    if (!grown) {
        atomic_fetch_sub(&large_bodies, more);
        return false;
    }
    r->body = grown;
    r->body_capacity = capacity;
    return true;
}

bool request_append(struct request *r, const char *data, size_t bytes)
{
    if (r->body_bytes + bytes > r->body_capacity && !make_room(r, r->body_bytes + bytes)) {
        drop_body(r);
        return false;
    }
    memcpy(r->body + r->body_bytes, data, bytes);
    r->body_bytes += bytes;
    return true;
}

/* A client's own id is kept when it is harmless in logs and headers; otherwise a UUID. */
void request_choose_id(struct request *r)
{
    static const char sane[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    const char *given = request_header(r, "X-Request-Id");
    size_t n = given ? strlen(given) : 0;
    if (n > 0 && n <= REQUEST_ID_CHARS && strspn(given, sane) == n) {
        memcpy(r->id, given, n + 1);
        return;
    }
    uuid_make(r->id);
}

/* ---- what a handler may ask ---- */

const char *request_header(struct request *r, const char *name)
{
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

const char *request_query(struct request *r, const char *name)
{
    return MHD_lookup_connection_value(r->connection, MHD_GET_ARGUMENT_KIND, name);
}

void request_peer(struct request *r, char out[REQUEST_PEER_CHARS + 1])
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *peer = info ? info->client_addr : NULL;
    socklen_t bytes = peer && peer->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    if (!peer || getnameinfo(peer, bytes, out, REQUEST_PEER_CHARS + 1, NULL, 0, NI_NUMERICHOST)) out[0] = 0;
}

const char *request_part(const struct request *r) { return r->part; }

const char *request_id(const struct request *r) { return r->id; }

const char *request_route_path(const struct request *r) { return r->route ? r->route->path : ""; }

int64_t request_arrived_ns(const struct request *r) { return r->arrived_ns; }

void **request_data(struct request *r) { return &r->data; }

void request_on_end(struct request *r, void (*release)(void *data)) { r->release = release; }

struct server *request_server(const struct request *r) { return r->server; }

const void *request_body(const struct request *r, size_t *bytes)
{
    *bytes = r->body_bytes;
    return r->body ? r->body : "";
}

void request_set_account(struct request *r, const char *account_id)
{
    (void)snprintf(r->account, sizeof r->account, "%s", account_id);
}

/* ---- the reply ---- */

void request_add_header(struct request *r, const char *name, const char *format, ...)
{
    size_t room = HEADERS_BYTES - r->headers_bytes, name_bytes = strlen(name) + 1;
    char *at = r->headers + r->headers_bytes;
    va_list args;
    va_start(args, format);
    int n = name_bytes < room ? vsnprintf(at + name_bytes, room - name_bytes, format, args) : -1;
    va_end(args);
    if (n < 0 || (size_t)n >= room - name_bytes) {
        log_error(r->id, "header dropped: no room", LOG_STR("header", name));
        return;
    }
    memcpy(at, name, name_bytes);
    r->headers_bytes += name_bytes + (size_t)n + 1;
}

static bool put(struct MHD_Response *response, const char *name, const char *value)
{
    return MHD_add_response_header(response, name, value) == MHD_YES;
}

static bool put_cors(struct MHD_Response *response)
{
    return put(response, "Access-Control-Allow-Origin", "*") &&
           put(response, "Access-Control-Expose-Headers",
               "X-Request-Id, Location, Retry-After, X-Credits-Remaining, Idempotency-Replayed, "
               "RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, RateLimit-Policy");
}

/* False: no memory. An answer goes out with all its headers or not at all. */
static bool put_headers(struct request *r, const char *content_type)
{
    struct MHD_Response *response = r->response;
    bool ok = true;
    for (size_t at = 0; ok && at < r->headers_bytes;) {
        const char *name = r->headers + at, *value = name + strlen(name) + 1;
        ok = put(response, name, value);
        at += strlen(name) + strlen(value) + 2;
    }
    ok = ok && (!content_type || put(response, "Content-Type", content_type)) && put(response, "X-Request-Id", r->id) &&
         put(response, "X-Content-Type-Options", "nosniff");
    if (ok && !MHD_get_response_header(response, "Cache-Control")) ok = put(response, "Cache-Control", "no-store");
    if (ok && r->route && r->route->cors) ok = put_cors(response);
    if (ok && (r->close || atomic_load(&r->server->draining))) ok = put(response, "Connection", "close");
    return ok;
}

static char no_memory_body[] = "{\"error\":{\"type\":\"api_error\",\"code\":\"internal_error\",\"message\":\"There was no "
                               "memory for the answer.\",\"param\":null,\"doc_url\":\"/docs/#error-internal_error\","
                               "\"request_id\":null}}";

struct MHD_Response *no_memory_response(void)
{
    struct MHD_Response *made =
        MHD_create_response_from_buffer(sizeof no_memory_body - 1, no_memory_body, MHD_RESPMEM_PERSISTENT);
    if (made && put(made, "Content-Type", "application/json") && put(made, "X-Content-Type-Options", "nosniff") &&
        put(made, "Cache-Control", "no-store") && put_cors(made)) {
        return made;
    }
    if (made) MHD_destroy_response(made);
    return NULL;
}

/* ---- parking: the connection sleeps while somebody else works on its answer ---- */

void request_park(struct request *r)
{
    struct server *server = r->server;
    r->parked = true;
    atomic_fetch_add(&r->references, 1);
    pthread_mutex_lock(&server->lock);
    r->next = server->parked;
    if (r->next) r->next->previous = r;
    server->parked = r;
    pthread_mutex_unlock(&server->lock);
    MHD_suspend_connection(r->connection);
}

bool request_take(struct request *r)
{
    if (!atomic_exchange(&r->answered, true)) return true;
    request_release(r);
    return false;
}

/* Resumed before it leaves the list: server_stop may stop libmicrohttpd once the list is empty, and that must never find
 * a connection still asleep. */
static void unpark(struct request *r)
{
    struct server *server = r->server;
    MHD_resume_connection(r->connection);
    pthread_mutex_lock(&server->lock);
    if (r->next) r->next->previous = r->previous;
    if (r->previous)
        r->previous->next = r->next;
    else
        server->parked = r->next;
    pthread_mutex_unlock(&server->lock);
    request_release(r);
}

void request_reply(struct request *r, int status, const char *content_type, void *body, size_t bytes,
                   void (*free_body)(void *))
{
    r->status = status;
    r->response = free_body ? MHD_create_response_from_buffer_with_free_callback(bytes, body, free_body)
                            : MHD_create_response_from_buffer(bytes, body, MHD_RESPMEM_PERSISTENT);
    if (!r->response && free_body) free_body(body);
    if (r->response && !put_headers(r, content_type)) {
        MHD_destroy_response(r->response);
        r->response = NULL;
    }
    atomic_store(&r->replied, true);
    if (r->parked) unpark(r);
}

void request_reply_json(struct request *r, int status, json_t *body)
{
    char *text = body ? json_text(body, JSON_OUTSIDE) : NULL;
    json_decref(body);
    if (text) {
        request_reply(r, status, "application/json", text, strlen(text), free);
        return;
    }
    request_reply(r, 500, "application/json", no_memory_body, sizeof no_memory_body - 1, NULL);
}

/* A message cut at its buffer's end, or inside a name it quotes, may hold half a character, which is no JSON: such bytes
 * become '?'. */
static json_t *text_json(char *s)
{
    json_t *text;
    for (unsigned char *at = (unsigned char *)s; !(text = json_string(s)) && *at; at++) {
        if (*at < 0x80) continue;
        int rest = *at >= 0xf0 ? 3 : *at >= 0xe0 ? 2 : *at >= 0xc2 ? 1 : 0, i = 0;
        while (i < rest && (at[i + 1] & 0xc0) == 0x80) i++;
        if (rest == 0 || i < rest)
            *at = '?';
        else
            at += rest;
    }
    return text ? text : json_string("?");
}

json_t *request_error_json(const struct request *r, const struct error *error)
{
    struct error copy = *error, *e = &copy;
    const char *code = error_code_name(e->code), *docs = r->server->options.docs_url;
    char doc_url[256];
    (void)snprintf(doc_url, sizeof doc_url, "%s#error-%s", docs ? docs : "/docs/", code);
    return json_pack("{s:s, s:s, s:o, s:o, s:s, s:s}", "type", error_type_name(e->code), "code", code, "message",
                     text_json(e->message), "param", e->param[0] ? text_json(e->param) : json_null(), "doc_url", doc_url,
                     "request_id", r->id);
}

void request_fail(struct request *r, const struct error *e, json_t *extra)
{
    json_t *body = json_pack("{s:o}", "error", request_error_json(r, e));
    if (body && extra && json_object_update(body, extra)) {
        json_decref(body);
        body = NULL;
    }
    json_decref(extra);
    int status = body ? error_http_status(e->code) : 500, wait = e->retry_after_s;
    if (wait <= 0 && status == 503) wait = DEFAULT_RETRY_S;
    if (wait > 0) request_add_header(r, "Retry-After", "%d", wait);
    request_reply_json(r, status, body);
}
