/* Schema evolution: each change, what it does to ids and properties, and what is refused. */
#include "metadata_testing.h"

static firn_schema_change *change;
static const firn_metadata *table;

/* Start changing a table of new_table()'s columns. */
static void begin(const firn_metadata *base)
{
    table = base;
    change = firn_schema_change_new(arena, base);
}

/* Finish, apply the updates to the table, and give it back. */
static const firn_metadata *commit(void)
{
    firn_schema *schema = NULL;
    json_t *updates = firn_json_own(arena, json_array());
    json_t *requirements = firn_json_own(arena, json_array());
    MUST(firn_schema_change_finish(change, &schema, updates, requirements, &err));
    MUST(firn_requirements_check(requirements, table, &err));
    const firn_metadata *out = apply_at(table, updates, table->last_updated_ms + 1000);
    assert_true(firn_type_equal(&schema->root, &out->schema->root));
    return out;
}

static firn_rc finish(firn_err *err)
{
    firn_schema *schema = NULL;
    json_t *updates = firn_json_own(arena, json_array());
    json_t *requirements = firn_json_own(arena, json_array());
    return firn_schema_change_finish(change, &schema, updates, requirements, err);
}

static firn_field column(const char *name, const char *type)
{
    return (firn_field){.name = name, .type = type_of(type)};
}

static firn_rc add(const char *parent, const char *name, const char *type, firn_err *err)
{
    firn_field field = column(name, type);
    return firn_schema_change_add(change, parent, &field, err);
}

static const char *columns(const firn_metadata *m)
{
    FIRN_AUTO_BUF firn_buf buf = {0};
    for (size_t i = 0; i < m->schema->root.n_fields; i++)
        firn_buf_printf(&buf, "%s%d %s", i > 0 ? ", " : "", m->schema->root.fields[i].id,
                        m->schema->root.fields[i].name);
    return firn_arena_strdup(arena, firn_buf_cstr(&buf));
}

static const char *type_at(const firn_metadata *m, const char *path)
{
    const firn_field *field = firn_schema_find_name(m->schema, path, true);
    return field ? firn_type_text(arena, field->type) : "none";
}

/* ---- add ---- */

static void columns_are_added(void **state)
{
    (void)state;
    begin(new_table(2));
    firn_field field = column("note", "string");
    field.doc = "free text";
    MUST(firn_schema_change_add(change, NULL, &field, &err));
    MUST(add("point", "z", "float", &err));
    MUST(add("list", "b", "long", &err));
    MUST(add("list.element", "c", "long", &err));
    MUST(add("MAP", "c", "date", &err));
    const firn_metadata *m = commit();
    assert_string_equal(columns(m), "1 id, 2 ts, 3 data, 4 n, 5 d, 6 price, 7 point, 10 list, "
                                    "13 map, 17 note");
    assert_string_equal(type_at(m, "point"), "struct<8: x: required float, 9: y: optional double, "
                                             "18: z: optional float>");
    assert_string_equal(type_at(m, "list"),
                        "list<struct<12: a: optional int, 19: b: optional long, "
                        "20: c: optional long>>");
    assert_string_equal(type_at(m, "map.value"),
                        "struct<16: b: optional int, 21: c: optional date>");
    assert_string_equal(firn_schema_find_id(m->schema, 17)->doc, "free text");
    assert_int_equal(m->schema->schema_id, 1);
    assert_int_equal(m->last_column_id, 21);
    assert_int_equal(m->n_schemas, 2);
    assert_string_equal(columns(table), "1 id, 2 ts, 3 data, 4 n, 5 d, 6 price, 7 point, 10 list, "
                                        "13 map");
}

static void added_structs_get_fresh_ids(void **state)
{
    (void)state;
    begin(new_table(2));
    firn_field inner[] = {column("x", "int"), column("y", "int")};
    inner[0].id = 1;
    inner[1].id = 2;
    const firn_type type = {.id = FIRN_TYPE_STRUCT, .fields = inner, .n_fields = 2};
    const firn_field field = {.id = 1, .name = "s", .type = &type};
    MUST(firn_schema_change_add(change, NULL, &field, &err));
    assert_string_equal(type_at(commit(), "s"), "struct<18: x: optional int, 19: y: optional int>");
}

