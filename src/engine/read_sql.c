/* One table as a FROM item: plan the scan, group its files by how they must be read, write the SQL of each group.
 *
 * Files fall into one group when they have the same columns (as far as that matters), the same equality deletes, and agree on
 * whether rows are deleted by position. Most tables have one group, and that is a bare read_parquet: nothing stands between
 * DuckDB's optimizer and the files. Other groups follow by UNION ALL; filters are pushed into every branch.
 */
#include "duck.h"
#include "read_deletes.h"
#include "read_shape.h"
#include "scans.h"

#include "base/map.h"

#include <inttypes.h>

enum { LITERAL_LIST_MAX = 8, ROW_ID = 2147483540, LAST_UPDATED = 2147483539 };

static const firn_type LONG_TYPE = {.id = FIRN_TYPE_LONG};

typedef struct group {
    const char *key;
    const firn_footer *footer; /* NULL: as the schema says */
    bool by_position;          /* rows are deleted by position */
    bool own;                  /* the files' columns are the schema's, by name and type */
    FIRN_VEC(size_t) files;    /* indexes of tasks */
    int64_t rows;
} group;

typedef struct reading {
    firn_session *session;
    firn_arena *arena;
    const firn_read_options *options;
    const firn_metadata *metadata;
    const firn_schema *schema;
    const firn_scan_task **tasks;
    size_t n_tasks;
    const char **paths; /* as DuckDB opens them */
    const firn_dv **deleted;
    const firn_footer **footers; /* NULL entries: not looked at */
    firn_name_mapping_field *mapping;
    size_t n_mapping;
    int32_t *constant_ids;
    size_t n_constants;
    firn_extra_list extras; /* row lineage first, if asked for, then keys */
    bool flat;              /* files may be read without a mapping, see is_own */
    FIRN_VEC(group) groups;
} reading;

/* ---- which files ------------------------------------------------------------------------------------------ */

static const firn_schema *schema_of(const firn_read_options *options)
{
    if (options->schema != NULL) {
        return options->schema;
    }
    const firn_snapshot *snapshot = options->snapshot;
    const firn_schema *schema = snapshot != NULL && snapshot->schema_id >= 0
                                    ? firn_metadata_schema(options->metadata, snapshot->schema_id)
                                    : NULL;
    return schema != NULL ? schema : options->metadata->schema;
}

/* Top-level source columns of identity partition fields, of any spec. */
static void find_constants(reading *r)
{
    const firn_type *root = &r->schema->root;
    r->constant_ids = FIRN_NEW_N(r->arena, int32_t, root->n_fields);
    for (size_t i = 0; i < root->n_fields; i++) {
        bool identity = false;
        for (size_t s = 0; s < r->metadata->n_specs; s++) {
            const firn_partition_spec *spec = r->metadata->specs[s];
            for (size_t k = 0; k < spec->n_fields; k++) {
                identity = identity || (spec->fields[k].transform.kind == FIRN_TRANSFORM_IDENTITY &&
                                        spec->fields[k].source_id == root->fields[i].id);
            }
        }
        if (identity) {
            r->constant_ids[r->n_constants++] = root->fields[i].id;
        }
    }
}

static firn_rc check_format(const firn_read_options *options, const firn_data_file *file,
                            firn_err *err)
{
    if (!firn_strcaseeq(file->format, "PARQUET")) {
        FIRN_FAIL(
            err, FIRN_E_UNSUPPORTED,
            "%s%s has a data file in %s (%s): firn reads Parquet only. Rewrite the table with the engine that wrote it",
            options->table_text != NULL ? options->table_text : "the table", "", file->format,
            file->path);
    }
    return FIRN_OK;
}

