/*
 * expr_json.c - predicates as the REST specification's "Expression" (what Java's ExpressionParser writes).
 *
 * true and false are JSON booleans on writing; {"type": "true"} is read, too. Literals are single-value JSON of the
 * column's type. Terms that apply a transform are refused: as a weaker predicate they would be wrong under NOT.
 */
#include "iceberg/expression.h"

#include "expr_private.h"

enum { EXPR_DEPTH_MAX = 512, EXPR_VALUES_MAX = 1 << 20 };

static const struct {
    const char *name;
    firn_expr_op op;
    enum { ARGS_NONE, ARGS_ONE, ARGS_MANY } args;
} leaf_types[] = {
    {"is-null", FIRN_EXPR_IS_NULL, ARGS_NONE},
    {"not-null", FIRN_EXPR_NOT_NULL, ARGS_NONE},
    {"is-nan", FIRN_EXPR_IS_NAN, ARGS_NONE},
    {"not-nan", FIRN_EXPR_NOT_NAN, ARGS_NONE},
    {"lt", FIRN_EXPR_LT, ARGS_ONE},
    {"lt-eq", FIRN_EXPR_LT_EQ, ARGS_ONE},
    {"gt", FIRN_EXPR_GT, ARGS_ONE},
    {"gt-eq", FIRN_EXPR_GT_EQ, ARGS_ONE},
    {"eq", FIRN_EXPR_EQ, ARGS_ONE},
    {"not-eq", FIRN_EXPR_NOT_EQ, ARGS_ONE},
    {"starts-with", FIRN_EXPR_STARTS_WITH, ARGS_ONE},
    {"not-starts-with", FIRN_EXPR_NOT_STARTS_WITH, ARGS_ONE},
    {"in", FIRN_EXPR_IN, ARGS_MANY},
    {"not-in", FIRN_EXPR_NOT_IN, ARGS_MANY},
};
enum { LEAF_TYPE_COUNT = sizeof leaf_types / sizeof *leaf_types };

typedef struct parser {
    firn_arena *arena;
    const firn_schema *schema;
    bool case_sensitive;
} parser;

static firn_rc parse(const parser *p, const json_t *json, int depth, const firn_expr **out,
                     firn_err *err);

static firn_rc find_term(const parser *p, const json_t *json, const firn_field **out, firn_err *err)
{
    const json_t *term = json_object_get(json, "term");
    if (json_is_object(term)) {
        const char *type = json_string_value(json_object_get(term, "type"));
        if (type && !firn_streq(type, "reference"))
            FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                      "a predicate on a %s of a column is not supported; name the column itself",
                      type);
        term = json_object_get(term, "term");
    }
    const char *name = json_string_value(term);
    if (!name)
        FIRN_FAIL(err, FIRN_E_INVALID, "a predicate has no \"term\" that names a column: %s",
                  firn_json_text(p->arena, json));
    *out = firn_schema_find_name(p->schema, name, p->case_sensitive);
    if (!*out)
        FIRN_FAIL(err, FIRN_E_NO_COLUMN, "no column \"%s\" for the predicate", name);
    if (firn_type_is_nested((*out)->type))
        FIRN_FAIL(err, FIRN_E_TYPE, "column \"%s\" is a %s, which predicates cannot compare", name,
                  firn_type_text(p->arena, (*out)->type));
    return FIRN_OK;
}

static firn_rc parse_value(const parser *p, const firn_field *field, const json_t *json,
                           firn_value *out, firn_err *err)
{
    if (json_is_object(json) && json_object_get(json, "value"))
        json = json_object_get(json, "value");
    if (!json || json_is_null(json))
        FIRN_FAIL(err, FIRN_E_INVALID, "a predicate on column \"%s\" has no value", field->name);
    return firn_value_from_json(p->arena, field->type, json, out, err);
}

static firn_rc parse_leaf(const parser *p, size_t type, const json_t *json, const firn_expr **out,
                          firn_err *err)
{
    const firn_field *field;
    FIRN_TRY(find_term(p, json, &field, err));
    firn_value one;
    firn_value *values = &one;
    size_t n = 0;
    if (leaf_types[type].args == ARGS_ONE) {
        FIRN_TRY(parse_value(p, field, json_object_get(json, "value"), &one, err));
        n = 1;
    } else if (leaf_types[type].args == ARGS_MANY) {
        const json_t *array = json_object_get(json, "values");
        if (!json_is_array(array))
            FIRN_FAIL(err, FIRN_E_INVALID,
                      "predicate \"%s\" on column \"%s\" has no array \"values\"",
                      leaf_types[type].name, field->name);
        n = json_array_size(array);
        if (n > EXPR_VALUES_MAX)
            FIRN_FAIL(err, FIRN_E_LIMIT,
                      "predicate \"%s\" lists %zu values; at most %d are allowed",
                      leaf_types[type].name, n, EXPR_VALUES_MAX);
        values = FIRN_NEW_N(p->arena, firn_value, n);
        for (size_t i = 0; i < n; i++)
            FIRN_TRY(parse_value(p, field, json_array_get(array, i), &values[i], err));
    }
    bool exact;
    *out = firn_expr_leaf(p->arena, leaf_types[type].op, field, values, n, &exact);
    if (!exact)
        FIRN_FAIL(err, FIRN_E_TYPE, "predicate \"%s\" does not fit column \"%s\" of type %s",
                  leaf_types[type].name, field->name, firn_type_text(p->arena, field->type));
    return FIRN_OK;
}

