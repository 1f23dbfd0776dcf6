/* Arrow rows into tables: every type, slices, nested values, several schemas, statements over the rows, and what goes wrong. */
#include "arrow_rows.h"

#include "read.h"

#include <pthread.h>

#define NULLABLE ARROW_FLAG_NULLABLE

/* The type that a column of this Arrow format becomes, as text. */
static const char *column_type(lake_fixture *f, struct ArrowSchema *field, int version)
{
    firn_err err = {0};
    firn_schema *schema = NULL;
    struct ArrowSchema *root = arrow_nest(f->arena, arrow_field(f->arena, "+s", "", 0),
                                          (struct ArrowSchema *[]){field}, 1);
    lake_check(firn_rows_schema(f->arena, root, version, &schema, &err), &err, field->format);
    return schema->root.n_fields == 0 ? "none"
                                      : firn_type_text(f->arena, schema->root.fields[0].type);
}

static void types_become_icebergs(void **state)
{
    lake_fixture *f = *state;
    static const struct {
        const char *format, *v2, *v3;
    } TYPES[] = {
        {"n", "none", "unknown"},
        {"b", "boolean", "boolean"},
        {"c", "int", "int"},
        {"C", "int", "int"},
        {"s", "int", "int"},
        {"S", "int", "int"},
        {"i", "int", "int"},
        {"I", "long", "long"},
        {"l", "long", "long"},
        {"L", "decimal(20, 0)", "decimal(20, 0)"},
        {"f", "float", "float"},
        {"g", "double", "double"},
        {"u", "string", "string"},
        {"U", "string", "string"},
        {"z", "binary", "binary"},
        {"Z", "binary", "binary"},
        {"w:5", "binary", "binary"},
        {"d:9,2", "decimal(9, 2)", "decimal(9, 2)"},
        {"d:18,0,64", "decimal(18, 0)", "decimal(18, 0)"},
        {"tdD", "date", "date"},
        {"tdm", "date", "date"},
        {"ttm", "time", "time"},
        {"ttn", "time", "time"},
        {"tss:", "timestamp", "timestamp"},
        {"tsm:UTC", "timestamptz", "timestamptz"},
        {"tsu:", "timestamp", "timestamp"},
        {"tsu:Europe/Paris", "timestamptz", "timestamptz"},
        {"tsn:", "timestamp", "timestamp_ns"},
        {"tsn:UTC", "timestamptz", "timestamptz"},
    };
    for (size_t i = 0; i < sizeof(TYPES) / sizeof(TYPES[0]); i++) {
        struct ArrowSchema *field = arrow_field(f->arena, TYPES[i].format, "c", NULLABLE);
        assert_string_equal(column_type(f, field, 2), TYPES[i].v2);
        assert_string_equal(column_type(f, field, 3), TYPES[i].v3);
    }
}

static void what_no_column_holds_is_named(void **state)
{
    lake_fixture *f = *state;
    static const char *const FORMATS[] = {"e",    "tDs",     "tiM", "d:9,2,256", "d:39,1", "d:2,3",
                                          "tsx:", "+us:0,1", "vu",  "w:0",       "d:",     "+r"};
    for (size_t i = 0; i < sizeof(FORMATS) / sizeof(FORMATS[0]); i++) {
        firn_schema *schema = NULL;
        struct ArrowSchema *member = arrow_field(f->arena, FORMATS[i], "bad", 0);
        struct ArrowSchema *field = arrow_nest(f->arena, arrow_field(f->arena, "+s", "outer", 0),
                                               (struct ArrowSchema *[]){member}, 1);
        struct ArrowSchema *root = arrow_nest(f->arena, arrow_field(f->arena, "+s", "", 0),
                                              (struct ArrowSchema *[]){field}, 1);
        f->err = (firn_err){0};
        assert_int_equal(firn_rows_schema(f->arena, root, 2, &schema, &f->err), FIRN_E_UNSUPPORTED);
        lake_contains(f->err.message, "outer.bad");
        lake_contains(f->err.message, FORMATS[i]);
    }
}

/* int32 pairs, then length and bytes of key and value. */
static const char *uuid_mark(firn_arena *arena, const char *key, const char *value)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    int32_t n = 1;
    int32_t lengths[2] = {(int32_t)strlen(key), (int32_t)strlen(value)};
    firn_buf_append(&out, &n, sizeof(n));
    firn_buf_append(&out, &lengths[0], sizeof(int32_t));
    firn_buf_puts(&out, key);
    firn_buf_append(&out, &lengths[1], sizeof(int32_t));
    firn_buf_puts(&out, value);
    return firn_arena_memdup(arena, out.data, out.len);
}

static void uuids_are_told_by_their_fields_metadata(void **state)
{
    lake_fixture *f = *state;
    firn_arena *a = f->arena;
    struct ArrowSchema *text = arrow_field(a, "u", "t", NULLABLE);
    struct ArrowSchema *bytes = arrow_field(a, "w:16", "b", 0);
    text->metadata = uuid_mark(a, "firn.logical", "uuid");
    bytes->metadata = uuid_mark(a, "ARROW:extension:name", "arrow.uuid");
    assert_string_equal(column_type(f, text, 2), "uuid");
    assert_string_equal(column_type(f, bytes, 2), "uuid");
    lake_exec(f, "CREATE TABLE t (t uuid, b uuid)");
    static const char *const TEXTS[] = {"f0000000-1111-2222-3333-444444444444", NULL};
    static const uint8_t BYTES[32] = {0x12, 0x34, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff};
    firn_rows rows =
        arrow_rows(a, 2, (struct ArrowSchema *[]){text, bytes},
                   (struct ArrowArray *[]){arrow_texts(a, 2, TEXTS), arrow_data(a, 2, BYTES)}, 2);
    rows_append(f, "t", &rows, 1, NULL);
    lake_expect(f, "SELECT * FROM t ORDER BY t NULLS LAST",
                "f0000000-1111-2222-3333-444444444444|12340000-0000-0000-0000-0000000000ff\n"
                "NULL|00000000-0000-0000-0000-000000000000");
    static const char *const BAD[] = {"f0000000-1111-2222-3333-44444444444", NULL};
    rows.array->children[0] = arrow_texts(a, 2, BAD);
    lake_contains(rows_fail(f, "t", &rows, 1, NULL, FIRN_E_TYPE), "column t: \"f0000000");
}

