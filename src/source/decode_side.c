/* From a payload to the codec that decodes it: by the feed's format, by the frame, by the registry. */
#include "base/uuid.h"
#include "columns.h"
#include "decode_private.h"

/* ---- set-up ----------------------------------------------------------------------------------- */

static bool is_framed(firn_payload payload)
{
    return payload == FIRN_PAYLOAD_AVRO || payload == FIRN_PAYLOAD_JSON_SCHEMA ||
           payload == FIRN_PAYLOAD_PROTOBUF;
}

static firn_rc declared_avro(firn_decoder *decoder, const firn_payload_options *options,
                             codec **out, firn_err *err)
{
    if (!options->schema)
        FIRN_FAIL(err, FIRN_E_CONFIG, "the format avro_raw needs the schema that was written with");
    const firn_bytes text = firn_bytes_str(options->schema);
    *out = firn_codec_avro(decoder, &text, 1, NULL);
    if ((*out)->kind == CODEC_BROKEN)
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s", (*out)->why.message);
    return FIRN_OK;
}

static firn_rc declared_json(firn_decoder *decoder, const firn_payload_options *options,
                             codec **out, firn_err *err)
{
    const char *text = options->schema + strspn(options->schema, " \t\r\n");
    if (*text == '{') {
        *out = firn_codec_json_schema(decoder, text, NULL, 0, NULL);
    } else {
        const firn_avro_schema *schema;
        firn_rc rc = firn_columns_parse(decoder->arena, text, &schema, err);
        if (rc != FIRN_OK)
            return firn_err_wrap(err, rc, "schema");
        *out = firn_codec_json(decoder, schema, NULL);
    }
    if ((*out)->kind == CODEC_BROKEN)
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s", (*out)->why.message);
    return FIRN_OK;
}

static firn_rc declared_protobuf(firn_decoder *decoder, const firn_payload_options *options,
                                 codec **out, firn_err *err)
{
    static const int32_t first[] = {0};
    firn_proto_file *file;
    const firn_proto_message *message;
    if (!options->schema)
        FIRN_FAIL(err, FIRN_E_CONFIG, "the format protobuf_raw needs the text of a .proto file");
    FIRN_TRY(firn_proto_parse(decoder->arena, options->schema, NULL, 0, &file, err));
    FIRN_TRY(options->message ? firn_proto_by_name(file, options->message, &message, err)
                              : firn_proto_by_index(file, first, 1, &message, err));
    *out = firn_codec_protobuf(decoder, message, NULL);
    if ((*out)->kind == CODEC_BROKEN)
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s", (*out)->why.message);
    return FIRN_OK;
}

firn_rc firn_side_init(firn_decoder *decoder, side *s, const firn_payload_options *options,
                       bool is_key, firn_err *err)
{
    *s = (side){.payload = options->payload, .is_key = is_key};
    if (is_framed(s->payload) && !decoder->options.registry) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "the format %s needs a schema registry: give the source one",
                  firn_payload_name(s->payload));
    }
    switch (s->payload) {
    case FIRN_PAYLOAD_STRING: s->fixed = firn_codec_text(decoder, true); break;
    case FIRN_PAYLOAD_BYTES: s->fixed = firn_codec_text(decoder, false); break;
    case FIRN_PAYLOAD_AVRO_RAW: return declared_avro(decoder, options, &s->fixed, err);
    case FIRN_PAYLOAD_AUTO:
        s->known = firn_arena_strdup(decoder->arena, options->known);
        if (is_key) /* keys that no serializer of a registry wrote are texts */
            s->fixed = firn_codec_text(decoder, true);
        break;
    case FIRN_PAYLOAD_NONE:
        if (!is_key)
            FIRN_FAIL(err, FIRN_E_CONFIG, "none is a format for keys only");
        break;
    case FIRN_PAYLOAD_JSON:
        s->known = firn_arena_strdup(decoder->arena, options->known);
        return options->schema ? declared_json(decoder, options, &s->fixed, err) : FIRN_OK;
    case FIRN_PAYLOAD_PROTOBUF_RAW: return declared_protobuf(decoder, options, &s->fixed, err);
    default: break;
    }
    return FIRN_OK;
}

/* ---- schemas of the registry ------------------------------------------------------------------ */

/* Whether an error of the registry speaks of this one schema. Anything else would fail the next message, too. */
static bool is_about_schema(firn_rc rc)
{
    return rc == FIRN_E_NOT_FOUND || rc == FIRN_E_LIMIT || rc == FIRN_E_UNSUPPORTED;
}

static const char *label_of(firn_arena *arena, const firn_frame *frame, const char *guid,
                            const char *subject)
{
    const char *name = frame->kind == FIRN_FRAME_ID
                           ? firn_arena_printf(arena, "schema id %d", frame->id)
                           : firn_arena_printf(arena, "schema guid %s", guid);
    return subject ? firn_arena_printf(arena, "%s (%s)", name, subject) : name;
}

static firn_rc find_schema(firn_decoder *decoder, const firn_frame *frame, known_schema **out,
                           firn_err *err)
{
    char guid[FIRN_UUID_TEXT_BYTES] = "";
    if (frame->kind == FIRN_FRAME_GUID)
        firn_uuid_format(frame->guid, guid);
    *out = frame->kind == FIRN_FRAME_ID ? firn_imap_get(decoder->by_id, frame->id)
                                        : firn_map_get(decoder->by_guid, guid);
    if (*out)
        return FIRN_OK;

    firn_registry *registry = decoder->options.registry;
    if (!registry)
        FIRN_FAIL(err, FIRN_E_NOT_FOUND,
                  "the payload names a schema, but the source has no schema registry");
    const firn_registered *registered;
    firn_rc rc = frame->kind == FIRN_FRAME_ID
                     ? firn_registry_by_id(registry, frame->id, NULL, &registered, err)
                     : firn_registry_by_guid(registry, frame->guid, &registered, err);
    decoder->stop = rc != FIRN_OK && !is_about_schema(rc);
    FIRN_TRY(rc);

    known_schema *s = FIRN_NEW(decoder->arena, known_schema);
    s->registered = registered;
    s->label = label_of(decoder->arena, frame, guid, registered->subject);
    if (frame->kind == FIRN_FRAME_ID)
        (void)firn_imap_put(decoder->by_id, frame->id, s);
    else
        (void)firn_map_put(decoder->by_guid, guid, s);
    *out = s;
    return FIRN_OK;
}

