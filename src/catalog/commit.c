/* Commits: changes staged against a branch, their files written, then one transaction that compares and swaps.
 *
 *   stage (read transaction) -> write metadata files -> [commit.metadata_written]
 *     -> begin write -> every touched key still as read? -> log, entries, ref -> commit -> [commit.pointer_swapped]
 *
 * Known failure: the files are deleted. Lost race: the same changes are staged again on what is there now, so that
 * requirements, and not chance, decide whether they still hold. Unknown outcome: settled by a write transaction of its
 * own if the database still takes one; if not, nothing is deleted and the caller is told.
 */
#include "internal.h"

#include "base/time.h"
#include "base/uuid.h"

#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

enum { LOST_RACES_MAX = 20 };

/* ---- who and what ----------------------------------------------------------------------------- */

const char *firn_commit_author(firn_arena *arena, const firn_commit_info *info)
{
    if (info && info->author) {
        return info->author;
    }
    struct passwd entry, *found = NULL;
    char text[4096];
    if (getpwuid_r(geteuid(), &entry, text, sizeof(text), &found) == 0 && found) {
        return firn_arena_strdup(arena, found->pw_name);
    }
    return firn_arena_printf(arena, "uid %u", (unsigned)geteuid());
}

char *firn_commit_id_new(firn_arena *arena)
{
    uint8_t id[16];
    firn_uuid_v4(id);
    return firn_hex(arena, firn_bytes_of(id, sizeof(id)));
}

/* "append", "overwrite"... if the updates add a snapshot, else "update". */
static const char *verb_of_updates(const json_t *updates)
{
    size_t i;
    const json_t *update;
    json_array_foreach(updates, i, update)
    {
        const json_t *summary = json_object_get(json_object_get(update, "snapshot"), "summary");
        const char *operation = json_string_value(json_object_get(summary, "operation"));
        if (operation) {
            return operation;
        }
    }
    return "update";
}

static const char *describe(firn_arena *arena, const firn_change *change)
{
    const char *name = firn_ident_text(arena, change->ident);
    switch (change->kind) {
    case FIRN_CHANGE_CREATE_TABLE: return firn_arena_printf(arena, "create table %s", name);
    case FIRN_CHANGE_UPDATE_TABLE:
        return firn_arena_printf(arena, "%s %s", verb_of_updates(change->updates), name);
    case FIRN_CHANGE_REGISTER_TABLE: return firn_arena_printf(arena, "register table %s", name);
    case FIRN_CHANGE_DROP_TABLE: return firn_arena_printf(arena, "drop table %s", name);
    case FIRN_CHANGE_RENAME_TABLE:
    case FIRN_CHANGE_RENAME_VIEW:
        return firn_arena_printf(arena, "rename %s to %s", name,
                                 firn_ident_text(arena, change->to));
    case FIRN_CHANGE_PUT_VIEW:
        return firn_arena_printf(arena, "%s view %s", change->replace ? "replace" : "create", name);
    case FIRN_CHANGE_CREATE_VIEW: return firn_arena_printf(arena, "create view %s", name);
    case FIRN_CHANGE_UPDATE_VIEW: return firn_arena_printf(arena, "replace view %s", name);
    case FIRN_CHANGE_REGISTER_VIEW: return firn_arena_printf(arena, "register view %s", name);
    case FIRN_CHANGE_DROP_VIEW: return firn_arena_printf(arena, "drop view %s", name);
    case FIRN_CHANGE_CREATE_NAMESPACE: return firn_arena_printf(arena, "create namespace %s", name);
    case FIRN_CHANGE_DROP_NAMESPACE: return firn_arena_printf(arena, "drop namespace %s", name);
    case FIRN_CHANGE_SET_NAMESPACE_PROPERTIES:
        return firn_arena_printf(arena, "set properties of namespace %s", name);
    }
    return name;
}

static const char *message_of(firn_arena *arena, const firn_change *changes, size_t n,
                              const firn_commit_info *info)
{
    enum { SHOWN_MAX = 3 };
    if (info && info->message) {
        return info->message;
    }
    const char *parts[SHOWN_MAX];
    size_t shown = n < SHOWN_MAX ? n : SHOWN_MAX;
    for (size_t i = 0; i < shown; i++) {
        parts[i] = describe(arena, &changes[i]);
    }
    const char *text = firn_str_join(arena, parts, shown, ", ");
    return n == shown ? text : firn_arena_printf(arena, "%s and %zu more", text, n - shown);
}

