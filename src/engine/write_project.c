/* What a query gives to what a table has: by position, by name, or by the statement's list of columns.
 *
 * A value is cast as an assignment is: text to numbers and dates, numbers to wider ones, and an error for what does not fit. A
 * struct is matched by its members' names; one that the table does not have would vanish in the cast without a word, so it is
 * refused here.
 */
#include "write_parts.h"

#include "ddl.h"
#include "read_shape.h"

#include <string.h>

typedef struct projection {
    firn_session *session;
    firn_arena *arena;
    const firn_projection_options *options;
    const firn_field *fields;
    size_t n_fields;
    firn_duck_column *columns; /* of the source */
    size_t n_columns;
    size_t *source; /* per field: index into columns, or SIZE_MAX */
} projection;

static char *name_list(const projection *p)
{
    const char **names = FIRN_NEW_N(p->arena, const char *, p->n_fields);
    for (size_t i = 0; i < p->n_fields; i++) {
        names[i] = p->fields[i].name;
    }
    return firn_str_join(p->arena, names, p->n_fields, ", ");
}

static firn_rc find_target(const projection *p, const char *name, size_t *out, firn_err *err)
{
    size_t found = SIZE_MAX;
    for (size_t i = 0; i < p->n_fields; i++) {
        if (firn_streq(p->fields[i].name, name)) {
            *out = i;
            return FIRN_OK;
        }
        if (firn_strcaseeq(p->fields[i].name, name)) {
            found = i;
        }
    }
    if (found == SIZE_MAX) {
        return firn_no_column(p->arena, p->options->schema, name, p->options->table_text, err);
    }
    *out = found;
    return FIRN_OK;
}

static firn_rc assign(projection *p, const char *name, size_t column, firn_err *err)
{
    size_t target = 0;
    FIRN_TRY(find_target(p, name, &target, err));
    if (p->source[target] != SIZE_MAX) {
        FIRN_FAIL(err, FIRN_E_INVALID, "column %s of %s is given twice", name,
                  p->options->table_text);
    }
    p->source[target] = column;
    return FIRN_OK;
}

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

static firn_rc match_columns(projection *p, firn_err *err)
{
    const firn_projection_options *o = p->options;
    if (o->by_name) {
        for (size_t i = 0; i < p->n_columns; i++) {
            FIRN_TRY(assign(p, p->columns[i].name, i, err));
        }
        return FIRN_OK;
    }
    size_t wanted = o->columns != NULL ? o->n_columns : p->n_fields;
    if (p->n_columns != wanted) {
        FIRN_FAIL(err, FIRN_E_INVALID, "the query gives %zu column%s for %zu of %s (%s)%s",
                  p->n_columns, plural(p->n_columns), wanted, o->table_text,
                  o->columns != NULL ? firn_str_join(p->arena, o->columns, o->n_columns, ", ")
                                     : name_list(p),
                  p->n_columns < wanted && o->columns == NULL
                      ? "; name the columns it fills: INSERT INTO t (a, b) ..."
                      : "");
    }
    for (size_t i = 0; i < wanted; i++) {
        if (o->columns != NULL) {
            FIRN_TRY(assign(p, o->columns[i], i, err));
        } else {
            p->source[i] = i;
        }
    }
    return FIRN_OK;
}

/* ---- lost members ------------------------------------------------------------------------------------ */

static firn_rc check_members(firn_arena *arena, const firn_type *from, const firn_type *to,
                             const char *path, const char *table_text, firn_err *err)
{
    if (from->id != to->id || !firn_type_is_nested(from)) {
        return FIRN_OK; /* a cast, which says itself when it cannot be done */
    }
    for (size_t i = 0; i < from->n_fields; i++) {
        const firn_field *match = to->id != FIRN_TYPE_STRUCT ? &to->fields[i] : NULL;
        const char **names = FIRN_NEW_N(arena, const char *, to->n_fields);
        for (size_t k = 0; k < to->n_fields && match == NULL; k++) {
            names[k] = to->fields[k].name;
            match =
                firn_strcaseeq(to->fields[k].name, from->fields[i].name) ? &to->fields[k] : NULL;
        }
        if (match == NULL) {
            const char *near = firn_nearest(from->fields[i].name, names, to->n_fields);
            FIRN_FAIL(
                err, FIRN_E_TYPE,
                "the query gives a member \"%s\" in column %s, which %s does not have%s%s%s: "
                "its values would be lost. Add it with ALTER TABLE ADD COLUMN %s.%s, or leave "
                "it out",
                from->fields[i].name, path, table_text, near != NULL ? " (did you mean " : "",
                near != NULL ? near : "", near != NULL ? "?)" : "", path, from->fields[i].name);
        }
        FIRN_TRY(check_members(arena, from->fields[i].type, match->type,
                               firn_arena_printf(arena, "%s.%s", path, match->name), table_text,
                               err));
    }
    return FIRN_OK;
}

