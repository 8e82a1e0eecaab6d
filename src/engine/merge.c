/* merge.c - see merge.h. */
#include "engine/merge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/text.h"

enum {
    PATH_BYTES = 2400,
    NUMBER_BYTES = 64,
    NAMED_MAX = 20, /* fields named in a warning */
};

/* How sure we are of what was found so: where the server tells no probability, and how much of a told one is kept. Not fitted
 * to any one model, for the pool may run any. */
static const struct { double untold, kept; } trust[] = {
    [GROUND_VERBATIM] = {0.90, 1.0}, [GROUND_NORMALISED] = {0.80, 0.95}, [GROUND_INFERRED] = {0.35, 0.5}};
/* An absence cannot be looked up, nor a choice by its meaning: less trust. `unsaid`: a field that the model left out. */
static const double untold_judgement = 0.6, kept_judgement = 0.8, unsaid = 0.3;

void items_free(struct items *items)
{
    for (size_t i = 0; i < items->count; i++)
        json_decref(items->at[i].value);
    free(items->at);
    *items = (struct items){0};
}

static bool is_grounded(const struct item *item) { return item->found.how != GROUND_INFERRED; }

/* ---- what was said -> items -------------------------------------------------------------------------------------- */

bool items_append(struct items *items, const struct item *item)
{
    if (items->count == items->room) {
        size_t room = items->room ? 2 * items->room : 64;
        struct item *more = realloc(items->at, room * sizeof *more);
        if (!more)
            return false;
        items->at = more;
        items->room = room;
    }
    items->at[items->count++] = *item;
    return true;
}

/* What was said as words; false: nothing was (null). `number` holds what was no string. */
static bool words_of(json_t *value, char number[NUMBER_BYTES], const char **text, size_t *bytes)
{
    if (json_is_null(value))
        return false;
    *text = number;
    if (json_is_string(value)) {
        *text = json_string_value(value);
        *bytes = json_string_length(value);
        uint32_t code;
        for (size_t length; *bytes; *text += length, *bytes -= length) { /* white space around is no part of a value */
            length = utf8_read(*text, *bytes, &code);
            if (!code_is_space(code))
                break;
        }
        while (*bytes && strchr(" \t\r\n", (*text)[*bytes - 1]))
            --*bytes;
        return *bytes > 0;
    }
    if (json_is_boolean(value))
        *bytes = (size_t)snprintf(number, NUMBER_BYTES, "%s", json_is_true(value) ? "true" : "false");
    else if (json_is_integer(value))
        *bytes = (size_t)snprintf(number, NUMBER_BYTES, "%lld", (long long)json_integer_value(value));
    else
        *bytes = (size_t)snprintf(number, NUMBER_BYTES, "%.15g", json_real_value(value));
    return true;
}

/* The value of words that stand nowhere: read as a machine writes, 1249.5 and 2026-01-15. */
static json_t *read_inferred(const struct ground *g, const struct field *field, const json_t *said, const char *text,
                             size_t bytes)
{
    static const struct habits machine = {false, false};
    return value_read(field, text, bytes, json_is_string(said) ? &g->habits : &machine);
}

/* One value: its place, and what the words there are by the template's rules. */
static struct item ground_one(const struct ground *g, const struct field *field, const struct said *said, struct sought *sought)
{
    char number[NUMBER_BYTES];
    struct item item = {.field = said->field, .row = said->row, .sure = said->sure, .found = {GROUND_INFERRED, 0, 0}};
    if (!words_of(said->value, number, &sought->text, &sought->bytes))
        return item;
    sought->field = field;
    item.chosen = field->option_count || field->type == TYPE_BOOLEAN;
    if (field->type != TYPE_BOOLEAN)
        item.found = ground_find(g, sought);
    const char *text = g->text + item.found.start;
    size_t bytes = item.found.end - item.found.start;
    if (field->option_count)
        item.value = value_read(field, sought->text, sought->bytes, &g->habits);
    else if (!is_grounded(&item))
        item.value = read_inferred(g, field, said->value, sought->text, sought->bytes);
    else
        item.value = value_read(field, text, bytes, &g->habits);
    if (!item.value && field->typed_by_key)
        item.value = is_grounded(&item) ? json_stringn(text, bytes) : json_stringn(sought->text, sought->bytes);
    if (!item.value)
        item.found = (struct found){GROUND_INFERRED, 0, 0};
    return item;
}

