/* The report on feeds, for people. */
#ifndef CLI_REPORT_VIEW_H
#define CLI_REPORT_VIEW_H

#include "cli.h"
#include "export/report.h"

typedef struct firn_report_view {
    firn_cli *cli;
    const firn_report_feed *feeds;
    size_t n;
    int64_t now_us;
} firn_report_view;

/* A line per feed with what is wrong below it, the totals, and what to do next. */
void firn_report_view_feeds(const firn_report_view *view, firn_buf *out);
/* Shares, growth, partitions. */
void firn_report_view_stats(const firn_report_view *view, firn_buf *out);

#endif
