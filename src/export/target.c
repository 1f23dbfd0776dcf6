/* The table of a feed: made at its first rows, and kept as the feed's file and the source say.
 *
 * Making it and changing it are commits without rows, before the export's own: an export that fails after them has left a table
 * that is as it was, with a column more at most.
 */
#include "job.h"

#include "base/log.h"
#include "engine/table_plan.h"
#include "ingest/evolve.h"

enum { CREATE_TRIES = 5 };

#define BLOOM_PROPERTY "write.parquet.bloom-filter-enabled.column."

firn_rc firn_export_target_load(firn_export_job *job, firn_err *err)
{
    firn_table table;
    firn_err own = {0};
    firn_rc rc = firn_catalog_table_load(firn_lake_catalog(job->run->lake), job->arena,
                                         job->feed->ref, job->ident, &table, &own);
    job->metadata = rc == FIRN_OK ? table.metadata : NULL;
    if (rc != FIRN_OK && rc != FIRN_E_NO_TABLE && rc != FIRN_E_NO_NAMESPACE) {
        *err = own;
        return rc;
    }
    return FIRN_OK;
}

/* ---- is it ours? ------------------------------------------------------------------------------------------------- */

static size_t n_partitions(const firn_export_feed *feed)
{
    return feed->partitioning == FIRN_EXPORT_UNPARTED ? 0 : feed->n_columns;
}

static bool is_parted_so(const firn_metadata *metadata, const firn_export_feed *feed)
{
    const firn_partition_spec *spec = metadata->spec;
    if (spec->n_fields != n_partitions(feed)) {
        return false;
    }
    for (size_t i = 0; i < spec->n_fields; i++) {
        const firn_field *field = firn_schema_find_id(metadata->schema, spec->fields[i].source_id);
        if (spec->fields[i].transform.kind != FIRN_TRANSFORM_IDENTITY || field == NULL ||
            !firn_streq(field->name, feed->columns[i])) {
            return false;
        }
    }
    return true;
}

firn_rc firn_export_target_check(firn_export_job *job, firn_err *err)
{
    const firn_export_feed *feed = job->feed;
    if (job->metadata == NULL || is_parted_so(job->metadata, feed)) {
        return FIRN_OK;
    }
    FIRN_FAIL(err, FIRN_E_CONFIG,
              "%s: table %s is partitioned otherwise than by %s, as partitioning.columns says; "
              "change that back, or name a new table in \"table\"",
              feed->path, job->table_text,
              n_partitions(feed) == 0
                  ? "nothing"
                  : firn_str_join(job->arena, feed->columns, feed->n_columns, ", "));
}

/* ---- properties -------------------------------------------------------------------------------------------------- */

json_t *firn_export_properties(const firn_export_job *job, firn_arena *arena)
{
    const firn_export_feed *feed = job->feed;
    json_t *out = firn_json_own(arena, json_object());
    json_object_set_new(out, "write.parquet.compression-codec", json_string(feed->compression));
    json_object_set_new(out, "firn.feed", json_string(feed->name));
    if (n_partitions(feed) > 0) {
        json_object_set_new(out, "firn.write.partition-columns", json_string("false"));
    }
    for (size_t i = 0; i < feed->n_bloom_filters; i++) {
        const char *name = firn_str_lower(arena, feed->bloom_filters[i]);
        json_object_set_new(out, firn_arena_printf(arena, BLOOM_PROPERTY "%s", name),
                            json_string("true"));
    }
    const char *key;
    const json_t *value;
    json_object_foreach((json_t *)feed->properties, key, value)
    {
        const char *text =
            json_is_string(value) ? json_string_value(value) : firn_json_text(arena, value);
        json_object_set_new(out, key, json_string(text));
    }
    return out;
}

/* What a table of the feed has to be told; bloom filters that are no longer wanted go. */
static void change_properties(const firn_export_job *job, firn_arena *arena,
                              const firn_metadata *metadata, json_t *updates)
{
    json_t *wanted = firn_export_properties(job, arena);
    json_t *changed = firn_json_own(arena, json_object());
    FIRN_VEC(const char *) gone = {0};
    const char *key;
    const json_t *value;
    json_object_foreach(wanted, key, value)
    {
        const char *has = firn_metadata_property(metadata, key, NULL);
        bool is_format = firn_streq(key, "format-version"); /* not stored as a property */
        if (!is_format && (has == NULL || !firn_streq(has, json_string_value(value)))) {
            json_object_set(changed, key, (json_t *)value);
        }
    }
    json_object_foreach(metadata->properties, key, value)
    {
        if (firn_starts_with(key, BLOOM_PROPERTY) && json_object_get(wanted, key) == NULL) {
            firn_vec_push(arena, &gone, key);
        }
    }
    if (json_object_size(changed) > 0) {
        firn_update_set_properties(updates, changed);
    }
    if (gone.len > 0) {
        firn_update_remove_properties(updates, gone.items, gone.len);
    }
}

