/* One walk over both schemas side by side. What can be done goes into a firn_schema_change, which knows Iceberg's rules and field ids; what
 * it refuses, and what is not even tried, becomes a sentence.
 *
 *  - A firn_schema_change finds columns by dotted path. Names may hold dots, so a path is used only after it was seen to lead to the very
 *    field that is meant.
 *  - Below a column that is added nothing is compared: it goes in whole, with every member optional.
 */
#include "ingest/evolve.h"

#include "base/map.h"

enum { FIELDS_MAX = 10000 }; /* of a schema: what iceberg/type.h reads back */

typedef struct evolver {
    firn_arena *arena;
    const firn_metadata *table;
    const firn_evolve_options *options;
    firn_schema_change *change;
    FIRN_VEC(const char *) changes;
    FIRN_VEC(const char *) unsafe;
} evolver;

/* Where the walk is. */
typedef struct place {
    const char *path;        /* dotted; NULL: top level */
    const firn_field *owner; /* the table's field of that path */
    bool in_key;             /* in the key of a map, which nothing may change */
} place;

static const char *below(const evolver *e, const place *at, const char *name)
{
    return at->path != NULL ? firn_arena_printf(e->arena, "%s.%s", at->path, name) : name;
}

static void say_unsafe(evolver *e, const char *path, const char *text)
{
    firn_vec_push(e->arena, &e->unsafe, firn_arena_printf(e->arena, "%s: %s", path, text));
}

/* For sentences: without members, whose ids mean nothing in the records. */
static const char *short_text(firn_arena *arena, const firn_type *type)
{
    switch (type->id) {
    case FIRN_TYPE_STRUCT: return "struct";
    case FIRN_TYPE_LIST:
        return firn_arena_printf(arena, "list<%s>", short_text(arena, type->fields[0].type));
    case FIRN_TYPE_MAP:
        return firn_arena_printf(arena, "map<%s, %s>", short_text(arena, type->fields[0].type),
                                 short_text(arena, type->fields[1].type));
    default: return firn_type_text(arena, type);
    }
}

static const char *types_text(const evolver *e, const firn_type *table, const firn_type *records)
{
    return firn_arena_printf(e->arena, "the table has %s, the records have %s",
                             short_text(e->arena, table), short_text(e->arena, records));
}

static bool addressable(evolver *e, const char *path, const firn_field *field)
{
    if (firn_schema_find_name(e->table->schema, path, true) == field) {
        return true;
    }
    say_unsafe(e, path,
               "another column of the table has the same path, so it cannot be changed by it; "
               "change it with ALTER TABLE");
    return false;
}

/* A change that was tried: noted, or the reason against it. */
static void note(evolver *e, firn_rc rc, const firn_err *err, const char *path, const char *text)
{
    if (rc == FIRN_OK) {
        firn_vec_push(e->arena, &e->changes, text);
    } else {
        say_unsafe(e, path, firn_arena_strdup(e->arena, err->message));
    }
}

/* ---- types ------------------------------------------------------------------------------------------- */

static int integer_digits(firn_type_id id)
{
    return id == FIRN_TYPE_INT ? 10 : id == FIRN_TYPE_LONG ? 19 : 0;
}

static bool decimal_fits(const firn_type *narrow, const firn_type *wide)
{
    int digits = integer_digits(narrow->id);
    int scale = 0;
    if (narrow->id == FIRN_TYPE_DECIMAL) {
        digits = narrow->precision - narrow->scale;
        scale = narrow->scale;
    }
    return (digits > 0 || narrow->id == FIRN_TYPE_DECIMAL) && scale <= wide->scale &&
           digits <= wide->precision - wide->scale;
}

/* Can a column of type `wide` take every value of `narrow`? Integers become floating as in Avro's resolution of schemas: a value
 * beyond the mantissa is rounded. */
