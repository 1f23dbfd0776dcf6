/* What was asked: parameters, bodies, names, pages. */
#include "call.h"

#include <stdlib.h>

enum {
    PAGE_SIZE_DEFAULT = 5000, /* of a client that asks for pages without saying how large */
    PAGE_SIZE_MAX = 100000,
};

const char *firn_call_param(const firn_call *call, const char *name)
{
    for (size_t i = 0; i < call->n_params; i++) {
        if (firn_streq(call->params[i].name, name)) {
            return call->params[i].value;
        }
    }
    return NULL;
}

const char *firn_call_query(const firn_call *call, const char *name)
{
    return firn_query_value(call->arena, call->request->query, name);
}

firn_rc firn_call_query_bool(const firn_call *call, const char *name, bool *out, firn_err *err)
{
    const char *text = firn_call_query(call, name);
    *out = text && firn_strcaseeq(text, "true");
    if (text && text[0] && !*out && !firn_strcaseeq(text, "false")) {
        FIRN_FAIL(err, FIRN_E_INVALID, "%s is \"%.100s\", but must be true or false", name, text);
    }
    return FIRN_OK;
}

firn_rc firn_call_bad(firn_rc rc, firn_err *err)
{
    if (rc == FIRN_E_CORRUPT) {
        FIRN_FAIL(err, FIRN_E_INVALID, "%s", err ? err->message : "the request is malformed");
    }
    return rc;
}

firn_rc firn_call_body(const firn_call *call, json_t **out, firn_err *err)
{
    if (call->request->body.len == 0) {
        FIRN_FAIL(err, FIRN_E_INVALID, "the request has no body, but needs a JSON object");
    }
    FIRN_TRY(firn_call_bad(
        firn_json_parse(call->arena, call->request->body, "the request's body", out, err), err));
    if (!json_is_object(*out)) {
        FIRN_FAIL(err, FIRN_E_INVALID, "the request's body must be a JSON object");
    }
    return FIRN_OK;
}

/* ---- names ------------------------------------------------------------------------------------------- */

/* Levels come joined by 0x1F, the only separator there is: it is also the one that /v1/config advertises. */
firn_rc firn_call_ns(const firn_call *call, const char **ns, firn_err *err)
{
    *ns = firn_call_param(call, "namespace");
    if (!*ns || !(*ns)[0]) {
        FIRN_FAIL(err, FIRN_E_INVALID, "the path names no namespace");
    }
    return FIRN_OK;
}

firn_rc firn_call_ident(const firn_call *call, const char *name, firn_ident *out, firn_err *err)
{
    FIRN_TRY(firn_call_ns(call, &out->ns, err));
    out->name = firn_call_param(call, name);
    if (!out->name || !out->name[0]) {
        FIRN_FAIL(err, FIRN_E_INVALID, "the path names no %s", name);
    }
    return FIRN_OK;
}

firn_rc firn_call_resolve_at(const firn_call *call, const char **ref, firn_ident *ident,
                             firn_err *err)
{
    *ref = call->ref;
    const char *at = strrchr(ident->name, '@');
    if (!at || at == ident->name || !at[1]) {
        return FIRN_OK;
    }
    firn_catalog_entry entry;
    firn_rc rc = firn_catalog_entry_get(call->catalog, call->arena, call->ref, *ident, &entry, err);
    if (rc != FIRN_E_NO_TABLE) {
        return rc;
    }
    firn_ref found;
    rc = firn_catalog_ref_get(call->catalog, call->arena, at + 1, &found, err);
    if (rc == FIRN_OK) {
        *ref = firn_arena_strdup(call->arena, at + 1);
        ident->name = firn_arena_strndup(call->arena, ident->name, (size_t)(at - ident->name));
    }
    return rc == FIRN_E_NO_REF ? FIRN_OK : rc;
}

firn_rc firn_call_ident_at(const firn_call *call, const char *name, const char **ref,
                           firn_ident *out, firn_err *err)
{
    FIRN_TRY(firn_call_ident(call, name, out, err));
    return firn_call_resolve_at(call, ref, out, err);
}

