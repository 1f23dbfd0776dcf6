/* The answer of a query, parsed while it comes.
 *
 *     objects    [{"header": {"queryId", "schema"}},              application/vnd.ksql.v1+json, and /query
 *                {"row": {"columns": [...]}},
 *                {"row": {"columns": [...], "tombstone": true}},
 *                {"finalMessage": "..."}]
 *     lines      {"queryId", "columnNames", "columnTypes"}        delimited
 *                [...]
 *     array      [{"queryId", "columnNames", "columnTypes"},      application/json of /query-stream
 *                [...]]
 *
 * In all of them, instead of a row: an error, {"errorMessage": {...}} or bare. An old writer ends a failed query with ",\n" and no bracket;
 * by then its error has been read. Heartbeats are line ends between items.
 *
 * State. `place` says what may come next; it moves over whole items only. An item that is cut by the end of a piece is gathered in `carry`,
 * while a scanner that remembers where in the item it is (depth, string, escape) looks for its end: so no byte is looked at more than
 * twice, however small the pieces are. Rows that stand whole in a piece are decoded from where they are, without looking for their ends
 * first. Either way an item is decoded from exactly its own bytes, so what comes out does not depend on where pieces end.
 */
#include "ksqldb_private.h"

#include <stdlib.h>

enum { ROWS_AT_ONCE = 1024, ITEM_DEPTH_MAX = 100 };

typedef enum place {
    START,       /* nothing yet */
    FIRST,       /* behind the opening bracket */
    AFTER_ITEM,  /* a comma, the closing bracket; of lines: an item */
    BEFORE_ITEM, /* behind a comma */
    OVER,        /* behind the closing bracket */
} place;

typedef struct item_scan {
    int depth;
    bool in_string, escaped;
} item_scan;

struct firn_ksqldb_answer {
    firn_arena *arena;
    firn_ksqldb_answer_options options;
    place place;
    bool lines;      /* no brackets around, no commas between */
    bool plain_rows; /* rows are arrays */
    bool finished;   /* the final message came */
    bool full;
    firn_buf carry;
    item_scan scan;             /* of `carry` */
    bool carry_whole;           /* `carry` is a whole item, for which the batch had no room */
    firn_json_decoder *decoder; /* NULL before the header */
    firn_avro_batch *batch;
    int64_t rows_handed_out;
    const char *query_id;
    int64_t error_code;
    const char *error_message;
};

firn_ksqldb_answer *firn_ksqldb_answer_new(const firn_ksqldb_answer_options *options)
{
    firn_ksqldb_answer *a = firn_calloc(1, sizeof *a);
    a->arena = firn_arena_new();
    a->options = *options;
    firn_buf_init(&a->carry, options->row_bytes_max);
    return a;
}

void firn_ksqldb_answer_free(firn_ksqldb_answer *a)
{
    if (!a)
        return;
    firn_avro_batch_free(a->batch);
    firn_buf_deinit(&a->carry);
    firn_arena_free(a->arena);
    free(a);
}

/* ---- headers and messages ----------------------------------------------------------------------- */

static firn_rc set_columns(firn_ksqldb_answer *a, const char *schema_text, firn_err *err)
{
    if (a->decoder)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "ksqlDB's answer has a second header");
    const firn_avro_schema *schema;
    FIRN_TRY(firn_ksqldb_schema_parse(a->arena, schema_text, &schema, err));
    /* One row may be many times as large in columns as it is in JSON. */
    const firn_avro_decoder_opts opts = {
        .batch_bytes_max = 4 * ((size_t)a->options.batch_bytes_max + a->options.row_bytes_max),
        .even_batches = true,
        .keeps_buffers = true};
    FIRN_TRY(firn_json_decoder_new(a->arena, schema, &opts, &a->decoder, err));
    a->batch = firn_avro_batch_new(firn_json_decoder_shape(a->decoder));
    return FIRN_OK;
}

