/* Scores made by hand -> spans: null against a value, lists without overlap, choices, and an order that is always the same. */
#include "testing.h"

#include "engine/decode.h"

enum { TOKENS = 12 };

static float span[3][TOKENS], null[2], option[2];
static uint32_t ends[100 + TOKENS]; /* the window begins at document piece 100 */
static const struct model model = {.max_span = 60, .top_starts = 8, .inside_weight = 0.3, .list_candidate = 0.3,
                                   .list_threshold = 0.5, .record_start = 0.5};

/* All scores low but those of the spans asked for. */
static void clear(void)
{
    for (int c = 0; c < 3; c++)
        for (int t = 0; t < TOKENS; t++)
            span[c][t] = -8;
    for (int t = 0; t < 100 + TOKENS; t++)
        ends[t] = 100 + TOKENS;
    null[0] = null[1] = 0;
}

static void put(size_t first, size_t last, float score)
{
    span[0][first] = span[1][last] = score;
    for (size_t t = first; t <= last; t++)
        span[2][t] = score;
}

static struct findings decode(enum ask_kind kind, size_t options)
{
    static const size_t order[] = {0};
    struct ask ask = {.kind = kind, .option_count = options};
    struct plan plan = {.asks = &ask, .ask_count = 1};
    struct pass pass = {.asks = order, .count = 1};
    static struct window window;
    window = (struct window){.tokens = TOKENS, .fields = 1};
    struct scores scores = {&span[0][0], TOKENS, null, option};
    struct findings out = {0};
    assert_true(decode_window(&model, &plan, &pass, &window, &scores, 100, ends, &(struct grid){0}, &out));
    decode_sort(&out);
    return out;
}

static void check_finding(const struct finding *f, enum finding_kind kind, uint32_t first, uint32_t last)
{
    assert_int_equal(f->kind, kind);
    assert_int_equal(f->first, first);
    assert_int_equal(f->last, last);
}

static void no_span_runs_past_its_paragraph(void **state)
{
    (void)state;
    clear();
    put(3, 7, 6);
    span[1][5] = 2; /* the next best end */
    for (int t = 0; t < 106; t++) ends[t] = 106;
    struct findings found = decode(ASK_SCALAR, 0);
    check_finding(&found.at[0], FINDING_SPAN, 103, 105);
    findings_free(&found);
    found = decode(ASK_LIST, 0);
    assert_true(found.count >= 1);
    check_finding(&found.at[0], FINDING_ITEM, 103, 105);
    findings_free(&found);
}

static void a_value_beats_null_by_its_margin(void **state)
{
    (void)state;
    clear();
    put(3, 5, 6);
    struct findings found = decode(ASK_SCALAR, 0);
    assert_true(found.count >= 1);
    check_finding(&found.at[0], FINDING_SPAN, 103, 105);
    assert_true(found.at[0].score > 11.9f && found.at[0].score < 12.0f); /* 6 + 6 less a little for inside */
    findings_free(&found);
    null[0] = null[1] = 20;
    found = decode(ASK_SCALAR, 0);
    assert_int_equal(found.count, 1); /* the best, which says how sure the null is */
    assert_true(found.at[0].score < 0);
    findings_free(&found);
}

static void a_value_does_not_run_over_what_is_not_inside(void **state)
{
    (void)state;
    clear();
    put(2, 3, 5);
    span[1][9] = 6; /* a better end, but everything between is outside */
    struct findings found = decode(ASK_SCALAR, 0);
    check_finding(&found.at[0], FINDING_SPAN, 102, 103);
    findings_free(&found);
}

static void lists_keep_the_best_of_what_overlaps(void **state)
{
    (void)state;
    clear();
    put(1, 2, 5);
    put(6, 8, 4);
    span[0][7] = 1; /* a weaker start within the second */
    struct findings found = decode(ASK_LIST, 0);
    size_t items = 0;
    for (size_t i = 0; i < found.count; i++)
        items += found.at[i].kind == FINDING_ITEM;
    assert_int_equal(items, 2);
    check_finding(&found.at[0], FINDING_ITEM, 101, 102);
    check_finding(&found.at[1], FINDING_ITEM, 106, 108);
    findings_free(&found);
}

static void just_under_the_threshold_is_a_near_miss(void **state)
{
    (void)state;
    clear();
    put(4, 4, -0.4f);
    struct findings found = decode(ASK_LIST, 0);
    assert_int_equal(found.count, 1);
    check_finding(&found.at[0], FINDING_NEAR, 104, 104);
    findings_free(&found);
}

static void records_begin_where_the_start_is_likely(void **state)
{
    (void)state;
    clear();
    span[0][2] = span[0][9] = 1;
    span[0][5] = -1;
    struct findings found = decode(ASK_RECORDS, 0);
    assert_int_equal(found.count, 2);
    for (size_t i = 0; i < found.count; i++)
        assert_true(found.at[i].kind == FINDING_START && (found.at[i].first == 102 || found.at[i].first == 109));
    findings_free(&found);
}

static void a_choice_is_its_option_over_null(void **state)
{
    (void)state;
    clear();
    option[0] = -1;
    option[1] = 2.5f;
    struct findings found = decode(ASK_CHOICE, 2);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.at[0].option, 1);
    assert_true(found.at[0].score == 2.5f);
    assert_true(found.at[0].first > found.at[0].last); /* nothing stands out as the place it was read */
    findings_free(&found);
    put(4, 6, 9);
    found = decode(ASK_CHOICE, 2);
    check_finding(&found.at[0], FINDING_OPTION, 104, 106);
    findings_free(&found);
}

static void the_order_of_windows_does_not_matter(void **state)
{
    (void)state;
    static const struct finding some[] = {
        {0, FINDING_ITEM, 5, 8, 0, 0.9f}, {0, FINDING_ITEM, 7, 9, 0, 0.9f}, {0, FINDING_ITEM, 5, 8, 0, 0.9f}, {0, FINDING_ITEM, 1, 2, 0, 0.6f},
    };
    enum { SOME = sizeof some / sizeof *some };
    for (size_t shift = 0; shift < SOME; shift++) {
        struct findings f = {0};
        for (size_t i = 0; i < SOME; i++)
            assert_true(findings_add(&f, &some[(i + shift) % SOME]));
        decode_sort(&f);
        assert_int_equal(decode_without_overlap(f.at, f.count), 2);
        check_finding(&f.at[0], FINDING_ITEM, 5, 8);
        check_finding(&f.at[1], FINDING_ITEM, 1, 2);
        findings_free(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_beats_null_by_its_margin),
        cmocka_unit_test(no_span_runs_past_its_paragraph),
        cmocka_unit_test(a_value_does_not_run_over_what_is_not_inside),
        cmocka_unit_test(lists_keep_the_best_of_what_overlaps),
        cmocka_unit_test(just_under_the_threshold_is_a_near_miss),
        cmocka_unit_test(records_begin_where_the_start_is_likely),
        cmocka_unit_test(a_choice_is_its_option_over_null),
        cmocka_unit_test(the_order_of_windows_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
