/* The interactive shell: lines become statements, statements run when they are complete.
 *
 * Ctrl-C drops what is being typed, or cancels what is running (watch.c); Ctrl-D on an empty line leaves. Errors are printed and the
 * shell goes on.
 */
#include "shell.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>
#include <wchar.h>

enum { HISTORY_LINES = 5000, STATEMENT_BYTES_MAX = 64 << 20 };

static firn_shell_state *shell_of(EditLine *el)
{
    firn_shell_state *shell = NULL;
    el_get(el, EL_CLIENTDATA, &shell);
    return shell;
}

/* ---- the line editor ----------------------------------------------------------------------------------- */

static char *give_prompt(EditLine *el)
{
    return shell_of(el)->prompt;
}

/* "main=> ", "main-> " in the middle of a statement. */
static void set_prompt(firn_shell_state *shell)
{
    bool lake = shell->view->cli->lake != NULL;
    snprintf(shell->prompt, sizeof(shell->prompt), "%.300s%s",
             lake ? firn_session_ref(shell->view->session) : "firn",
             shell->text.len > 0 ? "-> " : "=> ");
}

/* Reads one byte, or notices Ctrl-C: 1, 0 at the end, -1 on Ctrl-C and errors. */
static int read_byte(firn_shell_state *shell, unsigned char *byte)
{
    for (;;) {
        struct pollfd wait[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                                {.fd = firn_watch_fd(shell->view->watch), .events = POLLIN}};
        if (poll(wait, 2, -1) < 0 && errno != EINTR) {
            return -1;
        }
        if (wait[1].revents != 0 && firn_watch_take(shell->view->watch)) {
            shell->interrupted = true;
            return -1;
        }
        if (wait[0].revents != 0) {
            ssize_t n = read(STDIN_FILENO, byte, 1);
            if (n >= 0 || errno != EINTR) {
                return (int)n;
            }
        }
    }
}

/* libedit's way of getting a character: one UTF-8 sequence, whatever the locale. */
static int read_char(EditLine *el, wchar_t *out)
{
    firn_shell_state *shell = shell_of(el);
    unsigned char byte = 0;
    int n = read_byte(shell, &byte);
    if (n <= 0) {
        return n;
    }
    int more = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : byte >= 0xc0 ? 1 : 0;
    uint32_t code = more == 0 ? byte : byte & (0x3fu >> more);
    while (more-- > 0) {
        n = read_byte(shell, &byte);
        if (n <= 0) {
            return n;
        }
        code = code << 6 | (byte & 0x3fu);
    }
    *out = (wchar_t)code;
    return 1;
}

static const char *history_path(firn_arena *arena)
{
    const char *given = getenv("FIRN_HISTORY");
    const char *home = getenv("HOME");
    if (given != NULL) {
        return given[0] != '\0' ? given : NULL;
    }
    return home != NULL && home[0] != '\0' ? firn_path_join(arena, home, ".firn_history") : NULL;
}

/* The editor writes through the locale. Ours is UTF-8 whatever the environment says: all text of a lake is. */
static void use_utf8(void)
{
    if (setlocale(LC_CTYPE, "") == NULL || !firn_streq(nl_langinfo(CODESET), "UTF-8")) {
        setlocale(LC_CTYPE, "C.UTF-8");
    }
}

static void open_editor(firn_shell_state *shell)
{
    HistEvent event;
    use_utf8();
    shell->el = el_init("firn", stdin, stdout, stderr);
    shell->history = history_init();
    history(shell->history, &event, H_SETSIZE, HISTORY_LINES);
    history(shell->history, &event, H_SETUNIQUE, 1);
    shell->history_path = history_path(shell->view->cli->arena);
    if (shell->history_path != NULL) {
        history(shell->history, &event, H_LOAD, shell->history_path);
    }
    el_set(shell->el, EL_CLIENTDATA, shell);
    el_set(shell->el, EL_PROMPT, give_prompt);
    el_set(shell->el, EL_EDITOR, "emacs");
    el_set(shell->el, EL_HIST, history, shell->history);
    el_set(shell->el, EL_GETCFN, read_char);
    el_set(shell->el, EL_BIND, "^R", "em-inc-search-prev", NULL);
    el_set(shell->el, EL_BIND, "\\e[1;5C", "em-next-word", NULL);
    el_set(shell->el, EL_BIND, "\\e[1;5D", "ed-prev-word", NULL);
    firn_shell_complete_init(shell);
    el_source(shell->el, NULL); /* ~/.editrc */
}

