/* What decodes JSON into columns, between its files: json_columns.c (documents, numbers, strings, nesting), json_values.c (what JSON can
 * only write as text) and json_rows.c (rows without names). Private to them.
 *
 * A function that takes where it stands gives back where it stopped, or NULL once the failure is noted. Room for the row must be there.
 */
#ifndef FIRN_FORMAT_JSON_DECODING_H
#define FIRN_FORMAT_JSON_DECODING_H

#include "format/json_columns.h"

#include "json_plan.h"
#include "json_scan.h"

struct firn_json_decoder {
    firn_avro_decoder *shape;
    firn_json_node root;
};

typedef struct firn_json_decoding {
    firn_json_scan scan;
    firn_avro_batch *batch;
    bool unchecked_utf8;
    int depth;
    int64_t unknown;
    firn_buf scratch;             /* texts without their escapes; of one value at a time */
    const firn_json_node *misfit; /* TYPE: the column that did not take it */
    struct {
        const char *name; /* NULL: an element */
        int64_t index;
    } trail[FIRN_AVRO_DEPTH_MAX + 1]; /* innermost first */
    int trail_len;
} firn_json_decoding;

/* Failures, noted at `p`; all give NULL. */
const uint8_t *firn_json_misfit(firn_json_decoding *d, const uint8_t *p, const firn_json_node *node,
                                const char *why);
const uint8_t *firn_json_no_room(firn_json_decoding *d, const uint8_t *p);
/* A value of another kind than the column takes: an error in the JSON itself goes before. */
const uint8_t *firn_json_wrong_kind(firn_json_decoding *d, const uint8_t *p,
                                    const firn_json_node *node, const char *wanted);
/* Puts a step in front of the path of a failure. */
const uint8_t *firn_json_at(firn_json_decoding *d, const char *name, int64_t index);
/* What was noted, as an error. */
firn_rc firn_json_report(const firn_json_decoding *d, firn_err *err);

void firn_json_begin(firn_json_decoding *d, const firn_json_decoder *decoder, firn_bytes text,
                     firn_avro_batch *batch);
void firn_json_finish(firn_json_decoding *d);

/* Any value. */
const uint8_t *firn_json_value(firn_json_decoding *d, const uint8_t *p, const firn_json_node *node,
                               firn_avro_column *column);

/* Numbers that other values may be written as. */
const uint8_t *firn_json_whole(firn_json_decoding *d, const uint8_t *p, const firn_json_node *node,
                               int64_t *out);
const uint8_t *firn_json_whole32(firn_json_decoding *d, const uint8_t *p,
                                 const firn_json_node *node, firn_avro_column *column);
/* The string at `p` (its opening quote) without escapes, borrowed until the next one. */
const uint8_t *firn_json_take_string(firn_json_decoding *d, const uint8_t *p, firn_bytes *out);

/* json_values.c */
const uint8_t *firn_json_decimal_value(firn_json_decoding *d, const uint8_t *p,
                                       const firn_json_node *node, firn_avro_column *column);
const uint8_t *firn_json_date(firn_json_decoding *d, const uint8_t *p, const firn_json_node *node,
                              firn_avro_column *column);
const uint8_t *firn_json_time(firn_json_decoding *d, const uint8_t *p, const firn_json_node *node,
                              firn_avro_column *column);
const uint8_t *firn_json_timestamp(firn_json_decoding *d, const uint8_t *p,
                                   const firn_json_node *node, firn_avro_column *column);
const uint8_t *firn_json_base64(firn_json_decoding *d, const uint8_t *p, const firn_json_node *node,
                                firn_avro_column *column);
const uint8_t *firn_json_fixed(firn_json_decoding *d, const uint8_t *p, const firn_json_node *node,
                               firn_avro_column *column);

static inline bool firn_json_is_number_start(uint8_t c)
{
    return c == '-' || (c >= '0' && c <= '9');
}

/* The text is data[offset of the row .. + len). */
static inline void firn_json_finish_text(firn_avro_column *column, size_t len)
{
    int64_t row = column->length;
    column->offsets[row + 1] = column->offsets[row] + (int32_t)len;
    firn_avro_column_mark_valid(column, row);
    column->length = row + 1;
}

/* Where the row's bytes go, with room for `len`; NULL past a bound. */
static inline uint8_t *firn_json_text_room(firn_json_decoding *d, firn_avro_column *column,
                                           size_t len)
{
    int32_t at = column->offsets[column->length];
    if ((int64_t)len > column->data_cap - at) {
        if (len > INT32_MAX || !firn_avro_column_grow_data(d->batch, column, (int64_t)len))
            return NULL;
    }
    return column->data + at;
}

#endif
