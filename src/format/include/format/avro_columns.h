/* Avro records into columns: a (writer schema, reader schema) pair is compiled once into a small program, which
 * then decodes whole blocks into typed arrays laid out as Arrow lays them out.
 *
 *     firn_avro_decoder *decoder;
 *     FIRN_TRY(firn_avro_decoder_new(arena, writer, reader, NULL, &decoder, err));
 *     FIRN_AUTO_AVRO_BATCH firn_avro_batch *batch = firn_avro_batch_new(decoder);
 *     FIRN_TRY(firn_avro_decoder_decode(decoder, block.data, block.record_count, batch, err));
 *     const firn_avro_column *path = firn_avro_column_by_id(firn_avro_batch_root(batch), 500);
 *     for (int64_t row = 0; row < path->length; row++)
 *         use(firn_avro_column_bytes(path, row));
 *
 * What becomes what. A union of null and T is T's column, nullable.
 *
 *   Avro (reader's type)                 column         buffers
 *   null                                 NULL           none; every row is null
 *   boolean                              BOOL           data: bits, LSB first
 *   int (date, time-millis)              INT32          data: int32_t
 *   long (time-micros, timestamp-*)      INT64          data: int64_t
 *   float, double                        FLOAT, DOUBLE  data: float, double
 *   string, enum (its symbol)            STRING         offsets: int32_t[length + 1], data: bytes
 *   bytes                                BYTES          offsets, data
 *   fixed                                FIXED          data: fixed_size bytes each
 *   decimal, precision 1 to 38           DECIMAL128     data: 16-byte little-endian two's complement
 *   record                               STRUCT         one child a field, same length
 *   array                                LIST           offsets into child 0
 *   map, array with logicalType map      MAP            offsets into child 0, a STRUCT of key and value
 *   other unions                         STRUCT         children: tag (INT32), then the non-null branches in order,
 *                                                       of which row's tag names one, the others being null (the shape
 *                                                       Iceberg, Hive and Trino use). Their names are the branches':
 *                                                       "string", "Order" (its last part); "field0", "field1"... where
 *                                                       those are not distinct
 *
 * A larger decimal stays FIXED or BYTES, big-endian as in Avro; a decimal that does not fit 16 bytes is CORRUPT.
 * A recursive reader schema has no columns: UNSUPPORTED (decode values instead).
 *
 * Validity is a bitmap, LSB first, set for valid; NULL when the column is not nullable. A null row still holds a
 * zero or an empty range. A child of a null struct row is such a filler, even if the child is not nullable itself.
 */
#ifndef FORMAT_AVRO_COLUMNS_H
#define FORMAT_AVRO_COLUMNS_H

#include "format/arrow.h"
#include "format/avro_schema.h"

typedef enum firn_avro_column_type {
    FIRN_AVRO_COL_NULL,
    FIRN_AVRO_COL_BOOL,
    FIRN_AVRO_COL_INT32,
    FIRN_AVRO_COL_INT64,
    FIRN_AVRO_COL_FLOAT,
    FIRN_AVRO_COL_DOUBLE,
    FIRN_AVRO_COL_STRING,
    FIRN_AVRO_COL_BYTES,
    FIRN_AVRO_COL_FIXED,
    FIRN_AVRO_COL_DECIMAL128,
    FIRN_AVRO_COL_STRUCT,
    FIRN_AVRO_COL_LIST,
    FIRN_AVRO_COL_MAP,
} firn_avro_column_type;

typedef struct firn_avro_quick firn_avro_quick;

