/* DESCRIBE and SHOW CREATE: what a table or a view is, for people and as a statement. */
#include "describe.h"

#include "duck.h"
#include "read.h"

#include "iceberg/view.h"

#include <string.h>

static const char *const describe_columns[] = {"column_name", "column_type", "null",
                                               "key",         "default",     "comment"};
enum { N_DESCRIBE = sizeof(describe_columns) / sizeof(describe_columns[0]) };

/* A constant as SQL that DEFAULT takes again; NULL if there is none. */
static const char *default_sql(firn_arena *arena, const firn_field *field)
{
    firn_value value;
    if (field->write_default == NULL ||
        firn_value_from_json(arena, field->type, field->write_default, &value, NULL) != FIRN_OK ||
        value.is_null) {
        return NULL;
    }
    switch (field->type->id) {
    case FIRN_TYPE_BOOLEAN:
    case FIRN_TYPE_INT:
    case FIRN_TYPE_LONG:
    case FIRN_TYPE_DECIMAL: return firn_value_text(arena, field->type, &value);
    case FIRN_TYPE_BINARY:
    case FIRN_TYPE_FIXED: {
        FIRN_AUTO_BUF firn_buf text = {0};
        firn_buf_puts(&text, "'");
        for (size_t i = 0; i < value.bytes.len; i++) {
            firn_buf_printf(&text, "\\x%02X", value.bytes.data[i]);
        }
        firn_buf_puts(&text, "'");
        return firn_arena_strdup(arena, firn_buf_cstr(&text));
    }
    default: return firn_sql_quote(arena, firn_value_text(arena, field->type, &value));
    }
}

static bool is_identifier(const firn_schema *schema, int32_t id)
{
    for (size_t i = 0; i < schema->n_identifier_field_ids; i++) {
        if (schema->identifier_field_ids[i] == id) {
            return true;
        }
    }
    return false;
}

static void add_columns(firn_arena *arena, firn_result *out, const firn_schema *schema)
{
    for (size_t i = 0; i < schema->root.n_fields; i++) {
        const firn_field *field = &schema->root.fields[i];
        firn_result_add_row(out,
                            (const char *const[]){field->name, firn_type_sql(arena, field->type),
                                                  field->required ? "NO" : "YES",
                                                  is_identifier(schema, field->id) ? "PRI" : NULL,
                                                  default_sql(arena, field), field->doc});
    }
}

/* ---- EXTENDED ------------------------------------------------------------------------------------------------ */

static void add_fact(firn_result *out, const char *name, const char *value)
{
    if (value != NULL) {
        firn_result_add_row(out, (const char *const[]){name, value, NULL, NULL, NULL, NULL});
    }
}

/* "days(ts), bucket(8, id)"; NULL when unpartitioned. */
static const char *spec_sql(firn_arena *arena, const firn_metadata *metadata)
{
    FIRN_VEC(const char *) terms = {0};
    for (size_t i = 0; i < metadata->spec->n_fields; i++) {
        const firn_partition_field *field = &metadata->spec->fields[i];
        if (field->transform.kind == FIRN_TRANSFORM_VOID) {
            continue;
        }
        const char *term =
            firn_term_sql(arena, metadata->schema, field->source_id, &field->transform);
        firn_partition_term plain = {
            .column = firn_schema_path(arena, metadata->schema, field->source_id),
            .transform = field->transform};
        firn_partition_spec *usual = NULL;
        if (plain.column != NULL &&
            firn_partition_spec_build(arena, metadata->schema, &plain, 1, &usual, NULL) ==
                FIRN_OK &&
            !firn_streq(usual->fields[0].name, field->name)) {
            term = firn_arena_printf(arena, "%s AS %s", term, firn_name_sql(arena, field->name));
        }
        firn_vec_push(arena, &terms, term);
    }
    return terms.len > 0 ? firn_str_join(arena, terms.items, terms.len, ", ") : NULL;
}