static bool is_value(const struct said *said)
{
    return json_is_string(said->value) ? json_string_length(said->value) > 0 : !json_is_null(said->value);
}

/* The longest thing said of a record is the easiest to find: the rest of the record is looked for near it. */
static const struct said *anchor_of(const struct reply *reply, const struct field *fields, size_t i, size_t *end)
{
    const struct said *best = NULL;
    int parent = fields[reply->said[i].field].parent;
    for (*end = i; *end < reply->count; ++*end) {
        const struct said *s = &reply->said[*end];
        if (fields[s->field].parent != parent || s->row != reply->said[i].row)
            break;
        bool better = !best || json_string_length(s->value) > json_string_length(best->value);
        if (is_value(s) && json_is_string(s->value) && better)
            best = s;
    }
    return best;
}

static bool add_one(struct items *items, const struct ground *g, const struct field *fields, const struct said *said,
                    struct sought *sought, uint32_t piece)
{
    struct item item = ground_one(g, &fields[said->field], said, sought);
    item.piece = piece;
    if (items_append(items, &item))
        return true;
    json_decref(item.value);
    return false;
}

/* The members of one record. *after: where the record before it began; a record is looked for behind that. */
static bool add_record(struct items *items, const struct ground *g, const struct field *fields, const struct reply *reply,
                       size_t i, size_t end, const struct said *anchor, struct sought *sought, uint32_t piece, size_t *after)
{
    size_t near = *after;
    sought->near = &near;
    if (anchor) {
        struct sought rest = *sought;
        rest.from = *after > rest.from ? *after : rest.from;
        struct item item = ground_one(g, &fields[anchor->field], anchor, &rest);
        if (!is_grounded(&item)) {
            json_decref(item.value);
            item = ground_one(g, &fields[anchor->field], anchor, sought);
        }
        if (is_grounded(&item)) {
            near = item.found.start;
            *after = item.found.end;
        }
        json_decref(item.value);
    }
    bool ok = true;
    for (; ok && i < end; i++)
        ok = add_one(items, g, fields, &reply->said[i], sought, piece);
    sought->near = NULL;
    return ok;
}

bool items_add(struct items *items, const struct ground *g, const struct template_plan *plan, const struct reply *reply,
               uint32_t piece, size_t from, size_t to)
{
    size_t count, work = GROUND_WORK, after = from;
    const struct field *fields = template_fields(plan, &count);
    struct sought sought = {.from = from, .to = to, .work = &work};
    bool ok = true;
    for (size_t i = 0, end; ok && i < reply->count; i = end) {
        const struct said *said = &reply->said[i];
        const struct field *field = &fields[said->field];
        end = i + 1;
        if (said->row == 0)
            after = from; /* another list, or the first record */
        if (field->parent >= 0) {
            const struct said *anchor = anchor_of(reply, fields, i, &end);
            ok = add_record(items, g, fields, reply, i, end, anchor, &sought, piece, &after);
        } else if (field->kind == FIELD_LIST || field->kind == FIELD_ENUM_LIST) {
            sought.near = &after; /* the document's order was asked for */
            ok = add_one(items, g, fields, said, &sought, piece);
            sought.near = NULL;
            if (ok && is_grounded(&items->at[items->count - 1]))
                after = items->at[items->count - 1].found.end;
        } else {
            ok = add_one(items, g, fields, said, &sought, piece);
        }
    }
    return ok;
}

/* ---- building ---------------------------------------------------------------------------------------------------- */

struct maker {
    const struct field *fields;
    size_t field_count;
    const struct ground *ground;
    struct items *items;
    json_t *details;
    json_t *values[TEMPLATE_MAX_FIELDS];
    bool failed;
};

static double sureness(const struct item *item)
{
    if (!item)
        return unsaid;
    if (!item->value || (item->chosen && !is_grounded(item)))
        return item->sure < 0 ? untold_judgement : item->sure * kept_judgement;
    return item->sure < 0 ? trust[item->found.how].untold : item->sure * trust[item->found.how].kept;
}

