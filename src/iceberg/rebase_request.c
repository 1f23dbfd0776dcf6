/*
 * rebase_request.c - which commit requests are plain appends to one branch.
 *
 * Two kinds of "no" are told apart. An obstacle stands against making the append again at all: the request does more
 * than append, or does not say enough. State stands against doing it on another head: a key of the summary, or a
 * property set beside the append, that firn does not know to be a description may be a position that the writer has
 * reached (Flink's checkpoint, Kafka Connect's offsets, a streaming epoch), and such a writer relies on being refused
 * when somebody, perhaps its own twin, was faster. So known names are listed, and everything else is state.
 */
#include "rebase_request.h"

#include "metadata_private.h"

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

/* The first one is told. */
static void object_to(firn_rebase_request *request, const char *why)
{
    if (!request->obstacle)
        request->obstacle = why;
}

/* ---- names that carry no state ------------------------------------------------------------------------------------ */

static const char *const plain_summary_keys[] = {
    "operation",  "engine-name",    "engine-version", "iceberg-version",
    "app-id",     "app-name",       "spark.app.id",   "partition-summaries-included",
    "created-by", "trino_query_id", "trino_user",     "entries-processed",
};
static const char *const plain_summary_prefixes[] = {
    "added-", "total-", "deleted-", "removed-", "changed-", "manifests-", "partitions.",
};
/* Settings of readers and writers. */
static const char *const plain_property_prefixes[] = {
    "write.", "read.", "commit.", "history.", "gc.", "schema.name-mapping.",
};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static bool has_prefix(const char *text, const char *const *prefixes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (firn_starts_with(text, prefixes[i]))
            return true;
    }
    return false;
}

static bool plain_summary_key(const char *key)
{
    for (size_t i = 0; i < COUNT(plain_summary_keys); i++) {
        if (firn_streq(key, plain_summary_keys[i]))
            return true;
    }
    return has_prefix(key, plain_summary_prefixes, COUNT(plain_summary_prefixes));
}

static void note_summary_state(firn_arena *arena, const json_t *summary, firn_rebase_request *out)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)summary, key, value)
    {
        if (!out->state && !plain_summary_key(key))
            out->state = firn_arena_printf(
                arena, "its summary carries \"%.100s\", which may be its writer's position", key);
    }
}

static void note_property_state(firn_arena *arena, const char *key, firn_rebase_request *out)
{
    if (!out->state && !has_prefix(key, plain_property_prefixes, COUNT(plain_property_prefixes)))
        out->state = firn_arena_printf(
            arena, "it sets property \"%.100s\", which may be its writer's position", key);
}

/* ---- updates -------------------------------------------------------------------------------------------------------- */

typedef FIRN_VEC(firn_rebase_append) append_list;

static void read_snapshot(firn_arena *arena, const firn_metadata *base, const json_t *update,
                          size_t index, append_list *appends, firn_rebase_request *out)
{
    firn_rebase_append one = {.update = index, .json = json_object_get(update, "snapshot")};
    if (!json_is_object(one.json) ||
        firn_snapshot_from_json(arena, one.json, "snapshot", &one.snapshot, NULL) != FIRN_OK) {
        object_to(out, "a snapshot of it is malformed");
        return;
    }
    const firn_snapshot *s = &one.snapshot;
    if (!s->operation || !firn_streq(s->operation, "append"))
        out->appends_only = false;
    else if (!s->manifest_list && s->n_manifests == 0)
        object_to(out, "it names no manifest list");
    else if (json_object_get(one.json, "key-id"))
        object_to(out, "its manifest list is encrypted");
    else if (base->format_version >= 2 && !json_object_get(one.json, "sequence-number"))
        object_to(out, "it was made for format version 1");
    else if (base->format_version >= 3 && (s->first_row_id < 0 || s->added_rows < 0))
        object_to(out, "it was made for a format version without row ids");
    else if (s->schema_id >= 0 && !firn_metadata_schema(base, s->schema_id))
        object_to(out, "it was written under a schema that is gone");
    else if (appends->len == FIRN_REBASE_SNAPSHOTS_MAX)
        object_to(out, "it has too many snapshots");
    note_summary_state(arena, s->summary, out);
    firn_vec_push(arena, appends, one);
}

static void read_ref(const json_t *update, const append_list *appends, firn_rebase_request *out)
{
    const char *name = json_string_value(json_object_get(update, "ref-name"));
    const json_t *id = json_object_get(update, "snapshot-id");
    if (!name || !json_is_integer(id) || !firn_streq(text_of(update, "type"), "branch"))
        object_to(out, "it moves a tag");
    else if (out->ref && !firn_streq(out->ref, name))
        object_to(out, "it moves several branches");
    else if (appends->len == 0 ||
             firn_vec_last(appends).snapshot.snapshot_id != json_integer_value(id))
        object_to(out, "it moves a branch to another snapshot than the one it has just added");
    else
        out->ref = name;
}

