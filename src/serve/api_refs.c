/* Management API: branches and tags, their logs and what they hold. */
#include "api.h"

#include "base/time.h"

enum { LOG_DEFAULT = 50, LOG_MAX = 1000 };

/* ---- shared ------------------------------------------------------------------------------------------ */

firn_rc firn_api_text(const json_t *body, const char *key, const char **out, firn_err *err)
{
    return firn_call_bad(firn_json_opt_str(body, key, "the request", NULL, out, err), err);
}

firn_rc firn_api_need_text(const json_t *body, const char *key, const char **out, firn_err *err)
{
    FIRN_TRY(firn_api_text(body, key, out, err));
    if (!*out || !(*out)[0]) {
        FIRN_FAIL(err, FIRN_E_INVALID, "the request needs \"%s\"", key);
    }
    return FIRN_OK;
}

firn_rc firn_api_bool(const json_t *body, const char *key, bool *out, firn_err *err)
{
    return firn_call_bad(firn_json_opt_bool(body, key, "the request", false, out, err), err);
}

const char *firn_api_time(firn_arena *arena, int64_t us)
{
    return firn_arena_printf(arena, "%sZ", firn_format_timestamp(arena, us, false));
}

const char *firn_api_kind(firn_entry_kind kind)
{
    return kind == FIRN_KIND_TABLE ? "table" : kind == FIRN_KIND_VIEW ? "view" : "namespace";
}

json_t *firn_api_ref(firn_arena *arena, const firn_ref *ref)
{
    return json_pack("{s:s, s:s, s:s, s:s}", "name", ref->name, "type",
                     ref->is_tag ? "tag" : "branch", "commit", ref->commit_id, "updated",
                     firn_api_time(arena, ref->updated_us));
}

json_t *firn_api_or_null(int64_t count)
{
    return count < 0 ? json_null() : json_integer(count);
}

firn_commit_info firn_api_info(const firn_call *call, const char *message)
{
    return (firn_commit_info){
        .author = call->author,
        .message = message,
        .idempotency_key = call->idempotency_key,
        .idempotency_fingerprint = call->fingerprint,
    };
}

/* ---- refs -------------------------------------------------------------------------------------------- */

firn_rc firn_api_ref_list(firn_call *call, firn_err *err)
{
    const char *type = firn_call_query(call, "type");
    firn_ref *refs;
    size_t n;
    if (type && type[0] && !firn_streq(type, "branch") && !firn_streq(type, "tag")) {
        FIRN_FAIL(err, FIRN_E_INVALID, "type is \"%.50s\", but must be branch or tag", type);
    }
    FIRN_TRY(firn_catalog_ref_list(call->catalog, call->arena, &refs, &n, err));
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        if (!type || !type[0] || firn_streq(type, "tag") == refs[i].is_tag) {
            json_array_append_new(list, firn_api_ref(call->arena, &refs[i]));
        }
    }
    firn_reply_json(call, 200, json_pack("{s:o}", "references", list));
    return FIRN_OK;
}

firn_rc firn_api_ref_create(firn_call *call, firn_err *err)
{
    json_t *body;
    const char *type;
    firn_ref_make make = {0};
    firn_ref ref;
    FIRN_TRY(firn_call_body(call, &body, err));
    FIRN_TRY(firn_api_need_text(body, "name", &make.name, err));
    FIRN_TRY(firn_api_text(body, "type", &type, err));
    FIRN_TRY(firn_api_text(body, "from", &make.from, err));
    FIRN_TRY(firn_api_text(body, "expected", &make.expected, err));
    FIRN_TRY(firn_api_bool(body, "replace", &make.replace, err));
    if (type && !firn_streq(type, "branch") && !firn_streq(type, "tag")) {
        FIRN_FAIL(err, FIRN_E_INVALID, "type is \"%.50s\", but must be branch or tag", type);
    }
    make.is_tag = type && firn_streq(type, "tag");
    FIRN_TRY(firn_catalog_ref_make(call->catalog, call->arena, &make, &ref, err));
    call->keep_answer = true;
    firn_reply_json(call, 201, firn_api_ref(call->arena, &ref));
    return FIRN_OK;
}

