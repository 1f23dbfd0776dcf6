/* Data files of a table written anew: the same rows under the table's current schema, spec and sort order, without those that delete
 * files have deleted. For compaction.
 *
 * Nothing is committed, as in engine/rows.h. In format version 3 rows keep their _row_id and _last_updated_sequence_number.
 */
#ifndef ENGINE_REWRITE_H
#define ENGINE_REWRITE_H

#include "engine/rows.h"

typedef struct firn_rewrite {
    const firn_metadata *metadata; /* files are of its current snapshot */
    const char *table_text;
    const char *const *files;
    size_t n_files;
    int64_t target_bytes; /* a file half as large again is cut; 0: write.target-file-size-bytes */
} firn_rewrite;
/* Durable data files: one for each partition that the rows lie in, or several where that came out too large. */
firn_rc firn_rewrite_files(firn_session *session, firn_arena *arena, const firn_rewrite *rewrite,
                           firn_rows_written *out, firn_err *err) FIRN_MUST_USE;

/* A condition in SQL as one that can be held against files. INVALID when metadata cannot decide it. */
firn_rc firn_rewrite_filter(firn_session *session, firn_arena *arena, const firn_schema *schema,
                            const char *where, const firn_expr **out, firn_err *err) FIRN_MUST_USE;

/* Commit the files in place of others, with retry; `written` is deleted after a known failure. VALIDATION or CONFLICT: the table has
 * changed in a way that does not go together with it. */
typedef struct firn_rewrite_commit {
    firn_ident ident;
    const firn_metadata *metadata; /* that the files were written for */
    const firn_snapshot_change *change;
    const firn_rows_written *written;
    const char *statement; /* goes into the snapshot's summary */
    const char *message;   /* of the catalog commit */
} firn_rewrite_commit;
firn_rc firn_rewrite_commit_files(firn_session *session, firn_arena *arena,
                                  const firn_rewrite_commit *commit, firn_snapshot_result *out,
                                  firn_err *err) FIRN_MUST_USE;

/* The size that the table wants its files to have. */
int64_t firn_rewrite_target_bytes(firn_session *session, const firn_metadata *metadata);

#endif
