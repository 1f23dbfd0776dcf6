/* Idempotency-Key: a request that comes again is answered again and not done again. */
#include "serving.h"

#define NSS    "/v1/main/namespaces"
#define TABLES NSS "/db/tables"
#define KEY_1  "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"
#define KEY_2  "017f22e2-79b0-7cc3-98c4-dc0c0c073990"
#define TABLE                                                            \
    "{\"name\": \"t\", \"schema\": {\"type\": \"struct\", \"fields\": [" \
    "{\"id\": 1, \"name\": \"id\", \"type\": \"long\", \"required\": true}]}}"

static int setup(void **state)
{
    serving *s = calloc(1, sizeof(*s));
    serving_start(s, NULL);
    expect(s, 200, "POST", NSS, "{\"namespace\": [\"db\"]}");
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    serving_end(*state);
    free(*state);
    return 0;
}

static void with_key(serving *s, const char *key)
{
    s->n_headers = 0;
    if (key) {
        send_header(s, "Idempotency-Key", key);
    }
}

static size_t commits(serving *s)
{
    firn_commit *log;
    size_t n;
    firn_err err = {0};
    assert_int_equal(firn_catalog_log(s->server->catalog, s->arena, "main", 1000, &log, &n, &err),
                     FIRN_OK);
    return n;
}

static const char *location(const serving *s)
{
    return json_string_value(json_object_get(s->json, "metadata-location"));
}

static void test_config_advertises_for_how_long(void **state)
{
    serving *s = *state;
    expect(s, 200, "GET", "/v1/config", NULL);
    assert_string_equal(json_string_value(json_object_get(s->json, "idempotency-key-lifetime")),
                        "PT24H");
}

static void test_a_create_that_comes_again_answers_the_first_one(void **state)
{
    serving *s = *state;
    with_key(s, KEY_1);
    expect(s, 200, "POST", TABLES, TABLE);
    const char *made = firn_arena_strdup(s->arena, location(s));
    size_t n = commits(s);
    expect(s, 200, "POST", TABLES, TABLE);
    assert_string_equal(location(s), made);
    with_key(s, "017F22E2-79B0-7CC3-98C4-DC0C0C07398F");
    expect(s, 200, "POST", TABLES, TABLE);
    assert_int_equal(commits(s), n);
    with_key(s, KEY_2);
    expect(s, 409, "POST", TABLES, TABLE);
}

static void test_a_commit_answers_the_state_that_it_made_then(void **state)
{
    serving *s = *state;
    expect(s, 200, "POST", TABLES, TABLE);
    const char *set_1 =
        "{\"updates\": [{\"action\": \"set-properties\", \"updates\": {\"x\": \"1\"}}]}";
    const char *set_2 =
        "{\"updates\": [{\"action\": \"set-properties\", \"updates\": {\"x\": \"2\"}}]}";
    with_key(s, KEY_1);
    expect(s, 200, "POST", TABLES "/t", set_1);
    const char *first = firn_arena_strdup(s->arena, location(s));
    with_key(s, NULL);
    expect(s, 200, "POST", TABLES "/t", set_2);
    const char *second = firn_arena_strdup(s->arena, location(s));
    size_t n = commits(s);
    with_key(s, KEY_1);
    expect(s, 200, "POST", TABLES "/t", set_1);
    assert_string_equal(location(s), first);
    assert_int_equal(commits(s), n);
    with_key(s, NULL);
    expect(s, 200, "GET", TABLES "/t", NULL);
    assert_string_equal(location(s), second);
}

static void test_a_drop_stays_done_and_a_refusal_stays_refused(void **state)
{
    serving *s = *state;
    with_key(s, KEY_1);
    expect(s, 404, "DELETE", TABLES "/t", NULL);
    with_key(s, NULL);
    expect(s, 200, "POST", TABLES, TABLE);
    with_key(s, KEY_1);
    expect(s, 404, "DELETE", TABLES "/t", NULL);
    expect_error(s, "NoSuchTableException");
    with_key(s, KEY_2);
    expect(s, 204, "DELETE", TABLES "/t", NULL);
    expect(s, 204, "DELETE", TABLES "/t", NULL);
}

static void test_answers_that_tell_of_the_state_before_are_kept(void **state)
{
    serving *s = *state;
    expect(s, 200, "POST", NSS "/db/properties", "{\"updates\": {\"a\": \"1\"}}");
    const char *remove = "{\"removals\": [\"a\", \"b\"]}";
    const char *answer = "{\"updated\": [], \"removed\": [\"a\"], \"missing\": [\"b\"]}";
    with_key(s, KEY_1);
    expect(s, 200, "POST", NSS "/db/properties", remove);
    expect_json(s, answer);
    expect(s, 200, "POST", NSS "/db/properties", remove);
    expect_json(s, answer);
    with_key(s, NULL);
    expect(s, 200, "POST", TABLES, TABLE);
    const char *file = firn_arena_strdup(s->arena, location(s));
    with_key(s, KEY_2);
    expect(s, 200, "POST", TABLES "/t/unregister", NULL);
    expect(s, 200, "POST", TABLES "/t/unregister", NULL);
    assert_string_equal(location(s), file);
}

/* The client resolves a conflict by building its change anew; that a key once lost a race must not stand in the way. */
static void test_conflicts_are_not_kept(void **state)
{
    serving *s = *state;
    expect(s, 200, "POST", TABLES, TABLE);
    const char *commit = "{\"requirements\": [{\"type\": \"assert-default-spec-id\", "
                         "\"default-spec-id\": 1}], \"updates\": []}";
    with_key(s, KEY_1);
    expect(s, 409, "POST", TABLES "/t", commit);
    with_key(s, NULL);
    expect(s, 200, "POST", TABLES "/t",
           "{\"updates\": [{\"action\": \"add-spec\", \"spec\": {\"spec-id\": 1, \"fields\": "
           "[{\"name\": \"b\", \"transform\": \"bucket[4]\", \"source-id\": 1, \"field-id\": "
           "1000}]}}, {\"action\": \"set-default-spec\", \"spec-id\": -1}]}");
    with_key(s, KEY_1);
    expect(s, 200, "POST", TABLES "/t", commit);
}

static void test_a_key_is_for_one_request_and_a_uuid(void **state)
{
    serving *s = *state;
    with_key(s, KEY_1);
    expect(s, 200, "POST", TABLES, TABLE);
    expect(s, 422, "POST", NSS, "{\"namespace\": [\"other\"]}");
    expect_error(s, "UnprocessableEntityException");
    expect(s, 422, "DELETE", TABLES "/t", NULL);
    expect(s, 200, "GET", TABLES "/t", NULL); /* not a change: the key is nothing to it */
    static const char *const bad[] = {"", "x", "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
                                      "017f22e279b07cc398c4dc0c0c07398f"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        with_key(s, bad[i]);
        expect(s, 400, "POST", NSS, "{\"namespace\": [\"other\"]}");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_config_advertises_for_how_long, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_create_that_comes_again_answers_the_first_one, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_commit_answers_the_state_that_it_made_then, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_drop_stays_done_and_a_refusal_stays_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_answers_that_tell_of_the_state_before_are_kept, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_conflicts_are_not_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_key_is_for_one_request_and_a_uuid, setup, teardown),
    };
    return cmocka_run_group_tests_name("idempotency", tests, NULL, NULL);
}
