/* _metadata.json, in the form that the data lake's scripts have always had, and firn's own members behind it.
 *
 * Written after the folders, by rename, and only when its text changes: its own time says when the feed last changed.
 */
#include "tree_private.h"

#include "base/io.h"
#include "base/json.h"
#include "base/time.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

enum { METADATA_BYTES_MAX = 256 << 20 };

static const char *const MODES[] = {"append", "overwrite", "ignore"};
static const char *const PARTITIONING[] = {"date", "version", "none"};

static char *metadata_path(firn_lake *lake, firn_arena *arena, const firn_export_feed *feed)
{
    return firn_path_join(arena, firn_export_folder(lake, arena, feed), "_metadata.json");
}

/* "2025-01-15T14:30:00Z" */
static char *time_text(firn_arena *arena, int64_t us)
{
    int64_t second = us - ((us % 1000000) + 1000000) % 1000000;
    return firn_arena_printf(arena, "%sZ", firn_format_timestamp(arena, second, false));
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

static firn_rc read_partition(const json_t *json, const char *path, firn_tree_partition *out,
                              firn_err *err)
{
    FIRN_TRY(firn_json_str(json, "path", path, &out->path, err));
    FIRN_TRY(firn_json_i64(json, "records", path, &out->records, err));
    FIRN_TRY(firn_json_opt_i64(json, "bytes", path, 0, &out->bytes, err));
    FIRN_TRY(firn_json_opt_i64(json, "files", path, 0, &out->files, err));
    return firn_json_opt_str(json, "exported_at", path, NULL, &out->exported_at, err);
}

firn_rc firn_tree_metadata_read(firn_lake *lake, firn_arena *arena, const firn_export_feed *feed,
                                firn_tree_metadata *out, firn_err *err)
{
    const char *path = metadata_path(lake, arena, feed);
    firn_bytes text;
    json_t *json = NULL, *partitions = NULL;
    *out = (firn_tree_metadata){0};
    if (!firn_path_exists(path)) {
        FIRN_FAIL(err, FIRN_E_NOT_FOUND, "feed %s has not been exported yet: there is no %s",
                  feed->name, path);
    }
    FIRN_TRY(firn_file_read(arena, path, METADATA_BYTES_MAX, &text, err));
    FIRN_TRY(firn_json_parse(arena, text, path, &json, err));
    FIRN_TRY(firn_json_opt_str(json, "last_export", path, NULL, &out->last_export, err));
    FIRN_TRY(firn_json_opt_i64(json, "total_records", path, 0, &out->total_records, err));
    FIRN_TRY(firn_json_opt_i64(json, "bytes", path, 0, &out->total_bytes, err));
    FIRN_TRY(firn_json_opt_array(json, "partitions", path, &partitions, err));
    out->json = json;
    out->n_partitions = json_array_size(partitions);
    firn_tree_partition *items = FIRN_NEW_N(arena, firn_tree_partition, out->n_partitions);
    for (size_t i = 0; i < out->n_partitions; i++) {
        FIRN_TRY(read_partition(json_array_get(partitions, i), path, &items[i], err));
    }
    out->partitions = items;
    return FIRN_OK;
}

/* ---- writing ---------------------------------------------------------------------------------------------------- */

/* Megabytes as the scripts count them, 1024 * 1024: "45.2", "0.015", "0.000303". */
static void put_mb(firn_buf *out, int64_t bytes)
{
    char text[64];
    double mb = (double)bytes / (1024.0 * 1024.0);
    int length = snprintf(text, sizeof(text), mb < 0.01 ? "%.6f" : "%.3f", mb);
    while (length > 2 && text[length - 1] == '0' && text[length - 2] != '.') {
        text[--length] = '\0';
    }
    firn_buf_puts(out, text);
}

static void put_member(firn_buf *out, const char *key, const char *text)
{
    firn_buf_printf(out, "  \"%s\": ", key);
    if (text != NULL) {
        firn_json_escape(out, text);
    } else {
        firn_buf_puts(out, "null");
    }
    firn_buf_puts(out, ",\n");
}

/* When rows last came: compaction and retention are no exports. */
static const char *last_export(const tree *t, const firn_tree_metadata *before)
{
    int64_t newest_us = 0;
    for (size_t i = 0; i < t->metadata->n_snapshots; i++) {
        const firn_snapshot *snapshot = &t->metadata->snapshots[i];
        bool brings = snapshot->operation == NULL || firn_streq(snapshot->operation, "append") ||
                      firn_streq(snapshot->operation, "overwrite");
        if (brings && snapshot->timestamp_ms * 1000 > newest_us) {
            newest_us = snapshot->timestamp_ms * 1000;
        }
    }
    const char *text = newest_us > 0 ? time_text(t->arena, newest_us) : NULL;
    /* Snapshots expire; what was written here then holds. */
    if (before->last_export != NULL && (text == NULL || strcmp(text, before->last_export) < 0)) {
        return before->last_export;
    }
    return text;
}

static const char *created_at(const tree *t, const firn_tree_metadata *before)
{
    if (t->feed->created_at != NULL && t->feed->created_at[0] != '\0') {
        return t->feed->created_at;
    }
    const char *known = json_string_value(json_object_get(before->json, "created_at"));
    return known != NULL ? known : time_text(t->arena, t->now_us);
}

static int by_relative(const void *a, const void *b)
{
    return strcmp((*(tree_folder *const *)a)->relative, (*(tree_folder *const *)b)->relative);
}

static void put_partition(const tree *t, firn_buf *out, const tree_folder *folder)
{
    int64_t rows = 0, bytes = 0, newest_us = 0;
    for (size_t i = 0; i < folder->items.len; i++) {
        const tree_item *item = folder->items.items[i];
        rows += item->rows;
        bytes += item->bytes;
        newest_us = item->time_us > newest_us ? item->time_us : newest_us;
    }
    firn_buf_puts(out, "    {\n      \"path\": ");
    firn_json_escape(out, folder->relative);
    firn_buf_printf(out, ",\n      \"records\": %" PRId64 ",\n      \"size_mb\": ", rows);
    put_mb(out, bytes);
    firn_buf_printf(out,
                    ",\n      \"exported_at\": \"%s\",\n      \"files\": %zu,\n      \"bytes\": "
                    "%" PRId64 "\n    }",
                    time_text(t->arena, newest_us), folder->items.len, bytes);
    t->result->partitions++;
    t->result->rows += rows;
    t->result->bytes += bytes;
}

static void put_partitions(const tree *t, firn_buf *out)
{
    FIRN_VEC(tree_folder *) folders = {0};
    for (size_t i = 0; i < t->folders.len; i++) {
        if (t->folders.items[i]->items.len > 0) {
            firn_vec_push(t->arena, &folders, t->folders.items[i]);
        }
    }
    if (folders.len > 1) {
        qsort(folders.items, folders.len, sizeof(tree_folder *), by_relative);
    }
    firn_buf_puts(out, "  \"partitions\": [");
    for (size_t i = 0; i < folders.len; i++) {
        firn_buf_puts(out, i > 0 ? ",\n" : "\n");
        put_partition(t, out, folders.items[i]);
    }
    firn_buf_puts(out, folders.len > 0 ? "\n  ],\n" : "],\n");
}

static void put_document(const tree *t, const firn_tree_metadata *before, firn_buf *out)
{
    FIRN_AUTO_BUF firn_buf partitions = {0};
    const firn_export_feed *feed = t->feed;
    put_partitions(t, &partitions); /* sums up the totals */
    firn_buf_puts(out, "{\n");
    put_member(out, "source", feed->ksqldb_source);
    put_member(out, "type", feed->kind == FIRN_EXPORT_STREAM ? "stream" : "table");
    put_member(out, "storage_mode", MODES[feed->mode]);
    put_member(out, "format", "parquet");
    put_member(out, "partitioning", PARTITIONING[feed->partitioning]);
    put_member(out, "last_export", last_export(t, before));
    firn_buf_printf(out,
                    "  \"total_records\": %" PRId64 ",\n  \"total_size_mb\": ", t->result->rows);
    put_mb(out, t->result->bytes);
    firn_buf_puts(out, ",\n");
    firn_buf_append(out, partitions.data, partitions.len);
    put_member(out, "schema_version",
               firn_arena_printf(t->arena, "1.%d", (int)t->metadata->schema->schema_id));
    put_member(out, "created_at", created_at(t, before));
    put_member(out, "table", firn_ident_text(t->arena, t->ident));
    const firn_snapshot *current = t->metadata->current_snapshot;
    if (current != NULL) {
        firn_buf_printf(out, "  \"snapshot_id\": %" PRId64 ",\n", current->snapshot_id);
    } else {
        firn_buf_puts(out, "  \"snapshot_id\": null,\n");
    }
    put_member(out, "current_version", t->newest_tag);
    firn_buf_printf(
        out, "  \"versions\": %" PRId64 ",\n  \"files\": %zu,\n  \"bytes\": %" PRId64 "\n}\n",
        t->n_tags, t->items.len, t->result->bytes);
}

firn_rc firn_tree_metadata_write(tree *t, firn_err *err)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    const char *path = metadata_path(t->lake, t->arena, t->feed);
    firn_tree_metadata before = {0};
    firn_bytes text = {0};
    struct stat st;
    /* One that does not parse is written anew, as is none. */
    if (firn_tree_metadata_read(t->lake, t->arena, t->feed, &before, NULL) != FIRN_OK) {
        before = (firn_tree_metadata){0};
    }
    put_document(t, &before, &out);
    if (before.json != NULL &&
        firn_file_read(t->arena, path, METADATA_BYTES_MAX, &text, NULL) == FIRN_OK &&
        firn_bytes_cmp(text, firn_buf_bytes(&out)) == 0 && stat(path, &st) == 0 &&
        (st.st_mode & 07777) == t->file_mode) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_fault_point("tree.metadata", path, err));
    FIRN_TRY(firn_file_write_atomic(path, firn_buf_bytes(&out), t->file_mode, err));
    if (chmod(path, t->file_mode) != 0) { /* whatever the umask is */
        return firn_err_errno(err, __FILE__, __LINE__, errno, "cannot set permissions of %s", path);
    }
    return FIRN_OK;
}
