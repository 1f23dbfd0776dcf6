/* JSON into columns: what fits which type, what is refused and how it is told, members by name, and that numbers and texts come out as
 * jansson and strtod read them.
 */
#include "format/json_columns.h"

#include "avro_util.h"

#include <math.h>
#include <stdio.h>

typedef struct fixture {
    firn_json_decoder *decoder;
    firn_avro_batch *batch;
    const firn_avro_column *root;
    int64_t unknown;
} fixture;

static fixture open_fixture(firn_arena *arena, const char *schema)
{
    firn_err err = {0};
    fixture f = {0};
    assert_ok(firn_json_decoder_new(arena, schema_of(arena, schema), NULL, &f.decoder, &err), &err);
    f.batch = batch_of(arena, firn_json_decoder_shape(f.decoder));
    f.root = firn_avro_batch_root(f.batch);
    return f;
}

/* The text without its NUL is given in a block of its own, so that a sanitizer sees what is read behind it. */
static firn_rc decode_bytes(fixture *f, const char *text, size_t len, firn_err *err)
{
    uint8_t *copy = firn_malloc(len);
    memcpy(copy, text, len);
    firn_rc rc =
        firn_json_decoder_decode(f->decoder, firn_bytes_of(copy, len), f->batch, &f->unknown, err);
    free(copy);
    return rc;
}

static firn_rc decode(firn_arena *arena, fixture *f, const char *json, firn_err *err)
{
    char *text = json_of(arena, json);
    return decode_bytes(f, text, strlen(text), err);
}

static void add(firn_arena *arena, fixture *f, const char *json)
{
    firn_err err = {0};
    assert_ok(decode(arena, f, json, &err), &err);
}

static const char *one_field(firn_arena *arena, const char *type)
{
    return firn_arena_printf(
        arena, "{'type': 'record', 'name': 'r', 'fields': [{'name': 'x', 'type': %s}]}", type);
}

/* ---- a cell as text, for tables of expectations ---- */

static void put_cell(firn_buf *buf, const firn_avro_column *c, int64_t row);

static void put_items(firn_buf *buf, const firn_avro_column *c, int64_t row)
{
    firn_buf_putc(buf, '[');
    for (int64_t i = c->offsets[row]; i < c->offsets[row + 1]; i++) {
        if (i > c->offsets[row])
            firn_buf_putc(buf, ' ');
        put_cell(buf, &c->children[0], i);
    }
    firn_buf_putc(buf, ']');
}

static void put_decimal(firn_buf *buf, const firn_avro_column *c, int64_t row)
{
    __int128 value;
    memcpy(&value, c->data + row * 16, 16);
    if (value < 0)
        firn_buf_putc(buf, '-');
    unsigned __int128 rest = value < 0 ? -(unsigned __int128)value : (unsigned __int128)value;
    char digits[48];
    int n = 0;
    do
        digits[n++] = (char)('0' + (int)(rest % 10));
    while (rest /= 10);
    while (n > 0)
        firn_buf_putc(buf, (uint8_t)digits[--n]);
}

static void put_cell(firn_buf *buf, const firn_avro_column *c, int64_t row)
{
    if (!firn_avro_column_valid(c, row)) {
        firn_buf_puts(buf, "null");
        return;
    }
    firn_bytes bytes;
    switch (c->type) {
    case FIRN_AVRO_COL_NULL: break;
    case FIRN_AVRO_COL_BOOL:
        firn_buf_puts(buf, firn_avro_column_bool(c, row) ? "true" : "false");
        break;
    case FIRN_AVRO_COL_INT32: firn_buf_printf(buf, "%d", firn_avro_column_i32(c, row)); break;
    case FIRN_AVRO_COL_INT64:
        firn_buf_printf(buf, "%lld", (long long)firn_avro_column_i64(c, row));
        break;
    case FIRN_AVRO_COL_FLOAT: firn_buf_printf(buf, "%.9g", firn_avro_column_f32(c, row)); break;
    case FIRN_AVRO_COL_DOUBLE: firn_buf_printf(buf, "%.17g", firn_avro_column_f64(c, row)); break;
    case FIRN_AVRO_COL_STRING:
        bytes = firn_avro_column_bytes(c, row);
        firn_buf_append(buf, bytes.data, bytes.len);
        break;
    case FIRN_AVRO_COL_BYTES:
    case FIRN_AVRO_COL_FIXED:
        bytes = firn_avro_column_bytes(c, row);
        for (size_t i = 0; i < bytes.len; i++)
            firn_buf_printf(buf, "%02x", bytes.data[i]);
        break;
    case FIRN_AVRO_COL_DECIMAL128: put_decimal(buf, c, row); break;
    case FIRN_AVRO_COL_STRUCT:
        firn_buf_putc(buf, '{');
        for (size_t i = 0; i < c->child_count; i++) {
            firn_buf_puts(buf, i > 0 ? " " : "");
            put_cell(buf, &c->children[i], row);
        }
        firn_buf_putc(buf, '}');
        break;
    case FIRN_AVRO_COL_LIST:
    case FIRN_AVRO_COL_MAP: put_items(buf, c, row); break;
    }
}