static firn_rc plan(reading *r, firn_scan_stats *stats, firn_err *err)
{
    const firn_read_options *options = r->options;
    firn_lake *lake = r->session->engine->lake;
    if (lake == NULL) {
        FIRN_FAIL(err, FIRN_E_NO_TABLE, "there is no lake to read tables from");
    }
    firn_map *only = NULL;
    if (options->only_files != NULL) {
        only = firn_map_new(r->arena);
        for (size_t i = 0; i < options->n_only_files; i++) {
            firn_map_put(only, options->only_files[i], (void *)options);
        }
    }
    firn_scan *scan;
    FIRN_TRY(firn_scan_open(
        r->arena,
        &(firn_scan_options){.storage = firn_lake_storage(lake),
                             .cache = firn_catalog_manifests(firn_lake_catalog(lake)),
                             .metadata = r->metadata,
                             .snapshot = options->snapshot != NULL || options->at_empty
                                             ? options->snapshot
                                             : r->metadata->current_snapshot,
                             .schema = r->schema,
                             .filter = options->filter,
                             .threads = r->session->engine->threads,
                             .with_metrics = r->n_constants > 0},
        &scan, err));
    FIRN_VEC(const firn_scan_task *) tasks = {0};
    int64_t sure_rows = 0; /* that no delete can take away */
    while (options->row_limit <= 0 || sure_rows < options->row_limit) {
        const firn_scan_task *task;
        FIRN_TRY(firn_scan_next(scan, &task, err));
        if (task == NULL) {
            break;
        }
        if (only == NULL || firn_map_has(only, task->file->path)) {
            FIRN_TRY(check_format(options, task->file, err));
            firn_vec_push(r->arena, &tasks, task);
            sure_rows += task->n_deletes == 0 ? task->file->record_count : 0;
        }
    }
    if (stats != NULL) {
        *stats = *firn_scan_statistics(scan);
    }
    r->tasks = tasks.items;
    r->n_tasks = tasks.len;
    return FIRN_OK;
}

/* ---- which of them must be looked into ---------------------------------------------------------------------- */

/* Metrics name the columns that a file has; without any it is not known. */
static bool may_lack_constant(const reading *r, const firn_data_file *file)
{
    for (size_t k = 0; k < r->n_constants; k++) {
        bool there = false;
        for (size_t m = 0; m < file->n_metrics && !there; m++) {
            there = file->metrics[m].field_id == r->constant_ids[k];
        }
        if (!there) {
            return true;
        }
    }
    return false;
}

/* Files outside the table's own folder are somebody else's (adopted ones are): what was recorded of a file that was rewritten since
 * is wrong, and so would be what is pruned and counted by it. */
static firn_rc check_foreign_files(const reading *r, firn_err *err)
{
    firn_storage *storage = firn_lake_storage(r->session->engine->lake);
    const char *home = firn_location_join(
        r->arena, firn_storage_resolve(storage, r->arena, r->metadata->location), "");
    for (size_t i = 0; i < r->n_tasks; i++) {
        const firn_data_file *file = r->tasks[i]->file;
        int64_t size_bytes = 0;
        if (r->paths[i][0] != '/' || firn_starts_with(r->paths[i], home)) {
            continue;
        }
        firn_rc rc = firn_storage_size(storage, file->path, &size_bytes, err);
        if (rc != FIRN_OK) {
            return firn_err_wrap(err, rc, "a data file outside the table's folder");
        }
        if (size_bytes != file->file_size_bytes) {
            FIRN_FAIL(err, FIRN_E_CORRUPT,
                      "%s has %" PRId64 " bytes and had %" PRId64
                      " when %s took it: it was changed in place. Put the old file back, or DELETE "
                      "its rows from the table and adopt the new file under another name",
                      r->paths[i], size_bytes, file->file_size_bytes,
                      r->options->table_text != NULL ? r->options->table_text : "the table");
        }
    }
    return FIRN_OK;
}