static bool fits(const firn_type *narrow, const firn_type *wide)
{
    if (narrow->id == FIRN_TYPE_UNKNOWN) {
        return true; /* only nulls */
    }
    switch (wide->id) {
    case FIRN_TYPE_LONG: return integer_digits(narrow->id) > 0;
    case FIRN_TYPE_FLOAT: return narrow->id == wide->id || integer_digits(narrow->id) > 0;
    case FIRN_TYPE_DOUBLE:
        return narrow->id == wide->id || narrow->id == FIRN_TYPE_FLOAT ||
               integer_digits(narrow->id) > 0;
    case FIRN_TYPE_DECIMAL: return decimal_fits(narrow, wide);
    case FIRN_TYPE_TIMESTAMP: return narrow->id == wide->id || narrow->id == FIRN_TYPE_DATE;
    case FIRN_TYPE_TIMESTAMP_NS:
        return narrow->id == wide->id || narrow->id == FIRN_TYPE_TIMESTAMP ||
               narrow->id == FIRN_TYPE_DATE;
    case FIRN_TYPE_TIMESTAMPTZ_NS:
        return narrow->id == wide->id || narrow->id == FIRN_TYPE_TIMESTAMPTZ;
    case FIRN_TYPE_FIXED: return narrow->id == wide->id && narrow->length == wide->length;
    case FIRN_TYPE_BINARY: return narrow->id == wide->id || narrow->id == FIRN_TYPE_FIXED;
    case FIRN_TYPE_UNKNOWN: return false;
    default: return narrow->id == wide->id;
    }
}

/* Is widening worth asking for? What the table's format version and partitioning allow is firn_schema_change_type's business. */
static bool widens(const firn_type *from, const firn_type *to)
{
    switch (from->id) {
    case FIRN_TYPE_UNKNOWN: return true;
    case FIRN_TYPE_INT: return to->id == FIRN_TYPE_LONG;
    case FIRN_TYPE_FLOAT: return to->id == FIRN_TYPE_DOUBLE;
    case FIRN_TYPE_DECIMAL:
        return to->id == FIRN_TYPE_DECIMAL && to->scale == from->scale &&
               to->precision > from->precision;
    case FIRN_TYPE_DATE: return to->id == FIRN_TYPE_TIMESTAMP || to->id == FIRN_TYPE_TIMESTAMP_NS;
    default: return false;
    }
}

/* The type of a new column: all that is in it is optional, and members of which only nulls were seen wait for a value. NULL when nothing is
 * left of it. */
static const firn_type *new_type(firn_arena *arena, const firn_type *type)
{
    if (type->id == FIRN_TYPE_UNKNOWN) {
        return NULL;
    }
    if (!firn_type_is_nested(type)) {
        return type;
    }
    firn_type *out = firn_arena_memdup(arena, type, sizeof(*type));
    out->fields = FIRN_NEW_N(arena, firn_field, type->n_fields);
    out->n_fields = 0;
    for (size_t i = 0; i < type->n_fields; i++) {
        firn_field field = type->fields[i];
        field.type = new_type(arena, field.type);
        field.required = type->id == FIRN_TYPE_MAP && i == 0;
        if (field.type != NULL) {
            out->fields[out->n_fields++] = field;
        } else if (type->id != FIRN_TYPE_STRUCT) {
            return NULL;
        }
    }
    return out->n_fields > 0 ? out : NULL;
}

static void compare_fields(evolver *e, const place *at, const firn_type *table,
                           const firn_type *records);

static void compare_type(evolver *e, const place *at, const firn_field *field,
                         const firn_type *records)
{
    const firn_type *type = field->type;
    if (type->id == records->id && firn_type_is_nested(type)) {
        compare_fields(e, at, type, records);
        return;
    }
    if (fits(records, type)) {
        return;
    }
    const char *types = types_text(e, type, records);
    if (at->in_key || !widens(type, records)) {
        say_unsafe(e, at->path, types);
        return;
    }
    if (!addressable(e, at->path, field)) {
        return;
    }
    firn_err reason = {0};
    firn_rc rc = firn_schema_change_type(e->change, at->path, records, &reason);
    if (rc != FIRN_OK) {
        say_unsafe(e, at->path, firn_arena_printf(e->arena, "%s (%s)", types, reason.message));
        return;
    }
    note(e, FIRN_OK, NULL, at->path,
         firn_arena_printf(e->arena, "widens column %s from %s to %s", at->path,
                           short_text(e->arena, type), short_text(e->arena, records)));
}

