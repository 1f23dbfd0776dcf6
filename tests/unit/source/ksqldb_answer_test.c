/* ksqlDB's answers: every form, every type, every way to end, and each of them cut at every byte. */
#include "ksqldb_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "arrow_text.h"

#include <cmocka.h>

typedef struct reading {
    firn_buf rows; /* a line each */
    firn_rc rc;
    firn_err err;
    bool over;
    char query_id[64];
} reading;

static void put_rows(reading *r, firn_ksqldb_answer *answer)
{
    struct ArrowSchema schema;
    struct ArrowArray array;
    firn_avro_decoder_arrow_schema(firn_json_decoder_shape(firn_ksqldb_answer_decoder(answer)),
                                   &schema);
    firn_ksqldb_answer_hand_out(answer, &array);
    for (int64_t i = 0; i < array.length; i++) {
        arrow_put(&r->rows, &schema, &array, i);
        firn_buf_putc(&r->rows, '\n');
    }
    array.release(&array);
    schema.release(&schema);
}

static firn_rc feed(reading *r, firn_ksqldb_answer *answer, const char *text, size_t len)
{
    while (len > 0) {
        size_t used;
        FIRN_TRY(firn_ksqldb_answer_feed(answer, firn_bytes_of(text, len), &used, &r->err));
        text += used;
        len -= used;
        if (firn_ksqldb_answer_is_full(answer))
            put_rows(r, answer);
        else
            assert_int_equal(len, 0);
    }
    return FIRN_OK;
}

/* In two pieces, or byte by byte (cut -1). Each piece is heap of its own, so that reading past it is seen. */
static void read_cut(reading *r, const firn_ksqldb_answer_options *options, const char *text,
                     long cut)
{
    *r = (reading){0};
    size_t len = strlen(text);
    firn_ksqldb_answer *answer = firn_ksqldb_answer_new(options);
    size_t piece = cut < 0 ? 1 : (size_t)cut;
    for (size_t at = 0; at < len && r->rc == FIRN_OK;) {
        size_t n = piece == 0 || piece > len - at ? len - at : piece;
        char *copy = malloc(n);
        memcpy(copy, text + at, n);
        r->rc = feed(r, answer, copy, n);
        free(copy);
        at += n;
        piece = cut < 0 ? 1 : 0;
    }
    if (r->rc == FIRN_OK)
        r->rc = firn_ksqldb_answer_end(answer, &r->err);
    if (firn_ksqldb_answer_decoder(answer))
        put_rows(r, answer);
    r->over = firn_ksqldb_answer_is_over(answer);
    const char *id = firn_ksqldb_answer_query_id(answer);
    snprintf(r->query_id, sizeof r->query_id, "%s", id ? id : "");
    firn_ksqldb_answer_free(answer);
}

static const firn_ksqldb_answer_options ROOMY = {
    .batch_bytes_max = 8 << 20, .batch_rows_max = 1000, .row_bytes_max = 1 << 20};

/* Whole, cut at every byte, and byte by byte: always the same. The caller frees rows. */
static void read_every_way(reading *out, const firn_ksqldb_answer_options *options,
                           const char *text)
{
    read_cut(out, options, text, 0);
    for (long cut = -1; cut < (long)strlen(text); cut++) {
        reading other;
        if (cut == 0)
            continue;
        read_cut(&other, options, text, cut);
        assert_int_equal(other.rc, out->rc);
        /* "unexpected" is followed by what the piece holds */
        if (!strstr(out->err.message, "unexpected"))
            assert_string_equal(other.err.message, out->err.message);
        assert_string_equal(firn_buf_cstr(&other.rows), firn_buf_cstr(&out->rows));
        assert_int_equal(other.over, out->over);
        firn_buf_deinit(&other.rows);
    }
}

/* ' stands for " in both. */
static void expect_with(const firn_ksqldb_answer_options *options, const char *text, firn_rc rc,
                        const char *message_part, const char *rows)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    reading r;
    read_every_way(&r, options, firn_str_replace(arena, text, "'", "\""));
    if (r.rc != rc)
        fail_msg("%s: %s", firn_rc_name(r.rc), r.err.message);
    if (message_part && !strstr(r.err.message, message_part))
        fail_msg("\"%s\" lacks \"%s\"", r.err.message, message_part);
    assert_string_equal(firn_str_replace(arena, firn_buf_cstr(&r.rows), "'", "\""),
                        firn_str_replace(arena, rows, "'", "\""));
    firn_buf_deinit(&r.rows);
}

