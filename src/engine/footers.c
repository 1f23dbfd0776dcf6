/* The cache of Parquet column trees. Files of one writer have equal trees, so a tree is kept once per shape and a path is an entry of
 * a map; what is looked up is asked of DuckDB in one query for all the files that are not known yet.
 */
#include "footers.h"

#include "duck.h"
#include "read_shape.h"

#include "base/map.h"

#include <stdlib.h>

enum { COLUMNS_MAX = 100000, DEPTH_MAX = 64 };

struct firn_footer_cache {
    pthread_mutex_t lock;
    firn_arena *arena;
    firn_map *by_path; /* firn_footer */
    firn_map *by_key;
};

firn_footer_cache *firn_footer_cache_new(void)
{
    firn_footer_cache *cache = firn_calloc(1, sizeof(*cache));
    pthread_mutex_init(&cache->lock, NULL);
    cache->arena = firn_arena_new();
    cache->by_path = firn_map_new(cache->arena);
    cache->by_key = firn_map_new(cache->arena);
    return cache;
}

void firn_footer_cache_free(firn_footer_cache *cache)
{
    if (cache != NULL) {
        pthread_mutex_destroy(&cache->lock);
        firn_arena_free(cache->arena);
        free(cache);
    }
}

/* ---- rows of parquet_schema to trees ------------------------------------------------------------------ */

enum {
    C_FILE,
    C_NAME,
    C_TYPE,
    C_REPETITION,
    C_CHILDREN,
    C_FIELD_ID,
    C_LOGICAL,
    C_CONVERTED,
    C_DUCK,
    C_LENGTH
};

#define SCHEMA_QUERY                                                                                                                 \
    "SELECT file_name, name, type, repetition_type, num_children, field_id, logical_type, converted_type, duckdb_type, type_length " \
    "FROM parquet_schema(%s)"

typedef struct reader {
    firn_arena *arena;
    const firn_duck_cells *rows;
    size_t at;
    const char *file;
    firn_buf key;
    bool has_field_ids;
} reader;

static const char *or_empty(const char *text)
{
    return text != NULL ? text : "";
}

static firn_rc read_column(reader *r, firn_footer_column *out, int depth, firn_err *err)
{
    if (r->at >= r->rows->n_rows || depth > DEPTH_MAX) {
        FIRN_FAIL(err, FIRN_E_CORRUPT, "the column tree of %s is cut off or deeper than %d levels",
                  r->file, DEPTH_MAX);
    }
    const char *const *row = r->rows->cells[r->at++];
    int64_t children = 0, field_id = -1, length = 0;
    if (row[C_CHILDREN] != NULL &&
        (!firn_parse_i64(row[C_CHILDREN], &children) || children < 0 || children > COLUMNS_MAX)) {
        FIRN_FAIL(err, FIRN_E_CORRUPT, "a column of %s has %s children", r->file, row[C_CHILDREN]);
    }
    if (row[C_FIELD_ID] == NULL || !firn_parse_i64(row[C_FIELD_ID], &field_id)) {
        field_id = -1;
    }
    if (row[C_LENGTH] == NULL || !firn_parse_i64(row[C_LENGTH], &length) || length < 0) {
        length = 0;
    }
    *out = (firn_footer_column){
        .name = firn_arena_strdup(r->arena, or_empty(row[C_NAME])),
        .field_id = (int32_t)field_id,
        .duck_type = children > 0 ? NULL : firn_arena_strdup(r->arena, row[C_DUCK]),
        .physical = children > 0 ? NULL : firn_arena_strdup(r->arena, row[C_TYPE]),
        .is_list = firn_streq(or_empty(row[C_CONVERTED]), "LIST") ||
                   firn_starts_with(or_empty(row[C_LOGICAL]), "List"),
        .is_map = firn_starts_with(or_empty(row[C_CONVERTED]), "MAP") ||
                  firn_starts_with(or_empty(row[C_LOGICAL]), "Map"),
        .type_length = length <= INT32_MAX ? (int32_t)length : 0,
        .nanoseconds = strstr(or_empty(row[C_LOGICAL]), "NANOS=Nano") != NULL,
        .repeated = firn_streq(or_empty(row[C_REPETITION]), "REPEATED"),
        .n_children = (size_t)children,
    };
    r->has_field_ids = r->has_field_ids || (depth > 0 && field_id >= 0);
    firn_buf_printf(&r->key, "%s\x1f%d\x1f%s\x1f%d\x1f%s\x1f%d%d%d%d(", depth > 0 ? out->name : "",
                    out->field_id, or_empty(out->duck_type), out->type_length,
                    or_empty(out->physical), out->is_list, out->is_map, out->repeated,
                    out->nanoseconds);
    out->children = FIRN_NEW_N(r->arena, firn_footer_column, out->n_children);
    for (size_t i = 0; i < out->n_children; i++) {
        FIRN_TRY(read_column(r, &out->children[i], depth + 1, err));
    }
    firn_buf_putc(&r->key, ')');
    return FIRN_OK;
}

