/* Who may do what: see auth.h. Secrets are compared by digests under the lake's key, all of them every time, so that neither
 * their length nor how much of them was right shows in the time that it takes.
 */
#include "auth.h"
#include "jwt.h"

#include "base/io.h"
#include "base/time.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

struct firn_auth {
    bool on;
    uint8_t key[FIRN_JWT_KEY_BYTES];
    int64_t lifetime_s;
    firn_principal *principals;
    size_t n;
};

/* ---- the lake's key --------------------------------------------------------------------------------------- */

static firn_rc read_key(firn_arena *arena, const char *path, uint8_t *key, firn_err *err)
{
    firn_bytes text, bytes;
    struct stat info;
    FIRN_TRY(firn_file_read(arena, path, 1024, &text, err));
    if (!firn_unhex(arena, firn_str_trim(arena, (const char *)text.data), &bytes) ||
        bytes.len != FIRN_JWT_KEY_BYTES) {
        FIRN_FAIL(
            err, FIRN_E_CORRUPT,
            "%s does not hold a key; delete it, and a new one is made (tokens that were given "
            "out end then)",
            path);
    }
    if (stat(path, &info) == 0 && (info.st_mode & 077) != 0) {
        FIRN_FAIL(err, FIRN_E_PERMISSION,
                  "%s can be read by others on this machine, who could make tokens with it: delete "
                  "it, and a new one is made",
                  path);
    }
    memcpy(key, bytes.data, FIRN_JWT_KEY_BYTES);
    return FIRN_OK;
}

/* Written under another name and linked: whoever comes first makes the key, and nobody sees half of one. */
static firn_rc make_key(firn_arena *arena, const char *path, firn_err *err)
{
    uint8_t key[FIRN_JWT_KEY_BYTES];
    if (RAND_bytes(key, sizeof(key)) != 1) {
        FIRN_FAIL(err, FIRN_E_INTERNAL, "the system gives no random numbers for %s", path);
    }
    const char *text = firn_hex(arena, firn_bytes_of(key, sizeof(key)));
    const char *temporary = firn_arena_printf(arena, "%s.%d", path, (int)getpid());
    FIRN_TRY(firn_file_write_atomic(temporary, firn_bytes_str(text), 0600, err));
    int rc = link(temporary, path);
    int error = errno;
    unlink(temporary);
    if (rc != 0 && error != EEXIST) {
        return firn_err_errno(err, __FILE__, __LINE__, error, "cannot write %s", path);
    }
    return FIRN_OK;
}

static firn_rc load_key(firn_arena *arena, const char *path, uint8_t *key, firn_err *err)
{
    firn_rc rc = read_key(arena, path, key, err);
    if (rc != FIRN_E_NOT_FOUND) {
        return rc;
    }
    FIRN_TRY(make_key(arena, path, err));
    return read_key(arena, path, key, err);
}

/* ---- principals --------------------------------------------------------------------------------------------- */

static void digest_of(const firn_auth *auth, const char *secret, uint8_t out[32])
{
    unsigned len = 32;
    HMAC(EVP_sha256(), auth->key, sizeof(auth->key), (const uint8_t *)secret, strlen(secret), out,
         &len);
}

static firn_rc read_role(const char *key, const char *name, const char *text, firn_role *out,
                         firn_err *err)
{
    static const char *const names[] = {
        [FIRN_ROLE_READER] = "reader", [FIRN_ROLE_WRITER] = "writer", [FIRN_ROLE_ADMIN] = "admin"};
    for (firn_role role = FIRN_ROLE_READER; role <= FIRN_ROLE_ADMIN; role++) {
        if (firn_streq(text, names[role])) {
            *out = role;
            return FIRN_OK;
        }
    }
    FIRN_FAIL(err, FIRN_E_CONFIG,
              "the role of \"%s\" in %s is \"%s\", but must be reader, writer or admin", name, key,
              text);
}

static firn_rc add(firn_auth *auth, const char *key, const char *name, const char *secret,
                   const char *role, bool is_client, firn_err *err)
{
    firn_principal *p = &auth->principals[auth->n];
    *p = (firn_principal){.name = name, .secret = secret, .is_client = is_client};
    FIRN_TRY(read_role(key, name, role, &p->role, err));
    digest_of(auth, secret, p->digest);
    auth->n++;
    return FIRN_OK;
}

