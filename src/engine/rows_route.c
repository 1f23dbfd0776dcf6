/* Fan-out: rows parted by an expression, so that each part is written without looking at the others again.
 *
 *   1. With a statement, its rows are made once and kept as Arrow arrays (a chunk of DuckDB's each).
 *   2. One query gives the text of `by` with the numbers of its rows.
 *   3. A part lists its rows by their places in the arrays (firn_rows.pick): 4 bytes a row, whatever the columns.
 *
 * A table function cannot be filtered from outside, so a WHERE for each route would read and evaluate all rows once a route.
 */
#include "rows_batch.h"

#include "base/map.h"
#include "base/time.h"
#include "read.h"

#include <inttypes.h>
#include <stdlib.h>

enum { ROWS_MAX = INT32_MAX };

/* ---- a statement's rows as Arrow --------------------------------------------------------------------- */

typedef FIRN_VEC(firn_rows) rows_list;

static void release_schema(void *ctx)
{
    struct ArrowSchema *schema = ctx;
    schema->release(schema);
}

static void release_array(void *ctx)
{
    struct ArrowArray *array = ctx;
    array->release(array);
}

static firn_rc arrow_failed(duckdb_error_data *error, firn_err *err)
{
    firn_rc rc = FIRN_OK;
    if (*error != NULL && duckdb_error_data_has_error(*error)) {
        rc = firn_duck_error(err, duckdb_error_data_error_type(*error),
                             duckdb_error_data_message(*error), NULL);
    }
    duckdb_destroy_error_data(error);
    return rc;
}

/* The field's metadata: one pair, laid out as in the C Data Interface. */
static const char *uuid_mark(firn_arena *arena)
{
    static const char key[] = "firn.logical", value[] = "uuid";
    const int32_t numbers[] = {1, (int32_t)strlen(key), (int32_t)strlen(value)};
    FIRN_AUTO_BUF firn_buf out = {0};
    firn_buf_append(&out, &numbers[0], sizeof(int32_t));
    firn_buf_append(&out, &numbers[1], sizeof(int32_t));
    firn_buf_puts(&out, key);
    firn_buf_append(&out, &numbers[2], sizeof(int32_t));
    firn_buf_puts(&out, value);
    return firn_arena_memdup(arena, out.data, out.len);
}

/* DuckDB gives UUIDs as text and says so nowhere: a copy of the schema does. */
static const struct ArrowSchema *marked_schema(firn_arena *arena, const struct ArrowSchema *schema,
                                               const firn_type *type)
{
    struct ArrowSchema *out = firn_arena_memdup(arena, schema, sizeof(*schema));
    out->children = FIRN_NEW_N(arena, struct ArrowSchema *, type->n_fields);
    for (size_t i = 0; i < type->n_fields; i++) {
        out->children[i] = schema->children[i];
        if (type->fields[i].type->id == FIRN_TYPE_UUID) {
            out->children[i] =
                firn_arena_memdup(arena, schema->children[i], sizeof(*schema->children[i]));
            out->children[i]->metadata = uuid_mark(arena);
        }
    }
    return out;
}

static firn_rc arrow_schema(firn_arena *arena, duckdb_result *result, duckdb_arrow_options options,
                            const firn_type *type, const struct ArrowSchema **out, firn_err *err)
{
    size_t n = type->n_fields;
    duckdb_logical_type *types = FIRN_NEW_N(arena, duckdb_logical_type, n);
    const char **names = FIRN_NEW_N(arena, const char *, n);
    for (size_t i = 0; i < n; i++) {
        types[i] = duckdb_column_logical_type(result, i);
        names[i] = type->fields[i].name;
    }
    struct ArrowSchema *schema = FIRN_NEW(arena, struct ArrowSchema);
    duckdb_error_data error = duckdb_to_arrow_schema(options, types, names, n, schema);
    for (size_t i = 0; i < n; i++) {
        duckdb_destroy_logical_type(&types[i]);
    }
    FIRN_TRY(arrow_failed(&error, err));
    firn_arena_defer(arena, release_schema, schema);
    *out = marked_schema(arena, schema, type);
    return FIRN_OK;
}

static firn_rc take_chunks(firn_arena *arena, duckdb_result *result, duckdb_arrow_options options,
                           const struct ArrowSchema *schema, const char *sql, rows_list *out,
                           firn_err *err)
{
    duckdb_data_chunk chunk;
    while ((chunk = duckdb_fetch_chunk(*result)) != NULL) {
        struct ArrowArray *array = FIRN_NEW(arena, struct ArrowArray);
        duckdb_error_data error = duckdb_data_chunk_to_arrow(options, chunk, array);
        duckdb_destroy_data_chunk(&chunk);
        FIRN_TRY(arrow_failed(&error, err));
        firn_arena_defer(arena, release_array, array);
        firn_rows rows = {.schema = schema, .array = array, .count = array->length};
        firn_vec_push(arena, out, rows);
    }
    const char *message = duckdb_result_error(result);
    return message == NULL ? FIRN_OK
                           : firn_duck_error(err, duckdb_result_error_type(result), message, sql);
}