static firn_rc parse_typed(const parser *p, const char *type, const json_t *json, int depth,
                           const firn_expr **out, firn_err *err)
{
    if (firn_streq(type, "true") || firn_streq(type, "false")) {
        *out = type[0] == 't' ? firn_expr_true() : firn_expr_false();
        return FIRN_OK;
    }
    if (firn_streq(type, "not")) {
        const firn_expr *child;
        FIRN_TRY(parse(p, json_object_get(json, "child"), depth + 1, &child, err));
        *out = firn_expr_not(p->arena, child);
        return FIRN_OK;
    }
    if (firn_streq(type, "and") || firn_streq(type, "or")) {
        const firn_expr *left, *right;
        FIRN_TRY(parse(p, json_object_get(json, "left"), depth + 1, &left, err));
        FIRN_TRY(parse(p, json_object_get(json, "right"), depth + 1, &right, err));
        *out = type[0] == 'a' ? firn_expr_and(p->arena, left, right)
                              : firn_expr_or(p->arena, left, right);
        return FIRN_OK;
    }
    for (size_t i = 0; i < LEAF_TYPE_COUNT; i++) {
        if (firn_streq(type, leaf_types[i].name))
            return parse_leaf(p, i, json, out, err);
    }
    FIRN_FAIL(err, FIRN_E_INVALID, "unknown predicate type \"%s\"", type);
}

static firn_rc parse(const parser *p, const json_t *json, int depth, const firn_expr **out,
                     firn_err *err)
{
    if (depth > EXPR_DEPTH_MAX)
        FIRN_FAIL(err, FIRN_E_LIMIT, "a predicate nests deeper than %d levels", EXPR_DEPTH_MAX);
    if (json_is_boolean(json)) {
        *out = json_is_true(json) ? firn_expr_true() : firn_expr_false();
        return FIRN_OK;
    }
    const char *type = json_string_value(json_object_get(json, "type"));
    if (!type)
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "a predicate must be true, false or an object with a \"type\"");
    return parse_typed(p, type, json, depth, out, err);
}

firn_rc firn_expr_from_json(firn_arena *arena, const firn_schema *schema, const json_t *json,
                            bool case_sensitive, const firn_expr **out, firn_err *err)
{
    parser p = {.arena = arena, .schema = schema, .case_sensitive = case_sensitive};
    return parse(&p, json, 0, out, err);
}

/* ---- writing -------------------------------------------------------------------------------------------- */

static json_t *leaf_to_json(firn_arena *arena, const firn_schema *schema, const firn_expr *expr)
{
    for (size_t i = 0; i < LEAF_TYPE_COUNT; i++) {
        if (leaf_types[i].op != expr->op)
            continue;
        const char *path = firn_schema_path(arena, schema, expr->field_id);
        json_t *json = json_pack("{s:s, s:s}", "type", leaf_types[i].name, "term",
                                 path ? path : firn_arena_printf(arena, "%d", expr->field_id));
        if (leaf_types[i].args == ARGS_ONE) {
            json_object_set_new(json, "value",
                                firn_value_to_json(arena, expr->type, &expr->values[0]));
        } else if (leaf_types[i].args == ARGS_MANY) {
            json_t *values = json_array();
            for (size_t v = 0; v < expr->n_values; v++)
                json_array_append_new(values,
                                      firn_value_to_json(arena, expr->type, &expr->values[v]));
            json_object_set_new(json, "values", values);
        }
        return json;
    }
    return json_true();
}

json_t *firn_expr_to_json(firn_arena *arena, const firn_schema *schema, const firn_expr *expr)
{
    if (!expr)
        return json_true();
    switch (expr->op) {
    case FIRN_EXPR_TRUE: return json_true();
    case FIRN_EXPR_FALSE: return json_false();
    case FIRN_EXPR_NOT:
        return json_pack("{s:s, s:o}", "type", "not", "child",
                         firn_expr_to_json(arena, schema, expr->left));
    case FIRN_EXPR_AND:
    case FIRN_EXPR_OR:
        return json_pack("{s:s, s:o, s:o}", "type", expr->op == FIRN_EXPR_AND ? "and" : "or",
                         "left", firn_expr_to_json(arena, schema, expr->left), "right",
                         firn_expr_to_json(arena, schema, expr->right));
    default: return leaf_to_json(arena, schema, expr);
    }
}
