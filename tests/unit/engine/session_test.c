/* Sessions and results: scripts, streaming, errors in the middle, interruption from another thread, settings of the engine. */
#include "lake_fixture.h"

#include "base/time.h"

#include <pthread.h>

typedef struct seen {
    int results, rows;
} seen;

static firn_rc count_rows(void *ctx, firn_result *result, firn_err *err)
{
    seen *s = ctx;
    s->results++;
    const char *const *cells = NULL;
    while (firn_result_has_rows(result)) {
        FIRN_TRY(firn_result_next(result, &cells, err));
        if (cells == NULL) {
            break;
        }
        s->rows++;
    }
    return FIRN_OK;
}

static void scripts_stop_at_the_first_error(void **state)
{
    lake_fixture *f = *state;
    seen s = {0};
    firn_err err = {0};
    lake_check(firn_session_run(f->session, "SELECT 1; -- one\n SELECT ';' UNION ALL SELECT 'b';; ",
                                count_rows, &s, &err),
               &err, "run");
    assert_int_equal(s.results, 2);
    assert_int_equal(s.rows, 3);
    s = (seen){0};
    assert_int_equal(
        firn_session_run(f->session, "SELECT 1;\nSELECT nosuch;\nSELECT 2", count_rows, &s, &err),
        FIRN_E_NO_COLUMN);
    assert_int_equal(s.results, 1);
    assert_int_equal(firn_session_run(f->session, "SELECT 1;\nSELECT 1 +;", count_rows, &s, &err),
                     FIRN_E_SYNTAX);
    lake_contains(err.message, "line 2");
    firn_result *result = NULL;
    assert_int_equal(firn_session_query(f->session, "SELECT 1; SELECT 2", &result, &err),
                     FIRN_E_SYNTAX);
}

static void an_error_behind_many_rows_is_not_lost(void **state)
{
    lake_fixture *f = *state;
    lake_fails(f,
               "SELECT CASE WHEN i = 400000 THEN 'x'::INTEGER ELSE i END FROM range(500000) t(i)",
               FIRN_E_TYPE);
    firn_err err = {0};
    int64_t rows = 0;
    assert_int_equal(
        firn_session_exec(f->session, "SELECT error('late') FROM range(10)", &rows, &err),
        FIRN_E_INVALID);
    lake_contains(err.message, "late");
    lake_expect(f, "SELECT 1", "1");
}

static void large_results_stream(void **state)
{
    lake_fixture *f = *state;
    firn_err err = {0};
    int64_t rows = 0;
    lake_check(firn_session_exec(f->session, "SELECT i, i::VARCHAR, [i] FROM range(200000) t(i)",
                                 &rows, &err),
               &err, "rows");
    assert_int_equal(rows, 200000);
    /* Left in the middle, the session goes on. */
    firn_result *result = NULL;
    const char *const *cells = NULL;
    lake_check(firn_session_query(f->session, "SELECT * FROM range(10000000)", &result, &err), &err,
               "big");
    lake_check(firn_result_next(result, &cells, &err), &err, "first row");
    assert_string_equal(cells[0], "0");
    firn_result_free(result);
    lake_expect(f, "SELECT 2", "2");
}

static void scalars(void **state)
{
    lake_fixture *f = *state;
    firn_err err = {0};
    const char *text = "x";
    lake_check(firn_session_scalar(f->session, f->arena, "SELECT NULL", &text, &err), &err, "null");
    assert_null(text);
    assert_int_equal(firn_session_scalar(f->session, f->arena, "SELECT 1, 2", &text, &err),
                     FIRN_E_INVALID);
    assert_int_equal(firn_session_scalar(f->session, f->arena, "SELECT 1 WHERE false", &text, &err),
                     FIRN_E_INVALID);
    assert_int_equal(
        firn_session_scalar(f->session, f->arena, "SELECT * FROM range(2)", &text, &err),
        FIRN_E_INVALID);
}

typedef struct interrupter {
    firn_session *session;
    double progress;
} interrupter;

static void *interrupt_soon(void *ctx)
{
    interrupter *i = ctx;
    firn_sleep_ms(300);
    i->progress = firn_session_progress(i->session);
    firn_session_interrupt(i->session);
    return NULL;
}

