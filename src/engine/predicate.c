/* Reading predicates out of DuckDB's optimized plan of a statement over stubs; see predicate.h.
 *
 * Invariants:
 *   - what is given for a scan is true for every row of it that the statement can need;
 *   - a piece that is not understood stands for TRUE in a conjunction and makes a disjunction or negation unknown as a whole;
 *   - a stub that the plan scans twice gets the disjunction of both.
 * Literals compare here as in DuckDB, which is not always Iceberg's order: NaN is greater than all numbers, and -0.0 equals 0.0.
 */
#include "predicate.h"

#include "duck.h"

#include "base/map.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

/* Optimizers that would use the stubs' emptiness, or change the shape of the plan so that filters cannot be told from it. */
#define PLANNER_SETTINGS                                                                     \
    "SET disabled_optimizers = 'empty_result_pullup,statistics_propagation,column_lifetime," \
    "unused_columns,join_order,build_side_probe_side,late_materialization'; SET TimeZone = 'UTC'"
#define PLAN_QUERY \
    "SELECT json_serialize_plan($1::VARCHAR, optimize := true, skip_null := true, skip_default := true)"

enum { DEPTH_MAX = 200 };

/* Stubs of one list of column types; a statement takes them in order. */
typedef struct stub_pool {
    FIRN_VEC(const char *) names;
    size_t used;
    uint64_t statement; /* that `used` counts for */
} stub_pool;

struct firn_planner {
    duckdb_connection conn;
    duckdb_prepared_statement plan;
    firn_arena *arena;
    firn_map *pools; /* column types -> stub_pool */
    uint64_t statement;
    size_t n_stubs;
};

void firn_planner_free(firn_planner *planner)
{
    if (planner == NULL) {
        return;
    }
    if (planner->conn != NULL) {
        duckdb_destroy_prepare(&planner->plan);
        duckdb_disconnect(&planner->conn);
    }
    firn_arena_free(planner->arena);
    free(planner);
}

/* ---- the planner's DuckDB ---------------------------------------------------------------------------------- */

static firn_rc planner_run(firn_planner *planner, const char *sql, firn_err *err)
{
    duckdb_result result = {0};
    firn_rc rc = FIRN_OK;
    if (duckdb_query(planner->conn, sql, &result) != DuckDBSuccess) {
        rc = firn_duck_error(err, duckdb_result_error_type(&result), duckdb_result_error(&result),
                             NULL);
    }
    duckdb_destroy_result(&result);
    return rc;
}

/* @locks engine->lock held */
static firn_rc open_planner(firn_engine *engine, duckdb_connection *conn, bool *first,
                            firn_err *err)
{
    *first = engine->planner == NULL;
    if (*first) {
        static const char *const OPTIONS[][2] = {{"threads", "1"},
                                                 {"memory_limit", "256MB"},
                                                 {"temp_directory", ""},
                                                 {"autoinstall_known_extensions", "false"},
                                                 {"autoload_known_extensions", "false"},
                                                 {"errors_as_json", "true"}};
        duckdb_config config = NULL;
        FIRN_TRY(firn_duck_api_load(FIRN_DUCK_LIBRARY, err));
        if (duckdb_create_config(&config) != DuckDBSuccess) {
            FIRN_FAIL(err, FIRN_E_ENGINE, "DuckDB has no memory for its configuration");
        }
        for (size_t i = 0; i < sizeof(OPTIONS) / sizeof(OPTIONS[0]); i++) {
            duckdb_set_config(config, OPTIONS[i][0], OPTIONS[i][1]);
        }
        duckdb_state state = duckdb_open_ext(NULL, &engine->planner, config, NULL);
        duckdb_destroy_config(&config);
        if (state != DuckDBSuccess) {
            engine->planner = NULL;
            FIRN_FAIL(err, FIRN_E_ENGINE, "cannot open the planner's DuckDB");
        }
    }
    if (duckdb_connect(engine->planner, conn) != DuckDBSuccess) {
        FIRN_FAIL(err, FIRN_E_ENGINE, "cannot connect to the planner's DuckDB");
    }
    return FIRN_OK;
}

static firn_rc make_planner(firn_session *session, firn_err *err)
{
    firn_planner *planner = firn_calloc(1, sizeof(*planner));
    planner->arena = firn_arena_new();
    planner->pools = firn_map_new(planner->arena);
    bool first = false;
    pthread_mutex_lock(&session->engine->lock);
    firn_rc rc = open_planner(session->engine, &planner->conn, &first, err);
    pthread_mutex_unlock(&session->engine->lock);
    if (rc == FIRN_OK) {
        rc = planner_run(planner, PLANNER_SETTINGS, err);
    }
    if (rc == FIRN_OK &&
        duckdb_prepare(planner->conn, PLAN_QUERY, &planner->plan) != DuckDBSuccess) {
        rc = firn_duck_error(err, DUCKDB_ERROR_INVALID, duckdb_prepare_error(planner->plan), NULL);
    }
    if (rc != FIRN_OK) {
        firn_planner_free(planner);
        return rc;
    }
    session->planner = planner;
    session->settings_changed = true; /* those before the planner was there */
    return FIRN_OK;
}

