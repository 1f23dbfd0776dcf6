/* firn.yaml: what parses, what is refused and in which words, and that everything made from the key table agrees. */
#include "lake/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static firn_config parse(firn_arena *arena, const char *text)
{
    firn_config config;
    firn_err err = {0};
    if (firn_config_parse(arena, firn_bytes_str(text), "firn.yaml", &config, &err) != FIRN_OK) {
        fail_msg("%s", err.message);
    }
    return config;
}

static void refuses(const char *text, const char *words)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_config config;
    firn_err err = {0};
    assert_int_equal(firn_config_parse(arena, firn_bytes_str(text), "firn.yaml", &config, &err),
                     FIRN_E_CONFIG);
    if (strstr(err.message, words) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", words, err.message);
    }
}

static void empty_file_is_all_defaults(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_config config = parse(arena, "");
    assert_string_equal(config.warehouse, "warehouse");
    assert_string_equal(config.catalog, ".firn/catalog.db");
    assert_int_equal(config.catalog_busy_ms, 30000);
    assert_int_equal(config.engine_memory_bytes, 0);
    assert_int_equal(config.manifest_cache_bytes, 256000000);
    assert_int_equal(config.target_file_bytes, 512000000);
    assert_int_equal(config.format_version, 2);
    assert_string_equal(config.compression, "zstd");
    assert_int_equal(config.n_aliases, 0);
}

static void values_have_units(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_config config = parse(
        arena,
        "engine:\n  memory_limit: 1.5GiB\n  threads: 3\n"
        "catalog:\n  busy_timeout: 500ms\nwrite: {target_file_size: 64 MB, format_version: 3}\n");
    assert_int_equal(config.engine_memory_bytes, INT64_C(1610612736));
    assert_int_equal(config.engine_threads, 3);
    assert_int_equal(config.catalog_busy_ms, 500);
    assert_int_equal(config.target_file_bytes, 64000000);
    assert_int_equal(config.format_version, 3);
    config = parse(arena, "catalog: {busy_timeout: 0}\nengine: {manifest_cache: 0}\n");
    assert_int_equal(config.catalog_busy_ms, 0);
    assert_int_equal(config.manifest_cache_bytes, 0);
}

/* What stands in tokens and secrets must never come out again in a message. */
static void server_keys_and_their_secrets(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_config config =
        parse(arena, "serve:\n  http: \"[::1]:9000\"\n  auth: token\n  insecure: true\n"
                     "  tokens:\n    - {name: ann, token: s3cret, role: writer}\n"
                     "  clients: [{id: spark, secret: 12345, role: admin}]\n");
    assert_string_equal(config.serve_http, "[::1]:9000");
    assert_true(config.serve_insecure);
    assert_int_equal(config.n_serve_tokens, 1);
    assert_string_equal(config.serve_tokens[0].name, "ann");
    assert_string_equal(config.serve_tokens[0].token, "s3cret");
    assert_string_equal(config.serve_tokens[0].role, "writer");
    assert_int_equal(config.n_serve_clients, 1);
    assert_string_equal(config.serve_clients[0].secret, "12345");
    assert_int_equal(config.serve_token_ms, 3600000);
    assert_null(config.serve_tls_cert);
    refuses("serve:\n  tokens:\n    - {name: ann, token: s3cret}\n",
            "firn.yaml:3: item 1 of serve.tokens must have exactly name, token, role");
    refuses("serve:\n  tokens:\n    - {name: ann, token: s3cret, role: \"\"}\n",
            "must have exactly");
    refuses("serve: {auth: open}\n", "one of none, token");
    refuses("serve: {insecure: maybe}\n", "true or false");
    firn_err err = {0};
    const char *text = "serve:\n  tokens:\n    - {name: ann, token: s3cret, rule: writer}\n";
    assert_int_equal(firn_config_parse(arena, firn_bytes_str(text), "firn.yaml", &config, &err),
                     FIRN_E_CONFIG);
    assert_null(strstr(err.message, "s3cret"));
}

