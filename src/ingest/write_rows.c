/* Rows of a pending commit into files of the target's tables: tables are found or made, schemas evolve, routes part the rows.
 *
 * Nothing is committed here but tables and schemas themselves, which may well be there without rows.
 */
#include "write_rows.h"

#include "base/log.h"

#include <inttypes.h>
#include <stdlib.h>

enum { ROUTES_MAX = 1000, CREATE_TRIES = 5 };

/* ---- what the engine sees of a chunk --------------------------------------------------------------------------- */

/* Name under which a column of the decoder's goes on; NULL: not at all. */
static const char *shown_name(const firn_feed *feed, const char *name)
{
    if (firn_streq(name, "_key")) {
        return feed->mode == FIRN_FEED_APPEND ? feed->key_column : name;
    }
    if (firn_streq(name, "_kafka")) {
        return feed->mode == FIRN_FEED_APPEND ? feed->kafka_column : name;
    }
    return name;
}

/* A borrowed look at the chunk: its columns without those that the feed does not want, under the feed's names. */
static firn_rows view_of(firn_arena *arena, const firn_feed *feed, const firn_chunk *chunk)
{
    size_t n = (size_t)chunk->schema.n_children;
    struct ArrowSchema *schema = firn_arena_memdup(arena, &chunk->schema, sizeof(*schema));
    struct ArrowArray *array = firn_arena_memdup(arena, &chunk->array, sizeof(*array));
    schema->children = FIRN_NEW_N(arena, struct ArrowSchema *, n);
    array->children = FIRN_NEW_N(arena, struct ArrowArray *, n);
    schema->n_children = 0;
    for (size_t i = 0; i < n; i++) {
        struct ArrowSchema *column = chunk->schema.children[i];
        const char *name = shown_name(feed, column->name);
        if (name == NULL) {
            continue;
        }
        if (!firn_streq(name, column->name)) {
            column = firn_arena_memdup(arena, column, sizeof(*column));
            column->name = name;
        }
        array->children[schema->n_children] = chunk->array.children[i];
        schema->children[schema->n_children++] = column;
    }
    array->n_children = schema->n_children;
    return (firn_rows){.schema = schema, .array = array, .from = 0, .count = chunk->rows};
}

static uint64_t schema_hash(const struct ArrowSchema *schema, uint64_t seed)
{
    uint64_t hash = firn_hash64(schema->format, strlen(schema->format), seed);
    const char *name = schema->name != NULL ? schema->name : "";
    hash = firn_hash64(name, strlen(name), hash + (uint64_t)schema->flags);
    for (int64_t i = 0; i < schema->n_children; i++) {
        hash = schema_hash(schema->children[i], hash);
    }
    return hash;
}

/* ---- tables ------------------------------------------------------------------------------------------------------ */

static firn_pending_table *pending_table(firn_pending *pending, firn_ident ident)
{
    for (size_t i = 0; i < pending->tables.len; i++) {
        firn_pending_table *at = pending->tables.items[i];
        if (firn_streq(at->ident.ns, ident.ns) && firn_streq(at->ident.name, ident.name)) {
            return at;
        }
    }
    firn_pending_table *table = FIRN_NEW(pending->arena, firn_pending_table);
    table->ident = (firn_ident){.ns = firn_arena_strdup(pending->arena, ident.ns),
                                .name = firn_arena_strdup(pending->arena, ident.name)};
    table->text = firn_ident_text(pending->arena, ident);
    table->schema_id = -2;
    firn_vec_push(pending->arena, &pending->tables, table);
    return table;
}

static firn_rc add_missing_namespaces(write_job *job, firn_changes *changes, firn_err *err)
{
    firn_arena *arena = job->arena;
    firn_catalog *catalog = firn_lake_catalog(job->run->lake);
    size_t n;
    char **levels = firn_str_split(arena, job->ident.ns, FIRN_NS_SEP[0], &n);
    for (size_t i = 1; i <= n; i++) {
        const char *ns = firn_str_join(arena, (const char *const *)levels, i, FIRN_NS_SEP);
        json_t *properties = NULL;
        firn_err own = {0};
        firn_rc rc = firn_catalog_namespace_properties(catalog, arena, job->run->feed.ref, ns,
                                                       &properties, &own);
        if (rc == FIRN_E_NO_NAMESPACE) {
            const firn_change change = {.kind = FIRN_CHANGE_CREATE_NAMESPACE, .ident = {.ns = ns}};
            firn_vec_push(arena, changes, change);
        } else if (rc != FIRN_OK) {
            *err = own;
            return rc;
        }
    }
    return FIRN_OK;
}

