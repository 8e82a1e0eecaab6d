/* head.c - refuses every request head that two programs could read in two ways (request smuggling, RFC 9112 s. 11.2).
 *
 * libmicrohttpd 0.9.75 lets pass: Transfer-Encoding beside Content-Length, repeated Content-Length, "Name :" with white
 * space, continued lines (obs-fold), bare LF, NUL in values, hosts that are none, a request line with more than one space in a
 * row. All are a 400 here and the connection is closed. Its reading of chunks cannot be seen from here (bare LF passes): a
 * connection ends with the answer to a chunked body, so what follows it is never read as a request (server.c). */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "http/internal.h"

struct head {
    const char *problem; /* first one found, NULL when none */
    int hosts, lengths, encodings;
    bool chunked;
    const char *expected_name; /* where the next header's name must stand when lines end in CRLF and nothing else */
    bool contiguous;
};

static bool is_token(const char *s, size_t n)
{
    static const char allowed[] = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    return n > 0 && strspn(s, allowed) == n;
}

static bool has_control(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (((unsigned char)s[i] < 0x20 && s[i] != '\t') || s[i] == 0x7f) return true;
    return false;
}

/* A host and a port by their characters (RFC 3986, s. 3.2.2); an empty one is allowed. */
static bool is_host(const char *s)
{
    static const char allowed[] = "-._~%!$&'()*+,;=:[]0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    return s[strspn(s, allowed)] == 0;
}

/* libmicrohttpd 0.9.75 hands out pointers into the head as it was received, with each CRLF overwritten by two NULs. A
 * line that ended in a bare LF, a continued line (moved elsewhere) or a NUL inside a value therefore shows as a gap
 * between one header's end and the next one's name; a second space in the request line likewise. Where the gap is of the right
 * width, it must hold NULs. Versions from 1.0 on refuse such heads themselves (MHD_OPTION_CLIENT_DISCIPLINE_LVL, set in
 * server.c). */
static bool crlf_before(const char *at) { return MHD_VERSION >= 0x00097600 || (at[-1] == '\0' && at[-2] == '\0'); }

static enum MHD_Result see_header(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_bytes,
                                  const char *value, size_t value_bytes)
{
    (void)kind;
    struct head *h = arg;
    if (!value) value = "", value_bytes = 0, h->contiguous = false;
    if (!is_token(name, name_bytes)) h->problem = "a header name holds white space or a character that is not allowed";
    if (has_control(value, value_bytes)) h->problem = "a header value holds a control character";
    if (!strcasecmp(name, "Host")) {
        h->hosts++;
        if (!is_host(value)) h->problem = "the Host header holds a character that no host name and port has";
    }
    if (!strcasecmp(name, "Content-Length")) h->lengths++;
    if (!strcasecmp(name, "Transfer-Encoding")) {
        h->encodings++;
        h->chunked = !strcasecmp(value, "chunked");
    }
    if (h->expected_name != name || !crlf_before(name)) h->contiguous = false;
    h->expected_name = value + value_bytes + 2;
    return MHD_YES;
}

#if MHD_VERSION < 0x00097600
static bool lines_end_in_crlf(const struct request *r, const char *method, const struct head *h)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    const char *end = info ? method + info->header_size : NULL;
    return end && h->contiguous && h->expected_name + 2 == end && crlf_before(end) && crlf_before(end - 2);
}

static bool parts_are_single_spaced(const struct request *r, const char *method, const char *version)
{
    return r->target_at == method + strlen(method) + 1 && version == r->target_at + r->target_bytes + 1;
}
#else
static bool lines_end_in_crlf(const struct request *r, const char *method, const struct head *h)
{
    (void)r, (void)method, (void)h;
    return true;
}

static bool parts_are_single_spaced(const struct request *r, const char *method, const char *version)
{
    (void)r, (void)method, (void)version;
    return true;
}
#endif

bool head_check(const struct request *r, const char *method, const char *version, struct error *e)
{
    struct MHD_Connection *connection = r->connection;
    struct head h = {.contiguous = true, .expected_name = version + strlen(version) + 2};
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, see_header, &h);
    bool http_1_0 = !strcmp(version, "HTTP/1.0");
    if (!is_token(method, strlen(method))) h.problem = "the method is not a token";
    if (!h.problem && !parts_are_single_spaced(r, method, version))
        h.problem = "the request line's parts are not parted by single spaces";
    if (!h.problem && !lines_end_in_crlf(r, method, &h))
        h.problem = "a header line does not end in CRLF, is continued on the next line, or holds a NUL";
    if (!h.problem && h.encodings && h.lengths) h.problem = "Transfer-Encoding and Content-Length exclude each other";
    if (!h.problem && h.lengths > 1) h.problem = "there is more than one Content-Length";
    if (!h.problem && (h.encodings > 1 || (h.encodings && !h.chunked)))
        h.problem = "the only Transfer-Encoding understood is chunked";
    if (!h.problem && h.encodings && http_1_0) h.problem = "HTTP/1.0 has no Transfer-Encoding";
    if (!h.problem && h.hosts > 1) h.problem = "there is more than one Host header";
    if (!h.problem && h.hosts == 0 && !http_1_0) h.problem = "the Host header is missing";
    if (!h.problem) return true;
    return error_set(e, ERR_MALFORMED_REQUEST, "", "The request head is refused: %s.", h.problem);
}

size_t head_body_bytes(struct MHD_Connection *connection)
{
    if (MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Transfer-Encoding")) return SIZE_MAX;
    const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");
    return length ? (size_t)strtoull(length, NULL, 10) : 0;
}
