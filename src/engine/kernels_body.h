/* kernels_body.h - the kernels themselves, written once over a vector of LANES floats. Included by kernels_*.c only, after
 * they defined LANES, KERNELS (the table's name) and, where the machine has them, VMAX, VMIN, TO_BFLOAT, STORE_BYTES and PAIR_SUMS. */
#include <string.h>

#include "engine/kernels.h"

#pragma GCC optimize("O3,fp-contract=fast")

enum { VECTORS = KERNEL_LANES / LANES }; /* that make up the unit of a row's length */

typedef float vf __attribute__((vector_size(LANES * 4)));
typedef int32_t vi __attribute__((vector_size(LANES * 4)));
typedef uint32_t vu __attribute__((vector_size(LANES * 4)));
typedef uint16_t vh __attribute__((vector_size(LANES * 2)));
typedef uint8_t vb __attribute__((vector_size(LANES)));
/* The same for memory: any alignment, any declared type. */
typedef float mf __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef int32_t mi __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef uint16_t mh __attribute__((vector_size(LANES * 2), aligned(2), may_alias));
typedef uint8_t mb __attribute__((vector_size(LANES), aligned(1), may_alias));
typedef int8_t msb __attribute__((vector_size(LANES), aligned(1), may_alias));

#define LOAD(p) (*(const mf *)(p))
#define LOAD_INT(p) (*(const mi *)(p))
#define STORE(p, v) (*(mf *)(p) = (v))
#define FLOATS(v) __builtin_convertvector((v), vf)

#ifndef VMAX
static inline vf pick(vi mask, vf a, vf b)
{
    return (vf)((mask & (vi)a) | (~mask & (vi)b));
}
#define VMAX(a, b) pick((a) > (b), (a), (b))
#define VMIN(a, b) pick((a) < (b), (a), (b))
#endif

static inline vf all(float value)
{
    return value - (vf){0};
}

/* v with its lanes i and i ^ half swapped: the step of a tree over the lanes. */
#if LANES == 16
#define LANE_NUMBERS ((vi){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})
#elif LANES == 8
#define LANE_NUMBERS ((vi){0, 1, 2, 3, 4, 5, 6, 7})
#else
#define LANE_NUMBERS ((vi){0, 1, 2, 3})
#endif
#define SWAPPED(v, half) __builtin_shuffle((v), LANE_NUMBERS ^ (half))

static inline float sum_of(vf v)
{
#if LANES == 16
    v += SWAPPED(v, 8);
#endif
#if LANES >= 8
    v += SWAPPED(v, 4);
#endif
    v += SWAPPED(v, 2);
    v += SWAPPED(v, 1);
    return v[0];
}

static inline float largest_of(vf v)
{
#if LANES == 16
    v = VMAX(v, SWAPPED(v, 8));
#endif
#if LANES >= 8
    v = VMAX(v, SWAPPED(v, 4));
#endif
    v = VMAX(v, SWAPPED(v, 2));
    v = VMAX(v, SWAPPED(v, 1));
    return v[0];
}

#ifndef TO_BFLOAT
/* Round to nearest even by hand; bf16 is the upper half of an f32. */
static inline vh to_bfloat(vf v)
{
    vu bits = (vu)v;
    return __builtin_convertvector((bits + 0x7FFF + (bits >> 16 & 1)) >> 16, vh);
}
#define TO_BFLOAT(v) to_bfloat(v)
#endif

/* One vector of a product row, dequantised. `planes` is a constant wherever this is inlined. */
__attribute__((always_inline)) static inline vf product_at(const struct product *p, size_t i, const struct linear *l, int planes)
{
    vf acc = FLOATS(LOAD_INT(p->high + i));
    if (planes == 2)
        acc = acc * p->base + FLOATS(LOAD_INT(p->low + i));
    return (acc - p->row.zero * LOAD(l->column_sum + i)) * (p->row.scale * LOAD(l->scale + i)) + LOAD(l->bias + i);
}

