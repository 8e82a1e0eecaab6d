/* records.c - see records.h. */
#include "engine/records.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/columns.h"
#include "engine/template.h"

static const float sure_span = 0.8f; /* score from which a span within a cell may be the value, not the cell */
static const double partly = 0.5;    /* share of the column's cells from which it holds more than values */

struct value { const struct finding *finding; size_t member; };

struct stretch { uint32_t first, last; }; /* pieces of a table that answers */

struct grouper {
    const struct records_ask *ask;
    struct arena *arena;
    struct records *out;
    struct stretch *taken;
    size_t taken_count;
};

/* ---- from tables ----------------------------------------------------------------------------------------------------- */

/* The span of [first, last] with the highest score that overlaps nothing in `row`, the earliest of equals; NULL if none. */
static const struct finding *best_free(const struct member *member, uint32_t first, uint32_t last,
                                       const struct finding *const *row, size_t members)
{
    const struct finding *best = NULL;
    for (size_t i = 0; i < member->item_count; i++) {
        const struct finding *f = &member->items[i];
        bool is_free = f->first >= first && f->last <= last && (!best || f->score > best->score);
        for (size_t m = 0; is_free && m < members; m++)
            is_free = !row[m] || f->last < row[m]->first || f->first > row[m]->last;
        best = is_free ? f : best;
    }
    return best;
}

/* The one span within the cell, if it is sure. */
static const struct finding *sure_within(const struct member *member, const struct grid_cell *cell)
{
    const struct finding *only = NULL;
    size_t count = 0;
    for (size_t i = 0; i < member->item_count; i++) {
        if (member->items[i].first < cell->first || member->items[i].last > cell->last)
            continue;
        only = &member->items[i];
        count++;
    }
    return count == 1 && only->score > sure_span ? only : NULL;
}

/* Whether the member's column holds more than values: sure spans of a good part of its cells are shorter than the cell. */
static bool holds_more(const struct grouper *g, const struct columns *t, size_t m)
{
    size_t cells = 0, shorter = 0;
    for (size_t r = 0; r < t->rows; r++) {
        const struct grid_cell *cell = t->cells[r * t->columns + t->column_of[m]];
        if (!t->is_record[r] || !cell)
            continue;
        const struct finding *f = sure_within(&g->ask->members[m], cell);
        cells++;
        shorter += f && (f->first != cell->first || f->last != cell->last);
    }
    return (double)shorter >= partly * (double)cells;
}

static bool add_table_row(struct grouper *g, const struct columns *t, const bool *more, size_t r)
{
    const struct records_ask *ask = g->ask;
    const struct finding **row = g->out->cells + g->out->rows * ask->member_count;
    uint32_t first = UINT32_MAX, last = 0;
    bool any = false;
    for (size_t c = 0; c < t->columns; c++) {
        const struct grid_cell *cell = t->cells[r * t->columns + c];
        first = cell && cell->first < first ? cell->first : first;
        last = cell && cell->last > last ? cell->last : last;
    }
    for (size_t m = 0; m < ask->member_count; m++) {
        const struct grid_cell *cell = t->column_of[m] == COLUMNS_NONE ? NULL : t->cells[r * t->columns + t->column_of[m]];
        if (!cell)
            continue;
        any = true;
        row[m] = more[m] ? sure_within(&ask->members[m], cell) : NULL;
        if (row[m])
            continue;
        struct finding *whole = arena_alloc(g->arena, sizeof *whole);
        if (!whole)
            return false;
        *whole = (struct finding){.kind = FINDING_CELL, .first = cell->first, .last = cell->last,
                                  .score = (float)t->means[m * t->columns + t->column_of[m]]};
        row[m] = whole;
    }
    for (size_t m = 0; m < ask->member_count; m++) {
        if (t->column_of[m] == COLUMNS_NONE)
            row[m] = best_free(&ask->members[m], first, last, row, ask->member_count);
        any = any || row[m];
    }
    g->out->rows += any;
    return true;
}

