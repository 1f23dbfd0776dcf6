/* JSON Schemas as records: the types, what makes a column nullable, references, choices, and what Kafka Connect adds. */
#include "format/json_columns.h"

#include "avro_util.h"

static void put_type(firn_buf *buf, const firn_avro_schema *schema);

static void put_fields(firn_buf *buf, const firn_avro_schema *schema)
{
    for (size_t i = 0; i < schema->field_count; i++) {
        firn_buf_printf(buf, "%s%s ", i > 0 ? ", " : "", schema->fields[i].name);
        put_type(buf, schema->fields[i].type);
    }
}

/* "?" for what may be null. */
static void put_type(firn_buf *buf, const firn_avro_schema *schema)
{
    static const char *const names[] = {
        [FIRN_AVRO_UUID] = "uuid",
        [FIRN_AVRO_DATE] = "date",
        [FIRN_AVRO_TIME_MILLIS] = "time_ms",
        [FIRN_AVRO_TIME_MICROS] = "time_us",
        [FIRN_AVRO_TIMESTAMP_MILLIS] = "timestamp_ms",
        [FIRN_AVRO_TIMESTAMP_MICROS] = "timestamp_us",
    };
    bool nullable;
    schema = firn_avro_schema_unwrap(schema, &nullable);
    if (schema->kind == FIRN_AVRO_RECORD) {
        firn_buf_putc(buf, '{');
        put_fields(buf, schema);
        firn_buf_putc(buf, '}');
    } else if (schema->kind == FIRN_AVRO_ARRAY || schema->kind == FIRN_AVRO_MAP) {
        firn_buf_puts(buf, schema->kind == FIRN_AVRO_ARRAY ? "[" : "<");
        put_type(buf, schema->items);
        firn_buf_puts(buf, schema->kind == FIRN_AVRO_ARRAY ? "]" : ">");
    } else if (schema->logical == FIRN_AVRO_DECIMAL) {
        firn_buf_printf(buf, "decimal(%d,%d)", schema->precision, schema->scale);
    } else {
        firn_buf_puts(buf, schema->logical ? names[schema->logical] : schema->name);
    }
    if (nullable)
        firn_buf_putc(buf, '?');
}

static const char *columns(firn_arena *arena, const char *schema,
                           const firn_json_schema_reference *references, size_t n)
{
    firn_err err = {0};
    const firn_avro_schema *avro;
    firn_json_decoder *decoder;
    assert_ok(firn_json_schema_avro(arena, json_of(arena, schema), references, n, &avro, &err),
              &err);
    assert_ok(firn_json_decoder_new(arena, avro, NULL, &decoder, &err), &err);
    FIRN_AUTO_BUF firn_buf buf = {0};
    put_fields(&buf, avro);
    return firn_arena_strdup(arena, firn_buf_cstr(&buf));
}

/* Of the one required property `x`. */
static const char *type_of(firn_arena *arena, const char *schema)
{
    const char *whole = firn_arena_printf(
        arena, "{'type': 'object', 'required': ['x'], 'properties': {'x': %s}}", schema);
    return columns(arena, whole, NULL, 0) + strlen("x ");
}

#define assert_type(schema, type) assert_string_equal(type_of(*state, schema), type)
#define assert_columns(schema, expected) \
    assert_string_equal(columns(*state, schema, NULL, 0), expected)

static void simple_types(void **state)
{
    assert_type("{'type': 'string'}", "string");
    assert_type("{'type': 'integer'}", "long");
    assert_type("{'type': 'integer', 'format': 'int32'}", "int");
    assert_type("{'type': 'integer', 'minimum': 0, 'maximum': 18446744073709551615}",
                "decimal(38,0)");
    assert_type("{'type': 'integer', 'maximum': 9223372036854775807}", "long");
    assert_type("{'type': 'number'}", "double");
    assert_type("{'type': 'number', 'format': 'float'}", "float");
    assert_type("{'type': 'boolean'}", "boolean");
    assert_type("{'type': 'string', 'format': 'date'}", "date");
    assert_type("{'type': 'string', 'format': 'date-time'}", "timestamp_us");
    assert_type("{'type': 'string', 'format': 'time'}", "time_us");
    assert_type("{'type': 'string', 'format': 'uuid'}", "uuid");
    assert_type("{'type': 'string', 'format': 'email'}", "string");
    assert_type("{'type': 'string', 'contentEncoding': 'base64'}", "bytes");
    assert_type("{'enum': ['a', 'b']}", "string");
    assert_type("{'enum': [1, 2, null]}", "long?");
    assert_type("{'enum': [1, 'a']}", "string");
    assert_type("{'const': 'v1'}", "string");
}

