/* The backslash commands of the shell, declared once: \? prints the table, TAB completes from it. */
#include "shell.h"

#include "base/io.h"

#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

typedef firn_rc (*meta_fn)(firn_shell_state *shell, const char *argument, firn_err *err);

typedef struct meta_command {
    const char *name;
    const char *argument; /* "TABLE", "[FILE]"; brackets: optional; NULL: none */
    const char *help;
    meta_fn run;
} meta_command;

static const meta_command *meta_find(const char *name);
static firn_rc help(firn_shell_state *shell, const char *argument, firn_err *err);

/* ---- looking around ------------------------------------------------------------------------------------ */

static firn_rc run_sql(firn_shell_state *shell, const char *sql, firn_err *err)
{
    return firn_sql_view_run(shell->view, sql, err);
}

/* A name as it was typed, made safe to stand in SQL: quoted part by part. */
static const char *quoted_name(firn_arena *arena, const char *text)
{
    FIRN_AUTO_BUF firn_buf buf = {0};
    size_t n = 0;
    char **parts = firn_str_split(arena, firn_ns_parse(arena, text), FIRN_NS_SEP[0], &n);
    for (size_t i = 0; i < n; i++) {
        firn_buf_printf(&buf, "%s%s", i > 0 ? "." : "", firn_sql_ident(arena, parts[i]));
    }
    return firn_arena_strdup(arena, firn_buf_cstr(&buf));
}

static firn_rc show_with_pattern(firn_shell_state *shell, const char *what, const char *pattern,
                                 firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    if (pattern == NULL) {
        return run_sql(shell, what, err);
    }
    return run_sql(
        shell, firn_arena_printf(arena, "%s LIKE %s", what, firn_sql_quote(arena, pattern)), err);
}

static firn_rc describe(firn_shell_state *shell, const char *argument, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    if (argument == NULL) {
        return run_sql(shell, "SHOW TABLES", err);
    }
    return run_sql(
        shell, firn_arena_printf(arena, "DESCRIBE EXTENDED %s", quoted_name(arena, argument)), err);
}

static firn_rc tables(firn_shell_state *shell, const char *argument, firn_err *err)
{
    return show_with_pattern(shell, "SHOW TABLES", argument, err);
}

static firn_rc views(firn_shell_state *shell, const char *argument, firn_err *err)
{
    return show_with_pattern(shell, "SHOW VIEWS", argument, err);
}

static firn_rc schemas(firn_shell_state *shell, const char *argument, firn_err *err)
{
    return show_with_pattern(shell, "SHOW SCHEMAS", argument, err);
}

static firn_rc refs(firn_shell_state *shell, const char *argument, firn_err *err)
{
    (void)argument;
    return run_sql(shell, "SHOW REFS", err);
}

static firn_rc lake_status(firn_shell_state *shell, const char *argument, firn_err *err)
{
    (void)argument;
    return firn_cmd_status(shell->view->cli, err);
}

static firn_rc use_ref(firn_shell_state *shell, const char *argument, firn_err *err)
{
    FIRN_TRY(firn_session_set_ref(shell->view->session, argument, err));
    printf("on %s\n", argument);
    return FIRN_OK;
}

/* ---- settings ------------------------------------------------------------------------------------------ */

static firn_rc timing(firn_shell_state *shell, const char *argument, firn_err *err)
{
    (void)argument, (void)err;
    shell->view->timing = !shell->view->timing;
    printf("times are %s\n", shell->view->timing ? "shown" : "not shown");
    return FIRN_OK;
}

static firn_rc expanded(firn_shell_state *shell, const char *argument, firn_err *err)
{
    (void)argument, (void)err;
    shell->view->expanded = !shell->view->expanded;
    printf("%s\n", shell->view->expanded ? "one line per column" : "one line per row");
    return FIRN_OK;
}

static firn_rc format(firn_shell_state *shell, const char *argument, firn_err *err)
{
    static const char *const NAMES[] = {"table", "csv", "json"};
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        if (firn_streq(argument, NAMES[i])) {
            shell->view->format = (firn_format)i;
            return FIRN_OK;
        }
    }
    FIRN_FAIL(err, FIRN_E_INVALID, "\\f takes table, csv or json, not \"%s\"", argument);
}

