/* Changes by key as SQL: upserts with tombstones, Debezium's envelopes in each of their shapes, and types by Connect's names. */
#include "changes.h"

#include "../engine/json_rows.h"

static const char *fails(lake_fixture *f, const firn_feed *feed, const firn_rows *rows)
{
    firn_change_plan plan = {0};
    f->err = (firn_err){0};
    assert_int_equal(firn_change_plan_make(f->session, f->arena, feed, rows, 1, &plan, &f->err),
                     FIRN_E_CONFIG);
    return f->err.message;
}

static firn_change_plan plan_of(lake_fixture *f, const firn_feed *feed, const firn_rows *rows)
{
    firn_err err = {0};
    firn_change_plan plan = {0};
    lake_check(firn_change_plan_make(f->session, f->arena, feed, rows, 1, &plan, &err), &err,
               "plan");
    return plan;
}

/* Rows of a query over the batch as "a|b\nc|d". */
static const char *query(lake_fixture *f, const firn_rows *rows, const char *sql)
{
    firn_err err = {0};
    const char *const *const *cells = NULL;
    size_t n = 0, n_columns = 0;
    FIRN_AUTO_BUF firn_buf out = {0};
    lake_check(firn_rows_query(f->session, f->arena, rows, 1, sql, &cells, &n, &n_columns, &err),
               &err, sql);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < n_columns; k++) {
            firn_buf_printf(&out, "%s%s",
                            k > 0   ? "|"
                            : i > 0 ? "\n"
                                    : "",
                            cells[i][k] != NULL ? cells[i][k] : "NULL");
        }
    }
    return firn_arena_strdup(f->arena, firn_buf_cstr(&out));
}

/* "columns" of the plan's result, in the batch's order. */
static const char *result(lake_fixture *f, const firn_rows *rows, const char *plan_sql,
                          const char *columns)
{
    return query(f, rows, firn_arena_printf(f->arena, "SELECT %s FROM (%s)", columns, plan_sql));
}

#define CHANGE "__firn_change.op, __firn_change.o"

#define KAFKA                                                                                  \
    "{'name': '_kafka', 'type': {'type': 'record', 'name': 'k', 'fields': [{'name': 'topic', " \
    "'type': ['null', 'string']}, {'name': 'partition', 'type': ['null', 'int']}, {'name': "   \
    "'offset', 'type': 'long'}]}}"

/* ---- upserts --------------------------------------------------------------------------------------------- */

static void upserts_take_their_key_from_the_message(void **state)
{
    lake_fixture *f = *state;
    const firn_feed feed = {.name = "orders", .mode = FIRN_FEED_UPSERT};
    const firn_rows *rows = json_rows(
        f, NULL,
        "{'id': 1, 'v': 'a', '_key': {'id': 1, 'region': 'eu'}, '_kafka': {'offset': 5}}\n"
        "{'_key': {'id': 2, 'region': 'us'}, '_kafka': {'offset': 6}}\n"
        "{'v': 'b', '_key': {'id': 3, 'region': 'us'}, '_kafka': {'offset': 7}}");
    firn_change_plan plan = plan_of(f, &feed, rows);
    assert_int_equal(plan.n_key, 2);
    assert_string_equal(plan.key[0], "id");
    assert_string_equal(plan.key[1], "region");
    assert_null(plan.truncate_if);
    assert_string_equal(result(f, rows, plan.sql, "id, region, v, " CHANGE),
                        "1|eu|a|u|5\n2|us|NULL|d|6\n3|us|b|u|7");
}

