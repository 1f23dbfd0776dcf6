/* Data files: every type there and back, partition values, bounds, sizes, NOT NULL, and nothing left behind by a failure. */
#include "lake_fixture.h"

#include "catalog/catalog.h"
#include "format/dv.h"
#include "iceberg/scan.h"

#include <math.h>

typedef struct table_files {
    firn_table table;
    firn_scan_task *tasks;
    size_t n;
} table_files;

static table_files files_of(lake_fixture *f, const char *name)
{
    table_files out = {0};
    firn_err err = {0};
    firn_scan *scan = NULL;
    firn_catalog *catalog = firn_lake_catalog(f->lake);
    firn_ident ident = {.ns = "default", .name = name};
    lake_check(firn_catalog_table_load(catalog, f->arena, NULL, ident, &out.table, &err), &err,
               "load");
    firn_scan_options options = {.storage = firn_lake_storage(f->lake),
                                 .cache = firn_catalog_manifests(catalog),
                                 .metadata = out.table.metadata,
                                 .snapshot = out.table.metadata->current_snapshot,
                                 .schema = out.table.metadata->schema,
                                 .with_metrics = true};
    lake_check(firn_scan_open(f->arena, &options, &scan, &err), &err, "scan");
    lake_check(firn_scan_all(scan, &out.tasks, &out.n, &err), &err, "scan");
    return out;
}

static const firn_column_metrics *metrics_of(const firn_data_file *file, int32_t id)
{
    for (size_t i = 0; i < file->n_metrics; i++) {
        if (file->metrics[i].field_id == id) {
            return &file->metrics[i];
        }
    }
    return NULL;
}

/* A bound as text; "-" for none. */
static const char *bound(lake_fixture *f, const table_files *t, const firn_data_file *file,
                         const char *column, bool upper)
{
    const firn_field *field = firn_schema_find_name(t->table.metadata->schema, column, true);
    const firn_column_metrics *m = metrics_of(file, field->id);
    firn_value value;
    if (m == NULL || (upper ? m->upper : m->lower).data == NULL) {
        return "-";
    }
    assert_int_equal(firn_value_decode(field->type, upper ? m->upper : m->lower, &value, NULL), 0);
    return firn_value_text(f->arena, field->type, &value);
}

static size_t count_files(lake_fixture *f, const char *suffix)
{
    firn_storage_object *objects = NULL;
    size_t n = 0, found = 0;
    firn_err err = {0};
    const char *prefix = firn_arena_printf(f->arena, "%s/warehouse/", f->root);
    lake_check(firn_storage_list(firn_lake_storage(f->lake), f->arena, prefix, &objects, &n, &err),
               &err, "list");
    for (size_t i = 0; i < n; i++) {
        found += firn_ends_with(objects[i].location, suffix);
    }
    return found;
}

/* ---- types ------------------------------------------------------------------------------------------- */

