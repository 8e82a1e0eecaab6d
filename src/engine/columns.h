/* columns.h - one table and the members of a list of records: which column answers which member, which rows are records.
 *
 * A member's evidence for one cell says little, that for a column of them much: members and columns are paired by the mean
 * over the rows, the surest pair first, and by the words a member's name shares with the column's heading. Pure; called by
 * records.c. Twin of train/columns.py. */
#ifndef REFRACTR_ENGINE_COLUMNS_H
#define REFRACTR_ENGINE_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/ask.h"
#include "engine/grid.h"

struct columns { /* all arrays are the caller's */
    size_t members, rows, columns;
    const struct grid_cell **cells; /* [rows][columns], NULL where empty */
    const float *evidence;          /* [members][rows][columns], 0..1 */
    double *alike;                  /* [members][columns]: columns_name fills it */
    bool headed;                    /* row 0 is a heading; set by columns_name */
    double *means;                  /* [members][columns], scratch; after columns_pair of pairs the mean evidence, heading included */
    size_t *column_of;              /* [members]: the answer, COLUMNS_NONE where no column answers */
    bool *is_record;                /* [rows]: the answer */
};

enum { COLUMNS_NONE = GRID_COLUMNS };

/* What the names of members[0 .. t->members) share with the first row's cells. */
void columns_name(struct columns *t, const struct ask *members, const struct piece *pieces);
/* False: the table does not answer, and the answers mean nothing. */
bool columns_pair(struct columns *t) __attribute__((warn_unused_result));

#endif
