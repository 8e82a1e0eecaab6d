/* view.c - the stored form of a result: {"data": ..., "fields": ..., "warnings": ...}, the last two when there are any. */
#include <string.h>

#include "base/json.h"
#include "job/internal.h"

char *result_dump(const struct engine_answer *answer)
{
    json_t *all = json_pack("{s:O?, s:O*, s:O*}", "data", answer->data, "fields", answer->fields, "warnings",
                            answer->warnings);
    char *text = all ? json_text(all, JSON_COMPACT) : NULL; /* reals are written so that they read back the same */
    json_decref(all);
    return text;
}

static bool result_parse(const char *text, struct engine_answer *out)
{
    json_error_t ignored;
    json_t *all = json_read(text, strlen(text), JSON_ALLOW_NUL, &ignored);
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

json_t *job_success_json(const struct job_view *view)
{
    json_t *metadata = json_pack("{s:I, s:i}", "latency_ms", (json_int_t)view->latency_ms, "credits_charged",
                                 view->credits_charged);
    if ((view->fields && json_object_set(metadata, "fields", view->fields)) ||
        (view->warnings && json_object_set(metadata, "warnings", view->warnings))) {
        json_decref(metadata);
        return NULL;
    }
    return json_pack("{s:s, s:s, s:O, s:o}", "job_id", view->id, "status", "success", "extracted_data", view->data,
                     "metadata", metadata);
}

json_t *job_stored_json(const struct store_job *stored, json_t *error)
{
    struct job_view view;
    struct engine_answer result;
    json_t *body = NULL;
    if (stored->state == STORE_FAILED)
        return json_pack("{s:s, s:s, s:o}", "job_id", stored->id, "status", "failed", "error", error);
    if (view_of_stored(stored, &view, &result)) body = job_success_json(&view);
    engine_answer_clear(&result);
    json_decref(error);
    return body;
}