static firn_rc take_header(firn_ksqldb_answer *a, const json_t *header, firn_err *err)
{
    const char *schema = json_string_value(json_object_get(header, "schema"));
    if (!schema)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "ksqlDB's answer has a header without a schema");
    a->query_id =
        firn_arena_strdup(a->arena, json_string_value(json_object_get(header, "queryId")));
    return set_columns(a, schema, err);
}

/* columnNames and columnTypes as one text of both. */
static firn_rc take_names(firn_ksqldb_answer *a, const json_t *header, firn_err *err)
{
    const json_t *names = json_object_get(header, "columnNames");
    const json_t *types = json_object_get(header, "columnTypes");
    size_t n = json_array_size(names);
    if (!json_is_array(names) || json_array_size(types) != n)
        FIRN_FAIL(err, FIRN_E_CORRUPT,
                  "ksqlDB's answer has a header whose columnNames and columnTypes do not match");
    FIRN_AUTO_BUF firn_buf text = {0};
    for (size_t i = 0; i < n; i++) {
        const char *name = json_string_value(json_array_get(names, i));
        const char *type = json_string_value(json_array_get(types, i));
        if (!name || !type)
            FIRN_FAIL(err, FIRN_E_CORRUPT,
                      "ksqlDB's answer has a header with a column that has no name or no type");
        firn_buf_printf(&text, "%s%s %s", i > 0 ? ", " : "", firn_ksqldb_ident(a->arena, name),
                        type);
    }
    a->plain_rows = true;
    a->query_id =
        firn_arena_strdup(a->arena, json_string_value(json_object_get(header, "queryId")));
    return set_columns(a, firn_buf_cstr(&text), err);
}

/* An error that the server reports in its answer. Before the first row it may be that of the statement. */
static firn_rc take_error(firn_ksqldb_answer *a, const json_t *error, firn_err *err)
{
    const char *message = json_string_value(json_object_get(error, "message"));
    message = message ? message : json_string_value(error);
    a->error_code = json_integer_value(json_object_get(error, "error_code"));
    a->error_message = firn_ksqldb_one_line(a->arena, message ? message : "no words");
    FIRN_FAIL(err, a->decoder ? FIRN_E_IO : firn_ksqldb_rc(a->error_code, 500),
              "ksqlDB reported an error in its answer: %s (error %lld)", a->error_message,
              (long long)a->error_code);
}

static bool is_there(const json_t *value)
{
    return value && !json_is_null(value);
}

/* Any object that is no row. */
static firn_rc take_message(firn_ksqldb_answer *a, firn_bytes item, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    json_t *json;
    FIRN_TRY(firn_json_parse(scratch, item, "ksqlDB's answer", &json, err));
    const json_t *error = json_object_get(json, "errorMessage");
    if (is_there(error))
        return take_error(a, error, err);
    if (json_object_get(json, "error_code"))
        return take_error(a, json, err);
    const json_t *header = json_object_get(json, "header");
    if (is_there(header))
        return take_header(a, header, err);
    if (json_object_get(json, "columnNames"))
        return take_names(a, json, err);
    if (is_there(json_object_get(json, "finalMessage"))) {
        a->finished = true;
        return FIRN_OK;
    }
    if (is_there(json_object_get(json, "continuationToken")) ||
        is_there(json_object_get(json, "consistencyToken")))
        return FIRN_OK;
    FIRN_FAIL(err, FIRN_E_CORRUPT, "ksqlDB's answer holds what is neither row nor message: %s",
              firn_ksqldb_first_bytes(scratch, item));
}

/* ---- rows --------------------------------------------------------------------------------------- */

static int64_t row_count(const firn_ksqldb_answer *a)
{
    return a->batch ? firn_avro_batch_root(a->batch)->length : 0;
}

