/* What exports leave behind for people and for the next one: history and log. */
#include "export/history.h"

#include "../engine/lake_fixture.h"

#include "base/log.h"
#include "base/time.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int64_t at(const char *text)
{
    int64_t us = 0;
    assert_true(firn_parse_timestamp(text, &us, NULL));
    return us;
}

static char *history_path(lake_fixture *f, const char *feed)
{
    return firn_lake_path(f->lake, f->arena,
                          firn_arena_printf(f->arena, ".firn/export/%s.history.jsonl", feed));
}

static const char *text_of(lake_fixture *f, const char *path)
{
    firn_err err = {0};
    firn_bytes text;
    lake_check(firn_file_read(f->arena, path, 64 << 20, &text, &err), &err, "read");
    return (const char *)text.data;
}

static void put_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static firn_export_record *read_all(lake_fixture *f, const char *feed, size_t *n)
{
    firn_err err = {0};
    firn_export_record *records = NULL;
    lake_check(firn_export_history_read(f->lake, f->arena, feed, &records, n, &err), &err, "read");
    return records;
}

static size_t lines_of(const char *text)
{
    size_t n = 0;
    for (; *text != '\0'; text++) {
        n += *text == '\n';
    }
    return n;
}

/* Output of the calls that follow, on stderr. */
static int stderr_to(const char *path)
{
    int saved = dup(STDERR_FILENO);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(saved >= 0 && fd >= 0);
    dup2(fd, STDERR_FILENO);
    close(fd);
    return saved;
}

/* ---- history ------------------------------------------------------------------------------------------- */

static void a_record_comes_back(void **state)
{
    lake_fixture *f = *state;
    const firn_export_column_nulls nulls[] = {{"user_id", 0}, {"e-mail \"x\"", 17}};
    const firn_export_record in = {.time_us = at("2025-01-15T12:00:00.123456"),
                                   .outcome = FIRN_EXPORT_DONE,
                                   .rows = 1000,
                                   .bytes = 15400,
                                   .json_bytes = 98211,
                                   .table_rows = 4000,
                                   .version = 4,
                                   .seconds = 0.25,
                                   .nulls = nulls,
                                   .n_nulls = 2,
                                   .snapshot_id = INT64_C(7312345678901234567)};
    const firn_export_record failed = {.time_us = at("2025-01-15T13:00:00"),
                                       .outcome = FIRN_EXPORT_FAILED,
                                       .message = "cannot reach \"x\":\nrefused"};
    firn_export_history_add(f->lake, "pay", &in);
    firn_export_history_add(f->lake, "pay", &failed);
    size_t n = 0;
    firn_export_record *out = read_all(f, "pay", &n);
    assert_int_equal(n, 2);
    assert_int_equal(out[0].time_us, in.time_us);
    assert_int_equal(out[0].outcome, FIRN_EXPORT_DONE);
    assert_int_equal(out[0].rows, 1000);
    assert_int_equal(out[0].bytes, 15400);
    assert_int_equal(out[0].json_bytes, 98211);
    assert_int_equal(out[0].table_rows, 4000);
    assert_int_equal(out[0].version, 4);
    assert_true(out[0].seconds == 0.25);
    assert_int_equal(out[0].snapshot_id, in.snapshot_id);
    assert_null(out[0].message);
    assert_int_equal(out[0].n_nulls, 2);
    assert_string_equal(out[0].nulls[1].column, "e-mail \"x\"");
    assert_int_equal(out[0].nulls[1].nulls, 17);
    assert_int_equal(out[1].outcome, FIRN_EXPORT_FAILED);
    assert_string_equal(out[1].message, "cannot reach \"x\":\nrefused");
    struct stat info;
    assert_int_equal(stat(history_path(f, "pay"), &info), 0);
    assert_int_equal(info.st_mode & 07, 0); /* not for everybody */
}

static void no_history_is_an_empty_one(void **state)
{
    size_t n = 9;
    assert_null(read_all(*state, "never", &n));
    assert_int_equal(n, 0);
}

