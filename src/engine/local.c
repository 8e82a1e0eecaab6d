/* local.c - the embedded engine: tasks in, answers out, on worker threads. See engine.h; opened by engine.c.
 *
 *     submit -> waiting (until ready_ms) -> preparing on a worker: tokenize, plan windows
 *            -> runnable: workers take one window at a time, tasks in turn, so a long document does not hold up short ones
 *            -> the worker that finishes the last window builds the answer and calls done
 *
 * One lock guards the queue and every task's counters; findings have a lock of their own per task. No lock is held while a
 * product runs or done is called. The answer does not depend on the order in which windows finish (decode.h). */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "engine/answer.h"
#include "engine/arena.h"
#include "engine/ask.h"
#include "engine/breaks.h"
#include "engine/decode.h"
#include "engine/encoder.h"
#include "engine/engine.h"
#include "engine/engines.h"
#include "engine/find_model.h"
#include "engine/grid.h"
#include "engine/model.h"
#include "engine/text.h"
#include "engine/tokenizer.h"
#include "engine/weights.h"

enum { MAX_THREADS = 256, MODEL_PATH = 4096 };

struct task {
    struct engine_task given;
    struct task *next;          /* in the queue */
    int64_t ready_ms;           /* not before (test option) */
    struct arena arena;
    struct pieces pieces;       /* of the document, with breaks where the model knows them */
    size_t length;              /* of the document in code points */
    uint32_t *byte_of;
    uint32_t *ends;             /* of each piece, the one behind its paragraph's last */
    struct grid grid;           /* tables, where the template has lists of records */
    struct plan plan;
    size_t taken, finished;     /* windows; guarded by the engine's lock */
    bool prepared, failed;
    struct error error;         /* why, when failed */
    pthread_mutex_t lock;       /* guards findings */
    struct findings findings;
};

struct local {
    struct engine base;
    struct engine_options options;
    struct model model;
    struct weights *weights;
    struct tokenizer *tokenizer;
    struct encoder *encoder;
    char name[2 * MODEL_TEXT + 40];
    pthread_mutex_t lock;       /* guards everything below */
    pthread_cond_t work;        /* something became runnable, or closing */
    struct task *head, **tail;  /* tasks with work to hand out, in turn */
    struct task *late, **late_tail; /* tasks held back by the test option, first come first ready */
    size_t unfinished;
    bool closing;
    pthread_t threads[MAX_THREADS];
    struct worker *workers[MAX_THREADS];
    int thread_count;
};

struct worker {
    struct local *engine;
    struct encoder_worker *encoder; /* NULL in the stub */
    struct window window;
    struct findings findings;       /* of the window at hand */
    struct pieces scratch;
};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- preparing and finishing a task ----------------------------------------------------------------------------------- */

static bool index_text(struct task *task)
{
    const char *text = task->given.text;
    size_t bytes = task->given.text_bytes, at = 0;
    task->length = utf8_count(text, bytes);
    task->byte_of = arena_array(&task->arena, task->length + 1, sizeof *task->byte_of);
    for (size_t i = 0; task->byte_of && i < task->length; i++) {
        uint32_t code;
        task->byte_of[i] = (uint32_t)at;
        at += utf8_read(text + at, bytes - at, &code);
    }
    if (task->byte_of)
        task->byte_of[task->length] = (uint32_t)bytes;
    return task->byte_of != NULL;
}

static bool index_paragraphs(struct task *task)
{
    size_t count = task->pieces.count;
    uint32_t end = (uint32_t)count;
    task->ends = arena_array(&task->arena, count + 1, sizeof *task->ends);
    for (size_t n = count; task->ends && n-- > 0;) {
        task->ends[n] = end;
        if (task->pieces.at[n].id == BREAK_PARAGRAPH)
            end = (uint32_t)n;
    }
    return task->ends != NULL;
}

static bool index_tables(struct task *task, const struct field *fields, size_t count)
{
    size_t n = 0;
    while (n < count && fields[n].kind != FIELD_RECORDS)
        n++;
    return n == count ||
           grid_find(&task->grid, task->given.text, task->given.text_bytes, task->length, &task->pieces, &task->arena);
}

