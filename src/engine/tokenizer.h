/* tokenizer.h - text -> WordPiece ids, each with the code points of the text it came from.
 *
 * The same pieces and offsets as `tokenizers.BertWordPieceTokenizer(vocab, lowercase=True)`, which the model was trained
 * behind (Devlin et al. 2019; tests compare the two). Immutable after open: any number of threads may encode at once. */
#ifndef REFRACTR_ENGINE_TOKENIZER_H
#define REFRACTR_ENGINE_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct tokenizer;

struct piece {
    int32_t id;
    uint32_t start, end; /* [start, end) in code points of the encoded text */
};

struct pieces { /* grows as needed; zero it before the first use, pieces_free when done, reuse at will (count = 0) */
    struct piece *at;
    size_t count, room;
};

/* Reads vocab.txt: one piece a line, the line's number is the id. */
struct tokenizer *tokenizer_open(const char *path, struct error *e) __attribute__((warn_unused_result));
void tokenizer_close(struct tokenizer *tokenizer);
size_t tokenizer_vocabulary(const struct tokenizer *tokenizer); /* number of pieces */

/* Appends the pieces of UTF-8 text[0..bytes) to `out`. False: out of memory. */
bool tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t bytes, struct pieces *out)
    __attribute__((warn_unused_result));
/* Room for so many pieces in all. False: out of memory, and nothing changed. */
bool pieces_reserve(struct pieces *pieces, size_t room) __attribute__((warn_unused_result));
void pieces_free(struct pieces *pieces);

#endif
