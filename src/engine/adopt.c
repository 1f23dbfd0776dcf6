/* Adopting a folder: a new table, or an addition to one. One commit; see engine/adopt.h.
 *
 * An addition decides under the table's lock, against the very head that it commits on, which files are new: two runs at the same time
 * do not take a file twice. Files that the table had once and has no more (deleted rows, compaction) stay out: taking them again
 * would bring rows back or double them.
 */
#include "adopt.h"

#include <string.h>

#define MAPPING "schema.name-mapping.default"
#define GC      "gc.enabled"

static const char IN_TABLE[] = "in the table already";
static const char ONCE_IN_TABLE[] = "once in the table, deleted or rewritten since";

/* ---- partition columns --------------------------------------------------------------------------------------- */

typedef struct partition_columns {
    firn_field *fields; /* one per key, in the order of the folders */
    size_t n;
    bool *in_files; /* the files have the column themselves */
} partition_columns;

static firn_rc stated_types(firn_adopter *a, partition_columns *p, firn_err *err)
{
    firn_parser parser;
    if (a->options->partition_sql == NULL) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_parser_open(a->arena, a->options->partition_sql, &parser, err));
    do {
        const char *name = NULL;
        firn_type *type = NULL;
        FIRN_TRY(firn_parse_name(&parser, &name, err));
        FIRN_TRY(firn_parse_type(&parser, &type, err));
        size_t i = 0;
        while (i < p->n && !firn_strcaseeq(p->fields[i].name, name)) {
            i++;
        }
        if (i == p->n) {
            FIRN_FAIL(err, FIRN_E_INVALID, "the folders of %s have no level %s=...", a->folder,
                      name);
        }
        if (firn_type_is_nested(type)) {
            FIRN_FAIL(err, FIRN_E_TYPE, "partition column %s cannot be %s", name,
                      firn_type_text(a->arena, type));
        }
        p->fields[i].type = type;
    } while (firn_accept(&parser, ","));
    return firn_parse_end(&parser, err);
}

static firn_type *inferred_type(firn_adopter *a, size_t key)
{
    firn_type *type = FIRN_NEW(a->arena, firn_type);
    type->id = FIRN_TYPE_UNKNOWN;
    for (size_t i = 0; i < a->files.len; i++) {
        type->id = firn_hive_type_widen(type->id, a->files.items[i].keys[key].value);
    }
    if (type->id == FIRN_TYPE_UNKNOWN) {
        type->id = FIRN_TYPE_STRING;
    }
    return type;
}

static firn_rc find_partitions(firn_adopter *a, const firn_adopt_column *columns,
                               partition_columns *p, firn_err *err)
{
    const firn_adopt_file *first = &a->files.items[0];
    p->n = first->n_keys;
    p->fields = FIRN_NEW_N(a->arena, firn_field, p->n);
    p->in_files = FIRN_NEW_N(a->arena, bool, p->n);
    for (size_t i = 0; i < p->n; i++) {
        const char *name = firn_adopt_column_name(columns, first->keys[i].name);
        p->in_files[i] = name != NULL;
        p->fields[i].name = name != NULL ? name : first->keys[i].name;
    }
    FIRN_TRY(stated_types(a, p, err));
    FIRN_AUTO_BUF firn_buf text = {0};
    for (size_t i = 0; i < p->n; i++) {
        const firn_type *own =
            p->in_files[i] ? firn_adopt_column_type(a, columns, p->fields[i].name) : NULL;
        if (own != NULL && p->fields[i].type != NULL && own->id != p->fields[i].type->id) {
            FIRN_FAIL(err, FIRN_E_TYPE, "the files have the column %s themselves, as %s",
                      p->fields[i].name, firn_type_text(a->arena, own));
        }
        if (p->fields[i].type == NULL) {
            p->fields[i].type = own != NULL ? own : inferred_type(a, i);
        }
        firn_buf_printf(&text, "%s%s %s", i > 0 ? ", " : "", p->fields[i].name,
                        firn_type_text(a->arena, p->fields[i].type));
    }
    a->result->partitioned_by = p->n > 0 ? firn_arena_strdup(a->arena, firn_buf_cstr(&text)) : NULL;
    return FIRN_OK;
}

/* ---- figures --------------------------------------------------------------------------------------------------- */