static const char *order_sql(firn_arena *arena, const firn_metadata *metadata)
{
    const firn_sort_order *order = metadata->sort_order;
    const char **terms = FIRN_NEW_N(arena, const char *, order->n_fields);
    for (size_t i = 0; i < order->n_fields; i++) {
        const firn_sort_field *field = &order->fields[i];
        terms[i] = firn_arena_printf(
            arena, "%s%s%s",
            firn_term_sql(arena, metadata->schema, field->source_id, &field->transform),
            field->descending ? " DESC" : "",
            field->nulls_last == field->descending ? ""
            : field->nulls_last                    ? " NULLS LAST"
                                                   : " NULLS FIRST");
    }
    return order->n_fields > 0 ? firn_str_join(arena, terms, order->n_fields, ", ") : NULL;
}

static const char *summary(const firn_metadata *metadata, const char *key)
{
    return metadata->current_snapshot == NULL
               ? NULL
               : json_string_value(json_object_get(metadata->current_snapshot->summary, key));
}

static void add_facts(firn_arena *arena, firn_result *out, const firn_table *table)
{
    const firn_metadata *metadata = table->metadata;
    const char *key = NULL;
    json_t *value = NULL;
    add_fact(out, "# partitioned by", spec_sql(arena, metadata));
    add_fact(out, "# ordered by", order_sql(arena, metadata));
    add_fact(out, "# format version", firn_i64_text(arena, metadata->format_version));
    add_fact(out, "# location", metadata->location);
    add_fact(out, "# metadata file", table->entry.location);
    add_fact(out, "# table uuid", metadata->table_uuid);
    add_fact(out, "# last changed", firn_ms_text(arena, metadata->last_updated_ms));
    add_fact(out, "# snapshots", firn_i64_text(arena, (int64_t)metadata->n_snapshots));
    if (metadata->current_snapshot != NULL) {
        add_fact(out, "# current snapshot",
                 firn_i64_text(arena, metadata->current_snapshot->snapshot_id));
    }
    add_fact(out, "# rows", summary(metadata, "total-records"));
    add_fact(out, "# data files", summary(metadata, "total-data-files"));
    add_fact(out, "# delete files", summary(metadata, "total-delete-files"));
    add_fact(out, "# bytes", summary(metadata, "total-files-size"));
    json_object_foreach(metadata->properties, key, value)
    {
        add_fact(out, firn_arena_printf(arena, "# property %s", key), json_string_value(value));
    }
}

/* ---- views ------------------------------------------------------------------------------------------------------ */

/* "name" or "name@ref": the ref that the name says, else the session's. */
static const char *split_ref(firn_session *session, firn_arena *arena, firn_ident *ident)
{
    const char *at = strrchr(ident->name, '@');
    if (at == NULL || at == ident->name || at[1] == '\0') {
        return session->ref;
    }
    ident->name = firn_arena_strndup(arena, ident->name, (size_t)(at - ident->name));
    return at + 1;
}

/* *view stays NULL if the name is a table's or nobody's. */
static firn_rc load_view(firn_session *session, firn_arena *arena, firn_ident ident,
                         firn_view **view, firn_err *err)
{
    firn_catalog *catalog = NULL;
    firn_catalog_entry entry = {0};
    json_t *document = NULL;
    firn_err missing = {0};
    FIRN_TRY(firn_session_catalog(session, &catalog, err));
    const char *ref = split_ref(session, arena, &ident);
    *view = NULL;
    if (firn_catalog_entry_get(catalog, arena, ref, ident, &entry, &missing) != FIRN_OK ||
        entry.kind != FIRN_KIND_VIEW) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_catalog_view_load(catalog, arena, ref, ident, &entry, &document, err));
    const char *what = firn_arena_printf(arena, "view %s", firn_ident_text(arena, ident));
    return firn_view_from_json(arena, document, what, view, err);
}

firn_rc firn_describe_entry(firn_session *session, firn_arena *arena, firn_ident ident,
                            bool extended, firn_result **out, firn_err *err)
{
    firn_view *view = NULL;
    firn_table table;
    FIRN_TRY(load_view(session, arena, ident, &view, err));
    if (view == NULL) {
        FIRN_TRY(firn_session_load_table(session, arena, ident, &table, err));
    }
    *out = firn_text_table(arena, "DESCRIBE", describe_columns, N_DESCRIBE);
    add_columns(arena, *out, view != NULL ? view->schema : table.metadata->schema);
    if (extended && view == NULL) {
        add_facts(arena, *out, &table);
    } else if (extended) {
        add_fact(*out, "# view uuid", view->uuid);
        add_fact(*out, "# last changed", firn_ms_text(arena, view->created_ms));
        add_fact(*out, "# dialect", view->dialect);
        add_fact(*out, "# query", view->sql);
    }
    return FIRN_OK;
}

