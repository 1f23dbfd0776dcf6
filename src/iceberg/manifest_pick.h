/* Reading Avro records field by field, whoever wrote them: how manifests and manifest lists are decoded.
 *
 * A pick is one field of the writer's record and the slot it goes to. Fields are told by their Iceberg field id; a
 * writer that left the ids out is read by name. What has no slot is skipped.
 */
#ifndef ICEBERG_MANIFEST_PICK_H
#define ICEBERG_MANIFEST_PICK_H

#include "format/avro.h"
#include "iceberg/value.h"

typedef struct firn_pick {
    const firn_avro_schema *whole; /* as written, for skipping */
    const firn_avro_schema *type;  /* the null branch taken off */
    int null_branch;               /* of a union; -1: not nullable */
    int slot;                      /* -1: skip */
} firn_pick;

/* What a reader knows of a field. */
typedef struct firn_pick_slot {
    int32_t field_id;
    const char *name;
    const char *other_name; /* of older writers; NULL: none */
} firn_pick_slot;

static inline firn_pick firn_pick_of(const firn_avro_schema *schema, int slot)
{
    bool nullable;
    const firn_avro_schema *type = firn_avro_schema_unwrap(schema, &nullable);
    int null_branch = -1;
    if (nullable && schema->kind == FIRN_AVRO_UNION)
        null_branch = schema->branches[0]->kind == FIRN_AVRO_NULL ? 0 : 1;
    return (firn_pick){.whole = schema, .type = type, .null_branch = null_branch, .slot = slot};
}

/* One pick per field of the record, in its order. */
firn_pick *firn_picks_new(firn_arena *arena, const firn_avro_schema *record,
                          const firn_pick_slot *slots, size_t n_slots);

/* All give false on malformed bytes or a type that cannot hold what is asked for. */
static inline FIRN_MUST_USE bool firn_pick_present(firn_avro_cursor *cursor, const firn_pick *pick,
                                                   bool *present)
{
    *present = pick->type->kind != FIRN_AVRO_NULL;
    if (pick->null_branch < 0)
        return true;
    int64_t branch;
    if (!firn_avro_get_long(cursor, &branch) || branch < 0 || branch > 1)
        return false;
    *present = branch != pick->null_branch;
    return true;
}

static inline FIRN_MUST_USE bool firn_pick_long(firn_avro_cursor *cursor,
                                                const firn_avro_schema *type, int64_t *out)
{
    return (type->kind == FIRN_AVRO_LONG || type->kind == FIRN_AVRO_INT) &&
           firn_avro_get_long(cursor, out);
}

static inline FIRN_MUST_USE bool firn_pick_bytes(firn_avro_cursor *cursor,
                                                 const firn_avro_schema *type, firn_bytes *out)
{
    if (type->kind == FIRN_AVRO_FIXED)
        return firn_avro_get_fixed(cursor, type->fixed_size, out);
    return (type->kind == FIRN_AVRO_STRING || type->kind == FIRN_AVRO_BYTES) &&
           firn_avro_get_bytes(cursor, out);
}

/* ---- partition tuples ---- */

typedef struct firn_tuple_plan {
    const firn_pick *picks; /* slots: fields of the spec */
    size_t n_picks;
    const firn_type *type; /* of the tuple */
    /* Iceberg Java (1.10 and before) declares a partition value of type fixed as Avro fixed but writes, and expects, a
     * length before the bytes. */
    bool fixed_as_bytes;
} firn_tuple_plan;

/* `tuple` holds nulls; `above` is that of the row before, or NULL. Bytes go to the arena. */
bool firn_tuple_read(firn_avro_cursor *cursor, firn_arena *arena, const firn_tuple_plan *plan,
                     const firn_value *above, firn_value *tuple) FIRN_MUST_USE;
/* Could fixed_as_bytes make a difference? */
bool firn_tuple_plan_has_fixed(const firn_tuple_plan *plan);

#endif