static void texts_that_are_no_utf8_are_kept_readable(void **state)
{
    lake_fixture *f = *state;
    const firn_export_record record = {.time_us = 1, .message = "caf\xE9"};
    firn_export_history_add(f->lake, "raw", &record);
    size_t n = 0;
    assert_string_equal(read_all(f, "raw", &n)[0].message, "caf?");
}

static void lines_that_are_none_are_passed_over(void **state)
{
    lake_fixture *f = *state;
    firn_export_history_add(f->lake, "odd", &(firn_export_record){.time_us = 1, .rows = 1});
    put_text(
        history_path(f, "odd"),
        "\n\nnot json\n{}\n[1]\n{\"time\": \"x\", \"outcome\": \"done\"}\n"
        "{\"time\": \"2025-01-15T12:00:00Z\", \"outcome\": \"dunno\"}\n"
        "{\"time\": \"2025-01-15T12:00:00Z\", \"outcome\": \"done\", \"rows\": -1}\n"
        "{\"time\": \"2025-01-15T12:00:00Z\", \"outcome\": \"done\", \"rows\": 1.5}\n"
        "{\"time\": \"2025-01-15T12:00:00Z\", \"outcome\": \"done\", \"nulls\": {\"a\": \"b\"}}\n"
        "{\"time\": \"2025-01-15T12:00:00Z\", \"outcome\": \"done\", \"rows\": 2, \"later\": {}}\n");
    size_t n = 0;
    firn_export_record *out = read_all(f, "odd", &n);
    assert_int_equal(n, 2);
    assert_int_equal(out[1].rows, 2); /* members of a later firn do not matter */
}

/* Killed in the middle of a line: it is lost, the next one is not. */
static void a_line_cut_short_spoils_no_other(void **state)
{
    lake_fixture *f = *state;
    firn_export_history_add(f->lake, "cut", &(firn_export_record){.time_us = 1, .rows = 1});
    put_text(history_path(f, "cut"), "{\"time\": \"2025-01-15T1");
    firn_export_history_add(f->lake, "cut", &(firn_export_record){.time_us = 3, .rows = 3});
    size_t n = 0;
    firn_export_record *out = read_all(f, "cut", &n);
    assert_int_equal(n, 2);
    assert_int_equal(out[1].rows, 3);
}

static void the_last_thousand_are_kept(void **state)
{
    lake_fixture *f = *state;
    for (int i = 0; i < 1150; i++) {
        firn_export_history_add(f->lake, "long", &(firn_export_record){.time_us = i, .rows = i});
    }
    size_t n = 0;
    firn_export_record *out = read_all(f, "long", &n);
    assert_int_equal(n, 1000);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(out[i].rows, 150 + i);
    }
    assert_in_range(lines_of(text_of(f, history_path(f, "long"))), 1000, 1100);
}

