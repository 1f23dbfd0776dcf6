/* Messages into chunks: frames, schemas, keys, metadata, tombstones, and what is said of those that cannot be decoded. */
#include "source/decode.h"

#include "../net/scripted_server.h"
#include "arrow_text.h"
#include "format/avro_codec.h"

typedef struct fixture {
    firn_arena *arena;
    firn_registry *registry;
    firn_decoder *decoder;
    firn_buf bad; /* "offset CODE message\n" */
    int64_t next_offset;
    size_t taken;
    firn_err err;
    firn_chunk *chunks;
    size_t n_chunks;
    firn_buf text;
} fixture;

/* Messages of these tests carry their headers at their handle. */
typedef struct headers {
    firn_kafka_header *items;
    size_t n;
} headers;

static firn_rc give_headers(const firn_kafka_message *message, firn_arena *arena,
                            firn_kafka_header **out, size_t *n, firn_err *err)
{
    (void)arena, (void)err;
    const headers *h = message->handle;
    *out = h->items;
    *n = h->n;
    return FIRN_OK;
}

static void begin(fixture *f, firn_decoder_options options, const char *url)
{
    *f = (fixture){.arena = firn_arena_new()};
    if (url) {
        firn_registry_options registry = {.url = url, .pause_ms_max = 1};
        assert_int_equal(firn_registry_new(&registry, &f->registry, NULL), FIRN_OK);
        options.registry = f->registry;
    }
    options.headers = give_headers;
    firn_rc rc = firn_decoder_new(&options, &f->decoder, &f->err);
    if (rc != FIRN_OK)
        fail_msg("%s", f->err.message);
}

static void end(fixture *f)
{
    firn_chunks_free(f->chunks, f->n_chunks);
    firn_decoder_free(f->decoder);
    firn_registry_free(f->registry);
    firn_buf_deinit(&f->bad);
    firn_buf_deinit(&f->text);
    firn_arena_free(f->arena);
}

#define OPTIONS(...) ((firn_decoder_options){__VA_ARGS__})

static void note_bad(void *ctx, const firn_kafka_message *message, const firn_err *why)
{
    fixture *f = ctx;
    firn_buf_printf(&f->bad, "%lld %s %s\n", (long long)message->offset, firn_rc_name(why->code),
                    why->message);
}

/* What every test knows of a message: NULL is null. */
typedef struct sent {
    firn_bytes key, value;
    headers *headers;
    int64_t timestamp_ms;
} sent;

static firn_rc add(fixture *f, sent s)
{
    firn_kafka_message message = {
        .topic = "shop",
        .partition = 3,
        .offset = f->next_offset++,
        .timestamp_ms = s.timestamp_ms,
        .key = s.key,
        .value = s.value,
        .handle = s.headers,
    };
    return firn_decoder_add(f->decoder, &message, 1, note_bad, f, &f->taken, &f->err);
}

#define B(text)            firn_bytes_of(text, sizeof(text) - 1)
#define ADD(f, ...)        assert_int_equal(add((f), (sent){__VA_ARGS__}), FIRN_OK)
#define ADD_VALUE(f, text) ADD((f), .value = B(text))

static const char *bad(fixture *f)
{
    return firn_buf_cstr(&f->bad);
}

static void take(fixture *f)
{
    firn_chunks_free(f->chunks, f->n_chunks);
    firn_decoder_take(f->decoder, &f->chunks, &f->n_chunks);
}

static const char *row_text(fixture *f, size_t chunk, int64_t row)
{
    firn_buf_clear(&f->text);
    assert_true(chunk < f->n_chunks && row < f->chunks[chunk].rows);
    arrow_put(&f->text, &f->chunks[chunk].schema, &f->chunks[chunk].array, row);
    return firn_buf_cstr(&f->text);
}

static const char *columns_text(fixture *f, size_t chunk)
{
    firn_buf_clear(&f->text);
    assert_true(chunk < f->n_chunks);
    arrow_put_columns(&f->text, &f->chunks[chunk].schema);
    return firn_buf_cstr(&f->text);
}

/* ---- string, bytes, raw Avro ------------------------------------------------------------------ */

static void strings_are_one_column(void **state)
{
    (void)state;
    fixture f;
    begin(&f, OPTIONS(.value.payload = FIRN_PAYLOAD_STRING), NULL);
    ADD_VALUE(&f, "one");
    ADD_VALUE(&f, "");
    ADD_VALUE(&f, "\xff");
    assert_string_equal(bad(&f), "2 CORRUPT the text is not valid UTF-8\n");
    assert_int_equal(firn_decoder_rows(f.decoder), 2);
    take(&f);
    assert_int_equal(f.n_chunks, 1);
    assert_string_equal(columns_text(&f, 0), "value:u!");
    assert_string_equal(row_text(&f, 0, 0), "{\"value\": \"one\"}");
    assert_string_equal(row_text(&f, 0, 1), "{\"value\": \"\"}");
    assert_true(f.chunks[0].schema_is_new);
    assert_null(f.chunks[0].subject);
    end(&f);
}

static void bytes_are_taken_as_they_are(void **state)
{
    (void)state;
    fixture f;
    begin(&f, OPTIONS(.value.payload = FIRN_PAYLOAD_BYTES), NULL);
    ADD_VALUE(&f, "\0\xff");
    take(&f);
    assert_string_equal(columns_text(&f, 0), "value:z!");
    assert_string_equal(row_text(&f, 0, 0), "{\"value\": x'00ff'}");
    end(&f);
}

