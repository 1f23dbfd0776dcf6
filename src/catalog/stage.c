/* Changes in the making: an overlay over one branch, on which the changes of a commit are carried out one after the other,
 * each seeing what those before it did. What differs from the branch in the end is the commit.
 *
 * New table metadata stays in memory until firn_stage_flush, so a commit that fails on its last table has written nothing.
 */
#include "stage.h"

#include "base/io.h"
#include "base/log.h"
#include "base/uuid.h"
#include "base/vec.h"

#include <assert.h>
#include <stdlib.h>

void firn_stage_init(firn_stage *stage, firn_catalog *catalog, firn_arena *arena, firn_db *db,
                     firn_point branch)
{
    *stage = (firn_stage){.catalog = catalog,
                          .arena = arena,
                          .db = db,
                          .branch = branch,
                          .keys = firn_map_new(arena)};
}

firn_rc firn_stage_key(firn_stage *stage, const char *ns, const char *name, firn_staged **out,
                       firn_err *err)
{
    const char *key = firn_arena_printf(stage->arena, "%s\x1e%s", ns, name);
    *out = firn_map_get(stage->keys, key);
    if (*out) {
        return FIRN_OK;
    }
    firn_stored *stored;
    FIRN_TRY(firn_store_get(stage->db, stage->arena, &stage->branch, ns, name, &stored, err));
    *out = FIRN_NEW(stage->arena, firn_staged);
    **out = (firn_staged){
        .ns = firn_arena_strdup(stage->arena, ns),
        .name = firn_arena_strdup(stage->arena, name),
        .was = stored,
        .now = stored ? firn_arena_memdup(stage->arena, stored, sizeof(*stored)) : NULL,
    };
    firn_map_put(stage->keys, key, *out);
    return FIRN_OK;
}

void firn_stage_deltas(firn_stage *stage, firn_delta **out, size_t *n)
{
    *out = FIRN_NEW_N(stage->arena, firn_delta, firn_map_len(stage->keys));
    *n = 0;
    const char *key;
    void *value;
    for (size_t i = 0; firn_map_next(stage->keys, &i, &key, &value);) {
        const firn_staged *staged = value;
        if (!firn_stored_same(staged->was, staged->now)) {
            (*out)[(*n)++] = (firn_delta){
                .ns = staged->ns, .name = staged->name, .was = staged->was, .now = staged->now};
        }
    }
}

/* ---- writing ---------------------------------------------------------------------------------- */

const char *firn_stage_text(firn_stage *stage, const firn_staged *staged)
{
    return firn_ident_text(stage->arena, (firn_ident){staged->ns, staged->name});
}

/* An unknown outcome of writing one new file is a known failure of the commit: nothing points to that file yet. */
firn_rc firn_stage_written(firn_rc rc, firn_err *err)
{
    if (rc != FIRN_E_UNKNOWN_OUTCOME) {
        return rc;
    }
    FIRN_FAIL(err, FIRN_E_IO, "%s",
              err ? err->message : "the metadata file may not have been written");
}

static firn_rc flush_key(firn_stage *stage, firn_staged *staged, firn_err *err)
{
    char *location;
    const char *previous = staged->previous_location[0] ? staged->previous_location : NULL;
    firn_rc rc = firn_metadata_store(stage->catalog->storage, stage->arena, staged->metadata,
                                     previous, &location, err);
    if (rc != FIRN_OK) {
        return firn_err_wrap(err, firn_stage_written(rc, err),
                             "cannot write the metadata of table %s",
                             firn_stage_text(stage, staged));
    }
    firn_vec_push(stage->arena, &stage->written, location);
    staged->now->value = location;
    staged->previous_location = NULL;
    return FIRN_OK;
}

firn_rc firn_stage_flush(firn_stage *stage, firn_err *err)
{
    const char *key;
    void *value;
    for (size_t i = 0; firn_map_next(stage->keys, &i, &key, &value);) {
        firn_staged *staged = value;
        if (staged->now && staged->previous_location) {
            FIRN_TRY(flush_key(stage, staged, err));
        }
    }
    return FIRN_OK;
}

void firn_stage_discard(firn_stage *stage)
{
    for (size_t i = 0; i < stage->written.len; i++) {
        firn_err err = {0};
        if (firn_storage_delete(stage->catalog->storage, stage->written.items[i], &err) !=
            FIRN_OK) {
            firn_log(FIRN_LOG_WARN, "catalog", "a file of a failed commit stays behind: %s",
                     err.message);
        }
    }
    stage->written.len = 0;
}