/* Runs `body` with `v`, each vector of the product row in turn. */
#define EACH_PRODUCT(p, n, linear, body) \
    do { \
        if ((p)->low) { \
            for (size_t i = 0; i < (n); i += LANES) { vf v = product_at((p), i, (linear), 2); body; } \
        } else { \
            for (size_t i = 0; i < (n); i += LANES) { vf v = product_at((p), i, (linear), 1); body; } \
        } \
    } while (0)

static void add_bytes_row(float *x, const int8_t *w, float scale, size_t n)
{
    for (size_t i = 0; i < n; i += LANES)
        STORE(x + i, LOAD(x + i) + FLOATS(*(const msb *)(w + i)) * scale);
}

static void add_row(float *x, const float *w, size_t n)
{
    for (size_t i = 0; i < n; i += LANES)
        STORE(x + i, LOAD(x + i) + LOAD(w + i));
}

static inline void normalise(float *x, size_t n, vf sum, const struct norm *norm)
{
    float mean = sum_of(sum) / (float)n;
    vf squares = {0};
    for (size_t i = 0; i < n; i += LANES) {
        vf d = LOAD(x + i) - mean;
        squares += d * d;
    }
    float variance = sum_of(squares) / (float)n, factor = 1 / __builtin_sqrtf(variance + norm->epsilon);
    for (size_t i = 0; i < n; i += LANES)
        STORE(x + i, (LOAD(x + i) - mean) * (factor * LOAD(norm->gain + i)) + LOAD(norm->bias + i));
}

static void norm_row(float *x, size_t n, const struct norm *norm)
{
    vf sum = {0};
    for (size_t i = 0; i < n; i += LANES)
        sum += LOAD(x + i);
    normalise(x, n, sum, norm);
}

static void add_norm_row(float *x, const struct product *product, size_t n, const struct linear *linear,
                         const struct norm *norm)
{
    vf sum = {0};
    EACH_PRODUCT(product, n, linear, v += LOAD(x + i); STORE(x + i, v); sum += v);
    normalise(x, n, sum, norm);
}

#ifndef STORE_BYTES
static inline void store_bytes(uint8_t *out, const vi v[VECTORS])
{
    for (int i = 0; i < VECTORS; i++)
        *(mb *)(out + i * LANES) = __builtin_convertvector(v[i], vb);
}
#define STORE_BYTES(out, v) store_bytes((out), (v))
#endif

static struct quantised_row quantise_row(const float *x, const float *smooth, size_t n, float top, uint8_t *high, uint8_t *low)
{
    vf least = {0}, most = {0};
    for (size_t i = 0; i < n; i += LANES) {
        vf v = LOAD(x + i) * LOAD(smooth + i);
        least = VMIN(least, v);
        most = VMAX(most, v);
    }
    int shift = top > 127 ? 8 : 7; /* bits of a plane */
    float steps = low ? (top + 1) * (top + 1) - 1 : top, bottom = -largest_of(-least), range = largest_of(most) - bottom;
    float scale = range > 0 ? range / steps : 1, inverse = 1 / scale, zero = (float)(int32_t)(-bottom * inverse + 0.5f);
    vf offset = all(zero + 0.5f);
    for (size_t i = 0; i < n; i += KERNEL_LANES) {
        vi whole[VECTORS], upper[VECTORS];
        for (int v = 0; v < VECTORS; v++) {
            size_t at = i + (size_t)v * LANES;
            vf q = VMIN(VMAX(LOAD(x + at) * LOAD(smooth + at) * inverse + offset, (vf){0}), all(steps));
            whole[v] = __builtin_convertvector(q, vi);
            upper[v] = whole[v] >> shift;
            if (low)
                whole[v] &= (int)top;
        }
        STORE_BYTES((low ? low : high) + i, whole);
        if (low)
            STORE_BYTES(high + i, upper);
    }
    return (struct quantised_row){scale, zero};
}

