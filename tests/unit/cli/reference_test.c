/* The reference pages are those that the binary makes. */
#include "cli_testing.h"

static void compare(testing *t, const char *page, const char *command)
{
    const char *source = getenv("FIRN_SOURCE_DIR");
    assert_non_null(source);
    const char *path = firn_path_join(t->arena, source, page);
    if (strcmp(t->out, caught(t, path)) != 0) {
        fail_msg("%s is not current: make it with %s > %s", page, command, page);
    }
}

static void the_command_reference_is_current(void **state)
{
    run_ok((testing *)*state, "help", "--markdown");
    compare(*state, "docs/reference/cli.md", "firn help --markdown");
}

static void the_configuration_reference_is_current(void **state)
{
    run_ok((testing *)*state, "help", "--config");
    compare(*state, "docs/reference/config.md", "firn help --config");
}

static void the_reference_of_feeds_is_current(void **state)
{
    run_ok((testing *)*state, "help", "--feeds");
    compare(*state, "docs/reference/feeds.md", "firn help --feeds");
}

static void the_reference_of_export_feeds_is_current(void **state)
{
    run_ok((testing *)*state, "help", "--export-feeds");
    compare(*state, "docs/reference/export-feeds.md", "firn help --export-feeds");
}

/* bash takes the script, and offers commands, their second words and options. */
static void completion_completes(void **state)
{
    testing *t = *state;
    run_ok(t, "help", "--completion", "bash");
    assert_int_equal(firn_file_write_atomic("firn.bash", firn_bytes_str(t->out), 0644, NULL),
                     FIRN_OK);
    static const char *const CASES[][2] = {
        {"firn pip", "pipeline"},           {"firn table roll", "rollback"},
        {"firn --lake x ref mer", "merge"}, {"firn table rollback --as", "--as-of"},
        {"firn sql --exp", "--expanded"},   {"firn status --for", "--format"}};
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        const char *script = firn_arena_printf(
            t->arena,
            "bash --norc -c 'source ./firn.bash; COMP_WORDS=(%s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _firn; "
            "echo \"${COMPREPLY[*]}\"' > answer",
            CASES[i][0]);
        assert_int_equal(system(script), 0);
        assert_string_equal(caught(t, "answer"), firn_arena_printf(t->arena, "%s\n", CASES[i][1]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_command_reference_is_current, testing_setup,
                                        testing_teardown),
        cmocka_unit_test_setup_teardown(the_configuration_reference_is_current, testing_setup,
                                        testing_teardown),
        cmocka_unit_test_setup_teardown(the_reference_of_feeds_is_current, testing_setup,
                                        testing_teardown),
        cmocka_unit_test_setup_teardown(the_reference_of_export_feeds_is_current, testing_setup,
                                        testing_teardown),
        cmocka_unit_test_setup_teardown(completion_completes, testing_setup, testing_teardown),
    };
    return cmocka_run_group_tests_name("cli/reference", tests, NULL, NULL);
}