firn_rc firn_auth_new(firn_arena *arena, firn_lake *lake, const char *mode, firn_auth **out,
                      firn_err *err)
{
    const firn_config *config = firn_lake_config(lake);
    firn_auth *auth = FIRN_NEW(arena, firn_auth);
    *out = auth;
    auth->on = firn_streq(mode ? mode : config->serve_auth, "token");
    auth->lifetime_s = config->serve_token_ms / 1000;
    if (!auth->on) {
        return FIRN_OK;
    }
    if (config->n_serve_tokens + config->n_serve_clients == 0) {
        FIRN_FAIL(err, FIRN_E_CONFIG,
                  "serve.auth is token, but nobody could log in: list serve.tokens or "
                  "serve.clients in %s/firn.yaml",
                  firn_lake_root(lake));
    }
    FIRN_TRY(load_key(arena, firn_lake_path(lake, arena, ".firn/serve.secret"), auth->key, err));
    auth->principals =
        FIRN_NEW_N(arena, firn_principal, config->n_serve_tokens + config->n_serve_clients);
    for (size_t i = 0; i < config->n_serve_tokens; i++) {
        const firn_config_token *t = &config->serve_tokens[i];
        FIRN_TRY(add(auth, "serve.tokens", t->name, t->token, t->role, false, err));
    }
    for (size_t i = 0; i < config->n_serve_clients; i++) {
        const firn_config_client *c = &config->serve_clients[i];
        FIRN_TRY(add(auth, "serve.clients", c->id, c->secret, c->role, true, err));
    }
    return FIRN_OK;
}

bool firn_auth_is_on(const firn_auth *auth)
{
    return auth->on;
}

firn_rc firn_auth_check_address(const firn_auth *auth, const firn_config *config,
                                const char *listen, firn_err *err)
{
    if (firn_http_is_loopback(listen)) {
        return FIRN_OK;
    }
    if (!auth->on) {
        FIRN_FAIL(err, FIRN_E_CONFIG,
                  "cannot listen on %s: without authentication the server is for this machine only "
                  "(127.0.0.1:8181). Set serve.auth: token and list serve.tokens or serve.clients "
                  "in firn.yaml",
                  listen);
    }
    if (!config->serve_tls_cert && !config->serve_insecure) {
        FIRN_FAIL(
            err, FIRN_E_CONFIG,
            "cannot listen on %s: tokens would travel in the clear. Set serve.tls_cert and "
            "serve.tls_key in firn.yaml, or serve.insecure: true behind a proxy that has https",
            listen);
    }
    return FIRN_OK;
}

/* Every principal is compared, and by digests: time tells nothing. */
static const firn_principal *by_secret(const firn_auth *auth, bool is_client, const char *id,
                                       const char *secret)
{
    uint8_t digest[32];
    const firn_principal *found = NULL;
    digest_of(auth, secret, digest);
    for (size_t i = 0; i < auth->n; i++) {
        const firn_principal *p = &auth->principals[i];
        bool same = CRYPTO_memcmp(digest, p->digest, sizeof(digest)) == 0;
        if (same && p->is_client == is_client && (!id || firn_streq(id, p->name))) {
            found = p;
        }
    }
    return found;
}

const firn_principal *firn_auth_client(const firn_auth *auth, const char *id, const char *secret)
{
    return auth->on ? by_secret(auth, true, id, secret) : NULL;
}

/* ---- tokens ---------------------------------------------------------------------------------------------------- */

static char *credential_mark(firn_arena *arena, const firn_principal *p)
{
    return firn_hex(arena, firn_bytes_of(p->digest, 8));
}

char *firn_auth_issue(const firn_auth *auth, firn_arena *arena, const firn_principal *to,
                      int64_t *lifetime_s)
{
    int64_t now = firn_now_ms() / 1000;
    *lifetime_s = auth->lifetime_s;
    json_t *claims = json_pack("{s:s, s:s, s:b, s:s, s:I, s:I}", "iss", "firn", "sub", to->name,
                               "client", to->is_client, "mark", credential_mark(arena, to), "iat",
                               (json_int_t)now, "exp", (json_int_t)(now + auth->lifetime_s));
    return firn_jwt_sign(arena, auth->key, firn_json_own(arena, claims));
}

