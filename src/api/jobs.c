/* jobs.c - GET /api/v1/extract/{job_id}/: what became of a job. Another account's job is not found. */
#include <ctype.h>
#include <string.h>

#include "api/internal.h"

/* 8-4-4-4-12 lower or upper case hexadecimal digits (RFC 9562). */
static bool is_uuid(const char *id)
{
    for (int i = 0; i < JOB_ID_CHARS; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? id[i] != '-' : !isxdigit((unsigned char)id[i])) return false;
    }
    return id[JOB_ID_CHARS] == 0;
}

void handle_job(void *context, struct request *r)
{
    struct api *api = context;
    struct error e;
    char id[JOB_ID_CHARS + 1] = "";
    const char *given = request_part(r);
    if (!is_uuid(given)) {
        error_set(&e, ERR_JOB_NOT_FOUND, "job_id", "There is no such job; a job_id is a UUID.");
        request_fail(r, &e, NULL);
        return;
    }
    for (int i = 0; i < JOB_ID_CHARS; i++) id[i] = (char)tolower((unsigned char)given[i]);
    request_park(r);
    job_get(api->options.jobs, &visit_of(r)->caller, id, reply_job_polled, r);
}