static void read_properties(firn_arena *arena, const json_t *update, firn_rebase_request *out)
{
    const char *key;
    json_t *value;
    size_t i;
    json_object_foreach(json_object_get(update, "updates"), key, value)
        note_property_state(arena, key, out);
    json_array_foreach(json_object_get(update, "removals"), i, value)
    {
        if (json_is_string(value))
            note_property_state(arena, json_string_value(value), out);
    }
}

/* Updates that mean the same on every head. */
static bool stays_as_it_is(const char *action)
{
    static const char *const actions[] = {"assign-uuid", "set-statistics",
                                          "set-partition-statistics"};
    for (size_t i = 0; i < COUNT(actions); i++) {
        if (firn_strcaseeq(action, actions[i]))
            return true;
    }
    return false;
}

static void read_updates(firn_arena *arena, const firn_metadata *base, const json_t *updates,
                         append_list *appends, firn_rebase_request *out)
{
    size_t i;
    const json_t *update;
    json_array_foreach(updates, i, update)
    {
        const char *action = text_of(update, "action");
        if (firn_strcaseeq(action, "add-snapshot"))
            read_snapshot(arena, base, update, i, appends, out);
        else if (firn_strcaseeq(action, "set-snapshot-ref"))
            read_ref(update, appends, out);
        else if (firn_strcaseeq(action, "set-properties") ||
                 firn_strcaseeq(action, "remove-properties"))
            read_properties(arena, update, out);
        else if (!stays_as_it_is(action))
            object_to(out, firn_arena_printf(arena, "it also does %.40s", action));
    }
}

/* ---- requirements ------------------------------------------------------------------------------------------------------ */

bool firn_rebase_requires_ref(const json_t *requirement, const char *ref)
{
    return firn_strcaseeq(text_of(requirement, "type"), "assert-ref-snapshot-id") &&
           firn_streq(text_of(requirement, "ref"), ref);
}

/* The snapshot that the branch must hold; false when the request does not ask for one, or for two. */
static bool read_requirements(const json_t *requirements, firn_rebase_request *out)
{
    bool found = false;
    size_t i;
    const json_t *requirement;
    json_array_foreach(requirements, i, requirement)
    {
        if (!firn_rebase_requires_ref(requirement, out->ref))
            continue;
        const json_t *id = json_object_get(requirement, "snapshot-id");
        bool absent = !id || json_is_null(id);
        if (!absent && (!json_is_integer(id) || json_integer_value(id) < 0))
            return false;
        int64_t built_on = absent ? -1 : json_integer_value(id);
        if (found && built_on != out->built_on)
            return false;
        out->built_on = built_on;
        found = true;
    }
    return found;
}

/* ---- the whole ------------------------------------------------------------------------------------------------------------ */

static bool is_chain(const firn_rebase_request *request)
{
    int64_t parent = request->built_on;
    for (size_t i = 0; i < request->n_appends; i++) {
        if (request->appends[i].snapshot.parent_id != parent)
            return false;
        parent = request->appends[i].snapshot.snapshot_id;
    }
    return true;
}

/* The branch must end at the last of them: the ones before are its history. */
static bool ref_comes_last(const json_t *updates, const firn_rebase_request *request)
{
    size_t last_ref = 0, i;
    const json_t *update;
    json_array_foreach(updates, i, update)
    {
        if (firn_strcaseeq(text_of(update, "action"), "set-snapshot-ref"))
            last_ref = i;
    }
    return last_ref > request->appends[request->n_appends - 1].update;
}

void firn_rebase_request_read(firn_arena *arena, const firn_metadata *base, const json_t *updates,
                              const json_t *requirements, firn_rebase_request *out)
{
    append_list appends = {0};
    *out = (firn_rebase_request){.built_on = -1, .appends_only = true};
    read_updates(arena, base, updates, &appends, out);
    out->appends = appends.items;
    out->n_appends = appends.len;
    if (appends.len == 0 || !out->appends_only)
        out->ref = NULL;
    if (out->obstacle || !out->ref)
        return;
    if (!read_requirements(requirements, out))
        object_to(out, "it does not say which snapshot its branch must hold");
    else if (!is_chain(out) || !ref_comes_last(updates, out))
        object_to(out, "its snapshots are not built one on the other from what its branch held");
}
