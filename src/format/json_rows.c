/* Rows without names: arrays of values, as ksqlDB sends them, into the columns of a batch.
 *
 * A row is in the batch whole or not at all: what stopped in its middle is taken back. So rows can be tried on a text that may be cut off
 * anywhere, and the one that was cut is tried again when the rest has come.
 */
#include "json_quick.h"

/* Where a row's array begins; gives where it ends. Room for the row must be there. */
static inline const uint8_t *take_row(firn_json_decoding *d, const uint8_t *p,
                                      const firn_json_node *node, firn_avro_column *root)
{
    const uint8_t *end = d->scan.end;
    uint32_t count = node->member_count - 1;
    int64_t row = root->length;
    if (p == end || *p != '[')
        return firn_json_unexpected(&d->scan, p, "a row's values in [] must stand here");
    p = firn_json_space(p + 1, end);
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0 && end - p > 1 && p[0] == ',' && p[1] > ' ') {
            p++;
        } else if (i > 0) {
            p = firn_json_space(p, end);
            if (p == end || *p != ',')
                return firn_json_unexpected(&d->scan, p, "the row has fewer values than columns");
            p = firn_json_space(p + 1, end);
        }
        p = firn_json_quick(d, p, end, &node->members[i].node, &root->children[i], row);
        if (!p)
            return firn_json_at(d, node->members[i].name, 0);
    }
    p = firn_json_space(p, end);
    if (p == end || *p != ']')
        return firn_json_unexpected(&d->scan, p, "the row has more values than columns");
    firn_avro_store_bool(&root->children[count], false);
    firn_avro_column_mark_valid(root, row);
    root->length = row + 1;
    return p + 1;
}

firn_rc firn_json_decoder_row(const firn_json_decoder *decoder, firn_bytes text,
                              firn_avro_batch *batch, size_t *used, firn_err *err)
{
    firn_json_decoding d;
    firn_avro_column *root = &batch->root;
    int64_t before = root->length;
    firn_json_begin(&d, decoder, text, batch);
    const uint8_t *p = firn_avro_column_reserve(batch, root, 1) ? text.data : NULL;
    p = p ? take_row(&d, p, &decoder->root, root) : firn_json_no_room(&d, text.data);
    firn_json_finish(&d);
    if (p) {
        *used = (size_t)(p - text.data);
        return FIRN_OK;
    }
    firn_avro_column_truncate(root, before);
    return firn_json_report(&d, err);
}

/* Word by word, the last one over the one before: no call, and most frames are three words. */
static inline const uint8_t *behind_words(const uint8_t *p, const uint8_t *end, firn_bytes words)
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

size_t firn_json_decoder_rows(const firn_json_decoder *decoder, const firn_json_frame *frame,
                              firn_bytes text, int64_t rows_max, firn_avro_batch *batch)
{
    firn_json_decoding d;
    firn_avro_column *root = &batch->root;
    firn_json_begin(&d, decoder, text, batch);
    const uint8_t *p = text.data, *end = d.scan.end, *done = p;
    for (int64_t i = 0; i < rows_max; i++) {
        int64_t before = root->length;
        const uint8_t *start = p;
        p = behind_words(p, end, frame->before);
        if (!p || p == end || *p != '[' || !firn_avro_column_reserve(batch, root, 1))
            break;
        p = take_row(&d, p, &decoder->root, root);
        p = p ? behind_words(p, end, frame->after) : NULL;
        if (!p || (size_t)(p - start) > frame->row_bytes_max) {
            firn_avro_column_truncate(root, before);
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
    firn_json_finish(&d);
    return (size_t)(done - text.data);
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
