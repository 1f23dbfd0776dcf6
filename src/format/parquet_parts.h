/* The rooms of the Parquet writer, for each other:
 *
 *   parquet_thrift.c   Thrift's compact protocol, as far as footers and page headers need it
 *   parquet_gather.c   a column's values of a row group side by side, without the nulls
 *   parquet_dictionary.c  the different ones among them, and a number for each value
 *   parquet_bounds.c   the least and the greatest of them
 *   parquet_bits.c     numbers and levels as runs and packed bits
 *   parquet_chunk.c    the values as pages: dictionary or plain, compressed
 *   parquet_writer.c   row groups, threads, the footer
 *
 * Words are read and written as they lie in memory: little-endian, as the file wants them.
 */
#ifndef FIRN_FORMAT_PARQUET_PARTS_H
#define FIRN_FORMAT_PARQUET_PARTS_H

#include "base/vec.h"
#include "compress.h"
#include "format/parquet.h"

#include <stdlib.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "values go into pages as they lie");

/* ---- parquet_thrift.c ---- */

enum { FIRN_THRIFT_DEPTH = 8 };

typedef struct firn_thrift {
    firn_buf *out;
    int depth;
    int last[FIRN_THRIFT_DEPTH]; /* field id, of each open struct */
} firn_thrift;

typedef enum firn_thrift_type {
    FIRN_THRIFT_I32 = 5,
    FIRN_THRIFT_BINARY = 8,
    FIRN_THRIFT_STRUCT = 12,
} firn_thrift_type;

void firn_thrift_i32(firn_thrift *t, int id, int32_t value);
void firn_thrift_i64(firn_thrift *t, int id, int64_t value);
void firn_thrift_bool(firn_thrift *t, int id, bool value);
void firn_thrift_bytes(firn_thrift *t, int id, firn_bytes value);
void firn_thrift_open(firn_thrift *t, int id); /* a struct as a field */
void firn_thrift_list(firn_thrift *t, int id, firn_thrift_type type, size_t n);
/* Elements of a list. */
void firn_thrift_item(firn_thrift *t);
void firn_thrift_item_i32(firn_thrift *t, int32_t value);
void firn_thrift_item_bytes(firn_thrift *t, firn_bytes value);
void firn_thrift_close(firn_thrift *t); /* a field's struct, an element's, the outermost one */

/* Unsigned, as Thrift and Parquet's runs have them. */
void firn_put_varint(firn_buf *out, uint64_t value);

/* ---- what the specification numbers ---- */

enum { FIRN_ENCODING_PLAIN = 0, FIRN_ENCODING_RLE = 3, FIRN_ENCODING_DICTIONARY = 8 };

typedef enum firn_parquet_physical {
    FIRN_PHYSICAL_BOOLEAN = 0,
    FIRN_PHYSICAL_INT32 = 1,
    FIRN_PHYSICAL_INT64 = 2,
    FIRN_PHYSICAL_FLOAT = 4,
    FIRN_PHYSICAL_DOUBLE = 5,
    FIRN_PHYSICAL_BYTE_ARRAY = 6,
    FIRN_PHYSICAL_FIXED = 7,
} firn_parquet_physical;

firn_parquet_physical firn_parquet_physical_of(const firn_parquet_column *column);
/* Bytes of a value in the file; 0 for BYTE_ARRAY and BOOLEAN. */
size_t firn_parquet_width_of(const firn_parquet_column *column);

/* ---- parquet_gather.c ---- */

typedef struct firn_parquet_segment {
    const firn_parquet_source *sources;
    const uint32_t *pick;
    int64_t from, count;
} firn_parquet_segment;

typedef FIRN_VEC(firn_parquet_segment) firn_parquet_segments;

/* What a value is in memory between Arrow and the file: bool, int32_t or float, int64_t or double, __int128, firn_bytes. A decimal is as narrow as its
 * precision lets it be. */
typedef enum firn_parquet_item {
    FIRN_ITEM_BOOL,
    FIRN_ITEM_4,
    FIRN_ITEM_8,
    FIRN_ITEM_16,
    FIRN_ITEM_TEXT,
    FIRN_ITEM_UUID, /* a text of 16 bytes, without its length in the file */
} firn_parquet_item;

firn_parquet_item firn_parquet_item_of(const firn_parquet_column *column);

/* A column's values of a row group. The room that they are in serves one column after another. */
typedef struct firn_parquet_values {
    int64_t rows, n;        /* with and without nulls */
    const uint8_t *present; /* a byte for each row; NULL: all */
    void *data;             /* n items */
    size_t data_bytes;      /* of room */
    uint8_t *present_room;
    size_t present_bytes;
} firn_parquet_values;

