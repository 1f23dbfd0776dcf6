/* Tables: create, load, check, drop, rename, register, unregister, and what clients report and ask beside. */
#include "handlers.h"

#include "base/log.h"

#include <inttypes.h>

enum { UNREGISTER_TRIES_MAX = 20 };

/* ---- functions ---------------------------------------------------------------------------------------------- */

/* There are no user-defined functions in a firn lake: the list is empty in every namespace that exists. */
firn_rc firn_rest_function_list(firn_call *call, firn_err *err)
{
    const char *ns;
    json_t *ignored;
    FIRN_TRY(firn_call_ns(call, &ns, err));
    firn_rc rc =
        firn_catalog_namespace_properties(call->catalog, call->arena, call->ref, ns, &ignored, err);
    if (rc != FIRN_OK) {
        return firn_call_explain(call, rc, (firn_ident){.ns = ns}, err);
    }
    firn_reply_json(call, 200, json_pack("{s:[], s:n}", "identifiers", "next-page-token"));
    return FIRN_OK;
}

/* ---- create ---------------------------------------------------------------------------------------------- */

/* The properties of the request, with the lake's format version where it names none. */
static firn_rc create_properties(firn_call *call, const json_t *body, const json_t **out,
                                 firn_err *err)
{
    json_t *given;
    FIRN_TRY(
        firn_call_bad(firn_json_opt_object(body, "properties", "the request", &given, err), err));
    const char *key;
    json_t *value;
    json_object_foreach(given, key, value)
    {
        if (!json_is_string(value)) {
            FIRN_FAIL(err, FIRN_E_INVALID, "table property \"%.100s\" must be text", key);
        }
    }
    json_t *properties = firn_json_own(call->arena, given ? json_copy(given) : json_object());
    if (!json_object_get(properties, "format-version")) {
        const char *version = firn_arena_printf(
            call->arena, "%" PRId64, firn_lake_config(call->server->lake)->format_version);
        json_object_set_new(properties, "format-version", json_string(version));
    }
    *out = properties;
    return FIRN_OK;
}

static firn_rc read_layout(firn_call *call, const json_t *body, firn_table_create *create,
                           firn_err *err)
{
    firn_schema *schema;
    firn_partition_spec *spec;
    firn_sort_order *order;
    json_t *spec_json, *order_json;
    FIRN_TRY(firn_schema_from_json(call->arena, json_object_get(body, "schema"), "the request",
                                   &schema, err));
    create->schema = schema;
    FIRN_TRY(firn_json_opt_object(body, "partition-spec", "the request", &spec_json, err));
    FIRN_TRY(firn_json_opt_object(body, "write-order", "the request", &order_json, err));
    if (spec_json) {
        FIRN_TRY(firn_partition_spec_from_json(call->arena, spec_json, "the request", &spec, err));
        create->spec = spec;
    }
    if (order_json) {
        FIRN_TRY(firn_sort_order_from_json(call->arena, order_json, "the request", &order, err));
        create->sort_order = order;
    }
    return FIRN_OK;
}

static const char *without_trailing_slash(firn_arena *arena, const char *location)
{
    size_t len = strlen(location);
    while (len > 1 && location[len - 1] == '/') {
        len--;
    }
    return firn_arena_strndup(arena, location, len);
}

/* The updates that make the table that the body describes. */
static firn_rc create_updates(firn_call *call, const json_t *body, firn_ident ident, json_t **out,
                              firn_err *err)
{
    firn_table_create create = {0};
    const char *location;
    FIRN_TRY(firn_call_bad(firn_json_opt_str(body, "location", "the request", NULL, &location, err),
                           err));
    if (location && location[0]) {
        create.location = without_trailing_slash(call->arena, location);
    } else {
        char *made;
        FIRN_TRY(firn_catalog_default_location(call->catalog, call->arena, ident, &made, err));
        create.location = made;
    }
    FIRN_TRY(create_properties(call, body, &create.properties, err));
    FIRN_TRY(firn_call_bad(read_layout(call, body, &create, err), err));
    FIRN_TRY(firn_call_bad(firn_table_create_updates(call->arena, &create, out, err), err));
    firn_json_own(call->arena, *out);
    return FIRN_OK;
}

/* Nothing is written: the client commits the table later, with the requirement assert-create. */
static firn_rc stage_create(firn_call *call, firn_ident ident, const json_t *updates, firn_err *err)
{
    firn_catalog_entry entry;
    json_t *ignored;
    firn_metadata *metadata;
    firn_rc rc = firn_catalog_namespace_properties(call->catalog, call->arena, call->ref, ident.ns,
                                                   &ignored, err);
    if (rc != FIRN_OK) {
        return firn_call_explain(call, rc, ident, err);
    }
    rc = firn_catalog_entry_get(call->catalog, call->arena, call->ref, ident, &entry, err);
    if (rc == FIRN_OK) {
        return firn_call_explain_exists(call, call->ref, FIRN_KIND_TABLE, ident, err);
    }
    if (rc != FIRN_E_NO_TABLE) {
        return rc;
    }
    firn_update_options options = {0};
    FIRN_TRY(firn_updates_apply(call->arena, NULL, updates, &options, &metadata, err));
    return firn_reply_table(call, call->ref, NULL, metadata, err);
}

