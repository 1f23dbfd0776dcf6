/* Schemas of JSON that comes without one.
 *
 * The first schema is inferred from all documents of the call that the first of them came in, on top of the columns that are said to
 * be known. From then on it only grows: a document with members that no column takes adds columns for them, and never changes one
 * that is there. A value that does not fit its column is a bad message, not a new type: the table has that column already, and one
 * odd document must not turn all later ones into misfits.
 *
 * Schemas are merged as JSON: {"type": "record", "name": ..., "fields": [{"name": ..., "type": ["null", T]}]}.
 */
#include "columns.h"
#include "decode_private.h"

#include <stdlib.h>

enum { COLUMNS_MAX = 1000, MERGE_DEPTH_MAX = 30 };

/* ---- merging ---------------------------------------------------------------------------------- */

/* T of ["null", T]; a record's or an array's JSON, or a scalar. */
static json_t *without_null(json_t *type)
{
    if (json_is_array(type) && json_array_size(type) == 2)
        return json_array_get(type, 1);
    return type;
}

static bool is_type(const json_t *type, const char *kind)
{
    const char *name = json_string_value(json_object_get(type, "type"));
    return name && firn_streq(name, kind);
}

static json_t *find_field(json_t *record, const char *name)
{
    json_t *fields = json_object_get(record, "fields");
    for (size_t i = 0; i < json_array_size(fields); i++) {
        json_t *field = json_array_get(fields, i);
        if (firn_strcaseeq(json_string_value(json_object_get(field, "name")), name))
            return field;
    }
    return NULL;
}

static void merge(json_t *into, json_t *from, int depth);

/* The same column in two schemas: only what is nested in both can grow. */
static void merge_types(json_t *into, json_t *from, int depth)
{
    into = without_null(into);
    from = without_null(from);
    if (is_type(into, "record") && is_type(from, "record"))
        merge(into, from, depth);
    else if (is_type(into, "array") && is_type(from, "array") && depth < MERGE_DEPTH_MAX)
        merge_types(json_object_get(into, "items"), json_object_get(from, "items"), depth + 1);
}

/* Add to the record `into` the fields that only `from` has. */
static void merge(json_t *into, json_t *from, int depth)
{
    json_t *fields = json_object_get(from, "fields");
    if (depth >= MERGE_DEPTH_MAX)
        return;
    for (size_t i = 0; i < json_array_size(fields); i++) {
        json_t *field = json_array_get(fields, i);
        json_t *mine = find_field(into, json_string_value(json_object_get(field, "name")));
        if (mine)
            merge_types(json_object_get(mine, "type"), json_object_get(field, "type"), depth + 1);
        else
            json_array_append_new(json_object_get(into, "fields"), json_deep_copy(field));
    }
}

/* Names of records must differ within one schema: number them anew. Gives the number of columns at all depths. */
static int number_records(json_t *type, int *records)
{
    char name[32];
    int columns = 0;
    type = without_null(type);
    if (is_type(type, "array"))
        return number_records(json_object_get(type, "items"), records);
    if (!is_type(type, "record"))
        return 0;
    snprintf(name, sizeof name, "learned_%d", (*records)++);
    json_object_set_new(type, "name", json_string(name));
    json_t *fields = json_object_get(type, "fields");
    for (size_t i = 0; i < json_array_size(fields); i++)
        columns += 1 + number_records(json_object_get(json_array_get(fields, i), "type"), records);
    return columns;
}

/* ---- learning --------------------------------------------------------------------------------- */

static firn_rc grow(side *s, const firn_avro_schema *seen, bool *grew, firn_err *err)
{
    json_t *before = s->learned_json;
    json_t *after = json_deep_copy(before);
    int records = 0;
    if (seen)
        merge(after, (json_t *)(uintptr_t)seen->json, 0);
    if (number_records(after, &records) > COLUMNS_MAX) {
        json_decref(after);
        FIRN_FAIL(
            err, FIRN_E_LIMIT,
            "JSON documents with more than %d different members: declare the columns that are "
            "wanted (schema)",
            COLUMNS_MAX);
    }
    *grew = !json_equal(before, after);
    json_decref(before);
    s->learned_json = after;
    return FIRN_OK;
}

/* What is there before anything was seen: an empty record, or the known columns. */
static firn_rc start(firn_decoder *decoder, side *s, firn_err *err)
{
    if (s->learned_json)
        return FIRN_OK;
    json_t *empty = json_pack("{s:s, s:s, s:[]}", "type", "record", "name", "learned", "fields");
    s->learned_json = empty;
    if (!s->known || !*s->known)
        return FIRN_OK;
    const firn_avro_schema *known;
    bool grew;
    firn_rc rc = firn_columns_parse(decoder->scratch, s->known, &known, err);
    if (rc == FIRN_OK)
        rc = grow(s, known, &grew, err);
    decoder->stop = rc != FIRN_OK;
    return rc == FIRN_OK ? rc : firn_err_wrap(err, rc, "the known columns");
}

static bool is_document(const side *s, const firn_kafka_message *message)
{
    firn_bytes payload = s->is_key ? message->key : message->value;
    return payload.len > 0 && !firn_side_is_framed(s, payload, false);
}

firn_rc firn_learned_codec(firn_decoder *decoder, side *s, codec **out, firn_err *err)
{
    FIRN_TRY(start(decoder, s, err));
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_json_inference *inference = firn_json_inference_new(arena);
    for (size_t i = 0; i < decoder->n_ahead; i++) {
        const firn_kafka_message *message = &decoder->ahead[i];
        bool changed;
        if (is_document(s, message)) /* what is no JSON is found out when its turn comes */
            (void)!firn_json_inference_add(inference, s->is_key ? message->key : message->value,
                                           &changed, NULL);
    }
    bool grew;
    FIRN_TRY(grow(s, firn_json_inference_schema(inference), &grew, err));
    s->learned = firn_codec_learned(decoder, s->learned_json);
    *out = s->learned;
    return FIRN_OK;
}

firn_rc firn_learn(firn_decoder *decoder, side *s, firn_bytes document, codec **out, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_json_inference *inference = firn_json_inference_new(arena);
    bool changed, grew;
    FIRN_TRY(firn_json_inference_add(inference, document, &changed, err));
    FIRN_TRY(grow(s, firn_json_inference_schema(inference), &grew, err));
    *out = s->learned;
    if (!grew)
        return FIRN_OK; /* nulls, empty objects: nothing to make a column of */
    codec *before = s->learned;
    before->retired = true;
    firn_vec_push(decoder->arena, &decoder->retired, before);
    s->learned = firn_codec_learned(decoder, s->learned_json);
    if (decoder->value_before == before)
        decoder->value_before = s->learned;
    if (decoder->key_before == before)
        decoder->key_before = s->learned;
    *out = s->learned;
    return FIRN_OK;
}

void firn_side_deinit(side *s)
{
    json_decref(s->learned_json);
    if (s->learned) {
        firn_arena_free(s->learned->arena);
        free(s->learned);
    }
}