/* Phi(x) = 0.5 + c * p(c^2), c = x held within +-4.5; p is the minimax polynomial of (Phi(c) - 0.5) / c weighted by c^2,
 * which bounds the error of x * Phi(x). */
static inline vf gelu_of(vf x)
{
    vf c = VMIN(VMAX(x, all(-4.5f)), all(4.5f)), u = c * c;
    vf p = u * -1.400064742959617e-12f + 1.697301188485767e-10f;
    p = p * u - 9.193738215174108e-09f;
    p = p * u + 2.958896061500127e-07f;
    p = p * u - 6.365252829709789e-06f;
    p = p * u + 9.78713360382244e-05f;
    p = p * u - 0.0011226783972233534f;
    p = p * u + 0.009833185002207756f;
    p = p * u - 0.06633705645799637f;
    p = p * u + 0.39888378977775574f;
    return x * (c * p + 0.5f);
}

static void gelu_row(float *out, const struct product *product, size_t n, const struct linear *linear)
{
    EACH_PRODUCT(product, n, linear, STORE(out + i, gelu_of(v)));
}

static void float_row(float *out, const struct product *product, size_t n, const struct linear *linear)
{
    EACH_PRODUCT(product, n, linear, STORE(out + i, v));
}

static void bfloat_row(uint16_t *out, const struct product *product, size_t n, const struct linear *linear)
{
    EACH_PRODUCT(product, n, linear, *(mh *)(out + i) = TO_BFLOAT(v));
}

/* 2^x for x <= 0: 2^k * 2^f with f in [-0.5, 0.5] and a minimax polynomial of degree 4 for 2^f. */
static inline vf power_of(vf x)
{
    const float rounder = 12582912.0f + 127; /* 1.5 * 2^23 + bias: adding it leaves the exponent's bits of 2^k at the bottom */
    vf y = VMAX(x, all(-126.0f));
    vf k = y + rounder;
    vf f = y - (k - rounder);
    vf p = f * 0.009570101276040077f + 0.05591786280274391f;
    p = p * f + 0.240247443318367f;
    p = p * f + 0.6931217908859253f;
    p = p * f + 0.9999992847442627f;
    return p * (vf)((vi)k << 23);
}

/* Makes scores x[n] up to x[end] so low that they weigh nothing. */
static inline void fill_up(float *x, size_t n, size_t end)
{
    for (; n < end; n++)
        x[n] = -1e30f;
}

static inline float largest_score(const float *x, size_t end)
{
    vf most[VECTORS];
    for (int v = 0; v < VECTORS; v++)
        most[v] = LOAD(x + v * LANES);
    for (size_t i = KERNEL_LANES; i < end; i += KERNEL_LANES) {
        for (int v = 0; v < VECTORS; v++)
            most[v] = VMAX(most[v], LOAD(x + i + v * LANES));
    }
    for (int v = 1; v < VECTORS; v++)
        most[0] = VMAX(most[0], most[v]);
    return largest_of(most[0]);
}

/* Runs `body` with `e`, each vector of 2^(x - max) in turn, and adds them to `sum`. `end` is a multiple of KERNEL_LANES. */
#define EACH_POWER(x, end, sum, body) \
    do { \
        float most = largest_score((x), (end)); \
        for (size_t i = 0; i < (end); i += LANES) { \
            vf e = power_of(LOAD((x) + i) - most); \
            (sum) += e; \
            body; \
        } \
    } while (0)

static float softmax_bfloat_row(uint16_t *out, float *x, size_t n, size_t padded)
{
    vf sum = {0};
    size_t end = (n + KERNEL_LANES - 1) / KERNEL_LANES * KERNEL_LANES;
    fill_up(x, n, end);
    EACH_POWER(x, end, sum, *(mh *)(out + i) = TO_BFLOAT(e));
    memset(out + end, 0, (padded - end) * sizeof *out);
    return 1 / sum_of(sum);
}

