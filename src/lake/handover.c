/* Handing a table over to another catalog; see handover.h.
 *
 * What the other catalog has under the name decides:
 *   nothing                                   register
 *   the very file                             an earlier run came this far
 *   an older file of this table               an earlier run died, then somebody committed here: point it at the present file
 *   a younger one, made from the present one  an earlier run died, then somebody committed there: all is there
 *   a younger one, not made from it           both have committed: VALIDATION, nothing is touched
 *   another table                             EXISTS
 *
 * The drop here demands that the entry still points at the file that was registered. If somebody committed in between, the round
 * starts again, and finds an older file there.
 */
#include "lake/handover.h"

#include "lake/warehouse.h"

#include <string.h>
#include <unistd.h>

enum { ROUNDS_MAX = 5 };

typedef enum standing { NOTHING, SAME, BEHIND, AHEAD } standing;

typedef struct handover {
    firn_lake *lake;
    firn_arena *arena;
    const firn_handover_options *options;
    firn_handover_result *result;
    firn_catalog *other;
    const char *db; /* the other catalog's run log, which nobody writes */
} handover;

/* ---- the other catalog --------------------------------------------------------------------------------------- */

static firn_rc open_other(handover *h, firn_err *err)
{
    h->db = firn_lake_path(h->lake, h->arena,
                           firn_arena_printf(h->arena, ".firn/tmp/handover-%d.db", (int)getpid()));
    const firn_catalog_options options = {.uri = h->options->uri,
                                          .remote = h->options->remote,
                                          .path = h->db,
                                          .create = true,
                                          .storage = firn_lake_storage(h->lake)};
    firn_rc rc = firn_catalog_open(&options, &h->other, err);
    return rc == FIRN_OK ? FIRN_OK : firn_err_wrap(err, rc, "%s", h->options->uri);
}

static void close_other(handover *h)
{
    static const char *const PARTS[] = {"", "-wal", "-shm", ".lock"};
    firn_catalog_close(h->other);
    for (size_t i = 0; i < sizeof(PARTS) / sizeof(PARTS[0]); i++) {
        (void)unlink(firn_arena_printf(h->arena, "%s%s", h->db, PARTS[i]));
    }
}

static firn_rc commit_there(handover *h, const firn_change *change, firn_err *err)
{
    const firn_commit_info info = {0};
    firn_commit_result result;
    firn_rc rc = firn_catalog_commit(h->other, h->arena, NULL, change, 1, &info, &result, err);
    return rc == FIRN_OK ? FIRN_OK : firn_err_wrap(err, rc, "%s", h->options->uri);
}

/* Level by level, outer ones first. */
static firn_rc need_namespace(handover *h, const char *ns, firn_err *err)
{
    json_t *properties = NULL;
    firn_err detail = {0};
    firn_rc rc =
        firn_catalog_namespace_properties(h->other, h->arena, NULL, ns, &properties, &detail);
    if (rc == FIRN_OK) {
        return FIRN_OK;
    }
    if (rc != FIRN_E_NO_NAMESPACE && rc != FIRN_E_NOT_FOUND) {
        FIRN_FAIL(err, rc, "%s: %s", h->options->uri, detail.message);
    }
    const char *sep = strrchr(ns, FIRN_NS_SEP[0]);
    if (sep != NULL) {
        FIRN_TRY(need_namespace(h, firn_arena_strndup(h->arena, ns, (size_t)(sep - ns)), err));
    }
    const firn_change change = {.kind = FIRN_CHANGE_CREATE_NAMESPACE, .ident = {.ns = ns}};
    rc = commit_there(h, &change, err);
    return rc == FIRN_E_EXISTS ? FIRN_OK : rc;
}

/* ---- comparing ----------------------------------------------------------------------------------------------- */

/* Metadata files, told apart by what they open. */
static bool same_file(const handover *h, const char *a, const char *b)
{
    firn_storage *storage = firn_lake_storage(h->lake);
    return firn_streq(firn_storage_resolve(storage, h->arena, a),
                      firn_storage_resolve(storage, h->arena, b));
}

