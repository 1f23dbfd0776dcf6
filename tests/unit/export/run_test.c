/* Exports from a server in this process: what comes into the table, what does not come twice, and what is said when it cannot. */
#include "export_fixture.h"

#include <pthread.h>

#define COLUMNS "`ID` BIGINT, `NAME` STRING"

/* Rows id, id + 1, ... in turn over the partitions. */
static void add_ids(export_fixture *f, ksql_source *s, int from, int to)
{
    for (int i = from; i < to; i++) {
        char values[64];
        snprintf(values, sizeof(values), "%d, \"n%d\"", i, i);
        ksql_add(f->server, s, i % s->partitions, NOON_MS + i, values);
    }
}

static void expect_ids(export_fixture *f, int n)
{
    lake_expect(f->lake,
                "SELECT count(*), count(DISTINCT id), coalesce(max(id), -1) FROM streams.pay",
                firn_arena_printf(f->lake->arena, "%d|%d|%d", n, n, n - 1));
}

static ksql_source *pay(export_fixture *f, const char *more)
{
    export_feed(f, "pay", "stream", "pay", more);
    return ksql_stream(f->server, "PAY", COLUMNS, 2);
}

/* ---- streams ------------------------------------------------------------------------------------------------------- */

static void a_stream_comes_once(void **state)
{
    export_fixture *f = *state;
    ksql_source *s = pay(f, "");
    add_ids(f, s, 0, 10);
    const firn_export_result *r = export_one(f, "pay", FIRN_EXPORT_DONE);
    assert_int_equal(r->rows, 10);
    assert_int_equal(r->files, 1);
    assert_true(r->bytes > 0 && r->json_bytes > 200);
    assert_string_equal(r->where, "year=2026/month=01/day=15");
    assert_int_equal(r->n_warnings, 0);
    expect_ids(f, 10);
    lake_expect(f->lake, "SELECT DISTINCT year, month, day FROM streams.pay", "2026|1|15");
    lake_expect(f->lake, "SELECT name FROM streams.pay WHERE id = 7", "n7");

    export_one(f, "pay", FIRN_EXPORT_NOTHING_NEW);
    lake_contains(f->server->last_sql, "ROWPARTITION = 0 AND ROWOFFSET >= 4");
    expect_ids(f, 10);

    add_ids(f, s, 10, 13);
    assert_int_equal(export_one(f, "pay", FIRN_EXPORT_DONE)->rows, 3);
    expect_ids(f, 13);
    lake_expect(f->lake, "SELECT count(*) FROM streams.pay.snapshots", "2");
}

static void an_empty_stream_makes_a_table(void **state)
{
    export_fixture *f = *state;
    ksql_source *s = pay(f, "");
    export_one(f, "pay", FIRN_EXPORT_NOTHING_NEW);
    expect_ids(f, 0);
    add_ids(f, s, 0, 3);
    export_one(f, "pay", FIRN_EXPORT_DONE);
    expect_ids(f, 3);
}

/* A partition that nobody had written to, at the time of the export before. */
static void partitions_may_join(void **state)
{
    export_fixture *f = *state;
    ksql_source *s = pay(f, "");
    ksql_add(f->server, s, 0, NOON_MS, "0, \"a\"");
    export_one(f, "pay", FIRN_EXPORT_DONE);
    ksql_add(f->server, s, 1, NOON_MS, "1, \"b\"");
    assert_int_equal(export_one(f, "pay", FIRN_EXPORT_DONE)->rows, 1);
    expect_ids(f, 2);
}

static void batches_of_every_size(void **state)
{
    export_fixture *f = *state;
    ksql_source *s = pay(f, "");
    int n = 0;
    for (int rows = 1; rows <= 6; rows++) {
        add_ids(f, s, n, n + 7);
        n += 7;
        f->options.batch_rows_max = rows;
        f->options.flush_bytes = rows % 2 == 0 ? 1 : 100;
        assert_int_equal(export_one(f, "pay", FIRN_EXPORT_DONE)->rows, 7);
        expect_ids(f, n);
    }
    lake_expect(f->lake, "SELECT count(*) FROM streams.pay.snapshots", "6");
}

