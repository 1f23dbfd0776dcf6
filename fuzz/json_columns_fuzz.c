/*
 * json_columns_fuzz.c - JSON documents into columns. The first byte picks the schema, the rest is the document.
 *
 * Besides not crashing: a document that fails leaves the batch as it was, one that succeeds does so again, and jansson agrees on what
 * is JSON. A schema inferred from the document takes the document.
 */
#include "base/arena.h"
#include "format/avro.h"
#include "format/json_columns.h"

#include <stdlib.h>

enum { BATCH_BYTES_MAX = 32 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ' stands for ". */
static const char *const schemas[] = {
    /* the benchmark's event */
    "{'type':'record','name':'r','fields':[{'name':'id','type':'long'},"
    "{'name':'category','type':'string'},{'name':'value','type':'double'},"
    "{'name':'ts','type':{'type':'long','logicalType':'timestamp-micros'}}]}",
    /* every scalar; all may be absent */
    "{'type':'record','name':'r','fields':[{'name':'a','type':['null','int']},"
    "{'name':'b','type':['null','float']},{'name':'c','type':['null','boolean']},"
    "{'name':'d','type':['null','bytes']},{'name':'e','type':['null','string']},"
    "{'name':'f','type':['null',{'type':'fixed','name':'f4','size':4}]},"
    "{'name':'g','type':['null',{'type':'bytes','logicalType':'decimal','precision':38,"
    "'scale':9}]},"
    "{'name':'h','type':['null',{'type':'fixed','name':'u','size':16,'logicalType':'uuid'}]},"
    "{'name':'i','type':['null',{'type':'int','logicalType':'date'}]},"
    "{'name':'j','type':['null',{'type':'int','logicalType':'time-millis'}]},"
    "{'name':'k','type':['null',{'type':'long','logicalType':'local-timestamp-nanos'}]},"
    "{'name':'l','type':'null'}]}",
    /* nested; names of all lengths */
    "{'type':'record','name':'r','fields':["
    "{'name':'list','type':{'type':'array','items':{'type':'array','items':'long'}}},"
    "{'name':'map','type':['null',{'type':'map','values':['null','string']}]},"
    "{'name':'a_name_of_more_than_sixteen_bytes','type':['null',{'type':'record','name':'s',"
    "'fields':[{'name':'x','type':'int'},{'name':'X','type':['null','string']}]}]}]}",
};

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* Whether jansson takes the text; *unsure when it refuses what is JSON all the same. */
static bool is_json(firn_bytes text, bool *unsure)
{
    json_error_t error;
    json_t *json =
        json_loadb((const char *)text.data, text.len, JSON_ALLOW_NUL | JSON_DECODE_ANY, &error);
    enum json_error_code code = json ? json_error_unknown : json_error_code(&error);
    *unsure = !json && (code == json_error_numeric_overflow ||
                        code == json_error_null_byte_in_key || code == json_error_stack_overflow);
    json_decref(json);
    if (memchr(text.data, '\0', text.len)) { /* behind a number jansson passes it over */
        *unsure = true;
        return false;
    }
    return json != NULL;
}

static void infer(firn_arena *arena, firn_bytes text)
{
    firn_err err;
    bool changed;
    firn_json_decoder *decoder;
    firn_avro_decoder_opts opts = {.batch_bytes_max = BATCH_BYTES_MAX};
    firn_json_inference *inference = firn_json_inference_new(arena);
    if (firn_json_inference_add(inference, text, &changed, &err) != FIRN_OK || !changed)
        return;
    require(firn_json_inference_add(inference, text, &changed, &err) == FIRN_OK && !changed);
    const firn_avro_schema *schema = firn_json_inference_schema(inference);
    require(firn_json_decoder_new(arena, schema, &opts, &decoder, &err) == FIRN_OK);
    FIRN_AUTO_AVRO_BATCH firn_avro_batch *batch =
        firn_avro_batch_new(firn_json_decoder_shape(decoder));
    firn_rc rc = firn_json_decoder_decode(decoder, text, batch, NULL, &err);
    require(rc == FIRN_OK || rc == FIRN_E_LIMIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    firn_err err;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const char *schema_text =
        firn_str_replace(arena, schemas[data[0] % (sizeof schemas / sizeof *schemas)], "'", "\"");
    const firn_avro_schema *schema;
    firn_json_decoder *decoder;
    firn_avro_decoder_opts opts = {.batch_bytes_max = BATCH_BYTES_MAX};
    require(firn_avro_schema_parse(arena, firn_bytes_str(schema_text), "fuzz", &schema, &err) ==
            FIRN_OK);
    require(firn_json_decoder_new(arena, schema, &opts, &decoder, &err) == FIRN_OK);
    FIRN_AUTO_AVRO_BATCH firn_avro_batch *batch =
        firn_avro_batch_new(firn_json_decoder_shape(decoder));
    const firn_avro_column *root = firn_avro_batch_root(batch);

    firn_bytes text = firn_bytes_of(data + 1, size - 1);
    firn_rc first = firn_json_decoder_decode(decoder, text, batch, NULL, &err);
    require(root->length == (first == FIRN_OK));
    firn_rc again = firn_json_decoder_decode(decoder, text, batch, NULL, &err);
    require(again == first || again == FIRN_E_LIMIT);
    for (size_t i = 0; i < root->child_count; i++)
        require(root->children[i].length == root->length);

    bool unsure;
    bool json = is_json(text, &unsure);
    require(first != FIRN_OK || json || unsure);
    require(first != FIRN_E_CORRUPT || !json);

    infer(arena, text);

    struct ArrowArray array;
    firn_avro_batch_arrow_array(batch, &array);
    array.release(&array);
    return 0;
}