static void expect(const char *text, const char *rows)
{
    expect_with(&ROOMY, text, FIRN_OK, NULL, rows);
}

static void expect_failure(const char *text, firn_rc rc, const char *message_part, const char *rows)
{
    expect_with(&ROOMY, text, rc, message_part, rows);
}

#define T      ", '__firn_tombstone': false}\n"
#define HEADER "[{'header':{'queryId':'q1','schema':'`A` INTEGER KEY, `B` STRING'}},\n"

/* ---- forms ----------------------------------------------------------------------------------- */

static void a_push_query_ends_with_its_final_message(void **state)
{
    (void)state;
    expect(HEADER "{'row':{'columns':[1,'x']}},\n{'row':{'columns':[2,null]}},\n"
                  "{'finalMessage':'Limit Reached'}]\n",
           "{'A': 1, 'B': 'x'" T "{'A': 2, 'B': null" T);
    reading r;
    read_cut(&r, &ROOMY,
             "[{\"header\":{\"queryId\":\"q1\",\"schema\":\"`A` INT\"}},{\"finalMessage\":\"x\"}]",
             0);
    assert_string_equal(r.query_id, "q1");
    assert_true(r.over);
    firn_buf_deinit(&r.rows);
}

static void a_pull_query_ends_with_its_bracket(void **state)
{
    (void)state;
    expect("[{'header':{'queryId':'x','schema':'`A` INTEGER'}},\n"
           "{'row':{'columns':[1]},'sourceHost':'h:1'},\n{'row':{'columns':[2]}}]",
           "{'A': 1" T "{'A': 2" T);
    expect("[{'header':{'queryId':'x','schema':'`A` INTEGER'}}]", "");
    expect("[{'header':{'schema':'`A` INTEGER'}},{'continuationToken':'t'},"
           "{'row':{'columns':[1]}},{'consistencyToken':{'consistencyToken':'AA=='}},\n]\n\n",
           "{'A': 1" T);
}

static void heartbeats_stand_anywhere_between_items(void **state)
{
    (void)state;
    expect("\n[{'header':{'schema':'`A` INTEGER'}},\n\n\n\n{'row':{'columns':[1]}}\n\n,\n\n"
           "{'row':{'columns':[2]}},\n\n\n{'finalMessage':'x'}\n]\n",
           "{'A': 1" T "{'A': 2" T);
}

static void deleted_rows_of_tables_are_marked(void **state)
{
    (void)state;
    expect(HEADER "{'row':{'columns':[1,'x']}},\n{'row':{'columns':[1,null],'tombstone':true}},\n"
                  "{'row':{'tombstone':false,'columns':[2,'y']}}]",
           "{'A': 1, 'B': 'x'" T "{'A': 1, 'B': null, '__firn_tombstone': true}\n"
           "{'A': 2, 'B': 'y'" T);
}

static void old_servers_name_every_member(void **state)
{
    (void)state;
    expect("[{'header':{'queryId':'q','schema':'`A` INTEGER'},'row':null,'errorMessage':null,"
           "'finalMessage':null},\n"
           "{'header':null,'row':{'columns':[7]},'errorMessage':null,'finalMessage':null},\n"
           "{'header':null,'row':null,'errorMessage':null,'finalMessage':'Limit Reached'}]",
           "{'A': 7" T);
}

static void lines_and_plain_arrays_are_read_too(void **state)
{
    (void)state;
    expect("{'queryId':'q','columnNames':['A','B`C'],'columnTypes':['BIGINT','ARRAY<STRING>']}\n"
           "[1,['x']]\n\n[2,[]]\n[3,null]\n",
           "{'A': 1, 'B`C': ['x']" T "{'A': 2, 'B`C': []" T "{'A': 3, 'B`C': null" T);
    expect("[{'queryId':null,'columnNames':['A'],'columnTypes':['BIGINT']},\n[1],\n[2]]",
           "{'A': 1" T "{'A': 2" T);
    expect("{'queryId':'q','columnNames':['A'],'columnTypes':['BIGINT']}\n", "");
}

/* ---- types ----------------------------------------------------------------------------------- */

