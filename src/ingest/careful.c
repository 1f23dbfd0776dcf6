/* Careful mode: which of these rows do not fit?
 *
 * The fast way keeps no raw messages. When a row does not fit (a value that its column cannot hold, a NULL where there must be none, a
 * schema that is no safe change), the stretch of the topic is read again with the messages kept beside the rows, and the row is found
 * by halving: write, and if that fails, write each half. What is left alone and still fails is a dead letter with its cause.
 *
 * A row finds its message by _kafka, which the careful decoder adds.
 */
#include "write_rows.h"

#include <stdlib.h>

typedef struct search {
    firn_feed_target *target;
    firn_arena *arena;
    FIRN_VEC(firn_rows) rows; /* that fit */
    FIRN_VEC(const firn_chunk *) chunks;
} search;

/* ---- from row to message ---------------------------------------------------------------------------------------- */

static const struct ArrowArray *child_of(const struct ArrowSchema *schema,
                                         const struct ArrowArray *array, const char *name,
                                         const struct ArrowSchema **child_schema)
{
    for (int64_t i = 0; i < schema->n_children; i++) {
        if (firn_streq(schema->children[i]->name, name)) {
            *child_schema = schema->children[i];
            return array->children[i];
        }
    }
    return NULL;
}

typedef struct row_place {
    const uint8_t *topic;
    size_t topic_len;
    int32_t partition;
    int64_t offset;
} row_place;

/* topic is a string ("u"), partition an int ("i"), offset a long ("l"), as decode.h says. */
static bool place_of(const firn_chunk *chunk, int64_t row, row_place *out)
{
    const struct ArrowSchema *kafka_schema, *leaf;
    const struct ArrowArray *kafka =
        child_of(&chunk->schema, &chunk->array, "_kafka", &kafka_schema);
    if (kafka == NULL) {
        return false;
    }
    const struct ArrowArray *topic = child_of(kafka_schema, kafka, "topic", &leaf);
    if (topic == NULL || !firn_streq(leaf->format, "u")) {
        return false;
    }
    const struct ArrowArray *partition = child_of(kafka_schema, kafka, "partition", &leaf);
    const struct ArrowArray *offset = child_of(kafka_schema, kafka, "offset", &leaf);
    if (partition == NULL || offset == NULL) {
        return false;
    }
    int64_t at = row + chunk->array.offset + kafka->offset;
    const int32_t *ends = topic->buffers[1];
    *out = (row_place){
        .topic = (const uint8_t *)topic->buffers[2] + ends[at + topic->offset],
        .topic_len = (size_t)(ends[at + topic->offset + 1] - ends[at + topic->offset]),
        .partition = ((const int32_t *)partition->buffers[1])[at + partition->offset],
        .offset = ((const int64_t *)offset->buffers[1])[at + offset->offset],
    };
    return true;
}

static const firn_kafka_message *message_of(const firn_pending *pending, const row_place *place)
{
    for (size_t i = 0; i < pending->kept.len; i++) {
        const firn_kafka_batch *batch = &pending->kept.items[i]->batch;
        for (size_t k = 0; k < batch->n; k++) {
            const firn_kafka_message *m = &batch->messages[k];
            if (m->offset == place->offset && m->partition == place->partition &&
                strlen(m->topic) == place->topic_len &&
                memcmp(m->topic, place->topic, place->topic_len) == 0) {
                return m;
            }
        }
    }
    return NULL;
}

static firn_rc add_letter(search *s, const firn_chunk *chunk, int64_t row, const firn_err *why,
                          firn_err *err)
{
    firn_pending *pending = s->target->pending;
    row_place place;
    const firn_kafka_message *message =
        place_of(chunk, row, &place) ? message_of(pending, &place) : NULL;
    if (message == NULL) {
        FIRN_FAIL(err, FIRN_E_INTERNAL, "the message of a row that does not fit is not there: %s",
                  why->message);
    }
    firn_feed_block block = {.arena = pending->arena};
    firn_letter_add(&block, message, why->code, why->message);
    firn_vec_push(pending->arena, &pending->letters, block.letters.items[0]);
    return FIRN_OK;
}

/* ---- halving ------------------------------------------------------------------------------------------------------ */

static bool is_about_rows(firn_rc rc)
{
    return rc == FIRN_E_TYPE || rc == FIRN_E_CHECK_FAILED;
}

static firn_rc find_bad(search *s, const firn_chunk *chunk, firn_rows rows, firn_err *err)
{
    firn_err own = {0};
    firn_rc rc = firn_write_rows_or_none(s->target, s->arena, &rows, &chunk, 1, false, &own);
    if (rc == FIRN_OK) {
        firn_vec_push(s->arena, &s->rows, rows);
        firn_vec_push(s->arena, &s->chunks, chunk);
        return FIRN_OK;
    }
    if (!is_about_rows(rc)) {
        *err = own;
        return rc;
    }
    if (rows.count == 1) {
        return add_letter(s, chunk, rows.from, &own, err);
    }
    firn_rows left = rows;
    firn_rows right = rows;
    left.count = rows.count / 2;
    right.from += left.count;
    right.count -= left.count;
    FIRN_TRY(find_bad(s, chunk, left, err));
    return find_bad(s, chunk, right, err);
}

firn_rc firn_pending_write_carefully(firn_feed_target *target, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_pending *pending = target->pending;
    search s = {.target = target, .arena = arena};
    firn_err own = {0};
    size_t letters = pending->letters.len;
    firn_rc rc = firn_pending_write(target, &own);
    if (!is_about_rows(rc)) {
        if (rc != FIRN_OK) {
            *err = own;
        }
        return rc;
    }
    for (size_t i = 0; i < pending->chunks.len && rc != FIRN_OK; i++) {
        const firn_chunk *chunk = &pending->chunks.items[i];
        firn_rc found = find_bad(&s, chunk, firn_chunk_view(arena, &target->run->feed, chunk), err);
        if (found != FIRN_OK) {
            pending->letters.len = letters; /* they are found again */
            return found;
        }
    }
    rc =
        firn_write_rows_or_none(target, arena, s.rows.items, s.chunks.items, s.rows.len, true, err);
    if (rc != FIRN_OK) {
        pending->letters.len = letters;
    }
    return rc;
}
