/* The Parquet writer (format/parquet.h) by itself: every kind of column, with nulls and without, in every codec, read back by DuckDB.
 *
 * FIRN_PARQUET_FOLDER keeps the files for readers in other languages (tests/interop/test_parquet.py, which knows the same values).
 */
#include "format/parquet.h"

#include "base/vec.h"
#include "lake_fixture.h"

#include <math.h>

enum { OFFSET = 3, STEP_ROWS = 1777, KINDS = 15 };

/* ---- what is written ---- */

typedef struct column_case {
    firn_parquet_column column;
    size_t width;    /* of a value in Arrow; 0: bits, or a text */
    const char *sql; /* the value of key k; v is (k * 7919) % 100003 - 50000 */
} column_case;

#define KIND(NAME, KIND, ...) .column = {.name = NAME, .kind = FIRN_PARQUET_##KIND, ##__VA_ARGS__}

static const column_case CASES[KINDS] = {
    {KIND("b", BOOLEAN), .sql = "k % 3 = 0"},
    {KIND("i", INT), .width = 4, .sql = "v::INT"},
    {KIND("l", LONG), .width = 8, .sql = "v * 4294967296 + k"},
    {KIND("f", FLOAT), .width = 4, .sql = "(v / 8.0::DOUBLE)::FLOAT"},
    {KIND("d", DOUBLE), .width = 8, .sql = "v / 3.0::DOUBLE"},
    {KIND("dt", DATE), .width = 4, .sql = "DATE '1970-01-01' + v::INT"},
    {KIND("t", TIME), .width = 8,
     .sql = "TIME '00:00:00' + to_microseconds(k * 7919013 % 86400000000)"},
    {KIND("ts", TIMESTAMP), .width = 8, .sql = "make_timestamp(v * 86400000000 + k)"},
    {KIND("tz", TIMESTAMPTZ), .width = 8,
     .sql = "to_timestamp(0) + to_microseconds(v * 86400000000 + k * 1000)"},
    {KIND("s", STRING),
     .sql = "CASE WHEN k % 11 = 0 THEN '' ELSE repeat('v' || v, (1 + k % 5)::INT) END"},
    {KIND("z", BINARY), .sql = "unhex(printf('%08x', k) || 'ff00')"},
    {KIND("u", UUID), .width = 16, .sql = "printf('%08x-0000-4000-8000-%012x', k, k)::UUID"},
    {KIND("d9", DECIMAL, .precision = 9, .scale = 2), .width = 16,
     .sql = "((v * 101) || 'e-2')::DECIMAL(9, 2)"},
    {KIND("d18", DECIMAL, .precision = 18, .scale = 3), .width = 16,
     .sql = "((v * 1000000007) || 'e-3')::DECIMAL(18, 3)"},
    {KIND("d38", DECIMAL, .precision = 38, .scale = 10), .width = 16,
     .sql = "(v * 1000000000000 + k)::DECIMAL(38, 10)"},
};

/* Which key a row has: i, i modulo so many, i divided by so many. Every so many rows are null; 1: all. */
typedef struct rows_case {
    const char *name;
    int64_t rows, modulo, divisor;
    int null_every;
    bool required;
    int64_t group_rows;
    size_t dictionary_max;
    bool picked; /* they lie the other way round, and are handed over by their places */
} rows_case;

static const rows_case ROWS[] = {
    {.name = "different", .rows = 5000, .group_rows = 100000, .dictionary_max = 1000},
    {.name = "required",
     .rows = 5000,
     .required = true,
     .group_rows = 100000,
     .dictionary_max = 9999},
    {.name = "nulls", .rows = 5003, .null_every = 3, .group_rows = 100000, .dictionary_max = 1000},
    {.name = "all_null", .rows = 1001, .null_every = 1, .group_rows = 300, .dictionary_max = 1000},
    {.name = "empty", .rows = 0, .group_rows = 100, .dictionary_max = 1000},
    {.name = "one", .rows = 1, .group_rows = 100, .dictionary_max = 1000},
    {.name = "few",
     .rows = 9000,
     .modulo = 7,
     .null_every = 5,
     .group_rows = 100000,
     .dictionary_max = 1000},
    {.name = "same",
     .rows = 9000,
     .modulo = 1,
     .null_every = 2,
     .group_rows = 100000,
     .dictionary_max = 1000},
    {.name = "runs",
     .rows = 9001,
     .divisor = 97,
     .null_every = 31,
     .group_rows = 100000,
     .dictionary_max = 1000},
    {.name = "mixed",
     .rows = 60000,
     .divisor = 97,
     .null_every = 31,
     .group_rows = 100000,
     .dictionary_max = 300},
    {.name = "given_up", .rows = 30000, .modulo = 3000, .group_rows = 7000, .dictionary_max = 100},
    {.name = "groups",
     .rows = 30000,
     .modulo = 3000,
     .null_every = 7,
     .group_rows = 7001,
     .dictionary_max = 3000},
    {.name = "pages",
     .rows = 100000,
     .modulo = 50000,
     .null_every = 13,
     .group_rows = 90000,
     .dictionary_max = 20000},
    {.name = "picked",
     .rows = 7000,
     .modulo = 900,
     .group_rows = 3000,
     .dictionary_max = 1000,
     .picked = true},
    {.name = "picked_nulls",
     .rows = 7000,
     .modulo = 900,
     .null_every = 4,
     .group_rows = 3000,
     .dictionary_max = 1000,
     .picked = true},
};

