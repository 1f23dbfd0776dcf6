/* The table of a feed's keys and the two things made from it: the parser and the reference page. To add a key, add a member to
 * firn_feed and one row here.
 *
 * ${topic} and ${route} in a feed's file are the feed's own; the environment has no say in it: what depends on the machine, brokers
 * and secrets above all, stands in firn.yaml.
 *
 * Invariant: every row's default parses by the row's own kind and bounds (feed_test checks it).
 */
#include "feed_keys.h"

#include "base/time.h"
#include "base/yaml.h"

#include <inttypes.h>

typedef enum key_kind {
    KEY_TEXT,
    KEY_TEXTS,   /* a text or a list of texts; kept as an array and its length */
    KEY_MAPPING, /* of texts; kept as an object of strings */
    KEY_INT,
    KEY_PERCENT,
    KEY_BYTES,    /* 64MB, 1.5GiB, 4096 */
    KEY_DURATION, /* 500ms, 30s, 5m, 1h -> milliseconds */
    KEY_ENUM,     /* one of `choices`, kept as its number */
    KEY_BOOL,
    KEY_PAYLOAD, /* name of a firn_payload */
} key_kind;

typedef struct key_row {
    const char *path;
    key_kind kind;
    size_t offset;
    const char *def;     /* as written in the file; NULL: empty */
    int64_t min, max;    /* INT, BYTES, DURATION */
    const char *choices; /* ENUM: "a|b|c" */
    const char *help;
} key_row;

#define AT(member) offsetof(firn_feed, member)

