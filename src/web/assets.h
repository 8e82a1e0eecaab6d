/* assets.h - the pages and files the program carries inside itself, from web/ and docs/openapi.json.
 *
 * The bytes are put into the binary by the assembler (.incbin, assets.c), compressed and hashed once at start.
 * Called by api/ (routes and pages.c). To add a file: put it under web/; tools/embed.py writes the table. */
#ifndef REFRACTR_WEB_ASSETS_H
#define REFRACTR_WEB_ASSETS_H

#include <stdbool.h>
#include <stddef.h>

struct asset {
    const char *path;         /* of the URL, "/docs/" */
    const char *content_type;
    bool cors;                /* any origin may read it */
    const unsigned char *data;
    const unsigned char *end;
    char etag[24];            /* with its quotes */
    unsigned char *gzip;      /* NULL when compressing gains nothing */
    size_t gzip_bytes;
};

/* Every asset; prepared by the first call, which must not run beside another. The memory is the program's. */
const struct asset *assets_all(size_t *count);

#endif
