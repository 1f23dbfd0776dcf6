/* GET /v1/config and how requests find their way: base paths, refs, methods, errors. */
#include "serving.h"

#include "handlers.h"

static int setup(void **state)
{
    serving *s = calloc(1, sizeof(*s));
    serving_start(s, NULL);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    serving_end(*state);
    free(*state);
    return 0;
}

static const char *prefix(const serving *s)
{
    return json_string_value(json_object_get(json_object_get(s->json, "overrides"), "prefix"));
}

static void branch(serving *s, const char *name)
{
    firn_err err = {0};
    assert_int_equal(firn_catalog_ref_create(s->server->catalog, name, false, "main", &err),
                     FIRN_OK);
}

static void test_config_has_objects_a_prefix_and_no_uri(void **state)
{
    serving *s = *state;
    expect(s, 200, "GET", "/v1/config", NULL);
    assert_string_equal(prefix(s), "main");
    assert_true(json_is_object(json_object_get(s->json, "defaults")));
    const json_t *overrides = json_object_get(s->json, "overrides");
    assert_true(json_is_object(overrides));
    assert_null(json_object_get(overrides, "uri"));
    assert_null(json_object_get(json_object_get(s->json, "defaults"), "uri"));
}

static void test_endpoints_are_the_routes_that_answer(void **state)
{
    serving *s = *state;
    expect(s, 200, "GET", "/v1/config", NULL);
    const json_t *endpoints = json_object_get(s->json, "endpoints");
    assert_true(json_array_size(endpoints) >= 6);
    size_t i;
    const json_t *endpoint;
    json_array_foreach(endpoints, i, endpoint)
    {
        const char *text = json_string_value(endpoint);
        const char *space = strchr(text, ' ');
        const char *method = firn_arena_strndup(s->arena, text, (size_t)(space - text));
        const char *path = firn_str_replace(s->arena, space + 1, "{prefix}", "main");
        request(s, method, path, NULL);
        assert_int_not_equal(s->status, 405);
        const json_t *error = json_object_get(s->json, "error");
        const char *type = json_string_value(json_object_get(error, "type"));
        assert_false(type && firn_streq(type, "NoSuchEndpointException"));
    }
}

