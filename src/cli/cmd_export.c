/* firn export: feeds from ksqlDB into tables and folders.
 *
 * On a terminal a live region of one line per feed, with a bar against the rows of its last export; at the end, and elsewhere, one line
 * per feed and a summary. SIGINT and SIGTERM: nothing half is committed, exit code 1; a second one ends the process, which loses nothing
 * either.
 */
#include "cli.h"

#include "base/time.h"
#include "export/run.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

enum {
    NAME_COLUMNS_MIN = 24,
    NAME_COLUMNS_MAX = 40,
    BAR_COLUMNS = 23,
    DRAW_US = 100000,
    LINES_MAX = 64, /* of the live region */
};

typedef struct line {
    char feed[128];
    char phase[16];
    int64_t rows, expected, since_us;
} line;

typedef struct export_view {
    firn_cli *cli;
    bool live;
    line lines[LINES_MAX];
    size_t n_lines, n_drawn;
    int64_t drawn_us;
} export_view;

/* ---- the live region --------------------------------------------------------------------------------------------- */

static void erase(export_view *view)
{
    for (; view->n_drawn > 0; view->n_drawn--) {
        fputs("\x1b[A\x1b[2K", stdout);
    }
}

static void put_bar(firn_buf *out, double share)
{
    for (int i = 0; i < BAR_COLUMNS; i++) {
        firn_buf_puts(out, i < share * BAR_COLUMNS ? "█" : "░");
    }
}

static double share_of(const line *at)
{
    if (firn_streq(at->phase, "done")) {
        return 1;
    }
    double share = at->expected > 0 ? (double)at->rows / (double)at->expected : 0;
    return share > 0.99 ? 0.99 : share;
}

static int name_columns(size_t longest)
{
    size_t most = longest > NAME_COLUMNS_MIN ? longest : NAME_COLUMNS_MIN;
    return most > NAME_COLUMNS_MAX ? NAME_COLUMNS_MAX : (int)most;
}

static void draw(export_view *view)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    size_t columns = (size_t)firn_term_columns(stdout);
    size_t longest = 0;
    for (size_t i = 0; i < view->n_lines; i++) {
        size_t width = strlen(view->lines[i].feed);
        longest = width > longest ? width : longest;
    }
    erase(view);
    for (size_t i = 0; i < view->n_lines; i++) {
        const line *at = &view->lines[i];
        FIRN_AUTO_BUF firn_buf text = {0};
        int name = name_columns(longest);
        firn_buf_printf(&text, " %-*s ", name, firn_text_cut(arena, at->feed, (size_t)name));
        put_bar(&text, share_of(at));
        firn_buf_printf(&text, " %12s rows  %-10s %.1f s", firn_format_count(arena, at->rows),
                        at->phase, (double)(firn_monotonic_us() - at->since_us) / 1e6);
        printf("%s\n", firn_text_cut(arena, firn_buf_cstr(&text), columns - 1));
        view->n_drawn++;
    }
    fflush(stdout);
    view->drawn_us = firn_monotonic_us();
}

static void on_progress(void *ctx, const firn_export_progress *progress)
{
    export_view *view = ctx;
    size_t i = 0;
    while (i < view->n_lines && !firn_streq(view->lines[i].feed, progress->feed)) {
        i++;
    }
    if (i == LINES_MAX) {
        return;
    }
    line *at = &view->lines[i];
    if (i == view->n_lines) {
        view->n_lines++;
        snprintf(at->feed, sizeof(at->feed), "%s", progress->feed);
        at->since_us = firn_monotonic_us();
    }
    snprintf(at->phase, sizeof(at->phase), "%s", progress->phase);
    at->rows = progress->rows;
    at->expected = progress->expected;
    if (firn_monotonic_us() - view->drawn_us >= DRAW_US) {
        draw(view);
    }
}

/* ---- what came of it --------------------------------------------------------------------------------------------- */

static int names_width(const firn_export_result *results, size_t n)
{
    size_t longest = 0;
    for (size_t i = 0; i < n; i++) {
        size_t width = strlen(results[i].feed);
        longest = width > longest ? width : longest;
    }
    return name_columns(longest);
}

static void print_result(const firn_cli *cli, const firn_export_result *r, int name, bool dry)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    FIRN_AUTO_BUF firn_buf bar = {0};
    if (firn_term_is(stdout)) {
        put_bar(&bar, 1);
        firn_buf_puts(&bar, " ");
    }
    printf(" %-*s ", name, r->feed);
    switch (r->outcome) {
    case FIRN_EXPORT_DONE:
        printf("%s%12s rows%s   %-28s %6.2f s\n", firn_buf_cstr(&bar),
               firn_format_count(arena, r->rows), dry ? " to come" : "", r->where, r->seconds);
        break;
    case FIRN_EXPORT_NOTHING_NEW:
        printf("%s%17s   %-28s %6.2f s\n", firn_buf_cstr(&bar), "nothing new", "", r->seconds);
        break;
    case FIRN_EXPORT_SKIPPED: printf("skipped: %s\n", firn_text_safe(arena, r->message)); break;
    case FIRN_EXPORT_FAILED:
        printf("%sfailed%s: %s\n", firn_term_red(stdout), firn_term_plain(stdout),
               firn_text_safe(arena, r->message));
        break;
    }
    for (size_t i = 0; i < r->n_warnings && !cli->quiet; i++) {
        printf(" %-*s %swarning%s: %s\n", name, "", firn_term_yellow(stdout),
               firn_term_plain(stdout), firn_text_safe(arena, r->warnings[i]));
    }
}

