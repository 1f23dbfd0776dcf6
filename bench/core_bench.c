/* What `./run bench core` measures inside one process: TPC-H over firn tables beside the same DuckDB over the same Parquet files,
 * and durable appends. Everything is printed as it was measured; ratios come from runs that alternate, so that a noisy machine
 * hurts both sides alike.
 *
 *   core_bench tpch LAKE PARQUET_DIR QUERY_DIR [ROUNDS]
 *   core_bench appends LAKE [SECONDS]
 */
#include "engine/engine.h"

#include "base/io.h"
#include "base/time.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { QUERIES = 22, ROUNDS_MAX = 31, QUERY_BYTES_MAX = 1 << 20 };

static const char *const tpch_tables[] = {"region", "nation",   "supplier", "customer",
                                          "part",   "partsupp", "orders",   "lineitem"};

static firn_rc count_rows(firn_session *session, const char *sql, int64_t *rows, firn_err *err)
{
    firn_result *result = NULL;
    FIRN_TRY(firn_session_query(session, sql, &result, err));
    firn_rc rc = FIRN_OK;
    const char *const *cells = NULL;
    *rows = 0;
    while ((rc = firn_result_next(result, &cells, err)) == FIRN_OK && cells != NULL) {
        ++*rows;
    }
    firn_result_free(result);
    return rc;
}

/* ---- TPC-H ----------------------------------------------------------------------------------------- */

/* The tables, and beside each a view `peer_<name>` of plain read_parquet over the very files that firn wrote. */
static firn_rc load_tpch(firn_session *session, firn_arena *arena, const char *dir, firn_err *err)
{
    FIRN_TRY(firn_session_exec(session, "create schema if not exists tpch", NULL, err));
    for (size_t i = 0; i < sizeof(tpch_tables) / sizeof(tpch_tables[0]); i++) {
        const char *name = tpch_tables[i];
        FIRN_TRY(firn_session_exec(
            session,
            firn_arena_printf(
                arena,
                "create table if not exists tpch.%s as select * from read_parquet('%s/%s.parquet')",
                name, dir, name),
            NULL, err));
        const char *files = NULL;
        FIRN_TRY(firn_session_scalar(
            session, arena,
            firn_arena_printf(
                arena,
                "select string_agg('''' || replace(file_path, 'file://', '') || '''', ', ') from tpch.%s.files",
                name),
            &files, err));
        FIRN_TRY(firn_session_exec(
            session,
            firn_arena_printf(
                arena, "create or replace temp view peer_%s as select * from read_parquet([%s])",
                name, files),
            NULL, err));
    }
    return FIRN_OK;
}

static firn_rc timed(firn_session *session, const char *sql, double *ms, int64_t *rows,
                     firn_err *err)
{
    int64_t start = firn_monotonic_us();
    FIRN_TRY(count_rows(session, sql, rows, err));
    *ms = (double)(firn_monotonic_us() - start) / 1000.0;
    return FIRN_OK;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof(values[0]), by_value);
    return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static firn_rc compare_query(firn_session *session, firn_arena *arena, int number, const char *text,
                             int rounds, double *log_ratio, double total_ms[2], firn_err *err)
{
    const char *sql[2] = {firn_str_replace(arena, text, "$", "tpch."),
                          firn_str_replace(arena, text, "$", "peer_")};
    double ms[2][ROUNDS_MAX];
    int64_t rows[2] = {0};
    for (int round = -1; round < rounds; round++) { /* the first one warms up and is not kept */
        for (int k = 0; k < 2; k++) {
            int side = (round & 1) == 0 ? k : 1 - k;
            double one = 0;
            FIRN_TRY(timed(session, sql[side], &one, &rows[side], err));
            if (round >= 0) {
                ms[side][round] = one;
            }
        }
    }
    if (rows[0] != rows[1]) {
        FIRN_FAIL(err, FIRN_E_INTERNAL,
                  "query %d gave %lld rows over firn tables and %lld over the files", number,
                  (long long)rows[0], (long long)rows[1]);
    }
    double firn_ms = median(ms[0], rounds);
    double peer_ms = median(ms[1], rounds);
    total_ms[0] += firn_ms;
    total_ms[1] += peer_ms;
    *log_ratio += log(firn_ms / peer_ms);
    printf("  q%02d %10.1f ms %10.1f ms %8.3f   %lld rows\n", number, firn_ms, peer_ms,
           firn_ms / peer_ms, (long long)rows[0]);
    fflush(stdout);
    return FIRN_OK;
}

