/* Which files of a folder are data. One listing; files without a telling name are known by their first four bytes.
 *
 * A folder that is a table of another kind is refused: which of its files are alive is written in its log, and taking them all would
 * bring deleted rows back.
 */
#include "adopt.h"

#include "base/io.h"

#include <string.h>

static const char *extension(const char *name)
{
    const char *dot = strrchr(name, '.');
    const char *slash = strrchr(name, '/');
    return dot != NULL && (slash == NULL || dot > slash) ? dot + 1 : "";
}

void firn_adopt_skip(firn_adopter *a, const char *why, const char *relative)
{
    for (size_t i = 0; i < a->skipped.len; i++) {
        if (firn_streq(a->skipped.items[i].why, why)) {
            a->skipped.items[i].n++;
            return;
        }
    }
    firn_adopt_skipped one = {.why = why, .n = 1, .first = relative};
    firn_vec_push(a->arena, &a->skipped, one);
}

/* ---- folders that are something else --------------------------------------------------------------------- */

static const char *foreign_table(const char *relative)
{
    if (firn_starts_with(relative, "_delta_log/") || strstr(relative, "/_delta_log/") != NULL) {
        return "a Delta table";
    }
    if (firn_starts_with(relative, ".hoodie/") || strstr(relative, "/.hoodie/") != NULL) {
        return "a Hudi table";
    }
    bool iceberg =
        firn_starts_with(relative, "metadata/") || strstr(relative, "/metadata/") != NULL;
    return iceberg && (firn_ends_with(relative, ".metadata.json") ||
                       firn_ends_with(relative, ".metadata.json.gz"))
               ? "an Iceberg table"
               : NULL;
}

static firn_rc refuse_foreign(const firn_adopter *a, const char *kind, const char *where,
                              firn_err *err)
{
    if (firn_streq(kind, "an Iceberg table")) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                  "%s is or holds an Iceberg table (%s): register it with firn table register",
                  a->folder, where);
    }
    FIRN_FAIL(
        err, FIRN_E_UNSUPPORTED,
        "%s is or holds %s (%s), whose log says which files are alive: adopting them all would "
        "bring deleted rows back. Read it with the engine that keeps it and INSERT ... SELECT",
        a->folder, kind, where);
}

/* <table>/data given instead of <table>. */
static firn_rc check_above(const firn_adopter *a, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    firn_storage_object *objects = NULL;
    size_t n = 0;
    const char *above = firn_path_dirname(scratch, a->folder);
    FIRN_TRY(firn_storage_list(
        a->storage, scratch, firn_arena_printf(scratch, "%s/metadata/", above), &objects, &n, err));
    for (size_t i = 0; i < n; i++) {
        if (firn_ends_with(objects[i].location, ".metadata.json")) {
            return refuse_foreign(a, "an Iceberg table", objects[i].location, err);
        }
    }
    return FIRN_OK;
}

/* ---- what a file is ------------------------------------------------------------------------------------------ */

typedef enum file_kind { DATA, HIDDEN, EMPTY, OTHER } file_kind;

static file_kind kind_of(firn_adopter *a, const firn_storage_object *object, const char *relative)
{
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    firn_bytes magic;
    const char *ext = extension(relative);
    if (firn_hive_is_hidden(relative)) {
        return HIDDEN;
    }
    if (object->size_bytes == 0) {
        return EMPTY;
    }
    if (firn_strcaseeq(ext, "parquet") || firn_strcaseeq(ext, "parq")) {
        return DATA;
    }
    bool parquet = firn_storage_get_range(a->storage, scratch, object->location, 0, 4, &magic,
                                          NULL) == FIRN_OK &&
                   memcmp(magic.data, "PAR1", 4) == 0;
    return parquet ? DATA : OTHER;
}

static firn_rc refuse_other(const firn_adopter *a, const char *first, firn_err *err)
{
    static const struct {
        const char *ext, *reader;
    } READERS[] = {{"csv", "read_csv"},    {"tsv", "read_csv"},     {"json", "read_json"},
                   {"jsonl", "read_json"}, {"ndjson", "read_json"}, {"gz", "read_csv"},
                   {"zst", "read_csv"}};
    const char *ext = extension(first);
    for (size_t i = 0; i < sizeof(READERS) / sizeof(READERS[0]); i++) {
        if (firn_strcaseeq(ext, READERS[i].ext)) {
            FIRN_FAIL(
                err, FIRN_E_UNSUPPORTED,
                "the files in %s are no Parquet (%s): only Parquet files can be data files of "
                "a table. Copy the rows: CREATE TABLE %s AS SELECT * FROM %s('%s/**/*.%s')",
                a->folder, first, a->text, READERS[i].reader,
                firn_storage_resolve(a->storage, a->arena, a->folder), ext);
        }
    }
    FIRN_FAIL(
        err, FIRN_E_UNSUPPORTED,
        "the files in %s are no Parquet (%s): only Parquet files can be data files of a table",
        a->folder, first);
}

