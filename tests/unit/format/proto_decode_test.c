/* Protobuf messages into columns: everything that Google's encoder wrote (tests/golden/proto), and what it never would. */
#include "format/protobuf.h"

#include "avro_util.h"
#include "base/io.h"

#include <math.h>
#include <stdio.h>

/* ---- rows as JSON ---- */

static json_t *row_json(firn_arena *arena, const firn_avro_column *column, int64_t row);

static json_t *real_json(double value)
{
    if (isnan(value))
        return json_string("NaN");
    if (isinf(value))
        return json_string(value > 0 ? "Infinity" : "-Infinity");
    return json_real(value);
}

static json_t *decimal_json(firn_arena *arena, const firn_avro_column *column, int64_t row)
{
    __int128 value;
    memcpy(&value, column->data + row * 16, 16);
    bool minus = value < 0;
    value = minus ? -value : value;
    char *text = firn_arena_strdup(arena, "");
    for (int digit = 0; value > 0 || digit <= column->schema->scale; digit++) {
        bool point = digit > 0 && digit == column->schema->scale;
        text = firn_arena_printf(arena, "%d%s%s", (int)(value % 10), point ? "." : "", text);
        value /= 10;
    }
    return json_string(firn_arena_printf(arena, "%s%s", minus ? "-" : "", text));
}

static json_t *children_json(firn_arena *arena, const firn_avro_column *column, int64_t row)
{
    const firn_avro_column *child = &column->children[0];
    json_t *out = column->type == FIRN_AVRO_COL_LIST ? json_array() : json_object();
    if (column->type == FIRN_AVRO_COL_STRUCT) {
        for (size_t i = 0; i < column->child_count; i++) {
            json_object_set_new(out, column->children[i].name,
                                row_json(arena, &column->children[i], row));
        }
        return out;
    }
    for (int64_t i = column->offsets[row]; i < column->offsets[row + 1]; i++) {
        if (column->type == FIRN_AVRO_COL_LIST) {
            json_array_append_new(out, row_json(arena, child, i));
            continue;
        }
        firn_bytes key = firn_avro_column_bytes(&child->children[0], i);
        char *name = firn_arena_strndup(arena, (const char *)key.data, key.len);
        assert_null(json_object_get(out, name));
        json_object_set_new(out, name, row_json(arena, &child->children[1], i));
    }
    return out;
}

static json_t *row_json(firn_arena *arena, const firn_avro_column *column, int64_t row)
{
    assert_true(row < column->length);
    if (!firn_avro_column_valid(column, row))
        return json_null();
    firn_bytes bytes;
    switch (column->type) {
    case FIRN_AVRO_COL_BOOL: return json_boolean(firn_avro_column_bool(column, row));
    case FIRN_AVRO_COL_INT32: return json_integer(firn_avro_column_i32(column, row));
    case FIRN_AVRO_COL_INT64: return json_integer(firn_avro_column_i64(column, row));
    case FIRN_AVRO_COL_FLOAT: return real_json((double)firn_avro_column_f32(column, row));
    case FIRN_AVRO_COL_DOUBLE: return real_json(firn_avro_column_f64(column, row));
    case FIRN_AVRO_COL_STRING:
        bytes = firn_avro_column_bytes(column, row);
        return json_stringn((const char *)bytes.data, bytes.len);
    case FIRN_AVRO_COL_BYTES:
        return json_string(firn_hex(arena, firn_avro_column_bytes(column, row)));
    case FIRN_AVRO_COL_DECIMAL128: return decimal_json(arena, column, row);
    default: return children_json(arena, column, row);
    }
}

