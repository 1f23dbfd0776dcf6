/* Arrow rows into many tables: by a column's value, by what a statement gives, and what goes wrong. */
#include "arrow_rows.h"

static firn_route *routes_of(lake_fixture *f, const firn_rows *rows, size_t n, const char *sql,
                             const char *by, size_t *n_routes)
{
    firn_err err = {0};
    firn_route *routes = NULL;
    const firn_rows_parting parting = {
        .rows = rows, .n_rows = n, .sql = sql, .by = by, .routes_max = 5};
    lake_check(firn_rows_route(f->session, f->arena, &parting, &routes, n_routes, &err), &err, by);
    return routes;
}

/* Every kind of column, picked row by row; the parts together are the whole. */
static void routes_part_rows(void **state)
{
    lake_fixture *f = *state;
    const char *const queries[] = {
        rows_with_nulls(f->arena, firn_str_replace(f->arena, ROWS_FLAT, "ROWS", "5000"), 13),
        firn_str_replace(f->arena, ROWS_NESTED, "ROWS", "5000"),
    };
    for (int q = 0; q < 2; q++) {
        arrow_sql given = arrow_of_sql(f, queries[q]);
        const char *name = q == 0 ? "flat" : "nested";
        size_t n = 0;
        lake_exec(f, rows_create(f, name, given.rows.items, 2));
        given.rows.items[0].from = 0;
        firn_route *routes =
            routes_of(f, given.rows.items, given.rows.len, NULL,
                      "CASE WHEN id % 7 < 3 THEN 'r' || id % 7 WHEN id > 4000 THEN 'late' END", &n);
        assert_int_equal(n, 5);
        assert_null(routes[0].value);
        assert_string_equal(routes[1].value, "late");
        assert_string_equal(routes[2].value, "r0");
        assert_int_equal(routes[2].count, 715);
        for (size_t i = 0; i < n; i++) {
            rows_append(f, name, routes[i].rows, routes[i].n_rows, NULL);
        }
        rows_expect(f, name,
                    firn_str_replace(f->arena, queries[q], "::BIGINT[3]", "::BIGINT[3]::BIGINT[]"),
                    "5000");
        /* parts of parts */
        firn_route *inner = routes_of(f, routes[2].rows, routes[2].n_rows, NULL, "id % 2", &n);
        assert_int_equal(n, 3);
        assert_int_equal(inner[0].count, 0);
        assert_int_equal(inner[1].count + inner[2].count, 715);
    }
}

static void routes_see_what_the_statement_gives(void **state)
{
    lake_fixture *f = *state;
    lake_exec(
        f,
        "CREATE TABLE names (k bigint, name varchar); INSERT INTO names VALUES (0, 'zero'), (1, 'one');"
        "CREATE TABLE t (id bigint, name varchar, u uuid, h decimal(38,0), e varchar)");
    arrow_sql given = arrow_of_sql(f, "SELECT i AS id FROM range(5000) r(i)");
    size_t n = 0;
    const char *sql =
        "SELECT b.id, n.name, CAST(md5(CAST(id AS VARCHAR)) AS UUID) AS u, CAST(id AS HUGEINT) AS h, "
        "CAST('a' AS ENUM('a', 'b')) AS e FROM batch AS b LEFT JOIN names AS n ON b.id % 3 = n.k WHERE id >= 3";
    firn_route *routes = routes_of(f, given.rows.items, given.rows.len, sql, "name", &n);
    assert_int_equal(n, 3);
    assert_string_equal(routes[1].value, "one");
    for (size_t i = 0; i < n; i++) {
        rows_append(f, "t", routes[i].rows, routes[i].n_rows, NULL);
    }
    lake_expect(
        f,
        "SELECT name, count(*), min(id), max(h) FROM t WHERE u = CAST(md5(CAST(id AS VARCHAR)) AS UUID) AND e = 'a' GROUP BY name ORDER BY name",
        "one|1666|4|4999\nzero|1666|3|4998\nNULL|1665|5|4997");
    firn_err err = {0};
    firn_schema *schema = NULL;
    lake_check(firn_rows_describe(f->session, f->arena, routes[0].rows, routes[0].n_rows, NULL, 2,
                                  &schema, &err),
               &err, "t");
    assert_string_equal(firn_type_text(f->arena, schema->root.fields[2].type), "uuid");
}

static void routes_without_rows_and_too_many_are_told(void **state)
{
    lake_fixture *f = *state;
    arrow_sql given = arrow_of_sql(f, "SELECT i AS id FROM range(10) r(i)");
    size_t n = 0;
    firn_route *routes =
        routes_of(f, given.rows.items, 1, "SELECT * FROM batch WHERE id < 0", "id", &n);
    assert_int_equal(n, 1);
    assert_int_equal(routes[0].count, 0);
    assert_int_equal(routes[0].n_rows, 1);
    const struct {
        const char *by, *says;
        firn_rc code;
    } CASES[] = {{"id", "more than 5 routes", FIRN_E_LIMIT},
                 {"idd", "idd", FIRN_E_NO_COLUMN},
                 {"id) FROM batch; --", "", FIRN_E_SYNTAX},
                 {"strptime('x', '%Y')", "x", FIRN_E_TYPE}};
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        const firn_rows_parting parting = {
            .rows = given.rows.items, .n_rows = 1, .by = CASES[i].by, .routes_max = 5};
        f->err = (firn_err){0};
        firn_rc rc = firn_rows_route(f->session, f->arena, &parting, &routes, &n, &f->err);
        if (rc != CASES[i].code) {
            fail_msg("%s: %s: %s", CASES[i].by, firn_rc_name(rc), f->err.message);
        }
        lake_contains(f->err.message, CASES[i].says);
    }
    static const uint32_t BEYOND[] = {3, 10};
    given.rows.items[0].pick = BEYOND;
    given.rows.items[0].count = 2;
    lake_exec(f, "CREATE TABLE t (id bigint)");
    lake_contains(rows_fail(f, "t", given.rows.items, 1, NULL, FIRN_E_INVALID), "do not exist");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(routes_part_rows, lake_setup, lake_teardown),
        cmocka_unit_test_setup_teardown(routes_see_what_the_statement_gives, lake_setup,
                                        lake_teardown),
        cmocka_unit_test_setup_teardown(routes_without_rows_and_too_many_are_told, lake_setup,
                                        lake_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