/* Types that tables do not have (ENUM, HUGEINT) as those that they become. */
static firn_rc plain_select(firn_session *session, firn_arena *arena, const char *select,
                            firn_type **type, char **sql, firn_err *err)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    FIRN_TRY(firn_batch_describe(session, arena, select, 3, type, err));
    for (size_t i = 0; i < (*type)->n_fields; i++) {
        const firn_field *field = &(*type)->fields[i];
        const char *duck = NULL;
        FIRN_TRY(firn_type_to_duck(arena, field->type, field->name, &duck, err));
        const char *name = firn_sql_ident(arena, field->name);
        firn_buf_printf(&out, "%sCAST(%s AS %s) AS %s", i > 0 ? ", " : "SELECT ", name, duck, name);
    }
    firn_buf_printf(&out, " FROM (%s) AS firn_result", select);
    *sql = firn_arena_strdup(arena, firn_buf_cstr(&out));
    return FIRN_OK;
}

static firn_rc run_statement(firn_session *session, firn_arena *arena, firn_batch *batch,
                             const char *sql, rows_list *out, firn_err *err)
{
    const char *select = NULL;
    char *plain = NULL;
    firn_type *type = NULL;
    duckdb_result result;
    const struct ArrowSchema *schema = NULL;
    FIRN_TRY(firn_batch_select(session, arena, batch, sql, &select, err));
    FIRN_TRY(plain_select(session, arena, select, &type, &plain, err));
    firn_rc rc = firn_duck_stream(session, plain, &result, err);
    if (rc == FIRN_OK) {
        duckdb_arrow_options options = duckdb_result_get_arrow_options(&result);
        rc = arrow_schema(arena, &result, options, type, &schema, err);
        rc = rc == FIRN_OK ? take_chunks(arena, &result, options, schema, plain, out, err) : rc;
        duckdb_destroy_arrow_options(&options);
        duckdb_destroy_result(&result);
    }
    FIRN_TRY(firn_batch_result(batch, plain, rc, err));
    if (out->len == 0) { /* its columns are known all the same */
        struct ArrowArray *empty = FIRN_NEW(arena, struct ArrowArray);
        firn_rows rows = {.schema = schema, .array = empty};
        firn_vec_push(arena, out, rows);
    }
    return FIRN_OK;
}

/* ---- parting ----------------------------------------------------------------------------------------- */

typedef struct part { /* of one array */
    FIRN_VEC(uint32_t) pick;
} part;

typedef struct route {
    const char *value;
    part *parts; /* one for each of the given rows */
    int64_t count;
} route;

typedef struct parting {
    firn_arena *arena;
    const firn_rows_parting *options;
    const firn_rows *rows;
    size_t n_rows;
    int64_t *firsts; /* number of the first row of each */
    firn_map *by_value;
    FIRN_VEC(route *) routes; /* the first: no route */
    size_t near;              /* the rows that the last number fell into */
} parting;

static route *add_route(parting *p, const char *value)
{
    route *out = FIRN_NEW(p->arena, route);
    *out = (route){.value = value, .parts = FIRN_NEW_N(p->arena, part, p->n_rows)};
    firn_vec_push(p->arena, &p->routes, out);
    return out;
}

static firn_rc route_of(parting *p, duckdb_vector values, idx_t row, route **out, firn_err *err)
{
    if (firn_duck_is_null(values, row)) {
        *out = p->routes.items[0];
        return FIRN_OK;
    }
    firn_bytes text = firn_duck_bytes(values, row);
    if (memchr(text.data, '\0', text.len) != NULL) {
        FIRN_FAIL(err, FIRN_E_TYPE, "a route has a NUL character, which no table's name has");
    }
    char short_text[64];
    const char *key = text.len < sizeof(short_text)
                          ? memcpy(short_text, text.data, text.len)
                          : firn_arena_strndup(p->arena, (const char *)text.data, text.len);
    if (key == short_text) {
        short_text[text.len] = '\0';
    }
    *out = firn_map_get(p->by_value, key);
    if (*out != NULL) {
        return FIRN_OK;
    }
    if (p->routes.len > p->options->routes_max) {
        FIRN_FAIL(err, FIRN_E_LIMIT,
                  "the rows have more than %zu routes; is %s really what tables go by?",
                  p->options->routes_max, p->options->by);
    }
    *out = add_route(p, firn_arena_strdup(p->arena, key));
    firn_map_put(p->by_value, key, *out);
    return FIRN_OK;
}

/* The numbers of a route come nearly in order. */
static void put_row(parting *p, route *to, int64_t number)
{
    while (p->near > 0 && number < p->firsts[p->near]) {
        p->near--;
    }
    while (number >= p->firsts[p->near] + p->rows[p->near].count) {
        p->near++;
    }
    const firn_rows *rows = &p->rows[p->near];
    int64_t place = rows->from + (number - p->firsts[p->near]);
    uint32_t picked = rows->pick != NULL ? rows->pick[place] : (uint32_t)place;
    firn_vec_push(p->arena, &to->parts[p->near].pick, picked);
    to->count++;
}

