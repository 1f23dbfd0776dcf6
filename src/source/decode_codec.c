/* Codecs: from a schema to something that appends payloads to a batch. */
#include "base/log.h"
#include "decode_private.h"

#include <assert.h>

static firn_avro_decoder_opts batch_opts(const firn_decoder *decoder)
{
    return (firn_avro_decoder_opts){.batch_bytes_max = decoder->options.chunk_bytes_max,
                                    .even_batches = true};
}

static codec *new_codec(firn_decoder *decoder, codec_kind kind, const char *label)
{
    codec *c = FIRN_NEW(decoder->arena, codec);
    c->kind = kind;
    c->subject = label;
    return c;
}

/* ---- what has no column ----------------------------------------------------------------------- */

enum { DECIMAL_PRECISION_MAX = 38 };

/* The shape has been made from this schema, so it is finite. */
static firn_rc check_columns(firn_arena *arena, const firn_avro_schema *schema, const char *path,
                             firn_err *err)
{
    if (schema->logical == FIRN_AVRO_DECIMAL && schema->precision > DECIMAL_PRECISION_MAX) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                  "column %s is decimal(%d, %d); Iceberg's decimals have at most %d digits", path,
                  schema->precision, schema->scale, DECIMAL_PRECISION_MAX);
    }
    const char *dot = *path ? "." : "";
    for (size_t i = 0; i < schema->field_count; i++) {
        const firn_avro_field *field = &schema->fields[i];
        const char *inner = firn_arena_printf(arena, "%s%s%s", path, dot, field->name);
        FIRN_TRY(check_columns(arena, field->type, inner, err));
    }
    for (size_t i = 0; i < schema->branch_count; i++)
        FIRN_TRY(check_columns(arena, schema->branches[i], path, err));
    if (schema->items)
        FIRN_TRY(check_columns(arena, schema->items, path, err));
    return FIRN_OK;
}

/* ---- Avro ------------------------------------------------------------------------------------- */

static firn_rc build_avro(firn_decoder *decoder, codec *c, const firn_bytes *texts, size_t n,
                          firn_err *err)
{
    const char *what = c->subject ? c->subject : "the declared schema";
    const firn_avro_schema *schema;
    FIRN_TRY(firn_avro_schema_parse_all(decoder->arena, texts, n, what, &schema, err));
    c->is_value = schema->kind != FIRN_AVRO_RECORD;
    if (c->is_value)
        schema = firn_avro_schema_wrap(decoder->arena, schema, "value");
    firn_avro_decoder *made;
    firn_avro_decoder_opts opts = batch_opts(decoder);
    firn_rc rc = firn_avro_decoder_new(decoder->arena, schema, NULL, &opts, &made, err);
    if (rc == FIRN_OK)
        rc = check_columns(decoder->scratch, schema, "", err);
    if (rc != FIRN_OK)
        return firn_err_wrap(err, rc, "%s", what);
    c->shape = made;
    return FIRN_OK;
}

codec *firn_codec_avro(firn_decoder *decoder, const firn_bytes *texts, size_t n, const char *label)
{
    codec *c = new_codec(decoder, CODEC_AVRO, label);
    if (build_avro(decoder, c, texts, n, &c->why) != FIRN_OK)
        c->kind = CODEC_BROKEN;
    return c;
}

/* ---- string and bytes ------------------------------------------------------------------------- */

codec *firn_codec_text(firn_decoder *decoder, bool is_string)
{
    const firn_bytes text = firn_bytes_str(is_string ? "\"string\"" : "\"bytes\"");
    codec *c = firn_codec_avro(decoder, &text, 1, NULL);
    c->kind = CODEC_TEXT;
    return c;
}

/* ---- JSON and Protobuf ------------------------------------------------------------------------ */