/* Settings that decide what an expression means. */
static firn_rc follow_settings(firn_session *session, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_duck_cells rows;
    FIRN_TRY(firn_duck_rows(
        session, arena,
        "SELECT name, value FROM duckdb_settings() WHERE name IN ('TimeZone', 'Calendar', "
        "'default_collation', 'integer_division', 'ieee_floating_point_ops', 'old_implicit_casting', "
        "'lambda_syntax', 'scalar_subquery_error_on_multiple_rows', 'order_by_non_integer_literal')",
        &rows, err));
    for (size_t i = 0; i < rows.n_rows; i++) {
        const char *value = rows.cells[i][1] != NULL ? rows.cells[i][1] : "";
        FIRN_TRY(planner_run(
            session->planner,
            firn_arena_printf(arena, "SET %s = %s", rows.cells[i][0], firn_sql_quote(arena, value)),
            err));
    }
    session->settings_changed = false;
    return FIRN_OK;
}

firn_rc firn_plan_begin(firn_session *session, firn_err *err)
{
    if (session->has_macros) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED, "the session has macros of its own");
    }
    if (session->planner == NULL) {
        FIRN_TRY(make_planner(session, err));
    }
    if (session->settings_changed) {
        FIRN_TRY(follow_settings(session, err));
    }
    session->planner->statement++;
    return FIRN_OK;
}

static firn_rc new_stub(firn_planner *planner, const char *types, stub_pool *pool, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const char *name = firn_arena_printf(planner->arena, "firn_stub_%zu", planner->n_stubs++);
    FIRN_TRY(planner_run(planner,
                         firn_arena_printf(arena, "CREATE TEMP TABLE %s (%s)", name, types), err));
    firn_vec_push(planner->arena, &pool->names, name);
    return FIRN_OK;
}

firn_rc firn_plan_stub(firn_session *session, firn_arena *arena, firn_plan_scan *scan,
                       firn_err *err)
{
    firn_planner *planner = session->planner;
    const firn_type *root = &scan->schema->root;
    FIRN_AUTO_BUF firn_buf types = {0};
    FIRN_AUTO_BUF firn_buf select = {0};
    for (size_t i = 0; i < root->n_fields; i++) {
        const char *duck;
        if (firn_type_to_duck(arena, root->fields[i].type, root->fields[i].name, &duck, NULL) !=
            FIRN_OK) {
            duck = "VARCHAR"; /* as read_shape.c has it */
        }
        firn_buf_printf(&types, "%sc%zu %s", i > 0 ? ", " : "", i, duck);
        firn_buf_printf(&select, "%sc%zu AS %s", i > 0 ? ", " : "(SELECT ", i,
                        firn_sql_ident(arena, root->fields[i].name));
    }
    if (root->n_fields == 0) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED, "a table without columns");
    }
    stub_pool *pool = firn_map_get(planner->pools, firn_buf_cstr(&types));
    if (pool == NULL) {
        pool = FIRN_NEW(planner->arena, stub_pool);
        firn_map_put(planner->pools, firn_buf_cstr(&types), pool);
    }
    if (pool->statement != planner->statement) {
        pool->statement = planner->statement;
        pool->used = 0;
    }
    if (pool->used == pool->names.len) {
        FIRN_TRY(new_stub(planner, firn_buf_cstr(&types), pool, err));
    }
    scan->table = pool->names.items[pool->used++];
    scan->stub = firn_arena_printf(arena, "%s FROM %s)", firn_buf_cstr(&select), scan->table);
    return FIRN_OK;
}

/* ---- JSON ---------------------------------------------------------------------------------------------------- */

static const char *text_member(const json_t *node, const char *key)
{
    const char *text = json_string_value(json_object_get(node, key));
    return text != NULL ? text : "";
}

static size_t index_member(const json_t *node, const char *key)
{
    return (size_t)json_integer_value(
        json_object_get(node, key)); /* absent: 0, as skip_default has it */
}

/* ---- constants ------------------------------------------------------------------------------------------------ */

static bool wide_integer(const json_t *value, __int128 *out)
{
    if (json_is_integer(value)) {
        *out = json_integer_value(value);
        return true;
    }
    const json_t *upper = json_object_get(value, "upper");
    const json_t *lower = json_object_get(value, "lower");
    if (!json_is_integer(upper) || lower == NULL) {
        return false;
    }
    uint64_t low;
    if (json_is_integer(lower)) {
        low = (uint64_t)json_integer_value(lower);
    } else { /* beyond a signed 64-bit integer: a marked string that ends with the digits */
        const char *text = json_string_value(lower);
        const char *digits = text != NULL ? strrchr(text, ':') : NULL;
        if (digits == NULL) {
            return false;
        }
        low = strtoull(digits + 1, NULL, 10);
    }
    *out = (__int128)((unsigned __int128)(uint64_t)json_integer_value(upper) << 64 | low);
    return true;
}

static bool integer_constant(const json_t *value, firn_value *out)
{
    __int128 wide;
    if (!wide_integer(value, &wide) || wide < INT64_MIN || wide > INT64_MAX) {
        return false;
    }
    *out = (firn_value){.type = FIRN_TYPE_LONG, .i64 = (int64_t)wide};
    return true;
}

