/* The Schema Registry client against scripted exchanges: what is asked, what is kept, what each failure means. */
#include "source/registry.h"

#include "../net/scripted_server.h"
#include "base/time.h"

typedef struct setup {
    firn_registry *registry;
    scripted_server server;
    const firn_registered *schema;
    firn_err err;
} setup;

static firn_registry *registry_of(firn_registry_options options)
{
    firn_registry *registry;
    assert_int_equal(firn_registry_new(&options, &registry, NULL), FIRN_OK);
    return registry;
}

static void finish(setup *s)
{
    scripted_end(&s->server);
    firn_registry_free(s->registry);
}

#define OPTIONS(...) ((firn_registry_options){__VA_ARGS__})
#define BEGIN(s, options, ...)         \
    setup s = {0};                     \
    SCRIPT(&s.server, __VA_ARGS__);    \
    firn_registry_options o = options; \
    o.url = s.server.url;              \
    s.registry = registry_of(o)

#define NO_SCHEMA "{\"error_code\": 40403, \"message\": \"Schema not found\"}"

static firn_rc by_id(setup *s, int32_t id)
{
    firn_err_clear(&s->err);
    return firn_registry_by_id(s->registry, id, NULL, &s->schema, &s->err);
}

/* ---- lookups ---------------------------------------------------------------------------------- */

static void an_id_is_asked_for_once(void **state)
{
    (void)state;
    BEGIN(s, OPTIONS(0),
          {.request = "GET /schemas/ids/7",
           .headers = {"!Authorization"},
           .reply = "{\"schema\": \"\\\"long\\\"\", \"guid\": \"x\", \"unknown\": [1]}"});
    assert_int_equal(by_id(&s, 7), FIRN_OK);
    const firn_registered *first = s.schema;
    assert_int_equal(first->kind, FIRN_SCHEMA_AVRO);
    assert_int_equal(first->id, 7);
    assert_int_equal(first->n_references, 0);
    assert_string_equal(first->text, "\"long\"");
    assert_int_equal(by_id(&s, 7), FIRN_OK);
    assert_ptr_equal(s.schema, first);
    finish(&s);
}

static void a_guid_is_asked_for_as_text(void **state)
{
    (void)state;
    BEGIN(s, OPTIONS(0),
          {.request = "GET /schemas/guids/00112233-4455-6677-8899-aabbccddeeff",
           .reply = "{\"schema\": \"{}\", \"schemaType\": \"JSON\"}"});
    uint8_t guid[16];
    for (int i = 0; i < 16; i++)
        guid[i] = (uint8_t)(i * 0x11);
    assert_int_equal(firn_registry_by_guid(s.registry, guid, &s.schema, &s.err), FIRN_OK);
    assert_int_equal(s.schema->kind, FIRN_SCHEMA_JSON);
    assert_int_equal(s.schema->id, -1);
    finish(&s);
}

static void the_latest_version_is_asked_for_again(void **state)
{
    (void)state;
    const char *first = "{\"subject\": \"a-value\", \"id\": 1, \"version\": 1, \"schema\": "
                        "\"\\\"int\\\"\"}";
    BEGIN(s, OPTIONS(0), {.request = "GET /subjects/a-value/versions/latest", .reply = first},
          {.request = "GET /subjects/a-value/versions/latest",
           .reply = "{\"subject\": \"a-value\", \"id\": 2, \"version\": 2, \"schema\": "
                    "\"\\\"long\\\"\"}"});
    assert_int_equal(firn_registry_latest(s.registry, "a-value", 60000, &s.schema, &s.err), 0);
    assert_int_equal(s.schema->id, 1);
    assert_int_equal(s.schema->version, 1);
    assert_string_equal(s.schema->subject, "a-value");
    assert_int_equal(firn_registry_latest(s.registry, "a-value", 60000, &s.schema, &s.err), 0);
    firn_sleep_ms(2);
    assert_int_equal(firn_registry_latest(s.registry, "a-value", 0, &s.schema, &s.err), 0);
    assert_int_equal(s.schema->id, 2);
    finish(&s);
}

#define REFERENCE(name, subject, version) \
    "{\"name\": \"" name "\", \"subject\": \"" subject "\", \"version\": " #version "}"

static void references_come_before_those_that_need_them(void **state)
{
    (void)state;
    BEGIN(
        s, OPTIONS(0),
        {.request = "GET /schemas/ids/3",
         .reply = "{\"schema\": \"top\", \"schemaType\": \"PROTOBUF\", \"references\": [" REFERENCE(
             "a.proto", "a", 1) ", " REFERENCE("b/b.proto", "b/b", 4) "]}"},
        {.request = "GET /subjects/a/versions/1?deleted=true",
         .reply =
             "{\"schema\": \"text of a\", \"references\": [" REFERENCE("b/b.proto", "b/b", 4) "]}"},
        {.request = "GET /subjects/b%2Fb/versions/4?deleted=true",
         .reply = "{\"schema\": \"text of b\"}"});
    assert_int_equal(by_id(&s, 3), FIRN_OK);
    assert_int_equal(s.schema->n_references, 2);
    assert_string_equal(s.schema->references[0].name, "b/b.proto");
    assert_string_equal(s.schema->references[0].text, "text of b");
    assert_string_equal(s.schema->references[1].name, "a.proto");
    finish(&s);
}

