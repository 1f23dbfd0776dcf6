/* Adopting: a folder of Parquet files that others wrote becomes an Iceberg table, or joins one, without a byte being copied or moved.
 *
 * Columns come from the files' footers, united by name with safe widening (int to long, float to double, more decimal digits);
 * partition columns from "key=value" folders (lake/hive_path.h). The files carry no field ids, so the table gets a name mapping
 * (schema.name-mapping.default); identity partition fields give the partition columns, which are not in the files, to every
 * reader. Record counts, sizes, null counts and bounds are the footers'. No row is read.
 *
 * The files stay the owner's: the table is marked gc.enabled=false unless it says otherwise itself, so that no engine deletes them
 * by expiring snapshots or dropping the table.
 *
 * Errors: NOT_FOUND (folder), UNSUPPORTED (no Parquet there, a table of another kind, a type Iceberg has not), INVALID (folders that
 * contradict each other), TYPE (files or values that contradict each other: both are named), CORRUPT (a footer, by file), EXISTS,
 * those of a commit.
 */
#ifndef ENGINE_ADOPT_H
#define ENGINE_ADOPT_H

#include "engine/engine.h"
#include "lake/hive_path.h"

typedef struct firn_adopt_options {
    firn_ident ident;
    const char *folder; /* path or location */
    bool add;           /* the table is there: take only what it does not have yet */
    bool
        keep_schema; /* add: refuse files with other types and leave new columns out, as Spark's add_files does */
    bool refuse_known; /* add: a file that the table has is EXISTS instead of passed over */
    bool allow_known;  /* add: take it again (its rows are there twice then) */
    const char
        *partition_sql; /* "year int, day date": types of the partition columns; NULL: inferred */
    const firn_hive_key *filter; /* only files whose keys have these values; NULL: all */
    size_t n_filter;
    int format_version; /* of a new table; 0: the lake's default */
    bool dry_run;       /* all but the commit */
} firn_adopt_options;

/* Files that were passed over, by reason. */
typedef struct firn_adopt_skipped {
    const char *why; /* "hidden or temporary", "empty", ... */
    size_t n;
    const char *first; /* relative to the folder */
} firn_adopt_skipped;

typedef struct firn_adopt_result {
    bool created;
    int64_t files, rows, bytes; /* taken */
    size_t partitions;          /* distinct ones among them; 0: unpartitioned */
    const char *partitioned_by; /* "year int, day date"; nullable */
    size_t n_columns;
    const char **changes; /* add: "added column x string", "made n long" */
    size_t n_changes;
    firn_adopt_skipped *skipped;
    size_t n_skipped;
    bool marked; /* gc.enabled=false was set */
} firn_adopt_result;

/* One commit on the session's branch. Texts live in the arena. */
firn_rc firn_session_adopt(firn_session *session, firn_arena *arena,
                           const firn_adopt_options *options, firn_adopt_result *out,
                           firn_err *err) FIRN_MUST_USE;

#endif
