/* Running SQL in DuckDB and telling what went wrong.
 *
 * Invariants: one statement per call (duckdb_query with several gives the first's rows: the caller has split them); a result is
 * only destroyed when it was filled; after a streamed result ends its error is looked at, else rows would be missing in silence.
 */
#include "duck.h"

#include "base/time.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

enum { NAP_US = 200 };

/* ---- errors ----------------------------------------------------------------------------------------- */

static firn_rc code_of(duckdb_error_type type)
{
    switch (type) {
    case DUCKDB_ERROR_PARSER:
    case DUCKDB_ERROR_SYNTAX: return FIRN_E_SYNTAX;
    case DUCKDB_ERROR_CONVERSION:
    case DUCKDB_ERROR_OUT_OF_RANGE:
    case DUCKDB_ERROR_DECIMAL:
    case DUCKDB_ERROR_MISMATCH_TYPE:
    case DUCKDB_ERROR_INVALID_TYPE:
    case DUCKDB_ERROR_UNKNOWN_TYPE: return FIRN_E_TYPE;
    case DUCKDB_ERROR_CATALOG:
    case DUCKDB_ERROR_BINDER:
    case DUCKDB_ERROR_EXPRESSION:
    case DUCKDB_ERROR_INVALID_INPUT:
    case DUCKDB_ERROR_SETTINGS:
    case DUCKDB_ERROR_DEPENDENCY:
    case DUCKDB_ERROR_SEQUENCE:
    case DUCKDB_ERROR_PARAMETER_NOT_RESOLVED:
    case DUCKDB_ERROR_PARAMETER_NOT_ALLOWED:
    case DUCKDB_ERROR_DIVIDE_BY_ZERO: return FIRN_E_INVALID;
    case DUCKDB_ERROR_NOT_IMPLEMENTED:
    case DUCKDB_ERROR_MISSING_EXTENSION:
    case DUCKDB_ERROR_AUTOLOAD: return FIRN_E_UNSUPPORTED;
    case DUCKDB_ERROR_CONSTRAINT: return FIRN_E_CHECK_FAILED;
    case DUCKDB_ERROR_IO:
    case DUCKDB_ERROR_HTTP:
    case DUCKDB_ERROR_NETWORK: return FIRN_E_IO;
    case DUCKDB_ERROR_INTERRUPT: return FIRN_E_CANCELLED;
    case DUCKDB_ERROR_OBJECT_SIZE:
    case DUCKDB_ERROR_OUT_OF_MEMORY: return FIRN_E_MEMORY;
    case DUCKDB_ERROR_PERMISSION: return FIRN_E_PERMISSION;
    case DUCKDB_ERROR_INTERNAL:
    case DUCKDB_ERROR_FATAL: return FIRN_E_INTERNAL;
    default: return FIRN_E_ENGINE;
    }
}

/* What errors_as_json says; members may be NULL. */
typedef struct details {
    const char *message, *subtype, *kind, *name, *candidates, *type;
    int64_t position; /* byte in the SQL, -1: unknown */
} details;

static const char *member(const json_t *json, const char *key)
{
    return json_string_value(json_object_get(json, key));
}

/* DuckDB's message without its picture of the statement and on one line. */
static const char *one_line(firn_arena *arena, const char *text)
{
    char *copy = firn_arena_strdup(arena, text);
    char *picture = strstr(copy, "\nLINE ");
    if (picture != NULL) {
        *picture = '\0';
    }
    char *to = copy;
    bool blank = false;
    for (const char *at = copy; *at != '\0'; at++) {
        if (*at == '\n' || *at == '\t' || *at == ' ') {
            blank = true;
            continue;
        }
        if (blank && to > copy) {
            *to++ = ' ';
        }
        blank = false;
        *to++ = *at;
    }
    *to = '\0';
    return copy;
}

static details read_details(firn_arena *arena, const char *message)
{
    details out = {.position = -1};
    const char *brace = strchr(message, '{');
    json_t *json = brace != NULL ? firn_json_own(arena, json_loads(brace, 0, NULL)) : NULL;
    if (member(json, "exception_message") == NULL) {
        out.message = one_line(arena, message);
        return out;
    }
    out.message = one_line(arena, member(json, "exception_message"));
    out.subtype = member(json, "error_subtype");
    out.type = member(json, "exception_type");
    out.kind = member(json, "type");
    out.name = member(json, "name");
    out.candidates = member(json, "candidates");
    const char *position = member(json, "position");
    if (position == NULL || !firn_parse_i64(position, &out.position)) {
        out.position = -1;
    }
    return out;
}

