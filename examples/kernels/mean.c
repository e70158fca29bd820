/* The mean of the values that a row has, in any number of columns, and how many there are. Without any, the mean is missing.
 *
 *     pmapgcd --kernel ./libmean.so -k mon,tue,wed --append=average,days week.csv
 */
#include "pmap_kernel.h"

static uint64_t map(void *self, const pmap_batch *batch, pmap_results *results) {
    const pmap_result *means = pmap_result_at(results, 0);
    double *mean = (double *)means->values;
    uint32_t *count = (uint32_t *)pmap_result_at(results, 1)->values;
    uint64_t row, at;
    (void)self;
    for (row = 0; row < batch->rows; row++) {
        double sum = 0;
        count[row] = 0;
        for (at = 0; at < batch->count; at++) {
            const pmap_column *column = pmap_column_at(batch, at);
            if (pmap_is_missing(column, row)) continue;
            sum += ((const double *)column->values)[row];
            count[row]++;
        }
        if (count[row]) mean[row] = sum / count[row];
        else pmap_set_missing(means, row);
    }
    return batch->rows;
}

const pmap_kernel *pmap_kernel_v1(uint32_t index) {
    static const pmap_kernel kernel = {
        sizeof kernel, PMAP_SELF_CONTAINED, "mean", "1.0", "f64/na,...:f64,u32", "mean,count", NULL, map, NULL,
    };
    return index == 0 ? &kernel : NULL;
}