/* The table of cells [begin, stop) of the grid, empty of answers. False: out of memory. */
static bool lay_out(const struct grouper *g, size_t begin, size_t stop, struct columns *t)
{
    const struct grid_cell *cells = g->ask->grid->cells;
    *t = (struct columns){.members = g->ask->member_count, .rows = cells[stop - 1].row + 1};
    for (size_t i = begin; i < stop; i++)
        t->columns = cells[i].column >= t->columns ? cells[i].column + 1 : t->columns;
    float *evidence = arena_array(g->arena, t->members * t->rows, t->columns * sizeof *evidence);
    t->cells = arena_array(g->arena, t->rows, t->columns * sizeof *t->cells);
    t->alike = arena_array(g->arena, t->members, t->columns * sizeof *t->alike);
    t->means = arena_array(g->arena, t->members, t->columns * sizeof *t->means);
    t->column_of = arena_array(g->arena, t->members, sizeof *t->column_of);
    t->is_record = arena_array(g->arena, t->rows, sizeof *t->is_record);
    if (!evidence || !t->cells || !t->alike || !t->means || !t->column_of || !t->is_record)
        return false;
    for (size_t i = begin; i < stop; i++)
        t->cells[cells[i].row * t->columns + cells[i].column] = &cells[i];
    for (size_t m = 0; m < t->members; m++) {
        const struct member *member = &g->ask->members[m];
        for (size_t i = 0; i < member->cell_count; i++) {
            const struct finding *f = &member->cells[i];
            if (f->option < begin || f->option >= stop)
                continue;
            float *seen = &evidence[(m * t->rows + cells[f->option].row) * t->columns + cells[f->option].column];
            *seen = f->score > *seen ? f->score : *seen;
        }
    }
    t->evidence = evidence;
    return true;
}

static bool add_tables(struct grouper *g)
{
    const struct grid *grid = g->ask->grid;
    for (size_t begin = 0, stop; begin < grid->count; begin = stop) {
        for (stop = begin; stop < grid->count && grid->cells[stop].table == grid->cells[begin].table;)
            stop++;
        struct columns t;
        if (!lay_out(g, begin, stop, &t))
            return false;
        columns_name(&t, g->ask->asks, g->ask->pieces);
        if (!columns_pair(&t))
            continue;
        g->taken[g->taken_count++] = (struct stretch){grid->cells[begin].first, grid->cells[stop - 1].last};
        bool more[TEMPLATE_MAX_FIELDS];
        for (size_t m = 0; m < t.members; m++)
            more[m] = t.column_of[m] != COLUMNS_NONE && holds_more(g, &t, m);
        for (size_t r = 0; r < t.rows; r++) {
            if (t.is_record[r] && !add_table_row(g, &t, more, r))
                return false;
        }
    }
    return true;
}

/* ---- elsewhere --------------------------------------------------------------------------------------------------------- */

static int by_value(const void *left, const void *right)
{
    const struct value *a = left, *b = right;
    if (a->finding->first != b->finding->first)
        return a->finding->first < b->finding->first ? -1 : 1;
    if (a->finding->last != b->finding->last)
        return a->finding->last < b->finding->last ? -1 : 1;
    return (a->member > b->member) - (a->member < b->member);
}

/* Members that never interleave and are equally many ("all names, then all prices") belong together by rank. */
static bool is_ranked(const struct value *values, size_t count, size_t members)
{
    size_t counts[TEMPLATE_MAX_FIELDS] = {0}, blocks = 0, present = 0, each = 0;
    for (size_t i = 0; i < count; i++) {
        counts[values[i].member]++;
        blocks += i == 0 || values[i].member != values[i - 1].member;
    }
    for (size_t k = 0; k < members; k++) {
        if (counts[k] && each && counts[k] != each)
            return false;
        each = counts[k] ? counts[k] : each;
        present += counts[k] > 0;
    }
    return present > 1 && each > 1 && blocks == present;
}

static void put_ranked(struct records *out, const struct value *values, size_t count)
{
    size_t ranks[TEMPLATE_MAX_FIELDS] = {0}, begin = out->rows;
    for (size_t i = 0; i < count; i++) {
        size_t row = begin + ranks[values[i].member]++;
        out->cells[row * out->members + values[i].member] = values[i].finding;
        out->rows = row + 1 > out->rows ? row + 1 : out->rows;
    }
}

/* A value belongs to the last record that begins at or before it, those before the first to the first. Where a member comes
 * again another record begins too: a beginning is easier to miss than a value. */