/* ---- DESCRIBE ----------------------------------------------------------------------------------------------------- */

/* DESCRIBE SELECT ... and DESCRIBE 'file.parquet' are DuckDB's. */
static bool at_query(const firn_parser *parser)
{
    static const char *const words[] = {"select", "with",    "from", "values",
                                        "pivot",  "unpivot", "("};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (firn_at_words(parser, words[i])) {
            return true;
        }
    }
    return parser->at < parser->end && firn_peek(parser)->kind == FIRN_TOKEN_STRING;
}

static firn_rc describe_schema(firn_session *session, firn_parser *parser, firn_result **out,
                               firn_err *err)
{
    firn_catalog *catalog = NULL;
    const char *ns = NULL;
    json_t *properties = NULL;
    const char *key = NULL;
    json_t *value = NULL;
    (void)firn_accept(parser, "extended");
    FIRN_TRY(firn_parse_namespace(parser, &ns, err));
    FIRN_TRY(firn_parse_end(parser, err));
    FIRN_TRY(firn_session_catalog(session, &catalog, err));
    FIRN_TRY(firn_catalog_namespace_properties(catalog, parser->arena, session->ref, ns,
                                               &properties, err));
    *out = firn_text_table(parser->arena, "DESCRIBE", (const char *const[]){"key", "value"}, 2);
    firn_result_add_row(*out, (const char *const[]){"schema", firn_ns_text(parser->arena, ns)});
    json_object_foreach(properties, key, value)
    {
        firn_result_add_row(*out, (const char *const[]){key, json_string_value(value)});
    }
    return FIRN_OK;
}

firn_rc firn_exec_describe(firn_session *session, firn_parser *parser, const char *sql,
                           firn_result **out, firn_err *err)
{
    firn_ident ident = {0};
    bool temporary = false;
    if (at_query(parser)) {
        return firn_exec_select(session, sql, out, err);
    }
    if (firn_accept(parser, "schema") || firn_accept(parser, "namespace") ||
        firn_accept(parser, "database")) {
        return describe_schema(session, parser, out, err);
    }
    if (!firn_accept(parser, "table")) {
        (void)firn_accept(parser, "view");
    }
    bool extended = firn_accept(parser, "extended") || firn_accept(parser, "formatted");
    FIRN_TRY(firn_target_is_temporary(session, parser, &temporary, err));
    if (temporary || session->engine->lake == NULL) {
        const char *rest = firn_token_text(parser->arena, parser->tokens, parser->at, parser->end);
        return firn_session_rows(session, firn_arena_printf(parser->arena, "DESCRIBE %s", rest),
                                 NULL, "DESCRIBE", out, err);
    }
    FIRN_TRY(firn_parse_source(session, parser, &ident, err));
    FIRN_TRY(firn_parse_end(parser, err));
    return firn_describe_entry(session, parser->arena, ident, extended, out, err);
}

/* ---- SHOW CREATE ---------------------------------------------------------------------------------------------------- */

static void print_columns(firn_arena *arena, firn_buf *out, const firn_schema *schema)
{
    for (size_t i = 0; i < schema->root.n_fields; i++) {
        const firn_field *field = &schema->root.fields[i];
        const char *value = default_sql(arena, field);
        firn_buf_printf(out, "%s\n  %s %s%s", i > 0 ? "," : "", firn_name_sql(arena, field->name),
                        firn_type_sql(arena, field->type), field->required ? " NOT NULL" : "");
        if (value != NULL) {
            firn_buf_printf(out, " DEFAULT %s", value);
        }
        if (field->doc != NULL) {
            firn_buf_printf(out, " COMMENT %s", firn_sql_quote(arena, field->doc));
        }
    }
    if (schema->n_identifier_field_ids > 0) {
        firn_buf_puts(out, ",\n  PRIMARY KEY (");
        for (size_t i = 0; i < schema->n_identifier_field_ids; i++) {
            firn_buf_printf(out, "%s%s", i > 0 ? ", " : "",
                            firn_path_sql(arena, schema, schema->identifier_field_ids[i]));
        }
        firn_buf_puts(out, ")");
    }
}

