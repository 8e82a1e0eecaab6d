/* Every instruction set's kernels against the plain formulas in double precision. */
#include "testing.h"

#include <math.h>

#include "engine/kernels.h"
#include "engine/kernels_bytes.h"

enum { N = 384, ROWS = 20 };

static _Alignas(64) float x[N], y[N], scale[N], column_sum[N], bias[N], gain[N];
static _Alignas(64) int32_t high[N], low[N];

static double uniform(double from, double to)
{
    return from + (to - from) * ((double)rand() / RAND_MAX);
}

static void fill(void)
{
    for (int i = 0; i < N; i++) {
        x[i] = (float)uniform(-6, 6);
        scale[i] = (float)uniform(0.001, 0.01);
        column_sum[i] = (float)(rand() % 4000 - 2000);
        bias[i] = (float)uniform(-1, 1);
        gain[i] = (float)uniform(0.5, 2);
        high[i] = rand() % 200000 - 100000;
        low[i] = rand() % 200000 - 100000;
    }
}

static const struct kernels *const *all(size_t *count)
{
    static const struct kernels *found[3];
    *count = 0;
    found[(*count)++] = &kernels_plain;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        found[(*count)++] = &kernels_avx2;
    if (kernels_choose() == &kernels_avx512)
        found[(*count)++] = &kernels_avx512;
#endif
    return found;
}

static void check(const struct kernels *k, const char *what, double got, double expected, double error)
{
    if (!(fabs(got - expected) <= error))
        print_error("%s %s: %.9g, expected %.9g\n", k->name, what, got, expected);
    assert_true(fabs(got - expected) <= error);
}

static double product_value(const struct product *p, int i)
{
    double acc = p->low ? (double)p->base * high[i] + low[i] : high[i];
    return (double)p->row.scale * scale[i] * (acc - (double)p->row.zero * column_sum[i]) + bias[i];
}

static void check_products(const struct kernels *k, const struct product *p)
{
    struct linear linear = {scale, column_sum, bias};
    k->to_float(y, p, N, &linear);
    for (int i = 0; i < N; i++)
        check(k, "product", y[i], product_value(p, i), 1e-3);
    k->gelu(y, p, N, &linear);
    for (int i = 0; i < N; i++) {
        double v = product_value(p, i);
        check(k, "gelu", y[i], v * 0.5 * (1 + erf(v / sqrt(2))), 2e-4 + 1e-5 * fabs(v));
    }
}

static void products_and_gelu(void **state)
{
    (void)state;
    size_t count;
    const struct kernels *const *kernels = all(&count);
    for (size_t n = 0; n < count * ROWS; n++) {
        fill();
        struct product one = {high, NULL, 1, {0.005f, 117}}, two = {high, low, 256, {0.00002f, 31000}};
        check_products(kernels[n % count], &one);
        check_products(kernels[n % count], &two);
    }
}

static void quantising_loses_at_most_half_a_step(void **state)
{
    (void)state;
    static const float tops[] = {127, 255};
    static _Alignas(64) uint8_t q[N], fine[N];
    size_t count;
    const struct kernels *const *kernels = all(&count);
    for (size_t n = 0; n < count * ROWS; n++) {
        const struct kernels *k = kernels[n % count];
        float top = tops[n / count % 2];
        fill();
        struct quantised_row row = k->quantise(x, gain, N, top, q, NULL);
        for (int i = 0; i < N; i++)
            check(k, "one plane", row.scale * (q[i] - row.zero), x[i] * gain[i], 0.51 * row.scale);
        row = k->quantise(x, gain, N, top, q, fine);
        for (int i = 0; i < N; i++)
            check(k, "two planes", row.scale * ((top + 1) * q[i] + fine[i] - row.zero), x[i] * gain[i], 0.51 * row.scale + 1e-5);
    }
}

static void softmax_sums_to_one_and_leaves_padding_out(void **state)
{
    (void)state;
    static _Alignas(64) uint16_t rounded[N];
    size_t count;
    const struct kernels *const *kernels = all(&count);
    for (size_t n = 0; n < ROWS; n++) {
        const struct kernels *k = kernels[0]; /* the others' may need the machine's bf16 instruction */
        size_t real = 1 + (size_t)rand() % N;
        double sum = 0, most = -1e9;
        fill();
        for (size_t i = 0; i < real; i++)
            most = x[i] > most ? x[i] : most;
        for (size_t i = 0; i < real; i++)
            sum += exp2(x[i] - most);
        double factor = k->softmax_bfloat(rounded, x, real, N);
        for (size_t i = 0; i < N; i++) {
            union { uint32_t bits; float value; } wide = {(uint32_t)rounded[i] << 16};
            check(k, "softmax in bf16", wide.value * factor, i < real ? exp2(x[i] - most) / sum : 0, 0.004);
        }
    }
}

enum { TOKENS = 77, SIZE = 32 };

