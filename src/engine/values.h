/* values.h - the document's words -> typed JSON values. Nothing is guessed: what does not read as the type is NULL.
 *
 * Numbers: a value is printed as an integer when it is whole, but as a real when it is a percentage ("12%") or its key asks
 * for one (..._pct, ..._percent, percentage): 12.0. Dates: ISO 8601, as precise as the text is (2026-01-15, 2026-01, 2026,
 * 2026-01-15T14:30). Pure functions. Called by answer.c. */
#ifndef REFRACTR_ENGINE_VALUES_H
#define REFRACTR_ENGINE_VALUES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "engine/template.h"

struct habits { /* how this document writes, read off its other numbers and words */
    bool day_first;     /* 03/04/2026 is the 3rd of April */
    bool comma_decimal; /* 1.249 is a thousand and more, 1,5 is one and a half */
};

struct habits habits_of(const char *text, size_t bytes);

/* A new reference: text[0..bytes) as a value of `field`'s type; NULL where it is none. Untyped fields and "string" take any
 * text. Choices (field->options) are matched by text: equal but for case, else the longest option the text contains. */
json_t *value_read(const struct field *field, const char *text, size_t bytes, const struct habits *habits);

/* The parts of it, for tests and for what needs only one. */
enum { DATE_TEXT = 24 };
bool date_read(const char *text, size_t bytes, bool day_first, char out[DATE_TEXT]);
/* `strict`: nothing but the number, its sign, currency, percent sign and magnitude; else words may stand around it. */
bool number_read(const char *text, size_t bytes, bool strict, bool comma_decimal, double *value, bool *percent);
bool boolean_read(const char *text, size_t bytes, bool *value);
const char *option_read(const char *const *options, size_t count, const char *text, size_t bytes);

#endif
