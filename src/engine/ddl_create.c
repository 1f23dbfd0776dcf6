/* CREATE TABLE, CREATE TABLE AS, CREATE TABLE LIKE: one catalog commit for the table and its first rows.
 *
 * OR REPLACE on a table that exists keeps its identity and history, as Java's replace does: the new schema, spec, sort order and
 * properties come on top, columns that stay keep their ids, the main ref is removed (and set by the new rows, if any), and old
 * snapshots stay readable by id and time.
 */
#include "ddl.h"

#include "duck.h"
#include "read.h"
#include "write.h"

#include "base/map.h"

#include <string.h>

typedef struct new_table {
    firn_session *session;
    firn_arena *arena;
    const firn_create_sql *sql;
    const char *text;  /* its name, for messages */
    const char *query; /* DuckDB SQL; NULL: no rows */
    int format_version;
    const firn_schema *schema; /* with ids of its own, 1.. */
    const firn_partition_spec *spec;
    const firn_sort_order *order;
    firn_written written;
    firn_snapshot_result snapshot;
    bool has_rows; /* written and snapshot are filled */
} new_table;

/* ---- schema -------------------------------------------------------------------------------------------- */

static const char *property(const firn_create_sql *sql, const char *key)
{
    return json_string_value(json_object_get(sql->properties, key));
}

/* A table that is replaced keeps its version unless the statement raises it. */
static firn_rc pick_version(new_table *table, int replaced_version, firn_err *err)
{
    const char *text = property(table->sql, "format-version");
    int64_t version = replaced_version != 0
                          ? replaced_version
                          : firn_lake_config(table->session->engine->lake)->format_version;
    if (text != NULL && (!firn_parse_i64(text, &version) || version < 1 || version > 3)) {
        FIRN_FAIL(err, FIRN_E_INVALID, "'format-version' = '%s': Iceberg has 1, 2 and 3", text);
    }
    if (version < replaced_version) {
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "%s has format version %d; a table cannot go back to version %lld", table->text,
                  replaced_version, (long long)version);
    }
    if (text == NULL) {
        json_object_set_new(table->sql->properties, "format-version",
                            json_sprintf("%lld", (long long)version));
    }
    table->format_version = (int)version;
    return FIRN_OK;
}

static firn_rc fields_of_columns(new_table *table, firn_field **fields, size_t *n, firn_err *err)
{
    const firn_create_sql *sql = table->sql;
    *n = sql->columns.len;
    *fields = FIRN_NEW_N(table->arena, firn_field, *n);
    for (size_t i = 0; i < *n; i++) {
        const firn_column_sql *column = &sql->columns.items[i];
        firn_field *field = &(*fields)[i];
        *field = column->field;
        if (column->default_sql != NULL) {
            json_t *value = NULL;
            FIRN_TRY(firn_check_default_version(table->format_version, field->name, err));
            FIRN_TRY(firn_default_value(table->session, table->arena, column, &value, err));
            field->initial_default = value;
            field->write_default = value;
        }
    }
    return FIRN_OK;
}

/* The query's columns, under the names given in brackets if there are any. */
static firn_rc fields_of_query(new_table *table, firn_field **fields, size_t *n, firn_err *err)
{
    const firn_create_sql *sql = table->sql;
    firn_duck_column *columns = NULL;
    FIRN_TRY(firn_duck_describe(table->session, table->arena, table->query, &columns, n, err));
    if (sql->names.len > 0 && sql->names.len != *n) {
        FIRN_FAIL(err, FIRN_E_INVALID, "%s is given %zu column names, the query has %zu columns",
                  table->text, sql->names.len, *n);
    }
    *fields = FIRN_NEW_N(table->arena, firn_field, *n);
    for (size_t i = 0; i < *n; i++) {
        firn_type *type = NULL;
        firn_field *field = &(*fields)[i];
        field->name = sql->names.len > 0 ? sql->names.items[i] : columns[i].name;
        firn_rc rc =
            firn_type_of_query(table->arena, columns[i].type, table->format_version, &type, err);
        if (rc != FIRN_OK) {
            return firn_err_wrap(err, rc, "column %s of the query is %s, which a table cannot hold",
                                 field->name, columns[i].type);
        }
        field->type = type;
        for (size_t k = 0; k < i; k++) {
            if (firn_strcaseeq((*fields)[k].name, field->name)) {
                FIRN_FAIL(err, FIRN_E_INVALID,
                          "the query has two columns named %s: rename one with AS", field->name);
            }
        }
    }
    return FIRN_OK;
}

