/* Carrying changes over to a branch: see carry.h.
 *
 * Per change (was -> now on the source) and what the target holds (here): here is `was`: take it. Here is `now`: done
 * already. Else both sides changed the key: tables of one lineage are replayed (replay.c), properties of namespaces are
 * merged, all else is a conflict, unless the caller forces the source's or leaves the key out.
 */
#include "carry.h"

#include <stdlib.h>

const char *firn_conflict_name(firn_conflict_type type)
{
    switch (type) {
    case FIRN_CONFLICT_VALUE_DIFFERS: return "VALUE_DIFFERS";
    case FIRN_CONFLICT_KEY_EXISTS: return "KEY_EXISTS";
    case FIRN_CONFLICT_KEY_DOES_NOT_EXIST: return "KEY_DOES_NOT_EXIST";
    case FIRN_CONFLICT_CONTENT_ID_DIFFERS: return "CONTENT_ID_DIFFERS";
    case FIRN_CONFLICT_PAYLOAD_DIFFERS: return "PAYLOAD_DIFFERS";
    case FIRN_CONFLICT_NAMESPACE_ABSENT: return "NAMESPACE_ABSENT";
    case FIRN_CONFLICT_NAMESPACE_NOT_EMPTY: return "NAMESPACE_NOT_EMPTY";
    case FIRN_CONFLICT_KEY_CONFLICT: return "KEY_CONFLICT";
    }
    return "UNKNOWN";
}

static const char *key_of(firn_arena *arena, const char *ns, const char *name)
{
    return firn_arena_printf(arena, "%s\x1e%s", ns, name ? name : "");
}

static const char *key_text(firn_arena *arena, const char *ns, const char *name)
{
    return name && name[0] ? firn_ident_text(arena, (firn_ident){ns, name})
                           : firn_arena_printf(arena, "namespace %s", firn_ns_text(arena, ns));
}

/* ---- rounds ----------------------------------------------------------------------------------- */

void firn_carry_init(firn_carry *carry, firn_catalog *catalog, firn_arena *arena,
                     const firn_merge_options *options)
{
    *carry = (firn_carry){
        .catalog = catalog,
        .arena = arena,
        .options = options,
        .behaviours = firn_map_new(arena),
        .folders = firn_map_new(arena),
    };
    for (size_t i = 0; i < options->n_keys; i++) {
        const firn_merge_key *key = &options->keys[i];
        firn_map_put(carry->behaviours, key_of(arena, key->ident.ns, key->ident.name), (void *)key);
    }
}

void firn_carry_start_round(firn_carry *carry, firn_db *db)
{
    carry->db = db;
    carry->conflicts.len = carry->todo.len = carry->homeless.len = 0;
    for (size_t i = 0; i < carry->replays.len; i++) {
        carry->replays.items[i]->used = false;
    }
}

const char *firn_carry_conflicts_text(const firn_carry *carry)
{
    if (carry->conflicts.len == 0) {
        return NULL;
    }
    const firn_merge_conflict *first = &carry->conflicts.items[0];
    const char *more = carry->conflicts.len > 1 ? firn_arena_printf(carry->arena, " (and %zu more)",
                                                                    carry->conflicts.len - 1)
                                                : "";
    const char *key = first->ident.name[0] ? firn_ident_text(carry->arena, first->ident)
                                           : firn_ns_text(carry->arena, first->ident.ns);
    return firn_arena_printf(carry->arena, "%s: %s%s", key, first->cause, more);
}

firn_rc firn_carry_expect(const firn_point *at, const char *expected, firn_err *err)
{
    if (expected && !firn_streq(expected, at->commit_id)) {
        FIRN_FAIL(err, FIRN_E_CONFLICT,
                  "%s is at commit %s and not at %s any more: look at what came, and try again",
                  at->text, at->commit_id, expected);
    }
    return FIRN_OK;
}

static firn_merge_behaviour behaviour_of(const firn_carry *carry, const firn_delta *change)
{
    const firn_merge_key *key =
        firn_map_get(carry->behaviours, key_of(carry->arena, change->ns, change->name));
    return key ? key->behaviour : carry->options->default_behaviour;
}

/* ---- conflicts -------------------------------------------------------------------------------- */

