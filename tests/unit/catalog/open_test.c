/* Opening: new and old catalogs, files that are none, locks, read-only places, damage and failing disks. */
#include "fixture.h"

#include "catalog/idempotency.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>

static const char *db_path(fixture *f)
{
    return firn_arena_printf(f->arena, "%s/catalog.db", f->dir);
}

/* Run SQL on the file behind the catalog's back. */
static void tamper(fixture *f, const char *sql)
{
    sqlite3 *db;
    fixture_close(f);
    assert_int_equal(sqlite3_open(db_path(f), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void write_file(const char *path, off_t offset, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0644);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, text, strlen(text), offset), strlen(text));
    close(fd);
}

static void what_is_committed_is_there_after_reopening(void **state)
{
    fixture *f = *state;
    assert_ok(f, create_ns(f, NULL, "s"));
    const char *before = head(f, NULL);
    fixture_reopen(f);
    assert_string_equal(head(f, NULL), before);
    fixture_close(f);
    assert_ok(f, fixture_open(f, true)); /* creating what exists opens it */
    assert_string_equal(head(f, NULL), before);
}

static void a_missing_catalog_is_made_only_on_request(void **state)
{
    fixture *f = *state;
    fixture_close(f);
    unlink(db_path(f));
    assert_fails(f, fixture_open(f, false), FIRN_E_NOT_FOUND, "there is no catalog at");
    write_file(db_path(f), 0, "");
    assert_fails(f, fixture_open(f, false), FIRN_E_NOT_FOUND, "is empty, not a catalog yet");
    assert_ok(f, fixture_open(f, true));
}

static void a_folder_that_is_not_there_says_so(void **state)
{
    fixture *f = *state;
    fixture lost = *f;
    lost.dir = firn_arena_printf(f->arena, "%s/no/such", f->dir);
    assert_fails(&lost, fixture_open(&lost, true), FIRN_E_NOT_FOUND, "no/such/catalog.db");
}

static void other_files_are_not_taken_for_catalogs(void **state)
{
    fixture *f = *state;
    fixture_close(f);
    unlink(db_path(f));
    write_file(
        db_path(f), 0,
        "This is a text of more than a hundred bytes, which nobody could mistake for a database; "
        "it goes on and on so that it is longer than a header.");
    assert_fails(f, fixture_open(f, false), FIRN_E_CORRUPT, "is not a firn catalog");
    unlink(db_path(f));
    tamper(f, "CREATE TABLE somebody_elses (x)");
    assert_fails(f, fixture_open(f, true), FIRN_E_CORRUPT, "another program's SQLite database");
    tamper(f, "DROP TABLE somebody_elses; PRAGMA application_id = 42");
    assert_fails(f, fixture_open(f, true), FIRN_E_CORRUPT, "another program's SQLite database");
}

static void a_newer_schema_is_left_alone(void **state)
{
    fixture *f = *state;
    tamper(f, "PRAGMA user_version = 99");
    assert_fails(f, fixture_open(f, false), FIRN_E_UNSUPPORTED,
                 "written by a newer firn (schema 99");
}

static void an_older_schema_is_brought_up_to_date(void **state)
{
    fixture *f = *state;
    firn_idempotency_record *record;
    assert_ok(f, create_ns(f, NULL, "s"));
    const char *before = head(f, NULL);
    tamper(f, "DROP TABLE idempotency; PRAGMA user_version = 1");
    assert_ok(f, fixture_open(f, false));
    assert_string_equal(head(f, NULL), before);
    assert_ok(f, firn_idempotency_get(f->catalog, f->arena, "k", &record, &f->err));
    assert_null(record);
}

static void a_damaged_file_says_what_to_do(void **state)
{
    fixture *f = *state;
    assert_ok(f, create_ns(f, NULL, "s"));
    fixture_close(f);
    for (off_t page = 1; page < 20; page++) {
        write_file(db_path(f), page * 4096, "no page of a database begins like this");
    }
    firn_rc rc = fixture_open(f, false);
    assert_int_equal(rc, FIRN_E_CORRUPT);
    assert_non_null(strstr(f->err.message, "is damaged"));
    assert_non_null(strstr(f->err.message, "restore it from a backup"));
}

