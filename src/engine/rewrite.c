/* Data files of a table written anew. */
#include "engine/rewrite.h"

#include "base/time.h"
#include "duck.h"
#include "write_parts.h"

static firn_rc rows_sql(firn_session *session, firn_arena *arena, const firn_rewrite *rewrite,
                        bool lineage, const char **out, firn_err *err)
{
    const firn_metadata *metadata = rewrite->metadata;
    const firn_read_options options = {.metadata = metadata,
                                       .snapshot = metadata->current_snapshot,
                                       .schema = metadata->schema,
                                       .with_row_lineage = lineage,
                                       .only_files = rewrite->files,
                                       .n_only_files = rewrite->n_files,
                                       .table_text = rewrite->table_text};
    const firn_type *root = &metadata->schema->root;
    char *read = NULL;
    firn_scan_stats stats = {0};
    FIRN_AUTO_BUF firn_buf sql = {0};
    FIRN_TRY(firn_read_sql(session, arena, &options, &read, &stats, err));
    firn_buf_puts(&sql, "SELECT ");
    for (size_t i = 0; i < root->n_fields; i++) {
        firn_buf_printf(&sql, "%s%s", i > 0 ? ", " : "",
                        firn_sql_ident(arena, root->fields[i].name));
    }
    firn_buf_printf(&sql, "%s FROM %s AS __firn_rewritten",
                    lineage ? ", _row_id, _last_updated_sequence_number" : "", read);
    *out = firn_arena_strdup(arena, firn_buf_cstr(&sql));
    return FIRN_OK;
}

firn_rc firn_rewrite_files(firn_session *session, firn_arena *arena, const firn_rewrite *rewrite,
                           firn_rows_written *out, firn_err *err)
{
    bool lineage = rewrite->metadata->format_version >= 3;
    const char *sql = NULL;
    firn_written written = {0};
    *out = (firn_rows_written){0};
    session->statement_us = firn_now_us();
    session->interrupted = false;
    FIRN_TRY(rows_sql(session, arena, rewrite, lineage, &sql, err));
    const firn_write_options options = {.metadata = rewrite->metadata,
                                        .table_text = rewrite->table_text,
                                        .sql = sql,
                                        .with_row_lineage = lineage,
                                        .spec_id = -1,
                                        .whole_files = true,
                                        .target_bytes = rewrite->target_bytes};
    FIRN_TRY(firn_write_query(session, arena, &options, &written, err));
    for (size_t i = 0; i < written.files.len; i++) {
        firn_vec_push(arena, &out->files, written.files.items[i]);
    }
    out->rows = written.rows;
    return FIRN_OK;
}

firn_rc firn_rewrite_filter(firn_session *session, firn_arena *arena, const firn_schema *schema,
                            const char *where, const firn_expr **out, firn_err *err)
{
    bool exact = false;
    session->statement_us = firn_now_us();
    session->interrupted = false;
    FIRN_TRY(firn_read_predicate(session, arena, schema, NULL, where, out, &exact, err));
    if (*out == NULL || !exact) {
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "files cannot be picked by %s: compare columns with constants, as in "
                  "day >= '2024-05-01' AND region = 'eu'",
                  where);
    }
    return FIRN_OK;
}

firn_rc firn_rewrite_commit_files(firn_session *session, firn_arena *arena,
                                  const firn_rewrite_commit *commit, firn_snapshot_result *out,
                                  firn_err *err)
{
    firn_snapshot_change change = *commit->change;
    firn_written written = {.rows = commit->written->rows};
    for (size_t i = 0; i < commit->written->files.len; i++) {
        firn_vec_push(arena, &written.files, commit->written->files.items[i]);
    }
    change.added = written.files.items;
    change.n_added = written.files.len;
    const firn_write_commit_options options = {.ident = commit->ident,
                                               .metadata = commit->metadata,
                                               .change = &change,
                                               .written = &written,
                                               .statement = commit->statement,
                                               .message = commit->message};
    return firn_write_commit(session, arena, &options, out, err);
}

int64_t firn_rewrite_target_bytes(firn_session *session, const firn_metadata *metadata)
{
    return firn_write_target_bytes(session, metadata);
}
