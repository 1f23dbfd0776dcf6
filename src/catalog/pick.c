/* Cherry-picking: doing on a branch again what each commit did to its first parent (carry.h), one commit each.
 *
 * All of them are made in one transaction, so the target gets all or none. A commit builds on the one before: what that
 * leaves to be written (a table that both sides changed) is written between rounds before the next one is looked at.
 */
#include "carry.h"

typedef struct pick {
    firn_carry carry;
    const firn_merge_options *options;
    const char *const *names;
    size_t n;
    const char **ids; /* of the commits to make */
    firn_key_use key;
} pick;

static firn_rc source_of(pick *p, size_t i, firn_commit_row **out, firn_err *err)
{
    firn_point point;
    FIRN_TRY(firn_store_resolve(p->carry.db, p->carry.arena, p->names[i], &point, err));
    FIRN_TRY(firn_store_commit_get(p->carry.db, p->carry.arena, point.commit_id, out, err));
    if (!*out) {
        FIRN_FAIL(err, FIRN_E_CORRUPT, "commit %s is missing from the catalog's log",
                  point.commit_id);
    }
    if (!(*out)->parent_id) {
        FIRN_FAIL(err, FIRN_E_INVALID, "commit %s made the catalog: it has no change to be picked",
                  (*out)->id);
    }
    p->carry.commit_id = (*out)->id;
    p->carry.from_text = firn_arena_printf(p->carry.arena, "commit %.10s", (*out)->id);
    return FIRN_OK;
}

static firn_rc refuse_conflicts(pick *p, firn_pick_result *out, firn_err *err)
{
    firn_carry *carry = &p->carry;
    out->conflicts = carry->conflicts.items;
    out->n_conflicts = carry->conflicts.len;
    const char *conflicts = firn_carry_conflicts_text(carry);
    if (!conflicts) {
        return FIRN_OK;
    }
    FIRN_FAIL(err, FIRN_E_VALIDATION, "cannot pick %s into %s: %s; nothing was picked",
              carry->from_text, carry->into.text, conflicts);
}

/* Keys are checked against all commits at once: one may name what only the last of them touches. */
static firn_rc check_keys(pick *p, firn_err *err)
{
    FIRN_VEC(firn_delta) all = {0};
    for (size_t i = 0; i < p->n && p->options->n_keys > 0; i++) {
        firn_commit_row *source;
        firn_delta *changes;
        size_t n;
        FIRN_TRY(source_of(p, i, &source, err));
        FIRN_TRY(firn_store_deltas(p->carry.db, p->carry.arena, source->id, &changes, &n, err));
        for (size_t k = 0; k < n; k++) {
            firn_vec_push(p->carry.arena, &all, changes[k]);
        }
    }
    return firn_carry_check_keys(&p->carry, all.items, all.len, NULL, err);
}

/* *stop: something has to be prepared before this commit, or before the next. */
static firn_rc pick_one(pick *p, size_t i, firn_pick_result *out, bool *stop, firn_err *err)
{
    firn_carry *carry = &p->carry;
    firn_commit_row *source;
    firn_delta *changes;
    firn_carry_set set;
    size_t n;
    firn_picked *picked = &out->picked[i];
    FIRN_TRY(source_of(p, i, &source, err));
    *picked = (firn_picked){.source_id = source->id};
    FIRN_TRY(firn_store_deltas(carry->db, carry->arena, source->id, &changes, &n, err));
    FIRN_TRY(firn_carry_compare(carry, changes, n, &set, err));
    *stop = firn_carry_must_prepare(carry);
    if (*stop) {
        return FIRN_OK;
    }
    const firn_commit_info *info = &p->options->info;
    firn_commit_row row = {
        .id = p->ids[i],
        .author = info->author ? info->author : source->author,
        .message = info->message ? info->message : source->message,
    };
    if (set.taken.len > 0) {
        FIRN_TRY(firn_carry_apply(carry, &set, &row, err));
        carry->into.commit_id = row.id;
    }
    picked->changed = firn_carry_diffs(carry, set.taken.items, set.taken.len);
    picked->how = set.how.items;
    picked->n_changed = set.taken.len;
    FIRN_TRY(refuse_conflicts(p, out, err));
    if (!p->options->dry_run) {
        picked->commit_id = set.taken.len > 0 ? row.id : NULL;
        firn_carry_write_next(carry, &set);
        *stop = firn_carry_must_prepare(carry);
    }
    return FIRN_OK;
}

