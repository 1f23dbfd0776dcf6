/* The file of a new feed. */
#include "feed_files.h"

#include "base/time.h"

static void put_text(json_t *json, const char *key, const char *text)
{
    if (text != NULL) {
        json_object_set_new(json, key, json_string(text));
    }
}

/* "transaction_stream_blacklisted": kept apart from the others, for those who may read it. */
static bool is_blacklisted(firn_arena *arena, const char *name)
{
    return firn_ends_with(firn_str_lower(arena, name), "_blacklisted");
}

static json_t *partitioning_of(const char *type)
{
    json_t *columns = json_array();
    if (firn_streq(type, "date")) {
        json_array_append_new(columns, json_string("year"));
        json_array_append_new(columns, json_string("month"));
        json_array_append_new(columns, json_string("day"));
    } else if (firn_streq(type, "version")) {
        json_array_append_new(columns, json_string("version"));
    }
    json_t *out = json_object();
    put_text(out, "type", type);
    if (json_array_size(columns) > 0) {
        json_object_set(out, "columns", columns);
    }
    json_decref(columns);
    return out;
}

static void put_retention(json_t *json, const firn_export_new *feed, const char *type,
                          const char *mode)
{
    bool anonymized =
        firn_export_is_anonymized(feed->name) || firn_export_is_anonymized(feed->source);
    if (firn_streq(mode, "ignore")) {
        return;
    }
    if (firn_streq(type, "date")) {
        json_object_set_new(json, "retention_days", json_integer(anonymized ? 730 : 365));
    } else if (firn_streq(type, "version")) {
        json_object_set_new(json, "retention_versions", json_integer(7));
    }
}

static void put_permissions(firn_arena *arena, json_t *json, const firn_export_new *feed)
{
    if (feed->kind != FIRN_EXPORT_STREAM) {
        return;
    }
    if (firn_export_is_anonymized(feed->name) || firn_export_is_anonymized(feed->source)) {
        put_text(json, "permissions", "755");
    } else if (is_blacklisted(arena, feed->name) || is_blacklisted(arena, feed->source)) {
        put_text(json, "permissions", "750");
    }
}

json_t *firn_export_feed_json(firn_arena *arena, const firn_export_new *options)
{
    firn_export_new feed = *options;
    bool stream = feed.kind == FIRN_EXPORT_STREAM;
    const char *type = feed.partitioning != NULL ? feed.partitioning : stream ? "date" : "version";
    const char *mode = feed.mode != NULL ? feed.mode : stream ? "append" : "overwrite";
    feed.source = feed.source != NULL ? feed.source : feed.name;
    json_t *json = firn_json_own(arena, json_object());
    int64_t seconds = feed.now_us - feed.now_us % 1000000;
    put_text(json, "feed_name", feed.name);
    put_text(json, "feed_type", firn_export_kind_name(feed.kind));
    put_text(json, "ksqldb_source", feed.source);
    put_text(json, "description", feed.description != NULL ? feed.description : "");
    json_object_set_new(json, "partitioning", partitioning_of(type));
    put_text(json, "storage_mode", mode);
    put_text(json, "format", "parquet");
    put_retention(json, &feed, type, mode);
    put_permissions(arena, json, &feed);
    json_object_set_new(json, "enabled", json_true());
    put_text(json, "created_at",
             firn_arena_printf(arena, "%sZ", firn_format_timestamp(arena, seconds, false)));
    put_text(json, "server", feed.server);
    return json;
}
