/* fuzz_template.c - any JSON as a template: compiled or refused with an error, never a crash; a compiled one fills to its own
 * shape and keeps every limit of template.h. */
#include <jansson.h>

#include "engine/template.h"
#include "engine/text.h"
#include "fuzz.h"

static void check_field(const struct field *f)
{
    must(f->depth >= 1 && f->dotted != NULL && f->option_count <= TEMPLATE_MAX_OPTIONS);
    for (size_t i = 0; i < f->depth; i++) {
        size_t chars = utf8_count(f->path[i], strlen(f->path[i]));
        must(chars >= 1 && chars <= TEMPLATE_MAX_KEY_CHARS);
    }
    for (size_t i = 0; i < f->option_count; i++)
        must(utf8_count(f->options[i], strlen(f->options[i])) <= TEMPLATE_MAX_OPTION_CHARS);
    if (f->description) must(utf8_count(f->description, strlen(f->description)) <= TEMPLATE_MAX_DESCRIPTION_CHARS);
}

static void fill(const struct template_plan *plan, json_t *template)
{
    size_t count;
    const struct field *fields = template_fields(plan, &count);
    must(count <= TEMPLATE_MAX_FIELDS && (count == 0 || fields != NULL));
    for (size_t i = 0; i < count; i++) check_field(&fields[i]);
    json_t **nothing = calloc(count + 1, sizeof *nothing);
    json_t *filled = template_fill(plan, nothing);
    must(json_is_object(filled) && json_object_size(filled) == json_object_size(template));
    json_decref(filled);
    free(nothing);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error e = {.code = ERR_NONE};
    json_t *template = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    if (!template) return 0;
    struct template_plan *plan = template_compile(template, &e);
    if (plan) fill(plan, template);
    else must(e.code != ERR_NONE && e.message[0]);
    template_free(plan);
    json_decref(template);
    return 0;
}
