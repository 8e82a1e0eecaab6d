/* fuzz_http.c - any bytes from a client: the server on one end of a socket pair, libmicrohttpd run by this very thread.
 *
 * The first byte says how the rest arrives (at once, or in pieces). An independent strict reader (RFC 9112, below) looks at
 * the same bytes: the server may never have answered a request the strict reader does not see, which is what request
 * smuggling comes down to. Answers must be whole and carry an id. */
#include <microhttpd.h>
#undef MHD_USE_EPOLL_INTERNALLY
#define MHD_USE_EPOLL_INTERNALLY MHD_USE_EPOLL /* no thread of its own: MHD_run is called here */
#include "http/server.c"

#include <ctype.h>
#include <poll.h>

#include "api/internal.h"
#include "base/log.h"
#include "fuzz.h"

/* ---- the server ------------------------------------------------------------------------------------------------------ */

static void reply_path(void *context, struct request *r)
{
    char client[REQUEST_PEER_CHARS + 1];
    struct api *api = context;
    web_client(api, r, client);
    request_reply_json(r, 200, json_pack("{s:s, s:i, s:b}", "path", request_route_path(r), "limit", web_limit(r, "limit", 5, 50),
                                         "tls", web_behind_tls(api, r)));
}

static void reply_part(void *context, struct request *r)
{
    struct error e;
    (void)context;
    error_set(&e, ERR_JOB_NOT_FOUND, "job_id", "There is no job %s.", request_part(r));
    request_fail(r, &e, NULL);
}

static void reply_body(void *context, struct request *r)
{
    struct error e = {0};
    (void)context;
    json_t *body = web_body(r, &e);
    if (body) request_reply_json(r, 200, json_pack("{s:o}", "sent", body));
    else request_fail(r, &e, NULL);
}

static void park(void *context, struct request *r)
{
    request_park(r);
    must(request_take(r));
    reply_path(context, r);
}

static const struct route routes[] = {
    {.method = "GET", .path = "/a", .handle = reply_path},
    {.method = "DELETE", .path = "/a", .handle = reply_path},
    {.method = "GET", .path = "/job/{id}/", .cors = true, .handle = reply_part},
    {.method = "POST", .path = "/body/", .cors = true, .json_body = true, .handle = reply_body},
    {.method = "POST", .path = "/park", .json_body = true, .handle = park},
    {.method = "GET", .path = "/visit", .admit = admit_visitor, .handle = reply_path},
    {.method = "POST", .path = "/change", .json_body = true, .admit = admit_visitor_change, .handle = reply_body},
};

static struct server *server;
static int epoll_fd;