static firn_rc check_bloom_filters(const firn_export_job *job, firn_err *err)
{
    for (size_t i = 0; i < job->feed->n_bloom_filters; i++) {
        const char *name = job->feed->bloom_filters[i];
        if (firn_export_columns_find(&job->columns, name) == NULL) {
            FIRN_FAIL(err, FIRN_E_CONFIG, "%s: bloom_filters names %s, and %s has no such column",
                      job->feed->path, name, job->feed->ksqldb_source);
        }
    }
    return FIRN_OK;
}

/* ---- making it --------------------------------------------------------------------------------------------------- */

/* Columns that identify rows, if they can: Iceberg takes no floating-point numbers and nothing nested. */
static void set_identifier(const firn_export_job *job, firn_schema *schema)
{
    const firn_export_columns *columns = &job->columns;
    int32_t *ids = FIRN_NEW_N(job->arena, int32_t, columns->n_keys);
    for (size_t i = 0; i < columns->n_keys; i++) {
        const firn_field *field = firn_schema_find_name(schema, columns->keys[i], true);
        if (field == NULL || firn_type_is_nested(field->type) ||
            field->type->id == FIRN_TYPE_DOUBLE || field->type->id == FIRN_TYPE_FLOAT) {
            return;
        }
        ids[i] = field->id;
    }
    schema->identifier_field_ids = ids;
    schema->n_identifier_field_ids = columns->n_keys;
}

const char *const *firn_export_partition_terms(const firn_export_job *job, size_t *n)
{
    *n = n_partitions(job->feed);
    const char **terms = FIRN_NEW_N(job->arena, const char *, *n);
    for (size_t i = 0; i < *n; i++) {
        terms[i] = firn_name_sql(job->arena, job->feed->columns[i]);
    }
    return terms;
}

static firn_rc plan_table(firn_export_job *job, json_t **updates, firn_err *err)
{
    const firn_export_feed *feed = job->feed;
    firn_schema *schema = NULL;
    firn_table_plan_options plan = {.ident = job->ident,
                                    .properties = firn_export_properties(job, job->arena),
                                    .comment =
                                        feed->description[0] != '\0' ? feed->description : NULL};
    plan.partition_by = firn_export_partition_terms(job, &plan.n_partition_by);
    FIRN_TRY(firn_table_plan_version(job->session, &plan, &plan.format_version, err));
    FIRN_TRY(firn_rows_schema(job->arena, &job->columns.all, plan.format_version, &schema, err));
    set_identifier(job, schema);
    plan.schema = schema;
    firn_rc rc = firn_table_plan(job->session, job->arena, &plan, updates, err);
    return rc == FIRN_OK ? FIRN_OK : firn_err_wrap(err, rc, "%s", feed->path);
}

typedef FIRN_VEC(firn_change) changes_vec;

static firn_rc add_namespaces(firn_export_job *job, changes_vec *changes, firn_err *err)
{
    size_t n;
    char **levels = firn_str_split(job->arena, job->ident.ns, FIRN_NS_SEP[0], &n);
    for (size_t i = 1; i <= n; i++) {
        const char *ns = firn_str_join(job->arena, (const char *const *)levels, i, FIRN_NS_SEP);
        json_t *properties = NULL;
        firn_err own = {0};
        firn_rc rc = firn_catalog_namespace_properties(
            firn_lake_catalog(job->run->lake), job->arena, job->feed->ref, ns, &properties, &own);
        if (rc == FIRN_E_NO_NAMESPACE) {
            const firn_change change = {.kind = FIRN_CHANGE_CREATE_NAMESPACE, .ident = {.ns = ns}};
            firn_vec_push(job->arena, changes, change);
        } else if (rc != FIRN_OK) {
            *err = own;
            return rc;
        }
    }
    return FIRN_OK;
}

