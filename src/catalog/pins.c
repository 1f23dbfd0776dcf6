/* What other branches and tags need of a table.
 *
 * The states that a table has on several refs share files. Its engines know one state each: they expire a snapshot that is no
 * longer listed here and delete its files, which another branch or a tag still lists. So the catalog, which knows all refs,
 * refuses to let such a snapshot go. Engines that do so well (Java's ExpireSnapshots) commit first and delete afterwards.
 *
 * Only refs pin. A bare commit of the log does not: make a tag of what must stay.
 */
#include "stage.h"

#include "catalog/keep.h"

#include "base/log.h"

#include <inttypes.h>

/* The states of a table on refs other than `ref`: one row a metadata file, with the first ref that has it. */
static firn_rc other_states(firn_db *db, firn_arena *arena, const char *content_id, const char *ref,
                            firn_db_rows *rows, firn_err *err)
{
    firn_db_value params[] = {firn_db_str(content_id), firn_db_str(ref)};
    return firn_db_query(db, arena,
                         "SELECT value, MIN(ref) FROM entries WHERE content_id = $1 AND ref <> $2"
                         " GROUP BY value ORDER BY value",
                         params, 2, rows, err);
}

static const char *states_text(firn_arena *arena, const firn_db_rows *rows)
{
    FIRN_AUTO_BUF firn_buf text = {0};
    for (size_t i = 0; i < rows->n_rows; i++) {
        firn_buf_printf(&text, "%s\n", firn_db_text(rows, i, 0));
    }
    return firn_arena_strdup(arena, firn_buf_cstr(&text));
}

/* ---- snapshots that go ------------------------------------------------------------------------ */

static firn_rc check_state(firn_stage *stage, const firn_staged *staged, const firn_metadata *now,
                           const char *location, const char *ref, firn_err *err)
{
    const firn_metadata *base = staged->metadata;
    firn_metadata *other;
    firn_rc rc = firn_metadata_cache_load(stage->catalog->metadata, stage->catalog->storage,
                                          stage->arena, location, &other, err);
    if (rc != FIRN_OK) {
        return firn_err_wrap(
            err, rc,
            "cannot tell which snapshots of %s are needed on %s (drop that branch or "
            "tag if nobody needs it)",
            firn_stage_text(stage, staged), ref);
    }
    for (size_t i = 0; i < base->n_snapshots; i++) {
        int64_t id = base->snapshots[i].snapshot_id;
        if (!firn_metadata_snapshot(now, id) && firn_metadata_snapshot(other, id)) {
            FIRN_FAIL(err, FIRN_E_VALIDATION,
                      "snapshot %" PRId64
                      " of %s cannot be removed on %s: %s still has it, and its "
                      "files with it. Keep snapshots as old as that, or delete %s first if nobody "
                      "needs it",
                      id, firn_stage_text(stage, staged), stage->branch.text, ref, ref);
        }
    }
    return FIRN_OK;
}

firn_rc firn_pins_check(firn_stage *stage, const firn_staged *staged, const firn_metadata *now,
                        firn_err *err)
{
    firn_db_rows rows;
    const char *content_id = staged->now->content_id;
    FIRN_TRY(other_states(stage->db, stage->arena, content_id, stage->branch.ref, &rows, err));
    for (size_t i = 0; i < rows.n_rows; i++) {
        FIRN_TRY(check_state(stage, staged, now, firn_db_text(&rows, i, 0),
                             firn_db_text(&rows, i, 1), err));
    }
    firn_pinned pinned = {.content_id = content_id, .states = states_text(stage->arena, &rows)};
    firn_vec_push(stage->arena, &stage->pinned, pinned);
    return FIRN_OK;
}

firn_rc firn_pins_unchanged(firn_db *db, firn_arena *arena, const firn_stage *stage, firn_err *err)
{
    for (size_t i = 0; i < stage->pinned.len; i++) {
        const firn_pinned *pinned = &stage->pinned.items[i];
        firn_db_rows rows;
        FIRN_TRY(other_states(db, arena, pinned->content_id, stage->branch.ref, &rows, err));
        if (!firn_streq(states_text(arena, &rows), pinned->states)) {
            FIRN_FAIL(err, FIRN_E_CONFLICT,
                      "a branch or tag with the table came or moved while snapshots were removed "
                      "from it on %s: try again",
                      stage->branch.text);
        }
    }
    return FIRN_OK;
}

