/* Commits of many writers to one table, as a server sees them: every append was built on the state that its writer knew.
 *
 *   commit_bench FOLDER WRITERS APPENDS [TABLES [SNAPSHOTS]]
 *
 * The catalog is FOLDER/catalog.db, or what FIRN_BENCH_CATALOG names (postgresql://..., an empty schema `firn`).
 *
 * Each writer builds an append (manifest and manifest list) on the table as it last saw it and commits it, APPENDS times;
 * what is timed is firn_catalog_commit alone. TABLES: the writers are spread over so many tables (default 1). SNAPSHOTS:
 * the tables have so many snapshots before it starts. Everything is made durable. Prints commits/s, latencies, and what
 * was in the table afterwards. */
#include "catalog/catalog.h"

#include "base/time.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct bench {
    firn_catalog *catalog;
    firn_storage *storage;
    int writers, appends, tables;
    pthread_barrier_t start;
    int64_t *commit_us; /* writers * appends */
} bench;

typedef struct writer {
    bench *b;
    int number;
    int failed;
    pthread_t thread;
} writer;

#define MUST(expr)                                                  \
    do {                                                            \
        firn_err err = {0};                                         \
        if ((expr) != FIRN_OK) {                                    \
            fprintf(stderr, "error: %s: %s\n", #expr, err.message); \
            exit(1);                                                \
        }                                                           \
    } while (0)

static firn_ident table_of(firn_arena *arena, int number)
{
    return (firn_ident){.ns = "b", .name = firn_arena_printf(arena, "t%d", number)};
}

static void build_append(bench *b, firn_arena *arena, const firn_table *known, const char *name,
                         firn_change *change)
{
    firn_data_file file = {
        .path = firn_arena_printf(arena, "%s/data/%s.parquet", known->metadata->location, name),
        .format = "PARQUET",
        .spec_id = known->metadata->spec->spec_id,
        .record_count = 10,
        .file_size_bytes = 1000,
        .sort_order_id = -1,
        .first_row_id = -1,
        .content_offset = -1,
        .content_size_bytes = -1,
    };
    firn_snapshot_change snapshot = {
        .op = FIRN_SNAPSHOT_APPEND,
        .added = &file,
        .n_added = 1,
        .validation = {.starting_snapshot_id = FIRN_NO_STARTING_SNAPSHOT},
    };
    json_t *updates = firn_json_own(arena, json_array());
    json_t *requirements = firn_json_own(arena, json_array());
    firn_snapshot_result result;
    MUST(firn_snapshot_produce(b->storage, NULL, arena, known->metadata, &snapshot, updates,
                               requirements, &result, &err));
    *change = (firn_change){
        .kind = FIRN_CHANGE_UPDATE_TABLE,
        .ident = known->entry.ident,
        .updates = updates,
        .requirements = requirements,
        .rebase_appends = true,
    };
}

static void *write_appends(void *ctx)
{
    writer *w = ctx;
    bench *b = w->b;
    pthread_barrier_wait(&b->start);
    for (int i = 0; i < b->appends; i++) {
        FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
        firn_table known;
        firn_change change;
        MUST(firn_catalog_table_load(b->catalog, arena, NULL,
                                     table_of(arena, w->number % b->tables), &known, &err));
        build_append(b, arena, &known, firn_arena_printf(arena, "w%d-%d", w->number, i), &change);
        firn_commit_info info = {.author = "bench", .queue = true};
        firn_err err = {0};
        int64_t start_us = firn_monotonic_us();
        firn_rc rc = firn_catalog_commit(b->catalog, arena, NULL, &change, 1, &info, NULL, &err);
        b->commit_us[w->number * b->appends + i] = firn_monotonic_us() - start_us;
        if (rc != FIRN_OK && w->failed++ == 0) {
            fprintf(stderr, "writer %d: %s\n", w->number, err.message);
        }
    }
    return NULL;
}

static void make_table(bench *b, int number, int snapshots)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_field field = {.id = 1, .name = "id", .type = firn_type_parse_primitive(arena, "long")};
    firn_schema schema = {.root = {.id = FIRN_TYPE_STRUCT, .fields = &field, .n_fields = 1}};
    char *location;
    MUST(
        firn_catalog_default_location(b->catalog, arena, table_of(arena, number), &location, &err));
    firn_table_create create = {.schema = &schema, .location = location};
    json_t *updates = NULL;
    MUST(firn_table_create_updates(arena, &create, &updates, &err));
    firn_json_own(arena, updates);
    firn_change change = {
        .kind = FIRN_CHANGE_CREATE_TABLE, .ident = table_of(arena, number), .updates = updates};
    MUST(firn_catalog_commit(b->catalog, arena, NULL, &change, 1, NULL, NULL, &err));
    for (int i = 0; i < snapshots; i++) {
        FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
        firn_table known;
        firn_change append;
        MUST(firn_catalog_table_load(b->catalog, scratch, NULL, table_of(scratch, number), &known,
                                     &err));
        build_append(b, scratch, &known, firn_arena_printf(scratch, "p%d", i), &append);
        MUST(firn_catalog_commit(b->catalog, scratch, NULL, &append, 1, NULL, NULL, &err));
    }
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void report(bench *b, int64_t wall_us, int failed, int snapshots)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    size_t n = (size_t)(b->writers * b->appends);
    qsort(b->commit_us, n, sizeof(*b->commit_us), by_value);
    printf("%d writers x %d appends to %d tables: %.0f commits/s, %d failed; commit p50 %.1f ms, "
           "p99 %.1f ms, max %.1f ms\n",
           b->writers, b->appends, b->tables, (double)n / ((double)wall_us / 1e6), failed,
           (double)b->commit_us[n / 2] / 1e3, (double)b->commit_us[n * 99 / 100] / 1e3,
           (double)b->commit_us[n - 1] / 1e3);
    long long files = 0, expected = (long long)n - failed + (long long)snapshots * b->tables;
    for (int i = 0; i < b->tables; i++) {
        firn_table table;
        MUST(firn_catalog_table_load(b->catalog, arena, NULL, table_of(arena, i), &table, &err));
        const json_t *summary = table.metadata->current_snapshot->summary;
        files += atoll(json_string_value(json_object_get(summary, "total-data-files")));
    }
    printf("files in the tables: %lld, expected %lld%s\n", files, expected,
           files == expected ? "" : ": WRONG");
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: commit_bench FOLDER WRITERS APPENDS [TABLES [SNAPSHOTS]]\n");
        return 2;
    }
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    bench b = {.writers = atoi(argv[2]),
               .appends = atoi(argv[3]),
               .tables = argc > 4 ? atoi(argv[4]) : 1,
               .storage = firn_storage_new(NULL)};
    int snapshots = argc > 5 ? atoi(argv[5]) : 0;
    firn_catalog_options options = {
        .path = firn_arena_printf(arena, "%s/catalog.db", argv[1]),
        .uri = getenv("FIRN_BENCH_CATALOG"),
        .pool = 48,
        .create = true,
        .storage = b.storage,
        .warehouse = firn_arena_printf(arena, "file://%s/warehouse", argv[1]),
    };
    MUST(firn_catalog_open(&options, &b.catalog, &err));
    firn_change ns = {.kind = FIRN_CHANGE_CREATE_NAMESPACE, .ident = {.ns = "b"}};
    MUST(firn_catalog_commit(b.catalog, arena, NULL, &ns, 1, NULL, NULL, &err));
    for (int i = 0; i < b.tables; i++) {
        make_table(&b, i, snapshots);
    }
    b.commit_us = FIRN_NEW_N(arena, int64_t, (size_t)(b.writers * b.appends));
    writer *writers = FIRN_NEW_N(arena, writer, (size_t)b.writers);
    pthread_barrier_init(&b.start, NULL, (unsigned)b.writers + 1);
    for (int i = 0; i < b.writers; i++) {
        writers[i] = (writer){.b = &b, .number = i};
        if (pthread_create(&writers[i].thread, NULL, write_appends, &writers[i]) != 0) {
            return 1;
        }
    }
    pthread_barrier_wait(&b.start);
    int64_t start_us = firn_monotonic_us();
    int failed = 0;
    for (int i = 0; i < b.writers; i++) {
        pthread_join(writers[i].thread, NULL);
        failed += writers[i].failed;
    }
    report(&b, firn_monotonic_us() - start_us, failed, snapshots);
    firn_catalog_close(b.catalog);
    firn_storage_free(b.storage);
    return failed > 0;
}
