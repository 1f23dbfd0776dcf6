/* Names of the payload formats. */
#include "source/decode.h"

static const char *const NAMES[] = {
    [FIRN_PAYLOAD_NONE] = "none",         [FIRN_PAYLOAD_AUTO] = "auto",
    [FIRN_PAYLOAD_AVRO] = "avro",         [FIRN_PAYLOAD_JSON_SCHEMA] = "json_schema",
    [FIRN_PAYLOAD_PROTOBUF] = "protobuf", [FIRN_PAYLOAD_JSON] = "json",
    [FIRN_PAYLOAD_AVRO_RAW] = "avro_raw", [FIRN_PAYLOAD_PROTOBUF_RAW] = "protobuf_raw",
    [FIRN_PAYLOAD_STRING] = "string",     [FIRN_PAYLOAD_BYTES] = "bytes",
};
enum { N_NAMES = sizeof(NAMES) / sizeof(NAMES[0]) };

const char *firn_payload_name(firn_payload payload)
{
    return NAMES[payload];
}

bool firn_payload_parse(const char *name, firn_payload *out)
{
    for (size_t i = 0; i < N_NAMES; i++) {
        if (firn_streq(name, NAMES[i])) {
            *out = (firn_payload)i;
            return true;
        }
    }
    return false;
}
