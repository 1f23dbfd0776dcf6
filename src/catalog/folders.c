/* Folders of tables: every table and view has one to itself.
 *
 * Orphan removal deletes what no metadata of a table mentions below its folder, so a folder within another's, or one that
 * a dropped table's files are still in, would lose somebody's data. The table `folders` remembers each owner past its drop.
 */
#include "internal.h"

#include "base/uuid.h"

#include <stdlib.h>

enum { VIEW_BYTES_MAX = 16 << 20 };

/* Locations are compared as "/a/b/", so that "/a/b" is not taken to be above "/a/bc", and without the "file://" that
 * some writers put before a local path. */
static const char *as_folder(firn_arena *arena, const char *location)
{
    if (firn_starts_with(location, "file:")) {
        location += strlen("file:");
    }
    while (location[0] == '/' && location[1] == '/') {
        location++;
    }
    return firn_location_join(arena, location, "");
}

static firn_rc owners_below(firn_db *db, firn_arena *arena, const char *folder, firn_db_rows *rows,
                            firn_err *err)
{
    char *end = firn_arena_strdup(arena, folder);
    end[strlen(end) - 1] = '/' + 1;
    firn_db_value range[] = {firn_db_str(folder), firn_db_str(end)};
    return firn_db_query(
        db, arena, "SELECT location, content_id FROM folders WHERE location > $1 AND location < $2",
        range, 2, rows, err);
}

/* Whether any ref still has the table. */
static firn_rc is_alive(firn_db *db, firn_arena *arena, const char *content_id, firn_db_rows *rows,
                        firn_err *err)
{
    firn_db_value param = firn_db_str(content_id);
    return firn_db_query(db, arena,
                         "SELECT ref, ns, name FROM entries WHERE content_id = $1 LIMIT 1", &param,
                         1, rows, err);
}

static firn_rc refuse_living(firn_db *db, firn_arena *arena, const firn_db_rows *owners,
                             const char *location, const char *content_id, firn_err *err)
{
    for (size_t i = 0; i < owners->n_rows; i++) {
        firn_db_rows living;
        if (firn_streq(firn_db_text(owners, i, 1), content_id)) {
            continue;
        }
        FIRN_TRY(is_alive(db, arena, firn_db_text(owners, i, 1), &living, err));
        if (living.n_rows > 0) {
            firn_ident owner = {.ns = firn_db_text(&living, 0, 1),
                                .name = firn_db_text(&living, 0, 2)};
            FIRN_FAIL(err, FIRN_E_EXISTS,
                      "location %s overlaps %s, the folder of %s on %s: choose another", location,
                      firn_db_text(owners, i, 0), firn_ident_text(arena, owner),
                      firn_db_text(&living, 0, 0));
        }
    }
    return FIRN_OK;
}

/* The folder itself and all above it: an owner that is dead does not stand for a living one further up. */
static firn_rc refuse_living_above(firn_db *db, firn_arena *arena, const char *folder,
                                   const char *location, const char *content_id, firn_err *err)
{
    char *at = firn_arena_strdup(arena, folder);
    for (size_t len = strlen(at); len > 1; len--) {
        if (at[len - 1] != '/') {
            continue;
        }
        at[len] = '\0';
        firn_db_value param = firn_db_str(at);
        firn_db_rows owners;
        FIRN_TRY(firn_db_query(db, arena,
                               "SELECT location, content_id FROM folders WHERE location = $1",
                               &param, 1, &owners, err));
        FIRN_TRY(refuse_living(db, arena, &owners, location, content_id, err));
    }
    return FIRN_OK;
}

firn_rc firn_folder_claim(firn_db *db, const char *location, const char *content_id, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const char *folder = as_folder(arena, location);
    firn_db_rows owners;
    FIRN_TRY(refuse_living_above(db, arena, folder, location, content_id, err));
    FIRN_TRY(owners_below(db, arena, folder, &owners, err));
    FIRN_TRY(refuse_living(db, arena, &owners, location, content_id, err));
    firn_db_value params[] = {firn_db_str(folder), firn_db_str(content_id)};
    return firn_db_query(db, arena,
                         "INSERT INTO folders (location, content_id) VALUES ($1, $2)"
                         " ON CONFLICT (location) DO UPDATE SET content_id = excluded.content_id",
                         params, 2, NULL, err);
}