static bool uuid_constant(firn_arena *arena, const json_t *value, firn_value *out)
{
    __int128 wide;
    if (!wide_integer(value, &wide)) {
        return false;
    }
    unsigned __int128 bits = (unsigned __int128)wide ^ ((unsigned __int128)1 << 127);
    uint8_t *bytes = firn_arena_alloc(arena, 16);
    for (int i = 15; i >= 0; i--) {
        bytes[i] = (uint8_t)bits;
        bits >>= 8;
    }
    *out = (firn_value){.type = FIRN_TYPE_UUID, .bytes = firn_bytes_of(bytes, 16)};
    return true;
}

/* "ab\x01": bytes as DuckDB prints a blob. */
static bool blob_constant(firn_arena *arena, const json_t *value, firn_value *out)
{
    const char *text = json_string_value(value);
    if (text == NULL) {
        return false;
    }
    uint8_t *bytes = firn_arena_alloc(arena, strlen(text));
    size_t n = 0;
    while (*text != '\0') {
        if (*text != '\\') {
            bytes[n++] = (uint8_t)*text++;
            continue;
        }
        firn_bytes one;
        if (text[1] != 'x' || text[2] == '\0' || text[3] == '\0' ||
            !firn_unhex(arena, firn_arena_strndup(arena, text + 2, 2), &one)) {
            return false;
        }
        bytes[n++] = one.data[0];
        text += 4;
    }
    *out = (firn_value){.type = FIRN_TYPE_BINARY, .bytes = firn_bytes_of(bytes, n)};
    return true;
}

static bool decimal_constant(const json_t *type, const json_t *value, firn_value *out)
{
    __int128 wide;
    if (!wide_integer(value, &wide)) {
        return false;
    }
    int32_t scale = (int32_t)index_member(json_object_get(type, "type_info"), "scale");
    *out = (firn_value){.type = FIRN_TYPE_DECIMAL, .scale = scale, .decimal = wide};
    return true;
}

/* Types whose constants are plain integers, in units of `per` of the Iceberg type's. */
static const struct {
    const char *id;
    firn_type_id type;
    int64_t per;
} UNITS[] = {{"DATE", FIRN_TYPE_DATE, 1},
             {"TIME", FIRN_TYPE_TIME, 1},
             {"TIMESTAMP", FIRN_TYPE_TIMESTAMP, 1},
             {"TIMESTAMP_MS", FIRN_TYPE_TIMESTAMP, 1000},
             {"TIMESTAMP_S", FIRN_TYPE_TIMESTAMP, 1000000},
             {"TIMESTAMP_NS", FIRN_TYPE_TIMESTAMP_NS, 1},
             {"TIMESTAMP WITH TIME ZONE", FIRN_TYPE_TIMESTAMPTZ, 1}};

static bool temporal_constant(const char *id, const json_t *value, firn_value *out)
{
    for (size_t i = 0; i < sizeof(UNITS) / sizeof(UNITS[0]); i++) {
        int64_t units;
        if (!firn_streq(UNITS[i].id, id)) {
            continue;
        }
        if (!json_is_integer(value) ||
            __builtin_mul_overflow((int64_t)json_integer_value(value), UNITS[i].per, &units)) {
            return false;
        }
        *out = (firn_value){.type = UNITS[i].type};
        if (UNITS[i].type == FIRN_TYPE_DATE) {
            out->i32 = (int32_t)units;
            return units > INT32_MIN && units < INT32_MAX; /* the ends are infinities */
        }
        out->i64 = units;
        return units > -INT64_MAX && units < INT64_MAX;
    }
    return false;
}

/* {"type": {"id": "BIGINT"}, "is_null": false, "value": 5}. False for null and for what has no Iceberg value. */
static bool constant_of(firn_arena *arena, const json_t *json, firn_value *out)
{
    static const char *const INTEGERS[] = {"TINYINT",  "SMALLINT",  "INTEGER",  "BIGINT", "HUGEINT",
                                           "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"};
    const json_t *type = json_object_get(json, "type");
    const json_t *value = json_object_get(json, "value");
    const char *id = text_member(type, "id");
    if (json_is_true(json_object_get(json, "is_null")) || type == NULL) {
        return false;
    }
    for (size_t i = 0; i < sizeof(INTEGERS) / sizeof(INTEGERS[0]); i++) {
        if (firn_streq(id, INTEGERS[i])) {
            return value == NULL ? false : integer_constant(value, out);
        }
    }
    if (firn_streq(id, "BOOLEAN")) {
        *out = (firn_value){.type = FIRN_TYPE_BOOLEAN, .boolean = json_is_true(value)};
        return json_is_boolean(value);
    }
    if (firn_streq(id, "DOUBLE") || firn_streq(id, "FLOAT")) {
        *out = (firn_value){.type = FIRN_TYPE_DOUBLE, .f64 = json_number_value(value)};
        return json_is_number(value);
    }
    if (firn_streq(id, "VARCHAR")) {
        const char *text = json_string_value(value);
        *out = (firn_value){.type = FIRN_TYPE_STRING,
                            .bytes = firn_bytes_str(text != NULL ? text : "")};
        return text != NULL && json_string_length(value) == strlen(text) &&
               text_member(type, "alias")[0] == '\0' &&
               json_object_get(type, "type_info") == NULL; /* a collation would be there */
    }
    if (firn_streq(id, "DECIMAL")) {
        return decimal_constant(type, value, out);
    }
    if (firn_streq(id, "UUID")) {
        return uuid_constant(arena, value, out);
    }
    if (firn_streq(id, "BLOB")) {
        return blob_constant(arena, value, out);
    }
    return temporal_constant(id, value, out);
}

