/* Feeds as files of a lake: found, listed, added, changed, archived, restored. */
#include "export/feed.h"

#include "../engine/lake_fixture.h"

#include "export/lock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const char *path_in(lake_fixture *f, const char *relative)
{
    return firn_path_join(f->arena, f->root, relative);
}

static void put_file(lake_fixture *f, const char *relative, const char *text)
{
    firn_err err = {0};
    const char *path = path_in(f, relative);
    lake_check(firn_mkdir_p(firn_path_dirname(f->arena, path), 0755, &err), &err, "mkdir");
    lake_check(firn_file_write_atomic(path, firn_bytes_str(text), 0644, &err), &err, "write");
}

static const char *text_of(lake_fixture *f, const char *relative)
{
    firn_err err = {0};
    firn_bytes text;
    lake_check(firn_file_read(f->arena, path_in(f, relative), 1 << 20, &text, &err), &err,
               relative);
    return (const char *)text.data;
}

static bool has_file(lake_fixture *f, const char *relative)
{
    return firn_path_exists(path_in(f, relative));
}

static firn_export_feed add(lake_fixture *f, const char *name, firn_export_kind kind)
{
    firn_err err = {0};
    firn_export_feed feed;
    const firn_export_new options = {
        .name = name, .kind = kind, .now_us = INT64_C(1736935200123456)};
    lake_check(firn_export_feed_add(f->lake, f->arena, name,
                                    firn_export_feed_json(f->arena, &options), &feed, &err),
               &err, "add");
    return feed;
}

static firn_rc change(lake_fixture *f, const char *name, const char *key, const char *text,
                      firn_err *err)
{
    firn_export_feed feed;
    firn_export_change one = {.key = key};
    if (text != NULL) {
        FIRN_TRY(firn_export_key_value(f->arena, key, text, &one.value, err));
    }
    return firn_export_feed_change(f->lake, f->arena, name, &one, 1, &feed, err);
}

static void expect_error(firn_rc got, firn_rc wanted, const firn_err *err, const char *part)
{
    if (got != wanted || strstr(err->message, part) == NULL) {
        fail_msg("%s instead of %s: %s (wanted: %s)", firn_rc_name(got), firn_rc_name(wanted),
                 err->message, part);
    }
}

/* ---- adding -------------------------------------------------------------------------------------------- */

static void a_new_feed_is_the_seeds_file(void **state)
{
    lake_fixture *f = *state;
    firn_err err = {0};
    firn_export_feed feed;
    const firn_export_new options = {.name = "payment_stream",
                                     .kind = FIRN_EXPORT_STREAM,
                                     .description = "Stream des paiements",
                                     .now_us = INT64_C(1736935200123456)};
    lake_check(firn_export_feed_add(f->lake, f->arena, "payment_stream",
                                    firn_export_feed_json(f->arena, &options), &feed, &err),
               &err, "add");
    assert_string_equal(text_of(f, "feeds/active/payment_stream.json"),
                        "{\n"
                        "  \"feed_name\": \"payment_stream\",\n"
                        "  \"feed_type\": \"stream\",\n"
                        "  \"ksqldb_source\": \"payment_stream\",\n"
                        "  \"description\": \"Stream des paiements\",\n"
                        "  \"partitioning\": {\n"
                        "    \"type\": \"date\",\n"
                        "    \"columns\": [\"year\", \"month\", \"day\"]\n"
                        "  },\n"
                        "  \"storage_mode\": \"append\",\n"
                        "  \"format\": \"parquet\",\n"
                        "  \"retention_days\": 365,\n"
                        "  \"enabled\": true,\n"
                        "  \"created_at\": \"2025-01-15T10:00:00Z\"\n"
                        "}\n");
    assert_string_equal(feed.path, path_in(f, "feeds/active/payment_stream.json"));
}

static void a_new_feed_has_a_folder_with_its_permissions(void **state)
{
    lake_fixture *f = *state;
    mode_t before = umask(0077);
    add(f, "raw", FIRN_EXPORT_STREAM);
    add(f, "raw_anonymized", FIRN_EXPORT_STREAM);
    add(f, "totals", FIRN_EXPORT_TABLE);
    umask(before);
    static const struct {
        const char *folder;
        mode_t mode;
    } cases[] = {{"streams/raw", 0750}, {"streams/raw_anonymized", 0755}, {"tables/totals", 0755}};
    for (size_t i = 0; i < 3; i++) {
        struct stat st;
        assert_int_equal(stat(path_in(f, cases[i].folder), &st), 0);
        assert_int_equal(st.st_mode & 0777, cases[i].mode);
    }
}

