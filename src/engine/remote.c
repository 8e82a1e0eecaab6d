/* remote.c - the engine behind --engine remote: tasks in, questions to a pool of language model servers, answers out.
 *
 *     submit -> queue -> a worker plans the task: groups of fields x pieces of the document = questions, each queued
 *            -> workers ask: take a place in the pool -> POST -> read -> ground -> collect; a failed question goes to another
 *               upstream, an answer that ran out of room makes two questions of half the piece each
 *            -> the worker that ends the last question merges what was collected and calls done
 *
 * One worker per place in the pool, so a question waits here and not on a socket. If a question cannot be answered the whole
 * task fails, with 503: half an answer is none. See upstream.h for the pool, prompt.h, reply.h, ground.h and merge.h for the
 * steps. The engine's lock guards the queue, a task's lock what is collected; both are leaves. */
#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/arena.h"
#include "engine/engines.h"
#include "engine/merge.h"
#include "engine/remote_probe.h"

enum {
    THREADS_MAX = 256,
    ATTEMPTS_MAX = 3,
    BYTES_PER_TOKEN = 3,      /* a low estimate for Latin text, a fair one for others; where it fails the piece is halved */
    TOKENS_PER_FIELD = 24,    /* of an answer */
    PIECE_LEAST = 500,        /* bytes; no piece is halved below */
    STRANGERS = 3,            /* so many values and none in the document: an answer to something else */
    RETRY_AFTER_S = 5,
    KEY_FILE_BYTES = 4096,
};

struct task {
    struct engine_task given;
    bool part;                /* what is inferred is told by who asked for a part */
    bool asked[TEMPLATE_MAX_FIELDS];
    struct arena arena;
    struct ground ground;
    pthread_mutex_t lock;     /* guards all below */
    size_t questions;         /* not ended */
    bool failed;
    struct error error;
    struct items items;
    json_t *warnings;         /* or NULL */
};

struct question {
    struct task *task;
    bool planned;             /* false: the task is still to be divided */
    bool asked[TEMPLATE_MAX_FIELDS];
    size_t from, to;          /* bytes of the document */
    struct question *next;
};

struct worker { struct remote *remote; pthread_t thread; struct http *http; };

struct remote {
    struct engine base;
    struct remote_settings settings;
    struct pool *pool;
    char name[UPSTREAM_MODEL_CHARS + 40];
    bool started;             /* http_start */
    pthread_mutex_t lock;     /* guards the queue */
    pthread_cond_t work;
    struct question *head, **tail;
    size_t unfinished;        /* tasks */
    bool closing;
    int worker_count;
    struct worker workers[THREADS_MAX];
};

/* ---- the end of a task ------------------------------------------------------------------------------------------- */

static void free_task(struct task *task)
{
    items_free(&task->items);
    arena_free(&task->arena);
    pthread_mutex_destroy(&task->lock);
    free(task);
}

static void warn(struct task *task, const char *text)
{
    if (!task->warnings)
        task->warnings = json_array();
    if (!task->warnings || json_array_append_new(task->warnings, json_string(text)))
        log_warn(NULL, "remote: out of memory for a warning");
}

static void finish(struct remote *remote, struct task *task)
{
    struct engine_answer answer = {.ok = !task->failed, .error = task->error};
    json_t *fields = NULL;
    if (answer.ok)
        answer.ok = merge_make(task->given.plan, task->asked, &task->ground, &task->items, &answer.data, &fields);
    if (!answer.ok && answer.error.code == ERR_NONE)
        error_set(&answer.error, ERR_INTERNAL, "", "Out of memory building the answer.");
    char *inferred = answer.ok && !task->part ? merge_inferred_warning(fields) : NULL;
    if (inferred)
        warn(task, inferred);
    free(inferred);
    if (answer.ok && task->given.details)
        answer.fields = json_incref(fields);
    if (answer.ok)
        answer.warnings = json_incref(task->warnings);
    json_decref(fields);
    json_decref(task->warnings);
    void (*done)(void *, struct engine_answer *) = task->given.done;
    void *arg = task->given.arg;
    free_task(task);
    done(arg, &answer);
    pthread_mutex_lock(&remote->lock);
    if (--remote->unfinished == 0)
        pthread_cond_broadcast(&remote->work);
    pthread_mutex_unlock(&remote->lock);
}

static void fail(struct task *task, int retry_after_s, const char *message)
{
    pthread_mutex_lock(&task->lock);
    if (!task->failed) {
        task->failed = true;
        error_set(&task->error, ERR_ENGINE_UNAVAILABLE, "", "%s", message);
        task->error.retry_after_s = retry_after_s;
    }
    pthread_mutex_unlock(&task->lock);
}