static void count(firn_adopter *a)
{
    firn_adopt_result *result = a->result;
    firn_map *partitions = firn_map_new(a->arena);
    result->files = (int64_t)a->files.len;
    result->rows = result->bytes = 0;
    for (size_t i = 0; i < a->files.len; i++) {
        const firn_adopt_file *file = &a->files.items[i];
        FIRN_AUTO_BUF firn_buf key = {0};
        for (size_t k = 0; k < file->n_keys; k++) {
            firn_buf_printf(&key, "\x1f%s",
                            file->keys[k].value != NULL ? file->keys[k].value : "\x1e");
        }
        if (file->n_keys > 0) {
            firn_map_put(partitions, firn_buf_cstr(&key), a);
        }
        result->rows += file->rows;
        result->bytes += file->size_bytes;
    }
    result->partitions = firn_map_len(partitions);
    result->skipped = a->skipped.items;
    result->n_skipped = a->skipped.len;
}

static json_t *summary(const firn_adopter *a)
{
    json_t *out = firn_json_own(a->arena, json_object());
    json_object_set_new(out, "engine-name", json_string("firn"));
    json_object_set_new(out, "engine-version", json_string(FIRN_VERSION));
    json_object_set_new(out, "firn.adopted-from", json_string(a->folder));
    return out;
}

/* Appends the files to `metadata`; the result's list of written files outlives the attempt. */
static firn_rc produce(firn_adopter *a, firn_arena *arena, const firn_metadata *metadata,
                       json_t *updates, json_t *requirements, firn_snapshot_result *out,
                       firn_err *err)
{
    firn_snapshot_change change = {
        .op = FIRN_SNAPSHOT_APPEND,
        .validation = {.starting_snapshot_id = FIRN_NO_STARTING_SNAPSHOT},
        .summary_extra = summary(a),
        .threads = a->session->engine->threads};
    firn_data_file *files = NULL;
    firn_snapshot_result result = {0};
    FIRN_TRY(firn_adopt_data_files(a, arena, metadata, &files, &change.n_added, err));
    change.added = files;
    if (a->options->dry_run) {
        return FIRN_OK;
    }
    firn_rc rc = firn_snapshot_produce(a->storage, firn_catalog_manifests(a->catalog), arena,
                                       metadata, &change, updates, requirements, &result, err);
    *out = result;
    out->written = FIRN_NEW_N(a->arena, const char *, result.n_written);
    for (size_t i = 0; i < result.n_written; i++) {
        out->written[i] = firn_arena_strdup(a->arena, result.written[i]);
    }
    return rc;
}

/* ---- a new table ----------------------------------------------------------------------------------------------- */

static firn_rc build_spec(firn_adopter *a, const firn_schema *schema, const partition_columns *p,
                          firn_partition_spec **out, firn_err *err)
{
    firn_partition_term *terms = FIRN_NEW_N(a->arena, firn_partition_term, p->n);
    for (size_t i = 0; i < p->n; i++) {
        terms[i].column = p->fields[i].name;
        terms[i].transform = firn_transform_parse(a->arena, "identity");
    }
    return firn_partition_spec_build(a->arena, schema, terms, p->n, out, err);
}

static json_t *new_properties(firn_adopter *a, const firn_adopt_column *columns,
                              const firn_schema *schema)
{
    json_t *properties = firn_json_own(a->arena, json_object());
    json_object_set_new(properties, "format-version", json_sprintf("%d", a->format_version));
    json_object_set_new(properties, MAPPING,
                        json_string(firn_adopt_name_mapping(a, columns, schema)));
    json_object_set_new(properties, GC, json_string("false"));
    firn_table_defaults(firn_lake_config(a->session->engine->lake), properties);
    return properties;
}

