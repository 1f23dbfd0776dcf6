/*
 * decode_fuzz.c - Kafka messages of every format into chunks.
 *
 * Input: format of values, format of keys, flags (1 _kafka, 2 tombstones, 4 small chunks), then messages, each
 *
 *     flags (1 no key, 2 no value, 4 frame of our making, 8 header)  frame's id  key's length  value's length (2 bytes)  key  value
 *
 * A registry in this process knows the ids below N_SCHEMAS. Besides not crashing: every message is a row, passed over or told as bad,
 * and what comes out is sound Arrow. The same messages are looked at by firn_guess_messages.
 */
#include "net/http_server.h"
#include "source/decode.h"
#include "source/guess.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RECORD(name, fields) \
    "{\"type\": \"record\", \"name\": \"" name "\", \"fields\": [" fields "]}"
#define FIELD(name, type) "{\"name\": \"" name "\", \"type\": " type "}"

static const char *const flat =
    RECORD("Flat", FIELD("id", "\"long\"") "," FIELD("s", "[\"null\", \"string\"]") "," FIELD(
                       "d", "\"double\"") "," FIELD("b", "\"boolean\""));
static const char *const nested = RECORD(
    "Nested",
    FIELD("a", "{\"type\": \"array\", \"items\": " RECORD("I", FIELD("x", "\"int\"")) "}") "," FIELD("m", "{\"type\": \"map\", \"values\": [\"null\", \"I\"]}") "," FIELD("u", "[\"null\", \"string\", \"I\", \"long\"]") "," FIELD(
        "n",
        "{\"type\": \"bytes\", \"logicalType\": \"decimal\", \"precision\": 9, \"scale\": 2}") "," FIELD("f",
                                                                                                         "{\"type\": \"fixed\", \"name\": \"F\", \"size\": 3}") "," FIELD("e",
                                                                                                                                                                          "{\"type\": \"enum\", \"name\": \"E\", \"symbols\": [\"A\", \"B\"]}"));
static const char *const json_schema =
    "{\"type\": \"object\", \"properties\": {\"id\": {\"type\": \"integer\"}, \"at\": {\"type\": "
    "\"string\", \"format\": \"date-time\"}, \"tags\": {\"type\": \"array\", \"items\": {\"type\": "
    "\"string\"}}}}";
static const char *const proto =
    "syntax = \"proto3\"; message A { int64 id = 1; string s = 2; repeated int32 r = 3; map<string, "
    "B> m = 4; message B { double d = 1; oneof o { bytes b = 2; sint32 i = 3; } } } message C { A.B "
    "b = 1; }";
static const char *const recursive = RECORD("R", FIELD("next", "[\"null\", \"R\"]"));

static const struct {
    const char *kind, *text;
} SCHEMAS[] = {
    {"AVRO", ""},
    {"AVRO", flat},
    {"AVRO", nested},
    {"AVRO", "\"string\""},
    {"JSON", json_schema},
    {"PROTOBUF", proto},
    {"AVRO", recursive},
    {"AVRO", "{"},
    /* message M { int32 n = 1; } */
    {"PROTOBUF", "CgFjIg4KAU0SCQoBbhgBIAEoBWIGcHJvdG8z"},
    {"XML", "<a/>"},
    {"PROTOBUF", "?"},
    {"JSON", "{\"a\": 1}"},
};
enum { N_SCHEMAS = sizeof SCHEMAS / sizeof *SCHEMAS };

/* ---- the registry ----------------------------------------------------------------------------- */

static void answer(void *ctx, const firn_http_request *request, firn_http_response *response)
{
    (void)ctx;
    size_t len = strlen("/schemas/ids/");
    int64_t id = -1;
    json_t *json;
    if (strlen(request->path) <= len || !firn_parse_i64(request->path + len, &id) || id < 0 ||
        id >= N_SCHEMAS) {
        response->status = 404;
        json = json_pack("{s:i, s:s}", "error_code", 40403, "message", "no");
    } else {
        json = json_pack("{s:s, s:s}", "schema", SCHEMAS[id].text, "schemaType", SCHEMAS[id].kind);
    }
    response->body = firn_bytes_str(firn_json_text(request->arena, json));
    json_decref(json);
}