/* sums[r] = over i < count of left[r * left_stride + i] * right[i * right_stride ...], KERNEL_LANES wide: the tile of a
 * product that keeps its sums in registers. */
__attribute__((always_inline)) static inline void tile_product(vf sums[KERNEL_QUERIES][VECTORS], const float *left,
                                                               size_t left_stride, const float *right, size_t right_stride,
                                                               size_t count)
{
#pragma GCC unroll 8
    for (int r = 0; r < KERNEL_QUERIES; r++) {
#pragma GCC unroll 8
        for (int v = 0; v < VECTORS; v++)
            sums[r][v] = (vf){0};
    }
    for (size_t i = 0; i < count; i++) {
#pragma GCC unroll 8
        for (int r = 0; r < KERNEL_QUERIES; r++) {
            float factor = left[(size_t)r * left_stride + i];
#pragma GCC unroll 8
            for (int v = 0; v < VECTORS; v++)
                sums[r][v] += factor * LOAD(right + i * right_stride + v * LANES);
        }
    }
}

/* Up to KERNEL_QUERIES rows of a product with one panel. */
static void panel_tile(float *out, size_t out_stride, size_t rows, const float *left, size_t left_stride, const float *panel,
                       size_t count)
{
    vf sums[KERNEL_QUERIES][VECTORS];
    tile_product(sums, left, left_stride, panel, KERNEL_LANES, count);
#pragma GCC unroll 8
    for (size_t r = 0; r < KERNEL_QUERIES; r++) {
#pragma GCC unroll 8
        for (int v = 0; v < VECTORS && r < rows; v++)
            STORE(out + r * out_stride + v * LANES, sums[r][v]);
    }
}

static void multiply_rows(float *out, const float *left, size_t rows, const float *panels, size_t panel_count, size_t count)
{
    for (size_t p = 0; p < panel_count; p++) {
        for (size_t first = 0; first < rows; first += KERNEL_QUERIES)
            panel_tile(out + first * panel_count * KERNEL_LANES + p * KERNEL_LANES, panel_count * KERNEL_LANES, rows - first,
                       left + first * count, count, panels + p * count * KERNEL_LANES, count);
    }
}

/* ---- attention: products of 16-bit integers, two to a word ------------------------------------------------------------- */

#ifndef PAIR_SUMS
static inline vi pair_sums(vi a, vi b)
{
    return (a << 16 >> 16) * (b << 16 >> 16) + (a >> 16) * (b >> 16);
}
#define PAIR_SUMS(a, b) pair_sums((a), (b))
#endif

/* Words of two rounded values, each of which fits 16 bits. */
static inline vi pairs_of(vf low, vf high)
{
    const float rounder = 12582912.0f; /* 1.5 * 2^23: adding it leaves the nearest integer in the low bits */
    return ((vi)(low + rounder) & 0xFFFF) | (vi)(high + rounder) << 16;
}

/* The largest of a head's queries, keys or values, whatever its sign. */
static float largest_size(const float *x, const struct attention *a)
{
    vf most = {0};
    for (size_t t = 0; t < a->tokens; t++, x += a->stride) {
        for (size_t i = 0; i < a->size; i += LANES)
            most = VMAX(most, VMAX(LOAD(x + i), -LOAD(x + i)));
    }
    return largest_of(most);
}

/* What makes the largest of them `limit`, and in *back what undoes it. */
static float fit(const float *x, const struct attention *a, float limit, float *back)
{
    float most = largest_size(x, a), factor = most > 0 ? limit / most : 1;
    *back = 1 / factor;
    return factor;
}