#define ORDER                                                                                           \
    "{\"type\": \"record\", \"name\": \"Order\", \"fields\": [{\"name\": \"id\", \"type\": \"long\"}, " \
    "{\"name\": \"name\", \"type\": [\"null\", \"string\"]}]}"

static void raw_avro_has_a_declared_schema(void **state)
{
    (void)state;
    fixture f;
    begin(&f, OPTIONS(.value = {.payload = FIRN_PAYLOAD_AVRO_RAW, .schema = ORDER}), NULL);
    ADD_VALUE(&f, "\x02\x02\x02x");
    ADD_VALUE(&f, "\x04\x00");
    ADD_VALUE(&f, "\x04\x00\x00");
    ADD_VALUE(&f, "\x04");
    assert_string_equal(bad(&f),
                        "2 CORRUPT Avro record: Order: bytes are left after the last record\n"
                        "3 CORRUPT 1 bytes cannot hold 1 Avro records of type Order\n");
    take(&f);
    assert_string_equal(columns_text(&f, 0), "id:l! name:u");
    assert_string_equal(row_text(&f, 0, 0), "{\"id\": 1, \"name\": \"x\"}");
    assert_string_equal(row_text(&f, 0, 1), "{\"id\": 2, \"name\": null}");
    end(&f);
}

static void wrong_declarations_are_told_at_once(void **state)
{
    (void)state;
    static const firn_payload_options bad_ones[] = {
        {.payload = FIRN_PAYLOAD_AVRO},
        {.payload = FIRN_PAYLOAD_AVRO_RAW},
        {.payload = FIRN_PAYLOAD_AVRO_RAW, .schema = "{}"},
        {.payload = FIRN_PAYLOAD_NONE},
    };
    for (size_t i = 0; i < sizeof bad_ones / sizeof *bad_ones; i++) {
        firn_decoder *decoder;
        firn_err err;
        assert_int_equal(firn_decoder_new(&OPTIONS(.value = bad_ones[i]), &decoder, &err),
                         FIRN_E_CONFIG);
    }
}

/* ---- the registry's frame --------------------------------------------------------------------- */

#define REPLY(text) "{\"schema\": \"" text "\"}"
#define ORDER_FIELDS(more)                                                                                                                         \
    REPLY(                                                                                                                                         \
        "{\\\"type\\\": \\\"record\\\", \\\"name\\\": \\\"Order\\\", \\\"fields\\\": [{\\\"name\\\": \\\"id\\\", \\\"type\\\": \\\"long\\\"}" more \
        "]}")
#define V1 ORDER_FIELDS("")
#define V2 ORDER_FIELDS(", {\\\"name\\\": \\\"note\\\", \\\"type\\\": \\\"string\\\"}")

static void each_schema_has_its_chunk(void **state)
{
    (void)state;
    scripted_server server;
    SCRIPT(&server, {.request = "GET /schemas/ids/1", .reply = V1},
           {.request = "GET /schemas/ids/2", .reply = V2});
    fixture f;
    begin(&f, OPTIONS(.value.payload = FIRN_PAYLOAD_AVRO), server.url);
    ADD_VALUE(&f, "\0\0\0\0\x01\x02");
    ADD_VALUE(&f, "\0\0\0\0\x02\x04\x02!");
    ADD_VALUE(&f, "\0\0\0\0\x01\x06");
    assert_string_equal(bad(&f), "");
    take(&f);
    assert_int_equal(f.n_chunks, 2);
    assert_string_equal(f.chunks[0].subject, "schema id 1");
    assert_int_equal(f.chunks[0].rows, 2);
    assert_string_equal(row_text(&f, 0, 1), "{\"id\": 3}");
    assert_string_equal(row_text(&f, 1, 0), "{\"id\": 2, \"note\": \"!\"}");
    assert_int_equal(firn_decoder_bytes(f.decoder), 0);

    ADD_VALUE(&f, "\0\0\0\0\x02\x04\x02!");
    take(&f);
    assert_int_equal(f.n_chunks, 1);
    assert_false(f.chunks[0].schema_is_new);
    scripted_end(&server);
    end(&f);
}

static void frames_may_be_wrong_in_many_ways(void **state)
{
    (void)state;
    scripted_server server;
    SCRIPT(&server, {.request = "GET /schemas/ids/1", .reply = V1},
           {.request = "GET /schemas/ids/5",
            .status = 404,
            .reply = "{\"error_code\": 40403, \"message\": \"no\"}"},
           {.request = "GET /schemas/ids/6",
            .reply = "{\"schema\": \"{}\", \"schemaType\": \"JSON\"}"});
    fixture f;
    begin(&f, OPTIONS(.value.payload = FIRN_PAYLOAD_AVRO), server.url);
    ADD_VALUE(&f, "");
    ADD_VALUE(&f, "{\"a\": 1}");
    ADD_VALUE(&f, "\0\0\0\0");
    ADD_VALUE(&f, "\x01\0\0\0\x01");
    ADD_VALUE(&f, "\0\0\0\0\x01");
    ADD_VALUE(&f, "\0\0\0\0\x05\x02");
    ADD_VALUE(&f, "\0\0\0\0\x05\x02");
    ADD_VALUE(&f, "\0\0\0\0\x06{}");
    assert_string_equal(
        bad(&f),
        "0 CORRUPT the payload is empty\n"
        "1 CORRUPT the payload begins with byte 0x7B ('{'), not with the magic byte 0 or 1 before a "
        "schema's id: it was not written by a registry's serializer\n"
        "2 CORRUPT the payload is cut off within the schema's id (4 bytes)\n"
        "3 CORRUPT the payload is cut off within the schema's id (5 bytes)\n"
        "4 CORRUPT schema id 1: 0 bytes cannot hold 1 Avro records of type Order\n"
        "5 NOT_FOUND the schema registry has no schema with id 5 (HTTP 404: no)\n"
        "6 NOT_FOUND the schema registry has no schema with id 5\n"
        "7 TYPE schema id 6 is JSON Schema, but the feed's format says avro\n");
    assert_int_equal(firn_decoder_rows(f.decoder), 0);
    take(&f);
    assert_int_equal(f.n_chunks, 0);
    scripted_end(&server);
    end(&f);
}

