/* Carrying changes over to a branch: what merging and cherry-picking share.
 *
 * Works in rounds. A round is one write transaction: compare each change with what the branch holds, apply, look at the
 * outcome, commit. What needs files to be read or written (tables that both sides changed, folders of tables that come back
 * to life) is noted, the round ends without a commit, firn_carry_prepare does it outside any transaction, and the next round
 * uses what was prepared if nothing has moved. All conflicts of a round are gathered.
 */
#ifndef CATALOG_CARRY_H
#define CATALOG_CARRY_H

#include "replay.h"

#include "base/vec.h"

enum { FIRN_CARRY_ROUNDS_MAX = 20 }; /* that something else moved meanwhile */

typedef struct firn_carry_set {
    FIRN_VEC(firn_delta) taken;
    FIRN_VEC(firn_merge_how) how; /* of each */
    FIRN_VEC(firn_delta) skipped;
    size_t n_replayed;
    size_t n_unwritten; /* stand-ins among them: nothing may be committed */
} firn_carry_set;

typedef struct firn_carry {
    firn_catalog *catalog;
    firn_arena *arena;
    const firn_merge_options *options;
    firn_map *behaviours;            /* key -> firn_merge_key */
    FIRN_VEC(firn_replay *) replays; /* of all rounds */
    firn_map *folders;               /* metadata file -> its folder, "" when it is gone */
    /* of this round: */
    firn_db *db;
    firn_point into;
    const char *from_text;
    const char *commit_id; /* cherry-pick */
    FIRN_VEC(firn_merge_conflict) conflicts;
    FIRN_VEC(firn_replay *) todo;           /* to be checked or written */
    FIRN_VEC(const firn_stored *) homeless; /* whose folder must be found */
} firn_carry;

void firn_carry_init(firn_carry *carry, firn_catalog *catalog, firn_arena *arena,
                     const firn_merge_options *options);
void firn_carry_start_round(firn_carry *carry, firn_db *db);
/* CONFLICT when the point is not at the expected commit (nullable). */
firn_rc firn_carry_expect(const firn_point *at, const char *expected, firn_err *err) FIRN_MUST_USE;
/* Which of the changes (each from a state to a state of the source) to make, and as what. */
firn_rc firn_carry_compare(firn_carry *carry, const firn_delta *changes, size_t n,
                           firn_carry_set *out, firn_err *err) FIRN_MUST_USE;
/* "bronze.orders: changed on both ... (and 2 more)" of the round; NULL: no conflicts. */
const char *firn_carry_conflicts_text(const firn_carry *carry);
/* Whether the round has to end for firn_carry_prepare before anything is applied. */
bool firn_carry_must_prepare(const firn_carry *carry);
/* Make the commit in the transaction; what does not hold together becomes conflicts. */
firn_rc firn_carry_apply(firn_carry *carry, const firn_carry_set *set, firn_commit_row *row,
                         firn_err *err) FIRN_MUST_USE;
/* After compare or apply: leave the stand-ins to be written. */
void firn_carry_write_next(firn_carry *carry, const firn_carry_set *set);
/* Without a transaction. */
firn_rc firn_carry_prepare(firn_carry *carry, firn_err *err) FIRN_MUST_USE;
/* NO_TABLE when an option names a key that is in none of the changes nor anywhere on the points (nullable). */
firn_rc firn_carry_check_keys(firn_carry *carry, const firn_delta *changes, size_t n,
                              const firn_point *from, firn_err *err) FIRN_MUST_USE;
/* Delete what was written for nothing: all of it unless the last round succeeded. */
void firn_carry_end(firn_carry *carry, firn_rc rc);
/* Diffs for results. */
firn_diff *firn_carry_diffs(firn_carry *carry, const firn_delta *deltas, size_t n);

#endif
