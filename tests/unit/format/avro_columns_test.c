/* Columnar decoding: the layout of every column type, unions, resolution by name and by field id, what is refused, and
 * that a failed call leaves the batch as it was.
 */
#include "avro_util.h"

/* Encode records given as JSON with `writer`, decode as `reader` (NULL: as written), hand back the batch. */
typedef struct fixture {
    const firn_avro_schema *writer;
    firn_avro_decoder *decoder;
    firn_avro_batch *batch;
    const firn_avro_column *root;
} fixture;

static fixture open_fixture(firn_arena *arena, const char *writer, const char *reader,
                            const firn_avro_decoder_opts *opts)
{
    firn_err err = {0};
    fixture f = {.writer = schema_of(arena, writer)};
    const firn_avro_schema *as = reader ? schema_of(arena, reader) : NULL;
    assert_ok(firn_avro_decoder_new(arena, f.writer, as, opts, &f.decoder, &err), &err);
    f.batch = batch_of(arena, f.decoder);
    f.root = firn_avro_batch_root(f.batch);
    return f;
}

static firn_rc decode_one(firn_arena *arena, fixture *f, const char *json, firn_err *err)
{
    return firn_avro_decoder_decode(f->decoder, datum_of(arena, f->writer, json), 1, f->batch, err);
}

static void add(firn_arena *arena, fixture *f, const char *json)
{
    firn_err err = {0};
    assert_ok(decode_one(arena, f, json, &err), &err);
}

/* A record `r` with the single field `x` of the given type, and its column after decoding some values. */
static const char *one_field(firn_arena *arena, const char *type)
{
    return firn_arena_printf(
        arena, "{'type': 'record', 'name': 'r', 'fields': [{'name': 'x', 'type': %s}]}", type);
}

static const firn_avro_column *column_of(firn_arena *arena, const char *writer, const char *reader,
                                         const char *const *values)
{
    fixture f = open_fixture(arena, one_field(arena, writer),
                             reader ? one_field(arena, reader) : NULL, NULL);
    for (; *values; values++)
        add(arena, &f, firn_arena_printf(arena, "{'x': %s}", *values));
    return &f.root->children[0];
}

#define COLUMN(type, ...) column_of(*state, type, NULL, (const char *const[]){__VA_ARGS__, NULL})
#define COLUMN_AS(type, reader, ...) \
    column_of(*state, type, reader, (const char *const[]){__VA_ARGS__, NULL})

static void assert_text(const firn_avro_column *column, int64_t row, const char *text)
{
    firn_bytes bytes = firn_avro_column_bytes(column, row);
    assert_int_equal(bytes.len, strlen(text));
    assert_memory_equal(bytes.data, text, bytes.len);
}

/* ---- layout ---- */

static void numbers_are_plain_arrays(void **state)
{
    const firn_avro_column *c = COLUMN("'int'", "1", "-2147483648", "3");
    assert_int_equal(c->type, FIRN_AVRO_COL_INT32);
    assert_int_equal(c->length, 3);
    assert_null(c->validity);
    assert_int_equal(firn_avro_column_i32(c, 1), INT32_MIN);
    c = COLUMN("'long'", "9223372036854775807");
    assert_true(firn_avro_column_i64(c, 0) == INT64_MAX);
    c = COLUMN("'float'", "1.5", "-2");
    assert_true(firn_avro_column_f32(c, 1) == -2);
    c = COLUMN("'double'", "1.5", "0.1");
    assert_true(firn_avro_column_f64(c, 1) == 0.1);
}

static void booleans_are_bits(void **state)
{
    const firn_avro_column *c = COLUMN("'boolean'", "true", "false", "true", "false", "false",
                                       "false", "false", "false", "true");
    assert_int_equal(c->data[0], 0x05);
    assert_int_equal(c->data[1], 0x01);
    assert_true(firn_avro_column_bool(c, 8));
    assert_false(firn_avro_column_bool(c, 7));
}

