/* The interactive shell on a pseudo-terminal: typed as a person would, read as the screen shows it. */
#include "cli_testing.h"

#include "base/time.h"

#include <poll.h>
#include <pty.h>

typedef struct terminal {
    testing *t;
    int fd;
    pid_t child;
    char seen[1 << 18];
    size_t len, mark; /* what came after `mark` has not been looked at */
} terminal;

static void open_terminal(terminal *term, testing *t)
{
    *term = (terminal){.t = t};
    struct winsize size = {.ws_row = 40, .ws_col = 100};
    fflush(NULL);
    term->child = forkpty(&term->fd, NULL, NULL, &size);
    assert_true(term->child >= 0);
    if (term->child == 0) {
        const char *argv[] = {"firn", "sql", NULL};
        setenv("TERM", "xterm", 1);
        setenv("FIRN_HISTORY", "history", 1);
        exit(firn_cli_main(2, (char **)argv));
    }
}

/* Waits until `text` has come on the screen, after what was waited for before. */
static void wait_for(terminal *term, const char *text)
{
    int64_t until = firn_monotonic_us() + 30000000;
    for (;;) {
        term->seen[term->len] = '\0';
        char *found = strstr(term->seen + term->mark, text);
        if (found != NULL) {
            term->mark = (size_t)(found - term->seen) + strlen(text);
            return;
        }
        struct pollfd wait = {.fd = term->fd, .events = POLLIN};
        if (firn_monotonic_us() > until || poll(&wait, 1, 1000) < 0 ||
            term->len + 4096 > sizeof(term->seen)) {
            fail_msg("\"%s\" did not come; the screen: %s", text, term->seen + term->mark);
        }
        ssize_t n = wait.revents != 0 ? read(term->fd, term->seen + term->len, 4000) : 0;
        if (n < 0) {
            fail_msg("\"%s\" did not come before the end: %s", text, term->seen + term->mark);
        }
        term->len += (size_t)n;
    }
}

static void type(terminal *term, const char *keys)
{
    assert_int_equal(write(term->fd, keys, strlen(keys)), strlen(keys));
}

/* What the program prints while it ends is shown if it did not end well: a sanitizer's report, perhaps. A key pressed between two
 * prompts meets the terminal's own line editing, which may lose Ctrl-D: then the test leaves by \q, as a person would. */
static void leave(terminal *term, const char *keys)
{
    int status = 0;
    int64_t until = firn_monotonic_us() + 60000000;
    type(term, keys);
    while (term->len + 4096 < sizeof(term->seen) && firn_monotonic_us() < until) {
        struct pollfd wait = {.fd = term->fd, .events = POLLIN};
        if (poll(&wait, 1, 2000) == 0) {
            type(term, "\r\\q\r");
            continue;
        }
        ssize_t n = read(term->fd, term->seen + term->len, 4000);
        if (n <= 0) {
            break;
        }
        term->len += (size_t)n;
    }
    term->seen[term->len] = '\0';
    assert_int_equal(waitpid(term->child, &status, 0), term->child);
    close(term->fd);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fail_msg("the shell ended with %d: %s", status, term->seen + term->mark);
    }
}

