/* SET a = expression, b.c = expression: grammar, and the expressions that give the new columns. */
#include "merge_plan.h"
#include "write_parts.h"

#include <string.h>

/* ---- grammar ----------------------------------------------------------------------------------------- */

size_t firn_clause_end(const firn_parser *parser, const char *words)
{
    firn_parser here = *parser;
    size_t n = 0;
    char **list = firn_str_split(parser->arena, words, ' ', &n);
    int depth = firn_peek(&here)->depth;
    int cases = 0;
    bool after_distinct = false; /* IS DISTINCT FROM ends nothing */
    for (; here.at < here.end && firn_peek(&here)->depth >= depth; here.at++) {
        if (firn_peek(&here)->depth > depth) {
            continue;
        }
        for (size_t i = 0; i < n && cases == 0; i++) {
            if (firn_at_words(&here, list[i]) &&
                !(after_distinct && firn_strcaseeq(list[i], "from"))) {
                return here.at;
            }
        }
        after_distinct = firn_at_word(&here, "distinct");
        if (firn_at_word(&here, "case")) {
            cases++;
        } else if (firn_at_word(&here, "end") && cases > 0) {
            cases--;
        }
    }
    return here.at;
}

/* t.a = ...: the target's own name in front of a column says nothing, unless a struct column is called so. */
static void strip_target(const firn_dml_target *target, firn_assignment *item)
{
    const char *name = target->alias != NULL ? target->alias : target->name;
    if (item->n_path > 1 && firn_strcaseeq(item->path[0], name)) {
        item->path++;
        item->n_path--;
    }
}

firn_rc firn_parse_assignments(firn_parser *parser, const firn_dml_target *target, const char *stop,
                               firn_assignments *out, firn_err *err)
{
    const char *ends = firn_arena_printf(parser->arena, ", %s", stop);
    do {
        firn_assignment item = {0};
        FIRN_TRY(firn_parse_dotted(parser, &item.path, &item.n_path, err));
        FIRN_TRY(firn_expect(parser, "=", err));
        size_t end = firn_clause_end(parser, ends);
        if (end == parser->at) {
            return firn_syntax_error(parser, err, "an expression");
        }
        item.text = firn_dml_text(parser, parser->at, end);
        parser->at = end;
        strip_target(target, &item);
        firn_vec_push(parser->arena, out, item);
    } while (firn_accept(parser, ","));
    return FIRN_OK;
}

/* ---- columns ----------------------------------------------------------------------------------------- */

static const firn_field *member(const firn_type *type, const char *name)
{
    const firn_field *found = NULL;
    for (size_t i = 0; i < type->n_fields && type->id == FIRN_TYPE_STRUCT; i++) {
        if (firn_streq(type->fields[i].name, name)) {
            return &type->fields[i];
        }
        if (firn_strcaseeq(type->fields[i].name, name)) {
            found = &type->fields[i];
        }
    }
    return found;
}

static bool same_start(const firn_assignment *a, const firn_assignment *b)
{
    size_t n = a->n_path < b->n_path ? a->n_path : b->n_path;
    for (size_t i = 0; i < n; i++) {
        if (!firn_strcaseeq(a->path[i], b->path[i])) {
            return false;
        }
    }
    return true;
}

firn_rc firn_check_assignments(firn_arena *arena, const firn_dml_target *target,
                               const firn_assignments *list, firn_err *err)
{
    const firn_schema *schema = target->metadata->schema;
    for (size_t i = 0; i < list->len; i++) {
        const firn_assignment *item = &list->items[i];
        const char *path = firn_str_join(arena, item->path, item->n_path, ".");
        const firn_type *type = &schema->root;
        for (size_t k = 0; k < item->n_path; k++) {
            const firn_field *field = member(type, item->path[k]);
            if (field == NULL && k > 0 && type->id != FIRN_TYPE_STRUCT) {
                FIRN_FAIL(err, FIRN_E_TYPE,
                          "SET %s: %s of %s is no struct, so only the whole of it can be set", path,
                          firn_str_join(arena, item->path, k, "."), target->text);
            }
            if (field == NULL) {
                return firn_no_column(arena, schema, path, target->text, err);
            }
            type = field->type;
        }
        for (size_t k = 0; k < i; k++) {
            if (same_start(item, &list->items[k])) {
                FIRN_FAIL(err, FIRN_E_INVALID, "SET gives %s two values", path);
            }
        }
    }
    return FIRN_OK;
}

