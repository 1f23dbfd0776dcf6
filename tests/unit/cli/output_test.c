/* Rows as tables, CSV and JSON, byte for byte. */
#include "cli_testing.h"

#include "output.h"

#include <errno.h>
#include <pty.h>
#include <signal.h>

static const firn_column COLUMNS[] = {
    {"name", FIRN_COLUMN_TEXT}, {"n", FIRN_COLUMN_INTEGER}, {"amount", FIRN_COLUMN_DECIMAL}};

typedef const char *const row[3];

static const char *printed(testing *t, firn_printer_options options, const row *rows, size_t n)
{
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);
    options.to = to;
    firn_printer *printer = firn_printer_new(&options, COLUMNS, 3);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(firn_printer_row(printer, rows[i], NULL, NULL), FIRN_OK);
    }
    assert_int_equal(firn_printer_end(printer, NULL), FIRN_OK);
    assert_int_equal(firn_printer_rows(printer), n);
    firn_printer_free(printer);
    fclose(to);
    char *copy = firn_arena_strdup(t->arena, text);
    free(text);
    return copy;
}

static void tables_align(void **state)
{
    static const row ROWS[] = {
        {"a", "7", "1204551.90"}, {"日本", NULL, "-1234.5"}, {NULL, "2024", "12.00"}};
    assert_string_equal(printed(*state, (firn_printer_options){0}, ROWS, 3),
                        " name │    n │       amount\n"
                        "──────┼──────┼──────────────\n"
                        " a    │    7 │ 1,204,551.90\n"
                        " 日本 │ null │     -1,234.5\n"
                        " null │ 2024 │        12.00\n");
}

static void an_empty_table_has_a_header(void **state)
{
    assert_string_equal(printed(*state, (firn_printer_options){0}, NULL, 0),
                        " name │ n │ amount\n──────┼───┼────────\n");
}

static void nothing_to_say_ends_no_line_in_blanks(void **state)
{
    static const row ROWS[] = {{"a", "1", NULL}};
    assert_string_equal(printed(*state, (firn_printer_options){.null = ""}, ROWS, 1),
                        " name │ n │ amount\n──────┼───┼────────\n a    │ 1 │\n");
}

/* Data must not move the cursor, ring the bell or change the title. */
static void control_characters_are_shown(void **state)
{
    static const row ROWS[] = {{"a\nb\tc\x1b[31m\x7f\xc2\x9b!", "1", "1"}};
    const char *text = printed(*state, (firn_printer_options){0}, ROWS, 1);
    assert_has(text, " a\\nb\\tc\\x1b[31m\\x7f\\x9b! │ 1 │");
}

static void long_results_keep_their_widths(void **state)
{
    testing *t = *state;
    enum { N = 1200 };
    const char **cells = malloc(3 * sizeof(*cells) * N);
    for (size_t i = 0; i < N; i++) {
        cells[3 * i] = i < 1100 ? "short" : "longer than all that was measured";
        cells[3 * i + 1] = "1";
        cells[3 * i + 2] = "2.5";
    }
    const char *text = printed(t, (firn_printer_options){0}, (const row *)cells, N);
    size_t lines = 0;
    for (const char *at = text; *at != '\0'; at++) {
        lines += *at == '\n';
    }
    assert_int_equal(lines, N + 2);
    assert_has(text, " name  │ n │ amount\n");
    assert_has(
        text, "\n longer than all that was measured │ 1 │    2.5\n"); /* never cut off a terminal */
    free(cells);
}

static void expanded(void **state)
{
    static const row ROWS[] = {{"a", "7", "1.5"}, {NULL, "8", "2.5"}};
    assert_string_equal(printed(*state, (firn_printer_options){.expanded = true}, ROWS, 2),
                        "── row 1 ──\n name   │ a\n n      │ 7\n amount │ 1.5\n"
                        "── row 2 ──\n name   │ null\n n      │ 8\n amount │ 2.5\n");
}

