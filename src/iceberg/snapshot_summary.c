/*
 * snapshot_summary.c - the summary that a snapshot carries (spec, Appendix F "Snapshot summary"): what came, what
 * went, and running totals. Names and rules are Java's, for the engines that read them: counts of zero are left
 * out, totals only where the parent has them.
 */
#include "manifest_write.h"
#include "snapshot_private.h"

#include <inttypes.h>

void firn_summary_add(firn_commit *commit, const firn_data_file *file, bool added)
{
    firn_file_counts *counts = added ? &commit->summary.added : &commit->summary.removed;
    bool is_vector = firn_data_file_is_dv(file);
    counts->bytes += is_vector ? file->content_size_bytes : file->file_size_bytes;
    switch (file->content) {
    case FIRN_CONTENT_DATA:
        counts->data_files++;
        counts->records += file->record_count;
        break;
    case FIRN_CONTENT_POSITION_DELETES:
        counts->delete_files++;
        counts->vectors += is_vector;
        counts->position_files += !is_vector;
        counts->position_deletes += file->record_count;
        break;
    case FIRN_CONTENT_EQUALITY_DELETES:
        counts->delete_files++;
        counts->equality_files++;
        counts->equality_deletes += file->record_count;
        break;
    }
    FIRN_AUTO_BUF firn_buf key = {0};
    firn_partition_key(&key, file->spec_id, file->partition, file->n_partition);
    firn_bytes_map_at(&commit->summary.partitions, commit->arena, firn_buf_bytes(&key));
}

static void set_number(json_t *summary, const char *key, int64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRId64, value);
    json_object_set_new(summary, key, json_string(text));
}

static void set_positive(json_t *summary, const char *key, int64_t value)
{
    if (value > 0)
        set_number(summary, key, value);
}

/* total = the parent's + added - removed; not said if the parent does not say, or if it makes no sense. */
static void set_total(const firn_commit *commit, json_t *summary, const char *key, int64_t added,
                      int64_t removed)
{
    int64_t before = 0;
    if (commit->parent) {
        const char *text = json_string_value(json_object_get(commit->parent->summary, key));
        if (!text || !firn_parse_i64(text, &before))
            return;
    }
    int64_t total;
    if (!__builtin_add_overflow(before, added, &total) &&
        !__builtin_sub_overflow(total, removed, &total) && total >= 0)
        set_number(summary, key, total);
}

json_t *firn_summary_json(firn_commit *commit)
{
    const firn_file_counts *a = &commit->summary.added, *r = &commit->summary.removed;
    json_t *s = firn_json_own(commit->arena, json_object());
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)commit->change->summary_extra, key, value)
        json_object_set(s, key, value);
    set_positive(s, "added-data-files", a->data_files);
    set_positive(s, "deleted-data-files", r->data_files);
    set_positive(s, "added-delete-files", a->delete_files);
    set_positive(s, "removed-delete-files", r->delete_files);
    set_positive(s, "added-position-delete-files", a->position_files);
    set_positive(s, "removed-position-delete-files", r->position_files);
    set_positive(s, "added-equality-delete-files", a->equality_files);
    set_positive(s, "removed-equality-delete-files", r->equality_files);
    set_positive(s, "added-dvs", a->vectors);
    set_positive(s, "removed-dvs", r->vectors);
    set_positive(s, "added-records", a->records);
    set_positive(s, "deleted-records", r->records);
    set_positive(s, "added-files-size", a->bytes);
    set_positive(s, "removed-files-size", r->bytes);
    set_positive(s, "added-position-deletes", a->position_deletes);
    set_positive(s, "removed-position-deletes", r->position_deletes);
    set_positive(s, "added-equality-deletes", a->equality_deletes);
    set_positive(s, "removed-equality-deletes", r->equality_deletes);
    set_number(s, "changed-partition-count", (int64_t)commit->summary.partitions.items.len);
    if (commit->change->replace_partitions)
        json_object_set_new(s, "replace-partitions", json_string("true"));
    firn_summary_put_totals(commit, s);
    return s;
}

void firn_summary_put_totals(const firn_commit *commit, json_t *s)
{
    const firn_file_counts *a = &commit->summary.added, *r = &commit->summary.removed;
    set_number(s, "manifests-created", commit->summary.manifests_created);
    set_number(s, "manifests-kept", commit->summary.manifests_kept);
    set_number(s, "manifests-replaced", commit->summary.manifests_replaced);
    set_total(commit, s, "total-records", a->records, r->records);
    set_total(commit, s, "total-files-size", a->bytes, r->bytes);
    set_total(commit, s, "total-data-files", a->data_files, r->data_files);
    set_total(commit, s, "total-delete-files", a->delete_files, r->delete_files);
    set_total(commit, s, "total-position-deletes", a->position_deletes, r->position_deletes);
    set_total(commit, s, "total-equality-deletes", a->equality_deletes, r->equality_deletes);
}
