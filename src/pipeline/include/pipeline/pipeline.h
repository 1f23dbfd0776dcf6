/* Pipelines: a folder with pipeline.yaml and SQL files; a DAG of tasks that runs on a branch of its own and is published by merging
 * that branch only if every gate passed.
 *
 *     name: ecommerce
 *     description: ...
 *     schemas: [bronze, silver, gold]          # made if absent
 *     tasks:
 *       - name: ingest_to_bronze
 *         type: sql                            # generate | ingest | sql | check | report | shell
 *         after: [generate_sample_data]        # adds to what is inferred; `after_only` replaces it
 *         retries: 2
 *         retry_delay: 5s
 *         timeout: 10min
 *         models:
 *           - table: bronze.orders
 *             file: bronze/orders.sql          # or `sql: |`
 *             mode: overwrite                  # append | merge (with `key: [order_id]`)
 *             partitioned_by: [days(order_date)]
 *             export_parquet: bronze/orders.parquet   # plain copy under the lake's folder
 *       - name: validate_data_quality
 *         type: check
 *         checks:
 *           - {table: bronze.orders, not_null: [order_id, order_date]}
 *           - {table: bronze.orders, unique: [order_id], severity: warn}
 *           - {table: bronze.orders, accepted_values: {column: status, values: [completed, pending, cancelled]}}
 *           - {table: bronze.orders, range: {column: quantity, min: 1, max: 100}, quarantine: bronze.orders_rejected}
 *           - {table: bronze.orders, relationships: {column: customer_id, to: bronze.customers, field: customer_id}}
 *           - {table: bronze.orders, row_count: {min: 1}}
 *           - {table: bronze.orders, freshness: {column: ingested_at, max_age: 1d}}
 *           - {name: totals add up, sql: "select * from silver.orders_enriched where abs(...) > 0.01"}   # rows are failures
 *
 * Dependencies: a task that reads a table which another task of the pipeline writes comes after it; checks come after the writers
 * of their tables, and everything that reads a checked table and is not itself a check comes after the check.
 *
 * Errors: CONFIG with file and line for the definition; a task's own error wrapped with its name.
 */
#ifndef PIPELINE_PIPELINE_H
#define PIPELINE_PIPELINE_H

#include "catalog/runs.h"
#include "engine/engine.h"

#include <stdatomic.h>

typedef struct firn_pipeline firn_pipeline;

/* dir: a folder with pipeline.yaml. The lake's pipelines are the folders under its `pipelines` folder. */
firn_rc firn_pipeline_load(firn_arena *arena, const char *dir, firn_pipeline **out,
                           firn_err *err) FIRN_MUST_USE;
firn_rc firn_pipeline_find(firn_lake *lake, firn_arena *arena, const char *name,
                           firn_pipeline **out,
                           firn_err *err) FIRN_MUST_USE; /* NOT_FOUND with the nearest name */
firn_rc firn_pipeline_list(firn_lake *lake, firn_arena *arena, char ***names, size_t *n,
                           firn_err *err) FIRN_MUST_USE;
const char *firn_pipeline_name(const firn_pipeline *pipeline);
const char *firn_pipeline_description(const firn_pipeline *pipeline);

typedef struct firn_pipeline_task {
    const char *name, *type, *description;
    const char **after; /* resolved dependencies, inferred ones included */
    size_t n_after;
    const char **writes; /* tables */
    size_t n_writes;
} firn_pipeline_task;
/* Tasks in an order that respects the DAG. Needs the engine to read the SQL. CONFIG names the cycle if there is one. */
firn_rc firn_pipeline_plan(firn_engine *engine, firn_arena *arena, const firn_pipeline *pipeline,
                           firn_pipeline_task **out, size_t *n, firn_err *err) FIRN_MUST_USE;

/* What a run tells while it goes. Each task that is started gives START, any number of PROGRESS, a RETRY for each attempt that failed and
 * is tried again, then its CHECKs and its END; tasks that the end of a failed run leaves unstarted give nothing. The last event
 * of a run is PUBLISHED or FAILED; one that is not to be published has neither. Pointers are valid during the call. */
typedef enum firn_event_kind {
    FIRN_EVENT_TASK_START,
    FIRN_EVENT_TASK_PROGRESS,
    FIRN_EVENT_TASK_RETRY,
    FIRN_EVENT_TASK_END,
    FIRN_EVENT_CHECK,
    FIRN_EVENT_PUBLISHED,
    FIRN_EVENT_FAILED
} firn_event_kind;
typedef struct firn_pipeline_event {
    firn_event_kind kind;
    const char *run_id;
    const firn_run_task *task;   /* task events */
    const firn_run_check *check; /* FIRN_EVENT_CHECK */
    double progress;             /* 0..1, -1 unknown */
    size_t n_done, n_tasks;
    int64_t duration_us;
    const char *text; /* "published run r-... to main: 8 tables in one commit" */
} firn_pipeline_event;

typedef struct firn_pipeline_param {
    const char *name, *value;
} firn_pipeline_param;

typedef struct firn_pipeline_options {
    const char *target;      /* branch to publish to; NULL: main */
    const char *const *only; /* tasks to run; NULL: all */
    size_t n_only;
    const firn_pipeline_param *params; /* ${name} in SQL and settings: scale, seed, ... */
    size_t n_params;
    int parallel;    /* 0: by CPU count */
    bool no_publish; /* leave the branch */
    /* Called from one thread at a time, not always the same. */
    void (*on_event)(void *ctx, const firn_pipeline_event *event);
    void *ctx;
    /* Set to true, by a signal handler too, it stops the run soon: what runs is interrupted, nothing is published (CANCELLED). */
    const atomic_bool *cancel;
} firn_pipeline_options;

typedef struct firn_pipeline_outcome {
    firn_run run;
    size_t tables_published;
    int64_t checks_passed, checks_warned, checks_failed;
} firn_pipeline_outcome;

/* A failed gate is CHECK_FAILED, with `out` filled; the target branch is untouched and the run's branch stays for inspection.
 * BUSY while another run of the pipeline is under way. If the merge went through but not all of the run's files could be moved to
 * their places, the run is published, the error says so, and the next run moves them first. */
firn_rc firn_pipeline_run(firn_engine *engine, firn_arena *arena, const firn_pipeline *pipeline,
                          const firn_pipeline_options *options, firn_pipeline_outcome *out,
                          firn_err *err) FIRN_MUST_USE;

/* One check on its own (firn check). */
typedef struct firn_check_spec firn_check_spec;
/* Runs every check of the pipeline's check tasks against `ref` without changing anything (no quarantine). */
firn_rc firn_pipeline_check(firn_engine *engine, firn_arena *arena, const firn_pipeline *pipeline,
                            const char *ref, firn_run_check **out, size_t *n,
                            firn_err *err) FIRN_MUST_USE;

/* The sample generator behind type: generate (e-commerce data, seed 1): customers.csv, products.csv, orders.csv in `dir`,
 * deterministic by seed, 1,000 customers, 200 products and 5,000 orders times `scale`, with dirt for checks to find. */
typedef struct firn_ecommerce_options {
    const char *dir;
    int64_t scale;
    uint64_t seed;
    int32_t end_date; /* days since 1970: the newest order; data spans a year before it */
} firn_ecommerce_options;
typedef struct firn_ecommerce_counts {
    int64_t customers, products, orders;
} firn_ecommerce_counts;
firn_rc firn_ecommerce_generate(const firn_ecommerce_options *options, firn_ecommerce_counts *out,
                                firn_err *err) FIRN_MUST_USE;

#endif