static firn_rc check_kind(const side *s, const known_schema *found, firn_err *err)
{
    static const firn_payload formats[] = {
        [FIRN_SCHEMA_AVRO] = FIRN_PAYLOAD_AVRO,
        [FIRN_SCHEMA_JSON] = FIRN_PAYLOAD_JSON_SCHEMA,
        [FIRN_SCHEMA_PROTOBUF] = FIRN_PAYLOAD_PROTOBUF,
    };
    firn_schema_kind kind = found->registered->kind;
    if (s->payload != FIRN_PAYLOAD_AUTO && s->payload != formats[kind]) {
        FIRN_FAIL(err, FIRN_E_TYPE, "%s is %s, but the feed's %sformat says %s", found->label,
                  firn_schema_kind_name(kind), s->is_key ? "key_" : "",
                  firn_payload_name(s->payload));
    }
    return FIRN_OK;
}

/* Protobuf: the file is parsed once, its message types get codecs as they are met. */
static firn_rc resolve_message(firn_decoder *decoder, known_schema *found, firn_frame *frame,
                               codec **out, firn_err *err)
{
    int32_t path[FIRN_FRAME_PATH_MAX];
    size_t n;
    firn_rc rc = firn_frame_path(frame, path, &n, err);
    if (rc != FIRN_OK)
        return firn_err_wrap(err, rc, "%s", found->label);
    bool is_first = n == 1 && path[0] == 0;
    if (is_first && found->codec) {
        *out = found->codec;
        return FIRN_OK;
    }
    if (!found->by_path) {
        const firn_registered *registered = found->registered;
        found->by_path = firn_map_new(decoder->arena);
        if (firn_proto_parse(decoder->arena, registered->text,
                             firn_proto_imports(decoder->arena, registered),
                             registered->n_references, &found->file, &found->why) != FIRN_OK)
            found->file = NULL;
    }
    if (!found->file) {
        found->codec = firn_codec_broken(decoder, &found->why, found->label);
        *out = found->codec;
        return FIRN_OK;
    }

    firn_buf key = {0};
    for (size_t i = 0; i < n; i++)
        firn_buf_printf(&key, "%s%d", i > 0 ? "." : "", path[i]);
    const char *text = firn_arena_strdup(decoder->scratch, firn_buf_cstr(&key));
    firn_buf_deinit(&key);
    *out = firn_map_get(found->by_path, text);
    if (!*out) {
        const firn_proto_message *message;
        rc = firn_proto_by_index(found->file, path, n, &message, err);
        if (rc != FIRN_OK)
            return firn_err_wrap(err, rc, "%s", found->label);
        const char *label = firn_arena_printf(decoder->arena, "%s, message %s", found->label,
                                              firn_proto_name(message));
        *out = firn_codec_protobuf(decoder, message, label);
        (void)firn_map_put(found->by_path, text, *out);
    }
    if (is_first)
        found->codec = *out;
    return FIRN_OK;
}

static firn_rc resolve_frame(firn_decoder *decoder, side *s, firn_frame *frame, codec **out,
                             firn_err *err)
{
    known_schema *found = s->last;
    if (!found || frame->kind != FIRN_FRAME_ID || frame->id != s->last_id) {
        FIRN_TRY(find_schema(decoder, frame, &found, err));
        FIRN_TRY(check_kind(s, found, err));
        if (frame->kind == FIRN_FRAME_ID) {
            s->last_id = frame->id;
            s->last = found;
        }
    }
    if (found->registered->kind == FIRN_SCHEMA_PROTOBUF)
        return resolve_message(decoder, found, frame, out, err);
    if (!found->codec)
        found->codec = firn_codec_registered(decoder, found->registered, found->label);
    *out = found->codec;
    return FIRN_OK;
}

/* ---- resolving -------------------------------------------------------------------------------- */

/* auto: whether a payload without a header looks as if it had a frame. */
static bool looks_framed(firn_bytes payload)
{
    return payload.len > 0 && payload.data[0] <= 1;
}

bool firn_side_looks_at_headers(const side *s)
{
    return is_framed(s->payload) || s->payload == FIRN_PAYLOAD_AUTO;
}

bool firn_side_is_framed(const side *s, firn_bytes payload, bool has_header)
{
    return is_framed(s->payload) ||
           (s->payload == FIRN_PAYLOAD_AUTO && (has_header || looks_framed(payload)));
}

firn_rc firn_side_resolve(firn_decoder *decoder, side *s, firn_bytes payload,
                          const firn_kafka_header *header, codec **out, firn_bytes *data,
                          firn_err *err)
{
    if (!firn_side_is_framed(s, payload, header != NULL)) {
        *data = payload;
        *out = s->fixed ? s->fixed : s->learned;
        return *out ? FIRN_OK : firn_learned_codec(decoder, s, out, err);
    }
    firn_frame frame;
    FIRN_TRY(firn_frame_read(payload, header, &frame, err));
    FIRN_TRY(resolve_frame(decoder, s, &frame, out, err));
    *data = frame.payload;
    return FIRN_OK;
}
