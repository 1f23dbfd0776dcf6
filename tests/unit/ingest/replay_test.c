/* Dead letters through their feed again: rows and letters change in one commit or not at all. No broker is asked. */
#include "../engine/lake_fixture.h"

#include "replay.h"

#include "base/log.h"

#define LETTERS "bronze.orders__dead_letters"

static void write_feed(lake_fixture *f, const char *more)
{
    firn_err err = {0};
    const char *folder = firn_path_join(f->arena, f->root, "feeds");
    const char *text = firn_arena_printf(
        f->arena, "source: shop\ntopics: [orders, returns]\ntable: bronze.orders\n%s", more);
    lake_check(firn_mkdir_p(folder, 0755, &err), &err, "feeds");
    lake_check(firn_file_write_atomic(firn_path_join(f->arena, folder, "orders.yaml"),
                                      firn_bytes_str(text), 0644, &err),
               &err, "feed");
}

static int setup(void **state)
{
    lake_setup(state);
    firn_log_set_level(FIRN_LOG_OFF);
    lake_fixture *f = *state;
    firn_err err = {0};
    firn_bytes text;
    const char *path = firn_path_join(f->arena, f->root, "firn.yaml");
    lake_check(firn_file_read(f->arena, path, 1 << 20, &text, &err), &err, "firn.yaml");
    const char *config =
        firn_arena_printf(f->arena,
                          "%s\nsources:\n  - name: shop\n    kafka: 127.0.0.1:1\n    registry: "
                          "http://127.0.0.1:1\n",
                          (const char *)text.data);
    lake_check(firn_file_write_atomic(path, firn_bytes_str(config), 0644, &err), &err, "firn.yaml");
    lake_reopen(f);
    write_feed(f, "format: json\nschema: \"id bigint, name string\"\n");
    lake_exec(f,
              "CREATE SCHEMA bronze; CREATE TABLE bronze.orders (id BIGINT, name VARCHAR);"
              "CREATE TABLE " LETTERS
              " (feed VARCHAR NOT NULL, topic VARCHAR NOT NULL, partition INTEGER NOT NULL,"
              " \"offset\" BIGINT NOT NULL, \"timestamp\" TIMESTAMPTZ, key BLOB, value BLOB,"
              " headers MAP(VARCHAR, BLOB) NOT NULL, code VARCHAR NOT NULL, error VARCHAR NOT NULL,"
              " schema_id INTEGER, failed_at TIMESTAMPTZ NOT NULL, attempts INTEGER NOT NULL)");
    return 0;
}

static void letter(lake_fixture *f, const char *topic, int partition, int offset, const char *value)
{
    lake_exec(f,
              firn_arena_printf(
                  f->arena,
                  "INSERT INTO " LETTERS " VALUES ('orders', '%s', %d, %d, TIMESTAMPTZ"
                  " '2026-11-28 12:00:00+00', NULL, %s, MAP {'trace': '\\x01'::BLOB, 'none': NULL},"
                  " 'TYPE', 'old error', NULL, now(), 1)",
                  topic, partition, offset, value));
}

static firn_rc replay(lake_fixture *f, const char *where, const char *value,
                      firn_replay_result *out)
{
    const firn_replay_options options = {.feed = "orders", .where = where, .value = value};
    firn_err_clear(&f->err);
    return firn_ingest_replay(f->engine, &options, out, &f->err);
}

static void expect_replay(lake_fixture *f, const char *where, const char *value, int64_t replayed,
                          int64_t failed)
{
    firn_replay_result result;
    lake_check(replay(f, where, value, &result), &f->err, "replay");
    assert_int_equal(result.replayed, replayed);
    assert_int_equal(result.failed, failed);
    assert_int_equal(result.tried, replayed + failed);
}