/* ---- the transaction -------------------------------------------------------------------------- */

firn_rc firn_deltas_check(firn_db *db, firn_arena *arena, const firn_point *branch,
                          const firn_delta *deltas, size_t n, firn_err *err)
{
    for (size_t i = 0; i < n; i++) {
        firn_stored *there;
        FIRN_TRY(firn_store_get(db, arena, branch, deltas[i].ns, deltas[i].name, &there, err));
        if (!firn_stored_same(there, deltas[i].was)) {
            FIRN_FAIL(err, FIRN_E_CONFLICT,
                      "%s changed on %s while it was being changed here: reload it and try again",
                      firn_ident_text(arena, (firn_ident){deltas[i].ns, deltas[i].name}),
                      branch->text);
        }
    }
    return FIRN_OK;
}

static firn_rc check_namespace(firn_db *db, firn_arena *arena, const firn_point *branch,
                               const firn_delta *delta, firn_err *err)
{
    bool is_namespace = delta->name[0] == '\0';
    const char *needed = is_namespace ? firn_ns_parent(arena, delta->ns) : delta->ns;
    firn_stored *there = NULL;
    if (!needed[0]) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_store_get(db, arena, branch, needed, "", &there, err));
    return there ? FIRN_OK
                 : firn_fail_missing(db, arena, branch, FIRN_KIND_NAMESPACE, needed, "", err);
}

/* Two names of one table would be two lines of commits in one folder, each deleting as orphans what the other needs.
 * Only content that comes under a name it did not have can bring that about. */
static firn_rc check_only_name(firn_db *db, firn_arena *arena, const firn_point *branch,
                               const firn_delta *delta, firn_err *err)
{
    firn_stored *other;
    if (delta->now->kind == FIRN_KIND_NAMESPACE ||
        (delta->was && firn_streq(delta->was->content_id, delta->now->content_id))) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_store_other_name(db, arena, branch->ref, delta, &other, err));
    if (other) {
        FIRN_FAIL(err, FIRN_E_EXISTS,
                  "%s would be a second name of %s %s on %s: rename that one instead, or drop it "
                  "first (its files stay)",
                  firn_ident_text(arena, (firn_ident){delta->ns, delta->name}),
                  firn_kind_text(other->kind),
                  firn_ident_text(arena, (firn_ident){other->ns, other->name}), branch->text);
    }
    return FIRN_OK;
}

firn_rc firn_delta_check_structure(firn_db *db, firn_arena *arena, const firn_point *branch,
                                   const firn_delta *delta, firn_err *err)
{
    if (delta->now) {
        FIRN_TRY(check_namespace(db, arena, branch, delta, err));
        return check_only_name(db, arena, branch, delta, err);
    }
    bool is_namespace = delta->name[0] == '\0';
    bool has_children = false;
    if (is_namespace) {
        FIRN_TRY(firn_store_has_children(db, arena, branch->ref, delta->ns, &has_children, err));
    }
    if (has_children) {
        FIRN_FAIL(err, FIRN_E_NOT_EMPTY,
                  "namespace %s is not empty on %s: drop what is in it first",
                  firn_ns_text(arena, delta->ns), branch->text);
    }
    return FIRN_OK;
}

firn_rc firn_deltas_apply(firn_db *db, firn_arena *arena, const firn_point *branch,
                          const firn_delta *deltas, size_t n, firn_commit_row *row, firn_err *err)
{
    row->parent_id = branch->commit_id;
    row->time_us = firn_now_us();
    row->generation = branch->generation + 1;
    firn_commit_row *other = NULL;
    if (row->merge_parent_id) {
        FIRN_TRY(firn_store_commit_get(db, arena, row->merge_parent_id, &other, err));
    }
    if (other && other->generation >= row->generation) {
        row->generation = other->generation + 1;
    }
    FIRN_TRY(firn_store_commit_insert(db, row, deltas, n, err));
    return firn_store_advance(db, branch->ref, row, deltas, n, err);
}

