/* Warehouse folders: which file of a table is current, what a path is called, what is registered and what is skipped. */
#include "lake/lake.h"
#include "lake/warehouse.h"

#include "base/io.h"
#include "base/uuid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define UUID_A "11111111-2222-4333-8444-555555555555"
#define UUID_B "99999999-2222-4333-8444-555555555555"

typedef struct fixture {
    firn_arena *arena;
    char root[64];
    firn_lake *lake;
    firn_found *found;
    size_t n;
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof(*f));
    f->arena = firn_arena_new();
    strcpy(f->root, "/tmp/firn-house-XXXXXX");
    assert_non_null(mkdtemp(f->root));
    const char *dir = firn_path_join(f->arena, f->root, "lake");
    assert_int_equal(firn_lake_init(dir, "test", NULL), FIRN_OK);
    assert_int_equal(firn_lake_open(dir, &f->lake, NULL), FIRN_OK);
    *state = f;
    return 0;
}

static int unlink_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static int teardown(void **state)
{
    fixture *f = *state;
    firn_lake_close(f->lake);
    nftw(f->root, unlink_one, 16, FTW_DEPTH | FTW_PHYS);
    firn_arena_free(f->arena);
    free(f);
    return 0;
}

static void put_text(fixture *f, const char *path, const char *text)
{
    const char *full = firn_path_join(f->arena, f->root, path);
    assert_int_equal(firn_mkdir_p(firn_path_dirname(f->arena, full), 0755, NULL), FIRN_OK);
    assert_int_equal(firn_file_write_atomic(full, firn_bytes_str(text), 0644, NULL), FIRN_OK);
}

/* A metadata file of the table in wh/<table>: its log names the files of `log` (separated by blanks). */
static void put_at(fixture *f, const char *table, const char *location, const char *name,
                   const char *uuid, int64_t updated_ms, const char *log)
{
    FIRN_AUTO_BUF firn_buf entries = {0};
    size_t n = 0;
    char **names = firn_str_split(f->arena, log, ' ', &n);
    for (size_t i = 0; i < n && names[i][0] != '\0'; i++) {
        firn_buf_printf(&entries,
                        "%s{\"timestamp-ms\": %zu, \"metadata-file\": \"%s/metadata/%s\"}",
                        i > 0 ? "," : "", i, location, names[i]);
    }
    put_text(
        f, firn_arena_printf(f->arena, "wh/%s/metadata/%s", table, name),
        firn_arena_printf(
            f->arena,
            "{\"format-version\": 2, \"table-uuid\": \"%s\", \"location\": \"%s\","
            "\"last-sequence-number\": 0, \"last-updated-ms\": %lld, \"last-column-id\": 1,"
            "\"schemas\": [{\"type\": \"struct\", \"schema-id\": 0, \"fields\": "
            "[{\"id\": 1, \"name\": \"a\", \"required\": false, \"type\": \"int\"}]}],"
            "\"current-schema-id\": 0, \"partition-specs\": [{\"spec-id\": 0, \"fields\": []}],"
            "\"default-spec-id\": 0, \"last-partition-id\": 999, \"sort-orders\": "
            "[{\"order-id\": 0, \"fields\": []}], \"default-sort-order-id\": 0,"
            "\"metadata-log\": [%s]}",
            uuid, location, (long long)updated_ms, firn_buf_cstr(&entries)));
}

static void put(fixture *f, const char *table, const char *name, const char *uuid,
                int64_t updated_ms, const char *log)
{
    put_at(f, table, firn_arena_printf(f->arena, "file://%s/wh/%s", f->root, table), name, uuid,
           updated_ms, log);
}

