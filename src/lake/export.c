/* A table's present state under another location; see export.h.
 *
 * Every manifest becomes one of the same spec and content with the same live entries, all EXISTING with the sequence numbers that they
 * have by now, so that deletes go on applying to what they applied to. The snapshot keeps its id and its sequence number.
 */
#include "lake/export.h"

#include "base/io.h"
#include "base/map.h"
#include "base/uuid.h"
#include "format/dv.h"
#include "format/puffin.h"

#include <string.h>

#define PARTIAL "firn-export.partial"

enum { DV_BYTES_MAX = 256 << 20 };

typedef struct exporter {
    firn_storage *storage;
    firn_arena *arena;
    const firn_table *table;
    const firn_metadata *old;
    const char *from; /* the table's folder, as it resolves, with a slash at its end */
    const char *to;   /* location without a slash at its end */
    firn_metadata *metadata;
    firn_map *copied; /* new location -> anything */
    FIRN_VEC(const char *) locations;
    firn_lake_export_result *out;
} exporter;

/* ---- the folder ---------------------------------------------------------------------------------------------- */

static firn_rc claim_folder(exporter *x, firn_err *err)
{
    firn_storage_object *objects = NULL;
    size_t n = 0;
    const char *mark = firn_location_join(x->arena, x->to, PARTIAL);
    FIRN_TRY(firn_storage_list(x->storage, x->arena, firn_arena_printf(x->arena, "%s/", x->to),
                               &objects, &n, err));
    bool ours = n == 0;
    for (size_t i = 0; i < n; i++) {
        ours = ours || firn_streq(objects[i].location, mark);
    }
    if (!ours) {
        FIRN_FAIL(err, FIRN_E_EXISTS, "%s is not empty (%s): export into a folder of its own",
                  x->to, objects[0].location);
    }
    return firn_storage_put(x->storage, mark,
                            firn_bytes_str("An export that did not finish. Run it again, or remove "
                                           "this folder.\n"),
                            err);
}

/* ---- files ----------------------------------------------------------------------------------------------------- */

static const char *new_place(const exporter *x, const char *location)
{
    const char *path = firn_storage_resolve(x->storage, x->arena, location);
    if (firn_starts_with(path, x->from)) {
        return firn_location_join(x->arena, x->to, path + strlen(x->from));
    }
    const char *slash = strrchr(path, '/');
    return firn_arena_printf(x->arena, "%s/data/%08x-%s", x->to,
                             (unsigned)firn_hash64(path, strlen(path), 0),
                             slash != NULL ? slash + 1 : path);
}

static void note_file(exporter *x, const char *location, int64_t size_bytes)
{
    firn_map_put(x->copied, location, x);
    firn_vec_push(x->arena, &x->locations, location);
    x->out->files++;
    x->out->bytes += size_bytes;
}

/* A vector's file names its data file inside; every vector gets a file to itself. */
static firn_rc export_vector(exporter *x, firn_data_file *file, firn_err *err)
{
    static const int32_t FIELDS[] = {2147483645}; /* _pos, as the format demands */
    FIRN_AUTO_BUF firn_buf packed = {0};
    firn_bytes content;
    const char *target = new_place(x, file->referenced_data_file);
    const char *location = firn_arena_printf(x->arena, "%s-%lld.puffin", new_place(x, file->path),
                                             (long long)file->content_offset);
    if (file->content_offset < 0 || file->content_size_bytes <= 0 ||
        file->content_size_bytes > DV_BYTES_MAX) {
        FIRN_FAIL(err, FIRN_E_CORRUPT, "the deletion vector in %s has no proper place and size",
                  file->path);
    }
    FIRN_TRY(firn_storage_get_range(x->storage, x->arena, file->path, file->content_offset,
                                    (size_t)file->content_size_bytes, &content, err));
    json_t *properties = firn_json_own(x->arena, json_object());
    json_object_set_new(properties, FIRN_DV_PROPERTY_DATA_FILE, json_string(target));
    json_object_set_new(properties, FIRN_DV_PROPERTY_CARDINALITY,
                        json_sprintf("%lld", (long long)file->record_count));
    firn_puffin_blob blob = {.type = FIRN_DV_BLOB_TYPE,
                             .fields = FIELDS,
                             .field_count = 1,
                             .snapshot_id = -1,
                             .sequence_number = -1,
                             .properties = properties};
    firn_puffin_writer *writer = firn_puffin_writer_open(x->arena, &packed);
    FIRN_TRY(firn_puffin_writer_add(writer, &blob, content, err));
    FIRN_TRY(firn_puffin_writer_finish(writer, NULL, err));
    FIRN_TRY(firn_storage_put(x->storage, location, firn_buf_bytes(&packed), err));
    file->path = location;
    file->referenced_data_file = target;
    file->file_size_bytes = (int64_t)packed.len;
    file->content_offset = blob.offset;
    file->content_size_bytes = blob.length;
    note_file(x, location, file->file_size_bytes);
    return FIRN_OK;
}

