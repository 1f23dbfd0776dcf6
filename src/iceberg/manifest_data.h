/* A decoded manifest: struct of arrays, one row an entry, as pruning wants it.
 *
 * Metrics are six maps from field id to a count or a bound. Rows of one file nearly always list the same ids in the
 * same order, so ids are kept once per distinct list (a shape) and values lie one after another. What a filter asks
 * of one column is picked out of the maps into firn_metric_column on first use and kept.
 *
 * Immutable once decoded, but for `columns` under `lock`. Reference-counted; any thread.
 */
#ifndef ICEBERG_MANIFEST_DATA_H
#define ICEBERG_MANIFEST_DATA_H

#include "iceberg/manifest.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    FIRN_MANIFEST_BYTES_MAX = 1 << 30,    /* of a manifest file or list */
    FIRN_MANIFEST_ENTRIES_MAX = 1 << 24,  /* of one manifest */
    FIRN_MANIFEST_LIST_LEN_MAX = 1 << 22, /* manifests of one snapshot */
    FIRN_MANIFEST_FIELDS_MAX = 4096,      /* partition fields of one spec */
};

/* Field ids that the specification reserves for the columns of position delete files. */
enum { FIRN_FIELD_DELETE_FILE_PATH = 2147483546, FIRN_FIELD_DELETE_POS = 2147483545 };

typedef enum firn_metric_kind {
    FIRN_METRIC_SIZE,
    FIRN_METRIC_VALUES,
    FIRN_METRIC_NULLS,
    FIRN_METRIC_NANS,
    FIRN_METRIC_LOWER,
    FIRN_METRIC_UPPER,
    FIRN_METRIC_COUNT,
} firn_metric_kind;

typedef struct firn_metric_shape {
    int32_t *ids;
    size_t n;
} firn_metric_shape;

typedef struct firn_metric_map {
    uint32_t *shape; /* per row */
    uint32_t *first; /* per row: its first item */
    /* Counts, per item: 32 bits each until one does not fit, all of them 64 after that; all ones: not recorded. */
    uint32_t *counts;
    uint64_t *wide_counts;
    /* Bounds, per item: the end of its bytes, which start where the item before ends. */
    uint32_t *ends;
    uint8_t *bytes;
    size_t n_items, items_cap;
    size_t bytes_len, bytes_cap;
} firn_metric_map;

static inline int64_t firn_metric_count(const firn_metric_map *map, size_t item)
{
    if (map->wide_counts)
        return (int64_t)map->wide_counts[item];
    return map->counts[item] == UINT32_MAX ? -1 : (int64_t)map->counts[item];
}

/* One column's metrics, row by row. */
typedef struct firn_metric_column firn_metric_column;
struct firn_metric_column {
    firn_metric_column *next;
    int32_t field_id;
    firn_type type;            /* bounds were decoded as */
    firn_value *lower, *upper; /* is_null: not recorded, or not to be decoded as this type */
    int64_t *value_counts, *null_counts, *nan_counts; /* -1: not recorded */
};

struct firn_manifest {
    atomic_size_t refs;
    firn_manifest_cache *cache; /* NULL: not cached; outlives its manifests */
    char *path;
    int32_t spec_id;
    bool deletes;
    int64_t sequence_number, added_snapshot_id, first_row_id; /* what entries inherited */

    firn_arena *arena; /* spec, partition types, bytes of partition values */
    const firn_partition_spec *spec;
    const firn_type *partition_type;
    size_t n_partition;

    size_t n, cap;
    uint8_t *status, *content, *format;
    int32_t *sort_order_id;
    int64_t *snapshot_id, *data_sequence_number, *file_sequence_number;
    int64_t *record_count, *file_size_bytes, *first_row;
    int64_t *content_offset, *content_size; /* delete manifests only, else NULL */
    uint32_t *file_path, *referenced;       /* offsets into text; 0: none */
    uint32_t *key_metadata; /* offset into text of a uint32 length and the bytes; 0: none */
    uint32_t *split_first, *equality_first; /* n + 1: first item of each row */
    firn_value *partition;                  /* n * n_partition */
    firn_metric_map metrics[FIRN_METRIC_COUNT];

    char *text;
    size_t text_len, text_cap;
    int64_t *splits;
    size_t n_splits, splits_cap;
    int32_t *equality_ids;
    size_t n_equality_ids, equality_cap;
    firn_metric_shape *shapes;
    size_t n_shapes, shapes_cap;
    const char *formats[256];
    size_t n_formats;

    pthread_mutex_t lock;
    firn_metric_column *columns;
    atomic_size_t bytes; /* memory it takes */
};

/* Decode a manifest file; what entries inherit comes from its line in the list. */
firn_rc firn_manifest_decode(firn_bytes bytes, const firn_metadata *metadata,
                             const firn_manifest_file *file, firn_manifest **out,
                             firn_err *err) FIRN_MUST_USE;
firn_manifest *firn_manifest_ref(firn_manifest *manifest);
void firn_manifest_destroy(firn_manifest *manifest);

static inline bool firn_manifest_live(const firn_manifest *manifest, size_t i)
{
    return manifest->status[i] != FIRN_ENTRY_DELETED;
}
static inline const char *firn_manifest_path(const firn_manifest *manifest, size_t i)
{
    return manifest->text + manifest->file_path[i];
}
static inline const firn_value *firn_manifest_tuple(const firn_manifest *manifest, size_t i)
{
    return manifest->partition ? manifest->partition + i * manifest->n_partition : NULL;
}

/* Metrics of one column, read as `type`; made on first use. */
const firn_metric_column *firn_manifest_column(firn_manifest *manifest, int32_t field_id,
                                               const firn_type *type);
/* One bound of one row; data NULL if not recorded. For single look-ups. */
firn_bytes firn_manifest_bound(const firn_manifest *manifest, firn_metric_kind kind, size_t row,
                               int32_t field_id);
/* As firn_manifest_entry_at; without metrics when not asked for. */
void firn_manifest_entry_get(const firn_manifest *manifest, firn_arena *arena, size_t i,
                             bool with_metrics, firn_manifest_entry *out);

/* The entries of a manifest list file. */
firn_rc firn_manifest_list_decode(firn_arena *arena, firn_bytes bytes, const char *name,
                                  firn_manifest_file **out, size_t *n, firn_err *err) FIRN_MUST_USE;

/* Cache. get: the manifest with a reference for the caller, or NULL. put: takes a reference of its own; if an
 * equal one came first, that one is given back instead (and `manifest` unreferenced). */
firn_manifest *firn_manifest_cache_get(firn_manifest_cache *cache, const firn_manifest_file *file);
firn_manifest *firn_manifest_cache_put(firn_manifest_cache *cache, firn_manifest *manifest);
void firn_manifest_cache_grew(firn_manifest_cache *cache, firn_manifest *manifest, size_t bytes);

/* The partition tuple's type: a dropped source column is looked for in older schemas. */
firn_type *firn_partition_type_of(firn_arena *arena, const firn_metadata *metadata,
                                  const firn_partition_spec *spec);
/* A file's partition as bytes that are equal when spec and values are; appended to `buf`. */
void firn_partition_key(firn_buf *buf, int32_t spec_id, const firn_value *tuple, size_t n);
firn_value firn_value_dup(firn_arena *arena, const firn_value *value);

#endif
