/* Expiry: snapshots that the table's rules do not keep, and the files that only they have.
 *
 *   load -> other refs' states -> choose -> candidates, less what stays -> [expire.planned]
 *     -> one commit: remove-snapshots, remove-snapshot-ref -> [expire.committed]
 *     -> candidates, less what the committed state and the refs of now have -> delete, [expire.delete] before each
 *
 * 1. Nothing is deleted before the commit, and nothing that the committed state or another ref's state reaches. Killed in between,
 *    files stay that nobody names.
 * 2. Everything is read before the commit, so a table whose manifests cannot be read is left as it is.
 * 3. The commit requires the very metadata file that was chosen from. Who commits in between makes it choose again, among the
 *    snapshots of the first choice; so a rollback to one of them, once it has landed, keeps it, and one that comes later finds no
 *    such snapshot.
 * 4. Later commits build on the committed state, and new refs are made from states that have no more than it. (A branch made from
 *    the id of an old commit pins nothing until it is there: docs/decisions/017.)
 */
#include "expire.h"

#include "base/time.h"

#include <inttypes.h>

enum { TRIES_MAX = 5 };

typedef struct expiry {
    firn_session *session;
    firn_catalog *catalog;
    firn_arena *arena;
    const firn_expire_options *options;
    const char *text;
    firn_table table; /* as it was chosen from */
    firn_expire_rules rules;
    firn_imap *pinned, *planned;
    firn_expire_choice choice; /* the plan's, then the commit's */
    FIRN_VEC(const char *) kept_by;
    FIRN_VEC(int64_t) log_sizes; /* of the metadata files in the log, if they may go */
} expiry;

static void say(expiry *e, const char *sentence)
{
    firn_vec_push(e->arena, &e->kept_by, sentence);
}

/* ---- other refs ----------------------------------------------------------------------------------- */

static firn_rc load_state(expiry *e, const firn_table_state *state, firn_metadata **out,
                          firn_err *err)
{
    firn_rc rc = firn_catalog_metadata_at(e->catalog, e->arena, state->location, out, err);
    if (rc != FIRN_OK) {
        return firn_err_wrap(err, rc,
                             "cannot tell which files of %s are needed on %s (drop that branch or "
                             "tag if nobody needs it)",
                             e->text, state->ref);
    }
    return FIRN_OK;
}

static const char *ref_kind(expiry *e, const char *name)
{
    firn_ref ref;
    firn_err ignored = {0};
    return firn_catalog_ref_get(e->catalog, e->arena, name, &ref, &ignored) == FIRN_OK && ref.is_tag
               ? "tag"
               : "branch";
}

/* "branch dev has snapshot 12 and 3 more": only of those that would have gone. */
static void say_pinned(expiry *e, const char *ref, const firn_metadata *state,
                       const firn_imap *wanted)
{
    int64_t first = 0, n = 0;
    for (size_t i = 0; i < state->n_snapshots; i++) {
        if (firn_imap_has(wanted, state->snapshots[i].snapshot_id) && n++ == 0) {
            first = state->snapshots[i].snapshot_id;
        }
    }
    if (n == 0) {
        return;
    }
    const char *more = n > 1 ? firn_arena_printf(e->arena, " and %" PRId64 " more", n - 1) : "";
    say(e, firn_arena_printf(e->arena, "%s %s has snapshot %" PRId64 "%s", ref_kind(e, ref), ref,
                             first, more));
}

static firn_imap *ids_of(firn_arena *arena, const firn_expire_choice *choice)
{
    firn_imap *ids = firn_imap_new(arena);
    for (size_t i = 0; i < choice->snapshots.len; i++) {
        firn_imap_put(ids, choice->snapshots.items[i], ids);
    }
    return ids;
}

/* ---- planning ------------------------------------------------------------------------------------- */

static firn_rc load(expiry *e, firn_err *err)
{
    FIRN_TRY(firn_catalog_table_load(e->catalog, e->arena, firn_session_ref(e->session),
                                     e->options->ident, &e->table, err));
    const char *gc = firn_metadata_property(e->table.metadata, "gc.enabled", "true");
    if (firn_strcaseeq(gc, "false")) {
        FIRN_FAIL(
            err, FIRN_E_INVALID,
            "snapshots of %s cannot be expired: its property gc.enabled is false, so its files "
            "may be somebody else's (a catalog over HTTP says so, too, while another of its branches "
            "has the table). If they are not: ALTER TABLE %s SET PROPERTIES "
            "('gc.enabled' = 'true'); files outside of its own folder stay in any case",
            e->text, e->text);
    }
    e->rules = firn_expire_rules_of(e->table.metadata, e->options, firn_now_us() / 1000);
    return FIRN_OK;
}