/* What is expected says {"$json": ...} where the column holds JSON text; numbers compare by value. */
static bool same(firn_arena *arena, json_t *got, json_t *wanted)
{
    json_t *inner = json_is_object(wanted) ? json_object_get(wanted, "$json") : NULL;
    if (inner && json_is_string(got)) {
        json_t *parsed = json_loads(json_string_value(got), JSON_DECODE_ANY, NULL);
        bool equal = parsed && same(arena, parsed, inner);
        json_decref(parsed);
        return equal;
    }
    if (json_is_number(got) && json_is_number(wanted))
        return json_number_value(got) == json_number_value(wanted) &&
               (!json_is_integer(got) || !json_is_integer(wanted) ||
                json_integer_value(got) == json_integer_value(wanted));
    if (json_typeof(got) != json_typeof(wanted))
        return false;
    if (json_is_array(got)) {
        if (json_array_size(got) != json_array_size(wanted))
            return false;
        for (size_t i = 0; i < json_array_size(got); i++) {
            if (!same(arena, json_array_get(got, i), json_array_get(wanted, i)))
                return false;
        }
        return true;
    }
    if (!json_is_object(got))
        return json_equal(got, wanted);
    if (json_object_size(got) != json_object_size(wanted))
        return false;
    const char *key;
    json_t *value;
    json_object_foreach(got, key, value)
    {
        json_t *other = json_object_get(wanted, key);
        if (!other || !same(arena, value, other))
            return false;
    }
    return true;
}

/* ---- golden files ---- */

static char *golden(firn_arena *arena, const char *name)
{
    firn_err err = {0};
    firn_bytes bytes;
    const char *root = getenv("FIRN_SOURCE_DIR");
    const char *path =
        firn_arena_printf(arena, "%s/tests/golden/proto/%s", root ? root : ".", name);
    assert_ok(firn_file_read(arena, path, 1 << 24, &bytes, &err), &err);
    return firn_arena_strndup(arena, (const char *)bytes.data, bytes.len);
}

typedef struct subject {
    firn_proto_decoder *decoder;
    firn_avro_batch *batch;
} subject;

static subject subject_of(firn_arena *arena, const char *text, const char *message)
{
    firn_err err = {0};
    subject s;
    firn_proto_file *file;
    const firn_proto_message *type;
    assert_ok(firn_proto_parse(arena, text, NULL, 0, &file, &err), &err);
    assert_ok(firn_proto_by_name(file, message, &type, &err), &err);
    assert_ok(firn_proto_decoder_new(arena, type, NULL, &s.decoder, &err), &err);
    s.batch = firn_avro_batch_new(firn_proto_decoder_shape(s.decoder));
    return s;
}

static void check_case(firn_arena *arena, json_t *item)
{
    firn_err err = {0};
    const char *name = json_string_value(json_object_get(item, "name"));
    subject s = subject_of(arena, golden(arena, json_string_value(json_object_get(item, "file"))),
                           json_string_value(json_object_get(item, "message")));
    firn_bytes data;
    assert_true(firn_unhex(arena, json_string_value(json_object_get(item, "hex")), &data));
    /* Twice, with a failure in between that must leave no trace. */
    assert_ok(firn_proto_decoder_decode(s.decoder, data, s.batch, &err), &err);
    uint8_t *cut = firn_arena_alloc(arena, data.len + 1);
    if (data.len > 0)
        memcpy(cut, data.data, data.len);
    cut[data.len] = 0x0A;
    assert_int_equal(
        firn_proto_decoder_decode(s.decoder, firn_bytes_of(cut, data.len + 1), s.batch, &err),
        FIRN_E_CORRUPT);
    assert_ok(firn_proto_decoder_decode(s.decoder, data, s.batch, &err), &err);

    const firn_avro_column *root = firn_avro_batch_root(s.batch);
    assert_int_equal(root->length, 2);
    for (int64_t row = 0; row < 2; row++) {
        json_t *got = firn_json_own(arena, row_json(arena, root, row));
        if (!same(arena, got, json_object_get(item, "row"))) {
            fail_msg("%s: got %s, wanted %s", name, firn_json_text(arena, got),
                     firn_json_text(arena, json_object_get(item, "row")));
        }
    }
    firn_avro_batch_free(s.batch);
}

static void test_golden(void **state)
{
    firn_err err = {0};
    json_t *cases;
    assert_ok(firn_json_parse(*state, firn_bytes_str(golden(*state, "cases.json")), "cases", &cases,
                              &err),
              &err);
    assert_true(json_array_size(cases) >= 48);
    size_t i;
    json_t *item;
    json_array_foreach(cases, i, item)
    {
        FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
        check_case(arena, item);
    }
}

