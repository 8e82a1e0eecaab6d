/* Where a model's words stand in a document, and how that is named. */
#include "testing.h"

#include "engine/ground.h"
#include "engine/text.h"

static const char document[] =
    "Invoice RF-2847 of 15 January 2026\n"
    "Supplier:  Harbour\n  Lights Ltd.\n"
    "Order RF-28471, quantity 2, price 12.50\n"
    "Total: \xE2\x82\xAC" "1,249.00 (revenue $22.1 billion)\n"
    "Contact: Jos\xC3\xA9 N\xC3\xBA\xC3\xB1" "ez, 2 rue de l\xE2\x80\x99\xC3\x89glise\n"
    "Tag: <b>bold</b> [NOTE] \xE6\x9D\xB1\xE4\xBA\xAC\xE9\x83\xBD\n"
    "Quantity: 2\n";

struct fixture { struct arena arena; struct ground ground; };

static int open_document(void **state)
{
    static struct fixture f;
    f = (struct fixture){0};
    *state = &f;
    return !ground_open(&f.ground, document, sizeof document - 1, &f.arena);
}

static int close_document(void **state)
{
    arena_free(&((struct fixture *)*state)->arena);
    return 0;
}

static struct found look(const struct fixture *f, enum field_type type, const char *key, const char *said)
{
    size_t work = GROUND_WORK;
    struct field field = {.type = type, .depth = 1, .path = &key};
    struct sought sought = {.field = &field, .text = said, .bytes = strlen(said), .to = sizeof document - 1, .work = &work};
    return ground_find(&f->ground, &sought);
}

static void assert_found(const struct fixture *f, enum field_type type, const char *said, enum grounding how, const char *words)
{
    struct found found = look(f, type, "value", said);
    char text[200];
    snprintf(text, sizeof text, "%.*s", (int)(found.end - found.start), document + found.start);
    if (found.how != how || strcmp(text, words))
        print_error("\"%s\" is %s at \"%s\"\n", said, grounding_name(found.how), text);
    assert_int_equal(found.how, how);
    assert_string_equal(text, words);
}

static void words_are_found_as_they_are(void **state)
{
    assert_found(*state, TYPE_TEXT, "RF-2847", GROUND_VERBATIM, "RF-2847"); /* and not in RF-28471 */
    assert_found(*state, TYPE_TEXT, "Lights Ltd.", GROUND_VERBATIM, "Lights Ltd.");
    assert_found(*state, TYPE_TEXT, "\xE4\xBA\xAC", GROUND_VERBATIM, "\xE4\xBA\xAC"); /* no spaces between such words */
}

static void white_space_case_accents_and_quotes_are_forgiven(void **state)
{
    assert_found(*state, TYPE_TEXT, "HARBOUR LIGHTS LTD", GROUND_NORMALISED, "Harbour\n  Lights Ltd");
    assert_found(*state, TYPE_TEXT, "Jose Nunez", GROUND_NORMALISED, "Jos\xC3\xA9 N\xC3\xBA\xC3\xB1" "ez");
    assert_found(*state, TYPE_TEXT, "2 rue de l'Eglise", GROUND_NORMALISED, "2 rue de l\xE2\x80\x99\xC3\x89glise");
    assert_found(*state, TYPE_TEXT, "< b>bold< /b>", GROUND_NORMALISED, "<b>bold</b>");
    assert_found(*state, TYPE_TEXT, "[ NOTE]", GROUND_NORMALISED, "[NOTE]");
}

static void a_few_letters_are_forgiven_but_no_digit(void **state)
{
    assert_found(*state, TYPE_TEXT, "Harbor Lights Ltd", GROUND_NORMALISED, "Harbour\n  Lights Ltd");
    assert_found(*state, TYPE_TEXT, "Invoice RF 2847", GROUND_NORMALISED, "Invoice RF-2847");
    assert_found(*state, TYPE_TEXT, "Invoice RF-2848", GROUND_INFERRED, "");
    assert_found(*state, TYPE_TEXT, "Marbled Nights Inc", GROUND_INFERRED, "");
    assert_found(*state, TYPE_TEXT, "28", GROUND_INFERRED, "");
    assert_found(*state, TYPE_TEXT, "249", GROUND_INFERRED, "");
}