/* ---- leaves ------------------------------------------------------------------------------------------------------ */

/* A predicate under construction. expr NULL: not known. `exact`: neither weaker nor stronger than what DuckDB evaluates. */
typedef struct piece {
    const firn_expr *expr;
    bool exact;
} piece;

static const piece UNKNOWN = {NULL, false};

typedef struct reader {
    firn_arena *arena;
    const firn_schema *schema;
    const json_t
        *columns;        /* of the scan: output position -> table column; NULL: `column` is meant */
    const json_t *chain; /* plan node below the filter, for positions */
    const firn_field *column;
} reader;

static bool is_real(const firn_field *field)
{
    return field->type->id == FIRN_TYPE_FLOAT || field->type->id == FIRN_TYPE_DOUBLE;
}

static piece plain_leaf(firn_arena *arena, firn_expr_op op, const firn_field *field,
                        const firn_value *values, size_t n)
{
    piece out = {.exact = true};
    out.expr = firn_expr_leaf(arena, op, field, values, n, &out.exact);
    return out;
}

static piece join(firn_arena *arena, bool both, piece a, piece b)
{
    const firn_expr *expr =
        both ? firn_expr_and(arena, a.expr, b.expr) : firn_expr_or(arena, a.expr, b.expr);
    return (piece){.expr = expr, .exact = a.exact && b.exact};
}

/* Comparison of a real column in DuckDB's order, said in Iceberg's. */
static piece real_leaf(firn_arena *arena, firn_expr_op op, const firn_field *field,
                       const firn_value *value)
{
    firn_value constant = *value;
    if (!firn_value_convert(arena, value, &(firn_type){.id = FIRN_TYPE_DOUBLE}, &constant) ||
        isnan(constant.f64)) {
        return UNKNOWN;
    }
    bool zero = constant.f64 == 0;
    firn_value minus = {.type = FIRN_TYPE_DOUBLE, .f64 = -0.0},
               plus = {.type = FIRN_TYPE_DOUBLE, .f64 = 0.0};
    piece out;
    switch (op) {
    case FIRN_EXPR_EQ:
        out = zero ? join(arena, false, plain_leaf(arena, op, field, &minus, 1),
                          plain_leaf(arena, op, field, &plus, 1))
                   : plain_leaf(arena, op, field, &constant, 1);
        break;
    case FIRN_EXPR_NOT_EQ:
        out = zero ? join(arena, true, plain_leaf(arena, op, field, &minus, 1),
                          plain_leaf(arena, op, field, &plus, 1))
                   : plain_leaf(arena, op, field, &constant, 1);
        out.exact = false; /* NaN */
        break;
    case FIRN_EXPR_LT:
    case FIRN_EXPR_LT_EQ:
        out = plain_leaf(arena, op, field, zero ? (op == FIRN_EXPR_LT ? &minus : &plus) : &constant,
                         1);
        break;
    default: /* GT, GT_EQ: NaN is greater than everything */
        out = plain_leaf(arena, op, field, zero ? (op == FIRN_EXPR_GT ? &plus : &minus) : &constant,
                         1);
        out = join(arena, false, out, plain_leaf(arena, FIRN_EXPR_IS_NAN, field, NULL, 0));
        break;
    }
    return out;
}

static piece compare(firn_arena *arena, firn_expr_op op, const firn_field *field,
                     const firn_value *value)
{
    return is_real(field) ? real_leaf(arena, op, field, value)
                          : plain_leaf(arena, op, field, value, 1);
}

/* IN of a real column needs the care of each comparison. */
static piece in_list(firn_arena *arena, bool negated, const firn_field *field,
                     const firn_value *values, size_t n)
{
    if (!is_real(field)) {
        return plain_leaf(arena, negated ? FIRN_EXPR_NOT_IN : FIRN_EXPR_IN, field, values, n);
    }
    piece out = {.expr = negated ? firn_expr_true() : firn_expr_false(), .exact = true};
    for (size_t i = 0; i < n; i++) {
        piece one = real_leaf(arena, negated ? FIRN_EXPR_NOT_EQ : FIRN_EXPR_EQ, field, &values[i]);
        if (one.expr == NULL) {
            return UNKNOWN;
        }
        out = join(arena, negated, out, one);
    }
    return out;
}