static void additions_that_cannot_be(void **state)
{
    (void)state;
    static const struct {
        const char *parent, *name, *type;
        firn_rc code;
        const char *message;
    } wrong[] = {
        {NULL, "id", "int", FIRN_E_INVALID, "Cannot add column, name already exists: id"},
        {NULL, "ID", "int", FIRN_E_INVALID, "Cannot add column, name already exists: ID"},
        {"point", "X", "int", FIRN_E_INVALID, "name already exists: point.X"},
        {NULL, "", "int", FIRN_E_INVALID, "without a name"},
        {"nope", "a", "int", FIRN_E_NO_COLUMN, "Cannot find parent struct: nope"},
        {"id", "a", "int", FIRN_E_INVALID, "Cannot add to non-struct column: id: long"},
        {"map.key", "a", "int", FIRN_E_INVALID, "Cannot alter map keys"},
        {NULL, "v", "variant", FIRN_E_INVALID,
         "Invalid type for v: variant is not supported until v3"},
    };
    begin(new_table(2));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        MUST_FAIL(add(wrong[i].parent, wrong[i].name, wrong[i].type, &err), wrong[i].code,
                  wrong[i].message);
    MUST(add(NULL, "new", "int", &err));
    MUST_FAIL(add(NULL, "New", "int", &err), FIRN_E_INVALID, "name already exists: New");
}

static void required_columns_need_a_default(void **state)
{
    (void)state;
    firn_field field = column("r", "int");
    field.required = true;
    begin(new_table(2));
    MUST_FAIL(firn_schema_change_add(change, NULL, &field, &err), FIRN_E_INVALID,
              "Incompatible change: cannot add required column without a default value: r");
    field.write_default = json_array_get(json_of("[7]"), 0);
    MUST_FAIL(firn_schema_change_add(change, NULL, &field, &err), FIRN_E_INVALID,
              "column defaults need format version 3");
    begin(new_table(3));
    MUST(firn_schema_change_add(change, NULL, &field, &err));
    const firn_field *added = firn_schema_find_name(commit()->schema, "r", true);
    assert_true(added->required);
    assert_int_equal(json_integer_value(added->initial_default), 7);
    assert_int_equal(json_integer_value(added->write_default), 7);
    field.name = "q";
    field.write_default = json_array_get(json_of("['x']"), 0);
    MUST_FAIL(firn_schema_change_add(change, NULL, &field, &err), FIRN_E_INVALID,
              "default of column q: Cannot parse default as a int value");
    field.type = type_of("variant");
    MUST_FAIL(firn_schema_change_add(change, NULL, &field, &err), FIRN_E_INVALID,
              "can only default to null");
}

/* ---- drop ---- */

static void columns_are_dropped(void **state)
{
    (void)state;
    begin(new_table(2));
    MUST(firn_schema_change_drop(change, "n", &err));
    MUST(firn_schema_change_drop(change, "point.Y", &err));
    MUST(firn_schema_change_drop(change, "list", &err));
    const firn_metadata *m = commit();
    assert_string_equal(columns(m), "1 id, 2 ts, 3 data, 5 d, 6 price, 7 point, 13 map");
    assert_string_equal(type_at(m, "point"), "struct<8: x: required float>");
    /* the name is free again, the id is not */
    begin(m);
    MUST(add(NULL, "n", "int", &err));
    assert_string_equal(columns(commit()),
                        "1 id, 2 ts, 3 data, 5 d, 6 price, 7 point, 13 map, 17 n");
}