typedef struct arrow_column {
    firn_buf values, offsets;
    uint8_t *valid;
    struct ArrowArray array;
    const void *buffers[3];
} arrow_column;

static int64_t key_of(const rows_case *r, int64_t i)
{
    return r->modulo > 0 ? i % r->modulo : r->divisor > 0 ? i / r->divisor : i;
}

static bool is_null(const rows_case *r, int64_t i)
{
    return r->null_every > 0 && i % r->null_every == 0;
}

static void put_text(firn_buf *out, int64_t k, int64_t v)
{
    for (int64_t i = 0; i < (k % 11 == 0 ? 0 : 1 + k % 5); i++) {
        firn_buf_printf(out, "v%lld", (long long)v);
    }
}

static void put_wide(firn_buf *out, firn_parquet_kind kind, int precision, int64_t k, int64_t v)
{
    uint8_t uuid[16] = {0, 0, 0, 0, 0, 0, 0x40, 0, 0x80};
    __int128 decimal = precision == 9    ? v * 101
                       : precision == 18 ? (__int128)v * 1000000007
                                         : (__int128)(v * 1000000000000 + k) * 10000000000;
    for (int i = 0; i < 4; i++) {
        uuid[i] = uuid[12 + i] = (uint8_t)(k >> (24 - 8 * i));
    }
    firn_buf_append(out, kind == FIRN_PARQUET_UUID ? (const void *)uuid : &decimal, 16);
}

static void put_value(firn_buf *out, const column_case *c, int64_t k)
{
    int64_t v = k * 7919 % 100003 - 50000;
    int32_t narrow = (int32_t)v;
    float real4 = (float)((double)v / 8.0);
    double real8 = (double)v / 3.0;
    int64_t whole = c->column.kind == FIRN_PARQUET_LONG   ? v * 4294967296 + k
                    : c->column.kind == FIRN_PARQUET_TIME ? k * 7919013 % 86400000000
                    : c->column.kind == FIRN_PARQUET_TIMESTAMP
                        ? v * 86400000000 + k
                        : v * 86400000 + k; /* milliseconds */
    switch (c->column.kind) {
    case FIRN_PARQUET_INT:
    case FIRN_PARQUET_DATE: firn_buf_append(out, &narrow, 4); return;
    case FIRN_PARQUET_FLOAT: firn_buf_append(out, &real4, 4); return;
    case FIRN_PARQUET_DOUBLE: firn_buf_append(out, &real8, 8); return;
    case FIRN_PARQUET_STRING: put_text(out, k, v); return;
    case FIRN_PARQUET_BINARY: {
        uint8_t bytes[] = {
            (uint8_t)(k >> 24), (uint8_t)(k >> 16), (uint8_t)(k >> 8), (uint8_t)k, 0xff, 0};
        firn_buf_append(out, bytes, sizeof(bytes));
        return;
    }
    case FIRN_PARQUET_UUID:
    case FIRN_PARQUET_DECIMAL: put_wide(out, c->column.kind, c->column.precision, k, v); return;
    default: firn_buf_append(out, &whole, 8); return;
    }
}

/* OFFSET rows of something else come first. Under nulls lies what no column may hold. */
static void make_column(const column_case *c, const rows_case *r, arrow_column *out)
{
    bool text = c->column.kind == FIRN_PARQUET_STRING || c->column.kind == FIRN_PARQUET_BINARY;
    size_t n = (size_t)r->rows + OFFSET;
    *out = (arrow_column){.valid = firn_calloc(n / 8 + 1, 1)};
    firn_buf_append(&out->offsets, &(int32_t){0}, 4);
    for (size_t i = 0; i < n; i++) {
        int64_t place = (int64_t)i - OFFSET, row = r->picked ? r->rows - 1 - place : place;
        bool valid = place >= 0 && !is_null(r, row);
        int64_t k = place >= 0 ? key_of(r, row) : 99;
        out->valid[i / 8] |= (uint8_t)(valid << i % 8);
        if (c->column.kind == FIRN_PARQUET_BOOLEAN) {
            if (i % 8 == 0) {
                firn_buf_putc(&out->values, 0);
            }
            out->values.data[i / 8] |= (uint8_t)((k % 3 == 0) << i % 8);
        } else if (valid || place < 0) {
            put_value(&out->values, c, k);
        } else {
            static const uint8_t HIGH[16] = {[0 ... 14] = 0xff, [15] = 0x7f};
            firn_buf_append(&out->values, HIGH + 16 - c->width, c->width);
        }
        int32_t end = (int32_t)out->values.len;
        firn_buf_append(&out->offsets, &end, 4);
    }
    out->buffers[0] = r->null_every > 0 ? out->valid : NULL;
    out->buffers[1] = text ? out->offsets.data : out->values.data;
    out->buffers[2] = out->values.data;
    out->array = (struct ArrowArray){.length = r->rows,
                                     .offset = OFFSET,
                                     .null_count = r->null_every > 0 ? -1 : 0,
                                     .n_buffers = text ? 3 : 2,
                                     .buffers = out->buffers};
}

