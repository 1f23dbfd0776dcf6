/* The server behind a remote catalog: who we are to it, what it can do, calls, and what its errors mean.
 *
 * Opening asks for the configuration first, as the protocol wants it: defaults < what the user set < overrides. An override
 * of "uri" moves all later calls there. Each further ref has a configuration of its own, from <uri>/<ref>.
 *
 * Errors go by error.type, then by status. 5xx to a call that changes something is not an error here but a question: see
 * settle.c.
 */
#include "remote/remote.h"

#include "base/vec.h"
#include "net/http.h"

#include <stdlib.h>

enum { TOTAL_TIMEOUT_MS = 120 * 1000, ERROR_MESSAGE_BYTES_MAX = 600 };

#define SEPARATOR_DEFAULT "%1F"

/* ---- words of the wire ------------------------------------------------------------------------ */

static const struct {
    const char *type;
    firn_rc code;
} ERROR_TYPES[] = {
    {"NoSuchTableException", FIRN_E_NO_TABLE},
    {"NoSuchIcebergTableException", FIRN_E_NO_TABLE},
    {"NoSuchViewException", FIRN_E_NO_VIEW},
    {"NoSuchNamespaceException", FIRN_E_NO_NAMESPACE},
    {"NoSuchReferenceException", FIRN_E_NO_REF},
    {"NessieReferenceNotFoundException", FIRN_E_NO_REF},
    {"NoSuchWarehouseException", FIRN_E_NOT_FOUND},
    {"NotFoundException", FIRN_E_NOT_FOUND},
    {"AlreadyExistsException", FIRN_E_EXISTS},
    {"NamespaceNotEmptyException", FIRN_E_NOT_EMPTY},
    {"CommitFailedException", FIRN_E_CONFLICT},
    {"CommitStateUnknownException", FIRN_E_UNKNOWN_OUTCOME},
    {"NotAuthorizedException", FIRN_E_PERMISSION},
    {"ForbiddenException", FIRN_E_PERMISSION},
    {"UnsupportedOperationException", FIRN_E_UNSUPPORTED},
};

static firn_rc code_of_status(int status, firn_rc missing)
{
    switch (status) {
    case 401:
    case 403:
    case 419: return FIRN_E_PERMISSION;
    case 404: return missing;
    case 405:
    case 406:
    case 501: return FIRN_E_UNSUPPORTED;
    case 409: return FIRN_E_CONFLICT;
    case 413: return FIRN_E_LIMIT;
    case 429:
    case 503: return FIRN_E_BUSY;
    case 507: return FIRN_E_NO_SPACE;
    default: break;
    }
    return status >= 400 && status < 500 ? FIRN_E_INVALID : FIRN_E_IO;
}

/* A server's text, cut to size and without what would disturb a terminal. */
static char *tame(firn_arena *arena, const char *text)
{
    size_t len = strnlen(text, ERROR_MESSAGE_BYTES_MAX);
    while (len > 0 && text[len] != '\0' && ((unsigned char)text[len] & 0xc0) == 0x80) {
        len--; /* not within a character */
    }
    char *out = firn_arena_strndup(arena, text, len);
    for (char *c = out; *c; c++) {
        if ((*c > 0 && *c < ' ') || *c == 0x7f) {
            *c = ' ';
        }
    }
    return out;
}

void firn_remote_parse_error(firn_arena *arena, int status, firn_bytes body, firn_rc missing,
                             firn_remote_error *out)
{
    json_t *json = NULL;
    *out = (firn_remote_error){.code = code_of_status(status, missing), .type = "", .message = ""};
    if (firn_json_parse(arena, body, "error", &json, NULL) != FIRN_OK) {
        return;
    }
    const json_t *error = json_object_get(json, "error");
    const char *type = json_string_value(json_object_get(error, "type"));
    const char *message = json_string_value(json_object_get(error, "message"));
    out->type = type ? tame(arena, type) : "";
    out->message = message ? tame(arena, message) : "";
    for (size_t i = 0; status >= 400 && i < sizeof(ERROR_TYPES) / sizeof(ERROR_TYPES[0]); i++) {
        if (firn_streq(ERROR_TYPES[i].type, out->type)) {
            out->code = ERROR_TYPES[i].code;
        }
    }
    /* A namespace that is missing under a table is a missing table to those who look for one. */
    if (out->code == FIRN_E_NO_NAMESPACE &&
        (missing == FIRN_E_NO_TABLE || missing == FIRN_E_NO_VIEW)) {
        out->code = missing;
    }
}