/* PRIMARY KEY columns become the identifier fields: required, of a type that compares exactly. */
static firn_rc set_identifier(new_table *table, firn_schema *schema, firn_err *err)
{
    const firn_create_sql *sql = table->sql;
    FIRN_VEC(int32_t) ids = {0};
    FIRN_VEC(const char *) keys = {0};
    for (size_t i = 0; i < sql->keys.len; i++) {
        firn_vec_push(table->arena, &keys, sql->keys.items[i]);
    }
    for (size_t i = 0; i < sql->columns.len; i++) {
        if (sql->columns.items[i].primary_key) {
            firn_vec_push(table->arena, &keys, sql->columns.items[i].field.name);
        }
    }
    for (size_t i = 0; i < keys.len; i++) {
        const firn_field *field = NULL;
        FIRN_TRY(firn_find_column(table->arena, schema, keys.items[i], table->text, &field, err));
        if (firn_type_is_nested(field->type) || field->type->id == FIRN_TYPE_FLOAT ||
            field->type->id == FIRN_TYPE_DOUBLE) {
            FIRN_FAIL(err, FIRN_E_TYPE, "PRIMARY KEY cannot contain %s: a %s is no key",
                      keys.items[i], firn_type_sql(table->arena, field->type));
        }
        for (size_t k = 0; k < schema->root.n_fields; k++) {
            if (&schema->root.fields[k] == field) {
                schema->root.fields[k].required = true;
            }
        }
        if (!field->required) {
            FIRN_FAIL(err, FIRN_E_INVALID, "PRIMARY KEY column %s must be NOT NULL", keys.items[i]);
        }
        bool known = false;
        for (size_t k = 0; k < ids.len; k++) {
            known = known || ids.items[k] == field->id;
        }
        if (!known) {
            firn_vec_push(table->arena, &ids, field->id);
        }
    }
    schema->identifier_field_ids = ids.items;
    schema->n_identifier_field_ids = ids.len;
    return FIRN_OK;
}

static firn_rc build_layout(new_table *table, const firn_schema *schema, firn_err *err)
{
    const firn_create_sql *sql = table->sql;
    firn_partition_spec *spec = NULL;
    if (sql->partition.len > 0) {
        for (size_t i = 0; i < sql->partition.len; i++) {
            const firn_field *field = NULL;
            FIRN_TRY(firn_find_column(table->arena, schema, sql->partition.items[i].column,
                                      table->text, &field, err));
        }
        FIRN_TRY(firn_partition_spec_build(table->arena, schema, sql->partition.items,
                                           sql->partition.len, &spec, err));
        table->spec = spec;
    }
    if (sql->sort.len > 0) {
        firn_sort_order *order = FIRN_NEW(table->arena, firn_sort_order);
        order->order_id = 1;
        order->n_fields = sql->sort.len;
        FIRN_TRY(firn_sort_fields(table->arena, schema, &sql->sort, &order->fields, err));
        table->order = order;
    }
    return FIRN_OK;
}

static firn_rc build_schema(new_table *table, firn_err *err)
{
    firn_schema *raw = FIRN_NEW(table->arena, firn_schema);
    int32_t last_id = 0;
    raw->root.id = FIRN_TYPE_STRUCT;
    if (table->query != NULL) {
        FIRN_TRY(fields_of_query(table, &raw->root.fields, &raw->root.n_fields, err));
    } else {
        FIRN_TRY(fields_of_columns(table, &raw->root.fields, &raw->root.n_fields, err));
    }
    firn_schema *schema = firn_schema_assign_fresh_ids(table->arena, raw, &last_id);
    FIRN_TRY(set_identifier(table, schema, err));
    table->schema = schema;
    return build_layout(table, schema, err);
}