/* What belongs to the rows and not to the layout is left out: see is_own_property of ddl_create.c. */
static void print_properties(firn_arena *arena, firn_buf *out, const firn_metadata *metadata)
{
    const char *key = NULL;
    json_t *value = NULL;
    const char *comment = json_string_value(json_object_get(metadata->properties, "comment"));
    if (comment != NULL) {
        firn_buf_printf(out, "\nCOMMENT %s", firn_sql_quote(arena, comment));
    }
    firn_buf_printf(out, "\nTBLPROPERTIES (\n  'format-version' = '%d'", metadata->format_version);
    json_object_foreach(metadata->properties, key, value)
    {
        if (!firn_streq(key, "comment") && !firn_starts_with(key, "firn.offsets.")) {
            firn_buf_printf(out, ",\n  %s = %s", firn_sql_quote(arena, key),
                            firn_sql_quote(arena, json_string_value(value)));
        }
    }
    firn_buf_puts(out, ")");
}

/* The location stays out: two tables must never share a folder, and the statement may run beside this one. */
static void print_table(firn_arena *arena, firn_buf *out, firn_ident ident,
                        const firn_metadata *metadata)
{
    const char *spec = spec_sql(arena, metadata);
    const char *order = order_sql(arena, metadata);
    firn_buf_printf(out, "CREATE TABLE %s (", firn_ident_sql(arena, ident));
    print_columns(arena, out, metadata->schema);
    firn_buf_puts(out, ")");
    if (spec != NULL) {
        firn_buf_printf(out, "\nPARTITIONED BY (%s)", spec);
    }
    if (order != NULL) {
        firn_buf_printf(out, "\nWRITE ORDERED BY (%s)", order);
    }
    print_properties(arena, out, metadata);
}

/* The stored query gives the names already: they are told only to carry comments. */
static void print_view(firn_arena *arena, firn_buf *out, firn_ident ident, const firn_view *view)
{
    const char *comment = json_string_value(json_object_get(view->properties, "comment"));
    firn_buf_printf(out, "CREATE VIEW %s", firn_ident_sql(arena, ident));
    bool commented = false;
    for (size_t i = 0; i < view->schema->root.n_fields; i++) {
        commented = commented || view->schema->root.fields[i].doc != NULL;
    }
    for (size_t i = 0; commented && i < view->schema->root.n_fields; i++) {
        const firn_field *field = &view->schema->root.fields[i];
        firn_buf_printf(out, "%s\n  %s", i > 0 ? "," : " (", firn_name_sql(arena, field->name));
        if (field->doc != NULL) {
            firn_buf_printf(out, " COMMENT %s", firn_sql_quote(arena, field->doc));
        }
    }
    firn_buf_puts(out, commented ? ")" : "");
    if (comment != NULL) {
        firn_buf_printf(out, "\nCOMMENT %s", firn_sql_quote(arena, comment));
    }
    firn_buf_printf(out, "\nAS %s", view->sql);
}

firn_rc firn_show_create(firn_session *session, firn_arena *arena, firn_ident ident,
                         firn_result **out, firn_err *err)
{
    firn_view *view = NULL;
    firn_table table;
    FIRN_AUTO_BUF firn_buf sql = {0};
    FIRN_TRY(load_view(session, arena, ident, &view, err));
    if (view == NULL) {
        FIRN_TRY(firn_session_load_table(session, arena, ident, &table, err));
    }
    (void)split_ref(session, arena, &ident);
    if (view != NULL) {
        print_view(arena, &sql, ident, view);
    } else {
        print_table(arena, &sql, ident, table.metadata);
    }
    *out = firn_text_table(arena, "SHOW", (const char *const[]){"statement"}, 1);
    firn_result_add_row(*out, (const char *const[]){firn_buf_cstr(&sql)});
    return FIRN_OK;
}