static firn_rc create(firn_export_job *job, firn_err *err)
{
    changes_vec changes = {0};
    json_t *updates = NULL;
    FIRN_TRY(add_namespaces(job, &changes, err));
    FIRN_TRY(plan_table(job, &updates, err));
    json_t *requirements = firn_json_own(job->arena, json_array());
    firn_require_create(requirements);
    const firn_change table = {.kind = FIRN_CHANGE_CREATE_TABLE,
                               .ident = job->ident,
                               .requirements = requirements,
                               .updates = updates};
    firn_vec_push(job->arena, &changes, table);
    const firn_commit_info info = {.message = firn_arena_printf(job->arena, "export %s: create %s",
                                                                job->feed->name, job->table_text)};
    firn_err own = {0};
    firn_rc rc = firn_catalog_commit(firn_lake_catalog(job->run->lake), job->arena, job->feed->ref,
                                     changes.items, changes.len, &info, NULL, &own);
    if (rc != FIRN_OK && rc != FIRN_E_EXISTS && rc != FIRN_E_CONFLICT) {
        *err = own;
        return rc;
    } /* else another feed may have been faster with the namespace: the table may still not be there */
    return firn_export_target_load(job, err);
}

/* ---- changing it -------------------------------------------------------------------------------------------------- */

static firn_rc evolve(const firn_export_job *job, firn_arena *arena, const firn_metadata *metadata,
                      firn_evolution *out, firn_err *err)
{
    firn_schema *records = NULL;
    const firn_evolve_options options = {.key = job->columns.keys, .n_key = job->columns.n_keys};
    FIRN_TRY(firn_rows_schema(arena, &job->columns.all, metadata->format_version, &records, err));
    FIRN_TRY(firn_evolve(arena, metadata, records, &options, out, err));
    if (out->n_unsafe > 0) {
        FIRN_FAIL(
            err, FIRN_E_VALIDATION,
            "%s has changed in a way that table %s cannot follow safely: %s. Change the table "
            "by ALTER TABLE, or name a new one in %s",
            job->feed->ksqldb_source, job->table_text,
            firn_str_join(arena, out->unsafe, out->n_unsafe, "; "), job->feed->path);
    }
    return FIRN_OK;
}

static firn_rc build_change(void *ctx, firn_arena *arena, const firn_table *base, json_t *updates,
                            json_t *requirements, firn_err *err)
{
    const firn_export_job *job = ctx;
    firn_evolution evolution;
    FIRN_TRY(evolve(job, arena, base->metadata, &evolution, err));
    json_array_extend(updates, evolution.updates);
    json_array_extend(requirements, evolution.requirements);
    change_properties(job, arena, base->metadata, updates);
    return FIRN_OK;
}

static firn_rc change(firn_export_job *job, firn_err *err)
{
    firn_evolution evolution;
    json_t *properties = firn_json_own(job->arena, json_array());
    FIRN_TRY(evolve(job, job->arena, job->metadata, &evolution, err));
    change_properties(job, job->arena, job->metadata, properties);
    if (json_array_size(evolution.updates) == 0 && json_array_size(properties) == 0) {
        return FIRN_OK;
    }
    const char *changes = evolution.n_changes > 0 ? firn_str_join(job->arena, evolution.changes,
                                                                  evolution.n_changes, ", ")
                                                  : "properties";
    const firn_table_builder builder = {.ident = job->ident, .build = build_change, .ctx = job};
    const firn_commit_info info = {.message = firn_arena_printf(job->arena, "export %s: %s %s",
                                                                job->feed->name, job->table_text,
                                                                changes)};
    FIRN_TRY(firn_catalog_commit_tables(firn_lake_catalog(job->run->lake), job->arena,
                                        job->feed->ref, &builder, 1, &info, NULL, err));
    if (evolution.n_changes > 0) {
        firn_export_warn(job, "table %s %s", job->table_text, changes);
    }
    return firn_export_target_load(job, err);
}

firn_rc firn_export_target_ready(firn_export_job *job, firn_err *err)
{
    FIRN_TRY(check_bloom_filters(job, err));
    for (int tries = 0; job->metadata == NULL && tries < CREATE_TRIES; tries++) {
        FIRN_TRY(create(job, err));
    }
    if (job->metadata == NULL) {
        FIRN_FAIL(err, FIRN_E_CONFLICT, "table %s could not be made: somebody else changes %s",
                  job->table_text, job->feed->ref);
    }
    FIRN_TRY(firn_export_target_check(job, err));
    return change(job, err);
}
