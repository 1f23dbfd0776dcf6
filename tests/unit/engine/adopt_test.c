/* Adopting folders of Parquet files: schemas, partitions, statistics, what is refused, additions. */
#include "lake_fixture.h"

#include "engine/adopt.h"

#include <fcntl.h>
#include <sys/stat.h>

static const char *in_raw(lake_fixture *f, const char *name)
{
    return firn_arena_printf(f->arena, "%s/raw/%s", f->root, name);
}

/* COPY (select) TO raw/<name>: makes the folder. */
static void write_parquet(lake_fixture *f, const char *name, const char *select)
{
    const char *path = in_raw(f, name);
    assert_int_equal(firn_mkdir_p(firn_path_dirname(f->arena, path), 0755, NULL), FIRN_OK);
    lake_exec(f, firn_arena_printf(f->arena, "copy (%s) to '%s' (format parquet)", select,
                                   firn_str_replace(f->arena, path, "'", "''")));
}

static void write_text(lake_fixture *f, const char *name, const char *text)
{
    const char *path = in_raw(f, name);
    assert_int_equal(firn_mkdir_p(firn_path_dirname(f->arena, path), 0755, NULL), FIRN_OK);
    assert_int_equal(firn_file_write_atomic(path, firn_bytes_str(text), 0644, NULL), FIRN_OK);
}

static firn_rc try_adopt(lake_fixture *f, firn_adopt_options options, firn_adopt_result *result)
{
    options.folder = in_raw(f, options.folder);
    options.ident =
        options.ident.name != NULL ? options.ident : (firn_ident){.ns = "default", .name = "t"};
    f->err = (firn_err){0};
    return firn_session_adopt(f->session, f->arena, &options, result, &f->err);
}

static firn_adopt_result adopt_with(lake_fixture *f, firn_adopt_options options)
{
    firn_adopt_result result;
    lake_check(try_adopt(f, options, &result), &f->err, options.folder);
    return result;
}
#define adopt(f, ...) adopt_with((f), (firn_adopt_options){__VA_ARGS__})

static void adopt_fails_with(lake_fixture *f, firn_adopt_options options, firn_rc code,
                             const char *part)
{
    firn_adopt_result result;
    firn_rc rc = try_adopt(f, options, &result);
    if (rc != code || strstr(f->err.message, part) == NULL) {
        fail_msg("%s: %s, without \"%s\"", firn_rc_name(rc), f->err.message, part);
    }
}
#define adopt_fails(f, code, part, ...) \
    adopt_fails_with((f), (firn_adopt_options){__VA_ARGS__}, code, part)

static const firn_metadata *metadata_of(lake_fixture *f, const char *name)
{
    firn_table *table = FIRN_NEW(f->arena, firn_table);
    firn_err err = {0};
    lake_check(firn_catalog_table_load(firn_lake_catalog(f->lake), f->arena, "main",
                                       (firn_ident){.ns = "default", .name = name}, table, &err),
               &err, name);
    return table->metadata;
}

/* ---- what becomes of a folder ------------------------------------------------------------------------------ */

static void a_hive_folder_becomes_a_partitioned_table(void **state)
{
    lake_fixture *f = *state;
    write_parquet(f, "h/year=2023/city=M%C3%BCnchen/a.parquet", "select 1::bigint id, 'a' s");
    write_parquet(f, "h/year=2024/city=__HIVE_DEFAULT_PARTITION__/a.parquet",
                  "select 2::bigint id, 'b' s");
    write_parquet(f, "h/year=2024/city=x%2Fy/a.parquet", "select 3::bigint id, null::varchar s");
    write_text(f, "h/_SUCCESS", "");
    write_text(f, "h/year=2024/.a.parquet.crc", "crc");
    firn_adopt_result result = adopt(f, .folder = "h");
    assert_true(result.created && result.marked);
    assert_int_equal(result.files, 3);
    assert_int_equal(result.rows, 3);
    assert_int_equal(result.partitions, 3);
    assert_string_equal(result.partitioned_by, "year int, city string");
    assert_int_equal(result.n_skipped, 1);
    assert_int_equal(result.skipped[0].n, 2);
    lake_expect(f, "select * from t order by id",
                "1|a|2023|München\n2|b|2024|NULL\n3|NULL|2024|x/y");
    lake_expect(f, "select id from t where city is null", "2");
    lake_expect(f, "select id from t where year = 2024 and city = 'x/y'", "3");
    lake_expect(f, "select year, count(*) from t group by year order by year", "2023|1\n2024|2");
    const firn_metadata *metadata = metadata_of(f, "t");
    assert_string_equal(firn_metadata_property(metadata, "gc.enabled", ""), "false");
    assert_non_null(firn_metadata_property(metadata, "schema.name-mapping.default", NULL));
    lake_reopen(f);
    lake_expect(f, "select sum(id) from t", "6");
}