static firn_rc look_into(reading *r, firn_err *err)
{
    FIRN_TRY(check_foreign_files(r, err));
    const char *mapping = firn_metadata_property(r->metadata, "schema.name-mapping.default", NULL);
    if (mapping != NULL) {
        FIRN_TRY(firn_name_mapping_parse(r->arena, mapping, &r->mapping, &r->n_mapping, err));
    }
    bool all = mapping != NULL || firn_shape_has_evolved(r->metadata, r->schema);
    const char **paths = FIRN_NEW_N(r->arena, const char *, r->n_tasks);
    size_t *at = FIRN_NEW_N(r->arena, size_t, r->n_tasks), n = 0;
    for (size_t i = 0; i < r->n_tasks; i++) {
        if (all || may_lack_constant(r, r->tasks[i]->file)) {
            at[n] = i;
            paths[n++] = r->paths[i];
        }
    }
    const firn_footer **found = FIRN_NEW_N(r->arena, const firn_footer *, n);
    FIRN_TRY(firn_footers(r->session, paths, n, found, err));
    for (size_t i = 0; i < n; i++) {
        r->footers[at[i]] = found[i];
    }
    return FIRN_OK;
}

/* ---- grouping ------------------------------------------------------------------------------------------------ */

/* read_parquet(schema = ...) filters rows at about half the speed of plain read_parquet. Files that firn wrote under the very
 * schema that is read need no mapping: their columns have its names and types. Snapshots say so in their summary; nested columns and
 * row lineage columns are left to the mapping. */
static bool schema_is_flat(const reading *r)
{
    for (size_t i = 0; i < r->schema->root.n_fields; i++) {
        const firn_type *type = r->schema->root.fields[i].type;
        if (firn_type_is_nested(type) || firn_type_min_version(type) > 2) {
            return false;
        }
    }
    return r->metadata->format_version < 3 && r->mapping == NULL;
}

static bool is_own(const reading *r, size_t i)
{
    const firn_snapshot *snapshot =
        r->flat ? firn_metadata_snapshot(r->metadata, r->tasks[i]->snapshot_id) : NULL;
    if (snapshot == NULL || r->footers[i] != NULL || r->tasks[i]->n_deletes > 0) {
        return false;
    }
    const char *written = json_string_value(json_object_get(snapshot->summary, "firn.schema-id"));
    int64_t schema_id;
    return written != NULL && firn_parse_i64(written, &schema_id) &&
           schema_id == snapshot->schema_id && schema_id == r->schema->schema_id;
}

static const char *group_key(reading *r, size_t i)
{
    FIRN_AUTO_BUF firn_buf key = {0};
    firn_buf_printf(&key, "%s %d %d", r->footers[i] != NULL ? r->footers[i]->key : "-",
                    r->deleted[i] != NULL, is_own(r, i));
    for (size_t k = 0; k < r->tasks[i]->n_deletes; k++) {
        const firn_data_file *file = r->tasks[i]->deletes[k].file;
        if (file->content == FIRN_CONTENT_EQUALITY_DELETES) {
            firn_buf_printf(&key, "\x1f%s", file->path);
        }
    }
    return firn_arena_strdup(r->arena, firn_buf_cstr(&key));
}

static void make_groups(reading *r)
{
    firn_map *known = firn_map_new(r->arena); /* key -> index + 1 */
    r->flat = schema_is_flat(r);
    for (size_t i = 0; i < r->n_tasks; i++) {
        const char *key = group_key(r, i);
        uintptr_t at = (uintptr_t)firn_map_get(known, key);
        if (at == 0) {
            group new_group = {.key = key,
                               .footer = r->footers[i],
                               .by_position = r->deleted[i] != NULL,
                               .own = is_own(r, i)};
            firn_vec_push(r->arena, &r->groups, new_group);
            at = r->groups.len;
            firn_map_put(known, key, (void *)at);
        }
        group *g = &r->groups.items[at - 1];
        firn_vec_push(r->arena, &g->files, i);
        g->rows += r->tasks[i]->file->record_count;
    }
}

