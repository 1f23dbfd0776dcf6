/* Every handler, by file. See call.h for how to add one. */
#ifndef SERVE_HANDLERS_H
#define SERVE_HANDLERS_H

#include "call.h"

/* rest_config.c */
firn_rc firn_rest_config(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_serve_health(firn_call *call, firn_err *err) FIRN_MUST_USE;

/* metrics.c */
firn_rc firn_serve_metrics(firn_call *call, firn_err *err) FIRN_MUST_USE;

/* oauth.c */
firn_rc firn_rest_oauth_token(firn_call *call, firn_err *err) FIRN_MUST_USE;

/* rest_namespaces.c */
firn_rc firn_rest_namespace_list(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_rest_namespace_create(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_rest_namespace_load(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_rest_namespace_exists(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_rest_namespace_drop(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_rest_namespace_properties(firn_call *call, firn_err *err) FIRN_MUST_USE;

/* rest_tables.c */
firn_rc firn_rest_table_list(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_rest_table_create(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_rest_table_load(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_rest_table_exists(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_rest_table_drop(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_rest_table_rename(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_rest_table_register(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_rest_table_unregister(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_rest_table_credentials(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_rest_table_metrics(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_rest_function_list(firn_call *call, firn_err *err) FIRN_MUST_USE;

/* rest_commit.c */
firn_rc firn_rest_table_commit(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_rest_transaction(firn_call *call, firn_err *err) FIRN_MUST_USE;
/* rest_views.c */
firn_rc firn_rest_view_list(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_rest_view_create(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_rest_view_register(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_rest_view_load(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_rest_view_exists(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_rest_view_replace(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_rest_view_drop(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_rest_view_rename(firn_call *call, firn_err *err) FIRN_MUST_USE;

/* api_refs.c */
firn_rc firn_api_ref_list(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_api_ref_create(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_api_ref_get(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_api_ref_reset(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_api_ref_delete(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_api_ref_log(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_api_ref_tables(firn_call *call, firn_err *err) FIRN_MUST_USE;

/* api_merge.c */
firn_rc firn_api_diff(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_api_merge(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_api_cherry_pick(firn_call *call, firn_err *err) FIRN_MUST_USE;

/* rest_plan.c */
firn_rc firn_rest_plan(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_rest_plan_load(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_rest_plan_cancel(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_rest_plan_tasks(firn_call *call, firn_err *err) FIRN_MUST_USE;

#endif
