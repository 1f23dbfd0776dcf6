/* Rows without names: arrays of values, as ksqlDB sends them, into the columns of a batch.
 *
 * A row is in the batch whole or not at all: what stopped in its middle is taken back. So rows can be tried on a text that may be cut off
 * anywhere, and the one that was cut is tried again when the rest has come.
 */
#include "json_quick.h"

/* ---- one row ---- */

/* While rows are appended the columns' lengths and validity lag behind: a value that went the quick way is only in its column's buffers. They
 * are settled in front of a value that goes the other way, and behind the last row. */
static void settle(firn_avro_column *root, int64_t rows)
{
    for (size_t i = 0; i < root->child_count; i++)
        firn_avro_column_settle(&root->children[i], rows);
}

/* Takes back the row that stopped at column `at`. */
static __attribute__((cold, noinline)) void take_back(firn_avro_column *root, size_t at)
{
    int64_t row = root->length;
    for (size_t i = 0; i < root->child_count; i++)
        firn_avro_column_settle(&root->children[i], i < at ? row + 1 : row);
    firn_avro_column_truncate(root, row);
}

static __attribute__((noinline)) const uint8_t *any_value(firn_json_decoding *d, const uint8_t *p,
                                                          const firn_json_node *node,
                                                          firn_avro_column *column, int64_t row)
{
    firn_avro_column_settle(column, row);
    return firn_json_value(d, p, node, column);
}

/* Where a row's array begins; gives where it ends. Room for the row must be there. On failure the row is taken back. */
static inline __attribute__((always_inline)) const uint8_t *take_row(firn_json_decoding *d,
                                                                     const uint8_t *p,
                                                                     const firn_json_node *node,
                                                                     firn_avro_column *root,
                                                                     bool wide)
{
    const uint8_t *end = d->scan.end, *roomy = d->scan.start, *behind;
    const firn_json_member *member = node->members, *last = member + node->member_count - 1;
    firn_avro_column *column = root->children;
    int64_t row = root->length;
    const char *why = "the row has fewer values than columns";
    if (end - roomy > FIRN_JSON_QUICK_BYTES)
        roomy = end - FIRN_JSON_QUICK_BYTES;
    p = firn_json_space(p + 1, end);
    if (member == last)
        goto done;
    bool has_room = p <= roomy;
    for (;;) {
        behind = NULL;
        if (__builtin_expect(has_room, 1))
            behind = firn_json_quick(d, p, end, wide, &member->node, column, row);
        if (__builtin_expect(!behind, 0) &&
            !(behind = any_value(d, p, &member->node, column, row))) {
            take_back(root, (size_t)(column - root->children));
            return firn_json_at(d, member->name, 0);
        }
        p = behind;
        column++;
        if (++member == last)
            break;
        if (__builtin_expect(p < roomy && p[0] == ',' && p[1] > ' ', 1)) {
            p++;
            has_room = true; /* so that it is not asked again */
            continue;
        }
        p = firn_json_space(p, end);
        if (p == end || *p != ',')
            goto unexpected;
        p = firn_json_space(p + 1, end);
        has_room = p <= roomy;
    }
done:
    p = firn_json_space(p, end);
    why = "the row has more values than columns";
    if (p == end || *p != ']')
        goto unexpected;
    firn_avro_column_mark_valid(root, row);
    root->length = row + 1;
    return p + 1;
unexpected:
    take_back(root, (size_t)(column - root->children));
    return firn_json_unexpected(&d->scan, p, why);
}

/* ---- many rows ---- */

/* Word by word, the last one over the one before: no call, and most frames are three words. */
static inline __attribute__((always_inline)) const uint8_t *behind_words(const uint8_t *p,
                                                                         const uint8_t *end,
                                                                         firn_bytes words)
{
    size_t len = words.len, at = 0;
    uint64_t other = 0;
    if ((size_t)(end - p) < len)
        return NULL;
    if (len >= 8) {
        for (; at < len - 8; at += 8)
            other |= firn_json_word(p + at) ^ firn_json_word(words.data + at);
        other |= firn_json_word(p + len - 8) ^ firn_json_word(words.data + len - 8);
    } else {
        for (; at < len; at++)
            other |= p[at] ^ words.data[at];
    }
    return other == 0 ? p + len : NULL;
}

/* firn_json_decoder_rows; what stopped it is noted when it was in a row. */
static inline __attribute__((always_inline)) const uint8_t *take_rows(firn_json_decoding *d,
                                                                      const firn_json_frame *frame,
                                                                      int64_t rows_max,
                                                                      const firn_json_node *node,
                                                                      bool wide)
{
    firn_avro_column *root = &d->batch->root;
    const uint8_t *p = d->scan.start, *end = d->scan.end, *done = p;
    for (int64_t i = 0; i < rows_max; i++) {
        const uint8_t *start = p;
        p = behind_words(p, end, frame->before);
        if (!p)
            break;
        if (p == end || *p != '[') {
            firn_json_unexpected(&d->scan, p, "a row's values in [] must stand here");
            break;
        }
        if (!firn_avro_column_reserve(d->batch, root, 1)) {
            firn_json_no_room(d, p);
            break;
        }
        p = take_row(d, p, node, root, wide);
        if (!p)
            break;
        p = behind_words(p, end, frame->after);
        if (!p || (size_t)(p - start) > frame->row_bytes_max) {
            settle(root, root->length);
            firn_avro_column_truncate(root, root->length - 1);
            break;
        }
        done = p;
        p = firn_json_space(p, end);
        if (frame->comma) {
            if (p == end || *p != ',')
                break;
            p = firn_json_space(p + 1, end);
        }
    }
    settle(root, root->length);
    return done;
}

