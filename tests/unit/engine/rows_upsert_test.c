/* Upserts: changes by key against a table, read back by SQL, and compared with a fold of the same changes in C. */
#include "json_rows.h"

#include "write.h"

#include <inttypes.h>
#include <math.h>

/* An upsert's temporary tables go with its arena, which must end before the session does. */
static firn_arena *scratch;

static int set_up(void **state)
{
    scratch = firn_arena_new();
    return lake_setup(state);
}

static int tear_down(void **state)
{
    firn_arena_free(scratch);
    return lake_teardown(state);
}

/* ---- rows and commits ---------------------------------------------------------------------------------- */

static const firn_ident table_t = {.ns = "default", .name = "t"};

static const firn_metadata *head_of(lake_fixture *f)
{
    firn_err err = {0};
    firn_table table = {0};
    lake_check(firn_catalog_table_load(firn_lake_catalog(f->lake), f->arena, "main", table_t,
                                       &table, &err),
               &err, "load t");
    return table.metadata;
}

static firn_rc commit(lake_fixture *f, const firn_metadata *metadata, firn_upserted *upserted,
                      firn_err *err)
{
    firn_snapshot_result result = {0};
    const firn_write_commit_options options = {
        .ident = table_t, .metadata = metadata, .change = &upserted->change, .statement = "UPSERT"};
    return firn_write_commit(f->session, f->arena, &options, &result, err);
}

static firn_upserted upsert_with(lake_fixture *f, firn_rows_upsert options)
{
    firn_err err = {0};
    firn_upserted upserted = {0};
    options.write.metadata = head_of(f);
    options.write.table_text = "t";
    options.write.n_rows = 1;
    lake_check(firn_rows_upsert_files(f->session, scratch, &options, &upserted, &err), &err,
               "upsert");
    lake_check(commit(f, options.write.metadata, &upserted, &err), &err, "commit");
    return upserted;
}

#define CHANGE_FIELDS                                                                            \
    "{'name': 'id', 'type': 'long'}, {'name': 'v', 'type': ['null', 'string']}, {'name': 'op', " \
    "'type': 'string'}, {'name': 'n', 'type': 'long'}"

static const char *const key_id[] = {"id"};

/* Changes {id, v, op, n} of the table t(id, v); op "d" deletes, "t" truncates, n is their order. */
static firn_rows_upsert changes(lake_fixture *f, const char *lines)
{
    return (firn_rows_upsert){
        .write = {.rows = json_rows(f, CHANGE_FIELDS, lines), .sql = "SELECT id, v FROM batch"},
        .key = key_id,
        .n_key = 1,
        .order_by = "n",
        .delete_if = "op = 'd'",
        .truncate_if = "op = 't'"};
}

static void expect_counts(const firn_upserted *upserted, int64_t inserted, int64_t updated,
                          int64_t deleted)
{
    assert_int_equal(upserted->inserted, inserted);
    assert_int_equal(upserted->updated, updated);
    assert_int_equal(upserted->deleted, deleted);
}

static void create(lake_fixture *f, int version, const char *columns)
{
    lake_exec(f, firn_arena_printf(f->arena,
                                   "CREATE TABLE t (%s) TBLPROPERTIES ('format-version' = '%d')",
                                   columns, version));
}

#define ALL "SELECT id, v FROM t ORDER BY id"

/* ---- one batch ------------------------------------------------------------------------------------------- */

static void the_last_change_of_a_key_counts(void **state)
{
    lake_fixture *f = *state;
    create(f, 2, "id BIGINT, v VARCHAR");
    firn_upserted u =
        upsert_with(f, changes(f, "{'id': 1, 'v': 'a', 'op': 'c', 'n': 1}\n"
                                  "{'id': 1, 'v': 'c', 'op': 'u', 'n': 3}\n"
                                  "{'id': 1, 'v': 'b', 'op': 'u', 'n': 2}\n"
                                  "{'id': 2, 'v': 'x', 'op': 'c', 'n': 4}\n"
                                  "{'id': 2, 'v': null, 'op': 'd', 'n': 5}\n"
                                  "{'id': 3, 'v': null, 'op': 'd', 'n': 6}\n"
                                  "{'id': 3, 'v': 'again', 'op': 'c', 'n': 7}\n"
                                  "{'id': 4, 'v': 'first', 'op': 'c', 'n': 8}\n"
                                  "{'id': 4, 'v': 'same place, later row', 'op': 'u', 'n': 8}\n"));
    lake_expect(f, ALL, "1|c\n3|again\n4|same place, later row");
    expect_counts(&u, 3, 0, 0);
    u = upsert_with(f, changes(f, "{'id': 1, 'v': null, 'op': 'u', 'n': 1}\n"
                                  "{'id': 3, 'v': null, 'op': 'd', 'n': 2}\n"
                                  "{'id': 9, 'v': null, 'op': 'd', 'n': 3}\n"
                                  "{'id': 7, 'v': 'new', 'op': 'c', 'n': 4}\n"));
    lake_expect(f, ALL, "1|NULL\n4|same place, later row\n7|new");
    expect_counts(&u, 1, 1, 1);
}