static const char *property(const json_t *overrides, const json_t *defaults, const char *name,
                            const char *ours)
{
    const char *over = json_string_value(json_object_get(overrides, name));
    const char *def = json_string_value(json_object_get(defaults, name));
    return over ? over : ours ? ours : def;
}

static uint32_t endpoints_of(const json_t *list)
{
    static const struct {
        const char *text;
        bool usual;
    } ENDPOINTS[] = {
#define X(name, text, usual) {text, usual},
        FIRN_REMOTE_ENDPOINTS(X)
#undef X
    };
    uint32_t bits = 0;
    for (size_t e = 0; e < sizeof(ENDPOINTS) / sizeof(ENDPOINTS[0]); e++) {
        bool has = !list && ENDPOINTS[e].usual;
        for (size_t i = 0; i < json_array_size(list); i++) {
            const char *text = json_string_value(json_array_get(list, i));
            has = has || (text && firn_streq(text, ENDPOINTS[e].text));
        }
        bits |= (uint32_t)has << e;
    }
    return bits;
}

#define BIT(endpoint) (UINT32_C(1) << FIRN_REMOTE_##endpoint)
#define VIEW_ENDPOINTS                                                                \
    (BIT(VIEWS) | BIT(VIEW_CREATE) | BIT(VIEW) | BIT(VIEW_REPLACE) | BIT(VIEW_DROP) | \
     BIT(VIEW_RENAME))

static char *without_slash(firn_arena *arena, const char *uri)
{
    size_t len = strlen(uri);
    while (len > 0 && uri[len - 1] == '/') {
        len--;
    }
    return firn_arena_strndup(arena, uri, len);
}

firn_rc firn_remote_parse_config(firn_arena *arena, firn_bytes text, const char *uri,
                                 const char *prefix, firn_remote_config *out, firn_err *err)
{
    const char *what = firn_arena_printf(arena, "configuration from %s/v1/config",
                                         firn_url_for_message(arena, uri));
    json_t *json, *defaults, *overrides, *endpoints;
    FIRN_TRY(firn_json_parse(arena, text, what, &json, err));
    FIRN_TRY(firn_json_opt_object(json, "defaults", what, &defaults, err));
    FIRN_TRY(firn_json_opt_object(json, "overrides", what, &overrides, err));
    FIRN_TRY(firn_json_opt_array(json, "endpoints", what, &endpoints, err));
    const char *separator = property(overrides, defaults, "namespace-separator", NULL);
    const char *views = property(overrides, defaults, "view-endpoints-supported", NULL);
    const char *lifetime = json_string_value(json_object_get(json, "idempotency-key-lifetime"));
    const char *nessie = property(overrides, defaults, "nessie.is-nessie-catalog", NULL);
    prefix = property(overrides, defaults, "prefix", prefix);
    char *plain = separator ? firn_url_decode(arena, separator, strlen(separator), false) : NULL;
    if (separator && (!plain || !plain[0])) {
        FIRN_FAIL(err, FIRN_E_CORRUPT, "the %s has \"%s\" for a namespace-separator", what,
                  tame(arena, separator));
    }
    *out = (firn_remote_config){
        .ref = out->ref,
        .uri = without_slash(arena, property(overrides, NULL, "uri", uri)),
        .prefix = without_slash(arena, prefix ? prefix : ""),
        /* Some servers advertise it encoded, others as it is. */
        .separator = plain ? firn_url_encode(arena, plain) : SEPARATOR_DEFAULT,
        .endpoints = endpoints_of(endpoints),
        .idempotency_keys = lifetime != NULL,
        .is_nessie = nessie && firn_streq(nessie, "true"),
    };
    /* Servers that list no endpoints say otherwise that they have views; Nessie has them and does not say so. */
    if (!endpoints && ((views && firn_streq(views, "true")) || out->is_nessie)) {
        out->endpoints |= VIEW_ENDPOINTS;
    }
    /* A dot is a plain character to firn_url_encode, but as a separator it must stand out. */
    if (plain && firn_streq(plain, ".")) {
        out->separator = "%2E";
    }
    return FIRN_OK;
}

