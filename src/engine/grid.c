/* grid.c - see grid.h. */
#include "engine/grid.h"

#include <stdlib.h>
#include <string.h>

#include "engine/text.h"

static const struct { uint32_t code; size_t least, lines; } delimiters[] = { /* least in a line, least lines of a table */
    {'|', 1, 2}, {'\t', 1, 2}, {';', 2, 3}, {',', 2, 3}};

struct stretch { uint32_t start, end; }; /* code points */

struct line { uint32_t start, end; bool taken; };

struct reader {
    const uint32_t *code;     /* of the text */
    struct line *lines;       /* without lines of rules */
    size_t line_count;
    struct grid_cell *cells;  /* first and last are code points here, last exclusive */
    size_t count;
    uint32_t tables;
};

static bool is_rule(uint32_t code)
{
    return code && code < 128 && strchr("-=_+|:.~* \t", (int)code);
}

static struct stretch trimmed(const struct reader *r, uint32_t start, uint32_t end, uint32_t also)
{
    while (start < end && (code_is_space(r->code[start]) || r->code[start] == also))
        start++;
    while (end > start && (code_is_space(r->code[end - 1]) || r->code[end - 1] == also))
        end--;
    return (struct stretch){start, end};
}

static bool is_all_rule(const struct reader *r, uint32_t start, uint32_t end)
{
    while (start < end && is_rule(r->code[start]))
        start++;
    return start == end;
}

static void read_lines(struct reader *r, uint32_t length)
{
    for (uint32_t start = 0, at = 0; at <= length; at++) {
        if (at < length && r->code[at] != '\n')
            continue;
        struct stretch words = trimmed(r, start, at, ' ');
        if (words.start == words.end || !is_all_rule(r, start, at))
            r->lines[r->line_count++] = (struct line){start, at, false};
        start = at + 1;
    }
}

static void add_cell(struct reader *r, uint32_t row, uint32_t column, struct stretch s)
{
    r->cells[r->count++] = (struct grid_cell){r->tables, row, column, s.start, s.end};
}

/* ---- delimited ------------------------------------------------------------------------------------------------------- */

static size_t number_of(const struct reader *r, size_t line, uint32_t delimiter)
{
    size_t count = 0;
    for (uint32_t at = r->lines[line].start; !r->lines[line].taken && at < r->lines[line].end; at++)
        count += r->code[at] == delimiter;
    return count;
}

static void add_delimited(struct reader *r, size_t line, uint32_t row, uint32_t delimiter)
{
    uint32_t begin = r->lines[line].start, column = 0;
    for (uint32_t at = begin; at <= r->lines[line].end; at++) {
        if (at < r->lines[line].end && r->code[at] != delimiter)
            continue;
        struct stretch cell = trimmed(r, begin, at, '"');
        if (!is_all_rule(r, cell.start, cell.end))
            add_cell(r, row, column, cell);
        column++;
        begin = at + 1;
    }
    r->lines[line].taken = true;
}

static void find_delimited(struct reader *r, uint32_t delimiter, size_t least, size_t lines)
{
    for (size_t first = 0, stop; first < r->line_count; first = stop) {
        size_t number = number_of(r, first, delimiter);
        for (stop = first + 1; stop < r->line_count && number_of(r, stop, delimiter) == number;)
            stop++;
        if (number < least || number >= GRID_COLUMNS || stop - first < lines)
            continue;
        for (size_t n = first; n < stop; n++)
            add_delimited(r, n, (uint32_t)(n - first), delimiter);
        r->tables++;
    }
}

/* ---- aligned --------------------------------------------------------------------------------------------------------- */

/* What a tab or two blanks and more keep apart, from the line's start; returns how many, GRID_COLUMNS + 1 where more. */
static size_t segments_of(const struct reader *r, size_t line, struct stretch out[GRID_COLUMNS + 1])
{
    uint32_t start = r->lines[line].start, end = r->lines[line].end, begin = start;
    size_t count = 0;
    for (uint32_t n = start; !r->lines[line].taken && n <= end && count <= GRID_COLUMNS;) {
        uint32_t stop = n;
        while (stop < end && code_is_space(r->code[stop]))
            stop++;
        if (n == end || stop - n > 1 || (stop > n && r->code[n] == '\t')) {
            struct stretch s = trimmed(r, begin, n, ' ');
            if (s.end > s.start)
                out[count++] = (struct stretch){s.start - start, s.end - start};
            begin = stop;
        }
        n = stop > n + 1 ? stop : n + 1;
    }
    return count;
}

struct columns_so_far { struct stretch at[GRID_COLUMNS]; size_t count; };

/* The column with the least gap to a segment that stands over none, the first of equals. */
static size_t nearest(const struct columns_so_far *columns, struct stretch s)
{
    size_t best = 0;
    int64_t least = INT64_MAX;
    for (size_t c = 0; c < columns->count; c++) {
        int64_t before = (int64_t)columns->at[c].start - s.end, behind = (int64_t)s.start - columns->at[c].end;
        int64_t gap = before > behind ? before : behind;
        if (gap < least) {
            least = gap;
            best = c;
        }
    }
    return best;
}

/* Puts the line's segments into `row` by the one column each stands over or is nearest to, and widens the columns; false: it does
 * not keep to them, or fills fewer than two. row[c].end is 0 where c is empty. */
