/* ask.c - see ask.h. */
#include "engine/ask.h"

#include <stdio.h>
#include <string.h>

#include "engine/text.h"

enum {
    CLS = 101, SEP = 102, OPTION = 9,
    LARGEST_HEAD = 400,        /* pieces of one field's header, so that a window always has room for the document */
    KEY_TEXT = 8 * 1024,       /* bytes of a key path in words: all parts of the longest allowed */
    WINDOW_FRAME = 3,          /* [CLS], [SEP], [SEP] */
};

static const int32_t marker_ids[] = {[ASK_SCALAR] = 1, [ASK_LIST] = 2, [ASK_RECORDS] = 3, [ASK_CHOICE] = 4};
static const int32_t type_ids[] = {[TYPE_NUMBER] = 6, [TYPE_INTEGER] = 7, [TYPE_DATE] = 8, [TYPE_BOOLEAN] = 0};
static const char *const yes_no[] = {"yes", "no"};

struct build { /* one field's header as it grows */
    const struct model *model;
    const struct tokenizer *tokenizer;
    const struct field *field;
    struct pieces *scratch;
    json_t **warnings;
    int32_t pieces[LARGEST_HEAD];
    uint16_t options[TEMPLATE_MAX_OPTIONS];
    size_t count, option_count;
    struct error *error;
};

static bool out_of_memory(struct error *e)
{
    return error_set(e, ERR_INTERNAL, "", "Out of memory preparing the document.");
}

static bool warn(struct build *b, const char *what, size_t limit)
{
    char line[400];
    snprintf(line, sizeof line, "The %s of \"%.200s\" is longer than the %zu word pieces the model reads; the rest was not read.",
             what, b->field->dotted, limit);
    if (!*b->warnings)
        *b->warnings = json_array();
    return *b->warnings && json_array_append_new(*b->warnings, json_string(line)) == 0;
}

static bool add_text(struct build *b, const char *text, size_t bytes, size_t limit, const char *what)
{
    size_t room = LARGEST_HEAD - b->count;
    limit = limit < room ? limit : room;
    b->scratch->count = 0;
    if (!tokenizer_encode(b->tokenizer, text, bytes, b->scratch))
        return out_of_memory(b->error);
    size_t count = b->scratch->count < limit ? b->scratch->count : limit;
    for (size_t i = 0; i < count; i++)
        b->pieces[b->count++] = b->scratch->at[i].id;
    return count == b->scratch->count || warn(b, what, limit) || out_of_memory(b->error);
}

/* The last key_parts parts of the path, each in words. The first format normalised the joined parts as one text, which
 * comes to the same but for parts of separators alone. */
static bool add_key(struct build *b)
{
    char text[KEY_TEXT];
    size_t length = 0, first = b->field->depth > b->model->key_parts ? b->field->depth - b->model->key_parts : 0;
    for (size_t i = first; i < b->field->depth; i++) {
        const char *separator = i > first ? b->model->key_separator : "";
        size_t gap = strlen(separator);
        if (length + gap + 1 >= sizeof text)
            break;
        memcpy(text + length, separator, gap);
        length += gap;
        length += key_words(b->field->path[i], text + length, sizeof text - length);
    }
    return add_text(b, text, length, b->model->key_pieces, "key");
}

static bool add_description(struct build *b)
{
    char text[4 * TEMPLATE_MAX_DESCRIPTION_CHARS + 3];
    if (!b->field->description)
        return true;
    int length = snprintf(text, sizeof text, ": %s", b->field->description);
    return add_text(b, text, (size_t)length < sizeof text ? (size_t)length : sizeof text - 1, b->model->description_pieces,
                    "description");
}

static bool add_options(struct build *b, const char *const *options, size_t count)
{
    size_t each = count ? (LARGEST_HEAD - b->count) / count : 0, limit = b->model->option_pieces;
    if (each > 0 && limit > each - 1)
        limit = each - 1;
    for (size_t i = 0; i < count; i++) {
        b->options[b->option_count++] = (uint16_t)b->count;
        b->pieces[b->count++] = OPTION;
        if (!add_text(b, options[i], strlen(options[i]), limit, "choices"))
            return false;
    }
    return true;
}

