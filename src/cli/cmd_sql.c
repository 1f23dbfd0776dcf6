/* firn sql: statements from -c and -f in the order given, from standard input, or by the shell. */
#include "sql_view.h"

#include <unistd.h>

static firn_rc run_given(firn_cli *cli, firn_sql_view *view, firn_err *err)
{
    bool any = false;
    for (size_t i = 0; i < cli->given.len; i++) {
        const firn_given *given = &cli->given.items[i];
        if (firn_streq(given->option->name, "command")) {
            any = true;
            FIRN_TRY(firn_sql_view_run(view, given->value, err));
        } else if (firn_streq(given->option->name, "file")) {
            any = true;
            FIRN_TRY(firn_sql_view_file(view, given->value, err));
        }
    }
    if (any) {
        return FIRN_OK;
    }
    return isatty(STDIN_FILENO) ? firn_shell(view, err) : firn_sql_view_file(view, "-", err);
}

firn_rc firn_cmd_sql(firn_cli *cli, firn_err *err)
{
    firn_sql_view view;
    firn_rc rc = firn_sql_view_open(cli, &view, err);
    if (rc == FIRN_OK) {
        rc = run_given(cli, &view, err);
    }
    firn_sql_view_close(&view);
    if (rc == FIRN_E_NO_TABLE && cli->lake == NULL) {
        FIRN_FAIL(err, rc, "there is no lake here: run firn init or give --lake");
    }
    return rc;
}