static void a_column_may_take_a_dropped_ones_place(void **state)
{
    (void)state;
    begin(new_table(2));
    MUST(firn_schema_change_drop(change, "n", &err));
    MUST(add(NULL, "n", "string", &err));
    MUST(firn_schema_change_move(change, "n", FIRN_PLACE_AFTER, "data", &err));
    assert_string_equal(columns(commit()),
                        "1 id, 2 ts, 3 data, 17 n, 5 d, 6 price, 7 point, 10 list, 13 map");
}

static void drops_that_cannot_be(void **state)
{
    (void)state;
    begin(new_table(2));
    MUST_FAIL(firn_schema_change_drop(change, "nope", &err), FIRN_E_NO_COLUMN,
              "Cannot delete missing column: nope");
    MUST_FAIL(firn_schema_change_drop(change, "prise", &err), FIRN_E_NO_COLUMN,
              "did you mean 'price'?");
    MUST_FAIL(firn_schema_change_drop(change, "ts", &err), FIRN_E_INVALID,
              "Cannot find source column for partition field: 1000: ts_day: day(2)");
    MUST_FAIL(firn_schema_change_drop(change, "list.element", &err), FIRN_E_INVALID,
              "Cannot delete element type from list");
    MUST_FAIL(firn_schema_change_drop(change, "map.key", &err), FIRN_E_INVALID, "map");
    MUST(add("point", "z", "int", &err));
    MUST_FAIL(firn_schema_change_drop(change, "point", &err), FIRN_E_INVALID,
              "Cannot delete a column that has additions: point");
    MUST(firn_schema_change_rename(change, "n", "m", &err));
    MUST_FAIL(firn_schema_change_drop(change, "n", &err), FIRN_E_INVALID,
              "Cannot delete a column that has updates: n");
    MUST(firn_schema_change_drop(change, "data", &err));
    MUST_FAIL(firn_schema_change_rename(change, "data", "x", &err), FIRN_E_INVALID,
              "Cannot rename a column that will be deleted: data");
    MUST(firn_schema_change_drop(change, "map", &err));
    MUST_FAIL(add("map", "c", "int", &err), FIRN_E_INVALID,
              "Cannot add to a column that will be deleted: map");
    MUST_FAIL(firn_schema_change_type(change, "map.value.b", type_of("long"), &err), FIRN_E_INVALID,
              "will be deleted");
}

static void sort_columns_and_last_fields_stay(void **state)
{
    (void)state;
    begin(
        apply(new_table(2),
              "[{'action': 'add-sort-order', 'sort-order': {'order-id': 1, 'fields': [{'transform':"
              " 'identity', 'source-id': 8, 'direction': 'asc', 'null-order': 'nulls-first'}]}},"
              " {'action': 'set-default-sort-order', 'sort-order-id': -1}]"));
    MUST_FAIL(firn_schema_change_drop(change, "point", &err), FIRN_E_INVALID,
              "the table's sort order uses it");
    MUST(firn_schema_change_drop(change, "list.element.a", &err));
    MUST_FAIL(finish(&err), FIRN_E_INVALID, "Cannot delete every column of element");
}

/* ---- rename, type, null, doc, default ---- */

static void columns_are_renamed(void **state)
{
    (void)state;
    begin(new_table(2));
    MUST(firn_schema_change_rename(change, "data", "payload", &err));
    MUST(firn_schema_change_rename(change, "point.x", "X", &err));
    MUST(firn_schema_change_rename(change, "list.element.a", "b", &err));
    MUST(firn_schema_change_type(change, "n", type_of("long"), &err));
    MUST(firn_schema_change_rename(change, "n", "number", &err));
    const firn_metadata *m = commit();
    assert_string_equal(columns(m), "1 id, 2 ts, 3 payload, 4 number, 5 d, 6 price, 7 point, "
                                    "10 list, 13 map");
    assert_string_equal(type_at(m, "number"), "long");
    assert_string_equal(type_at(m, "list"), "list<struct<12: b: optional int>>");
    assert_string_equal(firn_schema_find_name(m->schema, "payload", true)->doc, "payload");
    begin(m);
    MUST_FAIL(firn_schema_change_rename(change, "payload", "ID", &err), FIRN_E_INVALID,
              "Cannot rename column payload to ID: name already exists");
    MUST_FAIL(firn_schema_change_rename(change, "payload", "", &err), FIRN_E_INVALID, "to nothing");
    MUST_FAIL(firn_schema_change_rename(change, "list.element", "e", &err), FIRN_E_INVALID,
              "fixed names");
    MUST_FAIL(firn_schema_change_rename(change, "nope", "e", &err), FIRN_E_NO_COLUMN,
              "Cannot rename missing column: nope");
}

