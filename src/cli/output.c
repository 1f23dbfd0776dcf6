/* Printers: table, CSV, JSON; and the small reports of commands. See output.h. */
#include "output.h"

#include "base/time.h"

#include <stdlib.h>

enum {
    SAMPLE_ROWS = 1000,     /* measured before a table's first line is printed */
    SAMPLE_BYTES = 8 << 20, /* or fewer, if they are long */
    COLUMN_WIDTH_MIN = 8,   /* narrower, a column tells nothing */
};

struct firn_printer {
    firn_printer_options options;
    firn_arena *arena;   /* columns and the sample */
    firn_arena *scratch; /* of one row */
    firn_column *columns;
    size_t n;
    int64_t rows;
    bool started; /* header printed */
    FIRN_VEC(const char **) sample;
    size_t *widths;
};

firn_printer *firn_printer_new(const firn_printer_options *options, const firn_column *columns,
                               size_t n)
{
    firn_arena *arena = firn_arena_new();
    firn_printer *printer = FIRN_NEW(arena, firn_printer);
    *printer = (firn_printer){.options = *options,
                              .arena = arena,
                              .scratch = firn_arena_new(),
                              .columns = FIRN_NEW_N(arena, firn_column, n),
                              .n = n,
                              .widths = FIRN_NEW_N(arena, size_t, n)};
    for (size_t i = 0; i < n; i++) {
        printer->columns[i] = (firn_column){.name = firn_arena_strdup(arena, columns[i].name),
                                            .kind = columns[i].kind};
    }
    return printer;
}

void firn_printer_free(firn_printer *printer)
{
    if (printer != NULL) {
        firn_arena_free(printer->scratch);
        firn_arena_free(printer->arena);
    }
}

int64_t firn_printer_rows(const firn_printer *printer)
{
    return printer->rows;
}

static bool is_number(firn_column_kind kind)
{
    return kind == FIRN_COLUMN_INTEGER || kind == FIRN_COLUMN_FLOAT || kind == FIRN_COLUMN_DECIMAL;
}

/* ---- CSV --------------------------------------------------------------------------------------------- */

/* RFC 4180 with the line ends of Unix: quoted when it must be. Null is nothing, the empty text is "". */
static void csv_cell(FILE *to, const char *cell)
{
    if (cell == NULL) {
        return;
    }
    if (cell[0] != '\0' && strpbrk(cell, ",\"\r\n") == NULL) {
        fputs(cell, to);
        return;
    }
    fputc('"', to);
    for (; *cell != '\0'; cell++) {
        if (*cell == '"') {
            fputc('"', to);
        }
        fputc(*cell, to);
    }
    fputc('"', to);
}

static void csv_header(firn_printer *printer)
{
    for (size_t i = 0; i < printer->n; i++) {
        if (i > 0) {
            fputc(',', printer->options.to);
        }
        csv_cell(printer->options.to, printer->columns[i].name);
    }
    fputc('\n', printer->options.to);
}

static void csv_row(firn_printer *printer, const char *const *cells)
{
    for (size_t i = 0; i < printer->n; i++) {
        if (i > 0) {
            fputc(',', printer->options.to);
        }
        csv_cell(printer->options.to, cells[i]);
    }
    fputc('\n', printer->options.to);
}

/* ---- JSON -------------------------------------------------------------------------------------------- */

static void json_cell(firn_buf *buf, const firn_column *column, const char *cell)
{
    double number = 0;
    if (cell == NULL) {
        firn_buf_puts(buf, "null");
    } else if (column->kind == FIRN_COLUMN_NESTED || column->kind == FIRN_COLUMN_BOOL ||
               (is_number(column->kind) && firn_parse_f64(cell, &number))) {
        firn_buf_puts(buf, cell);
    } else {
        firn_json_escape(buf, cell);
    }
}

