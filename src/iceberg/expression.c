/*
 * expression.c - building predicates: leaves over converted literals, simplifying connectives, text for people.
 *
 * Order is the engine's: NaN is equal to itself and greater than every other number, -0.0 equals 0.0. A literal
 * that the column's type cannot hold is moved to the nearest value that keeps the meaning (x > 2.5 on an integer
 * is x >= 3); where that is not possible the leaf becomes weaker and the caller is told.
 */
#include "iceberg/expression.h"

#include "expr_private.h"

#include <math.h>
#include <stdlib.h>

static const firn_expr expr_true = {.op = FIRN_EXPR_TRUE};
static const firn_expr expr_false = {.op = FIRN_EXPR_FALSE};

const firn_expr *firn_expr_true(void)
{
    return &expr_true;
}

const firn_expr *firn_expr_false(void)
{
    return &expr_false;
}

static const firn_expr *node(firn_arena *arena, firn_expr_op op, const firn_expr *left,
                             const firn_expr *right)
{
    firn_expr *expr = FIRN_NEW(arena, firn_expr);
    expr->op = op;
    expr->left = left;
    expr->right = right;
    return expr;
}

const firn_expr *firn_expr_and(firn_arena *arena, const firn_expr *a, const firn_expr *b)
{
    if (!a || a->op == FIRN_EXPR_TRUE)
        return b ? b : &expr_true;
    if (!b || b->op == FIRN_EXPR_TRUE || a == b)
        return a;
    if (a->op == FIRN_EXPR_FALSE || b->op == FIRN_EXPR_FALSE)
        return &expr_false;
    return node(arena, FIRN_EXPR_AND, a, b);
}

const firn_expr *firn_expr_or(firn_arena *arena, const firn_expr *a, const firn_expr *b)
{
    if (!a || !b || a->op == FIRN_EXPR_TRUE || b->op == FIRN_EXPR_TRUE)
        return &expr_true;
    if (a->op == FIRN_EXPR_FALSE || a == b)
        return b;
    if (b->op == FIRN_EXPR_FALSE)
        return a;
    return node(arena, FIRN_EXPR_OR, a, b);
}

const firn_expr *firn_expr_not(firn_arena *arena, const firn_expr *a)
{
    if (!a || a->op == FIRN_EXPR_TRUE)
        return &expr_false;
    if (a->op == FIRN_EXPR_FALSE)
        return &expr_true;
    if (a->op == FIRN_EXPR_NOT)
        return a->left;
    return node(arena, FIRN_EXPR_NOT, a, NULL);
}

/* ---- leaves ------------------------------------------------------------------------------------------- */

const firn_expr *firn_expr_make_leaf(firn_arena *arena, firn_expr_op op, int32_t field_id,
                                     const firn_type *type, const firn_value *values, size_t n)
{
    firn_expr *expr = FIRN_NEW(arena, firn_expr);
    expr->op = op;
    expr->field_id = field_id;
    expr->type = type;
    expr->values = n ? firn_arena_memdup(arena, values, n * sizeof *values) : NULL;
    expr->n_values = n;
    return expr;
}

static int cmp_values(const void *a, const void *b)
{
    return firn_value_cmp(a, b);
}

const firn_expr *firn_expr_make_set(firn_arena *arena, bool negated, int32_t field_id,
                                    const firn_type *type, firn_value *values, size_t n)
{
    qsort(values, n, sizeof *values, cmp_values);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || firn_value_cmp(&values[kept - 1], &values[i]) != 0)
            values[kept++] = values[i];
    }
    firn_expr_op op = negated ? FIRN_EXPR_NOT_IN : FIRN_EXPR_IN;
    if (kept == 1)
        op = negated ? FIRN_EXPR_NOT_EQ : FIRN_EXPR_EQ;
    return firn_expr_make_leaf(arena, op, field_id, type, values, kept);
}

/* A number as a double when that says enough about where it lies between two integers. */
static bool as_double(const firn_value *value, double *out)
{
    switch (value->type) {
    case FIRN_TYPE_INT: *out = value->i32; return true;
    case FIRN_TYPE_LONG: *out = (double)value->i64; return true;
    case FIRN_TYPE_FLOAT: *out = (double)value->f32; return true;
    case FIRN_TYPE_DOUBLE: *out = value->f64; return true;
    case FIRN_TYPE_DECIMAL: *out = (double)value->decimal * pow(10, -value->scale); return true;
    default: return false;
    }
}