static const char *advice_for(const firn_carry *carry, const firn_delta *change,
                              firn_conflict_type type)
{
    const char *key = key_text(carry->arena, change->ns, change->name);
    const char *into = carry->into.text, *from = carry->from_text;
    switch (type) {
    case FIRN_CONFLICT_NAMESPACE_ABSENT:
        return firn_arena_printf(carry->arena, "create the namespace on %s, or skip %s", into, key);
    case FIRN_CONFLICT_NAMESPACE_NOT_EMPTY:
        return firn_arena_printf(carry->arena, "drop what is in it on %s, or skip %s", into, key);
    case FIRN_CONFLICT_KEY_CONFLICT: return firn_arena_printf(carry->arena, "skip %s", key);
    case FIRN_CONFLICT_PAYLOAD_DIFFERS:
    case FIRN_CONFLICT_CONTENT_ID_DIFFERS:
    case FIRN_CONFLICT_KEY_EXISTS:
        return firn_arena_printf(
            carry->arena,
            "rename one of them, or force %s (as %s has it) or skip it (as %s has it)", key, from,
            into);
    case FIRN_CONFLICT_VALUE_DIFFERS:
    case FIRN_CONFLICT_KEY_DOES_NOT_EXIST: break;
    }
    return firn_arena_printf(
        carry->arena, "settle it on %s, or force %s (as %s has it) or skip it (as %s has it)", from,
        key, from, into);
}

static firn_merge_conflict *add_conflict(firn_carry *carry, const firn_delta *change,
                                         firn_conflict_type type, const char *cause)
{
    const firn_stored *side = change->now ? change->now : change->was;
    firn_merge_conflict conflict = {
        .ident = {.ns = change->ns, .name = change->name},
        .kind = side->kind,
        .type = type,
        .cause = cause,
        .advice = advice_for(carry, change, type),
        .commit_id = carry->commit_id,
    };
    firn_vec_push(carry->arena, &carry->conflicts, conflict);
    return &firn_vec_last(&carry->conflicts);
}

static const char *cause_of(const firn_carry *carry, const firn_delta *change,
                            const firn_stored *here)
{
    const char *into = carry->into.text, *from = carry->from_text;
    if (!here && change->was) {
        return firn_arena_printf(carry->arena, "dropped on %s, changed on %s", into, from);
    }
    if (!change->now) {
        return firn_arena_printf(carry->arena, "changed on %s, dropped on %s", into, from);
    }
    return firn_arena_printf(carry->arena, "%s on both %s and %s",
                             change->was ? "changed" : "created", into, from);
}

static firn_conflict_type type_of(const firn_delta *change, const firn_stored *here)
{
    if (!here) {
        return FIRN_CONFLICT_KEY_DOES_NOT_EXIST;
    }
    if (change->now && change->now->kind != here->kind) {
        return FIRN_CONFLICT_PAYLOAD_DIFFERS;
    }
    if (!change->was) {
        return FIRN_CONFLICT_KEY_EXISTS;
    }
    return firn_streq(change->was->content_id, here->content_id) ||
                   here->kind == FIRN_KIND_NAMESPACE
               ? FIRN_CONFLICT_VALUE_DIFFERS
               : FIRN_CONFLICT_CONTENT_ID_DIFFERS;
}

/* ---- namespaces that both sides changed ------------------------------------------------------- */

static json_t *properties_of(firn_arena *arena, const firn_stored *stored)
{
    json_t *json = NULL;
    if (!stored || firn_json_parse(arena, firn_bytes_str(stored->value), "namespace properties",
                                   &json, NULL) != FIRN_OK) {
        json = firn_json_own(arena, json_object());
    }
    return json;
}

static bool same_value(const json_t *a, const json_t *b)
{
    return a && b ? json_equal(a, b) : a == b;
}

/* NULL when both changed a property to different values: *clash. */
static const firn_stored *merge_namespace(const firn_carry *carry, const firn_delta *change,
                                          const firn_stored *here, const char **clash)
{
    json_t *was = properties_of(carry->arena, change->was);
    json_t *now = properties_of(carry->arena, change->now);
    json_t *ours = properties_of(carry->arena, here);
    json_t *merged = firn_json_own(carry->arena, json_copy(ours));
    json_t *keys = firn_json_own(carry->arena, json_copy(was));
    json_object_update(keys, now);
    const char *key;
    json_t *value;
    json_object_foreach(keys, key, value)
    {
        json_t *old = json_object_get(was, key), *mine = json_object_get(ours, key);
        json_t *new = json_object_get(now, key);
        if (same_value(old, new) || same_value(mine, new)) {
            continue;
        }
        if (!same_value(old, mine)) {
            *clash = firn_arena_strdup(carry->arena, key);
            return NULL;
        }
        if (new) {
            json_object_set(merged, key, new);
        } else {
            json_object_del(merged, key);
        }
    }
    char *text = json_dumps(merged, JSON_COMPACT | JSON_SORT_KEYS);
    firn_stored *out = firn_arena_memdup(carry->arena, here, sizeof(*out));
    out->value = firn_arena_strdup(carry->arena, text);
    free(text);
    return out;
}

