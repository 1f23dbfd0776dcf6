/* Feed files that an audit writes are feed files: whatever a topic is called and whatever went wrong with it. */
#include "ingest/audit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static firn_feed parsed(firn_arena *arena, const firn_audit *audit)
{
    const char *text = firn_audit_feed(arena, "shop", audit);
    firn_feed feed;
    firn_err err = {0};
    if (firn_feed_parse(arena, firn_bytes_str(text), "feed.yaml", "f", &feed, &err) != FIRN_OK) {
        fail_msg("%s\n%s", err.message, text);
    }
    return feed;
}

static void feed_files_parse(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_audit audit = {.topic = "Shop.Orders-v2",
                        .partitions = 1,
                        .records = 1234,
                        .value = {.payload = FIRN_PAYLOAD_AVRO, .schema_id = 7},
                        .key = {.payload = FIRN_PAYLOAD_STRING, .schema_id = -1}};
    firn_feed feed = parsed(arena, &audit);
    assert_string_equal(feed.source, "shop");
    assert_string_equal(feed.topics[0], "Shop.Orders-v2");
    assert_string_equal(feed.table, "bronze.shop_orders_v2");
    assert_int_equal(feed.value.payload, FIRN_PAYLOAD_AVRO);
    assert_int_equal(feed.key_payload.payload, FIRN_PAYLOAD_STRING);
    assert_string_equal(feed.kafka_column, "_kafka");
    audit.tombstones = 3;
    audit.problem = "two\nlines: [of \"trouble\"";
    audit.key.payload = FIRN_PAYLOAD_NONE;
    audit.value.payload = FIRN_PAYLOAD_JSON;
    firn_field fields[] = {
        {.id = 1, .name = "odd \"name\"", .type = &(firn_type){.id = FIRN_TYPE_STRING}}};
    audit.schema =
        &(firn_schema){.root = {.id = FIRN_TYPE_STRUCT, .fields = fields, .n_fields = 1}};
    feed = parsed(arena, &audit);
    assert_int_equal(feed.mode, FIRN_FEED_APPEND);
}

static void formats_are_told(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    assert_string_equal(
        firn_audit_format(
            arena, &(firn_guess){.payload = FIRN_PAYLOAD_AVRO, .schema_id = 7, .version = 3}),
        "avro v3 (id 7)");
    assert_string_equal(
        firn_audit_format(arena, &(firn_guess){.payload = FIRN_PAYLOAD_PROTOBUF, .schema_id = 7}),
        "protobuf (id 7)");
    assert_string_equal(
        firn_audit_format(arena, &(firn_guess){.payload = FIRN_PAYLOAD_JSON, .schema_id = -1}),
        "json");
    assert_string_equal(firn_audit_format(arena, &(firn_guess){.framed = true, .schema_id = 9}),
                        "registry (id 9)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(feed_files_parse),
        cmocka_unit_test(formats_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