static void a_cut_answer_is_nothing(void **state)
{
    export_fixture *f = *state;
    ksql_source *s = pay(f, "");
    export_one(f, "pay", FIRN_EXPORT_NOTHING_NEW); /* the table, whoever is quicker below */
    add_ids(f, s, 0, 10);
    f->options.flush_bytes = 1;
    f->options.batch_rows_max = 2;
    f->server->cut_after = 7;
    f->server->cut_wait_ms = 100; /* files are there by then */
    export_fails(f, "pay");
    f->server->error_after = 5;
    lake_contains(export_fails(f, "pay"), "the disk burns");
    lake_expect(f->lake, "SELECT count(*) FROM streams.pay", "0");
    lake_expect(f->lake,
                firn_arena_printf(f->lake->arena,
                                  "SELECT count(*) FROM glob('%s/warehouse/**/*.parquet')",
                                  f->lake->root),
                "0");
    export_one(f, "pay", FIRN_EXPORT_DONE);
    expect_ids(f, 10);
}

/* ---- what the server has lost ------------------------------------------------------------------------------------------ */

static void rows_that_were_deleted_before_are_counted(void **state)
{
    export_fixture *f = *state;
    ksql_source *s = pay(f, "");
    add_ids(f, s, 0, 10);
    export_one(f, "pay", FIRN_EXPORT_DONE);
    add_ids(f, s, 10, 20);
    ksql_forget(f->server, s, 0, 8); /* the table holds 5 offsets of it: 5, 6 and 7 are gone */
    const firn_export_result *r = export_one(f, "pay", FIRN_EXPORT_DONE);
    export_warned(r, "3 offsets of partition 0 of topic t_PAY (5 to 7) were deleted");
    assert_int_equal(r->rows, 7);
    export_one(f, "pay", FIRN_EXPORT_NOTHING_NEW);
}

static void a_partition_without_rows_is_told(void **state)
{
    export_fixture *f = *state;
    ksql_source *s = pay(f, "");
    add_ids(f, s, 0, 10);
    export_one(f, "pay", FIRN_EXPORT_DONE);
    ksql_forget(f->server, s, 1, 100);
    ksql_add(f->server, s, 0, NOON_MS, "10, \"x\"");
    const firn_export_result *r = export_one(f, "pay", FIRN_EXPORT_DONE);
    export_warned(r, "partition 1 of topic t_PAY showed nothing from offset 4 on");
    assert_int_equal(r->rows, 1);
    r = export_one(f, "pay", FIRN_EXPORT_NOTHING_NEW);
    assert_string_equal(r->n_warnings > 0 ? r->warnings[0] : "",
                        ""); /* said once, and not waited for again */
    ksql_add(f->server, s, 1, NOON_MS, "11, \"y\"");
    assert_int_equal(export_one(f, "pay", FIRN_EXPORT_DONE)->rows, 1);
    expect_ids(f, 12);
    export_one(f, "pay", FIRN_EXPORT_NOTHING_NEW);
}

static void a_stream_made_anew_is_not_mixed_in(void **state)
{
    export_fixture *f = *state;
    ksql_source *s = pay(f, "");
    add_ids(f, s, 0, 10);
    export_one(f, "pay", FIRN_EXPORT_DONE);

    ksql_recreate(f->server, s, COLUMNS); /* and still empty */
    lake_contains(export_fails(f, "pay"), "shows none of the rows that table streams.pay holds");
    add_ids(f, s, 50, 80); /* as many as before, and more: other rows at the same offsets */
    lake_contains(export_fails(f, "pay"), "the stream's topic was made anew");
    expect_ids(f, 10);

    f->options.from = "beginning";
    const firn_export_result *r = export_one(f, "pay", FIRN_EXPORT_DONE);
    export_warned(r, "from the beginning");
    assert_int_equal(r->rows, 30);
    f->options.from = NULL;
    export_one(f, "pay", FIRN_EXPORT_NOTHING_NEW);
    lake_expect(f->lake, "SELECT count(*) FROM streams.pay", "40");
}