static const key_row KEYS[] = {
    {"source", KEY_TEXT, AT(source), NULL, 0, 0, NULL,
     "Where from: the name of one of firn.yaml's `sources`. Required."},
    {"topics", KEY_TEXTS, AT(topics), NULL, 0, 0, NULL,
     "Names of topics, or patterns, which start with ^ and match whole names: `[orders, \"^shop[.].*\"]`. New "
     "topics that match are picked up while the feed runs. Required."},
    {"format", KEY_PAYLOAD, AT(value.payload), "auto", 0, 0, NULL,
     "How values are written. auto: by the frame of Confluent's wire format and the registry's answer, else json."},
    {"schema", KEY_TEXT, AT(value.schema), NULL, 0, 0, NULL,
     "Declared schema: of json, columns as in SQL (`id bigint, ts timestamptz`) or a JSON Schema; of avro_raw an "
     "Avro schema; of protobuf_raw the text of a .proto file. Without it json is inferred."},
    {"message", KEY_TEXT, AT(value.message), NULL, 0, 0, NULL,
     "protobuf_raw: full name of the message type; the file's first if not given."},
    {"key_format", KEY_PAYLOAD, AT(key_payload.payload), "none", 0, 0, NULL,
     "How keys are written; needed where columns.key or the mode asks for keys."},
    {"key_schema", KEY_TEXT, AT(key_payload.schema), NULL, 0, 0, NULL,
     "Declared schema of keys, as `schema`."},
    {"table", KEY_TEXT, AT(table), NULL, 0, 0, NULL,
     "Table that the records go to, made when the first ones come. With ${topic} in it each topic has a table of its "
     "own. Default: bronze.${topic}."},
    {"ref", KEY_TEXT, AT(ref), "main", 0, 0, NULL, "Branch that is written to."},
    {"mode", KEY_ENUM, AT(mode), "append", 0, 0, "append|upsert|debezium",
     "append: each record is a row. upsert: a record replaces the row of its key, a null value deletes it. debezium: the "
     "changes of Debezium's envelopes are carried out."},
    {"key", KEY_TEXTS, AT(key), NULL, 0, 0, NULL,
     "upsert, debezium: columns that identify a row; the fields of the message key if not given."},
    {"change_log", KEY_TEXT, AT(change_log), NULL, 0, 0, NULL,
     "debezium: a second table to which every change is appended."},
    {"columns.key", KEY_TEXT, AT(key_column), NULL, 0, 0, NULL,
     "Name of a column for the decoded key."},
    {"columns.kafka", KEY_TEXT, AT(kafka_column), NULL, 0, 0, NULL,
     "Name of a column for topic, partition, offset, timestamp and headers."},
    {"transform", KEY_TEXT, AT(transform), NULL, 0, 0, NULL,
     "SQL that the records go through, as the relation `batch`; lake tables may be joined: `SELECT id, lower(email) AS "
     "email FROM batch WHERE id IS NOT NULL`."},
    {"route.by", KEY_TEXT, AT(route_by), NULL, 0, 0, NULL,
     "Fan-out: an SQL expression over the columns; its value stands for ${route} in route.table. Rows for which it "
     "is null go to `table`, which also holds the offsets."},
    {"route.table", KEY_TEXT, AT(route_table), NULL, 0, 0, NULL,
     "Fan-out: the tables, with ${route} in their name."},
    {"partition_by", KEY_TEXTS, AT(partition_by), NULL, 0, 0, NULL,
     "Partitioning of tables that the feed makes, as in SQL: `[day(ts), bucket(8, customer_id)]`."},
    {"sort_by", KEY_TEXTS, AT(sort_by), NULL, 0, 0, NULL,
     "Sort order of tables that the feed makes, as in SQL: `[customer_id, ts desc]`."},
    {"properties", KEY_MAPPING, AT(properties), NULL, 0, 0, NULL,
     "Properties of tables that the feed makes: `{format-version: 3, write.parquet.compression-codec: snappy}`."},
    {"start", KEY_TEXT, AT(start), "earliest", 0, 0, NULL,
     "Where topics start that the table has nothing of: earliest, latest, or a time such as 2026-11-01T00:00:00Z."},
    {"evolve.columns", KEY_BOOL, AT(evolve), "true", 0, 0, NULL,
     "Add columns and widen types as records bring them. false: columns that the table lacks are left out."},
    {"evolve.on_unsafe", KEY_ENUM, AT(unsafe_to_dead_letters), "stop", 0, 0, "stop|dead_letters",
     "What to do when records cannot fit the table's schema by a safe change."},
    {"dead_letters.table", KEY_TEXT, AT(dead_letters), NULL, 0, 0, NULL,
     "Table of records that could not become rows. Default: the feed's table and __dead_letters."},
    {"dead_letters.stop_after", KEY_INT, AT(stop_after), "0", 0, INT64_MAX, NULL,
     "Stop the feed after so many since its start. 0: never."},
    {"dead_letters.stop_percent", KEY_PERCENT, AT(stop_percent), "0", 0, 100, NULL,
     "Stop the feed when more than so many of a hundred records of a commit (of at least 100) are bad. 0: never."},
    {"commit.every", KEY_DURATION, AT(commit_ms), "10s", 50, INT64_C(86400000), NULL,
     "Commit so long after the first record since the last commit, ..."},
    {"commit.rows", KEY_INT, AT(commit_rows), "0", 0, INT64_MAX, NULL,
     "... or after so many records (0: any number), ..."},
    {"commit.bytes", KEY_BYTES, AT(commit_bytes), "512MB", 1 << 20, INT64_C(1) << 40, NULL,
     "... or after so many bytes of decoded records, whichever comes first."},
    {"memory", KEY_BYTES, AT(memory_bytes), "512MB", 16000000, INT64_C(1) << 40, NULL,
     "Decoded records that wait for their commit, at most; beyond it the feed stops fetching until some are written."},
    {"group", KEY_TEXT, AT(group), NULL, 0, 0, NULL,
     "Kafka consumer group, which shares partitions among firn processes. Default: firn-<lake>-<feed>."},
    {"enabled", KEY_BOOL, AT(enabled), "true", 0, 0, NULL,
     "false: `firn ingest run` passes the feed over unless it is named."},
};
enum { N_KEYS = sizeof(KEYS) / sizeof(KEYS[0]) };

typedef struct parse_ctx {
    firn_arena *arena;
    const firn_yaml *yaml;
    firn_feed *out;
} parse_ctx;