/* ---- files --------------------------------------------------------------------------------------------- */

static firn_rc include(firn_shell_state *shell, const char *argument, firn_err *err)
{
    return firn_sql_view_file(shell->view, argument, err);
}

/* \o FILE sends rows to a file, \o alone back to the screen. */
static firn_rc output(firn_shell_state *shell, const char *argument, firn_err *err)
{
    FILE *before = shell->view->to;
    FILE *next = stdout;
    if (argument != NULL) {
        next = fopen(argument, "we");
        if (next == NULL) {
            return firn_err_errno(err, __FILE__, __LINE__, errno, "cannot write %s", argument);
        }
    }
    shell->view->to = next;
    if (before != stdout && fclose(before) != 0) {
        return firn_err_errno(err, __FILE__, __LINE__, errno, "cannot write the output file");
    }
    return FIRN_OK;
}

static void print_history(firn_shell_state *shell, FILE *to)
{
    HistEvent event;
    for (int rc = history(shell->history, &event, H_LAST); rc >= 0;
         rc = history(shell->history, &event, H_PREV)) {
        size_t len = strlen(event.str);
        fprintf(to, "%s%s", event.str, len > 0 && event.str[len - 1] == '\n' ? "" : "\n");
    }
}

static firn_rc show_history(firn_shell_state *shell, const char *argument, firn_err *err)
{
    if (argument == NULL) {
        print_history(shell, stdout);
        return FIRN_OK;
    }
    FILE *file = fopen(argument, "we");
    if (file == NULL) {
        return firn_err_errno(err, __FILE__, __LINE__, errno, "cannot write %s", argument);
    }
    print_history(shell, file);
    if (fclose(file) != 0) {
        return firn_err_errno(err, __FILE__, __LINE__, errno, "cannot write %s", argument);
    }
    return FIRN_OK;
}

/* ---- the editor ---------------------------------------------------------------------------------------- */

extern char **environ;

static firn_rc run_editor(firn_arena *arena, const char *path, firn_err *err)
{
    const char *editor = getenv("VISUAL") != NULL ? getenv("VISUAL") : getenv("EDITOR");
    const char *command = firn_arena_printf(arena, "%s \"$1\"", editor != NULL ? editor : "vi");
    const char *const argv[] = {"sh", "-c", command, "sh", path, NULL};
    pid_t child = 0;
    int status = 0;
    int failed = posix_spawn(&child, "/bin/sh", NULL, NULL, (char *const *)argv, environ);
    if (failed != 0) {
        return firn_err_errno(err, __FILE__, __LINE__, failed, "cannot start the editor");
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        FIRN_FAIL(err, FIRN_E_INVALID, "the editor (%s) failed; set EDITOR to the one you like",
                  editor != NULL ? editor : "vi");
    }
    return FIRN_OK;
}

static firn_rc edit_file(firn_shell_state *shell, firn_arena *arena, const char *path,
                         const char *before, firn_err *err)
{
    firn_bytes text;
    FIRN_TRY(firn_file_write_atomic(path, firn_bytes_str(before), 0600, err));
    FIRN_TRY(run_editor(arena, path, err));
    FIRN_TRY(firn_file_read(arena, path, 64 << 20, &text, err));
    const char *sql = firn_str_trim(arena, (const char *)text.data);
    if (sql[0] == '\0') {
        return FIRN_OK;
    }
    HistEvent event;
    history(shell->history, &event, H_ENTER, firn_str_replace(arena, sql, "\n", " "));
    printf("%s\n", sql);
    return firn_sql_view_run(shell->view, sql, err);
}

