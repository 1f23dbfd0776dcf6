/* The table of routes: what the router matches, what needs which role, and what /v1/config advertises. */
#include "handlers.h"

#define READ  FIRN_ROLE_READER
#define WRITE FIRN_ROLE_WRITER
#define AD    FIRN_ROUTE_ADVERTISED
#define ONCE  (FIRN_ROUTE_ADVERTISED | FIRN_ROUTE_IDEMPOTENT)
#define NS    "/v1/{prefix}/namespaces/{namespace}"

const firn_route firn_routes[] = {
    {"GET", "/health", firn_serve_health, FIRN_ROLE_NONE, 0},
    {"GET", "/v1/config", firn_rest_config, READ, 0},

    {"GET", "/v1/{prefix}/namespaces", firn_rest_namespace_list, READ, AD},
    {"POST", "/v1/{prefix}/namespaces", firn_rest_namespace_create, WRITE, ONCE},
    {"GET", NS, firn_rest_namespace_load, READ, AD},
    {"HEAD", NS, firn_rest_namespace_exists, READ, AD},
    {"DELETE", NS, firn_rest_namespace_drop, WRITE, ONCE},
    {"POST", NS "/properties", firn_rest_namespace_properties, WRITE, ONCE},
};
const size_t firn_routes_len = sizeof(firn_routes) / sizeof(firn_routes[0]);