firn_rc firn_rest_table_create(firn_call *call, firn_err *err)
{
    json_t *body, *updates;
    bool staged;
    firn_change change = {.kind = FIRN_CHANGE_CREATE_TABLE};
    FIRN_TRY(firn_call_ns(call, &change.ident.ns, err));
    FIRN_TRY(firn_call_body(call, &body, err));
    FIRN_TRY(
        firn_call_bad(firn_json_str(body, "name", "the request", &change.ident.name, err), err));
    FIRN_TRY(firn_call_bad(
        firn_json_opt_bool(body, "stage-create", "the request", false, &staged, err), err));
    FIRN_TRY(create_updates(call, body, change.ident, &updates, err));
    if (staged) {
        return stage_create(call, change.ident, updates, err);
    }
    firn_commit_result result;
    change.updates = updates;
    FIRN_TRY(firn_call_commit(call, call->ref, &change, 1, &result, err));
    return firn_reply_table_at(call, call->ref, result.locations[0], err);
}

/* ---- load ------------------------------------------------------------------------------------------------ */

static firn_rc check_snapshots_mode(const firn_call *call, firn_err *err)
{
    const char *mode = firn_call_query(call, "snapshots");
    if (mode && mode[0] && !firn_strcaseeq(mode, "all") && !firn_strcaseeq(mode, "refs")) {
        FIRN_FAIL(err, FIRN_E_INVALID, "snapshots is \"%.50s\", but must be all or refs", mode);
    }
    return FIRN_OK;
}

/* The entry of the path's table, which must be a table. */
static firn_rc need_table(firn_call *call, const char **ref, firn_catalog_entry *entry,
                          firn_err *err)
{
    firn_ident ident;
    FIRN_TRY(firn_call_ident_at(call, "table", ref, &ident, err));
    firn_rc rc = firn_catalog_entry_get(call->catalog, call->arena, *ref, ident, entry, err);
    if (rc == FIRN_OK && entry->kind != FIRN_KIND_TABLE) {
        FIRN_FAIL(err, FIRN_E_NO_TABLE, "Table does not exist: %s (it is a view)",
                  firn_ident_text(call->arena, ident));
    }
    return rc == FIRN_OK ? rc : firn_call_explain(call, rc, ident, err);
}

/* The cache may still know a file that somebody took away; the table is broken all the same, and the client should hear it. */
static firn_rc check_metadata_file(const firn_call *call, const char *location, firn_err *err)
{
    int64_t size;
    firn_rc rc = firn_storage_size(firn_catalog_storage(call->catalog), location, &size, err);
    if (rc == FIRN_E_NOT_FOUND) {
        FIRN_FAIL(err, rc, "Failed to open input stream for file: %s", location);
    }
    return rc;
}

firn_rc firn_rest_table_load(firn_call *call, firn_err *err)
{
    const char *ref;
    firn_catalog_entry entry;
    FIRN_TRY(check_snapshots_mode(call, err));
    FIRN_TRY(need_table(call, &ref, &entry, err));
    FIRN_TRY(check_metadata_file(call, entry.location, err));
    if (firn_reply_not_modified(call, ref, &entry)) {
        return FIRN_OK;
    }
    firn_rc rc = firn_reply_table_at(call, ref, entry.location, err);
    return rc == FIRN_OK ? rc
                         : firn_err_wrap(err, rc, "cannot load table %s",
                                         firn_ident_text(call->arena, entry.ident));
}

firn_rc firn_rest_table_exists(firn_call *call, firn_err *err)
{
    const char *ref;
    firn_catalog_entry entry;
    FIRN_TRY(need_table(call, &ref, &entry, err));
    firn_reply_empty(call, 204);
    return FIRN_OK;
}

/* A local warehouse needs no credentials: clients reach the files as this machine's users do. */
firn_rc firn_rest_table_credentials(firn_call *call, firn_err *err)
{
    const char *ref;
    firn_catalog_entry entry;
    FIRN_TRY(need_table(call, &ref, &entry, err));
    firn_reply_json(call, 200, json_pack("{s:[]}", "storage-credentials"));
    return FIRN_OK;
}

firn_rc firn_rest_table_metrics(firn_call *call, firn_err *err)
{
    const char *ref;
    firn_catalog_entry entry;
    json_t *body;
    const char *type;
    FIRN_TRY(firn_call_body(call, &body, err));
    FIRN_TRY(firn_call_bad(firn_json_str(body, "report-type", "the report", &type, err), err));
    FIRN_TRY(need_table(call, &ref, &entry, err));
    firn_log(FIRN_LOG_INFO, "serve", "%.40s of %s on %s: snapshot %" PRId64, type,
             firn_ident_text(call->arena, entry.ident), ref,
             (int64_t)json_integer_value(json_object_get(body, "snapshot-id")));
    firn_reply_empty(call, 204);
    return FIRN_OK;
}

