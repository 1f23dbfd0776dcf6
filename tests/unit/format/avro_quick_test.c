/* The short way for fields of Avro records and the way that knows everything give the same columns, and refuse the same records in the same words. Random
 * records, whole, cut off at every byte and with bytes changed; values of every length; batches that are full.
 */
#include "avro_quick.h"
#include "avro_same.h"
#include "avro_util.h"

#include <stdio.h>

enum { QUICK, GENERAL, WAYS, RECORDS = 3000, BATCH_ROWS_MAX = 300 };

typedef struct fixture {
    const firn_avro_schema *writer;
    firn_avro_decoder *decoder;
    firn_avro_batch *batches[WAYS];
    firn_avro_column *roots[WAYS];
} fixture;

static fixture open_fixture(firn_arena *arena, const char *writer, const char *reader,
                            const firn_avro_decoder_opts *opts)
{
    firn_err err = {0};
    fixture f = {.writer = schema_of(arena, writer)};
    const firn_avro_schema *as = reader ? schema_of(arena, reader) : NULL;
    assert_ok(firn_avro_decoder_new(arena, f.writer, as, opts, &f.decoder, &err), &err);
    for (int w = 0; w < WAYS; w++) {
        f.batches[w] = batch_of(arena, f.decoder);
        f.roots[w] = (firn_avro_column *)firn_avro_batch_root(f.batches[w]);
    }
    avro_forget_quick(f.roots[GENERAL]);
    return f;
}

/* Decode both ways, from memory of exactly that size; gives what both say. */
static firn_rc decode(fixture *f, firn_bytes data, int64_t count)
{
    firn_err errs[WAYS] = {0};
    firn_rc rcs[WAYS];
    uint8_t *exact = malloc(data.len > 0 ? data.len : 1);
    if (data.len > 0)
        memcpy(exact, data.data, data.len);
    for (int w = 0; w < WAYS; w++)
        rcs[w] = firn_avro_decoder_decode(f->decoder, firn_bytes_of(exact, data.len), count,
                                          f->batches[w], &errs[w]);
    free(exact);
    assert_int_equal(rcs[QUICK], rcs[GENERAL]);
    assert_string_equal(errs[QUICK].message, errs[GENERAL].message);
    assert_int_equal(f->roots[QUICK]->length, f->roots[GENERAL]->length);
    return rcs[QUICK];
}

static void assert_same(const fixture *f)
{
    assert_true(avro_same_columns(f->roots[QUICK], f->roots[GENERAL]));
    assert_int_equal(firn_avro_batch_bytes(f->batches[QUICK]),
                     firn_avro_batch_bytes(f->batches[GENERAL]));
}

static void clear(fixture *f)
{
    for (int w = 0; w < WAYS; w++)
        firn_avro_batch_clear(f->batches[w]);
}

/* How many of a record's fields are taken quickly, one after the other. */
static size_t count_quick(fixture *f, firn_bytes data)
{
    firn_avro_column *root = f->roots[QUICK];
    firn_err err = {0};
    assert_ok(firn_avro_batch_add_filler(f->batches[QUICK], &err), &err);
    firn_avro_batch_clear(f->batches[QUICK]);
    firn_avro_cursor cursor = firn_avro_cursor_of(data);
    size_t taken = firn_avro_quick_steps(root->quick, 0, &cursor, root, false);
    for (size_t i = 0; i < root->child_count; i++)
        root->children[i].length = root->children[i].null_count = 0;
    return taken;
}

/* ---- random records ---- */

#define FIELD(name, type) "{'name': '" name "', 'type': " type "},"
#define BOTH(name, type)                       \
    FIELD(name "_plain", "'" type "'")         \
    FIELD(name "_opt", "['null', '" type "']") \
    FIELD(name "_rev", "['" type "', 'null']")

