/*
 * manifest_write.c - writing a manifest: entries encoded as they come, counts and partition summaries kept for its
 * line in the manifest list.
 *
 * ADDED entries leave their sequence numbers null unless a data sequence number is given (compaction keeps one):
 * readers inherit the number of the commit that succeeds, so a retry needs no rewriting of manifests.
 */
#include "manifest_write.h"

#include "format/avro.h"
#include "manifest_data.h"
#include "manifest_schema.h"

#include <stdlib.h>

enum { ADDED_COUNT, EXISTING_COUNT, DELETED_COUNT };

typedef struct summary {
    bool contains_null, contains_nan;
    firn_value lower, upper; /* is_null: none yet */
} summary;

struct firn_manifest_writer {
    firn_arena *arena;
    firn_manifest_writer_options options;
    int version;
    const firn_type *partition_type;
    firn_buf out;
    firn_avro_writer *avro;
    summary *summaries;
    firn_value *tuple; /* the entry's partition, in the spec's types */
    int64_t files[3], rows[3];
    int64_t min_sequence_number; /* INT64_MAX: none explicit */
    bool started;
};

/* ---- encoding ------------------------------------------------------------------------------------------------- */

static void put_present(firn_buf *record, bool present)
{
    firn_buf_putc(record, present ? 2 : 0); /* zigzag branch 1 or 0 */
}

static void put_optional_long(firn_buf *record, bool present, int64_t value)
{
    put_present(record, present);
    if (present)
        firn_avro_put_long(record, value);
}

static void put_optional_bytes(firn_buf *record, bool present, firn_bytes value)
{
    put_present(record, present);
    if (present)
        firn_avro_put_bytes(record, value);
}

static int64_t metric_count(const firn_column_metrics *metrics, int kind)
{
    switch (kind) {
    case FIRN_METRIC_SIZE: return metrics->size_bytes;
    case FIRN_METRIC_VALUES: return metrics->value_count;
    case FIRN_METRIC_NULLS: return metrics->null_count;
    default: return metrics->nan_count;
    }
}

static firn_bytes metric_bound(const firn_column_metrics *metrics, int kind)
{
    return kind == FIRN_METRIC_LOWER ? metrics->lower : metrics->upper;
}

static bool metric_known(const firn_column_metrics *metrics, int kind)
{
    return kind < FIRN_METRIC_LOWER ? metric_count(metrics, kind) >= 0
                                    : metric_bound(metrics, kind).data != NULL;
}

static void put_metrics(firn_buf *record, const firn_data_file *file)
{
    for (int kind = 0; kind < FIRN_METRIC_COUNT; kind++) {
        int64_t n = 0;
        for (size_t i = 0; i < file->n_metrics; i++)
            n += metric_known(&file->metrics[i], kind);
        put_present(record, n > 0);
        if (n == 0)
            continue;
        firn_avro_put_long(record, n);
        for (size_t i = 0; i < file->n_metrics; i++) {
            const firn_column_metrics *metrics = &file->metrics[i];
            if (!metric_known(metrics, kind))
                continue;
            firn_avro_put_long(record, metrics->field_id);
            if (kind < FIRN_METRIC_LOWER)
                firn_avro_put_long(record, metric_count(metrics, kind));
            else
                firn_avro_put_bytes(record, metric_bound(metrics, kind));
        }
        firn_avro_put_long(record, 0);
    }
}

/* False if the value is not of the type, in a way that Avro cannot hold. */
static bool put_partition_value(firn_buf *record, const firn_type *type, const firn_value *value)
{
    switch (type->id) {
    case FIRN_TYPE_BOOLEAN: firn_avro_put_boolean(record, value->boolean); return true;
    case FIRN_TYPE_INT:
    case FIRN_TYPE_DATE: firn_avro_put_long(record, value->i32); return true;
    case FIRN_TYPE_FLOAT: firn_avro_put_float(record, value->f32); return true;
    case FIRN_TYPE_DOUBLE: firn_avro_put_double(record, value->f64); return true;
    case FIRN_TYPE_DECIMAL: {
        uint8_t bytes[16];
        int width = firn_decimal_width_bytes(type->precision);
        __int128 rest = value->decimal;
        for (int i = width; i-- > 0; rest >>= 8)
            bytes[i] = (uint8_t)rest;
        firn_buf_append(record, bytes, (size_t)width);
        return true;
    }
    case FIRN_TYPE_STRING:
    case FIRN_TYPE_BINARY: firn_avro_put_bytes(record, value->bytes); return true;
    case FIRN_TYPE_UUID:
        if (value->bytes.len != 16)
            return false;
        firn_buf_append(record, value->bytes.data, value->bytes.len);
        return true;
    case FIRN_TYPE_FIXED:
        if (value->bytes.len != (size_t)type->length)
            return false;
        firn_avro_put_bytes(record, value->bytes);
        return true;
    default: firn_avro_put_long(record, value->i64); return true;
    }
}

