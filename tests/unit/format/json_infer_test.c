/* Schemas that documents without a schema give: what each kind of value becomes, how kinds widen, and that the decoder takes the
 * documents with the schema that they gave.
 */
#include "format/json_columns.h"

#include "avro_util.h"

static void put_type(firn_buf *buf, const firn_avro_schema *schema)
{
    bool nullable;
    schema = firn_avro_schema_unwrap(schema, &nullable);
    if (schema->kind == FIRN_AVRO_RECORD) {
        firn_buf_putc(buf, '{');
        for (size_t i = 0; i < schema->field_count; i++) {
            firn_buf_printf(buf, "%s%s ", i > 0 ? ", " : "", schema->fields[i].name);
            put_type(buf, schema->fields[i].type);
        }
        firn_buf_putc(buf, '}');
    } else if (schema->kind == FIRN_AVRO_ARRAY) {
        firn_buf_putc(buf, '[');
        put_type(buf, schema->items);
        firn_buf_putc(buf, ']');
    } else if (schema->logical == FIRN_AVRO_DECIMAL) {
        firn_buf_printf(buf, "decimal(%d,%d)", schema->precision, schema->scale);
    } else if (schema->logical == FIRN_AVRO_DATE) {
        firn_buf_puts(buf, "date");
    } else if (schema->logical == FIRN_AVRO_TIMESTAMP_MICROS) {
        firn_buf_puts(buf, "timestamp");
    } else {
        firn_buf_puts(buf, schema->name);
    }
    if (!nullable)
        firn_buf_putc(buf, '!');
}

/* Documents, a line each, and their schema. */
static const char *inferred(firn_arena *arena, const char *lines)
{
    firn_err err = {0};
    size_t n;
    char **documents = firn_str_split(arena, json_of(arena, lines), '\n', &n);
    firn_json_inference *inference = firn_json_inference_new(arena);
    bool changed;
    for (size_t i = 0; i < n; i++)
        assert_ok(firn_json_inference_add(inference, firn_bytes_str(documents[i]), &changed, &err),
                  &err);
    const firn_avro_schema *schema = firn_json_inference_schema(inference);
    if (!schema)
        return "none";

    firn_json_decoder *decoder;
    assert_ok(firn_json_decoder_new(arena, schema, NULL, &decoder, &err), &err);
    FIRN_AUTO_AVRO_BATCH firn_avro_batch *batch =
        firn_avro_batch_new(firn_json_decoder_shape(decoder));
    for (size_t i = 0; i < n; i++) {
        assert_ok(firn_json_inference_add(inference, firn_bytes_str(documents[i]), &changed, &err),
                  &err);
        assert_false(changed);
        assert_ok(
            firn_json_decoder_decode(decoder, firn_bytes_str(documents[i]), batch, NULL, &err),
            &err);
    }
    FIRN_AUTO_BUF firn_buf buf = {0};
    put_type(&buf, schema);
    return firn_arena_strdup(arena, firn_buf_cstr(&buf));
}

#define assert_inferred(lines, schema) assert_string_equal(inferred(*state, lines), schema)

static void every_kind_has_a_type(void **state)
{
    assert_inferred("{'a': 1, 'b': 1.5, 'c': true, 'd': 'x', 'e': 123456789012345678901234567890}",
                    "{a long, b double, c boolean, d string, e decimal(38,0)}!");
    assert_inferred("{'a': '2026-11-28', 'b': '2026-11-28T01:02:03Z', 'c': '2026-11-28 01:02:03'}",
                    "{a date, b timestamp, c string}!");
    assert_inferred("{'a': [1], 'b': {'c': ['x']}, 'd': [[{'e': 1}]]}",
                    "{a [long], b {c [string]}, d [[{e long}]]}!");
    assert_inferred("{'a': 1e2, 'b': 1234567890123456789012345678901234567890}",
                    "{a double, b string}!");
    assert_inferred("{'a': 1e308, 'b': 1e309}", "{a double, b string}!");
}

