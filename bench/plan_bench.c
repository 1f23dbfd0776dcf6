/* What planning costs: a synthetic table of N files, each with metrics of 20 columns, and how long it takes to find
 * the few that a selective filter wants, with nothing decoded yet and with everything in the cache; and what
 * COUNT(*) and MIN/MAX from metadata cost.
 *
 *   plan_bench [FILES...]        default: 10000 100000
 */
#include "iceberg/snapshot.h"

#include "base/thread.h"
#include "base/time.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { COLUMNS = 20, FILES_PER_DAY = 100, ROWS_PER_FILE = 1000, RUNS = 21 };

typedef struct bench {
    firn_arena *arena;
    firn_storage *storage;
    firn_manifest_cache *cache;
    const firn_metadata *table;
    int threads;
} bench;

static void must(firn_rc rc, const firn_err *err)
{
    if (rc != FIRN_OK) {
        fprintf(stderr, "plan_bench: %s\n", err->message);
        exit(1);
    }
}

static firn_schema *make_schema(firn_arena *arena)
{
    firn_schema *schema = FIRN_NEW(arena, firn_schema);
    schema->root = (firn_type){.id = FIRN_TYPE_STRUCT,
                               .fields = FIRN_NEW_N(arena, firn_field, COLUMNS),
                               .n_fields = COLUMNS};
    static const firn_type type_long = {.id = FIRN_TYPE_LONG}, type_date = {.id = FIRN_TYPE_DATE};
    for (int i = 0; i < COLUMNS; i++)
        schema->root.fields[i] = (firn_field){
            .id = i + 1,
            .name = firn_arena_printf(arena, "c%d", i),
            .type = i == 1 ? &type_date : &type_long,
        };
    return schema;
}

static const firn_metadata *new_table(firn_arena *arena, const char *location)
{
    firn_err err = {0};
    firn_schema *schema = make_schema(arena);
    firn_partition_spec *spec;
    firn_partition_term by_day = {.column = "c1", .transform = {.kind = FIRN_TRANSFORM_IDENTITY}};
    by_day.transform = firn_transform_parse(arena, "identity");
    must(firn_partition_spec_build(arena, schema, &by_day, 1, &spec, &err), &err);
    firn_table_create create = {.schema = schema, .spec = spec, .location = location};
    json_t *updates;
    must(firn_table_create_updates(arena, &create, &updates, &err), &err);
    firn_json_own(arena, updates);
    firn_metadata *table;
    must(firn_updates_apply(arena, NULL, updates, &(firn_update_options){0}, &table, &err), &err);
    return table;
}

static firn_bytes bound(firn_arena *arena, firn_type_id type, int64_t number)
{
    firn_value value = {.type = type};
    if (type == FIRN_TYPE_DATE)
        value.i32 = (int32_t)number;
    else
        value.i64 = number;
    return firn_value_encode(arena, &value);
}

static void fill_file(firn_arena *arena, const firn_metadata *table, int64_t i, firn_data_file *out)
{
    int32_t day = (int32_t)(i / FILES_PER_DAY);
    firn_value *tuple = FIRN_NEW(arena, firn_value);
    *tuple = (firn_value){.type = FIRN_TYPE_DATE, .i32 = day};
    firn_column_metrics *metrics = FIRN_NEW_N(arena, firn_column_metrics, COLUMNS);
    for (int c = 0; c < COLUMNS; c++) {
        firn_type_id type = c == 1 ? FIRN_TYPE_DATE : FIRN_TYPE_LONG;
        int64_t from = c == 1 ? day : i * ROWS_PER_FILE;
        metrics[c] = (firn_column_metrics){
            .field_id = c + 1,
            .size_bytes = 4000 + i % 97,
            .value_count = ROWS_PER_FILE,
            .null_count = 0,
            .nan_count = -1,
            .lower = bound(arena, type, from),
            .upper = bound(arena, type, c == 1 ? from : from + ROWS_PER_FILE - 1),
        };
    }
    *out = (firn_data_file){
        .path = firn_arena_printf(arena, "%s/data/c1=%d/0190b5c4-1f2a-7d3e-9c4b-%012lld.parquet",
                                  table->location, day, (long long)i),
        .format = "PARQUET",
        .spec_id = table->spec->spec_id,
        .partition = tuple,
        .n_partition = 1,
        .record_count = ROWS_PER_FILE,
        .file_size_bytes = 120000,
        .metrics = metrics,
        .n_metrics = COLUMNS,
        .sort_order_id = 0,
        .first_row_id = -1,
        .content_offset = -1,
        .content_size_bytes = -1,
    };
}

