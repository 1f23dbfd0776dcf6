/* What decodes JSON into columns, between its files: json_columns.c (documents, numbers, strings, lists and maps), json_record.c (objects as
 * records), json_values.c (what JSON can only write as text) and json_rows.c (rows without names). Private to them.
 *
 * A function that takes where it stands gives back where it stopped, or NULL once the failure is noted. Room for the row must be there.
 */
#ifndef FIRN_FORMAT_JSON_DECODING_H
#define FIRN_FORMAT_JSON_DECODING_H

#include "format/json_columns.h"

#include "json_plan.h"
#include "json_scan.h"

#include <assert.h>

struct firn_json_decoder {
    firn_avro_decoder *shape;
    firn_json_node root;
    bool wide; /* as in firn_json_step */
};

/* A name and its value: a comma and a blank, FIRN_JSON_KEY_MAX bytes, FIRN_JSON_QUICK_BYTES. */
enum { FIRN_JSON_TAIL_BYTES = 2 + FIRN_JSON_KEY_MAX + FIRN_JSON_QUICK_BYTES };

/* A copy of the text's last bytes, FIRN_JSON_TAIL_BYTES or all that it has, and zeros behind: what is read in place of them, so that nobody need
 * ask how many bytes are left. */
typedef struct firn_json_tail {
    uint8_t bytes[FIRN_JSON_TAIL_BYTES + FIRN_JSON_QUICK_BYTES];
} firn_json_tail;

typedef struct firn_json_decoding {
    firn_json_scan scan;
    firn_avro_batch *batch;
    bool unchecked_utf8, wide;
    int depth;
    int64_t unknown;
    firn_buf scratch;             /* texts without their escapes; of one value at a time */
    const firn_json_node *misfit; /* TYPE: the column that did not take it */
    struct {
        const char *name; /* NULL: an element */
        int64_t index;
    } trail[FIRN_AVRO_DEPTH_MAX + 1]; /* innermost first */
    int trail_len;
    firn_json_tail tail; /* of documents */
} firn_json_decoding;

/* Failures, noted at `p`; all give NULL. */
const uint8_t *firn_json_misfit(firn_json_decoding *d, const uint8_t *p, const firn_json_node *node,
                                const char *why);
const uint8_t *firn_json_no_room(firn_json_decoding *d, const uint8_t *p);
const uint8_t *firn_json_too_deep(firn_json_decoding *d, const uint8_t *p);
/* A value of another kind than the column takes: an error in the JSON itself goes before. */
const uint8_t *firn_json_wrong_kind(firn_json_decoding *d, const uint8_t *p,
                                    const firn_json_node *node, const char *wanted);
/* Puts a step in front of the path of a failure. */
const uint8_t *firn_json_at(firn_json_decoding *d, const char *name, int64_t index);
/* What was noted, as an error. */
firn_rc firn_json_report(const firn_json_decoding *d, firn_err *err);

void firn_json_finish(firn_json_decoding *d);

/* Any value; an object as a record, `p` at its brace. */
const uint8_t *firn_json_value(firn_json_decoding *d, const uint8_t *p, const firn_json_node *node,
                               firn_avro_column *column);
const uint8_t *firn_json_record(firn_json_decoding *d, const uint8_t *p, const firn_json_node *node,
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

static inline void firn_json_copy_tail(firn_json_tail *tail, firn_bytes text)
{
    uint8_t *end = tail->bytes + FIRN_JSON_TAIL_BYTES;
    const uint8_t *text_end = text.data + text.len;
    if (text.len >= FIRN_JSON_TAIL_BYTES)
        memcpy(tail->bytes, text_end - FIRN_JSON_TAIL_BYTES, FIRN_JSON_TAIL_BYTES);
    else if (text.len > 0)
        memcpy(end - text.len, text.data, text.len);
    memset(end, 0, FIRN_JSON_QUICK_BYTES);
}

static inline void firn_json_begin(firn_json_decoding *d, const firn_json_decoder *decoder,
                                   firn_bytes text, firn_avro_batch *batch)
{
    assert(batch->decoder == decoder->shape);
    d->scan = (firn_json_scan){.start = text.data, .end = text.data + text.len};
    d->batch = batch;
    d->unchecked_utf8 = decoder->shape->unchecked_utf8;
    d->wide = decoder->wide;
    d->depth = 0;
    d->unknown = 0;
    d->scratch = (firn_buf){0};
    d->misfit = NULL;
    d->trail_len = 0;
    firn_json_copy_tail(&d->tail, text);
}

/* Notes that another level begins at `p`; false when there are too many. */
static inline bool firn_json_enter(firn_json_decoding *d, const uint8_t *p)
{
    if (d->depth == FIRN_AVRO_DEPTH_MAX)
        return firn_json_too_deep(d, p) != NULL;
    d->depth++;
    return true;
}

/* `p` is behind a name: the value's first byte. */
static inline const uint8_t *firn_json_colon(firn_json_decoding *d, const uint8_t *p)
{
    const uint8_t *end = d->scan.end;
    p = firn_json_space(p, end);
    if (p == end || *p != ':')
        return firn_json_unexpected(&d->scan, p, "a colon must stand here");
    return firn_json_space(p + 1, end);
}

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