static bool comparison_op(const char *type, bool flipped, firn_expr_op *out)
{
    static const struct {
        const char *type;
        firn_expr_op op, flipped;
    } OPS[] = {{"COMPARE_EQUAL", FIRN_EXPR_EQ, FIRN_EXPR_EQ},
               {"COMPARE_NOTEQUAL", FIRN_EXPR_NOT_EQ, FIRN_EXPR_NOT_EQ},
               {"COMPARE_LESSTHAN", FIRN_EXPR_LT, FIRN_EXPR_GT},
               {"COMPARE_LESSTHANOREQUALTO", FIRN_EXPR_LT_EQ, FIRN_EXPR_GT_EQ},
               {"COMPARE_GREATERTHAN", FIRN_EXPR_GT, FIRN_EXPR_LT},
               {"COMPARE_GREATERTHANOREQUALTO", FIRN_EXPR_GT_EQ, FIRN_EXPR_LT_EQ}};
    for (size_t i = 0; i < sizeof(OPS) / sizeof(OPS[0]); i++) {
        if (firn_streq(OPS[i].type, type)) {
            *out = flipped ? OPS[i].flipped : OPS[i].op;
            return true;
        }
    }
    return false;
}

/* ---- expressions ---------------------------------------------------------------------------------------------------- */

/* Table column behind output position `at` of a plan node, through projections and filters; -1: something else. */
static int64_t column_behind(const json_t *node, size_t at)
{
    for (int depth = 0; depth < DEPTH_MAX && node != NULL; depth++) {
        const char *type = text_member(node, "type");
        const json_t *child = json_array_get(json_object_get(node, "children"), 0);
        if (firn_streq(type, "LOGICAL_GET")) {
            const json_t *kept = json_object_get(node, "projection_ids");
            if (json_array_size(kept) > 0) {
                at = (size_t)json_integer_value(json_array_get(kept, at));
            }
            const json_t *index = json_array_get(json_object_get(node, "column_indexes"), at);
            return index == NULL || json_array_size(json_object_get(index, "child_indexes")) > 0
                       ? -1
                       : (int64_t)index_member(index, "index");
        }
        if (firn_streq(type, "LOGICAL_PROJECTION")) {
            const json_t *expr = json_array_get(json_object_get(node, "expressions"), at);
            if (!firn_streq(text_member(expr, "expression_class"), "BOUND_REF")) {
                return -1;
            }
            at = index_member(expr, "index");
        } else if (!firn_streq(type, "LOGICAL_FILTER") ||
                   json_array_size(json_object_get(node, "projection_map")) > 0) {
            return -1;
        }
        node = child;
    }
    return -1;
}

static const firn_field *field_of(const reader *r, const json_t *expr)
{
    if (!firn_streq(text_member(expr, "expression_class"), "BOUND_REF")) {
        return NULL;
    }
    if (r->column != NULL) {
        return index_member(expr, "index") == 0 ? r->column : NULL;
    }
    int64_t at = column_behind(r->chain, index_member(expr, "index"));
    return at >= 0 && (size_t)at < r->schema->root.n_fields ? &r->schema->root.fields[at] : NULL;
}

static bool literal_of(const reader *r, const json_t *expr, firn_value *out)
{
    return firn_streq(text_member(expr, "expression_class"), "BOUND_CONSTANT") &&
           constant_of(r->arena, json_object_get(expr, "value"), out);
}

static piece read_expr(const reader *r, const json_t *expr, int depth);

/* CAST(day AS TIMESTAMP) against an instant: "day > current_date - INTERVAL '30 days'" comes as this. With a time zone the midnight
 * may lie up to a day away. */
static piece read_day(const reader *r, const json_t *cast, const json_t *constant, firn_expr_op op)
{
    static const int64_t DAY_US = INT64_C(86400000000);
    const firn_field *field = field_of(r, json_object_get(cast, "child"));
    firn_value instant;
    if (field == NULL || field->type->id != FIRN_TYPE_DATE || !literal_of(r, constant, &instant) ||
        (instant.type != FIRN_TYPE_TIMESTAMP && instant.type != FIRN_TYPE_TIMESTAMPTZ)) {
        return UNKNOWN;
    }
    int64_t floor = instant.i64 / DAY_US - (instant.i64 % DAY_US < 0 ? 1 : 0);
    int64_t ceiling = floor + (instant.i64 % DAY_US != 0 ? 1 : 0);
    int64_t slack = instant.type == FIRN_TYPE_TIMESTAMPTZ ? 1 : 0;
    firn_value day = {.type = FIRN_TYPE_DATE};
    switch (op) {
    case FIRN_EXPR_LT: day.i32 = (int32_t)(ceiling + slack); break;
    case FIRN_EXPR_LT_EQ: day.i32 = (int32_t)(floor + slack); break;
    case FIRN_EXPR_GT: day.i32 = (int32_t)(floor - slack); break;
    case FIRN_EXPR_GT_EQ: day.i32 = (int32_t)(ceiling - slack); break;
    default: return UNKNOWN;
    }
    piece out = plain_leaf(r->arena, op, field, &day, 1);
    out.exact = out.exact && slack == 0;
    return out;
}

