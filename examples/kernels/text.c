/* Two kernels of text: `copy` returns its input, and `repeat` repeats a text as often as the second column says.
 *
 *     pmapgcd --kernel ./libtext.so:repeat words.csv
 */
#include "pmap_kernel.h"

static uint64_t copy(void *self, const pmap_batch *batch, pmap_results *results) {
    const pmap_column *in = pmap_column_at(batch, 0);
    const pmap_result *out = pmap_result_at(results, 0);
    uint64_t row;
    (void)self;
    for (row = 0; row < batch->rows; row++) {
        size_t length;
        const char *text = pmap_text(in, row, &length);
        if (!pmap_set_text(out, row, text, length)) return row;
    }
    return batch->rows;
}

static uint64_t repeat(void *self, const pmap_batch *batch, pmap_results *results) {
    const pmap_column *in = pmap_column_at(batch, 0);
    const uint32_t *times = (const uint32_t *)pmap_column_at(batch, 1)->values;
    const pmap_result *out = pmap_result_at(results, 0);
    uint64_t row;
    (void)self;
    for (row = 0; row < batch->rows; row++) {
        size_t length, at = (size_t)out->offsets[row];
        const char *text = pmap_text(in, row, &length);
        uint32_t time;
        /* Without a message this says that there is no room: the host calls again with more. */
        if (length && times[row] > (out->room - at) / length) return row;
        for (time = 0; time < times[row]; time++) memcpy((char *)out->values + at + time * length, text, length);
        out->offsets[row + 1] = (int32_t)(at + times[row] * length);
    }
    return batch->rows;
}

const pmap_kernel *pmap_kernel_v1(uint32_t index) {
    static const pmap_kernel kernels[] = {
        {sizeof kernels[0], PMAP_SELF_CONTAINED, "copy", NULL, "text:text", NULL, NULL, copy, NULL},
        {sizeof kernels[0], PMAP_SELF_CONTAINED, "repeat", NULL, "text,u32:text", NULL, NULL, repeat, NULL},
    };
    return index < 2 ? &kernels[index] : NULL;
}