static firn_rc pick_round(pick *p, const char *into, firn_pick_result *out, const char **last,
                          firn_err *err)
{
    FIRN_AUTO_SESSION firn_db_session session = {0};
    firn_carry *carry = &p->carry;
    bool stop = false;
    *last = NULL;
    FIRN_TRY(firn_db_session_begin(carry->catalog, true, &session, err));
    firn_carry_start_round(carry, session.db);
    FIRN_TRY(firn_idempotency_find(carry->db, carry->arena, &p->options->info, &p->key, err));
    if (p->key.used) {
        *out = (firn_pick_result){.commit_id = p->key.commit_id};
        return FIRN_OK;
    }
    FIRN_TRY(firn_store_branch(session.db, carry->arena, into, &carry->into, err));
    FIRN_TRY(firn_carry_expect(&carry->into, p->options->expected_into, err));
    FIRN_TRY(check_keys(p, err));
    out->into_commit = carry->into.commit_id;
    out->n_picked = 0;
    for (size_t i = 0; i < p->n; i++) {
        out->n_picked = i + 1;
        FIRN_TRY(pick_one(p, i, out, &stop, err));
        if (stop) {
            return FIRN_OK;
        }
        *last = out->picked[i].commit_id ? out->picked[i].commit_id : *last;
    }
    if (p->options->dry_run || !*last) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_idempotency_claim(carry->db, &p->options->info, *last, err));
    return firn_db_session_commit(&session, err);
}

static firn_rc pick_rounds(pick *p, const char *into, firn_pick_result *out, firn_err *err)
{
    firn_carry *carry = &p->carry;
    size_t rounds = FIRN_CARRY_ROUNDS_MAX + 3 * p->n; /* each commit may take three by itself */
    for (size_t round = 0; round < rounds; round++) {
        firn_err detail = {0};
        const char *last;
        firn_rc rc = pick_round(p, into, out, &last, &detail);
        FIRN_TRY(
            firn_commit_outcome(carry->catalog, into, last ? last : p->ids[0], rc, &detail, err));
        if (!firn_carry_must_prepare(carry)) {
            out->commit_id = p->key.used ? out->commit_id : last;
            return FIRN_OK;
        }
        rc = firn_carry_prepare(carry, &detail);
        if (rc != FIRN_OK) {
            FIRN_FAIL(err, rc == FIRN_E_UNKNOWN_OUTCOME ? FIRN_E_IO : rc,
                      "cannot pick %s into %s: %s", carry->from_text, into, detail.message);
        }
    }
    FIRN_FAIL(err, FIRN_E_CONFLICT, "cannot pick commits into %s: it keeps changing; try again",
              into);
}

firn_rc firn_catalog_cherry_pick(firn_catalog *catalog, firn_arena *arena,
                                 const char *const *commits, size_t n, const char *into,
                                 const firn_merge_options *options, firn_pick_result *out,
                                 firn_err *err)
{
    if (catalog->ops && catalog->ops->cherry_pick) {
        return catalog->ops->cherry_pick(catalog, arena, commits, n, into, options, out, err);
    }
    static const firn_merge_options defaults = {0};
    options = options ? options : &defaults;
    into = into ? into : FIRN_MAIN;
    *out = (firn_pick_result){.picked = FIRN_NEW_N(arena, firn_picked, n)};
    if (n == 0) {
        FIRN_FAIL(err, FIRN_E_INVALID, "there is no commit to be picked into %s", into);
    }
    pick p = {
        .options = options, .names = commits, .n = n, .ids = FIRN_NEW_N(arena, const char *, n)};
    for (size_t i = 0; i < n; i++) {
        p.ids[i] = firn_commit_id_new(arena);
    }
    firn_carry_init(&p.carry, catalog, arena, options);
    firn_rc rc = pick_rounds(&p, into, out, err);
    firn_carry_end(&p.carry, rc);
    return rc;
}
