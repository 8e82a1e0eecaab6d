/* matmul.h - matrix products by oneDNN. The only door to dnnl.h; hides the change of its API between 2.x and 3.x, and that
 * products of bytes on machines with AVX2 and no VNNI are our own (kernels_bytes.h): oneDNN packs the weights anew there.
 *
 * A `matmul` is one compiled shape, immutable, shared by all threads. A `matmul_call` binds it to one thread: the thread's
 * stream and argument objects, made once, so that running it allocates nothing of ours. oneDNN runs single-threaded on the
 * calling thread (matmul_thread_start). C[m][n] = sum over k of A[m][k] * B[k][n]. */
#ifndef REFRACTR_ENGINE_MATMUL_H
#define REFRACTR_ENGINE_MATMUL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum matmul_kind {
    MATMUL_BYTES, /* A u8, B s8, C s32 */
    MATMUL_BFLOAT /* A, B bf16, C f32 */
};

struct matmul_shape {
    enum matmul_kind kind;
    size_t m, n, k;
    size_t a_stride, c_stride; /* elements between rows */
    size_t b_rows, b_columns;  /* elements between B's rows and between its columns; both 0: B was packed */
};

struct matmuls;      /* the library: its engine, what this machine can do */
struct matmul;
struct matmul_call;
struct matmul_thread;
struct packed;       /* B packed once into the layout the products want, shared by all threads */

/* `library_only`: products of bytes by oneDNN wherever they would be our own, to compare the two. */
struct matmuls *matmuls_open(bool library_only, struct error *e) __attribute__((warn_unused_result));
void matmuls_close(struct matmuls *matmuls);
const char *matmuls_version(const struct matmuls *matmuls); /* "oneDNN 2.6.3, AVX512_CORE_AMX" */
bool matmuls_fast_bfloat(const struct matmuls *matmuls);    /* bf16 products are faster than f32 ones here */
/* True where bytes must stay below 128: without VNNI, sums of two products saturate at 16 bits (oneDNN's developer guide,
 * "Nuances of int8 computations"). */
bool matmuls_seven_bits(const struct matmuls *matmuls);
/* Rows of a product of bytes are worth rounding up to a multiple of this: what oneDNN would compute anyway, and it compiles
 * every count of rows once. */
size_t matmuls_row_step(const struct matmuls *matmuls);

/* Packs s8 B[k][n], given as its transpose rows[n][k] (one row per output), for products with any m. */
struct packed *packed_open(struct matmuls *matmuls, const int8_t *rows, size_t n, size_t k, struct error *e)
    __attribute__((warn_unused_result));
void packed_close(struct packed *packed);

/* `packed` gives B's layout for a shape whose b_rows and b_columns are 0, else NULL. */
struct matmul *matmul_open(struct matmuls *matmuls, const struct matmul_shape *shape, const struct packed *packed,
                           struct error *e) __attribute__((warn_unused_result));
void matmul_close(struct matmul *matmul);
size_t matmul_scratch(const struct matmul *matmul); /* bytes a run needs */

struct matmul_thread *matmul_thread_open(struct matmuls *matmuls, struct error *e) __attribute__((warn_unused_result));
void matmul_thread_close(struct matmul_thread *thread);
/* To be called once on the thread that will run products: keeps oneDNN from starting threads of its own under it. */
void matmul_thread_start(void);

struct matmul_call *matmul_call_open(struct matmul_thread *thread, const struct matmul *matmul, struct error *e)
    __attribute__((warn_unused_result));
void matmul_call_close(struct matmul_call *call);
/* `b`: the caller's matrix, or NULL with `packed`. `scratch`: matmul_scratch() bytes, 64-byte aligned. */
bool matmul_run(struct matmul_call *call, const void *a, const void *b, const struct packed *packed, void *c, void *scratch)
    __attribute__((warn_unused_result));

#endif