static bool prepare(const struct local *engine, struct worker *worker, struct task *task)
{
    size_t count;
    const struct field *fields = template_fields(task->given.plan, &count);
    if (!index_text(task) || !tokenizer_encode(engine->tokenizer, task->given.text, task->given.text_bytes, &task->pieces) ||
        (engine->model.breaks && !breaks_insert(task->given.text, task->byte_of, &task->pieces)) || !index_paragraphs(task) ||
        (engine->model.tables && !index_tables(task, fields, count)))
        return error_set(&task->error, ERR_INTERNAL, "", "Out of memory preparing the document.");
    return plan_make(&task->plan, &engine->model, engine->tokenizer, fields, count, task->pieces.count, &task->arena,
                     &worker->scratch, &task->error);
}

static bool run_window(const struct local *engine, struct worker *worker, struct task *task, size_t number, struct error *e)
{
    const struct pass *pass;
    struct scores scores;
    size_t at;
    plan_window(&task->plan, &engine->model, task->pieces.at, task->pieces.count, number, &worker->window, &pass, &at);
    worker->findings.count = 0;
    if (!encoder_run(worker->encoder, &worker->window, &scores, e))
        return false;
    bool ok = decode_window(&engine->model, &task->plan, pass, &worker->window, &scores, at, task->ends, &task->grid,
                            &worker->findings);
    pthread_mutex_lock(&task->lock);
    for (size_t i = 0; ok && i < worker->findings.count; i++)
        ok = findings_add(&task->findings, &worker->findings.at[i]);
    pthread_mutex_unlock(&task->lock);
    return ok || error_set(e, ERR_INTERNAL, "", "Out of memory collecting what a window holds.");
}

static bool fill_nothing(const struct template_plan *plan, struct engine_answer *answer)
{
    static json_t *const nothing[TEMPLATE_MAX_FIELDS];
    answer->data = template_fill(plan, nothing);
    return answer->data != NULL;
}

static void free_task(struct task *task)
{
    findings_free(&task->findings);
    pieces_free(&task->pieces);
    json_decref(task->plan.warnings);
    arena_free(&task->arena);
    pthread_mutex_destroy(&task->lock);
    free(task);
}

/* Builds the answer, hands it over and frees the task. */
static void finish(struct local *engine, struct task *task)
{
    struct engine_answer answer = {.ok = !task->failed, .error = task->error};
    unsigned refusals = json_refusals();
    if (answer.ok && engine->options.stub) {
        answer.ok = fill_nothing(task->given.plan, &answer);
        answer.fields = task->given.details ? json_object() : NULL;
    } else if (answer.ok) {
        struct document document = {task->given.text, task->given.text_bytes, task->pieces.at, task->byte_of, &task->grid};
        answer.ok = answer_make(&engine->model, task->given.plan, &task->plan, &document, &task->findings, &task->arena,
                                &answer.data, task->given.details ? &answer.fields : NULL);
        answer.warnings = json_incref(task->plan.warnings);
    }
    answer.ok = answer.ok && json_refusals() == refusals; /* a value that found no memory would look like none */
    if (!answer.ok && answer.error.code == ERR_NONE)
        error_set(&answer.error, ERR_INTERNAL, "", "Out of memory building the answer.");
    void (*done)(void *, struct engine_answer *) = task->given.done;
    void *arg = task->given.arg;
    free_task(task);
    done(arg, &answer);
    pthread_mutex_lock(&engine->lock);
    if (--engine->unfinished == 0)
        pthread_cond_broadcast(&engine->work);
    pthread_mutex_unlock(&engine->lock);
}

/* ---- the queue: all with the engine's lock held ------------------------------------------------------------------------ */

static void push(struct local *engine, struct task *task)
{
    task->next = NULL;
    *engine->tail = task;
    engine->tail = &task->next;
    pthread_cond_signal(&engine->work);
}

static struct task *pop(struct task **head, struct task ***tail)
{
    struct task *task = *head;
    *head = task->next;
    if (!*head)
        *tail = head;
    return task;
}

static void hold_back(struct local *engine, struct task *task)
{
    *engine->late_tail = task;
    engine->late_tail = &task->next;
    pthread_cond_signal(&engine->work);
}

