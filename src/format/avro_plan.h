/* Schema resolution (specification 1.12), done once: how data written with one schema is seen through another.
 *
 * A plan is a graph of nodes, cyclic where the schemas are recursive, that both decoders interpret: avro_value.c into
 * trees, avro_columns.c into columns. What cannot be resolved in one branch of a writer's union becomes an ERROR node,
 * which fails only when data takes that branch.
 *
 * Where the reader's type is a union of null and T, or of T alone, nodes aim at T or are NULL nodes: the union itself
 * leaves no trace.
 * Where it is another union, INTO names the branch.
 */
#ifndef FIRN_FORMAT_AVRO_PLAN_H
#define FIRN_FORMAT_AVRO_PLAN_H

#include "format/avro_schema.h"

typedef enum firn_plan_op {
    FIRN_PLAN_NULL,
    FIRN_PLAN_BOOLEAN,
    FIRN_PLAN_INT,
    FIRN_PLAN_LONG,
    FIRN_PLAN_INT_TO_LONG,
    FIRN_PLAN_INT_TO_FLOAT,
    FIRN_PLAN_INT_TO_DOUBLE,
    FIRN_PLAN_LONG_TO_FLOAT,
    FIRN_PLAN_LONG_TO_DOUBLE,
    FIRN_PLAN_FLOAT,
    FIRN_PLAN_FLOAT_TO_DOUBLE,
    FIRN_PLAN_DOUBLE,
    FIRN_PLAN_BYTES, /* bytes and string, either way */
    FIRN_PLAN_FIXED,
    FIRN_PLAN_ENUM,
    FIRN_PLAN_RECORD,
    FIRN_PLAN_ARRAY,
    FIRN_PLAN_MAP,
    FIRN_PLAN_UNION,    /* writer's union: by branch to a node */
    FIRN_PLAN_OPTIONAL, /* the same, for exactly two branches of which one is null and resolves */
    FIRN_PLAN_INTO,     /* reader's general union: a fixed branch of it */
    FIRN_PLAN_ERROR,
} firn_plan_op;

typedef struct firn_plan firn_plan;

/* One writer's field: decode into the reader's field `index`, or skip when there is no such field. */
typedef struct firn_plan_step {
    const firn_plan *node; /* NULL: skip */
    size_t index;
    const firn_avro_schema *writer;
} firn_plan_step;

/* A reader's field that the writer lacks: its default, encoded as the reader's type. */
typedef struct firn_plan_default {
    const firn_plan *node;
    size_t index;
    firn_bytes bytes;
} firn_plan_default;

struct firn_plan {
    firn_plan_op op;
    uint32_t null_branch; /* OPTIONAL: which of the two is null */
    const firn_avro_schema *writer;
    const firn_avro_schema *reader; /* a union only in UNION and OPTIONAL */
    union {
        struct { /* RECORD */
            const firn_plan_step *steps;
            size_t step_count;
            const firn_plan_default *defaults;
            size_t default_count;
        };
        struct {                     /* ENUM */
            const int32_t *symbols;  /* writer's position -> reader's, -1: none */
            const firn_bytes *texts; /* of the reader's symbols */
        };
        const firn_plan *item; /* ARRAY, MAP; OPTIONAL: the other branch; INTO: what goes there */
        const firn_plan *const *branches; /* UNION; as many as writer->branch_count */
        const char *message;              /* ERROR */
    };
    size_t into; /* INTO: which branch of the reader's union, null not counted */
};

/* The plan for `writer` seen as `reader`. TYPE if they do not resolve at all, LIMIT if they are too large. */
firn_rc firn_plan_make(firn_arena *arena, const firn_avro_schema *writer,
                       const firn_avro_schema *reader, bool by_field_id, const firn_plan **out,
                       firn_err *err) FIRN_MUST_USE;

#endif
