/* Is this a well-formed portable 32-bit roaring bitmap? Asked before CRoaring reads one, because CRoaring before 2.0
 * takes headers and containers as they come and crashes or miscounts later.
 *
 *   no runs:   uint32 LE cookie 12346, uint32 LE container count
 *   runs:      uint32 LE 12347 | (container count - 1) << 16, then a bit per container: is it of runs
 *   header:    per container uint16 LE key (ascending strictly), uint16 LE cardinality - 1
 *   offsets:   uint32 LE per container, from the bitmap's start; absent with runs and fewer than 4 containers
 *   container: runs: uint16 LE count, then per run uint16 LE start and length - 1, apart and ascending;
 *              else up to 4096 values: uint16 LE each, ascending strictly; else 8192 bytes of bits
 */
#ifndef FIRN_FORMAT_ROARING_CHECK_H
#define FIRN_FORMAT_ROARING_CHECK_H

#include "base/str.h"

/* NULL and the bitmap's size when fine (bytes may follow it), else what is wrong. */
const char *firn_roaring_check(firn_bytes bytes, size_t *size);

#endif