/* Properties that speak about the other table's rows or place, not about how it is kept. */
static bool is_own_property(const char *key)
{
    return firn_starts_with(key, "firn.offsets.") || firn_starts_with(key, "write.data.path") ||
           firn_starts_with(key, "write.metadata.path") ||
           firn_starts_with(key, "schema.name-mapping") || firn_streq(key, "comment") ||
           firn_streq(key, "write.object-storage.path");
}

static firn_rc copy_layout(new_table *table, firn_err *err)
{
    firn_table other;
    const char *key = NULL;
    json_t *value = NULL;
    const firn_create_sql *sql = table->sql;
    FIRN_TRY(firn_session_load_table(table->session, table->arena, sql->like, &other, err));
    const firn_metadata *metadata = other.metadata;
    json_object_foreach(metadata->properties, key, value)
    {
        if (!is_own_property(key) && json_object_get(sql->properties, key) == NULL) {
            json_object_set(sql->properties, key, value);
        }
    }
    if (property(sql, "format-version") == NULL) {
        json_object_set_new(sql->properties, "format-version",
                            json_sprintf("%d", metadata->format_version));
    }
    table->schema = metadata->schema;
    FIRN_TRY(build_layout(table, table->schema, err));
    if (table->spec == NULL && !firn_partition_spec_is_unpartitioned(metadata->spec)) {
        table->spec = metadata->spec;
    }
    if (table->order == NULL && metadata->sort_order->order_id != 0) {
        table->order = metadata->sort_order;
    }
    return FIRN_OK;
}

void firn_table_defaults(const firn_config *config, json_t *properties)
{
    enum { ICEBERG_DEFAULT_BYTES = 512 << 20 };
    if (json_object_get(properties, "write.parquet.compression-codec") == NULL &&
        config->compression != NULL) {
        json_object_set_new(properties, "write.parquet.compression-codec",
                            json_string(config->compression));
    }
    if (json_object_get(properties, "write.target-file-size-bytes") == NULL &&
        config->target_file_bytes > 0 && config->target_file_bytes != ICEBERG_DEFAULT_BYTES) {
        json_object_set_new(properties, "write.target-file-size-bytes",
                            json_sprintf("%lld", (long long)config->target_file_bytes));
    }
}

/* ---- a table that does not exist ------------------------------------------------------------------------- */

static void discard_rows(void *ctx)
{
    new_table *table = ctx;
    if (table->has_rows) {
        firn_write_discard(table->session, &table->written);
        firn_snapshot_discard(firn_lake_storage(table->session->engine->lake), &table->snapshot);
        table->has_rows = false;
    }
}

/* Rows of the query as the first snapshot on top of `metadata`. */
static firn_rc write_rows(new_table *table, const firn_metadata *metadata, json_t *updates,
                          firn_err *err)
{
    if (table->query == NULL || table->sql->no_data) {
        return FIRN_OK;
    }
    memset(&table->written, 0, sizeof(table->written));
    memset(&table->snapshot, 0, sizeof(table->snapshot));
    FIRN_TRY(firn_write_create_as(table->session, table->arena, metadata, table->query, updates,
                                  &table->written, &table->snapshot, err));
    table->has_rows = true;
    return FIRN_OK;
}

static firn_rc create_new(new_table *table, firn_err *err)
{
    firn_arena *arena = table->arena;
    firn_catalog *catalog = NULL;
    json_t *updates = NULL;
    firn_metadata *metadata = NULL;
    FIRN_TRY(firn_session_catalog(table->session, &catalog, err));
    const char *location = table->sql->location;
    if (location == NULL) {
        char *usual = NULL;
        FIRN_TRY(firn_catalog_default_location(catalog, arena, table->sql->ident, &usual, err));
        location = usual;
    }
    firn_table_defaults(firn_lake_config(table->session->engine->lake), table->sql->properties);
    firn_table_create create = {.schema = table->schema,
                                .spec = table->spec,
                                .sort_order = table->order,
                                .location = location,
                                .properties = table->sql->properties};
    FIRN_TRY(firn_table_create_updates(arena, &create, &updates, err));
    (void)firn_json_own(arena, updates);
    firn_update_options options = {0};
    FIRN_TRY(firn_updates_apply(arena, NULL, updates, &options, &metadata, err));
    FIRN_TRY(write_rows(table, metadata, updates, err));
    json_t *requirements = firn_json_own(arena, json_array());
    firn_require_create(requirements);
    firn_change change = {.kind = FIRN_CHANGE_CREATE_TABLE,
                          .ident = table->sql->ident,
                          .requirements = requirements,
                          .updates = updates};
    firn_rc rc = firn_session_commit_changes(
        table->session, arena, &change, 1, firn_arena_printf(arena, "create table %s", table->text),
        NULL, err);
    if (rc != FIRN_OK && rc != FIRN_E_UNKNOWN_OUTCOME) {
        discard_rows(table);
    }
    return rc;
}