static const char *outcome_name(firn_export_outcome outcome)
{
    static const char *const names[] = {"done", "nothing new", "skipped", "failed"};
    return names[outcome];
}

static const char *number(firn_arena *arena, int64_t n)
{
    return firn_arena_printf(arena, "%" PRId64, n);
}

static firn_rc print_report(firn_cli *cli, const firn_export_result *results, size_t n,
                            firn_err *err)
{
    static const firn_report_column COLUMNS[] = {
        {"feed", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"outcome", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"rows", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"files", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"bytes", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"json_bytes", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"version", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"partitions", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"seconds", FIRN_COLUMN_FLOAT, FIRN_SHOWN_ALWAYS},
        {"message", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"warnings", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    };
    firn_report *report =
        firn_report_new(cli->arena, COLUMNS, sizeof(COLUMNS) / sizeof(COLUMNS[0]));
    for (size_t i = 0; i < n; i++) {
        const firn_export_result *r = &results[i];
        const char *cells[] = {
            r->feed,
            outcome_name(r->outcome),
            number(cli->arena, r->rows),
            number(cli->arena, r->files),
            number(cli->arena, r->bytes),
            number(cli->arena, r->json_bytes),
            r->version > 0 ? number(cli->arena, r->version) : NULL,
            r->where != NULL && r->where[0] != '\0' ? r->where : NULL,
            firn_arena_printf(cli->arena, "%.3f", r->seconds),
            r->message,
            r->n_warnings > 0 ? firn_str_join(cli->arena, r->warnings, r->n_warnings, "; ") : NULL,
        };
        firn_report_row(report, cells);
    }
    return firn_report_print(report, stdout, cli->format, NULL, err);
}

typedef struct tally {
    size_t exported, failed, skipped;
} tally;

static tally count(const firn_export_result *results, size_t n)
{
    tally t = {0};
    for (size_t i = 0; i < n; i++) {
        t.failed += results[i].outcome == FIRN_EXPORT_FAILED;
        t.skipped += results[i].outcome == FIRN_EXPORT_SKIPPED;
        t.exported +=
            results[i].outcome == FIRN_EXPORT_DONE || results[i].outcome == FIRN_EXPORT_NOTHING_NEW;
    }
    return t;
}

static void say_summary(const firn_cli *cli, const tally *t, bool dry)
{
    firn_civil now;
    firn_civil_from_us(firn_now_us(), &now);
    FIRN_AUTO_BUF firn_buf text = {0};
    size_t n = t->exported + t->failed;
    if (t->failed > 0) {
        firn_buf_printf(&text, "%zu of %zu feeds exported, %zu failed", t->exported, n, t->failed);
    } else {
        firn_buf_printf(&text, "%zu feed%s exported", n, n == 1 ? "" : "s");
    }
    if (t->skipped > 0) {
        firn_buf_printf(&text, ", %zu skipped", t->skipped);
    }
    if (dry) {
        firn_cli_say(cli, "%s; a dry run: nothing was written", firn_buf_cstr(&text));
        return;
    }
    firn_cli_say(cli, "%s; log: logs/export_%04d_%02d.log", firn_buf_cstr(&text), now.year,
                 now.month);
}

static firn_rc tell(firn_cli *cli, const firn_export_result *results, size_t n, bool dry,
                    firn_err *err)
{
    tally t = count(results, n);
    if (cli->format != FIRN_FORMAT_TABLE) {
        FIRN_TRY(print_report(cli, results, n, err));
    }
    int name = names_width(results, n);
    for (size_t i = 0; i < n && cli->format == FIRN_FORMAT_TABLE; i++) {
        if (!cli->quiet || results[i].outcome == FIRN_EXPORT_FAILED) {
            print_result(cli, &results[i], name, dry);
        }
    }
    if (n == 0) {
        firn_cli_say(cli,
                     "the lake has no feeds to export: %s feed sync makes one for each stream "
                     "and table of the server",
                     cli->program);
        return FIRN_OK;
    }
    say_summary(cli, &t, dry);
    if (t.failed > 0) {
        cli->said_enough = true;
        FIRN_FAIL(err, FIRN_E_CHECK_FAILED, "%zu of %zu feeds failed", t.failed, n);
    }
    return FIRN_OK;
}

/* ---- signals ------------------------------------------------------------------------------------------------------- */

static volatile bool stop;

static void on_signal(int number)
{
    if (stop) {
        signal(number, SIG_DFL);
        raise(number);
    }
    stop = true;
}

static void catch_signals(struct sigaction *before)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    stop = false;
    sigaction(SIGINT, &action, &before[0]);
    sigaction(SIGTERM, &action, &before[1]);
}

