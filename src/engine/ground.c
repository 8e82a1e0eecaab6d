/* ground.c - see ground.h. Three searches, the cheap ones first: the folded words; for numbers and dates their meaning; for
 * longer texts the nearest by edit distance. */
#include "engine/ground.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "engine/fold.h"
#include "engine/text.h"

enum {
    STEP = 256,          /* bytes between two entries of `chars` */
    SHORT = 4,           /* words this short are looked for as whole words only */
    SOUGHT_MAX = 10000,  /* code points; longer answers are not looked for */
    PLACES_MAX = 2000,   /* of the same words; more are not compared */
    FUZZY_MIN = 6,       /* code points; below, one edit changes too much */
    FUZZY_MAX = 200,
    EDITS_OF = 6,        /* one edit is forgiven for so many code points */
    KEY_REACH = 60,      /* folded code points before a place in which the field's name is looked for */
    NUMBER_CODES = 40,
    DATE_WORDS = 6,
    MEANING_STEPS = 50,  /* reading for numbers and dates costs about so much a code point */
    DATE_BYTES = 48,
    NAME_BYTES = 1024,   /* of a key's words */
};

static const size_t nowhere = SIZE_MAX;

const char *grounding_name(enum grounding how)
{
    static const char *const names[] = {"verbatim", "normalised", "inferred"};
    return names[how];
}

/* ---- folding ----------------------------------------------------------------------------------------------------- */

/* One code point as it is compared; 0: left out (a combining accent). */
static uint32_t fold_code(const char *text, size_t bytes, uint32_t code)
{
    char folded[16];
    uint32_t out = 0;
    if (code == 0x201C || code == 0x201D || code == 0x201E || code == 0xAB || code == 0xBB)
        return '"';
    if (code < 0x20 || code_is_space(code))
        return ' ';
    if (code < 0x80)
        return (uint32_t)tolower((int)code);
    if (fold_text(text, bytes, true, folded, sizeof folded) && folded[0])
        utf8_read(folded, strlen(folded), &out);
    return out;
}

/* Folds text into codes[]; from[] gets where each began, from[count] the end. White space counts once, and not at all at the
 * start and behind < and [ (where prompt.c may have put some). */
static size_t fold(const char *text, size_t bytes, uint32_t *codes, uint32_t *from)
{
    size_t count = 0;
    for (size_t at = 0; at < bytes;) {
        uint32_t code, like;
        size_t length = utf8_read(text + at, bytes - at, &code);
        like = fold_code(text + at, length, code);
        uint32_t before = count ? codes[count - 1] : ' ';
        if (like && !(like == ' ' && (before == ' ' || before == '<' || before == '['))) {
            codes[count] = like;
            from[count++] = (uint32_t)at;
        }
        at += length;
    }
    while (count && codes[count - 1] == ' ')
        count--;
    from[count] = (uint32_t)bytes;
    return count;
}

bool ground_open(struct ground *g, const char *text, size_t bytes, struct arena *arena)
{
    *g = (struct ground){.text = text, .bytes = bytes, .habits = habits_of(text, bytes)};
    g->codes = arena_array(arena, bytes + 1, sizeof *g->codes);
    g->from = arena_array(arena, bytes + 1, sizeof *g->from);
    g->chars = arena_array(arena, bytes / STEP + 1, sizeof *g->chars);
    if (!g->codes || !g->from || !g->chars)
        return false;
    g->count = fold(text, bytes, g->codes, g->from);
    uint32_t chars = 0;
    for (size_t at = 0; at < bytes; at++) {
        if (at % STEP == 0)
            g->chars[at / STEP] = chars;
        chars += ((unsigned char)text[at] & 0xC0) != 0x80;
    }
    if (bytes % STEP == 0)
        g->chars[bytes / STEP] = chars;
    return true;
}

size_t ground_char(const struct ground *g, size_t byte)
{
    size_t at = byte / STEP * STEP, chars = g->chars[byte / STEP];
    for (; at < byte; at++)
        chars += ((unsigned char)g->text[at] & 0xC0) != 0x80;
    return chars;
}

