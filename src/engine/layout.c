/* layout.c - see layout.h. */
#include "engine/layout.h"

enum { COLUMN_WIDTH = 4, TAB = 8 }; /* characters */

struct gap { size_t characters, lines, tabs; };

static enum layout_gap kind_of(const struct gap *gap)
{
    if (gap->lines)
        return gap->lines == 1 ? GAP_LINE : GAP_PARAGRAPH;
    if (gap->characters > 1 || gap->tabs)
        return GAP_WIDE;
    return gap->characters ? GAP_BLANK : GAP_JOINED;
}

void layout_places(const char *text, const uint32_t *byte_of, const struct pieces *pieces, struct place *places)
{
    uint32_t at = 0;
    size_t column = 0;
    for (size_t i = 0; i < pieces->count; i++) {
        const struct piece *piece = &pieces->at[i];
        struct gap gap = {0};
        for (; at < piece->start; at++) {
            char byte = text[byte_of[at]];
            gap.characters++;
            gap.lines += byte == '\n';
            gap.tabs += byte == '\t';
            column = byte == '\n' ? 0 : byte == '\t' ? (column / TAB + 1) * TAB : column + 1;
        }
        size_t bucket = column / COLUMN_WIDTH < LAYOUT_COLUMNS ? column / COLUMN_WIDTH : LAYOUT_COLUMNS - 1;
        places[i].gap = (uint8_t)(i ? kind_of(&gap) : GAP_PARAGRAPH);
        places[i].column = (uint8_t)(LAYOUT_GAPS + bucket);
        if (piece->end > at) { /* else a character is the source of two pieces */
            column += piece->end - at;
            at = piece->end;
        }
    }
}
