/* firn ingest run: feeds until somebody says stop, or until all that was there is committed. And firn ingest resume.
 *
 * On a terminal a live region of one line per feed (two when it has something to say) is drawn twice a second; elsewhere the log tells
 * of each commit. SIGINT and SIGTERM: commit what is there, leave the groups, exit 0; a second one ends the process, which loses
 * nothing either.
 */
#include "cli.h"

#include "base/log.h"
#include "base/time.h"
#include "ingest/ingest.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

enum { DRAW_MS = 500, SIGNAL_MS = 50, NAME_COLUMNS = 20 };

typedef struct run_view {
    firn_cli *cli;
    bool live;
    int n_drawn; /* lines on the screen */
} run_view;

/* ---- the live region -------------------------------------------------------------------------------------------- */

static const char *rate_text(firn_arena *arena, double per_s)
{
    return per_s >= 1e6   ? firn_arena_printf(arena, "%.2fM", per_s / 1e6)
           : per_s >= 1e3 ? firn_arena_printf(arena, "%.1fk", per_s / 1e3)
                          : firn_arena_printf(arena, "%.0f", per_s);
}

static const char *ms_text(firn_arena *arena, int64_t ms)
{
    return ms < 0 ? "-" : firn_format_duration(arena, ms * 1000);
}

static const char *state_colour(firn_feed_state state)
{
    switch (state) {
    case FIRN_FEED_RUNNING:
    case FIRN_FEED_DONE: return firn_term_green(stdout);
    case FIRN_FEED_STOPPED: return firn_term_red(stdout);
    default: return firn_term_yellow(stdout);
    }
}

static void print_line(run_view *view, const char *text)
{
    int width = firn_term_columns(stdout);
    printf("%s\x1b[K\n", width > 0 ? firn_text_cut(view->cli->arena, text, (size_t)width) : text);
    view->n_drawn++;
}

static void draw_feed(run_view *view, firn_arena *arena, const firn_feed_status *s)
{
    const char *last =
        s->last_commit_us != 0 ? ms_text(arena, (firn_now_us() - s->last_commit_us) / 1000) : "-";
    const char *lag = s->lag >= 0 ? firn_format_count(arena, s->lag) : "-";
    printf("%-*s %s%-8s%s", NAME_COLUMNS, firn_text_cut(arena, s->feed, NAME_COLUMNS),
           state_colour(s->state), firn_feed_state_name(s->state), firn_term_plain(stdout));
    printf(" %12s %8s/s %9s/s %14s %9s %9s %9s %6s\x1b[K\n", lag,
           rate_text(arena, s->records_per_s), firn_format_bytes(arena, (int64_t)s->bytes_per_s),
           firn_format_count(arena, s->rows), last, ms_text(arena, s->freshness_ms),
           ms_text(arena, s->latency_p99_ms), firn_format_count(arena, s->dead_letters));
    view->n_drawn++;
    if (s->message != NULL) {
        print_line(view, firn_arena_printf(arena, "  %s", firn_text_safe(arena, s->message)));
    }
}

static void draw(run_view *view, firn_ingest *ingest)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_feed_status *status = NULL;
    size_t n = 0;
    firn_ingest_status(ingest, arena, &status, &n);
    if (view->n_drawn > 0) {
        printf("\x1b[%dA", view->n_drawn);
    }
    view->n_drawn = 0;
    print_line(view, firn_arena_printf(arena, "%s%-*s %-8s %12s %10s %11s %14s %9s %9s %9s %6s%s",
                                       firn_term_dim(stdout), NAME_COLUMNS, "feed", "state", "lag",
                                       "records", "bytes", "rows", "committed", "fresh", "p99",
                                       "bad", firn_term_plain(stdout)));
    for (size_t i = 0; i < n; i++) {
        draw_feed(view, arena, &status[i]);
    }
    printf("\x1b[J");
    fflush(stdout);
}

/* ---- waiting ------------------------------------------------------------------------------------------------------- */

static void wait_for_end(run_view *view, firn_ingest *ingest, const sigset_t *stop)
{
    static const struct timespec at_once = {0};
    bool stopping = false;
    int64_t drawn_us = 0;
    while (!firn_ingest_wait(ingest, SIGNAL_MS)) {
        int64_t now_us = firn_monotonic_us();
        if (view->live && now_us - drawn_us >= DRAW_MS * 1000) {
            drawn_us = now_us;
            draw(view, ingest);
        }
        if (!stopping && sigtimedwait(stop, NULL, &at_once) > 0) {
            stopping = true;
            firn_ingest_stop(ingest);
            pthread_sigmask(SIG_UNBLOCK, stop, NULL); /* the next one is the system's */
        }
    }
    if (view->live) {
        draw(view, ingest);
    }
}

/* ---- the end -------------------------------------------------------------------------------------------------------- */

static firn_rc print_report(firn_cli *cli, const firn_feed_status *status, size_t n, firn_err *err)
{
    static const firn_report_column COLUMNS[] = {
        {"feed", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"state", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"records", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"rows", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"commits", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"dead_letters", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"lag", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"message", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PROGRAMS},
    };
    firn_report *report =
        firn_report_new(cli->arena, COLUMNS, sizeof(COLUMNS) / sizeof(COLUMNS[0]));
    for (size_t i = 0; i < n; i++) {
        const firn_feed_status *s = &status[i];
        const char *cells[] = {
            s->feed,
            firn_feed_state_name(s->state),
            firn_arena_printf(cli->arena, "%" PRId64, s->records),
            firn_arena_printf(cli->arena, "%" PRId64, s->rows),
            firn_arena_printf(cli->arena, "%" PRId64, s->commits),
            firn_arena_printf(cli->arena, "%" PRId64, s->dead_letters),
            s->lag >= 0 ? firn_arena_printf(cli->arena, "%" PRId64, s->lag) : NULL,
            s->message,
        };
        firn_report_row(report, cells);
    }
    return firn_report_print(report, stdout, cli->format, NULL, err);
}

