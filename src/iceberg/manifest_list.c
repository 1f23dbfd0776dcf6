/*
 * manifest_list.c - the list of a snapshot's manifests, read and written (spec: "Manifest Lists").
 *
 * v1 snapshots may name their manifests in the metadata instead of a list. Such a manifest tells its spec in its own
 * header, has sequence number 0 and counts nobody recorded.
 */
#include "format/avro.h"
#include "manifest_data.h"
#include "manifest_pick.h"
#include "manifest_schema.h"
#include "manifest_write.h"

enum list_slot {
    LIST_PATH,
    LIST_LENGTH,
    LIST_SPEC,
    LIST_CONTENT,
    LIST_SEQUENCE,
    LIST_MIN_SEQUENCE,
    LIST_SNAPSHOT,
    LIST_ADDED_FILES,
    LIST_EXISTING_FILES,
    LIST_DELETED_FILES,
    LIST_ADDED_ROWS,
    LIST_EXISTING_ROWS,
    LIST_DELETED_ROWS,
    LIST_PARTITIONS,
    LIST_KEY_METADATA,
    LIST_FIRST_ROW,
};

static const firn_pick_slot list_slots[] = {
    [LIST_PATH] = {500, "manifest_path", NULL},
    [LIST_LENGTH] = {501, "manifest_length", NULL},
    [LIST_SPEC] = {502, "partition_spec_id", NULL},
    [LIST_CONTENT] = {517, "content", NULL},
    [LIST_SEQUENCE] = {515, "sequence_number", NULL},
    [LIST_MIN_SEQUENCE] = {516, "min_sequence_number", NULL},
    [LIST_SNAPSHOT] = {503, "added_snapshot_id", NULL},
    [LIST_ADDED_FILES] = {504, "added_files_count", "added_data_files_count"},
    [LIST_EXISTING_FILES] = {505, "existing_files_count", "existing_data_files_count"},
    [LIST_DELETED_FILES] = {506, "deleted_files_count", "deleted_data_files_count"},
    [LIST_ADDED_ROWS] = {512, "added_rows_count", NULL},
    [LIST_EXISTING_ROWS] = {513, "existing_rows_count", NULL},
    [LIST_DELETED_ROWS] = {514, "deleted_rows_count", NULL},
    [LIST_PARTITIONS] = {507, "partitions", NULL},
    [LIST_KEY_METADATA] = {519, "key_metadata", NULL},
    [LIST_FIRST_ROW] = {520, "first_row_id", NULL},
};
enum { LIST_SLOT_COUNT = sizeof list_slots / sizeof *list_slots };

enum summary_slot { SUMMARY_NULL, SUMMARY_NAN, SUMMARY_LOWER, SUMMARY_UPPER };

static const firn_pick_slot summary_slots[] = {
    [SUMMARY_NULL] = {509, "contains_null", NULL},
    [SUMMARY_NAN] = {518, "contains_nan", NULL},
    [SUMMARY_LOWER] = {510, "lower_bound", NULL},
    [SUMMARY_UPPER] = {511, "upper_bound", NULL},
};

typedef FIRN_VEC(firn_manifest_file) manifest_vec;

typedef struct list_reader {
    firn_arena *arena;
    firn_avro_cursor cursor;
    const char *bad;
    const firn_pick *record, *summary;
    size_t n_record, n_summary;
} list_reader;

/* ---- reading --------------------------------------------------------------------------------------------------- */

static bool read_summary(list_reader *r, firn_partition_summary *out)
{
    *out = (firn_partition_summary){.contains_nan = -1};
    for (size_t f = 0; f < r->n_summary; f++) {
        const firn_pick *pick = &r->summary[f];
        bool present, flag;
        firn_bytes bytes;
        if (pick->slot < 0) {
            if (!firn_avro_skip(&r->cursor, pick->whole))
                return false;
            continue;
        }
        if (!firn_pick_present(&r->cursor, pick, &present))
            return false;
        if (!present)
            continue;
        if (pick->slot <= SUMMARY_NAN) {
            if (pick->type->kind != FIRN_AVRO_BOOLEAN || !firn_avro_get_boolean(&r->cursor, &flag))
                return false;
            if (pick->slot == SUMMARY_NULL)
                out->contains_null = flag;
            else
                out->contains_nan = flag;
            continue;
        }
        if (!firn_pick_bytes(&r->cursor, pick->type, &bytes))
            return false;
        bytes = firn_bytes_dup(r->arena, bytes);
        if (!bytes.data)
            bytes.data = (const uint8_t *)""; /* an empty string is a bound, too */
        *(pick->slot == SUMMARY_LOWER ? &out->lower : &out->upper) = bytes;
    }
    return true;
}

