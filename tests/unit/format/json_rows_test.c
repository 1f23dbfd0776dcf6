/* Rows without names: arrays of values, one at a time and many, and what stands around them. */
#include "format/avro.h"
#include "format/json_columns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

typedef struct setup {
    firn_arena *arena;
    firn_json_decoder *decoder;
    firn_avro_batch *batch;
    const firn_avro_column *root;
    firn_err err;
} setup;

/* ' stands for ". The mark is added. */
static void begin(setup *s, const char *fields, bool even_batches)
{
    *s = (setup){.arena = firn_arena_new()};
    const char *text = firn_arena_printf(
        s->arena, "{'type':'record','name':'r','fields':[%s,{'name':'mark','type':'boolean'}]}",
        fields);
    text = firn_str_replace(s->arena, text, "'", "\"");
    const firn_avro_schema *schema;
    const firn_avro_decoder_opts opts = {.even_batches = even_batches,
                                         .keeps_buffers = even_batches};
    assert_int_equal(
        firn_avro_schema_parse(s->arena, firn_bytes_str(text), "test", &schema, &s->err), FIRN_OK);
    assert_int_equal(firn_json_decoder_new(s->arena, schema, &opts, &s->decoder, &s->err), FIRN_OK);
    s->batch = firn_avro_batch_new(firn_json_decoder_shape(s->decoder));
    s->root = firn_avro_batch_root(s->batch);
}

static void finish(setup *s)
{
    firn_avro_batch_free(s->batch);
    firn_arena_free(s->arena);
}

#define TWO "{'name':'a','type':['null','long']},{'name':'b','type':['null','string']}"

static firn_rc add(setup *s, const char *text, size_t *used)
{
    firn_err_clear(&s->err);
    return firn_json_decoder_row(s->decoder, firn_bytes_str(text), s->batch, used, &s->err);
}

static void a_row_is_its_values_in_order(void **state)
{
    (void)state;
    setup s;
    size_t used;
    begin(&s, TWO, false);
    assert_int_equal(add(&s, "[1,\"x\"]}}, and more", &used), FIRN_OK);
    assert_int_equal(used, 7);
    assert_int_equal(add(&s, "[ null , null ]", &used), FIRN_OK);
    firn_json_mark_row(s.batch);
    assert_int_equal(s.root->length, 2);
    assert_int_equal(firn_avro_column_i64(&s.root->children[0], 0), 1);
    assert_false(firn_avro_column_valid(&s.root->children[0], 1));
    assert_false(firn_avro_column_bool(&s.root->children[2], 0));
    assert_true(firn_avro_column_bool(&s.root->children[2], 1));
    finish(&s);
}

static void a_row_that_fails_leaves_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        firn_rc rc;
        const char *part;
    } cases[] = {
        {"[1]", FIRN_E_CORRUPT, "fewer values"},
        {"[1,\"x\",2]", FIRN_E_CORRUPT, "more values"},
        {"[1,\"x\"", FIRN_E_CORRUPT, "cut off"},
        {"[1,\"x", FIRN_E_CORRUPT, "cut off"},
        {"[]", FIRN_E_CORRUPT, ""},
        {"", FIRN_E_CORRUPT, "cut off"},
        {"{}", FIRN_E_CORRUPT, "in []"},
        {"[\"x\",\"x\"]", FIRN_E_TYPE, "member \"a\""},
        {"[1.5,\"x\"]", FIRN_E_TYPE, "not whole"},
    };
    setup s;
    size_t used;
    begin(&s, TWO, false);
    assert_int_equal(add(&s, "[1,\"x\"]", &used), FIRN_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(add(&s, cases[i].text, &used), cases[i].rc);
        if (!strstr(s.err.message, cases[i].part))
            fail_msg("\"%s\" lacks \"%s\"", s.err.message, cases[i].part);
        assert_int_equal(s.root->length, 1);
        for (int c = 0; c < 3; c++)
            assert_int_equal(s.root->children[c].length, 1);
    }
    finish(&s);
}

/* What of the text is taken as whole rows. */
static void expect_rows(const char *before, const char *after, bool comma, const char *text,
                        int64_t rows, const char *rest)
{
    setup s;
    begin(&s, TWO, false);
    const firn_json_frame frame = {.before = firn_bytes_str(before),
                                   .after = firn_bytes_str(after),
                                   .comma = comma,
                                   .row_bytes_max = 30};
    size_t used = firn_json_decoder_rows(s.decoder, &frame, firn_bytes_str(text), 3, s.batch);
    assert_string_equal(text + used, rest);
    assert_int_equal(s.root->length, rows);
    assert_int_equal(s.root->children[0].length, rows);
    finish(&s);
}

