/* fuzz_vocabulary.c - any bytes as vocab.txt: refused, or a tokenizer that cuts any text into pieces it knows. */
#include "engine/tokenizer.h"

#include "engine/text.h"
#include "fuzz.h"

static void encode(const struct tokenizer *tokenizer, const char *text, size_t bytes)
{
    struct pieces pieces = {0};
    must(tokenizer_encode(tokenizer, text, bytes, &pieces));
    size_t chars = utf8_count(text, bytes);
    for (size_t i = 0; i < pieces.count; i++)
        must(pieces.at[i].id >= 0 && (size_t)pieces.at[i].id < tokenizer_vocabulary(tokenizer) && pieces.at[i].end <= chars);
    pieces_free(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char sample[] = "[CLS] The the thing's caf\xc3\xa9 n\xc2\xba 2847 \xe6\x97\xa5\xe6\x9c\xac [MASK] a##b";
    struct error e = {0};
    struct tokenizer *tokenizer = tokenizer_open(as_file(data, size), &e);
    must((tokenizer != NULL) == (e.code == ERR_NONE));
    if (!tokenizer) return 0;
    encode(tokenizer, sample, sizeof sample - 1);
    char *text = as_text(data, size);
    encode(tokenizer, text, size);
    free(text);
    tokenizer_close(tokenizer);
    return 0;
}