static void csv_quotes_what_it_must(void **state)
{
    static const row ROWS[] = {{"plain", "7", "1204551.90"},
                               {"with, comma", NULL, "1"},
                               {"a \"quote\"\nline", "1", "2"},
                               {"", "1", "2"}};
    const firn_printer_options options = {.format = FIRN_FORMAT_CSV};
    assert_string_equal(printed(*state, options, ROWS, 4),
                        "name,n,amount\nplain,7,1204551.90\n\"with, comma\",,1\n"
                        "\"a \"\"quote\"\"\nline\",1,2\n\"\",1,2\n");
    assert_string_equal(printed(*state, options, NULL, 0), "name,n,amount\n");
}

static void json_is_one_array(void **state)
{
    testing *t = *state;
    static const row ROWS[] = {{"a\"\n", "7", "1.50"}, {NULL, NULL, "nan"}};
    const firn_printer_options options = {.format = FIRN_FORMAT_JSON};
    const char *text = printed(t, options, ROWS, 2);
    assert_string_equal(text, "[\n{\"name\": \"a\\\"\\n\", \"n\": 7, \"amount\": 1.50},\n"
                              "{\"name\": null, \"n\": null, \"amount\": \"nan\"}\n]\n");
    json_t *json = NULL;
    assert_int_equal(firn_json_parse(t->arena, firn_bytes_str(text), "rows", &json, NULL), FIRN_OK);
    assert_string_equal(printed(t, options, NULL, 0), "[]\n");
}

static void texts_are_cut_by_columns(void **state)
{
    firn_arena *arena = ((testing *)*state)->arena;
    assert_string_equal(firn_text_cut(arena, "abcdef", 6), "abcdef");
    assert_string_equal(firn_text_cut(arena, "abcdefg", 6), "abcde…");
    assert_string_equal(firn_text_cut(arena, "日本語", 5), "日本…");
    assert_string_equal(firn_text_cut(arena, "日本語", 4), "日…");
    assert_string_equal(firn_text_cut(arena, "abc", 1), "…");
    assert_string_equal(firn_text_cut(arena, "abc", 0), "");
}

static void digits_are_grouped(void **state)
{
    firn_arena *arena = ((testing *)*state)->arena;
    static const char *const PAIRS[][2] = {{"1", "1"},
                                           {"999", "999"},
                                           {"1000", "1,000"},
                                           {"-1234567.891", "-1,234,567.891"},
                                           {"1e10", "1e10"},
                                           {"inf", "inf"},
                                           {"2024-01-01", "2024-01-01"},
                                           {"123456", "123,456"},
                                           {"", ""}};
    for (size_t i = 0; i < sizeof(PAIRS) / sizeof(PAIRS[0]); i++) {
        assert_string_equal(firn_text_grouped(arena, PAIRS[i][0]), PAIRS[i][1]);
    }
}

/* What a terminal of so many columns gets (pseudo-terminals write "\r\n"). */
static const char *on_terminal(testing *t, unsigned short columns, const row *rows, size_t n)
{
    int ends[2];
    const struct winsize size = {.ws_row = 24, .ws_col = columns};
    assert_int_equal(openpty(&ends[0], &ends[1], NULL, NULL, &size), 0);
    FILE *to = fdopen(ends[1], "w");
    const firn_printer_options options = {.to = to};
    firn_printer *printer = firn_printer_new(&options, COLUMNS, 3);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(firn_printer_row(printer, rows[i], NULL, NULL), FIRN_OK);
    }
    assert_int_equal(firn_printer_end(printer, NULL), FIRN_OK);
    firn_printer_free(printer);
    fclose(to);
    char text[4096];
    size_t len = 0;
    ssize_t got; /* in pieces as the kernel hands them over; EIO when all are read */
    while (len < sizeof(text) - 1 &&
           (got = read(ends[0], text + len, sizeof(text) - 1 - len)) > 0) {
        len += (size_t)got;
    }
    assert_true(len > 0);
    text[len] = '\0';
    close(ends[0]);
    return firn_str_replace(t->arena, text, "\r\n", "\n");
}

static void tables_fit_the_terminal(void **state)
{
    static const row ROWS[] = {{"a text of some length", "7", "1204551.90"}, {NULL, "8", "2.00"}};
    assert_string_equal(on_terminal(*state, 34, ROWS, 2), " name          │ n │       amount\n"
                                                          "───────────────┼───┼──────────────\n"
                                                          " a text of so… │ 7 │ 1,204,551.90\n"
                                                          " null          │ 8 │         2.00\n");
    /* too narrow for any table: row by row, nothing cut */
    assert_string_equal(on_terminal(*state, 20, ROWS, 1),
                        "── row 1 ──\n name   │ a text of some length\n n      │ 7\n"
                        " amount │ 1,204,551.90\n");
}

