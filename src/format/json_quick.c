/* Of the short ways what is called: texts that are long or not ASCII, and nulls. Texts are compiled for any processor, and for AVX2. */
#include "json_quick.h"

/* ---- texts ---- */

static __attribute__((noinline)) bool any_utf8(const firn_json_decoding *d, const uint8_t *p,
                                               int64_t len)
{
    return d->unchecked_utf8 || firn_utf8_valid(firn_bytes_of(p, (size_t)len));
}

static inline __attribute__((always_inline)) bool is_utf8(const firn_json_decoding *d,
                                                          const uint8_t *p, int64_t len, bool wide)
{
#ifdef FIRN_JSON_HAS_WIDE
    if (wide && firn_json_wide_is_utf8(p, len))
        return true;
#endif
    (void)wide;
    return any_utf8(d, p, len);
}

/* A text of any length that may not be ASCII. Steps are copied as they come, what stands behind the closing quote included: it is within the
 * room, and is overwritten later. The room and the text's end are one bound. */
static inline __attribute__((always_inline)) const uint8_t *any_text(const firn_json_decoding *d,
                                                                     const uint8_t *p,
                                                                     const uint8_t *end, bool wide,
                                                                     firn_avro_column *column,
                                                                     int64_t row)
{
    int32_t at = column->offsets[row];
    uint8_t *out = column->data + at;
    int64_t room = column->data_cap - at, len = 0;
    uint64_t high = 0;
    int plain;
    p++;
    room = end - p < room ? end - p : room;
    do {
        if (room - len < FIRN_JSON_STEP)
            return NULL;
        plain = firn_json_step(p + len, out + len, &high, wide);
        len += plain;
    } while (plain == FIRN_JSON_STEP);
    if (p[len] != '"' || (high != 0 && !is_utf8(d, p, len, wide)))
        return NULL;
    column->offsets[row + 1] = at + (int32_t)len;
    return p + len + 1;
}

const uint8_t *firn_json_any_text(const firn_json_decoding *d, const uint8_t *p, const uint8_t *end,
                                  firn_avro_column *column, int64_t row)
{
    return any_text(d, p, end, false, column, row);
}

#ifdef FIRN_JSON_HAS_WIDE
FIRN_JSON_WIDE __attribute__((flatten)) const uint8_t *firn_json_any_text_wide(
    const firn_json_decoding *d, const uint8_t *p, const uint8_t *end, firn_avro_column *column,
    int64_t row)
{
    return any_text(d, p, end, true, column, row);
}
#endif

/* The rest of a text in ASCII that is longer than one step, which is copied. */
static inline __attribute__((always_inline)) const uint8_t *long_text(const uint8_t *p,
                                                                      const uint8_t *end, bool wide,
                                                                      firn_avro_column *column,
                                                                      int64_t row)
{
    int32_t at = column->offsets[row];
    uint8_t *out = column->data + at;
    int64_t room = column->data_cap - at, len = 0;
    uint64_t stop;
    p++;
    room = end - p < room ? end - p : room;
    do {
        len += FIRN_JSON_STEP;
        if (room - len < FIRN_JSON_STEP)
            return NULL;
        stop = firn_json_ascii(p + len, true, out + len, wide);
    } while (stop == 0);
    len += __builtin_ctzll(stop) / FIRN_JSON_STEP_BITS;
    if (p[len] != '"')
        return NULL;
    column->offsets[row + 1] = at + (int32_t)len;
    return p + len + 1;
}

const uint8_t *firn_json_long_text(const uint8_t *p, const uint8_t *end, firn_avro_column *column,
                                   int64_t row)
{
    return long_text(p, end, false, column, row);
}

#ifdef FIRN_JSON_HAS_WIDE
FIRN_JSON_WIDE __attribute__((flatten)) const uint8_t *firn_json_long_text_wide(
    const uint8_t *p, const uint8_t *end, firn_avro_column *column, int64_t row)
{
    return long_text(p, end, true, column, row);
}
#endif

/* ---- nulls ---- */

const uint8_t *firn_json_quick_null(const uint8_t *p, const firn_json_node *node,
                                    firn_avro_column *column)
{
    const uint32_t null = 0x6C6C756E;
    uint32_t word;
    memcpy(&word, p, sizeof word);
    if (word != null || node->quick == FIRN_JSON_NOTHING || !node->nullable)
        return NULL;
    firn_json_put_null(column);
    return p + 4;
}