/* Best first: a value before none, then by its ground, sureness, place and piece. Total, so that any order of pieces gives one
 * outcome. */
static int by_merit(const void *left, const void *right)
{
    const struct item *a = left, *b = right;
    if ((a->value != NULL) != (b->value != NULL))
        return a->value ? -1 : 1;
    if (a->found.how != b->found.how)
        return a->found.how < b->found.how ? -1 : 1;
    double x = sureness(a), y = sureness(b);
    if (x != y)
        return x > y ? -1 : 1;
    if (a->found.start != b->found.start)
        return a->found.start < b->found.start ? -1 : 1;
    if (a->piece != b->piece)
        return a->piece < b->piece ? -1 : 1;
    return (a->row > b->row) - (a->row < b->row);
}

static int by_place(const void *left, const void *right)
{
    const struct item *a = left, *b = right;
    if (is_grounded(a) != is_grounded(b))
        return is_grounded(a) ? -1 : 1;
    if (a->found.start != b->found.start)
        return a->found.start < b->found.start ? -1 : 1;
    if (a->piece != b->piece)
        return a->piece < b->piece ? -1 : 1;
    return (a->row > b->row) - (a->row < b->row);
}

static json_t *detail_of(struct maker *m, const struct item *item)
{
    json_t *text = NULL, *start = NULL, *end = NULL;
    const char *how = item && item->value ? grounding_name(item->found.how) : NULL;
    if (how && is_grounded(item)) {
        text = json_stringn(m->ground->text + item->found.start, item->found.end - item->found.start);
        start = json_integer((json_int_t)ground_char(m->ground, item->found.start));
        end = json_integer((json_int_t)ground_char(m->ground, item->found.end));
    }
    json_t *detail = json_pack("{s:o?, s:o?, s:o?, s:f, s:s?, s:s}", "value_text", text, "start", start, "end", end,
                               "confidence", sureness(item), "grounding", how, "engine", "remote");
    m->failed = m->failed || !detail;
    return detail;
}

static void set_detail(struct maker *m, const char *path, json_t *detail)
{
    if (json_object_set_new(m->details, path, detail))
        m->failed = true;
}

/* The items of field i, which stand together after sorting by field. */
static struct item *items_of(const struct maker *m, size_t i, size_t *count)
{
    size_t first = 0;
    while (first < m->items->count && m->items->at[first].field < i)
        first++;
    for (*count = 0; first + *count < m->items->count && m->items->at[first + *count].field == i;)
        ++*count;
    return m->items->at + first;
}

static void make_one(struct maker *m, size_t i)
{
    size_t count;
    struct item *items = items_of(m, i, &count);
    if (count)
        qsort(items, count, sizeof *items, by_merit);
    const struct item *best = count ? &items[0] : NULL;
    m->values[i] = best ? json_incref(best->value) : NULL;
    set_detail(m, m->fields[i].dotted, detail_of(m, best));
}

/* ---- lists ------------------------------------------------------------------------------------------------------- */

static bool overlap(const struct item *a, const struct item *b)
{
    return a->found.start < b->found.end && b->found.start < a->found.end;
}

/* Names and options are listed once however often they are said (as answer.c has it); so is what stands nowhere. */
static bool said_before(const struct maker *m, const struct item *item, const struct item *kept, size_t count)
{
    const char *text = json_string_value(item->value);
    bool name = text && !text[strcspn(text, "0123456789")];
    bool once = name || m->fields[item->field].kind == FIELD_ENUM_LIST || !is_grounded(item);
    for (size_t i = 0; i < count; i++) {
        if (is_grounded(item) && is_grounded(&kept[i]) && overlap(item, &kept[i]))
            return true;
        if (once && json_equal(item->value, kept[i].value))
            return true;
    }
    return false;
}

