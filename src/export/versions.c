/* Versions of a table: its tags v1, v2, ... and the way back.
 *
 * Going back writes the old version's rows as a new one, in one commit as an export does: files in place of the last version's, the tag,
 * the property firn.version. So whoever takes the highest number has the rows that count, in the folders and by the table, and the next
 * export counts on from there.
 */
#include "versions_private.h"

#include "base/time.h"
#include "engine/rows.h"
#include "export/lock.h"
#include "tree_private.h"

#include <inttypes.h>
#include <stdlib.h>

#define VERSION_PROPERTY  "firn.version"
#define ROLLBACK_PROPERTY "firn.rolled-back-to"

enum { LOCK_WAIT_MS = 5000 };

/* ---- what there is --------------------------------------------------------------------------------------------------- */

static int64_t summary_number(const firn_snapshot *snapshot, const char *key)
{
    const char *text = json_string_value(json_object_get(snapshot->summary, key));
    int64_t number = 0;
    return text != NULL && firn_parse_i64(text, &number) ? number : 0;
}

static int by_number(const void *a, const void *b)
{
    int64_t left = ((const firn_version *)a)->number, right = ((const firn_version *)b)->number;
    return (left > right) - (left < right);
}

firn_rc firn_versions(const firn_metadata *metadata, firn_arena *arena, firn_version **out,
                      size_t *n, firn_err *err)
{
    (void)err;
    *out = FIRN_NEW_N(arena, firn_version, metadata->n_refs);
    *n = 0;
    for (size_t i = 0; i < metadata->n_refs; i++) {
        const firn_snapshot_ref *ref = &metadata->refs[i];
        int64_t number = ref->is_tag ? firn_version_number(ref->name) : 0;
        const firn_snapshot *snapshot =
            number > 0 ? firn_metadata_snapshot(metadata, ref->snapshot_id) : NULL;
        if (snapshot == NULL) {
            continue;
        }
        (*out)[(*n)++] =
            (firn_version){.number = number,
                           .snapshot_id = ref->snapshot_id,
                           .made_us = snapshot->timestamp_ms * 1000,
                           .rows = summary_number(snapshot, "total-records"),
                           .files = summary_number(snapshot, "total-data-files"),
                           .bytes = summary_number(snapshot, "total-files-size"),
                           .rolled_back_to = summary_number(snapshot, ROLLBACK_PROPERTY)};
    }
    if (*n > 0) {
        qsort(*out, *n, sizeof(**out), by_number);
        (*out)[*n - 1].current = true;
    }
    return FIRN_OK;
}

char *firn_versions_text(firn_arena *arena, const firn_metadata *metadata)
{
    firn_version *versions = NULL;
    size_t n = 0;
    if (firn_versions(metadata, arena, &versions, &n, NULL) != FIRN_OK || n == 0) {
        return firn_arena_strdup(arena, "it has no versions");
    }
    const char **names = FIRN_NEW_N(arena, const char *, n);
    for (size_t i = 0; i < n; i++) {
        names[i] = firn_arena_printf(arena, "v%" PRId64, versions[i].number);
    }
    return firn_arena_printf(arena, "it has %s", firn_str_join(arena, names, n, ", "));
}

const firn_field *firn_version_column(const firn_metadata *metadata)
{
    firn_version *versions = NULL;
    size_t n = 0;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    if (firn_versions(metadata, arena, &versions, &n, NULL) != FIRN_OK || n == 0) {
        return NULL;
    }
    for (size_t i = 0; i < metadata->spec->n_fields; i++) {
        if (metadata->spec->fields[i].transform.kind == FIRN_TRANSFORM_IDENTITY) {
            return firn_schema_find_id(metadata->schema, metadata->spec->fields[i].source_id);
        }
    }
    return NULL;
}

/* ---- the feed of a table --------------------------------------------------------------------------------------------- */

/* *feed NULL: none, so the table has no folders. */
static firn_rc find_feed(firn_lake *lake, firn_arena *arena, firn_ident ident,
                         const firn_export_feed **feed, firn_err *err)
{
    firn_export_listed *listed = NULL;
    size_t n = 0;
    *feed = NULL;
    FIRN_TRY(firn_export_feed_list(lake, arena, &listed, &n, err));
    for (size_t i = 0; i < n; i++) {
        if (listed[i].broken != NULL) {
            continue;
        }
        firn_ident other = firn_export_ident(arena, listed[i].feed.table);
        if (firn_streq(other.ns, ident.ns) && firn_streq(other.name, ident.name)) {
            *feed = &listed[i].feed;
            return FIRN_OK;
        }
    }
    return FIRN_OK;
}

/* ---- back ------------------------------------------------------------------------------------------------------------ */

