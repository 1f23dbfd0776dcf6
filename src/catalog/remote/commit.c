/* Changes as requests of the REST protocol: one change is one request; several changes of tables are one transaction, if the
 * server has that, and otherwise refused, because one after the other would not be one commit.
 *
 *   request -> 2xx                 done
 *           -> 4xx                 known failure
 *           -> not sent            known failure, IO
 *           -> 5xx, answer lost    unknown: settle.c looks at what is there now
 *
 * With an idempotency key (if the server takes them) a request is sent again until it is answered.
 * Fault points: "catalog.commit.before" (nothing is sent), "catalog.commit.after" (the answer is lost).
 */
#include "remote/remote.h"

#include "base/uuid.h"
#include "iceberg/update.h"
#include "net/http.h"

typedef struct request {
    firn_catalog *catalog;
    const firn_remote_config *config;
    firn_arena *arena;
    const char *ref;
    const firn_change *changes;
    size_t n;
    json_t **requirements; /* of each UPDATE_TABLE, as sent */
    firn_remote_endpoint endpoint;
    firn_remote_call call;
    firn_rc missing;
    const char *what;
} request;

/* ---- tables ----------------------------------------------------------------------------------- */

static bool has_requirement(const json_t *requirements, const char *type, const char *ref)
{
    for (size_t i = 0; i < json_array_size(requirements); i++) {
        const json_t *r = json_array_get(requirements, i);
        const char *its_type = json_string_value(json_object_get(r, "type"));
        const char *its_ref = json_string_value(json_object_get(r, "ref"));
        if (its_type && firn_streq(its_type, type) &&
            (!ref || (its_ref && firn_streq(its_ref, ref)))) {
            return true;
        }
    }
    return false;
}

static void expect_number(json_t *requirements, const char *type, const char *key, int64_t value)
{
    if (!has_requirement(requirements, type, NULL)) {
        json_array_append_new(requirements,
                              json_pack("{s:s, s:I}", "type", type, key, (json_int_t)value));
    }
}

static void expect_ref(json_t *requirements, const char *name, int64_t snapshot_id)
{
    if (!has_requirement(requirements, "assert-ref-snapshot-id", name)) {
        firn_require_ref(requirements, name, snapshot_id);
    }
}

void firn_remote_expect(json_t *requirements, const firn_metadata *base)
{
    if (base->table_uuid && !has_requirement(requirements, "assert-table-uuid", NULL)) {
        firn_require_uuid(requirements, base->table_uuid);
    }
    const firn_snapshot *current = base->current_snapshot;
    expect_ref(requirements, FIRN_MAIN, current ? current->snapshot_id : -1);
    for (size_t i = 0; i < base->n_refs; i++) {
        expect_ref(requirements, base->refs[i].name, base->refs[i].snapshot_id);
    }
    expect_number(requirements, "assert-last-assigned-field-id", "last-assigned-field-id",
                  base->last_column_id);
    expect_number(requirements, "assert-current-schema-id", "current-schema-id",
                  base->schema->schema_id);
    if (json_object_get(base->json, "last-partition-id")) {
        expect_number(requirements, "assert-last-assigned-partition-id",
                      "last-assigned-partition-id", base->last_partition_id);
    }
    expect_number(requirements, "assert-default-spec-id", "default-spec-id", base->spec->spec_id);
    if (json_object_get(base->json, "default-sort-order-id") && base->sort_order) {
        expect_number(requirements, "assert-default-sort-order-id", "default-sort-order-id",
                      base->sort_order->order_id);
    }
}

static firn_rc moved(firn_arena *arena, firn_ident ident, firn_err *err)
{
    FIRN_FAIL(err, FIRN_E_CONFLICT,
              "%s changed while it was being changed here: reload it and try again",
              firn_ident_text(arena, ident));
}

/* The requirements to send with the i-th change, an UPDATE_TABLE. */
static firn_rc requirements_of(request *r, size_t i, firn_err *err)
{
    const firn_change *change = &r->changes[i];
    json_t *list = firn_json_own(
        r->arena, change->requirements ? json_copy((json_t *)change->requirements) : json_array());
    const firn_metadata *expected = change->expected;
    if (!expected && change->expected_location) {
        firn_table now;
        FIRN_TRY(firn_remote_table_load(r->catalog, r->arena, r->ref, change->ident, &now, err));
        if (!firn_streq(now.entry.location, change->expected_location)) {
            return moved(r->arena, change->ident, err);
        }
        expected = now.metadata;
    }
    if (expected) {
        firn_remote_expect(list, expected);
    }
    r->requirements[i] = list;
    return FIRN_OK;
}