/* Moves what is kept to the front, in document order; the rest stays behind it. */
static size_t keep_items(const struct maker *m, struct item *items, size_t count)
{
    size_t kept = 0;
    if (count)
        qsort(items, count, sizeof *items, by_merit);
    for (size_t i = 0; i < count && items[i].value; i++) {
        struct item item = items[i];
        if (said_before(m, &item, items, kept))
            continue;
        items[i] = items[kept];
        items[kept++] = item;
    }
    if (kept)
        qsort(items, kept, sizeof *items, by_place);
    return kept;
}

static void make_list(struct maker *m, size_t i)
{
    size_t count;
    struct item *items = items_of(m, i, &count);
    json_t *values = json_array(), *places = json_array();
    count = keep_items(m, items, count);
    for (size_t n = 0; values && n < count; n++) {
        m->failed = json_array_append(values, items[n].value) || m->failed;
            m->failed = json_array_append_new(places, detail_of(m, &items[n])) || m->failed;
    }
    m->failed = m->failed || !values;
    m->values[i] = values;
    set_detail(m, m->fields[i].dotted, json_pack("{s:o, s:i, s:s}", "values", places, "near_misses", 0, "engine", "remote"));
}

/* ---- records ----------------------------------------------------------------------------------------------------- */

struct record {
    uint32_t piece;
    int32_t row;
    size_t start;                /* of its first member in the document; SIZE_MAX: none stands there */
    const struct item **members; /* by their order in the template; NULL: not said */
};

static int by_record(const void *left, const void *right)
{
    const struct item *a = left, *b = right;
    if (a->piece != b->piece)
        return a->piece < b->piece ? -1 : 1;
    if (a->row != b->row)
        return a->row < b->row ? -1 : 1;
    return (a->field > b->field) - (a->field < b->field);
}

static int by_start(const void *left, const void *right)
{
    const struct record *a = left, *b = right;
    if (a->start != b->start)
        return a->start < b->start ? -1 : 1;
    if (a->piece != b->piece)
        return a->piece < b->piece ? -1 : 1;
    return (a->row > b->row) - (a->row < b->row);
}

/* Two readings of one record: some member stands at the same place in both, and none at different ones. */
static bool is_same(const struct record *a, const struct record *b, size_t members)
{
    bool shared = false;
    for (size_t k = 0; k < members; k++) {
        const struct item *x = a->members[k], *y = b->members[k];
        if (!x || !y || !x->value || !y->value || !is_grounded(x) || !is_grounded(y))
            continue;
        if (!overlap(x, y))
            return false;
        shared = true;
    }
    return shared && a->piece != b->piece;
}

static void join(struct record *into, const struct record *from, size_t members)
{
    for (size_t k = 0; k < members; k++) {
        const struct item *x = into->members[k], *y = from->members[k];
        if (y && (!x || by_merit(y, x) < 0))
            into->members[k] = y;
    }
}

/* The records of field i as they were said, best known place first; empty ones are left out. */
static size_t read_records(size_t i, size_t members, struct item *items, size_t count, struct record *records,
                           const struct item **cells)
{
    size_t made = 0;
    if (count)
        qsort(items, count, sizeof *items, by_record);
    for (size_t n = 0, end; n < count; n = end) {
        struct record r = {items[n].piece, items[n].row, SIZE_MAX, cells + made * members};
        bool any = false;
        memset(r.members, 0, members * sizeof *r.members);
        for (end = n; end < count && items[end].piece == r.piece && items[end].row == r.row; end++) {
            const struct item *item = &items[end];
            r.members[item->field - i - 1] = item;
            any = any || item->value;
            if (item->value && is_grounded(item) && item->found.start < r.start)
                r.start = item->found.start;
        }
        if (any)
            records[made++] = r;
    }
    if (made)
        qsort(records, made, sizeof *records, by_start);
    return made;
}

static size_t join_records(struct record *records, size_t count, size_t members)
{
    size_t kept = 0;
    for (size_t n = 0; n < count; n++) {
        size_t k = 0;
        while (k < kept && !is_same(&records[k], &records[n], members))
            k++;
        if (k == kept)
            records[kept++] = records[n];
        else
            join(&records[k], &records[n], members);
    }
    return kept;
}

