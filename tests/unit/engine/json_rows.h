/* JSON documents as Arrow rows, for tests: by an Avro schema, or by what is inferred from them. Single quotes stand for double ones. */
#ifndef TESTS_ENGINE_JSON_ROWS_H
#define TESTS_ENGINE_JSON_ROWS_H

#include "lake_fixture.h"

#include "engine/rows.h"
#include "format/json_columns.h"

static inline void json_rows_release(void *ctx)
{
    firn_rows *rows = ctx;
    struct ArrowSchema *schema = (struct ArrowSchema *)(uintptr_t)rows->schema;
    struct ArrowArray *array = (struct ArrowArray *)(uintptr_t)rows->array;
    schema->release(schema);
    array->release(array);
}

static inline char *json_quotes(firn_arena *arena, const char *text)
{
    return firn_str_replace(arena, text, "'", "\"");
}

/* `fields` of a record, "{'name': 'id', 'type': 'long'}, ..."; NULL: inferred. One document a line. Lives in the fixture's arena. */
static inline firn_rows *json_rows(lake_fixture *f, const char *fields, const char *lines)
{
    firn_err err = {0};
    const firn_avro_schema *schema = NULL;
    firn_json_decoder *decoder = NULL;
    size_t n = 0;
    int64_t unknown = 0;
    bool changed = false;
    char **docs = firn_str_split(f->arena, json_quotes(f->arena, lines), '\n', &n);
    if (fields != NULL) {
        const char *text =
            firn_arena_printf(f->arena, "{'type': 'record', 'name': 'r', 'fields': [%s]}", fields);
        lake_check(firn_avro_schema_parse(f->arena, firn_bytes_str(json_quotes(f->arena, text)),
                                          "test", &schema, &err),
                   &err, text);
    } else {
        firn_json_inference *inference = firn_json_inference_new(f->arena);
        for (size_t i = 0; i < n; i++) {
            lake_check(firn_json_inference_add(inference, firn_bytes_str(docs[i]), &changed, &err),
                       &err, docs[i]);
        }
        schema = firn_json_inference_schema(inference);
    }
    lake_check(firn_json_decoder_new(f->arena, schema, NULL, &decoder, &err), &err, "decoder");
    firn_avro_batch *batch = firn_avro_batch_new(firn_json_decoder_shape(decoder));
    for (size_t i = 0; i < n; i++) {
        if (docs[i][0] != '\0') {
            lake_check(
                firn_json_decoder_decode(decoder, firn_bytes_str(docs[i]), batch, &unknown, &err),
                &err, docs[i]);
        }
    }
    struct ArrowSchema *arrow = FIRN_NEW(f->arena, struct ArrowSchema);
    struct ArrowArray *array = FIRN_NEW(f->arena, struct ArrowArray);
    firn_avro_decoder_arrow_schema(firn_json_decoder_shape(decoder), arrow);
    firn_avro_batch_arrow_array(batch, array);
    firn_avro_batch_free(batch);
    firn_rows *rows = FIRN_NEW(f->arena, firn_rows);
    *rows = (firn_rows){.schema = arrow, .array = array, .count = array->length};
    firn_arena_defer(f->arena, json_rows_release, rows);
    return rows;
}

#endif