static void a_schema_that_cannot_be_used_is_read_once(void **state)
{
    (void)state;
    scripted_server server;
    SCRIPT(
        &server,
        {.request = "GET /schemas/ids/1",
         .reply = ORDER_FIELDS(", {\\\"name\\\": \\\"next\\\", \\\"type\\\": [\\\"null\\\", "
                               "\\\"Order\\\"]}")},
        {.request = "GET /schemas/ids/2",
         .reply = ORDER_FIELDS(
             ", {\\\"name\\\": \\\"inner\\\", \\\"type\\\": {\\\"type\\\": \\\"record\\\", "
             "\\\"name\\\": \\\"I\\\", \\\"fields\\\": [{\\\"name\\\": \\\"big\\\", \\\"type\\\": "
             "{\\\"type\\\": \\\"bytes\\\", \\\"logicalType\\\": \\\"decimal\\\", "
             "\\\"precision\\\": 40, \\\"scale\\\": 2}}]}}")},
        {.request = "GET /schemas/ids/3", .reply = REPLY("{")});
    fixture f;
    begin(&f, OPTIONS(.value.payload = FIRN_PAYLOAD_AVRO), server.url);
    ADD_VALUE(&f, "\0\0\0\0\x01\x02");
    ADD_VALUE(&f, "\0\0\0\0\x01\x02");
    ADD_VALUE(&f, "\0\0\0\0\x02\x02");
    ADD_VALUE(&f, "\0\0\0\0\x03\x02");
    assert_non_null(strstr(bad(&f), "0 UNSUPPORTED schema id 1: Avro type Order contains itself"));
    assert_non_null(strstr(bad(&f), "1 UNSUPPORTED schema id 1: Avro type Order contains itself"));
    assert_non_null(
        strstr(bad(&f), "2 UNSUPPORTED schema id 2: column inner.big is decimal(40, 2)"));
    assert_non_null(strstr(bad(&f), "3 CORRUPT schema id 3"));
    scripted_end(&server);
    end(&f);
}

static void a_registry_out_of_reach_loses_nothing(void **state)
{
    (void)state;
    scripted_server server;
    SCRIPT(&server, {.request = "GET /schemas/ids/1", .reply = V1},
           {.request = "GET /schemas/ids/2", .status = 500},
           {.request = "GET /schemas/ids/2", .reply = V2});
    fixture f;
    begin(&f, OPTIONS(.value.payload = FIRN_PAYLOAD_AVRO), server.url);
    firn_kafka_message m[] = {
        {.topic = "t", .offset = 0, .value = B("\0\0\0\0\x01\x02")},
        {.topic = "t", .offset = 1, .value = B("junk")},
        {.topic = "t", .offset = 2, .value = B("\0\0\0\0\x02\x02\x02!")},
        {.topic = "t", .offset = 3, .value = B("\0\0\0\0\x01\x02")},
    };
    assert_int_equal(firn_decoder_add(f.decoder, m, 4, note_bad, &f, &f.taken, &f.err),
                     FIRN_E_UNAVAILABLE);
    assert_int_equal(f.taken, 2);
    usleep(5000);
    assert_int_equal(firn_decoder_add(f.decoder, m + 2, 2, note_bad, &f, &f.taken, &f.err),
                     FIRN_OK);
    assert_int_equal(f.taken, 2);
    assert_int_equal(firn_decoder_rows(f.decoder), 3);
    assert_ptr_equal(strstr(bad(&f), "1 CORRUPT"), bad(&f));
    scripted_end(&server);
    end(&f);
}

static void a_guid_names_a_schema_too(void **state)
{
    (void)state;
    scripted_server server;
    SCRIPT(&server,
           {.request = "GET /schemas/guids/30313233-3435-3637-3839-616263646566", .reply = V1});
    fixture f;
    begin(&f, OPTIONS(.value.payload = FIRN_PAYLOAD_AVRO), server.url);
    ADD_VALUE(&f, "\x01"
                  "0123456789abcdef\x02");
    ADD(&f, .value = B("\x04"),
        .headers = &(headers){(firn_kafka_header[]){{"x", B("y")},
                                                    {"__value_schema_id", B("\x01"
                                                                            "0123456789abcdef")}},
                              2});
    ADD(&f, .value = B("\x04"),
        .headers = &(headers){(firn_kafka_header[]){{"__value_schema_id", B("\x02")}}, 1});
    assert_non_null(
        strstr(bad(&f), "2 CORRUPT the header with the schema's id begins with byte 0x02"));
    take(&f);
    assert_int_equal(f.n_chunks, 1);
    assert_int_equal(f.chunks[0].rows, 2);
    assert_string_equal(row_text(&f, 0, 1), "{\"id\": 2}");
    scripted_end(&server);
    end(&f);
}