static void every_type_comes_back(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f,
              "CREATE TABLE t (b boolean, i int, l bigint, f real, d double, de decimal(9,3), "
              "dl decimal(18,1), dx decimal(38,10), da date, ti time, ts timestamp, tz "
              "timestamptz, s varchar, u uuid, bi blob, li int[], st struct(a int, \"b c\" "
              "varchar, n struct(z date)), ma map(varchar, int[]), ls struct(p decimal(5,2))[])");
    static const char rows[] =
        "VALUES (true, -5, 9223372036854775807, 1.5::real, -2.25::double, 123456.789, 1234567.8, "
        "-1234567890123456789012345678.0123456789, DATE '1969-12-31', TIME '23:59:59.999999', "
        "TIMESTAMP '1583-01-01 00:00:00.000001', TIMESTAMPTZ '2024-06-01 12:00:00+02', 'h\xc3\xa9''\"\n', "
        "UUID '00112233-4455-6677-8899-aabbccddeeff', '\\x00\\xFFab'::BLOB, [1, NULL, 3], {'a': 1, "
        "'b c': 'x', 'n': {'z': DATE '2000-02-29'}}, MAP {'k': [1], 'l': NULL}, [{'p': 1.25}, NULL])"
        ", (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, "
        "NULL, NULL, NULL, NULL, NULL), (false, 0, 0, 'nan'::real, 'inf'::double, 0, 0, 0, DATE "
        "'9999-12-31', TIME '00:00', TIMESTAMP '1970-01-01', TIMESTAMPTZ '1969-01-01 00:00:00+00', '', "
        "UUID 'ffffffff-ffff-ffff-ffff-ffffffffffff', ''::BLOB, [], {'a': NULL, 'b c': NULL, 'n': "
        "NULL}, MAP {}, [])";
    lake_exec(f, firn_arena_printf(f->arena, "INSERT INTO t %s", rows));
    const char *columns = "b, i, l, f, d, de, dl, dx, da, ti, ts, tz, s, u, bi, li, st, ma, ls";
    const char *expected = lake_text(
        f, firn_arena_printf(f->arena, "SELECT * FROM (%s) v(%s) ORDER BY i", rows, columns));
    const char *actual = lake_text(f, "SELECT * FROM t ORDER BY i");
    assert_string_equal(actual, expected);
}

static void field_ids_are_those_of_the_schema(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "CREATE TABLE t (a int, s struct(x int, \"odd name\" varchar[]), m map(varchar, "
                 "date)); INSERT INTO t VALUES (1, {'x': 2, 'odd name': ['v']}, MAP {'k': DATE "
                 "'2024-01-01'})");
    table_files t = files_of(f, "t");
    assert_int_equal(t.n, 1);
    const char *sql = firn_arena_printf(
        f->arena,
        "SELECT string_agg(name || ':' || field_id, ' ' ORDER BY field_id) FROM parquet_schema(%s) "
        "WHERE field_id IS NOT NULL",
        firn_sql_quote(f->arena, firn_storage_resolve(firn_lake_storage(f->lake), f->arena,
                                                      t.tasks[0].file->path)));
    lake_expect(f, sql, "a:1 s:2 m:3 x:4 odd name:5 element:6 key:7 value:8");
}

/* ---- partitions -------------------------------------------------------------------------------------- */

/* The tuple of every file is what the transform gives for every row in it. */
static void check_tuples(lake_fixture *f, const char *name)
{
    table_files t = files_of(f, name);
    const firn_partition_spec *spec = t.table.metadata->spec;
    const firn_field *field =
        firn_schema_find_id(t.table.metadata->schema, spec->fields[0].source_id);
    int64_t rows = 0;
    for (size_t i = 0; i < t.n; i++) {
        const char *path =
            firn_storage_resolve(firn_lake_storage(f->lake), f->arena, t.tasks[i].file->path);
        bool binary = field->type->id == FIRN_TYPE_BINARY;
        const char *text = lake_text(
            f,
            firn_arena_printf(f->arena, "SELECT %s FROM read_parquet(%s, hive_partitioning=false)",
                              binary ? "hex(x)" : "x", firn_sql_quote(f->arena, path)));
        size_t n = 0;
        char **values = firn_str_split(f->arena, text, '\n', &n);
        rows += (int64_t)n;
        assert_int_equal(n, t.tasks[i].file->record_count);
        for (size_t k = 0; k < n; k++) {
            firn_err err = {0};
            firn_value value = firn_value_null(field->type->id), result;
            if (strcmp(values[k], "NULL") != 0) {
                lake_check(firn_value_from_text(f->arena, field->type, values[k], &value, &err),
                           &err, values[k]);
            }
            lake_check(firn_transform_apply(f->arena, &spec->fields[0].transform, field->type,
                                            &value, &result, &err),
                       &err, values[k]);
            if (firn_value_cmp(&result, &t.tasks[i].file->partition[0]) != 0) {
                fail_msg("%s: %s is in partition %s of %s", name, values[k],
                         firn_transform_human(f->arena, &spec->fields[0].transform, field->type,
                                              &t.tasks[i].file->partition[0]),
                         spec->fields[0].transform.name);
            }
        }
    }
    assert_true(rows > 0);
}

