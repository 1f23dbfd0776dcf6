/* The DAG of a pipeline: what a task's SQL reads, set against what the other tasks write.
 *
 * Edges: declared `after`; a reader comes after the writers of its tables; a check after the writers of the tables that it looks at;
 * and whoever reads a checked table, checks apart, after the check, because a gate that others overtake is none. Inferred edges
 * never contradict file order between two writers of one table: the later one comes after the earlier.
 */
#include "internal.h"

typedef struct usage {
    FIRN_VEC(const char *) reads; /* "ns\x1fname" keys */
    FIRN_VEC(const char *) writes;
} usage;

typedef struct grapher {
    firn_session *session;
    firn_arena *arena;
    const firn_pipeline *pipeline;
    const firn_pipeline_param *given;
    size_t n_given;
    usage *usages;
    firn_graph *graph;
    firn_err *err;
} grapher;

static const char *ident_key(firn_arena *arena, firn_ident ident)
{
    return firn_arena_printf(arena, "%s" FIRN_NS_SEP "%s", ident.ns, ident.name);
}

/* Tables that `sql` (with parameters filled in) names are added to `reads`. */
static firn_rc add_reads(grapher *g, usage *use, const char *sql, const char *origin)
{
    char *text = NULL;
    FIRN_TRY(
        firn_definition_expand(g->arena, g->pipeline, g->given, g->n_given, sql, &text, g->err));
    firn_ident *idents = NULL;
    size_t n = 0;
    firn_rc rc = firn_session_references(g->session, g->arena, text, &idents, &n, g->err);
    if (rc != FIRN_OK) {
        return firn_err_wrap(g->err, rc, "%s", origin);
    }
    for (size_t i = 0; i < n; i++) {
        firn_vec_push(g->arena, &use->reads, ident_key(g->arena, idents[i]));
    }
    return FIRN_OK;
}

static firn_rc add_written(grapher *g, usage *use, const char *table, const char *origin)
{
    usage one = {0};
    FIRN_TRY(add_reads(g, &one, firn_arena_printf(g->arena, "select * from %s", table), origin));
    for (size_t i = 0; i < one.reads.len; i++) {
        firn_vec_push(g->arena, &use->writes, one.reads.items[i]);
    }
    return FIRN_OK;
}

static const char *check_origin(const grapher *g, const firn_check_spec *check)
{
    return firn_arena_printf(g->arena, "%s:%d: check \"%s\"", g->pipeline->path, check->line,
                             check->name);
}

static firn_rc task_usage(grapher *g, const firn_task *task, usage *use)
{
    const char *origin =
        firn_arena_printf(g->arena, "%s:%d: task %s", g->pipeline->path, task->line, task->name);
    for (size_t i = 0; i < task->n_models; i++) {
        const firn_model *model = &task->models[i];
        FIRN_TRY(add_written(g, use, model->table, origin));
        if (model->sql != NULL) {
            FIRN_TRY(add_reads(g, use, model->sql, model->origin));
        }
    }
    for (size_t i = 0; i < task->n_checks; i++) {
        const firn_check_spec *check = &task->checks[i];
        const char *sample = NULL;
        FIRN_TRY(add_reads(g, use, firn_check_failing_sql(g->arena, check, &sample),
                           check_origin(g, check)));
        if (check->quarantine != NULL) {
            FIRN_TRY(add_written(g, use, check->quarantine, check_origin(g, check)));
        }
    }
    if (task->type == FIRN_TASK_REPORT) {
        FIRN_TRY(add_reads(g, use, task->sql, origin));
    }
    return FIRN_OK;
}

static bool share(const char *const *a, size_t n_a, const char *const *b, size_t n_b)
{
    for (size_t i = 0; i < n_a; i++) {
        for (size_t k = 0; k < n_b; k++) {
            if (firn_streq(a[i], b[k])) {
                return true;
            }
        }
    }
    return false;
}

static bool reads_what_writes(const usage *reader, const usage *writer)
{
    return share(reader->reads.items, reader->reads.len, writer->writes.items, writer->writes.len);
}

static size_t task_index(const firn_pipeline *pipeline, const char *name)
{
    size_t i = 0;
    while (!firn_streq(pipeline->tasks[i].name, name)) {
        i++; /* the definition has checked that it is there */
    }
    return i;
}

