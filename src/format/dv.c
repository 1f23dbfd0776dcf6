/* Deletion vectors over CRoaring. The blob's layout is in format/dv.h.
 *
 * CRoaring before 1.0 has no 64-bit bitmaps in C, so a vector is an array of 32-bit bitmaps, sorted by the high half of
 * their positions.
 *
 * Invariants: keys ascend strictly; no bitmap is empty; no key exceeds KEY_MAX.
 */
#include "format/dv.h"

#include "roaring_check.h"

#include <assert.h>
#include <endian.h>
#include <roaring/roaring.h>
#include <stdlib.h>
#include <zlib.h>

#define KEY_MAX          ((uint32_t)(FIRN_DV_POSITION_MAX >> 32))
#define RANGE_MAX        ((uint64_t)1 << 36)
#define VECTOR_BYTES_MAX ((size_t)INT32_MAX - 16)
#define BITMAP_BYTES_MIN 8  /* cookie and container count of an empty bitmap */
#define BLOB_FRAME_BYTES 12 /* length, magic, checksum */

static const uint8_t magic[4] = {0xD1, 0xD3, 0x39, 0x64};

typedef struct part {
    uint32_t key;
    roaring_bitmap_t *bitmap;
} part;

struct firn_dv {
    part *parts;
    size_t count;
    size_t cap;
};

static uint32_t high(uint64_t position)
{
    return (uint32_t)(position >> 32);
}

static uint32_t low(uint64_t position)
{
    return (uint32_t)position;
}

/* libc allocation failure aborts in firn; CRoaring reports it as NULL. */
static roaring_bitmap_t *or_abort(roaring_bitmap_t *bitmap)
{
    if (!bitmap)
        abort();
    return bitmap;
}

/* ---- parts ---- */

/* First part whose key is not below `key`. */
static size_t lower_bound(const firn_dv *dv, uint32_t key)
{
    size_t from = 0;
    size_t to = dv->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (dv->parts[middle].key < key)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static const part *find_part(const firn_dv *dv, uint32_t key)
{
    size_t at = lower_bound(dv, key);
    return at < dv->count && dv->parts[at].key == key ? &dv->parts[at] : NULL;
}

/* Takes the bitmap over; `at` is where `key` belongs. */
static void insert_part(firn_dv *dv, size_t at, uint32_t key, roaring_bitmap_t *bitmap)
{
    if (dv->count == dv->cap) {
        dv->cap = dv->cap ? dv->cap * 2 : 4;
        dv->parts = firn_realloc(dv->parts, firn_mul_size(dv->cap, sizeof *dv->parts));
    }
    memmove(&dv->parts[at + 1], &dv->parts[at], (dv->count - at) * sizeof *dv->parts);
    dv->parts[at] = (part){.key = key, .bitmap = bitmap};
    dv->count++;
}

/* The bitmap of `key`, made if need be; the caller adds something to it. */
static roaring_bitmap_t *bitmap_for(firn_dv *dv, uint32_t key)
{
    size_t at = lower_bound(dv, key);
    if (at == dv->count || dv->parts[at].key != key)
        insert_part(dv, at, key, or_abort(roaring_bitmap_create()));
    return dv->parts[at].bitmap;
}

/* ---- lifecycle ---- */

firn_dv *firn_dv_new(void)
{
    return firn_calloc(1, sizeof(firn_dv));
}

void firn_dv_free(firn_dv *dv)
{
    if (!dv)
        return;
    for (size_t i = 0; i < dv->count; i++)
        roaring_bitmap_free(dv->parts[i].bitmap);
    free(dv->parts);
    free(dv);
}

firn_dv *firn_dv_copy(const firn_dv *dv)
{
    firn_dv *copy = firn_dv_new();
    firn_dv_or(copy, dv);
    return copy;
}

/* ---- changing ---- */

static firn_rc check_position(uint64_t position, firn_err *err)
{
    if (position > FIRN_DV_POSITION_MAX) {
        FIRN_FAIL(err, FIRN_E_INVALID, "row position %llu is past the largest, %llu",
                  (unsigned long long)position, (unsigned long long)FIRN_DV_POSITION_MAX);
    }
    return FIRN_OK;
}

firn_rc firn_dv_add(firn_dv *dv, uint64_t position, firn_err *err)
{
    FIRN_TRY(check_position(position, err));
    roaring_bitmap_add(bitmap_for(dv, high(position)), low(position));
    return FIRN_OK;
}

firn_rc firn_dv_add_many(firn_dv *dv, const uint64_t *positions, size_t count, firn_err *err)
{
    roaring_bitmap_t *bitmap = NULL;
    uint32_t key = 0;
    for (size_t i = 0; i < count; i++) {
        FIRN_TRY(check_position(positions[i], err));
        if (!bitmap || high(positions[i]) != key) {
            key = high(positions[i]);
            bitmap = bitmap_for(dv, key);
        }
        roaring_bitmap_add(bitmap, low(positions[i]));
    }
    return FIRN_OK;
}

firn_rc firn_dv_add_range(firn_dv *dv, uint64_t from, uint64_t to, firn_err *err)
{
    if (from >= to)
        return FIRN_OK;
    FIRN_TRY(check_position(to - 1, err));
    if (to - from > RANGE_MAX) {
        FIRN_FAIL(err, FIRN_E_LIMIT, "a range of %llu row positions; the most is %llu",
                  (unsigned long long)(to - from), (unsigned long long)RANGE_MAX);
    }
    while (from < to) {
        uint64_t part_end = ((uint64_t)high(from) + 1) << 32;
        uint64_t end = to < part_end ? to : part_end;
        uint64_t low_end = end == part_end ? (uint64_t)1 << 32 : low(end);
        roaring_bitmap_add_range(bitmap_for(dv, high(from)), low(from), low_end);
        from = end;
    }
    return FIRN_OK;
}

void firn_dv_or(firn_dv *dv, const firn_dv *other)
{
    if (dv == other)
        return;
    for (size_t i = 0; i < other->count; i++) {
        const part *source = &other->parts[i];
        size_t at = lower_bound(dv, source->key);
        if (at < dv->count && dv->parts[at].key == source->key)
            roaring_bitmap_or_inplace(dv->parts[at].bitmap, source->bitmap);
        else
            insert_part(dv, at, source->key, or_abort(roaring_bitmap_copy(source->bitmap)));
    }
}

/* ---- asking ---- */

bool firn_dv_contains(const firn_dv *dv, uint64_t position)
{
    const part *found = find_part(dv, high(position));
    return found && roaring_bitmap_contains(found->bitmap, low(position));
}

uint64_t firn_dv_cardinality(const firn_dv *dv)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < dv->count; i++)
        sum += roaring_bitmap_get_cardinality(dv->parts[i].bitmap);
    return sum;
}