static void kinds_widen(void **state)
{
    assert_inferred("{'a': 1}\n{'a': 1.5}\n{'a': null}", "{a double}!");
    assert_inferred("{'a': 1}\n{'a': 99999999999999999999}", "{a decimal(38,0)}!");
    assert_inferred("{'a': 1.5}\n{'a': 99999999999999999999}", "{a string}!");
    assert_inferred("{'a': 1}\n{'a': 'x'}", "{a string}!");
    assert_inferred("{'a': '2026-11-28'}\n{'a': '2026-11-28T01:02:03Z'}", "{a string}!");
    assert_inferred("{'a': {'b': 1}}\n{'a': [1]}\n{'a': {'c': 1}}", "{a string}!");
    assert_inferred("{'a': {'b': 1}}\n{'a': {'c': true}}\n{'d': 1}",
                    "{a {b long, c boolean}, d long}!");
    assert_inferred("{'a': [1]}\n{'a': [null, 0.5]}", "{a [double]}!");
}

static void what_has_no_type_yet_is_no_column(void **state)
{
    assert_inferred("{}", "none");
    assert_inferred("{'a': null, 'b': [], 'c': {}, 'd': [[]], '': 1}", "none");
    assert_inferred("{'a': null}\n{'a': 7}", "{a long}!");
    assert_inferred("{'a': [], 'b': 1}\n{'a': [{'c': []}]}", "{b long}!");
}

static void names_are_one_whatever_their_case(void **state)
{
    assert_inferred("{'Id': 1}\n{'id': 2, 'ID': 3}", "{Id long}!");
    assert_inferred("{'\\u0069d': 1, 'K\xC3\xB6ln': 2}", "{id long, K\xC3\xB6ln long}!");
}

static void changes_are_told_once(void **state)
{
    firn_err err = {0};
    bool changed;
    firn_json_inference *in = firn_json_inference_new(*state);
    static const struct {
        const char *document;
        bool changes;
    } steps[] = {
        {"{'a': null}", false}, {"{'a': 1}", true},   {"{'a': 2}", false},  {"{'a': 2.5}", true},
        {"{'a': 3}", false},    {"{'b': []}", false}, {"{'b': [1]}", true}, {"{'b': null}", false},
    };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        const char *text = json_of(*state, steps[i].document);
        assert_ok(firn_json_inference_add(in, firn_bytes_str(text), &changed, &err), &err);
        assert_int_equal(changed, steps[i].changes);
    }
}

static void failures_teach_nothing(void **state)
{
    firn_err err = {0};
    bool changed;
    firn_json_inference *in = firn_json_inference_new(*state);
    assert_fails(firn_json_inference_add(in, firn_bytes_str("{\"a\":1,\"b\":}"), &changed, &err),
                 FIRN_E_CORRUPT, &err, "byte 11");
    assert_fails(firn_json_inference_add(in, firn_bytes_str("[1]"), &changed, &err), FIRN_E_TYPE,
                 &err, "no object");
    assert_fails(firn_json_inference_add(in, firn_bytes_str(""), &changed, &err), FIRN_E_CORRUPT,
                 &err, "cut off");
    assert_null(firn_json_inference_schema(in));
}

static void dictionaries_become_text(void **state)
{
    firn_err err = {0};
    bool changed;
    FIRN_AUTO_BUF firn_buf buf = {0};
    firn_json_inference *in = firn_json_inference_new(*state);
    firn_buf_puts(&buf, "{\"a\":{");
    for (int i = 0; i < 1001; i++)
        firn_buf_printf(&buf, "%s\"k%d\":%d", i > 0 ? "," : "", i, i);
    firn_buf_puts(&buf, "}}");
    assert_ok(firn_json_inference_add(in, firn_buf_bytes(&buf), &changed, &err), &err);
    assert_int_equal(firn_json_inference_schema(in)->fields[0].type->branches[1]->kind,
                     FIRN_AVRO_STRING);
    firn_bytes inner = firn_bytes_of(buf.data + 5, buf.len - 6);
    assert_fails(firn_json_inference_add(in, inner, &changed, &err), FIRN_E_LIMIT, &err, "1000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        arena_test(every_kind_has_a_type),
        arena_test(kinds_widen),
        arena_test(what_has_no_type_yet_is_no_column),
        arena_test(names_are_one_whatever_their_case),
        arena_test(changes_are_told_once),
        arena_test(failures_teach_nothing),
        arena_test(dictionaries_become_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