firn_rc firn_remote_parse_load(firn_arena *arena, firn_bytes body, const char *what,
                               json_t **metadata, const char **location, firn_err *err)
{
    json_t *json;
    const char *given;
    FIRN_TRY(firn_json_parse(arena, body, what, &json, err));
    FIRN_TRY(firn_json_object(json, "metadata", what, metadata, err));
    FIRN_TRY(firn_json_opt_str(json, "metadata-location", what, NULL, &given, err));
    if (given && given[0]) {
        *location = given;
        return FIRN_OK;
    }
    const char *folder = json_string_value(json_object_get(*metadata, "location"));
    const char *text = firn_json_text(arena, *metadata);
    size_t len = strlen(text);
    *location = firn_arena_printf(arena, "%s#%016llx%016llx", folder ? folder : "",
                                  (unsigned long long)firn_hash64(text, len, 0),
                                  (unsigned long long)firn_hash64(text, len, 1));
    return FIRN_OK;
}

/* ---- paths ------------------------------------------------------------------------------------ */

char *firn_remote_ns_path(const firn_remote_config *config, firn_arena *arena, const char *ns)
{
    size_t n;
    char **levels = firn_str_split(arena, ns, FIRN_NS_SEP[0], &n);
    for (size_t i = 0; i < n; i++) {
        levels[i] = firn_url_encode(arena, levels[i]);
    }
    return firn_str_join(arena, (const char *const *)levels, n, config->separator);
}

char *firn_remote_path(const firn_remote_config *config, firn_arena *arena, firn_ident ident,
                       const char *what)
{
    return firn_arena_printf(arena, "namespaces/%s/%s/%s",
                             firn_remote_ns_path(config, arena, ident.ns), what,
                             firn_url_encode(arena, ident.name));
}

json_t *firn_remote_ns_json(firn_arena *arena, const char *ns)
{
    size_t n;
    char **levels = firn_str_split(arena, ns, FIRN_NS_SEP[0], &n);
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        json_array_append_new(list, json_string(levels[i]));
    }
    return list;
}

json_t *firn_remote_ident_json(firn_arena *arena, firn_ident ident)
{
    return json_pack("{s:o, s:s}", "namespace", firn_remote_ns_json(arena, ident.ns), "name",
                     ident.name);
}

/* ---- calls ------------------------------------------------------------------------------------ */

firn_rc firn_remote_send(const firn_remote *remote, firn_arena *arena, const char *url,
                         const firn_remote_call *call, firn_http_reply *reply, firn_err *err)
{
    enum { OWN_HEADERS_MAX = 4 };
    firn_http_header *headers =
        FIRN_NEW_N(arena, firn_http_header, remote->n_headers + OWN_HEADERS_MAX);
    size_t n = remote->n_headers;
    memcpy(headers, remote->headers, n * sizeof(*headers));
    headers[n++] = (firn_http_header){"Accept", "application/json"};
    if (call->body) {
        headers[n++] = (firn_http_header){"Content-Type", "application/json"};
    }
    if (call->etag) {
        headers[n++] = (firn_http_header){"If-None-Match", call->etag};
    }
    if (call->key) {
        headers[n++] = (firn_http_header){"Idempotency-Key", call->key};
    }
    const firn_http_call http = {
        .method = call->method,
        .url = url,
        .headers = headers,
        .n_headers = n,
        .body =
            call->body ? firn_bytes_str(firn_json_text(arena, call->body)) : firn_bytes_of(NULL, 0),
        .idempotent = call->key != NULL,
    };
    return firn_http_do(remote->http, arena, &http, reply, err);
}

