/* Objects as records: members by name, each value into its column.
 *
 * This is a hot path. A member's name is compared with the one that followed last time, quotes, colon and all in one step, then with a few that
 * came behind that, as writers leave out what is null, and only found by hash when that fails; its value goes the short way of json_quick.h if it can. The loop is compiled twice: for any processor, and for
 * AVX2 and BMI2, chosen at run time (FIRN_JSON_WIDE).
 *
 * Nothing in the loop asks how many bytes are left but one comparison a member: where a name and a value could reach past the end of the text,
 * a copy of what is left is read instead, which zeros follow. A zero is no part of any value or name, so what was cut off ends there, too.
 * Whatever is not as foreseen is taken from the text itself, and errors come from nowhere else.
 *
 * How a record knows its members: before it, all children of a struct are as long as the struct, so a child that is longer has been
 * given, and one that is not at the end was absent. A member that comes again takes its child back to the old length first.
 */
#include "json_quick.h"

/* ---- what is read ---- */

/* The text, or the copy of its end (firn_json_tail). */
typedef struct window {
    const uint8_t *end;         /* what is read ends here; in the copy with zeros */
    const uint8_t *roomy;       /* up to here there are FIRN_JSON_TAIL_BYTES to be read */
    const uint8_t *value_roomy; /* up to here there are FIRN_JSON_QUICK_BYTES */
    const uint8_t *texts_end;   /* what may be read of texts */
} window;

static inline void look_at_text(window *w, const firn_json_scan *scan)
{
    const uint8_t *start = scan->start, *end = scan->end;
    w->end = w->texts_end = end;
    w->roomy = end - start > FIRN_JSON_TAIL_BYTES ? end - FIRN_JSON_TAIL_BYTES : start;
    w->value_roomy = end - start > FIRN_JSON_QUICK_BYTES ? end - FIRN_JSON_QUICK_BYTES : start;
}

/* `p` in the text, less than FIRN_JSON_TAIL_BYTES in front of its end; gives where that is in the copy. */
static inline const uint8_t *look_at_tail(window *w, const firn_json_decoding *d, const uint8_t *p)
{
    const uint8_t *end = d->tail.bytes + FIRN_JSON_TAIL_BYTES;
    w->end = w->roomy = w->value_roomy = end;
    w->texts_end = end + FIRN_JSON_STEP;
    return end - (d->scan.end - p);
}

static __attribute__((noinline)) const uint8_t *space(const uint8_t *p, const uint8_t *end)
{
    return firn_json_space(p, end);
}

/* Back to the text: where `p` is there. */
static inline const uint8_t *in_text(window *w, const firn_json_scan *scan, const uint8_t *p)
{
    p = scan->end - (w->end - p);
    if (w->end != scan->end)
        look_at_text(w, scan);
    return p;
}

/* ---- names ---- */

static __attribute__((noinline)) bool ends_so(const firn_json_member *member, const uint8_t *p,
                                              const uint8_t *end)
{
    enum { AHEAD = 2 };                            /* what the caller looks at behind the colon */
    const size_t compared = FIRN_JSON_KEY_MAX - 1; /* of the name: a quote precedes it */
    if (member->key_len == UINT32_MAX || (size_t)(end - p) < (size_t)member->key_len + AHEAD)
        return false;
    size_t left = member->len > compared ? member->len - compared : 0;
    const uint8_t *behind = p + member->key_len - 2;
    return memcmp(p + FIRN_JSON_KEY_MAX, member->name + compared, left) == 0 && behind[0] == '"' &&
           behind[1] == ':';
}

#ifdef FIRN_JSON_HAS_WIDE
/* In halves: most names end in the first. */
FIRN_JSON_WIDE static inline bool begins_so_wide(const firn_json_member *member, const uint8_t *p)
{
    const __m128i *text = (const void *)p, *word = (const void *)member->word,
                  *mask = (const void *)member->mask;
    __m128i other = _mm_xor_si128(_mm_loadu_si128(text), _mm_loadu_si128(word));
    if (!_mm_testz_si128(other, _mm_loadu_si128(mask)))
        return false;
    if (member->key_len <= sizeof *text)
        return true;
    other = _mm_xor_si128(_mm_loadu_si128(text + 1), _mm_loadu_si128(word + 1));
    return _mm_testz_si128(other, _mm_loadu_si128(mask + 1));
}
#endif