typedef struct firn_avro_column {
    firn_avro_column_type type;
    bool nullable;
    bool is_union; /* STRUCT that stands for a general union */
    int32_t
        field_id; /* field-id, element-id, key-id or value-id of the reader's schema; -1: none */
    const char
        *name; /* field name; "element", "entries", "key", "value", "tag" where Avro has none */
    const firn_avro_schema
        *schema;    /* reader's type, the null branch taken off; NULL for tag and map keys */
    int64_t length; /* rows */
    int64_t null_count;
    uint8_t *validity;
    int32_t *offsets;  /* STRING, BYTES, LIST, MAP */
    uint8_t *data;     /* 16-byte aligned */
    int64_t item_size; /* bytes a row in `data`; 0 for BOOL and where offsets tell */
    struct firn_avro_column *children;
    size_t child_count;
    int64_t row_cap;              /* internal: rows and bytes that fit */
    int64_t data_cap;             /* internal */
    int64_t row_hint;             /* internal: rows and bytes that the batch before held */
    int64_t data_hint;            /* internal */
    const firn_avro_quick *quick; /* internal, of a STRUCT: the short way for its fields */
} firn_avro_column;

typedef struct firn_avro_decoder firn_avro_decoder;
typedef struct firn_avro_batch firn_avro_batch;

typedef struct firn_avro_decoder_opts {
    bool by_field_id;    /* pair record fields by Iceberg field-id instead of by name and alias */
    bool unchecked_utf8; /* take strings as they come; by default invalid UTF-8 is CORRUPT */
    size_t batch_bytes_max; /* memory that one batch may take; 0: 2 GiB. Past it: LIMIT */
    bool
        even_batches; /* once moved out, a batch begins anew with the room that it held: for batches of about one size */
    bool
        keeps_buffers; /* ... in buffers that were released, which are kept for that: for few decoders, since they count to nobody's bound */
} firn_avro_decoder_opts;

/* Compile. `reader` NULL means as written; `opts` may be NULL; both schemas must be records and outlive the
 * decoder. TYPE if the schemas do not resolve (a union branch that does not resolve fails only when met). */
firn_rc firn_avro_decoder_new(firn_arena *arena, const firn_avro_schema *writer,
                              const firn_avro_schema *reader, const firn_avro_decoder_opts *opts,
                              firn_avro_decoder **out, firn_err *err) FIRN_MUST_USE;

/* Columns of a record schema for decoders of other formats (format/json_columns.h, format/protobuf.h), which fill batches row by row:
 * firn_avro_decoder_decode must not be called with it. Every wire format is held in these columns. */
firn_rc firn_avro_decoder_new_shape(firn_arena *arena, const firn_avro_schema *schema,
                                    const firn_avro_decoder_opts *opts, firn_avro_decoder **out,
                                    firn_err *err) FIRN_MUST_USE;

/* Heap; must be freed before the decoder's arena. Many batches may share a decoder. */
firn_avro_batch *firn_avro_batch_new(const firn_avro_decoder *decoder);
void firn_avro_batch_free(firn_avro_batch *batch);          /* NULL is fine */
void firn_avro_batch_clear(firn_avro_batch *batch);         /* no rows, memory kept */
size_t firn_avro_batch_bytes(const firn_avro_batch *batch); /* memory that it takes */

/* Of that memory, what rows are in: the same for the same rows, however they came. */
size_t firn_avro_batch_used_bytes(const firn_avro_batch *batch);

/* Rows by hand, beside what a decoder appends. LIMIT leaves the batch as it was. */
void firn_avro_batch_truncate(firn_avro_batch *batch, int64_t rows); /* take back all but `rows` */
/* A row without values: null where the column can be, else a zero or an empty range. */
firn_rc firn_avro_batch_add_filler(firn_avro_batch *batch, firn_err *err) FIRN_MUST_USE;
/* A row of a record whose one field is a string or bytes. CORRUPT: no UTF-8 (of a string). */
firn_rc firn_avro_batch_add_value(firn_avro_batch *batch, firn_bytes value,
                                  firn_err *err) FIRN_MUST_USE;
/* A row of a record, field by field: whole numbers, strings and bytes, and null in a nullable column of any type. The cells are one for
 * each field. CORRUPT as above. */
typedef struct firn_avro_cell {
    bool null;
    int64_t number;   /* INT32, INT64 */
    firn_bytes bytes; /* STRING, BYTES */
} firn_avro_cell;
firn_rc firn_avro_batch_add_cells(firn_avro_batch *batch, const firn_avro_cell *cells,
                                  firn_err *err) FIRN_MUST_USE;