static void free_column(arrow_column *c)
{
    firn_buf_deinit(&c->values);
    firn_buf_deinit(&c->offsets);
    free(c->valid);
}

/* ---- written and read ---- */

static int64_t ask(lake_fixture *f, const char *sql)
{
    return strtoll(lake_text(f, sql), NULL, 10);
}

static firn_rc put_file(void *ctx, firn_bytes bytes, firn_err *err)
{
    (void)err;
    assert_int_equal(fwrite(bytes.data, 1, bytes.len, ctx), bytes.len);
    return FIRN_OK;
}

static firn_rc write_rows(firn_parquet_writer *w, const firn_parquet_source *sources,
                          const uint32_t *pick, int64_t rows, firn_err *err)
{
    for (int64_t from = 0; from < rows; from += STEP_ROWS) {
        const firn_parquet_rows step = {.sources = sources,
                                        .pick = pick,
                                        .from = from,
                                        .count = rows - from < STEP_ROWS ? rows - from : STEP_ROWS};
        FIRN_TRY(firn_parquet_add(w, &step, err));
    }
    return firn_parquet_finish(w, err);
}

static const char *const CODECS[] = {"none", "snappy", "zstd"};

static void write_file(const rows_case *r, firn_parquet_codec codec, bool deltas, const char *path)
{
    firn_err err = {0};
    arrow_column made[KINDS];
    firn_parquet_column columns[KINDS];
    firn_parquet_source sources[KINDS];
    firn_parquet_writer *w;
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    for (size_t i = 0; i < KINDS; i++) {
        make_column(&CASES[i], r, &made[i]);
        columns[i] = CASES[i].column;
        columns[i].field_id = (int32_t)i + 1;
        columns[i].required = r->required;
        sources[i] = (firn_parquet_source){
            .array = &made[i].array,
            .factor = CASES[i].column.kind == FIRN_PARQUET_TIMESTAMPTZ ? 1000 : 1};
    }
    const firn_parquet_options options = {.columns = columns,
                                          .n_columns = KINDS,
                                          .codec = codec,
                                          .level = r->picked ? 1 : 0,
                                          .deltas = deltas,
                                          .row_group_rows = r->group_rows,
                                          .dictionary_max = r->dictionary_max,
                                          .threads = 3,
                                          .sink = put_file,
                                          .ctx = file};
    uint32_t *pick = firn_calloc((size_t)r->rows, sizeof(*pick));
    for (int64_t i = 0; i < r->rows; i++) {
        pick[i] = (uint32_t)(r->rows - 1 - i);
    }
    assert_int_equal(firn_parquet_begin(&options, &w, &err), FIRN_OK);
    if (write_rows(w, sources, r->picked ? pick : NULL, r->rows, &err) != FIRN_OK) {
        fail_msg("%s: %s", path, err.message);
    }
    assert_int_equal(firn_parquet_row_count(w), r->rows);
    assert_int_equal(firn_parquet_bytes(w), ftell(file));
    for (size_t i = 0; i < KINDS; i++) {
        int64_t nulls = r->null_every > 0 ? (r->rows + r->null_every - 1) / r->null_every : 0;
        assert_int_equal(firn_parquet_column_stats(w, i)->nulls, nulls);
        assert_int_equal(firn_parquet_column_stats(w, i)->bounded, nulls < r->rows);
        free_column(&made[i]);
    }
    firn_parquet_free(w);
    free(pick);
    fclose(file);
}

static void expect_rows(lake_fixture *f, const rows_case *r, const char *path)
{
    firn_arena *a = f->arena;
    const char *key = firn_arena_printf(a, "i %s %lld",
                                        r->modulo > 0    ? "%"
                                        : r->divisor > 0 ? "//"
                                                         : "+",
                                        (long long)(r->modulo + r->divisor));
    const char *nulls =
        r->null_every > 0 ? firn_arena_printf(a, "i %% %d = 0", r->null_every) : "false";
    for (size_t i = 0; i < KINDS; i++) {
        const char *name = CASES[i].column.name;
        const char *sql = firn_arena_printf(
            a,
            "WITH rows AS (SELECT file_row_number AS i, \"%s\" AS x FROM read_parquet('%s', "
            "file_row_number = true)), keys AS (SELECT i, x, %s AS k FROM rows), "
            "want AS (SELECT i, x, k, k * 7919 %% 100003 - 50000 AS v FROM keys) "
            "SELECT count(*) FROM want WHERE x IS DISTINCT FROM CASE WHEN %s THEN NULL ELSE %s END",
            name, path, key, nulls, CASES[i].sql);
        if (ask(f, sql) != 0) {
            fail_msg("%s, column %s: wrong values", path, name);
        }
    }
    assert_int_equal(ask(f, firn_arena_printf(a, "SELECT count(*) FROM read_parquet('%s')", path)),
                     r->rows);
}

