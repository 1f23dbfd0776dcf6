/* Branches and tags, the log, and differences between them. */
#include "internal.h"

#include "base/time.h"
#include "base/vec.h"

/* ---- refs ------------------------------------------------------------------------------------- */

static firn_ref ref_of_row(const firn_db_rows *rows, size_t row)
{
    return (firn_ref){
        .name = firn_db_text(rows, row, 0),
        .is_tag = firn_db_i64(rows, row, 1) != 0,
        .commit_id = firn_db_text(rows, row, 2),
        .updated_us = firn_db_i64(rows, row, 3),
    };
}

firn_rc firn_catalog_ref_list(firn_catalog *catalog, firn_arena *arena, firn_ref **out, size_t *n,
                              firn_err *err)
{
    FIRN_AUTO_SESSION firn_db_session session = {0};
    firn_db_rows rows;
    FIRN_TRY(firn_db_session_begin(catalog, false, &session, err));
    FIRN_TRY(firn_db_query(session.db, arena,
                           "SELECT name, is_tag, commit_id, updated_us FROM refs ORDER BY name",
                           NULL, 0, &rows, err));
    *out = FIRN_NEW_N(arena, firn_ref, rows.n_rows);
    *n = rows.n_rows;
    for (size_t i = 0; i < rows.n_rows; i++) {
        (*out)[i] = ref_of_row(&rows, i);
    }
    return FIRN_OK;
}

firn_rc firn_catalog_ref_get(firn_catalog *catalog, firn_arena *arena, const char *name,
                             firn_ref *out, firn_err *err)
{
    FIRN_AUTO_SESSION firn_db_session session = {0};
    firn_point at;
    firn_db_rows rows;
    FIRN_TRY(firn_db_session_begin(catalog, false, &session, err));
    FIRN_TRY(firn_store_resolve(session.db, arena, name, &at, err));
    if (!at.ref) {
        FIRN_FAIL(err, FIRN_E_NO_REF, "%s is a commit, not a branch or tag", at.text);
    }
    firn_db_value param = firn_db_str(at.ref);
    FIRN_TRY(firn_db_query(session.db, arena,
                           "SELECT name, is_tag, commit_id, updated_us FROM refs WHERE name = $1",
                           &param, 1, &rows, err));
    *out = ref_of_row(&rows, 0);
    return FIRN_OK;
}

