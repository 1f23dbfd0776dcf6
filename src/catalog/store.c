/* Rows of refs, entries and commits. Everything here runs inside the caller's transaction. */
#include "internal.h"

#include "base/vec.h"

#include <assert.h>

#define SEP_NEXT "\x20" /* FIRN_NS_SEP + 1: the end of the range of all names below a namespace */

bool firn_stored_same(const firn_stored *a, const firn_stored *b)
{
    if (!a || !b) {
        return a == b;
    }
    bool same_content = a->kind == FIRN_KIND_NAMESPACE || firn_streq(a->content_id, b->content_id);
    return a->kind == b->kind && same_content && firn_streq(a->value, b->value);
}

/* ---- refs ------------------------------------------------------------------------------------- */

firn_rc firn_store_ref_names(firn_db *db, firn_arena *arena, const char ***names, size_t *n,
                             firn_err *err)
{
    firn_db_rows rows;
    FIRN_TRY(firn_db_query(db, arena, "SELECT name FROM refs ORDER BY name", NULL, 0, &rows, err));
    *names = FIRN_NEW_N(arena, const char *, rows.n_rows);
    *n = rows.n_rows;
    for (size_t i = 0; i < rows.n_rows; i++) {
        (*names)[i] = firn_db_text(&rows, i, 0);
    }
    return FIRN_OK;
}