static void nothing_to_do_makes_no_snapshot(void **state)
{
    lake_fixture *f = *state;
    create(f, 2, "id BIGINT, v VARCHAR");
    upsert_with(f, changes(f, "{'id': 1, 'v': 'a', 'op': 'c', 'n': 1}\n"));
    upsert_with(f, changes(f, "{'id': 2, 'v': null, 'op': 'd', 'n': 2}\n"));
    upsert_with(f, changes(f, ""));
    lake_expect(f, "SELECT count(*) FROM t.snapshots", "1");
}

static void rows_of_several_schemas_are_one_batch(void **state)
{
    lake_fixture *f = *state;
    firn_err err = {0};
    firn_upserted upserted = {0};
    create(f, 3, "id BIGINT, v VARCHAR");
    firn_rows rows[] = {
        *json_rows(f, "{'name': 'id', 'type': 'int'}, {'name': 'v', 'type': 'string'}",
                   "{'id': 1, 'v': 'a'}\n{'id': 2, 'v': 'b'}"),
        *json_rows(f, "{'name': 'v', 'type': 'string'}, {'name': 'id', 'type': 'long'}",
                   "{'id': 2, 'v': 'c'}\n{'id': 3, 'v': 'd'}"),
    };
    firn_rows_upsert options = {
        .write = {.rows = rows, .n_rows = 2, .metadata = head_of(f), .table_text = "t"},
        .key = key_id,
        .n_key = 1};
    lake_check(firn_rows_upsert_files(f->session, scratch, &options, &upserted, &err), &err, "");
    lake_check(commit(f, options.write.metadata, &upserted, &err), &err, "commit");
    lake_expect(f, ALL, "1|a\n2|c\n3|d");
}

static void order_may_be_of_columns_that_the_statement_drops(void **state)
{
    lake_fixture *f = *state;
    create(f, 2, "id BIGINT, v VARCHAR");
    firn_rows_upsert options = changes(f, "{'id': 1, 'v': 'late', 'op': 'c', 'n': 9}\n"
                                          "{'id': 1, 'v': 'early', 'op': 'd', 'n': 1}\n"
                                          "{'id': 2, 'v': 'two', 'op': 'd', 'n': 2}\n");
    options.write.sql = "SELECT id, upper(v) AS v, op = 'd' AS gone FROM batch";
    options.write.ignore_unknown = true;
    options.delete_if = "gone";

    options.order_by = "n, op";
    upsert_with(f, options);
    lake_expect(f, ALL, "1|LATE");
    /* A statement that aggregates has only its own columns. */
    options.write.sql = "SELECT id, max(v) AS v, max(n) AS latest FROM batch GROUP BY id";
    options.delete_if = "latest = 2";
    options.truncate_if = NULL;
    options.order_by = "latest";
    upsert_with(f, options);
    lake_expect(f, ALL, "1|late");
    options.write.sql =
        "SELECT id, v FROM batch WHERE id = 1 UNION ALL SELECT 5, 'five' FROM batch "
        "WHERE id = 2";
    options.delete_if = NULL;
    options.order_by = "n";
    upsert_with(f, options);
    lake_expect(f, ALL, "1|late\n5|five");
}

