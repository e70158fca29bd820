/* The greatest common divisor, as a kernel and as a plain function.
 *
 *     cc -O2 -shared -fPIC -I include -o libgcd.so examples/kernels/gcd.c
 *     pmapgcd --kernel ./libgcd.so pairs.csv
 *     pmapgcd --kernel ./libgcd.so:euclid --types u64,u64:u64 pairs.csv
 */
#include "pmap_kernel.h"

PMAP_EXPORT uint64_t euclid(uint64_t a, uint64_t b) {
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static uint64_t map(void *self, const pmap_batch *batch, pmap_results *results) {
    const uint64_t *a = (const uint64_t *)pmap_column_at(batch, 0)->values;
    const uint64_t *b = (const uint64_t *)pmap_column_at(batch, 1)->values;
    uint64_t *out = (uint64_t *)pmap_result_at(results, 0)->values, row;
    (void)self;
    for (row = 0; row < batch->rows; row++) out[row] = euclid(a[row], b[row]);
    return batch->rows;
}

const pmap_kernel *pmap_kernel_v1(uint32_t index) {
    static const pmap_kernel kernel = {
        sizeof kernel, PMAP_SELF_CONTAINED, "gcd", "1.0", "u64,u64:u64", NULL, NULL, map, NULL,
    };
    return index == 0 ? &kernel : NULL;
}
