/* Which different values a column chunk has, and each value's number among them.
 *
 * Whole numbers that lie close together are looked up in a table of all that could be; others are hashed. A slot holds half of the hash and the number
 * (from 1; 0: free), so that a value is compared with those that are nearly sure to be equal, and the slots can move without being hashed again.
 *
 * It goes block by block. After two, four, eight, ... it is foreseen how many values there will be in the end, from how many new ones each half brought: a
 * column of ids is given up after two blocks.
 */
#include "parquet_parts.h"
#include "parquet_text.h"

enum {
    BLOCK = 2048,
    SLOTS_MIN = 1024,
    SPAN_MAX = 1 << 16, /* of a table of all that could be */
    STEPS_EACH = 8,     /* of a value, on average: hashes that collide by intent */
    WORDS = 16,         /* bytes of a text that are all in its entry */
};

/* ---- hashing ---- */

static inline uint32_t fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    uint64_t mixed = (uint64_t)product ^ (uint64_t)(product >> 64);
    return (uint32_t)(mixed ^ mixed >> 32);
}

static inline uint32_t hash_number(uint64_t key)
{
    return fold(key ^ UINT64_C(0x2545F4914F6CDD1D), UINT64_C(0x9E3779B97F4A7C15));
}

static uint64_t hash_long(firn_bytes text)
{
    uint64_t h = text.len;
    const uint8_t *end = text.data + text.len - 8;
    for (const uint8_t *at = text.data; at < end; at += 8) {
        h = (h ^ firn_load8(at)) * UINT64_C(0x9E3779B97F4A7C15);
        h ^= h >> 29;
    }
    return h;
}

static inline firn_parquet_entry entry_of(firn_bytes text)
{
    firn_parquet_entry e = {.text = text};
    e.head = text.len <= WORDS ? firn_text_head(text) : hash_long(text);
    e.tail = text.len >= 8 ? firn_load8(text.data + text.len - 8) : 0;
    return e;
}

static inline uint32_t hash_entry(const firn_parquet_entry *e)
{
    return fold(e->head ^ UINT64_C(0x9E3779B97F4A7C15),
                e->tail ^ (e->text.len * UINT64_C(0xD6E8FEB86659FD93)));
}

static inline bool equal_entries(const firn_parquet_entry *a, const firn_parquet_entry *b)
{
    return a->head == b->head && a->tail == b->tail && a->text.len == b->text.len &&
           (a->text.len <= WORDS || memcmp(a->text.data, b->text.data, a->text.len) == 0);
}

/* ---- slots ---- */

static void place(uint64_t *slots, size_t mask, uint64_t slot)
{
    size_t at = (size_t)(slot >> 32) & mask;
    while (slots[at] != 0) {
        at = (at + 1) & mask;
    }
    slots[at] = slot;
}

static __attribute__((noinline)) void grow(firn_parquet_dictionary *d)
{
    size_t n = 2 * (d->mask + 1);
    uint64_t *slots = firn_calloc(n, sizeof(*slots));
    for (size_t i = 0; i <= d->mask; i++) {
        if (d->slots[i] != 0) {
            place(slots, n - 1, d->slots[i]);
        }
    }
    free(d->slots);
    d->slots = slots;
    d->slots_bytes = n * sizeof(*slots);
    d->mask = n - 1;
}

static inline void note(firn_parquet_dictionary *d, size_t at, uint32_t hash)
{
    d->slots[at] = (uint64_t)hash << 32 | (uint64_t)++d->n;
    if (2 * d->n > d->mask) {
        grow(d);
    }
}

/* ---- a block ---- */

/* KEY_AT(i) is value i as KEY, the type of the dictionary's values; HASH and EQUAL take pointers to such. */
#define NUMBER_BLOCK(NAME, KEY, VALUE, KEY_AT, HASH, EQUAL)                                     \
    static void NAME(firn_parquet_dictionary *d, const VALUE *values, int64_t from, int64_t to) \
    {                                                                                           \
        KEY *keys = d->keys;                                                                    \
        for (int64_t i = from; i < to; i++) {                                                   \
            KEY key = KEY_AT(values[i]);                                                        \
            uint32_t hash = HASH(key);                                                          \
            size_t at = hash & d->mask;                                                         \
            for (;; at = (at + 1) & d->mask, d->steps++) {                                      \
                uint64_t slot = d->slots[at];                                                   \
                if (slot == 0) {                                                                \
                    d->codes[i] = (uint32_t)d->n;                                               \
                    keys[d->n] = key;                                                           \
                    note(d, at, hash);                                                          \
                    break;                                                                      \
                }                                                                               \
                uint32_t number = (uint32_t)slot - 1;                                           \
                if (slot >> 32 == hash && EQUAL(keys[number], key)) {                           \
                    d->codes[i] = number;                                                       \
                    break;                                                                      \
                }                                                                               \
            }                                                                                   \
        }                                                                                       \
    }

#define SAME(x)          (x)
#define EQUAL(a, b)      ((a) == (b))
#define HASH_TEXT(e)     hash_entry(&(e))
#define EQUAL_TEXT(a, b) equal_entries(&(a), &(b))

NUMBER_BLOCK(number_ints, uint32_t, uint32_t, SAME, hash_number, EQUAL)
NUMBER_BLOCK(number_longs, uint64_t, uint64_t, SAME, hash_number, EQUAL)
NUMBER_BLOCK(number_texts, firn_parquet_entry, firn_bytes, entry_of, HASH_TEXT, EQUAL_TEXT)