static void rows_are_taken_up_to_what_is_not_one(void **state)
{
    (void)state;
    expect_rows("", "", false, "[1,\"x\"]\n[2,null]\n", 2, "\n");
    expect_rows("", "", false, "[1,\"x\"][2,null] {\"e\":1}", 2, " {\"e\":1}");
    expect_rows("", "", true, "[1,\"x\"] , \n[2,null]]", 2, "]");
    expect_rows("", "", true, "[1,\"x\"] [2,null]]", 1, " [2,null]]");
    expect_rows("{\"r\":", "}", true, "{\"r\":[1,\"x\"]},{\"r\":[2,\"y\"],\"t\":1}", 1,
                ",{\"r\":[2,\"y\"],\"t\":1}");
    expect_rows("{\"r\":", "}", true, "{\"r\":[1,\"x\"]},{\"r\":[2,\"y", 1, ",{\"r\":[2,\"y");
    expect_rows("{\"r\":", "}", true, "{\"q\":[1,\"x\"]}", 0, "{\"q\":[1,\"x\"]}");
    expect_rows("", "", true, "[1,\"x\"],[\"bad\",1]", 1, ",[\"bad\",1]");
    expect_rows("", "", true, "[1,null],[2,null],[3,null],[4,null]", 3, ",[4,null]");
    expect_rows("", "", true, "[1,\"more than thirty bytes in one row\"]", 0,
                "[1,\"more than thirty bytes in one row\"]");
    expect_rows("", "", true, "", 0, "");
}

static void timestamps_and_decimals_are_exact_the_quick_way_and_the_other(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t at;
    } times[] = {
        {"2025-01-15T10:00:00.123", 1736935200123},
        {"1969-12-31T23:59:59.999", -1},
        {"2025-01-15T10:00:00.123Z", 1736935200123},
        {"2025-01-15T10:00:00", 1736935200000},
        {"2025-01-15 10:00:00.123", 1736935200123},
        {"0001-01-01T00:00:00.000", -62135596800000},
        {"2025-01-15T10:00:00.1", 1736935200100},
        {"9999-12-31T23:59:59.999", 253402300799999},
        {"2024-02-29T00:00:00.000", 1709164800000},
        {"2025-01-15T12:00:00.123+02:00", 1736935200123},
    };
    static const struct {
        const char *text;
        int64_t unscaled;
    } numbers[] = {{"100.50", 10050}, {"-0.01", -1}, {"7", 700},     {"1e2", 10000},
                   {"0", 0},          {"-0.00", 0},  {"1.500", 150}, {"99999999.99", 9999999999}};
    static const char *const bad[] = {"[\"2025-02-30T10:00:00.000\",1]",
                                      "[\"2025-01-15T24:00:00.000\",1]",
                                      "[\"2025-01-15T10:60:00.000\",1]",
                                      "[\"2025-01-15T10:00:60.000\",1]",
                                      "[\"2025-01-1xT10:00:00.000\",1]",
                                      "[\"2025-01-15T1a:00:00.000\",1]",
                                      "[null,100000000.00]",
                                      "[null,1.005]"};
    setup s;
    size_t used;
    begin(&s,
          "{'name':'t','type':['null',{'type':'long','logicalType':'timestamp-millis'}]},"
          "{'name':'d','type':['null',{'type':'bytes','logicalType':'decimal','precision':10,"
          "'scale':2}]}",
          false);
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        assert_int_equal(add(&s, firn_arena_printf(s.arena, "[\"%s\",null]", times[i].text), &used),
                         FIRN_OK);
        assert_int_equal(firn_avro_column_i64(&s.root->children[0], s.root->length - 1),
                         times[i].at);
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        __int128 value;
        assert_int_equal(add(&s, firn_arena_printf(s.arena, "[null,%s]", numbers[i].text), &used),
                         FIRN_OK);
        memcpy(&value, firn_avro_column_bytes(&s.root->children[1], s.root->length - 1).data, 16);
        assert_true(value == numbers[i].unscaled);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(add(&s, bad[i], &used), FIRN_E_TYPE);
    finish(&s);
}

/* Batches of about one size: the second has its room at once, and takes no more than the rows need. */
static void even_batches_begin_with_the_room_of_the_last(void **state)
{
    (void)state;
    setup s;
    size_t used, full, room;
    struct ArrowArray array;
    begin(&s, TWO, true);
    for (int i = 0; i < 5000; i++)
        assert_int_equal(add(&s, "[1,\"some text or other\"]", &used), FIRN_OK);
    full = firn_avro_batch_used_bytes(s.batch);
    assert_true(full > 5000 * 26 && full <= firn_avro_batch_bytes(s.batch));
    firn_avro_batch_arrow_array(s.batch, &array);
    array.release(&array);
    assert_int_equal(firn_avro_batch_used_bytes(s.batch), 0);
    assert_int_equal(add(&s, "[1,\"some text or other\"]", &used), FIRN_OK);
    room = firn_avro_batch_bytes(s.batch);
    assert_true(room >= full && room < full + full / 8);
    assert_true(firn_avro_batch_used_bytes(s.batch) < 200);
    for (int i = 1; i < 5000; i++)
        assert_int_equal(add(&s, "[1,\"some text or other\"]", &used), FIRN_OK);
    assert_int_equal(firn_avro_batch_bytes(s.batch), room); /* nothing had to grow */
    finish(&s);
}

