/* The short way for fields of records; see avro_quick.h.
 *
 * This is a hot path. It lives by these rules:
 *   1. Where a field begins, QUICK_BYTES can be read: no more is looked at before it is known where the field ends, except the bytes of texts of
 *      more than TEXT_STEP bytes, which are compared with what is left first.
 *   2. Where less is left of the data, a copy of its last bytes is read, with zeros behind.
 *   3. A field that ends past the end of the data, or is odd in any other way, is not taken: nothing was appended, and errors are found by others.
 *   4. Texts are copied in whole steps where their column has room for that, else not at all. What lies behind a text is nobody's.
 *   5. How long a number is decides no branch, whether a value is null does: most columns are mostly null or hardly ever, and where a guess is right
 *      nothing waits until it is known where the field ends. Records that are mostly null take half the time so; where every value is null or not
 *      as by a coin, it is half as much again.
 */
#include "avro_quick.h"

#include "avro_batch.h"

#include <assert.h>
#include <endian.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { TEXT_STEP = 32, QUICK_BYTES = 48 };
/* Branch of a union, a length of two bytes, one step of a text; or a number. */
static_assert(1 + 2 + TEXT_STEP <= QUICK_BYTES, "fields are read up to there");
static_assert(1 + FIRN_AVRO_VARINT_BYTES_MAX <= QUICK_BYTES, "fields are read up to there");

/* ---- programs ---- */

static uint8_t value_way(const firn_plan *node, const firn_avro_column *child)
{
    switch (node->op) {
    case FIRN_PLAN_LONG:
        return child->type == FIRN_AVRO_COL_INT64 ? FIRN_AVRO_WAY_LONG : FIRN_AVRO_WAY_OTHER;
    case FIRN_PLAN_INT:
        return child->type == FIRN_AVRO_COL_INT32 ? FIRN_AVRO_WAY_INT : FIRN_AVRO_WAY_OTHER;
    case FIRN_PLAN_FLOAT:
        return child->type == FIRN_AVRO_COL_FLOAT ? FIRN_AVRO_WAY_FLOAT : FIRN_AVRO_WAY_OTHER;
    case FIRN_PLAN_DOUBLE:
        return child->type == FIRN_AVRO_COL_DOUBLE ? FIRN_AVRO_WAY_DOUBLE : FIRN_AVRO_WAY_OTHER;
    case FIRN_PLAN_BOOLEAN:
        return child->type == FIRN_AVRO_COL_BOOL ? FIRN_AVRO_WAY_BOOLEAN : FIRN_AVRO_WAY_OTHER;
    case FIRN_PLAN_BYTES:
        return child->type == FIRN_AVRO_COL_STRING  ? FIRN_AVRO_WAY_TEXT
               : child->type == FIRN_AVRO_COL_BYTES ? FIRN_AVRO_WAY_BYTES
                                                    : FIRN_AVRO_WAY_OTHER;
    default: return FIRN_AVRO_WAY_OTHER;
    }
}

/* A value has no validity to set, and a union with null always has: what is one on one side only goes the other way. */
static firn_avro_quick_step step_of(const firn_plan *node, const firn_avro_column *child)
{
    firn_avro_quick_step step = {0};
    bool optional = node->op == FIRN_PLAN_OPTIONAL;
    if (BYTE_ORDER != LITTLE_ENDIAN || optional != child->nullable)
        return step;
    step.way = value_way(optional ? node->item : node, child);
    if (optional && step.way != FIRN_AVRO_WAY_OTHER) {
        step.way += FIRN_AVRO_WAY_OPTIONAL;
        step.null = (uint8_t)(node->null_branch * 2); /* as a varint */
    }
    return step;
}

static void make_record(firn_arena *arena, const firn_plan *plan, firn_avro_column *column)
{
    if (column->quick)
        return; /* branches of a writer's union that become the same record: the first one has it */
    size_t steps_size = (plan->step_count + 1) * sizeof(firn_avro_quick_step);
    firn_avro_quick *quick = firn_arena_alloc(arena, sizeof *quick + steps_size);
    memset(quick->steps, 0, steps_size);
    quick->plan = plan;
    column->quick = quick;
    for (size_t i = 0; i < plan->step_count; i++) {
        const firn_plan_step *step = &plan->steps[i];
        if (!step->node)
            continue;
        firn_avro_column *child = &column->children[step->index];
        quick->steps[i] = step_of(step->node, child);
        quick->steps[i].child = (uint32_t)(step->index * sizeof *child);
        firn_avro_quick_make(arena, step->node, child);
    }
}