/* ---- compare ---------------------------------------------------------------------------------- */

static void take(firn_carry *carry, firn_carry_set *set, const firn_delta *change,
                 const firn_stored *here, const firn_stored *now, firn_merge_how how)
{
    firn_delta delta = {.ns = change->ns, .name = change->name, .was = here, .now = now};
    firn_vec_push(carry->arena, &set->taken, delta);
    firn_vec_push(carry->arena, &set->how, how);
    set->n_replayed += how == FIRN_MERGED_REPLAYED;
}

/* The replay of exactly these three states, or a new one. */
static firn_replay *find_replay(firn_carry *carry, const firn_delta *change,
                                const firn_stored *here)
{
    for (size_t i = 0; i < carry->replays.len; i++) {
        firn_replay *replay = carry->replays.items[i];
        if (firn_stored_same(replay->base_stored, change->was) &&
            firn_stored_same(replay->ours_stored, here) &&
            firn_stored_same(replay->theirs_stored, change->now) &&
            firn_streq(here->ns, replay->ours_stored->ns) &&
            firn_streq(here->name, replay->ours_stored->name)) {
            return replay;
        }
    }
    firn_replay *replay = FIRN_NEW(carry->arena, firn_replay);
    firn_stored *stand_in = firn_arena_memdup(carry->arena, here, sizeof(*here));
    stand_in->value = firn_arena_printf(carry->arena, "(merge %zu)", carry->replays.len);
    *replay = (firn_replay){
        .base_stored = change->was,
        .ours_stored = here,
        .theirs_stored = change->now,
        .ours_name = firn_arena_strdup(carry->arena, carry->into.text),
        .theirs_name = firn_arena_strdup(carry->arena, carry->from_text),
        .merged = stand_in,
    };
    firn_vec_push(carry->arena, &carry->replays, replay);
    return replay;
}

static void replay_table(firn_carry *carry, const firn_delta *change, const firn_stored *here,
                         firn_carry_set *set)
{
    firn_replay *replay = find_replay(carry, change, here);
    if (!replay->checked) {
        firn_vec_push(carry->arena, &carry->todo, replay);
        return;
    }
    if (replay->obstacle) {
        firn_merge_conflict *conflict =
            add_conflict(carry, change, replay->type,
                         firn_arena_printf(carry->arena, "%s (%s)", cause_of(carry, change, here),
                                           replay->obstacle));
        conflict->details = replay->plan.conflicts;
        conflict->n_details = replay->plan.n_conflicts;
        return;
    }
    if (firn_streq(replay->merged->value, here->value)) {
        return; /* it came to nothing */
    }
    take(carry, set, change, here, replay->merged, FIRN_MERGED_REPLAYED);
    set->n_unwritten += !replay->written;
    replay->used = true;
}

static void contest(firn_carry *carry, const firn_delta *change, const firn_stored *here,
                    firn_carry_set *set)
{
    const firn_stored *was = change->was, *now = change->now;
    if (behaviour_of(carry, change) == FIRN_MERGE_FORCE) {
        take(carry, set, change, here, now, FIRN_MERGED_FORCED);
        return;
    }
    bool tables = was && here && now && was->kind == FIRN_KIND_TABLE &&
                  here->kind == FIRN_KIND_TABLE && now->kind == FIRN_KIND_TABLE;
    if (tables) {
        replay_table(carry, change, here, set);
        return;
    }
    const char *cause = cause_of(carry, change, here);
    if (here && now && here->kind == FIRN_KIND_NAMESPACE) {
        const char *clash = NULL;
        const firn_stored *merged = merge_namespace(carry, change, here, &clash);
        if (merged && firn_stored_same(merged, here)) {
            return;
        }
        if (merged) {
            take(carry, set, change, here, merged, FIRN_MERGED_REPLAYED);
            return;
        }
        cause = firn_arena_printf(carry->arena, "%s (both sides changed property \"%s\")", cause,
                                  clash);
    }
    add_conflict(carry, change, type_of(change, here), cause);
}