/* ---- parts that are there already ------------------------------------------------------------- */

/* What is added, what then becomes the current one by "-1", and where a base keeps what it has. */
static const struct part_kind {
    const char *add, *member, *set, *set_key, *list, *id_key;
} PART_KINDS[] = {
    {"add-schema", "schema", "set-current-schema", "schema-id", "schemas", "schema-id"},
    {"add-spec", "spec", "set-default-spec", "spec-id", "partition-specs", "spec-id"},
    {"add-sort-order", "sort-order", "set-default-sort-order", "sort-order-id", "sort-orders",
     "order-id"},
};

static bool same_field(const json_t *a, const json_t *b, bool is_spec)
{
    static const char *const SPEC_KEYS[] = {"source-id", "transform", "name"};
    if (!is_spec) {
        return json_equal(a, b);
    }
    for (size_t i = 0; i < 3; i++) {
        if (!json_equal(json_object_get(a, SPEC_KEYS[i]), json_object_get(b, SPEC_KEYS[i]))) {
            return false;
        }
    }
    return true;
}

static bool same_part(const json_t *a, const json_t *b, bool is_spec)
{
    const json_t *left = json_object_get(a, "fields"), *right = json_object_get(b, "fields");
    bool same = json_array_size(left) == json_array_size(right);
    for (size_t i = 0; same && i < json_array_size(left); i++) {
        same = same_field(json_array_get(left, i), json_array_get(right, i), is_spec);
    }
    const json_t *keys = json_object_get(a, "identifier-field-ids");
    const json_t *other_keys = json_object_get(b, "identifier-field-ids");
    return same && ((json_array_size(keys) == 0 && json_array_size(other_keys) == 0) ||
                    json_equal(keys, other_keys));
}

static const json_t *find_part(const json_t *base, const struct part_kind *kind,
                               const json_t *added)
{
    const json_t *list = json_object_get(base, kind->list);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *part = json_array_get(list, i);
        if (same_part(part, added, firn_streq(kind->member, "spec"))) {
            return json_object_get(part, kind->id_key);
        }
    }
    return NULL;
}

static bool is_action(const json_t *update, const char *action)
{
    const char *its = json_string_value(json_object_get(update, "action"));
    return its && firn_streq(its, action);
}

/* What is added, under an id that the base does not use: some servers go by the id that they are given. */
static json_t *with_free_id(firn_arena *arena, json_t *update, const struct part_kind *kind,
                            const firn_metadata *base, json_int_t *last)
{
    const json_t *list = json_object_get(base->json, kind->list);
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_int_t id = json_integer_value(json_object_get(json_array_get(list, i), kind->id_key));
        *last = id > *last ? id : *last;
    }
    json_t *part = json_object_get(update, kind->member);
    const json_t *id = json_object_get(part, kind->id_key);
    if (json_integer_value(id) > *last) {
        *last = json_integer_value(id);
        return update;
    }
    json_t *copy = firn_json_own(arena, json_copy(update));
    json_t *part_copy = json_copy(part);
    json_object_set_new(part_copy, kind->id_key, json_integer(++*last));
    json_object_set_new(copy, kind->member, part_copy);
    return copy;
}

/* The updates without adding what the base has already: servers take "-1" for what this very commit has added, and refuse it
 * after an addition that came to nothing. A schema that brings new column ids with it is added in any case. */
static json_t *without_repeats(firn_arena *arena, const json_t *updates, const firn_metadata *base)
{
    json_t *out = firn_json_own(arena, json_array());
    const json_t *there[sizeof(PART_KINDS) / sizeof(PART_KINDS[0])] = {NULL};
    json_int_t last_ids[sizeof(PART_KINDS) / sizeof(PART_KINDS[0])] = {0};
    for (size_t i = 0; i < json_array_size(updates); i++) {
        json_t *update = json_array_get(updates, i);
        bool skip = false;
        for (size_t k = 0; k < sizeof(PART_KINDS) / sizeof(PART_KINDS[0]); k++) {
            const struct part_kind *kind = &PART_KINDS[k];
            const json_t *last = json_object_get(update, "last-column-id");
            if (is_action(update, kind->add)) {
                bool grows =
                    json_is_integer(last) && json_integer_value(last) > base->last_column_id;
                there[k] = grows
                               ? NULL
                               : find_part(base->json, kind, json_object_get(update, kind->member));
                skip = there[k] != NULL;
                if (!skip) {
                    update = with_free_id(arena, update, kind, base, &last_ids[k]);
                }
            }
            if (is_action(update, kind->set) && there[k] &&
                json_integer_value(json_object_get(update, kind->set_key)) == -1) {
                json_array_append_new(out, json_pack("{s:s, s:I}", "action", kind->set,
                                                     kind->set_key, json_integer_value(there[k])));
                skip = true;
            }
        }
        if (!skip) {
            json_array_append(out, update);
        }
    }
    return out;
}

