/* A pipeline run as people watch it: one line per task that ended, and on a terminal the tasks that run; check results. */
#ifndef CLI_RUN_VIEW_H
#define CLI_RUN_VIEW_H

#include "cli.h"

#include "pipeline/pipeline.h"

/* Runs the pipeline with `options` (its on_event, ctx and cancel are set here) and shows it on standard output; `json` prints one object
 * per event instead. Ctrl-C cancels the run (CANCELLED), a second one ends the process. */
firn_rc firn_run_view(firn_cli *cli, const firn_pipeline *pipeline, firn_pipeline_options *options,
                      bool json, firn_pipeline_outcome *out, firn_err *err) FIRN_MUST_USE;

typedef FIRN_VEC(firn_run_check) firn_checks;
firn_rc firn_checks_print(firn_cli *cli, const firn_run_check *checks, size_t n,
                          firn_err *err) FIRN_MUST_USE;

#endif