/* tile_product of words: every word a pair on both sides. */
__attribute__((always_inline)) static inline void tile_pairs(vi sums[KERNEL_QUERIES][VECTORS], const int32_t *left,
                                                             size_t left_stride, const int32_t *right, size_t right_stride,
                                                             size_t count)
{
#pragma GCC unroll 8
    for (int r = 0; r < KERNEL_QUERIES; r++) {
#pragma GCC unroll 8
        for (int v = 0; v < VECTORS; v++)
            sums[r][v] = (vi){0};
    }
    for (size_t i = 0; i < count; i++) {
#pragma GCC unroll 8
        for (int r = 0; r < KERNEL_QUERIES; r++) {
            vi pair = left[(size_t)r * left_stride + i] - (vi){0};
#pragma GCC unroll 8
            for (int v = 0; v < VECTORS; v++)
                sums[r][v] += PAIR_SUMS(pair, LOAD_INT(right + i * right_stride + v * LANES));
        }
    }
}

/* The parts of the scratch (kernels.h): queries [tokens][size / 2], keys in panels of KERNEL_LANES tokens [size / 2], the values
 * of two tokens KERNEL_LANES apart [size], and for a tile's rows the scores and their softmax. A word of a query or a key holds
 * dimensions half a head apart. */
struct words { int32_t *queries, *keys, *values, *weights; float *scores; size_t stride, weight_words; };

static struct words words_of(const struct attention *a)
{
    size_t stride = kernels_attention_stride(a->tokens), rest = a->tokens % (2 * KERNEL_LANES);
    struct words w = {.queries = a->scratch, .stride = stride};
    w.keys = w.queries + (a->tokens + KERNEL_QUERIES) * a->size / 2;
    w.values = w.keys + stride * a->size / 2;
    w.weights = w.values + stride * a->size / 2;
    w.scores = (float *)(w.weights + KERNEL_QUERIES * stride / 2);
    w.weight_words = a->tokens / (2 * KERNEL_LANES) * KERNEL_LANES + (rest < KERNEL_LANES ? rest : KERNEL_LANES);
    return w;
}

/* Returns what turns a sum of products of queries and keys into a score. */
static float pack_scores(const struct words *w, const struct attention *a)
{
    size_t half = a->size / 2;
    float limit = __builtin_sqrtf(2147483000.0f / (float)a->size), query_back, key_back;
    limit = limit < 32767 ? (float)(int)limit : 32767;
    float query = fit(a->queries, a, limit, &query_back), key = fit(a->keys, a, limit, &key_back);
    for (size_t t = 0; t < a->tokens; t++) {
        const float *q = a->queries + t * a->stride, *k = a->keys + t * a->stride;
        int32_t *panel = w->keys + t / KERNEL_LANES * KERNEL_LANES * half + t % KERNEL_LANES;
        for (size_t i = 0; i < half; i += LANES) {
            *(mi *)(w->queries + t * half + i) = pairs_of(LOAD(q + i) * query, LOAD(q + half + i) * query);
            vi pairs = pairs_of(LOAD(k + i) * key, LOAD(k + half + i) * key);
            for (size_t j = 0; j < LANES; j++)
                panel[(i + j) * KERNEL_LANES] = pairs[j];
        }
    }
    memset(w->queries + a->tokens * half, 0, KERNEL_QUERIES * half * sizeof *w->queries); /* what the last tile reads */
    return query_back * key_back;
}

enum { LARGEST_VALUE = 2047, LARGEST_WEIGHT = 32766, LARGEST_WEIGHTS = (1 << 20) - 512 }; /* 2047 * 2^20 fits 32 bits */

/* Returns what turns a value's integer back. */
static float pack_values(const struct words *w, const struct attention *a)
{
    float back, factor = fit(a->values, a, LARGEST_VALUE, &back);
    int32_t *out = w->values;
    for (size_t word = 0; word < w->weight_words; word++) {
        size_t low = word / KERNEL_LANES * 2 * KERNEL_LANES + word % KERNEL_LANES, high = low + KERNEL_LANES;
        for (size_t i = 0; i < a->size; i += LANES, out += LANES) {
            vf second = {0};
            if (high < a->tokens)
                second = LOAD(a->values + high * a->stride + i);
            *(mi *)out = pairs_of(LOAD(a->values + low * a->stride + i) * factor, second * factor);
        }
    }
    return back;
}

