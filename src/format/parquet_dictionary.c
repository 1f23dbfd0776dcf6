/* Which different values a column chunk has, and each value's number among them.
 *
 * Whole numbers that lie close together are looked up in a table of all that could be; others are hashed. A slot holds half of the hash and the number
 * (from 1; 0: free), so that a value is compared with those that are nearly sure to be equal, and the slots can move without being hashed again.
 *
 * Values come as they come, piece by piece, and texts are copied when they are new. After two, four, eight, ... blocks it is foreseen how many there will
 * be in the end, from how many new ones each half brought: a column of ids is given up after two blocks.
 */
#include "parquet_parts.h"
#include "parquet_text.h"

enum {
    BLOCK = 2048,
    ROOM = 256, /* for new values, before as many are looked at: most columns have few */
    SLOTS_MIN = 1024,
    SPAN_MAX = 1 << 16,  /* of a table of all that could be */
    STEPS_EACH = 8,      /* of a value, on average: hashes that collide by intent */
    TEXTS_MAX = 2 << 20, /* bytes: readers hold a dictionary as a whole */
};

/* ---- hashing ---- */

static inline uint64_t multiply(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint32_t fold(uint64_t a, uint64_t b)
{
    uint64_t mixed = multiply(a, b);
    return (uint32_t)(mixed ^ mixed >> 32);
}

static inline uint32_t hash_number(uint64_t key)
{
    return fold(key ^ UINT64_C(0x2545F4914F6CDD1D), UINT64_C(0x9E3779B97F4A7C15));
}

/* 16 bytes at a time, the last ones perhaps twice. */
static uint64_t hash_long(firn_bytes text)
{
    uint64_t h = text.len;
    const uint8_t *last = text.data + text.len - FIRN_TEXT_WORDS;
    for (const uint8_t *at = text.data; at < last; at += FIRN_TEXT_WORDS) {
        h = multiply(firn_load8(at) ^ UINT64_C(0xA0761D6478BD642F), firn_load8(at + 8) ^ h);
    }
    return multiply(firn_load8(last) ^ UINT64_C(0xE7037ED1A0B428DB), firn_load8(last + 8) ^ h);
}

/* `inside`: 16 bytes can be read where it begins. */
static inline firn_parquet_entry entry_of(firn_bytes text, const uint8_t *end, bool inside)
{
    firn_parquet_entry e = {.text = text};
    if (text.len <= FIRN_TEXT_WORDS && inside) {
        firn_text_words_inside(text, e.words);
    } else if (text.len <= FIRN_TEXT_WORDS) {
        firn_text_words(text, end, e.words);
    } else {
        e.words[0] = hash_long(text);
        e.words[1] = firn_load8(text.data + text.len - 8);
    }
    return e;
}

static inline uint32_t hash_entry(firn_parquet_entry e)
{
    return fold(e.words[0] ^ UINT64_C(0x9E3779B97F4A7C15),
                e.words[1] ^ UINT64_C(0xD6E8FEB86659FD93));
}

static inline bool equal_entries(const firn_parquet_entry *a, const firn_parquet_entry *b)
{
    size_t len = a->text.len;
    if (a->words[0] != b->words[0] || a->words[1] != b->words[1] || len != b->text.len) {
        return false;
    }
    if (len <= FIRN_TEXT_WORDS) {
        return true;
    }
    const uint8_t *x = a->text.data, *y = b->text.data;
    return len <= 2 * FIRN_TEXT_WORDS /* two loads that overlap */
               ? memcmp(x, y, FIRN_TEXT_WORDS) == 0 &&
                     memcmp(x + len - FIRN_TEXT_WORDS, y + len - FIRN_TEXT_WORDS,
                            FIRN_TEXT_WORDS) == 0
               : memcmp(x, y, len) == 0;
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

static void clear_slots(firn_parquet_dictionary *d, size_t n)
{
    memset(firn_room((void **)&d->slots, &d->slots_bytes, n * sizeof(*d->slots)), 0,
           n * sizeof(*d->slots));
    d->mask = n - 1;
}

/* ---- a block ---- */

/* Where a block's texts are. */
typedef struct text_span {
    const uint8_t *texts, *end;
} text_span;

static firn_parquet_entry own_entry(firn_parquet_dictionary *d, firn_parquet_entry e)
{
    d->text_bytes += e.text.len;
    e.text.data = firn_arena_memdup(d->texts, e.text.data, e.text.len);
    return e;
}

/* KEY_OF(values, i, from) is the value as KEY, the type of the dictionary's values; `from` says where texts are. OWN(d, key) is what can stay. */
#define NUMBER_BLOCK(NAME, KEY, VALUE, KEY_OF, HASH, EQUAL, OWN)                                \
    static __attribute__((noinline)) void NAME(firn_parquet_dictionary *d, const VALUE *values, \
                                               text_span from, int64_t n, uint32_t *codes)      \
    {                                                                                           \
        KEY *keys = d->keys;                                                                    \
        (void)from;                                                                             \
        for (int64_t i = 0; i < n; i++) {                                                       \
            KEY key = KEY_OF(values, i, from);                                                  \
            uint32_t hash = HASH(key);                                                          \
            size_t at = hash & d->mask;                                                         \
            for (;; at = (at + 1) & d->mask, d->steps++) {                                      \
                uint64_t slot = d->slots[at];                                                   \
                if (slot == 0) {                                                                \
                    codes[i] = (uint32_t)d->n;                                                  \
                    keys[d->n] = OWN(d, key);                                                   \
                    note(d, at, hash);                                                          \
                    break;                                                                      \
                }                                                                               \
                uint32_t number = (uint32_t)slot - 1;                                           \
                if (slot >> 32 == hash && EQUAL(keys[number], key)) {                           \
                    codes[i] = number;                                                          \
                    break;                                                                      \
                }                                                                               \
            }                                                                                   \
        }                                                                                       \
    }

#define NUMBER_AT(values, i, from)  ((values)[i])
#define TEXT_AT(values, i, from)    entry_of((values)[i], (from).end, false)
#define INSIDE_AT(offsets, i, from) entry_of(firn_text_at((from).texts, offsets, i), NULL, true)
#define OFFSET_AT(offsets, i, from) \
    entry_of(firn_text_at((from).texts, offsets, i), (from).end, false)
#define EQUAL(a, b)      ((a) == (b))
#define OWN_NUMBER(d, x) (x)
#define EQUAL_TEXT(a, b) equal_entries(&(a), &(b))

NUMBER_BLOCK(number_ints, uint32_t, uint32_t, NUMBER_AT, hash_number, EQUAL, OWN_NUMBER)
NUMBER_BLOCK(number_longs, uint64_t, uint64_t, NUMBER_AT, hash_number, EQUAL, OWN_NUMBER)
NUMBER_BLOCK(number_texts, firn_parquet_entry, firn_bytes, TEXT_AT, hash_entry, EQUAL_TEXT,
             own_entry)
NUMBER_BLOCK(number_inside, firn_parquet_entry, int32_t, INSIDE_AT, hash_entry, EQUAL_TEXT,
             own_entry)
NUMBER_BLOCK(number_last, firn_parquet_entry, int32_t, OFFSET_AT, hash_entry, EQUAL_TEXT, own_entry)

/* Texts that lie one behind the other: but for the last few, 16 bytes can be read of each. */
static void number_offsets(firn_parquet_dictionary *d, const int32_t *offsets, text_span from,
                           int64_t n, uint32_t *codes)
{
    int64_t inside = n;
    while (inside > 0 && from.end - from.texts - offsets[inside - 1] < FIRN_TEXT_WORDS) {
        inside--;
    }
    number_inside(d, offsets, from, inside, codes);
    number_last(d, offsets + inside, from, n - inside, codes + inside);
}

/* The table in d->slots has a number for each value from `low` on. */
#define NUMBER_NEAR(NAME, TYPE)                                                                  \
    static void NAME(firn_parquet_dictionary *d, const TYPE *values, int64_t n, uint32_t *codes) \
    {                                                                                            \
        TYPE *keys = d->keys, low = (TYPE)d->low;                                                \
        uint32_t *table = (uint32_t *)d->slots;                                                  \
        for (int64_t i = 0; i < n; i++) {                                                        \
            uint32_t *number = &table[(TYPE)(values[i] - low)];                                  \
            if (*number == 0) {                                                                  \
                keys[d->n] = values[i];                                                          \
                *number = (uint32_t)++d->n;                                                      \
            }                                                                                    \
            codes[i] = *number - 1;                                                              \
        }                                                                                        \
    }

NUMBER_NEAR(number_near_ints, uint32_t)
NUMBER_NEAR(number_near_longs, uint64_t)

/* ---- near or hashed ---- */

static int64_t key_at(const firn_parquet_dictionary *d, size_t i)
{
    return d->item == FIRN_ITEM_4 ? ((const int32_t *)d->keys)[i] : ((const int64_t *)d->keys)[i];
}

static void make_table(firn_parquet_dictionary *d, int64_t low, uint64_t span)
{
    size_t bytes = ((size_t)span + 1) * sizeof(uint32_t);
    uint32_t *table = firn_room((void **)&d->slots, &d->slots_bytes, bytes);
    memset(table, 0, bytes);
    for (size_t i = 0; i < d->n; i++) {
        table[(uint64_t)key_at(d, i) - (uint64_t)low] = (uint32_t)i + 1;
    }
    d->low = low;
    d->span = span;
}

static void make_slots(firn_parquet_dictionary *d)
{
    size_t n = SLOTS_MIN;
    while (n < 4 * d->n) {
        n *= 2;
    }
    clear_slots(d, n);
    for (size_t i = 0; i < d->n; i++) {
        uint64_t key = (uint64_t)key_at(d, i);
        uint32_t hash = hash_number(d->item == FIRN_ITEM_4 ? (uint32_t)key : key);
        place(d->slots, d->mask, (uint64_t)hash << 32 | (i + 1));
    }
}

/* A table that reaches as far as the values do, as long as that is not too far for so few. */
static void meet_range(firn_parquet_dictionary *d, const firn_parquet_range *range, int64_t n)
{
    if (!d->near) {
        return;
    }
    int64_t low = range->low, high = range->high;
    if (d->n > 0) {
        int64_t end = (int64_t)((uint64_t)d->low + d->span);
        low = d->low < low ? d->low : low;
        high = end > high ? end : high;
        if (range->known && low == d->low && high == end) {
            return;
        }
    }
    uint64_t span = (uint64_t)high - (uint64_t)low;
    d->near = range->known && span < SPAN_MAX && span <= (uint64_t)(d->seen + n) * 4;
    if (d->near) {
        make_table(d, low, span);
    } else {
        make_slots(d);
    }
}

/* ---- all of them ---- */

static size_t key_bytes(firn_parquet_item item)
{
    return item == FIRN_ITEM_TEXT ? sizeof(firn_parquet_entry)
           : item == FIRN_ITEM_8  ? sizeof(uint64_t)
                                  : sizeof(uint32_t);
}

void firn_parquet_dictionary_begin(firn_parquet_dictionary *d, firn_parquet_item item, size_t max)
{
    d->item = item;
    d->max = max;
    d->n = 0;
    d->half = d->whole = 0;
    d->steps = d->seen = d->looked = 0;
    d->text_bytes = 0;
    d->near = item != FIRN_ITEM_TEXT;
    d->span = d->mask = 0;
    if (item == FIRN_ITEM_TEXT) {
        clear_slots(d, SLOTS_MIN);
        if (d->texts == NULL) {
            d->texts = firn_arena_new();
        }
        firn_arena_reset(d->texts);
    }
}

static void need_keys(firn_parquet_dictionary *d)
{
    size_t bytes = (d->n + ROOM) * key_bytes(d->item);
    if (bytes > d->keys_bytes) {
        d->keys_bytes = 2 * bytes;
        d->keys = firn_realloc(d->keys, d->keys_bytes);
    }
}

/* At most ROOM of them. */
static void number_some(firn_parquet_dictionary *d, const firn_parquet_values *v, int64_t from,
                        int64_t n, uint32_t *codes)
{
    const uint32_t *ints = v->data;
    const uint64_t *longs = v->data;
    text_span span = {.texts = v->texts, .end = v->texts_end};
    need_keys(d);
    switch (d->item) {
    case FIRN_ITEM_4:
        if (d->near) {
            number_near_ints(d, ints + from, n, codes);
        } else {
            number_ints(d, ints + from, span, n, codes);
        }
        return;
    case FIRN_ITEM_8:
        if (d->near) {
            number_near_longs(d, longs + from, n, codes);
        } else {
            number_longs(d, longs + from, span, n, codes);
        }
        return;
    default: break;
    }
    if (v->offsets != NULL) {
        number_offsets(d, v->offsets + from, span, n, codes);
    } else {
        number_texts(d, (const firn_bytes *)v->data + from, span, n, codes);
    }
}

static void number_block(firn_parquet_dictionary *d, const firn_parquet_values *v, int64_t from,
                         int64_t n, uint32_t *codes)
{
    for (int64_t done = 0; done < n; done += ROOM) {
        int64_t some = n - done < ROOM ? n - done : ROOM;
        number_some(d, v, from + done, some, codes + done);
    }
}

/* How many different values there will be when `left` more have come: those that the second half of what was looked at brought, over those of the first,
 * go on as a ratio. */
static double foresee(const firn_parquet_dictionary *d, int64_t left)
{
    double all = (double)d->whole, half = (double)d->half, more = all - half;
    double ratio = more < half ? more / half : 1, now = (double)d->n;
    if (left == 0 || d->looked <= BLOCK) {
        return now;
    }
    for (left += d->seen - d->looked; left > 0 && all <= 2 * (double)d->max && more >= 1;
         left -= d->looked / 2) {
        more *= ratio;
        all += more;
    }
    return all > now ? all : now;
}

/* After two blocks, four, eight: will they be too many, and by more than chance? */
static bool is_hopeless(firn_parquet_dictionary *d, int64_t left)
{
    d->half = d->whole;
    d->whole = d->n;
    d->looked = d->seen;
    return foresee(d, left) > (double)d->max * 1.25;
}

bool firn_parquet_number(firn_parquet_dictionary *d, const firn_parquet_values *values,
                         const firn_parquet_range *range, int64_t left, uint32_t *codes)
{
    int64_t n = values->n, most = 0;
    for (int64_t from = 0; from < n; from += most) {
        int64_t look = d->looked > 0 ? 2 * d->looked : BLOCK;
        most = look - d->seen < BLOCK ? look - d->seen : BLOCK;
        most = most < n - from ? most : n - from;
        if (from == 0) {
            meet_range(d, range, n);
        }
        number_block(d, values, from, most, codes + from);
        d->seen += most;
        if (d->n > d->max || d->text_bytes > TEXTS_MAX ||
            d->steps > STEPS_EACH * d->seen + (1 << 16) ||
            (d->seen == look && is_hopeless(d, left - from - most))) {
            return false;
        }
    }
    return true;
}

/* Supposing that the dictionary's values are as long as the others. */
bool firn_parquet_dictionary_pays(const firn_parquet_dictionary *d, int64_t left, double each)
{
    if (d->seen == 0) {
        return false;
    }
    double key = d->item == FIRN_ITEM_TEXT ? sizeof(uint32_t) + (double)d->text_bytes / (double)d->n
                                           : (double)key_bytes(d->item);
    double keys = foresee(d, left), n = (double)(d->seen + left);
    double with = keys * key + n * firn_parquet_bits_of((size_t)keys) / 8;
    return with < (each > 0 ? n * each : n * key * 0.75);
}

size_t firn_parquet_dictionary_bytes(const firn_parquet_dictionary *d)
{
    size_t table = d->near ? (size_t)d->span * sizeof(uint32_t) : d->mask * sizeof(*d->slots);
    return d->n * key_bytes(d->item) + d->text_bytes + table;
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
    free(dictionary->keys);
    free(dictionary->slots);
    firn_arena_free(dictionary->texts);
    *dictionary = (firn_parquet_dictionary){0};
}
