/* Message types and columns into plans (proto_plan.h). */
#include "proto_plan.h"

#include "base/map.h"

#include <stdlib.h>

typedef struct planner {
    firn_arena *arena;
    firn_imap *enums; /* by address: names of small numbers */
    size_t n_notes;   /* the most that any path takes */
    firn_err *err;
} planner;

static uint8_t wire_of(firn_proto_type type)
{
    switch (type) {
    case FIRN_PROTO_DOUBLE:
    case FIRN_PROTO_FIXED64:
    case FIRN_PROTO_SFIXED64: return FIRN_WIRE_I64;
    case FIRN_PROTO_FLOAT:
    case FIRN_PROTO_FIXED32:
    case FIRN_PROTO_SFIXED32: return FIRN_WIRE_I32;
    case FIRN_PROTO_STRING:
    case FIRN_PROTO_BYTES:
    case FIRN_PROTO_MESSAGE: return FIRN_WIRE_LEN;
    default: return FIRN_WIRE_VARINT;
    }
}

static const firn_bytes *enum_names(planner *p, const firn_proto_enum *enumeration)
{
    int64_t key = (int64_t)(intptr_t)enumeration;
    firn_bytes *names = firn_imap_get(p->enums, key);
    if (names)
        return names;
    names = FIRN_NEW_N(p->arena, firn_bytes, FIRN_ENUM_NAMES_MAX);
    for (size_t i = 0; i < enumeration->n_values; i++) {
        int32_t number = enumeration->values[i].number;
        if (number >= 0 && number < FIRN_ENUM_NAMES_MAX)
            names[number] = firn_bytes_str(enumeration->values[i].name);
    }
    (void)firn_imap_put(p->enums, key, names);
    return names;
}

static uint8_t message_op(const firn_proto_field *field, const firn_avro_column *column)
{
    switch (field->message->well_known) {
    case FIRN_PROTO_TIMESTAMP: return FIRN_SLOT_TIMESTAMP;
    case FIRN_PROTO_DURATION: return FIRN_SLOT_DURATION;
    case FIRN_PROTO_DATE: return FIRN_SLOT_DATE;
    case FIRN_PROTO_TIME_OF_DAY: return FIRN_SLOT_TIME;
    case FIRN_PROTO_WRAPPER: return FIRN_SLOT_WRAPPER;
    case FIRN_PROTO_DECIMAL: return FIRN_SLOT_TEXT;
    case FIRN_PROTO_CONFLUENT_DECIMAL:
        return column->type == FIRN_AVRO_COL_STRING ? FIRN_SLOT_DECIMAL_TEXT : FIRN_SLOT_DECIMAL;
    case FIRN_PROTO_PLAIN: break;
    default: return FIRN_SLOT_JSON;
    }
    if (column->type == FIRN_AVRO_COL_BOOL)
        return FIRN_SLOT_PRESENCE;
    return column->type == FIRN_AVRO_COL_STRING ? FIRN_SLOT_JSON : FIRN_SLOT_RECORD;
}

/* The type of column that an operation stores into. */
static firn_avro_column_type stored_as(uint8_t op, uint8_t inner)
{
    switch (op == FIRN_SLOT_WRAPPER ? inner : op) {
    case FIRN_PROTO_BOOL:
    case FIRN_SLOT_PRESENCE: return FIRN_AVRO_COL_BOOL;
    case FIRN_PROTO_FLOAT: return FIRN_AVRO_COL_FLOAT;
    case FIRN_PROTO_DOUBLE: return FIRN_AVRO_COL_DOUBLE;
    case FIRN_PROTO_INT32:
    case FIRN_PROTO_SINT32:
    case FIRN_PROTO_SFIXED32:
    case FIRN_SLOT_DATE: return FIRN_AVRO_COL_INT32;
    case FIRN_PROTO_INT64:
    case FIRN_PROTO_SINT64:
    case FIRN_PROTO_SFIXED64:
    case FIRN_PROTO_UINT32:
    case FIRN_PROTO_FIXED32:
    case FIRN_SLOT_TIME:
    case FIRN_SLOT_TIMESTAMP: return FIRN_AVRO_COL_INT64;
    case FIRN_PROTO_UINT64:
    case FIRN_PROTO_FIXED64:
    case FIRN_SLOT_DECIMAL: return FIRN_AVRO_COL_DECIMAL128;
    case FIRN_PROTO_BYTES: return FIRN_AVRO_COL_BYTES;
    case FIRN_SLOT_RECORD: return FIRN_AVRO_COL_STRUCT;
    default: return FIRN_AVRO_COL_STRING;
    }
}