static void optional_values_have_validity(void **state)
{
    const firn_avro_column *c = COLUMN("['null', 'long']", "null", "7", "null");
    assert_true(c->nullable);
    assert_int_equal(c->null_count, 2);
    assert_int_equal(c->validity[0], 0x02);
    assert_false(firn_avro_column_valid(c, 0));
    assert_true(firn_avro_column_valid(c, 1));
    assert_int_equal(firn_avro_column_i64(c, 1), 7);
    assert_int_equal(firn_avro_column_i64(c, 0), 0);

    c = COLUMN("['string', 'null']", "'a'", "null"); /* either order */
    assert_true(firn_avro_column_valid(c, 0));
    assert_false(firn_avro_column_valid(c, 1));

    c = COLUMN("['string']", "'only'"); /* a union of one is that one */
    assert_int_equal(c->type, FIRN_AVRO_COL_STRING);
    assert_false(c->nullable);
}

static void texts_are_offsets_and_bytes(void **state)
{
    const firn_avro_column *c = COLUMN("['null', 'string']", "'ab'", "null", "''", "'héé'");
    assert_int_equal(c->type, FIRN_AVRO_COL_STRING);
    const int32_t offsets[] = {0, 2, 2, 2, 7};
    assert_memory_equal(c->offsets, offsets, sizeof offsets);
    assert_text(c, 0, "ab");
    assert_text(c, 2, "");
    assert_text(c, 3, "héé");
}

static void enums_are_their_symbols(void **state)
{
    const firn_avro_column *c =
        COLUMN("{'type': 'enum', 'name': 'e', 'symbols': ['RED', 'GREEN']}", "'GREEN'", "'RED'");
    assert_int_equal(c->type, FIRN_AVRO_COL_STRING);
    assert_text(c, 0, "GREEN");
    assert_text(c, 1, "RED");
}

static void decimals_are_128_bits(void **state)
{
    const char *type = "{'type': 'bytes', 'logicalType': 'decimal', 'precision': 10, 'scale': 2}";
    const firn_avro_column *c =
        COLUMN(type, "'\\u0005\\u008c'", "'\\u00ff'",
               "'\\u00ff\\u00ff\\u00ff\\u00ff\\u00ff\\u00ff\\u00ff\\u00ff\\u00ff\\u00ff\\u00ff"
               "\\u00ff\\u00ff\\u00ff\\u00ff\\u00ff\\u00ff\\u00fe'"); /* 18 bytes */
    assert_int_equal(c->type, FIRN_AVRO_COL_DECIMAL128);
    assert_int_equal(c->item_size, 16);
    assert_int_equal(firn_avro_column_i64(c, 0), 1420);
    assert_int_equal(firn_avro_column_i64(c, 1), 0);
    assert_int_equal(firn_avro_column_i64(c, 2), -1);
    assert_int_equal(firn_avro_column_i64(c, 3), -1);
    assert_int_equal(firn_avro_column_i64(c, 4), -2);
    assert_int_equal(firn_avro_column_i64(c, 5), -1);
}

static void decimals_too_large_are_corrupt(void **state)
{
    const char *type = "{'type': 'bytes', 'logicalType': 'decimal', 'precision': 38, 'scale': 0}";
    fixture f = open_fixture(*state, one_field(*state, type), NULL, NULL);
    firn_err err = {0};
    const char *seventeen = "{'x': 'aaaaaaaaaaaaaaaaa'}";
    assert_fails(decode_one(*state, &f, seventeen, &err), FIRN_E_CORRUPT, &err, "16 bytes");
    assert_fails(decode_one(*state, &f, "{'x': ''}", &err), FIRN_E_CORRUPT, &err, "16 bytes");
}

static void lists_are_offsets_into_a_child(void **state)
{
    const firn_avro_column *c =
        COLUMN("['null', {'type': 'array', 'items': 'int'}]", "[1, 2]", "null", "[]", "[3]");
    assert_int_equal(c->type, FIRN_AVRO_COL_LIST);
    const int32_t offsets[] = {0, 2, 2, 2, 3};
    assert_memory_equal(c->offsets, offsets, sizeof offsets);
    assert_int_equal(c->children[0].length, 3);
    assert_int_equal(firn_avro_column_i32(&c->children[0], 2), 3);
    assert_string_equal(c->children[0].name, "element");
}