static const char *cell(firn_arena *arena, const firn_avro_column *c, int64_t row)
{
    FIRN_AUTO_BUF firn_buf buf = {0};
    put_cell(&buf, c, row);
    return firn_arena_strdup(arena, firn_buf_cstr(&buf));
}

/* What the value becomes in a column `x` of this type; "!" and the error's code when it is refused. */
static const char *becomes(firn_arena *arena, const char *type, const char *value)
{
    firn_err err = {0};
    fixture f = open_fixture(arena, one_field(arena, type));
    firn_rc rc = decode(arena, &f, firn_arena_printf(arena, "{'x': %s}", value), &err);
    if (rc != FIRN_OK) {
        assert_int_equal(f.root->length, 0);
        assert_int_equal(f.root->children[0].length, 0);
        return firn_arena_printf(arena, "!%s", firn_rc_name(rc));
    }
    assert_int_equal(f.root->length, 1);
    assert_int_equal(f.root->children[0].length, 1);
    return cell(arena, &f.root->children[0], 0);
}

typedef struct expectation {
    const char *type, *value, *cell;
} expectation;

static void check(firn_arena *arena, const expectation *table, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *got = becomes(arena, table[i].type, table[i].value);
        if (!firn_streq(got, table[i].cell))
            fail_msg("%s as %s: %s, not %s", table[i].value, table[i].type, got, table[i].cell);
    }
}
#define CHECK(table) check(*state, table, sizeof(table) / sizeof *(table))

/* ---- types ---- */

static void numbers_fit_exactly_or_not_at_all(void **state)
{
    static const expectation table[] = {
        {"'int'", "0", "0"},
        {"'int'", "-2147483648", "-2147483648"},
        {"'int'", "2147483648", "!TYPE"},
        {"'int'", "1.0", "1"},
        {"'int'", "1e3", "1000"},
        {"'int'", "12e-1", "!TYPE"},
        {"'int'", "'1'", "!TYPE"},
        {"'int'", "true", "!TYPE"},
        {"'int'", "[1]", "!TYPE"},
        {"'long'", "12345678", "12345678"},
        {"'long'", "123456789012345678", "123456789012345678"},
        {"'long'", "9223372036854775807", "9223372036854775807"},
        {"'long'", "-9223372036854775808", "-9223372036854775808"},
        {"'long'", "9223372036854775808", "!TYPE"},
        {"'long'", "-9223372036854775809", "!TYPE"},
        {"'long'", "99999999999999999999999", "!TYPE"},
        {"'long'", "1.00000000000000000000000000", "1"},
        {"'long'", "0.0000000000000000000000001e25", "1"},
        {"'long'", "-0", "0"},
        {"'long'", "-0.0e99999999999999999999", "0"},
        {"'long'", "1e999999999999", "!TYPE"},
        {"'long'", "1.5", "!TYPE"},
        {"'double'", "1", "1"},
        {"'double'", "-0.1", "-0.10000000000000001"},
        {"'double'", "1.7976931348623157e308", "1.7976931348623157e+308"},
        {"'double'", "1e309", "!TYPE"},
        {"'double'", "5e-324", "4.9406564584124654e-324"},
        {"'double'", "9007199254740993", "9007199254740992"},
        {"'double'", "9007199254740993.00000000000001", "9007199254740994"},
        {"'double'", "'NaN'", "nan"},
        {"'double'", "'Infinity'", "inf"},
        {"'double'", "'-Infinity'", "-inf"},
        {"'double'", "'1.5'", "!TYPE"},
        {"'double'", "NaN", "!CORRUPT"},
        {"'float'", "1.1", "1.10000002"},
        {"'float'", "3.5e38", "!TYPE"},
        {"'float'", "'-Infinity'", "-inf"},
        {"'boolean'", "true", "true"},
        {"'boolean'", "false", "false"},
        {"'boolean'", "0", "!TYPE"},
        {"'boolean'", "tru", "!CORRUPT"},
        {"'null'", "null", "null"},
        {"'null'", "0", "!TYPE"},
    };
    CHECK(table);
}

