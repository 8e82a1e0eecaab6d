/* template.h - a client's JSON template, checked and compiled once into a flat plan the engine can run.
 *
 * Leaves: null (one value), "string" | "number" | "integer" | "date" | "boolean" (typed value), ["low","high"] of two or
 * more strings that are not type names (enum: one of them or null), [] (list), ["date"] (typed list),
 * [["low","high"]] (list of enum values), [{...}] (list of records, whose members are leaves), {...} (nested object),
 * {"$type": <leaf>, "$description": "..."} (a leaf with a description the model reads), and the same
 * inside a list: [{"$type": "date", "$description": "..."}].
 * Knows nothing of HTTP. Called by api/ (to answer 400) and by the engines. */
#ifndef REFRACTR_ENGINE_TEMPLATE_H
#define REFRACTR_ENGINE_TEMPLATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum { /* limits; every one is named, with the value found, in the 400 it causes */
    TEMPLATE_MAX_FIELDS = 200,        /* leaves, records' members included */
    TEMPLATE_MAX_DEPTH = 8,           /* nested objects */
    TEMPLATE_MAX_KEY_CHARS = 128,     /* code points of one key; 1 at least */
    TEMPLATE_MAX_DESCRIPTION_CHARS = 500,
    TEMPLATE_MAX_OPTIONS = 32,        /* of one enum */
    TEMPLATE_MAX_OPTION_CHARS = 64,
};

enum field_kind { FIELD_SCALAR, FIELD_LIST, FIELD_RECORDS, FIELD_ENUM, FIELD_ENUM_LIST };
enum field_type { TYPE_TEXT, TYPE_STRING, TYPE_NUMBER, TYPE_INTEGER, TYPE_DATE, TYPE_BOOLEAN };

struct field {
    enum field_kind kind;
    enum field_type type;    /* TYPE_TEXT: untyped, the document's own words; TYPE_NUMBER also where the key says so */
    bool typed_by_key;       /* TYPE_NUMBER because of the key's name: what does not parse stays text */
    int parent;              /* index of the FIELD_RECORDS this is a member of, or -1; members follow their parent */
    size_t depth;            /* parts of the path */
    const char **path;       /* UTF-8 keys from the root; records' members include the records' own path */
    const char *dotted;      /* "buyer.name", "items[].price": used in errors and in metadata.fields */
    const char *description; /* or NULL */
    const char **options;    /* enum options; TYPE_BOOLEAN has none */
    size_t option_count;
};

struct template_plan; /* immutable after compile; may be read by many threads at once */

/* Compiles `template` (borrowed for the plan's life: the plan takes its own reference). NULL on error, `e` filled. */
struct template_plan *template_compile(json_t *template, struct error *e) __attribute__((warn_unused_result));
void template_free(struct template_plan *plan);

const struct field *template_fields(const struct template_plan *plan, size_t *count); /* template order */

/* The template's shape with `values[i]` (borrowed, NULL = null or []) in place of leaf i; FIELD_RECORDS take a JSON array
 * of objects, their members' entries are ignored. Returns a new reference. */
json_t *template_fill(const struct template_plan *plan, json_t *const *values);

#endif