void firn_avro_quick_make(firn_arena *arena, const firn_plan *plan, firn_avro_column *column)
{
    switch (plan->op) {
    case FIRN_PLAN_RECORD: make_record(arena, plan, column); break;
    case FIRN_PLAN_OPTIONAL: firn_avro_quick_make(arena, plan->item, column); break;
    case FIRN_PLAN_ARRAY: firn_avro_quick_make(arena, plan->item, &column->children[0]); break;
    case FIRN_PLAN_MAP:
        firn_avro_quick_make(arena, plan->item, &column->children[0].children[1]);
        break;
    case FIRN_PLAN_INTO:
        firn_avro_quick_make(arena, plan->item, &column->children[1 + plan->into]);
        break;
    case FIRN_PLAN_UNION:
        for (size_t i = 0; i < plan->writer->branch_count; i++)
            firn_avro_quick_make(arena, plan->branches[i], column);
        break;
    default: break;
    }
}

/* ---- bytes ---- */

/* Copy a step of a text; gives a bit for each of its bytes that is not ASCII. */
static inline uint32_t copy_step(const uint8_t *p, uint8_t *out)
{
#ifdef __SSE2__
    __m128i low = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(p + 16));
    _mm_storeu_si128((__m128i *)(void *)out, low);
    _mm_storeu_si128((__m128i *)(void *)(out + 16), high);
    return (uint32_t)_mm_movemask_epi8(low) | (uint32_t)_mm_movemask_epi8(high) << 16;
#else
    uint64_t words[TEXT_STEP / 8];
    uint32_t bits = 0;
    memcpy(words, p, sizeof words);
    memcpy(out, words, sizeof words);
    for (unsigned i = 0; i < TEXT_STEP / 8; i++) {
        uint64_t high = (words[i] & 0x8080808080808080u) >> 7;
        bits |= (uint32_t)(high * 0x0102040810204080u >> 56) << 8 * i;
    }
    return bits;
#endif
}

/* A text of more than one step, all of which is there on both sides; the last step overlaps the one before. */
static uint32_t copy_long(const uint8_t *p, uint8_t *out, size_t len)
{
    uint32_t high = 0;
    size_t i = 0;
    for (; i + TEXT_STEP < len; i += TEXT_STEP)
        high |= copy_step(p + i, out + i);
    return high | copy_step(p + len - TEXT_STEP, out + len - TEXT_STEP);
}

/* The varint at `p` by its 8 bytes at once, without a branch on how many it has, unless it has more; gives that, 0 if it does not fit 64 bits. */
static inline __attribute__((always_inline)) unsigned varint(const uint8_t *p, uint64_t *out)
{
    const uint64_t tops = 0x8080808080808080u;
    uint64_t word;
    memcpy(&word, p, sizeof word);
    uint64_t ends = ~word & tops;
    uint64_t bits = word & (ends ^ (ends - 1)) & ~tops; /* of all bytes if none ends it */
    bits = (bits & 0x007F007F007F007Fu) | (bits >> 1 & 0x3F803F803F803F80u);
    bits = (bits & 0x00003FFF00003FFFu) | (bits >> 2 & 0x0FFFC0000FFFC000u);
    bits = (bits & 0x000000000FFFFFFFu) | (bits >> 4 & 0x00FFFFFFF0000000u);
    if (__builtin_expect(ends != 0, 1)) {
        *out = bits;
        return ((unsigned)__builtin_ctzll(ends) >> 3) + 1;
    }
    bits |= (uint64_t)(p[8] & 0x7F) << 56;
    unsigned len = 9;
    if (p[8] >= 0x80) {
        bits |= (uint64_t)p[9] << 63;
        len = p[9] > 1 ? 0 : 10;
    }
    *out = bits;
    return len;
}

static inline int64_t unzigzag(uint64_t bits)
{
    return (int64_t)(bits >> 1) ^ -(int64_t)(bits & 1);
}

/* ---- fields ---- */

/* What all fields of a record have in common. */
typedef struct place {
    int64_t row;
    size_t byte; /* its bit in bitmaps */
    uint8_t bit;
    bool unchecked_utf8;
} place;

/* Each of these takes the field at `p`; gives where it ends, or NULL. `optional` and the like are constants where they are inlined. */
#define WAY static inline __attribute__((always_inline))

