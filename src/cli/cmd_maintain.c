/* firn maintain compact, expire: tables kept small and fast. One table's failure does not keep the others from their turn. */
#include "cmd_table.h"

#include "watch.h"

#include "base/time.h"
#include "maintain/maintain.h"

#include <inttypes.h>

/* ---- tables, one after the other --------------------------------------------------------------------- */

typedef struct maintenance {
    firn_cli *cli;
    firn_session *session;
    firn_report *report;
    bool dry_run;
    firn_rc (*one)(struct maintenance *m, firn_ident ident, const char *name, firn_err *err);
    firn_compact_options compact;
    firn_expire_options expire;
    size_t n_failed, n_rows;
    int64_t files; /* that were rewritten or deleted */
} maintenance;

static firn_rc named_tables(firn_cli *cli, firn_ident **out, size_t *n, firn_err *err)
{
    firn_lake *lake = NULL;
    firn_catalog_entry *entries = NULL;
    if (firn_cli_switch(cli, "all")) {
        if (cli->args.len > 0) {
            return firn_cli_usage(cli, err, "--all means every table: name none, or leave it out");
        }
        FIRN_TRY(firn_cli_lake(cli, &lake, err));
        FIRN_TRY(firn_catalog_list(firn_lake_catalog(lake), cli->arena, firn_cli_ref(cli),
                                   FIRN_KIND_TABLE, NULL, &entries, n, err));
        *out = FIRN_NEW_N(cli->arena, firn_ident, *n);
        for (size_t i = 0; i < *n; i++) {
            (*out)[i] = entries[i].ident;
        }
        return FIRN_OK;
    }
    if (cli->args.len == 0) {
        return firn_cli_usage(cli, err, "name a table, or say --all");
    }
    *n = cli->args.len;
    *out = FIRN_NEW_N(cli->arena, firn_ident, *n);
    for (size_t i = 0; i < *n; i++) {
        FIRN_TRY(firn_cli_ident(cli, firn_cli_arg(cli, i), &(*out)[i], err));
    }
    return FIRN_OK;
}

/* The first error is the command's; with several tables each is told when it happens. */
static firn_rc each_table(maintenance *m, const firn_ident *tables, size_t n, firn_err *err)
{
    firn_rc rc = FIRN_OK;
    for (size_t i = 0; i < n; i++) {
        firn_err own = {0};
        const char *name = firn_ident_text(m->cli->arena, tables[i]);
        firn_rc one = m->one(m, tables[i], name, &own);
        if (one == FIRN_OK) {
            continue;
        }
        m->n_failed++;
        if (n > 1) {
            fprintf(stderr, "%s: %s\n", name, own.message);
        }
        if (rc == FIRN_OK && err != NULL) {
            *err = own;
        }
        rc = rc == FIRN_OK ? one : rc;
        if (one == FIRN_E_CANCELLED) {
            break;
        }
    }
    if (rc != FIRN_OK && n > 1) {
        FIRN_FAIL(err, rc, "%zu of %zu tables failed; the others are done", m->n_failed, n);
    }
    return rc;
}

static firn_rc run(maintenance *m, firn_err *err)
{
    firn_engine *engine = NULL;
    firn_ident *tables = NULL;
    size_t n = 0;
    FIRN_TRY(named_tables(m->cli, &tables, &n, err));
    FIRN_TRY(firn_cli_engine(m->cli, &engine, err));
    FIRN_TRY(firn_session_new(engine, firn_cli_ref(m->cli), &m->session, err));
    firn_watch *watch = firn_watch_new(false);
    firn_watch_begin(watch, m->session);
    firn_rc rc = each_table(m, tables, n, err);
    firn_watch_end(watch);
    firn_watch_free(watch);
    firn_session_free(m->session);
    return rc;
}

