/*
 * manifest_decode.c - from a manifest's Avro bytes to the columns of manifest_data.h, in one pass.
 *
 * The spec's fields of "Manifests": manifest_entry {0 status, 1 snapshot_id, 3 sequence_number,
 * 4 file_sequence_number, 2 data_file {134 content, 100 file_path, 101 file_format, 102 partition, 103 record_count,
 * 104 file_size_in_bytes, 108-110, 137, 125, 128 metrics, 131 key_metadata, 132 split_offsets, 135 equality_ids,
 * 140 sort_order_id, 142 first_row_id, 143 referenced_data_file, 144 content_offset, 145 content_size_in_bytes}}.
 *
 * Inherited after that: a null snapshot id is the manifest's; null sequence numbers of ADDED entries (of all, where
 * the manifest has number 0: v1) are the manifest's; null first row ids of live data files count on from the
 * manifest's. An EXISTING entry without one is CORRUPT: guessing would drop or revive rows.
 */
#include "manifest_data.h"

#include "manifest_pick.h"

#include <stdlib.h>

enum entry_slot { SLOT_STATUS, SLOT_SNAPSHOT, SLOT_SEQUENCE, SLOT_FILE_SEQUENCE, SLOT_DATA_FILE };

static const firn_pick_slot entry_slots[] = {
    [SLOT_STATUS] = {0, "status", NULL},
    [SLOT_SNAPSHOT] = {1, "snapshot_id", NULL},
    [SLOT_SEQUENCE] = {3, "sequence_number", "data_sequence_number"},
    [SLOT_FILE_SEQUENCE] = {4, "file_sequence_number", NULL},
    [SLOT_DATA_FILE] = {2, "data_file", NULL},
};

enum file_slot {
    FILE_SIZES, /* the metric kinds come first, in their order */
    FILE_VALUES,
    FILE_NULLS,
    FILE_NANS,
    FILE_LOWER,
    FILE_UPPER,
    FILE_CONTENT,
    FILE_PATH,
    FILE_FORMAT,
    FILE_PARTITION,
    FILE_RECORDS,
    FILE_BYTES,
    FILE_KEY_METADATA,
    FILE_SPLITS,
    FILE_EQUALITY,
    FILE_SORT_ORDER,
    FILE_FIRST_ROW,
    FILE_REFERENCED,
    FILE_CONTENT_OFFSET,
    FILE_CONTENT_SIZE,
};

static const firn_pick_slot file_slots[] = {
    [FILE_SIZES] = {108, "column_sizes", NULL},
    [FILE_VALUES] = {109, "value_counts", NULL},
    [FILE_NULLS] = {110, "null_value_counts", NULL},
    [FILE_NANS] = {137, "nan_value_counts", NULL},
    [FILE_LOWER] = {125, "lower_bounds", NULL},
    [FILE_UPPER] = {128, "upper_bounds", NULL},
    [FILE_CONTENT] = {134, "content", NULL},
    [FILE_PATH] = {100, "file_path", NULL},
    [FILE_FORMAT] = {101, "file_format", NULL},
    [FILE_PARTITION] = {102, "partition", NULL},
    [FILE_RECORDS] = {103, "record_count", NULL},
    [FILE_BYTES] = {104, "file_size_in_bytes", NULL},
    [FILE_KEY_METADATA] = {131, "key_metadata", NULL},
    [FILE_SPLITS] = {132, "split_offsets", NULL},
    [FILE_EQUALITY] = {135, "equality_ids", NULL},
    [FILE_SORT_ORDER] = {140, "sort_order_id", NULL},
    [FILE_FIRST_ROW] = {142, "first_row_id", NULL},
    [FILE_REFERENCED] = {143, "referenced_data_file", NULL},
    [FILE_CONTENT_OFFSET] = {144, "content_offset", NULL},
    [FILE_CONTENT_SIZE] = {145, "content_size_in_bytes", NULL},
};
enum { FILE_SLOT_COUNT = sizeof file_slots / sizeof *file_slots };

typedef struct map_pick {
    firn_pick key, value;
    bool value_first;
} map_pick;

typedef struct decoder {
    firn_manifest *m;
    firn_avro_cursor cursor;
    const char *name;
    const char *bad; /* what was malformed, for the message */
    const firn_pick *entry, *file;
    size_t n_entry, n_file;
    firn_tuple_plan tuple;
    map_pick maps[FIRN_METRIC_COUNT];
    int32_t *ids; /* of the map at hand */
    size_t ids_cap;
    uint32_t last_shape[FIRN_METRIC_COUNT];
} decoder;