static firn_rc verdict(firn_cli *cli, const firn_feed_status *status, size_t n, firn_err *err)
{
    const firn_feed_status *first = NULL;
    size_t stopped = 0;
    for (size_t i = 0; i < n; i++) {
        if (status[i].state == FIRN_FEED_STOPPED) {
            first = first != NULL ? first : &status[i];
            stopped++;
        }
    }
    (void)cli;
    if (first == NULL) {
        return FIRN_OK;
    }
    const char *more = stopped > 1 ? " (and other feeds, too)" : "";
    FIRN_FAIL(err, FIRN_E_CHECK_FAILED, "feed %s stopped%s: %s. To go on: %s", first->feed, more,
              first->message, first->advice);
}

static firn_rc run_feeds(firn_cli *cli, firn_ingest *ingest, const sigset_t *stop, firn_err *err)
{
    run_view view = {.cli = cli,
                     .live = cli->format == FIRN_FORMAT_TABLE && !cli->quiet && !cli->verbose &&
                             firn_term_is(stdout)};
    if (!cli->quiet && !cli->verbose) {
        firn_log_set_level(view.live ? FIRN_LOG_ERROR : FIRN_LOG_INFO);
    }
    FIRN_TRY(firn_ingest_start(ingest, err));
    wait_for_end(&view, ingest, stop);
    firn_feed_status *status = NULL;
    size_t n = 0;
    firn_ingest_status(ingest, cli->arena, &status, &n);
    if (!view.live && !cli->quiet) {
        FIRN_TRY(print_report(cli, status, n, err));
    }
    return verdict(cli, status, n, err);
}

/* ---- the commands ----------------------------------------------------------------------------------------------------- */

static firn_rc add_feeds(firn_cli *cli, firn_lake *lake, firn_ingest *ingest, size_t *added,
                         firn_err *err)
{
    firn_feed *feeds = NULL;
    size_t n = 0;
    *added = 0;
    for (size_t i = 0; i < cli->args.len; i++, (*added)++) {
        firn_feed feed;
        FIRN_TRY(firn_feed_load(lake, cli->arena, cli->args.items[i], &feed, err));
        FIRN_TRY(firn_ingest_add(ingest, &feed, err));
    }
    if (cli->args.len > 0) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_feed_list(lake, cli->arena, &feeds, &n, err));
    for (size_t i = 0; i < n; i++) {
        if (feeds[i].enabled) {
            FIRN_TRY(firn_ingest_add(ingest, &feeds[i], err));
            (*added)++;
        }
    }
    return FIRN_OK;
}

static firn_rc read_options(firn_cli *cli, firn_ingest_options *options, firn_err *err)
{
    const char *max_time = firn_cli_option(cli, "max-time");
    *options = (firn_ingest_options){.drain = firn_cli_switch(cli, "drain")};
    if (max_time != NULL &&
        (!firn_parse_duration(max_time, &options->max_ms) || options->max_ms <= 0)) {
        return firn_cli_usage(cli, err, "--max-time %s is no duration such as 30s, 5m or 1h",
                              max_time);
    }
    return FIRN_OK;
}

firn_rc firn_cmd_ingest_run(firn_cli *cli, firn_err *err)
{
    firn_lake *lake = NULL;
    firn_engine *engine = NULL;
    firn_ingest *ingest = NULL;
    firn_ingest_options options;
    size_t n = 0;
    FIRN_TRY(read_options(cli, &options, err));
    FIRN_TRY(firn_cli_lake(cli, &lake, err));
    FIRN_TRY(firn_cli_engine(cli, &engine, err));
    /* Blocked before any thread is made, so that every thread leaves the signals to the wait. */
    sigset_t stop, before;
    sigemptyset(&stop);
    sigaddset(&stop, SIGINT);
    sigaddset(&stop, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &stop, &before);
    firn_rc rc = firn_ingest_new(engine, &options, &ingest, err);
    if (rc == FIRN_OK) {
        rc = add_feeds(cli, lake, ingest, &n, err);
    }
    if (rc == FIRN_OK && n == 0) {
        firn_cli_say(cli, "the lake has no feeds to run: one is a file in %s",
                     firn_lake_path(lake, cli->arena, firn_lake_config(lake)->feeds));
    } else if (rc == FIRN_OK) {
        rc = run_feeds(cli, ingest, &stop, err);
    }
    firn_ingest_free(ingest);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

firn_rc firn_cmd_ingest_resume(firn_cli *cli, firn_err *err)
{
    firn_engine *engine = NULL;
    const firn_resume_options options = {.feed = firn_cli_arg(cli, 0),
                                         .from = firn_cli_option(cli, "from")};
    if (options.from == NULL) {
        return firn_cli_usage(cli, err,
                              "--from is missing: earliest, latest, committed, a time, or "
                              "TOPIC:PARTITION=OFFSET,...");
    }
    FIRN_TRY(firn_cli_engine(cli, &engine, err));
    FIRN_TRY(firn_ingest_resume(engine, &options, err));
    firn_cli_say(cli, "feed %s goes on from %s: firn ingest run %s", options.feed, options.from,
                 options.feed);
    return FIRN_OK;
}