static void values_come_back(void **state)
{
    lake_fixture *f = *state;
    const char *keep = getenv("FIRN_PARQUET_FOLDER");
    for (size_t r = 0; r < sizeof(ROWS) / sizeof(*ROWS); r++) {
        for (int way = 0; way < 5; way++) { /* the codecs, then differences without and with one */
            int codec = way < 3 ? way : way == 3 ? FIRN_PARQUET_PLAIN : FIRN_PARQUET_SNAPPY;
            const char *path =
                firn_arena_printf(f->arena, "%s/%s-%s%s.parquet", keep != NULL ? keep : f->root,
                                  ROWS[r].name, CODECS[codec], way < 3 ? "" : "-deltas");
            write_file(&ROWS[r], (firn_parquet_codec)codec, way >= 3, path);
            expect_rows(f, &ROWS[r], path);
        }
    }
}

/* ---- one column ---- */

typedef struct one {
    firn_parquet_column column;
    struct ArrowArray array;
    int64_t factor;
    firn_parquet_codec codec;
    int level;
    bool deltas;
    size_t dictionary_max;
    int64_t group_rows, group_bytes;
} one;

static const char *one_path; /* each file a new one: DuckDB remembers footers by name and second */
static int one_files;

static struct ArrowArray array_of(int64_t n, const void **buffers)
{
    return (struct ArrowArray){
        .length = n, .null_count = buffers[0] != NULL ? -1 : 0, .n_buffers = 3, .buffers = buffers};
}

static firn_parquet_writer *begin_one(lake_fixture *f, const one *o, FILE **file)
{
    firn_err err = {0};
    firn_parquet_writer *w;
    one_path = firn_arena_printf(f->arena, "%s/one%d.parquet", f->root, one_files++);
    *file = fopen(one_path, "wb");
    assert_non_null(*file);
    const firn_parquet_options options = {.columns = &o->column,
                                          .n_columns = 1,
                                          .codec = o->codec,
                                          .level = o->level,
                                          .deltas = o->deltas,
                                          .row_group_rows =
                                              o->group_rows > 0 ? o->group_rows : 1000,
                                          .row_group_bytes = o->group_bytes,
                                          .dictionary_max = o->dictionary_max,
                                          .sink = put_file,
                                          .ctx = *file};
    assert_int_equal(firn_parquet_begin(&options, &w, &err), FIRN_OK);
    return w;
}

static void end_one(lake_fixture *f, const one *o, firn_parquet_writer *w, FILE *file,
                    firn_parquet_stats *stats)
{
    *stats = *firn_parquet_column_stats(w, 0);
    if (stats->bounded && o->column.kind == FIRN_PARQUET_STRING) {
        stats->min.bytes = firn_bytes_dup(f->arena, stats->min.bytes);
        stats->max.bytes = firn_bytes_dup(f->arena, stats->max.bytes);
    }
    firn_parquet_free(w);
    fclose(file);
}

static firn_rc write_one(lake_fixture *f, const one *o, firn_parquet_stats *stats, firn_err *err)
{
    FILE *file;
    firn_parquet_writer *w = begin_one(f, o, &file);
    const firn_parquet_source source = {.array = &o->array,
                                        .factor = o->factor > 0 ? o->factor : 1};
    firn_rc rc = write_rows(w, &source, NULL, o->array.length, err);
    end_one(f, o, w, file, stats);
    return rc;
}

static int64_t ask_one(lake_fixture *f, const char *what, const char *function, const char *rest)
{
    return ask(f, firn_arena_printf(f->arena, "SELECT %s FROM %s('%s') %s", what, function,
                                    one_path, rest));
}

static void a_nan_leaves_no_bounds(void **state)
{
    lake_fixture *f = *state;
    firn_err err = {0};
    firn_parquet_stats stats;
    double doubles[9] = {1, 2, NAN, 4, 5, 6, -7, 8, 9};
    float floats[9] = {NAN, 2, 3, 4, 5, 6, -7, 8, NAN};
    const void *buffers[3] = {NULL, doubles, NULL};
    one o = {.column = {.name = "x", .kind = FIRN_PARQUET_DOUBLE},
             .array = array_of(9, buffers),
             .group_rows = 4};
    assert_int_equal(write_one(f, &o, &stats, &err), FIRN_OK);
    assert_false(stats.bounded);
    assert_int_equal(stats.nans, 1);
    assert_int_equal(ask_one(f, "count(*)", "read_parquet", "WHERE isnan(x)"), 1);
    assert_int_equal(ask_one(f, "count(stats_min_value)", "parquet_metadata", ""), 2);
    buffers[1] = floats;
    o.column.kind = FIRN_PARQUET_FLOAT;
    assert_int_equal(write_one(f, &o, &stats, &err), FIRN_OK);
    assert_false(stats.bounded);
    assert_int_equal(stats.nans, 2);
}

static void zeros_hold_of_either_sign(void **state)
{
    lake_fixture *f = *state;
    firn_err err = {0};
    firn_parquet_stats stats;
    const double zeros[5] = {0.0, 0.0, -0.0, 0.0, 0.0};
    const void *buffers[3] = {NULL, zeros, NULL};
    const one o = {.column = {.name = "x", .kind = FIRN_PARQUET_DOUBLE},
                   .array = array_of(5, buffers)};
    assert_int_equal(write_one(f, &o, &stats, &err), FIRN_OK);
    assert_true(stats.bounded && signbit(stats.min.f64) && !signbit(stats.max.f64));
}

