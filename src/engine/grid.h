/* grid.h - tables in plain text: which pieces of a document stand in which row and column.
 *
 * Delimited: neighbouring lines with equally many `|`, tabs, semicolons or commas. Aligned: neighbouring lines whose words,
 * kept apart by a tab or two blanks and more, stand over each other. Lines of rules (----+----) belong to no row. No scores:
 * what a table means is for columns.h to say. Pure; called by local.c. Twin of train/grid.py. */
#ifndef REFRACTR_ENGINE_GRID_H
#define REFRACTR_ENGINE_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/arena.h"
#include "engine/tokenizer.h"

enum { GRID_COLUMNS = 64 }; /* of a table; what has more is none */

struct grid_cell {
    uint32_t table, row, column;
    uint32_t first, last; /* document pieces, both inclusive */
};

struct grid { /* cells in document order, so by table, row and column; every table has two rows or more, none of them empty */
    struct grid_cell *cells; /* in the arena */
    size_t count;
};

/* `length`: the text in code points. False: out of memory. */
bool grid_find(struct grid *grid, const char *text, size_t bytes, size_t length, const struct pieces *pieces, struct arena *arena)
    __attribute__((warn_unused_result));

#endif
