/* numbers.c - numbers as documents write them: "1.249,00", "1'249.00", "$22.1B", "(5)", "12%", "three (3)".
 *
 * The folded text is cut into: words before, sign, currency, digits with separators, magnitude, currency or percent, words
 * after. Strict reading allows no words. See values.h. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/fold.h"
#include "engine/values.h"

enum { NUMBER_TEXT = 160, MOST_DIGITS = 30, GROUP = 3 };

static const char *const small_numbers[] = {"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"};

static const struct { const char *word; int exponent; bool needs_money; } magnitudes[] = {
    {"k", 3, false}, {"thousand", 3, false}, {"tsd", 3, false}, {"mille", 3, false}, {"mil", 3, false}, {"m", 6, true},
    {"mm", 6, true}, {"mn", 6, false}, {"mio", 6, false}, {"mln", 6, false}, {"million", 6, false}, {"millions", 6, false},
    {"millionen", 6, false}, {"millones", 6, false}, {"milioni", 6, false}, {"b", 9, true}, {"bn", 9, false}, {"mrd", 9, false},
    {"billion", 9, false}, {"billions", 9, false}, {"milliarde", 9, false}, {"milliarden", 9, false}, {"milliard", 9, false},
    {"milliards", 9, false}, {"miliardi", 9, false}, {"tn", 12, false}, {"trillion", 12, false}, {"trillions", 12, false},
    {"lakh", 5, false}, {"crore", 7, false},
};

static const char *const currencies[] = {"usd", "eur", "gbp", "chf", "jpy", "cny", "rmb", "inr", "aud", "cad", "nzd", "sek", "nok",
    "dkk", "pln", "czk", "huf", "ron", "brl", "mxn", "zar", "sgd", "hkd", "krw", "try", "rub", "thb", "idr", "myr", "php", "aed",
    "rs", "rm", "rp", "kr", "fr", "us", "dollar", "dollars", "euro", "euros", "pound", "pounds", "yen", "franken", "francs"};

static const char *const percents[] = {"%", "percent", "pct", "prozent", "per cent", "pour cent", "por ciento", "per cento"};

#define LENGTH(table) (sizeof(table) / sizeof *(table))

struct scan {
    const char *at;
    bool money, percent, words, negative;
    int exponent;
};

static size_t word_length(const char *s)
{
    size_t n = 0;
    while (isalpha((unsigned char)s[n]) || s[n] == FOLD_LETTER)
        n++;
    return n;
}

static bool same(const char *s, size_t n, const char *word)
{
    return strlen(word) == n && !memcmp(s, word, n);
}

static bool take_percent(struct scan *scan)
{
    for (size_t i = 0; i < LENGTH(percents); i++) {
        size_t n = strlen(percents[i]);
        if (!strncmp(scan->at, percents[i], n) && (n == 1 || !isalpha((unsigned char)scan->at[n]))) {
            scan->at += n;
            scan->percent = true;
            return true;
        }
    }
    return false;
}

static bool take_currency(struct scan *scan)
{
    size_t n = scan->at[0] == FOLD_CURRENCY ? 1 : word_length(scan->at);
    bool found = n == 1 && scan->at[0] == FOLD_CURRENCY;
    for (size_t i = 0; !found && i < LENGTH(currencies); i++)
        found = same(scan->at, n, currencies[i]);
    if (found) {
        scan->at += n;
        scan->money = true;
    }
    return found;
}

static bool take_magnitude(struct scan *scan, bool upper)
{
    size_t n = word_length(scan->at);
    for (size_t i = 0; i < LENGTH(magnitudes); i++) {
        if (same(scan->at, n, magnitudes[i].word) && (!magnitudes[i].needs_money || scan->money || upper)) {
            scan->at += n + (scan->at[n] == '.');
            scan->exponent = magnitudes[i].exponent;
            return true;
        }
    }
    return false;
}

/* What stands before the digits: signs, currency, and words where they are allowed. */
static bool take_before(struct scan *scan, bool strict)
{
    while (*scan->at && !isdigit((unsigned char)*scan->at)) {
        const char *before = scan->at;
        if (*scan->at == '-' || *scan->at == '(') {
            const char *next = scan->at + 1;
            while (*next == ' ' || *next == FOLD_CURRENCY)
                next++;
            bool closed = *scan->at == '-' || strchr(scan->at, ')');
            scan->negative = scan->negative || (closed && (isdigit((unsigned char)*next) || *next == '-' || isalpha((unsigned char)*next)) &&
                                                !scan->words);
            scan->at++;
            continue;
        }
        if (take_currency(scan))
            continue;
        if (*scan->at == ' ' || *scan->at == '~' || *scan->at == '+' || *scan->at == ':' || *scan->at == '#') {
            scan->at++;
            continue;
        }
        if (strict)
            return false;
        size_t n = word_length(scan->at);
        scan->at += n ? n : 1;
        scan->words = true;
        if (n && isdigit((unsigned char)*scan->at))
            return false; /* A12 is a name, not a number */
        if (scan->at == before)
            return false;
    }
    return *scan->at != '\0';
}