typedef enum where { WHERE_UNKNOWN, WHERE_BELOW, WHERE_BETWEEN, WHERE_ABOVE } where;

/* floor(unscaled / 10^scale) */
static __int128 decimal_floor(const firn_value *value)
{
    __int128 divisor = 1;
    for (int32_t i = 0; i < value->scale && i < 38; i++)
        divisor *= 10;
    __int128 quotient = value->decimal / divisor;
    return value->decimal % divisor < 0 ? quotient - 1 : quotient;
}

/* Where a literal that is no value of the discrete type lies: beyond its ends, or between *floor and the next. */
static where place_literal(const firn_type *type, const firn_value *value, firn_value *floor_value)
{
    const int64_t us_per_day = INT64_C(86400000000);
    *floor_value = (firn_value){.type = type->id};
    if (type->id == FIRN_TYPE_DATE) {
        bool is_instant =
            value->type == FIRN_TYPE_TIMESTAMP || value->type == FIRN_TYPE_TIMESTAMPTZ;
        if (!is_instant)
            return WHERE_UNKNOWN;
        int64_t days = value->i64 / us_per_day - (value->i64 % us_per_day < 0);
        floor_value->i32 = (int32_t)days; /* int64 microseconds span fewer days than int32 */
        return WHERE_BETWEEN;
    }
    if (type->id != FIRN_TYPE_INT && type->id != FIRN_TYPE_LONG)
        return WHERE_UNKNOWN;

    __int128 whole;
    if (value->type == FIRN_TYPE_DECIMAL) {
        whole = decimal_floor(value);
    } else {
        double number;
        if (!as_double(value, &number) || isnan(number))
            return WHERE_UNKNOWN;
        if (number >= 0x1p63)
            return WHERE_ABOVE;
        if (number < -0x1p63)
            return WHERE_BELOW;
        whole = value->type == FIRN_TYPE_LONG ? value->i64 : (__int128)floor(number);
    }
    __int128 min = type->id == FIRN_TYPE_INT ? INT32_MIN : INT64_MIN;
    __int128 max = type->id == FIRN_TYPE_INT ? INT32_MAX : INT64_MAX;
    if (whole < min)
        return WHERE_BELOW;
    if (whole >=
        max) /* the next value up does not exist: same as above the end, but for equality */
        return WHERE_ABOVE;
    if (type->id == FIRN_TYPE_INT)
        floor_value->i32 = (int32_t)whole;
    else
        floor_value->i64 = (int64_t)whole;
    return WHERE_BETWEEN;
}

static const firn_expr *unary(firn_arena *arena, firn_expr_op op, const firn_field *field)
{
    return firn_expr_make_leaf(arena, op, field->id, field->type, NULL, 0);
}

/* A comparison with a literal that is no value of the column's type. */
static const firn_expr *inexact_comparison(firn_arena *arena, firn_expr_op op,
                                           const firn_field *field, const firn_value *value,
                                           bool *exact)
{
    firn_value floor_value;
    where place = place_literal(field->type, value, &floor_value);
    bool wants_less = op == FIRN_EXPR_LT || op == FIRN_EXPR_LT_EQ;
    bool wants_more = op == FIRN_EXPR_GT || op == FIRN_EXPR_GT_EQ;
    if (place != WHERE_UNKNOWN && op == FIRN_EXPR_EQ)
        return &expr_false;
    if (place != WHERE_UNKNOWN && op == FIRN_EXPR_NOT_EQ)
        return unary(arena, FIRN_EXPR_NOT_NULL, field);
    if ((place == WHERE_ABOVE && wants_less) || (place == WHERE_BELOW && wants_more))
        return unary(arena, FIRN_EXPR_NOT_NULL, field);
    if ((place == WHERE_ABOVE && wants_more) || (place == WHERE_BELOW && wants_less))
        return &expr_false;
    if (place == WHERE_BETWEEN && (wants_less || wants_more))
        return firn_expr_make_leaf(arena, wants_less ? FIRN_EXPR_LT_EQ : FIRN_EXPR_GT, field->id,
                                   field->type, &floor_value, 1);
    *exact = false;
    return &expr_true;
}

