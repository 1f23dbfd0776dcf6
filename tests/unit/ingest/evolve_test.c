/* Schema evolution as tables of cases: a table's columns, the records' columns, what comes of it. */
#include "ingest/evolve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static firn_arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = firn_arena_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    firn_arena_free(arena);
    return 0;
}

/* ---- schemas as text ----------------------------------------------------------------------------------
 * "id! long, s {a int, b! string}, l [{x int}], m <string, double>"; '!' is NOT NULL, "quoted" names may hold
 * anything. */

static const char *cursor;
static int32_t next_id;

static const firn_type *read_type(void);

static void skip_blanks(void)
{
    while (*cursor == ' ' || *cursor == ',') {
        cursor++;
    }
}

static const char *read_name(void)
{
    skip_blanks();
    char stop = ' ';
    if (*cursor == '"') {
        stop = *cursor++;
    }
    const char *from = cursor;
    while (*cursor != '\0' && *cursor != stop && !(stop == ' ' && *cursor == '!')) {
        cursor++;
    }
    const char *name = firn_arena_strndup(arena, from, (size_t)(cursor - from));
    cursor += stop == '"';
    return name;
}

static firn_field *read_fields(char end, size_t *n)
{
    FIRN_VEC(firn_field) fields = {0};
    for (skip_blanks(); *cursor != end; skip_blanks()) {
        firn_field field = {.id = ++next_id, .name = read_name()};
        field.required = *cursor == '!';
        cursor += field.required;
        field.type = read_type();
        firn_vec_push(arena, &fields, field);
    }
    cursor += end != '\0';
    *n = fields.len;
    return fields.items;
}

static firn_field inner(const char *name, bool required)
{
    return (firn_field){.id = ++next_id, .name = name, .required = required, .type = read_type()};
}

static const firn_type *read_type(void)
{
    skip_blanks();
    firn_type *type = FIRN_NEW(arena, firn_type);
    char open = *cursor;
    if (open == '{' || open == '[' || open == '<') {
        cursor++;
    }
    if (open == '{') {
        type->id = FIRN_TYPE_STRUCT;
        type->fields = read_fields('}', &type->n_fields);
        return type;
    }
    if (open == '[' || open == '<') {
        type->id = open == '[' ? FIRN_TYPE_LIST : FIRN_TYPE_MAP;
        type->fields = FIRN_NEW_N(arena, firn_field, 2);
        type->fields[type->n_fields++] = open == '[' ? inner("element", false) : inner("key", true);
        if (open == '<') {
            type->fields[type->n_fields++] = inner("value", false);
        }
        skip_blanks();
        assert_int_equal(*cursor, open == '[' ? ']' : '>');
        cursor++;
        return type;
    }
    const char *from = cursor;
    int depth = 0;
    while (*cursor != '\0' && (depth > 0 || strchr(",]}>", *cursor) == NULL)) {
        depth += (strchr("([", *cursor) != NULL) - (strchr(")]", *cursor) != NULL);
        cursor++;
    }
    const char *text = firn_arena_strndup(arena, from, (size_t)(cursor - from));
    const firn_type *primitive = firn_type_parse_primitive(arena, text);
    if (primitive == NULL) {
        fail_msg("'%s' is no type", text);
    }
    return primitive;
}

static firn_schema *schema_of(const char *text)
{
    firn_schema *schema = FIRN_NEW(arena, firn_schema);
    cursor = text;
    next_id = 0;
    schema->root.id = FIRN_TYPE_STRUCT;
    schema->root.fields = read_fields('\0', &schema->root.n_fields);
    return schema;
}

static const firn_metadata *table_of(const char *columns, int format_version)
{
    const firn_table_create create = {
        .schema = schema_of(columns),
        .location = "file:///lake/t",
        .properties = firn_json_own(
            arena, json_pack("{s:s}", "format-version", format_version == 3 ? "3" : "2")),
    };
    firn_err err = {0};
    json_t *updates = NULL;
    firn_metadata *table = NULL;
    if (firn_table_create_updates(arena, &create, &updates, &err) != FIRN_OK ||
        firn_updates_apply(arena, NULL, firn_json_own(arena, updates),
                           &(firn_update_options){.now_ms = 1700000000000}, &table,
                           &err) != FIRN_OK) {
        fail_msg("%s", err.message);
    }
    return table;
}

static const char *joined(const char *const *sentences, size_t n)
{
    return n > 0 ? firn_str_join(arena, sentences, n, "; ") : "";
}