/* Every quick way, between fields that have none. */
static const char *const mixed_schema =
    "{'type': 'record', 'name': 'mixed', 'fields': [" BOTH("i", "int") BOTH("l", "long")
        FIELD("kind", "{'type': 'enum', 'name': 'k', 'symbols': ['a', 'b']}") BOTH("f", "float")
            BOTH("d", "double") FIELD("list", "{'type': 'array', 'items': 'long'}")
                BOTH("b", "boolean") BOTH("t", "string") FIELD(
                    "inner", "['null', {'type': 'record', 'name': 'in', 'fields': [" BOTH(
                                 "t", "string") "{'name': 'l', 'type': ['null', 'long']}]}]")
                    FIELD("money", "{'type': 'bytes', 'logicalType': 'decimal', 'precision': 9}")
                        BOTH("y", "bytes") "{'name': 'end', 'type': 'int'}]}";

typedef struct writer {
    firn_buf data;
    uint64_t seed;
} writer;

static uint64_t roll(writer *w, uint64_t below)
{
    w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
    return (w->seed >> 33) % below;
}

static uint64_t bits(writer *w)
{
    return roll(w, UINT64_C(1) << 31) << 40 ^ roll(w, UINT64_C(1) << 31) << 20 ^
           roll(w, UINT64_C(1) << 31);
}

static void put_text(writer *w, bool may_be_wrong)
{
    static const char *const letters[] = {"a", "Z", "0", " ", "é", "ß", "€", "漢", "😀"};
    static const size_t wide[] = {8190, 8191, 8192, 63, 64, 65, 127, 128};
    FIRN_AUTO_BUF firn_buf text = {0};
    size_t len = roll(w, 400) == 0 ? wide[roll(w, 8)] : roll(w, roll(w, 8) == 0 ? 200 : 40);
    bool plain = roll(w, 3) > 0;
    while (text.len < len)
        firn_buf_puts(&text, plain ? "x" : letters[roll(w, sizeof letters / sizeof *letters)]);
    if (may_be_wrong && len > 0 && roll(w, 200) == 0)
        text.data[roll(w, len)] = (uint8_t)(0x80 + roll(w, 0x80));
    firn_avro_put_bytes(&w->data, firn_buf_bytes(&text));
}

static void put_value(writer *w, const firn_avro_schema *schema)
{
    uint8_t number[4] = {0, (uint8_t)roll(w, 256), 1, 2};
    switch (schema->kind) {
    case FIRN_AVRO_INT: firn_avro_put_long(&w->data, (int32_t)bits(w) >> roll(w, 32)); break;
    case FIRN_AVRO_LONG: firn_avro_put_long(&w->data, (int64_t)bits(w) >> roll(w, 64)); break;
    case FIRN_AVRO_ENUM: firn_avro_put_long(&w->data, (int64_t)roll(w, 2)); break;
    case FIRN_AVRO_FLOAT: firn_avro_put_float(&w->data, (float)bits(w)); break;
    case FIRN_AVRO_DOUBLE: firn_avro_put_double(&w->data, (double)bits(w)); break;
    case FIRN_AVRO_BOOLEAN: firn_avro_put_boolean(&w->data, roll(w, 2)); break;
    case FIRN_AVRO_STRING: put_text(w, true); break;
    case FIRN_AVRO_BYTES:
        if (schema->logical == FIRN_AVRO_DECIMAL)
            firn_avro_put_bytes(&w->data, firn_bytes_of(number, 1 + roll(w, 4)));
        else
            put_text(w, true);
        break;
    case FIRN_AVRO_ARRAY:
        firn_avro_put_long(&w->data, 1);
        put_value(w, schema->items);
        firn_avro_put_long(&w->data, 0);
        break;
    case FIRN_AVRO_RECORD:
        for (size_t i = 0; i < schema->field_count; i++)
            put_value(w, schema->fields[i].type);
        break;
    case FIRN_AVRO_UNION: {
        int64_t branch = (int64_t)roll(w, schema->branch_count);
        firn_avro_put_long(&w->data, branch);
        put_value(w, schema->branches[branch]);
        break;
    }
    default: break;
    }
}

