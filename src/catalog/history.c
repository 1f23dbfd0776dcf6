/* Walking the commit log: what a commit did, what lies between two commits, and where two lines met.
 *
 * A commit's changes are relative to its first parent, with before and after. So the net change along a line of first
 * parents is: per key, the oldest "before" and the newest "after". Between commits that are not on one such line (a
 * base reached through a merge's second parent) the two whole states are compared.
 */
#include "internal.h"

#include "base/vec.h"

static const firn_stored *side_of_row(firn_arena *arena, const firn_db_rows *rows, size_t row,
                                      size_t column, const char *ns, const char *name)
{
    if (!firn_db_text(rows, row, column + 2)) {
        return NULL;
    }
    firn_stored *side = FIRN_NEW(arena, firn_stored);
    *side = (firn_stored){
        .kind = (firn_entry_kind)firn_db_i64(rows, row, column),
        .ns = ns,
        .name = name,
        .content_id = firn_db_text(rows, row, column + 1),
        .value = firn_db_text(rows, row, column + 2),
    };
    return side;
}

/* Eight columns from `column` on: ns, name, and three each for before and after. */
static firn_delta delta_of_row(firn_arena *arena, const firn_db_rows *rows, size_t row,
                               size_t column)
{
    const char *ns = firn_db_text(rows, row, column), *name = firn_db_text(rows, row, column + 1);
    return (firn_delta){
        .ns = ns,
        .name = name,
        .was = side_of_row(arena, rows, row, column + 2, ns, name),
        .now = side_of_row(arena, rows, row, column + 5, ns, name),
    };
}

firn_rc firn_store_deltas(firn_db *db, firn_arena *arena, const char *commit_id, firn_delta **out,
                          size_t *n, firn_err *err)
{
    firn_db_value param = firn_db_str(commit_id);
    firn_db_rows rows;
    FIRN_TRY(firn_db_query(
        db, arena,
        "SELECT ns, name, old_kind, old_content_id, old_value, new_kind, new_content_id, new_value"
        " FROM changes WHERE commit_id = $1 ORDER BY ns, name",
        &param, 1, &rows, err));
    *out = FIRN_NEW_N(arena, firn_delta, rows.n_rows);
    *n = rows.n_rows;
    for (size_t i = 0; i < rows.n_rows; i++) {
        (*out)[i] = delta_of_row(arena, &rows, i, 0);
    }
    return FIRN_OK;
}

static int by_key(const void *a, const void *b)
{
    const firn_delta *left = a, *right = b;
    int by_ns = strcmp(left->ns, right->ns);
    return by_ns ? by_ns : strcmp(left->name, right->name);
}

/* Net change along the first parents from `to` down to `from`; *on_line = false if `from` is not met. */
static firn_rc diff_on_line(firn_db *db, firn_arena *arena, const firn_commit_row *from,
                            const char *to, bool *on_line, firn_delta **out, size_t *n,
                            firn_err *err)
{
    static const char sql[] =
        "WITH RECURSIVE chain (commit_id, parent_id, depth) AS ("
        " SELECT commit_id, parent_id, 0 FROM commits WHERE commit_id = $1 AND generation > $2"
        " UNION ALL SELECT c.commit_id, c.parent_id, chain.depth + 1"
        " FROM commits c JOIN chain ON c.commit_id = chain.parent_id WHERE c.generation > $2)"
        " SELECT chain.parent_id, d.ns, d.name, d.old_kind, d.old_content_id, d.old_value,"
        " d.new_kind, d.new_content_id, d.new_value"
        " FROM chain LEFT JOIN changes d ON d.commit_id = chain.commit_id ORDER BY chain.depth, d.ns, d.name";
    firn_db_value params[] = {firn_db_str(to), firn_db_int(from->generation)};
    firn_db_rows rows;
    FIRN_TRY(firn_db_query(db, arena, sql, params, 2, &rows, err));
    const char *below = rows.n_rows > 0 ? firn_db_text(&rows, rows.n_rows - 1, 0) : NULL;
    *on_line = below && firn_streq(below, from->id);
    firn_map *net = firn_map_new(arena);
    for (size_t i = 0; *on_line && i < rows.n_rows; i++) {
        if (!firn_db_text(&rows, i, 1)) {
            continue; /* a commit without changes */
        }
        firn_delta delta = delta_of_row(arena, &rows, i, 1);
        const char *key = firn_arena_printf(arena, "%s\x1e%s", delta.ns, delta.name);
        firn_delta *newer = firn_map_get(net, key);
        if (newer) {
            newer->was = delta.was;
        } else {
            firn_map_put(net, key, firn_arena_memdup(arena, &delta, sizeof(delta)));
        }
    }
    *out = FIRN_NEW_N(arena, firn_delta, firn_map_len(net));
    *n = 0;
    const char *key;
    void *delta;
    for (size_t i = 0; firn_map_next(net, &i, &key, &delta);) {
        if (!firn_stored_same(((firn_delta *)delta)->was, ((firn_delta *)delta)->now)) {
            (*out)[(*n)++] = *(firn_delta *)delta;
        }
    }
    if (*n > 0) {
        qsort(*out, *n, sizeof(**out), by_key);
    }
    return FIRN_OK;
}