static void partitions_are_what_the_transforms_say(void **state)
{
    lake_fixture *f = *state;
    static const struct {
        const char *type, *term, *rows;
    } cases[] = {
        {"int", "x", "SELECT range - 3 FROM range(6)"},
        {"varchar", "x",
         "VALUES ('a/b=c'), (''), ('h\xc3\xa9 ll'), (NULL), ('NULL '), ('%41'), ('__HIVE_DEFAULT_PARTITION__')"},
        {"boolean", "x", "VALUES (true), (false), (NULL)"},
        {"double", "x", "VALUES (1.5), (-0.0), (0.0), (1e300), (NULL)"},
        {"decimal(38,4)", "x", "VALUES (1.5), (-99999999999999999999999999.0001), (NULL)"},
        {"date", "x", "VALUES (DATE '2024-02-29'), (DATE '1969-12-31'), (NULL)"},
        {"timestamp", "x",
         "VALUES (TIMESTAMP '2024-02-29 01:02:03.000004'), (TIMESTAMP '1969-12-31 23:59:59')"},
        {"timestamptz", "x",
         "VALUES (TIMESTAMPTZ '2024-02-29 01:02:03.000004+05'), (TIMESTAMPTZ '1969-12-31 23:59:59+00')"},
        {"time", "x", "VALUES (TIME '01:02:03.5'), (NULL)"},
        {"uuid", "x", "SELECT uuid() FROM range(3)"},
        {"blob", "x", "VALUES ('\\x00\\xFF'::BLOB), (''::BLOB), (NULL)"},
        {"int", "bucket(5, x)", "SELECT range - 50 FROM range(100)"},
        {"bigint", "bucket(5, x)", "SELECT range * 1000000007 - 50 FROM range(100)"},
        {"varchar", "bucket(5, x)", "SELECT 'k\xc3\xa9' || range FROM range(100)"},
        {"decimal(9,2)", "bucket(5, x)", "SELECT (range - 50) / 4 FROM range(100)"},
        {"decimal(38,2)", "bucket(5, x)",
         "SELECT (range - 50) * 100000000000000000000 FROM range(100)"},
        {"date", "bucket(5, x)", "SELECT DATE '1969-12-01' + range::int FROM range(100)"},
        {"timestamp", "bucket(5, x)",
         "SELECT TIMESTAMP '1969-12-01' + to_hours(range::int) FROM range(100)"},
        {"timestamptz", "bucket(5, x)",
         "SELECT TIMESTAMPTZ '1969-12-01 00:00:00+00' + to_hours(range::int) FROM range(100)"},
        {"time", "bucket(5, x)", "SELECT TIME '00:00' + to_minutes(range::int) FROM range(100)"},
        {"uuid", "bucket(5, x)", "SELECT uuid() FROM range(100)"},
        {"blob", "bucket(5, x)", "SELECT encode('b' || range) FROM range(100)"},
        {"int", "truncate(x, 10)", "SELECT range - 50 FROM range(100)"},
        {"bigint", "truncate(x, 10)", "SELECT (range - 50) * 3 FROM range(100)"},
        {"decimal(9,2)", "truncate(x, 50)", "SELECT (range - 50) / 7 FROM range(100)"},
        {"varchar", "truncate(x, 3)",
         "VALUES ('h\xc3\xa9\xf0\x9f\x98\x80x'), ('ab'), (''), (NULL), ('abcd'), ('abce')"},
        {"blob", "truncate(x, 2)", "VALUES ('\\x00\\xFF\\x01'::BLOB), ('\\x00'::BLOB), (NULL)"},
        {"date", "years(x)", "SELECT DATE '1960-06-01' + (range * 100)::int FROM range(100)"},
        {"date", "months(x)", "SELECT DATE '1969-06-01' + (range * 10)::int FROM range(100)"},
        {"date", "days(x)", "SELECT DATE '1969-12-01' + range::int FROM range(50)"},
        {"timestamp", "years(x)",
         "SELECT TIMESTAMP '1960-06-01 13:00:00' + to_days((range * 100)::int) FROM range(100)"},
        {"timestamp", "months(x)",
         "SELECT TIMESTAMP '1969-06-01 13:00:00' + to_days((range * 10)::int) FROM range(100)"},
        {"timestamp", "days(x)",
         "SELECT TIMESTAMP '1969-12-20 13:00:00' + to_hours((range * 7)::int) FROM range(100)"},
        {"timestamp", "hours(x)",
         "SELECT TIMESTAMP '1969-12-31 00:30:00' + to_minutes((range * 31)::int) FROM range(100)"},
        {"timestamptz", "days(x)",
         "SELECT TIMESTAMPTZ '1969-12-20 23:30:00-05' + to_hours((range * 7)::int) FROM range(100)"},
        {"timestamptz", "hours(x)",
         "SELECT TIMESTAMPTZ '1969-12-31 00:30:00+05:30' + to_minutes((range * 31)::int) FROM range(100)"},
        {"timestamptz", "months(x)",
         "SELECT TIMESTAMPTZ '1969-01-31 23:30:00-05' + to_days((range * 9)::int) FROM range(100)"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *name = firn_arena_printf(f->arena, "t%zu", i);
        lake_exec(f,
                  firn_arena_printf(
                      f->arena,
                      "CREATE TABLE %s (id int, x %s) PARTITIONED BY (%s); INSERT INTO %s SELECT "
                      "1, * FROM (%s)",
                      name, cases[i].type, cases[i].term, name, cases[i].rows));
        check_tuples(f, name);
        lake_expect(f,
                    firn_arena_printf(f->arena,
                                      "SELECT count(*) FROM ((SELECT x FROM %s) EXCEPT ALL (SELECT "
                                      "CAST(c AS %s) FROM (%s) v(c)))",
                                      name, cases[i].type,
                                      strcmp(cases[i].type, "uuid") == 0
                                          ? firn_arena_printf(f->arena, "SELECT x FROM %s", name)
                                          : cases[i].rows),
                    "0");
    }
}

/* ---- metrics ----------------------------------------------------------------------------------------- */

static void bounds_hold_what_is_in_the_file(void **state)
{
    lake_fixture *f = *state;
    lake_exec(
        f,
        "CREATE TABLE t (i int, s varchar, d double, n double, z double, l int[], st struct(x int), e "
        "varchar, b blob); INSERT INTO t VALUES (3, 'abcdefghijklmnopqrst', 1.5, 1, 0.0, [1, 2], {'x': 7}, NULL, "
        "'\\x01'::BLOB), (NULL, 'zzzzzzzzzzzzzzzzzzzz', -2, 'nan'::double, -0.0, NULL, NULL, NULL, NULL), (-1, NULL, "
        "NULL, 2, NULL, [], {'x': 5}, NULL, '\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF'::BLOB)");
    table_files t = files_of(f, "t");
    assert_int_equal(t.n, 1);
    const firn_data_file *file = t.tasks[0].file;
    static const char *const expected[][3] = {
        {"i", "-1", "3"},
        {"s", "abcdefghijklmnop", "zzzzzzzzzzzzzzz{"}, /* the 16th letter raised */
        {"d", "-2.0", "1.5"},
        {"n", "-", "-"}, /* NaN in it */
        {"z", "-0.0", "0.0"},
        {"l.element", "-", "-"},
        {"st.x", "5", "7"},
        {"e", "-", "-"},
        {"b", "01", "-"}, /* nothing above FF.. */
    };
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        assert_string_equal(bound(f, &t, file, expected[i][0], false), expected[i][1]);
        assert_string_equal(bound(f, &t, file, expected[i][0], true), expected[i][2]);
    }
    const firn_schema *schema = t.table.metadata->schema;
    const firn_column_metrics *m = metrics_of(file, firn_schema_find_name(schema, "s", true)->id);
    assert_int_equal(m->value_count, 3);
    assert_int_equal(m->null_count, 1);
    assert_true(m->size_bytes > 0);
    assert_int_equal(metrics_of(file, firn_schema_find_name(schema, "d", true)->id)->nan_count, 0);
    assert_int_equal(metrics_of(file, firn_schema_find_name(schema, "n", true)->id)->nan_count, -1);
    assert_int_equal(metrics_of(file, firn_schema_find_name(schema, "e", true)->id)->null_count, 3);
    lake_expect(f, "SELECT count(*) FROM t WHERE n > 100", "1"); /* NaN, in SQL's order */
    lake_expect(f, "SELECT count(*) FROM t WHERE z = 0", "2");
}