static firn_rc choose(expiry *e, firn_metadata ***states, size_t *n_states, firn_err *err)
{
    firn_table_state *others = NULL;
    firn_expire_choice alone;
    e->kept_by.len = 0;
    FIRN_TRY(firn_catalog_table_states(e->catalog, e->arena, firn_session_ref(e->session),
                                       e->table.entry.content_id, &others, n_states, err));
    firn_expire_choose(e->arena, e->table.metadata, &e->rules, NULL, NULL, &alone);
    const firn_imap *wanted = ids_of(e->arena, &alone);
    e->pinned = firn_imap_new(e->arena);
    *states = FIRN_NEW_N(e->arena, firn_metadata *, *n_states);
    for (size_t i = 0; i < *n_states; i++) {
        FIRN_TRY(load_state(e, &others[i], &(*states)[i], err));
        const firn_metadata *state = (*states)[i];
        say_pinned(e, others[i].ref, state, wanted);
        for (size_t s = 0; s < state->n_snapshots; s++) {
            firn_imap_put(e->pinned, state->snapshots[s].snapshot_id, e);
        }
    }
    firn_expire_choose(e->arena, e->table.metadata, &e->rules, e->pinned, NULL, &e->choice);
    for (size_t i = 0; i < e->choice.kept_by.len; i++) {
        say(e, e->choice.kept_by.items[i]);
    }
    e->planned = ids_of(e->arena, &e->choice);
    return FIRN_OK;
}

static firn_rc plan(expiry *e, firn_expire_files *files, firn_err *err)
{
    firn_metadata **states = NULL;
    size_t n = 0;
    FIRN_TRY(choose(e, &states, &n, err));
    firn_expire_files_init(files, e->catalog, e->arena, e->table.metadata);
    if (e->choice.snapshots.len == 0) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_expire_files_add(files, e->choice.snapshots.items, e->choice.snapshots.len, err));
    FIRN_TRY(firn_expire_files_keep(files, e->table.metadata, e->planned, err));
    for (size_t i = 0; i < n; i++) {
        FIRN_TRY(firn_expire_files_keep(files, states[i], NULL, err));
    }
    return firn_expire_files_settle(files, err);
}

/* ---- commit --------------------------------------------------------------------------------------- */

static firn_rc build(void *ctx, firn_arena *arena, const firn_table *base, json_t *updates,
                     json_t *requirements, firn_err *err)
{
    expiry *e = ctx;
    (void)arena, (void)requirements;
    const char *ours = e->table.metadata->table_uuid, *theirs = base->metadata->table_uuid;
    if (ours != NULL && theirs != NULL && !firn_streq(ours, theirs)) {
        FIRN_FAIL(err, FIRN_E_VALIDATION,
                  "%s was dropped and made anew while its snapshots were looked at; run it again",
                  e->text);
    }
    firn_expire_choose(e->arena, base->metadata, &e->rules, e->pinned, e->planned, &e->choice);
    for (size_t i = 0; i < e->choice.refs.len; i++) {
        e->choice.refs.items[i] = firn_arena_strdup(e->arena, e->choice.refs.items[i]);
        firn_update_remove_ref(updates, e->choice.refs.items[i]);
    }
    if (e->choice.snapshots.len > 0) {
        firn_update_remove_snapshots(updates, e->choice.snapshots.items, e->choice.snapshots.len);
    }
    return FIRN_OK;
}

static firn_rc commit(expiry *e, firn_commit_result *result, firn_err *err)
{
    firn_table_builder builder = {.ident = e->options->ident, .build = build, .ctx = e};
    const char *message =
        firn_arena_printf(e->arena, "expire %zu snapshot%s of %s", e->choice.snapshots.len,
                          e->choice.snapshots.len == 1 ? "" : "s", e->text);
    firn_commit_info info = firn_session_commit_info(e->session, message);
    return firn_catalog_commit_tables(e->catalog, e->arena, firn_session_ref(e->session), &builder,
                                      1, &info, result, err);
}

/* ---- old metadata files: the catalog deletes them with the commit, here they are counted --------------------- */

static void measure_log(expiry *e)
{
    const firn_metadata *metadata = e->table.metadata;
    const char *enabled =
        firn_metadata_property(metadata, "write.metadata.delete-after-commit.enabled", "false");
    e->log_sizes.len = 0;
    for (size_t i = 0; firn_strcaseeq(enabled, "true") && i < metadata->n_metadata_log; i++) {
        int64_t bytes = -1;
        firn_err ignored = {0};
        if (firn_storage_size(firn_catalog_storage(e->catalog), metadata->metadata_log[i].location,
                              &bytes, &ignored) != FIRN_OK) {
            bytes = -1;
        }
        firn_vec_push(e->arena, &e->log_sizes, bytes);
    }
}

static bool in_log(const firn_metadata *metadata, const char *location)
{
    for (size_t i = 0; i < metadata->n_metadata_log; i++) {
        if (firn_streq(metadata->metadata_log[i].location, location)) {
            return true;
        }
    }
    return false;
}

