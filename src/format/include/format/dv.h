/* Deletion vectors: sets of deleted row positions of one data file, and the Puffin blob `deletion-vector-v1` that
 * stores them (Iceberg Puffin spec):
 *
 *   uint32 big-endian  length of magic + vector
 *   D1 D3 39 64        magic
 *   vector             64-bit roaring, portable: uint64 LE count of bitmaps, then per bitmap, ascending, uint32 LE
 *                      key (high half of the positions) and a portable 32-bit roaring bitmap
 *   uint32 big-endian  CRC-32 of magic + vector
 *
 * Heap objects; one thread at a time, or many that only read.
 */
#ifndef FORMAT_DV_H
#define FORMAT_DV_H

#include "base/buf.h"

typedef struct firn_dv firn_dv;

/* Positions are row numbers: the high half of a position fits 31 bits and is not the last of them, as in Java. */
#define FIRN_DV_POSITION_MAX ((uint64_t)0x7FFFFFFE80000000)
#define FIRN_DV_BLOB_TYPE    "deletion-vector-v1"
/* Property names that the blob's metadata must carry. */
#define FIRN_DV_PROPERTY_DATA_FILE   "referenced-data-file"
#define FIRN_DV_PROPERTY_CARDINALITY "cardinality"

firn_dv *firn_dv_new(void);
void firn_dv_free(firn_dv *dv); /* NULL is fine */
firn_dv *firn_dv_copy(const firn_dv *dv);

/* INVALID past FIRN_DV_POSITION_MAX. */
firn_rc firn_dv_add(firn_dv *dv, uint64_t position, firn_err *err) FIRN_MUST_USE;
firn_rc firn_dv_add_many(firn_dv *dv, const uint64_t *positions, size_t count,
                         firn_err *err) FIRN_MUST_USE;
/* [from, to); nothing when from >= to. LIMIT when the range spans more than 2^36 positions. */
firn_rc firn_dv_add_range(firn_dv *dv, uint64_t from, uint64_t to, firn_err *err) FIRN_MUST_USE;
void firn_dv_or(firn_dv *dv, const firn_dv *other); /* dv becomes the union */

bool firn_dv_contains(const firn_dv *dv, uint64_t position);
uint64_t firn_dv_cardinality(const firn_dv *dv);
/* How many positions are below `position`. */
uint64_t firn_dv_rank(const firn_dv *dv, uint64_t position);
bool firn_dv_max(const firn_dv *dv, uint64_t *position); /* false when empty */

/* Write all positions in ascending order to `out`, which has room for firn_dv_cardinality(dv) of them. A blob of a few
 * hundred kilobytes may stand for 2^32 positions: compare the cardinality with the data file's row count first. */
void firn_dv_to_array(const firn_dv *dv, uint64_t *out);
/* Call visit(ctx, position) in ascending order until it gives false. */
void firn_dv_each(const firn_dv *dv, bool (*visit)(void *ctx, uint64_t position), void *ctx);

/* Append the blob; runs are encoded as such where that is smaller. LIMIT if it would not fit 2 GiB or `out`. */
firn_rc firn_dv_serialise(firn_dv *dv, firn_buf *out, firn_err *err) FIRN_MUST_USE;

/* Read a blob. Trusts nothing: CORRUPT for a wrong length, magic, checksum, or a bitmap that breaks any rule of
 * the roaring format. The caller frees `*out`. */
firn_rc firn_dv_deserialise(firn_bytes blob, firn_dv **out, firn_err *err) FIRN_MUST_USE;

static inline void firn_dv_auto(firn_dv **dv)
{
    firn_dv_free(*dv);
}
#define FIRN_AUTO_DV __attribute__((cleanup(firn_dv_auto)))

#endif
