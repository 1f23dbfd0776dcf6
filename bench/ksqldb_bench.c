/* How fast ksqlDB's answers become columns: a typical row, in pieces as they come from a socket; the core's time.
 *
 * Usage: ksqldb_bench [ROWS [BEGINNING OF A SHAPE'S NAME [KIB OF PIECES]]]
 */
#include "ksqldb_rows.h"

#include "base/time.h"
#include "ksqldb_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROWS = 1000000, ROUNDS = 5, TEXT_ROWS = 20000 };

static double cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void fatal(const firn_err *err)
{
    fprintf(stderr, "ksqldb_bench: %s\n", err->message);
    exit(1);
}

typedef struct shape {
    const char *name, *schema;
    void (*put)(firn_buf *out, int i);
} shape;

static void put_payment(firn_buf *out, int i)
{
    firn_buf_printf(out,
                    "{\"row\":{\"columns\":[%d,\"user_%d\",%d.%02d,\"2025-01-%02dT10:%02d:%02d."
                    "%03d\",\"card\",0,%d]}},\n",
                    i, i % 1000, 10 + i % 500, i % 100, 1 + i % 28, i % 60, i % 60, i % 1000,
                    1000 + i % 10000);
}

static void put_nested(firn_buf *out, int i)
{
    firn_buf_printf(out,
                    "{\"row\":{\"columns\":[\"order-%d\",[\"a\",\"bc\",\"def\"],{\"LAT\":%d.5,"
                    "\"LON\":-%d.25},{\"k1\":%d,\"k2\":2},true,\"AQIDBA==\",null]}},\n",
                    i, i % 90, i % 180, i);
}

static void put_summary(firn_buf *out, int i)
{
    firn_buf_printf(out, "{\"row\":{\"columns\":[\"user%d\",%d.50,%d]}},\n", i, i % 5000, i % 40);
}

static void put_export(firn_buf *out, int i, kind k)
{
    firn_buf_printf(out, "{\"row\":{\"columns\":[%d", 1000000000 + i);
    if (k == WIDE)
        put_wide(out, (uint64_t)i);
    else
        put_small(out, (uint64_t)i);
    firn_buf_puts(out, "]}},\n");
}

static void put_small_export(firn_buf *out, int i)
{
    put_export(out, i, SMALL);
}

static void put_wide_export(firn_buf *out, int i)
{
    put_export(out, i, WIDE);
}

/* Those whose schema is NULL are of ksqldb_rows.h. */
static const shape SHAPES[] = {
    {"SMALL: 7 columns", NULL, put_small_export},
    {"WIDE: 23 columns", NULL, put_wide_export},
    {"a payment, its time as TIMESTAMP",
     "`ID` BIGINT, `USER_ID` STRING, `AMOUNT` DECIMAL(10, 2), `TS` TIMESTAMP, `METHOD` STRING, "
     "`ROWPARTITION` INTEGER, `ROWOFFSET` BIGINT",
     put_payment},
    {"the same, its time as STRING, amount DOUBLE",
     "`ID` BIGINT, `USER_ID` STRING, `AMOUNT` DOUBLE, `TS` STRING, `METHOD` STRING, "
     "`ROWPARTITION` INTEGER, `ROWOFFSET` BIGINT",
     put_payment},
    {"a summary of three columns", "`USER_ID` STRING KEY, `TOTAL` DECIMAL(18, 2), `N` BIGINT",
     put_summary},
    {"nested columns, bytes, a null",
     "`ID` STRING, `TAGS` ARRAY<STRING>, `AT` STRUCT<`LAT` DOUBLE, `LON` DOUBLE>, `M` MAP<STRING, "
     "BIGINT>, `OK` BOOLEAN, `SIG` BYTES, `NOTE` STRING",
     put_nested},
};

static void feed(firn_ksqldb_answer *answer, firn_bytes bytes)
{
    firn_err err;
    while (bytes.len > 0) {
        size_t used;
        if (firn_ksqldb_answer_feed(answer, bytes, &used, &err) != FIRN_OK)
            fatal(&err);
        bytes = firn_bytes_of(bytes.data + used, bytes.len - used);
        if (firn_ksqldb_answer_is_full(answer)) {
            struct ArrowArray array;
            firn_ksqldb_answer_hand_out(answer, &array);
            array.release(&array);
        }
    }
}

static double run(const shape *s, const firn_buf *text, int64_t rows, size_t piece)
{
    const firn_ksqldb_answer_options options = {
        .batch_bytes_max = 32 << 20, .batch_rows_max = 100000, .row_bytes_max = 64 << 20};
    firn_ksqldb_answer *answer = firn_ksqldb_answer_new(&options);
    FIRN_AUTO_BUF firn_buf header = {0};
    const char *schema = s->schema                   ? s->schema
                         : s->put == put_wide_export ? SCHEMAS[WIDE]
                                                     : SCHEMAS[SMALL];
    firn_buf_printf(&header, "[{\"header\":{\"queryId\":\"q\",\"schema\":\"%s\"}},\n", schema);
    feed(answer, firn_buf_bytes(&header));
    double start = cpu_s();
    for (int64_t done = 0; done < rows; done += TEXT_ROWS) {
        for (size_t at = 0; at < text->len; at += piece) {
            size_t n = text->len - at < piece ? text->len - at : piece;
            feed(answer, firn_bytes_of(text->data + at, n));
        }
    }
    double took = cpu_s() - start;
    firn_ksqldb_answer_free(answer);
    return took;
}

int main(int argc, char **argv)
{
    static const size_t pieces[] = {256 << 10, 16 << 10, 1 << 10};
    int64_t rows = argc > 1 ? atoll(argv[1]) : ROWS;
    rows = (rows + TEXT_ROWS - 1) / TEXT_ROWS * TEXT_ROWS;
    const char *only = argc > 2 ? argv[2] : "";
    size_t only_kib = argc > 3 ? (size_t)atoll(argv[3]) : 0;
    for (size_t i = 0; i < sizeof SHAPES / sizeof *SHAPES; i++) {
        if (strncmp(SHAPES[i].name, only, strlen(only)) != 0)
            continue;
        firn_buf text = {0};
        for (int row = 0; row < TEXT_ROWS; row++)
            SHAPES[i].put(&text, row);
        for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++) {
            double best = 1e9;
            if (only_kib > 0 && pieces[p] != only_kib << 10)
                continue;
            for (int round = 0; round < ROUNDS; round++) {
                double took = run(&SHAPES[i], &text, rows, pieces[p]);
                best = took < best ? took : best;
            }
            printf("%-44s %4zu KiB pieces %4.0f B/row %7.2f M rows/s %6.0f MB/s\n", SHAPES[i].name,
                   pieces[p] >> 10, (double)text.len / TEXT_ROWS, (double)rows / best / 1e6,
                   (double)text.len * (double)(rows / TEXT_ROWS) / best / 1e6);
        }
        firn_buf_deinit(&text);
    }
    return 0;
}