firn_rc firn_folder_of(firn_catalog *catalog, firn_arena *arena, const firn_stored *stored,
                       const char **out, firn_err *err)
{
    firn_err detail = {0};
    firn_metadata *metadata;
    firn_rc rc;
    *out = "";
    if (stored->kind == FIRN_KIND_TABLE) {
        rc = firn_metadata_cache_load(catalog->metadata, catalog->storage, arena, stored->value,
                                      &metadata, &detail);
        *out = rc == FIRN_OK ? metadata->location : "";
    } else {
        firn_bytes text;
        json_t *view = NULL;
        rc = firn_storage_get(catalog->storage, arena, stored->value, VIEW_BYTES_MAX, &text,
                              &detail);
        if (rc == FIRN_OK) {
            rc = firn_json_parse(arena, text, stored->value, &view, &detail);
        }
        const char *location = json_string_value(json_object_get(view, "location"));
        *out = location ? location : "";
    }
    if (rc != FIRN_OK && rc != FIRN_E_NOT_FOUND) {
        FIRN_FAIL(err, rc, "cannot bring %s back to life: %s",
                  firn_ident_text(arena, (firn_ident){stored->ns, stored->name}), detail.message);
    }
    return FIRN_OK;
}

/* ---- default locations ------------------------------------------------------------------------ */

/* A name as one folder: what could leave the folder or confuse a URI is percent-encoded. */
static const char *folder_name(firn_arena *arena, const char *name, size_t len)
{
    FIRN_AUTO_BUF firn_buf buf = {0};
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)name[i];
        bool plain = c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                     (c >= 'A' && c <= 'Z') || c == '_' || c == '-' || (c == '.' && i > 0);
        if (plain) {
            firn_buf_putc(&buf, c);
        } else {
            firn_buf_printf(&buf, "%%%02X", c);
        }
    }
    return firn_arena_strdup(arena, firn_buf_cstr(&buf));
}

static const char *with_suffix(firn_arena *arena, const char *path)
{
    return firn_arena_printf(arena, "%s-%08x", path, (unsigned)firn_random_u64());
}

/* One level below `base`; not the folder of a table, since nothing may go into that. */
static firn_rc descend(firn_db *db, firn_arena *arena, const char *base, const char *level,
                       size_t len, const char **out, firn_err *err)
{
    *out = firn_location_join(arena, base, folder_name(arena, level, len));
    firn_db_value param = firn_db_str(as_folder(arena, *out));
    firn_db_rows rows;
    FIRN_TRY(firn_db_query(db, arena, "SELECT 1 FROM folders WHERE location = $1", &param, 1, &rows,
                           err));
    if (rows.n_rows > 0) {
        *out = with_suffix(arena, *out);
    }
    return FIRN_OK;
}

static firn_rc place(firn_catalog *catalog, firn_arena *arena, firn_ident ident, const char **out,
                     firn_err *err)
{
    FIRN_AUTO_SESSION firn_db_session session = {0};
    FIRN_TRY(firn_db_session_begin(catalog, false, &session, err));
    *out = catalog->warehouse;
    for (const char *level = ident.ns;; level++) {
        size_t len = strcspn(level, FIRN_NS_SEP);
        FIRN_TRY(descend(session.db, arena, *out, level, len, out, err));
        level += len;
        if (*level == '\0') {
            break;
        }
    }
    FIRN_TRY(descend(session.db, arena, *out, ident.name, strlen(ident.name), out, err));
    firn_db_rows below;
    FIRN_TRY(owners_below(session.db, arena, as_folder(arena, *out), &below, err));
    if (below.n_rows > 0) {
        *out = with_suffix(arena, *out);
    }
    return FIRN_OK;
}

firn_rc firn_catalog_default_location(firn_catalog *catalog, firn_arena *arena, firn_ident ident,
                                      char **out, firn_err *err)
{
    if (catalog->ops) {
        return catalog->ops->default_location(catalog, arena, ident, out, err);
    }
    FIRN_TRY(firn_ident_check(ident, err));
    if (!catalog->warehouse[0]) {
        FIRN_FAIL(err, FIRN_E_CONFIG,
                  "table %s needs a location: the catalog was opened without a warehouse",
                  firn_ident_text(arena, ident));
    }
    const char *location;
    FIRN_TRY(place(catalog, arena, ident, &location, err));
    firn_storage_object *objects;
    size_t n;
    FIRN_TRY(
        firn_storage_list(catalog->storage, arena, as_folder(arena, location), &objects, &n, err));
    *out = firn_arena_strdup(arena, n > 0 ? with_suffix(arena, location) : location);
    return FIRN_OK;
}