#define DECIMAL "{'type': 'bytes', 'logicalType': 'decimal', 'precision': 6, 'scale': 2}"
#define WIDE    "{'type': 'bytes', 'logicalType': 'decimal', 'precision': 38, 'scale': 0}"

static void decimals_are_exact(void **state)
{
    static const expectation table[] = {
        {DECIMAL, "1.1", "110"},
        {DECIMAL, "'1.10'", "110"},
        {DECIMAL, "-9999.99", "-999999"},
        {DECIMAL, "10000", "!TYPE"},
        {DECIMAL, "1.100", "110"},
        {DECIMAL, "1.101", "!TYPE"},
        {DECIMAL, "1.1e2", "11000"},
        {DECIMAL, "11e-1", "110"},
        {DECIMAL, "0.000", "0"},
        {DECIMAL, "0.0001", "!TYPE"},
        {DECIMAL, "1e-99999999999", "!TYPE"},
        {DECIMAL, "''", "!TYPE"},
        {DECIMAL, "'1.1x'", "!TYPE"},
        {DECIMAL, "'+1.1'", "!TYPE"},
        {DECIMAL, "false", "!TYPE"},
        {WIDE, "99999999999999999999999999999999999999", "99999999999999999999999999999999999999"},
        {WIDE, "-99999999999999999999999999999999999999",
         "-99999999999999999999999999999999999999"},
        {WIDE, "999999999999999999999999999999999999990", "!TYPE"},
        {WIDE, "1e37", "10000000000000000000000000000000000000"},
    };
    CHECK(table);
}

static void texts_keep_their_characters(void **state)
{
    static const expectation table[] = {
        {"'string'", "''", ""},
        {"'string'", "'plain'", "plain"},
        {"'string'", "'a text of more than sixteen bytes'", "a text of more than sixteen bytes"},
        {"'string'", "'sixteen bytes...'", "sixteen bytes..."},
        {"'string'", "'Köln, 東京, 🎿'", "Köln, 東京, 🎿"},
        {"'string'", "'a\\nb\\t\\\\ \\/ \\u0041\\u00e9\\ud83c\\uDFBF'", "a\nb\t\\ / Aé🎿"},
        {"'string'", "'long before an escape: \\u00e9 and behind it'",
         "long before an escape: é and behind it"},
        {"'string'", "'\\ud83c'", "!CORRUPT"},
        {"'string'", "'\\udfbf'", "!CORRUPT"},
        {"'string'", "'\\ud83cx'", "!CORRUPT"},
        {"'string'", "'\\ud83c\\u0041'", "!CORRUPT"},
        {"'string'", "'\\u12g4'", "!CORRUPT"},
        {"'string'", "'\\x41'", "!CORRUPT"},
        {"'string'", "'a\tb'", "!CORRUPT"},
        {"'string'", "'\xC3('", "!CORRUPT"},
        {"'string'", "'\xED\xA0\x80'", "!CORRUPT"},
        {"'string'", "17", "17"},
        {"'string'", "{'a': [1, 2.50, null]}", "{\"a\": [1, 2.50, null]}"},
        {"'string'", "[]", "[]"},
        {"'string'", "true", "true"},
        {"'string'", "{'a': [1,]}", "!CORRUPT"},
        {"'string'", "null", "!TYPE"},
        {"['null', 'string']", "null", "null"},
        {"{'type': 'enum', 'name': 'e', 'symbols': ['A']}", "'A'", "A"},
        {"{'type': 'string', 'logicalType': 'uuid'}", "'0190'", "0190"},
    };
    CHECK(table);
}

#define FIXED4 "{'type': 'fixed', 'name': 'f', 'size': 4}"
#define UUID   "{'type': 'fixed', 'name': 'u', 'size': 16, 'logicalType': 'uuid'}"