firn_rc firn_remote_do(const firn_remote *remote, const firn_remote_config *config,
                       firn_arena *arena, const firn_remote_call *call, firn_http_reply *reply,
                       firn_err *err)
{
    const char *url = firn_arena_printf(arena, "%s/v1/%s%s%s", config->uri, config->prefix,
                                        config->prefix[0] ? "/" : "", call->path);
    return firn_remote_send(remote, arena, url, call, reply, err);
}

firn_rc firn_remote_fail(const firn_remote *remote, firn_arena *arena, const firn_http_reply *reply,
                         firn_rc missing, const char *what, firn_err *err)
{
    firn_remote_error error;
    firn_remote_parse_error(arena, reply->status, reply->body, missing, &error);
    const char *advice = "";
    if (reply->status == 401 || reply->status == 403 || reply->status == 419) {
        advice =
            "; check catalog.credential, catalog.token and catalog.scope in firn.yaml, and what "
            "this user may do there";
    } else if (reply->status >= 300 && reply->status < 400) {
        advice = "; it sends us elsewhere, which is not followed: set catalog.uri to where it is";
    }
    firn_err_set(err, __FILE__, __LINE__, error.code, "%s: %s (HTTP %d%s%s from the catalog %s%s)",
                 what,
                 error.message[0] ? firn_http_redact(remote->http, arena, error.message)
                                  : "the server gave no reason",
                 reply->status, error.type[0] ? " " : "", error.type,
                 firn_url_for_message(arena, remote->uri), advice);
    return error.code;
}

firn_rc firn_remote_json(const firn_remote *remote, const firn_remote_config *config,
                         firn_arena *arena, const firn_remote_call *call, firn_rc missing,
                         const char *what, json_t **out, firn_err *err)
{
    firn_http_reply reply;
    *out = NULL;
    FIRN_TRY(firn_remote_do(remote, config, arena, call, &reply, err));
    if (!firn_remote_is_success(&reply)) {
        return firn_remote_fail(remote, arena, &reply, missing, what, err);
    }
    if (reply.body.len == 0) {
        return FIRN_OK;
    }
    return firn_json_parse(arena, reply.body,
                           firn_arena_printf(arena, "answer of the catalog %s",
                                             firn_url_for_message(arena, remote->uri)),
                           out, err);
}

firn_rc firn_remote_require(const firn_remote *remote, const firn_remote_config *config,
                            firn_remote_endpoint endpoint, const char *what, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    static const char *const NAMES[] = {
#define X(name, text, usual) text,
        FIRN_REMOTE_ENDPOINTS(X)
#undef X
    };
    if (!firn_remote_has(config, endpoint)) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                  "%s: the catalog %s does not offer that (\"%s\" is not among its endpoints)",
                  what, firn_url_for_message(arena, remote->uri), NAMES[endpoint]);
    }
    return FIRN_OK;
}

/* ---- configuration ---------------------------------------------------------------------------- */

static firn_rc no_ref(const firn_remote *remote, firn_arena *arena, const char *ref, int status,
                      firn_err *err)
{
    FIRN_FAIL(err, FIRN_E_NO_REF, "there is no branch or tag %s in the catalog %s (HTTP %d)", ref,
              firn_url_for_message(arena, remote->uri), status);
}