/* ---- by hand ---- */

static void decode_hex(firn_arena *arena, const subject *s, const char *hex)
{
    firn_err err = {0};
    firn_bytes data;
    assert_true(firn_unhex(arena, hex, &data));
    assert_ok(firn_proto_decoder_decode(s->decoder, data, s->batch, &err), &err);
}

static void expect_row(firn_arena *arena, const subject *s, const char *row)
{
    const firn_avro_column *root = firn_avro_batch_root(s->batch);
    json_t *got = firn_json_own(arena, row_json(arena, root, root->length - 1));
    assert_string_equal(firn_json_text(arena, got), json_of(arena, row));
}

static void refuse_hex(firn_arena *arena, const subject *s, const char *hex, firn_rc rc,
                       const char *why)
{
    firn_err err = {0};
    firn_bytes data;
    int64_t rows = firn_avro_batch_root(s->batch)->length;
    assert_true(firn_unhex(arena, hex, &data));
    assert_fails(firn_proto_decoder_decode(s->decoder, data, s->batch, &err), rc, &err, why);
    assert_int_equal(firn_avro_batch_root(s->batch)->length, rows);
}

#define P3 "syntax='proto3'; "

static void test_malformed(void **state)
{
    subject s =
        subject_of(*state,
                   P3 "message M { int32 a = 1; string s = 2; repeated fixed32 f = 3;"
                      " N n = 4; repeated sint32 z = 5; } message N { M m = 1; bool b = 2; }",
                   "M");
    refuse_hex(*state, &s, "08", FIRN_E_CORRUPT, "field \"a\" at byte 0: malformed or cut off");
    refuse_hex(*state, &s,
               "0801"
               "1205616263",
               FIRN_E_CORRUPT, "field \"s\" at byte 2");
    refuse_hex(*state, &s, "1201ff", FIRN_E_CORRUPT,
               "field \"s\" at byte 2: the text is not valid UTF-8");
    refuse_hex(*state, &s, "08ffffffffffffffffffff01", FIRN_E_CORRUPT, "malformed");
    refuse_hex(*state, &s, "0001", FIRN_E_CORRUPT, "the message at byte 0"); /* field 0 */
    refuse_hex(*state, &s, "ffffffffff7f01", FIRN_E_CORRUPT, "the message at byte 0");
    refuse_hex(*state, &s, "0a00", FIRN_E_CORRUPT, "another wire type than the schema says");
    refuse_hex(*state, &s, "0d00000000", FIRN_E_CORRUPT, "field \"a\"");
    refuse_hex(*state, &s, "1a03000000", FIRN_E_CORRUPT, "field \"f\"");
    refuse_hex(*state, &s, "2a0180", FIRN_E_CORRUPT, "field \"z\"");
    refuse_hex(*state, &s, "220308ff", FIRN_E_CORRUPT, "field \"n\"");
    refuse_hex(*state, &s, "22040a021a05", FIRN_E_CORRUPT, "field \"m\" at byte 4: malformed");
    refuse_hex(*state, &s, "7b", FIRN_E_CORRUPT, "malformed");       /* a group that never ends */
    refuse_hex(*state, &s, "7b84017c", FIRN_E_CORRUPT, "malformed"); /* ends another group */
    refuse_hex(*state, &s, "7c", FIRN_E_CORRUPT, "malformed");       /* an end without start */
    refuse_hex(*state, &s, "7f00", FIRN_E_CORRUPT, "malformed");     /* wire type 7 */
    decode_hex(*state, &s, "22021001");
    expect_row(*state, &s, "{'a':0,'s':'','f':[],'n':{'m':null,'b':true},'z':[]}");
    decode_hex(*state, &s, "22060a0408012200");
    expect_row(*state, &s,
               "{'a':0,'s':'','f':[],'n':{'m':'{\\'a\\':1,\\'n\\':{}}','b':false},'z':[]}");
    /* Varints of ten bytes, and more bits than the type has. */
    decode_hex(*state, &s,
               "08ffffffffffffffffff01"
               "2a0bffffffffffffffffff0102");
    expect_row(*state, &s, "{'a':-1,'s':'','f':[],'n':null,'z':[-2147483648,1]}");
    firn_avro_batch_free(s.batch);
}

