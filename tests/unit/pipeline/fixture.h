/* Pipelines for tests: pipeline.yaml and SQL files written into a lake of their own, runs of them, and what the runs told. */
#ifndef TESTS_PIPELINE_FIXTURE_H
#define TESTS_PIPELINE_FIXTURE_H

#include "../engine/lake_fixture.h"

#include "pipeline/pipeline.h"

typedef struct pipeline_run {
    firn_pipeline_options options;
    firn_pipeline_outcome out;
    firn_rc rc;
    firn_err err;
    firn_buf
        told; /* one word or two per event: "start a", "end a ok", "check passed", "published" */
} pipeline_run;

/* Write a file below the lake's folder. */
static inline void put_file(lake_fixture *f, const char *relative, const char *text)
{
    firn_err err = {0};
    const char *path = firn_path_join(f->arena, f->root, relative);
    lake_check(firn_mkdir_p(firn_path_dirname(f->arena, path), 0755, &err), &err, relative);
    lake_check(firn_file_write_atomic(path, firn_bytes_str(text), 0644, &err), &err, relative);
}

/* A file's text, NULL if there is none. */
static inline const char *get_file(lake_fixture *f, const char *relative)
{
    firn_bytes bytes;
    firn_err err = {0};
    const char *path = firn_path_join(f->arena, f->root, relative);
    firn_rc rc = firn_file_read(f->arena, path, 64 << 20, &bytes, &err);
    if (rc == FIRN_E_NOT_FOUND) {
        return NULL;
    }
    lake_check(rc, &err, relative);
    return (const char *)bytes.data;
}

/* pipelines/<name>/pipeline.yaml, loaded. */
static inline firn_pipeline *pipeline_of(lake_fixture *f, const char *name, const char *yaml)
{
    firn_err err = {0};
    firn_pipeline *pipeline = NULL;
    put_file(f, firn_arena_printf(f->arena, "pipelines/%s/pipeline.yaml", name), yaml);
    lake_check(firn_pipeline_find(f->lake, f->arena, name, &pipeline, &err), &err, name);
    return pipeline;
}

static inline void note_event(void *ctx, const firn_pipeline_event *event)
{
    firn_buf *told = ctx;
    assert_non_null(event->run_id);
    assert_true(event->n_done <= event->n_tasks);
    switch (event->kind) {
    case FIRN_EVENT_TASK_START: firn_buf_printf(told, "start %s\n", event->task->task); break;
    case FIRN_EVENT_TASK_PROGRESS: break;
    case FIRN_EVENT_TASK_RETRY: firn_buf_printf(told, "retry %s\n", event->task->task); break;
    case FIRN_EVENT_TASK_END:
        firn_buf_printf(told, "end %s %s\n", event->task->task, event->task->status);
        break;
    case FIRN_EVENT_CHECK: firn_buf_printf(told, "check %s\n", event->check->status); break;
    case FIRN_EVENT_PUBLISHED: firn_buf_puts(told, "published\n"); break;
    case FIRN_EVENT_FAILED: firn_buf_puts(told, "failed\n"); break;
    }
}

/* Runs with `options` of the run as they stand; everything it leaves is in the fixture's arena. */
static inline firn_rc run_pipeline(lake_fixture *f, const firn_pipeline *pipeline,
                                   pipeline_run *run)
{
    firn_buf_clear(&run->told);
    firn_err_clear(&run->err);
    run->options.on_event = note_event;
    run->options.ctx = &run->told;
    run->rc = firn_pipeline_run(f->engine, f->arena, pipeline, &run->options, &run->out, &run->err);
    return run->rc;
}

static inline void run_ok(lake_fixture *f, const firn_pipeline *pipeline)
{
    pipeline_run run = {0};
    lake_check(run_pipeline(f, pipeline, &run), &run.err, "run the pipeline");
    assert_string_equal(run.out.run.status, "published");
    firn_buf_deinit(&run.told);
}

/* The run must fail with `code` and a message that holds `part`; its id is in the fixture's arena. */
static inline const char *run_fails(lake_fixture *f, const firn_pipeline *pipeline, firn_rc code,
                                    const char *part)
{
    pipeline_run run = {0};
    firn_rc rc = run_pipeline(f, pipeline, &run);
    if (rc != code || strstr(run.err.message, part) == NULL) {
        fail_msg("got %s: %s\nwanted %s: %s", firn_rc_name(rc), run.err.message, firn_rc_name(code),
                 part);
    }
    firn_buf_deinit(&run.told);
    return run.out.run.run_id;
}

/* Everything that main holds: keys, and the metadata file that each points to. */
static inline const char *main_state(lake_fixture *f)
{
    FIRN_AUTO_BUF firn_buf text = {0};
    firn_catalog *catalog = firn_lake_catalog(f->lake);
    for (int kind = FIRN_KIND_TABLE; kind <= FIRN_KIND_NAMESPACE; kind++) {
        firn_err err = {0};
        firn_catalog_entry *entries = NULL;
        size_t n = 0;
        lake_check(firn_catalog_list(catalog, f->arena, FIRN_MAIN, (firn_entry_kind)kind, NULL,
                                     &entries, &n, &err),
                   &err, "list main");
        for (size_t i = 0; i < n; i++) {
            firn_buf_printf(
                &text, "%d %s %s %s %s\n", kind, entries[i].ident.ns, entries[i].ident.name,
                entries[i].location != NULL ? entries[i].location : "-", entries[i].commit_id);
        }
    }
    return firn_arena_strdup(f->arena, firn_buf_cstr(&text));
}

static inline bool has_branch(lake_fixture *f, const char *name)
{
    firn_ref ref;
    firn_err err = {0};
    firn_rc rc = firn_catalog_ref_get(firn_lake_catalog(f->lake), f->arena, name, &ref, &err);
    assert_true(rc == FIRN_OK || rc == FIRN_E_NO_REF);
    return rc == FIRN_OK;
}

static inline const char *run_status(lake_fixture *f, const char *run_id)
{
    firn_run run;
    firn_err err = {0};
    lake_check(firn_run_get(firn_lake_catalog(f->lake), f->arena, run_id, &run, &err), &err,
               run_id);
    return run.status;
}

#define PIPELINE_TEST(name) cmocka_unit_test_setup_teardown(name, lake_setup, lake_teardown)

#endif