static void maps_and_kv_arrays_have_one_shape(void **state)
{
    const firn_avro_column *c =
        COLUMN("{'type': 'map', 'values': 'long'}", "{'a': 1, 'b': 2}", "{}");
    assert_int_equal(c->type, FIRN_AVRO_COL_MAP);
    assert_int_equal(c->offsets[2], 2);
    const firn_avro_column *entries = &c->children[0];
    assert_int_equal(entries->type, FIRN_AVRO_COL_STRUCT);
    assert_text(&entries->children[0], 1, "b");
    assert_int_equal(firn_avro_column_i64(&entries->children[1], 1), 2);

    c = COLUMN(
        "{'type': 'array', 'logicalType': 'map', 'items': {'type': 'record', 'name': 'kv', 'fields': ["
        "{'name': 'key', 'type': 'int', 'field-id': 5}, {'name': 'value', 'type': 'bytes', 'field-id': 6}]}}",
        "[{'key': 3, 'value': 'x'}]");
    assert_int_equal(c->type, FIRN_AVRO_COL_MAP);
    assert_int_equal(firn_avro_column_i32(firn_avro_column_by_id(c, 5), 0), 3);
    assert_text(firn_avro_column_by_name(c, "value"), 0, "x");
    assert_null(firn_avro_column_by_id(c, 7));
    assert_null(firn_avro_column_by_id(c, -1));
}

static void null_structs_pad_their_children(void **state)
{
    const firn_avro_column *c = COLUMN(
        "['null', {'type': 'record', 'name': 'in', 'fields': [{'name': 'i', 'type': 'int'},"
        "{'name': 's', 'type': 'string'}, {'name': 'n', 'type': 'null'},"
        "{'name': 'b', 'type': 'boolean'}, {'name': 'l', 'type': {'type': 'array', 'items': 'int'}}]}]",
        "null", "{'i': 5, 's': 'five', 'n': null, 'b': true, 'l': [1]}", "null");
    assert_int_equal(c->type, FIRN_AVRO_COL_STRUCT);
    assert_int_equal(c->null_count, 2);
    for (size_t i = 0; i < c->child_count; i++)
        assert_int_equal(c->children[i].length, 3);
    assert_int_equal(firn_avro_column_i32(&c->children[0], 1), 5);
    assert_text(&c->children[1], 1, "five");
    assert_text(&c->children[1], 2, "");
    assert_false(firn_avro_column_valid(&c->children[2], 1));
    assert_false(firn_avro_column_bool(&c->children[3], 2));
    assert_int_equal(c->children[4].offsets[3], 1);
}

static void general_unions_are_tagged_structs(void **state)
{
    const firn_avro_column *c = COLUMN("['int', 'null', 'string']", "1", "null", "'two'");
    assert_int_equal(c->type, FIRN_AVRO_COL_STRUCT);
    assert_true(c->is_union && c->nullable);
    assert_int_equal(c->child_count, 3);
    assert_string_equal(c->children[0].name, "tag");
    assert_string_equal(c->children[2].name, "string");
    assert_int_equal(firn_avro_column_i32(&c->children[0], 0), 0);
    assert_int_equal(firn_avro_column_i32(&c->children[1], 0), 1);
    assert_false(firn_avro_column_valid(&c->children[2], 0));
    assert_false(firn_avro_column_valid(c, 1));
    assert_int_equal(firn_avro_column_i32(&c->children[0], 2), 1);
    assert_text(&c->children[2], 2, "two");
    assert_false(firn_avro_column_valid(&c->children[1], 2));
}