static piece read_comparison(const reader *r, const json_t *expr)
{
    const json_t *left = json_object_get(expr, "left"), *right = json_object_get(expr, "right");
    bool cast_left = firn_streq(text_member(left, "expression_class"), "BOUND_CAST");
    bool cast_right = firn_streq(text_member(right, "expression_class"), "BOUND_CAST");
    firn_expr_op day_op;
    if (cast_left != cast_right && comparison_op(text_member(expr, "type"), cast_right, &day_op)) {
        return cast_left ? read_day(r, left, right, day_op) : read_day(r, right, left, day_op);
    }
    const firn_field *field = field_of(r, left);
    bool flipped = field == NULL;
    field = flipped ? field_of(r, right) : field;
    firn_value value;
    firn_expr_op op;
    if (field == NULL || firn_type_is_nested(field->type) ||
        !literal_of(r, flipped ? left : right, &value) ||
        !comparison_op(text_member(expr, "type"), flipped, &op)) {
        return UNKNOWN;
    }
    return compare(r->arena, op, field, &value);
}

static piece read_between(const reader *r, const json_t *expr)
{
    const firn_field *field = field_of(r, json_object_get(expr, "input"));
    firn_value lower, upper;
    if (field == NULL || firn_type_is_nested(field->type) ||
        !literal_of(r, json_object_get(expr, "lower"), &lower) ||
        !literal_of(r, json_object_get(expr, "upper"), &upper)) {
        return UNKNOWN;
    }
    bool from = json_is_true(json_object_get(expr, "lower_inclusive"));
    bool to = json_is_true(json_object_get(expr, "upper_inclusive"));
    piece a = compare(r->arena, from ? FIRN_EXPR_GT_EQ : FIRN_EXPR_GT, field, &lower);
    piece b = compare(r->arena, to ? FIRN_EXPR_LT_EQ : FIRN_EXPR_LT, field, &upper);
    return a.expr == NULL || b.expr == NULL ? UNKNOWN : join(r->arena, true, a, b);
}

static piece read_conjunction(const reader *r, const json_t *expr, int depth)
{
    bool both = firn_streq(text_member(expr, "type"), "CONJUNCTION_AND");
    piece out = {.expr = both ? firn_expr_true() : firn_expr_false(), .exact = true};
    size_t i;
    json_t *child;
    json_array_foreach(json_object_get(expr, "children"), i, child)
    {
        piece one = read_expr(r, child, depth + 1);
        if (one.expr != NULL) {
            out = join(r->arena, both, out, one);
        } else if (both) {
            out.exact = false;
        } else {
            return UNKNOWN;
        }
    }
    return out;
}

static piece read_in(const reader *r, const json_t *expr, bool negated)
{
    const json_t *children = json_object_get(expr, "children");
    size_t n = json_array_size(children);
    const firn_field *field = field_of(r, json_array_get(children, 0));
    if (field == NULL || firn_type_is_nested(field->type) || n < 2) {
        return UNKNOWN;
    }
    firn_value *values = FIRN_NEW_N(r->arena, firn_value, n - 1);
    for (size_t i = 1; i < n; i++) {
        if (!literal_of(r, json_array_get(children, i), &values[i - 1])) {
            return UNKNOWN;
        }
    }
    return in_list(r->arena, negated, field, values, n - 1);
}

static piece read_operator(const reader *r, const json_t *expr, int depth)
{
    const char *type = text_member(expr, "type");
    const json_t *first = json_array_get(json_object_get(expr, "children"), 0);
    if (firn_streq(type, "COMPARE_IN") || firn_streq(type, "COMPARE_NOT_IN")) {
        return read_in(r, expr, firn_streq(type, "COMPARE_NOT_IN"));
    }
    if (firn_streq(type, "OPERATOR_NOT")) {
        piece inner = read_expr(r, first, depth + 1);
        /* NOT of something weaker would be something stricter. */
        return inner.expr != NULL && inner.exact
                   ? (piece){firn_expr_not(r->arena, inner.expr), true}
                   : UNKNOWN;
    }
    bool is_null = firn_streq(type, "OPERATOR_IS_NULL");
    const firn_field *field = field_of(r, first);
    if (field == NULL || (!is_null && !firn_streq(type, "OPERATOR_IS_NOT_NULL"))) {
        return UNKNOWN;
    }
    if (firn_type_is_nested(field->type)) {
        return UNKNOWN; /* metrics are of the leaves */
    }
    return plain_leaf(r->arena, is_null ? FIRN_EXPR_IS_NULL : FIRN_EXPR_NOT_NULL, field, NULL, 0);
}

static piece read_expr(const reader *r, const json_t *expr, int depth)
{
    const char *kind = text_member(expr, "expression_class");
    if (depth > DEPTH_MAX) {
        return UNKNOWN;
    }
    if (firn_streq(kind, "BOUND_COMPARISON")) {
        return read_comparison(r, expr);
    }
    if (firn_streq(kind, "BOUND_BETWEEN")) {
        return read_between(r, expr);
    }
    if (firn_streq(kind, "BOUND_CONJUNCTION")) {
        return read_conjunction(r, expr, depth);
    }
    if (firn_streq(kind, "BOUND_OPERATOR")) {
        return read_operator(r, expr, depth);
    }
    if (firn_streq(kind, "BOUND_REF")) { /* a boolean column by itself */
        const firn_field *field = field_of(r, expr);
        firn_value yes = {.type = FIRN_TYPE_BOOLEAN, .boolean = true};
        return field != NULL && field->type->id == FIRN_TYPE_BOOLEAN
                   ? plain_leaf(r->arena, FIRN_EXPR_EQ, field, &yes, 1)
                   : UNKNOWN;
    }
    return UNKNOWN;
}

