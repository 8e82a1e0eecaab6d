#include "base/json.h"

#include <stdbool.h>
#include <stdlib.h>

static _Thread_local unsigned refusals;
static _Thread_local bool reading, given_up; /* of a json_read under way */

/* A reader that has lost a byte of a string runs past its end, or into an assertion, unless the memory for the string's
 * value is refused as well: once refused, a reader gets nothing more. */
static void *counted_malloc(size_t bytes)
{
    void *got = given_up ? NULL : malloc(bytes);
    if (!got) {
        refusals++;
        given_up = reading;
    }
    return got;
}

/* Before any thread and any value: memory must go back to where it came from. */
__attribute__((constructor)) static void give_allocator(void) { json_set_alloc_funcs(counted_malloc, free); }

unsigned json_refusals(void) { return refusals; }

json_t *json_read(const char *bytes, size_t size, size_t flags, json_error_t *found)
{
    unsigned before = refusals;
    reading = true;
    json_t *value = json_loadb(bytes, size, flags, found);
    reading = given_up = false;
    if (refusals == before) return value;
    json_decref(value);
    *found = (json_error_t){.text = "out of memory"};
    found->text[JSON_ERROR_TEXT_LENGTH - 1] = json_error_out_of_memory; /* where json_error_code looks */
    return NULL;
}

char *json_text(const json_t *value, size_t flags)
{
    unsigned before = refusals;
    char *text = json_dumps(value, flags);
    if (refusals == before) return text;
    free(text);
    return NULL;
}
