/* Arrow rows for tests: what a DuckDB query gives, or made by hand. Everything lives in an arena; nothing is released by readers.
 *
 *     firn_rows rows = arrow_rows(a, 3, (struct ArrowSchema *[]){arrow_field(a, "l", "id", 0)},
 *                                 (struct ArrowArray *[]){arrow_data(a, 3, (int64_t[]){1, 2, 3})}, 1);
 */
#ifndef TESTS_ENGINE_ARROW_ROWS_H
#define TESTS_ENGINE_ARROW_ROWS_H

#include "duck.h"
#include "lake_fixture.h"
#include "write.h"

#include "engine/rows.h"

/* ---- by hand ----------------------------------------------------------------------------------------- */

/* `flags`: ARROW_FLAG_NULLABLE or 0. */
static inline struct ArrowSchema *arrow_field(firn_arena *arena, const char *format,
                                              const char *name, int64_t flags)
{
    struct ArrowSchema *out = FIRN_NEW(arena, struct ArrowSchema);
    *out = (struct ArrowSchema){.format = format, .name = name, .flags = flags};
    return out;
}

static inline struct ArrowSchema *arrow_nest(firn_arena *arena, struct ArrowSchema *field,
                                             struct ArrowSchema *const *children, size_t n)
{
    field->children =
        firn_arena_memdup(arena, (const void *)children, n * sizeof(struct ArrowSchema *));
    field->n_children = (int64_t)n;
    return field;
}

static inline struct ArrowArray *arrow_array(firn_arena *arena, int64_t length,
                                             const void *validity, const void *first,
                                             const void *second)
{
    struct ArrowArray *out = FIRN_NEW(arena, struct ArrowArray);
    const void **buffers = FIRN_NEW_N(arena, const void *, 3);
    buffers[0] = validity;
    buffers[1] = first;
    buffers[2] = second;
    *out = (struct ArrowArray){.length = length,
                               .null_count = validity != NULL ? -1 : 0,
                               .n_buffers = second != NULL  ? 3
                                            : first != NULL ? 2
                                                            : 1,
                               .buffers = buffers};
    return out;
}

static inline struct ArrowArray *arrow_data(firn_arena *arena, int64_t length, const void *data)
{
    return arrow_array(arena, length, NULL, data, NULL);
}

static inline struct ArrowArray *arrow_texts(firn_arena *arena, int64_t length,
                                             const char *const *texts)
{
    int32_t *offsets = FIRN_NEW_N(arena, int32_t, (size_t)length + 1);
    uint8_t *validity = FIRN_NEW_N(arena, uint8_t, (size_t)length / 8 + 1);
    FIRN_AUTO_BUF firn_buf data = {0};
    for (int64_t i = 0; i < length; i++) {
        if (texts[i] != NULL) {
            firn_buf_puts(&data, texts[i]);
            validity[i / 8] |= (uint8_t)(1 << (i % 8));
        }
        offsets[i + 1] = (int32_t)data.len;
    }
    return arrow_array(arena, length, validity, offsets,
                       firn_arena_memdup(arena, firn_buf_cstr(&data), data.len + 1));
}

static inline struct ArrowArray *arrow_nested(firn_arena *arena, struct ArrowArray *array,
                                              struct ArrowArray *const *children, size_t n)
{
    array->children =
        firn_arena_memdup(arena, (const void *)children, n * sizeof(struct ArrowArray *));
    array->n_children = (int64_t)n;
    return array;
}

static inline firn_rows arrow_rows(firn_arena *arena, int64_t length,
                                   struct ArrowSchema *const *schemas,
                                   struct ArrowArray *const *arrays, size_t n)
{
    struct ArrowArray *array = arrow_array(arena, length, NULL, NULL, NULL);
    return (firn_rows){.schema = arrow_nest(arena, arrow_field(arena, "+s", "", 0), schemas, n),
                       .array = arrow_nested(arena, array, arrays, n),
                       .count = length};
}

/* ---- from DuckDB ------------------------------------------------------------------------------------- */

typedef struct arrow_sql {
    FIRN_VEC(firn_rows) rows;
    int64_t count;
} arrow_sql;

static inline void arrow_release_schema(void *ctx)
{
    struct ArrowSchema *schema = ctx;
    schema->release(schema);
}

static inline void arrow_release_array(void *ctx)
{
    struct ArrowArray *array = ctx;
    array->release(array);
}

static inline void arrow_check(duckdb_error_data error)
{
    if (error != NULL && duckdb_error_data_has_error(error)) {
        fail_msg("%s", duckdb_error_data_message(error));
    }
    duckdb_destroy_error_data(&error);
}

