/* The command line: what is understood, what is refused and how. */
#include "cli_testing.h"

#include "cli.h"

static void parse(testing *t, firn_cli *cli, firn_rc expected, const char *line)
{
    firn_err err = {0};
    size_t n = 0;
    char **words = firn_str_split(t->arena, firn_arena_printf(t->arena, "firn %s", line), ' ', &n);
    *cli = (firn_cli){.arena = t->arena, .program = "firn"};
    assert_int_equal(firn_cli_parse(cli, (int)n, words, &err), expected);
}

static void global_options_stand_anywhere(void **state)
{
    testing *t = *state;
    static const char *const LINES[] = {
        "--lake here --format csv table list bronze", "table --lake here list --format csv bronze",
        "table list bronze --lake=here --format=csv",
        "-q table list --format json --lake here --format csv bronze"};
    for (size_t i = 0; i < sizeof(LINES) / sizeof(LINES[0]); i++) {
        firn_cli cli;
        parse(t, &cli, FIRN_OK, LINES[i]);
        assert_string_equal(cli.command->name, "table list");
        assert_string_equal(firn_cli_option(&cli, "lake"), "here");
        assert_int_equal(cli.format, FIRN_FORMAT_CSV);
        assert_string_equal(firn_cli_arg(&cli, 0), "bronze");
        assert_int_equal(cli.quiet, i == 3);
    }
}

static void short_options(void **state)
{
    testing *t = *state;
    firn_cli cli;
    parse(t, &cli, FIRN_OK, "sql -qv -cselect -f - -x");
    size_t n = 0;
    const char **commands = firn_cli_options(&cli, t->arena, "command", &n);
    assert_int_equal(n, 1);
    assert_string_equal(commands[0], "select");
    assert_string_equal(firn_cli_option(&cli, "file"), "-");
    assert_true(cli.quiet && cli.verbose && firn_cli_switch(&cli, "expanded"));
    parse(t, &cli, FIRN_E_INVALID, "sql -z");
}

static void two_dashes_end_the_options(void **state)
{
    firn_cli cli;
    parse(*state, &cli, FIRN_OK, "table show -- --odd");
    assert_string_equal(firn_cli_arg(&cli, 0), "--odd");
}

static void numbers(void **state)
{
    testing *t = *state;
    firn_cli cli;
    int64_t n = 0;
    firn_err err = {0};
    parse(t, &cli, FIRN_OK, "ref log -n 5");
    assert_int_equal(firn_cli_number(&cli, "limit", 0, 20, &n, &err), FIRN_OK);
    assert_int_equal(n, 5);
    parse(t, &cli, FIRN_OK, "ref log");
    assert_int_equal(firn_cli_number(&cli, "limit", 0, 20, &n, &err), FIRN_OK);
    assert_int_equal(n, 20);
    static const char *const BAD[] = {"ref log -n five", "ref log -n -1", "ref log --limit="};
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        parse(t, &cli, FIRN_OK, BAD[i]);
        assert_int_equal(firn_cli_number(&cli, "limit", 0, 20, &n, &err), FIRN_E_INVALID);
        assert_true(cli.wrong_usage);
    }
}

static void wrong_usage_names_the_nearest(void **state)
{
    testing *t = *state;
    run_fails(t, 2, "there is no command \"firn tabel\"; did you mean firn table?", "tabel");
    run_fails(t, 2, "there is no command \"firn table lst\"; did you mean firn table list?",
              "table", "lst");
    run_fails(t, 2, "there is no command \"firn table list\"", "table list");
    run_fails(t, 2, "there is no command \"firn xyzzy\"; see: firn help", "xyzzy");
    run_fails(t, 2, "firn sql has no option --frmat; did you mean --format?", "sql", "--frmat",
              "csv");
    run_fails(t, 2, "firn sql has no option -z", "sql", "-z");
    run_fails(t, 2, "--format is one of table, csv, json, not \"xml\"", "sql", "--format", "xml");
    run_fails(t, 2, "--command needs a value", "sql", "-c");
    run_fails(t, 2, "--quiet takes no value", "sql", "--quiet=yes");
    run_fails(t, 2, "something is missing: firn table show TABLE", "table", "show");
    run_fails(t, 2, "does not know what to do with \"b\"", "table", "show", "a", "b");
    run_fails(t, 2, "firn ref needs to know what to do: list, show, log", "ref");
    run_fails(t, 2, "there is no command \"firn tble\"", "help", "tble");
    run_fails(t, 2, "there is no demo \"tpch\"", "demo", "tpch");
}