/* ---- round trips ------------------------------------------------------------------------------------- */

static void flat_values_come_back(void **state)
{
    lake_fixture *f = *state;
    for (int every = 1; every <= 67;
         every += 11) { /* all null, and nulls across words of validity */
        const char *sql =
            rows_with_nulls(f->arena, firn_str_replace(f->arena, ROWS_FLAT, "ROWS", "5000"), every);
        arrow_sql given = arrow_of_sql(f, sql);
        const char *name = firn_arena_printf(f->arena, "t%d", every);
        assert_true(given.rows.len >= 3);
        lake_exec(f, rows_create(f, name, given.rows.items, 2));
        rows_append(f, name, given.rows.items, given.rows.len, NULL);
        rows_expect(f, name, sql, "5000");
    }
}

/* Columns that are the table's as they come go without SQL: the files say who wrote them, readers that the values are right. */
static void plain_rows_are_written_without_sql(void **state)
{
    static const char *const CODECS[] = {"zstd", "snappy", "uncompressed"};
    static const char *const ROWS[] = {"1", "5000", "300000"};
    lake_fixture *f = *state;
    for (int i = 0; i < 9; i++) {
        const char *name = firn_arena_printf(f->arena, "plain%d", i);
        const char *sql = firn_arena_printf(
            f->arena, "SELECT * EXCLUDE (i8, u8, i16, u16, u32, u64, u, nothing) FROM (%s)",
            rows_with_nulls(f->arena, firn_str_replace(f->arena, ROWS_FLAT, "ROWS", ROWS[i / 3]),
                            2 + i));
        arrow_sql given = arrow_of_sql(f, sql);
        lake_exec(f, rows_create(f, name, given.rows.items, 2));
        lake_exec(f, firn_arena_printf(f->arena,
                                       "ALTER TABLE %s SET TBLPROPERTIES "
                                       "('write.parquet.compression-codec' = '%s')",
                                       name, CODECS[i % 3]));
        rows_append(f, name, given.rows.items, given.rows.len, NULL);
        rows_expect(f, name, sql, ROWS[i / 3]);
        const char *path =
            lake_text(f, firn_arena_printf(f->arena, "SELECT min(file_path) FROM %s.files", name));
        lake_contains(
            lake_text(f, firn_arena_printf(f->arena,
                                           "SELECT created_by FROM parquet_file_metadata('%s')",
                                           firn_starts_with(path, "file://") ? path + 7 : path)),
            "firn version");
        /* A value is found by the bounds of its row group and file, at both ends and in the middle. */
        lake_exec(f, firn_arena_printf(f->arena, "CREATE OR REPLACE TEMP TABLE ends AS %s", sql));
        static const char *const FOUND[] = {"id", "i64", "g",  "d9", "d38",
                                            "dt", "ts",  "tz", "s",  "z"};
        for (size_t c = 0; c < sizeof(FOUND) / sizeof(FOUND[0]); c++) {
            for (int upper = 0; upper < 2; upper++) {
                const char *ask =
                    firn_arena_printf(f->arena, "WHERE %s = (SELECT %s(%s) FROM ends)", FOUND[c],
                                      upper ? "max" : "min", FOUND[c]);
                lake_expect(
                    f, firn_arena_printf(f->arena, "SELECT count(*) FROM %s %s", name, ask),
                    lake_text(f, firn_arena_printf(f->arena, "SELECT count(*) FROM ends %s", ask)));
            }
        }
    }
}

static void expect_writer(lake_fixture *f, const char *table, const char *by)
{
    const char *path = lake_text(
        f,
        firn_arena_printf(f->arena,
                          "SELECT max_by(file_path, file_path) FROM %s.files WHERE record_count = "
                          "(SELECT max(record_count) FROM %s.files)",
                          table, table));
    lake_contains(lake_text(f, firn_arena_printf(
                                   f->arena, "SELECT created_by FROM parquet_file_metadata('%s')",
                                   firn_starts_with(path, "file://") ? path + 7 : path)),
                  by);
}

/* Numbers of another width go the same way; one that does not fit is named by the COPY. */
static void plain_numbers_are_cast_without_sql(void **state)
{
    lake_fixture *f = *state;
    const char *sql = "SELECT CASE WHEN i % 7 <> 0 THEN i::INTEGER - 500 END AS up, "
                      "CASE WHEN i % 5 <> 0 THEN 2147483647 - i * 4294967 END::BIGINT AS down, "
                      "CASE WHEN i % 3 <> 0 THEN (i / 8)::FLOAT END AS real, i::INTEGER AS all_up, "
                      "(-i)::BIGINT AS all_down, (i / 16)::FLOAT AS all_real FROM range(1000) r(i)";
    lake_exec(f, "CREATE TABLE t (up bigint, down integer, real double, all_up bigint, all_down "
                 "integer, all_real double)");
    arrow_sql given = arrow_of_sql(f, sql);
    rows_append(f, "t", given.rows.items, given.rows.len, NULL);
    expect_writer(f, "t", "firn version");
    lake_expect(
        f, firn_arena_printf(f->arena, "SELECT count(*) FROM (SELECT * FROM t EXCEPT %s)", sql),
        "0");
    lake_expect(f, "SELECT count(*), count(up), min(down), sum(real) FROM t WHERE all_down <= 0",
                "1000|857|-2143188386|41583.375");
    arrow_sql large = arrow_of_sql(f, "SELECT 2147483648::BIGINT AS down");
    lake_contains(rows_fail(f, "t", large.rows.items, 1, NULL, FIRN_E_TYPE), "2147483648");
    lake_expect(f, "SELECT count(*) FROM t", "1000");
}

