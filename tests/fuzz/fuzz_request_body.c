/* fuzz_request_body.c - any bytes as the body of POST /api/v1/extract/: read into a document and a plan within their
 * limits, or refused with an error that says why; never both, never neither. */
#include "api/extract.c"

#include "fuzz.h"

static struct template_plan *read_all(json_t *root, struct body *body, struct error *e)
{
    if (!read_body(root, body, e)) return NULL;
    if (body->webhook_url && !webhook_url_ok(body->webhook_url, false, "webhook_url", e)) return NULL;
    return template_compile(body->template, e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error e = {0};
    struct body body = {0};
    json_t *root = json_body_parse((const char *)data, size, &e);
    struct template_plan *plan = root ? read_all(root, &body, &e) : NULL;
    must((plan != NULL) == (e.code == ERR_NONE) && (e.code == ERR_NONE || e.message[0]));
    if (plan) {
        size_t chars = count_code_points(json_string_value(body.text), json_string_length(body.text));
        must(json_object_size(root) >= 2 && chars >= 1 && chars <= DOCUMENT_MAX_CHARS);
    }
    template_free(plan);
    json_decref(root);
    char *key = as_text(data, size);
    struct error k = {0};
    must(check_idempotency_key(key, &k) == (k.code == ERR_NONE));
    free(key);
    return 0;
}