static void help_and_version(void **state)
{
    testing *t = *state;
    run_ok(t, "--version");
    assert_string_equal(t->out, "firn " FIRN_VERSION "\n");
    run_ok(t, "version", "--format", "json");
    assert_string_equal(t->out, "{\"version\":\"" FIRN_VERSION "\"}\n");
    run_ok(t, "--help");
    assert_has(t->out, "usage: firn [OPTIONS] COMMAND");
    assert_has(t->out, "  pipeline      run pipelines");
    run_ok(t, "table", "--help");
    assert_has(t->out, "rollback TABLE");
    run_ok(t, "table", "rollback", "--help"); /* its TABLE is not missed */
    assert_has(t->out, "usage: firn table rollback [OPTIONS] TABLE");
    run_ok(t, "help", "table", "rollback");
    assert_has(t->out, "--as-of TIME");
    run_ok(t, "help", "ref");
    assert_has(t->out, "merge FROM [INTO]");
}

/* Splits like a shell: blanks, and double quotes that keep them. */
static size_t split_words(testing *t, const char *line, char **words)
{
    size_t n = 0;
    for (const char *at = line; *at != '\0' && *at != '>'; at += strspn(at, " ")) {
        bool quoted = *at == '"';
        size_t len = quoted ? strcspn(at + 1, "\"") : strcspn(at, " ");
        words[n++] = firn_arena_strndup(t->arena, at + quoted, len);
        at += len + 2 * quoted;
    }
    return n;
}

/* The table is declared well: what help shows as an example is understood, and nobody's option hides a global one. */
static void every_declared_command_is_sound(void **state)
{
    testing *t = *state;
    for (const firn_command *command = firn_commands; command->name != NULL; command++) {
        assert_non_null(command->run);
        assert_non_null(command->examples[0]);
        assert_ptr_equal(firn_command_find(command->name), command);
        for (const firn_option *own = command->options; own->name != NULL; own++) {
            for (const firn_option *global = firn_global_options; global->name != NULL; global++) {
                assert_string_not_equal(own->name, global->name);
                assert_true(own->letter == 0 || own->letter != global->letter);
            }
        }
        for (size_t i = 0; i < FIRN_COMMAND_EXAMPLES_MAX && command->examples[i] != NULL; i++) {
            char *words[ARGS_MAX];
            firn_err err = {0};
            firn_cli cli = {.arena = t->arena};
            if (!firn_starts_with(command->examples[i], "firn ")) {
                continue; /* shell around it */
            }
            size_t n = split_words(t, command->examples[i], words);
            assert_int_equal(firn_cli_parse(&cli, (int)n, words, &err), FIRN_OK);
            assert_ptr_equal(cli.command, command);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(global_options_stand_anywhere, testing_setup,
                                        testing_teardown),
        cmocka_unit_test_setup_teardown(short_options, testing_setup, testing_teardown),
        cmocka_unit_test_setup_teardown(two_dashes_end_the_options, testing_setup,
                                        testing_teardown),
        cmocka_unit_test_setup_teardown(numbers, testing_setup, testing_teardown),
        cmocka_unit_test_setup_teardown(wrong_usage_names_the_nearest, testing_setup,
                                        testing_teardown),
        cmocka_unit_test_setup_teardown(help_and_version, testing_setup, testing_teardown),
        cmocka_unit_test_setup_teardown(every_declared_command_is_sound, testing_setup,
                                        testing_teardown),
    };
    return cmocka_run_group_tests_name("cli/parse", tests, NULL, NULL);
}
