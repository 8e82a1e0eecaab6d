/* layout.h - where the pieces of a document stand on its page: what white space before them, how far into their line.
 *
 * WordPiece drops white space, so without this the model would not know a line's end from a blank, or one column from the
 * next. Twin of train/layout.py. Called by local.c; encoder.c adds the rows of the weights' layout table that a place names. */
#ifndef REFRACTR_ENGINE_LAYOUT_H
#define REFRACTR_ENGINE_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "engine/tokenizer.h"

enum layout_gap { GAP_JOINED, GAP_BLANK, GAP_WIDE, GAP_LINE, GAP_PARAGRAPH, LAYOUT_GAPS };
enum { LAYOUT_COLUMNS = 32, LAYOUT_ROWS = LAYOUT_GAPS + LAYOUT_COLUMNS };

struct place { uint8_t gap, column; }; /* rows of the layout table */

/* Fills one place for each of the pieces of UTF-8 text; byte_of tells the byte at which each code point begins. */
void layout_places(const char *text, const uint32_t *byte_of, const struct pieces *pieces, struct place *places);

#endif