static firn_rc table_change_json(request *r, size_t i, json_t **out, firn_err *err)
{
    const firn_change *change = &r->changes[i];
    json_t *updates = (json_t *)change->updates;
    if (change->expected) {
        updates = without_repeats(r->arena, updates, change->expected);
    }
    if (change->kind == FIRN_CHANGE_CREATE_TABLE) {
        r->requirements[i] = firn_json_own(r->arena, json_array());
        firn_require_create(r->requirements[i]);
    } else {
        FIRN_TRY(requirements_of(r, i, err));
    }
    *out =
        firn_json_own(r->arena, json_pack("{s:o, s:O, s:O}", "identifier",
                                          firn_remote_ident_json(r->arena, change->ident),
                                          "requirements", r->requirements[i], "updates", updates));
    return FIRN_OK;
}

static firn_rc commit_request(request *r, firn_err *err)
{
    json_t *body;
    FIRN_TRY(table_change_json(r, 0, &body, err));
    r->endpoint = FIRN_REMOTE_TABLE_COMMIT;
    r->call = (firn_remote_call){
        .method = "POST",
        .path = firn_remote_path(r->config, r->arena, r->changes[0].ident, "tables"),
        .body = body};
    return FIRN_OK;
}

static firn_rc transaction_request(request *r, firn_err *err)
{
    json_t *list = firn_json_own(r->arena, json_array());
    for (size_t i = 0; i < r->n; i++) {
        json_t *one;
        FIRN_TRY(table_change_json(r, i, &one, err));
        json_array_append(list, one);
    }
    r->endpoint = FIRN_REMOTE_TRANSACTION;
    r->call = (firn_remote_call){
        .method = "POST",
        .path = "transactions/commit",
        .body = firn_json_own(r->arena, json_pack("{s:O}", "table-changes", list))};
    return FIRN_OK;
}

/* ---- views ------------------------------------------------------------------------------------ */

static json_t *by_id(const json_t *list, const char *key, json_int_t id)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *item = json_array_get(list, i);
        if (json_integer_value(json_object_get(item, key)) == id) {
            return item;
        }
    }
    return NULL;
}

static firn_rc parts_of_view(const json_t *document, json_t **version, json_t **schema,
                             firn_err *err)
{
    json_int_t id = json_integer_value(json_object_get(document, "current-version-id"));
    *version = by_id(json_object_get(document, "versions"), "version-id", id);
    json_int_t schema_id = json_integer_value(json_object_get(*version, "schema-id"));
    *schema = by_id(json_object_get(document, "schemas"), "schema-id", schema_id);
    if (!*version || !*schema) {
        FIRN_FAIL(err, FIRN_E_INVALID, "the view's document lacks its current version or schema");
    }
    return FIRN_OK;
}

static json_t *create_view_body(request *r, json_t *schema, json_t *version, json_t *properties,
                                const char *location)
{
    json_t *body = firn_json_own(
        r->arena, json_pack("{s:s, s:O, s:O, s:O?}", "name", r->changes[0].ident.name, "schema",
                            schema, "view-version", version, "properties", properties));
    if (!properties || json_is_null(json_object_get(body, "properties"))) {
        json_object_set_new(body, "properties", json_object());
    }
    if (location) {
        json_object_set_new(body, "location", json_string(location));
    }
    return body;
}

static void create_view_call(request *r, json_t *body)
{
    r->endpoint = FIRN_REMOTE_VIEW_CREATE;
    r->missing = FIRN_E_NO_NAMESPACE;
    r->call = (firn_remote_call){
        .method = "POST",
        .path = firn_arena_printf(r->arena, "namespaces/%s/views",
                                  firn_remote_ns_path(r->config, r->arena, r->changes[0].ident.ns)),
        .body = body};
}

static void replace_view_call(request *r, json_t *requirements, json_t *updates)
{
    r->endpoint = FIRN_REMOTE_VIEW_REPLACE;
    r->missing = FIRN_E_NO_VIEW;
    r->call = (firn_remote_call){
        .method = "POST",
        .path = firn_remote_path(r->config, r->arena, r->changes[0].ident, "views"),
        .body =
            firn_json_own(r->arena, json_pack("{s:o, s:O, s:O}", "identifier",
                                              firn_remote_ident_json(r->arena, r->changes[0].ident),
                                              "requirements", requirements, "updates", updates))};
}

