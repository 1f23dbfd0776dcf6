/* Reading a remote catalog: namespaces, lists, tables, views.
 *
 * A table's metadata comes with the answer. It is kept in the catalog's metadata cache under its location, and the tag that
 * the server gave it beside, so that loading it again costs a 304 while nothing has changed.
 */
#include "remote/remote.h"

#include "base/vec.h"
#include "net/http.h"

#include <stdlib.h>

enum { PAGES_MAX = 100000 };

typedef FIRN_VEC(firn_catalog_entry) entry_list;

/* ---- paging ----------------------------------------------------------------------------------- */

typedef struct listing {
    const firn_remote *remote;
    const firn_remote_config *config;
    firn_arena *arena;
    const char *path;
    const char *query;  /* "" or "parent=..." */
    const char *member; /* of the answer: "namespaces", "identifiers" */
    firn_rc missing;
    const char *what;
} listing;

/* All pages of a list, one after the other; an item's members are checked by `take`. */
static firn_rc each_page(const listing *l,
                         firn_rc (*take)(void *ctx, const json_t *item, firn_err *err), void *ctx,
                         firn_err *err)
{
    const char *token = "";
    for (int pages = 0; pages < PAGES_MAX; pages++) {
        const firn_remote_call call = {
            .method = "GET",
            .path = firn_arena_printf(l->arena, "%s?%s%spageToken=%s", l->path, l->query,
                                      l->query[0] ? "&" : "", firn_url_encode(l->arena, token))};
        json_t *json, *items;
        const char *next;
        FIRN_TRY(firn_remote_json(l->remote, l->config, l->arena, &call, l->missing, l->what, &json,
                                  err));
        FIRN_TRY(firn_json_array(json, l->member, l->what, &items, err));
        FIRN_TRY(firn_json_opt_str(json, "next-page-token", l->what, NULL, &next, err));
        for (size_t i = 0; i < json_array_size(items); i++) {
            FIRN_TRY(take(ctx, json_array_get(items, i), err));
        }
        if (!next || !next[0]) {
            return FIRN_OK;
        }
        if (firn_streq(next, token)) {
            break;
        }
        token = next;
    }
    FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: the catalog's pages go round in circles", l->what);
}

/* ["a", "b"] to levels joined by FIRN_NS_SEP; NULL if it is none. */
static const char *ns_of_json(firn_arena *arena, const json_t *json)
{
    size_t n = json_array_size(json);
    const char **levels = FIRN_NEW_N(arena, const char *, n);
    for (size_t i = 0; i < n; i++) {
        levels[i] = json_string_value(json_array_get(json, i));
        if (!levels[i] || strchr(levels[i], FIRN_NS_SEP[0])) {
            return NULL;
        }
    }
    return n > 0 ? firn_str_join(arena, levels, n, FIRN_NS_SEP) : NULL;
}

/* ---- namespaces ------------------------------------------------------------------------------- */

typedef struct ns_list {
    firn_arena *arena;
    const listing *listing;
    const char *parent;
    FIRN_VEC(char *) items;
} ns_list;

static firn_rc take_namespace(void *ctx, const json_t *item, firn_err *err)
{
    ns_list *list = ctx;
    const char *ns = ns_of_json(list->arena, item);
    size_t len = strlen(list->parent);
    if (!ns) {
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: the catalog names a namespace that is no list of texts",
                  list->listing->what);
    }
    /* Some servers list the parent along with what is below it, and what is below that. */
    bool below = len == 0 || (strncmp(ns, list->parent, len) == 0 && ns[len] == FIRN_NS_SEP[0]);
    const char *rest = len > 0 && below ? ns + len + 1 : ns;
    if (below && !strchr(rest, FIRN_NS_SEP[0])) {
        firn_vec_push(list->arena, &list->items, firn_arena_strdup(list->arena, ns));
    }
    return FIRN_OK;
}

