/* Branches and tags: making, moving, renaming and deleting them.
 *
 * A ref's entries are rows of their own, so a ref that is made from another, or moved to where another stands, copies that
 * one's rows; from a bare commit they are put together from the log. Then tables may come back to life that no ref has any
 * more: they take their folders again, or the operation is refused when a folder is another table's by now. Where those
 * folders are is in metadata files, which are read between transactions.
 */
#include "internal.h"

#include "base/map.h"
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
    if (catalog->ops && catalog->ops->ref_list) {
        return catalog->ops->ref_list(catalog, arena, out, n, err);
    }
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
    if (catalog->ops && catalog->ops->ref_get) {
        return catalog->ops->ref_get(catalog, arena, name, out, err);
    }
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

/* ---- coming back to life ---------------------------------------------------------------------- */

enum { PLACE_ROUNDS_MAX = 20 };

/* What is known about a place that a ref is to be put: kept from one attempt to the next. */
typedef struct placing {
    firn_catalog *catalog;
    firn_arena *arena;
    firn_map *folders; /* metadata file -> its folder, "" when it is gone */
    FIRN_VEC(const firn_stored *) homeless;
} placing;

/* Claim the folders of what comes back to life at `to`; what is not known yet goes to `homeless`. */
static firn_rc revive(placing *p, firn_db *db, const firn_point *to, firn_err *err)
{
    firn_stored *list;
    firn_db_rows living;
    size_t n;
    p->homeless.len = 0;
    if (to->entries) {
        return FIRN_OK; /* a ref stands there: all of it is alive */
    }
    FIRN_TRY(firn_store_list(db, p->arena, to, NULL, &list, &n, err));
    FIRN_TRY(firn_db_query(db, p->arena, "SELECT DISTINCT content_id FROM entries", NULL, 0,
                           &living, err));
    firn_map *alive = firn_map_new(p->arena);
    for (size_t i = 0; i < living.n_rows; i++) {
        firn_map_put(alive, firn_db_text(&living, i, 0), alive);
    }
    for (size_t i = 0; i < n; i++) {
        if (list[i].kind == FIRN_KIND_NAMESPACE || firn_map_has(alive, list[i].content_id)) {
            continue;
        }
        const char *folder = firn_map_get(p->folders, list[i].value);
        if (!folder) {
            firn_vec_push(p->arena, &p->homeless, &list[i]);
            continue;
        }
        firn_rc rc = folder[0] ? firn_folder_claim(db, folder, list[i].content_id, err) : FIRN_OK;
        if (rc != FIRN_OK) {
            return firn_err_wrap(err, rc, "%s cannot come back to life",
                                 firn_ident_text(p->arena, (firn_ident){list[i].ns, list[i].name}));
        }
    }
    return FIRN_OK;
}

static firn_rc find_folders(placing *p, firn_err *err)
{
    for (size_t i = 0; i < p->homeless.len; i++) {
        const char *folder;
        FIRN_TRY(firn_folder_of(p->catalog, p->arena, p->homeless.items[i], &folder, err));
        firn_map_put(p->folders, p->homeless.items[i]->value, (void *)folder);
    }
    return FIRN_OK;
}

/* ---- moving ----------------------------------------------------------------------------------- */

static firn_rc get_ref(firn_db *db, firn_arena *arena, const char *name, firn_ref *out, bool *found,
                       firn_err *err)
{
    firn_db_value param = firn_db_str(name);
    firn_db_rows rows;
    FIRN_TRY(firn_db_query(db, arena,
                           "SELECT name, is_tag, commit_id, updated_us FROM refs WHERE name = $1",
                           &param, 1, &rows, err));
    *found = rows.n_rows > 0;
    if (*found) {
        *out = ref_of_row(&rows, 0);
    }
    return FIRN_OK;
}

static firn_rc expect(const char *name, const char *commit_id, const char *expected, firn_err *err)
{
    if (expected && !firn_streq(commit_id, expected)) {
        FIRN_FAIL(err, FIRN_E_CONFLICT,
                  "%s is at commit %s and not at %s any more: look at what came, and try again",
                  name, commit_id, expected);
    }
    return FIRN_OK;
}

static firn_rc insert_ref(firn_db *db, firn_arena *arena, const firn_ref *ref, firn_err *err)
{
    firn_db_value params[] = {firn_db_str(ref->name), firn_db_int(ref->is_tag),
                              firn_db_str(ref->commit_id), firn_db_int(ref->updated_us)};
    return firn_db_query(
        db, arena, "INSERT INTO refs (name, is_tag, commit_id, updated_us) VALUES ($1, $2, $3, $4)",
        params, 4, NULL, err);
}