static void metrics_modes_are_followed(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "CREATE TABLE t (a varchar, b varchar, c varchar, d varchar) TBLPROPERTIES "
                 "('write.metadata.metrics.default' = 'truncate(4)', "
                 "'write.metadata.metrics.column.b' = 'none', 'write.metadata.metrics.column.c' = "
                 "'counts', 'write.metadata.metrics.column.d' = 'full'); INSERT INTO t VALUES "
                 "('abcdefgh', 'abcdefgh', 'abcdefgh', 'abcdefgh')");
    table_files t = files_of(f, "t");
    const firn_data_file *file = t.tasks[0].file;
    assert_string_equal(bound(f, &t, file, "a", false), "abcd");
    assert_string_equal(bound(f, &t, file, "a", true), "abce");
    assert_null(metrics_of(file, 2));
    assert_string_equal(bound(f, &t, file, "c", false), "-");
    assert_int_equal(metrics_of(file, 3)->value_count, 1);
    assert_string_equal(bound(f, &t, file, "d", true), "abcdefgh");
}

static void only_the_first_hundred_columns_are_measured(void **state)
{
    lake_fixture *f = *state;
    FIRN_AUTO_BUF firn_buf sql = {0};
    for (int i = 0; i < 120; i++) {
        firn_buf_printf(&sql, "%s %d AS c%d", i > 0 ? "," : "CREATE TABLE t AS SELECT", i, i);
    }
    lake_exec(f, firn_buf_cstr(&sql));
    table_files t = files_of(f, "t");
    assert_int_equal(t.tasks[0].file->n_metrics, 100);
}

