/* Export feeds: what the values of a file mean together, and what holds where it says nothing. */
#include "feed_keys.h"

#include "export/quality.h"

static const char *const KIND_WORDS[] = {
    [FIRN_EXPORT_STREAM] = "stream", [FIRN_EXPORT_TABLE] = "table"};
static const char *const PARTITIONING_WORDS[] = {[FIRN_EXPORT_BY_DATE] = "date",
                                                 [FIRN_EXPORT_BY_VERSION] = "version",
                                                 [FIRN_EXPORT_UNPARTED] = "none"};

enum {
    VERSIONS_DEFAULT = 7,
};

typedef struct reading {
    firn_arena *arena;
    const firn_yaml *yaml;
    firn_export_feed *feed;
} reading;

static bool given(const reading *r, const char *key)
{
    return firn_export_key_at(r->yaml->root, key) != NULL;
}

/* ---- names --------------------------------------------------------------------------------------------- */

bool firn_export_is_feed_name(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    static const char all[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789.-";
    return name[0] != '\0' && strchr(letters, name[0]) != NULL && name[strspn(name, all)] == '\0' &&
           strlen(name) <= FIRN_EXPORT_NAME_BYTES_MAX;
}

bool firn_export_is_anonymized(const char *name)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const char *lower = firn_str_lower(arena, name);
    return firn_ends_with(lower, "_anonymized") || firn_ends_with(lower, "_anonymised");
}

firn_ident firn_export_table_ident(firn_arena *arena, const char *text)
{
    char *levels = firn_ns_parse(arena, text);
    char *last = strrchr(levels, FIRN_NS_SEP[0]);
    if (last == NULL) {
        return (firn_ident){.ns = "", .name = levels};
    }
    *last = '\0';
    return (firn_ident){.ns = levels, .name = last + 1};
}

static firn_rc check_name(const reading *r, firn_err *err)
{
    const char *in_file = json_string_value(firn_export_key_at(r->yaml->root, "feed_name"));
    if (!firn_export_is_feed_name(in_file)) {
        return firn_export_bad_key(
            r->yaml, "feed_name", err,
            "is \"%s\", but a feed's name holds letters, digits, _, . and -, "
            "starts with a letter or _, and has %d bytes at most",
            in_file, FIRN_EXPORT_NAME_BYTES_MAX);
    }
    if (!firn_streq(in_file, r->feed->name)) {
        return firn_export_bad_key(
            r->yaml, "feed_name", err,
            "is \"%s\", but the file is called %s.json: make the two the same", in_file,
            r->feed->name);
    }
    return FIRN_OK;
}

/* ---- storage ------------------------------------------------------------------------------------------- */

static void default_storage(const reading *r)
{
    firn_export_feed *feed = r->feed;
    bool stream = feed->kind == FIRN_EXPORT_STREAM;
    if (!given(r, "partitioning.type")) {
        feed->partitioning = stream ? FIRN_EXPORT_BY_DATE : FIRN_EXPORT_BY_VERSION;
    }
    if (!given(r, "storage_mode")) {
        feed->mode = stream ? FIRN_EXPORT_APPEND : FIRN_EXPORT_OVERWRITE;
    }
}

static firn_rc check_storage(const reading *r, firn_err *err)
{
    const firn_export_feed *feed = r->feed;
    if (feed->kind == FIRN_EXPORT_STREAM && feed->mode == FIRN_EXPORT_OVERWRITE) {
        return firn_export_bad_key(
            r->yaml, "storage_mode", err,
            "is \"overwrite\", but a stream's events are appended: use append, "
            "or ignore for what is written once");
    }
    if (feed->kind == FIRN_EXPORT_TABLE && feed->mode == FIRN_EXPORT_APPEND) {
        return firn_export_bad_key(r->yaml, "storage_mode", err,
                                   "is \"append\", but each export of a table is complete: use "
                                   "overwrite, or ignore for what is written once");
    }
    const char *type = PARTITIONING_WORDS[feed->partitioning];
    if (feed->mode == FIRN_EXPORT_APPEND && feed->partitioning != FIRN_EXPORT_BY_DATE) {
        return firn_export_bad_key(r->yaml, "partitioning.type", err,
                                   "is \"%s\", but storage_mode append needs partitioning by date",
                                   type);
    }
    if (feed->mode == FIRN_EXPORT_OVERWRITE && feed->partitioning != FIRN_EXPORT_BY_VERSION) {
        return firn_export_bad_key(r->yaml, "partitioning.type", err,
                                   "is \"%s\", but storage_mode overwrite needs partitioning by "
                                   "version",
                                   type);
    }
    return FIRN_OK;
}

