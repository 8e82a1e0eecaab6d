/* Where pieces stand on their page: gaps before them columns and capitals, as train/layout.py tells them. */
#include "testing.h"

#include <string.h>

#include "engine/layout.h"
#include "engine/text.h"

enum { MOST = 64 };

/* The byte at which each code point begins, and behind the last; returns how many there are. */
static uint32_t index_text(const char *text, uint32_t *byte_of)
{
    uint32_t count = 0, code;
    size_t bytes = strlen(text);
    for (size_t at = 0; at < bytes; count++) {
        byte_of[count] = (uint32_t)at;
        at += utf8_read(text + at, bytes - at, &code);
    }
    byte_of[count] = (uint32_t)bytes;
    return count;
}

/* One piece for each visible character. Checks the gaps, by letters (j, b, w, l, p), and columns. */
static void check(const char *text, const char *gaps, const int *columns)
{
    static struct piece room[MOST];
    static uint32_t byte_of[MOST * 4];
    struct place places[MOST];
    struct pieces pieces = {room, 0, MOST};
    uint32_t count = index_text(text, byte_of), code;
    for (uint32_t i = 0; i < count; i++) {
        utf8_read(text + byte_of[i], byte_of[i + 1] - byte_of[i], &code);
        if (!code_is_space(code))
            room[pieces.count++] = (struct piece){.start = i, .end = i + 1};
    }
    assert_int_equal(pieces.count, strlen(gaps));
    layout_places(text, byte_of, &pieces, places);
    for (size_t i = 0; i < pieces.count; i++) {
        assert_int_equal("jbwlp"[places[i].rows[PLACE_GAP]], gaps[i]);
        assert_int_equal(places[i].rows[PLACE_COLUMN], LAYOUT_GAPS + columns[i]);
    }
}

static void white_space_before_a_piece_is_told(void **state)
{
    (void)state;
    check("ab c", "pjb", (int[]){0, 0, 0});
    check("a  b\tc", "pww", (int[]){0, 0, 2});
    check("a\nb\r\nc", "pll", (int[]){0, 0, 0});
    check("a\n\nb\n \n c", "ppp", (int[]){0, 0, 0});
    check(" \n a", "p", (int[]){0});
}

static void columns_are_four_characters_wide(void **state)
{
    (void)state;
    check("abcd ef   g", "pjjjbjw", (int[]){0, 0, 0, 0, 1, 1, 2});
    check("\xc3\xa9\xc3\xa9\xc3\xa9 \xe2\x82\xac" "1", "pjjbj", (int[]){0, 0, 0, 1, 1}); /* code points, not bytes */
    check("a\n       b", "pl", (int[]){0, 1});
    check("abc\tc\n\td", "pjjwl", (int[]){0, 0, 0, 2, 2}); /* a tab leads to the next eighth */
}

static void far_columns_share_the_last(void **state)
{
    (void)state;
    char text[240];
    memset(text, ' ', sizeof text);
    memcpy(text, "a", 1);
    memcpy(text + 125, "b c", 3);
    memcpy(text + 220, "d", 2);
    check(text, "pwbw", (int[]){0, 31, 31, 31});
}

static void a_character_may_give_two_pieces(void **state)
{
    (void)state;
    static const uint32_t byte_of[] = {0, 2, 3, 4}; /* a capital I with a dot gives i and the dot */
    struct piece room[] = {{.start = 0, .end = 1}, {.start = 0, .end = 1}, {.start = 2, .end = 3}};
    struct pieces pieces = {room, 3, 3};
    struct place places[3];
    layout_places("\xc4\xb0 x", byte_of, &pieces, places);
    assert_int_equal(places[1].rows[PLACE_GAP], GAP_JOINED);
    assert_int_equal(places[1].rows[PLACE_COLUMN], LAYOUT_GAPS);
    assert_int_equal(places[2].rows[PLACE_GAP], GAP_BLANK);
}

static void check_case(const char *word, enum layout_case kind)
{
    uint32_t byte_of[MOST], count = index_text(word, byte_of);
    struct piece room[] = {{.start = 0, .end = count}};
    struct pieces pieces = {room, 1, 1};
    struct place place;
    layout_places(word, byte_of, &pieces, &place);
    assert_int_equal(place.rows[PLACE_CASE], LAYOUT_GAPS + LAYOUT_COLUMNS + kind);
}

static void capitals_are_told(void **state)
{
    (void)state;
    check_case("word", CASE_LOWER);
    check_case("12.5", CASE_LOWER);
    check_case("Word", CASE_CAPITAL);
    check_case("WORD", CASE_UPPER);
    check_case("W", CASE_UPPER);
    check_case("USB3", CASE_UPPER);
    check_case("3D", CASE_UPPER);
    check_case("iPhone", CASE_MIXED);
    check_case("McAdam", CASE_MIXED);
    check_case("\xc3\x89lan", CASE_CAPITAL);          /* E with acute */
    check_case("\xc3\xa9lan", CASE_LOWER);            /* e with acute */
    check_case("\xc3\x97", CASE_LOWER);               /* the multiplication sign stands among the capitals */
    check_case("\xc5\xbb\xc3\x93\xc5\x81", CASE_UPPER); /* Polish */
    check_case("\xc5\xbc\xc3\xb3\xc5\x82", CASE_LOWER);
    check_case("\xd0\x9c\xd0\xb8\xd1\x80", CASE_CAPITAL); /* Cyrillic */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(white_space_before_a_piece_is_told),
        cmocka_unit_test(columns_are_four_characters_wide),
        cmocka_unit_test(far_columns_share_the_last),
        cmocka_unit_test(a_character_may_give_two_pieces),
        cmocka_unit_test(capitals_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
