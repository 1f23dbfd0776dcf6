/* Retention, step by step; killed after any of them, the next one goes on.
 *
 *   .firn/export/<feed>.retain                    "there is something to erase": before anything is changed
 *   one commit: rows or tags go from the table    [retain.committed]
 *   the folders follow, and what they had exchanged out is deleted
 *   the note gets the files of all earlier snapshots
 *   snapshots that still name them expire; files of the note that nobody reaches any more are deleted     [retain.expired]
 *   the note is removed, unless somebody still has some of it
 *
 * The note is needed because after the commit nothing is due any more, and after the expiry nothing names the files: only it says what
 * is still to be deleted. As long as a branch or a tag keeps some of it, each retention tries again.
 */
#include "retain_private.h"

#include "base/io.h"
#include "base/time.h"
#include "catalog/keep.h"
#include "maintain/maintain.h"
#include "tree_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct retention {
    firn_session *session;
    firn_arena *arena;
    firn_lake *lake;
    const firn_export_feed *feed;
    int64_t now_us;
    bool dry_run;
    firn_ident ident;
    firn_table table;
    retain_due due;
    firn_retain_result *out;
} retention;

/* ---- the note: a line for people, then paths ----------------------------------------------------------------------------- */

enum { NOTE_BYTES_MAX = 1 << 30 };

static char *note_path(const retention *r)
{
    return firn_lake_path(r->lake, r->arena,
                          firn_arena_printf(r->arena, ".firn/export/%s.retain", r->feed->name));
}

static firn_rc read_note(const retention *r, firn_map *paths, firn_err *err)
{
    firn_bytes text;
    size_t n = 0;
    if (!firn_path_exists(note_path(r))) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_file_read(r->arena, note_path(r), NOTE_BYTES_MAX, &text, err));
    char **lines = firn_str_split(r->arena, (const char *)text.data, '\n', &n);
    for (size_t i = 1; i < n; i++) {
        if (lines[i][0] != '\0') {
            firn_map_put(paths, lines[i], paths);
        }
    }
    return FIRN_OK;
}

static firn_rc write_note(const retention *r, const firn_map *paths, firn_err *err)
{
    const char *file = note_path(r);
    const char *path;
    void *value;
    FIRN_AUTO_BUF firn_buf out = {0};
    firn_buf_printf(&out,
                    "files that may hold what feed %s no longer keeps; see firn feed retain\n",
                    r->feed->name);
    for (size_t i = 0; firn_map_next(paths, &i, &path, &value);) {
        firn_buf_printf(&out, "%s\n", path);
    }
    FIRN_TRY(firn_mkdir_p(firn_path_dirname(r->arena, file), 0755, err));
    return firn_file_write_atomic(file, firn_buf_bytes(&out), 0644, err);
}

static firn_rc remove_note(const retention *r, firn_err *err)
{
    const char *path = note_path(r);
    if (unlink(path) != 0 && errno != ENOENT) {
        return firn_err_errno(err, __FILE__, __LINE__, errno, "cannot remove %s", path);
    }
    return FIRN_OK;
}

/* ---- the commit ------------------------------------------------------------------------------------------------------- */

static const char *message_of(const retention *r)
{
    return r->due.cutoff != NULL
               ? firn_arena_printf(r->arena, "retention of feed %s: rows before %s", r->feed->name,
                                   r->due.cutoff)
               : firn_arena_printf(
                     r->arena, "retention of feed %s: versions %s", r->feed->name,
                     firn_str_join(r->arena, r->due.tags.items, r->due.tags.len, ", "));
}

static firn_rc delete_rows(retention *r, firn_err *err)
{
    const firn_commit_info info = firn_session_commit_info(r->session, NULL);
    const char *author = firn_arena_strdup(r->arena, info.author);
    const char *message = firn_arena_strdup(r->arena, info.message);
    firn_session_set_author(r->session, author, message_of(r));
    firn_session_set_erasing(r->session, true);
    firn_rc rc =
        firn_session_exec(r->session,
                          firn_arena_printf(r->arena, "DELETE FROM %s WHERE %s",
                                            firn_ident_text(r->arena, r->ident), r->due.where),
                          &r->out->rows, err);
    firn_session_set_erasing(r->session, false);
    firn_session_set_author(r->session, author, message);
    return rc;
}