static void bytes_are_base64(void **state)
{
    static const expectation table[] = {
        {"'bytes'", "''", ""},
        {"'bytes'", "'AA=='", "00"},
        {"'bytes'", "'AA'", "00"},
        {"'bytes'", "'+/-_'", "fbffbf"},
        {"'bytes'", "'\\/\\/8='", "ffff"},
        {"'bytes'", "'A'", "!TYPE"},
        {"'bytes'", "'AA='", "!TYPE"},
        {"'bytes'", "'===='", "!TYPE"},
        {"'bytes'", "'A A='", "!TYPE"},
        {"'bytes'", "1", "!TYPE"},
        {FIXED4, "'3q2+7w=='", "deadbeef"},
        {FIXED4, "'3q2\\u002b7w'", "deadbeef"},
        {FIXED4, "'3q2+'", "!TYPE"},
        {UUID, "'0190a1b2-C3d4-7e5f-8001-020304050607'", "0190a1b2c3d47e5f8001020304050607"},
        {UUID, "'0190a1b2-c3d4-7e5f-8001-02030405060'", "!TYPE"},
        {UUID, "'0190a1b2xc3d4-7e5f-8001-020304050607'", "!TYPE"},
    };
    CHECK(table);
}

#define LOGICAL(base, name) "{'type': '" base "', 'logicalType': '" name "'}"
#define TS                  LOGICAL("long", "timestamp-micros")

static void times_are_iso_or_numbers(void **state)
{
    static const expectation table[] = {
        {LOGICAL("int", "date"), "'1970-01-02'", "1"},
        {LOGICAL("int", "date"), "'1969-12-31'", "-1"},
        {LOGICAL("int", "date"), "'2024-02-29'", "19782"},
        {LOGICAL("int", "date"), "'2023-02-29'", "!TYPE"},
        {LOGICAL("int", "date"), "'-0001-01-01'", "-719893"},
        {LOGICAL("int", "date"), "'2024-1-01'", "!TYPE"},
        {LOGICAL("int", "date"), "'2024-01-01T00:00:00Z'", "!TYPE"},
        {LOGICAL("int", "date"), "19000", "19000"},
        {LOGICAL("int", "time-millis"), "'12:34:56.789'", "45296789"},
        {LOGICAL("int", "time-millis"), "'12:34'", "45240000"},
        {LOGICAL("int", "time-millis"), "86400000", "!TYPE"},
        {LOGICAL("int", "time-millis"), "'24:00:00'", "!TYPE"},
        {LOGICAL("long", "time-micros"), "'00:00:00.123456789'", "123456"},
        {TS, "'1970-01-01T00:00:01Z'", "1000000"},
        {TS, "'1970-01-01 00:00:01.5'", "1500000"},
        {TS, "'1970-01-01T02:00:00+02:00'", "0"},
        {TS, "'1970-01-01T02:00:00+0200'", "0"},
        {TS, "'1970-01-01T02:00:00+02'", "0"},
        {TS, "'1969-12-31T23:59:59.999999Z'", "-1"},
        {TS, "'1970-01-02'", "86400000000"},
        {TS, "'2024-02-15T10:20:30.123456789Z'", "1707992430123456"},
        {TS, "'2024-02-15T10:20:30.Z'", "!TYPE"},
        {TS, "'2024-02-15T10:20:60Z'", "!TYPE"},
        {TS, "'2024-02-15T10:20:30+19:00'", "!TYPE"},
        {TS, "'2024-02-15T10:20:30Zulu'", "!TYPE"},
        {TS, "''", "!TYPE"},
        {TS, "'yesterday'", "!TYPE"},
        {TS, "1707992430123456", "1707992430123456"},
        {TS, "1.707992430123e15", "1707992430123000"},
        {LOGICAL("long", "timestamp-millis"), "'1970-01-01T00:00:01.2345Z'", "1234"},
        {LOGICAL("long", "timestamp-nanos"), "'1970-01-01T00:00:00.000000001Z'", "1"},
        {LOGICAL("long", "timestamp-nanos"), "'2500-01-01T00:00:00Z'", "!TYPE"},
        {LOGICAL("long", "local-timestamp-micros"), "'1970-01-01T00:00:01'", "1000000"},
        {LOGICAL("long", "local-timestamp-micros"), "'1970-01-01T00:00:01Z'", "!TYPE"},
    };
    CHECK(table);
}

#define INTS "{'type': 'array', 'items': 'int'}"
#define MAP  "{'type': 'map', 'values': ['null', 'int']}"
#define POINT \
    "{'type': 'record', 'name': 'p', 'fields': [{'name': 'x', 'type': 'int'}, {'name': 'y', 'type': ['null', 'int']}]}"

