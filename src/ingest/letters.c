/* Records that became no row: from the message to the table of dead letters. */
#include "dead_letters.h"
#include "write_rows.h"

#include <stdlib.h>

void firn_letter_add(firn_feed_block *block, const firn_kafka_message *message, firn_rc code,
                     const char *why)
{
    firn_arena *arena = block->arena;
    firn_letter letter = {.message = *message, .code = code, .why = firn_arena_strdup(arena, why)};
    letter.message.topic = firn_arena_strdup(arena, message->topic);
    letter.message.key = firn_letter_bytes(arena, message->key);
    letter.message.value = firn_letter_bytes(arena, message->value);
    letter.message.handle = NULL;
    if (message->handle == NULL ||
        firn_kafka_headers(message, arena, &letter.headers, &letter.n_headers, NULL) != FIRN_OK) {
        letter.n_headers = 0;
    }
    block->letter_bytes += sizeof(letter) + message->key.len + message->value.len + strlen(why);
    for (size_t i = 0; i < letter.n_headers; i++) {
        firn_kafka_header *header = &letter.headers[i];
        header->name = firn_arena_strdup(arena, header->name);
        header->value = firn_letter_bytes(arena, header->value);
        block->letter_bytes += strlen(header->name) + header->value.len;
    }
    firn_vec_push(arena, &block->letters, letter);
}

/* NULL stays NULL: a tombstone is no empty value. */
firn_bytes firn_letter_bytes(firn_arena *arena, firn_bytes bytes)
{
    return bytes.data != NULL ? firn_bytes_dup(arena, bytes) : bytes;
}

/* ---- batches ------------------------------------------------------------------------------------------------- */

typedef struct batch {
    struct ArrowSchema schema;
    struct ArrowArray array;
} batch;

static void release_batch(void *ctx)
{
    batch *b = ctx;
    if (b->schema.release != NULL) {
        b->schema.release(&b->schema);
    }
    if (b->array.release != NULL) {
        b->array.release(&b->array);
    }
}

typedef FIRN_VEC(firn_rows) rows_vec;

static firn_rc take_batch(firn_dead_letters *letters, firn_arena *arena, rows_vec *rows,
                          firn_err *err)
{
    batch *b = FIRN_NEW(arena, batch);
    FIRN_TRY(firn_dead_letters_take(letters, &b->schema, &b->array, err));
    firn_arena_defer(arena, release_batch, b);
    const firn_rows all = {.schema = &b->schema, .array = &b->array, .count = b->array.length};
    firn_vec_push(arena, rows, all);
    return FIRN_OK;
}

static firn_rc collect(const firn_pending *pending, firn_dead_letters *letters, firn_arena *arena,
                       rows_vec *rows, firn_err *err)
{
    for (size_t i = pending->letters_in_files; i < pending->letters.len; i++) {
        const firn_letter *from = &pending->letters.items[i];
        const firn_dead_letter letter = {.message = from->message,
                                         .headers = from->headers,
                                         .n_headers = from->n_headers,
                                         .code = from->code,
                                         .why = from->why};
        firn_rc rc = firn_dead_letters_add(letters, &letter, err);
        if (rc == FIRN_E_LIMIT && firn_dead_letters_rows(letters) > 0) { /* full: one more batch */
            FIRN_TRY(take_batch(letters, arena, rows, err));
            rc = firn_dead_letters_add(letters, &letter, err);
        }
        FIRN_TRY(rc);
    }
    return take_batch(letters, arena, rows, err);
}

firn_rc firn_pending_write_letters(firn_feed_target *target, firn_err *err)
{
    firn_pending *pending = target->pending;
    const firn_feed *feed = &target->run->feed;
    rows_vec rows = {0};
    if (pending->letters.len == pending->letters_in_files || pending->tables.len == 0) {
        return FIRN_OK;
    }
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_dead_letters *letters = firn_dead_letters_new(feed);
    firn_rc rc = collect(pending, letters, arena, &rows, err);
    firn_dead_letters_free(letters);
    FIRN_TRY(rc);
    write_job job = {.run = target->run,
                     .target = target,
                     .arena = arena,
                     .rows = rows.items,
                     .n_rows = rows.len,
                     .is_letters = true,
                     .ident = firn_dead_letters_ident(arena, feed, target->ident)};
    int64_t rows_before = pending->rows;
    FIRN_TRY(firn_write_one_table(&job, err));
    pending->letters_in_files = pending->letters.len;
    pending->rows = rows_before; /* letters are counted as letters */
    return FIRN_OK;
}
