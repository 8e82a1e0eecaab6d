/* kernels_body.h - the kernels themselves, written once over a vector of LANES floats. Included by kernels_*.c only, after
 * they defined LANES, KERNELS (the table's name) and, where the machine has them, VMAX, VMIN and TO_BFLOAT. */
#include <string.h>

#include "engine/kernels.h"

#pragma GCC optimize("O3,fp-contract=fast")

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

static void add_half_row(float *x, const uint16_t *w, size_t n)
{
    for (size_t i = 0; i < n; i += LANES) {
        vu half = __builtin_convertvector(*(const mh *)(w + i), vu);
        vf size = (vf)((half & 0x7FFF) << 13) * 0x1p112f; /* moves the exponent's bias; right for subnormals too */
        STORE(x + i, LOAD(x + i) + (vf)((vu)size | (half & 0x8000) << 16));
    }
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

static inline void store_bytes(uint8_t *out, vi v)
{
    *(mb *)out = __builtin_convertvector(v, vb);
}

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
    for (size_t i = 0; i < n; i += LANES) {
        vf q = VMIN(VMAX(LOAD(x + i) * LOAD(smooth + i) * inverse + offset, (vf){0}), all(steps));
        vi whole = __builtin_convertvector(q, vi);
        store_bytes(high + i, low ? whole >> shift : whole);
        if (low)
            store_bytes(low + i, whole & (int)top);
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

/* exp(x) for x <= 0: 2^k * 2^f with f in [-0.5, 0.5] and a minimax polynomial of degree 4 for 2^f. */
static inline vf exp_of(vf x)
{
    const float rounder = 12582912.0f; /* 1.5 * 2^23: adding it leaves the nearest integer in the low bits */
    vf y = VMAX(x * 1.44269504f, all(-126.0f));
    vf k = y + rounder;
    vi exponent = ((vi)k - (vi)all(rounder) + 127) << 23;
    vf f = y - (k - rounder);
    vf p = f * 0.009570101276040077f + 0.05591786280274391f;
    p = p * f + 0.240247443318367f;
    p = p * f + 0.6931217908859253f;
    p = p * f + 0.9999992847442627f;
    return p * (vf)exponent;
}

static inline float largest_score(const float *x, size_t n)
{
    vf high = all(x[0]);
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        high = VMAX(high, LOAD(x + i));
    float most = largest_of(high);
    for (; i < n; i++)
        most = x[i] > most ? x[i] : most;
    return most;
}

static float softmax_float_row(float *out, const float *x, size_t n, size_t padded)
{
    float most = largest_score(x, n);
    vf sum = {0};
    size_t whole = n - n % LANES;
    for (size_t i = 0; i < whole; i += LANES) {
        vf e = exp_of(LOAD(x + i) - most);
        STORE(out + i, e);
        sum += e;
    }
    memset(out + whole, 0, (padded - whole) * sizeof *out);
    if (whole < n) {
        float last[LANES];
        for (size_t i = 0; i < LANES; i++)
            last[i] = whole + i < n ? x[whole + i] - most : -1e30f;
        vf e = exp_of(LOAD(last));
        memcpy(last, &e, sizeof last);
        for (size_t i = 0; whole + i < n; i++)
            sum[i] += out[whole + i] = last[i];
    }
    return 1 / sum_of(sum);
}

static float softmax_bfloat_row(uint16_t *out, const float *x, size_t n, size_t padded)
{
    float most = largest_score(x, n);
    vf sum = {0};
    size_t whole = n - n % LANES;
    for (size_t i = 0; i < whole; i += LANES) {
        vf e = exp_of(LOAD(x + i) - most);
        *(mh *)(out + i) = TO_BFLOAT(e);
        sum += e;
    }
    memset(out + whole, 0, (padded - whole) * sizeof *out);
    if (whole < n) {
        float last[LANES];
        for (size_t i = 0; i < LANES; i++)
            last[i] = whole + i < n ? x[whole + i] - most : -1e30f;
        vf e = exp_of(LOAD(last));
        vh rounded = TO_BFLOAT(e);
        for (size_t i = 0; whole + i < n; i++) {
            out[whole + i] = rounded[i];
            sum[i] += e[i];
        }
    }
    return 1 / sum_of(sum);
}

static void scale_row(float *out, const float *x, size_t n, float factor)
{
    for (size_t i = 0; i < n; i += LANES)
        STORE(out + i, LOAD(x + i) * factor);
}

const struct kernels KERNELS = {
    .name = KERNELS_NAME,
    .add_half = add_half_row,
    .add = add_row,
    .norm = norm_row,
    .quantise = quantise_row,
    .add_norm = add_norm_row,
    .gelu = gelu_row,
    .to_float = float_row,
    .to_bfloat = bfloat_row,
    .softmax_float = softmax_float_row,
    .softmax_bfloat = softmax_bfloat_row,
    .scale = scale_row,
};
