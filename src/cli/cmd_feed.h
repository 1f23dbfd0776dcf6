/* What the commands of `firn feed` share: two kinds of feeds under one name each. */
#ifndef CLI_CMD_FEED_H
#define CLI_CMD_FEED_H

#include "cli.h"

#include "export/feed.h"

/* The feed is an export feed, which these commands change. INVALID for one of Kafka's: they are changed by hand. */
firn_rc firn_cli_export_feed(firn_cli *cli, firn_lake *lake, const char *name,
                             firn_err *err) FIRN_MUST_USE;
/* `line` for people; a row about the feed for programs. */
firn_rc firn_cli_feed_changed(firn_cli *cli, const firn_export_feed *feed, const char *line,
                              firn_err *err) FIRN_MUST_USE;
/* A path below the lake's folder without that folder: "feeds/active/x.json". */
const char *firn_cli_in_lake(firn_cli *cli, firn_lake *lake, const char *path);

#endif