static void add_property_updates(json_t *updates, const json_t *was, const json_t *now)
{
    json_t *set = json_object(), *removed = json_array();
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)now, key, value)
    {
        if (!json_equal(json_object_get(was, key), value)) {
            json_object_set(set, key, value);
        }
    }
    json_object_foreach((json_t *)was, key, value)
    {
        if (!json_object_get(now, key)) {
            json_array_append_new(removed, json_string(key));
        }
    }
    if (json_object_size(set) > 0) {
        json_array_append_new(updates,
                              json_pack("{s:s, s:O}", "action", "set-properties", "updates", set));
    }
    if (json_array_size(removed) > 0) {
        json_array_append_new(
            updates, json_pack("{s:s, s:O}", "action", "remove-properties", "removals", removed));
    }
    json_decref(set);
    json_decref(removed);
}

/* At any depth: every "id" of a schema is a field's, and so are "element-id", "key-id" and "value-id". */
static json_int_t highest_field_id(const json_t *json)
{
    json_int_t highest = 0, one;
    const char *key;
    json_t *value;
    for (size_t i = 0; i < json_array_size(json); i++) {
        one = highest_field_id(json_array_get(json, i));
        highest = one > highest ? one : highest;
    }
    json_object_foreach((json_t *)json, key, value)
    {
        bool is_id =
            json_is_integer(value) && firn_ends_with(key, "id") && !firn_streq(key, "schema-id");
        one = is_id ? json_integer_value(value) : highest_field_id(value);
        highest = one > highest ? one : highest;
    }
    return highest;
}

static firn_rc replace_view_request(request *r, firn_err *err)
{
    const firn_change *change = &r->changes[0];
    firn_catalog_entry entry;
    json_t *was, *version, *schema;
    FIRN_TRY(firn_remote_view_load(r->catalog, r->arena, r->ref, change->ident, &entry, &was, err));
    if (change->expected_location && !firn_streq(change->expected_location, entry.location)) {
        return moved(r->arena, change->ident, err);
    }
    FIRN_TRY(parts_of_view(change->document, &version, &schema, err));
    json_t *updates = firn_json_own(r->arena, json_array());
    add_property_updates(updates, json_object_get(was, "properties"),
                         json_object_get(change->document, "properties"));
    json_int_t was_id = json_integer_value(json_object_get(was, "current-version-id"));
    if (was_id != json_integer_value(json_object_get(version, "version-id"))) {
        json_t *mine = json_copy(version);
        json_object_set_new(mine, "schema-id", json_integer(-1));
        json_array_append_new(updates,
                              json_pack("{s:s, s:O, s:I}", "action", "add-schema", "schema", schema,
                                        "last-column-id", highest_field_id(schema)));
        json_array_append_new(
            updates, json_pack("{s:s, s:o}", "action", "add-view-version", "view-version", mine));
        json_array_append_new(updates, json_pack("{s:s, s:i}", "action", "set-current-view-version",
                                                 "view-version-id", -1));
    }
    json_t *requirements = firn_json_own(r->arena, json_array());
    if (entry.content_id[0]) {
        json_array_append_new(requirements, json_pack("{s:s, s:s}", "type", "assert-view-uuid",
                                                      "uuid", entry.content_id));
    }
    replace_view_call(r, requirements, updates);
    return FIRN_OK;
}

static firn_rc put_view_request(request *r, firn_err *err)
{
    const firn_change *change = &r->changes[0];
    json_t *version, *schema;
    if (change->replace) {
        return replace_view_request(r, err);
    }
    FIRN_TRY(parts_of_view(change->document, &version, &schema, err));
    create_view_call(
        r, create_view_body(r, schema, version, json_object_get(change->document, "properties"),
                            json_string_value(json_object_get(change->document, "location"))));
    return FIRN_OK;
}

static json_t *of_update(const json_t *updates, const char *action, const char *key)
{
    for (size_t i = json_array_size(updates); i > 0; i--) {
        const json_t *update = json_array_get(updates, i - 1);
        const char *its = json_string_value(json_object_get(update, "action"));
        if (its && firn_streq(its, action)) {
            return json_object_get(update, key);
        }
    }
    return NULL;
}

static firn_rc create_view_request(request *r, firn_err *err)
{
    const json_t *updates = r->changes[0].updates;
    json_t *version = of_update(updates, "add-view-version", "view-version");
    json_t *schema = of_update(updates, "add-schema", "schema");
    if (!version || !schema) {
        FIRN_FAIL(err, FIRN_E_INVALID, "a new view needs a version and a schema");
    }
    create_view_call(
        r, create_view_body(r, schema, version, of_update(updates, "set-properties", "updates"),
                            json_string_value(of_update(updates, "set-location", "location"))));
    return FIRN_OK;
}