/* ---- checks ------------------------------------------------------------------------------------------ */

static const firn_metadata *commit(const firn_metadata *table, const firn_evolution *evolution)
{
    firn_err err = {0};
    firn_metadata *after = NULL;
    const firn_update_options at = {.now_ms = table->last_updated_ms + 1,
                                    .previous_location = "file:///lake/t/metadata/1.json"};
    if (firn_requirements_check(evolution->requirements, table, &err) != FIRN_OK ||
        firn_updates_apply(arena, table, evolution->updates, &at, &after, &err) != FIRN_OK) {
        fail_msg("%s", err.message);
    }
    assert_true(firn_type_equal(&after->schema->root, &evolution->schema->root));
    return after;
}

static firn_evolution evolve(const firn_metadata *table, const firn_schema *records,
                             const firn_evolve_options *options)
{
    firn_evolution evolution = {0};
    firn_err err = {0};
    if (firn_evolve(arena, table, records, options, &evolution, &err) != FIRN_OK) {
        fail_msg("%s", err.message);
    }
    return evolution;
}

typedef struct evolve_case {
    const char *table, *records;
    const char *changes;
    const char *after; /* the table's root as text; NULL: not looked at */
} evolve_case;

/* The changes are those said; committed, they leave nothing to do for the same records. */
static void check_changes(const evolve_case *c, int format_version,
                          const firn_evolve_options *options)
{
    const firn_metadata *table = table_of(c->table, format_version);
    const firn_schema *records = schema_of(c->records);
    firn_evolution evolution = evolve(table, records, options);
    assert_string_equal(joined(evolution.unsafe, evolution.n_unsafe), "");
    assert_string_equal(joined(evolution.changes, evolution.n_changes), c->changes);
    if (*c->changes == '\0') {
        assert_int_equal(json_array_size(evolution.updates), 0);
        assert_int_equal(json_array_size(evolution.requirements), 0);
        assert_ptr_equal(evolution.schema, table->schema);
        return;
    }
    const firn_metadata *after = commit(table, &evolution);
    if (c->after != NULL) {
        assert_string_equal(firn_type_text(arena, &after->schema->root), c->after);
    }
    firn_evolution again = evolve(after, records, options);
    assert_int_equal(again.n_changes + again.n_unsafe, 0);
    assert_int_equal(json_array_size(again.updates), 0);
}

static void check_unsafe(const char *table, const char *records, int format_version,
                         const firn_evolve_options *options, const char *sentences)
{
    firn_evolution evolution = evolve(table_of(table, format_version), schema_of(records), options);
    assert_string_equal(joined(evolution.unsafe, evolution.n_unsafe), sentences);
    assert_int_equal(evolution.n_changes, 0);
    assert_int_equal(json_array_size(evolution.updates), 0);
    assert_int_equal(json_array_size(evolution.requirements), 0);
}

/* ---- what is done ------------------------------------------------------------------------------------ */