static void good_ones_become_rows(void **state)
{
    lake_fixture *f = *state;
    expect_replay(f, NULL, NULL, 0, 0);
    letter(f, "orders", 0, 5, "'{\"id\": 1, \"name\": \"a\"}'::BLOB");
    letter(f, "orders", 1, 5, "'no JSON'::BLOB");
    letter(f, "returns", 0, 5, "'{\"id\": 3}'::BLOB");
    letter(f, "returns", 0, 4, "'{\"id\": \"x\"}'::BLOB");
    expect_replay(f, NULL, NULL, 2, 2);
    lake_expect(f, "SELECT id, name FROM bronze.orders ORDER BY id", "1|a\n3|NULL");
    lake_expect(
        f,
        "SELECT topic, partition, \"offset\", code, attempts, decode(value), error <> 'old error',"
        " \"timestamp\" = TIMESTAMPTZ '2026-11-28 12:00:00+00', hex(headers['trace']),"
        " headers['none'] IS NULL, cardinality(headers) FROM " LETTERS " ORDER BY topic",
        "orders|1|5|CORRUPT|2|no JSON|true|true|01|true|2\n"
        "returns|0|4|TYPE|2|{\"id\": \"x\"}|true|true|01|true|2");
    /* Nothing new: the same letters fail the same way. */
    expect_replay(f, NULL, NULL, 0, 2);
    lake_expect(f, "SELECT count(*), max(attempts) FROM " LETTERS, "2|3");
    lake_expect(f, "SELECT count(*) FROM bronze.orders", "2");
}

static void chosen_and_repaired(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f,
              "INSERT INTO " LETTERS " SELECT 'orders', 'orders', 0, i, NULL, NULL,"
              " ('{\"id\": ' || CASE WHEN i % 2 = 0 THEN 'NaN' ELSE i::VARCHAR END || '}')::BLOB,"
              " MAP {}, 'CORRUPT', 'old error', NULL, now(), 1 FROM range(10) r(i)");
    const char *repaired = "replace(decode(value), 'NaN', (\"offset\" + 100)::VARCHAR)";
    expect_replay(f, "\"offset\" < 4 -- the first", repaired, 4, 0);
    lake_expect(f, "SELECT string_agg(id, ',' ORDER BY id) FROM bronze.orders", "1,3,100,102");
    lake_expect(f, "SELECT count(*), min(\"offset\"), max(attempts) FROM " LETTERS, "6|4|1");
    /* A repair that does not help keeps the value as it came. */
    expect_replay(f, "\"offset\" = 4", "'still no JSON'", 0, 1);
    lake_expect(f, "SELECT decode(value), attempts FROM " LETTERS " WHERE \"offset\" = 4",
                "{\"id\": NaN}|2");
    /* NULL gives a record up; a BLOB is taken as it is. */
    expect_replay(f, "\"offset\" IN (4, 6)", "NULL::BLOB", 2, 0);
    expect_replay(f, NULL, "encode('{\"id\": 7}')", 4, 0);
    lake_expect(f, "SELECT count(*) FROM " LETTERS, "0");
    lake_expect(f, "SELECT count(*), sum(id) FROM bronze.orders", "8|234");
}

static void refused(lake_fixture *f, const char *where, const char *value, firn_rc rc,
                    const char *why)
{
    firn_replay_result result;
    assert_int_equal(replay(f, where, value, &result), rc);
    if (strstr(f->err.message, why) == NULL) {
        fail_msg("\"%s\" does not hold \"%s\"", f->err.message, why);
    }
    lake_expect(f, "SELECT count(*) FROM bronze.orders", "0");
    lake_expect(f, "SELECT count(*), max(attempts) FROM " LETTERS, "1|1");
}

static void nonsense_is_refused(void **state)
{
    lake_fixture *f = *state;
    letter(f, "orders", 0, 5, "'{\"id\": 1}'::BLOB");
    refused(f, "nope = 1", NULL, FIRN_E_NO_COLUMN, "nope");
    refused(f, "code = ", NULL, FIRN_E_SYNTAX, "");
    refused(f, NULL, "42", FIRN_E_TYPE, "the repaired value is a INTEGER");
    refused(f, NULL, "nope", FIRN_E_NO_COLUMN, "the repaired value");
    const firn_replay_options options = {.feed = "order"};
    firn_replay_result result;
    assert_int_equal(firn_ingest_replay(f->engine, &options, &result, &f->err), FIRN_E_NOT_FOUND);
}

