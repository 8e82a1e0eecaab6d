/* assets.c - the table of embedded files. */
#include "web/assets.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

/* The file's bytes between name_data and name_end, in read-only memory. Paths are from the repository's root. */
#define FILE_BYTES(name, file)                                                                                        \
    __asm__(".section .rodata\n.balign 16\n.global asset_" #name "_data\nasset_" #name "_data:\n.incbin \"" file      \
            "\"\n.global asset_" #name "_end\nasset_" #name "_end:\n.byte 0\n.text\n");                                \
    extern const unsigned char asset_##name##_data[], asset_##name##_end[]

#define BYTES(name) .data = asset_##name##_data, .end = asset_##name##_end

#include <web/embedded.h> /* made by tools/embed.py: FILE_BYTES for every file under web/, and EMBEDDED_ROWS */

static struct asset assets[] = {EMBEDDED_ROWS};

enum { ASSETS = sizeof assets / sizeof assets[0] };

/* gzip format (RFC 1952): zlib's window of 15 bits plus 16. */
static void compress_asset(struct asset *a)
{
    size_t bytes = (size_t)(a->end - a->data);
    z_stream z = {0};
    if (deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) != Z_OK) return;
    size_t room = deflateBound(&z, bytes);
    unsigned char *out = malloc(room);
    z.next_in = (unsigned char *)(size_t)a->data;
    z.avail_in = (unsigned)bytes;
    z.next_out = out;
    z.avail_out = (unsigned)room;
    bool done = out && deflate(&z, Z_FINISH) == Z_STREAM_END && z.total_out < bytes;
    if (done) {
        a->gzip = out;
        a->gzip_bytes = z.total_out;
    } else {
        free(out);
    }
    (void)deflateEnd(&z);
}

static void hash_asset(struct asset *a)
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    char hex[17];
    crypto_hash_sha256(hash, a->data, (unsigned long long)(a->end - a->data));
    sodium_bin2hex(hex, sizeof hex, hash, 8);
    (void)snprintf(a->etag, sizeof a->etag, "W/\"%s\"", hex); /* weak: the same for both encodings */
}

const struct asset *assets_all(size_t *count)
{
    for (size_t i = 0; i < ASSETS; i++) {
        if (assets[i].etag[0]) continue;
        hash_asset(&assets[i]);
        compress_asset(&assets[i]);
    }
    *count = ASSETS;
    return assets;
}