/* NaN is the greatest number and equal to itself. */
static const firn_expr *nan_comparison(firn_arena *arena, firn_expr_op op, const firn_field *field)
{
    switch (op) {
    case FIRN_EXPR_EQ:
    case FIRN_EXPR_GT_EQ: return unary(arena, FIRN_EXPR_IS_NAN, field);
    case FIRN_EXPR_NOT_EQ:
    case FIRN_EXPR_LT: return unary(arena, FIRN_EXPR_NOT_NAN, field);
    case FIRN_EXPR_LT_EQ: return unary(arena, FIRN_EXPR_NOT_NULL, field);
    default: return &expr_false;
    }
}

static const firn_expr *comparison(firn_arena *arena, firn_expr_op op, const firn_field *field,
                                   const firn_value *value, bool *exact)
{
    if (value->is_null)
        return &expr_false;
    firn_value literal;
    if (firn_value_is_nan(value)) {
        bool is_float = field->type->id == FIRN_TYPE_FLOAT || field->type->id == FIRN_TYPE_DOUBLE;
        if (is_float)
            return nan_comparison(arena, op, field);
    } else if (firn_value_convert(arena, value, field->type, &literal)) {
        return firn_expr_make_leaf(arena, op, field->id, field->type, &literal, 1);
    }
    return inexact_comparison(arena, op, field, value, exact);
}

static const firn_expr *set(firn_arena *arena, bool negated, const firn_field *field,
                            const firn_value *values, size_t n, bool *exact)
{
    firn_value *kept = FIRN_NEW_N(arena, firn_value, n + 1);
    size_t n_kept = 0;
    bool has_nan = false;
    for (size_t i = 0; i < n; i++) {
        firn_value ignored;
        if (values[i].is_null) {
            if (negated) /* x NOT IN (..., NULL) is never true */
                return &expr_false;
        } else if (firn_value_is_nan(&values[i])) {
            has_nan = true;
        } else if (firn_value_convert(arena, &values[i], field->type, &kept[n_kept])) {
            n_kept++;
        } else if (place_literal(field->type, &values[i], &ignored) == WHERE_UNKNOWN) {
            *exact = false;
            return &expr_true;
        }
    }
    const firn_expr *of_values = negated ? &expr_true : &expr_false;
    if (n_kept > 0)
        of_values = firn_expr_make_set(arena, negated, field->id, field->type, kept, n_kept);
    else if (negated && n > 0)
        of_values = unary(arena, FIRN_EXPR_NOT_NULL, field);
    if (!has_nan)
        return of_values;
    const firn_expr *of_nan =
        nan_comparison(arena, negated ? FIRN_EXPR_NOT_EQ : FIRN_EXPR_EQ, field);
    return negated ? firn_expr_and(arena, of_values, of_nan)
                   : firn_expr_or(arena, of_values, of_nan);
}

static const firn_expr *prefix(firn_arena *arena, firn_expr_op op, const firn_field *field,
                               const firn_value *value, bool *exact)
{
    if (value->is_null)
        return &expr_false;
    bool text = field->type->id == FIRN_TYPE_STRING && value->type == FIRN_TYPE_STRING;
    bool binary = field->type->id == FIRN_TYPE_BINARY && value->type == FIRN_TYPE_BINARY;
    if (!text && !binary) {
        *exact = false;
        return &expr_true;
    }
    if (value->bytes.len == 0)
        return op == FIRN_EXPR_STARTS_WITH ? unary(arena, FIRN_EXPR_NOT_NULL, field) : &expr_false;
    firn_value literal = *value;
    literal.bytes = firn_bytes_dup(arena, value->bytes);
    return firn_expr_make_leaf(arena, op, field->id, field->type, &literal, 1);
}