static void dry_run_changes_nothing(void **state)
{
    lake_fixture *f = *state;
    letter(f, "orders", 0, 5, "'{\"id\": 1}'::BLOB");
    letter(f, "orders", 0, 6, "'{'::BLOB");
    const firn_replay_options options = {.feed = "orders", .dry_run = true};
    const char *log = lake_text(f, "SELECT count(*) FROM bronze.orders.snapshots");
    firn_replay_result result;
    lake_check(firn_ingest_replay(f->engine, &options, &result, &f->err), &f->err, "dry run");
    assert_int_equal(result.replayed, 1);
    assert_int_equal(result.failed, 1);
    lake_expect(f, "SELECT count(*) FROM bronze.orders.snapshots", log);
    lake_expect(f, "SELECT count(*), max(attempts) FROM " LETTERS, "2|1");
    const char *find = firn_arena_printf(
        f->arena, "test $(find %s/warehouse/bronze/orders -name '*.parquet' | wc -l) = 0", f->root);
    assert_int_equal(system(find), 0);
}

static void what_the_table_refuses_stays(void **state)
{
    lake_fixture *f = *state;
    lake_exec(
        f,
        "DROP TABLE bronze.orders; CREATE TABLE bronze.orders (id INTEGER NOT NULL, name VARCHAR NOT NULL)");
    write_feed(f, "format: json\nschema: \"id bigint, name string\"\nevolve: {columns: false}\n");
    for (int i = 0; i < 20; i++) {
        letter(f, "orders", 0, i,
               firn_arena_printf(f->arena, "'{\"id\": %s, \"name\": %s}'::BLOB",
                                 i == 7 ? "3000000000" : "1", i == 11 ? "null" : "\"n\""));
    }
    expect_replay(f, NULL, NULL, 18, 2);
    lake_expect(f, "SELECT count(*) FROM bronze.orders", "18");
    lake_expect(f, "SELECT \"offset\", code, attempts FROM " LETTERS " ORDER BY 1",
                "7|TYPE|2\n11|CHECK_FAILED|2");
    lake_exec(f, "ALTER TABLE bronze.orders ALTER COLUMN id TYPE BIGINT");
    expect_replay(f, "code = 'TYPE'", NULL, 1, 0);
    lake_expect(f, "SELECT max(id) FROM bronze.orders", "3000000000");
}

static void transforms_are_run(void **state)
{
    lake_fixture *f = *state;
    write_feed(f, "format: json\nschema: \"id string, name string\"\n"
                  "transform: SELECT CAST(id AS BIGINT) AS id, upper(name) AS name FROM batch\n");
    letter(f, "orders", 0, 1, "'{\"id\": \"12\", \"name\": \"x\"}'::BLOB");
    letter(f, "orders", 0, 2, "'{\"id\": \"twelve\", \"name\": \"y\"}'::BLOB");
    expect_replay(f, NULL, NULL, 1, 1);
    lake_expect(f, "SELECT id, name FROM bronze.orders", "12|X");
    lake_expect(f, "SELECT \"offset\", code, error LIKE '%twelve%' FROM " LETTERS, "2|TYPE|true");
}

static void places_and_headers_come_along(void **state)
{
    lake_fixture *f = *state;
    write_feed(f, "format: json\nschema: \"id bigint, name string\"\ncolumns: {kafka: _kafka}\n");
    letter(f, "orders", 3, 77, "'{\"id\": 1}'::BLOB");
    expect_replay(f, NULL, NULL, 1, 0);
    lake_expect(
        f,
        "SELECT id, _kafka.topic, _kafka.partition, _kafka.\"offset\", hex(_kafka.headers['trace']) FROM bronze.orders",
        "1|orders|3|77|01");
}

