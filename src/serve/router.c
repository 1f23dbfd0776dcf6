/* From a request to its handler: base path, ref, route, parameters, role.
 *
 * Paths are split on raw '/' first and decoded segment by segment, so that "%2F" in a name stays in the name. Three things may be
 * several segments long: the ref of /iceberg/<ref>/v1 and the {prefix} of a route, because clients (DuckDB) send "run%2Fr-1" as
 * "run/r-1"; and nothing else. The prefix may also be absent. Of several ways to read a path the one with the shortest prefix is
 * taken, an absent one last.
 *
 * '+' in a path is a plus, except from the Iceberg project's Java library, which writes spaces so; it says who it is in
 * X-Client-Version.
 */
#include "auth.h"
#include "call.h"

#include "base/vec.h"

enum { PATH_SEGMENTS_MAX = 64, PATH_BYTES_MAX = 8192 };

typedef struct path {
    const char *segments[PATH_SEGMENTS_MAX]; /* still encoded */
    size_t n;
} path;

/* A route that fits, and how. */
typedef struct match {
    const firn_route *route;
    size_t v1;     /* where the pattern's first segment is */
    size_t prefix; /* how many segments {prefix} takes */
} match;

static firn_rc split_path(firn_call *call, path *out, firn_err *err)
{
    const char *raw = call->request->path;
    if (strlen(raw) > PATH_BYTES_MAX) {
        FIRN_FAIL(err, FIRN_E_LIMIT, "the path has more than %d bytes", PATH_BYTES_MAX);
    }
    size_t n;
    char **parts = firn_str_split(call->arena, raw, '/', &n);
    for (size_t i = 0; i < n; i++) {
        if (parts[i][0] == '\0') {
            continue; /* leading, trailing and doubled slashes: no name is empty */
        }
        if (out->n == PATH_SEGMENTS_MAX) {
            FIRN_FAIL(err, FIRN_E_LIMIT, "the path has more than %d segments", PATH_SEGMENTS_MAX);
        }
        out->segments[out->n++] = parts[i];
    }
    return FIRN_OK;
}

static firn_rc decode(firn_call *call, const char *segment, const char **out, firn_err *err)
{
    *out = firn_url_decode(call->arena, segment, strlen(segment), call->plus_is_space);
    if (!*out || !firn_utf8_valid(firn_bytes_str(*out))) {
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "the path's part \"%.100s\" is not percent-encoded UTF-8 text", segment);
    }
    return FIRN_OK;
}

/* ---- matching ----------------------------------------------------------------------------------------- */

/* The next segment of a pattern "/a/{b}/c"; its length is 0 at the end. */
static const char *pattern_segment(const char *pattern, size_t *len)
{
    pattern += *pattern == '/';
    *len = strcspn(pattern, "/");
    return pattern;
}

static bool is_prefix(const char *segment, size_t len)
{
    return len == 8 && memcmp(segment, "{prefix}", 8) == 0;
}

/* Whether the pattern fits the path from segment `at` on when {prefix} takes `prefix` segments. */
static bool fits(const char *pattern, const path *p, size_t at, size_t prefix)
{
    for (;;) {
        size_t len;
        const char *segment = pattern_segment(pattern, &len);
        if (len == 0) {
            return at == p->n;
        }
        if (is_prefix(segment, len)) {
            at += prefix;
        } else if (at >= p->n) {
            return false;
        } else if (segment[0] == '{') {
            at++;
        } else if (strlen(p->segments[at]) == len && memcmp(segment, p->segments[at], len) == 0) {
            at++;
        } else {
            return false;
        }
        pattern = segment + len;
    }
}

/* Every route whose pattern fits in the same way, into `matches`. */
static size_t match_at(const path *p, size_t v1, size_t prefix, bool below_base, match *matches)
{
    size_t n = 0;
    for (size_t i = 0; i < firn_routes_len; i++) {
        bool has_prefix = strstr(firn_routes[i].pattern, "{prefix}") != NULL;
        bool catalog = firn_starts_with(firn_routes[i].pattern, "/v1/");
        if ((catalog || !below_base) && (has_prefix || prefix == 0) &&
            fits(firn_routes[i].pattern, p, v1, prefix)) {
            matches[n++] = (match){.route = &firn_routes[i], .v1 = v1, .prefix = prefix};
        }
    }
    return n;
}

static size_t match_below(const path *p, size_t v1, bool below_base, match *matches)
{
    for (size_t prefix = 1; v1 + prefix < p->n; prefix++) {
        size_t n = match_at(p, v1, prefix, below_base, matches);
        if (n > 0) {
            return n;
        }
    }
    return match_at(p, v1, 0, below_base, matches);
}

static size_t match_path(const path *p, match *matches)
{
    if (p->n == 0 || !firn_streq(p->segments[0], "iceberg")) {
        return match_below(p, 0, false, matches);
    }
    for (size_t v1 = 1; v1 < p->n; v1++) {
        size_t n = firn_streq(p->segments[v1], "v1") ? match_below(p, v1, true, matches) : 0;
        if (n > 0) {
            return n;
        }
    }
    return 0;
}

/* The match of the method; a HEAD without a row of its own is a GET whose body nobody sends. */
static const match *choose_method(const match *matches, size_t n, const char *method)
{
    for (size_t i = 0; i < n; i++) {
        if (firn_streq(matches[i].route->method, method)) {
            return &matches[i];
        }
    }
    return firn_streq(method, "HEAD") ? choose_method(matches, n, "GET") : NULL;
}

