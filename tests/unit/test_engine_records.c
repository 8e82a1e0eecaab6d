/* Tables in plain text, and records made of them: rows and columns found, the right column for each member, whole cells. */
#include "testing.h"

#include <string.h>

#include "engine/records.h"

enum { MOST = 400 };

static struct arena arena;
static struct piece piece_room[MOST];
static struct pieces pieces;
static struct grid grid;

static bool is_word(char c)
{
    return c && !strchr(" \t\n|;,\"", c);
}

/* One piece per word, its number a hash of its letters; the text is ASCII, so bytes are code points. */
static void read_text(const char *text)
{
    pieces = (struct pieces){piece_room, 0, MOST};
    for (size_t at = 0; text[at];) {
        size_t start = at;
        int32_t id = 7;
        for (; is_word(text[at]); at++)
            id = (id * 31 + text[at]) % 30000;
        if (at > start)
            piece_room[pieces.count++] = (struct piece){.id = id, .start = (uint32_t)start, .end = (uint32_t)at};
        else
            at++;
    }
    assert_true(pieces.count < MOST);
    assert_true(grid_find(&grid, text, strlen(text), strlen(text), &pieces, &arena));
}

static void check_cell(const char *text, size_t i, uint32_t table, uint32_t row, uint32_t column, const char *words)
{
    assert_true(i < grid.count);
    const struct grid_cell *c = &grid.cells[i];
    assert_int_equal(c->table, table);
    assert_int_equal(c->row, row);
    assert_int_equal(c->column, column);
    size_t start = piece_room[c->first].start, bytes = piece_room[c->last].end - start;
    assert_int_equal(bytes, strlen(words));
    assert_memory_equal(text + start, words, bytes);
}

static const char goods[] = "Delivery for the shop\n"
                            "\n"
                            "Item              Qty   Price\n"
                            "-----------------------------\n"
                            "red paint  matt     2    4.00\n"
                            "brush              10   12.50\n"
                            "sand paper, fine         0.80\n"
                            "\n"
                            "Paid  in cash\n";

static void words_over_each_other_are_columns(void **state)
{
    (void)state;
    read_text(goods);
    assert_int_equal(grid.count, 11);
    check_cell(goods, 0, 0, 0, 0, "Item");
    check_cell(goods, 2, 0, 0, 2, "Price");
    check_cell(goods, 3, 0, 1, 0, "red paint  matt"); /* two blanks, but over no gap of the other lines */
    check_cell(goods, 4, 0, 1, 1, "2");
    check_cell(goods, 8, 0, 2, 2, "12.50");
    check_cell(goods, 9, 0, 3, 0, "sand paper, fine");
    check_cell(goods, 10, 0, 3, 2, "0.80"); /* the quantity is empty: the price stays in its column */
}

static void delimiters_make_columns(void **state)
{
    (void)state;
    static const char bars[] = "| name | age |\n|------|-----|\n| Ann Lee | 41 |\n| Bo | |\n";
    read_text(bars);
    assert_int_equal(grid.count, 5);
    check_cell(bars, 0, 0, 0, 1, "name");
    check_cell(bars, 2, 0, 1, 1, "Ann Lee");
    check_cell(bars, 4, 0, 2, 1, "Bo");
    static const char commas[] = "name,town,age\n\"Ann\",Ulm,41\nBo,,7\n\nyes, and no, and so on\nlet us see\n";
    read_text(commas);
    assert_int_equal(grid.count, 8);
    check_cell(commas, 3, 0, 1, 0, "Ann");
    check_cell(commas, 7, 0, 2, 2, "7");
}

static void prose_is_no_table(void **state)
{
    (void)state;
    read_text("One line, then another, of words.\nNothing here  stands\nover anything, or so, it seems.\n\nA  B\n\nC  D\n");
    assert_int_equal(grid.count, 0);
    read_text("");
    assert_int_equal(grid.count, 0);
}

/* ---- records of the goods ------------------------------------------------------------------------------------------------ */

enum { ITEM, QUANTITY, PRICE, MEMBERS };