/* ---- fields ------------------------------------------------------------------------------------------ */

static bool identifies_rows(const evolver *e, const place *at, const firn_field *field)
{
    for (size_t i = 0; i < e->table->schema->n_identifier_field_ids; i++) {
        if (e->table->schema->identifier_field_ids[i] == field->id) {
            return true;
        }
    }
    for (size_t i = 0; i < e->options->n_key && at->path == NULL; i++) {
        if (firn_strcaseeq(e->options->key[i], field->name)) {
            return true;
        }
    }
    return false;
}

/* A NOT NULL column for which records may have no value. */
static void relax(evolver *e, const place *at, const firn_field *field, const char *why)
{
    const char *path = below(e, at, field->name);
    if (at->in_key || identifies_rows(e, at, field)) {
        say_unsafe(e, path,
                   firn_arena_printf(e->arena, "it %s and is NOT NULL, but %s",
                                     at->in_key ? "belongs to a map's key" : "identifies rows",
                                     why));
        return;
    }
    if (!addressable(e, path, field)) {
        return;
    }
    firn_err reason = {0};
    firn_rc rc = firn_schema_change_optional(e->change, path, &reason);
    note(e, rc, &reason, path,
         firn_arena_printf(e->arena, "makes column %s optional: %s", path, why));
}

static void compare_field(evolver *e, const place *at, const firn_field *field,
                          const firn_field *records)
{
    place inner = {.path = below(e, at, field->name), .owner = field, .in_key = at->in_key};
    if (field->required && !records->required && e->options->nullability_known && !at->in_key) {
        relax(e, at, field, "the records' schema allows nulls in it");
    }
    compare_type(e, &inner, field, records->type);
}

static void add(evolver *e, const place *at, const firn_field *records)
{
    const char *path = below(e, at, records->name);
    firn_field field = {
        .name = records->name, .type = new_type(e->arena, records->type), .doc = records->doc};
    if (field.type == NULL) {
        return; /* until a value of it is seen */
    }
    if (at->in_key) {
        say_unsafe(e, path, "the table does not have it, and the keys of a map cannot change");
        return;
    }
    if (at->owner != NULL && !addressable(e, at->path, at->owner)) {
        return;
    }
    firn_err reason = {0};
    firn_rc rc = firn_schema_change_add(e->change, at->path, &field, &reason);
    note(e, rc, &reason, path,
         firn_arena_printf(e->arena, "adds column %s %s", path, short_text(e->arena, field.type)));
}

/* The table's field of that name, or SIZE_MAX. Says so when it cannot be told which. */
static bool find(evolver *e, const place *at, const firn_type *table, const char *name,
                 size_t likely, size_t *out)
{
    if (likely < table->n_fields && firn_streq(table->fields[likely].name, name)) {
        *out = likely;
        return true;
    }
    size_t similar = SIZE_MAX, n_similar = 0;
    for (size_t i = 0; i < table->n_fields; i++) {
        if (firn_streq(table->fields[i].name, name)) {
            *out = i;
            return true;
        }
        if (firn_strcaseeq(table->fields[i].name, name)) {
            similar = i;
            n_similar++;
        }
    }
    if (n_similar > 1) {
        say_unsafe(e, below(e, at, name),
                   "the table has several columns of that name in other letter case");
        return false;
    }
    *out = similar;
    return true;
}

