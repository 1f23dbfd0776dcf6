/* Schema resolution: from a pair of schemas to a plan. See avro_plan.h.
 *
 * Pairs of records are planned once and remembered, which ends recursion and keeps shared types from multiplying.
 * A remembered record that turns out not to resolve becomes an ERROR node in place, because others may point at it.
 *
 * More lenient than the specification on purpose: names of records, enums and fixed are only compared to choose among
 * union branches. Iceberg's partition records and renamed Kafka types could not be read otherwise.
 */
#include "avro_plan.h"

#include "base/map.h"
#include "base/vec.h"
#include "format/avro_codec.h"

typedef struct planner {
    firn_arena *arena;
    firn_map *records; /* "writer/reader" addresses -> firn_plan */
    bool by_field_id;
    int depth;
    size_t node_count;
    firn_err *err;
} planner;

static firn_rc plan_pair(planner *p, const firn_avro_schema *writer, const firn_avro_schema *reader,
                         const firn_plan **out);

static firn_rc new_plan(planner *p, firn_plan_op op, const firn_avro_schema *writer,
                        const firn_avro_schema *reader, firn_plan **out)
{
    if (++p->node_count > FIRN_AVRO_NODES_MAX)
        FIRN_FAIL(p->err, FIRN_E_LIMIT, "Avro schemas whose resolution takes more than %d steps",
                  FIRN_AVRO_NODES_MAX);
    *out = FIRN_NEW(p->arena, firn_plan);
    **out = (firn_plan){.op = op, .writer = writer, .reader = reader};
    return FIRN_OK;
}

/* ---- do two types fit at all? ---- */

static const char *unqualified(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? dot + 1 : name;
}

static bool same_name(const firn_avro_schema *writer, const firn_avro_schema *reader)
{
    if (firn_streq(unqualified(writer->name), unqualified(reader->name)))
        return true;
    for (size_t i = 0; i < reader->alias_count; i++) {
        if (firn_streq(writer->name, reader->aliases[i]))
            return true;
    }
    return false;
}

static bool is_number(firn_avro_kind kind)
{
    return kind >= FIRN_AVRO_INT && kind <= FIRN_AVRO_DOUBLE;
}

static bool is_text(firn_avro_kind kind)
{
    return kind == FIRN_AVRO_BYTES || kind == FIRN_AVRO_STRING;
}

static bool both_decimal(const firn_avro_schema *writer, const firn_avro_schema *reader)
{
    return writer->logical == FIRN_AVRO_DECIMAL && reader->logical == FIRN_AVRO_DECIMAL;
}

/* Kinds only, neither a union. */
static bool kinds_fit(const firn_avro_schema *writer, const firn_avro_schema *reader)
{
    if (both_decimal(writer, reader))
        return true; /* fixed of any size and bytes carry the same number */
    if (writer->kind == reader->kind)
        return writer->kind != FIRN_AVRO_FIXED || writer->fixed_size == reader->fixed_size;
    if (is_number(writer->kind) && is_number(reader->kind))
        return writer->kind < reader->kind;
    return is_text(writer->kind) && is_text(reader->kind);
}

/* 0: no logical type of that family. */
static int time_unit(firn_avro_logical logical)
{
    switch (logical) {
    case FIRN_AVRO_TIME_MILLIS: return 1;
    case FIRN_AVRO_TIME_MICROS: return 2;
    case FIRN_AVRO_TIMESTAMP_MILLIS:
    case FIRN_AVRO_LOCAL_TIMESTAMP_MILLIS: return 3;
    case FIRN_AVRO_TIMESTAMP_MICROS:
    case FIRN_AVRO_LOCAL_TIMESTAMP_MICROS: return 4;
    case FIRN_AVRO_TIMESTAMP_NANOS:
    case FIRN_AVRO_LOCAL_TIMESTAMP_NANOS: return 5;
    case FIRN_AVRO_DATE: return 6;
    default: return 0;
    }
}

/* The specification would let milliseconds be read as microseconds: the same integers, a thousandfold wrong. */
static bool meanings_fit(const firn_avro_schema *writer, const firn_avro_schema *reader)
{
    if (both_decimal(writer, reader))
        return writer->scale == reader->scale;
    int writer_unit = time_unit(writer->logical);
    int reader_unit = time_unit(reader->logical);
    return writer_unit == 0 || reader_unit == 0 || writer_unit == reader_unit;
}

static firn_rc mismatch(planner *p, const firn_avro_schema *writer, const firn_avro_schema *reader,
                        const char *why)
{
    FIRN_FAIL(p->err, FIRN_E_TYPE, "Avro data written as %s cannot be read as %s%s", writer->name,
              reader->name, why);
}

