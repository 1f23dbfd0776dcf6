/* Merging a table: see table_merge.h for what merges. The order of the updates is that in which they lean on each other:
 * format version, schema, specs, sort orders, properties, refs, and last the snapshot of the appended rows.
 */
#include "table_merge_private.h"

#include "partition_private.h"

#include <stdio.h>

void firn_table_merge_conflict(firn_table_merger *m, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    for (size_t i = 0; i < m->conflicts.len; i++) {
        if (firn_streq(m->conflicts.items[i], text))
            return;
    }
    firn_vec_push(m->arena, &m->conflicts, firn_arena_strdup(m->arena, text));
}

static const char *them(const firn_table_merger *m)
{
    return m->sides->theirs_name;
}

static const char *us(const firn_table_merger *m)
{
    return m->sides->ours_name;
}

/* ---- rows ------------------------------------------------------------------------------------- */

static int64_t current_id(const firn_metadata *metadata)
{
    return metadata->current_snapshot ? metadata->current_snapshot->snapshot_id : -1;
}

static const char *deed_of(const firn_snapshot *snapshot)
{
    const char *operation = snapshot->operation ? snapshot->operation : "";
    if (firn_streq(operation, "delete"))
        return "deleted rows";
    if (firn_streq(operation, "overwrite"))
        return "overwrote rows";
    if (firn_streq(operation, "replace"))
        return "rewrote files (compaction)";
    return "did something else than append";
}

static const firn_snapshot *parent_of(const firn_metadata *metadata, const firn_snapshot *snapshot)
{
    return snapshot->parent_id < 0 ? NULL : firn_metadata_snapshot(metadata, snapshot->parent_id);
}

/* One of theirs that the base's line does not have: an append that is to be replayed, or it was before. */
static void compare_snapshot(firn_table_merger *m, const firn_imap *present,
                             const firn_snapshot *snapshot)
{
    firn_held held = firn_snapshot_held(m->arena, present, snapshot);
    if (held == FIRN_HELD)
        return;
    if (held == FIRN_PARTLY_HELD)
        firn_table_merge_conflict(m, "a part of what snapshot %lld of %s appended is on %s already",
                                  (long long)snapshot->snapshot_id, them(m), us(m));
    else if (!snapshot->operation || !firn_streq(snapshot->operation, "append"))
        firn_table_merge_conflict(m, "%s %s (snapshot %lld)", them(m), deed_of(snapshot),
                                  (long long)snapshot->snapshot_id);
    firn_vec_push(m->arena, &m->appends, snapshot);
    m->has_rows = true;
}

/* Theirs must still have all that the base had since the lines of snapshots parted. */
static void check_nothing_undone(firn_table_merger *m, int64_t fork_id)
{
    firn_imap *theirs = firn_imap_new(m->arena);
    firn_snapshot_origins(m->arena, m->theirs, theirs);
    const firn_snapshot *at = m->base->current_snapshot;
    for (size_t steps = 0; at && at->snapshot_id != fork_id && steps <= m->base->n_snapshots;
         steps++) {
        if (firn_snapshot_held(m->arena, theirs, at) != FIRN_HELD) {
            firn_table_merge_conflict(m, "%s rolled the table back behind snapshot %lld", them(m),
                                      (long long)at->snapshot_id);
            return;
        }
        at = parent_of(m->base, at);
    }
}

/* A writer whose position moved on both sides has written on both, perhaps the same rows. */
static void check_positions(firn_table_merger *m, const firn_imap *base /* origins */)
{
    const firn_snapshot *at = m->ours->current_snapshot;
    for (size_t steps = 0; at && steps <= m->ours->n_snapshots; steps++) {
        bool new = firn_snapshot_held(m->arena, base, at) != FIRN_HELD;
        for (size_t i = 0; new &&i < m->appends.len; i++) {
            const json_t *theirs = m->appends.items[i]->summary;
            const char *key;
            json_t *value;
            json_object_foreach((json_t *)at->summary, key, value)
            {
                if (firn_summary_key_is_position(key) && json_object_get(theirs, key) &&
                    !firn_starts_with(key, "spark."))
                    firn_table_merge_conflict(
                        m, "one writer (by its position \"%.200s\") wrote on both %s and %s", key,
                        us(m), them(m));
            }
        }
        at = parent_of(m->ours, at);
    }
}

