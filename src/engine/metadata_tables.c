/* Metadata tables that come from the metadata document and the manifest lists; those of files and entries are in metadata_files.c.
 * Names, columns and types are Spark's (Iceberg documentation: "Spark queries", "Inspecting tables").
 */
#include "metadata_tables.h"

#include "metadata_files.h"
#include "sheet.h"

#include "base/time.h"

#include <inttypes.h>

typedef struct context {
    firn_session *session;
    firn_arena *arena;
    const firn_metadata *metadata;
    const firn_metadata_table_options *options;
    firn_sheet *sheet;
} context;

typedef firn_rc (*fill_fn)(context *c, firn_err *err);

static json_t *timestamp(firn_arena *arena, int64_t ms)
{
    return json_string(firn_format_timestamp(arena, ms * 1000, true));
}

static json_t *id_or_null(int64_t id)
{
    return id < 0 ? json_null() : json_integer(id);
}

static json_t *text_or_null(const char *text)
{
    return text != NULL ? json_string(text) : json_null();
}

/* ---- snapshots, history, refs, log ----------------------------------------------------------------------------- */

static firn_rc fill_snapshots(context *c, firn_err *err)
{
    (void)err;
    firn_sheet_column(c->sheet, "committed_at", "TIMESTAMP WITH TIME ZONE");
    firn_sheet_column(c->sheet, "snapshot_id", "BIGINT");
    firn_sheet_column(c->sheet, "parent_id", "BIGINT");
    firn_sheet_column(c->sheet, "operation", "VARCHAR");
    firn_sheet_column(c->sheet, "manifest_list", "VARCHAR");
    firn_sheet_column(c->sheet, "summary", "MAP(VARCHAR, VARCHAR)");
    for (size_t i = 0; i < c->metadata->n_snapshots; i++) {
        const firn_snapshot *snapshot = &c->metadata->snapshots[i];
        json_t *summary =
            snapshot->summary != NULL ? json_copy((json_t *)snapshot->summary) : json_object();
        json_object_del(summary, "operation");
        firn_sheet_row(c->sheet,
                       json_pack("{s:o, s:I, s:o, s:o, s:o, s:o}", "committed_at",
                                 timestamp(c->arena, snapshot->timestamp_ms), "snapshot_id",
                                 (json_int_t)snapshot->snapshot_id, "parent_id",
                                 id_or_null(snapshot->parent_id), "operation",
                                 text_or_null(snapshot->operation), "manifest_list",
                                 text_or_null(snapshot->manifest_list), "summary", summary));
    }
    return FIRN_OK;
}

static bool is_current_ancestor(const firn_metadata *metadata, int64_t id)
{
    return metadata->current_snapshot != NULL &&
           firn_snapshot_is_ancestor(metadata, id, metadata->current_snapshot->snapshot_id);
}

static firn_rc fill_history(context *c, firn_err *err)
{
    (void)err;
    firn_sheet_column(c->sheet, "made_current_at", "TIMESTAMP WITH TIME ZONE");
    firn_sheet_column(c->sheet, "snapshot_id", "BIGINT");
    firn_sheet_column(c->sheet, "parent_id", "BIGINT");
    firn_sheet_column(c->sheet, "is_current_ancestor", "BOOLEAN");
    for (size_t i = 0; i < c->metadata->n_snapshot_log; i++) {
        const firn_log_entry *entry = &c->metadata->snapshot_log[i];
        const firn_snapshot *snapshot = firn_metadata_snapshot(c->metadata, entry->snapshot_id);
        firn_sheet_row(c->sheet, json_pack("{s:o, s:I, s:o, s:b}", "made_current_at",
                                           timestamp(c->arena, entry->timestamp_ms), "snapshot_id",
                                           (json_int_t)entry->snapshot_id, "parent_id",
                                           id_or_null(snapshot != NULL ? snapshot->parent_id : -1),
                                           "is_current_ancestor",
                                           is_current_ancestor(c->metadata, entry->snapshot_id)));
    }
    return FIRN_OK;
}

static firn_rc fill_refs(context *c, firn_err *err)
{
    (void)err;
    firn_sheet_column(c->sheet, "name", "VARCHAR");
    firn_sheet_column(c->sheet, "type", "VARCHAR");
    firn_sheet_column(c->sheet, "snapshot_id", "BIGINT");
    firn_sheet_column(c->sheet, "max_reference_age_in_ms", "BIGINT");
    firn_sheet_column(c->sheet, "min_snapshots_to_keep", "INTEGER");
    firn_sheet_column(c->sheet, "max_snapshot_age_in_ms", "BIGINT");
    for (size_t i = 0; i < c->metadata->n_refs; i++) {
        const firn_snapshot_ref *ref = &c->metadata->refs[i];
        firn_sheet_row(c->sheet,
                       json_pack("{s:s, s:s, s:I, s:o, s:o, s:o}", "name", ref->name, "type",
                                 ref->is_tag ? "TAG" : "BRANCH", "snapshot_id",
                                 (json_int_t)ref->snapshot_id, "max_reference_age_in_ms",
                                 id_or_null(ref->max_ref_age_ms), "min_snapshots_to_keep",
                                 id_or_null(ref->min_snapshots_to_keep), "max_snapshot_age_in_ms",
                                 id_or_null(ref->max_snapshot_age_ms)));
    }
    return FIRN_OK;
}