/* ---- table filters ---------------------------------------------------------------------------------------------------- */

static piece read_filter(firn_arena *arena, const firn_field *field, const json_t *filter,
                         int depth);

static piece read_children(firn_arena *arena, const firn_field *field, const json_t *filter,
                           bool both, int depth)
{
    piece out = {.expr = both ? firn_expr_true() : firn_expr_false(), .exact = true};
    size_t i;
    json_t *child;
    json_array_foreach(json_object_get(filter, "child_filters"), i, child)
    {
        piece one = read_filter(arena, field, child, depth + 1);
        if (one.expr != NULL) {
            out = join(arena, both, out, one);
        } else if (both) {
            out.exact = false;
        } else {
            return UNKNOWN;
        }
    }
    return out;
}

static piece read_in_filter(firn_arena *arena, const firn_field *field, const json_t *filter)
{
    const json_t *list = json_object_get(filter, "values");
    size_t n = json_array_size(list);
    firn_value *values = FIRN_NEW_N(arena, firn_value, n);
    for (size_t i = 0; i < n; i++) {
        if (!constant_of(arena, json_array_get(list, i), &values[i])) {
            return UNKNOWN;
        }
    }
    return n > 0 ? in_list(arena, false, field, values, n) : UNKNOWN;
}

static piece read_member(firn_arena *arena, const firn_field *field, const json_t *filter,
                         int depth)
{
    const char *name = text_member(filter, "child_name");
    const json_t *child = json_object_get(filter, "child_filter");
    for (size_t i = 0; field->type->id == FIRN_TYPE_STRUCT && i < field->type->n_fields; i++) {
        const char *kind = text_member(child, "filter_type");
        bool about_null = firn_streq(kind, "IS_NULL") || firn_streq(kind, "EXPRESSION_FILTER");
        if (firn_streq(field->type->fields[i].name, name) && !about_null) {
            piece out = read_filter(arena, &field->type->fields[i], child, depth + 1);
            out.exact = false; /* a null struct's members are null, which metrics need not say */
            return out;
        }
    }
    return UNKNOWN;
}

/* What DuckDB pushed into the scan of one column. */
static piece read_filter(firn_arena *arena, const firn_field *field, const json_t *filter,
                         int depth)
{
    const char *kind = text_member(filter, "filter_type");
    if (depth > DEPTH_MAX) {
        return UNKNOWN;
    }
    if (firn_streq(kind, "STRUCT_EXTRACT")) {
        return read_member(arena, field, filter, depth);
    }
    if (firn_type_is_nested(field->type)) {
        return UNKNOWN;
    }
    if (firn_streq(kind, "CONSTANT_COMPARISON")) {
        firn_value value;
        firn_expr_op op;
        bool ok = constant_of(arena, json_object_get(filter, "constant"), &value) &&
                  comparison_op(text_member(filter, "comparison_type"), false, &op);
        return ok ? compare(arena, op, field, &value) : UNKNOWN;
    }
    if (firn_streq(kind, "CONJUNCTION_AND") || firn_streq(kind, "CONJUNCTION_OR")) {
        return read_children(arena, field, filter, firn_streq(kind, "CONJUNCTION_AND"), depth);
    }
    if (firn_streq(kind, "OPTIONAL_FILTER")) {
        /* Follows from other conditions of the plan: true, and no loss of exactness without it. */
        piece inner = read_filter(arena, field, json_object_get(filter, "child_filter"), depth + 1);
        return (piece){.expr = inner.expr != NULL ? inner.expr : firn_expr_true(), .exact = true};
    }
    if (firn_streq(kind, "IN_FILTER")) {
        return read_in_filter(arena, field, filter);
    }
    if (firn_streq(kind, "IS_NULL") || firn_streq(kind, "IS_NOT_NULL")) {
        return plain_leaf(arena,
                          firn_streq(kind, "IS_NULL") ? FIRN_EXPR_IS_NULL : FIRN_EXPR_NOT_NULL,
                          field, NULL, 0);
    }
    if (firn_streq(kind, "EXPRESSION_FILTER")) {
        reader r = {.arena = arena, .column = field};
        return read_expr(&r, json_object_get(filter, "expr"), 0);
    }
    return UNKNOWN; /* DYNAMIC_FILTER and what may come */
}

/* ---- the plan ------------------------------------------------------------------------------------------------------------- */

typedef struct collector {
    firn_arena *arena;
    firn_plan_scan *const *scans;
    size_t n;
    bool *seen;
} collector;

static piece scan_filters(firn_arena *arena, const firn_schema *schema, const json_t *get)
{
    piece out = {.expr = firn_expr_true(), .exact = true};
    size_t i;
    json_t *filter;
    json_array_foreach(json_object_get(json_object_get(get, "table_filters"), "filters"), i, filter)
    {
        size_t column = index_member(filter, "key");
        piece one = UNKNOWN;
        if (column < schema->root.n_fields) {
            one = read_filter(arena, &schema->root.fields[column], json_object_get(filter, "value"),
                              0);
        }
        out = one.expr != NULL ? join(arena, true, out, one) : (piece){out.expr, false};
    }
    return out;
}

