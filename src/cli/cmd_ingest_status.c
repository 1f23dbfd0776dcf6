/* firn ingest status: how the feeds are doing.
 *
 * Processes on this machine write what they know once a second; a feed that none of them runs is looked at from the outside, which asks
 * its brokers: while watching, only every so often, and a cluster that is out of reach is a note, not an error.
 */
#include "cli.h"
#include "grid.h"

#include "base/map.h"
#include "base/time.h"
#include "ingest/audit.h"
#include "ingest/ingest.h"

#include <inttypes.h>

enum { WATCH_MS = 1000, LOOK_AGAIN_US = 15000000 };

/* A feed that nobody runs. */
typedef struct idle {
    firn_behind behind;
    bool known;
    char problem[FIRN_ERR_MESSAGE_BYTES];
    int64_t looked_us; /* monotonic; 0: never */
} idle;

typedef struct status_view {
    firn_cli *cli;
    firn_lake *lake;
    firn_feed *feeds; /* that were asked for */
    size_t n_feeds;
    idle *idle; /* by feed */
} status_view;

static void look(status_view *view, size_t i)
{
    idle *it = &view->idle[i];
    int64_t now = firn_monotonic_us();
    if (it->looked_us != 0 && now - it->looked_us < LOOK_AGAIN_US) {
        return;
    }
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_err err = {0};
    it->known = firn_feed_behind(view->lake, arena, &view->feeds[i], &it->behind, &err) == FIRN_OK;
    snprintf(it->problem, sizeof(it->problem), "%s", it->known ? "" : err.message);
    it->looked_us = firn_monotonic_us();
}

/* What stands in for the status of a process. */
static firn_feed_status idle_status(status_view *view, firn_arena *arena, size_t i)
{
    const firn_feed *feed = &view->feeds[i];
    look(view, i);
    const idle *it = &view->idle[i];
    firn_feed_status out = {.feed = feed->name,
                            .topic = firn_str_join(arena, feed->topics, feed->n_topics, ", "),
                            .table = feed->table,
                            .lag = it->known ? it->behind.lag : -1,
                            .last_commit_us = it->behind.last_commit_us,
                            .freshness_ms = -1,
                            .latency_p50_ms = -1,
                            .latency_p99_ms = -1};
    if (!it->known) {
        out.message = it->problem;
    } else if (it->behind.gone) {
        out.message = "the topic does not have an offset that the table holds";
        out.advice = firn_arena_printf(arena, "firn ingest resume %s --from earliest", feed->name);
    }
    return out;
}

static const char *state_text(const firn_feed *feed, const firn_feed_status *s)
{
    bool told = s->pid != 0 || s->state == FIRN_FEED_STOPPED;
    return told ? firn_feed_state_name(s->state) : feed->enabled ? "not running" : "disabled";
}

static const char *state_colour(const firn_feed_status *s)
{
    if (s->pid == 0 && s->state != FIRN_FEED_STOPPED) {
        return s->message != NULL ? firn_term_yellow(stdout) : firn_term_dim(stdout);
    }
    switch (s->state) {
    case FIRN_FEED_RUNNING:
    case FIRN_FEED_DONE: return firn_term_green(stdout);
    case FIRN_FEED_STOPPED: return firn_term_red(stdout);
    default: return firn_term_yellow(stdout);
    }
}

/* ---- people -------------------------------------------------------------------------------------------- */

