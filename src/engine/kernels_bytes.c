/* kernels_bytes.c - see kernels_bytes.h.
 *
 * One instruction multiplies a group, four k of a row of A, with four k of B's columns; it leaves sums of two products, which
 * fit 16 bits, and another widens them to 32. Groups whose sums of two still fit 16 bits when they are added up, whatever A
 * holds, make a set of four or two that is widened once. Sets are made for every panel when it is packed.
 *
 * A panel holds the k at which its groups begin, in the order in which they are taken: sets of four, sets of two, single
 * groups; then where each of these ends; then the groups: for every column its four bytes side by side; columns past n are
 * zeros. A tile of 4 rows by one panel keeps its 12 sums in registers. */
#include "engine/kernels_bytes.h"

#include <stdlib.h>
#include <string.h>

enum { ROWS = 4, GROUP = 4, LANES = 8, VECTORS = 3, PANEL = VECTORS * LANES, GROUP_BYTES = PANEL * GROUP };
enum { BY_FOUR, BY_TWO, BY_ONE, SETS, LARGEST_SET = 4, PAIRS = GROUP / 2 * PANEL };
enum { LARGEST_A = 127, LARGEST_SUM = 32767 / LARGEST_A };

static const size_t set_sizes[SETS] = {[BY_FOUR] = 4, [BY_TWO] = 2, [BY_ONE] = 1};

