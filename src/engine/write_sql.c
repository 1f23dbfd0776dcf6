/* The text of the COPY that writes a table's rows.
 *
 *   SELECT "a", CASE WHEN <check> THEN error(...) ELSE "st" END AS "st", ..., <transform> AS __firn_p0
 *   FROM (<query>) AS __firn_row [ORDER BY partition, sort order]
 */
#include "write_parts.h"

#include <string.h>

/* ---- field ids --------------------------------------------------------------------------------------- */

static void put_field_id(firn_arena *arena, firn_buf *out, const char *name,
                         const firn_field *field)
{
    const firn_type *type = field->type;
    firn_buf_printf(out, "%s: ", firn_sql_ident(arena, name));
    if (!firn_type_is_nested(type)) {
        firn_buf_printf(out, "%d", field->id);
        return;
    }
    firn_buf_printf(out, "{__duckdb_field_id: %d", field->id);
    for (size_t i = 0; i < type->n_fields; i++) {
        firn_buf_puts(out, ", ");
        put_field_id(arena, out, type->fields[i].name, &type->fields[i]);
    }
    firn_buf_putc(out, '}');
}

bool firn_write_leaves_out(const firn_metadata *metadata, const firn_partition_spec *spec,
                           const firn_field *field)
{
    for (size_t i = 0; i < spec->n_fields; i++) {
        if (spec->fields[i].transform.kind == FIRN_TRANSFORM_IDENTITY &&
            spec->fields[i].source_id == field->id) {
            return firn_streq(
                firn_metadata_property(metadata, "firn.write.partition-columns", "true"), "false");
        }
    }
    return false;
}

char *firn_write_field_ids(firn_arena *arena, const firn_metadata *metadata,
                           const firn_partition_spec *spec, bool with_row_lineage)
{
    const firn_schema *schema = metadata->schema;
    FIRN_AUTO_BUF firn_buf out = {0};
    firn_buf_putc(&out, '{');
    for (size_t i = 0; i < schema->root.n_fields; i++) {
        const firn_field *field = &schema->root.fields[i];
        if (field->type->id != FIRN_TYPE_UNKNOWN && !firn_write_leaves_out(metadata, spec, field)) {
            firn_buf_puts(&out, out.len > 1 ? ", " : "");
            put_field_id(arena, &out, field->name, field);
        }
    }
    if (with_row_lineage) {
        firn_buf_printf(&out, "%s_row_id: %d, _last_updated_sequence_number: %d",
                        out.len > 1 ? ", " : "", FIRN_ROW_ID_FIELD, FIRN_LAST_UPDATED_FIELD);
    }
    firn_buf_putc(&out, '}');
    return firn_arena_strdup(arena, firn_buf_cstr(&out));
}

/* ---- checks inside nested values --------------------------------------------------------------------- */

static bool needs_check(const firn_type *type)
{
    if (type->id == FIRN_TYPE_FIXED) {
        return true;
    }
    for (size_t i = 0; i < type->n_fields; i++) {
        const firn_field *child = &type->fields[i];
        bool map_key = type->id == FIRN_TYPE_MAP && i == 0; /* DuckDB has no NULL keys */
        if ((child->required && !map_key) || needs_check(child->type)) {
            return true;
        }
    }
    return false;
}

/* Appends a condition that is true when the value of `expr` breaks its type; false and NULL are fine. */
static void put_violation(firn_arena *arena, firn_buf *out, const firn_type *type, const char *expr,
                          int depth)
{
    firn_buf_puts(out, "(false");
    if (type->id == FIRN_TYPE_FIXED) {
        firn_buf_printf(out, " OR octet_length(%s) <> %d", expr, type->length);
    }
    for (size_t i = 0; i < type->n_fields; i++) {
        const firn_field *child = &type->fields[i];
        bool map_key = type->id == FIRN_TYPE_MAP && i == 0;
        bool required = child->required && !map_key;
        if (!required && !needs_check(child->type)) {
            continue;
        }
        const char *inner = type->id == FIRN_TYPE_STRUCT
                                ? firn_arena_printf(arena, "struct_extract(%s, %s)", expr,
                                                    firn_sql_quote(arena, child->name))
                                : firn_arena_printf(arena, "__firn_e%d", depth);
        if (type->id != FIRN_TYPE_STRUCT) {
            const char *list = type->id == FIRN_TYPE_LIST ? "" : i == 0 ? "map_keys" : "map_values";
            firn_buf_printf(out, " OR len(list_filter(%s(%s), lambda __firn_e%d: ", list, expr,
                            depth);
        } else {
            firn_buf_puts(out, " OR ");
        }
        firn_buf_puts(out, "(false");
        if (required && type->id == FIRN_TYPE_STRUCT) {
            firn_buf_printf(out, " OR (%s IS NOT NULL AND %s IS NULL)", expr, inner);
        } else if (required) {
            firn_buf_printf(out, " OR %s IS NULL", inner);
        }
        if (needs_check(child->type)) {
            firn_buf_puts(out, " OR coalesce(");
            put_violation(arena, out, child->type, inner, depth + 1);
            firn_buf_puts(out, ", false)");
        }
        firn_buf_putc(out, ')');
        if (type->id != FIRN_TYPE_STRUCT) {
            firn_buf_puts(out, ")) > 0");
        }
    }
    firn_buf_putc(out, ')');
}

