/* What stands before a payload, or beside it: which schema it was written with.
 *
 *   in the payload       byte 0, then the schema's id, 4 bytes, big-endian
 *                        byte 1, then the schema's guid, 16 bytes, as the digits of its text
 *   in a header          the same bytes as the value of "__value_schema_id" or "__key_schema_id"; the payload then has no frame
 *   Protobuf, behind it  the way to the message type within the file: a zigzag varint n, then n of them, each the position of a
 *                        message type, the later ones inside the one before; a single 0 stands for [0], the first message
 */
#ifndef FIRN_SOURCE_FRAME_H
#define FIRN_SOURCE_FRAME_H

#include "base/str.h"
#include "source/kafka.h"

enum { FIRN_FRAME_PATH_MAX = 64 };

typedef enum firn_frame_kind { FIRN_FRAME_NONE, FIRN_FRAME_ID, FIRN_FRAME_GUID } firn_frame_kind;

typedef struct firn_frame {
    firn_frame_kind kind;
    int32_t id;
    uint8_t guid[16];
    firn_bytes
        header; /* what follows the id in the header; data NULL: the frame was in the payload */
    firn_bytes payload; /* without id; Protobuf's path is still before it, or in `header` */
} firn_frame;

/* The header that names the schema of the value (or key), or NULL. */
const firn_kafka_header *firn_frame_header(const firn_kafka_header *headers, size_t n, bool key);
/* `header` nullable. CORRUPT: there is neither of the magic bytes, or it is cut off. */
firn_rc firn_frame_read(firn_bytes payload, const firn_kafka_header *header, firn_frame *out,
                        firn_err *err) FIRN_MUST_USE;
/* Takes Protobuf's path off. *n is at least 1. */
firn_rc firn_frame_path(firn_frame *frame, int32_t path[FIRN_FRAME_PATH_MAX], size_t *n,
                        firn_err *err) FIRN_MUST_USE;

#endif
