/* Footers of the files, by DuckDB's parquet_schema and parquet_metadata, many files at a time. A batch that fails is read again file by
 * file, so that the error names the file.
 */
#include "adopt.h"

#include "duck.h"
#include "read_shape.h"

#include <string.h>

enum { BATCH_FILES = 200 };

/* ---- column trees ------------------------------------------------------------------------------------------ */

static void one_child(firn_arena *arena, firn_footer_view *view, const firn_footer_column *child)
{
    view->children = FIRN_NEW_N(arena, const firn_footer_column *, 1);
    view->children[view->n_children++] = child;
}

/* By the same rules as read_shape.c, which reads the files later. */
firn_footer_view firn_footer_view_of(firn_arena *arena, const firn_footer_column *column,
                                     bool in_list)
{
    firn_footer_view view = {.kind = FIRN_TYPE_UNKNOWN};
    if (column->repeated && !in_list) {
        view.kind = FIRN_TYPE_LIST;
        one_child(arena, &view, column);
    } else if (column->is_list && column->n_children == 1) {
        const firn_footer_column *repeated = &column->children[0];
        bool three = repeated->n_children == 1 && !firn_streq(repeated->name, "array") &&
                     !firn_ends_with(repeated->name, "_tuple");
        view.kind = FIRN_TYPE_LIST;
        one_child(arena, &view, three ? &repeated->children[0] : repeated);
    } else if (column->n_children > 0) {
        bool map = column->is_map && column->n_children == 1 && column->children[0].n_children == 2;
        const firn_footer_column *group = map ? &column->children[0] : column;
        view.kind = map ? FIRN_TYPE_MAP : FIRN_TYPE_STRUCT;
        view.children = FIRN_NEW_N(arena, const firn_footer_column *, group->n_children);
        for (size_t i = 0; i < group->n_children; i++) {
            view.children[view.n_children++] = &group->children[i];
        }
    }
    return view;
}

static void collect_leaves(firn_arena *arena, const firn_footer_column *column,
                           const firn_footer_column **leaves, size_t *n)
{
    if (column->n_children == 0) {
        leaves[(*n)++] = column;
    }
    for (size_t i = 0; i < column->n_children; i++) {
        collect_leaves(arena, &column->children[i], leaves, n);
    }
}

static size_t count_leaves(const firn_footer_column *column)
{
    size_t n = column->n_children == 0;
    for (size_t i = 0; i < column->n_children; i++) {
        n += count_leaves(&column->children[i]);
    }
    return n;
}

/* ---- statistics -------------------------------------------------------------------------------------------- */

enum {
    C_FILE,
    C_GROUP_ROWS,
    C_COLUMN,
    C_VALUES,
    C_SIZE,
    C_NULLS,
    C_MIN_VALUE,
    C_MAX_VALUE,
    C_MIN,
    C_MAX,
    C_DICTIONARY,
    C_DATA
};

#define STATS_QUERY                                                                        \
    "SELECT file_name, row_group_num_rows, column_id, num_values, total_compressed_size, " \
    "stats_null_count, stats_min_value, stats_max_value, stats_min, stats_max, "           \
    "dictionary_page_offset, data_page_offset FROM parquet_metadata(%s) "                  \
    "ORDER BY file_name, row_group_id, column_id"

static int64_t number(const char *text)
{
    int64_t value = -1;
    return text != NULL && firn_parse_i64(text, &value) ? value : -1;
}

/* The format's first minimum and maximum compared bytes as signed: right for signed numbers alone. */
static bool old_stats_hold(const firn_footer_column *leaf)
{
    return leaf->physical != NULL &&
           (firn_streq(leaf->physical, "INT32") || firn_streq(leaf->physical, "INT64")) &&
           !firn_starts_with(leaf->duck_type, "U");
}