static void scan(fixture *f, bool replace)
{
    firn_err err = {0};
    const firn_warehouse_options options = {.dir = firn_path_join(f->arena, f->root, "wh"),
                                            .default_ns = "top"};
    firn_rc rc =
        firn_warehouse_scan(firn_lake_storage(f->lake), f->arena, &options, &f->found, &f->n, &err);
    if (rc == FIRN_OK) {
        rc = firn_warehouse_plan(firn_lake_catalog(f->lake), f->arena, "main", replace, f->found,
                                 f->n, &err);
    }
    if (rc != FIRN_OK) {
        fail_msg("%s", err.message);
    }
}

static size_t enter(fixture *f)
{
    size_t done = 0;
    firn_err err = {0};
    const firn_commit_info info = {.message = "test"};
    if (firn_warehouse_register(firn_lake_catalog(f->lake), f->arena, "main", f->found, f->n, &info,
                                &done, &err) != FIRN_OK) {
        fail_msg("%s", err.message);
    }
    return done;
}

static const firn_found *only(fixture *f)
{
    assert_int_equal(f->n, 1);
    return &f->found[0];
}

static void assert_picked(fixture *f, const char *name)
{
    const firn_found *found = only(f);
    if (found->metadata == NULL || !firn_ends_with(found->metadata, name)) {
        fail_msg("picked %s, not %s (%s)", found->metadata != NULL ? found->metadata : "nothing",
                 name, found->skip != NULL ? found->skip : "");
    }
}

static void assert_noted(const char *text, const char *part)
{
    if (text == NULL || strstr(text, part) == NULL) {
        fail_msg("\"%s\" is not in: %s", part, text != NULL ? text : "(nothing)");
    }
}

/* ---- names ------------------------------------------------------------------------------------------------ */

static void names_of_metadata_files(void **state)
{
    (void)state;
    assert_int_equal(firn_metadata_file_version("v12.metadata.json"), 12);
    assert_int_equal(firn_metadata_file_version("v3.gz.metadata.json"), 3);
    assert_int_equal(firn_metadata_file_version("00012-" UUID_A ".metadata.json"), 12);
    assert_int_equal(firn_metadata_file_version("00001-x.metadata.json.gz"), 1);
    assert_int_equal(firn_metadata_file_version("2024_backup.metadata.json"), -1);
    assert_int_equal(firn_metadata_file_version("v1-x.metadata.json"), -1);
    assert_int_equal(firn_metadata_file_version("00001-x.avro"), -1);
    assert_int_equal(firn_metadata_file_version("99999999999999999999.metadata.json"), -1);
    assert_int_equal(firn_version_hint_parse(firn_bytes_str(" 12\n")), 12);
    assert_int_equal(firn_version_hint_parse(firn_bytes_str("12 13")), -1);
    assert_int_equal(firn_version_hint_parse(firn_bytes_str("")), -1);
    assert_int_equal(firn_version_hint_parse(firn_bytes_str("-1")), -1);
}