static void statistics_come_from_the_footers(void **state)
{
    lake_fixture *f = *state;
    write_parquet(f, "h/a.parquet",
                  "select i::int as i, 'name ' || i as s, i / 2.0::double as d, "
                  "date '2024-01-01' + i::int as day, (i * 1.5)::decimal(9,2) as dec, "
                  "if(i % 2 = 0, null, i)::bigint as n from range(10, 20) r(i)");
    adopt(f, .folder = "h");
    lake_expect(f, "select record_count, file_size_in_bytes > 0 from t$files", "10|true");
    lake_expect(f,
                "select readable_metrics.i.lower_bound, readable_metrics.i.upper_bound, "
                "readable_metrics.s.lower_bound, readable_metrics.s.upper_bound, "
                "readable_metrics.day.lower_bound, readable_metrics.dec.upper_bound, "
                "readable_metrics.n.null_value_count, readable_metrics.n.value_count, "
                "readable_metrics.d.lower_bound from t$files",
                "10|19|name 10|name 19|2024-01-11|28.50|5|10|NULL");
    write_parquet(f, "h/b.parquet", "select i::int as i, 'zzz' as s from range(100, 110) r(i)");
    adopt(f, .folder = "h", .add = true);
    lake_contains(lake_text(f, "explain select * from t where i > 100 and d is null"),
                  "2 files, 1 read");
    lake_expect(f, "select count(*), min(s) from t where i > 100", "9|zzz");
}

static void files_are_united_by_name(void **state)
{
    lake_fixture *f = *state;
    write_parquet(f, "h/1.parquet", "select 1::int id, 1.5::float x, {'a': 1} st, [1::int] l");
    write_parquet(f, "h/2.parquet",
                  "select 'new' extra, 2.5::double x, 3000000000 id, {'b': 'q', 'a': 2} st, "
                  "[5000000000] l");
    write_parquet(f, "h/3.parquet", "select 7::int as \"ID\"");
    adopt(f, .folder = "h");
    lake_expect(f, "select id, x, extra, st, l from t order by id",
                "1|1.5|NULL|{'a': 1, 'b': NULL}|[1]\n"
                "7|NULL|NULL|NULL|NULL\n"
                "3000000000|2.5|new|{'a': 2, 'b': q}|[5000000000]");
}

static void types_can_be_stated(void **state)
{
    lake_fixture *f = *state;
    write_parquet(f, "h/k=01/d=2024-01-02/a.parquet", "select 1 id");
    adopt(f, .folder = "h", .partition_sql = "k string, d date");
    lake_expect(f, "select * from t", "1|01|2024-01-02");
    adopt(f, .folder = "h", .ident = {.ns = "default", .name = "u"});
    lake_expect(f, "select * from u", "1|1|2024-01-02");
    adopt_fails(f, FIRN_E_TYPE, "the folder says d=2024-01-02", .folder = "h",
                .partition_sql = "d int", .ident = {.ns = "default", .name = "v"});
    adopt_fails(f, FIRN_E_INVALID, "no level year=", .folder = "h", .partition_sql = "year int",
                .ident = {.ns = "default", .name = "v"});
}

static void a_dry_run_changes_nothing(void **state)
{
    lake_fixture *f = *state;
    write_parquet(f, "h/a.parquet", "select 1 id");
    firn_adopt_result result = adopt(f, .folder = "h", .dry_run = true);
    assert_int_equal(result.files, 1);
    lake_fails(f, "select * from t", FIRN_E_NO_TABLE);
    assert_false(firn_path_exists(firn_path_join(f->arena, f->root, "warehouse/default/t")));
}

/* ---- additions ------------------------------------------------------------------------------------------------ */