/* How a field is asked. A model without the option head points at a choice's words like at any other value; a record's
 * members are lists, whose values are sorted into records afterwards. */
static enum ask_kind kind_of(const struct field *field, const struct model *model)
{
    if (field->parent >= 0 || field->kind == FIELD_LIST || field->kind == FIELD_ENUM_LIST)
        return ASK_LIST;
    if (field->kind == FIELD_RECORDS)
        return model->format >= 2 ? ASK_RECORDS : ASK_LIST;
    if (model->has_options && (field->kind == FIELD_ENUM || field->type == TYPE_BOOLEAN))
        return ASK_CHOICE;
    return ASK_SCALAR;
}

static bool build_head(struct build *b, enum ask_kind kind)
{
    const struct field *field = b->field;
    bool said = field->type == TYPE_NUMBER || field->type == TYPE_INTEGER || field->type == TYPE_DATE;
    b->pieces[b->count++] = marker_ids[kind];
    if (b->model->format >= 2 && said && !field->typed_by_key)
        b->pieces[b->count++] = type_ids[field->type];
    if (!add_key(b) || (b->model->format >= 2 && !add_description(b)))
        return false;
    if (kind == ASK_CHOICE && field->type == TYPE_BOOLEAN)
        return add_options(b, yes_no, 2);
    if (kind == ASK_CHOICE || (b->model->has_options && field->kind == FIELD_ENUM_LIST))
        return add_options(b, field->options, field->option_count);
    return true;
}

static bool keep_head(struct ask *ask, const struct build *b, struct arena *arena)
{
    ask->count = b->count;
    ask->option_count = b->option_count;
    ask->pieces = arena_array(arena, b->count, sizeof *ask->pieces);
    if (!ask->pieces)
        return false;
    memcpy(ask->pieces, b->pieces, b->count * sizeof *ask->pieces);
    if (b->option_count == 0)
        return true;
    ask->options = arena_array(arena, b->option_count, sizeof *ask->options);
    if (ask->options)
        memcpy(ask->options, b->options, b->option_count * sizeof *ask->options);
    return ask->options != NULL;
}

/* The words a table's heading may share with a member's name. */
static bool keep_name(struct ask *ask, struct build *b, struct arena *arena)
{
    char text[KEY_TEXT];
    size_t length = key_words(b->field->path[b->field->depth - 1], text, sizeof text);
    ask->is_member = true;
    b->scratch->count = 0;
    if (!tokenizer_encode(b->tokenizer, text, length < sizeof text ? length : sizeof text - 1, b->scratch))
        return false;
    ask->name = arena_array(arena, b->scratch->count + 1, sizeof *ask->name);
    for (size_t i = 0; ask->name && i < b->scratch->count; i++) {
        size_t n = 0;
        while (n < ask->name_count && ask->name[n] != b->scratch->at[i].id)
            n++;
        ask->name[n] = b->scratch->at[i].id;
        ask->name_count += n == ask->name_count;
    }
    return ask->name != NULL;
}

/* Fields n .. the end of its unit: a list of records with its members, or one field alone. */
static size_t unit_end(const struct field *fields, size_t count, size_t n)
{
    size_t end = n + 1;
    while (end < count && fields[end].parent == (int)n)
        end++;
    return end;
}

static size_t pieces_of(const struct ask *asks, size_t first, size_t end)
{
    size_t sum = 0;
    for (; first < end; first++)
        sum += asks[first].count;
    return sum;
}

static void start_pass(struct plan *plan, size_t *order, size_t at)
{
    plan->passes[plan->pass_count++] = (struct pass){.asks = order + at};
}

/* Packs fields [first, end) into the open pass, or into a new one where they do not fit beside what is there. */
static void pack(struct plan *plan, const struct model *model, size_t *order, size_t *ordered, size_t first, size_t end)
{
    struct pass *pass = plan->pass_count ? &plan->passes[plan->pass_count - 1] : NULL;
    size_t pieces = pieces_of(plan->asks, first, end);
    if (!pass || pass->count + (end - first) > model->fields_per_pass || pass->head + pieces > model->head_pieces) {
        start_pass(plan, order, *ordered);
        pass = &plan->passes[plan->pass_count - 1];
    }
    for (size_t i = first; i < end; i++)
        order[(*ordered)++] = i;
    pass->count += end - first;
    pass->head += pieces;
}

