/* Paths of the Hive layout: "year=2024/city=M%C3%BCnchen/part-0.parquet" to partition keys and values. Text only; no file is
 * touched. Written by Spark, Hive, Trino, pyarrow and DuckDB, which agree on this much:
 *
 *   - a folder "key=value" gives the column `key` that value for every file below it;
 *   - in both, %XX stands for a byte; the result must be UTF-8 without NUL;
 *   - __HIVE_DEFAULT_PARTITION__ is null;
 *   - files and folders that start with "." or "_" are not data (_SUCCESS, _temporary, .part.crc), except folders like "_k=1".
 *
 * Everything lives in the arena. Errors: INVALID names the path.
 */
#ifndef LAKE_HIVE_PATH_H
#define LAKE_HIVE_PATH_H

#include "iceberg/value.h"

#define FIRN_HIVE_NULL "__HIVE_DEFAULT_PARTITION__"

enum { FIRN_HIVE_KEYS_MAX = 64 };

typedef struct firn_hive_key {
    const char *name;
    const char *value; /* NULL: null */
} firn_hive_key;

/* Hidden by its own name or by that of a folder above it. `relative` has no leading slash. */
bool firn_hive_is_hidden(const char *relative);
/* The keys in the order of the folders; folders without "=" are passed over. */
firn_rc firn_hive_path_parse(firn_arena *arena, const char *relative, firn_hive_key **keys,
                             size_t *n, firn_err *err) FIRN_MUST_USE;

/* What type holds all values seen: start with UNKNOWN (nulls alone), widen by each value. INT, LONG, DATE and STRING come out.
 * Numbers are digits with an optional minus, so "007" is 7, as for Spark. */
firn_type_id firn_hive_type_widen(firn_type_id so_far, const char *value);

#endif