/* ---- the other changes ------------------------------------------------------------------------ */

static firn_rc check_expected(const request *r, firn_err *err)
{
    const firn_change *change = &r->changes[0];
    firn_catalog_entry entry;
    if (!change->expected_location) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_remote_entry_get(r->catalog, r->arena, r->ref, change->ident, &entry, err));
    return firn_streq(entry.location, change->expected_location)
               ? FIRN_OK
               : moved(r->arena, change->ident, err);
}

static firn_rc drop_request(request *r, bool view, firn_err *err)
{
    FIRN_TRY(check_expected(r, err));
    r->endpoint = view ? FIRN_REMOTE_VIEW_DROP : FIRN_REMOTE_TABLE_DROP;
    r->missing = view ? FIRN_E_NO_VIEW : FIRN_E_NO_TABLE;
    r->call = (firn_remote_call){
        .method = "DELETE",
        .path = firn_arena_printf(
            r->arena, "%s%s",
            firn_remote_path(r->config, r->arena, r->changes[0].ident, view ? "views" : "tables"),
            view ? "" : "?purgeRequested=false")};
    return FIRN_OK;
}

static firn_rc rename_request(request *r, bool view, firn_err *err)
{
    FIRN_TRY(check_expected(r, err));
    FIRN_TRY(firn_ident_check(r->changes[0].to, err));
    r->endpoint = view ? FIRN_REMOTE_VIEW_RENAME : FIRN_REMOTE_TABLE_RENAME;
    r->missing = view ? FIRN_E_NO_VIEW : FIRN_E_NO_TABLE;
    r->call = (firn_remote_call){
        .method = "POST",
        .path = view ? "views/rename" : "tables/rename",
        .body = firn_json_own(
            r->arena,
            json_pack("{s:o, s:o}", "source", firn_remote_ident_json(r->arena, r->changes[0].ident),
                      "destination", firn_remote_ident_json(r->arena, r->changes[0].to)))};
    return FIRN_OK;
}

static firn_rc register_request(request *r, bool view)
{
    const firn_change *change = &r->changes[0];
    json_t *body = firn_json_own(r->arena, json_pack("{s:s, s:s}", "name", change->ident.name,
                                                     "metadata-location", change->location));
    if (change->replace) {
        json_object_set_new(body, "overwrite", json_true());
    }
    r->endpoint = view ? FIRN_REMOTE_VIEW_REGISTER : FIRN_REMOTE_TABLE_REGISTER;
    r->missing = FIRN_E_NO_NAMESPACE;
    r->call = (firn_remote_call){
        .method = "POST",
        .path = firn_arena_printf(r->arena, "namespaces/%s/%s",
                                  firn_remote_ns_path(r->config, r->arena, change->ident.ns),
                                  view ? "register-view" : "register"),
        .body = body};
    return FIRN_OK;
}

static json_t *namespace_properties_body(request *r)
{
    json_t *updates = json_object(), *removals = json_array();
    const char *key;
    json_t *value;
    json_object_foreach(r->changes[0].document, key, value)
    {
        if (json_is_null(value)) {
            json_array_append_new(removals, json_string(key));
        } else {
            json_object_set(updates, key, value);
        }
    }
    return firn_json_own(r->arena,
                         json_pack("{s:o, s:o}", "removals", removals, "updates", updates));
}

static firn_rc namespace_request(request *r, firn_err *err)
{
    const firn_change *change = &r->changes[0];
    FIRN_TRY(firn_ns_check(change->ident.ns, err));
    const char *path = firn_arena_printf(
        r->arena, "namespaces/%s", firn_remote_ns_path(r->config, r->arena, change->ident.ns));
    r->missing = FIRN_E_NO_NAMESPACE;
    if (change->kind == FIRN_CHANGE_DROP_NAMESPACE) {
        r->endpoint = FIRN_REMOTE_NAMESPACE_DROP;
        r->call = (firn_remote_call){.method = "DELETE", .path = path};
    } else if (change->kind == FIRN_CHANGE_CREATE_NAMESPACE) {
        json_t *properties = change->document ? json_incref(change->document) : json_object();
        r->endpoint = FIRN_REMOTE_NAMESPACE_CREATE;
        r->call = (firn_remote_call){
            .method = "POST",
            .path = "namespaces",
            .body =
                firn_json_own(r->arena, json_pack("{s:o, s:o}", "namespace",
                                                  firn_remote_ns_json(r->arena, change->ident.ns),
                                                  "properties", properties))};
    } else {
        r->endpoint = FIRN_REMOTE_NAMESPACE_PROPERTIES;
        r->call = (firn_remote_call){.method = "POST",
                                     .path = firn_arena_printf(r->arena, "%s/properties", path),
                                     .body = namespace_properties_body(r)};
    }
    return FIRN_OK;
}