/* ---- sizes ------------------------------------------------------------------------------------------- */

static void large_writes_are_cut_into_files(void **state)
{
    lake_fixture *f = *state;
    static const char *const layouts[] = {"", "PARTITIONED BY (p)", "ORDERED BY (h)"};
    for (size_t i = 0; i < 3; i++) {
        const char *name = firn_arena_printf(f->arena, "t%zu", i);
        lake_exec(f, firn_arena_printf(
                         f->arena,
                         "CREATE TABLE %s (id bigint, h varchar, p int) %s TBLPROPERTIES "
                         "('write.target-file-size-bytes' = '1048576', "
                         "'write.parquet.row-group-rows' = '10000'); INSERT INTO %s SELECT range, "
                         "md5(range::varchar), (range = 0)::int FROM range(200000)",
                         name, layouts[i], name));
        lake_expect(f, firn_arena_printf(f->arena, "SELECT count(*), sum(id) FROM %s", name),
                    "200000|19999900000");
        table_files t = files_of(f, name);
        assert_in_range(t.n, 4, 12);
        int64_t rows = 0;
        for (size_t k = 0; k < t.n; k++) {
            rows += t.tasks[k].file->record_count;
            assert_true(t.tasks[k].file->file_size_bytes < 2 << 20);
            assert_int_equal(t.tasks[k].file->sort_order_id,
                             i == 2 ? t.table.metadata->sort_order->order_id : -1);
        }
        assert_int_equal(rows, 200000);
    }
    /* Sorted files do not overlap. */
    table_files t = files_of(f, "t2");
    for (size_t k = 1; k < t.n; k++) {
        assert_true(strcmp(bound(f, &t, t.tasks[k - 1].file, "h", false),
                           bound(f, &t, t.tasks[k].file, "h", false)) < 0);
    }
}

