/* breaks.c - see breaks.h. */
#include "engine/breaks.h"

#include "engine/text.h"

/* What bytes [at, end) of the text, which lie between two pieces, are: a line's end, an empty line, or neither. */
static int32_t line_break(const char *text, size_t at, size_t end)
{
    int32_t found = BREAK_NONE;
    bool line_ended = false; /* and nothing but white space since */
    while (at < end) {
        uint32_t code;
        at += utf8_read(text + at, end - at, &code);
        if (code == '\n')
            found = line_ended || found == BREAK_PARAGRAPH ? BREAK_PARAGRAPH : BREAK_LINE;
        line_ended = code == '\n' || (line_ended && code_is_space(code));
    }
    return found;
}

/* The break between the code points `from` and `to`, where one piece ends and the next begins. */
static int32_t break_of(const char *text, const uint32_t *byte_of, uint32_t from, uint32_t to)
{
    if (from >= to)
        return BREAK_NONE;
    int32_t line = line_break(text, byte_of[from], byte_of[to]);
    bool wide = to - from > 1 || text[byte_of[from]] == '\t';
    return line != BREAK_NONE ? line : wide ? BREAK_WIDE : BREAK_NONE;
}

bool breaks_insert(const char *text, const uint32_t *byte_of, struct pieces *pieces)
{
    size_t breaks = 0;
    for (size_t i = 1; i < pieces->count; i++)
        breaks += break_of(text, byte_of, pieces->at[i - 1].end, pieces->at[i].start) != BREAK_NONE;
    if (!pieces_reserve(pieces, pieces->count + breaks))
        return false;
    struct piece *out = pieces->at + pieces->count + breaks; /* filled from the end, so that each piece moves once */
    for (size_t i = pieces->count; i-- > 0;) {
        struct piece piece = pieces->at[i], before = i ? pieces->at[i - 1] : piece;
        *--out = piece;
        int32_t found = break_of(text, byte_of, before.end, piece.start);
        if (found != BREAK_NONE)
            *--out = (struct piece){found, before.end, piece.start};
    }
    pieces->count += breaks;
    return true;
}
