/* What the tree should have: the data files of the table's current snapshot, or of each tag vN, under the folders of their partitions.
 *
 * A folder's name comes from the identity partition of its column: 4 digits for the first column of a tree by date, two for the
 * others, as written for versions. A file whose partition does not say (another engine's, or of an older spec) may hold rows of several
 * folders: it is taken apart, one item per folder.
 */
#include "tree_private.h"

#include "lake/hive_path.h"

#include <errno.h>
#include <inttypes.h>

typedef struct planner {
    tree *t;
    const firn_snapshot *snapshot;
    const char *tag; /* "v4"; NULL: not by tags */
    const firn_field *columns[4];
} planner;

/* ---- names of folders ------------------------------------------------------------------------------------ */

/* As Hive and Spark escape; letters of other scripts stay. */
static void put_escaped(firn_buf *out, const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || strchr("\"#%'*/:=?\\\x7f{[]^", *p) != NULL) {
            firn_buf_printf(out, "%%%02X", (unsigned char)*p);
        } else {
            firn_buf_putc(out, (uint8_t)*p);
        }
    }
}

static const char *folder_value(const tree *t, firn_arena *arena, size_t column, const char *text)
{
    int64_t number = 0;
    if (text == NULL) {
        return FIRN_HIVE_NULL;
    }
    if (t->feed->partitioning == FIRN_EXPORT_BY_DATE && firn_parse_i64(text, &number)) {
        return firn_arena_printf(arena, column == 0 ? "%04" PRId64 : "%02" PRId64, number);
    }
    FIRN_AUTO_BUF firn_buf out = {0};
    put_escaped(&out, text);
    return firn_arena_strdup(arena, firn_buf_cstr(&out));
}

/* "year=2025/month=01": values[i] is the text of column i, NULL for null. */
static const char *folder_path(const tree *t, const char *const *values)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    for (size_t i = 0; i < t->feed->n_columns; i++) {
        firn_buf_puts(&out, i > 0 ? "/" : "");
        put_escaped(&out, t->feed->columns[i]);
        firn_buf_printf(&out, "=%s", folder_value(t, t->arena, i, values[i]));
    }
    return firn_arena_strdup(t->arena, firn_buf_cstr(&out));
}

/* ---- where a file belongs ---------------------------------------------------------------------------------- */

static firn_rc find_columns(planner *p, firn_err *err)
{
    const tree *t = p->t;
    for (size_t i = 0; i < t->feed->n_columns; i++) {
        p->columns[i] = firn_schema_find_name(t->metadata->schema, t->feed->columns[i], false);
        if (p->columns[i] == NULL) {
            FIRN_FAIL(err, FIRN_E_CONFIG,
                      "feed %s has folders by %s, which is no column of table %s: change "
                      "\"partitioning\" in %s, or add the column",
                      t->feed->name, t->feed->columns[i], firn_ident_text(t->arena, t->ident),
                      t->feed->path != NULL ? t->feed->path : "its file");
        }
    }
    return FIRN_OK;
}

/* False: the file's partition does not say. */
static bool partition_text(const planner *p, const firn_data_file *file, size_t column,
                           const char **out)
{
    const firn_partition_spec *spec = firn_metadata_spec(p->t->metadata, file->spec_id);
    for (size_t k = 0; spec != NULL && k < spec->n_fields && k < file->n_partition; k++) {
        if (spec->fields[k].source_id == p->columns[column]->id &&
            spec->fields[k].transform.kind == FIRN_TRANSFORM_IDENTITY) {
            const firn_value *value = &file->partition[k];
            *out = value->is_null ? NULL
                                  : firn_value_text(p->t->arena, p->columns[column]->type, value);
            return true;
        }
    }
    return false;
}

/* ---- items ------------------------------------------------------------------------------------------------- */

static uint64_t fingerprint(uint64_t seed, const char *text)
{
    for (; *text != '\0'; text++) { /* FNV-1a: it must be the same tomorrow */
        seed = (seed ^ (unsigned char)*text) * 0x100000001b3ULL;
    }
    return seed;
}