static void a_column_may_be_called_as_duckdbs_row_number(void **state)
{
    lake_fixture *f = *state;
    lake_exec(
        f,
        "CREATE TABLE t (file_row_number bigint, h varchar) ORDERED BY (h) TBLPROPERTIES "
        "('write.target-file-size-bytes' = '1048576'); INSERT INTO t SELECT 7, md5(range::varchar) FROM range(200000)");
    assert_true(files_of(f, "t").n > 1);
    lake_expect(f, "SELECT count(*), count(DISTINCT h), sum(file_row_number) FROM t",
                "200000|200000|1400000");
}

static void many_partitions_have_one_file_each(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "CREATE TABLE t (id bigint, p bigint) PARTITIONED BY (p); INSERT INTO t SELECT "
                 "range, range % 400 FROM range(40000)");
    table_files t = files_of(f, "t");
    assert_int_equal(t.n, 400);
    lake_expect(f, "SELECT count(*) FROM t WHERE p = 17", "100");
}

/* The folder is for people: a value that no file system takes as a name is in the manifest all the same. */
static void long_partition_values_need_no_folder(void **state)
{
    lake_fixture *f = *state;
    lake_exec(
        f, "CREATE TABLE t (id bigint, s varchar) PARTITIONED BY (s); INSERT INTO t SELECT range, "
           "repeat('x', 300) || range FROM range(3)");
    lake_expect(f, "SELECT id FROM t WHERE s = repeat('x', 300) || 1", "1");
    assert_int_equal(files_of(f, "t").n, 3);
}

/* ---- refusals ---------------------------------------------------------------------------------------- */

static void not_null_is_kept(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "CREATE TABLE t (a int NOT NULL, b int, s struct(x int NOT NULL, y int))");
    lake_contains(lake_fails(f,
                             "INSERT INTO t VALUES (1, 1, NULL), (NULL, 2, NULL), (NULL, 2, NULL)",
                             FIRN_E_CHECK_FAILED),
                  "column a of default.t is NOT NULL, and 2 rows have no value");
    lake_contains(lake_fails(f, "INSERT INTO t (b) VALUES (1)", FIRN_E_CHECK_FAILED), "column a");
    lake_contains(
        lake_fails(f, "INSERT INTO t VALUES (1, 1, {'x': NULL, 'y': 2})", FIRN_E_CHECK_FAILED),
        "column s");
    assert_int_equal(count_files(f, ".parquet"), 0);
    lake_exec(f, "INSERT INTO t VALUES (1, NULL, NULL), (2, NULL, {'x': 1, 'y': NULL})");
    lake_fails(f, "UPDATE t SET a = NULL WHERE a = 2", FIRN_E_CHECK_FAILED);
    lake_expect(f, "SELECT a FROM t ORDER BY a", "1\n2");
    assert_int_equal(count_files(f, ".parquet"), 1);
}

static void a_failed_query_leaves_no_file(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "CREATE TABLE t (id bigint, p bigint) PARTITIONED BY (p)");
    lake_fails(
        f,
        "INSERT INTO t SELECT CASE WHEN range = 999999 THEN error('stop') ELSE range END, range % 5 "
        "FROM range(1000000)",
        FIRN_E_INVALID);
    lake_fails(
        f,
        "CREATE TABLE u AS SELECT CASE WHEN range = 999999 THEN error('stop') ELSE range END a "
        "FROM range(1000000)",
        FIRN_E_INVALID);
    assert_int_equal(count_files(f, ".parquet"), 0);
    lake_expect(f, "SELECT count(*) FROM t", "0");
}

static void bad_properties_are_told(void **state)
{
    lake_fixture *f = *state;
    lake_exec(
        f, "CREATE TABLE t (id bigint) TBLPROPERTIES ('write.parquet.compression-codec' = 'ztsd')");
    lake_contains(lake_fails(f, "INSERT INTO t VALUES (1)", FIRN_E_INVALID), "did you mean zstd?");
    lake_exec(f, "CREATE TABLE o (id bigint) TBLPROPERTIES ('write.format.default' = 'orc')");
    lake_contains(lake_fails(f, "INSERT INTO o VALUES (1)", FIRN_E_UNSUPPORTED), "Parquet only");
}

