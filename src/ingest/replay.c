/* Dead letters through their feed again: read, repair, decode, write, commit. See replay.h for what the commit guarantees.
 *
 * The feed's own machinery does the work, in the mode that looks for bad rows (careful.c): the letters' messages are put where it keeps
 * messages, and what it finds are the letters that failed again. A record that is in a table twice over (its letter is there, and after
 * `firn ingest resume` it was read once more and fitted) is not noticed; neither is, with upserts, that its key has changed since.
 */
#include "replay.h"

#include "base/log.h"
#include "base/map.h"

#include <stdlib.h>

/* ---- the feed, standing still --------------------------------------------------------------------------------------- */

static void close_run(firn_feed_run *run)
{
    firn_targets_free(run);
    firn_session_free(run->session);
    firn_registry_free(run->registry);
    firn_arena_free(run->back_arena);
    pthread_cond_destroy(&run->changed);
    pthread_mutex_destroy(&run->lock);
    firn_arena_free(run->arena);
}

/* In a dry run no schema changes and no table is made. A letter whose schema is no safe change has failed; the others have not. */
static firn_rc open_run(firn_feed_run *run, firn_engine *engine, const firn_replay_options *options,
                        firn_err *err)
{
    *run = (firn_feed_run){.engine = engine,
                           .lake = firn_engine_lake(engine),
                           .arena = firn_arena_new(),
                           .back_arena = firn_arena_new()};
    pthread_mutex_init(&run->lock, NULL);
    pthread_cond_init(&run->changed, NULL);
    FIRN_TRY(firn_feed_load(run->lake, run->arena, options->feed, &run->feed, err));
    run->feed.unsafe_to_dead_letters = true;
    if (options->dry_run) {
        run->feed.evolve = false;
        run->feed.route_by = NULL;
    }
    FIRN_TRY(firn_feed_registry(run->lake, &run->feed, &run->registry, err));
    return firn_session_new(engine, run->feed.ref, &run->session, err);
}

/* ---- decoding ------------------------------------------------------------------------------------------------------- */

/* Messages of one target: the letters behind them by number. */
typedef struct decoding {
    replay_job *job;
    firn_kafka_message *messages; /* with repaired values; `handle` is the letter */
    size_t n;
} decoding;

static firn_rc letter_headers(const firn_kafka_message *message, firn_arena *arena,
                              firn_kafka_header **out, size_t *n, firn_err *err)
{
    (void)arena;
    (void)err;
    const replay_letter *letter = message->handle;
    *out = letter->headers;
    *n = letter->n_headers;
    return FIRN_OK;
}

static void fail_letter(replay_job *job, replay_letter *letter, firn_rc code, const char *why)
{
    letter->failed = true;
    letter->code = code;
    letter->why = firn_arena_strdup(job->arena, why);
}

static void not_decodable(void *ctx, const firn_kafka_message *message, const firn_err *why)
{
    decoding *d = ctx;
    fail_letter(d->job, message->handle, why->code, why->message);
}

static void take_chunks(firn_decoder *decoder, firn_pending *pending)
{
    firn_chunk *chunks = NULL;
    size_t n = 0;
    firn_decoder_take(decoder, &chunks, &n);
    for (size_t i = 0; i < n; i++) {
        firn_vec_push(pending->arena, &pending->chunks, chunks[i]);
    }
    free(chunks); /* the chunks themselves have moved */
}

static firn_rc decode_all(decoding *d, firn_decoder *decoder, firn_pending *pending, firn_err *err)
{
    for (size_t at = 0; at < d->n;) {
        size_t taken = 0;
        firn_err own = {0};
        firn_rc rc =
            firn_decoder_add(decoder, d->messages + at, d->n - at, not_decodable, d, &taken, &own);
        at += taken;
        if (rc == FIRN_E_LIMIT && (taken > 0 || firn_decoder_rows(decoder) > 0)) {
            take_chunks(decoder, pending);
        } else if (rc != FIRN_OK) {
            *err = own;
            return rc;
        }
    }
    take_chunks(decoder, pending);
    return FIRN_OK;
}

static firn_rc decode(decoding *d, firn_feed_target *target, firn_err *err)
{
    const firn_feed *feed = &target->run->feed;
    const firn_decoder_options options = {
        .registry = target->run->registry,
        .value = feed->value,
        .key = feed->key_payload,
        .with_metadata = true, /* a row finds its letter by it */
        .with_tombstones = feed->mode != FIRN_FEED_APPEND,
        .headers = letter_headers,
    };
    firn_decoder *decoder = NULL;
    FIRN_TRY(firn_decoder_new(&options, &decoder, err));
    firn_rc rc = decode_all(d, decoder, target->pending, err);
    firn_decoder_free(decoder);
    return rc;
}

/* ---- writing -------------------------------------------------------------------------------------------------------- */

static int by_place(const void *a, const void *b)
{
    const firn_kafka_message *x = a;
    const firn_kafka_message *y = &((const replay_letter *)b)->message;
    int order = strcmp(x->topic, y->topic);
    if (order == 0) {
        order = (x->partition > y->partition) - (x->partition < y->partition);
    }
    return order != 0 ? order : (x->offset > y->offset) - (x->offset < y->offset);
}