static void truncation_takes_all_that_came_before(void **state)
{
    lake_fixture *f = *state;
    create(f, 3, "id BIGINT, v VARCHAR");
    upsert_with(f, changes(f, "{'id': 1, 'v': 'a', 'op': 'c', 'n': 1}\n"
                              "{'id': 2, 'v': 'b', 'op': 'c', 'n': 2}\n"));
    firn_upserted u = upsert_with(f, changes(f, "{'id': 3, 'v': 'c', 'op': 'c', 'n': 3}\n"
                                                "{'id': 0, 'v': null, 'op': 't', 'n': 4}\n"
                                                "{'id': 2, 'v': 'new', 'op': 'c', 'n': 6}\n"
                                                "{'id': 0, 'v': null, 'op': 't', 'n': 5}\n"));
    assert_true(u.truncated);
    lake_expect(f, ALL, "2|new");
    upsert_with(f, changes(f, "{'id': 0, 'v': null, 'op': 't', 'n': 7}\n"));
    lake_expect(f, ALL, "");
    upsert_with(f, changes(f, "{'id': 0, 'v': null, 'op': 't', 'n': 8}\n"
                              "{'id': 1, 'v': 'z', 'op': 'c', 'n': 9}\n"));
    lake_expect(f, ALL, "1|z");
}

/* ---- keys -------------------------------------------------------------------------------------------------- */

static void keys_of_every_type(void **state)
{
    lake_fixture *f = *state;
    static const struct {
        const char *sql, *avro, *first, *second, *other; /* JSON values */
    } cases[] = {
        {"INTEGER", "'int'", "1", "1", "2"},
        {"BIGINT", "'int'", "1", "1", "2"},
        {"BOOLEAN", "'boolean'", "true", "true", "false"},
        {"FLOAT", "'float'", "1.5", "1.5", "2.5"},
        {"DOUBLE", "'double'", "'NaN'", "'NaN'", "0.0"},
        {"DOUBLE", "'double'", "-0.0", "0.0", "1e-300"},
        {"DECIMAL(9,2)", "{'type': 'bytes', 'logicalType': 'decimal', 'precision': 9, 'scale': 2}",
         "12.50", "12.5", "12.51"},
        {"DECIMAL(30,2)", "{'type': 'bytes', 'logicalType': 'decimal', 'precision': 9, 'scale': 2}",
         "-12.50", "-12.5", "12.51"},
        {"DATE", "{'type': 'int', 'logicalType': 'date'}", "'2026-11-28'", "'2026-11-28'",
         "'1969-12-31'"},
        {"TIME", "{'type': 'long', 'logicalType': 'time-micros'}", "'12:00:00.5'", "'12:00:00.5'",
         "'00:00:00'"},
        {"TIMESTAMP", "{'type': 'long', 'logicalType': 'local-timestamp-micros'}",
         "'2026-11-28T01:02:03.000004'", "'2026-11-28T01:02:03.000004'", "'2026-11-28T01:02:03'"},
        {"TIMESTAMPTZ", "{'type': 'long', 'logicalType': 'timestamp-millis'}",
         "'2026-11-28T01:02:03Z'", "'2026-11-28T02:02:03+01:00'", "'2026-11-28T02:02:03Z'"},
        {"VARCHAR", "'string'", "'\u00e9'", "'\u00e9'", "'e'"},
        {"VARCHAR", "'string'", "'a very long key that bounds cut: 1'",
         "'a very long key that bounds cut: 1'", "'a very long key that bounds cut: 2'"},
        {"VARCHAR", "'string'", "''", "''", "' '"},
        {"UUID", "{'type': 'string', 'logicalType': 'uuid'}",
         "'f79c3e09-677c-4bbd-a479-3f349cb785e7'", "'f79c3e09-677c-4bbd-a479-3f349cb785e7'",
         "'079c3e09-677c-4bbd-a479-3f349cb785e7'"},
        {"BLOB", "'bytes'", "'AAE='", "'AAE='", "'AAI='"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int version = 2; version <= 3; version++) {
            const char *fields =
                firn_arena_printf(f->arena,
                                  "{'name': 'id', 'type': %s}, {'name': 'v', 'type': "
                                  "'string'}",
                                  cases[i].avro);
            const char *texts[] = {
                firn_arena_printf(f->arena, "{'id': %s, 'v': 'a'}\n{'id': %s, 'v': 'b'}",
                                  cases[i].first, cases[i].other),
                firn_arena_printf(f->arena, "{'id': %s, 'v': 'c'}\n", cases[i].second),
            };
            create(f, version, firn_arena_printf(f->arena, "id %s, v VARCHAR", cases[i].sql));
            for (int k = 0; k < 2; k++) {
                upsert_with(f, (firn_rows_upsert){.write = {.rows = json_rows(f, fields, texts[k])},
                                                  .key = key_id,
                                                  .n_key = 1});
            }
            const char *after = lake_text(f, "SELECT v FROM t ORDER BY v");
            if (!firn_streq(after, "b\nc")) {
                fail_msg("%s key %s, version %d: %s", cases[i].sql, cases[i].first, version, after);
            }
            lake_exec(f, "DROP TABLE t");
        }
    }
}

