/* One Avro datum as a tree, with schema resolution (specification 1.12, "Schema Resolution").
 *
 * For tests, single records and recursive types. Every call resolves the schemas anew and builds in the arena, so
 * thousands of records belong to avro_columns.h.
 */
#ifndef FORMAT_AVRO_VALUE_H
#define FORMAT_AVRO_VALUE_H

#include "format/avro_codec.h"

typedef struct firn_avro_value firn_avro_value;

struct firn_avro_value {
    const firn_avro_schema
        *schema; /* reader's type; for a union the branch taken, so never a union */
    union {
        bool boolean;
        int64_t integer; /* int, long; enum: position in schema->symbols */
        double real;     /* float, double */
        firn_bytes
            bytes; /* bytes, string, fixed; borrowed from the input (defaults: from the arena) */
        struct {
            firn_avro_value
                *items;       /* record: one per field of schema; array: elements; map: values */
            firn_bytes *keys; /* map only */
            size_t count;
        };
    };
};

enum { FIRN_AVRO_VALUE_ITEMS_MAX = 1 << 22 }; /* nodes of one datum */

typedef struct firn_avro_match {
    bool by_field_id; /* pair record fields by Iceberg field-id instead of by name and alias */
} firn_avro_match;

/* Decode one datum that was written as `writer`, as `reader` sees it (NULL: as written), and advance the cursor.
 * `match` may be NULL. TYPE if the schemas do not resolve, CORRUPT if the bytes are malformed. */
firn_rc firn_avro_value_decode(firn_arena *arena, const firn_avro_schema *writer,
                               const firn_avro_schema *reader, const firn_avro_match *match,
                               firn_avro_cursor *cursor, firn_avro_value *out,
                               firn_err *err) FIRN_MUST_USE;

/* A record's value by field name, or NULL. */
const firn_avro_value *firn_avro_value_field(const firn_avro_value *record, const char *name);

/* JSON for people and tests: unions are not wrapped, enums are symbols, strings are text (invalid UTF-8 as
 * bytes), bytes and fixed are strings of code points 0 to 255, NaN and infinities are the strings "NaN",
 * "Infinity", "-Infinity". Logical types stay raw. Owned by the arena. */
json_t *firn_avro_value_json(firn_arena *arena, const firn_avro_value *value);

#endif