firn_rc firn_parquet_gather(const firn_parquet_column *column,
                            const firn_parquet_segments *segments, size_t index, int64_t rows,
                            firn_parquet_values *out, firn_err *err) FIRN_MUST_USE;
void firn_parquet_values_free(firn_parquet_values *values);

/* ---- parquet_dictionary.c ---- */

typedef struct firn_parquet_entry {
    uint64_t head, tail; /* what it is hashed by; up to 16 bytes, all of the text */
    firn_bytes text;
} firn_parquet_entry;

/* Also room that serves one column after another. */
typedef struct firn_parquet_dictionary {
    size_t n;
    uint32_t *codes; /* a number for each value of the chunk */
    void *keys;      /* the n values: uint32_t, uint64_t or firn_parquet_entry */
    uint64_t *slots;
    size_t mask;
    int64_t steps; /* past slots of other values */
    size_t codes_bytes, keys_bytes, slots_bytes;
} firn_parquet_dictionary;

/* What one row group teaches about a column for the next ones. */
typedef struct firn_parquet_habit {
    unsigned dictionary_skip,
        dictionary_failures; /* row groups without a trial, trials that failed */
    unsigned packing_skip, packing_failures;
} firn_parquet_habit;

typedef struct firn_parquet_numbering {
    firn_parquet_item item;
    size_t max;    /* of different values */
    int64_t low;   /* of whole numbers the least */
    uint64_t span; /* and how far the greatest is from it; UINT64_MAX: not known */
} firn_parquet_numbering;

/* True when the column is better written by a dictionary. */
bool firn_parquet_number(const firn_parquet_numbering *how, const firn_parquet_values *values,
                         firn_parquet_dictionary *out);
void firn_parquet_dictionary_free(firn_parquet_dictionary *dictionary);
/* Bits that the numbers of n values need, at least one. */
unsigned firn_parquet_bits_of(size_t n);

/* ---- parquet_bounds.c ---- */

/* Bounds, nulls, NaNs. Of texts in a dictionary the few different ones are looked at. */
void firn_parquet_bound(const firn_parquet_column *column, const firn_parquet_values *values,
                        firn_parquet_stats *out);
void firn_parquet_bound_entries(const firn_parquet_values *values,
                                const firn_parquet_dictionary *dictionary, firn_parquet_stats *out);
/* Bounds of two chunks of one column as those of both. */
void firn_parquet_stats_join(firn_parquet_kind kind, firn_parquet_stats *to,
                             const firn_parquet_stats *from);

/* ---- parquet_bits.c ---- */

/* Length, then runs: definition levels of a page. */
void firn_put_levels(firn_buf *out, const uint8_t *present, int64_t rows);
/* Runs of `bits` wide numbers, none of them larger than what the bits hold. */
void firn_put_runs(firn_buf *out, const uint32_t *codes, int64_t n, unsigned bits);
void firn_put_bools(firn_buf *out, const uint8_t *values, int64_t n); /* bytes of 0 and 1 */

/* ---- parquet_chunk.c ---- */

typedef struct firn_parquet_chunk {
    firn_buf out; /* pages */
    firn_parquet_codec codec;
    int64_t values, plain_bytes;
    int64_t dictionary_bytes; /* at the beginning of `out`; 0: none */
    firn_parquet_stats stats;
} firn_parquet_chunk;

/* What a thread needs to encode a column, kept for the next one. Zeroed is empty. */
typedef struct firn_parquet_desk {
    firn_parquet_values values;
    firn_parquet_dictionary dictionary;
    firn_buf page, packed;
    firn_zstd *zstd;
    struct firn_parquet_desk *next; /* the writer's list of those that are free */
} firn_parquet_desk;

void firn_parquet_desk_deinit(firn_parquet_desk *desk);

/* desk->values as pages. `out` keeps its room. */
firn_rc firn_parquet_encode(const firn_parquet_options *options, const firn_parquet_column *column,
                            firn_parquet_desk *desk, firn_parquet_habit *habit,
                            firn_parquet_chunk *out, firn_err *err) FIRN_MUST_USE;

/* A decimal as `width` bytes, big-endian. */
void firn_parquet_decimal_bytes(__int128 value, uint8_t *out, size_t width);

/* ---- room ---- */

/* At least so many bytes; what was in them is gone. */
static inline void *firn_room(void **room, size_t *has, size_t bytes)
{
    if (*has < bytes) {
        free(*room);
        *room = firn_malloc(bytes);
        *has = bytes;
    }
    return *room;
}

#endif
