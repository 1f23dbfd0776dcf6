/* Repair by hand: where a feed goes on from.
 *
 * The offsets are the table's property; this changes it, in a commit of its own, and forgets which cluster they were of. A feed whose
 * table is gone has no place for them: then they wait in .firn/ingest/<feed>.start until the table is made, and the first commit uses
 * them up.
 */
#include "run.h"

#include "base/io.h"
#include "base/log.h"
#include "base/time.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

enum { START_BYTES_MAX = 16 << 20 };

/* ---- feeds without a table ------------------------------------------------------------------------------------------ */

static char *start_path(firn_lake *lake, firn_arena *arena, const char *feed)
{
    return firn_lake_path(lake, arena, firn_arena_printf(arena, ".firn/ingest/%s.start", feed));
}

firn_rc firn_place_of_new(firn_lake *lake, firn_arena *arena, const char *feed, firn_offset **out,
                          size_t *n, firn_err *err)
{
    const char *path = start_path(lake, arena, feed);
    firn_bytes text;
    *out = NULL;
    *n = 0;
    if (!firn_path_exists(path)) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_file_read(arena, path, START_BYTES_MAX, &text, err));
    firn_metadata stand_in = {
        .properties = firn_json_own(arena, json_pack("{s:s}", firn_offsets_property(arena, feed),
                                                     (const char *)text.data))};
    firn_rc rc = firn_offsets_read(arena, &stand_in, feed, out, n, err);
    return rc == FIRN_OK ? FIRN_OK : firn_err_wrap(err, rc, "%s", path);
}

void firn_place_of_new_used(firn_lake *lake, const char *feed)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    unlink(start_path(lake, arena, feed));
}

/* ---- which offsets --------------------------------------------------------------------------------------------------- */

typedef struct resume_job {
    firn_lake *lake;
    firn_arena *arena;
    const firn_feed *feed;
    firn_kafka *kafka;
    firn_kafka_partition *partitions;
    size_t n;
    const char *text; /* the new property of the table being changed */
    firn_ident ident;
    FIRN_VEC(firn_feed_range) ranges; /* of that table */
} resume_job;

static firn_rc parse_place(resume_job *job, const char *text, firn_err *err)
{
    char *copy = firn_arena_strdup(job->arena, text);
    char *equals = strrchr(copy, '=');
    char *colon = NULL;
    int64_t offset = 0;
    int64_t partition = 0;
    if (equals != NULL) {
        *equals = '\0';
        colon = strrchr(copy, ':');
    }
    if (colon == NULL || !firn_parse_i64(colon + 1, &partition) ||
        !firn_parse_i64(equals + 1, &offset) || offset < 0) {
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "\"%s\" is no place to resume from: earliest, latest, committed, a time, or "
                  "topic:partition=offset",
                  text);
    }
    *colon = '\0';
    for (size_t i = 0; i < job->n; i++) {
        if (firn_streq(job->partitions[i].topic, copy) &&
            job->partitions[i].partition == partition) {
            job->partitions[i].offset = offset;
            return FIRN_OK;
        }
    }
    FIRN_FAIL(err, FIRN_E_NOT_FOUND, "feed %s has no partition %" PRId64 " of topic %s",
              job->feed->name, partition, copy);
}

static firn_rc parse_places(resume_job *job, const char *from, firn_err *err)
{
    size_t n;
    char **places = firn_str_split(job->arena, from, ',', &n);
    for (size_t i = 0; i < job->n; i++) {
        job->partitions[i].offset = -1;
    }
    for (size_t i = 0; i < n; i++) {
        FIRN_TRY(parse_place(job, firn_str_trim(job->arena, places[i]), err));
    }
    return FIRN_OK;
}

static firn_rc choose_offsets(resume_job *job, const char *from, firn_err *err)
{
    int64_t us;
    if (firn_streq(from, "committed")) {
        return firn_kafka_committed(job->kafka, job->feed->group, job->partitions, job->n, err);
    }
    if (firn_parse_timestamp(from, &us, NULL)) {
        return firn_kafka_offsets_at(job->kafka, us / 1000, job->partitions, job->n, err);
    }
    if (!firn_streq(from, "earliest") && !firn_streq(from, "latest")) {
        return parse_places(job, from, err);
    }
    for (size_t i = 0; i < job->n; i++) {
        firn_kafka_partition *at = &job->partitions[i];
        at->offset = firn_streq(from, "latest") ? at->high : at->low;
    }
    return FIRN_OK;
}

/* ---- changing them ------------------------------------------------------------------------------------------------------ */

