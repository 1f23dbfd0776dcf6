/* firn feed list, show: the lake's feeds as their files say, Kafka's (feeds/NAME.yaml) and ksqlDB's (feeds/active/NAME.json). */
#include "cmd_feed.h"

#include "base/io.h"
#include "ingest/feed.h"

static const char *mode_text(const firn_feed *feed)
{
    static const char *const NAMES[] = {"append", "upsert", "debezium"};
    return NAMES[feed->mode];
}

static const char *export_mode_text(const firn_export_feed *feed)
{
    static const char *const NAMES[] = {[FIRN_EXPORT_APPEND] = "append",
                                        [FIRN_EXPORT_OVERWRITE] = "overwrite",
                                        [FIRN_EXPORT_IGNORE] = "ignore"};
    return NAMES[feed->mode];
}

const char *firn_cli_in_lake(firn_cli *cli, firn_lake *lake, const char *path)
{
    const char *root = firn_arena_printf(cli->arena, "%s/", firn_lake_root(lake));
    return firn_starts_with(path, root) ? path + strlen(root) : path;
}

/* ---- list -------------------------------------------------------------------------------------------- */

static const firn_report_column LIST_COLUMNS[] = {
    {"feed", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    {"type", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    {"source", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PROGRAMS},
    {"reads", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PEOPLE},
    {"topics", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PROGRAMS},
    {"ksqldb_source", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PROGRAMS},
    {"format", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PROGRAMS},
    {"mode", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    {"table", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    {"state", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    {"enabled", FIRN_COLUMN_BOOL, FIRN_SHOWN_TO_PROGRAMS},
    {"file", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PROGRAMS},
    {"error", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PROGRAMS},
};

typedef struct listing {
    firn_cli *cli;
    firn_lake *lake;
    firn_report *report;
} listing;

/* The others are shown all the same. */
static void add_broken(const listing *l, const char *name, const char *type, const char *why)
{
    const char *cells[] = {name, type, NULL,     NULL,    NULL, NULL, NULL,
                           NULL, NULL, "broken", "false", NULL, why};
    firn_report_row(l->report, cells);
    if (l->cli->format == FIRN_FORMAT_TABLE) {
        fprintf(stderr, "warning: %s\n", why);
    }
}

static firn_rc add_kafka(const listing *l, firn_err *err)
{
    char **names = NULL;
    size_t n = 0;
    FIRN_TRY(firn_feed_names(l->lake, l->cli->arena, &names, &n, err));
    for (size_t i = 0; i < n; i++) {
        firn_feed feed;
        firn_err why = {0};
        if (firn_feed_load(l->lake, l->cli->arena, names[i], &feed, &why) != FIRN_OK) {
            add_broken(l, names[i], "kafka", firn_arena_strdup(l->cli->arena, why.message));
            continue;
        }
        const char *topics = firn_str_join(l->cli->arena, feed.topics, feed.n_topics, ", ");
        const char *cells[] = {feed.name,
                               "kafka",
                               feed.source,
                               topics,
                               topics,
                               NULL,
                               firn_payload_name(feed.value.payload),
                               mode_text(&feed),
                               feed.table,
                               feed.enabled ? "enabled" : "disabled",
                               feed.enabled ? "true" : "false",
                               firn_cli_in_lake(l->cli, l->lake, feed.path),
                               NULL};
        firn_report_row(l->report, cells);
    }
    return FIRN_OK;
}

static firn_rc add_exports(const listing *l, bool archived_too, firn_err *err)
{
    firn_export_listed *feeds = NULL;
    size_t n = 0;
    FIRN_TRY(firn_export_feed_list(l->lake, l->cli->arena, &feeds, &n, err));
    for (size_t i = 0; i < n; i++) {
        const firn_export_feed *feed = &feeds[i].feed;
        if (feeds[i].archived && !archived_too) {
            continue;
        }
        if (feeds[i].broken != NULL) {
            add_broken(l, feeds[i].name, NULL, feeds[i].broken);
            continue;
        }
        const char *state = feed->archived ? "archived" : feed->enabled ? "enabled" : "disabled";
        const char *cells[] = {feed->name,
                               firn_export_kind_name(feed->kind),
                               feed->server,
                               feed->ksqldb_source,
                               NULL,
                               feed->ksqldb_source,
                               "parquet",
                               export_mode_text(feed),
                               feed->table,
                               state,
                               feed->enabled ? "true" : "false",
                               firn_cli_in_lake(l->cli, l->lake, feed->path),
                               NULL};
        firn_report_row(l->report, cells);
    }
    return FIRN_OK;
}

firn_rc firn_cmd_feed_list(firn_cli *cli, firn_err *err)
{
    listing l = {.cli = cli};
    FIRN_TRY(firn_cli_lake(cli, &l.lake, err));
    l.report =
        firn_report_new(cli->arena, LIST_COLUMNS, sizeof(LIST_COLUMNS) / sizeof(LIST_COLUMNS[0]));
    FIRN_TRY(add_kafka(&l, err));
    FIRN_TRY(add_exports(&l, firn_cli_switch(cli, "archived"), err));
    return firn_report_print(l.report, stdout, cli->format, "feed", err);
}

/* ---- show -------------------------------------------------------------------------------------------- */

static firn_rc show_kafka(firn_cli *cli, firn_lake *lake, const char *name, firn_err *err)
{
    static const firn_report_column COLUMNS[] = {
        {"setting", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"value", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    };
    firn_feed feed;
    firn_feed_setting *settings = NULL;
    size_t n = 0;
    FIRN_TRY(firn_feed_load(lake, cli->arena, name, &feed, err));
    firn_feed_settings(cli->arena, &feed, &settings, &n);
    firn_report *report =
        firn_report_new(cli->arena, COLUMNS, sizeof(COLUMNS) / sizeof(COLUMNS[0]));
    for (size_t i = 0; i < n; i++) {
        const char *cells[] = {settings[i].key, settings[i].value};
        firn_report_row(report, cells);
    }
    return firn_report_print(report, stdout, cli->format, NULL, err);
}

static firn_rc show_export(firn_cli *cli, firn_lake *lake, const char *name, firn_err *err)
{
    static const firn_report_column COLUMNS[] = {
        {"setting", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"value", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"from", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    };
    firn_export_feed feed;
    firn_export_setting *settings = NULL;
    size_t n = 0;
    FIRN_TRY(firn_export_feed_load(lake, cli->arena, name, &feed, err));
    firn_export_feed_settings(cli->arena, &feed, &settings, &n);
    firn_report *report =
        firn_report_new(cli->arena, COLUMNS, sizeof(COLUMNS) / sizeof(COLUMNS[0]));
    for (size_t i = 0; i < n; i++) {
        const char *from = settings[i].given           ? "file"
                           : settings[i].value != NULL ? "default"
                                                       : NULL;
        const char *cells[] = {settings[i].key, settings[i].value, from};
        firn_report_row(report, cells);
    }
    FIRN_TRY(firn_report_print(report, stdout, cli->format, NULL, err));
    firn_cli_say(cli, "file: %s%s", firn_cli_in_lake(cli, lake, feed.path),
                 feed.archived ? " (archived)" : "");
    return FIRN_OK;
}

/* ---- which kind -------------------------------------------------------------------------------------- */

static bool is_kafka_feed(firn_cli *cli, firn_lake *lake, const char *name)
{
    char **names = NULL;
    size_t n = 0;
    firn_err ignored = {0};
    if (firn_feed_names(lake, cli->arena, &names, &n, &ignored) != FIRN_OK) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (firn_streq(names[i], name)) {
            return true;
        }
    }
    return false;
}

static bool is_export_feed(firn_cli *cli, firn_lake *lake, const char *name)
{
    firn_export_listed *feeds = NULL;
    size_t n = 0;
    firn_err ignored = {0};
    if (firn_export_feed_list(lake, cli->arena, &feeds, &n, &ignored) != FIRN_OK) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (firn_streq(feeds[i].name, name)) {
            return true;
        }
    }
    return false;
}

firn_rc firn_cmd_feed_show(firn_cli *cli, firn_err *err)
{
    firn_lake *lake = NULL;
    const char *name = firn_cli_arg(cli, 0);
    FIRN_TRY(firn_cli_lake(cli, &lake, err));
    bool kafka = is_kafka_feed(cli, lake, name);
    bool exported = is_export_feed(cli, lake, name);
    if (kafka && exported) {
        FIRN_FAIL(err, FIRN_E_CONFIG,
                  "there are two feeds called %s, feeds/%s.yaml from Kafka and one from ksqlDB; "
                  "rename one of the files",
                  name, name);
    }
    char **names = NULL;
    size_t n = 0;
    FIRN_TRY(firn_feed_names(lake, cli->arena, &names, &n, err));
    /* Of a name that nothing has, the error comes from the kind that the nearest one has. */
    bool near_kafka = firn_nearest(name, (const char *const *)names, n) != NULL;
    return kafka || (near_kafka && !exported) ? show_kafka(cli, lake, name, err)
                                              : show_export(cli, lake, name, err);
}

firn_rc firn_cli_export_feed(firn_cli *cli, firn_lake *lake, const char *name, firn_err *err)
{
    if (is_kafka_feed(cli, lake, name) && !is_export_feed(cli, lake, name)) {
        FIRN_FAIL(
            err, FIRN_E_INVALID,
            "feed %s is from Kafka: edit %s; what it says holds from the next `firn ingest run` "
            "on",
            name,
            firn_path_join(cli->arena,
                           firn_lake_path(lake, cli->arena, firn_lake_config(lake)->feeds),
                           firn_arena_printf(cli->arena, "%s.yaml", name)));
    }
    return FIRN_OK;
}

firn_rc firn_cli_feed_changed(firn_cli *cli, const firn_export_feed *feed, const char *line,
                              firn_err *err)
{
    static const firn_report_column COLUMNS[] = {
        {"feed", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"type", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"enabled", FIRN_COLUMN_BOOL, FIRN_SHOWN_ALWAYS},
        {"archived", FIRN_COLUMN_BOOL, FIRN_SHOWN_ALWAYS},
        {"table", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"file", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    };
    if (cli->format == FIRN_FORMAT_TABLE) {
        firn_cli_say(cli, "%s", line);
        return FIRN_OK;
    }
    firn_lake *lake = NULL;
    FIRN_TRY(firn_cli_lake(cli, &lake, err));
    firn_report *report =
        firn_report_new(cli->arena, COLUMNS, sizeof(COLUMNS) / sizeof(COLUMNS[0]));
    const char *cells[] = {feed->name,
                           firn_export_kind_name(feed->kind),
                           feed->enabled ? "true" : "false",
                           feed->archived ? "true" : "false",
                           feed->table,
                           firn_cli_in_lake(cli, lake, feed->path)};
    firn_report_row(report, cells);
    return firn_report_print(report, stdout, cli->format, NULL, err);
}