/* Whether task i is inferred to come after task k. */
static bool inferred(const grapher *g, size_t i, size_t k)
{
    const firn_task *task = &g->pipeline->tasks[i];
    const firn_task *other = &g->pipeline->tasks[k];
    const usage *use = &g->usages[i];
    const usage *theirs = &g->usages[k];
    if (reads_what_writes(use, theirs)) {
        /* Two tasks that read and write each other's tables follow file order. */
        return !reads_what_writes(theirs, use) || k < i;
    }
    if (k < i &&
        share(use->writes.items, use->writes.len, theirs->writes.items, theirs->writes.len)) {
        return true;
    }
    bool gate = other->type == FIRN_TASK_CHECK && task->type != FIRN_TASK_CHECK;
    return gate &&
           share(use->reads.items, use->reads.len, theirs->reads.items, theirs->reads.len) &&
           !reads_what_writes(theirs, use);
}

static void add_edges(grapher *g)
{
    size_t n = g->graph->n;
    for (size_t i = 0; i < n; i++) {
        const firn_task *task = &g->pipeline->tasks[i];
        for (size_t a = 0; a < task->after.n; a++) {
            g->graph->edges[i * n + task_index(g->pipeline, task->after.items[a])] = true;
        }
        for (size_t k = 0; k < n && !task->after_only; k++) {
            if (k != i && inferred(g, i, k)) {
                g->graph->edges[i * n + k] = true;
            }
        }
    }
}

static bool ready(const firn_graph *graph, const bool *done, size_t i)
{
    for (size_t k = 0; k < graph->n; k++) {
        if (graph->edges[i * graph->n + k] && !done[k]) {
            return false;
        }
    }
    return true;
}

/* A task that the left-over task i waits for and that is left over, too. */
static size_t waits_for(const firn_graph *graph, const bool *done, size_t i)
{
    size_t k = 0;
    while (done[k] || !graph->edges[i * graph->n + k]) {
        k++;
    }
    return k;
}

/* Every left-over task waits for another one, so n steps from any of them end on a cycle; one more round names it. */
static firn_rc fail_cycle(const grapher *g, const bool *done)
{
    FIRN_AUTO_BUF firn_buf names = {0};
    size_t i = 0;
    while (done[i]) {
        i++;
    }
    for (size_t step = 0; step < g->graph->n; step++) {
        i = waits_for(g->graph, done, i);
    }
    const size_t first = i;
    do {
        firn_buf_printf(&names, "%s after ", g->pipeline->tasks[i].name);
        i = waits_for(g->graph, done, i);
    } while (i != first);
    FIRN_FAIL(g->err, FIRN_E_CONFIG,
              "%s: tasks wait for each other: %s%s; break the cycle with after_only: true on one "
              "of them",
              g->pipeline->path, firn_buf_cstr(&names), g->pipeline->tasks[first].name);
}

static firn_rc sort_tasks(const grapher *g)
{
    firn_graph *graph = g->graph;
    bool *done = FIRN_NEW_N(g->arena, bool, graph->n);
    for (size_t placed = 0; placed < graph->n; placed++) {
        size_t i = 0;
        while (i < graph->n && (done[i] || !ready(graph, done, i))) {
            i++;
        }
        if (i == graph->n) {
            return fail_cycle(g, done);
        }
        done[i] = true;
        graph->order[placed] = i;
    }
    return FIRN_OK;
}

firn_rc firn_graph_build(firn_session *session, firn_arena *arena, const firn_pipeline *pipeline,
                         const firn_pipeline_param *given, size_t n_given, firn_graph *out,
                         firn_err *err)
{
    size_t n = pipeline->n_tasks;
    *out = (firn_graph){.n = n,
                        .order = FIRN_NEW_N(arena, size_t, n),
                        .edges = FIRN_NEW_N(arena, bool, firn_mul_size(n, n))};
    grapher g = {.session = session,
                 .arena = arena,
                 .pipeline = pipeline,
                 .given = given,
                 .n_given = n_given,
                 .usages = FIRN_NEW_N(arena, usage, n),
                 .graph = out,
                 .err = err};
    for (size_t i = 0; i < n; i++) {
        FIRN_TRY(task_usage(&g, &pipeline->tasks[i], &g.usages[i]));
    }
    add_edges(&g);
    return sort_tasks(&g);
}
