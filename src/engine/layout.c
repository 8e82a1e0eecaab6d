/* layout.c - see layout.h. */
#include "engine/layout.h"

#include <stdbool.h>

#include "engine/text.h"

enum { COLUMN_WIDTH = 4, TAB = 8 }; /* characters */

struct gap { size_t characters, tabs; bool line, paragraph; }; /* paragraph: an empty line stands in it */

static const struct { uint32_t first, last, step; } capitals[] = { /* Latin, Greek and Cyrillic */
    {0x41, 0x5A, 1}, {0xC0, 0xD6, 1}, {0xD8, 0xDE, 1}, {0x100, 0x136, 2}, {0x139, 0x147, 2}, {0x14A, 0x176, 2}, {0x178, 0x179, 1},
    {0x17B, 0x17D, 2}, {0x391, 0x3A9, 1}, {0x400, 0x42F, 1},
};

static bool is_capital(uint32_t code)
{
    size_t i = 0, count = sizeof capitals / sizeof *capitals;
    while (i < count && code > capitals[i].last)
        i++;
    return i < count && code >= capitals[i].first && (code - capitals[i].first) % capitals[i].step == 0;
}

/* Whether an empty line stands in bytes [at, end) of the text. */
static bool has_empty_line(const char *text, size_t at, size_t end)
{
    bool line_ended = false;
    while (at < end) {
        uint32_t code;
        at += utf8_read(text + at, end - at, &code);
        if (code == '\n' && line_ended)
            return true;
        line_ended = code == '\n' || (line_ended && code_is_space(code));
    }
    return false;
}

static enum layout_gap gap_of(const struct gap *gap)
{
    if (gap->line)
        return gap->paragraph ? GAP_PARAGRAPH : GAP_LINE;
    if (gap->characters > 1 || gap->tabs)
        return GAP_WIDE;
    return gap->characters ? GAP_BLANK : GAP_JOINED;
}

/* Digits count neither way: "USB3" is upper case. */
static enum layout_case case_of(const char *word, size_t bytes)
{
    size_t large = 0, others = 0;
    bool first = false;
    for (size_t at = 0; at < bytes;) {
        uint32_t code;
        size_t next = at + utf8_read(word + at, bytes - at, &code);
        bool capital = is_capital(code);
        first |= capital && at == 0;
        large += capital;
        others += !capital && !(code >= '0' && code <= '9');
        at = next;
    }
    if (large == 0)
        return CASE_LOWER;
    if (others == 0)
        return CASE_UPPER;
    return large == 1 && first ? CASE_CAPITAL : CASE_MIXED;
}

void layout_places(const char *text, const uint32_t *byte_of, const struct pieces *pieces, struct place *places)
{
    uint32_t at = 0;
    size_t column = 0;
    for (size_t i = 0; i < pieces->count; i++) {
        const struct piece *piece = &pieces->at[i];
        struct gap gap = {.paragraph = at < piece->start && has_empty_line(text, byte_of[at], byte_of[piece->start])};
        for (; at < piece->start; at++) {
            char byte = text[byte_of[at]];
            gap.characters++;
            gap.line |= byte == '\n';
            gap.tabs += byte == '\t';
            column = byte == '\n' ? 0 : byte == '\t' ? (column / TAB + 1) * TAB : column + 1;
        }
        size_t bucket = column / COLUMN_WIDTH < LAYOUT_COLUMNS ? column / COLUMN_WIDTH : LAYOUT_COLUMNS - 1;
        enum layout_case kind = case_of(text + byte_of[piece->start], byte_of[piece->end] - byte_of[piece->start]);
        places[i] = (struct place){{[PLACE_GAP] = (uint8_t)(i ? gap_of(&gap) : GAP_PARAGRAPH),
                                    [PLACE_COLUMN] = (uint8_t)(LAYOUT_GAPS + bucket),
                                    [PLACE_CASE] = (uint8_t)(LAYOUT_GAPS + LAYOUT_COLUMNS + (size_t)kind)}};
        if (piece->end > at) { /* else a character is the source of two pieces */
            column += piece->end - at;
            at = piece->end;
        }
    }
}
