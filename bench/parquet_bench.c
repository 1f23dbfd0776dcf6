/* What the Parquet writer (format/parquet.h) costs by itself: Arrow columns that lie in memory, into files that nobody keeps. CPU seconds of the process;
 * beside them the part that the kernel had.
 *
 *   small    a random uuid as text, a text of eight values, a double, a timestamp
 *   wide     the 30 columns of events.h
 *   keys     an ascending long, one of 50,000 users, decimal(10,2), milliseconds, texts and ints of four values, one of 5,000 longs
 *   texts    23 columns, texts of few and of some thousand values for the most part
 *
 * Usage: parquet_bench [ROWS [SHAPE [FOLDER]]]     with a SHAPE also each of its columns alone; files are kept in FOLDER
 */
#include "events.h"

#include "format/parquet.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum {
    COLUMNS_MAX = 32,
    GROUP_ROWS = 1 << 20,
    GROUP_BYTES = 32 << 20,
    STEP_ROWS = 65536,
    ROUNDS = 3,
    DICTIONARY_MAX = GROUP_ROWS / 5, /* as in engine/write.c */
};

typedef struct column {
    firn_buf values, offsets, valid; /* a byte for each row, at first */
    struct ArrowArray array;
    const void *buffers[3];
} column;

typedef struct shape shape;
struct shape {
    const char *name;
    const firn_parquet_column *columns;
    size_t n_columns;
    void (*fill)(column *columns, int64_t i);
};

typedef struct trial {
    const char *name;
    firn_parquet_codec codec;
    int level;
    bool deltas;
    size_t dictionary_max;
} trial;

typedef struct result {
    double cpu_s, sys_s;
    int64_t bytes;
} result;

static void check(firn_rc rc, const firn_err *err)
{
    if (rc != FIRN_OK) {
        fprintf(stderr, "parquet_bench: %s\n", err->message);
        exit(1);
    }
}

/* ---- columns ---- */

static void put_valid(column *c, bool valid)
{
    firn_buf_putc(&c->valid, valid);
    c->array.null_count += !valid;
    c->array.length++;
}

static void put(column *c, const void *value, size_t width)
{
    firn_buf_append(&c->values, value, width);
    put_valid(c, true);
}

static void put_long(column *c, int64_t value)
{
    put(c, &value, sizeof(value));
}

static void put_int(column *c, int32_t value)
{
    put(c, &value, sizeof(value));
}

static void put_double(column *c, double value)
{
    put(c, &value, sizeof(value));
}

static void put_decimal(column *c, int64_t value)
{
    __int128 wide = value;
    put(c, &wide, sizeof(wide));
}

static void put_bool(column *c, bool value)
{
    size_t bit = (size_t)c->array.length % 8;
    if (bit == 0) {
        firn_buf_putc(&c->values, 0);
    }
    c->values.data[c->values.len - 1] |= (uint8_t)(value << bit);
    put_valid(c, true);
}

static void put_text(column *c, const char *text)
{
    if (text != NULL) {
        firn_buf_puts(&c->values, text);
    }
    int32_t end = (int32_t)c->values.len;
    firn_buf_append(&c->offsets, &end, sizeof(end));
    put_valid(c, text != NULL);
}

static void seal(column *c, bool text)
{
    for (size_t i = 0; i < c->valid.len; i++) { /* bytes become bits, in place */
        bool valid = c->valid.data[i] != 0;
        c->valid.data[i / 8] = (uint8_t)((i % 8 ? c->valid.data[i / 8] : 0) | valid << i % 8);
    }
    c->buffers[0] = c->array.null_count > 0 ? c->valid.data : NULL;
    c->buffers[1] = text ? c->offsets.data : c->values.data;
    c->buffers[2] = c->values.data;
    c->array.buffers = c->buffers;
    c->array.n_buffers = text ? 3 : 2;
}

/* ---- shapes ---- */

#define TEXT(NAME)                                \
    {                                             \
        .name = NAME, .kind = FIRN_PARQUET_STRING \
    }
#define KIND(NAME, KIND)                          \
    {                                             \
        .name = NAME, .kind = FIRN_PARQUET_##KIND \
    }

static const firn_parquet_column small_columns[] = {TEXT("id"), TEXT("category"),
                                                    KIND("value", DOUBLE), KIND("ts", TIMESTAMPTZ)};

