/* Pruning must never lose a row: queries with generated predicates over a table of many small files, against the same rows in one
 * temporary table that nothing prunes. And what predicates DML can rely on (firn_read_predicate).
 */
#include "read.h"

#include "lake_fixture.h"

#include <inttypes.h>

/* Rows that try the corners: nulls, NaN, infinities, both zeros, empty and long texts, times before 1970. */
#define ROWS                                                                                                                    \
    "SELECT i::INTEGER AS i, CASE WHEN i % 11 = 0 THEN NULL ELSE (hash(i) % 200)::BIGINT - 100 END AS b, "                      \
    "CASE i % 13 WHEN 0 THEN NULL WHEN 1 THEN 'nan'::DOUBLE WHEN 2 THEN -0.0 WHEN 3 THEN 0.0 WHEN 4 THEN 'inf'::DOUBLE "        \
    "WHEN 5 THEN '-inf'::DOUBLE ELSE ((hash(i + 1) % 100)::DOUBLE - 50) / 4 END AS d, "                                         \
    "CASE WHEN i % 17 = 0 THEN NULL WHEN i % 17 = 1 THEN '' ELSE chr(97 + (hash(i + 2) % 5)::INT) || i END AS s, "              \
    "CASE WHEN i % 19 = 0 THEN NULL ELSE DATE '1969-12-01' + (hash(i + 3) % 90)::INT END AS dt, "                               \
    "CASE WHEN i % 7 = 0 THEN NULL ELSE TIMESTAMP '1969-12-31 20:00:00' + to_minutes((hash(i + 4) % 3000)::BIGINT) END AS ts, " \
    "((hash(i + 5) % 2000)::INT - 1000)::DECIMAL(9,2) / 8 AS dec, CASE i % 3 WHEN 0 THEN true WHEN 1 THEN false END AS f, "     \
    "CASE WHEN i % 23 = 0 THEN NULL ELSE {'x': (hash(i + 6) % 50)::INTEGER, 'y': 'k' || (i % 4)} END AS st "

static int setup(void **state)
{
    lake_setup(state);
    lake_fixture *f = *state;
    lake_exec(f, "CREATE TEMP TABLE rows AS " ROWS "FROM range(400) t(i)");
    lake_exec(
        f,
        "CREATE TABLE t (i INTEGER, b BIGINT, d DOUBLE, s VARCHAR, dt DATE, ts TIMESTAMP, dec DECIMAL(18,4), f BOOLEAN, "
        "st STRUCT(x INTEGER, y VARCHAR)) PARTITIONED BY (days(ts), truncate(1, s))");
    for (int i = 0; i < 3; i++) {
        lake_exec(f, firn_arena_printf(f->arena,
                                       "INSERT INTO t SELECT * FROM rows WHERE i %% 3 = %d", i));
    }
    lake_exec(
        f,
        "CREATE TABLE flat (i INTEGER, b BIGINT, d DOUBLE, s VARCHAR, dt DATE, ts TIMESTAMP, dec DECIMAL(18,4), f BOOLEAN, "
        "st STRUCT(x INTEGER, y VARCHAR))");
    for (int i = 0; i < 40; i++) { /* ten rows a file: bounds are tight */
        lake_exec(f, firn_arena_printf(
                         f->arena, "INSERT INTO flat SELECT * FROM rows WHERE i // 10 = %d", i));
    }
    return 0;
}

static uint64_t next(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 33;
}

static const char *pick(uint64_t *seed, const char *const *from, size_t n)
{
    return from[next(seed) % n];
}
#define PICK(seed, list) pick((seed), (list), sizeof(list) / sizeof((list)[0]))

