/* Every instruction set's kernels against the plain formulas in double precision. */
#include "testing.h"

#include <math.h>

#include "engine/kernels.h"

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
    for (size_t n = 0; n < count * ROWS; n++) {
        const struct kernels *k = kernels[n % count];
        size_t real = 1 + (size_t)rand() % N;
        double sum = 0, most = -1e9;
        fill();
        for (size_t i = 0; i < real; i++)
            most = x[i] > most ? x[i] : most;
        for (size_t i = 0; i < real; i++)
            sum += exp(x[i] - most);
        double factor = k->softmax_float(y, x, real, N);
        for (size_t i = 0; i < N; i++)
            check(k, "softmax", y[i] * factor, i < real ? exp(x[i] - most) / sum : 0, 1e-5);
        if (k == &kernels_plain) { /* the others' need the machine's bf16 instruction */
            factor = k->softmax_bfloat(rounded, x, real, N);
            for (size_t i = 0; i < N; i++) {
                union { uint32_t bits; float value; } wide = {(uint32_t)rounded[i] << 16};
                check(k, "softmax in bf16", wide.value * factor, i < real ? exp(x[i] - most) / sum : 0, 0.004);
            }
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
        cmocka_unit_test(norms_have_the_asked_mean_and_spread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