static void columns_are_added_at_every_depth(void **state)
{
    (void)state;
    static const evolve_case cases[] = {
        {"id! long", "id! long, note string", "adds column note string",
         "struct<1: id: required long, 2: note: optional string>"},
        {"id long", "note! string, id long", "adds column note string",
         "struct<1: id: optional long, 2: note: optional string>"},
        {"id long, s {a int}", "id long, s {b! double, a int}", "adds column s.b double",
         "struct<1: id: optional long, 2: s: optional struct<3: a: optional int, "
         "4: b: optional double>>"},
        {"l [{a int}]", "l [{a int, b int}]", "adds column l.element.b int",
         "struct<1: l: optional list<struct<3: a: optional int, 4: b: optional int>>>"},
        {"m <string, {a int}>", "m <string, {a int, b int}>", "adds column m.value.b int", NULL},
        {"s {t {l [{a int}]}}", "s {t {l [{a int, b int}], u int}}",
         "adds column s.t.l.element.b int; adds column s.t.u int", NULL},
        {"id int", "id int, s {a! int, b! [long], c! <string, long>}", "adds column s struct",
         "struct<1: id: optional int, 2: s: optional struct<3: a: optional int, "
         "4: b: optional list<long>, 5: c: optional map<string, long>>>"},
        {"id int", "id int, \"odd name: \xc3\xa9 'x'\" string",
         "adds column odd name: \xc3\xa9 'x' string", NULL},
        {"id int", "id int, \"a.b\" string", "adds column a.b string", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check_changes(&cases[i], 2, NULL);
        check_changes(&cases[i], 3, NULL);
    }
}

static void columns_are_widened(void **state)
{
    (void)state;
    static const evolve_case cases[] = {
        {"n int", "n long", "widens column n from int to long", NULL},
        {"n float", "n double", "widens column n from float to double", NULL},
        {"n decimal(9,2)", "n decimal(18,2)",
         "widens column n from decimal(9, 2) to decimal(18, 2)", NULL},
        {"s {n int}", "s {n long}", "widens column s.n from int to long", NULL},
        {"l [int]", "l [long]", "widens column l.element from int to long", NULL},
        {"m <string, float>", "m <string, double>", "widens column m.value from float to double",
         NULL},
        {"l [{n int}]", "l [{n long, o int}]",
         "widens column l.element.n from int to long; adds column l.element.o int", NULL},
        {"\"a.b\" int", "\"a.b\" long", "widens column a.b from int to long", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check_changes(&cases[i], 2, NULL);
    }
    static const evolve_case v3[] = {
        {"d date", "d timestamp", "widens column d from date to timestamp", NULL},
        {"d date", "d timestamp_ns", "widens column d from date to timestamp_ns", NULL},
        {"u unknown, id int", "u string, id int", "widens column u from unknown to string", NULL},
    };
    for (size_t i = 0; i < sizeof(v3) / sizeof(v3[0]); i++) {
        check_changes(&v3[i], 3, NULL);
    }
}

static void what_fits_changes_nothing(void **state)
{
    (void)state;
    static const evolve_case cases[] = {
        {"id! long, s string", "s string, id! long", "", NULL},
        {"n long", "n int", "", NULL},
        {"n double", "n float", "", NULL},
        {"n double", "n long", "", NULL},
        {"n float", "n int", "", NULL},
        {"n decimal(18,2)", "n decimal(9,2)", "", NULL},
        {"n decimal(18,4)", "n decimal(9,2)", "", NULL},
        {"n decimal(10,0)", "n int", "", NULL},
        {"n decimal(21,2)", "n long", "", NULL},
        {"d timestamp", "d date", "", NULL},
        {"b binary", "b fixed[16]", "", NULL},
        {"id long, extra string", "id long", "", NULL},
        {"Id long, Name string", "id long, NAME string", "", NULL},
        {"id long, ID string", "id long, ID string", "", NULL},
        {"s {A int, b int}", "s {B int, a int}", "", NULL},
        {"m <string, int>", "m <string, int>", "", NULL},
        {"id! long", "id long", "", NULL}, /* nothing is known of nulls */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check_changes(&cases[i], 2, NULL);
    }
    static const evolve_case v3[] = {
        {"d timestamp_ns", "d timestamp", "", NULL},
        {"d timestamptz_ns", "d timestamptz", "", NULL},
        {"id int", "id int, nulls unknown", "", NULL},
        {"id int", "id int, s {nulls unknown}, l [unknown], m <string, unknown>", "", NULL},
        {"n string", "n unknown", "", NULL},
        {"id int", "id int, s {a int, nulls unknown}", "adds column s struct",
         "struct<1: id: optional int, 2: s: optional struct<3: a: optional int>>"},
    };
    for (size_t i = 0; i < sizeof(v3) / sizeof(v3[0]); i++) {
        check_changes(&v3[i], 3, NULL);
    }
}

static void required_columns_are_relaxed(void **state)
{
    (void)state;
    const firn_evolve_options known = {.nullability_known = true};
    static const evolve_case cases[] = {
        {"a! int, b int", "a int, b int",
         "makes column a optional: the records' schema allows nulls in it", NULL},
        {"a! int, b int", "b int", "makes column a optional: the records do not have it", NULL},
        {"s {a! int, b int}", "s {b int}", "makes column s.a optional: the records do not have it",
         NULL},
        {"s {a! int}", "s {a int}",
         "makes column s.a optional: the records' schema allows nulls in it", NULL},
        {"l [{a! int, b int}]", "l [{b long}]",
         "widens column l.element.b from int to long; "
         "makes column l.element.a optional: the records do not have it",
         NULL},
        {"a! int, b int", "a! int, b! int", "", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check_changes(&cases[i], 2, &known);
    }
    check_changes(&cases[1], 2, NULL); /* a column that is missing is missing anyway */
}

static void a_default_stands_in_for_a_missing_column(void **state)
{
    (void)state;
    const firn_metadata *table = table_of("id int", 3);
    firn_schema_change *change = firn_schema_change_new(arena, table);
    firn_evolution added = {.updates = firn_json_own(arena, json_array()),
                            .requirements = firn_json_own(arena, json_array())};
    firn_field field = {.name = "status",
                        .required = true,
                        .type = firn_type_parse_primitive(arena, "string"),
                        .write_default = firn_json_own(arena, json_string("new"))};
    firn_schema *schema = NULL;
    assert_int_equal(firn_schema_change_add(change, NULL, &field, NULL), FIRN_OK);
    assert_int_equal(
        firn_schema_change_finish(change, &schema, added.updates, added.requirements, NULL),
        FIRN_OK);
    added.schema = schema;
    table = commit(table, &added);
    firn_evolution evolution = evolve(table, schema_of("id int"), NULL);
    assert_int_equal(evolution.n_changes + evolution.n_unsafe, 0);
}

/* ---- what is not ------------------------------------------------------------------------------------- */

static void other_types_are_unsafe(void **state)
{
    (void)state;
    static const struct {
        const char *table, *records;
        int format_version;
        const char *sentences;
    } cases[] = {
        {"price long", "price string", 2, "price: the table has long, the records have string"},
        {"n int", "n double", 2, "n: the table has int, the records have double"},
        {"n long", "n decimal(20,0)", 2, "n: the table has long, the records have decimal(20, 0)"},
        {"n decimal(9,2)", "n decimal(9,4)", 2,
         "n: the table has decimal(9, 2), the records have decimal(9, 4)"},
        {"n decimal(12,4)", "n decimal(12,2)", 2,
         "n: the table has decimal(12, 4), the records have decimal(12, 2)"},
        {"n decimal(9,0)", "n int", 2, "n: the table has decimal(9, 0), the records have int"},
        {"n double", "n decimal(9,2)", 2,
         "n: the table has double, the records have decimal(9, 2)"},
        {"a string", "a [string]", 2, "a: the table has string, the records have list<string>"},
        {"a [string]", "a string", 2, "a: the table has list<string>, the records have string"},
        {"a {b int}", "a <string, int>", 2,
         "a: the table has struct, the records have map<string, int>"},
        {"s {n long}", "s {n string}", 2, "s.n: the table has long, the records have string"},
        {"l [long]", "l [string]", 2, "l.element: the table has long, the records have string"},
        {"t timestamp", "t timestamptz", 2,
         "t: the table has timestamp, the records have timestamptz"},
        {"t timestamp", "t timestamp_ns", 3,
         "t: the table has timestamp, the records have timestamp_ns"},
        {"d timestamptz", "d date", 3, "d: the table has timestamptz, the records have date"},
        {"b fixed[8]", "b fixed[16]", 2, "b: the table has fixed[8], the records have fixed[16]"},
        {"b boolean", "b int", 2, "b: the table has boolean, the records have int"},
        {"u uuid", "u string", 2, "u: the table has uuid, the records have string"},
        {"d date", "d timestamp", 2,
         "d: the table has date, the records have timestamp (Cannot change column type: d: date -> "
         "timestamp needs format version 3 and the table is version 2)"},
        {"m <int, string>", "m <long, string>", 2,
         "m.key: the table has int, the records have long"},
        {"m <{a int}, string>", "m <{a int, b int}, string>", 2,
         "m.key.b: the table does not have it, and the keys of a map cannot change"},
        {"m <{a! int, b int}, string>", "m <{b int}, string>", 2,
         "m.key.a: it belongs to a map's key and is NOT NULL, but the records do not have it"},
        {"a int, b int", "a string, b string, c int", 2,
         "a: the table has int, the records have string; "
         "b: the table has int, the records have string"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check_unsafe(cases[i].table, cases[i].records, cases[i].format_version, NULL,
                     cases[i].sentences);
    }
}

static void names_that_cannot_be_told_apart_are_unsafe(void **state)
{
    (void)state;
    check_unsafe("id int, ID int", "Id int", 2, NULL,
                 "Id: the table has several columns of that name in other letter case");
    check_unsafe("id int", "id int, ID int", 2, NULL,
                 "ID: the records have id beside it, and the table one column for both");
    check_unsafe("id int", "id int, note int, Note int", 2, NULL,
                 "Note: Cannot add column, name already exists: Note");
    check_unsafe("id int", "id int, \"\" int", 2, NULL, ": Cannot add a column without a name");
    check_unsafe("a {b int}", "a {b int}, \"a.b\" int", 2, NULL,
                 "a.b: a name with a dot in it reads like the path of another column; rename it "
                 "with a transform");
    check_unsafe("id int", "a {b int}, \"a.b\" int", 2, NULL,
                 "a.b: a name with a dot in it reads like the path of another column; rename it "
                 "with a transform");
    check_unsafe("id int", "id int, v variant", 2, NULL,
                 "v: Invalid type for v: variant is not supported until v3; upgrade the table "
                 "(now version 2) first");
}

static void keys_stay_required(void **state)
{
    (void)state;
    static const char *const key[] = {"id", "Region"};
    const firn_evolve_options options = {.key = key, .n_key = 2, .nullability_known = true};
    check_unsafe("id! long, region! string, v int", "id long, v int", 2, &options,
                 "id: it identifies rows and is NOT NULL, but the records' schema allows nulls in "
                 "it; region: it identifies rows and is NOT NULL, but the records do not have it");
    const evolve_case wider = {"id! int, region! string", "id! long, region! string, v int",
                               "widens column id from int to long; adds column v int", NULL};
    check_changes(&wider, 2, &options);
    const evolve_case nested = {"id! int, region! string, s {id! int}",
                                "id! int, region! string, s {id int}",
                                "makes column s.id optional: the records' schema allows nulls in "
                                "it",
                                NULL};
    check_changes(&nested, 2, &options);
}

static void identifier_fields_stay_required(void **state)
{
    (void)state;
    const firn_metadata *table = table_of("id! long, v int", 2);
    firn_schema_change *change = firn_schema_change_new(arena, table);
    firn_evolution identified = {.updates = firn_json_own(arena, json_array()),
                                 .requirements = firn_json_own(arena, json_array())};
    firn_schema *schema = NULL;
    assert_int_equal(firn_schema_change_identifier(change, (const char *[]){"id"}, 1, NULL),
                     FIRN_OK);
    assert_int_equal(firn_schema_change_finish(change, &schema, identified.updates,
                                               identified.requirements, NULL),
                     FIRN_OK);
    identified.schema = schema;
    table = commit(table, &identified);
    firn_evolution evolution = evolve(table, schema_of("v long"), NULL);
    assert_string_equal(joined(evolution.unsafe, evolution.n_unsafe),
                        "id: it identifies rows and is NOT NULL, but the records do not have it");
    assert_int_equal(json_array_size(evolution.updates), 0);
}

static void a_schema_has_its_limit(void **state)
{
    (void)state;
    FIRN_AUTO_BUF firn_buf many = {0};
    for (int i = 0; i < 10001; i++) {
        firn_buf_printf(&many, "c%d int, ", i);
    }
    check_unsafe("id int", firn_buf_cstr(&many), 2, NULL,
                 "the table: would have 10002 columns and members, and 10000 are the limit; leave "
                 "some out with a transform");
}

/* Two processes meet the new schema at once: each made its updates on the same head, and one commit wins. */
static void the_loser_of_a_race_has_nothing_left_to_do(void **state)
{
    (void)state;
    const firn_metadata *head = table_of("id long", 2);
    const firn_schema *records = schema_of("id long, note string, n int");
    firn_evolution first = evolve(head, records, NULL);
    firn_evolution second = evolve(head, schema_of("n int, id long, note string, x int"), NULL);
    const firn_metadata *after = commit(head, &first);
    firn_err err = {0};
    assert_int_equal(firn_requirements_check(second.requirements, after, &err), FIRN_E_CONFLICT);
    assert_int_equal(evolve(after, records, NULL).n_changes, 0);
    firn_evolution retried = evolve(after, schema_of("n int, id long, note string, x int"), NULL);
    assert_string_equal(joined(retried.changes, retried.n_changes), "adds column x int");
    after = commit(after, &retried);
    assert_string_equal(firn_type_text(arena, &after->schema->root),
                        "struct<1: id: optional long, 2: note: optional string, "
                        "3: n: optional int, 4: x: optional int>");
}

int main(void)
{
#define WITH_ARENA(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_ARENA(columns_are_added_at_every_depth),
        WITH_ARENA(columns_are_widened),
        WITH_ARENA(what_fits_changes_nothing),
        WITH_ARENA(required_columns_are_relaxed),
        WITH_ARENA(a_default_stands_in_for_a_missing_column),
        WITH_ARENA(other_types_are_unsafe),
        WITH_ARENA(names_that_cannot_be_told_apart_are_unsafe),
        WITH_ARENA(keys_stay_required),
        WITH_ARENA(identifier_fields_stay_required),
        WITH_ARENA(a_schema_has_its_limit),
        WITH_ARENA(the_loser_of_a_race_has_nothing_left_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
