/* Tasks of type check: every check runs, so that one run tells everything that is wrong; then the gate opens or not. */
#include "internal.h"

#include "base/time.h"

/* Failing rows with what failed and when. Rows that an earlier attempt of this run left are replaced. */
static firn_rc quarantine(firn_attempt *attempt, const firn_check_spec *check,
                          const char *failing_sql, firn_err *err)
{
    firn_arena *arena = attempt->arena;
    firn_session *session = attempt->session;
    const char *table = check->quarantine;
    const char *name = firn_sql_quote(arena, check->name);
    const char *run_id = firn_sql_quote(arena, attempt->run->row.run_id);
    const char *rows = firn_arena_printf(arena,
                                         "select f.*, %s as check_name, %s as run_id, "
                                         "current_timestamp as quarantined_at from (%s) f",
                                         name, run_id, failing_sql);
    firn_session_set_author(
        session, firn_arena_printf(arena, "pipeline %s", attempt->run->pipeline->name),
        firn_arena_printf(arena, "%s: quarantine %s", attempt->task->name, check->name));
    FIRN_TRY(firn_session_exec(
        session,
        firn_arena_printf(arena, "create table if not exists %s as select * from (%s) limit 0",
                          table, rows),
        NULL, err));
    FIRN_TRY(firn_task_add_columns(attempt, table, rows, err));
    if (attempt->number > 1) {
        FIRN_TRY(firn_session_exec(
            session,
            firn_arena_printf(arena, "delete from %s where run_id = %s and check_name = %s", table,
                              run_id, name),
            NULL, err));
    }
    return firn_session_exec(
        session, firn_arena_printf(arena, "insert into %s by name %s", table, rows), NULL, err);
}

static firn_rc run_one(firn_attempt *attempt, const firn_check_spec *check, firn_run_check *out,
                       firn_err *err)
{
    const char *sample = NULL;
    char *sql = firn_check_failing_sql(attempt->arena, check, &sample);
    FIRN_TRY(firn_attempt_expand(attempt, sql, &sql, err));
    *out = (firn_run_check){.run_id = attempt->run->row.run_id, .task = attempt->task->name};
    firn_check_run(attempt->session, attempt->arena, check, sql, sample, out);
    bool rows_failed = firn_streq(out->status, "failed") || firn_streq(out->status, "warned");
    if (check->quarantine != NULL && rows_failed) {
        firn_rc rc = quarantine(attempt, check, sql, err);
        return rc == FIRN_OK
                   ? rc
                   : firn_err_wrap(err, rc, "cannot put rows that fail check \"%s\" into %s",
                                   check->name, check->quarantine);
    }
    return FIRN_OK;
}

static firn_rc decide(const firn_attempt *attempt, size_t n_broken, firn_err *err)
{
    if (n_broken == 0) {
        return FIRN_OK;
    }
    FIRN_AUTO_BUF firn_buf text = {0};
    for (size_t i = 0; i < attempt->n_checks; i++) {
        const firn_run_check *check = &attempt->checks[i];
        if (firn_streq(check->status, "failed") || firn_streq(check->status, "error")) {
            firn_buf_printf(&text, "%s\"%s\" (%s)", text.len > 0 ? "; " : "", check->name,
                            check->detail != NULL ? check->detail : "");
        }
    }
    FIRN_FAIL(err, FIRN_E_CHECK_FAILED, "%zu of %zu checks failed: %s", n_broken, attempt->n_checks,
              firn_buf_cstr(&text));
}

static void say_checks(firn_attempt *attempt, size_t n_broken, size_t n_warned, int64_t flagged)
{
    size_t n = attempt->n_checks;
    FIRN_AUTO_BUF firn_buf text = {0};
    firn_buf_printf(&text, "%zu check%s: %zu passed", n, n == 1 ? "" : "s",
                    n - n_broken - n_warned);
    if (n_warned > 0) {
        firn_buf_printf(&text, ", %zu warned", n_warned);
    }
    if (n_broken > 0) {
        firn_buf_printf(&text, ", %zu failed", n_broken);
    }
    if (flagged > 0) {
        firn_buf_printf(&text, " (%s row%s flagged)", firn_format_count(attempt->arena, flagged),
                        flagged == 1 ? "" : "s");
    }
    attempt->detail = firn_arena_strdup(attempt->arena, firn_buf_cstr(&text));
}

firn_rc firn_task_check(firn_attempt *attempt, firn_err *err)
{
    const firn_task *task = attempt->task;
    size_t n_broken = 0;
    size_t n_warned = 0;
    int64_t flagged = 0;
    attempt->checks = FIRN_NEW_N(attempt->arena, firn_run_check, task->n_checks);
    for (size_t i = 0; i < task->n_checks; i++) {
        firn_run_check *check = &attempt->checks[i];
        FIRN_TRY(run_one(attempt, &task->checks[i], check, err));
        if (atomic_load(&attempt->cancelled)) {
            FIRN_FAIL(err, FIRN_E_CANCELLED, "the checks were stopped after %zu of %zu", i,
                      task->n_checks);
        }
        attempt->n_checks = i + 1;
        n_broken += firn_streq(check->status, "failed") || firn_streq(check->status, "error");
        n_warned += firn_streq(check->status, "warned");
        flagged += check->failing_rows;
    }
    attempt->warned = n_warned > 0;
    say_checks(attempt, n_broken, n_warned, flagged);
    return decide(attempt, n_broken, err);
}