static void a_scalar_key_stands_for_its_column(void **state)
{
    lake_fixture *f = *state;
    static const char *const key[] = {"order_id"};
    const firn_feed feed = {
        .name = "orders", .mode = FIRN_FEED_UPSERT, .key = key, .n_key = 1, .kafka_column = "k"};
    const firn_rows *rows = json_rows(f, NULL,
                                      "{'v': 'a', '_key': 'x', '_kafka': {'offset': 5}}\n"
                                      "{'_key': 'y', '_kafka': {'offset': 6}}");
    firn_change_plan plan = plan_of(f, &feed, rows);
    assert_string_equal(result(f, rows, plan.sql, "order_id, v, k.offset, " CHANGE),
                        "x|a|5|u|5\ny|NULL|6|d|6");
    const firn_feed nameless = {.name = "orders", .mode = FIRN_FEED_UPSERT};
    lake_contains(fails(f, &nameless, rows), "feed orders: the key of its messages is no record");
    const firn_feed with_column = {
        .name = "orders", .mode = FIRN_FEED_UPSERT, .key_column = "the key"};
    plan = plan_of(f, &with_column, rows);
    assert_string_equal(plan.key[0], "the key");
    assert_string_equal(result(f, rows, plan.sql, "\"the key\", v"), "x|a\ny|NULL");
    const firn_rows *keyless = json_rows(f, NULL, "{'v': 'a'}");
    lake_contains(fails(f, &nameless, keyless), "its messages have no key");
}

static void a_transform_sees_the_changes_as_batch(void **state)
{
    lake_fixture *f = *state;
    firn_feed feed = {.name = "orders",
                      .mode = FIRN_FEED_UPSERT,
                      .transform = "WITH x AS (SELECT 1 AS one) SELECT id, upper(v) AS v, "
                                   "__firn_change FROM batch, x WHERE id > one"};
    const firn_rows *rows =
        json_rows(f, NULL,
                  "{'id': 1, 'v': 'a', '_key': {'id': 1}, '_kafka': {'offset': 5}}\n"
                  "{'_key': {'id': 2}, '_kafka': {'offset': 6}}\n"
                  "{'id': 3, 'v': 'c', '_key': {'id': 3}, '_kafka': {'offset': 7}}");
    firn_change_plan plan = plan_of(f, &feed, rows);
    assert_string_equal(result(f, rows, plan.sql, "id, v, " CHANGE), "2|NULL|d|6\n3|C|u|7");
    /* What the engine sees as the table's columns has nothing of ours. */
    firn_schema *schema = NULL;
    firn_err err = {0};
    lake_check(firn_rows_describe(f->session, f->arena, rows, 1, plan.sql, 2, &schema, &err), &err,
               "describe");
    assert_int_equal(schema->root.n_fields, 2);
}

/* ---- envelopes ----------------------------------------------------------------------------------------------- */

#define ROW(name)                                                                                \
    "{'type': 'record', 'name': '" name "', 'fields': [{'name': 'id', 'type': 'int'}, {'name': " \
    "'name', 'type': ['null', 'string']}, {'name': 'made', 'type': ['null', {'type': 'long', "   \
    "'connect.name': 'io.debezium.time.MicroTimestamp'}]}]}"
#define ENVELOPE                                                                                   \
    "{'name': 'before', 'type': ['null', " ROW("b") "]}, {'name': 'after', 'type': ['null', " ROW( \
        "a") "]}, {'name': 'op', 'type': ['null', 'string']}, {'name': 'ts_ms', 'type': ['null', " \
             "'long']}, {'name': '_key', 'type': ['null', {'type': 'record', 'name': 'key', "      \
             "'fields': [{'name': 'id', 'type': 'int'}]}]}, " KAFKA