/* ---- records ---- */

typedef struct field_index {
    const firn_avro_schema *record;
    firn_map *by_name; /* -> field */
    firn_imap *by_id;  /* NULL when not asked for, or when no field has an id */
} field_index;

static field_index index_writer(planner *p, const firn_avro_schema *writer)
{
    field_index index = {.record = writer, .by_name = firn_map_new(p->arena)};
    for (size_t i = 0; i < writer->field_count; i++) {
        const firn_avro_field *field = &writer->fields[i];
        (void)firn_map_put(index.by_name, field->name, (void *)field);
        if (!p->by_field_id || field->field_id < 0)
            continue;
        if (!index.by_id)
            index.by_id = firn_imap_new(p->arena);
        (void)firn_imap_put(index.by_id, field->field_id, (void *)field);
    }
    return index;
}

static const firn_avro_field *find_writer_field(const field_index *index,
                                                const firn_avro_field *reader)
{
    if (index->by_id && reader->field_id >= 0)
        return firn_imap_get(index->by_id, reader->field_id);
    const firn_avro_field *field = firn_map_get(index->by_name, reader->name);
    for (size_t i = 0; !field && i < reader->alias_count; i++)
        field = firn_map_get(index->by_name, reader->aliases[i]);
    return field;
}

static firn_rc plan_default(planner *p, const firn_avro_field *field, size_t index,
                            firn_plan_default *out)
{
    if (!field->default_value) {
        FIRN_FAIL(p->err, FIRN_E_TYPE, "field \"%s\" is not in the data and has no default",
                  field->name);
    }
    FIRN_AUTO_BUF firn_buf encoded = {0};
    firn_rc rc = firn_avro_put_json(&encoded, field->type, field->default_value, p->err);
    if (rc != FIRN_OK)
        return firn_err_wrap(p->err, rc, "default of field \"%s\"", field->name);
    out->index = index;
    out->bytes = firn_bytes_dup(p->arena, firn_buf_bytes(&encoded));
    return plan_pair(p, field->type, field->type, &out->node);
}

static firn_rc plan_fields(planner *p, firn_plan *plan)
{
    const firn_avro_schema *writer = plan->writer;
    const firn_avro_schema *reader = plan->reader;
    field_index index = index_writer(p, writer);
    firn_plan_step *steps = FIRN_NEW_N(p->arena, firn_plan_step, writer->field_count);
    FIRN_VEC(firn_plan_default) defaults = {0};

    for (size_t i = 0; i < writer->field_count; i++)
        steps[i].writer = writer->fields[i].type;
    for (size_t i = 0; i < reader->field_count; i++) {
        const firn_avro_field *field = &reader->fields[i];
        const firn_avro_field *source = find_writer_field(&index, field);
        firn_plan_step *step = source ? &steps[source - writer->fields] : NULL;
        firn_rc rc;
        if (step && !step->node) {
            step->index = i;
            rc = plan_pair(p, source->type, field->type, &step->node);
        } else {
            firn_plan_default item;
            rc = plan_default(p, field, i, &item);
            firn_vec_push(p->arena, &defaults, item);
        }
        if (rc != FIRN_OK)
            return firn_err_wrap(p->err, rc, "field \"%s\"", field->name);
    }
    plan->steps = steps;
    plan->step_count = writer->field_count;
    plan->defaults = defaults.items;
    plan->default_count = defaults.len;
    return FIRN_OK;
}

static void become_error(planner *p, firn_plan *plan)
{
    plan->op = FIRN_PLAN_ERROR;
    plan->message =
        p->err ? firn_arena_strdup(p->arena, p->err->message) : "schemas do not resolve";
}

static firn_rc plan_record(planner *p, const firn_avro_schema *writer,
                           const firn_avro_schema *reader, const firn_plan **out)
{
    char key[48];
    snprintf(key, sizeof key, "%p/%p", (const void *)writer, (const void *)reader);
    firn_plan *plan = firn_map_get(p->records, key);
    if (plan) {
        *out = plan;
        if (plan->op == FIRN_PLAN_ERROR)
            FIRN_FAIL(p->err, FIRN_E_TYPE, "%s", plan->message);
        return FIRN_OK;
    }

    FIRN_TRY(new_plan(p, FIRN_PLAN_RECORD, writer, reader, &plan));
    (void)firn_map_put(p->records, key, plan);
    firn_rc rc = plan_fields(p, plan);
    if (rc != FIRN_OK)
        become_error(p, plan);
    *out = plan;
    return rc;
}

/* ---- unions ---- */

