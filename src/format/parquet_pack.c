/* How the pages of a column chunk are compressed.
 *
 * The chunk's codec is the one that was asked for, or none; zstd goes about it in one of three ways (compress.h). All that come into question are tried on
 * the chunk's first page, with the dictionary so far, and the quickest is taken unless another one is smaller by a certain part. Random numbers are
 * left as they are, random texts are only coded: that what was before is searched for in vain is most of what zstd costs them.
 * What was judged twice the same is taken for granted in the next row group, then in the next three, ...
 */
#include "parquet_parts.h"

enum {
    JUDGED_BYTES = 1 << 14, /* of a page and a dictionary that say something */
    SAMPLE_BYTES = 1 << 14, /* of a dictionary: the others are taken to be like these */
    GAIN_MIN_LEVEL =
        32, /* one part in so many, or it is not worth it: a level is asked for small files, */
    GAIN_MIN_QUICK = 12, /* snappy, or no level, for quick ones */
    QUICK_LEVEL = 1,
    ALIKE_MAX = 31, /* row groups, between two judgements */
};

typedef firn_parquet_encoder encoder;

/* From the quickest on. */
static const firn_parquet_packing PACKINGS[] = {
    {.codec = FIRN_PARQUET_PLAIN},
    {.codec = FIRN_PARQUET_SNAPPY},
    {.codec = FIRN_PARQUET_ZSTD, .way = FIRN_ZSTD_LITERALS},
    {.codec = FIRN_PARQUET_ZSTD, .way = FIRN_ZSTD_NEAR},
    {.codec = FIRN_PARQUET_ZSTD, .way = FIRN_ZSTD_WHOLE},
};
enum { N_PACKINGS = sizeof(PACKINGS) / sizeof(PACKINGS[0]) };

static bool has_level(const firn_parquet_options *options)
{
    return options->codec == FIRN_PARQUET_ZSTD && options->level > 0;
}

static bool is_considered(const firn_parquet_options *options, const firn_parquet_packing *packing)
{
    return packing->codec == FIRN_PARQUET_PLAIN ||
           (packing->codec == options->codec &&
            (!has_level(options) || packing->way == FIRN_ZSTD_WHOLE));
}

static firn_rc pack(const encoder *e, const firn_parquet_packing *packing, firn_bytes plain,
                    firn_err *err)
{
    firn_parquet_desk *desk = e->desk;
    int level = e->options->level > 0 ? e->options->level : QUICK_LEVEL;
    firn_buf_clear(&desk->packed);
    if (packing->codec == FIRN_PARQUET_SNAPPY) {
        return firn_snappy_compress(plain, &desk->packed, err);
    }
    if (desk->zstd == NULL) {
        desk->zstd = firn_zstd_new(level);
    }
    if (desk->zstd != NULL) {
        firn_zstd_choose(desk->zstd, packing->way, level);
    }
    return firn_zstd_pack(desk->zstd, plain, &desk->packed, err);
}

firn_rc firn_parquet_pack(const firn_parquet_encoder *e, firn_bytes plain, firn_zstd_way way,
                          firn_bytes *out, firn_err *err)
{
    firn_parquet_packing packing = {.codec = e->chunk->packing.codec, .way = way};
    *out = plain;
    if (packing.codec != FIRN_PARQUET_PLAIN) {
        FIRN_TRY(pack(e, &packing, plain, err));
        *out = firn_buf_bytes(&e->desk->packed);
    }
    return FIRN_OK;
}

static firn_rc size_of(const encoder *e, const firn_parquet_packing *packing, firn_bytes plain,
                       size_t *out, firn_err *err)
{
    *out = plain.len;
    if (packing->codec != FIRN_PARQUET_PLAIN && plain.len > 0) {
        FIRN_TRY(pack(e, packing, plain, err));
        *out = e->desk->packed.len;
    }
    return FIRN_OK;
}

/* What a dictionary will be, packed whole. */
static firn_rc size_of_keys(const encoder *e, firn_bytes keys, size_t *out, firn_err *err)
{
    firn_parquet_packing whole = {.codec = e->options->codec, .way = FIRN_ZSTD_WHOLE};
    size_t sample = keys.len < SAMPLE_BYTES ? keys.len : SAMPLE_BYTES;
    FIRN_TRY(size_of(e, &whole, firn_bytes_of(keys.data, sample), out, err));
    *out = sample > 0 ? (size_t)((double)*out * (double)keys.len / (double)sample) : 0;
    return FIRN_OK;
}

/* *ready: the desk's `packed` is the page as *out has it. */
static firn_rc compare(const encoder *e, firn_bytes page, firn_bytes keys,
                       firn_parquet_packing *out, bool *ready, firn_err *err)
{
    const firn_parquet_options *options = e->options;
    size_t sizes[N_PACKINGS], smallest = SIZE_MAX, packed_keys = 0, last = 0;
    FIRN_TRY(size_of_keys(e, keys, &packed_keys, err));
    for (size_t i = 0; i < N_PACKINGS; i++) {
        if (is_considered(options, &PACKINGS[i])) {
            FIRN_TRY(size_of(e, &PACKINGS[i], page, &sizes[i], err));
            sizes[i] += PACKINGS[i].codec == FIRN_PARQUET_PLAIN ? keys.len : packed_keys;
            smallest = sizes[i] < smallest ? sizes[i] : smallest;
            last = i;
        }
    }
    size_t part = has_level(options) ? GAIN_MIN_LEVEL : GAIN_MIN_QUICK;
    for (size_t i = N_PACKINGS; i-- > 0;) {
        if (is_considered(options, &PACKINGS[i]) && sizes[i] - sizes[i] / part <= smallest) {
            *out = PACKINGS[i];
            *ready = i == last && i > 0 && page.len > 0;
        }
    }
    return FIRN_OK;
}

static bool is_same(const firn_parquet_packing *a, const firn_parquet_packing *b)
{
    return a->codec == b->codec && a->way == b->way;
}

static bool is_coded(const encoder *e)
{
    return e->chunk->manner == FIRN_PARQUET_CODED;
}

bool firn_parquet_packs_alike(const firn_parquet_encoder *e)
{
    firn_parquet_habit *habit = &e->chunk->habit;
    if (habit->packing_skip == 0 || habit->packing_coded != is_coded(e)) {
        return false;
    }
    habit->packing_skip--;
    e->chunk->packing = habit->packing;
    return true;
}

firn_rc firn_parquet_judge(const firn_parquet_encoder *e, firn_bytes page, firn_bytes keys,
                           bool *ready, firn_err *err)
{
    firn_parquet_chunk *c = e->chunk;
    firn_parquet_habit *habit = &c->habit;
    *ready = false;
    c->packing = (firn_parquet_packing){.codec = e->options->codec, .way = FIRN_ZSTD_WHOLE};
    if (c->packing.codec == FIRN_PARQUET_PLAIN || page.len + keys.len < JUDGED_BYTES) {
        return FIRN_OK;
    }
    FIRN_TRY(compare(e, page, keys, &c->packing, ready, err));
    bool same = is_same(&c->packing, &habit->packing) && habit->packing_coded == is_coded(e);
    habit->packing = c->packing;
    habit->packing_coded = is_coded(e);
    habit->packing_repeats = same ? habit->packing_repeats + 1 : 0;
    habit->packing_skip =
        habit->packing_repeats < 5 ? (1u << habit->packing_repeats) - 1 : ALIKE_MAX;
    return FIRN_OK;
}
