/* Branches of a catalog that another `firn serve` has: its management API (docs/reference/api.md), read back into what the
 * local functions give. Nothing here trusts the shape of an answer: what is missing is empty, and an answer that is none is
 * CORRUPT.
 */
#include "remote/remote.h"

#include "base/time.h"
#include "base/uuid.h"
#include "base/vec.h"
#include "net/http.h"

/* ---- the API ---------------------------------------------------------------------------------- */

/* <host>/iceberg and <host>/iceberg/<ref> have it at <host>/api/v1. */
static const char *guess_root(firn_arena *arena, const char *uri)
{
    const char *at = strstr(uri, "/iceberg");
    size_t len = at && (at[8] == '\0' || at[8] == '/') ? (size_t)(at - uri) : strlen(uri);
    return firn_arena_printf(arena, "%.*s/api/v1", (int)len, uri);
}

firn_rc firn_remote_api_root(firn_catalog *catalog, firn_arena *arena, const char **out,
                             firn_err *err)
{
    firn_remote *remote = catalog->remote;
    firn_http_reply reply;
    json_t *json;
    pthread_mutex_lock(&remote->lock);
    bool known = remote->api_known;
    *out = remote->api;
    pthread_mutex_unlock(&remote->lock);
    if (known) {
        return FIRN_OK;
    }
    const char *root = guess_root(arena, remote->uri);
    const firn_remote_call call = {.method = "GET"};
    FIRN_TRY(firn_remote_send(remote, arena, firn_arena_printf(arena, "%s/refs/main", root), &call,
                              &reply, err));
    bool is_firn = reply.status == 200 &&
                   firn_json_parse(arena, reply.body, "ref", &json, NULL) == FIRN_OK &&
                   json_is_string(json_object_get(json, "commit")) &&
                   json_is_string(json_object_get(json, "updated"));
    pthread_mutex_lock(&remote->lock);
    remote->api_known = true;
    remote->api = is_firn ? firn_arena_strdup(remote->arena, root) : NULL;
    *out = remote->api;
    pthread_mutex_unlock(&remote->lock);
    return FIRN_OK;
}

typedef struct api_call {
    firn_catalog *catalog;
    firn_arena *arena;
    const char *root, *method, *path;
    const json_t *body;
    const char *key;
    const char *what;
} api_call;

/* The reply's JSON (NULL: none). A 409 that lists conflicts is a reply, too: *conflicts. */
static firn_rc ask(const api_call *a, json_t **out, bool *conflicts, firn_err *err)
{
    firn_http_reply reply;
    const firn_remote_call call = {.method = a->method, .body = a->body, .key = a->key};
    *out = NULL;
    FIRN_TRY(firn_remote_send(a->catalog->remote, a->arena,
                              firn_arena_printf(a->arena, "%s/%s", a->root, a->path), &call, &reply,
                              err));
    bool ok = firn_remote_is_success(&reply);
    if (reply.body.len > 0 && (ok || (conflicts && reply.status == 409))) {
        FIRN_TRY(firn_json_parse(a->arena, reply.body, "answer of firn's API", out, err));
    }
    bool listed = conflicts && json_array_size(json_object_get(*out, "conflicts")) > 0;
    if (!ok && !listed) {
        return firn_remote_fail(a->catalog->remote, a->arena, &reply, FIRN_E_NO_REF, a->what, err);
    }
    if (conflicts) {
        *conflicts = !ok;
    }
    return FIRN_OK;
}

/* ---- reading JSON ----------------------------------------------------------------------------- */

static const char *text_of(firn_arena *arena, const json_t *json, const char *key)
{
    return firn_arena_strdup(arena, json_string_value(json_object_get(json, key)));
}

static const char *text_or_empty(firn_arena *arena, const json_t *json, const char *key)
{
    const char *text = text_of(arena, json, key);
    return text ? text : "";
}

static int64_t time_of(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    int64_t us = 0;
    bool zone;
    return text && firn_parse_timestamp(text, &us, &zone) ? us : 0;
}

/* -1: null or absent */
static int64_t count_of(const json_t *json, const char *key)
{
    const json_t *value = json_object_get(json, key);
    return json_is_integer(value) ? json_integer_value(value) : -1;
}

/* The index of the text among the names; 0 if it is none of them. */
static int index_of(const json_t *json, const char *key, const char *const *names, int n)
{
    const char *text = json_string_value(json_object_get(json, key));
    for (int i = 0; text && i < n; i++) {
        if (firn_streq(text, names[i])) {
            return i;
        }
    }
    return 0;
}