static firn_rc put_partition(firn_manifest_writer *w, firn_buf *record, const firn_data_file *file,
                             firn_err *err)
{
    for (size_t i = 0; i < file->n_partition; i++) {
        const firn_type *type = w->partition_type->fields[i].type;
        firn_value value = file->partition[i];
        bool is_day = (value.type == FIRN_TYPE_INT && type->id == FIRN_TYPE_DATE) ||
                      (value.type == FIRN_TYPE_DATE && type->id == FIRN_TYPE_INT);
        bool good = value.is_null || value.type == type->id || is_day ||
                    firn_value_convert(w->arena, &file->partition[i], type, &value);
        value.type = type->id;
        w->tuple[i] = value;
        put_present(record, !value.is_null);
        if (good && !value.is_null)
            good = put_partition_value(record, type, &value);
        if (!good)
            FIRN_FAIL(err, FIRN_E_INVALID,
                      "file %s: value %s of partition field \"%s\" is not a %s", file->path,
                      firn_value_text(w->arena, type, &file->partition[i]),
                      w->options.spec->fields[i].name, firn_type_text(w->arena, type));
    }
    return FIRN_OK;
}

static firn_rc put_file(firn_manifest_writer *w, firn_buf *record, const firn_data_file *file,
                        firn_err *err)
{
    const int64_t block_size_bytes = 64 << 20; /* v1 demands one; nobody reads it */
    if (w->version >= 2)
        firn_avro_put_long(record, file->content);
    firn_avro_put_string(record, file->path);
    firn_avro_put_string(record, file->format);
    FIRN_TRY(put_partition(w, record, file, err));
    firn_avro_put_long(record, file->record_count);
    firn_avro_put_long(record, file->file_size_bytes);
    if (w->version == 1)
        firn_avro_put_long(record, block_size_bytes);
    put_metrics(record, file);
    put_optional_bytes(record, file->key_metadata.data != NULL, file->key_metadata);
    put_present(record, file->n_split_offsets > 0);
    if (file->n_split_offsets > 0) {
        firn_avro_put_long(record, (int64_t)file->n_split_offsets);
        for (size_t i = 0; i < file->n_split_offsets; i++)
            firn_avro_put_long(record, file->split_offsets[i]);
        firn_avro_put_long(record, 0);
    }
    if (w->version >= 2) {
        put_present(record, file->n_equality_ids > 0);
        if (file->n_equality_ids > 0) {
            firn_avro_put_long(record, (int64_t)file->n_equality_ids);
            for (size_t i = 0; i < file->n_equality_ids; i++)
                firn_avro_put_long(record, file->equality_ids[i]);
            firn_avro_put_long(record, 0);
        }
    }
    put_optional_long(record, file->sort_order_id >= 0, file->sort_order_id);
    if (w->version >= 3)
        put_optional_long(record, file->first_row_id >= 0, file->first_row_id);
    if (w->version >= 2)
        put_optional_bytes(record, file->referenced_data_file != NULL,
                           file->referenced_data_file ? firn_bytes_str(file->referenced_data_file)
                                                      : (firn_bytes){0});
    if (w->version >= 3) {
        bool is_blob = firn_data_file_is_dv(file);
        put_optional_long(record, is_blob, file->content_offset);
        put_optional_long(record, is_blob, file->content_size_bytes);
    }
    return FIRN_OK;
}

/* ---- summaries ------------------------------------------------------------------------------------------------- */

static void widen(firn_arena *arena, summary *s, const firn_value *value)
{
    if (value->is_null) {
        s->contains_null = true;
    } else if (firn_value_is_nan(value)) {
        s->contains_nan = true;
    } else {
        if (s->lower.is_null || firn_value_cmp(value, &s->lower) < 0)
            s->lower = firn_value_dup(arena, value);
        if (s->upper.is_null || firn_value_cmp(value, &s->upper) > 0)
            s->upper = firn_value_dup(arena, value);
    }
}

