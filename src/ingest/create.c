/* Tables that a feed makes: columns from the first records, the rest from the feed's file. */
#include "write_rows.h"

#include "engine/table_plan.h"

/* A feed commits every few seconds, and each commit leaves a metadata file. Without a limit they would be more than the data soon. What
 * the feed's file says goes before. */
static const json_t *with_defaults(firn_arena *arena, const json_t *given)
{
    static const char *const defaults[][2] = {
        {"write.metadata.delete-after-commit.enabled", "true"},
        {"write.metadata.previous-versions-max", "20"},
    };
    json_t *properties =
        firn_json_own(arena, given != NULL ? json_deep_copy(given) : json_object());
    for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
        if (json_object_get(properties, defaults[i][0]) == NULL) {
            json_object_set_new(properties, defaults[i][0], json_string(defaults[i][1]));
        }
    }
    return properties;
}

firn_rc firn_feed_table_updates(write_job *job, json_t **updates, firn_err *err)
{
    const firn_feed *feed = &job->run->feed;
    firn_session *session = job->run->session;
    firn_schema *schema = NULL;
    int version = 0;
    firn_table_plan_options plan = {.ident = job->ident};
    if (job->is_letters) {
        plan.comment =
            firn_arena_printf(job->arena, "records of feed %s that became no row", feed->name);
    } else if (job->is_log) {
        plan.comment = firn_arena_printf(job->arena, "every change that feed %s read", feed->name);
    } else {
        plan.partition_by = feed->partition_by;
        plan.n_partition_by = feed->n_partition_by;
        plan.sort_by = feed->sort_by;
        plan.n_sort_by = feed->n_sort_by;
        plan.properties = feed->properties;
    }
    plan.properties = with_defaults(job->arena, plan.properties);
    FIRN_TRY(firn_table_plan_version(session, &plan, &version, err));
    FIRN_TRY(firn_rows_describe(session, job->arena, job->rows, job->n_rows, job->sql, version,
                                &schema, err));
    plan.schema = schema;
    plan.format_version = version;
    firn_rc rc = firn_table_plan(session, job->arena, &plan, updates, err);
    return rc == FIRN_OK ? FIRN_OK : firn_err_wrap(err, rc, "%s", feed->path);
}