/* "line 2, column 7: ", or "" where that says nothing. */
static const char *place(firn_arena *arena, const char *sql, int64_t position)
{
    if (sql == NULL || position < 0 || (size_t)position > strlen(sql)) {
        return "";
    }
    int line = 1, column = 1;
    for (const char *at = sql; at < sql + position; at++) {
        column = *at == '\n' ? 1 : column + 1;
        line += *at == '\n';
    }
    return firn_arena_printf(arena, "line %d, column %d: ", line, column);
}

static firn_rc column_error(firn_err *err, firn_arena *arena, const details *what)
{
    const char *name = what->name != NULL ? what->name : "?";
    if (what->candidates != NULL && what->candidates[0] != '\0') {
        size_t n = 0;
        char **candidates = firn_str_split(arena, what->candidates, ',', &n);
        for (size_t i = 0; i < n; i++) {
            candidates[i] = firn_str_trim(arena, candidates[i]);
        }
        const char *nearest = firn_nearest(name, (const char *const *)candidates, n);
        if (nearest != NULL) {
            FIRN_FAIL(err, FIRN_E_NO_COLUMN, "there is no column %s. Did you mean %s?", name,
                      nearest);
        }
        FIRN_FAIL(err, FIRN_E_NO_COLUMN, "there is no column %s; near it are %s", name,
                  what->candidates);
    }
    FIRN_FAIL(err, FIRN_E_NO_COLUMN, "there is no column %s", name);
}

static firn_rc missing_error(firn_err *err, const details *what)
{
    bool table =
        what->kind == NULL || firn_streq(what->kind, "Table") || firn_streq(what->kind, "View");
    FIRN_FAIL(err, table ? FIRN_E_NO_TABLE : FIRN_E_INVALID, "%s", what->message);
}

firn_rc firn_duck_error(firn_err *err, duckdb_error_type type, const char *message, const char *sql)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    details what = read_details(arena, message != NULL ? message : "DuckDB gave no reason");
    firn_rc code = code_of(type);
    if (type == DUCKDB_ERROR_INVALID && what.type != NULL) { /* prepare tells no type */
        static const struct {
            const char *name;
            duckdb_error_type type;
        } NAMES[] = {{"Parser", DUCKDB_ERROR_PARSER},
                     {"Syntax", DUCKDB_ERROR_SYNTAX},
                     {"Binder", DUCKDB_ERROR_BINDER},
                     {"Catalog", DUCKDB_ERROR_CATALOG},
                     {"Conversion", DUCKDB_ERROR_CONVERSION},
                     {"Mismatch Type", DUCKDB_ERROR_MISMATCH_TYPE},
                     {"Out of Range", DUCKDB_ERROR_OUT_OF_RANGE},
                     {"Invalid type", DUCKDB_ERROR_INVALID_TYPE},
                     {"Not implemented", DUCKDB_ERROR_NOT_IMPLEMENTED},
                     {"Invalid Input", DUCKDB_ERROR_INVALID_INPUT},
                     {"IO", DUCKDB_ERROR_IO},
                     {"Out of Memory", DUCKDB_ERROR_OUT_OF_MEMORY},
                     {"INTERRUPT", DUCKDB_ERROR_INTERRUPT},
                     {"Permission", DUCKDB_ERROR_PERMISSION},
                     {"Constraint", DUCKDB_ERROR_CONSTRAINT},
                     {"Missing Extension", DUCKDB_ERROR_MISSING_EXTENSION},
                     {"Extension Autoloading", DUCKDB_ERROR_AUTOLOAD},
                     {"INTERNAL", DUCKDB_ERROR_INTERNAL}};
        for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
            if (firn_streq(NAMES[i].name, what.type)) {
                code = code_of(NAMES[i].type);
            }
        }
    }
    const char *subtype = what.subtype != NULL ? what.subtype : "";
    if (firn_streq(subtype, "COLUMN_NOT_FOUND")) {
        return column_error(err, arena, &what);
    }
    if (firn_streq(subtype, "MISSING_ENTRY")) {
        return missing_error(err, &what);
    }
    if (firn_streq(subtype, "ENTRY_ALREADY_EXISTS")) {
        code = FIRN_E_EXISTS;
    }
    if (code == FIRN_E_IO && strstr(what.message, "No space left") != NULL) {
        code = FIRN_E_NO_SPACE;
    }
    if (code == FIRN_E_CANCELLED) {
        FIRN_FAIL(err, code, "the statement was cancelled");
    }
    if (code == FIRN_E_SYNTAX) {
        FIRN_FAIL(err, code, "%s%s", place(arena, sql, what.position), what.message);
    }
    FIRN_FAIL(err, code, "%s", what.message);
}