static firn_registry *registry;

static void start_registry(void)
{
    static firn_http_server *server;
    firn_http_server_options listen = {.listen = "127.0.0.1:0", .handle = answer};
    if (registry)
        return;
    setenv("no_proxy", "127.0.0.1", 1);
    char url[100];
    if (firn_http_server_start(&listen, &server, NULL) != FIRN_OK)
        abort();
    snprintf(url, sizeof url, "http://%s", firn_http_server_address(server));
    if (firn_registry_new(&(firn_registry_options){.url = url}, &registry, NULL) != FIRN_OK)
        abort();
}

/* ---- what must hold --------------------------------------------------------------------------- */

static void check_array(const struct ArrowSchema *schema, const struct ArrowArray *array)
{
    assert(schema->release && array->release);
    assert(array->n_children == schema->n_children && array->null_count <= array->length);
    const uint8_t *bits = array->n_buffers > 0 ? array->buffers[0] : NULL;
    int64_t nulls = 0;
    for (int64_t i = 0; bits && i < array->length; i++)
        nulls += !(bits[i >> 3] >> (i & 7) & 1);
    if (bits)
        assert(nulls == array->null_count);
    bool has_offsets = strchr("uz", schema->format[0]) || firn_streq(schema->format, "+l") ||
                       firn_streq(schema->format, "+m");
    const int32_t *offsets = has_offsets ? array->buffers[1] : NULL;
    for (int64_t i = 0; offsets && i < array->length; i++)
        assert(offsets[i] >= 0 && offsets[i] <= offsets[i + 1]);
    for (int64_t i = 0; i < array->n_children; i++) {
        int64_t want = offsets ? offsets[array->length] : array->length;
        assert(array->children[i]->length == want);
        check_array(schema->children[i], array->children[i]);
    }
}

static int64_t take(firn_decoder *decoder)
{
    firn_chunk *chunks;
    size_t n;
    int64_t rows = 0;
    firn_decoder_take(decoder, &chunks, &n);
    for (size_t i = 0; i < n; i++) {
        assert(chunks[i].array.length == chunks[i].rows && chunks[i].rows > 0);
        check_array(&chunks[i].schema, &chunks[i].array);
        rows += chunks[i].rows;
    }
    firn_chunks_free(chunks, n);
    assert(firn_decoder_rows(decoder) == 0 && firn_decoder_bytes(decoder) == 0);
    return rows;
}

/* ---- messages --------------------------------------------------------------------------------- */

enum { NO_KEY = 1, NO_VALUE = 2, FRAME = 4, HEADER = 8, MESSAGES_MAX = 64 };

typedef struct reader {
    firn_arena *arena;
    const uint8_t *at, *end;
    firn_kafka_header headers[MESSAGES_MAX];
} reader;

static uint8_t next_byte(reader *r)
{
    return r->at < r->end ? *r->at++ : 0;
}

static firn_bytes next_bytes(reader *r, size_t len, bool framed, uint8_t id)
{
    size_t left = (size_t)(r->end - r->at);
    len = len < left ? len : left;
    uint8_t *copy = firn_arena_alloc(r->arena, len + 5);
    size_t head = 0;
    if (framed) {
        memcpy(copy, (uint8_t[]){0, 0, 0, 0, id}, 5);
        head = 5;
    }
    if (len > 0)
        memcpy(copy + head, r->at, len);
    r->at += len;
    return firn_bytes_of(copy, head + len);
}

static firn_rc give_header(const firn_kafka_message *message, firn_arena *arena,
                           firn_kafka_header **out, size_t *n, firn_err *err)
{
    (void)arena, (void)err;
    *out = message->handle;
    *n = 1;
    return FIRN_OK;
}

