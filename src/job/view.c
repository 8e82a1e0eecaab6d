/* view.c - the stored form of a result: {"data": ..., "fields": ..., "warnings": ...}, the last two when there are any. */
#include <string.h>

#include "job/internal.h"

char *result_dump(const struct engine_answer *answer)
{
    json_t *all = json_pack("{s:O?, s:O*, s:O*}", "data", answer->data, "fields", answer->fields, "warnings",
                            answer->warnings);
    char *text = all ? json_dumps(all, JSON_COMPACT) : NULL; /* reals are written so that they read back the same */
    json_decref(all);
    return text;
}

static bool result_parse(const char *text, struct engine_answer *out)
{
    json_t *all = json_loads(text, JSON_ALLOW_NUL, NULL);
    out->data = json_incref(json_object_get(all, "data"));
    out->fields = json_incref(json_object_get(all, "fields"));
    out->warnings = json_incref(json_object_get(all, "warnings"));
    json_decref(all);
    return out->data != NULL;
}

bool view_of_stored(const struct store_job *stored, struct job_view *view, struct engine_answer *result)
{
    static const enum job_state states[] = {
        [STORE_PENDING] = JOB_PENDING, [STORE_RUNNING] = JOB_RUNNING, [STORE_SUCCESS] = JOB_SUCCESS, [STORE_FAILED] = JOB_FAILED};
    *view = (struct job_view){.state = states[stored->state],
                              .latency_ms = stored->latency_ms,
                              .credits_charged = stored->credits_charged,
                              .credits_remaining = -1,
                              .error = stored->error};
    memcpy(view->id, stored->id, sizeof view->id);
    *result = (struct engine_answer){.ok = true};
    if (view->state != JOB_SUCCESS) return true;
    if (!stored->result || !result_parse(stored->result, result)) return false;
    view->data = result->data;
    view->fields = result->fields;
    view->warnings = result->warnings;
    return true;
}