static void open_server(void)
{
    static struct api api = {.options = {.trust_proxy = true}};
    struct error e;
    log_set_level(LOG_OFF);
    server = server_start(&(struct server_options){.idle_timeout_s = 600, .log_requests = true}, routes,
                          sizeof routes / sizeof routes[0], &api, &e);
    must(server != NULL);
    epoll_fd = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

enum { ANSWERS_MAX = 1 << 20 };
static char answers[ANSWERS_MAX + 1];
static size_t answer_bytes;

static void collect(int fd)
{
    for (ssize_t n; answer_bytes < ANSWERS_MAX && (n = recv(fd, answers + answer_bytes, ANSWERS_MAX - answer_bytes, MSG_DONTWAIT)) > 0;)
        answer_bytes += (size_t)n;
}

/* Runs the server until it has nothing left to do. */
static void run_server(int fd)
{
    for (int i = 0; i < 10000; i++) {
        MHD_UNSIGNED_LONG_LONG wait = 1;
        MHD_run(server->daemon);
        collect(fd);
        if (MHD_get_timeout(server->daemon, &wait) == MHD_YES && wait == 0) continue;
        if (poll(&(struct pollfd){.fd = epoll_fd, .events = POLLIN}, 1, 0) <= 0) return;
    }
    must(false); /* it never comes to rest */
}

static void talk(const char *bytes, size_t size, size_t piece)
{
    int ends[2], room = 1 << 20;
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    (void)setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    must(MHD_add_connection(server->daemon, ends[1], (struct sockaddr *)&peer, sizeof peer) == MHD_YES);
    answer_bytes = 0;
    for (size_t at = 0; at < size;) {
        size_t n = piece && piece < size - at ? piece : size - at;
        ssize_t sent = send(ends[0], bytes + at, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent <= 0) break; /* closed, or it reads no more */
        at += (size_t)sent;
        run_server(ends[0]);
    }
    run_server(ends[0]);
    answers[answer_bytes] = '\0';
    (void)close(ends[0]);
    for (int i = 0; server->connections > 0 && i < 10000; i++) MHD_run(server->daemon);
    must(server->connections == 0 && atomic_load(&server->open_requests) == 0 && server->parked == NULL);
}

/* ---- the strict reader ----------------------------------------------------------------------------------------------- */

struct message {
    int hosts, lengths, encodings;
    size_t length;
    bool chunked, http_1_0;
};

static bool is_token_char(char c) { return isalnum((unsigned char)c) || (c && strchr("!#$%&'*+-.^_`|~", c)); }

/* Whether libmicrohttpd 0.9.75 writes over this byte with a NUL where a head may end. */
static bool written_over(char c) { return memchr("\r\n:", c, 4) != NULL; }

/* Four such bytes to a line's end, not beginning with a colon ("a NUL CR LF LF", "a LF : CR LF"), count as CRLF CRLF: all of
 * them are NULs before anybody may look (TESTING.md). */
static bool ends_head(const char *s, size_t bytes)
{
    return bytes >= 4 && s[0] != ':' && (s[3] == '\r' || s[3] == '\n') && written_over(s[0]) && written_over(s[1]) && written_over(s[2]);
}

/* The length of the line at s, its CRLF not counted; -1 when it does not end in CRLF or holds a control character.
 * NUL LF counts as CRLF, and ":" LF as the empty line, for the same reason. */
static ssize_t line_length(const char *s, size_t bytes)
{
    if (bytes >= 2 && s[0] == ':' && s[1] == '\n') return 0;
    for (size_t i = 0; i + 1 < bytes; i++) {
        if (((s[i] == '\r' || s[i] == '\0') && s[i + 1] == '\n') || ends_head(s + i, bytes - i)) return (ssize_t)i;
        if (((unsigned char)s[i] < 0x20 && s[i] != '\t') || s[i] == 0x7f) return -1;
    }
    return -1;
}

static bool request_line_ok(const char *s, size_t n, struct message *m)
{
    size_t i = 0, target;
    while (i < n && is_token_char(s[i])) i++;
    if (i == 0 || i == n || s[i++] != ' ') return false;
    for (target = i; i < n && (unsigned char)s[i] > 0x20; i++) {}
    if (i == target || n - i != 9 || strncmp(s + i, " HTTP/1.", 8)) return false;
    m->http_1_0 = s[i + 8] == '0';
    return isdigit((unsigned char)s[i + 8]);
}

static bool field_ok(const char *s, size_t n, struct message *m)
{
    size_t name = 0, at, end = n;
    while (name < n && is_token_char(s[name])) name++;
    if (name == 0 || name == n || s[name] != ':') return false;
    for (at = name + 1; at < n && (s[at] == ' ' || s[at] == '\t'); at++) {}
    while (end > at && (s[end - 1] == ' ' || s[end - 1] == '\t')) end--;
    if (name == 4 && !strncasecmp(s, "Host", 4)) m->hosts++;
    if (name == 14 && !strncasecmp(s, "Content-Length", 14)) {
        m->lengths++;
        for (size_t i = at; i < end; i++) {
            if (!isdigit((unsigned char)s[i])) return false;
            m->length = m->length > SIZE_MAX / 20 ? SIZE_MAX / 20 : m->length * 10 + (size_t)(s[i] - '0');
        }
        if (at == end) return false;
    }
    if (name == 17 && !strncasecmp(s, "Transfer-Encoding", 17)) {
        m->encodings++;
        m->chunked = end - at == 7 && !strncasecmp(s + at, "chunked", 7);
        if (!m->chunked) return false;
    }
    return true;
}

/* Empty lines before a request are skipped by all; libmicrohttpd 0.9.75 takes a line that begins with NUL for one. */
static size_t skipped_bytes(const char *s, size_t bytes)
{
    size_t at = 0;
    for (; at < bytes && (s[at] == '\r' || s[at] == '\n' || s[at] == '\0'); at++) {
        const char *end = s[at] ? NULL : memchr(s + at, '\n', bytes - at);
        if (end) at = (size_t)(end - s);
    }
    return at;
}

/* How many requests RFC 9112 sees in the bytes whose heads leave no doubt, stopping at the first that does. */
static size_t strict_requests(const char *s, size_t bytes)
{
    size_t seen = 0, at = 0;
    while (at < bytes) {
        struct message m = {0};
        at += skipped_bytes(s + at, bytes - at);
        ssize_t n = line_length(s + at, bytes - at);
        if (n < 0 || !request_line_ok(s + at, (size_t)n, &m)) return seen;
        while (!ends_head(s + at + n, bytes - at - (size_t)n)) {
            at += (size_t)n + 2;
            if ((n = line_length(s + at, bytes - at)) <= 0) break;
            if (!field_ok(s + at, (size_t)n, &m)) return seen;
        }
        if (n < 0 || m.lengths > 1 || m.encodings > 1 || (m.lengths && m.encodings) || m.hosts > 1) return seen;
        if ((m.encodings && m.http_1_0) || (!m.http_1_0 && m.hosts == 0)) return seen;
        at += n ? (size_t)n + 4 : 2; /* the last line and the empty one in one, or the empty one */
        seen++;
        if (m.chunked || m.length > bytes - at) return seen; /* nothing after a chunked body may be read */
        at += m.length;
    }
    return seen;
}

/* ---- what was answered ----------------------------------------------------------------------------------------------- */

/* Answers that took a request for one: every status but 400 and what libmicrohttpd itself says to a broken head. */
static size_t count_taken(void)
{
    size_t taken = 0;
    for (const char *at = answers; (at = strstr(at, "HTTP/1.")); at++) {
        int status = 0;
        if (at != answers && at[-1] != '\n' && at[-1] != '}') continue; /* inside an echoed text */
        must(sscanf(at, "HTTP/1.%*1[01] %3d ", &status) == 1 && status >= 100 && status < 600);
        if (status != 400 && status != 413 && status != 414 && status != 431 && status != 505 && status >= 200) taken++;
    }
    return taken;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) return 0;
    if (!server) open_server();
    char *bytes = as_text(data + 1, size - 1);
    talk(bytes, size - 1, data[0] < 128 ? 0 : (size_t)(data[0] - 127));
    must(strlen(answers) == answer_bytes);
    must(count_taken() <= strict_requests(bytes, size - 1));
    free(bytes);
    return 0;
}