static void names_can_be_swapped_in_steps(void **state)
{
    (void)state;
    begin(new_table(2));
    MUST(firn_schema_change_rename(change, "n", "n_old", &err));
    MUST_FAIL(add(NULL, "n", "string", &err), FIRN_E_INVALID, "name already exists: n");
    begin(commit());
    MUST(add(NULL, "n", "string", &err));
    assert_string_equal(type_at(commit(), "n"), "string");
}

static void types_only_widen(void **state)
{
    (void)state;
    begin(new_table(2));
    MUST(firn_schema_change_type(change, "n", type_of("long"), &err));
    MUST(firn_schema_change_type(change, "point.x", type_of("double"), &err));
    MUST(firn_schema_change_type(change, "price", type_of("decimal(18, 2)"), &err));
    MUST(firn_schema_change_type(change, "map.value.b", type_of("long"), &err));
    MUST(firn_schema_change_type(change, "id", type_of("long"), &err)); /* as it is */
    const firn_metadata *m = commit();
    assert_string_equal(type_at(m, "price"), "decimal(18, 2)");
    assert_string_equal(type_at(m, "point.x"), "double");
    assert_string_equal(type_at(m, "map.value.b"), "long");
    static const struct {
        const char *path, *type;
    } wrong[] = {
        {"n", "int"},
        {"n", "string"},
        {"price", "decimal(17, 2)"},
        {"price", "decimal(20, 3)"},
        {"point.x", "float"},
        {"data", "binary"},
        {"point", "int"},
        {"id", "timestamp"},
    };
    begin(m);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        MUST_FAIL(firn_schema_change_type(change, wrong[i].path, type_of(wrong[i].type), &err),
                  FIRN_E_INVALID, "a column can only widen");
    MUST_FAIL(firn_schema_change_type(change, "d", type_of("timestamp"), &err), FIRN_E_INVALID,
              "needs format version 3");
    MUST_FAIL(firn_schema_change_type(change, "map.key", type_of("binary"), &err), FIRN_E_INVALID,
              "Cannot alter map keys");
}

static void dates_widen_in_v3_where_partitions_allow(void **state)
{
    (void)state;
    const firn_metadata *base = new_table(3);
    begin(base);
    MUST_FAIL(firn_schema_change_type(change, "d", type_of("timestamptz"), &err), FIRN_E_INVALID,
              "a column can only widen");
    MUST(firn_schema_change_type(change, "d", type_of("timestamp_ns"), &err));
    assert_string_equal(type_at(commit(), "d"), "timestamp_ns");
    static const char spec[] = "[{'action': 'add-spec', 'spec': {'spec-id': 1, 'fields': [{'name':"
                               " 'p', 'transform': '%s', 'source-id': 5}]}}]";
    begin(apply(base, firn_arena_printf(arena, spec, "month")));
    MUST(firn_schema_change_type(change, "d", type_of("timestamp"), &err));
    begin(apply(base, firn_arena_printf(arena, spec, "bucket[4]")));
    MUST_FAIL(firn_schema_change_type(change, "d", type_of("timestamp"), &err), FIRN_E_INVALID,
              "files are partitioned by 1001: p: bucket[4](5), whose values would change");
}

static void unknown_becomes_anything_in_v3(void **state)
{
    (void)state;
    begin(new_table(3));
    MUST(add(NULL, "u", "unknown", &err));
    begin(commit());
    MUST(firn_schema_change_type(change, "u", type_of("geometry"), &err));
    assert_string_equal(type_at(commit(), "u"), "geometry");
}

