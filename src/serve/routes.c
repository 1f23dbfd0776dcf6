/* The table of routes: what the router matches, what needs which role, and what /v1/config advertises. */
#include "handlers.h"

#define READ  FIRN_ROLE_READER
#define WRITE FIRN_ROLE_WRITER
#define ADMIN FIRN_ROLE_ADMIN
#define AD    FIRN_ROUTE_ADVERTISED
#define ONCE  (FIRN_ROUTE_ADVERTISED | FIRN_ROUTE_IDEMPOTENT)
#define NS    "/v1/{prefix}/namespaces/{namespace}"
#define TABLE NS "/tables/{table}"

const firn_route firn_routes[] = {
    {"GET", "/health", firn_serve_health, FIRN_ROLE_NONE, 0},
    {"GET", "/metrics", firn_serve_metrics, READ, 0},
    {"GET", "/v1/config", firn_rest_config, READ, 0},
    {"POST", "/v1/oauth/tokens", firn_rest_oauth_token, FIRN_ROLE_NONE, 0},

    {"GET", "/v1/{prefix}/namespaces", firn_rest_namespace_list, READ, AD},
    {"POST", "/v1/{prefix}/namespaces", firn_rest_namespace_create, WRITE, ONCE},
    {"GET", NS, firn_rest_namespace_load, READ, AD},
    {"HEAD", NS, firn_rest_namespace_exists, READ, AD},
    {"DELETE", NS, firn_rest_namespace_drop, WRITE, ONCE},
    {"POST", NS "/properties", firn_rest_namespace_properties, WRITE, ONCE},

    {"GET", NS "/tables", firn_rest_table_list, READ, AD},
    {"POST", NS "/tables", firn_rest_table_create, WRITE, ONCE},
    {"GET", TABLE, firn_rest_table_load, READ, AD},
    {"HEAD", TABLE, firn_rest_table_exists, READ, AD},
    {"POST", TABLE, firn_rest_table_commit, WRITE, ONCE},
    {"DELETE", TABLE, firn_rest_table_drop, WRITE, ONCE},
    {"POST", TABLE "/unregister", firn_rest_table_unregister, WRITE, ONCE},
    {"GET", TABLE "/credentials", firn_rest_table_credentials, READ, AD},
    {"POST", TABLE "/metrics", firn_rest_table_metrics, READ, AD},
    {"POST", TABLE "/plan", firn_rest_plan, READ, AD},
    {"GET", TABLE "/plan/{plan-id}", firn_rest_plan_load, READ, AD},
    {"DELETE", TABLE "/plan/{plan-id}", firn_rest_plan_cancel, READ, AD},
    {"POST", TABLE "/tasks", firn_rest_plan_tasks, READ, AD},
    {"POST", NS "/register", firn_rest_table_register, WRITE, ONCE},
    {"POST", "/v1/{prefix}/tables/rename", firn_rest_table_rename, WRITE, ONCE},
    {"POST", "/v1/{prefix}/transactions/commit", firn_rest_transaction, WRITE, ONCE},
    {"GET", NS "/functions", firn_rest_function_list, READ, AD},

    {"GET", NS "/views", firn_rest_view_list, READ, AD},
    {"POST", NS "/views", firn_rest_view_create, WRITE, ONCE},
    {"POST", NS "/register-view", firn_rest_view_register, WRITE, ONCE},
    {"GET", NS "/views/{view}", firn_rest_view_load, READ, AD},
    {"HEAD", NS "/views/{view}", firn_rest_view_exists, READ, AD},
    {"POST", NS "/views/{view}", firn_rest_view_replace, WRITE, ONCE},
    {"DELETE", NS "/views/{view}", firn_rest_view_drop, WRITE, ONCE},
    {"POST", "/v1/{prefix}/views/rename", firn_rest_view_rename, WRITE, ONCE},

    {"GET", "/api/v1/refs", firn_api_ref_list, READ, 0},
    {"POST", "/api/v1/refs", firn_api_ref_create, WRITE, FIRN_ROUTE_IDEMPOTENT},
    {"GET", "/api/v1/refs/{ref}", firn_api_ref_get, READ, 0},
    {"PUT", "/api/v1/refs/{ref}", firn_api_ref_reset, ADMIN, 0},
    {"DELETE", "/api/v1/refs/{ref}", firn_api_ref_delete, ADMIN, 0},
    {"GET", "/api/v1/refs/{ref}/log", firn_api_ref_log, READ, 0},
    {"GET", "/api/v1/refs/{ref}/tables", firn_api_ref_tables, READ, 0},
    {"GET", "/api/v1/diff", firn_api_diff, READ, 0},
    {"POST", "/api/v1/merge", firn_api_merge, WRITE, FIRN_ROUTE_IDEMPOTENT},
    {"POST", "/api/v1/cherry-pick", firn_api_cherry_pick, WRITE, FIRN_ROUTE_IDEMPOTENT},
};
const size_t firn_routes_len = sizeof(firn_routes) / sizeof(firn_routes[0]);
