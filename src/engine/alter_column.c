/* ALTER TABLE on columns: ADD, DROP, RENAME, ALTER COLUMN, identifier fields. Paths reach into structs, lists and maps. */
#include "alter.h"

#include <string.h>

static firn_schema_change *columns_of(firn_alter *alter)
{
    if (alter->columns == NULL) {
        alter->columns = firn_schema_change_new(alter->arena, alter->metadata);
        alter->added = false;
    }
    return alter->columns;
}

/* The path as the schema spells it; NO_COLUMN with the nearest name, unless this statement may just have added it. */
static firn_rc known_path(firn_alter *alter, const char *path, const char **out, firn_err *err)
{
    const firn_schema *schema = alter->metadata->schema;
    const firn_field *field = firn_schema_find_name(schema, path, false);
    if (field == NULL && alter->columns != NULL && alter->added) {
        *out = path;
        return FIRN_OK;
    }
    if (field == NULL) {
        return firn_no_column(alter->arena, schema, path, alter->text, err);
    }
    *out = firn_schema_path(alter->arena, schema, field->id);
    return FIRN_OK;
}

static firn_rc parse_known_path(firn_alter *alter, const char **out, firn_err *err)
{
    const char *path = NULL;
    FIRN_TRY(firn_parse_column_path(alter->parser, &path, err));
    return known_path(alter, path, out, err);
}

/* AFTER other: a sibling, by its own name or its whole path. */
static firn_rc sibling_path(firn_alter *alter, const char *path, const char *other,
                            const char **out, firn_err *err)
{
    const char *dot = strrchr(path, '.');
    if (dot != NULL && strchr(other, '.') == NULL) {
        other = firn_arena_printf(alter->arena, "%.*s.%s", (int)(dot - path), path, other);
    }
    return known_path(alter, other, out, err);
}

/* FIRST, AFTER c or BEFORE c behind a column; nothing there is fine. */
static firn_rc parse_place(firn_alter *alter, const char *path, bool *found, firn_err *err)
{
    firn_column_place place = FIRN_PLACE_FIRST;
    const char *other = NULL;
    *found = true;
    if (firn_accept(alter->parser, "first")) {
        return firn_schema_change_move(columns_of(alter), path, place, NULL, err);
    }
    if (firn_accept(alter->parser, "after")) {
        place = FIRN_PLACE_AFTER;
    } else if (firn_accept(alter->parser, "before")) {
        place = FIRN_PLACE_BEFORE;
    } else {
        *found = false;
        return FIRN_OK;
    }
    FIRN_TRY(firn_parse_column_path(alter->parser, &other, err));
    FIRN_TRY(sibling_path(alter, path, other, &other, err));
    return firn_schema_change_move(columns_of(alter), path, place, other, err);
}

static firn_rc add_one(firn_alter *alter, bool if_not_exists, firn_err *err)
{
    firn_column_sql column;
    const char *parent = NULL;
    bool placed = false;
    FIRN_TRY(firn_parse_column(alter->parser, &column, err));
    const char *path = firn_str_join(alter->arena, column.path, column.n_path, ".");
    if (column.n_path > 1) {
        parent = firn_str_join(alter->arena, column.path, column.n_path - 1, ".");
        FIRN_TRY(known_path(alter, parent, &parent, err));
        path = firn_arena_printf(alter->arena, "%s.%s", parent, column.field.name);
    }
    if (column.primary_key) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                  "add the column first, then ALTER TABLE %s SET IDENTIFIER FIELDS", alter->text);
    }
    bool exists = firn_schema_find_name(alter->metadata->schema, path, false) != NULL;
    if (column.default_sql != NULL) {
        json_t *value = NULL;
        FIRN_TRY(firn_check_default_version(alter->metadata->format_version, path, err));
        FIRN_TRY(firn_default_value(alter->session, alter->arena, &column, &value, err));
        column.field.initial_default = value;
        column.field.write_default = value;
    }
    if (exists && if_not_exists) {
        if (firn_accept(alter->parser, "after") || firn_accept(alter->parser, "before")) {
            return firn_parse_column_path(alter->parser, &path, err);
        }
        (void)firn_accept(alter->parser, "first");
        return FIRN_OK;
    }
    FIRN_TRY(firn_schema_change_add(columns_of(alter), parent, &column.field, err));
    alter->added = true;
    return parse_place(alter, path, &placed, err);
}

