/* How far a feed is behind, told from the outside: its tables' offsets against the ends of its partitions. For feeds that nobody
 * runs; those that run say it themselves. */
#include "ingest/audit.h"

#include "run.h"

typedef struct reader {
    firn_lake *lake;
    firn_arena *arena;
    const firn_feed *feed;
    firn_behind *out;
} reader;

/* What the table of a topic holds. A table that is not there holds nothing. */
static firn_rc read_table(const reader *r, const char *topic, firn_offset **offsets, size_t *n,
                          firn_err *err)
{
    *offsets = NULL;
    *n = 0;
    firn_table table;
    firn_ident ident = firn_feed_ident(r->arena, r->feed->table, "topic", topic);
    firn_rc rc = firn_catalog_table_load(firn_lake_catalog(r->lake), r->arena,
                                         r->feed->ref != NULL ? r->feed->ref : FIRN_MAIN, ident,
                                         &table, err);
    if (rc == FIRN_E_NO_TABLE || rc == FIRN_E_NO_NAMESPACE) {
        return FIRN_OK;
    }
    FIRN_TRY(rc);
    const firn_snapshot *snapshot = table.metadata->current_snapshot;
    int64_t committed_us = snapshot != NULL ? snapshot->timestamp_ms * 1000 : 0;
    r->out->last_commit_us =
        committed_us > r->out->last_commit_us ? committed_us : r->out->last_commit_us;
    return firn_offsets_read(r->arena, table.metadata, r->feed->name, offsets, n, err);
}

firn_rc firn_feed_behind(firn_lake *lake, firn_arena *arena, const firn_feed *feed,
                         firn_behind *out, firn_err *err)
{
    *out = (firn_behind){0};
    reader r = {.lake = lake, .arena = arena, .feed = feed, .out = out};
    firn_kafka *kafka = NULL;
    FIRN_TRY(firn_feed_kafka(lake, feed, &kafka, err));
    firn_kafka_partition *parts = NULL;
    size_t n = 0;
    firn_rc rc = firn_kafka_partitions(kafka, arena, feed->topics, feed->n_topics, &parts, &n, err);
    firn_kafka_free(kafka);
    FIRN_TRY(rc);
    firn_offset *offsets = NULL;
    size_t n_offsets = 0;
    bool from_the_end = feed->start != NULL && firn_streq(feed->start, "latest");
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || parts[i].topic != parts[i - 1].topic) {
            FIRN_TRY(read_table(&r, parts[i].topic, &offsets, &n_offsets, err));
        }
        int64_t next = firn_offsets_find(offsets, n_offsets, parts[i].topic, parts[i].partition);
        if (next < 0) {
            next = from_the_end ? parts[i].high : parts[i].low;
        }
        out->gone = out->gone || next > parts[i].high || next < parts[i].low;
        out->lag += parts[i].high > next ? parts[i].high - next : 0;
    }
    return FIRN_OK;
}