/* The updates that make the table, and the metadata that they give. */
static firn_rc describe_table(firn_adopter *a, json_t **updates, firn_metadata **metadata,
                              firn_err *err)
{
    firn_adopt_column *columns = NULL;
    partition_columns partitions = {0};
    firn_schema *raw = NULL;
    firn_partition_spec *spec = NULL;
    char *location = NULL;
    int32_t last_id = 0;
    FIRN_TRY(firn_adopt_unite(a, &columns, err));
    FIRN_TRY(find_partitions(a, columns, &partitions, err));
    firn_field *own = FIRN_NEW_N(a->arena, firn_field, partitions.n);
    size_t n_own = 0;
    for (size_t i = 0; i < partitions.n; i++) {
        if (!partitions.in_files[i]) {
            own[n_own++] = partitions.fields[i];
        }
    }
    FIRN_TRY(firn_adopt_schema(a, columns, own, n_own, &raw, err));
    const firn_schema *schema = firn_schema_assign_fresh_ids(a->arena, raw, &last_id);
    if (partitions.n > 0) {
        FIRN_TRY(build_spec(a, schema, &partitions, &spec, err));
    }
    FIRN_TRY(
        firn_catalog_default_location(a->catalog, a->arena, a->options->ident, &location, err));
    const firn_table_create create = {.schema = schema,
                                      .spec = spec,
                                      .location = location,
                                      .properties = new_properties(a, columns, schema)};
    FIRN_TRY(firn_table_create_updates(a->arena, &create, updates, err));
    (void)firn_json_own(a->arena, *updates);
    const firn_update_options options = {0};
    a->result->n_columns = schema->root.n_fields;
    return firn_updates_apply(a->arena, NULL, *updates, &options, metadata, err);
}

static firn_rc check_free(firn_adopter *a, firn_err *err)
{
    firn_catalog_entry entry;
    firn_err missing = {0};
    FIRN_TRY(firn_check_new_name(a->options->ident.name, err));
    firn_rc rc = firn_catalog_entry_get(a->catalog, a->arena, a->session->ref, a->options->ident,
                                        &entry, &missing);
    if (rc == FIRN_OK) {
        FIRN_FAIL(err, FIRN_E_EXISTS,
                  "there is a %s %s on %s already; --add adds the folder's new files to a table",
                  entry.kind == FIRN_KIND_VIEW ? "view" : "table", a->text, a->session->ref);
    }
    if (rc != FIRN_E_NO_TABLE) {
        FIRN_FAIL(err, rc, "%s", missing.message);
    }
    return FIRN_OK;
}

static firn_rc adopt_new(firn_adopter *a, firn_err *err)
{
    json_t *updates = NULL;
    firn_metadata *metadata = NULL;
    firn_snapshot_result snapshot = {0};
    const firn_config *config = firn_lake_config(a->session->engine->lake);
    a->format_version =
        a->options->format_version > 0 ? a->options->format_version : (int)config->format_version;
    FIRN_TRY(check_free(a, err));
    FIRN_TRY(firn_adopt_list(a, NULL, err));
    FIRN_TRY(firn_adopt_read_footers(a, err));
    if (a->files.len == 0) {
        FIRN_FAIL(err, FIRN_E_INVALID, "no file in %s has rows: there is nothing to adopt",
                  a->folder);
    }
    FIRN_TRY(describe_table(a, &updates, &metadata, err));
    json_t *requirements = firn_json_own(a->arena, json_array());
    firn_rc rc = produce(a, a->arena, metadata, updates, requirements, &snapshot, err);
    if (rc == FIRN_OK && !a->options->dry_run) {
        json_t *create = firn_json_own(a->arena, json_array());
        firn_require_create(create);
        const firn_change change = {.kind = FIRN_CHANGE_CREATE_TABLE,
                                    .ident = a->options->ident,
                                    .requirements = create,
                                    .updates = updates};
        rc = firn_session_commit_changes(
            a->session, a->arena, &change, 1,
            firn_arena_printf(a->arena, "adopt %s as %s", a->folder, a->text), NULL, err);
    }
    if (rc != FIRN_OK && rc != FIRN_E_UNKNOWN_OUTCOME) {
        firn_snapshot_discard(a->storage, &snapshot);
    }
    a->result->created = a->result->marked = true;
    return rc;
}

/* ---- an addition ------------------------------------------------------------------------------------------------ */

typedef struct addition {
    firn_adopter *a;
    const char *looked_at; /* metadata file that the list was held against */
    const firn_adopt_column *columns;
    firn_snapshot_result snapshot;
} addition;