static void nested_values_come_back(void **state)
{
    lake_fixture *f = *state;
    const char *sql = firn_str_replace(f->arena, ROWS_NESTED, "ROWS", "6000");
    arrow_sql given = arrow_of_sql(f, sql);
    for (int version = 2; version <= 3; version++) {
        const char *name = version == 2 ? "v2" : "v3";
        lake_exec(f, rows_create(f, name, given.rows.items, version));
        rows_append(f, name, given.rows.items, given.rows.len, NULL);
        rows_expect(f, name,
                    firn_str_replace(f->arena, sql, "::BIGINT[3]", "::BIGINT[3]::BIGINT[]"),
                    "6000");
    }
}

/* Any range of any array is that range, at odd bit positions and inside nested values. */
static void slices_are_what_they_say(void **state)
{
    lake_fixture *f = *state;
    const char *sql = firn_str_replace(f->arena, ROWS_NESTED, "ROWS", "2048");
    arrow_sql given = arrow_of_sql(f, sql);
    lake_exec(f, rows_create(f, "t", given.rows.items, 2));
    static const int64_t STARTS[] = {0, 1, 7, 64, 65, 1000, 1999, 2048};
    firn_rows slices[7];
    for (size_t i = 0; i < 7; i++) {
        slices[i] = given.rows.items[0];
        slices[i].from = STARTS[i];
        slices[i].count = STARTS[i + 1] - STARTS[i];
    }
    for (size_t i = 0; i < 7; i++) { /* also with an offset of the struct's own */
        struct ArrowArray *moved = firn_arena_memdup(f->arena, slices[i].array, sizeof(*moved));
        if (i % 2 == 1) {
            moved->offset += slices[i].from;
            moved->length -= slices[i].from;
            slices[i].array = moved;
            slices[i].from = 0;
        }
    }
    rows_append(f, "t", slices, 7, NULL);
    rows_expect(f, "t", firn_str_replace(f->arena, sql, "::BIGINT[3]", "::BIGINT[3]::BIGINT[]"),
                "2048");
    slices[0].from = 2047;
    slices[0].count = 2;
    lake_contains(rows_fail(f, "t", slices, 1, NULL, FIRN_E_INVALID), "do not exist");
}

static void times_of_each_unit_become_microseconds(void **state)
{
    lake_fixture *f = *state;
    firn_arena *a = f->arena;
    static const int64_t VALUES[] = {-1, 0, 86399, 1700000000};
    static const int64_t NANOS[] = {-1, 0, 999, 1700000000123456789};
    static const int32_t CLOCK[] = {0, 1, 86399, 43200};
    static const int64_t CLOCK_NS[] = {0, 999, 86399999999999, 43200000000001};
    struct ArrowSchema *schemas[] = {
        arrow_field(a, "tss:", "s", 0),    arrow_field(a, "tsm:UTC", "m", 0),
        arrow_field(a, "tsn:UTC", "n", 0), arrow_field(a, "tsn:", "nn", 0),
        arrow_field(a, "tts", "cs", 0),    arrow_field(a, "ttm", "cm", 0),
        arrow_field(a, "ttu", "cu", 0),    arrow_field(a, "ttn", "cn", 0),
        arrow_field(a, "tdm", "d", 0),
    };
    struct ArrowArray *arrays[] = {
        arrow_data(a, 4, VALUES),   arrow_data(a, 4, VALUES),   arrow_data(a, 4, NANOS),
        arrow_data(a, 4, NANOS),    arrow_data(a, 4, CLOCK),    arrow_data(a, 4, CLOCK),
        arrow_data(a, 4, CLOCK_NS), arrow_data(a, 4, CLOCK_NS), arrow_data(a, 4, VALUES),
    };
    firn_rows rows = arrow_rows(a, 4, schemas, arrays, 9);
    static const int64_t MICROS[] = {0, 999, 86399999999, 43200000001};
    arrays[6] = arrow_data(a, 4, MICROS);
    rows = arrow_rows(a, 4, schemas, arrays, 9);
    for (int version = 2; version <= 3; version++) {
        const char *name = version == 2 ? "v2" : "v3";
        lake_exec(f, rows_create(f, name, &rows, version));
        rows_append(f, name, &rows, 1, NULL);
        lake_expect(
            f, firn_arena_printf(a, "SELECT s, m, n, cs, cm, cu, cn, d FROM %s ORDER BY s", name),
            "1969-12-31 23:59:59|1969-12-31 23:59:59.999+00|1969-12-31 23:59:59.999999+00|"
            "00:00:00|00:00:00|00:00:00|00:00:00|1969-12-31\n"
            "1970-01-01 00:00:00|1970-01-01 00:00:00+00|1970-01-01 00:00:00+00|"
            "00:00:01|00:00:00.001|00:00:00.000999|00:00:00|1970-01-01\n"
            "1970-01-01 23:59:59|1970-01-01 00:01:26.399+00|1970-01-01 00:00:00+00|"
            "23:59:59|00:01:26.399|23:59:59.999999|23:59:59.999999|1970-01-01\n"
            "2023-11-14 22:13:20|1970-01-20 16:13:20+00|2023-11-14 22:13:20.123456+00|"
            "12:00:00|00:00:43.2|12:00:00.000001|12:00:00|1970-01-20");
    }
    lake_expect(f, "SELECT nn FROM v2 ORDER BY s LIMIT 1", "1969-12-31 23:59:59.999999");
    lake_expect(f, "SELECT nn FROM v3 ORDER BY s LIMIT 1", "1969-12-31 23:59:59.999999999");
}

