/* Merging one line of commits into a branch.
 *
 * With B the merge base, the changes B -> source are carried over to the target, except where B -> target changed the same
 * key: to the same content, then there is nothing to do; to another, then it is a conflict. What the outcome needs to hold
 * together (a table's namespace, an empty namespace where one goes) is checked on the merged state. All conflicts are
 * gathered before the merge is refused. It is one transaction, so nothing moves meanwhile, and one commit with two parents:
 * the source's commits stay reachable through the second, which makes the next merge of the same branch start from here.
 */
#include "internal.h"

#include "base/vec.h"

typedef struct merge {
    firn_db *db;
    firn_arena *arena;
    firn_point from, into;
    FIRN_VEC(firn_delta) taken;
    FIRN_VEC(struct firn_merge_conflict) conflicts;
} merge;

static void add_conflict(merge *m, const firn_delta *delta, const char *cause)
{
    struct firn_merge_conflict conflict = {.ident = {.ns = delta->ns, .name = delta->name},
                                           .cause = cause};
    firn_vec_push(m->arena, &m->conflicts, conflict);
}

static const char *cause_of(merge *m, const firn_delta *ours, const firn_delta *theirs)
{
    const char *into = m->into.text, *from = m->from.text;
    if (!ours->now) {
        return firn_arena_printf(m->arena, "dropped on %s, changed on %s", into, from);
    }
    if (!theirs->now) {
        return firn_arena_printf(m->arena, "changed on %s, dropped on %s", into, from);
    }
    return firn_arena_printf(m->arena, "%s on both %s and %s", ours->was ? "changed" : "created",
                             into, from);
}

/* Which of the source's changes to take over. */
static firn_rc compare(merge *m, const char *base, firn_err *err)
{
    firn_delta *ours, *theirs;
    size_t n_ours, n_theirs;
    FIRN_TRY(firn_store_diff(m->db, m->arena, base, m->into.commit_id, &ours, &n_ours, err));
    FIRN_TRY(firn_store_diff(m->db, m->arena, base, m->from.commit_id, &theirs, &n_theirs, err));
    firn_map *by_key = firn_map_new(m->arena);
    for (size_t i = 0; i < n_ours; i++) {
        firn_map_put(by_key, firn_arena_printf(m->arena, "%s\x1e%s", ours[i].ns, ours[i].name),
                     &ours[i]);
    }
    for (size_t i = 0; i < n_theirs; i++) {
        const char *key = firn_arena_printf(m->arena, "%s\x1e%s", theirs[i].ns, theirs[i].name);
        const firn_delta *other = firn_map_get(by_key, key);
        if (!other) {
            firn_vec_push(m->arena, &m->taken, theirs[i]);
        } else if (!firn_stored_same(other->now, theirs[i].now)) {
            add_conflict(m, &theirs[i], cause_of(m, other, &theirs[i]));
        }
    }
    return FIRN_OK;
}

/* On the merged state, before it is committed. */
static firn_rc check_structure(merge *m, firn_err *err)
{
    for (size_t i = 0; i < m->taken.len; i++) {
        firn_err cause = {0};
        firn_rc rc =
            firn_delta_check_structure(m->db, m->arena, &m->into, &m->taken.items[i], &cause);
        if (rc == FIRN_E_NO_NAMESPACE || rc == FIRN_E_NOT_EMPTY) {
            add_conflict(m, &m->taken.items[i], firn_arena_strdup(m->arena, cause.message));
        } else if (rc != FIRN_OK) {
            if (err) {
                *err = cause;
            }
            return rc;
        }
    }
    return FIRN_OK;
}

static firn_rc refuse_conflicts(const merge *m, firn_merge_result *out, firn_err *err)
{
    out->conflicts = m->conflicts.items;
    out->n_conflicts = m->conflicts.len;
    if (m->conflicts.len == 0) {
        return FIRN_OK;
    }
    const struct firn_merge_conflict *first = &m->conflicts.items[0];
    const char *more = m->conflicts.len > 1
                           ? firn_arena_printf(m->arena, " (and %zu more)", m->conflicts.len - 1)
                           : "";
    FIRN_FAIL(err, FIRN_E_VALIDATION,
              "cannot merge %s into %s: %s: %s%s; nothing was merged, see `firn ref diff %s %s`",
              m->from.text, m->into.text, firn_ident_text(m->arena, first->ident), first->cause,
              more, m->into.text, m->from.text);
}

static void report_taken(const merge *m, firn_merge_result *out)
{
    out->merged = FIRN_NEW_N(m->arena, firn_diff, m->taken.len);
    out->n_merged = m->taken.len;
    for (size_t i = 0; i < m->taken.len; i++) {
        out->merged[i] = firn_diff_of_delta(&m->taken.items[i]);
    }
}

static firn_rc merge_locked(merge *m, const firn_merge_options *options, firn_commit_row *row,
                            firn_merge_result *out, firn_err *err)
{
    const char *base;
    FIRN_TRY(
        firn_store_merge_base(m->db, m->arena, m->into.commit_id, m->from.commit_id, &base, err));
    if (!base) {
        FIRN_FAIL(err, FIRN_E_VALIDATION, "cannot merge %s into %s: they have no commit in common",
                  m->from.text, m->into.text);
    }
    out->fast_forward = firn_streq(base, m->into.commit_id);
    FIRN_TRY(compare(m, base, err));
    FIRN_TRY(refuse_conflicts(m, out, err));
    if (m->taken.len == 0) {
        return FIRN_OK;
    }
    row->merge_parent_id = m->from.commit_id;
    row->author = firn_commit_author(m->arena, &options->info);
    row->message = options->info.message ? options->info.message
                                         : firn_arena_printf(m->arena, "merge %s into %s",
                                                             m->from.text, m->into.text);
    FIRN_TRY(firn_deltas_apply(m->db, m->arena, &m->into, m->taken.items, m->taken.len, row, err));
    FIRN_TRY(check_structure(m, err));
    FIRN_TRY(refuse_conflicts(m, out, err));
    report_taken(m, out);
    return FIRN_OK;
}

static firn_rc merge_once(firn_catalog *catalog, firn_arena *arena, const char *from,
                          const char *into, const firn_merge_options *options, firn_commit_row *row,
                          firn_merge_result *out, firn_err *err)
{
    FIRN_AUTO_SESSION firn_session session = {0};
    FIRN_TRY(firn_session_begin(catalog, true, &session, err));
    merge m = {.db = session.db, .arena = arena};
    FIRN_TRY(firn_store_branch(session.db, arena, into, &m.into, err));
    FIRN_TRY(firn_store_resolve(session.db, arena, from, &m.from, err));
    FIRN_TRY(merge_locked(&m, options, row, out, err));
    if (out->n_merged == 0 || options->dry_run) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_session_commit(&session, err));
    return FIRN_OK;
}

firn_rc firn_catalog_merge(firn_catalog *catalog, firn_arena *arena, const char *from,
                           const char *into, const firn_merge_options *options,
                           firn_merge_result *out, firn_err *err)
{
    static const firn_merge_options defaults = {0};
    options = options ? options : &defaults;
    into = into ? into : FIRN_MAIN;
    *out = (firn_merge_result){0};
    firn_commit_row row = {.id = firn_commit_id_new(arena)};
    firn_err detail = {0};
    firn_rc rc = merge_once(catalog, arena, from, into, options, &row, out, &detail);
    FIRN_TRY(firn_commit_outcome(catalog, into, row.id, rc, &detail, err));
    if (out->n_merged > 0 && !options->dry_run) {
        out->commit_id = row.id;
    }
    return FIRN_OK;
}