firn_pick *firn_picks_new(firn_arena *arena, const firn_avro_schema *record,
                          const firn_pick_slot *slots, size_t n_slots)
{
    firn_pick *picks = FIRN_NEW_N(arena, firn_pick, record->field_count + 1);
    bool has_ids = false;
    for (size_t f = 0; f < record->field_count; f++)
        has_ids |= record->fields[f].field_id >= 0;
    for (size_t f = 0; f < record->field_count; f++) {
        const firn_avro_field *field = &record->fields[f];
        int found = -1;
        for (size_t s = 0; s < n_slots && found < 0; s++) {
            bool same =
                has_ids ? field->field_id == slots[s].field_id
                        : firn_streq(field->name, slots[s].name) ||
                              (slots[s].other_name && firn_streq(field->name, slots[s].other_name));
            if (same)
                found = (int)s;
        }
        picks[f] = firn_pick_of(field->type, found);
    }
    return picks;
}

/* ---- room ---------------------------------------------------------------------------------------------------- */

/* items[0, cap) of `size` bytes grown to hold `want`. */
static void *grow(void *items, size_t *cap, size_t want, size_t size)
{
    if (want <= *cap)
        return items;
    size_t room = *cap ? *cap + *cap / 2 : 16;
    if (room < want)
        room = want;
    *cap = room;
    return firn_realloc(items, firn_mul_size(room, size));
}

#define GROW(items, cap, want) ((items) = grow((items), &(cap), (want), sizeof *(items)))

static void resize_rows(firn_manifest *m, size_t rows)
{
#define RESIZE(array, count) \
    ((array) = firn_realloc((array), firn_mul_size((count), sizeof *(array))))
    RESIZE(m->status, rows);
    RESIZE(m->content, rows);
    RESIZE(m->format, rows);
    RESIZE(m->sort_order_id, rows);
    RESIZE(m->snapshot_id, rows);
    RESIZE(m->data_sequence_number, rows);
    RESIZE(m->file_sequence_number, rows);
    RESIZE(m->record_count, rows);
    RESIZE(m->file_size_bytes, rows);
    RESIZE(m->first_row, rows);
    if (m->deletes) {
        RESIZE(m->content_offset, rows);
        RESIZE(m->content_size, rows);
    }
    RESIZE(m->file_path, rows);
    RESIZE(m->referenced, rows);
    RESIZE(m->key_metadata, rows);
    RESIZE(m->split_first, rows + 1);
    RESIZE(m->equality_first, rows + 1);
    if (m->n_partition > 0)
        RESIZE(m->partition, firn_mul_size(rows, m->n_partition));
    for (int k = 0; k < FIRN_METRIC_COUNT; k++) {
        RESIZE(m->metrics[k].shape, rows);
        RESIZE(m->metrics[k].first, rows);
    }
#undef RESIZE
    m->cap = rows;
}

/* A NUL-terminated copy in m->text; its offset, never 0. */
static uint32_t add_text(firn_manifest *m, firn_bytes text)
{
    GROW(m->text, m->text_cap, m->text_len + text.len + 1);
    uint32_t offset = (uint32_t)m->text_len;
    if (text.len)
        memcpy(m->text + offset, text.data, text.len);
    m->text[offset + text.len] = '\0';
    m->text_len += text.len + 1;
    return offset;
}

/* ---- fields ---------------------------------------------------------------------------------------------------- */

static bool read_text(decoder *d, const firn_pick *pick, uint32_t *out)
{
    firn_bytes text;
    if (!firn_pick_bytes(&d->cursor, pick->type, &text) || memchr(text.data, 0, text.len))
        return false;
    *out = add_text(d->m, text);
    return true;
}

static bool read_format(decoder *d, const firn_pick *pick, uint8_t *out)
{
    firn_bytes text;
    if (!firn_pick_bytes(&d->cursor, pick->type, &text) || text.len > 64)
        return false;
    firn_manifest *m = d->m;
    for (size_t i = 0; i < m->n_formats; i++) {
        if (strlen(m->formats[i]) == text.len &&
            strncasecmp(m->formats[i], (const char *)text.data, text.len) == 0) {
            *out = (uint8_t)i;
            return true;
        }
    }
    if (m->n_formats == 256)
        return false;
    char *copy = firn_arena_strndup(m->arena, (const char *)text.data, text.len);
    for (char *c = copy; *c; c++)
        *c = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A')
                                    : *c; /* PyIceberg once wrote "parquet" */
    m->formats[m->n_formats] = copy;
    *out = (uint8_t)m->n_formats++;
    return true;
}