static const char events[] =
    "{'op': 'r', 'after': {'id': 1, 'name': 'a', 'made': 1700000000000001}, 'ts_ms': 1700000000000, "
    "'_key': {'id': 1}, '_kafka': {'offset': 1}}\n"
    "{'op': 'c', 'after': {'id': 2, 'name': 'b'}, '_key': {'id': 2}, '_kafka': {'offset': 2}}\n"
    "{'op': 'u', 'before': {'id': 2, 'name': 'b'}, 'after': {'id': 2, 'name': 'c'}, '_key': {'id': "
    "2}, '_kafka': {'offset': 3}}\n"
    "{'op': 'd', 'before': {'id': 1, 'name': 'a'}, '_key': {'id': 1}, '_kafka': {'offset': 4}}\n"
    "{'_key': {'id': 1}, '_kafka': {'offset': 5}}\n"
    "{'op': 'd', '_key': {'id': 2}, '_kafka': {'offset': 6}}\n"
    "{'op': 't', '_kafka': {'offset': 7}}\n"
    "{'op': 'm', '_kafka': {'offset': 8}}\n"
    "{'op': 'u', 'before': {'id': 3, 'name': 'large'}, 'after': {'id': 3, 'name': "
    "'__debezium_unavailable_value'}, '_key': {'id': 3}, '_kafka': {'offset': 9}}";

static void envelopes_become_rows_and_deletes(void **state)
{
    lake_fixture *f = *state;
    const firn_feed feed = {.name = "orders", .mode = FIRN_FEED_DEBEZIUM};
    const firn_rows *rows = json_rows(f, ENVELOPE, events);
    firn_change_plan plan = plan_of(f, &feed, rows);
    assert_int_equal(plan.n_key, 1);
    assert_non_null(plan.truncate_if);
    assert_string_equal(result(f, rows, plan.sql, "id, name, made, typeof(made), " CHANGE),
                        "1|a|2023-11-14 22:13:20.000001|TIMESTAMP|r|1\n"
                        "2|b|NULL|TIMESTAMP|c|2\n2|c|NULL|TIMESTAMP|u|3\n"
                        "1|NULL|NULL|TIMESTAMP|d|4\n2|NULL|NULL|TIMESTAMP|d|6\n"
                        "NULL|NULL|NULL|TIMESTAMP|t|7\n3|large|NULL|TIMESTAMP|u|9");
    assert_string_equal(result(f, rows, plan.log_sql, "_op, _changed_at, _offset, id, name"),
                        "r|2023-11-14 22:13:20+00|1|1|a\nc|NULL|2|2|b\nu|NULL|3|2|c\n"
                        "d|NULL|4|1|a\nd|NULL|6|2|NULL\nt|NULL|7|NULL|NULL\nu|NULL|9|3|large");
}

static void envelopes_are_carried_out(void **state)
{
    lake_fixture *f = *state;
    const firn_feed feed = {.name = "orders", .mode = FIRN_FEED_DEBEZIUM};
    const firn_rows *rows = json_rows(f, ENVELOPE, events);
    firn_change_plan plan = plan_of(f, &feed, rows);
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    firn_err err = {0};
    firn_table table = {0};
    firn_upserted upserted = {0};
    lake_exec(f, "CREATE TABLE t (id INTEGER NOT NULL, name VARCHAR, made TIMESTAMP)");
    lake_check(firn_catalog_table_load(firn_lake_catalog(f->lake), f->arena, "main",
                                       (firn_ident){.ns = "default", .name = "t"}, &table, &err),
               &err, "load");
    const firn_rows_upsert upsert = {.write = {.rows = rows,
                                               .n_rows = 1,
                                               .sql = plan.sql,
                                               .metadata = table.metadata,
                                               .table_text = "t"},
                                     .key = plan.key,
                                     .n_key = plan.n_key,
                                     .order_by = plan.order_by,
                                     .delete_if = plan.delete_if,
                                     .truncate_if = plan.truncate_if};
    lake_check(firn_rows_upsert_files(f->session, scratch, &upsert, &upserted, &err), &err, "t");
    assert_true(upserted.truncated);
    assert_int_equal(upserted.written.rows, 1); /* what came after the truncation */
    firn_rows_discard(f->session, &upserted.written);
}