/* The text of the lesser (or greater) value; both are of the file's own type. */
static const char *further(firn_arena *arena, const firn_type *type, const char *a, const char *b,
                           bool greater)
{
    firn_value left, right;
    if (a == NULL) {
        return b;
    }
    if (firn_value_from_text(arena, type, a, &left, NULL) != FIRN_OK ||
        firn_value_from_text(arena, type, b, &right, NULL) != FIRN_OK) {
        return NULL;
    }
    return (firn_value_cmp(&left, &right) < 0) == greater ? b : a;
}

static void add_bounds(firn_arena *arena, firn_raw_leaf *leaf, const firn_footer_column *column,
                       const char *const *row)
{
    const char *min = row[C_MIN_VALUE], *max = row[C_MAX_VALUE];
    firn_type type = {0};
    if ((min == NULL || max == NULL) && old_stats_hold(column)) {
        min = row[C_MIN];
        max = row[C_MAX];
    }
    bool all_null = number(row[C_NULLS]) >= 0 && number(row[C_NULLS]) == number(row[C_VALUES]);
    if (all_null) {
        return;
    }
    if (min == NULL || max == NULL ||
        firn_adopt_leaf_type(arena, column, "", "", &type, NULL) != FIRN_OK) {
        leaf->no_bounds = true;
        return;
    }
    leaf->min = further(arena, &type, leaf->min, firn_arena_strdup(arena, min), false);
    leaf->max = further(arena, &type, leaf->max, firn_arena_strdup(arena, max), true);
    leaf->no_bounds = leaf->no_bounds || leaf->min == NULL || leaf->max == NULL;
}

static int64_t plus(int64_t sum, int64_t more)
{
    return sum < 0 || more < 0 ? -1 : sum + more;
}

/* Where a row group starts: at its first column's dictionary, or its first page. */
static void add_split(firn_arena *arena, firn_adopt_file *file, size_t cap, const char *const *row)
{
    int64_t dictionary = number(row[C_DICTIONARY]), data = number(row[C_DATA]);
    int64_t at = dictionary > 0 && dictionary < data ? dictionary : data;
    if (file->splits == NULL) {
        file->splits = FIRN_NEW_N(arena, int64_t, cap);
    }
    bool ascending = file->n_splits == 0 || at > file->splits[file->n_splits - 1];
    if (at <= 0 || at >= file->size_bytes || !ascending) {
        file->n_splits = SIZE_MAX; /* it cannot be told; marked until the end of the file */
    } else if (file->n_splits != SIZE_MAX) {
        file->splits[file->n_splits++] = at;
    }
}

/* Rows [from, to) are one file's. */
static firn_rc read_stats(firn_adopter *a, firn_adopt_file *file, const firn_duck_cells *rows,
                          size_t from, size_t to, firn_err *err)
{
    size_t n = count_leaves(&file->footer->root), found = 0;
    const firn_footer_column **leaves = FIRN_NEW_N(a->arena, const firn_footer_column *, n);
    collect_leaves(a->arena, &file->footer->root, leaves, &found);
    file->n_leaves = n;
    file->leaves = FIRN_NEW_N(a->arena, firn_raw_leaf, n);
    for (size_t i = from; i < to; i++) {
        const char *const *row = rows->cells[i];
        int64_t column = number(row[C_COLUMN]), group_rows = number(row[C_GROUP_ROWS]);
        if (column < 0 || (size_t)column >= n || group_rows < 0) {
            FIRN_FAIL(err, FIRN_E_CORRUPT, "the footer of %s has statistics for column %s of %zu",
                      file->path, row[C_COLUMN] != NULL ? row[C_COLUMN] : "?", n);
        }
        if (column == 0) {
            file->rows += group_rows;
            add_split(a->arena, file, to - from, row);
        }
        firn_raw_leaf *leaf = &file->leaves[column];
        leaf->size_bytes = plus(leaf->size_bytes, number(row[C_SIZE]));
        leaf->values = plus(leaf->values, number(row[C_VALUES]));
        leaf->nulls = plus(leaf->nulls, number(row[C_NULLS]));
        add_bounds(a->arena, leaf, leaves[column], row);
    }
    if (file->n_splits == SIZE_MAX) {
        file->n_splits = 0;
    }
    return FIRN_OK;
}