static void statements_and_prompts(void **state)
{
    terminal *term = FIRN_NEW(((testing *)*state)->arena, terminal);
    open_terminal(term, *state);
    wait_for(term, "on main - \\? for help");
    wait_for(term, "main=> ");
    type(term, "select id,\r");
    wait_for(term, "main-> ");
    type(term, "name from s.t order by id;\r");
    wait_for(term, "  1 │ one");
    wait_for(term, "2 rows, ");
    wait_for(term, "main=> ");
    type(term, "create branch fix from main; use branch fix;\r");
    wait_for(term, "fix=> ");
    type(term, "select * from s.tt;\r");
    wait_for(term, "Did you mean s.t?");
    wait_for(term, "fix=> "); /* and goes on */
    type(term, "\\c main\r");
    wait_for(term, "main=> ");
    type(term, "select 'é日本' as u;\r");
    wait_for(term, " é日本\r\n");
    leave(term, "\\q\r");
    assert_has(caught(*state, "history"), "order\\040by\\040id;");
    struct stat info;
    assert_int_equal(stat("history", &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}

static void backslash_commands(void **state)
{
    static const char *const CASES[][2] = {
        {"\\d\r", " s      │ t"},
        {"\\d s.t\r", "# current snapshot"},
        {"\\dt %x%\r", "0 rows"},
        {"\\dn\r", " default"},
        {"\\dv\r", "0 rows"},
        {"\\db\r", " main"},
        {"\\l\r", " catalog "},
        {"\\x\r", "one line per column"},
        {"select 1 as a;\r", "── row 1 ──"},
        {"\\x\r", "one line per row"},
        {"\\timing\r", "times are not shown"},
        {"select 1 as a;\r", "1 row\r\n"},
        {"\\f json\r", "main=> "},
        {"select 1 as a;\r", "{\"a\": 1}"},
        {"\\f table\r", "main=> "},
        {"\\i q.sql\r", " from_file"},
        {"\\o rows.txt\r", "main=> "},
        {"select 42 as b;\r", "main=> "},
        {"\\o\r", "main=> "},
        {"\\s\r", "\\d s.t"},
        {"\\?\r", "TAB completes"},
        {"\\zz\r", "there is no \\zz"},
        {"\\c\r", "something is missing: \\c REF"},
        {"\\c nowhere\r", "there is no branch, tag or commit \"nowhere\""},
        {"\\i nowhere.sql\r", "nowhere.sql"},
    };
    testing *t = *state;
    terminal *term = FIRN_NEW(((testing *)*state)->arena, terminal);
    assert_int_equal(
        firn_file_write_atomic("q.sql", firn_bytes_str("select 1 as from_file"), 0644, NULL),
        FIRN_OK);
    open_terminal(term, t);
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        wait_for(term, "=> ");
        type(term, CASES[i][0]);
        wait_for(term, "\r\n"); /* its echo */
        wait_for(term, CASES[i][1]);
        if (firn_ends_with(CASES[i][1], "=> ")) {
            type(term, "\r");
        }
    }
    leave(term, "exit\r");
    assert_has(caught(t, "rows.txt"), " 42");
}

static void tab_completes(void **state)
{
    terminal *term = FIRN_NEW(((testing *)*state)->arena, terminal);
    testing *t = *state;
    run_ok(
        t, "sql", "-q", "-c",
        "create schema warehouse_like; create table warehouse_like.products (unusual_column int)");
    open_terminal(term, t);
    wait_for(term, "main=> ");
    type(term, "select count(*) as n from wareh\tprod\t");
    wait_for(term, "ouse_like."); /* the editor draws what is new */
    wait_for(term, "ucts ");
    type(term, "where unusu\t");
    wait_for(term, "al_column ");
    type(term, "is null;\r");
    wait_for(term, "1 row");
    wait_for(term, "main=> ");
    type(term, "SEL\t");
    wait_for(term, "ECT ");
    type(term, "\x03");
    wait_for(term, "main=> ");
    type(term, "\\tim\t\r");
    wait_for(term, "times are not shown");
    leave(term, "\x04");
}

static void control_c_drops_and_cancels(void **state)
{
    terminal *term = FIRN_NEW(((testing *)*state)->arena, terminal);
    open_terminal(term, *state);
    wait_for(term, "main=> ");
    type(term, "select 'half\r");
    wait_for(term, "main-> ");
    type(term, "of it\x03");
    wait_for(term, "main=> ");
    type(term, "select 7 as whole;\r");
    wait_for(term, "whole\r\n");
    wait_for(term, "1 row");
    wait_for(term, "main=> ");
    type(term, "select count(*) from range(100000000000) a, range(1000) b;\r");
    wait_for(term, "\r\n");
    firn_sleep_ms(900);
    type(term, "\x03");
    wait_for(term, "cancelled");
    wait_for(term, "main=> ");
    type(term, "select 8 as next;\r");
    wait_for(term, "next\r\n");
    wait_for(term,
             "main=> "); /* before that, the terminal itself would take the key, and lose it */
    leave(term, "\x04");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(statements_and_prompts, testing_setup_lake,
                                        testing_teardown),
        cmocka_unit_test_setup_teardown(backslash_commands, testing_setup_lake, testing_teardown),
        cmocka_unit_test_setup_teardown(tab_completes, testing_setup_lake, testing_teardown),
        cmocka_unit_test_setup_teardown(control_c_drops_and_cancels, testing_setup_lake,
                                        testing_teardown),
    };
    return cmocka_run_group_tests_name("cli/shell", tests, NULL, NULL);
}
