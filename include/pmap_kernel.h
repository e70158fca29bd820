/* pmap_kernel.h: functions in C, C++, Rust or any other language that
 * `pmapgcd --kernel ./libyours.so` maps over the rows of a CSV.
 *
 * A plain C function of numbers needs none of this: name it with its types,
 *
 *     pmapgcd --kernel ./libgeo.so:bearing --types f64,f64,f64,f64:f64
 *
 * This header is for kernels that take text, values that may be missing or any
 * number of columns, that return several results, keep a state, take arguments,
 * or find rows bad. Such a library exports one function, `pmap_kernel_v1`.
 *
 * The rules, both ways:
 *  - The major version is in the name of that function. The minor one is in the
 *    sizes: each struct begins with its size in bytes, as its writer knows it.
 *    Fields are only ever appended, and no side reads or writes past the size
 *    of the other. Arrays of structs come with the distance from one to the
 *    next (their stride): reach them with the functions at the end.
 *  - All memory belongs to who made it. The kernel never frees or keeps what it
 *    is given, pmapgcd never frees what the kernel has, and nothing that a call
 *    is given may be used after the call.
 *  - Each worker is a thread of its own, in a process of its own unless the
 *    executor is `serial` or `threads`. The `self` that `open` sets is used by
 *    the worker that opened it, and by no two calls at the same time.
 *  - Results must depend on the row alone: rows come in batches of any size, in
 *    any order, and again where a worker has died or an answer was invalid.
 *  - A kernel leaves the floating-point environment as it found it, and never
 *    ends the process.
 *
 * C99, C++11, and whoever can follow a pointer. docs/kernels.md has examples.
 */
#ifndef PMAP_KERNEL_H
#define PMAP_KERNEL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Puts pmap_kernel_v1 among the symbols of the library. */
#if defined(__GNUC__)
#define PMAP_EXPORT __attribute__((visibility("default")))
#else
#define PMAP_EXPORT
#endif

/* Bits of `flags`. A library with a bit that pmapgcd does not know is refused. */
#define PMAP_SELF_CONTAINED 1u /* After `open` it needs nothing but memory and the clock: no file, no network,
                                  no process, no new thread. Worker processes are denied all else. */

/* A column of values, in Arrow's layout. */
typedef struct pmap_column {
    const void *values;       /* numbers: an array of them; text: the bytes of all values */
    const int32_t *offsets;   /* text: row r is at values[offsets[r]] up to offsets[r + 1], without a NUL; else NULL */
    const uint8_t *validity;  /* /na: bit r % 8 of byte r / 8 is 0 where row r has no value; NULL: all have one */
} pmap_column;

/* Rows to map. */
typedef struct pmap_batch {
    uint32_t size;              /* of this struct */
    uint32_t stride;            /* bytes from one column to the next */
    uint64_t rows;              /* at least 1 */
    uint64_t count;             /* of columns: as many as types; with "..." also more */
    const pmap_column *columns;
} pmap_batch;

/* Where the results of a column go. */
typedef struct pmap_result {
    void *values;       /* numbers: room for `rows` of them; text: room for `room` bytes */
    int32_t *offsets;   /* text: rows + 1 of them; the first is 0 and stays so; set offsets[r + 1] to the end of row r,
                           even if that is missing. Numbers: NULL */
    uint8_t *validity;  /* all bits are 1; a result whose bit is 0 is an empty field */
    uint64_t room;      /* text: the bytes that `values` has room for */
} pmap_result;

/* Where all results go, and what is wrong with a row. */
typedef struct pmap_results {
    uint32_t size;               /* of this struct */
    uint32_t stride;             /* bytes from one column of results to the next */
    uint64_t count;              /* of columns of results */
    const pmap_result *columns;
    char *message;               /* empty; room for what is wrong with the first row not done, with a NUL at its end */
    uint64_t message_room;       /* the bytes that `message` has room for, the NUL counted */
    uint64_t field;              /* 0; set it to the number, from 1, of the column at fault, if it is a single one */
} pmap_results;