/* Killed while it is trimmed: nothing is lost, and the next export trims it. */
static void a_kill_while_trimming_loses_nothing(void **state)
{
    lake_fixture *f = *state;
    int status = 0;
    for (int i = 0; i < 1100; i++) {
        firn_export_history_add(f->lake, "long", &(firn_export_record){.time_us = i, .rows = i});
    }
    pid_t child = fork();
    if (child == 0) {
        setenv("FIRN_FAULT_KILL", "history.trim", 1);
        firn_fault_reload();
        firn_export_history_add(f->lake, "long", &(firn_export_record){.time_us = 1, .rows = 1100});
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(lines_of(text_of(f, history_path(f, "long"))), 1101);
    firn_export_history_add(f->lake, "long", &(firn_export_record){.time_us = 2, .rows = 1101});
    assert_int_equal(lines_of(text_of(f, history_path(f, "long"))), 1000);
    size_t n = 0;
    firn_export_record *out = read_all(f, "long", &n);
    assert_int_equal(n, 1000);
    assert_int_equal(out[999].rows, 1101);
    assert_int_equal(out[998].rows, 1100);
}

/* Bytes turned over, cut out and put in: whatever line is left whole comes back as it was written, and nothing impossible does. */
static void damage_costs_the_damaged_lines_only(void **state)
{
    lake_fixture *f = *state;
    enum { LINES = 20, ROUNDS = 2000 };
    for (int i = 0; i < LINES; i++) {
        const firn_export_column_nulls nulls = {"c", i};
        firn_export_history_add(
            f->lake, "hit",
            &(firn_export_record){.time_us = i, .rows = 1000 + i, .nulls = &nulls, .n_nulls = 1});
    }
    const char *whole = text_of(f, history_path(f, "hit"));
    size_t length = strlen(whole);
    unsigned seed = 20250115;
    for (int round = 0; round < ROUNDS; round++) {
        FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
        char *text = firn_arena_memdup(arena, whole, length);
        size_t hit = (size_t)rand_r(&seed) % length;
        text[hit] = (char)(rand_r(&seed) % 256);
        size_t line = 0;
        for (size_t i = 0; i < hit; i++) {
            line += whole[i] == '\n';
        }
        firn_export_record *out = NULL;
        size_t n = 0;
        firn_export_history_parse(arena, firn_bytes_of(text, length), &out, &n);
        bool seen[LINES] = {false};
        for (size_t i = 0; i < n; i++) {
            assert_true(out[i].rows >= 0 && out[i].bytes >= 0 && out[i].seconds >= 0);
            int64_t which = out[i].rows - 1000;
            if (which >= 0 && which < LINES) {
                seen[which] = true;
            }
        }
        for (size_t i = 0; i < LINES; i++) {
            bool joined = whole[hit] == '\n' && i == line + 1;
            assert_true(seen[i] || i == line || joined);
        }
    }
}

static void processes_write_beside_each_other(void **state)
{
    lake_fixture *f = *state;
    enum { WRITERS = 4, EACH = 150 };
    pid_t children[WRITERS];
    for (int w = 0; w < WRITERS; w++) {
        children[w] = fork();
        if (children[w] == 0) {
            for (int i = 0; i < EACH; i++) {
                firn_export_history_add(f->lake, "many",
                                        &(firn_export_record){.time_us = i, .rows = w});
                firn_export_log(f->lake, 0, FIRN_EXPORT_INFO, "%d %0*d", w, 500, i);
            }
            _exit(0);
        }
    }
    for (int w = 0; w < WRITERS; w++) {
        int status = 0;
        assert_int_equal(waitpid(children[w], &status, 0), children[w]);
        assert_int_equal(status, 0);
    }
    size_t n = 0;
    firn_export_record *out = read_all(f, "many", &n);
    assert_int_equal(n, WRITERS * EACH);
    int of[WRITERS] = {0};
    for (size_t i = 0; i < n; i++) {
        of[out[i].rows]++;
    }
    for (int w = 0; w < WRITERS; w++) {
        assert_int_equal(of[w], EACH);
    }
    size_t lines = 0;
    char **all = firn_str_split(f->arena, text_of(f, firn_export_log_path(f->lake, f->arena, 0)),
                                '\n', &lines);
    assert_int_equal(lines, WRITERS * EACH + 1);
    for (size_t i = 0; i + 1 < lines; i++) {
        assert_true(firn_starts_with(all[i], "1970-01-01 00:00:00,000 - firn.export - INFO - "));
        assert_int_equal(strlen(all[i]), strlen(all[0]));
    }
}

/* ---- log ----------------------------------------------------------------------------------------------- */

static void a_line_is_as_python_writes_it(void **state)
{
    lake_fixture *f = *state;
    int64_t now_us = at("2025-01-15T12:00:00.123999");
    firn_export_log(f->lake, now_us, FIRN_EXPORT_INFO, "%s: %d rows", "pay", 3);
    firn_export_log(f->lake, now_us, FIRN_EXPORT_WARNING, "odd");
    firn_export_log(f->lake, now_us, FIRN_EXPORT_ERROR, "two\nlines\r\n\x1b[31mand\ttab");
    const char *path = firn_path_join(f->arena, f->root, "logs/export_2025_01.log");
    assert_string_equal(
        text_of(f, path),
        "2025-01-15 12:00:00,123 - firn.export - INFO - pay: 3 rows\n"
        "2025-01-15 12:00:00,123 - firn.export - WARNING - odd\n"
        "2025-01-15 12:00:00,123 - firn.export - ERROR - two lines   [31mand tab\n");
    firn_export_log(f->lake, at("2025-02-01"), FIRN_EXPORT_INFO, "another month");
    assert_true(firn_path_exists(firn_path_join(f->arena, f->root, "logs/export_2025_02.log")));
}

static void long_messages_are_cut_at_a_character(void **state)
{
    lake_fixture *f = *state;
    char *text = firn_arena_alloc(f->arena, 20001);
    for (size_t i = 0; i < 20000; i += 2) {
        memcpy(text + i, "é", 2);
    }
    text[20000] = '\0';
    firn_export_log(f->lake, 0, FIRN_EXPORT_INFO, "x%s", text);
    const char *log = text_of(f, firn_export_log_path(f->lake, f->arena, 0));
    assert_true(firn_utf8_valid(firn_bytes_str(log)));
    assert_in_range(strlen(log), 7900, 8100);
}

/* Neither ends an export; both are said once, whatever the number of feeds. */
static void what_cannot_be_written_is_one_warning(void **state)
{
    lake_fixture *f = *state;
    const char *logs = firn_path_join(f->arena, f->root, "logs");
    const char *said = firn_path_join(f->arena, f->root, "said");
    assert_int_equal(rmdir(logs), 0);
    put_text(logs, "a file where the folder was");
    setenv("FIRN_FAULT_FAIL", "1+:nospace", 1);
    firn_fault_reload();
    firn_log_set_level(FIRN_LOG_WARN);
    int saved = stderr_to(said);
    for (int i = 0; i < 3; i++) {
        firn_export_history_add(f->lake, "pay", &(firn_export_record){.rows = 1});
        firn_export_log(f->lake, 0, FIRN_EXPORT_INFO, "line");
    }
    dup2(saved, STDERR_FILENO);
    close(saved);
    unsetenv("FIRN_FAULT_FAIL");
    firn_fault_reload();
    const char *text = text_of(f, said);
    assert_int_equal(lines_of(text), 2);
    assert_non_null(strstr(text, "the export log is not written"));
    assert_non_null(strstr(text, "the export's history is not kept"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_record_comes_back, lake_setup, lake_teardown),
        cmocka_unit_test_setup_teardown(no_history_is_an_empty_one, lake_setup, lake_teardown),
        cmocka_unit_test_setup_teardown(texts_that_are_no_utf8_are_kept_readable, lake_setup,
                                        lake_teardown),
        cmocka_unit_test_setup_teardown(lines_that_are_none_are_passed_over, lake_setup,
                                        lake_teardown),
        cmocka_unit_test_setup_teardown(a_line_cut_short_spoils_no_other, lake_setup,
                                        lake_teardown),
        cmocka_unit_test_setup_teardown(the_last_thousand_are_kept, lake_setup, lake_teardown),
        cmocka_unit_test_setup_teardown(a_kill_while_trimming_loses_nothing, lake_setup,
                                        lake_teardown),
        cmocka_unit_test_setup_teardown(damage_costs_the_damaged_lines_only, lake_setup,
                                        lake_teardown),
        cmocka_unit_test_setup_teardown(processes_write_beside_each_other, lake_setup,
                                        lake_teardown),
        cmocka_unit_test_setup_teardown(a_line_is_as_python_writes_it, lake_setup, lake_teardown),
        cmocka_unit_test_setup_teardown(long_messages_are_cut_at_a_character, lake_setup,
                                        lake_teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_written_is_one_warning, lake_setup,
                                        lake_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
