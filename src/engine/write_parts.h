/* The rooms of writing, for each other:
 *
 *   write.c                one COPY per write, file names, durability, clean-up
 *   write_sql.c            the COPY's text: checks, partition values, field ids
 *   write_direct.c         Arrow rows into files without SQL
 *   write_stats.c          RETURN_STATS to data files with metrics
 *   write_project.c        what INSERT gives to what the table has
 *   write_commit.c         snapshots and commits
 *   partition_functions.c  firn_bucket, firn_truncate
 */
#ifndef ENGINE_WRITE_PARTS_H
#define ENGINE_WRITE_PARTS_H

#include "duck.h"
#include "write.h"

#include "format/parquet.h"

/* Names of the columns that the COPY partitions by: __firn_p0, __firn_p1, ... one per field of the spec. */
#define FIRN_PARTITION_COLUMN "__firn_p"

/* Once per database, by the first write; not inside a transaction of DuckDB, whose ROLLBACK would undo it. */
firn_rc firn_write_setup(firn_session *session, firn_err *err) FIRN_MUST_USE;
firn_rc firn_partition_functions(duckdb_connection conn, firn_err *err) FIRN_MUST_USE;

/* The folder of the table's data files (write.data.path). */
const char *firn_write_data_location(firn_arena *arena, const firn_metadata *metadata);

/* write.target-file-size-bytes, else the lake's. */
int64_t firn_write_target_bytes(firn_session *session, const firn_metadata *metadata);

/* ---- write_sql.c ------------------------------------------------------------------------------------- */

/* FIELD_IDS {...} of the columns that are written. */
char *firn_write_field_ids(firn_arena *arena, const firn_metadata *metadata,
                           const firn_partition_spec *spec, bool with_row_lineage);
/* The query with the checks that statistics cannot make (NOT NULL inside nested values, lengths of fixed), unknown columns left
 * out, and partition columns added. `sorted` adds ORDER BY. */
firn_rc firn_write_select(firn_arena *arena, const firn_write_options *options,
                          const firn_partition_spec *spec, bool sorted, char **sql,
                          firn_err *err) FIRN_MUST_USE;
/* The transform of a source column as SQL: its text form is what firn_value_from_text takes. */
firn_rc firn_transform_sql(firn_arena *arena, const firn_schema *schema,
                           const firn_transform *transform, int32_t source_id, const char *row,
                           bool for_order, char **sql, firn_err *err) FIRN_MUST_USE;
/* What an error of the checks in the query's text starts with. */
#define FIRN_WRITE_CHECK_MARK "firn check: "

/* ---- write_project.c --------------------------------------------------------------------------------- */

/* What a column gets that a statement says nothing of: its write default, else NULL. CHECK_FAILED when it is NOT NULL. */
firn_rc firn_write_default_sql(firn_arena *arena, const firn_field *field, const char *table_text,
                               const char **out, firn_err *err) FIRN_MUST_USE;

/* TYPE when a value of DuckDB type `given` has struct members that the column has not: a cast would drop them in silence. */
firn_rc firn_write_check_members(firn_arena *arena, const char *given, const firn_field *field,
                                 const char *table_text, firn_err *err) FIRN_MUST_USE;

/* ---- write_stats.c ----------------------------------------------------------------------------------- */

typedef struct firn_metrics_plan firn_metrics_plan;
/* Which columns get which metrics (write.metadata.metrics.*). */
firn_metrics_plan *firn_metrics_plan_new(firn_arena *arena, const firn_metadata *metadata);
/* What is known of one column of a file. -1 and NULL: not known. */
typedef struct firn_column_stats {
    int64_t size_bytes, values, nulls;
    const char *min, *max; /* as DuckDB prints them */
    bool has_nan, nan_known;
} firn_column_stats;
/* Metrics of the leaf column with this field id; false when the plan wants none. */
bool firn_write_column_metrics(firn_arena *arena, const firn_metrics_plan *plan, int32_t field_id,
                               const firn_column_stats *stats, firn_column_metrics *out);
/* The same of a column whose bounds are values; NULL: none. */
typedef struct firn_value_stats {
    int64_t size_bytes, values, nulls, nans;
    const firn_value *min, *max;
} firn_value_stats;
bool firn_write_value_metrics(firn_arena *arena, const firn_metrics_plan *plan, int32_t field_id,
                              const firn_value_stats *stats, firn_column_metrics *out);
void firn_write_sort_metrics(firn_data_file *file); /* by field id, as manifests have them */
/* One more file, of which path, count, size and metrics are still to be told. `partition` NULL: left null. */
firn_data_file *firn_write_add_file(firn_arena *arena, const firn_partition_spec *spec,
                                    const firn_value *partition, firn_written *out);
/* One data file per row of a COPY's RETURN_STATS, with paths as DuckDB wrote them. Appends. The partition comes from the
 * row's partition keys, or is `partition` when that is given. */
firn_rc firn_write_read_stats(firn_arena *arena, const firn_metrics_plan *plan,
                              const firn_partition_spec *spec, const firn_value *partition,
                              duckdb_result *result, firn_written *out,
                              firn_err *err) FIRN_MUST_USE;

/* ---- write_direct.c ---------------------------------------------------------------------------------- */

typedef struct firn_direct_write {
    const firn_metadata *metadata;
    const firn_partition_spec *spec;
    const firn_value *partition; /* of all rows; NULL without fields */
    const firn_metrics_plan *plan;
    const char *folder, *prefix; /* files are <folder>/<prefix>-... */
    firn_parquet_codec codec;
    int level;
    bool deltas;
    int64_t group_rows, group_bytes, target_bytes;
    size_t dictionary_max;
    int threads;
} firn_direct_write;
/* Files that stay open while rows come. UNSUPPORTED, without a message: the table's columns are not for it. Lives in the arena, as what it tells does; what
 * `write` points to is borrowed until it is closed. */
typedef struct firn_direct firn_direct;
firn_rc firn_direct_open(firn_arena *arena, const firn_direct_write *write,
                         firn_direct **out) FIRN_MUST_USE;
/* All of the rows or none: UNSUPPORTED, without a message, when they are not for it. After any other error it can only be closed, and files may be there
 * under the prefix. */
firn_rc firn_direct_add(firn_direct *direct, const firn_rows *rows, size_t n_rows,
                        firn_err *err) FIRN_MUST_USE;
firn_rc firn_direct_finish(firn_direct *direct, firn_written *out, firn_err *err) FIRN_MUST_USE;
int64_t firn_direct_held_bytes(const firn_direct *direct); /* of memory */
void firn_direct_close(firn_direct *direct);

#endif
