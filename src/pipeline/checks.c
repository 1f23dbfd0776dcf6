/* Data-quality checks as SQL: each kind is a SELECT of the rows that break it, so that counting, showing an example and putting rows
 * into quarantine are the same for all.
 *
 * As in dbt, NULL breaks not_null alone: the other kinds look at values that are there.
 */
#include "internal.h"

#include "base/time.h"

static char *columns_text(firn_arena *arena, const firn_text_list *columns, const char *prefix)
{
    const char **quoted = FIRN_NEW_N(arena, const char *, columns->n);
    for (size_t i = 0; i < columns->n; i++) {
        quoted[i] =
            firn_arena_printf(arena, "%s%s", prefix, firn_sql_ident(arena, columns->items[i]));
    }
    return firn_str_join(arena, quoted, columns->n, ", ");
}

/* select t.* from <table> t where <where> and (<condition>) */
static char *rows_where(firn_arena *arena, const firn_check_spec *check, const char *condition)
{
    return firn_arena_printf(arena, "select t.* from %s t where %s%s%s(%s)", check->table,
                             check->where != NULL ? "(" : "",
                             check->where != NULL ? check->where : "",
                             check->where != NULL ? ") and " : "", condition);
}

static char *not_null_sql(firn_arena *arena, const firn_check_spec *check)
{
    FIRN_AUTO_BUF firn_buf condition = {0};
    for (size_t i = 0; i < check->columns.n; i++) {
        firn_buf_printf(&condition, "%st.%s is null", i > 0 ? " or " : "",
                        firn_sql_ident(arena, check->columns.items[i]));
    }
    return rows_where(arena, check, firn_buf_cstr(&condition));
}

static char *unique_sql(firn_arena *arena, const firn_check_spec *check)
{
    const char *columns = columns_text(arena, &check->columns, "");
    FIRN_AUTO_BUF firn_buf present = {0};
    for (size_t i = 0; i < check->columns.n; i++) {
        firn_buf_printf(&present, "%s is not null and ",
                        firn_sql_ident(arena, check->columns.items[i]));
    }
    const char *twice =
        firn_arena_printf(arena, "select %s from %s where %s(%s) group by %s having count(*) > 1",
                          columns, check->table, firn_buf_cstr(&present),
                          check->where != NULL ? check->where : "true", columns);
    const char *outer = columns_text(arena, &check->columns, "t.");
    return rows_where(arena, check, firn_arena_printf(arena, "(%s) in (%s)", outer, twice));
}

static char *range_condition(firn_arena *arena, const char *value, const firn_check_spec *check)
{
    if (check->min != NULL && check->max != NULL) {
        return firn_arena_printf(arena, "%s < %s or %s > %s", value, check->min, value, check->max);
    }
    return check->min != NULL ? firn_arena_printf(arena, "%s < %s", value, check->min)
                              : firn_arena_printf(arena, "%s > %s", value, check->max);
}

static char *relationships_sql(firn_arena *arena, const firn_check_spec *check, const char *column)
{
    return rows_where(
        arena, check,
        firn_arena_printf(arena,
                          "%s is not null and not exists (select 1 from %s r where r.%s = %s)",
                          column, check->to, firn_sql_ident(arena, check->field), column));
}

static char *freshness_sql(firn_arena *arena, const firn_check_spec *check, const char *column)
{
    return firn_arena_printf(arena,
                             "select newest from (select max(%s) as newest from %s t where %s) "
                             "where newest is null or cast(newest as timestamptz) < "
                             "make_timestamptz(%lld) - to_microseconds(%lld)",
                             column, check->table, check->where != NULL ? check->where : "true",
                             (long long)firn_now_us(), (long long)check->max_age_us);
}

static char *row_count_sql(firn_arena *arena, const firn_check_spec *check)
{
    return firn_arena_printf(
        arena, "select n from (select count(*) as n from %s t where %s) where %s", check->table,
        check->where != NULL ? check->where : "true", range_condition(arena, "n", check));
}

