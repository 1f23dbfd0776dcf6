/* Targets: which table a topic's records go to, and the decoder that serves it. */
#include "run.h"

#include <stdlib.h>

/* Topics are called shop.orders-v2; tables had better be called shop_orders_v2. */
static char *as_name(firn_arena *arena, const char *text)
{
    char *name = firn_arena_strdup(arena, text);
    for (char *at = name; *at != '\0'; at++) {
        bool plain = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
                     (*at >= '0' && *at <= '9') || *at == '_' || (*at & 0x80) != 0;
        *at = plain ? *at : '_';
    }
    return name;
}

firn_ident firn_feed_ident(firn_arena *arena, const char *text, const char *variable,
                           const char *value)
{
    char *levels = firn_ns_parse(arena, text);
    if (value != NULL) {
        const char *name = firn_arena_printf(arena, "${%s}", variable);
        levels = firn_str_replace(arena, levels, name, as_name(arena, value));
    }
    char *last = strrchr(levels, FIRN_NS_SEP[0]);
    if (last == NULL) {
        return (firn_ident){.ns = "default", .name = levels};
    }
    *last = '\0';
    return (firn_ident){.ns = levels, .name = last + 1};
}

/* Two topics of one name but for their punctuation would share a table that was meant to be each one's own. */
static firn_rc check_alone(const firn_feed_target *target, const char *topic, firn_err *err)
{
    if (target->topic != NULL && !firn_streq(target->topic, topic)) {
        FIRN_FAIL(err, FIRN_E_CONFIG,
                  "topics %s and %s would both go to table %s; give one of them a feed of its own",
                  target->topic, topic, target->text);
    }
    return FIRN_OK;
}

firn_rc firn_target_of_topic(firn_feed_run *run, const char *topic, firn_feed_target **out,
                             firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    bool each = strstr(run->feed.table, "${topic}") != NULL;
    firn_ident ident = firn_feed_ident(arena, run->feed.table, "topic", each ? topic : NULL);
    for (firn_feed_target *at = run->targets; at != NULL; at = at->next) {
        if (firn_streq(at->ident.ns, ident.ns) && firn_streq(at->ident.name, ident.name)) {
            FIRN_TRY(check_alone(at, topic, err));
            *out = at;
            return FIRN_OK;
        }
    }
    firn_feed_target *target = firn_calloc(1, sizeof(*target));
    *target = (firn_feed_target){
        .run = run,
        .next = run->targets,
        .ident = {.ns = firn_strdup(ident.ns), .name = firn_strdup(ident.name)},
        .text = firn_strdup(firn_ident_text(arena, ident)),
        .topic = each ? firn_strdup(topic) : NULL,
        .streams = firn_feed_streams(&run->feed),
        .checked_schema_id = -1,
    };
    run->targets = target;
    *out = target;
    return FIRN_OK;
}

/* Of JSON whose columns are inferred: those that the table has already. */
static firn_rc known_columns(firn_feed_target *target, firn_arena *arena, const char **out,
                             firn_err *err)
{
    const firn_feed *feed = &target->run->feed;
    bool is_inferred = (feed->value.payload == FIRN_PAYLOAD_JSON && feed->value.schema == NULL) ||
                       feed->value.payload == FIRN_PAYLOAD_AUTO;
    firn_table table;
    firn_err own = {0};
    *out = NULL;
    if (!is_inferred || feed->transform != NULL || feed->mode == FIRN_FEED_DEBEZIUM) {
        return FIRN_OK;
    }
    firn_rc rc = firn_catalog_table_load(firn_lake_catalog(target->run->lake), arena, feed->ref,
                                         target->ident, &table, &own);
    if (rc == FIRN_OK) {
        *out = firn_known_columns(arena, table.metadata->schema, feed);
    } else if (rc != FIRN_E_NO_TABLE && rc != FIRN_E_NO_NAMESPACE) {
        *err = own;
        return rc;
    }
    return FIRN_OK;
}

firn_rc firn_target_decoder(firn_feed_target *target, bool careful, firn_decoder **out,
                            firn_err *err)
{
    const firn_feed *feed = &target->run->feed;
    firn_decoder **decoder = careful ? &target->careful_decoder : &target->decoder;
    if (*decoder == NULL) {
        FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
        firn_payload_options value = feed->value;
        /* A key that goes nowhere is not decoded, and cannot be wrong. */
        bool with_key = feed->key_column != NULL || feed->mode != FIRN_FEED_APPEND;
        FIRN_TRY(known_columns(target, arena, &value.known, err));
        const firn_decoder_options options = {
            .registry = target->run->registry,
            .value = value,
            .key =
                with_key ? feed->key_payload : (firn_payload_options){.payload = FIRN_PAYLOAD_NONE},
            .with_metadata =
                careful || feed->kafka_column != NULL || feed->mode != FIRN_FEED_APPEND,
            .with_tombstones = feed->mode != FIRN_FEED_APPEND,
        };
        FIRN_TRY(firn_decoder_new(&options, decoder, err));
    }
    *out = *decoder;
    return FIRN_OK;
}

/* ---- letting go ------------------------------------------------------------------------------------------- */

void firn_kept_unref(firn_feed_run *run, firn_kept_batch *kept)
{
    pthread_mutex_lock(&run->lock);
    bool last = --kept->refs == 0;
    pthread_mutex_unlock(&run->lock);
    if (last) {
        firn_kafka_batch_free(&kept->batch);
        free(kept);
    }
}

void firn_block_free(firn_feed_run *run, firn_feed_block *block)
{
    if (block == NULL) {
        return;
    }
    for (size_t i = 0; i < block->kept.len; i++) {
        firn_kept_unref(run, block->kept.items[i]);
    }
    firn_chunks_free(block->chunks, block->n_chunks);
    firn_arena_free(block->arena);
    free(block);
}

void firn_targets_free(firn_feed_run *run)
{
    for (firn_feed_target *target = run->targets, *next; target != NULL; target = next) {
        next = target->next;
        firn_decoder_free(target->decoder);
        firn_decoder_free(target->careful_decoder);
        firn_block_free(run, target->open);
        free((char *)target->ident.ns);
        free((char *)target->ident.name);
        free(target->text);
        free(target->topic);
        free(target->table_uuid);
        free(target);
    }
    run->targets = NULL;
    for (size_t i = 0; i < run->n_topics; i++) {
        free(run->topics[i].topic);
        free(run->topics[i].partitions);
    }
    free(run->topics);
    run->topics = NULL;
    run->n_topics = 0;
}
