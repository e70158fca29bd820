/* base ^ exponent modulo a number that --kernel-args names: a kernel with arguments and a state, which finds rows bad.
 *
 *     pmapgcd --kernel ./libmodpow.so --kernel-args 'modulus=1000003' pairs.csv
 */
#include "pmap_kernel.h"
#include <stdlib.h>

typedef struct {
    uint64_t modulus;
} state;

static int32_t open_kernel(pmap_open *open) {
    static const char name[] = "modulus=";
    state *self;
    char *end;
    uint64_t modulus;
    if (strncmp(open->args, name, sizeof name - 1) != 0) {
        pmap_say(open->message, open->message_room, "--kernel-args 'modulus=N' is expected");
        return 1;
    }
    modulus = strtoull(open->args + sizeof name - 1, &end, 10);
    if (*end || modulus == 0 || modulus > UINT32_MAX) {
        pmap_say(open->message, open->message_room, "the modulus is not a number from 1 to 4294967295");
        return 1;
    }
    self = (state *)malloc(sizeof *self);
    if (!self) return 1;
    self->modulus = modulus;
    open->self = self;
    return 0;
}

static uint64_t map(void *self, const pmap_batch *batch, pmap_results *results) {
    const uint64_t modulus = ((state *)self)->modulus;
    const uint64_t *bases = (const uint64_t *)pmap_column_at(batch, 0)->values;
    const int64_t *exponents = (const int64_t *)pmap_column_at(batch, 1)->values;
    uint64_t *out = (uint64_t *)pmap_result_at(results, 0)->values, row;
    for (row = 0; row < batch->rows; row++) {
        uint64_t base = bases[row] % modulus, power = 1 % modulus;
        int64_t exponent = exponents[row];
        if (exponent < 0) {
            pmap_say(results->message, results->message_room, "is a negative exponent");
            results->field = 2;
            return row;
        }
        for (; exponent; exponent >>= 1) {
            if (exponent & 1) power = power * base % modulus;
            base = base * base % modulus;
        }
        out[row] = power;
    }
    return batch->rows;
}

static void close_kernel(void *self) {
    free(self);
}

const pmap_kernel *pmap_kernel_v1(uint32_t index) {
    static const pmap_kernel kernel = {
        sizeof kernel, PMAP_SELF_CONTAINED, "modpow", "1.0", "u64,i64:u64", NULL, open_kernel, map, close_kernel,
    };
    return index == 0 ? &kernel : NULL;
}