static firn_rc ask_config(const firn_remote *remote, firn_arena *arena, const char *ref,
                          firn_remote_config *out, firn_err *err)
{
    const char *uri =
        ref[0] ? firn_arena_printf(arena, "%s/%s", remote->uri, firn_url_encode(arena, ref))
               : remote->uri;
    const char *query =
        remote->warehouse
            ? firn_arena_printf(arena, "?warehouse=%s", firn_url_encode(arena, remote->warehouse))
            : "";
    const firn_remote_call call = {.method = "GET"};
    firn_http_reply reply;
    FIRN_TRY(firn_remote_send(remote, arena, firn_arena_printf(arena, "%s/v1/config%s", uri, query),
                              &call, &reply, err));
    if (ref[0] && (reply.status == 404 || reply.status == 400)) {
        return no_ref(remote, arena, ref, reply.status, err);
    }
    if (!firn_remote_is_success(&reply)) {
        const char *what = remote->warehouse ? firn_arena_printf(arena, "cannot open warehouse %s",
                                                                 remote->warehouse)
                                             : "cannot open the catalog";
        return firn_remote_fail(remote, arena, &reply, FIRN_E_NOT_FOUND, what, err);
    }
    *out = (firn_remote_config){.ref = ref};
    /* A prefix that the user set names a ref already, and so not this one. */
    return firn_remote_parse_config(arena, reply.body, uri, ref[0] ? NULL : remote->prefix, out,
                                    err);
}

/* @locks remote->lock */
static firn_remote_config *find_config(const firn_remote *remote, const char *ref)
{
    firn_remote_config *config = remote->configs;
    while (config && !firn_streq(config->ref, ref)) {
        config = config->next;
    }
    return config;
}

/* @locks remote->lock */
static firn_remote_config *keep_config(firn_remote *remote, const firn_remote_config *config)
{
    firn_remote_config *kept = FIRN_NEW(remote->arena, firn_remote_config);
    *kept = *config;
    kept->ref = firn_arena_strdup(remote->arena, config->ref);
    kept->uri = firn_arena_strdup(remote->arena, config->uri);
    kept->prefix = firn_arena_strdup(remote->arena, config->prefix);
    kept->separator = firn_arena_strdup(remote->arena, config->separator);
    kept->next = remote->configs;
    remote->configs = kept;
    return kept;
}

firn_rc firn_remote_config_of(firn_remote *remote, firn_arena *arena, const char *ref,
                              const firn_remote_config **out, firn_err *err)
{
    ref = ref && !firn_streq(ref, FIRN_MAIN) ? ref : "";
    pthread_mutex_lock(&remote->lock);
    *out = find_config(remote, ref);
    pthread_mutex_unlock(&remote->lock);
    if (*out) {
        return FIRN_OK;
    }
    firn_remote_config config;
    FIRN_TRY(ask_config(remote, arena, ref, &config, err));
    pthread_mutex_lock(&remote->lock);
    *out = find_config(remote, ref);
    *out = *out ? *out : keep_config(remote, &config);
    pthread_mutex_unlock(&remote->lock);
    return FIRN_OK;
}

/* ---- opening ---------------------------------------------------------------------------------- */

static const char *or_env(const char *given, const char *name)
{
    const char *env = given ? NULL : getenv(name);
    return given ? given : env && env[0] ? env : NULL;
}

static firn_http_auth auth_of(firn_arena *arena, const char *uri, const firn_remote_options *o)
{
    if (o->sigv4_region) {
        return (firn_http_auth){
            .kind = FIRN_HTTP_AUTH_SIGV4,
            .region = o->sigv4_region,
            .service = o->sigv4_name ? o->sigv4_name : "glue",
            .access_key = or_env(o->access_key_id, "AWS_ACCESS_KEY_ID"),
            .secret_key = or_env(o->secret_access_key, "AWS_SECRET_ACCESS_KEY"),
            .session_token = or_env(o->session_token, "AWS_SESSION_TOKEN"),
        };
    }
    if (o->credential) {
        const char *colon = strchr(o->credential, ':');
        return (firn_http_auth){
            .kind = FIRN_HTTP_AUTH_OAUTH2,
            .token_url = o->oauth2_server_uri ? o->oauth2_server_uri
                                              : firn_arena_printf(arena, "%s/v1/oauth/tokens", uri),
            .client_id =
                colon ? firn_arena_strndup(arena, o->credential, (size_t)(colon - o->credential))
                      : NULL,
            .client_secret = colon ? colon + 1 : o->credential,
            .scope = o->scope ? o->scope : "catalog",
        };
    }
    if (o->token) {
        return (firn_http_auth){.kind = FIRN_HTTP_AUTH_BEARER, .token = o->token};
    }
    return (firn_http_auth){.kind = FIRN_HTTP_AUTH_NONE};
}

