/* breaks.h - what WordPiece drops of a page: where a line ends, where an empty line stands, where a wide gap keeps two columns apart.
 *
 * Each is a piece of its own to the model, so that it sees a label above its value, the next column, the end of an address. No
 * value begins or ends with one (encoder.c), nor runs on over an empty line (local.c). Twin of train/breaks.py. Called by local.c. */
#ifndef REFRACTR_ENGINE_BREAKS_H
#define REFRACTR_ENGINE_BREAKS_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/tokenizer.h"

enum { BREAK_NONE = 0, BREAK_WIDE = 10, BREAK_LINE, BREAK_PARAGRAPH }; /* ids of unused vocabulary entries */

static inline bool is_break(int32_t id)
{
    return id >= BREAK_WIDE && id <= BREAK_PARAGRAPH;
}

/* Puts the breaks between the pieces of UTF-8 text; a break's offsets are those of the white space it stands for. byte_of tells the
 * byte at which each code point begins, and one more where the last ends. False: out of memory. */
bool breaks_insert(const char *text, const uint32_t *byte_of, struct pieces *pieces) __attribute__((warn_unused_result));

#endif