static void date_defaults_follow_their_type(void **state)
{
    (void)state;
    begin(new_table(3));
    MUST(firn_schema_change_default(change, "d", json_array_get(json_of("['2024-02-15']"), 0),
                                    &err));
    begin(commit());
    MUST(firn_schema_change_type(change, "d", type_of("timestamp"), &err));
    const firn_field *d = firn_schema_find_name(commit()->schema, "d", true);
    assert_string_equal(json_string_value(d->write_default), "2024-02-15T00:00:00");
    assert_null(d->initial_default);
}

static void nullability(void **state)
{
    (void)state;
    begin(new_table(2));
    MUST(firn_schema_change_optional(change, "id", &err));
    MUST(firn_schema_change_optional(change, "data", &err)); /* as it is */
    MUST_FAIL(firn_schema_change_required(change, "data", false, &err), FIRN_E_INVALID,
              "Cannot change column nullability: data: optional -> required");
    MUST(firn_schema_change_required(change, "data", true, &err));
    MUST(firn_schema_change_required(change, "list.element", true, &err));
    const firn_metadata *m = commit();
    assert_false(firn_schema_find_name(m->schema, "id", true)->required);
    assert_true(firn_schema_find_name(m->schema, "data", true)->required);
    assert_true(firn_schema_find_name(m->schema, "list.element", true)->required);
    begin(new_table(3));
    firn_field field = column("r", "int");
    field.initial_default = json_array_get(json_of("[1]"), 0);
    MUST(firn_schema_change_add(change, NULL, &field, &err));
    MUST(firn_schema_change_required(change, "r", false, &err));
    assert_true(firn_schema_find_name(commit()->schema, "r", true)->required);
}

static void docs_and_defaults(void **state)
{
    (void)state;
    begin(new_table(2));
    MUST(firn_schema_change_doc(change, "id", "the key", &err));
    MUST(firn_schema_change_doc(change, "data", NULL, &err));
    const firn_metadata *m = commit();
    assert_string_equal(firn_schema_find_name(m->schema, "id", true)->doc, "the key");
    assert_null(firn_schema_find_name(m->schema, "data", true)->doc);
    begin(m);
    json_t *five = json_array_get(json_of("[5]"), 0);
    MUST_FAIL(firn_schema_change_default(change, "n", five, &err), FIRN_E_INVALID,
              "need format version 3");
    MUST_FAIL(firn_schema_change_doc(change, "list.element", "x", &err), FIRN_E_INVALID,
              "Cannot comment on list.element");
    begin(new_table(3));
    MUST(firn_schema_change_default(change, "n", five, &err));
    MUST_FAIL(firn_schema_change_default(change, "list.element", json_of("{}"), &err),
              FIRN_E_INVALID, "Cannot set a default of list.element");
    begin(commit());
    assert_int_equal(
        json_integer_value(firn_schema_find_name(table->schema, "n", true)->write_default), 5);
    assert_null(firn_schema_find_name(table->schema, "n", true)->initial_default);
    MUST(firn_schema_change_default(change, "n", NULL, &err));
    assert_null(firn_schema_find_name(commit()->schema, "n", true)->write_default);
}

/* ---- move ---- */

static void columns_are_moved(void **state)
{
    (void)state;
    begin(new_table(2));
    MUST(firn_schema_change_move(change, "n", FIRN_PLACE_FIRST, NULL, &err));
    MUST(firn_schema_change_move(change, "id", FIRN_PLACE_LAST, NULL, &err));
    MUST(firn_schema_change_move(change, "map", FIRN_PLACE_BEFORE, "ts", &err));
    MUST(firn_schema_change_move(change, "d", FIRN_PLACE_AFTER, "price", &err));
    MUST(firn_schema_change_move(change, "point.y", FIRN_PLACE_FIRST, NULL, &err));
    MUST(add(NULL, "new", "int", &err));
    MUST(firn_schema_change_move(change, "new", FIRN_PLACE_AFTER, "n", &err));
    const firn_metadata *m = commit();
    assert_string_equal(columns(m), "4 n, 17 new, 13 map, 2 ts, 3 data, 6 price, 5 d, 7 point, "
                                    "10 list, 1 id");
    assert_string_equal(type_at(m, "point"), "struct<9: y: optional double, 8: x: required float>");
}

