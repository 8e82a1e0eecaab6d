/* fold.c - see fold.h. */
#include "engine/fold.h"

#include <stdint.h>
#include <string.h>

#include "engine/text.h"

/* U+00C0..U+017F without their accents, '?' where a letter has no plain like. */
static const char latin[] =
    "aaaaaa?ceeeeiiii?nooooo?ouuuuy?\?aaaaaa?ceeeeiiii?nooooo?ouuuuy?y"
    "aaaaaaccccccccddddeeeeeeeeeegggggggghh?\?iiiiiiiiii?\?jjkk?llllll?"
    "?llnnnnnn?\??oooooo?\?rrrrrrsssssssstttt?\?uuuuuuuuuuuuwwyyyzzzzzz?";

static const uint32_t zeros[] = {0x660, 0x6F0, 0x966, 0xFF10}; /* Arabic-Indic, Persian, Devanagari, full width */

static bool is_currency(uint32_t c)
{
    return c == '$' || (c >= 0xA2 && c <= 0xA5) || (c >= 0x20A0 && c <= 0x20CF) || c == 0xFF04 || c == 0xFFE1 || c == 0xFFE5;
}

/* The lower case of Greek and Cyrillic; Latin has lost its case with its accents. */
static uint32_t lower(uint32_t c)
{
    if ((c >= 0x391 && c <= 0x3A9) || (c >= 0x410 && c <= 0x42F))
        return c + 32;
    return c >= 0x400 && c <= 0x40F ? c + 80 : c;
}

/* The ASCII like of a code point, 0 where it has none. */
static char ascii_of(uint32_t c)
{
    if (c >= 'A' && c <= 'Z')
        return (char)(c + 32);
    if (is_currency(c))
        return FOLD_CURRENCY;
    if (c < 0x80)
        return c < ' ' ? ' ' : (char)c;
    if (code_is_space(c))
        return ' ';
    if (c >= 0xC0 && c - 0xC0 < sizeof latin - 1 && latin[c - 0xC0] != '?')
        return latin[c - 0xC0];
    for (size_t i = 0; i < sizeof zeros / sizeof *zeros; i++) {
        if (c >= zeros[i] && c <= zeros[i] + 9)
            return (char)('0' + (c - zeros[i]));
    }
    if ((c >= 0x2010 && c <= 0x2015) || c == 0x2212 || c == 0xFF0D)
        return '-';
    if (c == 0x2018 || c == 0x2019 || c == 0x2BC)
        return '\'';
    return c == 0xFF0C || c == 0x3001 ? ',' : c == 0xFF0E || c == 0x3002 ? '.' : c == 0xFF05 ? '%' : c == 0xFF1A ? ':' : 0;
}

bool fold_text(const char *text, size_t bytes, bool keep_letters, char *out, size_t size)
{
    size_t length = 0, at = 0;
    while (at < bytes && length + 5 < size) {
        uint32_t code;
        at += utf8_read(text + at, bytes - at, &code);
        char like = ascii_of(code);
        if (code >= 0x300 && code < 0x370)
            continue; /* combining accents */
        if (like == ' ' && (length == 0 || out[length - 1] == ' '))
            continue;
        if (like)
            out[length++] = like;
        else if (keep_letters)
            length += utf8_write(out + length, lower(code));
        else
            out[length++] = FOLD_LETTER;
    }
    while (length && out[length - 1] == ' ')
        length--;
    out[length] = '\0';
    return at == bytes;
}