static void numbers_and_dates_are_found_by_their_meaning(void **state)
{
    assert_found(*state, TYPE_NUMBER, "1249", GROUND_NORMALISED, "1,249.00");
    assert_found(*state, TYPE_NUMBER, "12.5", GROUND_NORMALISED, "12.50");
    assert_found(*state, TYPE_NUMBER, "22100000000", GROUND_NORMALISED, "22.1 billion");
    assert_found(*state, TYPE_DATE, "2026-01-15", GROUND_NORMALISED, "15 January 2026");
    assert_found(*state, TYPE_DATE, "2026-01-16", GROUND_INFERRED, "");
    assert_found(*state, TYPE_NUMBER, "1250", GROUND_INFERRED, "");
}

static void of_several_places_the_one_after_the_fields_name_is_taken(void **state)
{
    const char *at = document + look(*state, TYPE_INTEGER, "quantity", "2").start;
    assert_ptr_equal(at, strstr(document, "quantity 2") + strlen("quantity "));
    size_t work = GROUND_WORK, near = sizeof document - 5;
    const char *key = "value";
    struct field field = {.type = TYPE_TEXT, .depth = 1, .path = &key};
    struct sought sought = {.field = &field, .text = "2", .bytes = 1, .to = sizeof document - 1, .near = &near, .work = &work};
    assert_ptr_equal(document + ground_find(&((struct fixture *)*state)->ground, &sought).start, strstr(document, "Quantity: 2") + 10);
}

static void only_the_piece_that_was_sent_is_searched(void **state)
{
    const struct fixture *f = *state;
    size_t work = GROUND_WORK;
    const char *key = "value";
    struct field field = {.type = TYPE_TEXT, .depth = 1, .path = &key};
    struct sought sought = {.field = &field, .text = "Harbour", .bytes = 7, .to = 20, .work = &work};
    assert_int_equal(ground_find(&f->ground, &sought).how, GROUND_INFERRED);
    sought.to = sizeof document - 1;
    assert_int_equal(ground_find(&f->ground, &sought).how, GROUND_VERBATIM);
    sought.from = 100;
    assert_int_equal(ground_find(&f->ground, &sought).how, GROUND_INFERRED);
}

static void places_are_told_in_code_points(void **state)
{
    const struct fixture *f = *state;
    const char *total = strstr(document, "1,249");
    size_t byte = (size_t)(total - document);
    assert_int_equal(ground_char(&f->ground, byte), byte - 2); /* the euro sign has three bytes */
    assert_int_equal(ground_char(&f->ground, 0), 0);
    assert_int_equal(ground_char(&f->ground, sizeof document - 1), utf8_count(document, sizeof document - 1));
}

static void the_work_of_approximate_search_is_bounded(void **state)
{
    const struct fixture *f = *state;
    size_t work = 100;
    const char *key = "value";
    struct field field = {.type = TYPE_TEXT, .depth = 1, .path = &key};
    struct sought sought = {.field = &field, .text = "Harbor Lights Ltd", .bytes = 17, .to = sizeof document - 1, .work = &work};
    assert_int_equal(ground_find(&f->ground, &sought).how, GROUND_INFERRED);
    assert_int_equal(work, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_found_as_they_are),
        cmocka_unit_test(white_space_case_accents_and_quotes_are_forgiven),
        cmocka_unit_test(a_few_letters_are_forgiven_but_no_digit),
        cmocka_unit_test(numbers_and_dates_are_found_by_their_meaning),
        cmocka_unit_test(of_several_places_the_one_after_the_fields_name_is_taken),
        cmocka_unit_test(only_the_piece_that_was_sent_is_searched),
        cmocka_unit_test(places_are_told_in_code_points),
        cmocka_unit_test(the_work_of_approximate_search_is_bounded),
    };
    return cmocka_run_group_tests(tests, open_document, close_document);
}
