/* A host that is newer than the kernels: all structs that it passes have more at their ends, so that arrays of them have another stride.
 * It maps two rows with `mean` and with `copy`, and prints what they answer. */
#include "pmap_kernel.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static const pmap_kernel *kernel(const char *file) {
    void *library = dlopen(file, RTLD_NOW);
    void *found = library ? dlsym(library, "pmap_kernel_v1") : NULL;
    const pmap_kernel *(*find)(uint32_t);
    if (!found) exit(2);
    memcpy(&find, &found, sizeof find);
    return find(0);
}

int main(int argc, char **argv) {
    const size_t more = argc > 3 ? (size_t)atoi(argv[3]) : 0;
    const size_t in = sizeof(pmap_column) + more, out = sizeof(pmap_result) + more;
    char *columns = (char *)calloc(2, in), *rooms = (char *)calloc(2, out), message[99] = "";
    const double a[] = {1, 0}, b[] = {2, 0};
    const uint8_t there[] = {1};
    double mean[2] = {0, 0};
    uint32_t count[2] = {9, 9};
    uint8_t valid[2] = {0xff, 0xff};
    const int32_t offsets[] = {0, 2, 2};
    int32_t ends[3] = {0, 0, 0};
    char text[9] = "";
    pmap_batch batch = {(uint32_t)(sizeof batch + more), (uint32_t)in, 2, 2, (const pmap_column *)(void *)columns};
    pmap_results results = {
        (uint32_t)(sizeof results + more), (uint32_t)out, 2, (const pmap_result *)(void *)rooms, message, sizeof message, 0,
    };
    pmap_column *first = (pmap_column *)(void *)columns, *second = (pmap_column *)(void *)(columns + in);
    pmap_result *one = (pmap_result *)(void *)rooms, *two = (pmap_result *)(void *)(rooms + out);
    if (argc < 3) return 2;
    memset(columns, 0x5a, 2 * in);
    memset(rooms, 0x5a, 2 * out);
    *first = (pmap_column){a, NULL, there};
    *second = (pmap_column){b, NULL, there};
    *one = (pmap_result){mean, NULL, &valid[0], 0};
    *two = (pmap_result){count, NULL, &valid[1], 0};
    if (kernel(argv[1])->map(NULL, &batch, &results) != 2) return 1;
    printf("%g %u\n%s %u\n", mean[0], count[0], valid[0] & 2 ? "?" : "-", count[1]);
    batch.count = results.count = 1;
    *first = (pmap_column){"ab", offsets, NULL};
    *one = (pmap_result){text, ends, &valid[0], sizeof text};
    if (kernel(argv[2])->map(NULL, &batch, &results) != 2) return 1;
    printf("%.*s %.*s\n", (int)ends[1], text, (int)(ends[2] - ends[1]), text + ends[1]);
    free(columns);
    free(rooms);
    return 0;
}