static void wait_for_work(struct local *engine)
{
    if (!engine->late) {
        pthread_cond_wait(&engine->work, &engine->lock);
        return;
    }
    int64_t ready = engine->late->ready_ms;
    struct timespec at = {.tv_sec = ready / 1000, .tv_nsec = ready % 1000 * 1000000};
    pthread_cond_timedwait(&engine->work, &engine->lock, &at);
}

/* The next task with something to do, taken off the queue; NULL when the engine closes and all is done. */
static struct task *next_task(struct local *engine)
{
    for (;;) {
        while (engine->late && engine->late->ready_ms <= now_ms())
            push(engine, pop(&engine->late, &engine->late_tail));
        if (engine->head)
            return pop(&engine->head, &engine->tail);
        if (engine->closing && engine->unfinished == 0)
            return NULL;
        wait_for_work(engine);
    }
}

/* ---- workers ----------------------------------------------------------------------------------------------------------- */

static void do_prepare(struct local *engine, struct worker *worker, struct task *task)
{
    bool stub = engine->options.stub, ok = stub || prepare(engine, worker, task);
    task->failed = !ok;
    task->prepared = true;
    if (!ok || stub || task->plan.windows == 0) {
        finish(engine, task);
        return;
    }
    pthread_mutex_lock(&engine->lock);
    push(engine, task);
    pthread_mutex_unlock(&engine->lock);
}

static void do_window(struct local *engine, struct worker *worker, struct task *task, size_t number)
{
    struct error error = {0};
    bool ok = run_window(engine, worker, task, number, &error);
    pthread_mutex_lock(&engine->lock);
    if (!ok && !task->failed) {
        task->failed = true;
        task->error = error;
    }
    bool last = ++task->finished == task->plan.windows;
    pthread_mutex_unlock(&engine->lock);
    if (last)
        finish(engine, task);
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct local *engine = worker->engine;
    encoder_thread_start();
    pthread_setname_np(pthread_self(), "engine");
    pthread_mutex_lock(&engine->lock);
    for (struct task *task; (task = next_task(engine));) {
        if (!task->prepared) {
            pthread_mutex_unlock(&engine->lock);
            do_prepare(engine, worker, task);
        } else {
            size_t number = task->taken++;
            if (task->taken < task->plan.windows)
                push(engine, task);
            pthread_mutex_unlock(&engine->lock);
            do_window(engine, worker, task, number);
        }
        pthread_mutex_lock(&engine->lock);
    }
    pthread_cond_broadcast(&engine->work);
    pthread_mutex_unlock(&engine->lock);
    return NULL;
}

/* ---- opening and closing ------------------------------------------------------------------------------------------------ */

static bool open_model(struct local *engine, struct error *e)
{
    char folder[MODEL_PATH], path[MODEL_PATH + 32];
    if (!find_model(engine->options.model_dir, engine->options.data_dir, folder, sizeof folder, e))
        return false;
    snprintf(path, sizeof path, "%s/config.json", folder);
    if (!model_read(&engine->model, path, e))
        return false;
    snprintf(path, sizeof path, "%s/vocab.txt", folder);
    engine->tokenizer = tokenizer_open(path, e);
    if (engine->tokenizer && tokenizer_vocabulary(engine->tokenizer) != engine->model.vocabulary)
        return error_set(e, ERR_ENGINE_UNAVAILABLE, "", "%s has %zu pieces, but config.json says %zu.", path,
                         tokenizer_vocabulary(engine->tokenizer), engine->model.vocabulary);
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    const char *sum = engine->model.sha256[0] ? engine->model.sha256 : NULL;
    engine->weights = engine->tokenizer ? weights_open(path, sum, e) : NULL;
    engine->encoder = engine->weights ? encoder_open(engine->weights, &engine->model, e) : NULL;
    if (!engine->encoder)
        return false;
    weights_forget(engine->weights);
    snprintf(engine->name, sizeof engine->name, "%s %s (sha256 %.12s)", engine->model.name, engine->model.version,
             weights_sha256(engine->weights));
    return true;
}

