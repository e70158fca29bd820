/* Kernels that do what they must not, for the tests: what a kernel does to itself costs its rows and nothing else. */
#include "pmap_kernel.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/* Dies over the number 13. */
static uint64_t crash(void *self, const pmap_batch *batch, pmap_results *results) {
    const int64_t *in = (const int64_t *)pmap_column_at(batch, 0)->values;
    int64_t *out = (int64_t *)pmap_result_at(results, 0)->values;
    uint64_t row;
    (void)self;
    for (row = 0; row < batch->rows; row++) {
        if (in[row] == 13) *(volatile int *)0 = 13;
        out[row] = in[row];
    }
    return batch->rows;
}

/* Says over 1 that it has done more rows than there are, over 3 that its text ends before it begins, over 4
 * that it ends outside of its room, over 5 answers what is no UTF-8, over 6 blames column 99, over 7 there is never enough room, over 8
 * it moves the first offset, and over 9 it sets none. */
static uint64_t lie(void *self, const pmap_batch *batch, pmap_results *results) {
    const int64_t *in = (const int64_t *)pmap_column_at(batch, 0)->values;
    const pmap_result *out = pmap_result_at(results, 0);
    uint64_t row;
    (void)self;
    for (row = 0; row < batch->rows; row++) {
        if (in[row] == 9) {
            pmap_set_missing(out, row);
            continue;
        }
        pmap_set_text(out, row, "good", 4);
        if (in[row] == 1) return batch->rows + 1;
        if (in[row] == 3 || in[row] == 4) {
            out->offsets[row + 1] = in[row] == 3 ? -2 : INT32_MAX;
            return row + 1;
        }
        if (in[row] == 5) ((char *)out->values)[out->offsets[row]] = (char)0xff;
        if (in[row] == 6) {
            pmap_say(results->message, results->message_room, "column 99 is bad\x1b[7m");
            results->field = 99;
            return row;
        }
        if (in[row] == 7) return row;
        if (in[row] == 8) out->offsets[0] = 1;
    }
    return batch->rows;
}

/* Does nothing if 13 is among the numbers. */
static uint64_t idle(void *self, const pmap_batch *batch, pmap_results *results) {
    const int64_t *in = (const int64_t *)pmap_column_at(batch, 0)->values;
    uint64_t row;
    (void)self;
    for (row = 0; row < batch->rows; row++) {
        if (in[row] == 13) return 0;
        ((int64_t *)pmap_result_at(results, 0)->values)[row] = in[row];
    }
    return batch->rows;
}

/* Needs 4 MiB of stack. */
static uint64_t deep(void *self, const pmap_batch *batch, pmap_results *results) {
    volatile char much[4 << 20];
    size_t at;
    for (at = 0; at < sizeof much; at += 4096) much[at] = 1;
    return idle(self, batch, results) * (uint64_t)much[4096];
}

static uint64_t lazy(void *self, const pmap_batch *batch, pmap_results *results) {
    (void)self, (void)batch, (void)results;
    return 0;
}

/* Does one row a call. */
static uint64_t step(void *self, const pmap_batch *batch, pmap_results *results) {
    (void)self;
    ((int64_t *)pmap_result_at(results, 0)->values)[0] = ((const int64_t *)pmap_column_at(batch, 0)->values)[0];
    return 1;
}

/* Prints to stdout in every way there is. */
static uint64_t print(void *self, const pmap_batch *batch, pmap_results *results) {
    int64_t *out = (int64_t *)pmap_result_at(results, 0)->values;
    uint64_t row;
    (void)self;
    printf("printed by printf\n");
    if (write(1, "printed by write\n", 17) != 17) return 0;
    for (row = 0; row < batch->rows; row++) out[row] = ((const int64_t *)pmap_column_at(batch, 0)->values)[row];
    return batch->rows;
}

/* Says whether it can open a file, and a thread that it has started when it was opened. */
static volatile int asked, found;

static void *look(void *argument) {
    (void)argument;
    while (!asked) usleep(1000);
    found = open("/dev/null", O_RDONLY) >= 0 ? 1 : 2;
    return NULL;
}

static int32_t open_look(pmap_open *open) {
    pthread_t thread;
    (void)open;
    return pthread_create(&thread, NULL, look, NULL);
}

static uint64_t files(void *self, const pmap_batch *batch, pmap_results *results) {
    const pmap_result *out = pmap_result_at(results, 0);
    uint64_t row;
    (void)self;
    asked = 1;
    while (!found) usleep(1000);
    for (row = 0; row < batch->rows; row++) {
        const char *text = open("/dev/null", O_RDONLY) >= 0 ? "open" : "denied";
        if (!pmap_set_text(out, row, text, strlen(text))) return row;
        ((int64_t *)pmap_result_at(results, 1)->values)[row] = found;
    }
    return batch->rows;
}

/* Needs more address space than a confined worker has. */
static uint64_t space(void *self, const pmap_batch *batch, pmap_results *results) {
    int64_t *out = (int64_t *)pmap_result_at(results, 0)->values;
    uint64_t row;
    void *much = mmap(NULL, (size_t)64 << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    (void)self;
    for (row = 0; row < batch->rows; row++) out[row] = much != MAP_FAILED;
    if (much != MAP_FAILED) munmap(much, (size_t)64 << 30);
    return batch->rows;
}

static int32_t refuse(pmap_open *open) {
    pmap_say(open->message, open->message_room, "the model is not there");
    return 1;
}

static int32_t open_by_args(pmap_open *open) {
    open->types = strcmp(open->args, "text") == 0 ? "text:text" : "i64:i64";
    open->names = "answer";
    return 0;
}

#define I64(name, map) {sizeof(pmap_kernel), 0, name, NULL, "i64:i64", NULL, NULL, map, NULL}

const pmap_kernel *pmap_kernel_v1(uint32_t index) {
    static const pmap_kernel kernels[] = {
        I64("crash", crash),
        I64("print", print),
        I64("lazy", lazy),
        I64("idle", idle),
        I64("deep", deep),
        I64("step", step),
        I64("space", space),
        {sizeof(pmap_kernel), PMAP_SELF_CONTAINED, "little", NULL, "i64:i64", NULL, NULL, space, NULL},
        {sizeof(pmap_kernel), 0, "lie", NULL, "i64:text", NULL, NULL, lie, NULL},
        {sizeof(pmap_kernel), PMAP_SELF_CONTAINED, "files", NULL, "i64:text,i64", NULL, open_look, files, NULL},
        {sizeof(pmap_kernel), 0, "free", NULL, "i64:text,i64", NULL, open_look, files, NULL},
        {sizeof(pmap_kernel), 0, "refuse", NULL, "i64:i64", NULL, refuse, lazy, NULL},
        {sizeof(pmap_kernel), 0, "by_args", NULL, NULL, NULL, open_by_args, print, NULL},
    };
    return index < sizeof kernels / sizeof kernels[0] ? &kernels[index] : NULL;
}
