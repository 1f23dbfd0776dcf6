/*
 * expr_json.c - predicates as the REST specification's "Expression" (what Java's ExpressionParser writes).
 *
 * true and false are JSON booleans on writing; {"type": "true"} is read, too. Literals are single-value JSON of the
 * column's type. Terms that apply a transform are refused: as a weaker predicate they would be wrong under NOT.
 *
 * A filter for pruning (firn_expr_from_filter_json) may be weaker than what it says, so NOT is pushed down to the leaves while
 * reading, and each leaf weakens by itself.
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

/* ---- filters for pruning ---------------------------------------------------------------------------------- */

typedef struct filter_parser {
    parser p;
    bool exact;
} filter_parser;

/* The column that a term names, in one of its spellings; NULL when it applies a function to columns. */
static firn_rc filter_term(const filter_parser *f, const json_t *json, const firn_field **out,
                           firn_err *err)
{
    static const char *const members[] = {"term", "left", "child"};
    const json_t *term = NULL;
    *out = NULL;
    for (size_t i = 0; !term && i < 3; i++)
        term = json_object_get(json, members[i]);
    const char *type = json_string_value(json_object_get(term, "type"));
    if (type && !firn_streq(type, "reference"))
        return FIRN_OK;
    const json_t *id = json_object_get(term, "id");
    const char *name = json_string_value(term);
    if (!name)
        name = json_string_value(json_object_get(term, "name"));
    if (!name)
        name = json_string_value(json_object_get(term, "term"));
    if (json_is_integer(id) && json_integer_value(id) <= INT32_MAX && json_integer_value(id) >= 0)
        *out = firn_schema_find_id(f->p.schema, (int32_t)json_integer_value(id));
    else if (name)
        *out = firn_schema_find_name(f->p.schema, name, f->p.case_sensitive);
    else
        FIRN_FAIL(err, FIRN_E_INVALID, "a predicate of the filter names no column");
    if (!*out)
        FIRN_FAIL(err, FIRN_E_NO_COLUMN, "Cannot find field '%.200s' of the filter",
                  name ? name : "");
    return FIRN_OK;
}

/* Numbers as Java's unbound literals have them: days, microseconds, integers for every kind of number. */
static bool natural_value(const firn_type *type, const json_t *json, firn_value *out)
{
    if (json_is_real(json)) {
        *out = (firn_value){.type = FIRN_TYPE_DOUBLE, .f64 = json_real_value(json)};
        return type->id <= FIRN_TYPE_DECIMAL && type->id != FIRN_TYPE_BOOLEAN;
    }
    if (!json_is_integer(json))
        return false;
    int64_t number = json_integer_value(json);
    switch (type->id) {
    case FIRN_TYPE_DATE:
        *out = (firn_value){.type = FIRN_TYPE_DATE, .i32 = (int32_t)number};
        return number >= INT32_MIN && number <= INT32_MAX;
    case FIRN_TYPE_TIME:
    case FIRN_TYPE_TIMESTAMP:
    case FIRN_TYPE_TIMESTAMPTZ: *out = (firn_value){.type = type->id, .i64 = number}; return true;
    case FIRN_TYPE_TIMESTAMP_NS:
    case FIRN_TYPE_TIMESTAMPTZ_NS:
        *out = (firn_value){.type = type->id};
        return !__builtin_mul_overflow(number, 1000, &out->i64);
    case FIRN_TYPE_INT:
    case FIRN_TYPE_LONG:
    case FIRN_TYPE_FLOAT:
    case FIRN_TYPE_DOUBLE:
    case FIRN_TYPE_DECIMAL: *out = (firn_value){.type = FIRN_TYPE_LONG, .i64 = number}; return true;
    default: return false;
    }
}

static firn_rc filter_value(const filter_parser *f, const firn_field *field, const json_t *json,
                            firn_value *out, firn_err *err)
{
    if (json_is_object(json) && json_object_get(json, "value"))
        json = json_object_get(json, "value");
    if (!json || json_is_null(json))
        FIRN_FAIL(err, FIRN_E_INVALID, "a predicate on column \"%s\" has no value", field->name);
    firn_rc rc = firn_value_from_json(f->p.arena, field->type, json, out, err);
    if (rc == FIRN_OK || natural_value(field->type, json, out))
        return FIRN_OK;
    if (json_is_string(json) && firn_value_from_text(f->p.arena, field->type,
                                                     json_string_value(json), out, NULL) == FIRN_OK)
        return FIRN_OK;
    return firn_err_wrap(err, rc, "the filter's value for column \"%s\"", field->name);
}

