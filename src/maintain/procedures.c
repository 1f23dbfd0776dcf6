/* Maintenance in SQL, with Spark's names and arguments:
 *
 *   CALL system.expire_snapshots(table => 's.t', older_than => TIMESTAMP '2024-05-01', retain_last => 10)
 *   CALL system.rewrite_data_files(table => 's.t', where => 'day >= ...', options => map('min-input-files', '10'))
 *
 * What tells Spark how to spread its work (max_concurrent_deletes, stream_results, partial progress) is taken and has no effect.
 */
#include "maintain/maintain.h"

#include "base/json.h"
#include "base/time.h"
#include "engine/procedures.h"

#include <inttypes.h>

static const char *number(firn_arena *arena, int64_t n)
{
    return firn_arena_printf(arena, "%" PRId64, n);
}

/* ---- expire_snapshots ---------------------------------------------------------------------------------- */

enum { ARG_TABLE, ARG_OLDER_THAN, ARG_RETAIN_LAST };

static firn_rc parse_older_than(const char *text, int64_t *us, firn_err *err)
{
    int64_t ms = 0;
    if (text == NULL || firn_parse_timestamp(text, us, NULL)) {
        return FIRN_OK;
    }
    if (!firn_parse_i64(text, &ms) || ms < 0 || ms > INT64_MAX / 1000) {
        FIRN_FAIL(err, FIRN_E_TYPE,
                  "expire_snapshots: older_than is a timestamp like '2024-02-15 10:20:30' or "
                  "milliseconds, not '%s'",
                  text);
    }
    *us = ms * 1000;
    return FIRN_OK;
}

static firn_rc call_expire(firn_session *session, firn_arena *arena, firn_ident table,
                           const char *const *arguments, const char **cells, firn_err *err)
{
    firn_expire_options options = {.ident = table};
    firn_expire_result result;
    const char *keep = arguments[ARG_RETAIN_LAST];
    FIRN_TRY(parse_older_than(arguments[ARG_OLDER_THAN], &options.older_than_us, err));
    if (keep != NULL && (!firn_parse_i64(keep, &options.keep_last) || options.keep_last < 1)) {
        FIRN_FAIL(err, FIRN_E_TYPE, "expire_snapshots: retain_last is a number from 1 on, not '%s'",
                  keep);
    }
    FIRN_TRY(firn_maintain_expire(session, arena, &options, &result, err));
    cells[0] = number(arena, result.snapshots);
    cells[1] = number(arena, result.files);
    cells[2] = number(arena, result.bytes);
    cells[3] =
        result.n_kept_by > 0 ? firn_str_join(arena, result.kept_by, result.n_kept_by, "; ") : NULL;
    return FIRN_OK;
}

/* ---- rewrite_data_files -------------------------------------------------------------------------------- */

enum { ARG_STRATEGY = 1, ARG_SORT_ORDER, ARG_OPTIONS, ARG_WHERE };

static firn_rc take_option(const char *key, const char *value, firn_compact_options *options,
                           firn_err *err)
{
    static const char *const without_effect[] = {
        "partial-progress.enabled", "partial-progress.max-commits",
        "max-concurrent-file-group-rewrites", "use-starting-sequence-number",
        "remove-dangling-deletes"};
    const struct {
        const char *key;
        int64_t *to;
    } known[] = {{"target-file-size-bytes", &options->target_bytes},
                 {"min-file-size-bytes", &options->small_bytes},
                 {"min-input-files", &options->min_files}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (!firn_streq(key, known[i].key)) {
            continue;
        }
        if (value == NULL || !firn_parse_i64(value, known[i].to) || *known[i].to < 1) {
            FIRN_FAIL(err, FIRN_E_TYPE, "rewrite_data_files: %s is a number from 1 on, not '%s'",
                      key, value != NULL ? value : "NULL");
        }
        return FIRN_OK;
    }
    for (size_t i = 0; i < sizeof(without_effect) / sizeof(without_effect[0]); i++) {
        if (firn_streq(key, without_effect[i])) {
            return FIRN_OK;
        }
    }
    FIRN_FAIL(err, FIRN_E_INVALID,
              "rewrite_data_files has no option %s; it has target-file-size-bytes, "
              "min-file-size-bytes and min-input-files",
              key);
}

static firn_rc take_options(firn_arena *arena, const char *text, firn_compact_options *options,
                            firn_err *err)
{
    json_t *map = NULL;
    const char *key;
    json_t *value;
    if (text == NULL) {
        return FIRN_OK;
    }
    map = firn_json_own(arena, json_loads(text, 0, NULL));
    if (!json_is_object(map)) {
        FIRN_FAIL(err, FIRN_E_TYPE,
                  "rewrite_data_files: options is a map like map('min-input-files', '10')");
    }
    json_object_foreach(map, key, value)
    {
        FIRN_TRY(take_option(key, json_string_value(value), options, err));
    }
    return FIRN_OK;
}

static firn_rc call_rewrite(firn_session *session, firn_arena *arena, firn_ident table,
                            const char *const *arguments, const char **cells, firn_err *err)
{
    firn_compact_options options = {.ident = table, .where = arguments[ARG_WHERE]};
    firn_compact_result result;
    const char *strategy = arguments[ARG_STRATEGY];
    if ((strategy != NULL && !firn_strcaseeq(strategy, "binpack")) ||
        arguments[ARG_SORT_ORDER] != NULL) {
        FIRN_FAIL(
            err, FIRN_E_UNSUPPORTED,
            "rewrite_data_files: firn has the strategy binpack, in the table's own sort order "
            "(ALTER TABLE ... WRITE ORDERED BY)");
    }
    FIRN_TRY(take_options(arena, arguments[ARG_OPTIONS], &options, err));
    FIRN_TRY(firn_maintain_compact(session, arena, &options, &result, err));
    cells[0] = number(arena, result.files_before);
    cells[1] = number(arena, result.files_after);
    cells[2] = number(arena, result.bytes_before);
    cells[3] = number(arena, result.deletes_applied);
    cells[4] = number(arena, result.given_up);
    return FIRN_OK;
}

/* ---- both ---------------------------------------------------------------------------------------------- */

static const char *const expire_columns[] = {"expired_snapshots_count", "deleted_files_count",
                                             "deleted_bytes", "kept_by"};
static const char *const expire_types[] = {"BIGINT", "BIGINT", "BIGINT", "VARCHAR"};
static const char *const rewrite_columns[] = {"rewritten_data_files_count",
                                              "added_data_files_count", "rewritten_bytes_count",
                                              "removed_rows_count", "failed_partitions_count"};
static const char *const rewrite_types[] = {"BIGINT", "BIGINT", "BIGINT", "BIGINT", "BIGINT"};

static const firn_outside_procedure procedures[] = {
    {.name = "expire_snapshots",
     .parameters = {"table", "older_than", "retain_last", "max_concurrent_deletes",
                    "stream_results"},
     .n_required = 1,
     .columns = expire_columns,
     .types = expire_types,
     .n_columns = sizeof(expire_columns) / sizeof(expire_columns[0]),
     .run = call_expire},
    {.name = "rewrite_data_files",
     .parameters = {"table", "strategy", "sort_order", "options", "where"},
     .n_required = 1,
     .columns = rewrite_columns,
     .types = rewrite_types,
     .n_columns = sizeof(rewrite_columns) / sizeof(rewrite_columns[0]),
     .run = call_rewrite},
};

void firn_maintain_install(firn_engine *engine)
{
    firn_engine_set_procedures(engine, procedures, sizeof(procedures) / sizeof(procedures[0]));
}
