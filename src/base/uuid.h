/* uuid.h - identifiers. Version 7 (RFC 9562): time first, so that rows made together lie together in an index. */
#ifndef REFRACTR_BASE_UUID_H
#define REFRACTR_BASE_UUID_H

#include <stdbool.h>

enum { UUID_CHARS = 36 };

void uuid_make(char out[UUID_CHARS + 1]); /* 74 random bits; libsodium must have been initialised */
bool uuid_well_formed(const char *s);     /* any version, lower or upper case hex, NUL after 36 characters */

#endif