static bool read_summaries(list_reader *r, firn_manifest_file *out)
{
    FIRN_VEC(firn_partition_summary) all = {0};
    firn_vec_reserve(r->arena, &all, 1); /* an empty list is not NULL */
    for (;;) {
        int64_t count;
        if (!firn_avro_get_block(&r->cursor, &count, NULL))
            return false;
        if (count == 0)
            break;
        for (int64_t i = 0; i < count; i++) {
            firn_partition_summary one;
            if (all.len == FIRN_MANIFEST_FIELDS_MAX || !read_summary(r, &one))
                return false;
            firn_vec_push(r->arena, &all, one);
        }
    }
    out->partitions = all.items;
    out->n_partitions = all.len;
    return true;
}

static bool read_path(list_reader *r, const firn_pick *pick, const char **out)
{
    firn_bytes text;
    if (!firn_pick_bytes(&r->cursor, pick->type, &text) || text.len == 0 ||
        memchr(text.data, 0, text.len))
        return false;
    *out = firn_arena_strndup(r->arena, (const char *)text.data, text.len);
    return true;
}

static int64_t *number_of(firn_manifest_file *out, enum list_slot slot)
{
    switch (slot) {
    case LIST_LENGTH: return &out->length_bytes;
    case LIST_SEQUENCE: return &out->sequence_number;
    case LIST_MIN_SEQUENCE: return &out->min_sequence_number;
    case LIST_SNAPSHOT: return &out->added_snapshot_id;
    case LIST_ADDED_FILES: return &out->added_files;
    case LIST_EXISTING_FILES: return &out->existing_files;
    case LIST_DELETED_FILES: return &out->deleted_files;
    case LIST_ADDED_ROWS: return &out->added_rows;
    case LIST_EXISTING_ROWS: return &out->existing_rows;
    case LIST_DELETED_ROWS: return &out->deleted_rows;
    case LIST_FIRST_ROW: return &out->first_row_id;
    default: return NULL;
    }
}

static bool read_field(list_reader *r, const firn_pick *pick, firn_manifest_file *out)
{
    firn_bytes bytes;
    int64_t number;
    int64_t *target = number_of(out, (enum list_slot)pick->slot);
    if (target)
        return firn_pick_long(&r->cursor, pick->type, target);
    switch ((enum list_slot)pick->slot) {
    case LIST_PATH: return read_path(r, pick, &out->path);
    case LIST_SPEC:
        if (!firn_pick_long(&r->cursor, pick->type, &number) || number != (int32_t)number)
            return false;
        out->spec_id = (int32_t)number;
        return true;
    case LIST_CONTENT:
        if (!firn_pick_long(&r->cursor, pick->type, &number) || number < 0 || number > 1)
            return false;
        out->deletes = number == 1;
        return true;
    case LIST_PARTITIONS: return pick->type->kind == FIRN_AVRO_ARRAY && read_summaries(r, out);
    case LIST_KEY_METADATA:
        if (!firn_pick_bytes(&r->cursor, pick->type, &bytes))
            return false;
        out->key_metadata = firn_bytes_dup(r->arena, bytes);
        return true;
    default: return false;
    }
}

static bool read_manifest_file(list_reader *r, firn_manifest_file *out)
{
    *out = (firn_manifest_file){.added_snapshot_id = -1,
                                .added_files = -1,
                                .existing_files = -1,
                                .deleted_files = -1,
                                .added_rows = -1,
                                .existing_rows = -1,
                                .deleted_rows = -1,
                                .first_row_id = -1};
    for (size_t f = 0; f < r->n_record; f++) {
        const firn_pick *pick = &r->record[f];
        bool present;
        r->bad = pick->slot < 0 ? "a field" : list_slots[pick->slot].name;
        if (pick->slot < 0) {
            if (!firn_avro_skip(&r->cursor, pick->whole))
                return false;
            continue;
        }
        if (!firn_pick_present(&r->cursor, pick, &present) ||
            (present && !read_field(r, pick, out)))
            return false;
    }
    r->bad = "manifest_path";
    return out->path != NULL;
}