uint64_t firn_dv_rank(const firn_dv *dv, uint64_t position)
{
    uint64_t rank = 0;
    size_t i = 0;
    for (; i < dv->count && dv->parts[i].key < high(position); i++)
        rank += roaring_bitmap_get_cardinality(dv->parts[i].bitmap);
    bool inside = i < dv->count && dv->parts[i].key == high(position) && low(position) > 0;
    if (inside) /* CRoaring's rank counts the position itself */
        rank += roaring_bitmap_rank(dv->parts[i].bitmap, low(position) - 1);
    return rank;
}

bool firn_dv_max(const firn_dv *dv, uint64_t *position)
{
    if (dv->count == 0)
        return false;
    const part *last = &dv->parts[dv->count - 1];
    *position = (uint64_t)last->key << 32 | roaring_bitmap_maximum(last->bitmap);
    return true;
}

void firn_dv_each(const firn_dv *dv, bool (*visit)(void *ctx, uint64_t position), void *ctx)
{
    for (size_t i = 0; i < dv->count; i++) {
        uint64_t base = (uint64_t)dv->parts[i].key << 32;
        roaring_uint32_iterator_t it;
        roaring_init_iterator(dv->parts[i].bitmap, &it);
        for (; it.has_value; roaring_advance_uint32_iterator(&it)) {
            if (!visit(ctx, base | it.current_value))
                return;
        }
    }
}

void firn_dv_to_array(const firn_dv *dv, uint64_t *out)
{
    enum { CHUNK = 1024 };
    uint32_t chunk[CHUNK];
    for (size_t i = 0; i < dv->count; i++) {
        uint64_t base = (uint64_t)dv->parts[i].key << 32;
        roaring_uint32_iterator_t it;
        roaring_init_iterator(dv->parts[i].bitmap, &it);
        uint32_t n;
        while ((n = roaring_read_uint32_iterator(&it, chunk, CHUNK)) > 0) {
            for (uint32_t k = 0; k < n; k++)
                *out++ = base | chunk[k];
        }
    }
}

/* ---- writing ---- */

static void put_be32(firn_buf *out, uint32_t value)
{
    value = htobe32(value);
    firn_buf_append(out, &value, sizeof value);
}

static void put_le32(firn_buf *out, uint32_t value)
{
    value = htole32(value);
    firn_buf_append(out, &value, sizeof value);
}