/* The table in d->slots has a number for each value from `low` on. */
#define NUMBER_NEAR(NAME, TYPE)                                                                \
    static void NAME(firn_parquet_dictionary *d, const TYPE *values, int64_t from, int64_t to, \
                     TYPE low)                                                                 \
    {                                                                                          \
        TYPE *keys = d->keys;                                                                  \
        uint32_t *table = (uint32_t *)d->slots;                                                \
        for (int64_t i = from; i < to; i++) {                                                  \
            uint32_t *number = &table[(TYPE)(values[i] - low)];                                \
            if (*number == 0) {                                                                \
                keys[d->n] = values[i];                                                        \
                *number = (uint32_t)++d->n;                                                    \
            }                                                                                  \
            d->codes[i] = *number - 1;                                                         \
        }                                                                                      \
    }

NUMBER_NEAR(number_near_ints, uint32_t)
NUMBER_NEAR(number_near_longs, uint64_t)

/* ---- all of them ---- */

static bool is_near(const firn_parquet_numbering *how, int64_t n)
{
    return how->span < SPAN_MAX && how->span <= (uint64_t)n * 4;
}

static void number_block(const firn_parquet_numbering *how, const firn_parquet_values *values,
                         int64_t from, int64_t to, firn_parquet_dictionary *d)
{
    bool near = is_near(how, values->n);
    switch (how->item) {
    case FIRN_ITEM_4:
        if (near) {
            number_near_ints(d, values->data, from, to, (uint32_t)how->low);
        } else {
            number_ints(d, values->data, from, to);
        }
        return;
    case FIRN_ITEM_8:
        if (near) {
            number_near_longs(d, values->data, from, to, (uint64_t)how->low);
        } else {
            number_longs(d, values->data, from, to);
        }
        return;
    default: number_texts(d, values->data, from, to); return;
    }
}

static size_t key_bytes(firn_parquet_item item)
{
    return item == FIRN_ITEM_TEXT ? sizeof(firn_parquet_entry)
           : item == FIRN_ITEM_8  ? sizeof(uint64_t)
                                  : sizeof(uint32_t);
}

static void clear(const firn_parquet_numbering *how, int64_t n, firn_parquet_dictionary *d)
{
    size_t max = how->max < (size_t)n ? how->max : (size_t)n;
    size_t slots_bytes =
        is_near(how, n) ? ((size_t)how->span + 1) * sizeof(uint32_t) : SLOTS_MIN * sizeof(uint64_t);
    firn_room((void **)&d->codes, &d->codes_bytes, firn_mul_size((size_t)n, sizeof(*d->codes)));
    firn_room(&d->keys, &d->keys_bytes, firn_mul_size(max + BLOCK, key_bytes(how->item)));
    firn_room((void **)&d->slots, &d->slots_bytes, slots_bytes);
    memset(d->slots, 0, slots_bytes);
    d->mask = SLOTS_MIN - 1;
    d->n = 0;
    d->steps = 0;
}

/* The second half of the `done` values brought fewer new ones than the first, by a ratio that goes on. Will they be too many, and by more than chance? */
static bool is_hopeless(const firn_parquet_dictionary *d, size_t max, size_t first, int64_t done,
                        int64_t left)
{
    double all = (double)d->n, more = (double)(d->n - first);
    double ratio = more < (double)first ? more / (double)first : 1;
    double limit = (double)max * 1.25;
    for (; left > 0 && all <= limit && more >= 1; left -= done / 2) {
        more *= ratio;
        all += more;
    }
    return all > limit;
}

/* Against the values as they are, supposing that those of the dictionary are as long as the others. */
static bool is_smaller(const firn_parquet_numbering *how, const firn_parquet_dictionary *d,
                       int64_t n)
{
    double keys = (double)(d->n * (how->item == FIRN_ITEM_8 ? sizeof(uint64_t) : sizeof(uint32_t)));
    const firn_parquet_entry *entries = d->keys;
    for (size_t i = 0; i < d->n && how->item == FIRN_ITEM_TEXT; i++) {
        keys += (double)entries[i].text.len;
    }
    double plain = keys * (double)n / (double)d->n;
    return keys + (double)n * firn_parquet_bits_of(d->n) / 8 < plain * 0.75;
}

bool firn_parquet_number(const firn_parquet_numbering *how, const firn_parquet_values *values,
                         firn_parquet_dictionary *out)
{
    size_t first = 0; /* how many values there were when half as many had been looked at */
    int64_t n = values->n, look = BLOCK;
    clear(how, n, out);
    for (int64_t from = 0, to; from < n; from = to) {
        to = n - from > BLOCK ? from + BLOCK : n;
        number_block(how, values, from, to, out);
        if (out->n > how->max || out->steps > STEPS_EACH * to + (1 << 16)) {
            return false;
        }
        if (to == look && to < n) {
            if (to > BLOCK && is_hopeless(out, how->max, first, to, n - to)) {
                return false;
            }
            first = out->n;
            look *= 2;
        }
    }
    return n > 0 && is_smaller(how, out, n);
}

unsigned firn_parquet_bits_of(size_t n)
{
    unsigned bits = 1;
    while (n > (size_t)1 << bits) {
        bits++;
    }
    return bits;
}

void firn_parquet_dictionary_free(firn_parquet_dictionary *dictionary)
{
    free(dictionary->codes);
    free(dictionary->keys);
    free(dictionary->slots);
    *dictionary = (firn_parquet_dictionary){0};
}
