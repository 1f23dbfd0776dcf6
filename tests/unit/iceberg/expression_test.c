/* Predicates: how leaves take literals, how trees simplify, what they project to, and their JSON and text. Whether
 * projections are true is scan_test's business (test_never_loses_a_row). */
#include "files_testing.h"

#include "base/time.h"

#include <math.h>

static const firn_metadata *table;

static int set_up_table(void **state)
{
    if (set_up(state) != 0)
        return 1;
    table = new_table(2, NULL, NULL);
    return 0;
}

static const firn_field *field(const char *name)
{
    const firn_field *found = firn_schema_find_name(table->schema, name, true);
    assert_non_null(found);
    return found;
}

static const char *text(const firn_expr *expr)
{
    return firn_expr_text(arena, table->schema, expr);
}

static const firn_expr *leaf(firn_expr_op op, const char *column, firn_value value)
{
    bool exact;
    const firn_expr *expr = firn_expr_leaf(arena, op, field(column), &value, 1, &exact);
    assert_true(exact);
    return expr;
}

static firn_value of_long(int64_t v)
{
    return (firn_value){.type = FIRN_TYPE_LONG, .i64 = v};
}
static firn_value of_double(double v)
{
    return (firn_value){.type = FIRN_TYPE_DOUBLE, .f64 = v};
}
static firn_value of_decimal(int64_t unscaled, int32_t scale)
{
    return (firn_value){.type = FIRN_TYPE_DECIMAL, .scale = scale, .decimal = unscaled};
}
static firn_value of_text(const char *v)
{
    return (firn_value){.type = FIRN_TYPE_STRING, .bytes = firn_bytes_str(v)};
}
static firn_value of_timestamp(const char *v)
{
    firn_value value = {.type = FIRN_TYPE_TIMESTAMP};
    assert_true(firn_parse_timestamp(v, &value.i64, NULL));
    return value;
}

/* A literal between two values of the column's type moves to one of them. */
static void test_literals_between_values(void **state)
{
    (void)state;
    assert_string_equal(text(leaf(FIRN_EXPR_GT, "id", of_double(2.5))), "id > 2");
    assert_string_equal(text(leaf(FIRN_EXPR_GT_EQ, "id", of_double(-2.5))), "id > -3");
    assert_string_equal(text(leaf(FIRN_EXPR_LT, "id", of_decimal(-25, 1))), "id <= -3");
    assert_string_equal(text(leaf(FIRN_EXPR_LT_EQ, "id", of_decimal(25, 1))), "id <= 2");
    assert_string_equal(text(leaf(FIRN_EXPR_EQ, "id", of_double(2.5))), "false");
    assert_string_equal(text(leaf(FIRN_EXPR_NOT_EQ, "id", of_double(2.5))), "id IS NOT NULL");
    assert_string_equal(text(leaf(FIRN_EXPR_EQ, "id", of_double(3))), "id = 3");
    assert_string_equal(text(leaf(FIRN_EXPR_LT, "id", of_double(1e300))), "id IS NOT NULL");
    assert_string_equal(text(leaf(FIRN_EXPR_GT, "id", of_double(1e300))), "false");
    assert_string_equal(text(leaf(FIRN_EXPR_GT, "id", of_double(-INFINITY))), "id IS NOT NULL");
    assert_string_equal(text(leaf(FIRN_EXPR_GT_EQ, "day", of_timestamp("1970-01-11 10:00"))),
                        "day > '1970-01-11'");
    assert_string_equal(text(leaf(FIRN_EXPR_LT, "day", of_timestamp("1969-12-31 10:00"))),
                        "day <= '1969-12-31'");
    assert_string_equal(text(leaf(FIRN_EXPR_EQ, "amount", of_long(5))), "amount = 5.00");
    assert_string_equal(text(leaf(FIRN_EXPR_EQ, "day", of_text("2024-02-15"))),
                        "day = '2024-02-15'");
}

static void test_inexact_leaf_is_true(void **state)
{
    (void)state;
    bool exact;
    firn_value value = of_text("no date");
    const firn_expr *expr = firn_expr_leaf(arena, FIRN_EXPR_EQ, field("day"), &value, 1, &exact);
    assert_false(exact);
    assert_int_equal(expr->op, FIRN_EXPR_TRUE);
    value = of_long(5);
    expr = firn_expr_leaf(arena, FIRN_EXPR_STARTS_WITH, field("name"), &value, 1, &exact);
    assert_false(exact);
    assert_int_equal(expr->op, FIRN_EXPR_TRUE);
}