static firn_rc fail_no_ref(firn_db *db, firn_arena *arena, const char *name, firn_err *err)
{
    const char **names;
    size_t n;
    FIRN_TRY(firn_store_ref_names(db, arena, &names, &n, err));
    const char *nearest = firn_nearest(name, names, n);
    FIRN_FAIL(err, FIRN_E_NO_REF, "there is no branch, tag or commit \"%s\"%s%s%s", name,
              nearest ? ". Did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

/* A commit by its id or the beginning of it. */
static firn_rc resolve_commit(firn_db *db, firn_arena *arena, const char *text, firn_point *out,
                              firn_err *err)
{
    enum { PREFIX_MIN = 7 };
    size_t len = strlen(text);
    if (len < PREFIX_MIN || len > 32 || text[strspn(text, "0123456789abcdef")] != '\0') {
        return fail_no_ref(db, arena, text, err);
    }
    firn_db_value range[] = {firn_db_str(text), firn_db_str(firn_arena_printf(arena, "%sg", text))};
    firn_db_rows rows;
    FIRN_TRY(firn_db_query(
        db, arena, "SELECT commit_id FROM commits WHERE commit_id >= $1 AND commit_id < $2 LIMIT 2",
        range, 2, &rows, err));
    if (rows.n_rows == 0) {
        return fail_no_ref(db, arena, text, err);
    }
    if (rows.n_rows > 1) {
        FIRN_FAIL(err, FIRN_E_NO_REF, "several commits begin with \"%s\": write more of the id",
                  text);
    }
    *out = (firn_point){.text = text, .commit_id = firn_db_text(&rows, 0, 0)};
    firn_db_value id = firn_db_str(out->commit_id);
    FIRN_TRY(firn_db_query(db, arena, "SELECT name FROM refs WHERE commit_id = $1 LIMIT 1", &id, 1,
                           &rows, err));
    out->entries = rows.n_rows > 0 ? firn_db_text(&rows, 0, 0) : NULL;
    return FIRN_OK;
}

/* is_tag and commit_id of a ref. */
static firn_point point_of_row(firn_arena *arena, const char *name, const firn_db_rows *rows)
{
    name = firn_arena_strdup(arena, name);
    return (firn_point){
        .text = name,
        .ref = name,
        .entries = name,
        .is_tag = firn_db_i64(rows, 0, 0) != 0,
        .commit_id = firn_db_text(rows, 0, 1),
    };
}

firn_rc firn_store_resolve(firn_db *db, firn_arena *arena, const char *name, firn_point *out,
                           firn_err *err)
{
    name = name ? name : FIRN_MAIN;
    firn_db_value param = firn_db_str(name);
    firn_db_rows rows;
    FIRN_TRY(firn_db_query(db, arena,
                           "SELECT r.is_tag, r.commit_id, c.generation FROM refs r"
                           " JOIN commits c ON c.commit_id = r.commit_id WHERE r.name = $1",
                           &param, 1, &rows, err));
    if (rows.n_rows == 0) {
        return resolve_commit(db, arena, name, out, err);
    }
    *out = point_of_row(arena, name, &rows);
    out->generation = firn_db_i64(&rows, 0, 2);
    return FIRN_OK;
}

firn_rc firn_store_branch(firn_db *db, firn_arena *arena, const char *name, firn_point *out,
                          firn_err *err)
{
    FIRN_TRY(firn_store_resolve(db, arena, name, out, err));
    if (!out->ref || out->is_tag) {
        FIRN_FAIL(err, FIRN_E_READ_ONLY,
                  "%s is a %s and cannot change: make a branch from it first", out->text,
                  out->is_tag ? "tag" : "commit");
    }
    return FIRN_OK;
}

/* ---- entries ---------------------------------------------------------------------------------- */

#define ENTRY_COLUMNS "kind, ns, name, content_id, value, commit_id, updated_us"

/* Seven columns from `column` on: ENTRY_COLUMNS. */
static firn_stored stored_of_row(const firn_db_rows *rows, size_t row, size_t column)
{
    return (firn_stored){
        .kind = (firn_entry_kind)firn_db_i64(rows, row, column),
        .ns = firn_db_text(rows, row, column + 1),
        .name = firn_db_text(rows, row, column + 2),
        .content_id = firn_db_text(rows, row, column + 3),
        .value = firn_db_text(rows, row, column + 4),
        .commit_id = firn_db_text(rows, row, column + 5),
        .updated_us = firn_db_i64(rows, row, column + 6),
    };
}

/* The newest change of one key on the way from a commit to the root. */
static firn_rc get_from_log(firn_db *db, firn_arena *arena, const char *commit_id, const char *ns,
                            const char *name, firn_db_rows *rows, firn_err *err)
{
    static const char sql[] =
        "WITH RECURSIVE chain (commit_id, parent_id, time_us, depth) AS ("
        " SELECT commit_id, parent_id, time_us, 0 FROM commits WHERE commit_id = $1"
        " UNION ALL SELECT c.commit_id, c.parent_id, c.time_us, chain.depth + 1"
        " FROM commits c JOIN chain ON c.commit_id = chain.parent_id)"
        " SELECT d.new_kind, d.ns, d.name, d.new_content_id, d.new_value, d.commit_id, chain.time_us"
        " FROM chain JOIN changes d ON d.commit_id = chain.commit_id AND d.ns = $2 AND d.name = $3"
        " ORDER BY chain.depth LIMIT 1";
    firn_db_value params[] = {firn_db_str(commit_id), firn_db_str(ns), firn_db_str(name)};
    FIRN_TRY(firn_db_query(db, arena, sql, params, 3, rows, err));
    if (rows->n_rows > 0 && !firn_db_text(rows, 0, 4)) {
        rows->n_rows = 0; /* the newest change removed it */
    }
    return FIRN_OK;
}

firn_rc firn_store_get(firn_db *db, firn_arena *arena, const firn_point *at, const char *ns,
                       const char *name, firn_stored **out, firn_err *err)
{
    firn_db_rows rows;
    if (at->entries) {
        firn_db_value key[] = {firn_db_str(at->entries), firn_db_str(ns), firn_db_str(name)};
        FIRN_TRY(firn_db_query(db, arena,
                               "SELECT " ENTRY_COLUMNS
                               " FROM entries WHERE ref = $1 AND ns = $2 AND name = $3",
                               key, 3, &rows, err));
    } else {
        FIRN_TRY(get_from_log(db, arena, at->commit_id, ns, name, &rows, err));
    }
    *out = NULL;
    if (rows.n_rows > 0) {
        *out = FIRN_NEW(arena, firn_stored);
        **out = stored_of_row(&rows, 0, 0);
    }
    return FIRN_OK;
}

firn_rc firn_store_find(firn_db *db, firn_arena *arena, const char *ref, const char *ns,
                        const char *name, firn_point *at, firn_stored **out, firn_err *err)
{
    ref = ref ? ref : FIRN_MAIN;
    firn_db_value params[] = {firn_db_str(ref), firn_db_str(ns), firn_db_str(name)};
    firn_db_rows rows;
    FIRN_TRY(firn_db_query(
        db, arena,
        "SELECT r.is_tag, r.commit_id, e.kind, e.ns, e.name, e.content_id, e.value, e.commit_id,"
        " e.updated_us FROM refs r LEFT JOIN entries e"
        " ON e.ref = r.name AND e.ns = $2 AND e.name = $3 WHERE r.name = $1",
        params, 3, &rows, err));
    if (rows.n_rows == 0) {
        FIRN_TRY(firn_store_resolve(db, arena, ref, at, err));
        return firn_store_get(db, arena, at, ns, name, out, err);
    }
    *at = point_of_row(arena, ref, &rows);
    *out = NULL;
    if (firn_db_text(&rows, 0, 3)) {
        *out = FIRN_NEW(arena, firn_stored);
        **out = stored_of_row(&rows, 0, 2);
    }
    return FIRN_OK;
}

static int by_key(const void *a, const void *b)
{
    const firn_stored *left = a, *right = b;
    int by_ns = strcmp(left->ns, right->ns);
    return by_ns ? by_ns : strcmp(left->name, right->name);
}

/* The state at a commit: for each key the newest change on the way to the root. */
static firn_rc list_from_log(firn_db *db, firn_arena *arena, const char *commit_id, const char *ns,
                             firn_stored **out, size_t *n, firn_err *err)
{
    static const char sql[] =
        "WITH RECURSIVE chain (commit_id, parent_id, time_us, depth) AS ("
        " SELECT commit_id, parent_id, time_us, 0 FROM commits WHERE commit_id = $1"
        " UNION ALL SELECT c.commit_id, c.parent_id, c.time_us, chain.depth + 1"
        " FROM commits c JOIN chain ON c.commit_id = chain.parent_id)"
        " SELECT d.new_kind, d.ns, d.name, d.new_content_id, d.new_value, d.commit_id, chain.time_us"
        " FROM chain JOIN changes d ON d.commit_id = chain.commit_id ORDER BY chain.depth";
    firn_db_value param = firn_db_str(commit_id);
    firn_db_rows rows;
    FIRN_TRY(firn_db_query(db, arena, sql, &param, 1, &rows, err));
    firn_map *seen = firn_map_new(arena);
    firn_stored *list = FIRN_NEW_N(arena, firn_stored, rows.n_rows);
    size_t len = 0;
    for (size_t i = 0; i < rows.n_rows; i++) {
        firn_stored one = stored_of_row(&rows, i, 0);
        const char *key = firn_arena_printf(arena, "%s\x1e%s", one.ns, one.name);
        if (firn_map_has(seen, key)) {
            continue;
        }
        firn_map_put(seen, key, seen);
        if (one.value && (!ns || firn_streq(ns, one.ns))) {
            list[len++] = one;
        }
    }
    if (len > 0) {
        qsort(list, len, sizeof(*list), by_key);
    }
    *out = list;
    *n = len;
    return FIRN_OK;
}

firn_rc firn_store_list(firn_db *db, firn_arena *arena, const firn_point *at, const char *ns,
                        firn_stored **out, size_t *n, firn_err *err)
{
    if (!at->entries) {
        return list_from_log(db, arena, at->commit_id, ns, out, n, err);
    }
    firn_db_value params[] = {firn_db_str(at->entries), firn_db_str(ns)};
    firn_db_rows rows;
    const char *sql = ns ? "SELECT " ENTRY_COLUMNS
                           " FROM entries WHERE ref = $1 AND ns = $2 ORDER BY ns, name"
                         : "SELECT " ENTRY_COLUMNS " FROM entries WHERE ref = $1 ORDER BY ns, name";
    FIRN_TRY(firn_db_query(db, arena, sql, params, ns ? 2 : 1, &rows, err));
    *out = FIRN_NEW_N(arena, firn_stored, rows.n_rows);
    *n = rows.n_rows;
    for (size_t i = 0; i < rows.n_rows; i++) {
        (*out)[i] = stored_of_row(&rows, i, 0);
    }
    return FIRN_OK;
}

firn_rc firn_store_has_children(firn_db *db, firn_arena *arena, const char *branch, const char *ns,
                                bool *out, firn_err *err)
{
    firn_db_value params[] = {
        firn_db_str(branch),
        firn_db_str(ns),
        firn_db_str(firn_arena_printf(arena, "%s" FIRN_NS_SEP, ns)),
        firn_db_str(firn_arena_printf(arena, "%s" SEP_NEXT, ns)),
    };
    firn_db_rows rows;
    FIRN_TRY(firn_db_query(db, arena,
                           "SELECT 1 FROM entries WHERE ref = $1 AND"
                           " ((ns = $2 AND name <> '') OR (ns >= $3 AND ns < $4)) LIMIT 1",
                           params, 4, &rows, err));
    *out = rows.n_rows > 0;
    return FIRN_OK;
}

firn_rc firn_store_other_name(firn_db *db, firn_arena *arena, const char *branch,
                              const firn_delta *delta, firn_stored **out, firn_err *err)
{
    firn_db_value params[] = {firn_db_str(branch), firn_db_str(delta->now->content_id),
                              firn_db_str(delta->ns), firn_db_str(delta->name)};
    firn_db_rows rows;
    FIRN_TRY(firn_db_query(db, arena,
                           "SELECT " ENTRY_COLUMNS
                           " FROM entries WHERE ref = $1 AND content_id = $2"
                           " AND NOT (ns = $3 AND name = $4) LIMIT 1",
                           params, 4, &rows, err));
    *out = NULL;
    if (rows.n_rows > 0) {
        *out = FIRN_NEW(arena, firn_stored);
        **out = stored_of_row(&rows, 0, 0);
    }
    return FIRN_OK;
}

/* ---- commits ---------------------------------------------------------------------------------- */

firn_rc firn_store_commit_get(firn_db *db, firn_arena *arena, const char *id, firn_commit_row **out,
                              firn_err *err)
{
    firn_db_value param = firn_db_str(id);
    firn_db_rows rows;
    FIRN_TRY(firn_db_query(
        db, arena,
        "SELECT commit_id, parent_id, merge_parent_id, generation, author, message, time_us"
        " FROM commits WHERE commit_id = $1",
        &param, 1, &rows, err));
    *out = NULL;
    if (rows.n_rows > 0) {
        *out = FIRN_NEW(arena, firn_commit_row);
        **out = (firn_commit_row){
            .id = firn_db_text(&rows, 0, 0),
            .parent_id = firn_db_text(&rows, 0, 1),
            .merge_parent_id = firn_db_text(&rows, 0, 2),
            .generation = firn_db_i64(&rows, 0, 3),
            .author = firn_db_text(&rows, 0, 4),
            .message = firn_db_text(&rows, 0, 5),
            .time_us = firn_db_i64(&rows, 0, 6),
        };
    }
    return FIRN_OK;
}

static firn_rc insert_change(firn_db *db, firn_arena *arena, const char *commit_id,
                             const firn_delta *delta, firn_err *err)
{
    const firn_stored *was = delta->was, *now = delta->now;
    firn_db_value null = {0};
    firn_db_value params[] = {
        firn_db_str(commit_id),
        firn_db_str(delta->ns),
        firn_db_str(delta->name),
        was ? firn_db_int(was->kind) : null,
        was ? firn_db_str(was->content_id) : null,
        was ? firn_db_str(was->value) : null,
        now ? firn_db_int(now->kind) : null,
        now ? firn_db_str(now->content_id) : null,
        now ? firn_db_str(now->value) : null,
    };
    return firn_db_query(
        db, arena,
        "INSERT INTO changes (commit_id, ns, name, old_kind, old_content_id, old_value,"
        " new_kind, new_content_id, new_value) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        params, 9, NULL, err);
}

firn_rc firn_store_commit_insert(firn_db *db, const firn_commit_row *row, const firn_delta *deltas,
                                 size_t n, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_db_value params[] = {
        firn_db_str(row->id),
        firn_db_str(row->parent_id),
        firn_db_str(row->merge_parent_id),
        firn_db_int(row->generation),
        firn_db_str(row->author),
        firn_db_str(row->message),
        firn_db_int(row->time_us),
    };
    FIRN_TRY(firn_db_query(
        db, arena,
        "INSERT INTO commits (commit_id, parent_id, merge_parent_id, generation, author, message,"
        " time_us) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        params, 7, NULL, err));
    for (size_t i = 0; i < n; i++) {
        FIRN_TRY(insert_change(db, arena, row->id, &deltas[i], err));
    }
    return FIRN_OK;
}

static firn_rc put_entry(firn_db *db, firn_arena *arena, const char *branch,
                         const firn_commit_row *row, const firn_delta *delta, firn_err *err)
{
    firn_db_value params[] = {
        firn_db_str(branch),
        firn_db_str(delta->ns),
        firn_db_str(delta->name),
        firn_db_int(delta->now->kind),
        firn_db_str(delta->now->content_id),
        firn_db_str(delta->now->value),
        firn_db_str(row->id),
        firn_db_int(row->time_us),
    };
    return firn_db_query(
        db, arena,
        "INSERT INTO entries (ref, ns, name, kind, content_id, value, commit_id, updated_us)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
        " ON CONFLICT (ref, ns, name) DO UPDATE SET kind = excluded.kind,"
        " content_id = excluded.content_id, value = excluded.value,"
        " commit_id = excluded.commit_id, updated_us = excluded.updated_us",
        params, 8, NULL, err);
}

firn_rc firn_store_advance(firn_db *db, const char *branch, const firn_commit_row *row,
                           const firn_delta *deltas, size_t n, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    for (size_t i = 0; i < n; i++) {
        if (deltas[i].now) {
            FIRN_TRY(put_entry(db, arena, branch, row, &deltas[i], err));
            continue;
        }
        firn_db_value key[] = {firn_db_str(branch), firn_db_str(deltas[i].ns),
                               firn_db_str(deltas[i].name)};
        FIRN_TRY(firn_db_query(db, arena,
                               "DELETE FROM entries WHERE ref = $1 AND ns = $2 AND name = $3", key,
                               3, NULL, err));
    }
    firn_db_value params[] = {firn_db_str(row->id), firn_db_int(row->time_us), firn_db_str(branch)};
    return firn_db_query(db, arena,
                         "UPDATE refs SET commit_id = $1, updated_us = $2 WHERE name = $3", params,
                         3, NULL, err);
}