WAY void settle(firn_avro_column *child, const place *at, bool optional)
{
    if (optional)
        child->validity[at->byte] |= at->bit;
    child->length = at->row + 1;
}

/* A null: its column's item, of so many bytes, is a zero; of none: its bits are. */
WAY const uint8_t *null(const uint8_t *p, const uint8_t *end, firn_avro_column *child,
                        const place *at, size_t size)
{
    if (p == end)
        return NULL;
    memset(child->data + (size_t)at->row * size, 0, size);
    child->null_count++;
    child->length = at->row + 1;
    return p + 1;
}

/* A null that is an empty range. */
WAY const uint8_t *null_text(const uint8_t *p, const uint8_t *end, firn_avro_column *child,
                             const place *at)
{
    if (p == end)
        return NULL;
    child->offsets[at->row + 1] = child->offsets[at->row];
    child->null_count++;
    child->length = at->row + 1;
    return p + 1;
}

WAY bool is_null(const uint8_t *p, const firn_avro_quick_step *step)
{
    return *p == step->null;
}

WAY bool is_value(const uint8_t *p, const firn_avro_quick_step *step)
{
    return *p == (step->null ^ 2);
}

WAY const uint8_t *whole(const uint8_t *p, const uint8_t *end, const firn_avro_quick_step *step,
                         firn_avro_column *child, const place *at, bool optional, bool is_long)
{
    if (optional && is_null(p, step))
        return null(p, end, child, at, is_long ? sizeof(int64_t) : sizeof(int32_t));
    if (optional && !is_value(p, step))
        return NULL;
    p += optional;
    uint64_t bits;
    ptrdiff_t len = varint(p, &bits);
    int64_t value = unzigzag(bits);
    if (len == 0 || len > end - p || (!is_long && value != (int32_t)value))
        return NULL;
    if (is_long)
        ((int64_t *)(void *)child->data)[at->row] = value;
    else
        ((int32_t *)(void *)child->data)[at->row] = (int32_t)value;
    settle(child, at, optional);
    return p + len;
}

/* float and double: the bits as they are. */
WAY const uint8_t *real(const uint8_t *p, const uint8_t *end, const firn_avro_quick_step *step,
                        firn_avro_column *child, const place *at, bool optional, size_t size)
{
    if (optional && is_null(p, step))
        return null(p, end, child, at, size);
    if (optional && !is_value(p, step))
        return NULL;
    p += optional;
    if ((ptrdiff_t)size > end - p)
        return NULL;
    memcpy(child->data + (size_t)at->row * size, p, size);
    settle(child, at, optional);
    return p + size;
}

WAY const uint8_t *boolean(const uint8_t *p, const uint8_t *end, const firn_avro_quick_step *step,
                           firn_avro_column *child, const place *at, bool optional)
{
    if (optional && is_null(p, step))
        return null(p, end, child, at, 0);
    if (optional && !is_value(p, step))
        return NULL;
    p += optional;
    if (end - p < 1 || *p > 1)
        return NULL;
    child->data[at->byte] |= (uint8_t)(at->bit & -(unsigned)*p);
    settle(child, at, optional);
    return p + 1;
}

/* string and bytes, of up to 8191 bytes */
WAY const uint8_t *text(const uint8_t *p, const uint8_t *end, const firn_avro_quick_step *step,
                        firn_avro_column *child, const place *at, bool optional, bool is_text)
{
    if (optional && is_null(p, step))
        return null_text(p, end, child, at);
    if (optional && !is_value(p, step))
        return NULL;
    p += optional;
    unsigned bits = *p++;
    if (__builtin_expect((bits & 0x81) != 0, 0)) {
        if (bits < 0x80 || *p >= 0x80 || (bits & 1))
            return NULL; /* less than none, or of more than two bytes */
        bits = (bits & 0x7F) | (unsigned)*p++ << 7;
    }
    ptrdiff_t len = bits >> 1;
    if (len > end - p)
        return NULL;

    int32_t from = child->offsets[at->row];
    int64_t room = child->data_cap - from;
    uint8_t *out = child->data + from;
    uint64_t high;
    if (__builtin_expect(len <= TEXT_STEP, 1)) {
        if (room < TEXT_STEP)
            return NULL;
        high = copy_step(p, out) & (((uint64_t)1 << len) - 1);
    } else {
        if (room < len)
            return NULL;
        high = copy_long(p, out, (size_t)len);
    }
    if (is_text && high != 0 && !at->unchecked_utf8 &&
        !firn_utf8_valid(firn_bytes_of(out, (size_t)len)))
        return NULL;
    child->offsets[at->row + 1] = from + (int32_t)len;
    settle(child, at, optional);
    return p + len;
}

