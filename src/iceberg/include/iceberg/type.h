/* Iceberg types, fields and schemas (spec: "Schemas and Data Types", Appendix C "Schemas").
 *
 * All structures are immutable once built and live in the arena they were built in. Field ids are the
 * identity of a column; names may change. Every type of format versions 1 to 3 is represented; what an engine
 * cannot hold is its own business to refuse at use.
 */
#ifndef ICEBERG_TYPE_H
#define ICEBERG_TYPE_H

#include "base/json.h"
#include "base/vec.h"

typedef enum firn_type_id {
    FIRN_TYPE_UNKNOWN, /* v3 */
    FIRN_TYPE_BOOLEAN,
    FIRN_TYPE_INT,
    FIRN_TYPE_LONG,
    FIRN_TYPE_FLOAT,
    FIRN_TYPE_DOUBLE,
    FIRN_TYPE_DECIMAL,
    FIRN_TYPE_DATE,
    FIRN_TYPE_TIME,           /* microseconds of the day */
    FIRN_TYPE_TIMESTAMP,      /* microseconds, no zone */
    FIRN_TYPE_TIMESTAMPTZ,    /* microseconds, UTC */
    FIRN_TYPE_TIMESTAMP_NS,   /* v3 */
    FIRN_TYPE_TIMESTAMPTZ_NS, /* v3 */
    FIRN_TYPE_STRING,
    FIRN_TYPE_UUID,
    FIRN_TYPE_FIXED,
    FIRN_TYPE_BINARY,
    FIRN_TYPE_VARIANT,   /* v3 */
    FIRN_TYPE_GEOMETRY,  /* v3 */
    FIRN_TYPE_GEOGRAPHY, /* v3 */
    FIRN_TYPE_STRUCT,
    FIRN_TYPE_LIST,
    FIRN_TYPE_MAP,
} firn_type_id;

typedef struct firn_type firn_type;

typedef struct firn_field {
    int32_t id;
    bool required;
    const char *name;
    const firn_type *type;
    const char *doc;         /* NULL: none */
    json_t *initial_default; /* v3; single-value JSON, NULL: none */
    json_t *write_default;   /* v3 */
} firn_field;

struct firn_type {
    firn_type_id id;
    int32_t precision, scale; /* decimal */
    int32_t length;           /* fixed */
    const char *crs;          /* geometry, geography; NULL: default */
    const char *algorithm;    /* geography; NULL: default */
    /* struct: its fields. list: one field "element". map: two fields "key" and "value" (key required). */
    firn_field *fields;
    size_t n_fields;
};

typedef struct firn_schema {
    int32_t schema_id;
    firn_type root; /* always a struct */
    int32_t *identifier_field_ids;
    size_t n_identifier_field_ids;
} firn_schema;

static inline bool firn_type_is_nested(const firn_type *type)
{
    return type->id >= FIRN_TYPE_STRUCT;
}
bool firn_type_equal(const firn_type *a,
                     const firn_type *b); /* ids, names, requiredness included */
/* Spec text: "decimal(9, 2)", "fixed[16]", "struct<1: a: optional int>" for messages. */
const char *firn_type_text(firn_arena *arena, const firn_type *type);
/* "int", "decimal(9,2)", "fixed[16]", "geometry(crs)"... NULL if it is no primitive type's name. */
firn_type *firn_type_parse_primitive(firn_arena *arena, const char *text);
/* Smallest format version that may hold the type: 1, 2 or 3. */
int firn_type_min_version(const firn_type *type);

/* JSON both ways (Appendix C). `what` names the document in messages. Depth limit 64, 10,000 fields. */
firn_rc firn_type_from_json(firn_arena *arena, const json_t *json, const char *what,
                            firn_type **out, firn_err *err) FIRN_MUST_USE;
json_t *firn_type_to_json(const firn_type *type); /* new reference */
firn_rc firn_schema_from_json(firn_arena *arena, const json_t *json, const char *what,
                              firn_schema **out, firn_err *err) FIRN_MUST_USE;
json_t *firn_schema_to_json(const firn_schema *schema); /* new reference */

/* Look-ups. By name: full dotted path ("a.b", "list.element", "map.value.x"); case-insensitive falls back to
 * a unique match. NULL if absent. */
const firn_field *firn_schema_find_id(const firn_schema *schema, int32_t field_id);
const firn_field *firn_schema_find_name(const firn_schema *schema, const char *path,
                                        bool case_sensitive);
/* Dotted path of a field, NULL if the id is not there. */
char *firn_schema_path(firn_arena *arena, const firn_schema *schema, int32_t field_id);
int32_t firn_schema_highest_id(const firn_schema *schema);
/* Visit every field depth-first, parents before children; `parent` is NULL at top level. */
typedef void (*firn_field_visitor)(void *ctx, const firn_field *field, const firn_field *parent,
                                   const char *path);
void firn_schema_visit(firn_arena *arena, const firn_schema *schema, firn_field_visitor visit,
                       void *ctx);

/* Give fresh ids to every field, level by level as Java does (top-level fields first), starting after *last_id. */
firn_schema *firn_schema_assign_fresh_ids(firn_arena *arena, const firn_schema *schema,
                                          int32_t *last_id);

#endif