static void colours_are_for_terminals_that_want_them(void **state)
{
    static const row ROWS[] = {{NULL, "1", "2"}};
    setenv("TERM", "xterm", 1);
    unsetenv("NO_COLOR");
    assert_has(on_terminal(*state, 80, ROWS, 1), " \x1b[1mname\x1b[0m │");
    assert_null(strchr(printed(*state, (firn_printer_options){0}, ROWS, 1), '\x1b'));
    setenv("NO_COLOR", "1", 1);
    assert_null(strchr(on_terminal(*state, 80, ROWS, 1), '\x1b'));
    unsetenv("NO_COLOR");
    setenv("TERM", "dumb", 1);
    assert_null(strchr(on_terminal(*state, 80, ROWS, 1), '\x1b'));
}

static void a_full_disk_is_an_error(void **state)
{
    (void)state;
    static const row ROWS[] = {{"a", "1", "2"}};
    firn_err err = {0};
    FILE *full = fopen("/dev/full", "w");
    const firn_printer_options options = {.to = full};
    firn_printer *printer = firn_printer_new(&options, COLUMNS, 3);
    assert_int_equal(firn_printer_row(printer, ROWS[0], NULL, &err), FIRN_OK);
    assert_int_equal(firn_printer_end(printer, &err), FIRN_E_NO_SPACE);
    assert_has(err.message, "cannot write the output");
    firn_printer_free(printer);
    fclose(full);
}

/* Nothing is left to be flushed then, so the flush itself has nothing to say. */
static void a_write_that_failed_before_is_told(void **state)
{
    (void)state;
    firn_err err = {0};
    int ends[2];
    signal(SIGPIPE, SIG_IGN);
    FILE *full = fopen("/dev/full", "w");
    setvbuf(full, NULL, _IONBF, 0);
    assert_int_equal(fputs("rows", full), EOF);
    assert_int_equal(firn_output_flush(full, &err), FIRN_E_NO_SPACE);
    fclose(full);

    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    FILE *left = fdopen(ends[1], "w");
    setvbuf(left, NULL, _IONBF, 0);
    assert_int_equal(fputs("rows", left), EOF);
    errno = ENOENT; /* of something else in between */
    assert_int_equal(firn_output_flush(left, &err), FIRN_E_CANCELLED);
    fclose(left);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tables_align, testing_setup, testing_teardown),
        cmocka_unit_test_setup_teardown(an_empty_table_has_a_header, testing_setup,
                                        testing_teardown),
        cmocka_unit_test_setup_teardown(nothing_to_say_ends_no_line_in_blanks, testing_setup,
                                        testing_teardown),
        cmocka_unit_test_setup_teardown(control_characters_are_shown, testing_setup,
                                        testing_teardown),
        cmocka_unit_test_setup_teardown(long_results_keep_their_widths, testing_setup,
                                        testing_teardown),
        cmocka_unit_test_setup_teardown(expanded, testing_setup, testing_teardown),
        cmocka_unit_test_setup_teardown(csv_quotes_what_it_must, testing_setup, testing_teardown),
        cmocka_unit_test_setup_teardown(json_is_one_array, testing_setup, testing_teardown),
        cmocka_unit_test_setup_teardown(texts_are_cut_by_columns, testing_setup, testing_teardown),
        cmocka_unit_test_setup_teardown(digits_are_grouped, testing_setup, testing_teardown),
        cmocka_unit_test_setup_teardown(tables_fit_the_terminal, testing_setup, testing_teardown),
        cmocka_unit_test_setup_teardown(colours_are_for_terminals_that_want_them, testing_setup,
                                        testing_teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_is_an_error, testing_setup, testing_teardown),
        cmocka_unit_test_setup_teardown(a_write_that_failed_before_is_told, testing_setup,
                                        testing_teardown),
    };
    return cmocka_run_group_tests_name("cli/output", tests, NULL, NULL);
}