/* From theirs' current snapshot back to where its line meets the base's. That need not be the base's current snapshot: when
 * the base was merged into theirs, its appends are there under the name of a replay. */
static void compare_rows(firn_table_merger *m)
{
    firn_imap *base = firn_imap_new(m->arena);
    firn_imap *present = firn_imap_new(m->arena);
    const firn_snapshot *at = m->base->current_snapshot;
    for (size_t steps = 0; at && steps <= m->base->n_snapshots; steps++) {
        firn_imap_put(base, at->snapshot_id, base);
        if (at->parent_id >= 0)
            firn_imap_put(base, at->parent_id, base); /* also when it has expired */
        at = parent_of(m->base, at);
    }
    firn_snapshot_origins(m->arena, m->base, present);
    firn_snapshot_origins(m->arena, m->ours, present);
    int64_t fork_id = current_id(m->theirs);
    for (size_t steps = 0; fork_id >= 0 && !firn_imap_has(base, fork_id); steps++) {
        at = firn_metadata_snapshot(m->theirs, fork_id);
        if (!at || steps > m->theirs->n_snapshots) {
            firn_table_merge_conflict(m,
                                      "%s expired snapshots that it appended since (back to %lld)",
                                      them(m), (long long)fork_id);
            return;
        }
        compare_snapshot(m, present, at);
        fork_id = at->parent_id;
    }
    check_nothing_undone(m, fork_id);
    firn_imap *origins = firn_imap_new(m->arena);
    firn_snapshot_origins(m->arena, m->base, origins);
    if (m->has_rows)
        check_positions(m, origins);
}

/* ---- partition specs and sort orders ---------------------------------------------------------- */

bool firn_partition_spec_same(const firn_partition_spec *a, const firn_partition_spec *b)
{
    if (a->n_fields != b->n_fields || !firn_partition_spec_compatible(a, b))
        return false;
    for (size_t i = 0; i < a->n_fields; i++) {
        if (a->fields[i].field_id != b->fields[i].field_id)
            return false;
    }
    return true;
}

static const firn_partition_spec *find_spec(const firn_metadata *metadata,
                                            const firn_partition_spec *spec,
                                            bool (*same)(const firn_partition_spec *,
                                                         const firn_partition_spec *))
{
    for (size_t i = 0; i < metadata->n_specs; i++) {
        if (same(metadata->specs[i], spec))
            return metadata->specs[i];
    }
    return NULL;
}

static bool same_field(const firn_partition_field *a, const firn_partition_field *b)
{
    return a->source_id == b->source_id && firn_streq(a->name, b->name) &&
           firn_streq(a->transform.name, b->transform.name);
}

static const firn_partition_field *find_partition_field(const firn_metadata *metadata,
                                                        int32_t field_id)
{
    for (size_t i = 0; i < metadata->n_specs; i++) {
        const firn_partition_spec *spec = metadata->specs[i];
        for (size_t k = 0; k < spec->n_fields; k++) {
            if (spec->fields[k].field_id == field_id)
                return &spec->fields[k];
        }
    }
    return NULL;
}

/* Partition field ids name the members of all partition tuples: one id, one meaning. */
static void check_partition_fields(firn_table_merger *m, const firn_partition_spec *spec)
{
    for (size_t i = 0; i < spec->n_fields; i++) {
        const firn_partition_field *field = &spec->fields[i];
        const firn_partition_field *ours = find_partition_field(m->ours, field->field_id);
        if (ours && !same_field(ours, field))
            firn_table_merge_conflict(
                m, "both sides added a partition field with id %d: %s on %s, %s on %s",
                field->field_id, field->name, them(m), ours->name, us(m));
        else if (!ours && field->field_id <= m->ours->last_partition_id &&
                 !find_partition_field(m->base, field->field_id))
            firn_table_merge_conflict(
                m, "both sides gave out partition field id %d, and %s no longer tells for what",
                field->field_id, us(m));
    }
}

