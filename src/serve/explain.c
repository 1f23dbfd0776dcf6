/* What is missing or taken, in Java's words.
 *
 * Clients of the Iceberg project, and its tests, know a refusal by how its text begins ("Table does not exist: s.t", "View with same
 * name already exists: s.v"). The catalog says the same for people; so its text is replaced, but for the hint at a near name.
 */
#include "call.h"

/* The hint that ends the catalog's message, or "". */
static const char *hint(const firn_call *call, const firn_err *err)
{
    const char *at = err ? strstr(err->message, ". Did you mean ") : NULL;
    return at ? firn_arena_strdup(call->arena, at) : "";
}

firn_rc firn_call_explain(const firn_call *call, firn_rc rc, firn_ident ident, firn_err *err)
{
    const char *hint_text = hint(call, err);
    const char *what = rc == FIRN_E_NO_TABLE       ? "Table"
                       : rc == FIRN_E_NO_VIEW      ? "View"
                       : rc == FIRN_E_NO_NAMESPACE ? "Namespace"
                                                   : NULL;
    if (!what) {
        return rc;
    }
    const char *name = rc == FIRN_E_NO_NAMESPACE ? firn_ns_text(call->arena, ident.ns)
                                                 : firn_ident_text(call->arena, ident);
    FIRN_FAIL(err, rc, "%s does not exist: %s%s", what, name, hint_text);
}

/* What stands under a name: FIRN_KIND_NAMESPACE for nothing. */
static firn_entry_kind kind_of(const firn_call *call, const char *branch, firn_ident ident)
{
    firn_catalog_entry entry;
    firn_rc rc =
        ident.name ? firn_catalog_entry_get(call->catalog, call->arena, branch, ident, &entry, NULL)
                   : FIRN_E_NO_TABLE;
    return rc == FIRN_OK ? entry.kind : FIRN_KIND_NAMESPACE;
}

static bool has_namespace(const firn_call *call, const char *branch, const char *ns)
{
    json_t *ignored;
    return firn_catalog_namespace_properties(call->catalog, call->arena, branch, ns, &ignored,
                                             NULL) == FIRN_OK;
}

static bool is_create(const firn_change *change, firn_entry_kind *kind)
{
    *kind = change->kind == FIRN_CHANGE_CREATE_VIEW || change->kind == FIRN_CHANGE_REGISTER_VIEW
                ? FIRN_KIND_VIEW
                : FIRN_KIND_TABLE;
    return *kind == FIRN_KIND_VIEW || change->kind == FIRN_CHANGE_CREATE_TABLE ||
           change->kind == FIRN_CHANGE_REGISTER_TABLE;
}

firn_rc firn_call_explain_exists(const firn_call *call, const char *branch, firn_entry_kind wanted,
                                 firn_ident ident, firn_err *err)
{
    firn_entry_kind there = kind_of(call, branch, ident);
    if (there != FIRN_KIND_NAMESPACE) {
        FIRN_FAIL(err, FIRN_E_EXISTS, "%s%s already exists: %s",
                  there == FIRN_KIND_TABLE ? "Table" : "View",
                  there == wanted ? "" : " with same name", firn_ident_text(call->arena, ident));
    }
    return FIRN_E_EXISTS;
}

static firn_rc explain_exists(const firn_call *call, const char *branch, const firn_change *change,
                              firn_err *err)
{
    firn_arena *arena = call->arena;
    firn_entry_kind wanted;
    if (change->kind == FIRN_CHANGE_CREATE_NAMESPACE) {
        FIRN_FAIL(err, FIRN_E_EXISTS, "Namespace already exists: %s",
                  firn_ns_text(arena, change->ident.ns));
    }
    if (change->kind == FIRN_CHANGE_RENAME_TABLE || change->kind == FIRN_CHANGE_RENAME_VIEW) {
        firn_entry_kind there = kind_of(call, branch, change->to);
        if (there != FIRN_KIND_NAMESPACE) {
            FIRN_FAIL(err, FIRN_E_EXISTS, "Cannot rename %s to %s. %s already exists",
                      firn_ident_text(arena, change->ident), firn_ident_text(arena, change->to),
                      there == FIRN_KIND_TABLE ? "Table" : "View");
        }
    }
    if (!is_create(change, &wanted)) {
        return FIRN_E_EXISTS;
    }
    if (change->kind == FIRN_CHANGE_CREATE_TABLE && json_array_size(change->requirements) > 0 &&
        kind_of(call, branch, change->ident) == FIRN_KIND_TABLE) {
        FIRN_FAIL(err, FIRN_E_EXISTS, "Requirement failed: table already exists: %s",
                  firn_ident_text(arena, change->ident));
    }
    return firn_call_explain_exists(call, branch, wanted, change->ident, err);
}

/* The namespace that one of the changes needs and does not find, or NULL. */
static const char *missing_namespace(const firn_call *call, const char *branch,
                                     const firn_change *change)
{
    const char *needed[] = {change->ident.ns, change->to.ns};
    if (change->kind == FIRN_CHANGE_CREATE_NAMESPACE) {
        const char *end = strrchr(change->ident.ns, FIRN_NS_SEP[0]);
        needed[0] = end ? firn_arena_strndup(call->arena, change->ident.ns,
                                             (size_t)(end - change->ident.ns))
                        : NULL;
    }
    for (size_t i = 0; i < 2; i++) {
        if (needed[i] && !has_namespace(call, branch, needed[i])) {
            return needed[i];
        }
    }
    return NULL;
}

static bool misses_entry(const firn_call *call, const char *branch, const firn_change *change,
                         firn_entry_kind kind)
{
    firn_entry_kind created;
    return change->ident.name && !is_create(change, &created) &&
           kind_of(call, branch, change->ident) != kind;
}

firn_rc firn_call_explain_commit(const firn_call *call, firn_rc rc, const char *branch,
                                 const firn_change *changes, size_t n, firn_err *err)
{
    for (size_t i = 0; i < n; i++) {
        const firn_change *change = &changes[i];
        const char *ns = rc == FIRN_E_NO_NAMESPACE ? missing_namespace(call, branch, change) : NULL;
        if (ns) {
            return firn_call_explain(call, rc, (firn_ident){.ns = ns}, err);
        }
        if ((rc == FIRN_E_NO_TABLE || rc == FIRN_E_NO_VIEW) &&
            misses_entry(call, branch, change,
                         rc == FIRN_E_NO_TABLE ? FIRN_KIND_TABLE : FIRN_KIND_VIEW)) {
            return firn_call_explain(call, rc, change->ident, err);
        }
    }
    return rc == FIRN_E_EXISTS && n == 1 ? explain_exists(call, branch, changes, err) : rc;
}