static bool has_failed(struct task *task)
{
    pthread_mutex_lock(&task->lock);
    bool failed = task->failed;
    pthread_mutex_unlock(&task->lock);
    return failed;
}

static void end_question(struct remote *remote, struct question *question)
{
    struct task *task = question->task;
    free(question);
    pthread_mutex_lock(&task->lock);
    bool last = --task->questions == 0;
    pthread_mutex_unlock(&task->lock);
    if (last)
        finish(remote, task);
}

/* ---- the queue --------------------------------------------------------------------------------------------------- */

static void push(struct remote *remote, struct question *question)
{
    pthread_mutex_lock(&remote->lock);
    question->next = NULL;
    *remote->tail = question;
    remote->tail = &question->next;
    pthread_cond_signal(&remote->work);
    pthread_mutex_unlock(&remote->lock);
}

/* NULL: the engine closes and all is done. */
static struct question *pop(struct remote *remote)
{
    pthread_mutex_lock(&remote->lock);
    while (!remote->head && !(remote->closing && remote->unfinished == 0))
        pthread_cond_wait(&remote->work, &remote->lock);
    struct question *question = remote->head;
    if (question && !(remote->head = question->next))
        remote->tail = &remote->head;
    pthread_mutex_unlock(&remote->lock);
    return question;
}

/* Queues another question of the task; false: out of memory, and the task has failed. */
static bool add_question(struct remote *remote, struct task *task, const bool *asked, size_t from, size_t to)
{
    struct question *question = calloc(1, sizeof *question);
    if (!question) {
        fail(task, RETRY_AFTER_S, "Out of memory dividing the job.");
        return false;
    }
    *question = (struct question){.task = task, .planned = true, .from = from, .to = to};
    memcpy(question->asked, asked, sizeof question->asked);
    pthread_mutex_lock(&task->lock);
    task->questions++;
    pthread_mutex_unlock(&task->lock);
    push(remote, question);
    return true;
}

/* ---- dividing a task --------------------------------------------------------------------------------------------- */

/* Where a piece that may end at `to` should end: behind a line, else behind a word, in its last fifth; never inside a code
 * point. */
static size_t cut_before(const char *text, size_t from, size_t to)
{
    size_t least = to - (to - from) / 5;
    for (size_t at = to; at > least; at--)
        if (text[at - 1] == '\n')
            return at;
    for (size_t at = to; at > least; at--)
        if (isspace((unsigned char)text[at - 1]))
            return at;
    while (to > from + 1 && ((unsigned char)text[to] & 0xC0) == 0x80)
        to--;
    return to;
}

/* The start of the piece after one that ended at `end`: a tenth of it is read twice, so that nothing is lost at the cut. */
static size_t step_back(const char *text, size_t from, size_t end)
{
    size_t at = end - (end - from) / 10;
    while (at < end && ((unsigned char)text[at] & 0xC0) == 0x80)
        at++;
    return at;
}

static bool ask_pieces(struct remote *remote, struct task *task, const bool *asked, size_t from, size_t to, size_t size)
{
    const char *text = task->given.text;
    for (;;) {
        size_t end = to - from <= size ? to : cut_before(text, from, from + size);
        if (!add_question(remote, task, asked, from, end))
            return false;
        if (end == to)
            return true;
        from = step_back(text, from, end);
    }
}

/* Takes fields from *next on for one question: as many as leave room for the document and the answer. Returns the bytes that
 * they take of the prompt. */
static size_t take_group(const struct task *task, size_t *next, size_t room, size_t most, bool *group)
{
    size_t count, bytes = 0, taken = 0, i = *next;
    const struct field *fields = template_fields(task->given.plan, &count);
    memset(group, 0, TEMPLATE_MAX_FIELDS * sizeof *group);
    while (i < count) {
        size_t end = i + 1, more = prompt_field_bytes(&fields[i]);
        for (; end < count && fields[end].parent >= 0; end++)
            more += prompt_field_bytes(&fields[end]);
        if (task->asked[i] && taken && (bytes + more > room || taken + (end - i) > most))
            break;
        if (task->asked[i]) {
            group[i] = true;
            bytes += more;
            taken += end - i;
        }
        i = end;
    }
    *next = i;
    return taken ? bytes : 0;
}

