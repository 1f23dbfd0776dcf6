/* Records for the Kafka demo and for tests: made here, so that what a table holds can be computed again by whoever checks it.
 *
 *   kafka_load numbered --brokers B [--topic T] [--partitions P] [--count N] [--rate R] [--first SEQ]
 *       N records over P partitions: {"part":3,"seq":17,"ts":1700000000000,"payload":"<md5 of 3:17>"}. `seq` counts from --first (0) in each
 *       partition, so with an idempotent producer on a new topic it is the offset.
 *   kafka_load changes --brokers B [--topic T] [--partitions P] [--count N] [--keys K] [--first SEQ]
 *       N changes of K keys, key k to partition k % P: {"id":k,"seq":i,"note":"..."}, keyed {"id":k}, of i from --first. What change i is
 *       comes from x = splitmix64(i) alone: k is x % K, and every tenth (x >> 40) % 10 == 0 is a tombstone.
 *   kafka_load shop --brokers B --registry URL [--seconds S] [--rate R] [--bad-every N]
 *       An e-commerce stream for S seconds, R records a second over three topics:
 *       customers     JSON, keyed by customer: the customer as it is now; null when it is gone
 *       orders        Avro in the registry's frame: decimals, an enum, a list of items, timestamps
 *       order_events  JSON; every N-th is broken, as somebody's always is
 *   kafka_load create --brokers B [--topic T] [--partitions P]      the topic alone
 *
 * Topics that are missing are made. SIGINT and SIGTERM end the stream; all that was produced is delivered before the program ends. Once
 * a second a line says "produced N"; the last line is "done N", N being what the brokers acknowledged.
 */
#include <curl/curl.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <librdkafka/rdkafka.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { VALUE_BYTES_MAX = 4096, CUSTOMERS = 2000, PRODUCTS = 200, ITEMS_MAX = 4, POLL_EVERY = 64 };

typedef struct settings {
    const char *brokers, *topic, *registry;
    int partitions;
    int64_t count, first, rate, seconds, bad_every, keys;
} settings;

static atomic_bool told_to_stop;
static int64_t delivered, refused;

static void on_signal(int number)
{
    (void)number;
    atomic_store(&told_to_stop, true);
}

static void die(const char *what, const char *why)
{
    fprintf(stderr, "kafka_load: %s: %s\n", what, why);
    exit(1);
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- Kafka ---------------------------------------------------------------------------------------------- */

static void on_delivery(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *opaque)
{
    (void)kafka;
    (void)opaque;
    if (message->err) {
        fprintf(stderr, "kafka_load: not delivered: %s\n", rd_kafka_err2str(message->err));
        refused++;
    } else {
        delivered++;
    }
}

static rd_kafka_t *open_producer(const char *brokers)
{
    static const char *const SETTINGS[][2] = {
        {"enable.idempotence", "true"},
        {"linger.ms", "5"},
        {"compression.type", "lz4"},
        {"batch.num.messages", "10000"},
        {"queue.buffering.max.messages", "200000"},
        {"message.timeout.ms", "0"}, /* an outage is waited for: nothing is given up */
        {"reconnect.backoff.max.ms", "500"},
        {"log_level", "2"},
    };
    char why[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (rd_kafka_conf_set(conf, "bootstrap.servers", brokers, why, sizeof(why)) != 0) {
        die("brokers", why);
    }
    for (size_t i = 0; i < sizeof(SETTINGS) / sizeof(SETTINGS[0]); i++) {
        if (rd_kafka_conf_set(conf, SETTINGS[i][0], SETTINGS[i][1], why, sizeof(why)) != 0) {
            die(SETTINGS[i][0], why);
        }
    }
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_t *kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    if (kafka == NULL) {
        die("producer", why);
    }
    return kafka;
}

static void create_topic(rd_kafka_t *kafka, const char *name, int partitions)
{
    char why[512] = "";
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(name, partitions, 1, why, sizeof(why));
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka);
    if (topic == NULL) {
        die(name, why);
    }
    rd_kafka_CreateTopics(kafka, &topic, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 60000);
    size_t n = 0;
    const rd_kafka_topic_result_t **results = NULL;
    if (event == NULL || rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        die(name, event == NULL ? "no answer to its creation" : rd_kafka_event_error_string(event));
    }
    results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n);
    if (n == 1 && rd_kafka_topic_result_error(results[0]) != RD_KAFKA_RESP_ERR_NO_ERROR &&
        rd_kafka_topic_result_error(results[0]) != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
        die(name, rd_kafka_topic_result_error_string(results[0]));
    }
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(topic);
}