static inline bool begins_so(const firn_json_member *member, const uint8_t *p)
{
    uint64_t other = ((firn_json_word(p) ^ member->word[0]) & member->mask[0]) |
                     ((firn_json_word(p + 8) ^ member->word[1]) & member->mask[1]);
    if (member->key_len > 16) {
        other |= ((firn_json_word(p + 16) ^ member->word[2]) & member->mask[2]) |
                 ((firn_json_word(p + 24) ^ member->word[3]) & member->mask[3]);
    }
    return other == 0;
}

/* Whether the member's name stands at `p`, and its colon. FIRN_JSON_KEY_MAX bytes must be there. */
static inline __attribute__((always_inline)) bool is_named(const firn_json_member *member,
                                                           const uint8_t *p, const uint8_t *end,
                                                           bool wide)
{
    bool same;
#ifdef FIRN_JSON_HAS_WIDE
    same = wide ? begins_so_wide(member, p) : begins_so(member, p);
#else
    (void)wide;
    same = begins_so(member, p);
#endif
    return same &&
           (__builtin_expect(member->key_len <= FIRN_JSON_KEY_MAX, 1) || ends_so(member, p, end));
}

static inline firn_avro_column *child_of(const firn_avro_column *column,
                                         const firn_json_member *member)
{
    return (void *)((uint8_t *)column->children + member->child);
}

/* One of the members that lately came behind the one that was guessed; NULL: none. What was guessed stays so, for the member may be back in the
 * next document, but now and then: it may be another order. Where members have no column they are rather found by hash. */
static __attribute__((noinline)) const firn_json_member *find_near(const firn_json_member **behind,
                                                                   const uint8_t *p,
                                                                   const uint8_t *end, int64_t row)
{
    enum { ABSENT_MAX = 3, ROWS_KEPT = 32 };
    const firn_json_member *member = __atomic_load_n(behind, __ATOMIC_RELAXED);
    for (int i = 0; i < ABSENT_MAX; i++) {
        member = __atomic_load_n(member->behind, __ATOMIC_RELAXED);
        if (!is_named(member, p, end, false))
            continue;
        if (row % ROWS_KEPT == 0)
            __atomic_store_n(behind, member, __ATOMIC_RELAXED);
        return member;
    }
    return NULL;
}

/* The name whose opening quote is at `p`: a plain one in one step, borrowed from the text. */
static const uint8_t *take_name(firn_json_decoding *d, const uint8_t *p, firn_bytes *out)
{
    if (d->scan.end - p > FIRN_JSON_STEP) {
        uint64_t stop = firn_json_ascii(p + 1, false, NULL, false);
        size_t len = stop ? (size_t)__builtin_ctzll(stop) / FIRN_JSON_STEP_BITS : FIRN_JSON_STEP;
        if (stop && p[1 + len] == '"') {
            *out = firn_bytes_of(p + 1, len);
            return p + len + 2;
        }
    }
    return firn_json_take_string(d, p, out);
}

/* Any name at `p`; gives where its value begins. *member: NULL when no column takes it. What was guessed is corrected. */
static __attribute__((noinline)) const uint8_t *find_member(firn_json_decoding *d, const uint8_t *p,
                                                            const firn_json_node *node,
                                                            const firn_avro_column *column,
                                                            const firn_json_member **behind,
                                                            const firn_json_member **member)
{
    firn_bytes name;
    bool exact;
    if (p == d->scan.end || *p != '"')
        return firn_json_unexpected(&d->scan, p, "a member's name in quotes must stand here");
    p = take_name(d, p, &name);
    if (!p)
        return NULL;
    *member = firn_json_find(node, name, &exact);
    if (*member) {
        if (!exact && child_of(column, *member)->length > column->length)
            *member = NULL; /* given before, and this one only resembles its name */
        else if (__atomic_load_n(behind, __ATOMIC_RELAXED) != *member)
            __atomic_store_n(behind, *member, __ATOMIC_RELAXED);
    }
    return firn_json_colon(d, p);
}