static void random_records_are_the_same(fixture *f, uint64_t seed)
{
    writer w = {.seed = seed};
    for (int i = 0; i < RECORDS; i++) {
        firn_buf_clear(&w.data);
        put_value(&w, f->writer);
        if (roll(&w, 2)) {
            w.data.data[roll(&w, w.data.len)] ^= (uint8_t)(1 + roll(&w, 255));
            w.data.len -= roll(&w, 4) == 0 ? roll(&w, w.data.len) : 0;
        }
        (void)decode(f, firn_buf_bytes(&w.data), 1);
        if (f->roots[QUICK]->length == BATCH_ROWS_MAX) {
            assert_same(f);
            clear(f);
        }
    }
    assert_true(f->roots[QUICK]->length > 0);
    assert_same(f);
    firn_buf_deinit(&w.data);
}

static void records_are_the_same(void **state)
{
    fixture f = open_fixture(*state, mixed_schema, NULL, NULL);
    random_records_are_the_same(&f, 1);
    const firn_avro_decoder_opts unchecked = {.unchecked_utf8 = true};
    f = open_fixture(*state, mixed_schema, NULL, &unchecked);
    random_records_are_the_same(&f, 2);
}

/* Fields that the reader does not want, wants otherwise, or has a default for. */
static void resolved_records_are_the_same(void **state)
{
    fixture f = open_fixture(
        *state, mixed_schema,
        "{'type': 'record', 'name': 'mixed', 'fields': [" FIELD("y_plain", "'bytes'")
            FIELD("t_plain", "'bytes'") FIELD("i_plain", "['null', 'int']")
                FIELD("l_opt", "['long', 'null']") FIELD("i_opt", "['null', 'long']") FIELD(
                    "l_plain", "'long'") FIELD("d_rev", "['null', 'double']")
                    FIELD("f_plain", "'double'") FIELD("b_opt", "['null', 'boolean']") FIELD(
                        "t_rev",
                        "['null', 'string']") "{'name': 'new', 'type': 'string', 'default': 'n'}]}",
        NULL);
    random_records_are_the_same(&f, 3);
}

static void many_records_at_once_are_the_same(void **state)
{
    fixture f =
        open_fixture(*state, mixed_schema, NULL, &(firn_avro_decoder_opts){.unchecked_utf8 = true});
    writer w = {.seed = 4};
    for (int round = 0; round < 50; round++) {
        firn_buf_clear(&w.data);
        int64_t count = 1 + (int64_t)roll(&w, 40);
        for (int64_t i = 0; i < count; i++)
            put_value(&w, f.writer);
        assert_int_equal(decode(&f, firn_buf_bytes(&w.data), count), FIRN_OK);
        assert_int_not_equal(decode(&f, firn_buf_bytes(&w.data), count + 1), FIRN_OK);
        assert_same(&f);
    }
    firn_buf_deinit(&w.data);
}

static void records_cut_anywhere_are_refused_alike(void **state)
{
    fixture f = open_fixture(*state, mixed_schema, NULL, NULL);
    writer w = {.seed = 5};
    for (int round = 0; round < 20; round++) {
        firn_buf_clear(&w.data);
        put_value(&w, f.writer);
        for (size_t len = 0; len < w.data.len; len++)
            assert_int_equal(decode(&f, firn_bytes_of(w.data.data, len), 1), FIRN_E_CORRUPT);
        (void)decode(&f, firn_buf_bytes(&w.data), 1);
        assert_same(&f);
    }
    firn_buf_deinit(&w.data);
}

/* ---- every length ---- */

static const char *const one_int =
    "{'type': 'record', 'name': 'r', 'fields': [{'name': 'x', 'type': 'int'}]}";
static const char *const one_text =
    "{'type': 'record', 'name': 'r', 'fields': [{'name': 'x', 'type': 'string'}]}";