/* {"schema": ..., "payload": ...}, as Connect's JsonConverter writes it. */
static void schemas_beside_the_payload_give_types(void **state)
{
    lake_fixture *f = *state;
    const firn_feed feed = {.name = "orders", .mode = FIRN_FEED_DEBEZIUM};
    static const char schema[] =
        "{'type': 'struct', 'optional': false, 'name': 'Envelope', 'fields': [{'type': 'struct', "
        "'field': 'before', 'optional': true, 'fields': []}, {'type': 'struct', 'field': 'after', "
        "'optional': true, 'fields': ["
        "{'type': 'int32', 'optional': false, 'field': 'id'},"
        "{'type': 'int32', 'field': 'day', 'name': 'io.debezium.time.Date', 'version': 1},"
        "{'type': 'string', 'field': 'made', 'name': 'io.debezium.time.ZonedTimestamp'},"
        "{'type': 'bytes', 'field': 'price', 'name': 'org.apache.kafka.connect.data.Decimal', "
        "'parameters': {'scale': '2', 'connect.decimal.precision': '9'}},"
        "{'type': 'struct', 'field': 'n', 'name': 'io.debezium.data.VariableScaleDecimal', "
        "'fields': [{'type': 'int32', 'field': 'scale'}, {'type': 'bytes', 'field': 'value'}]},"
        "{'type': 'int64', 'field': 'moment', 'name': 'org.apache.kafka.connect.data.Timestamp'},"
        "{'type': 'string', 'field': 'u', 'name': 'io.debezium.data.Uuid'},"
        "{'type': 'bytes', 'field': 'raw'},"
        "{'type': 'int64', 'field': 'clock', 'name': 'io.debezium.time.MicroTime'}]},"
        "{'type': 'string', 'field': 'op', 'optional': false}]}";
    const char *lines = firn_arena_printf(
        f->arena,
        "{'schema': %s, 'payload': {'before': null, 'after': {'id': 1, 'day': 20000, 'made': "
        "'2026-11-28T01:02:03.5Z', 'price': 'BNI=', 'n': {'scale': 3, 'value': '+w=='}, 'moment': "
        "1700000000001, 'u': 'f79c3e09-677c-4bbd-a479-3f349cb785e7', 'clock': 43200000001, 'raw': 'AAH/'}, 'op': "
        "'c'}, '_key': {'schema': {'type': 'struct'}, 'payload': {'id': 1}}, '_kafka': {'offset': "
        "1}}\n"
        "{'_key': {'schema': {'type': 'struct'}, 'payload': {'id': 1}}, '_kafka': {'offset': 2}}",
        schema);
    const firn_rows *rows = json_rows(f, NULL, lines);
    firn_change_plan plan = plan_of(f, &feed, rows);
    assert_int_equal(plan.n_key, 1);
    assert_string_equal(plan.key[0], "id");
    assert_string_equal(
        result(f, rows, plan.sql,
               "id, day, made, price, typeof(price), n, moment, typeof(moment), typeof(u), clock, "
               "typeof(clock), hex(raw)"),
        "1|2024-10-04|2026-11-28 01:02:03.5+00|12.34|DECIMAL(9,2)|-0.005|2023-11-14 "
        "22:13:20.001+00|TIMESTAMP WITH TIME ZONE|UUID|12:00:00.000001|TIME|0001FF");
}