static void fill_small(column *c, int64_t i)
{
    char id[37];
    event e = event_of(42, (uint64_t)i, 1795860000000000 + i * 1000);
    event_uuid(&e, id);
    put_text(&c[0], id);
    put_text(&c[1], EVENT_PICK(event_categories, e.a));
    put_double(&c[2], event_value(&e));
    put_long(&c[3], e.ts_us);
}

static const firn_parquet_column wide_columns[] = {
    TEXT("event_id"),
    TEXT("event_type"),
    KIND("event_time", TIMESTAMPTZ),
    KIND("received_at", TIMESTAMPTZ),
    KIND("user_id", LONG),
    TEXT("session_id"),
    TEXT("device"),
    TEXT("os"),
    TEXT("app_version"),
    TEXT("country"),
    TEXT("city"),
    TEXT("language"),
    TEXT("page"),
    TEXT("referrer"),
    TEXT("campaign"),
    KIND("order_id", LONG),
    KIND("product_id", LONG),
    KIND("quantity", INT),
    KIND("unit_price", DOUBLE),
    KIND("discount", DOUBLE),
    KIND("total", DOUBLE),
    TEXT("currency"),
    KIND("paid", BOOLEAN),
    KIND("returning", BOOLEAN),
    KIND("latency_ms", INT),
    KIND("bytes_sent", LONG),
    KIND("status", INT),
    KIND("score", DOUBLE),
    TEXT("experiment"),
    TEXT("note"),
};

static void fill_wide(column *c, int64_t i)
{
    wide_event w;
    event e = event_of(42, (uint64_t)i, 1795860000000000 + i * 1000);
    wide_of(&e, &w);
    put_text(c++, w.id);
    put_text(c++, w.type);
    put_long(c++, e.ts_us);
    put_long(c++, e.ts_us + 35000);
    put_long(c++, w.user);
    put_text(c++, w.session);
    put_text(c++, w.device);
    put_text(c++, w.os);
    put_text(c++, "7.14.2");
    put_text(c++, w.country);
    put_text(c++, w.city);
    put_text(c++, "en-GB");
    put_text(c++, w.page);
    put_text(c++, w.referrer);
    put_text(c++, w.campaign);
    put_long(c, w.order);
    if (w.order < 0) { /* it is null */
        c->valid.data[c->valid.len - 1] = 0;
        c->array.null_count++;
    }
    c++;
    put_long(c++, w.product);
    put_int(c++, w.quantity);
    put_double(c++, w.price);
    put_double(c++, w.discount);
    put_double(c++, w.total);
    put_text(c++, "EUR");
    put_bool(c++, w.paid);
    put_bool(c++, w.returning);
    put_int(c++, w.latency);
    put_long(c++, w.bytes);
    put_int(c++, w.status);
    put_double(c++, w.score);
    put_text(c++, w.experiment);
    put_text(c++, w.note);
}

static const firn_parquet_column key_columns[] = {
    KIND("id", LONG),
    TEXT("user"),
    {.name = "amount", .kind = FIRN_PARQUET_DECIMAL, .precision = 10, .scale = 2},
    KIND("at", TIMESTAMP),
    TEXT("state"),
    KIND("priority", INT),
    KIND("product", LONG),
};

static void fill_keys(column *c, int64_t i)
{
    static const char *const STATES[] = {"created", "paid", "shipped", "delivered"};
    char user[16];
    event e = event_of(7, (uint64_t)i, 0);
    snprintf(user, sizeof(user), "user_%05d", (int)(e.a % 50000));
    put_long(c++, i + 1);
    put_text(c++, user);
    put_decimal(c++, (int64_t)(e.b % 100000000));
    put_long(c++, 1795860000000 + i * 10 + (int64_t)(e.a >> 60));
    put_text(c++, EVENT_PICK(STATES, e.a >> 20));
    put_int(c++, (int32_t)(e.b >> 20 & 3));
    put_long(c++, (int64_t)(e.a >> 24) % 5000);
}

#define FEW(NAME) TEXT(NAME "_a"), TEXT(NAME "_b"), TEXT(NAME "_c"), TEXT(NAME "_d")

static const firn_parquet_column text_columns[] = {
    KIND("id", LONG),
    FEW("few"),
    FEW("some"),
    FEW("many"),
    FEW("opt"),
    KIND("at", TIMESTAMPTZ),
    KIND("n", INT),
    {.name = "amount", .kind = FIRN_PARQUET_DECIMAL, .precision = 10, .scale = 2},
    KIND("share", DOUBLE),
    KIND("flag", BOOLEAN),
    TEXT("trace")};