static void composite_keys_and_rows_that_move_between_partitions(void **state)
{
    lake_fixture *f = *state;
    static const char *const key[] = {"ID", "region"}; /* whatever the letters' case */
    static const char fields[] =
        "{'name': 'Id', 'type': 'long'}, {'name': 'region', 'type': 'string'}, {'name': 'day', "
        "'type': {'type': 'int', 'logicalType': 'date'}}, {'name': 'v', 'type': 'string'}";
    for (int version = 2; version <= 3; version++) {
        lake_exec(
            f, firn_arena_printf(f->arena,
                                 "CREATE TABLE t (id BIGINT, region VARCHAR, day DATE, v VARCHAR) "
                                 "PARTITIONED BY (day) TBLPROPERTIES ('format-version' = '%d')",
                                 version));
        const char *batches[] = {
            "{'Id': 1, 'region': 'eu', 'day': '2026-01-01', 'v': 'a'}\n"
            "{'Id': 1, 'region': 'us', 'day': '2026-01-01', 'v': 'b'}\n"
            "{'Id': 2, 'region': 'eu', 'day': '2026-01-02', 'v': 'c'}\n"
            "{'Id': 3, 'region': 'eu', 'day': '2026-01-02', 'v': 'd'}\n",
            "{'Id': 1, 'region': 'eu', 'day': '2026-01-02', 'v': 'moved'}\n"
            "{'Id': 2, 'region': 'us', 'day': '2026-01-02', 'v': 'new'}\n"
            "{'Id': 3, 'region': 'eu', 'day': '2026-01-03', 'v': 'moved too'}\n"};
        for (int i = 0; i < 2; i++) {
            upsert_with(f, (firn_rows_upsert){.write = {.rows = json_rows(f, fields, batches[i])},
                                              .key = key,
                                              .n_key = 2});
        }
        lake_expect(f, "SELECT id, region, day, v FROM t ORDER BY id, region",
                    "1|eu|2026-01-02|moved\n1|us|2026-01-01|b\n2|eu|2026-01-02|c\n"
                    "2|us|2026-01-02|new\n3|eu|2026-01-03|moved too");
        lake_exec(f, "DROP TABLE t");
    }
}

static void a_change_needs_its_key(void **state)
{
    lake_fixture *f = *state;
    static const char *const keys[] = {"id", "v", "nope"};
    static const char fields[] =
        "{'name': 'id', 'type': ['null', 'long']}, {'name': 'v', 'type': ['null', 'string']}";
    create(f, 2, "id BIGINT, v VARCHAR, l BIGINT[]");
    firn_rows_upsert options = {
        .write = {.rows = json_rows(f, fields, "{'id': 1, 'v': 'a'}\n{'v': 'b'}"),
                  .n_rows = 1,
                  .metadata = head_of(f),
                  .table_text = "t"},
        .key = keys,
        .n_key = 1};
    firn_upserted upserted = {0};
    firn_err err = {0};
    assert_int_equal(firn_rows_upsert_files(f->session, scratch, &options, &upserted, &err),
                     FIRN_E_CHECK_FAILED);
    lake_contains(err.message, "a change of t has no value in id, which is part of the key");
    options.key = &keys[2];
    assert_int_equal(firn_rows_upsert_files(f->session, scratch, &options, &upserted, &err),
                     FIRN_E_NO_COLUMN);
    options.key = (const char *const[]){"l"};
    assert_int_equal(firn_rows_upsert_files(f->session, scratch, &options, &upserted, &err),
                     FIRN_E_UNSUPPORTED);
    lake_contains(err.message, "list<long>");
    options.n_key = 0;
    assert_int_equal(firn_rows_upsert_files(f->session, scratch, &options, &upserted, &err),
                     FIRN_E_INVALID);
    options.key = keys;
    options.n_key = 1;
    options.write.sql = "SELECT v FROM batch";
    assert_int_equal(firn_rows_upsert_files(f->session, scratch, &options, &upserted, &err),
                     FIRN_E_NO_COLUMN);
    lake_contains(err.message, "the changes of t have no column id, which is part of its key");
    /* Rows of the table without a key are nobody's. */
    lake_exec(f, "INSERT INTO t VALUES (NULL, 'x', NULL)");
    upsert_with(f, changes(f, "{'id': 1, 'v': 'a', 'op': 'd', 'n': 1}\n"));
    lake_expect(f, ALL, "NULL|x");
}