static void *place_of(const parse_ctx *ctx, const key_row *row)
{
    return (char *)ctx->out + row->offset;
}

/* ---- values ---------------------------------------------------------------------------------------- */

static firn_rc bad_value(const parse_ctx *ctx, const key_row *row, int line, const char *text,
                         const char *wanted, firn_err *err)
{
    FIRN_FAIL(err, FIRN_E_CONFIG, "%s:%d: %s is \"%s\", but it must be %s", ctx->yaml->filename,
              line, row->path, text, wanted);
}

static firn_rc parse_number(const parse_ctx *ctx, const key_row *row, const char *text, int line,
                            firn_err *err)
{
    int64_t value = 0;
    bool ok = false;
    const char *shape = "a whole number";
    if (row->kind == KEY_BYTES) {
        ok = firn_parse_size(text, &value);
        shape = "a size such as 512MB or 2GiB";
    } else if (row->kind == KEY_DURATION) {
        ok = firn_parse_duration(text, &value);
        shape = "a duration such as 500ms, 30s or 5m";
    } else {
        ok = firn_parse_i64(text, &value);
    }
    if (!ok) {
        return bad_value(ctx, row, line, text, shape, err);
    }
    if (value < row->min || value > row->max) {
        const char *upper = row->max == INT64_MAX
                                ? ""
                                : firn_arena_printf(ctx->arena, " and at most %" PRId64, row->max);
        const char *unit = row->kind == KEY_BYTES      ? " bytes"
                           : row->kind == KEY_DURATION ? " ms"
                                                       : "";
        return bad_value(
            ctx, row, line, text,
            firn_arena_printf(ctx->arena, "at least %" PRId64 "%s%s", row->min, upper, unit), err);
    }
    *(int64_t *)place_of(ctx, row) = value;
    return FIRN_OK;
}

static firn_rc parse_choice(const parse_ctx *ctx, const key_row *row, const char *text, int line,
                            firn_err *err)
{
    size_t n;
    char **names = firn_str_split(ctx->arena, row->choices, '|', &n);
    for (size_t i = 0; i < n; i++) {
        if (!firn_streq(names[i], text)) {
            continue;
        }
        if (row->offset == AT(mode)) {
            ctx->out->mode = (firn_feed_mode)i;
        } else {
            *(bool *)place_of(ctx, row) = i == 1;
        }
        return FIRN_OK;
    }
    const char *wanted = firn_str_join(ctx->arena, (const char *const *)names, n, ", ");
    return bad_value(ctx, row, line, text, firn_arena_printf(ctx->arena, "one of %s", wanted), err);
}

static firn_rc parse_payload(const parse_ctx *ctx, const key_row *row, const char *text, int line,
                             firn_err *err)
{
    firn_payload payload;
    bool is_key = row->offset == AT(key_payload.payload);
    if (!firn_payload_parse(text, &payload) || (payload == FIRN_PAYLOAD_NONE && !is_key)) {
        return bad_value(ctx, row, line, text,
                         "one of auto, avro, json_schema, protobuf, json, avro_raw, protobuf_raw, "
                         "string, bytes",
                         err);
    }
    *(firn_payload *)place_of(ctx, row) = payload;
    return FIRN_OK;
}

static firn_rc parse_texts(const parse_ctx *ctx, const key_row *row, const json_t *node, int line,
                           firn_err *err)
{
    size_t n = json_is_array(node) ? json_array_size(node) : 1;
    const char **texts = FIRN_NEW_N(ctx->arena, const char *, n);
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_is_array(node) ? json_array_get(node, i) : node;
        texts[i] = firn_yaml_scalar(ctx->arena, item);
        if (texts[i] == NULL || texts[i][0] == '\0') {
            FIRN_FAIL(err, FIRN_E_CONFIG, "%s:%d: %s must be a text or a list of texts",
                      ctx->yaml->filename, line, row->path);
        }
    }
    void *at = place_of(ctx, row);
    memcpy(at, &texts, sizeof(texts));
    memcpy((char *)at + sizeof(texts), &n, sizeof(n)); /* the member behind it is its length */
    return FIRN_OK;
}

