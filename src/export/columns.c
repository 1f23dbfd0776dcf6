/* See columns.h. */
#include "columns.h"

#include <inttypes.h>

/* ---- names --------------------------------------------------------------------------------------------------- */

/* A copy that stands by itself, under the feed's names. Only structs name what is theirs: a map's entries are called by Arrow. */
static struct ArrowSchema *renamed(firn_arena *arena, const struct ArrowSchema *schema,
                                   const char *name, bool required)
{
    struct ArrowSchema *out = firn_arena_memdup(arena, schema, sizeof(*schema));
    bool is_struct = firn_streq(schema->format, "+s");
    out->format = firn_arena_strdup(arena, schema->format);
    out->name = name;
    out->metadata = NULL;
    out->release = NULL;
    out->private_data = NULL;
    out->flags = required ? out->flags & ~ARROW_FLAG_NULLABLE : out->flags;
    out->children = FIRN_NEW_N(arena, struct ArrowSchema *, (size_t)schema->n_children);
    for (int64_t i = 0; i < schema->n_children; i++) {
        const struct ArrowSchema *child = schema->children[i];
        const char *own = is_struct ? firn_str_lower(arena, child->name) : child->name;
        out->children[i] = renamed(arena, child, own, (child->flags & ARROW_FLAG_NULLABLE) == 0);
    }
    return out;
}

static struct ArrowSchema *made(firn_arena *arena, const char *name, const char *format)
{
    struct ArrowSchema *out = FIRN_NEW(arena, struct ArrowSchema);
    *out = (struct ArrowSchema){.format = format, .name = name, .flags = ARROW_FLAG_NULLABLE};
    return out;
}

typedef struct planner {
    firn_arena *arena;
    const firn_export_columns_options *options;
    FIRN_VEC(struct ArrowSchema *) view;
    FIRN_VEC(size_t) child;
    FIRN_VEC(struct ArrowSchema *) all;
    FIRN_VEC(const char *) keys;
} planner;

static void show(planner *p, struct ArrowSchema *column, size_t child)
{
    firn_vec_push(p->arena, &p->view, column);
    firn_vec_push(p->arena, &p->child, child);
}

static bool is_key(const planner *p, const char *name)
{
    for (size_t i = 0; i < p->options->n_keys; i++) {
        if (firn_streq(p->options->keys[i], name)) {
            return true;
        }
    }
    return false;
}

static firn_rc check_name(const planner *p, const char *name, const char *theirs, firn_err *err)
{
    const firn_export_feed *feed = p->options->feed;
    for (size_t i = 0; i < feed->n_columns; i++) {
        if (firn_strcaseeq(feed->columns[i], name)) {
            FIRN_FAIL(err, FIRN_E_CONFIG,
                      "%s: partitioning.columns names %s, which is a column of %s itself; give the "
                      "partition another name there",
                      feed->path, name, feed->ksqldb_source);
        }
    }
    for (size_t i = 0; i < p->all.len; i++) {
        if (firn_streq(p->all.items[i]->name, name)) {
            FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                      "%s has two columns whose names differ in letter case only: %s; make a "
                      "stream of it that renames one",
                      feed->ksqldb_source, theirs);
        }
    }
    return FIRN_OK;
}

static firn_rc plan_column(planner *p, size_t i, firn_err *err)
{
    const struct ArrowSchema *column = p->options->schema->children[i];
    const char *name = firn_str_lower(p->arena, column->name);
    bool key = is_key(p, column->name);
    FIRN_TRY(check_name(p, name, column->name, err));
    struct ArrowSchema *own = renamed(p->arena, column, name, key);
    show(p, own, i);
    firn_vec_push(p->arena, &p->all, own);
    if (key) {
        firn_vec_push(p->arena, &p->keys, name);
    }
    return FIRN_OK;
}

static void plan_partitions(planner *p)
{
    const firn_export_feed *feed = p->options->feed;
    const char *format = feed->partitioning == FIRN_EXPORT_BY_VERSION ? "u" : "i";
    for (size_t i = 0; feed->partitioning != FIRN_EXPORT_UNPARTED && i < feed->n_columns; i++) {
        firn_vec_push(p->arena, &p->all, made(p->arena, feed->columns[i], format));
    }
}

