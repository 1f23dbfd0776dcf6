/* See sql_view.h. Results stream from the engine to the printer: a row is held only as long as the printer needs it. */
#include "sql_view.h"

#include "base/io.h"
#include "base/time.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <unistd.h>

enum { SCRIPT_BYTES_MAX = 256 << 20 };

firn_rc firn_sql_view_open(firn_cli *cli, firn_sql_view *out, firn_err *err)
{
    firn_engine *engine = NULL;
    *out = (firn_sql_view){.cli = cli,
                           .to = stdout,
                           .format = cli->format,
                           .expanded = firn_cli_switch(cli, "expanded"),
                           .footer = !cli->quiet,
                           .timing = !cli->quiet};
    FIRN_TRY(firn_cli_engine_maybe_lake(cli, &engine, err));
    FIRN_TRY(firn_session_new(engine, firn_cli_option(cli, "ref"), &out->session, err));
    out->watch = firn_watch_new(!cli->quiet);
    return FIRN_OK;
}

void firn_sql_view_close(firn_sql_view *view)
{
    firn_watch_free(view->watch);
    firn_session_free(view->session);
}

/* "6 ms", "1.24 s". */
static const char *elapsed(firn_arena *arena, int64_t us)
{
    return us < 1000000 ? firn_arena_printf(arena, "%" PRId64 " ms", (us + 500) / 1000)
                        : firn_format_duration(arena, us);
}

static void print_footer(firn_sql_view *view, int64_t rows)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    if (!view->footer || view->format != FIRN_FORMAT_TABLE) {
        return;
    }
    fprintf(view->to, "%s%s row%s", firn_term_dim(view->to), firn_format_count(arena, rows),
            rows == 1 ? "" : "s");
    if (view->timing) {
        fprintf(view->to, ", %s", elapsed(arena, firn_monotonic_us() - view->started_us));
    }
    fprintf(view->to, "%s\n", firn_term_plain(view->to));
}

static firn_rc print_rows(firn_sql_view *view, firn_result *result, firn_printer *printer,
                          firn_err *err)
{
    FIRN_AUTO_BUF firn_buf json = {0};
    const char *const *cells = NULL;
    FIRN_TRY(firn_result_next(result, &cells, err));
    firn_watch_hide(view->watch);
    while (cells != NULL) {
        if (view->format == FIRN_FORMAT_JSON) {
            firn_buf_clear(&json);
            FIRN_TRY(firn_result_row_json(result, &json, err));
        }
        FIRN_TRY(firn_printer_row(printer, cells, json.len > 0 ? firn_buf_cstr(&json) : NULL, err));
        FIRN_TRY(firn_result_next(result, &cells, err));
    }
    return firn_printer_end(printer, err);
}

/* What is text already: EXPLAIN's drawing, SHOW CREATE's statement. */
static bool is_drawn(const firn_result *result)
{
    return firn_result_columns(result) == 1 &&
           (firn_starts_with(firn_result_tag(result), "EXPLAIN") ||
            (firn_starts_with(firn_result_tag(result), "SHOW") &&
             firn_streq(firn_result_column_name(result, 0), "statement")));
}

static firn_rc show_lines(firn_sql_view *view, firn_result *result, firn_err *err)
{
    const char *const *cells = NULL;
    firn_watch_hide(view->watch);
    for (;;) {
        FIRN_TRY(firn_result_next(result, &cells, err));
        if (cells == NULL) {
            return firn_output_flush(view->to, err);
        }
        fprintf(view->to, "%s\n", cells[0] != NULL ? cells[0] : "");
    }
}

static firn_rc show_rows(firn_sql_view *view, firn_result *result, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    size_t n = firn_result_columns(result);
    firn_column *columns = FIRN_NEW_N(arena, firn_column, n);
    for (size_t i = 0; i < n; i++) {
        columns[i] = (firn_column){.name = firn_result_column_name(result, i),
                                   .kind = firn_result_column_kind(result, i)};
    }
    const firn_printer_options options = {
        .to = view->to,
        .format = view->format,
        .expanded = view->expanded,
        /* in what firn itself tells, nothing to say is no value */
        .null = firn_starts_with(firn_result_tag(result), "SELECT") ? "null" : ""};
    firn_printer *printer = firn_printer_new(&options, columns, n);
    firn_rc rc = print_rows(view, result, printer, err);
    if (rc == FIRN_OK) {
        print_footer(view, firn_printer_rows(printer));
    }
    firn_printer_free(printer);
    return rc;
}

static firn_rc on_result(void *ctx, firn_result *result, firn_err *err)
{
    firn_sql_view *view = ctx;
    firn_rc rc = FIRN_OK;
    if (firn_result_has_rows(result)) {
        bool drawn = view->format == FIRN_FORMAT_TABLE && is_drawn(result);
        rc = drawn ? show_lines(view, result, err) : show_rows(view, result, err);
    } else if (firn_result_message(result) != NULL && !view->cli->quiet) {
        firn_watch_hide(view->watch);
        /* csv and json are for programs: what they read is rows */
        FILE *to = view->format == FIRN_FORMAT_TABLE ? stdout : stderr;
        fprintf(to, "%s\n", firn_result_message(result));
    }
    view->started_us = firn_monotonic_us(); /* the next statement begins */
    return rc;
}

firn_rc firn_sql_view_run(firn_sql_view *view, const char *sql, firn_err *err)
{
    view->started_us = firn_monotonic_us();
    firn_watch_begin(view->watch, view->session);
    firn_rc rc = firn_session_run(view->session, sql, on_result, view, err);
    firn_watch_end(view->watch);
    return rc;
}

static firn_rc read_all(const firn_watch *watch, firn_buf *text, firn_err *err)
{
    for (;;) {
        struct pollfd wait[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                                {.fd = firn_watch_fd(watch), .events = POLLIN}};
        (void)poll(wait, 2, -1);
        if (wait[1].revents != 0) {
            FIRN_FAIL(err, FIRN_E_CANCELLED, "cancelled; nothing was run");
        }
        uint8_t *room = firn_buf_reserve(text, 1 << 16);
        if (room == NULL) {
            FIRN_FAIL(err, FIRN_E_LIMIT, "the script is larger than %d MiB",
                      SCRIPT_BYTES_MAX >> 20);
        }
        ssize_t n = read(STDIN_FILENO, room, 1 << 16);
        if (n < 0 && errno != EINTR) {
            return firn_err_errno(err, __FILE__, __LINE__, errno, "cannot read standard input");
        }
        if (n == 0) {
            return FIRN_OK;
        }
        text->len += n > 0 ? (size_t)n : 0;
    }
}

firn_rc firn_sql_view_file(firn_sql_view *view, const char *path, firn_err *err)
{
    if (firn_streq(path, "-")) {
        FIRN_AUTO_BUF firn_buf text = {.max = SCRIPT_BYTES_MAX};
        FIRN_TRY(read_all(view->watch, &text, err));
        return firn_sql_view_run(view, firn_buf_cstr(&text), err);
    }
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_bytes text;
    FIRN_TRY(firn_file_read(arena, path, SCRIPT_BYTES_MAX, &text, err));
    return firn_sql_view_run(view, (const char *)text.data, err);
}
