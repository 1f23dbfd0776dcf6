/* Feeds: one YAML file each under the lake's feeds/ folder, named after the feed (feeds/orders.yaml).
 *
 *   source: shop                     # a connection of firn.yaml's `sources`
 *   topics: [orders, "^shop[.].*"]   # names, or patterns that start with ^
 *   format: auto                     # avro json_schema protobuf json avro_raw protobuf_raw string bytes auto
 *   key_format: none                 # the same, or none
 *   schema: "id bigint, ts timestamptz"   # json without a registry: declared columns; absent: inferred
 *   table: bronze.orders             # "${topic}" in it: one table per topic
 *   ref: main                        # branch it is written to
 *   mode: append                     # append | upsert | debezium
 *   key: [order_id]                  # upsert: columns; absent: the message key's fields
 *   change_log: bronze.orders_log    # debezium: also append every change here
 *   columns: {key: _key, kafka: _kafka}   # extra columns and their names; absent: none
 *   transform: SELECT ... FROM batch
 *   route: {by: "lower(country)", table: "bronze.orders_${route}"}   # fan-out; `table` above takes the rest and holds the offsets
 *   partition_by: [day(ts)]          # of tables that are created
 *   sort_by: [customer_id]
 *   properties: {write.format-version: 3}
 *   start: earliest                  # earliest | latest | 2026-11-01T00:00:00Z: of partitions never read before
 *   evolve: {columns: true, on_unsafe: stop}      # stop | dead_letters
 *   dead_letters: {table: bronze.orders__dead_letters, stop_after: 0, stop_percent: 0}   # 0: never
 *   commit: {every: 10s, rows: 0, bytes: 512MB}
 *   memory: 512MB                    # decoded rows that wait for their commit
 *   group: firn-<lake>-<feed>        # Kafka consumer group
 *   enabled: true
 *
 * Keys are declared once, in feed_keys.c (as firn.yaml's are in lake/config.c); docs/reference/feeds.md is made from them.
 * Errors: CONFIG with file, line and the nearest known key; NOT_FOUND.
 */
#ifndef INGEST_FEED_H
#define INGEST_FEED_H

#include "engine/engine.h"
#include "source/decode.h"

typedef enum firn_feed_mode {
    FIRN_FEED_APPEND,
    FIRN_FEED_UPSERT,
    FIRN_FEED_DEBEZIUM
} firn_feed_mode;

typedef struct firn_feed {
    const char *name, *path;
    const char *source;
    const char *const *topics;
    size_t n_topics;
    firn_payload_options value, key_payload;
    const char *table; /* as written; may hold ${topic} */
    const char *ref;
    firn_feed_mode mode;
    const char *const *key;
    size_t n_key;
    const char *change_log;
    const char *key_column, *kafka_column; /* NULL: left out */
    const char *transform, *route_by, *route_table;
    const char *const
        *partition_by; /* as in SQL; each list with its length behind it (feed_keys.c) */
    size_t n_partition_by;
    const char *const *sort_by;
    size_t n_sort_by;
    const json_t *properties; /* object of strings; nullable */
    const char *start;
    bool evolve;
    bool unsafe_to_dead_letters;
    const char *dead_letters; /* NULL: "<table>__dead_letters" */
    int64_t stop_after, stop_percent;
    int64_t commit_ms, commit_rows, commit_bytes;
    int64_t memory_bytes;
    const char *group;
    bool enabled;
} firn_feed;

firn_rc firn_feed_parse(firn_arena *arena, firn_bytes text, const char *filename, const char *name,
                        firn_feed *out, firn_err *err) FIRN_MUST_USE;
firn_rc firn_feed_load(firn_lake *lake, firn_arena *arena, const char *name, firn_feed *out,
                       firn_err *err) FIRN_MUST_USE; /* NOT_FOUND with the nearest name */
/* Of the files, sorted; whether they can be read is another question. */
firn_rc firn_feed_names(firn_lake *lake, firn_arena *arena, char ***out, size_t *n,
                        firn_err *err) FIRN_MUST_USE;
firn_rc firn_feed_list(firn_lake *lake, firn_arena *arena, firn_feed **out, size_t *n,
                       firn_err *err) FIRN_MUST_USE;
/* Every key with its value as text (NULL: not set), in the order of the reference. */
typedef struct firn_feed_setting {
    const char *key, *value;
} firn_feed_setting;
void firn_feed_settings(firn_arena *arena, const firn_feed *feed, firn_feed_setting **out,
                        size_t *n);
/* The reference page docs/reference/feeds.md. */
char *firn_feed_reference(firn_arena *arena);

#endif
