/* Table metadata (spec: "Table Metadata", Appendix C): the JSON document is the truth, this is a view of it.
 *
 * Reading keeps the parsed JSON in `json`; changes (iceberg/update.h) produce a new JSON tree and a new view, so
 * members that firn does not know survive. Immutable; lives in its arena. Snapshots are views made once at load.
 */
#ifndef ICEBERG_METADATA_H
#define ICEBERG_METADATA_H

#include "iceberg/partition.h"

#include "storage/storage.h"

typedef struct firn_snapshot {
    int64_t snapshot_id;
    int64_t parent_id; /* -1: none */
    int64_t sequence_number;
    int64_t timestamp_ms;
    int32_t schema_id;         /* -1: not recorded */
    const char *manifest_list; /* NULL on v1 snapshots that list manifests inline */
    const char **manifests;    /* v1 inline list */
    size_t n_manifests;
    const char *operation; /* "append", "replace", "overwrite", "delete"; NULL if not recorded */
    int64_t first_row_id;  /* v3; -1: none */
    int64_t added_rows;    /* v3; -1: none */
    const json_t *summary; /* object of strings, may be NULL */
    const json_t *json;
} firn_snapshot;

typedef struct firn_snapshot_ref {
    const char *name;
    int64_t snapshot_id;
    bool is_tag;
    int64_t min_snapshots_to_keep, max_snapshot_age_ms, max_ref_age_ms; /* -1: not set */
} firn_snapshot_ref;

typedef struct firn_log_entry { /* snapshot-log and metadata-log */
    int64_t timestamp_ms;
    int64_t snapshot_id;  /* snapshot-log */
    const char *location; /* metadata-log */
} firn_log_entry;

typedef struct firn_metadata {
    json_t *json; /* the document, never changed in place */
    int format_version;
    const char *table_uuid;
    const char *location;
    int64_t last_sequence_number;
    int64_t last_updated_ms;
    int32_t last_column_id;
    int32_t last_partition_id;
    int64_t next_row_id; /* v3 */
    firn_schema **schemas;
    size_t n_schemas;
    const firn_schema *schema; /* current */
    firn_partition_spec **specs;
    size_t n_specs;
    const firn_partition_spec *spec; /* default */
    firn_sort_order **sort_orders;
    size_t n_sort_orders;
    const firn_sort_order *sort_order; /* default */
    json_t *properties;                /* object of strings, never NULL */
    firn_snapshot *snapshots;
    size_t n_snapshots;
    const firn_snapshot *current_snapshot; /* NULL: none */
    firn_snapshot_ref *refs;
    size_t n_refs;
    firn_log_entry *snapshot_log;
    size_t n_snapshot_log;
    firn_log_entry *metadata_log;
    size_t n_metadata_log;
    void *index;                     /* internal: snapshot id -> snapshot */
    struct firn_metadata_text *text; /* internal: text that versions share */
} firn_metadata;

enum { FIRN_METADATA_BYTES_MAX = 512 << 20 };

firn_rc firn_metadata_from_json(firn_arena *arena, json_t *json, const char *what,
                                firn_metadata **out,
                                firn_err *err) FIRN_MUST_USE; /* takes its own reference */
/* Plain or gzip ("*.gz.metadata.json" or by magic). CORRUPT names the file and the member. */
firn_rc firn_metadata_parse(firn_arena *arena, firn_bytes text, const char *what,
                            firn_metadata **out, firn_err *err) FIRN_MUST_USE;
firn_rc firn_metadata_load(firn_storage *storage, firn_arena *arena, const char *location,
                           firn_metadata **out, firn_err *err) FIRN_MUST_USE;
/* Write as a new file "<table location>/metadata/<5-digit version>-<uuid>.metadata.json" (gzip by table property
 * write.metadata.compression-codec); version follows the number in `previous_location` (NULL: 0). */
firn_rc firn_metadata_store(firn_storage *storage, firn_arena *arena, const firn_metadata *metadata,
                            const char *previous_location, char **location,
                            firn_err *err) FIRN_MUST_USE;

/* Append the document as compact JSON. What it has in common with versions before it is not made again. */
void firn_metadata_write(const firn_metadata *metadata, firn_buf *out);

const firn_snapshot *firn_metadata_snapshot(const firn_metadata *metadata,
                                            int64_t snapshot_id); /* NULL if unknown */
const firn_snapshot_ref *firn_metadata_ref(const firn_metadata *metadata,
                                           const char *name); /* NULL if unknown */
const firn_schema *firn_metadata_schema(const firn_metadata *metadata, int32_t schema_id);
const firn_partition_spec *firn_metadata_spec(const firn_metadata *metadata, int32_t spec_id);
const firn_sort_order *firn_metadata_sort_order(const firn_metadata *metadata, int32_t order_id);
/* The snapshot that was current at the instant, by snapshot-log (not lineage). NULL: before the first. */
const firn_snapshot *firn_metadata_snapshot_as_of(const firn_metadata *metadata,
                                                  int64_t timestamp_ms);
/* Property or default. */
const char *firn_metadata_property(const firn_metadata *metadata, const char *key, const char *def);
int64_t firn_metadata_property_i64(const firn_metadata *metadata, const char *key, int64_t def);

/* Name mapping (spec: "Column Projection"): schema.name-mapping.default. */
typedef struct firn_name_mapping_field firn_name_mapping_field;
struct firn_name_mapping_field {
    int32_t field_id; /* -1: none */
    const char **names;
    size_t n_names;
    firn_name_mapping_field *fields;
    size_t n_fields;
};
firn_rc firn_name_mapping_parse(firn_arena *arena, const char *json_text,
                                firn_name_mapping_field **fields, size_t *n,
                                firn_err *err) FIRN_MUST_USE;
/* The field that goes by the name; NULL: none. */
const firn_name_mapping_field *firn_name_mapping_find(const firn_name_mapping_field *fields,
                                                      size_t n, const char *name);
char *firn_name_mapping_of_schema(firn_arena *arena, const firn_schema *schema); /* JSON text */

#endif