static bool read_key_metadata(decoder *d, const firn_pick *pick, uint32_t *out)
{
    firn_bytes bytes;
    if (!firn_pick_bytes(&d->cursor, pick->type, &bytes) || bytes.len > UINT32_MAX)
        return false;
    uint32_t len = (uint32_t)bytes.len;
    firn_manifest *m = d->m;
    GROW(m->text, m->text_cap, m->text_len + sizeof len + len);
    *out = (uint32_t)m->text_len;
    memcpy(m->text + m->text_len, &len, sizeof len);
    if (len)
        memcpy(m->text + m->text_len + sizeof len, bytes.data, len);
    m->text_len += sizeof len + len;
    return true;
}

static bool read_splits(decoder *d, const firn_pick *pick)
{
    if (pick->type->kind != FIRN_AVRO_ARRAY)
        return false;
    firn_pick item = firn_pick_of(pick->type->items, 0);
    firn_manifest *m = d->m;
    for (;;) {
        int64_t count;
        if (!firn_avro_get_block(&d->cursor, &count, NULL))
            return false;
        if (count == 0)
            return true;
        for (int64_t i = 0; i < count; i++) {
            bool present;
            int64_t offset;
            if (!firn_pick_present(&d->cursor, &item, &present) || !present ||
                !firn_pick_long(&d->cursor, item.type, &offset))
                return false;
            GROW(m->splits, m->splits_cap, m->n_splits + 1);
            m->splits[m->n_splits++] = offset;
        }
    }
}

static bool read_equality_ids(decoder *d, const firn_pick *pick)
{
    if (pick->type->kind != FIRN_AVRO_ARRAY)
        return false;
    firn_pick item = firn_pick_of(pick->type->items, 0);
    firn_manifest *m = d->m;
    for (;;) {
        int64_t count;
        if (!firn_avro_get_block(&d->cursor, &count, NULL))
            return false;
        if (count == 0)
            return true;
        for (int64_t i = 0; i < count; i++) {
            bool present;
            int64_t id;
            if (!firn_pick_present(&d->cursor, &item, &present) || !present ||
                !firn_pick_long(&d->cursor, item.type, &id) || id != (int32_t)id)
                return false;
            GROW(m->equality_ids, m->equality_cap, m->n_equality_ids + 1);
            m->equality_ids[m->n_equality_ids++] = (int32_t)id;
        }
    }
}

/* ---- metric maps ------------------------------------------------------------------------------------------------ */

static uint32_t intern_shape(decoder *d, firn_metric_kind kind, size_t n)
{
    enum { SEARCH_MAX = 64 };
    firn_manifest *m = d->m;
    const firn_metric_shape *last = &m->shapes[d->last_shape[kind]];
    if (last->n == n && memcmp(last->ids, d->ids, n * sizeof *d->ids) == 0)
        return d->last_shape[kind];
    size_t from = m->n_shapes > SEARCH_MAX ? m->n_shapes - SEARCH_MAX : 0;
    for (size_t s = n == 0 ? 0 : from; s < m->n_shapes; s++) {
        if (m->shapes[s].n == n && memcmp(m->shapes[s].ids, d->ids, n * sizeof *d->ids) == 0)
            return d->last_shape[kind] = (uint32_t)s;
    }
    GROW(m->shapes, m->shapes_cap, m->n_shapes + 1);
    int32_t *ids = firn_arena_memdup(m->arena, d->ids, n * sizeof *ids);
    m->shapes[m->n_shapes] = (firn_metric_shape){.ids = ids, .n = n};
    return d->last_shape[kind] = (uint32_t)m->n_shapes++;
}

static bool read_map_key(decoder *d, const map_pick *pick, size_t n)
{
    bool present;
    int64_t id;
    if (!firn_pick_present(&d->cursor, &pick->key, &present) || !present ||
        !firn_pick_long(&d->cursor, pick->key.type, &id) || id != (int32_t)id)
        return false;
    if (n >= d->ids_cap)
        GROW(d->ids, d->ids_cap, n + 1);
    d->ids[n] = (int32_t)id;
    return true;
}

