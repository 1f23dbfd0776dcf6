/* How a message type fills its columns: compiled once by proto_plan.c, interpreted by proto_decode.c.
 *
 * A plan is a tree of the columns' shape: a message type that stands in two places has two plans. Its slots are its fields, sorted by
 * number, which is the order in which encoders write them. Each plan owns a range of the batch's scratch memory, one note per
 * slot and per oneof, that does not overlap with those of the plans above it.
 */
#ifndef FIRN_FORMAT_PROTO_PLAN_H
#define FIRN_FORMAT_PROTO_PLAN_H

#include "format/avro_columns.h"
#include "proto_parse.h"
#include "proto_wire.h"

/* Scalars go by firn_proto_type; the rest are these. */
typedef enum firn_slot_op {
    FIRN_SLOT_RECORD = 32,
    FIRN_SLOT_TIMESTAMP,
    FIRN_SLOT_DURATION,
    FIRN_SLOT_DATE,
    FIRN_SLOT_TIME,
    FIRN_SLOT_DECIMAL,      /* into decimal(p, s) */
    FIRN_SLOT_DECIMAL_TEXT, /* each with its own scale: text */
    FIRN_SLOT_TEXT,         /* google.type.Decimal: the text in field 1 */
    FIRN_SLOT_WRAPPER,      /* the value in field 1, by `inner` */
    FIRN_SLOT_PRESENCE,     /* a message without fields */
    FIRN_SLOT_JSON,
} firn_slot_op;

typedef struct firn_proto_plan firn_proto_plan;

typedef struct firn_proto_slot {
    uint32_t tag;        /* as it is expected */
    uint32_t packed_tag; /* the other form of a repeated scalar; else `tag` */
    uint8_t op;
    uint8_t inner;
    uint8_t wire; /* of one value */
    bool repeated, is_map, required, nullable;
    int32_t oneof;
    size_t column;
    const firn_proto_field *field;
    const firn_proto_plan *plan;  /* RECORD, and the entries of a map */
    const firn_bytes *enum_names; /* of the numbers 0 up to ENUM_NAMES_MAX; data NULL: none */
} firn_proto_slot;

enum { FIRN_ENUM_NAMES_MAX = 256 };

struct firn_proto_plan {
    const firn_proto_message *message;
    const firn_proto_slot *slots; /* and one more that fits no tag */
    size_t n_slots;
    const uint32_t *by_number; /* slot + 1 of the numbers below n_by_number; 0: none */
    size_t n_by_number;
    size_t notes_at;
};

/* What was seen of a slot's field in the message at hand. */
typedef struct firn_proto_note {
    const uint8_t *first; /* its first occurrence, from the tag on */
    const uint8_t *end;   /* of the last one */
    uint64_t value;       /* the last one's; LEN: the length */
    uint32_t count;
} firn_proto_note;

/* Columns of firn_proto_avro's schema for the message. *n_notes: what the scratch memory must hold. */
firn_rc firn_proto_plan_make(firn_arena *arena, const firn_proto_message *message,
                             const firn_avro_column *column, const firn_proto_plan **out,
                             size_t *n_notes, firn_err *err) FIRN_MUST_USE;

#endif
