/* Which metadata file of a folder is the table's current one.
 *
 * A catalog knows; a folder only suggests:
 *   1. version-hint.text (Hadoop tables): that version, and whatever follows it without a gap, since the hint is written last.
 *   2. Else the highest number whose file can be read. Two kinds of files can be in its way: what a commit wrote that then lost its
 *      race (a second file of the same number, or one that the winner's metadata-log does not name), and files of a table that
 *      lived in the folder before (another uuid). Of two tables the one that was changed last is taken; of two files of one number
 *      the later one. Whatever was passed over is said in the note.
 *
 * Only files that the winner's metadata-log does not explain are read, at most READ_MAX of them.
 */
#include "warehouse_private.h"

#include <stdarg.h>
#include <stdlib.h>

enum { READ_MAX = 64, HINT_BYTES_MAX = 64 };

typedef struct choice {
    const firn_metadata_candidate *file;
    firn_metadata *metadata; /* one of the two */
    json_t *view;
    const char *uuid; /* nullable */
    int64_t updated_ms;
} choice;

typedef struct picker {
    firn_storage *storage;
    firn_arena *arena;
    firn_candidates *from;
    firn_found *out;
    const char *unreadable; /* the first: "name: why" */
    size_t n_unreadable;
} picker;

void firn_found_note(firn_arena *arena, firn_found *found, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *text = firn_arena_vprintf(arena, fmt, args);
    va_end(args);
    found->note =
        found->note != NULL ? firn_arena_printf(arena, "%s; %s", found->note, text) : text;
}

/* ---- reading one file --------------------------------------------------------------------------------- */

static int64_t view_updated(const json_t *view)
{
    int64_t latest = 0;
    size_t i = 0;
    json_t *entry = NULL;
    json_array_foreach(json_object_get(view, "version-log"), i, entry)
    {
        int64_t at = json_integer_value(json_object_get(entry, "timestamp-ms"));
        latest = at > latest ? at : latest;
    }
    return latest;
}

static firn_rc load(picker *p, const firn_metadata_candidate *file, choice *out, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    firn_bytes content;
    json_t *json = NULL;
    firn_err detail = {0};
    *out = (choice){.file = file};
    FIRN_TRY(firn_storage_get(p->storage, scratch, file->location, FIRN_METADATA_BYTES_MAX,
                              &content, err));
    firn_rc rc = firn_metadata_parse(p->arena, content, file->name, &out->metadata, &detail);
    if (rc == FIRN_OK) {
        out->uuid = out->metadata->table_uuid;
        out->updated_ms = out->metadata->last_updated_ms;
        return FIRN_OK;
    }
    firn_view *view = NULL;
    if (firn_json_parse(p->arena, content, file->name, &json, NULL) == FIRN_OK &&
        json_object_get(json, "view-uuid") != NULL) {
        FIRN_TRY(firn_view_from_json(p->arena, json, file->name, &view, err));
        out->view = json;
        out->uuid = view->uuid;
        out->updated_ms = view_updated(json);
        return FIRN_OK;
    }
    FIRN_FAIL(err, rc, "%s", detail.message);
}

/* False when it cannot be read, which is remembered. */
static bool try_load(picker *p, const firn_metadata_candidate *file, choice *out)
{
    firn_err err = {0};
    if (load(p, file, out, &err) == FIRN_OK) {
        return true;
    }
    if (p->n_unreadable++ == 0) {
        bool named = strstr(err.message, file->name) != NULL;
        p->unreadable = named ? firn_arena_strdup(p->arena, err.message)
                              : firn_arena_printf(p->arena, "%s: %s", file->name, err.message);
    }
    return false;
}

/* ---- by hint -------------------------------------------------------------------------------------------- */

static const firn_metadata_candidate *hadoop_version(const firn_candidates *from, int64_t version)
{
    for (size_t i = 0; i < from->files.len; i++) {
        if (from->files.items[i].version == version && from->files.items[i].name[0] == 'v') {
            return &from->files.items[i];
        }
    }
    return NULL;
}