/* Texts that differ late, that begin alike, that are long: bounds and dictionaries tell them apart. */
static void texts_are_told_apart(void **state)
{
    lake_fixture *f = *state;
    firn_err err = {0};
    firn_parquet_stats stats;
    FIRN_AUTO_BUF firn_buf data = {0};
    int32_t offsets[4001] = {0};
    for (int i = 0; i < 4000; i++) { /* 8, 16, 19, 40 bytes, alike at both ends */
        static const char *const SHAPES[] = {"aa#aa", "same-#-same", "same--#---same",
                                             "the same beginning # and the same end"};
        char number[8];
        snprintf(number, sizeof(number), i % 4 == 0 ? "%04d" : "%06d", i % 200);
        firn_buf_printf(&data, "%.*s%s%s", (int)strcspn(SHAPES[i % 4], "#"), SHAPES[i % 4], number,
                        strchr(SHAPES[i % 4], '#') + 1);
        offsets[i + 1] = (int32_t)data.len;
    }
    const void *buffers[3] = {NULL, offsets, data.data};
    for (int dictionary = 0; dictionary < 2; dictionary++) {
        const one o = {.column = {.name = "x", .kind = FIRN_PARQUET_STRING},
                       .array = array_of(4000, buffers),
                       .codec = FIRN_PARQUET_SNAPPY,
                       .group_rows = 10000,
                       .dictionary_max = dictionary ? 1000 : 10};
        assert_int_equal(write_one(f, &o, &stats, &err), FIRN_OK);
        assert_true(stats.bounded);
        assert_int_equal(firn_bytes_cmp(stats.min.bytes, firn_bytes_str("aa0000aa")), 0);
        assert_int_equal(
            firn_bytes_cmp(stats.max.bytes,
                           firn_bytes_str("the same beginning 000199 and the same end")),
            0);
        assert_int_equal(ask_one(f, "count(DISTINCT x)", "read_parquet", ""), 200);
        assert_int_equal(
            ask_one(f, "count(*)", "parquet_metadata", "WHERE dictionary_page_offset IS NOT NULL"),
            dictionary);
    }
}

static void big_values_are_whole(void **state)
{
    lake_fixture *f = *state;
    firn_err err = {0};
    firn_parquet_stats stats;
    enum { EACH = 700000, N = 7 };
    char *data = firn_malloc((size_t)EACH * N);
    int32_t offsets[N + 1] = {0};
    for (int i = 0; i < N; i++) {
        memset(data + (size_t)i * EACH, 'a' + i, EACH);
        offsets[i + 1] = (i + 1) * EACH;
    }
    const void *buffers[3] = {NULL, offsets, data};
    const one o = {.column = {.name = "x", .kind = FIRN_PARQUET_STRING},
                   .array = array_of(N, buffers),
                   .codec = FIRN_PARQUET_ZSTD,
                   .dictionary_max = 100};
    assert_int_equal(write_one(f, &o, &stats, &err), FIRN_OK);
    assert_int_equal(stats.max.bytes.data[0], 'g');
    assert_int_equal(ask_one(f, "count(*)", "read_parquet",
                             "WHERE x = repeat(chr(97 + file_row_number::INT), 700000)"),
                     N);
    assert_int_equal(ask_one(f, "count(stats_min_value)", "parquet_metadata", ""), 0);
    free(data);
}

/* What the codec does not make smaller is written without it; the others of the file have it. */
static void what_does_not_pack_goes_without(void **state)
{
    lake_fixture *f = *state;
    firn_err err = {0};
    firn_parquet_stats stats;
    enum { N = 20000 };
    uint64_t *noise = firn_malloc(N * sizeof(*noise)), x = 1;
    for (int i = 0; i < N; i++) {
        x = x * UINT64_C(6364136223846793005) + 1442695040888963407;
        noise[i] = x ^ x >> 32 ^ x << 21;
    }
    const void *buffers[3] = {NULL, noise, NULL};
    for (int codec = FIRN_PARQUET_SNAPPY; codec <= FIRN_PARQUET_ZSTD; codec++) {
        const one o = {.column = {.name = "x", .kind = FIRN_PARQUET_LONG},
                       .array = array_of(N, buffers),
                       .codec = (firn_parquet_codec)codec,
                       .group_rows = 6000,
                       .dictionary_max = 100};
        assert_int_equal(write_one(f, &o, &stats, &err), FIRN_OK);
        assert_int_equal(
            ask_one(f, "count(*)", "parquet_metadata", "WHERE compression = 'UNCOMPRESSED'"), 4);
        assert_int_equal(ask_one(f, "count(DISTINCT x)", "read_parquet", ""), N);
    }
    free(noise);
}

static uint64_t noise_of(uint64_t i)
{
    uint64_t x = (i + 1) * UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    return x ^ x >> 27;
}

