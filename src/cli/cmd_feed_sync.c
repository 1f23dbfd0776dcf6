/* firn feed sync: feeds for the streams and tables of a ksqlDB server that have none. */
#include "cmd_feed.h"

#include "base/time.h"
#include "export/connect.h"
#include "export/sync.h"
#include "ingest/feed.h"

typedef struct syncing {
    firn_cli *cli;
    firn_lake *lake;
    firn_sync_row *rows;
    size_t n;
    const char **errors; /* of rows that could not be added; NULL: none */
    bool dry_run;
} syncing;

/* ---- asking ------------------------------------------------------------------------------------------ */

static firn_rc list_objects(firn_cli *cli, firn_lake *lake, const char *server,
                            firn_ksqldb_object **out, size_t *n, firn_err *err)
{
    firn_ksqldb *ksqldb = NULL;
    FIRN_TRY(firn_export_ksqldb_open(lake, server, &ksqldb, err));
    firn_rc rc = firn_ksqldb_list(ksqldb, cli->arena, out, n, err);
    firn_ksqldb_close(ksqldb);
    return rc;
}

static bool is_only_server(const firn_config *config)
{
    size_t n = 0;
    for (size_t i = 0; i < config->n_sources; i++) {
        n += config->sources[i].kind == FIRN_SOURCE_KSQLDB;
    }
    return n == 1;
}

static firn_rc plan(syncing *s, firn_err *err)
{
    firn_cli *cli = s->cli;
    firn_ksqldb_object *objects = NULL;
    firn_export_listed *feeds = NULL;
    const firn_source_config *source = NULL;
    char **taken = NULL;
    const char *server = firn_cli_option(cli, "server");
    firn_sync_input input = {.names = cli->args.items,
                             .n_names = cli->args.len,
                             .only_server = is_only_server(firn_lake_config(s->lake)),
                             .now_us = firn_now_us()};
    FIRN_TRY(firn_source_config_find(firn_lake_config(s->lake), FIRN_SOURCE_KSQLDB, server, &source,
                                     err));
    FIRN_TRY(list_objects(cli, s->lake, server, &objects, &input.n_objects, err));
    FIRN_TRY(firn_export_feed_list(s->lake, cli->arena, &feeds, &input.n_feeds, err));
    FIRN_TRY(firn_feed_names(s->lake, cli->arena, &taken, &input.n_taken, err));
    input.objects = objects;
    input.feeds = feeds;
    input.server = source->name;
    input.taken = (const char *const *)taken;
    return firn_export_sync_plan(cli->arena, &input, &s->rows, &s->n, err);
}

/* ---- adding ------------------------------------------------------------------------------------------ */

/* One that cannot be added does not stop the others. */
static size_t add_all(syncing *s)
{
    size_t failed = 0;
    for (size_t i = 0; i < s->n && !s->dry_run; i++) {
        firn_export_feed feed;
        firn_err err = {0};
        if (s->rows[i].state == FIRN_SYNC_NEW &&
            firn_export_feed_add(s->lake, s->cli->arena, s->rows[i].feed, s->rows[i].json, &feed,
                                 &err) != FIRN_OK) {
            s->errors[i] = firn_arena_strdup(s->cli->arena, err.message);
            failed++;
        }
    }
    return failed;
}

/* ---- telling ----------------------------------------------------------------------------------------- */

static const char *state_text(const syncing *s, size_t i)
{
    switch (s->rows[i].state) {
    case FIRN_SYNC_NEW: return s->errors[i] != NULL ? "failed" : s->dry_run ? "to add" : "added";
    case FIRN_SYNC_HAS_FEED: return s->rows[i].archived ? "archived" : "has a feed";
    case FIRN_SYNC_LEFT_OUT: return "left out";
    case FIRN_SYNC_GONE: return "gone";
    }
    return "";
}

static const char *note_of(const syncing *s, size_t i)
{
    const firn_sync_row *row = &s->rows[i];
    const char *mode = json_string_value(json_object_get(row->json, "storage_mode"));
    const json_t *days = json_object_get(row->json, "retention_days");
    const json_t *versions = json_object_get(row->json, "retention_versions");
    const json_t *kept = days != NULL ? days : versions;
    if (s->errors[i] != NULL || row->state != FIRN_SYNC_NEW) {
        return s->errors[i] != NULL ? s->errors[i] : row->why;
    }
    return firn_arena_printf(s->cli->arena, "%s, %" JSON_INTEGER_FORMAT " %s kept", mode,
                             json_integer_value(kept), days != NULL ? "days" : "versions");
}

static firn_rc print_rows(const syncing *s, firn_err *err)
{
    static const firn_report_column COLUMNS[] = {
        {"source", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"type", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"topic", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PROGRAMS},
        {"feed", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"state", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"note", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    };
    firn_report *report =
        firn_report_new(s->cli->arena, COLUMNS, sizeof(COLUMNS) / sizeof(COLUMNS[0]));
    for (size_t i = 0; i < s->n; i++) {
        const firn_sync_row *row = &s->rows[i];
        const char *cells[] = {row->source,      firn_export_kind_name(row->kind),
                               row->topic,       row->feed,
                               state_text(s, i), note_of(s, i)};
        firn_report_row(report, cells);
    }
    return firn_report_print(report, stdout, s->cli->format, NULL, err);
}

static void print_summary(const syncing *s)
{
    size_t n[FIRN_SYNC_GONE + 1] = {0};
    for (size_t i = 0; i < s->n; i++) {
        n[s->rows[i].state] += s->errors[i] == NULL;
    }
    size_t added = n[FIRN_SYNC_NEW];
    firn_cli_say(s->cli, "%zu feed%s %s, %zu there already, %zu gone from the server%s%s%s", added,
                 added == 1 ? "" : "s", s->dry_run ? "would be added" : "added",
                 n[FIRN_SYNC_HAS_FEED], n[FIRN_SYNC_GONE],
                 added > 0 && !s->dry_run ? ". Next: " : "",
                 added > 0 && !s->dry_run ? s->cli->program : "",
                 added > 0 && !s->dry_run ? " export --all" : "");
}

firn_rc firn_cmd_feed_sync(firn_cli *cli, firn_err *err)
{
    syncing s = {.cli = cli, .dry_run = firn_cli_switch(cli, "dry-run")};
    FIRN_TRY(firn_cli_lake(cli, &s.lake, err));
    FIRN_TRY(plan(&s, err));
    s.errors = FIRN_NEW_N(cli->arena, const char *, s.n);
    size_t failed = add_all(&s);
    FIRN_TRY(print_rows(&s, err));
    print_summary(&s);
    if (failed > 0) {
        FIRN_FAIL(err, FIRN_E_INVALID, "%zu feed%s could not be added; the notes above say why",
                  failed, failed == 1 ? "" : "s");
    }
    return FIRN_OK;
}
