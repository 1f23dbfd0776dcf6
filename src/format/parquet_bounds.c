/* The least and the greatest value of a column chunk, and of several.
 *
 * Numbers are compared in LANES that do not wait for each other. Of texts the first eight bytes decide nearly always.
 */
#include "parquet_parts.h"
#include "parquet_text.h"

enum { LANES = 4 };

#define LESS(a, b)    ((a) < (b) ? (a) : (b))
#define GREATER(a, b) ((a) > (b) ? (a) : (b))

/* A function that bounds `n` > 0 values of one type. With x first, a NaN is never taken. */
#define BOUND_NUMBERS(NAME, TYPE)                                                     \
    static void NAME(const TYPE *values, int64_t n, TYPE start, TYPE *min, TYPE *max) \
    {                                                                                 \
        TYPE low[LANES] = {start, start, start, start};                               \
        TYPE high[LANES] = {start, start, start, start};                              \
        int64_t i = 0;                                                                \
        for (; i + LANES <= n; i += LANES) {                                          \
            for (int k = 0; k < LANES; k++) {                                         \
                TYPE x = values[i + k];                                               \
                low[k] = LESS(x, low[k]);                                             \
                high[k] = GREATER(x, high[k]);                                        \
            }                                                                         \
        }                                                                             \
        for (; i < n; i++) {                                                          \
            low[0] = LESS(values[i], low[0]);                                         \
            high[0] = GREATER(values[i], high[0]);                                    \
        }                                                                             \
        *min = LESS(LESS(low[0], low[1]), LESS(low[2], low[3]));                      \
        *max = GREATER(GREATER(high[0], high[1]), GREATER(high[2], high[3]));         \
    }

BOUND_NUMBERS(bound_ints, int32_t)
BOUND_NUMBERS(bound_longs, int64_t)
BOUND_NUMBERS(bound_floats, float)
BOUND_NUMBERS(bound_doubles, double)
BOUND_NUMBERS(bound_wide, __int128)

static void bound_bools(const bool *values, int64_t n, firn_parquet_stats *s)
{
    int64_t ones = 0;
    for (int64_t i = 0; i < n; i++) {
        ones += values[i];
    }
    s->min.i64 = ones == n;
    s->max.i64 = ones > 0;
}

/* Reals: NaNs are counted, and stand outside. Zeros hold whichever sign the values have. */
static void bound_reals(const firn_parquet_values *values, bool narrow, firn_parquet_stats *s)
{
    float low = 0, high = 0;
    const float *floats = values->data;
    const double *doubles = values->data;
    for (int64_t i = 0; i < values->n; i++) {
        s->nans += narrow ? floats[i] != floats[i] : doubles[i] != doubles[i];
    }
    s->bounded = values->n > 0 && s->nans == 0;
    if (!s->bounded) {
        return;
    }
    if (narrow) {
        bound_floats(floats, values->n, floats[0], &low, &high);
        s->min.f64 = low;
        s->max.f64 = high;
    } else {
        bound_doubles(doubles, values->n, doubles[0], &s->min.f64, &s->max.f64);
    }
    s->min.f64 = s->min.f64 == 0 ? -0.0 : s->min.f64;
    s->max.f64 = s->max.f64 == 0 ? 0.0 : s->max.f64;
}

static void bound_integers(const firn_parquet_values *values, bool narrow, firn_parquet_stats *s)
{
    if (narrow) {
        int32_t low, high;
        const int32_t *ints = values->data;
        bound_ints(ints, values->n, ints[0], &low, &high);
        s->min.i64 = low;
        s->max.i64 = high;
    } else {
        const int64_t *longs = values->data;
        bound_longs(longs, values->n, longs[0], &s->min.i64, &s->max.i64);
    }
}

static void bound_decimals(firn_parquet_item item, const firn_parquet_values *values,
                           firn_parquet_stats *s)
{
    if (item == FIRN_ITEM_16) {
        const __int128 *wide = values->data;
        bound_wide(wide, values->n, wide[0], &s->min.decimal, &s->max.decimal);
        return;
    }
    firn_parquet_stats narrow = {0};
    bound_integers(values, item == FIRN_ITEM_4, &narrow);
    s->min.decimal = narrow.min.i64;
    s->max.decimal = narrow.max.i64;
}

typedef struct text_bounds {
    firn_bytes min, max;
    uint64_t min_rank, max_rank;
} text_bounds;