static struct finding cell_findings[MEMBERS][16], span_findings[MEMBERS][8];
static struct member members[MEMBERS];
static struct ask asks[MEMBERS];
static int32_t names[MEMBERS];

static void forget(void)
{
    memset(members, 0, sizeof members);
    memset(asks, 0, sizeof asks);
    for (size_t m = 0; m < MEMBERS; m++) {
        members[m] = (struct member){.items = span_findings[m], .cells = cell_findings[m]};
        asks[m] = (struct ask){.is_member = true, .name = &names[m]};
    }
}

static void see_cell(size_t member, size_t cell, float score)
{
    cell_findings[member][members[member].cell_count++] = (struct finding){
        .kind = FINDING_CELL, .first = grid.cells[cell].first, .last = grid.cells[cell].last, .option = (uint32_t)cell,
        .score = score};
}

static const float all_sure[3][MEMBERS] = {{.8f, .8f, .8f}, {.8f, .8f, .8f}, {.8f, 0, .8f}};

/* Evidence for every cell of the goods in its own column; the third row has no quantity. */
static void see_goods(const float seen[3][MEMBERS])
{
    for (size_t row = 0, cell = 3; row < 3; row++) {
        for (size_t m = 0; m < MEMBERS; m++) {
            if (row == 2 && m == QUANTITY)
                continue;
            see_cell(m, cell, seen[row][m]);
            cell++;
        }
    }
}

static void see_span(size_t member, uint32_t first, uint32_t last, float score)
{
    span_findings[member][members[member].item_count++] =
        (struct finding){.kind = FINDING_ITEM, .first = first, .last = last, .score = score};
}

static struct records group(const struct finding *starts, size_t count)
{
    struct records_ask ask = {.members = members, .asks = asks, .member_count = MEMBERS, .starts = starts, .start_count = count,
                              .grid = &grid, .pieces = pieces.at};
    struct records out;
    assert_true(records_group(&ask, &arena, &out));
    return out;
}

static void check_value(const struct records *r, size_t row, size_t member, uint32_t first, uint32_t last)
{
    assert_true(row < r->rows);
    const struct finding *f = r->cells[row * MEMBERS + member];
    assert_non_null(f);
    assert_int_equal(f->first, first);
    assert_int_equal(f->last, last);
}

static void check_goods(const struct records *r)
{
    assert_int_equal(r->rows, 3);
    for (size_t row = 0, cell = 3; row < 3; row++) {
        for (size_t m = 0; m < MEMBERS; m++) {
            if (row == 2 && m == QUANTITY)
                assert_null(r->cells[row * MEMBERS + m]);
            else {
                check_value(r, row, m, grid.cells[cell].first, grid.cells[cell].last);
                cell++;
            }
        }
    }
}

/* The model leans to the price for the quantity in one row and saw nothing of the item in another: the columns know. */
static void a_column_answers_for_all_its_rows(void **state)
{
    (void)state;
    read_text(goods);
    forget();
    static const float seen[3][MEMBERS] = {{.8f, .7f, .6f}, {.8f, .3f, .7f}, {0, 0, .9f}};
    see_goods(seen);
    see_cell(QUANTITY, 8, .6f);
    see_span(QUANTITY, grid.cells[8].first, grid.cells[8].last, .6f);
    struct records found = group(NULL, 0);
    check_goods(&found);
}

static void a_heading_names_its_column(void **state)
{
    (void)state;
    read_text(goods);
    forget();
    for (size_t m = 0; m < MEMBERS; m++) {
        names[m] = pieces.at[grid.cells[m].first].id; /* "Item", "Qty", "Price" */
        asks[m].name_count = 1;
    }
    for (size_t cell = 3; cell < 11; cell++) {
        for (size_t m = 0; m < MEMBERS; m++)
            see_cell(m, cell, .3f); /* the model cannot tell */
    }
    struct records found = group(NULL, 0);
    check_goods(&found); /* and the heading is no record */
}