/* ---- a table that is replaced ---------------------------------------------------------------------------- */

typedef struct id_reuse {
    firn_arena *arena;
    const firn_schema *old;
    int32_t last_id;
    firn_imap
        *new_of; /* id in the new table's own schema -> id in the replaced table, as int32_t* */
} id_reuse;

/* A column that stays (same path, same kind of type) keeps its id, so that old and new snapshots read alike. */
static int32_t reuse_id(id_reuse *reuse, const firn_field *field, const char *path)
{
    const firn_field *old = firn_schema_find_name(reuse->old, path, true);
    int32_t *id = FIRN_NEW(reuse->arena, int32_t);
    bool same = old != NULL && old->type->id == field->type->id &&
                (old->type->id != FIRN_TYPE_DECIMAL || old->type->scale == field->type->scale) &&
                (old->type->id != FIRN_TYPE_FIXED || old->type->length == field->type->length);
    *id = same ? old->id : ++reuse->last_id;
    firn_imap_put(reuse->new_of, field->id, id);
    return *id;
}

static firn_type *reuse_type(id_reuse *reuse, const firn_type *type, const char *prefix)
{
    firn_type *copy = firn_arena_memdup(reuse->arena, type, sizeof(*type));
    copy->fields = FIRN_NEW_N(reuse->arena, firn_field, type->n_fields);
    for (size_t i = 0; i < type->n_fields; i++) {
        const char *path = firn_arena_printf(reuse->arena, "%s%s", prefix, type->fields[i].name);
        copy->fields[i] = type->fields[i];
        copy->fields[i].id = reuse_id(reuse, &type->fields[i], path);
    }
    for (size_t i = 0; i < type->n_fields; i++) {
        const char *path = firn_arena_printf(reuse->arena, "%s%s.", prefix, type->fields[i].name);
        copy->fields[i].type = reuse_type(reuse, type->fields[i].type, path);
    }
    return copy;
}

static int32_t new_id(const id_reuse *reuse, int32_t id)
{
    const int32_t *found = firn_imap_get(reuse->new_of, id);
    return found != NULL ? *found : id;
}

static firn_schema *replacement_schema(id_reuse *reuse, const new_table *table)
{
    const firn_schema *own = table->schema;
    firn_schema *schema = FIRN_NEW(reuse->arena, firn_schema);
    schema->root = *reuse_type(reuse, &own->root, "");
    schema->n_identifier_field_ids = own->n_identifier_field_ids;
    schema->identifier_field_ids = FIRN_NEW_N(reuse->arena, int32_t, own->n_identifier_field_ids);
    for (size_t i = 0; i < own->n_identifier_field_ids; i++) {
        schema->identifier_field_ids[i] = new_id(reuse, own->identifier_field_ids[i]);
    }
    return schema;
}

/* The partition field id of the same source and transform in an older spec, or a fresh one. */
static int32_t reuse_partition_id(const firn_metadata *base, const firn_partition_field *field,
                                  int32_t *last_id)
{
    for (size_t s = 0; s < base->n_specs; s++) {
        for (size_t i = 0; i < base->specs[s]->n_fields; i++) {
            const firn_partition_field *old = &base->specs[s]->fields[i];
            if (old->source_id == field->source_id && firn_streq(old->name, field->name) &&
                firn_streq(old->transform.name, field->transform.name)) {
                return old->field_id;
            }
        }
    }
    return ++*last_id;
}

