/* auto.c - the engine behind --engine auto: the embedded model first, the pool for the fields it is unsure of.
 *
 *     submit -> local.c, with details -> every field sure enough: done
 *                                     -> else remote.c for the others -> of each field the surer answer
 *
 * A list is as sure as its least sure value when it is decided whether to ask, and as its values on average when two answers
 * are compared. Where the pool has no answer the embedded engine's stands, and a warning says so: a task fails only where the
 * embedded engine fails. Has no threads of its own: steps run on the engines' threads. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engines.h"
#include "engine/merge.h"

enum { NAME_BYTES = 300 };
static const double sure_empty = 0.5; /* of a list without values that has near misses, or is compared with another */

struct automatic {
    struct engine base;
    struct engine *local, *remote;
    double threshold;
    char name[NAME_BYTES];
};

struct task {
    struct automatic *engine;
    struct engine_task given;
    bool asked[TEMPLATE_MAX_FIELDS]; /* of the pool */
    struct engine_answer first;      /* the embedded engine's */
};

/* ---- how sure is an engine of a field? --------------------------------------------------------------------------- */

struct sureness { double least, sum; size_t count; bool near; };

static void weigh(struct sureness *s, const json_t *detail)
{
    double sure = json_number_value(json_object_get(detail, "confidence"));
    s->least = fmin(s->least, sure);
    s->sum += sure;
    s->count++;
}

/* Is `path` an entry of records `dotted`: "items[0].price" of "items"? */
static bool is_member(const char *path, const char *dotted)
{
    size_t n = strlen(dotted);
    return !strncmp(path, dotted, n) && path[n] == '[';
}

/* An embedded value has its text, one of the pool a grounding. */
static bool has_value(const json_t *detail)
{
    return json_is_string(json_object_get(detail, "value_text")) || json_is_string(json_object_get(detail, "grounding"));
}

static struct sureness sureness_of(json_t *fields, const struct field *field)
{
    struct sureness s = {.least = 1};
    const json_t *own = json_object_get(fields, field->dotted), *values = json_object_get(own, "values"), *value;
    size_t i;
    const char *path;
    json_t *detail;
    if (field->kind == FIELD_RECORDS) {
        json_object_foreach(fields, path, detail)
            if (is_member(path, field->dotted) && has_value(detail))
                weigh(&s, detail);
    } else if (values) {
        json_array_foreach(values, i, value)
            weigh(&s, value);
        s.near = json_integer_value(json_object_get(own, "near_misses")) > 0;
    } else if (own) {
        weigh(&s, own);
    }
    return s;
}

static double average(const struct sureness *s)
{
    return s->count ? s->sum / (double)s->count : sure_empty;
}

/* Marks the fields to ask of the pool; false: none. */
static bool choose_fields(struct task *task)
{
    size_t count;
    const struct field *fields = template_fields(task->given.plan, &count);
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        if (fields[i].parent >= 0)
            continue;
        struct sureness s = sureness_of(task->first.fields, &fields[i]);
        bool nothing = s.count == 0 && (s.near || fields[i].kind == FIELD_RECORDS);
        task->asked[i] = (s.count && s.least < task->engine->threshold) || (nothing && sure_empty < task->engine->threshold);
        any = any || task->asked[i];
    }
    return any;
}

/* ---- one answer of two ------------------------------------------------------------------------------------------- */

static json_t *value_at(json_t *data, const struct field *field)
{
    for (size_t i = 0; i < field->depth; i++)
        data = json_object_get(data, field->path[i]);
    return data;
}

/* Copies the details of a field; the embedded engine's are given the engine's name. */
static bool take_details(json_t *into, json_t *from, const struct field *field, bool embedded)
{
    const char *path;
    json_t *detail;
    bool ok = true;
    json_object_foreach(from, path, detail) {
        if (field->kind == FIELD_RECORDS ? !is_member(path, field->dotted) : strcmp(path, field->dotted) != 0)
            continue;
        ok = json_object_set(into, path, detail) == 0 && ok;
        ok = (!embedded || json_object_set_new(detail, "engine", json_string("embedded")) == 0) && ok;
    }
    return ok;
}

static bool add_warning(struct engine_answer *answer, const char *text)
{
    if (!answer->warnings)
        answer->warnings = json_array();
    return answer->warnings && json_array_append_new(answer->warnings, json_string(text)) == 0;
}

/* The answer of both, into `out`; `second` may be NULL. */
static bool combine(const struct task *task, const struct engine_answer *second, struct engine_answer *out)
{
    size_t count;
    json_t *values[TEMPLATE_MAX_FIELDS] = {NULL};
    const struct field *fields = template_fields(task->given.plan, &count);
    bool ok = (out->fields = json_object()) != NULL;
    for (size_t i = 0; ok && i < count; i++) {
        if (fields[i].parent >= 0)
            continue;
        bool other = false;
        if (second && task->asked[i]) {
            struct sureness a = sureness_of(task->first.fields, &fields[i]), b = sureness_of(second->fields, &fields[i]);
            other = average(&b) > average(&a);
        }
        const struct engine_answer *from = other ? second : &task->first;
        values[i] = value_at(from->data, &fields[i]);
        ok = take_details(out->fields, from->fields, &fields[i], !other);
    }
    out->data = ok ? template_fill(task->given.plan, values) : NULL;
    return out->data != NULL;
}