static void sources_are_connections(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    setenv("FIRN_TEST_PW", "hunter2", 1);
    firn_config config =
        parse(arena, "sources:\n"
                     "  - name: shop\n    kafka: b1:9092,b2:9092\n    security: SASL_SSL\n"
                     "    mechanism: scram-sha-512\n    username: ann\n"
                     "    password: \"${FIRN_TEST_PW}\"\n    ca_file: ca.pem\n"
                     "    properties: {fetch.min.bytes: 10, debug: cgrp}\n"
                     "    registry: \"http://r:8081\"\n    registry_context: \":.x:\"\n"
                     "  - {name: other, kafka: c:9092, oauth_url: \"https://id/token\"}\n");
    unsetenv("FIRN_TEST_PW");
    assert_int_equal(config.n_sources, 2);
    const firn_source_config *shop;
    assert_int_equal(firn_source_config_find(&config, FIRN_SOURCE_KAFKA, "shop", &shop, NULL),
                     FIRN_OK);
    assert_int_equal(shop->kind, FIRN_SOURCE_KAFKA);
    assert_string_equal(shop->kafka, "b1:9092,b2:9092");
    assert_string_equal(shop->security, "sasl_ssl");
    assert_string_equal(shop->mechanism, "SCRAM-SHA-512");
    assert_string_equal(shop->password, "hunter2");
    assert_string_equal(shop->ca_file, "ca.pem");
    assert_int_equal(json_integer_value(json_object_get(shop->properties, "fetch.min.bytes")), 10);
    assert_string_equal(shop->registry_context, ":.x:");
    assert_null(shop->cert_file);
    const firn_source_config *other;
    assert_int_equal(firn_source_config_find(&config, FIRN_SOURCE_KAFKA, "other", &other, NULL),
                     FIRN_OK);
    assert_string_equal(other->oauth_url, "https://id/token");
    firn_err err = {0};
    assert_int_equal(firn_source_config_find(&config, FIRN_SOURCE_KAFKA, "shopp", &other, &err),
                     FIRN_E_CONFIG);
    assert_non_null(strstr(err.message, "Did you mean \"shop\"?"));
    assert_int_equal(firn_source_config_find(&config, FIRN_SOURCE_KAFKA, "zebra", &other, &err),
                     FIRN_E_CONFIG);
    assert_non_null(strstr(err.message, "it has shop, other"));
    assert_int_equal(firn_source_config_find(&config, FIRN_SOURCE_KAFKA, NULL, &other, &err),
                     FIRN_E_CONFIG);
    assert_non_null(strstr(err.message, "say which one"));
    config = parse(arena, "sources: [{name: only, kafka: \"c:9092\"}]\n");
    assert_int_equal(firn_source_config_find(&config, FIRN_SOURCE_KAFKA, NULL, &other, NULL),
                     FIRN_OK);
    assert_string_equal(other->name, "only");
    config = parse(arena, "");
    assert_int_equal(firn_source_config_find(&config, FIRN_SOURCE_KAFKA, "shop", &other, &err),
                     FIRN_E_CONFIG);
    assert_non_null(strstr(err.message, "firn.yaml has no kafka sources"));
}

static void schedules_are_commands_and_times(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_config config = parse(
        arena,
        "schedules:\n  - name: nightly\n    cron: \"0 2 * * *\"\n    run: firn export  --all\n"
        "    timezone: Europe/Paris\n    timeout: 2h\n    catch_up: true\n"
        "  - {name: look, cron: \"@hourly\", run: \"sql -c \\\"select 'a|b' > 'c'\\\" 'x y'z\", enabled: "
        "false}\n");
    assert_int_equal(config.n_schedules, 2);
    const firn_schedule_config *s = config.schedules;
    assert_string_equal(s[0].name, "nightly");
    assert_string_equal(s[0].timezone, "Europe/Paris");
    assert_int_equal(s[0].timeout_ms, 7200000);
    assert_true(s[0].catch_up && s[0].enabled);
    assert_int_equal(s[0].line, 2);
    assert_int_equal(s[0].n_words, 2);
    assert_string_equal(s[0].words[0], "export"); /* "firn" may stand there or not */
    assert_string_equal(s[0].words[1], "--all");
    assert_null(s[0].words[2]);
    assert_true(firn_cron_next_us(&s[0].when, NULL, 0) == INT64_C(7200000000));
    assert_int_equal(s[1].n_words, 4);
    assert_string_equal(s[1].words[2], "select 'a|b' > 'c'");
    assert_string_equal(s[1].words[3], "x yz");
    assert_string_equal(s[1].timezone, "UTC");
    assert_false(s[1].catch_up || s[1].enabled);
    const firn_schedule_config *found = NULL;
    firn_err err = {0};
    assert_int_equal(firn_schedule_config_find(&config, "look", &found, &err), FIRN_OK);
    assert_ptr_equal(found, &s[1]);
    assert_int_equal(firn_schedule_config_find(&config, "nigthly", &found, &err), FIRN_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "Did you mean nightly?"));
}

