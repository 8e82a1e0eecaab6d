/* remote_http.c - see remote_http.h. */
#include "engine/remote_http.h"

#include <curl/curl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECT_MS = 3000, FIRST_ROOM = 16 * 1024 };

struct http {
    CURL *curl;
    char error[CURL_ERROR_SIZE];
};

struct receiver { struct http_answer *answer; size_t room, max; bool too_long, no_memory; };

bool http_start(struct error *e)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ||
           error_set(e, ERR_ENGINE_UNAVAILABLE, "", "libcurl does not start.");
}

void http_stop(void)
{
    curl_global_cleanup();
}

struct http *http_open(void)
{
    struct http *http = calloc(1, sizeof *http);
    if (http && !(http->curl = curl_easy_init())) {
        free(http);
        return NULL;
    }
    return http;
}

void http_close(struct http *http)
{
    if (!http)
        return;
    curl_easy_cleanup(http->curl);
    free(http);
}

/* ---- one request ------------------------------------------------------------------------------------------------- */

static size_t receive(char *data, size_t size, size_t count, void *argument)
{
    struct receiver *r = argument;
    struct http_answer *a = r->answer;
    size_t more = size * count, needed = a->size + more;
    if (needed > r->max) {
        r->too_long = true;
        return 0;
    }
    if (needed + 1 > r->room) {
        size_t room = needed + 1 > 2 * r->room ? needed + 1 + FIRST_ROOM : 2 * r->room;
        char *bytes = realloc(a->bytes, room);
        if (!bytes) {
            r->no_memory = true;
            return 0;
        }
        a->bytes = bytes;
        r->room = room;
    }
    memcpy(a->bytes + a->size, data, more);
    a->size = needed;
    a->bytes[needed] = '\0';
    return more;
}

static int watch(void *stop, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)a, (void)b, (void)c, (void)d;
    return atomic_load((const atomic_bool *)stop);
}

static struct curl_slist *headers_of(const struct http_request *request, bool *ok)
{
    char line[HTTP_KEY_CHARS + 32];
    struct curl_slist *list = NULL, *more;
    const char *lines[] = {"Content-Type: application/json", "Expect:", request->key ? line : NULL};
    snprintf(line, sizeof line, "Authorization: Bearer %s", request->key ? request->key : "");
    for (size_t i = 0; i < sizeof lines / sizeof *lines && lines[i]; i++) {
        more = curl_slist_append(list, lines[i]);
        *ok = *ok && more;
        list = more ? more : list;
    }
    return list;
}

static bool set_options(struct http *http, const struct http_request *request, const char *url, struct curl_slist *headers,
                        struct receiver *receiver)
{
    CURL *c = http->curl;
    bool ok = true;
    curl_easy_reset(c); /* connections stay */
#define SET(option, value) ok = curl_easy_setopt(c, option, value) == CURLE_OK && ok
    SET(CURLOPT_URL, url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_PROXY, ""); /* none from the environment: documents go where the operator said */
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(request->timeout_ms < CONNECT_MS ? request->timeout_ms : CONNECT_MS));
    SET(CURLOPT_HTTPHEADER, headers);
    SET(CURLOPT_USERAGENT, "refractr/" REFRACTR_VERSION);
    SET(CURLOPT_ERRORBUFFER, http->error);
    SET(CURLOPT_WRITEFUNCTION, receive);
    SET(CURLOPT_WRITEDATA, receiver);
    if (request->body) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(request->body));
        SET(CURLOPT_POSTFIELDS, request->body);
    }
    if (request->stop) {
        SET(CURLOPT_NOPROGRESS, 0L);
        SET(CURLOPT_XFERINFOFUNCTION, watch);
        SET(CURLOPT_XFERINFODATA, (void *)(uintptr_t)request->stop);
    }
#undef SET
    return ok;
}

static const char *reason(const struct http *http, const struct receiver *receiver, CURLcode code)
{
    if (receiver->too_long)
        return "the answer is longer than the limit";
    if (receiver->no_memory)
        return "out of memory for the answer";
    return http->error[0] ? http->error : curl_easy_strerror(code);
}

bool http_do(struct http *http, const struct http_request *request, struct http_answer *answer)
{
    char url[HTTP_URL_CHARS + 64];
    struct receiver receiver = {.answer = answer, .max = request->bytes_max};
    bool ok = true;
    *answer = (struct http_answer){.retry_after_s = -1};
    http->error[0] = '\0';
    snprintf(url, sizeof url, "%s%s", request->base, request->path);
    struct curl_slist *headers = headers_of(request, &ok);
    ok = ok && set_options(http, request, url, headers, &receiver);
    CURLcode code = ok ? curl_easy_perform(http->curl) : CURLE_OUT_OF_MEMORY;
    curl_slist_free_all(headers);
    if (code != CURLE_OK) {
        snprintf(answer->why, sizeof answer->why, "%.120s", reason(http, &receiver, code));
        return false;
    }
    curl_off_t wait = -1;
    curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &answer->status);
    if (curl_easy_getinfo(http->curl, CURLINFO_RETRY_AFTER, &wait) == CURLE_OK && wait > 0)
        answer->retry_after_s = wait < INT32_MAX ? (int)wait : INT32_MAX;
    snprintf(answer->why, sizeof answer->why, "status %ld", answer->status);
    return true;
}

void http_answer_clear(struct http_answer *answer)
{
    free(answer->bytes);
    *answer = (struct http_answer){.status = 0};
}

/* ---- addresses --------------------------------------------------------------------------------------------------- */

static bool has_part(CURLU *url, CURLUPart part)
{
    char *text = NULL;
    bool has = curl_url_get(url, part, &text, 0) == CURLUE_OK;
    curl_free(text);
    return has;
}

bool http_base_url(const char *given, size_t length, char out[HTTP_URL_CHARS], struct error *e)
{
    if (length >= HTTP_URL_CHARS)
        return error_set(e, ERR_INVALID_VALUE, "upstream", "--upstream: a URL may have %d bytes at most, but one has %zu.",
                         HTTP_URL_CHARS - 1, length);
    memcpy(out, given, length);
    out[length] = '\0';
    CURLU *url = curl_url();
    bool web = !strncmp(out, "http://", 7) || !strncmp(out, "https://", 8);
    bool ok = web && url && curl_url_set(url, CURLUPART_URL, out, 0) == CURLUE_OK && !has_part(url, CURLUPART_USER) &&
              !has_part(url, CURLUPART_PASSWORD) && !has_part(url, CURLUPART_QUERY) && !has_part(url, CURLUPART_FRAGMENT);
    curl_url_cleanup(url);
    if (!ok)
        return error_set(e, ERR_INVALID_VALUE, "upstream", "--upstream: each must be a URL as in http://gpu1:8000, without user "
                         "name, password or query; '%.80s' is not (a key goes into --upstream-key-file).", out);
    while (length && out[length - 1] == '/')
        out[--length] = '\0';
    if (length > 3 && !strcmp(out + length - 3, "/v1"))
        out[length - 3] = '\0';
    return true;
}