static firn_rc export_file(exporter *x, firn_data_file *file, firn_err *err)
{
    if (file->content == FIRN_CONTENT_POSITION_DELETES) {
        if (firn_strcaseeq(file->format, "PUFFIN") && file->referenced_data_file != NULL) {
            return export_vector(x, file, err);
        }
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                  "%s has position delete files (%s), which name data files inside. Compact the "
                  "table first, or copy the rows with CREATE TABLE ... AS SELECT",
                  firn_ident_text(x->arena, x->table->entry.ident), file->path);
    }
    const char *location = new_place(x, file->path);
    int64_t size_bytes = 0;
    if (!firn_map_has(x->copied, location)) {
        FIRN_TRY(firn_storage_copy(x->storage, file->path, location, err));
        FIRN_TRY(firn_storage_size(x->storage, location, &size_bytes, err));
        if (size_bytes != file->file_size_bytes) {
            FIRN_FAIL(err, FIRN_E_CORRUPT,
                      "%s has %lld bytes and the table says %lld: it was changed in place",
                      file->path, (long long)size_bytes, (long long)file->file_size_bytes);
        }
        note_file(x, location, size_bytes);
    }
    x->out->rows += file->content == FIRN_CONTENT_DATA ? file->record_count : 0;
    file->path = location;
    return FIRN_OK;
}

/* ---- manifests -------------------------------------------------------------------------------------------------- */

static firn_rc export_entries(exporter *x, const firn_manifest *manifest,
                              firn_manifest_writer *writer, size_t *n, firn_err *err)
{
    for (size_t i = 0; i < firn_manifest_len(manifest); i++) {
        firn_manifest_entry entry;
        firn_manifest_entry_at(manifest, x->arena, i, &entry);
        if (entry.status == FIRN_ENTRY_DELETED) {
            continue;
        }
        entry.status = FIRN_ENTRY_EXISTING;
        FIRN_TRY(export_file(x, &entry.file, err));
        FIRN_TRY(firn_manifest_writer_add(writer, &entry, err));
        ++*n;
    }
    return FIRN_OK;
}

static firn_rc export_manifest(exporter *x, const firn_manifest_file *file, firn_manifest_file *out,
                               bool *any, firn_err *err)
{
    firn_manifest *manifest = NULL;
    const firn_partition_spec *spec = firn_metadata_spec(x->old, file->spec_id);
    size_t n = 0;
    *any = false;
    if (spec == NULL) {
        FIRN_FAIL(err, FIRN_E_CORRUPT, "manifest %s is of spec %d, which the table has not",
                  file->path, (int)file->spec_id);
    }
    const firn_manifest_writer_options options = {
        .metadata = x->metadata,
        .spec = spec,
        .deletes = file->deletes,
        .snapshot_id = x->old->current_snapshot->snapshot_id,
        .location =
            firn_arena_printf(x->arena, "%s/metadata/%s-m.avro", x->to, firn_uuid_new(x->arena))};
    FIRN_TRY(firn_manifest_open(x->storage, NULL, x->old, file, &manifest, err));
    firn_manifest_writer *writer = firn_manifest_writer_new(x->arena, &options);
    firn_rc rc = export_entries(x, manifest, writer, &n, err);
    if (rc == FIRN_OK && n > 0) {
        rc = firn_manifest_writer_finish(writer, x->storage, out, err);
        *any = true;
    }
    firn_manifest_unref(manifest);
    if (file->first_row_id >= 0) {
        out->first_row_id = file->first_row_id;
    }
    return rc;
}

static firn_rc export_manifests(exporter *x, const char *list, firn_err *err)
{
    const firn_snapshot *snapshot = x->old->current_snapshot;
    firn_manifest_file *manifests = NULL;
    int64_t next_row_id = -1;
    size_t n = 0, kept = 0;
    FIRN_TRY(firn_manifest_list_read(x->storage, x->arena, x->old, snapshot, &manifests, &n, err));
    firn_manifest_file *out = FIRN_NEW_N(x->arena, firn_manifest_file, n);
    for (size_t i = 0; i < n; i++) {
        bool any = false;
        FIRN_TRY(export_manifest(x, &manifests[i], &out[kept], &any, err));
        kept += any;
    }
    const firn_manifest_list_options options = {.metadata = x->metadata,
                                                .snapshot_id = snapshot->snapshot_id,
                                                .parent_snapshot_id = -1,
                                                .sequence_number = snapshot->sequence_number,
                                                .first_row_id = snapshot->first_row_id,
                                                .location = list};
    return firn_manifest_list_write(x->storage, x->arena, &options, out, kept, &next_row_id, err);
}

