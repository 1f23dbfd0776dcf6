/* firn feed: the lake's feeds as their files say. */
#include "cli.h"

#include "ingest/feed.h"

static const char *mode_text(const firn_feed *feed)
{
    static const char *const NAMES[] = {"append", "upsert", "debezium"};
    return NAMES[feed->mode];
}

firn_rc firn_cmd_feed_list(firn_cli *cli, firn_err *err)
{
    static const firn_report_column COLUMNS[] = {
        {"feed", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"source", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"topics", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"format", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"mode", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"table", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"enabled", FIRN_COLUMN_BOOL, FIRN_SHOWN_ALWAYS},
    };
    firn_lake *lake = NULL;
    firn_feed *feeds = NULL;
    size_t n = 0;
    FIRN_TRY(firn_cli_lake(cli, &lake, err));
    FIRN_TRY(firn_feed_list(lake, cli->arena, &feeds, &n, err));
    firn_report *report =
        firn_report_new(cli->arena, COLUMNS, sizeof(COLUMNS) / sizeof(COLUMNS[0]));
    for (size_t i = 0; i < n; i++) {
        const firn_feed *feed = &feeds[i];
        const char *cells[] = {feed->name,
                               feed->source,
                               firn_str_join(cli->arena, feed->topics, feed->n_topics, ", "),
                               firn_payload_name(feed->value.payload),
                               mode_text(feed),
                               feed->table,
                               feed->enabled ? "true" : "false"};
        firn_report_row(report, cells);
    }
    return firn_report_print(report, stdout, cli->format, "feed", err);
}

firn_rc firn_cmd_feed_show(firn_cli *cli, firn_err *err)
{
    static const firn_report_column COLUMNS[] = {
        {"setting", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"value", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    };
    firn_lake *lake = NULL;
    firn_feed feed;
    firn_feed_setting *settings = NULL;
    size_t n = 0;
    FIRN_TRY(firn_cli_lake(cli, &lake, err));
    FIRN_TRY(firn_feed_load(lake, cli->arena, firn_cli_arg(cli, 0), &feed, err));
    firn_feed_settings(cli->arena, &feed, &settings, &n);
    firn_report *report =
        firn_report_new(cli->arena, COLUMNS, sizeof(COLUMNS) / sizeof(COLUMNS[0]));
    for (size_t i = 0; i < n; i++) {
        const char *cells[] = {settings[i].key, settings[i].value};
        firn_report_row(report, cells);
    }
    return firn_report_print(report, stdout, cli->format, NULL, err);
}
