/* See run_view.h. Finished tasks scroll up as plain lines; below them, on a terminal, stands a live region of one line per running
 * task, which is erased before anything else is printed. Events come from one thread at a time, never two at once.
 */
#include "run_view.h"

#include "base/time.h"

#include <inttypes.h>
#include <signal.h>

enum {
    NAME_COLUMNS = 22,
    DETAIL_COLUMNS = 62,
    RUNNING_MAX = 64,
    BAR_COLUMNS = 20,
};

typedef struct running_task {
    char name[128];
    double progress;
    int64_t started_us; /* monotonic */
} running_task;

typedef struct run_view {
    firn_cli *cli;
    bool json, live;
    running_task running[RUNNING_MAX];
    size_t n_running;
    size_t n_drawn; /* lines of the live region on the screen */
    firn_buf
        checks; /* lines about checks, which come before the end of their task and are shown below it */
} run_view;

/* ---- the live region ----------------------------------------------------------------------------------- */

static void erase(run_view *view)
{
    for (; view->n_drawn > 0; view->n_drawn--) {
        fputs("\x1b[A\x1b[2K", stdout);
    }
}

static void draw(run_view *view)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    size_t columns = (size_t)firn_term_columns(stdout);
    for (size_t i = 0; i < view->n_running; i++) {
        const running_task *task = &view->running[i];
        FIRN_AUTO_BUF firn_buf line = {0};
        firn_buf_printf(&line, "  %-*s  ", NAME_COLUMNS, task->name);
        for (int b = 0; task->progress > 0 && b < BAR_COLUMNS; b++) {
            firn_buf_puts(&line, b < task->progress * BAR_COLUMNS ? "█" : "░");
        }
        firn_buf_printf(&line, "%srunning  %.1f s", task->progress > 0 ? "  " : "",
                        (double)(firn_monotonic_us() - task->started_us) / 1e6);
        printf("%s%s%s\n", firn_term_dim(stdout),
               firn_text_cut(arena, firn_buf_cstr(&line), columns - 1), firn_term_plain(stdout));
        view->n_drawn++;
    }
    fflush(stdout);
}

static void note_running(run_view *view, const firn_pipeline_event *event)
{
    size_t i = 0;
    while (i < view->n_running && !firn_streq(view->running[i].name, event->task->task)) {
        i++;
    }
    bool ends = event->kind == FIRN_EVENT_TASK_END || event->kind == FIRN_EVENT_TASK_RETRY;
    if (ends) {
        if (i < view->n_running) {
            memmove(&view->running[i], &view->running[i + 1],
                    (view->n_running - i - 1) * sizeof(view->running[0]));
            view->n_running--;
        }
        return;
    }
    if (i == view->n_running && i < RUNNING_MAX) {
        view->running[i] = (running_task){.progress = -1, .started_us = firn_monotonic_us()};
        snprintf(view->running[i].name, sizeof(view->running[i].name), "%s", event->task->task);
        view->n_running++;
    }
    if (i < RUNNING_MAX) {
        view->running[i].progress = event->progress;
    }
}

/* ---- lines ----------------------------------------------------------------------------------------------- */

/* Columns for details: fewer on a narrow terminal. */
static size_t detail_columns(void)
{
    enum { OTHERS = NAME_COLUMNS + 4 + 9, LEAST = 20 };
    int columns = firn_term_columns(stdout);
    if (columns == 0 || columns >= OTHERS + DETAIL_COLUMNS) {
        return DETAIL_COLUMNS;
    }
    return columns >= OTHERS + LEAST ? (size_t)columns - OTHERS : LEAST;
}

/* "  name    detail    0.02 s": cut to fit a terminal; elsewhere what does not fit pushes the rest to the right. */
static void print_line(const char *name, const char *colour, const char *detail, int64_t us)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    size_t room = detail_columns();
    if (firn_term_is(stdout)) {
        detail = firn_text_cut(arena, detail, room);
    }
    size_t width = firn_utf8_width(detail);
    int pad = width < room ? (int)(room - width) : 0;
    printf("  %-*s  %s%s%s%*s %6.2f s\n", NAME_COLUMNS, name, colour, detail,
           colour[0] != '\0' ? firn_term_plain(stdout) : "", pad, "", (double)us / 1e6);
}

static void print_task(const firn_pipeline_event *event)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const firn_run_task *task = event->task;
    const char *detail = task->detail != NULL ? task->detail : "";
    if (event->kind == FIRN_EVENT_TASK_RETRY) {
        detail = firn_arena_printf(arena, "attempt %d failed, trying again: %s", task->attempt,
                                   task->error != NULL ? task->error : "");
        print_line(task->task, firn_term_yellow(stdout), firn_text_safe(arena, detail),
                   event->duration_us);
    } else if (firn_streq(task->status, "failed")) {
        detail = firn_arena_printf(arena, "failed%s%s", detail[0] != '\0' ? "   " : "", detail);
        print_line(task->task, firn_term_red(stdout), detail, event->duration_us);
    } else {
        print_line(task->task, firn_streq(task->status, "warned") ? firn_term_yellow(stdout) : "",
                   detail, event->duration_us);
    }
}

