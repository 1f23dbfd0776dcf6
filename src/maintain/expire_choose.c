/* Which snapshots of a table expire (spec: "Snapshot Retention Policy"; as Java's RemoveSnapshots does it).
 *
 *   - A ref of the table whose snapshot is older than max-ref-age-ms goes; main never does.
 *   - A tag that stays keeps its snapshot.
 *   - A branch that stays keeps, from its head back, min-snapshots-to-keep snapshots, and on from there as long as they are younger
 *     than max-snapshot-age-ms. The first one that is neither ends it.
 *   - A snapshot that is in no branch's history and has no tag (staged, rolled back) stays while it is young.
 *
 * What a ref says of itself goes before the options, and these before the table's properties.
 */
#include "expire.h"

#include <inttypes.h>

enum { DAY_MS = 24 * 3600 * 1000 };

firn_expire_rules firn_expire_rules_of(const firn_metadata *metadata,
                                       const firn_expire_options *options, int64_t now_ms)
{
    int64_t age_ms = firn_metadata_property_i64(metadata, "history.expire.max-snapshot-age-ms",
                                                5 * (int64_t)DAY_MS);
    firn_expire_rules rules = {
        .now_ms = now_ms,
        .older_than_ms = now_ms - age_ms,
        .keep_last =
            firn_metadata_property_i64(metadata, "history.expire.min-snapshots-to-keep", 1),
        .max_ref_age_ms =
            firn_metadata_property_i64(metadata, "history.expire.max-ref-age-ms", INT64_MAX),
    };
    if (options->older_than_us > 0) {
        rules.older_than_ms = (options->older_than_us + 999) / 1000;
    }
    if (options->keep_last > 0) {
        rules.keep_last = options->keep_last;
    }
    rules.keep_last = rules.keep_last < 1 ? 1 : rules.keep_last;
    return rules;
}

typedef struct choosing {
    firn_arena *arena;
    const firn_metadata *metadata;
    const firn_expire_rules *rules;
    firn_imap *stay, *referenced; /* snapshot ids */
} choosing;

static bool ref_stays(const choosing *c, const firn_snapshot_ref *ref)
{
    if (firn_streq(ref->name, FIRN_MAIN)) {
        return true;
    }
    const firn_snapshot *snapshot = firn_metadata_snapshot(c->metadata, ref->snapshot_id);
    int64_t max_ms = ref->max_ref_age_ms >= 0 ? ref->max_ref_age_ms : c->rules->max_ref_age_ms;
    return snapshot != NULL && c->rules->now_ms - snapshot->timestamp_ms <= max_ms;
}

/* The snapshots older than the rules that a ref keeps. */
static int64_t keep_branch(choosing *c, const firn_snapshot_ref *ref)
{
    const firn_expire_rules *rules = c->rules;
    int64_t older_than_ms = ref->max_snapshot_age_ms >= 0 ? rules->now_ms - ref->max_snapshot_age_ms
                                                          : rules->older_than_ms;
    int64_t keep = ref->min_snapshots_to_keep > 0 ? ref->min_snapshots_to_keep : rules->keep_last;
    int64_t kept = 0, old = 0;
    bool stays = true;
    const firn_snapshot *at = firn_metadata_snapshot(c->metadata, ref->snapshot_id);
    for (size_t steps = 0; at != NULL && steps <= c->metadata->n_snapshots; steps++) {
        stays = stays && (kept < keep || at->timestamp_ms >= older_than_ms);
        if (stays) {
            firn_imap_put(c->stay, at->snapshot_id, c);
            kept++;
            old += at->timestamp_ms < rules->older_than_ms;
        }
        firn_imap_put(c->referenced, at->snapshot_id, c);
        at = at->parent_id < 0 ? NULL : firn_metadata_snapshot(c->metadata, at->parent_id);
    }
    return old;
}

static void keep_tag(choosing *c, const firn_snapshot_ref *ref)
{
    firn_imap_put(c->stay, ref->snapshot_id, c);
    firn_imap_put(c->referenced, ref->snapshot_id, c);
}

static void say_tags(choosing *c, const char *const *tags, size_t n, firn_expire_choice *out)
{
    enum { SHOWN_MAX = 5 };
    if (n == 0) {
        return;
    }
    size_t shown = n < SHOWN_MAX ? n : SHOWN_MAX;
    const char *names = firn_str_join(c->arena, tags, shown, ", ");
    const char *more = n > shown ? firn_arena_printf(c->arena, " and %zu more", n - shown) : "";
    firn_vec_push(c->arena, &out->kept_by,
                  firn_arena_printf(c->arena, "the table's tag%s %s%s keep%s %s", n == 1 ? "" : "s",
                                    names, more, n == 1 ? "s" : "",
                                    n == 1 ? "a snapshot" : "their snapshots"));
}

static void keep_refs(choosing *c, firn_expire_choice *out)
{
    FIRN_VEC(const char *) tags = {0};
    for (size_t i = 0; i < c->metadata->n_refs; i++) {
        const firn_snapshot_ref *ref = &c->metadata->refs[i];
        if (!ref_stays(c, ref)) {
            firn_vec_push(c->arena, &out->refs, ref->name);
            continue;
        }
        if (ref->is_tag) {
            const firn_snapshot *snapshot = firn_metadata_snapshot(c->metadata, ref->snapshot_id);
            keep_tag(c, ref);
            if (snapshot != NULL && snapshot->timestamp_ms < c->rules->older_than_ms) {
                firn_vec_push(c->arena, &tags, ref->name);
            }
            continue;
        }
        int64_t old = keep_branch(c, ref);
        bool by_itself = !firn_streq(ref->name, FIRN_MAIN) || ref->max_snapshot_age_ms >= 0 ||
                         ref->min_snapshots_to_keep > 0;
        if (old > 0 && by_itself) {
            firn_vec_push(c->arena, &out->kept_by,
                          firn_arena_printf(c->arena,
                                            "the table's branch %s keeps %" PRId64
                                            " snapshot%s that would be old enough",
                                            ref->name, old, old == 1 ? "" : "s"));
        }
    }
    say_tags(c, tags.items, tags.len, out);
}

void firn_expire_choose(firn_arena *arena, const firn_metadata *metadata,
                        const firn_expire_rules *rules, const firn_imap *pinned,
                        const firn_imap *only, firn_expire_choice *out)
{
    choosing c = {.arena = arena,
                  .metadata = metadata,
                  .rules = rules,
                  .stay = firn_imap_new(arena),
                  .referenced = firn_imap_new(arena)};
    *out = (firn_expire_choice){0};
    keep_refs(&c, out);
    for (size_t i = 0; i < metadata->n_snapshots; i++) {
        const firn_snapshot *snapshot = &metadata->snapshots[i];
        int64_t id = snapshot->snapshot_id;
        bool young_and_loose =
            !firn_imap_has(c.referenced, id) && snapshot->timestamp_ms >= rules->older_than_ms;
        if (firn_imap_has(c.stay, id) || young_and_loose || (pinned && firn_imap_has(pinned, id)) ||
            (only && !firn_imap_has(only, id))) {
            continue;
        }
        firn_vec_push(arena, &out->snapshots, id);
    }
}