static void another_cluster_is_told(void **state)
{
    export_fixture *f = *state;
    ksql_source *s = pay(f, "");
    add_ids(f, s, 0, 10);
    export_one(f, "pay", FIRN_EXPORT_DONE);
    f->server->cluster = "cluster-2";
    lake_contains(export_fails(f, "pay"), "cluster-1");
    f->options.from = "beginning";
    export_one(f, "pay", FIRN_EXPORT_DONE);
}

/* ---- schemas ----------------------------------------------------------------------------------------------------------- */

static void columns_that_appear_are_added(void **state)
{
    export_fixture *f = *state;
    ksql_source *s = pay(f, "");
    add_ids(f, s, 0, 4);
    export_one(f, "pay", FIRN_EXPORT_DONE);
    s->columns = COLUMNS ", `TAGS` ARRAY<STRING>";
    for (size_t i = 0; i < s->n_rows; i++) {
        s->rows[i].values = realloc(s->rows[i].values, 64);
        strcat(s->rows[i].values, ", null");
    }
    ksql_add(f->server, s, 0, NOON_MS, "4, \"n4\", [\"a\", \"b\"]");
    const firn_export_result *r = export_one(f, "pay", FIRN_EXPORT_DONE);
    export_warned(r, "adds column tags");
    lake_expect(f->lake, "SELECT tags FROM streams.pay WHERE id > 2 ORDER BY id", "NULL\n[a, b]");

    s->columns = "`ID` STRING, `NAME` STRING, `TAGS` ARRAY<STRING>";
    lake_contains(export_fails(f, "pay"), "id: the table has long, the records have string");
    expect_ids(f, 5);
}

static void partition_columns_are_nobody_elses(void **state)
{
    export_fixture *f = *state;
    export_feed(f, "pay", "stream", "pay", "");
    ksql_source *s = ksql_stream(f->server, "PAY", "`ID` BIGINT, `MONTH` INTEGER", 1);
    ksql_add(f->server, s, 0, NOON_MS, "1, 2");
    lake_contains(export_fails(f, "pay"), "partitioning.columns names month");
    export_feed(
        f, "pay", "stream", "pay",
        ", \"partitioning\": {\"type\": \"date\", \"columns\": [\"y\", \"m\", \"d\", \"h\"]}");
    assert_string_equal(export_one(f, "pay", FIRN_EXPORT_DONE)->where, "y=2026/m=01/d=15/h=12");
    lake_expect(f->lake, "SELECT id, month, y, m, d, h FROM streams.pay", "1|2|2026|1|15|12");
    export_feed(f, "pay", "stream", "pay",
                ", \"partitioning\": {\"type\": \"date\", \"columns\": [\"y\", \"m\"]}");
    lake_contains(export_fails(f, "pay"), "is partitioned otherwise than by y, m");
}

static void types_of_all_kinds(void **state)
{
    export_fixture *f = *state;
    export_feed(f, "pay", "stream", "pay", "");
    ksql_source *s = ksql_stream(f->server, "PAY",
                                 "`ID` BIGINT, `D` DECIMAL(10, 2), `T` TIMESTAMP, `DAY_OF` DATE, "
                                 "`M` MAP<STRING, INTEGER>, `S` STRUCT<`A` BIGINT, `B` STRING>",
                                 1);
    ksql_add(f->server, s, 0, NOON_MS,
             "1, 12.50, \"2025-01-15T10:00:00.123\", \"2025-01-15\", {\"k\": 7}, {\"A\": 3, "
             "\"B\": \"x\"}");
    export_one(f, "pay", FIRN_EXPORT_DONE);
    lake_expect(f->lake, "SELECT id, d, epoch_ms(t), day_of, m['k'], s.a, s.b FROM streams.pay",
                "1|12.50|1736935200123|2025-01-15|7|3|x");
}

/* ---- filing ------------------------------------------------------------------------------------------------------------- */

