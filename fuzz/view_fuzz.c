/* Views: any bytes are either a view metadata document or refused with a message, and what updates make of a view is a view again.
 *
 * An input is a document; or {"metadata": ..., "updates": [...], "requirements": [...]}, so that the updates, too, come from outside.
 */
#include "iceberg/view_update.h"

#include <assert.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_refusal(firn_rc rc, const firn_err *err)
{
    assert(rc == FIRN_E_CORRUPT || rc == FIRN_E_UNSUPPORTED || rc == FIRN_E_LIMIT ||
           rc == FIRN_E_INVALID || rc == FIRN_E_CONFLICT);
    assert(err->code == rc && err->message[0] != '\0');
}

static void look(firn_arena *arena, json_t *document)
{
    firn_view *view = NULL;
    firn_err err = {0};
    firn_rc rc = firn_view_from_json(arena, document, "fuzz", &view, &err);
    if (rc != FIRN_OK) {
        check_refusal(rc, &err);
        return;
    }
    assert(view->sql && view->dialect && view->schema && view->properties);
}

static void apply(firn_arena *arena, const json_t *base, const json_t *updates)
{
    json_t *view = NULL, *again = NULL;
    firn_err err = {0};
    firn_rc rc = firn_view_updates_apply(arena, base, updates, 1700000000000, &view, &err);
    if (rc != FIRN_OK) {
        check_refusal(rc, &err);
        return;
    }
    rc = firn_view_check(arena, view, "result", &err);
    if (rc != FIRN_OK) {
        fprintf(stderr, "%s\n%s\n", err.message, firn_json_text(arena, view));
    }
    assert(rc == FIRN_OK);
    look(arena, view);
    /* Nothing to do is nothing done. */
    json_t *none = firn_json_own(arena, json_array());
    assert(firn_view_updates_apply(arena, view, none, 0, &again, NULL) == FIRN_OK);
    assert(again == view);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    json_t *input = NULL;
    firn_err err = {0};
    if (firn_json_parse(arena, firn_bytes_of(data, size), "fuzz", &input, NULL) != FIRN_OK) {
        return 0;
    }
    json_t *updates = json_object_get(input, "updates");
    json_t *base = updates ? json_object_get(input, "metadata") : input;
    base = json_is_null(base) ? NULL : base;
    firn_rc rc = base ? firn_view_check(arena, base, "fuzz", &err) : FIRN_OK;
    if (rc != FIRN_OK) {
        check_refusal(rc, &err);
        return 0;
    }
    if (base) {
        look(arena, base);
        json_t *set = firn_json_own(arena, json_pack("[{s:s, s:{s:s}}]", "action", "set-properties",
                                                     "updates", "fuzz", "1"));
        apply(arena, base, set);
    }
    const json_t *requirements = json_object_get(input, "requirements");
    if (requirements) {
        rc = firn_view_requirements_check(requirements, base, &err);
        if (rc != FIRN_OK) {
            check_refusal(rc, &err);
        }
    }
    if (updates) {
        apply(arena, base, updates);
    }
    return 0;
}