static void count_log(const expiry *e, const firn_metadata *now, firn_expire_result *out)
{
    for (size_t i = 0; i < e->log_sizes.len; i++) {
        const char *location = e->table.metadata->metadata_log[i].location;
        int64_t bytes;
        firn_err ignored = {0};
        if (e->log_sizes.items[i] < 0 || in_log(now, location) ||
            firn_storage_size(firn_catalog_storage(e->catalog), location, &bytes, &ignored) !=
                FIRN_E_NOT_FOUND) {
            continue;
        }
        out->files++;
        out->bytes += e->log_sizes.items[i];
    }
}

/* ---- deletion ------------------------------------------------------------------------------------- */

static void tell(expiry *e, const firn_expire_files *files, firn_expire_result *out)
{
    out->snapshots = (int64_t)e->choice.snapshots.len;
    out->files += files->files - files->failed;
    out->bytes += files->bytes;
    if (files->foreign > 0) {
        say(e,
            firn_arena_printf(e->arena,
                              "%" PRId64 " file%s outside of the table's own folder stay%s: "
                              "somebody else put %s there",
                              files->foreign, files->foreign == 1 ? "" : "s",
                              files->foreign == 1 ? "s" : "", files->foreign == 1 ? "it" : "them"));
    }
    if (files->failed > 0) {
        say(e, firn_arena_printf(e->arena, "%" PRId64 " file%s could not be deleted: %s",
                                 files->failed, files->failed == 1 ? "" : "s", files->failure));
    }
    out->kept_by = e->kept_by.items;
    out->n_kept_by = e->kept_by.len;
}

static firn_rc delete_files(expiry *e, firn_expire_files *files, const firn_metadata *now,
                            firn_err *err)
{
    firn_table_state *others = NULL;
    size_t n = 0;
    FIRN_TRY(firn_fault_point("expire.committed", e->text, err));
    FIRN_TRY(firn_expire_files_keep(files, now, NULL, err));
    FIRN_TRY(firn_catalog_table_states(e->catalog, e->arena, firn_session_ref(e->session),
                                       e->table.entry.content_id, &others, &n, err));
    for (size_t i = 0; i < n; i++) {
        firn_metadata *state;
        FIRN_TRY(load_state(e, &others[i], &state, err));
        FIRN_TRY(firn_expire_files_keep(files, state, NULL, err));
    }
    FIRN_TRY(firn_expire_files_settle(files, err));
    return firn_expire_files_delete(files, false, err);
}

static firn_rc commit_and_delete(expiry *e, firn_expire_files *files, firn_expire_result *out,
                                 firn_err *err)
{
    firn_commit_result result = {0};
    firn_metadata *now;
    FIRN_TRY(firn_fault_point("expire.planned", e->text, err));
    measure_log(e);
    FIRN_TRY(commit(e, &result, err));
    if (result.commit_id == NULL) {
        return FIRN_OK; /* what was to go went meanwhile */
    }
    firn_rc rc = firn_catalog_metadata_at(e->catalog, e->arena, result.locations[0], &now, err);
    if (rc == FIRN_OK) {
        count_log(e, now, out);
        rc = delete_files(e, files, now, err);
    }
    if (rc != FIRN_OK) {
        return firn_err_wrap(err, rc,
                             "the snapshots of %s are expired, but their files stay behind and "
                             "nothing names them any more",
                             e->text);
    }
    return FIRN_OK;
}

static firn_rc try_once(expiry *e, firn_expire_result *out, firn_err *err)
{
    firn_expire_files files = {0};
    *out = (firn_expire_result){0};
    FIRN_TRY(load(e, err));
    firn_rc rc = plan(e, &files, err);
    if (rc == FIRN_OK && e->options->dry_run) {
        rc = firn_expire_files_delete(&files, true, err);
    } else if (rc == FIRN_OK && e->choice.snapshots.len + e->choice.refs.len > 0) {
        rc = commit_and_delete(e, &files, out, err);
    }
    if (rc == FIRN_OK) {
        tell(e, &files, out);
    }
    firn_expire_files_deinit(&files);
    return rc;
}

firn_rc firn_maintain_expire(firn_session *session, firn_arena *arena,
                             const firn_expire_options *options, firn_expire_result *out,
                             firn_err *err)
{
    firn_lake *lake = firn_session_lake(session);
    if (lake == NULL) {
        FIRN_FAIL(err, FIRN_E_INVALID, "there is no lake here, so there are no tables to expire");
    }
    expiry e = {.session = session,
                .catalog = firn_lake_catalog(lake),
                .arena = arena,
                .options = options,
                .text = firn_ident_text(arena, options->ident)};
    firn_err own = {0};
    firn_rc rc = FIRN_E_VALIDATION;
    /* VALIDATION by the catalog: a branch or tag came that has one of the snapshots. */
    for (int i = 0; i < TRIES_MAX; i++) {
        own = (firn_err){0};
        rc = try_once(&e, out, &own);
        if (rc != FIRN_E_VALIDATION) {
            break;
        }
    }
    if (rc != FIRN_OK && err != NULL) {
        *err = own;
    }
    return rc;
}
