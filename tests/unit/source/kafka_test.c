/* Kafka, against librdkafka's mock cluster: settings and questions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kafka_cluster.h"

/* ---- settings ------------------------------------------------------------------------------------------ */

static firn_rc make(firn_kafka_options options, const char *properties, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    json_t *json = NULL;
    if (properties != NULL) {
        assert_int_equal(firn_json_parse(arena, firn_bytes_str(properties), "test", &json, NULL),
                         FIRN_OK);
    }
    options.brokers = "127.0.0.1:1";
    options.properties = json;
    firn_kafka *kafka = NULL;
    firn_rc rc = firn_kafka_new(&options, &kafka, err);
    firn_kafka_free(rc == FIRN_OK ? kafka : NULL);
    return rc;
}

static void refuses(firn_kafka_options options, const char *properties, const char *words)
{
    firn_err err = {0};
    assert_int_equal(make(options, properties, &err), FIRN_E_CONFIG);
    if (strstr(err.message, words) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", words, err.message);
    }
    assert_null(strstr(err.message, "hunter2"));
}

static void settings_are_checked(void **state)
{
    (void)state;
    firn_err err = {0};
    firn_kafka_options none = {0};
    firn_kafka_options login = {.username = "ann", .password = "hunter2"};
    assert_int_equal(make(none, NULL, &err), FIRN_OK);
    assert_int_equal(make(login, NULL, &err), FIRN_OK);
    login.mechanism = "SCRAM-SHA-512";
    login.security = "sasl_plaintext";
    assert_int_equal(make(login, "{\"fetch.min.bytes\": 10, \"check.crcs\": false}", &err),
                     FIRN_OK);
    assert_int_equal(make((firn_kafka_options){.oauth_url = "https://id/token",
                                               .oauth_client = "c",
                                               .oauth_secret = "hunter2"},
                          NULL, &err),
                     FIRN_OK);
    refuses((firn_kafka_options){.username = "ann"}, NULL, "needs a username and a password");
    refuses((firn_kafka_options){.oauth_url = "https://id/token"}, NULL, "oauth_client");
    login.security = "plaintext";
    refuses(login, NULL, "a login is given");
    refuses(none, "{\"enable.auto.commit\": true}", "enable.auto.commit cannot be set here");
    refuses(none, "{\"auto.offset.reset\": \"latest\"}", "must stop the feed");
    refuses(none, "{\"group.id\": \"x\"}", "the feed's `group`");
    refuses(none, "{\"fetch.min.byts\": 1}", "no setting \"fetch.min.byts\"");
    refuses(none, "{\"fetch.min.bytes\": \"many\"}", "fetch.min.bytes");
    refuses(none, "{\"sasl.mechanism\": [\"hunter2\"]}", "single value");
}

/* What the consumer promises holds whatever the properties say; what they may say wins. */
static void properties_win_but_not_over_promises(void **state)
{
    cluster *x = *state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    json_t *json;
    assert_int_equal(
        firn_json_parse(arena,
                        firn_bytes_str("{\"client.id\": \"mine\", \"isolation.level\": "
                                       "\"read_uncommitted\"}"),
                        "test", &json, NULL),
        FIRN_OK);
    firn_kafka *kafka;
    assert_int_equal(
        firn_kafka_new(&(firn_kafka_options){.brokers = "x:1", .properties = json}, &kafka, NULL),
        FIRN_OK);
    rd_kafka_conf_t *conf;
    assert_int_equal(firn_kafka_conf(kafka, &conf, NULL), FIRN_OK);
    char text[100];
    size_t len = sizeof(text);
    rd_kafka_conf_get(conf, "client.id", text, &len);
    assert_string_equal(text, "mine");
    rd_kafka_conf_destroy(conf);
    firn_kafka_free(kafka);
    assert_int_equal(firn_kafka_conf(x->kafka, &conf, NULL), FIRN_OK);
    len = sizeof(text);
    rd_kafka_conf_get(conf, "isolation.level", text, &len);
    assert_string_equal(text, "read_committed");
    rd_kafka_conf_destroy(conf);
}

/* A login may stand in the properties: librdkafka is told it again to wake it. */
static void a_handle_says_what_it_was_given(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    assert_int_equal(rd_kafka_conf_set(conf, "sasl.username", "ann", NULL, 0), RD_KAFKA_CONF_OK);
    assert_int_equal(rd_kafka_conf_set(conf, "sasl.password", "hunter2", NULL, 0),
                     RD_KAFKA_CONF_OK);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, NULL, 0);
    assert_non_null(rk);
    assert_string_equal(firn_kafka_conf_get(rk, arena, "sasl.username"), "ann");
    assert_string_equal(firn_kafka_conf_get(rk, arena, "sasl.password"), "hunter2");
    assert_string_equal(firn_kafka_conf_get(rk, arena, "ssl.ca.location"), "");
    assert_string_equal(firn_kafka_conf_get(rk, arena, "no.such.setting"), "");
    rd_kafka_destroy(rk);
}

