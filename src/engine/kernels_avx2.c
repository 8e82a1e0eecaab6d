/* kernels_avx2.c - the kernels for AVX2 with FMA. See kernels.h. */
#if defined(__x86_64__)
#include <immintrin.h>

#pragma GCC target("avx2,fma")

#define LANES 8
#define KERNELS kernels_avx2
#define KERNELS_NAME "avx2"
#define VMAX(a, b) ((vf)_mm256_max_ps((__m256)(a), (__m256)(b)))
#define VMIN(a, b) ((vf)_mm256_min_ps((__m256)(a), (__m256)(b)))
#define PAIR_SUMS(a, b) ((vi)_mm256_madd_epi16((__m256i)(a), (__m256i)(b)))
#define STORE_BYTES(out, v) store_sixteen((out), (__m256i)(v)[0], (__m256i)(v)[1])

/* 16 values of 0..255, of which packing works in each half of a register by itself. */
static inline void store_sixteen(unsigned char *out, __m256i a, __m256i b)
{
    __m256i packed = _mm256_packus_epi16(_mm256_packs_epi32(a, b), _mm256_setzero_si256());
    __m256i sorted = _mm256_permutevar8x32_epi32(packed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    _mm_storeu_si128((__m128i *)(void *)out, _mm256_castsi256_si128(sorted));
}
#include "engine/kernels_body.h"
#else
typedef int no_avx2_here; /* ISO C wants at least one declaration in a file */
#endif
