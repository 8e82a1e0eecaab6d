/* The breaks between a document's pieces, as train/breaks.py puts them. */
#include "testing.h"

#include <stdlib.h>
#include <string.h>

#include "engine/breaks.h"
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

/* One piece for each visible character. Checks what stands there then: x a piece, w, l and p a break that fills its gap. */
static void check(const char *text, const char *expected)
{
    uint32_t byte_of[MOST], count = index_text(text, byte_of), code;
    struct pieces pieces = {0};
    pieces.at = calloc(count + 1, sizeof *pieces.at);
    assert_non_null(pieces.at);
    for (uint32_t i = 0; i < count; i++) {
        utf8_read(text + byte_of[i], byte_of[i + 1] - byte_of[i], &code);
        if (!code_is_space(code))
            pieces.at[pieces.count++] = (struct piece){.id = 1000, .start = i, .end = i + 1};
    }
    pieces.room = pieces.count;
    assert_true(breaks_insert(text, byte_of, &pieces));
    assert_int_equal(pieces.count, strlen(expected));
    for (size_t i = 0; i < pieces.count; i++) {
        const struct piece *p = &pieces.at[i];
        assert_int_equal(is_break(p->id) ? "wlp"[p->id - BREAK_WIDE] : 'x', expected[i]);
        if (is_break(p->id)) {
            assert_int_equal(p->start, p[-1].end);
            assert_int_equal(p->end, p[1].start);
        }
    }
    pieces_free(&pieces);
}

static void white_space_makes_breaks(void **state)
{
    (void)state;
    check("ab c", "xxx");
    check("a  b\tc", "xwxwx");
    check("a\nb\r\nc", "xlxlx");
    check("a   \n   b", "xlx");
    check("a\n\nb\n \n c\r\n\r\nd", "xpxpxpx");
    check("a\n\n\n\nb", "xpx");
    check("\xc3\xa9\xc3\xa9\n\xe2\x82\xac 1", "xxlxx"); /* code points, not bytes */
    check("a\xc2\xa0" "b\xc2\xa0\xc2\xa0" "c", "xxwx");  /* blanks that do not break */
}

static void the_margins_of_a_text_make_none(void **state)
{
    (void)state;
    check("", "");
    check("\n\n  a  \n\n", "x");
}

static void a_character_may_give_two_pieces(void **state)
{
    (void)state;
    static const uint32_t byte_of[] = {0, 2, 3, 4, 5}; /* a capital I with a dot gives i and the dot */
    struct pieces pieces = {calloc(3, sizeof *pieces.at), 3, 3};
    assert_non_null(pieces.at);
    pieces.at[0] = pieces.at[1] = (struct piece){1000, 0, 1};
    pieces.at[2] = (struct piece){1000, 3, 4};
    assert_true(breaks_insert("\xc4\xb0  x", byte_of, &pieces));
    assert_int_equal(pieces.count, 4);
    assert_int_equal(pieces.at[2].id, BREAK_WIDE);
    pieces_free(&pieces);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(white_space_makes_breaks),
        cmocka_unit_test(the_margins_of_a_text_make_none),
        cmocka_unit_test(a_character_may_give_two_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
