/* The short ways of JSON: those of this processor, those of any and what knows all of JSON give the same columns, and refuse the same texts
 * in the same words. Random documents, whole, cut off and with bytes changed.
 */
#include "avro_util.h"
#include "json_decoding.h"

#include <stdio.h>

enum { QUICK, NARROW, SLOW, WAYS, DOCUMENTS = 40000, BATCH_ROWS_MAX = 500 };

typedef struct way {
    firn_json_decoder *decoder;
    firn_avro_batch *batch;
} way;

static void open_ways(firn_arena *arena, const char *schema, way *ways)
{
    firn_err err = {0};
    for (int w = 0; w < WAYS; w++) {
        assert_ok(
            firn_json_decoder_new(arena, schema_of(arena, schema), NULL, &ways[w].decoder, &err),
            &err);
        if (w == SLOW)
            firn_json_plan_slow(&ways[w].decoder->root);
        ways[w].decoder->wide &= w == QUICK;
        ways[w].batch = batch_of(arena, firn_json_decoder_shape(ways[w].decoder));
    }
}

/* ---- random documents ---- */

typedef struct writer {
    firn_buf text;
    uint64_t seed;
} writer;

static uint32_t below(writer *w, uint32_t bound)
{
    w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(w->seed >> 33) % bound;
}

static void put_blanks(writer *w)
{
    static const char *const blanks[] = {" ", "\n  ", "\t", "\r\n",
                                         "                             "};
    if (below(w, 12) == 0)
        firn_buf_puts(&w->text, blanks[below(w, 5)]);
}

static void put_digits(writer *w, uint32_t n)
{
    for (; n > 0; n--)
        firn_buf_putc(&w->text, (uint8_t)('0' + below(w, below(w, 4) ? 10 : 1)));
}

static void put_number(writer *w)
{
    if (below(w, 3) == 0)
        firn_buf_putc(&w->text, '-');
    if (below(w, 4) == 0) {
        firn_buf_putc(&w->text, '0');
    } else {
        firn_buf_putc(&w->text, (uint8_t)('1' + below(w, 9)));
        put_digits(w, below(w, below(w, 3) ? 8 : 20));
    }
    if (below(w, 2)) {
        firn_buf_putc(&w->text, '.');
        put_digits(w, 1 + below(w, below(w, 2) ? 3 : 24));
    }
    if (below(w, 16) == 0)
        firn_buf_printf(&w->text, "%c%d", below(w, 2) ? 'e' : 'E', (int)below(w, 40) - 20);
}

static void put_text(writer *w)
{
    static const char *const parts[] = {
        "a", "word", "é", "東", "🎿", "\\n", "\\u00e9", "\\\"", "thirty-one bytes of plain text.",
        "/"};
    firn_buf_putc(&w->text, '"');
    for (uint32_t n = below(w, below(w, 2) ? 3 : 9); n > 0; n--)
        firn_buf_puts(&w->text, parts[below(w, below(w, 3) ? 2 : 10)]);
    firn_buf_putc(&w->text, '"');
}

static void put_instant(writer *w)
{
    uint32_t wrong = below(w, 30) == 0;
    firn_buf_printf(&w->text, "\"20%02u-%02u-%02uT%02u:%02u:%02u.%03u%s\"", below(w, 30),
                    1 + below(w, 12), 1 + below(w, 28 + 4 * wrong), below(w, 24 + wrong),
                    below(w, 60 + wrong), below(w, 60 + wrong), below(w, 1000),
                    below(w, 100) < 50 + 40 * wrong ? "Z" : "");
}

static void put_value(writer *w, uint32_t kind)
{
    if (below(w, 300) == 0)
        kind = below(w, 8); /* of another column */
    if (below(w, 8) == 0)
        kind = 8;
    switch (kind) {
    case 0: put_text(w); break;
    case 1: firn_buf_printf(&w->text, "%d", (int)below(w, 100000) - 1000); break;
    case 2: put_instant(w); break;
    case 3: firn_buf_puts(&w->text, below(w, 2) ? "true" : "false"); break;
    case 4:
    case 5: put_number(w); break;
    case 6:
        firn_buf_puts(&w->text, "[1,");
        put_text(w);
        firn_buf_putc(&w->text, ']');
        break;
    case 7: firn_buf_printf(&w->text, "%u.%02u", below(w, 10000), below(w, 100)); break;
    default: firn_buf_puts(&w->text, "null");
    }
}

typedef struct column {
    const char *name, *type;
    uint32_t kind;
} column;

#define DECIMAL(p, s) "{'type':'bytes','logicalType':'decimal','precision':" #p ",'scale':" #s "}"
#define LONG(logical) "{'type':'long','logicalType':'" logical "'}"

/* Names of one step and of more, up to their limits and past them. */
static const column columns[] = {
    {"a", "'string'", 0},
    {"thirteen_byte", "'int'", 1},
    {"fourteen_bytes", "'string'", 0},
    {"ts", LONG("timestamp-micros"), 2},
    {"utc", LONG("timestamp-millis"), 2},
    {"flag", "'boolean'", 3},
    {"a_name_of_just_29_bytes_in_all", "'double'", 4},
    {"a_name_of_29_bytes_precisely_", "'long'", 1},
    {"a_name_of_thirty_one_bytes_here", "'double'", 4},
    {"a_name_of_thirty_two_bytes_here_", "'string'", 0},
    {"a_name_of_many_more_bytes_than_that_which_goes_on_and_on_and_on", "'double'", 7},
    {"a_name_that_is_longer_than_all_that_is_copied_of_the_end_of_a_document_so_that_it_may_be_cut_off",
     "'string'", 0},
    {"long", "'long'", 5},
    {"price", DECIMAL(10, 2), 7},
    {"amount", DECIMAL(38, 10), 4},
    {"list", "{'type':'array','items':['null','string']}", 6},
    {"c", "'float'", 4},
};
enum { COLUMNS = sizeof columns / sizeof *columns };