static firn_rc state_at(firn_db *db, firn_arena *arena, const char *commit_id, firn_stored **out,
                        size_t *n, firn_err *err)
{
    firn_point at;
    FIRN_TRY(firn_store_resolve(db, arena, commit_id, &at, err));
    return firn_store_list(db, arena, &at, NULL, out, n, err);
}

static firn_rc diff_of_states(firn_db *db, firn_arena *arena, const char *from, const char *to,
                              firn_delta **out, size_t *n, firn_err *err)
{
    firn_stored *old, *new;
    size_t n_old, n_new;
    FIRN_TRY(state_at(db, arena, from, &old, &n_old, err));
    FIRN_TRY(state_at(db, arena, to, &new, &n_new, err));
    *out = FIRN_NEW_N(arena, firn_delta, n_old + n_new);
    *n = 0;
    for (size_t i = 0, j = 0; i < n_old || j < n_new;) {
        firn_delta left =
            i < n_old ? (firn_delta){.ns = old[i].ns, .name = old[i].name} : (firn_delta){0};
        firn_delta right =
            j < n_new ? (firn_delta){.ns = new[j].ns, .name = new[j].name} : (firn_delta){0};
        int order = i == n_old ? 1 : j == n_new ? -1 : by_key(&left, &right);
        firn_delta delta = order <= 0 ? left : right;
        delta.was = order <= 0 ? &old[i++] : NULL;
        delta.now = order >= 0 ? &new[j++] : NULL;
        if (!firn_stored_same(delta.was, delta.now)) {
            (*out)[(*n)++] = delta;
        }
    }
    return FIRN_OK;
}

firn_rc firn_store_diff(firn_db *db, firn_arena *arena, const char *from, const char *to,
                        firn_delta **out, size_t *n, firn_err *err)
{
    *out = NULL;
    *n = 0;
    if (firn_streq(from, to)) {
        return FIRN_OK;
    }
    firn_commit_row *row;
    FIRN_TRY(firn_store_commit_get(db, arena, from, &row, err));
    bool on_line = false;
    if (row) {
        FIRN_TRY(diff_on_line(db, arena, row, to, &on_line, out, n, err));
    }
    return on_line ? FIRN_OK : diff_of_states(db, arena, from, to, out, n, err);
}

/* ---- merge base ------------------------------------------------------------------------------- */

typedef struct visited {
    firn_commit_row *row;
    unsigned sides; /* 1: reached from a, 2: from b */
} visited;

typedef struct walk {
    firn_db *db;
    firn_arena *arena;
    firn_map *seen; /* commit id -> visited */
    FIRN_VEC(visited *) frontier;
} walk;

static firn_rc reach(walk *w, const char *id, unsigned side, firn_err *err)
{
    visited *one = id ? firn_map_get(w->seen, id) : NULL;
    if (one || !id) {
        if (one) {
            one->sides |= side;
        }
        return FIRN_OK;
    }
    one = FIRN_NEW(w->arena, visited);
    one->sides = side;
    FIRN_TRY(firn_store_commit_get(w->db, w->arena, id, &one->row, err));
    if (!one->row) {
        FIRN_FAIL(err, FIRN_E_CORRUPT, "commit %s is missing from the catalog's log", id);
    }
    firn_map_put(w->seen, id, one);
    firn_vec_push(w->arena, &w->frontier, one);
    return FIRN_OK;
}

/* Parents have lower generations than their children, so a commit that is taken in descending order of generation has
 * been reached by all its descendants; the first that both sides reached is the base. */
firn_rc firn_store_merge_base(firn_db *db, firn_arena *arena, const char *a, const char *b,
                              const char **out, firn_err *err)
{
    walk w = {.db = db, .arena = arena, .seen = firn_map_new(arena)};
    FIRN_TRY(reach(&w, a, 1, err));
    FIRN_TRY(reach(&w, b, 2, err));
    *out = NULL;
    while (w.frontier.len > 0) {
        size_t top = 0;
        for (size_t i = 1; i < w.frontier.len; i++) {
            top = w.frontier.items[i]->row->generation > w.frontier.items[top]->row->generation
                      ? i
                      : top;
        }
        visited *one = w.frontier.items[top];
        w.frontier.items[top] = firn_vec_last(&w.frontier);
        w.frontier.len--;
        if (one->sides == 3) {
            *out = one->row->id;
            return FIRN_OK;
        }
        FIRN_TRY(reach(&w, one->row->parent_id, one->sides, err));
        FIRN_TRY(reach(&w, one->row->merge_parent_id, one->sides, err));
    }
    return FIRN_OK;
}
