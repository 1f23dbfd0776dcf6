/*
 * proto_wire_fuzz.c - Protobuf's wire format: the first byte picks the message type, the rest is decoded as one of it.
 *
 * Besides not crashing: a failure leaves the batch as it was, the same bytes decode again, and what fits once fits twice over, because two
 * messages one behind the other are their merger.
 */
#include "base/arena.h"
#include "format/protobuf.h"

#include <stdlib.h>

enum { BATCH_BYTES_MAX = 32 << 20, TYPES = 7 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const schema =
    "syntax = \"proto2\"; package f;"
    "import \"google/protobuf/any.proto\"; import \"google/protobuf/duration.proto\";"
    "import \"google/protobuf/empty.proto\"; import \"google/protobuf/field_mask.proto\";"
    "import \"google/protobuf/struct.proto\"; import \"google/protobuf/timestamp.proto\";"
    "import \"google/protobuf/wrappers.proto\"; import \"google/type/date.proto\";"
    "import \"google/type/timeofday.proto\"; import \"google/type/decimal.proto\";"
    "import \"confluent/type/decimal.proto\"; import \"confluent/meta.proto\";"
    "enum E { A = 0; B = 1; C = -7; D = 1000; }"
    "message Scalars { optional double a = 1; optional float b = 2; optional int32 c = 3;"
    " optional int64 d = 4; optional uint32 e = 5; optional uint64 f = 6; optional sint32 g = 7;"
    " optional sint64 h = 8; optional fixed32 i = 9; optional fixed64 j = 10;"
    " optional sfixed32 k = 11; optional sfixed64 l = 12; optional bool m = 13;"
    " optional string n = 14; optional bytes o = 15; optional E p = 16 [default = D]; }"
    "message Lists { repeated double a = 1 [packed = true]; repeated int32 b = 2;"
    " repeated sint64 c = 3 [packed = true]; repeated string d = 4; repeated E e = 5;"
    " repeated Scalars f = 6; repeated bool g = 7; repeated google.protobuf.Timestamp h = 8; }"
    "message Maps { map<string, int32> a = 1; map<sint32, Scalars> b = 2; map<bool, bytes> c = 3;"
    " map<uint64, google.type.Date> d = 4; map<fixed32, google.protobuf.Value> e = 5; }"
    "message Nested { optional Lists a = 1; oneof o { string b = 2; Maps c = 3; int32 d = 4; }"
    " optional group G = 5 { optional int32 x = 1; } optional sint32 far = 70000; }"
    "message Known { optional google.protobuf.Timestamp a = 1;"
    " optional google.protobuf.Duration b = 2; optional google.protobuf.UInt64Value c = 3;"
    " optional google.protobuf.StringValue d = 4; optional google.protobuf.Struct e = 5;"
    " optional google.protobuf.Any f = 6; optional google.protobuf.FieldMask g = 7;"
    " optional google.protobuf.Empty h = 8; optional google.type.Date i = 9;"
    " optional google.type.TimeOfDay j = 10; optional google.type.Decimal k = 11;"
    " optional confluent.type.Decimal l = 12; optional confluent.type.Decimal m = 13"
    " [(confluent.field_meta) = {params: [{key: \"precision\", value: \"9\"},"
    " {key: \"scale\", value: \"3\"}]}]; }"
    "message Tree { optional Tree a = 1; repeated Tree b = 2; oneof o { string c = 3; Tree d = 4; }"
    " map<string, Tree> e = 5; repeated float f = 6; optional Known g = 7; optional Scalars h = 8; }"
    "message All { required int32 a = 1; optional Nested b = 2; optional Known c = 3;"
    " optional Tree d = 4; }";

/* For the program's life. */
static firn_arena *arena;
static firn_proto_decoder *decoders[TYPES];

static void prepare(void)
{
    arena = firn_arena_new();
    firn_err err;
    firn_proto_file *file;
    firn_avro_decoder_opts opts = {.batch_bytes_max = BATCH_BYTES_MAX};
    if (firn_proto_parse(arena, schema, NULL, 0, &file, &err) != FIRN_OK)
        abort();
    for (int32_t i = 0; i < TYPES; i++) {
        const firn_proto_message *message;
        if (firn_proto_by_index(file, &i, 1, &message, &err) != FIRN_OK ||
            firn_proto_decoder_new(arena, message, &opts, &decoders[i], &err) != FIRN_OK)
            abort();
    }
}

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (!decoders[0])
        prepare();
    firn_err err;
    const firn_proto_decoder *decoder = decoders[data[0] % TYPES];
    firn_bytes message = firn_bytes_of(data + 1, size - 1);
    FIRN_AUTO_AVRO_BATCH firn_avro_batch *batch =
        firn_avro_batch_new(firn_proto_decoder_shape(decoder));
    const firn_avro_column *root = firn_avro_batch_root(batch);

    firn_rc first = firn_proto_decoder_decode(decoder, message, batch, &err);
    int64_t rows = first == FIRN_OK;
    require(root->length == rows);
    firn_rc again = firn_proto_decoder_decode(decoder, message, batch, &err);
    require(again == first || again == FIRN_E_LIMIT);
    rows += again == FIRN_OK;
    require(root->length == rows);

    FIRN_AUTO_BUF firn_buf twice = {0};
    firn_buf_append(&twice, message.data, message.len);
    firn_buf_append(&twice, message.data, message.len);
    again = firn_proto_decoder_decode(decoder, firn_buf_bytes(&twice), batch, &err);
    require(first != FIRN_OK || again == FIRN_OK || again == FIRN_E_LIMIT);
    rows += again == FIRN_OK;

    struct ArrowArray array;
    firn_avro_batch_arrow_array(batch, &array);
    require(array.length == rows);
    array.release(&array);
    return 0;
}