/* The commit that a ref, a commit id or the beginning of one stands for. */
static firn_rc commit_of(firn_call *call, const char *ref, const char **out, firn_err *err)
{
    firn_commit *commits;
    const char *next;
    size_t n;
    firn_log_query query = {.ref = ref, .limit = 1};
    FIRN_TRY(firn_catalog_log_page(call->catalog, call->arena, &query, &commits, &n, &next, err));
    *out = n > 0 ? commits[0].id : NULL;
    return FIRN_OK;
}

firn_rc firn_api_ref_get(firn_call *call, firn_err *err)
{
    const char *name = firn_call_param(call, "ref");
    firn_err detail = {0};
    firn_ref ref;
    const char *commit_id;
    firn_rc rc = firn_catalog_ref_get(call->catalog, call->arena, name, &ref, &detail);
    if (rc == FIRN_OK) {
        firn_reply_json(call, 200, firn_api_ref(call->arena, &ref));
        return FIRN_OK;
    }
    FIRN_TRY(commit_of(call, name, &commit_id, err));
    firn_reply_json(call, 200,
                    json_pack("{s:n, s:s, s:s}", "name", "type", "commit", "commit", commit_id));
    return FIRN_OK;
}

firn_rc firn_api_ref_reset(firn_call *call, firn_err *err)
{
    const char *name = firn_call_param(call, "ref");
    const char *to, *expected, *new_name;
    json_t *body;
    firn_ref ref;
    FIRN_TRY(firn_call_body(call, &body, err));
    FIRN_TRY(firn_api_text(body, "to", &to, err));
    FIRN_TRY(firn_api_text(body, "name", &new_name, err));
    FIRN_TRY(firn_api_text(body, "expected", &expected, err));
    if (!to == !new_name) {
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "the request needs either \"to\" (where %.200s shall stand) or \"name\" (its new "
                  "name)",
                  name);
    }
    if (new_name) {
        FIRN_TRY(firn_catalog_ref_rename(call->catalog, name, new_name, err));
        FIRN_TRY(firn_catalog_ref_get(call->catalog, call->arena, new_name, &ref, err));
    } else {
        FIRN_TRY(firn_catalog_ref_reset(call->catalog, call->arena, name, to, expected, &ref, err));
    }
    call->keep_answer = true;
    firn_reply_json(call, 200, firn_api_ref(call->arena, &ref));
    return FIRN_OK;
}

firn_rc firn_api_ref_delete(firn_call *call, firn_err *err)
{
    const char *expected = firn_call_query(call, "expected");
    FIRN_TRY(firn_catalog_ref_drop(call->catalog, call->arena, firn_call_param(call, "ref"),
                                   expected && expected[0] ? expected : NULL, NULL, err));
    call->keep_answer = true;
    firn_reply_empty(call, 204);
    return FIRN_OK;
}

/* ---- log --------------------------------------------------------------------------------------------- */

static firn_rc query_time(const firn_call *call, const char *name, int64_t *out, firn_err *err)
{
    const char *text = firn_call_query(call, name);
    *out = 0;
    if (text && text[0] && !firn_parse_timestamp(text, out, NULL)) {
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "%s is \"%.50s\", but must be a time such as 2026-11-28T18:00:00Z", name, text);
    }
    return FIRN_OK;
}

/* table=a.b or namespace=a.b */
static firn_rc query_key(firn_call *call, firn_ident *key, bool *given)
{
    const char *table = firn_call_query(call, "table");
    const char *ns = firn_call_query(call, "namespace");
    *given = true;
    if (table && table[0]) {
        char *levels = firn_ns_parse(call->arena, table);
        char *last = strrchr(levels, FIRN_NS_SEP[0]);
        *key = (firn_ident){.ns = last ? levels : "", .name = last ? last + 1 : levels};
        if (last) {
            *last = '\0';
        }
    } else if (ns && ns[0]) {
        *key = (firn_ident){.ns = firn_ns_parse(call->arena, ns), .name = ""};
    } else {
        *given = false;
    }
    return FIRN_OK;
}

