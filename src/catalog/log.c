/* The log: what was committed to a branch, newest first, along first parents. */
#include "internal.h"

#include "base/vec.h"

static const char *delta_text(firn_arena *arena, const firn_delta *delta)
{
    const char *verb = !delta->was ? "create" : !delta->now ? "drop" : "update";
    const firn_stored *side = delta->now ? delta->now : delta->was;
    return firn_arena_printf(arena, "%s %s %s", verb, firn_kind_text(side->kind),
                             firn_ident_text(arena, (firn_ident){delta->ns, delta->name}));
}

/* The key that went in the same commit with the content that came under this one: a rename. */
static const firn_delta *renamed_from(const firn_delta *deltas, size_t n, const firn_delta *to)
{
    for (size_t i = 0; i < n && to->now && !to->was && to->now->kind != FIRN_KIND_NAMESPACE; i++) {
        if (deltas[i].was && !deltas[i].now &&
            firn_streq(deltas[i].was->content_id, to->now->content_id)) {
            return &deltas[i];
        }
    }
    return NULL;
}

static firn_rc describe_changes(firn_db *db, firn_arena *arena, firn_commit *commit, firn_err *err)
{
    firn_delta *deltas;
    size_t n;
    FIRN_TRY(firn_store_deltas(db, arena, commit->id, &deltas, &n, err));
    bool *told = FIRN_NEW_N(arena, bool, n);
    commit->changes = FIRN_NEW_N(arena, const char *, n);
    for (size_t i = 0; i < n; i++) {
        const firn_delta *from = renamed_from(deltas, n, &deltas[i]);
        if (from) {
            commit->changes[commit->n_changes++] = firn_arena_printf(
                arena, "rename %s %s to %s", firn_kind_text(from->was->kind),
                firn_ident_text(arena, (firn_ident){from->ns, from->name}),
                firn_ident_text(arena, (firn_ident){deltas[i].ns, deltas[i].name}));
            told[i] = told[from - deltas] = true;
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (!told[i]) {
            commit->changes[commit->n_changes++] = delta_text(arena, &deltas[i]);
        }
    }
    return FIRN_OK;
}

static bool touches(const firn_ident *key, const firn_delta *delta)
{
    return firn_streq(key->ns, delta->ns) &&
           (!key->name || !key->name[0] || firn_streq(key->name, delta->name));
}

static firn_rc is_wanted(firn_db *db, firn_arena *arena, const firn_log_query *query,
                         const firn_commit_row *row, bool *wanted, firn_err *err)
{
    *wanted = (query->until_us == 0 || row->time_us < query->until_us) &&
              (query->since_us == 0 || row->time_us >= query->since_us) &&
              (!query->author || firn_streq(query->author, row->author));
    if (!*wanted || !query->key) {
        return FIRN_OK;
    }
    firn_delta *deltas;
    size_t n;
    FIRN_TRY(firn_store_deltas(db, arena, row->id, &deltas, &n, err));
    *wanted = false;
    for (size_t i = 0; i < n; i++) {
        *wanted = *wanted || touches(query->key, &deltas[i]);
    }
    return FIRN_OK;
}

static firn_rc read_commit(firn_catalog *catalog, firn_db *db, firn_arena *arena, const char *id,
                           firn_commit_row **out, firn_err *err)
{
    FIRN_TRY(firn_store_commit_get(db, arena, id, out, err));
    if (!*out) {
        FIRN_FAIL(err, FIRN_E_CORRUPT, "commit %s is missing from the log of catalog %s", id,
                  catalog->path);
    }
    return FIRN_OK;
}

firn_rc firn_catalog_log_page(firn_catalog *catalog, firn_arena *arena, const firn_log_query *query,
                              firn_commit **out, size_t *n, const char **next, firn_err *err)
{
    if (catalog->ops && catalog->ops->log) {
        return catalog->ops->log(catalog, arena, query, out, n, next, err);
    }
    FIRN_AUTO_SESSION firn_db_session session = {0};
    firn_point at;
    FIRN_VEC(firn_commit) commits = {0};
    FIRN_TRY(firn_db_session_begin(catalog, false, &session, err));
    FIRN_TRY(
        firn_store_resolve(session.db, arena, query->from ? query->from : query->ref, &at, err));
    const char *id = at.commit_id;
    while (id && (query->limit == 0 || commits.len < query->limit)) {
        firn_commit_row *row;
        bool wanted;
        FIRN_TRY(read_commit(catalog, session.db, arena, id, &row, err));
        FIRN_TRY(is_wanted(session.db, arena, query, row, &wanted, err));
        id = row->parent_id;
        if (!wanted) {
            continue;
        }
        firn_commit commit = {
            .id = row->id,
            .parent_id = row->parent_id,
            .merge_parent_id = row->merge_parent_id,
            .author = row->author,
            .message = row->message,
            .time_us = row->time_us,
        };
        FIRN_TRY(describe_changes(session.db, arena, &commit, err));
        firn_vec_push(arena, &commits, commit);
    }
    *out = commits.items;
    *n = commits.len;
    *next = id;
    return FIRN_OK;
}

firn_rc firn_catalog_log(firn_catalog *catalog, firn_arena *arena, const char *ref, size_t limit,
                         firn_commit **out, size_t *n, firn_err *err)
{
    const char *next;
    firn_log_query query = {.ref = ref, .limit = limit};
    return firn_catalog_log_page(catalog, arena, &query, out, n, &next, err);
}