static void put_document(writer *w)
{
    bool shuffled = below(w, 8) == 0, first = true;
    firn_buf_clear(&w->text);
    put_blanks(w);
    firn_buf_putc(&w->text, '{');
    for (uint32_t i = 0; i < COLUMNS; i++) {
        const column *c = &columns[shuffled ? below(w, COLUMNS) : i];
        if (below(w, 20) == 0)
            continue;
        if (!first)
            firn_buf_putc(&w->text, ',');
        first = false;
        put_blanks(w);
        firn_buf_printf(&w->text, "\"%s%s\"", c->name, below(w, 20) ? "" : "_");
        put_blanks(w);
        firn_buf_putc(&w->text, ':');
        put_blanks(w);
        put_value(w, c->kind);
        put_blanks(w);
    }
    firn_buf_putc(&w->text, '}');
    put_blanks(w);
    if (below(w, 4) == 0)
        w->text.len -= below(w, (uint32_t)w->text.len);
    if (below(w, 6) == 0 && w->text.len > 0)
        w->text.data[below(w, (uint32_t)w->text.len)] =
            (uint8_t) "\"{}[],: 0.-neE\\\x01\xC3"[below(w, 17)];
}

/* ---- the same three times ---- */

static void check_bytes(const void *a, const void *b, int64_t len)
{
    if (len > 0)
        assert_memory_equal(a, b, (size_t)len);
}

static void check_same(const firn_avro_column *a, const firn_avro_column *b)
{
    int64_t rows = a->length, bits = rows / 8;
    assert_int_equal(rows, b->length);
    assert_int_equal(a->null_count, b->null_count);
    for (int64_t i = 0; i < rows; i++)
        assert_int_equal(firn_avro_column_valid(a, i), firn_avro_column_valid(b, i));
    if (a->offsets && rows > 0)
        check_bytes(a->offsets, b->offsets, (rows + 1) * (int64_t)sizeof *a->offsets);
    if (a->type == FIRN_AVRO_COL_BOOL)
        check_bytes(a->data, b->data, bits);
    else if (a->type == FIRN_AVRO_COL_STRING && rows > 0)
        check_bytes(a->data, b->data, a->offsets[rows]);
    else if (a->item_size > 0)
        check_bytes(a->data, b->data, rows * a->item_size);
    for (size_t i = 0; i < a->child_count; i++)
        check_same(&a->children[i], &b->children[i]);
}

/* Each in a block of its own, so that a sanitizer sees what is read behind it. */
static firn_rc decode(way *w, firn_bytes text, int64_t *unknown, firn_err *err)
{
    uint8_t *copy = firn_malloc(text.len + 1) /* never none */;
    uint8_t *at = copy + 1;
    if (text.len > 0)
        memcpy(at, text.data, text.len);
    *unknown = 0;
    firn_rc rc =
        firn_json_decoder_decode(w->decoder, firn_bytes_of(at, text.len), w->batch, unknown, err);
    free(copy);
    return rc;
}

static void all_ways_give_the_same(void **state)
{
    FIRN_AUTO_BUF firn_buf schema = {0};
    way ways[WAYS];
    writer w = {.seed = 3};
    int64_t taken = 0;
    firn_buf_puts(&schema, "{'type':'record','name':'r','fields':[");
    for (int i = 0; i < COLUMNS; i++) {
        firn_buf_printf(&schema, "%s{'name':'%s','type':['null',%s]}", i > 0 ? "," : "",
                        columns[i].name, columns[i].type);
    }
    firn_buf_puts(&schema, "]}");
    open_ways(*state, firn_buf_cstr(&schema), ways);
    for (int i = 0; i < DOCUMENTS; i++) {
        firn_err err[WAYS] = {0};
        int64_t unknown[WAYS];
        firn_rc rc[WAYS];
        put_document(&w);
        firn_bytes text = firn_buf_bytes(&w.text);
        for (int k = 0; k < WAYS; k++)
            rc[k] = decode(&ways[k], text, &unknown[k], &err[k]);
        for (int k = 1; k < WAYS; k++) {
            if (rc[k] != rc[0] || unknown[k] != unknown[0] ||
                strcmp(err[k].message, err[0].message) != 0)
                fail_msg("%s: \"%s\" by way %d, \"%s\"", firn_buf_cstr(&w.text), err[k].message, k,
                         err[0].message);
        }
        taken += rc[0] == FIRN_OK;
        if (i % BATCH_ROWS_MAX == 0) {
            check_same(firn_avro_batch_root(ways[QUICK].batch),
                       firn_avro_batch_root(ways[NARROW].batch));
            check_same(firn_avro_batch_root(ways[QUICK].batch),
                       firn_avro_batch_root(ways[SLOW].batch));
            for (int k = 0; k < WAYS; k++)
                firn_avro_batch_clear(ways[k].batch);
        }
    }
    assert_in_range(taken, DOCUMENTS / 4, DOCUMENTS);
    firn_buf_deinit(&w.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        arena_test(all_ways_give_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
