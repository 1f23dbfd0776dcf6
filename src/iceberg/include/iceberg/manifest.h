/* Manifests and manifest lists (spec: "Manifests", "Manifest Lists"): Avro files that say which data and
 * delete files a snapshot has.
 */
#ifndef ICEBERG_MANIFEST_H
#define ICEBERG_MANIFEST_H

#include "iceberg/expression.h"

typedef enum firn_content {
    FIRN_CONTENT_DATA = 0,
    FIRN_CONTENT_POSITION_DELETES =
        1, /* Parquet files of (file_path, pos), or a deletion vector in Puffin */
    FIRN_CONTENT_EQUALITY_DELETES = 2,
} firn_content;

typedef enum firn_entry_status {
    FIRN_ENTRY_EXISTING = 0,
    FIRN_ENTRY_ADDED = 1,
    FIRN_ENTRY_DELETED = 2
} firn_entry_status;

typedef struct firn_column_metrics {
    int32_t field_id;
    int64_t size_bytes, value_count, null_count, nan_count; /* -1: not recorded */
    firn_bytes lower, upper; /* single-value binary; data NULL: not recorded */
} firn_column_metrics;

typedef struct firn_data_file {
    firn_content content;
    const char *path;
    const char *format; /* "PARQUET", "AVRO", "ORC", "PUFFIN" */
    int32_t spec_id;
    firn_value *partition; /* one per field of the spec */
    size_t n_partition;
    int64_t record_count;
    int64_t file_size_bytes;
    firn_column_metrics *metrics; /* ascending field ids */
    size_t n_metrics;
    firn_bytes key_metadata;
    int64_t *split_offsets;
    size_t n_split_offsets;
    int32_t *equality_ids;
    size_t n_equality_ids;
    int32_t sort_order_id;                      /* -1: none */
    int64_t first_row_id;                       /* v3; -1: none */
    const char *referenced_data_file;           /* position deletes of one file, DVs; NULL: none */
    int64_t content_offset, content_size_bytes; /* DV blob in a Puffin file; -1: none */
} firn_data_file;

typedef struct firn_manifest_entry {
    firn_entry_status status;
    int64_t snapshot_id;          /* after inheritance */
    int64_t data_sequence_number; /* after inheritance */
    int64_t file_sequence_number; /* after inheritance */
    firn_data_file file;
} firn_manifest_entry;

typedef struct firn_partition_summary {
    bool contains_null;
    int contains_nan; /* -1: not recorded */
    firn_bytes lower, upper;
} firn_partition_summary;

typedef struct firn_manifest_file {
    const char *path;
    int64_t length_bytes;
    int32_t spec_id;
    bool deletes; /* content: data or deletes */
    int64_t sequence_number, min_sequence_number;
    int64_t added_snapshot_id;
    int64_t added_files, existing_files, deleted_files; /* -1: not recorded (v1) */
    int64_t added_rows, existing_rows, deleted_rows;
    firn_partition_summary *partitions;
    size_t n_partitions;
    int64_t first_row_id; /* v3; -1: none */
    firn_bytes key_metadata;
} firn_manifest_file;

/* ---- reading -------------------------------------------------------------------------------------- */

/* Manifests are immutable, so decoded ones are kept and shared: a process-wide cache by path, bounded by bytes,
 * least recently used out first. Thread-safe. */
typedef struct firn_manifest_cache firn_manifest_cache;
firn_manifest_cache *firn_manifest_cache_new(size_t max_bytes);
void firn_manifest_cache_free(firn_manifest_cache *cache);

/* A decoded manifest, columnar inside. Reference-counted. */
typedef struct firn_manifest firn_manifest;
firn_rc firn_manifest_open(firn_storage *storage, firn_manifest_cache *cache /* nullable */,
                           const firn_metadata *metadata, const firn_manifest_file *file,
                           firn_manifest **out, firn_err *err) FIRN_MUST_USE;
void firn_manifest_unref(firn_manifest *manifest);
size_t firn_manifest_len(const firn_manifest *manifest);
/* Entry i with sequence numbers, snapshot id and first-row-id inherited. Pointers inside live as long as the manifest. */
void firn_manifest_entry_at(const firn_manifest *manifest, firn_arena *arena, size_t i,
                            firn_manifest_entry *out);

/* The snapshot's manifests (v1 inline lists included). */
firn_rc firn_manifest_list_read(firn_storage *storage, firn_arena *arena,
                                const firn_metadata *metadata, const firn_snapshot *snapshot,
                                firn_manifest_file **out, size_t *n, firn_err *err) FIRN_MUST_USE;

/* ---- writing -------------------------------------------------------------------------------------- */

typedef struct firn_manifest_writer firn_manifest_writer;
typedef struct firn_manifest_writer_options {
    const firn_metadata *metadata; /* format version, schema, location, properties (codec) */
    const firn_partition_spec *spec;
    bool deletes;
    int64_t snapshot_id;
    const char *location; /* of the new file */
} firn_manifest_writer_options;
firn_manifest_writer *firn_manifest_writer_new(firn_arena *arena,
                                               const firn_manifest_writer_options *options);
/* ADDED entries get null sequence numbers (inherited later); EXISTING and DELETED must carry both. */
firn_rc firn_manifest_writer_add(firn_manifest_writer *writer, const firn_manifest_entry *entry,
                                 firn_err *err) FIRN_MUST_USE;
firn_rc firn_manifest_writer_finish(firn_manifest_writer *writer, firn_storage *storage,
                                    firn_manifest_file *out, firn_err *err) FIRN_MUST_USE;
size_t firn_manifest_writer_bytes(const firn_manifest_writer *writer);

typedef struct firn_manifest_list_options {
    const firn_metadata *metadata;
    int64_t snapshot_id, parent_snapshot_id /* -1 */, sequence_number;
    int64_t first_row_id; /* v3: the snapshot's; -1: v1, v2 */
    const char *location;
} firn_manifest_list_options;
/* v3: assigns first_row_id to data manifests that have none; *next_row_id is what follows. */
firn_rc firn_manifest_list_write(firn_storage *storage, firn_arena *arena,
                                 const firn_manifest_list_options *options,
                                 firn_manifest_file *manifests, size_t n, int64_t *next_row_id,
                                 firn_err *err) FIRN_MUST_USE;

#endif