firn_rc firn_alter_add_column(firn_alter *alter, firn_err *err)
{
    firn_parser *parser = alter->parser;
    if (!firn_accept(parser, "columns")) {
        (void)firn_accept(parser, "column");
    }
    bool if_not_exists = firn_accept(parser, "if not exists");
    if (!firn_accept(parser, "(")) {
        return add_one(alter, if_not_exists, err);
    }
    do {
        FIRN_TRY(add_one(alter, if_not_exists, err));
    } while (firn_accept(parser, ","));
    return firn_expect(parser, ")", err);
}

static firn_rc drop_one(firn_alter *alter, bool if_exists, firn_err *err)
{
    const char *path = NULL;
    FIRN_TRY(firn_parse_column_path(alter->parser, &path, err));
    if (if_exists && firn_schema_find_name(alter->metadata->schema, path, false) == NULL) {
        return FIRN_OK;
    }
    FIRN_TRY(known_path(alter, path, &path, err));
    return firn_schema_change_drop(columns_of(alter), path, err);
}

firn_rc firn_alter_drop_column(firn_alter *alter, firn_err *err)
{
    firn_parser *parser = alter->parser;
    if (!firn_accept(parser, "columns")) {
        (void)firn_accept(parser, "column");
    }
    bool if_exists = firn_accept(parser, "if exists");
    if (firn_accept(parser, "(")) {
        do {
            FIRN_TRY(drop_one(alter, if_exists, err));
        } while (firn_accept(parser, ","));
        return firn_expect(parser, ")", err);
    }
    FIRN_TRY(drop_one(alter, if_exists, err));
    if (!firn_accept(parser, "cascade")) {
        (void)firn_accept(parser, "restrict");
    }
    return FIRN_OK;
}

firn_rc firn_alter_rename_column(firn_alter *alter, firn_err *err)
{
    const char *path = NULL;
    const char *name = NULL;
    FIRN_TRY(parse_known_path(alter, &path, err));
    FIRN_TRY(firn_expect(alter->parser, "to", err));
    FIRN_TRY(firn_parse_name(alter->parser, &name, err));
    alter->added = true; /* a later action may use the new name */
    firn_schema_change *columns = columns_of(alter);
    alter->added = true;
    return firn_schema_change_rename(columns, path, name, err);
}

/* DuckDB annotates Parquet's int32 columns, and Iceberg's vectorized Spark reader (1.10) cannot read such a column as long. The
 * table property that turns it off is set unless somebody has decided otherwise. */
static void keep_readable_by_spark(firn_alter *alter, const firn_field *field,
                                   const firn_type *type)
{
    static const char key[] = "read.parquet.vectorization.enabled";
    if (field == NULL || field->type->id != FIRN_TYPE_INT || type->id != FIRN_TYPE_LONG ||
        json_object_get(alter->metadata->properties, key) != NULL) {
        return;
    }
    json_t *properties = firn_json_own(alter->arena, json_pack("{s:s}", key, "false"));
    firn_update_set_properties(alter->updates, properties);
}

static firn_rc change_type(firn_alter *alter, const char *path, firn_err *err)
{
    firn_type *type = NULL;
    FIRN_TRY(firn_parse_type(alter->parser, &type, err));
    if (firn_at_word(alter->parser, "using")) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                  "changing a column's type rewrites no rows, so there is no USING: Iceberg widens "
                  "(int to bigint, float to double, a decimal's precision). Add a column, UPDATE "
                  "it and drop the old one");
    }
    FIRN_TRY(firn_schema_change_type(columns_of(alter), path, type, err));
    keep_readable_by_spark(alter, firn_schema_find_name(alter->metadata->schema, path, false),
                           type);
    return FIRN_OK;
}