/* What `open` is given, and what it answers. */
typedef struct pmap_open {
    uint32_t size;          /* of this struct */
    uint32_t reserved;      /* 0 */
    const char *args;       /* the text of --kernel-args, or "" */
    void *self;             /* NULL; set it to what `map` and `close` are to be given */
    const char *types;      /* NULL; where these depend on `args`, set them, in the form of pmap_kernel. They */
    const char *names;      /* must stay until `close`. */
    char *message;          /* empty; room for the reason why `open` fails, with a NUL at its end */
    uint64_t message_room;  /* the bytes that `message` has room for, the NUL counted */
} pmap_open;

/* A kernel. All texts are UTF-8. */
typedef struct pmap_kernel {
    uint32_t size;        /* sizeof(pmap_kernel) */
    uint32_t flags;       /* PMAP_... or 0 */
    const char *name;     /* by which --kernel ./lib.so:NAME finds it, and the name of its result if `names` is NULL */
    const char *version;  /* for --describe, or NULL */
    const char *types;    /* as --types has them: "f64,text/na:f64,i64" for two columns and two results, of i32 i64 u32
                             u64 f32 f64 text. /na: the value may be missing. "f64,...:f64": one f64 or more. NULL: `open`
                             says them. */
    const char *names;    /* of the results, for a header: "km,bearing"; NULL if `name` is that of the only one */

    /* Called once by each worker, and once by a process that only asks what the kernel is. Returns 0, or another
     * number and a message. May be NULL. */
    int32_t (*open)(pmap_open *open);

    /* Maps the rows of `batch`, from the first. Returns how many are done. If fewer than there are: with a message,
     * the next row is bad, and is not tried again; without one, there was no room for more text. If no row is done
     * then, the next call has more room. */
    uint64_t (*map)(void *self, const pmap_batch *batch, pmap_results *results);

    /* Called at the end of a worker thread, and by the process that only asks what the kernel is. Worker processes
     * are killed instead. May be NULL. */
    void (*close)(void *self);
} pmap_kernel;

/* The function to export: kernel number `index` of the library, from 0, or NULL behind the last one. */
typedef const pmap_kernel *pmap_kernel_function(uint32_t index);
PMAP_EXPORT const pmap_kernel *pmap_kernel_v1(uint32_t index);

/* Whether the other side knows this field of the struct that it passed. Needed for fields that are newer than the
 * first version, which has all fields above. */
#define PMAP_HAS(pointer, type, field) \
    ((pointer)->size >= offsetof(type, field) + sizeof((pointer)->field))

/* Column `at` of a batch, and of results, from 0. */
static inline const pmap_column *pmap_column_at(const pmap_batch *batch, uint64_t at) {
    return (const pmap_column *)(const void *)((const char *)batch->columns + at * batch->stride);
}
static inline const pmap_result *pmap_result_at(const pmap_results *results, uint64_t at) {
    return (const pmap_result *)(const void *)((const char *)results->columns + at * results->stride);
}

/* Whether row `row` of a column has no value. */
static inline int pmap_is_missing(const pmap_column *column, uint64_t row) {
    return column->validity && !(column->validity[row / 8] >> row % 8 & 1);
}

/* Makes the result of row `row` an empty field. A text needs its offset all the same, which
 * pmap_set_text(result, row, "", 0) sets: the next text begins there. */
static inline void pmap_set_missing(const pmap_result *result, uint64_t row) {
    result->validity[row / 8] = (uint8_t)(result->validity[row / 8] & ~(1u << row % 8));
}

/* The text of row `row`: its first byte, and its length in `length`. */
static inline const char *pmap_text(const pmap_column *column, uint64_t row, size_t *length) {
    *length = (size_t)(column->offsets[row + 1] - column->offsets[row]);
    return (const char *)column->values + column->offsets[row];
}

/* Makes the `length` bytes at `text` the result of row `row`. Rows must be set in order, from 0. Returns 0 if there is
 * no room: `map` must then return `row`. */
static inline int pmap_set_text(const pmap_result *result, uint64_t row, const char *text, size_t length) {
    size_t at = (size_t)result->offsets[row];
    if (length > result->room - at) return 0;
    if (length) memcpy((char *)result->values + at, text, length);
    result->offsets[row + 1] = (int32_t)(at + length);
    return 1;
}

/* Puts `text` into room for a message. */
static inline void pmap_say(char *message, uint64_t room, const char *text) {
    uint64_t n = 0;
    if (room == 0) return;
    for (; n + 1 < room && text[n]; n++) message[n] = text[n];
    message[n] = 0;
}

#ifdef __cplusplus
}
#endif
#endif