static const char *const longs_schema =
    "{'type': 'record', 'name': 'r', 'fields': [" FIELD("a", "'long'")
        FIELD("b", "['null', 'long']") "{'name': 'c', 'type': 'int'}]}";

static void numbers_of_every_length(void **state)
{
    fixture f = open_fixture(*state, longs_schema, NULL, NULL);
    int64_t rows = 0;
    for (int shift = 0; shift < 64; shift++) {
        for (int64_t off = -2; off <= 2; off++) {
            FIRN_AUTO_BUF firn_buf data = {0};
            int64_t value = (int64_t)((UINT64_C(1) << shift) + (uint64_t)off);
            firn_avro_put_long(&data, value);
            firn_avro_put_long(&data, 1);
            firn_avro_put_long(&data, (int64_t)(0 - (uint64_t)value));
            firn_avro_put_long(&data, (int32_t)value);
            assert_int_equal(count_quick(&f, firn_buf_bytes(&data)), 3);
            assert_int_equal(decode(&f, firn_buf_bytes(&data), 1), FIRN_OK);
            assert_true(firn_avro_column_i64(&f.roots[QUICK]->children[0], 0) == value);
            assert_same(&f);
            clear(&f);
            rows++;
        }
    }
    assert_int_equal(rows, 320);
}

/* Longer than they need to be, and longer than they may be. */
static void odd_numbers_are_the_same(void **state)
{
    fixture f = open_fixture(*state, longs_schema, NULL, NULL);
    for (size_t len = 1; len <= 12; len++) {
        for (int last = 0; last < 256; last++) {
            uint8_t data[16];
            memset(data, last % 3 == 0 ? 0x80 : 0xFF, sizeof data);
            data[len - 1] = (uint8_t)last;
            data[len] = 0, data[len + 1] = 2;
            firn_rc rc = decode(&f, firn_bytes_of(data, len + 2), 1);
            if (last < 0x80)
                assert_int_equal(rc,
                                 len < 10 || (len == 10 && last <= 1) ? FIRN_OK : FIRN_E_CORRUPT);
        }
    }
    assert_same(&f);
}

static void ints_must_fit(void **state)
{
    fixture f = open_fixture(*state, one_int, NULL, NULL);
    static const int64_t values[] = {INT32_MAX, INT32_MIN, INT32_MAX + INT64_C(1),
                                     INT32_MIN - INT64_C(1)};
    for (size_t i = 0; i < 4; i++) {
        FIRN_AUTO_BUF firn_buf data = {0};
        firn_avro_put_long(&data, values[i]);
        assert_int_equal(decode(&f, firn_buf_bytes(&data), 1), i < 2 ? FIRN_OK : FIRN_E_CORRUPT);
    }
    assert_same(&f);
}

/* A text of each length, alone and followed by others, at the end of the data and in front of it. */
static void texts_of_every_length(void **state)
{
    fixture f =
        open_fixture(*state,
                     "{'type': 'record', 'name': 'r', 'fields': [" FIELD("a", "'string'")
                         FIELD("b", "['null', 'bytes']") "{'name': 'c', 'type': 'string'}]}",
                     NULL, NULL);
    for (size_t len = 0; len < 140; len++) {
        for (size_t high = 0; high <= len; high++) {
            FIRN_AUTO_BUF firn_buf data = {0};
            char text[144];
            memset(text, 'x', sizeof text);
            if (high + 1 < len)
                memcpy(text + high, "é", 2);
            else if (high < len)
                text[high] = '\xC3'; /* cut off */
            firn_avro_put_bytes(&data, firn_bytes_of(text, len));
            firn_avro_put_long(&data, high % 2 == 0);
            if (high % 2 == 0)
                firn_avro_put_bytes(&data, firn_bytes_of(text + high, len - high));
            firn_avro_put_bytes(&data, firn_bytes_of("tail of the data", len % 17));
            assert_int_equal(decode(&f, firn_buf_bytes(&data), 1),
                             high + 1 == len ? FIRN_E_CORRUPT : FIRN_OK);
        }
        assert_same(&f);
        clear(&f);
    }
}