static void format_version_1_is_refused(void **state)
{
    lake_fixture *f = *state;
    create(f, 1, "id BIGINT, v VARCHAR");
    firn_rows_upsert options = changes(f, "{'id': 1, 'v': 'a', 'op': 'c', 'n': 1}\n");
    firn_upserted upserted = {0};
    firn_err err = {0};
    options.write.metadata = head_of(f);
    options.write.table_text = "t";
    options.write.n_rows = 1;
    assert_int_equal(firn_rows_upsert_files(f->session, scratch, &options, &upserted, &err),
                     FIRN_E_UNSUPPORTED);
    lake_contains(err.message, "'format-version' = '2'");
}

/* ---- files ------------------------------------------------------------------------------------------------ */

static const char *numbers(lake_fixture *f, int from, int to, const char *v)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    for (int i = from; i < to; i++) {
        firn_buf_printf(&out, "{'id': %d, 'v': '%s', 'op': 'c', 'n': %d}\n", i, v, i);
    }
    return firn_arena_strdup(f->arena, firn_buf_cstr(&out));
}

static void a_data_file_has_one_vector(void **state)
{
    lake_fixture *f = *state;
    create(f, 3, "id BIGINT, v VARCHAR");
    upsert_with(f, changes(f, numbers(f, 0, 100, "a")));
    for (int i = 0; i < 5; i++) {
        upsert_with(f, changes(f, numbers(f, i * 10, i * 10 + 10, "b")));
    }
    lake_expect(f, "SELECT v, count(*) FROM t GROUP BY v ORDER BY v", "a|50\nb|50");
    lake_expect(f, "SELECT count(*), max(record_count) FROM t.delete_files", "1|50");
    /* Of a file without a row left nothing stays, nor of its vector. */
    upsert_with(f, changes(f, numbers(f, 30, 100, "c")));
    lake_expect(f, "SELECT count(*) FROM t.delete_files", "0");
    lake_expect(f, "SELECT v, count(*) FROM t GROUP BY v ORDER BY v", "b|30\nc|70");
    lake_expect(f, "SELECT record_count FROM t.files ORDER BY 1", "10\n10\n10\n70");
}

static void position_deletes_go_by_partition_or_by_file(void **state)
{
    lake_fixture *f = *state;
    for (int by_file = 0; by_file < 2; by_file++) {
        create(f, 2, "id BIGINT, v VARCHAR");
        if (by_file) {
            lake_exec(f, "ALTER TABLE t SET TBLPROPERTIES ('write.delete.granularity' = 'file')");
        }
        for (int i = 0; i < 4; i++) {
            upsert_with(f, changes(f, numbers(f, i * 10, i * 10 + 10, "a")));
        }
        upsert_with(f, changes(f, "{'id': 1, 'v': 'x', 'op': 'c', 'n': 1}\n"
                                  "{'id': 11, 'v': 'x', 'op': 'c', 'n': 1}\n"
                                  "{'id': 21, 'v': 'x', 'op': 'd', 'n': 1}\n"));
        lake_expect(f, "SELECT count(*), sum(record_count) FROM t.delete_files",
                    by_file ? "3|3" : "1|3");
        lake_expect(f, "SELECT v, count(*) FROM t GROUP BY v ORDER BY v", "a|37\nx|2");
        /* The last rows of the first file: the file goes, and of its own delete file nothing stays. */
        upsert_with(f, changes(f, numbers(f, 0, 10, "y")));
        lake_expect(f, "SELECT v, count(*) FROM t GROUP BY v ORDER BY v", "a|28\nx|1\ny|10");
        lake_expect(f, "SELECT content, count(*) FROM t.files GROUP BY content ORDER BY content",
                    by_file ? "0|5\n1|3" : "0|5\n1|2");
        lake_exec(f, "DROP TABLE t");
    }
}