/* Put an existing ref where `to` stands. */
static firn_rc move_ref(firn_db *db, firn_arena *arena, firn_ref *ref, const firn_point *to,
                        firn_err *err)
{
    if (firn_streq(ref->commit_id, to->commit_id)) {
        return FIRN_OK; /* and its entries are those of the commit */
    }
    ref->commit_id = to->commit_id;
    ref->updated_us = firn_now_us();
    firn_db_value params[] = {firn_db_str(ref->commit_id), firn_db_int(ref->updated_us),
                              firn_db_str(ref->name)};
    FIRN_TRY(firn_db_query(db, arena,
                           "UPDATE refs SET commit_id = $1, updated_us = $2 WHERE name = $3",
                           params, 3, NULL, err));
    firn_db_value name = firn_db_str(ref->name);
    FIRN_TRY(firn_db_query(db, arena, "DELETE FROM entries WHERE ref = $1", &name, 1, NULL, err));
    return fill_ref(db, arena, ref->name, to, err);
}

static firn_rc place_new(placing *p, firn_db *db, const firn_ref_make *make, const firn_point *to,
                         firn_ref *out, firn_err *err)
{
    bool found;
    FIRN_TRY(get_ref(db, p->arena, make->name, out, &found, err));
    if (found && make->replace && out->is_tag == make->is_tag) {
        return move_ref(db, p->arena, out, to, err);
    }
    if (found) {
        FIRN_FAIL(err, FIRN_E_EXISTS, "%s %s exists already", out->is_tag ? "tag" : "branch",
                  make->name);
    }
    *out = (firn_ref){
        .name = firn_arena_strdup(p->arena, make->name),
        .is_tag = make->is_tag,
        .commit_id = to->commit_id,
        .updated_us = firn_now_us(),
    };
    FIRN_TRY(insert_ref(db, p->arena, out, err));
    return fill_ref(db, p->arena, make->name, to, err);
}

static firn_rc try_make(placing *p, const firn_ref_make *make, firn_ref *out, firn_err *err)
{
    FIRN_AUTO_SESSION firn_db_session session = {0};
    firn_point to;
    FIRN_TRY(firn_db_session_begin(p->catalog, true, &session, err));
    FIRN_TRY(firn_store_resolve(session.db, p->arena, make->from, &to, err));
    FIRN_TRY(expect(to.text, to.commit_id, make->expected, err));
    FIRN_TRY(revive(p, session.db, &to, err));
    if (p->homeless.len > 0) {
        return FIRN_OK;
    }
    FIRN_TRY(place_new(p, session.db, make, &to, out, err));
    return firn_db_session_commit(&session, err);
}

firn_rc firn_catalog_ref_make(firn_catalog *catalog, firn_arena *arena, const firn_ref_make *make,
                              firn_ref *out, firn_err *err)
{
    if (catalog->ops && catalog->ops->ref_make) {
        return catalog->ops->ref_make(catalog, arena, make, out, err);
    }
    placing p = {.catalog = catalog, .arena = arena, .folders = firn_map_new(arena)};
    firn_ref ignored;
    FIRN_TRY(firn_ref_name_check(make->name, err));
    if (make->replace && firn_streq(make->name, FIRN_MAIN)) {
        FIRN_FAIL(err, FIRN_E_INVALID, "%s is not replaced but reset: `firn ref reset %s COMMIT`",
                  FIRN_MAIN, FIRN_MAIN);
    }
    for (int round = 0; round < PLACE_ROUNDS_MAX; round++) {
        FIRN_TRY(try_make(&p, make, out ? out : &ignored, err));
        if (p.homeless.len == 0) {
            return FIRN_OK;
        }
        FIRN_TRY(find_folders(&p, err));
    }
    FIRN_FAIL(err, FIRN_E_CONFLICT, "%s keeps changing; try again", make->from);
}

firn_rc firn_catalog_ref_create(firn_catalog *catalog, const char *name, bool is_tag,
                                const char *from, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_ref_make make = {.name = name, .is_tag = is_tag, .from = from};
    return firn_catalog_ref_make(catalog, arena, &make, NULL, err);
}

static firn_rc try_reset(placing *p, const char *name, const char *to, const char *expected,
                         firn_ref *out, firn_err *err)
{
    FIRN_AUTO_SESSION firn_db_session session = {0};
    firn_point branch, target;
    bool found;
    FIRN_TRY(firn_db_session_begin(p->catalog, true, &session, err));
    FIRN_TRY(firn_store_branch(session.db, p->arena, name, &branch, err));
    FIRN_TRY(expect(branch.text, branch.commit_id, expected, err));
    FIRN_TRY(firn_store_resolve(session.db, p->arena, to, &target, err));
    FIRN_TRY(revive(p, session.db, &target, err));
    if (p->homeless.len > 0) {
        return FIRN_OK;
    }
    FIRN_TRY(get_ref(session.db, p->arena, branch.ref, out, &found, err));
    FIRN_TRY(move_ref(session.db, p->arena, out, &target, err));
    return firn_db_session_commit(&session, err);
}