/* ---- shared tables ---------------------------------------------------------------------------- */

firn_rc firn_catalog_table_shared(firn_catalog *catalog, firn_arena *arena, const char *ref,
                                  const char *content_id, const char *location, bool *shared,
                                  firn_err *err)
{
    *shared = false;
    if (catalog->ops) { /* somebody else's catalog has no branches that firn knows of */
        return FIRN_OK;
    }
    FIRN_AUTO_SESSION firn_db_session session = {0};
    firn_db_rows rows;
    FIRN_TRY(firn_db_session_begin(catalog, false, &session, err));
    FIRN_TRY(other_states(session.db, arena, content_id, ref ? ref : FIRN_MAIN, &rows, err));
    for (size_t i = 0; i < rows.n_rows; i++) {
        *shared |= !location || !firn_streq(firn_db_text(&rows, i, 0), location);
    }
    return FIRN_OK;
}

firn_rc firn_catalog_table_states(firn_catalog *catalog, firn_arena *arena, const char *ref,
                                  const char *content_id, firn_table_state **out, size_t *n,
                                  firn_err *err)
{
    *out = NULL;
    *n = 0;
    if (catalog->ops) {
        return FIRN_OK;
    }
    FIRN_AUTO_SESSION firn_db_session session = {0};
    firn_db_rows rows;
    FIRN_TRY(firn_db_session_begin(catalog, false, &session, err));
    FIRN_TRY(other_states(session.db, arena, content_id, ref ? ref : FIRN_MAIN, &rows, err));
    *out = FIRN_NEW_N(arena, firn_table_state, rows.n_rows);
    for (; *n < rows.n_rows; ++*n) {
        (*out)[*n] = (firn_table_state){.location = firn_db_text(&rows, *n, 0),
                                        .ref = firn_db_text(&rows, *n, 1)};
    }
    return FIRN_OK;
}

firn_rc firn_pins_holder(firn_catalog *catalog, firn_arena *arena, const char *ref,
                         const char *content_id, const char **holder, firn_err *err)
{
    FIRN_AUTO_SESSION firn_db_session session = {0};
    firn_db_rows rows;
    FIRN_TRY(firn_db_session_begin(catalog, false, &session, err));
    FIRN_TRY(other_states(session.db, arena, content_id, ref, &rows, err));
    *holder = rows.n_rows > 0 ? firn_db_text(&rows, 0, 1) : NULL;
    return FIRN_OK;
}

/* ---- metadata files that have left the log ------------------------------------------------------ */

static bool in_log(const firn_metadata *metadata, const char *location)
{
    for (size_t i = 0; i < metadata->n_metadata_log; i++) {
        if (firn_streq(metadata->metadata_log[i].location, location)) {
            return true;
        }
    }
    return false;
}

/* Java's property, under a condition of firn's: nobody else has the table. A tag may point to the very file, and a merge
 * looks at the state that two branches come from, wherever that is in the log. */
void firn_pins_delete_old_metadata(firn_catalog *catalog, firn_arena *arena, const char *ref,
                                   const char *content_id, const firn_metadata *base,
                                   const firn_metadata *now)
{
    const char *enabled =
        firn_metadata_property(now, "write.metadata.delete-after-commit.enabled", "false");
    const char *holder;
    firn_err err = {0};
    if (!firn_strcaseeq(enabled, "true")) {
        return;
    }
    firn_rc rc = FIRN_OK;
    bool asked = false;
    for (size_t i = 0; rc == FIRN_OK && i < base->n_metadata_log; i++) {
        const char *location = base->metadata_log[i].location;
        if (in_log(now, location)) {
            continue;
        }
        if (!asked) {
            rc = firn_pins_holder(catalog, arena, ref, content_id, &holder, &err);
            asked = true;
            if (rc == FIRN_OK && holder) {
                return;
            }
        }
        if (rc == FIRN_OK) {
            rc = firn_storage_delete(catalog->storage, location, &err);
        }
    }
    if (rc != FIRN_OK) {
        firn_log(FIRN_LOG_WARN, "catalog", "an old metadata file stays behind: %s", err.message);
    }
}
