/* fold.h - text reduced to what comparing needs: lower case, accents of Latin letters off, Unicode digits, spaces, dashes
 * and quotes as their ASCII likes. Used by values.c, numbers.c and dates.c only. */
#ifndef REFRACTR_ENGINE_FOLD_H
#define REFRACTR_ENGINE_FOLD_H

#include <stdbool.h>
#include <stddef.h>

enum {
    FOLD_CURRENCY = '\x01', /* stands for any currency sign */
    FOLD_LETTER = '\x02',   /* any letter or sign that has no ASCII like */
};

/* Folds text into out (with a NUL); what does not fit is cut: false then. `keep_letters`: letters without an ASCII like are
 * kept as UTF-8 in lower case instead of FOLD_LETTER. White space around is dropped. */
bool fold_text(const char *text, size_t bytes, bool keep_letters, char *out, size_t size);

#endif