/* ---- partitions ---------------------------------------------------------------------------------------- */

/* They become names of folders, "year=2025". */
static bool is_folder_column(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    static const char all[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    return strchr(letters, name[0]) != NULL && name[strspn(name, all)] == '\0';
}

static void default_columns(const reading *r)
{
    static const char *const DATE[] = {"year", "month", "day"};
    static const char *const VERSION[] = {"version"};
    firn_export_feed *feed = r->feed;
    bool by_date = feed->partitioning == FIRN_EXPORT_BY_DATE;
    bool by_version = feed->partitioning == FIRN_EXPORT_BY_VERSION;
    feed->columns = by_date ? DATE : by_version ? VERSION : NULL;
    feed->n_columns = by_date ? 3 : by_version ? 1 : 0;
}

static firn_rc check_columns(const reading *r, firn_err *err)
{
    static const size_t MOST[] = {[FIRN_EXPORT_BY_DATE] = FIRN_EXPORT_DATE_COLUMNS_MAX,
                                  [FIRN_EXPORT_BY_VERSION] = 1,
                                  [FIRN_EXPORT_UNPARTED] = 0};
    static const char *const WANTED[] = {[FIRN_EXPORT_BY_DATE] =
                                             "one to four, for year, month, day and hour",
                                         [FIRN_EXPORT_BY_VERSION] = "one",
                                         [FIRN_EXPORT_UNPARTED] = "none"};
    const firn_export_feed *feed = r->feed;
    size_t least = feed->partitioning == FIRN_EXPORT_UNPARTED ? 0 : 1;
    if (feed->n_columns < least || feed->n_columns > MOST[feed->partitioning]) {
        return firn_export_bad_key(r->yaml, "partitioning.columns", err,
                                   "has %zu names, but partitioning.type %s takes %s",
                                   feed->n_columns, PARTITIONING_WORDS[feed->partitioning],
                                   WANTED[feed->partitioning]);
    }
    for (size_t i = 0; i < feed->n_columns; i++) {
        if (!is_folder_column(feed->columns[i])) {
            return firn_export_bad_key(
                r->yaml, "partitioning.columns", err,
                "has \"%s\", but names of folders hold letters, digits and _ "
                "and do not start with a digit",
                feed->columns[i]);
        }
        if (feed->time != NULL && firn_strcaseeq(feed->time, feed->columns[i])) {
            return firn_export_bad_key(
                r->yaml, "partitioning.time", err,
                "is \"%s\", which is a partition column: name the one that the "
                "time is in",
                feed->time);
        }
    }
    return FIRN_OK;
}

static firn_rc check_partitions(const reading *r, firn_err *err)
{
    if (!given(r, "partitioning.columns")) {
        default_columns(r);
    }
    FIRN_TRY(check_columns(r, err));
    if (r->feed->time != NULL && r->feed->partitioning != FIRN_EXPORT_BY_DATE) {
        return firn_export_bad_key(r->yaml, "partitioning.time", err,
                                   "goes with partitioning by date, but this is by %s",
                                   PARTITIONING_WORDS[r->feed->partitioning]);
    }
    return FIRN_OK;
}

/* ---- retention ----------------------------------------------------------------------------------------- */

static firn_rc check_retention(const reading *r, firn_err *err)
{
    firn_export_feed *feed = r->feed;
    const char *type = PARTITIONING_WORDS[feed->partitioning];
    bool by_date = feed->partitioning == FIRN_EXPORT_BY_DATE;
    bool by_version = feed->partitioning == FIRN_EXPORT_BY_VERSION;
    if (given(r, "retention_days") && !by_date) {
        return firn_export_bad_key(
            r->yaml, "retention_days", err,
            "goes with partitioning by date, but partitioning.type is \"%s\"", type);
    }
    if (given(r, "retention_versions") && !by_version) {
        return firn_export_bad_key(
            r->yaml, "retention_versions", err,
            "goes with partitioning by version, but partitioning.type is \"%s\"", type);
    }
    /* Rows are deleted by age only where the file says so: they may be all that there is of them. */
    bool once = feed->mode == FIRN_EXPORT_IGNORE;
    if (by_version && !once && !given(r, "retention_versions")) {
        feed->retention_versions = VERSIONS_DEFAULT;
    }
    return FIRN_OK;
}

/* ---- the rest ------------------------------------------------------------------------------------------ */

static firn_rc check_queries(const reading *r, firn_err *err)
{
    const firn_export_feed *feed = r->feed;
    bool stream = feed->kind == FIRN_EXPORT_STREAM;
    if (!stream && feed->by_kafka) {
        return firn_export_bad_key(r->yaml, "resume", err,
                                   "is \"kafka\", but a table is always read from the beginning");
    }
    if (feed->kafka != NULL && !feed->by_kafka) {
        return firn_export_bad_key(r->yaml, "kafka", err, "goes with \"resume\": \"kafka\" only");
    }
    if (stream && feed->query != FIRN_EXPORT_QUERY_AUTO) {
        return firn_export_bad_key(r->yaml, "query", err,
                                   "goes with tables; how a stream is read is \"resume\"");
    }
    return FIRN_OK;
}

static firn_rc check_quality(const reading *r, firn_err *err)
{
    if (r->feed->quality == NULL) {
        return FIRN_OK;
    }
    int line = firn_yaml_key_line(r->yaml, r->yaml->root, "quality");
    const char *place = firn_arena_printf(r->arena, "%s:%d", r->yaml->filename, line);
    return firn_quality_check_rules(r->feed->quality, place, err);
}

static void default_rest(const reading *r)
{
    firn_export_feed *feed = r->feed;
    bool stream = feed->kind == FIRN_EXPORT_STREAM;
    if (feed->permissions == 0) {
        bool raw = stream && !firn_export_is_anonymized(feed->name) &&
                   !firn_export_is_anonymized(feed->ksqldb_source);
        feed->permissions = raw ? 0750 : 0755;
    }
    if (feed->table == NULL) {
        firn_ident ident = {.ns = stream ? "streams" : "tables", .name = feed->name};
        feed->table = firn_ident_text(r->arena, ident);
    }
}

firn_rc firn_export_feed_parse(firn_arena *arena, firn_bytes text, const char *filename,
                               const char *name, firn_export_feed *out, firn_err *err)
{
    firn_yaml yaml = {0};
    *out = (firn_export_feed){0};
    FIRN_TRY(firn_export_keys_read(arena, text, filename, &yaml, out, err));
    out->name = firn_arena_strdup(arena, name);
    out->path = yaml.filename;
    const reading r = {.arena = arena, .yaml = &yaml, .feed = out};
    FIRN_TRY(check_name(&r, err));
    default_storage(&r);
    FIRN_TRY(check_storage(&r, err));
    FIRN_TRY(check_partitions(&r, err));
    FIRN_TRY(check_retention(&r, err));
    FIRN_TRY(check_queries(&r, err));
    FIRN_TRY(check_quality(&r, err));
    default_rest(&r);
    return FIRN_OK;
}

const char *firn_export_kind_name(firn_export_kind kind)
{
    return KIND_WORDS[kind];
}