static void put_in_turn(struct records *out, const struct value *values, size_t count, const struct finding *starts,
                        size_t start_count)
{
    size_t begun = 0, passed = 0, before = out->rows;
    for (size_t i = 0; i < count; i++) {
        const struct finding *found = values[i].finding;
        while (passed < start_count && starts[passed].first <= found->first)
            passed++;
        const struct finding **row = out->cells + (out->rows - (out->rows > before)) * out->members;
        bool fresh = row[values[i].member] != NULL || (passed != begun && begun != 0);
        if (out->rows == before || fresh) {
            row = out->cells + out->rows * out->members;
            out->rows++;
        }
        begun = passed;
        row[values[i].member] = found;
    }
}

/* Groups the values of pieces [first, stop). `values` has room for all there are. */
static void add_between(struct grouper *g, struct value *values, uint32_t first, uint32_t stop)
{
    const struct records_ask *ask = g->ask;
    size_t count = 0, start = 0, end;
    for (size_t k = 0; k < ask->member_count; k++) {
        for (size_t n = 0; n < ask->members[k].item_count; n++) {
            const struct finding *f = &ask->members[k].items[n];
            if (f->first >= first && f->first < stop)
                values[count++] = (struct value){f, k};
        }
    }
    if (count)
        qsort(values, count, sizeof *values, by_value);
    while (start < ask->start_count && ask->starts[start].first < first)
        start++;
    for (end = start; end < ask->start_count && ask->starts[end].first < stop;)
        end++;
    if (is_ranked(values, count, ask->member_count))
        put_ranked(g->out, values, count);
    else
        put_in_turn(g->out, values, count, start < end ? ask->starts + start : NULL, end - start);
}

static bool add_rest(struct grouper *g, size_t total)
{
    struct value *values = arena_array(g->arena, total + 1, sizeof *values);
    for (size_t n = 0; values && n <= g->taken_count; n++)
        add_between(g, values, n ? g->taken[n - 1].last + 1 : 0, n < g->taken_count ? g->taken[n].first : UINT32_MAX);
    return values != NULL;
}

/* ---- all of it --------------------------------------------------------------------------------------------------------- */

struct placed { uint32_t first; size_t row; };

static int by_placed(const void *left, const void *right)
{
    const struct placed *a = left, *b = right;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    return (a->row > b->row) - (a->row < b->row);
}

/* Rows in the order of their first values. */
static bool sort_rows(struct grouper *g)
{
    struct records *out = g->out;
    struct placed *order = arena_array(g->arena, out->rows + 1, sizeof *order);
    const struct finding **cells = arena_array(g->arena, out->rows + 1, out->members * sizeof *cells);
    if (!order || !cells)
        return false;
    for (size_t r = 0; r < out->rows; r++) {
        order[r] = (struct placed){UINT32_MAX, r};
        for (size_t m = 0; m < out->members; m++) {
            const struct finding *f = out->cells[r * out->members + m];
            order[r].first = f && f->first < order[r].first ? f->first : order[r].first;
        }
    }
    if (out->rows)
        qsort(order, out->rows, sizeof *order, by_placed);
    for (size_t r = 0; r < out->rows; r++)
        memcpy(cells + r * out->members, out->cells + order[r].row * out->members, out->members * sizeof *cells);
    out->cells = cells;
    return true;
}

bool records_group(const struct records_ask *ask, struct arena *arena, struct records *out)
{
    struct grouper g = {.ask = ask, .arena = arena, .out = out};
    size_t total = 0, rows = 0;
    for (size_t k = 0; k < ask->member_count; k++)
        total += ask->members[k].item_count;
    for (size_t i = 0; i < ask->grid->count; i++)
        rows += i == 0 || ask->grid->cells[i].row != ask->grid->cells[i - 1].row;
    *out = (struct records){.members = ask->member_count};
    out->cells = arena_array(arena, total + rows + 1, ask->member_count * sizeof *out->cells);
    g.taken = arena_array(arena, rows + 1, sizeof *g.taken);
    if (!out->cells || !g.taken || !add_tables(&g) || !add_rest(&g, total))
        return false;
    return g.taken_count == 0 || sort_rows(&g);
}
