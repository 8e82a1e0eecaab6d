/* dates.c - dates as documents write them -> ISO 8601. See values.h.
 *
 * The folded text is cut into numbers and words. Words are months, weekdays, fillers or the end of the attempt; the numbers
 * left over are told apart by size, by the month's place, and at last by the document's habit. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/fold.h"
#include "engine/values.h"

enum { TEXT = 96, NUMBERS = 3, PIVOT = 70 };

/* One row a month, space before and after each name: English, German, French, Spanish, Italian, their short forms. */
static const char *const months[12] = {
    " january jan januar janner jaenner janvier janv enero ene gennaio gen ",
    " february feb februar fevrier fevr fev febrero febbraio febr ",
    " march mar marz maerz mrz mars marzo ",
    " april apr avril avr abril abr aprile ",
    " may mai mayo maggio mag ",
    " june jun juni juin junio giugno giu ",
    " july jul juli juillet juil julio luglio lug ",
    " august aug aout agosto ago ",
    " september sep sept septembre septiembre setiembre settembre set ",
    " october oct oktober okt octobre octubre ottobre ott ",
    " november nov novembre noviembre ",
    " december dec dezember dez decembre diciembre dic dicembre ",
};

static const char weekdays[] =
    " monday mon tuesday tue tues wednesday wed thursday thu thur thurs friday fri saturday sat sunday sun"
    " montag mo dienstag di mittwoch mi donnerstag do freitag fr samstag sonnabend sa sonntag so"
    " lundi lun mardi mercredi mer jeudi jeu vendredi ven samedi sam dimanche dim"
    " lunes martes miercoles mie jueves viernes vie sabado sab domingo dom"
    " lunedi martedi mercoledi giovedi gio venerdi sabato domenica ";

static const char fillers[] = " the of de del den dem der die le la el il on at um a am pm uhr h t z utc gmt st nd rd th er ere"
                              " o year date dated day in dal alle ore klo kl este dia du des ";

struct parts {
    int number[NUMBERS];
    int digits[NUMBERS];  /* how many each was written with */
    bool ordinal[NUMBERS];
    int count;
    int month;            /* named, 1..12, or 0 */
    int numbers_before;   /* of the month's name */
    char separator;       /* between the first two numbers */
    int hour, minute;     /* -1: none */
};

static bool listed(const char *list, const char *word, size_t n)
{
    char key[24];
    if (n + 3 > sizeof key)
        return false;
    snprintf(key, sizeof key, " %.*s ", (int)n, word);
    return strstr(list, key) != NULL;
}

static int month_of(const char *word, size_t n)
{
    for (int i = 0; i < 12; i++) {
        if (listed(months[i], word, n))
            return i + 1;
    }
    return 0;
}

/* "14:30", "2:30:15 pm", "14h30": cuts the time out of the text (blanks it). */
static void cut_time(char *text, struct parts *parts)
{
    for (char *s = text; *s; s++) {
        if (!isdigit((unsigned char)*s) || (s > text && (isdigit((unsigned char)s[-1]) || s[-1] == ':')))
            continue;
        size_t hours = strspn(s, "0123456789");
        char mark = s[hours];
        size_t minutes = mark == ':' || mark == 'h' ? strspn(s + hours + 1, "0123456789") : 0;
        if (hours > 2 || minutes != 2)
            continue;
        int hour = (int)strtol(s, NULL, 10), minute = (int)strtol(s + hours + 1, NULL, 10);
        char *end = s + hours + 1 + minutes;
        if (*end == ':' && isdigit((unsigned char)end[1]))
            end += 1 + strspn(end + 1, "0123456789.");
        char *half = end + strspn(end, " ");
        bool after = half[0] == 'p' && (half[1] == 'm' || half[1] == '.'), before = half[0] == 'a' && (half[1] == 'm' || half[1] == '.');
        if (after || before) {
            hour = hour % 12 + (after ? 12 : 0);
            end = half + 1 + strspn(half + 1, ".m");
        }
        if ((*end == '+' || *end == '-') && isdigit((unsigned char)end[1]))
            end += 1 + strspn(end + 1, "0123456789:");
        if (hour > 23 || minute > 59)
            return;
        parts->hour = hour;
        parts->minute = minute;
        memset(s, ' ', (size_t)(end - s));
        return;
    }
}

static bool take_number(const char **s, struct parts *parts)
{
    size_t digits = strspn(*s, "0123456789");
    if (parts->count == NUMBERS || digits > 4 || digits == 3)
        return false;
    parts->number[parts->count] = (int)strtol(*s, NULL, 10);
    parts->digits[parts->count] = (int)digits;
    *s += digits;
    size_t word = 0;
    while (isalpha((unsigned char)(*s)[word]))
        word++;
    static const char suffixes[] = " st nd rd th er ere o a ";
    if (word && listed(suffixes, *s, word)) {
        parts->ordinal[parts->count] = true;
        *s += word;
    } else if (word && !(**s == 't') && !month_of(*s, word)) {
        return false;
    }
    parts->count++;
    if (parts->count == 1)
        parts->separator = **s;
    return true;
}