/* A chunk of (route, numbers of its rows). */
static firn_rc part_chunk(parting *p, duckdb_data_chunk chunk, firn_err *err)
{
    duckdb_vector values = duckdb_data_chunk_get_vector(chunk, 0);
    duckdb_vector lists = duckdb_data_chunk_get_vector(chunk, 1);
    const duckdb_list_entry *entries = duckdb_vector_get_data(lists);
    const int64_t *numbers = duckdb_vector_get_data(duckdb_list_vector_get_child(lists));
    for (idx_t row = 0; row < duckdb_data_chunk_get_size(chunk); row++) {
        route *to = NULL;
        FIRN_TRY(route_of(p, values, row, &to, err));
        for (uint64_t i = 0; i < entries[row].length; i++) {
            put_row(p, to, numbers[entries[row].offset + i]);
        }
    }
    return FIRN_OK;
}

static firn_rc part_rows(parting *p, duckdb_result *result, firn_err *err)
{
    firn_rc rc = FIRN_OK;
    duckdb_data_chunk chunk;
    while (rc == FIRN_OK && (chunk = duckdb_fetch_chunk(*result)) != NULL) {
        rc = part_chunk(p, chunk, err);
        duckdb_destroy_data_chunk(&chunk);
    }
    return rc;
}

/* Lists rather than a row for each: a result that streams costs more than the expression, one that does not costs its texts' memory. */
static firn_rc query_routes(firn_session *session, parting *p, firn_batch *batch, firn_err *err)
{
    const char *select = NULL;
    duckdb_result result;
    FIRN_TRY(firn_batch_number_rows(batch, err));
    FIRN_TRY(firn_batch_select(
        session, p->arena, batch,
        firn_arena_printf(p->arena,
                          "SELECT firn_route, list(" FIRN_BATCH_ROW ") FROM (SELECT " FIRN_BATCH_ROW
                          ", CAST((%s\n) AS VARCHAR) AS firn_route FROM batch) GROUP BY firn_route",
                          p->options->by),
        &select, err));
    firn_rc rc = firn_duck_query(session, select, &result, err);
    if (rc == FIRN_OK) {
        rc = part_rows(p, &result, err);
        duckdb_destroy_result(&result);
    }
    return firn_batch_result(batch, select, rc, err);
}

/* ---- the answer -------------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    const firn_route *left = a;
    const firn_route *right = b;
    if (left->value == NULL || right->value == NULL) {
        return (left->value != NULL) - (right->value != NULL);
    }
    return strcmp(left->value, right->value);
}

static firn_route answer_of(const parting *p, const route *from)
{
    FIRN_VEC(firn_rows) rows = {0};
    for (size_t i = 0; i < p->n_rows; i++) {
        firn_rows own = p->rows[i];
        own.from = 0;
        own.count = (int64_t)from->parts[i].pick.len;
        own.pick = from->parts[i].pick.items;
        if (own.count > 0 || from->value == NULL) { /* without rows the schema counts */
            firn_vec_push(p->arena, &rows, own);
        }
    }
    return (firn_route){
        .value = from->value, .rows = rows.items, .n_rows = rows.len, .count = from->count};
}

static firn_rc open_parting(parting *p, firn_err *err)
{
    int64_t total = 0;
    p->firsts = FIRN_NEW_N(p->arena, int64_t, p->n_rows);
    for (size_t i = 0; i < p->n_rows; i++) {
        if (p->rows[i].from + p->rows[i].count > ROWS_MAX) {
            FIRN_FAIL(err, FIRN_E_LIMIT, "an array of rows has more than %d of them", ROWS_MAX);
        }
        p->firsts[i] = total;
        total += p->rows[i].count;
    }
    p->by_value = firn_map_new(p->arena);
    (void)add_route(p, NULL);
    return FIRN_OK;
}

firn_rc firn_rows_route(firn_session *session, firn_arena *arena, const firn_rows_parting *options,
                        firn_route **routes, size_t *n, firn_err *err)
{
    parting p = {
        .arena = arena, .options = options, .rows = options->rows, .n_rows = options->n_rows};
    firn_batch *batch = NULL;
    rows_list made = {0};
    session->statement_us = firn_now_us();
    session->interrupted = false;
    FIRN_TRY(firn_batch_open(session, arena, p.rows, p.n_rows, true, &batch, err));
    if (options->sql != NULL) {
        FIRN_TRY(run_statement(session, arena, batch, options->sql, &made, err));
        p.rows = made.items;
        p.n_rows = made.len;
        FIRN_TRY(firn_batch_open(session, arena, p.rows, p.n_rows, true, &batch, err));
    }
    FIRN_TRY(open_parting(&p, err));
    FIRN_TRY(query_routes(session, &p, batch, err));
    *n = p.routes.len;
    *routes = FIRN_NEW_N(arena, firn_route, *n);
    for (size_t i = 0; i < *n; i++) {
        (*routes)[i] = answer_of(&p, p.routes.items[i]);
    }
    qsort(*routes, *n, sizeof(**routes), by_value);
    return FIRN_OK;
}