static bool in_log(const handover *h, const firn_metadata *metadata, const char *location)
{
    for (size_t i = 0; i < metadata->n_metadata_log; i++) {
        if (same_file(h, metadata->metadata_log[i].location, location)) {
            return true;
        }
    }
    return false;
}

static firn_rc look_there(handover *h, const firn_table *here, standing *out, firn_err *err)
{
    firn_table theirs;
    firn_err detail = {0};
    const char *name = firn_ident_text(h->arena, h->options->as);
    *out = NOTHING;
    firn_rc rc =
        firn_catalog_table_load(h->other, h->arena, NULL, h->options->as, &theirs, &detail);
    if (rc == FIRN_E_NO_TABLE || rc == FIRN_E_NO_NAMESPACE) {
        return FIRN_OK;
    }
    if (rc != FIRN_OK) {
        FIRN_FAIL(err, rc, "%s: %s", h->options->uri, detail.message);
    }
    const char *uuid = here->metadata->table_uuid;
    const char *their_uuid = theirs.metadata->table_uuid;
    if (same_file(h, here->entry.location, theirs.entry.location)) {
        *out = SAME;
    } else if (uuid == NULL || their_uuid == NULL || !firn_streq(uuid, their_uuid)) {
        FIRN_FAIL(err, FIRN_E_EXISTS,
                  "%s has another table %s (uuid %s): choose another name with --as",
                  h->options->uri, name, their_uuid != NULL ? their_uuid : "none");
    } else if (in_log(h, theirs.metadata, here->entry.location)) {
        *out = AHEAD;
    } else if (in_log(h, here->metadata, theirs.entry.location)) {
        *out = BEHIND;
    } else {
        FIRN_FAIL(err, FIRN_E_VALIDATION,
                  "%s has %s at %s, and here it is at %s: both catalogs have committed to it. "
                  "Nothing was changed; look at both, keep one, and drop the name in the other",
                  h->options->uri, name, theirs.entry.location, here->entry.location);
    }
    return FIRN_OK;
}

/* ---- one round ----------------------------------------------------------------------------------------------- */

static firn_rc register_there(handover *h, const firn_table *here, firn_err *err)
{
    standing there = NOTHING;
    FIRN_TRY(look_there(h, here, &there, err));
    h->result->metadata_location = here->entry.location;
    h->result->was_there = h->result->was_there || there != NOTHING;
    h->result->moved_on = there == AHEAD;
    if (there == SAME || there == AHEAD) {
        return FIRN_OK;
    }
    if (there == NOTHING) {
        FIRN_TRY(need_namespace(h, h->options->as.ns, err));
    }
    const firn_change change = {.kind = FIRN_CHANGE_REGISTER_TABLE,
                                .ident = h->options->as,
                                .location = here->entry.location,
                                .replace = there == BEHIND};
    FIRN_TRY(commit_there(h, &change, err));
    h->result->repointed = there == BEHIND;
    return FIRN_OK;
}

static firn_rc find_branches(handover *h, const firn_table *here, firn_err *err)
{
    firn_catalog *catalog = firn_lake_catalog(h->lake);
    firn_ref *refs = NULL;
    size_t n = 0;
    FIRN_TRY(firn_catalog_ref_list(catalog, h->arena, &refs, &n, err));
    h->result->branches = FIRN_NEW_N(h->arena, const char *, n);
    for (size_t i = 0; i < n; i++) {
        firn_catalog_entry entry;
        bool there = !refs[i].is_tag && !firn_streq(refs[i].name, h->options->ref) &&
                     firn_catalog_entry_get(catalog, h->arena, refs[i].name, h->options->ident,
                                            &entry, NULL) == FIRN_OK;
        if (there && firn_streq(entry.content_id, here->entry.content_id)) {
            h->result->branches[h->result->n_branches++] = refs[i].name;
        }
    }
    return FIRN_OK;
}