static void decimals_of_each_width_are_exact(void **state)
{
    lake_fixture *f = *state;
    firn_arena *a = f->arena;
    static const int32_t D32[] = {-9999, 9999};
    static const int64_t D64[] = {-999999999999999999, 999999999999999999};
    static const __int128 WIDE[] = {-9999, 9999};
    struct ArrowSchema *schemas[] = {arrow_field(a, "d:4,2,32", "a", 0),
                                     arrow_field(a, "d:18,3,64", "b", 0),
                                     arrow_field(a, "d:4,0", "c", 0)};
    struct ArrowArray *arrays[] = {arrow_data(a, 2, D32), arrow_data(a, 2, D64),
                                   arrow_data(a, 2, WIDE)};
    firn_rows rows = arrow_rows(a, 2, schemas, arrays, 3);
    lake_exec(f, rows_create(f, "t", &rows, 2));
    rows_append(f, "t", &rows, 1, NULL);
    lake_expect(f, "SELECT * FROM t ORDER BY a",
                "-99.99|-999999999999999.999|-9999\n99.99|999999999999999.999|9999");
    static const __int128 TOO_WIDE[] = {1, 10000};
    arrays[2] = arrow_data(a, 2, TOO_WIDE);
    rows = arrow_rows(a, 2, schemas, arrays, 3);
    lake_contains(rows_fail(f, "t", &rows, 1, NULL, FIRN_E_TYPE), "column c: a decimal has more");
}

static void values_under_a_null_do_not_matter(void **state)
{
    lake_fixture *f = *state;
    firn_arena *a = f->arena;
    static const int64_t HUGE[] = {INT64_MAX, 5};
    static const uint8_t SECOND[] = {2};
    struct ArrowSchema *inner = arrow_field(a, "tss:", "t", 0);
    struct ArrowSchema *outer =
        arrow_nest(a, arrow_field(a, "+s", "st", NULLABLE), (struct ArrowSchema *[]){inner}, 1);
    struct ArrowArray *array = arrow_nested(a, arrow_array(a, 2, SECOND, NULL, NULL),
                                            (struct ArrowArray *[]){arrow_data(a, 2, HUGE)}, 1);
    firn_rows rows =
        arrow_rows(a, 2, (struct ArrowSchema *[]){outer}, (struct ArrowArray *[]){array}, 1);
    lake_exec(f, rows_create(f, "t", &rows, 2));
    rows_append(f, "t", &rows, 1, NULL);
    lake_expect(f, "SELECT st, st.t FROM t ORDER BY st NULLS FIRST",
                "NULL|NULL\n{'t': '1970-01-01 00:00:05'}|1970-01-01 00:00:05");
    array->buffers[0] = NULL;
    lake_contains(rows_fail(f, "t", &rows, 1, NULL, FIRN_E_TYPE), "column st.t: the timestamp");
}

/* ---- columns by name --------------------------------------------------------------------------------- */

static void columns_meet_by_name(void **state)
{
    lake_fixture *f = *state;
    lake_exec(
        f,
        "CREATE TABLE t (a bigint, \"Name\" varchar, extra date, st struct<x: bigint, y: varchar>)");
    arrow_sql given =
        arrow_of_sql(f, "SELECT 'n' AS name, {'Y': 'why'} AS ST, CAST(7 AS INTEGER) AS A");
    rows_append(f, "t", given.rows.items, 1, NULL);
    lake_expect(f, "SELECT * FROM t", "7|n|NULL|{'x': NULL, 'y': why}");
}

static void unknown_columns_are_told_or_left_out(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "CREATE TABLE t (a bigint, st struct<x: bigint>, li struct<x: bigint>[])");
    static const char *const QUERIES[][2] = {
        {"SELECT 1 AS a, 2 AS bb", "bb"},
        {"SELECT 1 AS a, {'x': 1, 'z': 2} AS st", "st.z"},
        {"SELECT 1 AS a, [{'x': 1, 'z': {'q': 2}}] AS li", "li.element.z"},
    };
    for (size_t i = 0; i < 3; i++) {
        arrow_sql given = arrow_of_sql(f, QUERIES[i][0]);
        lake_contains(rows_fail(f, "t", given.rows.items, 1, NULL, FIRN_E_NO_COLUMN),
                      QUERIES[i][1]);
        firn_table table = rows_table(f, "t");
        const firn_rows_write write = {.rows = given.rows.items,
                                       .n_rows = 1,
                                       .metadata = table.metadata,
                                       .table_text = "t",
                                       .ignore_unknown = true};
        firn_rows_written written;
        firn_err err = {0};
        lake_check(firn_rows_to_files(f->session, f->arena, &write, &written, &err), &err, "t");
        rows_commit(f, "t", &written);
    }
    lake_expect(f, "SELECT * FROM t ORDER BY ALL",
                "1|{'x': 1}|NULL\n1|NULL|[{'x': 1}]\n1|NULL|NULL");
    static const int64_t TWO[] = {2};
    struct ArrowArray *nulls = arrow_array(f->arena, 1, NULL, NULL, NULL);
    nulls->n_buffers = 0;
    firn_rows rows = arrow_rows(f->arena, 1,
                                (struct ArrowSchema *[]){arrow_field(f->arena, "l", "a", 0),
                                                         arrow_field(f->arena, "n", "nothing", 2)},
                                (struct ArrowArray *[]){arrow_data(f->arena, 1, TWO), nulls}, 2);
    rows_append(f, "t", &rows, 1, NULL);
    lake_expect(f, "SELECT count(*) FROM t WHERE a = 2", "1");
}