static const uint8_t *take_rows_anywhere(firn_json_decoding *d, const firn_json_frame *frame,
                                         int64_t rows_max, const firn_json_node *node)
{
    return take_rows(d, frame, rows_max, node, false);
}

#ifdef FIRN_JSON_HAS_WIDE
/* flatten: else gcc calls firn_json_wide_step, which it may not inline into less than this. */
FIRN_JSON_WIDE __attribute__((flatten)) static const uint8_t *take_rows_wide(
    firn_json_decoding *d, const firn_json_frame *frame, int64_t rows_max,
    const firn_json_node *node)
{
    return take_rows(d, frame, rows_max, node, true);
}
#endif

static const uint8_t *take_rows_here(firn_json_decoding *d, const firn_json_frame *frame,
                                     int64_t rows_max, const firn_json_node *node)
{
#ifdef FIRN_JSON_HAS_WIDE
    if (d->wide)
        return take_rows_wide(d, frame, rows_max, node);
#endif
    return take_rows_anywhere(d, frame, rows_max, node);
}

size_t firn_json_decoder_rows(const firn_json_decoder *decoder, const firn_json_frame *frame,
                              firn_bytes text, int64_t rows_max, firn_avro_batch *batch)
{
    firn_json_decoding d;
    firn_json_begin(&d, decoder, text, batch);
    const uint8_t *done = take_rows_here(&d, frame, rows_max, &decoder->root);
    firn_json_finish(&d);
    return (size_t)(done - text.data);
}

firn_rc firn_json_decoder_row(const firn_json_decoder *decoder, firn_bytes text,
                              firn_avro_batch *batch, size_t *used, firn_err *err)
{
    static const firn_json_frame bare = {.row_bytes_max = SIZE_MAX};
    firn_json_decoding d;
    firn_json_begin(&d, decoder, text, batch);
    const uint8_t *done = take_rows_here(&d, &bare, 1, &decoder->root);
    firn_json_finish(&d);
    if (done == text.data)
        return firn_json_report(&d, err);
    *used = (size_t)(done - text.data);
    return FIRN_OK;
}

void firn_json_mark_row(firn_avro_batch *batch)
{
    const firn_avro_column *root = &batch->root;
    firn_avro_column *mark = &root->children[root->child_count - 1];
    int64_t last = mark->length - 1;
    mark->data[last >> 3] |= (uint8_t)(1u << (last & 7));
}

/* ---- what stands around rows ---- */

static const uint8_t *members(firn_json_scan *scan, const char *name, firn_bytes *out)
{
    const uint8_t *p = firn_json_space(scan->start, scan->end), *end = scan->end;
    size_t name_len = strlen(name);
    if (p == end || *p != '{')
        return firn_json_unexpected(scan, p, "an object must stand here");
    p = firn_json_space(p + 1, end);
    if (p < end && *p == '}')
        return p + 1;
    for (;;) {
        firn_json_raw raw;
        if (p == end || *p != '"')
            return firn_json_unexpected(scan, p, "a member's name in quotes must stand here");
        p = firn_json_string(scan, p + 1, &raw);
        p = p ? firn_json_space(p, end) : NULL;
        if (!p || p == end || *p != ':')
            return p ? firn_json_unexpected(scan, p, "a colon must stand here") : NULL;
        const uint8_t *value = firn_json_space(p + 1, end);
        p = firn_json_skip(scan, value, FIRN_AVRO_DEPTH_MAX);
        if (!p)
            return NULL;
        if (raw.text.len == name_len && memcmp(raw.text.data, name, name_len) == 0)
            *out = firn_bytes_of(value, (size_t)(p - value));
        p = firn_json_space(p, end);
        if (p == end || (*p != ',' && *p != '}'))
            return firn_json_unexpected(scan, p, "a comma or a } must stand here");
        if (*p == '}')
            return p + 1;
        p = firn_json_space(p + 1, end);
    }
}

firn_rc firn_json_member_text(firn_bytes text, const char *name, firn_bytes *out, firn_err *err)
{
    firn_json_scan scan = {.start = text.data, .end = text.data + text.len};
    *out = (firn_bytes){0};
    const uint8_t *p = members(&scan, name, out);
    if (p && firn_json_space(p, scan.end) != scan.end)
        p = firn_json_unexpected(&scan, p, "something follows the object");
    if (!p)
        FIRN_FAIL(err, scan.rc, "not a JSON object, byte %zu: %s",
                  (size_t)(scan.where - scan.start), scan.why);
    return FIRN_OK;
}