static firn_rc method_not_allowed(firn_call *call, const match *matches, size_t n, firn_err *err)
{
    const char *allow = "";
    for (size_t i = 0; i < n; i++) {
        allow = firn_arena_printf(call->arena, "%s%s%s", allow, i > 0 ? ", " : "",
                                  matches[i].route->method);
    }
    call->allow = allow;
    FIRN_CALL_FAIL(call, err, FIRN_E_INVALID, 405, "MethodNotAllowedException",
                   "%.20s is not allowed here; allowed: %s", call->request->method, allow);
}

/* ---- ref and parameters -------------------------------------------------------------------------------- */

/* Segments from..to decoded and joined by '/'; "ref|lake" is cut at the bar. */
static firn_rc ref_of(firn_call *call, const path *p, size_t from, size_t to, const char **out,
                      firn_err *err)
{
    const char *parts[PATH_SEGMENTS_MAX];
    for (size_t i = from; i < to; i++) {
        FIRN_TRY(decode(call, p->segments[i], &parts[i - from], err));
    }
    char *ref = firn_str_join(call->arena, parts, to - from, "/");
    char *bar = strchr(ref, '|');
    if (bar) {
        *bar = '\0';
        if (bar[1] && !firn_streq(bar + 1, call->server->lake_name) &&
            !firn_streq(bar + 1, call->server->warehouse)) {
            FIRN_CALL_FAIL(call, err, FIRN_E_NOT_FOUND, 404, "NoSuchWarehouseException",
                           "there is no warehouse %.200s here: this is %s", bar + 1,
                           call->server->lake_name);
        }
    }
    if (ref[0]) {
        *out = ref;
    }
    return FIRN_OK;
}

/* A client that was told the lake's name as its prefix, by hand, means the default branch; a ref of that name comes first. */
static void lake_name_is_no_ref(firn_call *call, const char *default_ref)
{
    firn_ref found;
    if (firn_streq(call->ref, call->server->lake_name) &&
        firn_catalog_ref_get(call->catalog, call->arena, call->ref, &found, NULL) ==
            FIRN_E_NO_REF) {
        call->ref = default_ref;
    }
}

static firn_rc bind_params(firn_call *call, const path *p, const match *m, firn_err *err)
{
    const char *pattern = m->route->pattern;
    size_t at = m->v1;
    for (;;) {
        size_t len;
        const char *segment = pattern_segment(pattern, &len);
        if (len == 0) {
            return FIRN_OK;
        }
        if (is_prefix(segment, len)) {
            const char *default_ref = call->ref;
            FIRN_TRY(ref_of(call, p, at, at + m->prefix, &call->ref, err));
            lake_name_is_no_ref(call, default_ref);
            at += m->prefix;
        } else {
            if (segment[0] == '{') {
                const char *name = firn_arena_strndup(call->arena, segment + 1, len - 2);
                const char *value;
                FIRN_TRY(decode(call, p->segments[at], &value, err));
                call->params[call->n_params].name = name;
                call->params[call->n_params++].value = value;
            }
            at++;
        }
        pattern = segment + len;
    }
}

static firn_rc check_query(const firn_call *call, firn_err *err)
{
    const char *query = call->request->query;
    const char *plain = query ? firn_url_decode(call->arena, query, strlen(query), true) : "";
    if (!plain || !firn_utf8_valid(firn_bytes_str(plain))) {
        FIRN_FAIL(err, FIRN_E_INVALID, "the query string is not percent-encoded UTF-8 text");
    }
    return FIRN_OK;
}

static firn_rc route(firn_call *call, firn_err *err)
{
    path p = {.n = 0};
    FIRN_TRY(split_path(call, &p, err));
    match *matches = FIRN_NEW_N(call->arena, match, firn_routes_len);
    size_t n = match_path(&p, matches);
    if (n == 0) {
        FIRN_CALL_FAIL(call, err, FIRN_E_NOT_FOUND, 404, "NoSuchEndpointException",
                       "there is nothing at %.300s: the catalog's API begins at /iceberg/v1/config",
                       firn_utf8_valid(firn_bytes_str(call->request->path)) ? call->request->path
                                                                            : "this path");
    }
    const match *m = choose_method(matches, n, call->request->method);
    if (!m) {
        return method_not_allowed(call, matches, n, err);
    }
    call->route = m->route;
    FIRN_TRY(check_query(call, err));
    if (m->v1 > 1) {
        FIRN_TRY(ref_of(call, &p, 1, m->v1, &call->ref, err));
    }
    return bind_params(call, &p, m, err);
}

/* ---- the whole way ------------------------------------------------------------------------------------- */

/* The handler, or the answer that this very request got before. */
static firn_rc handle_once(firn_call *call, firn_err *err)
{
    bool answered;
    FIRN_TRY(firn_call_once_begin(call, &answered, err));
    if (answered) {
        return FIRN_OK;
    }
    firn_rc rc = call->route->handle(call, err);
    if (rc != FIRN_OK) {
        firn_reply_error(call, rc, err);
    }
    firn_call_once_end(call, rc);
    return FIRN_OK;
}

static firn_rc handle(firn_call *call, firn_err *err)
{
    FIRN_TRY(route(call, err));
    FIRN_TRY(firn_auth_check(call, err));
    return handle_once(call, err);
}

void firn_serve_request(firn_server *server, const firn_http_request *request,
                        firn_http_response *response)
{
    const char *client = firn_http_request_header(request, "X-Client-Version");
    firn_call call = {
        .server = server,
        .catalog = server->catalog,
        .arena = request->arena,
        .request = request,
        .response = response,
        .ref = FIRN_MAIN,
        .plus_is_space = client && firn_starts_with(client, "Apache Iceberg"),
    };
    firn_err err = {0};
    firn_rc rc = handle(&call, &err);
    if (rc != FIRN_OK) {
        firn_reply_error(&call, rc, &err);
    }
    firn_serve_count(server, &call);
}