/* ---- metadata ---------------------------------------------------------------------------------------------------- */

static json_t *kept_snapshot(const exporter *x, const char *list)
{
    json_t *snapshot = json_deep_copy(x->old->current_snapshot->json);
    json_object_del(snapshot, "parent-snapshot-id");
    json_object_del(snapshot, "manifests"); /* v1 */
    json_object_set_new(snapshot, "manifest-list", json_string(list));
    return snapshot;
}

static json_t *kept_properties(const firn_metadata *old)
{
    static const char *const OF_THE_PLACE[] = {
        "write.data.path", "write.metadata.path",       "write.folder-storage.path",
        "gc.enabled",      "write.object-storage.path", "write.object-storage.enabled"};
    json_t *properties = json_copy(old->properties);
    for (size_t i = 0; i < sizeof(OF_THE_PLACE) / sizeof(OF_THE_PLACE[0]); i++) {
        json_object_del(properties, OF_THE_PLACE[i]);
    }
    return properties;
}

static firn_rc build_metadata(exporter *x, const char *list, firn_err *err)
{
    const firn_snapshot *snapshot = x->old->current_snapshot;
    json_t *json = firn_json_own(x->arena, json_copy(x->old->json));
    json_t *none = firn_json_own(x->arena, json_array());
    static const char *const EMPTIED[] = {"snapshots", "snapshot-log", "metadata-log", "statistics",
                                          "partition-statistics"};
    for (size_t i = 0; i < sizeof(EMPTIED) / sizeof(EMPTIED[0]); i++) {
        json_object_set(json, EMPTIED[i], none);
    }
    json_object_set_new(json, "table-uuid", json_string(firn_uuid_new(x->arena)));
    json_object_set_new(json, "location", json_string(x->to));
    json_object_set_new(json, "properties", kept_properties(x->old));
    json_object_set_new(json, "refs", json_object());
    if (snapshot != NULL) {
        json_object_set_new(json, "snapshots", json_pack("[o]", kept_snapshot(x, list)));
        json_object_set_new(json, "snapshot-log",
                            json_pack("[{s:I, s:I}]", "timestamp-ms",
                                      (json_int_t)snapshot->timestamp_ms, "snapshot-id",
                                      (json_int_t)snapshot->snapshot_id));
        json_object_set_new(json, "refs",
                            json_pack("{s:{s:I, s:s}}", "main", "snapshot-id",
                                      (json_int_t)snapshot->snapshot_id, "type", "branch"));
    }
    return firn_metadata_from_json(x->arena, json, "the exported table", &x->metadata, err);
}

firn_rc firn_lake_export(firn_lake *lake, firn_arena *arena, const firn_table *table,
                         const char *dir, firn_lake_export_result *out, firn_err *err)
{
    exporter x = {.storage = firn_lake_storage(lake),
                  .arena = arena,
                  .table = table,
                  .old = table->metadata,
                  .copied = firn_map_new(arena),
                  .out = out};
    char *metadata = NULL;
    *out = (firn_lake_export_result){0};
    const char *to = firn_location_of_path(arena, dir);
    size_t len = strlen(to);
    while (len > 1 && to[len - 1] == '/') {
        len--;
    }
    x.to = firn_arena_strndup(arena, to, len);
    x.from = firn_location_join(
        arena, firn_storage_resolve(x.storage, arena, table->metadata->location), "");
    const char *list =
        firn_arena_printf(arena, "%s/metadata/snap-%s.avro", x.to, firn_uuid_new(arena));
    FIRN_TRY(build_metadata(&x, list, err));
    FIRN_TRY(claim_folder(&x, err));
    if (x.old->current_snapshot != NULL) {
        FIRN_TRY(export_manifests(&x, list, err));
        FIRN_TRY(firn_storage_sync(x.storage, x.to, x.locations.items, x.locations.len, err));
    }
    FIRN_TRY(firn_metadata_store(x.storage, arena, x.metadata, NULL, &metadata, err));
    out->metadata_location = metadata;
    return firn_storage_delete(x.storage, firn_location_join(arena, x.to, PARTIAL), err);
}