static void deliver(struct task *task, struct engine_answer *answer)
{
    void (*done)(void *, struct engine_answer *) = task->given.done;
    void *arg = task->given.arg;
    engine_answer_clear(&task->first);
    free(task);
    done(arg, answer);
}

/* "The pool of upstreams gave no answer, so these fields are the embedded engine's, though it is unsure: a, b." */
static bool warn_fallback(const struct task *task, struct engine_answer *answer)
{
    size_t count, bytes = 0;
    char *text = NULL;
    const struct field *fields = template_fields(task->given.plan, &count);
    FILE *out = open_memstream(&text, &bytes);
    if (!out)
        return false;
    fputs("The pool of upstreams gave no answer, so these fields are the embedded engine's, though it is unsure: ", out);
    for (size_t i = 0, named = 0; i < count; i++)
        if (task->asked[i])
            fprintf(out, "%s%s", named++ ? ", " : "", fields[i].dotted);
    fputc('.', out);
    bool ok = fclose(out) == 0 && add_warning(answer, text);
    free(text);
    return ok;
}

/* `second`: the pool's answer, or NULL: it was not needed. */
static void finish(struct task *task, struct engine_answer *second)
{
    struct engine_answer answer = {.ok = true};
    bool answered = second && second->ok;
    answer.warnings = json_incref(task->first.warnings);
    answer.ok = combine(task, answered ? second : NULL, &answer);
    if (answer.ok && second && !second->ok)
        answer.ok = warn_fallback(task, &answer);
    if (answer.ok && answered) {
        if (!answer.warnings)
            answer.warnings = json_incref(second->warnings);
        else if (second->warnings)
            answer.ok = json_array_extend(answer.warnings, second->warnings) == 0;
        char *inferred = merge_inferred_warning(answer.fields);
        if (inferred)
            answer.ok = add_warning(&answer, inferred) && answer.ok;
        free(inferred);
    }
    if (!task->given.details) {
        json_decref(answer.fields);
        answer.fields = NULL;
    }
    if (!answer.ok) {
        engine_answer_clear(&answer);
        error_set(&answer.error, ERR_INTERNAL, "", "Out of memory building the answer.");
    }
    deliver(task, &answer);
}

/* ---- the steps --------------------------------------------------------------------------------------------------- */

static void after_remote(void *arg, struct engine_answer *answer)
{
    finish(arg, answer);
    engine_answer_clear(answer);
}

static void after_local(void *arg, struct engine_answer *answer)
{
    struct task *task = arg;
    if (!answer->ok) {
        deliver(task, answer);
        return;
    }
    task->first = *answer;
    if (!choose_fields(task)) {
        finish(task, NULL);
        return;
    }
    struct engine_answer none = {.ok = false};
    struct engine_task part = task->given;
    part.details = true;
    part.done = after_remote;
    part.arg = task;
    if (!remote_submit_part(task->engine->remote, &part, task->asked, &none.error))
        finish(task, &none);
}

/* ---- as an engine ------------------------------------------------------------------------------------------------ */

static bool submit(struct engine *base, const struct engine_task *given, struct error *e)
{
    struct automatic *engine = (struct automatic *)base;
    struct task *task = calloc(1, sizeof *task);
    if (!task)
        return error_set(e, ERR_INTERNAL, "", "Out of memory accepting the job.");
    task->engine = engine;
    task->given = *given;
    struct engine_task first = *given;
    first.details = true;
    first.done = after_local;
    first.arg = task;
    if (engine_submit(engine->local, &first, e))
        return true;
    free(task);
    return false;
}

/* The embedded engine first: its last tasks may still ask the pool. */
static void close_auto(struct engine *base)
{
    struct automatic *engine = (struct automatic *)base;
    engine_close(engine->local);
    engine_close(engine->remote);
    free(engine);
}

static const char *name_of(const struct engine *base)
{
    return ((const struct automatic *)base)->name;
}

static int slots_of(const struct engine *base)
{
    const struct automatic *engine = (const struct automatic *)base;
    return engine_slots(engine->local) + engine_slots(engine->remote);
}

static void metrics(struct engine *base, FILE *out)
{
    engine_metrics(((struct automatic *)base)->remote, out);
}

static const struct engine_verbs auto_verbs = {
    .close = close_auto, .submit = submit, .name = name_of, .slots = slots_of, .metrics = metrics};

struct engine *auto_open(const struct engine_options *options, struct error *e)
{
    struct automatic *engine = calloc(1, sizeof *engine);
    if (!engine)
        return error_set(e, ERR_ENGINE_UNAVAILABLE, "", "Out of memory opening the engine."), NULL;
    engine->base.verbs = &auto_verbs;
    engine->threshold = options->threshold_percent / 100.0;
    engine->local = local_open(options, e);
    engine->remote = engine->local ? remote_open(options, e) : NULL;
    if (engine->remote) {
        snprintf(engine->name, sizeof engine->name, "%s, %s", engine_model_name(engine->local), engine_model_name(engine->remote));
        return &engine->base;
    }
    close_auto(&engine->base);
    return NULL;
}
