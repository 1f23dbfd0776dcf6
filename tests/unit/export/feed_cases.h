/* Random feeds' files: valid ones, and broken ones that were made from a valid one by one named mutation, so that it is known which
 * key must be named, and why.
 *
 *     feed_random r = feed_random_of(seed);
 *     feed_case c = feed_case_valid(arena, &r, "x");            c.text is a feed x
 *     feed_case c = feed_case_broken(arena, &r, "x");           and must be refused with c.reasons in the message
 */
#ifndef TESTS_EXPORT_FEED_CASES_H
#define TESTS_EXPORT_FEED_CASES_H

#include "export/feed.h"

#include <stdlib.h>

typedef struct feed_random {
    uint64_t state;
} feed_random;

static inline uint64_t feed_next(feed_random *r)
{
    uint64_t z = (r->state += UINT64_C(0x9E3779B97F4A7C15)); /* splitmix64 */
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static inline size_t feed_below(feed_random *r, size_t n)
{
    return (size_t)(feed_next(r) % n);
}

typedef struct feed_case {
    const char *name, *mutation;
    char kind, mode, partitioning; /* 's' 't'; 'a' 'o' 'i'; 'd' 'v' 'n' */
    json_t *json;
    const char *text;
    const char *key;    /* that must be named; nullable */
    const char *reason; /* and with what */
} feed_case;

/* ---- valid ones ---------------------------------------------------------------------------------------- */

static inline void feed_put(firn_arena *arena, json_t *json, const char *key, const char *value)
{
    json_t *parsed = firn_json_own(arena, json_loads(value, JSON_DECODE_ANY, NULL));
    const firn_export_change change = {key, parsed};
    if (parsed == NULL || firn_export_json_change(arena, json, &change, NULL) != FIRN_OK) {
        abort(); /* the table below is wrong */
    }
}

static inline void feed_take(firn_arena *arena, json_t *json, const char *key)
{
    const firn_export_change change = {key, NULL};
    if (firn_export_json_change(arena, json, &change, NULL) != FIRN_OK) {
        abort();
    }
}

/* One of the alternatives, or (the first, "") none. */
static inline void feed_maybe(firn_arena *arena, feed_random *r, json_t *json, const char *key,
                              const char *const *values, size_t n)
{
    const char *value = values[feed_below(r, n)];
    if (value[0] != '\0') {
        feed_put(arena, json, key, value);
    }
}
#define FEED_MAYBE(key, ...)                                                              \
    do {                                                                                  \
        static const char *const values_[] = {"", __VA_ARGS__};                           \
        feed_maybe(arena, r, c.json, key, values_, sizeof(values_) / sizeof(values_[0])); \
    } while (0)

/* What of modes, partitionings and retentions goes together. */
static inline void feed_put_storage(firn_arena *arena, feed_random *r, feed_case *c)
{
    static const char *const MODES[] = {
        ['a'] = "\"append\"", ['o'] = "\"overwrite\"", ['i'] = "\"ignore\""};
    static const char *const TYPES[] = {
        ['d'] = "\"date\"", ['v'] = "\"version\"", ['n'] = "\"none\""};
    bool once = feed_below(r, 4) == 0;
    c->mode = once ? 'i' : c->kind == 's' ? 'a' : 'o';
    c->partitioning = once ? "dvn"[feed_below(r, 3)] : c->kind == 's' ? 'd' : 'v';
    bool by_default = c->partitioning == (c->kind == 's' ? 'd' : 'v');
    if (!by_default || feed_below(r, 3) > 0) {
        feed_put(arena, c->json, "partitioning.type", TYPES[(int)c->partitioning]);
    }
    if (once || feed_below(r, 3) > 0) {
        feed_put(arena, c->json, "storage_mode", MODES[(int)c->mode]);
    }
}

static inline feed_case feed_case_valid(firn_arena *arena, feed_random *r, const char *name)
{
    feed_case c = {.name = name, .json = firn_json_own(arena, json_object())};
    c.kind = "st"[feed_below(r, 2)];
    json_object_set_new(c.json, "feed_name", json_string(name));
    feed_put(arena, c.json, "feed_type", c.kind == 's' ? "\"stream\"" : "\"table\"");
    json_object_set_new(c.json, "ksqldb_source", json_string(name));
    FEED_MAYBE("description", "\"\"", "\"Stream des paiements\"", "\"caf\\u00e9 \\\"x\\\" {[,]}\"",
               "null");
    feed_put_storage(arena, r, &c);
    if (c.partitioning == 'd') {
        FEED_MAYBE("partitioning.columns", "[\"year\", \"month\", \"day\"]", "[\"y\"]",
                   "[\"year\", \"month\", \"day\", \"hour\"]");
        FEED_MAYBE("partitioning.time", "\"ROWTIME\"", "\"event_time\"");
        FEED_MAYBE("retention_days", "0", "1", "365", "730", "36500");
    } else if (c.partitioning == 'v') {
        FEED_MAYBE("partitioning.columns", "[\"version\"]", "[\"v\"]");
        FEED_MAYBE("retention_versions", "0", "1", "7", "1000000");
    }
    FEED_MAYBE("format", "\"parquet\"");
    FEED_MAYBE("compression", "\"snappy\"", "\"zstd\"");
    FEED_MAYBE("bloom_filters", "[]", "[\"USER_ID\"]", "[\"a\", \"b\", \"c d\"]");
    FEED_MAYBE("permissions", "\"750\"", "\"755\"", "\"0700\"", "\"777\"");
    FEED_MAYBE("enabled", "true", "false");
    FEED_MAYBE("created_at", "\"2025-01-15T10:00:00Z\"", "\"2025-01-15\"",
               "\"2025-01-15T10:00:00.123456+02:00\"");
    FEED_MAYBE("server", "\"ksql\"");
    FEED_MAYBE("wait_ms", "1", "500", "600000");
    FEED_MAYBE("table", "\"bronze.payments\"", "\"a.b.c\"", "\"s.\\\"x.y\\\"\"");
    FEED_MAYBE("ref", "\"main\"", "\"dev\"");
    if (c.kind == 's') {
        FEED_MAYBE("resume", "\"push\"", "\"kafka\"");
    } else {
        FEED_MAYBE("query", "\"auto\"", "\"pull\"", "\"push\"");
    }
    FEED_MAYBE("properties", "{}", "{\"write.target-file-size-bytes\": 134217728, \"x\": \"y\"}");
    FEED_MAYBE("quality", "{\"rows\": {\"min\": 1, \"max\": 100}}",
               "{\"nulls\": {\"max\": {\"id\": 0}}, \"on_alert\": \"fail\"}");
    c.text = feed_below(r, 4) == 0 ? firn_json_text(arena, c.json)
                                   : firn_export_feed_text(arena, c.json);
    return c;
}

/* ---- broken ones --------------------------------------------------------------------------------------- */

/* `for` says which feeds it breaks: letters of their kind, mode and partitioning, all of which must match; "" breaks all. */
typedef struct feed_mutation {
    const char *name, *for_which;
    const char *key, *value; /* JSON; NULL: the key is taken out */
    const char *reason;
    const char *named; /* the key that must be named, when it is another one */
} feed_mutation;

static const feed_mutation FEED_MUTATIONS[] = {
    {"no name", "", "feed_name", NULL, "is missing", NULL},
    {"no type", "", "feed_type", NULL, "is missing: stream or table", NULL},
    {"no source", "", "ksqldb_source", NULL, "is missing", NULL},
    {"name null", "", "feed_name", "null", "is missing", NULL},
    {"another name", "", "feed_name", "\"another\"", "is \"another\", but the file is called",
     NULL},
    {"name with a path", "", "feed_name", "\"../x\"", "a feed's name holds letters", NULL},
    {"name from a digit", "", "feed_name", "\"9x\"", "a feed's name holds letters", NULL},
    {"name with a blank", "", "feed_name", "\"a b\"", "a feed's name holds letters", NULL},
    {"name empty", "", "feed_name", "\"\"", "must be a non-empty text", NULL},
    {"name a number", "", "feed_name", "7", "is 7, but it must be a non-empty text", NULL},
    {"type misspelt", "", "feed_type", "\"streem\"",
     "must be one of stream, table. Did you mean stream?", NULL},
    {"type a list", "", "feed_type", "[\"stream\"]", "must be one of stream, table", NULL},
    {"type in capitals", "", "feed_type", "\"STREAM\"", "must be one of stream, table", NULL},
    {"source empty", "", "ksqldb_source", "\"\"", "must be a non-empty text", NULL},
    {"source with a line break", "", "ksqldb_source", "\"a\\nb\"", "without control characters",
     NULL},
    {"source true", "", "ksqldb_source", "true", "must be a non-empty text", NULL},
    {"description a number", "", "description", "1.5", "is 1.5, but it must be a text", NULL},
    {"partitioning a text", "", "partitioning", "\"date\"", "is a section", NULL},
    {"partitioning a list", "", "partitioning", "[]", "is a section", NULL},
    {"partitioning misspelt", "", "partitioning.type", "\"dates\"",
     "must be one of date, version, none. Did you mean date?", NULL},
    {"partitioning unknown key", "", "partitioning.kind", "\"date\"",
     "there is no key \"partitioning.kind\"", NULL},
    {"columns a text", "", "partitioning.columns", "\"year\"", "must be a list of column names",
     NULL},
    {"columns hold a number", "", "partitioning.columns", "[1]",
     "holds 1, which is no name of a column", NULL},
    {"columns hold nothing", "", "partitioning.columns", "[\"\"]", "holds \"\", which is no name",
     NULL},
    {"columns twice", "d", "partitioning.columns", "[\"year\", \"YEAR\"]", "has \"YEAR\" twice",
     NULL},
    {"columns too many", "", "partitioning.columns", "[\"a\",\"b\",\"c\",\"d\",\"e\"]",
     "has 5 names; at most 4", NULL},
    {"columns no folder", "d", "partitioning.columns", "[\"a/b\"]",
     "has \"a/b\", but names of folders", NULL},
    {"columns with an equals sign", "v", "partitioning.columns", "[\"a=b\"]",
     "has \"a=b\", but names of folders", NULL},
    {"columns none by date", "d", "partitioning.columns", "[]",
     "has 0 names, but partitioning.type date takes one to four", NULL},
    {"columns two by version", "v", "partitioning.columns", "[\"a\", \"b\"]",
     "has 2 names, but partitioning.type version takes one", NULL},
    {"columns without partitions", "n", "partitioning.columns", "[\"a\"]",
     "has 1 names, but partitioning.type none takes none", NULL},
    {"time by version", "v", "partitioning.time", "\"ts\"",
     "goes with partitioning by date, but this is by version", NULL},
    {"time by none", "n", "partitioning.time", "\"ts\"",
     "goes with partitioning by date, but this is by none", NULL},
    {"time a number", "d", "partitioning.time", "3", "must be the name of a column", NULL},
    {"stream overwrite", "s", "storage_mode", "\"overwrite\"", "a stream's events are appended",
     NULL},
    {"table append", "t", "storage_mode", "\"append\"", "each export of a table is complete", NULL},
    {"mode misspelt", "", "storage_mode", "\"apend\"", "Did you mean append?", NULL},
    {"mode null by append", "sdi", "storage_mode", "12", "must be one of append, overwrite, ignore",
     NULL},
    {"append by version", "sa", "partitioning.type", "\"version\"",
     "storage_mode append needs partitioning by date", NULL},
    {"append by none", "sa", "partitioning.type", "\"none\"",
     "storage_mode append needs partitioning by date", NULL},
    {"overwrite by date", "to", "partitioning.type", "\"date\"",
     "storage_mode overwrite needs partitioning by version", NULL},
    {"overwrite by none", "to", "partitioning.type", "\"none\"",
     "storage_mode overwrite needs partitioning by version", NULL},
    {"format", "", "format", "\"orc\"", "is \"orc\", but it must be parquet", NULL},
    {"compression", "", "compression", "\"gzip\"", "must be one of snappy, zstd", NULL},
    {"compression null in a list", "", "compression", "[null]", "must be one of snappy, zstd",
     NULL},
    {"bloom a text", "", "bloom_filters", "\"id\"", "must be a list of column names", NULL},
    {"bloom twice", "", "bloom_filters", "[\"id\", \"x\", \"ID\"]", "has \"ID\" twice", NULL},
    {"bloom null", "", "bloom_filters", "[null]", "holds null, which is no name", NULL},
    {"days a text", "d", "retention_days", "\"365\"",
     "is \"365\", but it must be a whole number from 0 to 36500", NULL},
    {"days with a fraction", "d", "retention_days", "36.5",
     "is 36.5, but it must be a whole number", NULL},
    {"days negative", "d", "retention_days", "-1", "is -1, but it must be a whole number from 0",
     NULL},
    {"wait of nothing", "", "wait_ms", "0", "from 1 to 600000", NULL},
    {"days too many", "d", "retention_days", "36501", "from 0 to 36500", NULL},
    {"days by version", "v", "retention_days", "7",
     "goes with partitioning by date, but partitioning.type is \"version\"", NULL},
    {"days by none", "n", "retention_days", "7",
     "goes with partitioning by date, but partitioning.type is \"none\"", NULL},
    {"versions by date", "d", "retention_versions", "7",
     "goes with partitioning by version, but partitioning.type is \"date\"", NULL},
    {"versions a text", "v", "retention_versions", "\"7\"", "must be a whole number", NULL},
    {"versions negative", "v", "retention_versions", "-7", "must be a whole number", NULL},
    {"permissions a number", "", "permissions", "750",
     "is 750, but it must be octal digits in quotes", NULL},
    {"permissions not octal", "", "permissions", "\"785\"", "must be octal digits", NULL},
    {"permissions too few", "", "permissions", "\"644\"", "between \"700\" and \"777\"", NULL},
    {"permissions setuid", "", "permissions", "\"4755\"", "between \"700\" and \"777\"", NULL},
    {"permissions words", "", "permissions", "\"rwxr-x---\"", "must be octal digits", NULL},
    {"enabled a text", "", "enabled", "\"true\"", "must be true or false, without quotes", NULL},
    {"enabled a number", "", "enabled", "1", "is 1, but it must be true or false", NULL},
    {"created yesterday", "", "created_at", "\"yesterday\"", "must be an ISO 8601 time", NULL},
    {"created in month 13", "", "created_at", "\"2025-13-01T00:00:00Z\"",
     "must be an ISO 8601 time", NULL},
    {"created with a blank", "", "created_at", "\"2025-01-15 10:00:00\"",
     "must be an ISO 8601 time", NULL},
    {"created a number", "", "created_at", "1736935200", "must be an ISO 8601 time", NULL},
    {"server empty", "", "server", "\"\"", "must be a non-empty text", NULL},
    {"table without schema", "", "table", "\"payments\"", "must be a table with its schema", NULL},
    {"table with a hole", "", "table", "\"a..b\"", "must be a table with its schema", NULL},
    {"table ends", "", "table", "\"a.\"", "must be a table with its schema", NULL},
    {"table a number", "", "table", "1", "must be a table with its schema", NULL},
    {"ref a list", "", "ref", "[]", "must be a non-empty text", NULL},
    {"resume", "s", "resume", "\"pull\"", "must be one of push, kafka", NULL},
    {"resume of a table", "t", "resume", "\"kafka\"", "a table is always read from the beginning",
     NULL},
    {"kafka of a table", "t", "kafka", "\"shop\"", "goes with \"resume\": \"kafka\" only", NULL},
    {"query", "t", "query", "\"poll\"", "must be one of auto, pull, push", NULL},
    {"query of a stream", "s", "query", "\"pull\"", "goes with tables", NULL},
    {"properties a list", "", "properties", "[]", "must be an object", NULL},
    {"properties nested", "", "properties", "{\"a\": {\"b\": 1}}", "\"a\" is {\"b\": 1}", NULL},
    {"properties of firn", "", "properties", "{\"firn.offsets.x\": \"1\"}",
     "firn keeps its own properties", NULL},
    {"quality a text", "", "quality", "\"good\"", "must be an object", NULL},
    {"quality unknown", "", "quality", "{\"row\": {\"min\": 1}}", "no quality rule \"quality.row\"",
     NULL},
    {"quality never right", "", "quality", "{\"rows\": {\"min\": 5, \"max\": 4}}", "is above",
     "quality.rows.min"},
    {"a dot in a key", "", "properties.", NULL, "a dot in the reference means a key below a key",
     "partitioning.type"},
    {"unknown key", "", "wobble", "1", "lists all keys", NULL},
    {"retention by hours", "", "retention_hours", "1", "there is no key \"retention_hours\"", NULL},
};

/* What is done to the text. */
typedef enum feed_text_mutation {
    FEED_CUT,
    FEED_TRAILING,
    FEED_COMMENT,
    FEED_SINGLE_QUOTES,
    FEED_BOM,
    FEED_UTF8,
    FEED_NUL,
    FEED_TWICE,
    FEED_LIST,
    FEED_EMPTY,
    FEED_MISSPELT_KEY,
    FEED_LONG,
    FEED_N_TEXT_MUTATIONS
} feed_text_mutation;

static inline const char *feed_replace_first(firn_arena *arena, const char *text, const char *from,
                                             const char *to)
{
    const char *at = strstr(text, from);
    return at == NULL ? text
                      : firn_arena_printf(arena, "%.*s%s%s", (int)(at - text), text, to,
                                          at + strlen(from));
}

static inline void feed_break_text(firn_arena *arena, feed_random *r, feed_case *c)
{
    static const char *const NAMES[] = {[FEED_CUT] = "cut off",
                                        [FEED_TRAILING] = "text behind it",
                                        [FEED_COMMENT] = "a comment",
                                        [FEED_SINGLE_QUOTES] = "single quotes",
                                        [FEED_BOM] = "a BOM",
                                        [FEED_UTF8] = "no UTF-8",
                                        [FEED_NUL] = "a NUL",
                                        [FEED_TWICE] = "a key twice",
                                        [FEED_LIST] = "a list",
                                        [FEED_EMPTY] = "empty",
                                        [FEED_MISSPELT_KEY] = "misspelt",
                                        [FEED_LONG] = "long"};
    feed_text_mutation how = (feed_text_mutation)feed_below(r, FEED_N_TEXT_MUTATIONS);
    c->mutation = NAMES[how];
    c->reason = "this is not valid JSON";
    c->key = NULL;
    switch (how) {
    case FEED_CUT: {
        size_t end = strlen(c->text);
        while (end > 0 && strchr("}\n", c->text[end - 1]) != NULL) {
            end--;
        }
        c->text = firn_arena_strndup(arena, c->text, 1 + feed_below(r, end - 1));
        break;
    }
    case FEED_TRAILING: c->text = firn_arena_printf(arena, "%s}", c->text); break;
    case FEED_COMMENT: c->text = firn_arena_printf(arena, "// mine\n%s", c->text); break;
    case FEED_SINGLE_QUOTES: c->text = firn_str_replace(arena, c->text, "\"", "'"); break;
    case FEED_BOM: c->text = firn_arena_printf(arena, "\xEF\xBB\xBF%s", c->text); break;
    case FEED_UTF8: c->text = feed_replace_first(arena, c->text, c->name, "\xC3\x28"); break;
    case FEED_NUL: c->text = feed_replace_first(arena, c->text, c->name, "a\\u0000b"); break;
    case FEED_TWICE:
        c->text = feed_replace_first(arena, c->text, "{", "{\n\"feed_type\": \"table\",");
        c->reason = "duplicate object key near '\"feed_type\"'";
        break;
    case FEED_LIST:
        c->text = firn_arena_printf(arena, "[%s]", c->text);
        c->reason = "the file must hold an object";
        break;
    case FEED_EMPTY: c->text = ""; break;
    case FEED_MISSPELT_KEY:
        c->text = firn_str_replace(arena, c->text, "\"ksqldb_source\"", "\"ksqldb_sourec\"");
        c->key = "ksqldb_sourec";
        c->reason = "Did you mean \"ksqldb_source\"?";
        break;
    default: {
        char *filler = firn_arena_alloc(arena, 5001);
        memset(filler, 'x', 5000);
        filler[5000] = '\0';
        feed_take(arena, c->json, "description");
        json_object_set_new(c->json, "description", json_string(filler));
        c->text = firn_export_feed_text(arena, c->json);
        c->key = "description";
        c->reason = "has 5000 bytes; at most 4096 are allowed";
    }
    }
}

static inline bool feed_matches(const feed_case *c, const feed_mutation *m)
{
    for (const char *at = m->for_which; *at != '\0'; at++) {
        if (*at != c->kind && *at != c->mode && *at != c->partitioning) {
            return false;
        }
    }
    return true;
}

static inline void feed_mutate(firn_arena *arena, const feed_mutation *m, feed_case *c)
{
    c->mutation = m->name;
    c->reason = m->reason;
    c->key = m->named != NULL ? m->named : m->key;
    if (firn_streq(m->name, "a dot in a key")) {
        json_object_set_new(c->json, "partitioning.type", json_string("date"));
    } else if (m->value == NULL) {
        feed_take(arena, c->json, m->key);
    } else {
        if (strchr(m->key, '.') == NULL) {
            feed_take(arena, c->json, m->key);
        }
        feed_put(arena, c->json, m->key, m->value);
    }
    c->text = firn_export_feed_text(arena, c->json);
}

enum { FEED_N_MUTATIONS = sizeof(FEED_MUTATIONS) / sizeof(FEED_MUTATIONS[0]) };

static inline feed_case feed_case_broken(firn_arena *arena, feed_random *r, const char *name)
{
    for (;;) {
        feed_case c = feed_case_valid(arena, r, name);
        size_t which = feed_below(r, FEED_N_MUTATIONS + FEED_N_TEXT_MUTATIONS);
        if (which >= FEED_N_MUTATIONS) {
            feed_break_text(arena, r, &c);
            return c;
        }
        if (feed_matches(&c, &FEED_MUTATIONS[which])) {
            feed_mutate(arena, &FEED_MUTATIONS[which], &c);
            return c;
        }
    }
}

#endif
