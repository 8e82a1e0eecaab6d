/* layout.h - what WordPiece drops of a document: where its pieces stand on the page, and their capitals.
 *
 * Without it the model would not know a line's end from a blank, one column from the next, or a name from a word. Twin of
 * train/layout.py. Called by local.c; encoder.c adds the rows of the weights' layout table that a place names. */
#ifndef REFRACTR_ENGINE_LAYOUT_H
#define REFRACTR_ENGINE_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "engine/tokenizer.h"

enum layout_gap { GAP_JOINED, GAP_BLANK, GAP_WIDE, GAP_LINE, GAP_PARAGRAPH, LAYOUT_GAPS };        /* before the piece */
enum layout_case { CASE_LOWER, CASE_CAPITAL, CASE_UPPER, CASE_MIXED, LAYOUT_CASES };
enum { LAYOUT_COLUMNS = 32, LAYOUT_ROWS = LAYOUT_GAPS + LAYOUT_COLUMNS + LAYOUT_CASES };

enum { PLACE_GAP, PLACE_COLUMN, PLACE_CASE, PLACE_ROWS };
struct place { uint8_t rows[PLACE_ROWS]; }; /* of the layout table: gaps first, then columns, then cases */

/* Fills one place for each of the pieces of UTF-8 text; byte_of tells the byte at which each code point begins, and one more
 * where the last ends. */
void layout_places(const char *text, const uint32_t *byte_of, const struct pieces *pieces, struct place *places);

#endif
