/* YAML: values, lines, aliases, environment variables, and everything that is refused. */
#include "base/yaml.h"

#include <stdlib.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static firn_arena *arena; /* one for the group */

static int set_up(void **state)
{
    (void)state;
    arena = firn_arena_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    firn_arena_free(arena);
    return 0;
}

static firn_yaml parse(const char *text)
{
    firn_yaml yaml = {0};
    firn_err err = {0};
    if (firn_yaml_parse(arena, firn_bytes_str(text), "f.yaml", &yaml, &err) != FIRN_OK) {
        fail_msg("%s", err.message);
    }
    return yaml;
}

static void expect_json(const char *text, const char *json)
{
    firn_yaml yaml = parse(text);
    assert_string_equal(firn_json_text(arena, yaml.root), json);
}

static void expect_error(firn_bytes text, firn_rc code, const char *message)
{
    firn_yaml yaml = {0};
    firn_err err = {0};
    assert_int_equal(firn_yaml_parse(arena, text, "f.yaml", &yaml, &err), code);
    if (strstr(err.message, message) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", message, err.message);
    }
    assert_null(yaml.root);
}

static void refuse(const char *text, const char *message)
{
    expect_error(firn_bytes_str(text), FIRN_E_CONFIG, message);
}

static void scalars_become_json_values(void **state)
{
    (void)state;
    expect_json("[null, Null, NULL, ~, ]", "[null,null,null,null]");
    expect_json("[true, True, TRUE, false, False, FALSE]", "[true,true,true,false,false,false]");
    expect_json("[0, -1, +2, 9223372036854775807, -9223372036854775808]",
                "[0,-1,2,9223372036854775807,-9223372036854775808]");
    expect_json("[0.5, -1., .25, 1e3]", "[0.5,-1.0,0.25,1000.0]");
    expect_json("a:\nb: 1\n", "{\"a\":null,\"b\":1}");
}

static void all_else_is_a_string(void **state)
{
    (void)state;
    expect_json("['1', \"true\", 'null', \"\"]", "[\"1\",\"true\",\"null\",\"\"]");
    expect_json("[yes, no, on, nULL, 1.2.3, 2024-01-01, 12:30, 0x10, .nan, -.inf]",
                "[\"yes\",\"no\",\"on\",\"nULL\",\"1.2.3\",\"2024-01-01\",\"12:30\",\"0x10\","
                "\".nan\",\"-.inf\"]");
    expect_json("[0755, -01, 9223372036854775808, 1e999]",
                "[\"0755\",\"-01\",\"9223372036854775808\",\"1e999\"]");
    expect_json("a: |\n  1\n", "{\"a\":\"1\\n\"}");
    expect_json("a: >-\n  1\n", "{\"a\":\"1\"}");
    expect_json("é: 漢\n", "{\"é\":\"漢\"}");
}

static void empty_document_is_null(void **state)
{
    (void)state;
    expect_json("", "null");
    expect_json("# only a comment\n", "null");
    expect_json("---\n", "null");
}

static void order_of_keys_is_kept(void **state)
{
    (void)state;
    expect_json("z: 1\na: {y: 1, b: 2}\nm: [1, {x: 2}]\n",
                "{\"z\":1,\"a\":{\"y\":1,\"b\":2},\"m\":[1,{\"x\":2}]}");
    expect_json("1: a\ntrue: b\n", "{\"1\":\"a\",\"true\":\"b\"}"); /* keys are always text */
}