static firn_rc children(const firn_remote *remote, const firn_remote_config *config,
                        firn_arena *arena, const char *parent, ns_list *out, firn_err *err)
{
    const char *plain = firn_url_decode(arena, config->separator, strlen(config->separator), false);
    const char *joined = firn_str_replace(arena, parent, FIRN_NS_SEP, plain);
    listing l = {
        .remote = remote,
        .config = config,
        .arena = arena,
        .path = "namespaces",
        .query =
            parent[0] ? firn_arena_printf(arena, "parent=%s", firn_url_encode(arena, joined)) : "",
        .member = "namespaces",
        .missing = FIRN_E_NO_NAMESPACE,
        .what = parent[0] ? firn_arena_printf(arena, "cannot list namespaces in %s",
                                              firn_ns_text(arena, parent))
                          : "cannot list namespaces",
    };
    *out = (ns_list){.arena = arena, .listing = &l, .parent = parent};
    FIRN_TRY(firn_remote_require(remote, config, FIRN_REMOTE_NAMESPACES, l.what, err));
    firn_rc rc = each_page(&l, take_namespace, out, err);
    out->listing = NULL;
    return rc;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

firn_rc firn_remote_namespace_list(firn_catalog *catalog, firn_arena *arena, const char *ref,
                                   const char *parent, bool recursive, char ***out, size_t *n,
                                   firn_err *err)
{
    const firn_remote_config *config;
    FIRN_VEC(char *) found = {0};
    FIRN_TRY(firn_remote_config_of(catalog->remote, arena, ref, &config, err));
    ns_list list;
    FIRN_TRY(children(catalog->remote, config, arena, parent ? parent : "", &list, err));
    for (size_t i = 0; i < list.items.len; i++) {
        firn_vec_push(arena, &found, list.items.items[i]);
    }
    /* `found` grows under the walk: what is below comes behind. */
    for (size_t i = 0; recursive && i < found.len; i++) {
        FIRN_TRY(children(catalog->remote, config, arena, found.items[i], &list, err));
        for (size_t c = 0; c < list.items.len; c++) {
            firn_vec_push(arena, &found, list.items.items[c]);
        }
    }
    if (found.len > 1) {
        qsort(found.items, found.len, sizeof(*found.items), by_name);
    }
    *out = found.items;
    *n = found.len;
    return FIRN_OK;
}

firn_rc firn_remote_namespace_properties(firn_catalog *catalog, firn_arena *arena, const char *ref,
                                         const char *ns, json_t **out, firn_err *err)
{
    const firn_remote_config *config;
    json_t *json;
    FIRN_TRY(firn_ns_check(ns, err));
    FIRN_TRY(firn_remote_config_of(catalog->remote, arena, ref, &config, err));
    const char *what =
        firn_arena_printf(arena, "cannot read namespace %s", firn_ns_text(arena, ns));
    const firn_remote_call call = {
        .method = "GET",
        .path = firn_arena_printf(arena, "namespaces/%s", firn_remote_ns_path(config, arena, ns))};
    FIRN_TRY(firn_remote_json(catalog->remote, config, arena, &call, FIRN_E_NO_NAMESPACE, what,
                              &json, err));
    FIRN_TRY(firn_json_opt_object(json, "properties", what, out, err));
    if (!*out) {
        *out = firn_json_own(arena, json_object());
    }
    return FIRN_OK;
}

/* ---- lists ------------------------------------------------------------------------------------ */

typedef struct item_list {
    firn_arena *arena;
    const char *what;
    firn_entry_kind kind;
    entry_list *out;
} item_list;

static firn_rc take_item(void *ctx, const json_t *item, firn_err *err)
{
    item_list *list = ctx;
    const char *ns = ns_of_json(list->arena, json_object_get(item, "namespace"));
    const char *name = json_string_value(json_object_get(item, "name"));
    if (!ns || !name || !name[0]) {
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: the catalog lists something without namespace and name",
                  list->what);
    }
    firn_catalog_entry entry = {.kind = list->kind,
                                .ident = {ns, firn_arena_strdup(list->arena, name)}};
    firn_vec_push(list->arena, list->out, entry);
    return FIRN_OK;
}

