/* fuzz_request_body.c - any bytes as the body of POST /api/v1/extract/: read or refused, never a crash, and every refusal
 * can be told (valid UTF-8 is made by http/, here only that a message is there). */
#include <stdint.h>
#include <stdlib.h>

#include "api/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error e = {0};
    json_t *root = json_body_parse((const char *)data, size, &e);
    if (!root && (e.code == ERR_NONE || !e.message[0])) abort();
    json_t *template = json_object_get(root, "template");
    struct template_plan *plan = json_is_object(template) ? template_compile(template, &e) : NULL;
    if (template && json_is_object(template) && !plan && !e.message[0]) abort();
    template_free(plan);
    json_decref(root);
    return 0;
}
