/* Column trees of Parquet files, for the tables where the table's schema does not tell how a file must be read: files without
 * field ids, nested columns that have evolved, identity-partition columns that may not be in the file.
 *
 * Looked up by DuckDB's parquet_schema for many files at once and kept per process: data files never change. @locks its own.
 */
#ifndef ENGINE_FOOTERS_H
#define ENGINE_FOOTERS_H

#include "session.h"

typedef struct firn_footer_column firn_footer_column;
struct firn_footer_column {
    const char *name;
    int32_t field_id;      /* -1: none */
    const char *duck_type; /* leaves: as DuckDB reads it, "INTEGER"; NULL for groups */
    const char *physical;  /* leaves: "INT32" */
    int32_t type_length;   /* FIXED_LEN_BYTE_ARRAY; else 0 */
    bool is_list, is_map, repeated;
    bool nanoseconds; /* a timestamp or time in nanoseconds, which DuckDB's type may not tell */
    firn_footer_column *children;
    size_t n_children;
};

typedef struct firn_footer {
    firn_footer_column root;
    bool has_field_ids; /* on at least one column */
    const char *key;    /* equal for files of equal shape: names, ids, nesting, types */
} firn_footer;

typedef struct firn_footer_cache firn_footer_cache;
firn_footer_cache *firn_footer_cache_new(void);
void firn_footer_cache_free(firn_footer_cache *cache);

/* One per path (as DuckDB opens them); they live as long as the engine. */
firn_rc firn_footers(firn_session *session, const char *const *paths, size_t n,
                     const firn_footer **out, firn_err *err) FIRN_MUST_USE;

#endif