static void add_row(firn_grid *grid, firn_arena *arena, const firn_feed *feed,
                    const firn_feed_status *s)
{
    enum { STATE = 7 };
    bool runs = s->pid != 0;
    const char *cells[] = {
        s->feed,
        s->topic,
        s->lag >= 0 ? firn_format_count(arena, s->lag) : NULL,
        runs ? firn_format_count(arena, (int64_t)s->records_per_s) : NULL,
        s->last_commit_us != 0 ? firn_cli_ago(arena, s->last_commit_us) : NULL,
        s->freshness_ms >= 0 ? firn_format_duration(arena, s->freshness_ms * 1000) : NULL,
        runs ? firn_format_count(arena, s->dead_letters) : NULL,
        state_text(feed, s),
    };
    firn_grid_row(grid, cells, state_colour(s));
    if (s->message != NULL && s->message[0] != '\0') {
        firn_grid_note(grid, 1, s->message, state_colour(s));
    }
    const char *advice = s->advice != NULL && s->advice[0] != '\0' ? s->advice
                         : s->dead_letters > 0
                             ? firn_arena_printf(arena, "firn ingest replay %s", s->feed)
                             : NULL;
    if (advice != NULL) {
        firn_grid_note(grid, 1, advice, firn_term_dim(stdout));
    }
}

static void each_status(status_view *view, firn_arena *arena, const firn_feed_status *all, size_t n,
                        void (*add)(void *ctx, firn_arena *arena, const firn_feed *feed,
                                    const firn_feed_status *s),
                        void *ctx)
{
    for (size_t i = 0; i < view->n_feeds; i++) {
        bool runs = false;
        for (size_t k = 0; k < n; k++) {
            if (firn_streq(all[k].feed, view->feeds[i].name)) {
                add(ctx, arena, &view->feeds[i], &all[k]);
                runs = true;
            }
        }
        if (!runs) {
            firn_feed_status outside = idle_status(view, arena, i);
            add(ctx, arena, &view->feeds[i], &outside);
        }
    }
}

static void add_to_grid(void *ctx, firn_arena *arena, const firn_feed *feed,
                        const firn_feed_status *s)
{
    add_row(ctx, arena, feed, s);
}

static firn_rc write_people(status_view *view, firn_arena *arena, firn_buf *out, firn_err *err)
{
    static const firn_grid_column COLUMNS[] = {
        {"feed", false},   {"topic", false}, {"lag", true}, {"in/s", true},
        {"commit", false}, {"fresh", true},  {"bad", true}, {"state", false},
    };
    firn_feed_status *all = NULL;
    size_t n = 0;
    FIRN_TRY(firn_ingest_status_read(view->lake, arena, &all, &n, err));
    firn_grid *grid = firn_grid_new(arena, COLUMNS, sizeof(COLUMNS) / sizeof(COLUMNS[0]));
    each_status(view, arena, all, n, add_to_grid, grid);
    firn_grid_write(grid, stdout, out);
    return FIRN_OK;
}

static firn_rc watch(status_view *view, firn_err *err)
{
    bool live = firn_term_is(stdout);
    for (;;) {
        FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
        FIRN_AUTO_BUF firn_buf out = {0};
        FIRN_TRY(write_people(view, arena, &out, err));
        /* From the top, each line cleared as it is written, then what is left below: no flicker. */
        fputs(live ? "\x1b[H" : "", stdout);
        const char *text = firn_buf_cstr(&out);
        fputs(live ? firn_str_replace(arena, text, "\n", "\x1b[K\n") : text, stdout);
        fputs(live ? "\x1b[J" : "\n", stdout);
        FIRN_TRY(firn_output_flush(stdout, err));
        firn_sleep_ms(WATCH_MS);
    }
}

/* ---- programs ------------------------------------------------------------------------------------------ */

static const char *number(firn_arena *arena, int64_t n)
{
    return n < 0 ? NULL : firn_arena_printf(arena, "%" PRId64, n);
}