static firn_partition_spec *replacement_spec(const id_reuse *reuse, const new_table *table,
                                             const firn_metadata *base)
{
    firn_partition_spec *spec = FIRN_NEW(reuse->arena, firn_partition_spec);
    int32_t last_id = base->last_partition_id > 999 ? base->last_partition_id : 999;
    spec->n_fields = table->spec != NULL ? table->spec->n_fields : 0;
    spec->fields = FIRN_NEW_N(reuse->arena, firn_partition_field, spec->n_fields);
    for (size_t i = 0; i < spec->n_fields; i++) {
        firn_partition_field *field = &spec->fields[i];
        *field = table->spec->fields[i];
        field->source_id = new_id(reuse, field->source_id);
        field->n_source_ids = 1;
        field->source_ids = &field->source_id;
        field->field_id = reuse_partition_id(base, field, &last_id);
    }
    return spec;
}

static firn_sort_order *replacement_order(const id_reuse *reuse, const new_table *table,
                                          const firn_metadata *base)
{
    firn_sort_order *order = FIRN_NEW(reuse->arena, firn_sort_order);
    order->n_fields = table->order != NULL ? table->order->n_fields : 0;
    order->fields = FIRN_NEW_N(reuse->arena, firn_sort_field, order->n_fields);
    for (size_t i = 0; i < base->n_sort_orders; i++) {
        order->order_id = base->sort_orders[i]->order_id > order->order_id
                              ? base->sort_orders[i]->order_id
                              : order->order_id;
    }
    order->order_id = order->n_fields > 0 ? order->order_id + 1 : 0;
    for (size_t i = 0; i < order->n_fields; i++) {
        order->fields[i] = table->order->fields[i];
        order->fields[i].source_id = new_id(reuse, order->fields[i].source_id);
    }
    return order;
}

static json_t *add_action(json_t *updates, const char *action)
{
    json_t *update = json_object();
    json_object_set_new(update, "action", json_string(action));
    json_array_append_new(updates, update);
    return update;
}

static void set_last(json_t *updates, const char *action, const char *key)
{
    json_object_set_new(add_action(updates, action), key, json_integer(-1));
}

static void replacement_properties(const new_table *table, const firn_metadata *base,
                                   json_t *updates)
{
    json_t *properties = json_copy(table->sql->properties);
    if (table->format_version > base->format_version) {
        firn_update_upgrade_format(updates, table->format_version);
    }
    json_object_del(properties, "format-version");
    if (json_object_size(properties) > 0) {
        firn_update_set_properties(updates, properties);
    }
    json_decref(properties);
}

static firn_rc build_replacement(void *ctx, firn_arena *arena, const firn_table *base,
                                 json_t *updates, json_t *requirements, firn_err *err)
{
    new_table *table = ctx;
    const firn_metadata *old = base->metadata;
    firn_metadata *metadata = NULL;
    id_reuse reuse = {.arena = arena,
                      .old = old->schema,
                      .last_id = old->last_column_id,
                      .new_of = firn_imap_new(arena)};
    if (firn_metadata_ref(old, "main") != NULL || old->current_snapshot != NULL) {
        firn_update_remove_ref(updates, "main");
    }
    replacement_properties(table, old, updates);
    json_t *schema = add_action(updates, "add-schema");
    json_object_set_new(schema, "schema", firn_schema_to_json(replacement_schema(&reuse, table)));
    json_object_set_new(schema, "last-column-id", json_integer(reuse.last_id));
    set_last(updates, "set-current-schema", "schema-id");
    json_object_set_new(add_action(updates, "add-spec"), "spec",
                        firn_partition_spec_to_json(replacement_spec(&reuse, table, old)));
    set_last(updates, "set-default-spec", "spec-id");
    json_object_set_new(add_action(updates, "add-sort-order"), "sort-order",
                        firn_sort_order_to_json(replacement_order(&reuse, table, old)));
    set_last(updates, "set-default-sort-order", "sort-order-id");
    if (table->sql->location != NULL) {
        json_object_set_new(add_action(updates, "set-location"), "location",
                            json_string(table->sql->location));
    }
    firn_require_uuid(requirements, old->table_uuid);
    firn_require_current_schema(requirements, old->schema->schema_id);
    firn_update_options options = {.previous_location = base->entry.location};
    FIRN_TRY(firn_updates_apply(arena, old, updates, &options, &metadata, err));
    return write_rows(table, metadata, updates, err);
}