static firn_rc write_constants(lake_fixture *f, const arrow_sql *given,
                               const firn_rows_constant *constants, size_t n)
{
    firn_table table = rows_table(f, "t");
    const firn_rows_write write = {.rows = given->rows.items,
                                   .n_rows = 1,
                                   .metadata = table.metadata,
                                   .table_text = "t",
                                   .constants = constants,
                                   .n_constants = n};
    firn_rows_written written;
    firn_err err = {0};
    FIRN_TRY(firn_rows_to_files(f->session, f->arena, &write, &written, &err));
    assert_int_equal(written.files.len, 1);
    rows_commit(f, "t", &written);
    return FIRN_OK;
}

/* Who knows that all rows are of one partition says so; the table is the same as if they had been parted. */
static void rows_of_one_known_partition_are_not_parted(void **state)
{
    lake_fixture *f = *state;
    static const firn_rows_constant constants[] = {{"year", "2025"}, {"place", "Ain / Var"}};
    lake_exec(
        f, "CREATE TABLE t (id bigint, year integer, place varchar) PARTITIONED BY (year, place)");
    arrow_sql given = arrow_of_sql(
        f, "SELECT range AS id, 2025::INTEGER AS year, 'Ain / Var' AS place FROM range(3)");
    assert_int_equal(write_constants(f, &given, constants, 2), FIRN_OK); /* known */
    assert_int_equal(write_constants(f, &given, constants, 1), FIRN_OK); /* parted: place is not */
    assert_int_equal(write_constants(f, &given, NULL, 0), FIRN_OK);
    lake_expect(
        f,
        "SELECT count(*), count(DISTINCT _file) FROM t WHERE year = 2025 AND place = 'Ain / Var'",
        "9|3");
    lake_expect(f, "SELECT count(*) FROM t WHERE year = 2024", "0");
    lake_expect(f, "SELECT DISTINCT partition.year, partition.place FROM \"t$files\"",
                "2025|Ain / Var");
    lake_expect(f, "SELECT count(DISTINCT parse_dirpath(_file)) FROM t", "1"); /* the same folder */
}

/* A constant is a column that the rows need not have, whoever writes them. */
static void constants_are_columns(void **state)
{
    lake_fixture *f = *state;
    static const firn_rows_constant constants[] = {{"year", "2025"}, {"place", "Ain / Var"}};
    lake_exec(
        f, "CREATE TABLE t (id bigint, year integer, place varchar) PARTITIONED BY (year, place)");
    arrow_sql given = arrow_of_sql(f, "SELECT range AS id FROM range(3)");
    assert_int_equal(write_constants(f, &given, constants, 2), FIRN_OK);
    lake_expect(f, "SELECT DISTINCT year, place, partition.year FROM t, \"t$files\"",
                "2025|Ain / Var|2025");
    lake_expect(f, "SELECT count(year), count(place) FROM t", "3|3");
}

/* Times and keys as differences, in files of firn's own writer: a fraction of a byte each, and every value is what it was. */
static void differences_are_the_tables_wish(void **state)
{
    lake_fixture *f = *state;
    for (int wish = 0; wish < 2; wish++) {
        const char *t = wish ? "t2" : "t1";
        lake_exec(f,
                  firn_arena_printf(f->arena,
                                    "CREATE TABLE %s (id bigint, made timestamp, d decimal(9, 2), "
                                    "n integer) TBLPROPERTIES ('write.parquet.page-version' = "
                                    "'%s')",
                                    t, wish ? "v2" : "v1"));
        arrow_sql given = arrow_of_sql(
            f,
            "SELECT range * 3 AS id, TIMESTAMP '2026-01-01' + range * INTERVAL 1 SECOND AS made, "
            "CAST(range % 90000 / 100.0 AS DECIMAL(9, 2)) AS d, CASE WHEN range % 3 > 0 THEN "
            "CAST(range * 7919 % 1000003 AS INTEGER) END AS n FROM range(20000)");
        rows_append(f, t, given.rows.items, given.rows.len, NULL);
        lake_expect(
            f,
            firn_arena_printf(f->arena,
                              "SELECT count(*), sum(id), max(made), sum(d), count(n), sum(n) "
                              "= (SELECT sum(range * 7919 %% 1000003) FROM range(20000) "
                              "WHERE range %% 3 > 0) FROM %s",
                              t),
            "20000|599970000|2026-01-01 05:33:19|1999900.00|13333|true");
        lake_expect(
            f,
            firn_arena_printf(
                f->arena,
                "SELECT count(*), bool_and(total_compressed_size < 2000) FROM "
                "parquet_metadata('%s/warehouse/default/%s/data/*.parquet') WHERE encodings LIKE "
                "'%%DELTA_BINARY_PACKED%%' AND path_in_schema IN ('id', 'made', 'd')",
                f->root, t),
            wish ? "3|true" : "0|NULL");
    }
}