/* Digits with separators, up to what cannot belong to them. */
static size_t take_digits(struct scan *scan, char *out)
{
    size_t n = 0;
    const char *s = scan->at;
    while (*s && n + 1 < NUMBER_TEXT) {
        bool separator = (*s == '.' || *s == ',' || *s == '\'' || *s == ' ') && isdigit((unsigned char)s[1]);
        if (*s == ' ' && separator) { /* a space groups only three digits, never two numbers */
            size_t group = strspn(s + 1, "0123456789");
            separator = group == GROUP && n <= 12;
        }
        if (!isdigit((unsigned char)*s) && !separator)
            break;
        out[n++] = *s++;
    }
    out[n] = '\0';
    scan->at = s;
    return n;
}

/* Are the groups between `mark`s of text[0..bytes) those of thousands: 1-3 digits first, then threes (or India's twos before
 * a last three)? */
static bool is_grouped(const char *text, size_t bytes, char mark)
{
    size_t group = 0, groups = 0, last = 0;
    for (size_t i = 0; i <= bytes; i++) {
        if (i < bytes && text[i] != mark) {
            group++;
            continue;
        }
        bool first = groups == 0, end = i == bytes;
        if (group == 0 || group > GROUP || (!first && end && group != GROUP) || (!first && !end && group < 2))
            return false;
        last = group;
        group = 0;
        groups++;
    }
    return groups > 1 && last == GROUP && text[0] != '0';
}

/* Which of the separators is the decimal point: its place, or NULL for none; false where the digits are no number. */
static bool find_point(const char *digits, size_t n, bool comma_decimal, const char **point)
{
    const char *dot = strrchr(digits, '.'), *comma = strrchr(digits, ',');
    size_t dots = 0, commas = 0;
    for (size_t i = 0; i < n; i++) {
        dots += digits[i] == '.';
        commas += digits[i] == ',';
    }
    *point = NULL;
    if (dot && comma) {
        *point = dot > comma ? dot : comma;
        return (dot > comma ? dots : commas) == 1;
    }
    const char *only = dot ? dot : comma;
    if (!only)
        return true;
    bool grouped = is_grouped(digits, n, *only);
    if (dots + commas > 1)
        return grouped;
    if (!grouped || (*only == ',') == comma_decimal)
        *point = only;
    return true;
}

static bool value_of_digits(const char *digits, size_t n, bool comma_decimal, int exponent, double *value)
{
    const char *point;
    if (!find_point(digits, n, comma_decimal, &point))
        return false;
    size_t whole = point ? (size_t)(point - digits) : n, length = 0;
    char mark = 0, plain[NUMBER_TEXT + 8];
    for (size_t i = 0; i < whole; i++) {
        if (!isdigit((unsigned char)digits[i]) && mark && digits[i] != mark)
            return false;
        mark = isdigit((unsigned char)digits[i]) ? mark : digits[i];
    }
    if (mark && !is_grouped(digits, whole, mark))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (isdigit((unsigned char)digits[i]) || digits + i == point)
            plain[length++] = digits + i == point ? '.' : digits[i];
    }
    if (length > MOST_DIGITS)
        return false;
    snprintf(plain + length, sizeof plain - length, "e%d", exponent);
    *value = strtod(plain, NULL);
    return isfinite(*value);
}

/* What stands after the digits. */
static bool take_after(struct scan *scan, bool strict, bool upper)
{
    bool joined = *scan->at != ' ';
    while (*scan->at == ' ')
        scan->at++;
    bool magnitude = take_magnitude(scan, upper);
    for (bool more = true; more;) {
        while (*scan->at == ' ' || *scan->at == ')' || *scan->at == '.' || *scan->at == ',')
            scan->at++;
        more = take_percent(scan) || take_currency(scan);
        joined = joined && !more;
    }
    if (*scan->at == '-' && scan->at[1] == '\0' && !scan->words) {
        scan->negative = true;
        scan->at++;
    }
    if (*scan->at == '\0')
        return true;
    if (strict || strpbrk(scan->at, "0123456789"))
        return false;
    /* "5m" may be metres, minutes or millions: not for us to say. */
    return !(joined && !magnitude && word_length(scan->at) == 1);
}

/* "three", "Three (3)": the words to twenty, alone or before the digits in brackets. */
static bool read_words(const char *folded, double *value)
{
    size_t n = word_length(folded);
    for (size_t i = 0; i < LENGTH(small_numbers); i++) {
        if (!same(folded, n, small_numbers[i]))
            continue;
        const char *rest = folded + n + strspn(folded + n, " ");
        char bracket[16];
        snprintf(bracket, sizeof bracket, "(%zu)", i);
        *value = (double)i;
        return *rest == '\0' || !strcmp(rest, bracket);
    }
    return false;
}

bool number_read(const char *text, size_t bytes, bool strict, bool comma_decimal, double *value, bool *percent)
{
    char folded[NUMBER_TEXT], digits[NUMBER_TEXT];
    *percent = false;
    if (!fold_text(text, bytes, false, folded, sizeof folded))
        return false;
    if (read_words(folded, value))
        return true;
    struct scan scan = {.at = folded};
    if (!take_before(&scan, strict))
        return false;
    size_t n = take_digits(&scan, digits);
    /* A capital magnitude ("5M") is one even without money; folding lost the case, so look at the text itself. */
    bool upper = memchr(text, 'M', bytes) != NULL || memchr(text, 'B', bytes) != NULL;
    if (!take_after(&scan, strict, upper) || !value_of_digits(digits, n, comma_decimal, scan.exponent, value))
        return false;
    *value = scan.negative ? -*value : *value;
    *percent = scan.percent;
    return true;
}