/* ---- drop, rename ------------------------------------------------------------------------------------------ */

/* With its files, but for those that another branch or tag needs: then only the name goes. */
static firn_rc purge_table(firn_call *call, const char *ref, const firn_change *change,
                           firn_err *err)
{
    firn_purge_result result;
    const char *text = firn_ident_text(call->arena, change->ident);
    firn_commit_info info = {
        .author = call->author,
        .message = firn_arena_printf(call->arena, "drop table %s", text),
        .queue = true,
        .idempotency_key = call->idempotency_key,
        .idempotency_fingerprint = call->fingerprint,
    };
    firn_rc rc = firn_catalog_table_purge(call->catalog, call->arena, ref, change->ident, &info,
                                          &result, err);
    if (rc != FIRN_OK) {
        return firn_call_explain_commit(call, rc, ref, change, 1, err);
    }
    call->committed = result.commit_id != NULL;
    if (result.kept) {
        firn_log(FIRN_LOG_INFO, "serve", "%s was dropped on %s; its files stay: %s", text, ref,
                 result.kept);
    } else {
        firn_log(FIRN_LOG_INFO, "serve", "%s was dropped on %s with %zu files; %zu stay", text, ref,
                 result.deleted, result.left);
    }
    return FIRN_OK;
}

firn_rc firn_rest_table_drop(firn_call *call, firn_err *err)
{
    const char *ref;
    bool purge;
    firn_change change = {.kind = FIRN_CHANGE_DROP_TABLE};
    FIRN_TRY(firn_call_query_bool(call, "purgeRequested", &purge, err));
    FIRN_TRY(firn_call_ident_at(call, "table", &ref, &change.ident, err));
    if (purge) {
        FIRN_TRY(purge_table(call, ref, &change, err));
    } else {
        FIRN_TRY(firn_call_commit(call, ref, &change, 1, NULL, err));
    }
    firn_reply_empty(call, 204);
    return FIRN_OK;
}

firn_rc firn_rest_table_rename(firn_call *call, firn_err *err)
{
    json_t *body;
    const char *ref;
    firn_change change = {.kind = FIRN_CHANGE_RENAME_TABLE};
    FIRN_TRY(firn_call_body(call, &body, err));
    FIRN_TRY(firn_call_ident_of_json(call, json_object_get(body, "source"), &change.ident, err));
    FIRN_TRY(firn_call_ident_of_json(call, json_object_get(body, "destination"), &change.to, err));
    FIRN_TRY(firn_call_resolve_at(call, &ref, &change.ident, err));
    FIRN_TRY(firn_call_commit(call, ref, &change, 1, NULL, err));
    firn_reply_empty(call, 204);
    return FIRN_OK;
}

/* ---- register, unregister --------------------------------------------------------------------------------- */

firn_rc firn_rest_table_register(firn_call *call, firn_err *err)
{
    json_t *body;
    firn_metadata *metadata;
    firn_change change = {.kind = FIRN_CHANGE_REGISTER_TABLE};
    FIRN_TRY(firn_call_ns(call, &change.ident.ns, err));
    FIRN_TRY(firn_call_body(call, &body, err));
    FIRN_TRY(
        firn_call_bad(firn_json_str(body, "name", "the request", &change.ident.name, err), err));
    FIRN_TRY(firn_call_bad(
        firn_json_str(body, "metadata-location", "the request", &change.location, err), err));
    FIRN_TRY(firn_call_bad(
        firn_json_opt_bool(body, "overwrite", "the request", false, &change.replace, err), err));
    FIRN_TRY(firn_call_check_locations(call, call->ref, &change, 1, err));
    /* Looked at first, because a file that is no metadata is the request's fault and not the server's. */
    FIRN_TRY(firn_call_bad(
        firn_catalog_metadata_at(call->catalog, call->arena, change.location, &metadata, err),
        err));
    FIRN_TRY(firn_call_commit(call, call->ref, &change, 1, NULL, err));
    return firn_reply_table(call, call->ref, change.location, metadata, err);
}

/* What is answered must be the last state: the drop is for exactly the file that was read, and starts over when it was not. */
firn_rc firn_rest_table_unregister(firn_call *call, firn_err *err)
{
    firn_rc rc = FIRN_OK;
    firn_catalog_entry entry;
    for (int i = 0; i < UNREGISTER_TRIES_MAX; i++) {
        const char *ref;
        FIRN_TRY(need_table(call, &ref, &entry, err));
        firn_change change = {.kind = FIRN_CHANGE_DROP_TABLE,
                              .ident = entry.ident,
                              .expected_location = entry.location};
        rc = firn_call_commit(call, ref, &change, 1, NULL, err);
        if (rc != FIRN_E_CONFLICT) {
            break;
        }
    }
    FIRN_TRY(rc);
    call->keep_answer = true;
    return firn_reply_table_at(call, call->ref, entry.location, err);
}