static void names_that_are_taken_or_none_are_refused(void **state)
{
    lake_fixture *f = *state;
    firn_export_feed feed;
    put_file(f, "feeds/clicks.yaml", "source: s\ntopics: t\n");
    add(f, "there", FIRN_EXPORT_STREAM);
    add(f, "old", FIRN_EXPORT_STREAM);
    assert_int_equal(firn_export_feed_archive(f->lake, f->arena, "old", NULL), FIRN_OK);
    static const struct {
        const char *name, *message;
        firn_rc code;
    } cases[] = {
        {"there", "there is a feed there already", FIRN_E_EXISTS},
        {"old", "there is an archived feed old", FIRN_E_EXISTS},
        {"clicks", "there is a feed clicks from Kafka", FIRN_E_EXISTS},
        {"../x", "a feed cannot be called \"../x\"", FIRN_E_INVALID},
        {"", "a feed cannot be called \"\"", FIRN_E_INVALID},
        {".x", "a feed cannot be called", FIRN_E_INVALID},
        {"a/b", "a feed cannot be called", FIRN_E_INVALID},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        firn_err err = {0};
        const firn_export_new options = {.name = cases[i].name};
        firn_rc rc = firn_export_feed_add(f->lake, f->arena, cases[i].name,
                                          firn_export_feed_json(f->arena, &options), &feed, &err);
        expect_error(rc, cases[i].code, &err, cases[i].message);
    }
    assert_false(has_file(f, "x.json") || has_file(f, "feeds/x.json"));
}

static void a_feed_that_would_be_wrong_is_not_written(void **state)
{
    lake_fixture *f = *state;
    firn_export_feed feed;
    firn_err err = {0};
    const firn_export_new options = {
        .name = "x", .kind = FIRN_EXPORT_TABLE, .partitioning = "date"};
    firn_rc rc = firn_export_feed_add(f->lake, f->arena, "x",
                                      firn_export_feed_json(f->arena, &options), &feed, &err);
    expect_error(rc, FIRN_E_CONFIG, &err,
                 "feed x was not added: partitioning.type is \"date\", but");
    assert_false(has_file(f, "feeds/active/x.json") || has_file(f, "tables/x"));
}

/* ---- listing ------------------------------------------------------------------------------------------- */

static void a_lake_without_feeds_has_none(void **state)
{
    lake_fixture *f = *state;
    firn_err err = {0};
    firn_export_listed *feeds = NULL;
    firn_export_feed feed;
    size_t n = 1;
    assert_int_equal(firn_export_feed_list(f->lake, f->arena, &feeds, &n, NULL), FIRN_OK);
    assert_int_equal(n, 0);
    expect_error(firn_export_feed_load(f->lake, f->arena, "x", &feed, &err), FIRN_E_NOT_FOUND, &err,
                 "there is no feed x");
    expect_error(firn_export_feed_load(f->lake, f->arena, "../firn", &feed, &err), FIRN_E_NOT_FOUND,
                 &err, "there is no feed ../firn");
}

static void a_broken_feed_hides_no_other(void **state)
{
    lake_fixture *f = *state;
    firn_export_listed *feeds = NULL;
    firn_err err = {0};
    firn_export_feed feed;
    size_t n = 0;
    add(f, "b", FIRN_EXPORT_STREAM);
    add(f, "hidden", FIRN_EXPORT_STREAM);
    assert_int_equal(firn_export_feed_archive(f->lake, f->arena, "hidden", NULL), FIRN_OK);
    put_file(f, "feeds/active/a.json", "{\"feed_name\": \"a\",\n\"feed_typ\": 1}");
    put_file(f, "feeds/active/9x.json", "{}");
    put_file(f, "feeds/active/.hidden.json", "{}");
    put_file(f, "feeds/active/README", "{}");
    lake_check(firn_mkdir_p(path_in(f, "feeds/active/c.json"), 0755, &err), &err, "mkdir");
    lake_check(firn_export_feed_list(f->lake, f->arena, &feeds, &n, &err), &err, "list");
    assert_int_equal(n, 5);
    assert_string_equal(feeds[0].name, "9x");
    assert_non_null(feeds[0].broken);
    assert_string_equal(feeds[1].name, "a");
    assert_non_null(strstr(feeds[1].broken, "feeds/active/a.json:2: there is no key \"feed_typ\""));
    assert_string_equal(feeds[2].name, "b");
    assert_null(feeds[2].broken);
    assert_true(feeds[2].feed.enabled);
    assert_non_null(strstr(feeds[3].broken, "not a regular file"));
    assert_string_equal(feeds[4].name, "hidden");
    assert_true(feeds[4].archived && feeds[4].feed.archived && !feeds[4].feed.enabled);
    err = (firn_err){0};
    expect_error(firn_export_feed_load(f->lake, f->arena, "hiden", &feed, &err), FIRN_E_NOT_FOUND,
                 &err, "Did you mean hidden?");
}