/* ---- the list -------------------------------------------------------------------------------------------- */

static bool is_filtered(const firn_adopter *a, const firn_adopt_file *file)
{
    for (size_t f = 0; f < a->options->n_filter; f++) {
        const firn_hive_key *wanted = &a->options->filter[f];
        bool same = false;
        for (size_t k = 0; k < file->n_keys; k++) {
            const char *value = file->keys[k].value;
            same = same ||
                   (firn_strcaseeq(file->keys[k].name, wanted->name) &&
                    (value == NULL ? wanted->value == NULL
                                   : wanted->value != NULL && firn_streq(value, wanted->value)));
        }
        if (!same) {
            return true;
        }
    }
    return false;
}

/* Every file has the same keys in the same order. */
static firn_rc check_keys(const firn_adopter *a, const firn_adopt_file *file, firn_err *err)
{
    const firn_adopt_file *first = &a->files.items[0];
    bool same = file->n_keys == first->n_keys;
    for (size_t i = 0; same && i < file->n_keys; i++) {
        same = firn_streq(file->keys[i].name, first->keys[i].name);
    }
    if (!same) {
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "the folders of %s and %s have different key=value levels: a table has one "
                  "partitioning. Adopt the parts that agree",
                  first->relative, file->relative);
    }
    return FIRN_OK;
}

static firn_rc take(firn_adopter *a, const firn_map *known, const firn_storage_object *object,
                    const char *relative, firn_err *err)
{
    firn_adopt_file file = {
        .location = object->location, .relative = relative, .size_bytes = object->size_bytes};
    file.path = firn_storage_resolve(a->storage, a->arena, object->location);
    const char *why = known != NULL ? firn_map_get(known, file.path) : NULL;
    FIRN_TRY(firn_hive_path_parse(a->arena, relative, &file.keys, &file.n_keys, err));
    if (is_filtered(a, &file)) {
        return FIRN_OK;
    }
    if (why != NULL) {
        firn_adopt_skip(a, why, relative);
        return FIRN_OK;
    }
    if (!firn_utf8_valid(firn_bytes_str(relative))) {
        FIRN_FAIL(err, FIRN_E_INVALID, "the path %s is not UTF-8, which manifests need: rename it",
                  firn_hex(a->arena, firn_bytes_str(relative)));
    }
    firn_vec_push(a->arena, &a->files, file);
    return check_keys(a, &firn_vec_last(&a->files), err);
}

firn_rc firn_adopt_list(firn_adopter *a, const firn_map *known, firn_err *err)
{
    firn_storage_object *objects = NULL;
    size_t n = 0, n_known = 0;
    const char *other = NULL;
    const char *prefix = firn_arena_printf(a->arena, "%s/", a->folder);
    const char *path = firn_storage_resolve(a->storage, a->arena, a->folder);
    if (path[0] == '/' && !firn_path_is_dir(path)) {
        FIRN_FAIL(err, FIRN_E_NOT_FOUND, "there is no folder %s", path);
    }
    FIRN_TRY(check_above(a, err));
    FIRN_TRY(firn_storage_list(a->storage, a->arena, prefix, &objects, &n, err));
    for (size_t i = 0; i < n; i++) {
        const char *relative = objects[i].location + strlen(prefix);
        const char *foreign = foreign_table(relative);
        if (foreign != NULL) {
            return refuse_foreign(a, foreign, relative, err);
        }
    }
    for (size_t i = 0; i < n; i++) {
        const char *relative = objects[i].location + strlen(prefix);
        size_t before = a->files.len;
        switch (kind_of(a, &objects[i], relative)) {
        case DATA:
            FIRN_TRY(take(a, known, &objects[i], relative, err));
            n_known += a->files.len == before;
            break;
        case HIDDEN: firn_adopt_skip(a, "hidden or temporary", relative); break;
        case EMPTY: firn_adopt_skip(a, "empty", relative); break;
        case OTHER:
            other = other != NULL ? other : relative;
            firn_adopt_skip(a, "not Parquet", relative);
            break;
        }
    }
    if (a->files.len == 0 && n_known == 0 && other != NULL) {
        return refuse_other(a, other, err);
    }
    if (a->files.len == 0 && n_known == 0) {
        FIRN_FAIL(err, FIRN_E_INVALID, "there are no Parquet files in %s", path);
    }
    return FIRN_OK;
}
