/* firn report on a screen: see report_view.h. Everything fits 100 columns. */
#include "report_view.h"

#include "grid.h"

#include "base/time.h"

#include <inttypes.h>
#include <stdlib.h>

enum { NAME_WIDTH = 32, BAR_WIDTH = 12, N_HEALTHS = FIRN_HEALTH_OFF + 1 };

/* ---- cells --------------------------------------------------------------------------------------------- */

static const char *name_of(const firn_report_view *view, const firn_report_feed *feed)
{
    return firn_text_cut(view->cli->arena, feed->name, NAME_WIDTH);
}

static const char *count(const firn_report_view *view, int64_t n)
{
    return firn_format_count(view->cli->arena, n);
}

static const char *size(const firn_report_view *view, double bytes)
{
    return firn_format_bytes(view->cli->arena, (int64_t)bytes);
}

static const char *percent(const firn_report_view *view, double ratio)
{
    return ratio < 0 ? NULL
                     : firn_arena_printf(view->cli->arena, "%.*f%%", ratio < 0.095, 100 * ratio);
}

/* "365 days", "v6..v12", "2 folders" */
static const char *kept(const firn_report_view *view, const firn_report_feed *feed)
{
    firn_arena *arena = view->cli->arena;
    if (feed->n_parts == 0) {
        return NULL;
    }
    if (feed->versions > 0) {
        const char *first = strrchr(feed->parts[0].path, '=') + 1;
        return feed->versions == 1
                   ? first
                   : firn_arena_printf(arena, "%s..v%" PRId64, first, feed->newest_version);
    }
    static const char *const UNITS[] = {"", "year", "month", "day", "hour"};
    bool dated = feed->feed != NULL && feed->feed->partitioning == FIRN_EXPORT_BY_DATE &&
                 feed->feed->n_columns < sizeof(UNITS) / sizeof(UNITS[0]);
    const char *unit = dated ? UNITS[feed->feed->n_columns] : "part";
    return firn_arena_printf(arena, "%" PRId64 " %s%s", feed->partitions, unit,
                             feed->partitions == 1 ? "" : "s");
}

static const char *colour_of(firn_feed_health health)
{
    switch (health) {
    case FIRN_HEALTH_OK: return firn_term_green(stdout);
    case FIRN_HEALTH_FAILING:
    case FIRN_HEALTH_BROKEN: return firn_term_red(stdout);
    case FIRN_HEALTH_STALE:
    case FIRN_HEALTH_ALERT:
    case FIRN_HEALTH_NEVER: return firn_term_yellow(stdout);
    case FIRN_HEALTH_OFF: return firn_term_dim(stdout);
    }
    return "";
}

/* ---- one feed ------------------------------------------------------------------------------------------ */

static void add_due(const firn_report_view *view, firn_grid *grid, const firn_report_feed *feed)
{
    firn_arena *arena = view->cli->arena;
    if (feed->due_partitions <= 0 && feed->due_rows <= 0) {
        return;
    }
    const char *limit =
        feed->feed->retention_days > 0
            ? firn_arena_printf(arena, "older than %" PRId64 " days", feed->feed->retention_days)
            : firn_arena_printf(arena, "beyond the newest %" PRId64,
                                feed->feed->retention_versions);
    const char *what = feed->feed->retention_days > 0 ? "day" : "version";
    const char *rows = feed->due_rows > 0
                           ? firn_arena_printf(arena, ", %s rows", count(view, feed->due_rows))
                           : "";
    /* Retention is done by exports. */
    const char *off =
        feed->health == FIRN_HEALTH_OFF ? "; it stays, for this feed is not exported" : "";
    firn_grid_note(grid, 1,
                   firn_arena_printf(arena, "retention due: %" PRId64 " %s%s %s%s%s",
                                     feed->due_partitions, what,
                                     feed->due_partitions == 1 ? "" : "s", limit, rows, off),
                   firn_term_dim(stdout));
}

static void add_notes(const firn_report_view *view, firn_grid *grid, const firn_report_feed *feed)
{
    const char *colour = colour_of(feed->health);
    bool by_alert = feed->health == FIRN_HEALTH_ALERT;
    if (feed->why != NULL && feed->health != FIRN_HEALTH_OFF && !by_alert) {
        firn_grid_note(grid, 1, feed->why, colour);
    }
    for (size_t i = 0; i < feed->n_alerts; i++) {
        const firn_quality_alert *alert = &feed->alerts[i];
        if (feed->health != FIRN_HEALTH_STALE || !firn_streq(alert->rule, "stale_after")) {
            firn_grid_note(grid, 1,
                           firn_arena_printf(view->cli->arena, "%s: %s", alert->rule, alert->text),
                           firn_term_yellow(stdout));
        }
    }
    add_due(view, grid, feed);
}