static const char *ns_of(firn_arena *arena, const json_t *list)
{
    size_t n = json_array_size(list);
    const char **levels = FIRN_NEW_N(arena, const char *, n);
    for (size_t i = 0; i < n; i++) {
        const char *level = json_string_value(json_array_get(list, i));
        levels[i] = level ? level : "";
    }
    return firn_str_join(arena, levels, n, FIRN_NS_SEP);
}

static firn_ident ident_of(firn_arena *arena, const json_t *json)
{
    return (firn_ident){ns_of(arena, json_object_get(json, "namespace")),
                        text_or_empty(arena, json, "name")};
}

static const char *const KINDS[] = {"table", "view", "namespace"}; /* as firn_entry_kind */

static firn_ref ref_of(firn_arena *arena, const json_t *json)
{
    const char *type = json_string_value(json_object_get(json, "type"));
    return (firn_ref){
        .name = text_or_empty(arena, json, "name"),
        .is_tag = type && firn_streq(type, "tag"),
        .commit_id = text_or_empty(arena, json, "commit"),
        .updated_us = time_of(json, "updated"),
    };
}

static const char **texts_of(firn_arena *arena, const json_t *list, size_t *n)
{
    *n = json_array_size(list);
    const char **out = FIRN_NEW_N(arena, const char *, *n);
    for (size_t i = 0; i < *n; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        out[i] = firn_arena_strdup(arena, text ? text : "");
    }
    return out;
}

static firn_commit commit_of(firn_arena *arena, const json_t *json)
{
    firn_commit commit = {
        .id = text_or_empty(arena, json, "id"),
        .parent_id = text_of(arena, json, "parent"),
        .merge_parent_id = text_of(arena, json, "merge-parent"),
        .author = text_or_empty(arena, json, "author"),
        .message = text_or_empty(arena, json, "message"),
        .time_us = time_of(json, "time"),
    };
    commit.changes = texts_of(arena, json_object_get(json, "changes"), &commit.n_changes);
    return commit;
}

static firn_diff diff_of(firn_arena *arena, const json_t *json)
{
    static const char *const WHATS[] = {"added", "removed", "changed"};
    firn_diff diff = {
        .ident = ident_of(arena, json),
        .kind = (firn_entry_kind)index_of(json, "kind", KINDS, 3),
        .from_location = text_of(arena, json, "from-location"),
        .to_location = text_of(arena, json, "to-location"),
    };
    int what = index_of(json, "change", WHATS, 3);
    diff.what = what == 0 ? FIRN_DIFF_ADDED : what == 1 ? FIRN_DIFF_REMOVED : FIRN_DIFF_CHANGED;
    return diff;
}

/* ---- refs ------------------------------------------------------------------------------------- */

static const char *ref_path(firn_arena *arena, const char *name, const char *query)
{
    return firn_arena_printf(arena, "refs/%s%s", firn_url_encode(arena, name ? name : FIRN_MAIN),
                             query);
}

static const char *expected_query(firn_arena *arena, const char *expected)
{
    return expected ? firn_arena_printf(arena, "?expected=%s", firn_url_encode(arena, expected))
                    : "";
}

firn_rc firn_remote_api_refs(firn_catalog *catalog, firn_arena *arena, const char *root,
                             firn_ref **out, size_t *n, firn_err *err)
{
    json_t *json;
    const api_call call = {.catalog = catalog,
                           .arena = arena,
                           .root = root,
                           .method = "GET",
                           .path = "refs",
                           .what = "cannot list branches and tags"};
    FIRN_TRY(ask(&call, &json, NULL, err));
    const json_t *list = json_object_get(json, "references");
    *n = json_array_size(list);
    *out = FIRN_NEW_N(arena, firn_ref, *n);
    for (size_t i = 0; i < *n; i++) {
        (*out)[i] = ref_of(arena, json_array_get(list, i));
    }
    return FIRN_OK;
}

firn_rc firn_remote_api_ref(firn_catalog *catalog, firn_arena *arena, const char *root,
                            const char *name, firn_ref *out, firn_err *err)
{
    json_t *json;
    const api_call call = {.catalog = catalog,
                           .arena = arena,
                           .root = root,
                           .method = "GET",
                           .path = ref_path(arena, name, ""),
                           .what = firn_arena_printf(arena, "cannot find %s", name)};
    FIRN_TRY(ask(&call, &json, NULL, err));
    *out = ref_of(arena, json);
    if (!out->name[0]) {
        FIRN_FAIL(err, FIRN_E_NO_REF, "%s is a commit, not a branch or tag", name);
    }
    return FIRN_OK;
}