/* Random texts are not searched for what was there before, others are: with no level a file is hardly larger than at level 1, and each value is what it was. */
static void zstd_goes_about_it_as_the_column_is(void **state)
{
    lake_fixture *f = *state;
    firn_err err = {0};
    firn_parquet_stats stats;
    enum {
        N = 40000,
    };
    static const char *const kinds[] = {"ids", "pages", "times"};
    for (size_t kind = 0; kind < sizeof(kinds) / sizeof(*kinds); kind++) {
        FIRN_AUTO_BUF firn_buf data = {0};
        int32_t *offsets = firn_calloc(N + 1, sizeof(*offsets));
        int64_t *times = firn_calloc(N, sizeof(*times));
        for (uint64_t i = 0; i < N; i++) {
            if (kind == 0) {
                firn_buf_printf(&data, "%016llx-4%015llx%03d", (unsigned long long)noise_of(2 * i),
                                (unsigned long long)noise_of(2 * i + 1) >> 4, (int)(i % 1000));
            } else {
                firn_buf_printf(&data, "/shop/product/%llu/details?from=%llu",
                                (unsigned long long)(noise_of(i) % 90000), (unsigned long long)i);
            }
            offsets[i + 1] = (int32_t)data.len;
            times[i] = 1795860000000000 + (int64_t)(1000 * i + noise_of(i) % 900);
        }
        const void *texts[3] = {NULL, offsets, data.data}, *numbers[3] = {NULL, times, NULL};
        int64_t bytes[2];
        for (int level = 0; level < 2; level++) {
            const one o = {
                .column = {.name = "x", .kind = kind < 2 ? FIRN_PARQUET_STRING : FIRN_PARQUET_LONG},
                .array = array_of(N, kind < 2 ? texts : numbers),
                .codec = FIRN_PARQUET_ZSTD,
                .level = level,
                .group_rows = N / 4,
                .dictionary_max = 100};
            assert_int_equal(write_one(f, &o, &stats, &err), FIRN_OK);
            bytes[level] = ask_one(f, "sum(total_compressed_size)::BIGINT", "parquet_metadata",
                                   "WHERE compression = 'ZSTD'");
            assert_int_equal(ask_one(f, "count(DISTINCT x)", "read_parquet", ""), N);
            assert_int_equal(ask_one(f, "sum(length(x::VARCHAR))::BIGINT", "read_parquet", ""),
                             kind < 2 ? (int64_t)data.len : (int64_t)N * 16);
        }
        print_message("%s: %lld bytes, at level 1 %lld\n", kinds[kind], (long long)bytes[0],
                      (long long)bytes[1]);
        assert_true(bytes[0] > 0 && bytes[0] <= bytes[1] + bytes[1] / 10);
        free(offsets);
        free(times);
    }
}

/* Numbers of as many bits as there are, steps that wrap around, and ends of blocks. */
static void differences_add_up(void **state)
{
    lake_fixture *f = *state;
    firn_err err = {0};
    firn_parquet_stats stats;
    enum { N = 20000 };
    static const int64_t sizes[] = {1, 2, 32, 33, 34, 128, 129, 130, 257, N};
    int64_t *longs = firn_calloc(N, sizeof(*longs));
    int32_t *ints = firn_calloc(N, sizeof(*ints));
    const void *long_buffers[3] = {NULL, longs, NULL}, *int_buffers[3] = {NULL, ints, NULL};
    for (unsigned bits = 0; bits <= 64; bits += bits == 0 || bits >= 60 ? 1 : 3) {
        __int128 sum[2] = {0};
        int64_t n = sizes[bits % (sizeof(sizes) / sizeof(*sizes))];
        for (int64_t i = 0; i < n; i++) {
            uint64_t noise = noise_of((uint64_t)i + bits * 7919);
            longs[i] = (int64_t)(bits == 0 ? (uint64_t)i * 1000 : noise >> (64 - bits));
            longs[i] = bits == 64 && i % 3 == 0 ? i % 2 ? INT64_MIN : INT64_MAX : longs[i];
            ints[i] = bits == 64 && i % 3 == 0 ? i % 2 ? INT32_MIN : INT32_MAX : (int32_t)longs[i];
            sum[0] += longs[i];
            sum[1] += ints[i];
        }
        for (int wide = 0; wide < 2; wide++) {
            const one o = {.column = {.name = "x",
                                      .kind = wide ? FIRN_PARQUET_LONG : FIRN_PARQUET_INT,
                                      .required = bits % 2 == 0},
                           .array = array_of(n, wide ? long_buffers : int_buffers),
                           .codec = FIRN_PARQUET_PLAIN,
                           .deltas = true,
                           .group_rows = N,
                           .dictionary_max = 100};
            assert_int_equal(write_one(f, &o, &stats, &err), FIRN_OK);
            assert_int_equal(ask_one(f, "count(x)", "read_parquet", ""), n);
            __int128 want = sum[wide ? 0 : 1];
            const char *same = firn_arena_printf(
                f->arena, "(sum(x::HUGEINT) = %lld::HUGEINT * 1000000000 + %lld)::INT",
                (long long)(want / 1000000000), (long long)(want % 1000000000));
            assert_int_equal(ask_one(f, same, "read_parquet", ""), 1);
            assert_int_equal(ask_one(f, "x", "read_parquet", "LIMIT 1 OFFSET 0"),
                             wide ? longs[0] : ints[0]);
            if (n == N && bits < 30) {
                assert_int_equal(ask_one(f, "count(*)", "parquet_metadata",
                                         "WHERE encodings LIKE '%DELTA_BINARY_PACKED%'"),
                                 1);
            }
        }
    }
    free(longs);
    free(ints);
}

