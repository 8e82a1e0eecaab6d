/* extract.c - POST /api/v1/extract/: the body's members are checked one by one, the template is compiled, the job handed
 * to job/. The answer is written by reply_job.c, on whichever thread has it. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "webhook/webhook.h"

enum { READ_AT_ONCE = 64 << 10 }; /* bytes: parsing takes some 20 ms a MiB, which large bodies must not cost all others */

struct body { /* borrowed from the parsed request */
    json_t *text, *template;
    const char *webhook_url;
    bool wait, details;
};

static const char *type_name(const json_t *value)
{
    static const char *const names[] = {[JSON_OBJECT] = "an object", [JSON_ARRAY] = "a list",    [JSON_STRING] = "a string",
                                        [JSON_INTEGER] = "a number", [JSON_REAL] = "a number",   [JSON_TRUE] = "true",
                                        [JSON_FALSE] = "false",      [JSON_NULL] = "null"};
    return names[json_typeof(value)];
}

static bool read_bool(json_t *value, const char *name, bool *out, struct error *e)
{
    if (!json_is_boolean(value))
        return error_set(e, ERR_WRONG_TYPE, name, "%s must be true or false, but is %s.", name, type_name(value));
    *out = json_is_true(value);
    return true;
}

static bool read_member(const char *name, json_t *value, struct body *body, struct error *e)
{
    if (!strcmp(name, "document_text")) {
        body->text = value;
        if (json_is_string(value)) return true;
        return error_set(e, ERR_WRONG_TYPE, name, "document_text must be a string, but is %s.", type_name(value));
    }
    if (!strcmp(name, "template")) {
        body->template = value;
        if (json_is_object(value)) return true;
        return error_set(e, ERR_WRONG_TYPE, name, "template must be an object, but is %s.", type_name(value));
    }
    if (!strcmp(name, "webhook_url")) {
        body->webhook_url = json_string_value(value);
        if (body->webhook_url) return true;
        return error_set(e, ERR_WRONG_TYPE, name, "webhook_url must be a string, but is %s.", type_name(value));
    }
    if (!strcmp(name, "wait")) return read_bool(value, name, &body->wait, e);
    if (!strcmp(name, "details")) return read_bool(value, name, &body->details, e);
    return error_set(e, ERR_UNKNOWN_FIELD, name,
                     "\"%.80s\" is not a member of this request; document_text, template, wait, details and webhook_url are.", name);
}

static size_t count_code_points(const char *text, size_t bytes)
{
    size_t n = 0;
    for (size_t i = 0; i < bytes; i++) n += ((unsigned char)text[i] & 0xc0) != 0x80;
    return n;
}

static bool check_text(const json_t *text, struct error *e)
{
    size_t chars = count_code_points(json_string_value(text), json_string_length(text));
    if (chars == 0) return error_set(e, ERR_DOCUMENT_EMPTY, "document_text", "document_text is empty; it needs 1 character.");
    if (chars <= DOCUMENT_MAX_CHARS) return true;
    return error_set(e, ERR_DOCUMENT_TOO_LONG, "document_text", "document_text may have %d characters at most, but has %zu.",
                     DOCUMENT_MAX_CHARS, chars);
}

static bool read_body(json_t *root, struct body *body, struct error *e)
{
    const char *name;
    json_t *value;
    *body = (struct body){.wait = true};
    if (!json_is_object(root))
        return error_set(e, ERR_WRONG_TYPE, "", "The body must be a JSON object, but is %s.", type_name(root));
    json_object_foreach(root, name, value)
        if (!read_member(name, value, body, e)) return false;
    if (!body->text) return error_set(e, ERR_MISSING_FIELD, "document_text", "document_text is missing.");
    if (!body->template) return error_set(e, ERR_MISSING_FIELD, "template", "template is missing.");
    return check_text(body->text, e);
}

