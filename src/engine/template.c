/* template.c - see template.h. One walk over the client's JSON builds two things: the flat list of fields the model is
 * asked for, and the tree of keys that the answer is poured back into. Both live in the plan's arena. */
#include "engine/template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/arena.h"
#include "engine/text.h"

struct node {
    const char *key;
    struct node *next;     /* the next key of the same object */
    struct node *children; /* nested object; NULL for a leaf and for an empty object */
    int field;             /* leaf: index into fields, else -1 */
};

struct template_plan {
    json_t *template;
    struct arena arena;
    struct field fields[TEMPLATE_MAX_FIELDS];
    size_t field_count;
    struct node *root;
};

/* Where the walk is. `dotted` always spells path[0..depth), and is what errors name. */
struct walk {
    struct template_plan *plan;
    struct error *error;
    const char *path[TEMPLATE_MAX_DEPTH + 1];
    size_t depth;
    char dotted[(TEMPLATE_MAX_DEPTH + 1) * (TEMPLATE_MAX_KEY_CHARS * 4 + 3) + 1];
    size_t dotted_bytes;
    int parent;
};

static const struct { const char *name; enum field_type type; } type_names[] = {
    {"string", TYPE_STRING}, {"number", TYPE_NUMBER}, {"integer", TYPE_INTEGER}, {"date", TYPE_DATE}, {"boolean", TYPE_BOOLEAN},
};
enum { TYPE_NAMES = sizeof type_names / sizeof type_names[0] };
#define LEAF_FORMS \
    "null, \"string\", \"number\", \"integer\", \"date\", \"boolean\", [\"a\",\"b\"] (choice), [] (list), [\"date\"], " \
    "[[\"a\",\"b\"]], [{...}] (records) or an object"

static bool out_of_memory(struct walk *w)
{
    return error_set(w->error, ERR_INTERNAL, "", "Out of memory while reading the template.");
}

/* The error names the key the walk stands at. */
__attribute__((format(printf, 3, 4))) static bool fail(struct walk *w, enum error_code code, const char *format, ...)
{
    char message[sizeof w->error->message], param[sizeof w->error->param];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    snprintf(param, sizeof param, "template%s%.140s", w->depth ? "." : "", w->dotted);
    return error_set(w->error, code, param, "%s", message);
}

static bool find_type(const char *name, enum field_type *type)
{
    for (size_t i = 0; i < TYPE_NAMES; i++) {
        if (!strcmp(type_names[i].name, name)) {
            *type = type_names[i].type;
            return true;
        }
    }
    return false;
}

/* The texts of a template are used as C strings. */
static bool holds_nul(const json_t *text) { return strlen(json_string_value(text)) != json_string_length(text); }

static bool is_type(const json_t *value, enum field_type *type)
{
    return json_is_string(value) && !holds_nul(value) && find_type(json_string_value(value), type);
}

static bool is_one_of(const char *word, size_t bytes, const char *const *words)
{
    for (; *words; words++) {
        if (strlen(*words) == bytes && !memcmp(*words, word, bytes))
            return true;
    }
    return false;
}

/* Keys that say "a pure number": ..._pct, ..._percent, percentage, ..._count, num_..., number_of_..., quantity, qty. */
static bool key_says_number(const char *key)
{
    static const char *const last_words[] = {"pct", "percent", "percentage", "count", "quantity", "qty", NULL};
    char words[2 * 4 * TEMPLATE_MAX_KEY_CHARS + 1];
    size_t bytes = key_words(key, words, sizeof words);
    const char *last = memrchr(words, ' ', bytes);
    last = last ? last + 1 : words;
    return is_one_of(last, bytes - (size_t)(last - words), last_words) || !strncmp(words, "num ", 4) ||
           !strncmp(words, "number of ", 10);
}

