/* values.c - see values.h. Numbers and dates have files of their own; here are the document's habits, yes and no, choices,
 * and which reading a field asks for. */
#include "engine/values.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/fold.h"
#include "engine/text.h"

enum { PHRASE = 512 };

/* ---- habits ----------------------------------------------------------------------------------------------------------- */

static bool is_digit(const char *text, size_t bytes, size_t at)
{
    return at < bytes && isdigit((unsigned char)text[at]);
}

/* The number of at most two digits at `at`; *end is behind it. -1 when it is longer. */
static int two_digits(const char *text, size_t bytes, size_t at, size_t *end)
{
    int value = 0;
    for (*end = at; is_digit(text, bytes, *end); (*end)++) {
        if (*end - at == 2)
            return -1;
        value = 10 * value + (text[*end] - '0');
    }
    return *end > at ? value : -1;
}

/* Votes of "a/b/year" at `at`: a > 12 is a day first, b > 12 a month first; dots are the continent's and put the day first. */
static int date_vote(const char *text, size_t bytes, size_t at)
{
    size_t first_end, second_end;
    int first = two_digits(text, bytes, at, &first_end);
    char mark = first_end < bytes ? text[first_end] : 0;
    if (first < 1 || (mark != '/' && mark != '-' && mark != '.'))
        return 0;
    int second = two_digits(text, bytes, first_end + 1, &second_end);
    if (second < 1 || second_end >= bytes || text[second_end] != mark || !is_digit(text, bytes, second_end + 1))
        return 0;
    if (first > 12 && first <= 31 && second <= 12)
        return 1;
    if (second > 12 && second <= 31 && first <= 12)
        return -1;
    return mark == '.' ? 1 : 0;
}

/* Votes of a separator with exactly two digits behind it ("9,50" or "9.50"). */
static int decimal_vote(const char *text, size_t bytes, size_t at)
{
    bool two = is_digit(text, bytes, at + 1) && is_digit(text, bytes, at + 2) && !is_digit(text, bytes, at + 3);
    bool last = at + 3 >= bytes || (text[at + 3] != '.' && text[at + 3] != ',') || !is_digit(text, bytes, at + 4);
    if (at == 0 || !is_digit(text, bytes, at - 1) || !two || !last)
        return 0;
    return text[at] == ',' ? 1 : text[at] == '.' ? -1 : 0;
}

/* Words and signs that tell where a text was not written: in the United States. */
static int place_vote(const char *text, size_t bytes, size_t at)
{
    static const char *const abroad[] = {"\xE2\x82\xAC", "\xC2\xA3", " EUR", " GBP", " CHF", " und ", " der ", " les ", " des ",
                                         " el ", " los ", " della ", " per ", " von ", " VAT", " IBAN", "GmbH"};
    for (size_t i = 0; i < sizeof abroad / sizeof *abroad; i++) {
        size_t n = strlen(abroad[i]);
        if (bytes - at >= n && !memcmp(text + at, abroad[i], n))
            return 1;
    }
    return text[at] == '$' ? -1 : 0;
}

struct habits habits_of(const char *text, size_t bytes)
{
    int dates = 0, decimals = 0, place = 0;
    for (size_t at = 0; at < bytes; at++) {
        unsigned char c = (unsigned char)text[at];
        if (isdigit(c) && (at == 0 || !isdigit((unsigned char)text[at - 1])))
            dates += date_vote(text, bytes, at);
        else if (c == ',' || c == '.')
            decimals += decimal_vote(text, bytes, at);
        else if (c == ' ' || c == '$' || c == 'G' || c >= 0x80)
            place += place_vote(text, bytes, at);
    }
    return (struct habits){.day_first = dates ? dates > 0 : place > 0, .comma_decimal = decimals > 0};
}

/* ---- yes and no, choices ---------------------------------------------------------------------------------------------- */

