/* Merging one line of commits into a branch.
 *
 * With B the merge base, the changes B -> source are carried over to the target, except where B -> target changed the
 * same key: to the same content, then there is nothing to do; to another, then the source's appends are replayed on the
 * target (replay.c) or it is a conflict. What the outcome needs to hold together (a table's namespace, an empty namespace
 * where one goes, one name per table, which both sides may have renamed) is checked on the merged state. All conflicts are
 * gathered before the merge is refused.
 *
 * The merge is one transaction, so nothing moves meanwhile, and one commit with two parents: the source's commits stay
 * reachable through the second, which makes the next merge of the same branch start from here. Replaying writes files and
 * so happens between transactions: a round that finds tables to replay ends without a commit, and the next round uses
 * what was written if neither side has moved.
 */
#include "internal.h"

#include "base/vec.h"
#include "replay.h"

enum { ROUNDS_MAX = 20 };

/* A table that both sides changed. */
typedef struct contested {
    const firn_delta *ours, *theirs;
} contested;

typedef struct merge {
    firn_catalog *catalog;
    firn_arena *arena;
    bool dry_run;
    firn_key_use key;
    FIRN_VEC(firn_replay) replays; /* of all rounds so far */
    /* of this round: */
    firn_db *db;
    firn_point from, into;
    FIRN_VEC(firn_delta) taken;
    FIRN_VEC(struct firn_merge_conflict) conflicts;
    FIRN_VEC(contested) open; /* to be replayed before the next round */
    size_t n_replayed;
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

/* The replay of exactly these two states, if an earlier round made one. */
static firn_replay *find_replay(merge *m, const firn_delta *ours, const firn_delta *theirs)
{
    for (size_t i = 0; i < m->replays.len; i++) {
        firn_replay *replay = &m->replays.items[i];
        if (firn_stored_same(replay->ours_stored, ours->now) &&
            firn_stored_same(replay->theirs_stored, theirs->now) &&
            firn_streq(replay->ours_stored->ns, ours->ns) &&
            firn_streq(replay->ours_stored->name, ours->name)) {
            return replay;
        }
    }
    return NULL;
}

static void contest(merge *m, const firn_delta *ours, const firn_delta *theirs)
{
    bool tables = ours->was && ours->now && theirs->now && theirs->now->kind == FIRN_KIND_TABLE;
    firn_replay *replay = tables ? find_replay(m, ours, theirs) : NULL;
    if (replay && !replay->obstacle) {
        firn_delta delta = {
            .ns = ours->ns, .name = ours->name, .was = ours->now, .now = replay->merged};
        firn_vec_push(m->arena, &m->taken, delta);
        m->n_replayed++;
        replay->used = true;
    } else if (replay) {
        add_conflict(
            m, theirs,
            firn_arena_printf(m->arena, "%s (%s)", cause_of(m, ours, theirs), replay->obstacle));
    } else if (tables) {
        contested one = {.ours = ours, .theirs = theirs};
        firn_vec_push(m->arena, &m->open, one);
    } else {
        add_conflict(m, theirs, cause_of(m, ours, theirs));
    }
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
            contest(m, other, &theirs[i]);
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
        if (rc == FIRN_E_NO_NAMESPACE || rc == FIRN_E_NOT_EMPTY || rc == FIRN_E_EXISTS) {
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
    out->n_replayed = m->n_replayed;
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
    if (m->taken.len == 0 || m->open.len > 0) {
        return FIRN_OK;
    }
    row->merge_parent_id = m->from.commit_id;
    row->author = firn_commit_author(m->arena, &options->info);
    row->message = options->info.message ? options->info.message
                                         : firn_arena_printf(m->arena, "merge %s into %s",
                                                             m->from.text, m->into.text);
    FIRN_TRY(firn_deltas_apply(m->db, m->arena, &m->into, m->taken.items, m->taken.len, row, err));
    FIRN_TRY(firn_idempotency_claim(m->db, &options->info, row->id, err));
    FIRN_TRY(check_structure(m, err));
    FIRN_TRY(refuse_conflicts(m, out, err));
    report_taken(m, out);
    return FIRN_OK;
}

/* What the key's first merge did. */
static firn_rc repeat(merge *m, firn_merge_result *out, firn_err *err)
{
    firn_delta *deltas = NULL;
    size_t n = 0;
    if (m->key.commit_id) {
        FIRN_TRY(firn_store_deltas(m->db, m->arena, m->key.commit_id, &deltas, &n, err));
    }
    *out = (firn_merge_result){
        .repeated = true,
        .commit_id = m->key.commit_id,
        .merged = FIRN_NEW_N(m->arena, firn_diff, n),
        .n_merged = n,
    };
    for (size_t i = 0; i < n; i++) {
        out->merged[i] = firn_diff_of_delta(&deltas[i]);
    }
    return FIRN_OK;
}

/* One round: a commit, unless there is nothing to merge or something to replay first. */
static firn_rc merge_round(merge *m, const char *from, const char *into,
                           const firn_merge_options *options, firn_commit_row *row,
                           firn_merge_result *out, firn_err *err)
{
    FIRN_AUTO_SESSION firn_db_session session = {0};
    FIRN_TRY(firn_db_session_begin(m->catalog, true, &session, err));
    m->db = session.db;
    m->taken.len = m->conflicts.len = m->open.len = m->n_replayed = 0;
    for (size_t i = 0; i < m->replays.len; i++) {
        m->replays.items[i].used = false;
    }
    FIRN_TRY(firn_idempotency_find(m->db, m->arena, &options->info, &m->key, err));
    if (m->key.used) {
        return repeat(m, out, err);
    }
    FIRN_TRY(firn_store_branch(session.db, m->arena, into, &m->into, err));
    FIRN_TRY(firn_store_resolve(session.db, m->arena, from, &m->from, err));
    FIRN_TRY(merge_locked(m, options, row, out, err));
    if (m->open.len > 0 || m->taken.len == 0 || m->dry_run) {
        return FIRN_OK;
    }
    return firn_db_session_commit(&session, err);
}

/* Between rounds, without a transaction: replay what both sides changed, or find out why not. */
static firn_rc replay_open(merge *m, firn_err *err)
{
    for (size_t i = 0; i < m->open.len; i++) {
        const contested *one = &m->open.items[i];
        firn_replay *replay = firn_vec_push_zero(m->arena, &m->replays);
        FIRN_TRY(firn_replay_check(m->catalog, m->arena, one->ours->was, one->ours->now,
                                   one->theirs->now, replay, err));
        if (!replay->obstacle && m->dry_run) {
            replay->merged = replay->theirs_stored;
        } else if (!replay->obstacle) {
            FIRN_TRY(firn_replay_write(m->catalog, m->arena, replay, err));
        }
    }
    return FIRN_OK;
}

static firn_rc merge_rounds(merge *m, const char *from, const char *into,
                            const firn_merge_options *options, firn_commit_row *row,
                            firn_merge_result *out, firn_err *err)
{
    for (int round = 0; round < ROUNDS_MAX; round++) {
        firn_err detail = {0};
        firn_rc rc = merge_round(m, from, into, options, row, out, &detail);
        FIRN_TRY(firn_commit_outcome(m->catalog, into, row->id, rc, &detail, err));
        if (m->open.len == 0) {
            return FIRN_OK;
        }
        rc = replay_open(m, &detail);
        if (rc != FIRN_OK) {
            /* An unknown outcome of writing a file is a known failure of the merge: nothing points to the file. */
            FIRN_FAIL(err, rc == FIRN_E_UNKNOWN_OUTCOME ? FIRN_E_IO : rc,
                      "cannot merge %s into %s: %s", from, into, detail.message);
        }
    }
    FIRN_FAIL(err, FIRN_E_CONFLICT, "cannot merge %s into %s: %s keeps changing; try again", from,
              into, into);
}

firn_rc firn_catalog_merge(firn_catalog *catalog, firn_arena *arena, const char *from,
                           const char *into, const firn_merge_options *options,
                           firn_merge_result *out, firn_err *err)
{
    static const firn_merge_options defaults = {0};
    options = options ? options : &defaults;
    from = from ? from : FIRN_MAIN;
    into = into ? into : FIRN_MAIN;
    *out = (firn_merge_result){0};
    firn_commit_row row = {.id = firn_commit_id_new(arena)};
    merge m = {.catalog = catalog, .arena = arena, .dry_run = options->dry_run};
    firn_rc rc = merge_rounds(&m, from, into, options, &row, out, err);
    for (size_t i = 0; i < m.replays.len && rc != FIRN_E_UNKNOWN_OUTCOME; i++) {
        if (rc != FIRN_OK || !m.replays.items[i].used) {
            firn_replay_discard(catalog, &m.replays.items[i]);
        }
    }
    if (rc == FIRN_OK && out->n_merged > 0 && !options->dry_run && !out->repeated) {
        out->commit_id = row.id;
    }
    return rc;
}
