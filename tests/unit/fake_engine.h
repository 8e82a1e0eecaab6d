/* fake_engine.h - stands in for the engine in the tests of job/: answers every template with nulls after a delay, from
 * its own threads. `fake_fail` makes it answer with an error instead. */
#ifndef TESTS_FAKE_ENGINE_H
#define TESTS_FAKE_ENGINE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/engine.h"

enum { FAKE_THREADS = 2 };

struct fake_item {
    struct engine_task task;
    struct fake_item *next;
};

struct engine {
    pthread_t threads[FAKE_THREADS];
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct fake_item *head, **tail;
    bool closing;
    int delay_us;
};

static _Atomic int fake_fail, fake_delay_us, fake_ran, fake_peak, fake_now;
__attribute__((unused)) static void (*fake_on_run)(const struct engine_task *task); /* sees each task as it starts */

static void fake_answer(const struct engine_task *task)
{
    struct engine_answer answer = {.ok = true};
    size_t count;
    (void)template_fields(task->plan, &count);
    json_t **nothing = calloc(count, sizeof *nothing);
    if (atomic_load(&fake_fail)) answer.ok = error_set(&answer.error, ERR_ENGINE_UNAVAILABLE, "", "told to fail");
    else answer.data = template_fill(task->plan, nothing);
    free(nothing);
    task->done(task->arg, &answer);
}

static void *fake_main(void *arg)
{
    struct engine *engine = arg;
    for (;;) {
        pthread_mutex_lock(&engine->lock);
        while (!engine->head && !engine->closing) pthread_cond_wait(&engine->wake, &engine->lock);
        struct fake_item *item = engine->head;
        if (item && !(engine->head = item->next)) engine->tail = &engine->head;
        pthread_mutex_unlock(&engine->lock);
        if (!item) return NULL;
        if (fake_on_run) fake_on_run(&item->task);
        if (atomic_load(&fake_delay_us)) usleep((unsigned)atomic_load(&fake_delay_us));
        atomic_fetch_add(&fake_ran, 1);
        atomic_fetch_sub(&fake_now, 1);
        fake_answer(&item->task);
        free(item);
    }
}

struct engine *engine_open(const struct engine_options *options, struct error *e)
{
    struct engine *engine = calloc(1, sizeof *engine);
    (void)e;
    engine->tail = &engine->head;
    if (options->stub_delay_ms) atomic_store(&fake_delay_us, options->stub_delay_ms * 1000);
    pthread_mutex_init(&engine->lock, NULL);
    pthread_cond_init(&engine->wake, NULL);
    for (int i = 0; i < FAKE_THREADS; i++) pthread_create(&engine->threads[i], NULL, fake_main, engine);
    return engine;
}

void engine_close(struct engine *engine)
{
    pthread_mutex_lock(&engine->lock);
    engine->closing = true;
    pthread_cond_broadcast(&engine->wake);
    pthread_mutex_unlock(&engine->lock);
    for (int i = 0; i < FAKE_THREADS; i++) pthread_join(engine->threads[i], NULL);
    pthread_cond_destroy(&engine->wake);
    pthread_mutex_destroy(&engine->lock);
    free(engine);
}

bool engine_submit(struct engine *engine, const struct engine_task *task, struct error *e)
{
    struct fake_item *item = malloc(sizeof *item);
    (void)e;
    *item = (struct fake_item){.task = *task};
    int now = atomic_fetch_add(&fake_now, 1) + 1, peak = atomic_load(&fake_peak);
    while (now > peak && !atomic_compare_exchange_weak(&fake_peak, &peak, now)) continue;
    pthread_mutex_lock(&engine->lock);
    *engine->tail = item;
    engine->tail = &item->next;
    pthread_cond_signal(&engine->wake);
    pthread_mutex_unlock(&engine->lock);
    return true;
}

void engine_answer_clear(struct engine_answer *answer)
{
    json_decref(answer->data);
    json_decref(answer->fields);
    json_decref(answer->warnings);
    *answer = (struct engine_answer){.ok = false};
}

int engine_slots(const struct engine *engine) { return (void)engine, 2 * FAKE_THREADS; }

const char *engine_model_name(const struct engine *engine) { return (void)engine, "fake"; }

#endif