static firn_rc note_manifest(firn_adopter *a, const firn_metadata *table,
                             const firn_manifest_file *file, bool current, firn_map *known,
                             firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    firn_manifest *manifest = NULL;
    FIRN_TRY(firn_manifest_open(a->storage, firn_catalog_manifests(a->catalog), table, file,
                                &manifest, err));
    for (size_t i = 0; i < firn_manifest_len(manifest); i++) {
        firn_manifest_entry entry;
        firn_manifest_entry_at(manifest, scratch, i, &entry);
        const char *path = firn_storage_resolve(a->storage, scratch, entry.file.path);
        bool alive = current && entry.status != FIRN_ENTRY_DELETED;
        if (alive || !firn_map_has(known, path)) {
            firn_map_put(known, path, (void *)(alive ? IN_TABLE : ONCE_IN_TABLE));
        }
    }
    firn_manifest_unref(manifest);
    return FIRN_OK;
}

/* Data files of all snapshots that the table still knows, by the path that DuckDB opens. */
static firn_rc known_files(firn_adopter *a, const firn_metadata *table, firn_map **out,
                           firn_err *err)
{
    firn_map *seen = firn_map_new(a->arena);
    *out = firn_map_new(a->arena);
    for (size_t s = 0; s <= table->n_snapshots; s++) {
        /* the current one first: its manifests say what is alive */
        const firn_snapshot *snapshot = s == 0 ? table->current_snapshot : &table->snapshots[s - 1];
        firn_manifest_file *manifests = NULL;
        size_t n = 0;
        if (snapshot == NULL) {
            continue;
        }
        FIRN_TRY(
            firn_manifest_list_read(a->storage, a->arena, table, snapshot, &manifests, &n, err));
        for (size_t i = 0; i < n; i++) {
            if (!manifests[i].deletes && !firn_map_has(seen, manifests[i].path)) {
                firn_map_put(seen, manifests[i].path, a);
                FIRN_TRY(note_manifest(a, table, &manifests[i], s == 0, *out, err));
            }
        }
    }
    return FIRN_OK;
}

/* Somebody committed meanwhile, perhaps the same files. */
static firn_rc drop_known(firn_adopter *a, const firn_metadata *table, firn_err *err)
{
    firn_map *known = NULL;
    size_t kept = 0;
    FIRN_TRY(known_files(a, table, &known, err));
    for (size_t i = 0; i < a->files.len; i++) {
        const char *why = firn_map_get(known, a->files.items[i].path);
        if (why != NULL && a->options->refuse_known) {
            FIRN_FAIL(err, FIRN_E_EXISTS, "%s is %s", a->files.items[i].location, why);
        }
        if (why != NULL) {
            firn_adopt_skip(a, why, a->files.items[i].relative);
        } else {
            a->files.items[kept++] = a->files.items[i];
        }
    }
    a->files.len = kept;
    return FIRN_OK;
}

/* What the table needs besides the files: columns, a name mapping, the mark that the files are not its own. */
static firn_rc prepare_table(addition *add, firn_arena *arena, const firn_table *base,
                             json_t *updates, json_t *requirements, firn_metadata **out,
                             firn_err *err)
{
    firn_adopter *a = add->a;
    firn_schema *schema = NULL;
    const firn_update_options options = {.previous_location = base->entry.location};
    const firn_metadata *old = base->metadata;
    firn_schema_change *change = firn_schema_change_new(arena, old);
    a->format_version = old->format_version;
    FIRN_TRY(firn_adopt_compare(a, add->columns, old, change, err));
    FIRN_TRY(firn_schema_change_finish(change, &schema, updates, requirements, err));
    FIRN_TRY(firn_updates_apply(arena, old, updates, &options, out, err));
    json_t *properties = firn_json_own(arena, json_object());
    if (firn_metadata_property(old, MAPPING, NULL) == NULL) {
        json_object_set_new(properties, MAPPING,
                            json_string(firn_name_mapping_of_schema(arena, (*out)->schema)));
    }
    a->result->marked = firn_metadata_property(old, GC, NULL) == NULL;
    if (a->result->marked) {
        json_object_set_new(properties, GC, json_string("false"));
    }
    if (json_object_size(properties) > 0) {
        firn_update_set_properties(updates, properties);
        FIRN_TRY(firn_updates_apply(arena, old, updates, &options, out, err));
    }
    return FIRN_OK;
}

