/* What the tests of manifests, scans and snapshots share: a folder to write to, tables made in place, data files
 * that exist in metadata only, and the golden tables. */
#ifndef ICEBERG_FILES_TESTING_H
#define ICEBERG_FILES_TESTING_H

#include "iceberg/snapshot.h"

#include "base/io.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static firn_arena *arena;
static firn_storage *storage;
static char folder[64];

#define MUST(expr)                                  \
    do {                                            \
        firn_err err = {0};                         \
        firn_rc must_rc_ = (expr);                  \
        if (must_rc_ != FIRN_OK)                    \
            fail_msg("%s: %s", #expr, err.message); \
    } while (0)

/* The call fails with the code, and its message holds the text. */
#define MUST_FAIL(expr, expected_code, text)                                         \
    do {                                                                             \
        firn_err err = {0};                                                          \
        firn_rc must_rc_ = (expr);                                                   \
        if (must_rc_ != (expected_code))                                             \
            fail_msg("%s gave %s (%s)", #expr, firn_rc_name(must_rc_), err.message); \
        if (!strstr(err.message, (text)))                                            \
            fail_msg("message is: %s", err.message);                                 \
    } while (0)

static const char *golden_folder(void)
{
    const char *source = getenv("FIRN_SOURCE_DIR");
    return firn_path_join(arena, source ? source : ".", "tests/golden/tables");
}

static int set_up(void **state)
{
    (void)state;
    arena = firn_arena_new();
    snprintf(folder, sizeof folder, "/tmp/firn-files-XXXXXX");
    if (!mkdtemp(folder))
        return 1;
    firn_storage_alias aliases[] = {
        {"/firn-golden", golden_folder()},
    };
    storage = firn_storage_new(
        &(firn_storage_options){.aliases = aliases, .n_aliases = 1, .fsync_off = true});
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    firn_storage_object *objects;
    size_t n;
    if (firn_storage_list(storage, arena, folder, &objects, &n, NULL) == FIRN_OK) {
        for (size_t i = 0; i < n; i++) {
            if (firn_storage_delete(storage, objects[i].location, NULL) != FIRN_OK)
                return 1;
        }
    }
    rmdir(firn_path_join(arena, folder, "t/metadata"));
    rmdir(firn_path_join(arena, folder, "t"));
    rmdir(folder);
    firn_storage_free(storage);
    firn_arena_free(arena);
    return 0;
}

/* Single quotes stand for double ones, so that JSON reads as JSON in C. */
static inline json_t *json_of(const char *text)
{
    char *copy = firn_str_replace(arena, text, "'", "\"");
    json_t *json = NULL;
    MUST(firn_json_parse(arena, firn_bytes_str(copy), "test", &json, &err));
    return json;
}

/* ---- tables made here ---- */

/* Columns: 1 id long, 2 day date, 3 name string, 4 price double, 5 amount decimal(9,2). */
static const char default_columns[] =
    "{'type': 'struct', 'schema-id': 0, 'fields': ["
    "{'id': 1, 'name': 'id', 'required': true, 'type': 'long'},"
    "{'id': 2, 'name': 'day', 'required': false, 'type': 'date'},"
    "{'id': 3, 'name': 'name', 'required': false, 'type': 'string'},"
    "{'id': 4, 'name': 'price', 'required': false, 'type': 'double'},"
    "{'id': 5, 'name': 'amount', 'required': false, 'type': 'decimal(9,2)'}]}";

static const char by_day[] = "{'spec-id': 0, 'fields': [{'source-id': 2, 'field-id': 1000, "
                             "'name': 'day', 'transform': 'identity'}]}";

static inline const firn_metadata *new_table(int version, const char *spec_json,
                                             const char *properties)
{
    firn_schema *schema;
    firn_partition_spec *spec = NULL;
    MUST(firn_schema_from_json(arena, json_of(default_columns), "test", &schema, &err));
    if (spec_json)
        MUST(firn_partition_spec_from_json(arena, json_of(spec_json), "test", &spec, &err));
    json_t *all = json_of(properties ? properties : "{}");
    json_object_set_new(all, "format-version", json_string(version == 3 ? "3" : "2"));
    firn_table_create create = {
        .schema = schema,
        .spec = spec,
        .location = firn_arena_printf(arena, "file://%s/t", folder),
        .properties = all,
    };
    json_t *updates = NULL;
    MUST(firn_table_create_updates(arena, &create, &updates, &err));
    firn_json_own(arena, updates);
    firn_metadata *metadata;
    MUST(firn_updates_apply(arena, NULL, updates, &(firn_update_options){0}, &metadata, &err));
    if (version == 1) { /* firn makes none, but writes to those there are */
        json_t *old = firn_json_own(arena, json_deep_copy(metadata->json));
        json_object_set_new(old, "format-version", json_integer(1));
        json_object_del(old, "last-sequence-number");
        json_object_set(old, "schema", json_array_get(json_object_get(old, "schemas"), 0));
        json_t *default_spec = json_array_get(json_object_get(old, "partition-specs"), 0);
        json_object_set(old, "partition-spec", json_object_get(default_spec, "fields"));
        MUST(firn_metadata_from_json(arena, old, "test", &metadata, &err));
    }
    return metadata;
}

static inline const firn_metadata *apply(const firn_metadata *base, json_t *updates,
                                         json_t *requirements)
{
    MUST(firn_requirements_check(requirements, base, &err));
    firn_metadata *next;
    MUST(firn_updates_apply(arena, base, updates, &(firn_update_options){.previous_location = "x"},
                            &next, &err));
    return next;
}

static firn_snapshot_result last_result;

static inline firn_rc try_commit(const firn_metadata *base, const firn_snapshot_change *change,
                                 const firn_metadata **next, firn_err *err)
{
    json_t *updates = firn_json_own(arena, json_array());
    json_t *requirements = firn_json_own(arena, json_array());
    FIRN_TRY(firn_snapshot_produce(storage, NULL, arena, base, change, updates, requirements,
                                   &last_result, err));
    *next = json_array_size(updates) ? apply(base, updates, requirements) : base;
    return FIRN_OK;
}

static inline const firn_metadata *commit(const firn_metadata *base,
                                          const firn_snapshot_change *change)
{
    const firn_metadata *next = NULL;
    MUST(try_commit(base, change, &next, &err));
    return next;
}

static inline firn_bytes long_bound(int64_t value)
{
    firn_value v = {.type = FIRN_TYPE_LONG, .i64 = value};
    return firn_value_encode(arena, &v);
}

/* A data file of `rows` rows on `day` (INT32_MIN: null partition) with ids from `from`. */
static inline firn_data_file data_file(const firn_metadata *table, const char *name, int32_t day,
                                       int64_t from, int64_t rows)
{
    firn_value *tuple = FIRN_NEW(arena, firn_value);
    *tuple = (firn_value){.type = FIRN_TYPE_DATE, .is_null = day == INT32_MIN, .i32 = day};
    firn_column_metrics *metrics = FIRN_NEW(arena, firn_column_metrics);
    *metrics = (firn_column_metrics){.field_id = 1,
                                     .size_bytes = 8 * rows,
                                     .value_count = rows,
                                     .null_count = 0,
                                     .nan_count = -1,
                                     .lower = long_bound(from),
                                     .upper = long_bound(from + rows - 1)};
    return (firn_data_file){
        .path = firn_arena_printf(arena, "%s/data/%s.parquet", table->location, name),
        .format = "PARQUET",
        .spec_id = table->spec->spec_id,
        .partition = tuple,
        .n_partition = table->spec->n_fields,
        .record_count = rows,
        .file_size_bytes = 1000,
        .metrics = metrics,
        .n_metrics = 1,
        .sort_order_id = -1,
        .first_row_id = -1,
        .content_offset = -1,
        .content_size_bytes = -1,
    };
}

static inline const firn_metadata *append(const firn_metadata *base, const firn_data_file *files,
                                          size_t n)
{
    return commit(base, &(firn_snapshot_change){
                            .op = FIRN_SNAPSHOT_APPEND,
                            .added = files,
                            .n_added = n,
                            .validation = {.starting_snapshot_id = FIRN_NO_STARTING_SNAPSHOT}});
}

/* All tasks of the current snapshot under a filter. */
static inline firn_scan_task *plan(const firn_metadata *table, const firn_expr *filter, size_t *n,
                                   firn_scan_stats *stats)
{
    firn_scan_options options = {.storage = storage,
                                 .metadata = table,
                                 .snapshot = table->current_snapshot,
                                 .schema = table->schema,
                                 .filter = filter,
                                 .threads = 2,
                                 .with_metrics = true};
    firn_scan *scan;
    firn_scan_task *tasks = NULL;
    MUST(firn_scan_open(arena, &options, &scan, &err));
    MUST(firn_scan_all(scan, &tasks, n, &err));
    if (stats)
        *stats = *firn_scan_statistics(scan);
    return tasks;
}

/* "a,b" of the base names of the planned files, in order. */
static inline const char *planned(const firn_metadata *table, const firn_expr *filter)
{
    size_t n;
    firn_scan_task *tasks = plan(table, filter, &n, NULL);
    const char **names = FIRN_NEW_N(arena, const char *, n + 1);
    for (size_t i = 0; i < n; i++) {
        const char *name = firn_path_basename(tasks[i].file->path);
        names[i] = firn_arena_strndup(arena, name, strcspn(name, "."));
    }
    return firn_str_join(arena, names, n, ",");
}

static inline const firn_expr *where(const firn_metadata *table, const char *json)
{
    const firn_expr *expr = NULL;
    MUST(firn_expr_from_json(arena, table->schema, json_of(json), true, &expr, &err));
    return expr;
}

static inline const char *summary_of(const firn_metadata *table, const char *key)
{
    const char *text = json_string_value(json_object_get(table->current_snapshot->summary, key));
    return text ? text : "";
}

#endif
