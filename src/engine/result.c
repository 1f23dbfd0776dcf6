/* Results: rows that DuckDB streams, a small table of text made by firn, or the message of a command.
 *
 * A streamed result holds the arena of the scans that its query reads: DuckDB's side is let go first, then the arena.
 */
#include "duck.h"

#include <inttypes.h>
#include <stdlib.h>

struct firn_result {
    firn_arena *arena;
    const char *tag, *message;
    int64_t rows_affected;
    bool has_rows;
    size_t n_columns;
    const char **names, **types;
    firn_column_kind *kinds;
    /* streamed */
    bool streams, at_end;
    duckdb_result duck;
    firn_duck_type *duck_types;
    firn_arena *keep;
    duckdb_data_chunk chunk;
    duckdb_vector *vectors;
    idx_t row, n_rows; /* of the chunk; `row` is the next one */
    /* text */
    FIRN_VEC(const char *const *) rows;
    size_t next;
    /* the current row */
    firn_buf text;
    const char **cells;
    const char *const *current; /* text rows */
};

static firn_result *result_new(const char *tag)
{
    firn_arena *arena = firn_arena_new();
    firn_result *result = FIRN_NEW(arena, firn_result);
    result->arena = arena;
    result->tag = firn_arena_strdup(arena, tag);
    result->rows_affected = -1;
    return result;
}

static void set_columns(firn_result *result, size_t n)
{
    result->has_rows = true;
    result->n_columns = n;
    result->names = FIRN_NEW_N(result->arena, const char *, n);
    result->types = FIRN_NEW_N(result->arena, const char *, n);
    result->kinds = FIRN_NEW_N(result->arena, firn_column_kind, n);
    result->cells = FIRN_NEW_N(result->arena, const char *, n);
}

void firn_result_free(firn_result *result)
{
    if (result == NULL) {
        return;
    }
    if (result->streams) {
        duckdb_destroy_data_chunk(&result->chunk);
        duckdb_destroy_result(&result->duck);
    }
    firn_arena_free(result->keep);
    firn_buf_deinit(&result->text);
    firn_arena_free(result->arena);
}

/* ---- made by firn ------------------------------------------------------------------------------------ */

firn_result *firn_result_command(const char *tag, int64_t rows_affected, const char *fmt, ...)
{
    firn_result *result = result_new(tag);
    va_list args;
    va_start(args, fmt);
    result->message = firn_arena_vprintf(result->arena, fmt, args);
    va_end(args);
    result->rows_affected = rows_affected;
    return result;
}

static firn_column_kind kind_of_name(const char *type)
{
    static const struct {
        const char *prefix;
        firn_column_kind kind;
    } KINDS[] = {{"BOOLEAN", FIRN_COLUMN_BOOL},     {"TINYINT", FIRN_COLUMN_INTEGER},
                 {"SMALLINT", FIRN_COLUMN_INTEGER}, {"INTEGER", FIRN_COLUMN_INTEGER},
                 {"BIGINT", FIRN_COLUMN_INTEGER},   {"HUGEINT", FIRN_COLUMN_INTEGER},
                 {"FLOAT", FIRN_COLUMN_FLOAT},      {"DOUBLE", FIRN_COLUMN_FLOAT},
                 {"DECIMAL", FIRN_COLUMN_DECIMAL},  {"DATE", FIRN_COLUMN_TEMPORAL},
                 {"TIME", FIRN_COLUMN_TEMPORAL},    {"INTERVAL", FIRN_COLUMN_TEMPORAL},
                 {"BLOB", FIRN_COLUMN_BINARY},      {"STRUCT", FIRN_COLUMN_NESTED},
                 {"MAP", FIRN_COLUMN_NESTED}};
    for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++) {
        if (firn_starts_with(type, KINDS[i].prefix)) {
            return firn_ends_with(type, "]") ? FIRN_COLUMN_NESTED : KINDS[i].kind;
        }
    }
    return FIRN_COLUMN_TEXT;
}

firn_result *firn_result_table(const char *tag, const char *const *names, const char *const *types,
                               size_t n_columns)
{
    firn_result *result = result_new(tag);
    set_columns(result, n_columns);
    for (size_t i = 0; i < n_columns; i++) {
        result->names[i] = firn_arena_strdup(result->arena, names[i]);
        result->types[i] = firn_arena_strdup(result->arena, types != NULL ? types[i] : "VARCHAR");
        result->kinds[i] = kind_of_name(result->types[i]);
    }
    return result;
}