/* Could the value [p, end), for which there is no column, have one? Not as long as it is nothing but nulls, empty arrays and objects (json_infer.c), however they
 * lie in one another; of what is large or deep it is not asked. */
static __attribute__((noinline)) bool has_a_type(const uint8_t *p, const uint8_t *end)
{
    enum { LOOKED_AT_MAX = 1024, DEPTH_MAX = 8 };
    int depth = 0;
    if (end - p > LOOKED_AT_MAX)
        return true;
    for (; p < end; p++) {
        if (*p == '"') {
            for (p++; p < end && *p != '"'; p++)
                p += *p == '\\';
            const uint8_t *behind = p < end ? space(p + 1, end) : end;
            if (behind == end || *behind != ':')
                return true; /* a text, not a name */
        } else if (*p == 'n') {
            p += strlen("null") - 1;
        } else if (*p == '[' || *p == '{') {
            if (++depth > DEPTH_MAX)
                return true;
        } else if (*p == ']' || *p == '}') {
            depth--;
        } else if (*p == '-' || *p == 't' || *p == 'f' || (*p >= '0' && *p <= '9')) {
            return true;
        }
    }
    return false;
}

/* ---- records ---- */

static __attribute__((noinline)) bool fill_missing(firn_json_decoding *d, const uint8_t *p,
                                                   const firn_json_node *node,
                                                   firn_avro_column *column)
{
    for (uint32_t i = 0; i < node->member_count; i++) {
        firn_avro_column *child = &column->children[i];
        if (child->length != column->length)
            continue;
        if (node->members[i].node.quick != FIRN_JSON_NOTHING && child->nullable) {
            firn_json_put_null(child);
            continue;
        }
        if (!child->nullable) {
            firn_json_misfit(d, p, &node->members[i].node, "it is absent, and may not be null");
            firn_json_at(d, node->members[i].name, 0);
            return false;
        }
        firn_avro_column_append_null(child);
    }
    return true;
}

/* An object without members; `p` is at its first brace, `behind` behind the other. */
static __attribute__((noinline)) const uint8_t *no_members(firn_json_decoding *d, const uint8_t *p,
                                                           const uint8_t *behind,
                                                           const firn_json_node *node,
                                                           firn_avro_column *column)
{
    if (!fill_missing(d, p, node, column))
        return NULL;
    firn_avro_column_mark_valid(column, column->length);
    column->length++;
    d->depth--;
    return behind;
}

/* A value that did not go the short way; gives where it ends, in the text. */
static __attribute__((noinline)) const uint8_t *other_value(firn_json_decoding *d, window *w,
                                                            const uint8_t *p,
                                                            const firn_json_member *member,
                                                            firn_avro_column *child)
{
    const uint8_t *behind = firn_json_value(d, in_text(w, &d->scan, p), &member->node, child);
    return behind ? behind : firn_json_at(d, member->name, 0);
}