static void many_rows_grow_every_buffer(void **state)
{
    enum { ROWS = 100000 };
    fixture f = open_fixture(*state,
                             "{'type': 'record', 'name': 'r', 'fields': ["
                             "{'name': 'i', 'type': ['null', 'int']},"
                             "{'name': 'b', 'type': 'boolean'},"
                             "{'name': 'l', 'type': {'type': 'array', 'items': 'string'}}]}",
                             NULL, NULL);
    FIRN_AUTO_BUF firn_buf buf = {0};
    for (int i = 0; i < ROWS; i++) {
        firn_avro_put_long(&buf, i % 3 != 0);
        if (i % 3 != 0)
            firn_avro_put_long(&buf, i);
        firn_avro_put_boolean(&buf, i % 2);
        firn_avro_put_long(&buf, 2);
        firn_avro_put_string(&buf, "x");
        firn_avro_put_string(&buf, i % 2 ? "odd" : "even");
        firn_avro_put_long(&buf, 0);
    }
    firn_err err = {0};
    assert_ok(firn_avro_decoder_decode(f.decoder, firn_buf_bytes(&buf), ROWS, f.batch, &err), &err);
    assert_ok(firn_avro_decoder_decode(f.decoder, firn_buf_bytes(&buf), ROWS, f.batch, &err), &err);
    const firn_avro_column *numbers = &f.root->children[0];
    const firn_avro_column *texts = &f.root->children[2].children[0];
    assert_int_equal(f.root->length, 2 * ROWS);
    assert_int_equal(texts->length, 4 * ROWS);
    for (int row = 0; row < 2 * ROWS; row++) {
        int i = row % ROWS;
        assert_int_equal(firn_avro_column_valid(numbers, row), i % 3 != 0);
        assert_int_equal(firn_avro_column_i32(numbers, row), i % 3 != 0 ? i : 0);
        assert_int_equal(firn_avro_column_bool(&f.root->children[1], row), i % 2);
        assert_text(texts, row * 2 + 1, i % 2 ? "odd" : "even");
    }

    firn_avro_batch_clear(f.batch); /* and what was set before does not shine through */
    add(*state, &f, "{'i': null, 'b': false, 'l': []}");
    assert_int_equal(f.root->length, 1);
    assert_int_equal(numbers->null_count, 1);
    assert_false(firn_avro_column_valid(numbers, 0));
    assert_false(firn_avro_column_bool(&f.root->children[1], 0));
}

/* ---- resolution ---- */

static void promotions(void **state)
{
    assert_int_equal(firn_avro_column_i64(COLUMN_AS("'int'", "'long'", "-5"), 0), -5);
    assert_true(firn_avro_column_f32(COLUMN_AS("'int'", "'float'", "-5"), 0) == -5);
    assert_true(firn_avro_column_f64(COLUMN_AS("'int'", "'double'", "-5"), 0) == -5);
    assert_true(firn_avro_column_f32(COLUMN_AS("'long'", "'float'", "-5"), 0) == -5);
    assert_true(firn_avro_column_f64(COLUMN_AS("'long'", "'double'", "-5"), 0) == -5);
    assert_true(firn_avro_column_f64(COLUMN_AS("'float'", "'double'", "0.5"), 0) == 0.5);
    assert_text(COLUMN_AS("'bytes'", "'string'", "'x'"), 0, "x");
    assert_text(COLUMN_AS("'string'", "'bytes'", "'x'"), 0, "x");
    const firn_avro_column *c = COLUMN_AS("'int'", "['null', 'long']", "4");
    assert_true(c->nullable && firn_avro_column_valid(c, 0));
    assert_int_equal(firn_avro_column_i64(c, 0), 4);
    c = COLUMN_AS("['int', 'long']", "'double'", "4", "5000000000");
    assert_true(firn_avro_column_f64(c, 0) == 4 && firn_avro_column_f64(c, 1) == 5e9);
    c = COLUMN_AS("'int'", "['string', 'double']", "4");
    assert_true(c->is_union && firn_avro_column_i32(&c->children[0], 0) == 1);
    assert_true(firn_avro_column_f64(&c->children[2], 0) == 4);
}

static void decimals_of_other_sizes_are_the_same_numbers(void **state)
{
    const firn_avro_column *c = COLUMN_AS(
        "{'type': 'fixed', 'name': 'd', 'size': 2, 'logicalType': 'decimal', 'precision': 4, 'scale': 1}",
        "{'type': 'fixed', 'name': 'd', 'size': 9, 'logicalType': 'decimal', 'precision': 20, 'scale': 1}",
        "'\\u00ff\\u00fe'");
    assert_int_equal(firn_avro_column_i64(c, 0), -2);
}