static void wrong_schedules_are_refused(void **state)
{
    (void)state;
    refuses("schedules: {name: a}\n", "must be a list");
    refuses("schedules: [a]\n", "must be a mapping");
    refuses("schedules:\n  - {name: a, run: status}\n", "firn.yaml:2: a schedule needs a cron");
    refuses("schedules: [{name: a, cron: \"0 2 * * *\"}]\n", "a schedule needs a run");
    refuses("schedules: [{cron: \"0 2 * * *\", run: status}]\n", "a schedule needs a name");
    refuses("schedules: [{name: a b, cron: \"@daily\", run: status}]\n", "letters, digits");
    refuses("schedules: [{name: ../x, cron: \"@daily\", run: status}]\n", "letters, digits");
    refuses("schedules:\n  - name: a\n    cron: \"0 25 * * *\"\n    run: status\n",
            "firn.yaml:3: the hour \"25\" of a cron line must be 0 to 23");
    refuses("schedules: [{name: a, cron: \"@daily\", run: status, time_zone: UTC}]\n",
            "Did you mean \"timezone\"?");
    refuses("schedules: [{name: a, cron: \"@daily\", run: status, timeout: soon}]\n", "a duration");
    refuses("schedules: [{name: a, cron: \"@daily\", run: status, catch_up: maybe}]\n",
            "true or false");
    refuses(
        "schedules: [{name: a, cron: \"@daily\", run: \"export --all >> x.log\"}]\n",
        "`run` is read without a shell, so \">>\" does nothing; output goes to logs/schedule_a.log");
    refuses("schedules: [{name: a, cron: \"@daily\", run: \"sql -c 'select\"}]\n", "is not closed");
    refuses("schedules: [{name: a, cron: \"@daily\", run: \"firn\"}]\n",
            "must be a command of firn");
    refuses("schedules: [{name: a, cron: \"@daily\", run: \"export --lake x\"}]\n",
            "leave --lake out");
    refuses("schedules: [{name: a, cron: \"@daily\", run: \"serve\"}]\n", "makes no sense");
    refuses(
        "schedules:\n  - {name: a, cron: \"@daily\", run: status}\n  - {name: a, cron: \"@daily\", run: "
        "status}\n",
        "firn.yaml:3: there is a schedule \"a\" already, on line 2");
}

static void wrong_sources_are_refused(void **state)
{
    (void)state;
    refuses("sources: {name: a}\n", "must be a list");
    refuses("sources: [a]\n", "must be a mapping");
    refuses("sources:\n  - {kafka: \"a:1\"}\n", "firn.yaml:2: a source needs a name");
    refuses("sources:\n  - {name: a}\n", "does not say where it is");
    refuses("sources:\n  - name: a\n    kafka: \"a:1\"\n    pasword: hunter2\n",
            "firn.yaml:4: a source has no member \"pasword\". Did you mean \"password\"?");
    refuses("sources:\n  - {name: a, kafka: \"a:1\"}\n  - {name: a, kafka: \"b:1\"}\n",
            "firn.yaml:3: there is a source \"a\" already, on line 2");
    refuses("sources: [{name: a, kafka: [b, c]}]\n", "must be a non-empty text");
    refuses("sources: [{name: a, kafka: b, registry: \"r:8081\"}]\n", "must start with http://");
    refuses("sources: [{name: a, kafka: b, properties: x}]\n", "must be a mapping");
    refuses("sources: [{name: a, kafka: b, properties: {x: [1]}}]\n", "must be a single value");
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_config config;
    firn_err err = {0};
    const char *text = "sources: [{name: a, kafka: b, mechanism: hunter2}]\n";
    assert_int_equal(firn_config_parse(arena, firn_bytes_str(text), "firn.yaml", &config, &err),
                     FIRN_E_CONFIG);
    assert_null(strstr(err.message, "hunter2"));
    assert_non_null(strstr(err.message, "PLAIN, SCRAM-SHA-256"));
}

static void aliases_are_pairs(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_config config = parse(
        arena,
        "storage:\n  aliases:\n    - {from: \"s3://a\", to: /mnt/a}\n    - {from: /b, to: c}\n");
    assert_int_equal(config.n_aliases, 2);
    assert_string_equal(config.aliases[0].from, "s3://a");
    assert_string_equal(config.aliases[1].to, "c");
    refuses("storage:\n  aliases:\n    - {from: x}\n", "firn.yaml:3: item 1 of storage.aliases");
    refuses("storage: {aliases: 5}\n", "must be a list");
}

static void environment_is_read(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    setenv("FIRN_TEST_THREADS", "7", 1);
    firn_config config = parse(
        arena,
        "engine: {threads: \"${FIRN_TEST_THREADS}\"}\nwarehouse: ${FIRN_TEST_NONE:-elsewhere}\n");
    assert_int_equal(config.engine_threads, 7);
    assert_string_equal(config.warehouse, "elsewhere");
}