static bool check_idempotency_key(const char *key, struct error *e)
{
    if (!key) return true;
    size_t n = strlen(key);
    for (size_t i = 0; i < n; i++)
        if (key[i] < 0x21 || key[i] > 0x7e)
            return error_set(e, ERR_INVALID_VALUE, "Idempotency-Key",
                             "Idempotency-Key may hold printable ASCII characters without spaces only.");
    if (n >= 1 && n <= IDEMPOTENCY_KEY_CHARS) return true;
    return error_set(e, ERR_INVALID_VALUE, "Idempotency-Key", "Idempotency-Key must have 1 to %d characters, but has %zu.",
                     IDEMPOTENCY_KEY_CHARS, n);
}

/* Its events are signed with the key's hash, so a call without a key has none. */
static bool check_webhook(const struct visit *visit, json_t *root, const char *url, struct error *e)
{
    if (!url) return true;
    if (strlen(url) != json_string_length(json_object_get(root, "webhook_url")))
        return error_set(e, ERR_INVALID_VALUE, "webhook_url", "webhook_url must not hold a NUL.");
    if (visit->cookie[0])
        return error_set(e, ERR_INVALID_VALUE, "webhook_url", "webhook_url needs a call with an API key; for the pages there "
                         "are the dashboard's webhook endpoints.");
    return webhook_url_ok(url, visit->api->options.webhook_allow_private, "webhook_url", e);
}

/* What job/ needs, filled from the request's bytes. On success `*root` holds the references `job` borrows. */
static bool read_request(struct request *r, struct job_request *job, json_t **root, struct error *e)
{
    struct body body;
    size_t size;
    const char *bytes = request_body(r, &size);
    job->caller = visit_of(r)->caller;
    job->arrived_ns = request_arrived_ns(r);
    job->idempotency_key = request_header(r, "Idempotency-Key");
    if (!check_idempotency_key(job->idempotency_key, e)) return false;
    *root = json_body_parse(bytes, size, e);
    if (!*root || !read_body(*root, &body, e)) return false;
    if (!check_webhook(visit_of(r), *root, body.webhook_url, e)) return false;
    job->webhook_url = body.webhook_url;
    job->plan = template_compile(body.template, e);
    if (!job->plan) {
        if (!e->param[0]) (void)snprintf(e->param, sizeof e->param, "template");
        return false;
    }
    job->template = body.template;
    job->details = body.details;
    job->wait = body.wait;
    job->text_bytes = json_string_length(body.text);
    job->text = malloc(job->text_bytes + 1);
    if (!job->text) return error_set(e, ERR_INTERNAL, "", "There is no memory for this request. Try again.");
    memcpy(job->text, json_string_value(body.text), job->text_bytes + 1);
    crypto_hash_sha256(job->body_hash, (const unsigned char *)bytes, size);
    return true;
}

static void submit(struct request *r, bool parked)
{
    struct job_request job = {0};
    struct error e = {0};
    json_t *root = NULL;
    if (read_request(r, &job, &root, &e)) {
        if (!parked) request_park(r);
        job_submit(visit_of(r)->api->options.jobs, &job, reply_job_submitted, r);
    } else {
        template_free(job.plan);
        if (!parked || request_take(r)) request_fail(r, &e, NULL);
    }
    json_decref(root);
}

/* On the readers' thread. The connection sleeps until the reply, so the request may be read here as it is. */
static void submit_parked(void *arg) { submit(arg, true); }

void handle_extract(void *context, struct request *r)
{
    struct api *api = context;
    struct error e;
    size_t size;
    (void)request_body(r, &size);
    if (size <= READ_AT_ONCE) {
        submit(r, false);
        return;
    }
    request_park(r);
    if ((api->readers && worker_post(api->readers, submit_parked, r)) || !request_take(r)) return;
    error_set(&e, ERR_QUEUE_FULL, "", "Too many large requests are waiting. Try again in a moment.");
    request_fail(r, &e, NULL);
}