static void add_spec(firn_table_merger *m, const firn_partition_spec *spec)
{
    json_array_append_new(m->updates, json_pack("{s:s, s:o}", "action", "add-spec", "spec",
                                                firn_partition_spec_to_json(spec)));
}

static void merge_specs(firn_table_merger *m)
{
    for (size_t i = 0; i < m->theirs->n_specs; i++) {
        const firn_partition_spec *spec = m->theirs->specs[i];
        if (find_spec(m->ours, spec, firn_partition_spec_same))
            continue;
        check_partition_fields(m, spec);
        if (find_spec(m->ours, spec, firn_partition_spec_compatible))
            firn_table_merge_conflict(
                m, "both sides added the same partition spec with other field ids");
        add_spec(m, spec);
    }
    const firn_partition_spec *theirs = m->theirs->spec;
    if (firn_partition_spec_same(m->base->spec, theirs) ||
        firn_partition_spec_same(m->ours->spec, theirs))
        return;
    if (!firn_partition_spec_same(m->base->spec, m->ours->spec)) {
        firn_table_merge_conflict(m, "both %s and %s changed the partitioning", us(m), them(m));
        return;
    }
    add_spec(m, theirs); /* there already: "-1" means it */
    json_array_append_new(m->updates,
                          json_pack("{s:s, s:i}", "action", "set-default-spec", "spec-id", -1));
}

static const firn_sort_order *find_order(const firn_metadata *metadata,
                                         const firn_sort_order *order)
{
    for (size_t i = 0; i < metadata->n_sort_orders; i++) {
        if (firn_sort_order_same(metadata->sort_orders[i], order))
            return metadata->sort_orders[i];
    }
    return NULL;
}

static void add_order(firn_table_merger *m, const firn_sort_order *order)
{
    json_array_append_new(m->updates, json_pack("{s:s, s:o}", "action", "add-sort-order",
                                                "sort-order", firn_sort_order_to_json(order)));
}

static void merge_orders(firn_table_merger *m)
{
    for (size_t i = 0; i < m->theirs->n_sort_orders; i++) {
        if (!find_order(m->ours, m->theirs->sort_orders[i]))
            add_order(m, m->theirs->sort_orders[i]);
    }
    const firn_sort_order *theirs = m->theirs->sort_order;
    if (firn_sort_order_same(m->base->sort_order, theirs) ||
        firn_sort_order_same(m->ours->sort_order, theirs))
        return;
    if (!firn_sort_order_same(m->base->sort_order, m->ours->sort_order)) {
        firn_table_merge_conflict(m, "both %s and %s changed the sort order", us(m), them(m));
        return;
    }
    add_order(m, theirs);
    json_array_append_new(m->updates, json_pack("{s:s, s:i}", "action", "set-default-sort-order",
                                                "sort-order-id", -1));
}

/* ---- properties ------------------------------------------------------------------------------- */

static bool same_json(const json_t *a, const json_t *b)
{
    return a && b ? json_equal(a, b) : a == b;
}

static void merge_property(firn_table_merger *m, const char *key, json_t *set)
{
    const json_t *was = json_object_get(m->base->properties, key);
    const json_t *here = json_object_get(m->ours->properties, key);
    const json_t *now = json_object_get(m->theirs->properties, key);
    if (same_json(was, now) || same_json(here, now))
        return;
    if (!same_json(was, here)) {
        const char *ours = here ? json_string_value(here) : NULL;
        const char *theirs = now ? json_string_value(now) : NULL;
        firn_table_merge_conflict(m, "both sides changed property \"%s\": %s on %s, %s on %s", key,
                                  theirs ? theirs : "removed", them(m), ours ? ours : "removed",
                                  us(m));
    } else if (now) {
        json_object_set(set, key, (json_t *)now);
    } else {
        firn_update_remove_properties(m->updates, &key, 1);
    }
}