static void filed_by(export_fixture *f, const char *type, const char *const *values, size_t n,
                     const char *expected)
{
    export_feed(
        f, "ev", "stream", "ev",
        ", \"retention_days\": 0, \"partitioning\": {\"type\": \"date\", \"time\": \"at\"}");
    ksql_source *s = ksql_stream(
        f->server, "EV", firn_arena_printf(f->lake->arena, "`ID` INTEGER, `AT` %s", type), 1);
    for (size_t i = 0; i < n; i++) {
        ksql_add(f->server, s, 0, NOON_MS - DAY_MS,
                 firn_arena_printf(f->lake->arena, "%zu, %s", i, values[i]));
    }
    export_one(f, "ev", FIRN_EXPORT_DONE);
    lake_expect(f->lake, "SELECT id, year, month, day FROM streams.ev ORDER BY id", expected);
    lake_exec(f->lake, "DROP TABLE streams.ev");
    f->server->n_sources--;
    for (size_t i = 0; i < s->n_rows; i++) {
        free(s->rows[i].values);
    }
    free(s->rows);
}

static void rows_are_filed_by_their_event(void **state)
{
    export_fixture *f = *state;
    static const char *const texts[] = {"\"2025-01-15T23:30:00Z\"",
                                        "\"2025-01-15T23:30:00-02:00\"",
                                        "\"2024-12-31\"",
                                        "null",
                                        "\"soon\"",
                                        "\"infinity\""};
    static const char *const numbers[] = {"1736935200000", "null", "-1", "9223372036854775807"};
    static const char *const times[] = {"\"2025-01-15T10:00:00.000\"", "null"};
    static const char *const dates[] = {"\"2025-03-01\"", "null"};
    filed_by(f, "STRING", texts, 6,
             "0|2025|1|15\n1|2025|1|16\n2|2024|12|31\n3|2026|1|14\n4|2026|1|14\n5|2026|1|14");
    filed_by(f, "BIGINT", numbers, 4, "0|2025|1|15\n1|2026|1|14\n2|1969|12|31\n3|2026|1|14");
    filed_by(f, "TIMESTAMP", times, 2, "0|2025|1|15\n1|2026|1|14");
    filed_by(f, "DATE", dates, 2, "0|2025|3|1\n1|2026|1|14");
}

static void rowtime_and_days_by_hand(void **state)
{
    export_fixture *f = *state;
    ksql_source *s = pay(f, ", \"partitioning\": {\"type\": \"date\", \"time\": \"ROWTIME\"}");
    ksql_add(f->server, s, 0, NOON_MS - 2 * DAY_MS, "0, \"a\"");
    ksql_add(f->server, s, 0, NOON_MS, "1, \"b\"");
    assert_string_equal(export_one(f, "pay", FIRN_EXPORT_DONE)->where, "2 days");
    lake_expect(f->lake, "SELECT id, day FROM streams.pay ORDER BY id", "0|13\n1|15");
    f->options.date = "2025-02-03";
    lake_contains(export_fails(f, "pay"), "--date does not go with feed pay");

    export_feed(f, "other", "stream", "pay", "");
    assert_string_equal(export_one(f, "other", FIRN_EXPORT_DONE)->where,
                        "year=2025/month=02/day=03");
    export_feed(f, "no_time", "stream", "pay",
                ", \"partitioning\": {\"type\": \"date\", \"time\": \"name\"}");
    f->options.date = NULL;
    export_one(f, "no_time", FIRN_EXPORT_DONE); /* no name is a time: all by ROWTIME */
    lake_expect(f->lake, "SELECT id, day FROM streams.no_time ORDER BY id", "0|13\n1|15");
    export_feed(f, "bad", "stream", "pay",
                ", \"partitioning\": {\"type\": \"date\", \"time\": \"x\"}");
    lake_contains(export_fails(f, "bad"), "partitioning.time names x, and pay has no such column");
}