static void every_node_and_key_has_a_line(void **state)
{
    (void)state;
    firn_yaml yaml = parse("# comment\n"
                           "name: shop\n"
                           "on: true\n"
                           "list:\n"
                           "  - 1\n"
                           "  - k: v\n"
                           "    l: w\n");
    json_t *list = json_object_get(yaml.root, "list");
    json_t *inner = json_array_get(list, 1);
    assert_string_equal(yaml.filename, "f.yaml");
    assert_int_equal(firn_yaml_line(&yaml, yaml.root), 2);
    assert_int_equal(firn_yaml_line(&yaml, json_object_get(yaml.root, "name")), 2);
    assert_int_equal(firn_yaml_line(&yaml, list), 5);
    assert_int_equal(firn_yaml_line(&yaml, inner), 6);
    assert_int_equal(firn_yaml_line(&yaml, json_object_get(inner, "l")), 7);
    assert_int_equal(firn_yaml_line(&yaml, json_true()), 0); /* shared by all documents */
    assert_int_equal(firn_yaml_key_line(&yaml, yaml.root, "on"), 3);
    assert_int_equal(firn_yaml_key_line(&yaml, yaml.root, "list"), 4);
    assert_int_equal(firn_yaml_key_line(&yaml, inner, "l"), 7);
    assert_int_equal(firn_yaml_key_line(&yaml, yaml.root, "absent"), 0);
    assert_int_equal(firn_yaml_key_line(&yaml, list, "on"), 0);
}

static void aliases_repeat_their_anchor(void **state)
{
    (void)state;
    expect_json("a: &x {k: [1]}\nb: *x\nc: [*x, &y 5, *y]\nd: &t true\ne: *t\n",
                "{\"a\":{\"k\":[1]},\"b\":{\"k\":[1]},\"c\":[{\"k\":[1]},5,5],\"d\":true,"
                "\"e\":true}");
    expect_json("[&a 1, *a, &a 2, *a]", "[1,1,2,2]"); /* the latest definition counts */
    refuse("a: *x\nb: &x 1\n", "f.yaml:1: alias *x has no complete anchor &x before it");
    refuse("&x [*x]", "no complete anchor");
}

static void alias_bomb_is_stopped(void **state)
{
    (void)state;
    FIRN_AUTO_BUF firn_buf buf = {0};
    firn_buf_puts(&buf, "a0: &a0 [x]\n");
    for (int i = 1; i < 30; i++) { /* 2^30 values when written out */
        firn_buf_printf(&buf, "a%d: &a%d [*a%d, *a%d]\n", i, i, i - 1, i - 1);
    }
    expect_error(firn_buf_bytes(&buf), FIRN_E_LIMIT, "more than 100000 values");
}

static void nest(firn_buf *buf, int levels)
{
    for (int i = 0; i < levels; i++) {
        firn_buf_putc(buf, '[');
    }
    for (int i = 0; i < levels; i++) {
        firn_buf_putc(buf, ']');
    }
}

static void depth_is_limited_with_aliases_written_out(void **state)
{
    (void)state;
    FIRN_AUTO_BUF firn_buf buf = {0};
    nest(&buf, 64);
    parse(firn_buf_cstr(&buf));
    firn_buf_clear(&buf);
    nest(&buf, 65);
    expect_error(firn_buf_bytes(&buf), FIRN_E_LIMIT, "f.yaml:1: nested more than 64 levels deep");
    firn_buf_clear(&buf);
    firn_buf_puts(&buf, "- &a ");
    nest(&buf, 40);
    firn_buf_puts(&buf, "\n- ");
    nest(&buf, 30);
    firn_buf_puts(&buf, "\n- [[[[[[[[[[[[[[[[[[[[[[[*a]]]]]]]]]]]]]]]]]]]]]]]\n"); /* 1+23+40 */
    parse(firn_buf_cstr(&buf));
    firn_buf_puts(&buf, "- [[[[[[[[[[[[[[[[[[[[[[[[*a]]]]]]]]]]]]]]]]]]]]]]]]\n");
    expect_error(firn_buf_bytes(&buf), FIRN_E_LIMIT, "f.yaml:4: nested more than 64 levels");
}

static void size_is_limited(void **state)
{
    (void)state;
    size_t max = 1 << 20;
    char *text = firn_arena_alloc(arena, max + 1);
    memset(text, '#', max + 1);
    firn_yaml yaml;
    assert_int_equal(firn_yaml_parse(arena, firn_bytes_of(text, max), "f.yaml", &yaml, NULL),
                     FIRN_OK);
    expect_error(firn_bytes_of(text, max + 1), FIRN_E_LIMIT, "larger than the 1048576 bytes");
}