static void types_that_are_no_records_are_one_column(void **state)
{
    (void)state;
    scripted_server server;
    SCRIPT(&server, {.request = "GET /schemas/ids/1", .reply = REPLY("\\\"long\\\"")},
           {.request = "GET /schemas/ids/2",
            .reply = "{\"schema\": \"[\\\"null\\\", \\\"shop.Order\\\", \\\"string\\\"]\", "
                     "\"references\": [{\"name\": \"shop.Order\", \"subject\": \"order\", "
                     "\"version\": 1}]}"},
           {.request = "GET /subjects/order/versions/1?deleted=true",
            .reply =
                "{\"schema\": \"{\\\"type\\\": \\\"record\\\", \\\"namespace\\\": \\\"shop\\\", "
                "\\\"name\\\": \\\"Order\\\", \\\"fields\\\": [{\\\"name\\\": \\\"id\\\", "
                "\\\"type\\\": \\\"long\\\"}]}\"}"});
    fixture f;
    begin(&f, OPTIONS(.value.payload = FIRN_PAYLOAD_AVRO), server.url);
    ADD_VALUE(&f, "\0\0\0\0\x01\x0e");
    ADD_VALUE(&f, "\0\0\0\0\x02\x02\x0e");
    ADD_VALUE(&f, "\0\0\0\0\x02\x04\x02!");
    assert_string_equal(bad(&f), "");
    take(&f);
    assert_string_equal(columns_text(&f, 0), "value:l!");
    assert_string_equal(row_text(&f, 0, 0), "{\"value\": 7}");
    assert_string_equal(columns_text(&f, 1), "value:+s(tag:i! Order:+s(id:l!) string:u)");
    assert_string_equal(row_text(&f, 1, 0),
                        "{\"value\": {\"tag\": 0, \"Order\": {\"id\": 7}, \"string\": null}}");
    assert_string_equal(row_text(&f, 1, 1),
                        "{\"value\": {\"tag\": 1, \"Order\": null, \"string\": \"!\"}}");
    scripted_end(&server);
    end(&f);
}

/* ---- keys, metadata, tombstones --------------------------------------------------------------- */

static void keys_become_a_column(void **state)
{
    (void)state;
    fixture f;
    begin(&f, OPTIONS(.value.payload = FIRN_PAYLOAD_STRING, .key.payload = FIRN_PAYLOAD_STRING),
          NULL);
    ADD(&f, .key = B("k"), .value = B("v"));
    ADD(&f, .value = B("w"));
    ADD(&f, .key = B("\xff"), .value = B("v"));
    ADD(&f, .key = B("good"), .value = B("\xff"));
    ADD(&f, .key = B("l"), .value = B("x"));
    assert_string_equal(bad(&f), "2 CORRUPT key: the text is not valid UTF-8\n"
                                 "3 CORRUPT the text is not valid UTF-8\n");
    take(&f);
    assert_int_equal(f.n_chunks, 1);
    assert_string_equal(columns_text(&f, 0), "value:u! _key:u");
    assert_string_equal(row_text(&f, 0, 0), "{\"value\": \"v\", \"_key\": \"k\"}");
    assert_string_equal(row_text(&f, 0, 1), "{\"value\": \"w\", \"_key\": null}");
    assert_string_equal(row_text(&f, 0, 2), "{\"value\": \"x\", \"_key\": \"l\"}");
    end(&f);
}

static void a_key_of_several_fields_is_a_struct(void **state)
{
    (void)state;
    fixture f;
    begin(&f,
          OPTIONS(.value.payload = FIRN_PAYLOAD_STRING,
                  .key = {.payload = FIRN_PAYLOAD_AVRO_RAW, .schema = ORDER}),
          NULL);
    ADD(&f, .value = B("v"));
    ADD(&f, .key = B("\x02\x00"), .value = B("w"));
    take(&f);
    assert_string_equal(columns_text(&f, 0), "value:u! _key:+s(id:l! name:u)");
    assert_string_equal(row_text(&f, 0, 0), "{\"value\": \"v\", \"_key\": null}");
    assert_string_equal(row_text(&f, 0, 1),
                        "{\"value\": \"w\", \"_key\": {\"id\": 1, \"name\": null}}");
    end(&f);
}