static void value_of(const char *type, const char *json, const char *value)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    char *text = firn_arena_printf(
        arena,
        "[{'header':{'schema':'`V` %s'}},\n{'row':{'columns':[%s]}},\n{'row':{'columns':[null]}}]",
        type, json);
    expect(text, firn_arena_printf(arena, "{'V': %s" T "{'V': null" T, value));
}

static void every_type_has_its_column(void **state)
{
    (void)state;
    value_of("BOOLEAN", "true", "true");
    value_of("INTEGER", "-2147483648", "-2147483648");
    value_of("BIGINT", "9223372036854775807", "9223372036854775807");
    value_of("DOUBLE", "1.5E3", "1500");
    value_of("DOUBLE", "'NaN'", "nan");
    value_of("DOUBLE", "17", "17");
    value_of("STRING", "'a\\n\\u00e9 \\'q\\''", "'a\n\xc3\xa9 'q''");
    value_of("VARCHAR(STRING)", "''", "''");
    value_of("BYTES", "'AQL/'", "x'0102ff'");
    value_of("DECIMAL(10, 2)", "100.50", "10050");
    value_of("DECIMAL(10,2)", "-0.1", "-10");
    value_of("DECIMAL(18, 0)", "123456789012345678", "123456789012345678");
    value_of("DECIMAL(40, 2)", "12345678901234567890123456789012345678.12",
             "'12345678901234567890123456789012345678.12'");
    value_of("DATE", "'2025-01-15'", "20103");
    value_of("TIME", "'00:00:01.234'", "1234");
    value_of("TIME", "'23:59:59'", "86399000");
    value_of("TIMESTAMP", "'2025-01-15T10:00:00.123'", "1736935200123");
    value_of("TIMESTAMP", "'1969-12-31T23:59:59.999'", "-1");
    value_of("ARRAY<INTEGER>", "[1,null,3]", "[1, null, 3]");
    value_of("MAP<STRING, DOUBLE>", "{'a':1.5,'b':null}",
             "[{'key': 'a', 'value': 1.5}, {'key': 'b', 'value': null}]");
    value_of("MAP<INTEGER, STRING>", "{'1':'x'}", "[{'key': '1', 'value': 'x'}]");
    value_of("STRUCT<`a` BIGINT, `B` STRUCT<`c d` DECIMAL(4, 1)>, `E` ARRAY<DATE>>",
             "{'a':1,'B':{'c d':2.5},'E':['1970-01-02']}", "{'a': 1, 'B': {'c d': 25}, 'E': [1]}");
    value_of("STRUCT<>", "{}", "{}");
    value_of("ARRAY<MAP<STRING, ARRAY<STRUCT<`X` TIME>>>>", "[{'k':[{'X':'00:00:00.001'}]}]",
             "[[{'key': 'k', 'value': [{'X': 1}]}]]");
}

static const struct ArrowSchema *child(const struct ArrowSchema *schema, int64_t i)
{
    assert_true(i < schema->n_children);
    return schema->children[i];
}

/* Arrow's metadata is binary: a count, then lengths and texts. */
static bool metadata_has(const struct ArrowSchema *schema, const char *key)
{
    return schema->metadata && memmem(schema->metadata, 60, key, strlen(key)) != NULL;
}

static void columns_carry_their_arrow_types_and_marks(void **state)
{
    (void)state;
    static const char text[] =
        "[{\"header\":{\"schema\":\"`ID` BIGINT PRIMARY KEY, K STRING KEY, `D` DECIMAL(9, 3), `T` "
        "TIME, `TS` TIMESTAMP, `DT` DATE, `H` BYTES HEADER('x y'), `HS` ARRAY<STRUCT<`KEY` STRING, "
        "`VALUE` BYTES>> HEADERS, `M` MAP<STRING, INTEGER>\"}}]";
    static const char *const formats[] = {"l",   "u", "d:9,3", "ttm", "tsm:UTC",
                                          "tdD", "z", "+l",    "+m",  "b"};
    firn_ksqldb_answer *answer = firn_ksqldb_answer_new(&ROOMY);
    struct ArrowSchema schema;
    size_t used;
    assert_int_equal(
        firn_ksqldb_answer_feed(answer, firn_bytes_of(text, sizeof text - 1), &used, NULL), 0);
    firn_avro_decoder_arrow_schema(firn_json_decoder_shape(firn_ksqldb_answer_decoder(answer)),
                                   &schema);
    assert_int_equal(schema.n_children, 10);
    for (int i = 0; i < 10; i++) {
        assert_string_equal(child(&schema, i)->format, formats[i]);
        assert_int_equal(child(&schema, i)->flags & ARROW_FLAG_NULLABLE,
                         i == 9 ? 0 : ARROW_FLAG_NULLABLE);
    }
    assert_string_equal(child(&schema, 1)->name, "K");
    assert_string_equal(child(&schema, 9)->name, FIRN_KSQLDB_TOMBSTONE);
    assert_true(metadata_has(child(&schema, 0), "firn.ksqldb.key"));
    assert_true(metadata_has(child(&schema, 1), "firn.ksqldb.key"));
    assert_null(child(&schema, 2)->metadata);
    assert_true(metadata_has(child(&schema, 6), "firn.ksqldb.header"));
    assert_true(metadata_has(child(&schema, 7), "firn.ksqldb.header"));
    schema.release(&schema);
    firn_ksqldb_answer_free(answer);
}

