/* arena.h - bump allocation for things that die together: a compiled plan, one task.
 *
 * Memory comes zeroed and 16-byte aligned. NULL when the system has none (what a client sent decides the size, so the
 * caller must look). Not thread-safe: one owner at a time. Used inside engine/ only. */
#ifndef REFRACTR_ENGINE_ARENA_H
#define REFRACTR_ENGINE_ARENA_H

#include <stddef.h>

struct arena_block;
struct arena { struct arena_block *head; };

void *arena_alloc(struct arena *arena, size_t bytes) __attribute__((warn_unused_result));
/* count * size, NULL when the product overflows. */
void *arena_array(struct arena *arena, size_t count, size_t size) __attribute__((warn_unused_result));
/* Copies `bytes` bytes and ends them with a NUL. */
char *arena_text(struct arena *arena, const char *text, size_t bytes) __attribute__((warn_unused_result));
void arena_free(struct arena *arena);

#endif
