/* fuzz_document.c - any text as a document: pieces whose offsets ascend and lie in the text, tables whose cells stand in order
 * and hold pieces, breaks between pieces that fill the white space there, and any part of it read as every type of value (numbers, dates,
 * booleans, choices): a value of that type, or nothing. */
#include <ctype.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "engine/breaks.h"
#include "engine/grid.h"
#include "engine/text.h"
#include "engine/tokenizer.h"
#include "engine/values.h"
#include "fuzz.h"

static const char *const options[] = {"low", "medium", "high priority", "é"};

static void check_tables(const char *text, size_t bytes, size_t chars, const struct pieces *pieces)
{
    struct arena arena = {0};
    struct grid grid;
    must(grid_find(&grid, text, bytes, chars, pieces, &arena));
    for (size_t i = 0; i < grid.count; i++) {
        const struct grid_cell *c = &grid.cells[i], *before = c - 1;
        must(c->first <= c->last && c->last < pieces->count && c->column < GRID_COLUMNS);
        if (i == 0)
            must(c->table == 0 && c->row == 0);
        else if (c->table != before->table)
            must(c->table == before->table + 1 && c->row == 0 && before->row > 0 && c->first >= before->last);
        else
            must(c->row == before->row ? c->column > before->column : c->row == before->row + 1);
    }
    must(grid.count == 0 || grid.cells[grid.count - 1].row > 0);
    arena_free(&arena);
}

/* Puts breaks between the pieces: each fills the white space between two, and taken out again they leave what was. */
static void check_breaks(const char *text, size_t bytes, size_t chars, struct pieces *pieces)
{
    uint32_t *byte_of = malloc((chars + 1) * sizeof *byte_of), code;
    size_t count = pieces->count, before = 0;
    struct piece *plain = malloc((count + 1) * sizeof *plain);
    must(byte_of && plain);
    if (count) memcpy(plain, pieces->at, count * sizeof *plain);
    for (size_t i = 0, at = 0; i <= chars; i++) {
        byte_of[i] = (uint32_t)at;
        at += i < chars ? utf8_read(text + at, bytes - at, &code) : 0;
    }
    must(breaks_insert(text, byte_of, pieces));
    for (size_t i = 0; i < pieces->count; i++) {
        const struct piece *p = &pieces->at[i];
        if (is_break(p->id))
            must(i > 0 && i + 1 < pieces->count && p->start < p->end && p->start == p[-1].end && p->end == p[1].start);
        else
            must(before < count && memcmp(p, &plain[before++], sizeof *p) == 0);
    }
    must(before == count);
    free(plain);
    free(byte_of);
}

static void check_pieces(const char *text, size_t bytes)
{
    static struct tokenizer *tokenizer;
    static struct pieces pieces;
    struct error e;
    if (!tokenizer) tokenizer = tokenizer_open("models/refractr-mini/vocab.txt", &e);
    must(tokenizer != NULL);
    pieces.count = 0;
    must(tokenizer_encode(tokenizer, text, bytes, &pieces));
    size_t chars = utf8_count(text, bytes);
    for (size_t i = 0; i < pieces.count; i++) {
        const struct piece *p = &pieces.at[i];
        must(p->id >= 0 && (size_t)p->id < tokenizer_vocabulary(tokenizer) && p->start < p->end && p->end <= chars);
        must(i == 0 || p->start >= p[-1].start);
    }
    check_tables(text, bytes, chars, &pieces);
    check_breaks(text, bytes, chars, &pieces);
    check_tables(text, bytes, chars, &pieces);
}

/* 2026, 2026-01, 2026-01-15, with T14:30 or T14:30:00 */
static bool is_iso_date(const char *s)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd";
    size_t n = strlen(s);
    for (size_t i = 0; i < n && i < sizeof form; i++)
        if (form[i] == 'd' ? !isdigit((unsigned char)s[i]) : s[i] != form[i]) return false;
    return n == 4 || n == 7 || n == 10 || n == 16 || n == 19;
}

static void check_value(enum field_kind kind, enum field_type type, const char *text, size_t bytes, const struct habits *habits)
{
    const char *path[] = {"share_pct"};
    struct field field = {.kind = kind, .type = type, .parent = -1, .depth = 1, .path = path, .dotted = path[0],
                          .options = kind == FIELD_ENUM ? (const char **)(uintptr_t)options : NULL,
                          .option_count = kind == FIELD_ENUM ? 4 : 0};
    json_t *value = value_read(&field, text, bytes, habits);
    if (!value) return;
    if (type == TYPE_NUMBER) must(json_is_number(value) && isfinite(json_number_value(value)));
    if (type == TYPE_INTEGER) must(json_is_integer(value));
    if (type == TYPE_BOOLEAN) must(json_is_boolean(value));
    if (type == TYPE_DATE) must(json_is_string(value) && is_iso_date(json_string_value(value)));
    if (kind == FIELD_ENUM) must(json_is_string(value));
    char *shown = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    must(shown != NULL);
    free(shown);
    json_decref(value);
}

static bool is_boundary(const char *text, size_t at) { return ((unsigned char)text[at] & 0xc0) != 0x80; }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    size_t bytes = size - 2, first = bytes * data[0] / 255, end = first + (bytes - first) * data[1] / 255;
    char *text = as_text(data + 2, bytes), *words = malloc(2 * bytes + 1);
    must(words != NULL);
    (void)key_words(text, words, 2 * strlen(text) + 1);
    free(words);
    check_pieces(text, bytes);
    json_t *valid = json_stringn(text, bytes);
    if (valid) {
        struct habits habits = habits_of(text, bytes);
        while (first < end && !is_boundary(text, first)) first++;
        while (end > first && !is_boundary(text, end)) end--;
        /* a copy, so that reading on past the part is seen */
        char *part = as_text((const uint8_t *)text + first, end - first);
        for (int type = TYPE_TEXT; type <= TYPE_BOOLEAN; type++)
            check_value(FIELD_SCALAR, (enum field_type)type, part, end - first, &habits);
        check_value(FIELD_ENUM, TYPE_TEXT, part, end - first, &habits);
        free(part);
    }
    json_decref(valid);
    free(text);
    return 0;
}