static firn_rc drop_here(handover *h, const firn_table *here, firn_err *err)
{
    const firn_commit_info info = {
        .message =
            firn_arena_printf(h->arena, "hand %s over to %s",
                              firn_ident_text(h->arena, h->options->ident), h->options->uri)};
    const firn_change change = {.kind = FIRN_CHANGE_DROP_TABLE,
                                .ident = h->options->ident,
                                .expected_location = here->entry.location};
    firn_commit_result result;
    return firn_catalog_commit(firn_lake_catalog(h->lake), h->arena, h->options->ref, &change, 1,
                               &info, &result, err);
}

/* Gone here: perhaps because an earlier run got through and could not say so any more. */
static firn_rc load_here(handover *h, firn_table *out, firn_err *err)
{
    firn_err detail = {0};
    firn_table theirs;
    firn_rc rc = firn_catalog_table_load(firn_lake_catalog(h->lake), h->arena, h->options->ref,
                                         h->options->ident, out, &detail);
    if (rc == FIRN_OK) {
        return FIRN_OK;
    }
    bool there =
        rc == FIRN_E_NO_TABLE &&
        firn_catalog_table_load(h->other, h->arena, NULL, h->options->as, &theirs, NULL) == FIRN_OK;
    FIRN_FAIL(err, rc, "%s%s%s%s%s%s", detail.message, there ? ". " : "",
              there ? h->options->uri : "", there ? " has " : "",
              there ? firn_ident_text(h->arena, h->options->as) : "",
              there ? ": if that is the table, an earlier handover is complete" : "");
}

static firn_rc run(handover *h, firn_err *err)
{
    for (int round = 1;; round++) {
        firn_table here;
        FIRN_TRY(load_here(h, &here, err));
        if (round == 1) {
            FIRN_TRY(find_branches(h, &here, err));
        }
        FIRN_TRY(register_there(h, &here, err));
        FIRN_TRY(firn_fault_point("handover.registered", here.entry.location, err));
        if (h->options->keep) {
            return FIRN_OK;
        }
        firn_rc rc = drop_here(h, &here, err);
        if (rc == FIRN_OK) {
            h->result->dropped = true;
            return FIRN_OK;
        }
        if (rc != FIRN_E_CONFLICT || round == ROUNDS_MAX) {
            return firn_err_wrap(err, rc,
                                 "the table is registered at %s and still named here; run the same "
                                 "command again",
                                 h->options->uri);
        }
    }
}

firn_rc firn_lake_handover(firn_lake *lake, firn_arena *arena, const firn_handover_options *options,
                           firn_handover_result *out, firn_err *err)
{
    handover h = {.lake = lake, .arena = arena, .options = options, .result = out};
    *out = (firn_handover_result){0};
    FIRN_TRY(open_other(&h, err));
    firn_rc rc = run(&h, err);
    close_other(&h);
    return rc;
}

/* ---- readers by path ------------------------------------------------------------------------------------------- */

firn_rc firn_lake_version_hint(firn_lake *lake, firn_arena *arena, const firn_table *table,
                               const char **hint, firn_err *err)
{
    firn_storage *storage = firn_lake_storage(lake);
    const char *location = table->entry.location;
    const char *slash = strrchr(location, '/');
    const char *folder = firn_location_join(arena, table->metadata->location, "metadata");
    const char *name = slash != NULL ? slash + 1 : location;
    int64_t version = firn_metadata_file_version(name);
    if (version < 0) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                  "%s has no version in its name that version-hint.text could name", location);
    }
    if (name[0] != 'v') {
        bool packed = strstr(name, ".gz") != NULL;
        firn_bytes content;
        const char *copy =
            firn_location_join(arena, folder,
                               firn_arena_printf(arena, "v%lld%s.metadata.json", (long long)version,
                                                 packed ? ".gz" : ""));
        FIRN_TRY(
            firn_storage_get(storage, arena, location, FIRN_METADATA_BYTES_MAX, &content, err));
        FIRN_TRY(firn_storage_put(storage, copy, content, err));
    }
    *hint = firn_location_join(arena, folder, "version-hint.text");
    return firn_storage_put(
        storage, *hint, firn_bytes_str(firn_arena_printf(arena, "%lld", (long long)version)), err);
}
