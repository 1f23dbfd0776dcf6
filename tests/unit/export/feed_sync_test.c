/* What a server has, held against the feeds: which would be added, under which name, and what is gone. No server is asked here. */
#include "export/sync.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static firn_arena *arena; /* of the test */

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

static firn_export_listed listed(const char *name, const char *source, firn_export_kind kind)
{
    firn_export_listed out = {.name = name};
    const firn_export_new options = {.name = name, .source = source, .kind = kind};
    const char *text = firn_export_feed_text(arena, firn_export_feed_json(arena, &options));
    assert_int_equal(
        firn_export_feed_parse(arena, firn_bytes_str(text), "f.json", name, &out.feed, NULL),
        FIRN_OK);
    return out;
}

static firn_sync_row *plan(const firn_sync_input *input, size_t n_wanted)
{
    firn_sync_row *rows = NULL;
    firn_err err = {0};
    size_t n = 0;
    if (firn_export_sync_plan(arena, input, &rows, &n, &err) != FIRN_OK) {
        fail_msg("%s", err.message);
    }
    if (n != n_wanted) {
        for (size_t i = 0; i < n; i++) {
            print_message("%s %d %s\n", rows[i].source, rows[i].state,
                          rows[i].why != NULL ? rows[i].why : "");
        }
        fail_msg("%zu rows instead of %zu", n, n_wanted);
    }
    return rows;
}

static const char *text_at(const json_t *json, const char *key)
{
    return json_string_value(json_object_get(json, key));
}

static void streams_and_tables_get_feeds(void **state)
{
    (void)state;
    static const firn_ksqldb_object OBJECTS[] = {
        {.name = "PAYMENTS", .topic = "payments"},
        {.name = "PAYMENTS_ANONYMIZED", .topic = "p2"},
        {.name = "PAYMENTS_BLACKLISTED", .topic = "p3"},
        {.name = "TOTALS", .is_table = true, .topic = "TOTALS"},
    };
    const firn_sync_input input = {
        .objects = OBJECTS, .n_objects = 4, .server = "ksql", .only_server = true};
    firn_sync_row *rows = plan(&input, 4);
    static const char *const NAMES[] = {"payments", "payments_anonymized", "payments_blacklisted",
                                        "totals"};
    static const int64_t DAYS[] = {365, 730, 365, 0};
    static const char *const PERMISSIONS[] = {NULL, "755", "750", NULL};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(rows[i].state, FIRN_SYNC_NEW);
        assert_string_equal(rows[i].feed, NAMES[i]);
        assert_string_equal(text_at(rows[i].json, "ksqldb_source"), NAMES[i]);
        assert_int_equal(json_integer_value(json_object_get(rows[i].json, "retention_days")),
                         DAYS[i]);
        const char *permissions = text_at(rows[i].json, "permissions");
        assert_true((permissions == NULL) == (PERMISSIONS[i] == NULL));
        assert_true(permissions == NULL || firn_streq(permissions, PERMISSIONS[i]));
        assert_null(json_object_get(rows[i].json, "server"));
    }
    assert_int_equal(json_integer_value(json_object_get(rows[3].json, "retention_versions")), 7);
}

static void what_has_a_feed_gets_no_second(void **state)
{
    (void)state;
    static const firn_ksqldb_object OBJECTS[] = {
        {.name = "A"}, {.name = "B"}, {.name = "C"}, {.name = "Mixed"}};
    firn_export_listed feeds[] = {
        listed("a", "a", FIRN_EXPORT_STREAM), listed("under_another_name", "B", FIRN_EXPORT_STREAM),
        listed("c", "c", FIRN_EXPORT_STREAM), listed("mixed", "`Mixed`", FIRN_EXPORT_STREAM)};
    feeds[2].archived = true;
    const firn_sync_input input = {
        .objects = OBJECTS, .n_objects = 4, .feeds = feeds, .n_feeds = 4, .only_server = true};
    firn_sync_row *rows = plan(&input, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(rows[i].state, FIRN_SYNC_HAS_FEED);
        assert_string_equal(rows[i].feed, feeds[i].name);
        assert_int_equal(rows[i].archived, i == 2);
    }
}

static void names_that_no_feed_can_have_are_said(void **state)
{
    (void)state;
    static const firn_ksqldb_object OBJECTS[] = {
        {.name = "Mixed"},  {.name = "MIXED"},  {.name = "a b"},   {.name = "../etc"},
        {.name = "BROKEN"}, {.name = "KAFKAS"}, {.name = "OTHERS"}};
    firn_export_listed feeds[] = {listed("others", "something", FIRN_EXPORT_TABLE),
                                  {.name = "broken", .broken = "it is"}};
    static const char *const TAKEN[] = {"kafkas"};
    const firn_sync_input input = {.objects = OBJECTS,
                                   .n_objects = 7,
                                   .feeds = feeds,
                                   .n_feeds = 2,
                                   .only_server = true,
                                   .taken = TAKEN,
                                   .n_taken = 1};
    firn_sync_row *rows = plan(&input, 8);
    static const char *const WHY[] = {
        NULL,
        "feed mixed is for Mixed; give it another name: firn feed add "
        "NAME --type stream --source 'MIXED'",
        "a feed cannot be called \"a b\"",
        "a feed cannot be called \"../etc\"",
        "feed broken cannot be read",
        "feed kafkas is from Kafka",
        "feed others is for table something"};
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(rows[i].state, WHY[i] == NULL ? FIRN_SYNC_NEW : FIRN_SYNC_LEFT_OUT);
        if (WHY[i] != NULL && strstr(rows[i].why, WHY[i]) == NULL) {
            fail_msg("%s", rows[i].why);
        }
    }
    assert_string_equal(text_at(rows[0].json, "ksqldb_source"), "Mixed"); /* it is quoted there */
    assert_int_equal(rows[7].state, FIRN_SYNC_GONE);
}

