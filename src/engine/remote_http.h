/* remote_http.h - one request to an upstream, with caps on time and bytes; no redirects, no proxy, no signals.
 * The only includer of curl in engine/. A struct http belongs to one thread; it keeps its connections. Called by remote.c. */
#ifndef REFRACTR_ENGINE_REMOTE_HTTP_H
#define REFRACTR_ENGINE_REMOTE_HTTP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum { HTTP_URL_CHARS = 512, HTTP_KEY_CHARS = 512 };

struct http;

struct http_request {
    const char *base, *path; /* "http://gpu1:8000", "/v1/models" */
    const char *key;         /* or NULL */
    const char *body;        /* JSON to POST; NULL: GET */
    int timeout_ms;
    size_t bytes_max;
    const atomic_bool *stop; /* the request is given up soon after this becomes true */
};

struct http_answer {
    long status;       /* 0: none came, `why` says why */
    char *bytes;       /* malloc'd, with a NUL behind; may be NULL when empty */
    size_t size;
    int retry_after_s; /* -1: not told */
    char why[128];
};

bool http_start(struct error *e) __attribute__((warn_unused_result)); /* once per engine, before the first http_open */
void http_stop(void);
struct http *http_open(void) __attribute__((warn_unused_result)); /* NULL: out of memory */
void http_close(struct http *http);

/* False: no whole answer came (answer->why). Any status is an answer. http_answer_clear when done, in both cases. */
bool http_do(struct http *http, const struct http_request *request, struct http_answer *answer)
    __attribute__((warn_unused_result));
void http_answer_clear(struct http_answer *answer);

/* Copies `length` bytes as a base URL without a slash or /v1 at its end. False: not http(s), too long, holds a user name or a
 * password, a query or a fragment (`e` names --upstream). */
bool http_base_url(const char *url, size_t length, char out[HTTP_URL_CHARS], struct error *e)
    __attribute__((warn_unused_result));

#endif
