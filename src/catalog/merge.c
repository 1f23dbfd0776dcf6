/* Merging one line of commits into a branch.
 *
 * With B the merge base, the changes B -> source are carried over to the target (carry.h), all in one commit with two
 * parents: the source's commits stay reachable through the second, which makes the next merge of the same branch start from
 * here. What the outcome needs to hold together (a table's namespace, an empty namespace where one goes, one name per table,
 * which both sides may have renamed) is checked on the merged state.
 */
#include "carry.h"

typedef struct merge {
    firn_carry carry;
    const firn_merge_options *options;
    firn_key_use key;
    firn_point from;
    firn_carry_set set; /* of this round */
} merge;

static void report(merge *m, firn_merge_result *out)
{
    firn_carry *carry = &m->carry;
    out->merged = firn_carry_diffs(carry, m->set.taken.items, m->set.taken.len);
    out->how = m->set.how.items;
    out->n_merged = m->set.taken.len;
    out->n_replayed = m->set.n_replayed;
    out->skipped = firn_carry_diffs(carry, m->set.skipped.items, m->set.skipped.len);
    out->n_skipped = m->set.skipped.len;
    out->conflicts = carry->conflicts.items;
    out->n_conflicts = carry->conflicts.len;
}

static firn_rc refuse_conflicts(merge *m, firn_err *err)
{
    firn_carry *carry = &m->carry;
    const char *conflicts = firn_carry_conflicts_text(carry);
    if (!conflicts) {
        return FIRN_OK;
    }
    FIRN_FAIL(err, FIRN_E_VALIDATION,
              "cannot merge %s into %s: %s; nothing was merged, see `firn ref diff %s %s`",
              m->from.text, carry->into.text, conflicts, carry->into.text, m->from.text);
}

static firn_rc merge_locked(merge *m, firn_commit_row *row, firn_merge_result *out, firn_err *err)
{
    firn_carry *carry = &m->carry;
    const firn_merge_options *options = m->options;
    const char *base;
    firn_delta *changes;
    size_t n;
    FIRN_TRY(firn_carry_expect(&m->from, options->expected_from, err));
    FIRN_TRY(firn_carry_expect(&carry->into, options->expected_into, err));
    FIRN_TRY(firn_store_merge_base(carry->db, carry->arena, carry->into.commit_id,
                                   m->from.commit_id, &base, err));
    if (!base) {
        FIRN_FAIL(err, FIRN_E_VALIDATION, "cannot merge %s into %s: they have no commit in common",
                  m->from.text, carry->into.text);
    }
    *out = (firn_merge_result){
        .from_commit = m->from.commit_id,
        .into_commit = carry->into.commit_id,
        .base_commit = base,
        .fast_forward = firn_streq(base, carry->into.commit_id),
    };
    FIRN_TRY(firn_store_diff(carry->db, carry->arena, base, m->from.commit_id, &changes, &n, err));
    FIRN_TRY(firn_carry_check_keys(carry, changes, n, &m->from, err));
    FIRN_TRY(firn_carry_compare(carry, changes, n, &m->set, err));
    if (firn_carry_must_prepare(carry)) {
        return FIRN_OK;
    }
    if (m->set.taken.len > 0) {
        row->merge_parent_id = m->from.commit_id;
        row->author = firn_commit_author(carry->arena, &options->info);
        row->message = options->info.message ? options->info.message
                                             : firn_arena_printf(carry->arena, "merge %s into %s",
                                                                 m->from.text, carry->into.text);
        FIRN_TRY(firn_carry_apply(carry, &m->set, row, err));
        FIRN_TRY(firn_idempotency_claim(carry->db, &options->info, row->id, err));
    }
    report(m, out);
    FIRN_TRY(refuse_conflicts(m, err));
    if (!options->dry_run) {
        firn_carry_write_next(carry, &m->set);
    }
    return FIRN_OK;
}

/* What the key's first merge did. */
static firn_rc repeat(merge *m, firn_merge_result *out, firn_err *err)
{
    firn_delta *deltas = NULL;
    size_t n = 0;
    if (m->key.commit_id) {
        FIRN_TRY(
            firn_store_deltas(m->carry.db, m->carry.arena, m->key.commit_id, &deltas, &n, err));
    }
    *out = (firn_merge_result){
        .repeated = true,
        .commit_id = m->key.commit_id,
        .merged = firn_carry_diffs(&m->carry, deltas, n),
        .how = FIRN_NEW_N(m->carry.arena, firn_merge_how, n),
        .n_merged = n,
    };
    return FIRN_OK;
}

/* One round: a commit, unless there is nothing to merge or something to prepare first. */
static firn_rc merge_round(merge *m, const char *from, const char *into, firn_commit_row *row,
                           firn_merge_result *out, firn_err *err)
{
    FIRN_AUTO_SESSION firn_db_session session = {0};
    firn_carry *carry = &m->carry;
    FIRN_TRY(firn_db_session_begin(carry->catalog, true, &session, err));
    firn_carry_start_round(carry, session.db);
    FIRN_TRY(firn_idempotency_find(carry->db, carry->arena, &m->options->info, &m->key, err));
    if (m->key.used) {
        return repeat(m, out, err);
    }
    FIRN_TRY(firn_store_branch(session.db, carry->arena, into, &carry->into, err));
    FIRN_TRY(firn_store_resolve(session.db, carry->arena, from, &m->from, err));
    carry->from_text = m->from.text;
    FIRN_TRY(merge_locked(m, row, out, err));
    if (firn_carry_must_prepare(carry) || m->set.taken.len == 0 || m->options->dry_run) {
        return FIRN_OK;
    }
    return firn_db_session_commit(&session, err);
}

static firn_rc merge_rounds(merge *m, const char *from, const char *into, firn_commit_row *row,
                            firn_merge_result *out, firn_err *err)
{
    firn_carry *carry = &m->carry;
    for (int round = 0; round < FIRN_CARRY_ROUNDS_MAX; round++) {
        firn_err detail = {0};
        firn_rc rc = merge_round(m, from, into, row, out, &detail);
        FIRN_TRY(firn_commit_outcome(carry->catalog, into, row->id, rc, &detail, err));
        if (!firn_carry_must_prepare(carry)) {
            return FIRN_OK;
        }
        rc = firn_carry_prepare(carry, &detail);
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
    if (catalog->ops && catalog->ops->merge) {
        return catalog->ops->merge(catalog, arena, from, into, options, out, err);
    }
    static const firn_merge_options defaults = {0};
    options = options ? options : &defaults;
    from = from ? from : FIRN_MAIN;
    into = into ? into : FIRN_MAIN;
    *out = (firn_merge_result){0};
    firn_commit_row row = {.id = firn_commit_id_new(arena)};
    merge m = {.options = options};
    firn_carry_init(&m.carry, catalog, arena, options);
    firn_rc rc = merge_rounds(&m, from, into, &row, out, err);
    firn_carry_end(&m.carry, rc);
    if (rc == FIRN_OK && out->n_merged > 0 && !options->dry_run && !out->repeated) {
        out->commit_id = row.id;
    }
    return rc;
}