static bool make_passes(struct plan *plan, const struct model *model, const struct field *fields, size_t count, struct arena *arena)
{
    size_t *order = arena_array(arena, count, sizeof *order), ordered = 0;
    plan->passes = arena_array(arena, count, sizeof *plan->passes);
    if (!order || !plan->passes)
        return false;
    for (size_t n = 0, end; n < count; n = end) {
        end = unit_end(fields, count, n);
        bool fits = end - n <= model->fields_per_pass && pieces_of(plan->asks, n, end) <= model->head_pieces;
        for (size_t first = n; first < end; first = fits ? end : first + 1)
            pack(plan, model, order, &ordered, first, fits ? end : first + 1);
    }
    return true;
}

/* Pieces between the starts of two windows. */
static size_t step_of(size_t room, size_t overlap)
{
    return room > overlap + overlap / 4 ? room - overlap : (room + 1) / 2;
}

static void count_windows(struct plan *plan, const struct model *model, size_t tokens)
{
    for (size_t i = 0; i < plan->pass_count; i++) {
        struct pass *pass = &plan->passes[i];
        pass->room = model->window - WINDOW_FRAME - pass->head;
        pass->head += 2; /* [CLS] and [SEP] */
        size_t step = step_of(pass->room, model->overlap);
        pass->windows = tokens == 0 ? 0 : tokens <= pass->room ? 1 : 1 + (tokens - pass->room + step - 1) / step;
        plan->windows += pass->windows;
    }
}

bool plan_make(struct plan *plan, const struct model *model, const struct tokenizer *tokenizer, const struct field *fields,
               size_t count, size_t tokens, struct arena *arena, struct pieces *scratch, struct error *e)
{
    *plan = (struct plan){.ask_count = count, .asks = arena_array(arena, count, sizeof *plan->asks)};
    bool ok = plan->asks || out_of_memory(e);
    for (size_t i = 0; ok && i < count; i++) {
        struct build b = {.model = model, .tokenizer = tokenizer, .field = &fields[i], .scratch = scratch,
                          .warnings = &plan->warnings, .error = e};
        plan->asks[i].kind = kind_of(&fields[i], model);
        ok = build_head(&b, plan->asks[i].kind) && (keep_head(&plan->asks[i], &b, arena) || out_of_memory(e));
        ok = ok && (fields[i].parent < 0 || keep_name(&plan->asks[i], &b, arena) || out_of_memory(e));
    }
    ok = ok && (make_passes(plan, model, fields, count, arena) || out_of_memory(e));
    if (ok)
        count_windows(plan, model, tokens);
    return ok;
}

void plan_window(const struct plan *plan, const struct model *model, const struct piece *pieces, size_t tokens, size_t number,
                 struct window *out, const struct pass **found, size_t *at)
{
    const struct pass *pass = plan->passes;
    for (; number >= pass->windows; pass++)
        number -= pass->windows;
    *found = pass;
    *at = number * step_of(pass->room, model->overlap);
    out->length = 0;
    out->fields = pass->count;
    out->option_count = 0;
    out->ids[out->length++] = CLS;
    for (size_t i = 0; i < pass->count; i++) {
        const struct ask *ask = &plan->asks[pass->asks[i]];
        out->markers[i] = (uint16_t)out->length;
        for (size_t j = 0; j < ask->option_count; j++)
            out->options[out->option_count++] = (uint16_t)(out->length + ask->options[j]);
        memcpy(out->ids + out->length, ask->pieces, ask->count * sizeof *ask->pieces);
        out->length += ask->count;
    }
    out->ids[out->length++] = SEP;
    out->head = out->length;
    out->tokens = tokens - *at < pass->room ? tokens - *at : pass->room;
    for (size_t i = 0; i < out->tokens; i++)
        out->ids[out->length++] = pieces[*at + i].id;
    out->ids[out->length++] = SEP;
}