static void assert_unresolvable(firn_arena *arena, const char *writer, const char *reader,
                                const char *message)
{
    firn_err err = {0};
    firn_avro_decoder *decoder;
    const firn_avro_schema *from = schema_of(arena, one_field(arena, writer));
    const firn_avro_schema *to = schema_of(arena, one_field(arena, reader));
    assert_fails(firn_avro_decoder_new(arena, from, to, NULL, &decoder, &err), FIRN_E_TYPE, &err,
                 message);
}

static void types_that_do_not_resolve_are_named(void **state)
{
    assert_unresolvable(*state, "'long'", "'int'",
                        "field \"x\": Avro data written as long cannot be read as int");
    assert_unresolvable(*state, "'string'", "['null', 'int']", "no branch of the union fits");
    assert_unresolvable(*state, "['null', 'string']", "'int'", "cannot be read as int");
    assert_unresolvable(*state, "{'type': 'array', 'items': 'string'}",
                        "{'type': 'array', 'items': 'int'}", "items of array");
    assert_unresolvable(*state, "{'type': 'long', 'logicalType': 'timestamp-millis'}",
                        "{'type': 'long', 'logicalType': 'timestamp-micros'}", "differ in unit");
    assert_unresolvable(*state,
                        "{'type': 'bytes', 'logicalType': 'decimal', 'precision': 4, 'scale': 1}",
                        "{'type': 'bytes', 'logicalType': 'decimal', 'precision': 4, 'scale': 2}",
                        "differ in unit or scale");
}

static void a_branch_that_does_not_resolve_fails_when_met(void **state)
{
    fixture f = open_fixture(*state, one_field(*state, "['null', 'int', 'string']"),
                             one_field(*state, "['null', 'int']"), NULL);
    add(*state, &f, "{'x': 1}");
    add(*state, &f, "{'x': null}");
    firn_err err = {0};
    assert_fails(decode_one(*state, &f, "{'x': 'text'}", &err), FIRN_E_TYPE, &err,
                 "Avro data written as string cannot be read as union");
    assert_int_equal(f.root->length, 2);
}

static const char *const people =
    "{'type': 'record', 'name': 'r', 'fields': ["
    "{'name': 'a', 'type': 'int', 'field-id': 1},"
    "{'name': 'skipped', 'type': {'type': 'array', 'items': 'string'}, 'field-id': 2},"
    "{'name': 'b', 'type': 'string', 'field-id': 3}]}";

static void fields_pair_by_name_and_alias(void **state)
{
    fixture f = open_fixture(
        *state, people,
        "{'type': 'record', 'name': 'r', 'fields': ["
        "{'name': 'new', 'type': 'string', 'default': 'dflt'},"
        "{'name': 'renamed', 'aliases': ['q', 'b'], 'type': 'string'},"
        "{'name': 'a', 'type': 'long'},"
        "{'name': 'opt', 'type': ['null', 'int'], 'default': null},"
        "{'name': 'list', 'type': {'type': 'array', 'items': 'int'}, 'default': [1, 2]}]}",
        NULL);
    add(*state, &f, "{'a': 1, 'skipped': ['x', 'y'], 'b': 'bee'}");
    add(*state, &f, "{'a': 2, 'skipped': [], 'b': 'boo'}");
    assert_text(firn_avro_column_by_name(f.root, "new"), 1, "dflt");
    assert_text(firn_avro_column_by_name(f.root, "renamed"), 1, "boo");
    assert_int_equal(firn_avro_column_i64(firn_avro_column_by_name(f.root, "a"), 1), 2);
    assert_int_equal(firn_avro_column_by_name(f.root, "opt")->null_count, 2);
    assert_int_equal(firn_avro_column_by_name(f.root, "list")->offsets[2], 4);
    assert_null(firn_avro_column_by_name(f.root, "skipped"));
}