static void close_worker(struct worker *worker)
{
    if (!worker)
        return;
    encoder_worker_close(worker->encoder);
    findings_free(&worker->findings);
    pieces_free(&worker->scratch);
    free(worker);
}

static bool start_worker(struct local *engine, struct error *e)
{
    struct worker *worker = calloc(1, sizeof *worker);
    if (!worker)
        return error_set(e, ERR_ENGINE_UNAVAILABLE, "", "Out of memory starting an engine thread.");
    worker->engine = engine;
    int index = engine->thread_count;
    engine->workers[index] = worker;
    if (!engine->options.stub && !(worker->encoder = encoder_worker_open(engine->encoder, e))) {
        close_worker(worker);
        return false;
    }
    int failed = pthread_create(&engine->threads[index], NULL, work, worker);
    if (failed) {
        close_worker(worker);
        return error_set(e, ERR_ENGINE_UNAVAILABLE, "", "Cannot start an engine thread: %s.", strerror(failed));
    }
    engine->thread_count++;
    return true;
}

static void close_local(struct engine *base)
{
    struct local *engine = (struct local *)base;
    pthread_mutex_lock(&engine->lock);
    engine->closing = true;
    pthread_cond_broadcast(&engine->work);
    pthread_mutex_unlock(&engine->lock);
    for (int i = 0; i < engine->thread_count; i++) {
        pthread_join(engine->threads[i], NULL);
        close_worker(engine->workers[i]);
    }
    encoder_close(engine->encoder);
    weights_close(engine->weights);
    tokenizer_close(engine->tokenizer);
    pthread_cond_destroy(&engine->work);
    pthread_mutex_destroy(&engine->lock);
    free(engine);
}

static const char *name_of(const struct engine *base)
{
    return ((const struct local *)base)->name;
}

/* One task at work and one behind it for every thread. */
static int slots_of(const struct engine *base)
{
    return 2 * ((const struct local *)base)->thread_count;
}

/* ---- tasks -------------------------------------------------------------------------------------------------------------- */

static bool submit(struct engine *base, const struct engine_task *given, struct error *e)
{
    struct local *engine = (struct local *)base;
    struct task *task = calloc(1, sizeof *task);
    if (!task)
        return error_set(e, ERR_INTERNAL, "", "Out of memory accepting the job.");
    task->given = *given;
    task->ready_ms = engine->options.stub_delay_ms > 0 ? now_ms() + engine->options.stub_delay_ms : 0;
    pthread_mutex_init(&task->lock, NULL);
    pthread_mutex_lock(&engine->lock);
    bool open = !engine->closing;
    if (open) {
        engine->unfinished++;
        if (task->ready_ms)
            hold_back(engine, task);
        else
            push(engine, task);
    }
    pthread_mutex_unlock(&engine->lock);
    if (open)
        return true;
    free_task(task);
    return error_set(e, ERR_SHUTTING_DOWN, "", "The service is shutting down.");
}

/* ---- as an engine ------------------------------------------------------------------------------------------------------- */

static const struct engine_verbs local_verbs = {.close = close_local, .submit = submit, .name = name_of, .slots = slots_of};

struct engine *local_open(const struct engine_options *options, struct error *e)
{
    struct local *engine = calloc(1, sizeof *engine);
    if (!engine) {
        error_set(e, ERR_ENGINE_UNAVAILABLE, "", "Out of memory opening the engine.");
        return NULL;
    }
    engine->base.verbs = &local_verbs;
    engine->options = *options;
    engine->tail = &engine->head;
    engine->late_tail = &engine->late;
    pthread_mutex_init(&engine->lock, NULL);
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&engine->work, &clock);
    pthread_condattr_destroy(&clock);
    snprintf(engine->name, sizeof engine->name, "stub");
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int threads = options->threads > 0 ? options->threads : cores > 0 ? (int)cores : 1;
    bool ok = options->stub || open_model(engine, e);
    for (int i = 0; ok && i < threads && i < MAX_THREADS; i++)
        ok = start_worker(engine, e);
    engine->options.model_dir = engine->options.data_dir = NULL; /* the caller's, not needed any more */
    if (ok)
        return &engine->base;
    close_local(&engine->base);
    return NULL;
}