static void become_json(firn_decoder *decoder, firn_arena *arena, codec *c,
                        const firn_avro_schema *schema)
{
    firn_avro_decoder_opts opts = batch_opts(decoder);
    if (firn_json_decoder_new(arena, schema, &opts, &c->json, &c->why) == FIRN_OK)
        c->shape = firn_json_decoder_shape(c->json);
    else
        c->kind = CODEC_BROKEN;
}

codec *firn_codec_json(firn_decoder *decoder, const firn_avro_schema *schema, const char *label)
{
    codec *c = new_codec(decoder, CODEC_JSON, label);
    become_json(decoder, decoder->arena, c, schema);
    return c;
}

codec *firn_codec_learned(firn_decoder *decoder, json_t *json)
{
    codec *c = firn_calloc(1, sizeof *c);
    c->kind = CODEC_JSON;
    c->learns = true;
    c->arena = firn_arena_new();
    const firn_avro_schema *schema;
    if (firn_avro_schema_from_json(c->arena, json, "the inferred schema", &schema, &c->why) !=
        FIRN_OK)
        c->kind = CODEC_BROKEN;
    else
        become_json(decoder, c->arena, c, schema);
    return c;
}

codec *firn_codec_broken(firn_decoder *decoder, const firn_err *why, const char *label)
{
    codec *c = new_codec(decoder, CODEC_BROKEN, label);
    c->why = *why;
    (void)firn_err_wrap(&c->why, why->code, "%s", label);
    return c;
}

static firn_rc json_schema_avro(firn_arena *arena, const char *text,
                                const struct firn_reference *references, size_t n,
                                const firn_avro_schema **out, firn_err *err)
{
    firn_json_schema_reference *list = FIRN_NEW_N(arena, firn_json_schema_reference, n);
    for (size_t i = 0; i < n; i++)
        list[i] = (firn_json_schema_reference){references[i].name, references[i].text};
    return firn_json_schema_avro(arena, text, list, n, out, err);
}

codec *firn_codec_json_schema(firn_decoder *decoder, const char *text,
                              const struct firn_reference *references, size_t n, const char *label)
{
    const firn_avro_schema *schema;
    firn_err why;
    if (json_schema_avro(decoder->arena, text, references, n, &schema, &why) != FIRN_OK)
        return firn_codec_broken(decoder, &why, label);
    return firn_codec_json(decoder, schema, label);
}

firn_proto_import *firn_proto_imports(firn_arena *arena, const firn_registered *registered)
{
    firn_proto_import *imports = FIRN_NEW_N(arena, firn_proto_import, registered->n_references);
    for (size_t i = 0; i < registered->n_references; i++) {
        imports[i] = (firn_proto_import){.name = registered->references[i].name,
                                         .text = registered->references[i].text};
    }
    return imports;
}

codec *firn_codec_protobuf(firn_decoder *decoder, const firn_proto_message *message,
                           const char *label)
{
    codec *c = new_codec(decoder, CODEC_PROTOBUF, label);
    firn_avro_decoder_opts opts = batch_opts(decoder);
    if (firn_proto_decoder_new(decoder->arena, message, &opts, &c->proto, &c->why) == FIRN_OK)
        c->shape = firn_proto_decoder_shape(c->proto);
    else
        c->kind = CODEC_BROKEN;
    return c;
}

/* ---- by the registry -------------------------------------------------------------------------- */

/* Texts in the order in which a parser can take them. */
static firn_bytes *all_texts(firn_arena *arena, const firn_registered *registered, size_t *n)
{
    *n = registered->n_references + 1;
    firn_bytes *texts = FIRN_NEW_N(arena, firn_bytes, *n);
    for (size_t i = 0; i < registered->n_references; i++)
        texts[i] = firn_bytes_str(registered->references[i].text);
    texts[*n - 1] = firn_bytes_str(registered->text);
    return texts;
}