/* Failed checks always, what only warned with -v. */
static void note_check(run_view *view, const firn_run_check *check)
{
    bool warned = firn_streq(check->status, "warned");
    if (firn_streq(check->status, "passed") || (warned && !view->cli->verbose)) {
        return;
    }
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_buf_printf(&view->checks, "  %-*s  %s%s%s  %s: %s\n", NAME_COLUMNS, "",
                    warned ? firn_term_yellow(stdout) : firn_term_red(stdout), check->status,
                    firn_term_plain(stdout), check->name,
                    firn_text_safe(arena, check->detail != NULL ? check->detail : ""));
}

static void print_published(const firn_pipeline_event *event)
{
    size_t room = NAME_COLUMNS + 2 + detail_columns();
    size_t width = firn_utf8_width(event->text);
    printf("  %s%s%s%*s %6.2f s\n", firn_term_green(stdout), event->text, firn_term_plain(stdout),
           width < room ? (int)(room - width) : 0, "", (double)event->duration_us / 1e6);
}

static void print_event(run_view *view, const firn_pipeline_event *event)
{
    switch (event->kind) {
    case FIRN_EVENT_TASK_START:
    case FIRN_EVENT_TASK_PROGRESS: break;
    case FIRN_EVENT_TASK_RETRY:
    case FIRN_EVENT_TASK_END:
        print_task(event);
        fputs(firn_buf_cstr(&view->checks), stdout);
        firn_buf_clear(&view->checks);
        break;
    case FIRN_EVENT_CHECK: note_check(view, event->check); break;
    case FIRN_EVENT_PUBLISHED: print_published(event); break;
    case FIRN_EVENT_FAILED:
        printf("  %s%s%s\n", firn_term_yellow(stdout), event->text, firn_term_plain(stdout));
        break;
    }
}

static void print_json(const firn_pipeline_event *event)
{
    static const char *const KINDS[] = {"task_start", "task_progress", "task_retry", "task_end",
                                        "check",      "published",     "failed"};
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    json_t *json =
        json_pack("{s:s, s:s, s:i, s:i}", "event", KINDS[event->kind], "run", event->run_id, "done",
                  (int)event->n_done, "tasks", (int)event->n_tasks);
    firn_json_own(arena, json);
    if (event->task != NULL) {
        json_object_update_new(
            json, json_pack("{s:s, s:s, s:s, s:i, s:I, s:s?, s:s?}", "task", event->task->task,
                            "type", event->task->kind, "status", event->task->status, "attempt",
                            event->task->attempt, "rows", (json_int_t)event->task->rows, "detail",
                            event->task->detail, "error", event->task->error));
    }
    if (event->check != NULL) {
        const firn_run_check *check = event->check;
        json_object_update_new(
            json, json_pack("{s:s, s:s, s:s?, s:s, s:s, s:I, s:s?}", "task", check->task, "check",
                            check->name, "table", check->table, "severity", check->severity,
                            "status", check->status, "failing_rows",
                            (json_int_t)check->failing_rows, "detail", check->detail));
    }
    if (event->kind == FIRN_EVENT_TASK_PROGRESS) {
        json_object_set_new(json, "progress", json_real(event->progress));
    }
    if (event->text != NULL) {
        json_object_set_new(json, "text", json_string(event->text));
    }
    json_object_set_new(json, "duration_us", json_integer(event->duration_us));
    puts(firn_json_text(arena, json));
}

static void on_event(void *ctx, const firn_pipeline_event *event)
{
    run_view *view = ctx;
    if (view->json) {
        print_json(event);
        fflush(stdout);
        return;
    }
    if (view->cli->quiet) {
        return;
    }
    if (view->live) {
        erase(view);
    }
    print_event(view, event);
    if (view->live && event->task != NULL) {
        note_running(view, event);
    }
    if (view->live) {
        draw(view);
    }
    fflush(stdout);
}

/* ---- the run --------------------------------------------------------------------------------------------- */

static atomic_bool cancelled;

static void on_interrupt(int number)
{
    (void)number;
    atomic_store(&cancelled, true);
}

/* The first Ctrl-C cancels the run, the second is the system's again and ends the process. Whoever started firn with SIGINT ignored
 * keeps it so. */
static void take_interrupts(struct sigaction *before)
{
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART | SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    atomic_store(&cancelled, false);
    sigaction(SIGINT, NULL, before);
    if (before->sa_handler != SIG_IGN) {
        sigaction(SIGINT, &action, NULL);
    }
}

firn_rc firn_run_view(firn_cli *cli, const firn_pipeline *pipeline, firn_pipeline_options *options,
                      bool json, firn_pipeline_outcome *out, firn_err *err)
{
    firn_engine *engine = NULL;
    FIRN_TRY(firn_cli_engine(cli, &engine, err));
    run_view view = {
        .cli = cli, .json = json, .live = !json && !cli->quiet && firn_term_is(stdout)};
    options->on_event = on_event;
    options->ctx = &view;
    options->cancel = &cancelled;
    struct sigaction before;
    take_interrupts(&before);
    firn_rc rc = firn_pipeline_run(engine, cli->arena, pipeline, options, out, err);
    sigaction(SIGINT, &before, NULL);
    erase(&view);
    firn_buf_deinit(&view.checks);
    return rc;
}
