/* web.c - what the pages' own calls (docs/web-api.md) share: cookie, CSRF token, session, workers, small readers.
 *
 * The head's checks run on the HTTP thread (one indexed read at most); what waits for a commit, a password's hash or Stripe
 * is done by a worker, which takes the parked request before it begins, so nobody else may answer it. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/internal.h"
#include "base/clock.h"

enum { BUSY_RETRY_S = 2 };

/* ---- cookie and session ---------------------------------------------------------------------------------------------- */

/* Behind TLS the name's prefix makes browsers refuse the cookie from anywhere but this very host: no page of a sister
 * domain, and none on plain http, can plant one. */
const char *web_cookie_name(struct api *api, struct request *r)
{
    return web_behind_tls(api, r) ? "__Host-refractr_session" : "refractr_session";
}

/* The value of the cookie `name` in a Cookie header (or NULL) when it is well-formed, "" otherwise. */
static void read_cookie(const char *header, const char *name, char cookie[TOKEN_CHARS + 1])
{
    const char *at = header;
    size_t name_bytes = strlen(name);
    cookie[0] = 0;
    while (at && *at) {
        at += strspn(at, " ;");
        size_t n = strcspn(at, ";");
        if (n == name_bytes + 1 + TOKEN_CHARS && !strncmp(at, name, name_bytes) && at[name_bytes] == '=') {
            (void)snprintf(cookie, TOKEN_CHARS + 1, "%.*s", TOKEN_CHARS, at + name_bytes + 1);
            if (!token_well_formed(cookie)) cookie[0] = 0;
        }
        at += n;
    }
}

bool admit_visitor(void *context, struct request *r, struct error *e)
{
    struct visit *visit = visit_open(context, r, e);
    if (!visit) return false;
    read_cookie(request_header(r, "Cookie"), web_cookie_name(context, r), visit->cookie);
    return true;
}

static bool check_csrf(struct request *r, struct error *e)
{
    const char *cookie = visit_of(r)->cookie;
    if (cookie[0] && token_csrf_ok(cookie, request_header(r, "X-CSRF-Token"))) return true;
    return error_set(e, ERR_CSRF, "X-CSRF-Token", "The header X-CSRF-Token does not belong to this session. Reload the page.");
}

bool admit_visitor_change(void *context, struct request *r, struct error *e)
{
    return admit_visitor(context, r, e) && check_csrf(r, e);
}

bool admit_session(void *context, struct request *r, struct error *e)
{
    struct api *api = context;
    if (!admit_visitor(context, r, e)) return false;
    struct visit *visit = visit_of(r);
    if (!account_session(api->options.account, visit->cookie, &visit->session, e)) return false;
    memcpy(visit->caller.account_id, visit->session.account.id, sizeof visit->caller.account_id);
    visit->caller.key_id = -visit->session.id; /* keys are counted from 1: a session has a rate window of its own */
    request_set_account(r, visit->caller.account_id);
    return true;
}

bool admit_session_change(void *context, struct request *r, struct error *e)
{
    return admit_session(context, r, e) && check_csrf(r, e);
}

bool admit_session_extract(void *context, struct request *r, struct error *e)
{
    return admit_session_change(context, r, e) && admit_rate(context, r, RATE_EXTRACT, e);
}

/* ---- workers --------------------------------------------------------------------------------------------------------- */

static void run_work(void *arg)
{
    struct request *r = arg;
    if (request_take(r)) visit_of(r)->work(visit_of(r)->api, r);
}

void web_work(struct request *r, struct worker *worker, void (*work)(struct api *api, struct request *r))
{
    struct error e;
    visit_of(r)->work = work;
    request_park(r);
    if ((worker && worker_post(worker, run_work, r)) || !request_take(r)) return;
    error_set(&e, ERR_QUEUE_FULL, "", "Too many calls are waiting. Try again in a moment.");
    e.retry_after_s = BUSY_RETRY_S;
    request_fail(r, &e, NULL);
}

/* ---- the client ------------------------------------------------------------------------------------------------------ */

/* Behind a proxy the last address of X-Forwarded-For is the one the proxy itself saw; all before it are hearsay. */
void web_client(struct api *api, struct request *r, char out[REQUEST_PEER_CHARS + 1])
{
    const char *list = api->options.trust_proxy ? request_header(r, "X-Forwarded-For") : NULL;
    const char *last = list ? strrchr(list, ',') : NULL;
    if (last) list = last + 1;
    if (list) list += strspn(list, " \t");
    if (list && *list) (void)snprintf(out, REQUEST_PEER_CHARS + 1, "%s", list);
    else request_peer(r, out);
}

bool web_behind_tls(struct api *api, struct request *r)
{
    const char *proto = api->options.trust_proxy ? request_header(r, "X-Forwarded-Proto") : NULL;
    const char *site = api->options.public_url;
    return (proto && !strcasecmp(proto, "https")) || (site && !strncmp(site, "https://", 8));
}

/* ---- bodies and values ----------------------------------------------------------------------------------------------- */

json_t *web_body(struct request *r, struct error *e)
{
    size_t size;
    const char *bytes = request_body(r, &size);
    json_t *body = json_body_parse(bytes, size, e);
    if (!body || json_is_object(body)) return body;
    json_decref(body);
    error_set(e, ERR_WRONG_TYPE, "", "The body must be a JSON object.");
    return NULL;
}

const char *web_optional(const json_t *body, const char *name)
{
    const json_t *value = json_object_get(body, name);
    const char *text = json_string_value(value);
    return text && strlen(text) == json_string_length(value) ? text : NULL;
}

const char *web_text(const json_t *body, const char *name, struct error *e)
{
    const char *text = web_optional(body, name);
    if (!text) error_set(e, ERR_MISSING_FIELD, name, "%s is missing, or is not a string without NULs.", name);
    return text;
}

int64_t web_number(const char *text)
{
    if (!text || !*text || strlen(text) > 18 || text[strspn(text, "0123456789")]) return -1;
    return strtoll(text, NULL, 10);
}

int web_limit(struct request *r, const char *name, int fallback, int max)
{
    int64_t given = web_number(request_query(r, name));
    if (given < 1) return fallback;
    return given < max ? (int)given : max;
}

json_t *web_time(int64_t wall_ms)
{
    char iso[CLOCK_ISO_CHARS + 1];
    if (wall_ms == 0) return json_null();
    clock_iso8601(wall_ms, iso);
    return json_string(iso);
}

bool web_append(json_t **list, json_t *row)
{
    if (json_array_append_new(*list, row) == 0) return true;
    json_decref(*list);
    *list = NULL;
    return false;
}

json_t *web_id(int64_t id) { return json_sprintf("%lld", (long long)id); }

void web_ok(struct request *r) { request_reply_json(r, 200, json_pack("{s:b}", "ok", 1)); }