static void compression_follows_the_property(void **state)
{
    lake_fixture *f = *state;
    static const char *const codecs[][2] = {{"zstd", "ZSTD"},     {"snappy", "SNAPPY"},
                                            {"gzip", "GZIP"},     {"lz4", "LZ4_RAW"},
                                            {"brotli", "BROTLI"}, {"uncompressed", "UNCOMPRESSED"}};
    for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++) {
        const char *name = firn_arena_printf(f->arena, "t%zu", i);
        lake_exec(f, firn_arena_printf(f->arena,
                                       "CREATE TABLE %s (id bigint) TBLPROPERTIES "
                                       "('write.parquet.compression-codec' = '%s'); INSERT INTO %s "
                                       "VALUES (1)",
                                       name, codecs[i][0], name));
        table_files t = files_of(f, name);
        lake_expect(
            f,
            firn_arena_printf(
                f->arena, "SELECT DISTINCT compression FROM parquet_metadata(%s)",
                firn_sql_quote(f->arena, firn_storage_resolve(firn_lake_storage(f->lake), f->arena,
                                                              t.tasks[0].file->path))),
            codecs[i][1]);
    }
}

/* Delta encodings are for those who ask for them: not every reader has them. */
static void page_version_follows_the_property(void **state)
{
    lake_fixture *f = *state;
    static const char *const versions[][2] = {
        {"", "PLAIN"},
        {"'write.parquet.page-version' = 'v1'", "PLAIN"},
        {"'write.parquet.page-version' = 'V2'", "DELTA_BINARY_PACKED"}};
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        lake_exec(f, firn_arena_printf(
                         f->arena,
                         "CREATE TABLE p%zu (id bigint)%s%s%s; INSERT INTO p%zu SELECT range FROM "
                         "range(50000)",
                         i, versions[i][0][0] != '\0' ? " TBLPROPERTIES (" : "", versions[i][0],
                         versions[i][0][0] != '\0' ? ")" : "", i));
        table_files t = files_of(f, firn_arena_printf(f->arena, "p%zu", i));
        lake_expect(
            f,
            firn_arena_printf(
                f->arena, "SELECT DISTINCT encodings FROM parquet_metadata(%s)",
                firn_sql_quote(f->arena, firn_storage_resolve(firn_lake_storage(f->lake), f->arena,
                                                              t.tasks[0].file->path))),
            versions[i][1]);
        lake_expect(f, firn_arena_printf(f->arena, "SELECT sum(id) FROM p%zu", i), "1249975000");
    }
    lake_exec(f, "CREATE TABLE q (id bigint) TBLPROPERTIES ('write.parquet.page-version' = '3')");
    firn_err err = {0};
    assert_int_equal(firn_session_exec(f->session, "INSERT INTO q VALUES (1)", NULL, &err),
                     FIRN_E_INVALID);
    assert_non_null(strstr(err.message, "must be v1 or v2"));
}

static void rewrites_keep_row_ids(void **state)
{
    lake_fixture *f = *state;
    lake_exec(
        f, "CREATE TABLE t (id bigint, v int) TBLPROPERTIES ('format-version' = '3'); INSERT "
           "INTO t SELECT range, 0 FROM range(5); DELETE FROM t WHERE id = 1; UPDATE t SET v = 1 "
           "WHERE id = 3; INSERT INTO t VALUES (9, 9)");
    table_files t = files_of(f, "t");
    const char *paths = "";
    for (size_t i = 0; i < t.n; i++) {
        if (t.tasks[i].file->record_count == 4) {
            paths = firn_sql_quote(f->arena, firn_storage_resolve(firn_lake_storage(f->lake),
                                                                  f->arena, t.tasks[i].file->path));
        }
    }
    lake_expect(f,
                firn_arena_printf(f->arena,
                                  "SELECT id, _row_id, _last_updated_sequence_number FROM "
                                  "read_parquet(%s) ORDER BY id",
                                  paths),
                "0|0|1\n2|2|1\n3|3|NULL\n4|4|1");
}