/* Files without such keys are not opened: here they are gone. */
static void files_of_other_keys_are_left_alone(void **state)
{
    lake_fixture *f = *state;
    firn_err err = {0};
    create(f, 2, "id BIGINT, v VARCHAR");
    for (int i = 0; i < 4; i++) {
        upsert_with(f, changes(f, numbers(f, i * 10, i * 10 + 10, "a")));
    }
    /* Keys below, between and above: the range of all keys covers every file. */
    const char *lines =
        firn_arena_printf(f->arena, "%s%s%s", numbers(f, -300, -1, "b"),
                          "{'id': 15, 'v': 'b', 'op': 'c', 'n': 1}\n", numbers(f, 500, 600, "b"));
    firn_storage *storage = firn_lake_storage(f->lake);
    const char *paths =
        lake_text(f, "SELECT file_path FROM t.files WHERE readable_metrics.id.lower_bound <> 10");
    size_t n = 0;
    char **list = firn_str_split(f->arena, paths, '\n', &n);
    assert_int_equal(n, 3);
    for (size_t i = 0; i < n; i++) {
        lake_check(firn_storage_delete(storage, list[i], &err), &err, list[i]);
    }
    firn_upserted u = upsert_with(f, changes(f, lines));
    expect_counts(&u, 399, 1, 0);
}

/* ---- other writers ---------------------------------------------------------------------------------------- */

static firn_upsert *open_upsert(lake_fixture *f, const char *lines)
{
    firn_err err = {0};
    firn_upsert *upsert = NULL;
    firn_rows_upsert *options = FIRN_NEW(f->arena, firn_rows_upsert);
    *options = changes(f, lines);
    options->write.metadata = head_of(f);
    options->write.table_text = "t";
    options->write.n_rows = 1;
    lake_check(firn_upsert_open(f->session, scratch, options, &upsert, &err), &err, "open");
    return upsert;
}

static firn_rc plan_and_commit(lake_fixture *f, firn_upsert *upsert, const firn_metadata *head,
                               firn_err *err)
{
    firn_upserted upserted = {0};
    FIRN_TRY(firn_upsert_plan(upsert, head, &upserted, err));
    return commit(f, head, &upserted, err);
}

static void writers_of_other_keys_do_not_fail(void **state)
{
    lake_fixture *f = *state;
    for (int version = 2; version <= 3; version++) {
        create(f, version, "id BIGINT, v VARCHAR");
        upsert_with(f, changes(f, numbers(f, 0, 100, "a")));
        firn_upsert *ours = open_upsert(f, numbers(f, 10, 20, "ours"));
        firn_err err = {0};
        firn_upserted early = {0};
        lake_check(firn_upsert_plan(ours, head_of(f), &early, &err), &err, "plan");
        upsert_with(f, changes(f, "{'id': 5, 'v': 'theirs', 'op': 'c', 'n': 1}\n"
                                  "{'id': 15, 'v': 'theirs', 'op': 'c', 'n': 1}\n"
                                  "{'id': 50, 'v': null, 'op': 'd', 'n': 1}\n"));
        /* What was planned before does not hold: their file may have our keys, and has. */
        assert_int_equal(commit(f, head_of(f), &early, &err), FIRN_E_VALIDATION);
        lake_check(plan_and_commit(f, ours, head_of(f), &err), &err, "plan again");
        lake_expect(f, "SELECT v, count(*) FROM t GROUP BY v ORDER BY v",
                    "a|88\nours|10\ntheirs|1");
        if (version == 3) {
            lake_expect(f,
                        "SELECT count(*), count(DISTINCT referenced_data_file) FROM "
                        "t.delete_files",
                        "2|2");
        }
        lake_exec(f, "DROP TABLE t");
    }
}