static firn_rc compile(list_reader *r, const firn_avro_schema *schema, const char *name,
                       firn_err *err)
{
    if (schema->kind != FIRN_AVRO_RECORD)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s is no manifest list: its Avro schema is not a record",
                  name);
    r->record = firn_picks_new(r->arena, schema, list_slots, LIST_SLOT_COUNT);
    r->n_record = schema->field_count;
    bool has_path = false;
    for (size_t f = 0; f < r->n_record; f++) {
        has_path |= r->record[f].slot == LIST_PATH;
        if (r->record[f].slot != LIST_PARTITIONS || r->record[f].type->kind != FIRN_AVRO_ARRAY)
            continue;
        const firn_avro_schema *item = r->record[f].type->items;
        if (item->kind != FIRN_AVRO_RECORD)
            FIRN_FAIL(err, FIRN_E_CORRUPT,
                      "manifest list %s: partitions is not an array of records", name);
        r->summary = firn_picks_new(r->arena, item, summary_slots,
                                    sizeof summary_slots / sizeof *summary_slots);
        r->n_summary = item->field_count;
    }
    if (!has_path)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s is no manifest list: its schema has no manifest_path",
                  name);
    return FIRN_OK;
}

static firn_rc decode_list(firn_arena *arena, firn_bytes bytes, const char *name, manifest_vec *out,
                           firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    firn_avro_reader *reader;
    FIRN_TRY(firn_avro_reader_open(scratch, bytes, name, &reader, err));
    list_reader r = {.arena = scratch};
    FIRN_TRY(compile(&r, firn_avro_reader_schema(reader), name, err));
    r.arena = arena;
    for (;;) {
        firn_avro_block block;
        FIRN_TRY(firn_avro_reader_next(reader, &block, err));
        if (block.record_count == 0)
            return FIRN_OK;
        if ((uint64_t)block.record_count > FIRN_MANIFEST_LIST_LEN_MAX - out->len)
            FIRN_FAIL(err, FIRN_E_LIMIT, "manifest list %s names more than %d manifests", name,
                      FIRN_MANIFEST_LIST_LEN_MAX);
        r.cursor = firn_avro_cursor_of(block.data);
        for (int64_t i = 0; i < block.record_count; i++) {
            firn_manifest_file file;
            if (!read_manifest_file(&r, &file))
                FIRN_FAIL(err, FIRN_E_CORRUPT, "manifest list %s: entry %zu is malformed at %s",
                          name, out->len, r.bad);
            firn_vec_push(arena, out, file);
        }
        if (firn_avro_remaining(&r.cursor) > 0)
            FIRN_FAIL(err, FIRN_E_CORRUPT,
                      "manifest list %s: the block at byte %lld has bytes left over", name,
                      (long long)block.offset);
    }
}

/* A manifest that a v1 snapshot names without a list. */
static firn_rc read_inline(firn_storage *storage, firn_arena *arena, const firn_snapshot *snapshot,
                           const char *path, firn_manifest_file *out, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    firn_bytes bytes;
    FIRN_TRY(firn_storage_get(storage, scratch, path, FIRN_MANIFEST_BYTES_MAX, &bytes, err));
    firn_avro_reader *reader;
    FIRN_TRY(firn_avro_reader_open(scratch, bytes, path, &reader, err));
    const char *spec = firn_avro_reader_meta_text(reader, "partition-spec-id");
    int64_t spec_id = 0;
    if (spec && (!firn_parse_i64(spec, &spec_id) || spec_id != (int32_t)spec_id))
        FIRN_FAIL(err, FIRN_E_CORRUPT, "manifest %s: partition-spec-id \"%s\" is not a number",
                  path, spec);
    *out = (firn_manifest_file){
        .path = firn_arena_strdup(arena, path),
        .length_bytes = (int64_t)bytes.len,
        .spec_id = (int32_t)spec_id,
        .added_snapshot_id = snapshot->snapshot_id,
        .added_files = -1,
        .existing_files = -1,
        .deleted_files = -1,
        .added_rows = -1,
        .existing_rows = -1,
        .deleted_rows = -1,
        .first_row_id = -1,
    };
    return FIRN_OK;
}

