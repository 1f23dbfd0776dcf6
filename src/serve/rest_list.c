/* The names of a namespace's tables or views, in pages. */
#include "handlers.h"

#include <stdlib.h>

static int by_name(const void *a, const void *b)
{
    const firn_catalog_entry *x = a, *y = b;
    return strcmp(x->ident.name, y->ident.name);
}

static firn_rc list_entries(firn_call *call, firn_entry_kind kind, firn_err *err)
{
    const char *ns;
    firn_catalog_entry *entries;
    size_t n;
    firn_page page;
    FIRN_TRY(firn_call_ns(call, &ns, err));
    firn_rc rc =
        firn_catalog_list(call->catalog, call->arena, call->ref, kind, ns, &entries, &n, err);
    if (rc != FIRN_OK) {
        return firn_call_explain(call, rc, (firn_ident){.ns = ns}, err);
    }
    qsort(entries, n, sizeof(*entries), by_name);
    const char **names = FIRN_NEW_N(call->arena, const char *, n);
    for (size_t i = 0; i < n; i++) {
        names[i] = entries[i].ident.name;
    }
    FIRN_TRY(firn_call_page(call, names, n, &page, err));
    json_t *list = json_array();
    for (size_t i = page.from; i < page.to; i++) {
        json_array_append_new(list, firn_call_ident_json(entries[i].ident));
    }
    firn_reply_json(
        call, 200,
        json_pack("{s:o, s:s?}", "identifiers", list, "next-page-token", page.next_token));
    return FIRN_OK;
}

firn_rc firn_rest_table_list(firn_call *call, firn_err *err)
{
    return list_entries(call, FIRN_KIND_TABLE, err);
}

firn_rc firn_rest_view_list(firn_call *call, firn_err *err)
{
    return list_entries(call, FIRN_KIND_VIEW, err);
}
