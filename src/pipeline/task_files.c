/* Tasks that make files: generate (sample data) and report (a query's rows as JSON). */
#include "internal.h"

#include "base/io.h"
#include "base/time.h"

enum { REPORT_BYTES_MAX = 256 << 20 };

/* ---- generate ---------------------------------------------------------------------------------------- */

static firn_rc number_setting(firn_attempt *attempt, const char *name, const char *text,
                              int64_t def, int64_t *out, firn_err *err)
{
    char *value = NULL;
    *out = def;
    if (text == NULL) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_attempt_expand(attempt, text, &value, err));
    if (!firn_parse_i64(value, out)) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "task %s: %s is \"%s\"; it must be a number",
                  attempt->task->name, name, value);
    }
    return FIRN_OK;
}

static firn_rc end_date_setting(firn_attempt *attempt, int32_t *days, firn_err *err)
{
    char *value = NULL;
    *days = (int32_t)(firn_now_us() / 86400000000);
    if (attempt->task->end_date == NULL) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_attempt_expand(attempt, attempt->task->end_date, &value, err));
    if (!firn_streq(value, "today") && !firn_parse_date(value, days)) {
        FIRN_FAIL(err, FIRN_E_CONFIG,
                  "task %s: end_date is \"%s\"; it must be a date such as 2024-12-31, or today",
                  attempt->task->name, value);
    }
    return FIRN_OK;
}

firn_rc firn_task_generate(firn_attempt *attempt, firn_err *err)
{
    const firn_task *task = attempt->task;
    if (!firn_streq(task->generator, "ecommerce")) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "task %s: there is no generator \"%s\"; firn has: ecommerce",
                  task->name, task->generator);
    }
    int64_t seed = 0;
    char *dir = NULL;
    firn_ecommerce_options options = {0};
    FIRN_TRY(firn_attempt_expand(attempt, task->dir, &dir, err));
    FIRN_TRY(number_setting(attempt, "scale", task->scale, 1, &options.scale, err));
    FIRN_TRY(number_setting(attempt, "seed", task->seed, 42, &seed, err));
    FIRN_TRY(end_date_setting(attempt, &options.end_date, err));
    options.seed = (uint64_t)seed;
    options.dir = firn_lake_path(attempt->run->lake, attempt->arena, dir);
    firn_ecommerce_counts counts;
    FIRN_TRY(firn_ecommerce_generate(&options, &counts, err));
    firn_arena *arena = attempt->arena;
    attempt->rows = counts.customers + counts.products + counts.orders;
    attempt->detail = firn_arena_printf(
        arena, "%s customers  %s products  %s orders", firn_format_count(arena, counts.customers),
        firn_format_count(arena, counts.products), firn_format_count(arena, counts.orders));
    return FIRN_OK;
}

/* ---- report ------------------------------------------------------------------------------------------ */

/* One row becomes an object, any other number of rows an array of objects. */
static firn_rc rows_as_json(firn_result *result, firn_buf *out, int64_t *n, firn_err *err)
{
    FIRN_AUTO_BUF firn_buf rows = {.max = REPORT_BYTES_MAX};
    const char *const *cells = NULL;
    firn_rc rc;
    *n = 0;
    while ((rc = firn_result_next(result, &cells, err)) == FIRN_OK && cells != NULL) {
        firn_buf_puts(&rows, *n > 0 ? ",\n" : "");
        FIRN_TRY(firn_result_row_json(result, &rows, err));
        ++*n;
    }
    FIRN_TRY(rc);
    if (rows.overflow) {
        FIRN_FAIL(err, FIRN_E_LIMIT, "the report is larger than %d bytes; write a table instead",
                  REPORT_BYTES_MAX);
    }
    firn_buf_printf(out, *n == 1 ? "" : "[\n");
    firn_buf_append(out, rows.data, rows.len);
    firn_buf_printf(out, *n == 1 ? "\n" : "\n]\n");
    return FIRN_OK;
}

firn_rc firn_task_report(firn_attempt *attempt, firn_err *err)
{
    char *sql = NULL;
    char *file = NULL;
    char *path = NULL;
    FIRN_TRY(firn_attempt_expand(attempt, attempt->task->sql, &sql, err));
    FIRN_TRY(firn_attempt_expand(attempt, attempt->task->file, &file, err));
    FIRN_TRY(firn_artifact_path(attempt, file, &path, err));
    firn_result *result = NULL;
    FIRN_TRY(firn_session_query(attempt->session, sql, &result, err));
    FIRN_AUTO_BUF firn_buf text = {.max = REPORT_BYTES_MAX};
    firn_rc rc = rows_as_json(result, &text, &attempt->rows, err);
    firn_result_free(result);
    FIRN_TRY(rc);
    attempt->detail = firn_arena_strdup(attempt->arena, file);
    return firn_file_write_atomic(path, firn_buf_bytes(&text), 0644, err);
}