static firn_rc create_table(write_job *job, firn_err *err)
{
    const firn_feed *feed = &job->run->feed;
    firn_changes changes = {0};
    json_t *updates = NULL;
    FIRN_TRY(add_missing_namespaces(job, &changes, err));
    FIRN_TRY(firn_feed_table_updates(job, &updates, err));
    json_t *requirements = firn_json_own(job->arena, json_array());
    firn_require_create(requirements);
    const firn_change create = {.kind = FIRN_CHANGE_CREATE_TABLE,
                                .ident = job->ident,
                                .requirements = requirements,
                                .updates = updates};
    firn_vec_push(job->arena, &changes, create);
    const firn_commit_info info = {
        .message = firn_arena_printf(job->arena, "feed %s: create %s", feed->name, job->text)};
    firn_err own = {0};
    firn_rc rc = firn_catalog_commit(firn_lake_catalog(job->run->lake), job->arena, feed->ref,
                                     changes.items, changes.len, &info, NULL, &own);
    if (rc == FIRN_OK) {
        firn_log(FIRN_LOG_INFO, "ingest", "feed %s: made table %s", feed->name, job->text);
    } else if (rc != FIRN_E_EXISTS && rc != FIRN_E_CONFLICT) { /* else another process was faster */
        *err = own;
        return rc;
    }
    return FIRN_OK;
}

static firn_rc load_table(write_job *job, firn_err *err)
{
    FIRN_TRY(firn_catalog_table_load(firn_lake_catalog(job->run->lake), job->arena,
                                     job->run->feed.ref, job->ident, &job->table, err));
    job->metadata = job->table.metadata;
    return FIRN_OK;
}

/* An anchor that was seen once and is not there, or is another, was dropped. */
static firn_rc check_same_table(write_job *job, firn_err *err)
{
    firn_feed_target *target = job->target;
    const char *uuid = job->metadata != NULL ? job->metadata->table_uuid : NULL;
    if (!job->is_anchor) {
        return FIRN_OK;
    }
    if (target->table_uuid != NULL && (uuid == NULL || !firn_streq(uuid, target->table_uuid))) {
        FIRN_FAIL(err, FIRN_E_NO_TABLE, "table %s was dropped%s while feed %s filled it", job->text,
                  uuid != NULL ? " and made anew" : "", job->run->feed.name);
    }
    if (target->table_uuid == NULL && uuid != NULL) {
        target->table_uuid = firn_strdup(uuid);
    }
    return FIRN_OK;
}

static firn_rc find_or_make_table(write_job *job, firn_err *err)
{
    firn_err own = {0};
    firn_rc rc = load_table(job, &own);
    if (rc != FIRN_OK && rc != FIRN_E_NO_TABLE && rc != FIRN_E_NO_NAMESPACE) {
        *err = own;
        return rc;
    }
    FIRN_TRY(check_same_table(job, err));
    if (rc != FIRN_OK && job->n_rows == 0) {
        job->metadata = NULL;
        return FIRN_OK; /* no rows: nobody can say what its columns would be */
    }
    /* Another feed may have been faster with the namespace alone: then our table is still not there. */
    for (int tries = 0; rc != FIRN_OK && tries < CREATE_TRIES; tries++) {
        FIRN_TRY(create_table(job, err));
        own = (firn_err){0};
        rc = load_table(job, &own);
    }
    if (rc != FIRN_OK) {
        *err = own;
        return rc;
    }
    return check_same_table(job, err);
}

/* ---- schemas ------------------------------------------------------------------------------------------------------- */

static bool nullability_is_known(const firn_feed *feed)
{
    bool by_sql = feed->transform != NULL || feed->mode != FIRN_FEED_APPEND;
    bool inferred = feed->value.payload == FIRN_PAYLOAD_AUTO ||
                    (feed->value.payload == FIRN_PAYLOAD_JSON && feed->value.schema == NULL);
    return !inferred && !by_sql;
}

typedef struct evolve_job {
    const write_job *job;
    const firn_schema *records;
} evolve_job;

