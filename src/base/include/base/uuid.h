/* UUIDs (RFC 9562) and random numbers from the kernel. */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include "base/str.h"

enum { FIRN_UUID_TEXT_BYTES = 37 };

void firn_uuid_v4(uint8_t out[16]);
void firn_uuid_v7(uint8_t out[16]);
void firn_uuid_format(const uint8_t uuid[16], char out[FIRN_UUID_TEXT_BYTES]);
bool firn_uuid_parse(const char *text, uint8_t out[16]);
char *firn_uuid_new(firn_arena *arena); /* v7 as text: sorts by time */
uint64_t firn_random_u64(void);
/* Positive, non-zero 63-bit id as Iceberg's snapshot ids. */
int64_t firn_random_id(void);

/* Deterministic generator for sample data and tests (xoshiro256**). */
typedef struct firn_rng {
    uint64_t s[4];
} firn_rng;
void firn_rng_init(firn_rng *rng, uint64_t seed);
uint64_t firn_rng_next(firn_rng *rng);
uint64_t firn_rng_below(firn_rng *rng, uint64_t bound); /* unbiased; bound > 0 */
double firn_rng_unit(firn_rng *rng);                    /* [0, 1) */

#endif