static void a_table_of_something_else_is_left_alone(void **state)
{
    (void)state;
    read_text(goods);
    forget();
    for (size_t cell = 3; cell < 11; cell++)
        see_cell(ITEM, cell, .05f);
    see_span(ITEM, 1, 2, .8f);
    struct records found = group(NULL, 0);
    assert_int_equal(found.rows, 1);
    check_value(&found, 0, ITEM, 1, 2);
    assert_null(found.cells[PRICE]);
}

static void what_stands_elsewhere_is_kept_in_order(void **state)
{
    (void)state;
    read_text(goods);
    forget();
    see_goods(all_sure);
    see_span(ITEM, 1, 2, .8f);                                        /* before the table: "for the" */
    see_span(ITEM, grid.cells[3].first, grid.cells[3].first, .95f);   /* sure of "red", but one cell of three does not tell */
    uint32_t last = (uint32_t)pieces.count - 1;
    see_span(PRICE, last, last, .8f);                                 /* behind it: "cash" */
    struct records found = group(NULL, 0);
    assert_int_equal(found.rows, 5);
    check_value(&found, 0, ITEM, 1, 2);
    check_value(&found, 1, ITEM, grid.cells[3].first, grid.cells[3].last);
    check_value(&found, 1, PRICE, grid.cells[5].first, grid.cells[5].last);
    check_value(&found, 2, ITEM, grid.cells[6].first, grid.cells[6].last);
    check_value(&found, 4, PRICE, last, last);
}

static void a_column_may_hold_more_than_its_values(void **state)
{
    (void)state;
    read_text(goods);
    forget();
    see_goods(all_sure);
    see_span(ITEM, grid.cells[3].first, grid.cells[3].first, .95f); /* "red" */
    see_span(ITEM, grid.cells[9].first, grid.cells[9].first, .9f);  /* "sand" */
    struct records found = group(NULL, 0);
    assert_int_equal(found.rows, 3);
    check_value(&found, 0, ITEM, grid.cells[3].first, grid.cells[3].first);
    check_value(&found, 1, ITEM, grid.cells[6].first, grid.cells[6].last);
    check_value(&found, 2, ITEM, grid.cells[9].first, grid.cells[9].first);
}

static void without_tables_records_go_by_beginnings_and_repeats(void **state)
{
    (void)state;
    read_text("a b c d e f g h");
    forget();
    see_span(ITEM, 0, 0, .9f);
    see_span(PRICE, 1, 1, .9f);
    see_span(PRICE, 3, 3, .9f);
    see_span(ITEM, 4, 4, .9f);
    static const struct finding starts[] = {{.kind = FINDING_START, .first = 0}, {.kind = FINDING_START, .first = 4}};
    struct records found = group(starts, 2);
    assert_int_equal(found.rows, 3);
    check_value(&found, 0, ITEM, 0, 0);
    check_value(&found, 1, PRICE, 3, 3); /* the price came again: another record */
    check_value(&found, 2, ITEM, 4, 4);
    forget();
    for (uint32_t n = 0; n < 2; n++) {
        see_span(ITEM, n, n, .9f);
        see_span(PRICE, 4 + n, 4 + n, .9f);
    }
    found = group(NULL, 0); /* all items, then all prices */
    assert_int_equal(found.rows, 2);
    check_value(&found, 0, PRICE, 4, 4);
    check_value(&found, 1, PRICE, 5, 5);
}

static int release(void **state)
{
    (void)state;
    arena_free(&arena);
    arena = (struct arena){0};
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(words_over_each_other_are_columns, release),
        cmocka_unit_test_teardown(delimiters_make_columns, release),
        cmocka_unit_test_teardown(prose_is_no_table, release),
        cmocka_unit_test_teardown(a_column_answers_for_all_its_rows, release),
        cmocka_unit_test_teardown(a_heading_names_its_column, release),
        cmocka_unit_test_teardown(a_table_of_something_else_is_left_alone, release),
        cmocka_unit_test_teardown(what_stands_elsewhere_is_kept_in_order, release),
        cmocka_unit_test_teardown(a_column_may_hold_more_than_its_values, release),
        cmocka_unit_test_teardown(without_tables_records_go_by_beginnings_and_repeats, release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
