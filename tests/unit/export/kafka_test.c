/* Streams from the topic behind them: "resume": "kafka". */
#include "../ingest/feed_fixture.h"
#include "export_fixture.h"

typedef struct topic_fixture {
    export_fixture *f;
    feed_fixture kafka;
} topic_fixture;

static int topic_setup(void **state)
{
    topic_fixture *x = calloc(1, sizeof(*x));
    char why[300];
    firn_bytes text;
    firn_err err = {0};
    firn_log_set_level(FIRN_LOG_OFF);
    export_setup((void **)&x->f);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "test.mock.num.brokers", "1", why, sizeof(why));
    rd_kafka_conf_set(conf, "linger.ms", "0", why, sizeof(why));
    rd_kafka_conf_set(conf, "log_level", "0", why, sizeof(why));
    x->kafka.producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    assert_non_null(x->kafka.producer);
    x->kafka.cluster = rd_kafka_handle_mock_cluster(x->kafka.producer);
    lake_fixture *lake = x->f->lake;
    const char *path = firn_path_join(lake->arena, lake->root, "firn.yaml");
    lake_check(firn_file_read(lake->arena, path, 1 << 20, &text, &err), &err, path);
    export_put(x->f, ".", "firn.yaml",
               firn_arena_printf(lake->arena,
                                 "%s  - name: mock\n    kafka: %s\n    properties: "
                                 "{session.timeout.ms: 3000, heartbeat.interval.ms: 200}\n",
                                 (const char *)text.data,
                                 rd_kafka_mock_cluster_bootstraps(x->kafka.cluster)));
    lake_reopen(lake);
    *state = x;
    return 0;
}

static int topic_teardown(void **state)
{
    topic_fixture *x = *state;
    rd_kafka_destroy(x->kafka.producer);
    export_teardown((void **)&x->f);
    free(x);
    return 0;
}

static void put_record(topic_fixture *x, int partition, const char *key, const char *value)
{
    produce_key(&x->kafka, "t_PAY", partition, key, value);
    assert_int_equal(rd_kafka_flush(x->kafka.producer, 10000), 0);
}

static void a_topic_comes_once_in_the_streams_types(void **state)
{
    topic_fixture *x = *state;
    export_fixture *f = x->f;
    export_feed(
        f, "pay", "stream", "pay",
        ", \"resume\": \"kafka\", \"retention_days\": 0, \"partitioning\": {\"type\": \"date\", "
        "\"time\": \"at\"}");
    ksql_source *s = ksql_stream(f->server, "PAY",
                                 "`USER_ID` STRING, `ID` BIGINT, `AT` TIMESTAMP, `DAY_OF` DATE, "
                                 "`AMOUNT` DECIMAL(10, 2)",
                                 2);
    s->keys = 1;
    topic(&x->kafka, "t_PAY", 2);
    put_record(x, 0, "u1",
               "{\"ID\": 1, \"AT\": 1736935200123, \"DAY_OF\": 20103, \"AMOUNT\": 12.50}");
    put_record(x, 1, "u2", "{\"id\": 2, \"at\": 1736935200000, \"amount\": 0.10}");
    const firn_export_result *r = export_one(f, "pay", FIRN_EXPORT_DONE);
    assert_int_equal(r->rows, 2);
    assert_true(r->files > 0 && r->bytes > 0);
    const char *sql = "SELECT user_id, id, epoch_ms(\"at\"), day_of, amount, year, month, day FROM "
                      "streams.pay ORDER BY id";
    lake_expect(
        f->lake, sql,
        "u1|1|1736935200123|2025-01-15|12.50|2025|1|15\nu2|2|1736935200000|NULL|0.10|2025|1|15");
    export_one(f, "pay", FIRN_EXPORT_NOTHING_NEW);
    put_record(x, 0, "u3", "{\"ID\": 3}");
    assert_int_equal(export_one(f, "pay", FIRN_EXPORT_DONE)->rows, 1);
    lake_expect(f->lake, "SELECT count(*), count(DISTINCT id) FROM streams.pay", "3|3");
    lake_contains(lake_text(f->lake, "SHOW TBLPROPERTIES streams.pay"),
                  "firn.write.partition-columns|false");
}

static void what_cannot_be_read_so_is_refused(void **state)
{
    topic_fixture *x = *state;
    export_fixture *f = x->f;
    export_feed(f, "pay", "stream", "pay", ", \"resume\": \"kafka\"");
    ksql_source *s = ksql_stream(f->server, "PAY", "`ID` BIGINT, `NAME` STRING", 1);
    s->keys = 1;
    topic(&x->kafka, "t_PAY", 1);
    lake_contains(export_fails(f, "pay"), "its key is not one text");
}

#define T(name) cmocka_unit_test_setup_teardown(name, topic_setup, topic_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_topic_comes_once_in_the_streams_types),
        T(what_cannot_be_read_so_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