static firn_rc build_addition(void *ctx, firn_arena *arena, const firn_table *base, json_t *updates,
                              json_t *requirements, firn_err *err)
{
    addition *add = ctx;
    firn_adopter *a = add->a;
    firn_metadata *metadata = NULL;
    add->snapshot = (firn_snapshot_result){0};
    if (!firn_streq(base->entry.location, add->looked_at) && !a->options->allow_known) {
        FIRN_TRY(drop_known(a, base->metadata, err));
        add->looked_at = firn_arena_strdup(a->arena, base->entry.location);
    }
    if (a->files.len == 0) {
        return FIRN_OK;
    }
    FIRN_TRY(prepare_table(add, arena, base, updates, requirements, &metadata, err));
    a->result->n_columns = metadata->schema->root.n_fields;
    return produce(a, arena, metadata, updates, requirements, &add->snapshot, err);
}

static void discard_addition(void *ctx)
{
    addition *add = ctx;
    firn_snapshot_discard(add->a->storage, &add->snapshot);
    add->snapshot = (firn_snapshot_result){0};
}

static firn_rc refuse_known(firn_adopter *a, const firn_map *known, firn_err *err)
{
    firn_adopt_files files = a->files;
    FIRN_TRY(firn_adopt_list(a, NULL, err));
    for (size_t i = 0; i < a->files.len; i++) {
        const char *why = firn_map_get(known, a->files.items[i].path);
        if (why != NULL) {
            FIRN_FAIL(err, FIRN_E_EXISTS,
                      "%s is %s. Nothing was added; check_duplicate_files => false adds it all the "
                      "same",
                      a->files.items[i].location, why);
        }
    }
    a->files = files;
    a->skipped.len = 0;
    return FIRN_OK;
}

static firn_rc adopt_more(firn_adopter *a, firn_err *err)
{
    firn_table table;
    firn_map *known = NULL;
    firn_adopt_column *columns = NULL;
    json_t *nothing = firn_json_own(a->arena, json_array());
    FIRN_TRY(firn_catalog_table_load(a->catalog, a->arena, a->session->ref, a->options->ident,
                                     &table, err));
    if (a->options->partition_sql != NULL || a->options->format_version > 0) {
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "%s has its partitioning and format version: leave them out when adding",
                  a->text);
    }
    if (!a->options->allow_known) {
        FIRN_TRY(known_files(a, table.metadata, &known, err));
    }
    if (a->options->refuse_known && known != NULL) {
        FIRN_TRY(refuse_known(a, known, err));
    }
    FIRN_TRY(firn_adopt_list(a, known, err));
    FIRN_TRY(firn_adopt_read_footers(a, err));
    if (a->files.len == 0) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_adopt_unite(a, &columns, err));
    addition add = {.a = a, .looked_at = table.entry.location, .columns = columns};
    if (a->options->dry_run) {
        return build_addition(&add, a->arena, &table, nothing, nothing, err);
    }
    const firn_table_commit commit = {
        .ident = a->options->ident,
        .build = build_addition,
        .discard = discard_addition,
        .ctx = &add,
        .message = firn_arena_printf(a->arena, "adopt files of %s into %s", a->folder, a->text)};
    return firn_session_commit_table(a->session, a->arena, &commit, err);
}

/* ---- both ---------------------------------------------------------------------------------------------------------- */

firn_rc firn_session_adopt(firn_session *session, firn_arena *arena,
                           const firn_adopt_options *options, firn_adopt_result *out, firn_err *err)
{
    firn_adopter a = {.session = session, .arena = arena, .options = options, .result = out};
    *out = (firn_adopt_result){0};
    session->interrupted = false;
    session->statement_us = firn_now_us();
    FIRN_TRY(firn_session_catalog(session, &a.catalog, err));
    a.storage = firn_lake_storage(session->engine->lake);
    a.text = firn_ident_text(arena, options->ident);
    const char *folder = firn_location_of_path(arena, options->folder);
    size_t len = strlen(folder);
    while (len > 1 && folder[len - 1] == '/') {
        len--;
    }
    a.folder = firn_arena_strndup(arena, folder, len);
    firn_rc rc = options->add ? adopt_more(&a, err) : adopt_new(&a, err);
    session->work_done = -1;
    count(&a);
    return rc;
}
