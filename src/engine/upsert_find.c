/* Which rows of a table have the keys of an upsert.
 *
 * Files are left aside by three sieves: partitions and bounds against the range (or list) of each key column, as in every scan; then, file
 * by file, whether any of the keys lies within its bounds at all, which tells files apart that were written in the order of the key.
 * What is left is read by its key columns only and joined with __firn_keys.
 *
 * A file is looked into once. Later heads may have more deletes on it: then some of the rows found are gone already, and deleting them
 * again does no harm. Rows come back only when a table is rolled back; so when the head does not descend from the one before, everything
 * is forgotten.
 */
#include "upsert.h"

#include "duck.h"
#include "read.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    LISTED_MAX = 200,         /* values of a predicate; beyond it their range must do */
    VALUES_MAX = 1000 * 1000, /* kept in memory to look at single files */
};

/* Distinct values of a key column, ascending; only the first and the last when there are very many. */
typedef struct firn_key_values {
    const firn_type *type; /* NULL: bounds of this type say nothing */
    firn_value *items;
    size_t n;
    bool only_range;
} firn_key_values;

/* ---- values of the keys ---------------------------------------------------------------------------------- */

/* Types whose bounds in manifests every writer orders as SQL does: floating ones have NaN and two zeros, and Java compares UUIDs with
 * a sign. */
static bool has_useful_bounds(const firn_type *type)
{
    switch (type->id) {
    case FIRN_TYPE_INT:
    case FIRN_TYPE_LONG:
    case FIRN_TYPE_DECIMAL:
    case FIRN_TYPE_DATE:
    case FIRN_TYPE_TIME:
    case FIRN_TYPE_TIMESTAMP:
    case FIRN_TYPE_TIMESTAMPTZ:
    case FIRN_TYPE_TIMESTAMP_NS:
    case FIRN_TYPE_STRING: return true;
    default: return false;
    }
}

/* Numbers and strings out of the vector, the rest by their text. */
static const char *value_column(const firn_type *type, const char *key, firn_arena *arena)
{
    switch (type->id) {
    case FIRN_TYPE_INT:
    case FIRN_TYPE_LONG: return firn_arena_printf(arena, "CAST(%s AS BIGINT)", key);
    case FIRN_TYPE_STRING: return key;
    default: return firn_arena_printf(arena, "CAST(%s AS VARCHAR)", key);
    }
}

static firn_rc read_value(firn_upsert *u, const firn_type *type, duckdb_vector vector, idx_t row,
                          firn_value *out, firn_err *err)
{
    if (type->id == FIRN_TYPE_INT || type->id == FIRN_TYPE_LONG) {
        const int64_t *numbers = duckdb_vector_get_data(vector);
        *out = (firn_value){.type = FIRN_TYPE_LONG, .i64 = numbers[row]};
        return FIRN_OK;
    }
    firn_bytes text = firn_duck_bytes(vector, row);
    if (type->id == FIRN_TYPE_STRING) {
        *out = (firn_value){.type = FIRN_TYPE_STRING, .bytes = firn_bytes_dup(u->arena, text)};
        return FIRN_OK;
    }
    const char *copy = firn_arena_strndup(u->arena, (const char *)text.data, text.len);
    return firn_value_from_text(u->arena, type, copy, out, err);
}

static firn_rc read_values(firn_upsert *u, const char *sql, firn_key_values *values, firn_err *err)
{
    duckdb_result result;
    FIRN_VEC(firn_value) list = {0};
    FIRN_TRY(firn_duck_query(u->session, sql, &result, err));
    firn_rc rc = FIRN_OK;
    while (rc == FIRN_OK) {
        duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
        if (chunk == NULL) {
            break;
        }
        duckdb_vector vector = duckdb_data_chunk_get_vector(chunk, 0);
        idx_t n = duckdb_data_chunk_get_size(chunk);
        firn_vec_reserve(u->arena, &list, list.len + n);
        for (idx_t i = 0; i < n && rc == FIRN_OK; i++) {
            rc = read_value(u, values->type, vector, i, &list.items[list.len + i], err);
        }
        list.len += n;
        duckdb_destroy_data_chunk(&chunk);
    }
    duckdb_destroy_result(&result);
    values->items = list.items;
    values->n = list.len;
    return rc;
}

