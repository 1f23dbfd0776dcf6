/* What is in these messages? Looked at, not promised: a frame whose schema the registry knows decides, then "{", then UTF-8.
 * Raw Avro and raw Protobuf look like any other bytes.
 */
#ifndef SOURCE_GUESS_H
#define SOURCE_GUESS_H

#include "source/decode.h"

typedef struct firn_guess {
    firn_payload payload; /* what most of them are; NONE: all are null */
    bool
        framed; /* a schema's id stands before them, but there is no registry to ask: `payload` is BYTES */
    int32_t schema_id;   /* of the last message that has one; -1: none */
    const char *subject; /* nullable */
    int32_t version;     /* 0: not known */
    size_t seen;         /* messages that are not null */
    size_t other;        /* of them, those of another format */
} firn_guess;

/* Keys or values of messages of one topic. registry nullable. Errors are the registry's: UNAVAILABLE, PERMISSION, CONFIG. */
firn_rc firn_guess_messages(firn_registry *registry, firn_arena *arena,
                            const firn_kafka_message *messages, size_t n, bool key, firn_guess *out,
                            firn_err *err) FIRN_MUST_USE;

#endif
