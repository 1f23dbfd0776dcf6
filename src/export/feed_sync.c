/* Which feeds a server's streams and tables lack: see export/sync.h. Nothing is asked of anybody here. */
#include "export/sync.h"

#include "base/map.h"
#include "base/vec.h"

typedef struct planning {
    firn_arena *arena;
    const firn_sync_input *in;
    firn_map *taken; /* names that a new feed cannot have, and who has them */
    FIRN_VEC(firn_sync_row) rows;
} planning;

static firn_export_kind kind_of(const firn_ksqldb_object *object)
{
    return object->is_table ? FIRN_EXPORT_TABLE : FIRN_EXPORT_STREAM;
}

/* ---- sources ------------------------------------------------------------------------------------------- */

/* What a feed calls the object: small letters, unless that would be another one. */
static const char *source_of(const planning *p, const firn_ksqldb_object *object)
{
    const char *lower = firn_str_lower(p->arena, object->name);
    bool has_small = false;
    for (const char *at = object->name; *at != '\0'; at++) {
        has_small = has_small || (*at >= 'a' && *at <= 'z');
    }
    for (size_t i = 0; i < p->in->n_objects && !has_small; i++) {
        has_small = &p->in->objects[i] != object && firn_streq(p->in->objects[i].name, lower);
    }
    return has_small ? object->name : lower;
}

static const char *without_ticks(firn_arena *arena, const char *name)
{
    size_t len = strlen(name);
    return len > 2 && name[0] == '`' && name[len - 1] == '`'
               ? firn_arena_strndup(arena, name + 1, len - 2)
               : name;
}

static bool has_object(const firn_sync_input *in, const char *name)
{
    for (size_t i = 0; i < in->n_objects; i++) {
        if (firn_streq(in->objects[i].name, name)) {
            return true;
        }
    }
    return false;
}

/* As written, else without regard to case: how the server is asked for it. */
static bool reads(const planning *p, const char *source, const char *object)
{
    const char *name = without_ticks(p->arena, source);
    return firn_streq(name, object) || (firn_strcaseeq(name, object) && !has_object(p->in, name));
}

static bool is_of_server(const firn_sync_input *in, const firn_export_feed *feed)
{
    return feed->server != NULL ? in->server != NULL && firn_streq(feed->server, in->server)
                                : in->only_server;
}

static const firn_export_listed *feed_of(const planning *p, const firn_ksqldb_object *object)
{
    const firn_export_listed *found = NULL;
    for (size_t i = 0; i < p->in->n_feeds; i++) {
        const firn_export_listed *listed = &p->in->feeds[i];
        bool match = listed->broken == NULL && is_of_server(p->in, &listed->feed) &&
                     listed->feed.kind == kind_of(object) &&
                     reads(p, listed->feed.ksqldb_source, object->name);
        if (match && (found == NULL || found->archived)) {
            found = listed;
        }
    }
    return found;
}

/* The log that the server keeps about itself. */
static bool is_internal(const firn_ksqldb_object *object)
{
    return firn_strcaseeq(object->name, "KSQL_PROCESSING_LOG") ||
           (object->topic != NULL && firn_starts_with(object->topic, "_confluent"));
}

/* ---- rows ---------------------------------------------------------------------------------------------- */

static bool is_wanted(const planning *p, const char *source, const char *feed)
{
    for (size_t i = 0; i < p->in->n_names; i++) {
        if (firn_strcaseeq(p->in->names[i], source) ||
            (feed != NULL && firn_streq(p->in->names[i], feed))) {
            return true;
        }
    }
    return p->in->n_names == 0;
}

static void plan_new(planning *p, const firn_ksqldb_object *object, firn_sync_row *row)
{
    const char *name = firn_str_lower(p->arena, object->name);
    const char *owner = firn_map_get(p->taken, name);
    if (!firn_export_is_feed_name(name)) {
        row->state = FIRN_SYNC_LEFT_OUT;
        row->why =
            firn_arena_printf(p->arena,
                              "a feed cannot be called \"%s\"; give it a name: firn feed add "
                              "NAME --type %s --source '%s'",
                              name, firn_export_kind_name(row->kind), object->name);
        return;
    }
    if (owner != NULL) {
        row->state = FIRN_SYNC_LEFT_OUT;
        row->why = firn_arena_printf(p->arena,
                                     "%s; give it another name: firn feed add NAME --type %s "
                                     "--source '%s'",
                                     owner, firn_export_kind_name(row->kind), object->name);
        return;
    }
    const firn_export_new options = {
        .name = name,
        .source = source_of(p, object),
        .kind = row->kind,
        .server = p->in->only_server ? NULL : p->in->server,
        .now_us = p->in->now_us,
    };
    row->state = FIRN_SYNC_NEW;
    row->feed = name;
    row->json = firn_export_feed_json(p->arena, &options);
    firn_map_put(p->taken, name,
                 firn_arena_printf(p->arena, "feed %s is for %s", name, object->name));
}

