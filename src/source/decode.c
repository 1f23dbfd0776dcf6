/* Decoders: what is done with each message, and who is told when it cannot be. */
#include "source/decode.h"

#include "decode_private.h"

#include <stdlib.h>

enum {
    SCRATCH_BYTES_MAX = 1 << 20,
    RETIRED_MAX = 64, /* learned schemas that others have replaced, their rows not yet taken */
};
static const size_t CHUNK_BYTES_DEFAULT = (size_t)256 << 20;
static const size_t CHUNK_BYTES_MAX = (size_t)1 << 30; /* so no column reaches 2^31 bytes */

/* ---- life ------------------------------------------------------------------------------------- */

static firn_rc set_up(firn_decoder *decoder, const firn_decoder_options *options, firn_err *err)
{
    firn_decoder_options *own = &decoder->options;
    *own = *options;
    if (own->chunk_bytes_max == 0)
        own->chunk_bytes_max = CHUNK_BYTES_DEFAULT;
    if (own->chunk_bytes_max > CHUNK_BYTES_MAX)
        own->chunk_bytes_max = CHUNK_BYTES_MAX;
    if (!own->headers)
        own->headers = firn_kafka_headers;
    decoder->by_id = firn_imap_new(decoder->arena);
    decoder->by_guid = firn_map_new(decoder->arena);
    if (options->with_metadata)
        FIRN_TRY(firn_kafka_column_new(decoder->arena, &decoder->kafka, err));
    FIRN_TRY(firn_side_init(decoder, &decoder->value, &options->value, false, err));
    FIRN_TRY(firn_side_init(decoder, &decoder->key, &options->key, true, err));
    decoder->wants_headers = options->with_metadata ||
                             firn_side_looks_at_headers(&decoder->value) ||
                             firn_side_looks_at_headers(&decoder->key);
    if (options->value.payload != FIRN_PAYLOAD_AUTO)
        decoder->value_before = decoder->value.fixed;
    if (options->key.payload != FIRN_PAYLOAD_AUTO)
        decoder->key_before = decoder->key.fixed;
    return FIRN_OK;
}

firn_rc firn_decoder_new(const firn_decoder_options *options, firn_decoder **out, firn_err *err)
{
    firn_decoder *decoder = firn_calloc(1, sizeof *decoder);
    decoder->arena = firn_arena_new();
    decoder->scratch = firn_arena_new();
    firn_rc rc = set_up(decoder, options, err);
    if (rc != FIRN_OK) {
        firn_decoder_free(decoder);
        return rc;
    }
    *out = decoder;
    return FIRN_OK;
}

void firn_decoder_free(firn_decoder *decoder)
{
    if (!decoder)
        return;
    for (size_t i = 0; i < decoder->chunks.len; i++)
        firn_chunk_free(decoder->chunks.items[i]);
    decoder->chunks.len = 0;
    firn_chunks_sweep(decoder);
    firn_side_deinit(&decoder->value);
    firn_side_deinit(&decoder->key);
    firn_buf_deinit(&decoder->kafka_row);
    firn_arena_free(decoder->scratch);
    firn_arena_free(decoder->arena);
    free(decoder);
}

size_t firn_decoder_bytes(const firn_decoder *decoder)
{
    return decoder->bytes;
}

size_t firn_decoder_used_bytes(const firn_decoder *decoder)
{
    size_t bytes = 0;
    for (size_t i = 0; i < decoder->chunks.len; i++)
        bytes += firn_chunk_used_bytes(decoder->chunks.items[i]);
    return bytes;
}

int64_t firn_decoder_rows(const firn_decoder *decoder)
{
    return decoder->rows;
}

/* ---- messages --------------------------------------------------------------------------------- */

static firn_rc read_headers(firn_decoder *decoder, const firn_kafka_message *message,
                            chunk_row *row, firn_err *err)
{
    if (!message->handle || !decoder->wants_headers)
        return FIRN_OK;
    firn_kafka_header *headers;
    FIRN_TRY(decoder->options.headers(message, decoder->scratch, &headers, &row->n_headers, err));
    row->headers = headers;
    return FIRN_OK;
}