/* Keys that no new file can hold: what was planned on an older head still holds on version 2. */
static void a_plan_outlives_commits_of_far_keys(void **state)
{
    lake_fixture *f = *state;
    firn_err err = {0};
    firn_upserted planned = {0};
    create(f, 2, "id BIGINT, v VARCHAR");
    upsert_with(f, changes(f, numbers(f, 0, 100, "a")));
    firn_upsert *ours = open_upsert(f, numbers(f, 10, 20, "ours"));
    lake_check(firn_upsert_plan(ours, head_of(f), &planned, &err), &err, "plan");
    upsert_with(f, changes(f, numbers(f, 1000, 1010, "far")));
    upsert_with(f, changes(f, "{'id': 50, 'v': null, 'op': 'd', 'n': 1}\n"));
    lake_check(commit(f, head_of(f), &planned, &err), &err, "commit");
    lake_expect(f, "SELECT v, count(*) FROM t GROUP BY v ORDER BY v", "a|89\nfar|10\nours|10");
}

static void files_that_were_rewritten_are_looked_into_again(void **state)
{
    lake_fixture *f = *state;
    for (int version = 2; version <= 3; version++) {
        firn_err err = {0};
        firn_upserted early = {0};
        create(f, version, "id BIGINT, v VARCHAR");
        upsert_with(f, changes(f, numbers(f, 0, 100, "a")));
        firn_upsert *ours = open_upsert(f, numbers(f, 10, 20, "ours"));
        lake_check(firn_upsert_plan(ours, head_of(f), &early, &err), &err, "plan");
        lake_exec(f, "UPDATE t SET v = 'rewritten' WHERE id = 0"); /* copy-on-write */
        assert_int_equal(commit(f, head_of(f), &early, &err), FIRN_E_VALIDATION);
        lake_check(plan_and_commit(f, ours, head_of(f), &err), &err, "plan again");
        lake_expect(f, "SELECT v, count(*) FROM t GROUP BY v ORDER BY v",
                    "a|89\nours|10\nrewritten|1");
        lake_exec(f, "DROP TABLE t");
    }
}

/* After a rollback rows are back that had been deleted when the upsert looked. */
static void a_rollback_makes_everything_new(void **state)
{
    lake_fixture *f = *state;
    firn_err err = {0};
    firn_upserted early = {0};
    create(f, 2, "id BIGINT, v VARCHAR");
    upsert_with(f, changes(f, numbers(f, 0, 100, "a")));
    int64_t before = head_of(f)->current_snapshot->snapshot_id;
    upsert_with(f, changes(f, "{'id': 15, 'v': null, 'op': 'd', 'n': 1}\n"));
    firn_upsert *ours = open_upsert(f, numbers(f, 10, 20, "ours"));
    lake_check(firn_upsert_plan(ours, head_of(f), &early, &err), &err, "plan");
    assert_int_equal(early.updated, 9);
    lake_exec(f, firn_arena_printf(f->arena, "CALL rollback_to_snapshot('default.t', %" PRId64 ")",
                                   before));
    firn_upserted late = {0};
    lake_check(firn_upsert_plan(ours, head_of(f), &late, &err), &err, "plan again");
    assert_int_equal(late.updated, 10);
    lake_check(commit(f, head_of(f), &late, &err), &err, "commit");
    lake_expect(f, "SELECT v, count(*) FROM t GROUP BY v ORDER BY v", "a|90\nours|10");
}

static void a_table_made_anew_is_another_one(void **state)
{
    lake_fixture *f = *state;
    firn_err err = {0};
    create(f, 2, "id BIGINT, v VARCHAR");
    firn_upsert *ours = open_upsert(f, numbers(f, 10, 20, "ours"));
    lake_exec(f, "DROP TABLE t");
    create(f, 2, "id BIGINT, v VARCHAR");
    assert_int_equal(plan_and_commit(f, ours, head_of(f), &err), FIRN_E_VALIDATION);
    lake_contains(err.message, "made anew");
    firn_upsert_discard(ours);
}

static void schemas_may_move_on_in_between(void **state)
{
    lake_fixture *f = *state;
    firn_err err = {0};
    create(f, 3, "id INTEGER, v VARCHAR");
    upsert_with(f, changes(f, numbers(f, 0, 10, "a")));
    firn_upsert *ours = open_upsert(f, numbers(f, 5, 15, "ours"));
    lake_exec(f, "ALTER TABLE t ALTER COLUMN id TYPE BIGINT");
    lake_exec(f, "ALTER TABLE t RENAME COLUMN id TO key");
    lake_exec(f, "ALTER TABLE t ADD COLUMN more VARCHAR");
    lake_exec(f, "INSERT INTO t VALUES (7000000000, 'big', 'm')");
    lake_check(plan_and_commit(f, ours, head_of(f), &err), &err, "plan");
    lake_expect(f, "SELECT v, count(*), count(more), max(key) FROM t GROUP BY v ORDER BY v",
                "a|5|0|4\nbig|1|1|7000000000\nours|10|0|14");
}

