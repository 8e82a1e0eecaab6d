/* fuzz_template.c - any JSON as a template: compiled or refused with an error, never a crash; a compiled one fills to its own
 * shape. */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>

#include "engine/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok) abort();
}

static void fill(const struct template_plan *plan, json_t *template)
{
    size_t count;
    const struct field *fields = template_fields(plan, &count);
    must(count <= TEMPLATE_MAX_FIELDS && (count == 0 || fields != NULL));
    json_t **nothing = calloc(count + 1, sizeof *nothing);
    json_t *filled = template_fill(plan, nothing);
    must(json_is_object(filled) && json_object_size(filled) == json_object_size(template));
    json_decref(filled);
    free(nothing);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error e = {.code = ERR_NONE};
    json_t *template = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    if (!template) return 0;
    struct template_plan *plan = template_compile(template, &e);
    if (plan) fill(plan, template);
    else must(e.code != ERR_NONE && e.message[0]);
    template_free(plan);
    json_decref(template);
    return 0;
}
