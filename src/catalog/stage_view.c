/* Changes of views: whole documents (PUT), the REST protocol's updates, and metadata files that are there already.
 *
 * Views are small: their documents are written at once, not at the flush, and deleted with the rest of a failed attempt. A folder is
 * claimed when a view takes a new one.
 */
#include "stage.h"

#include "base/uuid.h"
#include "base/vec.h"
#include "iceberg/view_update.h"

static firn_rc load_view(firn_stage *stage, const firn_staged *staged, json_t **out, firn_err *err)
{
    firn_rc rc =
        firn_view_file_load(stage->catalog->storage, stage->arena, staged->now->value, out, err);
    return rc == FIRN_OK
               ? FIRN_OK
               : firn_err_wrap(err, rc, "cannot load view %s", firn_stage_text(stage, staged));
}

static const char *location_of(const json_t *document)
{
    return json_string_value(json_object_get(document, "location"));
}

/* Write the document and make it the key's content. `old_location` is the folder that the key has a claim on; nullable. */
static firn_rc take_document(firn_stage *stage, firn_staged *staged, const json_t *document,
                             const char *old_location, firn_err *err)
{
    char *location = NULL;
    const char *previous = staged->now ? staged->now->value : NULL;
    firn_rc rc = firn_view_file_store(stage->catalog->storage, stage->arena, document, previous,
                                      &location, err);
    if (rc != FIRN_OK) {
        return firn_err_wrap(err, firn_stage_written(rc, err), "cannot write view %s",
                             firn_stage_text(stage, staged));
    }
    firn_vec_push(stage->arena, &stage->written, location);
    const char *uuid = json_string_value(json_object_get(document, "view-uuid"));
    const char *folder = location_of(document);
    firn_stage_set_now(stage, staged, FIRN_KIND_VIEW, firn_arena_strdup(stage->arena, uuid),
                       location);
    if (!old_location || !firn_streq(old_location, folder)) {
        firn_stage_claim(stage, firn_arena_strdup(stage->arena, folder), staged->now->content_id);
    }
    return FIRN_OK;
}

/* ---- whole documents -------------------------------------------------------------------------- */

static firn_rc check_put_requirements(firn_stage *stage, const firn_change *change,
                                      const firn_staged *staged, firn_err *err)
{
    json_t *base = NULL;
    if (json_array_size(change->requirements) == 0) {
        return FIRN_OK;
    }
    if (staged->now) {
        base =
            firn_json_own(stage->arena, json_pack("{s:s}", "view-uuid", staged->now->content_id));
    }
    return firn_view_requirements_check(change->requirements, base, err);
}

/* The document with an id and a folder, where it comes without. */
static firn_rc complete_document(firn_stage *stage, const firn_change *change,
                                 const firn_staged *staged, json_t **out, firn_err *err)
{
    if (!json_is_object(change->document)) {
        FIRN_FAIL(err, FIRN_E_INVALID, "view %s comes without a metadata document",
                  firn_stage_text(stage, staged));
    }
    json_t *document = firn_json_own(stage->arena, json_copy(change->document));
    if (!json_is_string(json_object_get(document, "view-uuid"))) {
        const char *uuid = staged->now ? staged->now->content_id : firn_uuid_new(stage->arena);
        json_object_set_new(document, "view-uuid", json_string(uuid));
    }
    if (!json_is_string(json_object_get(document, "location"))) {
        char *folder;
        FIRN_TRY(firn_catalog_default_location(stage->catalog, stage->arena, change->ident, &folder,
                                               err));
        json_object_set_new(document, "location", json_string(folder));
    }
    *out = document;
    return FIRN_OK;
}

firn_rc firn_stage_put_view(firn_stage *stage, const firn_change *change, firn_err *err)
{
    firn_staged *staged;
    json_t *document;
    FIRN_TRY(firn_ident_check(change->ident, err));
    FIRN_TRY(firn_stage_need_namespace(stage, change->ident.ns, err));
    FIRN_TRY(firn_stage_key(stage, change->ident.ns, change->ident.name, &staged, err));
    if (staged->now && (!change->replace || staged->now->kind != FIRN_KIND_VIEW)) {
        return firn_stage_fail_exists(stage, staged, err);
    }
    if (staged->now) {
        FIRN_TRY(firn_stage_check_expected(stage, staged, change->expected_location, err));
    }
    FIRN_TRY(check_put_requirements(stage, change, staged, err));
    FIRN_TRY(complete_document(stage, change, staged, &document, err));
    return take_document(stage, staged, document, NULL, err);
}

/* ---- updates of the REST protocol --------------------------------------------------------------- */

firn_rc firn_stage_create_view(firn_stage *stage, const firn_change *change, firn_err *err)
{
    firn_staged *staged;
    const json_t *updates;
    json_t *document;
    FIRN_TRY(firn_stage_need_free(stage, change->ident, &staged, err));
    FIRN_TRY(
        firn_view_requirements_check(firn_stage_array(stage, change->requirements), NULL, err));
    FIRN_TRY(firn_stage_with_location(stage, change->ident, change->updates, &updates, err));
    FIRN_TRY(firn_view_updates_apply(stage->arena, NULL, updates, 0, &document, err));
    return take_document(stage, staged, document, NULL, err);
}

firn_rc firn_stage_update_view(firn_stage *stage, const firn_change *change, firn_err *err)
{
    firn_staged *staged;
    json_t *base;
    json_t *document;
    const json_t *updates = firn_stage_array(stage, change->updates);
    FIRN_TRY(firn_stage_need_entry(stage, change->ident, FIRN_KIND_VIEW, &staged, err));
    FIRN_TRY(firn_stage_check_expected(stage, staged, change->expected_location, err));
    FIRN_TRY(load_view(stage, staged, &base, err));
    FIRN_TRY(
        firn_view_requirements_check(firn_stage_array(stage, change->requirements), base, err));
    FIRN_TRY(firn_view_updates_apply(stage->arena, base, updates, 0, &document, err));
    return document == base ? FIRN_OK
                            : take_document(stage, staged, document, location_of(base), err);
}

/* ---- metadata files that are there already ------------------------------------------------------ */

firn_rc firn_stage_register_view(firn_stage *stage, const firn_change *change, firn_err *err)
{
    firn_staged *staged;
    json_t *document;
    FIRN_TRY(firn_stage_need_free(stage, change->ident, &staged, err));
    const char *location = firn_arena_strdup(stage->arena, change->location);
    FIRN_TRY(firn_view_file_load(stage->catalog->storage, stage->arena, location, &document, err));
    const char *what = firn_arena_printf(stage->arena, "view metadata %s", location);
    FIRN_TRY(firn_view_check(stage->arena, document, what, err));
    const char *uuid = json_string_value(json_object_get(document, "view-uuid"));
    firn_stage_set_now(stage, staged, FIRN_KIND_VIEW, firn_arena_strdup(stage->arena, uuid),
                       location);
    firn_stage_claim(stage, firn_arena_strdup(stage->arena, location_of(document)),
                     staged->now->content_id);
    return FIRN_OK;
}