static void mistakes_are_named_with_line_and_nearest_key(void **state)
{
    (void)state;
    refuses("lake:\n  name: x\nengin:\n  threads: 1\n",
            "firn.yaml:3: there is no key \"engin\". Did you mean \"engine\"?");
    refuses("engine:\n  thread: 1\n",
            "firn.yaml:2: there is no key \"engine.thread\". Did you mean \"engine.threads\"?");
    refuses("threads: 1\n", "Did you mean \"engine.threads\"?");
    refuses("\nzzzzzzzzzzzz: 1\n", "firn.yaml:2: there is no key \"zzzzzzzzzzzz\"");
    refuses("engine: 5\n", "\"engine\" is a section");
    refuses("engine: {threads: many}\n",
            "engine.threads is \"many\", but it must be a whole number");
    refuses("engine: {threads: -1}\n", "at least 0 and at most 1024");
    refuses("engine: {memory_limit: 5 parsecs}\n", "a size such as");
    refuses("catalog: {busy_timeout: 2 days}\n", "a duration such as");
    refuses("catalog: {busy_timeout: 30}\n", "a duration such as");
    refuses("write: {format_version: 1}\n", "at least 2 and at most 3");
    refuses("write: {compression: zip}\n", "one of zstd, snappy, gzip, lz4, uncompressed");
    refuses("write: {compression: \"\"}\n", "one of");
    refuses("warehouse: [a, b]\n", "must be a single value");
    refuses("- a\n", "\"key: value\" lines");
}

static void template_gives_back_its_name_and_defaults(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_config config =
        parse(arena, firn_config_template(arena, &(firn_config_choices){.name = "it's: \"odd\""}));
    firn_config defaults = parse(arena, "");
    assert_string_equal(config.name, "it's: \"odd\"");
    assert_string_equal(config.warehouse, defaults.warehouse);
    assert_int_equal(config.target_file_bytes, defaults.target_file_bytes);
    assert_int_equal(config.catalog_busy_ms, defaults.catalog_busy_ms);
}

static void template_keeps_where_the_catalog_is(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_config_choices choices = {
        .name = "x", .catalog_uri = "postgresql://a:${FIRN_TEST_PW}@h/d", .catalog_schema = "shop"};
    const char *text = firn_config_template(arena, &choices);
    assert_non_null(strstr(text, "${FIRN_TEST_PW}")); /* the secret itself is not in the file */
    setenv("FIRN_TEST_PW", "s3cret", 1);
    firn_config config = parse(arena, text);
    unsetenv("FIRN_TEST_PW");
    assert_string_equal(config.catalog_uri, "postgresql://a:s3cret@h/d");
    assert_string_equal(config.catalog_schema, "shop");
    assert_int_equal(config.catalog_pool, 16);
    assert_null(
        parse(arena, firn_config_template(arena, &(firn_config_choices){.name = "x"})).catalog_uri);
}

/* What stands commented out in the file can be switched on as it is. */
static void commented_keys_are_valid(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    static const char *const LINES[] = {"  # busy_timeout: 30s", "  # memory_limit: 0",
                                        "  # threads: 0",        "  # aliases: []",
                                        "  # compression: zstd", "# pipelines: pipelines"};
    char *text = firn_config_template(arena, &(firn_config_choices){.name = "x"});
    for (size_t i = 0; i < sizeof(LINES) / sizeof(LINES[0]); i++) {
        assert_non_null(strstr(text, LINES[i]));
        text = firn_str_replace(arena, text, LINES[i], firn_str_replace(arena, LINES[i], "# ", ""));
    }
    firn_config config = parse(arena, text);
    assert_string_equal(config.compression, "zstd");
    assert_int_equal(config.catalog_busy_ms, 30000);
}

static void reference_has_every_key_of_the_template(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const char *reference = firn_config_reference(arena);
    static const char *const KEYS[] = {"lake.name",           "catalog.busy_timeout",
                                       "engine.memory_limit", "write.compression",
                                       "storage.aliases",     "pipelines"};
    for (size_t i = 0; i < sizeof(KEYS) / sizeof(KEYS[0]); i++) {
        assert_non_null(strstr(reference, firn_arena_printf(arena, "| `%s` |", KEYS[i])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_file_is_all_defaults),
        cmocka_unit_test(values_have_units),
        cmocka_unit_test(server_keys_and_their_secrets),
        cmocka_unit_test(sources_are_connections),
        cmocka_unit_test(wrong_sources_are_refused),
        cmocka_unit_test(schedules_are_commands_and_times),
        cmocka_unit_test(wrong_schedules_are_refused),
        cmocka_unit_test(aliases_are_pairs),
        cmocka_unit_test(environment_is_read),
        cmocka_unit_test(mistakes_are_named_with_line_and_nearest_key),
        cmocka_unit_test(template_gives_back_its_name_and_defaults),
        cmocka_unit_test(template_keeps_where_the_catalog_is),
        cmocka_unit_test(commented_keys_are_valid),
        cmocka_unit_test(reference_has_every_key_of_the_template),
    };
    return cmocka_run_group_tests_name("lake/config", tests, NULL, NULL);
}