static firn_rc build(void *ctx, firn_arena *arena, const firn_table *base, json_t *updates,
                     json_t *requirements, firn_err *err)
{
    resume_job *job = ctx;
    firn_offset *held = NULL;
    size_t n = 0;
    (void)requirements;
    if (firn_offsets_read(arena, base->metadata, job->feed->name, &held, &n, NULL) != FIRN_OK) {
        n = 0; /* nonsense is what a repair is for */
    }
    const char *text = firn_offsets_text(arena, held, n, job->ranges.items, job->ranges.len);
    json_t *properties = firn_json_own(arena, json_object());
    json_object_set_new(properties, firn_offsets_property(arena, job->feed->name),
                        json_string(text));
    firn_update_set_properties(updates, properties);
    const char *cluster = firn_cluster_property(arena, job->feed->name);
    if (firn_metadata_property(base->metadata, cluster, NULL) != NULL) {
        firn_update_remove_properties(updates, &cluster, 1);
    }
    (void)err;
    return FIRN_OK;
}

static firn_rc keep_for_new_table(resume_job *job, firn_err *err)
{
    firn_offset *held = NULL;
    size_t n = 0;
    FIRN_TRY(firn_place_of_new(job->lake, job->arena, job->feed->name, &held, &n, err));
    const char *text = firn_offsets_text(job->arena, held, n, job->ranges.items, job->ranges.len);
    const char *path = start_path(job->lake, job->arena, job->feed->name);
    FIRN_TRY(firn_mkdir_p(firn_path_dirname(job->arena, path), 0755, err));
    return firn_file_write_atomic(path, firn_bytes_str(text), 0644, err);
}

static firn_rc change_table(resume_job *job, firn_err *err)
{
    firn_table table;
    firn_err own = {0};
    firn_catalog *catalog = firn_lake_catalog(job->lake);
    firn_rc rc =
        firn_catalog_table_load(catalog, job->arena, job->feed->ref, job->ident, &table, &own);
    if (rc == FIRN_E_NO_TABLE || rc == FIRN_E_NO_NAMESPACE) {
        return keep_for_new_table(job, err);
    }
    const firn_table_builder builder = {.ident = job->ident, .build = build, .ctx = job};
    const firn_commit_info info = {
        .message =
            firn_arena_printf(job->arena, "feed %s: resume from other offsets", job->feed->name)};
    return firn_catalog_commit_tables(catalog, job->arena, job->feed->ref, &builder, 1, &info, NULL,
                                      err);
}

/* Partitions of one topic after the other: each topic's table. */
static firn_rc change_tables(resume_job *job, firn_err *err)
{
    bool each = strstr(job->feed->table, "${topic}") != NULL;
    for (size_t i = 0; i < job->n;) {
        size_t end = i;
        job->ranges.len = 0;
        while (end < job->n &&
               (!each || firn_streq(job->partitions[end].topic, job->partitions[i].topic))) {
            const firn_kafka_partition *at = &job->partitions[end++];
            if (at->offset >= 0) {
                const firn_feed_range range = {
                    .topic = at->topic, .partition = at->partition, .to = at->offset};
                firn_vec_push(job->arena, &job->ranges, range);
            }
        }
        job->ident = firn_feed_ident(job->arena, job->feed->table, "topic",
                                     each ? job->partitions[i].topic : NULL);
        if (job->ranges.len > 0) {
            FIRN_TRY(change_table(job, err));
        }
        i = end;
    }
    return FIRN_OK;
}

firn_rc firn_ingest_resume(firn_engine *engine, const firn_resume_options *options, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_lake *lake = firn_engine_lake(engine);
    firn_feed feed;
    FIRN_TRY(firn_feed_load(lake, arena, options->feed, &feed, err));
    resume_job job = {.lake = lake, .arena = arena, .feed = &feed};
    FIRN_TRY(firn_feed_kafka(lake, &feed, &job.kafka, err));
    firn_rc rc = firn_kafka_partitions(job.kafka, arena, feed.topics, feed.n_topics,
                                       &job.partitions, &job.n, err);
    if (rc == FIRN_OK) {
        rc = choose_offsets(&job, options->from, err);
    }
    firn_kafka_free(job.kafka);
    FIRN_TRY(rc);
    if (job.n == 0) {
        FIRN_FAIL(err, FIRN_E_NOT_FOUND, "no topic of source %s matches those of feed %s",
                  feed.source, feed.name);
    }
    FIRN_TRY(change_tables(&job, err));
    firn_status_forget(lake, feed.name); /* why it had stopped */
    return FIRN_OK;
}