static void nested_values_have_nested_columns(void **state)
{
    static const expectation table[] = {
        {INTS, "[]", "[]"},
        {INTS, "[1, 2,3]", "[1 2 3]"},
        {INTS, "[1, null]", "!TYPE"},
        {INTS, "[1,]", "!CORRUPT"},
        {INTS, "[1 2]", "!CORRUPT"},
        {INTS, "{}", "!TYPE"},
        {"['null', " INTS "]", "null", "null"},
        {"{'type': 'array', 'items': " INTS "}", "[[1], [], [2, 3]]", "[[1] [] [2 3]]"},
        {MAP, "{}", "[]"},
        {MAP, "{'a': 1, 'b': null, '': 3}", "[{a 1} {b null} { 3}]"},
        {MAP, "{'a': 1, 'b': 2, 'a': 3}", "[{b 2} {a 3}]"},
        {MAP, "{'a': 1, '\\u0061': 3}", "[{a 3}]"},
        {MAP, "{'a':1,'b':2,'c':3,'d':4,'e':5,'f':6,'g':7,'h':8,'i':9,'j':10,'a':11,'a':12,'j':13}",
         "[{b 2} {c 3} {d 4} {e 5} {f 6} {g 7} {h 8} {i 9} {a 12} {j 13}]"},
        {MAP, "{'a': 'x'}", "!TYPE"},
        {MAP, "{'a': 1,}", "!CORRUPT"},
        {POINT, "{'x': 1, 'y': 2}", "{1 2}"},
        {POINT, "{'y': 2, 'x': 1}", "{1 2}"},
        {POINT, "{'x': 1}", "{1 null}"},
        {POINT, "{'y': 1}", "!TYPE"},
        {POINT, "{}", "!TYPE"},
        {"['null', " POINT "]", "null", "null"},
        {"{'type': 'array', 'items': " POINT "}", "[{'x': 1}, {'x': 2, 'y': 3}]",
         "[{1 null} {2 3}]"},
    };
    CHECK(table);
}

#define INT_MAP                                                                          \
    "{'type': 'array', 'logicalType': 'map', 'items': {'type': 'record', 'name': 'kv', " \
    "'fields': [{'name': 'key', 'type': 'int'}, {'name': 'value', 'type': 'int'}]}}"

static void types_that_json_cannot_fill_are_refused(void **state)
{
    static const char *const types[] = {
        "['int', 'string']",
        "{'type': 'bytes', 'logicalType': 'decimal', 'precision': 39, 'scale': 0}",
        INT_MAP,
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        firn_err err = {0};
        firn_json_decoder *decoder;
        const firn_avro_schema *schema = schema_of(*state, one_field(*state, types[i]));
        assert_fails(firn_json_decoder_new(*state, schema, NULL, &decoder, &err),
                     FIRN_E_UNSUPPORTED, &err, "column \"x\"");
    }
}

/* ---- members ---- */

#define THREE                                                                                     \
    "{'type': 'record', 'name': 'r', 'fields': [{'name': 'id', 'type': 'long'}, {'name': 'Name'," \
    " 'type': ['null', 'string']}, {'name': 'a_name_of_sixteen_bytes_or_more', "                  \
    "'type': ['null', 'int']}]}"

static void members_are_found_in_any_order(void **state)
{
    static const char *const documents[] = {
        "{'id':1,'Name':'n','a_name_of_sixteen_bytes_or_more':3}",
        " { 'a_name_of_sixteen_bytes_or_more' : 3 , 'Name' : 'n' , 'id' : 1 } \r\n\t",
        "{'Name':'n','id':1,'a_name_of_sixteen_bytes_or_more':3}",
        "{'\\u0069d':1,'N\\u0061me':'n','a_name_of_sixteen_bytes_or_mor\\u0065':3}",
        "{'ID':1,'name':'n','A_Name_Of_Sixteen_Bytes_Or_More':3}",
        "{'id':7,'id':1,'Name':null,'Name':'n','a_name_of_sixteen_bytes_or_more':3}",
        "{'ID':7,'id':1,'iD':9,'Name':'n','a_name_of_sixteen_bytes_or_more':3}",
    };
    fixture f = open_fixture(*state, THREE);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
            add(*state, &f, documents[i]);
            assert_string_equal(cell(*state, f.root, f.root->length - 1), "{1 n 3}");
        }
    }
    assert_int_equal(f.unknown, 1); /* iD */
    assert_int_equal(f.root->children[1].null_count, 0);
}