static bool pick_by_hint(picker *p, choice *out)
{
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    firn_bytes text = {0};
    firn_err err = {0};
    if (p->from->hint == NULL) {
        return false;
    }
    for (size_t i = 0; i < p->from->files.len; i++) {
        const firn_metadata_candidate *file = &p->from->files.items[i];
        if (file->version >= 0 && file->name[0] != 'v') {
            return false; /* a catalog's table; the hint is there for readers by path */
        }
    }
    int64_t hinted = -1;
    if (firn_storage_get(p->storage, scratch, p->from->hint, HINT_BYTES_MAX, &text, &err) ==
        FIRN_OK) {
        hinted = firn_version_hint_parse(text);
    }
    if (hinted < 0) {
        firn_found_note(p->arena, p->out, "version-hint.text holds no number");
        return false;
    }
    const firn_metadata_candidate *file = hadoop_version(p->from, hinted);
    if (file == NULL) {
        firn_found_note(p->arena, p->out, "version-hint.text names version %lld, which is not here",
                        (long long)hinted);
        return false;
    }
    for (int64_t next = hinted + 1; hadoop_version(p->from, next) != NULL; next++) {
        file = hadoop_version(p->from, next);
    }
    if (file->version > hinted) {
        firn_found_note(p->arena, p->out, "version-hint.text says %lld, version %lld is here",
                        (long long)hinted, (long long)file->version);
    }
    return try_load(p, file, out);
}

/* ---- by number ------------------------------------------------------------------------------------------ */

static int newest_first(const void *a, const void *b)
{
    const firn_metadata_candidate *left = a, *right = b;
    int order = (left->version < right->version) - (left->version > right->version);
    return order != 0 ? order
                      : strcmp(left->name, right->name); /* "v3" may be a copy of "00003-..." */
}

static const char *last_part(const char *location)
{
    const char *slash = strrchr(location, '/');
    return slash != NULL ? slash + 1 : location;
}

/* Names in the metadata-log; *oldest is the lowest number among them and the file itself. */
static firn_map *explained_by(picker *p, const choice *by, int64_t *oldest)
{
    firn_map *names = firn_map_new(p->arena);
    *oldest = by->file->version;
    firn_map_put(names, by->file->name, p);
    for (size_t i = 0; by->metadata != NULL && i < by->metadata->n_metadata_log; i++) {
        const char *name = last_part(by->metadata->metadata_log[i].location);
        int64_t version = firn_metadata_file_version(name);
        firn_map_put(names, name, p);
        *oldest = version >= 0 && version < *oldest ? version : *oldest;
    }
    return names;
}

static bool same_table(const choice *a, const choice *b)
{
    return (a->view != NULL) == (b->view != NULL) &&
           (a->uuid == NULL || b->uuid == NULL || firn_streq(a->uuid, b->uuid));
}

/* Is `a` more likely the current file than `b`? */
static bool beats(const choice *a, const choice *b)
{
    if (same_table(a, b) && a->file->version != b->file->version) {
        return a->file->version > b->file->version;
    }
    return a->updated_ms > b->updated_ms;
}

/* The winner, or one of its ancestors, under another name (firn table handover --version-hint makes such copies). */
static bool is_copy(const choice *best, const choice *rival)
{
    bool copy = same_table(best, rival) && rival->file->version == best->file->version &&
                rival->updated_ms == best->updated_ms;
    for (size_t i = 0; !copy && best->metadata != NULL && i < best->metadata->n_metadata_log; i++) {
        const firn_log_entry *old = &best->metadata->metadata_log[i];
        copy = same_table(best, rival) && old->timestamp_ms == rival->updated_ms &&
               firn_metadata_file_version(last_part(old->location)) == rival->file->version;
    }
    return copy;
}