static firn_rc filter_values(const filter_parser *f, size_t type, const firn_field *field,
                             const json_t *json, firn_value **out, size_t *n, firn_err *err)
{
    const json_t *one = json_object_get(json, "value");
    const json_t *many = json_object_get(json, "values");
    *n = leaf_types[type].args == ARGS_ONE ? 1 : 0;
    if (leaf_types[type].args == ARGS_MANY) {
        if (!json_is_array(many))
            FIRN_FAIL(err, FIRN_E_INVALID, "predicate \"%s\" has no array \"values\"",
                      leaf_types[type].name);
        *n = json_array_size(many);
    }
    if (*n > EXPR_VALUES_MAX)
        FIRN_FAIL(err, FIRN_E_LIMIT, "predicate \"%s\" lists %zu values; at most %d are allowed",
                  leaf_types[type].name, *n, EXPR_VALUES_MAX);
    *out = FIRN_NEW_N(f->p.arena, firn_value, *n);
    for (size_t i = 0; i < *n; i++) {
        const json_t *value = one ? one : json_object_get(json, "right");
        value = leaf_types[type].args == ARGS_MANY ? json_array_get(many, i) : value;
        FIRN_TRY(filter_value(f, field, value, &(*out)[i], err));
    }
    return FIRN_OK;
}

static bool selects_nulls_in_java(firn_expr_op op)
{
    return op == FIRN_EXPR_NOT_EQ || op == FIRN_EXPR_NOT_IN || op == FIRN_EXPR_NOT_STARTS_WITH;
}

static firn_rc filter_leaf(filter_parser *f, size_t type, const json_t *json, bool negated,
                           const firn_expr **out, firn_err *err)
{
    firn_arena *arena = f->p.arena;
    const firn_field *field;
    firn_value *values;
    size_t n;
    bool exact = false;
    FIRN_TRY(filter_term(f, json, &field, err));
    firn_expr_op op = leaf_types[type].op;
    op = negated ? firn_expr_opposite(op) : op;
    bool null_test = op == FIRN_EXPR_IS_NULL || op == FIRN_EXPR_NOT_NULL;
    *out = firn_expr_true();
    if (!field || (firn_type_is_nested(field->type) && null_test)) {
        f->exact = false; /* of these nothing is known per file */
        return FIRN_OK;
    }
    if (firn_type_is_nested(field->type))
        FIRN_FAIL(err, FIRN_E_TYPE, "column \"%s\" is a %s, which predicates cannot compare",
                  field->name, firn_type_text(arena, field->type));
    FIRN_TRY(filter_values(f, type, field, json, &values, &n, err));
    *out = firn_expr_leaf(arena, op, field, values, n, &exact);
    bool is_float = field->type->id == FIRN_TYPE_FLOAT || field->type->id == FIRN_TYPE_DOUBLE;
    if (selects_nulls_in_java(op)) {
        bool ignored;
        *out = firn_expr_or(arena, *out,
                            firn_expr_leaf(arena, FIRN_EXPR_IS_NULL, field, NULL, 0, &ignored));
        exact = false;
    }
    f->exact = f->exact && exact && !is_float;
    return FIRN_OK;
}

static firn_rc filter_parse(filter_parser *f, const json_t *json, bool negated, int depth,
                            const firn_expr **out, firn_err *err)
{
    if (depth > EXPR_DEPTH_MAX)
        FIRN_FAIL(err, FIRN_E_LIMIT, "the filter nests deeper than %d levels", EXPR_DEPTH_MAX);
    const char *type = json_string_value(json_object_get(json, "type"));
    const json_t *constant =
        type && firn_streq(type, "literal") ? json_object_get(json, "value") : json;
    bool is_true = json_is_true(constant) || (type && firn_streq(type, "true"));
    if (is_true || json_is_false(constant) || (type && firn_streq(type, "false"))) {
        *out = is_true != negated ? firn_expr_true() : firn_expr_false();
        return FIRN_OK;
    }
    if (!type)
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "a predicate of the filter must be true, false or an object with a \"type\"");
    if (firn_streq(type, "not"))
        return filter_parse(f, json_object_get(json, "child"), !negated, depth + 1, out, err);
    if (firn_streq(type, "and") || firn_streq(type, "or")) {
        const firn_expr *left, *right;
        FIRN_TRY(filter_parse(f, json_object_get(json, "left"), negated, depth + 1, &left, err));
        FIRN_TRY(filter_parse(f, json_object_get(json, "right"), negated, depth + 1, &right, err));
        bool both = (type[0] == 'a') != negated;
        *out =
            both ? firn_expr_and(f->p.arena, left, right) : firn_expr_or(f->p.arena, left, right);
        return FIRN_OK;
    }
    for (size_t i = 0; i < LEAF_TYPE_COUNT; i++) {
        if (firn_streq(type, leaf_types[i].name))
            return filter_leaf(f, i, json, negated, out, err);
    }
    FIRN_FAIL(err, FIRN_E_INVALID, "unknown predicate type \"%.50s\" in the filter", type);
}

firn_rc firn_expr_from_filter_json(firn_arena *arena, const firn_schema *schema, const json_t *json,
                                   bool case_sensitive, const firn_expr **out, bool *exact,
                                   firn_err *err)
{
    filter_parser f = {.p = {.arena = arena, .schema = schema, .case_sensitive = case_sensitive},
                       .exact = true};
    FIRN_TRY(filter_parse(&f, json, false, 0, out, err));
    *exact = f.exact;
    return FIRN_OK;
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