static void flattened_records(void **state)
{
    lake_fixture *f = *state;
    const firn_feed feed = {.name = "orders", .mode = FIRN_FEED_DEBEZIUM};
    static const struct {
        const char *lines, *expected;
    } cases[] = {
        {"{'id': 1, 'v': 'a', '__op': 'c', '__deleted': 'false', '__ts_ms': 1, '_key': {'id': 1}, "
         "'_kafka': {'offset': 1}}\n"
         "{'id': 1, 'v': 'a', '__op': 'd', '__deleted': 'true', '_key': {'id': 1}, '_kafka': "
         "{'offset': 2}}\n"
         "{'_key': {'id': 1}, '_kafka': {'offset': 3}}",
         "1|a|c|1\n1|a|d|2"},
        {"{'id': 1, 'v': 'a', '__deleted': 'false', '_key': {'id': 1}, '_kafka': {'offset': 1}}\n"
         "{'id': 1, '__deleted': 'true', '_key': {'id': 1}, '_kafka': {'offset': 2}}",
         "1|a|u|1\n1|NULL|d|2"},
        {"{'id': 1, 'v': 'a', '__op': 'r', '_key': {'id': 1}, '_kafka': {'offset': 1}}", "1|a|r|1"},
        {"{'schema': {'type': 'struct'}, 'payload': {'id': 1, 'v': 'a', '__deleted': 'false'}, "
         "'_key': {'id': 1}, '_kafka': {'offset': 1}}",
         "1|a|u|1"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const firn_rows *rows = json_rows(f, NULL, cases[i].lines);
        firn_change_plan plan = plan_of(f, &feed, rows);
        assert_string_equal(result(f, rows, plan.sql, "* EXCLUDE (__firn_change), " CHANGE),
                            cases[i].expected);
    }
}

static void records_beside_the_changes(void **state)
{
    lake_fixture *f = *state;
    const firn_feed feed = {.name = "orders", .mode = FIRN_FEED_DEBEZIUM};
    static const char *const passed[] = {
        "{'ts_ms': 5, '_key': {'serverName': 's'}}",
        "{'status': 'BEGIN', 'id': '5:1', 'event_count': null, 'data_collections': null, 'ts_ms': "
        "1}",
        "{'source': {'db': 'x'}, 'ts_ms': 1, 'databaseName': 'x', 'schemaName': 'y', 'ddl': "
        "'CREATE', 'tableChanges': []}",
        "{'_key': {'id': 1}, '_kafka': {'offset': 1}}",
    };
    for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++) {
        firn_change_plan plan = plan_of(f, &feed, json_rows(f, NULL, passed[i]));
        assert_null(plan.sql);
        assert_null(plan.log_sql);
    }
    lake_contains(fails(f, &feed, json_rows(f, NULL, "{'id': 1, 'name': 'x'}")),
                  "they have neither before, after and op, nor __op or __deleted. Their columns: "
                  "id, name");
    lake_contains(
        fails(f, &feed, json_rows(f, NULL, "{'op': 'c', 'after': {'id': 1}, 'before': null}")),
        "its messages have no key");
}

/* ---- types -------------------------------------------------------------------------------------------------- */

