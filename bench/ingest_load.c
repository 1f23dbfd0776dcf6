/* Events for `./run bench ingest`, and how fast they can be read at all.
 *
 *   ingest_load produce --brokers B --topic T [--partitions P] [--count N] [--event small|wide] [--format json|avro] [--schema-id I]
 *                       [--rate R] [--seed S] [--set KEY=VALUE]...
 *       N events of events.h, spread over P partitions in turn; the topic is made. Avro comes in the registry's frame: a zero byte and
 *       the id. Without a rate as fast as the broker takes them, one millisecond apart by their own clock; with a rate their time is now.
 *   ingest_load consume --brokers B --topic T [--count N] [--set KEY=VALUE]...
 *       Reads the topic from its start until N messages have come, and looks at no byte of them: the limit of any consumer.
 *
 *   ingest_load schema|columns [small|wide]
 *       The Avro schema of the events; the columns of their table in SQL.
 *
 * --set gives librdkafka's own settings. What was done is printed as one JSON object.
 */
#include "events.h"

#include "base/arena.h"

#include <getopt.h>
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { BATCH_MESSAGES = 10000, SETTINGS_MAX = 32, PARTITIONS_MAX = 1024, WAIT_MS = 60000 };

typedef struct options {
    const char *brokers, *topic;
    const char *settings[SETTINGS_MAX];
    int n_settings, partitions;
    int64_t count, rate, seed, schema_id;
    event_kind event;
    bool avro;
} options;

static void die(const char *what, const char *why)
{
    fprintf(stderr, "ingest_load: %s: %s\n", what, why);
    exit(1);
}

static void set(rd_kafka_conf_t *conf, const char *key, const char *value)
{
    char why[512];
    if (rd_kafka_conf_set(conf, key, value, why, sizeof why) != RD_KAFKA_CONF_OK)
        die(key, why);
}

static rd_kafka_conf_t *configure(const options *o, const char *const (*settings)[2])
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", o->brokers);
    for (; (*settings)[0]; settings++)
        set(conf, (*settings)[0], (*settings)[1]);
    for (int i = 0; i < o->n_settings; i++) {
        char key[256];
        const char *is = strchr(o->settings[i], '=');
        if (!is || (size_t)(is - o->settings[i]) >= sizeof key)
            die(o->settings[i], "is not KEY=VALUE");
        snprintf(key, sizeof key, "%.*s", (int)(is - o->settings[i]), o->settings[i]);
        set(conf, key, is + 1);
    }
    return conf;
}

static rd_kafka_t *open_kafka(rd_kafka_type_t type, rd_kafka_conf_t *conf)
{
    char why[512];
    rd_kafka_t *kafka = rd_kafka_new(type, conf, why, sizeof why);
    if (!kafka)
        die("librdkafka", why);
    return kafka;
}

static void report(const options *o, int64_t messages, int64_t bytes, int64_t took_us)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu_s = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                   (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    printf("{\"topic\": \"%s\", \"records\": %" PRId64 ", \"bytes\": %" PRId64
           ", \"wall_s\": %.3f, \"cpu_s\": %.3f, \"peak_mb\": %.1f}\n",
           o->topic, messages, bytes, (double)took_us / 1e6, cpu_s,
           (double)used.ru_maxrss * 1024 / 1e6);
}

/* ---- produce ---- */

static int64_t delivered, refused;

static void on_delivery(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *opaque)
{
    (void)kafka;
    (void)opaque;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        delivered++;
    else
        refused++;
}

static void create_topic(rd_kafka_t *kafka, const options *o)
{
    char why[512] = "";
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(o->topic, o->partitions, 1, why, sizeof why);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka);
    if (!topic)
        die(o->topic, why);
    rd_kafka_CreateTopics(kafka, &topic, 1, NULL, queue);
    rd_kafka_event_t *answer = rd_kafka_queue_poll(queue, WAIT_MS);
    if (!answer || rd_kafka_event_error(answer) != RD_KAFKA_RESP_ERR_NO_ERROR)
        die(o->topic, answer ? rd_kafka_event_error_string(answer) : "the broker does not answer");
    rd_kafka_event_destroy(answer);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(topic);
}