typedef struct rollback {
    firn_session *session;
    firn_arena *arena;
    firn_lake *lake;
    firn_ident ident;
    const char *text; /* of the table */
    int64_t number, made;
    firn_table table;
    firn_rows_written written;
    firn_snapshot_result result; /* of the latest attempt */
} rollback;

static int64_t last_number(const rollback *r, const firn_metadata *metadata)
{
    firn_version *versions = NULL;
    size_t n = 0;
    int64_t last = firn_metadata_property_i64(metadata, VERSION_PROPERTY, 0);
    if (firn_versions(metadata, r->arena, &versions, &n, NULL) == FIRN_OK && n > 0 &&
        versions[n - 1].number > last) {
        last = versions[n - 1].number;
    }
    return last;
}

static firn_rc find_snapshot(const rollback *r, int64_t *id, firn_err *err)
{
    const char *tag = firn_arena_printf(r->arena, "v%" PRId64, r->number);
    const firn_snapshot_ref *ref = firn_metadata_ref(r->table.metadata, tag);
    if (ref == NULL || !ref->is_tag) {
        FIRN_FAIL(err, FIRN_E_NOT_FOUND, "table %s has no version %s: %s", r->text, tag,
                  firn_versions_text(r->arena, r->table.metadata));
    }
    *id = ref->snapshot_id;
    return FIRN_OK;
}

static firn_rc select_sql(const rollback *r, int64_t snapshot_id, const char **out)
{
    const firn_field *column = firn_version_column(r->table.metadata);
    const char *replace = column != NULL && column->type->id == FIRN_TYPE_STRING
                              ? firn_arena_printf(r->arena, " REPLACE ('v%" PRId64 "' AS %s)",
                                                  r->made, firn_tree_name(r->arena, column->name))
                              : "";
    *out = firn_arena_printf(r->arena, "SELECT *%s FROM %s AT (VERSION => %" PRId64 ")", replace,
                             r->text, snapshot_id);
    return FIRN_OK;
}

static void release_nothing(struct ArrowSchema *schema)
{
    schema->release = NULL;
}
static void release_no_array(struct ArrowArray *array)
{
    array->release = NULL;
}

/* The rows come from the table alone; a statement over `batch` wants one all the same. */
static firn_rc write_files(rollback *r, const char *sql, firn_err *err)
{
    int32_t zero = 0;
    const void *values[2] = {NULL, &zero};
    const void *none[1] = {NULL};
    struct ArrowSchema column = {.format = "i", .name = "x", .release = release_nothing};
    struct ArrowSchema *columns[1] = {&column};
    struct ArrowSchema schema = {.format = "+s",
                                 .name = "",
                                 .n_children = 1,
                                 .children = columns,
                                 .release = release_nothing};
    struct ArrowArray cells = {
        .length = 1, .n_buffers = 2, .buffers = values, .release = release_no_array};
    struct ArrowArray *children[1] = {&cells};
    struct ArrowArray array = {.length = 1,
                               .n_buffers = 1,
                               .n_children = 1,
                               .buffers = none,
                               .children = children,
                               .release = release_no_array};
    const firn_rows rows = {.schema = &schema, .array = &array, .count = 1};
    const firn_rows_write write = {.rows = &rows,
                                   .n_rows = 1,
                                   .sql = sql,
                                   .metadata = r->table.metadata,
                                   .table_text = r->text,
                                   .lasting = true,
                                   .ignore_unknown = true};
    return firn_rows_to_files(r->session, r->arena, &write, &r->written, err);
}

static void keep_result(rollback *r, const firn_snapshot_result *result)
{
    r->result = *result;
    r->result.summary = NULL;
    r->result.written = FIRN_NEW_N(r->arena, const char *, result->n_written);
    for (size_t i = 0; i < result->n_written; i++) {
        r->result.written[i] = firn_arena_strdup(r->arena, result->written[i]);
    }
}

static json_t *summary_of(const rollback *r, firn_arena *arena)
{
    json_t *summary = firn_json_own(arena, json_object());
    json_object_set_new(summary, "engine-name", json_string("firn"));
    json_object_set_new(summary, "engine-version", json_string(FIRN_VERSION));
    json_object_set_new(summary, VERSION_PROPERTY,
                        json_string(firn_arena_printf(arena, "%" PRId64, r->made)));
    json_object_set_new(summary, ROLLBACK_PROPERTY,
                        json_string(firn_arena_printf(arena, "%" PRId64, r->number)));
    return summary;
}