static const char *leaf(firn_arena *arena, uint64_t *seed)
{
    static const char *const OPS[] = {"=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM"};
    static const char *const BIGS[] = {"0",   "5",   "-30", "99", "-101", "1000000000000",
                                       "2.5", "NULL"};
    static const char *const REALS[] = {
        "0.0",           "-0.0",           "2.25", "-12.5", "'nan'::DOUBLE",
        "'inf'::DOUBLE", "'-inf'::DOUBLE", "100",  "3"};
    static const char *const TEXTS[] = {"''", "'a'", "'b17'", "'c'", "'zz'", "'e300'"};
    static const char *const DATES[] = {"DATE '1970-01-01'",
                                        "DATE '1969-12-15'",
                                        "DATE '1971-01-01'",
                                        "TIMESTAMP '1969-12-31 12:00:00'",
                                        "DATE '1970-01-10' - INTERVAL '3 days'",
                                        "TIMESTAMPTZ '1970-01-05 10:00:00+00'"};
    static const char *const TIMES[] = {"TIMESTAMP '1970-01-01 00:00:00'",
                                        "TIMESTAMP '1969-12-31 23:59:00'", "DATE '1970-01-02'",
                                        "TIMESTAMP '1970-01-01 12:34:00'"};
    static const char *const DECIMALS[] = {"0", "12.5", "-100.125", "1e3", "0.0001"};
    static const char *const OTHERS[] = {
        "f",
        "NOT f",
        "f IS NULL",
        "f IS NOT TRUE",
        "b IS NULL",
        "d IS NULL",
        "s IS NULL",
        "dt IS NOT NULL",
        "ts IS NULL",
        "isnan(d)",
        "NOT isnan(d)",
        "s LIKE 'a%'",
        "s LIKE '%1%'",
        "s LIKE 'b_'",
        "NOT s LIKE 'a%'",
        "starts_with(s, 'c')",
        "st.x < 10",
        "st.x = 7",
        "st.y = 'k2'",
        "st IS NULL",
        "st.x IS NULL",
        "date_trunc('day', ts) = DATE '1970-01-01'",
        "ts::DATE = DATE '1970-01-01'",
        "year(ts) = 1969",
        "month(dt) = 12",
        "b + 1 > 50",
        "b * 2 < -50",
        "-b > 20",
        "abs(b) < 5",
        "coalesce(b, 0) = 0",
        "b % 7 = 0",
        "b IN (1, 2, 3, 50, -77)",
        "b NOT IN (1, 2, 3)",
        "d IN (0.0, 2.25)",
        "d NOT IN (-0.0, 1.5)",
        "s IN ('a', '', 'b17')",
        "dt IN (DATE '1970-01-01')",
        "b BETWEEN -5 AND 5",
        "d BETWEEN -0.0 AND 3",
        "ts BETWEEN TIMESTAMP '1970-01-01' AND TIMESTAMP '1970-01-02'",
        "i < b",
        "i::BIGINT = b",
        "b = (SELECT min(b) FROM rows)",
        "i IN (SELECT i FROM rows WHERE b > 90)",
        "b::DOUBLE > 50.5",
        "d::FLOAT > 3",
        "b::VARCHAR = '5'",
        "hash(i) % 3 = 0",
        "true",
        "false",
        "NULL",
        "b > 5 AND b < 3",
        "random() >= 0"};
    switch (next(seed) % 9) {
    case 0: return firn_arena_printf(arena, "b %s %s", PICK(seed, OPS), PICK(seed, BIGS));
    case 1: return firn_arena_printf(arena, "d %s %s", PICK(seed, OPS), PICK(seed, REALS));
    case 2: return firn_arena_printf(arena, "s %s %s", PICK(seed, OPS), PICK(seed, TEXTS));
    case 3: return firn_arena_printf(arena, "dt %s %s", PICK(seed, OPS), PICK(seed, DATES));
    case 4: return firn_arena_printf(arena, "ts %s %s", PICK(seed, OPS), PICK(seed, TIMES));
    case 5: return firn_arena_printf(arena, "dec %s %s", PICK(seed, OPS), PICK(seed, DECIMALS));
    case 6: return firn_arena_printf(arena, "%s %s b", PICK(seed, BIGS), PICK(seed, OPS));
    default: return PICK(seed, OTHERS);
    }
}

static const char *predicate(firn_arena *arena, uint64_t *seed, int depth)
{
    if (depth == 0 || next(seed) % 3 == 0) {
        return leaf(arena, seed);
    }
    const char *a = predicate(arena, seed, depth - 1);
    switch (next(seed) % 5) {
    case 0:
    case 1: return firn_arena_printf(arena, "(%s AND %s)", a, predicate(arena, seed, depth - 1));
    case 2:
    case 3: return firn_arena_printf(arena, "(%s OR %s)", a, predicate(arena, seed, depth - 1));
    default: return firn_arena_printf(arena, "(NOT (%s))", a);
    }
}

static int64_t skipped(lake_fixture *f, firn_arena *arena, const char *sql)
{
    firn_read_plan plan;
    firn_err err = {0};
    lake_check(firn_read_rewrite(f->session, arena, sql, &plan, &err), &err, sql);
    return plan.tables.len > 0
               ? plan.tables.items[0].stats.files - plan.tables.items[0].stats.files_read
               : 0;
}

static void pruned_and_unpruned_agree(void **state)
{
    lake_fixture *f = *state;
    const char *rounds = getenv("FIRN_PREDICATE_ROUNDS");
    int64_t n = rounds != NULL ? strtoll(rounds, NULL, 10) : 60;
    uint64_t seed = 20261120;
    int64_t pruned = 0;
    for (int64_t k = 0; k < n; k++) {
        FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
        const char *where = predicate(arena, &seed, 3);
        firn_err err = {0};
        const char *tables[] = {"rows", "t", "flat"};
        const char *texts[3];
        for (int i = 0; i < 3; i++) {
            const char *sql = firn_arena_printf(
                arena, "SELECT count(*) || ' ' || coalesce(sum(i), 0) FROM %s WHERE %s", tables[i],
                where);
            if (firn_session_scalar(f->session, arena, sql, &texts[i], &err) != FIRN_OK) {
                fail_msg("%s: %s", sql, err.message);
            }
        }
        if (strcmp(texts[0], texts[1]) != 0 || strcmp(texts[0], texts[2]) != 0) {
            fail_msg("WHERE %s: %s unpruned, %s partitioned, %s flat", where, texts[0], texts[1],
                     texts[2]);
        }
        const char *rows = firn_arena_printf(arena, "SELECT i FROM flat WHERE %s", where);
        pruned += skipped(f, arena, rows) > 0;
        const char *counted = firn_arena_printf(arena, "SELECT count(*) FROM flat WHERE %s", where);
        const char *a, *b;
        lake_check(firn_session_scalar(f->session, arena, counted, &a, &err), &err, counted);
        counted = firn_arena_printf(arena, "SELECT count(*) FROM rows WHERE %s", where);
        lake_check(firn_session_scalar(f->session, arena, counted, &b, &err), &err, counted);
        assert_string_equal(a, b);
    }
    print_message("# %" PRId64 " of %" PRId64 " predicates pruned\n", pruned, n);
    assert_true(pruned * 10 > n); /* else this test tests nothing */
}