static void put_event(firn_buf *buf, const options *o, int64_t i, int64_t ts_us)
{
    event e = event_of((uint64_t)o->seed, (uint64_t)i, ts_us);
    if (!o->avro) {
        event_json(buf, o->event, &e);
        return;
    }
    firn_buf_putc(buf, 0);
    for (int shift = 24; shift >= 0; shift -= 8)
        firn_buf_putc(buf, (uint8_t)(o->schema_id >> shift));
    event_avro(buf, o->event, &e);
}

static void put_message(rd_kafka_t *kafka, rd_kafka_topic_t *topic, int32_t partition,
                        firn_bytes value)
{
    while (rd_kafka_produce(topic, partition, RD_KAFKA_MSG_F_COPY, (void *)(uintptr_t)value.data,
                            value.len, NULL, 0, NULL) != 0) {
        rd_kafka_resp_err_t rc = rd_kafka_last_error();
        if (rc != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            die("produce", rd_kafka_err2str(rc));
        rd_kafka_poll(kafka, 100);
    }
}

static void produce(const options *o)
{
    static const char *const settings[][2] = {
        {"enable.idempotence", "true"}, {"linger.ms", "5"},
        {"compression.type", "lz4"},    {"batch.num.messages", "10000"},
        {"batch.size", "1000000"},      {"queue.buffering.max.messages", "500000"},
        {"message.timeout.ms", "0"},    {NULL, NULL},
    };
    const int64_t clock_start_us = 1795860000000000; /* 2026-11-28T10:00:00Z */
    rd_kafka_conf_t *conf = configure(o, settings);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_t *kafka = open_kafka(RD_KAFKA_PRODUCER, conf);
    create_topic(kafka, o);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(kafka, o->topic, NULL);
    firn_buf buf = {0};
    int64_t start_us = firn_monotonic_us(), bytes = 0;
    for (int64_t i = 0; i < o->count; i++) {
        int64_t ahead_us = o->rate ? i * 1000000 / o->rate - (firn_monotonic_us() - start_us) : 0;
        for (; ahead_us > 500; ahead_us = i * 1000000 / o->rate - (firn_monotonic_us() - start_us))
            rd_kafka_poll(kafka, ahead_us > 2000 ? 1 : 0);
        firn_buf_clear(&buf);
        put_event(&buf, o, i, o->rate ? firn_now_us() : clock_start_us + i * 1000);
        put_message(kafka, topic, (int32_t)(i % o->partitions), firn_buf_bytes(&buf));
        bytes += (int64_t)buf.len;
        if (i % 1024 == 0)
            rd_kafka_poll(kafka, 0);
    }
    while (rd_kafka_outq_len(kafka) > 0)
        rd_kafka_poll(kafka, 100);
    report(o, delivered, bytes, firn_monotonic_us() - start_us);
    firn_buf_deinit(&buf);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(kafka);
    if (refused > 0)
        die(o->topic, "records were not delivered");
}

/* ---- consume: with the settings of firn's own consumer (source/kafka_consumer.c) ---- */

static void assign_all(rd_kafka_t *kafka, const options *o)
{
    const rd_kafka_metadata_t *metadata;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(kafka, o->topic, NULL);
    rd_kafka_resp_err_t rc = rd_kafka_metadata(kafka, 0, topic, &metadata, WAIT_MS);
    if (rc != RD_KAFKA_RESP_ERR_NO_ERROR)
        die(o->topic, rd_kafka_err2str(rc));
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(PARTITIONS_MAX);
    for (int i = 0; metadata->topic_cnt == 1 && i < metadata->topics[0].partition_cnt; i++)
        rd_kafka_topic_partition_list_add(list, o->topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rc = rd_kafka_assign(kafka, list);
    if (rc != RD_KAFKA_RESP_ERR_NO_ERROR)
        die(o->topic, rd_kafka_err2str(rc));
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(topic);
}

static void consume(const options *o)
{
    static const char *const settings[][2] = {
        {"group.id", "ingest-load"},
        {"enable.auto.commit", "false"},
        {"isolation.level", "read_committed"},
        {"check.crcs", "true"},
        {"queued.max.messages.kbytes", "16384"},
        {"queued.min.messages", "65536"},
        {"fetch.max.bytes", "8388608"},
        {"fetch.wait.max.ms", "250"},
        {NULL, NULL},
    };
    static rd_kafka_message_t *messages[BATCH_MESSAGES];
    int64_t start_us = firn_monotonic_us(), count = 0, bytes = 0;
    rd_kafka_t *kafka = open_kafka(RD_KAFKA_CONSUMER, configure(o, settings));
    rd_kafka_poll_set_consumer(kafka);
    assign_all(kafka, o);
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(kafka);
    while (count < o->count) {
        ssize_t n = rd_kafka_consume_batch_queue(queue, 1000, messages, BATCH_MESSAGES);
        if (n < 0)
            die(o->topic, rd_kafka_err2str(rd_kafka_last_error()));
        for (ssize_t i = 0; i < n; i++) {
            if (messages[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
                count++;
                bytes += (int64_t)messages[i]->len;
            }
            rd_kafka_message_destroy(messages[i]);
        }
        if (firn_monotonic_us() - start_us > (int64_t)WAIT_MS * 1000 * 10)
            die(o->topic, "the messages do not come");
    }
    report(o, count, bytes, firn_monotonic_us() - start_us);
    rd_kafka_queue_destroy(queue);
    rd_kafka_consumer_close(kafka);
    rd_kafka_destroy(kafka);
}

/* ---- the command line ---- */

static int64_t number(const char *text)
{
    int64_t value;
    if (!firn_parse_i64(text, &value) || value < 0)
        die(text, "is no number");
    return value;
}

static bool choose(const char *text, const char *no, const char *yes)
{
    if (!firn_streq(text, no) && !firn_streq(text, yes))
        die(text, "is not known");
    return firn_streq(text, yes);
}

static void read_options(int argc, char **argv, options *o)
{
    static const struct option names[] = {
        {"brokers", required_argument, NULL, 'b'},
        {"topic", required_argument, NULL, 't'},
        {"partitions", required_argument, NULL, 'p'},
        {"count", required_argument, NULL, 'n'},
        {"rate", required_argument, NULL, 'r'},
        {"seed", required_argument, NULL, 's'},
        {"event", required_argument, NULL, 'e'},
        {"format", required_argument, NULL, 'f'},
        {"schema-id", required_argument, NULL, 'i'},
        {"set", required_argument, NULL, 'x'},
        {0},
    };
    for (int c = 0; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (c) {
        case 'b': o->brokers = optarg; break;
        case 't': o->topic = optarg; break;
        case 'p': o->partitions = (int)number(optarg); break;
        case 'n': o->count = number(optarg); break;
        case 'r': o->rate = number(optarg); break;
        case 's': o->seed = number(optarg); break;
        case 'e': o->event = choose(optarg, "small", "wide") ? EVENT_WIDE : EVENT_SMALL; break;
        case 'f': o->avro = choose(optarg, "json", "avro"); break;
        case 'i': o->schema_id = number(optarg); break;
        case 'x':
            if (o->n_settings == SETTINGS_MAX)
                die("--set", "too many");
            o->settings[o->n_settings++] = optarg;
            break;
        default: exit(2);
        }
    }
    if (!o->brokers || !o->topic || o->partitions < 1 || o->partitions > PARTITIONS_MAX)
        die("usage", "ingest_load produce|consume --brokers HOST:PORT --topic TOPIC ...");
}

int main(int argc, char **argv)
{
    options o = {.partitions = 16, .count = 1000000, .seed = 42, .schema_id = 1};
    const char *command = argc > 1 ? argv[1] : "";
    event_kind kind = argc > 2 && firn_streq(argv[2], "wide") ? EVENT_WIDE : EVENT_SMALL;
    if (firn_streq(command, "schema") || firn_streq(command, "columns")) {
        puts(firn_streq(command, "schema") ? event_schemas[kind] : event_columns[kind]);
        return 0;
    }
    if (argc > 1)
        read_options(argc - 1, argv + 1, &o);
    if (firn_streq(command, "produce"))
        produce(&o);
    else if (firn_streq(command, "consume"))
        consume(&o);
    else
        die(command, "is no command: produce, consume, schema or columns");
    return 0;
}