static void only_new_files_are_added(void **state)
{
    lake_fixture *f = *state;
    write_parquet(f, "h/year=2023/a.parquet", "select 1::int id");
    adopt(f, .folder = "h");
    firn_adopt_result result = adopt(f, .folder = "h", .add = true);
    assert_int_equal(result.files, 0);
    write_parquet(f, "h/year=2024/b.parquet", "select 3000000000 id, 'x' tag");
    result = adopt(f, .folder = "h", .add = true);
    assert_int_equal(result.files, 1);
    assert_false(result.marked);
    assert_int_equal(result.n_changes, 2);
    assert_string_equal(result.changes[0], "made id long");
    assert_string_equal(result.changes[1], "added tag string");
    lake_expect(f, "select * from t order by year", "1|2023|NULL\n3000000000|2024|x");
}

/* Rewriting puts a file out of the table; taking it again would double its rows. */
static void files_that_left_the_table_stay_out(void **state)
{
    lake_fixture *f = *state;
    write_parquet(f, "h/a.parquet", "select i::int id from range(4) r(i)");
    adopt(f, .folder = "h");
    lake_exec(f, "update t set id = id + 10 where id = 1");
    lake_exec(f, "delete from t where id = 2");
    firn_adopt_result result = adopt(f, .folder = "h", .add = true);
    assert_int_equal(result.files, 0);
    assert_string_equal(result.skipped[0].why, "once in the table, deleted or rewritten since");
    lake_expect(f, "select string_agg(id, ' ' order by id) from t", "0 3 11");
}

static void a_table_of_firns_own_takes_files(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create table t (id bigint, s varchar, g int) partitioned by (g);"
                 "insert into t values (1, 'own', 5)");
    write_parquet(f, "h/g=6/a.parquet", "select 's' s, 2::int id");
    firn_adopt_result result = adopt(f, .folder = "h", .add = true);
    assert_true(result.marked);
    lake_expect(f, "select * from t order by id", "1|own|5\n2|s|6");
    lake_exec(f, "insert into t values (3, 'more', 6); update t set s = 'u' where id = 2");
    lake_expect(f, "select * from t order by id", "1|own|5\n2|u|6\n3|more|6");
    write_parquet(f, "flat/a.parquet", "select 2::int id");
    adopt_fails(f, FIRN_E_INVALID, "no folder g=", .folder = "flat", .add = true);
    write_parquet(f, "deep/g=1/x=2/a.parquet", "select 2::int id");
    adopt_fails(f, FIRN_E_INVALID, "is not partitioned by x", .folder = "deep", .add = true);
}

static void hidden_partitioning_cannot_be_told_by_paths(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "create table t (id bigint) partitioned by (bucket(4, id))");
    write_parquet(f, "h/a.parquet", "select 2::bigint id");
    adopt_fails(f, FIRN_E_UNSUPPORTED, "id_bucket_4", .folder = "h", .add = true);
}

static void add_files_is_sparks(void **state)
{
    lake_fixture *f = *state;
    write_parquet(f, "h/a.parquet", "select 1::int id, 'not read' more");
    lake_exec(f, "create table t (id bigint)");
    const char *call = firn_arena_printf(
        f->arena, "call system.add_files(table => 'default.t', source_table => '`parquet`.`%s`')",
        in_raw(f, "h"));
    lake_expect(f, call, "1|1");
    lake_expect(f, "select * from t", "1");
    lake_fails(f, call, FIRN_E_EXISTS);
    lake_contains(f->err.message, "in the table already");
    lake_expect(f,
                firn_arena_printf(f->arena,
                                  "call add_files('t', '`parquet`.`%s`', "
                                  "check_duplicate_files => false)",
                                  in_raw(f, "h")),
                "1|1");
    lake_expect(f, "select * from t", "1\n1");
    lake_fails(f, "call add_files('t', '`orc`.`/x`')", FIRN_E_UNSUPPORTED);
    lake_fails(f, "call add_files('t', 'db.other')", FIRN_E_UNSUPPORTED);
    lake_fails(f, "call add_files('t', 'x')", FIRN_E_INVALID);
    lake_fails(f, "call add_files('t', '/x', map('a'))", FIRN_E_SYNTAX);
    lake_fails(f, "call add_files('t', '/x', map('a', map('b', 'c')))", FIRN_E_SYNTAX);
    write_parquet(f, "wide/a.parquet", "select 'text' id");
    lake_fails(f, firn_arena_printf(f->arena, "call add_files('t', '%s')", in_raw(f, "wide")),
               FIRN_E_TYPE);
}

