/* Files of export feeds. Whatever the bytes: a feed that is within its bounds, or CONFIG with a sentence. What is taken can be shown, written
 * out and read back as the same feed.
 */
#include "export/feed.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_bounds(const firn_export_feed *feed)
{
    require(firn_export_is_feed_name(feed->name));
    require(feed->kind <= FIRN_EXPORT_TABLE && feed->mode <= FIRN_EXPORT_IGNORE);
    require(feed->partitioning <= FIRN_EXPORT_UNPARTED && feed->query <= FIRN_EXPORT_QUERY_PUSH);
    require(feed->n_columns <= 4 && feed->n_bloom_filters <= 100);
    require(feed->retention_days >= 0 && feed->retention_versions >= 0);
    require(feed->permissions >= 0700 && feed->permissions <= 0777);
    require(feed->table != NULL && feed->ref != NULL && feed->compression != NULL);
    require(feed->mode != FIRN_EXPORT_APPEND ||
            (feed->kind == FIRN_EXPORT_STREAM && feed->partitioning == FIRN_EXPORT_BY_DATE));
    require(feed->mode != FIRN_EXPORT_OVERWRITE ||
            (feed->kind == FIRN_EXPORT_TABLE && feed->partitioning == FIRN_EXPORT_BY_VERSION));
    for (size_t i = 0; i < feed->n_columns; i++) {
        require(strpbrk(feed->columns[i], "/=.") == NULL && feed->columns[i][0] != '\0');
    }
}

static void check_written(firn_arena *arena, const firn_export_feed *feed)
{
    firn_export_setting *settings = NULL, *again_settings = NULL;
    firn_export_feed again;
    size_t n = 0;
    const char *text = firn_export_feed_text(arena, feed->json);
    require(firn_export_feed_parse(arena, firn_bytes_str(text), "fuzz.json", feed->name, &again,
                                   NULL) == FIRN_OK);
    firn_export_feed_settings(arena, feed, &settings, &n);
    firn_export_feed_settings(arena, &again, &again_settings, &n);
    for (size_t i = 0; i < n; i++) {
        const char *is = settings[i].value, *was = again_settings[i].value;
        require((is == NULL) == (was == NULL) && (is == NULL || firn_streq(is, was)));
    }
}

static void check_changed(firn_arena *arena, const firn_export_feed *feed)
{
    static const char *const KEYS[] = {"enabled",        "partitioning.type", "quality.rows.min",
                                       "properties.a.b", "created_at",        "partitioning.time"};
    json_t *json = firn_json_own(arena, json_deep_copy(feed->json));
    for (size_t i = 0; i < sizeof(KEYS) / sizeof(KEYS[0]); i++) {
        firn_export_change change = {.key = KEYS[i]};
        require(firn_export_key_value(arena, KEYS[i], "7", &change.value, NULL) == FIRN_OK);
        (void)!firn_export_json_change(arena, json, &change, NULL); /* "quality" may be anything */
    }
    require(json_integer_value(json_object_get(json, "enabled")) == 7);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_export_feed feed;
    firn_err err = {0};
    firn_rc rc =
        firn_export_feed_parse(arena, firn_bytes_of(data, size), "fuzz.json", "x", &feed, &err);
    if (rc != FIRN_OK) {
        require(rc == FIRN_E_CONFIG && err.code == rc);
        require(firn_starts_with(err.message, "fuzz.json"));
        return 0;
    }
    check_bounds(&feed);
    check_written(arena, &feed);
    check_changed(arena, &feed);
    return 0;
}