static bool take_word(const char **s, struct parts *parts)
{
    size_t n = 0;
    while (isalpha((unsigned char)(*s)[n]))
        n++;
    int month = month_of(*s, n);
    if (month && !parts->month) {
        parts->month = month;
        parts->numbers_before = parts->count;
    } else if (!listed(weekdays, *s, n) && !listed(fillers, *s, n)) {
        return false;
    }
    *s += n;
    return true;
}

static bool cut(const char *text, struct parts *parts)
{
    for (const char *s = text; *s;) {
        if (isdigit((unsigned char)*s)) {
            if (!take_number(&s, parts))
                return false;
        } else if (isalpha((unsigned char)*s)) {
            if (!take_word(&s, parts))
                return false;
        } else if (strchr(" .,/-'()|:\x02", *s)) {
            s++;
        } else {
            return false;
        }
    }
    return true;
}

static int full_year(int number, int digits)
{
    return digits > 2 ? number : number < PIVOT ? 2000 + number : 1900 + number;
}

struct day { int year, month, day; }; /* month and day 0: not said */

/* With a named month: the day stands before it or after it, the year is the one of four digits or the last one. */
static bool with_month(const struct parts *p, struct day *out)
{
    int year = -1;
    for (int i = 0; i < p->count; i++) {
        if (p->digits[i] == 4)
            year = year < 0 ? i : 99;
    }
    if (p->count == 1 && year == 0) {
        *out = (struct day){p->number[0], p->month, 0};
        return true;
    }
    if (p->count != 2 || year == 99)
        return false;
    if (year < 0)
        year = p->ordinal[1] ? 0 : 1;
    *out = (struct day){full_year(p->number[year], p->digits[year]), p->month, p->number[1 - year]};
    return true;
}

static bool all_numbers(const struct parts *p, bool day_first, struct day *out)
{
    const int *n = p->number, *d = p->digits;
    if (p->count == 1)
        *out = (struct day){n[0], 0, 0};
    if (p->count == 1)
        return d[0] == 4;
    if (p->count == 2) {
        bool year_first = d[0] == 4;
        *out = (struct day){n[year_first ? 0 : 1], n[year_first ? 1 : 0], 0};
        return (d[0] == 4) != (d[1] == 4) && out->month > 0;
    }
    if (p->count != 3 || d[1] > 2)
        return false;
    if (d[0] == 4) {
        *out = (struct day){n[0], n[1], n[2]};
        return d[2] <= 2 && n[2] > 0;
    }
    bool first_is_day = n[0] > 12 || (n[1] <= 12 && (p->separator == '.' || day_first));
    *out = (struct day){full_year(n[2], d[2]), n[first_is_day ? 1 : 0], n[first_is_day ? 0 : 1]};
    return out->day > 0;
}

static bool is_day(const struct day *d)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (d->year % 4 == 0 && d->year % 100 != 0) || d->year % 400 == 0;
    if (d->year < 1 || d->year > 9999 || d->month < 0 || d->month > 12 || d->day < 0)
        return false;
    return d->day == 0 || (d->month > 0 && d->day <= lengths[d->month - 1] + (leap && d->month == 2));
}

/* "20260115": eight digits alone. */
static bool read_packed(const char *text, struct day *out)
{
    if (strspn(text, "0123456789") != 8 || text[8] != '\0')
        return false;
    int packed = (int)strtol(text, NULL, 10);
    *out = (struct day){packed / 10000, packed / 100 % 100, packed % 100};
    return out->year >= 1000 && out->month > 0 && out->day > 0;
}

bool date_read(const char *text, size_t bytes, bool day_first, char out[DATE_TEXT])
{
    char folded[TEXT];
    struct parts parts = {.hour = -1};
    struct day day;
    if (!fold_text(text, bytes, false, folded, sizeof folded))
        return false;
    bool ok = read_packed(folded, &day);
    if (!ok) {
        cut_time(folded, &parts);
        ok = cut(folded, &parts) && (parts.month ? with_month(&parts, &day) : all_numbers(&parts, day_first, &day));
    }
    if (!ok || !is_day(&day))
        return false;
    if (day.day && parts.hour >= 0)
        snprintf(out, DATE_TEXT, "%04u-%02u-%02uT%02u:%02u", (unsigned)day.year % 10000u, (unsigned)day.month % 100u,
                 (unsigned)day.day % 100u, (unsigned)parts.hour % 100u, (unsigned)parts.minute % 100u);
    else if (day.day)
        snprintf(out, DATE_TEXT, "%04u-%02u-%02u", (unsigned)day.year % 10000u, (unsigned)day.month % 100u, (unsigned)day.day % 100u);
    else if (day.month)
        snprintf(out, DATE_TEXT, "%04u-%02u", (unsigned)day.year % 10000u, (unsigned)day.month % 100u);
    else
        snprintf(out, DATE_TEXT, "%04u", (unsigned)day.year % 10000u);
    return true;
}