static void what_does_not_fit_is_refused(void **state)
{
    lake_fixture *f = *state;
    firn_err err = {0};
    firn_parquet_stats stats;
    const __int128 decimals[3] = {1, 1000000000, 2};
    const int64_t times[3] = {1, INT64_MAX / 10, 2};
    const uint8_t valid[1] = {5}; /* the one in the middle is null */
    const void *buffers[3] = {NULL, decimals, NULL};
    one o = {.column = {.name = "x", .kind = FIRN_PARQUET_DECIMAL, .precision = 9, .scale = 2},
             .array = array_of(3, buffers),
             .factor = 1000};
    assert_int_equal(write_one(f, &o, &stats, &err), FIRN_E_TYPE);
    assert_non_null(strstr(err.message, "column x: a value has more digits than decimal(9, 2)"));
    o.column.precision = 10;
    assert_int_equal(write_one(f, &o, &stats, &err), FIRN_OK);
    assert_int_equal((int64_t)stats.max.decimal, 1000000000);
    buffers[1] = times;
    o.column.kind = FIRN_PARQUET_TIMESTAMP;
    assert_int_equal(write_one(f, &o, &stats, &err), FIRN_E_TYPE);
    assert_non_null(strstr(err.message, "beyond what microseconds can say"));
    buffers[0] = valid;
    o.array = array_of(3, buffers);
    assert_int_equal(write_one(f, &o, &stats, &err), FIRN_OK);
    assert_int_equal(stats.max.i64, 2000);
    o.column.required = true;
    assert_int_equal(write_one(f, &o, &stats, &err), FIRN_E_CHECK_FAILED);
}

static void a_refusal_takes_nothing(void **state)
{
    lake_fixture *f = *state;
    firn_err err = {0};
    FILE *file;
    firn_parquet_stats stats;
    const int64_t times[5] = {1, 2, 3, INT64_MAX / 10, 4};
    const void *buffers[3] = {NULL, times, NULL};
    const one o = {.column = {.name = "x", .kind = FIRN_PARQUET_TIMESTAMP},
                   .array = array_of(5, buffers)};
    const firn_parquet_source source = {.array = &o.array, .factor = 1000};
    firn_parquet_rows rows = {.sources = &source, .count = 2};
    firn_parquet_writer *w = begin_one(f, &o, &file);
    assert_int_equal(firn_parquet_add(w, &rows, &err), FIRN_OK);
    rows.from = 2; /* 3 and the one beyond */
    assert_int_equal(firn_parquet_add(w, &rows, &err), FIRN_E_TYPE);
    rows.from = 4;
    rows.count = 1;
    assert_int_equal(firn_parquet_add(w, &rows, &err), FIRN_OK);
    assert_int_equal(firn_parquet_finish(w, &err), FIRN_OK);
    end_one(f, &o, w, file, &stats);
    assert_int_equal(stats.max.i64, 4000);
    assert_int_equal(ask_one(f, "sum(epoch_ms(x))", "read_parquet", ""), 7);
    assert_int_equal(ask_one(f, "count(*)", "read_parquet", ""), 3);
}

/* ---- rows that come and go ---- */

enum {
    PASSING = 5000,
    PASSINGS = 20,
    FEW = 50
}; /* rows of a batch, batches; values of the first half */

static int64_t passing_number(int64_t row)
{
    return row < PASSING * PASSINGS / 2 ? row % FEW : row * 1000003;
}

/* A batch of memory that is gone afterwards. Every 11th row is null. */
static void add_passing(firn_parquet_writer *w, bool texts, int64_t first)
{
    firn_err err = {0};
    FIRN_AUTO_BUF firn_buf data = {0};
    FIRN_AUTO_BUF firn_buf offsets = {0};
    uint8_t valid[PASSING / 8 + 1] = {0};
    int32_t end = 0;
    firn_buf_append(&offsets, &end, sizeof(end));
    for (int64_t i = 0; i < PASSING; i++) {
        int64_t number = passing_number(first + i);
        if (texts) {
            firn_buf_printf(&data, "number %lld", (long long)number);
        } else {
            firn_buf_append(&data, &number, sizeof(number));
        }
        end = (int32_t)data.len;
        firn_buf_append(&offsets, &end, sizeof(end));
        valid[i / 8] |= (uint8_t)(((first + i) % 11 != 0) << i % 8);
    }
    const void *buffers[3] = {valid, texts ? offsets.data : data.data, data.data};
    const struct ArrowArray array = array_of(PASSING, buffers);
    const firn_parquet_source source = {.array = &array, .factor = 1};
    const firn_parquet_rows rows = {.sources = &source, .count = PASSING};
    assert_int_equal(firn_parquet_add(w, &rows, &err), FIRN_OK);
}

