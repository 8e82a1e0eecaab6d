/* kernels_plain.c - the kernels for any machine, and the choice among them. See kernels.h. */
#define LANES 4
#define KERNELS kernels_plain
#define KERNELS_NAME "plain"
#include "engine/kernels_body.h"

const struct kernels *kernels_choose(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        return &kernels_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return &kernels_avx2;
#endif
    return &kernels_plain;
}
