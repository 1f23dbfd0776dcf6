/* The interactive shell from inside: shell.c reads and runs, shell_meta.c has the backslash commands, shell_complete.c the TAB key. */
#ifndef CLI_SHELL_H
#define CLI_SHELL_H

#include "sql_view.h"

#include <histedit.h>

typedef struct firn_shell_state {
    firn_sql_view *view;
    EditLine *el;
    History *history;
    const char *history_path; /* NULL: there is no home to keep it in */
    firn_buf text;            /* the statement so far, without the line being edited */
    char prompt[320];
    bool interrupted; /* Ctrl-C ended the line */
    bool quit;
} firn_shell_state;

/* A line that starts with a backslash. */
firn_rc firn_shell_meta(firn_shell_state *shell, const char *line, firn_err *err) FIRN_MUST_USE;
/* Binds TAB. */
void firn_shell_complete_init(firn_shell_state *shell);
/* Names of backslash commands, NULL at the end. */
const char *firn_shell_meta_name(size_t i);

#endif