static void types_by_name(void **state)
{
    lake_fixture *f = *state;
    static const char *const key[] = {"id"};
    const firn_feed feed = {.name = "orders", .mode = FIRN_FEED_DEBEZIUM, .key = key, .n_key = 1};
    static const struct {
        const char *name, *avro, *value, *type, *expected;
    } cases[] = {
        {"io.debezium.time.Date", "int", "-1", "DATE", "1969-12-31"},
        {"io.debezium.time.Time", "int", "86399999", "TIME", "23:59:59.999"},
        {"io.debezium.time.MicroTime", "long", "1", "TIME", "00:00:00.000001"},
        {"io.debezium.time.NanoTime", "long", "1999", "TIME", "00:00:00.000001"},
        {"io.debezium.time.Timestamp", "long", "-1", "TIMESTAMP", "1969-12-31 23:59:59.999"},
        {"io.debezium.time.MicroTimestamp", "long", "-1", "TIMESTAMP",
         "1969-12-31 23:59:59.999999"},
        {"io.debezium.time.NanoTimestamp", "long", "1700000000000000001", "TIMESTAMP_NS",
         "2023-11-14 22:13:20.000000001"},
        {"io.debezium.time.ZonedTimestamp", "string", "'2026-01-01T00:00:00+02:00'",
         "TIMESTAMP WITH TIME ZONE", "2025-12-31 22:00:00+00"},
        {"io.debezium.time.IsoDate", "string", "'2026-01-01Z'", "DATE", "2026-01-01"},
        {"io.debezium.time.Year", "int", "2026", "INTEGER", "2026"},
        {"io.debezium.data.Json", "string", "'{}'", "VARCHAR", "{}"},
        {"io.debezium.data.Uuid", "string", "'f79c3e09-677c-4bbd-a479-3f349cb785e7'", "UUID",
         "f79c3e09-677c-4bbd-a479-3f349cb785e7"},
        {"org.apache.kafka.connect.data.Date", "int", "1", "DATE", "1970-01-02"},
        {"org.apache.kafka.connect.data.Time", "int", "1", "TIME", "00:00:00.001"},
        {"io.debezium.time.MicroTimestamp", "string", "'as text'", "VARCHAR", "as text"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *fields = firn_arena_printf(
            f->arena,
            "{'name': 'id', 'type': 'int'}, {'name': '__op', 'type': 'string'}, {'name': 'x', "
            "'type': ['null', {'type': '%s', 'connect.name': '%s'}]}",
            cases[i].avro, cases[i].name);
        const char *lines = firn_arena_printf(
            f->arena, "{'id': 1, '__op': 'c', 'x': %s}\n{'id': 2, '__op': 'c', 'x': null}",
            cases[i].value);
        const firn_rows *rows = json_rows(f, fields, lines);
        firn_change_plan plan = plan_of(f, &feed, rows);
        const char *got = result(f, rows, plan.sql, "x, typeof(x)");
        const char *expected = firn_arena_printf(f->arena, "%s|%s\nNULL|%s", cases[i].expected,
                                                 cases[i].type, cases[i].type);
        if (!firn_streq(got, expected)) {
            fail_msg("%s: %s, expected %s", cases[i].name, got, expected);
        }
    }
}

static void decimals_of_any_scale_are_exact(void **state)
{
    lake_fixture *f = *state;
    static const struct {
        const char *hex;
        int scale;
        const char *expected;
    } cases[] = {
        {"00", 0, "0"},
        {"00", 2, "0.00"},
        {"00", -2, "0"},
        {"01", 0, "1"},
        {"01", 3, "0.001"},
        {"7B", -2, "12300"},
        {"FF", 0, "-1"},
        {"FF", 1, "-0.1"},
        {"80", 0, "-128"},
        {"8000", 0, "-32768"},
        {"FF00", 0, "-256"},
        {"0100", 2, "2.56"},
        {"8000000000000000", 0, "-9223372036854775808"},
        {"7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF", 10, "17014118346046923173168730371.5884105727"},
        {"0100000000000000000000000000000000", 0, "340282366920938463463374607431768211456"},
        {"FF00000000000000000000000000000000", 0, "-340282366920938463463374607431768211456"},
    };
    const firn_rows *rows = json_rows(f, NULL, "{'x': 1}");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *sql = firn_arena_printf(f->arena, "SELECT firn_unscaled(unhex('%s'), %d)",
                                            cases[i].hex, cases[i].scale);
        assert_string_equal(query(f, rows, sql), cases[i].expected);
    }
    firn_err err = {0};
    const char *const *const *cells = NULL;
    size_t n = 0, n_columns = 0;
    assert_int_not_equal(firn_rows_query(f->session, f->arena, rows, 1,
                                         "SELECT firn_unscaled(''::BLOB, 1)", &cells, &n,
                                         &n_columns, &err),
                         FIRN_OK);
    lake_contains(err.message, "a decimal has no bytes");
}

int main(void)
{
#define WITH_LAKE(test) cmocka_unit_test_setup_teardown(test, lake_setup, lake_teardown)
    const struct CMUnitTest tests[] = {
        WITH_LAKE(upserts_take_their_key_from_the_message),
        WITH_LAKE(a_scalar_key_stands_for_its_column),
        WITH_LAKE(a_transform_sees_the_changes_as_batch),
        WITH_LAKE(envelopes_become_rows_and_deletes),
        WITH_LAKE(envelopes_are_carried_out),
        WITH_LAKE(schemas_beside_the_payload_give_types),
        WITH_LAKE(flattened_records),
        WITH_LAKE(records_beside_the_changes),
        WITH_LAKE(types_by_name),
        WITH_LAKE(decimals_of_any_scale_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