static firn_partition_summary *finish_summaries(firn_manifest_writer *w)
{
    size_t n = w->options.spec->n_fields;
    firn_partition_summary *out = FIRN_NEW_N(w->arena, firn_partition_summary, n);
    for (size_t i = 0; i < n; i++) {
        const summary *s = &w->summaries[i];
        out[i] = (firn_partition_summary){.contains_null = s->contains_null,
                                          .contains_nan = s->contains_nan};
        if (!s->lower.is_null)
            out[i].lower = firn_value_encode(w->arena, &s->lower);
        if (!s->upper.is_null)
            out[i].upper = firn_value_encode(w->arena, &s->upper);
    }
    return out;
}

/* ---- the writer -------------------------------------------------------------------------------------------------- */

firn_avro_codec firn_manifest_codec(const firn_metadata *metadata, int *level)
{
    const char *name = firn_metadata_property(metadata, "write.avro.compression-codec", "gzip");
    firn_avro_codec codec;
    *level = 0;
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    name = firn_str_lower(scratch, name);
    if (firn_streq(name, "uncompressed"))
        return FIRN_AVRO_CODEC_NULL;
    if (!firn_avro_codec_from_name(name, &codec))
        return FIRN_AVRO_CODEC_DEFLATE;
    int64_t max = codec == FIRN_AVRO_CODEC_ZSTANDARD ? 22 : 9;
    int64_t wanted = firn_metadata_property_i64(metadata, "write.avro.compression-level", 0);
    *level = wanted < 0 ? 0 : wanted > max ? (int)max : (int)wanted;
    return codec;
}

static void close_writer(void *ctx)
{
    firn_manifest_writer *w = ctx;
    firn_buf_deinit(&w->out);
}

firn_manifest_writer *firn_manifest_writer_new(firn_arena *arena,
                                               const firn_manifest_writer_options *options)
{
    firn_manifest_writer *w = FIRN_NEW(arena, firn_manifest_writer);
    w->arena = arena;
    w->options = *options;
    w->version = options->metadata->format_version;
    w->min_sequence_number = INT64_MAX;
    firn_buf_init(&w->out, FIRN_MANIFEST_BYTES_MAX);
    firn_arena_defer(arena, close_writer, w);
    return w;
}

static firn_rc start(firn_manifest_writer *w, firn_err *err)
{
    const firn_metadata *metadata = w->options.metadata;
    const firn_partition_spec *spec = w->options.spec;
    w->partition_type = firn_partition_type_of(w->arena, metadata, spec);
    w->summaries = FIRN_NEW_N(w->arena, summary, spec->n_fields + 1);
    w->tuple = FIRN_NEW_N(w->arena, firn_value, spec->n_fields + 1);
    for (size_t i = 0; i < spec->n_fields; i++)
        w->summaries[i].lower = w->summaries[i].upper =
            firn_value_null(w->partition_type->fields[i].type->id);
    char *schema;
    FIRN_TRY(
        firn_manifest_avro_schema(w->arena, w->version, spec, w->partition_type, &schema, err));

    json_t *table_schema = firn_json_own(w->arena, firn_schema_to_json(metadata->schema));
    json_t *spec_json = firn_json_own(w->arena, firn_partition_spec_to_json(spec));
    const char *fields = firn_json_text(w->arena, json_object_get(spec_json, "fields"));
    firn_avro_meta meta[] = {
        {"schema", firn_bytes_str(firn_json_text(w->arena, table_schema))},
        {"schema-id",
         firn_bytes_str(firn_arena_printf(w->arena, "%d", metadata->schema->schema_id))},
        {"partition-spec", firn_bytes_str(fields)},
        {"partition-spec-id", firn_bytes_str(firn_arena_printf(w->arena, "%d", spec->spec_id))},
        {"format-version", firn_bytes_str(firn_arena_printf(w->arena, "%d", w->version))},
        {"content", firn_bytes_str(w->options.deletes ? "deletes" : "data")},
    };
    int level;
    firn_avro_writer_opts opts = {
        .schema = schema,
        .codec = firn_manifest_codec(metadata, &level),
        .meta = meta,
        .meta_count = sizeof meta / sizeof *meta - (w->version == 1),
        .block_bytes = 256 << 10,
    };
    opts.level = level;
    FIRN_TRY(firn_avro_writer_open(w->arena, &opts, &w->out, &w->avro, err));
    w->started = true;
    return FIRN_OK;
}