static inline void bound_text(text_bounds *b, firn_bytes text, uint64_t rank)
{
    if (rank <= b->min_rank && (rank < b->min_rank || firn_bytes_cmp(text, b->min) < 0)) {
        b->min = text;
        b->min_rank = rank;
    }
    if (rank >= b->max_rank && (rank > b->max_rank || firn_bytes_cmp(text, b->max) > 0)) {
        b->max = text;
        b->max_rank = rank;
    }
}

static text_bounds bounds_of(firn_bytes text)
{
    uint64_t rank = firn_text_rank(text);
    return (text_bounds){.min = text, .max = text, .min_rank = rank, .max_rank = rank};
}

static void bound_texts(const firn_parquet_values *values, firn_parquet_stats *s)
{
    const firn_bytes *texts = values->data;
    text_bounds b = bounds_of(texts[0]);
    for (int64_t i = 1; i < values->n; i++) {
        bound_text(&b, texts[i], firn_text_rank_in(texts[i], values->texts_end));
    }
    s->min.bytes = b.min;
    s->max.bytes = b.max;
}

void firn_parquet_bound_entries(const firn_parquet_dictionary *dictionary, firn_parquet_stats *out)
{
    const firn_parquet_entry *entries = dictionary->keys;
    text_bounds b = bounds_of(entries[0].text);
    for (size_t i = 1; i < dictionary->n; i++) {
        bound_text(&b, entries[i].text, firn_text_rank(entries[i].text));
    }
    *out = (firn_parquet_stats){.bounded = true, .min.bytes = b.min, .max.bytes = b.max};
}

void firn_parquet_bound(const firn_parquet_column *column, const firn_parquet_values *values,
                        firn_parquet_stats *out)
{
    firn_parquet_item item = firn_parquet_item_of(column);
    *out = (firn_parquet_stats){.nulls = values->rows - values->n, .bounded = values->n > 0};
    if (values->n == 0) {
        return;
    }
    if (column->kind == FIRN_PARQUET_FLOAT || column->kind == FIRN_PARQUET_DOUBLE) {
        bound_reals(values, column->kind == FIRN_PARQUET_FLOAT, out);
    } else if (column->kind == FIRN_PARQUET_DECIMAL) {
        bound_decimals(item, values, out);
    } else if (item == FIRN_ITEM_BOOL) {
        bound_bools(values->data, values->n, out);
    } else if (item == FIRN_ITEM_TEXT || item == FIRN_ITEM_UUID) {
        bound_texts(values, out);
    } else {
        bound_integers(values, item == FIRN_ITEM_4, out);
    }
}

/* ---- of several chunks ---- */

static void join_integers(firn_parquet_stats *to, const firn_parquet_stats *from)
{
    to->min.i64 = from->min.i64 < to->min.i64 ? from->min.i64 : to->min.i64;
    to->max.i64 = from->max.i64 > to->max.i64 ? from->max.i64 : to->max.i64;
}

static void join_bounds(firn_parquet_kind kind, firn_parquet_stats *to,
                        const firn_parquet_stats *from)
{
    switch (kind) {
    case FIRN_PARQUET_FLOAT:
    case FIRN_PARQUET_DOUBLE:
        to->min.f64 = from->min.f64 < to->min.f64 ? from->min.f64 : to->min.f64;
        to->max.f64 = from->max.f64 > to->max.f64 ? from->max.f64 : to->max.f64;
        return;
    case FIRN_PARQUET_STRING:
    case FIRN_PARQUET_BINARY:
    case FIRN_PARQUET_UUID:
        to->min.bytes =
            firn_bytes_cmp(from->min.bytes, to->min.bytes) < 0 ? from->min.bytes : to->min.bytes;
        to->max.bytes =
            firn_bytes_cmp(from->max.bytes, to->max.bytes) > 0 ? from->max.bytes : to->max.bytes;
        return;
    case FIRN_PARQUET_DECIMAL:
        to->min.decimal = from->min.decimal < to->min.decimal ? from->min.decimal : to->min.decimal;
        to->max.decimal = from->max.decimal > to->max.decimal ? from->max.decimal : to->max.decimal;
        return;
    default: join_integers(to, from); return;
    }
}

void firn_parquet_stats_join(firn_parquet_kind kind, firn_parquet_stats *to,
                             const firn_parquet_stats *from)
{
    if (!to->bounded && to->nans == 0) {
        to->min = from->min;
        to->max = from->max;
        to->bounded = from->bounded;
    } else if (from->bounded && to->bounded) {
        join_bounds(kind, to, from);
    }
    to->size_bytes += from->size_bytes;
    to->nulls += from->nulls;
    to->nans += from->nans;
    to->bounded = to->bounded && to->nans == 0;
}
