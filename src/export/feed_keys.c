/* The table of an export feed's keys and what is made from it: the parser, the list of settings and the reference page. To add a key, add
 * a member to firn_export_feed and one row here.
 *
 * Values are JSON's own types: "365" is a text and no number. null is the same as not given.
 *
 * Invariant: every row's default is taken by the row's own kind and bounds (feed_test checks it).
 */
#include "feed_keys.h"

#include "base/buf.h"
#include "base/time.h"
#include "export/quality.h"

#include <inttypes.h>
#include <stdio.h>

typedef enum key_kind {
    KEY_TEXT,
    KEY_NAMES,   /* a list of texts; kept as an array and its length */
    KEY_COLUMN,  /* name of a column */
    KEY_OBJECT,  /* kept as it is */
    KEY_SCALARS, /* an object of single values */
    KEY_INT,
    KEY_BOOL,
    KEY_CHOICE, /* one of `choices`, kept as its number */
    KEY_TIME,
    KEY_OCTAL,
    KEY_TABLE,
} key_kind;

typedef struct key_row {
    const char *path;
    key_kind kind;
    size_t offset, size;  /* size 0: not kept */
    const char *def;      /* as JSON; NULL: see def_text */
    const char *def_text; /* for people; NULL: none, or `def` */
    int64_t min, max;     /* INT; TEXT: bytes */
    const char *choices;  /* CHOICE: "a|b|c" */
    bool required;
    const char *help;
} key_row;

#define KEPT(member) offsetof(firn_export_feed, member), sizeof(((firn_export_feed *)0)->member)
#define NOT_KEPT     0, 0

