/* kernels_avx2.c - the kernels for AVX2 with FMA. See kernels.h. */
#if defined(__x86_64__)
#include <immintrin.h>

#pragma GCC target("avx2,fma")

#define LANES 8
#define KERNELS kernels_avx2
#define KERNELS_NAME "avx2"
#define VMAX(a, b) ((vf)_mm256_max_ps((__m256)(a), (__m256)(b)))
#define VMIN(a, b) ((vf)_mm256_min_ps((__m256)(a), (__m256)(b)))
#include "engine/kernels_body.h"
#else
typedef int no_avx2_here; /* ISO C wants at least one declaration in a file */
#endif
