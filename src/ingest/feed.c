/* Feeds as files: finding them, and what their values mean together. */
#include "feed_keys.h"

#include "base/io.h"
#include "base/time.h"

enum {
    FEED_BYTES_MAX = 1 << 20,
    NAME_BYTES_MAX = 100,
    TOPICS_MAX = 1000,
};

/* ---- meaning ------------------------------------------------------------------------------------------- */

/* Feeds' names become file names, consumer groups and table properties. */
static bool is_name(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    return n > 0 && name[n] == '\0' && n <= NAME_BYTES_MAX;
}

static firn_rc check_start(const firn_feed *feed, firn_err *err)
{
    int64_t us;
    if (!firn_streq(feed->start, "earliest") && !firn_streq(feed->start, "latest") &&
        !firn_parse_timestamp(feed->start, &us, NULL)) {
        FIRN_FAIL(err, FIRN_E_CONFIG,
                  "%s: start is \"%s\", but it must be earliest, latest or a time such as "
                  "2026-11-01T00:00:00Z",
                  feed->path, feed->start);
    }
    return FIRN_OK;
}

static firn_rc check_tables(const firn_feed *feed, firn_err *err)
{
    if ((feed->route_by == NULL) != (feed->route_table == NULL)) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s: route needs both: by and table", feed->path);
    }
    if (feed->route_table != NULL && strstr(feed->route_table, "${route}") == NULL) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s: route.table has no ${route} in it", feed->path);
    }
    if (feed->route_by != NULL && feed->mode != FIRN_FEED_APPEND) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s: route goes with mode append only", feed->path);
    }
    if (strstr(feed->table, "${route}") != NULL) {
        FIRN_FAIL(err, FIRN_E_CONFIG,
                  "%s: ${route} belongs into route.table; `table` takes the rows without a route",
                  feed->path);
    }
    if (feed->change_log != NULL && feed->mode != FIRN_FEED_DEBEZIUM) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s: change_log goes with mode debezium only", feed->path);
    }
    return FIRN_OK;
}

static firn_rc check_keys(const firn_feed *feed, firn_err *err)
{
    bool no_key = feed->key_payload.payload == FIRN_PAYLOAD_NONE;
    if (no_key && feed->key_column != NULL) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s: columns.key needs key_format, for instance auto",
                  feed->path);
    }
    if (no_key && feed->n_key == 0 && feed->mode != FIRN_FEED_APPEND) {
        FIRN_FAIL(err, FIRN_E_CONFIG,
                  "%s: the mode needs keys: name columns as `key`, or say how message keys are "
                  "written: key_format, for instance auto",
                  feed->path);
    }
    return FIRN_OK;
}

firn_rc firn_feed_parse(firn_arena *arena, firn_bytes text, const char *filename, const char *name,
                        firn_feed *out, firn_err *err)
{
    *out = (firn_feed){.name = firn_arena_strdup(arena, name),
                       .path = firn_arena_strdup(arena, filename)};
    if (!is_name(name)) {
        FIRN_FAIL(err, FIRN_E_CONFIG,
                  "%s: a feed's name may hold letters, digits, _ and -, %d bytes at most", filename,
                  NAME_BYTES_MAX);
    }
    FIRN_TRY(firn_feed_keys_read(arena, text, filename, out, err));
    if (out->source == NULL || out->n_topics == 0) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s: the feed has no %s", filename,
                  out->source == NULL ? "source: name one of firn.yaml's `sources`"
                                      : "topics: name at least one");
    }
    if (out->n_topics > TOPICS_MAX) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s: more than %d topics; use a pattern", filename,
                  TOPICS_MAX);
    }
    if (out->table == NULL) {
        out->table = "bronze.${topic}";
    }
    FIRN_TRY(check_start(out, err));
    FIRN_TRY(check_tables(out, err));
    return check_keys(out, err);
}

/* ---- files --------------------------------------------------------------------------------------------- */

static char *folder_of(firn_lake *lake, firn_arena *arena)
{
    return firn_lake_path(lake, arena, firn_lake_config(lake)->feeds);
}

firn_rc firn_feed_names(firn_lake *lake, firn_arena *arena, char ***out, size_t *n, firn_err *err)
{
    return firn_dir_names(arena, folder_of(lake, arena), ".yaml", out, n, err);
}

static firn_rc no_such_feed(firn_lake *lake, firn_arena *arena, const char *name, firn_err *err)
{
    char **names = NULL;
    size_t n = 0;
    const char *folder = folder_of(lake, arena);
    FIRN_TRY(firn_feed_names(lake, arena, &names, &n, err));
    const char *nearest = firn_nearest(name, (const char *const *)names, n);
    if (nearest != NULL) {
        FIRN_FAIL(err, FIRN_E_NOT_FOUND, "there is no feed %s in %s. Did you mean %s?", name,
                  folder, nearest);
    }
    FIRN_FAIL(err, FIRN_E_NOT_FOUND,
              "there is no feed %s: %s has no file %s.yaml (docs/reference/feeds.md says what goes "
              "into one)",
              name, folder, name);
}

firn_rc firn_feed_load(firn_lake *lake, firn_arena *arena, const char *name, firn_feed *out,
                       firn_err *err)
{
    firn_bytes text;
    const char *path =
        firn_path_join(arena, folder_of(lake, arena), firn_arena_printf(arena, "%s.yaml", name));
    if (!is_name(name) || !firn_path_exists(path)) {
        return no_such_feed(lake, arena, name, err);
    }
    FIRN_TRY(firn_file_read(arena, path, FEED_BYTES_MAX, &text, err));
    FIRN_TRY(firn_feed_parse(arena, text, path, name, out, err));
    if (out->group == NULL) {
        out->group = firn_arena_printf(arena, "firn-%s-%s", firn_lake_config(lake)->name, name);
    }
    return FIRN_OK;
}

firn_rc firn_feed_list(firn_lake *lake, firn_arena *arena, firn_feed **out, size_t *n,
                       firn_err *err)
{
    char **names = NULL;
    FIRN_TRY(firn_feed_names(lake, arena, &names, n, err));
    *out = FIRN_NEW_N(arena, firn_feed, *n);
    for (size_t i = 0; i < *n; i++) {
        FIRN_TRY(firn_feed_load(lake, arena, names[i], &(*out)[i], err));
    }
    return FIRN_OK;
}