static firn_rc cast_sql(firn_arena *arena, const firn_dml_target *target, const firn_field *field,
                        const char *text, const char **out, firn_err *err)
{
    const char *type = NULL;
    if (firn_strcaseeq(text, "default")) {
        return firn_write_default_sql(arena, field, target->text, out, err);
    }
    FIRN_TRY(firn_type_to_duck(arena, field->type, field->name, &type, err));
    *out = firn_arena_printf(arena, "CAST((%s) AS %s)", text, type);
    return FIRN_OK;
}

/* The value of `field`, `depth` names down the paths; `old` is its present value as SQL, NULL in a new row. */
static firn_rc value_sql(firn_arena *arena, const firn_dml_target *target,
                         const firn_assignments *list, const firn_field *field, size_t depth,
                         const char *old, const char **out, firn_err *err)
{
    firn_assignments inner = {0};
    for (size_t i = 0; i < list->len; i++) {
        const firn_assignment *item = &list->items[i];
        if (!firn_strcaseeq(item->path[depth], field->name)) {
            continue;
        }
        if (item->n_path == depth + 1) {
            return cast_sql(arena, target, field, item->text, out, err);
        }
        firn_vec_push(arena, &inner, *item);
    }
    *out = NULL;
    if (inner.len == 0) {
        return FIRN_OK;
    }
    FIRN_AUTO_BUF firn_buf text = {0};
    firn_buf_puts(&text, "struct_pack(");
    for (size_t i = 0; i < field->type->n_fields; i++) {
        const firn_field *child = &field->type->fields[i];
        const char *value = NULL;
        const char *child_old = old != NULL
                                    ? firn_arena_printf(arena, "struct_extract(%s, %s)", old,
                                                        firn_sql_quote(arena, child->name))
                                    : NULL;
        FIRN_TRY(value_sql(arena, target, &inner, child, depth + 1, child_old, &value, err));
        if (value == NULL && child_old == NULL) {
            FIRN_TRY(firn_write_default_sql(arena, child, target->text, &value, err));
        }
        firn_buf_printf(&text, "%s%s := %s", i > 0 ? ", " : "", firn_sql_ident(arena, child->name),
                        value != NULL ? value : child_old);
    }
    firn_buf_putc(&text, ')');
    *out = firn_arena_strdup(arena, firn_buf_cstr(&text));
    return FIRN_OK;
}

firn_rc firn_assigned_sql(firn_arena *arena, const firn_dml_target *target,
                          const firn_assignments *list, size_t column, const char *row,
                          const char **expr, firn_err *err)
{
    const firn_field *field = &target->metadata->schema->root.fields[column];
    const char *old =
        row != NULL ? firn_arena_printf(arena, "%s.%s", row, firn_sql_ident(arena, field->name))
                    : NULL;
    return value_sql(arena, target, list, field, 0, old, expr, err);
}

static const firn_field *assigned_field(const firn_dml_target *target, const firn_assignment *item)
{
    const firn_field *field = NULL;
    const firn_type *type = &target->metadata->schema->root;
    for (size_t k = 0; k < item->n_path && type != NULL; k++) {
        field = member(type, item->path[k]);
        type = field != NULL ? field->type : NULL;
    }
    return field;
}

firn_rc firn_check_assigned_types(firn_session *session, firn_arena *arena,
                                  const firn_dml_target *target, const firn_assignments *list,
                                  const char *with, const char *from, firn_err *err)
{
    FIRN_AUTO_BUF firn_buf text = {0};
    FIRN_VEC(const firn_field *) fields = {0};
    for (size_t i = 0; i < list->len; i++) {
        const firn_field *field = assigned_field(target, &list->items[i]);
        if (field == NULL || !firn_type_is_nested(field->type) ||
            firn_strcaseeq(list->items[i].text, "default")) {
            continue;
        }
        firn_buf_printf(&text, "%s(%s) AS firn_v%zu", fields.len > 0 ? ", " : "",
                        list->items[i].text, i);
        firn_vec_push(arena, &fields, field);
    }
    if (fields.len == 0) {
        return FIRN_OK;
    }
    const char *sql =
        firn_arena_printf(arena, "%s SELECT %s FROM %s", with, firn_buf_cstr(&text), from);
    firn_duck_column *columns = NULL;
    size_t n = 0;
    FIRN_TRY(firn_dml_rewrite(session, arena, sql, &sql, err));
    FIRN_TRY(firn_duck_describe(session, arena, sql, &columns, &n, err));
    for (size_t i = 0; i < n && i < fields.len; i++) {
        FIRN_TRY(
            firn_write_check_members(arena, columns[i].type, fields.items[i], target->text, err));
    }
    return FIRN_OK;
}
