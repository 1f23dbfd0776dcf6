/* The catalog object, its sessions on the database, and reading: namespaces, entries, tables, views. */
#include "internal.h"
#include "remote/remote.h"

#include "base/io.h"
#include "base/time.h"
#include "base/uuid.h"
#include "base/vec.h"
#include "iceberg/view_update.h"
#include "net/http_client.h"

#include <assert.h>
#include <stdlib.h>

enum {
    BUSY_TIMEOUT_MS_DEFAULT = 30 * 1000,
    MANIFEST_CACHE_BYTES = 128 << 20,
};

/* ---- opening ---------------------------------------------------------------------------------- */

/* A new catalog has one commit without changes, so that every branch descends from it. */
static firn_rc make_main(firn_catalog *catalog, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    FIRN_AUTO_SESSION firn_db_session session = {0};
    FIRN_TRY(firn_db_session_begin(catalog, true, &session, err));
    firn_point main_branch;
    if (firn_store_resolve(session.db, arena, FIRN_MAIN, &main_branch, NULL) == FIRN_OK) {
        return FIRN_OK; /* another process was first */
    }
    uint8_t id[16];
    firn_uuid_v4(id);
    firn_commit_row root = {
        .id = firn_hex(arena, firn_bytes_of(id, sizeof(id))),
        .author = firn_commit_author(arena, NULL),
        .message = "create the catalog",
        .time_us = firn_now_us(),
    };
    FIRN_TRY(firn_store_commit_insert(session.db, &root, NULL, 0, err));
    firn_db_value params[] = {firn_db_str(FIRN_MAIN), firn_db_str(root.id),
                              firn_db_int(root.time_us)};
    FIRN_TRY(firn_db_query(
        session.db, arena,
        "INSERT INTO refs (name, is_tag, commit_id, updated_us) VALUES ($1, 0, $2, $3)", params, 3,
        NULL, err));
    return firn_db_session_commit(&session, err);
}

static firn_rc open_first(firn_catalog *catalog, bool create, firn_err *err)
{
    FIRN_TRY(firn_db_pool_open(catalog, create, err));
    {
        FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
        FIRN_AUTO_SESSION firn_db_session session = {0};
        firn_point main_branch;
        FIRN_TRY(firn_db_session_begin(catalog, false, &session, err));
        firn_rc rc = firn_store_resolve(session.db, arena, FIRN_MAIN, &main_branch, err);
        if (rc != FIRN_E_NO_REF) {
            return rc;
        }
    }
    firn_err_clear(err);
    return make_main(catalog, err);
}

/* The run log and the locks of a lake whose tables are somebody else's. */
static firn_rc open_beside(firn_catalog *catalog, const firn_catalog_options *options,
                           firn_err *err)
{
    firn_catalog_options local = {
        .path = options->path,
        .create = true,
        .storage = options->storage,
        .busy_timeout_ms = options->busy_timeout_ms,
        .manifest_cache_bytes = 1,
    };
    return firn_catalog_open(&local, &catalog->local, err);
}

static firn_rc open_by_uri(firn_catalog *catalog, const firn_catalog_options *options,
                           firn_err *err)
{
    const char *uri = options->uri;
    if (!uri || catalog->uri) {
        return open_first(catalog, options->create, err);
    }
    if (firn_starts_with(uri, "http://") || firn_starts_with(uri, "https://")) {
        FIRN_TRY(firn_remote_open(catalog, options, err));
        return open_beside(catalog, options, err);
    }
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const char *shown = firn_url_for_message(arena, uri);
    FIRN_FAIL(
        err, FIRN_E_UNSUPPORTED,
        "\"%s\" is no place for a catalog that firn knows: give postgresql://, http://, https:// or "
        "nothing, for an SQLite file in the lake",
        shown);
}

static bool is_postgres(const char *uri)
{
    return uri && (firn_starts_with(uri, "postgresql://") || firn_starts_with(uri, "postgres://"));
}

/* What to call the catalog in messages. */
static firn_rc describe(firn_arena *arena, const firn_catalog_options *options, const char **out,
                        firn_err *err)
{
    *out = options->uri ? firn_url_for_message(arena, options->uri) : options->path;
    if (is_postgres(options->uri)) {
        char *name;
        firn_pg_options pg = {.uri = options->uri, .schema = options->schema};
        FIRN_TRY(firn_pg_describe(arena, &pg, &name, err));
        *out = name;
    }
    return FIRN_OK;
}

