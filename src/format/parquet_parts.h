/* The rooms of the Parquet writer, for each other:
 *
 *   parquet_thrift.c   Thrift's compact protocol, as far as footers and page headers need it
 *   parquet_gather.c   a column's values of a row group side by side, without the nulls
 *   parquet_chunk.c    those values as pages: dictionary or plain, compressed, with their bounds
 *   parquet_writer.c   row groups, threads, the footer
 */
#ifndef FIRN_FORMAT_PARQUET_PARTS_H
#define FIRN_FORMAT_PARQUET_PARTS_H

#include "base/vec.h"
#include "format/parquet.h"

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
    int64_t from, count;
} firn_parquet_segment;

typedef FIRN_VEC(firn_parquet_segment) firn_parquet_segments;

/* A column's values of a row group. */
typedef struct firn_parquet_values {
    int64_t rows, n;  /* with and without nulls */
    uint8_t *present; /* a byte for each row; NULL: all */
    /* n of bool, int32_t, int64_t, float, double, __int128 (DECIMAL) or firn_bytes (STRING, BINARY, UUID) */
    void *data;
} firn_parquet_values;

firn_rc firn_parquet_gather(const firn_parquet_column *column,
                            const firn_parquet_segments *segments, size_t index, int64_t rows,
                            firn_parquet_values *out, firn_err *err) FIRN_MUST_USE;
void firn_parquet_values_free(firn_parquet_values *values);

/* ---- parquet_chunk.c ---- */

typedef struct firn_parquet_chunk {
    firn_buf out; /* pages */
    int64_t values, plain_bytes;
    int64_t dictionary_bytes; /* at the beginning of `out`; 0: none */
    firn_parquet_stats stats;
} firn_parquet_chunk;

firn_rc firn_parquet_encode(const firn_parquet_options *options, const firn_parquet_column *column,
                            const firn_parquet_values *values, firn_parquet_chunk *out,
                            firn_err *err) FIRN_MUST_USE;
/* Bounds of two chunks of one column as those of both. */
void firn_parquet_stats_join(firn_parquet_kind kind, firn_parquet_stats *to,
                             const firn_parquet_stats *from);

/* A decimal as `width` bytes, big-endian. */
void firn_parquet_decimal_bytes(__int128 value, uint8_t *out, size_t width);

#endif
