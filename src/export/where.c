/* Where an export's rows went, in a few words. */
#include "job.h"

#include <inttypes.h>

static const char *path_of(const firn_export_job *job, firn_arena *arena,
                           const firn_data_file *file)
{
    FIRN_AUTO_BUF firn_buf path = {0};
    const firn_export_feed *feed = job->feed;
    for (size_t i = 0; i < feed->n_columns && i < file->n_partition; i++) {
        const firn_value *value = &file->partition[i];
        firn_buf_printf(&path, "%s%s=", i > 0 ? "/" : "", feed->columns[i]);
        if (value->type == FIRN_TYPE_STRING && !value->is_null) {
            firn_buf_printf(&path, "%.*s", (int)value->bytes.len, (const char *)value->bytes.data);
        } else {
            firn_buf_printf(&path, i == 0 ? "%04d" : "%02d", value->is_null ? 0 : (int)value->i32);
        }
    }
    return firn_arena_strdup(arena, firn_buf_cstr(&path));
}

/* Versions that have a tag: "v1..v4". */
static const char *kept_versions(const firn_export_job *job)
{
    int64_t low = job->version, high = job->version;
    const firn_metadata *metadata = job->metadata;
    for (size_t i = 0; metadata != NULL && i < metadata->n_refs; i++) {
        int64_t number = 0;
        const firn_snapshot_ref *ref = &metadata->refs[i];
        if (ref->is_tag && ref->name[0] == 'v' && firn_parse_i64(ref->name + 1, &number)) {
            low = number < low ? number : low;
            high = number > high ? number : high;
        }
    }
    return low == high ? firn_arena_printf(job->arena, "v%" PRId64, high)
                       : firn_arena_printf(job->arena, "v%" PRId64 "..v%" PRId64, low, high);
}

const char *firn_export_where(const firn_export_job *job)
{
    const firn_export_feed *feed = job->feed;
    FIRN_VEC(const char *) paths = {0};
    if (feed->partitioning == FIRN_EXPORT_BY_VERSION) {
        return firn_arena_printf(job->arena, "%s=v%" PRId64 " (%s kept)", feed->columns[0],
                                 job->version, kept_versions(job));
    }
    for (size_t i = 0; feed->partitioning != FIRN_EXPORT_UNPARTED && i < job->n_added; i++) {
        const char *path = path_of(job, job->arena, &job->added[i]);
        bool known = false;
        for (size_t k = 0; k < paths.len; k++) {
            known = known || firn_streq(paths.items[k], path);
        }
        if (!known) {
            firn_vec_push(job->arena, &paths, path);
        }
    }
    static const char *const units[] = {"years", "months", "days", "hours"};
    return paths.len == 0 ? ""
           : paths.len == 1
               ? paths.items[0]
               : firn_arena_printf(job->arena, "%zu %s", paths.len,
                                   units[feed->n_columns > 4 ? 3 : feed->n_columns - 1]);
}
