/* keys.c - /web/v1/keys: an account's API keys: list, create, regenerate with an overlap, revoke. */
#include <string.h>

#include "api/internal.h"
#include "base/clock.h"

enum { KEYS_LISTED = 500 };

struct list {
    json_t *rows;
    int64_t now_ms;
};

/* A time to come is when the key expires; one past is when it was revoked. */
static bool list_key(void *arg, const struct store_key *k)
{
    struct list *list = arg;
    bool ended = k->revoked_ms && k->revoked_ms <= list->now_ms;
    json_t *row = json_pack("{s:o, s:s, s:s, s:o, s:o, s:o, s:o}", "id", web_id(k->id), "name", k->name, "prefix", k->prefix,
                            "created_at", web_time(k->created_ms), "last_used_at", web_time(k->last_used_ms), "expires_at",
                            web_time(ended ? 0 : k->revoked_ms), "revoked_at", web_time(ended ? k->revoked_ms : 0));
    if (json_array_insert_new(list->rows, 0, row) == 0) /* newest first */
        return json_array_size(list->rows) < KEYS_LISTED;
    json_decref(list->rows);
    list->rows = NULL;
    return false;
}

static void list_keys(struct api *api, struct request *r)
{
    struct list list = {.rows = json_array(), .now_ms = clock_wall_ms()};
    struct error e = {0};
    if (store_keys(api->options.store, visit_of(r)->caller.account_id, list_key, &list, &e)) {
        request_reply_json(r, 200, json_pack("{s:o}", "keys", list.rows));
        return;
    }
    json_decref(list.rows);
    request_fail(r, &e, NULL);
}

static void reply_key(struct request *r, int64_t id, const char *name, const char *prefix, const char *key)
{
    request_reply_json(r, 201, json_pack("{s:o, s:s, s:s, s:s}", "id", web_id(id), "name", name, "prefix", prefix, "api_key",
                                         key));
}

static void make_key(char key[KEY_CHARS + 1], char prefix[KEY_PREFIX_CHARS + 1], unsigned char *hash)
{
    access_key_generate(key, hash);
    (void)snprintf(prefix, KEY_PREFIX_CHARS + 1, "%.*s", KEY_PREFIX_CHARS, key);
}

static bool name_ok(const char *name, struct error *e)
{
    size_t n = strlen(name);
    if (n >= 1 && n <= STORE_NAME_CHARS) return true;
    return error_set(e, ERR_INVALID_VALUE, "name", "name must have 1 to %d bytes, but has %zu.", STORE_NAME_CHARS, n);
}

static void create_key(struct api *api, struct request *r)
{
    char key[KEY_CHARS + 1], prefix[KEY_PREFIX_CHARS + 1];
    struct error e = {0};
    json_t *body = web_body(r, &e);
    struct store_key_create w = {.write = {.verb = STORE_KEY_CREATE}, .account_id = visit_of(r)->caller.account_id};
    w.name = body ? web_text(body, "name", &e) : NULL;
    w.prefix = prefix;
    make_key(key, prefix, w.hash);
    if (w.name && name_ok(w.name, &e) && store_write_wait(api->options.store, &w.write, &e))
        reply_key(r, w.key_id, w.name, prefix, key);
    else
        request_fail(r, &e, NULL);
    json_decref(body);
}

static const struct {
    const char *name;
    int64_t ms;
} overlaps[] = {{"none", 0}, {"1h", 3600000}, {"24h", 86400000}};

static bool read_overlap(const char *name, int64_t *ms, struct error *e)
{
    for (size_t i = 0; i < sizeof overlaps / sizeof overlaps[0]; i++) {
        if (strcmp(overlaps[i].name, name) != 0) continue;
        *ms = overlaps[i].ms;
        return true;
    }
    return error_set(e, ERR_INVALID_VALUE, "overlap", "overlap must be \"none\", \"1h\" or \"24h\".");
}

static bool rotate(struct api *api, struct request *r, struct store_key_rotate *w, struct error *e)
{
    json_t *body = web_body(r, e);
    const char *overlap = body ? web_text(body, "overlap", e) : NULL;
    int64_t ms = 0;
    bool ok = overlap && read_overlap(overlap, &ms, e);
    json_decref(body);
    w->now_ms = clock_wall_ms();
    w->old_ends_ms = w->now_ms + ms;
    return ok && store_write_wait(api->options.store, &w->write, e);
}

static void regenerate_key(struct api *api, struct request *r)
{
    char key[KEY_CHARS + 1], prefix[KEY_PREFIX_CHARS + 1];
    struct error e = {0};
    struct store_key_rotate w = {.write = {.verb = STORE_KEY_ROTATE},
                                 .account_id = visit_of(r)->caller.account_id,
                                 .key_id = web_number(request_part(r)),
                                 .prefix = prefix};
    make_key(key, prefix, w.hash);
    if (!rotate(api, r, &w, &e)) {
        request_fail(r, &e, NULL);
        return;
    }
    access_forget(api->options.access);
    reply_key(r, w.new_id, w.name, prefix, key);
}

static void revoke_key(struct api *api, struct request *r)
{
    struct error e = {0};
    struct store_key_revoke w = {.write = {.verb = STORE_KEY_REVOKE},
                                 .account_id = visit_of(r)->caller.account_id,
                                 .key_id = web_number(request_part(r)),
                                 .at_ms = clock_wall_ms()};
    if (!store_write_wait(api->options.store, &w.write, &e)) {
        request_fail(r, &e, NULL);
        return;
    }
    access_forget(api->options.access);
    web_ok(r);
}

void handle_keys(void *context, struct request *r)
{
    struct api *api = context;
    web_work(r, api->desk, list_keys);
}

void handle_key_create(void *context, struct request *r)
{
    struct api *api = context;
    web_work(r, api->desk, create_key);
}

void handle_key_regenerate(void *context, struct request *r)
{
    struct api *api = context;
    web_work(r, api->desk, regenerate_key);
}

void handle_key_revoke(void *context, struct request *r)
{
    struct api *api = context;
    web_work(r, api->desk, revoke_key);
}