/* One array for each of DuckDB's chunks (2,048 rows). `sql` is DuckDB's. Released when the fixture's arena ends. */
static inline arrow_sql arrow_of_sql(lake_fixture *f, const char *sql)
{
    firn_err err = {0};
    duckdb_result result;
    arrow_sql out = {0};
    lake_check(firn_duck_query(f->session, sql, &result, &err), &err, sql);
    duckdb_arrow_options options = duckdb_result_get_arrow_options(&result);
    idx_t n = duckdb_column_count(&result);
    duckdb_logical_type *types = FIRN_NEW_N(f->arena, duckdb_logical_type, n);
    const char **names = FIRN_NEW_N(f->arena, const char *, n);
    for (idx_t i = 0; i < n; i++) {
        types[i] = duckdb_column_logical_type(&result, i);
        names[i] = duckdb_column_name(&result, i);
    }
    struct ArrowSchema *schema = FIRN_NEW(f->arena, struct ArrowSchema);
    arrow_check(duckdb_to_arrow_schema(options, types, names, n, schema));
    firn_arena_defer(f->arena, arrow_release_schema, schema);
    duckdb_data_chunk chunk;
    while ((chunk = duckdb_fetch_chunk(result)) != NULL) {
        struct ArrowArray *array = FIRN_NEW(f->arena, struct ArrowArray);
        arrow_check(duckdb_data_chunk_to_arrow(options, chunk, array));
        firn_arena_defer(f->arena, arrow_release_array, array);
        firn_rows rows = {.schema = schema, .array = array, .count = array->length};
        firn_vec_push(f->arena, &out.rows, rows);
        out.count += array->length;
        duckdb_destroy_data_chunk(&chunk);
    }
    for (idx_t i = 0; i < n; i++) {
        duckdb_destroy_logical_type(&types[i]);
    }
    duckdb_destroy_arrow_options(&options);
    duckdb_destroy_result(&result);
    return out;
}

/* ---- into tables ------------------------------------------------------------------------------------- */

static inline firn_table rows_table(lake_fixture *f, const char *name)
{
    firn_err err = {0};
    firn_table table;
    firn_ident ident = {.ns = "default", .name = name};
    lake_check(firn_session_load_table(f->session, f->arena, ident, &table, &err), &err, name);
    return table;
}

/* Append the files to the table they were written for. */
static inline void rows_commit(lake_fixture *f, const char *name, const firn_rows_written *written)
{
    firn_err err = {0};
    firn_table table = rows_table(f, name);
    firn_snapshot_change change = {
        .op = FIRN_SNAPSHOT_APPEND,
        .added = written->files.items,
        .n_added = written->files.len,
        .validation = {.starting_snapshot_id = FIRN_NO_STARTING_SNAPSHOT}};
    const firn_write_commit_options options = {.ident = {.ns = "default", .name = name},
                                               .metadata = table.metadata,
                                               .change = &change,
                                               .statement = "INGEST"};
    firn_snapshot_result result = {0};
    lake_check(firn_write_commit(f->session, f->arena, &options, &result, &err), &err, name);
}

/* Rows as the table's, or what was wrong (f->err). */
static inline firn_rc rows_try(lake_fixture *f, const char *name, const firn_rows *rows, size_t n,
                               const char *sql, firn_rows_written *written)
{
    firn_table table = rows_table(f, name);
    const firn_rows_write write = {
        .rows = rows, .n_rows = n, .sql = sql, .metadata = table.metadata, .table_text = name};
    f->err = (firn_err){0};
    return firn_rows_to_files(f->session, f->arena, &write, written, &f->err);
}

static inline void rows_append(lake_fixture *f, const char *name, const firn_rows *rows, size_t n,
                               const char *sql)
{
    firn_rows_written written;
    lake_check(rows_try(f, name, rows, n, sql, &written), &f->err, name);
    rows_commit(f, name, &written);
}

static inline const char *rows_fail(lake_fixture *f, const char *name, const firn_rows *rows,
                                    size_t n, const char *sql, firn_rc code)
{
    firn_rows_written written;
    firn_rc rc = rows_try(f, name, rows, n, sql, &written);
    if (rc != code) {
        fail_msg("%s: expected %s, got %s: %s", name, firn_rc_name(code), firn_rc_name(rc),
                 f->err.message);
    }
    return f->err.message;
}

/* ---- round trips: what DuckDB gives for ROWS rows, as a table ---- */

