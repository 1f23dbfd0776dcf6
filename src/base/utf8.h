/* UTF-8 decoding shared by the files of base/. */
#ifndef BASE_UTF8_PRIVATE_H
#define BASE_UTF8_PRIVATE_H

#include "base/str.h"

/* Decode the sequence at the start of `text` (len > 0): its length in bytes and its code point, or 0 when
 * the bytes there are no valid UTF-8 (truncated, overlong, a surrogate, above U+10FFFF). */
size_t firn_utf8_decode(firn_bytes text, uint32_t *code_point);

#endif