/* Days in any order, in one batch and in several, more of them than are sorted without SQL. */
static void days_in_any_order(void **state)
{
    export_fixture *f = *state;
    static const int days[] = {3, 40, 256, 257};
    ksql_source *s = pay(f, ", \"partitioning\": {\"type\": \"date\", \"time\": \"ROWTIME\"}");
    int n = 0;
    for (size_t round = 0; round < sizeof(days) / sizeof(days[0]); round++) {
        f->options.batch_rows_max = round == 1 ? 7 : 0;
        for (int i = 0; i < 600; i++, n++) {
            ksql_add(f->server, s, 0, NOON_MS - (int64_t)(i * 7919 % days[round]) * DAY_MS,
                     firn_arena_printf(f->lake->arena, "%d, \"%d\"", n, i * 7919 % days[round]));
        }
        export_one(f, "pay", FIRN_EXPORT_DONE);
        expect_ids(f, n);
        lake_expect(f->lake,
                    "SELECT count(*) FROM streams.pay WHERE make_date(year, month, day) <> "
                    "DATE '2026-01-15' - name::INTEGER",
                    "0");
    }
}

/* ---- tables -------------------------------------------------------------------------------------------------------------- */

static ksql_source *totals(export_fixture *f, const char *more)
{
    export_feed(f, "totals", "table", "totals", more);
    return ksql_table(f->server, "TOTALS", "`METHOD` STRING, `N` BIGINT", 1);
}

static void a_table_is_a_version_each_time(void **state)
{
    export_fixture *f = *state;
    ksql_source *s = totals(f, "");
    ksql_add(f->server, s, 0, NOON_MS, "\"card\", 3");
    ksql_add(f->server, s, 0, NOON_MS, "\"cash\", 1");
    const firn_export_result *r = export_one(f, "totals", FIRN_EXPORT_DONE);
    assert_int_equal(r->version, 1);
    assert_string_equal(r->where, "version=v1 (v1 kept)");
    ksql_add(f->server, s, 0, NOON_MS, "\"wire\", 9");
    r = export_one(f, "totals", FIRN_EXPORT_DONE);
    assert_int_equal(r->version, 2);
    assert_string_equal(r->where, "version=v2 (v1..v2 kept)");
    lake_expect(f->lake, "SELECT method, n, version FROM tables.totals ORDER BY 1",
                "card|3|v2\ncash|1|v2\nwire|9|v2");
    lake_expect(f->lake, "SELECT count(*), min(version) FROM tables.totals VERSION AS OF 'v1'",
                "2|v1");
    lake_contains(lake_text(f->lake, "SHOW CREATE TABLE tables.totals"), "PRIMARY KEY");
}

static void changes_are_folded_by_key(void **state)
{
    export_fixture *f = *state;
    for (int round = 0; round < 3; round++) {
        f->options.batch_rows_max = round == 0 ? 0 : 2;
        f->options.flush_bytes = round == 2 ? 1 : 0; /* folded again and again */
        const char *name = firn_arena_printf(f->lake->arena, "T%d", round);
        const char *feed = firn_str_lower(f->lake->arena, name);
        export_feed(f, feed, "table", name, "");
        ksql_source *s = ksql_table(f->server, name, "`K` STRING, `N` BIGINT", 1);
        s->no_pull = true;
        for (int i = 0; i < 40; i++) {
            bool gone = i % 4 == 3;
            ksql_put(f->server, s, 0, NOON_MS, gone,
                     firn_arena_printf(f->lake->arena, gone ? "\"k%d\", null" : "\"k%d\", %d",
                                       i % 7, i));
        }
        /* keys 0..6; their last changes are 35..39 and 33, 34; of these 35 and 39 are deletions */
        export_one(f, feed, FIRN_EXPORT_DONE);
        lake_expect(
            f->lake,
            firn_arena_printf(f->lake->arena, "SELECT k, n FROM tables.%s ORDER BY k", feed),
            "k1|36\nk2|37\nk3|38\nk5|33\nk6|34");
    }
}

