/* Which snapshots and refs of a table expire. Times are in days; now is day 100. */
#include "expire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { DAY_MS = 24 * 3600 * 1000 };
#define NOW_MS (100 * (int64_t)DAY_MS)

typedef struct made {
    int id, parent, day; /* parent 0: none */
} made;

static firn_arena *arena;

static int setup(void **state)
{
    (void)state;
    arena = firn_arena_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    firn_arena_free(arena);
    return 0;
}

/* refs: members of the JSON object beside main, which is at the last of the snapshots; properties likewise. */
static firn_metadata *table(const made *snapshots, size_t n, const char *refs,
                            const char *properties)
{
    FIRN_AUTO_BUF firn_buf text = {0};
    const made *last = &snapshots[n - 1];
    firn_buf_printf(
        &text,
        "{\"format-version\":2,\"table-uuid\":\"9c12d441-03fe-4693-9a96-a0705ddf69c1\","
        "\"location\":\"/t\",\"last-sequence-number\":99,\"last-updated-ms\":1,"
        "\"last-column-id\":1,\"current-schema-id\":0,\"schemas\":[{\"type\":\"struct\","
        "\"schema-id\":0,\"fields\":[{\"id\":1,\"name\":\"x\",\"required\":false,"
        "\"type\":\"long\"}]}],\"default-spec-id\":0,\"partition-specs\":[{\"spec-id\":0,"
        "\"fields\":[]}],\"last-partition-id\":999,\"default-sort-order-id\":0,"
        "\"sort-orders\":[{\"order-id\":0,\"fields\":[]}],\"properties\":{%s},"
        "\"current-snapshot-id\":%d,\"refs\":{%s%s\"main\":{\"snapshot-id\":%d,"
        "\"type\":\"branch\"%s}},\"snapshots\":[",
        properties, last->id, refs[0] == ',' ? "" : refs, refs[0] && refs[0] != ',' ? "," : "",
        last->id, refs[0] == ',' ? refs : "");
    for (size_t i = 0; i < n; i++) {
        firn_buf_printf(&text, "%s{\"snapshot-id\":%d,", i ? "," : "", snapshots[i].id);
        if (snapshots[i].parent) {
            firn_buf_printf(&text, "\"parent-snapshot-id\":%d,", snapshots[i].parent);
        }
        firn_buf_printf(&text,
                        "\"sequence-number\":%zu,\"timestamp-ms\":%lld,\"manifest-list\":"
                        "\"/t/metadata/%d.avro\",\"summary\":{\"operation\":\"append\"}}",
                        i + 1, (long long)snapshots[i].day * DAY_MS, snapshots[i].id);
    }
    firn_buf_printf(&text, "]}");
    firn_err err = {0};
    firn_metadata *metadata;
    if (firn_metadata_parse(arena, firn_buf_bytes(&text), "test", &metadata, &err) != FIRN_OK) {
        fail_msg("%s", err.message);
    }
    return metadata;
}

/* "1 2 | old": ids that go, then refs. */
static const char *chosen(const firn_metadata *metadata, const firn_expire_options *options,
                          const firn_imap *pinned, const firn_imap *only)
{
    FIRN_AUTO_BUF firn_buf text = {0};
    firn_expire_choice choice;
    firn_expire_rules rules = firn_expire_rules_of(metadata, options, NOW_MS);
    firn_expire_choose(arena, metadata, &rules, pinned, only, &choice);
    for (size_t i = 0; i < choice.snapshots.len; i++) {
        firn_buf_printf(&text, "%s%lld", i ? " " : "", (long long)choice.snapshots.items[i]);
    }
    for (size_t i = 0; i < choice.refs.len; i++) {
        firn_buf_printf(&text, "%s%s", i ? " " : " | ", choice.refs.items[i]);
    }
    for (size_t i = 0; i < choice.kept_by.len; i++) {
        firn_buf_printf(&text, " (%s)", choice.kept_by.items[i]);
    }
    return firn_arena_strdup(arena, firn_buf_cstr(&text));
}

static const made line[] = {{1, 0, 10}, {2, 1, 50}, {3, 2, 96}, {4, 3, 98}};
#define LINE line, 4