/* Statements may hold secrets: the file is its owner's alone. */
static void close_editor(firn_shell_state *shell)
{
    HistEvent event;
    if (shell->history_path != NULL) {
        int fd = open(shell->history_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd >= 0) {
            close(fd);
            history(shell->history, &event, H_SAVE, shell->history_path);
        }
    }
    history_end(shell->history);
    el_end(shell->el);
}

/* ---- statements ------------------------------------------------------------------------------------------ */

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n;")] == '\0';
}

static bool is_word(const char *line, const char *word)
{
    size_t n = strlen(word);
    return strncmp(line, word, n) == 0 && is_blank(line + n);
}

/* A statement of several lines is remembered as one, unless joining its lines would change it. */
static void remember(firn_shell_state *shell, const char *text)
{
    HistEvent event;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    char *entry = firn_str_trim(arena, text);
    bool joins = strstr(entry, "--") == NULL && strchr(entry, '\'') == NULL;
    size_t n = 0;
    char **lines = firn_str_split(arena, entry, '\n', &n);
    if (joins) {
        history(shell->history, &event, H_ENTER,
                firn_str_join(arena, (const char *const *)lines, n, " "));
        return;
    }
    for (size_t i = 0; i < n; i++) {
        history(shell->history, &event, H_ENTER, lines[i]);
    }
}

static void report(firn_rc rc, const firn_err *err)
{
    if (rc == FIRN_E_CANCELLED) {
        fprintf(stderr, "%scancelled%s\n", firn_term_yellow(stderr), firn_term_plain(stderr));
    } else if (rc != FIRN_OK) {
        fprintf(stderr, "%serror:%s %s\n", firn_term_red(stderr), firn_term_plain(stderr),
                err->message);
    }
}

static void run_statement(firn_shell_state *shell)
{
    firn_err err = {0};
    const char *text = firn_buf_cstr(&shell->text);
    remember(shell, text);
    report(firn_sql_view_run(shell->view, text, &err), &err);
    fflush(stdout);
    firn_buf_clear(&shell->text);
}

static void take_line(firn_shell_state *shell, const char *line)
{
    bool fresh = shell->text.len == 0;
    if (fresh && is_blank(line)) {
        return;
    }
    if (fresh && (is_word(line, "quit") || is_word(line, "exit"))) {
        shell->quit = true;
        return;
    }
    const char *trimmed = line + strspn(line, " \t");
    if (trimmed[0] == '\\') {
        firn_err err = {0};
        FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
        char *command = firn_str_trim(arena, trimmed);
        remember(shell, command);
        report(firn_shell_meta(shell, command, &err), &err);
        fflush(stdout);
        return;
    }
    firn_buf_puts(&shell->text, line);
    if (shell->text.overflow) {
        fprintf(stderr, "error: a statement has at most %d MiB\n", STATEMENT_BYTES_MAX >> 20);
        firn_buf_deinit(&shell->text);
        firn_buf_init(&shell->text, STATEMENT_BYTES_MAX);
    } else if (firn_sql_is_complete(firn_buf_cstr(&shell->text))) {
        run_statement(shell);
    }
}

static void greet(const firn_sql_view *view)
{
    const firn_lake *lake = view->cli->lake;
    if (view->cli->quiet) {
        return;
    }
    if (lake != NULL) {
        printf("firn " FIRN_VERSION " - lake \"%s\" on %s - \\? for help\n",
               firn_lake_config(lake)->name, firn_session_ref(view->session));
    } else {
        puts("firn " FIRN_VERSION " - no lake here: files and functions only - \\? for help");
    }
}

firn_rc firn_shell(firn_sql_view *view, firn_err *err)
{
    (void)err;
    firn_shell_state shell = {.view = view};
    firn_buf_init(&shell.text, STATEMENT_BYTES_MAX);
    open_editor(&shell);
    greet(view);
    while (!shell.quit) {
        int n = 0;
        set_prompt(&shell);
        el_resize(shell.el);
        const char *line = el_gets(shell.el, &n);
        if (line != NULL && n > 0 && !shell.interrupted) {
            take_line(&shell, line);
            continue;
        }
        fputc('\n', stdout);
        if (!shell.interrupted) {
            break; /* end of input */
        }
        shell.interrupted = false;
        el_reset(shell.el);
        firn_buf_clear(&shell.text);
    }
    close_editor(&shell);
    firn_buf_deinit(&shell.text);
    return FIRN_OK;
}
