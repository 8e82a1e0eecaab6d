/* records.h - the values found for the members of a list of records -> one row of values per record, in document order.
 *
 * From tables: where the document's columns answer the members (columns.h), a row of the table is a record and its cells are
 * the values. Before, between and behind such tables: a value belongs to the last record that begins at or before it, another record begins where a member
 * comes again, and members that never interleave and are equally many are zipped. Pure; called by answer.c. */
#ifndef REFRACTR_ENGINE_RECORDS_H
#define REFRACTR_ENGINE_RECORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/arena.h"
#include "engine/ask.h"
#include "engine/decode.h"
#include "engine/grid.h"

struct member { /* what was found for one member, in document order; FINDING_CELL apart, in any order */
    const struct finding *items, *cells;
    size_t item_count, cell_count;
};

struct records_ask {
    const struct member *members;
    const struct ask *asks;        /* of the members */
    size_t member_count;
    const struct finding *starts;  /* where records begin, in document order */
    size_t start_count;
    const struct grid *grid;
    const struct piece *pieces;
};

struct records { /* rows of `members` values; NULL: nothing found */
    const struct finding **cells;
    size_t members, rows;
};

/* Everything lies in `arena`. False: out of memory. */
bool records_group(const struct records_ask *ask, struct arena *arena, struct records *out) __attribute__((warn_unused_result));

#endif