/* What one attempt carries from its staging to its transaction. */
typedef struct attempt {
    firn_stage stage;
    firn_delta *deltas;
    size_t n_deltas;
    firn_commit_row row;
    const firn_commit_info *info;
    firn_key_use key; /* used: by an earlier commit, so this attempt makes none */
    bool lost_race;
} attempt;

static firn_rc swap(firn_catalog *catalog, firn_arena *arena, attempt *a, firn_err *err)
{
    FIRN_AUTO_SESSION firn_db_session session = {0};
    firn_point branch;
    FIRN_TRY(firn_db_session_begin(catalog, true, &session, err));
    FIRN_TRY(firn_idempotency_find(session.db, arena, a->info, &a->key, err));
    if (a->key.used) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_store_branch(session.db, arena, a->stage.branch.ref, &branch, err));
    firn_rc rc = firn_deltas_check(session.db, arena, &branch, a->deltas, a->n_deltas, err);
    if (rc == FIRN_OK) {
        rc = firn_pins_unchanged(session.db, arena, &a->stage, err);
    }
    a->lost_race = rc == FIRN_E_CONFLICT;
    FIRN_TRY(rc);
    for (size_t i = 0; i < a->stage.claims.len; i++) {
        const firn_claim *claim = &a->stage.claims.items[i];
        FIRN_TRY(firn_folder_claim(session.db, claim->location, claim->content_id, err));
    }
    FIRN_TRY(firn_deltas_apply(session.db, arena, &branch, a->deltas, a->n_deltas, &a->row, err));
    FIRN_TRY(firn_idempotency_claim(session.db, a->info, a->row.id, err));
    for (size_t i = 0; i < a->n_deltas; i++) {
        FIRN_TRY(firn_delta_check_structure(session.db, arena, &branch, &a->deltas[i], err));
    }
    return firn_db_session_commit(&session, err);
}

/* Find out whether a commit happened. A write transaction that gets through leaves no room for the lost one: it has taken its
 * place in SQLite's WAL, and in PostgreSQL it has waited for the write lock, which the lost one held until its end. */
static firn_rc settle(firn_catalog *catalog, const char *branch, const char *commit_id,
                      bool *landed, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    FIRN_AUTO_SESSION firn_db_session session = {0};
    firn_commit_row *row;
    firn_db_value name = firn_db_str(branch);
    FIRN_TRY(firn_db_session_begin(catalog, true, &session, err));
    FIRN_TRY(firn_db_query(session.db, arena,
                           "UPDATE refs SET settles = settles + 1 WHERE name = $1", &name, 1, NULL,
                           err));
    FIRN_TRY(firn_store_commit_get(session.db, arena, commit_id, &row, err));
    FIRN_TRY(firn_db_session_commit(&session, err));
    *landed = row != NULL;
    return FIRN_OK;
}

/* A database that is away may be back soon, and knowing is worth the wait. */
static firn_rc settle_patiently(firn_catalog *catalog, const char *branch, const char *commit_id,
                                bool *landed)
{
    enum { NAP_MS = 100 };
    int64_t deadline_us = firn_monotonic_us() + (int64_t)catalog->busy_timeout_ms * 1000;
    for (;;) {
        firn_rc rc = settle(catalog, branch, commit_id, landed, NULL);
        if (rc != FIRN_E_BUSY || firn_monotonic_us() >= deadline_us) {
            return rc;
        }
        firn_sleep_ms(NAP_MS);
    }
}

firn_rc firn_commit_outcome(firn_catalog *catalog, const char *branch, const char *commit_id,
                            firn_rc rc, const firn_err *detail, firn_err *err)
{
    if (rc == FIRN_E_UNKNOWN_OUTCOME) {
        bool landed;
        if (settle_patiently(catalog, branch, commit_id, &landed) != FIRN_OK) {
            FIRN_FAIL(
                err, FIRN_E_UNKNOWN_OUTCOME,
                "it is not known whether commit %s on %s was made (%s): see `firn ref log %s`",
                commit_id, branch, detail->message, branch);
        }
        if (landed) {
            return FIRN_OK;
        }
        FIRN_FAIL(err, FIRN_E_IO, "nothing was committed: %s", detail->message);
    }
    if (rc != FIRN_OK && err) {
        *err = *detail;
    }
    return rc;
}