static const char *verb(firn_change_kind kind)
{
    switch (kind) {
    case FIRN_CHANGE_CREATE_TABLE:
    case FIRN_CHANGE_CREATE_VIEW:
    case FIRN_CHANGE_CREATE_NAMESPACE: return "create";
    case FIRN_CHANGE_REGISTER_TABLE:
    case FIRN_CHANGE_REGISTER_VIEW: return "register";
    case FIRN_CHANGE_DROP_TABLE:
    case FIRN_CHANGE_DROP_VIEW:
    case FIRN_CHANGE_DROP_NAMESPACE: return "drop";
    case FIRN_CHANGE_RENAME_TABLE:
    case FIRN_CHANGE_RENAME_VIEW: return "rename";
    default: return "change";
    }
}

static firn_rc single_request(request *r, firn_err *err)
{
    const firn_change *change = &r->changes[0];
    bool is_namespace = !change->ident.name || !change->ident.name[0];
    const char *text = is_namespace ? firn_ns_text(r->arena, change->ident.ns)
                                    : firn_ident_text(r->arena, change->ident);
    r->what = firn_arena_printf(r->arena, "cannot %s %s", verb(change->kind), text);
    r->missing = FIRN_E_NO_TABLE;
    if (!is_namespace) {
        FIRN_TRY(firn_ident_check(change->ident, err));
    }
    switch (change->kind) {
    case FIRN_CHANGE_CREATE_TABLE:
    case FIRN_CHANGE_UPDATE_TABLE: return commit_request(r, err);
    case FIRN_CHANGE_REGISTER_TABLE: return register_request(r, false);
    case FIRN_CHANGE_REGISTER_VIEW: return register_request(r, true);
    case FIRN_CHANGE_DROP_TABLE: return drop_request(r, false, err);
    case FIRN_CHANGE_DROP_VIEW: return drop_request(r, true, err);
    case FIRN_CHANGE_RENAME_TABLE: return rename_request(r, false, err);
    case FIRN_CHANGE_RENAME_VIEW: return rename_request(r, true, err);
    case FIRN_CHANGE_PUT_VIEW: return put_view_request(r, err);
    case FIRN_CHANGE_CREATE_VIEW: return create_view_request(r, err);
    case FIRN_CHANGE_UPDATE_VIEW: {
        json_t *requirements =
            change->requirements ? json_incref((json_t *)change->requirements) : json_array();
        replace_view_call(r, firn_json_own(r->arena, requirements), (json_t *)change->updates);
        return FIRN_OK;
    }
    case FIRN_CHANGE_CREATE_NAMESPACE:
    case FIRN_CHANGE_DROP_NAMESPACE:
    case FIRN_CHANGE_SET_NAMESPACE_PROPERTIES: return namespace_request(r, err);
    }
    FIRN_FAIL(err, FIRN_E_INTERNAL, "unknown change %d", (int)change->kind);
}

static firn_rc build_request(request *r, firn_err *err)
{
    if (r->n == 1) {
        return single_request(r, err);
    }
    r->what = firn_arena_printf(r->arena, "cannot change %zu tables at once", r->n);
    r->missing = FIRN_E_NO_TABLE;
    for (size_t i = 0; i < r->n; i++) {
        firn_change_kind kind = r->changes[i].kind;
        if (kind != FIRN_CHANGE_UPDATE_TABLE && kind != FIRN_CHANGE_CREATE_TABLE) {
            FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                      "%zu changes in one commit: a remote catalog takes one at a time, other than "
                      "of tables' content. Make them one by one (without CASCADE, say)",
                      r->n);
        }
        FIRN_TRY(firn_ident_check(r->changes[i].ident, err));
    }
    return transaction_request(r, err);
}

/* ---- answers ---------------------------------------------------------------------------------- */