static void members_without_a_column_are_counted(void **state)
{
    fixture f = open_fixture(*state, THREE);
    add(*state, &f, "{'ids': [{'a': 0}, []], 'id': 1, '': 0, 'Nam': 'x', '\xC3\xA9': 'y'}");
    assert_int_equal(f.unknown, 4);
    assert_string_equal(cell(*state, f.root, 0), "{1 null null}");
    assert_int_equal(f.root->children[1].null_count, 1);
    firn_err err = {0};
    assert_fails(decode(*state, &f, "{'id': 1, 'zz': [1,]}", &err), FIRN_E_CORRUPT, &err, "");
    assert_fails(decode(*state, &f, "{'id': 1, 'zz': '\\q'}", &err), FIRN_E_CORRUPT, &err, "");
}

/* What has no type yet is nothing to learn from. */
static void nothings_are_not_counted(void **state)
{
    static const char *const nothings[] = {"null",
                                           "[]",
                                           "{}",
                                           "[ ]",
                                           "{ }",
                                           "[null, null]",
                                           "{'a': null}",
                                           "{'a\\'1': null, 'b': [{}, []]}",
                                           "[[[[[[[[]]]]]]]]"};
    static const char *const somethings[] = {"0",
                                             "-1",
                                             "true",
                                             "false",
                                             "''",
                                             "'null'",
                                             "[0]",
                                             "{'a': 'b'}",
                                             "[null, {'a': {'b': false}}]",
                                             "[[[[[[[[[]]]]]]]]]"};
    fixture f = open_fixture(*state, THREE);
    char document[128];
    for (size_t i = 0; i < sizeof nothings / sizeof *nothings; i++) {
        snprintf(document, sizeof document, "{'id': 1, 'zz': %s, 'y': %s}", nothings[i],
                 nothings[i]);
        add(*state, &f, document);
        assert_int_equal(f.unknown, 0);
    }
    for (size_t i = 0; i < sizeof somethings / sizeof *somethings; i++) {
        snprintf(document, sizeof document, "{'id': 1, 'zz': %s}", somethings[i]);
        add(*state, &f, document);
        assert_int_equal(f.unknown, 1);
    }
}

static void a_record_without_fields_takes_any_object(void **state)
{
    fixture f = open_fixture(*state, "{'type': 'record', 'name': 'r', 'fields': []}");
    add(*state, &f, "{}");
    add(*state, &f, "{'a': 1}");
    assert_int_equal(f.root->length, 2);
    assert_int_equal(f.unknown, 1);
}

/* ---- what is refused ---- */

static void what_is_not_json_is_corrupt(void **state)
{
    static const char *const documents[] = {
        "",
        " ",
        "{",
        "{'id'",
        "{'id':",
        "{'id':1",
        "{'id':1,",
        "{'id':1,}",
        "{'id':1}}",
        "{'id':1} x",
        "{'id':1}{'id':2}",
        "{id:1}",
        "{'id' 1}",
        "{'id':01}",
        "{'id':-}",
        "{'id':1.}",
        "{'id':.5}",
        "{'id':1e}",
        "{'id':1e+}",
        "{'id':+1}",
        "{'id':0x10}",
        "{'id':1 'Name':null}",
        "{'id':nul}",
        "{'id':1,'Name':'unclosed}",
        "{'id':1,'Name':'a\\",
        "{'id':1,'Name':'a\\u00",
        "{'id':1, /* no */ 'Name':'x'}",
        "{'id':1,'zz':{'a' 1}}",
        "{'id':1,'zz':{1:1}}",
        "{'id':1,'zz':[1}}",
        "{'id':1,'zz':[}",
        "\xEF\xBB\xBF{'id':1}",
    };
    fixture f = open_fixture(*state, THREE);
    add(*state, &f, "{'id': 1, 'Name': 'kept'}");
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        firn_err err = {0};
        if (decode(*state, &f, documents[i], &err) != FIRN_E_CORRUPT)
            fail_msg("%s: %s", documents[i], err.message);
        assert_int_equal(f.root->length, 1);
        for (size_t c = 0; c < f.root->child_count; c++)
            assert_int_equal(f.root->children[c].length, 1);
    }
    assert_string_equal(cell(*state, f.root, 0), "{1 kept null}");
}

static void messages_say_where(void **state)
{
    firn_err err = {0};
    fixture f = open_fixture(
        *state, "{'type': 'record', 'name': 'r', 'fields': [{'name': 'a', 'type': {'type': 'array',"
                "'items': {'type': 'record', 'name': 'i', 'fields': ["
                "{'name': 'b', 'type': 'int'}]}}}]}");
    assert_fails(decode(*state, &f, "{'a': [{'b': 1}, {'b': 'x'}]}", &err), FIRN_E_TYPE, &err,
                 "JSON member \"a[1].b\" (int), byte 23: a whole number was expected");
    assert_fails(decode(*state, &f, "{'a': [{}]}", &err), FIRN_E_TYPE, &err,
                 "JSON member \"a[0].b\" (int), byte 7: it is absent");
    assert_fails(decode(*state, &f, "[1]", &err), FIRN_E_TYPE, &err,
                 "JSON document, byte 0: an object was expected");
    assert_fails(decode(*state, &f, "{'a': [}", &err), FIRN_E_CORRUPT, &err, "byte 7");
    assert_fails(decode(*state, &f, "null", &err), FIRN_E_TYPE, &err, "an object was expected");
}