firn_rc firn_manifest_list_read(firn_storage *storage, firn_arena *arena,
                                const firn_metadata *metadata, const firn_snapshot *snapshot,
                                firn_manifest_file **out, size_t *n, firn_err *err)
{
    (void)metadata;
    manifest_vec all = {0};
    if (snapshot->manifest_list) {
        FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
        firn_bytes bytes;
        firn_rc rc = firn_storage_get(storage, scratch, snapshot->manifest_list,
                                      FIRN_MANIFEST_BYTES_MAX, &bytes, err);
        if (rc != FIRN_OK)
            return firn_err_wrap(err, rc, "cannot read the manifest list of snapshot %lld",
                                 (long long)snapshot->snapshot_id);
        FIRN_TRY(decode_list(arena, bytes, snapshot->manifest_list, &all, err));
    }
    for (size_t i = 0; !snapshot->manifest_list && i < snapshot->n_manifests; i++) {
        firn_manifest_file file;
        FIRN_TRY(read_inline(storage, arena, snapshot, snapshot->manifests[i], &file, err));
        firn_vec_push(arena, &all, file);
    }
    *out = all.items;
    *n = all.len;
    return FIRN_OK;
}

firn_rc firn_manifest_list_decode(firn_arena *arena, firn_bytes bytes, const char *name,
                                  firn_manifest_file **out, size_t *n, firn_err *err)
{
    manifest_vec all = {0};
    FIRN_TRY(decode_list(arena, bytes, name, &all, err));
    *out = all.items;
    *n = all.len;
    return FIRN_OK;
}

/* ---- writing ---------------------------------------------------------------------------------------------------- */

static void put_optional(firn_buf *record, bool present)
{
    firn_buf_putc(record, present ? 2 : 0);
}

static void put_count(firn_buf *record, int version, int64_t count)
{
    if (version == 1)
        put_optional(record, count >= 0);
    if (version > 1 || count >= 0)
        firn_avro_put_long(record, count < 0 ? 0 : count);
}

static void put_summaries(firn_buf *record, const firn_manifest_file *file)
{
    /* Null says "not known"; a manifest of an unpartitioned spec has an empty list. */
    put_optional(record, file->partitions != NULL);
    if (!file->partitions)
        return;
    if (file->n_partitions > 0)
        firn_avro_put_long(record, (int64_t)file->n_partitions);
    for (size_t i = 0; i < file->n_partitions; i++) {
        const firn_partition_summary *summary = &file->partitions[i];
        firn_avro_put_boolean(record, summary->contains_null);
        put_optional(record, summary->contains_nan >= 0);
        if (summary->contains_nan >= 0)
            firn_avro_put_boolean(record, summary->contains_nan > 0);
        put_optional(record, summary->lower.data != NULL);
        if (summary->lower.data)
            firn_avro_put_bytes(record, summary->lower);
        put_optional(record, summary->upper.data != NULL);
        if (summary->upper.data)
            firn_avro_put_bytes(record, summary->upper);
    }
    firn_avro_put_long(record, 0);
}

static void put_key_metadata(firn_buf *record, const firn_manifest_file *file)
{
    put_optional(record, file->key_metadata.data != NULL);
    if (file->key_metadata.data)
        firn_avro_put_bytes(record, file->key_metadata);
}

static void put_manifest(firn_buf *record, int version, const firn_manifest_file *file)
{
    firn_avro_put_string(record, file->path);
    firn_avro_put_long(record, file->length_bytes);
    firn_avro_put_long(record, file->spec_id);
    if (version >= 2) {
        firn_avro_put_long(record, file->deletes ? 1 : 0);
        firn_avro_put_long(record, file->sequence_number);
        firn_avro_put_long(record, file->min_sequence_number);
    }
    firn_avro_put_long(record, file->added_snapshot_id);
    put_count(record, version, file->added_files);
    put_count(record, version, file->existing_files);
    put_count(record, version, file->deleted_files);
    if (version == 1)
        put_summaries(record, file);
    put_count(record, version, file->added_rows);
    put_count(record, version, file->existing_rows);
    put_count(record, version, file->deleted_rows);
    if (version > 1)
        put_summaries(record, file);
    put_key_metadata(record, file);
    if (version >= 3) {
        put_optional(record, file->first_row_id >= 0);
        if (file->first_row_id >= 0)
            firn_avro_put_long(record, file->first_row_id);
    }
}