static void append(bench *b, int64_t n)
{
    firn_err err = {0};
    firn_data_file *files = FIRN_NEW_N(b->arena, firn_data_file, (size_t)n);
    for (int64_t i = 0; i < n; i++)
        fill_file(b->arena, b->table, i, &files[i]);
    firn_snapshot_change change = {
        .op = FIRN_SNAPSHOT_APPEND,
        .added = files,
        .n_added = (size_t)n,
        .threads = b->threads,
        .validation = {.starting_snapshot_id = FIRN_NO_STARTING_SNAPSHOT},
    };
    json_t *updates = firn_json_own(b->arena, json_array());
    json_t *requirements = firn_json_own(b->arena, json_array());
    firn_snapshot_result result;
    int64_t start_us = firn_monotonic_us();
    must(firn_snapshot_produce(b->storage, NULL, b->arena, b->table, &change, updates, requirements,
                               &result, &err),
         &err);
    double seconds = (double)(firn_monotonic_us() - start_us) / 1e6;
    firn_metadata *next;
    must(firn_updates_apply(b->arena, b->table, updates, &(firn_update_options){0}, &next, &err),
         &err);
    b->table = next;
    printf("  %-44s %9.1f ms  (%zu manifests)\n", "append in one commit", seconds * 1e3,
           result.n_written - 1);
}

/* One plan; gives its time. */
static int64_t plan(bench *b, firn_manifest_cache *cache, const firn_expr *filter, int threads,
                    size_t expected)
{
    firn_err err = {0};
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_scan_options options = {.storage = b->storage,
                                 .cache = cache,
                                 .metadata = b->table,
                                 .snapshot = b->table->current_snapshot,
                                 .filter = filter,
                                 .threads = threads};
    firn_scan *scan;
    firn_scan_task *tasks;
    size_t n;
    int64_t start_us = firn_monotonic_us();
    must(firn_scan_open(arena, &options, &scan, &err), &err);
    must(firn_scan_all(scan, &tasks, &n, &err), &err);
    int64_t took_us = firn_monotonic_us() - start_us;
    if (n != expected) {
        fprintf(stderr, "plan_bench: %zu files planned, expected %zu\n", n, expected);
        exit(1);
    }
    return took_us;
}