firn_rc firn_catalog_open(const firn_catalog_options *options, firn_catalog **out, firn_err *err)
{
    assert((options->path || is_postgres(options->uri)) && options->storage);
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const char *name;
    FIRN_TRY(describe(arena, options, &name, err));
    firn_catalog *catalog = firn_calloc(1, sizeof(*catalog));
    catalog->path = firn_strdup(name);
    catalog->uri = is_postgres(options->uri) ? firn_strdup(options->uri) : NULL;
    catalog->schema = options->schema ? firn_strdup(options->schema) : NULL;
    catalog->connections.free =
        options->pool > 0 ? (size_t)options->pool : FIRN_CATALOG_POOL_DEFAULT;
    catalog->connections_bounded = catalog->uri != NULL;
    size_t idle = catalog->uri ? catalog->connections.free : FIRN_CATALOG_POOL_DEFAULT;
    catalog->idle_max = idle < FIRN_CATALOG_IDLE_MAX ? idle : FIRN_CATALOG_IDLE_MAX;
    catalog->writers.free = 1;
    catalog->storage = options->storage;
    catalog->warehouse = firn_strdup(options->warehouse ? options->warehouse : "");
    catalog->busy_timeout_ms = options->busy_timeout_ms > 0   ? options->busy_timeout_ms
                               : options->busy_timeout_ms < 0 ? 0
                                                              : BUSY_TIMEOUT_MS_DEFAULT;
    catalog->manifests = firn_manifest_cache_new(
        options->manifest_cache_bytes > 0 ? options->manifest_cache_bytes : MANIFEST_CACHE_BYTES);
    catalog->metadata = firn_metadata_cache_new();
    catalog->lines = firn_lines_new();
    pthread_mutex_init(&catalog->lock, NULL);
    firn_rc rc = open_by_uri(catalog, options, err);
    if (rc != FIRN_OK) {
        firn_catalog_close(catalog);
        return rc;
    }
    *out = catalog;
    return FIRN_OK;
}

void firn_catalog_close(firn_catalog *catalog)
{
    if (!catalog) {
        return;
    }
    if (catalog->ops) {
        catalog->ops->close(catalog);
    }
    firn_catalog_close(catalog->local);
    firn_db_pool_close(catalog);
    firn_manifest_cache_free(catalog->manifests);
    firn_metadata_cache_free(catalog->metadata);
    firn_lines_free(catalog->lines);
    pthread_mutex_destroy(&catalog->lock);
    free(catalog->warehouse);
    free(catalog->path);
    free(catalog->uri);
    free(catalog->schema);
    free(catalog);
}

firn_catalog *firn_catalog_database(firn_catalog *catalog)
{
    return catalog->local ? catalog->local : catalog;
}

const char *firn_catalog_name(const firn_catalog *catalog)
{
    return catalog->path;
}

firn_storage *firn_catalog_storage(firn_catalog *catalog)
{
    return catalog->storage;
}

firn_manifest_cache *firn_catalog_manifests(firn_catalog *catalog)
{
    return catalog->manifests;
}

/* ---- what is missing -------------------------------------------------------------------------- */

/* Dotted names of all entries of the kind; tables and views stand in for each other, being read alike. */
static firn_rc candidates(firn_db *db, firn_arena *arena, const firn_point *at,
                          firn_entry_kind kind, const char ***out, size_t *n, firn_err *err)
{
    firn_stored *list;
    size_t len;
    FIRN_TRY(firn_store_list(db, arena, at, NULL, &list, &len, err));
    *out = FIRN_NEW_N(arena, const char *, len);
    *n = 0;
    for (size_t i = 0; i < len; i++) {
        if ((list[i].kind == FIRN_KIND_NAMESPACE) == (kind == FIRN_KIND_NAMESPACE)) {
            (*out)[(*n)++] = firn_ident_text(arena, (firn_ident){list[i].ns, list[i].name});
        }
    }
    return FIRN_OK;
}