/* As in Hive's layout: the folder says it, the file does not. */
static void partition_columns_may_be_left_out(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "CREATE TABLE t (id INT, v VARCHAR, year INT NOT NULL, b VARCHAR) PARTITIONED BY "
                 "(year, bucket(4, b)) WITH ('firn.write.partition-columns'='false')");
    lake_exec(f,
              "INSERT INTO t VALUES (1, 'a', 2024, 'x'), (2, 'b', 2025, 'x'), (3, 'c', 2025, 'x')");
    table_files t = files_of(f, "t");
    assert_int_equal(t.n, 2);
    for (size_t i = 0; i < t.n; i++) {
        const char *path =
            firn_sql_quote(f->arena, firn_storage_resolve(firn_lake_storage(f->lake), f->arena,
                                                          t.tasks[i].file->path));
        lake_expect(f,
                    firn_arena_printf(f->arena,
                                      "SELECT string_agg(name, ' ') FROM parquet_schema(%s) "
                                      "WHERE num_children IS NULL",
                                      path),
                    "id v b");
    }
    lake_exec(f, "UPDATE t SET v = 'z' WHERE id = 2");
    lake_exec(f, "DELETE FROM t WHERE year = 2025 AND id = 3");
    lake_expect(f, "SELECT * FROM t ORDER BY id", "1|a|2024|x\n2|z|2025|x");
    lake_expect(f, "SELECT count(*), max(year) FROM t WHERE year = 2025", "1|2025");
    lake_exec(f, "UPDATE t SET year = 2026 WHERE id = 2");
    lake_expect(f, "SELECT id, year FROM t WHERE year > 2024", "2|2026");
}

/* A column of many different values has a filter only when the table asks for it. */
static void bloom_filters_are_written_for_named_columns(void **state)
{
    lake_fixture *f = *state;
    static const char *const columns[] = {
        "", "'write.parquet.bloom-filter-enabled.column.tx'='true', "};
    for (size_t i = 0; i < 2; i++) {
        lake_exec(f,
                  firn_arena_printf(f->arena,
                                    "CREATE TABLE b%zu WITH (%s'write.parquet.compression-codec'="
                                    "'snappy') AS SELECT 'tx-' || range AS tx FROM range(50000)",
                                    i, columns[i]));
        table_files t = files_of(f, firn_arena_printf(f->arena, "b%zu", i));
        const char *path =
            firn_sql_quote(f->arena, firn_storage_resolve(firn_lake_storage(f->lake), f->arena,
                                                          t.tasks[0].file->path));
        lake_expect(f,
                    firn_arena_printf(f->arena,
                                      "SELECT bloom_filter_excludes::INT FROM parquet_bloom_probe("
                                      "%s, 'tx', 'tx-none')",
                                      path),
                    i == 0 ? "0" : "1");
        lake_expect(
            f, firn_arena_printf(f->arena, "SELECT count(*) FROM b%zu WHERE tx = 'tx-7'", i), "1");
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, lake_setup, lake_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(every_type_comes_back),
        T(field_ids_are_those_of_the_schema),
        T(partitions_are_what_the_transforms_say),
        T(bounds_hold_what_is_in_the_file),
        T(metrics_modes_are_followed),
        T(only_the_first_hundred_columns_are_measured),
        T(large_writes_are_cut_into_files),
        T(a_column_may_be_called_as_duckdbs_row_number),
        T(many_partitions_have_one_file_each),
        T(long_partition_values_need_no_folder),
        T(not_null_is_kept),
        T(a_failed_query_leaves_no_file),
        T(bad_properties_are_told),
        T(compression_follows_the_property),
        T(page_version_follows_the_property),
        T(rewrites_keep_row_ids),
        T(partition_columns_may_be_left_out),
        T(bloom_filters_are_written_for_named_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