static void plan_object(planning *p, const firn_ksqldb_object *object)
{
    const firn_export_listed *feed = feed_of(p, object);
    if (!is_wanted(p, object->name, feed != NULL ? feed->name : NULL)) {
        return;
    }
    firn_sync_row row = {.kind = kind_of(object), .source = object->name, .topic = object->topic};
    if (feed != NULL) {
        row.state = FIRN_SYNC_HAS_FEED;
        row.feed = feed->name;
        row.archived = feed->archived;
    } else if (is_internal(object) && p->in->n_names == 0) {
        row.state = FIRN_SYNC_LEFT_OUT;
        row.why = "the server's own; name it to add it";
    } else {
        plan_new(p, object, &row);
    }
    firn_vec_push(p->arena, &p->rows, row);
}

static void plan_gone(planning *p, const firn_export_listed *listed)
{
    const firn_export_feed *feed = &listed->feed;
    if (listed->broken != NULL || listed->archived || !is_of_server(p->in, feed) ||
        !is_wanted(p, feed->ksqldb_source, feed->name)) {
        return;
    }
    const firn_ksqldb_object *other = NULL;
    for (size_t i = 0; i < p->in->n_objects; i++) {
        const firn_ksqldb_object *object = &p->in->objects[i];
        if (reads(p, feed->ksqldb_source, object->name)) {
            if (kind_of(object) == feed->kind) {
                return;
            }
            other = object;
        }
    }
    const char *kind = firn_export_kind_name(feed->kind);
    firn_sync_row row = {.state = FIRN_SYNC_GONE,
                         .kind = feed->kind,
                         .source = feed->ksqldb_source,
                         .feed = listed->name};
    row.why =
        other != NULL
            ? firn_arena_printf(p->arena, "on the server %s is a %s, and the feed says %s",
                                other->name, firn_export_kind_name(kind_of(other)), kind)
            : firn_arena_printf(p->arena, "the server has no %s %s", kind, feed->ksqldb_source);
    firn_vec_push(p->arena, &p->rows, row);
}

/* ---- the plan ------------------------------------------------------------------------------------------ */

static firn_rc check_names(const planning *p, firn_err *err)
{
    const firn_sync_input *in = p->in;
    const char **known = FIRN_NEW_N(p->arena, const char *, in->n_objects);
    for (size_t i = 0; i < in->n_objects; i++) {
        known[i] = firn_str_lower(p->arena, in->objects[i].name);
    }
    for (size_t i = 0; i < in->n_names; i++) {
        bool found = false;
        const char *lower = firn_str_lower(p->arena, in->names[i]);
        for (size_t j = 0; j < in->n_objects; j++) {
            found = found || firn_streq(known[j], lower);
        }
        for (size_t j = 0; j < in->n_feeds; j++) {
            found = found || firn_streq(in->feeds[j].name, in->names[i]);
        }
        if (!found) {
            const char *nearest = firn_nearest(lower, known, in->n_objects);
            FIRN_FAIL(err, FIRN_E_NOT_FOUND, "the server has no stream and no table \"%s\"%s%s%s",
                      in->names[i], nearest != NULL ? ". Did you mean " : "",
                      nearest != NULL ? nearest : "", nearest != NULL ? "?" : "");
        }
    }
    return FIRN_OK;
}

firn_rc firn_export_sync_plan(firn_arena *arena, const firn_sync_input *input, firn_sync_row **out,
                              size_t *n, firn_err *err)
{
    planning p = {.arena = arena, .in = input, .taken = firn_map_new(arena)};
    FIRN_TRY(check_names(&p, err));
    for (size_t i = 0; i < input->n_taken; i++) {
        firn_map_put(p.taken, input->taken[i],
                     firn_arena_printf(arena, "feed %s is from Kafka", input->taken[i]));
    }
    for (size_t i = 0; i < input->n_feeds; i++) {
        const firn_export_listed *listed = &input->feeds[i];
        firn_map_put(p.taken, listed->name,
                     listed->broken != NULL
                         ? firn_arena_printf(arena, "feed %s cannot be read", listed->name)
                         : firn_arena_printf(arena, "feed %s is for %s %s", listed->name,
                                             firn_export_kind_name(listed->feed.kind),
                                             listed->feed.ksqldb_source));
    }
    for (size_t i = 0; i < input->n_objects; i++) {
        plan_object(&p, &input->objects[i]);
    }
    for (size_t i = 0; i < input->n_feeds; i++) {
        plan_gone(&p, &input->feeds[i]);
    }
    *out = p.rows.items;
    *n = p.rows.len;
    return FIRN_OK;
}