static void nested_types(void **state)
{
    assert_type("{'type': 'array', 'items': {'type': 'integer'}}", "[long]");
    assert_type("{'type': 'array', 'items': {'type': ['string', 'null']}}", "[string?]");
    assert_type("{'type': 'array'}", "string");
    assert_type("{'type': 'array', 'items': [{'type': 'integer'}, {'type': 'string'}]}", "string");
    assert_type("{'type': 'object', 'additionalProperties': {'type': 'number'}}", "<double>");
    assert_type("{'type': 'object'}", "string");
    assert_type("{'type': 'object', 'properties': {'a': {'type': 'string'}, 'b': {'properties': "
                "{'c': {'type': 'integer'}}}}, 'required': ['a']}",
                "{a string, b {c long?}?}");
    assert_type("true", "string");
}

static void nulls_and_choices(void **state)
{
    assert_type("{'type': ['null', 'integer']}", "long?");
    assert_type("{'type': ['integer', 'number']}", "double");
    assert_type("{'type': ['integer', 'string']}", "string");
    assert_type("{'type': 'integer', 'nullable': true}", "long?");
    assert_type("{'type': 'null'}", "string?");
    assert_type("{'oneOf': [{'type': 'null', 'title': 'Not included'}, {'type': 'integer'}]}",
                "long?");
    assert_type("{'anyOf': [{'type': 'string', 'format': 'date'}, {'type': 'null'}]}", "date?");
    assert_type("{'oneOf': [{'type': 'integer'}, {'type': 'string'}]}", "string");
    assert_type("{'type': 'string', 'oneOf': [{'minLength': 1}, {'pattern': 'x'}]}", "string");
    assert_columns("{'properties': {'a': {'type': 'integer'}, 'b': {'type': 'integer'}}, "
                   "'required': ['b']}",
                   "a long?, b long");
}

static void references_lead_to_their_schema(void **state)
{
    assert_columns("{'properties': {'a': {'$ref': '#/definitions/money'}, 'b': {'type': 'array', "
                   "'items': {'$ref': '#/$defs/a~1b'}}, 'c': {'$ref': '#here'}}, "
                   "'definitions': {'money': {'type': 'number'}}, "
                   "'$defs': {'a/b': {'type': 'string'}, 'z': {'$anchor': 'here', 'type': "
                   "'boolean'}}}",
                   "a double?, b [string]?, c boolean?");
    const firn_json_schema_reference others[] = {
        {"item.json",
         "{\"type\":\"object\",\"properties\":{\"sku\":{\"$ref\":\"#/definitions/s\"}},"
         "\"definitions\":{\"s\":{\"type\":\"string\"}}}"},
        {"types.json", "{\"definitions\":{\"id\":{\"type\":\"integer\"}}}"},
    };
    assert_string_equal(columns(*state,
                                "{'properties': {'a': {'$ref': 'item.json'}, "
                                "'b': {'$ref': 'types.json#/definitions/id'}}}",
                                others, 2),
                        "a {sku string?}?, b long?");
}

static void recursion_ends_in_text(void **state)
{
    assert_columns("{'properties': {'v': {'type': 'integer'}, 'next': {'$ref': '#'}}}",
                   "v long?, next string?");
    assert_columns(
        "{'properties': {'tree': {'$ref': '#/definitions/n'}}, 'definitions': {'n': "
        "{'type': 'object', 'properties': {'v': {'type': 'integer'}, 'sub': {'type': "
        "'array', 'items': {'oneOf': [{'type': 'null'}, {'$ref': '#/definitions/n'}]}}}}}}",
        "tree {v long?, sub [string?]?}?");
    assert_type("{'$ref': '#/properties/x'}", "string");
    assert_type("{'allOf': [{'$ref': '#/properties/x'}, {'$ref': '#/properties/x'}]}", "string");
}

static void all_of_is_merged(void **state)
{
    assert_columns("{'allOf': [{'$ref': '#/definitions/base'}, {'properties': {'b': {'type': "
                   "'string'}}, 'required': ['b', 'a']}], 'definitions': {'base': {'type': "
                   "'object', 'properties': {'a': {'type': 'integer'}}}}}",
                   "a long, b string");
}

#define CONNECT "org.apache.kafka.connect.data."

static void kafka_connect_says_more(void **state)
{
    assert_type("{'type': 'integer', 'connect.type': 'int8'}", "int");
    assert_type("{'type': 'integer', 'connect.type': 'int64'}", "long");
    assert_type("{'type': 'number', 'connect.type': 'float32'}", "float");
    assert_type("{'type': 'string', 'connect.type': 'bytes'}", "bytes");
    assert_type("{'type': 'integer', 'connect.type': 'int32', 'title': '" CONNECT "Date'}", "date");
    assert_type("{'type': 'integer', 'connect.type': 'int32', 'title': '" CONNECT "Time'}",
                "time_ms");
    assert_type("{'type': 'integer', 'connect.type': 'int64', 'title': '" CONNECT "Timestamp'}",
                "timestamp_ms");
    assert_type("{'type': 'number', 'connect.type': 'bytes', 'title': '" CONNECT
                "Decimal', 'connect.parameters': {'scale': '2', 'connect.decimal.precision': '9'}}",
                "decimal(9,2)");
    assert_type("{'type': 'object', 'connect.type': 'map', 'additionalProperties': {'oneOf': "
                "[{'type': 'null'}, {'type': 'integer', 'connect.type': 'int32'}]}}",
                "<int?>");
    assert_columns("{'type': 'object', 'title': 'R', 'properties': {'b': {'connect.index': 1, "
                   "'type': 'string'}, 'a': {'connect.index': 0, 'oneOf': [{'type': 'null'}, "
                   "{'type': 'integer', 'connect.type': 'int16'}]}}, 'required': ['a', 'b']}",
                   "a int?, b string");
}