/* Equal keys are found without SQL where their bytes tell, by SQL elsewhere: the table is the same. */
static void keys_may_be_of_any_type(void **state)
{
    export_fixture *f = *state;
    static const struct {
        const char *type, *a, *b;
    } keys[] = {
        {"BOOLEAN", "true", "false"},
        {"INTEGER", "-7", "7"},
        {"BIGINT", "9007199254740993", "9007199254740992"},
        {"DECIMAL(20, 2)", "123456789012345678.25", "123456789012345678.26"},
        {"DOUBLE", "-0.0", "1.5"},
        {"STRING", "\"\"", "\"a\""},
        {"BYTES", "\"AAE=\"", "\"AAA=\""},
        {"DATE", "\"2025-01-15\"", "\"1969-12-31\""},
        {"TIME", "\"10:00:00\"", "\"10:00:01\""},
        {"TIMESTAMP", "\"2025-01-15T10:00:00.001\"", "\"2025-01-15T10:00:00.002\""},
        {"STRUCT<X INTEGER>", "{\"X\":1}", "{\"X\":2}"},
    };
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const char *name = firn_arena_printf(f->lake->arena, "KEYS%zu", i);
        const char *feed = firn_str_lower(f->lake->arena, name);
        export_feed(f, feed, "table", name, "");
        ksql_source *s = ksql_table(
            f->server, name,
            firn_arena_printf(f->lake->arena, "`K` %s, `L` INTEGER, `N` BIGINT", keys[i].type), 2);
        s->no_pull = true;
        const char *const rows[][2] = {{keys[i].a, "1, 1"},
                                       {keys[i].b, "1, 2"},
                                       {keys[i].a, "2, 3"},
                                       {keys[i].a, "1, 4"},
                                       {keys[i].b, "2, 5"}};
        for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
            ksql_put(f->server, s, 0, NOON_MS, false,
                     firn_arena_printf(f->lake->arena, "%s, %s", rows[k][0], rows[k][1]));
        }
        ksql_put(f->server, s, 0, NOON_MS, true,
                 firn_arena_printf(f->lake->arena, "%s, 2, null", keys[i].b));
        export_one(f, feed, FIRN_EXPORT_DONE);
        lake_expect(f->lake,
                    firn_arena_printf(f->lake->arena, "SELECT n FROM tables.%s ORDER BY n", feed),
                    "2\n3\n4");
    }
}

static void an_empty_answer_is_a_version_when_there_were_rows(void **state)
{
    export_fixture *f = *state;
    ksql_source *s = totals(f, "");
    export_one(f, "totals", FIRN_EXPORT_NOTHING_NEW);
    ksql_add(f->server, s, 0, NOON_MS, "\"card\", 3");
    assert_int_equal(export_one(f, "totals", FIRN_EXPORT_DONE)->version, 1);
    ksql_forget(f->server, s, 0, 10);
    const firn_export_result *r = export_one(f, "totals", FIRN_EXPORT_DONE);
    assert_int_equal(r->version, 2);
    export_warned(r, "the server's answer has no rows");
    lake_expect(f->lake, "SELECT count(*) FROM tables.totals", "0");
    lake_expect(f->lake, "SELECT count(*) FROM tables.totals VERSION AS OF 'v1'", "1");
    export_one(f, "totals", FIRN_EXPORT_NOTHING_NEW);
}

/* A pull query ends; of a push query there is only silence. */
static void silence_is_no_empty_table(void **state)
{
    export_fixture *f = *state;
    ksql_source *s = totals(f, ", \"query\": \"push\"");
    ksql_add(f->server, s, 0, NOON_MS, "\"card\", 3");
    export_one(f, "totals", FIRN_EXPORT_DONE);
    f->server->silent = true;
    lake_contains(export_fails(f, "totals"), "showed no change at all");
    f->server->silent = false;
    ksql_put(f->server, s, 0, NOON_MS, true, "\"card\", null");
    assert_int_equal(export_one(f, "totals", FIRN_EXPORT_DONE)->version, 2);
    lake_expect(f->lake, "SELECT count(*) FROM tables.totals", "0");
}

static void half_a_table_is_none(void **state)
{
    export_fixture *f = *state;
    ksql_source *s = totals(f, "");
    ksql_add(f->server, s, 0, NOON_MS, "\"card\", 3");
    ksql_add(f->server, s, 0, NOON_MS, "\"cash\", 1");
    export_one(f, "totals", FIRN_EXPORT_DONE);
    f->server->cut_after = 1;
    export_fails(f, "totals");
    f->server->error_after = 1;
    export_fails(f, "totals");
    lake_expect(f->lake, "SELECT count(*), min(version) FROM tables.totals", "2|v1");
}

