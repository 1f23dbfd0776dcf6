/* What is asked of the ksqlDB server. */
#include "job.h"

firn_rc firn_export_describe(firn_export_job *job, firn_err *err)
{
    const firn_export_feed *feed = job->feed;
    FIRN_TRY(firn_ksqldb_describe(job->ksqldb, job->arena, feed->ksqldb_source, &job->source, err));
    bool wants_table = feed->kind == FIRN_EXPORT_TABLE;
    if (job->source.object.is_table != wants_table) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s: feed_type is %s, and %s is a %s of the server",
                  feed->path, wants_table ? "table" : "stream", job->source.object.name,
                  wants_table ? "stream" : "table");
    }
    return FIRN_OK;
}

const char *firn_export_stream_select(firn_export_job *job, const char *where)
{
    FIRN_AUTO_BUF firn_buf sql = {0};
    firn_buf_puts(&sql, "SELECT ROWPARTITION AS `__FIRN_PARTITION`, ROWOFFSET AS `__FIRN_OFFSET`, "
                        "ROWTIME AS `__FIRN_TIME`");
    for (size_t i = 0; i < job->source.n_fields; i++) {
        firn_buf_printf(&sql, ", %s", firn_ksqldb_ident(job->arena, job->source.fields[i].name));
    }
    firn_buf_printf(&sql, " FROM %s", firn_ksqldb_ident(job->arena, job->source.object.name));
    if (where != NULL) {
        firn_buf_printf(&sql, " WHERE %s", where);
    }
    firn_buf_puts(&sql, " EMIT CHANGES;");
    return firn_arena_strdup(job->arena, firn_buf_cstr(&sql));
}

firn_rc firn_export_open_query(firn_export_job *job, const char *sql, bool push, firn_err *err)
{
    json_t *properties = firn_json_own(job->arena, json_object());
    if (push) {
        json_object_set_new(properties, "auto.offset.reset", json_string("earliest"));
    }
    const firn_ksqldb_query_options options = {
        .sql = sql, .properties = properties, .batch_rows_max = job->run->options->batch_rows_max};
    FIRN_TRY(firn_ksqldb_query_open(job->ksqldb, &options, &job->query, err));
    return firn_fault_point("export.open", job->feed->name, err);
}

static bool gives(const struct ArrowSchema *schema, const char *name)
{
    for (int64_t i = 0; i < schema->n_children; i++) {
        if (firn_streq(schema->children[i]->name, name)) {
            return true;
        }
    }
    return false;
}

const char *const *firn_export_keys(firn_export_job *job, size_t *n)
{
    static const char *const bounds[] = {"WINDOWSTART", "WINDOWEND"};
    const struct ArrowSchema *schema = firn_ksqldb_query_schema(job->query);
    FIRN_VEC(const char *) keys = {0};
    for (size_t i = 0; i < job->source.n_fields; i++) {
        const firn_ksqldb_field *field = &job->source.fields[i];
        if (field->is_key && gives(schema, field->name)) {
            firn_vec_push(job->arena, &keys, field->name);
        }
    }
    for (size_t i = 0; job->source.object.windowed && i < 2; i++) {
        if (gives(schema, bounds[i])) {
            firn_vec_push(job->arena, &keys, bounds[i]);
        }
    }
    *n = keys.len;
    return keys.items;
}