static void plan(struct remote *remote, struct task *task)
{
    int retry;
    bool group[TEMPLATE_MAX_FIELDS];
    size_t context = pool_context(remote->pool, &retry), count, next = 0, bytes;
    (void)template_fields(task->given.plan, &count);
    if (context == 0) {
        fail(task, retry, "None of the model servers behind this service is available; try again.");
        return;
    }
    if (!ground_open(&task->ground, task->given.text, task->given.text_bytes, &task->arena)) {
        fail(task, RETRY_AFTER_S, "Out of memory preparing the document.");
        return;
    }
    size_t answer = (size_t)remote_answer_tokens(context);
    size_t most_bytes = context / 4 * BYTES_PER_TOKEN, most_fields = answer / TOKENS_PER_FIELD;
    while (next < count && (bytes = take_group(task, &next, most_bytes, most_fields, group))) {
        size_t taken = answer + PROMPT_FIXED_TOKENS + bytes / BYTES_PER_TOKEN;
        size_t room = context > taken ? (context - taken) * BYTES_PER_TOKEN : 0;
        if (!ask_pieces(remote, task, group, 0, task->given.text_bytes, room > PIECE_LEAST ? room : PIECE_LEAST))
            return;
    }
}

/* ---- one question ------------------------------------------------------------------------------------------------ */

/* Does the answer name things and none of them stands in the piece? Then it is to another document. */
static bool is_strange(const struct items *items)
{
    size_t inferred = 0;
    for (size_t i = 0; i < items->count; i++) {
        if (items->at[i].value && items->at[i].found.how != GROUND_INFERRED)
            return false;
        inferred += json_is_string(items->at[i].value);
    }
    return inferred >= STRANGERS;
}

/* Grounds the reply and adds it to the task. False, with told->outcome, when it must not be used. */
static bool collect(struct question *q, struct told *told)
{
    struct task *task = q->task;
    struct items items = {0};
    bool ok = items_add(&items, &task->ground, task->given.plan, &told->reply, (uint32_t)q->from, q->from, q->to);
    if (ok && !told->reply.marked && is_strange(&items)) {
        told->outcome = OUTCOME_BAD;
        snprintf(told->why, sizeof told->why, "none of the values stands in the document");
        items_free(&items);
        return false;
    }
    pthread_mutex_lock(&task->lock);
    for (size_t i = 0; ok && i < items.count; i++) {
        ok = items_append(&task->items, &items.at[i]);
        if (ok)
            items.at[i].value = NULL; /* the task's now */
    }
    pthread_mutex_unlock(&task->lock);
    items_free(&items);
    if (!ok)
        fail(task, RETRY_AFTER_S, "Out of memory collecting the model's answer.");
    return true;
}

/* The piece was too much for one answer. False: it cannot be made smaller. */
static bool halve(struct remote *remote, struct question *q)
{
    size_t bytes = q->to - q->from;
    return bytes >= 2 * PIECE_LEAST && ask_pieces(remote, q->task, q->asked, q->from, q->to, bytes / 2 + bytes / 10);
}

/* What a list holds beyond its most items in a piece that cannot be halved is missing, so it is said. */
static void warn_full(struct question *q)
{
    char text[160];
    size_t from = ground_char(&q->task->ground, q->from), to = ground_char(&q->task->ground, q->to);
    snprintf(text, sizeof text, "A list between characters %zu and %zu may have more than the %d items given.", from, to,
             PROMPT_LIST_MAX);
    pthread_mutex_lock(&q->task->lock);
    warn(q->task, text);
    pthread_mutex_unlock(&q->task->lock);
}

/* One attempt at one upstream. True: the question is answered, or other questions stand for it. */
static bool attempt(struct remote *remote, struct worker *worker, struct question *q, const struct lease *lease,
                    struct told *told)
{
    struct task *task = q->task;
    struct asking asking = {.url = lease->url,
                            .traits = &lease->traits,
                            .plan = task->given.plan,
                            .asked = q->asked,
                            .text = task->given.text + q->from,
                            .bytes = q->to - q->from,
                            .max_tokens = remote_answer_tokens(lease->traits.context)};
    bool ended = false;
    remote_ask(worker->http, &remote->settings, &asking, told);
    bool partly = told->reply.kind == REPLY_CUT && told->reply.count > 0;
    if (told->too_long && halve(remote, q)) {
        ended = true;
    } else if (told->reply.kind == REPLY_OK || partly) {
        ended = collect(q, told);
        if (ended && partly)
            warn_full(q);
    } else if (told->too_long && told->outcome == OUTCOME_OK) {
        told->outcome = OUTCOME_BAD; /* the model does not come to an end */
    }
    reply_free(&told->reply);
    return ended;
}

