/* kernels_avx512.c - the kernels for AVX-512 (F, BW, DQ, VL). See kernels.h. Those that write bf16 need AVX-512 BF16 as
 * well; the encoder calls them only where oneDNN found it (matmuls_fast_bfloat). */
#if defined(__x86_64__)
#include <immintrin.h>

#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,prefer-vector-width=512")

#define LANES 16
#define KERNELS kernels_avx512
#define KERNELS_NAME "avx512"
#define VMAX(a, b) ((vf)_mm512_max_ps((__m512)(a), (__m512)(b)))
#define VMIN(a, b) ((vf)_mm512_min_ps((__m512)(a), (__m512)(b)))
#define PAIR_SUMS(a, b) ((vi)_mm512_madd_epi16((__m512i)(a), (__m512i)(b)))
#define TO_BFLOAT(v) ((vh)_mm512_cvtneps_pbh((__m512)(v)))
#include "engine/kernels_body.h"
#else
typedef int no_avx512_here; /* ISO C wants at least one declaration in a file */
#endif