/* Whatever the order of the deletes. */
static uint64_t fingerprint_of(const firn_scan_task *task, const char *where)
{
    uint64_t sum = fingerprint(0xcbf29ce484222325ULL, task->file->path);
    for (size_t i = 0; i < task->n_deletes; i++) {
        const firn_data_file *deletes = task->deletes[i].file;
        sum +=
            fingerprint(0x9e3779b97f4a7c15ULL + (uint64_t)deletes->content_offset, deletes->path);
    }
    return where != NULL ? fingerprint(sum, where) : sum;
}

static firn_rc stat_source(tree *t, tree_item *item, firn_err *err)
{
    const char *path = firn_storage_resolve(firn_lake_storage(t->lake), t->arena, item->location);
    if (path[0] != '/') {
        return FIRN_OK;
    }
    item->path = path;
    if (stat(path, &item->st) != 0) {
        return firn_err_errno(err, __FILE__, __LINE__, errno,
                              "data file %s of table %s, which the folders need", path,
                              firn_ident_text(t->arena, t->ident));
    }
    return FIRN_OK;
}

static void set_time(const planner *p, tree_item *item, const firn_scan_task *task)
{
    const firn_snapshot *added = firn_metadata_snapshot(p->t->metadata, task->snapshot_id);
    item->time_us = added != NULL        ? added->timestamp_ms * 1000
                    : item->path != NULL ? (int64_t)item->st.st_mtim.tv_sec * 1000000
                                         : p->snapshot->timestamp_ms * 1000;
}

static void set_stamp(tree_item *item, const firn_scan_task *task)
{
    item->stamp = (struct timespec){
        .tv_sec = item->path != NULL ? item->st.st_mtim.tv_sec : item->time_us / 1000000,
        .tv_nsec = (long)(fingerprint_of(task, item->where) % 1000000000U),
    };
}

static firn_rc add_item(planner *p, const firn_scan_task *task, const char *relative,
                        const char *where, firn_err *err)
{
    tree *t = p->t;
    tree_item *item = FIRN_NEW(t->arena, tree_item);
    *item = (tree_item){.location = task->file->path,
                        .snapshot = p->snapshot,
                        .rewrite = task->n_deletes > 0 || where != NULL,
                        .by_table = task->n_deletes > 0 || where != NULL,
                        .where = where,
                        .rows = task->file->record_count,
                        .bytes = task->file->file_size_bytes,
                        .folder = firn_tree_folder(t, relative)};
    if (item->rewrite) {
        item->rows = -1;
    }
    FIRN_TRY(stat_source(t, item, err));
    set_time(p, item, task);
    set_stamp(item, task);
    firn_vec_push(t->arena, &item->folder->items, item);
    firn_vec_push(t->arena, &t->items, item);
    return FIRN_OK;
}

/* ---- files of several folders -------------------------------------------------------------------------------- */

typedef struct parts {
    planner *p;
    FIRN_VEC(const char *) folders;
    FIRN_VEC(const char *) where;
} parts;

static void add_part(void *ctx, const char *const *cells)
{
    parts *out = ctx;
    tree *t = out->p->t;
    FIRN_AUTO_BUF firn_buf where = {0};
    for (size_t i = 0; i < t->feed->n_columns; i++) {
        const char *name = firn_tree_name(t->arena, out->p->columns[i]->name);
        firn_buf_printf(&where, "%s%s %s", i > 0 ? " AND " : "", name,
                        cells[i] == NULL ? "IS NULL"
                                         : firn_arena_printf(t->arena, "= %s",
                                                             firn_tree_quote(t->arena, cells[i])));
    }
    firn_vec_push(t->arena, &out->folders, folder_path(t, cells));
    firn_vec_push(t->arena, &out->where, firn_arena_strdup(t->arena, firn_buf_cstr(&where)));
}