static void answer(struct remote *remote, struct worker *worker, struct question *q)
{
    uint32_t avoid = 0;
    int retry = RETRY_AFTER_S;
    for (int n = 0; n < ATTEMPTS_MAX && !has_failed(q->task); n++) {
        struct lease lease;
        struct told told;
        if (!pool_take(remote->pool, avoid, &lease, &retry)) {
            fail(q->task, retry, "None of the model servers behind this service is available; try again.");
            return;
        }
        bool ended = attempt(remote, worker, q, &lease, &told);
        pool_give(remote->pool, &lease, told.outcome, told.pause_s, told.why);
        if (ended)
            return;
        log_info(NULL, "remote: a question failed", LOG_STR("url", lease.url), LOG_STR("why", told.why),
                 LOG_INT("attempt", n + 1));
        avoid |= 1u << lease.index;
        if (!pool_may_retry(remote->pool))
            break;
    }
    fail(q->task, retry, "The model servers behind this service gave no answer that can be used; try again.");
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct remote *remote = worker->remote;
    for (struct question *q; (q = pop(remote));) {
        if (!q->planned)
            plan(remote, q->task);
        else
            answer(remote, worker, q);
        end_question(remote, q);
    }
    pthread_mutex_lock(&remote->lock);
    pthread_cond_broadcast(&remote->work);
    pthread_mutex_unlock(&remote->lock);
    return NULL;
}

/* ---- as an engine ------------------------------------------------------------------------------------------------ */

bool remote_submit_part(struct engine *base, const struct engine_task *given, const bool *asked, struct error *e)
{
    struct remote *remote = (struct remote *)base;
    struct task *task = calloc(1, sizeof *task);
    struct question *question = calloc(1, sizeof *question);
    size_t count;
    (void)template_fields(given->plan, &count);
    if (!task || !question) {
        free(task);
        free(question);
        return error_set(e, ERR_INTERNAL, "", "Out of memory accepting the job.");
    }
    task->given = *given;
    task->questions = 1;
    task->part = asked != NULL;
    for (size_t i = 0; i < count; i++)
        task->asked[i] = !asked || asked[i];
    pthread_mutex_init(&task->lock, NULL);
    *question = (struct question){.task = task};
    pthread_mutex_lock(&remote->lock);
    remote->unfinished++;
    pthread_mutex_unlock(&remote->lock);
    push(remote, question);
    return true;
}

static bool submit(struct engine *base, const struct engine_task *given, struct error *e)
{
    return remote_submit_part(base, given, NULL, e);
}

static void close_remote(struct engine *base)
{
    struct remote *remote = (struct remote *)base;
    pthread_mutex_lock(&remote->lock);
    remote->closing = true;
    pthread_cond_broadcast(&remote->work);
    pthread_mutex_unlock(&remote->lock);
    for (int i = 0; i < remote->worker_count; i++) {
        pthread_join(remote->workers[i].thread, NULL);
        http_close(remote->workers[i].http);
    }
    pool_close(remote->pool);
    if (remote->started)
        http_stop();
    template_free(remote->settings.canary);
    free(remote->settings.model);
    free(remote->settings.prompt);
    free(remote->settings.key);
    pthread_cond_destroy(&remote->work);
    pthread_mutex_destroy(&remote->lock);
    free(remote);
}

static const char *name_of(const struct engine *base)
{
    return ((const struct remote *)base)->name;
}

static int slots_of(const struct engine *base)
{
    return ((const struct remote *)base)->worker_count;
}

static void metrics(struct engine *base, FILE *out)
{
    pool_metrics(((struct remote *)base)->pool, out);
}

static const struct engine_verbs remote_verbs = {
    .close = close_remote, .submit = submit, .name = name_of, .slots = slots_of, .metrics = metrics};

/* ---- opening ----------------------------------------------------------------------------------------------------- */

