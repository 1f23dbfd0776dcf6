/* Starting and stopping: a lake's catalog behind an HTTP server. */
#include "auth.h"
#include "call.h"

#include <stdlib.h>

static const char *error_type_of_status(int status)
{
    switch (status) {
    case 503: return "ServiceUnavailableException";
    default: return status >= 500 ? "ServiceFailureException" : "BadRequestException";
    }
}

static firn_bytes http_error_body(firn_arena *arena, int status, const char *message)
{
    return firn_error_body(arena, status, error_type_of_status(status), message);
}

static void on_request(void *ctx, const firn_http_request *request, firn_http_response *response)
{
    firn_serve_request(ctx, request, response);
}

firn_rc firn_serve_new(const firn_serve_options *options, firn_server **out, firn_err *err)
{
    (void)err;
    const firn_config *config = firn_lake_config(options->lake);
    firn_server *server = firn_calloc(1, sizeof(*server));
    server->arena = firn_arena_new();
    server->lake = options->lake;
    server->catalog = firn_lake_catalog(options->lake);
    server->lake_name = config->name;
    server->warehouse_path = firn_lake_path(options->lake, server->arena, config->warehouse);
    server->warehouse = firn_location_of_path(server->arena, server->warehouse_path);
    *out = server;
    return FIRN_OK;
}

firn_rc firn_serve_start(const firn_serve_options *options, firn_server **out, firn_err *err)
{
    firn_server *server;
    FIRN_TRY(firn_serve_new(options, &server, err));
    firn_http_server_options http = {
        .listen = options->listen ? options->listen : "127.0.0.1:8181",
        .handle = on_request,
        .ctx = server,
        .error_body = http_error_body,
        .error_content_type = "application/json",
    };
    firn_rc rc = firn_http_server_start(&http, &server->http, err);
    if (rc != FIRN_OK) {
        firn_serve_stop(server, 0);
        return rc;
    }
    server->url =
        firn_arena_printf(server->arena, "http://%s", firn_http_server_address(server->http));
    *out = server;
    return FIRN_OK;
}

const char *firn_serve_url(const firn_server *server)
{
    return server->url;
}

void firn_serve_stop(firn_server *server, int drain_ms)
{
    if (!server) {
        return;
    }
    firn_http_server_stop(server->http, drain_ms);
    firn_arena_free(server->arena);
    free(server);
}
