/* jobs.c - GET /api/v1/extract/{job_id}/: what became of a job. Another account's job is not found. */
#include <ctype.h>

#include "api/internal.h"
#include "base/uuid.h"

void handle_job(void *context, struct request *r)
{
    struct api *api = context;
    struct error e;
    char id[JOB_ID_CHARS + 1] = "";
    const char *given = request_part(r);
    if (!uuid_well_formed(given)) {
        error_set(&e, ERR_JOB_NOT_FOUND, "job_id", "There is no such job; a job_id is a UUID.");
        request_fail(r, &e, NULL);
        return;
    }
    for (int i = 0; i < JOB_ID_CHARS; i++) id[i] = (char)tolower((unsigned char)given[i]);
    request_park(r);
    job_get(api->options.jobs, &visit_of(r)->caller, id, reply_job_polled, r);
}
