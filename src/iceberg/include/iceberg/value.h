/* Single values of primitive types: column bounds, partition values, literals in predicates.
 * Spec: Appendix D "Single-value serialization" (binary and JSON), "Bounds".
 */
#ifndef ICEBERG_VALUE_H
#define ICEBERG_VALUE_H

#include "iceberg/type.h"

typedef struct firn_value {
    bool is_null;
    firn_type_id type; /* primitive */
    int32_t scale;     /* decimal */
    union {
        bool boolean;
        int32_t i32; /* int, date */
        int64_t i64; /* long, time, timestamps (us or ns) */
        float f32;
        double f64;
        __int128 decimal; /* unscaled */
        firn_bytes bytes; /* string (UTF-8), uuid (16, big-endian), fixed, binary */
    };
} firn_value;

static inline firn_value firn_value_null(firn_type_id type)
{
    return (firn_value){.is_null = true, .type = type};
}

/* Iceberg order: nulls first; -0.0 < +0.0; NaN greater than all (callers treat NaN bounds as absent); strings by
 * unsigned bytes; int/long, float/double, date/int and decimals of other scales compare across widths. */
int firn_value_cmp(const firn_value *a, const firn_value *b);
bool firn_value_is_nan(const firn_value *value);

/* Binary form. Decoding takes the column's present type and accepts the narrower length that a promoted
 * column's old files carry (int for long, float for double, date for timestamp). CORRUPT on any other length. */
firn_rc firn_value_decode(const firn_type *type, firn_bytes bytes, firn_value *out,
                          firn_err *err) FIRN_MUST_USE; /* borrows bytes */
firn_bytes firn_value_encode(firn_arena *arena, const firn_value *value);

/* JSON form (defaults, REST expressions). */
firn_rc firn_value_from_json(firn_arena *arena, const firn_type *type, const json_t *json,
                             firn_value *out, firn_err *err) FIRN_MUST_USE;
json_t *firn_value_to_json(firn_arena *arena, const firn_type *type,
                           const firn_value *value); /* new reference */

/* From plain text as SQL prints it ("2024-02-15", "12.50", "true", hex for binary): how the engine hands over
 * statistics and literals. TYPE if it does not fit. */
firn_rc firn_value_from_text(firn_arena *arena, const firn_type *type, const char *text,
                             firn_value *out, firn_err *err) FIRN_MUST_USE;
/* SQL-ish text for people and metadata tables; "null" for nulls. */
char *firn_value_text(firn_arena *arena, const firn_type *type, const firn_value *value);

/* Convert a literal to the column's type for comparisons, when it can be done exactly (int 5 -> decimal 5.00, string
 * "2024-02-15" -> date). False: cannot; the predicate is then not used for pruning. */
bool firn_value_convert(firn_arena *arena, const firn_value *value, const firn_type *to,
                        firn_value *out);

/* Bounds truncation of strings (code points) and binary (bytes). lower: prefix. upper: prefix with its last
 * code point or byte incremented, skipping surrogates; false if there is none (no bound is written). */
firn_value firn_value_truncate_lower(firn_arena *arena, const firn_value *value, size_t width);
bool firn_value_truncate_upper(firn_arena *arena, const firn_value *value, size_t width,
                               firn_value *out);

#endif
