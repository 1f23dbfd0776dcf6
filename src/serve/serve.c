/* Starting and stopping: a lake's catalog behind an HTTP server. */
#include "auth.h"
#include "call.h"

#include "base/io.h"
#include "base/time.h"

#include <stdlib.h>
#include <sys/stat.h>

enum { PEM_BYTES_MAX = 1 << 20 };

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

/* For /health: SQLite goes on reading and writing a file that somebody has deleted. */
static void remember_catalog_file(firn_server *server, const firn_config *config)
{
    struct stat info;
    const char *path = firn_lake_path(server->lake, server->arena, config->catalog);
    if (!config->catalog_uri && stat(path, &info) == 0) {
        server->catalog_file = path;
        server->catalog_device = (uint64_t)info.st_dev;
        server->catalog_inode = (uint64_t)info.st_ino;
    }
}

firn_rc firn_serve_new(const firn_serve_options *options, firn_server **out, firn_err *err)
{
    const firn_config *config = firn_lake_config(options->lake);
    firn_server *server = firn_calloc(1, sizeof(*server));
    server->arena = firn_arena_new();
    server->lake = options->lake;
    server->catalog = firn_lake_catalog(options->lake);
    server->started_us = firn_now_us();
    server->lake_name = config->name;
    server->warehouse_path = firn_lake_path(options->lake, server->arena, config->warehouse);
    server->warehouse = firn_location_of_path(server->arena, server->warehouse_path);
    remember_catalog_file(server, config);
    firn_rc rc = firn_auth_new(server->arena, options->lake, options->auth, &server->auth, err);
    if (rc != FIRN_OK) {
        firn_serve_stop(server, 0);
        return rc;
    }
    *out = server;
    return FIRN_OK;
}

/* ---- with sockets --------------------------------------------------------------------------------------- */

static firn_rc read_pem(firn_server *server, const char *key, const char *path, const char **out,
                        firn_err *err)
{
    firn_bytes text;
    const char *full = firn_lake_path(server->lake, server->arena, path);
    firn_rc rc = firn_file_read(server->arena, full, PEM_BYTES_MAX, &text, err);
    *out = (const char *)text.data;
    return rc == FIRN_OK ? rc : firn_err_wrap(err, rc, "%s of firn.yaml", key);
}

static firn_rc read_tls(firn_server *server, firn_http_server_options *http, firn_err *err)
{
    const firn_config *config = firn_lake_config(server->lake);
    if (!config->serve_tls_cert && !config->serve_tls_key) {
        return FIRN_OK;
    }
    if (!config->serve_tls_cert || !config->serve_tls_key) {
        FIRN_FAIL(err, FIRN_E_CONFIG,
                  "https needs both serve.tls_cert and serve.tls_key in firn.yaml: %s is missing",
                  config->serve_tls_cert ? "serve.tls_key" : "serve.tls_cert");
    }
    FIRN_TRY(read_pem(server, "serve.tls_cert", config->serve_tls_cert, &http->tls_cert, err));
    return read_pem(server, "serve.tls_key", config->serve_tls_key, &http->tls_key, err);
}

static firn_rc start_http(firn_server *server, const char *listen, firn_err *err)
{
    const firn_config *config = firn_lake_config(server->lake);
    firn_http_server_options http = {
        .listen = listen ? listen : config->serve_http,
        .handle = on_request,
        .ctx = server,
        .error_body = http_error_body,
        .error_content_type = "application/json",
        .max_body_bytes = (size_t)config->serve_request_bytes,
        .request_timeout_ms = (int)config->serve_request_ms,
        .connections = (int)config->serve_connections,
    };
    FIRN_TRY(firn_auth_check_address(server->auth, config, http.listen, err));
    FIRN_TRY(read_tls(server, &http, err));
    FIRN_TRY(firn_http_server_start(&http, &server->http, err));
    const char *address = firn_http_server_address(server->http);
    server->url =
        firn_arena_printf(server->arena, "%s://%s", http.tls_cert ? "https" : "http", address);
    /* A name such as localhost could mean another address than it says. */
    return firn_auth_check_address(server->auth, config, address, err);
}

firn_rc firn_serve_start(const firn_serve_options *options, firn_server **out, firn_err *err)
{
    firn_server *server;
    FIRN_TRY(firn_serve_new(options, &server, err));
    firn_rc rc = start_http(server, options->listen, err);
    if (rc != FIRN_OK) {
        firn_serve_stop(server, 0);
        return rc;
    }
    *out = server;
    return FIRN_OK;
}

bool firn_serve_has_auth(const firn_server *server)
{
    return firn_auth_is_on(server->auth);
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