/* Make these rows (ascending) null before they are handed out, whatever the schema says of the column: of every field of
 * the record, or of the record itself. */
void firn_avro_batch_set_null_fields(firn_avro_batch *batch, const int64_t *rows, size_t n);
void firn_avro_batch_set_null_rows(firn_avro_batch *batch, const int64_t *rows, size_t n);

/* Append exactly `record_count` records that fill `data` exactly. On failure the batch is as it was before the
 * call, and the message says which record of the call failed: CORRUPT for malformed bytes, TYPE for a union
 * branch or enum symbol that the reader does not have, LIMIT past 2^31 - 1 rows or bytes in a column or past
 * batch_bytes_max. */
firn_rc firn_avro_decoder_decode(const firn_avro_decoder *decoder, firn_bytes data,
                                 int64_t record_count, firn_avro_batch *batch,
                                 firn_err *err) FIRN_MUST_USE;

/* The record itself: a STRUCT, not nullable, whose children are the reader's fields in order. */
const firn_avro_column *firn_avro_batch_root(const firn_avro_batch *batch);

/* Child by name or by Iceberg field id, or NULL; LIST and MAP are looked through to their elements' struct. */
const firn_avro_column *firn_avro_column_by_name(const firn_avro_column *parent, const char *name);
const firn_avro_column *firn_avro_column_by_id(const firn_avro_column *parent, int32_t field_id);

static inline bool firn_avro_column_valid(const firn_avro_column *column, int64_t row)
{
    if (column->type == FIRN_AVRO_COL_NULL)
        return false;
    return !column->validity || (column->validity[row >> 3] >> (row & 7) & 1);
}

static inline bool firn_avro_column_bool(const firn_avro_column *column, int64_t row)
{
    return column->data[row >> 3] >> (row & 7) & 1;
}

static inline int32_t firn_avro_column_i32(const firn_avro_column *column, int64_t row)
{
    return ((const int32_t *)(const void *)column->data)[row];
}

static inline int64_t firn_avro_column_i64(const firn_avro_column *column, int64_t row)
{
    return ((const int64_t *)(const void *)column->data)[row];
}

static inline float firn_avro_column_f32(const firn_avro_column *column, int64_t row)
{
    return ((const float *)(const void *)column->data)[row];
}

static inline double firn_avro_column_f64(const firn_avro_column *column, int64_t row)
{
    return ((const double *)(const void *)column->data)[row];
}

/* STRING, BYTES, FIXED, DECIMAL128; borrowed from the batch until it is cleared, appended to or freed. */
static inline firn_bytes firn_avro_column_bytes(const firn_avro_column *column, int64_t row)
{
    if (column->offsets) {
        return firn_bytes_of(column->data + column->offsets[row],
                             (size_t)(column->offsets[row + 1] - column->offsets[row]));
    }
    return firn_bytes_of(column->data + row * column->item_size, (size_t)column->item_size);
}

/* ---- Arrow ---- */

/* Describe the batches of `decoder`: a struct ("+s"). Field ids travel as metadata "PARQUET:field_id", dates and
 * times as Arrow's own types, uuid of 16 bytes as w:16 with metadata "ARROW:extension:name" = "arrow.uuid", uuid of
 * text as u with metadata "firn.logical" = "uuid". timestamp-* is UTC unless adjust-to-utc is false. What Kafka
 * Connect calls a type travels as metadata "connect.name", and texts of the type's declaration under "firn.*" as they are. The caller
 * releases it. */
void firn_avro_decoder_arrow_schema(const firn_avro_decoder *decoder, struct ArrowSchema *out);

/* Move the rows out as an Arrow array, without copying; the batch is left empty and may be used again. The
 * caller releases the array, which may outlive batch and decoder and may be released by another thread. */
void firn_avro_batch_arrow_array(firn_avro_batch *batch, struct ArrowArray *out);

static inline void firn_avro_batch_auto(firn_avro_batch **batch)
{
    firn_avro_batch_free(*batch);
}
#define FIRN_AUTO_AVRO_BATCH __attribute__((cleanup(firn_avro_batch_auto)))

#endif