static void add_count(firn_metric_map *map, int64_t count)
{
    if (!map->wide_counts && count >= UINT32_MAX) {
        map->wide_counts = firn_malloc((map->n_items + 1) * sizeof *map->wide_counts);
        for (size_t i = 0; i < map->n_items; i++)
            map->wide_counts[i] = map->counts[i] == UINT32_MAX ? UINT64_MAX : map->counts[i];
        map->items_cap = map->n_items + 1;
        free(map->counts);
        map->counts = NULL;
    }
    if (map->wide_counts) {
        GROW(map->wide_counts, map->items_cap, map->n_items + 1);
        map->wide_counts[map->n_items++] = count < 0 ? UINT64_MAX : (uint64_t)count;
    } else {
        GROW(map->counts, map->items_cap, map->n_items + 1);
        map->counts[map->n_items++] = count < 0 ? UINT32_MAX : (uint32_t)count;
    }
}

static bool read_map_value(decoder *d, const map_pick *pick, firn_metric_kind kind)
{
    firn_metric_map *map = &d->m->metrics[kind];
    bool present;
    if (!firn_pick_present(&d->cursor, &pick->value, &present) || map->n_items == UINT32_MAX)
        return false;
    if (kind < FIRN_METRIC_LOWER) {
        int64_t count = -1;
        if (present && !firn_pick_long(&d->cursor, pick->value.type, &count))
            return false;
        add_count(map, count);
        return true;
    }
    firn_bytes bytes = {0};
    if (present && !firn_pick_bytes(&d->cursor, pick->value.type, &bytes))
        return false;
    if (map->bytes_len + bytes.len > UINT32_MAX)
        return false;
    GROW(map->ends, map->items_cap, map->n_items + 1);
    GROW(map->bytes, map->bytes_cap, map->bytes_len + bytes.len + 1);
    if (bytes.len)
        memcpy(map->bytes + map->bytes_len, bytes.data, bytes.len);
    map->bytes_len += bytes.len;
    map->ends[map->n_items++] = (uint32_t)map->bytes_len;
    return true;
}

static bool read_map(decoder *d, firn_metric_kind kind, size_t row)
{
    const map_pick *pick = &d->maps[kind];
    firn_metric_map *map = &d->m->metrics[kind];
    map->first[row] = (uint32_t)map->n_items;
    size_t n = 0;
    for (;;) {
        int64_t count;
        if (!firn_avro_get_block(&d->cursor, &count, NULL))
            return false;
        if (count == 0)
            break;
        for (int64_t i = 0; i < count; i++, n++) {
            if (pick->value_first && !read_map_value(d, pick, kind))
                return false;
            if (!read_map_key(d, pick, n))
                return false;
            if (!pick->value_first && !read_map_value(d, pick, kind))
                return false;
        }
    }
    map->shape[row] = intern_shape(d, kind, n);
    return true;
}

static bool compile_map(decoder *d, firn_metric_kind kind, const firn_pick *pick)
{
    const firn_avro_schema *pair = pick->type->kind == FIRN_AVRO_ARRAY ? pick->type->items : NULL;
    if (!pair || pair->kind != FIRN_AVRO_RECORD || pair->field_count != 2)
        return false;
    bool value_first = firn_streq(pair->fields[0].name, "value");
    d->maps[kind] = (map_pick){
        .key = firn_pick_of(pair->fields[value_first ? 1 : 0].type, 0),
        .value = firn_pick_of(pair->fields[value_first ? 0 : 1].type, 0),
        .value_first = value_first,
    };
    return true;
}

/* ---- records ------------------------------------------------------------------------------------------------------ */

static void start_row(firn_manifest *m, size_t row)
{
    m->status[row] = m->content[row] = m->format[row] = 0;
    m->sort_order_id[row] = -1;
    m->snapshot_id[row] = m->data_sequence_number[row] = m->file_sequence_number[row] = -1;
    m->record_count[row] = m->file_size_bytes[row] = m->first_row[row] = -1;
    if (m->deletes)
        m->content_offset[row] = m->content_size[row] = -1;
    m->file_path[row] = m->referenced[row] = m->key_metadata[row] = 0;
    m->split_first[row] = (uint32_t)m->n_splits;
    m->equality_first[row] = (uint32_t)m->n_equality_ids;
    for (int k = 0; k < FIRN_METRIC_COUNT; k++) {
        m->metrics[k].shape[row] = 0;
        m->metrics[k].first[row] = (uint32_t)m->metrics[k].n_items;
    }
    for (size_t i = 0; i < m->n_partition; i++)
        m->partition[row * m->n_partition + i] =
            firn_value_null(m->partition_type->fields[i].type->id);
}

