/* weights.h - a safetensors file, mapped and checked once; tensors are then found by name, dtype and shape.
 *
 * Everything the header says is checked at open against the file's size, and the whole file against its SHA-256 when the
 * configuration names one, so a tensor handed out can be read without further checks. Format:
 * https://github.com/huggingface/safetensors (8 bytes header length, JSON header, data). Used by encoder.c. */
#ifndef REFRACTR_ENGINE_WEIGHTS_H
#define REFRACTR_ENGINE_WEIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum weight_type { WEIGHT_F32, WEIGHT_F16, WEIGHT_I8 };

struct weights;

struct weights *weights_open(const char *path, const char *sha256, struct error *e) __attribute__((warn_unused_result));
void weights_close(struct weights *weights);
const char *weights_sha256(const struct weights *weights); /* 64 hex digits of the file */

bool weights_has(const struct weights *weights, const char *name);
/* The raw tensor `name`, which must be of `type` and rows x columns (columns 0: a vector of `rows`). Borrowed from the
 * mapping; NULL and `e` filled when it is missing or another shape. F32 data may be unaligned in a foreign file: such a
 * file is refused. */
const void *weights_find(const struct weights *weights, const char *name, enum weight_type type, size_t rows, size_t columns,
                         struct error *e) __attribute__((warn_unused_result));
/* The same as floats, from F32 or F16, in memory of the caller's (free()). */
float *weights_floats(const struct weights *weights, const char *name, size_t rows, size_t columns, struct error *e)
    __attribute__((warn_unused_result));
/* Tells the system that what was read so far may leave memory; it is read again from the file when touched. */
void weights_forget(const struct weights *weights);

float half_to_float(uint16_t half); /* IEEE 754 binary16 */

#endif