/* The first folded code point that begins at or after `byte`. */
static size_t index_of(const struct ground *g, size_t byte)
{
    size_t low = 0, high = g->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (g->from[middle] < byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Where folded code point i ends in the text. */
static size_t end_of(const struct ground *g, size_t i)
{
    uint32_t code;
    return g->from[i] + utf8_read(g->text + g->from[i], g->bytes - g->from[i], &code);
}

/* ---- places ------------------------------------------------------------------------------------------------------ */

static bool is_digit(uint32_t c) { return c >= '0' && c <= '9'; }
static bool is_word(uint32_t c) { return is_digit(c) || (c >= 'a' && c <= 'z') || c >= 0x80; }

/* Does a word or number go on across the gap between codes i - 1 and i? */
static bool joined(const struct ground *g, size_t i)
{
    if (i == 0 || i >= g->count)
        return false;
    uint32_t a = g->codes[i - 1], b = g->codes[i];
    if (is_word(a) && is_word(b))
        return a < 0x2E80 && b < 0x2E80; /* Chinese, Japanese and Korean put no spaces between words */
    bool mark_after = (b == '.' || b == ',') && i + 1 < g->count && is_digit(a) && is_digit(g->codes[i + 1]);
    bool mark_before = (a == '.' || a == ',') && i >= 2 && is_digit(b) && is_digit(g->codes[i - 2]);
    return mark_after || mark_before;
}

/* How many bytes of the field's own name stand, in whole words, shortly before code i. */
static size_t name_before(const struct ground *g, const struct field *field, size_t i)
{
    char words[NAME_BYTES], *rest = words;
    size_t score = 0, from = i > KEY_REACH ? i - KEY_REACH : 0;
    key_words(field->path[field->depth - 1], words, sizeof words);
    for (char *word; (word = strtok_r(rest, " ", &rest));) {
        size_t length = strlen(word);
        for (size_t at = from; length > 2 && at + length <= i; at++) {
            size_t same = 0;
            while (same < length && g->codes[at + same] == (unsigned char)word[same])
                same++;
            if (same == length && !joined(g, at)) {
                score += length;
                break;
            }
        }
    }
    return score;
}

/* The best place so far. `rank`: smaller is better, then the distance or the name decides, then the first. */
struct choice { bool any; int rank; size_t cost; size_t first, last; }; /* codes first..last */

static void consider(const struct ground *g, const struct sought *s, struct choice *best, int rank, size_t first, size_t last)
{
    if (best->any && rank > best->rank)
        return;
    size_t at = g->from[first], cost = nowhere;
    if (s->near)
        cost = at > *s->near ? at - *s->near : *s->near - at;
    else
        cost -= name_before(g, s->field, first);
    if (!best->any || rank < best->rank || cost < best->cost)
        *best = (struct choice){true, rank, cost, first, last};
}

static struct found found_at(const struct ground *g, const struct sought *s, const struct choice *c)
{
    struct found f = {GROUND_NORMALISED, g->from[c->first], end_of(g, c->last)};
    if (f.end - f.start == s->bytes && !memcmp(g->text + f.start, s->text, s->bytes))
        f.how = GROUND_VERBATIM;
    return f;
}

/* ---- the words --------------------------------------------------------------------------------------------------- */

static void find_words(const struct ground *g, const struct sought *s, const uint32_t *codes, size_t count,
                       struct choice *best)
{
    size_t from = index_of(g, s->from), to = index_of(g, s->to), places = 0;
    for (size_t i = from; i + count <= to && places < PLACES_MAX; i++) {
        if (g->codes[i] != codes[0] || memcmp(g->codes + i, codes, count * sizeof *codes))
            continue;
        bool whole = !joined(g, i) && !joined(g, i + count);
        if (!whole && (count < SHORT || is_digit(codes[0]) || is_digit(codes[count - 1])))
            continue;
        size_t start = g->from[i], end = end_of(g, i + count - 1);
        bool same = end - start == s->bytes && !memcmp(g->text + start, s->text, s->bytes);
        consider(g, s, best, whole ? !same : 2 + !same, i, i + count - 1);
        places++;
    }
}

/* ---- the meaning of numbers and dates ---------------------------------------------------------------------------- */

static bool is_number_code(uint32_t c) { return is_digit(c) || c == '.' || c == ',' || c == '\''; }

static size_t word_end(const struct ground *g, size_t i, size_t to)
{
    while (i < to && g->codes[i] != ' ')
        i++;
    return i;
}

static bool reads_as(const struct ground *g, size_t first, size_t last, double wanted)
{
    double value;
    bool percent;
    size_t start = g->from[first], bytes = end_of(g, last) - start;
    return number_read(g->text + start, bytes, true, g->habits.comma_decimal, &value, &percent) && value == wanted;
}

/* Tries the digits at codes i..end - 1 alone, with what is joined to them ("22.1B") and with the next word ("22.1 billion"). */
static void try_number(const struct ground *g, const struct sought *s, size_t i, size_t end, size_t to, double wanted,
                       struct choice *best)
{
    size_t first = i > 0 && (g->codes[i - 1] == '-' || g->codes[i - 1] == '(') ? i - 1 : i;
    size_t joined_end = word_end(g, end, to), next = joined_end < to ? word_end(g, joined_end + 1, to) : to;
    const size_t ends[] = {end, joined_end, next};
    for (size_t n = 0; n < sizeof ends / sizeof *ends; n++) {
        for (size_t start = first; start <= i; start++) {
            if (ends[n] - start > NUMBER_CODES || !reads_as(g, start, ends[n] - 1, wanted))
                continue;
            size_t last = ends[n] - 1;
            while (start == i && last > i && g->codes[last] < 0x80 && strchr(").,;:\"'", (int)g->codes[last]))
                last--; /* of the sentence, not of the number */
            consider(g, s, best, 4, start, last);
            return;
        }
    }
}

static void find_number(const struct ground *g, const struct sought *s, double wanted, struct choice *best)
{
    size_t to = index_of(g, s->to);
    for (size_t i = index_of(g, s->from); i < to;) {
        size_t end = i;
        if (!is_digit(g->codes[i]) || joined(g, i)) {
            i++;
            continue;
        }
        while (end < to && is_number_code(g->codes[end]))
            end++;
        while (!is_digit(g->codes[end - 1]))
            end--;
        try_number(g, s, i, end, to, wanted, best);
        i = end;
    }
}

/* Is codes[first..last] the date, and no shorter piece of it that begins later? */
static bool is_date(const struct ground *g, size_t first, size_t last, const char *wanted)
{
    char date[DATE_TEXT];
    size_t start = g->from[first], bytes = end_of(g, last) - start;
    return bytes <= DATE_BYTES && date_read(g->text + start, bytes, g->habits.day_first, date) && !strcmp(date, wanted);
}

static void find_date(const struct ground *g, const struct sought *s, const char *wanted, struct choice *best)
{
    size_t to = index_of(g, s->to);
    for (size_t i = index_of(g, s->from); i < to; i++) {
        if (!is_word(g->codes[i]) || joined(g, i))
            continue;
        size_t end = i;
        for (int words = 0; words < DATE_WORDS && end < to; words++) {
            end = word_end(g, words ? end + 1 : i, to);
            size_t last = end - 1;
            while (last > i && !is_word(g->codes[last]))
                last--;
            if (!is_date(g, i, last, wanted))
                continue;
            size_t next = i + 1; /* words in front that say nothing ("dated 15 May 2026") are left out */
            for (size_t later = next; later < last; later++)
                if (g->codes[later - 1] == ' ' && is_date(g, later, last, wanted))
                    next = later;
            consider(g, s, best, 4, next > i + 1 ? next : i, last);
            i = last;
            break;
        }
    }
}

/* Takes `each` steps for every code of the piece from what may be spent. */
static bool spend(const struct ground *g, const struct sought *s, size_t each)
{
    size_t steps = (index_of(g, s->to) - index_of(g, s->from)) * each;
    if (steps > *s->work)
        return false;
    *s->work -= steps;
    return true;
}

/* What the model said, if it is a number or a date and the field may hold one. */
static void find_meaning(const struct ground *g, const struct sought *s, struct choice *best)
{
    char date[DATE_TEXT];
    if (!spend(g, s, MEANING_STEPS))
        return;
    double value;
    bool percent;
    enum field_type type = s->field->type;
    if (type == TYPE_DATE && date_read(s->text, s->bytes, g->habits.day_first, date))
        find_date(g, s, date, best);
    else if ((type == TYPE_NUMBER || type == TYPE_INTEGER || type == TYPE_TEXT) &&
             number_read(s->text, s->bytes, true, g->habits.comma_decimal, &value, &percent))
        find_number(g, s, value, best);
}

/* ---- the nearest by edit distance -------------------------------------------------------------------------------- */

struct cell { uint32_t edits, first; }; /* first: where in the document the match so far began */

static bool same_digits(const uint32_t *a, size_t n, const uint32_t *b, size_t m)
{
    size_t i = 0, j = 0;
    for (;;) {
        while (i < n && !is_digit(a[i]))
            i++;
        while (j < m && !is_digit(b[j]))
            j++;
        if (i == n || j == m)
            return i == n && j == m;
        if (a[i++] != b[j++])
            return false;
    }
}

/* One more code of the document: column[k] becomes the cheapest way to match the first k codes sought, ending here. */
static void advance(struct cell *column, const uint32_t *codes, size_t count, uint32_t code, size_t at)
{
    struct cell corner = column[0];
    column[0] = (struct cell){0, (uint32_t)at + 1};
    for (size_t k = 1; k <= count; k++) {
        struct cell left = column[k], best = corner;
        best.edits += codes[k - 1] != code;
        if (left.edits + 1 < best.edits)
            best = (struct cell){left.edits + 1, left.first};
        if (column[k - 1].edits + 1 < best.edits)
            best = (struct cell){column[k - 1].edits + 1, column[k - 1].first};
        corner = left;
        column[k] = best;
    }
}

static void find_nearest(const struct ground *g, const struct sought *s, const uint32_t *codes, size_t count,
                         struct choice *best)
{
    struct cell column[FUZZY_MAX + 1];
    size_t from = index_of(g, s->from), to = index_of(g, s->to), limit = count / EDITS_OF;
    if (count < FUZZY_MIN || count > FUZZY_MAX || !spend(g, s, count))
        return;
    for (size_t k = 0; k <= count; k++)
        column[k] = (struct cell){(uint32_t)k, (uint32_t)from};
    for (size_t at = from; at < to; at++) {
        advance(column, codes, count, g->codes[at], at);
        struct cell match = column[count];
        if (match.edits > limit || match.first > at || joined(g, match.first) || joined(g, at + 1) || g->codes[at] == ' ')
            continue;
        if (same_digits(codes, count, g->codes + match.first, at + 1 - match.first))
            consider(g, s, best, 10 + (int)match.edits, match.first, at);
    }
}

struct found ground_find(const struct ground *g, const struct sought *s)
{
    uint32_t codes[SOUGHT_MAX], from[SOUGHT_MAX + 1];
    struct choice best = {.any = false};
    struct found none = {GROUND_INFERRED, 0, 0};
    if (s->bytes == 0 || utf8_count(s->text, s->bytes) > SOUGHT_MAX)
        return none;
    size_t count = fold(s->text, s->bytes, codes, from);
    if (count == 0)
        return none;
    find_words(g, s, codes, count, &best);
    if (!best.any)
        find_meaning(g, s, &best);
    if (!best.any && s->field->type != TYPE_NUMBER && s->field->type != TYPE_INTEGER)
        find_nearest(g, s, codes, count, &best);
    return best.any ? found_at(g, s, &best) : none;
}