static firn_rc evolve(const write_job *job, firn_arena *arena, const firn_metadata *metadata,
                      const firn_schema *records, firn_evolution *out, firn_err *err)
{
    const firn_feed *feed = &job->run->feed;
    firn_evolve_options options = {.nullability_known = nullability_is_known(feed)};
    if (job->changes != NULL) {
        options.key = job->changes->key;
        options.n_key = job->changes->n_key;
    }
    return firn_evolve(arena, metadata, records, &options, out, err);
}

static firn_rc build_evolution(void *ctx, firn_arena *arena, const firn_table *base,
                               json_t *updates, json_t *requirements, firn_err *err)
{
    const evolve_job *e = ctx;
    firn_evolution evolution;
    FIRN_TRY(evolve(e->job, arena, base->metadata, e->records, &evolution, err));
    json_array_extend(updates, evolution.updates);
    json_array_extend(requirements, evolution.requirements);
    return FIRN_OK;
}

static firn_rc refuse_unsafe(const write_job *job, const firn_chunk *chunk,
                             const firn_evolution *evolution, firn_err *err)
{
    const firn_feed *feed = &job->run->feed;
    firn_rc code = feed->unsafe_to_dead_letters ? FIRN_E_TYPE : FIRN_E_VALIDATION;
    FIRN_FAIL(err, code, "records%s%s cannot go into table %s by a safe change of its schema: %s",
              chunk != NULL && chunk->subject != NULL ? " of schema " : "",
              chunk != NULL && chunk->subject != NULL ? chunk->subject : "", job->text,
              firn_str_join(job->arena, evolution->unsafe, evolution->n_unsafe, "; "));
}

static firn_rc fit_schema(write_job *job, const firn_chunk *chunk, const firn_schema *records,
                          firn_err *err)
{
    firn_evolution evolution;
    FIRN_TRY(evolve(job, job->arena, job->metadata, records, &evolution, err));
    if (evolution.n_unsafe > 0) {
        return refuse_unsafe(job, chunk, &evolution, err);
    }
    if (json_array_size(evolution.updates) == 0) {
        return FIRN_OK;
    }
    evolve_job e = {.job = job, .records = records};
    const firn_table_builder builder = {.ident = job->ident, .build = build_evolution, .ctx = &e};
    const char *changes = firn_str_join(job->arena, evolution.changes, evolution.n_changes, ", ");
    const firn_commit_info info = {.message =
                                       firn_arena_printf(job->arena, "feed %s: %s %s",
                                                         job->run->feed.name, job->text, changes)};
    FIRN_TRY(firn_catalog_commit_tables(firn_lake_catalog(job->run->lake), job->arena,
                                        job->run->feed.ref, &builder, 1, &info, NULL, err));
    firn_log(FIRN_LOG_INFO, "ingest", "feed %s: table %s %s", job->run->feed.name, job->text,
             changes);
    return load_table(job, err);
}

/* Which schemas the anchor was found to fit already. */
static bool is_checked(const write_job *job, uint64_t hash)
{
    const firn_feed_target *target = job->target;
    if (!job->is_anchor || target->checked_schema_id != job->metadata->schema->schema_id) {
        return false;
    }
    for (size_t i = 0; i < target->n_checked; i++) {
        if (target->checked_schemas[i] == hash) {
            return true;
        }
    }
    return false;
}

static void note_checked(const write_job *job, uint64_t hash)
{
    enum { CHECKED_MAX = sizeof(job->target->checked_schemas) / sizeof(uint64_t) };
    firn_feed_target *target = job->target;
    if (target->checked_schema_id != job->metadata->schema->schema_id) {
        target->checked_schema_id = job->metadata->schema->schema_id;
        target->n_checked = 0;
    }
    if (job->is_anchor && target->n_checked < CHECKED_MAX) {
        target->checked_schemas[target->n_checked++] = hash;
    }
}

