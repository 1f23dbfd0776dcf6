/* A query's columns onto a table's schema, by name: exactly, else in any case.
 *
 * What the table has and the query does not becomes the write default or NULL, at every depth; what the query has and the table does
 * not is NO_COLUMN with its path, or left out with ignore_unknown. A column that has only nulls loses nothing and is left out always.
 *
 * Values are cast as INSERT casts them. DuckDB's casts of structs go by name, give NULL to members that are missing and drop those that
 * are too many: only write defaults inside nested values need more than a cast.
 */
#include "rows_batch.h"

#include "ddl.h"
#include "read.h"
#include "read_shape.h"
#include "write_parts.h"

typedef struct projection {
    firn_arena *arena;
    const firn_batch_projection *options;
    int depth; /* of lambdas */
} projection;

/* ---- what the query gives ---------------------------------------------------------------------------- */

firn_rc firn_batch_describe(firn_session *session, firn_arena *arena, const char *sql,
                            int format_version, firn_type **out, firn_err *err)
{
    firn_duck_column *columns = NULL;
    firn_type *type = FIRN_NEW(arena, firn_type);
    type->id = FIRN_TYPE_STRUCT;
    size_t n = 0;
    FIRN_TRY(firn_duck_describe(session, arena, sql, &columns, &n, err));
    type->fields = FIRN_NEW_N(arena, firn_field, n);
    for (size_t i = 0; i < n; i++) {
        firn_type *own = NULL;
        if (firn_starts_with(columns[i].name, FIRN_ROWS_OWN_PREFIX)) {
            continue;
        }
        if (firn_streq(columns[i].type, "\"NULL\"") || firn_streq(columns[i].type, "NULL")) {
            own = FIRN_NEW(arena, firn_type); /* SELECT NULL AS x */
        } else {
            firn_rc rc = firn_type_of_query(arena, columns[i].type, format_version, &own, err);
            if (rc != FIRN_OK) {
                return firn_err_wrap(err, rc, "column %s of the query is %s, which no table holds",
                                     columns[i].name, columns[i].type);
            }
        }
        for (size_t k = 0; k < type->n_fields; k++) {
            if (firn_strcaseeq(type->fields[k].name, columns[i].name)) {
                FIRN_FAIL(err, FIRN_E_INVALID,
                          "the query has two columns named %s: rename one with AS",
                          columns[i].name);
            }
        }
        type->fields[type->n_fields++] = (firn_field){.name = columns[i].name, .type = own};
    }
    *out = type;
    return FIRN_OK;
}

/* ---- members ----------------------------------------------------------------------------------------- */

static const firn_field *find(const firn_type *type, const char *name)
{
    const firn_field *near = NULL;
    for (size_t i = 0; i < type->n_fields; i++) {
        if (firn_streq(type->fields[i].name, name)) {
            return &type->fields[i];
        }
        near = firn_strcaseeq(type->fields[i].name, name) ? &type->fields[i] : near;
    }
    return near;
}

/* Two members of the query for one of the table ("id" and "ID" cannot be: DuckDB has refused them). */
static firn_rc check_members(const projection *p, const firn_type *from, const firn_type *to,
                             const char *path, firn_err *err)
{
    if (from->id != to->id || !firn_type_is_nested(from)) {
        return FIRN_OK; /* a cast, which says itself when it cannot be done */
    }
    for (size_t i = 0; i < from->n_fields; i++) {
        const firn_field *given = &from->fields[i];
        const firn_field *field =
            to->id == FIRN_TYPE_STRUCT ? find(to, given->name) : &to->fields[i];
        const char *own =
            path[0] != '\0' ? firn_arena_printf(p->arena, "%s.%s", path, given->name) : given->name;
        if (field == NULL && !p->options->ignore_unknown && given->type->id != FIRN_TYPE_UNKNOWN) {
            return firn_no_column(p->arena, p->options->schema, own, p->options->table_text, err);
        }
        if (field != NULL) {
            FIRN_TRY(check_members(p, given->type, field->type, own, err));
        }
    }
    return FIRN_OK;
}

/* Does a member that the query does not have get a value of its own? */
static bool needs_defaults(const firn_type *from, const firn_type *to)
{
    if (from->id != to->id || !firn_type_is_nested(to)) {
        return false;
    }
    for (size_t i = 0; i < to->n_fields; i++) {
        const firn_field *field = &to->fields[i];
        const firn_field *given =
            to->id == FIRN_TYPE_STRUCT ? find(from, field->name) : &from->fields[i];
        bool own =
            given == NULL && field->write_default != NULL && !json_is_null(field->write_default);
        if (own || (given != NULL && needs_defaults(given->type, field->type))) {
            return true;
        }
    }
    return false;
}

/* ---- expressions ------------------------------------------------------------------------------------- */

static firn_rc value_sql(projection *p, const firn_type *from, const firn_type *to,
                         const char *path, const char *expr, const char **out, firn_err *err);