static void what_does_not_fit_its_column_is_said(void **state)
{
    (void)state;
    const char *one = "{'A': 1, 'B': 'x'" T;
    expect_failure(HEADER "{'row':{'columns':[1,'x']}},\n{'row':{'columns':['y','x']}}]",
                   FIRN_E_TYPE, "row 2 of ksqlDB's answer: JSON member \"A\" (int)", one);
    expect_failure(HEADER "{'row':{'columns':[3000000000,'x']}}]", FIRN_E_TYPE, "out of range", "");
    expect_failure(HEADER "{'row':{'columns':[1]}}]", FIRN_E_CORRUPT, "fewer values", "");
    expect_failure(HEADER "{'row':{'columns':[1,'x',2]}}]", FIRN_E_CORRUPT, "more values", "");
    expect_failure("[{'header':{'schema':'`D` DECIMAL(3, 1)'}},{'row':{'columns':[1.25]}}]",
                   FIRN_E_TYPE, "more digits", "");
    expect_failure("[{'header':{'schema':'`A` FLOAT'}}]", FIRN_E_CORRUPT, "a type that ksqlDB has",
                   "");
    expect_failure("[{'header':{'schema':'`A` ARRAY<INTEGER'}}]", FIRN_E_CORRUPT, "\">\" expected",
                   "");
    expect_failure("[{'header':{'schema':'`A INTEGER'}}]", FIRN_E_CORRUPT, "quoted name", "");
    expect_failure("[{'header':{'schema':'`A` DECIMAL(2, 3)'}}]", FIRN_E_CORRUPT, "scale", "");
}

/* ---- ends ------------------------------------------------------------------------------------ */

#define ERROR "{'@type':'generic_error','error_code':50000,'message':'it\\nbroke'}"

static void an_error_in_mid_stream_is_no_end(void **state)
{
    (void)state;
    const char *one = "{'A': 1, 'B': 'x'" T;
    expect_failure(HEADER "{'row':{'columns':[1,'x']}},\n{'errorMessage':" ERROR "}]", FIRN_E_IO,
                   "it broke (error 50000)", one);
    expect_failure(HEADER "{'row':{'columns':[1,'x']}},\n{'errorMessage':" ERROR "},\n", FIRN_E_IO,
                   "it broke", one);
    expect_failure("{'queryId':'q','columnNames':['A','B'],'columnTypes':['INTEGER','STRING']}\n"
                   "[1,'x']\n" ERROR "\n",
                   FIRN_E_IO, "it broke", one);
    expect_failure("[{'errorMessage':{'error_code':40001,'message':'no such thing'}}]",
                   FIRN_E_SYNTAX, "no such thing", "");
    expect_failure("{'@type':'generic_error','error_code':50302,'message':'starting'}",
                   FIRN_E_UNAVAILABLE, "starting", "");
}

static void an_answer_that_was_cut_is_not_whole(void **state)
{
    (void)state;
    const char *one = "{'A': 1, 'B': 'x'" T;
    expect_failure(HEADER "{'row':{'columns':[1,'x']}},\n", FIRN_E_IO,
                   "without its closing bracket", one);
    expect_failure(HEADER "{'row':{'columns':[1,'x']}}", FIRN_E_IO, "without its closing bracket",
                   one);
    expect_failure(HEADER "{'row':{'columns':[1,'x']}},{'row':{'col", FIRN_E_IO,
                   "in the middle of a row", one);
    expect_failure("[", FIRN_E_IO, "before its header", "");
    expect_failure("\n\n", FIRN_E_IO, "before it began", "");
    expect(HEADER "{'row':{'columns':[1,'x']}},\n{'finalMessage':'x'},\n", one);
}