static bool read_number(decoder *d, const firn_pick *pick, int64_t *out)
{
    return firn_pick_long(&d->cursor, pick->type, out);
}

static bool read_tuple(decoder *d, size_t row)
{
    firn_manifest *m = d->m;
    firn_value *tuple = NULL, *above = NULL; /* both stay NULL where nothing is partitioned */
    if (m->n_partition > 0)
        tuple = &m->partition[row * m->n_partition];
    if (m->n_partition > 0 && row > 0)
        above = tuple - m->n_partition;
    return firn_tuple_read(&d->cursor, m->arena, &d->tuple, above, tuple);
}

static bool read_file_field(decoder *d, const firn_pick *pick, size_t row)
{
    firn_manifest *m = d->m;
    int64_t number;
    switch ((enum file_slot)pick->slot) {
    case FILE_SIZES:
    case FILE_VALUES:
    case FILE_NULLS:
    case FILE_NANS:
    case FILE_LOWER:
    case FILE_UPPER: return read_map(d, (firn_metric_kind)pick->slot, row);
    case FILE_CONTENT:
        if (!read_number(d, pick, &number) || number < 0 || number > 2)
            return false;
        m->content[row] = (uint8_t)number;
        return true;
    case FILE_PATH: return read_text(d, pick, &m->file_path[row]);
    case FILE_FORMAT: return read_format(d, pick, &m->format[row]);
    case FILE_PARTITION: return pick->type->kind == FIRN_AVRO_RECORD && read_tuple(d, row);
    case FILE_RECORDS: return read_number(d, pick, &m->record_count[row]);
    case FILE_BYTES: return read_number(d, pick, &m->file_size_bytes[row]);
    case FILE_KEY_METADATA: return read_key_metadata(d, pick, &m->key_metadata[row]);
    case FILE_SPLITS: return read_splits(d, pick);
    case FILE_EQUALITY: return read_equality_ids(d, pick);
    case FILE_SORT_ORDER:
        if (!read_number(d, pick, &number) || number != (int32_t)number)
            return false;
        m->sort_order_id[row] = (int32_t)number;
        return true;
    case FILE_FIRST_ROW: return read_number(d, pick, &m->first_row[row]);
    case FILE_REFERENCED: return read_text(d, pick, &m->referenced[row]);
    case FILE_CONTENT_OFFSET:
        return read_number(d, pick, m->deletes ? &m->content_offset[row] : &number);
    case FILE_CONTENT_SIZE:
        return read_number(d, pick, m->deletes ? &m->content_size[row] : &number);
    }
    return false;
}

static bool read_file(decoder *d, size_t row)
{
    for (size_t f = 0; f < d->n_file; f++) {
        const firn_pick *pick = &d->file[f];
        bool present;
        if (pick->slot < 0) {
            if (!firn_avro_skip(&d->cursor, pick->whole))
                return false;
            continue;
        }
        d->bad = file_slots[pick->slot].name;
        if (!firn_pick_present(&d->cursor, pick, &present) ||
            (present && !read_file_field(d, pick, row)))
            return false;
    }
    return true;
}

static bool read_entry(decoder *d, size_t row)
{
    firn_manifest *m = d->m;
    start_row(m, row);
    for (size_t f = 0; f < d->n_entry; f++) {
        const firn_pick *pick = &d->entry[f];
        bool present;
        int64_t number;
        d->bad = pick->slot < 0 ? "a field" : entry_slots[pick->slot].name;
        if (pick->slot < 0) {
            if (!firn_avro_skip(&d->cursor, pick->whole))
                return false;
            continue;
        }
        if (!firn_pick_present(&d->cursor, pick, &present))
            return false;
        if (!present)
            continue;
        bool good = false;
        switch ((enum entry_slot)pick->slot) {
        case SLOT_STATUS:
            good = read_number(d, pick, &number) && number >= 0 && number <= FIRN_ENTRY_DELETED;
            m->status[row] = good ? (uint8_t)number : 0;
            break;
        case SLOT_SNAPSHOT: good = read_number(d, pick, &m->snapshot_id[row]); break;
        case SLOT_SEQUENCE: good = read_number(d, pick, &m->data_sequence_number[row]); break;
        case SLOT_FILE_SEQUENCE: good = read_number(d, pick, &m->file_sequence_number[row]); break;
        case SLOT_DATA_FILE: good = read_file(d, row); break;
        }
        if (!good)
            return false;
    }
    return true;
}

/* ---- the file ------------------------------------------------------------------------------------------------------ */