firn_rc firn_export_columns_plan(firn_arena *arena, const firn_export_columns_options *options,
                                 firn_export_columns *out, firn_err *err)
{
    planner p = {.arena = arena, .options = options};
    size_t n = (size_t)options->schema->n_children - 1; /* the last one tells of tombstones */
    for (size_t i = options->leading; i < n; i++) {
        FIRN_TRY(plan_column(&p, i, err));
    }
    plan_partitions(&p);
    if (options->by_time && options->leading > FIRN_EXPORT_AT_TIME) {
        show(&p, made(arena, FIRN_EXPORT_TIME, "l"), FIRN_EXPORT_AT_TIME);
    }
    if (options->tombstones) {
        show(&p, made(arena, FIRN_EXPORT_TOMBSTONE, "b"), n);
        show(&p, made(arena, FIRN_EXPORT_NUMBER, "l"), SIZE_MAX);
    }
    *out = (firn_export_columns){
        .view = {.format = "+s",
                 .name = "",
                 .n_children = (int64_t)p.view.len,
                 .children = p.view.items},
        .child = p.child.items,
        .all = {.format = "+s",
                .name = "",
                .n_children = (int64_t)p.all.len,
                .children = p.all.items},
        .keys = p.keys.items,
        .n_keys = p.keys.len,
    };
    return FIRN_OK;
}

/* ---- arrays ------------------------------------------------------------------------------------------------- */

struct ArrowArray *firn_export_columns_view(firn_arena *arena, const firn_export_columns *columns,
                                            const struct ArrowArray *array,
                                            const struct ArrowArray *number)
{
    struct ArrowArray *out = firn_arena_memdup(arena, array, sizeof(*array));
    size_t n = (size_t)columns->view.n_children;
    out->release = NULL;
    out->n_children = (int64_t)n;
    out->children = FIRN_NEW_N(arena, struct ArrowArray *, n);
    for (size_t i = 0; i < n; i++) {
        size_t at = columns->child[i];
        out->children[i] =
            at != SIZE_MAX ? array->children[at] : (struct ArrowArray *)(uintptr_t)number;
    }
    return out;
}

size_t firn_export_columns_child(const firn_export_columns *columns, const char *name)
{
    for (int64_t i = 0; i < columns->view.n_children; i++) {
        if (firn_strcaseeq(columns->view.children[i]->name, name)) {
            return (size_t)i;
        }
    }
    return SIZE_MAX;
}

const struct ArrowSchema *firn_export_columns_find(const firn_export_columns *columns,
                                                   const char *name)
{
    for (int64_t i = 0; i < columns->all.n_children; i++) {
        if (firn_strcaseeq(columns->all.children[i]->name, name)) {
            return columns->all.children[i];
        }
    }
    return NULL;
}

static size_t fixed_bits(const char *format)
{
    switch (format[0]) {
    case 'b': return 1;
    case 'i':
    case 'f': return 32;
    case 'd': return 128;
    case 't': return firn_streq(format, "tdD") || firn_streq(format, "ttm") ? 32 : 64;
    default: return 64;
    }
}

size_t firn_export_array_bytes(const struct ArrowSchema *schema, const struct ArrowArray *array)
{
    size_t rows = (size_t)array->length;
    size_t bytes = array->n_buffers > 0 && array->buffers[0] != NULL ? rows / 8 + 1 : 0;
    char kind = schema->format[0];
    if (kind == '+') {
        bytes += schema->format[1] == 's' ? 0 : (rows + 1) * 4;
    } else if ((kind == 'u' || kind == 'z') && array->n_buffers > 1 && array->buffers[1] != NULL) {
        const int32_t *ends = array->buffers[1];
        bytes +=
            (rows + 1) * 4 + (size_t)(ends[array->offset + array->length] - ends[array->offset]);
    } else {
        bytes += rows * fixed_bits(schema->format) / 8;
    }
    for (int64_t i = 0; i < schema->n_children && i < array->n_children; i++) {
        bytes += firn_export_array_bytes(schema->children[i], array->children[i]);
    }
    return bytes;
}