static void names_of_folders(void **state)
{
    fixture *f = *state;
    static const char *const CASES[][3] = {
        {"orders", "", "orders"},
        {"sales.db/orders", "sales", "orders"},
        {"a/b.db/t", "a" FIRN_NS_SEP "b", "t"},
        {"s/orders-" UUID_A, "s", "orders"},
        {"s/orders_" UUID_A, "s", "orders"},
        {"s/orders-0123456789abcdef0123456789abcdef", "s", "orders"},
        {"s/orders-1f2e3d4c", "s", "orders"},
        {"s/orders-20240115", "s", "orders-20240115"},
        {"s/or%20ders", "s", "or ders"},
        {"s/100%", "s", "100%"},
        {"s/x.db", "s", "x.db"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        const char *ns = NULL, *name = NULL;
        assert_true(firn_warehouse_name(f->arena, CASES[i][0], &ns, &name));
        assert_string_equal(ns, CASES[i][1]);
        assert_string_equal(name, CASES[i][2]);
    }
    const char *ns = NULL, *name = NULL;
    assert_false(firn_warehouse_name(f->arena, "a//t", &ns, &name));
    assert_false(firn_warehouse_name(f->arena, "a/t$x", &ns, &name));
    assert_false(firn_warehouse_name(f->arena, "a/\xff", &ns, &name));
}

/* ---- the current file --------------------------------------------------------------------------------------- */

static void the_highest_version_is_current(void **state)
{
    fixture *f = *state;
    put(f, "s/t", "00000-a.metadata.json", UUID_A, 10, "");
    put(f, "s/t", "00001-b.metadata.json", UUID_A, 20, "00000-a.metadata.json");
    put(f, "s/t", "00010-c.metadata.json", UUID_A, 30,
        "00000-a.metadata.json 00001-b.metadata.json");
    scan(f, false);
    assert_picked(f, "00010-c.metadata.json");
    assert_null(only(f)->note);
    assert_int_equal(only(f)->action, FIRN_FOUND_REGISTER);
    assert_int_equal(only(f)->rows, 0);
}

static void a_hint_is_followed_and_what_comes_after_it(void **state)
{
    fixture *f = *state;
    put(f, "t", "v1.metadata.json", UUID_A, 10, "");
    put(f, "t", "v2.metadata.json", UUID_A, 20, "v1.metadata.json");
    put(f, "t", "v3.metadata.json", UUID_A, 30, "v1.metadata.json v2.metadata.json");
    put(f, "t", "v7.metadata.json", UUID_A, 70, ""); /* behind a gap: nobody's */
    put_text(f, "wh/t/metadata/version-hint.text", "2\n");
    scan(f, false);
    assert_picked(f, "v3.metadata.json");
    assert_noted(only(f)->note, "version-hint.text says 2, version 3 is here");
    assert_string_equal(only(f)->ident.ns, "top");
}

static void a_useless_hint_is_said(void **state)
{
    fixture *f = *state;
    put(f, "t", "v1.metadata.json", UUID_A, 10, "");
    put_text(f, "wh/t/metadata/version-hint.text", "seven");
    scan(f, false);
    assert_picked(f, "v1.metadata.json");
    assert_noted(only(f)->note, "holds no number");
    put_text(f, "wh/t/metadata/version-hint.text", "7");
    scan(f, false);
    assert_picked(f, "v1.metadata.json");
    assert_noted(only(f)->note, "names version 7");
}

static void two_files_of_one_version_are_explained(void **state)
{
    fixture *f = *state;
    put(f, "t", "00000-a.metadata.json", UUID_A, 10, "");
    put(f, "t", "00001-b.metadata.json", UUID_A, 30, "00000-a.metadata.json");
    put(f, "t", "00001-c.metadata.json", UUID_A, 20, "00000-a.metadata.json");
    scan(f, false);
    assert_picked(f, "00001-b.metadata.json");
    assert_noted(only(f)->note, "2 files of version 1");
    assert_noted(only(f)->note, "00001-c.metadata.json");
}

static void a_lost_commit_is_no_rival(void **state)
{
    fixture *f = *state;
    put(f, "t", "00000-a.metadata.json", UUID_A, 10, "");
    put(f, "t", "00001-lost.metadata.json", UUID_A, 99, "00000-a.metadata.json");
    put(f, "t", "00001-b.metadata.json", UUID_A, 20, "00000-a.metadata.json");
    put(f, "t", "00002-c.metadata.json", UUID_A, 30, "00000-a.metadata.json 00001-b.metadata.json");
    scan(f, false);
    assert_picked(f, "00002-c.metadata.json");
    assert_noted(only(f)->note, "outside its history (00001-lost.metadata.json)");
}

static void of_two_tables_the_younger_is_taken(void **state)
{
    fixture *f = *state;
    put(f, "t", "00009-old.metadata.json", UUID_B, 10, "");
    put(f, "t", "00000-new.metadata.json", UUID_A, 20, "");
    put(f, "t", "00001-new.metadata.json", UUID_A, 30, "00000-new.metadata.json");
    scan(f, false);
    assert_picked(f, "00001-new.metadata.json");
    assert_noted(only(f)->note, UUID_B);
}

static void unreadable_files_are_passed_over_and_said(void **state)
{
    fixture *f = *state;
    put(f, "t", "00000-a.metadata.json", UUID_A, 10, "");
    put_text(f, "wh/t/metadata/00001-b.metadata.json", "{\"format-version\": 2");
    scan(f, false);
    assert_picked(f, "00000-a.metadata.json");
    assert_noted(only(f)->note, "00001-b.metadata.json");
    put_text(f, "wh/t/metadata/00000-a.metadata.json", "hello");
    scan(f, false);
    assert_null(only(f)->metadata);
    assert_int_equal(only(f)->action, FIRN_FOUND_SKIP);
    assert_noted(only(f)->skip, "metadata.json");
}

/* ---- against the catalog --------------------------------------------------------------------------------------- */

static void all_is_one_commit_and_then_known(void **state)
{
    fixture *f = *state;
    firn_commit *log = NULL;
    size_t before = 0, after = 0;
    firn_catalog *catalog = firn_lake_catalog(f->lake);
    put(f, "sales.db/a", "v1.metadata.json", UUID_A, 10, "");
    put(f, "x/y/b-" UUID_B, "00000-b.metadata.json", UUID_B, 10, "");
    put_text(f, "wh/broken/metadata/v1.metadata.json", "{}");
    assert_int_equal(firn_catalog_log(catalog, f->arena, "main", 100, &log, &before, NULL),
                     FIRN_OK);
    scan(f, false);
    assert_int_equal(f->n, 3);
    assert_int_equal(enter(f), 2);
    assert_int_equal(firn_catalog_log(catalog, f->arena, "main", 100, &log, &after, NULL), FIRN_OK);
    assert_int_equal(after, before + 1);
    firn_table table;
    firn_ident b = {.ns = "x" FIRN_NS_SEP "y", .name = "b"};
    assert_int_equal(firn_catalog_table_load(catalog, f->arena, "main", b, &table, NULL), FIRN_OK);
    scan(f, false);
    assert_int_equal(enter(f), 0);
    for (size_t i = 0; i < f->n; i++) {
        assert_non_null(f->found[i].skip);
    }
    assert_noted(f->found[1].skip, "already registered as sales.a");
}

static void a_moved_on_table_is_replaced_only_when_asked(void **state)
{
    fixture *f = *state;
    put(f, "s/t", "00000-a.metadata.json", UUID_A, 10, "");
    scan(f, false);
    assert_int_equal(enter(f), 1);
    put(f, "s/t", "00001-b.metadata.json", UUID_A, 20, "00000-a.metadata.json");
    scan(f, false);
    assert_int_equal(only(f)->action, FIRN_FOUND_SKIP);
    assert_noted(only(f)->skip, "--replace");
    scan(f, true);
    assert_int_equal(only(f)->action, FIRN_FOUND_REPLACE);
    assert_int_equal(enter(f), 1);
    scan(f, true);
    assert_noted(only(f)->skip, "already registered");
}

static void an_older_file_never_replaces(void **state)
{
    fixture *f = *state;
    put(f, "s/t", "00000-a.metadata.json", UUID_A, 10, "");
    put(f, "s/t", "00001-b.metadata.json", UUID_A, 20, "00000-a.metadata.json");
    scan(f, false);
    assert_int_equal(enter(f), 1);
    const char *b = firn_path_join(f->arena, f->root, "wh/s/t/metadata/00001-b.metadata.json");
    const char *aside = firn_path_join(f->arena, f->root, "wh/s/t/metadata/b.json");
    assert_int_equal(rename(b, aside), 0); /* the catalog still has it in memory */
    scan(f, true);
    assert_int_equal(only(f)->action, FIRN_FOUND_SKIP);
    assert_noted(only(f)->skip, "newer file");
}

static void a_taken_name_is_skipped_or_kept_apart(void **state)
{
    fixture *f = *state;
    put(f, "s/t", "v1.metadata.json", UUID_A, 10, "");
    scan(f, false);
    assert_int_equal(enter(f), 1);
    put(f, "s/t-" UUID_B, "v1.metadata.json", UUID_B, 10, "");
    scan(f, false);
    assert_string_equal(f->found[1].ident.name, "t-" UUID_B);
    put(f, "s.db/t", "v1.metadata.json", "77777777-2222-4333-8444-555555555555", 10, "");
    scan(f, false);
    assert_int_equal(f->n, 3);
    assert_noted(f->found[0].skip, "is taken");
}

static void copies_are_not_registered(void **state)
{
    fixture *f = *state;
    put_at(f, "s/t", "file:/old/wh/s/t", "v1.metadata.json", UUID_A, 10, "");
    scan(f, false);
    assert_noted(only(f)->skip, "a copy");
    assert_noted(only(f)->alias, "{from: \"/old/wh\", to: \"");
    put(f, "s/u", "v1.metadata.json", UUID_B, 10, "");
    put_at(f, "s/v", firn_arena_printf(f->arena, "%s/wh/s/u", f->root), "v1.metadata.json", UUID_B,
           10, "");
    scan(f, false);
    assert_int_equal(f->n, 3);
    assert_int_equal(f->found[1].action, FIRN_FOUND_REGISTER);
    assert_noted(f->found[2].skip, "the same table");
}

static void nested_tables_and_link_loops(void **state)
{
    fixture *f = *state;
    put(f, "s/t", "v1.metadata.json", UUID_A, 10, "");
    put(f, "s/t/data/u", "v1.metadata.json", UUID_B, 10, "");
    const char *link = firn_path_join(f->arena, f->root, "wh/s/loop");
    assert_int_equal(symlink("..", link), 0);
    scan(f, false);
    assert_int_equal(f->n, 2);
    assert_noted(f->found[1].skip, "inside the folder of s.t");
}

static void missing_folders_are_an_error(void **state)
{
    fixture *f = *state;
    firn_err err = {0};
    const firn_warehouse_options options = {.dir = "/nowhere/at/all"};
    assert_int_equal(
        firn_warehouse_scan(firn_lake_storage(f->lake), f->arena, &options, &f->found, &f->n, &err),
        FIRN_E_NOT_FOUND);
    assert_noted(err.message, "/nowhere/at/all");
}

/* Ten thousand folders, one table among them. */
static void many_folders(void **state)
{
    fixture *f = *state;
    for (int i = 0; i < 10000; i++) {
        const char *dir = firn_arena_printf(f->arena, "%s/wh/d%d", f->root, i / 100);
        if (i % 100 == 0) {
            assert_int_equal(firn_mkdir_p(dir, 0755, NULL), FIRN_OK);
        }
        assert_int_equal(mkdir(firn_arena_printf(f->arena, "%s/e%d", dir, i), 0755), 0);
    }
    put(f, "d7/t", "v1.metadata.json", UUID_A, 10, "");
    scan(f, false);
    assert_string_equal(only(f)->ident.ns, "d7");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(names_of_metadata_files),
        TEST(names_of_folders),
        TEST(the_highest_version_is_current),
        TEST(a_hint_is_followed_and_what_comes_after_it),
        TEST(a_useless_hint_is_said),
        TEST(two_files_of_one_version_are_explained),
        TEST(a_lost_commit_is_no_rival),
        TEST(of_two_tables_the_younger_is_taken),
        TEST(unreadable_files_are_passed_over_and_said),
        TEST(all_is_one_commit_and_then_known),
        TEST(a_moved_on_table_is_replaced_only_when_asked),
        TEST(an_older_file_never_replaces),
        TEST(a_taken_name_is_skipped_or_kept_apart),
        TEST(copies_are_not_registered),
        TEST(nested_tables_and_link_loops),
        TEST(missing_folders_are_an_error),
        TEST(many_folders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
