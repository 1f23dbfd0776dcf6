/* The keys of a feed's file, read into a firn_export_feed; what its values mean together is feed.c's. */
#ifndef EXPORT_FEED_KEYS_H
#define EXPORT_FEED_KEYS_H

#include "export/feed.h"

#include "base/yaml.h"

enum {
    FIRN_EXPORT_NAME_BYTES_MAX = 100,
    FIRN_EXPORT_DATE_COLUMNS_MAX = 4,
    FIRN_EXPORT_BLOOM_MAX = 100,
    FIRN_EXPORT_FILE_BYTES_MAX = 1 << 20,
};

/* Static defaults, then the file's values, each checked by itself. `yaml` is the file, for lines. CONFIG with file, line and key. */
firn_rc firn_export_keys_read(firn_arena *arena, firn_bytes text, const char *filename,
                              firn_yaml *yaml, firn_export_feed *out, firn_err *err) FIRN_MUST_USE;

/* The value under a dotted path, NULL when it is not there or null. */
json_t *firn_export_key_at(const json_t *json, const char *path);

/* "FILE:LINE: KEY <what>" as a CONFIG error; the line is the key's, or that of the section which it would stand in. */
firn_rc firn_export_bad_key(const firn_yaml *yaml, const char *path, firn_err *err,
                            const char *format, ...) FIRN_PRINTF(4, 5);

/* Place of a key ("enabled", "partitioning", "partitioning.type") in the order of the table; behind all when unknown. */
size_t firn_export_key_order(const char *key);

/* JSON in one line, numbers as short as they can be. */
char *firn_export_json_line(firn_arena *arena, const json_t *json);

#endif