static void test_warehouse_may_be_lake_location_ref_or_both(void **state)
{
    serving *s = *state;
    branch(s, "dev");
    static const struct {
        const char *warehouse, *prefix;
    } cases[] = {{"", "main"},          {"shop", "main"},        {"dev", "dev"},
                 {"dev%7Cshop", "dev"}, {"main%7Cshop", "main"}, {"%7Cshop", "main"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        expect(s, 200, "GET",
               firn_arena_printf(s->arena, "/v1/config?warehouse=%s", cases[i].warehouse), NULL);
        assert_string_equal(prefix(s), cases[i].prefix);
    }
    expect(s, 200, "GET",
           firn_arena_printf(s->arena, "/v1/config?warehouse=%s",
                             firn_url_encode(s->arena, s->server->warehouse)),
           NULL);
    assert_string_equal(prefix(s), "main");
}

static void test_an_unknown_warehouse_is_a_typed_404(void **state)
{
    serving *s = *state;
    expect(s, 404, "GET", "/v1/config?warehouse=nowhere", NULL);
    expect_error(s, "NoSuchWarehouseException");
    expect(s, 404, "GET", "/v1/config?warehouse=main%7Cnowhere", NULL);
    expect_error(s, "NoSuchWarehouseException");
    expect(s, 404, "GET", "/iceberg/nobranch/v1/config", NULL);
    expect_error(s, "NoSuchWarehouseException");
}

static void test_the_base_uri_selects_a_ref_with_slashes_escaped_or_not(void **state)
{
    serving *s = *state;
    branch(s, "run/r-1");
    expect(s, 200, "GET", "/iceberg/v1/config", NULL);
    assert_string_equal(prefix(s), "main");
    expect(s, 200, "GET", "/iceberg/run%2Fr-1/v1/config", NULL);
    assert_string_equal(prefix(s), "run%2Fr-1");
    expect(s, 200, "GET", "/iceberg/run/r-1/v1/config", NULL);
    assert_string_equal(prefix(s), "run%2Fr-1");
    expect(s, 200, "GET", "/iceberg/run/r-1/v1/config?warehouse=shop", NULL);
    assert_string_equal(prefix(s), "run%2Fr-1");
}

static void test_a_branch_called_v1_works(void **state)
{
    serving *s = *state;
    branch(s, "v1");
    expect(s, 200, "GET", "/iceberg/v1/v1/config", NULL);
    assert_string_equal(prefix(s), "v1");
}

static void test_the_prefix_selects_a_ref_and_may_be_absent(void **state)
{
    serving *s = *state;
    branch(s, "run/r-1");
    const char *ns = "{\"namespace\": [\"a\"]}";
    expect(s, 200, "POST", "/v1/run%2Fr-1/namespaces", ns);
    expect(s, 204, "HEAD", "/v1/run/r-1/namespaces/a", NULL);
    expect(s, 204, "HEAD", "/v1/run%2Fr-1%7Cshop/namespaces/a", NULL);
    expect(s, 204, "HEAD", "/iceberg/run%2Fr-1/v1/namespaces/a", NULL);
    expect(s, 404, "HEAD", "/v1/main/namespaces/a", NULL);
    expect(s, 404, "HEAD", "/v1/namespaces/a", NULL);
    expect(s, 404, "HEAD", "/v1/shop/namespaces/a", NULL);
    expect(s, 200, "POST", "/v1/namespaces", ns);
    expect(s, 204, "HEAD", "/v1/shop/namespaces/a", NULL);
}

static void test_tags_and_commits_can_be_read_but_not_written(void **state)
{
    serving *s = *state;
    firn_err err = {0};
    expect(s, 200, "POST", "/v1/main/namespaces", "{\"namespace\": [\"a\"]}");
    assert_int_equal(firn_catalog_ref_create(s->server->catalog, "v1.0", true, "main", &err),
                     FIRN_OK);
    expect(s, 204, "HEAD", "/v1/v1.0/namespaces/a", NULL);
    expect(s, 403, "DELETE", "/v1/v1.0/namespaces/a", NULL);
    expect_error(s, "ForbiddenException");
    firn_ref ref;
    assert_int_equal(firn_catalog_ref_get(s->server->catalog, s->arena, "main", &ref, &err),
                     FIRN_OK);
    const char *at = firn_arena_printf(s->arena, "/v1/%s/namespaces/a", ref.commit_id);
    expect(s, 204, "HEAD", at, NULL);
    expect(s, 403, "DELETE", at, NULL);
}

static void test_unknown_paths_methods_and_escapes(void **state)
{
    serving *s = *state;
    expect(s, 404, "GET", "/v2/config", NULL);
    expect_error(s, "NoSuchEndpointException");
    expect(s, 404, "GET", "/", NULL);
    expect(s, 405, "PATCH", "/v1/main/namespaces", NULL);
    assert_string_equal(answer_header(s, "Allow"), "GET, POST");
    expect(s, 405, "PUT", "/v1/config", NULL);
    assert_string_equal(answer_header(s, "Allow"), "GET");
    expect(s, 400, "GET", "/v1/main/namespaces/%zz", NULL);
    expect(s, 400, "GET", "/v1/main/namespaces/%00", NULL);
    expect(s, 400, "GET", "/v1/main/namespaces/%ff", NULL);
    expect(s, 400, "GET", "/v1/main/namespaces?parent=%ff", NULL);
    expect(s, 200, "GET", "//v1//config/", NULL);
    expect(s, 200, "HEAD", "/v1/config", NULL);
}

static void test_health_answers_and_knows_the_catalog(void **state)
{
    serving *s = *state;
    expect(s, 200, "GET", "/health", NULL);
    assert_string_equal(json_string_value(json_object_get(s->json, "status")), "ok");
}

static const char *metrics(serving *s)
{
    const firn_http_request get = {
        .arena = s->arena, .method = "GET", .path = "/metrics", .peer = "127.0.0.1:1"};
    s->response = (firn_http_response){.status = 200};
    firn_serve_request(s->server, &get, &s->response);
    assert_int_equal(s->response.status, 200);
    return firn_arena_strndup(s->arena, (const char *)s->response.body.data, s->response.body.len);
}

static void test_metrics_count_what_was_answered(void **state)
{
    serving *s = *state;
    expect(s, 200, "GET", "/health", NULL);
    expect(s, 404, "GET", "/v1/namespaces/none", NULL);
    const char *text = metrics(s);
    assert_non_null(strstr(text, "firn_build_info{version=\"" FIRN_VERSION "\"} 1\n"));
    assert_non_null(strstr(text, "firn_http_requests_total{code=\"2xx\"} 1\n"));
    assert_non_null(strstr(text, "firn_http_requests_total{code=\"4xx\"} 1\n"));
    assert_non_null(strstr(text, "firn_catalog_commits_total 0\n"));
    expect(s, 200, "POST", "/v1/namespaces", "{\"namespace\": [\"counted\"]}");
    text = metrics(s);
    assert_non_null(strstr(text, "firn_http_requests_total{code=\"2xx\"} 3\n"));
    assert_non_null(strstr(text, "firn_catalog_commits_total 1\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_config_has_objects_a_prefix_and_no_uri, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_endpoints_are_the_routes_that_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_warehouse_may_be_lake_location_ref_or_both, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_an_unknown_warehouse_is_a_typed_404, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_base_uri_selects_a_ref_with_slashes_escaped_or_not,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_branch_called_v1_works, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_prefix_selects_a_ref_and_may_be_absent, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_tags_and_commits_can_be_read_but_not_written, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_unknown_paths_methods_and_escapes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_health_answers_and_knows_the_catalog, setup, teardown),
        cmocka_unit_test_setup_teardown(test_metrics_count_what_was_answered, setup, teardown),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
