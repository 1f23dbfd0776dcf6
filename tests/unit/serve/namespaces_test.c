/* Namespaces over REST. */
#include "serving.h"

static int setup(void **state)
{
    serving *s = calloc(1, sizeof(*s));
    serving_start(s, NULL);
    expect(s, 204, "DELETE", "/v1/main/namespaces/default", NULL); /* that a new lake has */
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    serving_end(*state);
    free(*state);
    return 0;
}

#define NSS "/v1/main/namespaces"

static void test_create_load_and_drop(void **state)
{
    serving *s = *state;
    const char *body = "{\"namespace\": [\"bronze\"], \"properties\": {\"owner\": \"ann\"}}";
    expect(s, 200, "POST", NSS, body);
    expect_json(s, body);
    expect(s, 409, "POST", NSS, body);
    expect_error(s, "AlreadyExistsException");
    expect(s, 200, "GET", NSS "/bronze", NULL);
    expect_json(s, body);
    expect(s, 204, "HEAD", NSS "/bronze", NULL);
    expect(s, 204, "DELETE", NSS "/bronze", NULL);
    expect(s, 404, "HEAD", NSS "/bronze", NULL);
    expect(s, 404, "GET", NSS "/bronze", NULL);
    expect_error(s, "NoSuchNamespaceException");
    expect(s, 404, "DELETE", NSS "/bronze", NULL);
}

static void test_nested_namespaces_are_joined_by_the_unit_separator(void **state)
{
    serving *s = *state;
    expect(s, 404, "POST", NSS, "{\"namespace\": [\"a\", \"b\"]}");
    expect(s, 200, "POST", NSS, "{\"namespace\": [\"a\"]}");
    expect(s, 200, "POST", NSS, "{\"namespace\": [\"a\", \"b.c/d%\"]}");
    expect(s, 200, "GET", NSS "/a%1Fb.c%2Fd%25", NULL);
    expect_json(s, "{\"namespace\": [\"a\", \"b.c/d%\"], \"properties\": {}}");
    expect(s, 200, "GET", NSS "?parent=a", NULL);
    expect_json(s, "{\"namespaces\": [[\"a\", \"b.c/d%\"]], \"next-page-token\": null}");
    expect(s, 200, "GET", NSS "?parent=", NULL);
    expect_json(s, "{\"namespaces\": [[\"a\"]], \"next-page-token\": null}");
    expect(s, 409, "DELETE", NSS "/a", NULL);
    expect_error(s, "NamespaceNotEmptyException");
    assert_non_null(
        strstr(json_string_value(json_object_get(json_object_get(s->json, "error"), "message")),
               "is not empty"));
    expect(s, 404, "GET", NSS "?parent=nope", NULL);
    expect_error(s, "NoSuchNamespaceException");
}

/* The Java library writes a space as '+', everybody else means a plus by it. */
static void test_plus_in_a_path_is_a_space_from_java_only(void **state)
{
    serving *s = *state;
    expect(s, 200, "POST", NSS, "{\"namespace\": [\"a b\"]}");
    expect(s, 204, "HEAD", NSS "/a%20b", NULL);
    expect(s, 404, "HEAD", NSS "/a+b", NULL);
    send_header(s, "X-Client-Version", "Apache Iceberg 1.11.0 (commit 0123)");
    expect(s, 204, "HEAD", NSS "/a+b", NULL);
}

static void test_lists_come_in_pages_and_the_last_has_a_null_token(void **state)
{
    serving *s = *state;
    for (int i = 0; i < 5; i++) {
        expect(s, 200, "POST", NSS, firn_arena_printf(s->arena, "{\"namespace\": [\"n%d\"]}", i));
    }
    const char *token = "";
    size_t seen = 0, pages = 0;
    while (token) {
        expect(s, 200, "GET", firn_arena_printf(s->arena, NSS "?pageToken=%s&pageSize=2", token),
               NULL);
        size_t n = json_array_size(json_object_get(s->json, "namespaces"));
        assert_true(n <= 2);
        seen += n;
        pages++;
        assert_non_null(json_object_get(s->json, "next-page-token"));
        token = json_string_value(json_object_get(s->json, "next-page-token"));
    }
    assert_int_equal(seen, 5);
    assert_int_equal(pages, 3);
    expect(s, 200, "GET", NSS "?pageToken=", NULL);
    assert_int_equal(json_array_size(json_object_get(s->json, "namespaces")), 5);
    expect(s, 400, "GET", NSS "?pageToken=xyz", NULL);
    expect(s, 400, "GET", NSS "?pageSize=0", NULL);
    expect(s, 400, "GET", NSS "?pageSize=many", NULL);
}

static void test_properties_are_set_removed_and_missed(void **state)
{
    serving *s = *state;
    expect(s, 200, "POST", NSS, "{\"namespace\": [\"a\"], \"properties\": {\"x\": \"1\"}}");
    expect(s, 200, "POST", NSS "/a/properties",
           "{\"updates\": {\"y\": \"2\"}, \"removals\": [\"x\", \"z\", \"x\"]}");
    expect_json(s, "{\"updated\": [\"y\"], \"removed\": [\"x\"], \"missing\": [\"z\"]}");
    expect(s, 200, "GET", NSS "/a", NULL);
    expect_json(s, "{\"namespace\": [\"a\"], \"properties\": {\"y\": \"2\"}}");
    expect(s, 422, "POST", NSS "/a/properties",
           "{\"updates\": {\"y\": \"3\"}, \"removals\": [\"y\"]}");
    expect_error(s, "UnprocessableEntityException");
    expect(s, 404, "POST", NSS "/b/properties", "{\"updates\": {\"y\": \"3\"}}");
    expect(s, 400, "POST", NSS "/a/properties", "{\"updates\": {\"y\": 3}}");
    expect(s, 400, "POST", NSS "/a/properties", "{\"removals\": [3]}");
}

static void test_what_is_no_namespace_is_a_bad_request(void **state)
{
    serving *s = *state;
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{}",
        "{\"namespace\": []}",
        "{\"namespace\": \"a\"}",
        "{\"namespace\": [\"\"]}",
        "{\"namespace\": [1]}",
        "{\"namespace\": [\"a\\u001fb\"]}",
        "{\"namespace\": [\"a\\u0000b\"]}",
        "{\"namespace\": [\"a\"], \"namespace\": [\"b\"]}",
        "{\"namespace\": [\"a\"], \"properties\": []}",
        "{\"namespace\": [\"a\"], \"properties\": {\"x\": null}}",
        "{\"namespace\": [\"a\"]} {}",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        expect(s, 400, "POST", NSS, bad[i]);
        expect_error(s, "BadRequestException");
    }
    char *deep = firn_arena_alloc(s->arena, 200002);
    memset(deep, '[', 200001);
    deep[200001] = '\0';
    expect(s, 400, "POST", NSS, deep);
    expect(s, 200, "GET", NSS, NULL);
    expect_json(s, "{\"namespaces\": [], \"next-page-token\": null}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_create_load_and_drop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nested_namespaces_are_joined_by_the_unit_separator,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_plus_in_a_path_is_a_space_from_java_only, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_lists_come_in_pages_and_the_last_has_a_null_token,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_properties_are_set_removed_and_missed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_is_no_namespace_is_a_bad_request, setup,
                                        teardown),
    };
    return cmocka_run_group_tests_name("namespaces", tests, NULL, NULL);
}