void firn_result_add_row(firn_result *result, const char *const *cells)
{
    const char **row = FIRN_NEW_N(result->arena, const char *, result->n_columns);
    for (size_t i = 0; i < result->n_columns; i++) {
        row[i] = firn_arena_strdup(result->arena, cells[i]);
    }
    firn_vec_push(result->arena, &result->rows, (const char *const *)row);
}

/* ---- streamed by DuckDB ------------------------------------------------------------------------------- */

static firn_column_kind kind_of(const firn_duck_type *type)
{
    switch (type->id) {
    case DUCKDB_TYPE_BOOLEAN: return FIRN_COLUMN_BOOL;
    case DUCKDB_TYPE_TINYINT:
    case DUCKDB_TYPE_SMALLINT:
    case DUCKDB_TYPE_INTEGER:
    case DUCKDB_TYPE_BIGINT:
    case DUCKDB_TYPE_UTINYINT:
    case DUCKDB_TYPE_USMALLINT:
    case DUCKDB_TYPE_UINTEGER:
    case DUCKDB_TYPE_UBIGINT:
    case DUCKDB_TYPE_HUGEINT:
    case DUCKDB_TYPE_UHUGEINT: return FIRN_COLUMN_INTEGER;
    case DUCKDB_TYPE_FLOAT:
    case DUCKDB_TYPE_DOUBLE: return FIRN_COLUMN_FLOAT;
    case DUCKDB_TYPE_DECIMAL: return FIRN_COLUMN_DECIMAL;
    case DUCKDB_TYPE_DATE:
    case DUCKDB_TYPE_TIME:
    case DUCKDB_TYPE_TIME_TZ:
    case DUCKDB_TYPE_TIME_NS:
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_S:
    case DUCKDB_TYPE_TIMESTAMP_MS:
    case DUCKDB_TYPE_TIMESTAMP_NS:
    case DUCKDB_TYPE_TIMESTAMP_TZ:
    case DUCKDB_TYPE_INTERVAL: return FIRN_COLUMN_TEMPORAL;
    case DUCKDB_TYPE_BLOB: return FIRN_COLUMN_BINARY;
    case DUCKDB_TYPE_LIST:
    case DUCKDB_TYPE_ARRAY:
    case DUCKDB_TYPE_STRUCT:
    case DUCKDB_TYPE_MAP:
    case DUCKDB_TYPE_UNION: return FIRN_COLUMN_NESTED;
    default: return FIRN_COLUMN_TEXT;
    }
}

firn_result *firn_result_duck(duckdb_result *duck, firn_arena *keep, const char *tag)
{
    firn_result *result = result_new(tag);
    size_t n = duckdb_column_count(duck);
    set_columns(result, n);
    result->streams = true;
    result->duck = *duck;
    *duck = (duckdb_result){0};
    result->keep = keep;
    result->duck_types = FIRN_NEW_N(result->arena, firn_duck_type, n);
    result->vectors = FIRN_NEW_N(result->arena, duckdb_vector, n);
    for (size_t i = 0; i < n; i++) {
        result->names[i] = firn_arena_strdup(result->arena, duckdb_column_name(&result->duck, i));
        duckdb_logical_type type = duckdb_column_logical_type(&result->duck, i);
        firn_duck_type_of(result->arena, type, &result->duck_types[i]);
        duckdb_destroy_logical_type(&type);
        result->types[i] = result->duck_types[i].text;
        result->kinds[i] = kind_of(&result->duck_types[i]);
    }
    return result;
}

static bool all_printable(duckdb_result *duck)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    bool ok = true;
    for (idx_t i = 0; i < duckdb_column_count(duck); i++) {
        duckdb_logical_type type = duckdb_column_logical_type(duck, i);
        firn_duck_type ignored;
        ok = firn_duck_type_of(arena, type, &ignored) && ok;
        duckdb_destroy_logical_type(&type);
    }
    return ok;
}

firn_rc firn_session_rows(firn_session *session, const char *duckdb_sql, firn_arena *keep,
                          const char *tag, firn_result **out, firn_err *err)
{
    duckdb_result duck;
    FIRN_TRY(firn_duck_stream(session, duckdb_sql, &duck, err));
    if (!all_printable(&duck)) { /* a type newer than the header: let DuckDB print it */
        duckdb_destroy_result(&duck);
        FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
        const char *cast =
            firn_arena_printf(arena, "SELECT CAST(COLUMNS(*) AS VARCHAR) FROM (%s\n)", duckdb_sql);
        FIRN_TRY(firn_duck_stream(session, cast, &duck, err));
    }
    *out = firn_result_duck(&duck, keep, tag);
    return FIRN_OK;
}