static void merge_properties(firn_table_merger *m)
{
    json_t *set = firn_json_own(m->arena, json_object());
    json_t *keys = firn_json_own(m->arena, json_copy(m->base->properties));
    json_object_update(keys, m->theirs->properties);
    const char *key;
    json_t *value;
    json_object_foreach(keys, key, value)
    {
        if (!firn_streq(key, "schema.name-mapping.default")) /* merged with the schema */
            merge_property(m, key, set);
    }
    if (json_object_size(set) > 0)
        firn_update_set_properties(m->updates, set);
}

/* ---- the table's own branches and tags -------------------------------------------------------- */

static bool same_ref(const firn_snapshot_ref *a, const firn_snapshot_ref *b)
{
    if (!a || !b)
        return a == b;
    return a->snapshot_id == b->snapshot_id && a->is_tag == b->is_tag &&
           a->min_snapshots_to_keep == b->min_snapshots_to_keep &&
           a->max_snapshot_age_ms == b->max_snapshot_age_ms &&
           a->max_ref_age_ms == b->max_ref_age_ms;
}

static void merge_ref(firn_table_merger *m, const char *name)
{
    const firn_snapshot_ref *was = firn_metadata_ref(m->base, name);
    const firn_snapshot_ref *here = firn_metadata_ref(m->ours, name);
    const firn_snapshot_ref *now = firn_metadata_ref(m->theirs, name);
    const char *kind = now ? (now->is_tag ? "tag" : "branch") : was->is_tag ? "tag" : "branch";
    if (same_ref(was, now) || same_ref(here, now))
        return;
    if (!same_ref(was, here)) {
        firn_table_merge_conflict(m, "both %s and %s changed the table's own %s \"%s\"", us(m),
                                  them(m), kind, name);
    } else if (!now) {
        firn_update_remove_ref(m->updates, name);
    } else if (!firn_metadata_snapshot(m->ours, now->snapshot_id)) {
        firn_table_merge_conflict(
            m, "the table's own %s \"%s\" is at snapshot %lld, which only %s has", kind, name,
            (long long)now->snapshot_id, them(m));
    } else {
        firn_update_put_ref(m->updates, now);
    }
}

/* Where main points to is a matter of rows; how much history it keeps is a setting. */
static void merge_main(firn_table_merger *m)
{
    const firn_snapshot_ref *was = firn_metadata_ref(m->base, "main");
    const firn_snapshot_ref *here = firn_metadata_ref(m->ours, "main");
    const firn_snapshot_ref *now = firn_metadata_ref(m->theirs, "main");
    if (!was || !now || !here)
        return;
    firn_snapshot_ref before = *was, ours = *here, after = *now;
    before.snapshot_id = after.snapshot_id = ours.snapshot_id;
    if (same_ref(&before, &after) || same_ref(&ours, &after))
        return;
    if (same_ref(&before, &ours))
        firn_update_put_ref(m->updates, &after);
    else
        firn_table_merge_conflict(
            m, "both %s and %s changed how many snapshots the table's own branch main keeps", us(m),
            them(m));
}

static void merge_refs(firn_table_merger *m)
{
    for (size_t i = 0; i < m->theirs->n_refs; i++) {
        if (!firn_streq(m->theirs->refs[i].name, "main"))
            merge_ref(m, m->theirs->refs[i].name);
    }
    for (size_t i = 0; i < m->base->n_refs; i++) {
        const char *name = m->base->refs[i].name;
        if (!firn_streq(name, "main") && !firn_metadata_ref(m->theirs, name))
            merge_ref(m, name);
    }
    merge_main(m);
}

/* ---- everything else -------------------------------------------------------------------------- */

/* Members that are merged above, that follow from those, or that only tell of snapshots. */
static bool is_known_member(const char *key)
{
    static const char *const known[] = {
        "current-schema-id",
        "current-snapshot-id",
        "default-sort-order-id",
        "default-spec-id",
        "format-version",
        "last-column-id",
        "last-partition-id",
        "last-sequence-number",
        "last-updated-ms",
        "location",
        "metadata-log",
        "next-row-id",
        "partition-spec",
        "partition-specs",
        "partition-statistics",
        "properties",
        "refs",
        "schema",
        "schemas",
        "snapshot-log",
        "snapshots",
        "sort-orders",
        "statistics",
        "table-uuid",
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (firn_streq(known[i], key))
            return true;
    }
    return false;
}