static json_t *commit_json(firn_arena *arena, const firn_commit *commit)
{
    json_t *changes = json_array();
    for (size_t i = 0; i < commit->n_changes; i++) {
        json_array_append_new(changes, json_string(commit->changes[i]));
    }
    return json_pack("{s:s, s:s?, s:s?, s:s, s:s, s:s, s:o}", "id", commit->id, "parent",
                     commit->parent_id, "merge-parent", commit->merge_parent_id, "author",
                     commit->author, "message", commit->message, "time",
                     firn_api_time(arena, commit->time_us), "changes", changes);
}

firn_rc firn_api_ref_log(firn_call *call, firn_err *err)
{
    firn_log_query query = {.ref = firn_call_param(call, "ref")};
    const char *limit_text = firn_call_query(call, "limit");
    const char *author = firn_call_query(call, "author");
    const char *token = firn_call_query(call, "page-token");
    int64_t limit = LOG_DEFAULT;
    firn_ident key;
    bool given;
    firn_commit *commits;
    const char *next;
    size_t n;
    if (limit_text && limit_text[0] &&
        (!firn_parse_i64(limit_text, &limit) || limit < 1 || limit > LOG_MAX)) {
        FIRN_FAIL(err, FIRN_E_INVALID, "limit is \"%.50s\", but must be a number from 1 to %d",
                  limit_text, LOG_MAX);
    }
    FIRN_TRY(query_time(call, "since", &query.since_us, err));
    FIRN_TRY(query_time(call, "until", &query.until_us, err));
    FIRN_TRY(query_key(call, &key, &given));
    query.limit = (size_t)limit;
    query.key = given ? &key : NULL;
    query.author = author && author[0] ? author : NULL;
    query.from = token && token[0] ? token : NULL;
    FIRN_TRY(firn_catalog_log_page(call->catalog, call->arena, &query, &commits, &n, &next, err));
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        json_array_append_new(list, commit_json(call->arena, &commits[i]));
    }
    firn_reply_json(call, 200, json_pack("{s:o, s:s?}", "commits", list, "next-page-token", next));
    return FIRN_OK;
}

/* ---- what a ref holds ---------------------------------------------------------------------------------- */

static firn_rc add_entries(firn_call *call, firn_entry_kind kind, const char *ns, json_t *list,
                           firn_err *err)
{
    firn_catalog_entry *entries;
    size_t n;
    FIRN_TRY(firn_catalog_list(call->catalog, call->arena, firn_call_param(call, "ref"), kind, ns,
                               &entries, &n, err));
    for (size_t i = 0; i < n; i++) {
        json_array_append_new(
            list, json_pack("{s:s, s:o, s:s, s:s, s:s?, s:s?, s:s}", "kind", firn_api_kind(kind),
                            "namespace", firn_call_ns_json(entries[i].ident.ns), "name",
                            entries[i].ident.name, "id", entries[i].content_id, "metadata-location",
                            entries[i].location, "commit", entries[i].commit_id, "updated",
                            firn_api_time(call->arena, entries[i].updated_us)));
    }
    return FIRN_OK;
}

firn_rc firn_api_ref_tables(firn_call *call, firn_err *err)
{
    const char *text = firn_call_query(call, "namespace");
    const char *ns = text && text[0] ? firn_ns_parse(call->arena, text) : NULL;
    json_t *list = firn_json_own(call->arena, json_array());
    FIRN_TRY(add_entries(call, FIRN_KIND_TABLE, ns, list, err));
    FIRN_TRY(add_entries(call, FIRN_KIND_VIEW, ns, list, err));
    firn_reply_json(call, 200, json_pack("{s:O}", "entries", list));
    return FIRN_OK;
}