/* What did not fit its table. Letters are in order of their places; of those of one place the first is the one. */
static firn_rc take_back(replay_job *job, const firn_pending *pending, firn_err *err)
{
    for (size_t i = 0; i < pending->letters.len; i++) {
        const firn_letter *bad = &pending->letters.items[i];
        replay_letter *letter = bsearch(&bad->message, job->letters.items, job->letters.len,
                                        sizeof(job->letters.items[0]), by_place);
        if (letter == NULL) {
            FIRN_FAIL(err, FIRN_E_INTERNAL,
                      "a row that does not fit is none of the dead letters: %s", bad->why);
        }
        while (letter->again) {
            letter--;
        }
        fail_letter(job, letter, bad->code, bad->why);
    }
    return FIRN_OK;
}

/* A target that the letters lead to must have its table: making it anew would be another table than the feed's. */
static firn_rc find_table(replay_job *job, firn_feed_target *target, firn_err *err)
{
    firn_table table;
    firn_rc rc = firn_catalog_table_load(firn_lake_catalog(job->run->lake), job->arena,
                                         job->run->feed.ref, target->ident, &table, err);
    if (rc != FIRN_OK) {
        return firn_err_wrap(err, rc, "the dead letters of feed %s stay where they are",
                             job->run->feed.name);
    }
    if (target->table_uuid == NULL) {
        target->table_uuid = firn_strdup(table.metadata->table_uuid);
    }
    return FIRN_OK;
}

static void open_pending(replay_job *job, firn_feed_target *target, const decoding *d)
{
    firn_arena *arena = firn_arena_new();
    firn_pending *pending = FIRN_NEW(arena, firn_pending);
    firn_kept_batch *kept = FIRN_NEW(arena, firn_kept_batch);
    pending->arena = arena;
    pending->careful = true;
    kept->batch.messages = FIRN_NEW_N(arena, firn_kafka_message, d->n);
    kept->batch.n = d->n;
    for (size_t i = 0; i < d->n; i++) {
        kept->batch.messages[i] = d->messages[i];
        kept->batch.messages[i].handle = NULL; /* it is no message of a broker's */
    }
    firn_vec_push(arena, &pending->kept, kept);
    target->pending = pending;
    (void)job;
}

/* Let go of what was written; keep_files: a commit holds them, or may. */
static void close_pending(firn_feed_target *target, bool keep_files)
{
    firn_pending *pending = target->pending;
    if (pending == NULL) {
        return;
    }
    for (size_t i = 0; i < pending->chunks.len; i++) {
        firn_chunk *chunk = &pending->chunks.items[i];
        chunk->schema.release(&chunk->schema);
        chunk->array.release(&chunk->array);
        free((char *)chunk->subject);
    }
    for (size_t i = 0; i < pending->tables.len && !keep_files; i++) {
        firn_pending_table_drop(target->run->session, pending->tables.items[i]);
    }
    target->pending = NULL;
    firn_arena_free(pending->arena);
}

static firn_rc write_target(replay_job *job, firn_feed_target *target, decoding *d, firn_err *err)
{
    FIRN_TRY(find_table(job, target, err));
    open_pending(job, target, d);
    FIRN_TRY(decode(d, target, err));
    if (target->pending->chunks.len == 0) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_pending_write_carefully(target, err));
    return take_back(job, target->pending, err);
}

static firn_rc write_targets(replay_job *job, firn_err *err)
{
    firn_arena *arena = job->arena;
    size_t n = job->letters.len;
    firn_feed_target **target_of = FIRN_NEW_N(arena, firn_feed_target *, n);
    for (size_t i = 0; i < n; i++) {
        const replay_letter *before = i > 0 ? &job->letters.items[i - 1] : NULL;
        const firn_kafka_message *message = &job->letters.items[i].message;
        if (before != NULL && before->message.topic == message->topic) {
            target_of[i] = target_of[i - 1];
        } else {
            FIRN_TRY(firn_target_of_topic(job->run, message->topic, &target_of[i], err));
        }
    }
    for (firn_feed_target *target = job->run->targets; target != NULL; target = target->next) {
        decoding d = {.job = job, .messages = FIRN_NEW_N(arena, firn_kafka_message, n)};
        for (size_t i = 0; i < n; i++) {
            replay_letter *letter = &job->letters.items[i];
            if (target_of[i] == target && !letter->again) {
                firn_kafka_message *message = &d.messages[d.n++];
                *message = letter->message;
                message->value = letter->value;
                message->handle = letter;
            }
        }
        if (d.n > 0) {
            FIRN_TRY(write_target(job, target, &d, err));
        }
    }
    return FIRN_OK;
}

/* ---- one table of dead letters ---------------------------------------------------------------------------------------- */