/* The array of one row's values; all of `text`. */
static firn_rc take_values(firn_ksqldb_answer *a, firn_bytes text, firn_err *err)
{
    size_t used = 0;
    if (!a->decoder)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "ksqlDB's answer has a row before its header");
    firn_rc rc = firn_json_decoder_row(a->decoder, text, a->batch, &used, err);
    if (rc == FIRN_OK && used != text.len)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "ksqlDB's answer: something follows the values of a row");
    if (rc != FIRN_OK)
        return firn_err_wrap(err, rc, "row %lld of ksqlDB's answer",
                             (long long)(a->rows_handed_out + row_count(a) + 1));
    return FIRN_OK;
}

/* {"columns": [...], "tombstone": true} */
static firn_rc take_row(firn_ksqldb_answer *a, firn_bytes row, firn_err *err)
{
    firn_bytes columns, tombstone;
    FIRN_TRY(firn_json_member_text(row, "columns", &columns, err));
    FIRN_TRY(firn_json_member_text(row, "tombstone", &tombstone, err));
    if (columns.len == 0)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "ksqlDB's answer has a row without columns");
    FIRN_TRY(take_values(a, columns, err));
    if (tombstone.len > 0 && tombstone.data[0] == 't')
        firn_json_mark_row(a->batch);
    return FIRN_OK;
}

static firn_rc take_item(firn_ksqldb_answer *a, firn_bytes item, firn_err *err)
{
    if (item.data[0] == '[')
        return take_values(a, item, err);
    firn_bytes row;
    FIRN_TRY(firn_json_member_text(item, "row", &row, err));
    if (row.len > 0 && row.data[0] == '{')
        return take_row(a, row, err);
    return take_message(a, item, err);
}

/* Up to `rows_max` rows that stand whole in the text, straight from it; gives their bytes. */
static size_t take_rows(firn_ksqldb_answer *a, firn_bytes text, int64_t rows_max)
{
    static const char before[] = "{\"row\":{\"columns\":", after[] = "}}";
    const firn_json_frame frame = {
        .before = a->plain_rows ? (firn_bytes){0} : firn_bytes_of(before, sizeof before - 1),
        .after = a->plain_rows ? (firn_bytes){0} : firn_bytes_of(after, sizeof after - 1),
        .comma = !a->lines,
        .row_bytes_max = a->options.row_bytes_max,
    };
    int64_t room = a->options.batch_rows_max - row_count(a);
    return firn_json_decoder_rows(a->decoder, &frame, text, room < rows_max ? room : rows_max,
                                  a->batch);
}

/* ---- items -------------------------------------------------------------------------------------- */

/* Goes on in a string from `i`, a word at a time, for as long as there is no quote and no backslash. */
static size_t pass_plain(firn_bytes text, size_t i)
{
    const uint64_t ones = 0x0101010101010101, highs = 0x8080808080808080;
    for (; text.len - i >= 8; i += 8) {
        uint64_t word;
        memcpy(&word, text.data + i, sizeof word);
        uint64_t quotes = word ^ ones * '"', backslashes = word ^ ones * '\\';
        if ((((quotes - ones) & ~quotes) | ((backslashes - ones) & ~backslashes)) & highs)
            break;
    }
    return i;
}

/* Bytes of `text` up to the end of the item, or all; *whole tells which. */
static size_t scan_item(item_scan *s, firn_bytes text, bool *whole)
{
    *whole = false;
    for (size_t i = 0; i < text.len; i++) {
        if (s->in_string && !s->escaped) {
            i = pass_plain(text, i);
            if (i == text.len)
                break;
        }
        uint8_t c = text.data[i];
        if (s->escaped) {
            s->escaped = false;
        } else if (s->in_string) {
            s->escaped = c == '\\';
            s->in_string = c != '"';
        } else if (c == '"') {
            s->in_string = true;
        } else if (c == '{' || c == '[') {
            s->depth++;
        } else if ((c == '}' || c == ']') && --s->depth == 0) {
            *whole = true;
            return i + 1;
        }
    }
    return text.len;
}

