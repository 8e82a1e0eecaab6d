/* kernels_bytes.c - see kernels_bytes.h.
 *
 * A panel holds a table of its steps of eight k in the order in which they are taken, those first whose sums of four fit
 * 16 bits, then how many those are, then for every step two halves: its columns with their four bytes side by side; columns
 * past n are zeros. A tile of 4 rows by one panel keeps its 12 sums in registers. */
#include "engine/kernels_bytes.h"

#include <string.h>

enum { ROWS = 4, HALF = 4, STEP = 2 * HALF, LANES = 8, VECTORS = 3, PANEL = VECTORS * LANES, HALF_BYTES = PANEL * HALF };
enum { LARGEST_A = 127, LARGEST_SUM = 32767 };

static size_t panel_head(size_t k)
{
    return ((k / STEP + 1) * sizeof(uint16_t) + BYTES_ALIGN - 1) / BYTES_ALIGN * BYTES_ALIGN;
}

static size_t panel_size(size_t k)
{
    return panel_head(k) + k * PANEL;
}

static size_t panels_of(size_t n)
{
    return (n + PANEL - 1) / PANEL;
}

size_t bytes_packed_size(size_t n, size_t k)
{
    return panels_of(n) * panel_size(k);
}

/* ---- packing ---------------------------------------------------------------------------------------------------------- */

/* Whether every sum of four that the fast way makes of eight weights fits: those of k 0, 1, 4, 5 and of 2, 3, 6, 7. */
static bool four_fit(const int8_t *weights)
{
    for (size_t pair = 0; pair < HALF; pair += 2) {
        const int8_t four[] = {weights[pair], weights[pair + 1], weights[HALF + pair], weights[HALF + pair + 1]};
        int above = 0, below = 0;
        for (size_t i = 0; i < sizeof four; i++) {
            above += four[i] > 0 ? four[i] : 0;
            below -= four[i] < 0 ? four[i] : 0;
        }
        if (above * LARGEST_A > LARGEST_SUM || below * LARGEST_A > LARGEST_SUM)
            return false;
    }
    return true;
}

static bool step_fits(const int8_t *rows, size_t columns, size_t k, size_t at)
{
    for (size_t column = 0; column < columns; column++) {
        if (!four_fit(rows + column * k + at))
            return false;
    }
    return true;
}

static uint16_t order_steps(uint16_t *order, const int8_t *rows, size_t columns, size_t k)
{
    uint16_t fast = 0, slow = 0;
    for (size_t at = 0; at < k; at += STEP) {
        if (step_fits(rows, columns, k, at))
            order[fast++] = (uint16_t)at;
        else
            order[k / STEP - ++slow] = (uint16_t)at;
    }
    return fast;
}

static void pack_panel(int8_t *panel, const int8_t *rows, size_t columns, size_t k)
{
    uint16_t *order = (uint16_t *)(void *)panel;
    order[k / STEP] = order_steps(order, rows, columns, k);
    int8_t *out = panel + panel_head(k);
    for (size_t half = 0; half < k / HALF; half++) {
        size_t at = order[half / 2] + half % 2 * HALF;
        for (size_t column = 0; column < PANEL; column++, out += HALF) {
            if (column < columns)
                memcpy(out, rows + column * k + at, HALF);
            else
                memset(out, 0, HALF);
        }
    }
}

void bytes_pack(int8_t *packed, const int8_t *rows, size_t n, size_t k)
{
    for (size_t j = 0; j < n; j += PANEL, packed += panel_size(k))
        pack_panel(packed, rows + j * k, n - j < PANEL ? n - j : PANEL, k);
}

/* ---- multiplying ------------------------------------------------------------------------------------------------------ */

#if defined(__x86_64__)
#include <immintrin.h>

bool bytes_suits(size_t n, size_t k)
{
    return __builtin_cpu_supports("avx2") && n % LANES == 0 && k % STEP == 0 && k <= UINT16_MAX;
}

#pragma GCC target("avx2")
#pragma GCC optimize("O2")

__attribute__((always_inline)) static inline __m256i four_bytes(const uint8_t *a)
{
    int32_t four;
    memcpy(&four, a, sizeof four);
    return _mm256_set1_epi32(four);
}

/* `rows` and `vectors` are constants wherever this is inlined, so that the sums are registers. */
__attribute__((always_inline)) static inline void tile(const uint8_t *a, const int8_t *panel, int32_t *c, size_t n, size_t k,
                                                       int rows, int vectors)
{
    const __m256i ones = _mm256_set1_epi16(1);
    const uint16_t *step = (const uint16_t *)(const void *)panel, *last = step + k / STEP, *fast = step + *last;
    __m256i sums[ROWS][VECTORS];
    panel += panel_head(k);
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 3
        for (int v = 0; v < vectors; v++)
            sums[r][v] = _mm256_setzero_si256();
    }
    for (; step < fast; step++, panel += 2 * HALF_BYTES) {
        const __m256i *first = (const __m256i *)(const void *)panel;
        const __m256i *second = (const __m256i *)(const void *)(panel + HALF_BYTES);
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++) {
            __m256i x = four_bytes(a + (size_t)r * k + *step), y = four_bytes(a + (size_t)r * k + *step + HALF);
#pragma GCC unroll 3
            for (int v = 0; v < vectors; v++) {
                __m256i fours = _mm256_add_epi16(_mm256_maddubs_epi16(x, first[v]), _mm256_maddubs_epi16(y, second[v]));
                sums[r][v] = _mm256_add_epi32(sums[r][v], _mm256_madd_epi16(fours, ones));
            }
        }
    }
    for (size_t half = 0; step < last; step += half, half ^= 1, panel += HALF_BYTES) {
        const __m256i *only = (const __m256i *)(const void *)panel;
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++) {
            __m256i x = four_bytes(a + (size_t)r * k + *step + half * HALF);
#pragma GCC unroll 3
            for (int v = 0; v < vectors; v++)
                sums[r][v] = _mm256_add_epi32(sums[r][v], _mm256_madd_epi16(_mm256_maddubs_epi16(x, only[v]), ones));
        }
    }
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 3
        for (int v = 0; v < vectors; v++)
            _mm256_storeu_si256((__m256i *)(void *)(c + (size_t)r * n + v * LANES), sums[r][v]);
    }
}

__attribute__((always_inline)) static inline void panel_rows(const uint8_t *a, const int8_t *panel, int32_t *c, size_t m,
                                                             size_t n, size_t k, int vectors)
{
    size_t i = 0;
    for (; i + ROWS <= m; i += ROWS)
        tile(a + i * k, panel, c + i * n, n, k, ROWS, vectors);
    for (; i < m; i++)
        tile(a + i * k, panel, c + i * n, n, k, 1, vectors);
}

void bytes_multiply(const uint8_t *a, const int8_t *packed, int32_t *c, size_t m, size_t n, size_t k)
{
    size_t j = 0;
    for (; j + PANEL <= n; j += PANEL, packed += panel_size(k))
        panel_rows(a, packed, c + j, m, n, k, VECTORS);
    if (n - j == 2 * LANES)
        panel_rows(a, packed, c + j, m, n, k, 2);
    else if (n - j == LANES)
        panel_rows(a, packed, c + j, m, n, k, 1);
}

#else

bool bytes_suits(size_t n, size_t k)
{
    (void)n;
    (void)k;
    return false;
}

void bytes_multiply(const uint8_t *a, const int8_t *packed, int32_t *c, size_t m, size_t n, size_t k)
{
    (void)a; /* never called where bytes_suits says no */
    (void)packed;
    (void)k;
    memset(c, 0, m * n * sizeof *c);
}

#endif