/* ---- the live scan ---------------------------------------------------------------------------------------------- */

static const char *constant_text(reading *r, const firn_data_file *file, int32_t column)
{
    const firn_partition_spec *spec = firn_metadata_spec(r->metadata, file->spec_id);
    const firn_field *field = firn_schema_find_id(r->schema, column);
    for (size_t k = 0; spec != NULL && k < spec->n_fields && k < file->n_partition; k++) {
        if (spec->fields[k].source_id == column &&
            spec->fields[k].transform.kind == FIRN_TRANSFORM_IDENTITY) {
            firn_value value = file->partition[k];
            firn_value converted;
            if (firn_value_convert(r->arena, &value, field->type, &converted)) {
                value = converted;
            }
            return firn_shape_value_text(r->arena, field->type, &value);
        }
    }
    return NULL;
}

static int64_t register_group(reading *r, const group *g, bool with_constants)
{
    firn_live_file *files = FIRN_NEW_N(r->arena, firn_live_file, g->files.len);
    for (size_t i = 0; i < g->files.len; i++) {
        const firn_scan_task *task = r->tasks[g->files.items[i]];
        files[i] = (firn_live_file){.location = task->file->path,
                                    .deleted = r->deleted[g->files.items[i]],
                                    .first_row_id = task->file->first_row_id,
                                    .sequence_number = task->data_sequence_number};
        if (with_constants) {
            const char **constants = FIRN_NEW_N(r->arena, const char *, r->n_constants);
            for (size_t k = 0; k < r->n_constants; k++) {
                constants[k] = constant_text(r, task->file, r->constant_ids[k]);
            }
            files[i].constants = constants;
            files[i].n_constants = r->n_constants;
        }
    }
    return firn_scan_register(r->session->engine->scans, r->arena, files, g->files.len);
}

/* ---- SQL --------------------------------------------------------------------------------------------------------- */

/* Long lists go as one string: DuckDB takes seven times as long over a list of 10,000 literals. */
static void put_files(reading *r, const group *g, firn_buf *out)
{
    const char **paths = FIRN_NEW_N(r->arena, const char *, g->files.len);
    bool separable = g->files.len > LITERAL_LIST_MAX;
    for (size_t i = 0; i < g->files.len; i++) {
        paths[i] = r->paths[g->files.items[i]];
        separable = separable && strchr(paths[i], '\x1f') == NULL;
    }
    if (!separable) {
        firn_read_file_list(r->arena, out, paths, g->files.len);
        return;
    }
    FIRN_AUTO_BUF firn_buf joined = {0};
    for (size_t i = 0; i < g->files.len; i++) {
        firn_buf_printf(&joined, "%s%s", i > 0 ? "\x1f" : "", firn_glob_escape(r->arena, paths[i]));
    }
    firn_buf_printf(out, "string_split(%s, chr(31))",
                    firn_sql_quote(r->arena, firn_buf_cstr(&joined)));
}

/* `shape` NULL: the files' columns as they are. */
static void put_source(reading *r, const group *g, const firn_shape *shape, firn_buf *out)
{
    firn_buf_puts(out, "read_parquet(");
    put_files(r, g, out);
    firn_buf_printf(out, ", hive_partitioning = false, explicit_cardinality = %" PRId64,
                    g->rows > 0 ? g->rows : 1);
    if (shape != NULL) {
        firn_buf_printf(out, ", schema = %s", shape->map);
    }
    firn_buf_putc(out, ')');
}

/* The schema's columns by name. */
static void put_own(reading *r, const group *g, firn_buf *out)
{
    const firn_type *root = &r->schema->root;
    for (size_t i = 0; i < root->n_fields; i++) {
        firn_buf_printf(out, "%s%s", i > 0 ? ", " : "SELECT ",
                        firn_sql_ident(r->arena, root->fields[i].name));
    }
    firn_buf_puts(out, " FROM ");
    put_source(r, g, NULL, out);
}

