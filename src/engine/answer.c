/* answer.c - see answer.h. */
#include "engine/answer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/records.h"
#include "engine/text.h"
#include "engine/values.h"

struct span { const char *text; size_t bytes; uint32_t start, end; }; /* code points */

struct maker {
    const struct model *model;
    const struct document *document;
    const struct field *fields;
    size_t field_count;
    const struct plan *plan;
    struct findings *findings;
    size_t *first; /* [field_count + 1]: where each field's findings begin */
    struct habits habits;
    struct arena *arena;
    json_t *details; /* or NULL */
    json_t **values; /* [field_count] */
    bool failed;     /* out of memory */
};

/* ---- spans and details ------------------------------------------------------------------------------------------------- */

/* The text of document pieces first..last, without white space around it. */
static struct span span_of(const struct document *d, uint32_t first, uint32_t last)
{
    struct span s = {.start = d->pieces[first].start, .end = d->pieces[last].end};
    uint32_t code;
    while (s.start < s.end) {
        size_t at = d->byte_of[s.start];
        utf8_read(d->text + at, d->bytes - at, &code);
        if (!code_is_space(code))
            break;
        s.start++;
    }
    while (s.end > s.start) {
        size_t at = d->byte_of[s.end - 1];
        utf8_read(d->text + at, d->bytes - at, &code);
        if (!code_is_space(code))
            break;
        s.end--;
    }
    s.text = d->text + d->byte_of[s.start];
    s.bytes = d->byte_of[s.end] - d->byte_of[s.start];
    return s;
}

static double confidence(const struct calibration *c, double x)
{
    return 1 / (1 + exp(-(c->slope * x + c->offset)));
}

static double item_confidence(const struct maker *m, const struct finding *f)
{
    double p = f->score < 0.999999f ? f->score : 0.999999;
    return f->kind == FINDING_CELL ? confidence(&m->model->cell, f->score) : confidence(&m->model->list, log(p / (1 - p)));
}

/* {"value_text", "start", "end", "confidence"}; span NULL for a null answer. */
static json_t *detail(struct maker *m, const struct span *span, double sure)
{
    json_t *text = span ? json_stringn(span->text, span->bytes) : json_null();
    json_t *start = span ? json_integer(span->start) : json_null(), *end = span ? json_integer(span->end) : json_null();
    json_t *object = json_pack("{s:o, s:o, s:o, s:f}", "value_text", text, "start", start, "end", end, "confidence", sure);
    m->failed = m->failed || !object;
    return object;
}

static void set_detail(struct maker *m, const char *path, json_t *detail)
{
    if (json_object_set_new(m->details, path, detail))
        m->failed = true;
}

static json_t *keep(struct maker *m, json_t *value)
{
    m->failed = m->failed || !value;
    return value;
}

/* ---- one value ---------------------------------------------------------------------------------------------------------- */

static size_t findings_of(const struct maker *m, size_t field, struct finding **found)
{
    *found = m->findings->at + m->first[field];
    return m->first[field + 1] - m->first[field];
}

/* A value that a key's name alone makes a number stays the document's own text where it does not read as one. */
static json_t *read_value(struct maker *m, const struct field *field, const struct span *span)
{
    json_t *value = value_read(field, span->text, span->bytes, &m->habits);
    if (!value && field->typed_by_key)
        value = keep(m, json_stringn(span->text, span->bytes));
    return value;
}

/* The best span that beats null and reads as the field's type. */
static void answer_scalar(struct maker *m, size_t i)
{
    const struct field *field = &m->fields[i];
    struct finding *found;
    size_t count = findings_of(m, i, &found);
    double best = count ? found[0].score : -HUGE_VAL, bias = m->model->null_bias;
    for (size_t n = 0; n < count && found[n].score > bias; n++) {
        struct span span = span_of(m->document, found[n].first, found[n].last);
        m->values[i] = read_value(m, field, &span);
        if (!m->values[i])
            continue;
        if (m->details)
            set_detail(m, field->dotted, detail(m, &span, confidence(&m->model->value, found[n].score)));
        return;
    }
    if (m->details)
        set_detail(m, field->dotted, detail(m, NULL, confidence(&m->model->null, -best)));
}

static void answer_choice(struct maker *m, size_t i)
{
    const struct field *field = &m->fields[i];
    struct finding *found;
    size_t count = findings_of(m, i, &found);
    double margin = count ? found[0].score : -HUGE_VAL;
    bool answered = count && margin > m->model->null_bias, seen = answered && found[0].first <= found[0].last;
    if (answered)
        m->values[i] = keep(m, field->type == TYPE_BOOLEAN ? json_boolean(found[0].option == 0)
                                                           : json_string(field->options[found[0].option]));
    if (!m->details)
        return;
    struct span span = {0};
    if (seen)
        span = span_of(m->document, found[0].first, found[0].last);
    set_detail(m, field->dotted, detail(m, seen ? &span : NULL, answered ? confidence(&m->model->choice, margin)
                                                                         : confidence(&m->model->null, -margin)));
}

