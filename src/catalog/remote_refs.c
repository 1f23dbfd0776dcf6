/* Branches of a remote catalog, as far as the protocol shows them.
 *
 * The REST protocol itself knows none: a plain catalog has one state, which is "main" here. Nessie and firn select a ref by
 * the URI, <uri>/<ref>, so any ref that exists there can be read and written; making, deleting and merging them is done with
 * the server's own tools.
 */
#include "remote.h"

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

firn_rc firn_remote_ref_list(firn_catalog *catalog, firn_arena *arena, firn_ref **out, size_t *n,
                             firn_err *err)
{
    (void)catalog;
    (void)err;
    *out = FIRN_NEW(arena, firn_ref);
    **out = main_ref();
    *n = 1;
    return FIRN_OK;
}

firn_rc firn_remote_ref_get(firn_catalog *catalog, firn_arena *arena, const char *name,
                            firn_ref *out, firn_err *err)
{
    const firn_remote_config *config;
    *out = main_ref();
    out->name = name ? firn_arena_strdup(arena, name) : FIRN_MAIN;
    return firn_remote_config_of(catalog->remote, arena, name, &config, err);
}

firn_rc firn_remote_ref_make(firn_catalog *catalog, firn_arena *arena, const firn_ref_make *make,
                             firn_ref *out, firn_err *err)
{
    (void)out;
    return refuse(catalog,
                  firn_arena_printf(arena, "cannot create %s %s", make->is_tag ? "tag" : "branch",
                                    make->name),
                  err);
}

firn_rc firn_remote_ref_drop(firn_catalog *catalog, firn_arena *arena, const char *name,
                             const char *expected, firn_ref *out, firn_err *err)
{
    (void)expected;
    (void)out;
    return refuse(catalog, firn_arena_printf(arena, "cannot delete %s", name), err);
}

firn_rc firn_remote_ref_reset(firn_catalog *catalog, firn_arena *arena, const char *name,
                              const char *to, const char *expected, firn_ref *out, firn_err *err)
{
    (void)expected;
    (void)out;
    return refuse(catalog,
                  firn_arena_printf(arena, "cannot move %s to %s", name ? name : FIRN_MAIN, to),
                  err);
}

firn_rc firn_remote_ref_rename(firn_catalog *catalog, const char *name, const char *to,
                               firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    return refuse(catalog, firn_arena_printf(arena, "cannot rename %s to %s", name, to), err);
}

firn_rc firn_remote_log(firn_catalog *catalog, firn_arena *arena, const firn_log_query *query,
                        firn_commit **out, size_t *n, const char **next, firn_err *err)
{
    (void)arena;
    (void)query;
    *out = NULL;
    *n = 0;
    *next = NULL;
    return refuse(catalog, "cannot show the log of the lake", err);
}

firn_rc firn_remote_diff(firn_catalog *catalog, firn_arena *arena, const char *from, const char *to,
                         firn_diff **out, size_t *n, firn_err *err)
{
    *out = NULL;
    *n = 0;
    return refuse(catalog,
                  firn_arena_printf(arena, "cannot compare %s and %s", from ? from : FIRN_MAIN,
                                    to ? to : FIRN_MAIN),
                  err);
}

firn_rc firn_remote_diff_detail(firn_catalog *catalog, firn_arena *arena, const char *from,
                                const char *to, firn_table_diff **out, size_t *n, firn_err *err)
{
    firn_diff *ignored;
    *out = NULL;
    return firn_remote_diff(catalog, arena, from, to, &ignored, n, err);
}

firn_rc firn_remote_merge(firn_catalog *catalog, firn_arena *arena, const char *from,
                          const char *into, const firn_merge_options *options,
                          firn_merge_result *out, firn_err *err)
{
    (void)options;
    *out = (firn_merge_result){0};
    return refuse(
        catalog, firn_arena_printf(arena, "cannot merge %s into %s", from, into ? into : FIRN_MAIN),
        err);
}

firn_rc firn_remote_cherry_pick(firn_catalog *catalog, firn_arena *arena,
                                const char *const *commits, size_t n, const char *into,
                                const firn_merge_options *options, firn_pick_result *out,
                                firn_err *err)
{
    (void)commits;
    (void)n;
    (void)options;
    *out = (firn_pick_result){0};
    return refuse(catalog,
                  firn_arena_printf(arena, "cannot pick commits into %s", into ? into : FIRN_MAIN),
                  err);
}