static void rows_of_others_are_not_replaced(void **state)
{
    export_fixture *f = *state;
    ksql_source *s = totals(f, ", \"table\": \"own.t\"");
    ksql_add(f->server, s, 0, NOON_MS, "\"card\", 3");
    lake_exec(f->lake,
              "CREATE SCHEMA own; CREATE TABLE own.t PARTITIONED BY (version) AS SELECT 'x' AS "
              "method, 1::BIGINT AS n, 'v9' AS version");
    lake_contains(export_fails(f, "totals"), "no export of this feed brought");
    lake_expect(f->lake, "SELECT method FROM own.t", "x");
    lake_exec(f->lake, "DROP TABLE own.t");
    export_one(f, "totals", FIRN_EXPORT_DONE);
    export_feed(f, "twin", "table", "totals", ", \"table\": \"own.t\"");
    lake_contains(export_fails(f, "twin"), "feed totals brought");
}

static void reference_data_is_written_once(void **state)
{
    export_fixture *f = *state;
    ksql_source *s = totals(f, ", \"storage_mode\": \"ignore\"");
    ksql_add(f->server, s, 0, NOON_MS, "\"card\", 3");
    export_one(f, "totals", FIRN_EXPORT_DONE);
    ksql_add(f->server, s, 0, NOON_MS, "\"cash\", 3");
    lake_contains(export_one(f, "totals", FIRN_EXPORT_SKIPPED)->message, "written once already");
    lake_expect(f->lake, "SELECT count(*) FROM tables.totals", "1");
}

/* ---- several feeds ----------------------------------------------------------------------------------------------------- */

static void one_that_fails_does_not_stop_the_others(void **state)
{
    export_fixture *f = *state;
    ksql_source *s = pay(f, "");
    add_ids(f, s, 0, 10);
    export_feed(f, "gone", "stream", "gone", "");
    export_feed(f, "off", "stream", "pay", ", \"enabled\": false");
    export_put(f, "feeds/active", "broken.json", "{\"feed_name\": 3}");
    lake_check(export_try(f, NULL), &f->err, "all");
    assert_int_equal(f->n, 4);
    const firn_export_outcome outcomes[] = {FIRN_EXPORT_FAILED, FIRN_EXPORT_FAILED,
                                            FIRN_EXPORT_SKIPPED, FIRN_EXPORT_DONE};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(f->results[i].outcome, outcomes[i]); /* by name */
    }
    assert_string_equal(f->results[2].message, "disabled");
    expect_ids(f, 10);
    assert_int_equal(export_try(f, "off"), FIRN_E_CONFIG);
    lake_contains(f->err.message, "firn feed enable off");
    assert_int_equal(export_try(f, "payy"), FIRN_E_NOT_FOUND);
}

static void no_server_is_one_line(void **state)
{
    export_fixture *f = *state;
    pay(f, "");
    export_feed(f, "other", "stream", "other", "");
    lake_configure(f->lake, f->server->url, "http://127.0.0.1:1");
    assert_int_equal(export_try(f, NULL), FIRN_E_UNAVAILABLE);
    lake_contains(f->err.message, "127.0.0.1:1");
    lake_fails(f->lake, "SELECT * FROM streams.pay", FIRN_E_NO_TABLE);
}

static void a_stop_commits_nothing_half(void **state)
{
    export_fixture *f = *state;
    static volatile bool stop;
    ksql_source *s = pay(f, "");
    add_ids(f, s, 0, 10);
    stop = true;
    f->options.stop = &stop;
    lake_contains(export_fails(f, "pay"), "stopped");
    stop = false;
    export_one(f, "pay", FIRN_EXPORT_DONE);
    expect_ids(f, 10);
}

/* Two at once, from two engines: rows come once, whoever is first. */
static void *export_beside(void *ctx)
{
    export_fixture *f = ctx;
    if (export_try(f, "pay") != FIRN_OK) {
        fail_msg("beside: %s", f->err.message);
    }
    return NULL;
}