static void compare_struct(evolver *e, const place *at, const firn_type *table,
                           const firn_type *records)
{
    const char **given = FIRN_NEW_N(e->arena, const char *, table->n_fields);
    for (size_t i = 0; i < records->n_fields; i++) {
        const firn_field *field = &records->fields[i];
        size_t found = SIZE_MAX;
        if (!find(e, at, table, field->name, i, &found)) {
            continue;
        }
        if (found == SIZE_MAX) {
            add(e, at, field);
        } else if (given[found] != NULL) {
            say_unsafe(e, below(e, at, field->name),
                       firn_arena_printf(e->arena,
                                         "the records have %s beside it, and the table one column "
                                         "for both",
                                         given[found]));
        } else {
            given[found] = field->name;
            compare_field(e, at, &table->fields[found], field);
        }
    }
    for (size_t i = 0; i < table->n_fields; i++) {
        bool has_default = at->path == NULL && table->fields[i].write_default != NULL;
        if (given[i] == NULL && table->fields[i].required && !has_default) {
            relax(e, at, &table->fields[i], "the records do not have it");
        }
    }
}

/* Elements, keys and values go by their place, whatever their names. */
static void compare_fields(evolver *e, const place *at, const firn_type *table,
                           const firn_type *records)
{
    if (table->id == FIRN_TYPE_STRUCT) {
        compare_struct(e, at, table, records);
        return;
    }
    for (size_t i = 0; i < table->n_fields && i < records->n_fields; i++) {
        place inner = *at;
        inner.in_key = at->in_key || (table->id == FIRN_TYPE_MAP && i == 0);
        compare_field(e, &inner, &table->fields[i], &records->fields[i]);
    }
}

/* ---- the schema that comes of it --------------------------------------------------------------------- */

typedef struct path_check {
    evolver *evolver;
    firn_map *seen;
    size_t n_fields;
} path_check;

/* Two fields of one path make the table unreadable elsewhere: "a.b" beside a member b of a. */
static void check_path(void *ctx, const firn_field *field, const firn_field *parent,
                       const char *path)
{
    path_check *check = ctx;
    (void)parent;
    check->n_fields++;
    if (firn_map_get(check->seen, path) != NULL) {
        say_unsafe(check->evolver, path,
                   "a name with a dot in it reads like the path of another column; rename it with "
                   "a transform");
    }
    firn_map_put(check->seen, path, (void *)(uintptr_t)field);
}

static void check_result(evolver *e, const firn_schema *schema)
{
    path_check check = {.evolver = e, .seen = firn_map_new(e->arena)};
    firn_schema_visit(e->arena, schema, check_path, &check);
    if (check.n_fields > FIELDS_MAX) {
        say_unsafe(e, "the table",
                   firn_arena_printf(e->arena,
                                     "would have %zu columns and members, and %d are the limit; "
                                     "leave some out with a transform",
                                     check.n_fields, FIELDS_MAX));
    }
}

firn_rc firn_evolve(firn_arena *arena, const firn_metadata *table, const firn_schema *records,
                    const firn_evolve_options *options, firn_evolution *out, firn_err *err)
{
    static const firn_evolve_options none = {0};
    evolver e = {.arena = arena,
                 .table = table,
                 .options = options != NULL ? options : &none,
                 .change = firn_schema_change_new(arena, table)};
    *out = (firn_evolution){.updates = firn_json_own(arena, json_array()),
                            .requirements = firn_json_own(arena, json_array()),
                            .schema = table->schema};
    compare_fields(&e, &(place){0}, &table->schema->root, &records->root);
    if (e.unsafe.len == 0 && e.changes.len > 0) {
        firn_schema *schema = NULL;
        FIRN_TRY(
            firn_schema_change_finish(e.change, &schema, out->updates, out->requirements, err));
        check_result(&e, schema);
        if (e.unsafe.len == 0) {
            out->schema = schema;
        }
    }
    if (e.unsafe.len > 0) {
        json_array_clear(out->updates);
        json_array_clear(out->requirements);
        e.changes.len = 0;
    }
    out->changes = e.changes.items;
    out->n_changes = e.changes.len;
    out->unsafe = e.unsafe.items;
    out->n_unsafe = e.unsafe.len;
    return FIRN_OK;
}