static void found_scan(collector *c, const json_t *get, const json_t *const *filters,
                       size_t n_filters, bool root_chain)
{
    const char *table = text_member(json_object_get(get, "function_data"), "table");
    for (size_t i = 0; i < c->n; i++) {
        firn_plan_scan *scan = c->scans[i];
        if (!firn_streq(scan->table, table)) {
            continue;
        }
        piece all = scan_filters(c->arena, scan->schema, get);
        for (size_t f = 0; f < n_filters; f++) {
            reader r = {.arena = c->arena,
                        .schema = scan->schema,
                        .chain = json_array_get(json_object_get(filters[f], "children"), 0)};
            size_t k;
            json_t *expr;
            json_array_foreach(json_object_get(filters[f], "expressions"), k, expr)
            {
                piece one = read_expr(&r, expr, 0);
                all = one.expr != NULL ? join(c->arena, true, all, one) : (piece){all.expr, false};
            }
        }
        scan->filter = c->seen[i] ? firn_expr_or(c->arena, scan->filter, all.expr) : all.expr;
        scan->exact = !c->seen[i] && all.exact && root_chain;
        c->seen[i] = true;
    }
}

/* `filters`: LOGICAL_FILTERs above, with nothing but projections and filters between them and this node. */
static void collect_scans(collector *c, const json_t *node, const json_t *const *filters,
                          size_t n_filters, bool root_chain, int depth)
{
    const json_t *mine[16];
    const char *type = text_member(node, "type");
    if (depth > DEPTH_MAX) {
        return;
    }
    if (firn_streq(type, "LOGICAL_GET")) {
        found_scan(c, node, filters, n_filters, root_chain);
        return;
    }
    bool filter = firn_streq(type, "LOGICAL_FILTER");
    bool passes = filter || firn_streq(type, "LOGICAL_PROJECTION");
    bool keeps_rows = passes || firn_streq(type, "LOGICAL_AGGREGATE_AND_GROUP_BY");
    size_t n_mine = 0;
    if (passes) {
        n_mine = n_filters;
        for (size_t i = 0; i < n_filters; i++) {
            mine[i] = filters[i];
        }
        if (filter && n_mine < sizeof(mine) / sizeof(mine[0])) {
            mine[n_mine++] = node;
        } else if (filter) {
            root_chain = false;
        }
    }
    size_t i;
    json_t *child;
    json_array_foreach(json_object_get(node, "children"), i, child)
    {
        collect_scans(c, child, mine, n_mine, root_chain && keeps_rows, depth + 1);
    }
}

static firn_rc plan_json(firn_planner *planner, firn_arena *arena, const char *sql, json_t **out,
                         firn_err *err)
{
    duckdb_result result = {0};
    if (duckdb_bind_varchar(planner->plan, 1, sql) != DuckDBSuccess) {
        FIRN_FAIL(err, FIRN_E_ENGINE, "the planner does not take the statement");
    }
    if (duckdb_execute_prepared(planner->plan, &result) != DuckDBSuccess) {
        firn_rc rc = firn_duck_error(err, duckdb_result_error_type(&result),
                                     duckdb_result_error(&result), NULL);
        duckdb_destroy_result(&result);
        return rc;
    }
    *out = NULL;
    duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
    if (chunk != NULL && duckdb_data_chunk_get_size(chunk) == 1) {
        firn_bytes text = firn_duck_bytes(duckdb_data_chunk_get_vector(chunk, 0), 0);
        *out = firn_duck_json_load(arena,
                                   firn_arena_strndup(arena, (const char *)text.data, text.len));
    }
    duckdb_destroy_data_chunk(&chunk);
    duckdb_destroy_result(&result);
    if (*out == NULL || json_is_true(json_object_get(*out, "error"))) {
        FIRN_FAIL(err, FIRN_E_ENGINE, "the planner gives no plan: %s",
                  *out != NULL ? text_member(*out, "error_message") : "?");
    }
    return FIRN_OK;
}

firn_rc firn_plan_filters(firn_session *session, firn_arena *arena, const char *sql,
                          firn_plan_scan *const *scans, size_t n, firn_err *err)
{
    json_t *root;
    FIRN_TRY(plan_json(session->planner, arena, sql, &root, err));
    const json_t *plans = json_object_get(root, "plans");
    if (json_array_size(plans) != 1) {
        FIRN_FAIL(err, FIRN_E_ENGINE, "the planner gives %zu plans", json_array_size(plans));
    }
    collector c = {.arena = arena, .scans = scans, .n = n, .seen = FIRN_NEW_N(arena, bool, n)};
    collect_scans(&c, json_array_get(plans, 0), NULL, 0, true, 0);
    for (size_t i = 0; i < n; i++) {
        if (!c.seen[i]) { /* a contradiction, or a query that nothing uses: no row is needed */
            scans[i]->filter = firn_expr_false();
            scans[i]->exact = false;
        }
    }
    return FIRN_OK;
}