static int cmp_i64(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void report(const char *what, int64_t *us, size_t n)
{
    qsort(us, n, sizeof *us, cmp_i64);
    printf("  %-44s %9.2f ms", what, (double)us[n / 2] / 1e3);
    if (n > 1)
        printf("  (best %.2f, worst %.2f of %zu)", (double)us[0] / 1e3, (double)us[n - 1] / 1e3, n);
    printf("\n");
}

static void plans(bench *b, const char *name, const firn_expr *filter, size_t expected)
{
    int64_t us[RUNS];
    for (int threads = 1; threads <= b->threads; threads += b->threads > 1 ? b->threads - 1 : 1) {
        for (int i = 0; i < 3; i++)
            us[i] = plan(b, NULL, filter, threads, expected);
        report(firn_arena_printf(b->arena, "%s, nothing decoded, %d thread%s", name, threads,
                                 threads > 1 ? "s" : ""),
               us, 3);
    }
    us[0] = plan(b, b->cache, filter, b->threads, expected);
    for (int i = 0; i < RUNS; i++)
        us[i] = plan(b, b->cache, filter, 1, expected);
    report(firn_arena_printf(b->arena, "%s, warm, 1 thread", name), us, RUNS);
    for (int i = 0; i < RUNS; i++)
        us[i] = plan(b, b->cache, filter, b->threads, expected);
    report(firn_arena_printf(b->arena, "%s, warm, %d threads", name, b->threads), us, RUNS);
}

static void aggregates(bench *b, int64_t files)
{
    firn_err err = {0};
    int64_t us[RUNS];
    firn_scan_options options = {.storage = b->storage,
                                 .cache = b->cache,
                                 .metadata = b->table,
                                 .snapshot = b->table->current_snapshot};
    for (int i = 0; i < RUNS; i++) {
        int64_t rows, start_us = firn_monotonic_us();
        must(firn_scan_count_rows(&options, &rows, &err), &err);
        us[i] = firn_monotonic_us() - start_us;
        if (rows != files * ROWS_PER_FILE)
            exit(1);
    }
    report("count(*)", us, RUNS);
    for (int i = 0; i < RUNS; i++) {
        firn_value min, max;
        bool known;
        int64_t start_us = firn_monotonic_us();
        must(firn_scan_min_max(&options, 1, &min, &max, &known, &err), &err);
        us[i] = firn_monotonic_us() - start_us;
        if (!known || min.i64 != 0 || max.i64 != files * ROWS_PER_FILE - 1)
            exit(1);
    }
    report("min(c0), max(c0), warm", us, RUNS);
}

static const firn_expr *leaf(bench *b, firn_expr_op op, int column, firn_value value)
{
    return firn_expr_leaf(b->arena, op, &b->table->schema->root.fields[column], &value, 1, NULL);
}

static void run(const char *folder, int64_t files)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    bench b = {.arena = arena, .threads = firn_cpu_count()};
    b.storage = firn_storage_new(&(firn_storage_options){.fsync_off = true});
    b.cache = firn_manifest_cache_new((size_t)1 << 30);
    b.table =
        new_table(arena, firn_arena_printf(arena, "file://%s/t%lld", folder, (long long)files));
    printf("%lld files, %d columns with metrics, %d files a day\n", (long long)files, COLUMNS,
           FILES_PER_DAY);
    append(&b, files);
    firn_value id = {.type = FIRN_TYPE_LONG, .i64 = files / 2 * ROWS_PER_FILE + 7};
    firn_value day = {.type = FIRN_TYPE_DATE, .i32 = (int32_t)(files / FILES_PER_DAY / 2)};
    plans(&b, "c0 = x (bounds)", leaf(&b, FIRN_EXPR_EQ, 0, id), 1);
    plans(&b, "c1 = day (partition)", leaf(&b, FIRN_EXPR_EQ, 1, day), FILES_PER_DAY);
    plans(&b, "no filter", NULL, (size_t)files);
    aggregates(&b, files);

    firn_storage_object *objects;
    size_t n;
    firn_err err = {0};
    must(firn_storage_list(b.storage, arena, folder, &objects, &n, &err), &err);
    for (size_t i = 0; i < n; i++)
        must(firn_storage_delete(b.storage, objects[i].location, &err), &err);
    firn_manifest_cache_free(b.cache);
    firn_storage_free(b.storage);
    rmdir(firn_arena_printf(arena, "%s/t%lld/metadata", folder, (long long)files));
    rmdir(firn_arena_printf(arena, "%s/t%lld", folder, (long long)files));
}

int main(int argc, char **argv)
{
    char folder[] = "/tmp/firn-plan-XXXXXX";
    if (!mkdtemp(folder)) {
        perror("plan_bench: cannot make a folder in /tmp");
        return 1;
    }
    static const int64_t defaults[] = {10000, 100000};
    for (int i = 1; i < argc; i++) {
        int64_t files;
        if (!firn_parse_i64(argv[i], &files) || files < FILES_PER_DAY) {
            fprintf(stderr, "usage: plan_bench [FILES...]   (at least %d)\n", FILES_PER_DAY);
            return 2;
        }
        run(folder, files);
    }
    for (size_t i = 0; argc == 1 && i < 2; i++)
        run(folder, defaults[i]);
    rmdir(folder);
    return 0;
}