/* How well a reader's branch suits a writer's type: 0 not at all, more is better. */
static int fitness(const firn_avro_schema *writer, const firn_avro_schema *branch)
{
    if (!kinds_fit(writer, branch))
        return 0;
    if (writer->kind != branch->kind)
        return 1;
    bool is_named = writer->kind == FIRN_AVRO_RECORD || writer->kind == FIRN_AVRO_ENUM ||
                    writer->kind == FIRN_AVRO_FIXED;
    if (!is_named)
        return 4;
    if (firn_streq(writer->name, branch->name))
        return 4;
    return same_name(writer, branch) ? 3 : 2;
}

/* A type that is not a union into the reader's union: the branch that suits best, the first among equals. */
static firn_rc plan_into_union(planner *p, const firn_avro_schema *writer,
                               const firn_avro_schema *reader, const firn_plan **out)
{
    size_t best = 0;
    int best_fitness = 0;
    for (size_t i = 0; i < reader->branch_count; i++) {
        int suits = fitness(writer, reader->branches[i]);
        if (suits > best_fitness) {
            best = i;
            best_fitness = suits;
        }
    }
    if (best_fitness == 0)
        return mismatch(p, writer, reader, ": no branch of the union fits");

    const firn_plan *inner;
    FIRN_TRY(plan_pair(p, writer, reader->branches[best], &inner));
    if (writer->kind == FIRN_AVRO_NULL || firn_avro_schema_unwrap(reader, NULL) != reader) {
        *out = inner;
        return FIRN_OK;
    }
    firn_plan *plan;
    FIRN_TRY(new_plan(p, FIRN_PLAN_INTO, writer, inner->reader, &plan));
    plan->item = inner;
    for (size_t i = 0; i < best; i++)
        plan->into += reader->branches[i]->kind != FIRN_AVRO_NULL;
    *out = plan;
    return FIRN_OK;
}

static firn_rc plan_branch(planner *p, const firn_avro_schema *writer,
                           const firn_avro_schema *reader, bool *resolved, const firn_plan **out)
{
    firn_err why = {0};
    firn_err *outer = p->err;
    p->err = &why;
    firn_rc rc = plan_pair(p, writer, reader, out);
    p->err = outer;
    if (rc == FIRN_OK) {
        *resolved = true;
        return FIRN_OK;
    }
    if (rc != FIRN_E_TYPE) {
        if (outer)
            *outer = why;
        return rc;
    }
    firn_plan *plan;
    FIRN_TRY(new_plan(p, FIRN_PLAN_ERROR, writer, reader, &plan));
    plan->message = firn_arena_strdup(p->arena, why.message);
    *out = plan;
    return FIRN_OK;
}

static firn_rc plan_writer_union(planner *p, const firn_avro_schema *writer,
                                 const firn_avro_schema *reader, const firn_plan **out)
{
    bool resolved = false;
    const firn_plan **branches = FIRN_NEW_N(p->arena, const firn_plan *, writer->branch_count);
    for (size_t i = 0; i < writer->branch_count; i++)
        FIRN_TRY(plan_branch(p, writer->branches[i], reader, &resolved, &branches[i]));
    if (!resolved)
        FIRN_FAIL(p->err, FIRN_E_TYPE, "%s", branches[0]->message);

    firn_plan *plan;
    FIRN_TRY(new_plan(p, FIRN_PLAN_UNION, writer, firn_avro_schema_unwrap(reader, NULL), &plan));
    *out = plan;
    for (uint32_t null = 0; writer->branch_count == 2 && null < 2; null++) {
        if (branches[null]->op == FIRN_PLAN_NULL) {
            plan->op = FIRN_PLAN_OPTIONAL;
            plan->null_branch = null;
            plan->item = branches[1 - null];
            return FIRN_OK;
        }
    }
    plan->branches = branches;
    return FIRN_OK;
}

/* ---- everything else ---- */

static firn_plan_op scalar_op(firn_avro_kind writer, firn_avro_kind reader)
{
    static const firn_plan_op numbers[4][4] = {
        {FIRN_PLAN_INT, FIRN_PLAN_INT_TO_LONG, FIRN_PLAN_INT_TO_FLOAT, FIRN_PLAN_INT_TO_DOUBLE},
        {FIRN_PLAN_ERROR, FIRN_PLAN_LONG, FIRN_PLAN_LONG_TO_FLOAT, FIRN_PLAN_LONG_TO_DOUBLE},
        {FIRN_PLAN_ERROR, FIRN_PLAN_ERROR, FIRN_PLAN_FLOAT, FIRN_PLAN_FLOAT_TO_DOUBLE},
        {FIRN_PLAN_ERROR, FIRN_PLAN_ERROR, FIRN_PLAN_ERROR, FIRN_PLAN_DOUBLE},
    };
    if (is_number(writer) && is_number(reader))
        return numbers[writer - FIRN_AVRO_INT][reader - FIRN_AVRO_INT];
    switch (writer) {
    case FIRN_AVRO_NULL: return FIRN_PLAN_NULL;
    case FIRN_AVRO_BOOLEAN: return FIRN_PLAN_BOOLEAN;
    case FIRN_AVRO_FIXED: return FIRN_PLAN_FIXED;
    default: return FIRN_PLAN_BYTES;
    }
}