static void add_to_report(void *ctx, firn_arena *a, const firn_feed *feed,
                          const firn_feed_status *s)
{
    bool runs = s->pid != 0;
    const char *cells[] = {
        s->feed,
        s->topic,
        s->table,
        state_text(feed, s),
        runs ? number(a, s->pid) : NULL,
        number(a, s->lag),
        runs ? firn_arena_printf(a, "%.1f", s->records_per_s) : NULL,
        runs ? firn_arena_printf(a, "%.1f", s->bytes_per_s) : NULL,
        runs ? number(a, s->records) : NULL,
        runs ? number(a, s->rows) : NULL,
        runs ? number(a, s->commits) : NULL,
        runs ? number(a, s->conflicts) : NULL,
        runs ? number(a, s->dead_letters) : NULL,
        s->last_commit_us != 0 ? number(a, s->last_commit_us) : NULL,
        number(a, s->freshness_ms),
        number(a, s->latency_p50_ms),
        number(a, s->latency_p99_ms),
        runs ? number(a, s->buffered_bytes) : NULL,
        s->message != NULL ? firn_arena_strdup(a, s->message) : NULL,
        s->advice,
    };
    firn_report_row(ctx, cells);
}

static firn_rc print_programs(status_view *view, firn_err *err)
{
    static const firn_report_column COLUMNS[] = {
        {"feed", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"topics", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"table", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"state", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"pid", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"lag", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"records_per_s", FIRN_COLUMN_FLOAT, FIRN_SHOWN_ALWAYS},
        {"bytes_per_s", FIRN_COLUMN_FLOAT, FIRN_SHOWN_ALWAYS},
        {"records", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"rows", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"commits", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"conflicts", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"dead_letters", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"last_commit_us", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"freshness_ms", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"latency_p50_ms", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"latency_p99_ms", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"buffered_bytes", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"message", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"advice", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    };
    firn_cli *cli = view->cli;
    firn_feed_status *all = NULL;
    size_t n = 0;
    FIRN_TRY(firn_ingest_status_read(view->lake, cli->arena, &all, &n, err));
    firn_report *report =
        firn_report_new(cli->arena, COLUMNS, sizeof(COLUMNS) / sizeof(COLUMNS[0]));
    each_status(view, cli->arena, all, n, add_to_report, report);
    return firn_report_print(report, stdout, cli->format, "feed", err);
}

/* ---- the command --------------------------------------------------------------------------------------- */

static firn_rc choose_feeds(status_view *view, firn_err *err)
{
    firn_cli *cli = view->cli;
    if (cli->args.len == 0) {
        return firn_feed_list(view->lake, cli->arena, &view->feeds, &view->n_feeds, err);
    }
    view->feeds = FIRN_NEW_N(cli->arena, firn_feed, cli->args.len);
    for (; view->n_feeds < cli->args.len; view->n_feeds++) {
        FIRN_TRY(firn_feed_load(view->lake, cli->arena, cli->args.items[view->n_feeds],
                                &view->feeds[view->n_feeds], err));
    }
    return FIRN_OK;
}

firn_rc firn_cmd_ingest_status(firn_cli *cli, firn_err *err)
{
    status_view view = {.cli = cli};
    bool watching = firn_cli_switch(cli, "watch");
    if (watching && cli->format != FIRN_FORMAT_TABLE) {
        return firn_cli_usage(cli, err, "--watch is for people: leave --format out");
    }
    FIRN_TRY(firn_cli_lake(cli, &view.lake, err));
    FIRN_TRY(choose_feeds(&view, err));
    view.idle = FIRN_NEW_N(cli->arena, idle, view.n_feeds);
    if (cli->format != FIRN_FORMAT_TABLE) {
        return print_programs(&view, err);
    }
    if (view.n_feeds == 0) {
        firn_cli_say(
            cli, "the lake has no feeds: one is a file in %s; %s ingest topics shows what there is",
            firn_lake_path(view.lake, cli->arena, firn_lake_config(view.lake)->feeds),
            cli->program);
        return FIRN_OK;
    }
    if (watching) {
        fputs(firn_term_is(stdout) ? "\x1b[2J" : "", stdout);
        return watch(&view, err);
    }
    FIRN_AUTO_BUF firn_buf out = {0};
    FIRN_TRY(write_people(&view, cli->arena, &out, err));
    fwrite(out.data, 1, out.len, stdout);
    return firn_output_flush(stdout, err);
}