static void depth_is_bounded(void **state)
{
    firn_err err = {0};
    fixture f = open_fixture(*state, one_field(*state, "'string'"));
    FIRN_AUTO_BUF firn_buf buf = {0};
    for (int depth = FIRN_AVRO_DEPTH_MAX - 2; depth <= FIRN_AVRO_DEPTH_MAX; depth++) {
        firn_buf_clear(&buf);
        firn_buf_puts(&buf, "{\"x\":");
        for (int i = 0; i < depth; i++)
            firn_buf_putc(&buf, '[');
        for (int i = 0; i < depth; i++)
            firn_buf_putc(&buf, ']');
        firn_buf_putc(&buf, '}');
        firn_rc rc = decode_bytes(&f, (const char *)buf.data, buf.len, &err);
        assert_int_equal(rc, depth < FIRN_AVRO_DEPTH_MAX ? FIRN_OK : FIRN_E_LIMIT);
    }
}

static void a_batch_has_a_bound(void **state)
{
    firn_err err = {0};
    fixture f = {0};
    firn_avro_decoder_opts opts = {.batch_bytes_max = 64 << 10};
    const firn_avro_schema *schema = schema_of(*state, one_field(*state, "'string'"));
    assert_ok(firn_json_decoder_new(*state, schema, &opts, &f.decoder, &err), &err);
    f.batch = batch_of(*state, firn_json_decoder_shape(f.decoder));
    f.root = firn_avro_batch_root(f.batch);
    int rows = 0;
    while (decode(*state, &f, "{'x': 'thirty bytes of text, or so.'}", &err) == FIRN_OK)
        rows++;
    assert_int_equal(err.code, FIRN_E_LIMIT);
    assert_in_range(rows, 800, 2200);
    assert_int_equal(f.root->length, rows);
    assert_string_equal(cell(*state, &f.root->children[0], rows - 1),
                        "thirty bytes of text, or so.");
}

/* ---- beside others ---- */

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 11 ^ *state << 17;
}

static void check_double(fixture *f, const char *digits)
{
    char text[128];
    firn_err err = {0};
    firn_avro_batch_clear(f->batch);
    snprintf(text, sizeof text, "{\"x\":%s}", digits);
    double wanted = strtod(digits, NULL);
    firn_rc rc = decode_bytes(f, text, strlen(text), &err);
    if (isinf(wanted)) {
        assert_int_equal(rc, FIRN_E_TYPE);
        return;
    }
    assert_ok(rc, &err);
    double got = firn_avro_column_f64(&f->root->children[0], 0);
    if (memcmp(&got, &wanted, sizeof got) != 0)
        fail_msg("%s is %.17g, not %.17g", digits, got, wanted);
}

static void doubles_are_the_nearest(void **state)
{
    fixture f = open_fixture(*state, one_field(*state, "'double'"));
    uint64_t seed = 7;
    char text[80];
    for (int i = 0; i < 60000; i++) {
        uint64_t bits = next_random(&seed);
        double value;
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value)) {
            snprintf(text, sizeof text, "%.17g", value);
            check_double(&f, text);
        }
        value = (double)(bits >> 11) * 0x1p-53; /* 0 to 1, as random() gives */
        snprintf(text, sizeof text, "%.*g", (int)(bits % 20) + 1, value * (double)(bits % 100000));
        check_double(&f, text);
        snprintf(text, sizeof text, "%llu.%llue%d", (unsigned long long)next_random(&seed),
                 (unsigned long long)(next_random(&seed) >> (bits % 60)), (int)(bits % 80) - 40);
        check_double(&f, text);
    }
    /* Half-way between two doubles, and a hair beside it. */
    check_double(&f, "9007199254740993");
    check_double(&f, "900719925474099.3");
    check_double(&f, "9007199254740993.0000000000000000000001");
    check_double(&f, "18014398509481986e-1");
    check_double(&f, "9007199254740992.5");
}

