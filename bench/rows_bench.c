/* Arrow rows into data files (engine/rows.h): how fast, and what a small write costs.
 *
 *   rows_bench LAKE [ROWS] [SMALL_ROWS]
 *
 * LAKE is a folder that a lake is made in. Prints rows per second of processor time and of the clock for plain, partitioned, sorted and
 * transformed writes of events (long, 31-byte text, double, timestamp) and of events whose id is a UUID as text; then the cost of
 * one write of SMALL_ROWS rows.
 */
#include "engine/rows.h"

#include "base/io.h"
#include "base/time.h"
#include "events.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum { COLUMNS = 4, DAYS = 3, ARRAY_ROWS = 100000 };

typedef struct events {
    struct ArrowSchema root, fields[COLUMNS], *children[COLUMNS];
    FIRN_VEC(firn_rows) rows;
} events;

static const void **buffers_of(firn_arena *arena, const void *first, const void *second)
{
    const void **out = FIRN_NEW_N(arena, const void *, 3);
    out[1] = first;
    out[2] = second;
    return out;
}

static struct ArrowArray *array_of(firn_arena *arena, int64_t rows, const void *first,
                                   const void *second)
{
    struct ArrowArray *out = FIRN_NEW(arena, struct ArrowArray);
    *out = (struct ArrowArray){.length = rows,
                               .n_buffers = second != NULL ? 3 : 2,
                               .buffers = buffers_of(arena, first, second)};
    return out;
}

static struct ArrowArray *make_array(firn_arena *arena, bool uuid, int64_t from, int64_t n)
{
    enum { UUID_CHARS = 36, CATEGORY_CHARS = 31 };
    int64_t *ids = FIRN_NEW_N(arena, int64_t, (size_t)n);
    int64_t *times = FIRN_NEW_N(arena, int64_t, (size_t)n);
    double *values = FIRN_NEW_N(arena, double, (size_t)n);
    char *uuids = firn_arena_zalloc(arena, (size_t)n * UUID_CHARS + 1);
    int32_t *uuid_ends = FIRN_NEW_N(arena, int32_t, (size_t)n + 1);
    FIRN_AUTO_BUF firn_buf categories = {0};
    int32_t *ends = FIRN_NEW_N(arena, int32_t, (size_t)n + 1);
    for (int64_t i = 0; i < n; i++) {
        int64_t row = from + i;
        event e =
            event_of(1, (uint64_t)row,
                     INT64_C(1760000000000000) + row * 1000 + (row % DAYS) * INT64_C(86400000000));
        char text[UUID_CHARS + 1];
        event_uuid(&e, text);
        memcpy(uuids + i * UUID_CHARS, text, UUID_CHARS);
        uuid_ends[i + 1] = (int32_t)((i + 1) * UUID_CHARS);
        firn_buf_puts(&categories, EVENT_PICK(event_categories, e.b));
        ends[i + 1] = (int32_t)categories.len;
        ids[i] = row;
        values[i] = (double)(e.a % 1000000) / 100;
        times[i] = e.ts_us;
    }
    struct ArrowArray *root = FIRN_NEW(arena, struct ArrowArray);
    struct ArrowArray **children = FIRN_NEW_N(arena, struct ArrowArray *, COLUMNS);
    children[0] = uuid ? array_of(arena, n, uuid_ends, uuids) : array_of(arena, n, ids, NULL);
    children[1] =
        array_of(arena, n, ends, firn_arena_memdup(arena, categories.data, categories.len));
    children[2] = array_of(arena, n, values, NULL);
    children[3] = array_of(arena, n, times, NULL);
    *root = (struct ArrowArray){.length = n,
                                .n_buffers = 1,
                                .buffers = buffers_of(arena, NULL, NULL),
                                .n_children = COLUMNS,
                                .children = children};
    return root;
}

static void make_events(firn_arena *arena, bool uuid, int64_t n, events *out)
{
    static const char *const NAMES[] = {"id", "category", "value", "ts"};
    const char *const formats[] = {uuid ? "u" : "l", "u", "g", "tsu:UTC"};
    *out = (events){0};
    for (size_t i = 0; i < COLUMNS; i++) {
        out->fields[i] = (struct ArrowSchema){.format = formats[i], .name = NAMES[i]};
        out->children[i] = &out->fields[i];
    }
    out->root = (struct ArrowSchema){
        .format = "+s", .name = "", .n_children = COLUMNS, .children = out->children};
    for (int64_t from = 0; from < n; from += ARRAY_ROWS) {
        int64_t count = n - from < ARRAY_ROWS ? n - from : ARRAY_ROWS;
        firn_rows rows = {
            .schema = &out->root, .array = make_array(arena, uuid, from, count), .count = count};
        firn_vec_push(arena, &out->rows, rows);
    }
}