static firn_rc list_in(const firn_remote *remote, const firn_remote_config *config,
                       firn_arena *arena, firn_entry_kind kind, const char *ns, entry_list *out,
                       firn_err *err)
{
    const char *word = kind == FIRN_KIND_TABLE ? "tables" : "views";
    listing l = {
        .remote = remote,
        .config = config,
        .arena = arena,
        .path = firn_arena_printf(arena, "namespaces/%s/%s", firn_remote_ns_path(config, arena, ns),
                                  word),
        .query = "",
        .member = "identifiers",
        .missing = FIRN_E_NO_NAMESPACE,
        .what = firn_arena_printf(arena, "cannot list %s in %s", word, firn_ns_text(arena, ns)),
    };
    item_list list = {.arena = arena, .what = l.what, .kind = kind, .out = out};
    return each_page(&l, take_item, &list, err);
}

firn_rc firn_remote_list(firn_catalog *catalog, firn_arena *arena, const char *ref,
                         firn_entry_kind kind, const char *ns, firn_catalog_entry **out, size_t *n,
                         firn_err *err)
{
    const firn_remote_config *config;
    entry_list list = {0};
    char **namespaces = (char *[]){(char *)ns};
    size_t n_namespaces = 1;
    FIRN_TRY(firn_remote_config_of(catalog->remote, arena, ref, &config, err));
    if (!ns) {
        FIRN_TRY(firn_remote_namespace_list(catalog, arena, ref, NULL, true, &namespaces,
                                            &n_namespaces, err));
    }
    bool offered = kind != FIRN_KIND_VIEW || firn_remote_has(config, FIRN_REMOTE_VIEWS);
    for (size_t i = 0; offered && i < n_namespaces; i++) {
        if (kind == FIRN_KIND_NAMESPACE) {
            firn_catalog_entry entry = {.kind = kind, .ident = {namespaces[i], ""}};
            firn_vec_push(arena, &list, entry);
            continue;
        }
        firn_err detail = {0};
        firn_rc rc = list_in(catalog->remote, config, arena, kind, namespaces[i], &list, &detail);
        if (rc != FIRN_OK && (ns || rc != FIRN_E_NO_NAMESPACE)) { /* dropped since it was listed */
            if (err) {
                *err = detail;
            }
            return rc;
        }
    }
    *out = list.items;
    *n = list.len;
    return FIRN_OK;
}

/* ---- tags ------------------------------------------------------------------------------------- */

static const char *tag_key(firn_arena *arena, const char *ref, firn_ident ident)
{
    return firn_arena_printf(arena, "%s\x1e%s\x1e%s", ref ? ref : FIRN_MAIN, ident.ns, ident.name);
}

/* @locks remote->lock; NULL: none */
static firn_remote_etag *find_tag(firn_remote *remote, const char *key)
{
    for (size_t i = 0; i < FIRN_REMOTE_ETAGS_MAX; i++) {
        if (remote->etags[i].key && firn_streq(remote->etags[i].key, key)) {
            remote->etags[i].used = ++remote->uses;
            return &remote->etags[i];
        }
    }
    return NULL;
}

static void clear_tag(firn_remote_etag *tag)
{
    free(tag->key);
    free(tag->etag);
    free(tag->location);
    *tag = (firn_remote_etag){0};
}

static void keep_tag(firn_remote *remote, const char *key, const char *etag, const char *location)
{
    pthread_mutex_lock(&remote->lock);
    firn_remote_etag *tag = find_tag(remote, key);
    for (size_t i = 0; !tag && i < FIRN_REMOTE_ETAGS_MAX; i++) {
        tag = remote->etags[i].key ? NULL : &remote->etags[i];
    }
    if (!tag) {
        tag = &remote->etags[0];
        for (size_t i = 1; i < FIRN_REMOTE_ETAGS_MAX; i++) {
            tag = remote->etags[i].used < tag->used ? &remote->etags[i] : tag;
        }
    }
    clear_tag(tag);
    *tag = (firn_remote_etag){.key = firn_strdup(key),
                              .etag = firn_strdup(etag),
                              .location = firn_strdup(location),
                              .used = ++remote->uses};
    pthread_mutex_unlock(&remote->lock);
}

void firn_remote_forget(firn_remote *remote, const char *ref, firn_ident ident)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const char *key = tag_key(arena, ref, ident);
    pthread_mutex_lock(&remote->lock);
    firn_remote_etag *tag = find_tag(remote, key);
    if (tag) {
        clear_tag(tag);
    }
    pthread_mutex_unlock(&remote->lock);
}