static firn_rc change_ref(const api_call *call, firn_ref *out, firn_err *err)
{
    json_t *json;
    FIRN_TRY(ask(call, &json, NULL, err));
    if (out && json) {
        *out = ref_of(call->arena, json);
    }
    return FIRN_OK;
}

firn_rc firn_remote_api_ref_make(firn_catalog *catalog, firn_arena *arena, const char *root,
                                 const firn_ref_make *make, firn_ref *out, firn_err *err)
{
    json_t *body =
        firn_json_own(arena, json_pack("{s:s, s:s, s:s?, s:s?, s:b}", "name", make->name, "type",
                                       make->is_tag ? "tag" : "branch", "from", make->from,
                                       "expected", make->expected, "replace", make->replace));
    const api_call call = {.catalog = catalog,
                           .arena = arena,
                           .root = root,
                           .method = "POST",
                           .path = "refs",
                           .body = body,
                           .key = firn_uuid_new(arena),
                           .what = firn_arena_printf(arena, "cannot create %s", make->name)};
    return change_ref(&call, out, err);
}

firn_rc firn_remote_api_ref_drop(firn_catalog *catalog, firn_arena *arena, const char *root,
                                 const char *name, const char *expected, firn_ref *out,
                                 firn_err *err)
{
    firn_ref was;
    FIRN_TRY(firn_remote_api_ref(catalog, arena, root, name, &was, err));
    const api_call call = {.catalog = catalog,
                           .arena = arena,
                           .root = root,
                           .method = "DELETE",
                           .path = ref_path(arena, name, expected_query(arena, expected)),
                           .what = firn_arena_printf(arena, "cannot delete %s", name)};
    FIRN_TRY(change_ref(&call, NULL, err));
    if (out) {
        *out = was;
    }
    return FIRN_OK;
}

static firn_rc put_ref(firn_catalog *catalog, firn_arena *arena, const char *root, const char *name,
                       json_t *body, const char *what, firn_ref *out, firn_err *err)
{
    const api_call call = {.catalog = catalog,
                           .arena = arena,
                           .root = root,
                           .method = "PUT",
                           .path = ref_path(arena, name, ""),
                           .body = firn_json_own(arena, body),
                           .what = what};
    return change_ref(&call, out, err);
}

firn_rc firn_remote_api_ref_reset(firn_catalog *catalog, firn_arena *arena, const char *root,
                                  const char *name, const char *to, const char *expected,
                                  firn_ref *out, firn_err *err)
{
    return put_ref(
        catalog, arena, root, name, json_pack("{s:s, s:s?}", "to", to, "expected", expected),
        firn_arena_printf(arena, "cannot move %s to %s", name ? name : FIRN_MAIN, to), out, err);
}

firn_rc firn_remote_api_ref_rename(firn_catalog *catalog, firn_arena *arena, const char *root,
                                   const char *name, const char *to, firn_err *err)
{
    return put_ref(catalog, arena, root, name, json_pack("{s:s}", "name", to),
                   firn_arena_printf(arena, "cannot rename %s to %s", name, to), NULL, err);
}

/* ---- log -------------------------------------------------------------------------------------- */

static const char *log_query(firn_arena *arena, const firn_log_query *query, size_t limit,
                             const char *token)
{
    FIRN_AUTO_BUF firn_buf buf = {0};
    firn_buf_printf(&buf, "/log?limit=%zu", limit);
    const char *since =
        query->since_us
            ? firn_arena_printf(arena, "%sZ", firn_format_timestamp(arena, query->since_us, false))
            : NULL;
    const char *until =
        query->until_us
            ? firn_arena_printf(arena, "%sZ", firn_format_timestamp(arena, query->until_us, false))
            : NULL;
    const firn_ident *key = query->key;
    bool is_ns = key && (!key->name || !key->name[0]);
    const char *pairs[][2] = {
        {"page-token", token},
        {"since", since},
        {"until", until},
        {"author", query->author},
        {"table", key && !is_ns ? firn_ident_text(arena, *key) : NULL},
        {"namespace", is_ns ? firn_ns_text(arena, key->ns) : NULL},
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        if (pairs[i][1]) {
            firn_buf_printf(&buf, "&%s=%s", pairs[i][0], firn_url_encode(arena, pairs[i][1]));
        }
    }
    return firn_arena_strdup(arena, firn_buf_cstr(&buf));
}