static void fill_texts(column *c, int64_t i)
{
    static const char *const NAMES[] = {"state", "region", "channel", "warehouse-location"};
    static const unsigned MANY[] = {5000, 3000, 8000, 2000}, SOME[] = {20, 100, 300, 1000};
    char text[64];
    event e = event_of(11, (uint64_t)i, 1795860000000000 + i * 1000);
    put_long(c++, i);
    for (unsigned k = 0; k < 16; k++) {
        uint64_t bits = event_bits(100 + k, (uint64_t)i);
        unsigned values = k < 4 ? 3 + k : k < 8 ? SOME[k - 4] : k < 12 ? MANY[k - 8] : 50;
        snprintf(text, sizeof(text), "%s_%u", NAMES[k % 4], (unsigned)(bits % values));
        put_text(c++, k >= 12 && bits >> 60 < 4 ? NULL : text);
    }
    put_long(c++, e.ts_us);
    put_int(c++, (int32_t)(e.a % 100));
    put_decimal(c++, (int64_t)(e.b % 1000) * 100 + 99);
    put_double(c++, (double)(e.a >> 8 & 1023) / 1024);
    put_bool(c++, e.a >> 40 & 1);
    snprintf(text, sizeof(text), "%016llx", (unsigned long long)e.b);
    put_text(c++, text);
}

#define SHAPE(NAME, COLUMNS, FILL)                                                           \
    {                                                                                        \
        .name = NAME, .columns = COLUMNS, .n_columns = sizeof(COLUMNS) / sizeof(*(COLUMNS)), \
        .fill = FILL                                                                         \
    }

static const shape shapes[] = {
    SHAPE("small", small_columns, fill_small),
    SHAPE("wide", wide_columns, fill_wide),
    SHAPE("keys", key_columns, fill_keys),
    SHAPE("texts", text_columns, fill_texts),
};

static const trial trials[] = {
    {.name = "none", .codec = FIRN_PARQUET_PLAIN, .dictionary_max = DICTIONARY_MAX},
    {.name = "snappy", .codec = FIRN_PARQUET_SNAPPY, .dictionary_max = DICTIONARY_MAX},
    {.name = "zstd", .codec = FIRN_PARQUET_ZSTD, .dictionary_max = DICTIONARY_MAX},
    {.name = "zstd 1", .codec = FIRN_PARQUET_ZSTD, .level = 1, .dictionary_max = DICTIONARY_MAX},
    {.name = "snappyd",
     .codec = FIRN_PARQUET_SNAPPY,
     .deltas = true,
     .dictionary_max = DICTIONARY_MAX},
    {.name = "zstdd", .codec = FIRN_PARQUET_ZSTD, .deltas = true, .dictionary_max = DICTIONARY_MAX},
};

/* ---- measured ---- */