static void missing_members_get_their_defaults(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f,
              "CREATE TABLE t (a bigint DEFAULT 9, st struct<x: bigint>, li struct<x: bigint>[], "
              "ma map<varchar, struct<x: bigint>>) TBLPROPERTIES ('format-version' = '3')");
    lake_exec(f, "ALTER TABLE t ADD COLUMN st.y varchar DEFAULT 'dflt';"
                 "ALTER TABLE t ADD COLUMN li.element.y bigint DEFAULT 4;"
                 "ALTER TABLE t ADD COLUMN ma.value.y bigint DEFAULT 5");
    arrow_sql given = arrow_of_sql(
        f, "SELECT {'x': CAST(1 AS INTEGER)} AS st, [{'x': 2}] AS li, MAP {'k': {'x': 3}} AS ma");
    rows_append(f, "t", given.rows.items, 1, NULL);
    arrow_sql null = arrow_of_sql(f, "SELECT CAST(NULL AS STRUCT(x INTEGER)) AS st, 8 AS a");
    rows_append(f, "t", null.rows.items, 1, NULL);
    lake_expect(f, "SELECT * FROM t ORDER BY a DESC",
                "9|{'x': 1, 'y': dflt}|[{'x': 2, 'y': 4}]|{k={'x': 3, 'y': 5}}\n8|NULL|NULL|NULL");
}

static void schemas_are_united(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f,
              "CREATE TABLE t (a bigint, b varchar, c double, st struct<x: bigint, y: varchar>)");
    arrow_sql one =
        arrow_of_sql(f, "SELECT CAST(1 AS INTEGER) AS a, {'x': CAST(5 AS INTEGER)} AS st");
    arrow_sql two =
        arrow_of_sql(f, "SELECT {'y': 'yy', 'x': 6::BIGINT} AS st, 'b' AS b, 2::BIGINT AS a");
    arrow_sql three = arrow_of_sql(f, "SELECT 3::BIGINT AS a, 1.5::DOUBLE AS C");
    firn_rows rows[] = {one.rows.items[0], two.rows.items[0], three.rows.items[0],
                        one.rows.items[0]};
    rows_append(f, "t", rows, 4, NULL);
    const char *expected = "1|NULL|NULL|{'x': 5, 'y': NULL}\n1|NULL|NULL|{'x': 5, 'y': NULL}\n"
                           "2|b|NULL|{'x': 6, 'y': yy}\n3|NULL|1.5|NULL";
    lake_expect(f, "SELECT * FROM t ORDER BY a", expected);
    rows_append(f, "t", rows, 4, "SELECT * REPLACE (a + 10 AS a) FROM batch");
    lake_expect(f, "SELECT a - 10, b, c, st FROM t WHERE a > 10 ORDER BY a", expected);
    arrow_sql list = arrow_of_sql(f, "SELECT [1] AS st");
    rows[3] = list.rows.items[0];
    lake_contains(rows_fail(f, "t", rows, 4, NULL, FIRN_E_TYPE), "column st is");
}

/* ---- statements -------------------------------------------------------------------------------------- */

static void statements_clean_and_enrich(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "CREATE TABLE countries (code varchar, name varchar);"
                 "INSERT INTO countries VALUES ('fr', 'France'), ('de', 'Germany');"
                 "INSERT INTO countries VALUES ('it', 'Italy');"
                 "CREATE TABLE t (id bigint, country varchar)");
    arrow_sql given =
        arrow_of_sql(f, "SELECT i AS id, ['FR', 'DE', 'XX'][i % 3 + 1] AS cc FROM range(6) r(i)");
    const char *sql = "SELECT b.id, coalesce(c.name, '?') AS country FROM batch AS b LEFT JOIN "
                      "countries AS c ON lower(b.cc) = c.code WHERE b.id > 0;";
    rows_append(f, "t", given.rows.items, 1, sql);
    lake_expect(f, "SELECT * FROM t ORDER BY id", "1|Germany\n2|?\n3|France\n4|Germany\n5|?");
    const char *const *const *cells = NULL;
    size_t n = 0, n_columns = 0;
    firn_err err = {0};
    lake_check(
        firn_rows_query(f->session, f->arena, given.rows.items, 1,
                        "WITH x AS (SELECT lower(cc) AS route FROM BATCH) SELECT route, count(*) "
                        "FROM x GROUP BY route ORDER BY route",
                        &cells, &n, &n_columns, &err),
        &err, "query");
    assert_int_equal(n, 3);
    assert_int_equal(n_columns, 2);
    assert_string_equal(cells[0][0], "de");
    assert_string_equal(cells[2][0], "xx");
    assert_string_equal(cells[2][1], "2");
    lake_check(firn_rows_query(f->session, f->arena, given.rows.items, 1,
                               "SELECT count(*) FROM batch", &cells, &n, &n_columns, &err),
               &err, "count");
    assert_string_equal(cells[0][0], "6");
}

/* A table of that name hides nothing, and is not hidden elsewhere. */
static void batch_means_the_rows_only_in_the_call(void **state)
{
    lake_fixture *f = *state;
    lake_exec(
        f,
        "CREATE TABLE batch (id bigint); INSERT INTO batch VALUES (77); CREATE TABLE t (id bigint);"
        "CREATE VIEW v AS SELECT id FROM batch");
    arrow_sql given = arrow_of_sql(f, "SELECT 1::BIGINT AS id");
    rows_append(
        f, "t", given.rows.items, 1,
        "SELECT id FROM batch UNION ALL SELECT id + 1 FROM \"default\".batch UNION ALL SELECT id + 2 FROM v");
    lake_expect(f, "SELECT * FROM t ORDER BY id", "1\n78\n79");
    lake_expect(f, "SELECT * FROM batch", "77");
    rows_append(f, "t", given.rows.items, 1, "WITH batch AS (SELECT 5 AS id) SELECT * FROM batch");
    lake_expect(f, "SELECT max(id) FROM t WHERE id < 70", "5");
}