/* CRoaring writes in the machine's byte order. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "portable roaring needs a little-endian machine");

static uint64_t optimise(firn_dv *dv)
{
    uint64_t size = 8;
    for (size_t i = 0; i < dv->count; i++) {
        roaring_bitmap_run_optimize(dv->parts[i].bitmap);
        size += 4 + roaring_bitmap_portable_size_in_bytes(dv->parts[i].bitmap);
    }
    return size;
}

firn_rc firn_dv_serialise(firn_dv *dv, firn_buf *out, firn_err *err)
{
    uint64_t vector_len = optimise(dv);
    if (vector_len > VECTOR_BYTES_MAX) {
        FIRN_FAIL(err, FIRN_E_LIMIT, "a deletion vector of %llu bytes; the most is %zu",
                  (unsigned long long)vector_len, VECTOR_BYTES_MAX);
    }
    put_be32(out, (uint32_t)(sizeof magic + vector_len));
    size_t start = out->len;
    firn_buf_append(out, magic, sizeof magic);
    uint64_t count = htole64(dv->count);
    firn_buf_append(out, &count, sizeof count);
    for (size_t i = 0; i < dv->count; i++) {
        put_le32(out, dv->parts[i].key);
        size_t size = roaring_bitmap_portable_size_in_bytes(dv->parts[i].bitmap);
        uint8_t *room = firn_buf_reserve(out, size);
        if (room)
            out->len += roaring_bitmap_portable_serialize(dv->parts[i].bitmap, (char *)room);
    }
    if (!out->overflow)
        put_be32(out, (uint32_t)crc32_z(0, out->data + start, out->len - start));
    if (out->overflow) {
        FIRN_FAIL(err, FIRN_E_LIMIT, "a deletion vector of %llu bytes does not fit its buffer",
                  (unsigned long long)vector_len);
    }
    return FIRN_OK;
}

/* ---- reading ---- */

static uint32_t get_be32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return be32toh(value);
}

static uint32_t get_le32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return le32toh(value);
}

/* The frame around the vector: length, magic, checksum. */
static firn_rc open_blob(firn_bytes blob, firn_bytes *vector, firn_err *err)
{
    if (blob.len < BLOB_FRAME_BYTES + sizeof(uint64_t)) {
        FIRN_FAIL(err, FIRN_E_CORRUPT, "damaged deletion vector: %zu bytes are too few for one",
                  blob.len);
    }
    uint32_t len = get_be32(blob.data);
    if (len != blob.len - 2 * sizeof(uint32_t)) {
        FIRN_FAIL(err, FIRN_E_CORRUPT,
                  "damaged deletion vector: it says %u bytes, but its blob has %zu", len,
                  blob.len - 2 * sizeof(uint32_t));
    }
    const uint8_t *body = blob.data + sizeof(uint32_t);
    if (memcmp(body, magic, sizeof magic) != 0)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "damaged deletion vector: no magic D1D33964 at its start");
    uint32_t want = get_be32(body + len);
    uint32_t have = (uint32_t)crc32_z(0, body, len);
    if (want != have) {
        FIRN_FAIL(err, FIRN_E_CORRUPT,
                  "damaged deletion vector: its checksum is %08x, the content's %08x", want, have);
    }
    *vector = firn_bytes_of(body + sizeof magic, len - sizeof magic);
    return FIRN_OK;
}

static firn_rc read_part(firn_dv *dv, firn_bytes *rest, firn_err *err)
{
    if (rest->len < sizeof(uint32_t))
        FIRN_FAIL(err, FIRN_E_CORRUPT, "damaged deletion vector: it ends early");
    uint32_t key = get_le32(rest->data);
    if (key > KEY_MAX || (dv->count > 0 && key <= dv->parts[dv->count - 1].key))
        FIRN_FAIL(err, FIRN_E_CORRUPT, "damaged deletion vector: its keys do not ascend");
    rest->data += sizeof key;
    rest->len -= sizeof key;

    size_t size;
    const char *fault = firn_roaring_check(*rest, &size);
    if (fault)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "damaged deletion vector: bitmap %u: %s", key, fault);
    roaring_bitmap_t *bitmap =
        roaring_bitmap_portable_deserialize_safe((const char *)rest->data, size);
    if (!bitmap)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "damaged deletion vector: bitmap %u is not readable", key);
    if (roaring_bitmap_is_empty(bitmap))
        roaring_bitmap_free(bitmap);
    else
        insert_part(dv, dv->count, key, bitmap);
    rest->data += size;
    rest->len -= size;
    return FIRN_OK;
}

firn_rc firn_dv_deserialise(firn_bytes blob, firn_dv **out, firn_err *err)
{
    firn_bytes rest;
    FIRN_TRY(open_blob(blob, &rest, err));
    uint64_t count;
    memcpy(&count, rest.data, sizeof count);
    count = le64toh(count);
    rest.data += sizeof count;
    rest.len -= sizeof count;
    if (count > rest.len / (sizeof(uint32_t) + BITMAP_BYTES_MIN)) {
        FIRN_FAIL(err, FIRN_E_CORRUPT,
                  "damaged deletion vector: %zu bytes cannot hold %llu bitmaps", rest.len,
                  (unsigned long long)count);
    }

    FIRN_AUTO_DV firn_dv *dv = firn_dv_new();
    for (uint64_t i = 0; i < count; i++)
        FIRN_TRY(read_part(dv, &rest, err));
    if (rest.len != 0)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "damaged deletion vector: %zu bytes after its last bitmap",
                  rest.len);
    *out = dv;
    dv = NULL;
    return FIRN_OK;
}