static void references_in_a_circle_end(void **state)
{
    (void)state;
    BEGIN(s, OPTIONS(0),
          {.request = "GET /schemas/ids/3",
           .reply = "{\"schema\": \"x\", \"references\": [" REFERENCE("a", "a", 1) "]}"},
          {.request = "GET /subjects/a/versions/1?deleted=true",
           .reply = "{\"schema\": \"a\", \"references\": [" REFERENCE("a", "a", 1) "]}"});
    assert_int_equal(by_id(&s, 3), FIRN_OK);
    assert_int_equal(s.schema->n_references, 1);
    finish(&s);
}

static void a_context_stands_before_subjects(void **state)
{
    (void)state;
    BEGIN(s, OPTIONS(.context = "sales"),
          {.request = "GET /schemas/ids/3?subject=%3A.sales%3A",
           .reply = "{\"schema\": \"x\", \"references\": [" REFERENCE("a", "a", 1) "]}"},
          {.request = "GET /subjects/%3A.sales%3Aa/versions/1?deleted=true",
           .reply = "{\"schema\": \"a\"}"},
          {.request = "GET /schemas/ids/3?subject=%3A.sales%3Ao-value",
           .reply = "{\"schema\": \"x\"}"},
          {.request = "GET /subjects/%3A.other%3Ao-value/versions/latest",
           .reply = "{\"schema\": \"x\", \"version\": 1, \"id\": 1}"});
    assert_int_equal(by_id(&s, 3), FIRN_OK);
    assert_int_equal(firn_registry_by_id(s.registry, 3, "o-value", &s.schema, &s.err), FIRN_OK);
    assert_int_equal(firn_registry_latest(s.registry, ":.other:o-value", 0, &s.schema, &s.err), 0);
    finish(&s);
}

/* ---- who we are ------------------------------------------------------------------------------- */

static void credentials_go_into_a_header(void **state)
{
    (void)state;
    BEGIN(s, OPTIONS(.username = "key", .password = "secret"),
          {.request = "GET /schemas/ids/1",
           .headers = {"Authorization: Basic a2V5OnNlY3JldA=="},
           .reply = "{\"schema\": \"x\"}"});
    assert_int_equal(by_id(&s, 1), FIRN_OK);
    finish(&s);
}

static void a_token_goes_into_a_header(void **state)
{
    (void)state;
    BEGIN(s, OPTIONS(.token = "t0ken"),
          {.request = "GET /schemas/ids/1",
           .headers = {"Authorization: Bearer t0ken"},
           .status = 401,
           .reply = "{\"error_code\": 401, \"message\": \"t0ken is stale\"}"});
    assert_int_equal(by_id(&s, 1), FIRN_E_PERMISSION);
    assert_non_null(strstr(s.err.message, "*** is stale"));
    assert_null(strstr(s.err.message, "t0ken"));
    finish(&s);
}

/* ---- failures --------------------------------------------------------------------------------- */

static void an_unknown_id_is_not_asked_for_again_at_once(void **state)
{
    (void)state;
    BEGIN(s, OPTIONS(0), {.request = "GET /schemas/ids/9", .status = 404, .reply = NO_SCHEMA},
          {.request = "GET /schemas/ids/10", .reply = "{\"schema\": \"x\"}"},
          {.request = "GET /schemas/ids/9", .reply = "{\"schema\": \"x\"}"});
    assert_int_equal(by_id(&s, 9), FIRN_E_NOT_FOUND);
    assert_non_null(strstr(s.err.message, "no schema with id 9"));
    assert_int_equal(by_id(&s, 9), FIRN_E_NOT_FOUND);
    assert_int_equal(by_id(&s, 10), FIRN_OK);
    firn_sleep_ms(1050);
    assert_int_equal(by_id(&s, 9), FIRN_OK);
    finish(&s);
}

static void something_else_behind_the_url_is_no_missing_schema(void **state)
{
    (void)state;
    BEGIN(s, OPTIONS(0), {.request = "GET /schemas/ids/9", .status = 404, .reply = "<html>"},
          {.request = "GET /schemas/ids/9",
           .status = 404,
           .reply = "{\"error_code\": 404, \"message\": \"HTTP 404 Not Found\"}"},
          {.request = "GET /schemas/ids/9", .reply = "welcome"});
    for (int i = 0; i < 3; i++) {
        assert_int_equal(by_id(&s, 9), FIRN_E_CONFIG);
        assert_non_null(strstr(s.err.message, "check the registry's url"));
    }
    finish(&s);
}