/* The state that a metadata file described: the last snapshot that was current by then. */
static void add_log_entry(context *c, int64_t timestamp_ms, const char *location)
{
    const firn_snapshot *snapshot = firn_metadata_snapshot_as_of(c->metadata, timestamp_ms);
    firn_sheet_row(
        c->sheet,
        json_pack("{s:o, s:s, s:o, s:o, s:o}", "timestamp", timestamp(c->arena, timestamp_ms),
                  "file", location, "latest_snapshot_id",
                  id_or_null(snapshot != NULL ? snapshot->snapshot_id : -1), "latest_schema_id",
                  id_or_null(snapshot != NULL ? snapshot->schema_id : -1), "latest_sequence_number",
                  id_or_null(snapshot != NULL ? snapshot->sequence_number : -1)));
}

static firn_rc fill_metadata_log(context *c, firn_err *err)
{
    (void)err;
    firn_sheet_column(c->sheet, "timestamp", "TIMESTAMP WITH TIME ZONE");
    firn_sheet_column(c->sheet, "file", "VARCHAR");
    firn_sheet_column(c->sheet, "latest_snapshot_id", "BIGINT");
    firn_sheet_column(c->sheet, "latest_schema_id", "INTEGER");
    firn_sheet_column(c->sheet, "latest_sequence_number", "BIGINT");
    for (size_t i = 0; i < c->metadata->n_metadata_log; i++) {
        add_log_entry(c, c->metadata->metadata_log[i].timestamp_ms,
                      c->metadata->metadata_log[i].location);
    }
    if (c->options->table->entry.location != NULL) {
        add_log_entry(c, c->metadata->last_updated_ms, c->options->table->entry.location);
    }
    return FIRN_OK;
}

/* ---- manifests ---------------------------------------------------------------------------------------------------- */

static json_t *bound_text(context *c, const firn_partition_field *field, const firn_type *type,
                          firn_bytes bytes)
{
    firn_value value;
    if (bytes.data == NULL || type == NULL ||
        firn_value_decode(type, bytes, &value, NULL) != FIRN_OK) {
        return json_null();
    }
    const firn_field *source = firn_schema_find_id(c->metadata->schema, field->source_id);
    const char *text = source != NULL
                           ? firn_transform_human(c->arena, &field->transform, source->type, &value)
                           : firn_value_text(c->arena, type, &value);
    return text_or_null(text);
}

static json_t *summaries(context *c, const firn_manifest_file *file)
{
    const firn_partition_spec *spec = firn_metadata_spec(c->metadata, file->spec_id);
    const firn_type *type =
        spec != NULL ? firn_partition_type(c->arena, spec, c->metadata->schema) : NULL;
    json_t *out = json_array();
    for (size_t i = 0; i < file->n_partitions && spec != NULL && i < spec->n_fields; i++) {
        const firn_partition_summary *summary = &file->partitions[i];
        json_array_append_new(
            out,
            json_pack("{s:b, s:o, s:o, s:o}", "contains_null", summary->contains_null,
                      "contains_nan",
                      summary->contains_nan < 0 ? json_null() : json_boolean(summary->contains_nan),
                      "lower_bound",
                      bound_text(c, &spec->fields[i], type->fields[i].type, summary->lower),
                      "upper_bound",
                      bound_text(c, &spec->fields[i], type->fields[i].type, summary->upper)));
    }
    return out;
}

static void add_manifest(context *c, const firn_manifest_file *file, int64_t snapshot_id)
{
    int64_t counts[] = {file->added_files, file->existing_files, file->deleted_files};
    json_t *row =
        json_pack("{s:i, s:s, s:I, s:i, s:o, s:o}", "content", file->deletes ? 1 : 0, "path",
                  file->path, "length", (json_int_t)file->length_bytes, "partition_spec_id",
                  (int)file->spec_id, "added_snapshot_id", id_or_null(file->added_snapshot_id),
                  "partition_summaries", summaries(c, file));
    static const char *const NAMES[] = {"added", "existing", "deleted"};
    for (size_t i = 0; i < 3; i++) {
        json_t *count = id_or_null(counts[i]);
        json_object_set_new(row, firn_arena_printf(c->arena, "%s_data_files_count", NAMES[i]),
                            file->deletes ? json_integer(0) : json_incref(count));
        json_object_set_new(row, firn_arena_printf(c->arena, "%s_delete_files_count", NAMES[i]),
                            file->deletes ? json_incref(count) : json_integer(0));
        json_decref(count);
    }
    json_object_set_new(row, "reference_snapshot_id", json_integer(snapshot_id));
    firn_sheet_row(c->sheet, row);
}

