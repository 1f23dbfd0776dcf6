/* GET /v1/config: what a client asks first. And GET /health. */
#include "handlers.h"

#include "catalog/idempotency.h"

#include <sys/stat.h>

/* What `warehouse` selects: nothing, the lake by name or location, a ref, or "ref|lake". */
static firn_rc ref_of_warehouse(firn_call *call, const char *warehouse, const char **ref,
                                firn_err *err)
{
    const firn_server *server = call->server;
    firn_ref found;
    *ref = call->ref;
    if (!warehouse || !warehouse[0]) {
        return FIRN_OK;
    }
    char *name = firn_arena_strdup(call->arena, warehouse);
    char *bar = strrchr(name, '|');
    const char *lake = bar ? bar + 1 : name;
    bool is_lake = firn_streq(lake, server->lake_name) || firn_streq(lake, server->warehouse) ||
                   firn_streq(lake, server->warehouse_path);
    if (bar) {
        *bar = '\0';
    } else if (is_lake) {
        return FIRN_OK;
    }
    if (bar && !name[0] && is_lake) {
        return FIRN_OK;
    }
    if (!bar || is_lake || !lake[0]) {
        firn_rc rc = firn_catalog_ref_get(call->catalog, call->arena, name, &found, err);
        if (rc == FIRN_OK) {
            *ref = name;
        }
        if (rc != FIRN_E_NO_REF) {
            return rc;
        }
    }
    FIRN_CALL_FAIL(call, err, FIRN_E_NOT_FOUND, 404, "NoSuchWarehouseException",
                   "there is no warehouse \"%.200s\" here: leave it out, or give the lake's name "
                   "(%s), a branch, a tag, or \"branch|%s\"",
                   warehouse, server->lake_name, server->lake_name);
}

static json_t *endpoints(firn_arena *arena)
{
    json_t *list = json_array();
    for (size_t i = 0; i < firn_routes_len; i++) {
        if (firn_routes[i].flags & FIRN_ROUTE_ADVERTISED) {
            json_array_append_new(
                list, json_string(firn_arena_printf(arena, "%s %s", firn_routes[i].method,
                                                    firn_routes[i].pattern)));
        }
    }
    return list;
}

/* ISO 8601, in hours. */
static const char *lifetime(firn_arena *arena)
{
    return firn_arena_printf(arena, "PT%dH",
                             (int)(FIRN_IDEMPOTENCY_LIFE_US / (INT64_C(3600) * 1000 * 1000)));
}

/* No `uri` among the overrides: it would send clients elsewhere than where their user pointed them, past the proxy in between. */
firn_rc firn_rest_config(firn_call *call, firn_err *err)
{
    const char *ref;
    firn_ref found;
    FIRN_TRY(ref_of_warehouse(call, firn_call_query(call, "warehouse"), &ref, err));
    firn_rc rc = firn_catalog_ref_get(call->catalog, call->arena, ref, &found, err);
    if (rc == FIRN_E_NO_REF) {
        call->error_status = 404;
        call->error_type = "NoSuchWarehouseException";
    }
    FIRN_TRY(rc);
    firn_reply_json(call, 200,
                    json_pack("{s:{s:s}, s:{s:s}, s:o, s:s}", "defaults", "namespace-separator",
                              "%1F", "overrides", "prefix", firn_url_encode(call->arena, ref),
                              "endpoints", endpoints(call->arena), "idempotency-key-lifetime",
                              lifetime(call->arena)));
    return FIRN_OK;
}

static bool catalog_file_is_gone(const firn_server *server)
{
    struct stat info;
    return server->catalog_file && (stat(server->catalog_file, &info) != 0 ||
                                    (uint64_t)info.st_dev != server->catalog_device ||
                                    (uint64_t)info.st_ino != server->catalog_inode);
}

/* Up is who can read the catalog; one that cannot is no use to a load balancer. */
firn_rc firn_serve_health(firn_call *call, firn_err *err)
{
    firn_ref found;
    if (catalog_file_is_gone(call->server)) {
        FIRN_CALL_FAIL(call, err, FIRN_E_BUSY, 503, "ServiceUnavailableException",
                       "the catalog's file %s was deleted or replaced: what this server commits is "
                       "lost; stop it",
                       call->server->catalog_file);
    }
    firn_rc rc = firn_catalog_ref_get(call->catalog, call->arena, FIRN_MAIN, &found, err);
    if (rc != FIRN_OK) {
        call->error_status = 503;
        call->error_type = "ServiceUnavailableException";
        return rc;
    }
    firn_reply_json(call, 200,
                    json_pack("{s:s, s:s, s:s}", "status", "ok", "lake", call->server->lake_name,
                              "version", FIRN_VERSION));
    return FIRN_OK;
}