static void json_row(firn_printer *printer, const char *const *cells, const char *json)
{
    FILE *to = printer->options.to;
    fputs(printer->rows == 0 ? "[\n" : ",\n", to);
    if (json != NULL) {
        fputs(json, to);
        return;
    }
    FIRN_AUTO_BUF firn_buf buf = {0};
    for (size_t i = 0; i < printer->n; i++) {
        firn_buf_puts(&buf, i == 0 ? "{" : ", ");
        firn_json_escape(&buf, printer->columns[i].name);
        firn_buf_puts(&buf, ": ");
        json_cell(&buf, &printer->columns[i], cells[i]);
    }
    firn_buf_puts(&buf, "}");
    fputs(firn_buf_cstr(&buf), to);
}

/* ---- tables ------------------------------------------------------------------------------------------ */

/* A cell as it is shown. Sums and averages of money and measures get their digits grouped; whole numbers, which may be keys and
 * years, do not. */
static const char *shown(const firn_printer *printer, size_t i, const char *cell)
{
    firn_arena *arena = printer->scratch;
    const firn_column *column = &printer->columns[i];
    if (cell == NULL) {
        return printer->options.null != NULL ? printer->options.null : "null";
    }
    if (column->kind == FIRN_COLUMN_DECIMAL || column->kind == FIRN_COLUMN_FLOAT) {
        return firn_text_grouped(arena, cell);
    }
    return firn_text_safe(arena, cell);
}

static void spaces(FILE *to, size_t n)
{
    fprintf(to, "%*s", (int)n, "");
}

static void print_cell(firn_printer *printer, size_t i, const char *text, const char *colour,
                       bool right)
{
    FILE *to = printer->options.to;
    size_t width = firn_utf8_width(text);
    size_t room = printer->widths[i];
    if (width > room && firn_term_is(to)) {
        text = firn_text_cut(printer->scratch, text, room);
        width = firn_utf8_width(text);
    }
    size_t pad = width < room ? room - width : 0;
    bool blank_end = i + 1 == printer->n && width == 0; /* no line ends in blanks */
    fputs(i == 0 ? " " : blank_end ? "│" : "│ ", to);
    if (right && !blank_end) {
        spaces(to, pad);
    }
    fprintf(to, "%s%s%s", colour, text, colour[0] != '\0' ? firn_term_plain(to) : "");
    if (i + 1 < printer->n) {
        spaces(to, right ? 1 : pad + 1);
    }
}

static void table_row(firn_printer *printer, const char *const *texts, const char *const *cells)
{
    FILE *to = printer->options.to;
    for (size_t i = 0; i < printer->n; i++) {
        print_cell(printer, i, texts[i], cells[i] == NULL ? firn_term_dim(to) : "",
                   is_number(printer->columns[i].kind));
    }
    fputc('\n', to);
    firn_arena_reset(printer->scratch);
}

/* Take columns off the widest until the table fits the terminal. False if it cannot be made to fit. */
static bool narrow(firn_printer *printer)
{
    size_t columns = (size_t)firn_term_columns(printer->options.to);
    size_t total = 0;
    for (size_t i = 0; i < printer->n; i++) {
        total += printer->widths[i] + 3;
    }
    while (columns > 0 && total > columns + 1) {
        size_t widest = 0;
        for (size_t i = 1; i < printer->n; i++) {
            widest = printer->widths[i] > printer->widths[widest] ? i : widest;
        }
        if (printer->widths[widest] <= COLUMN_WIDTH_MIN) {
            return false;
        }
        printer->widths[widest]--;
        total--;
    }
    return true;
}

static void table_header(firn_printer *printer)
{
    FILE *to = printer->options.to;
    for (size_t i = 0; i < printer->n; i++) {
        print_cell(printer, i, firn_text_safe(printer->scratch, printer->columns[i].name),
                   firn_term_bold(to), is_number(printer->columns[i].kind));
    }
    fputc('\n', to);
    for (size_t i = 0; i < printer->n; i++) {
        fputs(i > 0 ? "┼" : "", to);
        for (size_t k = 0; k < printer->widths[i] + 2; k++) {
            fputs("─", to);
        }
    }
    fputc('\n', to);
    firn_arena_reset(printer->scratch);
}

