/* .proto text: what is understood, what is refused and with which words, and the Avro schema that messages amount to. */
#include "format/protobuf.h"

#include "avro_util.h"

#define P3 "syntax = 'proto3'; "

static firn_proto_file *file_of(firn_arena *arena, const char *text)
{
    firn_err err = {0};
    firn_proto_file *file;
    assert_ok(firn_proto_parse(arena, text, NULL, 0, &file, &err), &err);
    return file;
}

static const firn_proto_message *message_of(firn_arena *arena, const char *text, const char *name)
{
    firn_err err = {0};
    const firn_proto_message *message;
    assert_ok(firn_proto_by_name(file_of(arena, text), name, &message, &err), &err);
    return message;
}

static void expect_fields(firn_arena *arena, const char *text, const char *fields)
{
    firn_err err = {0};
    const firn_avro_schema *schema;
    assert_ok(firn_proto_avro(arena, message_of(arena, text, "M"), &schema, &err), &err);
    assert_string_equal(firn_json_text(arena, json_object_get(schema->json, "fields")),
                        json_of(arena, fields));
}

static void refuse(firn_arena *arena, const char *text, const char *why)
{
    firn_err err = {0};
    firn_proto_file *file;
    assert_fails(firn_proto_parse(arena, text, NULL, 0, &file, &err), FIRN_E_SYNTAX, &err, why);
}

static void test_columns(void **state)
{
    expect_fields(
        *state, P3 "message M { int32 a = 1; optional uint64 b = 2; E e = 3; } enum E { X = 0; }",
        "[{'name':'a','type':'int'},{'name':'b','type':['null',{'type':'bytes','logicalType':"
        "'decimal','precision':20,'scale':0}]},{'name':'e','type':'string'}]");
    expect_fields(
        *state,
        P3 "message M { map<int32, N> m = 1; repeated N l = 2; N n = 3; }"
           "message N { bool b = 1; }",
        "[{'name':'m','type':{'type':'map','values':{'type':'record','name':'N','namespace':'','fields':"
        "[{'name':'b','type':'boolean'}]}}},{'name':'l','type':{'type':'array','items':'N'}},"
        "{'name':'n','type':['null','N']}]");
    expect_fields(
        *state,
        P3 "message M { oneof o { string s = 1; fixed32 f = 2; } M self = 3; N none = 4; }"
           "message N {}",
        "[{'name':'s','type':['null','string']},{'name':'f','type':['null','long']},"
        "{'name':'self','type':['null','string']},{'name':'none','type':['null','boolean']}]");
    expect_fields(*state,
                  "syntax = 'proto2'; message M { required float f = 1; optional bytes b = 2;"
                  " optional group G = 3 { optional int32 x = 1; } }",
                  "[{'name':'f','type':'float'},{'name':'b','type':['null','bytes']}]");
}

static void test_finding(void **state)
{
    firn_err err = {0};
    const firn_proto_message *found;
    firn_proto_file *file = file_of(
        *state, P3
        "package p; message A { map<string, B> m = 1; message In { message Deep {} } message Two {} }"
        "message B { A.In.Deep deep = 1; }");
    assert_ok(firn_proto_by_index(file, (int32_t[]){1}, 1, &found, &err), &err);
    assert_string_equal(firn_proto_name(found), "p.B");
    assert_ok(firn_proto_by_index(file, (int32_t[]){0, 0, 0}, 3, &found, &err), &err);
    assert_string_equal(firn_proto_name(found), "p.A.In.Deep");
    /* The entry type of the map, which is nested, too, does not count. */
    assert_ok(firn_proto_by_index(file, (int32_t[]){0, 1}, 2, &found, &err), &err);
    assert_string_equal(firn_proto_name(found), "p.A.Two");
    assert_ok(firn_proto_by_name(file, "p.A.In", &found, &err), &err);
    assert_fails(firn_proto_by_index(file, (int32_t[]){2}, 1, &found, &err), FIRN_E_NOT_FOUND, &err,
                 "index 2");
    assert_fails(firn_proto_by_index(file, (int32_t[]){0, -1}, 2, &found, &err), FIRN_E_NOT_FOUND,
                 &err, "index -1 within p.A");
    assert_fails(firn_proto_by_index(file, NULL, 0, &found, &err), FIRN_E_NOT_FOUND, &err,
                 "empty path");
    assert_fails(firn_proto_by_name(file, "A", &found, &err), FIRN_E_NOT_FOUND, &err,
                 "its first one is \"p.A\"");
    assert_fails(firn_proto_by_name(file, "p.A.MEntry", &found, &err), FIRN_E_NOT_FOUND, &err,
                 "MEntry");
}