static double cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double peak_mb(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

typedef struct target {
    const char *label, *name, *ddl, *sql;
    bool uuid;
} target;

static firn_rc write_once(firn_engine *engine, firn_session *session, const target *to,
                          const events *given, size_t n, int64_t *bytes, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_table table;
    firn_rows_written written;
    firn_catalog *catalog = firn_lake_catalog(firn_engine_lake(engine));
    FIRN_TRY(firn_catalog_table_load(catalog, arena, NULL,
                                     (firn_ident){.ns = "default", .name = to->name}, &table, err));
    const firn_rows_write write = {.rows = given->rows.items,
                                   .n_rows = n,
                                   .sql = to->sql,
                                   .metadata = table.metadata,
                                   .table_text = to->name};
    FIRN_TRY(firn_rows_to_files(session, arena, &write, &written, err));
    *bytes = 0;
    for (size_t i = 0; i < written.files.len; i++) {
        *bytes += written.files.items[i].file_size_bytes;
    }
    firn_rows_discard(session, &written);
    return FIRN_OK;
}

static firn_rc measure(firn_engine *engine, firn_session *session, const target *to,
                       const events *given, int64_t rows, firn_err *err)
{
    double best = 0, best_wall = 0;
    int64_t bytes = 0;
    for (int round = 0; round < 3; round++) {
        double cpu = cpu_s();
        int64_t start = firn_monotonic_us();
        FIRN_TRY(write_once(engine, session, to, given, given->rows.len, &bytes, err));
        double per_cpu = (double)rows / (cpu_s() - cpu);
        best = per_cpu > best ? per_cpu : best;
        double wall = (double)rows / ((double)(firn_monotonic_us() - start) / 1e6);
        best_wall = wall > best_wall ? wall : best_wall;
    }
    printf(
        "%-34s %6.2f M rows per CPU second, %6.2f M per second, %5.1f bytes a row, peak %4.0f MB\n",
        to->label, best / 1e6, best_wall / 1e6, (double)bytes / (double)rows, peak_mb());
    return FIRN_OK;
}

/* All rows, parted by category into the files of one table. */
static firn_rc route_once(firn_engine *engine, firn_session *session, const target *to,
                          const events *given, size_t n, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_table table;
    firn_route *routes = NULL;
    size_t n_routes = 0;
    firn_catalog *catalog = firn_lake_catalog(firn_engine_lake(engine));
    FIRN_TRY(firn_catalog_table_load(catalog, arena, NULL,
                                     (firn_ident){.ns = "default", .name = to->name}, &table, err));
    const firn_rows_parting parting = {
        .rows = given->rows.items, .n_rows = n, .by = "lower(category)", .routes_max = 100};
    FIRN_TRY(firn_rows_route(session, arena, &parting, &routes, &n_routes, err));
    for (size_t i = 0; i < n_routes; i++) {
        firn_rows_written written;
        const firn_rows_write write = {.rows = routes[i].rows,
                                       .n_rows = routes[i].n_rows,
                                       .metadata = table.metadata,
                                       .table_text = to->name};
        FIRN_TRY(firn_rows_to_files(session, arena, &write, &written, err));
        firn_rows_discard(session, &written);
    }
    return FIRN_OK;
}

static firn_rc measure_routes(firn_engine *engine, firn_session *session, const target *to,
                              const events *given, int64_t rows, firn_err *err)
{
    double best = 0;
    for (int round = 0; round < 3; round++) {
        double cpu = cpu_s();
        FIRN_TRY(route_once(engine, session, to, given, given->rows.len, err));
        double per_cpu = (double)rows / (cpu_s() - cpu);
        best = per_cpu > best ? per_cpu : best;
    }
    printf("%-34s %6.2f M rows per CPU second\n", "parted by category, eight writes", best / 1e6);
    return FIRN_OK;
}

static firn_rc measure_small(firn_engine *engine, firn_session *session, const target *to,
                             events *given, int64_t rows, firn_err *err)
{
    enum { WRITES = 100 };
    int64_t kept = given->rows.items[0].count;
    int64_t bytes = 0;
    given->rows.items[0].count = rows;
    FIRN_TRY(write_once(engine, session, to, given, 1, &bytes, err));
    double cpu = cpu_s();
    int64_t start = firn_monotonic_us();
    for (int i = 0; i < WRITES; i++) {
        FIRN_TRY(write_once(engine, session, to, given, 1, &bytes, err));
    }
    printf("%-34s %6.2f ms of CPU, %6.2f ms\n", to->label, (cpu_s() - cpu) * 1000 / WRITES,
           (double)(firn_monotonic_us() - start) / 1000 / WRITES);
    given->rows.items[0].count = kept;
    return FIRN_OK;
}

static const target TARGETS[] = {
    {"plain", "plain", "(id bigint, category varchar, value double, ts timestamptz)", NULL, false},
    {"by day", "by_day",
     "(id bigint, category varchar, value double, ts timestamptz) PARTITIONED BY (day(ts))", NULL,
     false},
    {"sorted by category", "sorted",
     "(id bigint, category varchar, value double, ts timestamptz) ORDERED BY (category)", NULL,
     false},
    {"transformed", "transformed", "(id bigint, category varchar, value double, ts timestamptz)",
     "SELECT id, upper(category) AS category, value * 2 AS value, ts FROM batch WHERE id >= 0",
     false},
    {"UUID texts", "uuids", "(id varchar, category varchar, value double, ts timestamptz)", NULL,
     true},
    {"UUID texts, by day", "uuids_by_day",
     "(id varchar, category varchar, value double, ts timestamptz) PARTITIONED BY (day(ts))", NULL,
     true},
};

static firn_rc run(firn_engine *engine, firn_session *session, int64_t rows, int64_t small_rows,
                   firn_err *err)
{
    for (int uuid = 0; uuid < 2; uuid++) {
        FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
        events given;
        make_events(arena, uuid == 1, rows, &given);
        printf("%" PRId64 " rows in memory, peak %.0f MB\n", rows, peak_mb());
        for (size_t i = 0; i < sizeof(TARGETS) / sizeof(TARGETS[0]); i++) {
            if (TARGETS[i].uuid == (uuid == 1)) {
                FIRN_TRY(
                    firn_session_exec(session,
                                      firn_arena_printf(arena, "CREATE TABLE IF NOT EXISTS %s %s",
                                                        TARGETS[i].name, TARGETS[i].ddl),
                                      NULL, err));
                FIRN_TRY(measure(engine, session, &TARGETS[i], &given, rows, err));
            }
        }
        FIRN_TRY(measure_routes(engine, session, &TARGETS[uuid == 1 ? 4 : 0], &given, rows, err));
        printf("one write of %" PRId64 " rows:\n", small_rows);
        for (size_t i = 0; i < sizeof(TARGETS) / sizeof(TARGETS[0]); i++) {
            if (TARGETS[i].uuid == (uuid == 1)) {
                FIRN_TRY(measure_small(engine, session, &TARGETS[i], &given, small_rows, err));
            }
        }
    }
    return FIRN_OK;
}

int main(int argc, char **argv)
{
    int64_t rows = 2000000, small_rows = 1000;
    firn_err err = {0};
    firn_lake *lake = NULL;
    firn_engine *engine = NULL;
    firn_session *session = NULL;
    if (argc < 2 || (argc > 2 && !firn_parse_i64(argv[2], &rows)) ||
        (argc > 3 && !firn_parse_i64(argv[3], &small_rows)) || rows < 1 || small_rows < 1 ||
        small_rows > rows || small_rows > ARRAY_ROWS) {
        fprintf(stderr, "usage: rows_bench LAKE [ROWS] [SMALL_ROWS]\n");
        return 2;
    }
    firn_rc rc = firn_lake_init(argv[1], "bench", &err);
    rc = rc == FIRN_OK || rc == FIRN_E_EXISTS ? firn_lake_open(argv[1], &lake, &err) : rc;
    rc = rc == FIRN_OK ? firn_engine_open(lake, &engine, &err) : rc;
    rc = rc == FIRN_OK ? firn_session_new(engine, NULL, &session, &err) : rc;
    rc = rc == FIRN_OK ? run(engine, session, rows, small_rows, &err) : rc;
    firn_session_free(session);
    firn_engine_close(engine);
    firn_lake_close(lake);
    if (rc != FIRN_OK) {
        fprintf(stderr, "error: %s\n", err.message);
    }
    return rc == FIRN_OK ? 0 : 1;
}