/* The tag to ask with, given that the metadata it stands for is still there. */
static const char *known_tag(firn_catalog *catalog, firn_arena *arena, const char *key,
                             const char **location, firn_metadata **metadata)
{
    firn_remote *remote = catalog->remote;
    const char *etag = NULL;
    pthread_mutex_lock(&remote->lock);
    const firn_remote_etag *tag = find_tag(remote, key);
    if (tag) {
        etag = firn_arena_strdup(arena, tag->etag);
        *location = firn_arena_strdup(arena, tag->location);
    }
    pthread_mutex_unlock(&remote->lock);
    *metadata = etag ? firn_metadata_cache_find(catalog->metadata, arena, *location) : NULL;
    return *metadata ? etag : NULL;
}

/* ---- tables ----------------------------------------------------------------------------------- */

static firn_ident copy_ident(firn_arena *arena, firn_ident ident)
{
    return (firn_ident){firn_arena_strdup(arena, ident.ns), firn_arena_strdup(arena, ident.name)};
}

static void fill_table(firn_table *out, firn_arena *arena, firn_ident ident, const char *location,
                       firn_metadata *metadata)
{
    *out = (firn_table){
        .entry =
            {
                .kind = FIRN_KIND_TABLE,
                .ident = copy_ident(arena, ident),
                .content_id = metadata->table_uuid ? metadata->table_uuid : "",
                .location = location,
                .commit_id = "",
                .updated_us = metadata->last_updated_ms * 1000,
            },
        .metadata = metadata,
    };
}

firn_rc firn_remote_take_table(firn_catalog *catalog, firn_arena *arena, const char *ref,
                               firn_ident ident, firn_bytes body, const char *etag, firn_table *out,
                               firn_err *err)
{
    json_t *json;
    const char *location;
    firn_metadata *metadata;
    const char *what =
        firn_arena_printf(arena, "metadata of table %s", firn_ident_text(arena, ident));
    FIRN_TRY(firn_remote_parse_load(arena, body, what, &json, &location, err));
    location = firn_arena_strdup(arena, location);
    metadata = firn_metadata_cache_find(catalog->metadata, arena, location);
    if (!metadata) {
        FIRN_TRY(firn_metadata_cache_add(catalog->metadata, arena, location, json, &metadata, err));
    }
    fill_table(out, arena, ident, location, metadata);
    if (etag) {
        keep_tag(catalog->remote, tag_key(arena, ref, ident), etag, location);
    }
    return FIRN_OK;
}