/* With keys a letter is a change like any other; a tombstone deletes. */
static void changes_by_key(void **state)
{
    lake_fixture *f = *state;
    write_feed(
        f,
        "format: json\nschema: \"id bigint, name string\"\nkey_format: json\nkey_schema: \"id bigint\"\n"
        "mode: upsert\nkey: [id]\n");
    lake_exec(f, "INSERT INTO bronze.orders VALUES (1, 'old'), (2, 'old'), (3, 'old')");
    letter(f, "orders", 0, 1, "'{\"id\": 1, \"name\": \"newer\"}'::BLOB");
    letter(f, "orders", 0, 2, "'{\"id\": 1, \"name\": \"newest\"}'::BLOB");
    letter(f, "orders", 0, 3, "NULL");
    letter(f, "orders", 0, 4, "'{\"id\": 4, \"name\": \"new\"}'::BLOB");
    letter(f, "orders", 0, 5, "'{'::BLOB");
    lake_exec(
        f,
        "UPDATE " LETTERS
        " SET key = ('{\"id\": ' || CASE \"offset\" WHEN 3 THEN 2 WHEN 4 THEN 4 ELSE 1 END || '}')::BLOB");
    expect_replay(f, NULL, NULL, 4, 1);
    lake_expect(f, "SELECT id, name FROM bronze.orders ORDER BY id", "1|newest\n3|old\n4|new");
    lake_expect(f, "SELECT \"offset\", attempts FROM " LETTERS, "5|2");
}

/* Letters of others in the same files stay as they are, and a record that is there twice becomes one row. */
static void others_and_doubles(void **state)
{
    lake_fixture *f = *state;
    lake_exec(
        f,
        "INSERT INTO " LETTERS
        " SELECT CASE WHEN i < 5 THEN 'orders' ELSE 'other' END, 'orders', 0, i % 5, NULL, NULL,"
        " '{\"id\": 1}'::BLOB, MAP {}, 'CORRUPT', 'old error', NULL, now(), 1 FROM range(10) r(i)");
    letter(f, "orders", 0, 2, "'{\"id\": 2}'::BLOB");
    letter(f, "orders", 0, 3, "'{'::BLOB");
    lake_exec(f, "UPDATE " LETTERS " SET attempts = 2 WHERE decode(value) = '{'");
    expect_replay(f, NULL, NULL, 4, 1);
    lake_expect(f, "SELECT count(*) FROM bronze.orders", "4");
    lake_expect(f, "SELECT feed, count(*), max(attempts) FROM " LETTERS " GROUP BY 1 ORDER BY 1",
                "orders|1|3\nother|5|1");
}

static void a_dropped_table_is_said(void **state)
{
    lake_fixture *f = *state;
    firn_replay_result result;
    letter(f, "orders", 0, 1, "'{\"id\": 1}'::BLOB");
    lake_exec(f, "DROP TABLE bronze.orders");
    assert_int_equal(replay(f, NULL, NULL, &result), FIRN_E_NO_TABLE);
    assert_non_null(strstr(f->err.message, "the dead letters of feed orders stay where they are"));
    lake_expect(f, "SELECT count(*), max(attempts) FROM " LETTERS, "1|1");
}

static void a_registry_that_is_away_fails_nobody(void **state)
{
    lake_fixture *f = *state;
    firn_replay_result result;
    write_feed(f, "format: avro\n");
    letter(f, "orders", 0, 1, "'\\x00\\x00\\x00\\x00\\x01\\x02'::BLOB");
    assert_int_equal(replay(f, NULL, NULL, &result), FIRN_E_UNAVAILABLE);
    lake_expect(f, "SELECT count(*), max(attempts) FROM " LETTERS, "1|1");
}

/* A new column of the letters' becomes the table's, as in the feed. */
static void schemas_evolve(void **state)
{
    lake_fixture *f = *state;
    write_feed(f, "format: json\nschema: \"id bigint, name string, note string\"\n");
    letter(f, "orders", 0, 1, "'{\"id\": 1, \"note\": \"n\"}'::BLOB");
    expect_replay(f, NULL, NULL, 1, 0);
    lake_expect(f, "SELECT id, note FROM bronze.orders", "1|n");
}