static void where_a_record_stood_is_a_column(void **state)
{
    (void)state;
    fixture f;
    begin(&f, OPTIONS(.value.payload = FIRN_PAYLOAD_STRING, .with_metadata = true), NULL);
    ADD(&f, .value = B("v"), .timestamp_ms = 1700000000000);
    ADD(&f, .value = B("w"), .timestamp_ms = -1,
        .headers = &(headers){(firn_kafka_header[]){{"a", B("1")}, {"b", {0}}, {"a", B("")}}, 3});
    ADD(&f, .value = B("x"), .timestamp_ms = -1);
    ADD(&f, .value = B("w"), .headers = &(headers){(firn_kafka_header[]){{"\xff", {0}}}, 1});
    assert_non_null(strstr(bad(&f), "3 CORRUPT the headers: Avro record: field \"headers\""));
    take(&f);
    assert_string_equal(columns_text(&f, 0),
                        "value:u! _kafka:+s(topic:u! partition:i! offset:l! timestamp:tsm:UTC "
                        "headers:+m(entries:+s(key:u! value:z)!))");
    assert_string_equal(row_text(&f, 0, 0),
                        "{\"value\": \"v\", \"_kafka\": {\"topic\": \"shop\", \"partition\": 3, "
                        "\"offset\": 0, \"timestamp\": 1700000000000, \"headers\": null}}");
    assert_string_equal(row_text(&f, 0, 1),
                        "{\"value\": \"w\", \"_kafka\": {\"topic\": \"shop\", \"partition\": 3, "
                        "\"offset\": 1, \"timestamp\": null, \"headers\": [{\"key\": \"b\", "
                        "\"value\": null}, {\"key\": \"a\", \"value\": x''}]}}");
    assert_string_equal(row_text(&f, 0, 2),
                        "{\"value\": \"x\", \"_kafka\": {\"topic\": \"shop\", \"partition\": 3, "
                        "\"offset\": 2, \"timestamp\": null, \"headers\": null}}");
    end(&f);
}

static void tombstones_are_rows_when_wanted(void **state)
{
    (void)state;
    scripted_server server;
    SCRIPT(&server, {.request = "GET /schemas/ids/1", .reply = V1});
    fixture f;
    begin(&f,
          OPTIONS(.value.payload = FIRN_PAYLOAD_AVRO, .key.payload = FIRN_PAYLOAD_STRING,
                  .with_tombstones = true),
          server.url);
    ADD(&f, .key = B("before"));
    ADD(&f, .key = B("a"), .value = B("\0\0\0\0\x01\x02"));
    ADD(&f, .key = B("a"));
    ADD(&f, .key = B("b"), .value = B("\0\0\0\0\x01\x04"));
    take(&f);
    assert_int_equal(f.n_chunks, 2);
    assert_string_equal(columns_text(&f, 0), "_key:u");
    assert_string_equal(row_text(&f, 0, 0), "{\"_key\": \"before\"}");
    assert_string_equal(columns_text(&f, 1), "id:l _key:u");
    assert_string_equal(row_text(&f, 1, 0), "{\"id\": 1, \"_key\": \"a\"}");
    assert_string_equal(row_text(&f, 1, 1), "{\"id\": null, \"_key\": \"a\"}");
    assert_string_equal(row_text(&f, 1, 2), "{\"id\": 2, \"_key\": \"b\"}");
    assert_int_equal(f.chunks[1].array.children[0]->null_count, 1);
    scripted_end(&server);
    end(&f);
}

static void tombstones_are_passed_over_when_not(void **state)
{
    (void)state;
    fixture f;
    begin(&f, OPTIONS(.value.payload = FIRN_PAYLOAD_STRING), NULL);
    ADD(&f, .key = B("a"));
    assert_int_equal(f.taken, 1);
    assert_int_equal(firn_decoder_rows(f.decoder), 0);
    assert_string_equal(bad(&f), "");
    end(&f);
}

/* ---- JSON ------------------------------------------------------------------------------------- */

static void declared_columns_take_what_they_name(void **state)
{
    (void)state;
    fixture f;
    begin(&f,
          OPTIONS(.value = {.payload = FIRN_PAYLOAD_JSON,
                            .schema = "id bigint not null, at timestamptz, u uuid"}),
          NULL);
    ADD_VALUE(&f, "{\"id\": 1, \"at\": \"1970-01-01T00:00:01Z\", \"more\": 5}");
    ADD_VALUE(&f, "{\"id\": \"x\"}");
    ADD_VALUE(&f, "{\"at\": null}");
    ADD_VALUE(&f, "{\"id\": 2");
    assert_non_null(strstr(bad(&f), "1 TYPE"));
    assert_non_null(strstr(bad(&f), "2 TYPE"));
    assert_non_null(strstr(bad(&f), "3 CORRUPT"));
    take(&f);
    assert_string_equal(columns_text(&f, 0), "id:l! at:tsu:UTC u:u");
    assert_string_equal(row_text(&f, 0, 0), "{\"id\": 1, \"at\": 1000000, \"u\": null}");
    assert_int_equal(f.chunks[0].rows, 1);
    end(&f);
}

static void a_declared_json_schema(void **state)
{
    (void)state;
    fixture f;
    begin(&f,
          OPTIONS(.value = {.payload = FIRN_PAYLOAD_JSON,
                            .schema = " {\"type\": \"object\", \"properties\": {\"id\": "
                                      "{\"type\": \"integer\"}}, \"required\": [\"id\"]}"}),
          NULL);
    ADD_VALUE(&f, "{\"id\": 1}");
    take(&f);
    assert_string_equal(columns_text(&f, 0), "id:l!");
    end(&f);
}

