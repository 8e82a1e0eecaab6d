/* Numbers, dates, yes and no, choices: what documents write -> JSON values. */
#include "testing.h"

#include "engine/values.h"

static void check_number(const char *text, bool strict, bool comma, const char *expected)
{
    double value;
    bool percent;
    char got[64] = "none";
    if (number_read(text, strlen(text), strict, comma, &value, &percent))
        snprintf(got, sizeof got, "%.12g%s", value, percent ? "%" : "");
    if (strcmp(got, expected))
        print_error("\"%s\" (%s): got %s, expected %s\n", text, strict ? "strict" : "free", got, expected);
    assert_string_equal(got, expected);
}

static void numbers_are_read(void **state)
{
    (void)state;
    static const struct { const char *text, *expected; } cases[] = {
        {"1.249,00", "1249"}, {"1,249.00", "1249"}, {"1 249,00", "1249"}, {"1'249.00", "1249"}, {"1\xC2\xA0" "249,50", "1249.5"},
        {"$22.1B", "22100000000"}, {"12%", "12%"}, {"12 percent", "12%"}, {"(5)", "-5"}, {"three (3)", "3"}, {"Twelve", "12"},
        {"-5", "-5"}, {"\xE2\x88\x92" "5", "-5"}, {"5-", "-5"}, {"($1,200.50)", "-1200.5"}, {"\xE2\x82\xAC" "1,249.00", "1249"},
        {"EUR 3.5 million", "3500000"}, {"3,5 Mio. EUR", "3500000"}, {"5M", "5000000"}, {"5k", "5000"}, {"1.2e", "none"},
        {"0.5", "0.5"}, {"0,5", "0.5"}, {"12,34,567", "1234567"}, {"1.234.567,89", "1234567.89"}, {"1,234,567", "1234567"},
        {"2026-01-15", "none"}, {"1.2.3", "none"}, {"10-20", "none"}, {"", "none"}, {"none", "none"}, {"A12", "none"},
        {"12 units", "12"}, {"approximately 5", "5"}, {"5m", "none"}, {"12kg", "12"}, {"3 of 5", "none"}, {"\xEF\xBC\x91\xEF\xBC\x92", "12"},
        {"\xD9\xA1\xD9\xA2", "12"}, {"1,23", "1.23"}, {"1,249", "1249"}, {"1.249", "1.249"}, {"007", "7"}, {"1234567890123456789012345678901", "none"},
        {"~$187", "187"}, {"USD 20", "20"}, {"20 USD", "20"}, {"$-5", "-5"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_number(cases[i].text, false, false, cases[i].expected);
}

static void strict_numbers_take_no_words(void **state)
{
    (void)state;
    check_number("12%", true, false, "12%");
    check_number("3 boxes", true, false, "none");
    check_number("about 3", true, false, "none");
    check_number("1,200 USD", true, false, "1200");
}

static void the_document_decides_what_a_lone_separator_means(void **state)
{
    (void)state;
    check_number("1.249", false, true, "1249");
    check_number("1,249", false, true, "1.249");
    check_number("1.24", false, true, "1.24");
}

static void dates_become_iso(void **state)
{
    (void)state;
    static const struct { const char *text; bool day_first; const char *expected; } cases[] = {
        {"2026-01-15", false, "2026-01-15"}, {"15 January 2026", false, "2026-01-15"}, {"January 15th, 2026", false, "2026-01-15"},
        {"Thursday, 15 Jan. 2026", false, "2026-01-15"}, {"15. Januar 2026", true, "2026-01-15"}, {"15 de enero de 2026", true, "2026-01-15"},
        {"le 1er janvier 2026", true, "2026-01-01"}, {"15 gennaio 2026", true, "2026-01-15"}, {"3. M\xC3\xA4rz 2024", true, "2024-03-03"},
        {"14 ao\xC3\xBBt 2023", true, "2023-08-14"}, {"01/02/2026", false, "2026-01-02"}, {"01/02/2026", true, "2026-02-01"},
        {"13/02/2026", false, "2026-02-13"}, {"02/13/2026", true, "2026-02-13"}, {"01.02.2026", false, "2026-02-01"},
        {"1/2/26", false, "2026-01-02"}, {"1/2/85", false, "1985-01-02"}, {"20260115", false, "2026-01-15"}, {"2026/1/5", true, "2026-01-05"},
        {"January 2026", false, "2026-01"}, {"01/2026", false, "2026-01"}, {"2026-01", false, "2026-01"}, {"1998", false, "1998"},
        {"2026-01-15T14:30:00Z", false, "2026-01-15T14:30"}, {"15 Jan 2026, 2:30 pm", false, "2026-01-15T14:30"},
        {"2026\xE5\xB9\xB4" "1\xE6\x9C\x88" "15\xE6\x97\xA5", false, "2026-01-15"}, {"15-Jan-26", false, "2026-01-15"},
        {"Jan 15, '26", false, "2026-01-15"}, {"15 JAN 2026", false, "2026-01-15"}, {"29 February 2024", false, "2024-02-29"},
        {"30 February 2024", false, "none"}, {"29 February 2023", false, "none"}, {"32/01/2026", false, "none"}, {"tomorrow", false, "none"},
        {"March 8th", false, "none"}, {"13/13/2026", false, "none"}, {"", false, "none"}, {"12", false, "none"}, {"2026-00-10", false, "none"},
        {"15 January 2026 or 16 January 2026", false, "none"}, {"1.249,00", false, "none"}, {"Invoice 2026", false, "none"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char got[DATE_TEXT] = "none";
        (void)date_read(cases[i].text, strlen(cases[i].text), cases[i].day_first, got);
        if (strcmp(got, cases[i].expected))
            print_error("\"%s\": got %s, expected %s\n", cases[i].text, got, cases[i].expected);
        assert_string_equal(got, cases[i].expected);
    }
}

static void the_document_tells_its_habits(void **state)
{
    (void)state;
    static const struct { const char *text; bool day_first, comma; } cases[] = {
        {"Due 25/12/2025, paid 03/04/2026", true, false}, {"Due 12/25/2025, paid 03/04/2026", false, false},
        {"Total \xE2\x82\xAC" "1.249,00 on 03/04/2026", true, true}, {"Total $1,249.00 on 03/04/2026", false, false},
        {"Rechnung vom 03.04.2026 und Summe 9,50", true, true}, {"nothing of note", false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct habits h = habits_of(cases[i].text, strlen(cases[i].text));
        if (h.day_first != cases[i].day_first || h.comma_decimal != cases[i].comma)
            print_error("\"%s\": day first %d, comma %d\n", cases[i].text, h.day_first, h.comma_decimal);
        assert_int_equal(h.day_first, cases[i].day_first);
        assert_int_equal(h.comma_decimal, cases[i].comma);
    }
}

static void yes_and_no_in_several_languages(void **state)
{
    (void)state;
    static const struct { const char *text; int expected; } cases[] = {
        {"yes", 1}, {"Yes.", 1}, {"JA", 1}, {"s\xC3\xAD", 1}, {"\xE2\x9C\x93", 1}, {"[x]", 1}, {"true", 1}, {"no", 0}, {"Nein", 0},
        {"non", 0}, {"false", 0}, {"maybe", -1}, {"", -1}, {"...", -1}, {"noon", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool value;
        int got = boolean_read(cases[i].text, strlen(cases[i].text), &value) ? value : -1;
        if (got != cases[i].expected)
            print_error("\"%s\": got %d\n", cases[i].text, got);
        assert_int_equal(got, cases[i].expected);
    }
}

static void choices_match_by_words(void **state)
{
    (void)state;
    static const char *const options[] = {"paid", "unpaid", "partly_paid", "\xC3\x9C" "berf\xC3\xA4llig"};
    static const struct { const char *text; int expected; } cases[] = {
        {"Paid", 0}, {"UNPAID", 1}, {"this invoice is unpaid.", 1}, {"partly paid", 2}, {"so far partly paid only", 2},
        {"\xC3\xBC" "berf\xC3\xA4llig", 3}, {"prepaid", -1}, {"", -1}, {"open", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *got = option_read(options, 4, cases[i].text, strlen(cases[i].text));
        assert_ptr_equal(got, cases[i].expected < 0 ? NULL : options[cases[i].expected]);
    }
}

static char *printed(enum field_type type, bool by_key, const char *key, const char *text)
{
    const char *path[] = {key};
    struct field field = {.kind = FIELD_SCALAR, .type = type, .typed_by_key = by_key, .parent = -1, .depth = 1, .path = path, .dotted = key};
    struct habits habits = {0};
    json_t *value = value_read(&field, text, strlen(text), &habits);
    char *out = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : strdup("NULL");
    json_decref(value);
    return out;
}

static void whole_numbers_are_integers_and_percentages_reals(void **state)
{
    (void)state;
    static const struct { enum field_type type; bool by_key; const char *key, *text, *expected; } cases[] = {
        {TYPE_NUMBER, true, "stock_move_pct", "12%", "12.0"}, {TYPE_NUMBER, true, "stock_move_pct", "12", "12.0"},
        {TYPE_NUMBER, true, "quantity", "12", "12"}, {TYPE_NUMBER, true, "quantity", "12 boxes", "NULL"},
        {TYPE_NUMBER, false, "total", "1,249.50", "1249.5"}, {TYPE_NUMBER, false, "total", "1,249.00", "1249"},
        {TYPE_NUMBER, false, "rate", "12%", "12.0"}, {TYPE_INTEGER, false, "guests", "4 people", "4"}, {TYPE_INTEGER, false, "guests", "4.5", "NULL"},
        {TYPE_INTEGER, false, "revenue", "$22.1B", "22100000000"}, {TYPE_DATE, false, "due", "15 Jan 2026", "\"2026-01-15\""},
        {TYPE_DATE, false, "due", "soon", "NULL"}, {TYPE_BOOLEAN, false, "paid", "yes", "true"}, {TYPE_TEXT, false, "a", "x", "\"x\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *got = printed(cases[i].type, cases[i].by_key, cases[i].key, cases[i].text);
        if (strcmp(got, cases[i].expected))
            print_error("%s \"%s\": got %s\n", cases[i].key, cases[i].text, got);
        assert_string_equal(got, cases[i].expected);
        free(got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_read),
        cmocka_unit_test(strict_numbers_take_no_words),
        cmocka_unit_test(the_document_decides_what_a_lone_separator_means),
        cmocka_unit_test(dates_become_iso),
        cmocka_unit_test(the_document_tells_its_habits),
        cmocka_unit_test(yes_and_no_in_several_languages),
        cmocka_unit_test(choices_match_by_words),
        cmocka_unit_test(whole_numbers_are_integers_and_percentages_reals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
