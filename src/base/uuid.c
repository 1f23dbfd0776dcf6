/* UUIDs (RFC 9562), kernel randomness, and the deterministic generator xoshiro256** (Blackman, Vigna). */
#include "base/uuid.h"

#include "base/time.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

/* Without randomness names would collide and overwrite data: there is no going on. */
static void random_fill(void *out, size_t len)
{
    uint8_t *p = out;
    while (len > 0) {
        ssize_t got = getrandom(p, len, 0);
        if (got < 0 && errno != EINTR) {
            perror("firn: the kernel gives no random numbers");
            abort();
        }
        if (got > 0) {
            p += got;
            len -= (size_t)got;
        }
    }
}

static void set_version(uint8_t uuid[16], uint8_t version)
{
    uuid[6] = (uint8_t)(version << 4 | (uuid[6] & 0x0F));
    uuid[8] = 0x80 | (uuid[8] & 0x3F);
}

void firn_uuid_v4(uint8_t out[16])
{
    random_fill(out, 16);
    set_version(out, 4);
}

void firn_uuid_v7(uint8_t out[16])
{
    random_fill(out, 16);
    uint64_t ms = (uint64_t)firn_now_ms();
    for (int i = 0; i < 6; i++) {
        out[i] = (uint8_t)(ms >> (40 - 8 * i));
    }
    set_version(out, 7);
}

static bool dash_before(int byte)
{
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

void firn_uuid_format(const uint8_t uuid[16], char out[FIRN_UUID_TEXT_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < 16; i++) {
        if (dash_before(i)) {
            *out++ = '-';
        }
        *out++ = digits[uuid[i] >> 4];
        *out++ = digits[uuid[i] & 15];
    }
    *out = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool firn_uuid_parse(const char *text, uint8_t out[16])
{
    uint8_t uuid[16];
    for (int i = 0; i < 16; i++) {
        if (dash_before(i) && *text++ != '-') {
            return false;
        }
        int high = hex_value(text[0]);
        int low = high >= 0 ? hex_value(text[1]) : -1;
        if (low < 0) {
            return false;
        }
        uuid[i] = (uint8_t)(high << 4 | low);
        text += 2;
    }
    if (*text != '\0') {
        return false;
    }
    memcpy(out, uuid, sizeof(uuid));
    return true;
}

char *firn_uuid_new(firn_arena *arena)
{
    uint8_t uuid[16];
    firn_uuid_v7(uuid);
    char *text = firn_arena_alloc(arena, FIRN_UUID_TEXT_BYTES);
    firn_uuid_format(uuid, text);
    return text;
}

uint64_t firn_random_u64(void)
{
    uint64_t value;
    random_fill(&value, sizeof(value));
    return value;
}

int64_t firn_random_id(void)
{
    int64_t id;
    do {
        id = (int64_t)(firn_random_u64() & INT64_MAX);
    } while (id == 0);
    return id;
}

static uint64_t splitmix64(uint64_t *state)
{
    *state += 0x9E3779B97F4A7C15U;
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
}

void firn_rng_init(firn_rng *rng, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        rng->s[i] = splitmix64(&seed);
    }
}

static uint64_t rotate_left(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

uint64_t firn_rng_next(firn_rng *rng)
{
    uint64_t *s = rng->s;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

/* The low part of the 128-bit product tells the few draws that would favour some results (Lemire). */
uint64_t firn_rng_below(firn_rng *rng, uint64_t bound)
{
    uint64_t unfair = -bound % bound;
    unsigned __int128 product;
    do {
        product = (unsigned __int128)firn_rng_next(rng) * bound;
    } while ((uint64_t)product < unfair);
    return (uint64_t)(product >> 64);
}

double firn_rng_unit(firn_rng *rng)
{
    return (double)(firn_rng_next(rng) >> 11) * 0x1.0p-53;
}