static void moves_that_cannot_be(void **state)
{
    (void)state;
    begin(new_table(2));
    MUST_FAIL(firn_schema_change_move(change, "nope", FIRN_PLACE_FIRST, NULL, &err),
              FIRN_E_NO_COLUMN, "Cannot move missing column: nope");
    MUST_FAIL(firn_schema_change_move(change, "id", FIRN_PLACE_AFTER, "nope", &err),
              FIRN_E_NO_COLUMN, "missing column: nope");
    MUST_FAIL(firn_schema_change_move(change, "id", FIRN_PLACE_BEFORE, "id", &err), FIRN_E_INVALID,
              "Cannot move id before itself");
    MUST_FAIL(firn_schema_change_move(change, "id", FIRN_PLACE_AFTER, "point.x", &err),
              FIRN_E_INVALID, "Cannot move field id to a different struct");
    MUST_FAIL(firn_schema_change_move(change, "list.element", FIRN_PLACE_FIRST, NULL, &err),
              FIRN_E_INVALID, "Cannot move fields in non-struct type");
}

/* ---- identifier fields ---- */

static firn_rc identify(const char *path, firn_err *err)
{
    begin(new_table(2));
    firn_rc rc = firn_schema_change_identifier(change, &path, 1, err);
    return rc == FIRN_OK ? finish(err) : rc;
}

static void identifier_fields(void **state)
{
    (void)state;
    static const char *const paths[] = {"id"};
    begin(new_table(2));
    MUST(firn_schema_change_identifier(change, paths, 1, &err));
    const firn_metadata *m = commit();
    assert_int_equal(m->schema->n_identifier_field_ids, 1);
    begin(m);
    MUST(firn_schema_change_rename(change, "id", "key", &err));
    m = commit();
    assert_int_equal(m->schema->identifier_field_ids[0], 1);
    begin(m);
    MUST(firn_schema_change_drop(change, "key", &err));
    MUST_FAIL(finish(&err), FIRN_E_INVALID, "Cannot delete identifier field key");
    MUST(firn_schema_change_identifier(change, NULL, 0, &err));
    assert_int_equal(commit()->schema->n_identifier_field_ids, 0);

    MUST_FAIL(identify("nope", &err), FIRN_E_NO_COLUMN, "not found in current schema");
    MUST_FAIL(identify("data", &err), FIRN_E_INVALID, "not a required field");
    MUST_FAIL(identify("point", &err), FIRN_E_INVALID, "not a primitive type field");
    MUST_FAIL(identify("point.x", &err), FIRN_E_INVALID, "must not be float or double field");
    MUST_FAIL(identify("map.key", &err), FIRN_E_INVALID, "must not be nested in map");
}

/* ---- what follows a schema ---- */

static void nothing_changed_makes_no_updates(void **state)
{
    (void)state;
    begin(new_table(2));
    firn_schema *schema = NULL;
    json_t *updates = firn_json_own(arena, json_array());
    json_t *requirements = firn_json_own(arena, json_array());
    MUST(firn_schema_change_rename(change, "id", "id", &err));
    MUST(firn_schema_change_move(change, "id", FIRN_PLACE_FIRST, NULL, &err));
    MUST(firn_schema_change_finish(change, &schema, updates, requirements, &err));
    assert_int_equal(json_array_size(updates), 0);
    assert_int_equal(json_array_size(requirements), 0);
    assert_int_equal(schema->schema_id, 0);
}

