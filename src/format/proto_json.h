/* Protobuf messages as JSON text, for what has no columns: Struct, Value, ListValue, Any, FieldMask and types that contain themselves. */
#ifndef FIRN_FORMAT_PROTO_JSON_H
#define FIRN_FORMAT_PROTO_JSON_H

#include "base/buf.h"
#include "proto_parse.h"
#include "proto_wire.h"

/* Protobuf's own mapping to JSON: lowerCamelCase names, 64-bit integers as strings, bytes as base64, enums by name. An Any whose type the
 * schema does not have keeps its bytes as "value". NULL, or why not; *limit tells a bound (depth, the buffer's maximum) from bytes that are
 * malformed. `scratch` may be reset by the caller afterwards. */
const char *firn_proto_json(firn_buf *out, firn_arena *scratch, const firn_proto_message *message,
                            firn_bytes data, bool *limit) FIRN_MUST_USE;

/* Pieces that columns use, too. */
typedef struct firn_proto_small {
    int64_t number[5]; /* of varint fields 1 to 4; the last of each, absent: 0 */
} firn_proto_small;
bool firn_proto_small_read(firn_bytes data, firn_proto_small *out); /* false: malformed */
bool firn_proto_duration_text(int64_t seconds, int64_t nanos, char out[static 40]);
bool firn_proto_timestamp_fits(int64_t seconds, int64_t nanos); /* years 1 to 9999 */
const char *firn_proto_enum_name(const firn_proto_enum *enumeration, int32_t number); /* or NULL */

#endif