/* ---- batches ----------------------------------------------------------------------------------------------- */

static firn_rc read_batch(firn_adopter *a, firn_adopt_file *files, size_t n, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    FIRN_AUTO_BUF firn_buf list = {0};
    const char **paths = FIRN_NEW_N(scratch, const char *, n);
    const firn_footer **footers = FIRN_NEW_N(scratch, const firn_footer *, n);
    firn_map *by_path = firn_map_new(scratch);
    firn_duck_cells rows;
    for (size_t i = 0; i < n; i++) {
        paths[i] = files[i].path;
        firn_map_put(by_path, paths[i], &files[i]);
    }
    FIRN_TRY(firn_footers(a->session, paths, n, footers, err));
    for (size_t i = 0; i < n; i++) {
        files[i].footer = footers[i];
        files[i].rows = 0;
    }
    firn_read_file_list(scratch, &list, paths, n);
    FIRN_TRY(firn_duck_rows(a->session, scratch,
                            firn_arena_printf(scratch, STATS_QUERY, firn_buf_cstr(&list)), &rows,
                            err));
    for (size_t from = 0, to = 0; from < rows.n_rows; from = to) {
        const char *path = rows.cells[from][C_FILE];
        while (to < rows.n_rows && firn_streq(rows.cells[to][C_FILE], path)) {
            to++;
        }
        firn_adopt_file *file = firn_map_get(by_path, path);
        if (file == NULL) {
            FIRN_FAIL(err, FIRN_E_INTERNAL,
                      "DuckDB gives statistics for %s, which nobody asked for", path);
        }
        FIRN_TRY(read_stats(a, file, &rows, from, to, err));
    }
    return FIRN_OK;
}

/* The batch failed: which file is it? */
static firn_rc read_singly(firn_adopter *a, firn_adopt_file *files, size_t n, firn_err *err)
{
    for (size_t i = 0; i < n; i++) {
        firn_err detail = {0};
        firn_rc rc = read_batch(a, &files[i], 1, &detail);
        if (rc == FIRN_E_CANCELLED) {
            FIRN_FAIL(err, rc, "%s", detail.message);
        }
        if (rc != FIRN_OK) {
            FIRN_FAIL(
                err, FIRN_E_CORRUPT,
                "the Parquet footer of %s cannot be read (%s): nothing was adopted. Repair the "
                "file or move it away",
                files[i].path, detail.message);
        }
    }
    return FIRN_OK;
}

static void drop_empty(firn_adopter *a)
{
    size_t kept = 0;
    for (size_t i = 0; i < a->files.len; i++) {
        if (a->files.items[i].rows == 0) {
            firn_adopt_skip(a, "without rows", a->files.items[i].relative);
        } else {
            a->files.items[kept++] = a->files.items[i];
        }
    }
    a->files.len = kept;
}

firn_rc firn_adopt_read_footers(firn_adopter *a, firn_err *err)
{
    for (size_t i = 0; i < a->files.len; i += BATCH_FILES) {
        size_t n = a->files.len - i < BATCH_FILES ? a->files.len - i : BATCH_FILES;
        a->session->work_done = (double)i / (double)a->files.len;
        firn_err detail = {0};
        firn_rc rc = read_batch(a, &a->files.items[i], n, &detail);
        if (rc == FIRN_E_CANCELLED) {
            FIRN_FAIL(err, rc, "%s", detail.message);
        }
        if (rc != FIRN_OK) {
            FIRN_TRY(read_singly(a, &a->files.items[i], n, err));
        }
    }
    drop_empty(a);
    return FIRN_OK;
}