const firn_expr *firn_expr_leaf(firn_arena *arena, firn_expr_op op, const firn_field *field,
                                const firn_value *values, size_t n, bool *exact)
{
    bool ignored;
    if (!exact)
        exact = &ignored;
    *exact = true;
    bool is_float = field->type->id == FIRN_TYPE_FLOAT || field->type->id == FIRN_TYPE_DOUBLE;
    switch (op) {
    case FIRN_EXPR_TRUE:
    case FIRN_EXPR_FALSE: return op == FIRN_EXPR_TRUE ? &expr_true : &expr_false;
    case FIRN_EXPR_IS_NULL:
    case FIRN_EXPR_NOT_NULL: return unary(arena, op, field);
    case FIRN_EXPR_IS_NAN: return is_float ? unary(arena, op, field) : &expr_false;
    case FIRN_EXPR_NOT_NAN: return unary(arena, is_float ? op : FIRN_EXPR_NOT_NULL, field);
    case FIRN_EXPR_IN:
    case FIRN_EXPR_NOT_IN: return set(arena, op == FIRN_EXPR_NOT_IN, field, values, n, exact);
    case FIRN_EXPR_STARTS_WITH:
    case FIRN_EXPR_NOT_STARTS_WITH: return prefix(arena, op, field, values, exact);
    case FIRN_EXPR_LT:
    case FIRN_EXPR_LT_EQ:
    case FIRN_EXPR_GT:
    case FIRN_EXPR_GT_EQ:
    case FIRN_EXPR_EQ:
    case FIRN_EXPR_NOT_EQ: return comparison(arena, op, field, values, exact);
    case FIRN_EXPR_AND:
    case FIRN_EXPR_OR:
    case FIRN_EXPR_NOT: break;
    }
    *exact = false; /* not a leaf: a caller's mistake that must not lose rows */
    return &expr_true;
}

/* ---- NOT ------------------------------------------------------------------------------------------------ */

firn_expr_op firn_expr_opposite(firn_expr_op op)
{
    switch (op) {
    case FIRN_EXPR_TRUE: return FIRN_EXPR_FALSE;
    case FIRN_EXPR_FALSE: return FIRN_EXPR_TRUE;
    case FIRN_EXPR_AND: return FIRN_EXPR_OR;
    case FIRN_EXPR_OR: return FIRN_EXPR_AND;
    case FIRN_EXPR_NOT: return FIRN_EXPR_NOT;
    case FIRN_EXPR_IS_NULL: return FIRN_EXPR_NOT_NULL;
    case FIRN_EXPR_NOT_NULL: return FIRN_EXPR_IS_NULL;
    case FIRN_EXPR_IS_NAN: return FIRN_EXPR_NOT_NAN;
    case FIRN_EXPR_NOT_NAN: return FIRN_EXPR_IS_NAN;
    case FIRN_EXPR_LT: return FIRN_EXPR_GT_EQ;
    case FIRN_EXPR_LT_EQ: return FIRN_EXPR_GT;
    case FIRN_EXPR_GT: return FIRN_EXPR_LT_EQ;
    case FIRN_EXPR_GT_EQ: return FIRN_EXPR_LT;
    case FIRN_EXPR_EQ: return FIRN_EXPR_NOT_EQ;
    case FIRN_EXPR_NOT_EQ: return FIRN_EXPR_EQ;
    case FIRN_EXPR_IN: return FIRN_EXPR_NOT_IN;
    case FIRN_EXPR_NOT_IN: return FIRN_EXPR_IN;
    case FIRN_EXPR_STARTS_WITH: return FIRN_EXPR_NOT_STARTS_WITH;
    case FIRN_EXPR_NOT_STARTS_WITH: return FIRN_EXPR_STARTS_WITH;
    }
    return op;
}

static const firn_expr *push_not(firn_arena *arena, const firn_expr *expr, bool negate)
{
    const firn_expr *left, *right;
    switch (expr->op) {
    case FIRN_EXPR_NOT: return push_not(arena, expr->left, !negate);
    case FIRN_EXPR_AND:
    case FIRN_EXPR_OR:
        left = push_not(arena, expr->left, negate);
        right = push_not(arena, expr->right, negate);
        if (!negate && left == expr->left && right == expr->right)
            return expr;
        return (expr->op == FIRN_EXPR_AND) != negate ? firn_expr_and(arena, left, right)
                                                     : firn_expr_or(arena, left, right);
    case FIRN_EXPR_TRUE: return negate ? &expr_false : expr;
    case FIRN_EXPR_FALSE: return negate ? &expr_true : expr;
    default: break;
    }
    if (!negate)
        return expr;
    firn_expr *copy = firn_arena_memdup(arena, expr, sizeof *expr);
    copy->op = firn_expr_opposite(expr->op);
    return copy;
}

