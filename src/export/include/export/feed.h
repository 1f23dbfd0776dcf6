/* Export feeds: one JSON file each, from a ksqlDB stream or table into an Iceberg table and a folder tree.
 *
 *   feeds/active/payment_stream.json     feeds/archived/old_stream.json
 *
 *   {
 *     "feed_name": "payment_stream",           the file's name, too
 *     "feed_type": "stream",                   stream | table
 *     "ksqldb_source": "payment_stream",
 *     "description": "Stream des paiements",
 *     "partitioning": {"type": "date", "columns": ["year", "month", "day"]},    date | version | none
 *     "storage_mode": "append",                append | overwrite | ignore
 *     "format": "parquet",
 *     "retention_days": 365,                   or "retention_versions": 7
 *     "enabled": true,
 *     "created_at": "2025-01-15T10:00:00Z"
 *   }
 *
 * and, all optional: "partitioning.time" (a column or "ROWTIME": rows are filed by the day of their event; absent: by the day of the
 * export), "server" (a source of firn.yaml), "table" ("streams.payment_stream"), "ref", "compression" (snappy | zstd),
 * "bloom_filters" (columns), "permissions" ("750"), "resume" (push | kafka), "kafka" (a source of firn.yaml), "query" (auto | pull |
 * push: how a table is asked for), "wait_ms", "properties" (of the table), "quality" (export/quality.h). docs/reference/export-feeds.md has them all,
 * made from the one table of keys in feed_keys.c.
 *
 * Editing a file is enough: it is read at each use. Errors: CONFIG names the file, the field and the reason, with the nearest known key;
 * NOT_FOUND with the nearest name; EXISTS.
 */
#ifndef EXPORT_FEED_H
#define EXPORT_FEED_H

#include "lake/lake.h"

typedef enum firn_export_kind { FIRN_EXPORT_STREAM, FIRN_EXPORT_TABLE } firn_export_kind;
typedef enum firn_export_partitioning {
    FIRN_EXPORT_BY_DATE,
    FIRN_EXPORT_BY_VERSION,
    FIRN_EXPORT_UNPARTED
} firn_export_partitioning;
typedef enum firn_export_mode {
    FIRN_EXPORT_APPEND,    /* streams: each export continues where the table stands */
    FIRN_EXPORT_OVERWRITE, /* tables: each export is a complete new version */
    FIRN_EXPORT_IGNORE     /* reference data: written once */
} firn_export_mode;
typedef enum firn_export_query {
    FIRN_EXPORT_QUERY_AUTO,
    FIRN_EXPORT_QUERY_PULL,
    FIRN_EXPORT_QUERY_PUSH
} firn_export_query;

typedef struct firn_export_feed {
    const char *name, *path;
    bool archived;
    firn_export_kind kind;
    const char *ksqldb_source;
    const char *description; /* "" when not given */
    firn_export_partitioning partitioning;
    const char *const *
        columns; /* by date: 1 to 4 names for year, month, day, hour; by version: one; of the table and of the folders */
    size_t n_columns;
    const char *time; /* NULL: filed by the day of the export */
    firn_export_mode mode;
    int64_t retention_days;     /* 0: for ever */
    int64_t retention_versions; /* 0: all */
    bool enabled;
    const char
        *created_at;    /* ISO 8601; not in the file: the file's time (after a parse alone: NULL) */
    const char *server; /* NULL: the only ksqlDB source */
    const char *table;  /* "streams.payment_stream" */
    const char *ref;
    const char *compression;
    const char *const *bloom_filters;
    size_t n_bloom_filters;
    int permissions;   /* of the feed's folders: 0750; files have them without x */
    bool by_kafka;     /* resume: kafka */
    const char *kafka; /* NULL: the only Kafka source */
    firn_export_query query;
    int64_t wait_ms; /* a push query has given all when no row came for so long */
    const json_t *properties, *quality; /* nullable */
    const json_t *json;                 /* the whole file */
} firn_export_feed;

/* Checks everything that the file alone can tell. filename is for messages; name: what the file is called, without .json. */
firn_rc firn_export_feed_parse(firn_arena *arena, firn_bytes text, const char *filename,
                               const char *name, firn_export_feed *out,
                               firn_err *err) FIRN_MUST_USE;
/* Active, else archived. */
firn_rc firn_export_feed_load(firn_lake *lake, firn_arena *arena, const char *name,
                              firn_export_feed *out, firn_err *err) FIRN_MUST_USE;

