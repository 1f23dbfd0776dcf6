/* Table updates and requirements, by the names of the REST catalog specification (CommitTableRequest).
 *
 * Both are kept as the JSON objects that the protocol exchanges: {"action": "add-snapshot", ...} and
 * {"type": "assert-ref-snapshot-id", ...}. The catalog applies them; builders below make them. "-1" means "the last
 * one added" in set-current-schema, set-default-spec and set-default-sort-order.
 *
 * Errors: INVALID for unknown or malformed updates and for changes that the spec forbids; CONFLICT
 * (retriable) for a failed requirement, with Java's texts ("Requirement failed: last assigned field id changed: ...").
 */
#ifndef ICEBERG_UPDATE_H
#define ICEBERG_UPDATE_H

#include "iceberg/metadata.h"

/* Check every requirement against the base; base NULL means that the table does not exist. */
firn_rc firn_requirements_check(const json_t *requirements, const firn_metadata *base,
                                firn_err *err) FIRN_MUST_USE;

typedef struct firn_update_options {
    const char
        *previous_location; /* metadata file of `base`, goes into metadata-log; NULL: new table */
    int64_t now_ms;         /* 0: clock */
} firn_update_options;

/* Apply an array of updates to `base` (NULL: create). An empty or no-op list gives base back (*out == base); else
 * the result shares JSON with base by reference and stands on its own in `arena`: base's arena may go. Stale
 * sequence numbers and row ids are CONFLICT: the writer redoes its snapshot. */
firn_rc firn_updates_apply(firn_arena *arena, const firn_metadata *base, const json_t *updates,
                           const firn_update_options *options, firn_metadata **out,
                           firn_err *err) FIRN_MUST_USE;

/* ---- building a new table ---- */
typedef struct firn_table_create {
    const firn_schema *schema; /* ids are assigned afresh */
    const firn_partition_spec
        *spec; /* source ids refer to `schema` as given; NULL: unpartitioned */
    const firn_sort_order *sort_order; /* likewise; NULL: unsorted */
    const char *location;              /* without trailing slash */
    const json_t *
        properties; /* nullable; "format-version" picks the version (default 2) and is not stored */
    const char *uuid; /* NULL: new */
} firn_table_create;
/* The updates that create the table (assign-uuid, upgrade-format-version, add-schema, ...). New reference. */
firn_rc firn_table_create_updates(firn_arena *arena, const firn_table_create *create,
                                  json_t **updates, firn_err *err) FIRN_MUST_USE;

/* ---- schema evolution (spec: "Schema Evolution") ---- */
/* Collects changes against the current schema, then gives one new schema and the updates. Paths are dotted;
 * "list.element" and "map.value" descend. Each call checks the spec's rules at once and says what is wrong. */
typedef struct firn_schema_change firn_schema_change;
firn_schema_change *firn_schema_change_new(firn_arena *arena, const firn_metadata *base);
typedef enum firn_column_place {
    FIRN_PLACE_LAST,
    FIRN_PLACE_FIRST,
    FIRN_PLACE_BEFORE,
    FIRN_PLACE_AFTER
} firn_column_place;
firn_rc firn_schema_change_add(firn_schema_change *change,
                               const char *parent_path /* NULL: top level */,
                               const firn_field *field /* ids ignored */,
                               firn_err *err) FIRN_MUST_USE;
firn_rc firn_schema_change_drop(firn_schema_change *change, const char *path,
                                firn_err *err) FIRN_MUST_USE;
firn_rc firn_schema_change_rename(firn_schema_change *change, const char *path,
                                  const char *new_name, firn_err *err) FIRN_MUST_USE;
firn_rc firn_schema_change_type(firn_schema_change *change, const char *path,
                                const firn_type *new_type, firn_err *err) FIRN_MUST_USE;
firn_rc firn_schema_change_optional(firn_schema_change *change, const char *path,
                                    firn_err *err) FIRN_MUST_USE;