/* ---- lists -------------------------------------------------------------------------------------------------------------- */

static int by_place(const void *left, const void *right)
{
    const struct finding *a = left, *b = right;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    return (a->last > b->last) - (a->last < b->last);
}

/* The field's items over all windows, in document order; *near counts the near misses beside them. Two windows' readings of
 * one place may differ: the better stays. The first format's reference kept both, and so do its models. */
static size_t settle_list(const struct maker *m, size_t i, struct finding **items, size_t *near)
{
    size_t count = findings_of(m, i, items), over = 0;
    while (over < count && (*items)[over].kind == FINDING_ITEM)
        over++;
    size_t kept = m->model->format >= 2 ? decode_without_overlap(*items, over) : decode_distinct(*items, over);
    size_t beside = over;
    while (beside < count && (*items)[beside].kind == FINDING_NEAR)
        beside++;
    size_t under = decode_without_overlap(*items + over, beside - over);
    *near = 0;
    for (size_t n = over; n < over + under; n++) {
        bool apart = true;
        for (size_t k = 0; k < kept && apart; k++)
            apart = (*items)[n].last < (*items)[k].first || (*items)[n].first > (*items)[k].last;
        *near += apart;
    }
    if (kept)
        qsort(*items, kept, sizeof **items, by_place);
    return kept;
}

static bool holds(const json_t *array, const json_t *value)
{
    size_t index;
    const json_t *item;
    json_array_foreach(array, index, item) {
        if (json_equal(item, value))
            return true;
    }
    return false;
}

/* Names and options are listed once however often they are said; equal amounts and numbers may be different things. */
static bool said_before(const struct field *field, const json_t *values, const json_t *value)
{
    const char *text = json_string_value(value);
    bool name = text && !text[strcspn(text, "0123456789")];
    return (name || field->kind == FIELD_ENUM_LIST) && holds(values, value);
}

/* Values that do not read as the list's type are left out, and names said before. */
static void answer_list(struct maker *m, size_t i)
{
    const struct field *field = &m->fields[i];
    struct finding *items;
    size_t near, count = settle_list(m, i, &items, &near);
    json_t *values = json_array(), *places = m->details ? json_array() : NULL;
    for (size_t n = 0; values && n < count; n++) {
        struct span span = span_of(m->document, items[n].first, items[n].last);
        json_t *value = read_value(m, field, &span);
        if (!value || said_before(field, values, value)) {
            json_decref(value);
            continue;
        }
        m->failed = json_array_append_new(values, value) || m->failed;
        if (places)
            m->failed = json_array_append_new(places, detail(m, &span, item_confidence(m, &items[n]))) || m->failed;
    }
    m->values[i] = keep(m, values);
    if (m->details)
        set_detail(m, field->dotted, keep(m, json_pack("{s:o, s:I}", "values", places, "near_misses", (json_int_t)near)));
}

/* ---- records ------------------------------------------------------------------------------------------------------------ */

static bool group(struct maker *m, size_t i, size_t members, struct records *out)
{
    struct member *found = arena_array(m->arena, members, sizeof *found);
    struct records_ask ask = {.members = found, .asks = m->plan->asks + i + 1, .member_count = members,
                              .grid = m->document->grid, .pieces = m->document->pieces};
    for (size_t k = 0; found && k < members; k++) {
        struct finding *items;
        size_t near, count = findings_of(m, i + 1 + k, &items), cells = 0;
        while (cells < count && items[count - 1 - cells].kind == FINDING_CELL)
            cells++;
        found[k] = (struct member){.cells = items + count - cells, .cell_count = cells};
        found[k].item_count = settle_list(m, i + 1 + k, &items, &near);
        found[k].items = items;
    }
    if (m->plan->asks[i].kind == ASK_RECORDS) {
        struct finding *starts;
        ask.start_count = findings_of(m, i, &starts);
        ask.starts = starts;
        if (ask.start_count)
            qsort(starts, ask.start_count, sizeof *starts, by_place);
    }
    return found && records_group(&ask, m->arena, out);
}

static void fill_cell(struct maker *m, size_t record, size_t member, size_t row, const struct finding *found, json_t *object)
{
    const struct field *field = &m->fields[member];
    struct span span = {0};
    json_t *value = NULL;
    if (found) {
        span = span_of(m->document, found->first, found->last);
        value = read_value(m, field, &span);
    }
    if (m->details) {
        char path[2400];
        snprintf(path, sizeof path, "%s[%zu].%s", m->fields[record].dotted, row, field->path[field->depth - 1]);
        double sure = found ? item_confidence(m, found) : 0.5;
        set_detail(m, path, detail(m, value ? &span : NULL, value ? sure : 1 - sure));
    }
    if (json_object_set_new_nocheck(object, field->path[field->depth - 1], value ? value : json_null()))
        m->failed = true;
}

