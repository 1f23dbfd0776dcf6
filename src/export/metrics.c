/* What feeds say to Prometheus: gauges, all of them. Counts that the history has are of its last thousand exports, so they may go down
 * and are no counters. */
#include "export/report.h"

#include "base/buf.h"

typedef double (*measure)(const firn_report_feed *feed);

static const firn_export_record *last_export(const firn_report_feed *feed)
{
    return feed->n_history > 0 ? &feed->history[feed->n_history - 1] : NULL;
}

static double records(const firn_report_feed *feed)
{
    return (double)feed->rows;
}

static double bytes(const firn_report_feed *feed)
{
    return (double)feed->bytes;
}

static double partitions(const firn_report_feed *feed)
{
    return (double)feed->partitions;
}

static double last_success(const firn_report_feed *feed)
{
    return feed->last_export_us > 0 ? (double)feed->last_export_us / 1e6 : -1;
}

static double last_duration(const firn_report_feed *feed)
{
    return last_export(feed) != NULL ? last_export(feed)->seconds : -1;
}

static double last_records(const firn_report_feed *feed)
{
    return last_export(feed) != NULL ? (double)last_export(feed)->rows : -1;
}

static double exports(const firn_report_feed *feed)
{
    return (double)feed->exports;
}

static double failures(const firn_report_feed *feed)
{
    return (double)feed->failures;
}

static double failures_in_a_row(const firn_report_feed *feed)
{
    size_t n = feed->n_history;
    while (n > 0 && feed->history[n - 1].outcome == FIRN_EXPORT_FAILED) {
        n--;
    }
    return (double)(feed->n_history - n);
}

static double alerts(const firn_report_feed *feed)
{
    return (double)feed->n_alerts;
}

static double ratio(const firn_report_feed *feed)
{
    return feed->ratio;
}

/* Below zero: not known, and left out. */
static const struct {
    const char *name;
    measure value;
    const char *help;
} METRICS[] = {
    {"firn_export_records", records, "Records in the feed's folders; of a table: in all versions"},
    {"firn_export_size_bytes", bytes, "Size of the files in the feed's folders"},
    {"firn_export_partitions", partitions, "Partitions: days or versions"},
    {"firn_export_json_ratio", ratio, "Bytes of Parquet for each byte of JSON that was read"},
    {"firn_export_last_success_timestamp_seconds", last_success,
     "When the feed was last exported without an error"},
    {"firn_export_last_duration_seconds", last_duration, "How long the last export took"},
    {"firn_export_last_records", last_records, "Records that the last export added"},
    {"firn_export_recent_exports", exports, "Exports in the feed's history (at most 1000)"},
    {"firn_export_recent_failures", failures, "Of these, the ones that failed"},
    {"firn_export_failures_in_a_row", failures_in_a_row, "Failures since the last success"},
    {"firn_export_alerts", alerts, "Quality rules that the newest export breaks"},
};

static void sample(firn_buf *out, const char *name, const firn_report_feed *feed)
{
    firn_buf_printf(out, "%s{feed=\"", name);
    for (const char *at = feed->name; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\') {
            firn_buf_putc(out, '\\');
        }
        firn_buf_puts(out, *at == '\n' ? "\\n" : (const char[]){*at, '\0'});
    }
    firn_buf_puts(out, "\"");
}

void firn_export_metrics(const firn_report_feed *feeds, size_t n, firn_buf *out)
{
    for (size_t m = 0; m < sizeof(METRICS) / sizeof(METRICS[0]); m++) {
        firn_buf_printf(out, "# HELP %s %s.\n# TYPE %s gauge\n", METRICS[m].name, METRICS[m].help,
                        METRICS[m].name);
        for (size_t i = 0; i < n; i++) {
            double value = METRICS[m].value(&feeds[i]);
            if (value >= 0) {
                sample(out, METRICS[m].name, &feeds[i]);
                firn_buf_printf(out, "} %.15g\n", value);
            }
        }
    }
    firn_buf_puts(out, "# HELP firn_export_health 1 for the health that the feed is in.\n"
                       "# TYPE firn_export_health gauge\n");
    for (size_t i = 0; i < n; i++) {
        for (int h = FIRN_HEALTH_OK; h <= FIRN_HEALTH_OFF; h++) {
            sample(out, "firn_export_health", &feeds[i]);
            firn_buf_printf(out, ",state=\"%s\"} %d\n", firn_feed_health_name((firn_feed_health)h),
                            (int)feeds[i].health == h);
        }
    }
}