/* What a 409 means depends on what was asked. */
static firn_rc known_failure(request *r, const firn_http_reply *reply, firn_err *err)
{
    firn_rc rc = firn_remote_fail(r->catalog->remote, r->arena, reply, r->missing, r->what, err);
    firn_rc meant = rc;
    if (rc == FIRN_E_CONFLICT && r->n == 1) {
        switch (r->changes[0].kind) {
        case FIRN_CHANGE_DROP_NAMESPACE: meant = FIRN_E_NOT_EMPTY; break;
        case FIRN_CHANGE_CREATE_TABLE:
        case FIRN_CHANGE_CREATE_NAMESPACE:
        case FIRN_CHANGE_CREATE_VIEW:
        case FIRN_CHANGE_RENAME_TABLE:
        case FIRN_CHANGE_RENAME_VIEW:
        case FIRN_CHANGE_REGISTER_TABLE:
        case FIRN_CHANGE_REGISTER_VIEW: meant = FIRN_E_EXISTS; break;
        case FIRN_CHANGE_PUT_VIEW:
            meant = r->changes[0].replace ? FIRN_E_CONFLICT : FIRN_E_EXISTS;
            break;
        default: break;
        }
    }
    if (meant != rc && err) {
        err->code = meant;
        err->retriable = false;
    }
    return meant;
}

/* Whether a reply leaves open if the change was made. 501 and 507 say that it was not. */
static bool is_open(firn_arena *arena, const firn_http_reply *reply)
{
    firn_remote_error error;
    if (firn_remote_is_success(reply)) {
        return false;
    }
    firn_remote_parse_error(arena, reply->status, reply->body, FIRN_E_NOT_FOUND, &error);
    return error.code == FIRN_E_UNKNOWN_OUTCOME ||
           (reply->status >= 500 && reply->status != 501 && reply->status != 507);
}

static firn_outcome settle_all(const request *r)
{
    size_t done = 0, never = 0;
    for (size_t i = 0; i < r->n; i++) {
        firn_outcome outcome =
            firn_remote_settle(r->catalog, r->ref, &r->changes[i], r->requirements[i]);
        done += outcome == FIRN_OUTCOME_DONE;
        never += outcome == FIRN_OUTCOME_NEVER;
    }
    return done > 0 ? FIRN_OUTCOME_DONE : never == r->n ? FIRN_OUTCOME_NEVER : FIRN_OUTCOME_UNKNOWN;
}

static firn_rc settle(const request *r, const char *why, firn_err *err)
{
    firn_outcome outcome = settle_all(r);
    if (outcome == FIRN_OUTCOME_DONE) {
        return FIRN_OK;
    }
    if (outcome == FIRN_OUTCOME_NEVER) {
        bool creates = r->changes[0].kind == FIRN_CHANGE_CREATE_TABLE ||
                       r->changes[0].kind == FIRN_CHANGE_REGISTER_TABLE;
        FIRN_FAIL(err, creates ? FIRN_E_EXISTS : FIRN_E_CONFLICT, "%s: another %s (%s)", r->what,
                  creates ? "was made under that name" : "commit came first", why);
    }
    FIRN_FAIL(err, FIRN_E_UNKNOWN_OUTCOME,
              "it is not known whether the catalog %s made the change (%s: %s): look there before "
              "doing it again; no file was deleted",
              firn_url_for_message(r->arena, r->catalog->remote->uri), r->what, why);
}

static firn_rc send_request(request *r, firn_http_reply *reply, firn_err *err)
{
    firn_remote *remote = r->catalog->remote;
    firn_err detail = {0};
    FIRN_TRY(firn_remote_require(remote, r->config, r->endpoint, r->what, err));
    FIRN_TRY(firn_fault_point("catalog.commit.before", remote->uri, err));
    firn_rc rc = firn_remote_do(remote, r->config, r->arena, &r->call, reply, &detail);
    if (rc == FIRN_OK &&
        firn_fault_point("catalog.commit.after", remote->uri, &detail) != FIRN_OK) {
        rc = FIRN_E_UNKNOWN_OUTCOME;
    }
    if (rc == FIRN_OK && is_open(r->arena, reply)) {
        rc = FIRN_E_UNKNOWN_OUTCOME;
        (void)firn_remote_fail(remote, r->arena, reply, r->missing, "the server failed", &detail);
    }
    if (rc == FIRN_E_UNKNOWN_OUTCOME || (rc != FIRN_OK && reply->maybe_sent)) {
        *reply = (firn_http_reply){0};
        return settle(r, detail.message, err);
    }
    if (rc != FIRN_OK) {
        if (err) {
            *err = detail;
        }
        return rc;
    }
    return firn_remote_is_success(reply) ? FIRN_OK : known_failure(r, reply, err);
}

/* ---- commit ----------------------------------------------------------------------------------- */