/* Each chunk's own schema, or what the SQL makes of all of them. */
static firn_rc fit_schemas(write_job *job, firn_err *err)
{
    firn_schema *records = NULL;
    if (!job->run->feed.evolve && !job->is_letters) {
        return FIRN_OK;
    }
    for (size_t i = 0; i < job->n_rows; i++) {
        uint64_t hash = schema_hash(job->rows[i].schema, 0);
        if (is_checked(job, hash)) {
            continue;
        }
        if (job->sql != NULL) {
            FIRN_TRY(firn_rows_describe(job->run->session, job->arena, job->rows, job->n_rows,
                                        job->sql, job->metadata->format_version, &records, err));
        } else {
            FIRN_TRY(firn_rows_schema(job->arena, job->rows[i].schema,
                                      job->metadata->format_version, &records, err));
        }
        const firn_chunk *chunk = job->sql == NULL && job->chunks != NULL ? job->chunks[i] : NULL;
        FIRN_TRY(fit_schema(job, chunk, records, err));
        note_checked(job, hash);
    }
    return FIRN_OK;
}

/* ---- rows ------------------------------------------------------------------------------------------------------------ */

static void add_files(firn_pending *pending, firn_pending_table *table,
                      const firn_metadata *metadata, const firn_rows_written *written)
{
    for (size_t i = 0; i < written->files.len; i++) {
        firn_vec_push(pending->arena, &table->files, written->files.items[i]);
    }
    int32_t schema_id = metadata->schema->schema_id;
    table->schema_id = table->schema_id == -2 || table->schema_id == schema_id ? schema_id : -1;
    table->table_uuid = firn_arena_strdup(pending->arena, metadata->table_uuid);
    pending->rows += written->rows;
}

/* One commit's changes by key are one upsert: writer.c sees to it that they come as a whole. */
static firn_rc write_changes(write_job *job, firn_err *err)
{
    firn_pending *pending = job->target->pending;
    firn_pending_table *table = pending_table(pending, job->ident);
    const firn_rows_upsert options = {.write = {.rows = job->rows,
                                                .n_rows = job->n_rows,
                                                .sql = job->sql,
                                                .metadata = job->metadata,
                                                .table_text = job->text,
                                                .ignore_unknown = !job->run->feed.evolve},
                                      .key = job->changes->key,
                                      .n_key = job->changes->n_key,
                                      .order_by = job->changes->order_by,
                                      .delete_if = job->changes->delete_if,
                                      .truncate_if = job->changes->truncate_if};
    firn_pending_table_discard(job->run->session, table, 0);
    FIRN_TRY(firn_upsert_open(job->run->session, pending->arena, &options, &table->upsert, err));
    pending->rows += firn_upsert_keys(table->upsert);
    return FIRN_OK;
}

/* ---- a file that stays open ----------------------------------------------------------------------------------------------- */

/* It is gone after a failure, with the rows of earlier blocks, which nobody has any more. */
static firn_rc finish_open(firn_pending *pending, firn_pending_table *table, firn_err *err)
{
    firn_rows_written written = {0};
    firn_rows_file *open = table->open;
    table->open = NULL;
    if (open == NULL) {
        return FIRN_OK;
    }
    firn_rc rc = firn_rows_file_finish(open, &written, err);
    pending->lost |= rc != FIRN_OK;
    if (rc == FIRN_OK) {
        add_files(pending, table, table->open_metadata, &written);
    }
    return rc;
}

static firn_rc add_to_open(firn_pending *pending, firn_pending_table *table, const firn_rows *rows,
                           size_t n, bool *taken, firn_err *err)
{
    firn_rc rc = firn_rows_file_add(table->open, rows, n, taken, err);
    if (rc != FIRN_OK) {
        firn_rows_file_discard(table->open);
        table->open = NULL;
        pending->lost = true;
    }
    return rc;
}

/* The table may have become another one since the file that is open was begun. */
static firn_rc stream_rows(write_job *job, bool *taken, firn_err *err)
{
    firn_pending *pending = job->target->pending;
    firn_pending_table *table = pending_table(pending, job->ident);
    *taken = false;
    FIRN_TRY(finish_open(pending, table, err));
    const firn_rows_write write = {.metadata = job->metadata, .table_text = table->text};
    FIRN_TRY(firn_rows_file_open(job->run->session, pending->arena, &write, &table->open, err));
    if (table->open == NULL) {
        return FIRN_OK;
    }
    table->open_metadata = job->metadata;
    FIRN_TRY(add_to_open(pending, table, job->rows, job->n_rows, taken, err));
    if (!*taken) {
        firn_rows_file_discard(table->open);
        table->open = NULL;
    }
    return FIRN_OK;
}

