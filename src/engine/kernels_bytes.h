/* kernels_bytes.h - the product of bytes for machines with AVX2 and no VNNI, where oneDNN packs the weights at every call.
 *
 * C[m][n] = sum over k of A[m][k] * B[k][n]; A u8 below 128, B s8, C s32, rows without gaps. B is packed once, in panels of
 * 24 columns. Sums of two products always fit 16 bits. Where the weights are so small that sums of four or eight do, whatever
 * A holds, they share the instruction that widens them to 32: the same sums, sooner. Called by matmul.c only. */
#ifndef REFRACTR_ENGINE_KERNELS_BYTES_H
#define REFRACTR_ENGINE_KERNELS_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BYTES_ALIGN = 32 };

/* True where this machine runs the product and the shape suits it: n a multiple of 8, k of 4, below 65536. */
bool bytes_suits(size_t n, size_t k);
size_t bytes_packed_size(size_t n, size_t k);
/* `rows`: B's transpose [n][k]. `packed`: bytes_packed_size() bytes, BYTES_ALIGN aligned. False: out of memory. */
bool bytes_pack(int8_t *packed, const int8_t *rows, size_t n, size_t k) __attribute__((warn_unused_result));
void bytes_multiply(const uint8_t *a, const int8_t *packed, int32_t *c, size_t m, size_t n, size_t k);

#endif