static struct field *add_field(struct walk *w, enum field_kind kind, enum field_type type)
{
    struct template_plan *plan = w->plan;
    if (plan->field_count == TEMPLATE_MAX_FIELDS) {
        fail(w, ERR_TEMPLATE_TOO_COMPLEX, "The template asks for more than %d values; ask for at most %d in one request.",
             TEMPLATE_MAX_FIELDS, TEMPLATE_MAX_FIELDS);
        return NULL;
    }
    struct field *field = &plan->fields[plan->field_count];
    const char **path = arena_array(&plan->arena, w->depth, sizeof *path);
    const char *dotted = arena_text(&plan->arena, w->dotted, w->dotted_bytes);
    if (!path || !dotted) {
        out_of_memory(w);
        return NULL;
    }
    memcpy(path, w->path, w->depth * sizeof *path);
    *field = (struct field){.kind = kind, .type = type, .parent = w->parent, .depth = w->depth, .path = path, .dotted = dotted};
    plan->field_count++;
    return field;
}

static bool check_option(struct walk *w, const json_t *options, size_t index)
{
    const json_t *option = json_array_get(options, index);
    if (!json_is_string(option))
        return fail(w, ERR_TEMPLATE_INVALID, "Choice %zu is not a string; a choice lists two or more strings.", index + 1);
    size_t chars = utf8_count(json_string_value(option), json_string_length(option));
    enum field_type type;
    if (holds_nul(option))
        return fail(w, ERR_TEMPLATE_INVALID, "Choice %zu holds a NUL (\\u0000), which choices may not.", index + 1);
    if (chars == 0 || chars > TEMPLATE_MAX_OPTION_CHARS)
        return fail(w, chars ? ERR_TEMPLATE_TOO_COMPLEX : ERR_TEMPLATE_INVALID,
                    "Choice %zu has %zu characters; 1 to %d are allowed.", index + 1, chars, TEMPLATE_MAX_OPTION_CHARS);
    if (find_type(json_string_value(option), &type))
        return fail(w, ERR_TEMPLATE_INVALID, "\"%s\" is the name of a type and cannot be one of several choices; a typed list "
                    "holds the one name alone.", json_string_value(option));
    for (size_t i = 0; i < index; i++) {
        if (!strcmp(json_string_value(json_array_get(options, i)), json_string_value(option)))
            return fail(w, ERR_TEMPLATE_INVALID, "Choice %zu repeats choice %zu.", index + 1, i + 1);
    }
    return true;
}

static bool add_choice(struct walk *w, const json_t *options, enum field_kind kind)
{
    size_t count = json_array_size(options);
    if (count < 2)
        return fail(w, ERR_TEMPLATE_INVALID, "A choice needs at least 2 strings, found %zu; a typed list names one of string, "
                    "number, integer, date, boolean.", count);
    if (count > TEMPLATE_MAX_OPTIONS)
        return fail(w, ERR_TEMPLATE_TOO_COMPLEX, "The choice has %zu options; at most %d are allowed.", count, TEMPLATE_MAX_OPTIONS);
    for (size_t i = 0; i < count; i++) {
        if (!check_option(w, options, i))
            return false;
    }
    struct field *field = add_field(w, kind, TYPE_STRING);
    const char **copies = field ? arena_array(&w->plan->arena, count, sizeof *copies) : NULL;
    if (!copies)
        return field ? out_of_memory(w) : false;
    for (size_t i = 0; i < count; i++)
        copies[i] = json_string_value(json_array_get(options, i));
    field->options = copies;
    field->option_count = count;
    return true;
}

static bool enter(struct walk *w, const char *key, size_t bytes)
{
    size_t chars = utf8_count(key, bytes);
    if (chars == 0 || chars > TEMPLATE_MAX_KEY_CHARS)
        return fail(w, chars ? ERR_TEMPLATE_TOO_COMPLEX : ERR_TEMPLATE_INVALID,
                    "A key here has %zu characters; 1 to %d are allowed.", chars, TEMPLATE_MAX_KEY_CHARS);
    if (key[0] == '$')
        return fail(w, ERR_TEMPLATE_INVALID, "The key \"%.40s\" starts with $, which is kept for $type and $description.", key);
    if (w->depth == TEMPLATE_MAX_DEPTH)
        return fail(w, ERR_TEMPLATE_TOO_COMPLEX, "The template is nested deeper than %d levels.", TEMPLATE_MAX_DEPTH);
    w->path[w->depth++] = key;
    w->dotted_bytes += (size_t)snprintf(w->dotted + w->dotted_bytes, sizeof w->dotted - w->dotted_bytes, "%s%s",
                                        w->dotted_bytes ? "." : "", key);
    return true;
}