/* ---- helpers for the changes ------------------------------------------------------------------ */

firn_rc firn_stage_need_namespace(firn_stage *stage, const char *ns, firn_err *err)
{
    firn_staged *staged;
    FIRN_TRY(firn_stage_key(stage, ns, "", &staged, err));
    return staged->now ? FIRN_OK
                       : firn_fail_missing(stage->db, stage->arena, &stage->branch,
                                           FIRN_KIND_NAMESPACE, ns, "", err);
}

/* The key of a table or view that must be there. */
firn_rc firn_stage_need_entry(firn_stage *stage, firn_ident ident, firn_entry_kind kind,
                              firn_staged **out, firn_err *err)
{
    FIRN_TRY(firn_ident_check(ident, err));
    FIRN_TRY(firn_stage_key(stage, ident.ns, ident.name, out, err));
    if (!(*out)->now) {
        return firn_fail_missing(stage->db, stage->arena, &stage->branch, kind, ident.ns,
                                 ident.name, err);
    }
    if ((*out)->now->kind != kind) {
        FIRN_FAIL(err, kind == FIRN_KIND_TABLE ? FIRN_E_NO_TABLE : FIRN_E_NO_VIEW,
                  "%s is a %s, not a %s", firn_stage_text(stage, *out),
                  firn_kind_text((*out)->now->kind), firn_kind_text(kind));
    }
    return FIRN_OK;
}

firn_rc firn_stage_fail_exists(firn_stage *stage, const firn_staged *staged, firn_err *err)
{
    FIRN_FAIL(err, FIRN_E_EXISTS, "%s %s exists already on %s", firn_kind_text(staged->now->kind),
              firn_stage_text(stage, staged), stage->branch.text);
}

/* The key of a table or view that must not be there yet, in a namespace that is. */
firn_rc firn_stage_need_free(firn_stage *stage, firn_ident ident, firn_staged **out, firn_err *err)
{
    FIRN_TRY(firn_ident_check(ident, err));
    FIRN_TRY(firn_stage_need_namespace(stage, ident.ns, err));
    FIRN_TRY(firn_stage_key(stage, ident.ns, ident.name, out, err));
    return (*out)->now ? firn_stage_fail_exists(stage, *out, err) : FIRN_OK;
}

firn_rc firn_stage_check_expected(firn_stage *stage, const firn_staged *staged,
                                  const char *expected, firn_err *err)
{
    if (expected && !firn_streq(staged->now->value, expected)) {
        FIRN_FAIL(err, FIRN_E_CONFLICT,
                  "%s changed on %s meanwhile: it is at %s, not at %s; reload it and try again",
                  firn_stage_text(stage, staged), stage->branch.text, staged->now->value, expected);
    }
    return FIRN_OK;
}

void firn_stage_set_now(firn_stage *stage, firn_staged *staged, firn_entry_kind kind,
                        const char *content_id, const char *value)
{
    staged->now = FIRN_NEW(stage->arena, firn_stored);
    *staged->now = (firn_stored){
        .kind = kind,
        .ns = staged->ns,
        .name = staged->name,
        .content_id = content_id,
        .value = value,
    };
    staged->metadata = NULL;
    staged->own = NULL;
    staged->previous_location = NULL;
}

void firn_stage_claim(firn_stage *stage, const char *location, const char *content_id)
{
    firn_claim one = {.location = location, .content_id = content_id};
    firn_vec_push(stage->arena, &stage->claims, one);
}

/* ---- tables ----------------------------------------------------------------------------------- */

static bool has_action(const json_t *updates, const char *action)
{
    size_t i;
    const json_t *update;
    json_array_foreach(updates, i, update)
    {
        const char *name = json_string_value(json_object_get(update, "action"));
        if (name && firn_strcaseeq(name, action)) {
            return true;
        }
    }
    return false;
}

/* Requirements are optional, and so are updates. */
const json_t *firn_stage_array(firn_stage *stage, const json_t *array)
{
    return array ? array : firn_json_own(stage->arena, json_array());
}

