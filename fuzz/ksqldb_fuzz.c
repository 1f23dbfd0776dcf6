/*
 * ksqldb_fuzz.c - an answer of ksqlDB. The first byte says how many of the bytes behind it are sizes of pieces, which are used in turn;
 * the rest is the answer.
 *
 * Besides not crashing: what comes out, rows and failure, is the same in those pieces, in one, and byte by byte.
 */
#include "ksqldb_private.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

typedef struct outcome {
    firn_rc rc;
    bool over, has_header;
    int64_t rows;
    uint64_t digest; /* of all values */
} outcome;

static void mix(outcome *o, const void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        o->digest = (o->digest ^ ((const uint8_t *)bytes)[i]) * 1099511628211u;
}

static void mix_column(outcome *o, const firn_avro_column *column, int64_t from, int64_t to);

static void mix_value(outcome *o, const firn_avro_column *column, int64_t row)
{
    bool valid = firn_avro_column_valid(column, row);
    mix(o, &valid, sizeof valid);
    if (!valid)
        return;
    if (column->type == FIRN_AVRO_COL_BOOL) {
        bool value = firn_avro_column_bool(column, row);
        mix(o, &value, sizeof value);
    } else if (column->type == FIRN_AVRO_COL_STRUCT) {
        for (size_t i = 0; i < column->child_count; i++)
            mix_column(o, &column->children[i], row, row + 1);
    } else if (column->type == FIRN_AVRO_COL_LIST || column->type == FIRN_AVRO_COL_MAP) {
        mix_column(o, &column->children[0], column->offsets[row], column->offsets[row + 1]);
    } else {
        firn_bytes bytes = firn_avro_column_bytes(column, row);
        mix(o, &bytes.len, sizeof bytes.len);
        mix(o, bytes.data, bytes.len);
    }
}

static void mix_column(outcome *o, const firn_avro_column *column, int64_t from, int64_t to)
{
    int64_t count = to - from;
    mix(o, &count, sizeof count);
    for (int64_t row = from; row < to; row++)
        mix_value(o, column, row);
}

/* Rows one by one: batches end where the pieces let them. */
static void take_rows(outcome *o, firn_ksqldb_answer *answer)
{
    firn_avro_batch *batch = firn_ksqldb_answer_batch(answer);
    if (!batch)
        return;
    const firn_avro_column *root = firn_avro_batch_root(batch);
    for (int64_t row = 0; row < root->length; row++)
        mix_column(o, root, row, row + 1);
    o->rows += root->length;
    struct ArrowArray array;
    firn_ksqldb_answer_hand_out(answer, &array);
    array.release(&array);
}

static firn_rc feed(outcome *o, firn_ksqldb_answer *answer, firn_bytes piece)
{
    /* Of its own, so that reading past it is seen. */
    uint8_t *copy = malloc(piece.len + 1);
    memcpy(copy, piece.data, piece.len);
    firn_rc rc = FIRN_OK;
    for (size_t at = 0; at < piece.len && rc == FIRN_OK;) {
        size_t used;
        firn_err err;
        rc = firn_ksqldb_answer_feed(answer, firn_bytes_of(copy + at, piece.len - at), &used, &err);
        require(rc != FIRN_OK || used == piece.len - at || firn_ksqldb_answer_is_full(answer));
        at += used;
        if (firn_ksqldb_answer_is_full(answer))
            take_rows(o, answer);
    }
    free(copy);
    return rc;
}

static outcome parse(firn_bytes text, firn_bytes sizes)
{
    const firn_ksqldb_answer_options options = {
        .batch_bytes_max = 1 << 20, .batch_rows_max = 7, .row_bytes_max = 4096};
    outcome o = {.digest = 1469598103934665603u};
    firn_ksqldb_answer *answer = firn_ksqldb_answer_new(&options);
    size_t turn = 0;
    for (size_t at = 0; at < text.len && o.rc == FIRN_OK;) {
        size_t n = sizes.len > 0 ? sizes.data[turn++ % sizes.len] + (size_t)1 : text.len;
        n = n < text.len - at ? n : text.len - at;
        o.rc = feed(&o, answer, firn_bytes_of(text.data + at, n));
        at += n;
    }
    firn_err err;
    if (o.rc == FIRN_OK)
        o.rc = firn_ksqldb_answer_end(answer, &err);
    take_rows(&o, answer);
    o.over = firn_ksqldb_answer_is_over(answer);
    o.has_header = firn_ksqldb_answer_decoder(answer) != NULL;
    firn_ksqldb_answer_free(answer);
    return o;
}

static void require_same(const outcome *a, const outcome *b)
{
    require(a->rc == b->rc && a->over == b->over && a->has_header == b->has_header &&
            a->rows == b->rows && a->digest == b->digest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 64 << 10)
        return 0;
    size_t n_sizes = data[0] % 8;
    if (size < 1 + n_sizes)
        return 0;
    static const uint8_t one = 0;
    firn_bytes text = firn_bytes_of(data + 1 + n_sizes, size - 1 - n_sizes);
    outcome whole = parse(text, (firn_bytes){0});
    outcome pieces = parse(text, firn_bytes_of(data + 1, n_sizes));
    outcome bytes = parse(text, firn_bytes_of(&one, 1));
    require_same(&whole, &pieces);
    require_same(&whole, &bytes);
    return 0;
}