static void put_column(firn_arena *arena, firn_buf *out, const firn_field *field,
                       const char *table_text)
{
    const char *name = firn_sql_ident(arena, field->name);
    const char *expr = firn_arena_printf(arena, "__firn_row.%s", name);
    bool nested_required = field->required && firn_type_is_nested(field->type);
    if (!nested_required && !needs_check(field->type)) {
        firn_buf_puts(out, expr);
        return;
    }
    const char *message = firn_arena_printf(
        arena,
        FIRN_WRITE_CHECK_MARK "a value of column %s of %s does not fit its type %s%s: a part that "
                              "is NOT NULL has no value, or a binary value of fixed length has "
                              "another length; nothing was written",
        field->name, table_text, firn_type_text(arena, field->type),
        nested_required ? " NOT NULL" : "");
    firn_buf_puts(out, "CASE WHEN ");
    if (nested_required) {
        firn_buf_printf(out, "%s IS NULL OR ", expr);
    }
    put_violation(arena, out, field->type, expr, 0);
    firn_buf_printf(out, " THEN error(%s) ELSE %s END AS %s", firn_sql_quote(arena, message), expr,
                    name);
}

/* ---- transforms -------------------------------------------------------------------------------------- */

/* "row"."a"."b" of a column that may lie inside structs. */
static bool column_path_sql(firn_arena *arena, const firn_type *type, int32_t id, const char *path,
                            const char **out)
{
    for (size_t i = 0; i < type->n_fields && type->id == FIRN_TYPE_STRUCT; i++) {
        const firn_field *field = &type->fields[i];
        const char *here =
            firn_arena_printf(arena, "%s.%s", path, firn_sql_ident(arena, field->name));
        if (field->id == id) {
            *out = here;
            return true;
        }
        if (column_path_sql(arena, field->type, id, here, out)) {
            return true;
        }
    }
    return false;
}

static char *time_sql(firn_arena *arena, firn_transform_kind kind, const firn_type *source,
                      const char *column)
{
    const char *x = source->id == FIRN_TYPE_TIMESTAMPTZ
                        ? firn_arena_printf(arena, "make_timestamp(epoch_us(%s))", column)
                    : source->id == FIRN_TYPE_TIMESTAMP_NS
                        ? firn_arena_printf(arena, "CAST(%s AS TIMESTAMP)", column)
                        : column;
    switch (kind) {
    case FIRN_TRANSFORM_YEAR:
        return firn_arena_printf(arena, "CAST(year(%s) - 1970 AS INTEGER)", x);
    case FIRN_TRANSFORM_MONTH:
        return firn_arena_printf(arena, "CAST((year(%s) - 1970) * 12 + month(%s) - 1 AS INTEGER)",
                                 x, x);
    case FIRN_TRANSFORM_DAY: return firn_arena_printf(arena, "CAST(%s AS DATE)", x);
    default:
        return firn_arena_printf(
            arena, "CAST(date_diff('hour', TIMESTAMP '1970-01-01', %s) AS INTEGER)", x);
    }
}

static char *identity_sql(firn_arena *arena, const firn_type *source, const char *column)
{
    switch (source->id) {
    case FIRN_TYPE_FLOAT: /* as text, so that -0.0 and 0.0 stay two partitions */
    case FIRN_TYPE_DOUBLE: return firn_arena_printf(arena, "CAST(%s AS VARCHAR)", column);
    case FIRN_TYPE_FIXED:
    case FIRN_TYPE_BINARY: return firn_arena_printf(arena, "lower(hex(%s))", column);
    case FIRN_TYPE_TIMESTAMPTZ: /* as a number: text would depend on the session's time zone */
        return firn_arena_printf(arena, "epoch_us(%s)", column);
    default: return firn_arena_strdup(arena, column);
    }
}