static void bad_documents_are_refused_with_their_line(void **state)
{
    (void)state;
    refuse("a: 1\nb: [1\n", "f.yaml:3: this is not valid YAML: ");
    refuse("a: 1\n\tb: 2\n", "f.yaml:2: ");
    refuse("a: \xFF\n", "f.yaml:1: this is not valid YAML");
    refuse("a: 1\nb: 2\na: 3\n", "f.yaml:3: \"a\" is given twice, first in line 1");
    refuse("a: !!str 1\n", "f.yaml:1: tags such as");
    refuse("a: !x [1]\n", "tags such as !x");
    refuse("a: 1\n---\nb: 2\n", "f.yaml:2: a second document begins here");
    refuse("? [1]\n: 2\n", "a key must be a plain word");
    refuse("&k a: 1\n", "an anchor on a key");
    refuse("a: \"x\\0y\"\n", "NUL characters");
    refuse("a: @x\n", "not valid YAML");
}

static void variables_are_filled_in(void **state)
{
    (void)state;
    setenv("FIRN_T_NAME", "shop", 1);
    setenv("FIRN_T_PORT", "8080", 1);
    setenv("FIRN_T_EMPTY", "", 1);
    unsetenv("FIRN_T_UNSET");
    expect_json("a: s3://${FIRN_T_NAME}/x-${FIRN_T_NAME}", "{\"a\":\"s3://shop/x-shop\"}");
    expect_json("a: ${FIRN_T_UNSET:-def ault}", "{\"a\":\"def ault\"}");
    expect_json("a: \"${FIRN_T_EMPTY:-d}${FIRN_T_EMPTY}${FIRN_T_UNSET:-}\"", "{\"a\":\"d\"}");
    expect_json("a: ${FIRN_T_PORT}", "{\"a\":8080}");
    expect_json("a: '${FIRN_T_PORT}'", "{\"a\":\"8080\"}");
    expect_json("a: $${FIRN_T_NAME} $x $$ $", "{\"a\":\"${FIRN_T_NAME} $x $$ $\"}");
    expect_json("\"${FIRN_T_NAME}\": 1", "{\"${FIRN_T_NAME}\":1}"); /* never in keys */
}

static void variables_cannot_add_structure(void **state)
{
    (void)state;
    setenv("FIRN_T_EVIL", "x\nadmin: true # ${FIRN_T_NAME}", 1);
    expect_json("a: ${FIRN_T_EVIL}",
                "{\"a\":\"x\\nadmin: true # ${FIRN_T_NAME}\"}"); /* and are not filled in again */
}

static void bad_references_are_refused(void **state)
{
    (void)state;
    unsetenv("FIRN_T_UNSET");
    setenv("FIRN_T_BYTES", "\xFF", 1);
    refuse("\n\na: ${FIRN_T_UNSET}", "f.yaml:3: environment variable FIRN_T_UNSET is not set; set "
                                     "it or write ${FIRN_T_UNSET:-default}");
    refuse("a: ${", "expected ${NAME}");
    refuse("a: ${}", "expected ${NAME}");
    refuse("a: ${FIRN_T_UNSET", "expected ${NAME}");
    refuse("a: ${1X}", "expected ${NAME}");
    refuse("a: ${A B}", "expected ${NAME}");
    refuse("a: ${A:=b}", "expected ${NAME}");
    refuse("a: ${FIRN_T_BYTES}", "not valid UTF-8");
}

static void load_reads_a_file(void **state)
{
    (void)state;
    char path[] = "/tmp/firn-yaml-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "a: [1]\n", 7), 7);
    close(fd);
    firn_yaml yaml;
    assert_int_equal(firn_yaml_load(arena, path, &yaml, NULL), FIRN_OK);
    assert_string_equal(firn_json_text(arena, yaml.root), "{\"a\":[1]}");
    assert_string_equal(yaml.filename, path);
    unlink(path);
    firn_err err = {0};
    assert_int_equal(firn_yaml_load(arena, path, &yaml, &err), FIRN_E_NOT_FOUND);
    assert_non_null(strstr(err.message, path));
}