firn_rc firn_remote_api_log(firn_catalog *catalog, firn_arena *arena, const char *root,
                            const firn_log_query *query, firn_commit **out, size_t *n,
                            const char **next, firn_err *err)
{
    enum { PAGE = 1000 };
    FIRN_VEC(firn_commit) commits = {0};
    const char *token = query->from;
    do {
        size_t left = query->limit == 0 ? PAGE : query->limit - commits.len;
        json_t *json;
        const api_call call = {
            .catalog = catalog,
            .arena = arena,
            .root = root,
            .method = "GET",
            .path = ref_path(arena, query->ref,
                             log_query(arena, query, left < PAGE ? left : PAGE, token)),
            .what = "cannot read the log",
        };
        FIRN_TRY(ask(&call, &json, NULL, err));
        const json_t *list = json_object_get(json, "commits");
        for (size_t i = 0; i < json_array_size(list); i++) {
            firn_vec_push(arena, &commits, commit_of(arena, json_array_get(list, i)));
        }
        const char *following = text_of(arena, json, "next-page-token");
        token = following && token && firn_streq(following, token) ? NULL : following;
    } while (token && (query->limit == 0 || commits.len < query->limit));
    *out = commits.items;
    *n = commits.len;
    *next = token;
    return FIRN_OK;
}

/* ---- differences ------------------------------------------------------------------------------ */

static void add_snapshots(firn_arena *arena, const json_t *list, firn_table_diff *out)
{
    out->n_snapshots = json_array_size(list);
    out->snapshots = FIRN_NEW_N(arena, firn_snapshot_diff, out->n_snapshots);
    for (size_t i = 0; i < out->n_snapshots; i++) {
        const json_t *json = json_array_get(list, i);
        out->snapshots[i] = (firn_snapshot_diff){
            .snapshot_id = count_of(json, "snapshot-id"),
            .timestamp_ms = time_of(json, "time") / 1000,
            .operation = text_or_empty(arena, json, "operation"),
            .added_rows = count_of(json, "added-rows"),
            .deleted_rows = count_of(json, "deleted-rows"),
            .added_files = count_of(json, "added-files"),
            .deleted_files = count_of(json, "deleted-files"),
        };
    }
}

static void add_columns(firn_arena *arena, const json_t *list, firn_table_diff *out)
{
    static const char *const WHATS[] = {"added",       "dropped", "renamed", "retyped",
                                        "nullability", "comment", "default"};
    out->n_columns = json_array_size(list);
    out->columns = FIRN_NEW_N(arena, firn_column_diff, out->n_columns);
    for (size_t i = 0; i < out->n_columns; i++) {
        const json_t *json = json_array_get(list, i);
        firn_column_diff *column = &out->columns[i];
        *column = (firn_column_diff){
            .field_id = (int32_t)count_of(json, "field-id"),
            .name = text_or_empty(arena, json, "name"),
            .from = text_of(arena, json, "from"),
            .to = text_of(arena, json, "to"),
        };
        column->what = (__typeof__(column->what))index_of(json, "change", WHATS, 7);
    }
}

static void add_properties(firn_arena *arena, const json_t *list, firn_table_diff *out)
{
    out->n_properties = json_array_size(list);
    out->properties = FIRN_NEW_N(arena, firn_property_diff, out->n_properties);
    for (size_t i = 0; i < out->n_properties; i++) {
        const json_t *json = json_array_get(list, i);
        out->properties[i] = (firn_property_diff){
            .key = text_or_empty(arena, json, "key"),
            .from = text_of(arena, json, "from"),
            .to = text_of(arena, json, "to"),
        };
    }
}

static firn_table_diff table_diff_of(firn_arena *arena, const json_t *json)
{
    const json_t *rows = json_object_get(json, "rows"), *files = json_object_get(json, "files");
    const json_t *partitioning = json_object_get(json, "partitioning");
    const json_t *order = json_object_get(json, "sort-order");
    const json_t *version = json_object_get(json, "format-version");
    int64_t version_from = count_of(version, "from"), version_to = count_of(version, "to");
    firn_table_diff out = {
        .diff = diff_of(arena, json),
        .problem = text_of(arena, json, "problem"),
        .rows_from = count_of(rows, "from"),
        .rows_to = count_of(rows, "to"),
        .rows_added = count_of(rows, "added"),
        .rows_removed = count_of(rows, "removed"),
        .files_from = count_of(files, "from"),
        .files_to = count_of(files, "to"),
        .diverged = json_is_true(json_object_get(json, "diverged")),
        .partitioning_from = text_of(arena, partitioning, "from"),
        .partitioning_to = text_of(arena, partitioning, "to"),
        .order_from = text_of(arena, order, "from"),
        .order_to = text_of(arena, order, "to"),
        .version_from = version_from > 0 ? (int)version_from : 0,
        .version_to = version_to > 0 ? (int)version_to : 0,
    };
    add_snapshots(arena, json_object_get(json, "snapshots"), &out);
    add_columns(arena, json_object_get(json, "columns"), &out);
    add_properties(arena, json_object_get(json, "properties"), &out);
    return out;
}

