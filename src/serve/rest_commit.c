/* Commits: of one table, and of many in one transaction.
 *
 * Requirements decide whether a commit holds; appends that come late are made again on the head by the catalog, so that N writers
 * of one table need no retries of their own. A request with assert-create makes the table.
 */
#include "handlers.h"

static bool asserts_create(const json_t *requirements)
{
    size_t i;
    const json_t *requirement;
    json_array_foreach(requirements, i, requirement)
    {
        const char *type = json_string_value(json_object_get(requirement, "type"));
        if (type && firn_streq(type, "assert-create")) {
            return true;
        }
    }
    return false;
}

/* Requirements and updates of a CommitTableRequest. */
static firn_rc read_change(const json_t *request, firn_change *change, firn_err *err)
{
    json_t *requirements, *updates;
    FIRN_TRY(firn_call_bad(
        firn_json_opt_array(request, "requirements", "the commit", &requirements, err), err));
    FIRN_TRY(
        firn_call_bad(firn_json_opt_array(request, "updates", "the commit", &updates, err), err));
    bool create = asserts_create(requirements);
    change->kind = create ? FIRN_CHANGE_CREATE_TABLE : FIRN_CHANGE_UPDATE_TABLE;
    change->requirements = requirements;
    change->updates = updates;
    change->rebase_appends = !create;
    return FIRN_OK;
}

/* A rule that is broken for good must not look like a lost race, which Java would try again and again: 400, not 409. */
static firn_rc commit(firn_call *call, const char *ref, const firn_change *changes, size_t n,
                      firn_commit_result *result, firn_err *err)
{
    firn_rc rc = firn_call_commit(call, ref, changes, n, result, err);
    if (rc == FIRN_E_VALIDATION) {
        call->error_status = 400;
    }
    return rc;
}

firn_rc firn_rest_table_commit(firn_call *call, firn_err *err)
{
    json_t *body;
    const char *ref;
    firn_change change = {0};
    firn_commit_result result;
    FIRN_TRY(firn_call_ident_at(call, "table", &ref, &change.ident, err));
    FIRN_TRY(firn_call_body(call, &body, err));
    FIRN_TRY(read_change(body, &change, err));
    FIRN_TRY(commit(call, ref, &change, 1, &result, err));
    return firn_reply_table_at(call, ref, result.locations[0], err);
}

firn_rc firn_rest_transaction(firn_call *call, firn_err *err)
{
    json_t *body, *requests;
    FIRN_TRY(firn_call_body(call, &body, err));
    FIRN_TRY(
        firn_call_bad(firn_json_array(body, "table-changes", "the request", &requests, err), err));
    size_t n = json_array_size(requests);
    firn_change *changes = FIRN_NEW_N(call->arena, firn_change, n);
    const char *branch = call->ref;
    for (size_t i = 0; i < n; i++) {
        const json_t *request = json_array_get(requests, i);
        const char *ref;
        FIRN_TRY(firn_call_ident_of_json(call, json_object_get(request, "identifier"),
                                         &changes[i].ident, err));
        FIRN_TRY(firn_call_resolve_at(call, &ref, &changes[i].ident, err));
        if (i > 0 && !firn_streq(ref, branch)) {
            FIRN_FAIL(err, FIRN_E_INVALID,
                      "one transaction changes one branch, but this one names %s and %s", branch,
                      ref);
        }
        branch = ref;
        FIRN_TRY(read_change(request, &changes[i], err));
    }
    if (n > 0) {
        FIRN_TRY(commit(call, branch, changes, n, NULL, err));
    }
    firn_reply_empty(call, 204);
    return FIRN_OK;
}