static firn_expire_options before(int day)
{
    return (firn_expire_options){.older_than_us = (int64_t)day * DAY_MS * 1000};
}

static void by_the_tables_properties(void **state)
{
    (void)state;
    const firn_expire_options none = {0};
    assert_string_equal(chosen(table(LINE, "", ""), &none, NULL, NULL), "1 2"); /* 5 days */
    const char *ten_days = "\"history.expire.max-snapshot-age-ms\":\"864000000\"";
    assert_string_equal(chosen(table(LINE, "", ten_days), &none, NULL, NULL), "1 2");
    const char *two_days = "\"history.expire.max-snapshot-age-ms\":\"172800000\"";
    assert_string_equal(chosen(table(LINE, "", two_days), &none, NULL, NULL), "1 2 3");
    const char *keep_three = "\"history.expire.min-snapshots-to-keep\":\"3\"";
    assert_string_equal(chosen(table(LINE, "", keep_three), &none, NULL, NULL), "1");
    const char *nonsense = "\"history.expire.min-snapshots-to-keep\":\"-3\"";
    assert_string_equal(chosen(table(LINE, "", nonsense), &none, NULL, NULL), "1 2");
}

static void by_options(void **state)
{
    (void)state;
    firn_metadata *t = table(LINE, "", "\"history.expire.min-snapshots-to-keep\":\"3\"");
    firn_expire_options options = before(99); /* the newest always stays, and here two more */
    assert_string_equal(chosen(t, &options, NULL, NULL), "1");
    options.keep_last = 1;
    assert_string_equal(chosen(t, &options, NULL, NULL), "1 2 3");
    options = before(50); /* that very moment is not before it */
    options.keep_last = 1;
    assert_string_equal(chosen(t, &options, NULL, NULL), "1");
    options.older_than_us += 1;
    assert_string_equal(chosen(t, &options, NULL, NULL), "1 2");
    options.keep_last = 100;
    assert_string_equal(chosen(t, &options, NULL, NULL), "");
}

static void a_tag_keeps_its_snapshot_but_not_those_before_it(void **state)
{
    (void)state;
    const firn_expire_options none = {0};
    firn_metadata *t = table(LINE, "\"v1\":{\"snapshot-id\":2,\"type\":\"tag\"}", "");
    assert_string_equal(chosen(t, &none, NULL, NULL), "1 (the table's tag v1 keeps a snapshot)");
    t = table(LINE,
              "\"v1\":{\"snapshot-id\":1,\"type\":\"tag\"},"
              "\"v2\":{\"snapshot-id\":2,\"type\":\"tag\"}",
              "");
    assert_string_equal(chosen(t, &none, NULL, NULL),
                        " (the table's tags v1, v2 keep their snapshots)");
}

static void refs_over_their_age_go(void **state)
{
    (void)state;
    const firn_expire_options none = {0};
    const char *refs = "\"v1\":{\"snapshot-id\":2,\"type\":\"tag\",\"max-ref-age-ms\":86400000}";
    assert_string_equal(chosen(table(LINE, refs, ""), &none, NULL, NULL), "1 2 | v1");
    refs = "\"v1\":{\"snapshot-id\":2,\"type\":\"tag\"}";
    const char *age = "\"history.expire.max-ref-age-ms\":\"86400000\"";
    assert_string_equal(chosen(table(LINE, refs, age), &none, NULL, NULL), "1 2 | v1");
    refs = "\"v1\":{\"snapshot-id\":2,\"type\":\"tag\",\"max-ref-age-ms\":8640000000}";
    assert_string_equal(chosen(table(LINE, refs, age), &none, NULL, NULL),
                        "1 (the table's tag v1 keeps a snapshot)");
    /* main never does, however old its head */
    static const made old[] = {{1, 0, 1}, {2, 1, 2}};
    assert_string_equal(chosen(table(old, 2, "", age), &none, NULL, NULL), "1");
}