static void compare_members(firn_table_merger *m)
{
    json_t *keys = firn_json_own(m->arena, json_copy(m->base->json));
    json_object_update(keys, m->theirs->json);
    const char *key;
    json_t *value;
    json_object_foreach(keys, key, value)
    {
        const json_t *now = json_object_get(m->theirs->json, key);
        if (!is_known_member(key) && !same_json(json_object_get(m->base->json, key), now) &&
            !same_json(json_object_get(m->ours->json, key), now))
            firn_table_merge_conflict(m, "%s changed \"%s\" in the table's metadata", them(m), key);
    }
    if (!firn_streq(m->base->location, m->theirs->location) &&
        !firn_streq(m->ours->location, m->theirs->location))
        firn_table_merge_conflict(m, "%s moved the table to %s", them(m), m->theirs->location);
    if (m->theirs->last_partition_id > m->ours->last_partition_id &&
        !find_partition_field(m->theirs, m->theirs->last_partition_id) &&
        m->theirs->last_partition_id > m->base->last_partition_id)
        firn_table_merge_conflict(
            m, "%s gave out partition field ids that its specs no longer tell about", them(m));
}

static void merge_version(firn_table_merger *m)
{
    if (m->theirs->format_version > m->ours->format_version)
        firn_update_upgrade_format(m->updates, m->theirs->format_version);
}

/* ---- the whole -------------------------------------------------------------------------------- */

firn_rc firn_table_merge_plan(firn_arena *arena, const firn_table_sides *sides,
                              firn_table_merge *out, firn_err *err)
{
    firn_table_merger m = {
        .arena = arena,
        .sides = sides,
        .base = sides->base,
        .ours = sides->ours,
        .theirs = sides->theirs,
        .updates = firn_json_own(arena, json_array()),
    };
    compare_rows(&m);
    merge_version(&m);
    firn_table_merge_schema(&m);
    merge_specs(&m);
    merge_orders(&m);
    merge_properties(&m);
    merge_refs(&m);
    compare_members(&m);
    *out = (firn_table_merge){
        .updates = m.updates,
        .has_rows = m.has_rows,
        .appends = m.appends.items,
        .n_appends = m.appends.len,
    };
    if (m.conflicts.len == 0) {
        /* What does not fit together shows now: a spec over a column that ours dropped, for one. */
        firn_update_options options = {0};
        firn_err detail = {0};
        firn_rc rc =
            firn_updates_apply(arena, sides->ours, m.updates, &options, &out->metadata, &detail);
        if (rc == FIRN_E_INVALID || rc == FIRN_E_CONFLICT || rc == FIRN_E_TYPE ||
            rc == FIRN_E_NO_COLUMN) {
            firn_table_merge_conflict(&m, "the two sides do not fit together: %s", detail.message);
        } else if (rc != FIRN_OK) {
            if (err)
                *err = detail;
            return rc;
        }
    }
    out->conflicts = m.conflicts.items;
    out->n_conflicts = m.conflicts.len;
    return FIRN_OK;
}

firn_rc firn_table_merge_write(firn_storage *storage, firn_manifest_cache *cache, firn_arena *arena,
                               const firn_table_sides *sides, const firn_table_merge *merge,
                               const char *previous_location, firn_metadata **out,
                               firn_snapshot_result *written, firn_err *err)
{
    json_t *updates = firn_json_own(arena, json_copy(merge->updates));
    json_t *requirements = firn_json_own(arena, json_array());
    *written = (firn_snapshot_result){0};
    if (merge->has_rows) {
        firn_replay_request request = {
            .base = sides->base,
            .common = sides->base->current_snapshot,
            .ours = merge->metadata,
            .theirs = sides->theirs,
            .appends = merge->appends,
            .n_appends = merge->n_appends,
        };
        FIRN_TRY(firn_snapshot_replay(&request, storage, cache, arena, updates, requirements,
                                      written, err));
    }
    firn_update_options options = {.previous_location = previous_location};
    return firn_updates_apply(arena, sides->ours, updates, &options, out, err);
}