static void check_full(firn_ksqldb_answer *a)
{
    a->full = a->batch && row_count(a) > 0 &&
              (row_count(a) >= a->options.batch_rows_max ||
               firn_avro_batch_used_bytes(a->batch) >= (size_t)a->options.batch_bytes_max);
}

/* A whole item, of which take_rows was not asked yet (`try_row`) or knew nothing. *taken: false when the batch must be emptied first. */
static firn_rc take_whole(firn_ksqldb_answer *a, firn_bytes item, bool try_row, bool *taken,
                          firn_err *err)
{
    int64_t rows = row_count(a);
    firn_err detail = {0};
    bool is_row = try_row && a->decoder && take_rows(a, item, 1) == item.len;
    firn_rc rc = is_row ? FIRN_OK : take_item(a, item, &detail);
    *taken = !(rc == FIRN_E_LIMIT && rows > 0);
    if (!*taken) {
        a->full = true;
        return FIRN_OK;
    }
    if (rc != FIRN_OK) {
        if (err)
            *err = detail;
        return rc;
    }
    a->place = AFTER_ITEM;
    check_full(a);
    return FIRN_OK;
}

static firn_rc too_long(const firn_ksqldb_answer *a, firn_err *err)
{
    FIRN_FAIL(err, FIRN_E_LIMIT, "row %lld of ksqlDB's answer is larger than %zu bytes",
              (long long)(a->rows_handed_out + row_count(a) + 1), a->options.row_bytes_max);
}

/* Goes on with the item that the last piece cut. */
static firn_rc feed_carry(firn_ksqldb_answer *a, firn_bytes text, size_t *used, firn_err *err)
{
    *used = 0;
    if (!a->carry_whole) {
        *used = scan_item(&a->scan, text, &a->carry_whole);
        firn_buf_append(&a->carry, text.data, *used);
        if (a->carry.overflow)
            return too_long(a, err);
    }
    if (!a->carry_whole)
        return FIRN_OK;
    bool taken;
    FIRN_TRY(take_whole(a, firn_buf_bytes(&a->carry), true, &taken, err));
    if (taken) {
        firn_buf_clear(&a->carry);
        a->carry_whole = false;
    }
    return FIRN_OK;
}

/* `text` begins with an item. */
static firn_rc feed_item(firn_ksqldb_answer *a, firn_bytes text, size_t *used, firn_err *err)
{
    if (a->decoder) {
        *used = take_rows(a, text, ROWS_AT_ONCE);
        if (*used > 0) {
            a->place = AFTER_ITEM;
            check_full(a);
            return FIRN_OK;
        }
    }
    bool whole, taken;
    item_scan scan = {0};
    size_t len = scan_item(&scan, text, &whole);
    if (len > a->options.row_bytes_max)
        return too_long(a, err);
    if (!whole) {
        firn_buf_append(&a->carry, text.data, len);
        a->scan = scan;
        *used = len;
        return FIRN_OK;
    }
    FIRN_TRY(take_whole(a, firn_bytes_of(text.data, len), false, &taken, err));
    *used = taken ? len : 0;
    return FIRN_OK;
}

/* ---- between items ------------------------------------------------------------------------------ */

static bool is_blank(uint8_t c)
{
    return c == '\n' || c == '\r' || c == ' ' || c == '\t';
}

static firn_rc unexpected(firn_bytes text, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    FIRN_FAIL(err, FIRN_E_CORRUPT, "this is no answer of ksqlDB: unexpected %s",
              firn_ksqldb_first_bytes(scratch, text));
}