static const key_row KEYS[] = {
    {"feed_name", KEY_TEXT, KEPT(name), NULL, NULL, 1, FIRN_EXPORT_NAME_BYTES_MAX, NULL, true,
     "The file's name without .json: letters, digits, `_`, `.` and `-`, with a letter or `_` first."},
    {"feed_type", KEY_CHOICE, KEPT(kind), NULL, NULL, 0, 0, "stream|table", true,
     "stream: events, each export adds the new ones. table: states, each export is a complete version."},
    {"ksqldb_source", KEY_TEXT, KEPT(ksqldb_source), NULL, NULL, 1, 255, NULL, true,
     "The stream or table on the ksqlDB server. As written, else in upper case."},
    {"description", KEY_TEXT, KEPT(description), "\"\"", NULL, 0, 4096, NULL, false, "For people."},
    {"partitioning.type", KEY_CHOICE, KEPT(partitioning), NULL, "streams: date; tables: version", 0,
     0, "date|version|none", false,
     "What the folders are, and the partitions of the table: days, versions, or none."},
    {"partitioning.columns", KEY_NAMES, KEPT(columns), NULL, "year, month, day; version", 0, 4,
     NULL, false,
     "Names for the partition columns. By date one to four, for year, month, day and hour; by version one."},
    {"partitioning.time", KEY_COLUMN, KEPT(time), NULL, "the day of the export", 0, 0, NULL, false,
     "By date: the column whose time says under which day a row is filed, or `ROWTIME`."},
    {"storage_mode", KEY_CHOICE, KEPT(mode), NULL, "streams: append; tables: overwrite", 0, 0,
     "append|overwrite|ignore", false,
     "append (streams, by date): each export continues where the table stands. overwrite (tables, by version): each export is a new "
     "version. ignore: written once, for reference data."},
    {"format", KEY_CHOICE, NOT_KEPT, "\"parquet\"", NULL, 0, 0, "parquet", false,
     "Format of the files."},
    {"compression", KEY_CHOICE, KEPT(compression), "\"snappy\"", NULL, 0, 0, "snappy|zstd", false,
     "Of the files: snappy is fast, zstd is small."},
    {"bloom_filters", KEY_NAMES, KEPT(bloom_filters), NULL, NULL, 0, FIRN_EXPORT_BLOOM_MAX, NULL,
     false, "Columns that get Bloom filters, for lookups of single values."},
    {"retention_days", KEY_INT, KEPT(retention_days), NULL, "for ever", 0, 36500, NULL, false,
     "By date: rows of days that are older are deleted, from the folders, the table and its history. 0: kept for ever. `firn feed "
     "add` and `firn feed sync` write 365, and 730 for names that end in _anonymized."},
    {"retention_versions", KEY_INT, KEPT(retention_versions), NULL, "by version: 7", 0, 1000000,
     NULL, false, "By version: how many of the newest versions are kept. 0: all."},
    {"permissions", KEY_OCTAL, KEPT(permissions), NULL,
     "streams: 750; tables and anonymized streams: 755", 0700, 0777, NULL, false,
     "Of the feed's folders, octal, in quotes; files have them without x."},
    {"enabled", KEY_BOOL, KEPT(enabled), "true", NULL, 0, 0, NULL, false,
     "false: `firn export --all` passes the feed over."},
    {"created_at", KEY_TIME, KEPT(created_at), NULL, "the file's time", 0, 0, NULL, false,
     "When the feed was made, ISO 8601."},
    {"server", KEY_TEXT, KEPT(server), NULL, "the only one", 1, 255, NULL, false,
     "ksqlDB server: the name of one of firn.yaml's `sources`."},
    {"table", KEY_TABLE, KEPT(table), NULL, "streams.NAME or tables.NAME", 0, 0, NULL, false,
     "The Iceberg table, with its schema."},
    {"ref", KEY_TEXT, KEPT(ref), "\"main\"", NULL, 1, 255, NULL, false,
     "Branch that is written to."},
    {"resume", KEY_CHOICE, KEPT(by_kafka), "\"push\"", NULL, 0, 0, "push|kafka", false,
     "Streams: how an export gets what is new. push: by a push query, which names the offsets of rows. kafka: from the topic behind the "
     "stream, by Kafka itself."},
    {"kafka", KEY_TEXT, KEPT(kafka), NULL, "the only one", 1, 255, NULL, false,
     "resume kafka: the cluster, one of firn.yaml's `sources`."},
    {"query", KEY_CHOICE, KEPT(query), "\"auto\"", NULL, 0, 0, "auto|pull|push", false,
     "Tables: how rows are asked for. auto: pull, and push where the server does not take that."},
    {"wait_ms", KEY_INT, KEPT(wait_ms), "2000", NULL, 1, 600000, NULL, false,
     "Push queries, which never end by themselves: all has come when no row came for so many milliseconds. `firn export --wait` says otherwise."},
    {"properties", KEY_SCALARS, KEPT(properties), NULL, NULL, 0, 0, NULL, false,
     "Properties of the Iceberg table: `{\"write.target-file-size-bytes\": 134217728}`."},
    {"quality", KEY_OBJECT, KEPT(quality), NULL, NULL, 0, 0, NULL, false,
     "Rules for each export, with alerts: `{\"rows\": {\"min\": 1}, \"on_alert\": \"fail\"}`."},
};
enum { N_KEYS = sizeof(KEYS) / sizeof(KEYS[0]), SHOWN_BYTES = 60, COLUMN_BYTES_MAX = 255 };

/* ---- finding ------------------------------------------------------------------------------------------- */

static const char *path_of(size_t row)
{
    return KEYS[row].path;
}

json_t *firn_export_key_at(const json_t *json, const char *path)
{
    const char *dot = strchr(path, '.');
    json_t *at = dot != NULL ? json_object_getn(json, path, (size_t)(dot - path))
                             : json_object_get(json, path);
    if (dot != NULL && at != NULL) {
        at = json_object_get(at, dot + 1);
    }
    return json_is_null(at) ? NULL : at;
}

static int line_of(const firn_yaml *yaml, const char *path)
{
    const char *dot = strchr(path, '.');
    if (dot == NULL) {
        return firn_yaml_key_line(yaml, yaml->root, path);
    }
    const json_t *section = json_object_getn(yaml->root, path, (size_t)(dot - path));
    int line = json_is_object(section) ? firn_yaml_key_line(yaml, section, dot + 1) : 0;
    return line > 0 ? line : section != NULL ? firn_yaml_line(yaml, section) : 0;
}

firn_rc firn_export_bad_key(const firn_yaml *yaml, const char *path, firn_err *err,
                            const char *format, ...)
{
    char text[FIRN_ERR_MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    int line = line_of(yaml, path);
    if (line > 0) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s:%d: %s %s", yaml->filename, line, path, text);
    }
    FIRN_FAIL(err, FIRN_E_CONFIG, "%s: %s %s", yaml->filename, path, text);
}