/* Where lengths and validity lag behind: nulls, values that are not plain, and a row that is taken back, at every place. */
static void rows_that_are_not_plain_leave_the_others_right(void **state)
{
    (void)state;
    enum { ROWS = 40 };
    for (int odd = 0; odd < ROWS; odd++) {
        setup s;
        FIRN_AUTO_BUF firn_buf text = {0};
        begin(&s, TWO ",{'name':'c','type':['null','boolean']}", false);
        for (int i = 0; i < ROWS; i++) {
            if (i == odd)
                firn_buf_puts(&text, "[1e1,null,true]");
            else if (i % (odd + 1) == 3)
                firn_buf_puts(&text, "[null,\"an \\\"escape\\\"\",null]");
            else
                firn_buf_printf(&text, "[%d,\"text %d\",%s]", i, i, i % 3 ? "true" : "false");
        }
        firn_buf_puts(&text,
                      "[7,\"taken back\",true ? and some more, so that all before it is plain");
        const firn_json_frame frame = {.row_bytes_max = 1000};
        size_t used =
            firn_json_decoder_rows(s.decoder, &frame, firn_buf_bytes(&text), 1000, s.batch);
        assert_memory_equal(text.data + used, "[7,", 3);
        assert_int_equal(s.root->length, ROWS);
        const firn_avro_column *a = &s.root->children[0], *b = a + 1, *c = a + 2;
        int64_t nulls = 0;
        for (int i = 0; i < ROWS; i++) {
            bool other = i != odd && i % (odd + 1) == 3;
            char expected[32];
            snprintf(expected, sizeof expected, other ? "an \"escape\"" : "text %d", i);
            nulls += other;
            assert_int_equal(firn_avro_column_valid(a, i), !other);
            assert_int_equal(firn_avro_column_valid(b, i), i != odd);
            assert_int_equal(firn_avro_column_valid(c, i), !other);
            assert_int_equal(((const int64_t *)(const void *)a->data)[i], other      ? 0
                                                                          : i == odd ? 10
                                                                                     : i);
            firn_bytes bytes = firn_avro_column_bytes(b, i);
            assert_int_equal(bytes.len, i == odd ? 0 : strlen(expected));
            assert_memory_equal(bytes.len ? (const char *)bytes.data : "", expected, bytes.len);
            assert_int_equal(firn_avro_column_bool(c, i), !other && (i == odd || i % 3 != 0));
        }
        assert_int_equal(a->null_count, nulls);
        assert_int_equal(b->null_count, 1);
        assert_int_equal(c->null_count, nulls);
        assert_int_equal(c->validity[ROWS / 8], 0);
        assert_int_equal(c->data[ROWS / 8], 0);
        finish(&s);
    }
}

static void expect_member(const char *object, const char *name, const char *value)
{
    firn_bytes out;
    assert_int_equal(firn_json_member_text(firn_bytes_str(object), name, &out, NULL), FIRN_OK);
    assert_int_equal(out.len, strlen(value));
    assert_memory_equal(out.data ? (const char *)out.data : "", value, out.len);
}

static void members_are_found_as_text(void **state)
{
    (void)state;
    firn_bytes out;
    firn_err err;
    expect_member("{\"a\": [1, {\"b\": 2}], \"b\": \"x\"}", "a", "[1, {\"b\": 2}]");
    expect_member(" {\"a\":1,\"b\" : \"x\" } ", "b", "\"x\"");
    expect_member("{\"a\":1,\"a\":2}", "a", "2");
    expect_member("{}", "a", "");
    static const char *const bad[] = {"",        "[",        "{",          "{\"a\"",
                                      "{\"a\":", "{\"a\":1", "{\"a\":1}x", "{a:1}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(firn_json_member_text(firn_bytes_str(bad[i]), "a", &out, &err),
                         FIRN_E_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_is_its_values_in_order),
        cmocka_unit_test(a_row_that_fails_leaves_nothing),
        cmocka_unit_test(rows_are_taken_up_to_what_is_not_one),
        cmocka_unit_test(timestamps_and_decimals_are_exact_the_quick_way_and_the_other),
        cmocka_unit_test(even_batches_begin_with_the_room_of_the_last),
        cmocka_unit_test(rows_that_are_not_plain_leave_the_others_right),
        cmocka_unit_test(members_are_found_as_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