static void a_registry_that_fails_is_left_alone_for_longer_and_longer(void **state)
{
    (void)state;
    BEGIN(s, OPTIONS(.pause_ms_max = 200), {.request = "GET /schemas/ids/9", .status = 500},
          {.request = "GET /schemas/ids/9", .status = 500},
          {.request = "GET /schemas/ids/9", .reply = "{\"schema\": \"x\"}"});
    assert_int_equal(by_id(&s, 9), FIRN_E_UNAVAILABLE);
    assert_true(s.err.retriable);
    assert_int_equal(by_id(&s, 9), FIRN_E_UNAVAILABLE);
    assert_non_null(strstr(s.err.message, "asked again in 0."));
    firn_sleep_ms(110);
    assert_int_equal(by_id(&s, 9), FIRN_E_UNAVAILABLE);
    firn_sleep_ms(110);
    assert_int_equal(by_id(&s, 9), FIRN_E_UNAVAILABLE); /* the pause is 200 ms now */
    firn_sleep_ms(110);
    assert_int_equal(by_id(&s, 9), FIRN_OK);
    finish(&s);
}

static void the_next_url_is_asked(void **state)
{
    (void)state;
    setup s = {0};
    SCRIPT(&s.server, {.request = "GET /schemas/ids/9", .reply = "{\"schema\": \"x\"}"},
           {.request = "GET /schemas/ids/10", .reply = "{\"schema\": \"x\"}"});
    char urls[200];
    snprintf(urls, sizeof urls, "http://127.0.0.1:1/, %s/", s.server.url);
    s.registry = registry_of(OPTIONS(.url = urls));
    assert_int_equal(by_id(&s, 9), FIRN_OK);
    assert_int_equal(by_id(&s, 10), FIRN_OK);
    finish(&s);
}

static void a_missing_reference_is_named_with_its_schema(void **state)
{
    (void)state;
    BEGIN(s, OPTIONS(0),
          {.request = "GET /schemas/ids/3",
           .reply = "{\"schema\": \"x\", \"references\": [" REFERENCE("a", "a", 1) "]}"},
          {.request = "GET /subjects/a/versions/1?deleted=true",
           .status = 404,
           .reply = "{\"error_code\": 40402, \"message\": \"Version 1 not found\"}"});
    assert_int_equal(by_id(&s, 3), FIRN_E_NOT_FOUND);
    assert_non_null(strstr(s.err.message, "schema with id 3"));
    assert_non_null(strstr(s.err.message, "version 1 of subject a"));
    finish(&s);
}

static void urls_are_checked_at_once(void **state)
{
    (void)state;
    firn_registry *registry;
    firn_err err;
    const char *const bad[] = {NULL, "", " , ", "localhost:8081", "http://a,ftp://b"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(firn_registry_new(&OPTIONS(.url = bad[i]), &registry, &err),
                         FIRN_E_CONFIG);
    }
}

static void subjects_are_named_by_strategy(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    assert_string_equal(firn_subject_name(arena, FIRN_SUBJECT_TOPIC, "t", NULL, true), "t-key");
    assert_string_equal(firn_subject_name(arena, FIRN_SUBJECT_TOPIC, "t", "r", false), "t-value");
    assert_string_equal(firn_subject_name(arena, FIRN_SUBJECT_RECORD, "t", "a.r", false), "a.r");
    assert_string_equal(firn_subject_name(arena, FIRN_SUBJECT_TOPIC_RECORD, "t", "a.r", false),
                        "t-a.r");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_is_asked_for_once),
        cmocka_unit_test(a_guid_is_asked_for_as_text),
        cmocka_unit_test(the_latest_version_is_asked_for_again),
        cmocka_unit_test(references_come_before_those_that_need_them),
        cmocka_unit_test(references_in_a_circle_end),
        cmocka_unit_test(a_context_stands_before_subjects),
        cmocka_unit_test(credentials_go_into_a_header),
        cmocka_unit_test(a_token_goes_into_a_header),
        cmocka_unit_test(an_unknown_id_is_not_asked_for_again_at_once),
        cmocka_unit_test(something_else_behind_the_url_is_no_missing_schema),
        cmocka_unit_test(a_registry_that_fails_is_left_alone_for_longer_and_longer),
        cmocka_unit_test(the_next_url_is_asked),
        cmocka_unit_test(a_missing_reference_is_named_with_its_schema),
        cmocka_unit_test(urls_are_checked_at_once),
        cmocka_unit_test(subjects_are_named_by_strategy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