static void two_at_once(void **state)
{
    export_fixture *f = *state;
    ksql_source *s = pay(f, "");
    add_ids(f, s, 0, 10);
    lake_fixture other_lake = *f->lake;
    export_fixture other = *f;
    other.lake = &other_lake;
    other_lake.arena = firn_arena_new();
    lake_open(&other_lake);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, export_beside, &other), 0);
    lake_check(export_try(f, "pay"), &f->err, "pay");
    pthread_join(thread, NULL);
    expect_ids(f, 10);
    firn_arena_free(other_lake.arena);
    lake_close(&other_lake);
}

static void a_dry_run_writes_nothing(void **state)
{
    export_fixture *f = *state;
    ksql_source *s = pay(f, "");
    add_ids(f, s, 0, 10);
    f->options.dry_run = true;
    assert_int_equal(export_one(f, "pay", FIRN_EXPORT_DONE)->rows, 10);
    lake_fails(f->lake, "SELECT * FROM streams.pay", FIRN_E_NO_TABLE);
    f->options.dry_run = false;
    export_one(f, "pay", FIRN_EXPORT_DONE);
    f->options.dry_run = true;
    export_one(f, "pay", FIRN_EXPORT_NOTHING_NEW);
}

static void the_table_follows_the_feeds_file(void **state)
{
    export_fixture *f = *state;
    ksql_source *s = pay(f, ", \"compression\": \"zstd\", \"bloom_filters\": [\"name\"], "
                            "\"properties\": {\"write.target-file-size-bytes\": 4194304}");
    add_ids(f, s, 0, 10);
    export_one(f, "pay", FIRN_EXPORT_DONE);
    const char *sql = "SHOW TBLPROPERTIES streams.pay";
    const char *text = lake_text(f->lake, sql);
    lake_contains(text, "write.parquet.bloom-filter-enabled.column.name|true");
    lake_contains(text, "write.parquet.compression-codec|zstd");
    lake_contains(text, "write.target-file-size-bytes|4194304");
    export_feed(f, "pay", "stream", "pay", ", \"compression\": \"snappy\"");
    export_one(f, "pay", FIRN_EXPORT_NOTHING_NEW);
    text = lake_text(f->lake, sql);
    lake_contains(text, "write.parquet.compression-codec|snappy");
    lake_contains(text,
                  "write.target-file-size-bytes|4194304"); /* somebody may have set it by hand */
    assert_null(strstr(text, "bloom"));
    export_feed(f, "pay", "stream", "pay", ", \"bloom_filters\": [\"nam\"]");
    lake_contains(export_fails(f, "pay"), "bloom_filters names nam");
}

#define T(name) cmocka_unit_test_setup_teardown(name, export_setup, export_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_stream_comes_once),
        T(an_empty_stream_makes_a_table),
        T(partitions_may_join),
        T(batches_of_every_size),
        T(a_cut_answer_is_nothing),
        T(rows_that_were_deleted_before_are_counted),
        T(a_partition_without_rows_is_told),
        T(a_stream_made_anew_is_not_mixed_in),
        T(another_cluster_is_told),
        T(columns_that_appear_are_added),
        T(partition_columns_are_nobody_elses),
        T(types_of_all_kinds),
        T(rows_are_filed_by_their_event),
        T(rowtime_and_days_by_hand),
        T(days_in_any_order),
        T(a_table_is_a_version_each_time),
        T(changes_are_folded_by_key),
        T(keys_may_be_of_any_type),
        T(an_empty_answer_is_a_version_when_there_were_rows),
        T(silence_is_no_empty_table),
        T(half_a_table_is_none),
        T(rows_of_others_are_not_replaced),
        T(reference_data_is_written_once),
        T(one_that_fails_does_not_stop_the_others),
        T(no_server_is_one_line),
        T(a_stop_commits_nothing_half),
        T(two_at_once),
        T(a_dry_run_writes_nothing),
        T(the_table_follows_the_feeds_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