/* First few different values, then no two alike: pages of numbers, then pages of values in one chunk. */
static void rows_need_not_stay(void **state)
{
    lake_fixture *f = *state;
    firn_err err = {0};
    FILE *file;
    firn_parquet_stats stats;
    for (int texts = 0; texts < 2; texts++) {
        const one o = {
            .column = {.name = "x", .kind = texts ? FIRN_PARQUET_STRING : FIRN_PARQUET_LONG},
            .codec = FIRN_PARQUET_ZSTD,
            .dictionary_max = 1000,
            .group_rows = PASSING * PASSINGS};
        firn_parquet_writer *w = begin_one(f, &o, &file);
        for (int64_t first = 0; first < PASSING * PASSINGS; first += PASSING) {
            add_passing(w, texts, first);
        }
        assert_int_equal(firn_parquet_finish(w, &err), FIRN_OK);
        end_one(f, &o, w, file, &stats);
        const char *number =
            firn_arena_printf(f->arena, "CASE WHEN i < %d THEN i %% %d ELSE i * 1000003 END",
                              PASSING * PASSINGS / 2, FEW);
        assert_int_equal(
            ask(f, firn_arena_printf(
                       f->arena,
                       "WITH rows AS (SELECT file_row_number AS i, x FROM read_parquet('%s', "
                       "file_row_number = true)) SELECT count(*) FROM rows WHERE x IS NOT DISTINCT "
                       "FROM CASE WHEN i %% 11 = 0 THEN NULL ELSE %s(%s) END",
                       one_path, texts ? "'number ' || " : "", number)),
            PASSING * PASSINGS);
        assert_int_equal(ask_one(f, "count(*)", "parquet_metadata",
                                 "WHERE encodings LIKE '%RLE_DICTIONARY%' AND encodings LIKE "
                                 "'%PLAIN%' AND dictionary_page_offset IS NOT NULL"),
                         1);
        assert_int_equal(stats.nulls, (PASSING * PASSINGS + 10) / 11);
        if (texts) {
            assert_int_equal(firn_bytes_cmp(stats.min.bytes, firn_bytes_str("number 0")), 0);
            assert_int_equal(firn_bytes_cmp(stats.max.bytes, firn_bytes_str("number 99999299997")),
                             0);
        } else {
            assert_int_equal(stats.min.i64, 0);
            assert_int_equal(stats.max.i64, 99999 * INT64_C(1000003));
        }
    }
}

/* A row group ends by what it holds itself, not by the room that a larger one before it has left: those of few values are full. */
static void row_groups_end_by_their_own_bytes(void **state)
{
    lake_fixture *f = *state;
    firn_err err = {0};
    FILE *file;
    firn_parquet_stats stats;
    enum { ROWS_ = 20000, STEPS = 20, DIFFERENT = 15000 };
    int64_t *values = firn_malloc(ROWS_ * sizeof(*values));
    const void *buffers[3] = {NULL, values, NULL};
    one o = {.column = {.name = "x", .kind = FIRN_PARQUET_LONG},
             .array = array_of(ROWS_, buffers),
             .codec = FIRN_PARQUET_SNAPPY,
             .dictionary_max = 100000,
             .group_rows = ROWS_ * 5,
             .group_bytes = 300000};
    const firn_parquet_source source = {.array = &o.array, .factor = 1};
    const firn_parquet_rows rows = {.sources = &source, .count = ROWS_};
    firn_parquet_writer *w = begin_one(f, &o, &file);
    for (int64_t i = 0; i < (int64_t)ROWS_ * STEPS; i++) { /* many different values, then few */
        values[i % ROWS_] = (i < ROWS_ * 5 ? i % DIFFERENT : i % 3) * INT64_C(1000000007);
        if (i % ROWS_ == ROWS_ - 1) {
            assert_int_equal(firn_parquet_add(w, &rows, &err), FIRN_OK);
        }
    }
    assert_int_equal(firn_parquet_finish(w, &err), FIRN_OK);
    assert_int_equal(firn_parquet_held_bytes(w), 0);
    end_one(f, &o, w, file, &stats);
    free(values);
    assert_true(ask_one(f, "count(*)", "parquet_metadata", "WHERE num_values = 100000") >= 2);
    assert_int_equal(ask_one(f, "count(*)", "read_parquet", ""), (int64_t)ROWS_ * STEPS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(values_come_back, lake_setup, lake_teardown),
        cmocka_unit_test_setup_teardown(a_nan_leaves_no_bounds, lake_setup, lake_teardown),
        cmocka_unit_test_setup_teardown(zeros_hold_of_either_sign, lake_setup, lake_teardown),
        cmocka_unit_test_setup_teardown(texts_are_told_apart, lake_setup, lake_teardown),
        cmocka_unit_test_setup_teardown(big_values_are_whole, lake_setup, lake_teardown),
        cmocka_unit_test_setup_teardown(what_does_not_pack_goes_without, lake_setup, lake_teardown),
        cmocka_unit_test_setup_teardown(zstd_goes_about_it_as_the_column_is, lake_setup,
                                        lake_teardown),
        cmocka_unit_test_setup_teardown(differences_add_up, lake_setup, lake_teardown),
        cmocka_unit_test_setup_teardown(what_does_not_fit_is_refused, lake_setup, lake_teardown),
        cmocka_unit_test_setup_teardown(a_refusal_takes_nothing, lake_setup, lake_teardown),
        cmocka_unit_test_setup_teardown(rows_need_not_stay, lake_setup, lake_teardown),
        cmocka_unit_test_setup_teardown(row_groups_end_by_their_own_bytes, lake_setup,
                                        lake_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