firn_rc firn_fail_missing(firn_db *db, firn_arena *arena, const firn_point *at,
                          firn_entry_kind kind, const char *ns, const char *name, firn_err *err)
{
    static const firn_rc codes[] = {
        [FIRN_KIND_TABLE] = FIRN_E_NO_TABLE,
        [FIRN_KIND_VIEW] = FIRN_E_NO_VIEW,
        [FIRN_KIND_NAMESPACE] = FIRN_E_NO_NAMESPACE,
    };
    const char *text = firn_ident_text(arena, (firn_ident){ns, name});
    const char **names;
    size_t n;
    FIRN_TRY(candidates(db, arena, at, kind, &names, &n, err));
    const char *nearest = firn_nearest(text, names, n);
    FIRN_FAIL(err, codes[kind], "there is no %s %s on %s%s%s%s", firn_kind_text(kind), text,
              at->text, nearest ? ". Did you mean " : "", nearest ? nearest : "",
              nearest ? "?" : "");
}

/* ---- namespaces ------------------------------------------------------------------------------- */

static firn_rc require_namespace(firn_db *db, firn_arena *arena, const firn_point *at,
                                 const char *ns, firn_stored **out, firn_err *err)
{
    FIRN_TRY(firn_store_get(db, arena, at, ns, "", out, err));
    return *out ? FIRN_OK : firn_fail_missing(db, arena, at, FIRN_KIND_NAMESPACE, ns, "", err);
}

static bool is_below(const char *ns, const char *parent, bool recursive)
{
    size_t len = strlen(parent);
    if (len > 0 && (strncmp(ns, parent, len) != 0 || ns[len] != FIRN_NS_SEP[0])) {
        return false;
    }
    const char *rest = len > 0 ? ns + len + 1 : ns;
    return recursive || !strchr(rest, FIRN_NS_SEP[0]);
}

firn_rc firn_catalog_namespace_list(firn_catalog *catalog, firn_arena *arena, const char *ref,
                                    const char *parent, bool recursive, char ***out, size_t *n,
                                    firn_err *err)
{
    if (catalog->ops) {
        return catalog->ops->namespace_list(catalog, arena, ref, parent, recursive, out, n, err);
    }
    FIRN_AUTO_SESSION firn_db_session session = {0};
    firn_point at;
    firn_stored *list, *ignored;
    size_t len;
    parent = parent ? parent : "";
    FIRN_TRY(firn_db_session_begin(catalog, false, &session, err));
    FIRN_TRY(firn_store_resolve(session.db, arena, ref, &at, err));
    if (parent[0]) {
        FIRN_TRY(require_namespace(session.db, arena, &at, parent, &ignored, err));
    }
    FIRN_TRY(firn_store_list(session.db, arena, &at, NULL, &list, &len, err));
    *out = FIRN_NEW_N(arena, char *, len);
    *n = 0;
    for (size_t i = 0; i < len; i++) {
        if (list[i].kind == FIRN_KIND_NAMESPACE && is_below(list[i].ns, parent, recursive)) {
            (*out)[(*n)++] = firn_arena_strdup(arena, list[i].ns);
        }
    }
    return FIRN_OK;
}

firn_rc firn_catalog_namespace_properties(firn_catalog *catalog, firn_arena *arena, const char *ref,
                                          const char *ns, json_t **out, firn_err *err)
{
    if (catalog->ops) {
        return catalog->ops->namespace_properties(catalog, arena, ref, ns, out, err);
    }
    FIRN_AUTO_SESSION firn_db_session session = {0};
    firn_point at;
    firn_stored *stored;
    FIRN_TRY(firn_db_session_begin(catalog, false, &session, err));
    FIRN_TRY(firn_store_resolve(session.db, arena, ref, &at, err));
    FIRN_TRY(require_namespace(session.db, arena, &at, ns, &stored, err));
    const char *what =
        firn_arena_printf(arena, "properties of namespace %s", firn_ns_text(arena, ns));
    return firn_json_parse(arena, firn_bytes_str(stored->value), what, out, err);
}

/* ---- entries ---------------------------------------------------------------------------------- */

void firn_entry_of_stored(const firn_stored *stored, firn_catalog_entry *out)
{
    *out = (firn_catalog_entry){
        .kind = stored->kind,
        .ident = {.ns = stored->ns, .name = stored->name},
        .content_id = stored->content_id,
        .location = stored->kind == FIRN_KIND_NAMESPACE ? NULL : stored->value,
        .commit_id = stored->commit_id,
        .updated_us = stored->updated_us,
    };
}