/* ---- records ---- */

/* The last bytes of the data and zeros. */
typedef struct tail {
    uint8_t bytes[2 * QUICK_BYTES];
} tail;

/* `p` is at most QUICK_BYTES in front of *end, that of data which begins at `start` or before; gives where that is in the copy, all of which is roomy. */
static inline const uint8_t *look_at_tail(tail *t, const uint8_t *p, const uint8_t *start,
                                          const uint8_t **end, const uint8_t **roomy)
{
    uint8_t *copy_end = t->bytes + QUICK_BYTES;
    size_t left = (size_t)(*end - p);
    memset(copy_end, 0, QUICK_BYTES);
    if (*end - start >= QUICK_BYTES)
        memcpy(t->bytes, *end - QUICK_BYTES, QUICK_BYTES);
    else
        memcpy(copy_end - left, p, left);
    *end = *roomy = copy_end;
    return copy_end - left;
}

size_t firn_avro_quick_steps(const firn_avro_quick *quick, size_t first, firn_avro_cursor *cursor,
                             firn_avro_column *column, bool unchecked_utf8)
{
    const firn_avro_quick_step *step = quick->steps + first;
    tail t;
    const uint8_t *start = cursor->pos, *p = start, *end = cursor->end, *roomy = end;
    if (end - p > QUICK_BYTES)
        roomy = end - QUICK_BYTES;
    else
        p = look_at_tail(&t, p, start, &end, &roomy);
    place at = {
        .row = column->length,
        .byte = (size_t)column->length >> 3,
        .bit = (uint8_t)(1u << (column->length & 7)),
        .unchecked_utf8 = unchecked_utf8,
    };
    for (;; step++) {
        if (__builtin_expect(p > roomy, 0))
            p = look_at_tail(&t, p, start, &end, &roomy);
        firn_avro_column *child = (void *)((uint8_t *)column->children + step->child);
        const uint8_t *next = NULL;
        switch (step->way % (2 * FIRN_AVRO_WAY_OPTIONAL)) { /* so that no compiler asks */
        case FIRN_AVRO_WAY_LONG: next = whole(p, end, step, child, &at, false, true); break;
        case FIRN_AVRO_WAY_INT: next = whole(p, end, step, child, &at, false, false); break;
        case FIRN_AVRO_WAY_FLOAT: next = real(p, end, step, child, &at, false, 4); break;
        case FIRN_AVRO_WAY_DOUBLE: next = real(p, end, step, child, &at, false, 8); break;
        case FIRN_AVRO_WAY_BOOLEAN: next = boolean(p, end, step, child, &at, false); break;
        case FIRN_AVRO_WAY_TEXT: next = text(p, end, step, child, &at, false, true); break;
        case FIRN_AVRO_WAY_BYTES: next = text(p, end, step, child, &at, false, false); break;
        case FIRN_AVRO_WAY_OPTIONAL + FIRN_AVRO_WAY_LONG:
            next = whole(p, end, step, child, &at, true, true);
            break;
        case FIRN_AVRO_WAY_OPTIONAL + FIRN_AVRO_WAY_INT:
            next = whole(p, end, step, child, &at, true, false);
            break;
        case FIRN_AVRO_WAY_OPTIONAL + FIRN_AVRO_WAY_FLOAT:
            next = real(p, end, step, child, &at, true, 4);
            break;
        case FIRN_AVRO_WAY_OPTIONAL + FIRN_AVRO_WAY_DOUBLE:
            next = real(p, end, step, child, &at, true, 8);
            break;
        case FIRN_AVRO_WAY_OPTIONAL + FIRN_AVRO_WAY_BOOLEAN:
            next = boolean(p, end, step, child, &at, true);
            break;
        case FIRN_AVRO_WAY_OPTIONAL + FIRN_AVRO_WAY_TEXT:
            next = text(p, end, step, child, &at, true, true);
            break;
        case FIRN_AVRO_WAY_OPTIONAL + FIRN_AVRO_WAY_BYTES:
            next = text(p, end, step, child, &at, true, false);
            break;
        default: break;
        }
        if (!next)
            break;
        p = next;
    }
    cursor->pos = cursor->end - (end - p);
    return (size_t)(step - quick->steps);
}