char *firn_check_failing_sql(firn_arena *arena, const firn_check_spec *check, const char **sample)
{
    const char *column =
        check->columns.n > 0
            ? firn_arena_printf(arena, "t.%s", firn_sql_ident(arena, check->columns.items[0]))
            : NULL;
    *sample = check->columns.n > 0 ? firn_sql_ident(arena, check->columns.items[0]) : NULL;
    switch (check->kind) {
    case FIRN_CHECK_NOT_NULL: *sample = NULL; return not_null_sql(arena, check);
    case FIRN_CHECK_UNIQUE: return unique_sql(arena, check);
    case FIRN_CHECK_ACCEPTED_VALUES:
        return rows_where(
            arena, check,
            firn_arena_printf(arena, "%s not in (%s)", column,
                              firn_str_join(arena, check->values.items, check->values.n, ", ")));
    case FIRN_CHECK_RANGE: return rows_where(arena, check, range_condition(arena, column, check));
    case FIRN_CHECK_RELATIONSHIPS: return relationships_sql(arena, check, column);
    case FIRN_CHECK_ROW_COUNT: *sample = "n"; return row_count_sql(arena, check);
    case FIRN_CHECK_FRESHNESS: *sample = "newest"; return freshness_sql(arena, check, column);
    case FIRN_CHECK_EXPRESSION:
        return rows_where(arena, check, firn_arena_printf(arena, "not (%s)", check->sql));
    case FIRN_CHECK_SQL: *sample = NULL; return firn_arena_strdup(arena, check->sql);
    }
    return NULL;
}

/* "21 rows, for example quantity -3" and the like. */
static const char *failing_detail(firn_arena *arena, const firn_check_spec *check, int64_t rows,
                                  const char *example)
{
    if (check->kind == FIRN_CHECK_ROW_COUNT) {
        return firn_arena_printf(arena, "the table has %s rows", example != NULL ? example : "no");
    }
    if (check->kind == FIRN_CHECK_FRESHNESS) {
        return firn_arena_printf(arena, "the newest %s is %s", check->columns.items[0],
                                 example != NULL ? example : "missing");
    }
    const char *count =
        firn_arena_printf(arena, "%s row%s", firn_format_count(arena, rows), rows == 1 ? "" : "s");
    if (example == NULL) {
        return count;
    }
    return firn_arena_printf(arena, "%s, for example %s %.80s", count, check->columns.items[0],
                             example);
}

/* One row: how many fail, and an offending value. */
static firn_rc count_failing(firn_session *session, firn_arena *arena, const char *failing,
                             const char *sample, int64_t *rows, const char **example, firn_err *err)
{
    const char *sql =
        firn_arena_printf(arena, "select count(*), cast(min(%s) as varchar) from (%s) f",
                          sample != NULL ? sample : "null", failing);
    firn_result *result = NULL;
    FIRN_TRY(firn_session_query(session, sql, &result, err));
    const char *const *cells = NULL;
    firn_rc rc = firn_result_next(result, &cells, err);
    *rows = 0;
    *example = NULL;
    if (rc == FIRN_OK && cells != NULL) {
        (void)firn_parse_i64(cells[0], rows);
        *example = firn_arena_strdup(arena, cells[1]);
    }
    firn_result_free(result);
    return rc;
}

void firn_check_run(firn_session *session, firn_arena *arena, const firn_check_spec *check,
                    const char *failing_sql, const char *sample, firn_run_check *out)
{
    out->name = check->name;
    out->table = check->table != NULL ? check->table : "";
    out->severity = check->warn ? "warn" : "error";
    out->status = "passed";
    firn_err err = {0};
    const char *example = NULL;
    if (count_failing(session, arena, failing_sql, sample, &out->failing_rows, &example, &err) !=
        FIRN_OK) {
        out->status = "error";
        out->detail = firn_arena_strdup(arena, err.message);
    } else if (out->failing_rows > 0) {
        out->status = check->warn ? "warned" : "failed";
        out->detail = failing_detail(arena, check, out->failing_rows, example);
    }
}