/* The last statement in the user's editor; what is saved runs. */
static firn_rc edit(firn_shell_state *shell, const char *argument, firn_err *err)
{
    (void)argument;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    HistEvent event;
    const char *before = shell->text.len > 0 ? firn_buf_cstr(&shell->text) : "";
    for (int rc = history(shell->history, &event, H_FIRST); before[0] == '\0' && rc >= 0;
         rc = history(shell->history, &event, H_NEXT)) {
        before = event.str[0] != '\\' ? event.str : "";
    }
    char *path = firn_arena_strdup(arena, "/tmp/firn-edit-XXXXXX.sql");
    int fd = mkstemps(path, 4);
    if (fd < 0) {
        return firn_err_errno(err, __FILE__, __LINE__, errno, "cannot make a file for the editor");
    }
    close(fd);
    firn_rc rc = edit_file(shell, arena, path, firn_arena_strdup(arena, before), err);
    unlink(path);
    firn_buf_clear(&shell->text);
    return rc;
}

static firn_rc reset(firn_shell_state *shell, const char *argument, firn_err *err)
{
    (void)argument, (void)err;
    firn_buf_clear(&shell->text);
    return FIRN_OK;
}

static firn_rc quit(firn_shell_state *shell, const char *argument, firn_err *err)
{
    (void)argument, (void)err;
    shell->quit = true;
    return FIRN_OK;
}

/* ---- the table ----------------------------------------------------------------------------------------- */

static const meta_command META[] = {
    {"d", "[TABLE]", "tables; or the columns, partitions and properties of one", describe},
    {"dt", "[PATTERN]", "tables", tables},
    {"dv", "[PATTERN]", "views", views},
    {"dn", "[PATTERN]", "schemas", schemas},
    {"db", NULL, "branches and tags", refs},
    {"l", NULL, "the lake: catalog, warehouse, pipelines", lake_status},
    {"c", "REF", "work on another branch, or look at a tag or commit", use_ref},
    {"x", NULL, "one line per column instead of one per row, and back", expanded},
    {"f", "FORMAT", "print rows as table, csv or json", format},
    {"timing", NULL, "show how long statements take, or stop it", timing},
    {"i", "FILE", "run the statements of a file", include},
    {"o", "[FILE]", "send rows to a file; without one, back to the screen", output},
    {"e", NULL, "edit the last statement in $EDITOR and run it", edit},
    {"s", "[FILE]", "show the history, or write it to a file", show_history},
    {"r", NULL, "drop the statement being typed", reset},
    {"?", NULL, "this help", help},
    {"q", NULL, "leave (also Ctrl-D)", quit},
};
enum { N_META = sizeof(META) / sizeof(META[0]) };

const char *firn_shell_meta_name(size_t i)
{
    return i < N_META ? META[i].name : NULL;
}

static const meta_command *meta_find(const char *name)
{
    for (size_t i = 0; i < N_META; i++) {
        if (firn_streq(META[i].name, name)) {
            return &META[i];
        }
    }
    return NULL;
}

static firn_rc help(firn_shell_state *shell, const char *argument, firn_err *err)
{
    (void)shell, (void)argument, (void)err;
    puts("Statements end with a semicolon; each one that changes something is one commit.\n");
    for (size_t i = 0; i < N_META; i++) {
        printf("  \\%-7s %-10s %s\n", META[i].name,
               META[i].argument != NULL ? META[i].argument : "", META[i].help);
    }
    puts("\n  TAB completes keywords, tables and columns; Ctrl-R searches the history;\n"
         "  Ctrl-C cancels a running statement or drops the line.");
    return FIRN_OK;
}

firn_rc firn_shell_meta(firn_shell_state *shell, const char *line, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    size_t len = strcspn(line + 1, " \t");
    const char *name = firn_arena_strndup(arena, line + 1, len);
    char *argument = firn_str_trim(arena, line + 1 + len);
    size_t end = strlen(argument);
    while (end > 0 && argument[end - 1] == ';') {
        argument[--end] = '\0'; /* a habit from SQL */
    }
    const meta_command *command = meta_find(firn_streq(name, "h") ? "?" : name);
    if (command == NULL) {
        FIRN_FAIL(err, FIRN_E_INVALID, "there is no \\%s; \\? lists what there is", name);
    }
    if (command->argument != NULL && command->argument[0] != '[' && argument[0] == '\0') {
        FIRN_FAIL(err, FIRN_E_INVALID, "something is missing: \\%s %s", name, command->argument);
    }
    return command->run(shell, argument[0] != '\0' ? argument : NULL, err);
}