static int by_value(const void *a, const void *b)
{
    return firn_value_cmp(a, b);
}

/* Without a useful value (a type's text that firn does not read) there is less pruning, and no failure. */
static firn_rc load_values(firn_upsert *u, firn_err *err)
{
    u->values = FIRN_NEW_N(u->arena, firn_key_values, u->n_key);
    for (size_t i = 0; i < u->n_key; i++) {
        firn_key_values *values = &u->values[i];
        const firn_type *type = u->key[i]->type;
        if (!has_useful_bounds(type)) {
            continue;
        }
        const char *key = firn_arena_printf(u->arena, "k%zu", i);
        values->type = type;
        values->only_range = u->n_keys > VALUES_MAX;
        const char *sql =
            values->only_range
                ? firn_arena_printf(
                      u->arena, "SELECT %s FROM (SELECT unnest([min(%s), max(%s)]) AS %s FROM %s)",
                      value_column(type, key, u->arena), key, key, key, u->keys)
                : firn_arena_printf(u->arena, "SELECT %s FROM (SELECT DISTINCT %s FROM %s)",
                                    value_column(type, key, u->arena), key, u->keys);
        FIRN_TRY(read_values(u, sql, values, err));
        qsort(values->items, values->n, sizeof(firn_value), by_value);
    }
    return FIRN_OK;
}

static void make_filter(firn_upsert *u)
{
    u->filter = NULL;
    for (size_t i = 0; i < u->n_key; i++) {
        const firn_key_values *values = &u->values[i];
        if (values->type == NULL || values->n == 0) {
            continue;
        }
        const firn_field *field = u->key[i];
        const firn_expr *part = NULL;
        if (values->n <= LISTED_MAX && !values->only_range) {
            part = firn_expr_leaf(u->arena, FIRN_EXPR_IN, field, values->items, values->n, NULL);
        } else {
            part = firn_expr_and(
                u->arena,
                firn_expr_leaf(u->arena, FIRN_EXPR_GT_EQ, field, &values->items[0], 1, NULL),
                firn_expr_leaf(u->arena, FIRN_EXPR_LT_EQ, field, &values->items[values->n - 1], 1,
                               NULL));
        }
        u->filter = firn_expr_and(u->arena, u->filter, part);
    }
}

/* A key column that was widened since has bounds of another type. */
static void check_types(firn_upsert *u, const firn_metadata *head)
{
    for (size_t i = 0; i < u->n_key; i++) {
        const firn_field *field = firn_schema_find_id(head->schema, u->key[i]->id);
        if (field == NULL || !firn_type_equal(field->type, u->key[i]->type)) {
            u->values[i].type = NULL;
        }
    }
    make_filter(u);
}

/* ---- which files ------------------------------------------------------------------------------------------- */

static const firn_column_metrics *metrics_of(const firn_data_file *file, int32_t field_id)
{
    for (size_t i = 0; i < file->n_metrics; i++) {
        if (file->metrics[i].field_id == field_id) {
            return &file->metrics[i];
        }
    }
    return NULL;
}

/* Does any value lie in [lower, upper]? */
static bool any_between(const firn_key_values *values, const firn_value *lower,
                        const firn_value *upper)
{
    size_t from = 0, to = values->n;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (firn_value_cmp(&values->items[middle], lower) < 0) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from < values->n &&
           (values->only_range || firn_value_cmp(&values->items[from], upper) <= 0);
}

static bool may_hold_keys(const firn_upsert *u, const firn_data_file *file)
{
    firn_err ignored = {0};
    for (size_t i = 0; i < u->n_key; i++) {
        const firn_key_values *values = &u->values[i];
        const firn_column_metrics *metrics =
            values->type != NULL ? metrics_of(file, u->key[i]->id) : NULL;
        firn_value lower, upper;
        if (metrics == NULL || metrics->lower.data == NULL || metrics->upper.data == NULL ||
            firn_value_decode(values->type, metrics->lower, &lower, &ignored) != FIRN_OK ||
            firn_value_decode(values->type, metrics->upper, &upper, &ignored) != FIRN_OK) {
            continue;
        }
        if (!any_between(values, &lower, &upper)) {
            return false;
        }
    }
    return true;
}