static size_t panel_head(size_t k)
{
    return ((k / GROUP + SETS) * sizeof(uint16_t) + BYTES_ALIGN - 1) / BYTES_ALIGN * BYTES_ALIGN;
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

struct group {
    int16_t sums[2 * PAIRS]; /* of every sum of two: its positive weights added up, then the same of its negative ones */
    int16_t largest;         /* of these */
    uint16_t at;             /* the first k */
    bool taken;
};

static struct group describe(const int8_t *rows, size_t columns, size_t k, size_t at)
{
    struct group g = {.at = (uint16_t)at};
    for (size_t pair = 0; pair < columns * GROUP / 2; pair++) {
        const int8_t *two = rows + pair / 2 * k + at + pair % 2 * 2;
        int above = (two[0] > 0 ? two[0] : 0) + (two[1] > 0 ? two[1] : 0);
        g.sums[pair] = (int16_t)above;
        g.sums[PAIRS + pair] = (int16_t)(above - two[0] - two[1]);
    }
    for (size_t i = 0; i < 2 * PAIRS; i++)
        g.largest = g.sums[i] > g.largest ? g.sums[i] : g.largest;
    return g;
}

static int largest_first(const void *a, const void *b)
{
    const struct group *x = a, *y = b;
    return x->largest != y->largest ? y->largest - x->largest : x->at - y->at;
}

static bool fits(const struct group *set, const struct group *g, size_t limit)
{
    int16_t largest = 0;
    for (size_t i = 0; i < 2 * PAIRS; i++) {
        int16_t sum = (int16_t)(set->sums[i] + g->sums[i]);
        largest = sum > largest ? sum : largest;
    }
    return (size_t)largest <= limit;
}

static void add(struct group *set, const struct group *g)
{
    for (size_t i = 0; i < 2 * PAIRS; i++)
        set->sums[i] = (int16_t)(set->sums[i] + g->sums[i]);
}

/* Makes a set of `size` from groups[0] and the largest others that fit, early ones only if they leave room for the rest.
 * False, and nothing taken: there is none. */
static bool make_set(uint16_t *order, struct group *groups, size_t count, size_t size)
{
    struct group set = groups[0], *members[LARGEST_SET] = {groups};
    size_t found = 1;
    for (size_t i = 1; i < count && found < size; i++) {
        if (groups[i].taken || !fits(&set, &groups[i], LARGEST_SUM * (size + found + 1) / (2 * size)))
            continue;
        add(&set, &groups[i]);
        members[found++] = &groups[i];
    }
    for (size_t i = 0; found == size && i < size; i++) {
        members[i]->taken = true;
        order[i] = members[i]->at;
    }
    return found == size;
}

static void order_groups(uint16_t *order, struct group *groups, size_t count)
{
    size_t done = 0;
    for (size_t kind = 0; kind < SETS; kind++) {
        for (size_t i = 0; i < count; i++) {
            if (!groups[i].taken && make_set(order + done, groups + i, count - i, set_sizes[kind]))
                done += set_sizes[kind];
        }
        order[count + kind] = (uint16_t)done;
    }
}

static void pack_panel(int8_t *panel, const int8_t *rows, size_t columns, size_t k, struct group *groups)
{
    uint16_t *order = (uint16_t *)(void *)panel;
    int8_t *out = panel + panel_head(k);
    for (size_t at = 0; at < k; at += GROUP)
        groups[at / GROUP] = describe(rows, columns, k, at);
    qsort(groups, k / GROUP, sizeof *groups, largest_first);
    order_groups(order, groups, k / GROUP);
    for (size_t i = 0; i < k / GROUP; i++) {
        for (size_t column = 0; column < PANEL; column++, out += GROUP) {
            if (column < columns)
                memcpy(out, rows + column * k + order[i], GROUP);
            else
                memset(out, 0, GROUP);
        }
    }
}

bool bytes_pack(int8_t *packed, const int8_t *rows, size_t n, size_t k)
{
    struct group *groups = calloc(k / GROUP, sizeof *groups);
    for (size_t j = 0; groups && j < n; j += PANEL, packed += panel_size(k))
        pack_panel(packed, rows + j * k, n - j < PANEL ? n - j : PANEL, k, groups);
    free(groups);
    return groups != NULL;
}

/* ---- multiplying ------------------------------------------------------------------------------------------------------ */

#if defined(__x86_64__)
#include <immintrin.h>

bool bytes_suits(size_t n, size_t k)
{
    return __builtin_cpu_supports("avx2") && n % LANES == 0 && k % GROUP == 0 && k <= UINT16_MAX;
}

#pragma GCC target("avx2")
#pragma GCC optimize("O2")

__attribute__((always_inline)) static inline __m256i four_bytes(const uint8_t *a)
{
    int32_t four;
    memcpy(&four, a, sizeof four);
    return _mm256_set1_epi32(four);
}

/* The groups of a panel in the order of `at` up to `end`, in sets of `size`, added to the sums of a tile. `rows`, `vectors` and
 * `size` are constants wherever this is inlined, so that the sums are registers. */
__attribute__((always_inline)) static inline void add_sets(__m256i sums[ROWS][VECTORS], const uint8_t *a, const int8_t *groups,
                                                           const uint16_t *at, const uint16_t *end, size_t k, int rows,
                                                           int vectors, int size)
{
    const __m256i ones = _mm256_set1_epi16(1);
    for (; at < end; at += size, groups += size * GROUP_BYTES) {
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++) {
            __m256i x[LARGEST_SET];
#pragma GCC unroll 4
            for (int i = 0; i < size; i++)
                x[i] = four_bytes(a + (size_t)r * k + at[i]);
#pragma GCC unroll 3
            for (int v = 0; v < vectors; v++) {
                const __m256i *weights = (const __m256i *)(const void *)groups + v;
                __m256i set = _mm256_maddubs_epi16(x[0], weights[0]);
#pragma GCC unroll 3
                for (int i = 1; i < size; i++)
                    set = _mm256_add_epi16(set, _mm256_maddubs_epi16(x[i], weights[i * VECTORS]));
                sums[r][v] = _mm256_add_epi32(sums[r][v], _mm256_madd_epi16(set, ones));
            }
        }
    }
}

__attribute__((always_inline)) static inline void tile(const uint8_t *a, const int8_t *panel, int32_t *c, size_t n, size_t k,
                                                       int rows, int vectors)
{
    const uint16_t *order = (const uint16_t *)(const void *)panel, *ends = order + k / GROUP;
    const int8_t *groups = panel + panel_head(k);
    __m256i sums[ROWS][VECTORS];
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 3
        for (int v = 0; v < vectors; v++)
            sums[r][v] = _mm256_setzero_si256();
    }
    size_t fours = ends[BY_FOUR], twos = ends[BY_TWO], all = ends[BY_ONE];
    add_sets(sums, a, groups, order, order + fours, k, rows, vectors, 4);
    add_sets(sums, a, groups + fours * GROUP_BYTES, order + fours, order + twos, k, rows, vectors, 2);
    add_sets(sums, a, groups + twos * GROUP_BYTES, order + twos, order + all, k, rows, vectors, 1);
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