static firn_rc write_files(write_job *job, firn_err *err)
{
    firn_rows_written written = {0};
    firn_pending *pending = job->target->pending;
    bool taken = false;
    if (job->may_stream && job->n_rows > 0) {
        FIRN_TRY(stream_rows(job, &taken, err));
        job->target->streams = taken;
    }
    if (job->n_rows > 0 && job->changes != NULL) {
        FIRN_TRY(write_changes(job, err));
    } else if (job->n_rows > 0 && !taken) {
        const firn_rows_write write = {.rows = job->rows,
                                       .n_rows = job->n_rows,
                                       .sql = job->sql,
                                       .metadata = job->metadata,
                                       .table_text = job->text,
                                       .ignore_unknown = !job->run->feed.evolve};
        FIRN_TRY(firn_rows_to_files(job->run->session, pending->arena, &write, &written, err));
    }
    add_files(pending, pending_table(pending, job->ident), job->metadata, &written);
    return FIRN_OK;
}

firn_rc firn_write_one_table(write_job *job, firn_err *err)
{
    job->text = firn_ident_text(job->arena, job->ident);
    FIRN_TRY(find_or_make_table(job, err));
    if (job->metadata == NULL) {
        return FIRN_OK;
    }
    FIRN_TRY(fit_schemas(job, err));
    return write_files(job, err);
}

/* ---- routes ------------------------------------------------------------------------------------------------------------ */

/* A table for each route, several of which may lead to one. The anchor first: it takes what has none, and is there even when all rows
 * have one. */
static firn_rc write_routes(write_job *job, firn_err *err)
{
    const firn_feed *feed = &job->run->feed;
    const firn_rows_parting parting = {.rows = job->rows,
                                       .n_rows = job->n_rows,
                                       .sql = job->sql,
                                       .by = feed->route_by,
                                       .routes_max = ROUTES_MAX};
    firn_route *routes = NULL;
    size_t n = 0;
    FIRN_TRY(firn_rows_route(job->run->session, job->arena, &parting, &routes, &n, err));
    for (size_t i = 0; i < n; i++) {
        write_job routed = *job;
        routed.sql = NULL;
        routed.chunks = NULL;
        routed.rows = routes[i].rows;
        routed.n_rows = routes[i].n_rows;
        if (routes[i].value != NULL) {
            routed.is_anchor = false;
            routed.ident = firn_feed_ident(job->arena, feed->route_table, "route", routes[i].value);
        }
        FIRN_TRY(firn_write_one_table(&routed, err));
    }
    return FIRN_OK;
}

static firn_rc write_all(write_job *job, firn_err *err)
{
    const firn_feed *feed = &job->run->feed;
    job->is_anchor = true;
    job->ident = job->target->ident;
    job->sql = job->changes != NULL ? job->changes->sql : feed->transform;
    return feed->route_by == NULL || job->n_rows == 0 ? firn_write_one_table(job, err)
                                                      : write_routes(job, err);
}

/* Every change as a row of its own, beside the table that they make. */
static firn_rc write_log(const write_job *job, const firn_change_plan *changes, firn_err *err)
{
    const firn_feed *feed = &job->run->feed;
    write_job log = *job;
    if (feed->change_log == NULL || changes->log_sql == NULL) {
        return FIRN_OK;
    }
    log.is_anchor = false;
    log.is_log = true;
    log.changes = NULL;
    log.ident = firn_feed_ident(job->arena, feed->change_log, "topic", job->target->topic);
    log.sql = changes->log_sql;
    return firn_write_one_table(&log, err);
}

static firn_rc write_as_changes(write_job *job, firn_err *err)
{
    firn_change_plan changes;
    FIRN_TRY(firn_change_plan_make(job->run->session, job->arena, &job->run->feed, job->rows,
                                   job->n_rows, &changes, err));
    if (changes.sql == NULL) {
        job->n_rows = 0; /* no change among them; their offsets count all the same */
    } else {
        job->changes = &changes;
    }
    FIRN_TRY(write_all(job, err));
    return write_log(job, &changes, err);
}

static write_job job_of(firn_feed_target *target, firn_arena *arena, const firn_rows *rows,
                        const firn_chunk *const *chunks, size_t n)
{
    return (write_job){.run = target->run,
                       .target = target,
                       .arena = arena,
                       .rows = rows,
                       .chunks = chunks,
                       .n_rows = n};
}