static bool has_equality_deletes(const firn_scan_task *task)
{
    for (size_t i = 0; i < task->n_deletes; i++) {
        if (task->deletes[i].file->content == FIRN_CONTENT_EQUALITY_DELETES) {
            return true;
        }
    }
    return false;
}

static void put_columns(reading *r, const firn_shape *shape, int64_t scan, firn_buf *out)
{
    const firn_type *root = &r->schema->root;
    for (size_t i = 0; i < root->n_fields; i++) {
        firn_buf_printf(out, "%s%s AS %s", i > 0 ? ", " : "", shape->columns[i],
                        firn_sql_ident(r->arena, root->fields[i].name));
    }
    const char *comma = root->n_fields > 0 ? ", " : "";
    if (r->options->with_file) {
        firn_buf_printf(
            out, "%sfirn_location(%" PRId64 ", f.file_index) AS _file, f.file_row_number AS _pos",
            comma, scan);
        comma = ", ";
    }
    if (r->options->with_row_lineage) {
        firn_buf_printf(out,
                        "%scoalesce(%s, firn_first_row_id(%" PRId64
                        ", f.file_index) + f.file_row_number) AS _row_id, "
                        "coalesce(%s, firn_sequence(%" PRId64
                        ", f.file_index)) AS _last_updated_sequence_number",
                        comma, shape->extras[0], scan, shape->extras[1], scan);
    }
}

static firn_rc put_group(reading *r, const group *g, firn_buf *out, firn_err *err)
{
    const firn_scan_task *first = r->tasks[g->files.items[0]];
    bool by_equality = has_equality_deletes(first);
    bool aliased =
        g->by_position || by_equality || r->options->with_file || r->options->with_row_lineage;
    bool constants = g->footer != NULL && r->n_constants > 0;
    if (g->own && !aliased) {
        put_own(r, g, out);
        return FIRN_OK;
    }
    firn_extra_list extras = r->extras;
    FIRN_TRY(firn_deletes_keys(r->arena, r->metadata, r->schema, first, &extras, err));
    int64_t scan = aliased || constants ? register_group(r, g, constants) : 0;
    firn_shape shape;
    FIRN_TRY(firn_shape_of(r->arena,
                           &(firn_shape_options){.schema = r->schema,
                                                 .footer = g->footer,
                                                 .mapping = r->mapping,
                                                 .n_mapping = r->n_mapping,
                                                 .constant_ids = r->constant_ids,
                                                 .n_constants = r->n_constants,
                                                 .extras = extras.columns.items,
                                                 .n_extras = extras.columns.len,
                                                 .aliased = aliased,
                                                 .scan = scan},
                           &shape, err));
    if (shape.plain) {
        firn_buf_puts(out, "SELECT * FROM ");
        put_source(r, g, &shape, out);
        return FIRN_OK;
    }
    firn_buf_puts(out, "SELECT ");
    put_columns(r, &shape, scan, out);
    firn_buf_puts(out, " FROM ");
    put_source(r, g, &shape, out);
    firn_buf_puts(out, " AS f");
    firn_antijoin_options antijoin = {.metadata = r->metadata,
                                      .schema = r->schema,
                                      .task = first,
                                      .shape = &shape,
                                      .extras = &extras};
    FIRN_TRY(firn_deletes_antijoin(r->session, r->arena, &antijoin, out, err));
    if (g->by_position) {
        firn_buf_printf(
            out, " WHERE NOT firn_deleted(%" PRId64 ", f.file_index, f.file_row_number)", scan);
    }
    return FIRN_OK;
}