static void test_nulls_and_nans(void **state)
{
    (void)state;
    assert_string_equal(text(leaf(FIRN_EXPR_EQ, "id", firn_value_null(FIRN_TYPE_LONG))), "false");
    assert_string_equal(text(leaf(FIRN_EXPR_EQ, "price", of_double(NAN))), "price IS NAN");
    assert_string_equal(text(leaf(FIRN_EXPR_GT, "price", of_double(NAN))), "false");
    assert_string_equal(text(leaf(FIRN_EXPR_LT_EQ, "price", of_double(NAN))), "price IS NOT NULL");
    assert_string_equal(text(leaf(FIRN_EXPR_IS_NAN, "id", of_long(0))), "false");
    firn_value values[] = {of_long(7), firn_value_null(FIRN_TYPE_LONG), of_long(3), of_long(7)};
    assert_string_equal(text(firn_expr_leaf(arena, FIRN_EXPR_IN, field("id"), values, 4, NULL)),
                        "id IN (3, 7)");
    assert_string_equal(text(firn_expr_leaf(arena, FIRN_EXPR_NOT_IN, field("id"), values, 4, NULL)),
                        "false");
    assert_string_equal(text(firn_expr_leaf(arena, FIRN_EXPR_NOT_IN, field("id"), values, 1, NULL)),
                        "id <> 7");
    firn_value mixed[] = {of_double(1.5), of_double(NAN)};
    assert_string_equal(text(firn_expr_leaf(arena, FIRN_EXPR_IN, field("price"), mixed, 2, NULL)),
                        "price = 1.5 OR price IS NAN");
    assert_string_equal(text(leaf(FIRN_EXPR_STARTS_WITH, "name", of_text(""))), "name IS NOT NULL");
}

static void test_simplifies(void **state)
{
    (void)state;
    const firn_expr *x = leaf(FIRN_EXPR_EQ, "id", of_long(1)), *t = firn_expr_true(),
                    *f = firn_expr_false();
    assert_ptr_equal(firn_expr_and(arena, t, x), x);
    assert_ptr_equal(firn_expr_and(arena, x, NULL), x);
    assert_ptr_equal(firn_expr_and(arena, NULL, NULL), t);
    assert_ptr_equal(firn_expr_and(arena, x, f), f);
    assert_ptr_equal(firn_expr_or(arena, f, x), x);
    assert_ptr_equal(firn_expr_or(arena, x, NULL), t);
    assert_ptr_equal(firn_expr_not(arena, firn_expr_not(arena, x)), x);
    assert_ptr_equal(firn_expr_not(arena, NULL), f);
    const firn_expr *y = leaf(FIRN_EXPR_LT, "day", of_text("2024-01-01"));
    const firn_expr *both = firn_expr_not(arena, firn_expr_and(arena, x, y));
    assert_string_equal(text(firn_expr_rewrite_not(arena, both)), "id <> 1 OR day >= '2024-01-01'");
}

static void test_json(void **state)
{
    (void)state;
    static const char *const same[] = {
        "{'type':'and','left':{'type':'gt-eq','term':'id','value':5},'right':{'type':'or','left':"
        "{'type':'starts-with','term':'name','value':'ab'},'right':{'type':'not','child':"
        "{'type':'in','term':'day','values':['2024-01-01','2024-02-01']}}}}",
        "{'type':'is-null','term':'price'}",
        "{'type':'not-in','term':'amount','values':['-1.50','12.00']}",
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        json_t *json = json_of(same[i]);
        const firn_expr *expr;
        MUST(firn_expr_from_json(arena, table->schema, json, true, &expr, &err));
        json_t *back = firn_json_own(arena, firn_expr_to_json(arena, table->schema, expr));
        if (!json_equal(json, back))
            fail_msg("%s became %s", same[i], firn_json_text(arena, back));
    }
    assert_string_equal(text(where(table, "{'type':'true'}")), "true");
    const firn_expr *expr;
    MUST(firn_expr_from_json(arena, table->schema, json_false(), true, &expr, &err));
    assert_int_equal(expr->op, FIRN_EXPR_FALSE);
    MUST(firn_expr_from_json(arena, table->schema,
                             json_of("{'type':'eq','term':{'type':'reference','term':'ID'},"
                                     "'value':{'type':'literal','value':3}}"),
                             false, &expr, &err));
    assert_string_equal(text(expr), "id = 3");
}

static void refuse(const char *json, firn_rc code, const char *message)
{
    const firn_expr *expr;
    MUST_FAIL(firn_expr_from_json(arena, table->schema, json_of(json), true, &expr, &err), code,
              message);
}

static void test_bad_json(void **state)
{
    (void)state;
    refuse("{'type':'eq','term':'nix','value':1}", FIRN_E_NO_COLUMN, "no column \"nix\"");
    refuse("{'type':'near','term':'id','value':1}", FIRN_E_INVALID, "\"near\"");
    refuse("{'type':'eq','term':'id'}", FIRN_E_INVALID, "has no value");
    refuse("{'type':'in','term':'id','values':1}", FIRN_E_INVALID, "no array");
    refuse("{'term':'id','value':1}", FIRN_E_INVALID, "must be true, false or an object");
    refuse("{'type':'not'}", FIRN_E_INVALID, "must be true");
    refuse(
        "{'type':'eq','term':{'type':'transform','transform':'bucket[4]','term':'id'},'value':1}",
        FIRN_E_UNSUPPORTED, "transform");
    FIRN_AUTO_BUF firn_buf deep = {0};
    for (int i = 0; i < 600; i++)
        firn_buf_puts(&deep, "{'type':'not','child':");
    firn_buf_puts(&deep, "{'type':'true'}");
    for (int i = 0; i < 600; i++)
        firn_buf_puts(&deep, "}");
    refuse(firn_buf_cstr(&deep), FIRN_E_LIMIT, "deeper than");
}