typedef struct message {
    const char *topic;
    int32_t partition; /* -1: by key */
    const char *key;   /* nullable */
    size_t key_bytes;
    const void *value; /* NULL: a tombstone */
    size_t value_bytes;
} message;

static void produce(rd_kafka_t *kafka, const message *record)
{
    for (;;) {
        rd_kafka_resp_err_t rc = rd_kafka_producev(
            kafka, RD_KAFKA_V_TOPIC(record->topic), RD_KAFKA_V_PARTITION(record->partition),
            RD_KAFKA_V_KEY(record->key, record->key_bytes),
            RD_KAFKA_V_VALUE((void *)(uintptr_t)record->value, record->value_bytes),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
        if (rc == RD_KAFKA_RESP_ERR_NO_ERROR) {
            return;
        }
        if (rc != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            die(record->topic, rd_kafka_err2str(rc));
        }
        rd_kafka_poll(kafka, 100);
    }
}

/* Holds the stream at `rate` records a second, serves deliveries, says once a second how far it is. */
static void keep_pace(rd_kafka_t *kafka, int64_t produced, int64_t rate, int64_t started_us)
{
    static int64_t said_us;
    if (produced % POLL_EVERY == 0) {
        rd_kafka_poll(kafka, 0);
        int64_t now = now_us();
        if (now - said_us >= 1000000) {
            printf("produced %" PRId64 "\n", delivered);
            fflush(stdout);
            said_us = now;
        }
        int64_t due_us = rate > 0 ? started_us + produced * 1000000 / rate : 0;
        while (due_us - now_us() > 1000 && !atomic_load(&told_to_stop)) {
            rd_kafka_poll(kafka, (int)((due_us - now_us()) / 1000));
        }
    }
}

/* ---- numbered ------------------------------------------------------------------------------------------- */

static void md5_text(EVP_MD_CTX *md5, const char *text, char out[33])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int n = 0;
    EVP_DigestInit_ex(md5, EVP_md5(), NULL);
    EVP_DigestUpdate(md5, text, strlen(text));
    EVP_DigestFinal_ex(md5, digest, &n);
    for (unsigned int i = 0; i < 16; i++) {
        out[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
    }
    out[32] = '\0';
}

static void produce_numbered(rd_kafka_t *kafka, const settings *set)
{
    EVP_MD_CTX *md5 = EVP_MD_CTX_new();
    int64_t started_us = now_us();
    create_topic(kafka, set->topic, set->partitions);
    for (int64_t i = 0; i < set->count && !atomic_load(&told_to_stop); i++) {
        char text[64], sum[33], value[256];
        int32_t part = (int32_t)(i % set->partitions);
        int64_t seq = set->first + i / set->partitions;
        snprintf(text, sizeof(text), "%" PRId32 ":%" PRId64, part, seq);
        md5_text(md5, text, sum);
        int n = snprintf(value, sizeof(value),
                         "{\"part\":%" PRId32 ",\"seq\":%" PRId64 ",\"ts\":%" PRId64
                         ",\"payload\":\"%s\"}",
                         part, seq, now_us() / 1000, sum);
        produce(kafka, &(message){.topic = set->topic,
                                  .partition = part,
                                  .value = value,
                                  .value_bytes = (size_t)n});
        keep_pace(kafka, i + 1, set->rate, started_us);
    }
    EVP_MD_CTX_free(md5);
}

/* ---- changes -------------------------------------------------------------------------------------------- */

static uint64_t splitmix64(uint64_t i)
{
    uint64_t x = (i + 1) * UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

static void produce_changes(rd_kafka_t *kafka, const settings *set)
{
    int64_t started_us = now_us();
    create_topic(kafka, set->topic, set->partitions);
    for (int64_t i = set->first; i < set->first + set->count && !atomic_load(&told_to_stop); i++) {
        char key[64], value[128];
        uint64_t x = splitmix64((uint64_t)i);
        int64_t id = (int64_t)(x % (uint64_t)set->keys);
        bool gone = (x >> 40) % 10 == 0;
        int key_bytes = snprintf(key, sizeof(key), "{\"id\":%" PRId64 "}", id);
        int n = snprintf(value, sizeof(value),
                         "{\"id\":%" PRId64 ",\"seq\":%" PRId64 ",\"note\":\"%016" PRIx64 "\"}", id,
                         i, x);
        produce(kafka, &(message){.topic = set->topic,
                                  .partition = (int32_t)(id % set->partitions),
                                  .key = key,
                                  .key_bytes = (size_t)key_bytes,
                                  .value = gone ? NULL : value,
                                  .value_bytes = gone ? 0 : (size_t)n});
        keep_pace(kafka, i - set->first + 1, set->rate, started_us);
    }
}

/* ---- Avro, as far as the orders need it ------------------------------------------------------------------- */

typedef struct avro {
    unsigned char data[VALUE_BYTES_MAX];
    size_t n;
} avro;

static void avro_long(avro *out, int64_t value)
{
    uint64_t left = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
    for (; left > 0x7f; left >>= 7) {
        out->data[out->n++] = (unsigned char)(left | 0x80);
    }
    out->data[out->n++] = (unsigned char)left;
}

static void avro_text(avro *out, const char *text)
{
    size_t n = strlen(text);
    avro_long(out, (int64_t)n);
    memcpy(out->data + out->n, text, n);
    out->n += n;
}

/* A decimal is its unscaled integer, two's complement, big-endian: eight bytes hold every price. */
static void avro_cents(avro *out, int64_t cents)
{
    avro_long(out, 8);
    for (int shift = 56; shift >= 0; shift -= 8) {
        out->data[out->n++] = (unsigned char)((uint64_t)cents >> shift);
    }
}

static const char ORDER_SCHEMA[] =
    "{\"type\":\"record\",\"name\":\"Order\",\"namespace\":\"shop\",\"fields\":["
    "{\"name\":\"order_id\",\"type\":\"long\"},"
    "{\"name\":\"customer_id\",\"type\":\"long\"},"
    "{\"name\":\"ordered_at\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}},"
    "{\"name\":\"channel\",\"type\":{\"type\":\"enum\",\"name\":\"Channel\",\"symbols\":[\"web\",\"app\",\"shop\"]}},"
    "{\"name\":\"total\",\"type\":{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":12,\"scale\":2}},"
    "{\"name\":\"coupon\",\"type\":[\"null\",\"string\"],\"default\":null},"
    "{\"name\":\"items\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"Item\",\"fields\":["
    "{\"name\":\"sku\",\"type\":\"string\"},{\"name\":\"quantity\",\"type\":\"int\"},"
    "{\"name\":\"price\",\"type\":{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":12,\"scale\":2}}]}}}]}";

static size_t take_reply(char *data, size_t size, size_t n, void *ctx)
{
    char *reply = ctx;
    size_t have = strlen(reply), more = size * n;
    if (have + more < VALUE_BYTES_MAX) {
        memcpy(reply + have, data, more);
        reply[have + more] = '\0';
    }
    return more;
}

static int32_t register_schema(const char *registry, const char *subject, const char *schema)
{
    char url[1024], reply[VALUE_BYTES_MAX] = "";
    json_t *body = json_pack("{s:s, s:s}", "schema", schema, "schemaType", "AVRO");
    char *text = json_dumps(body, JSON_COMPACT);
    CURL *http = curl_easy_init();
    struct curl_slist *headers =
        curl_slist_append(NULL, "Content-Type: application/vnd.schemaregistry.v1+json");
    snprintf(url, sizeof(url), "%s/subjects/%s/versions", registry, subject);
    curl_easy_setopt(http, CURLOPT_URL, url);
    curl_easy_setopt(http, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(http, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(http, CURLOPT_POSTFIELDS, text);
    curl_easy_setopt(http, CURLOPT_WRITEFUNCTION, take_reply);
    curl_easy_setopt(http, CURLOPT_WRITEDATA, reply);
    CURLcode rc = curl_easy_perform(http);
    json_t *answer = json_loads(reply, 0, NULL);
    const json_t *id = json_object_get(answer, "id");
    if (rc != CURLE_OK || !json_is_integer(id)) {
        die(url, rc != CURLE_OK ? curl_easy_strerror(rc) : reply);
    }
    int32_t number = (int32_t)json_integer_value(id);
    json_decref(answer);
    json_decref(body);
    free(text);
    curl_slist_free_all(headers);
    curl_easy_cleanup(http);
    return number;
}

/* ---- shop ----------------------------------------------------------------------------------------------- */

typedef struct stream {
    rd_kafka_t *kafka;
    const settings *set;
    uint64_t random;
    int32_t schema_id;
    int64_t orders, events, produced, started_us;
} stream;

/* xorshift64*: the same shop every time. */
static uint64_t roll(stream *shop, uint64_t below)
{
    shop->random ^= shop->random >> 12;
    shop->random ^= shop->random << 25;
    shop->random ^= shop->random >> 27;
    return (shop->random * UINT64_C(2685821657736338717) >> 33) % below;
}

static void send_to(stream *shop, const char *topic, const char *key, const void *value, size_t n)
{
    produce(shop->kafka, &(message){.topic = topic,
                                    .partition = RD_KAFKA_PARTITION_UA,
                                    .key = key,
                                    .key_bytes = key != NULL ? strlen(key) : 0,
                                    .value = value,
                                    .value_bytes = n});
    keep_pace(shop->kafka, ++shop->produced, shop->set->rate, shop->started_us);
}

static void iso_time(int64_t us, char out[40])
{
    struct tm parts;
    time_t seconds = us / 1000000;
    gmtime_r(&seconds, &parts);
    size_t n = strftime(out, 24, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(out + n, 40 - n, ".%03dZ", (int)(us / 1000 % 1000));
}

static void send_customer(stream *shop, int id)
{
    static const char *const FIRST[] = {"Ada",  "Björn", "Chloé", "Dmitri",
                                        "Elif", "Femi",  "Grace", "Hiro"};
    static const char *const LAST[] = {"Alvarez", "Berg",   "Chen",   "Dubois",
                                       "Eriksen", "Fofana", "García", "Haddad"};
    static const char *const COUNTRY[] = {"DE", "FR", "IT", "NL", "SE", "US"};
    static const char *const TIER[] = {"bronze", "silver", "gold"};
    char key[40], at[40], value[512];
    snprintf(key, sizeof(key), "{\"customer_id\":%d}", id);
    if (roll(shop, 200) == 0) { /* a customer who left */
        send_to(shop, "customers", key, NULL, 0);
        return;
    }
    const char *first = FIRST[id % 8], *last = LAST[id / 8 % 8];
    iso_time(now_us(), at);
    int n = snprintf(value, sizeof(value),
                     "{\"customer_id\":%d,\"name\":\"%s %s\",\"email\":\"c%d@example.com\","
                     "\"country\":\"%s\",\"tier\":\"%s\",\"updated_at\":\"%s\"}",
                     id, first, last, id, COUNTRY[id % 6], TIER[roll(shop, 3)], at);
    send_to(shop, "customers", key, value, (size_t)n);
}

static void send_event(stream *shop, int64_t order, const char *what)
{
    char key[24], at[40], value[256];
    snprintf(key, sizeof(key), "%" PRId64, order);
    iso_time(now_us(), at);
    bool broken = shop->set->bad_every > 0 && ++shop->events % shop->set->bad_every == 0;
    int n =
        snprintf(value, sizeof(value), "{\"order_id\":%" PRId64 ",\"event\":\"%s\",\"at\":\"%s\"%s",
                 order, what, at, broken ? "" : "}");
    send_to(shop, "order_events", key, value, (size_t)n);
}

static void send_order(stream *shop)
{
    static const char *const COUPON[] = {"WELCOME", "SPRING", "SNOW"};
    char key[24], sku[16];
    int64_t id = ++shop->orders, total = 0;
    avro out = {.n = 5};
    out.data[0] = 0;
    for (int i = 0; i < 4; i++) {
        out.data[1 + i] = (unsigned char)((uint32_t)shop->schema_id >> (24 - 8 * i));
    }
    int n_items = 1 + (int)roll(shop, ITEMS_MAX);
    int64_t prices[ITEMS_MAX], quantities[ITEMS_MAX];
    for (int i = 0; i < n_items; i++) {
        prices[i] = 199 + (int64_t)roll(shop, 20000);
        quantities[i] = 1 + (int64_t)roll(shop, 3);
        total += prices[i] * quantities[i];
    }
    avro_long(&out, id);
    avro_long(&out, (int64_t)roll(shop, CUSTOMERS));
    avro_long(&out, now_us());
    avro_long(&out, (int64_t)roll(shop, 3));
    avro_cents(&out, total);
    bool has_coupon = roll(shop, 5) == 0;
    avro_long(&out, has_coupon);
    if (has_coupon) {
        avro_text(&out, COUPON[roll(shop, 3)]);
    }
    avro_long(&out, n_items);
    for (int i = 0; i < n_items; i++) {
        snprintf(sku, sizeof(sku), "P-%03d", (int)roll(shop, PRODUCTS));
        avro_text(&out, sku);
        avro_long(&out, quantities[i]);
        avro_cents(&out, prices[i]);
    }
    avro_long(&out, 0);
    snprintf(key, sizeof(key), "%" PRId64, id);
    send_to(shop, "orders", key, out.data, out.n);
}

static void produce_shop(rd_kafka_t *kafka, const settings *set)
{
    static const char *const EVENT[] = {"paid", "packed", "shipped", "delivered", "returned"};
    if (set->registry == NULL) {
        die("shop", "--registry is missing");
    }
    create_topic(kafka, "customers", 2);
    create_topic(kafka, "orders", 4);
    create_topic(kafka, "order_events", 4);
    stream shop = {.kafka = kafka,
                   .set = set,
                   .random = 42,
                   .schema_id = register_schema(set->registry, "orders-value", ORDER_SCHEMA),
                   .started_us = now_us()};
    for (int id = 0; id < CUSTOMERS; id++) {
        send_customer(&shop, id);
    }
    int64_t until_us = now_us() + set->seconds * 1000000;
    while (!atomic_load(&told_to_stop) && now_us() < until_us) {
        send_order(&shop);
        send_event(&shop, shop.orders, "created");
        if (roll(&shop, 2) == 0) {
            send_event(&shop, 1 + (int64_t)roll(&shop, (uint64_t)shop.orders),
                       EVENT[roll(&shop, 5)]);
        }
        if (roll(&shop, 20) == 0) {
            send_customer(&shop, (int)roll(&shop, CUSTOMERS));
        }
    }
}

/* ---- the command line ----------------------------------------------------------------------------------- */

static int64_t number(const char *text)
{
    char *end = NULL;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || value < 0) {
        die(text, "is no number");
    }
    return value;
}

static void read_options(int argc, char **argv, settings *set)
{
    static const struct option OPTIONS[] = {
        {"brokers", required_argument, NULL, 'b'},
        {"topic", required_argument, NULL, 't'},
        {"registry", required_argument, NULL, 'g'},
        {"partitions", required_argument, NULL, 'p'},
        {"count", required_argument, NULL, 'n'},
        {"rate", required_argument, NULL, 'r'},
        {"seconds", required_argument, NULL, 's'},
        {"bad-every", required_argument, NULL, 'x'},
        {"first", required_argument, NULL, 'f'},
        {"keys", required_argument, NULL, 'k'},
        {0},
    };
    for (int c = 0; (c = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;) {
        switch (c) {
        case 'b': set->brokers = optarg; break;
        case 't': set->topic = optarg; break;
        case 'g': set->registry = optarg; break;
        case 'p': set->partitions = (int)number(optarg); break;
        case 'n': set->count = number(optarg); break;
        case 'r': set->rate = number(optarg); break;
        case 's': set->seconds = number(optarg); break;
        case 'f': set->first = number(optarg); break;
        case 'k': set->keys = number(optarg); break;
        case 'x': set->bad_every = number(optarg); break;
        default: exit(2);
        }
    }
    if (set->brokers == NULL || set->partitions < 1 || set->keys < 1) {
        die("usage", "kafka_load numbered|changes|shop|create --brokers HOST:PORT ...");
    }
}

int main(int argc, char **argv)
{
    settings set = {
        .topic = "numbered", .partitions = 16, .count = 1000000, .seconds = 30, .keys = 100000};
    const char *command = argc > 1 ? argv[1] : "";
    read_options(argc - 1, argv + 1, &set);
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    rd_kafka_t *kafka = open_producer(set.brokers);
    if (strcmp(command, "numbered") == 0) {
        produce_numbered(kafka, &set);
    } else if (strcmp(command, "changes") == 0) {
        produce_changes(kafka, &set);
    } else if (strcmp(command, "shop") == 0) {
        produce_shop(kafka, &set);
    } else if (strcmp(command, "create") == 0) {
        create_topic(kafka, set.topic, set.partitions);
    } else {
        die(command, "is no command: numbered, changes, shop or create");
    }
    while (rd_kafka_outq_len(kafka) > 0) {
        rd_kafka_poll(kafka, 100);
    }
    printf("done %" PRId64 "\n", delivered);
    rd_kafka_destroy(kafka);
    return refused == 0 ? 0 : 1;
}