static void leave(struct walk *w, size_t dotted_bytes)
{
    w->depth--;
    w->dotted_bytes = dotted_bytes;
    w->dotted[dotted_bytes] = '\0';
}

static bool add_leaf(struct walk *w, json_t *value);

/* The members of [{...}]: one row of leaves. */
static bool add_members(struct walk *w, json_t *members)
{
    size_t dotted_bytes = w->dotted_bytes;
    int parent = w->parent = (int)w->plan->field_count - 1;
    w->dotted_bytes += (size_t)snprintf(w->dotted + w->dotted_bytes, sizeof w->dotted - w->dotted_bytes, "[]");
    const char *key;
    json_t *value;
    json_object_foreach(members, key, value) {
        size_t before = w->dotted_bytes;
        if (!enter(w, key, strlen(key)))
            return false;
        size_t first = w->plan->field_count;
        if (!add_leaf(w, value))
            return false;
        enum field_kind kind = w->plan->fields[first].kind;
        if (kind != FIELD_SCALAR && kind != FIELD_ENUM)
            return fail(w, ERR_TEMPLATE_INVALID, "A record's member must be a single value (null, a type name or a choice), "
                        "not a list.");
        leave(w, before);
    }
    w->parent = -1;
    w->dotted_bytes = dotted_bytes;
    w->dotted[dotted_bytes] = '\0';
    if ((int)w->plan->field_count == parent + 1)
        return fail(w, ERR_TEMPLATE_INVALID, "A list of records needs at least one member, as in [{\"name\": null}].");
    return true;
}

static bool is_described(const json_t *value)
{
    return json_is_object(value) && (json_object_get(value, "$type") || json_object_get(value, "$description"));
}

static bool add_described(struct walk *w, json_t *value, bool (*add)(struct walk *w, json_t *type));

/* What a list holds any number of. */
static bool add_items(struct walk *w, json_t *item)
{
    enum field_type type = TYPE_TEXT;
    if (json_is_null(item) || is_type(item, &type))
        return add_field(w, FIELD_LIST, type) != NULL;
    if (json_is_array(item))
        return add_choice(w, item, FIELD_ENUM_LIST);
    return fail(w, ERR_TEMPLATE_INVALID, "A list's $type must be null, a type name or a choice.");
}

static bool add_list(struct walk *w, json_t *value)
{
    json_t *first = json_array_get(value, 0);
    size_t count = json_array_size(value);
    enum field_type type;
    if (count == 0)
        return add_items(w, json_null());
    if (count == 1 && (json_is_null(first) || is_type(first, &type) || json_is_array(first)))
        return add_items(w, first);
    if (count == 1 && is_described(first))
        return add_described(w, first, add_items);
    if (count == 1 && json_is_object(first)) {
        if (w->parent >= 0)
            return fail(w, ERR_TEMPLATE_INVALID, "A record cannot hold another list of records.");
        return add_field(w, FIELD_RECORDS, TYPE_TEXT) && add_members(w, first);
    }
    return add_choice(w, value, FIELD_ENUM);
}

/* {"$type": leaf, "$description": text}; `add` adds what stands under $type. */
static bool add_described(struct walk *w, json_t *value, bool (*add)(struct walk *w, json_t *type))
{
    json_t *type = json_object_get(value, "$type"), *description = json_object_get(value, "$description");
    if (json_object_size(value) != (size_t)(type != NULL) + (description != NULL))
        return fail(w, ERR_TEMPLATE_INVALID, "An object with $type or $description may hold nothing else.");
    if (description && !json_is_string(description))
        return fail(w, ERR_TEMPLATE_INVALID, "$description must be a string.");
    if (description && holds_nul(description))
        return fail(w, ERR_TEMPLATE_INVALID, "$description holds a NUL (\\u0000), which it may not.");
    if (json_is_object(type))
        return fail(w, ERR_TEMPLATE_INVALID, "$type must be a leaf: null, a type name, a choice or a list.");
    size_t chars = description ? utf8_count(json_string_value(description), json_string_length(description)) : 0;
    if (chars > TEMPLATE_MAX_DESCRIPTION_CHARS)
        return fail(w, ERR_TEMPLATE_TOO_COMPLEX, "$description has %zu characters; at most %d are allowed.", chars,
                    TEMPLATE_MAX_DESCRIPTION_CHARS);
    size_t first = w->plan->field_count;
    if (!add(w, type ? type : json_null()))
        return false;
    w->plan->fields[first].description = chars ? json_string_value(description) : NULL;
    return true;
}