static json_t *make_record(struct maker *m, size_t i, const struct record *record, size_t members, size_t row)
{
    json_t *object = json_object();
    for (size_t k = 0; object && k < members; k++) {
        const struct field *field = &m->fields[i + 1 + k];
        const struct item *item = record->members[k];
        const char *key = field->path[field->depth - 1];
        char path[PATH_BYTES];
        snprintf(path, sizeof path, "%s[%zu].%s", m->fields[i].dotted, row, key);
        json_t *value = item && item->value ? json_incref(item->value) : json_null();
        m->failed = json_object_set_new_nocheck(object, key, value) || m->failed;
            set_detail(m, path, detail_of(m, item));
    }
    return object;
}

static void make_records(struct maker *m, size_t i)
{
    size_t members = 0, count = 0, more;
    while (i + 1 + members < m->field_count && m->fields[i + 1 + members].parent == (int)i)
        members++;
    struct item *items = items_of(m, i + 1, &count);
    for (size_t k = 1; k < members; k++, count += more)
        (void)items_of(m, i + 1 + k, &more);
    struct record *records = calloc(count + 1, sizeof *records);
    const struct item **cells = calloc((count + 1) * members, sizeof *cells);
    json_t *rows = json_array();
    m->failed = m->failed || !records || !cells || !rows;
    if (records && cells && rows) {
        size_t made = join_records(records, read_records(i, members, items, count, records, cells), members);
        for (size_t row = 0; row < made; row++)
            m->failed = json_array_append_new(rows, make_record(m, i, &records[row], members, row)) || m->failed;
    }
    free(cells);
    free(records);
    m->values[i] = rows;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static int by_field(const void *left, const void *right)
{
    const struct item *a = left, *b = right;
    return a->field != b->field ? (a->field < b->field ? -1 : 1) : by_record(left, right);
}

static void make_field(struct maker *m, size_t i)
{
    enum field_kind kind = m->fields[i].kind;
    if (kind == FIELD_RECORDS)
        make_records(m, i);
    else if (kind == FIELD_LIST || kind == FIELD_ENUM_LIST)
        make_list(m, i);
    else
        make_one(m, i);
}

bool merge_make(const struct template_plan *plan, const bool *asked, const struct ground *ground, struct items *items,
                json_t **data, json_t **fields)
{
    struct maker m = {.ground = ground, .items = items, .details = json_object()};
    m.fields = template_fields(plan, &m.field_count);
    m.failed = !m.details;
    if (items->count)
        qsort(items->at, items->count, sizeof *items->at, by_field);
    for (size_t i = 0; i < m.field_count && !m.failed; i++)
        if (m.fields[i].parent < 0 && asked[i])
            make_field(&m, i);
    *data = m.failed ? NULL : template_fill(plan, m.values);
    for (size_t i = 0; i < m.field_count; i++)
        json_decref(m.values[i]);
    *fields = *data ? m.details : NULL;
    if (!*data)
        json_decref(m.details);
    return *data != NULL;
}

/* ---- the warning ------------------------------------------------------------------------------------------------- */

static bool is_inferred(const json_t *detail)
{
    const char *how = json_string_value(json_object_get(detail, "grounding"));
    const json_t *values = json_object_get(detail, "values"), *value;
    bool inferred = how && !strcmp(how, grounding_name(GROUND_INFERRED));
    size_t i;
    json_array_foreach(values, i, value)
        inferred = inferred || is_inferred(value);
    return inferred;
}

char *merge_inferred_warning(json_t *fields)
{
    const char *path;
    json_t *detail;
    char *text = NULL;
    size_t bytes = 0, count = 0;
    FILE *out = open_memstream(&text, &bytes);
    if (!out)
        return NULL;
    json_object_foreach(fields, path, detail) {
        if (!is_inferred(detail))
            continue;
        if (count < NAMED_MAX)
            fprintf(out, "%s%s", count ? ", " : "Not found in the document, so inferred by the model: ", path);
        count++;
    }
    if (count > NAMED_MAX)
        fprintf(out, " and %zu more", count - NAMED_MAX);
    fputs(count ? "." : "", out);
    if (fclose(out) == 0 && count)
        return text;
    free(text);
    return NULL;
}