firn_rc firn_remote_api_diff(firn_catalog *catalog, firn_arena *arena, const char *root,
                             const char *from, const char *to, firn_table_diff **out, size_t *n,
                             firn_err *err)
{
    json_t *json;
    const api_call call = {
        .catalog = catalog,
        .arena = arena,
        .root = root,
        .method = "GET",
        .path = firn_arena_printf(arena, "diff?from=%s&to=%s&detail=true",
                                  firn_url_encode(arena, from ? from : FIRN_MAIN),
                                  firn_url_encode(arena, to ? to : FIRN_MAIN)),
        .what = "cannot compare",
    };
    FIRN_TRY(ask(&call, &json, NULL, err));
    const json_t *list = json_object_get(json, "changes");
    *n = json_array_size(list);
    *out = FIRN_NEW_N(arena, firn_table_diff, *n);
    for (size_t i = 0; i < *n; i++) {
        (*out)[i] = table_diff_of(arena, json_array_get(list, i));
    }
    return FIRN_OK;
}

/* ---- merge and cherry-pick -------------------------------------------------------------------- */

static json_t *merge_body(firn_arena *arena, const firn_merge_options *options)
{
    static const char *const NAMES[] = {"normal", "force", "drop"};
    static const firn_merge_options NOTHING;
    const firn_merge_options *o = options ? options : &NOTHING;
    json_t *keys = json_array();
    for (size_t i = 0; i < o->n_keys; i++) {
        const firn_merge_key *key = &o->keys[i];
        bool is_ns = !key->ident.name || !key->ident.name[0];
        json_array_append_new(keys, json_pack("{s:o, s:s?, s:s}", "namespace",
                                              firn_remote_ns_json(arena, key->ident.ns), "name",
                                              is_ns ? NULL : key->ident.name, "behaviour",
                                              NAMES[key->behaviour]));
    }
    return firn_json_own(arena,
                         json_pack("{s:b, s:s?, s:s?, s:s?, s:s, s:o}", "dry-run", o->dry_run,
                                   "message", o->info.message, "expected-from", o->expected_from,
                                   "expected-into", o->expected_into, "default-behaviour",
                                   NAMES[o->default_behaviour], "keys", keys));
}

static const char *key_of(firn_arena *arena, const firn_merge_options *options)
{
    return options && options->info.idempotency_key ? options->info.idempotency_key
                                                    : firn_uuid_new(arena);
}

static firn_diff *diffs_of(firn_arena *arena, const json_t *list, const firn_merge_how **how,
                           size_t *n)
{
    static const char *const HOWS[] = {"taken", "replayed", "forced"};
    *n = json_array_size(list);
    firn_diff *diffs = FIRN_NEW_N(arena, firn_diff, *n);
    firn_merge_how *hows = FIRN_NEW_N(arena, firn_merge_how, *n);
    for (size_t i = 0; i < *n; i++) {
        diffs[i] = diff_of(arena, json_array_get(list, i));
        hows[i] = (firn_merge_how)index_of(json_array_get(list, i), "how", HOWS, 3);
    }
    *how = hows;
    return diffs;
}

static firn_conflict_type conflict_type_of(const json_t *json)
{
    const char *text = json_string_value(json_object_get(json, "type"));
    for (int type = 0; text && type <= FIRN_CONFLICT_KEY_CONFLICT; type++) {
        if (firn_streq(text, firn_conflict_name((firn_conflict_type)type))) {
            return (firn_conflict_type)type;
        }
    }
    return FIRN_CONFLICT_VALUE_DIFFERS;
}