static firn_rc bench_tpch(firn_session *session, firn_arena *arena, char **args, int n_args,
                          firn_err *err)
{
    int rounds = n_args > 2 ? atoi(args[2]) : 5;
    rounds = rounds < 1 ? 1 : rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds;
    FIRN_TRY(load_tpch(session, arena, args[0], err));
    printf(
        "TPC-H, median of %d rounds, sides alternating\n  query        firn     read_parquet   ratio\n",
        rounds);
    double log_ratio = 0;
    double total_ms[2] = {0};
    for (int number = 1; number <= QUERIES; number++) {
        firn_bytes text;
        const char *path = firn_arena_printf(arena, "%s/q%02d.sql", args[1], number);
        FIRN_TRY(firn_file_read(arena, path, QUERY_BYTES_MAX, &text, err));
        FIRN_TRY(compare_query(session, arena, number, (const char *)text.data, rounds, &log_ratio,
                               total_ms, err));
    }
    printf("  sum %10.1f ms %10.1f ms %8.3f   geometric mean of the ratios %.3f\n", total_ms[0],
           total_ms[1], total_ms[0] / total_ms[1], exp(log_ratio / QUERIES));
    return FIRN_OK;
}

/* ---- appends --------------------------------------------------------------------------------------- */

/* The limit that this disk sets: how often a second a small file can be written, fsynced and made known in its folder. */
static firn_rc sync_limit(firn_arena *arena, const char *dir, double *per_second, firn_err *err)
{
    enum { FILES = 100 };
    int64_t start = firn_monotonic_us();
    for (int i = 0; i < FILES; i++) {
        FIRN_TRY(firn_file_write_atomic(firn_path_join(arena, dir, "sync-probe"),
                                        firn_bytes_str("x"), 0644, err));
    }
    *per_second = FILES * 1e6 / (double)(firn_monotonic_us() - start);
    (void)unlink(firn_path_join(arena, dir, "sync-probe"));
    return FIRN_OK;
}

static firn_rc bench_appends(firn_session *session, firn_arena *arena, const char *lake,
                             char **args, int n_args, firn_err *err)
{
    int64_t seconds = n_args > 0 ? atoi(args[0]) : 5;
    double limit = 0;
    FIRN_TRY(sync_limit(arena, lake, &limit, err));
    FIRN_TRY(firn_session_exec(session, "create schema if not exists bench", NULL, err));
    FIRN_TRY(firn_session_exec(session, "drop table if exists bench.appends", NULL, err));
    FIRN_TRY(firn_session_exec(
        session, "create table bench.appends (id bigint, name varchar, ts timestamp)", NULL, err));
    int64_t start = firn_monotonic_us();
    int64_t n = 0;
    while (firn_monotonic_us() - start < seconds * 1000000) {
        FIRN_TRY(firn_session_exec(
            session, "insert into bench.appends values (1, 'one', timestamp '2024-01-01 00:00:00')",
            NULL, err));
        n++;
    }
    double rate = (double)n * 1e6 / (double)(firn_monotonic_us() - start);
    const char *rows = NULL;
    FIRN_TRY(firn_session_scalar(session, arena, "select count(*) from bench.appends", &rows, err));
    printf(
        "appends, durable: %.0f commits/s by one writer (%s rows there for %lld commits); this disk takes %.0f fsynced "
        "files/s: %.2f of them a commit\n",
        rate, rows, (long long)n, limit, limit / rate);
    return FIRN_OK;
}

static firn_rc run(int argc, char **argv, firn_arena *arena, firn_err *err)
{
    firn_lake *lake = NULL;
    firn_engine *engine = NULL;
    firn_session *session = NULL;
    FIRN_TRY(firn_lake_open(argv[2], &lake, err));
    FIRN_TRY(firn_engine_open(lake, &engine, err));
    FIRN_TRY(firn_session_new(engine, NULL, &session, err));
    firn_rc rc = firn_streq(argv[1], "tpch")
                     ? bench_tpch(session, arena, argv + 3, argc - 3, err)
                     : bench_appends(session, arena, argv[2], argv + 3, argc - 3, err);
    firn_session_free(session);
    firn_engine_close(engine);
    firn_lake_close(lake);
    return rc;
}

int main(int argc, char **argv)
{
    bool tpch = argc >= 5 && firn_streq(argv[1], "tpch");
    bool appends = argc >= 3 && firn_streq(argv[1], "appends");
    if (!tpch && !appends) {
        fprintf(
            stderr,
            "usage: core_bench tpch LAKE PARQUET_DIR QUERY_DIR [ROUNDS] | appends LAKE [SECONDS]\n");
        return 2;
    }
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_err err = {0};
    if (run(argc, argv, arena, &err) != FIRN_OK) {
        fprintf(stderr, "error: %s\n", err.message);
        return 1;
    }
    return 0;
}