static void note_rivals(picker *p, const choice *best, const choice *rivals, size_t n)
{
    size_t n_same = 0, n_stray = 0, n_other = 0;
    const char *same = NULL, *other = NULL, *stray = NULL;
    int64_t oldest;
    const firn_map *explained = explained_by(p, best, &oldest);
    for (size_t i = 0; i < n; i++) {
        if (rivals[i].file == best->file || firn_map_has(explained, rivals[i].file->name) ||
            is_copy(best, &rivals[i])) {
            continue;
        }
        if (!same_table(&rivals[i], best)) {
            n_other++;
            other = rivals[i].uuid;
        } else if (rivals[i].file->version == best->file->version) {
            n_same++;
            same = rivals[i].file->name;
        } else if (rivals[i].file->version >= oldest) {
            n_stray++;
            stray = rivals[i].file->name;
        }
    }
    if (n_same > 0) {
        firn_found_note(p->arena, p->out,
                        "%zu files of version %lld: took the one that was written last, not %s; if "
                        "the old catalog says otherwise, register that file by name",
                        n_same + 1, (long long)best->file->version, same);
    }
    if (n_stray > 0) {
        firn_found_note(p->arena, p->out,
                        "%zu file%s outside its history (%s), as lost commits leave them", n_stray,
                        n_stray == 1 ? "" : "s", stray);
    }
    if (n_other > 0) {
        firn_found_note(p->arena, p->out, "another table (%s) used this folder before",
                        other != NULL ? other : "without uuid");
    }
}

static bool pick_by_number(picker *p, choice *out)
{
    const firn_candidates *from = p->from;
    FIRN_VEC(choice) read = {0};
    size_t first = 0;
    for (; first < from->files.len; first++) {
        choice one;
        if (try_load(p, &from->files.items[first], &one)) {
            firn_vec_push(p->arena, &read, one);
            break;
        }
    }
    if (read.len == 0) {
        return false;
    }
    choice best = read.items[0];
    int64_t oldest;
    const firn_map *explained = explained_by(p, &best, &oldest);
    bool has_log = best.metadata != NULL && best.metadata->n_metadata_log > 0;
    for (size_t i = first + 1; i < from->files.len && read.len < READ_MAX; i++) {
        const firn_metadata_candidate *file = &from->files.items[i];
        choice one;
        if (firn_map_has(explained, file->name) || (has_log && file->version < oldest)) {
            continue; /* history, or older than what the log still names */
        }
        if (try_load(p, file, &one)) {
            firn_vec_push(p->arena, &read, one);
        }
    }
    for (size_t i = 1; i < read.len; i++) {
        best = beats(&read.items[i], &best) ? read.items[i] : best;
    }
    note_rivals(p, &best, read.items, read.len);
    *out = best;
    return true;
}

/* ---- the choice ----------------------------------------------------------------------------------------- */

static int64_t figure(const firn_metadata *metadata, const char *key)
{
    int64_t number = -1;
    if (metadata->current_snapshot == NULL) {
        return 0;
    }
    const char *text = json_string_value(json_object_get(metadata->current_snapshot->summary, key));
    return text != NULL && firn_parse_i64(text, &number) && number >= 0 ? number : -1;
}

void firn_warehouse_pick(firn_storage *storage, firn_arena *arena, firn_candidates *from,
                         firn_found *out)
{
    picker p = {.storage = storage, .arena = arena, .from = from, .out = out};
    choice best = {0};
    qsort(from->files.items, from->files.len, sizeof(*from->files.items), newest_first);
    if (!pick_by_hint(&p, &best) && !pick_by_number(&p, &best)) {
        out->skip = p.unreadable != NULL ? p.unreadable : "no metadata file is there";
        return;
    }
    if (p.n_unreadable > 0) {
        firn_found_note(arena, out, "%zu metadata file%s cannot be read (%s)", p.n_unreadable,
                        p.n_unreadable == 1 ? "" : "s", p.unreadable);
    }
    out->metadata = best.file->location;
    out->uuid = best.uuid;
    out->is_view = best.view != NULL;
    out->view = best.view;
    out->loaded = best.metadata;
    if (best.view != NULL) {
        out->recorded = json_string_value(json_object_get(best.view, "location"));
        out->format_version = 1;
        return;
    }
    out->recorded = best.metadata->location;
    out->format_version = best.metadata->format_version;
    out->rows = figure(best.metadata, "total-records");
    out->files = figure(best.metadata, "total-data-files");
}