static void manifest_columns(context *c, bool all)
{
    firn_sheet_column(c->sheet, "content", "INTEGER");
    firn_sheet_column(c->sheet, "path", "VARCHAR");
    firn_sheet_column(c->sheet, "length", "BIGINT");
    firn_sheet_column(c->sheet, "partition_spec_id", "INTEGER");
    firn_sheet_column(c->sheet, "added_snapshot_id", "BIGINT");
    static const char *const COUNTS[] = {
        "added_data_files_count",   "existing_data_files_count",   "deleted_data_files_count",
        "added_delete_files_count", "existing_delete_files_count", "deleted_delete_files_count"};
    for (size_t i = 0; i < sizeof(COUNTS) / sizeof(COUNTS[0]); i++) {
        firn_sheet_column(c->sheet, COUNTS[i], "INTEGER");
    }
    firn_sheet_column(
        c->sheet, "partition_summaries",
        "STRUCT(contains_null BOOLEAN, contains_nan BOOLEAN, lower_bound VARCHAR, upper_bound VARCHAR)[]");
    if (all) {
        firn_sheet_column(c->sheet, "reference_snapshot_id", "BIGINT");
    }
}

static firn_rc add_manifests(context *c, const firn_snapshot *snapshot, firn_err *err)
{
    firn_manifest_file *files;
    size_t n;
    firn_storage *storage = firn_lake_storage(c->session->engine->lake);
    FIRN_TRY(firn_manifest_list_read(storage, c->arena, c->metadata, snapshot, &files, &n, err));
    for (size_t i = 0; i < n; i++) {
        add_manifest(c, &files[i], snapshot->snapshot_id);
    }
    return FIRN_OK;
}

static firn_rc fill_manifests(context *c, firn_err *err)
{
    manifest_columns(c, false);
    return c->options->snapshot != NULL ? add_manifests(c, c->options->snapshot, err) : FIRN_OK;
}

static firn_rc fill_all_manifests(context *c, firn_err *err)
{
    manifest_columns(c, true);
    for (size_t i = 0; i < c->metadata->n_snapshots; i++) {
        FIRN_TRY(add_manifests(c, &c->metadata->snapshots[i], err));
    }
    return FIRN_OK;
}

/* ---- by name -------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    fill_fn fill; /* NULL: of files */
    firn_metadata_files_kind kind;
    bool all;
} TABLES[] = {
    {"snapshots", fill_snapshots, 0, false},
    {"history", fill_history, 0, false},
    {"refs", fill_refs, 0, false},
    {"metadata_log_entries", fill_metadata_log, 0, false},
    {"manifests", fill_manifests, 0, false},
    {"all_manifests", fill_all_manifests, 0, false},
    {"files", NULL, FIRN_METADATA_FILES, false},
    {"data_files", NULL, FIRN_METADATA_DATA_FILES, false},
    {"delete_files", NULL, FIRN_METADATA_DELETE_FILES, false},
    {"entries", NULL, FIRN_METADATA_ENTRIES, false},
    {"partitions", NULL, FIRN_METADATA_PARTITIONS, false},
    {"position_deletes", NULL, FIRN_METADATA_POSITION_DELETES, false},
    {"all_files", NULL, FIRN_METADATA_FILES, true},
    {"all_data_files", NULL, FIRN_METADATA_DATA_FILES, true},
    {"all_delete_files", NULL, FIRN_METADATA_DELETE_FILES, true},
    {"all_entries", NULL, FIRN_METADATA_ENTRIES, true},
};
enum { N_TABLES = sizeof(TABLES) / sizeof(TABLES[0]) };

bool firn_metadata_table_known(const char *name)
{
    for (size_t i = 0; i < N_TABLES; i++) {
        if (firn_strcaseeq(TABLES[i].name, name)) {
            return true;
        }
    }
    return false;
}

firn_rc firn_metadata_table_sql(firn_session *session, firn_arena *arena,
                                const firn_metadata_table_options *options, char **sql,
                                firn_err *err)
{
    context c = {.session = session,
                 .arena = arena,
                 .metadata = options->table->metadata,
                 .options = options,
                 .sheet = firn_sheet_new(arena)};
    for (size_t i = 0; i < N_TABLES; i++) {
        if (!firn_strcaseeq(TABLES[i].name, options->name)) {
            continue;
        }
        if (TABLES[i].fill == NULL) {
            return firn_metadata_files_sql(
                session, arena,
                &(firn_metadata_files_options){.kind = TABLES[i].kind,
                                               .all_snapshots = TABLES[i].all,
                                               .metadata = c.metadata,
                                               .snapshot = options->snapshot},
                sql, err);
        }
        FIRN_TRY(TABLES[i].fill(&c, err));
        *sql = firn_sheet_sql(session, c.sheet);
        return FIRN_OK;
    }
    FIRN_FAIL(err, FIRN_E_NO_TABLE, "there is no metadata table %s", options->name);
}
