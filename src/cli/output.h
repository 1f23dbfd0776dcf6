/* Rows for people and programs: tables with box-drawing separators, CSV (RFC 4180), JSON.
 *
 * A printer streams: a table is measured by its first rows (as many as SAMPLE_ROWS), then widths stay. On a terminal, columns are
 * narrowed until a table fits, cut texts end in "…"; elsewhere nothing is ever cut. Control characters in cells are shown as
 * escapes, so that data cannot steer the terminal.
 *
 * JSON is an array of objects, one row a line.
 *
 * Threads: a printer belongs to one thread. Errors: IO when the output cannot be written; CANCELLED when its reader is gone (a
 * closed pipe), which the caller passes on and firn_cli_main keeps to itself.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include "engine/engine.h"

#include <stdio.h>

typedef enum firn_format { FIRN_FORMAT_TABLE, FIRN_FORMAT_CSV, FIRN_FORMAT_JSON } firn_format;

/* ---- the terminal ------------------------------------------------------------------------------------ */

bool firn_term_is(FILE *file);      /* a terminal */
bool firn_term_colours(FILE *file); /* and colours are wanted: NO_COLOR unset, TERM not dumb */
int firn_term_columns(FILE *file);  /* 0: not a terminal */
/* The escape sequence, or "" when `file` should have none. */
const char *firn_term_bold(FILE *file);
const char *firn_term_dim(FILE *file);
const char *firn_term_red(FILE *file);
const char *firn_term_green(FILE *file);
const char *firn_term_yellow(FILE *file);
const char *firn_term_plain(FILE *file);
/* Flush; IO if anything could not be written, CANCELLED if nobody reads any more. */
firn_rc firn_output_flush(FILE *file, firn_err *err) FIRN_MUST_USE;

/* ---- text -------------------------------------------------------------------------------------------- */

/* Control characters as escapes ("\n", "\x1b"). Gives `text` itself when there are none. */
const char *firn_text_safe(firn_arena *arena, const char *text);
/* At most `width` columns, the last of them "…" if something was cut. */
char *firn_text_cut(firn_arena *arena, const char *text, size_t width);
/* "1234567.5" -> "1,234,567.5"; other texts as they are. */
const char *firn_text_grouped(firn_arena *arena, const char *number);

/* ---- rows -------------------------------------------------------------------------------------------- */

typedef struct firn_column {
    const char *name;
    firn_column_kind kind;
} firn_column;

typedef struct firn_printer_options {
    FILE *to;
    firn_format format;
    bool expanded;    /* table: one line per column */
    const char *null; /* table: how null is shown; NULL: "null" */
} firn_printer_options;

typedef struct firn_printer firn_printer;

firn_printer *firn_printer_new(const firn_printer_options *options, const firn_column *columns,
                               size_t n);
/* A cell NULL is null. `json` is the row as a JSON object, NULL: made of the cells. Both are copied if they are kept. */
firn_rc firn_printer_row(firn_printer *printer, const char *const *cells, const char *json,
                         firn_err *err) FIRN_MUST_USE;
firn_rc firn_printer_end(firn_printer *printer, firn_err *err) FIRN_MUST_USE;
int64_t firn_printer_rows(const firn_printer *printer);
void firn_printer_free(firn_printer *printer);

/* ---- small tables made by commands ------------------------------------------------------------------- */

/* Where a column of a command's table is shown: what reads well (`12.4 MB`) is not what a program wants (12402133). */
typedef enum firn_shown {
    FIRN_SHOWN_ALWAYS,
    FIRN_SHOWN_TO_PEOPLE,
    FIRN_SHOWN_TO_PROGRAMS
} firn_shown;

typedef struct firn_report_column {
    const char *name;
    firn_column_kind kind;
    firn_shown shown;
} firn_report_column;

typedef struct firn_report firn_report;

/* columns must outlive the report. */
firn_report *firn_report_new(firn_arena *arena, const firn_report_column *columns, size_t n);
/* One text per declared column, NULL: null; the texts must live as long as the arena. */
void firn_report_row(firn_report *report, const char *const *cells);
/* `noun` ("table", "branch") makes the footer "8 tables"; NULL: no footer. */
firn_rc firn_report_print(firn_report *report, FILE *to, firn_format format, const char *noun,
                          firn_err *err) FIRN_MUST_USE;

#endif