static void properties_follow_their_columns(void **state)
{
    (void)state;
    begin(apply(new_table(2), "[{'action': 'set-properties', 'updates': {"
                              " 'write.metadata.metrics.column.data': 'full',"
                              " 'write.metadata.metrics.column.point.x': 'none',"
                              " 'write.parquet.bloom-filter-enabled.column.n': 'true',"
                              " 'write.parquet.stats-enabled.column.id': 'false',"
                              " 'write.metadata.metrics.column.gone': 'x'}}]"));
    MUST(firn_schema_change_rename(change, "data", "payload", &err));
    MUST(firn_schema_change_rename(change, "point", "place", &err));
    MUST(firn_schema_change_drop(change, "n", &err));
    assert_true(
        json_equal(commit()->properties,
                   json_of("{'owner': 'me', 'write.metadata.metrics.column.payload': 'full',"
                           " 'write.metadata.metrics.column.place.x': 'none',"
                           " 'write.parquet.stats-enabled.column.id': 'false',"
                           " 'write.metadata.metrics.column.gone': 'x'}")));
}

static void name_mappings_follow_the_schema(void **state)
{
    (void)state;
    const firn_metadata *base = new_table(2);
    json_t *properties = firn_json_own(arena, json_object());
    json_object_set_new(properties, "schema.name-mapping.default",
                        json_string(firn_name_mapping_of_schema(arena, base->schema)));
    json_t *updates = firn_json_own(arena, json_array());
    firn_update_set_properties(updates, properties);
    begin(apply_at(base, updates, base->last_updated_ms + 1));
    MUST(firn_schema_change_rename(change, "n", "number", &err));
    MUST(add("point", "z", "int", &err));
    MUST(firn_schema_change_drop(change, "data", &err));
    MUST(add(NULL, "data", "int", &err));
    const firn_metadata *m = commit();
    firn_name_mapping_field *fields;
    size_t n;
    MUST(firn_name_mapping_parse(
        arena, firn_metadata_property(m, "schema.name-mapping.default", ""), &fields, &n, &err));
    assert_int_equal(n, 10);
    assert_int_equal(fields[2].field_id, 3); /* the dropped column's name went to the new one */
    assert_int_equal(fields[2].n_names, 0);
    assert_int_equal(fields[3].n_names, 2);
    assert_string_equal(fields[3].names[0], "n");
    assert_string_equal(fields[3].names[1], "number");
    assert_int_equal(fields[6].n_fields, 3);
    assert_string_equal(fields[6].fields[2].names[0], "z");
    assert_string_equal(fields[9].names[0], "data");
    assert_int_equal(fields[9].field_id, 18);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(columns_are_added, set_up, tear_down),
        cmocka_unit_test_setup_teardown(added_structs_get_fresh_ids, set_up, tear_down),
        cmocka_unit_test_setup_teardown(additions_that_cannot_be, set_up, tear_down),
        cmocka_unit_test_setup_teardown(required_columns_need_a_default, set_up, tear_down),
        cmocka_unit_test_setup_teardown(columns_are_dropped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_column_may_take_a_dropped_ones_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(drops_that_cannot_be, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sort_columns_and_last_fields_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(columns_are_renamed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_can_be_swapped_in_steps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(types_only_widen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dates_widen_in_v3_where_partitions_allow, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(unknown_becomes_anything_in_v3, set_up, tear_down),
        cmocka_unit_test_setup_teardown(date_defaults_follow_their_type, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nullability, set_up, tear_down),
        cmocka_unit_test_setup_teardown(docs_and_defaults, set_up, tear_down),
        cmocka_unit_test_setup_teardown(columns_are_moved, set_up, tear_down),
        cmocka_unit_test_setup_teardown(moves_that_cannot_be, set_up, tear_down),
        cmocka_unit_test_setup_teardown(identifier_fields, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_changed_makes_no_updates, set_up, tear_down),
        cmocka_unit_test_setup_teardown(properties_follow_their_columns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(name_mappings_follow_the_schema, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
