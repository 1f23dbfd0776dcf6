/* Descriptors of Protobuf types as plain C structures, and the door to the one C++ file that makes them.
 *
 * libprotobuf's parser and linker do the reading: imports, scopes, options, defaults. What firn needs of the result is copied into
 * the arena; nothing of C++, neither types nor exceptions, gets past proto_parse.cc. This header is read by both languages.
 */
#ifndef FIRN_FORMAT_PROTO_PARSE_H
#define FIRN_FORMAT_PROTO_PARSE_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    FIRN_PROTO_TEXT_BYTES_MAX = 4 << 20, /* one file */
    FIRN_PROTO_MESSAGES_MAX = 1 << 14,   /* and enums, of a file and what it reaches */
    FIRN_PROTO_FIELDS_MAX = 1 << 16,     /* and enum values, in total */
};

/* As descriptor.proto numbers them. */
typedef enum firn_proto_type {
    FIRN_PROTO_DOUBLE = 1,
    FIRN_PROTO_FLOAT,
    FIRN_PROTO_INT64,
    FIRN_PROTO_UINT64,
    FIRN_PROTO_INT32,
    FIRN_PROTO_FIXED64,
    FIRN_PROTO_FIXED32,
    FIRN_PROTO_BOOL,
    FIRN_PROTO_STRING,
    FIRN_PROTO_GROUP,
    FIRN_PROTO_MESSAGE,
    FIRN_PROTO_BYTES,
    FIRN_PROTO_UINT32,
    FIRN_PROTO_ENUM,
    FIRN_PROTO_SFIXED32,
    FIRN_PROTO_SFIXED64,
    FIRN_PROTO_SINT32,
    FIRN_PROTO_SINT64,
} firn_proto_type;

/* Message types that are more than their fields. */
typedef enum firn_proto_well_known {
    FIRN_PROTO_PLAIN,
    FIRN_PROTO_TIMESTAMP,
    FIRN_PROTO_DURATION,
    FIRN_PROTO_WRAPPER, /* its one field's type says which */
    FIRN_PROTO_STRUCT,
    FIRN_PROTO_VALUE,
    FIRN_PROTO_LIST_VALUE,
    FIRN_PROTO_ANY,
    FIRN_PROTO_FIELD_MASK,
    FIRN_PROTO_DATE,
    FIRN_PROTO_TIME_OF_DAY,
    FIRN_PROTO_DECIMAL,           /* google.type: text */
    FIRN_PROTO_CONFLUENT_DECIMAL, /* two's complement with a scale */
} firn_proto_well_known;

typedef struct firn_proto_enum_value {
    const char *name;
    int32_t number;
} firn_proto_enum_value;

typedef struct firn_proto_enum {
    const char *name;
    const firn_proto_enum_value *values; /* by number; of several names the first */
    size_t n_values;
} firn_proto_enum;

struct firn_proto_message;

typedef struct firn_proto_field {
    const char *name;
    const char *json_name;
    uint32_t number;
    firn_proto_type type;
    bool repeated; /* maps, too */
    bool is_map;   /* `message` is the entry: key 1, value 2 */
    bool required;
    bool has_presence;
    bool has_default;         /* proto2: said so */
    int32_t oneof;            /* which of the message's; -1: none */
    int32_t precision, scale; /* confluent.field_meta; precision 0: none */
    struct firn_proto_message *message;
    const firn_proto_enum *enumeration;
    uint64_t
        default_bits; /* of scalars: an integer sign-extended, the bits of a float or double, an enum's number */
    const char *default_text; /* strings and bytes */
    size_t default_len;
} firn_proto_field;

typedef struct firn_proto_message {
    const char *name; /* full */
    firn_proto_well_known well_known;
    bool is_map_entry;
    int32_t n_oneofs;
    firn_proto_field *fields; /* in order of declaration; no groups, no extensions */
    size_t n_fields;
    firn_proto_field **by_number;       /* the same, sorted */
    struct firn_proto_message **nested; /* in order of declaration; map entries as the file says */
    size_t n_nested;
    const struct firn_proto_file *file;
} firn_proto_message;

typedef struct firn_proto_file {
    /* It came parsed: from a serializer that knows its types by descriptor only, and counts the entry types of maps when it says the
     * position of a nested one. Those that know the text do not. */
    bool counts_entries;
    firn_proto_message **messages; /* top level, in order of declaration */
    size_t n_messages;
    firn_proto_message **all; /* these, what is nested in them, and what their fields reach */
    size_t n_all;
} firn_proto_file;

typedef struct firn_proto_source {
    const char *text; /* or a FileDescriptorProto in base64; imports, too */
    /* An import's text, NULL: there is none. google/protobuf/ is asked for only here and found inside otherwise. */
    const char *(*find)(const void *ctx, const char *name);
    const void *ctx;
} firn_proto_source;

#ifdef __cplusplus
extern "C" {
#endif
firn_rc firn_proto_parse_source(firn_arena *arena, const firn_proto_source *source,
                                firn_proto_file **out, firn_err *err) FIRN_MUST_USE;
/* proto_schema.c: base64, `out` having room for strlen(text) / 4 * 3 + 2 bytes. */
bool firn_proto_unpack(const char *text, uint8_t *out, size_t *out_len);
#ifdef __cplusplus
}
#endif

#endif
