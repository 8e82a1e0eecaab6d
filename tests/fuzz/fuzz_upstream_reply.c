/* fuzz_upstream_reply.c - any bytes as an upstream's answer: read or refused, never a crash; what is read fills the template's own
 * shape, and every place it names lies in the document. The first bytes up to a NUL are the message's text, wrapped as a
 * completion; without a NUL the whole input is the body. */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/merge.h"
#include "engine/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char document[] = "Invoice A-1 of 15 January 2026\nPen | 1,50 \xE2\x82\xAC\nInk | 2.00\n\xE6\x9D\xB1\xE4\xBA\xAC <b>x</b>\nTotal 99.00, paid\n";
static const char form[] = "{\"number\": null, \"date\": \"date\", \"total\": \"number\", \"paid\": \"boolean\", \"state\": [\"paid\", \"open\"],"
                           " \"names\": [], \"kinds\": [[\"pen\", \"ink\"]], \"items\": [{\"name\": null, \"price\": \"number\"}], \"a\": {\"b\": null}}";

static void must(bool ok)
{
    if (!ok) abort();
}

static void check_places(const json_t *detail)
{
    const json_t *start = json_object_get(detail, "start"), *end = json_object_get(detail, "end"), *value;
    size_t i;
    json_array_foreach(json_object_get(detail, "values"), i, value) check_places(value);
    if (!json_is_integer(start)) return;
    must(json_integer_value(start) >= 0 && json_integer_value(start) < json_integer_value(end) &&
         json_integer_value(end) <= (json_int_t)sizeof document);
}

static void merge(const struct template_plan *plan, const bool *asked, const struct reply *reply)
{
    struct arena arena = {0};
    struct ground ground;
    struct items items = {0};
    json_t *filled, *fields, *detail, *empty;
    const char *path;
    static json_t *const nothing[TEMPLATE_MAX_FIELDS];
    must(ground_open(&ground, document, sizeof document - 1, &arena));
    must(items_add(&items, &ground, plan, reply, 0, 0, sizeof document - 1));
    must(merge_make(plan, asked, &ground, &items, &filled, &fields));
    empty = template_fill(plan, nothing);
    must(json_object_size(filled) == json_object_size(empty));
    json_object_foreach(fields, path, detail) check_places(detail);
    free(merge_inferred_warning(fields));
    json_decref(empty);
    json_decref(filled);
    json_decref(fields);
    items_free(&items);
    arena_free(&arena);
}

/* The text before the first NUL as a completion; the input itself without one, or where the text is no UTF-8. */
static char *body_of(const uint8_t *data, size_t size, size_t *bytes)
{
    const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
    json_t *root = nul ? json_pack("{s:[{s:{s:o?}}]}", "choices", "message", "content", json_stringn((const char *)data, (size_t)(nul - data)))
                       : NULL;
    char *body = root ? json_dumps(root, 0) : malloc(size + 1);
    json_decref(root);
    must(body != NULL);
    if (!root && size) memcpy(body, data, size);
    *bytes = root ? strlen(body) : size;
    return body;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error e;
    struct reply reply;
    bool asked[TEMPLATE_MAX_FIELDS];
    size_t bytes;
    static struct template_plan *plan;
    if (!plan) {
        json_t *json = json_loads(form, 0, NULL);
        plan = template_compile(json, &e);
        must(plan != NULL);
        json_decref(json);
    }
    memset(asked, true, sizeof asked);
    char *body = body_of(data, size, &bytes);
    reply_parse(body, bytes, plan, asked, size % 2 ? "0123456789ab" : NULL, &reply);
    if (reply.kind == REPLY_OK || reply.count) merge(plan, asked, &reply);
    else must(reply.why[0]);
    reply_free(&reply);
    free(body);
    return 0;
}