static void the_first_call_teaches_the_schema(void **state)
{
    (void)state;
    fixture f;
    begin(&f, OPTIONS(.value.payload = FIRN_PAYLOAD_JSON), NULL);
    const firn_kafka_message m[] = {
        {.topic = "t", .offset = 0, .value = B("{\"id\": 1}")},
        {.topic = "t", .offset = 1, .value = B("junk")},
        {.topic = "t", .offset = 2, .value = B("{\"id\": 2.5, \"o\": {\"a\": true}}")},
    };
    assert_int_equal(firn_decoder_add(f.decoder, m, 3, note_bad, &f, &f.taken, &f.err), FIRN_OK);
    assert_ptr_equal(strstr(bad(&f), "1 CORRUPT"), bad(&f));
    take(&f);
    assert_int_equal(f.n_chunks, 1);
    assert_string_equal(columns_text(&f, 0), "id:g o:+s(a:b)");
    assert_string_equal(row_text(&f, 0, 0), "{\"id\": 1, \"o\": null}");
    end(&f);
}

static void new_members_become_columns_and_old_ones_stay(void **state)
{
    (void)state;
    fixture f;
    begin(&f, OPTIONS(.value.payload = FIRN_PAYLOAD_JSON, .with_tombstones = true), NULL);
    ADD_VALUE(&f, "{\"id\": 1, \"o\": {\"a\": 1}}");
    ADD_VALUE(&f, "{\"id\": 2, \"o\": {\"b\": \"x\"}, \"l\": [{\"n\": 1}]}");
    ADD_VALUE(&f, "{\"ID\": 3, \"l\": [{\"m\": 1.5}], \"nothing\": null}");
    ADD_VALUE(&f, "{\"id\": \"three\", \"new\": 1}");
    ADD(&f, .key = B("tombstone"));
    assert_ptr_equal(strstr(bad(&f), "3 TYPE"), bad(&f));
    take(&f);
    assert_int_equal(f.n_chunks, 3);
    assert_string_equal(columns_text(&f, 0), "id:l o:+s(a:l)");
    assert_string_equal(columns_text(&f, 1), "id:l o:+s(a:l b:u) l:+l(element:+s(n:l))");
    assert_string_equal(columns_text(&f, 2), "id:l o:+s(a:l b:u) l:+l(element:+s(n:l m:g))");
    assert_string_equal(row_text(&f, 2, 0),
                        "{\"id\": 3, \"o\": null, \"l\": [{\"n\": null, \"m\": 1.5}]}");
    assert_int_equal(f.chunks[2].rows, 2);

    ADD_VALUE(&f, "{\"id\": 4, \"o\": {\"a\": 1, \"b\": null}}");
    take(&f);
    assert_int_equal(f.n_chunks, 1);
    assert_false(f.chunks[0].schema_is_new);
    end(&f);
}

static void known_columns_are_not_learned_anew(void **state)
{
    (void)state;
    fixture f;
    begin(&f,
          OPTIONS(.value = {.payload = FIRN_PAYLOAD_JSON, .known = "price double, note string"}),
          NULL);
    ADD_VALUE(&f, "{\"price\": 1, \"note\": 5, \"qty\": 2}");
    assert_string_equal(bad(&f), "");
    take(&f);
    assert_string_equal(columns_text(&f, 0), "price:g note:u qty:l");
    assert_string_equal(row_text(&f, 0, 0), "{\"price\": 1, \"note\": \"5\", \"qty\": 2}");
    end(&f);
}

static void learned_schemas_are_bounded(void **state)
{
    (void)state;
    enum { FIRST = 800, MOST = 1000 };
    fixture f;
    begin(&f, OPTIONS(.value.payload = FIRN_PAYLOAD_JSON), NULL);
    FIRN_AUTO_BUF firn_buf first = {0};
    firn_buf_putc(&first, '{');
    for (int i = 0; i < FIRST; i++)
        firn_buf_printf(&first, "%s\"m%d\": 1", i > 0 ? "," : "", i);
    firn_buf_putc(&first, '}');
    ADD(&f, .value = firn_buf_bytes(&first));
    int times_full = 0;
    for (int i = FIRST; i < MOST + 10;) {
        char text[64];
        snprintf(text, sizeof text, "{\"m%d\": 1}", i);
        firn_kafka_message m = {.topic = "t", .offset = i, .value = firn_bytes_str(text)};
        firn_rc rc = firn_decoder_add(f.decoder, &m, 1, note_bad, &f, &f.taken, &f.err);
        i += (int)f.taken;
        if (rc != FIRN_OK) {
            assert_int_equal(rc, FIRN_E_LIMIT);
            take(&f);
            assert_true(f.n_chunks > 32);
            times_full++;
        }
    }
    assert_true(times_full >= 2);
    const char *want = "1000 LIMIT JSON documents with more than 1000";
    assert_memory_equal(bad(&f), want, strlen(want));
    end(&f);
}

static void auto_looks_at_each_message(void **state)
{
    (void)state;
    scripted_server server;
    SCRIPT(&server, {.request = "GET /schemas/ids/1", .reply = V1},
           {.request = "GET /schemas/ids/2",
            .reply = "{\"schemaType\": \"JSON\", \"schema\": \"{\\\"type\\\": "
                     "\\\"object\\\", \\\"properties\\\": {\\\"a\\\": {\\\"type\\\": "
                     "\\\"boolean\\\"}}}\"}"});
    fixture f;
    begin(&f, OPTIONS(.value.payload = FIRN_PAYLOAD_AUTO, .key.payload = FIRN_PAYLOAD_AUTO),
          server.url);
    ADD(&f, .value = B("\0\0\0\0\x01\x02"));
    ADD(&f, .key = B("\0\0\0\0\x01\x02"), .value = B("\0\0\0\0\x02{\"a\": true}"));
    ADD(&f, .key = B("text"), .value = B("{\"b\": 1}"));
    assert_string_equal(bad(&f), "");
    take(&f);
    assert_int_equal(f.n_chunks, 3);
    assert_string_equal(row_text(&f, 0, 0), "{\"id\": 1}");
    assert_string_equal(row_text(&f, 1, 0), "{\"a\": true, \"_key\": {\"id\": 1}}");
    assert_string_equal(row_text(&f, 2, 0), "{\"b\": 1, \"_key\": \"text\"}");
    scripted_end(&server);
    end(&f);
}

