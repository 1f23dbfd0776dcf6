/* Of each key the last row, unless that is a tombstone: what a table's complete version consists of, found without SQL.
 *
 * A row's key is its key columns' values as bytes, each behind a mark that tells whether there is one. Floating-point keys, whose zeros and
 * NaNs are equal by value only, and nested ones are left to SQL.
 */
#include "columns.h"

#include "base/map.h"

#include <stdlib.h>

typedef struct key_column {
    size_t child;
    size_t width; /* bytes of a value; 0: a text; SIZE_MAX: a bit */
} key_column;

typedef struct entry {
    uint64_t hash;
    size_t key, key_len; /* in `keys` */
    size_t rows;         /* where the last row is that has the key */
    int64_t row;
} entry;

typedef struct latest {
    const firn_export_columns *columns;
    firn_rows *rows;
    size_t n_rows;
    size_t tombstone; /* child of the view; SIZE_MAX: nobody tells */
    key_column *key;
    firn_buf keys;
    FIRN_VEC(entry) entries; /* in `own` */
    firn_arena *own;
    uint32_t *slots; /* number of an entry, from 1; 0: free */
    size_t n_slots;
} latest;

/* ---- values -------------------------------------------------------------------------------------------------- */

static bool plan_key(const struct ArrowSchema *column, key_column *out)
{
    switch (column->format[0]) {
    case 'b': out->width = SIZE_MAX; return column->format[1] == '\0';
    case 'i': out->width = sizeof(int32_t); return true;
    case 'l': out->width = sizeof(int64_t); return true;
    case 'u':
    case 'z': out->width = 0; return true;
    case 'd': out->width = 16; return strchr(column->format, ',') == strrchr(column->format, ',');
    case 't':
        out->width = firn_streq(column->format, "tdD") || firn_streq(column->format, "ttm")
                         ? sizeof(int32_t)
                         : sizeof(int64_t);
        return true;
    default: return false;
    }
}

static void put_text(firn_buf *out, const struct ArrowArray *array, int64_t at)
{
    const int32_t *ends = array->buffers[1];
    const char *data = array->buffers[2];
    int32_t len = ends[at + 1] - ends[at];
    firn_buf_append(out, &len, sizeof(len));
    if (len > 0) {
        firn_buf_append(out, data + ends[at], (size_t)len);
    }
}

static void put_key(latest *l, const struct ArrowArray *array, int64_t row)
{
    for (size_t i = 0; i < l->columns->n_keys; i++) {
        const struct ArrowArray *column = array->children[l->key[i].child];
        int64_t at = row + column->offset;
        size_t width = l->key[i].width;
        bool has = firn_arrow_has_value(column, at);
        firn_buf_putc(&l->keys, has);
        if (has && width == 0) {
            put_text(&l->keys, column, at);
        } else if (has && width == SIZE_MAX) {
            firn_buf_putc(&l->keys, firn_arrow_bit(column->buffers[1], at));
        } else if (has) {
            firn_buf_append(&l->keys, (const char *)column->buffers[1] + (size_t)at * width, width);
        }
    }
}

/* ---- the table of keys ----------------------------------------------------------------------------------------- */

static void grow(latest *l)
{
    free(l->slots);
    l->n_slots = l->n_slots == 0 ? 1024 : 2 * l->n_slots;
    l->slots = firn_calloc(l->n_slots, sizeof(*l->slots));
    for (size_t i = 0; i < l->entries.len; i++) {
        size_t slot = l->entries.items[i].hash & (l->n_slots - 1);
        while (l->slots[slot] != 0) {
            slot = (slot + 1) & (l->n_slots - 1);
        }
        l->slots[slot] = (uint32_t)i + 1;
    }
}

static bool is_key(const latest *l, const entry *e, uint64_t hash, size_t key, size_t len)
{
    return e->hash == hash && e->key_len == len &&
           memcmp(l->keys.data + e->key, l->keys.data + key, len) == 0;
}

