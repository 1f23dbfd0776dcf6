/* MurmurHash3_x86_32, after Austin Appleby's public-domain reference. */
#include "format/murmur3.h"

#include <endian.h>
#include <string.h>

static uint32_t rotl(uint32_t value, int bits)
{
    return value << bits | value >> (32 - bits);
}

static uint32_t mix_block(uint32_t block)
{
    return rotl(block * 0xCC9E2D51u, 15) * 0x1B873593u;
}

uint32_t firn_murmur3_x86_32(const void *data, size_t len, uint32_t seed)
{
    const uint8_t *bytes = data;
    uint32_t hash = seed;

    for (size_t i = 0; i < len / 4; i++) {
        uint32_t block;
        memcpy(&block, bytes + i * 4, sizeof block);
        hash = rotl(hash ^ mix_block(le32toh(block)), 13) * 5 + 0xE6546B64u;
    }

    uint32_t tail = 0;
    for (size_t i = len & ~(size_t)3, shift = 0; i < len; i++, shift += 8)
        tail |= (uint32_t)bytes[i] << shift;
    hash ^= mix_block(tail);

    hash ^= (uint32_t)len;
    hash = (hash ^ hash >> 16) * 0x85EBCA6Bu;
    hash = (hash ^ hash >> 13) * 0xC2B2AE35u;
    return hash ^ hash >> 16;
}