static void test_imports(void **state)
{
    firn_err err = {0};
    firn_proto_file *file;
    const firn_proto_message *found;
    const firn_proto_import imports[] = {
        {"shop/item.proto",
         P3 "package shop; import 'shop/unit.proto'; message Item { Unit unit = 1; }"},
        {"shop/unit.proto", P3 "package shop; message Unit { string name = 1; }"},
        {"shop/round.proto", P3 "import 'shop/round.proto';"},
        {"shop/bad.proto", P3 "\n message Bad {\n int32 = 1; }"},
    };
    const char *text =
        P3 "import 'shop/item.proto'; message Order { repeated shop.Item items = 1; }";
    assert_ok(firn_proto_parse(*state, text, imports, 4, &file, &err), &err);
    assert_ok(firn_proto_by_name(file, "shop.Unit", &found, &err), &err);
    assert_fails(firn_proto_parse(*state, text, imports, 1, &file, &err), FIRN_E_SYNTAX, &err,
                 "shop/unit.proto");
    assert_fails(firn_proto_parse(*state, P3 "import 'shop/round.proto';", imports, 4, &file, &err),
                 FIRN_E_SYNTAX, &err, "recursively imports itself");
    assert_fails(firn_proto_parse(*state, P3 "import 'shop/bad.proto';", imports, 4, &file, &err),
                 FIRN_E_SYNTAX, &err, "shop/bad.proto, line 3");
    refuse(*state, P3 "import 'nowhere.proto';", "nowhere.proto");
    refuse(*state, P3 "import '/etc/passwd';", "/etc/passwd");
    refuse(*state, P3 "import 'google/protobuf/nothing.proto';", "nothing.proto");
    /* All that need not be brought along. */
    static const char *const known[] = {
        "google/protobuf/any.proto",      "google/protobuf/descriptor.proto",
        "google/protobuf/struct.proto",   "google/type/calendar_period.proto",
        "google/type/color.proto",        "google/type/date.proto",
        "google/type/datetime.proto",     "google/type/dayofweek.proto",
        "google/type/decimal.proto",      "google/type/expr.proto",
        "google/type/fraction.proto",     "google/type/interval.proto",
        "google/type/latlng.proto",       "google/type/localized_text.proto",
        "google/type/money.proto",        "google/type/month.proto",
        "google/type/phone_number.proto", "google/type/postal_address.proto",
        "google/type/quaternion.proto",   "google/type/timeofday.proto",
        "confluent/meta.proto",           "confluent/type/decimal.proto",
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        (void)file_of(*state, firn_arena_printf(*state, P3 "import '%s';", known[i]));
}

static void test_parsed_files(void **state)
{
    firn_err err = {0};
    firn_proto_file *file;
    const firn_proto_message *found;
    const firn_avro_schema *schema;
    /* import "b.proto"; message M { p.B b = 1; repeated int32 n = 2; } */
    const char *main_file =
        "CgptYWluLnByb3RvGgdiLnByb3RvIh8KAU0SDwoBYhgBIAEoCzIELnAuQhIJCgFuGAIgAyg"
        "FYgZwcm90bzM=";
    /* package p; message B { int64 x = 1; } */
    const char *b = "Cg53aGF0ZXZlci5wcm90bxIBcCIOCgFCEgkKAXgYASABKANiBnByb3RvMw==";
    const firn_proto_import parsed[] = {{"b.proto", b}};
    const firn_proto_import text[] = {{"b.proto", P3 "package p; message B { int64 x = 1; }"}};
    for (int i = 0; i < 2; i++) {
        assert_ok(firn_proto_parse(*state, main_file, i ? text : parsed, 1, &file, &err), &err);
        assert_ok(firn_proto_by_name(file, "M", &found, &err), &err);
        assert_ok(firn_proto_avro(*state, found, &schema, &err), &err);
        assert_int_equal(schema->field_count, 2);
    }
    assert_fails(firn_proto_parse(*state, main_file, NULL, 0, &file, &err), FIRN_E_SYNTAX, &err,
                 "b.proto");
    /* message M { Nowhere b = 1; } */
    assert_fails(firn_proto_parse(*state, "CgFjIhgKAU0SEwoBYhgBIAEoCzIILk5vd2hlcmViBnByb3RvMw==",
                                  NULL, 0, &file, &err),
                 FIRN_E_SYNTAX, &err, "Nowhere");
    /* message A { map<string, int32> m = 1; message In { int32 x = 1; } In i = 2; }, the entry type being declared first: it counts. */
    const char *maps = "CghwdC5wcm90byJmCgFBEhQKAW0YASADKAsyCS5BLk1FbnRyeRIQCgFpGAIgASgLMgUuQS"
                       "5JbhooCgZNRW50cnkSCwoDa2V5GAEgASgJEg0KBXZhbHVlGAIgASgFOgI4ARoPCgJJbhIJ"
                       "CgF4GAEgASgFYgZwcm90bzM=";
    assert_ok(firn_proto_parse(*state, maps, NULL, 0, &file, &err), &err);
    assert_ok(firn_proto_by_index(file, (int32_t[]){0, 1}, 2, &found, &err), &err);
    assert_string_equal(firn_proto_name(found), "A.In");
    assert_fails(firn_proto_by_index(file, (int32_t[]){0, 0}, 2, &found, &err), FIRN_E_NOT_FOUND,
                 &err, "no message type at index 0 within A");
    assert_fails(firn_proto_parse(*state, "AAAA", NULL, 0, &file, &err), FIRN_E_SYNTAX, &err, "");
}

static void test_refused(void **state)
{
    refuse(*state, P3 "\nmessage M {\n  int32 a 1;\n}", "line 3, column 11: ");
    refuse(*state, P3 "message M { Nope a = 1; }", "\"Nope\" is not defined");
    refuse(*state, P3 "message M { int32 a = 1; int32 b = 1; }", "already been used");
    refuse(*state, P3 "message M { int32 a = 0; }", "positive");
    refuse(*state, P3 "message M {} message M {}", "already defined");
    refuse(*state, P3 "message M { required int32 a = 1; }", "Required fields are not allowed");
    refuse(*state, "{\"type\": \"record\"}", "line 1");
    (void)file_of(*state, "");
}

static void test_bounds(void **state)
{
    firn_err err = {0};
    firn_proto_file *file;
    FIRN_AUTO_BUF firn_buf buf = {0};

    firn_buf_puts(&buf, P3);
    for (int i = 0; i < 100000; i++)
        firn_buf_puts(&buf, "message M {");
    assert_fails(firn_proto_parse(*state, firn_buf_cstr(&buf), NULL, 0, &file, &err), FIRN_E_LIMIT,
                 &err, "nested more than");
    /* What stands in comments and texts does not nest. */
    firn_buf_clear(&buf);
    firn_buf_puts(&buf, P3);
    for (int i = 0; i < 200; i++)
        firn_buf_puts(&buf, "// it's {\n /* \" [ */ import 'google/protobuf/any.proto'; ");
    assert_int_equal(firn_proto_parse(*state, firn_buf_cstr(&buf), NULL, 0, &file, &err),
                     FIRN_E_SYNTAX);
    assert_non_null(strstr(err.message, "listed twice"));

    firn_buf_clear(&buf);
    firn_buf_puts(&buf, P3);
    for (int i = 0; i < 20000; i++)
        firn_buf_printf(&buf, "message M%d {}", i);
    assert_fails(firn_proto_parse(*state, firn_buf_cstr(&buf), NULL, 0, &file, &err), FIRN_E_LIMIT,
                 &err, "message types");

    firn_buf_clear(&buf);
    for (int i = 0; i < 5 << 20; i++)
        firn_buf_putc(&buf, ' ');
    assert_fails(firn_proto_parse(*state, firn_buf_cstr(&buf), NULL, 0, &file, &err), FIRN_E_LIMIT,
                 &err, "bytes of text");

    /* A chain of types deeper than columns go; and one whose columns double with each type. */
    for (int twice = 0; twice < 2; twice++) {
        firn_buf_clear(&buf);
        firn_buf_puts(&buf, P3);
        for (int i = 0; i < (twice ? 25 : 100); i++) {
            firn_buf_printf(&buf, "message M%d { M%d a = 1; ", i, i + 1);
            firn_buf_printf(&buf, twice ? "M%d b = 2; }" : "}", i + 1);
        }
        firn_buf_printf(&buf, "message M%d { int32 x = 1; }", twice ? 25 : 100);
        const firn_proto_message *message = message_of(*state, firn_buf_cstr(&buf), "M0");
        firn_proto_decoder *decoder;
        assert_int_equal(firn_proto_decoder_new(*state, message, NULL, &decoder, &err),
                         FIRN_E_LIMIT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        arena_test(test_columns),      arena_test(test_finding), arena_test(test_imports),
        arena_test(test_parsed_files), arena_test(test_refused), arena_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