/* What an earlier plan found goes on counting only for a table that went on from there. */
static void forget_unless_continued(firn_upsert *u, const firn_metadata *head)
{
    int64_t now = head->current_snapshot != NULL ? head->current_snapshot->snapshot_id : -1;
    for (size_t i = 0; i < u->hits.len; i++) {
        u->hits.items[i]->task = NULL;
    }
    if (u->snapshot_id >= 0 && (now < 0 || !firn_snapshot_is_ancestor(head, u->snapshot_id, now))) {
        u->looked_up = firn_map_new(u->arena);
        u->hits.len = 0;
        memset(u->matched, 0, (size_t)u->n_changes / 8 + 1);
        u->n_updated = u->n_deleted = 0;
    }
    u->snapshot_id = now;
}

/* The head's files that may hold keys; those that were not looked into yet go to `fresh`. */
static firn_rc plan_files(firn_upsert *u, const firn_metadata *head, firn_upsert_hits ***fresh,
                          size_t *n_fresh, firn_err *err)
{
    firn_lake *lake = u->session->engine->lake;
    const firn_scan_options options = {
        .storage = firn_lake_storage(lake),
        .cache = firn_catalog_manifests(firn_lake_catalog(lake)),
        .metadata = head,
        .snapshot = head->current_snapshot,
        .schema = head->schema,
        .filter = u->filter,
        .threads = u->session->engine->threads,
        .with_metrics = true,
    };
    firn_scan *scan = NULL;
    firn_scan_task *tasks = NULL;
    size_t n = 0;
    FIRN_VEC(firn_upsert_hits *) list = {0};
    FIRN_TRY(firn_scan_open(u->arena, &options, &scan, err));
    FIRN_TRY(firn_scan_all(scan, &tasks, &n, err));
    for (size_t i = 0; i < n; i++) {
        firn_upsert_hits *hits = firn_map_get(u->looked_up, tasks[i].file->path);
        if (hits == NULL && may_hold_keys(u, tasks[i].file)) {
            hits = FIRN_NEW(u->arena, firn_upsert_hits);
            hits->path = tasks[i].file->path;
            firn_vec_push(u->arena, &list, hits);
        }
        if (hits != NULL) {
            hits->task = &tasks[i];
        }
    }
    *fresh = list.items;
    *n_fresh = list.len;
    return FIRN_OK;
}

/* ---- their rows ---------------------------------------------------------------------------------------------- */

static firn_rc join_sql(firn_upsert *u, const firn_metadata *head, firn_upsert_hits *const *fresh,
                        size_t n_fresh, const char **out, firn_err *err)
{
    const char **paths = FIRN_NEW_N(u->arena, const char *, n_fresh);
    for (size_t i = 0; i < n_fresh; i++) {
        paths[i] = fresh[i]->path;
    }
    const firn_read_options options = {.metadata = head,
                                       .snapshot = head->current_snapshot,
                                       .schema = head->schema,
                                       .filter = u->filter,
                                       .with_file = true,
                                       .only_files = paths,
                                       .n_only_files = n_fresh,
                                       .table_text = u->table_text};
    char *read = NULL;
    firn_scan_stats stats = {0};
    FIRN_TRY(firn_read_sql(u->session, u->arena, &options, &read, &stats, err));
    FIRN_AUTO_BUF firn_buf sql = {0};
    firn_buf_printf(&sql,
                    "SELECT t._file, CAST(t._pos AS BIGINT), k.r, k.g FROM %s AS t JOIN %s AS "
                    "k ON ",
                    read, u->keys);
    for (size_t i = 0; i < u->n_key; i++) {
        const firn_field *field = firn_schema_find_id(head->schema, u->key[i]->id);
        if (field == NULL) {
            FIRN_FAIL(err, FIRN_E_VALIDATION,
                      "column %s of %s, which is part of the key, was dropped meanwhile",
                      u->key[i]->name, u->table_text);
        }
        firn_buf_printf(&sql, "%st.%s = k.k%zu", i > 0 ? " AND " : "",
                        firn_sql_ident(u->arena, field->name), i);
    }
    *out = firn_arena_strdup(u->arena, firn_buf_cstr(&sql));
    return FIRN_OK;
}