/* ---- questions ----------------------------------------------------------------------------------------- */

static void topics_by_name_and_pattern(void **state)
{
    cluster *x = *state;
    topic(x, "shop.orders", 3);
    topic(x, "shop.users", 1);
    topic(x, "other", 1);
    produce(x, "shop.orders", 1, 0, 7);
    const char *patterns[] = {"^shop[.].*", "shop.users"};
    firn_kafka_partition *parts;
    size_t n;
    firn_err err = {0};
    assert_int_equal(firn_kafka_partitions(x->kafka, x->arena, patterns, 2, &parts, &n, &err),
                     FIRN_OK);
    assert_int_equal(n, 4);
    assert_string_equal(parts[0].topic, "shop.orders");
    assert_int_equal(parts[1].partition, 1);
    assert_int_equal(parts[1].low, 0);
    assert_int_equal(parts[1].high, 7);
    assert_int_equal(parts[2].high, 0);
    assert_string_equal(parts[3].topic, "shop.users");
    const char *none[] = {"^shop"}; /* the whole name, not its beginning */
    assert_int_equal(firn_kafka_partitions(x->kafka, x->arena, none, 1, &parts, &n, &err), FIRN_OK);
    assert_int_equal(n, 0);
    const char *bad[] = {"^(unclosed"};
    assert_int_equal(firn_kafka_partitions(x->kafka, x->arena, bad, 1, &parts, &n, &err),
                     FIRN_E_INVALID);
    const char *id;
    assert_int_equal(firn_kafka_cluster_id(x->kafka, x->arena, &id, &err), FIRN_OK);
    assert_int_not_equal(strlen(id), 0);
}

static void a_missing_topic_is_not_found(void **state)
{
    cluster *x = *state;
    rd_kafka_mock_topic_set_error(x->mock, "ghost", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    const char *names[] = {"ghost"};
    firn_kafka_partition *parts;
    size_t n;
    firn_err err = {0};
    assert_int_equal(firn_kafka_partitions(x->kafka, x->arena, names, 1, &parts, &n, &err),
                     FIRN_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "has no topic \"ghost\""));
}

static void no_broker_is_unavailable(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_kafka *kafka;
    assert_int_equal(firn_kafka_new(&(firn_kafka_options){.brokers = "127.0.0.1:1"}, &kafka, NULL),
                     FIRN_OK);
    const char *names[] = {"a"};
    firn_kafka_partition *parts;
    size_t n;
    firn_err err = {0};
    int64_t start = firn_monotonic_us();
    assert_int_equal(firn_kafka_partitions(kafka, arena, names, 1, &parts, &n, &err),
                     FIRN_E_UNAVAILABLE);
    assert_true(err.retriable);
    assert_non_null(strstr(err.message, "refused"));
    assert_true(firn_monotonic_us() - start < 8000000);
    firn_kafka_free(kafka);
}

static void a_look_at_the_last_records(void **state)
{
    cluster *x = *state;
    topic(x, "look", 3);
    produce(x, "look", 0, 0, 100);
    produce(x, "look", 1, 0, 2);
    const char *names[] = {"look"};
    firn_kafka_partition *parts;
    size_t n;
    assert_int_equal(firn_kafka_partitions(x->kafka, x->arena, names, 1, &parts, &n, NULL),
                     FIRN_OK);
    for (size_t i = 0; i < n; i++) {
        parts[i].offset = parts[i].high > 5 ? parts[i].high - 5 : parts[i].low;
    }
    firn_kafka_batch batch;
    firn_err err = {0};
    int64_t start = firn_monotonic_us();
    assert_int_equal(firn_kafka_sample(x->kafka, parts, n, 5, 10000, &batch, &err), FIRN_OK);
    assert_true(firn_monotonic_us() - start < 8000000); /* it does not wait for more */
    assert_int_equal(batch.n, 7);
    int64_t sum = 0;
    for (size_t i = 0; i < batch.n; i++) {
        assert_string_equal(batch.messages[i].topic, "look");
        sum += batch.messages[i].offset;
    }
    assert_int_equal(sum, 95 + 96 + 97 + 98 + 99 + 0 + 1);
    firn_kafka_batch_free(&batch);
    parts[0].offset = parts[0].high;
    assert_int_equal(firn_kafka_sample(x->kafka, parts, 1, 5, 10000, &batch, &err), FIRN_OK);
    assert_int_equal(batch.n, 0);
}

int main(void)
{
    firn_log_set_level(FIRN_LOG_OFF);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_checked),
        WITH_CLUSTER(properties_win_but_not_over_promises),
        cmocka_unit_test(a_handle_says_what_it_was_given),
        WITH_CLUSTER(topics_by_name_and_pattern),
        WITH_CLUSTER(a_missing_topic_is_not_found),
        cmocka_unit_test(no_broker_is_unavailable),
        WITH_CLUSTER(a_look_at_the_last_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