/* ---- Protobuf --------------------------------------------------------------------------------- */

#define PROTO                                                                                    \
    "syntax = \\\"proto3\\\"; import \\\"common/money.proto\\\"; message Order { int64 id = 1; " \
    "Money price = 2; message Line { string sku = 1; } } message Other { bool b = 1; }"

static void protobuf_messages_are_found_by_their_path(void **state)
{
    (void)state;
    scripted_server server;
    SCRIPT(
        &server,
        {.request = "GET /schemas/ids/1",
         .reply = "{\"schemaType\": \"PROTOBUF\", \"schema\": \"" PROTO
                  "\", \"references\": [{\"name\": \"common/money.proto\", \"subject\": "
                  "\"money\", \"version\": 2}]}"},
        {.request = "GET /subjects/money/versions/2?deleted=true",
         .reply = "{\"schemaType\": \"PROTOBUF\", \"schema\": \"syntax = \\\"proto3\\\"; message "
                  "Money { int32 units = 1; }\"}"},
        {.request = "GET /schemas/guids/30313233-3435-3637-3839-616263646566",
         .reply = "{\"schemaType\": \"PROTOBUF\", \"schema\": \"syntax = \\\"proto3\\\"; message M "
                  "{ int32 a = 1; } message N { string n = 1; }\"}"},
        {.request = "GET /schemas/ids/2",
         .reply = "{\"schemaType\": \"PROTOBUF\", \"schema\": \"mess age\"}"});
    fixture f;
    begin(&f, OPTIONS(.value.payload = FIRN_PAYLOAD_PROTOBUF), server.url);
    ADD_VALUE(&f, "\0\0\0\0\x01\x00\x08\x07\x12\x02\x08\x05"); /* [0], for short */
    ADD_VALUE(&f, "\0\0\0\0\x01\x02\x00\x08\x08");             /* [0] */
    ADD_VALUE(&f, "\0\0\0\0\x01\x04\x00\x00\x0a\x01x");        /* [0, 0] */
    ADD_VALUE(&f, "\0\0\0\0\x01\x02\x02\x08\x01");             /* [1] */
    ADD(&f, .value = B("\x0a\x01y"),
        .headers =
            &(headers){(firn_kafka_header[]){{"__value_schema_id", B("\x01"
                                                                     "0123456789abcdef\x02\x02")}},
                       1});
    ADD_VALUE(&f, "\0\0\0\0\x01\x02\x04\x08\x01"); /* [2]: there is none */
    ADD_VALUE(&f, "\0\0\0\0\x01\x7f");             /* no path */
    ADD_VALUE(&f, "\0\0\0\0\x02\x00");             /* no schema */
    ADD_VALUE(&f, "\0\0\0\0\x01\x00\x08");         /* no message */
    assert_non_null(strstr(bad(&f), "5 NOT_FOUND schema id 1"));
    assert_non_null(strstr(bad(&f), "6 CORRUPT schema id 1: the path"));
    assert_non_null(strstr(bad(&f), "7 SYNTAX schema id 2"));
    assert_non_null(strstr(bad(&f), "8 CORRUPT schema id 1, message Order"));
    take(&f);
    assert_int_equal(f.n_chunks, 4);
    assert_string_equal(row_text(&f, 0, 0), "{\"id\": 7, \"price\": {\"units\": 5}}");
    assert_string_equal(row_text(&f, 0, 1), "{\"id\": 8, \"price\": null}");
    assert_string_equal(row_text(&f, 1, 0), "{\"sku\": \"x\"}");
    assert_string_equal(f.chunks[1].subject, "schema id 1, message Order.Line");
    assert_string_equal(row_text(&f, 2, 0), "{\"b\": true}");
    assert_string_equal(row_text(&f, 3, 0), "{\"n\": \"y\"}");
    scripted_end(&server);
    end(&f);
}

static void raw_protobuf_has_a_declared_schema(void **state)
{
    (void)state;
    fixture f;
    begin(&f,
          OPTIONS(.value = {.payload = FIRN_PAYLOAD_PROTOBUF_RAW,
                            .schema = "syntax = \"proto3\"; package p; message A { int32 a = 1; } "
                                      "message B { int32 b = 1; }",
                            .message = "p.B"}),
          NULL);
    ADD_VALUE(&f, "\x08\x01");
    ADD_VALUE(&f, "");
    take(&f);
    assert_string_equal(row_text(&f, 0, 0), "{\"b\": 1}");
    assert_string_equal(row_text(&f, 0, 1), "{\"b\": 0}");
    end(&f);
}

/* ---- bounds ----------------------------------------------------------------------------------- */