/* Trees of all files in `rows`, put into the cache under the paths that DuckDB names. @locks cache->lock held */
static firn_rc read_trees(firn_footer_cache *cache, const firn_duck_cells *rows, firn_err *err)
{
    reader r = {.arena = cache->arena, .rows = rows};
    firn_rc rc = FIRN_OK;
    while (rc == FIRN_OK && r.at < rows->n_rows) {
        firn_footer *footer = FIRN_NEW(cache->arena, firn_footer);
        r.file = rows->cells[r.at][C_FILE];
        r.has_field_ids = false;
        firn_buf_clear(&r.key);
        rc = read_column(&r, &footer->root, 0, err);
        if (rc != FIRN_OK) {
            break;
        }
        footer->has_field_ids = r.has_field_ids;
        const char *key = firn_buf_cstr(&r.key);
        firn_footer *known = firn_map_get(cache->by_key, key);
        if (known == NULL) {
            footer->key = firn_arena_printf(cache->arena, "%zu", firn_map_len(cache->by_key));
            firn_map_put(cache->by_key, key, footer);
            known = footer;
        }
        firn_map_put(cache->by_path, r.file, known);
    }
    firn_buf_deinit(&r.key);
    return rc;
}

/* ---- looking up ---------------------------------------------------------------------------------------- */

static firn_rc load(firn_session *session, firn_arena *arena, const char *const *paths, size_t n,
                    firn_err *err)
{
    FIRN_AUTO_BUF firn_buf list = {0};
    firn_read_file_list(arena, &list, paths, n);
    firn_duck_cells rows;
    FIRN_TRY(firn_duck_rows(
        session, arena, firn_arena_printf(arena, SCHEMA_QUERY, firn_buf_cstr(&list)), &rows, err));
    firn_footer_cache *cache = session->engine->footers;
    pthread_mutex_lock(&cache->lock);
    firn_rc rc = read_trees(cache, &rows, err);
    pthread_mutex_unlock(&cache->lock);
    return rc;
}

/* Fills what the cache has; the rest goes to `missing`. */
static size_t look_up(firn_footer_cache *cache, const char *const *paths, size_t n,
                      const firn_footer **out, const char **missing)
{
    size_t n_missing = 0;
    pthread_mutex_lock(&cache->lock);
    for (size_t i = 0; i < n; i++) {
        out[i] = firn_map_get(cache->by_path, paths[i]);
        if (out[i] == NULL) {
            missing[n_missing++] = paths[i];
        }
    }
    pthread_mutex_unlock(&cache->lock);
    return n_missing;
}

firn_rc firn_footers(firn_session *session, const char *const *paths, size_t n,
                     const firn_footer **out, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const char **missing = FIRN_NEW_N(arena, const char *, n);
    size_t n_missing = look_up(session->engine->footers, paths, n, out, missing);
    if (n_missing == 0) {
        return FIRN_OK;
    }
    FIRN_TRY(load(session, arena, missing, n_missing, err));
    if (look_up(session->engine->footers, paths, n, out, missing) > 0) {
        FIRN_FAIL(err, FIRN_E_CORRUPT, "the columns of %s could not be read", missing[0]);
    }
    return FIRN_OK;
}