static void add_files_of_one_partition(void **state)
{
    lake_fixture *f = *state;
    write_parquet(f, "h/g=1/a.parquet", "select 1::int id");
    write_parquet(f, "h/g=2/a.parquet", "select 2::int id");
    lake_exec(f, "create table t (id int, g int) partitioned by (g)");
    lake_expect(
        f, firn_arena_printf(f->arena, "call add_files('t', '%s', map('g', '2'))", in_raw(f, "h")),
        "1|1");
    lake_expect(f,
                firn_arena_printf(f->arena,
                                  "call add_files('t', '%s', partition_filter => map {'g': 1})",
                                  in_raw(f, "h")),
                "1|1");
    lake_expect(f, "select * from t order by id", "1|1\n2|2");
}

/* ---- what is refused ---------------------------------------------------------------------------------------------- */

static void contradictions_name_both_files(void **state)
{
    lake_fixture *f = *state;
    write_parquet(f, "h/1.parquet", "select 1::int id");
    write_parquet(f, "h/2.parquet", "select 'x' id");
    adopt_fails(f, FIRN_E_TYPE, "column id is int in 1.parquet and string in 2.parquet",
                .folder = "h");
    write_parquet(f, "levels/a=1/1.parquet", "select 1::int id");
    write_parquet(f, "levels/b=1/2.parquet", "select 1::int id");
    adopt_fails(f, FIRN_E_INVALID, "a=1/1.parquet and b=1/2.parquet", .folder = "levels");
    write_parquet(f, "both/y=1/1.parquet", "select 2::int y");
    adopt_fails(f, FIRN_E_TYPE, "other values than its folder says (1)", .folder = "both");
    lake_fails(f, "select * from t", FIRN_E_NO_TABLE);
}

static void folders_of_other_kinds(void **state)
{
    lake_fixture *f = *state;
    write_text(f, "csv/a.csv", "a,b\n1,2\n");
    adopt_fails(f, FIRN_E_UNSUPPORTED, "CREATE TABLE default.t AS SELECT * FROM read_csv(",
                .folder = "csv");
    write_parquet(f, "delta/a.parquet", "select 1 id");
    write_text(f, "delta/_delta_log/00000.json", "{}");
    adopt_fails(f, FIRN_E_UNSUPPORTED, "a Delta table", .folder = "delta");
    write_parquet(f, "ice/data/a.parquet", "select 1 id");
    write_text(f, "ice/metadata/v1.metadata.json", "{}");
    adopt_fails(f, FIRN_E_UNSUPPORTED, "register it", .folder = "ice");
    adopt_fails(f, FIRN_E_UNSUPPORTED, "register it", .folder = "ice/data");
    write_text(f, "none/_SUCCESS", "");
    adopt_fails(f, FIRN_E_INVALID, "no Parquet files", .folder = "none");
    adopt_fails(f, FIRN_E_NOT_FOUND, "there is no folder", .folder = "nowhere");
    write_parquet(f, "rowless/a.parquet", "select 1 id where false");
    adopt_fails(f, FIRN_E_INVALID, "has rows", .folder = "rowless");
}

static void cut_off_files_are_named(void **state)
{
    lake_fixture *f = *state;
    for (int i = 0; i < 5; i++) {
        write_parquet(f, firn_arena_printf(f->arena, "h/%d.parquet", i),
                      "select i::int id from range(1000) r(i)");
    }
    assert_int_equal(truncate(in_raw(f, "h/3.parquet"), 200), 0);
    adopt_fails(f, FIRN_E_CORRUPT, "h/3.parquet cannot be read", .folder = "h");
    write_text(f, "h/3.parquet", "PAR1 this is no footer PAR1");
    adopt_fails(f, FIRN_E_CORRUPT, "h/3.parquet cannot be read", .folder = "h");
    write_text(f, "h/3.parquet", "");
    assert_int_equal(adopt(f, .folder = "h").rows, 4000);
}

static void files_with_ids_of_their_own(void **state)
{
    lake_fixture *f = *state;
    assert_int_equal(firn_mkdir_p(in_raw(f, "ids"), 0755, NULL), FIRN_OK);
    lake_exec(f, firn_arena_printf(f->arena,
                                   "copy (select 1::int a, 2::int b) to '%s/a.parquet' (format "
                                   "parquet, field_ids {a: 2, b: 1})",
                                   in_raw(f, "ids")));
    adopt_fails(f, FIRN_E_UNSUPPORTED, "field ids of its own", .folder = "ids");
    lake_exec(f, firn_arena_printf(f->arena,
                                   "copy (select 1::int a, 2::int b) to '%s/a.parquet' (format "
                                   "parquet, field_ids {a: 1, b: 2})",
                                   in_raw(f, "ids")));
    lake_reopen(f); /* the footer was remembered */
    adopt(f, .folder = "ids");
    lake_expect(f, "select * from t", "1|2");
}