static void print_table_row(firn_printer *printer, const char *const *cells)
{
    const char **texts = FIRN_NEW_N(printer->scratch, const char *, printer->n);
    for (size_t i = 0; i < printer->n; i++) {
        texts[i] = shown(printer, i, cells[i]);
    }
    table_row(printer, texts, cells);
}

/* "── row 1 ──" and one line per column. */
static void expanded_row(firn_printer *printer, const char *const *cells, int64_t number)
{
    FILE *to = printer->options.to;
    size_t width = 0;
    for (size_t i = 0; i < printer->n; i++) {
        size_t own = firn_utf8_width(firn_text_safe(printer->scratch, printer->columns[i].name));
        width = own > width ? own : width;
    }
    fprintf(to, "%s── row %lld ──%s\n", firn_term_dim(to), (long long)number, firn_term_plain(to));
    for (size_t i = 0; i < printer->n; i++) {
        const char *name = firn_text_safe(printer->scratch, printer->columns[i].name);
        fprintf(to, " %s%s%s", firn_term_bold(to), name, firn_term_plain(to));
        spaces(to, width - firn_utf8_width(name) + 1);
        fprintf(to, "│ %s\n", shown(printer, i, cells[i]));
    }
    firn_arena_reset(printer->scratch);
}

/* Measure what was kept, print the header and the kept rows. What no terminal of this width can show as a table is shown row by
 * row. */
static void start_table(firn_printer *printer)
{
    if (printer->started) {
        return;
    }
    printer->started = true;
    for (size_t i = 0; i < printer->n; i++) {
        printer->widths[i] =
            firn_utf8_width(firn_text_safe(printer->scratch, printer->columns[i].name));
        for (size_t r = 0; r < printer->sample.len; r++) {
            size_t width = firn_utf8_width(shown(printer, i, printer->sample.items[r][i]));
            printer->widths[i] = width > printer->widths[i] ? width : printer->widths[i];
        }
        firn_arena_reset(printer->scratch);
    }
    printer->options.expanded = !narrow(printer);
    if (!printer->options.expanded) {
        table_header(printer);
    }
    for (size_t r = 0; r < printer->sample.len; r++) {
        if (printer->options.expanded) {
            expanded_row(printer, printer->sample.items[r], (int64_t)r + 1);
        } else {
            print_table_row(printer, printer->sample.items[r]);
        }
    }
}

static void keep_row(firn_printer *printer, const char *const *cells)
{
    const char **row = FIRN_NEW_N(printer->arena, const char *, printer->n);
    for (size_t i = 0; i < printer->n; i++) {
        row[i] = firn_arena_strdup(printer->arena, cells[i]);
    }
    firn_vec_push(printer->arena, &printer->sample, row);
    if (printer->sample.len == SAMPLE_ROWS ||
        firn_arena_used_bytes(printer->arena) > SAMPLE_BYTES) {
        start_table(printer);
    }
}

/* ---- any of them --------------------------------------------------------------------------------------- */

firn_rc firn_printer_row(firn_printer *printer, const char *const *cells, const char *json,
                         firn_err *err)
{
    switch (printer->options.format) {
    case FIRN_FORMAT_CSV:
        if (printer->rows == 0) {
            csv_header(printer);
        }
        csv_row(printer, cells);
        break;
    case FIRN_FORMAT_JSON: json_row(printer, cells, json); break;
    case FIRN_FORMAT_TABLE:
        if (printer->options.expanded) {
            expanded_row(printer, cells, printer->rows + 1);
        } else if (printer->started) {
            print_table_row(printer, cells);
        } else {
            keep_row(printer, cells);
        }
        break;
    }
    printer->rows++;
    return ferror(printer->options.to) ? firn_output_flush(printer->options.to, err) : FIRN_OK;
}