static firn_rc land(firn_catalog *catalog, firn_arena *arena, attempt *a, firn_err *err)
{
    firn_err detail = {0};
    firn_rc rc = swap(catalog, arena, a, &detail);
    return firn_commit_outcome(catalog, a->stage.branch.ref, a->row.id, rc, &detail, err);
}

/* ---- commit ----------------------------------------------------------------------------------- */

static firn_rc stage_all(firn_catalog *catalog, firn_arena *arena, const char *branch,
                         const firn_change *changes, size_t n, attempt *a, firn_err *err)
{
    FIRN_AUTO_SESSION firn_db_session session = {0};
    firn_stage *stage = &a->stage;
    firn_point point;
    FIRN_TRY(firn_db_session_begin(catalog, false, &session, err));
    /* In the snapshot that the changes are checked against: they would fail on the state that the first commit left. */
    FIRN_TRY(firn_idempotency_find(session.db, arena, a->info, &a->key, err));
    FIRN_TRY(firn_store_branch(session.db, arena, branch, &point, err));
    firn_stage_init(stage, catalog, arena, session.db, point);
    firn_rc rc = FIRN_OK;
    for (size_t i = 0; rc == FIRN_OK && !a->key.used && i < n; i++) {
        rc = firn_stage_change(stage, &changes[i], err);
    }
    stage->db = NULL;
    return rc;
}

static firn_rc write_and_land(firn_catalog *catalog, firn_arena *arena, attempt *a, firn_err *err)
{
    FIRN_TRY(firn_stage_flush(&a->stage, err));
    FIRN_TRY(firn_fault_point("commit.metadata_written", a->stage.branch.text, err));
    firn_stage_deltas(&a->stage, &a->deltas, &a->n_deltas);
    if (a->n_deltas == 0) {
        a->row.id = NULL;
        return FIRN_OK;
    }
    return land(catalog, arena, a, err);
}

static firn_ident ident_after(const firn_change *change)
{
    bool renamed =
        change->kind == FIRN_CHANGE_RENAME_TABLE || change->kind == FIRN_CHANGE_RENAME_VIEW;
    return renamed ? change->to : change->ident;
}

/* The metadata file that each change's key points to now. */
static firn_rc locations_of(attempt *a, const firn_change *changes, size_t n, const char ***out,
                            firn_err *err)
{
    *out = FIRN_NEW_N(a->stage.arena, const char *, n);
    for (size_t i = 0; i < n; i++) {
        firn_ident ident = ident_after(&changes[i]);
        firn_staged *staged;
        FIRN_TRY(firn_stage_key(&a->stage, ident.ns, ident.name ? ident.name : "", &staged, err));
        (*out)[i] =
            staged->now && staged->now->kind != FIRN_KIND_NAMESPACE ? staged->now->value : NULL;
    }
    return FIRN_OK;
}

static void remember_metadata(firn_catalog *catalog, const firn_stage *stage)
{
    const char *key;
    void *value;
    for (size_t i = 0; firn_map_next(stage->keys, &i, &key, &value);) {
        firn_staged *staged = value;
        if (staged->now && staged->metadata && staged->own && *staged->own) {
            staged->metadata =
                firn_metadata_cache_adopt(catalog->metadata, staged->now->value, *staged->own,
                                          staged->metadata, stage->arena);
            *staged->own = NULL;
            if (staged->base) {
                firn_pins_delete_old_metadata(catalog, stage->arena, stage->branch.ref,
                                              staged->now->content_id, staged->base,
                                              staged->metadata);
            }
        }
    }
}

static firn_rc try_commit(firn_catalog *catalog, firn_arena *arena, const char *branch,
                          const firn_change *changes, size_t n, const firn_commit_info *info,
                          attempt *a, firn_err *err)
{
    *a = (attempt){
        .info = info,
        .row =
            {
                .id = firn_commit_id_new(arena),
                .author = firn_commit_author(arena, info),
                .message = message_of(arena, changes, n, info),
            },
    };
    firn_rc rc = stage_all(catalog, arena, branch, changes, n, a, err);
    if (rc == FIRN_OK && !a->key.used) {
        rc = write_and_land(catalog, arena, a, err);
    }
    if (rc != FIRN_E_UNKNOWN_OUTCOME && (rc != FIRN_OK || !a->row.id || a->key.used)) {
        firn_stage_discard(&a->stage);
    }
    return rc;
}