static firn_rc build(void *ctx, firn_arena *arena, const firn_table *base, json_t *updates,
                     json_t *requirements, firn_err *err)
{
    rollback *r = ctx;
    r->result = (firn_snapshot_result){0};
    if (!firn_streq(base->metadata->table_uuid, r->table.metadata->table_uuid) ||
        last_number(r, base->metadata) != r->made - 1) {
        FIRN_FAIL(err, FIRN_E_VALIDATION,
                  "table %s got another version meanwhile; look at it, then run this again",
                  r->text);
    }
    const firn_snapshot_change change = {
        .op = r->written.files.len > 0 ? FIRN_SNAPSHOT_OVERWRITE : FIRN_SNAPSHOT_DELETE,
        .added = r->written.files.items,
        .n_added = r->written.files.len,
        .remove_all = true,
        .validation = {.starting_snapshot_id = FIRN_NO_STARTING_SNAPSHOT},
        .summary_extra = summary_of(r, arena),
    };
    firn_snapshot_result result = {0};
    firn_rc rc = firn_snapshot_produce(
        firn_lake_storage(r->lake), firn_catalog_manifests(firn_lake_catalog(r->lake)), arena,
        base->metadata, &change, updates, requirements, &result, err);
    keep_result(r, &result);
    FIRN_TRY(rc);
    if (!result.empty) {
        firn_update_set_ref(updates, firn_arena_printf(arena, "v%" PRId64, r->made),
                            result.snapshot_id, true);
    }
    const char *number = firn_arena_printf(arena, "%" PRId64, r->made);
    firn_update_set_properties(updates,
                               firn_json_own(arena, json_pack("{s:s}", VERSION_PROPERTY, number)));
    return FIRN_OK;
}

static void discard(void *ctx)
{
    rollback *r = ctx;
    firn_snapshot_discard(firn_lake_storage(r->lake), &r->result);
    r->result = (firn_snapshot_result){0};
}

static firn_rc commit(rollback *r, firn_err *err)
{
    firn_err own = {0};
    const firn_table_builder builder = {
        .ident = r->ident, .build = build, .discard = discard, .ctx = r};
    const firn_commit_info info = firn_session_commit_info(
        r->session, firn_arena_printf(r->arena, "roll back %s to v%" PRId64 " as v%" PRId64,
                                      r->text, r->number, r->made));
    firn_rc rc = firn_fault_point("rollback.written", r->text, &own);
    if (rc == FIRN_OK) {
        rc = firn_catalog_commit_tables(firn_lake_catalog(r->lake), r->arena,
                                        firn_session_ref(r->session), &builder, 1, &info, NULL,
                                        &own);
    }
    if (rc != FIRN_OK && !own.outcome_unknown) {
        firn_rows_discard(r->session, &r->written);
    }
    if (rc != FIRN_OK && err != NULL) {
        *err = own;
    }
    return rc;
}

static firn_rc run(void *ctx, firn_err *err)
{
    rollback *r = ctx;
    int64_t snapshot_id = 0;
    const char *sql = NULL;
    FIRN_TRY(firn_catalog_table_load(firn_lake_catalog(r->lake), r->arena,
                                     firn_session_ref(r->session), r->ident, &r->table, err));
    FIRN_TRY(find_snapshot(r, &snapshot_id, err));
    r->made = last_number(r, r->table.metadata) + 1;
    FIRN_TRY(select_sql(r, snapshot_id, &sql));
    FIRN_TRY(write_files(r, sql, err));
    return commit(r, err);
}

firn_rc firn_version_rollback(firn_session *session, firn_arena *arena, firn_ident ident,
                              int64_t number, int64_t *made, firn_err *err)
{
    /* Scans of what is written live in the arena, and must end before the engine does. */
    FIRN_AUTO_ARENA firn_arena *own = firn_arena_new();
    firn_lake *lake = firn_session_lake(session);
    const firn_export_feed *feed = NULL;
    firn_export_lock lock = {.fd = -1};
    rollback r = {.session = session,
                  .arena = own,
                  .lake = lake,
                  .ident = ident,
                  .text = firn_ident_text(own, ident),
                  .number = number};
    (void)arena;
    *made = 0;
    FIRN_TRY(find_feed(lake, own, ident, &feed, err));
    if (feed == NULL) {
        FIRN_TRY(run(&r, err));
        *made = r.made;
        return FIRN_OK;
    }
    FIRN_TRY(firn_export_lock_take(lake, feed->name, LOCK_WAIT_MS, &lock, err));
    firn_rc rc = firn_export_on_ref(session, feed, run, &r, err);
    if (rc == FIRN_OK) {
        firn_tree_result synced;
        *made = r.made;
        rc = firn_tree_sync(session, feed, 0, NULL, &synced, err);
        if (rc != FIRN_OK) {
            rc = firn_err_wrap(err, rc,
                               "table %s has version v%" PRId64
                               ", its folders do not yet (firn feed "
                               "tree %s makes them)",
                               r.text, r.made, feed->name);
        }
    }
    firn_export_lock_drop(&lock);
    return rc;
}