/* ---- values -------------------------------------------------------------------------------------------- */

typedef struct parse_ctx {
    firn_arena *arena;
    const firn_yaml *yaml;
    firn_export_feed *out;
} parse_ctx;

/* The value as the file has it, cut. */
static const char *shown(firn_arena *arena, const json_t *node)
{
    const char *text = firn_export_json_line(arena, node);
    if (strlen(text) <= SHOWN_BYTES) {
        return text;
    }
    size_t cut = SHOWN_BYTES;
    while (cut > 0 && ((unsigned char)text[cut] & 0xC0) == 0x80) {
        cut--; /* never within a character */
    }
    return firn_arena_printf(arena, "%.*s...", (int)cut, text);
}

static firn_rc bad_value(const parse_ctx *ctx, const key_row *row, const json_t *node,
                         const char *wanted, firn_err *err)
{
    return firn_export_bad_key(ctx->yaml, row->path, err, "is %s, but it must be %s",
                               shown(ctx->arena, node), wanted);
}

static void keep(const parse_ctx *ctx, const key_row *row, const void *value)
{
    if (row->size > 0) {
        memcpy((char *)ctx->out + row->offset, value, row->size);
    }
}

static bool has_control(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) {
            return true;
        }
    }
    return false;
}

static firn_rc take_text(const parse_ctx *ctx, const key_row *row, const json_t *node,
                         firn_err *err)
{
    const char *text = json_string_value(node);
    size_t len = text != NULL ? strlen(text) : 0;
    if (text == NULL || len < (size_t)row->min) {
        return bad_value(ctx, row, node, row->min > 0 ? "a non-empty text" : "a text", err);
    }
    if (len > (size_t)row->max) {
        return firn_export_bad_key(ctx->yaml, row->path, err,
                                   "has %zu bytes; at most %" PRId64 " are allowed", len, row->max);
    }
    if (row->min > 0 && has_control(text)) {
        return bad_value(ctx, row, node, "a text without control characters", err);
    }
    keep(ctx, row, &text);
    return FIRN_OK;
}

/* A name that a column can have. */
static bool is_column(const char *text)
{
    size_t len = text != NULL ? strlen(text) : 0;
    return len > 0 && len <= COLUMN_BYTES_MAX && !has_control(text);
}

static firn_rc take_column(const parse_ctx *ctx, const key_row *row, const json_t *node,
                           firn_err *err)
{
    const char *text = json_string_value(node);
    if (!is_column(text)) {
        return bad_value(ctx, row, node, "the name of a column", err);
    }
    keep(ctx, row, &text);
    return FIRN_OK;
}

static firn_rc take_names(const parse_ctx *ctx, const key_row *row, const json_t *node,
                          firn_err *err)
{
    size_t n = json_array_size(node);
    if (!json_is_array(node)) {
        return bad_value(ctx, row, node, "a list of column names, [\"a\", \"b\"]", err);
    }
    if (n > (size_t)row->max) {
        return firn_export_bad_key(ctx->yaml, row->path, err,
                                   "has %zu names; at most %" PRId64 " are allowed", n, row->max);
    }
    const char **names = FIRN_NEW_N(ctx->arena, const char *, n);
    for (size_t i = 0; i < n; i++) {
        names[i] = json_string_value(json_array_get(node, i));
        if (!is_column(names[i])) {
            return firn_export_bad_key(ctx->yaml, row->path, err,
                                       "holds %s, which is no name of a column",
                                       shown(ctx->arena, json_array_get(node, i)));
        }
        for (size_t j = 0; j < i; j++) {
            if (firn_strcaseeq(names[i], names[j])) {
                return firn_export_bad_key(ctx->yaml, row->path, err, "has \"%s\" twice", names[i]);
            }
        }
    }
    const void *at = names;
    keep(ctx, row, &at);
    memcpy((char *)ctx->out + row->offset + row->size, &n, sizeof(n)); /* the member behind it */
    return FIRN_OK;
}