static void feeds_are_where_firn_yaml_says(void **state)
{
    lake_fixture *f = *state;
    firn_bytes text;
    assert_int_equal(firn_file_read(f->arena, path_in(f, "firn.yaml"), 1 << 20, &text, NULL),
                     FIRN_OK);
    put_file(f, "firn.yaml",
             firn_arena_printf(f->arena, "%s\nfeeds: config/flows\n", (const char *)text.data));
    lake_reopen(f);
    add(f, "x", FIRN_EXPORT_TABLE);
    assert_true(has_file(f, "config/flows/active/x.json"));
    assert_true(has_file(f, "tables/x"));
    assert_int_equal(firn_export_feed_archive(f->lake, f->arena, "x", NULL), FIRN_OK);
    assert_true(has_file(f, "config/flows/archived/x.json"));
}

static void without_created_at_a_feed_is_as_old_as_its_file(void **state)
{
    lake_fixture *f = *state;
    firn_export_feed feed;
    put_file(f, "feeds/active/x.json",
             "{\"feed_name\": \"x\", \"feed_type\": \"table\", \"ksqldb_source\": \"x\"}");
    const struct timespec times[2] = {{.tv_sec = 1736935200}, {.tv_sec = 1736935200}};
    assert_int_equal(utimensat(AT_FDCWD, path_in(f, "feeds/active/x.json"), times, 0), 0);
    assert_int_equal(firn_export_feed_load(f->lake, f->arena, "x", &feed, NULL), FIRN_OK);
    assert_string_equal(feed.created_at, "2025-01-15T10:00:00Z");
}

/* ---- changing ------------------------------------------------------------------------------------------ */

static void a_change_leaves_what_the_user_had(void **state)
{
    lake_fixture *f = *state;
    firn_err err = {0};
    put_file(
        f, "feeds/active/x.json",
        "{\"ksqldb_source\":\"x\",\"feed_type\":\"stream\",\"feed_name\":\"x\",\"enabled\":true,"
        "\"properties\":{\"z\":1,\"a\":0.1}}");
    lake_check(change(f, "x", "retention_days", "90", &err), &err, "days");
    lake_check(change(f, "x", "partitioning.time", "ROWTIME", &err), &err, "time");
    lake_check(change(f, "x", "properties.write.a-b", "7", &err), &err, "properties");
    lake_check(change(f, "x", "quality.rows.min", "1", &err), &err, "quality");
    lake_check(change(f, "x", "bloom_filters", "ID, NAME", &err), &err, "bloom");
    lake_check(change(f, "x", "enabled", "false", &err), &err, "enabled");
    assert_string_equal(text_of(f, "feeds/active/x.json"),
                        "{\n"
                        "  \"ksqldb_source\": \"x\",\n"
                        "  \"feed_type\": \"stream\",\n"
                        "  \"feed_name\": \"x\",\n"
                        "  \"partitioning\": {\n"
                        "    \"time\": \"ROWTIME\"\n"
                        "  },\n"
                        "  \"bloom_filters\": [\"ID\", \"NAME\"],\n"
                        "  \"retention_days\": 90,\n"
                        "  \"enabled\": false,\n"
                        "  \"properties\": {\n"
                        "    \"z\": 1,\n"
                        "    \"a\": 0.1,\n"
                        "    \"write.a-b\": 7\n"
                        "  },\n"
                        "  \"quality\": {\n"
                        "    \"rows\": {\n"
                        "      \"min\": 1\n"
                        "    }\n"
                        "  }\n"
                        "}\n");
    lake_check(change(f, "x", "quality.rows.min", NULL, &err), &err, "quality");
    lake_check(change(f, "x", "partitioning.time", NULL, &err), &err, "time");
    lake_check(change(f, "x", "kafka", NULL, &err), &err, "what is not there");
    assert_null(strstr(text_of(f, "feeds/active/x.json"), "quality"));
    assert_null(strstr(text_of(f, "feeds/active/x.json"), "partitioning"));
}