firn_rc firn_catalog_ref_reset(firn_catalog *catalog, firn_arena *arena, const char *name,
                               const char *to, const char *expected, firn_ref *out, firn_err *err)
{
    if (catalog->ops && catalog->ops->ref_reset) {
        return catalog->ops->ref_reset(catalog, arena, name, to, expected, out, err);
    }
    placing p = {.catalog = catalog, .arena = arena, .folders = firn_map_new(arena)};
    firn_ref ignored = {0};
    name = name ? name : FIRN_MAIN;
    for (int round = 0; round < PLACE_ROUNDS_MAX; round++) {
        FIRN_TRY(try_reset(&p, name, to, expected, out ? out : &ignored, err));
        if (p.homeless.len == 0) {
            return FIRN_OK;
        }
        FIRN_TRY(find_folders(&p, err));
    }
    FIRN_FAIL(err, FIRN_E_CONFLICT, "%s keeps changing; try again", name);
}

/* ---- deleting and renaming -------------------------------------------------------------------- */

static firn_rc refuse_main(const char *name, const char *what, firn_err *err)
{
    if (firn_streq(name, FIRN_MAIN)) {
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "%s cannot be %s: it is the branch that everything starts from", FIRN_MAIN, what);
    }
    return FIRN_OK;
}

static firn_rc delete_rows(firn_db *db, firn_arena *arena, const char *name, firn_err *err)
{
    firn_db_value param = firn_db_str(name);
    FIRN_TRY(firn_db_query(db, arena, "DELETE FROM entries WHERE ref = $1", &param, 1, NULL, err));
    return firn_db_query(db, arena, "DELETE FROM refs WHERE name = $1", &param, 1, NULL, err);
}

firn_rc firn_catalog_ref_drop(firn_catalog *catalog, firn_arena *arena, const char *name,
                              const char *expected, firn_ref *out, firn_err *err)
{
    if (catalog->ops && catalog->ops->ref_drop) {
        return catalog->ops->ref_drop(catalog, arena, name, expected, out, err);
    }
    FIRN_AUTO_SESSION firn_db_session session = {0};
    firn_point at;
    firn_ref ref;
    bool found;
    FIRN_TRY(refuse_main(name, "deleted", err));
    FIRN_TRY(firn_db_session_begin(catalog, true, &session, err));
    FIRN_TRY(firn_store_resolve(session.db, arena, name, &at, err));
    if (!at.ref) {
        FIRN_FAIL(err, FIRN_E_NO_REF, "%s is a commit, not a branch or tag: commits stay", at.text);
    }
    FIRN_TRY(expect(at.text, at.commit_id, expected, err));
    FIRN_TRY(get_ref(session.db, arena, at.ref, &ref, &found, err));
    FIRN_TRY(delete_rows(session.db, arena, at.ref, err));
    FIRN_TRY(firn_db_session_commit(&session, err));
    if (out) {
        *out = ref;
    }
    return FIRN_OK;
}

firn_rc firn_catalog_ref_delete(firn_catalog *catalog, const char *name, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    return firn_catalog_ref_drop(catalog, arena, name, NULL, NULL, err);
}

firn_rc firn_catalog_ref_rename(firn_catalog *catalog, const char *name, const char *to,
                                firn_err *err)
{
    if (catalog->ops && catalog->ops->ref_rename) {
        return catalog->ops->ref_rename(catalog, name, to, err);
    }
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    FIRN_AUTO_SESSION firn_db_session session = {0};
    firn_point at;
    firn_ref ref, other;
    bool found;
    FIRN_TRY(refuse_main(name, "renamed", err));
    FIRN_TRY(firn_ref_name_check(to, err));
    FIRN_TRY(firn_db_session_begin(catalog, true, &session, err));
    FIRN_TRY(firn_store_resolve(session.db, arena, name, &at, err));
    if (!at.ref) {
        FIRN_FAIL(err, FIRN_E_NO_REF, "%s is a commit, not a branch or tag: it has no other name",
                  at.text);
    }
    FIRN_TRY(get_ref(session.db, arena, to, &other, &found, err));
    if (found) {
        FIRN_FAIL(err, FIRN_E_EXISTS, "%s %s exists already", other.is_tag ? "tag" : "branch", to);
    }
    FIRN_TRY(get_ref(session.db, arena, at.ref, &ref, &found, err));
    ref.name = to;
    ref.updated_us = firn_now_us();
    firn_db_value params[] = {firn_db_str(to), firn_db_str(at.ref)};
    FIRN_TRY(insert_ref(session.db, arena, &ref, err));
    FIRN_TRY(firn_db_query(session.db, arena, "UPDATE entries SET ref = $1 WHERE ref = $2", params,
                           2, NULL, err));
    FIRN_TRY(delete_rows(session.db, arena, at.ref, err));
    return firn_db_session_commit(&session, err);
}