static void test_groups_nest_to_a_bound(void **state)
{
    subject s = subject_of(*state, P3 "message M { int32 a = 1; }", "M");
    FIRN_AUTO_BUF firn_buf buf = {0};
    firn_err err = {0};
    for (int depth = 1; depth <= 101; depth += 100) {
        firn_buf_clear(&buf);
        for (int i = 0; i < depth; i++)
            firn_buf_putc(&buf, 0x7B);
        for (int i = 0; i < depth; i++)
            firn_buf_putc(&buf, 0x7C);
        firn_rc rc = firn_proto_decoder_decode(s.decoder, firn_buf_bytes(&buf), s.batch, &err);
        assert_int_equal(rc, depth <= 100 ? FIRN_OK : FIRN_E_CORRUPT);
    }
    firn_avro_batch_free(s.batch);
}

static void test_json_nests_to_a_bound(void **state)
{
    subject s = subject_of(*state, P3 "message M { M m = 1; }", "M");
    uint8_t bytes[400];
    firn_err err = {0};
    for (int depth = 60; depth <= 120; depth += 60) {
        /* Every level is a tag and the length of the rest; below 64 levels a length is one byte. */
        size_t at = sizeof bytes;
        for (int i = 0; i < depth; i++) {
            size_t len = sizeof bytes - at;
            if (len >= 0x80)
                bytes[--at] = (uint8_t)(len >> 7);
            bytes[--at] = (uint8_t)(len >= 0x80 ? (len & 0x7F) | 0x80 : len);
            bytes[--at] = 0x0A;
        }
        firn_bytes data = firn_bytes_of(bytes + at, sizeof bytes - at);
        firn_rc rc = firn_proto_decoder_decode(s.decoder, data, s.batch, &err);
        assert_int_equal(rc, depth == 60 ? FIRN_OK : FIRN_E_LIMIT);
    }
    firn_avro_batch_free(s.batch);
}

static void test_required(void **state)
{
    subject s = subject_of(*state,
                           "syntax='proto2'; message M { required int32 a = 1; optional N n = 2; }"
                           "message N { required string s = 7; }",
                           "M");
    refuse_hex(*state, &s, "", FIRN_E_CORRUPT, "field \"a\": a required field is absent");
    refuse_hex(*state, &s, "08011200", FIRN_E_CORRUPT, "field \"s\": a required field is absent");
    decode_hex(*state, &s, "080112033a0178");
    expect_row(*state, &s, "{'a':1,'n':{'s':'x'}}");
    firn_avro_batch_free(s.batch);
}

static void test_google_types(void **state)
{
    subject s =
        subject_of(*state,
                   P3 "import 'google/type/date.proto'; import 'google/type/timeofday.proto';"
                      "import 'google/type/decimal.proto'; import 'google/type/money.proto';"
                      "message M { google.type.Date d = 1; google.type.TimeOfDay t = 2;"
                      " google.type.Decimal n = 3; repeated google.type.Date ds = 4;"
                      " google.type.Money m = 5; map<string, google.type.Date> by = 6; }",
                   "M");
    decode_hex(*state, &s, "");
    expect_row(*state, &s, "{'d':null,'t':null,'n':null,'ds':[],'m':null,'by':{}}");
    /* 2024-02-29; 23:59:59.000001500; "12.50"; [2024-02-29, nothing]; EUR 3 */
    decode_hex(*state, &s,
               "0a0708e80f1002181d"
               "12090817103b183b20dc0b"
               "1a070a0531322e3530"
               "220708e80f1002181d"
               "2200"
               "2a070a034555521003"
               "32050a016b1200");
    expect_row(*state, &s,
               "{'d':19782,'t':86399000001,'n':'12.50','ds':[19782,null],"
               "'m':{'currency_code':'EUR','units':3,'nanos':0},'by':{'k':null}}");
    refuse_hex(*state, &s, "0a0708e70f1002181d", FIRN_E_CORRUPT, "no day of the calendar");
    refuse_hex(*state, &s, "0a0308e80f", FIRN_E_CORRUPT, "a Date without year, month or day");
    refuse_hex(*state, &s, "12020818", FIRN_E_CORRUPT, "a TimeOfDay that no clock shows");
    firn_avro_batch_free(s.batch);
}