static firn_rc parse_mapping(const parse_ctx *ctx, const key_row *row, const json_t *node, int line,
                             firn_err *err)
{
    json_t *texts = firn_json_own(ctx->arena, json_object());
    const char *key;
    json_t *item;
    bool ok = json_is_object(node);
    json_object_foreach((json_t *)node, key, item)
    {
        const char *text = firn_yaml_scalar(ctx->arena, item);
        ok = ok && text != NULL;
        json_object_set_new(texts, key, json_string(text != NULL ? text : ""));
    }
    if (!ok) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s:%d: %s must be a mapping of names to single values",
                  ctx->yaml->filename, line, row->path);
    }
    *(const json_t **)place_of(ctx, row) = texts;
    return FIRN_OK;
}

static firn_rc parse_value(const parse_ctx *ctx, const key_row *row, const json_t *node, int line,
                           firn_err *err)
{
    if (row->kind == KEY_TEXTS) {
        return parse_texts(ctx, row, node, line, err);
    }
    if (row->kind == KEY_MAPPING) {
        return parse_mapping(ctx, row, node, line, err);
    }
    const char *text = firn_yaml_scalar(ctx->arena, node);
    if (text == NULL) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s:%d: %s must be a single value, not a list or a mapping",
                  ctx->yaml->filename, line, row->path);
    }
    switch (row->kind) {
    case KEY_INT:
    case KEY_PERCENT:
    case KEY_BYTES:
    case KEY_DURATION: return parse_number(ctx, row, text, line, err);
    case KEY_ENUM: return parse_choice(ctx, row, text, line, err);
    case KEY_PAYLOAD: return parse_payload(ctx, row, text, line, err);
    case KEY_BOOL:
        if (!firn_streq(text, "true") && !firn_streq(text, "false")) {
            return bad_value(ctx, row, line, text, "true or false", err);
        }
        *(bool *)place_of(ctx, row) = firn_streq(text, "true");
        return FIRN_OK;
    default:
        if (text[0] == '\0') {
            return bad_value(ctx, row, line, text, "a non-empty text", err);
        }
        *(const char **)place_of(ctx, row) = text;
        return FIRN_OK;
    }
}

/* ---- parsing ----------------------------------------------------------------------------------------- */

static const char *path_of(size_t row)
{
    return KEYS[row].path;
}

static firn_rc take_key(void *ctx, size_t row, const json_t *node, int line, firn_err *err)
{
    return parse_value(ctx, &KEYS[row], node, line, err);
}

firn_rc firn_feed_keys_read(firn_arena *arena, firn_bytes text, const char *filename,
                            firn_feed *out, firn_err *err)
{
    firn_yaml yaml;
    FIRN_TRY(firn_yaml_parse_raw(arena, text, filename, &yaml, err));
    parse_ctx ctx = {.arena = arena, .yaml = &yaml, .out = out};
    for (size_t i = 0; i < N_KEYS; i++) {
        if (KEYS[i].def != NULL) {
            json_t *def = firn_json_own(arena, json_string(KEYS[i].def));
            FIRN_TRY(parse_value(&ctx, &KEYS[i], def, 0, err));
        }
    }
    const firn_yaml_keys keys = {.n = N_KEYS,
                                 .path = path_of,
                                 .reference = "docs/reference/feeds.md",
                                 .take = take_key,
                                 .ctx = &ctx};
    return firn_yaml_read_keys(arena, &yaml, &keys, err);
}

/* ---- showing -------------------------------------------------------------------------------------------- */

static const char *texts_text(firn_arena *arena, const void *at)
{
    const char *const *texts;
    size_t n;
    memcpy(&texts, at, sizeof(texts));
    memcpy(&n, (const char *)at + sizeof(texts), sizeof(n));
    return n > 0 ? firn_str_join(arena, texts, n, ", ") : NULL;
}