static void types_that_iceberg_has_not(void **state)
{
    lake_fixture *f = *state;
    write_parquet(f, "u/a.parquet", "select 1::ubigint id");
    adopt_fails(f, FIRN_E_UNSUPPORTED, "column id is UBIGINT in a.parquet", .folder = "u");
    write_parquet(f, "ns/a.parquet", "select timestamp_ns '2024-01-01 00:00:00.123456789' t");
    adopt_fails(f, FIRN_E_UNSUPPORTED, "--format-version 3", .folder = "ns");
    adopt(f, .folder = "ns", .format_version = 3);
    lake_expect(f, "select t from t", "2024-01-01 00:00:00.123456789");
}

static void a_taken_name_is_refused(void **state)
{
    lake_fixture *f = *state;
    write_parquet(f, "h/a.parquet", "select 1 id");
    adopt(f, .folder = "h");
    adopt_fails(f, FIRN_E_EXISTS, "--add", .folder = "h");
    adopt_fails(f, FIRN_E_NO_TABLE, "there is no table default.x", .folder = "h", .add = true,
                .ident = {.ns = "default", .name = "x"});
}

/* ---- afterwards ----------------------------------------------------------------------------------------------------- */

static void a_file_that_changed_in_place_is_an_error(void **state)
{
    lake_fixture *f = *state;
    write_parquet(f, "h/a.parquet", "select 1 id");
    adopt(f, .folder = "h");
    write_parquet(f, "h/a.parquet", "select i id, 'longer' s from range(100) r(i)");
    lake_fails(f, "select * from t", FIRN_E_CORRUPT);
    lake_contains(f->err.message, "it was changed in place");
    assert_int_equal(unlink(in_raw(f, "h/a.parquet")), 0);
    lake_fails(f, "select * from t", FIRN_E_NOT_FOUND);
    lake_contains(f->err.message, "h/a.parquet");
}

static void links_and_odd_names(void **state)
{
    lake_fixture *f = *state;
    write_parquet(f, "h/it's [odd]*?/a b.parquet", "select 1 id");
    write_parquet(f, "h/000000_0", "select 2 id");
    assert_int_equal(symlink("..", in_raw(f, "h/loop")), 0);
    adopt(f, .folder = "h");
    lake_expect(f, "select string_agg(id, ' ' order by id) from t", "1 2");
}

/* More files than one batch. */
static void many_files(void **state)
{
    lake_fixture *f = *state;
    assert_int_equal(firn_mkdir_p(in_raw(f, "many"), 0755, NULL), FIRN_OK);
    lake_exec(f, firn_arena_printf(f->arena,
                                   "copy (select i, i // 10 as g from range(4500) r(i)) to '%s' "
                                   "(format parquet, partition_by (g), overwrite_or_ignore)",
                                   in_raw(f, "many")));
    firn_adopt_result result = adopt(f, .folder = "many");
    assert_int_equal(result.files, 450);
    assert_int_equal(result.partitions, 450);
    lake_expect(f, "select count(*), sum(i), max(g) from t", "4500|10122750|449");
    lake_expect(f, "select count(*) from t where g = 44", "10");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lake_setup, lake_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_hive_folder_becomes_a_partitioned_table),
        TEST(statistics_come_from_the_footers),
        TEST(files_are_united_by_name),
        TEST(types_can_be_stated),
        TEST(a_dry_run_changes_nothing),
        TEST(only_new_files_are_added),
        TEST(files_that_left_the_table_stay_out),
        TEST(a_table_of_firns_own_takes_files),
        TEST(hidden_partitioning_cannot_be_told_by_paths),
        TEST(add_files_is_sparks),
        TEST(add_files_of_one_partition),
        TEST(contradictions_name_both_files),
        TEST(folders_of_other_kinds),
        TEST(cut_off_files_are_named),
        TEST(files_with_ids_of_their_own),
        TEST(types_that_iceberg_has_not),
        TEST(a_taken_name_is_refused),
        TEST(a_file_that_changed_in_place_is_an_error),
        TEST(links_and_odd_names),
        TEST(many_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
