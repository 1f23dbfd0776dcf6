/* Values as text, held against DuckDB's own CAST AS VARCHAR, and as JSON. */
#include "duck.h"

#include "lake_fixture.h"

/* Each expression is asked for as it is and cast by DuckDB; both texts must agree. */
static void same_as_cast(lake_fixture *f, const char *values)
{
    const char *ours = lake_text(f, firn_arena_printf(f->arena, "SELECT * FROM (%s)", values));
    const char *theirs = lake_text(
        f, firn_arena_printf(f->arena, "SELECT CAST(COLUMNS(*) AS VARCHAR) FROM (%s)", values));
    assert_string_equal(ours, theirs);
}

static void numbers(void **state)
{
    lake_fixture *f = *state;
    same_as_cast(
        f,
        "SELECT true, false, (-128)::TINYINT, 255::UTINYINT, (-32768)::SMALLINT, 65535::USMALLINT, 4294967295::UINTEGER, "
        "18446744073709551615::UBIGINT, (-9223372036854775808)::BIGINT, (-170141183460469231731687303715884105727)::HUGEINT, "
        "340282366920938463463374607431768211455::UHUGEINT, NULL");
    same_as_cast(
        f,
        "SELECT 1.50::DECIMAL(4,2), -0.05::DECIMAL(4,2), 0.5::DECIMAL(38,38), -0.5::DECIMAL(2,2), 7::DECIMAL(5,0), "
        "-99999999999999999999.99::DECIMAL(22,2), 0::DECIMAL(18,3)");
}

/* Doubles of every size, and those whose shortest digits are known to be hard. */
static void reals(void **state)
{
    lake_fixture *f = *state;
    same_as_cast(
        f,
        "SELECT x, x::FLOAT y FROM (SELECT unnest([0.0, -0.0, 1.0, 1e15, 1e16, 123456789012345678.0, 1e-4, 1e-5, 0.1, 0.3, "
        "1e100, 5e-324, 1.7976931348623157e308, 2.2250738585072014e-308, 9007199254740993.0, 0.1 + 0.2, 100.0, 16777216.0, "
        "'nan'::DOUBLE, 'inf'::DOUBLE, '-inf'::DOUBLE]) x) WHERE abs(x) < 3e38 OR isnan(x) OR isinf(x)");
    same_as_cast(
        f,
        "SELECT x, x::FLOAT FROM (SELECT (hash(i) % 1000003)::DOUBLE / (1 + hash(i + 7) % 999983) * "
        "pow(10, (hash(i + 3) % 60)::INT - 30) x FROM range(5000) t(i))");
    same_as_cast(f,
                 "SELECT (1.0 + i)::DOUBLE * 0.1, ((1.0 + i) * 0.1)::FLOAT FROM range(2000) t(i)");
}

static void times(void **state)
{
    lake_fixture *f = *state;
    same_as_cast(f,
                 "SELECT DATE '1970-01-01' + (i * 7919)::INT, DATE '1970-01-01' - (i * 6007)::INT, "
                 "make_timestamp(i * 86399999999), make_timestamp(-i * 86399123000), "
                 "make_timestamptz(2024, 1, 1, 0, 0, i::DOUBLE / 100) FROM range(500) t(i)");
    same_as_cast(
        f,
        "SELECT 'infinity'::DATE, '-infinity'::TIMESTAMP, '0044-03-15 (BC)'::DATE, '0044-03-15 (BC) 10:00:00'::TIMESTAMP, "
        "TIME '10:11:12.5', TIME '00:00:00', TIMETZ '10:11:12+02:30', TIMETZ '10:11:12-02', "
        "'2020-01-01 10:00:00.123456700'::TIMESTAMP_NS, '1969-12-31 23:59:59.999999999'::TIMESTAMP_NS, "
        "'2020-01-01 10:00:00.12'::TIMESTAMP_MS, '2020-01-01 10:00:00'::TIMESTAMP_S");
    same_as_cast(
        f,
        "SELECT INTERVAL '1 year 2 month 3 day 04:05:06.7', INTERVAL '-1 day', INTERVAL '0 day', INTERVAL '-14 months', "
        "INTERVAL '-1 hour', INTERVAL '25 hours', INTERVAL '1 month -2 hours', INTERVAL '-1 microsecond'");
}

static void bytes_and_texts(void **state)
{
    lake_fixture *f = *state;
    same_as_cast(
        f,
        "SELECT '\\x00\\xFFab\\x27\\x5C \"'::BLOB, ''::BLOB, '101'::BIT, '0'::BIT, '1111000011'::BIT, "
        "uuid '00000000-0000-0000-0000-000000000001', uuid 'ffffffff-ffff-4fff-bfff-ffffffffffff', 'é日本'::VARCHAR, ''::VARCHAR, "
        "'b c'::ENUM('a', 'b c'), '{\"a\": 1}'::JSON");
}

static void nested(void **state)
{
    lake_fixture *f = *state;
    same_as_cast(
        f,
        "SELECT ['', 'null', ' a', 'a,b', 'it''s', 'a\"b', 'a=b', 'a:b', '(x)', '{x}', 'x;y', 'a\\b', 'NULL', 'é', 'nulls', "
        "'a' || chr(10) || 'b', '#', 'a''b\\c', 'true', 'a ', '[a]', chr(9) || 'a', NULL]");
    same_as_cast(
        f,
        "SELECT {'a b': 1, 'c': 'x y', '''q': NULL, 'd': DATE '2020-01-01', 't': TIMESTAMP '2020-01-01 10:00:00'}, "
        "row(1, 'a b', NULL), MAP {'a': 1, 'b c': 2, 'x=y': NULL, '': 4}, MAP {1: [1, 2], 2: NULL}, "
        "[[1], [2, NULL], NULL, []], array_value(1, 2), union_value(k := 'a b'), [union_value(k := 'a, b')], "
        "['\\x00a('::BLOB], ['{\"a\": 1}'::JSON], [INTERVAL '1 hour'], [1.5::DECIMAL(3,1)]");
    same_as_cast(
        f,
        "SELECT {'l': [{'m': MAP {i: [i::VARCHAR]}, 'n': CASE WHEN i % 3 = 0 THEN NULL ELSE i END}]} FROM range(3000) t(i)");
}