static const char *choice_text(firn_arena *arena, const firn_feed *feed, const key_row *row)
{
    size_t n;
    char **names = firn_str_split(arena, row->choices, '|', &n);
    size_t i = row->offset == AT(mode) ? (size_t)feed->mode
                                       : *(const bool *)((const char *)feed + row->offset);
    return names[i];
}

static const char *value_text(firn_arena *arena, const firn_feed *feed, const key_row *row)
{
    const void *at = (const char *)feed + row->offset;
    switch (row->kind) {
    case KEY_TEXTS: return texts_text(arena, at);
    case KEY_MAPPING: {
        const json_t *json = *(json_t *const *)at;
        return json != NULL ? firn_json_text(arena, json) : NULL;
    }
    case KEY_INT:
    case KEY_PERCENT: return firn_arena_printf(arena, "%" PRId64, *(const int64_t *)at);
    case KEY_BYTES: return firn_format_bytes(arena, *(const int64_t *)at);
    case KEY_DURATION: return firn_format_duration(arena, *(const int64_t *)at * 1000);
    case KEY_ENUM: return choice_text(arena, feed, row);
    case KEY_BOOL: return *(const bool *)at ? "true" : "false";
    case KEY_PAYLOAD: return firn_payload_name(*(const firn_payload *)at);
    default: return *(const char *const *)at;
    }
}

void firn_feed_settings(firn_arena *arena, const firn_feed *feed, firn_feed_setting **out,
                        size_t *n)
{
    *n = N_KEYS;
    *out = FIRN_NEW_N(arena, firn_feed_setting, N_KEYS);
    for (size_t i = 0; i < N_KEYS; i++) {
        (*out)[i] =
            (firn_feed_setting){.key = KEYS[i].path, .value = value_text(arena, feed, &KEYS[i])};
    }
}

/* ---- the reference ------------------------------------------------------------------------------------- */

static const char *kind_text(firn_arena *arena, const key_row *row)
{
    switch (row->kind) {
    case KEY_TEXTS: return "text or list";
    case KEY_MAPPING: return "mapping";
    case KEY_INT: return "number";
    case KEY_PERCENT: return "0 to 100";
    case KEY_BYTES: return "size";
    case KEY_DURATION: return "duration";
    case KEY_ENUM: return firn_str_replace(arena, row->choices, "|", ", ");
    case KEY_BOOL: return "true, false";
    case KEY_PAYLOAD:
        return firn_arena_printf(arena,
                                 "%sauto, avro, json_schema, protobuf, json, avro_raw, "
                                 "protobuf_raw, string, bytes",
                                 row->offset == AT(key_payload.payload) ? "none, " : "");
    default: return "text";
    }
}

char *firn_feed_reference(firn_arena *arena)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    firn_buf_puts(
        &out,
        "# Feeds\n\n"
        "A feed is one YAML file in the lake's `feeds/` folder, named after the feed: `feeds/orders.yaml`. `firn ingest run "
        "orders` runs it. A key that firn does not know is an error. `${topic}` and `${route}` stand for the topic and the "
        "route; the environment has no say here, brokers and secrets stand in firn.yaml's `sources`.\n\n"
        "```yaml\n"
        "source: shop\n"
        "topics: [orders]\n"
        "table: bronze.orders\n"
        "partition_by: [day(ts)]\n"
        "```\n\n"
        "Sizes: `512MB`, `2GiB` or bytes. Durations: `500ms`, `30s`, `5m`, `1h`. A dot means a key below a key: `commit: "
        "{every: 5s}`.\n\n"
        "| key | value | default | meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; i < N_KEYS; i++) {
        const key_row *row = &KEYS[i];
        const char *tick = row->def != NULL ? "`" : "";
        firn_buf_printf(&out, "| `%s` | %s | %s%s%s | %s |\n", row->path, kind_text(arena, row),
                        tick, row->def != NULL ? row->def : "none", tick, row->help);
    }
    return firn_arena_strdup(arena, firn_buf_cstr(&out));
}
