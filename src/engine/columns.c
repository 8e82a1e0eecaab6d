/* columns.c - see columns.h. */
#include "engine/columns.h"

/* Chosen on the fit half of the business documents, generator documents and held-out lines of training sets. */
static const double heading = 0.5;          /* what a heading of just the member's words adds to its column */
static const double heading_likeness = 0.3; /* from which the first row is a heading, not a record */
static const double least_column = 0.1;     /* mean evidence, heading included, of a column that is paired */
static const double least_row = 0.1;        /* mean evidence of a row that is a record */
enum { HEADING_PIECES = 32 /* a longer first cell names nothing */, ROUNDS = 3 };

/* Whether the piece at `first + n` stands among the n before it. */
static bool stands_before(const struct piece *first, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (first[i].id == first[n].id)
            return true;
    }
    return false;
}

/* Jaccard index of the name's pieces (no two alike) and the cell's. */
static double likeness(const struct ask *member, const struct piece *first, size_t count)
{
    size_t distinct = 0, shared = 0;
    for (size_t n = 0; count <= HEADING_PIECES && n < count; n++) {
        if (stands_before(first, n))
            continue;
        distinct++;
        for (size_t i = 0; i < member->name_count; i++)
            shared += member->name[i] == first[n].id;
    }
    return shared ? (double)shared / (double)(distinct + member->name_count - shared) : 0;
}

void columns_name(struct columns *t, const struct ask *members, const struct piece *pieces)
{
    t->headed = false;
    for (size_t m = 0; m < t->members; m++) {
        for (size_t c = 0; c < t->columns; c++) {
            const struct grid_cell *cell = t->cells[c];
            double alike = cell ? likeness(&members[m], pieces + cell->first, cell->last - cell->first + 1) : 0;
            t->alike[m * t->columns + c] = alike;
            t->headed = t->headed || alike >= heading_likeness;
        }
    }
}

static float evidence_of(const struct columns *t, size_t member, size_t row, size_t column)
{
    return t->evidence[(member * t->rows + row) * t->columns + column];
}

/* The mean over the records' filled cells, and what the heading adds; 0 where no cell is filled. */
static double mean_of(const struct columns *t, size_t member, size_t column)
{
    double sum = 0;
    size_t filled = 0;
    for (size_t r = 0; r < t->rows; r++) {
        if (!t->is_record[r] || !t->cells[r * t->columns + column])
            continue;
        sum += evidence_of(t, member, r, column);
        filled++;
    }
    if (!filled)
        return 0;
    return sum / (double)filled + (t->headed ? heading * t->alike[member * t->columns + column] : 0);
}

/* The surest pair of a member and a column not yet paired; false: none is sure enough. */
static bool next_pair(const struct columns *t, bool taken[GRID_COLUMNS], size_t *member)
{
    double most = least_column;
    size_t column = COLUMNS_NONE;
    for (size_t m = 0; m < t->members; m++) {
        for (size_t c = 0; t->column_of[m] == COLUMNS_NONE && c < t->columns; c++) {
            if (taken[c] || t->means[m * t->columns + c] <= most)
                continue;
            most = t->means[m * t->columns + c];
            *member = m;
            column = c;
        }
    }
    if (column == COLUMNS_NONE)
        return false;
    t->column_of[*member] = column;
    taken[column] = true;
    return true;
}

static size_t pair(struct columns *t)
{
    bool taken[GRID_COLUMNS] = {false};
    size_t pairs = 0, member;
    for (size_t m = 0; m < t->members; m++) {
        t->column_of[m] = COLUMNS_NONE;
        for (size_t c = 0; c < t->columns; c++)
            t->means[m * t->columns + c] = mean_of(t, m, c);
    }
    while (next_pair(t, taken, &member))
        pairs++;
    return pairs;
}

/* At least half of the paired columns are filled, and what they hold is borne out. */
static bool bears_out(const struct columns *t, size_t row, size_t pairs)
{
    double sum = 0;
    size_t seen = 0;
    for (size_t m = 0; m < t->members; m++) {
        size_t c = t->column_of[m];
        if (c == COLUMNS_NONE || !t->cells[row * t->columns + c])
            continue;
        sum += evidence_of(t, m, row, c);
        seen++;
    }
    return seen && 2 * seen >= pairs && sum / (double)seen > least_row;
}

bool columns_pair(struct columns *t)
{
    size_t pairs = 0, records = 0;
    bool changed = true;
    for (size_t r = 0; r < t->rows; r++)
        t->is_record[r] = r > 0 || !t->headed;
    for (int round = 0; round < ROUNDS && changed; round++) {
        pairs = pair(t);
        changed = false;
        records = 0;
        for (size_t r = t->headed; r < t->rows; r++) {
            bool is = bears_out(t, r, pairs);
            changed = changed || is != t->is_record[r];
            t->is_record[r] = is;
            records += is;
        }
    }
    return records >= 2 && pairs >= (t->members < 2 ? t->members : 2);
}