/* A random text with what JSON texts may hold, as JSON by jansson. */
static json_t *random_text(uint64_t *seed)
{
    static const char *const parts[] = {
        "a",  "bc",  "\"", "\\", "/", "\n", "\x01", "é", "東", "🎿", "plain words of some length",
        "\t", "\x7f"};
    char text[512] = "";
    for (uint64_t n = next_random(seed) % 12; n > 0; n--)
        strcat(text, parts[next_random(seed) % (sizeof parts / sizeof *parts)]);
    return json_string(text);
}

static void documents_are_as_jansson_reads_them(void **state)
{
    fixture f = open_fixture(
        *state, "{'type': 'record', 'name': 'r', 'fields': [{'name': 's', 'type': ['null', "
                "'string']}, {'name': 'n', 'type': ['null', 'long']}, {'name': 'r', 'type': "
                "['null', 'double']}, {'name': 'b', 'type': ['null', 'boolean']}, {'name': 'l', "
                "'type': ['null', {'type': 'array', 'items': 'string'}]}]}");
    uint64_t seed = 11;
    for (int i = 0; i < 20000; i++) {
        json_t *doc = json_object();
        uint64_t bits = next_random(&seed);
        if (bits & 1)
            json_object_set_new(doc, "s", random_text(&seed));
        if (bits & 2)
            json_object_set_new(doc, "n", json_integer((int64_t)next_random(&seed)));
        if (bits & 4)
            json_object_set_new(doc, "r", json_real((double)next_random(&seed) * 0x1p-40));
        if (bits & 8)
            json_object_set_new(doc, "b", bits & 16 ? json_null() : json_boolean(bits & 32));
        json_t *list = json_array();
        for (uint64_t n = bits >> 8 & 3; n > 0; n--)
            json_array_append_new(list, random_text(&seed));
        json_object_set_new(doc, "l", list);

        size_t flags = (bits & 64 ? JSON_ENSURE_ASCII : 0) | (bits & 128 ? JSON_INDENT(2) : 0) |
                       (bits & 256 ? JSON_ESCAPE_SLASH : 0) | JSON_REAL_PRECISION(17);
        char *text = json_dumps(doc, flags);
        firn_err err = {0};
        firn_avro_batch_clear(f.batch);
        assert_ok(decode_bytes(&f, text, strlen(text), &err), &err);
        const firn_avro_column *c = f.root->children;
        const json_t *s = json_object_get(doc, "s"), *n = json_object_get(doc, "n");
        const json_t *r = json_object_get(doc, "r"), *b = json_object_get(doc, "b");
        assert_int_equal(firn_avro_column_valid(&c[0], 0), s != NULL);
        if (s)
            assert_string_equal(cell(*state, &c[0], 0), json_string_value(s));
        assert_int_equal(firn_avro_column_valid(&c[1], 0), n != NULL);
        if (n)
            assert_true(firn_avro_column_i64(&c[1], 0) == json_integer_value(n));
        assert_int_equal(firn_avro_column_valid(&c[2], 0), r != NULL);
        if (r)
            assert_true(firn_avro_column_f64(&c[2], 0) == json_real_value(r));
        assert_int_equal(firn_avro_column_valid(&c[3], 0), json_is_boolean(b));
        if (json_is_boolean(b))
            assert_int_equal(firn_avro_column_bool(&c[3], 0), json_boolean_value(b));
        assert_int_equal(c[4].children[0].length, json_array_size(list));
        for (size_t k = 0; k < json_array_size(list); k++) {
            assert_string_equal(cell(*state, &c[4].children[0], (int64_t)k),
                                json_string_value(json_array_get(list, k)));
        }
        free(text);
        json_decref(doc);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        arena_test(numbers_fit_exactly_or_not_at_all),
        arena_test(decimals_are_exact),
        arena_test(texts_keep_their_characters),
        arena_test(bytes_are_base64),
        arena_test(times_are_iso_or_numbers),
        arena_test(nested_values_have_nested_columns),
        arena_test(types_that_json_cannot_fill_are_refused),
        arena_test(members_are_found_in_any_order),
        arena_test(members_without_a_column_are_counted),
        arena_test(nothings_are_not_counted),
        arena_test(a_record_without_fields_takes_any_object),
        arena_test(what_is_not_json_is_corrupt),
        arena_test(messages_say_where),
        arena_test(depth_is_bounded),
        arena_test(a_batch_has_a_bound),
        arena_test(doubles_are_the_nearest),
        arena_test(documents_are_as_jansson_reads_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