static void what_ksqldb_never_sends_is_refused(void **state)
{
    (void)state;
    expect_failure("<html>", FIRN_E_CORRUPT, "unexpected \"<", "");
    expect_failure("[{'row':{'columns':[1]}}]", FIRN_E_CORRUPT, "before its header", "");
    expect_failure("[]", FIRN_E_CORRUPT, "before its header", "");
    expect_failure(HEADER "{'row':{'columns':[1,'x']}} {'row':{'columns':[2,'x']}}]",
                   FIRN_E_CORRUPT, "unexpected", "{'A': 1, 'B': 'x'" T);
    expect_failure(HEADER "]]", FIRN_E_CORRUPT, "unexpected", "");
    expect_failure(HEADER HEADER, FIRN_E_CORRUPT, "an array where", "");
    expect_failure(HEADER "{'header':{'schema':'`A` INTEGER'}}]", FIRN_E_CORRUPT, "second header",
                   "");
    expect_failure(HEADER "{'hello':1}]", FIRN_E_CORRUPT, "neither row nor message", "");
    expect_failure(HEADER "{'row':{'columns':[1,'x'}]}]", FIRN_E_CORRUPT, "not a JSON", "");
    expect_failure(HEADER "{'row':{'columns':[1,'x']}", FIRN_E_IO, "middle of a row", "");
    expect_failure(HEADER "{'row':{}}]", FIRN_E_CORRUPT, "without columns", "");
    expect_failure("[{'header':{'queryId':'x'}}]", FIRN_E_CORRUPT, "without a schema", "");
    expect_failure("{'columnNames':['A'],'columnTypes':[]}", FIRN_E_CORRUPT, "do not match", "");
}

/* ---- bounds ---------------------------------------------------------------------------------- */

static void batches_end_at_their_bounds(void **state)
{
    (void)state;
    firn_ksqldb_answer_options few = ROOMY;
    few.batch_rows_max = 2;
    static const char rows[] = "{'A': 1, 'B': 'x'" T "{'A': 2, 'B': 'x'" T "{'A': 3, 'B': 'x'" T
                               "{'A': 4, 'B': 'x'" T "{'A': 5, 'B': 'x'" T;
    static const char text[] = HEADER
        "{'row':{'columns':[1,'x']}},{'row':{'columns':[2,'x']}},{'row':{'columns':[3,'x']}},"
        "{'row':{'columns':[4,'x']}},{'row':{'columns':[5,'x']}}]";
    expect_with(&few, text, FIRN_OK, NULL, rows);
    few = ROOMY;
    few.batch_bytes_max = 1;
    expect_with(&few, text, FIRN_OK, NULL, rows);
}

static void a_row_beyond_the_bound_is_refused(void **state)
{
    (void)state;
    firn_ksqldb_answer_options small = ROOMY;
    small.row_bytes_max = 80;
    expect_with(
        &small,
        HEADER "{'row':{'columns':[1,'x']}},{'row':{'columns':[2,'xxxxxxxxxxxxxxxxxxxxxxxxxxx"
               "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx']},'a':0},",
        FIRN_E_LIMIT, "row 2 of ksqlDB's answer is larger than 80 bytes", "{'A': 1, 'B': 'x'" T);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_push_query_ends_with_its_final_message),
        cmocka_unit_test(a_pull_query_ends_with_its_bracket),
        cmocka_unit_test(heartbeats_stand_anywhere_between_items),
        cmocka_unit_test(deleted_rows_of_tables_are_marked),
        cmocka_unit_test(old_servers_name_every_member),
        cmocka_unit_test(lines_and_plain_arrays_are_read_too),
        cmocka_unit_test(every_type_has_its_column),
        cmocka_unit_test(columns_carry_their_arrow_types_and_marks),
        cmocka_unit_test(what_does_not_fit_its_column_is_said),
        cmocka_unit_test(an_error_in_mid_stream_is_no_end),
        cmocka_unit_test(an_answer_that_was_cut_is_not_whole),
        cmocka_unit_test(what_ksqldb_never_sends_is_refused),
        cmocka_unit_test(batches_end_at_their_bounds),
        cmocka_unit_test(a_row_beyond_the_bound_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
