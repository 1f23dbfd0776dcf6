/* firn feed tree, compact, retain: a feed's folders and what is kept in them. One feed that fails does not stop the others. */
#include "cmd_feed.h"

#include "base/time.h"
#include "export/history.h"
#include "export/lock.h"
#include "export/retain.h"
#include "export/tree.h"
#include "maintain/maintain.h"

#include <inttypes.h>

enum { LOCK_WAIT_MS = 5000 };

typedef struct feeds_run {
    firn_cli *cli;
    firn_lake *lake;
    firn_session *session;
    firn_report *report;
    int64_t now_us;
    bool dry_run;
    firn_rc (*work)(struct feeds_run *run, const firn_export_feed *feed, firn_err *err);
    firn_rc failed; /* of the first that did */
} feeds_run;

static const char *number(const feeds_run *run, int64_t n)
{
    return firn_arena_printf(run->cli->arena, "%" PRId64, n);
}

/* Without names: every feed, archived ones, too, since their rows are still there. */
static firn_rc choose(feeds_run *run, firn_export_listed **out, size_t *n, firn_err *err)
{
    firn_cli *cli = run->cli;
    if (cli->args.len == 0) {
        return firn_export_feed_list(run->lake, cli->arena, out, n, err);
    }
    *n = cli->args.len;
    *out = FIRN_NEW_N(cli->arena, firn_export_listed, *n);
    for (size_t i = 0; i < *n; i++) {
        (*out)[i].name = firn_cli_arg(cli, i);
        FIRN_TRY(
            firn_export_feed_load(run->lake, cli->arena, (*out)[i].name, &(*out)[i].feed, err));
    }
    return FIRN_OK;
}

static firn_rc run_feed(feeds_run *run, const firn_export_listed *listed, firn_err *err)
{
    firn_export_lock lock = {.fd = -1};
    if (listed->broken != NULL) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s", listed->broken);
    }
    FIRN_TRY(firn_export_lock_take(run->lake, listed->name, LOCK_WAIT_MS, &lock, err));
    firn_rc rc = run->work(run, &listed->feed, err);
    firn_export_lock_drop(&lock);
    return rc;
}

static firn_rc run_feeds(feeds_run *run, const firn_report_column *columns, size_t n_columns,
                         firn_err *err)
{
    firn_cli *cli = run->cli;
    firn_engine *engine = NULL;
    firn_export_listed *feeds = NULL;
    size_t n = 0;
    FIRN_TRY(firn_cli_lake(cli, &run->lake, err));
    FIRN_TRY(choose(run, &feeds, &n, err));
    FIRN_TRY(firn_cli_engine(cli, &engine, err));
    FIRN_TRY(firn_session_new(engine, NULL, &run->session, err));
    run->report = firn_report_new(cli->arena, columns, n_columns);
    run->now_us = firn_now_us();
    for (size_t i = 0; i < n; i++) {
        firn_err own = {0};
        firn_rc rc = run_feed(run, &feeds[i], &own);
        bool named = cli->args.len > 0;
        if (rc == FIRN_E_NO_TABLE && !named) { /* never exported: nothing to do */
            continue;
        }
        if (rc != FIRN_OK) {
            fflush(stdout);
            fprintf(stderr, "error: feed %s: %s\n", feeds[i].name, own.message);
            run->failed = run->failed == FIRN_OK ? rc : run->failed;
        }
    }
    firn_session_free(run->session);
    FIRN_TRY(firn_report_print(run->report, stdout, cli->format, cli->quiet ? NULL : "feed", err));
    cli->said_enough = run->failed != FIRN_OK;
    return run->failed;
}

/* ---- tree ---------------------------------------------------------------------------------------------- */

