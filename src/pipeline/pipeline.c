/* Finding, listing and explaining pipelines; running their checks alone. */
#include "pipeline/pipeline.h"

#include "internal.h"

#include "base/io.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static const char *pipelines_dir(firn_lake *lake, firn_arena *arena)
{
    return firn_lake_path(lake, arena, firn_lake_config(lake)->pipelines);
}

firn_rc firn_pipeline_list(firn_lake *lake, firn_arena *arena, char ***names, size_t *n,
                           firn_err *err)
{
    const char *folder = pipelines_dir(lake, arena);
    FIRN_VEC(char *) list = {0};
    DIR *dir = opendir(folder);
    if (dir == NULL && errno != ENOENT) {
        return firn_err_errno(err, __FILE__, __LINE__, errno, "cannot read the pipelines folder %s",
                              folder);
    }
    for (struct dirent *item; dir != NULL && (item = readdir(dir)) != NULL;) {
        const char *path =
            firn_path_join(arena, firn_path_join(arena, folder, item->d_name), "pipeline.yaml");
        if (item->d_name[0] != '.' && firn_path_exists(path)) {
            firn_vec_push(arena, &list, firn_arena_strdup(arena, item->d_name));
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    if (list.len > 0) {
        qsort(list.items, list.len, sizeof(list.items[0]), by_text);
    }
    *names = list.items;
    *n = list.len;
    return FIRN_OK;
}

firn_rc firn_pipeline_find(firn_lake *lake, firn_arena *arena, const char *name,
                           firn_pipeline **out, firn_err *err)
{
    char **names = NULL;
    size_t n = 0;
    FIRN_TRY(firn_pipeline_list(lake, arena, &names, &n, err));
    for (size_t i = 0; i < n; i++) {
        if (firn_streq(names[i], name)) {
            return firn_pipeline_load(
                arena, firn_path_join(arena, pipelines_dir(lake, arena), name), out, err);
        }
    }
    const char *near = firn_nearest(name, (const char *const *)names, n);
    FIRN_FAIL(err, FIRN_E_NOT_FOUND, "there is no pipeline \"%s\" in %s%s%s%s", name,
              pipelines_dir(lake, arena), near != NULL ? "; did you mean \"" : "",
              near != NULL ? near : "", near != NULL ? "\"?" : "");
}

/* ---- plan ----------------------------------------------------------------------------------------------- */

typedef struct name_list {
    FIRN_VEC(const char *) list;
} name_list;

static void add_name(firn_arena *arena, name_list *names, const char *name)
{
    for (size_t i = 0; i < names->list.len; i++) {
        if (firn_streq(names->list.items[i], name)) {
            return;
        }
    }
    firn_vec_push(arena, &names->list, name);
}

static void describe_task(firn_arena *arena, const firn_pipeline *pipeline, const firn_graph *graph,
                          size_t i, firn_pipeline_task *out)
{
    const firn_task *task = &pipeline->tasks[i];
    name_list after = {0};
    name_list writes = {0};
    for (size_t k = 0; k < graph->n; k++) {
        if (graph->edges[i * graph->n + k]) {
            add_name(arena, &after, pipeline->tasks[k].name);
        }
    }
    for (size_t m = 0; m < task->n_models; m++) {
        add_name(arena, &writes, task->models[m].table);
    }
    for (size_t c = 0; c < task->n_checks; c++) {
        if (task->checks[c].quarantine != NULL) {
            add_name(arena, &writes, task->checks[c].quarantine);
        }
    }
    *out = (firn_pipeline_task){.name = task->name,
                                .type = firn_task_type_name(task->type),
                                .description = task->description != NULL ? task->description : "",
                                .after = after.list.items,
                                .n_after = after.list.len,
                                .writes = writes.list.items,
                                .n_writes = writes.list.len};
}

/* The parameters that SQL may name outside a run. */
static firn_pipeline_param lake_param(firn_engine *engine)
{
    return (firn_pipeline_param){.name = "lake", .value = firn_lake_root(firn_engine_lake(engine))};
}

firn_rc firn_pipeline_plan(firn_engine *engine, firn_arena *arena, const firn_pipeline *pipeline,
                           firn_pipeline_task **out, size_t *n, firn_err *err)
{
    firn_session *session = NULL;
    firn_graph graph;
    const firn_pipeline_param param = lake_param(engine);
    FIRN_TRY(firn_session_new(engine, NULL, &session, err));
    firn_rc rc = firn_graph_build(session, arena, pipeline, &param, 1, &graph, err);
    firn_session_free(session);
    FIRN_TRY(rc);
    *out = FIRN_NEW_N(arena, firn_pipeline_task, graph.n);
    *n = graph.n;
    for (size_t o = 0; o < graph.n; o++) {
        describe_task(arena, pipeline, &graph, graph.order[o], &(*out)[o]);
    }
    return FIRN_OK;
}

/* ---- checks alone ----------------------------------------------------------------------------------------- */

static firn_rc check_task(firn_session *session, firn_arena *arena, const firn_pipeline *pipeline,
                          const firn_pipeline_param *param, const firn_task *task,
                          firn_run_check *out, firn_err *err)
{
    for (size_t i = 0; i < task->n_checks; i++) {
        const char *sample = NULL;
        char *sql = firn_check_failing_sql(arena, &task->checks[i], &sample);
        FIRN_TRY(firn_definition_expand(arena, pipeline, param, 1, sql, &sql, err));
        out[i] = (firn_run_check){.run_id = "", .task = task->name};
        firn_check_run(session, arena, &task->checks[i], sql, sample, &out[i]);
    }
    return FIRN_OK;
}

firn_rc firn_pipeline_check(firn_engine *engine, firn_arena *arena, const firn_pipeline *pipeline,
                            const char *ref, firn_run_check **out, size_t *n, firn_err *err)
{
    const firn_pipeline_param param = lake_param(engine);
    size_t total = 0;
    for (size_t i = 0; i < pipeline->n_tasks; i++) {
        total += pipeline->tasks[i].n_checks;
    }
    firn_session *session = NULL;
    FIRN_TRY(firn_session_new(engine, ref, &session, err));
    *out = FIRN_NEW_N(arena, firn_run_check, total);
    *n = 0;
    firn_rc rc = FIRN_OK;
    for (size_t i = 0; rc == FIRN_OK && i < pipeline->n_tasks; i++) {
        rc = check_task(session, arena, pipeline, &param, &pipeline->tasks[i], *out + *n, err);
        *n += pipeline->tasks[i].n_checks;
    }
    firn_session_free(session);
    return rc;
}