static firn_rc take_scalars(const parse_ctx *ctx, const key_row *row, const json_t *node,
                            firn_err *err)
{
    const char *key;
    json_t *value;
    if (!json_is_object(node)) {
        return bad_value(ctx, row, node, "an object, {\"name\": value}", err);
    }
    json_object_foreach((json_t *)(uintptr_t)node, key, value)
    {
        if (firn_yaml_scalar(ctx->arena, value) == NULL || !is_column(key)) {
            return firn_export_bad_key(ctx->yaml, row->path, err,
                                       "must be names with single values, but \"%s\" is %s", key,
                                       shown(ctx->arena, value));
        }
        if (firn_starts_with(key, "firn.")) {
            return firn_export_bad_key(ctx->yaml, row->path, err,
                                       "must not hold \"%s\": firn keeps its own properties there",
                                       key);
        }
    }
    keep(ctx, row, &node);
    return FIRN_OK;
}

static firn_rc take_int(const parse_ctx *ctx, const key_row *row, const json_t *node, firn_err *err)
{
    int64_t value = json_integer_value(node);
    if (!json_is_integer(node) || value < row->min || value > row->max) {
        return bad_value(ctx, row, node,
                         firn_arena_printf(ctx->arena,
                                           "a whole number from %" PRId64 " to %" PRId64, row->min,
                                           row->max),
                         err);
    }
    keep(ctx, row, &value);
    return FIRN_OK;
}

static firn_rc take_choice(const parse_ctx *ctx, const key_row *row, const json_t *node,
                           firn_err *err)
{
    size_t n;
    char **names = firn_str_split(ctx->arena, row->choices, '|', &n);
    const char *const *choices = (const char *const *)names;
    const char *text = json_is_string(node) ? json_string_value(node) : "";
    for (unsigned i = 0; i < n; i++) {
        if (!firn_streq(choices[i], text)) {
            continue;
        }
        bool second = i == 1;
        if (row->size == sizeof(const char *)) {
            keep(ctx, row, &choices[i]);
        } else if (row->size == sizeof(bool)) {
            keep(ctx, row, &second);
        } else {
            keep(ctx, row, &i); /* an enum */
        }
        return FIRN_OK;
    }
    const char *nearest = firn_nearest(text, choices, n);
    const char *wanted = firn_arena_printf(ctx->arena, "%s%s%s%s%s", n > 1 ? "one of " : "",
                                           firn_str_join(ctx->arena, choices, n, ", "),
                                           nearest != NULL && n > 1 ? ". Did you mean " : "",
                                           nearest != NULL && n > 1 ? nearest : "",
                                           nearest != NULL && n > 1 ? "?" : "");
    return bad_value(ctx, row, node, wanted, err);
}

static firn_rc take_time(const parse_ctx *ctx, const key_row *row, const json_t *node,
                         firn_err *err)
{
    int64_t us;
    const char *text = json_string_value(node);
    if (text == NULL || strchr(text, ' ') != NULL || !firn_parse_timestamp(text, &us, NULL)) {
        return bad_value(ctx, row, node, "an ISO 8601 time such as \"2025-01-15T10:00:00Z\"", err);
    }
    keep(ctx, row, &text);
    return FIRN_OK;
}

static firn_rc take_octal(const parse_ctx *ctx, const key_row *row, const json_t *node,
                          firn_err *err)
{
    const char *text = json_is_string(node) ? json_string_value(node) : "";
    text += text[0] == '0' && strlen(text) == 4;
    int value = 0;
    bool ok = strlen(text) == 3 && strspn(text, "01234567") == 3;
    for (size_t i = 0; ok && i < 3; i++) {
        value = value * 8 + (text[i] - '0');
    }
    if (!ok || value < row->min || value > row->max) {
        return bad_value(
            ctx, row, node,
            "octal digits in quotes, between \"700\" and \"777\", for instance \"750\"", err);
    }
    keep(ctx, row, &value);
    return FIRN_OK;
}

static firn_rc take_table(const parse_ctx *ctx, const key_row *row, const json_t *node,
                          firn_err *err)
{
    const char *text = json_is_string(node) ? json_string_value(node) : "";
    firn_ident ident = firn_export_table_ident(ctx->arena, text);
    bool ok = is_column(text) && is_column(ident.name) && ident.ns[0] != '\0' &&
              ident.ns[0] != FIRN_NS_SEP[0] && ident.ns[strlen(ident.ns) - 1] != FIRN_NS_SEP[0] &&
              strstr(ident.ns, FIRN_NS_SEP FIRN_NS_SEP) == NULL;
    if (!ok) {
        return bad_value(ctx, row, node, "a table with its schema, such as streams.payments", err);
    }
    keep(ctx, row, &text);
    return FIRN_OK;
}