static void free_dv(void *dv)
{
    firn_dv_free(dv);
}

static void count_match(firn_upsert *u, int64_t row, bool gone)
{
    uint8_t bit = (uint8_t)(1U << (row & 7));
    if (row < 0 || row >= u->n_changes || (u->matched[row >> 3] & bit) != 0) {
        return;
    }
    u->matched[row >> 3] |= bit;
    u->n_deleted += gone;
    u->n_updated += !gone;
}

/* Rows of (file, position, change, it deletes). */
static firn_rc collect_chunk(firn_upsert *u, const firn_map *fresh, duckdb_data_chunk chunk,
                             firn_buf *path, firn_err *err)
{
    duckdb_vector files = duckdb_data_chunk_get_vector(chunk, 0);
    const int64_t *positions = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 1));
    const int64_t *changes = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 2));
    const bool *gone = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 3));
    firn_upsert_hits *hits = NULL;
    for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk); i++) {
        firn_bytes file = firn_duck_bytes(files, i);
        if (hits == NULL || firn_bytes_cmp(file, firn_bytes_str(hits->path)) != 0) {
            firn_buf_clear(path);
            firn_buf_append(path, file.data, file.len);
            hits = firn_map_get(fresh, firn_buf_cstr(path));
            if (hits == NULL) {
                FIRN_FAIL(err, FIRN_E_INTERNAL, "rows come from file %s, which was not planned",
                          firn_buf_cstr(path));
            }
        }
        if (hits->rows == NULL) {
            hits->rows = firn_dv_new();
            firn_arena_defer(u->arena, free_dv, hits->rows);
        }
        FIRN_TRY(firn_dv_add(hits->rows, (uint64_t)positions[i], err));
        count_match(u, changes[i], gone[i]);
    }
    return FIRN_OK;
}

static firn_rc collect(firn_upsert *u, const firn_map *fresh, const char *sql, firn_err *err)
{
    duckdb_result result;
    FIRN_AUTO_BUF firn_buf path = {0};
    FIRN_TRY(firn_duck_stream(u->session, sql, &result, err));
    firn_rc rc = FIRN_OK;
    bool more = true;
    while (rc == FIRN_OK && more) {
        duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
        more = chunk != NULL;
        if (more) {
            rc = collect_chunk(u, fresh, chunk, &path, err);
            duckdb_destroy_data_chunk(&chunk);
        }
    }
    const char *broken = rc == FIRN_OK ? duckdb_result_error(&result) : NULL;
    if (broken != NULL) {
        rc = firn_duck_error(err, duckdb_result_error_type(&result), broken, NULL);
    }
    duckdb_destroy_result(&result);
    return rc;
}

firn_rc firn_upsert_find(firn_upsert *u, const firn_metadata *head, firn_err *err)
{
    firn_upsert_hits **fresh = NULL;
    size_t n_fresh = 0;
    const char *sql = NULL;
    if (u->values == NULL) {
        FIRN_TRY(load_values(u, err));
    }
    check_types(u, head);
    forget_unless_continued(u, head);
    if (head->current_snapshot == NULL) {
        return FIRN_OK;
    }
    FIRN_TRY(plan_files(u, head, &fresh, &n_fresh, err));
    if (n_fresh == 0) {
        return FIRN_OK;
    }
    firn_map *by_path = firn_map_new(u->arena);
    for (size_t i = 0; i < n_fresh; i++) {
        firn_map_put(by_path, fresh[i]->path, fresh[i]);
    }
    FIRN_TRY(join_sql(u, head, fresh, n_fresh, &sql, err));
    FIRN_TRY(collect(u, by_path, sql, err));
    for (size_t i = 0; i < n_fresh; i++) { /* only now: a failure leaves them to be looked into */
        firn_map_put(u->looked_up, fresh[i]->path, fresh[i]);
        firn_vec_push(u->arena, &u->hits, fresh[i]);
    }
    return FIRN_OK;
}