static size_t read_messages(reader *r, firn_kafka_message *messages)
{
    size_t n = 0;
    for (; r->at < r->end && n < MESSAGES_MAX; n++) {
        uint8_t flags = next_byte(r);
        uint8_t id = next_byte(r);
        size_t key_len = next_byte(r);
        size_t value_len = next_byte(r);
        value_len = value_len << 8 | next_byte(r);
        firn_bytes key = next_bytes(r, key_len, flags & FRAME, id);
        firn_bytes value = next_bytes(r, value_len, flags & FRAME, id);
        uint8_t *header = firn_arena_memdup(r->arena, (uint8_t[]){0, 0, 0, 0, id, 0}, 6);
        r->headers[n] = (firn_kafka_header){"__value_schema_id", firn_bytes_of(header, 6)};
        messages[n] = (firn_kafka_message){
            .topic = "t",
            .offset = (int64_t)n,
            .key = flags & NO_KEY ? (firn_bytes){0} : key,
            .value = flags & NO_VALUE ? (firn_bytes){0} : value,
            .handle = flags & HEADER ? &r->headers[n] : NULL,
        };
    }
    return n;
}

static firn_payload_options payload_of(uint8_t byte)
{
    firn_payload_options options = {.payload = byte % (FIRN_PAYLOAD_BYTES + 1)};
    bool declared = byte & 0x80;
    if (options.payload == FIRN_PAYLOAD_AVRO_RAW)
        options.schema = declared ? nested : flat;
    if (options.payload == FIRN_PAYLOAD_PROTOBUF_RAW)
        options.schema = proto;
    if (options.payload == FIRN_PAYLOAD_JSON && declared)
        options.schema =
            "id bigint, at timestamptz, tags array<string>, o struct<a int, b map<string, "
            "double>>";
    return options;
}

static void note_bad(void *ctx, const firn_kafka_message *message, const firn_err *why)
{
    (void)message;
    assert(why->code != FIRN_OK && why->message[0]);
    ++*(int64_t *)ctx;
}

static void look_at(firn_arena *arena, const firn_kafka_message *messages, size_t n)
{
    firn_kafka_message *plain = firn_arena_memdup(arena, messages, n * sizeof(*messages));
    for (size_t i = 0; i < n; i++)
        plain[i].handle = NULL; /* headers would be asked of Kafka */
    for (int key = 0; key < 2; key++) {
        firn_guess guess;
        assert(firn_guess_messages(registry, arena, plain, n, key, &guess, NULL) == FIRN_OK);
        assert(guess.seen <= n && guess.other <= guess.seen && !guess.framed);
        assert((guess.payload == FIRN_PAYLOAD_NONE) == (guess.seen == 0));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    reader r = {.arena = arena, .at = data, .end = data + size};
    start_registry();
    firn_decoder_options options = {.registry = registry, .headers = give_header};
    options.value = payload_of(next_byte(&r));
    options.key = payload_of(next_byte(&r));
    uint8_t flags = next_byte(&r);
    options.with_metadata = flags & 1;
    options.with_tombstones = flags & 2;
    options.chunk_bytes_max = flags & 4 ? 4096 : 1 << 20;
    firn_decoder *decoder;
    if (firn_decoder_new(&options, &decoder, NULL) != FIRN_OK)
        return 0;

    static firn_kafka_message messages[MESSAGES_MAX];
    size_t n = read_messages(&r, messages);
    look_at(arena, messages, n);
    int64_t bad = 0, rows = 0, passed = 0;
    for (size_t i = 0; i < n; i++)
        passed += !messages[i].value.data && !options.with_tombstones;
    for (size_t done = 0, taken; done < n; done += taken) {
        firn_rc rc =
            firn_decoder_add(decoder, messages + done, n - done, note_bad, &bad, &taken, NULL);
        assert(rc == FIRN_OK || rc == FIRN_E_LIMIT);
        assert(rc == FIRN_OK ? taken == n - done : firn_decoder_rows(decoder) > 0);
        if (rc != FIRN_OK || done + taken == n)
            rows += take(decoder);
    }
    assert(rows + bad + passed == (int64_t)n);
    firn_decoder_free(decoder);
    return 0;
}