firn_rc firn_schema_change_required(firn_schema_change *change, const char *path,
                                    bool allow_incompatible, firn_err *err) FIRN_MUST_USE;
firn_rc firn_schema_change_doc(firn_schema_change *change, const char *path, const char *doc,
                               firn_err *err) FIRN_MUST_USE;
firn_rc firn_schema_change_default(firn_schema_change *change, const char *path,
                                   const json_t *write_default, firn_err *err) FIRN_MUST_USE;
firn_rc firn_schema_change_move(firn_schema_change *change, const char *path,
                                firn_column_place place, const char *other_path,
                                firn_err *err) FIRN_MUST_USE;
firn_rc firn_schema_change_identifier(firn_schema_change *change, const char *const *paths,
                                      size_t n, firn_err *err) FIRN_MUST_USE;
/* *schema borrows names from base. When nothing changed nothing is appended, and it is base's own schema. */
firn_rc firn_schema_change_finish(firn_schema_change *change, firn_schema **schema,
                                  json_t *updates /* appended to */,
                                  json_t *requirements /* appended to */,
                                  firn_err *err) FIRN_MUST_USE;

/* ---- partition and sort evolution ---- */
typedef struct firn_partition_term {
    const char *column; /* dotted path */
    firn_transform transform;
    const char *name; /* NULL: Iceberg's default name (ts_day, id_bucket_16, ...) */
} firn_partition_term;
/* Build a spec from terms for a new table or a replaced spec, with default names; checks source types and clashes. */
firn_rc firn_partition_spec_build(firn_arena *arena, const firn_schema *schema,
                                  const firn_partition_term *terms, size_t n,
                                  firn_partition_spec **out, firn_err *err) FIRN_MUST_USE;
/* Field ids of equal (source, transform) pairs of older specs are reused. v1 turns dropped fields into void. */
firn_rc firn_partition_add(firn_arena *arena, const firn_metadata *base,
                           const firn_partition_term *term, json_t *updates, json_t *requirements,
                           firn_err *err) FIRN_MUST_USE;
firn_rc firn_partition_drop(firn_arena *arena, const firn_metadata *base,
                            const firn_partition_term *term, json_t *updates, json_t *requirements,
                            firn_err *err) FIRN_MUST_USE;
firn_rc firn_partition_replace(firn_arena *arena, const firn_metadata *base,
                               const firn_partition_term *old_term,
                               const firn_partition_term *new_term, json_t *updates,
                               json_t *requirements, firn_err *err) FIRN_MUST_USE;
firn_rc firn_sort_order_set(firn_arena *arena, const firn_metadata *base,
                            const firn_sort_field *fields, size_t n, json_t *updates,
                            json_t *requirements, firn_err *err) FIRN_MUST_USE;

/* ---- small builders; each appends to the array ---- */
void firn_update_set_properties(json_t *updates, const json_t *properties);
void firn_update_remove_properties(json_t *updates, const char *const *keys, size_t n);
void firn_update_add_snapshot(json_t *updates, const json_t *snapshot);
void firn_update_set_ref(json_t *updates, const char *name, int64_t snapshot_id, bool is_tag);
/* The same with the retention that `ref` has. */
void firn_update_put_ref(json_t *updates, const firn_snapshot_ref *ref);
void firn_update_remove_ref(json_t *updates, const char *name);
void firn_update_remove_snapshots(json_t *updates, const int64_t *ids, size_t n);
void firn_update_upgrade_format(json_t *updates, int format_version);
void firn_require_create(json_t *requirements);
void firn_require_uuid(json_t *requirements, const char *uuid);
void firn_require_ref(json_t *requirements, const char *ref,
                      int64_t snapshot_id /* -1: must not exist */);
void firn_require_current_schema(json_t *requirements, int32_t schema_id);
void firn_require_default_spec(json_t *requirements, int32_t spec_id);

#endif
