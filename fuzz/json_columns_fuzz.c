/*
 * json_columns_fuzz.c - JSON documents into columns. The first byte picks the schema, the rest is the document; or, for the last schema,
 * a row's array.
 *
 * Besides not crashing: a document that fails leaves the batch as it was, one that succeeds does so again, and jansson agrees on what
 * is JSON. A schema inferred from the document takes the document. The quick ways of json_quick.c, those of this processor and those of any,
 * give what comes without them, to the message's letter.
 */
#include "base/arena.h"
#include "format/avro.h"
#include "format/json_columns.h"
#include "json_decoding.h"

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
    /* all that has a quick way, and the mark of rows */
    "{'type':'record','name':'r','fields':[{'name':'id','type':['null','long']},"
    "{'name':'user','type':['null','string']},"
    "{'name':'amount','type':['null',{'type':'bytes','logicalType':'decimal','precision':10,"
    "'scale':2}]},"
    "{'name':'ts','type':['null',{'type':'long','logicalType':'timestamp-millis'}]},"
    "{'name':'local','type':['null',{'type':'long','logicalType':'local-timestamp-nanos'}]},"
    "{'name':'gift','type':['null','boolean']},{'name':'score','type':['null','double']},"
    "{'name':'n','type':['null','int']},"
    "{'name':'big','type':['null',{'type':'bytes','logicalType':'decimal','precision':38,"
    "'scale':10}]},{'name':'mark','type':'boolean'}]}",
};
enum { ROWS_SCHEMA = sizeof schemas / sizeof *schemas - 1 };

static size_t pick_schema(uint8_t first)
{
    return first >= 0x80 ? ROWS_SCHEMA : first % ROWS_SCHEMA;
}

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

/* ---- the quick ways, and none ---- */

static void require_same_bytes(const void *a, const void *b, size_t len)
{
    require(len == 0 || memcmp(a, b, len) == 0);
}

static void require_same(const firn_avro_column *a, const firn_avro_column *b)
{
    size_t rows = (size_t)a->length, bits = (rows + 7) / 8;
    require(a->length == b->length && a->null_count == b->null_count);
    if (a->validity)
        require_same_bytes(a->validity, b->validity, bits);
    if (a->offsets)
        require_same_bytes(a->offsets, b->offsets, rows > 0 ? (rows + 1) * sizeof *a->offsets : 0);
    if (a->type == FIRN_AVRO_COL_BOOL)
        require_same_bytes(a->data, b->data, bits);
    else if (a->type == FIRN_AVRO_COL_STRING || a->type == FIRN_AVRO_COL_BYTES)
        require_same_bytes(a->data, b->data, rows > 0 ? (size_t)a->offsets[rows] : 0);
    else
        require_same_bytes(a->data, b->data, rows * (size_t)a->item_size);
    for (size_t i = 0; i < a->child_count; i++)
        require_same(&a->children[i], &b->children[i]);
}

static firn_rc decode(const firn_json_decoder *decoder, bool row, firn_bytes text,
                      firn_avro_batch *batch, size_t *used, firn_err *err)
{
    int64_t unknown = 0;
    if (row)
        return firn_json_decoder_row(decoder, text, batch, used, err);
    firn_rc rc = firn_json_decoder_decode(decoder, text, batch, &unknown, err);
    *used = (size_t)unknown;
    return rc;
}

typedef struct way {
    firn_json_decoder *decoder;
    firn_avro_batch *batch;
} way;

enum { QUICK, NARROW, SLOW, WAYS };

static way make_way(firn_arena *arena, const firn_avro_schema *schema, int kind)
{
    firn_err err;
    way made;
    firn_avro_decoder_opts opts = {.batch_bytes_max = BATCH_BYTES_MAX};
    require(firn_json_decoder_new(arena, schema, &opts, &made.decoder, &err) == FIRN_OK);
    if (kind == SLOW)
        firn_json_plan_slow(&made.decoder->root);
    made.decoder->wide &= kind == QUICK;
    made.batch = firn_avro_batch_new(firn_json_decoder_shape(made.decoder));
    return made;
}

/* Three times, so that what the first taught the decoder is used, and the columns have room. */
static void compare(firn_arena *arena, const firn_avro_schema *schema, bool row, firn_bytes text)
{
    way ways[WAYS];
    for (int w = 0; w < WAYS; w++)
        ways[w] = make_way(arena, schema, w);
    for (int i = 0; i < 3; i++) {
        size_t used[WAYS] = {0};
        firn_rc rc[WAYS];
        firn_err err[WAYS];
        for (int w = 0; w < WAYS; w++) {
            rc[w] = decode(ways[w].decoder, row, text, ways[w].batch, &used[w], &err[w]);
            require(rc[w] == rc[0] && used[w] == used[0]);
            require(rc[w] == FIRN_OK || strcmp(err[w].message, err[0].message) == 0);
        }
    }
    for (int w = 1; w < WAYS; w++)
        require_same(firn_avro_batch_root(ways[0].batch), firn_avro_batch_root(ways[w].batch));
    for (int w = 0; w < WAYS; w++)
        firn_avro_batch_free(ways[w].batch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    firn_err err;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const char *schema_text = firn_str_replace(arena, schemas[pick_schema(data[0])], "'", "\"");
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

    compare(arena, schema, false, text);
    if (pick_schema(data[0]) == ROWS_SCHEMA)
        compare(arena, schema, true, text);
    infer(arena, text);

    struct ArrowArray array;
    firn_avro_batch_arrow_array(batch, &array);
    array.release(&array);
    return 0;
}
