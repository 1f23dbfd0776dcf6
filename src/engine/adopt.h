/* The rooms of adopting, for each other; see engine/adopt.h for what it is.
 *
 *   adopt_files.c   which files of the folder are data, what their paths say
 *   adopt_footer.c  footers: column trees and raw statistics, in batches
 *   adopt_schema.c  many files' columns to one schema; held against a table's schema
 *   adopt_stats.c   raw statistics to a table's data files
 *   adopt.c         a new table, or an addition; the commit
 */
#ifndef ENGINE_ADOPT_PRIVATE_H
#define ENGINE_ADOPT_PRIVATE_H

#include "ddl.h"
#include "footers.h"
#include "write_parts.h"

#include "base/map.h"
#include "engine/adopt.h"

/* What a footer says about one leaf column, all row groups together. -1 and NULL: not known. */
typedef struct firn_raw_leaf {
    int64_t size_bytes, values, nulls;
    const char *min, *max; /* as DuckDB prints them */
    bool no_bounds;        /* some row group does not say */
} firn_raw_leaf;

typedef struct firn_adopt_file {
    const char *location; /* as it goes into manifests */
    const char *relative; /* to the folder */
    const char *path;     /* as DuckDB opens it */
    int64_t size_bytes;
    firn_hive_key *keys;
    size_t n_keys;
    const firn_footer *footer;
    int64_t rows;
    firn_raw_leaf *leaves; /* in the footer's order */
    size_t n_leaves;
    int64_t *splits; /* where row groups start; NULL: not known */
    size_t n_splits;
} firn_adopt_file;

typedef FIRN_VEC(firn_adopt_file) firn_adopt_files;

typedef struct firn_adopter {
    firn_session *session;
    firn_arena *arena;
    const firn_adopt_options *options;
    firn_adopt_result *result;
    firn_storage *storage;
    firn_catalog *catalog;
    const char *text;   /* the table, for messages */
    const char *folder; /* location without a slash at its end */
    firn_adopt_files files;
    FIRN_VEC(firn_adopt_skipped) skipped;
    int format_version;
} firn_adopter;

/* ---- adopt_files.c --------------------------------------------------------------------------------------- */

/* Lists the folder into a->files. `known` (nullable) holds resolved paths that are left out: the value is why. */
firn_rc firn_adopt_list(firn_adopter *a, const firn_map *known, firn_err *err) FIRN_MUST_USE;
void firn_adopt_skip(firn_adopter *a, const char *why, const char *relative);

/* ---- adopt_footer.c -------------------------------------------------------------------------------------- */

/* Fills footer, rows, leaves and splits of every file; files without rows are taken out. Counts progress. */
firn_rc firn_adopt_read_footers(firn_adopter *a, firn_err *err) FIRN_MUST_USE;

/* A file's column in Iceberg's terms: what kind it is and what is inside it. */
typedef struct firn_footer_view {
    firn_type_id kind; /* STRUCT, LIST, MAP; UNKNOWN: a leaf */
    const firn_footer_column **children;
    size_t n_children;
} firn_footer_view;
firn_footer_view firn_footer_view_of(firn_arena *arena, const firn_footer_column *column,
                                     bool in_list);

/* ---- adopt_schema.c -------------------------------------------------------------------------------------- */

/* The union of all files' columns: no ids. TYPE names two files that contradict each other. `names` is the name mapping's form of
 * it once ids are given: every spelling of a column that occurs. */
typedef struct firn_adopt_column firn_adopt_column;
firn_rc firn_adopt_unite(firn_adopter *a, firn_adopt_column **out, firn_err *err) FIRN_MUST_USE;
/* The columns as a schema without ids, partition columns behind those of the files. */
firn_rc firn_adopt_schema(firn_adopter *a, const firn_adopt_column *columns,
                          const firn_field *partitions, size_t n_partitions, firn_schema **out,
                          firn_err *err) FIRN_MUST_USE;
/* schema.name-mapping.default for the schema (same shape as firn_adopt_schema gave, ids assigned). */
const char *firn_adopt_name_mapping(firn_adopter *a, const firn_adopt_column *columns,
                                    const firn_schema *schema);
/* The top-level column of a name in any case; NULL if there is none. */
const char *firn_adopt_column_name(const firn_adopt_column *columns, const char *name);
const firn_type *firn_adopt_column_type(firn_adopter *a, const firn_adopt_column *columns,
                                        const char *name);
/* Held against a table's schema: additions and widenings go to `change` (and are told in a->result), TYPE for what does not fit.
 * keep_schema: nothing changes, what would have to is TYPE or passed over. */
firn_rc firn_adopt_compare(firn_adopter *a, const firn_adopt_column *columns,
                           const firn_metadata *table, firn_schema_change *change,
                           firn_err *err) FIRN_MUST_USE;
/* The Iceberg type of a leaf. UNSUPPORTED names file and column. */
firn_rc firn_adopt_leaf_type(firn_arena *arena, const firn_footer_column *column, const char *path,
                             const char *file, firn_type *out, firn_err *err) FIRN_MUST_USE;

/* ---- adopt_stats.c --------------------------------------------------------------------------------------- */

/* The files as data files of `table` (its current schema, default spec and name mapping). */
firn_rc firn_adopt_data_files(firn_adopter *a, firn_arena *arena, const firn_metadata *table,
                              firn_data_file **out, size_t *n, firn_err *err) FIRN_MUST_USE;

#endif