static void interrupted_from_another_thread(void **state)
{
    lake_fixture *f = *state;
    lake_expect(f, "SELECT 1", "1"); /* DuckDB is open */
    interrupter i = {.session = f->session};
    pthread_t thread;
    int64_t start = firn_monotonic_us();
    assert_int_equal(pthread_create(&thread, NULL, interrupt_soon, &i), 0);
    lake_contains(
        lake_fails(f, "SELECT sum(hash(a.range + b.range)) FROM range(3000000) a, range(3000000) b",
                   FIRN_E_CANCELLED),
        "cancelled");
    pthread_join(thread, NULL);
    assert_true(firn_monotonic_us() - start < 30 * 1000000);
    assert_true(i.progress <= 1);
    lake_expect(f, "SELECT 1", "1");
}

static void refs_are_checked(void **state)
{
    lake_fixture *f = *state;
    firn_err err = {0};
    assert_string_equal(firn_session_ref(f->session), "main");
    assert_int_equal(firn_session_set_ref(f->session, "nosuch", &err), FIRN_E_NO_REF);
    assert_string_equal(firn_session_ref(f->session), "main");
    firn_session *other = NULL;
    assert_int_equal(firn_session_new(f->engine, "nosuch", &other, &err), FIRN_E_NO_REF);
    lake_exec(f, "CREATE BRANCH dev");
    lake_check(firn_session_new(f->engine, "dev", &other, &err), &err, "on a branch");
    assert_string_equal(firn_session_ref(other), "dev");
    firn_session_free(other);
}

static void engine_has_limits_and_no_downloads(void **state)
{
    lake_fixture *f = *state;
    lake_configure(f, "  # memory_limit: 0", "  memory_limit: 200MB");
    lake_configure(f, "  # threads: 0", "  threads: 3");
    lake_expect(
        f,
        "SELECT current_setting('threads'), current_setting('memory_limit'), current_setting('TimeZone')",
        "3|190.7 MiB|UTC");
    lake_expect(
        f,
        "SELECT current_setting('autoinstall_known_extensions'), current_setting('autoload_known_extensions')",
        "false|false");
    lake_expect(f, "SELECT current_setting('temp_directory')",
                firn_arena_printf(f->arena, "%s/.firn/tmp", f->root));
    lake_fails(f, "SELECT list(i) FROM range(100000000) t(i)", FIRN_E_MEMORY);
    lake_expect(
        f,
        "SELECT count(*) FROM (SELECT DISTINCT i::VARCHAR || 'some text to make it wide' FROM range(3000000) t(i))",
        "3000000");
}

static void without_a_lake_duckdb_still_answers(void **state)
{
    (void)state;
    firn_err err = {0};
    firn_engine *engine = NULL;
    firn_session *session = NULL;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const char *text = NULL;
    lake_check(firn_engine_open(NULL, &engine, &err), &err, "engine");
    lake_check(firn_session_new(engine, NULL, &session, &err), &err, "session");
    lake_check(firn_session_scalar(session, arena, "SELECT sum(i) FROM range(5) t(i)", &text, &err),
               &err, "sum");
    assert_string_equal(text, "10");
    assert_int_equal(firn_session_scalar(session, arena, "SELECT count(*) FROM a.b", &text, &err),
                     FIRN_E_NO_TABLE);
    firn_session_free(session);
    firn_engine_close(engine);
}

static void scan_functions_refuse_strangers(void **state)
{
    lake_fixture *f = *state;
    lake_contains(lake_fails(f, "SELECT firn_deleted(5, 0::UBIGINT, 0)", FIRN_E_INVALID),
                  "no such scan");
    lake_contains(
        lake_fails(f, "SELECT firn_location(i, 0::UBIGINT) FROM range(3) t(i)", FIRN_E_INVALID),
        "no such scan");
    lake_contains(lake_fails(f, "SELECT * FROM firn_rows(77)", FIRN_E_INVALID), "no such rows");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(scripts_stop_at_the_first_error, lake_setup, lake_teardown),
        cmocka_unit_test_setup_teardown(an_error_behind_many_rows_is_not_lost, lake_setup,
                                        lake_teardown),
        cmocka_unit_test_setup_teardown(large_results_stream, lake_setup, lake_teardown),
        cmocka_unit_test_setup_teardown(scalars, lake_setup, lake_teardown),
        cmocka_unit_test_setup_teardown(interrupted_from_another_thread, lake_setup, lake_teardown),
        cmocka_unit_test_setup_teardown(refs_are_checked, lake_setup, lake_teardown),
        cmocka_unit_test_setup_teardown(engine_has_limits_and_no_downloads, lake_setup,
                                        lake_teardown),
        cmocka_unit_test(without_a_lake_duckdb_still_answers),
        cmocka_unit_test_setup_teardown(scan_functions_refuse_strangers, lake_setup, lake_teardown),
    };
    return cmocka_run_group_tests_name("engine/session", tests, NULL, NULL);
}