firn_rc firn_transform_sql(firn_arena *arena, const firn_schema *schema,
                           const firn_transform *transform, int32_t source_id, const char *row,
                           bool for_order, char **sql, firn_err *err)
{
    const char *column = NULL;
    const firn_field *field = firn_schema_find_id(schema, source_id);
    if (field == NULL || !column_path_sql(arena, &schema->root, source_id, row, &column)) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                  "the partition transform %s reads a column that the table no longer has; drop "
                  "that partition field, then write",
                  transform->name);
    }
    FIRN_TRY(firn_transform_check(transform, field->type, err));
    firn_type_id id = field->type->id;
    switch (transform->kind) {
    case FIRN_TRANSFORM_IDENTITY:
        *sql =
            for_order ? firn_arena_strdup(arena, column) : identity_sql(arena, field->type, column);
        return FIRN_OK;
    case FIRN_TRANSFORM_BUCKET:
        *sql = firn_arena_printf(arena, "firn_bucket(%d, %s)", transform->param, column);
        return FIRN_OK;
    case FIRN_TRANSFORM_TRUNCATE:
        *sql = id == FIRN_TYPE_STRING
                   ? firn_arena_printf(arena, "left(%s, %d)", column, transform->param)
               : for_order && id != FIRN_TYPE_BINARY
                   ? firn_arena_strdup(arena, column) /* sorts the same, and finer */
                   : firn_arena_printf(arena, "firn_truncate(%d, %s)", transform->param, column);
        return FIRN_OK;
    case FIRN_TRANSFORM_VOID:
        *sql = firn_arena_strdup(arena, "CAST(NULL AS INTEGER)");
        return FIRN_OK;
    case FIRN_TRANSFORM_UNKNOWN:
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                  "the table is partitioned by %s, which firn does not know: write to it with the "
                  "engine that made it",
                  transform->name);
    default: *sql = time_sql(arena, transform->kind, field->type, column); return FIRN_OK;
    }
}

/* ---- the query --------------------------------------------------------------------------------------- */

static firn_rc put_order(firn_arena *arena, firn_buf *out, const firn_write_options *options,
                         const firn_partition_spec *spec, firn_err *err)
{
    const firn_sort_order *order = options->metadata->sort_order;
    const char *separator = " ORDER BY ";
    for (size_t i = 0; options->partition == NULL && i < spec->n_fields; i++) {
        firn_buf_printf(out, "%s" FIRN_PARTITION_COLUMN "%zu", separator, i);
        separator = ", ";
    }
    for (size_t i = 0; i < order->n_fields; i++) {
        const firn_sort_field *field = &order->fields[i];
        char *key = NULL;
        FIRN_TRY(firn_transform_sql(arena, options->metadata->schema, &field->transform,
                                    field->source_id, "__firn_row", true, &key, err));
        firn_buf_printf(out, "%s%s %s NULLS %s", separator, key, field->descending ? "DESC" : "ASC",
                        field->nulls_last ? "LAST" : "FIRST");
        separator = ", ";
    }
    return FIRN_OK;
}

firn_rc firn_write_select(firn_arena *arena, const firn_write_options *options,
                          const firn_partition_spec *spec, bool sorted, char **sql, firn_err *err)
{
    const firn_schema *schema = options->metadata->schema;
    FIRN_AUTO_BUF firn_buf out = {0};
    const char *separator = "";
    firn_buf_puts(&out, "SELECT ");
    for (size_t i = 0; i < schema->root.n_fields; i++) {
        const firn_field *field = &schema->root.fields[i];
        if (field->type->id != FIRN_TYPE_UNKNOWN && /* never stored (spec) */
            !firn_write_leaves_out(options->metadata, spec, field)) {
            firn_buf_puts(&out, separator);
            put_column(arena, &out, field, options->table_text);
            separator = ", ";
        }
    }
    if (*separator == '\0') {
        FIRN_FAIL(
            err, FIRN_E_UNSUPPORTED,
            "%s has no column whose values can be stored; add one with ALTER TABLE ADD COLUMN",
            options->table_text);
    }
    if (options->with_row_lineage) {
        firn_buf_puts(&out, ", __firn_row._row_id, __firn_row._last_updated_sequence_number");
    }
    for (size_t i = 0; options->partition == NULL && i < spec->n_fields; i++) {
        char *key = NULL;
        FIRN_TRY(firn_transform_sql(arena, schema, &spec->fields[i].transform,
                                    spec->fields[i].source_id, "__firn_row", false, &key, err));
        firn_buf_printf(&out, ", %s AS " FIRN_PARTITION_COLUMN "%zu", key, i);
    }
    firn_buf_printf(&out, " FROM (%s) AS __firn_row", options->sql);
    if (sorted) {
        FIRN_TRY(put_order(arena, &out, options, spec, err));
    }
    if (out.overflow) {
        FIRN_FAIL(err, FIRN_E_LIMIT, "the statement is longer than 1 GB");
    }
    *sql = firn_arena_strdup(arena, firn_buf_cstr(&out));
    return FIRN_OK;
}