/* What attention says of query `i` in double precision. */
static void plain_attention(double out[SIZE], const struct attention *a, size_t i)
{
    double scores[TOKENS], most = -1e9, sum = 0;
    for (size_t t = 0; t < a->tokens; t++) {
        scores[t] = 0;
        for (size_t j = 0; j < SIZE; j++)
            scores[t] += (double)a->queries[i * a->stride + j] * a->keys[t * a->stride + j];
        most = scores[t] > most ? scores[t] : most;
    }
    memset(out, 0, SIZE * sizeof *out);
    for (size_t t = 0; t < a->tokens; t++) {
        double weight = exp2(scores[t] - most);
        sum += weight;
        for (size_t j = 0; j < SIZE; j++)
            out[j] += weight * a->values[t * a->stride + j];
    }
    for (size_t j = 0; j < SIZE; j++)
        out[j] /= sum;
}

static void attention_weighs_the_values(void **state)
{
    (void)state;
    enum { STRIDE = 2 * SIZE, ROW = 4 * SIZE };
    static _Alignas(64) float in[TOKENS * ROW], out[(TOKENS + 1) * STRIDE];
    size_t count;
    void *scratch = malloc(kernels_attention_bytes(TOKENS, SIZE));
    const struct kernels *const *kernels = all(&count);
    for (size_t n = 0; n < count * ROWS; n++) {
        const struct kernels *k = kernels[n % count];
        size_t tokens = n < count ? 1 : n < 2 * count ? TOKENS : 1 + (size_t)rand() % TOKENS;
        for (size_t i = 0; i < TOKENS * ROW; i++) /* a query, a key, a value, and what is none of them */
            in[i] = (float)uniform(-1, 1) * (float)(i % ROW / SIZE + 1);
        for (size_t i = 0; i < sizeof out / sizeof *out; i++)
            out[i] = 77;
        struct attention a = {in, in + SIZE, in + 2 * SIZE, tokens, SIZE, ROW, scratch};
        k->attend(out, STRIDE, &a);
        for (size_t i = 0; i < tokens; i++) {
            double expected[SIZE];
            plain_attention(expected, &a, i);
            for (size_t j = 0; j < SIZE; j++)
                check(k, "attention", out[i * STRIDE + j], expected[j], 3.0 / 1024); /* bf16 rounds a 3 by up to 3 / 512 */
        }
        for (size_t j = 0; j < STRIDE; j++)
            check(k, "nothing past the last query", out[tokens * STRIDE + j], 77, 0);
    }
    free(scratch);
}

/* Weights that sums of eight and of four just fit and just do not, some columns all of one sign; whole and broken panels. */
static void products_of_bytes_are_exact(void **state)
{
    (void)state;
    enum { M = 7, K = 68, MOST = 88 };
    static const int sizes[] = {32, 33, 64, 65, 127};
    static _Alignas(64) uint8_t a[M * K];
    static _Alignas(64) int8_t rows[MOST * K];
    static int32_t c[M * MOST];
    if (!bytes_suits(8, 8)) {
        print_message("no AVX2 here: the product of bytes is not run\n");
        skip();
    }
    for (size_t n = 8; n <= MOST; n += 8) {
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            int8_t *packed = aligned_alloc(BYTES_ALIGN, bytes_packed_size(n, K));
            assert_non_null(packed);
            for (size_t i = 0; i < sizeof a; i++)
                a[i] = (uint8_t)(rand() % 3 ? 127 : rand() % 128);
            for (size_t i = 0; i < n * K; i++) {
                size_t kind = i / K % 4; /* above zero, below zero, either, smaller ones */
                int sign = kind == 0 || (kind > 1 && rand() % 2) ? 1 : -1, size = kind == 3 ? rand() % sizes[s] : sizes[s];
                rows[i] = (int8_t)(sign * size);
            }
            assert_true(bytes_pack(packed, rows, n, K));
            bytes_multiply(a, packed, c, M, n, K);
            for (size_t i = 0; i < M * n; i++) {
                int32_t sum = 0;
                for (size_t j = 0; j < K; j++)
                    sum += a[i / n * K + j] * rows[i % n * K + j];
                assert_int_equal(c[i], sum);
            }
            free(packed);
        }
    }
}

static void norms_have_the_asked_mean_and_spread(void **state)
{
    (void)state;
    size_t count;
    const struct kernels *const *kernels = all(&count);
    for (size_t n = 0; n < count * ROWS; n++) {
        struct norm norm = {gain, bias, 1e-12f};
        double mean = 0, variance = 0;
        fill();
        for (int i = 0; i < N; i++)
            mean += x[i] / (double)N;
        for (int i = 0; i < N; i++)
            variance += (x[i] - mean) * (x[i] - mean) / N;
        memcpy(y, x, sizeof x);
        kernels[n % count]->norm(y, N, &norm);
        for (int i = 0; i < N; i++)
            check(kernels[n % count], "norm", y[i], (x[i] - mean) / sqrt(variance) * gain[i] + bias[i], 1e-4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_and_gelu),
        cmocka_unit_test(quantising_loses_at_most_half_a_step),
        cmocka_unit_test(softmax_sums_to_one_and_leaves_padding_out),
        cmocka_unit_test(attention_weighs_the_values),
        cmocka_unit_test(products_of_bytes_are_exact),
        cmocka_unit_test(norms_have_the_asked_mean_and_spread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