/* What the commit gives a manifest: sequence numbers if it is new, row ids if it has none (v3). */
static firn_rc assign(const firn_manifest_list_options *options, firn_manifest_file *file,
                      int64_t *next_row_id, firn_err *err)
{
    int version = options->metadata->format_version;
    if (version == 1)
        file->sequence_number = file->min_sequence_number = 0;
    if (file->sequence_number < 0) {
        if (file->added_snapshot_id != options->snapshot_id)
            FIRN_FAIL(err, FIRN_E_INTERNAL, "manifest %s of snapshot %lld has no sequence number",
                      file->path, (long long)file->added_snapshot_id);
        file->sequence_number = options->sequence_number;
    }
    if (file->min_sequence_number < 0)
        file->min_sequence_number = options->sequence_number;
    bool counted = file->added_rows >= 0 && file->existing_rows >= 0 && file->added_files >= 0;
    if (version >= 2 && !counted)
        FIRN_FAIL(err, FIRN_E_INTERNAL, "manifest %s has no counts", file->path);
    if (version < 3 || file->deletes || file->first_row_id >= 0)
        return FIRN_OK;
    file->first_row_id = *next_row_id;
    int64_t rows;
    if (__builtin_add_overflow(file->added_rows, file->existing_rows, &rows) ||
        __builtin_add_overflow(*next_row_id, rows, next_row_id))
        FIRN_FAIL(err, FIRN_E_LIMIT, "row ids of the table are used up");
    return FIRN_OK;
}

firn_rc firn_manifest_list_write(firn_storage *storage, firn_arena *arena,
                                 const firn_manifest_list_options *options,
                                 firn_manifest_file *manifests, size_t n, int64_t *next_row_id,
                                 firn_err *err)
{
    int version = options->metadata->format_version;
    const char *parent =
        options->parent_snapshot_id < 0
            ? "null"
            : firn_arena_printf(arena, "%lld", (long long)options->parent_snapshot_id);
    firn_avro_meta meta[5] = {
        {"snapshot-id",
         firn_bytes_str(firn_arena_printf(arena, "%lld", (long long)options->snapshot_id))},
        {"parent-snapshot-id", firn_bytes_str(parent)},
        {"format-version", firn_bytes_str(firn_arena_printf(arena, "%d", version))},
    };
    size_t n_meta = 3;
    if (version >= 2)
        meta[n_meta++] = (firn_avro_meta){
            "sequence-number",
            firn_bytes_str(firn_arena_printf(arena, "%lld", (long long)options->sequence_number))};
    if (version >= 3)
        meta[n_meta++] = (firn_avro_meta){
            "first-row-id",
            firn_bytes_str(firn_arena_printf(arena, "%lld", (long long)options->first_row_id))};
    int level;
    firn_avro_codec codec = firn_manifest_codec(options->metadata, &level);
    FIRN_AUTO_BUF firn_buf out = {.max = FIRN_MANIFEST_BYTES_MAX};
    firn_avro_writer *writer;
    firn_avro_writer_opts opts = {.schema = firn_manifest_list_avro_schema(version),
                                  .codec = codec,
                                  .level = level,
                                  .meta = meta,
                                  .meta_count = n_meta};
    FIRN_TRY(firn_avro_writer_open(arena, &opts, &out, &writer, err));
    *next_row_id = options->first_row_id;
    for (size_t i = 0; i < n; i++) {
        FIRN_TRY(assign(options, &manifests[i], next_row_id, err));
        put_manifest(firn_avro_writer_record(writer), version, &manifests[i]);
        FIRN_TRY(firn_avro_writer_record_end(writer, err));
    }
    FIRN_TRY(firn_avro_writer_finish(writer, err));
    return firn_storage_put_if_absent(storage, options->location, firn_buf_bytes(&out), err);
}