static void a_wrong_change_changes_nothing(void **state)
{
    lake_fixture *f = *state;
    add(f, "x", FIRN_EXPORT_STREAM);
    const char *before = text_of(f, "feeds/active/x.json");
    static const struct {
        const char *key, *value, *message;
        firn_rc code;
    } cases[] = {
        {"retention_days", "many", "retention_days is \"many\", but", FIRN_E_CONFIG},
        {"retention_dayz", "1", "Did you mean \"retention_days\"?", FIRN_E_INVALID},
        {"partitioning.typ", "date", "Did you mean \"partitioning.type\"?", FIRN_E_INVALID},
        {"partitioning", "date", "feeds have no key \"partitioning\"", FIRN_E_INVALID},
        {"enabled", "yes", "must be true or false", FIRN_E_CONFIG},
        {"feed_name", "y", "feed_name of x cannot be changed", FIRN_E_INVALID},
        {"storage_mode", "overwrite", "a stream's events are appended", FIRN_E_CONFIG},
        {"properties.firn.x", "1", "firn keeps its own", FIRN_E_CONFIG},
        {"quality.rows.mni", "1", "quality.rows.mni", FIRN_E_CONFIG},
        {"quality", "1", "must be an object", FIRN_E_CONFIG},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        firn_err err = {0};
        expect_error(change(f, "x", cases[i].key, cases[i].value, &err), cases[i].code, &err,
                     cases[i].message);
        assert_string_equal(text_of(f, "feeds/active/x.json"), before);
    }
    firn_err err = {0};
    add(f, "payments", FIRN_EXPORT_STREAM);
    expect_error(change(f, "paymnts", "enabled", "true", &err), FIRN_E_NOT_FOUND, &err,
                 "Did you mean payments?");
}

static void a_broken_feed_can_be_put_right(void **state)
{
    lake_fixture *f = *state;
    firn_err err = {0};
    put_file(f, "feeds/active/x.json",
             "{\"feed_name\": \"x\", \"feed_type\": \"stream\", \"ksqldb_source\": \"x\", "
             "\"retention_days\": -1}");
    expect_error(change(f, "x", "enabled", "false", &err), FIRN_E_CONFIG, &err, "retention_days");
    err = (firn_err){0};
    lake_check(change(f, "x", "retention_days", "1", &err), &err, "put right");
}