static bool read_key(const char *path, char **key, struct error *e)
{
    char text[KEY_FILE_BYTES + 1];
    FILE *file = fopen(path, "re");
    size_t bytes = file ? fread(text, 1, KEY_FILE_BYTES, file) : 0, from = 0;
    if (file)
        fclose(file);
    else
        return error_set(e, ERR_INVALID_VALUE, "upstream-key-file", "--upstream-key-file: %.200s cannot be read.", path);
    while (from < bytes && isspace((unsigned char)text[from]))
        from++;
    while (bytes > from && isspace((unsigned char)text[bytes - 1]))
        bytes--;
    bool ok = bytes > from && bytes - from <= HTTP_KEY_CHARS;
    for (size_t i = from; ok && i < bytes; i++)
        ok = text[i] > ' ' && text[i] <= '~';
    if (!ok)
        return error_set(e, ERR_INVALID_VALUE, "upstream-key-file", "--upstream-key-file: %.200s must hold one key of 1 to %d "
                         "printable ASCII characters.", path, HTTP_KEY_CHARS);
    *key = strndup(text + from, bytes - from);
    return *key || error_set(e, ERR_ENGINE_UNAVAILABLE, "", "Out of memory opening the engine.");
}

static bool read_urls(const char *list, char urls[][HTTP_URL_CHARS], int *count, struct error *e)
{
    *count = 0;
    for (const char *at = list ? list : ""; *at;) {
        size_t length = strcspn(at, ",");
        if (*count == ENGINE_UPSTREAMS_MAX)
            return error_set(e, ERR_INVALID_VALUE, "upstream", "--upstream: at most %d URLs are allowed.", ENGINE_UPSTREAMS_MAX);
        if (!http_base_url(at, length, urls[*count], e))
            return false;
        ++*count;
        at += length + (at[length] == ',');
    }
    return *count > 0 || error_set(e, ERR_INVALID_VALUE, "upstream", "--engine remote and auto need --upstream URL[,URL...].");
}

static bool read_settings(struct remote *remote, const struct upstream_options *o, struct error *e)
{
    struct remote_settings *s = &remote->settings;
    enum prompt_family family;
    json_t *template = json_pack("{s:n}", "invoice_number");
    s->timeout_ms = o->timeout_ms;
    s->context = o->context;
    s->canary = template ? template_compile(template, e) : NULL;
    json_decref(template);
    s->prompt = strdup(o->prompt ? o->prompt : "auto");
    s->model = o->model ? strdup(o->model) : NULL;
    if (!s->canary || !s->prompt || (o->model && !s->model))
        return error_set(e, ERR_ENGINE_UNAVAILABLE, "", "Out of memory opening the engine.");
    if (!prompt_family_parse(s->prompt, s->model, &family))
        return error_set(e, ERR_INVALID_VALUE, "upstream-prompt", "--upstream-prompt must be auto, chat or nuextract.");
    return !o->key_file || read_key(o->key_file, &s->key, e);
}

static bool open_pool(struct remote *remote, const struct upstream_options *o, struct error *e)
{
    char urls[ENGINE_UPSTREAMS_MAX][HTTP_URL_CHARS];
    const char *list[ENGINE_UPSTREAMS_MAX];
    struct pool_options pool = {.urls = list, .concurrency = o->concurrency, .probe = remote_probe, .arg = &remote->settings};
    if (!read_urls(o->urls, urls, &pool.count, e))
        return false;
    for (int i = 0; i < pool.count; i++)
        list[i] = urls[i];
    snprintf(remote->name, sizeof remote->name, "%s at %d upstream%s", o->model ? o->model : "the model served", pool.count,
             pool.count == 1 ? "" : "s");
    return (remote->started = http_start(e)) && (remote->pool = pool_open(&pool, e));
}

static bool start_worker(struct remote *remote, struct error *e)
{
    struct worker *worker = &remote->workers[remote->worker_count];
    *worker = (struct worker){.remote = remote, .http = http_open()};
    if (!worker->http || pthread_create(&worker->thread, NULL, work, worker)) {
        http_close(worker->http);
        return error_set(e, ERR_ENGINE_UNAVAILABLE, "", "Cannot start a thread that asks the upstreams.");
    }
    remote->worker_count++;
    return true;
}

struct engine *remote_open(const struct engine_options *options, struct error *e)
{
    const struct upstream_options *o = &options->upstream;
    struct remote *remote = calloc(1, sizeof *remote);
    if (!remote)
        return error_set(e, ERR_ENGINE_UNAVAILABLE, "", "Out of memory opening the engine."), NULL;
    remote->base.verbs = &remote_verbs;
    remote->tail = &remote->head;
    pthread_mutex_init(&remote->lock, NULL);
    pthread_cond_init(&remote->work, NULL);
    bool ok = read_settings(remote, o, e) && open_pool(remote, o, e);
    int places = ok ? pool_places(remote->pool) : 0;
    for (int i = 0; ok && i < places && i < THREADS_MAX; i++)
        ok = start_worker(remote, e);
    if (ok)
        return &remote->base;
    close_remote(&remote->base);
    return NULL;
}