/* A feed's file that cannot be used does not hide the others. */
typedef struct firn_export_listed {
    const char *name;
    bool archived;
    firn_export_feed feed; /* unless broken */
    const char *broken;    /* why; NULL: it is fine */
} firn_export_listed;
/* Sorted by name, active ones first. A feed that is in both folders is the active one. */
firn_rc firn_export_feed_list(firn_lake *lake, firn_arena *arena, firn_export_listed **out,
                              size_t *n, firn_err *err) FIRN_MUST_USE;

/* <lake>/streams/<name> or <lake>/tables/<name>. */
char *firn_export_folder(firn_lake *lake, firn_arena *arena, const firn_export_feed *feed);

/* "streams.payments" or "streams.\"a.b\"" as an identifier; ns is "" when the text has no schema. */
firn_ident firn_export_table_ident(firn_arena *arena, const char *text);

bool firn_export_is_feed_name(const char *name);
/* By its ending: "..._anonymized". Such streams are kept for 730 days and may be read by all. */
bool firn_export_is_anonymized(const char *name);
const char *firn_export_kind_name(firn_export_kind kind); /* "stream", "table" */

/* ---- changing ------------------------------------------------------------------------------------------------------
 * Files are written whole, after they were checked as they will be read, by one process at a time (BUSY). Killed at any point, a feed is
 * there, once or, while it moves between the folders, in both, where the active file counts. Fault points: "feed.write", "feed.copied". */

/* EXISTS: a feed of that name, of Kafka's too; CONFIG also for a server that firn.yaml does not have. Makes the feed's folder. `json` is what stands in the file, in that order. */
firn_rc firn_export_feed_add(firn_lake *lake, firn_arena *arena, const char *name,
                             const json_t *json, firn_export_feed *out,
                             firn_err *err) FIRN_MUST_USE;
/* The feed's folder with its permissions, if it is not there. */
firn_rc firn_export_folder_make(firn_lake *lake, firn_arena *arena, const firn_export_feed *feed,
                                firn_err *err) FIRN_MUST_USE;

typedef struct firn_export_change {
    const char *key; /* dotted */
    json_t *value;   /* NULL: the key is taken out */
} firn_export_change;
/* To what is not in a file yet. */
firn_rc firn_export_json_change(firn_arena *arena, json_t *json, const firn_export_change *change,
                                firn_err *err) FIRN_MUST_USE;
/* All of them or none. What else is in the file stays, in its order. INVALID for an archived feed. */
firn_rc firn_export_feed_change(firn_lake *lake, firn_arena *arena, const char *name,
                                const firn_export_change *changes, size_t n, firn_export_feed *out,
                                firn_err *err) FIRN_MUST_USE;
/* A value as it is typed, "365" or "a,b", made what the key holds. INVALID with the nearest key. */
firn_rc firn_export_key_value(firn_arena *arena, const char *key, const char *text, json_t **out,
                              firn_err *err) FIRN_MUST_USE;

/* To the other folder, with "enabled": false, and back, with true. EXISTS when it is there already. */
firn_rc firn_export_feed_archive(firn_lake *lake, firn_arena *arena, const char *name,
                                 firn_err *err) FIRN_MUST_USE;
firn_rc firn_export_feed_restore(firn_lake *lake, firn_arena *arena, const char *name,
                                 firn_export_feed *out, firn_err *err) FIRN_MUST_USE;

/* The file of a new feed, as the seed has it: what holds stands there, so that it can be seen and edited. */
typedef struct firn_export_new {
    const char *name, *source; /* source NULL: the name */
    firn_export_kind kind;
    const char *description;  /* nullable */
    const char *partitioning; /* NULL: by the kind */
    const char *mode;         /* NULL: by the kind */
    const char *server;       /* nullable */
    int64_t now_us;           /* created_at */
} firn_export_new;
json_t *firn_export_feed_json(firn_arena *arena, const firn_export_new *feed);
/* JSON as feeds' files are written. */
char *firn_export_feed_text(firn_arena *arena, const json_t *json);

/* ---- showing ----------------------------------------------------------------------------------------------------- */

/* Every key with its value as text (NULL: not set), in the order of the reference. */
typedef struct firn_export_setting {
    const char *key, *value;
    bool given; /* by the file; else it is the default */
} firn_export_setting;
void firn_export_feed_settings(firn_arena *arena, const firn_export_feed *feed,
                               firn_export_setting **out, size_t *n);
/* The reference page docs/reference/export-feeds.md. */
char *firn_export_feed_reference(firn_arena *arena);

#endif