static void who_does_not_want_to_wait_does_not(void **state)
{
    fixture *f = *state;
    fixture_close(f);
    sqlite3 *other;
    firn_catalog_options options = {
        .path = db_path(f), .storage = f->storage, .busy_timeout_ms = -1};
    assert_ok(f, firn_catalog_open(&options, &f->catalog, &f->err));
    assert_int_equal(sqlite3_open(db_path(f), &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_fails(f, create_ns(f, NULL, "s"), FIRN_E_BUSY, "(waited 0 s)");
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
    assert_ok(f, create_ns(f, NULL, "s"));
}

static void a_lock_held_by_another_is_waited_for_and_then_named(void **state)
{
    fixture *f = *state;
    fixture_close(f);
    sqlite3 *other;
    firn_catalog_options options = {
        .path = db_path(f), .storage = f->storage, .busy_timeout_ms = 50};
    assert_ok(f, firn_catalog_open(&options, &f->catalog, &f->err));
    assert_int_equal(sqlite3_open(db_path(f), &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_fails(f, create_ns(f, NULL, "s"), FIRN_E_BUSY,
                 "catalog.db is locked by another process (waited 0.05 s)");
    assert_true(f->err.retriable);
    head(f, NULL); /* reading does not wait */
    assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    assert_ok(f, create_ns(f, NULL, "s"));
    sqlite3_close(other);
}

static void many_processes_may_make_the_same_catalog(void **state)
{
    fixture *f = *state;
    enum { PROCESSES = 8 };
    fixture_close(f);
    unlink(db_path(f));
    pid_t children[PROCESSES];
    for (int p = 0; p < PROCESSES; p++) {
        children[p] = fork();
        if (children[p] == 0) {
            firn_rc rc = fixture_open(f, true);
            if (rc == FIRN_OK) {
                rc = create_ns(f, NULL, firn_arena_printf(f->arena, "s%d", p));
                fixture_close(f);
            }
            if (rc != FIRN_OK) {
                fprintf(stderr, "%s: %s\n", firn_rc_name(rc), f->err.message);
            }
            _exit(rc == FIRN_OK ? 0 : 1);
        }
    }
    for (int p = 0; p < PROCESSES; p++) {
        int status;
        assert_int_equal(waitpid(children[p], &status, 0), children[p]);
        assert_int_equal(status, 0);
    }
    assert_ok(f, fixture_open(f, false));
    firn_commit *log;
    size_t n;
    assert_ok(f, firn_catalog_log(f->catalog, f->arena, NULL, 0, &log, &n, &f->err));
    assert_int_equal(n, PROCESSES + 1); /* one root, and everybody's namespace */
}

/* In a process without root's rights. */
static int as_nobody(fixture *f, firn_rc (*work)(fixture *f))
{
    pid_t child = fork();
    if (child == 0) {
        if (geteuid() == 0 &&
            (setgroups(0, NULL) != 0 || setgid(65534) != 0 || setuid(65534) != 0)) {
            _exit(254);
        }
        firn_rc rc = work(f);
        fixture_close(f);
        if (rc != FIRN_OK) {
            fprintf(stderr, "%s\n", f->err.message);
        }
        _exit((int)rc);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static firn_rc read_head(fixture *f)
{
    firn_ref ref;
    FIRN_TRY(fixture_open(f, false));
    return firn_catalog_ref_get(f->catalog, f->arena, NULL, &ref, &f->err);
}

static firn_rc write_namespace(fixture *f)
{
    FIRN_TRY(fixture_open(f, false));
    return create_ns(f, NULL, "s");
}

static void a_read_only_folder_can_be_read(void **state)
{
    fixture *f = *state;
    fixture_close(f);
    assert_int_equal(chmod(db_path(f), 0444), 0);
    assert_int_equal(chmod(f->dir, 0555), 0);
    int reading = as_nobody(f, read_head), writing = as_nobody(f, write_namespace);
    assert_int_equal(chmod(f->dir, 0755), 0);
    assert_int_equal(reading, FIRN_OK);
    assert_int_equal(writing, FIRN_E_READ_ONLY);
}

/* Commits under a file-size limit, until SQLite cannot extend its WAL any more. */
static void a_disk_that_fails_midway_leaves_whole_commits(void **state)
{
    fixture *f = *state;
    assert_ok(f, create_ns(f, NULL, "s"));
    fixture_close(f);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){.rlim_cur = 300000, .rlim_max = 300000});
        firn_rc rc = fixture_open(f, false);
        int done = 0;
        while (rc == FIRN_OK && done < 200) {
            rc = create_ns(f, NULL, firn_arena_printf(f->arena, "s.n%03d", done));
            done += rc == FIRN_OK;
        }
        _exit(rc == FIRN_OK ? 255 : done);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 200);
    assert_ok(f, fixture_open(f, false));
    firn_catalog_entry *entries;
    size_t n;
    assert_ok(f, firn_catalog_list(f->catalog, f->arena, NULL, FIRN_KIND_NAMESPACE, NULL, &entries,
                                   &n, &f->err));
    assert_int_equal(n, 1 + WEXITSTATUS(status));
    assert_ok(f, create_ns(f, NULL, "s.after"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_committed_is_there_after_reopening),
        TEST(a_missing_catalog_is_made_only_on_request),
        TEST(a_folder_that_is_not_there_says_so),
        TEST(other_files_are_not_taken_for_catalogs),
        TEST(a_newer_schema_is_left_alone),
        TEST(an_older_schema_is_brought_up_to_date),
        TEST(a_damaged_file_says_what_to_do),
        TEST(who_does_not_want_to_wait_does_not),
        TEST(a_lock_held_by_another_is_waited_for_and_then_named),
        TEST(many_processes_may_make_the_same_catalog),
        TEST(a_read_only_folder_can_be_read),
        TEST(a_disk_that_fails_midway_leaves_whole_commits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
