/* DuckDB is loaded by what needs SQL and by nothing else. It is never unloaded: the order of the tests is part of them. */
#include "duck_api.h"

#include "lake_fixture.h"

static bool duckdb_is_loaded(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    char line[4096];
    bool found = false;
    while (fgets(line, sizeof(line), maps) != NULL) {
        found = found || strstr(line, FIRN_DUCK_LIBRARY) != NULL;
    }
    fclose(maps);
    return found;
}

static void the_program_is_not_linked_with_it(void **state)
{
    lake_fixture *f = *state;
    const char *firn = getenv("FIRN");
    if (firn == NULL) {
        skip();
    }
    /* The dynamic linker tells what it would load, and runs nothing. */
    FILE *tells = popen(firn_arena_printf(f->arena, "LD_TRACE_LOADED_OBJECTS=1 '%s'", firn), "r");
    assert_non_null(tells);
    char line[4096];
    int libraries = 0;
    while (fgets(line, sizeof(line), tells) != NULL) {
        assert_null(strstr(line, FIRN_DUCK_LIBRARY));
        libraries++;
    }
    assert_int_equal(pclose(tells), 0);
    assert_true(libraries > 0);
}

static void what_is_missing_is_told(void **state)
{
    (void)state;
    firn_err err = {0};
    assert_int_equal(firn_duck_api_load("libnosuch.so", &err), FIRN_E_ENGINE);
    lake_contains(err.message, "cannot load DuckDB, which runs SQL: libnosuch.so: ");
    lake_contains(err.message, "LD_LIBRARY_PATH");
    assert_int_equal(firn_duck_api_load("libm.so.6", &err), FIRN_E_ENGINE);
    lake_contains(err.message, "libm.so.6 has no function duckdb_");
}

static void statements_of_the_catalog_do_without(void **state)
{
    lake_fixture *f = *state;
    lake_exec(f, "CREATE BRANCH dev; SHOW BRANCHES; DROP BRANCH dev");
    firn_session_interrupt(f->session);
    lake_reopen(f);
    assert_false(duckdb_is_loaded());
}

static void the_first_query_loads_it(void **state)
{
    lake_fixture *f = *state;
    lake_expect(f, "SELECT 6 * 7", "42");
    assert_true(duckdb_is_loaded());
    firn_err err = {0};
    lake_check(firn_duck_api_load(FIRN_DUCK_LIBRARY, &err), &err, "load again");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_program_is_not_linked_with_it, lake_setup,
                                        lake_teardown),
        cmocka_unit_test(what_is_missing_is_told),
        cmocka_unit_test_setup_teardown(statements_of_the_catalog_do_without, lake_setup,
                                        lake_teardown),
        cmocka_unit_test_setup_teardown(the_first_query_loads_it, lake_setup, lake_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