static firn_rc check(const firn_manifest_writer *w, const firn_manifest_entry *entry, firn_err *err)
{
    const firn_data_file *file = &entry->file;
    if (file->n_partition != w->options.spec->n_fields)
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "file %s has %zu partition values; partition spec %d has %zu fields", file->path,
                  file->n_partition, w->options.spec->spec_id, w->options.spec->n_fields);
    if ((file->content != FIRN_CONTENT_DATA) != w->options.deletes)
        FIRN_FAIL(err, FIRN_E_INVALID, "file %s does not belong into a manifest of %s", file->path,
                  w->options.deletes ? "deletes" : "data");
    if (w->version == 1 && file->content != FIRN_CONTENT_DATA)
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "format version 1 has no delete files (%s): upgrade the table to version 2",
                  file->path);
    if (entry->status == FIRN_ENTRY_EXISTING && entry->data_sequence_number < 0)
        FIRN_FAIL(err, FIRN_E_INTERNAL, "existing file %s has no sequence number", file->path);
    return FIRN_OK;
}

static void count(firn_manifest_writer *w, const firn_manifest_entry *entry)
{
    int kind = entry->status == FIRN_ENTRY_ADDED      ? ADDED_COUNT
               : entry->status == FIRN_ENTRY_EXISTING ? EXISTING_COUNT
                                                      : DELETED_COUNT;
    w->files[kind]++;
    w->rows[kind] += entry->file.record_count;
    bool live = entry->status != FIRN_ENTRY_DELETED;
    if (live && entry->data_sequence_number >= 0 &&
        entry->data_sequence_number < w->min_sequence_number)
        w->min_sequence_number = entry->data_sequence_number;
    for (size_t i = 0; i < entry->file.n_partition; i++)
        widen(w->arena, &w->summaries[i], &w->tuple[i]);
}

firn_rc firn_manifest_writer_add(firn_manifest_writer *w, const firn_manifest_entry *entry,
                                 firn_err *err)
{
    if (!w->started)
        FIRN_TRY(start(w, err));
    FIRN_TRY(check(w, entry, err));
    firn_buf *record = firn_avro_writer_record(w->avro);
    firn_avro_put_long(record, entry->status);
    put_optional_long(record, true,
                      entry->status == FIRN_ENTRY_ADDED ? w->options.snapshot_id
                                                        : entry->snapshot_id);
    if (w->version >= 2) {
        bool inherits = entry->status == FIRN_ENTRY_ADDED;
        put_optional_long(record, entry->data_sequence_number >= 0, entry->data_sequence_number);
        put_optional_long(record, !inherits && entry->file_sequence_number >= 0,
                          entry->file_sequence_number);
    }
    FIRN_TRY(put_file(w, record, &entry->file, err));
    FIRN_TRY(firn_avro_writer_record_end(w->avro, err));
    count(w, entry);
    return FIRN_OK;
}

size_t firn_manifest_writer_bytes(const firn_manifest_writer *w)
{
    enum { PACKING = 4 }; /* how much smaller the open block is going to be, roughly */
    return w->started ? w->out.len + firn_avro_writer_record(w->avro)->len / PACKING : 0;
}

firn_rc firn_manifest_writer_finish(firn_manifest_writer *w, firn_storage *storage,
                                    firn_manifest_file *out, firn_err *err)
{
    if (!w->started)
        FIRN_TRY(start(w, err));
    FIRN_TRY(firn_avro_writer_finish(w->avro, err));
    FIRN_TRY(
        firn_storage_put_if_absent(storage, w->options.location, firn_buf_bytes(&w->out), err));
    *out = (firn_manifest_file){
        .path = w->options.location,
        .length_bytes = (int64_t)w->out.len,
        .spec_id = w->options.spec->spec_id,
        .deletes = w->options.deletes,
        .sequence_number = -1, /* the commit's: set when the list is written */
        .min_sequence_number = w->min_sequence_number == INT64_MAX ? -1 : w->min_sequence_number,
        .added_snapshot_id = w->options.snapshot_id,
        .added_files = w->files[ADDED_COUNT],
        .existing_files = w->files[EXISTING_COUNT],
        .deleted_files = w->files[DELETED_COUNT],
        .added_rows = w->rows[ADDED_COUNT],
        .existing_rows = w->rows[EXISTING_COUNT],
        .deleted_rows = w->rows[DELETED_COUNT],
        .partitions = finish_summaries(w),
        .n_partitions = w->options.spec->n_fields,
        .first_row_id = -1,
    };
    firn_buf_deinit(&w->out);
    return FIRN_OK;
}