static firn_rc sink(void *ctx, firn_bytes bytes, firn_err *err)
{
    FILE *file = ctx;
    if (file != NULL && fwrite(bytes.data, 1, bytes.len, file) != bytes.len) {
        FIRN_FAIL(err, FIRN_E_IO, "cannot write");
    }
    return FIRN_OK;
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static void write_once(const firn_parquet_options *options, const firn_parquet_source *sources,
                       int64_t rows, result *out)
{
    firn_err err;
    struct rusage before, after;
    firn_parquet_writer *writer;
    getrusage(RUSAGE_SELF, &before);
    check(firn_parquet_begin(options, &writer, &err), &err);
    for (int64_t from = 0; from < rows; from += STEP_ROWS) {
        int64_t left = rows - from;
        const firn_parquet_rows step = {
            .sources = sources, .from = from, .count = left < STEP_ROWS ? left : STEP_ROWS};
        check(firn_parquet_add(writer, &step, &err), &err);
    }
    check(firn_parquet_finish(writer, &err), &err);
    out->bytes = firn_parquet_bytes(writer);
    firn_parquet_free(writer);
    getrusage(RUSAGE_SELF, &after);
    out->sys_s = seconds(after.ru_stime) - seconds(before.ru_stime);
    out->cpu_s = out->sys_s + seconds(after.ru_utime) - seconds(before.ru_utime);
}

static result measure(const trial *t, const firn_parquet_column *columns, size_t n,
                      const firn_parquet_source *sources, int64_t rows)
{
    result best = {0};
    const firn_parquet_options options = {.columns = columns,
                                          .n_columns = n,
                                          .codec = t->codec,
                                          .level = t->level,
                                          .deltas = t->deltas,
                                          .row_group_rows = GROUP_ROWS,
                                          .row_group_bytes = GROUP_BYTES,
                                          .dictionary_max = t->dictionary_max,
                                          .threads = 1,
                                          .sink = sink};
    for (int i = 0; i < ROUNDS; i++) {
        result r;
        write_once(&options, sources, rows, &r);
        best = i == 0 || r.cpu_s < best.cpu_s ? r : best;
    }
    return best;
}

static void keep(const trial *t, const shape *s, const firn_parquet_source *sources, int64_t rows,
                 const char *folder)
{
    char path[4096];
    result r;
    snprintf(path, sizeof(path), "%s/%s-%s.parquet", folder, s->name, t->name);
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    const firn_parquet_options options = {.columns = s->columns,
                                          .n_columns = s->n_columns,
                                          .codec = t->codec,
                                          .level = t->level,
                                          .deltas = t->deltas,
                                          .row_group_rows = GROUP_ROWS,
                                          .row_group_bytes = GROUP_BYTES,
                                          .dictionary_max = t->dictionary_max,
                                          .threads = 1,
                                          .sink = sink,
                                          .ctx = file};
    write_once(&options, sources, rows, &r);
    if (fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

static void print_columns(const shape *s, const firn_parquet_source *sources, int64_t rows)
{
    printf("  %-12s", "column");
    for (size_t t = 0; t < sizeof(trials) / sizeof(*trials); t++) {
        printf("   %6s ns   bytes", trials[t].name);
    }
    printf("   of a row\n");
    for (size_t i = 0; i < s->n_columns; i++) {
        printf("  %-12s", s->columns[i].name);
        for (size_t t = 0; t < sizeof(trials) / sizeof(*trials); t++) {
            result r = measure(&trials[t], &s->columns[i], 1, &sources[i], rows);
            printf("   %9.1f %7.2f", r.cpu_s * 1e9 / (double)rows, (double)r.bytes / (double)rows);
        }
        printf("\n");
    }
}

static void run(const shape *s, int64_t rows, bool columns, const char *folder)
{
    static column made[COLUMNS_MAX];
    firn_parquet_source sources[COLUMNS_MAX];
    memset(made, 0, sizeof(made));
    for (size_t i = 0; i < s->n_columns; i++) {
        if (s->columns[i].kind == FIRN_PARQUET_STRING) {
            firn_buf_append(&made[i].offsets, &(int32_t){0}, sizeof(int32_t));
        }
    }
    for (int64_t i = 0; i < rows; i++) {
        s->fill(made, i);
    }
    double plain = 0;
    for (size_t i = 0; i < s->n_columns; i++) {
        seal(&made[i], s->columns[i].kind == FIRN_PARQUET_STRING);
        sources[i] = (firn_parquet_source){
            .array = &made[i].array,
            .factor = firn_streq(s->name, "keys") && i == 3 ? 1000 : 1, /* it has milliseconds */
        };
        plain += (double)(made[i].values.len + made[i].offsets.len);
    }
    for (size_t t = 0; t < sizeof(trials) / sizeof(*trials); t++) {
        result r = measure(&trials[t], s->columns, s->n_columns, sources, rows);
        printf("%-6s %-7s %7.3f M rows per CPU second (%4.1f%% kernel)   %8.3f MB, %5.1f%% of the "
               "arrays\n",
               s->name, trials[t].name, (double)rows / r.cpu_s / 1e6, 100 * r.sys_s / r.cpu_s,
               (double)r.bytes / 1e6, 100 * (double)r.bytes / plain);
        if (folder != NULL) {
            keep(&trials[t], s, sources, rows, folder);
        }
    }
    if (columns) {
        print_columns(s, sources, rows);
    }
    for (size_t i = 0; i < s->n_columns; i++) {
        firn_buf_deinit(&made[i].values);
        firn_buf_deinit(&made[i].offsets);
        firn_buf_deinit(&made[i].valid);
    }
}

int main(int argc, char **argv)
{
    int64_t rows = argc > 1 ? atoll(argv[1]) : 1000000;
    for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
        if (argc <= 2 || firn_streq(argv[2], shapes[i].name)) {
            run(&shapes[i], rows, argc > 2, argc > 3 ? argv[3] : NULL);
        }
    }
    return 0;
}
