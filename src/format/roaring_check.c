/* The rules of the portable roaring format, one by one. See roaring_check.h. */
#include "roaring_check.h"

#include <endian.h>

enum {
    COOKIE_NO_RUNS = 12346,
    COOKIE_RUNS = 12347,
    CONTAINERS_MAX = 1 << 16,
    OFFSETS_WITH_RUNS_MIN = 4, /* containers from which a bitmap with runs has offsets */
    ARRAY_CARDINALITY_MAX = 4096,
    BITSET_BYTES = 8192,
};

typedef struct bitmap {
    firn_bytes bytes;
    size_t at; /* what has been checked */
    uint32_t container_count;
    const uint8_t *run_flags; /* NULL: no container is of runs */
    const uint8_t *header;
    const uint8_t *offsets; /* NULL: absent */
} bitmap;

static uint16_t get16(const uint8_t *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return le16toh(value);
}

static uint32_t get32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return le32toh(value);
}

/* The next `len` bytes, or NULL when they are not there. */
static const uint8_t *take(bitmap *b, size_t len)
{
    if (len > b->bytes.len - b->at)
        return NULL;
    const uint8_t *taken = b->bytes.data + b->at;
    b->at += len;
    return taken;
}

static const char *check_header(bitmap *b)
{
    const uint8_t *cookie = take(b, 4);
    if (!cookie)
        return "it ends within its cookie";
    if (get32(cookie) == COOKIE_NO_RUNS) {
        const uint8_t *count = take(b, 4);
        if (!count)
            return "it ends within its header";
        b->container_count = get32(count);
    } else if (get16(cookie) == COOKIE_RUNS) {
        b->container_count = (get32(cookie) >> 16) + 1;
        b->run_flags = take(b, (b->container_count + 7) / 8);
        if (!b->run_flags)
            return "it ends within its header";
    } else {
        return "it has no roaring cookie";
    }
    if (b->container_count > CONTAINERS_MAX)
        return "it has more than 65536 containers";

    b->header = take(b, (size_t)b->container_count * 4);
    if (!b->header)
        return "it ends within its header";
    if (!b->run_flags || b->container_count >= OFFSETS_WITH_RUNS_MIN) {
        b->offsets = take(b, (size_t)b->container_count * 4);
        if (!b->offsets)
            return "it ends within its offsets";
    }
    return NULL;
}

static const char *check_runs(bitmap *b, uint32_t cardinality)
{
    const uint8_t *count_at = take(b, 2);
    const uint8_t *runs = count_at ? take(b, (size_t)get16(count_at) * 4) : NULL;
    if (!runs)
        return "it ends within a run container";
    uint32_t sum = 0;
    uint32_t next_min = 0; /* runs that touch should have been one */
    for (uint32_t i = 0; i < get16(count_at); i++) {
        uint32_t start = get16(runs + i * 4);
        uint32_t length = get16(runs + i * 4 + 2) + 1u;
        if (start < next_min || start + length > 1 << 16)
            return "a run container whose runs overlap or do not ascend";
        next_min = start + length + 1;
        sum += length;
    }
    return sum == cardinality ? NULL : "a run container with another cardinality than it says";
}

static const char *check_array(bitmap *b, uint32_t cardinality)
{
    const uint8_t *values = take(b, (size_t)cardinality * 2);
    if (!values)
        return "it ends within an array container";
    for (uint32_t i = 1; i < cardinality; i++) {
        if (get16(values + i * 2) <= get16(values + (i - 1) * 2))
            return "an array container whose values do not ascend";
    }
    return NULL;
}

static const char *check_bitset(bitmap *b, uint32_t cardinality)
{
    const uint8_t *words = take(b, BITSET_BYTES);
    if (!words)
        return "it ends within a bitset container";
    uint32_t sum = 0;
    for (size_t i = 0; i < BITSET_BYTES; i += 8) {
        uint64_t word;
        memcpy(&word, words + i, sizeof word);
        sum += (uint32_t)__builtin_popcountll(word);
    }
    return sum == cardinality ? NULL : "a bitset container with another cardinality than it says";
}

static const char *check_container(bitmap *b, uint32_t i)
{
    uint32_t cardinality = get16(b->header + i * 4 + 2) + 1u;
    if (i > 0 && get16(b->header + i * 4) <= get16(b->header + (i - 1) * 4))
        return "its containers do not ascend";
    if (b->offsets && get32(b->offsets + i * 4) != b->at)
        return "an offset does not point at its container";
    if (b->run_flags && (b->run_flags[i / 8] >> (i % 8) & 1))
        return check_runs(b, cardinality);
    if (cardinality <= ARRAY_CARDINALITY_MAX)
        return check_array(b, cardinality);
    return check_bitset(b, cardinality);
}

const char *firn_roaring_check(firn_bytes bytes, size_t *size)
{
    bitmap b = {.bytes = bytes};
    const char *fault = check_header(&b);
    for (uint32_t i = 0; !fault && i < b.container_count; i++)
        fault = check_container(&b, i);
    *size = b.at;
    return fault;
}
