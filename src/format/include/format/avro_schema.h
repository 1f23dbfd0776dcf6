/* Avro schemas (specification 1.12, "Schema Declaration"), as a tree that lives in an arena.
 *
 * Parsing resolves named types (namespaces, recursion; a definition comes before its uses), so a reference is simply
 * another pointer to the same node and a recursive schema is a cyclic graph: bound your depth when walking one.
 * Every attribute stays reachable through `json`; those that firn uses are also lifted into members. A logical
 * type that does not fit its base type is ignored, as the specification demands.
 *
 * Iceberg's attributes (spec, Appendix A): `field-id` on fields, `element-id` on arrays, `key-id` and
 * `value-id` on maps, `adjust-to-utc` on timestamps, and `logicalType: map` on an array of key-value records.
 */
#ifndef FORMAT_AVRO_SCHEMA_H
#define FORMAT_AVRO_SCHEMA_H

#include "base/json.h"
#include "base/str.h"

enum {
    FIRN_AVRO_SCHEMA_BYTES_MAX = 64 << 20, /* schema text */
    FIRN_AVRO_DEPTH_MAX = 64,              /* nesting of types and of decoded data */
    FIRN_AVRO_NODES_MAX = 1 << 18,         /* nodes of one schema, and of one compiled decoder */
    FIRN_AVRO_FIXED_BYTES_MAX = 1 << 20,   /* size of a `fixed` */
    FIRN_AVRO_EMPTY_ITEMS_MAX = 1 << 16, /* items that take no bytes (null...), per decoding call */
};

typedef enum firn_avro_kind {
    FIRN_AVRO_NULL,
    FIRN_AVRO_BOOLEAN,
    FIRN_AVRO_INT,
    FIRN_AVRO_LONG,
    FIRN_AVRO_FLOAT,
    FIRN_AVRO_DOUBLE,
    FIRN_AVRO_BYTES,
    FIRN_AVRO_STRING,
    FIRN_AVRO_RECORD, /* "error" too */
    FIRN_AVRO_ENUM,
    FIRN_AVRO_ARRAY,
    FIRN_AVRO_MAP,
    FIRN_AVRO_UNION,
    FIRN_AVRO_FIXED,
} firn_avro_kind;

typedef enum firn_avro_logical {
    FIRN_AVRO_LOGICAL_NONE,
    FIRN_AVRO_DECIMAL, /* bytes or fixed; precision, scale */
    FIRN_AVRO_UUID,    /* string or fixed(16) */
    FIRN_AVRO_DATE,
    FIRN_AVRO_TIME_MILLIS,
    FIRN_AVRO_TIME_MICROS,
    FIRN_AVRO_TIMESTAMP_MILLIS,
    FIRN_AVRO_TIMESTAMP_MICROS,
    FIRN_AVRO_TIMESTAMP_NANOS,
    FIRN_AVRO_LOCAL_TIMESTAMP_MILLIS,
    FIRN_AVRO_LOCAL_TIMESTAMP_MICROS,
    FIRN_AVRO_LOCAL_TIMESTAMP_NANOS,
    FIRN_AVRO_DURATION,    /* fixed(12) */
    FIRN_AVRO_LOGICAL_MAP, /* Iceberg: array of records with exactly the fields key and value */
} firn_avro_logical;

typedef struct firn_avro_schema firn_avro_schema;

typedef struct firn_avro_field {
    const char *name;
    const char *const *aliases;
    size_t alias_count;
    const firn_avro_schema *type;
    const json_t *default_value; /* NULL: none. A JSON null is a default, too */
    int32_t field_id;            /* -1: none */
    const json_t *json;          /* the whole field object */
} firn_avro_field;

struct firn_avro_schema {
    firn_avro_kind kind;
    firn_avro_logical logical;
    const char *name; /* record, enum, fixed: full name ("ns.r102"); else the kind's name */
    const char *const *aliases; /* full names */
    size_t alias_count;

    const firn_avro_field *fields; /* record */
    size_t field_count;

    const char *const *symbols; /* enum */
    size_t symbol_count;
    int32_t default_symbol; /* index, -1: none */

    const firn_avro_schema *items; /* array: elements; map: values */

    const firn_avro_schema *const *branches; /* union */
    size_t branch_count;

    size_t fixed_size;       /* fixed: bytes */
    int32_t precision;       /* decimal */
    int32_t scale;           /* decimal */
    int32_t adjust_to_utc;   /* timestamps: 1, 0, or -1 when the attribute is absent */
    int32_t element_id;      /* array; -1: none */
    int32_t key_id;          /* map; -1: none */
    int32_t value_id;        /* map; -1: none */
    size_t encoded_size_min; /* least bytes one datum takes; 0 only when it always takes none */
    const json_t *json;      /* its declaration, a string for a bare primitive */
};

/* Parse schema text. `what` names the document in messages ("schema of s3://.../m0.avro"). CORRUPT if it is
 * not an Avro schema, LIMIT past the bounds above. The tree and its JSON live as long as `arena`. */
firn_rc firn_avro_schema_parse(firn_arena *arena, firn_bytes text, const char *what,
                               const firn_avro_schema **out, firn_err *err) FIRN_MUST_USE;

/* The same from a JSON tree; the arena takes a reference of its own. */
firn_rc firn_avro_schema_from_json(firn_arena *arena, json_t *json, const char *what,
                                   const firn_avro_schema **out, firn_err *err) FIRN_MUST_USE;

/* Several documents, of which later ones use the names that earlier ones define (a registry's references); the last one's
 * tree. */
firn_rc firn_avro_schema_parse_all(firn_arena *arena, const firn_bytes *texts, size_t n,
                                   const char *what, const firn_avro_schema **out,
                                   firn_err *err) FIRN_MUST_USE;

/* A record whose one field is of that type, as which its data can be decoded: both have the same encoding. */
const firn_avro_schema *firn_avro_schema_wrap(firn_arena *arena, const firn_avro_schema *type,
                                              const char *field);

/* A record's field by name or by Iceberg field id, or NULL. */
const firn_avro_field *firn_avro_schema_field(const firn_avro_schema *record, const char *name);
const firn_avro_field *firn_avro_schema_field_by_id(const firn_avro_schema *record,
                                                    int32_t field_id);

/* For a union of one type, or of null and one other, that type; any other schema itself. `nullable` (may be
 * NULL) tells whether a null branch was taken off. */
const firn_avro_schema *firn_avro_schema_unwrap(const firn_avro_schema *schema, bool *nullable);

const char *firn_avro_kind_name(firn_avro_kind kind); /* "long" */

#endif