static void release_signals(const struct sigaction *before)
{
    sigaction(SIGINT, &before[0], NULL);
    sigaction(SIGTERM, &before[1], NULL);
}

/* ---- the command --------------------------------------------------------------------------------------------------- */

typedef FIRN_VEC(const char *) names_vec;

static firn_rc add_names(firn_cli *cli, const char *option, firn_export_kind kind, names_vec *out,
                         firn_err *err)
{
    size_t n = 0;
    firn_lake *lake = NULL;
    const char **given = firn_cli_options(cli, cli->arena, option, &n);
    FIRN_TRY(firn_cli_lake(cli, &lake, err));
    for (size_t i = 0; i < n; i++) {
        firn_export_feed feed;
        FIRN_TRY(firn_export_feed_load(lake, cli->arena, given[i], &feed, err));
        if (feed.kind != kind) {
            FIRN_FAIL(err, FIRN_E_INVALID, "feed %s is a %s: firn export --%s %s", feed.name,
                      firn_export_kind_name(feed.kind), firn_export_kind_name(feed.kind),
                      feed.name);
        }
        firn_vec_push(cli->arena, out, given[i]);
    }
    return FIRN_OK;
}

static firn_rc read_names(firn_cli *cli, names_vec *names, firn_err *err)
{
    FIRN_TRY(add_names(cli, "stream", FIRN_EXPORT_STREAM, names, err));
    FIRN_TRY(add_names(cli, "table", FIRN_EXPORT_TABLE, names, err));
    for (size_t i = 0; i < cli->args.len; i++) {
        firn_vec_push(cli->arena, names, cli->args.items[i]);
    }
    bool all = firn_cli_switch(cli, "all");
    if (all && names->len > 0) {
        return firn_cli_usage(cli, err, "--all and names of feeds do not go together");
    }
    if (!all && names->len == 0) {
        return firn_cli_usage(cli, err,
                              "which feeds: --all, --stream NAME, --table NAME, or their names");
    }
    return FIRN_OK;
}

static firn_rc read_options(firn_cli *cli, firn_export_options *options, firn_err *err)
{
    int64_t jobs = 0;
    int32_t day = 0;
    const char *wait = firn_cli_option(cli, "wait");
    *options = (firn_export_options){.date = firn_cli_option(cli, "date"),
                                     .from = firn_cli_option(cli, "from"),
                                     .dry_run = firn_cli_switch(cli, "dry-run"),
                                     .stop = &stop};
    FIRN_TRY(firn_cli_number(cli, "jobs", 1, 0, &jobs, err));
    options->jobs = jobs > 64 ? 64 : (int)jobs;
    if (options->date != NULL && !firn_parse_date(options->date, &day)) {
        return firn_cli_usage(cli, err, "--date %s is no day such as 2025-01-15", options->date);
    }
    if (options->from != NULL && !firn_streq(options->from, "beginning")) {
        return firn_cli_usage(cli, err, "--from %s: the only place is beginning", options->from);
    }
    if (wait != NULL &&
        (!firn_parse_duration(wait, &options->quiet_ms) || options->quiet_ms <= 0)) {
        return firn_cli_usage(cli, err, "--wait %s is no duration such as 500ms or 5s", wait);
    }
    return FIRN_OK;
}

firn_rc firn_cmd_export(firn_cli *cli, firn_err *err)
{
    firn_engine *engine = NULL;
    firn_export_options options;
    firn_export_result *results = NULL;
    names_vec names = {0};
    size_t n = 0;
    struct sigaction before[2];
    export_view view = {.cli = cli,
                        .live = cli->format == FIRN_FORMAT_TABLE && !cli->quiet && !cli->verbose &&
                                firn_term_is(stdout)};
    FIRN_TRY(read_options(cli, &options, err));
    FIRN_TRY(read_names(cli, &names, err));
    if (options.from != NULL && names.len == 0) {
        return firn_cli_usage(cli, err, "--from is for single streams: name them");
    }
    FIRN_TRY(firn_cli_engine(cli, &engine, err));
    options.names = names.len > 0 ? names.items : NULL;
    options.n_names = names.len;
    options.on_progress = view.live ? on_progress : NULL;
    options.ctx = &view;
    catch_signals(before);
    firn_rc rc = firn_export_run(engine, cli->arena, &options, &results, &n, err);
    erase(&view);
    release_signals(before);
    FIRN_TRY(rc);
    return tell(cli, results, n, options.dry_run, err);
}
