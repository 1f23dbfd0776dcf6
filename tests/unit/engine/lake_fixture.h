/* A lake of its own for each test, with an engine and a session on it; removed afterwards.
 *
 *     static void reads_back(void **state)
 *     {
 *         lake_fixture *f = *state;
 *         lake_exec(f, "CREATE TABLE t (id BIGINT)");
 *         lake_expect(f, "SELECT count(*) FROM t", "0");
 *     }
 *     cmocka_unit_test_setup_teardown(reads_back, lake_setup, lake_teardown)
 */
#ifndef TESTS_ENGINE_LAKE_FIXTURE_H
#define TESTS_ENGINE_LAKE_FIXTURE_H

#include "engine/engine.h"

#include "base/io.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct lake_fixture {
    firn_arena *arena;
    char *root;
    firn_lake *lake;
    firn_engine *engine;
    firn_session *session;
    firn_err err; /* of the last lake_fails */
} lake_fixture;

/* The repository. */
static inline const char *lake_source_dir(void)
{
    const char *dir = getenv("FIRN_SOURCE_DIR");
    return dir != NULL ? dir : ".";
}

static inline void lake_check(firn_rc rc, const firn_err *err, const char *what)
{
    if (rc != FIRN_OK) {
        fail_msg("%s: %s: %s (%s:%d)", what, firn_rc_name(rc), err->message, err->file, err->line);
    }
}

static inline int lake_unlink(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static inline void lake_open(lake_fixture *f)
{
    firn_err err = {0};
    lake_check(firn_lake_open(f->root, &f->lake, &err), &err, "open the lake");
    lake_check(firn_engine_open(f->lake, &f->engine, &err), &err, "open the engine");
    lake_check(firn_session_new(f->engine, NULL, &f->session, &err), &err, "open a session");
}

static inline void lake_close(lake_fixture *f)
{
    firn_session_free(f->session);
    firn_engine_close(f->engine);
    firn_lake_close(f->lake);
    f->session = NULL;
    f->engine = NULL;
    f->lake = NULL;
}

/* What another process would see. */
static inline void lake_reopen(lake_fixture *f)
{
    lake_close(f);
    lake_open(f);
}

/* Put text into firn.yaml in place of a line of it, then open again. */
static inline void lake_configure(lake_fixture *f, const char *line, const char *replacement)
{
    firn_err err = {0};
    firn_bytes text;
    const char *path = firn_path_join(f->arena, f->root, "firn.yaml");
    lake_check(firn_file_read(f->arena, path, 1 << 20, &text, &err), &err, "read firn.yaml");
    assert_non_null(strstr((const char *)text.data, line));
    char *changed = firn_str_replace(f->arena, (const char *)text.data, line, replacement);
    lake_check(firn_file_write_atomic(path, firn_bytes_str(changed), 0644, &err), &err,
               "write firn.yaml");
    if (f->lake != NULL) {
        lake_reopen(f);
    }
}

static inline int lake_setup(void **state)
{
    lake_fixture *f = calloc(1, sizeof(*f));
    firn_err err = {0};
    const char *tmp = getenv("TMPDIR");
    if (asprintf(&f->root, "%s/firn-engine-XXXXXX", tmp != NULL ? tmp : "/tmp") < 0 ||
        mkdtemp(f->root) == NULL) {
        perror("scratch folder");
        abort();
    }
    f->arena = firn_arena_new();
    lake_check(firn_lake_init(f->root, "test", &err), &err, "make a lake");
    lake_open(f);
    *state = f;
    return 0;
}

static inline int lake_teardown(void **state)
{
    lake_fixture *f = *state;
    firn_arena_free(f->arena); /* before the engine, which live scans are registered with */
    lake_close(f);
    nftw(f->root, lake_unlink, 16, FTW_DEPTH | FTW_PHYS);
    free(f->root);
    free(f);
    return 0;
}

/* Run a script that must succeed. */
static inline void lake_exec(lake_fixture *f, const char *sql)
{
    firn_err err = {0};
    lake_check(firn_session_run(f->session, sql, NULL, NULL, &err), &err, sql);
}

/* Rows as "a|b\nc|d", NULL as "NULL"; or a command's message. In the fixture's arena. */
static inline const char *lake_text(lake_fixture *f, const char *sql)
{
    firn_err err = {0};
    firn_result *result = NULL;
    lake_check(firn_session_query(f->session, sql, &result, &err), &err, sql);
    FIRN_AUTO_BUF firn_buf out = {0};
    const char *const *cells = NULL;
    while (firn_result_has_rows(result)) {
        lake_check(firn_result_next(result, &cells, &err), &err, sql);
        if (cells == NULL) {
            break;
        }
        firn_buf_puts(&out, out.len > 0 ? "\n" : "");
        for (size_t i = 0; i < firn_result_columns(result); i++) {
            firn_buf_printf(&out, "%s%s", i > 0 ? "|" : "", cells[i] != NULL ? cells[i] : "NULL");
        }
    }
    if (!firn_result_has_rows(result) && firn_result_message(result) != NULL) {
        firn_buf_puts(&out, firn_result_message(result));
    }
    firn_result_free(result);
    return firn_arena_strdup(f->arena, firn_buf_cstr(&out));
}

#define lake_expect(f, sql, expected) assert_string_equal(lake_text((f), (sql)), (expected))

/* Run one statement that must fail with `code`; gives the message. */
static inline const char *lake_fails(lake_fixture *f, const char *sql, firn_rc code)
{
    f->err = (firn_err){0};
    firn_result *result = NULL;
    firn_rc rc = firn_session_query(f->session, sql, &result, &f->err);
    const char *const *cells = NULL;
    while (rc == FIRN_OK && result != NULL && firn_result_has_rows(result)) {
        rc = firn_result_next(result, &cells, &f->err);
        if (cells == NULL) {
            break;
        }
    }
    firn_result_free(result);
    if (rc != code) {
        fail_msg("%s: expected %s, got %s: %s", sql, firn_rc_name(code), firn_rc_name(rc),
                 f->err.message);
    }
    return f->err.message;
}

static inline void lake_contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", part, text);
    }
}

#endif