static void joins_and_subqueries_agree(void **state)
{
    lake_fixture *f = *state;
    static const char *const QUERIES[] = {
        "SELECT count(*), sum(a.i) FROM %s a LEFT JOIN %s b ON a.i = b.i AND b.b > 50 WHERE a.b < 0",
        "SELECT count(*), sum(b.i) FROM %s a RIGHT JOIN %s b ON a.i = b.i AND a.b > 50",
        "SELECT count(*), sum(a.i) FROM %s a FULL JOIN %s b ON a.b = b.b AND a.i < 10",
        "SELECT count(*) FROM %s a SEMI JOIN %s b ON a.i = b.i + 1 AND b.b > 20",
        "SELECT count(*) FROM %s a WHERE NOT EXISTS (SELECT 1 FROM %s b WHERE b.b = a.b AND b.i > 200)",
        "WITH q AS (SELECT * FROM %s WHERE i < 300) SELECT count(*) FROM q x, q y WHERE x.i = y.i AND x.b > 10 AND y.b < 90 AND x.i NOT IN "
        "(SELECT i FROM %s WHERE f)",
        "SELECT count(*), sum(i) FROM (SELECT * FROM %s WHERE b > 50 UNION ALL SELECT * FROM %s WHERE b < -50) WHERE i > 100",
        "SELECT * FROM (SELECT s, count(*) c, sum(i) FROM %s GROUP BY s HAVING s > 'c') WHERE c > 0 AND s IN (SELECT s FROM %s) ORDER BY ALL",
        "SELECT i, b FROM %s WHERE b IS NOT NULL QUALIFY row_number() OVER (PARTITION BY b ORDER BY i) = 1 AND i > (SELECT min(i) FROM %s) "
        "ORDER BY ALL",
        "SELECT i FROM %s WHERE d > (SELECT avg(d) FROM %s WHERE NOT isnan(d) AND NOT isinf(d)) ORDER BY i DESC LIMIT 7",
    };
    for (size_t i = 0; i < sizeof(QUERIES) / sizeof(QUERIES[0]); i++) {
        char *model = firn_str_replace(f->arena, QUERIES[i], "%s", "rows");
        const char *expected = lake_text(f, model);
        lake_expect(f, firn_str_replace(f->arena, QUERIES[i], "%s", "flat"), expected);
        lake_expect(f, firn_str_replace(f->arena, QUERIES[i], "%s", "t"), expected);
    }
}

/* What DML gets: the predicate as text, and whether it is the whole truth. */
static void expect_predicate(lake_fixture *f, const char *where, const char *text, bool exact)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_table table;
    firn_err err = {0};
    lake_check(
        firn_session_load_table(f->session, arena, (firn_ident){"default", "flat"}, &table, &err),
        &err, "load");
    const firn_expr *expr = NULL;
    bool is_exact = false;
    lake_check(firn_read_predicate(f->session, arena, table.metadata->schema, "x", where, &expr,
                                   &is_exact, &err),
               &err, where);
    assert_string_equal(firn_expr_text(arena, table.metadata->schema, expr), text);
    assert_int_equal(is_exact, exact);
}

static void predicates_for_dml(void **state)
{
    lake_fixture *f = *state;
    expect_predicate(f, "b = 5", "b = 5", true);
    expect_predicate(f, "x.b > 5 AND s = 'it''s'", "b > 5 AND s = 'it''s'", true);
    expect_predicate(f, "b = 5 OR i = 7", "b = 5 OR i = 7", true);
    expect_predicate(f, "b IS NULL", "b IS NULL", true);
    expect_predicate(f, "dt < DATE '2024-01-01'", "dt < '2024-01-01'", true);
    expect_predicate(f, "b = 5 AND abs(i) = 3", "b = 5", false);
    expect_predicate(f, "abs(i) = 3", "true", false);
    expect_predicate(f, "b = (SELECT max(b) FROM flat)", "true", false);
    expect_predicate(f, "i IN (SELECT 1)", "true", false);
    expect_predicate(f, "b = getvariable('x')", "true", false);
    expect_predicate(f, "st.x = 5", "st.x = 5", false);
    expect_predicate(f, NULL, "true", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pruned_and_unpruned_agree),
        cmocka_unit_test(joins_and_subqueries_agree),
        cmocka_unit_test(predicates_for_dml),
    };
    return cmocka_run_group_tests_name("engine/predicate", tests, setup, lake_teardown);
}