static firn_rc check_entry(const firn_manifest *m, size_t row, firn_err *err)
{
    const char *path = m->text + m->file_path[row];
    if (m->file_path[row] == 0 || !*path)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "manifest %s: entry %zu has no file_path", m->path, row);
    if (m->record_count[row] < 0 || m->file_size_bytes[row] < 0)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "manifest %s: file %s has no valid record_count and size",
                  m->path, path);
    if ((m->content[row] != FIRN_CONTENT_DATA) != m->deletes)
        FIRN_FAIL(err, FIRN_E_CORRUPT,
                  "manifest %s holds %s according to its list, but file %s is %s", m->path,
                  m->deletes ? "deletes" : "data", path, m->deletes ? "data" : "a delete file");
    if (m->data_sequence_number[row] < 0 && m->status[row] != FIRN_ENTRY_DELETED)
        FIRN_FAIL(
            err, FIRN_E_CORRUPT,
            "manifest %s: file %s is EXISTING but has no sequence number, which it cannot inherit",
            m->path, path);
    return FIRN_OK;
}

static firn_rc inherit(firn_manifest *m, firn_err *err)
{
    int64_t next_row = m->first_row_id;
    for (size_t i = 0; i < m->n; i++) {
        if (m->snapshot_id[i] < 0)
            m->snapshot_id[i] = m->added_snapshot_id;
        bool inherits = m->sequence_number == 0 || m->status[i] == FIRN_ENTRY_ADDED;
        if (m->data_sequence_number[i] < 0 && inherits)
            m->data_sequence_number[i] = m->sequence_number;
        if (m->file_sequence_number[i] < 0) /* decides nothing: the nearest that is known will do */
            m->file_sequence_number[i] = inherits ? m->sequence_number : m->data_sequence_number[i];
        FIRN_TRY(check_entry(m, i, err));
        if (m->deletes || m->status[i] == FIRN_ENTRY_DELETED || next_row < 0)
            continue;
        if (m->first_row[i] < 0) {
            m->first_row[i] = next_row;
            if (__builtin_add_overflow(next_row, m->record_count[i], &next_row))
                FIRN_FAIL(err, FIRN_E_CORRUPT, "manifest %s: row ids overflow 63 bits", m->path);
        }
    }
    return FIRN_OK;
}

/* The spec by which the partition tuples are read: the table's of that id, else the one in the file. */
static firn_rc find_spec(firn_manifest *m, const firn_metadata *metadata,
                         const firn_avro_reader *reader, firn_err *err)
{
    const firn_partition_spec *spec = firn_metadata_spec(metadata, m->spec_id);
    const char *fields = firn_avro_reader_meta_text(reader, "partition-spec");
    if (!spec && fields) {
        json_t *json;
        FIRN_TRY(firn_json_parse(m->arena, firn_bytes_str(fields), m->path, &json, err));
        if (json_is_array(json))
            json = firn_json_own(
                m->arena, json_pack("{s:i, s:O}", "spec-id", (int)m->spec_id, "fields", json));
        firn_partition_spec *own;
        FIRN_TRY(firn_partition_spec_from_json(m->arena, json, m->path, &own, err));
        spec = own;
    }
    if (!spec)
        FIRN_FAIL(err, FIRN_E_CORRUPT,
                  "manifest %s was written with partition spec %d, which the table does not have",
                  m->path, m->spec_id);
    if (spec->n_fields > FIRN_MANIFEST_FIELDS_MAX)
        FIRN_FAIL(err, FIRN_E_LIMIT, "manifest %s: %zu partition fields; at most %d are allowed",
                  m->path, spec->n_fields, FIRN_MANIFEST_FIELDS_MAX);

    /* The manifest outlives the metadata: copy what it keeps. */
    json_t *copy = firn_partition_spec_to_json(spec);
    firn_partition_spec *own;
    firn_rc rc = firn_partition_spec_from_json(m->arena, copy, m->path, &own, err);
    json_decref(copy);
    if (rc != FIRN_OK)
        return rc;
    m->spec = own;
    m->n_partition = own->n_fields;
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    json_t *type = firn_type_to_json(firn_partition_type_of(scratch, metadata, own));
    firn_type *own_type;
    rc = firn_type_from_json(m->arena, type, m->path, &own_type, err);
    json_decref(type);
    m->partition_type = own_type;
    return rc;
}