/* No file at all: the columns, typed, and no row. */
static firn_rc put_empty(reading *r, firn_buf *out, firn_err *err)
{
    const firn_type *root = &r->schema->root;
    firn_buf_puts(out, "SELECT ");
    for (size_t i = 0; i < root->n_fields; i++) {
        const char *duck;
        firn_err why = {0};
        firn_rc rc =
            firn_type_to_duck(r->arena, root->fields[i].type, root->fields[i].name, &duck, &why);
        if (rc != FIRN_OK && rc != FIRN_E_UNSUPPORTED) {
            FIRN_FAIL(err, rc, "%s", why.message);
        }
        firn_buf_printf(out, "%sCAST(NULL AS %s) AS %s", i > 0 ? ", " : "",
                        rc == FIRN_OK ? duck : "VARCHAR",
                        firn_sql_ident(r->arena, root->fields[i].name));
    }
    const char *comma = root->n_fields > 0 ? ", " : "";
    if (r->options->with_file) {
        firn_buf_printf(out, "%sCAST(NULL AS VARCHAR) AS _file, CAST(NULL AS BIGINT) AS _pos",
                        comma);
        comma = ", ";
    }
    if (r->options->with_row_lineage) {
        firn_buf_printf(
            out,
            "%sCAST(NULL AS BIGINT) AS _row_id, CAST(NULL AS BIGINT) AS _last_updated_sequence_number",
            comma);
    }
    firn_buf_puts(out, " WHERE false");
    return FIRN_OK;
}

static firn_rc check_columns(const reading *r, firn_err *err)
{
    if (r->schema->root.n_fields == 0) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED, "%s has no columns: there is nothing to read",
                  r->options->table_text != NULL ? r->options->table_text : "the table");
    }
    return FIRN_OK;
}

firn_rc firn_read_sql(firn_session *session, firn_arena *arena, const firn_read_options *options,
                      char **sql, firn_scan_stats *stats, firn_err *err)
{
    reading r = {.session = session,
                 .arena = arena,
                 .options = options,
                 .metadata = options->metadata,
                 .schema = schema_of(options)};
    FIRN_TRY(check_columns(&r, err));
    find_constants(&r);
    FIRN_TRY(plan(&r, stats, err));
    r.paths = FIRN_NEW_N(arena, const char *, r.n_tasks);
    r.deleted = FIRN_NEW_N(arena, const firn_dv *, r.n_tasks);
    r.footers = FIRN_NEW_N(arena, const firn_footer *, r.n_tasks);
    firn_storage *storage = firn_lake_storage(session->engine->lake);
    for (size_t i = 0; i < r.n_tasks; i++) {
        r.paths[i] = firn_storage_resolve(storage, arena, r.tasks[i]->file->path);
    }
    FIRN_TRY(firn_deletes_load(session, arena, r.tasks, r.n_tasks, r.deleted, err));
    FIRN_TRY(look_into(&r, err));
    if (options->with_row_lineage) {
        firn_extra_column lineage[] = {{ROW_ID, &LONG_TYPE}, {LAST_UPDATED, &LONG_TYPE}};
        firn_vec_push(arena, &r.extras.columns, lineage[0]);
        firn_vec_push(arena, &r.extras.columns, lineage[1]);
    }
    make_groups(&r);
    FIRN_AUTO_BUF firn_buf out = {0};
    firn_buf_putc(&out, '(');
    for (size_t i = 0; i < r.groups.len; i++) {
        firn_buf_puts(&out, i > 0 ? " UNION ALL " : "");
        FIRN_TRY(put_group(&r, &r.groups.items[i], &out, err));
    }
    if (r.groups.len == 0) {
        FIRN_TRY(put_empty(&r, &out, err));
    }
    firn_buf_putc(&out, ')');
    if (out.overflow) {
        FIRN_FAIL(
            err, FIRN_E_LIMIT,
            "the scan of %s has too many files (%zu) for one statement: add a filter, or compact it",
            options->table_text != NULL ? options->table_text : "the table", r.n_tasks);
    }
    *sql = firn_arena_strdup(arena, firn_buf_cstr(&out));
    return FIRN_OK;
}