/* Several at once, each with keys of its own: none is lost, and an export's lock does not hinder. */
static void changes_of_many_processes_are_all_there(void **state)
{
    enum { PROCESSES = 4, CHANGES = 10 };
    lake_fixture *f = *state;
    firn_export_lock lock = {.fd = -1};
    firn_export_feed feed;
    pid_t pids[PROCESSES];
    add(f, "x", FIRN_EXPORT_STREAM);
    assert_int_equal(firn_export_lock_take(f->lake, "x", 0, &lock, NULL), FIRN_OK);
    for (int p = 0; p < PROCESSES; p++) {
        pids[p] = fork();
        assert_true(pids[p] >= 0);
        for (int i = 0; pids[p] == 0 && i < CHANGES; i++) {
            const char *key = firn_arena_printf(f->arena, "properties.p%d.%d", p, i);
            if (change(f, "x", key, "1", NULL) != FIRN_OK) {
                _exit(1);
            }
        }
        if (pids[p] == 0) {
            _exit(0);
        }
    }
    for (int p = 0; p < PROCESSES; p++) {
        int status = 0;
        assert_int_equal(waitpid(pids[p], &status, 0), pids[p]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    firn_export_lock_drop(&lock);
    assert_int_equal(firn_export_feed_load(f->lake, f->arena, "x", &feed, NULL), FIRN_OK);
    assert_int_equal(json_object_size(feed.properties), PROCESSES * CHANGES);
}

/* ---- moving -------------------------------------------------------------------------------------------- */

static void archived_and_back(void **state)
{
    lake_fixture *f = *state;
    firn_export_feed feed;
    firn_err err = {0};
    add(f, "x", FIRN_EXPORT_STREAM);
    const char *before = text_of(f, "feeds/active/x.json");
    lake_check(firn_export_feed_archive(f->lake, f->arena, "x", &err), &err, "archive");
    assert_false(has_file(f, "feeds/active/x.json"));
    const char *text = text_of(f, "feeds/archived/x.json");
    assert_string_equal(
        text, firn_str_replace(f->arena, before, "\"enabled\": true", "\"enabled\": false"));
    expect_error(change(f, "x", "enabled", "true", &err), FIRN_E_INVALID, &err,
                 "firn feed restore x");
    err = (firn_err){0};
    expect_error(firn_export_feed_archive(f->lake, f->arena, "x", &err), FIRN_E_EXISTS, &err,
                 "archived already");
    err = (firn_err){0};
    lake_check(firn_export_feed_restore(f->lake, f->arena, "x", &feed, &err), &err, "restore");
    assert_true(feed.enabled && !feed.archived);
    assert_string_equal(text_of(f, "feeds/active/x.json"), before);
    assert_false(has_file(f, "feeds/archived/x.json"));
    expect_error(firn_export_feed_restore(f->lake, f->arena, "x", &feed, &err), FIRN_E_EXISTS, &err,
                 "not archived");
}

static void of_two_files_the_active_one_counts(void **state)
{
    lake_fixture *f = *state;
    firn_export_listed *feeds = NULL;
    firn_export_feed feed;
    firn_err err = {0};
    size_t n = 0;
    add(f, "x", FIRN_EXPORT_STREAM);
    const char *active = text_of(f, "feeds/active/x.json");
    put_file(f, "feeds/archived/x.json",
             firn_str_replace(f->arena, active, "365", "30")); /* a move that was cut off */
    lake_check(firn_export_feed_list(f->lake, f->arena, &feeds, &n, &err), &err, "list");
    assert_int_equal(n, 1);
    assert_false(feeds[0].archived);
    assert_int_equal(feeds[0].feed.retention_days, 365);
    lake_check(firn_export_feed_restore(f->lake, f->arena, "x", &feed, &err), &err,
               "the rest of it");
    assert_int_equal(feed.retention_days, 365);
    assert_false(has_file(f, "feeds/archived/x.json"));
    put_file(f, "feeds/archived/x.json", firn_str_replace(f->arena, active, "365", "30"));
    lake_check(firn_export_feed_archive(f->lake, f->arena, "x", &err), &err, "the rest of it");
    assert_false(has_file(f, "feeds/active/x.json"));
    lake_check(firn_export_feed_load(f->lake, f->arena, "x", &feed, &err), &err, "load");
    assert_int_equal(feed.retention_days, 365);
}

static void another_feed_of_that_name_is_not_lost(void **state)
{
    lake_fixture *f = *state;
    firn_export_feed feed;
    firn_err err = {0};
    add(f, "x", FIRN_EXPORT_STREAM);
    const char *other =
        firn_str_replace(f->arena, text_of(f, "feeds/active/x.json"), "2025-01-15", "2019-01-15");
    put_file(f, "feeds/archived/x.json", other);
    expect_error(firn_export_feed_archive(f->lake, f->arena, "x", &err), FIRN_E_EXISTS, &err,
                 "another feed of that name");
    err = (firn_err){0};
    expect_error(firn_export_feed_restore(f->lake, f->arena, "x", &feed, &err), FIRN_E_EXISTS, &err,
                 "another feed of that name");
    assert_string_equal(text_of(f, "feeds/archived/x.json"), other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lake_setup, lake_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_feed_is_the_seeds_file),
        TEST(a_new_feed_has_a_folder_with_its_permissions),
        TEST(names_that_are_taken_or_none_are_refused),
        TEST(a_feed_that_would_be_wrong_is_not_written),
        TEST(a_lake_without_feeds_has_none),
        TEST(a_broken_feed_hides_no_other),
        TEST(feeds_are_where_firn_yaml_says),
        TEST(without_created_at_a_feed_is_as_old_as_its_file),
        TEST(a_change_leaves_what_the_user_had),
        TEST(a_wrong_change_changes_nothing),
        TEST(a_broken_feed_can_be_put_right),
        TEST(changes_of_many_processes_are_all_there),
        TEST(archived_and_back),
        TEST(of_two_files_the_active_one_counts),
        TEST(another_feed_of_that_name_is_not_lost),
    };
    return cmocka_run_group_tests_name("export/feed_change", tests, NULL, NULL);
}