/* `orders` and ORDERS are two: the second one's feed must not read the first. */
static void names_that_differ_in_case_only(void **state)
{
    (void)state;
    static const firn_ksqldb_object OBJECTS[] = {{.name = "ORDERS"}, {.name = "orders"}};
    firn_sync_input input = {.objects = OBJECTS, .n_objects = 2, .only_server = true};
    firn_sync_row *rows = plan(&input, 2);
    assert_string_equal(text_at(rows[0].json, "ksqldb_source"), "ORDERS");
    assert_int_equal(rows[1].state, FIRN_SYNC_LEFT_OUT);
    const firn_export_listed feeds[] = {listed("lower", "orders", FIRN_EXPORT_STREAM)};
    input.feeds = feeds;
    input.n_feeds = 1;
    rows = plan(&input, 2);
    assert_int_equal(rows[0].state, FIRN_SYNC_NEW);
    assert_int_equal(rows[1].state, FIRN_SYNC_HAS_FEED);
}

static void the_servers_own_log_is_left_out_unless_named(void **state)
{
    (void)state;
    static const firn_ksqldb_object OBJECTS[] = {
        {.name = "KSQL_PROCESSING_LOG", .topic = "default_ksql_processing_log"}, {.name = "S"}};
    static const char *const NAMES[] = {"ksql_processing_log"};
    firn_sync_input input = {.objects = OBJECTS, .n_objects = 2, .only_server = true};
    firn_sync_row *rows = plan(&input, 2);
    assert_int_equal(rows[0].state, FIRN_SYNC_LEFT_OUT);
    assert_non_null(strstr(rows[0].why, "name it to add it"));
    assert_int_equal(rows[1].state, FIRN_SYNC_NEW);
    input.names = NAMES;
    input.n_names = 1;
    rows = plan(&input, 1);
    assert_int_equal(rows[0].state, FIRN_SYNC_NEW);
}

static void what_is_gone_is_said(void **state)
{
    (void)state;
    static const firn_ksqldb_object OBJECTS[] = {{.name = "B", .is_table = true}};
    firn_export_listed feeds[] = {listed("a", "a", FIRN_EXPORT_STREAM),
                                  listed("b", "b", FIRN_EXPORT_STREAM),
                                  listed("c", "c", FIRN_EXPORT_STREAM)};
    feeds[2].archived = true; /* nobody exports it */
    const firn_sync_input input = {
        .objects = OBJECTS, .n_objects = 1, .feeds = feeds, .n_feeds = 3, .only_server = true};
    firn_sync_row *rows = plan(&input, 3);
    assert_int_equal(rows[0].state, FIRN_SYNC_LEFT_OUT); /* the table: its name is taken */
    assert_int_equal(rows[1].state, FIRN_SYNC_GONE);
    assert_string_equal(rows[1].why, "the server has no stream a");
    assert_string_equal(rows[2].why, "on the server B is a table, and the feed says stream");
}

static void other_servers_feeds_are_not_looked_at(void **state)
{
    (void)state;
    static const firn_ksqldb_object OBJECTS[] = {{.name = "A"}};
    firn_export_listed feeds[] = {listed("a_of_one", "a", FIRN_EXPORT_STREAM),
                                  listed("b_of_one", "b", FIRN_EXPORT_STREAM)};
    feeds[0].feed.server = "one";
    feeds[1].feed.server = "one";
    firn_sync_input input = {
        .objects = OBJECTS, .n_objects = 1, .feeds = feeds, .n_feeds = 2, .server = "two"};
    firn_sync_row *rows = plan(&input, 1);
    assert_int_equal(rows[0].state, FIRN_SYNC_NEW);
    assert_string_equal(text_at(rows[0].json, "server"), "two");
    input.server = "one";
    rows = plan(&input, 2);
    assert_int_equal(rows[0].state, FIRN_SYNC_HAS_FEED);
    assert_int_equal(rows[1].state, FIRN_SYNC_GONE);
}

static void a_name_that_is_nothing_there_is_an_error(void **state)
{
    (void)state;
    static const firn_ksqldb_object OBJECTS[] = {{.name = "PAYMENTS"}};
    static const char *const NAMES[] = {"paymets"};
    const firn_sync_input input = {
        .objects = OBJECTS, .n_objects = 1, .names = NAMES, .n_names = 1, .only_server = true};
    firn_sync_row *rows = NULL;
    firn_err err = {0};
    size_t n = 0;
    assert_int_equal(firn_export_sync_plan(arena, &input, &rows, &n, &err), FIRN_E_NOT_FOUND);
    assert_non_null(
        strstr(err.message, "no stream and no table \"paymets\". Did you mean payments?"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(streams_and_tables_get_feeds),
        TEST(what_has_a_feed_gets_no_second),
        TEST(names_that_no_feed_can_have_are_said),
        TEST(names_that_differ_in_case_only),
        TEST(the_servers_own_log_is_left_out_unless_named),
        TEST(what_is_gone_is_said),
        TEST(other_servers_feeds_are_not_looked_at),
        TEST(a_name_that_is_nothing_there_is_an_error),
    };
    return cmocka_run_group_tests_name("export/feed_sync", tests, NULL, NULL);
}
