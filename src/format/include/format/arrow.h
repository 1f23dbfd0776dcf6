/* The Arrow C Data Interface: the two structures, exactly as https://arrow.apache.org/docs/format/CDataInterface.html
 * defines them. Whoever receives one calls `release` when done; a released or moved structure has release NULL.
 */
#ifndef FORMAT_ARROW_H
#define FORMAT_ARROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE           2
#define ARROW_FLAG_MAP_KEYS_SORTED    4

struct ArrowSchema {
    const char *format;
    const char *name;
    const char *metadata;
    int64_t flags;
    int64_t n_children;
    struct ArrowSchema **children;
    struct ArrowSchema *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};

struct ArrowArray {
    int64_t length;
    int64_t null_count;
    int64_t offset;
    int64_t n_buffers;
    int64_t n_children;
    const void **buffers;
    struct ArrowArray **children;
    struct ArrowArray *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};

#endif

static inline bool firn_arrow_bit(const void *bits, int64_t i)
{
    return (((const uint8_t *)bits)[i >> 3] >> (i & 7) & 1) != 0;
}

/* Is there a value at `at`, to which the array's offset has been added? */
static inline bool firn_arrow_has_value(const struct ArrowArray *array, int64_t at)
{
    const void *valid = array->buffers[0];
    return valid == NULL || array->null_count == 0 || firn_arrow_bit(valid, at);
}

#endif