/* -1.23 at scale 2: the bytes 0x85 in base64, or a number. */
static void connect_decimals_may_be_bytes(void **state)
{
    firn_err err = {0};
    const firn_avro_schema *schema;
    firn_json_decoder *decoder;
    const char *text = json_of(*state, "{'properties': {'d': {'type': 'number', 'title': '" CONNECT
                                       "Decimal', 'connect.type': 'bytes', 'connect.parameters': "
                                       "{'scale': '2'}}}}");
    assert_ok(firn_json_schema_avro(*state, text, NULL, 0, &schema, &err), &err);
    assert_ok(firn_json_decoder_new(*state, schema, NULL, &decoder, &err), &err);
    FIRN_AUTO_AVRO_BATCH firn_avro_batch *batch =
        firn_avro_batch_new(firn_json_decoder_shape(decoder));
    static const char *const documents[] = {"{\"d\":\"hQ==\"}", "{\"d\":-1.23}"};
    for (int i = 0; i < 2; i++) {
        assert_ok(
            firn_json_decoder_decode(decoder, firn_bytes_str(documents[i]), batch, NULL, &err),
            &err);
        __int128 value;
        memcpy(&value, firn_avro_batch_root(batch)->children[0].data + 16 * i, sizeof value);
        assert_true(value == -123);
    }
    static const char *const bad[] = {"{\"d\":\"\"}", "{\"d\":\"-1.23\"}",
                                      "{\"d\":\"f////////////////////w==\"}"};
    for (int i = 0; i < 3; i++)
        assert_int_equal(
            firn_json_decoder_decode(decoder, firn_bytes_str(bad[i]), batch, NULL, &err),
            FIRN_E_TYPE);
}

static void what_is_no_record_is_refused(void **state)
{
    firn_err err = {0};
    const firn_avro_schema *out;
    static const struct {
        const char *schema;
        firn_rc rc;
        const char *why;
    } bad[] = {
        {"{", FIRN_E_CORRUPT, "JSON Schema"},
        {"{'type': 'string'}", FIRN_E_UNSUPPORTED, "no object"},
        {"{'type': 'object'}", FIRN_E_UNSUPPORTED, "no object"},
        {"{'properties': {'a': {'$ref': '#/nowhere'}}}", FIRN_E_NOT_FOUND, "\"#/nowhere\""},
        {"{'properties': {'a': {'$ref': 'other.json'}}}", FIRN_E_NOT_FOUND, "\"other.json\""},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_fails(
            firn_json_schema_avro(*state, json_of(*state, bad[i].schema), NULL, 0, &out, &err),
            bad[i].rc, &err, bad[i].why);
    }
}

/* Each level refers to the next one ten times. */
static void expansion_is_bounded(void **state)
{
    firn_err err = {0};
    const firn_avro_schema *out;
    FIRN_AUTO_BUF firn_buf buf = {0};
    firn_buf_puts(&buf, "{\"$ref\":\"#/definitions/d0\",\"definitions\":{");
    for (int level = 0; level < 20; level++) {
        firn_buf_printf(&buf, "%s\"d%d\":{\"properties\":{", level > 0 ? "," : "", level);
        for (int i = 0; i < 10; i++)
            firn_buf_printf(&buf, "%s\"p%d\":{\"$ref\":\"#/definitions/d%d\"}", i > 0 ? "," : "", i,
                            level + 1);
        firn_buf_puts(&buf, "}}");
    }
    firn_buf_puts(&buf, ",\"d20\":{\"type\":\"string\"}}}");
    assert_fails(firn_json_schema_avro(*state, firn_buf_cstr(&buf), NULL, 0, &out, &err),
                 FIRN_E_LIMIT, &err, "parts");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        arena_test(simple_types),
        arena_test(nested_types),
        arena_test(nulls_and_choices),
        arena_test(references_lead_to_their_schema),
        arena_test(recursion_ends_in_text),
        arena_test(all_of_is_merged),
        arena_test(kafka_connect_says_more),
        arena_test(connect_decimals_may_be_bytes),
        arena_test(what_is_no_record_is_refused),
        arena_test(expansion_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