/* ---- against a fold ----------------------------------------------------------------------------------------- */

enum { MODEL_KEYS = 60, MODEL_ROUNDS = 12, MODEL_CHANGES = 40 };

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return *seed >> 33;
}

static void random_batch(uint64_t *seed, int round, char (*model)[24], firn_buf *lines)
{
    for (int i = 0; i < MODEL_CHANGES; i++) {
        int id = (int)(next_random(seed) % MODEL_KEYS);
        bool gone = next_random(seed) % 4 == 0;
        bool truncates = next_random(seed) % 400 == 0;
        firn_buf_printf(lines, "{'id': %d, 'v': '%d.%d', 'op': '%s', 'n': %d}\n", id, round, i,
                        truncates ? "t"
                        : gone    ? "d"
                                  : "u",
                        i);
        if (truncates) {
            memset(model, 0, MODEL_KEYS * sizeof(model[0]));
        } else if (gone) {
            model[id][0] = '\0';
        } else {
            snprintf(model[id], sizeof(model[id]), "%d.%d", round, i);
        }
    }
}

static void model_runs(lake_fixture *f, int version, const char *partitioned, uint64_t seed)
{
    char model[MODEL_KEYS][24] = {0};
    lake_exec(f, firn_arena_printf(f->arena,
                                   "CREATE TABLE t (id BIGINT, v VARCHAR) %s TBLPROPERTIES "
                                   "('format-version' = '%d')",
                                   partitioned, version));
    for (int round = 0; round < MODEL_ROUNDS; round++) {
        FIRN_AUTO_BUF firn_buf lines = {0};
        FIRN_AUTO_BUF firn_buf expected = {0};
        random_batch(&seed, round, model, &lines);
        upsert_with(f, changes(f, firn_buf_cstr(&lines)));
        for (int id = 0; id < MODEL_KEYS; id++) {
            if (model[id][0] != '\0') {
                firn_buf_printf(&expected, "%s%d|%s", expected.len > 0 ? "\n" : "", id, model[id]);
            }
        }
        const char *table = lake_text(f, ALL);
        if (!firn_streq(table, firn_buf_cstr(&expected))) {
            fail_msg("version %d, %s, round %d:\n%s\nexpected:\n%s", version, partitioned, round,
                     table, firn_buf_cstr(&expected));
        }
    }
    lake_exec(f, "DROP TABLE t");
}

static void random_changes_equal_their_fold(void **state)
{
    lake_fixture *f = *state;
    for (int version = 2; version <= 3; version++) {
        model_runs(f, version, "", 1);
        model_runs(f, version, "PARTITIONED BY (bucket(3, id))", 2);
        model_runs(f, version, "PARTITIONED BY (truncate(v, 1))", 3);
    }
}

int main(void)
{
#define WITH_LAKE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_LAKE(the_last_change_of_a_key_counts),
        WITH_LAKE(nothing_to_do_makes_no_snapshot),
        WITH_LAKE(rows_of_several_schemas_are_one_batch),
        WITH_LAKE(order_may_be_of_columns_that_the_statement_drops),
        WITH_LAKE(truncation_takes_all_that_came_before),
        WITH_LAKE(keys_of_every_type),
        WITH_LAKE(composite_keys_and_rows_that_move_between_partitions),
        WITH_LAKE(a_change_needs_its_key),
        WITH_LAKE(format_version_1_is_refused),
        WITH_LAKE(a_data_file_has_one_vector),
        WITH_LAKE(position_deletes_go_by_partition_or_by_file),
        WITH_LAKE(files_of_other_keys_are_left_alone),
        WITH_LAKE(writers_of_other_keys_do_not_fail),
        WITH_LAKE(a_plan_outlives_commits_of_far_keys),
        WITH_LAKE(files_that_were_rewritten_are_looked_into_again),
        WITH_LAKE(a_rollback_makes_everything_new),
        WITH_LAKE(a_table_made_anew_is_another_one),
        WITH_LAKE(schemas_may_move_on_in_between),
        WITH_LAKE(random_changes_equal_their_fold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