static firn_rc struct_sql(projection *p, const firn_type *from, const firn_type *to,
                          const char *path, const char *expr, const char **out, firn_err *err)
{
    FIRN_AUTO_BUF firn_buf text = {0};
    firn_buf_printf(&text, "CASE WHEN %s IS NULL THEN NULL ELSE struct_pack(", expr);
    for (size_t i = 0; i < to->n_fields; i++) {
        const firn_field *field = &to->fields[i];
        const firn_field *given = find(from, field->name);
        const char *value = NULL;
        const char *own = firn_arena_printf(p->arena, "%s.%s", path, field->name);
        if (given != NULL) {
            const char *member = firn_arena_printf(p->arena, "struct_extract(%s, %s)", expr,
                                                   firn_sql_quote(p->arena, given->name));
            FIRN_TRY(value_sql(p, given->type, field->type, own, member, &value, err));
        } else { /* one that is NOT NULL and has no default is found by the write's own check */
            firn_field optional = *field;
            optional.required = false;
            FIRN_TRY(
                firn_write_default_sql(p->arena, &optional, p->options->table_text, &value, err));
        }
        firn_buf_printf(&text, "%s%s := %s", i > 0 ? ", " : "",
                        firn_sql_ident(p->arena, field->name), value);
    }
    firn_buf_puts(&text, ") END");
    *out = firn_arena_strdup(p->arena, firn_buf_cstr(&text));
    return FIRN_OK;
}

static firn_rc items_sql(projection *p, const firn_type *from, const firn_type *to,
                         const char *path, const char *expr, const char **out, firn_err *err)
{
    const char *item = firn_arena_printf(p->arena, "__firn_i%d", p->depth++);
    const char *value = NULL;
    if (to->id == FIRN_TYPE_LIST) {
        FIRN_TRY(value_sql(p, from->fields[0].type, to->fields[0].type, path, item, &value, err));
        *out = firn_arena_printf(p->arena, "list_transform(%s, lambda %s: %s)", expr, item, value);
        return FIRN_OK;
    }
    const char *key = NULL;
    FIRN_TRY(value_sql(p, from->fields[0].type, to->fields[0].type, path,
                       firn_arena_printf(p->arena, "%s.key", item), &key, err));
    FIRN_TRY(value_sql(p, from->fields[1].type, to->fields[1].type, path,
                       firn_arena_printf(p->arena, "%s.value", item), &value, err));
    *out = firn_arena_printf(p->arena,
                             "map_from_entries(list_transform(map_entries(%s), lambda %s: "
                             "struct_pack(k := %s, v := %s)))",
                             expr, item, key, value);
    return FIRN_OK;
}

/* `expr` of type `from` as a value of type `to`. */
static firn_rc value_sql(projection *p, const firn_type *from, const firn_type *to,
                         const char *path, const char *expr, const char **out, firn_err *err)
{
    const char *have = NULL;
    const char *want = NULL;
    FIRN_TRY(firn_type_to_duck(p->arena, from, path, &have, err));
    FIRN_TRY(firn_type_to_duck(p->arena, to, path, &want, err));
    *out = expr;
    if (needs_defaults(from, to)) {
        FIRN_TRY(to->id == FIRN_TYPE_STRUCT ? struct_sql(p, from, to, path, expr, out, err)
                                            : items_sql(p, from, to, path, expr, out, err));
    } else if (!firn_streq(have, want)) {
        *out = firn_arena_printf(p->arena, "CAST(%s AS %s)", expr, want);
    }
    return FIRN_OK;
}

/* ---- the query --------------------------------------------------------------------------------------- */

firn_rc firn_batch_project(firn_session *session, firn_arena *arena,
                           const firn_batch_projection *options, char **sql, firn_err *err)
{
    projection p = {.arena = arena, .options = options};
    const firn_type *root = &options->schema->root;
    const firn_type *columns = options->columns;
    FIRN_AUTO_BUF firn_buf out = {0};
    if (columns == NULL) {
        firn_type *described = NULL;
        FIRN_TRY(firn_batch_describe(session, arena, options->source_sql, 3, &described, err));
        columns = described;
    }
    FIRN_TRY(check_members(&p, columns, root, "", err));
    for (size_t i = 0; i < root->n_fields; i++) {
        const firn_field *field = &root->fields[i];
        const firn_field *given = find(columns, field->name);
        const char *value = NULL;
        if (given != NULL) {
            FIRN_TRY(value_sql(&p, given->type, field->type, field->name,
                               firn_sql_ident(arena, given->name), &value, err));
        } else {
            FIRN_TRY(firn_write_default_sql(arena, field, options->table_text, &value, err));
        }
        firn_buf_printf(&out, "%s%s AS %s", i > 0 ? ", " : "SELECT ", value,
                        firn_sql_ident(arena, field->name));
    }
    firn_buf_printf(&out, " FROM (%s) AS firn_source", options->source_sql);
    *sql = firn_arena_strdup(arena, firn_buf_cstr(&out));
    return FIRN_OK;
}
