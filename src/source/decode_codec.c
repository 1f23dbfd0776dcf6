/* Codecs: from a schema to something that appends payloads to a batch. */
#include "decode_private.h"

static firn_avro_decoder_opts batch_opts(const firn_decoder *decoder)
{
    return (firn_avro_decoder_opts){.batch_bytes_max = decoder->options.chunk_bytes_max};
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
    if (registered->kind == FIRN_SCHEMA_AVRO) {
        size_t n;
        const firn_bytes *texts = all_texts(decoder->scratch, registered, &n);
        return firn_codec_avro(decoder, texts, n, label);
    }
    codec *c = new_codec(decoder, CODEC_BROKEN, label);
    firn_err_set(&c->why, __FILE__, __LINE__, FIRN_E_UNSUPPORTED, "%s: %s is not decoded yet",
                 label, firn_schema_kind_name(registered->kind));
    return c;
}

firn_rc firn_registered_avro(firn_arena *arena, const firn_registered *registered,
                             const char *message, const firn_avro_schema **out, firn_err *err)
{
    (void)message;
    if (registered->kind != FIRN_SCHEMA_AVRO) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED, "%s is not decoded yet",
                  firn_schema_kind_name(registered->kind));
    }
    size_t n;
    const firn_bytes *texts = all_texts(arena, registered, &n);
    const char *what = registered->subject ? registered->subject : "schema";
    const firn_avro_schema *schema;
    FIRN_TRY(firn_avro_schema_parse_all(arena, texts, n, what, &schema, err));
    if (schema->kind != FIRN_AVRO_RECORD)
        schema = firn_avro_schema_wrap(arena, schema, "value");
    firn_avro_decoder *shape;
    firn_rc rc = firn_avro_decoder_new_shape(arena, schema, NULL, &shape, err);
    if (rc == FIRN_OK)
        rc = check_columns(arena, schema, "", err);
    if (rc != FIRN_OK)
        return firn_err_wrap(err, rc, "%s", what);
    *out = schema;
    return FIRN_OK;
}

/* ---- decoding --------------------------------------------------------------------------------- */

firn_rc firn_codec_decode(const codec *c, firn_bytes payload, firn_avro_batch *batch, firn_err *err)
{
    firn_rc rc;
    switch (c->kind) {
    case CODEC_AVRO: rc = firn_avro_decoder_decode(c->shape, payload, 1, batch, err); break;
    case CODEC_TEXT: rc = firn_avro_batch_add_value(batch, payload, err); break;
    default:
        if (err)
            *err = c->why;
        return c->why.code;
    }
    return rc == FIRN_OK || !c->subject ? rc : firn_err_wrap(err, rc, "%s", c->subject);
}