/* Names the nearest, and tells a view from a table, as far as the server lists them. */
static firn_rc no_such(firn_catalog *catalog, firn_arena *arena, const char *ref, firn_ident ident,
                       firn_entry_kind wanted, firn_err *err)
{
    const char *text = firn_ident_text(arena, ident);
    firn_rc code = wanted == FIRN_KIND_TABLE ? FIRN_E_NO_TABLE : FIRN_E_NO_VIEW;
    FIRN_VEC(const char *) names = {0};
    for (int kind = FIRN_KIND_TABLE; kind <= FIRN_KIND_VIEW; kind++) {
        firn_catalog_entry *entries;
        size_t n;
        if (firn_remote_list(catalog, arena, ref, (firn_entry_kind)kind, ident.ns, &entries, &n,
                             NULL) != FIRN_OK) {
            continue;
        }
        for (size_t i = 0; i < n; i++) {
            if (firn_streq(entries[i].ident.name, ident.name) && kind != (int)wanted) {
                FIRN_FAIL(err, code, "%s is a %s, not a %s", text,
                          firn_kind_text((firn_entry_kind)kind), firn_kind_text(wanted));
            }
            firn_vec_push(arena, &names, firn_ident_text(arena, entries[i].ident));
        }
    }
    const char *nearest = firn_nearest(text, names.items, names.len);
    FIRN_FAIL(err, code, "there is no %s %s on %s in the catalog %s%s%s%s", firn_kind_text(wanted),
              text, ref ? ref : FIRN_MAIN, firn_url_for_message(arena, catalog->remote->uri),
              nearest ? ". Did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

static bool is_absent(firn_rc rc)
{
    return rc == FIRN_E_NO_TABLE || rc == FIRN_E_NO_VIEW || rc == FIRN_E_NO_NAMESPACE;
}

/* As table_load, but without looking for what else the name might have meant. */
static firn_rc load_table(firn_catalog *catalog, firn_arena *arena, const char *ref,
                          firn_ident ident, firn_table *out, firn_err *err)
{
    const firn_remote_config *config;
    firn_http_reply reply;
    const char *location = NULL;
    firn_metadata *metadata;
    FIRN_TRY(firn_ident_check(ident, err));
    FIRN_TRY(firn_remote_config_of(catalog->remote, arena, ref, &config, err));
    const char *key = tag_key(arena, ref, ident);
    firn_remote_call call = {
        .method = "GET",
        .path = firn_arena_printf(arena, "%s?snapshots=all",
                                  firn_remote_path(config, arena, ident, "tables")),
        .etag = known_tag(catalog, arena, key, &location, &metadata),
    };
    FIRN_TRY(firn_remote_do(catalog->remote, config, arena, &call, &reply, err));
    if (call.etag && reply.status == 304) {
        fill_table(out, arena, ident, location, metadata);
        return FIRN_OK;
    }
    if (!firn_remote_is_success(&reply)) {
        return firn_remote_fail(
            catalog->remote, arena, &reply, FIRN_E_NO_TABLE,
            firn_arena_printf(arena, "cannot load table %s", firn_ident_text(arena, ident)), err);
    }
    return firn_remote_take_table(catalog, arena, ref, ident, reply.body,
                                  firn_http_reply_header(&reply, "ETag"), out, err);
}

firn_rc firn_remote_table_load(firn_catalog *catalog, firn_arena *arena, const char *ref,
                               firn_ident ident, firn_table *out, firn_err *err)
{
    firn_rc rc = load_table(catalog, arena, ref, ident, out, err);
    if (is_absent(rc)) {
        return no_such(catalog, arena, ref, ident, FIRN_KIND_TABLE, err);
    }
    return rc;
}

/* ---- views ------------------------------------------------------------------------------------ */

static firn_rc load_view(firn_catalog *catalog, firn_arena *arena, const char *ref,
                         firn_ident ident, firn_catalog_entry *entry, json_t **view, firn_err *err)
{
    const firn_remote_config *config;
    firn_http_reply reply;
    FIRN_TRY(firn_ident_check(ident, err));
    FIRN_TRY(firn_remote_config_of(catalog->remote, arena, ref, &config, err));
    const char *what =
        firn_arena_printf(arena, "cannot load view %s", firn_ident_text(arena, ident));
    if (!firn_remote_has(config, FIRN_REMOTE_VIEW)) {
        FIRN_FAIL(err, FIRN_E_NO_VIEW, "%s: the catalog %s has no views", what,
                  firn_url_for_message(arena, catalog->remote->uri));
    }
    firn_remote_call call = {.method = "GET",
                             .path = firn_remote_path(config, arena, ident, "views")};
    FIRN_TRY(firn_remote_do(catalog->remote, config, arena, &call, &reply, err));
    if (!firn_remote_is_success(&reply)) {
        return firn_remote_fail(catalog->remote, arena, &reply, FIRN_E_NO_VIEW, what, err);
    }
    const char *location;
    FIRN_TRY(firn_remote_parse_load(
        arena, reply.body,
        firn_arena_printf(arena, "metadata of view %s", firn_ident_text(arena, ident)), view,
        &location, err));
    const char *uuid = json_string_value(json_object_get(*view, "view-uuid"));
    *entry = (firn_catalog_entry){.kind = FIRN_KIND_VIEW,
                                  .ident = copy_ident(arena, ident),
                                  .content_id = uuid ? uuid : "",
                                  .location = location,
                                  .commit_id = ""};
    return FIRN_OK;
}

firn_rc firn_remote_view_load(firn_catalog *catalog, firn_arena *arena, const char *ref,
                              firn_ident ident, firn_catalog_entry *entry, json_t **view,
                              firn_err *err)
{
    firn_rc rc = load_view(catalog, arena, ref, ident, entry, view, err);
    return is_absent(rc) ? no_such(catalog, arena, ref, ident, FIRN_KIND_VIEW, err) : rc;
}

firn_rc firn_remote_entry_get(firn_catalog *catalog, firn_arena *arena, const char *ref,
                              firn_ident ident, firn_catalog_entry *out, firn_err *err)
{
    firn_table table;
    json_t *view;
    firn_err detail = {0};
    if (!ident.ns || !ident.ns[0] || !ident.name || !ident.name[0]) {
        FIRN_FAIL(err, FIRN_E_NO_TABLE, "there is no table without a namespace and a name");
    }
    firn_rc rc = load_table(catalog, arena, ref, ident, &table, &detail);
    if (rc == FIRN_OK) {
        *out = table.entry;
        return FIRN_OK;
    }
    if (is_absent(rc)) {
        firn_err_clear(&detail);
        rc = load_view(catalog, arena, ref, ident, out, &view, &detail);
    }
    if (is_absent(rc)) {
        return no_such(catalog, arena, ref, ident, FIRN_KIND_TABLE, err);
    }
    if (rc != FIRN_OK && err) {
        *err = detail;
    }
    return rc;
}

/* ---- where a new table goes ------------------------------------------------------------------- */

/* By the namespace's own location, for servers that stage no tables. */
static firn_rc location_by_namespace(firn_catalog *catalog, firn_arena *arena, firn_ident ident,
                                     char **out, firn_err *err)
{
    json_t *properties;
    FIRN_TRY(firn_remote_namespace_properties(catalog, arena, NULL, ident.ns, &properties, err));
    const char *folder = json_string_value(json_object_get(properties, "location"));
    if (folder && folder[0]) {
        *out = firn_arena_printf(arena, "%s%s%s", folder, firn_ends_with(folder, "/") ? "" : "/",
                                 ident.name);
        return FIRN_OK;
    }
    size_t n;
    char **levels = firn_str_split(arena, ident.ns, FIRN_NS_SEP[0], &n);
    *out = firn_arena_printf(arena, "%s/%s/%s", catalog->warehouse,
                             firn_str_join(arena, (const char *const *)levels, n, "/"), ident.name);
    return FIRN_OK;
}

/* A staged create is made for this question: the server says where the table would be, and keeps nothing. */
firn_rc firn_remote_default_location(firn_catalog *catalog, firn_arena *arena, firn_ident ident,
                                     char **out, firn_err *err)
{
    const firn_remote_config *config;
    json_t *json = NULL;
    FIRN_TRY(firn_ident_check(ident, err));
    FIRN_TRY(firn_remote_config_of(catalog->remote, arena, NULL, &config, err));
    json_t *body = firn_json_own(
        arena, json_pack("{s:s, s:{s:s, s:i, s:[{s:i, s:s, s:b, s:s}]}, s:b}", "name", ident.name,
                         "schema", "type", "struct", "schema-id", 0, "fields", "id", 1, "name",
                         "any", "required", 0, "type", "int", "stage-create", 1));
    const firn_remote_call call = {
        .method = "POST",
        .path = firn_arena_printf(arena, "namespaces/%s/tables",
                                  firn_remote_ns_path(config, arena, ident.ns)),
        .body = body,
    };
    const char *what =
        firn_arena_printf(arena, "cannot ask for the place of %s", firn_ident_text(arena, ident));
    firn_err detail = {0};
    firn_rc rc = firn_remote_json(catalog->remote, config, arena, &call, FIRN_E_NO_NAMESPACE, what,
                                  &json, &detail);
    const char *location =
        json_string_value(json_object_get(json_object_get(json, "metadata"), "location"));
    if (rc == FIRN_OK && location && location[0]) {
        size_t len = strlen(location);
        *out = firn_arena_strndup(arena, location, len - (location[len - 1] == '/'));
        return FIRN_OK;
    }
    if (rc == FIRN_OK || rc == FIRN_E_UNSUPPORTED || rc == FIRN_E_INVALID || rc == FIRN_E_EXISTS ||
        rc == FIRN_E_CONFLICT) {
        return location_by_namespace(catalog, arena, ident, out, err);
    }
    if (rc == FIRN_E_UNKNOWN_OUTCOME) { /* of a question */
        FIRN_FAIL(err, FIRN_E_IO, "%s", detail.message);
    }
    if (err) {
        *err = detail;
    }
    return rc;
}