firn_rc firn_call_ns_of_json(const firn_call *call, const json_t *levels, const char **ns,
                             firn_err *err)
{
    size_t n = json_array_size(levels);
    const char **parts = FIRN_NEW_N(call->arena, const char *, n);
    for (size_t i = 0; i < n; i++) {
        parts[i] = json_string_value(json_array_get(levels, i));
        if (!parts[i] || !parts[i][0] || strchr(parts[i], FIRN_NS_SEP[0])) {
            FIRN_FAIL(err, FIRN_E_INVALID,
                      "level %zu of the namespace is not a name: it must be non-empty text without "
                      "control characters",
                      i + 1);
        }
    }
    if (n == 0) {
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "the namespace must be an array with at least one name in it");
    }
    *ns = firn_str_join(call->arena, parts, n, FIRN_NS_SEP);
    return FIRN_OK;
}

firn_rc firn_call_ident_of_json(const firn_call *call, const json_t *identifier, firn_ident *out,
                                firn_err *err)
{
    if (!json_is_object(identifier)) {
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "an identifier must be an object with \"namespace\" and \"name\"");
    }
    FIRN_TRY(
        firn_call_bad(firn_json_str(identifier, "name", "the identifier", &out->name, err), err));
    return firn_call_ns_of_json(call, json_object_get(identifier, "namespace"), &out->ns, err);
}

json_t *firn_call_ns_json(const char *ns)
{
    json_t *levels = json_array();
    for (const char *at = ns;; at++) {
        size_t len = strcspn(at, FIRN_NS_SEP);
        json_array_append_new(levels, json_stringn(at, len));
        at += len;
        if (!*at) {
            return levels;
        }
    }
}

json_t *firn_call_ident_json(firn_ident ident)
{
    return json_pack("{s:o, s:s}", "namespace", firn_call_ns_json(ident.ns), "name", ident.name);
}

/* ---- commits ------------------------------------------------------------------------------------------ */

firn_rc firn_call_commit(firn_call *call, const char *branch, const firn_change *changes, size_t n,
                         firn_commit_result *out, firn_err *err)
{
    firn_commit_info info = {
        .author = call->author,
        .queue = true,
        .idempotency_key = call->idempotency_key,
        .idempotency_fingerprint = call->fingerprint,
    };
    firn_commit_result ignored;
    out = out ? out : &ignored;
    FIRN_TRY(firn_call_check_locations(call, branch, changes, n, err));
    firn_rc rc =
        firn_catalog_commit(call->catalog, call->arena, branch, changes, n, &info, out, err);
    if (rc != FIRN_OK) {
        return firn_call_explain_commit(call, rc, branch, changes, n, err);
    }
    call->committed = out->commit_id != NULL;
    return FIRN_OK;
}

/* ---- pages -------------------------------------------------------------------------------------------- */

/* A token is the last name of the page before, in hexadecimal: stateless, and right also when names come and go between pages. */
firn_rc firn_call_page(const firn_call *call, const char *const *names, size_t n, firn_page *out,
                       firn_err *err)
{
    const char *token = firn_call_query(call, "pageToken");
    const char *size_text = firn_call_query(call, "pageSize");
    int64_t size = PAGE_SIZE_DEFAULT;
    firn_bytes last = {0};
    *out = (firn_page){.from = 0, .to = n};
    if (size_text && size_text[0] && (!firn_parse_i64(size_text, &size) || size < 1)) {
        FIRN_FAIL(err, FIRN_E_INVALID, "pageSize is \"%.50s\", but must be a number of at least 1",
                  size_text);
    }
    if (!token && !size_text) {
        return FIRN_OK;
    }
    size = size > PAGE_SIZE_MAX ? PAGE_SIZE_MAX : size;
    if (token && token[0]) {
        if (!firn_unhex(call->arena, token, &last)) {
            FIRN_FAIL(err, FIRN_E_INVALID,
                      "the pageToken is not one that this server gave: start again without it");
        }
        while (out->from < n && firn_bytes_cmp(firn_bytes_str(names[out->from]), last) <= 0) {
            out->from++;
        }
    }
    if (n - out->from > (size_t)size) {
        out->to = out->from + (size_t)size;
        out->next_token = firn_hex(call->arena, firn_bytes_str(names[out->to - 1]));
    }
    return FIRN_OK;
}