static bool keep_to(struct columns_so_far *columns, const struct stretch *segments, size_t count, struct stretch row[GRID_COLUMNS])
{
    struct columns_so_far wider = *columns;
    size_t filled = 0;
    memset(row, 0, GRID_COLUMNS * sizeof *row);
    for (size_t i = 0; i < count; i++) {
        size_t over = 0, column = 0;
        for (size_t c = 0; c < columns->count; c++) {
            if (segments[i].start < columns->at[c].end && columns->at[c].start < segments[i].end) {
                over++;
                column = c;
            }
        }
        if (over > 1)
            return false;
        column = over ? column : nearest(&wider, segments[i]);
        struct stretch *cell = &row[column], *wide = &wider.at[column];
        filled += cell->end == 0;
        *cell = (struct stretch){cell->end ? cell->start : segments[i].start, segments[i].end};
        wide->start = segments[i].start < wide->start ? segments[i].start : wide->start;
        wide->end = segments[i].end > wide->end ? segments[i].end : wide->end;
    }
    for (size_t c = 0; c + 1 < wider.count; c++) {
        if (wider.at[c].end >= wider.at[c + 1].start)
            return false;
    }
    *columns = wider;
    return filled >= 2;
}

static void add_aligned(struct reader *r, size_t line, uint32_t row, const struct stretch cells[GRID_COLUMNS])
{
    uint32_t start = r->lines[line].start;
    for (uint32_t c = 0; c < GRID_COLUMNS; c++) {
        if (cells[c].end)
            add_cell(r, row, c, (struct stretch){start + cells[c].start, start + cells[c].end});
    }
}

/* The table that begins with this line; returns how many lines it takes, 1 where there is none. */
static size_t find_aligned(struct reader *r, size_t first)
{
    struct stretch segments[GRID_COLUMNS + 1], row[GRID_COLUMNS];
    struct columns_so_far columns = {.count = segments_of(r, first, segments)};
    if (columns.count < 2 || columns.count > GRID_COLUMNS)
        return 1;
    memcpy(columns.at, segments, columns.count * sizeof *segments);
    size_t before = r->count, rows = 1;
    (void)keep_to(&columns, segments, columns.count, row);
    add_aligned(r, first, 0, row);
    for (; first + rows < r->line_count; rows++) {
        size_t count = segments_of(r, first + rows, segments);
        if (count > GRID_COLUMNS || !keep_to(&columns, segments, count, row))
            break;
        add_aligned(r, first + rows, (uint32_t)rows, row);
    }
    if (rows < 2)
        r->count = before;
    r->tables += rows >= 2;
    return rows;
}

/* ---- code points -> pieces ---------------------------------------------------------------------------------------------- */

static int by_start(const void *left, const void *right)
{
    const struct grid_cell *a = left, *b = right;
    return (a->first > b->first) - (a->first < b->first);
}

/* Pieces that end at or before code point `at` (`ends`), or that start before it. */
static size_t pieces_before(const struct pieces *pieces, uint32_t at, bool ends)
{
    size_t low = 0, high = pieces->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (ends ? pieces->at[middle].end <= at : pieces->at[middle].start < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Cells without a piece go, then tables left with one row; tables and rows are counted anew, in document order. */
static void settle(struct reader *r, const struct pieces *pieces, struct grid *grid)
{
    if (r->count)
        qsort(r->cells, r->count, sizeof *r->cells, by_start);
    uint32_t table = UINT32_MAX, row = 0, tables = 0;
    size_t begun = 0, kept = 0;
    for (size_t i = 0; i < r->count; i++) {
        struct grid_cell cell = r->cells[i];
        size_t first = pieces_before(pieces, cell.first, true), stop = pieces_before(pieces, cell.last, false);
        if (first >= stop)
            continue;
        bool fresh = cell.table != table;
        if (fresh) {
            kept = kept > begun && r->cells[kept - 1].row == 0 ? begun : kept;
            tables += kept > begun;
            begun = kept;
            table = cell.table;
        }
        uint32_t number = fresh ? 0 : r->cells[kept - 1].row + (cell.row != row);
        row = cell.row;
        r->cells[kept++] = (struct grid_cell){tables, number, cell.column, (uint32_t)first, (uint32_t)stop - 1};
    }
    kept = kept > begun && r->cells[kept - 1].row == 0 ? begun : kept;
    *grid = (struct grid){r->cells, kept};
}

bool grid_find(struct grid *grid, const char *text, size_t bytes, size_t length, const struct pieces *pieces, struct arena *arena)
{
    uint32_t *code = arena_array(arena, length + 1, sizeof *code);
    struct reader r = {.code = code, .lines = arena_array(arena, length + 1, sizeof *r.lines),
                       .cells = arena_array(arena, length + 1, sizeof *r.cells)};
    *grid = (struct grid){0};
    if (!code || !r.lines || !r.cells)
        return false;
    for (size_t i = 0, at = 0; i < length; i++)
        at += utf8_read(text + at, bytes - at, &code[i]);
    read_lines(&r, (uint32_t)length);
    for (size_t i = 0; i < sizeof delimiters / sizeof *delimiters; i++)
        find_delimited(&r, delimiters[i].code, delimiters[i].least, delimiters[i].lines);
    for (size_t n = 0; n < r.line_count;)
        n += find_aligned(&r, n);
    settle(&r, pieces, grid);
    return true;
}
