/* Changing single rows of a table: which files have them, rewriting those files (copy-on-write) or noting the rows as deleted
 * (merge-on-read), and committing so that no other writer's work is lost.
 *
 * A statement is SQL over the table read with _file and _pos (where each row is). The table is a CTE of the statement,
 * FIRN_TARGET_CTE; everything else that the text names is resolved as in a query.
 *
 *   rowlevel.c      planning, finding, rewriting, marking as deleted, committing
 *   delete_files.c  position delete files (format version 2) and deletion vectors (3)
 */
#ifndef ENGINE_ROWLEVEL_H
#define ENGINE_ROWLEVEL_H

#include "delete_files.h"
#include "dml.h"

#define FIRN_TARGET_CTE "__firn_target"
#define FIRN_HITS_TABLE \
    "__firn_hits" /* temporary: __firn_file, __firn_pos of rows that go, and more */

typedef FIRN_VEC(const firn_scan_task *) firn_tasks;

typedef struct firn_rowlevel {
    firn_session *session;
    firn_arena *arena;
    const firn_dml_target *target;
    const char *operation;   /* "delete", "update", "merge": write.<operation>.mode */
    const char *statement;   /* for the snapshot's summary */
    const firn_expr *filter; /* what all rows that the statement looks for fulfil; NULL: all rows */
    bool exact;              /* and rows that fulfil it are all looked for */
    bool merge_on_read;
    bool lineage;                 /* version 3: rewritten rows keep their ids */
    firn_tasks tasks;             /* files that may hold such rows */
    firn_tasks removed;           /* files that go: rewritten, or without a row left */
    int64_t n_rewritten;          /* of them, those whose other rows are written anew */
    firn_replaced_files replaced; /* deletion vectors that newer ones take in */
} firn_rowlevel;

/* Plan: `where` (nullable) is the statement's condition on the table. A table without a snapshot has no tasks. */
firn_rc firn_rowlevel_open(firn_rowlevel *change, const char *where, firn_err *err) FIRN_MUST_USE;
/* "WITH __firn_target AS (...) " over these files; without one, the table as if it were empty. */
firn_rc firn_rowlevel_with(firn_rowlevel *change, const firn_tasks *tasks, const char **sql,
                           firn_err *err) FIRN_MUST_USE;
/* How expressions call the table: "a" of "AS a", quoted. */
const char *firn_rowlevel_alias(const firn_rowlevel *change);
/* Rows of `sql` (_file, number of rows in it) as tasks; counts[i] belongs to found->items[i]. */
firn_rc firn_rowlevel_files(firn_rowlevel *change, const char *sql, firn_tasks *found,
                            int64_t **counts, firn_err *err) FIRN_MUST_USE;
/* Live rows of files; asks the engine only where delete files make the records' number useless. */
firn_rc firn_rowlevel_live_rows(firn_rowlevel *change, const firn_tasks *tasks, int64_t *out,
                                firn_err *err) FIRN_MUST_USE;
/* "a"."x", "a"."y", ... and the row lineage that goes with it. `modified` (nullable) is a condition under which a row counts as
 * changed by this statement. */
void firn_rowlevel_columns(const firn_rowlevel *change, firn_buf *out);
void firn_rowlevel_lineage(const firn_rowlevel *change, firn_buf *out, const char *modified);

/* Write the rows of `sql` (DuckDB's) as data files. */
firn_rc firn_rowlevel_write(firn_rowlevel *change, const char *sql, firn_written *written,
                            firn_err *err) FIRN_MUST_USE;
/* Mark the rows in FIRN_HITS_TABLE (`condition` picks among them) deleted: adds delete files to `written`. `tasks` are the files
 * that have such rows. */
firn_rc firn_rowlevel_delete_files(firn_rowlevel *change, const firn_tasks *tasks,
                                   const char *condition, firn_written *written,
                                   firn_err *err) FIRN_MUST_USE;
/* Commit what was written and the removal of change->removed; deletes `written` on known failure. */
firn_rc firn_rowlevel_commit(firn_rowlevel *change, firn_written *written,
                             firn_snapshot_result *out, firn_err *err) FIRN_MUST_USE;
/* " (2 files rewritten)", or "". */
const char *firn_rowlevel_note(firn_arena *arena, int64_t n_rewritten, int64_t n_removed,
                               int64_t n_delete_files);

#endif