/* ---- running ---------------------------------------------------------------------------------------- */

static firn_rc check_interrupted(const firn_session *session, firn_err *err)
{
    if (session->interrupted) {
        FIRN_FAIL(err, FIRN_E_CANCELLED, "the statement was cancelled");
    }
    return FIRN_OK;
}

/* Prepared statements tell their error without its type; it is in the JSON. */
static firn_rc prepare(firn_session *session, const char *sql, duckdb_prepared_statement *out,
                       firn_err *err)
{
    FIRN_TRY(firn_duck_connect(session, err));
    FIRN_TRY(check_interrupted(session, err));
    *out = NULL;
    if (duckdb_prepare(session->conn, sql, out) == DuckDBSuccess) {
        return FIRN_OK;
    }
    firn_rc rc = firn_duck_error(err, DUCKDB_ERROR_INVALID, duckdb_prepare_error(*out), sql);
    duckdb_destroy_prepare(out);
    return rc;
}

static firn_rc result_error(duckdb_result *result, const char *sql, firn_err *err)
{
    firn_rc rc =
        firn_duck_error(err, duckdb_result_error_type(result), duckdb_result_error(result), sql);
    duckdb_destroy_result(result);
    return rc;
}

firn_rc firn_duck_query(firn_session *session, const char *sql, duckdb_result *out, firn_err *err)
{
    FIRN_TRY(firn_duck_connect(session, err));
    FIRN_TRY(check_interrupted(session, err));
    *out = (duckdb_result){0};
    if (duckdb_query(session->conn, sql, out) != DuckDBSuccess) {
        return result_error(out, sql, err);
    }
    return FIRN_OK;
}

/* Works on the query's tasks. While other threads have all that are left, DuckDB's own loop spins on its locks, which costs a short
 * write by two threads a tenth of its time and whoever else has work a core: here this thread sleeps. */
static duckdb_pending_state run_tasks(duckdb_pending_result pending)
{
    duckdb_pending_state state = DUCKDB_PENDING_RESULT_NOT_READY;
    while (!duckdb_pending_execution_is_finished(state)) {
        state = duckdb_pending_execute_task(pending);
        if (state == DUCKDB_PENDING_NO_TASKS_AVAILABLE) {
            const struct timespec nap = {.tv_nsec = NAP_US * 1000};
            nanosleep(&nap, NULL);
        }
    }
    return state;
}

firn_rc firn_duck_work(firn_session *session, const char *sql, duckdb_result *out, firn_err *err)
{
    duckdb_prepared_statement statement;
    FIRN_TRY(prepare(session, sql, &statement, err));
    duckdb_pending_result pending = NULL;
    firn_rc rc = FIRN_OK;
    *out = (duckdb_result){0};
    if (duckdb_pending_prepared(statement, &pending) != DuckDBSuccess) {
        rc = firn_duck_error(err, DUCKDB_ERROR_INVALID, duckdb_pending_error(pending), sql);
    } else if (run_tasks(pending) == DUCKDB_PENDING_ERROR) {
        /* Its result would call every failure invalid input. */
        rc = firn_duck_error(err, DUCKDB_ERROR_INVALID, duckdb_pending_error(pending), sql);
    } else if (duckdb_execute_pending(pending, out) != DuckDBSuccess) {
        rc = result_error(out, sql, err);
    }
    duckdb_destroy_pending(&pending);
    duckdb_destroy_prepare(&statement);
    return rc;
}

