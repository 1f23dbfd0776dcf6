/* Branches of a remote catalog, where it has them.
 *
 * The REST protocol itself knows none: a plain catalog has one state, which is "main" here. Nessie and firn select a ref by
 * the URI, <uri>/<ref>, so any ref that exists there can be read and written. Making, deleting and merging them goes to
 * firn's management API (firn.c); with Nessie it is done with Nessie's own tools.
 */
#include "remote/remote.h"

#include "net/http.h"

static firn_rc refuse(firn_catalog *catalog, const char *what, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const firn_remote_config *config;
    const char *uri = firn_url_for_message(arena, catalog->remote->uri);
    FIRN_TRY(firn_remote_config_of(catalog->remote, arena, NULL, &config, err));
    if (config->is_nessie) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                  "%s: do it with Nessie's own tools at %s; --ref NAME then works on that branch",
                  what, uri);
    }
    FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
              "%s: the catalog %s is a plain Iceberg REST catalog, which has one state and no "
              "branches. A table's own history is in TABLE.snapshots; for branches of the whole "
              "lake use a catalog of firn's own",
              what, uri);
}

static firn_ref main_ref(void)
{
    return (firn_ref){.name = FIRN_MAIN, .commit_id = ""};
}

/* Where another firn manages its refs; UNSUPPORTED on any other server. */
static firn_rc need_api(firn_catalog *catalog, firn_arena *arena, const char *what,
                        const char **root, firn_err *err)
{
    FIRN_TRY(firn_remote_api_root(catalog, arena, root, err));
    return *root ? FIRN_OK : refuse(catalog, what, err);
}

firn_rc firn_remote_ref_list(firn_catalog *catalog, firn_arena *arena, firn_ref **out, size_t *n,
                             firn_err *err)
{
    const char *root;
    FIRN_TRY(firn_remote_api_root(catalog, arena, &root, err));
    if (root) {
        return firn_remote_api_refs(catalog, arena, root, out, n, err);
    }
    *out = FIRN_NEW(arena, firn_ref);
    **out = main_ref();
    *n = 1;
    return FIRN_OK;
}

firn_rc firn_remote_ref_get(firn_catalog *catalog, firn_arena *arena, const char *name,
                            firn_ref *out, firn_err *err)
{
    const firn_remote_config *config;
    const char *root;
    name = name ? name : FIRN_MAIN;
    FIRN_TRY(firn_remote_api_root(catalog, arena, &root, err));
    if (root) {
        return firn_remote_api_ref(catalog, arena, root, name, out, err);
    }
    *out = main_ref();
    out->name = firn_arena_strdup(arena, name);
    return firn_remote_config_of(catalog->remote, arena, name, &config, err);
}

firn_rc firn_remote_ref_make(firn_catalog *catalog, firn_arena *arena, const firn_ref_make *make,
                             firn_ref *out, firn_err *err)
{
    const char *root;
    const char *what = firn_arena_printf(arena, "cannot create %s %s",
                                         make->is_tag ? "tag" : "branch", make->name);
    FIRN_TRY(need_api(catalog, arena, what, &root, err));
    return firn_remote_api_ref_make(catalog, arena, root, make, out, err);
}

firn_rc firn_remote_ref_drop(firn_catalog *catalog, firn_arena *arena, const char *name,
                             const char *expected, firn_ref *out, firn_err *err)
{
    const char *root;
    FIRN_TRY(
        need_api(catalog, arena, firn_arena_printf(arena, "cannot delete %s", name), &root, err));
    return firn_remote_api_ref_drop(catalog, arena, root, name, expected, out, err);
}

firn_rc firn_remote_ref_reset(firn_catalog *catalog, firn_arena *arena, const char *name,
                              const char *to, const char *expected, firn_ref *out, firn_err *err)
{
    const char *root;
    const char *what =
        firn_arena_printf(arena, "cannot move %s to %s", name ? name : FIRN_MAIN, to);
    FIRN_TRY(need_api(catalog, arena, what, &root, err));
    return firn_remote_api_ref_reset(catalog, arena, root, name, to, expected, out, err);
}

firn_rc firn_remote_ref_rename(firn_catalog *catalog, const char *name, const char *to,
                               firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const char *root;
    FIRN_TRY(need_api(catalog, arena, firn_arena_printf(arena, "cannot rename %s to %s", name, to),
                      &root, err));
    return firn_remote_api_ref_rename(catalog, arena, root, name, to, err);
}

firn_rc firn_remote_log(firn_catalog *catalog, firn_arena *arena, const firn_log_query *query,
                        firn_commit **out, size_t *n, const char **next, firn_err *err)
{
    const char *root;
    *out = NULL;
    *n = 0;
    *next = NULL;
    FIRN_TRY(need_api(catalog, arena, "cannot show the log of the lake", &root, err));
    return firn_remote_api_log(catalog, arena, root, query, out, n, next, err);
}

firn_rc firn_remote_diff_detail(firn_catalog *catalog, firn_arena *arena, const char *from,
                                const char *to, firn_table_diff **out, size_t *n, firn_err *err)
{
    const char *root;
    const char *what = firn_arena_printf(arena, "cannot compare %s and %s", from ? from : FIRN_MAIN,
                                         to ? to : FIRN_MAIN);
    *out = NULL;
    *n = 0;
    FIRN_TRY(need_api(catalog, arena, what, &root, err));
    return firn_remote_api_diff(catalog, arena, root, from, to, out, n, err);
}

firn_rc firn_remote_diff(firn_catalog *catalog, firn_arena *arena, const char *from, const char *to,
                         firn_diff **out, size_t *n, firn_err *err)
{
    firn_table_diff *details;
    *out = NULL;
    FIRN_TRY(firn_remote_diff_detail(catalog, arena, from, to, &details, n, err));
    *out = FIRN_NEW_N(arena, firn_diff, *n);
    for (size_t i = 0; i < *n; i++) {
        (*out)[i] = details[i].diff;
    }
    return FIRN_OK;
}

firn_rc firn_remote_merge(firn_catalog *catalog, firn_arena *arena, const char *from,
                          const char *into, const firn_merge_options *options,
                          firn_merge_result *out, firn_err *err)
{
    const char *root;
    const char *what =
        firn_arena_printf(arena, "cannot merge %s into %s", from, into ? into : FIRN_MAIN);
    *out = (firn_merge_result){0};
    FIRN_TRY(need_api(catalog, arena, what, &root, err));
    return firn_remote_api_merge(catalog, arena, root, from, into, options, out, err);
}

firn_rc firn_remote_cherry_pick(firn_catalog *catalog, firn_arena *arena,
                                const char *const *commits, size_t n, const char *into,
                                const firn_merge_options *options, firn_pick_result *out,
                                firn_err *err)
{
    const char *root;
    const char *what =
        firn_arena_printf(arena, "cannot pick commits into %s", into ? into : FIRN_MAIN);
    *out = (firn_pick_result){0};
    FIRN_TRY(need_api(catalog, arena, what, &root, err));
    return firn_remote_api_cherry_pick(catalog, arena, root, commits, n, into, options, out, err);
}