static firn_rc take_value(const parse_ctx *ctx, const key_row *row, const json_t *node,
                          firn_err *err)
{
    switch (row->kind) {
    case KEY_TEXT: return take_text(ctx, row, node, err);
    case KEY_NAMES: return take_names(ctx, row, node, err);
    case KEY_COLUMN: return take_column(ctx, row, node, err);
    case KEY_SCALARS: return take_scalars(ctx, row, node, err);
    case KEY_INT: return take_int(ctx, row, node, err);
    case KEY_CHOICE: return take_choice(ctx, row, node, err);
    case KEY_TIME: return take_time(ctx, row, node, err);
    case KEY_OCTAL: return take_octal(ctx, row, node, err);
    case KEY_TABLE: return take_table(ctx, row, node, err);
    case KEY_OBJECT:
        if (!json_is_object(node)) {
            return bad_value(ctx, row, node, "an object, {\"key\": value}", err);
        }
        keep(ctx, row, &node);
        return FIRN_OK;
    case KEY_BOOL: {
        bool value = json_is_true(node);
        if (!json_is_boolean(node)) {
            return bad_value(ctx, row, node, "true or false, without quotes", err);
        }
        keep(ctx, row, &value);
        return FIRN_OK;
    }
    }
    return FIRN_OK;
}

/* ---- parsing ----------------------------------------------------------------------------------------- */

static firn_rc take_key(void *ctx, size_t row, const json_t *node, int line, firn_err *err)
{
    (void)line;
    return take_value(ctx, &KEYS[row], node, err);
}

static json_t *default_of(firn_arena *arena, const key_row *row)
{
    return row->def != NULL ? firn_json_own(arena, json_loads(row->def, JSON_DECODE_ANY, NULL))
                            : NULL;
}

static firn_rc check_required(const parse_ctx *ctx, firn_err *err)
{
    for (size_t i = 0; i < N_KEYS; i++) {
        if (KEYS[i].required && firn_export_key_at(ctx->yaml->root, KEYS[i].path) == NULL) {
            return firn_export_bad_key(
                ctx->yaml, KEYS[i].path, err, "is missing: %s",
                KEYS[i].choices != NULL ? firn_str_replace(ctx->arena, KEYS[i].choices, "|", " or ")
                                        : "every feed needs it");
        }
    }
    return FIRN_OK;
}

firn_rc firn_export_keys_read(firn_arena *arena, firn_bytes text, const char *filename,
                              firn_yaml *yaml, firn_export_feed *out, firn_err *err)
{
    if (text.len > FIRN_EXPORT_FILE_BYTES_MAX) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s has %zu bytes; a feed's file has at most %d", filename,
                  text.len, FIRN_EXPORT_FILE_BYTES_MAX);
    }
    FIRN_TRY(firn_yaml_of_json(arena, text, filename, yaml, err));
    parse_ctx ctx = {.arena = arena, .yaml = yaml, .out = out};
    for (size_t i = 0; i < N_KEYS; i++) {
        const json_t *def = default_of(arena, &KEYS[i]);
        if (def != NULL) {
            FIRN_TRY(take_value(&ctx, &KEYS[i], def, err));
        }
    }
    const firn_yaml_keys keys = {.n = N_KEYS,
                                 .path = path_of,
                                 .reference = "docs/reference/export-feeds.md",
                                 .json = true,
                                 .take = take_key,
                                 .ctx = &ctx};
    FIRN_TRY(firn_yaml_read_keys(arena, yaml, &keys, err));
    out->json = yaml->root;
    return check_required(&ctx, err);
}

/* ---- values from a command line ------------------------------------------------------------------------ */

static json_t *names_from_text(firn_arena *arena, const char *text)
{
    json_t *list = json_array();
    size_t n;
    char **parts = firn_str_split(arena, text, ',', &n);
    for (size_t i = 0; i < n; i++) {
        json_array_append_new(list, json_string(firn_str_trim(arena, parts[i])));
    }
    return list;
}