/* ---- projections, as the rules of expr_project.c say ---- */

static void project(const char *transform, int source, const char *filter, const char *inclusive,
                    const char *strict)
{
    firn_partition_spec *spec;
    MUST(firn_partition_spec_from_json(
        arena,
        json_of(firn_arena_printf(arena,
                                  "{'spec-id':0,'fields':[{'source-id':%d,'field-id':1000,"
                                  "'name':'p','transform':'%s'}]}",
                                  source, transform)),
        "test", &spec, &err));
    const firn_expr *expr = where(table, filter);
    assert_string_equal(
        firn_expr_text(arena, NULL, firn_expr_project(arena, expr, table->schema, spec, false)),
        inclusive);
    assert_string_equal(
        firn_expr_text(arena, NULL, firn_expr_project(arena, expr, table->schema, spec, true)),
        strict);
}

static void test_projections(void **state)
{
    (void)state;
    project("identity", 1, "{'type':'lt','term':'id','value':25}", "field 1000 < 25",
            "field 1000 < 25");
    project("truncate[10]", 1, "{'type':'lt','term':'id','value':20}", "field 1000 <= 10",
            "field 1000 < 20");
    project("truncate[10]", 1, "{'type':'lt-eq','term':'id','value':19}", "field 1000 <= 10",
            "field 1000 < 20");
    project("truncate[10]", 1, "{'type':'gt','term':'id','value':19}", "field 1000 >= 20",
            "field 1000 > 10");
    project("truncate[10]", 1, "{'type':'gt-eq','term':'id','value':20}", "field 1000 >= 20",
            "field 1000 > 10");
    project("truncate[10]", 1, "{'type':'lt','term':'id','value':21}", "field 1000 <= 20",
            "field 1000 < 20");
    project("truncate[10]", 1, "{'type':'gt','term':'id','value':18}", "field 1000 >= 10",
            "field 1000 > 10");
    project("truncate[10]", 1, "{'type':'lt-eq','term':'id','value':18}", "field 1000 <= 10",
            "field 1000 < 10");
    project("truncate[10]", 1, "{'type':'gt-eq','term':'id','value':21}", "field 1000 >= 20",
            "field 1000 > 20");
    project("truncate[10]", 1, "{'type':'eq','term':'id','value':25}", "field 1000 = 20", "false");
    project("truncate[10]", 1, "{'type':'not-eq','term':'id','value':25}", "true",
            "field 1000 <> 20");
    project("bucket[16]", 1, "{'type':'eq','term':'id','value':34}", "field 1000 = 3", "false");
    project("bucket[16]", 1, "{'type':'gt','term':'id','value':34}", "true", "false");
    project("bucket[16]", 1, "{'type':'not-eq','term':'id','value':34}", "true", "field 1000 <> 3");
    project("truncate[2]", 3, "{'type':'starts-with','term':'name','value':'a'}",
            "field 1000 STARTS WITH 'a'", "field 1000 STARTS WITH 'a'");
    project("truncate[2]", 3, "{'type':'starts-with','term':'name','value':'é1'}",
            "field 1000 = 'é1'", "field 1000 = 'é1'");
    project("truncate[2]", 3, "{'type':'starts-with','term':'name','value':'abc'}",
            "field 1000 = 'ab'", "false");
    project("truncate[2]", 3, "{'type':'not-starts-with','term':'name','value':'abc'}", "true",
            "field 1000 <> 'ab'");
    project("year", 2, "{'type':'gt','term':'day','value':'2023-12-31'}", "field 1000 >= 54",
            "field 1000 > 53");
    project("year", 2, "{'type':'lt','term':'day','value':'1969-06-01'}", "field 1000 <= 0",
            "field 1000 < -1");
    project("year", 2, "{'type':'eq','term':'day','value':'1969-06-01'}", "field 1000 IN (-1, 0)",
            "false");
    project("void", 1, "{'type':'eq','term':'id','value':1}", "true", "false");
    project("day", 2, "{'type':'is-null','term':'day'}", "field 1000 IS NULL",
            "field 1000 IS NULL");
    project("identity", 2, "{'type':'eq','term':'id','value':1}", "true", "false");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_table, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_literals_between_values),
        TEST(test_inexact_leaf_is_true),
        TEST(test_nulls_and_nans),
        TEST(test_simplifies),
        TEST(test_json),
        TEST(test_bad_json),
        TEST(test_projections),
    };
    return cmocka_run_group_tests_name("expression", tests, NULL, NULL);
}