static firn_rc take_apart(planner *p, const firn_scan_task *task, firn_err *err)
{
    tree *t = p->t;
    parts found = {.p = p};
    FIRN_AUTO_BUF firn_buf names = {0};
    for (size_t i = 0; i < t->feed->n_columns; i++) {
        firn_buf_printf(&names, "%s%s", i > 0 ? ", " : "",
                        firn_tree_name(t->arena, p->columns[i]->name));
    }
    const char *sql = firn_arena_printf(
        t->arena, "SELECT DISTINCT %s FROM %s AT (VERSION => %" PRId64 ") WHERE _file = %s",
        firn_buf_cstr(&names), firn_ident_text(t->arena, t->ident), p->snapshot->snapshot_id,
        firn_tree_quote(t->arena, task->file->path));
    FIRN_TRY(firn_tree_query(t->session, sql, add_part, &found, err));
    for (size_t i = 0; i < found.folders.len; i++) {
        FIRN_TRY(add_item(p, task, found.folders.items[i], found.where.items[i], err));
    }
    return FIRN_OK;
}

/* ---- a snapshot ------------------------------------------------------------------------------------------------ */

static firn_rc add_file(planner *p, const firn_scan_task *task, firn_err *err)
{
    const char *values[4] = {NULL};
    bool says = true;
    for (size_t i = 0; i < p->t->feed->n_columns; i++) {
        says = partition_text(p, task->file, i, &values[i]) && says;
    }
    if (p->tag != NULL) {
        /* The tag is the version. Rows of other versions, in a table that keeps them all, belong to other tags. */
        if (says && values[0] != NULL && !firn_streq(values[0], p->tag)) {
            return FIRN_OK;
        }
        values[0] = p->tag;
        says = true;
    }
    return says ? add_item(p, task, folder_path(p->t, values), NULL, err)
                : take_apart(p, task, err);
}

static firn_rc add_snapshot(planner *p, firn_err *err)
{
    tree *t = p->t;
    firn_scan *scan = NULL;
    const firn_scan_options options = {
        .storage = firn_lake_storage(t->lake),
        .cache = firn_catalog_manifests(firn_lake_catalog(t->lake)),
        .metadata = t->metadata,
        .snapshot = p->snapshot,
        .schema = t->metadata->schema,
    };
    FIRN_TRY(firn_scan_open(t->arena, &options, &scan, err));
    for (;;) {
        const firn_scan_task *task = NULL;
        FIRN_TRY(firn_scan_next(scan, &task, err));
        if (task == NULL) {
            return FIRN_OK;
        }
        FIRN_TRY(add_file(p, task, err));
    }
}

static firn_rc add_tags(planner *p, firn_err *err)
{
    tree *t = p->t;
    int64_t newest = 0;
    for (size_t i = 0; i < t->metadata->n_refs; i++) {
        const firn_snapshot_ref *ref = &t->metadata->refs[i];
        int64_t number = ref->is_tag ? firn_version_number(ref->name) : 0;
        const firn_snapshot *snapshot =
            number > 0 ? firn_metadata_snapshot(t->metadata, ref->snapshot_id) : NULL;
        if (snapshot == NULL) {
            continue;
        }
        t->by_tags = true;
        t->n_tags++;
        if (number > newest) {
            newest = number;
            t->newest_tag = ref->name;
        }
        p->tag = ref->name;
        p->snapshot = snapshot;
        FIRN_TRY(add_snapshot(p, err));
    }
    return FIRN_OK;
}

/* Names are given in this order, so that trees made at once, or file by file, are alike. */
static int by_time_and_location(const void *a, const void *b)
{
    const tree_item *left = *(tree_item *const *)a, *right = *(tree_item *const *)b;
    if (left->time_us != right->time_us) {
        return left->time_us < right->time_us ? -1 : 1;
    }
    return strcmp(left->location, right->location);
}

firn_rc firn_tree_plan(tree *t, firn_err *err)
{
    planner p = {.t = t};
    FIRN_TRY(find_columns(&p, err));
    if (t->feed->partitioning == FIRN_EXPORT_BY_VERSION) {
        FIRN_TRY(add_tags(&p, err));
    }
    p.tag = NULL;
    p.snapshot = t->metadata->current_snapshot;
    if (!t->by_tags && p.snapshot != NULL) {
        FIRN_TRY(add_snapshot(&p, err));
    }
    for (size_t i = 0; i < t->folders.len; i++) {
        tree_folder *folder = t->folders.items[i];
        if (folder->items.len > 1) {
            qsort(folder->items.items, folder->items.len, sizeof(tree_item *),
                  by_time_and_location);
        }
    }
    return FIRN_OK;
}
