/* A pipeline as pipeline.yaml declares it, before its SQL is looked at. Everything lives in one arena; texts still hold their
 * ${param}s, which firn_definition_expand fills in for a run.
 */
#ifndef PIPELINE_DEFINITION_H
#define PIPELINE_DEFINITION_H

#include "pipeline/pipeline.h"

#include "base/vec.h"

typedef enum firn_task_type {
    FIRN_TASK_GENERATE,
    FIRN_TASK_INGEST,
    FIRN_TASK_SQL,
    FIRN_TASK_CHECK,
    FIRN_TASK_REPORT,
    FIRN_TASK_SHELL,
} firn_task_type;
const char *firn_task_type_name(firn_task_type type); /* as in pipeline.yaml */

typedef enum firn_model_mode {
    FIRN_MODEL_OVERWRITE,
    FIRN_MODEL_APPEND,
    FIRN_MODEL_MERGE
} firn_model_mode;

typedef struct firn_text_list {
    const char **items;
    size_t n;
} firn_text_list;

typedef struct firn_model {
    const char *table;  /* "bronze.orders" */
    const char *sql;    /* the file's content or the inline text */
    const char *origin; /* file for messages */
    firn_model_mode mode;
    firn_text_list key;            /* merge */
    firn_text_list partitioned_by; /* terms as in SQL */
    /* ingest: files to read instead of sql */
    const char *files;   /* path or glob, relative to the lake */
    const char *format;  /* "csv", "parquet", "json" */
    const char *options; /* further arguments of the reader function, as SQL text; NULL */
} firn_model;

typedef enum firn_check_kind {
    FIRN_CHECK_NOT_NULL,
    FIRN_CHECK_UNIQUE,
    FIRN_CHECK_ACCEPTED_VALUES,
    FIRN_CHECK_RANGE,
    FIRN_CHECK_RELATIONSHIPS,
    FIRN_CHECK_ROW_COUNT,
    FIRN_CHECK_FRESHNESS,
    FIRN_CHECK_EXPRESSION, /* true for every good row of `table` */
    FIRN_CHECK_SQL,        /* every row it gives is a failure */
} firn_check_kind;

struct firn_check_spec {
    firn_check_kind kind;
    const char *name;       /* given, or made: "bronze.orders: quantity in range" */
    const char *table;      /* NULL only for FIRN_CHECK_SQL */
    bool warn;              /* severity: warn */
    const char *quarantine; /* table; NULL */
    const char *where;      /* only rows that fulfil it are looked at; NULL: all */
    firn_text_list columns; /* not_null, unique; [0] for the others */
    firn_text_list values;  /* accepted_values, as SQL literals */
    const char *min, *max;  /* range, row_count: SQL literals; NULL: open */
    const char *to, *field; /* relationships */
    int64_t max_age_us;     /* freshness */
    const char *sql;        /* expression, sql */
    int line;
};

typedef struct firn_task {
    const char *name, *description;
    firn_task_type type;
    int line;
    firn_text_list after;
    bool after_only; /* `after` replaces inference */
    int retries;
    int64_t retry_delay_us;
    int64_t timeout_us;         /* 0: none */
    const char *export_parquet; /* "true"/"false" after expansion; NULL: false */
    firn_model *models;         /* sql, ingest */
    size_t n_models;
    firn_check_spec *checks; /* check */
    size_t n_checks;
    const char *generator, *dir, *scale, *seed, *end_date; /* generate */
    const char *file, *sql;                                /* report */
    const char *command;                                   /* shell */
} firn_task;

struct firn_pipeline {
    const char *dir, *path; /* folder and its pipeline.yaml */
    const char *name, *description;
    firn_pipeline_param *params; /* defaults */
    size_t n_params;
    firn_text_list schemas;
    firn_task *tasks; /* in file order */
    size_t n_tasks;
};

/* "5s", "10min", "1.5h", "2d", "250ms" to microseconds. */
bool firn_duration_parse(const char *text, int64_t *out_us);

/* Replaces ${name} by the value of the parameter of that name: `given` first, then the pipeline's defaults, then the environment.
 * `$${` stands for a literal `${`. CONFIG for an unknown name. */
firn_rc firn_definition_expand(firn_arena *arena, const firn_pipeline *pipeline,
                               const firn_pipeline_param *given, size_t n_given, const char *text,
                               char **out, firn_err *err) FIRN_MUST_USE;

#endif
