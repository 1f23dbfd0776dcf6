/* Files of feeds from Kafka. Whatever the bytes: a feed within its bounds, every setting of which can be shown, or CONFIG (LIMIT: the file is too
 * large) with a sentence.
 */
#include "ingest/feed.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_feed feed;
    firn_err err = {0};
    firn_rc rc = firn_feed_parse(arena, firn_bytes_of(data, size), "fuzz.yaml", "x", &feed, &err);
    if (rc != FIRN_OK) {
        require((rc == FIRN_E_CONFIG || rc == FIRN_E_LIMIT) && err.code == rc);
        require(strstr(err.message, "fuzz.yaml") != NULL);
        return 0;
    }
    require(feed.source != NULL && feed.n_topics > 0 && feed.n_topics <= 1000);
    require(feed.table != NULL && feed.ref != NULL && feed.start != NULL);
    require(feed.mode <= FIRN_FEED_DEBEZIUM && feed.value.payload != FIRN_PAYLOAD_NONE);
    require(feed.commit_ms >= 50 && feed.commit_bytes >= 1 << 20 && feed.memory_bytes > 0);
    require(feed.stop_percent >= 0 && feed.stop_percent <= 100 && feed.stop_after >= 0);
    require((feed.route_by == NULL) == (feed.route_table == NULL));
    firn_feed_setting *settings = NULL;
    size_t n = 0;
    firn_feed_settings(arena, &feed, &settings, &n);
    for (size_t i = 0; i < n; i++) {
        require(settings[i].value == NULL || strlen(settings[i].value) < size * 8 + 100000);
    }
    return 0;
}