static void add_feed(const firn_report_view *view, firn_grid *grid, const firn_report_feed *feed)
{
    bool has = feed->rows > 0 || feed->bytes > 0;
    const char *cells[] = {
        name_of(view, feed),
        has ? count(view, feed->rows) : NULL,
        has ? size(view, (double)feed->bytes) : NULL,
        percent(view, feed->ratio),
        kept(view, feed),
        feed->last_export_us > 0 ? firn_cli_ago(view->cli->arena, feed->last_export_us) : NULL,
        feed->health == FIRN_HEALTH_OFF ? feed->why : firn_feed_health_name(feed->health),
    };
    firn_grid_row(grid, cells, colour_of(feed->health));
    add_notes(view, grid, feed);
}

/* ---- totals -------------------------------------------------------------------------------------------- */

typedef struct totals {
    size_t streams, tables, of[N_HEALTHS];
    int64_t rows, bytes, files, partitions;
    double json_bytes, known_bytes; /* of feeds whose ratio is known */
} totals;

static totals add_up(const firn_report_view *view)
{
    totals t = {0};
    for (size_t i = 0; i < view->n; i++) {
        const firn_report_feed *feed = &view->feeds[i];
        t.streams += feed->feed != NULL && feed->feed->kind == FIRN_EXPORT_STREAM;
        t.tables += feed->feed != NULL && feed->feed->kind == FIRN_EXPORT_TABLE;
        t.of[feed->health]++;
        t.rows += feed->rows;
        t.bytes += feed->bytes;
        t.files += feed->files;
        t.partitions += feed->partitions;
        if (feed->json_bytes > 0) {
            t.json_bytes += (double)feed->json_bytes;
            t.known_bytes += (double)feed->bytes;
        }
    }
    return t;
}

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

static void write_totals(const firn_report_view *view, const totals *t, firn_buf *out)
{
    firn_buf_printf(out, "\n %zu feed%s (%zu stream%s, %zu table%s): ", view->n, plural(view->n),
                    t->streams, plural(t->streams), t->tables, plural(t->tables));
    const char *comma = "";
    for (int i = 0; i < N_HEALTHS; i++) {
        if (t->of[i] > 0) {
            firn_buf_printf(out, "%s%zu %s", comma, t->of[i],
                            firn_feed_health_name((firn_feed_health)i));
            comma = ", ";
        }
    }
    firn_buf_printf(out, "\n %s records, %s in %s file%s", count(view, t->rows),
                    size(view, (double)t->bytes), count(view, t->files), plural((size_t)t->files));
    if (t->json_bytes > 0) {
        firn_buf_printf(out, "; %s of the %s that they were as JSON",
                        percent(view, t->known_bytes / t->json_bytes), size(view, t->json_bytes));
    }
    firn_buf_puts(out, "\n");
}

/* ---- what to do ---------------------------------------------------------------------------------------- */

/* The names of feeds in that health, as many as fit a line. */
static const char *names_in(const firn_report_view *view, firn_feed_health health)
{
    enum { ROOM = 50 };
    firn_arena *arena = view->cli->arena;
    const char *text = "";
    for (size_t i = 0; i < view->n; i++) {
        if (view->feeds[i].health != health) {
            continue;
        }
        if (strlen(text) > ROOM) {
            return firn_arena_printf(arena, "%s ...", text);
        }
        text = firn_arena_printf(arena, "%s%s%s", text, text[0] != '\0' ? " " : "",
                                 view->feeds[i].name);
    }
    return text;
}

static void advise(const firn_report_view *view, firn_buf *out, const char *command,
                   const char *about)
{
    firn_buf_printf(out, "  %s %s\n      %s%s%s\n", view->cli->program, command,
                    firn_term_dim(stdout), about, firn_term_plain(stdout));
}

static void write_advice(const firn_report_view *view, const totals *t, firn_buf *out)
{
    firn_arena *arena = view->cli->arena;
    firn_civil now;
    firn_civil_from_us(view->now_us, &now);
    if (view->cli->quiet || (t->of[FIRN_HEALTH_OK] + t->of[FIRN_HEALTH_OFF] == view->n)) {
        return;
    }
    firn_buf_puts(out, "\nNext:\n");
    if (t->of[FIRN_HEALTH_FAILING] > 0) {
        advise(view, out,
               firn_arena_printf(arena, "export %s", names_in(view, FIRN_HEALTH_FAILING)),
               firn_arena_printf(arena,
                                 "again, when what is said above is put right; the log is "
                                 "logs/export_%04d_%02d.log",
                                 now.year, now.month));
    }
    if (t->of[FIRN_HEALTH_NEVER] > 0) {
        advise(view, out, firn_arena_printf(arena, "export %s", names_in(view, FIRN_HEALTH_NEVER)),
               "for the first time");
    }
    if (t->of[FIRN_HEALTH_STALE] > 0) {
        advise(view, out, "schedule list",
               firn_arena_printf(arena, "what should export %s, and did not?",
                                 names_in(view, FIRN_HEALTH_STALE)));
    }
    if (t->of[FIRN_HEALTH_ALERT] > 0) {
        advise(view, out,
               firn_arena_printf(arena, "feed show %s", names_in(view, FIRN_HEALTH_ALERT)),
               "its quality rules; the rows are in the table all the same");
    }
    if (t->of[FIRN_HEALTH_BROKEN] > 0) {
        advise(view, out, "help --export-feeds", "what may stand in a feed's file");
    }
}