firn_rc firn_write_rows(firn_feed_target *target, firn_arena *arena, const firn_rows *rows,
                        const firn_chunk *const *chunks, size_t n, firn_err *err)
{
    write_job job = job_of(target, arena, rows, chunks, n);
    return target->run->feed.mode == FIRN_FEED_APPEND ? write_all(&job, err)
                                                      : write_as_changes(&job, err);
}

void firn_pending_table_discard(firn_session *session, firn_pending_table *table, size_t keep)
{
    if (table->files.len > keep) {
        firn_rows_written written = {0};
        written.files.items = table->files.items + keep;
        written.files.len = table->files.len - keep;
        firn_rows_discard(session, &written);
    }
    table->files.len = keep;
    if (table->upsert != NULL) {
        firn_upsert_discard(table->upsert);
        table->upsert = NULL;
    }
}

void firn_pending_table_drop(firn_session *session, firn_pending_table *table)
{
    firn_rows_file_discard(table->open);
    table->open = NULL;
    firn_pending_table_discard(session, table, 0);
}

/* Takes back what was written since `marks` were made. */
static void discard_since(firn_feed_target *target, const size_t *marks, size_t n)
{
    firn_pending *pending = target->pending;
    for (size_t i = 0; i < pending->tables.len; i++) {
        firn_pending_table_discard(target->run->session, pending->tables.items[i],
                                   i < n ? marks[i] : 0);
    }
}

firn_rc firn_write_rows_or_none(firn_feed_target *target, firn_arena *arena, const firn_rows *rows,
                                const firn_chunk *const *chunks, size_t n, bool keep, firn_err *err)
{
    firn_pending *pending = target->pending;
    size_t n_tables = pending->tables.len;
    int64_t rows_before = pending->rows;
    size_t *marks = FIRN_NEW_N(arena, size_t, n_tables);
    for (size_t i = 0; i < n_tables; i++) {
        marks[i] = pending->tables.items[i]->files.len;
    }
    firn_rc rc = firn_write_rows(target, arena, rows, chunks, n, err);
    if (rc != FIRN_OK || !keep) {
        discard_since(target, marks, n_tables);
        pending->rows = rows_before;
    }
    return rc;
}

bool firn_feed_streams(const firn_feed *feed)
{
    return feed->mode == FIRN_FEED_APPEND && feed->transform == NULL && feed->route_by == NULL &&
           feed->evolve;
}

firn_rc firn_pending_finish(firn_feed_target *target, firn_err *err)
{
    firn_pending *pending = target->pending;
    for (size_t i = 0; i < pending->tables.len; i++) {
        FIRN_TRY(finish_open(pending, pending->tables.items[i], err));
    }
    return FIRN_OK;
}

firn_rc firn_pending_write(firn_feed_target *target, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_pending *pending = target->pending;
    size_t n = pending->chunks.len;
    if (n == 0 && pending->tables.len > 0) {
        return FIRN_OK; /* all in files already */
    }
    firn_rows *rows = FIRN_NEW_N(arena, firn_rows, n);
    const firn_chunk **chunks = FIRN_NEW_N(arena, const firn_chunk *, n);
    for (size_t i = 0; i < n; i++) {
        chunks[i] = &pending->chunks.items[i];
        rows[i] = view_of(arena, &target->run->feed, chunks[i]);
    }
    if (n == 0 || pending->careful || !firn_feed_streams(&target->run->feed)) {
        return firn_write_rows_or_none(target, arena, rows, chunks, n, true, err);
    }
    firn_pending_table *anchor = pending->tables.len > 0 ? pending->tables.items[0] : NULL;
    bool taken = false;
    if (anchor != NULL && anchor->open != NULL) {
        FIRN_TRY(add_to_open(pending, anchor, rows, n, &taken, err));
    }
    if (taken) {
        return FIRN_OK;
    }
    write_job job = job_of(target, pending->arena, rows, chunks,
                           n); /* an open file keeps the table's metadata */
    job.may_stream = true;
    return write_all(&job, err);
}

firn_rows firn_chunk_view(firn_arena *arena, const firn_feed *feed, const firn_chunk *chunk)
{
    return view_of(arena, feed, chunk);
}