static firn_rc plan_enum(planner *p, const firn_avro_schema *writer, const firn_avro_schema *reader,
                         const firn_plan **out)
{
    firn_map *positions = firn_map_new(p->arena);
    firn_bytes *texts = FIRN_NEW_N(p->arena, firn_bytes, reader->symbol_count);
    for (size_t i = 0; i < reader->symbol_count; i++) {
        texts[i] = firn_bytes_str(reader->symbols[i]);
        (void)firn_map_put(positions, reader->symbols[i], &texts[i]);
    }
    int32_t *symbols = FIRN_NEW_N(p->arena, int32_t, writer->symbol_count);
    for (size_t i = 0; i < writer->symbol_count; i++) {
        const firn_bytes *text = firn_map_get(positions, writer->symbols[i]);
        symbols[i] = text ? (int32_t)(text - texts) : reader->default_symbol;
    }
    firn_plan *plan;
    FIRN_TRY(new_plan(p, FIRN_PLAN_ENUM, writer, reader, &plan));
    plan->symbols = symbols;
    plan->texts = texts;
    *out = plan;
    return FIRN_OK;
}

static firn_rc plan_container(planner *p, const firn_avro_schema *writer,
                              const firn_avro_schema *reader, const firn_plan **out)
{
    const firn_plan *item;
    firn_rc rc = plan_pair(p, writer->items, reader->items, &item);
    if (rc != FIRN_OK)
        return firn_err_wrap(p->err, rc, "items of %s", reader->name);
    firn_plan *plan;
    FIRN_TRY(new_plan(p, writer->kind == FIRN_AVRO_ARRAY ? FIRN_PLAN_ARRAY : FIRN_PLAN_MAP, writer,
                      reader, &plan));
    plan->item = item;
    *out = plan;
    return FIRN_OK;
}

static firn_rc plan_simple(planner *p, const firn_avro_schema *writer,
                           const firn_avro_schema *reader, const firn_plan **out)
{
    if (!kinds_fit(writer, reader))
        return mismatch(p, writer, reader, "");
    if (!meanings_fit(writer, reader))
        return mismatch(p, writer, reader, ": the logical types differ in unit or scale");

    switch (writer->kind) {
    case FIRN_AVRO_RECORD: return plan_record(p, writer, reader, out);
    case FIRN_AVRO_ENUM: return plan_enum(p, writer, reader, out);
    case FIRN_AVRO_ARRAY:
    case FIRN_AVRO_MAP: return plan_container(p, writer, reader, out);
    default: break;
    }
    firn_plan *plan;
    FIRN_TRY(new_plan(p, scalar_op(writer->kind, reader->kind), writer, reader, &plan));
    *out = plan;
    return FIRN_OK;
}

static firn_rc plan_pair(planner *p, const firn_avro_schema *writer, const firn_avro_schema *reader,
                         const firn_plan **out)
{
    /* References make graphs deeper than the JSON was. */
    if (p->depth == 2 * FIRN_AVRO_DEPTH_MAX) {
        FIRN_FAIL(p->err, FIRN_E_LIMIT, "Avro types nested more than %d deep",
                  2 * FIRN_AVRO_DEPTH_MAX);
    }
    p->depth++;
    firn_rc rc;
    if (writer->kind == FIRN_AVRO_UNION)
        rc = plan_writer_union(p, writer, reader, out);
    else if (reader->kind == FIRN_AVRO_UNION)
        rc = plan_into_union(p, writer, reader, out);
    else
        rc = plan_simple(p, writer, reader, out);
    p->depth--;
    return rc;
}

firn_rc firn_plan_make(firn_arena *arena, const firn_avro_schema *writer,
                       const firn_avro_schema *reader, bool by_field_id, const firn_plan **out,
                       firn_err *err)
{
    planner p = {
        .arena = arena,
        .records = firn_map_new(arena),
        .by_field_id = by_field_id,
        .err = err,
    };
    return plan_pair(&p, writer, reader ? reader : writer, out);
}