static firn_rc compile(decoder *d, firn_arena *arena, const firn_avro_schema *schema, firn_err *err)
{
    firn_manifest *m = d->m;
    if (schema->kind != FIRN_AVRO_RECORD)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s is no manifest: its Avro schema is not a record",
                  d->name);
    d->entry = firn_picks_new(arena, schema, entry_slots, sizeof entry_slots / sizeof *entry_slots);
    d->n_entry = schema->field_count;
    const firn_avro_schema *file = NULL;
    bool has_status = false;
    for (size_t f = 0; f < d->n_entry; f++) {
        has_status |= d->entry[f].slot == SLOT_STATUS;
        if (d->entry[f].slot == SLOT_DATA_FILE && d->entry[f].type->kind == FIRN_AVRO_RECORD)
            file = d->entry[f].type;
    }
    if (!file || !has_status)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s is no manifest: its schema lacks status or data_file",
                  d->name);
    d->file = firn_picks_new(arena, file, file_slots, FILE_SLOT_COUNT);
    d->n_file = file->field_count;
    for (size_t f = 0; f < d->n_file; f++) {
        const firn_pick *pick = &d->file[f];
        if (pick->slot >= 0 && pick->slot < FIRN_METRIC_COUNT &&
            !compile_map(d, (firn_metric_kind)pick->slot, pick))
            FIRN_FAIL(err, FIRN_E_CORRUPT, "manifest %s: %s is not an array of key and value",
                      d->name, file_slots[pick->slot].name);
        if (pick->slot != FILE_PARTITION || pick->type->kind != FIRN_AVRO_RECORD)
            continue;
        firn_pick_slot *slots = FIRN_NEW_N(arena, firn_pick_slot, m->n_partition + 1);
        for (size_t i = 0; i < m->n_partition; i++)
            slots[i] = (firn_pick_slot){m->spec->fields[i].field_id, m->spec->fields[i].name, NULL};
        d->tuple.picks = firn_picks_new(arena, pick->type, slots, m->n_partition);
        d->tuple.n_picks = pick->type->field_count;
    }
    return FIRN_OK;
}

static firn_rc decode_block(decoder *d, const firn_avro_block *block, firn_err *err)
{
    firn_manifest *m = d->m;
    d->cursor = firn_avro_cursor_of(block->data);
    if ((uint64_t)block->record_count > FIRN_MANIFEST_ENTRIES_MAX - m->n)
        FIRN_FAIL(err, FIRN_E_LIMIT, "manifest %s holds more than %d entries", m->path,
                  FIRN_MANIFEST_ENTRIES_MAX);
    for (int64_t i = 0; i < block->record_count; i++) {
        if (m->n == m->cap)
            resize_rows(m, m->cap ? m->cap * 2 : 16);
        if (!read_entry(d, m->n))
            FIRN_FAIL(err, FIRN_E_CORRUPT,
                      "manifest %s: entry %zu, in the block at byte %lld, is malformed at %s",
                      m->path, m->n, (long long)block->offset, d->bad);
        m->n++;
    }
    if (firn_avro_remaining(&d->cursor) > 0)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "manifest %s: the block at byte %lld has bytes left over",
                  m->path, (long long)block->offset);
    return FIRN_OK;
}

static void count_bytes(firn_manifest *m)
{
    size_t per_row = 3 + 4 + 6 * 8 + 5 * 4 + (m->deletes ? 16 : 0) +
                     m->n_partition * sizeof(firn_value) + (size_t)FIRN_METRIC_COUNT * 8;
    size_t bytes = sizeof *m + m->cap * per_row + m->text_cap + m->splits_cap * 8 +
                   m->equality_cap * 4 + m->shapes_cap * sizeof *m->shapes +
                   firn_arena_used_bytes(m->arena);
    for (int k = 0; k < FIRN_METRIC_COUNT; k++)
        bytes +=
            m->metrics[k].items_cap * (m->metrics[k].wide_counts ? 8 : 4) + m->metrics[k].bytes_cap;
    atomic_store(&m->bytes, bytes);
}

static void shrink(firn_manifest *m)
{
    resize_rows(m, m->n ? m->n : 1);
    m->split_first[m->n] = (uint32_t)m->n_splits;
    m->equality_first[m->n] = (uint32_t)m->n_equality_ids;
    m->text = firn_realloc(m->text, m->text_cap = m->text_len);
    for (int k = 0; k < FIRN_METRIC_COUNT; k++) {
        firn_metric_map *map = &m->metrics[k];
        size_t items = map->n_items ? map->n_items : 1;
        if (map->counts)
            map->counts = firn_realloc(map->counts, items * sizeof *map->counts);
        if (map->wide_counts)
            map->wide_counts = firn_realloc(map->wide_counts, items * sizeof *map->wide_counts);
        if (map->ends)
            map->ends = firn_realloc(map->ends, items * sizeof *map->ends);
        if (map->bytes)
            map->bytes = firn_realloc(map->bytes, map->bytes_cap = map->bytes_len + 1);
        map->items_cap = map->n_items;
    }
}