static void keep_headers(firn_remote *remote, const firn_remote_options *o)
{
    firn_http_header *headers = FIRN_NEW_N(remote->arena, firn_http_header, o->n_headers + 1);
    for (size_t i = 0; i < o->n_headers; i++) {
        headers[i] = (firn_http_header){firn_arena_strdup(remote->arena, o->headers[2 * i]),
                                        firn_arena_strdup(remote->arena, o->headers[2 * i + 1])};
    }
    remote->n_headers = o->n_headers;
    if (o->access_delegation) {
        headers[remote->n_headers++] = (firn_http_header){
            "X-Iceberg-Access-Delegation", firn_arena_strdup(remote->arena, o->access_delegation)};
    }
    remote->headers = headers;
}

static void close_remote(firn_catalog *catalog)
{
    firn_remote *remote = catalog->remote;
    for (size_t i = 0; i < FIRN_REMOTE_ETAGS_MAX; i++) {
        free(remote->etags[i].key);
        free(remote->etags[i].etag);
        free(remote->etags[i].location);
    }
    firn_http_client_free(remote->http);
    pthread_mutex_destroy(&remote->lock);
    firn_arena_free(remote->arena);
    free(remote);
}

static const firn_catalog_ops REMOTE_OPS = {
    .namespace_list = firn_remote_namespace_list,
    .namespace_properties = firn_remote_namespace_properties,
    .list = firn_remote_list,
    .entry_get = firn_remote_entry_get,
    .table_load = firn_remote_table_load,
    .view_load = firn_remote_view_load,
    .default_location = firn_remote_default_location,
    .commit = firn_remote_commit,
    .ref_list = firn_remote_ref_list,
    .ref_get = firn_remote_ref_get,
    .ref_make = firn_remote_ref_make,
    .ref_drop = firn_remote_ref_drop,
    .ref_reset = firn_remote_ref_reset,
    .ref_rename = firn_remote_ref_rename,
    .log = firn_remote_log,
    .diff = firn_remote_diff,
    .diff_detail = firn_remote_diff_detail,
    .merge = firn_remote_merge,
    .cherry_pick = firn_remote_cherry_pick,
    .close = close_remote,
};

firn_rc firn_remote_open(firn_catalog *catalog, const firn_catalog_options *options, firn_err *err)
{
    static const firn_remote_options NOTHING;
    const firn_remote_options *o = options->remote ? options->remote : &NOTHING;
    firn_remote *remote = firn_calloc(1, sizeof(*remote));
    pthread_mutex_init(&remote->lock, NULL);
    remote->arena = firn_arena_new();
    remote->uri = without_slash(remote->arena, options->uri);
    remote->warehouse = firn_arena_strdup(remote->arena, o->warehouse);
    remote->prefix = firn_arena_strdup(remote->arena, o->prefix);
    keep_headers(remote, o);
    catalog->remote = remote;
    catalog->ops = &REMOTE_OPS;

    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const firn_http_options http = {
        .total_timeout_ms = TOTAL_TIMEOUT_MS,
        .response_bytes_max = FIRN_METADATA_BYTES_MAX,
        .ca_file = o->ca_file,
        .auth = auth_of(arena, remote->uri, o),
    };
    const firn_remote_config *config;
    FIRN_TRY(firn_http_client_new(&http, &remote->http, err));
    return firn_remote_config_of(remote, arena, NULL, &config, err);
}