static void test_confluent_decimal(void **state)
{
    subject s =
        subject_of(*state,
                   P3 "import 'confluent/type/decimal.proto'; import 'confluent/meta.proto';"
                      "message M { confluent.type.Decimal a = 1 [(confluent.field_meta) = {"
                      " params: [{key: 'precision', value: '5'}, {key: 'scale', value: '2'}]}];"
                      " confluent.type.Decimal b = 2; }",
                   "M");
    /* 123.45 (0x3039, scale 2), once more as text; -1 at scale 0 */
    decode_hex(*state, &s,
               "0a080a02303910051802"
               "12080a02303910051802");
    expect_row(*state, &s, "{'a':'123.45','b':'123.45'}");
    decode_hex(*state, &s,
               "0a030a01ff"
               "12030a01ff");
    expect_row(*state, &s, "{'a':'-1.00','b':'-1'}");
    decode_hex(*state, &s,
               "0a080a0207d018031000"
               "12050a01051803");
    expect_row(*state, &s, "{'a':'2.00','b':'0.005'}");
    decode_hex(*state, &s,
               "0a00"
               "120e0a010718feffffffffffffffff01");
    expect_row(*state, &s, "{'a':'0.00','b':'700'}");
    refuse_hex(*state, &s, "0a060a0207d11803", FIRN_E_CORRUPT, "field \"a\"");
    refuse_hex(*state, &s,
               "0a060a020001"
               "1803",
               FIRN_E_CORRUPT, "does not fit the precision");
    refuse_hex(*state, &s, "0a050a030186a0", FIRN_E_CORRUPT,
               "does not fit the precision"); /* 100000.00 */
    refuse_hex(*state, &s, "12130a117f00000000000000000000000000000000", FIRN_E_CORRUPT,
               "more than 16 bytes");
    firn_avro_batch_free(s.batch);
}

static void test_limits(void **state)
{
    firn_err err = {0};
    firn_proto_file *file;
    const firn_proto_message *type;
    firn_proto_decoder *decoder;
    firn_avro_decoder_opts opts = {.batch_bytes_max = 8192};
    assert_ok(firn_proto_parse(*state, P3 "message M { repeated int32 a = 1; string s = 2; }", NULL,
                               0, &file, &err),
              &err);
    assert_ok(firn_proto_by_index(file, (int32_t[]){0}, 1, &type, &err), &err);
    assert_ok(firn_proto_decoder_new(*state, type, &opts, &decoder, &err), &err);
    firn_avro_batch *batch = firn_avro_batch_new(firn_proto_decoder_shape(decoder));
    uint8_t bytes[10003] = {0x0A, 0x90, 0x4E};
    assert_fails(
        firn_proto_decoder_decode(decoder, firn_bytes_of(bytes, sizeof bytes), batch, &err),
        FIRN_E_LIMIT, &err, "field \"a\"");
    bytes[0] = 0x12;
    assert_fails(
        firn_proto_decoder_decode(decoder, firn_bytes_of(bytes, sizeof bytes), batch, &err),
        FIRN_E_LIMIT, &err, "field \"s\"");
    assert_int_equal(firn_avro_batch_root(batch)->length, 0);
    firn_avro_batch_free(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        arena_test(test_golden),
        arena_test(test_malformed),
        arena_test(test_groups_nest_to_a_bound),
        arena_test(test_json_nests_to_a_bound),
        arena_test(test_required),
        arena_test(test_google_types),
        arena_test(test_confluent_decimal),
        arena_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