static firn_rc add_message(firn_decoder *decoder, const firn_kafka_message *message, firn_err *err)
{
    chunk_row row = {.message = message};
    bool is_tombstone = !message->value.data;
    if (is_tombstone && !decoder->options.with_tombstones)
        return FIRN_OK;
    FIRN_TRY(read_headers(decoder, message, &row, err));

    row.value = decoder->value_before;
    if (!is_tombstone) {
        FIRN_TRY(firn_side_resolve(decoder, &decoder->value, message->value,
                                   firn_frame_header(row.headers, row.n_headers, false), &row.value,
                                   &row.value_data, err));
    }
    if (decoder->key.payload != FIRN_PAYLOAD_NONE) {
        row.key = decoder->key_before;
        firn_rc rc = FIRN_OK;
        if (message->key.data) {
            rc = firn_side_resolve(decoder, &decoder->key, message->key,
                                   firn_frame_header(row.headers, row.n_headers, true), &row.key,
                                   &row.key_data, err);
        }
        if (rc != FIRN_OK)
            return firn_err_wrap(err, rc, "key");
    }
    FIRN_TRY(firn_chunk_add(decoder, &row, false, err));
    if (decoder->grow) {
        if (row.value && row.value->learns && row.value_data.data)
            FIRN_TRY(firn_learn(decoder, &decoder->value, row.value_data, &row.value, err));
        if (row.key && row.key->learns && row.key_data.data)
            FIRN_TRY(firn_learn(decoder, &decoder->key, row.key_data, &row.key, err));
        FIRN_TRY(firn_chunk_add(decoder, &row, true, err));
    }
    decoder->value_before = row.value;
    decoder->key_before = row.key;
    return FIRN_OK;
}

static firn_rc chunks_are_full(firn_err *err)
{
    FIRN_FAIL(err, FIRN_E_LIMIT, "the decoder's chunks are full: take them first");
}

firn_rc firn_decoder_add(firn_decoder *decoder, const firn_kafka_message *messages, size_t n,
                         firn_bad_message_fn bad, void *ctx, size_t *taken, firn_err *err)
{
    firn_err why;
    for (*taken = 0; *taken < n; ++*taken) {
        if (decoder->rows > 0 && decoder->bytes >= decoder->options.chunk_bytes_max)
            return chunks_are_full(err);
        if (decoder->rows > 0 && decoder->retired.len >= RETIRED_MAX)
            return chunks_are_full(err);
        decoder->ahead = messages + *taken;
        decoder->n_ahead = n - *taken;
        decoder->stop = decoder->full = false;
        firn_rc rc = add_message(decoder, &messages[*taken], &why);
        if (firn_arena_used_bytes(decoder->scratch) > SCRATCH_BYTES_MAX)
            firn_arena_reset(decoder->scratch);
        if (rc == FIRN_OK)
            continue;
        if (decoder->full)
            return chunks_are_full(err);
        if (decoder->stop) {
            if (err)
                *err = why;
            return rc;
        }
        bad(ctx, &messages[*taken], &why);
    }
    return FIRN_OK;
}

void firn_decoder_take(firn_decoder *decoder, firn_chunk **out, size_t *n)
{
    *n = 0;
    *out = firn_calloc(decoder->chunks.len + 1, sizeof **out);
    for (size_t i = 0; i < decoder->chunks.len; i++) {
        chunk *c = decoder->chunks.items[i];
        if (c->rows > 0)
            firn_chunk_export(decoder, c, &(*out)[(*n)++]);
        else
            firn_chunk_shrink(decoder, c);
    }
    firn_chunks_sweep(decoder);
}

void firn_chunks_free(firn_chunk *chunks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (chunks[i].schema.release)
            chunks[i].schema.release(&chunks[i].schema);
        if (chunks[i].array.release)
            chunks[i].array.release(&chunks[i].array);
        free((void *)(uintptr_t)chunks[i].subject);
    }
    free(chunks);
}