static firn_merge_conflict *conflicts_of(firn_arena *arena, const json_t *json, size_t *n)
{
    const json_t *list = json_object_get(json, "conflicts");
    *n = json_array_size(list);
    firn_merge_conflict *out = FIRN_NEW_N(arena, firn_merge_conflict, *n);
    for (size_t i = 0; i < *n; i++) {
        const json_t *one = json_array_get(list, i);
        out[i] = (firn_merge_conflict){
            .ident = ident_of(arena, one),
            .kind = (firn_entry_kind)index_of(one, "kind", KINDS, 3),
            .type = conflict_type_of(one),
            .cause = text_or_empty(arena, one, "cause"),
            .advice = text_or_empty(arena, one, "advice"),
            .commit_id = text_of(arena, one, "commit"),
        };
        out[i].details = texts_of(arena, json_object_get(one, "details"), &out[i].n_details);
    }
    return out;
}

static firn_rc refused(const json_t *json, const char *what, firn_err *err)
{
    const char *message =
        json_string_value(json_object_get(json_object_get(json, "error"), "message"));
    FIRN_FAIL(err, FIRN_E_VALIDATION, "%s", message ? message : what);
}

firn_rc firn_remote_api_merge(firn_catalog *catalog, firn_arena *arena, const char *root,
                              const char *from, const char *into, const firn_merge_options *options,
                              firn_merge_result *out, firn_err *err)
{
    json_t *body = merge_body(arena, options), *json;
    bool conflicts;
    json_object_set_new(body, "from", json_string(from));
    json_object_set_new(body, "into", json_string(into ? into : FIRN_MAIN));
    const api_call call = {.catalog = catalog,
                           .arena = arena,
                           .root = root,
                           .method = "POST",
                           .path = "merge",
                           .body = body,
                           .key = key_of(arena, options),
                           .what = firn_arena_printf(arena, "cannot merge %s", from)};
    FIRN_TRY(ask(&call, &json, &conflicts, err));
    *out = (firn_merge_result){
        .commit_id = text_of(arena, json, "commit"),
        .from_commit = text_of(arena, json, "from-commit"),
        .into_commit = text_of(arena, json, "into-commit"),
        .base_commit = text_of(arena, json, "base-commit"),
        .fast_forward = json_is_true(json_object_get(json, "fast-forward")),
    };
    const firn_merge_how *ignored;
    out->merged = diffs_of(arena, json_object_get(json, "changes"), &out->how, &out->n_merged);
    out->skipped = diffs_of(arena, json_object_get(json, "skipped"), &ignored, &out->n_skipped);
    out->conflicts = conflicts_of(arena, json, &out->n_conflicts);
    for (size_t i = 0; i < out->n_merged; i++) {
        out->n_replayed += out->how[i] == FIRN_MERGED_REPLAYED;
    }
    return conflicts ? refused(json, call.what, err) : FIRN_OK;
}

firn_rc firn_remote_api_cherry_pick(firn_catalog *catalog, firn_arena *arena, const char *root,
                                    const char *const *commits, size_t n, const char *into,
                                    const firn_merge_options *options, firn_pick_result *out,
                                    firn_err *err)
{
    json_t *body = merge_body(arena, options), *json, *ids = json_array();
    bool conflicts;
    for (size_t i = 0; i < n; i++) {
        json_array_append_new(ids, json_string(commits[i]));
    }
    json_object_set_new(body, "commits", ids);
    json_object_set_new(body, "into", json_string(into ? into : FIRN_MAIN));
    json_object_del(body, "expected-from");
    const api_call call = {.catalog = catalog,
                           .arena = arena,
                           .root = root,
                           .method = "POST",
                           .path = "cherry-pick",
                           .body = body,
                           .key = key_of(arena, options),
                           .what = "cannot pick the commits"};
    FIRN_TRY(ask(&call, &json, &conflicts, err));
    const json_t *list = json_object_get(json, "picked");
    *out = (firn_pick_result){
        .into_commit = text_of(arena, json, "into-commit"),
        .commit_id = text_of(arena, json, "commit"),
        .n_picked = json_array_size(list),
        .picked = FIRN_NEW_N(arena, firn_picked, json_array_size(list)),
    };
    for (size_t i = 0; i < out->n_picked; i++) {
        const json_t *one = json_array_get(list, i);
        firn_picked *picked = &out->picked[i];
        picked->source_id = text_or_empty(arena, one, "source");
        picked->commit_id = text_of(arena, one, "commit");
        picked->changed =
            diffs_of(arena, json_object_get(one, "changes"), &picked->how, &picked->n_changed);
    }
    out->conflicts = conflicts_of(arena, json, &out->n_conflicts);
    return conflicts ? refused(json, call.what, err) : FIRN_OK;
}
