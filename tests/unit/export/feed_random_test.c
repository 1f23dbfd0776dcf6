/* Random feeds, valid and broken, are taken or refused for the right reason. FIRN_TEST_SEED repeats one round. */
#include "feed_cases.h"

#include "base/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { ROUNDS = 20, FEEDS = 100 };

/* ---- valid ones ---------------------------------------------------------------------------------------- */

static const char *text_at(const json_t *json, const char *key, const char *def)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text != NULL ? text : def;
}

static int64_t number_at(const json_t *json, const char *key, int64_t def)
{
    const json_t *number = json_object_get(json, key);
    return number != NULL ? json_integer_value(number) : def;
}

static const char *refuted(firn_arena *arena, const feed_case *c, const firn_export_feed *feed)
{
    bool stream = c->kind == 's', once = c->mode == 'i';
    int64_t versions = c->partitioning == 'v' && !once ? 7 : 0;
    const char *table = firn_arena_printf(arena, "%s.%s", stream ? "streams" : "tables", c->name);
    if (feed->wait_ms != number_at(c->json, "wait_ms", 2000)) {
        return "wait_ms";
    }
    const char *permissions = text_at(c->json, "permissions", stream ? "750" : "755");
    const json_t *columns = json_object_get(json_object_get(c->json, "partitioning"), "columns");
    size_t n_columns = columns != NULL          ? json_array_size(columns)
                       : c->partitioning == 'd' ? 3
                                                : c->partitioning == 'v';
    if (feed->kind != (stream ? FIRN_EXPORT_STREAM : FIRN_EXPORT_TABLE)) {
        return "kind";
    }
    if ("dvn"[feed->partitioning] != c->partitioning || feed->n_columns != n_columns) {
        return "partitioning";
    }
    if ("aoi"[feed->mode] != c->mode) {
        return "mode";
    }
    if (feed->retention_days != number_at(c->json, "retention_days", 0) ||
        feed->retention_versions != number_at(c->json, "retention_versions", versions)) {
        return "retention";
    }
    if (feed->permissions != (int)strtol(permissions, NULL, 8)) {
        return "permissions";
    }
    if (feed->enabled != (json_object_get(c->json, "enabled") != json_false())) {
        return "enabled";
    }
    return !firn_streq(feed->table, text_at(c->json, "table", table)) ? "table"
           : !firn_streq(feed->compression, text_at(c->json, "compression", "snappy"))
               ? "compression"
           : !firn_streq(feed->ref, text_at(c->json, "ref", "main"))               ? "ref"
           : feed->by_kafka != firn_streq(text_at(c->json, "resume", ""), "kafka") ? "resume"
                                                                                   : NULL;
}

static void expect_taken(firn_arena *arena, const feed_case *c, uint64_t seed)
{
    firn_export_feed feed;
    firn_err err = {0};
    if (firn_export_feed_parse(arena, firn_bytes_str(c->text), "f.json", c->name, &feed, &err) !=
        FIRN_OK) {
        fail_msg("seed %llu: refused, though it is valid: %s\n%s", (unsigned long long)seed,
                 err.message, c->text);
    }
    const char *wrong = refuted(arena, c, &feed);
    if (wrong != NULL) {
        fail_msg("seed %llu: %s is not what the file says:\n%s", (unsigned long long)seed, wrong,
                 c->text);
    }
}

/* ---- broken ones --------------------------------------------------------------------------------------- */

/* The line of "key": in the text; 0: it is not there, or there several times. */
static int line_of(const char *text, const char *key)
{
    char quoted[64];
    const char *dot = strrchr(key, '.');
    snprintf(quoted, sizeof(quoted), "\"%s\":", dot != NULL ? dot + 1 : key);
    const char *at = strstr(text, quoted);
    if (dot != NULL && strstr(text, key) != NULL) { /* written with its dot */
        snprintf(quoted, sizeof(quoted), "\"%s\":", key);
        at = strstr(text, quoted);
    }
    if (at == NULL || strstr(at + 1, quoted) != NULL) {
        return 0;
    }
    int line = 1;
    for (const char *p = text; p < at; p++) {
        line += *p == '\n';
    }
    return line;
}

static bool is_right(const feed_case *c, firn_rc rc, const firn_err *err)
{
    if (rc != FIRN_E_CONFIG || !firn_starts_with(err->message, "f.json:") ||
        strstr(err->message, c->reason) == NULL) {
        return false;
    }
    int line = c->key != NULL ? line_of(c->text, c->key) : 0;
    int said = atoi(err->message + strlen("f.json:"));
    return c->key == NULL || (strstr(err->message, c->key) != NULL &&
                              (line == 0 || said == line || firn_starts_with(c->key, "quality.")));
}

static void expect_refused(firn_arena *arena, const feed_case *c, uint64_t seed)
{
    firn_export_feed feed;
    firn_err err = {0};
    firn_rc rc =
        firn_export_feed_parse(arena, firn_bytes_str(c->text), "f.json", c->name, &feed, &err);
    if (!is_right(c, rc, &err)) {
        fail_msg("seed %llu: %s: %s must be named, line %d, with \"%s\", but it is: %s\n%s",
                 (unsigned long long)seed, c->mutation, c->key != NULL ? c->key : "nothing",
                 c->key != NULL ? line_of(c->text, c->key) : 0, c->reason, err.message, c->text);
    }
}

static void one_round(uint64_t seed)
{
    feed_random r = {seed};
    for (size_t i = 0; i < FEEDS; i++) {
        FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
        if (feed_below(&r, 5) < 2) {
            feed_case c = feed_case_valid(arena, &r, "some_feed");
            expect_taken(arena, &c, seed);
        } else {
            feed_case c = feed_case_broken(arena, &r, "some_feed");
            expect_refused(arena, &c, seed);
        }
    }
}

static void random_feeds_are_taken_or_refused_for_the_right_reason(void **state)
{
    (void)state;
    const char *given = getenv("FIRN_TEST_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)firn_now_us();
    print_message("# seed %llu, and %d rounds of %d feeds behind it\n", (unsigned long long)seed,
                  ROUNDS, FEEDS);
    for (uint64_t i = 0; i < ROUNDS; i++) {
        one_round(seed + i);
    }
}

/* Each of the mutations on a feed that it is for, so that no round can miss one. */
static void every_mutation_is_refused_for_the_right_reason(void **state)
{
    (void)state;
    for (size_t m = 0; m < FEED_N_MUTATIONS; m++) {
        feed_random r = {m};
        FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
        feed_case c = feed_case_valid(arena, &r, "some_feed");
        for (size_t tries = 0; !feed_matches(&c, &FEED_MUTATIONS[m]); tries++) {
            assert_true(tries < 1000);
            c = feed_case_valid(arena, &r, "some_feed");
        }
        feed_mutate(arena, &FEED_MUTATIONS[m], &c);
        expect_refused(arena, &c, m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_feeds_are_taken_or_refused_for_the_right_reason),
        cmocka_unit_test(every_mutation_is_refused_for_the_right_reason),
    };
    return cmocka_run_group_tests_name("export/feed_random", tests, NULL, NULL);
}