static void fields_pair_by_field_id(void **state)
{
    const char *reader = "{'type': 'record', 'name': 'other', 'fields': ["
                         "{'name': 'b', 'type': 'long', 'field-id': 1},"
                         "{'name': 'a', 'type': ['null', 'int'], 'default': null, 'field-id': 9},"
                         "{'name': 'c', 'type': 'string', 'field-id': 3}]}";
    firn_avro_decoder_opts opts = {.by_field_id = true};
    fixture f = open_fixture(*state, people, reader, &opts);
    add(*state, &f, "{'a': 7, 'skipped': [], 'b': 'bee'}");
    assert_int_equal(firn_avro_column_i64(firn_avro_column_by_id(f.root, 1), 0), 7);
    assert_false(firn_avro_column_valid(firn_avro_column_by_id(f.root, 9), 0));
    assert_text(firn_avro_column_by_id(f.root, 3), 0, "bee");
}

static void a_missing_field_needs_a_default(void **state)
{
    firn_err err = {0};
    firn_avro_decoder *decoder;
    const firn_avro_schema *writer = schema_of(*state, people);
    const firn_avro_schema *reader = schema_of(*state, one_field(*state, "'int'"));
    assert_fails(firn_avro_decoder_new(*state, writer, reader, NULL, &decoder, &err), FIRN_E_TYPE,
                 &err, "field \"x\" is not in the data and has no default");
}

static void enums_resolve_by_symbol(void **state)
{
    const char *writer = "{'type': 'enum', 'name': 'e', 'symbols': ['A', 'B', 'C']}";
    const firn_avro_column *c =
        COLUMN_AS(writer, "{'type': 'enum', 'name': 'e', 'symbols': ['C', 'X'], 'default': 'X'}",
                  "'C'", "'A'");
    assert_text(c, 0, "C");
    assert_text(c, 1, "X");

    fixture f =
        open_fixture(*state, one_field(*state, writer),
                     one_field(*state, "{'type': 'enum', 'name': 'e', 'symbols': ['C']}"), NULL);
    firn_err err = {0};
    assert_fails(decode_one(*state, &f, "{'x': 'A'}", &err), FIRN_E_TYPE, &err,
                 "neither the symbol");
}

/* ---- refused, bounded, taken back ---- */

static void a_failed_call_leaves_the_batch_as_it_was(void **state)
{
    fixture f =
        open_fixture(*state,
                     "{'type': 'record', 'name': 'r', 'fields': ["
                     "{'name': 'n', 'type': ['null', 'int']},"
                     "{'name': 'b', 'type': 'boolean'},"
                     "{'name': 'l', 'type': {'type': 'array', 'items': ['null', 'string']}},"
                     "{'name': 'in', 'type': ['null', {'type': 'record', 'name': 'i', 'fields': ["
                     "{'name': 'm', 'type': {'type': 'map', 'values': 'long'}}]}]},"
                     "{'name': 'last', 'type': 'int'}]}",
                     NULL, NULL);
    const char *good = "{'n': 1, 'b': true, 'l': [null, 'x'], 'in': {'m': {'k': 1}}, 'last': 5}";
    add(*state, &f, good);
    firn_bytes datum = datum_of(*state, f.writer, good);
    FIRN_AUTO_BUF firn_buf twice = {0};
    firn_buf_append(&twice, datum.data, datum.len);
    firn_buf_append(&twice, datum.data, datum.len);

    /* Cut anywhere in the second record, the first is not kept either. */
    for (size_t cut = datum.len; cut < twice.len; cut++) {
        firn_err err = {0};
        firn_rc rc =
            firn_avro_decoder_decode(f.decoder, firn_bytes_of(twice.data, cut), 2, f.batch, &err);
        assert_int_equal(rc, FIRN_E_CORRUPT);
        assert_int_equal(f.root->length, 1);
        assert_int_equal(f.root->children[0].null_count, 0);
        assert_int_equal(f.root->children[2].children[0].length, 2);
        assert_int_equal(f.root->children[2].children[0].null_count, 1);
        assert_int_equal(f.root->children[3].children[0].children[0].length, 1);
    }
    add(*state, &f, "{'n': null, 'b': false, 'l': [null], 'in': null, 'last': 6}");
    assert_false(firn_avro_column_valid(&f.root->children[0], 1));
    assert_false(firn_avro_column_bool(&f.root->children[1], 1));
    assert_false(firn_avro_column_valid(&f.root->children[2].children[0], 2));
    assert_false(firn_avro_column_valid(&f.root->children[3], 1));
}