const firn_principal *firn_auth_token(const firn_auth *auth, firn_arena *arena, const char *token,
                                      bool even_expired)
{
    const firn_principal *p = by_secret(auth, false, NULL, token);
    if (p) {
        return p;
    }
    const json_t *claims = firn_jwt_verify(arena, auth->key, token);
    const char *name = json_string_value(json_object_get(claims, "sub"));
    const char *mark = json_string_value(json_object_get(claims, "mark"));
    if (!name || !mark ||
        (!even_expired &&
         json_integer_value(json_object_get(claims, "exp")) <= firn_now_ms() / 1000)) {
        return NULL;
    }
    bool is_client = json_is_true(json_object_get(claims, "client"));
    for (size_t i = 0; i < auth->n; i++) {
        p = &auth->principals[i];
        if (p->is_client == is_client && firn_streq(p->name, name) &&
            firn_streq(credential_mark(arena, p), mark)) {
            return p;
        }
    }
    return NULL;
}

const char *firn_auth_header(const firn_http_request *request, const char *scheme)
{
    const char *header = firn_http_request_header(request, "Authorization");
    size_t len = strlen(scheme);
    if (!header || strncasecmp(header, scheme, len) != 0 || header[len] != ' ') {
        return NULL;
    }
    return header + len + strspn(header + len, " ");
}

/* ---- browsers ---------------------------------------------------------------------------------------------------- */

/* "localhost:8181", "[::1]", "127.0.0.1:8181": the port may be absent here. */
static bool is_this_machine(firn_arena *arena, const char *host)
{
    return firn_http_is_loopback(host) ||
           firn_http_is_loopback(firn_arena_printf(arena, "%s:0", host));
}

/* Without authentication: a page of another site, open in a browser on this machine, must not get at the lake. */
static firn_rc check_browser(firn_call *call, firn_err *err)
{
    const char *host = firn_http_request_header(call->request, "Host");
    if (host && !is_this_machine(call->arena, host)) {
        FIRN_CALL_FAIL(call, err, FIRN_E_PERMISSION, 403, "ForbiddenException",
                       "this server has no authentication and answers to this machine's names only "
                       "(localhost, 127.0.0.1), not to \"%.100s\"",
                       host);
    }
    if (call->route->role < FIRN_ROLE_WRITER) {
        return FIRN_OK;
    }
    const char *site = firn_http_request_header(call->request, "Sec-Fetch-Site");
    const char *origin = firn_http_request_header(call->request, "Origin");
    const char *authority = origin ? strstr(origin, "://") : NULL;
    bool foreign = (site && !firn_streq(site, "same-origin") && !firn_streq(site, "none")) ||
                   (origin && (!authority || !host || !firn_strcaseeq(authority + 3, host)));
    if (foreign) {
        FIRN_CALL_FAIL(call, err, FIRN_E_PERMISSION, 403, "ForbiddenException",
                       "a page of another site must not change this lake");
    }
    return FIRN_OK;
}

/* ---- the check ----------------------------------------------------------------------------------------------------- */

static firn_rc not_authorized(firn_call *call, const char *why, firn_err *err)
{
    call->challenge = "Bearer realm=\"firn\"";
    FIRN_CALL_FAIL(call, err, FIRN_E_PERMISSION, 401, "NotAuthorizedException", "%s", why);
}

firn_rc firn_auth_check(firn_call *call, firn_err *err)
{
    const firn_auth *auth = call->server->auth;
    if (!auth->on) {
        call->role = FIRN_ROLE_ADMIN;
        return check_browser(call, err);
    }
    if (call->route->role == FIRN_ROLE_NONE) {
        return FIRN_OK;
    }
    const char *token = firn_auth_header(call->request, "Bearer");
    if (!token) {
        return not_authorized(
            call,
            "this server needs a token: send \"Authorization: Bearer ...\", or give the client "
            "its `token` or `credential`",
            err);
    }
    const firn_principal *p = firn_auth_token(auth, call->arena, token, false);
    if (!p) {
        return not_authorized(call, "the token is not known here, or has expired", err);
    }
    call->role = p->role;
    call->author = p->name;
    if (call->role < call->route->role) {
        FIRN_CALL_FAIL(call, err, FIRN_E_PERMISSION, 403, "ForbiddenException",
                       "%s may not do this: it needs the role %s", p->name,
                       call->route->role == FIRN_ROLE_ADMIN ? "admin" : "writer");
    }
    return FIRN_OK;
}