/* The parser makes two statements of a PIVOT whose columns come from the data: run all but the last, prepare that. */
static firn_rc prepare_last(firn_session *session, const char *sql, duckdb_prepared_statement *out,
                            firn_err *err)
{
    FIRN_TRY(firn_duck_connect(session, err));
    FIRN_TRY(check_interrupted(session, err));
    duckdb_extracted_statements parts = NULL;
    idx_t n = duckdb_extract_statements(session->conn, sql, &parts);
    if (n < 2) {
        duckdb_destroy_extracted(&parts);
        return prepare(session, sql, out, err);
    }
    firn_rc rc = FIRN_OK;
    for (idx_t i = 0; i < n && rc == FIRN_OK; i++) {
        *out = NULL;
        duckdb_result ignored = {0};
        if (duckdb_prepare_extracted_statement(session->conn, parts, i, out) != DuckDBSuccess) {
            rc = firn_duck_error(err, DUCKDB_ERROR_INVALID, duckdb_prepare_error(*out), sql);
        } else if (i + 1 < n && duckdb_execute_prepared(*out, &ignored) != DuckDBSuccess) {
            rc = firn_duck_error(err, duckdb_result_error_type(&ignored),
                                 duckdb_result_error(&ignored), sql);
        }
        duckdb_destroy_result(&ignored);
        if (rc != FIRN_OK || i + 1 < n) {
            duckdb_destroy_prepare(out);
        }
    }
    duckdb_destroy_extracted(&parts);
    return rc;
}

firn_rc firn_duck_stream(firn_session *session, const char *sql, duckdb_result *out, firn_err *err)
{
    duckdb_prepared_statement statement;
    FIRN_TRY(prepare_last(session, sql, &statement, err));
    duckdb_pending_result pending = NULL;
    firn_rc rc = FIRN_OK;
    *out = (duckdb_result){0};
    if (duckdb_pending_prepared_streaming(statement, &pending) != DuckDBSuccess) {
        rc = firn_duck_error(err, DUCKDB_ERROR_INVALID, duckdb_pending_error(pending), sql);
    } else if (duckdb_execute_pending(pending, out) != DuckDBSuccess) {
        rc = result_error(out, sql, err);
    }
    duckdb_destroy_pending(&pending);
    duckdb_destroy_prepare(&statement);
    return rc;
}

firn_rc firn_duck_query_params(firn_session *session, const char *sql, const char *const *params,
                               size_t n, duckdb_result *out, firn_err *err)
{
    duckdb_prepared_statement statement;
    FIRN_TRY(prepare(session, sql, &statement, err));
    firn_rc rc = FIRN_OK;
    *out = (duckdb_result){0};
    for (size_t i = 0; i < n; i++) {
        duckdb_state state = params[i] == NULL ? duckdb_bind_null(statement, i + 1)
                                               : duckdb_bind_varchar(statement, i + 1, params[i]);
        if (state != DuckDBSuccess && rc == FIRN_OK) {
            rc = FIRN_E_INVALID;
            firn_err_set(err, __FILE__, __LINE__, rc,
                         "the statement has no parameter %zu, or its value is not UTF-8", i + 1);
        }
    }
    if (rc == FIRN_OK && duckdb_execute_prepared(statement, out) != DuckDBSuccess) {
        rc = result_error(out, sql, err);
    }
    duckdb_destroy_prepare(&statement);
    return rc;
}

firn_rc firn_duck_exec(firn_session *session, const char *sql, firn_err *err)
{
    duckdb_result result;
    FIRN_TRY(firn_duck_query(session, sql, &result, err));
    duckdb_destroy_result(&result);
    return FIRN_OK;
}

firn_rc firn_duck_execf(firn_session *session, firn_err *err, const char *fmt, ...)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    va_list args;
    va_start(args, fmt);
    const char *sql = firn_arena_vprintf(arena, fmt, args);
    va_end(args);
    return firn_duck_exec(session, sql, err);
}

/* ---- small results ---------------------------------------------------------------------------------- */

static const char *cell_text(firn_arena *arena, firn_buf *scratch, const firn_duck_type *type,
                             duckdb_vector vector, idx_t row)
{
    firn_buf_clear(scratch);
    if (!firn_duck_text(scratch, type, vector, row)) {
        return NULL;
    }
    return firn_arena_strndup(arena, firn_buf_cstr(scratch), scratch->len);
}

