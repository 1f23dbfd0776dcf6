/* What a feed's retention says must go, from the table's metadata: nothing is changed.
 *
 * By days, rows go by the columns that they are filed under, year, month, day. A feed that has folders by month only keeps a month until
 * all of its days are old enough; hours go with their day. Rows without a value there stay.
 */
#include "retain_private.h"

#include "base/map.h"
#include "base/time.h"
#include "tree_private.h"

#include <inttypes.h>
#include <stdlib.h>

enum { PARTS_MAX = 3 };

typedef struct finder {
    firn_session *session;
    firn_arena *arena;
    const firn_export_feed *feed;
    const firn_metadata *metadata;
    firn_ident ident;
    size_t n_parts; /* of year, month, day, that the table has */
    const firn_field *columns[PARTS_MAX];
    int64_t cutoff[PARTS_MAX];
    firn_map *gone;
    bool mixed; /* files whose partition does not say their day */
    retain_due *out;
} finder;

/* ---- by days ------------------------------------------------------------------------------------------------------- */

static const char *part_text(firn_arena *arena, const int64_t *parts, size_t n)
{
    const char *text = firn_arena_printf(arena, "%04" PRId64, parts[0]);
    for (size_t i = 1; i < n; i++) {
        text = firn_arena_printf(arena, "%s-%02" PRId64, text, parts[i]);
    }
    return text;
}

static const char *literal(const finder *f, size_t i)
{
    const char *number =
        firn_arena_printf(f->arena, i == 0 ? "%04" PRId64 : "%02" PRId64, f->cutoff[i]);
    return f->columns[i]->type->id == FIRN_TYPE_STRING
               ? firn_arena_printf(f->arena, "'%s'", number)
               : firn_arena_printf(f->arena, "%" PRId64, f->cutoff[i]);
}

/* year < 2024 OR (year = 2024 AND (month < 11 OR (month = 11 AND day < 30))) */
static const char *condition(const finder *f)
{
    const char *rest = NULL;
    for (size_t i = f->n_parts; i-- > 0;) {
        const char *name = firn_tree_name(f->arena, f->columns[i]->name);
        const char *value = literal(f, i);
        rest = rest == NULL ? firn_arena_printf(f->arena, "%s < %s", name, value)
                            : firn_arena_printf(f->arena, "%s < %s OR (%s = %s AND (%s))", name,
                                                value, name, value, rest);
    }
    return rest;
}

static firn_rc find_columns(finder *f, firn_err *err)
{
    f->n_parts = f->feed->n_columns < PARTS_MAX ? f->feed->n_columns : PARTS_MAX;
    for (size_t i = 0; i < f->n_parts; i++) {
        f->columns[i] = firn_schema_find_name(f->metadata->schema, f->feed->columns[i], false);
        if (f->columns[i] == NULL) {
            FIRN_FAIL(err, FIRN_E_CONFIG,
                      "feed %s keeps %" PRId64 " days by %s, which is no column of table %s",
                      f->feed->name, f->feed->retention_days, f->feed->columns[i],
                      firn_ident_text(f->arena, f->ident));
        }
    }
    return FIRN_OK;
}

static void set_cutoff(finder *f, int64_t now_us)
{
    firn_civil at;
    int64_t day_us = INT64_C(86400000000);
    int32_t today = (int32_t)(now_us / day_us);
    firn_civil_from_days(today - (int32_t)f->feed->retention_days, &at);
    const int64_t parts[PARTS_MAX] = {at.year, at.month, at.day};
    memcpy(f->cutoff, parts, sizeof(parts));
    memcpy(f->out->cutoff_parts, parts, sizeof(parts));
    f->out->n_parts = f->n_parts;
    f->out->cutoff = part_text(f->arena, parts, PARTS_MAX);
}

/* False: the file's partition does not say, or says null. */
static bool partition_parts(const finder *f, const firn_data_file *file, int64_t *parts, bool *null)
{
    const firn_partition_spec *spec = firn_metadata_spec(f->metadata, file->spec_id);
    *null = false;
    for (size_t i = 0; i < f->n_parts; i++) {
        bool found = false;
        for (size_t k = 0; spec != NULL && k < spec->n_fields && k < file->n_partition; k++) {
            if (spec->fields[k].source_id != f->columns[i]->id ||
                spec->fields[k].transform.kind != FIRN_TRANSFORM_IDENTITY) {
                continue;
            }
            const char *text = firn_value_text(f->arena, f->columns[i]->type, &file->partition[k]);
            *null = *null || file->partition[k].is_null || !firn_parse_i64(text, &parts[i]);
            found = true;
        }
        if (!found) {
            return false;
        }
    }
    return !*null;
}

static bool is_before(const finder *f, const int64_t *parts)
{
    for (size_t i = 0; i < f->n_parts; i++) {
        if (parts[i] != f->cutoff[i]) {
            return parts[i] < f->cutoff[i];
        }
    }
    return false;
}

static void look_at(finder *f, const firn_data_file *file)
{
    int64_t parts[PARTS_MAX];
    bool null = false;
    if (!partition_parts(f, file, parts, &null)) {
        f->mixed = f->mixed || !null;
        return;
    }
    const char *text = part_text(f->arena, parts, f->n_parts);
    if (is_before(f, parts)) {
        f->out->files++;
        f->out->bytes += file->file_size_bytes;
        firn_map_put(f->gone, text, f);
    } else if (f->out->oldest_kept == NULL || strcmp(text, f->out->oldest_kept) < 0) {
        f->out->oldest_kept = text;
    }
}