#define ROWS_FLAT                                                                                                     \
    "SELECT i AS id, i % 2 = 0 AS b, CAST(i % 100 AS TINYINT) AS i8, CAST(i % 200 AS UTINYINT) AS u8, "               \
    "CAST(i - 5000 AS SMALLINT) AS i16, CAST(i AS USMALLINT) AS u16, CAST(-i AS INTEGER) AS i32, "                    \
    "CAST(i + 3000000000 AS UINTEGER) AS u32, -i * 4000000000 AS i64, "                                               \
    "CAST(18446744073709551615 - i AS UBIGINT) AS u64, CAST(i / 3 AS FLOAT) AS f, i / 7 AS g, "                       \
    "CAST(i % 1000 AS DECIMAL(4, 1)) AS d4, CAST(-i AS DECIMAL(9, 2)) AS d9, "                                        \
    "CAST(i AS DECIMAL(18, 3)) AS d18, CAST(-i AS DECIMAL(38, 10)) AS d38, "                                          \
    "DATE '1960-01-01' + CAST(i AS INTEGER) AS dt, TIME '00:00:00' + INTERVAL (i * 7001) MILLISECOND AS tt, "         \
    "TIMESTAMP '1969-12-31' + INTERVAL (i * 1000003) MICROSECOND AS ts, "                                             \
    "TIMESTAMPTZ '1969-12-31 00:00:00+00' + INTERVAL (i * 1000003) MICROSECOND AS tz, "                               \
    "CASE WHEN i % 3 = 0 THEN '' WHEN i % 3 = 1 THEN 'short' ELSE repeat('long', CAST(i % 50 AS INTEGER)) END AS s, " \
    "encode(repeat(chr(CAST(i % 90 + 33 AS INTEGER)), CAST(i % 20 AS INTEGER))) AS z, "                               \
    "CAST(md5(CAST(i AS VARCHAR)) AS UUID) AS u, NULL AS nothing FROM range(ROWS) r(i)"

#define ROWS_NESTED                                                                                       \
    "SELECT i AS id, CASE WHEN i % 5 = 0 THEN NULL ELSE {'a': CASE WHEN i % 3 = 0 THEN NULL ELSE i END, " \
    "'b': {'c': 'x' || i, 'd': CASE WHEN i % 7 = 0 THEN NULL ELSE [i, NULL, i + 1] END}} END AS st, "     \
    "CASE WHEN i % 4 = 0 THEN NULL ELSE list_transform(range(i % 9), lambda x: CASE WHEN x = 3 THEN "     \
    "NULL ELSE {'n': x, 't': repeat('text', CAST(x AS INTEGER))} END) END AS li, "                        \
    "CASE WHEN i % 6 = 0 THEN NULL ELSE map_from_entries(list_transform(range(i % 5), lambda x: "         \
    "{'k': 'key number ' || x, 'v': CASE WHEN x = 2 THEN NULL ELSE [x, x * 2] END})) END AS ma, "         \
    "list_transform(range(i % 3), lambda x: list_transform(range(x + 1), lambda y: CAST(y AS "            \
    "DECIMAL(30, 3)))) AS ll, [i, i + 1, i + 2]::BIGINT[3] AS fx "                                        \
    "FROM range(ROWS) r(i)"

/* Every column null in every k-th row. */
static inline const char *rows_with_nulls(firn_arena *arena, const char *sql, int every)
{
    return firn_arena_printf(
        arena,
        "SELECT id, CASE WHEN id %% %d = 0 THEN NULL ELSE COLUMNS(* EXCLUDE (id)) END "
        "FROM (%s)",
        every, sql);
}

static inline const char *rows_create(lake_fixture *f, const char *name, const firn_rows *rows,
                                      int version)
{
    firn_err err = {0};
    firn_schema *schema = NULL;
    lake_check(firn_rows_describe(f->session, f->arena, rows, 1, NULL, version, &schema, &err),
               &err, name);
    FIRN_AUTO_BUF firn_buf out = {0};
    firn_buf_printf(&out, "CREATE TABLE %s (", name);
    for (size_t i = 0; i < schema->root.n_fields; i++) {
        const char *type = NULL;
        const firn_field *field = &schema->root.fields[i];
        lake_check(firn_type_to_duck(f->arena, field->type, field->name, &type, &err), &err, name);
        firn_buf_printf(&out, "%s%s %s", i > 0 ? ", " : "", firn_sql_ident(f->arena, field->name),
                        type);
    }
    firn_buf_printf(&out, ") TBLPROPERTIES ('format-version' = '%d')", version);
    return firn_arena_strdup(f->arena, firn_buf_cstr(&out));
}

/* What DuckDB said it gives is what the table holds. */
static inline void rows_expect(lake_fixture *f, const char *table, const char *sql,
                               const char *rows)
{
    lake_exec(f, firn_arena_printf(f->arena, "CREATE OR REPLACE TEMP TABLE given AS %s", sql));
    lake_expect(f, firn_arena_printf(f->arena, "SELECT count(*) FROM %s", table), rows);
    const char *columns = lake_text(
        f,
        "SELECT string_agg('\"' || column_name || '\"::VARCHAR', ', ') FROM (DESCRIBE given) WHERE "
        "column_name <> 'nothing'");
    lake_expect(
        f,
        firn_arena_printf(f->arena,
                          "SELECT count(*) FROM ((SELECT %s FROM given EXCEPT ALL SELECT %s FROM "
                          "%s) UNION ALL (SELECT %s FROM %s EXCEPT ALL SELECT %s FROM given))",
                          columns, columns, table, columns, table, columns),
        "0");
}

#endif