static void collect(firn_arena *arena, duckdb_result *result, firn_duck_cells *out)
{
    size_t n = duckdb_column_count(result);
    const char **names = FIRN_NEW_N(arena, const char *, n);
    firn_duck_type *types = FIRN_NEW_N(arena, firn_duck_type, n);
    for (size_t i = 0; i < n; i++) {
        names[i] = firn_arena_strdup(arena, duckdb_column_name(result, i));
        duckdb_logical_type type = duckdb_column_logical_type(result, i);
        firn_duck_type_of(arena, type, &types[i]);
        duckdb_destroy_logical_type(&type);
    }
    FIRN_VEC(const char *const *) rows = {0};
    FIRN_AUTO_BUF firn_buf scratch = {0};
    duckdb_data_chunk chunk;
    while ((chunk = duckdb_fetch_chunk(*result)) != NULL) {
        for (idx_t row = 0; row < duckdb_data_chunk_get_size(chunk); row++) {
            const char **cells = FIRN_NEW_N(arena, const char *, n);
            for (size_t i = 0; i < n; i++) {
                cells[i] = cell_text(arena, &scratch, &types[i],
                                     duckdb_data_chunk_get_vector(chunk, i), row);
            }
            firn_vec_push(arena, &rows, (const char *const *)cells);
        }
        duckdb_destroy_data_chunk(&chunk);
    }
    *out =
        (firn_duck_cells){.n_rows = rows.len, .n_columns = n, .names = names, .cells = rows.items};
}

firn_rc firn_duck_rows(firn_session *session, firn_arena *arena, const char *sql,
                       firn_duck_cells *out, firn_err *err)
{
    duckdb_result result;
    FIRN_TRY(firn_duck_query(session, sql, &result, err));
    collect(arena, &result, out);
    duckdb_destroy_result(&result);
    return FIRN_OK;
}

firn_rc firn_duck_describe(firn_session *session, firn_arena *arena, const char *sql,
                           firn_duck_column **out, size_t *n, firn_err *err)
{
    duckdb_prepared_statement statement;
    FIRN_TRY(prepare(session, sql, &statement, err));
    *n = duckdb_prepared_statement_column_count(statement);
    *out = FIRN_NEW_N(arena, firn_duck_column, *n);
    for (size_t i = 0; i < *n; i++) {
        char *name = (char *)duckdb_prepared_statement_column_name(statement, i);
        duckdb_logical_type logical = duckdb_prepared_statement_column_logical_type(statement, i);
        firn_duck_type type;
        firn_duck_type_of(arena, logical, &type);
        (*out)[i] = (firn_duck_column){.name = firn_arena_strdup(arena, name), .type = type.text};
        duckdb_free(name);
        duckdb_destroy_logical_type(&logical);
    }
    duckdb_destroy_prepare(&statement);
    return FIRN_OK;
}

/* ---- syntax trees ------------------------------------------------------------------------------------ */

/* DuckDB's JSON has numbers that jansson cannot hold exactly (unsigned 64-bit) or at all (NaN, Infinity). They travel through
 * the tree as strings with this mark and become bare again on the way back. */
#define BARE_MARK "\\u0001bare:"

static void copy_token(firn_buf *out, const char *token, size_t len)
{
    bool number = token[0] == '-' || (token[0] >= '0' && token[0] <= '9');
    bool word = (len == 4 && (strncmp(token, "true", 4) == 0 || strncmp(token, "null", 4) == 0)) ||
                (len == 5 && strncmp(token, "false", 5) == 0);
    bool fits = number && len <= 18 && token[len - 1] != 'y'; /* -Infinity */
    if (word || fits) {
        firn_buf_append(out, token, len);
    } else {
        firn_buf_printf(out, "\"" BARE_MARK "%.*s\"", (int)len, token);
    }
}

static void mark_bare(firn_buf *out, const char *json)
{
    static const char NO_LOCATION[] =
        "18446744073709551615"; /* the "query_location" of most nodes */
    for (const char *at = json; *at != '\0';) {
        if (*at == '"') {
            const char *end = at + 1;
            while (*end != '"' && *end != '\0') {
                end += *end == '\\' && end[1] != '\0' ? 2 : 1;
            }
            end += *end == '"';
            firn_buf_append(out, at, (size_t)(end - at));
            at = end;
            continue;
        }
        size_t len = strcspn(at, " \t\r\n{}[]:,\"");
        if (len == sizeof(NO_LOCATION) - 1 && strncmp(at, NO_LOCATION, len) == 0 && out->len > 17 &&
            memcmp(out->data + out->len - 17, "\"query_location\":", 17) == 0) {
            firn_buf_putc(out, '0');
        } else if (len > 0) {
            copy_token(out, at, len);
        } else {
            firn_buf_putc(out, (uint8_t)*at);
        }
        at += len > 0 ? len : 1;
    }
}

