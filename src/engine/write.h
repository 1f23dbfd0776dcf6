/* Writing: rows of a DuckDB query become Parquet data files with field ids and statistics, and those become snapshots.
 *
 * Data files are written by DuckDB's COPY (FIELD_IDS, RETURN_STATS, PARTITION_BY, FILE_SIZE_BYTES), made durable through storage,
 * and described as firn_data_file. Nothing refers to them until the commit; every failure deletes them, an unknown outcome keeps
 * them. Fault point: "commit.data_written".
 */
#ifndef ENGINE_WRITE_H
#define ENGINE_WRITE_H

#include "read.h"

#include "engine/rows.h"
#include "iceberg/snapshot.h"

typedef struct firn_write_options {
    const firn_metadata *metadata; /* schema, default spec, sort order, location, properties */
    const char *table_text;
    /* DuckDB SQL (lake tables already replaced) giving exactly the schema's columns in order, already cast. Row lineage columns
     * (_row_id, _last_updated_sequence_number) follow when with_row_lineage. */
    const char *sql;
    bool with_row_lineage;
    int32_t spec_id;      /* -1: default */
    int64_t target_bytes; /* of a file; 0: the table's */
    bool whole_files; /* one file a partition, as long as it comes out below 1.5 times the target */
    int zstd_level;   /* where the table's properties say none; 0: zstd's own, 3 */
    bool lasting;     /* with the quick level: COPY's dictionaries have many values all the same */
    /* The query is known to be sound (it was described): what its run says is INVALID is a value's fault, and told as TYPE. */
    bool described;
    /* One per field of the spec: all rows are of this partition, which the caller knows. NULL: they are parted. */
    const firn_value *partition;
} firn_write_options;

/* Files that come often and are compacted later: half of level 3's time, a few percent larger at most. */
enum { FIRN_WRITE_QUICK_ZSTD_LEVEL = 1 };

/* Reserved field ids (spec: "Reserved Field IDs"). */
#define FIRN_ROW_ID_FIELD       2147483540
#define FIRN_LAST_UPDATED_FIELD 2147483539

typedef struct firn_written {
    FIRN_VEC(firn_data_file) files;
    int64_t rows;
    const char *null_column; /* a NOT NULL column that has NULLs; NULL: none */
    int64_t null_rows;
} firn_written;

/* NOT NULL violations are CHECK_FAILED naming the column. */
firn_rc firn_write_query(firn_session *session, firn_arena *arena,
                         const firn_write_options *options, firn_written *out,
                         firn_err *err) FIRN_MUST_USE;
/* Rows as they are, without SQL and without DuckDB, into files that stay open while they come; `sql` of the options is not looked at, and a partitioned
 * table's rows are all of options->partition. Columns that files leave out (firn.write.partition-columns) the rows need not have. What has to be cast,
 * sorted, parted or checked is for firn_write_query.
 *
 * Lives in `arena`; what the options point to is borrowed until the end, which is finish or discard. *out NULL: the table is not for it. */
typedef struct firn_plain_write firn_plain_write;
firn_rc firn_plain_write_open(firn_session *session, firn_arena *arena,
                              const firn_write_options *options, firn_plain_write **out,
                              firn_err *err) FIRN_MUST_USE;
/* All of the rows or none of them. After an error it can only be discarded. */
firn_rc firn_plain_write_add(firn_plain_write *write, const firn_rows *rows, size_t n_rows,
                             bool *taken, firn_err *err) FIRN_MUST_USE;
int64_t firn_plain_write_held_bytes(const firn_plain_write *write); /* of memory */
/* Durable files; after an error they are gone. */
firn_rc firn_plain_write_finish(firn_plain_write *write, firn_written *out,
                                firn_err *err) FIRN_MUST_USE;
void firn_plain_write_discard(firn_plain_write *write); /* NULL is fine */
void firn_write_discard(firn_session *session, const firn_written *written);

/* SELECT list that casts the columns of `source_sql` to the table's schema: by position or by name (INSERT BY NAME), with a
 * column list (INSERT INTO t (a, b)), missing columns as write-default or NULL. Checks counts and names with clear errors. */
typedef struct firn_projection_options {
    const firn_schema *schema;
    const char *source_sql;     /* DuckDB SQL */
    const char *const *columns; /* target columns given by the statement; NULL: all */
    size_t n_columns;
    bool by_name;
    const char *table_text; /* for messages */
} firn_projection_options;
firn_rc firn_write_projection(firn_session *session, firn_arena *arena,
                              const firn_projection_options *options, char **sql,
                              firn_err *err) FIRN_MUST_USE;

/* Table property firn.write.partition-columns=false: source columns of identity partition fields are left out of data files, as in
 * Hive's layout; readers take their value from the partition (spec: "Column Projection"). For tables whose files are read as folders,
 * too: pandas refuses a column that both a folder and a file have. */
bool firn_write_leaves_out(const firn_metadata *metadata, const firn_partition_spec *spec,
                           const firn_field *field);

/* Commit a change on a table with retry and rebase; deletes `written` on known failure. VALIDATION when a conflict rule broke,
 * or when the name now means another table than `metadata`. */
typedef struct firn_write_commit_options {
    firn_ident ident;
    const firn_metadata *metadata; /* that the files were written for */
    firn_snapshot_change *change;
    const firn_written *written; /* data and delete files; nullable */
    const char *statement;       /* "INSERT": goes into the snapshot's summary */
    const char *message;         /* of the catalog commit; NULL: made from the change */
} firn_write_commit_options;
firn_rc firn_write_commit(firn_session *session, firn_arena *arena,
                          const firn_write_commit_options *options, firn_snapshot_result *out,
                          firn_err *err) FIRN_MUST_USE;

/* Statement handlers; `sql` is one statement without its semicolon. */
firn_rc firn_exec_insert(firn_session *session, const char *sql, firn_result **out,
                         firn_err *err) FIRN_MUST_USE; /* INSERT INTO, INSERT OVERWRITE */
firn_rc firn_exec_delete(firn_session *session, const char *sql, firn_result **out,
                         firn_err *err) FIRN_MUST_USE;
firn_rc firn_exec_update(firn_session *session, const char *sql, firn_result **out,
                         firn_err *err) FIRN_MUST_USE;
firn_rc firn_exec_merge(firn_session *session, const char *sql, firn_result **out,
                        firn_err *err) FIRN_MUST_USE; /* MERGE INTO */
firn_rc firn_exec_truncate(firn_session *session, const char *sql, firn_result **out,
                           firn_err *err) FIRN_MUST_USE;
/* The query part of CREATE TABLE ... AS: writes the rows for a table that does not exist yet; called by the DDL side, which
 * then commits creation and first snapshot in one commit. `select_sql` is DuckDB SQL (lake tables already replaced) and gives the
 * columns of new_table's schema by position; `updates` gets add-snapshot and set-snapshot-ref. */
firn_rc firn_write_create_as(firn_session *session, firn_arena *arena,
                             const firn_metadata *new_table, const char *select_sql,
                             json_t *updates, firn_written *written, firn_snapshot_result *result,
                             firn_err *err) FIRN_MUST_USE;

#endif