bool boolean_read(const char *text, size_t bytes, bool *value)
{
    static const char yes[] = "|yes|y|true|ja|oui|si|on|checked|enabled|active|included|accepted|approved|x|1|\xE2\x9C\x93|\xE2\x9C\x94|\xE2\x98\x91|\xE2\x98\x92|";
    static const char no[] = "|no|n|false|nein|non|off|unchecked|disabled|inactive|none|not included|rejected|declined|0|\xE2\x98\x90|\xE2\x9C\x97|\xE2\x9C\x98|";
    char folded[64], key[72];
    if (!fold_text(text, bytes, true, folded, sizeof folded))
        return false;
    size_t length = strlen(folded), start = strspn(folded, ".,;:!?\"'()[]-*");
    while (length > start && strchr(".,;:!?\"'()[]*", folded[length - 1]))
        length--;
    snprintf(key, sizeof key, "|%.*s|", (int)(length - start), folded + start);
    *value = strstr(yes, key) != NULL;
    return length > start && (*value || strstr(no, key) != NULL);
}

static void fold_option(const char *text, size_t bytes, char out[PHRASE])
{
    fold_text(text, bytes, true, out, PHRASE);
    for (char *c = out; *c; c++)
        *c = *c == '_' ? ' ' : *c;
}

static bool is_word_byte(char c)
{
    return isalnum((unsigned char)c) || (unsigned char)c >= 0x80;
}

/* Does `text` hold `phrase` as whole words? */
static bool holds(const char *text, const char *phrase)
{
    size_t n = strlen(phrase);
    for (const char *at = text; n && (at = strstr(at, phrase)); at++) {
        bool starts = at == text || !is_word_byte(at[-1]) || !is_word_byte(phrase[0]);
        if (starts && (!is_word_byte(at[n]) || !is_word_byte(phrase[n - 1])))
            return true;
    }
    return false;
}

const char *option_read(const char *const *options, size_t count, const char *text, size_t bytes)
{
    char folded[PHRASE], option[PHRASE];
    const char *found = NULL;
    size_t longest = 0;
    fold_option(text, bytes, folded);
    for (size_t i = 0; i < count; i++) {
        fold_option(options[i], strlen(options[i]), option);
        if (!strcmp(folded, option))
            return options[i];
        if (strlen(option) > longest && holds(folded, option)) {
            found = options[i];
            longest = strlen(option);
        }
    }
    return found;
}

/* ---- by the field ------------------------------------------------------------------------------------------------------ */

static const double exact_integers = 9007199254740992.0; /* 2^53 */

static bool key_asks_percent(const struct field *field)
{
    char words[1024];
    key_words(field->path[field->depth - 1], words, sizeof words);
    return strstr(words, "pct") || strstr(words, "percent");
}

static json_t *read_number(const struct field *field, const char *text, size_t bytes, const struct habits *habits)
{
    double value;
    bool percent;
    if (!number_read(text, bytes, field->typed_by_key, habits->comma_decimal, &value, &percent))
        return NULL;
    bool whole = value == floor(value) && fabs(value) < exact_integers;
    if (field->type == TYPE_INTEGER)
        return whole ? json_integer((json_int_t)value) : NULL;
    return whole && !percent && !key_asks_percent(field) ? json_integer((json_int_t)value) : json_real(value);
}

json_t *value_read(const struct field *field, const char *text, size_t bytes, const struct habits *habits)
{
    char date[DATE_TEXT];
    bool truth;
    if (field->option_count) {
        const char *option = option_read(field->options, field->option_count, text, bytes);
        return option ? json_string(option) : NULL;
    }
    switch (field->type) {
    case TYPE_NUMBER:
    case TYPE_INTEGER:
        return read_number(field, text, bytes, habits);
    case TYPE_DATE:
        return date_read(text, bytes, habits->day_first, date) ? json_string(date) : NULL;
    case TYPE_BOOLEAN:
        return boolean_read(text, bytes, &truth) ? json_boolean(truth) : NULL;
    default:
        return json_stringn(text, bytes);
    }
}