/* A table that no ref has any more: nobody has kept its folder for it. */
static firn_rc is_dead(firn_carry *carry, const firn_stored *now, bool *dead, firn_err *err)
{
    firn_db_value param = firn_db_str(now->content_id);
    firn_db_rows rows;
    FIRN_TRY(firn_db_query(carry->db, carry->arena,
                           "SELECT 1 FROM entries WHERE content_id = $1 LIMIT 1", &param, 1, &rows,
                           err));
    *dead = rows.n_rows == 0;
    return FIRN_OK;
}

static firn_rc look_for_homeless(firn_carry *carry, const firn_carry_set *set, firn_err *err)
{
    for (size_t i = 0; i < set->taken.len; i++) {
        const firn_stored *now = set->taken.items[i].now;
        bool dead;
        if (!now || now->kind == FIRN_KIND_NAMESPACE) {
            continue;
        }
        FIRN_TRY(is_dead(carry, now, &dead, err));
        if (dead && !firn_map_has(carry->folders, now->value)) {
            firn_vec_push(carry->arena, &carry->homeless, now);
        }
    }
    return FIRN_OK;
}

firn_rc firn_carry_compare(firn_carry *carry, const firn_delta *changes, size_t n,
                           firn_carry_set *out, firn_err *err)
{
    *out = (firn_carry_set){0};
    for (size_t i = 0; i < n; i++) {
        const firn_delta *change = &changes[i];
        firn_stored *here;
        if (behaviour_of(carry, change) == FIRN_MERGE_DROP) {
            firn_vec_push(carry->arena, &out->skipped, *change);
            continue;
        }
        FIRN_TRY(firn_store_get(carry->db, carry->arena, &carry->into, change->ns, change->name,
                                &here, err));
        if (firn_stored_same(here, change->now)) {
            continue;
        }
        if (firn_stored_same(here, change->was)) {
            take(carry, out, change, here, change->now, FIRN_MERGED_TAKEN);
        } else {
            contest(carry, change, here, out);
        }
    }
    return look_for_homeless(carry, out, err);
}

bool firn_carry_must_prepare(const firn_carry *carry)
{
    return carry->todo.len > 0 || carry->homeless.len > 0;
}

firn_rc firn_carry_check_keys(firn_carry *carry, const firn_delta *changes, size_t n,
                              const firn_point *from, firn_err *err)
{
    for (size_t k = 0; k < carry->options->n_keys; k++) {
        firn_ident ident = carry->options->keys[k].ident;
        const char *name = ident.name ? ident.name : "";
        bool known = false;
        for (size_t i = 0; i < n && !known; i++) {
            known = firn_streq(changes[i].ns, ident.ns) && firn_streq(changes[i].name, name);
        }
        const firn_point *points[] = {&carry->into, from};
        for (int p = 0; p < 2 && !known && points[p]; p++) {
            firn_stored *stored;
            FIRN_TRY(
                firn_store_get(carry->db, carry->arena, points[p], ident.ns, name, &stored, err));
            known = stored != NULL;
        }
        if (!known) {
            return firn_fail_missing(carry->db, carry->arena, from ? from : &carry->into,
                                     name[0] ? FIRN_KIND_TABLE : FIRN_KIND_NAMESPACE, ident.ns,
                                     name, err);
        }
    }
    return FIRN_OK;
}

/* ---- apply ------------------------------------------------------------------------------------ */

/* Tables that come back to life take their folders again, if these are still free. */
static firn_rc claim_folders(firn_carry *carry, const firn_carry_set *set, firn_err *err)
{
    for (size_t i = 0; i < set->taken.len; i++) {
        const firn_stored *now = set->taken.items[i].now;
        bool dead = false;
        const char *folder = now ? firn_map_get(carry->folders, now->value) : NULL;
        if (!folder || !folder[0]) {
            continue;
        }
        FIRN_TRY(is_dead(carry, now, &dead, err));
        firn_err detail = {0};
        firn_rc rc =
            dead ? firn_folder_claim(carry->db, folder, now->content_id, &detail) : FIRN_OK;
        if (rc == FIRN_E_EXISTS) {
            add_conflict(
                carry, &set->taken.items[i], FIRN_CONFLICT_KEY_CONFLICT,
                firn_arena_printf(carry->arena, "it cannot come back: %s", detail.message));
        } else if (rc != FIRN_OK) {
            if (err) {
                *err = detail;
            }
            return rc;
        }
    }
    return FIRN_OK;
}