static void branches_keep_by_their_own_rules(void **state)
{
    (void)state;
    static const made forked[] = {{1, 0, 10}, {2, 1, 20}, {5, 2, 30}, {6, 5, 40}, {3, 2, 97}};
    const firn_expire_options none = {0};
    const char *audit = "\"audit\":{\"snapshot-id\":6,\"type\":\"branch\"}";
    assert_string_equal(
        chosen(table(forked, 5, audit, ""), &none, NULL, NULL),
        "1 2 5 (the table's branch audit keeps 1 snapshot that would be old enough)");
    audit = "\"audit\":{\"snapshot-id\":6,\"type\":\"branch\",\"min-snapshots-to-keep\":3}";
    assert_string_equal(chosen(table(forked, 5, audit, ""), &none, NULL, NULL),
                        "1 (the table's branch audit keeps 3 snapshots that would be old enough)");
    audit = "\"audit\":{\"snapshot-id\":6,\"type\":\"branch\",\"max-snapshot-age-ms\":6048000000}";
    assert_string_equal(/* 70 days: back to day 30 */
                        chosen(table(forked, 5, audit, ""), &none, NULL, NULL),
                        "1 2 (the table's branch audit keeps 2 snapshots that would be old enough)");
    audit = "\"audit\":{\"snapshot-id\":6,\"type\":\"branch\",\"max-ref-age-ms\":1}";
    assert_string_equal(chosen(table(forked, 5, audit, ""), &none, NULL, NULL), "1 2 5 6 | audit");
}

static void mains_own_rule_goes_before_the_options(void **state)
{
    (void)state;
    firn_expire_options options = before(99);
    assert_string_equal(
        chosen(table(LINE, ",\"min-snapshots-to-keep\":2", ""), &options, NULL, NULL),
        "1 2 (the table's branch main keeps 2 snapshots that would be old enough)");
}

static void a_young_ancestor_of_an_old_one_goes(void **state)
{
    (void)state; /* clocks differ: the first that is too old ends the history that stays */
    static const made odd[] = {{1, 0, 99}, {2, 1, 10}, {3, 2, 98}};
    const firn_expire_options none = {0};
    assert_string_equal(chosen(table(odd, 3, "", ""), &none, NULL, NULL), "1 2");
}

static void loose_snapshots_go_by_age(void **state)
{
    (void)state; /* 7 staged, 8 rolled back */
    static const made loose[] = {{1, 0, 96}, {7, 1, 97}, {8, 1, 20}, {2, 1, 98}};
    const firn_expire_options none = {0};
    assert_string_equal(chosen(table(loose, 4, "", ""), &none, NULL, NULL), "8");
    firn_expire_options options = before(99);
    assert_string_equal(chosen(table(loose, 4, "", ""), &options, NULL, NULL), "1 7 8");
}

static void a_parent_that_is_gone_ends_a_history(void **state)
{
    (void)state;
    static const made cut[] = {{3, 2, 20}, {4, 3, 97}};
    firn_expire_options options = {.keep_last = 10};
    assert_string_equal(chosen(table(cut, 2, "", ""), &options, NULL, NULL), "");
}

static void pinned_and_unplanned_ones_stay(void **state)
{
    (void)state;
    firn_imap *pinned = firn_imap_new(arena), *only = firn_imap_new(arena);
    firn_expire_options options = before(99);
    firn_imap_put(pinned, 2, pinned);
    assert_string_equal(chosen(table(LINE, "", ""), &options, pinned, NULL), "1 3");
    firn_imap_put(only, 3, only);
    assert_string_equal(chosen(table(LINE, "", ""), &options, pinned, only), "3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(by_the_tables_properties, setup, teardown),
        cmocka_unit_test_setup_teardown(by_options, setup, teardown),
        cmocka_unit_test_setup_teardown(a_tag_keeps_its_snapshot_but_not_those_before_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(refs_over_their_age_go, setup, teardown),
        cmocka_unit_test_setup_teardown(branches_keep_by_their_own_rules, setup, teardown),
        cmocka_unit_test_setup_teardown(mains_own_rule_goes_before_the_options, setup, teardown),
        cmocka_unit_test_setup_teardown(a_young_ancestor_of_an_old_one_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(loose_snapshots_go_by_age, setup, teardown),
        cmocka_unit_test_setup_teardown(a_parent_that_is_gone_ends_a_history, setup, teardown),
        cmocka_unit_test_setup_teardown(pinned_and_unplanned_ones_stay, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