/* The updates, with the default location put in where they name none. */
firn_rc firn_stage_with_location(firn_stage *stage, firn_ident ident, const json_t *updates,
                                 const json_t **out, firn_err *err)
{
    *out = updates;
    if (has_action(updates, "set-location")) {
        return FIRN_OK;
    }
    char *location;
    FIRN_TRY(firn_catalog_default_location(stage->catalog, stage->arena, ident, &location, err));
    json_t *copy =
        firn_json_own(stage->arena, updates ? json_copy((json_t *)updates) : json_array());
    json_array_append_new(copy,
                          json_pack("{ssss}", "action", "set-location", "location", location));
    *out = copy;
    return FIRN_OK;
}

static void free_own(void *ctx)
{
    firn_arena **own = ctx;
    if (*own) { /* the cache has not taken it over */
        firn_arena_free(*own);
    }
}

/* The updates' outcome, in an arena of its own; NULL if they change nothing. */
static firn_rc apply(firn_stage *stage, const firn_metadata *base, const json_t *updates,
                     const char *previous, firn_metadata **out, firn_arena ***own, firn_err *err)
{
    firn_update_options options = {.previous_location = previous};
    *own = FIRN_NEW(stage->arena, firn_arena *);
    **own = firn_arena_new();
    firn_arena_defer(stage->arena, free_own, *own);
    FIRN_TRY(firn_updates_apply(**own, base, updates, &options, out, err));
    if (*out == base) {
        *out = NULL;
    }
    return FIRN_OK;
}

static firn_rc create_table(firn_stage *stage, const firn_change *change, firn_err *err)
{
    firn_staged *staged;
    const json_t *updates;
    firn_metadata *metadata;
    FIRN_TRY(firn_stage_need_free(stage, change->ident, &staged, err));
    FIRN_TRY(firn_requirements_check(firn_stage_array(stage, change->requirements), NULL, err));
    FIRN_TRY(firn_stage_with_location(stage, change->ident, change->updates, &updates, err));
    firn_arena **own;
    FIRN_TRY(apply(stage, NULL, updates, NULL, &metadata, &own, err));
    firn_stage_set_now(stage, staged, FIRN_KIND_TABLE, metadata->table_uuid, "");
    staged->metadata = metadata;
    staged->own = own;
    staged->previous_location = "";
    firn_stage_claim(stage, metadata->location, metadata->table_uuid);
    return FIRN_OK;
}

static firn_rc load_staged(firn_stage *stage, firn_staged *staged, firn_err *err)
{
    if (staged->metadata) {
        return FIRN_OK;
    }
    firn_rc rc = firn_metadata_cache_load(stage->catalog->metadata, stage->catalog->storage,
                                          stage->arena, staged->now->value, &staged->metadata, err);
    return rc == FIRN_OK
               ? FIRN_OK
               : firn_err_wrap(err, rc, "cannot load table %s", firn_stage_text(stage, staged));
}

/* An append whose branch has moved on is made again on what is there now. */
static firn_rc rebase(firn_stage *stage, const firn_staged *staged, const firn_change *change,
                      firn_snapshot_rebased *out, firn_err *err)
{
    const json_t *updates = firn_stage_array(stage, change->updates);
    const json_t *requirements = firn_stage_array(stage, change->requirements);
    *out = (firn_snapshot_rebased){.updates = updates, .requirements = requirements};
    if (!change->rebase_appends) {
        return FIRN_OK;
    }
    firn_rc rc =
        firn_snapshot_rebase(stage->catalog->storage, stage->catalog->manifests, stage->arena,
                             staged->metadata, updates, requirements, out, err);
    if (rc != FIRN_OK) {
        return firn_err_wrap(err, firn_stage_written(rc, err),
                             "cannot put the append on top of table %s",
                             firn_stage_text(stage, staged));
    }
    for (size_t i = 0; i < out->n_written; i++) {
        firn_vec_push(stage->arena, &stage->written, out->written[i]);
    }
    return FIRN_OK;
}

/* What was asked for did not hold: say, too, why it was not simply done on the new state. */
static firn_rc fail_requirement(firn_rc rc, const firn_snapshot_rebased *rebased, firn_err *err)
{
    if (rc == FIRN_E_CONFLICT && rebased->obstacle && err) {
        size_t len = strlen(err->message);
        snprintf(err->message + len, sizeof(err->message) - len,
                 "; the append is not redone on the new head: %s", rebased->obstacle);
    }
    return rc;
}