/* ---- JSON files ---------------------------------------------------------------------------------------- */

static void a_json_file_has_lines_too(void **state)
{
    (void)state;
    firn_yaml json = {0};
    firn_err err = {0};
    const char *text =
        "\n{ \"a\": 1, \"b\" :\n  {\"c\": [1,\n[\"x]}\\\"{\\n\", -1.5e3],\ntrue,{}]\n,\"d\":null}"
        "\r\n, \"\": \"\"\n}\n";
    assert_int_equal(firn_yaml_of_json(arena, firn_bytes_str(text), "f.json", &json, &err),
                     FIRN_OK);
    assert_string_equal(json.filename, "f.json");
    const json_t *b = json_object_get(json.root, "b");
    const json_t *c = json_object_get(b, "c");
    assert_int_equal(firn_yaml_line(&json, json.root), 2);
    assert_int_equal(firn_yaml_key_line(&json, json.root, "a"), 2);
    assert_int_equal(firn_yaml_key_line(&json, json.root, "b"), 2);
    assert_int_equal(firn_yaml_line(&json, b), 3);
    assert_int_equal(firn_yaml_key_line(&json, b, "c"), 3);
    assert_int_equal(firn_yaml_line(&json, json_array_get(c, 0)), 3);
    assert_int_equal(firn_yaml_line(&json, json_array_get(c, 1)), 4);
    assert_int_equal(firn_yaml_line(&json, json_array_get(json_array_get(c, 1), 1)), 4);
    assert_int_equal(firn_yaml_line(&json, json_array_get(c, 3)), 5);
    assert_int_equal(firn_yaml_key_line(&json, b, "d"), 6);
    assert_int_equal(firn_yaml_key_line(&json, json.root, ""), 7);
    assert_int_equal(firn_yaml_key_line(&json, json.root, "z"), 0);
}

static void bad_json_is_refused_with_its_line(void **state)
{
    (void)state;
    static const char *const BAD[][2] = {
        {"", "f.json:1: this is not valid JSON"},
        {"{\n\"a\": 1,\n\"a\": 2}", "f.json:3: this is not valid JSON: duplicate object key"},
        {"{\"a\":\n\n tru}", "f.json:3: this is not valid JSON"},
        {"{\"a\": 1} {}", "end of file expected"},
    };
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        firn_yaml json = {0};
        firn_err err = {0};
        firn_rc rc = firn_yaml_of_json(arena, firn_bytes_str(BAD[i][0]), "f.json", &json, &err);
        assert_int_equal(rc, FIRN_E_CONFIG);
        if (strstr(err.message, BAD[i][1]) == NULL) {
            fail_msg("\"%s\" is not in \"%s\"", BAD[i][1], err.message);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_become_json_values),
        cmocka_unit_test(all_else_is_a_string),
        cmocka_unit_test(empty_document_is_null),
        cmocka_unit_test(order_of_keys_is_kept),
        cmocka_unit_test(every_node_and_key_has_a_line),
        cmocka_unit_test(aliases_repeat_their_anchor),
        cmocka_unit_test(alias_bomb_is_stopped),
        cmocka_unit_test(depth_is_limited_with_aliases_written_out),
        cmocka_unit_test(size_is_limited),
        cmocka_unit_test(bad_documents_are_refused_with_their_line),
        cmocka_unit_test(variables_are_filled_in),
        cmocka_unit_test(variables_cannot_add_structure),
        cmocka_unit_test(bad_references_are_refused),
        cmocka_unit_test(load_reads_a_file),
        cmocka_unit_test(a_json_file_has_lines_too),
        cmocka_unit_test(bad_json_is_refused_with_its_line),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
