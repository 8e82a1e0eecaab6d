/* session.c - GET, POST, DELETE /web/v1/session, POST /web/v1/signup, /web/v1/signin-link, /web/v1/password. */
#include <string.h>

#include "api/internal.h"

enum { COOKIE_SECONDS = SESSION_DAYS * 86400 };

/* `cookie` "": the browser shall forget it. */
static void set_cookie(struct api *api, struct request *r, const char *cookie)
{
    request_add_header(r, "Set-Cookie", "%s=%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Lax%s", web_cookie_name(api, r), cookie,
                       cookie[0] ? COOKIE_SECONDS : 0, web_behind_tls(api, r) ? "; Secure" : "");
}

static json_t *or_null(const char *text) { return text && *text ? json_string(text) : json_null(); }

/* The answer of GET; `session` NULL: nobody is signed in. */
static json_t *session_json(struct api *api, const char *cookie, const struct store_session *session)
{
    const struct api_options *o = &api->options;
    char csrf[TOKEN_CHARS + 1];
    token_csrf(cookie, csrf);
    json_t *body = json_pack("{s:b, s:s, s:b, s:s}", "signed_in", session != NULL, "csrf_token", csrf, "signup_open",
                             o->signup_open, "contact", o->contact ? o->contact : "");
    if (!body || !session) return body;
    int64_t credits = session->account.balance - session->account.held;
    json_t *more = json_pack("{s:o, s:s, s:s, s:I, s:b, s:b}", "email", or_null(session->email), "account_id",
                             session->account.id, "account_name", session->account.name, "credits", (json_int_t)credits,
                             "low_credits", credits < o->low_credits, "has_password", session->password_hash[0] != 0);
    if (!more || json_object_update(body, more)) json_decref(body), body = NULL;
    json_decref(more);
    return body;
}

void handle_session(void *context, struct request *r)
{
    struct api *api = context;
    struct visit *visit = visit_of(r);
    struct error e = {0};
    bool signed_in = account_session(api->options.account, visit->cookie, &visit->session, &e);
    if (!signed_in && e.code != ERR_NOT_SIGNED_IN) {
        request_fail(r, &e, NULL);
        return;
    }
    if (!visit->cookie[0]) token_make(visit->cookie);
    set_cookie(api, r, visit->cookie); /* also prolongs the browser's copy */
    request_reply_json(r, 200, session_json(api, visit->cookie, signed_in ? &visit->session : NULL));
}

/* Replies to a call that has opened a session: the new cookie, and what GET would say. The old session ends. */
static void reply_entered(struct api *api, struct request *r, const char *cookie)
{
    struct store_session session, old;
    struct error e = {0}, ignored;
    if (account_session(api->options.account, visit_of(r)->cookie, &old, &ignored) &&
        !account_sign_out(api->options.account, old.id, &e)) {
        request_fail(r, &e, NULL);
        return;
    }
    if (!account_session(api->options.account, cookie, &session, &e)) {
        request_fail(r, &e, NULL);
        return;
    }
    set_cookie(api, r, cookie);
    request_reply_json(r, 200, session_json(api, cookie, &session));
}

static void reply_either(struct api *api, struct request *r, bool ok, const char *cookie, const struct error *e)
{
    if (ok) reply_entered(api, r, cookie);
    else request_fail(r, e, NULL);
}

static void sign_in(struct api *api, struct request *r)
{
    char client[REQUEST_PEER_CHARS + 1], cookie[TOKEN_CHARS + 1];
    struct error e = {0};
    json_t *body = web_body(r, &e);
    const char *email = body ? web_text(body, "email", &e) : NULL;
    const char *password = email ? web_text(body, "password", &e) : NULL;
    web_client(api, r, client);
    bool ok = password && account_sign_in(api->options.account, email, password, client, cookie, &e);
    json_decref(body);
    reply_either(api, r, ok, cookie, &e);
}

static void sign_up(struct api *api, struct request *r)
{
    char client[REQUEST_PEER_CHARS + 1], cookie[TOKEN_CHARS + 1];
    struct error e = {0};
    json_t *body = web_body(r, &e);
    const char *email = body ? web_text(body, "email", &e) : NULL;
    const char *password = email ? web_text(body, "password", &e) : NULL;
    const char *name = password ? web_text(body, "name", &e) : NULL;
    web_client(api, r, client);
    bool ok = name && account_sign_up(api->options.account, email, password, name, client, cookie, &e);
    json_decref(body);
    reply_either(api, r, ok, cookie, &e);
}

static void use_link(struct api *api, struct request *r)
{
    char client[REQUEST_PEER_CHARS + 1], cookie[TOKEN_CHARS + 1];
    struct error e = {0};
    json_t *body = web_body(r, &e);
    const char *token = body ? web_text(body, "token", &e) : NULL;
    web_client(api, r, client);
    bool ok = token && account_use_link(api->options.account, token, client, cookie, &e);
    json_decref(body);
    reply_either(api, r, ok, cookie, &e);
}

static void set_password(struct api *api, struct request *r)
{
    char client[REQUEST_PEER_CHARS + 1], cookie[TOKEN_CHARS + 1], csrf[TOKEN_CHARS + 1];
    struct error e = {0};
    json_t *body = web_body(r, &e);
    const char *password = body ? web_text(body, "password", &e) : NULL;
    web_client(api, r, client);
    bool ok = password && account_set_password(api->options.account, &visit_of(r)->session, password,
                                               web_optional(body, "current_password"), web_optional(body, "email"), client,
                                               cookie, &e);
    json_decref(body);
    if (!ok) {
        request_fail(r, &e, NULL);
        return;
    }
    set_cookie(api, r, cookie);
    token_csrf(cookie, csrf);
    request_reply_json(r, 200, json_pack("{s:b, s:s}", "ok", 1, "csrf_token", csrf));
}

static void sign_out(struct api *api, struct request *r)
{
    struct visit *visit = visit_of(r);
    struct error e = {0};
    if (account_session(api->options.account, visit->cookie, &visit->session, &e) &&
        !account_sign_out(api->options.account, visit->session.id, &e)) {
        request_fail(r, &e, NULL);
        return;
    }
    set_cookie(api, r, "");
    request_add_header(r, "Clear-Site-Data", "\"cache\""); /* no page with his data comes back from the browser's history */
    request_reply_json(r, 200, json_pack("{s:b}", "signed_in", 0));
}

void handle_sign_in(void *context, struct request *r)
{
    struct api *api = context;
    web_work(r, api->passwords, sign_in);
}

void handle_sign_up(void *context, struct request *r)
{
    struct api *api = context;
    web_work(r, api->passwords, sign_up);
}

void handle_password(void *context, struct request *r)
{
    struct api *api = context;
    web_work(r, api->passwords, set_password);
}

void handle_signin_link(void *context, struct request *r)
{
    struct api *api = context;
    web_work(r, api->desk, use_link);
}

void handle_sign_out(void *context, struct request *r)
{
    struct api *api = context;
    web_work(r, api->desk, sign_out);
}