static firn_rc check_structure(firn_carry *carry, const firn_carry_set *set, firn_err *err)
{
    for (size_t i = 0; i < set->taken.len; i++) {
        firn_err cause = {0};
        const firn_delta *delta = &set->taken.items[i];
        firn_rc rc =
            firn_delta_check_structure(carry->db, carry->arena, &carry->into, delta, &cause);
        if (rc == FIRN_E_NO_NAMESPACE || rc == FIRN_E_NOT_EMPTY || rc == FIRN_E_EXISTS) {
            firn_conflict_type type = rc == FIRN_E_NO_NAMESPACE ? FIRN_CONFLICT_NAMESPACE_ABSENT
                                      : rc == FIRN_E_NOT_EMPTY  ? FIRN_CONFLICT_NAMESPACE_NOT_EMPTY
                                                                : FIRN_CONFLICT_KEY_EXISTS;
            add_conflict(carry, delta, type, firn_arena_strdup(carry->arena, cause.message));
        } else if (rc != FIRN_OK) {
            if (err) {
                *err = cause;
            }
            return rc;
        }
    }
    return FIRN_OK;
}

firn_rc firn_carry_apply(firn_carry *carry, const firn_carry_set *set, firn_commit_row *row,
                         firn_err *err)
{
    FIRN_TRY(claim_folders(carry, set, err));
    FIRN_TRY(firn_deltas_apply(carry->db, carry->arena, &carry->into, set->taken.items,
                               set->taken.len, row, err));
    return check_structure(carry, set, err);
}

/* ---- between rounds --------------------------------------------------------------------------- */

void firn_carry_write_next(firn_carry *carry, const firn_carry_set *set)
{
    for (size_t i = 0; set->n_unwritten > 0 && i < carry->replays.len; i++) {
        firn_replay *replay = carry->replays.items[i];
        if (replay->used && !replay->written) {
            firn_vec_push(carry->arena, &carry->todo, replay);
        }
    }
}

/* What a stand-in stands for: its metadata, all but the rows. */
static const firn_metadata *stands_for(const firn_carry *carry, const firn_stored *stored)
{
    for (size_t i = 0; i < carry->replays.len; i++) {
        const firn_replay *replay = carry->replays.items[i];
        if (!replay->written && firn_streq(replay->merged->value, stored->value)) {
            return replay->plan.metadata;
        }
    }
    return NULL;
}

firn_rc firn_carry_prepare(firn_carry *carry, firn_err *err)
{
    for (size_t i = 0; i < carry->homeless.len; i++) {
        const firn_stored *stored = carry->homeless.items[i];
        const char *folder;
        FIRN_TRY(firn_folder_of(carry->catalog, carry->arena, stored, &folder, err));
        firn_map_put(carry->folders, stored->value, (void *)folder);
    }
    for (size_t i = 0; i < carry->todo.len; i++) {
        firn_replay *replay = carry->todo.items[i];
        if (!replay->checked) {
            FIRN_TRY(firn_replay_check(carry->catalog, carry->arena,
                                       stands_for(carry, replay->ours_stored), replay, err));
            if (!replay->obstacle && replay->plan.metadata == replay->sides.ours &&
                !replay->plan.has_rows) {
                replay->merged = replay->ours_stored;
            }
        } else if (!replay->written && !replay->obstacle) {
            FIRN_TRY(firn_replay_write(carry->catalog, carry->arena, replay, err));
        }
    }
    return FIRN_OK;
}

void firn_carry_end(firn_carry *carry, firn_rc rc)
{
    for (size_t i = 0; i < carry->replays.len && rc != FIRN_E_UNKNOWN_OUTCOME; i++) {
        if (rc != FIRN_OK || !carry->replays.items[i]->used) {
            firn_replay_discard(carry->catalog, carry->replays.items[i]);
        }
    }
}

firn_diff *firn_carry_diffs(firn_carry *carry, const firn_delta *deltas, size_t n)
{
    firn_diff *diffs = FIRN_NEW_N(carry->arena, firn_diff, n);
    for (size_t i = 0; i < n; i++) {
        diffs[i] = firn_diff_of_delta(&deltas[i]);
        if (diffs[i].to_location && stands_for(carry, deltas[i].now)) {
            diffs[i].to_location = NULL; /* there is no such file yet */
        }
    }
    return diffs;
}