static firn_rc update_table(firn_stage *stage, const firn_change *change, firn_err *err)
{
    firn_staged *staged;
    firn_metadata *metadata;
    firn_snapshot_rebased rebased;
    FIRN_TRY(firn_stage_need_entry(stage, change->ident, FIRN_KIND_TABLE, &staged, err));
    if (staged->previous_location) {
        /* A second change to the same table: the first one's file becomes a step of the metadata log. */
        FIRN_TRY(flush_key(stage, staged, err));
    }
    FIRN_TRY(firn_stage_check_expected(stage, staged, change->expected_location, err));
    FIRN_TRY(load_staged(stage, staged, err));
    FIRN_TRY(rebase(stage, staged, change, &rebased, err));
    firn_rc rc = firn_requirements_check(rebased.requirements, staged->metadata, err);
    if (rc != FIRN_OK) {
        return fail_requirement(rc, &rebased, err);
    }
    firn_arena **own;
    FIRN_TRY(
        apply(stage, staged->metadata, rebased.updates, staged->now->value, &metadata, &own, err));
    if (!metadata) {
        return FIRN_OK;
    }
    if (has_action(rebased.updates, "remove-snapshots")) {
        FIRN_TRY(firn_pins_check(stage, staged, metadata, err));
    }
    if (!firn_streq(metadata->location, staged->metadata->location)) {
        firn_stage_claim(stage, metadata->location, staged->now->content_id);
    }
    staged->previous_location = staged->now->value;
    staged->base = staged->metadata;
    staged->metadata = metadata;
    staged->own = own;
    staged->now->value =
        ""; /* not the old content any more; the new file's name comes with the flush */
    return FIRN_OK;
}

static firn_rc register_table(firn_stage *stage, const firn_change *change, firn_err *err)
{
    firn_staged *staged;
    FIRN_TRY(firn_ident_check(change->ident, err));
    FIRN_TRY(firn_stage_need_namespace(stage, change->ident.ns, err));
    FIRN_TRY(firn_stage_key(stage, change->ident.ns, change->ident.name, &staged, err));
    if (staged->now && (!change->replace || staged->now->kind != FIRN_KIND_TABLE)) {
        return firn_stage_fail_exists(stage, staged, err);
    }
    firn_metadata *metadata;
    const char *location = firn_arena_strdup(stage->arena, change->location);
    FIRN_TRY(firn_metadata_cache_load(stage->catalog->metadata, stage->catalog->storage,
                                      stage->arena, location, &metadata, err));
    const char *content_id =
        metadata->table_uuid ? metadata->table_uuid : firn_uuid_new(stage->arena);
    firn_stage_set_now(stage, staged, FIRN_KIND_TABLE, content_id, location);
    staged->metadata = metadata;
    firn_stage_claim(stage, metadata->location, content_id);
    return FIRN_OK;
}

static firn_rc drop_entry(firn_stage *stage, const firn_change *change, firn_entry_kind kind,
                          firn_err *err)
{
    firn_staged *staged;
    FIRN_TRY(firn_stage_need_entry(stage, change->ident, kind, &staged, err));
    FIRN_TRY(firn_stage_check_expected(stage, staged, change->expected_location, err));
    staged->now = NULL;
    staged->metadata = NULL;
    staged->previous_location = NULL;
    return FIRN_OK;
}

static firn_rc rename_entry(firn_stage *stage, const firn_change *change, firn_entry_kind kind,
                            firn_err *err)
{
    firn_staged *from, *to;
    FIRN_TRY(firn_stage_need_entry(stage, change->ident, kind, &from, err));
    FIRN_TRY(firn_stage_check_expected(stage, from, change->expected_location, err));
    FIRN_TRY(firn_stage_need_free(stage, change->to, &to, err));
    firn_stage_set_now(stage, to, kind, from->now->content_id, from->now->value);
    to->metadata = from->metadata;
    to->own = from->own;
    to->previous_location = from->previous_location;
    from->now = NULL;
    from->metadata = NULL;
    from->previous_location = NULL;
    return FIRN_OK;
}

/* ---- namespaces ------------------------------------------------------------------------------- */

/* Sorted, so that equal properties are equal text. */
static const char *canonical_json(firn_arena *arena, const json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
    char *copy = firn_arena_strdup(arena, text);
    free(text);
    return copy;
}