static void lengths_below_zero_are_refused(void **state)
{
    fixture f = open_fixture(*state, one_text, NULL, NULL);
    static const uint8_t lengths[][3] = {{0x01}, {0x7F}, {0x81, 0x01}, {0xFF, 0x7F}};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(decode(&f, firn_bytes_of(lengths[i], 1 + (i >= 2)), 1), FIRN_E_CORRUPT);
    static const uint8_t zero[] = {0x80, 0x00}; /* in two bytes */
    assert_int_equal(decode(&f, firn_bytes_of(zero, 2), 1), FIRN_OK);
    assert_same(&f);
}

static void branches_must_exist(void **state)
{
    fixture f = open_fixture(*state, longs_schema, NULL, NULL);
    for (int byte = 0; byte < 256; byte++) {
        uint8_t data[] = {2, (uint8_t)byte, 2, 2, 2, 2, 2, 2};
        firn_rc rc = decode(&f, firn_bytes_of(data, byte == 0 ? 3 : 4), 1);
        assert_int_equal(rc, byte == 0 || byte == 2 ? FIRN_OK : FIRN_E_CORRUPT);
    }
    static const uint8_t in_two_bytes[] = {2, 0x82, 0, 2, 2};
    assert_int_equal(decode(&f, firn_bytes_of(in_two_bytes, 5), 1), FIRN_OK);
    assert_same(&f);
}

/* ---- what is quick, and what is full ---- */

static void common_fields_are_quick(void **state)
{
    fixture f = open_fixture(*state, mixed_schema, NULL, NULL);
    FIRN_AUTO_BUF firn_buf data = {0};
    for (int i = 0; i < 2; i++) {        /* ints, longs */
        firn_avro_put_long(&data, 1000); /* the value */
        firn_avro_put_long(&data, 0);    /* null */
        firn_avro_put_long(&data, 1);    /* null, which is the other branch */
    }
    firn_avro_put_long(&data, 0);
    assert_int_equal(count_quick(&f, firn_buf_bytes(&data)), 6); /* up to the enum */
    const firn_avro_quick *quick = f.roots[QUICK]->quick;
    size_t others = 0;
    for (size_t i = 0; i < f.writer->field_count; i++)
        others += quick->steps[i].way == FIRN_AVRO_WAY_OTHER;
    assert_int_equal(others, 4); /* enum, list, record, decimal */
    assert_int_equal(quick->steps[f.writer->field_count].way, FIRN_AVRO_WAY_OTHER);
}

/* Up to where no row fits any more, whatever the texts are as long as: both ways are full at the same row. */
static void full_batches_are_the_same(void **state)
{
    for (size_t len = 0; len < 70; len++) {
        const firn_avro_decoder_opts opts = {.batch_bytes_max = 3000 + len};
        fixture f = open_fixture(*state, one_text, NULL, &opts);
        FIRN_AUTO_BUF firn_buf data = {0};
        char text[80];
        memset(text, 'x', sizeof text);
        firn_avro_put_bytes(&data, firn_bytes_of(text, len));
        firn_rc rc = FIRN_OK;
        while (rc == FIRN_OK)
            rc = decode(&f, firn_buf_bytes(&data), 1);
        assert_int_equal(rc, FIRN_E_LIMIT);
        assert_true(f.roots[QUICK]->length > 0);
        assert_same(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        arena_test(records_are_the_same),
        arena_test(resolved_records_are_the_same),
        arena_test(many_records_at_once_are_the_same),
        arena_test(records_cut_anywhere_are_refused_alike),
        arena_test(numbers_of_every_length),
        arena_test(odd_numbers_are_the_same),
        arena_test(ints_must_fit),
        arena_test(texts_of_every_length),
        arena_test(lengths_below_zero_are_refused),
        arena_test(branches_must_exist),
        arena_test(common_fields_are_quick),
        arena_test(full_batches_are_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