/* What was done is told, be there an error or not. */
static firn_rc print(maintenance *m, firn_rc rc, firn_err *err)
{
    if (rc != FIRN_OK && m->n_rows == 0) {
        return rc;
    }
    firn_err own = {0};
    firn_rc printed =
        firn_report_print(m->report, stdout, m->cli->format, NULL, rc == FIRN_OK ? err : &own);
    bool to_people = m->cli->format == FIRN_FORMAT_TABLE;
    if (rc == FIRN_OK && printed == FIRN_OK && m->dry_run && to_people) {
        firn_cli_say(m->cli, "nothing was changed (--dry-run)");
    }
    return rc != FIRN_OK ? rc : printed;
}

static firn_rc size_option(firn_cli *cli, const char *name, int64_t *out, firn_err *err)
{
    const char *text = firn_cli_option(cli, name);
    if (text != NULL && (!firn_parse_size(text, out) || *out <= 0)) {
        return firn_cli_usage(cli, err, "--%s takes a size like 128MB, not \"%s\"", name, text);
    }
    return FIRN_OK;
}

/* ---- compact ------------------------------------------------------------------------------------------ */

static void show_progress(void *ctx, const firn_compact_progress *progress)
{
    const firn_cli *cli = ctx;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    if (!cli->quiet && firn_term_is(stderr)) {
        fprintf(stderr, "\r\033[K  %s of %s files, %s of %s",
                firn_format_count(arena, progress->files_done),
                firn_format_count(arena, progress->files_total),
                firn_format_bytes(arena, progress->bytes_done),
                firn_format_bytes(arena, progress->bytes_total));
        fflush(stderr);
    }
}

static void end_progress(const firn_cli *cli)
{
    if (!cli->quiet && firn_term_is(stderr)) {
        fprintf(stderr, "\r\033[K");
    }
}

static firn_rc compact_one(maintenance *m, firn_ident ident, const char *name, firn_err *err)
{
    firn_arena *arena = m->cli->arena;
    firn_compact_result r;
    m->compact.ident = ident;
    firn_rc rc = firn_maintain_compact(m->session, arena, &m->compact, &r, err);
    end_progress(m->cli);
    FIRN_TRY(rc);
    const char *cells[] = {name,
                           firn_cli_i64(arena, r.files_before),
                           firn_cli_i64(arena, r.files_after),
                           firn_cli_i64(arena, r.bytes_before),
                           firn_cli_i64(arena, r.bytes_after),
                           firn_format_bytes(arena, r.bytes_before),
                           m->dry_run ? NULL : firn_format_bytes(arena, r.bytes_after),
                           firn_cli_i64(arena, r.rows),
                           firn_cli_i64(arena, r.deletes_applied),
                           firn_cli_i64(arena, r.partitions),
                           firn_cli_i64(arena, r.commits),
                           firn_cli_i64(arena, r.given_up)};
    firn_report_row(m->report, cells);
    m->n_rows++;
    m->files += r.files_before;
    if (r.given_up > 0) {
        FIRN_FAIL(err, FIRN_E_CONFLICT,
                  "%" PRId64 " partition%s of %s changed each time while being compacted (%s): try "
                  "again when there are fewer deletes",
                  r.given_up, r.given_up == 1 ? "" : "s", name, r.given_up_why);
    }
    return FIRN_OK;
}