static firn_rc scan_files(finder *f, const firn_snapshot *snapshot,
                          void (*visit)(finder *f, const firn_data_file *file), firn_err *err)
{
    firn_lake *lake = firn_session_lake(f->session);
    firn_scan *scan = NULL;
    FIRN_TRY(firn_scan_open(
        f->arena,
        &(firn_scan_options){.storage = firn_lake_storage(lake),
                             .cache = firn_catalog_manifests(firn_lake_catalog(lake)),
                             .metadata = f->metadata,
                             .snapshot = snapshot,
                             .schema = f->metadata->schema},
        &scan, err));
    for (;;) {
        const firn_scan_task *task = NULL;
        FIRN_TRY(firn_scan_next(scan, &task, err));
        if (task == NULL) {
            return FIRN_OK;
        }
        visit(f, task->file);
    }
}

static void note_mixed(void *ctx, const char *const *cells)
{
    finder *f = ctx;
    if (cells[0] != NULL) {
        firn_map_put(f->gone, cells[0], f);
    }
}

/* Days that other engines filed together with younger ones. */
static firn_rc find_mixed(finder *f, firn_err *err)
{
    FIRN_AUTO_BUF firn_buf format = {0}, names = {0};
    for (size_t i = 0; i < f->n_parts; i++) {
        firn_buf_puts(&format, i == 0 ? "%04d" : "-%02d");
        firn_buf_printf(&names, ", CAST(%s AS INTEGER)",
                        firn_tree_name(f->arena, f->columns[i]->name));
    }
    return firn_tree_query(f->session,
                           firn_arena_printf(f->arena,
                                             "SELECT DISTINCT printf('%s'%s) FROM %s WHERE %s",
                                             firn_buf_cstr(&format), firn_buf_cstr(&names),
                                             firn_ident_text(f->arena, f->ident), f->out->where),
                           note_mixed, f, err);
}

static firn_rc count_rows(finder *f, firn_err *err)
{
    const char *text = NULL;
    FIRN_TRY(
        firn_session_scalar(f->session, f->arena,
                            firn_arena_printf(f->arena, "SELECT count(*) FROM %s WHERE %s",
                                              firn_ident_text(f->arena, f->ident), f->out->where),
                            &text, err));
    return text != NULL && firn_parse_i64(text, &f->out->rows) ? FIRN_OK : FIRN_E_INTERNAL;
}

static firn_rc find_days(finder *f, int64_t now_us, firn_err *err)
{
    FIRN_TRY(find_columns(f, err));
    set_cutoff(f, now_us);
    f->out->where = condition(f);
    if (f->metadata->current_snapshot == NULL) {
        return FIRN_OK;
    }
    FIRN_TRY(scan_files(f, f->metadata->current_snapshot, look_at, err));
    if (f->out->files > 0 || f->mixed) {
        FIRN_TRY(count_rows(f, err));
    }
    if (f->mixed && f->out->rows > 0) {
        FIRN_TRY(find_mixed(f, err));
    }
    f->out->partitions = (int64_t)firn_map_len(f->gone);
    return FIRN_OK;
}

/* ---- by versions ----------------------------------------------------------------------------------------------------- */

static int newest_first(const void *a, const void *b)
{
    int64_t left = firn_version_number((*(const firn_snapshot_ref *const *)a)->name);
    int64_t right = firn_version_number((*(const firn_snapshot_ref *const *)b)->name);
    return (left < right) - (left > right);
}

static void count_file(finder *f, const firn_data_file *file)
{
    if (!firn_map_has(f->gone, file->path)) {
        firn_map_put(f->gone, file->path, f);
        f->out->files++;
        f->out->rows += file->record_count;
        f->out->bytes += file->file_size_bytes;
    }
}

static firn_rc find_versions(finder *f, firn_err *err)
{
    FIRN_VEC(const firn_snapshot_ref *) tags = {0};
    f->out->kept_since_ms = INT64_MAX;
    for (size_t i = 0; i < f->metadata->n_refs; i++) {
        const firn_snapshot_ref *ref = &f->metadata->refs[i];
        if (ref->is_tag && firn_version_number(ref->name) > 0) {
            firn_vec_push(f->arena, &tags, ref);
        }
    }
    if (tags.len > 1) {
        qsort(tags.items, tags.len, sizeof(*tags.items), newest_first);
    }
    for (size_t i = 0; i < tags.len; i++) {
        const firn_snapshot *snapshot =
            firn_metadata_snapshot(f->metadata, tags.items[i]->snapshot_id);
        if ((int64_t)i < f->feed->retention_versions) {
            f->out->oldest_kept = tags.items[i]->name;
            f->out->kept_since_ms =
                snapshot != NULL && snapshot->timestamp_ms < f->out->kept_since_ms
                    ? snapshot->timestamp_ms
                    : f->out->kept_since_ms;
            continue;
        }
        firn_vec_push(f->arena, &f->out->tags, tags.items[i]->name);
        if (snapshot != NULL) {
            FIRN_TRY(scan_files(f, snapshot, count_file, err));
        }
    }
    f->out->partitions = (int64_t)f->out->tags.len;
    return FIRN_OK;
}

firn_rc firn_retain_due(firn_session *session, firn_arena *arena, const firn_export_feed *feed,
                        const firn_metadata *metadata, firn_ident ident, int64_t now_us,
                        retain_due *out, firn_err *err)
{
    *out = (retain_due){0};
    finder f = {.session = session,
                .arena = arena,
                .feed = feed,
                .metadata = metadata,
                .ident = ident,
                .gone = firn_map_new(arena),
                .out = out};
    if (feed->retention_versions > 0) {
        return find_versions(&f, err);
    }
    return feed->retention_days > 0 && feed->n_columns > 0 &&
                   feed->partitioning == FIRN_EXPORT_BY_DATE
               ? find_days(&f, now_us, err)
               : FIRN_OK;
}