static void answer_records(struct maker *m, size_t i, size_t members)
{
    struct records found;
    json_t *rows = json_array();
    if (!rows || !group(m, i, members, &found)) {
        json_decref(rows);
        m->failed = true;
        return;
    }
    for (size_t row = 0; row < found.rows; row++) {
        json_t *object = json_object();
        for (size_t k = 0; object && k < members; k++)
            fill_cell(m, i, i + 1 + k, row, found.cells[row * members + k], object);
        m->failed = json_array_append_new(rows, object) || m->failed;
    }
    m->values[i] = rows;
}

/* ---- one place, one value ------------------------------------------------------------------------------------------------ */

/* The margin of a field that gives one span for its answer; -HUGE_VAL for all others. */
static double claim_of(const struct maker *m, size_t i)
{
    struct finding *found;
    bool scalar = m->fields[i].parent < 0 && m->plan->asks[i].kind == ASK_SCALAR;
    return scalar && findings_of(m, i, &found) && found[0].score > m->model->null_bias ? found[0].score : -HUGE_VAL;
}

static bool is_taken(const struct finding *f, const struct finding *const *taken, size_t count)
{
    for (size_t n = 0; n < count; n++)
        if (f->first <= taken[n]->last && f->last >= taken[n]->first)
            return true;
    return false;
}

/* Puts the best span that overlaps none of the taken ones first, if it costs less than the model's margin. */
static void yield_place(struct maker *m, size_t i, const struct finding *const *taken, size_t count)
{
    struct finding *found;
    size_t spans = findings_of(m, i, &found), n = 0;
    double floor = fmax(found[0].score - m->model->yield_margin, m->model->null_bias);
    while (n < spans && found[n].score > floor && is_taken(&found[n], taken, count))
        n++;
    if (n == 0 || n == spans || found[n].score <= floor)
        return;
    struct finding other = found[n];
    memmove(found + 1, found, n * sizeof *found);
    found[0] = other;
}

/* Two fields of one kind often claim the same words. The surer keeps them; the other takes its next best place where that is
 * nearly as good, else shares, for one value may answer two fields. */
static void share_places(struct maker *m)
{
    size_t taken_count = 0;
    const struct finding **taken = arena_array(m->arena, m->field_count, sizeof *taken);
    bool *done = arena_array(m->arena, m->field_count, sizeof *done);
    if (!taken || !done) {
        m->failed = true;
        return;
    }
    memset(done, 0, m->field_count * sizeof *done);
    for (;;) {
        size_t next = m->field_count;
        for (size_t i = 0; i < m->field_count; i++)
            if (!done[i] && claim_of(m, i) > -HUGE_VAL && (next == m->field_count || claim_of(m, i) > claim_of(m, next)))
                next = i;
        if (next == m->field_count)
            return;
        done[next] = true;
        yield_place(m, next, taken, taken_count);
        struct finding *found;
        findings_of(m, next, &found);
        taken[taken_count++] = found;
    }
}

/* ---- all of it ---------------------------------------------------------------------------------------------------------- */

static size_t member_count(const struct maker *m, size_t i)
{
    size_t count = 0;
    while (i + 1 + count < m->field_count && m->fields[i + 1 + count].parent == (int)i)
        count++;
    return count;
}

static void answer_field(struct maker *m, size_t i)
{
    const struct field *field = &m->fields[i];
    if (field->parent >= 0)
        return;
    if (field->kind == FIELD_RECORDS)
        answer_records(m, i, member_count(m, i));
    else if (field->kind == FIELD_LIST || field->kind == FIELD_ENUM_LIST)
        answer_list(m, i);
    else if (m->plan->asks[i].kind == ASK_CHOICE)
        answer_choice(m, i);
    else
        answer_scalar(m, i);
}

bool answer_make(const struct model *model, const struct template_plan *template, const struct plan *plan,
                 const struct document *document, struct findings *findings, struct arena *arena, json_t **data, json_t **fields)
{
    struct maker m = {.model = model, .document = document, .plan = plan, .findings = findings, .arena = arena};
    m.fields = template_fields(template, &m.field_count);
    m.habits = habits_of(document->text, document->bytes);
    m.first = arena_array(arena, m.field_count + 1, sizeof *m.first);
    m.values = arena_array(arena, m.field_count, sizeof *m.values);
    m.details = fields ? json_object() : NULL;
    m.failed = !m.first || !m.values || (fields && !m.details);
    *data = NULL;
    if (!m.failed) {
        decode_sort(findings);
        for (size_t i = 0, at = 0; i <= m.field_count; i++) {
            while (at < findings->count && findings->at[at].ask < i)
                at++;
            m.first[i] = at;
        }
        if (model->yield_margin > 0)
            share_places(&m);
        for (size_t i = 0; i < m.field_count && !m.failed; i++)
            answer_field(&m, i);
        *data = keep(&m, template_fill(template, m.values));
        for (size_t i = 0; i < m.field_count; i++)
            json_decref(m.values[i]);
    }
    if (fields)
        *fields = m.details;
    if (!m.failed)
        return true;
    json_decref(*data);
    json_decref(m.details);
    *data = NULL;
    if (fields)
        *fields = NULL;
    return false;
}