static firn_rc merge_properties(firn_stage *stage, const char *ns, json_t *properties,
                                const json_t *changes, firn_err *err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)changes, key, value)
    {
        if (json_is_null(value)) {
            json_object_del(properties, key);
        } else if (json_is_string(value)) {
            json_object_set(properties, key, value);
        } else {
            FIRN_FAIL(err, FIRN_E_INVALID, "property \"%s\" of namespace %s is not a string", key,
                      firn_ns_text(stage->arena, ns));
        }
    }
    return FIRN_OK;
}

static firn_rc create_namespace(firn_stage *stage, const firn_change *change, firn_err *err)
{
    firn_staged *staged;
    const char *ns = change->ident.ns;
    FIRN_TRY(firn_ns_check(ns, err));
    const char *parent = firn_ns_parent(stage->arena, ns);
    if (parent[0]) {
        FIRN_TRY(firn_stage_need_namespace(stage, parent, err));
    }
    FIRN_TRY(firn_stage_key(stage, ns, "", &staged, err));
    if (staged->now) {
        return firn_stage_fail_exists(stage, staged, err);
    }
    json_t *properties = firn_json_own(stage->arena, json_object());
    FIRN_TRY(merge_properties(stage, ns, properties, change->document, err));
    firn_stage_set_now(stage, staged, FIRN_KIND_NAMESPACE, firn_uuid_new(stage->arena),
                       canonical_json(stage->arena, properties));
    return FIRN_OK;
}

static firn_rc drop_namespace(firn_stage *stage, const firn_change *change, firn_err *err)
{
    firn_staged *staged;
    FIRN_TRY(firn_ns_check(change->ident.ns, err));
    FIRN_TRY(firn_stage_need_namespace(stage, change->ident.ns, err));
    FIRN_TRY(firn_stage_key(stage, change->ident.ns, "", &staged, err));
    staged->now = NULL; /* whether it is empty is seen when the whole commit is in place */
    return FIRN_OK;
}

static firn_rc set_namespace_properties(firn_stage *stage, const firn_change *change, firn_err *err)
{
    firn_staged *staged;
    json_t *properties;
    const char *ns = change->ident.ns;
    FIRN_TRY(firn_ns_check(ns, err));
    FIRN_TRY(firn_stage_need_namespace(stage, ns, err));
    FIRN_TRY(firn_stage_key(stage, ns, "", &staged, err));
    FIRN_TRY(firn_json_parse(stage->arena, firn_bytes_str(staged->now->value),
                             "namespace properties", &properties, err));
    FIRN_TRY(merge_properties(stage, ns, properties, change->document, err));
    staged->now->value = canonical_json(stage->arena, properties);
    return FIRN_OK;
}

firn_rc firn_stage_change(firn_stage *stage, const firn_change *change, firn_err *err)
{
    switch (change->kind) {
    case FIRN_CHANGE_CREATE_TABLE: return create_table(stage, change, err);
    case FIRN_CHANGE_UPDATE_TABLE: return update_table(stage, change, err);
    case FIRN_CHANGE_REGISTER_TABLE: return register_table(stage, change, err);
    case FIRN_CHANGE_DROP_TABLE: return drop_entry(stage, change, FIRN_KIND_TABLE, err);
    case FIRN_CHANGE_RENAME_TABLE: return rename_entry(stage, change, FIRN_KIND_TABLE, err);
    case FIRN_CHANGE_PUT_VIEW: return firn_stage_put_view(stage, change, err);
    case FIRN_CHANGE_CREATE_VIEW: return firn_stage_create_view(stage, change, err);
    case FIRN_CHANGE_UPDATE_VIEW: return firn_stage_update_view(stage, change, err);
    case FIRN_CHANGE_REGISTER_VIEW: return firn_stage_register_view(stage, change, err);
    case FIRN_CHANGE_DROP_VIEW: return drop_entry(stage, change, FIRN_KIND_VIEW, err);
    case FIRN_CHANGE_RENAME_VIEW: return rename_entry(stage, change, FIRN_KIND_VIEW, err);
    case FIRN_CHANGE_CREATE_NAMESPACE: return create_namespace(stage, change, err);
    case FIRN_CHANGE_DROP_NAMESPACE: return drop_namespace(stage, change, err);
    case FIRN_CHANGE_SET_NAMESPACE_PROPERTIES: return set_namespace_properties(stage, change, err);
    }
    FIRN_FAIL(err, FIRN_E_INTERNAL, "unknown kind of change: %d", (int)change->kind);
}