static firn_rc build_without_tags(void *ctx, firn_arena *arena, const firn_table *base,
                                  json_t *updates, json_t *requirements, firn_err *err)
{
    const retention *r = ctx;
    (void)arena, (void)requirements, (void)err;
    for (size_t i = 0; i < r->due.tags.len; i++) {
        if (firn_metadata_ref(base->metadata, r->due.tags.items[i]) != NULL) {
            firn_update_remove_ref(updates, r->due.tags.items[i]);
        }
    }
    return FIRN_OK;
}

static firn_rc remove_tags(retention *r, firn_err *err)
{
    const firn_table_builder builder = {.ident = r->ident, .build = build_without_tags, .ctx = r};
    const firn_commit_info info = firn_session_commit_info(r->session, message_of(r));
    return firn_catalog_commit_tables(firn_lake_catalog(r->lake), r->arena,
                                      firn_session_ref(r->session), &builder, 1, &info, NULL, err);
}

/* ---- the disk ----------------------------------------------------------------------------------------------------------- */

static int64_t older_than_us(const retention *r, const firn_metadata *metadata)
{
    if (r->feed->retention_versions > 0) {
        /* Snapshots between kept versions (a compaction's) stay with them. */
        return r->due.kept_since_ms == INT64_MAX ? r->now_us : r->due.kept_since_ms * 1000;
    }
    /* A row that was erased now may be in every snapshot since its day. */
    int64_t newest_us = metadata->current_snapshot != NULL
                            ? metadata->current_snapshot->timestamp_ms * 1000 + 1000
                            : 0;
    return newest_us > r->now_us ? newest_us : r->now_us;
}

static firn_rc expire(retention *r, firn_err *err)
{
    firn_table table;
    firn_expire_result expired = {0};
    FIRN_TRY(firn_catalog_table_load(firn_lake_catalog(r->lake), r->arena,
                                     firn_session_ref(r->session), r->ident, &table, err));
    const firn_expire_options options = {.ident = r->ident,
                                         .older_than_us = older_than_us(r, table.metadata),
                                         .keep_last = 1,
                                         .dry_run = r->dry_run};
    FIRN_TRY(firn_maintain_expire(r->session, r->arena, &options, &expired, err));
    r->out->kept_by = expired.kept_by;
    r->out->n_kept_by = expired.n_kept_by;
    if (!r->dry_run) {
        r->out->bytes = expired.bytes;
    }
    return FIRN_OK;
}

/* ---- what would stay: a dry run of versions ------------------------------------------------------------------------------- */

typedef FIRN_VEC(const char *) sentences;

static const char *due_tag_of(const retention *r, int64_t snapshot_id)
{
    for (size_t i = 0; i < r->due.tags.len; i++) {
        const firn_snapshot_ref *ref = firn_metadata_ref(r->table.metadata, r->due.tags.items[i]);
        if (ref != NULL && ref->snapshot_id == snapshot_id) {
            return ref->name;
        }
    }
    return NULL;
}

static bool is_due_tag(const retention *r, const char *name)
{
    for (size_t i = 0; i < r->due.tags.len; i++) {
        if (firn_streq(r->due.tags.items[i], name)) {
            return true;
        }
    }
    return false;
}

static void say_own_refs(const retention *r, sentences *out)
{
    const firn_metadata *metadata = r->table.metadata;
    for (size_t i = 0; i < metadata->n_refs; i++) {
        const firn_snapshot_ref *ref = &metadata->refs[i];
        const char *version = due_tag_of(r, ref->snapshot_id);
        if (version != NULL && !is_due_tag(r, ref->name)) {
            firn_vec_push(r->arena, out,
                          firn_arena_printf(r->arena, "the table's %s %s has version %s",
                                            ref->is_tag ? "tag" : "branch", ref->name, version));
        }
    }
}

static firn_rc say_other_states(const retention *r, sentences *out, firn_err *err)
{
    firn_catalog *catalog = firn_lake_catalog(r->lake);
    firn_table_state *states = NULL;
    size_t n = 0;
    FIRN_TRY(firn_catalog_table_states(catalog, r->arena, firn_session_ref(r->session),
                                       r->table.entry.content_id, &states, &n, err));
    for (size_t i = 0; i < n; i++) {
        firn_metadata *metadata = NULL;
        FIRN_TRY(firn_catalog_metadata_at(catalog, r->arena, states[i].location, &metadata, err));
        const char *version = NULL;
        for (size_t k = 0; k < metadata->n_snapshots && version == NULL; k++) {
            version = due_tag_of(r, metadata->snapshots[k].snapshot_id);
        }
        if (version != NULL) {
            firn_vec_push(r->arena, out,
                          firn_arena_printf(r->arena, "the catalog's %s has version %s",
                                            states[i].ref, version));
        }
    }
    return FIRN_OK;
}

