/* Running SQL for people: every statement's rows or message, printed; row count and time behind it. */
#ifndef CLI_SQL_VIEW_H
#define CLI_SQL_VIEW_H

#include "cli.h"
#include "watch.h"

typedef struct firn_sql_view {
    firn_cli *cli;
    firn_session *session;
    firn_watch *watch;
    FILE *to; /* rows go here; messages, too, when it is stdout */
    firn_format format;
    bool expanded;
    bool footer; /* "5 rows" */
    bool timing; /* ", 6 ms" */
    int64_t started_us;
} firn_sql_view;

/* Opens engine and session as the command line says. The view must be closed. */
firn_rc firn_sql_view_open(firn_cli *cli, firn_sql_view *out, firn_err *err) FIRN_MUST_USE;
void firn_sql_view_close(firn_sql_view *view);
/* Every statement of `sql`, up to the first error. */
firn_rc firn_sql_view_run(firn_sql_view *view, const char *sql, firn_err *err) FIRN_MUST_USE;
/* The statements of a file; "-" is standard input. */
firn_rc firn_sql_view_file(firn_sql_view *view, const char *path, firn_err *err) FIRN_MUST_USE;

/* The interactive shell, until \q or end of input. */
firn_rc firn_shell(firn_sql_view *view, firn_err *err) FIRN_MUST_USE;

#endif