/* JSON if it is some, else the text itself; `loose`: a word without quotes is a text. */
static json_t *json_from_text(const char *text, bool loose)
{
    json_t *json = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    return json != NULL || !loose ? json : json_string(text);
}

static json_t *value_from_text(firn_arena *arena, const key_row *row, const char *text)
{
    switch (row->kind) {
    case KEY_NAMES:
        return text[0] == '[' ? json_from_text(text, true) : names_from_text(arena, text);
    case KEY_OBJECT:
    case KEY_SCALARS:
    case KEY_INT:
    case KEY_BOOL: return json_from_text(text, true);
    default: return json_string(text);
    }
}

firn_rc firn_export_key_value(firn_arena *arena, const char *path, const char *text, json_t **out,
                              firn_err *err)
{
    const char *names[N_KEYS];
    for (size_t i = 0; i < N_KEYS; i++) {
        size_t len = strlen(KEYS[i].path);
        bool below = (KEYS[i].kind == KEY_OBJECT || KEYS[i].kind == KEY_SCALARS) &&
                     strncmp(path, KEYS[i].path, len) == 0 && path[len] == '.' &&
                     path[len + 1] != '\0';
        names[i] = KEYS[i].path;
        if (below || firn_streq(path, KEYS[i].path)) {
            *out = firn_json_own(arena, below ? json_from_text(text, true)
                                              : value_from_text(arena, &KEYS[i], text));
            if (*out == NULL) {
                FIRN_FAIL(err, FIRN_E_INVALID, "%s cannot be \"%s\": that is no text in UTF-8",
                          path, text);
            }
            return FIRN_OK;
        }
    }
    const char *nearest = firn_nearest(path, names, N_KEYS);
    FIRN_FAIL(err, FIRN_E_INVALID, "feeds have no key \"%s\"%s%s%s", path,
              nearest != NULL ? ". Did you mean \"" : "; docs/reference/export-feeds.md lists all",
              nearest != NULL ? nearest : "", nearest != NULL ? "\"?" : "");
}

size_t firn_export_key_order(const char *key)
{
    size_t len = strlen(key);
    for (size_t i = 0; i < N_KEYS; i++) {
        if (strncmp(KEYS[i].path, key, len) == 0 &&
            (KEYS[i].path[len] == '\0' || KEYS[i].path[len] == '.')) {
            return i;
        }
    }
    return N_KEYS;
}

/* ---- showing ------------------------------------------------------------------------------------------- */

static const char *choice_text(firn_arena *arena, const key_row *row, const void *at)
{
    size_t n;
    char **names = firn_str_split(arena, row->choices, '|', &n);
    unsigned i = 0;
    if (row->size == sizeof(const char *)) {
        return *(const char *const *)at;
    }
    if (row->size == sizeof(bool)) {
        i = *(const bool *)at;
    } else if (row->size > 0) {
        memcpy(&i, at, sizeof(i));
    }
    return names[i];
}

static const char *value_text(firn_arena *arena, const firn_export_feed *feed, const key_row *row)
{
    const void *at = (const char *)feed + row->offset;
    switch (row->kind) {
    case KEY_NAMES: {
        const char *const *names = *(const char *const *const *)at;
        size_t n;
        memcpy(&n, (const char *)at + row->size, sizeof(n));
        return n > 0 ? firn_str_join(arena, names, n, ", ") : NULL;
    }
    case KEY_OBJECT:
    case KEY_SCALARS: {
        const json_t *json = *(json_t *const *)at;
        return json != NULL ? firn_export_json_line(arena, json) : NULL;
    }
    case KEY_INT: {
        int64_t value = *(const int64_t *)at; /* 0 that nobody asked for: it does not apply */
        bool given = firn_export_key_at(feed->json, row->path) != NULL;
        return value != 0 || given ? firn_arena_printf(arena, "%" PRId64, value) : NULL;
    }
    case KEY_OCTAL: return firn_arena_printf(arena, "%o", (unsigned)*(const int *)at);
    case KEY_CHOICE: return choice_text(arena, row, at);
    case KEY_BOOL: return *(const bool *)at ? "true" : "false";
    default: return *(const char *const *)at;
    }
}