static void errors_name_record_and_field(void **state)
{
    fixture f = open_fixture(*state, one_field(*state, "'boolean'"), NULL, NULL);
    firn_err err = {0};
    assert_fails(firn_avro_decoder_decode(f.decoder, firn_bytes_of("\0\1\7", 3), 3, f.batch, &err),
                 FIRN_E_CORRUPT, &err,
                 "Avro record 2 of 3: field \"x\" of type boolean: malformed");
    assert_fails(firn_avro_decoder_decode(f.decoder, firn_bytes_of("\0\1", 2), 1, f.batch, &err),
                 FIRN_E_CORRUPT, &err, "bytes are left after the last record");
    assert_fails(firn_avro_decoder_decode(f.decoder, firn_bytes_of("\0\1", 2), 3, f.batch, &err),
                 FIRN_E_CORRUPT, &err, "2 bytes cannot hold 3");
}

static void texts_must_be_utf8(void **state)
{
    fixture f = open_fixture(*state, one_field(*state, "'string'"), NULL, NULL);
    firn_err err = {0};
    firn_bytes bad = firn_bytes_of("\4\xc3(", 3);
    assert_fails(firn_avro_decoder_decode(f.decoder, bad, 1, f.batch, &err), FIRN_E_CORRUPT, &err,
                 "not valid UTF-8");
    firn_avro_decoder_opts opts = {.unchecked_utf8 = true};
    f = open_fixture(*state, one_field(*state, "'string'"), NULL, &opts);
    assert_ok(firn_avro_decoder_decode(f.decoder, bad, 1, f.batch, &err), &err);
}

static void memory_is_bounded(void **state)
{
    firn_avro_decoder_opts opts = {.batch_bytes_max = 1 << 16};
    fixture f = open_fixture(*state, one_field(*state, "'bytes'"), NULL, &opts);
    FIRN_AUTO_BUF firn_buf datum = {0};
    firn_avro_put_long(&datum, 10000);
    memset(firn_buf_reserve(&datum, 10000), 'a', 10000);
    datum.len += 10000;
    firn_err err = {0};
    firn_rc rc;
    int rows = 0;
    while ((rc = firn_avro_decoder_decode(f.decoder, firn_buf_bytes(&datum), 1, f.batch, &err)) ==
           FIRN_OK)
        rows++;
    assert_int_equal(rc, FIRN_E_LIMIT);
    assert_in_range(rows, 1, 6);
    assert_int_equal(f.root->length, rows);
    firn_avro_batch_clear(f.batch);
    assert_ok(firn_avro_decoder_decode(f.decoder, firn_buf_bytes(&datum), 1, f.batch, &err), &err);
}

static void items_without_bytes_are_bounded(void **state)
{
    fixture f =
        open_fixture(*state, one_field(*state, "{'type': 'array', 'items': 'null'}"), NULL, NULL);
    FIRN_AUTO_BUF firn_buf buf = {0};
    firn_avro_put_long(&buf, 1000000000000);
    firn_avro_put_long(&buf, 0);
    firn_err err = {0};
    assert_fails(firn_avro_decoder_decode(f.decoder, firn_buf_bytes(&buf), 1, f.batch, &err),
                 FIRN_E_LIMIT, &err, "without content");

    f = open_fixture(*state, "{'type': 'record', 'name': 'r', 'fields': []}", NULL, NULL);
    assert_ok(firn_avro_decoder_decode(f.decoder, (firn_bytes){0}, 1000, f.batch, &err), &err);
    assert_int_equal(f.root->length, 1000);
    assert_fails(firn_avro_decoder_decode(f.decoder, (firn_bytes){0}, INT64_MAX, f.batch, &err),
                 FIRN_E_LIMIT, &err, "without content");
}