/* One character between items, or (*item) the first of one. */
static firn_rc step(firn_ksqldb_answer *a, firn_bytes text, bool *item, firn_err *err)
{
    uint8_t c = text.data[0];
    *item = false;
    switch (a->place) {
    case START:
        a->lines = c == '{';
        if (c == '[')
            a->place = FIRST;
        else if (c != '{')
            return unexpected(text, err);
        *item = c == '{';
        return FIRN_OK;
    case AFTER_ITEM:
        if (!a->lines && c == ',') {
            a->place = BEFORE_ITEM;
            return FIRN_OK;
        }
        if (!a->lines && c != ']')
            return unexpected(text, err);
        break;
    case OVER: return unexpected(text, err);
    case FIRST:
    case BEFORE_ITEM: break;
    }
    if (c == ']' && !a->lines) {
        if (!a->decoder)
            FIRN_FAIL(err, FIRN_E_CORRUPT, "ksqlDB's answer ends before its header");
        a->place = OVER;
        return FIRN_OK;
    }
    if (c == '[' && !a->plain_rows)
        FIRN_FAIL(err, FIRN_E_CORRUPT, "ksqlDB's answer holds an array where an object must be");
    *item = c == '{' || c == '[';
    return *item ? FIRN_OK : unexpected(text, err);
}

firn_rc firn_ksqldb_answer_feed(firn_ksqldb_answer *a, firn_bytes bytes, size_t *used,
                                firn_err *err)
{
    size_t at = 0, n;
    bool item;
    *used = 0;
    check_full(a);
    while (!a->full && (at < bytes.len || a->carry_whole)) {
        firn_bytes text = firn_bytes_of(bytes.data + at, bytes.len - at);
        if (a->carry.len > 0) {
            FIRN_TRY(feed_carry(a, text, &n, err));
            at += n;
        } else if (is_blank(text.data[0])) {
            at++;
        } else {
            FIRN_TRY(step(a, text, &item, err));
            n = 1;
            if (item)
                FIRN_TRY(feed_item(a, text, &n, err));
            at += n;
        }
        *used = at;
    }
    *used = at;
    return FIRN_OK;
}

firn_rc firn_ksqldb_answer_end(firn_ksqldb_answer *a, firn_err *err)
{
    bool between = a->carry.len == 0;
    bool whole = between && (a->place == OVER || (a->finished && a->place == AFTER_ITEM) ||
                             (a->finished && a->place == BEFORE_ITEM) ||
                             (a->lines && a->decoder && a->place == AFTER_ITEM));
    if (whole) {
        a->place = OVER;
        return FIRN_OK;
    }
    firn_err_set(err, __FILE__, __LINE__, FIRN_E_IO,
                 "ksqlDB's answer ends %s: what came is not all of it",
                 a->place == START && between ? "before it began"
                 : !between                   ? "in the middle of a row"
                 : a->decoder                 ? "without its closing bracket"
                                              : "before its header");
    if (err)
        err->retriable = true;
    return FIRN_E_IO;
}

/* ---- looking ------------------------------------------------------------------------------------ */

bool firn_ksqldb_answer_is_full(const firn_ksqldb_answer *a)
{
    return a->full;
}

bool firn_ksqldb_answer_is_over(const firn_ksqldb_answer *a)
{
    return a->place == OVER;
}

const firn_json_decoder *firn_ksqldb_answer_decoder(const firn_ksqldb_answer *a)
{
    return a->decoder;
}

firn_avro_batch *firn_ksqldb_answer_batch(firn_ksqldb_answer *a)
{
    return a->batch;
}

void firn_ksqldb_answer_hand_out(firn_ksqldb_answer *a, struct ArrowArray *out)
{
    a->rows_handed_out += row_count(a);
    a->full = false;
    firn_avro_batch_arrow_array(a->batch, out);
}

const char *firn_ksqldb_answer_query_id(const firn_ksqldb_answer *a)
{
    return a->query_id;
}

int64_t firn_ksqldb_answer_error_code(const firn_ksqldb_answer *a)
{
    return a->error_code;
}

const char *firn_ksqldb_answer_error_message(const firn_ksqldb_answer *a)
{
    return a->error_message;
}
