/* MurmurHash3_x86_32 (Austin Appleby, public domain), the hash behind Iceberg's bucket transform (spec,
 * Appendix B: seed 0). Whoever hashes a value chooses its bytes: this is the plain function over them.
 */
#ifndef FORMAT_MURMUR3_H
#define FORMAT_MURMUR3_H

#include <stddef.h>
#include <stdint.h>

uint32_t firn_murmur3_x86_32(const void *data, size_t len, uint32_t seed);

#endif
