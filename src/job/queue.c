/* queue.c - fairness: jobs wait in one line per account, and the lines are served in turn, so an account that sends a
 * thousand documents delays another's single one by one document, not by a thousand. */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "job/internal.h"

static struct account_line *line_of(struct queue *q, const char *account_id)
{
    struct account_line *line;
    HASH_FIND_STR(q->accounts, account_id, line);
    if (line || !(line = calloc(1, sizeof *line))) return line;
    snprintf(line->id, sizeof line->id, "%s", account_id);
    line->tail = &line->head;
    HASH_ADD_STR(q->accounts, id, line);
    if (HASH_ADDED(line)) return line;
    free(line);
    return NULL;
}

bool queue_admit(struct queue *q, const char *account_id, int limit)
{
    struct account_line *line = line_of(q, account_id);
    if (!line || line->accepted >= limit) return false;
    line->accepted++;
    return true;
}

void queue_leave(struct queue *q, const char *account_id)
{
    struct account_line *line;
    HASH_FIND_STR(q->accounts, account_id, line);
    if (!line || --line->accepted > 0) return;
    HASH_DEL(q->accounts, line);
    free(line);
}

void queue_push(struct queue *q, struct job *job)
{
    struct account_line *line = line_of(q, job->account_id);
    if (!line->head) DL_APPEND(q->ring, line);
    job->next = NULL;
    *line->tail = job;
    line->tail = &job->next;
    q->waiting++;
}

struct job *queue_pop(struct queue *q)
{
    struct account_line *line = q->ring;
    if (!line) return NULL;
    struct job *job = line->head;
    line->head = job->next;
    DL_DELETE(q->ring, line);
    if (line->head) DL_APPEND(q->ring, line);
    else line->tail = &line->head;
    q->waiting--;
    return job;
}