static void full_chunks_are_to_be_taken(void **state)
{
    (void)state;
    fixture f;
    begin(&f, OPTIONS(.value.payload = FIRN_PAYLOAD_BYTES, .chunk_bytes_max = 4096), NULL);
    static char large[5000], small[100];
    firn_kafka_message m[100];
    for (int i = 0; i < 100; i++) {
        m[i] = (firn_kafka_message){.topic = "t", .offset = i};
        m[i].value =
            i == 50 ? firn_bytes_of(large, sizeof large) : firn_bytes_of(small, sizeof small);
    }
    size_t done = 0;
    int64_t rows = 0;
    int takes = 0;
    while (done < 100) {
        firn_rc rc =
            firn_decoder_add(f.decoder, m + done, 100 - done, note_bad, &f, &f.taken, &f.err);
        assert_true(rc == FIRN_OK || rc == FIRN_E_LIMIT);
        assert_true(rc == FIRN_OK || firn_decoder_rows(f.decoder) > 0);
        assert_true(firn_decoder_bytes(f.decoder) <= 2 * 4096);
        done += f.taken;
        takes++;
        take(&f);
        for (size_t i = 0; i < f.n_chunks; i++)
            rows += f.chunks[i].rows;
    }
    assert_true(takes > 2);
    assert_int_equal(rows, 99);
    assert_non_null(strstr(bad(&f), "50 LIMIT"));
    end(&f);
}

/* ... and is counted by its rows, not by its room. */
static void a_chunk_begins_with_the_room_of_the_last(void **state)
{
    (void)state;
    enum { ROWS = 5000, VALUE_BYTES = 100 };
    fixture f;
    begin(&f, OPTIONS(.value.payload = FIRN_PAYLOAD_BYTES), NULL);
    static char value[VALUE_BYTES];
    static firn_kafka_message m[ROWS + ROWS / 20];
    size_t n = sizeof m / sizeof m[0];
    for (size_t i = 0; i < n; i++)
        m[i] = (firn_kafka_message){.topic = "t", .value = firn_bytes_of(value, sizeof value)};
    assert_int_equal(firn_decoder_add(f.decoder, m, ROWS, note_bad, &f, &f.taken, &f.err), FIRN_OK);
    size_t used = firn_decoder_used_bytes(f.decoder);
    assert_true(used >= ROWS * VALUE_BYTES && used < ROWS * (VALUE_BYTES + 8));
    take(&f);
    assert_int_equal(f.chunks[0].bytes, used);
    assert_int_equal(firn_decoder_used_bytes(f.decoder), 0);

    assert_int_equal(firn_decoder_add(f.decoder, m, 1, note_bad, &f, &f.taken, &f.err), FIRN_OK);
    size_t room = firn_decoder_bytes(f.decoder);
    assert_true(room > used && room < used + used / 8);
    assert_true(firn_decoder_used_bytes(f.decoder) < 1000);
    /* A few more than before fit, too: blocks end at a number of bytes, give or take a batch. */
    assert_int_equal(firn_decoder_add(f.decoder, m + 1, n - 1, note_bad, &f, &f.taken, &f.err),
                     FIRN_OK);
    assert_int_equal(firn_decoder_bytes(f.decoder), room);
    end(&f);
}

static void chunks_outlive_their_decoder(void **state)
{
    (void)state;
    fixture f;
    begin(&f,
          OPTIONS(.value = {.payload = FIRN_PAYLOAD_AVRO_RAW, .schema = ORDER},
                  .key.payload = FIRN_PAYLOAD_STRING, .with_metadata = true),
          NULL);
    ADD(&f, .key = B("k"), .value = B("\x02\x02\x02x"));
    take(&f);
    firn_decoder_free(f.decoder);
    f.decoder = NULL;
    assert_non_null(strstr(row_text(&f, 0, 0), "\"_key\": \"k\""));
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_one_column),
        cmocka_unit_test(bytes_are_taken_as_they_are),
        cmocka_unit_test(raw_avro_has_a_declared_schema),
        cmocka_unit_test(wrong_declarations_are_told_at_once),
        cmocka_unit_test(each_schema_has_its_chunk),
        cmocka_unit_test(frames_may_be_wrong_in_many_ways),
        cmocka_unit_test(a_schema_that_cannot_be_used_is_read_once),
        cmocka_unit_test(a_registry_out_of_reach_loses_nothing),
        cmocka_unit_test(a_guid_names_a_schema_too),
        cmocka_unit_test(types_that_are_no_records_are_one_column),
        cmocka_unit_test(keys_become_a_column),
        cmocka_unit_test(a_key_of_several_fields_is_a_struct),
        cmocka_unit_test(where_a_record_stood_is_a_column),
        cmocka_unit_test(tombstones_are_rows_when_wanted),
        cmocka_unit_test(tombstones_are_passed_over_when_not),
        cmocka_unit_test(declared_columns_take_what_they_name),
        cmocka_unit_test(a_declared_json_schema),
        cmocka_unit_test(the_first_call_teaches_the_schema),
        cmocka_unit_test(new_members_become_columns_and_old_ones_stay),
        cmocka_unit_test(known_columns_are_not_learned_anew),
        cmocka_unit_test(learned_schemas_are_bounded),
        cmocka_unit_test(auto_looks_at_each_message),
        cmocka_unit_test(protobuf_messages_are_found_by_their_path),
        cmocka_unit_test(raw_protobuf_has_a_declared_schema),
        cmocka_unit_test(full_chunks_are_to_be_taken),
        cmocka_unit_test(a_chunk_begins_with_the_room_of_the_last),
        cmocka_unit_test(chunks_outlive_their_decoder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