static inline __attribute__((always_inline)) const uint8_t *record(firn_json_decoding *d,
                                                                   const uint8_t *p,
                                                                   const firn_json_node *node,
                                                                   firn_avro_column *column,
                                                                   bool wide)
{
    const uint8_t *start = p;
    uint32_t missing = node->member_count;
    const firn_json_member **behind = node->first;
    int64_t row = column->length;
    size_t byte = (size_t)row >> 3;
    uint8_t bit = (uint8_t)(1u << (row & 7));
    window w;
    if (!firn_json_enter(d, p))
        return NULL;
    p = firn_json_space(p + 1, d->scan.end);
    if (p < d->scan.end && *p == '}')
        return no_members(d, start, p + 1, node, column);
    look_at_text(&w, &d->scan);
    if (p > w.roomy)
        p = look_at_tail(&w, d, p);
    for (;;) {
        const firn_json_member *member = __atomic_load_n(behind, __ATOMIC_RELAXED), *found;
        const uint8_t *next = NULL;
        if (__builtin_expect(
                is_named(member, p, w.end, wide) ||
                    (*p > ' ' && d->unknown == 0 && (member = find_near(behind, p, w.end, row))),
                1)) {
            p += member->key_len;
            if (*p <= ' ')
                p = *p == ' ' && p[1] > ' ' ? p + 1 : space(p, w.end);
        } else if (*p <= ' ' && (next = space(p, w.end)) != p) {
            p = next > w.roomy ? look_at_tail(&w, d, next) : next;
            continue;
        } else {
            p = find_member(d, in_text(&w, &d->scan, p), node, column, behind, &found);
            if (!p)
                return NULL;
            member = found;
            next = NULL;
        }
        if (member) {
            firn_avro_column *child = child_of(column, member);
            if (__builtin_expect(child->length != row, 0))
                firn_avro_column_truncate(child, row); /* of repeated members the last counts */
            else
                missing--;
            bool null = false;
            if (__builtin_expect(p <= w.value_roomy, 1)) {
                null = *p == 'n';
                next = null ? firn_json_quick_null(p, &member->node, child)
                            : firn_json_quick(d, p, w.texts_end, wide, &member->node, child, row);
            }
            if (__builtin_expect(next == NULL, 0)) {
                next = other_value(d, &w, p, member, child);
            } else if (!null) {
                if (child->validity)
                    child->validity[byte] |= bit;
                child->length = row + 1;
            }
            p = next;
            behind = member->behind;
        } else {
            if (p <= w.value_roomy && !node->slow)
                next = firn_json_quick_skip(p, w.end, wide);
            next = next ? next : firn_json_skip(&d->scan, p, FIRN_AVRO_DEPTH_MAX - d->depth);
            d->unknown += next && has_a_type(p, next);
            p = next;
        }
        if (!p)
            return NULL;

        if (p > w.roomy)
            p = look_at_tail(&w, d, p);
        if (__builtin_expect(*p == ',', 1)) {
            p++;
            if (__builtin_expect(*p == ' ', 0)) /* as many writers have it */
                p++;
            continue;
        }
        if (*p != '}')
            p = space(p, w.end);
        if (p == w.end || (*p != ',' && *p != '}')) {
            return firn_json_unexpected(&d->scan, in_text(&w, &d->scan, p),
                                        "a comma or a } must stand here");
        }
        if (*p == '}')
            break;
        p = space(p + 1, w.end);
        if (p > w.roomy)
            p = look_at_tail(&w, d, p);
    }
    if (missing > 0 && !fill_missing(d, start, node, column))
        return NULL;
    if (column->validity)
        column->validity[byte] |= bit;
    column->length = row + 1;
    d->depth--;
    return in_text(&w, &d->scan, p + 1);
}

static __attribute__((noinline)) const uint8_t *record_anywhere(firn_json_decoding *d,
                                                                const uint8_t *p,
                                                                const firn_json_node *node,
                                                                firn_avro_column *column)
{
    return record(d, p, node, column, false);
}

#ifdef FIRN_JSON_HAS_WIDE
/* flatten: else gcc calls what it may not inline into less than this. */
FIRN_JSON_WIDE __attribute__((flatten)) static const uint8_t *record_wide(
    firn_json_decoding *d, const uint8_t *p, const firn_json_node *node, firn_avro_column *column)
{
    return record(d, p, node, column, true);
}
#endif

const uint8_t *firn_json_record(firn_json_decoding *d, const uint8_t *p, const firn_json_node *node,
                                firn_avro_column *column)
{
#ifdef FIRN_JSON_HAS_WIDE
    if (d->wide)
        return record_wide(d, p, node, column);
#endif
    return record_anywhere(d, p, node, column);
}