static void statements_that_do_not_fit_are_told(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "CREATE TABLE t (id bigint NOT NULL, n int, d date)");
    arrow_sql given = arrow_of_sql(f, "SELECT i AS id, 'x' || i AS s FROM range(3) r(i)");
    const firn_rows *rows = given.rows.items;
    rows_fail(f, "t", rows, 1, "SELECT id FROM batch; SELECT 2", FIRN_E_SYNTAX);
    lake_contains(rows_fail(f, "t", rows, 1, "DELETE FROM t", FIRN_E_SYNTAX),
                  "one SELECT over batch");
    lake_contains(rows_fail(f, "t", rows, 1, "CREATE TABLE x AS SELECT 1", FIRN_E_SYNTAX),
                  "one SELECT");
    rows_fail(f, "t", rows, 1, "SELEC id FROM batch", FIRN_E_SYNTAX);
    rows_fail(f, "t", rows, 1, "", FIRN_E_SYNTAX);
    lake_contains(rows_fail(f, "t", rows, 1, "SELECT idd AS id FROM batch", FIRN_E_NO_COLUMN),
                  "idd");
    lake_contains(rows_fail(f, "t", rows, 1, "SELECT id FROM bach", FIRN_E_NO_TABLE), "bach");
    lake_contains(rows_fail(f, "t", rows, 1, "SELECT id, s AS ss FROM batch", FIRN_E_NO_COLUMN),
                  "ss");
    lake_contains(
        rows_fail(f, "t", rows, 1, "SELECT id, CAST(s AS INTEGER) AS n FROM batch", FIRN_E_TYPE),
        "x0");
    lake_contains(rows_fail(f, "t", rows, 1, "SELECT id, s AS d FROM batch", FIRN_E_TYPE), "x0");
    lake_contains(
        rows_fail(f, "t", rows, 1, "SELECT nullif(id, 1) AS id FROM batch", FIRN_E_CHECK_FAILED),
        "column id of t is NOT NULL");
    lake_contains(rows_fail(f, "t", rows, 1, "SELECT 1 AS n FROM batch", FIRN_E_CHECK_FAILED),
                  "column id");
    lake_contains(
        rows_fail(f, "t", rows, 1, "SELECT id, 1 AS n, 2 AS N FROM batch", FIRN_E_INVALID),
        "two columns");
    lake_contains(rows_fail(f, "t", rows, 1,
                            "SELECT id, strptime(s, '%Y-%m-%d')::DATE AS d FROM batch",
                            FIRN_E_TYPE),
                  "x0");
    lake_contains(rows_fail(f, "t", rows, 1,
                            "SELECT CASE WHEN id = 2 THEN error('no') ELSE id END AS id FROM batch",
                            FIRN_E_TYPE),
                  "no");
    const char *const *const *cells = NULL;
    size_t n = 0, columns = 0;
    f->err = (firn_err){0};
    assert_int_equal(firn_rows_query(f->session, f->arena, rows, 1,
                                     "SELECT strptime(s, '%Y') FROM batch", &cells, &n, &columns,
                                     &f->err),
                     FIRN_E_TYPE);
    assert_int_equal(f->err.code, FIRN_E_TYPE);
    assert_int_equal(firn_rows_query(f->session, f->arena, rows, 1,
                                     "SELECT nothing_like_it(s) FROM batch", &cells, &n, &columns,
                                     &f->err),
                     FIRN_E_INVALID);
    lake_expect(f, "SELECT count(*) FROM t", "0");
    lake_contains(lake_fails(f, "SELECT * FROM firn_batch(77)", FIRN_E_INVALID), "no such batch");
}

/* ---- tables ------------------------------------------------------------------------------------------ */

static size_t data_files(lake_fixture *f, const char *table)
{
    return (size_t)strtoul(
        lake_text(f, firn_arena_printf(f->arena, "SELECT count(*) FROM %s.files", table)), NULL,
        10);
}

static void partitions_and_order_are_the_tables(void **state)
{
    lake_fixture *f = *state;
    lake_exec(
        f,
        "CREATE TABLE t (id bigint, ts timestamptz, st struct<k: varchar>) PARTITIONED BY (day(ts), "
        "bucket(2, id)); CREATE TABLE s (id bigint) ; ALTER TABLE s WRITE ORDERED BY id DESC");
    arrow_sql given = arrow_of_sql(
        f,
        "SELECT i AS id, TIMESTAMPTZ '2026-01-01 00:00:00+00' + INTERVAL (i) HOUR AS ts FROM range(72) r(i)");
    rows_append(f, "t", given.rows.items, given.rows.len, NULL);
    assert_int_equal(data_files(f, "t"), 6);
    lake_expect(f, "SELECT count(*) FROM t WHERE ts < TIMESTAMPTZ '2026-01-02 00:00:00+00'", "24");
    arrow_sql ids = arrow_of_sql(f, "SELECT i AS id FROM range(10000) r(i)");
    rows_append(f, "s", ids.rows.items, ids.rows.len, NULL);
    lake_expect(f, "SELECT id FROM s LIMIT 2", "9999\n9998");
}

static void nothing_written_is_no_file(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "CREATE TABLE t (id bigint)");
    arrow_sql given = arrow_of_sql(f, "SELECT 1::BIGINT AS id");
    firn_rows_written written;
    lake_check(rows_try(f, "t", given.rows.items, 1, "SELECT * FROM batch WHERE id > 5", &written),
               &f->err, "t");
    assert_int_equal(written.files.len, 0);
    given.rows.items[0].count = 0;
    lake_check(rows_try(f, "t", given.rows.items, 1, NULL, &written), &f->err, "t");
    assert_int_equal(written.rows, 0);
    rows_fail(f, "t", NULL, 0, NULL, FIRN_E_INVALID);
}