static void unmark_bare(firn_buf *out, const char *json)
{
    static const char OPEN[] = "\"" BARE_MARK;
    const char *mark;
    while ((mark = strstr(json, OPEN)) != NULL) {
        const char *token = mark + sizeof(OPEN) - 1;
        size_t len = strcspn(token, "\"");
        firn_buf_append(out, json, (size_t)(mark - json));
        firn_buf_append(out, token, len);
        json = token + len + 1;
    }
    firn_buf_puts(out, json);
}

/* Run a kept prepared statement of one text parameter and one text result. */
static firn_rc call_text(firn_session *session, duckdb_prepared_statement *kept, const char *sql,
                         const char *param, firn_buf *out, firn_err *err)
{
    if (*kept == NULL) {
        FIRN_TRY(prepare(session, sql, kept, err));
    }
    FIRN_TRY(check_interrupted(session, err));
    duckdb_result result = {0};
    if (duckdb_bind_varchar(*kept, 1, param) != DuckDBSuccess) {
        FIRN_FAIL(err, FIRN_E_SYNTAX, "the statement is not valid UTF-8 text");
    }
    if (duckdb_execute_prepared(*kept, &result) != DuckDBSuccess) {
        return result_error(&result, NULL, err);
    }
    duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
    if (chunk != NULL && duckdb_data_chunk_get_size(chunk) > 0) {
        firn_bytes text = firn_duck_bytes(duckdb_data_chunk_get_vector(chunk, 0), 0);
        firn_buf_append(out, text.data, text.len);
    }
    duckdb_destroy_data_chunk(&chunk);
    duckdb_destroy_result(&result);
    return FIRN_OK;
}

json_t *firn_duck_json_load(firn_arena *arena, const char *text)
{
    FIRN_AUTO_BUF firn_buf marked = {0};
    mark_bare(&marked, text);
    return firn_json_own(arena, json_loadb((const char *)marked.data, marked.len, 0, NULL));
}

firn_rc firn_duck_parse(firn_session *session, firn_arena *arena, const char *sql, json_t **node,
                        firn_err *err)
{
    FIRN_AUTO_BUF firn_buf raw = {0};
    FIRN_TRY(call_text(session, &session->parse, "SELECT json_serialize_sql($1::VARCHAR)", sql,
                       &raw, err));
    json_t *root = firn_duck_json_load(arena, firn_buf_cstr(&raw));
    if (root == NULL) {
        FIRN_FAIL(err, FIRN_E_ENGINE, "DuckDB's syntax tree of the statement could not be read");
    }
    if (json_is_true(json_object_get(root, "error"))) {
        const char *message = member(root, "error_message");
        message = message != NULL ? message : "the statement does not parse";
        if (!firn_streq(member(root, "error_type") != NULL ? member(root, "error_type") : "",
                        "parser")) {
            FIRN_FAIL(err, FIRN_E_UNSUPPORTED, "%s", message);
        }
        int64_t position = -1;
        if (member(root, "position") == NULL ||
            !firn_parse_i64(member(root, "position"), &position)) {
            position = -1;
        }
        FIRN_FAIL(err, FIRN_E_SYNTAX, "%s%s", place(arena, sql, position), message);
    }
    json_t *statements = json_object_get(root, "statements");
    if (json_array_size(statements) != 1) {
        FIRN_FAIL(err, FIRN_E_SYNTAX, "one statement was expected, there are %zu",
                  json_array_size(statements));
    }
    *node = json_object_get(json_array_get(statements, 0), "node");
    return FIRN_OK;
}

firn_rc firn_duck_unparse(firn_session *session, firn_arena *arena, const json_t *node, char **sql,
                          firn_err *err)
{
    FIRN_AUTO_BUF firn_buf text = {0};
    FIRN_AUTO_BUF firn_buf out = {0};
    firn_buf_puts(&text, "{\"error\":false,\"statements\":[{\"node\":");
    unmark_bare(&text, firn_json_text(arena, node));
    firn_buf_puts(&text, ",\"named_param_map\":[]}]}");
    FIRN_TRY(call_text(session, &session->unparse, "SELECT json_deserialize_sql($1::VARCHAR)",
                       firn_buf_cstr(&text), &out, err));
    *sql = firn_arena_strndup(arena, firn_buf_cstr(&out), out.len);
    return FIRN_OK;
}
