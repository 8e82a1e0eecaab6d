/* json.h - jansson that never goes on without memory.
 *
 * When an allocation fails, jansson 2.14 drops bytes of the strings it reads and keys of the objects it writes, and tells
 * nobody. So it is given an allocator (json.c) that counts what it refused, per thread: JSON built while the count stood
 * still is whole. Whoever reads, writes or builds JSON that matters goes through here. Called by everyone.
 * Also how JSON is written for people and programs outside: by http/, webhook/ and the command line alike. */
#ifndef REFRACTR_BASE_JSON_H
#define REFRACTR_BASE_JSON_H

#include <jansson.h>

/* 17 digits would show 0.1 as 0.10000000000000001; 15 always survive decimal -> double -> decimal. */
#define JSON_OUTSIDE (JSON_COMPACT | JSON_REAL_PRECISION(15))

/* json_loadb; NULL too when there was no memory, json_error_code(found) is then json_error_out_of_memory. */
json_t *json_read(const char *bytes, size_t size, size_t flags, json_error_t *found) __attribute__((warn_unused_result));
/* json_dumps: malloc'd, whole or NULL. */
char *json_text(const json_t *value, size_t flags) __attribute__((warn_unused_result));
/* Allocations refused to jansson on this thread so far. */
unsigned json_refusals(void);

#endif