void firn_export_feed_settings(firn_arena *arena, const firn_export_feed *feed,
                               firn_export_setting **out, size_t *n)
{
    *out = FIRN_NEW_N(arena, firn_export_setting, N_KEYS);
    *n = N_KEYS;
    for (size_t i = 0; i < N_KEYS; i++) {
        (*out)[i] = (firn_export_setting){
            .key = KEYS[i].path,
            .value = value_text(arena, feed, &KEYS[i]),
            .given = firn_export_key_at(feed->json, KEYS[i].path) != NULL,
        };
    }
}

/* ---- the reference ------------------------------------------------------------------------------------- */

static const char *kind_text(firn_arena *arena, const key_row *row)
{
    switch (row->kind) {
    case KEY_NAMES: return "list of columns";
    case KEY_COLUMN: return "column";
    case KEY_OBJECT:
    case KEY_SCALARS: return "object";
    case KEY_INT: return "number";
    case KEY_BOOL: return "true, false";
    case KEY_CHOICE: return firn_str_replace(arena, row->choices, "|", ", ");
    case KEY_TIME: return "time";
    case KEY_OCTAL: return "octal text";
    case KEY_TABLE: return "table";
    default: return "text";
    }
}

static const char *default_text(firn_arena *arena, const key_row *row)
{
    if (row->def_text != NULL) {
        return row->def_text;
    }
    json_t *def = default_of(arena, row);
    const char *text = def != NULL ? firn_yaml_scalar(arena, def) : "";
    return row->required     ? "required"
           : text[0] != '\0' ? firn_arena_printf(arena, "`%s`", text)
                             : "none";
}

char *firn_export_feed_reference(firn_arena *arena)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    firn_buf_puts(
        &out,
        "# Export feeds\n\n"
        "<!-- Made by `firn help --export-feeds`; a test compares the two. -->\n\n"
        "An export feed is one JSON file, `feeds/active/NAME.json`, named after the feed: it brings a ksqlDB stream or table into an "
        "Iceberg table and a tree of folders. `firn feed add` and `firn feed sync` write such files; editing one is enough, it is read "
        "at each use. Archived feeds are in `feeds/archived/`, and are not exported.\n\n"
        "```json\n"
        "{\n"
        "  \"feed_name\": \"payment_stream\",\n"
        "  \"feed_type\": \"stream\",\n"
        "  \"ksqldb_source\": \"payment_stream\",\n"
        "  \"description\": \"Stream des paiements\",\n"
        "  \"partitioning\": {\n"
        "    \"type\": \"date\",\n"
        "    \"columns\": [\"year\", \"month\", \"day\"]\n"
        "  },\n"
        "  \"storage_mode\": \"append\",\n"
        "  \"format\": \"parquet\",\n"
        "  \"retention_days\": 365,\n"
        "  \"enabled\": true,\n"
        "  \"created_at\": \"2025-01-15T10:00:00Z\"\n"
        "}\n"
        "```\n\n"
        "A key that firn does not know, a key that is given twice and a value of another type are errors, which name the file, the line "
        "and the key. A dot means a key below a key: `{\"partitioning\": {\"type\": \"date\"}}`. `null` is the same as not given.\n\n"
        "| key | value | default | meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; i < N_KEYS; i++) {
        firn_buf_printf(&out, "| `%s` | %s | %s | %s |\n", KEYS[i].path, kind_text(arena, &KEYS[i]),
                        default_text(arena, &KEYS[i]), KEYS[i].help);
    }
    firn_buf_puts(
        &out,
        "\n## What goes together\n\n"
        "| feed_type | storage_mode | partitioning.type | retention |\n|---|---|---|---|\n"
        "| stream | append | date | `retention_days` |\n"
        "| stream | ignore | date, version, none | by date `retention_days`, by version `retention_versions` |\n"
        "| table | overwrite | version | `retention_versions` |\n"
        "| table | ignore | date, version, none | by date `retention_days`, by version `retention_versions` |\n\n"
        "`partitioning.time` goes with date, `resume` and `kafka` with streams, `query` with tables. `table` defaults to "
        "`streams.NAME` or `tables.NAME`.\n\n"
        "If a feed is in both folders, the active one counts: the command that moved it was cut off, and does what is left when it is "
        "given again.\n");
    return firn_arena_strdup(arena, firn_buf_cstr(&out));
}