firn_rc firn_write_check_members(firn_arena *arena, const char *given, const firn_field *field,
                                 const char *table_text, firn_err *err)
{
    firn_type *type = NULL;
    if (!firn_type_is_nested(field->type) ||
        firn_type_from_sql(arena, given, &type, NULL) != FIRN_OK) {
        return FIRN_OK;
    }
    return check_members(arena, type, field->type, field->name, table_text, err);
}

/* ---- text -------------------------------------------------------------------------------------------- */

firn_rc firn_write_default_sql(firn_arena *arena, const firn_field *field, const char *table_text,
                               const char **out, firn_err *err)
{
    const char *type = NULL;
    FIRN_TRY(firn_type_to_duck(arena, field->type, field->name, &type, err));
    if (field->write_default != NULL && !json_is_null(field->write_default)) {
        firn_value value = {0};
        FIRN_TRY(firn_value_from_json(arena, field->type, field->write_default, &value, err));
        const char *text = firn_shape_value_text(arena, field->type, &value);
        *out = firn_arena_printf(arena, "CAST(%s AS %s)", firn_sql_quote(arena, text), type);
        return FIRN_OK;
    }
    if (field->required) {
        FIRN_FAIL(err, FIRN_E_CHECK_FAILED,
                  "column %s of %s is NOT NULL and has no default: the statement must give it a "
                  "value",
                  field->name, table_text);
    }
    *out = firn_arena_printf(arena, "CAST(NULL AS %s)", type);
    return FIRN_OK;
}

static firn_rc put_field(const projection *p, firn_buf *out, size_t i, firn_err *err)
{
    const firn_field *field = &p->fields[i];
    const char *type = NULL;
    const char *expr = NULL;
    FIRN_TRY(firn_type_to_duck(p->arena, field->type, field->name, &type, err));
    if (p->source[i] == SIZE_MAX) {
        FIRN_TRY(firn_write_default_sql(p->arena, field, p->options->table_text, &expr, err));
    } else {
        const firn_duck_column *column = &p->columns[p->source[i]];
        expr = firn_sql_ident(p->arena, field->name); /* put_source calls it so */
        if (!firn_streq(column->type, type)) {
            FIRN_TRY(firn_write_check_members(p->arena, column->type, field, p->options->table_text,
                                              err));
            expr = firn_arena_printf(p->arena, "CAST(%s AS %s)", expr, type);
        }
    }
    firn_buf_printf(out, "%s%s AS %s", i > 0 ? ", " : "", expr,
                    firn_sql_ident(p->arena, field->name));
    return FIRN_OK;
}

/* The source with its columns called as those they go to: that is how messages about a value name them. */
static void put_source(const projection *p, firn_buf *out)
{
    firn_buf_printf(out, " FROM (%s) AS firn_source(", p->options->source_sql);
    for (size_t c = 0; c < p->n_columns; c++) {
        const char *name = firn_arena_printf(p->arena, "firn_c%zu", c);
        for (size_t i = 0; i < p->n_fields; i++) {
            name = p->source[i] == c ? p->fields[i].name : name;
        }
        firn_buf_printf(out, "%s%s", c > 0 ? ", " : "", firn_sql_ident(p->arena, name));
    }
    firn_buf_putc(out, ')');
}

firn_rc firn_write_projection(firn_session *session, firn_arena *arena,
                              const firn_projection_options *options, char **sql, firn_err *err)
{
    projection p = {.session = session,
                    .arena = arena,
                    .options = options,
                    .fields = options->schema->root.fields,
                    .n_fields = options->schema->root.n_fields};
    FIRN_TRY(
        firn_duck_describe(session, arena, options->source_sql, &p.columns, &p.n_columns, err));
    p.source = FIRN_NEW_N(arena, size_t, p.n_fields);
    for (size_t i = 0; i < p.n_fields; i++) {
        p.source[i] = SIZE_MAX;
    }
    FIRN_TRY(match_columns(&p, err));
    FIRN_AUTO_BUF firn_buf out = {0};
    firn_buf_puts(&out, "SELECT ");
    for (size_t i = 0; i < p.n_fields; i++) {
        FIRN_TRY(put_field(&p, &out, i, err));
    }
    put_source(&p, &out);
    *sql = firn_arena_strdup(arena, firn_buf_cstr(&out));
    return FIRN_OK;
}