firn_rc firn_catalog_list(firn_catalog *catalog, firn_arena *arena, const char *ref,
                          firn_entry_kind kind, const char *ns, firn_catalog_entry **out, size_t *n,
                          firn_err *err)
{
    if (catalog->ops) {
        return catalog->ops->list(catalog, arena, ref, kind, ns, out, n, err);
    }
    FIRN_AUTO_SESSION firn_db_session session = {0};
    firn_point at;
    firn_stored *list, *ignored;
    size_t len;
    FIRN_TRY(firn_db_session_begin(catalog, false, &session, err));
    FIRN_TRY(firn_store_resolve(session.db, arena, ref, &at, err));
    if (ns) {
        FIRN_TRY(require_namespace(session.db, arena, &at, ns, &ignored, err));
    }
    FIRN_TRY(firn_store_list(session.db, arena, &at, ns, &list, &len, err));
    *out = FIRN_NEW_N(arena, firn_catalog_entry, len);
    *n = 0;
    for (size_t i = 0; i < len; i++) {
        if (list[i].kind == kind) {
            firn_entry_of_stored(&list[i], &(*out)[(*n)++]);
        }
    }
    return FIRN_OK;
}

static firn_rc get_entry(firn_catalog *catalog, firn_arena *arena, const char *ref,
                         firn_ident ident, firn_entry_kind wanted, bool or_other,
                         firn_catalog_entry *out, firn_err *err)
{
    FIRN_AUTO_SESSION firn_db_session session = {0};
    firn_point at;
    firn_stored *stored = NULL;
    FIRN_TRY(firn_db_session_begin(catalog, false, &session, err));
    if (ident.ns && ident.name && ident.name[0]) {
        FIRN_TRY(firn_store_find(session.db, arena, ref, ident.ns, ident.name, &at, &stored, err));
    } else {
        FIRN_TRY(firn_store_resolve(session.db, arena, ref, &at, err));
    }
    if (!stored) {
        return firn_fail_missing(session.db, arena, &at, wanted, ident.ns ? ident.ns : "",
                                 ident.name ? ident.name : "", err);
    }
    if (stored->kind != wanted && !or_other) {
        FIRN_FAIL(err, wanted == FIRN_KIND_TABLE ? FIRN_E_NO_TABLE : FIRN_E_NO_VIEW,
                  "%s is a %s, not a %s", firn_ident_text(arena, ident),
                  firn_kind_text(stored->kind), firn_kind_text(wanted));
    }
    firn_entry_of_stored(stored, out);
    return FIRN_OK;
}

firn_rc firn_catalog_entry_get(firn_catalog *catalog, firn_arena *arena, const char *ref,
                               firn_ident ident, firn_catalog_entry *out, firn_err *err)
{
    if (catalog->ops) {
        return catalog->ops->entry_get(catalog, arena, ref, ident, out, err);
    }
    return get_entry(catalog, arena, ref, ident, FIRN_KIND_TABLE, true, out, err);
}

firn_rc firn_catalog_table_load(firn_catalog *catalog, firn_arena *arena, const char *ref,
                                firn_ident ident, firn_table *out, firn_err *err)
{
    if (catalog->ops) {
        return catalog->ops->table_load(catalog, arena, ref, ident, out, err);
    }
    FIRN_TRY(get_entry(catalog, arena, ref, ident, FIRN_KIND_TABLE, false, &out->entry, err));
    firn_rc rc = firn_metadata_cache_load(catalog->metadata, catalog->storage, arena,
                                          out->entry.location, &out->metadata, err);
    return rc == FIRN_OK
               ? FIRN_OK
               : firn_err_wrap(err, rc, "cannot load table %s", firn_ident_text(arena, ident));
}

firn_rc firn_catalog_metadata_at(firn_catalog *catalog, firn_arena *arena, const char *location,
                                 firn_metadata **out, firn_err *err)
{
    return firn_metadata_cache_load(catalog->metadata, catalog->storage, arena, location, out, err);
}

firn_rc firn_catalog_view_load(firn_catalog *catalog, firn_arena *arena, const char *ref,
                               firn_ident ident, firn_catalog_entry *entry, json_t **view,
                               firn_err *err)
{
    if (catalog->ops) {
        return catalog->ops->view_load(catalog, arena, ref, ident, entry, view, err);
    }
    FIRN_TRY(get_entry(catalog, arena, ref, ident, FIRN_KIND_VIEW, false, entry, err));
    firn_rc rc = firn_view_file_load(catalog->storage, arena, entry->location, view, err);
    return rc == FIRN_OK
               ? FIRN_OK
               : firn_err_wrap(err, rc, "cannot load view %s", firn_ident_text(arena, ident));
}
