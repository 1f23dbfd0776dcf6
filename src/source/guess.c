/* Formats by looking. See guess.h. */
#include "source/guess.h"

#include "frame.h"

enum { FRAMED = FIRN_PAYLOAD_BYTES + 1, N_KINDS, LATEST_AGE_MS = 60000 };

typedef struct look {
    firn_registry *registry;
    firn_arena *arena;
    bool key;
    size_t count[N_KINDS];
    firn_guess *out;
} look;

static firn_payload payload_of(firn_schema_kind kind)
{
    return kind == FIRN_SCHEMA_AVRO   ? FIRN_PAYLOAD_AVRO
           : kind == FIRN_SCHEMA_JSON ? FIRN_PAYLOAD_JSON_SCHEMA
                                      : FIRN_PAYLOAD_PROTOBUF;
}

/* Without a frame. */
static firn_payload plain(firn_bytes bytes)
{
    size_t i = 0;
    while (i < bytes.len && strchr(" \t\r\n", bytes.data[i]) != NULL && bytes.data[i] != '\0') {
        i++;
    }
    if (i < bytes.len && bytes.data[i] == '{') {
        return FIRN_PAYLOAD_JSON;
    }
    bool text = firn_utf8_valid(bytes) && memchr(bytes.data, '\0', bytes.len) == NULL;
    return text ? FIRN_PAYLOAD_STRING : FIRN_PAYLOAD_BYTES;
}

static firn_rc ask(look *l, const firn_frame *frame, const firn_registered **out, firn_err *err)
{
    *out = NULL;
    firn_rc rc = frame->kind == FIRN_FRAME_ID
                     ? firn_registry_by_id(l->registry, frame->id, NULL, out, err)
                     : firn_registry_by_guid(l->registry, frame->guid, out, err);
    /* An id that the registry does not know may be no id at all. */
    return rc == FIRN_E_NOT_FOUND || rc == FIRN_E_CORRUPT || rc == FIRN_E_UNSUPPORTED ||
                   rc == FIRN_E_LIMIT
               ? FIRN_OK
               : rc;
}

static firn_rc look_at(look *l, const firn_kafka_message *message, firn_bytes bytes, firn_err *err)
{
    firn_kafka_header *headers = NULL;
    size_t n = 0;
    if (message->handle != NULL) {
        FIRN_TRY(firn_kafka_headers(message, l->arena, &headers, &n, err));
    }
    firn_frame frame = {0};
    const firn_kafka_header *header = firn_frame_header(headers, n, l->key);
    if (firn_frame_read(bytes, header, &frame, NULL) != FIRN_OK) {
        l->count[plain(bytes)]++;
        return FIRN_OK;
    }
    if (l->registry == NULL) {
        l->out->schema_id = frame.kind == FIRN_FRAME_ID ? frame.id : -1;
        l->count[FRAMED]++;
        return FIRN_OK;
    }
    const firn_registered *registered = NULL;
    FIRN_TRY(ask(l, &frame, &registered, err));
    if (registered == NULL) {
        l->count[plain(bytes)]++;
        return FIRN_OK;
    }
    l->count[payload_of(registered->kind)]++;
    l->out->schema_id = registered->id;
    l->out->subject = registered->subject;
    return FIRN_OK;
}

/* By the usual name of the subject: which version of it the id is. */
static firn_rc find_version(look *l, const char *topic, firn_err *err)
{
    const firn_registered *latest = NULL;
    const char *subject = firn_subject_name(l->arena, FIRN_SUBJECT_TOPIC, topic, NULL, l->key);
    firn_rc rc = firn_registry_latest(l->registry, subject, LATEST_AGE_MS, &latest, err);
    if (rc != FIRN_OK) {
        return rc == FIRN_E_NOT_FOUND || rc == FIRN_E_CORRUPT || rc == FIRN_E_UNSUPPORTED ? FIRN_OK
                                                                                          : rc;
    }
    l->out->subject = subject;
    l->out->version = latest->id == l->out->schema_id ? latest->version : 0;
    return FIRN_OK;
}

firn_rc firn_guess_messages(firn_registry *registry, firn_arena *arena,
                            const firn_kafka_message *messages, size_t n, bool key, firn_guess *out,
                            firn_err *err)
{
    *out = (firn_guess){.payload = FIRN_PAYLOAD_NONE, .schema_id = -1};
    look l = {.registry = registry, .arena = arena, .key = key, .out = out};
    for (size_t i = 0; i < n; i++) {
        firn_bytes bytes = key ? messages[i].key : messages[i].value;
        if (bytes.data != NULL) {
            out->seen++;
            FIRN_TRY(look_at(&l, &messages[i], bytes, err));
        }
    }
    size_t best = FIRN_PAYLOAD_NONE;
    for (size_t kind = FIRN_PAYLOAD_NONE; kind < N_KINDS; kind++) {
        best = l.count[kind] > l.count[best] ? kind : best;
    }
    out->framed = best == FRAMED;
    out->payload = out->framed ? FIRN_PAYLOAD_BYTES : (firn_payload)best;
    out->other = out->seen - l.count[best];
    bool by_registry = best == FIRN_PAYLOAD_AVRO || best == FIRN_PAYLOAD_JSON_SCHEMA ||
                       best == FIRN_PAYLOAD_PROTOBUF;
    if (!by_registry && !out->framed) {
        out->schema_id = -1;
        out->subject = NULL;
    }
    return by_registry ? find_version(&l, messages[0].topic, err) : FIRN_OK;
}