/* What the key's first commit made of each key that the changes name. */
static firn_rc repeat(firn_catalog *catalog, firn_arena *arena, const attempt *a,
                      const firn_change *changes, size_t n, firn_commit_result *out, firn_err *err)
{
    FIRN_AUTO_SESSION firn_db_session session = {0};
    firn_delta *deltas = NULL;
    size_t n_deltas = 0;
    *out = (firn_commit_result){
        .repeated = true,
        .commit_id = a->key.commit_id,
        .locations = FIRN_NEW_N(arena, const char *, n),
    };
    FIRN_TRY(firn_db_session_begin(catalog, false, &session, err));
    if (out->commit_id) {
        FIRN_TRY(firn_store_deltas(session.db, arena, out->commit_id, &deltas, &n_deltas, err));
    }
    for (size_t i = 0; i < n; i++) {
        firn_ident ident = ident_after(&changes[i]);
        for (size_t d = 0; d < n_deltas; d++) {
            const firn_stored *now = deltas[d].now;
            if (now && now->kind != FIRN_KIND_NAMESPACE && firn_streq(now->ns, ident.ns) &&
                firn_streq(now->name, ident.name ? ident.name : "")) {
                out->locations[i] = now->value;
            }
        }
    }
    return FIRN_OK;
}

static firn_rc commit_now(firn_catalog *catalog, firn_arena *arena, const char *branch,
                          const firn_change *changes, size_t n, const firn_commit_info *info,
                          firn_commit_result *out, firn_err *err)
{
    if (catalog->ops) {
        return catalog->ops->commit(catalog, arena, branch, changes, n, info, out, err);
    }
    attempt a;
    firn_rc rc;
    int lost = 0;
    do {
        rc = try_commit(catalog, arena, branch, changes, n, info, &a, err);
    } while (rc == FIRN_E_CONFLICT && a.lost_race && ++lost < LOST_RACES_MAX);
    FIRN_TRY(rc);
    firn_commit_result ignored;
    out = out ? out : &ignored;
    if (a.key.used) {
        return repeat(catalog, arena, &a, changes, n, out, err);
    }
    *out = (firn_commit_result){.commit_id = a.row.id};
    FIRN_TRY(locations_of(&a, changes, n, &out->locations, err));
    if (a.row.id) {
        remember_metadata(catalog, &a.stage);
        firn_err detail = {0};
        if (firn_fault_point("commit.pointer_swapped", a.stage.branch.text, &detail) != FIRN_OK) {
            FIRN_FAIL(err, FIRN_E_UNKNOWN_OUTCOME, "%s", detail.message);
        }
    }
    return FIRN_OK;
}

/* Every table, view and namespace that the changes name. */
static firn_rc commit_in_turn(firn_catalog *catalog, firn_arena *arena, const char *branch,
                              const firn_change *changes, size_t n, const firn_commit_info *info,
                              firn_commit_result *out, firn_err *err)
{
    firn_turn turn;
    uint64_t *keys = FIRN_NEW_N(arena, uint64_t, n * 2);
    size_t n_keys = 0;
    for (size_t i = 0; i < n; i++) {
        keys[n_keys++] = firn_lock_key(branch, changes[i].ident);
        if (changes[i].to.ns) {
            keys[n_keys++] = firn_lock_key(branch, changes[i].to);
        }
    }
    firn_rc rc = firn_turn_take(catalog, arena, keys, n_keys, &turn, err);
    if (rc == FIRN_OK) {
        rc = commit_now(catalog, arena, branch, changes, n, info, out, err);
    }
    firn_turn_end(&turn);
    return rc;
}

firn_rc firn_catalog_commit(firn_catalog *catalog, firn_arena *arena, const char *branch,
                            const firn_change *changes, size_t n, const firn_commit_info *info,
                            firn_commit_result *out, firn_err *err)
{
    if (info && info->queue) {
        return commit_in_turn(catalog, arena, branch, changes, n, info, out, err);
    }
    return commit_now(catalog, arena, branch, changes, n, info, out, err);
}
