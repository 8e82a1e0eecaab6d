/* engine.c - which engine, and what all of them share. See engine.h. */
#include "engine/engine.h"

#include <pthread.h>

#include "engine/engines.h"

struct engine *engine_open(const struct engine_options *options, struct error *e)
{
    static struct engine *(*const opens[])(const struct engine_options *, struct error *) = {
        [ENGINE_EMBEDDED] = local_open, [ENGINE_REMOTE] = remote_open, [ENGINE_AUTO] = auto_open};
    return opens[options->kind](options, e);
}

void engine_close(struct engine *engine)
{
    if (engine)
        engine->verbs->close(engine);
}

bool engine_submit(struct engine *engine, const struct engine_task *task, struct error *e)
{
    return engine->verbs->submit(engine, task, e);
}

const char *engine_model_name(const struct engine *engine)
{
    return engine->verbs->name(engine);
}

int engine_slots(const struct engine *engine)
{
    return engine->verbs->slots(engine);
}

void engine_metrics(struct engine *engine, FILE *out)
{
    if (engine->verbs->metrics)
        engine->verbs->metrics(engine, out);
}

/* ---- submit + wait ----------------------------------------------------------------------------------------------- */

struct wait { pthread_mutex_t lock; pthread_cond_t done; bool is_done; struct engine_answer *answer; };

static void wake(void *argument, struct engine_answer *answer)
{
    struct wait *wait = argument;
    pthread_mutex_lock(&wait->lock);
    *wait->answer = *answer;
    wait->is_done = true;
    pthread_cond_signal(&wait->done);
    pthread_mutex_unlock(&wait->lock);
}

bool engine_extract(struct engine *engine, const char *text, size_t text_bytes, const struct template_plan *plan, bool details,
                    struct engine_answer *answer)
{
    struct wait wait = {.answer = answer};
    *answer = (struct engine_answer){0};
    pthread_mutex_init(&wait.lock, NULL);
    pthread_cond_init(&wait.done, NULL);
    struct engine_task task = {text, text_bytes, plan, details, wake, &wait};
    bool submitted = engine_submit(engine, &task, &answer->error);
    pthread_mutex_lock(&wait.lock);
    while (submitted && !wait.is_done)
        pthread_cond_wait(&wait.done, &wait.lock);
    pthread_mutex_unlock(&wait.lock);
    pthread_cond_destroy(&wait.done);
    pthread_mutex_destroy(&wait.lock);
    return answer->ok;
}

void engine_answer_clear(struct engine_answer *answer)
{
    json_decref(answer->data);
    json_decref(answer->fields);
    json_decref(answer->warnings);
    *answer = (struct engine_answer){0};
}