/* Who skips a block goes by its byte size, so a decoder must not see other data in it. */
static void block_sizes_must_not_lie(void **state)
{
    const char *const types[] = {"{'type': 'array', 'items': 'int'}",
                                 "{'type': 'map', 'values': 'null'}"};
    const char *const items[] = {"\2\4", "\2a"};
    for (int i = 0; i < 2; i++) {
        for (int64_t size = 0; size <= 3; size++) {
            fixture f = open_fixture(*state, one_field(*state, types[i]), NULL, NULL);
            FIRN_AUTO_BUF firn_buf buf = {0};
            firn_avro_put_long(&buf, i == 0 ? -2 : -1);
            firn_avro_put_long(&buf, size);
            firn_buf_append(&buf, items[i], 2);
            firn_avro_put_long(&buf, 0);
            firn_err err = {0};
            firn_bytes data = firn_buf_bytes(&buf);
            firn_rc want = size == 2 ? FIRN_OK : FIRN_E_CORRUPT;
            assert_int_equal(firn_avro_decoder_decode(f.decoder, data, 1, f.batch, &err), want);
            firn_avro_cursor cursor = firn_avro_cursor_of(data);
            firn_avro_value value;
            assert_int_equal(
                firn_avro_value_decode(*state, f.writer, NULL, NULL, &cursor, &value, &err), want);
        }
    }
}

/* Types that share others multiply: 2^30 columns from a schema of 31 records. */
static void columns_are_bounded(void **state)
{
    FIRN_AUTO_BUF firn_buf text = {0};
    firn_buf_puts(&text,
                  "{'type': 'record', 'name': 'top', 'fields': [{'name': 'f', 'type': "
                  "{'type': 'record', 'name': 'r0', 'fields': [{'name': 'x', 'type': 'int'}]}}");
    for (int i = 1; i <= 30; i++)
        firn_buf_printf(&text,
                        ", {'name': 'f%d', 'type': {'type': 'record', 'name': 'r%d', 'fields': ["
                        "{'name': 'a', 'type': 'r%d'}, {'name': 'b', 'type': 'r%d'}]}}",
                        i, i, i - 1, i - 1);
    firn_buf_puts(&text, "]}");
    const firn_avro_schema *schema = schema_of(*state, firn_buf_cstr(&text));
    firn_err err = {0};
    firn_avro_decoder *decoder;
    assert_fails(firn_avro_decoder_new(*state, schema, NULL, NULL, &decoder, &err), FIRN_E_LIMIT,
                 &err, "columns");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        arena_test(numbers_are_plain_arrays),
        arena_test(booleans_are_bits),
        arena_test(optional_values_have_validity),
        arena_test(texts_are_offsets_and_bytes),
        arena_test(enums_are_their_symbols),
        arena_test(decimals_are_128_bits),
        arena_test(decimals_too_large_are_corrupt),
        arena_test(lists_are_offsets_into_a_child),
        arena_test(maps_and_kv_arrays_have_one_shape),
        arena_test(null_structs_pad_their_children),
        arena_test(general_unions_are_tagged_structs),
        arena_test(many_rows_grow_every_buffer),
        arena_test(promotions),
        arena_test(decimals_of_other_sizes_are_the_same_numbers),
        arena_test(types_that_do_not_resolve_are_named),
        arena_test(a_branch_that_does_not_resolve_fails_when_met),
        arena_test(fields_pair_by_name_and_alias),
        arena_test(fields_pair_by_field_id),
        arena_test(a_missing_field_needs_a_default),
        arena_test(enums_resolve_by_symbol),
        arena_test(a_failed_call_leaves_the_batch_as_it_was),
        arena_test(errors_name_record_and_field),
        arena_test(texts_must_be_utf8),
        arena_test(memory_is_bounded),
        arena_test(items_without_bytes_are_bounded),
        arena_test(block_sizes_must_not_lie),
        arena_test(columns_are_bounded),
    };
    return cmocka_run_group_tests_name("format/avro_columns", tests, NULL, NULL);
}