static const char *json(lake_fixture *f, const char *sql)
{
    firn_err err = {0};
    firn_result *result = NULL;
    lake_check(firn_session_query(f->session, sql, &result, &err), &err, sql);
    const char *const *cells = NULL;
    lake_check(firn_result_next(result, &cells, &err), &err, sql);
    FIRN_AUTO_BUF firn_buf out = {0};
    lake_check(firn_result_row_json(result, &out, &err), &err, sql);
    firn_result_free(result);
    return firn_arena_strdup(f->arena, firn_buf_cstr(&out));
}

static void rows_are_real_json(void **state)
{
    lake_fixture *f = *state;
    assert_string_equal(
        json(
            f,
            "SELECT 1 a, 1.10::DECIMAL(4,2) b, true c, NULL d, 'x\"y\\z' e, 'nan'::DOUBLE f, 0.5::DECIMAL(38,38) g"),
        "{\"a\": 1, \"b\": 1.10, \"c\": true, \"d\": null, \"e\": \"x\\\"y\\\\z\", \"f\": \"nan\", "
        "\"g\": 0.50000000000000000000000000000000000000}");
    assert_string_equal(
        json(
            f,
            "SELECT DATE '2024-02-29' a, TIMESTAMP '2024-02-29 10:00:00.5' b, TIMESTAMPTZ '2024-02-29 10:00:00+00' c, "
            "'\\xAB\\x01'::BLOB d, chr(10) e"),
        "{\"a\": \"2024-02-29\", \"b\": \"2024-02-29T10:00:00.5\", \"c\": \"2024-02-29T10:00:00+00:00\", "
        "\"d\": \"ab01\", \"e\": \"\\n\"}");
    assert_string_equal(
        json(f,
             "SELECT {'x': [1, NULL], 'y': MAP {2: 'b'}} s, '{\"k\": [1]}'::JSON j, row(1, 'a') r"),
        "{\"s\": {\"x\": [1, null], \"y\": {\"2\": \"b\"}}, \"j\": {\"k\": [1]}, \"r\": [1, \"a\"]}");
}

static void types_are_spelt_as_duckdb_reads_them(void **state)
{
    lake_fixture *f = *state;
    firn_err err = {0};
    firn_result *result = NULL;
    lake_check(
        firn_session_query(
            f->session,
            "SELECT 1::DECIMAL(18,2) a, {'x y': [1], 'b': MAP {'k': 1}} b, [1]::INT[1] c, 'x'::ENUM('x', 'y''z') d, "
            "union_value(k := 1) e, now() g, '{}'::JSON h",
            &result, &err),
        &err, "types");
    static const char *const TYPES[] = {"DECIMAL(18,2)",
                                        "STRUCT(\"x y\" INTEGER[], \"b\" MAP(VARCHAR, INTEGER))",
                                        "INTEGER[1]",
                                        "ENUM('x', 'y''z')",
                                        "UNION(\"k\" INTEGER)",
                                        "TIMESTAMP WITH TIME ZONE",
                                        "JSON"};
    for (size_t i = 0; i < sizeof(TYPES) / sizeof(TYPES[0]); i++) {
        FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
        const char *ours = firn_str_replace(arena, firn_result_column_type(result, i), "\"", "");
        assert_string_equal(ours, firn_str_replace(arena, TYPES[i], "\"", ""));
    }
    assert_int_equal(firn_result_column_kind(result, 0), FIRN_COLUMN_DECIMAL);
    assert_int_equal(firn_result_column_kind(result, 1), FIRN_COLUMN_NESTED);
    assert_int_equal(firn_result_column_kind(result, 5), FIRN_COLUMN_TEMPORAL);
    firn_result_free(result);
}

/* A type that the C API has no name for comes as text. */
static void unknown_types_are_printed_by_duckdb(void **state)
{
    lake_fixture *f = *state;
    lake_expect(f, "SELECT '123456789012345678901234567890123456789012345'::BIGNUM AS b, 1 AS one",
                "123456789012345678901234567890123456789012345|1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(numbers, lake_setup, lake_teardown),
        cmocka_unit_test_setup_teardown(reals, lake_setup, lake_teardown),
        cmocka_unit_test_setup_teardown(times, lake_setup, lake_teardown),
        cmocka_unit_test_setup_teardown(bytes_and_texts, lake_setup, lake_teardown),
        cmocka_unit_test_setup_teardown(nested, lake_setup, lake_teardown),
        cmocka_unit_test_setup_teardown(rows_are_real_json, lake_setup, lake_teardown),
        cmocka_unit_test_setup_teardown(types_are_spelt_as_duckdb_reads_them, lake_setup,
                                        lake_teardown),
        cmocka_unit_test_setup_teardown(unknown_types_are_printed_by_duckdb, lake_setup,
                                        lake_teardown),
    };
    return cmocka_run_group_tests_name("engine/duck_text", tests, NULL, NULL);
}