static void discarded_files_are_gone(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "CREATE TABLE t (id bigint)");
    arrow_sql given = arrow_of_sql(f, "SELECT 1::BIGINT AS id");
    firn_rows_written written;
    lake_check(rows_try(f, "t", given.rows.items, 1, NULL, &written), &f->err, "t");
    assert_int_equal(written.files.len, 1);
    assert_int_equal(written.rows, 1);
    const char *path =
        firn_storage_resolve(firn_lake_storage(f->lake), f->arena, written.files.items[0].path);
    assert_int_equal(access(path, F_OK), 0);
    firn_rows_discard(f->session, &written);
    assert_int_not_equal(access(path, F_OK), 0);
}

/* Rows are read in pieces by several threads. */
static void large_batches_keep_every_row(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "CREATE TABLE t (id bigint, s varchar)");
    firn_arena *a = f->arena;
    enum { ROWS = 400000 };
    int64_t *ids = FIRN_NEW_N(a, int64_t, ROWS);
    for (int64_t i = 0; i < ROWS; i++) {
        ids[i] = i;
    }
    firn_rows rows = arrow_rows(a, ROWS, (struct ArrowSchema *[]){arrow_field(a, "l", "id", 0)},
                                (struct ArrowArray *[]){arrow_data(a, ROWS, ids)}, 1);
    rows_append(f, "t", &rows, 1, "SELECT id, 'number ' || id AS s FROM batch");
    lake_expect(f, "SELECT count(*), sum(id), count(DISTINCT s), min(id), max(id) FROM t",
                "400000|79999800000|400000|0|399999");
    assert_int_equal(data_files(f, "t"), 1);
}

/* ---- several sessions -------------------------------------------------------------------------------- */

enum { WRITERS = 4, WRITES = 8 };

typedef struct writer {
    lake_fixture *f;
    const firn_rows *rows;
    const firn_metadata *metadata;
    const char *sql;
    int64_t written;
    firn_err err;
    firn_rc rc;
} writer;

static firn_rc write_many(writer *w)
{
    firn_session *session = NULL;
    FIRN_TRY(firn_session_new(w->f->engine, NULL, &session, &w->err));
    for (int i = 0; i < WRITES && w->rc == FIRN_OK; i++) {
        FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
        firn_rows_written written;
        const firn_rows_write write = {.rows = w->rows,
                                       .n_rows = 1,
                                       .sql = w->sql,
                                       .metadata = w->metadata,
                                       .table_text = "t"};
        w->rc = firn_rows_to_files(session, arena, &write, &written, &w->err);
        if (w->rc == FIRN_OK) {
            w->written += written.rows;
            firn_rows_discard(session, &written);
        }
    }
    firn_session_free(session);
    return w->rc;
}

static void *write_thread(void *ctx)
{
    writer *w = ctx;
    w->rc = write_many(w);
    return NULL;
}

/* Each session's `batch` is its own, though they share one DuckDB. */
static void sessions_write_at_once(void **state)
{
    lake_fixture *f = *state;
    lake_exec(
        f,
        "CREATE TABLE t (id bigint NOT NULL, ts timestamptz, who varchar) PARTITIONED BY (day(ts))");
    firn_table table = rows_table(f, "t");
    pthread_t threads[WRITERS];
    writer writers[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        arrow_sql given = arrow_of_sql(
            f,
            firn_arena_printf(
                f->arena,
                "SELECT i AS id, TIMESTAMPTZ '2026-01-01 00:00:00+00' + INTERVAL (i) HOUR AS ts, "
                "'writer %d' AS who FROM range(%d) r(i)",
                i, 50 * (i + 1)));
        writers[i] = (writer){.f = f, .rows = given.rows.items, .metadata = table.metadata};
        writers[i].sql = i % 2 == 0 ? NULL : "SELECT * FROM batch WHERE who LIKE 'writer%'";
    }
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, write_thread, &writers[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
        lake_check(writers[i].rc, &writers[i].err, "write");
        assert_int_equal(writers[i].written, WRITES * 50 * (i + 1));
    }
}

int main(void)
{
#define ROWS_TEST(test) cmocka_unit_test_setup_teardown(test, lake_setup, lake_teardown)
    const struct CMUnitTest tests[] = {
        ROWS_TEST(types_become_icebergs),
        ROWS_TEST(what_no_column_holds_is_named),
        ROWS_TEST(uuids_are_told_by_their_fields_metadata),
        ROWS_TEST(flat_values_come_back),
        ROWS_TEST(plain_rows_are_written_without_sql),
        ROWS_TEST(plain_numbers_are_cast_without_sql),
        ROWS_TEST(nested_values_come_back),
        ROWS_TEST(slices_are_what_they_say),
        ROWS_TEST(times_of_each_unit_become_microseconds),
        ROWS_TEST(decimals_of_each_width_are_exact),
        ROWS_TEST(values_under_a_null_do_not_matter),
        ROWS_TEST(columns_meet_by_name),
        ROWS_TEST(unknown_columns_are_told_or_left_out),
        ROWS_TEST(rows_of_one_known_partition_are_not_parted),
        ROWS_TEST(constants_are_columns),
        ROWS_TEST(differences_are_the_tables_wish),
        ROWS_TEST(missing_members_get_their_defaults),
        ROWS_TEST(schemas_are_united),
        ROWS_TEST(statements_clean_and_enrich),
        ROWS_TEST(batch_means_the_rows_only_in_the_call),
        ROWS_TEST(statements_that_do_not_fit_are_told),
        ROWS_TEST(partitions_and_order_are_the_tables),
        ROWS_TEST(nothing_written_is_no_file),
        ROWS_TEST(discarded_files_are_gone),
        ROWS_TEST(large_batches_keep_every_row),
        ROWS_TEST(sessions_write_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