/* The new ref's entries: another ref's, copied by the database, or put together from the log. */
static firn_rc fill_ref(firn_db *db, firn_arena *arena, const char *name, const firn_point *from,
                        firn_err *err)
{
    if (from->entries) {
        firn_db_value params[] = {firn_db_str(name), firn_db_str(from->entries)};
        return firn_db_query(
            db, arena,
            "INSERT INTO entries (ref, ns, name, kind, content_id, value, commit_id, updated_us)"
            " SELECT $1, ns, name, kind, content_id, value, commit_id, updated_us"
            " FROM entries WHERE ref = $2",
            params, 2, NULL, err);
    }
    firn_stored *list;
    size_t n;
    FIRN_TRY(firn_store_list(db, arena, from, NULL, &list, &n, err));
    for (size_t i = 0; i < n; i++) {
        firn_db_value params[] = {
            firn_db_str(name),
            firn_db_str(list[i].ns),
            firn_db_str(list[i].name),
            firn_db_int(list[i].kind),
            firn_db_str(list[i].content_id),
            firn_db_str(list[i].value),
            firn_db_str(list[i].commit_id),
            firn_db_int(list[i].updated_us),
        };
        FIRN_TRY(firn_db_query(
            db, arena,
            "INSERT INTO entries (ref, ns, name, kind, content_id, value, commit_id, updated_us)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            params, 8, NULL, err));
    }
    return FIRN_OK;
}

firn_rc firn_catalog_ref_create(firn_catalog *catalog, const char *name, bool is_tag,
                                const char *from, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    FIRN_AUTO_SESSION firn_db_session session = {0};
    firn_point start;
    firn_db_rows rows;
    FIRN_TRY(firn_ref_name_check(name, err));
    FIRN_TRY(firn_db_session_begin(catalog, true, &session, err));
    FIRN_TRY(firn_store_resolve(session.db, arena, from, &start, err));
    firn_db_value param = firn_db_str(name);
    FIRN_TRY(firn_db_query(session.db, arena, "SELECT is_tag FROM refs WHERE name = $1", &param, 1,
                           &rows, err));
    if (rows.n_rows > 0) {
        FIRN_FAIL(err, FIRN_E_EXISTS, "%s %s exists already",
                  firn_db_i64(&rows, 0, 0) ? "tag" : "branch", name);
    }
    firn_db_value params[] = {firn_db_str(name), firn_db_int(is_tag), firn_db_str(start.commit_id),
                              firn_db_int(firn_now_us())};
    FIRN_TRY(firn_db_query(
        session.db, arena,
        "INSERT INTO refs (name, is_tag, commit_id, updated_us) VALUES ($1, $2, $3, $4)", params, 4,
        NULL, err));
    FIRN_TRY(fill_ref(session.db, arena, name, &start, err));
    return firn_db_session_commit(&session, err);
}

firn_rc firn_catalog_ref_delete(firn_catalog *catalog, const char *name, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    FIRN_AUTO_SESSION firn_db_session session = {0};
    firn_point at;
    if (firn_streq(name, FIRN_MAIN)) {
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "%s cannot be deleted: it is the branch that everything starts from", FIRN_MAIN);
    }
    FIRN_TRY(firn_db_session_begin(catalog, true, &session, err));
    FIRN_TRY(firn_store_resolve(session.db, arena, name, &at, err));
    if (!at.ref) {
        FIRN_FAIL(err, FIRN_E_NO_REF, "%s is a commit, not a branch or tag: commits stay", at.text);
    }
    firn_db_value param = firn_db_str(at.ref);
    FIRN_TRY(firn_db_query(session.db, arena, "DELETE FROM entries WHERE ref = $1", &param, 1, NULL,
                           err));
    FIRN_TRY(
        firn_db_query(session.db, arena, "DELETE FROM refs WHERE name = $1", &param, 1, NULL, err));
    return firn_db_session_commit(&session, err);
}

/* ---- log -------------------------------------------------------------------------------------- */

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

firn_rc firn_catalog_log(firn_catalog *catalog, firn_arena *arena, const char *ref, size_t limit,
                         firn_commit **out, size_t *n, firn_err *err)
{
    FIRN_AUTO_SESSION firn_db_session session = {0};
    firn_point at;
    FIRN_VEC(firn_commit) commits = {0};
    FIRN_TRY(firn_db_session_begin(catalog, false, &session, err));
    FIRN_TRY(firn_store_resolve(session.db, arena, ref, &at, err));
    for (const char *id = at.commit_id; id && (limit == 0 || commits.len < limit);) {
        firn_commit_row *row;
        FIRN_TRY(firn_store_commit_get(session.db, arena, id, &row, err));
        if (!row) {
            FIRN_FAIL(err, FIRN_E_CORRUPT, "commit %s is missing from the log of catalog %s", id,
                      catalog->path);
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
        id = row->parent_id;
    }
    *out = commits.items;
    *n = commits.len;
    return FIRN_OK;
}

/* ---- diff ------------------------------------------------------------------------------------- */

firn_diff firn_diff_of_delta(const firn_delta *delta)
{
    const firn_stored *side = delta->now ? delta->now : delta->was;
    bool has_location = side->kind != FIRN_KIND_NAMESPACE;
    return (firn_diff){
        .ident = {.ns = delta->ns, .name = delta->name},
        .kind = side->kind,
        .what = !delta->was   ? FIRN_DIFF_ADDED
                : !delta->now ? FIRN_DIFF_REMOVED
                              : FIRN_DIFF_CHANGED,
        .from_location = delta->was && has_location ? delta->was->value : NULL,
        .to_location = delta->now && has_location ? delta->now->value : NULL,
    };
}

firn_rc firn_catalog_diff(firn_catalog *catalog, firn_arena *arena, const char *from,
                          const char *to, firn_diff **out, size_t *n, firn_err *err)
{
    FIRN_AUTO_SESSION firn_db_session session = {0};
    firn_point left, right;
    firn_delta *deltas;
    FIRN_TRY(firn_db_session_begin(catalog, false, &session, err));
    FIRN_TRY(firn_store_resolve(session.db, arena, from, &left, err));
    FIRN_TRY(firn_store_resolve(session.db, arena, to, &right, err));
    FIRN_TRY(firn_store_diff(session.db, arena, left.commit_id, right.commit_id, &deltas, n, err));
    *out = FIRN_NEW_N(arena, firn_diff, *n);
    for (size_t i = 0; i < *n; i++) {
        (*out)[i] = firn_diff_of_delta(&deltas[i]);
    }
    return FIRN_OK;
}