/* Makes `row` a row of the chunk, fetching the next one if need be; at_end when there is none. */
static firn_rc next_chunk(firn_result *result, firn_err *err)
{
    while (result->row >= result->n_rows && !result->at_end) {
        duckdb_destroy_data_chunk(&result->chunk);
        result->chunk = duckdb_fetch_chunk(result->duck);
        result->row = 0;
        if (result->chunk == NULL) {
            result->at_end = true;
            result->n_rows = 0;
            const char *message = duckdb_result_error(&result->duck);
            if (message != NULL) {
                return firn_duck_error(err, duckdb_result_error_type(&result->duck), message, NULL);
            }
            break;
        }
        result->n_rows = duckdb_data_chunk_get_size(result->chunk);
        for (size_t i = 0; i < result->n_columns; i++) {
            result->vectors[i] = duckdb_data_chunk_get_vector(result->chunk, i);
        }
    }
    return FIRN_OK;
}

static firn_rc next_streamed(firn_result *result, const char *const **cells, firn_err *err)
{
    *cells = NULL;
    FIRN_TRY(next_chunk(result, err));
    if (result->at_end) {
        return FIRN_OK;
    }
    firn_buf_clear(&result->text);
    for (size_t i = 0; i < result->n_columns; i++) {
        /* Offsets until the buffer has stopped moving; 0 is NULL, so the first text starts at 1. */
        size_t start = result->text.len + 1;
        firn_buf_putc(&result->text, '\0');
        bool there =
            firn_duck_text(&result->text, &result->duck_types[i], result->vectors[i], result->row);
        result->cells[i] = (const char *)(uintptr_t)(there ? start : 0);
    }
    firn_buf_putc(&result->text, '\0');
    if (result->text.overflow) {
        FIRN_FAIL(err, FIRN_E_LIMIT, "a row is larger than 1 GiB as text");
    }
    for (size_t i = 0; i < result->n_columns; i++) {
        uintptr_t at = (uintptr_t)result->cells[i];
        result->cells[i] = at != 0 ? (const char *)result->text.data + at : NULL;
    }
    result->row++;
    *cells = result->cells;
    return FIRN_OK;
}

firn_rc firn_result_next(firn_result *result, const char *const **cells, firn_err *err)
{
    if (result->streams) {
        return next_streamed(result, cells, err);
    }
    result->current = result->next < result->rows.len ? result->rows.items[result->next++] : NULL;
    *cells = result->current;
    return FIRN_OK;
}

/* ---- JSON -------------------------------------------------------------------------------------------- */

static void text_cell_json(firn_buf *out, firn_column_kind kind, const char *cell)
{
    if (cell == NULL) {
        firn_buf_puts(out, "null");
    } else if (kind == FIRN_COLUMN_INTEGER || kind == FIRN_COLUMN_BOOL ||
               kind == FIRN_COLUMN_DECIMAL) {
        firn_buf_puts(out, cell);
    } else {
        firn_json_escape(out, cell);
    }
}

firn_rc firn_result_row_json(firn_result *result, firn_buf *out, firn_err *err)
{
    if (result->streams ? result->row == 0 : result->current == NULL) {
        FIRN_FAIL(err, FIRN_E_INVALID, "there is no current row");
    }
    firn_buf_putc(out, '{');
    for (size_t i = 0; i < result->n_columns; i++) {
        firn_buf_puts(out, i > 0 ? ", " : "");
        firn_json_escape(out, result->names[i]);
        firn_buf_puts(out, ": ");
        if (result->streams) {
            firn_duck_json(out, &result->duck_types[i], result->vectors[i], result->row - 1);
        } else {
            text_cell_json(out, result->kinds[i], result->current[i]);
        }
    }
    firn_buf_putc(out, '}');
    if (out->overflow) {
        FIRN_FAIL(err, FIRN_E_LIMIT, "a row is larger than %zu bytes as JSON",
                  out->max != 0 ? out->max : FIRN_BUF_MAX_DEFAULT);
    }
    return FIRN_OK;
}

/* ---- getters ----------------------------------------------------------------------------------------- */

bool firn_result_has_rows(const firn_result *result)
{
    return result->has_rows;
}

const char *firn_result_message(const firn_result *result)
{
    return result->message;
}

const char *firn_result_tag(const firn_result *result)
{
    return result->tag;
}

int64_t firn_result_rows_affected(const firn_result *result)
{
    return result->rows_affected;
}

size_t firn_result_columns(const firn_result *result)
{
    return result->n_columns;
}

const char *firn_result_column_name(const firn_result *result, size_t column)
{
    return result->names[column];
}

const char *firn_result_column_type(const firn_result *result, size_t column)
{
    return result->types[column];
}

firn_column_kind firn_result_column_kind(const firn_result *result, size_t column)
{
    return result->kinds[column];
}