static bool add_leaf(struct walk *w, json_t *value)
{
    enum field_type type = TYPE_TEXT;
    if (is_described(value))
        return add_described(w, value, add_leaf);
    if (json_is_array(value))
        return add_list(w, value);
    if (json_is_null(value)) {
        bool number = key_says_number(w->path[w->depth - 1]);
        struct field *field = add_field(w, FIELD_SCALAR, number ? TYPE_NUMBER : TYPE_TEXT);
        if (field)
            field->typed_by_key = number;
        return field != NULL;
    }
    if (is_type(value, &type))
        return add_field(w, FIELD_SCALAR, type) != NULL;
    if (json_is_string(value))
        return fail(w, ERR_TEMPLATE_INVALID, "\"%.60s\" is not a type; a value can be " LEAF_FORMS ".", json_string_value(value));
    if (json_is_object(value))
        return fail(w, ERR_TEMPLATE_INVALID, "A record's member must be a single value, not an object.");
    return fail(w, ERR_TEMPLATE_INVALID, "A template holds no %s; a value can be " LEAF_FORMS ".",
                json_is_number(value) ? "numbers" : "true or false");
}

static bool add_object(struct walk *w, json_t *object, struct node **children)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) {
        size_t dotted_bytes = w->dotted_bytes;
        if (!enter(w, key, strlen(key)))
            return false;
        struct node *node = arena_alloc(&w->plan->arena, sizeof *node);
        if (!node)
            return out_of_memory(w);
        bool nested = json_is_object(value) && !is_described(value);
        *node = (struct node){.key = key, .field = nested ? -1 : (int)w->plan->field_count};
        *children = node;
        children = &node->next;
        if (nested && json_object_size(value) == 0)
            return fail(w, ERR_TEMPLATE_INVALID, "An object here asks for nothing; give it at least one key, or null.");
        if (nested ? !add_object(w, value, &node->children) : !add_leaf(w, value))
            return false;
        leave(w, dotted_bytes);
    }
    return true;
}

struct template_plan *template_compile(json_t *template, struct error *e)
{
    struct template_plan *plan = calloc(1, sizeof *plan);
    struct walk *w = calloc(1, sizeof *w);
    bool ok = plan && w;
    if (!ok)
        error_set(e, ERR_INTERNAL, "", "Out of memory while reading the template.");
    if (ok) {
        *w = (struct walk){.plan = plan, .error = e, .parent = -1};
        plan->template = json_incref(template);
        ok = json_is_object(template) ? !is_described(template) || fail(w, ERR_TEMPLATE_INVALID,
                 "The template itself must be an object of keys; $type and $description belong to one key's value.")
             : fail(w, ERR_TEMPLATE_INVALID, "The template must be an object such as {\"invoice_number\": null}.");
        ok = ok && add_object(w, template, &plan->root);
        if (ok && plan->field_count == 0)
            ok = fail(w, ERR_TEMPLATE_INVALID, "The template asks for nothing; give at least one key, such as {\"total\": null}.");
    }
    free(w);
    if (ok)
        return plan;
    template_free(plan);
    return NULL;
}

void template_free(struct template_plan *plan)
{
    if (!plan)
        return;
    json_decref(plan->template);
    arena_free(&plan->arena);
    free(plan);
}

const struct field *template_fields(const struct template_plan *plan, size_t *count)
{
    *count = plan->field_count;
    return plan->fields;
}

static json_t *fill_object(const struct template_plan *plan, const struct node *node, json_t *const *values)
{
    json_t *object = json_object();
    for (; object && node; node = node->next) {
        json_t *value;
        if (node->field < 0) {
            value = fill_object(plan, node->children, values);
        } else if (values[node->field]) {
            value = json_incref(values[node->field]);
        } else {
            enum field_kind kind = plan->fields[node->field].kind;
            value = kind == FIELD_SCALAR || kind == FIELD_ENUM ? json_null() : json_array();
        }
        if (json_object_set_new_nocheck(object, node->key, value)) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

json_t *template_fill(const struct template_plan *plan, json_t *const *values)
{
    return fill_object(plan, plan->root, values);
}