static void topics_with_tables_of_their_own(void **state)
{
    lake_fixture *f = *state;
    firn_err err = {0};
    const char *path = firn_path_join(f->arena, f->root, "feeds/orders.yaml");
    const char *text =
        "source: shop\ntopics: [orders, returns]\ntable: \"bronze.${topic}\"\nformat: json\nschema: \"id bigint, name string\"\n";
    lake_check(firn_file_write_atomic(path, firn_bytes_str(text), 0644, &err), &err, "feed");
    letter(f, "orders", 0, 1, "'{\"id\": 1}'::BLOB");
    lake_exec(
        f,
        "CREATE TABLE bronze.returns (id BIGINT, name VARCHAR); CREATE TABLE bronze.returns__dead_letters AS SELECT * FROM " LETTERS
        ";"
        "CREATE TABLE bronze.x__dead_letters AS SELECT * FROM " LETTERS ";"
        "UPDATE bronze.returns__dead_letters SET topic = 'returns';"
        "ALTER TABLE bronze.returns__dead_letters SET TBLPROPERTIES ('firn.offsets.orders' = '{}');"
        "ALTER TABLE " LETTERS " SET TBLPROPERTIES ('firn.offsets.orders' = '{}')");
    expect_replay(f, NULL, NULL, 2, 0);
    lake_expect(
        f,
        "SELECT (SELECT count(*) FROM bronze.orders), (SELECT count(*) FROM bronze.returns),"
        " (SELECT count(*) FROM bronze.x__dead_letters)",
        "1|1|1");
}

/* ---- two at once ------------------------------------------------------------------------------------------- */

static void one_of_two_wins(void **state)
{
    lake_fixture *f = *state;
    letter(f, "orders", 0, 1, "'{\"id\": 1}'::BLOB");
    /* The slow one has read the letters and not yet committed. */
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const firn_replay_options options = {.feed = "orders"};
    firn_feed_run run = {.engine = f->engine, .lake = f->lake, .session = f->session};
    lake_check(firn_feed_load(f->lake, arena, "orders", &run.feed, &f->err), &f->err, "feed");
    replay_job job = {.run = &run,
                      .arena = arena,
                      .options = &options,
                      .ident = {.ns = "bronze", .name = "orders__dead_letters"},
                      .text = LETTERS};
    lake_check(firn_catalog_table_load(firn_lake_catalog(f->lake), arena, "main", job.ident,
                                       &job.dead, &f->err),
               &f->err, "load");
    lake_check(firn_replay_read(&job, &f->err), &f->err, "read");
    assert_int_equal(job.letters.len, 1);
    lake_check(firn_replay_keep(&job, &f->err), &f->err, "keep");
    assert_int_equal(job.kept.files.len, 0);

    letter(f, "orders", 0, 2, "'{\"id\": 2}'::BLOB"); /* lies in another file: in nobody's way */
    expect_replay(f, "\"offset\" = 1", NULL, 1, 0);

    bool lost = false;
    assert_int_equal(firn_replay_commit(&job, &lost, &f->err), FIRN_E_VALIDATION);
    assert_true(lost);
    lake_expect(f, "SELECT count(*) FROM bronze.orders", "1");
    lake_expect(f, "SELECT \"offset\" FROM " LETTERS, "2");
}

#define REPLAY_TEST(name) cmocka_unit_test_setup_teardown(name, setup, lake_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        REPLAY_TEST(good_ones_become_rows),
        REPLAY_TEST(chosen_and_repaired),
        REPLAY_TEST(nonsense_is_refused),
        REPLAY_TEST(dry_run_changes_nothing),
        REPLAY_TEST(what_the_table_refuses_stays),
        REPLAY_TEST(transforms_are_run),
        REPLAY_TEST(places_and_headers_come_along),
        REPLAY_TEST(changes_by_key),
        REPLAY_TEST(others_and_doubles),
        REPLAY_TEST(a_dropped_table_is_said),
        REPLAY_TEST(a_registry_that_is_away_fails_nobody),
        REPLAY_TEST(schemas_evolve),
        REPLAY_TEST(topics_with_tables_of_their_own),
        REPLAY_TEST(one_of_two_wins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