/* The softmax of one row as words: weights as large as the sum of all leaves room for. Returns what turns a sum of weighed
 * integers into their mean. */
static float pack_weights(int32_t *out, float *scores, size_t tokens, size_t stride)
{
    vf sum = {0};
    fill_up(scores, tokens, stride);
    EACH_POWER(scores, stride, sum, STORE(scores + i, e));
    float total = sum_of(sum), factor = LARGEST_WEIGHTS / total;
    factor = factor < LARGEST_WEIGHT ? factor : LARGEST_WEIGHT;
    for (size_t i = 0; i < stride; i += 2 * KERNEL_LANES) {
        for (size_t j = i; j < i + KERNEL_LANES; j += LANES, out += LANES)
            *(mi *)out = pairs_of(LOAD(scores + j) * factor, LOAD(scores + j + KERNEL_LANES) * factor);
    }
    return 1 / (total * factor);
}

static void attend_queries(float *out, size_t out_stride, size_t rows, const struct words *w, const int32_t *queries,
                           const struct attention *a, float score_back, float value_back)
{
    vi sums[KERNEL_QUERIES][VECTORS];
    float factors[KERNEL_QUERIES] = {0};
    size_t half = a->size / 2;
    for (size_t i = 0; i < a->tokens; i += KERNEL_LANES) {
        tile_pairs(sums, queries, half, w->keys + i * half, KERNEL_LANES, half);
#pragma GCC unroll 8
        for (size_t r = 0; r < KERNEL_QUERIES; r++) {
#pragma GCC unroll 8
            for (int v = 0; v < VECTORS; v++)
                STORE(w->scores + r * w->stride + i + v * LANES, FLOATS(sums[r][v]) * score_back);
        }
    }
    for (size_t r = 0; r < rows; r++)
        factors[r] = value_back * pack_weights(w->weights + r * w->stride / 2, w->scores + r * w->stride, a->tokens, w->stride);
    memset(w->weights + rows * w->stride / 2, 0, (KERNEL_QUERIES - rows) * w->stride / 2 * sizeof *w->weights);
    for (size_t i = 0; i < a->size; i += KERNEL_LANES) {
        tile_pairs(sums, w->weights, w->stride / 2, w->values + i, a->size, w->weight_words);
#pragma GCC unroll 8
        for (size_t r = 0; r < KERNEL_QUERIES; r++) {
#pragma GCC unroll 8
            for (int v = 0; v < VECTORS && r < rows; v++)
                STORE(out + r * out_stride + i + v * LANES, FLOATS(sums[r][v]) * factors[r]);
        }
    }
}

static void attend_head(float *out, size_t out_stride, const struct attention *a)
{
    struct words w = words_of(a);
    float score_back = pack_scores(&w, a), value_back = pack_values(&w, a);
    for (size_t first = 0; first < a->tokens; first += KERNEL_QUERIES) {
        size_t rows = a->tokens - first < KERNEL_QUERIES ? a->tokens - first : KERNEL_QUERIES;
        attend_queries(out + first * out_stride, out_stride, rows, &w, w.queries + first * a->size / 2, a, score_back, value_back);
    }
}

static void scale_row(float *out, const float *x, size_t n, float factor)
{
    for (size_t i = 0; i < n; i += LANES)
        STORE(out + i, LOAD(x + i) * factor);
}

const struct kernels KERNELS = {
    .name = KERNELS_NAME,
    .add_bytes = add_bytes_row,
    .add = add_row,
    .norm = norm_row,
    .quantise = quantise_row,
    .add_norm = add_norm_row,
    .gelu = gelu_row,
    .to_float = float_row,
    .to_bfloat = bfloat_row,
    .multiply = multiply_rows,
    .attend = attend_head,
    .softmax_bfloat = softmax_bfloat_row,
    .scale = scale_row,
};