firn_rc firn_cmd_maintain_compact(firn_cli *cli, firn_err *err)
{
    static const firn_report_column COLUMNS[] = {
        {"table", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"files_before", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"files_after", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"bytes_before", FIRN_COLUMN_INTEGER, FIRN_SHOWN_TO_PROGRAMS},
        {"bytes_after", FIRN_COLUMN_INTEGER, FIRN_SHOWN_TO_PROGRAMS},
        {"size_before", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PEOPLE},
        {"size_after", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PEOPLE},
        {"rows", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"deleted_rows", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"partitions", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"commits", FIRN_COLUMN_INTEGER, FIRN_SHOWN_TO_PROGRAMS},
        {"given_up", FIRN_COLUMN_INTEGER, FIRN_SHOWN_TO_PROGRAMS},
    };
    maintenance m = {.cli = cli,
                     .report =
                         firn_report_new(cli->arena, COLUMNS, sizeof(COLUMNS) / sizeof(COLUMNS[0])),
                     .dry_run = firn_cli_switch(cli, "dry-run"),
                     .one = compact_one};
    m.compact = (firn_compact_options){.where = firn_cli_option(cli, "where"),
                                       .dry_run = m.dry_run,
                                       .on_progress = show_progress,
                                       .ctx = cli};
    FIRN_TRY(size_option(cli, "target", &m.compact.target_bytes, err));
    FIRN_TRY(size_option(cli, "small", &m.compact.small_bytes, err));
    FIRN_TRY(firn_cli_number(cli, "min-files", 1, 0, &m.compact.min_files, err));
    FIRN_TRY(print(&m, run(&m, err), err));
    if (!m.dry_run && m.files > 0 && cli->format == FIRN_FORMAT_TABLE) {
        firn_cli_say(cli,
                     "the old files stay for readers of old snapshots until `%s maintain "
                     "expire`",
                     cli->program);
    }
    return FIRN_OK;
}

/* ---- expire ------------------------------------------------------------------------------------------- */

static firn_rc expire_one(maintenance *m, firn_ident ident, const char *name, firn_err *err)
{
    firn_arena *arena = m->cli->arena;
    firn_expire_result r;
    firn_table table;
    m->expire.ident = ident;
    FIRN_TRY(firn_maintain_expire(m->session, arena, &m->expire, &r, err));
    FIRN_TRY(firn_catalog_table_load(firn_lake_catalog(m->cli->lake), arena, firn_cli_ref(m->cli),
                                     ident, &table, err));
    int64_t left = (int64_t)table.metadata->n_snapshots - (m->dry_run ? r.snapshots : 0);
    const char *kept_by = firn_str_join(arena, r.kept_by, r.n_kept_by, "; ");
    const char *cells[] = {name,
                           firn_cli_i64(arena, r.snapshots),
                           firn_cli_i64(arena, left),
                           firn_cli_i64(arena, r.files),
                           firn_cli_i64(arena, r.bytes),
                           firn_format_bytes(arena, r.bytes),
                           r.n_kept_by > 0 ? kept_by : NULL};
    firn_report_row(m->report, cells);
    m->n_rows++;
    m->files += r.files;
    return FIRN_OK;
}

static firn_rc expire_age(firn_cli *cli, int64_t *older_than_us, firn_err *err)
{
    int64_t ms = 0;
    const char *text = firn_cli_option(cli, "older-than");
    if (text == NULL) {
        return FIRN_OK;
    }
    if (!firn_parse_duration(text, &ms) || ms < 0) {
        return firn_cli_usage(cli, err, "--older-than takes a time like 7d or 12h, not \"%s\"",
                              text);
    }
    *older_than_us = firn_now_us() - ms * 1000;
    return FIRN_OK;
}

firn_rc firn_cmd_maintain_expire(firn_cli *cli, firn_err *err)
{
    static const firn_report_column COLUMNS[] = {
        {"table", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"snapshots", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"left", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"files", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"bytes", FIRN_COLUMN_INTEGER, FIRN_SHOWN_TO_PROGRAMS},
        {"freed", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PEOPLE},
        {"kept_by", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    };
    maintenance m = {.cli = cli,
                     .report =
                         firn_report_new(cli->arena, COLUMNS, sizeof(COLUMNS) / sizeof(COLUMNS[0])),
                     .dry_run = firn_cli_switch(cli, "dry-run"),
                     .one = expire_one};
    m.expire.dry_run = m.dry_run;
    FIRN_TRY(expire_age(cli, &m.expire.older_than_us, err));
    FIRN_TRY(firn_cli_number(cli, "keep", 1, 0, &m.expire.keep_last, err));
    return print(&m, run(&m, err), err);
}
