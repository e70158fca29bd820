/* How far it is from one place to another, and in which direction: two results, with names.
 *
 *     pmapgcd --kernel ./libgeo.so -k lat1,lon1,lat2,lon2 --append trips.csv
 *     pmapgcd --kernel ./libgeo.so:bearing --types f64,f64,f64,f64:f64 trips.csv
 */
#include "pmap_kernel.h"
#include <math.h>

#define DEGREE 0.017453292519943295

PMAP_EXPORT double kilometres(double lat1, double lon1, double lat2, double lon2) {
    double a = sin((lat2 - lat1) * DEGREE / 2), b = sin((lon2 - lon1) * DEGREE / 2);
    return 2 * 6371 * asin(sqrt(a * a + cos(lat1 * DEGREE) * cos(lat2 * DEGREE) * b * b));
}

PMAP_EXPORT double bearing(double lat1, double lon1, double lat2, double lon2) {
    double along = (lon2 - lon1) * DEGREE;
    double x = cos(lat1 * DEGREE) * sin(lat2 * DEGREE) - sin(lat1 * DEGREE) * cos(lat2 * DEGREE) * cos(along);
    double degrees = atan2(sin(along) * cos(lat2 * DEGREE), x) / DEGREE;
    return degrees < 0 ? degrees + 360 : degrees;
}

static uint64_t map(void *self, const pmap_batch *batch, pmap_results *results) {
    const double *in[4];
    double *km = (double *)pmap_result_at(results, 0)->values;
    double *degrees = (double *)pmap_result_at(results, 1)->values;
    uint64_t row, at;
    (void)self;
    for (at = 0; at < 4; at++) in[at] = (const double *)pmap_column_at(batch, at)->values;
    for (row = 0; row < batch->rows; row++) {
        for (at = 0; at < 4; at += 2) {
            if (!(fabs(in[at][row]) <= 90)) {
                pmap_say(results->message, results->message_room, "is not a latitude");
                results->field = at + 1;
                return row;
            }
        }
        km[row] = kilometres(in[0][row], in[1][row], in[2][row], in[3][row]);
        degrees[row] = bearing(in[0][row], in[1][row], in[2][row], in[3][row]);
    }
    return batch->rows;
}

const pmap_kernel *pmap_kernel_v1(uint32_t index) {
    static const pmap_kernel kernel = {
        sizeof kernel, PMAP_SELF_CONTAINED, "geo", "1.0", "f64,f64,f64,f64:f64,f64", "km,bearing", NULL, map, NULL,
    };
    return index == 0 ? &kernel : NULL;
}
