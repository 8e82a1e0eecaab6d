/* kernels.h - the arithmetic between the matrix products, row by row: dequantise, normalise, GELU, softmax, quantise.
 *
 * One source (kernels_body.h) is compiled once per instruction set (kernels_avx512.c, kernels_avx2.c, kernels_plain.c);
 * kernels_choose picks the best one this machine runs. Row lengths are multiples of KERNEL_LANES, rows are 64-byte aligned.
 * Pure functions of their arguments. Called by encoder.c.
 *
 * Activations are quantised per row (token), asymmetrically: real = scale * (q - zero), with q in one byte, or in two (a
 * high and a low plane, q = base * high + low) for the products whose input needs the precision. Weights are int8 per
 * output channel, symmetric. A product row is therefore
 *     y[n] = scale * weight_scale[n] * (base * acc_high[n] + acc_low[n] - zero * column_sum[n]) + bias[n]. */
#ifndef REFRACTR_ENGINE_KERNELS_H
#define REFRACTR_ENGINE_KERNELS_H

#include <stddef.h>
#include <stdint.h>

enum { KERNEL_LANES = 16, KERNEL_ALIGN = 64, KERNEL_QUERIES = 6 };

struct quantised_row { float scale, zero; };

struct product { /* one row of s32 accumulators and what they stand for */
    const int32_t *high, *low; /* low NULL: one plane, base 1 */
    float base;
    struct quantised_row row;
};

struct linear { /* what turns a row of products into a row of activations; each array one value per output */
    const float *scale, *column_sum, *bias;
};

struct norm { const float *gain, *bias; float epsilon; };

/* One head. Queries, keys and values are rounded to integers of 11 to 15 bits, relative to the head's largest: closer than
 * bf16, and products of such pairs are twice as fast as of floats. */
struct attention {
    const float *queries, *keys, *values; /* [tokens][size]; size is a multiple of 2 * KERNEL_LANES, tokens at most 1024 */
    size_t tokens, size, stride;          /* stride: floats from one token to the next */
    void *scratch;                        /* kernels_attention_bytes() */
};

static inline size_t kernels_attention_stride(size_t tokens)
{
    return (tokens + 2 * KERNEL_LANES - 1) / (2 * KERNEL_LANES) * (2 * KERNEL_LANES);
}

static inline size_t kernels_attention_bytes(size_t tokens, size_t size)
{
    size_t stride = kernels_attention_stride(tokens);
    return ((tokens + KERNEL_QUERIES) * size / 2 + stride * size + KERNEL_QUERIES * stride / 2 * 3) * sizeof(int32_t);
}

struct kernels {
    const char *name;
    /* x += scale * w. */
    void (*add_bytes)(float *x, const int8_t *w, float scale, size_t n);
    void (*add)(float *x, const float *w, size_t n);
    /* x = layer norm of x, in place (Ba et al. 2016). */
    void (*norm)(float *x, size_t n, const struct norm *norm);
    /* (x * smooth) quantised to 0..top in `high`, or to two planes of 0..top each when `low` is given. */
    struct quantised_row (*quantise)(const float *x, const float *smooth, size_t n, float top, uint8_t *high, uint8_t *low);
    /* x = layer norm of (x + the product row). */
    void (*add_norm)(float *x, const struct product *product, size_t n, const struct linear *linear, const struct norm *norm);
    /* out = GELU of the product row, exact form x * Phi(x); the polynomial's absolute error is below 1e-4. */
    void (*gelu)(float *out, const struct product *product, size_t n, const struct linear *linear);
    /* out = the product row, as float or as bfloat16 (round to nearest even). */
    void (*to_float)(float *out, const struct product *product, size_t n, const struct linear *linear);
    void (*to_bfloat)(uint16_t *out, const struct product *product, size_t n, const struct linear *linear);
    /* out[rows][panel_count * KERNEL_LANES] = left[rows][count] times a matrix in panels of KERNEL_LANES columns, each
     * [count][KERNEL_LANES]. left has room to read up to the next multiple of KERNEL_QUERIES rows. */
    void (*multiply)(float *out, const float *left, size_t rows, const float *panels, size_t panel_count, size_t count);
    /* For every query a row of out: the values, weighed by the softmax (base 2) of its products with the keys. */
    void (*attend)(float *out, size_t out_stride, const struct attention *head);
    /* out[i] = 2^(x[i] - max) for i < n, 0 for n <= i < padded (a multiple of KERNEL_LANES); returns 1 / their sum. Writes over
     * x[n] up to x[padded]. The relative error of a power of two is below 4e-6, here and in attend. */
    float (*softmax_bfloat)(uint16_t *out, float *x, size_t n, size_t padded);
    void (*scale)(float *out, const float *x, size_t n, float factor);
};

const struct kernels *kernels_choose(void);

extern const struct kernels kernels_plain;
#if defined(__x86_64__)
extern const struct kernels kernels_avx2, kernels_avx512;
#endif

#endif