static void note_row(latest *l, size_t rows, int64_t row)
{
    size_t key = l->keys.len;
    put_key(l, l->rows[rows].array, row);
    size_t len = l->keys.len - key;
    uint64_t hash = firn_hash64(l->keys.data + key, len, 0);
    if (2 * l->entries.len >= l->n_slots) {
        grow(l);
    }
    size_t slot = hash & (l->n_slots - 1);
    while (l->slots[slot] != 0) {
        entry *e = &l->entries.items[l->slots[slot] - 1];
        if (is_key(l, e, hash, key, len)) {
            e->rows = rows;
            e->row = row;
            l->keys.len = key;
            return;
        }
        slot = (slot + 1) & (l->n_slots - 1);
    }
    entry e = {.hash = hash, .key = key, .key_len = len, .rows = rows, .row = row};
    firn_vec_push(l->own, &l->entries, e);
    l->slots[slot] = (uint32_t)l->entries.len;
}

static bool note_rows(latest *l)
{
    for (size_t k = 0; k < l->n_rows; k++) {
        for (int64_t i = 0; i < l->rows[k].count; i++) {
            note_row(l, k, firn_export_row(&l->rows[k], i));
            if (l->keys.overflow || l->entries.len == UINT32_MAX) {
                return false;
            }
        }
    }
    return true;
}

/* ---- what stays ------------------------------------------------------------------------------------------------ */

static bool is_tombstone(const latest *l, const struct ArrowArray *array, int64_t row)
{
    if (l->tombstone == SIZE_MAX) {
        return false;
    }
    const struct ArrowArray *column = array->children[l->tombstone];
    int64_t at = row + column->offset;
    return firn_arrow_has_value(column, at) && firn_arrow_bit(column->buffers[1], at);
}

/* In the order in which they came. */
static void keep(latest *l, firn_arena *arena)
{
    bool **stays = FIRN_NEW_N(l->own, bool *, l->n_rows);
    for (size_t k = 0; k < l->n_rows; k++) {
        stays[k] = FIRN_NEW_N(l->own, bool, (size_t)l->rows[k].array->length);
    }
    for (size_t i = 0; i < l->entries.len; i++) {
        const entry *e = &l->entries.items[i];
        stays[e->rows][e->row] = !is_tombstone(l, l->rows[e->rows].array, e->row);
    }
    for (size_t k = 0; k < l->n_rows; k++) {
        firn_rows *rows = &l->rows[k];
        uint32_t *pick = FIRN_NEW_N(arena, uint32_t, (size_t)rows->count);
        int64_t n = 0;
        for (int64_t i = 0; i < rows->count; i++) {
            int64_t row = firn_export_row(rows, i);
            if (stays[k][row]) {
                pick[n++] = (uint32_t)row;
            }
        }
        if (n < rows->count) {
            *rows =
                (firn_rows){.schema = rows->schema, .array = rows->array, .count = n, .pick = pick};
        }
    }
}

bool firn_export_latest(firn_arena *arena, const firn_export_columns *columns, firn_rows *rows,
                        size_t n)
{
    latest l = {.columns = columns,
                .rows = rows,
                .n_rows = n,
                .tombstone = firn_export_columns_child(columns, FIRN_EXPORT_TOMBSTONE),
                .own = firn_arena_new()};
    bool known = columns->n_keys > 0;
    l.key = FIRN_NEW_N(l.own, key_column, columns->n_keys);
    for (size_t i = 0; i < columns->n_keys && known; i++) {
        l.key[i].child = firn_export_columns_child(columns, columns->keys[i]);
        known = l.key[i].child != SIZE_MAX &&
                plan_key(columns->view.children[l.key[i].child], &l.key[i]);
    }
    known = known && note_rows(&l);
    if (known) {
        keep(&l, arena);
    }
    free(l.slots);
    firn_buf_deinit(&l.keys);
    firn_arena_free(l.own);
    return known;
}