void firn_report_view_feeds(const firn_report_view *view, firn_buf *out)
{
    static const firn_grid_column COLUMNS[] = {
        {"feed", false}, {"records", true},      {"size", true},   {"JSON", true},
        {"kept", false}, {"last export", false}, {"health", false}};
    firn_grid *grid =
        firn_grid_new(view->cli->arena, COLUMNS, sizeof(COLUMNS) / sizeof(COLUMNS[0]));
    for (size_t i = 0; i < view->n; i++) {
        add_feed(view, grid, &view->feeds[i]);
    }
    firn_grid_write(grid, stdout, out);
    const totals t = add_up(view);
    write_totals(view, &t, out);
    write_advice(view, &t, out);
}

/* ---- statistics ---------------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    const firn_report_feed *const *x = a;
    const firn_report_feed *const *y = b;
    return ((*x)->bytes < (*y)->bytes) - ((*x)->bytes > (*y)->bytes);
}

static const char *share(const firn_report_view *view, const totals *t,
                         const firn_report_feed *feed)
{
    FIRN_AUTO_BUF firn_buf bar = {0};
    double part = t->bytes > 0 ? (double)feed->bytes / (double)t->bytes : 0;
    for (int i = 0; i < BAR_WIDTH; i++) {
        firn_buf_puts(&bar, i < (int)(part * BAR_WIDTH + 0.5) ? "█" : "░");
    }
    return firn_arena_printf(view->cli->arena, "%s %3.0f%%", firn_buf_cstr(&bar), 100 * part);
}

static const char *per_day(const firn_report_view *view, double n)
{
    return firn_arena_printf(view->cli->arena, "%s%s", n >= 0.5 ? "+" : "",
                             count(view, (int64_t)(n < 0 ? n - 0.5 : n + 0.5)));
}

static void add_stats(const firn_report_view *view, firn_grid *grid, const totals *t,
                      const firn_report_feed *feed)
{
    const firn_report_growth g = firn_export_growth(feed, view->now_us);
    bool parts = feed->n_parts > 0;
    const char *cells[] = {
        name_of(view, feed),
        share(view, t, feed),
        g.known ? per_day(view, g.rows_per_day) : NULL,
        g.known ? size(view, g.bytes_per_day) : NULL,
        parts ? firn_arena_printf(view->cli->arena, "%s / %s / %s", count(view, g.part_rows_min),
                                  count(view, g.part_rows_median), count(view, g.part_rows_max))
              : NULL,
        g.seconds >= 0 ? firn_format_duration(view->cli->arena, (int64_t)(g.seconds * 1e6)) : NULL,
    };
    firn_grid_row(grid, cells, NULL);
}

void firn_report_view_stats(const firn_report_view *view, firn_buf *out)
{
    static const firn_grid_column COLUMNS[] = {{"feed", false},         {"share of bytes", false},
                                               {"rows/day", true},      {"size/day", true},
                                               {"rows per part", true}, {"export", true}};
    const totals t = add_up(view);
    firn_grid *grid =
        firn_grid_new(view->cli->arena, COLUMNS, sizeof(COLUMNS) / sizeof(COLUMNS[0]));
    const firn_report_feed **sorted =
        FIRN_NEW_N(view->cli->arena, const firn_report_feed *, view->n);
    for (size_t i = 0; i < view->n; i++) {
        sorted[i] = &view->feeds[i];
    }
    qsort(sorted, view->n, sizeof(*sorted), by_size);
    for (size_t i = 0; i < view->n; i++) {
        add_stats(view, grid, &t, sorted[i]);
    }
    firn_grid_write(grid, stdout, out);
    write_totals(view, &t, out);
    if (!view->cli->quiet) {
        firn_buf_printf(
            out,
            "%s Per day: over the exports of the last %d days. Rows per part: least / median / "
            "most. Export: the usual time.%s\n",
            firn_term_dim(stdout), FIRN_REPORT_GROWTH_DAYS, firn_term_plain(stdout));
    }
}