const firn_expr *firn_expr_rewrite_not(firn_arena *arena, const firn_expr *expr)
{
    return push_not(arena, expr ? expr : &expr_true, false);
}

/* ---- text ----------------------------------------------------------------------------------------------- */

static const char *op_text(firn_expr_op op)
{
    switch (op) {
    case FIRN_EXPR_IS_NULL: return "IS NULL";
    case FIRN_EXPR_NOT_NULL: return "IS NOT NULL";
    case FIRN_EXPR_IS_NAN: return "IS NAN";
    case FIRN_EXPR_NOT_NAN: return "IS NOT NAN";
    case FIRN_EXPR_LT: return "<";
    case FIRN_EXPR_LT_EQ: return "<=";
    case FIRN_EXPR_GT: return ">";
    case FIRN_EXPR_GT_EQ: return ">=";
    case FIRN_EXPR_EQ: return "=";
    case FIRN_EXPR_NOT_EQ: return "<>";
    case FIRN_EXPR_IN: return "IN";
    case FIRN_EXPR_NOT_IN: return "NOT IN";
    case FIRN_EXPR_STARTS_WITH: return "STARTS WITH";
    case FIRN_EXPR_NOT_STARTS_WITH: return "NOT STARTS WITH";
    default: return "?";
    }
}

static void put_value(firn_buf *buf, const firn_type *type, const firn_value *value)
{
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    char *text = firn_value_text(scratch, type, value);
    bool bare = type->id >= FIRN_TYPE_BOOLEAN && type->id <= FIRN_TYPE_DECIMAL;
    firn_buf_puts(buf, bare || value->is_null ? text : firn_sql_quote(scratch, text));
}

static void put_expr(firn_buf *buf, firn_arena *arena, const firn_schema *schema,
                     const firn_expr *expr, bool nested)
{
    enum { VALUES_SHOWN_MAX = 10 };
    switch (expr->op) {
    case FIRN_EXPR_TRUE: firn_buf_puts(buf, "true"); return;
    case FIRN_EXPR_FALSE: firn_buf_puts(buf, "false"); return;
    case FIRN_EXPR_NOT:
        firn_buf_puts(buf, "NOT ");
        put_expr(buf, arena, schema, expr->left, true);
        return;
    case FIRN_EXPR_AND:
    case FIRN_EXPR_OR:
        firn_buf_puts(buf, nested ? "(" : "");
        put_expr(buf, arena, schema, expr->left, expr->left->op != expr->op);
        firn_buf_puts(buf, expr->op == FIRN_EXPR_AND ? " AND " : " OR ");
        put_expr(buf, arena, schema, expr->right, expr->right->op != expr->op);
        firn_buf_puts(buf, nested ? ")" : "");
        return;
    default: break;
    }
    const char *path = schema ? firn_schema_path(arena, schema, expr->field_id) : NULL;
    if (path)
        firn_buf_printf(buf, "%s %s", path, op_text(expr->op));
    else
        firn_buf_printf(buf, "field %d %s", expr->field_id, op_text(expr->op));
    bool is_set = expr->op == FIRN_EXPR_IN || expr->op == FIRN_EXPR_NOT_IN;
    if (is_set)
        firn_buf_puts(buf, " (");
    for (size_t i = 0; i < expr->n_values && i < VALUES_SHOWN_MAX; i++) {
        firn_buf_puts(buf, !is_set ? " " : i ? ", " : "");
        put_value(buf, expr->type, &expr->values[i]);
    }
    if (is_set && expr->n_values > VALUES_SHOWN_MAX)
        firn_buf_printf(buf, ", ... %zu more", expr->n_values - VALUES_SHOWN_MAX);
    if (is_set)
        firn_buf_puts(buf, ")");
}

char *firn_expr_text(firn_arena *arena, const firn_schema *schema, const firn_expr *expr)
{
    FIRN_AUTO_BUF firn_buf buf = {0};
    put_expr(&buf, arena, schema, expr ? expr : &expr_true, false);
    return firn_arena_strndup(arena, firn_buf_cstr(&buf), buf.len);
}