firn_rc firn_printer_end(firn_printer *printer, firn_err *err)
{
    switch (printer->options.format) {
    case FIRN_FORMAT_CSV:
        if (printer->rows == 0) {
            csv_header(printer);
        }
        break;
    case FIRN_FORMAT_JSON: fputs(printer->rows == 0 ? "[]\n" : "\n]\n", printer->options.to); break;
    case FIRN_FORMAT_TABLE:
        if (!printer->options.expanded) {
            start_table(printer);
        }
        break;
    }
    return firn_output_flush(printer->options.to, err);
}

/* ---- reports ------------------------------------------------------------------------------------------- */

struct firn_report {
    firn_arena *arena;
    const firn_report_column *columns;
    size_t n;
    FIRN_VEC(const char **) rows;
};

firn_report *firn_report_new(firn_arena *arena, const firn_report_column *columns, size_t n)
{
    firn_report *report = FIRN_NEW(arena, firn_report);
    *report = (firn_report){.arena = arena, .columns = columns, .n = n};
    return report;
}

void firn_report_row(firn_report *report, const char *const *cells)
{
    const char **row = firn_arena_memdup(report->arena, cells, sizeof(cells[0]) * report->n);
    firn_vec_push(report->arena, &report->rows, row);
}

static bool is_shown(firn_shown shown_to, firn_format format)
{
    return shown_to == FIRN_SHOWN_ALWAYS ||
           (shown_to == FIRN_SHOWN_TO_PEOPLE) == (format == FIRN_FORMAT_TABLE);
}

/* People read counts: all whole numbers of a report get their digits grouped, unless they are ids (which are declared as text). */
static const char *report_cell(const firn_report *report, firn_format format, size_t i,
                               const char *cell)
{
    if (cell == NULL) {
        return format == FIRN_FORMAT_TABLE ? "" : NULL;
    }
    return format == FIRN_FORMAT_TABLE && report->columns[i].kind == FIRN_COLUMN_INTEGER
               ? firn_text_grouped(report->arena, cell)
               : cell;
}

static firn_rc print_rows(firn_report *report, firn_printer *printer, firn_format format,
                          firn_err *err)
{
    const char **cells = FIRN_NEW_N(report->arena, const char *, report->n);
    for (size_t r = 0; r < report->rows.len; r++) {
        size_t n = 0;
        for (size_t i = 0; i < report->n; i++) {
            if (is_shown(report->columns[i].shown, format)) {
                cells[n++] = report_cell(report, format, i, report->rows.items[r][i]);
            }
        }
        FIRN_TRY(firn_printer_row(printer, cells, NULL, err));
    }
    return firn_printer_end(printer, err);
}

firn_rc firn_report_print(firn_report *report, FILE *to, firn_format format, const char *noun,
                          firn_err *err)
{
    firn_column *columns = FIRN_NEW_N(report->arena, firn_column, report->n);
    size_t n = 0;
    for (size_t i = 0; i < report->n; i++) {
        if (is_shown(report->columns[i].shown, format)) {
            columns[n++] =
                (firn_column){.name = report->columns[i].name, .kind = report->columns[i].kind};
        }
    }
    const firn_printer_options options = {.to = to, .format = format};
    firn_printer *printer = firn_printer_new(&options, columns, n);
    firn_rc rc = print_rows(report, printer, format, err);
    firn_printer_free(printer);
    FIRN_TRY(rc);
    if (noun != NULL && format == FIRN_FORMAT_TABLE) {
        const char *many = firn_ends_with(noun, "ch") ? "es" : "s";
        fprintf(to, "%s %s%s\n", firn_format_count(report->arena, (int64_t)report->rows.len), noun,
                report->rows.len == 1 ? "" : many);
    }
    return FIRN_OK;
}