static firn_rc make_plan(planner *p, const firn_proto_message *message,
                         const firn_avro_column *column, size_t notes_at,
                         const firn_proto_plan **out);

/* The schema names types as Avro does, where two packages can be made to clash; then columns are another type's. */
static firn_rc misshapen(planner *p, const firn_proto_message *message)
{
    FIRN_FAIL(p->err, FIRN_E_UNSUPPORTED,
              "Protobuf message %s cannot be told from another type of the schema by its name",
              message->name);
}

static firn_rc make_slot(planner *p, const firn_proto_message *message,
                         const firn_proto_field *field, const firn_avro_column *column,
                         size_t notes_at, firn_proto_slot *out)
{
    bool is_key = message->is_map_entry && field->number == 1;
    if (field->repeated) {
        if (column->type != (field->is_map ? FIRN_AVRO_COL_MAP : FIRN_AVRO_COL_LIST))
            return misshapen(p, message);
        column = &column->children[0];
    }
    out->wire = wire_of(field->type);
    out->tag = out->packed_tag = field->number << 3 | out->wire;
    if (field->repeated && out->wire != FIRN_WIRE_LEN)
        out->packed_tag = field->number << 3 | FIRN_WIRE_LEN;
    out->field = field;
    out->repeated = field->repeated;
    out->is_map = field->is_map;
    out->required = field->required;
    out->nullable = column->nullable;
    out->oneof = field->oneof;
    if (field->is_map) {
        out->op = FIRN_SLOT_RECORD;
        return make_plan(p, field->message, column, notes_at, &out->plan);
    }
    out->op = field->message ? message_op(field, column) : (uint8_t)field->type;
    if (out->op == FIRN_SLOT_WRAPPER)
        out->inner = (uint8_t)field->message->fields[0].type;
    if (column->type != (is_key ? FIRN_AVRO_COL_STRING : stored_as(out->op, out->inner)))
        return misshapen(p, message);
    if (field->enumeration)
        out->enum_names = enum_names(p, field->enumeration);
    if (out->op == FIRN_SLOT_RECORD)
        return make_plan(p, field->message, column, notes_at, &out->plan);
    return FIRN_OK;
}

static int by_tag(const void *a, const void *b)
{
    const firn_proto_slot *x = a;
    const firn_proto_slot *y = b;
    return (x->tag > y->tag) - (x->tag < y->tag);
}

static void index_slots(planner *p, firn_proto_plan *plan)
{
    if (plan->n_slots == 0)
        return;
    size_t dense = 2 * plan->n_slots + 64;
    size_t last = plan->slots[plan->n_slots - 1].tag >> 3;
    plan->n_by_number = last < dense ? last + 1 : dense;
    uint32_t *by_number = FIRN_NEW_N(p->arena, uint32_t, plan->n_by_number);
    for (size_t i = 0; i < plan->n_slots; i++) {
        if (plan->slots[i].tag >> 3 < plan->n_by_number)
            by_number[plan->slots[i].tag >> 3] = (uint32_t)i + 1;
    }
    plan->by_number = by_number;
}

static firn_rc make_plan(planner *p, const firn_proto_message *message,
                         const firn_avro_column *column, size_t notes_at,
                         const firn_proto_plan **out)
{
    if (column->type != FIRN_AVRO_COL_STRUCT || column->child_count != message->n_fields)
        return misshapen(p, message);
    firn_proto_plan *plan = FIRN_NEW(p->arena, firn_proto_plan);
    firn_proto_slot *slots = FIRN_NEW_N(p->arena, firn_proto_slot, message->n_fields + 1);
    plan->message = message;
    plan->n_slots = message->n_fields;
    plan->notes_at = notes_at;
    size_t notes_end = notes_at + message->n_fields + (size_t)message->n_oneofs;
    if (notes_end > p->n_notes)
        p->n_notes = notes_end;
    for (size_t i = 0; i < message->n_fields; i++) {
        slots[i].column = i;
        FIRN_TRY(
            make_slot(p, message, &message->fields[i], &column->children[i], notes_end, &slots[i]));
    }
    qsort(slots, message->n_fields, sizeof *slots, by_tag);
    plan->slots = slots;
    index_slots(p, plan);
    *out = plan;
    return FIRN_OK;
}

firn_rc firn_proto_plan_make(firn_arena *arena, const firn_proto_message *message,
                             const firn_avro_column *column, const firn_proto_plan **out,
                             size_t *n_notes, firn_err *err)
{
    planner p = {.arena = arena, .enums = firn_imap_new(arena), .err = err};
    FIRN_TRY(make_plan(&p, message, column, 0, out));
    *n_notes = p.n_notes;
    return FIRN_OK;
}
