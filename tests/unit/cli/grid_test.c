/* Aligned lines with notes, byte for byte. */
#include "cli_testing.h"

#include "grid.h"

static void lines_align_and_notes_wrap(void **state)
{
    testing *t = *state;
    static const firn_grid_column COLUMNS[] = {{"feed", false}, {"lag", true}, {"state", false}};
    firn_grid *grid = firn_grid_new(t->arena, COLUMNS, 3);
    firn_grid_row(grid, (const char *const[]){"orders", "1,204", "running"}, NULL);
    firn_grid_row(grid, (const char *const[]){"日本", NULL, "stopped"}, NULL);
    firn_grid_note(
        grid, 1,
        "users [0] does not have offset 918: it has 0 to 12 (past its end: was the topic made "
        "anew, or is this another cluster?)",
        NULL);
    firn_grid_note(grid, 1, "one\x1b[31m two", NULL);
    FILE *to = fopen("/dev/null", "w");
    FIRN_AUTO_BUF firn_buf out = {0};
    firn_grid_write(grid, to, &out);
    fclose(to);
    assert_string_equal(
        firn_buf_cstr(&out),
        " feed      lag  state\n"
        " orders  1,204  running\n"
        " 日本        -  stopped\n"
        "         users [0] does not have offset 918: it has 0 to 12 (past its end: was the topic made anew,\n"
        "         or is this another cluster?)\n"
        "         one\\x1b[31m two\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines_align_and_notes_wrap, testing_setup,
                                        testing_teardown),
    };
    return cmocka_run_group_tests_name("cli/grid", tests, NULL, NULL);
}
