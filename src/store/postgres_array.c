/* postgres_array.c - one column of a batch of writes as one parameter: an array in the server's binary format.
 *
 *     int32 dimensions (1) | int32 has nulls | int32 element's type | int32 count | int32 lower bound (1)
 *     then per element: int32 bytes (-1: null) | the bytes
 * Source: array_recv in PostgreSQL's src/backend/utils/adt/arrayfuncs.c. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "store/postgres_internal.h"

enum { HEAD_BYTES = 20 };

static unsigned char *grow(struct pg_array *a, size_t more)
{
    if (a->used == 0) a->used = HEAD_BYTES; /* filled in by pg_array_finish */
    if (a->failed) return NULL;
    if (a->used + more > a->size) {
        size_t size = a->size ? a->size * 2 : 512;
        while (size < a->used + more) size *= 2;
        unsigned char *bytes = realloc(a->bytes, size);
        if (!bytes) return a->failed = true, NULL;
        a->bytes = bytes;
        a->size = size;
    }
    unsigned char *at = a->bytes + a->used;
    a->used += more;
    return at;
}

static void put_i32(unsigned char *at, int32_t value)
{
    uint32_t net = htonl((uint32_t)value);
    memcpy(at, &net, sizeof net);
}

void pg_put_i64(unsigned char out[8], int64_t value)
{
    put_i32(out, (int32_t)(value >> 32));
    put_i32(out + 4, (int32_t)value);
}

void pg_array_bytes(struct pg_array *a, const void *bytes, size_t count)
{
    if (!bytes) count = 0;
    unsigned char *at = grow(a, 4 + count);
    if (!at) return;
    put_i32(at, bytes ? (int32_t)count : -1);
    if (count) memcpy(at + 4, bytes, count);
    a->count++;
}

/* Bytes of the well-formed UTF-8 character at `s` (which ends in a NUL); 0: there is none. */
static size_t utf8_char(const unsigned char *s)
{
    size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
             : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f)) return 0; /* overlong; surrogates */
    if ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f)) return 0; /* overlong; past the last */
    return n;
}

/* A message cut at its buffer's end may end inside a character, and one such value would fail a whole batch. */
void pg_array_text(struct pg_array *a, const char *text)
{
    size_t good = 0, n;
    const unsigned char *s = (const unsigned char *)text;
    if (s)
        while (s[good] && (n = utf8_char(s + good))) good += n;
    pg_array_bytes(a, text, good);
}

void pg_array_i64(struct pg_array *a, int64_t value)
{
    unsigned char bytes[8];
    pg_put_i64(bytes, value);
    pg_array_bytes(a, bytes, sizeof bytes);
}

bool pg_array_finish(struct pg_array *a, char type)
{
    enum { OID_BYTEA = 17, OID_INT8 = 20, OID_TEXT = 25 };
    if (!grow(a, 0) || a->failed) return false;
    put_i32(a->bytes, 1);
    put_i32(a->bytes + 4, 1);
    put_i32(a->bytes + 8, type == 'i' ? OID_INT8 : type == 'b' ? OID_BYTEA : OID_TEXT);
    put_i32(a->bytes + 12, a->count);
    put_i32(a->bytes + 16, 1);
    return true;
}

void pg_array_free(struct pg_array *a)
{
    free(a->bytes);
    *a = (struct pg_array){0};
}
