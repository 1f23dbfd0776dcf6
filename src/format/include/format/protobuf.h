/* Protobuf messages into columns (format/avro_columns.h). The .proto text is parsed by libprotobuf behind a small C shim
 * (proto_parse.cc); the wire format is decoded here.
 *
 *   Protobuf                          column's type
 *   bool; float; double               boolean; float; double
 *   int32 sint32 sfixed32             int            uint32 fixed32          long
 *   int64 sint64 sfixed64             long           uint64 fixed64          decimal(20, 0)
 *   string; bytes; enum               string; bytes; string (its name; a number that has none: the number)
 *   message                           record         repeated, packed or not list           map<k, v>   map (keys as strings)
 *   google.protobuf.Timestamp         timestamp-micros, cut off        Duration            string ("1.500s", as in JSON)
 *   wrappers (StringValue...)         nullable scalar                  a message without fields   boolean: true where it is there
 *   google.type.Date, TimeOfDay       date, time-micros                google.type.Decimal        string
 *   confluent.type.Decimal            decimal, if the field's confluent.field_meta has precision and scale; else string
 *   Struct, Value, ListValue, Any, FieldMask: string of JSON, by Protobuf's own mapping. So is a message within itself
 *   oneof                             a nullable column per member
 *
 * Columns come in order of declaration. Fields with presence (optional, oneof, messages, proto2 without required) are nullable; absent they
 * are null, or what proto2's [default] says; proto3 scalars without presence hold their default. A Date of zeros is null. Groups,
 * extensions and unknown fields are passed over. A known field with another wire type than its own is CORRUPT: the schema is not
 * the writer's.
 */
#ifndef FORMAT_PROTOBUF_H
#define FORMAT_PROTOBUF_H

#include "format/avro_columns.h"

typedef struct firn_proto_file firn_proto_file;       /* parsed; in the arena */
typedef struct firn_proto_message firn_proto_message; /* one message type of it */

typedef struct firn_proto_import {
    const char *name; /* "shop/types.proto" */
    const char *text;
} firn_proto_import;
/* Texts are .proto files, or such a file parsed (a FileDescriptorProto in base64, as registries may give it). SYNTAX with line and column;
 * LIMIT. google/protobuf/, google/type/ and confluent/ imports are built in. */
firn_rc firn_proto_parse(firn_arena *arena, const char *text, const firn_proto_import *imports,
                         size_t n_imports, firn_proto_file **out, firn_err *err) FIRN_MUST_USE;
/* By full name, or by Confluent's index path ([1, 0]: the first nested type of the second). Entry types of maps count as a place where the
 * file came parsed, and do not where it came as text: so do those who write such paths. NOT_FOUND. */
firn_rc firn_proto_by_name(const firn_proto_file *file, const char *name,
                           const firn_proto_message **out, firn_err *err) FIRN_MUST_USE;
firn_rc firn_proto_by_index(const firn_proto_file *file, const int32_t *path, size_t n,
                            const firn_proto_message **out, firn_err *err) FIRN_MUST_USE;
const char *firn_proto_name(const firn_proto_message *message);
firn_rc firn_proto_avro(firn_arena *arena, const firn_proto_message *message,
                        const firn_avro_schema **out, firn_err *err) FIRN_MUST_USE;

typedef struct firn_proto_decoder firn_proto_decoder; /* immutable once made */
firn_rc firn_proto_decoder_new(firn_arena *arena, const firn_proto_message *message,
                               const firn_avro_decoder_opts *opts, firn_proto_decoder **out,
                               firn_err *err) FIRN_MUST_USE;
const firn_avro_decoder *firn_proto_decoder_shape(const firn_proto_decoder *decoder);
/* Append one message. On failure the batch is as it was: CORRUPT (field and byte), LIMIT. */
firn_rc firn_proto_decoder_decode(const firn_proto_decoder *decoder, firn_bytes data,
                                  firn_avro_batch *batch, firn_err *err) FIRN_MUST_USE;

#endif