static void count(const replay_job *job, firn_replay_result *out)
{
    for (size_t i = 0; i < job->letters.len; i++) {
        const replay_letter *letter = &job->letters.items[i];
        if (!letter->again) {
            out->tried++;
            out->failed += letter->failed;
            out->replayed += !letter->failed;
        }
    }
}

static firn_rc write_and_commit(replay_job *job, bool *lost, firn_err *err)
{
    FIRN_TRY(firn_replay_read(job, err));
    if (job->letters.len == 0) {
        return FIRN_OK;
    }
    FIRN_TRY(write_targets(job, err));
    if (job->options->dry_run) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_replay_keep(job, err));
    FIRN_TRY(firn_fault_point("replay.files_written", job->run->feed.name, err));
    return firn_replay_commit(job, lost, err);
}

static firn_rc replay_letters_of(replay_job *job, bool *lost, firn_replay_result *out,
                                 firn_err *err)
{
    *lost = false;
    firn_err own = {0};
    firn_rc rc = firn_catalog_table_load(firn_lake_catalog(job->run->lake), job->arena,
                                         job->run->feed.ref, job->ident, &job->dead, &own);
    if (rc == FIRN_E_NO_TABLE || rc == FIRN_E_NO_NAMESPACE ||
        (rc == FIRN_OK && job->dead.metadata->current_snapshot == NULL)) {
        return FIRN_OK; /* no letter was ever written */
    }
    if (rc == FIRN_OK) {
        rc = write_and_commit(job, lost, &own);
    }
    bool keep_files = (rc == FIRN_OK && !job->options->dry_run) || own.outcome_unknown;
    for (firn_feed_target *at = job->run->targets; at != NULL; at = at->next) {
        close_pending(at, keep_files);
    }
    if (!keep_files && job->kept.files.len > 0) {
        firn_rows_discard(job->run->session, &job->kept);
    }
    if (rc != FIRN_OK) {
        *err = own;
        return rc;
    }
    count(job, out);
    return FIRN_OK;
}

static firn_rc replay_table(firn_feed_run *run, const firn_replay_options *options,
                            firn_ident ident, firn_replay_result *out, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    bool lost = false;
    replay_job job = {.run = run,
                      .arena = arena,
                      .options = options,
                      .ident = ident,
                      .text = firn_ident_text(arena, ident)};
    firn_rc rc = replay_letters_of(&job, &lost, out, err);
    if (lost) {
        FIRN_FAIL(
            err, FIRN_E_VALIDATION,
            "the dead letters in %s were changed while they were replayed, most likely by another "
            "replay; this one has changed nothing: run it again for what is left",
            job.text);
    }
    return rc;
}

/* ---- all of them -------------------------------------------------------------------------------------------------------- */

/* With ${topic} there is one per topic: the tables that say of themselves that this feed fills them. */
static firn_rc tables_by_topic(firn_feed_run *run, firn_arena *arena, firn_ident **out, size_t *n,
                               firn_err *err)
{
    firn_catalog *catalog = firn_lake_catalog(run->lake);
    firn_catalog_entry *entries = NULL;
    size_t n_entries = 0;
    FIRN_VEC(firn_ident) found = {0};
    const char *property = firn_offsets_property(arena, run->feed.name);
    FIRN_TRY(firn_catalog_list(catalog, arena, run->feed.ref, FIRN_KIND_TABLE, NULL, &entries,
                               &n_entries, err));
    for (size_t i = 0; i < n_entries; i++) {
        firn_table table;
        if (!firn_ends_with(entries[i].ident.name, "__dead_letters")) {
            continue;
        }
        FIRN_TRY(
            firn_catalog_table_load(catalog, arena, run->feed.ref, entries[i].ident, &table, err));
        if (firn_metadata_property(table.metadata, property, NULL) != NULL) {
            firn_vec_push(arena, &found, entries[i].ident);
        }
    }
    *out = found.items;
    *n = found.len;
    return FIRN_OK;
}

static firn_rc find_tables(firn_feed_run *run, firn_arena *arena, firn_ident **out, size_t *n,
                           firn_err *err)
{
    const firn_feed *feed = &run->feed;
    if (feed->dead_letters == NULL && strstr(feed->table, "${topic}") != NULL) {
        return tables_by_topic(run, arena, out, n, err);
    }
    firn_ident anchor = firn_feed_ident(arena, feed->table, "topic", NULL);
    *out = FIRN_NEW(arena, firn_ident);
    **out = firn_dead_letters_ident(arena, feed, anchor);
    *n = 1;
    return FIRN_OK;
}

firn_rc firn_ingest_replay(firn_engine *engine, const firn_replay_options *options,
                           firn_replay_result *out, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_feed_run run;
    firn_ident *tables = NULL;
    size_t n = 0;
    *out = (firn_replay_result){0};
    firn_rc rc = open_run(&run, engine, options, err);
    if (rc == FIRN_OK) {
        rc = find_tables(&run, arena, &tables, &n, err);
    }
    for (size_t i = 0; i < n && rc == FIRN_OK; i++) {
        rc = replay_table(&run, options, tables[i], out, err);
    }
    close_run(&run);
    return rc;
}