static firn_rc replace_existing(new_table *table, firn_err *err)
{
    firn_table_commit commit = {
        .ident = table->sql->ident,
        .build = build_replacement,
        .discard = discard_rows,
        .ctx = table,
        .message = firn_arena_printf(table->arena, "replace table %s", table->text)};
    return firn_session_commit_table(table->session, table->arena, &commit, err);
}

/* ---- the statement --------------------------------------------------------------------------------------- */

/* Is there something of that name? A view in the way is EXISTS whatever the statement says. */
static firn_rc look_up(new_table *table, bool *exists, int *version, firn_err *err)
{
    firn_catalog *catalog = NULL;
    firn_catalog_entry entry = {0};
    firn_err missing = {0};
    FIRN_TRY(firn_session_catalog(table->session, &catalog, err));
    firn_rc rc = firn_catalog_entry_get(catalog, table->arena, table->session->ref,
                                        table->sql->ident, &entry, &missing);
    *exists = rc == FIRN_OK;
    if (rc != FIRN_OK && rc != FIRN_E_NO_TABLE) {
        FIRN_FAIL(err, rc, "%s", missing.message);
    }
    if (*exists && entry.kind == FIRN_KIND_VIEW) {
        FIRN_FAIL(err, FIRN_E_EXISTS, "%s is a view; DROP VIEW it first or choose another name",
                  table->text);
    }
    if (*exists && !table->sql->or_replace && !table->sql->if_not_exists) {
        FIRN_FAIL(err, FIRN_E_EXISTS,
                  "there is a table %s on %s already; use CREATE OR REPLACE TABLE, or CREATE TABLE "
                  "IF NOT EXISTS",
                  table->text, table->session->ref);
    }
    if (*exists && table->sql->or_replace) {
        firn_table old;
        FIRN_TRY(firn_catalog_table_load(catalog, table->arena, table->session->ref,
                                         table->sql->ident, &old, err));
        *version = old.metadata->format_version;
    }
    return FIRN_OK;
}

static firn_result *created(const new_table *table, const char *verb)
{
    if (!table->has_rows) {
        return firn_result_command("CREATE TABLE", -1, "%s table %s", verb, table->text);
    }
    int64_t rows = table->written.rows;
    const char *tag = firn_arena_printf(table->arena, "SELECT %lld", (long long)rows);
    return firn_result_command(tag, rows, "%s table %s (%s row%s)", verb, table->text,
                               firn_format_count(table->arena, rows), rows == 1 ? "" : "s");
}

firn_rc firn_exec_create_table(firn_session *session, const char *sql, firn_result **out,
                               firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_parser parser;
    firn_create_sql create;
    firn_read_plan plan = {0};
    firn_catalog *catalog = NULL;
    bool exists = false;
    FIRN_TRY(firn_session_catalog(session, &catalog, err));
    FIRN_TRY(firn_parser_open(arena, sql, &parser, err));
    FIRN_TRY(firn_parse_create_table(session, &parser, &create, err));
    new_table table = {.session = session,
                       .arena = arena,
                       .sql = &create,
                       .text = firn_ident_text(arena, create.ident)};
    int version = 0; /* of the table that is replaced */
    FIRN_TRY(look_up(&table, &exists, &version, err));
    if (exists && create.if_not_exists) {
        *out = firn_result_command("CREATE TABLE", -1, "table %s is already there", table.text);
        return FIRN_OK;
    }
    if (create.has_like) {
        FIRN_TRY(copy_layout(&table, err));
        FIRN_TRY(pick_version(&table, version, err));
    } else {
        FIRN_TRY(pick_version(&table, version, err));
        if (create.query != NULL) {
            FIRN_TRY(firn_read_rewrite(session, arena, create.query, &plan, err));
            table.query = plan.sql;
        }
        FIRN_TRY(build_schema(&table, err));
    }
    if (exists) {
        FIRN_TRY(replace_existing(&table, err));
    } else {
        FIRN_TRY(create_new(&table, err));
    }
    *out = created(&table, exists ? "replaced" : "created");
    return FIRN_OK;
}