static firn_rc decode_blocks(decoder *d, firn_avro_reader *reader, firn_err *err)
{
    enum { PLAIN_BYTES_MAX = INT32_MAX };
    uint64_t plain_bytes = 0;
    for (;;) {
        firn_avro_block block;
        FIRN_TRY(firn_avro_reader_next(reader, &block, err));
        if (block.record_count == 0)
            return FIRN_OK;
        plain_bytes += block.data.len;
        if (plain_bytes > PLAIN_BYTES_MAX)
            FIRN_FAIL(err, FIRN_E_LIMIT, "manifest %s unpacks to more than %d bytes", d->m->path,
                      PLAIN_BYTES_MAX);
        FIRN_TRY(decode_block(d, &block, err));
    }
}

/* `*has_fixed` tells whether fixed_as_bytes could make a difference. */
static firn_rc decode(firn_manifest *m, firn_bytes bytes, const firn_metadata *metadata,
                      const firn_manifest_file *file, bool fixed_as_bytes, bool *has_fixed,
                      firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    firn_avro_reader *reader;
    FIRN_TRY(firn_avro_reader_open(scratch, bytes, m->path, &reader, err));
    FIRN_TRY(find_spec(m, metadata, reader, err));
    decoder d = {.m = m, .name = m->path};
    d.tuple = (firn_tuple_plan){.type = m->partition_type, .fixed_as_bytes = fixed_as_bytes};
    FIRN_TRY(compile(&d, scratch, firn_avro_reader_schema(reader), err));
    *has_fixed = firn_tuple_plan_has_fixed(&d.tuple);
    add_text(m, (firn_bytes){0}); /* offset 0 stands for none */
    m->shapes = firn_calloc(1, sizeof *m->shapes);
    m->n_shapes = m->shapes_cap = 1; /* shape 0 is the empty one */
    m->shapes[0].ids = firn_arena_alloc(m->arena, 0);
    d.ids = firn_malloc(sizeof *d.ids);
    d.ids_cap = 1;

    int64_t announced = file->added_files + file->existing_files + file->deleted_files;
    size_t hint = announced > 0 ? (size_t)announced : 16;
    resize_rows(m, hint < bytes.len / 8 ? hint : bytes.len / 8 + 1); /* an entry takes some bytes */
    firn_rc rc = decode_blocks(&d, reader, err);
    free(d.ids);
    if (rc != FIRN_OK)
        return rc;
    shrink(m);
    FIRN_TRY(inherit(m, err));
    count_bytes(m);
    return FIRN_OK;
}

static firn_manifest *new_manifest(const firn_manifest_file *file)
{
    firn_manifest *m = firn_calloc(1, sizeof *m);
    atomic_init(&m->refs, 1);
    atomic_init(&m->bytes, 0);
    pthread_mutex_init(&m->lock, NULL);
    m->path = firn_strdup(file->path);
    m->spec_id = file->spec_id;
    m->deletes = file->deletes;
    m->sequence_number = file->sequence_number;
    m->added_snapshot_id = file->added_snapshot_id;
    m->first_row_id = file->first_row_id;
    m->arena = firn_arena_new();
    return m;
}

firn_rc firn_manifest_decode(firn_bytes bytes, const firn_metadata *metadata,
                             const firn_manifest_file *file, firn_manifest **out, firn_err *err)
{
    bool has_fixed = false;
    firn_manifest *m = new_manifest(file);
    firn_rc rc = decode(m, bytes, metadata, file, false, &has_fixed, err);
    if (rc == FIRN_E_CORRUPT && has_fixed) {
        firn_manifest *again = new_manifest(file);
        if (decode(again, bytes, metadata, file, true, &has_fixed, NULL) == FIRN_OK) {
            firn_manifest_destroy(m);
            *out = again;
            return FIRN_OK;
        }
        firn_manifest_destroy(again);
    }
    if (rc != FIRN_OK) {
        firn_manifest_destroy(m);
        return rc;
    }
    *out = m;
    return FIRN_OK;
}