static const firn_report_column TREE_COLUMNS[] = {
    {"feed", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    {"folder", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    {"added", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"removed", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"kept", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"copied", FIRN_COLUMN_INTEGER, FIRN_SHOWN_TO_PROGRAMS},
    {"rewritten", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"partitions", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"rows", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"size", FIRN_COLUMN_INTEGER, FIRN_SHOWN_TO_PEOPLE},
    {"bytes", FIRN_COLUMN_INTEGER, FIRN_SHOWN_TO_PROGRAMS},
};

static firn_rc tree_of(feeds_run *run, const firn_export_feed *feed, firn_err *err)
{
    firn_arena *arena = run->cli->arena;
    firn_tree_result tree;
    FIRN_TRY(firn_tree_sync(run->session, feed, run->now_us, NULL, &tree, err));
    const char *cells[] = {
        feed->name,
        firn_cli_in_lake(run->cli, run->lake, firn_export_folder(run->lake, arena, feed)),
        number(run, tree.added),
        number(run, tree.removed),
        number(run, tree.kept),
        number(run, tree.copied),
        number(run, tree.rewritten),
        number(run, tree.partitions),
        number(run, tree.rows),
        firn_format_bytes(arena, tree.bytes),
        number(run, tree.bytes)};
    firn_report_row(run->report, cells);
    return FIRN_OK;
}

firn_rc firn_cmd_feed_tree(firn_cli *cli, firn_err *err)
{
    feeds_run run = {.cli = cli, .work = tree_of};
    return run_feeds(&run, TREE_COLUMNS, sizeof(TREE_COLUMNS) / sizeof(TREE_COLUMNS[0]), err);
}

/* ---- retain -------------------------------------------------------------------------------------------- */

static const firn_report_column RETAIN_COLUMNS[] = {
    {"feed", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    {"keeps", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    {"partitions", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"rows", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"files", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"freed", FIRN_COLUMN_INTEGER, FIRN_SHOWN_TO_PEOPLE},
    {"bytes", FIRN_COLUMN_INTEGER, FIRN_SHOWN_TO_PROGRAMS},
    {"oldest_kept", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    {"still_in", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    {"done", FIRN_COLUMN_BOOL, FIRN_SHOWN_TO_PROGRAMS},
};

static const char *keeps_text(const feeds_run *run, const firn_export_feed *feed)
{
    if (feed->retention_versions > 0) {
        return firn_arena_printf(run->cli->arena, "%" PRId64 " versions", feed->retention_versions);
    }
    return feed->retention_days > 0
               ? firn_arena_printf(run->cli->arena, "%" PRId64 " days", feed->retention_days)
               : "all";
}

static firn_rc retain_of(feeds_run *run, const firn_export_feed *feed, firn_err *err)
{
    firn_arena *arena = run->cli->arena;
    firn_retain_result gone;
    FIRN_TRY(firn_export_retain(run->session, arena, feed, run->now_us, run->dry_run, &gone, err));
    const char *cells[] = {
        feed->name,
        keeps_text(run, feed),
        number(run, gone.partitions),
        number(run, gone.rows),
        number(run, gone.files),
        firn_format_bytes(arena, gone.bytes),
        number(run, gone.bytes),
        gone.oldest_kept,
        gone.n_kept_by > 0 ? firn_str_join(arena, gone.kept_by, gone.n_kept_by, "; ") : NULL,
        run->dry_run || gone.n_kept_by > 0 ? "false" : "true"};
    firn_report_row(run->report, cells);
    if (!run->dry_run && gone.partitions > 0) {
        firn_export_log(run->lake, run->now_us, FIRN_EXPORT_INFO,
                        "%s: retention (%s): %" PRId64 " rows of %" PRId64
                        " partitions erased, %" PRId64 " files, %" PRId64 " bytes%s%s",
                        feed->name, keeps_text(run, feed), gone.rows, gone.partitions, gone.files,
                        gone.bytes, gone.n_kept_by > 0 ? "; still in: " : "",
                        gone.n_kept_by > 0 ? gone.kept_by[0] : "");
    }
    return FIRN_OK;
}

firn_rc firn_cmd_feed_retain(firn_cli *cli, firn_err *err)
{
    feeds_run run = {.cli = cli, .work = retain_of, .dry_run = firn_cli_switch(cli, "dry-run")};
    FIRN_TRY(
        run_feeds(&run, RETAIN_COLUMNS, sizeof(RETAIN_COLUMNS) / sizeof(RETAIN_COLUMNS[0]), err));
    if (run.dry_run) {
        firn_cli_say(cli, "a dry run: nothing was changed");
    }
    return FIRN_OK;
}

/* ---- compact ------------------------------------------------------------------------------------------- */

static const firn_report_column COMPACT_COLUMNS[] = {
    {"feed", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    {"partitions", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"files_before", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"files_after", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"rows", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"before", FIRN_COLUMN_INTEGER, FIRN_SHOWN_TO_PEOPLE},
    {"after", FIRN_COLUMN_INTEGER, FIRN_SHOWN_TO_PEOPLE},
    {"bytes_before", FIRN_COLUMN_INTEGER, FIRN_SHOWN_TO_PROGRAMS},
    {"bytes_after", FIRN_COLUMN_INTEGER, FIRN_SHOWN_TO_PROGRAMS},
};

static firn_rc compact_table(feeds_run *run, const firn_export_feed *feed,
                             firn_compact_result *compacted, firn_err *err)
{
    firn_arena *arena = run->cli->arena;
    firn_ident ident;
    firn_tree_result tree;
    FIRN_TRY(firn_cli_ident(run->cli, feed->table, &ident, err));
    FIRN_TRY(firn_session_set_ref(run->session, feed->ref, err));
    const firn_compact_options options = {.ident = ident, .dry_run = run->dry_run};
    FIRN_TRY(firn_maintain_compact(run->session, arena, &options, compacted, err));
    /* Also when there was nothing to do: one that was killed may have left the folders behind. */
    return run->dry_run ? FIRN_OK
                        : firn_tree_sync(run->session, feed, run->now_us, NULL, &tree, err);
}

static firn_rc compact_of(feeds_run *run, const firn_export_feed *feed, firn_err *err)
{
    firn_arena *arena = run->cli->arena;
    firn_compact_result c = {0};
    FIRN_TRY(compact_table(run, feed, &c, err));
    const char *cells[] = {feed->name,
                           number(run, c.partitions),
                           number(run, c.files_before),
                           number(run, c.files_after),
                           number(run, c.rows),
                           firn_format_bytes(arena, c.bytes_before),
                           firn_format_bytes(arena, c.bytes_after),
                           number(run, c.bytes_before),
                           number(run, c.bytes_after)};
    firn_report_row(run->report, cells);
    return FIRN_OK;
}

firn_rc firn_cmd_feed_compact(firn_cli *cli, firn_err *err)
{
    feeds_run run = {.cli = cli, .work = compact_of, .dry_run = firn_cli_switch(cli, "dry-run")};
    return run_feeds(&run, COMPACT_COLUMNS, sizeof(COMPACT_COLUMNS) / sizeof(COMPACT_COLUMNS[0]),
                     err);
}