static firn_rc change_default(firn_alter *alter, const char *path, firn_err *err)
{
    firn_column_sql column = {0};
    json_t *value = NULL;
    const firn_field *field = firn_schema_find_name(alter->metadata->schema, path, true);
    if (field == NULL) {
        return firn_syntax_error(alter->parser, err, "DEFAULT for a column that is there already");
    }
    FIRN_TRY(firn_check_default_version(alter->metadata->format_version, path, err));
    column.field = *field;
    FIRN_TRY(firn_parse_default(alter->parser, &column.default_sql, err));
    FIRN_TRY(firn_default_value(alter->session, alter->arena, &column, &value, err));
    return firn_schema_change_default(columns_of(alter), path, value, err);
}

/* SET NOT NULL on rows that exist is safe only if none of them is null, which nobody has checked. */
static firn_rc set_not_null(firn_alter *alter, const char *path, firn_err *err)
{
    bool empty = alter->metadata->n_snapshots == 0;
    firn_rc rc = firn_schema_change_required(columns_of(alter), path, empty, err);
    if (rc == FIRN_E_INVALID && !empty) {
        return firn_err_wrap(err, rc,
                             "%s has rows, of which some may have no %s; write a new table with "
                             "CREATE TABLE ... AS instead",
                             alter->text, path);
    }
    return rc;
}

firn_rc firn_alter_column(firn_alter *alter, firn_err *err)
{
    firn_parser *parser = alter->parser;
    const char *path = NULL;
    const char *text = NULL;
    bool placed = false;
    FIRN_TRY(parse_known_path(alter, &path, err));
    if (firn_accept(parser, "set data type") || firn_accept(parser, "type")) {
        return change_type(alter, path, err);
    }
    if (firn_accept(parser, "drop not null")) {
        return firn_schema_change_optional(columns_of(alter), path, err);
    }
    if (firn_accept(parser, "set not null")) {
        return set_not_null(alter, path, err);
    }
    if (firn_accept(parser, "set default")) {
        return change_default(alter, path, err);
    }
    if (firn_accept(parser, "drop default")) {
        FIRN_TRY(firn_check_default_version(alter->metadata->format_version, path, err));
        return firn_schema_change_default(columns_of(alter), path, NULL, err);
    }
    if (firn_accept(parser, "comment") || firn_accept(parser, "set comment")) {
        FIRN_TRY(firn_parse_string(parser, &text, err));
        return firn_schema_change_doc(columns_of(alter), path, text, err);
    }
    FIRN_TRY(parse_place(alter, path, &placed, err));
    if (!placed) {
        return firn_syntax_error(parser, err,
                                 "TYPE, SET NOT NULL, DROP NOT NULL, SET DEFAULT, DROP DEFAULT, "
                                 "COMMENT, FIRST, AFTER or BEFORE");
    }
    return FIRN_OK;
}

firn_rc firn_alter_identifier(firn_alter *alter, bool drop, firn_err *err)
{
    FIRN_VEC(const char *) paths = {0};
    FIRN_VEC(const char *) left = {0};
    const firn_schema *schema = alter->metadata->schema;
    bool brackets = firn_accept(alter->parser, "(");
    do {
        const char *path = NULL;
        FIRN_TRY(parse_known_path(alter, &path, err));
        firn_vec_push(alter->arena, &paths, path);
    } while (firn_accept(alter->parser, ","));
    if (brackets) {
        FIRN_TRY(firn_expect(alter->parser, ")", err));
    }
    if (!drop) {
        return firn_schema_change_identifier(columns_of(alter), paths.items, paths.len, err);
    }
    size_t dropped = 0;
    for (size_t i = 0; i < schema->n_identifier_field_ids; i++) {
        const char *path = firn_schema_path(alter->arena, schema, schema->identifier_field_ids[i]);
        bool gone = false;
        for (size_t k = 0; k < paths.len && path != NULL; k++) {
            gone = gone || firn_streq(paths.items[k], path);
        }
        dropped += gone;
        if (path != NULL && !gone) {
            firn_vec_push(alter->arena, &left, path);
        }
    }
    if (dropped != paths.len) {
        FIRN_FAIL(err, FIRN_E_INVALID, "%s is no identifier field of %s", paths.items[0],
                  alter->text);
    }
    return firn_schema_change_identifier(columns_of(alter), left.items, left.len, err);
}