/* Expiry cannot be asked what it would do once the tags are gone. */
static firn_rc foresee_versions(retention *r, firn_err *err)
{
    sentences said = {0};
    say_own_refs(r, &said);
    FIRN_TRY(say_other_states(r, &said, err));
    r->out->kept_by = said.items;
    r->out->n_kept_by = said.len;
    return FIRN_OK;
}

/* Into the note: what the snapshots before this one name. */
static firn_rc note_files(retention *r, firn_map *paths, firn_err *err)
{
    firn_table table;
    FIRN_TRY(firn_catalog_table_load(firn_lake_catalog(r->lake), r->arena,
                                     firn_session_ref(r->session), r->ident, &table, err));
    FIRN_TRY(firn_retain_reach(r->lake, r->arena, table.metadata, table.metadata->current_snapshot,
                               paths, err));
    return write_note(r, paths, err);
}

/* What killed writers left of days that are due. */
static firn_rc sweep(retention *r, firn_err *err)
{
    firn_map *found = firn_map_new(r->arena);
    retain_deletion deletion = {.session = r->session, .ident = r->ident};
    firn_retain_orphans(r->lake, r->arena, r->feed, r->table.metadata, &r->due, r->now_us, found);
    if (firn_map_len(found) == 0) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_retain_delete(&deletion, r->arena, found, err));
    r->out->bytes += deletion.deleted_bytes;
    return FIRN_OK;
}

static firn_rc erase(retention *r, firn_err *err)
{
    firn_tree_result synced;
    firn_map *paths = firn_map_new(r->arena);
    retain_deletion deletion = {.session = r->session, .ident = r->ident};
    FIRN_TRY(firn_tree_sync(r->session, r->feed, r->now_us, NULL, &synced, err));
    FIRN_TRY(firn_tree_purge(r->lake, r->feed, err));
    FIRN_TRY(read_note(r, paths, err));
    FIRN_TRY(note_files(r, paths, err));
    FIRN_TRY(expire(r, err));
    FIRN_TRY(firn_retain_delete(&deletion, r->arena, paths, err));
    r->out->bytes += deletion.deleted_bytes;
    FIRN_TRY(sweep(r, err));
    FIRN_TRY(firn_fault_point("retain.expired", r->feed->name, err));
    return r->out->n_kept_by == 0 ? remove_note(r, err) : FIRN_OK;
}

/* ---- all together --------------------------------------------------------------------------------------------------------- */

static firn_rc run(void *ctx, firn_err *err)
{
    retention *r = ctx;
    FIRN_TRY(firn_catalog_table_load(firn_lake_catalog(r->lake), r->arena,
                                     firn_session_ref(r->session), r->ident, &r->table, err));
    FIRN_TRY(firn_retain_due(r->session, r->arena, r->feed, r->table.metadata, r->ident, r->now_us,
                             &r->due, err));
    bool due = r->due.rows > 0 || r->due.files > 0 || r->due.tags.len > 0;
    *r->out = (firn_retain_result){.rows = r->due.rows,
                                   .files = r->due.files,
                                   .bytes = r->dry_run ? r->due.bytes : 0,
                                   .partitions = r->due.partitions,
                                   .oldest_kept = r->due.oldest_kept};
    if (!due && !firn_path_exists(note_path(r))) {
        return r->dry_run ? FIRN_OK : sweep(r, err);
    }
    if (r->dry_run) {
        return r->due.tags.len > 0 ? foresee_versions(r, err) : expire(r, err);
    }
    if (due) {
        firn_map *paths = firn_map_new(r->arena);
        FIRN_TRY(read_note(r, paths, err));
        FIRN_TRY(write_note(r, paths, err));
        FIRN_TRY(r->due.tags.len > 0 ? remove_tags(r, err) : delete_rows(r, err));
        FIRN_TRY(firn_fault_point("retain.committed", r->feed->name, err));
    }
    return erase(r, err);
}

firn_rc firn_export_retain(firn_session *session, firn_arena *arena, const firn_export_feed *feed,
                           int64_t now_us, bool dry_run, firn_retain_result *out, firn_err *err)
{
    *out = (firn_retain_result){0};
    retention r = {.session = session,
                   .arena = arena,
                   .lake = firn_session_lake(session),
                   .feed = feed,
                   .now_us = now_us != 0 ? now_us : firn_now_us(),
                   .dry_run = dry_run,
                   .ident = firn_export_ident(arena, feed->table),
                   .out = out};
    return firn_export_on_ref(session, feed, run, &r, err);
}