codec *firn_codec_registered(firn_decoder *decoder, const firn_registered *registered,
                             const char *label)
{
    if (registered->kind == FIRN_SCHEMA_JSON) {
        return firn_codec_json_schema(decoder, registered->text, registered->references,
                                      registered->n_references, label);
    }
    assert(registered->kind == FIRN_SCHEMA_AVRO);
    size_t n;
    const firn_bytes *texts = all_texts(decoder->scratch, registered, &n);
    return firn_codec_avro(decoder, texts, n, label);
}

static firn_rc registered_avro(firn_arena *arena, const firn_registered *registered,
                               const char *what, const firn_avro_schema **out, firn_err *err)
{
    size_t n;
    const firn_bytes *texts = all_texts(arena, registered, &n);
    FIRN_TRY(firn_avro_schema_parse_all(arena, texts, n, what, out, err));
    if ((*out)->kind != FIRN_AVRO_RECORD)
        *out = firn_avro_schema_wrap(arena, *out, "value");
    return FIRN_OK;
}

static firn_rc registered_protobuf(firn_arena *arena, const firn_registered *registered,
                                   const char *name, const firn_avro_schema **out, firn_err *err)
{
    static const int32_t first[] = {0};
    firn_proto_file *file;
    const firn_proto_message *message;
    const firn_proto_import *imports = firn_proto_imports(arena, registered);
    FIRN_TRY(
        firn_proto_parse(arena, registered->text, imports, registered->n_references, &file, err));
    FIRN_TRY(name ? firn_proto_by_name(file, name, &message, err)
                  : firn_proto_by_index(file, first, 1, &message, err));
    return firn_proto_avro(arena, message, out, err);
}

firn_rc firn_registered_avro(firn_arena *arena, const firn_registered *registered,
                             const char *message, const firn_avro_schema **out, firn_err *err)
{
    const char *what = registered->subject ? registered->subject : "schema";
    firn_rc rc;
    switch (registered->kind) {
    case FIRN_SCHEMA_AVRO: rc = registered_avro(arena, registered, what, out, err); break;
    case FIRN_SCHEMA_JSON:
        rc = json_schema_avro(arena, registered->text, registered->references,
                              registered->n_references, out, err);
        break;
    default: rc = registered_protobuf(arena, registered, message, out, err); break;
    }
    firn_avro_decoder *shape;
    if (rc == FIRN_OK)
        rc = firn_avro_decoder_new_shape(arena, *out, NULL, &shape, err);
    if (rc == FIRN_OK)
        rc = check_columns(arena, *out, "", err);
    return rc == FIRN_OK ? rc : firn_err_wrap(err, rc, "%s", what);
}

/* ---- decoding --------------------------------------------------------------------------------- */

static void warn_of_unknown(codec *c)
{
    if (!c->has_warned && c->subject) {
        firn_log(FIRN_LOG_WARN, "source",
                 "%s: documents have members that their schema does not name; they get no column",
                 c->subject);
    }
    c->has_warned = true;
}

firn_rc firn_codec_decode(codec *c, firn_bytes payload, firn_avro_batch *batch, int64_t *unknown,
                          firn_err *err)
{
    firn_rc rc;
    *unknown = 0;
    switch (c->kind) {
    case CODEC_AVRO: rc = firn_avro_decoder_decode(c->shape, payload, 1, batch, err); break;
    case CODEC_JSON:
        rc = firn_json_decoder_decode(c->json, payload, batch, unknown, err);
        if (rc == FIRN_OK && *unknown > 0 && !c->learns)
            warn_of_unknown(c);
        break;
    case CODEC_PROTOBUF: rc = firn_proto_decoder_decode(c->proto, payload, batch, err); break;
    case CODEC_TEXT: rc = firn_avro_batch_add_value(batch, payload, err); break;
    default:
        if (err)
            *err = c->why;
        return c->why.code;
    }
    return rc == FIRN_OK || !c->subject ? rc : firn_err_wrap(err, rc, "%s", c->subject);
}