/* Where each change left its metadata, for what has some. The commit was made: nothing here fails. */
static const char *location_after(request *r, size_t i, const firn_http_reply *reply)
{
    const firn_change *change = &r->changes[i];
    firn_table table;
    firn_catalog_entry entry;
    switch (change->kind) {
    case FIRN_CHANGE_CREATE_TABLE:
    case FIRN_CHANGE_UPDATE_TABLE:
        if (r->n == 1 && reply->body.len > 0 &&
            firn_remote_take_table(r->catalog, r->arena, r->ref, change->ident, reply->body, NULL,
                                   &table, NULL) == FIRN_OK) {
            return table.entry.location;
        }
        return firn_remote_table_load(r->catalog, r->arena, r->ref, change->ident, &table, NULL) ==
                       FIRN_OK
                   ? table.entry.location
                   : NULL;
    case FIRN_CHANGE_REGISTER_TABLE:
    case FIRN_CHANGE_REGISTER_VIEW: return change->location;
    case FIRN_CHANGE_RENAME_TABLE:
    case FIRN_CHANGE_RENAME_VIEW:
        return firn_remote_entry_get(r->catalog, r->arena, r->ref, change->to, &entry, NULL) ==
                       FIRN_OK
                   ? entry.location
                   : NULL;
    case FIRN_CHANGE_PUT_VIEW:
    case FIRN_CHANGE_CREATE_VIEW:
    case FIRN_CHANGE_UPDATE_VIEW:
        return firn_remote_entry_get(r->catalog, r->arena, r->ref, change->ident, &entry, NULL) ==
                       FIRN_OK
                   ? entry.location
                   : NULL;
    default: return NULL;
    }
}

/* Namespaces above a new one are made before it, each by itself: one that is left over harms nobody. */
static firn_rc create_one_by_one(firn_catalog *catalog, firn_arena *arena, const char *branch,
                                 const firn_change *changes, size_t n, const firn_commit_info *info,
                                 firn_commit_result *out, firn_err *err)
{
    firn_commit_info mine = info ? *info : (firn_commit_info){0};
    mine.idempotency_key = NULL;
    for (size_t i = 0; i < n; i++) {
        firn_commit_result one;
        FIRN_TRY(firn_remote_commit(catalog, arena, branch, &changes[i], 1, &mine, &one, err));
        out->commit_id = one.commit_id;
    }
    return FIRN_OK;
}

static bool are_all(const firn_change *changes, size_t n, firn_change_kind kind)
{
    bool all = true;
    for (size_t i = 0; all && i < n; i++) {
        all = changes[i].kind == kind;
    }
    return all;
}

static bool changes_nothing(const firn_change *changes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (changes[i].kind != FIRN_CHANGE_UPDATE_TABLE ||
            json_array_size(changes[i].updates) > 0) {
            return false;
        }
    }
    return true;
}

firn_rc firn_remote_commit(firn_catalog *catalog, firn_arena *arena, const char *branch,
                           const firn_change *changes, size_t n, const firn_commit_info *info,
                           firn_commit_result *out, firn_err *err)
{
    firn_commit_result ignored;
    out = out ? out : &ignored;
    *out = (firn_commit_result){.locations = FIRN_NEW_N(arena, const char *, n)};
    request r = {
        .catalog = catalog,
        .arena = arena,
        .ref = branch,
        .changes = changes,
        .n = n,
        .requirements = FIRN_NEW_N(arena, json_t *, n),
    };
    firn_http_reply reply = {0};
    if (changes_nothing(changes, n)) {
        return FIRN_OK;
    }
    if (n > 1 && are_all(changes, n, FIRN_CHANGE_CREATE_NAMESPACE)) {
        return create_one_by_one(catalog, arena, branch, changes, n, info, out, err);
    }
    FIRN_TRY(firn_remote_config_of(catalog->remote, arena, branch, &r.config, err));
    FIRN_TRY(build_request(&r, err));
    const char *id = info && info->idempotency_key ? info->idempotency_key : firn_uuid_new(arena);
    r.call.key = r.config->idempotency_keys ? id : NULL;
    FIRN_TRY(firn_fault_point("commit.metadata_written", catalog->remote->uri, err));
    firn_rc rc = send_request(&r, &reply, err);
    for (size_t i = 0; i < n; i++) {
        if (changes[i].ident.name && changes[i].ident.name[0]) {
            firn_remote_forget(catalog->remote, branch, changes[i].ident);
        }
    }
    FIRN_TRY(rc);
    out->commit_id = id;
    for (size_t i = 0; i < n; i++) {
        out->locations[i] = location_after(&r, i, &reply);
    }
    firn_err detail = {0};
    if (firn_fault_point("commit.pointer_swapped", catalog->remote->uri, &detail) != FIRN_OK) {
        FIRN_FAIL(err, FIRN_E_UNKNOWN_OUTCOME, "%s", detail.message);
    }
    return FIRN_OK;
}
