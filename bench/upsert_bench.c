/* Changes by key (engine/rows.h): what a commit costs beside the size of the table.
 *
 *   upsert_bench LAKE [FORMAT_VERSION] [CHANGES]
 *
 * LAKE is a folder that a lake is made in. The table has 1,000,000 rows in 100 files, ids ascending; CHANGES (100,000) of them are changed: ids all
 * over the table, then ids of its last tenth, which only the last files have. Prints seconds for the two steps: deduplicating and writing the
 * rows, finding the old ones and writing deletes; and planning once more for the same head.
 */
#include "engine/rows.h"

#include "base/time.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 1000000, FILES = 100 };

static void must(firn_rc rc, const firn_err *err)
{
    if (rc != FIRN_OK) {
        fprintf(stderr, "upsert_bench: %s\n", err->message);
        exit(1);
    }
}

static struct ArrowArray *array_of(firn_arena *arena, int64_t rows, const void *data)
{
    struct ArrowArray *out = FIRN_NEW(arena, struct ArrowArray);
    const void **buffers = FIRN_NEW_N(arena, const void *, 2);
    buffers[1] = data;
    *out = (struct ArrowArray){.length = rows, .n_buffers = 2, .buffers = buffers};
    return out;
}

/* Changes {id, v} of ids in [from, ROWS), some of them twice. */
static firn_rows *make_changes(firn_arena *arena, int64_t from, int64_t n)
{
    static struct ArrowSchema id = {.format = "l", .name = "id"}, v = {.format = "l", .name = "v"};
    static struct ArrowSchema *fields[] = {&id, &v};
    static const struct ArrowSchema root = {
        .format = "+s", .name = "", .n_children = 2, .children = fields};
    int64_t *ids = FIRN_NEW_N(arena, int64_t, (size_t)n);
    int64_t *values = FIRN_NEW_N(arena, int64_t, (size_t)n);
    uint64_t seed = 1;
    for (int64_t i = 0; i < n; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        ids[i] = from + (int64_t)((seed >> 33) % (uint64_t)(ROWS - from));
        values[i] = -i;
    }
    struct ArrowArray **children = FIRN_NEW_N(arena, struct ArrowArray *, 2);
    children[0] = array_of(arena, n, ids);
    children[1] = array_of(arena, n, values);
    struct ArrowArray *array = FIRN_NEW(arena, struct ArrowArray);
    *array = (struct ArrowArray){.length = n,
                                 .n_buffers = 1,
                                 .buffers = FIRN_NEW_N(arena, const void *, 1),
                                 .n_children = 2,
                                 .children = children};
    firn_rows *rows = FIRN_NEW(arena, firn_rows);
    *rows = (firn_rows){.schema = &root, .array = array, .count = n};
    return rows;
}

static double seconds_since(int64_t start_us)
{
    return (double)(firn_monotonic_us() - start_us) / 1e6;
}

static void measure(firn_lake *lake, firn_session *session, const char *what, int64_t from,
                    int64_t n)
{
    static const char *const key[] = {"id"};
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_err err = {0};
    firn_table table = {0};
    firn_upsert *upsert = NULL;
    firn_upserted upserted = {0};
    must(firn_catalog_table_load(firn_lake_catalog(lake), arena, "main",
                                 (firn_ident){.ns = "default", .name = "t"}, &table, &err),
         &err);
    const firn_rows_upsert options = {.write = {.rows = make_changes(arena, from, n),
                                                .n_rows = 1,
                                                .metadata = table.metadata,
                                                .table_text = "t"},
                                      .key = key,
                                      .n_key = 1};
    int64_t start_us = firn_monotonic_us();
    must(firn_upsert_open(session, arena, &options, &upsert, &err), &err);
    double open_s = seconds_since(start_us);
    start_us = firn_monotonic_us();
    must(firn_upsert_plan(upsert, table.metadata, &upserted, &err), &err);
    double plan_s = seconds_since(start_us);
    start_us = firn_monotonic_us();
    must(firn_upsert_plan(upsert, table.metadata, &upserted, &err), &err);
    printf("%-24s %8" PRId64 " changes: open %.3f s, plan %.3f s (again %.3f s); %" PRId64
           " rows updated, %zu files written\n",
           what, n, open_s, plan_s, seconds_since(start_us), upserted.updated,
           upserted.written.files.len);
    firn_upsert_discard(upsert);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: upsert_bench LAKE [FORMAT_VERSION] [CHANGES]\n");
        return 2;
    }
    const char *version = argc > 2 ? argv[2] : "2";
    int64_t n = argc > 3 ? strtoll(argv[3], NULL, 10) : 100000;
    firn_err err = {0};
    firn_lake *lake = NULL;
    firn_engine *engine = NULL;
    firn_session *session = NULL;
    must(firn_lake_init(argv[1], "upsert_bench", &err), &err);
    must(firn_lake_open(argv[1], &lake, &err), &err);
    must(firn_engine_open(lake, &engine, &err), &err);
    must(firn_session_new(engine, NULL, &session, &err), &err);
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const char *create = firn_arena_printf(
        arena, "CREATE TABLE t (id BIGINT, v BIGINT) TBLPROPERTIES ('format-version' = '%s')",
        version);
    must(firn_session_exec(session, create, NULL, &err), &err);
    for (int i = 0; i < FILES; i++) {
        const char *insert =
            firn_arena_printf(arena, "INSERT INTO t SELECT i, i FROM range(%d, %d) r(i)",
                              i * (ROWS / FILES), (i + 1) * (ROWS / FILES));
        must(firn_session_exec(session, insert, NULL, &err), &err);
    }
    measure(lake, session, "all over the table", 0, n);
    measure(lake, session, "in its last tenth", ROWS - ROWS / 10, n);
    measure(lake, session, "few, in its last tenth", ROWS - ROWS / 10, 1000);
    firn_session_free(session);
    firn_engine_close(engine);
    firn_lake_close(lake);
    return 0;
}
