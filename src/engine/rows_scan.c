/* The FROM item of a batch: the table function firn_batch(n) over Arrow arrays.
 *
 *     firn_batch(n BIGINT) -> the columns of the arrays of one schema
 *
 * Rows of the same columns, however many arrays they are in, are one scan. Several schemas are several scans under a UNION ALL that
 * casts each to the columns that all together have. DuckDB reads in pieces of up to PIECE_ROWS rows, each by one thread.
 *
 * @threads DuckDB's. A scan is immutable but for its error, which has a lock; where a reading stands is DuckDB's init data.
 */
#include "rows_batch.h"

#include "read.h"
#include "scans.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { PIECE_ROWS = 122880 };

typedef struct piece {
    const firn_arrow_reader *reader;
    const struct ArrowArray *array;
    const uint32_t *pick;
    int64_t from, count;
    int64_t number; /* of the first row, among all that were given */
} piece;

typedef struct batch_scan {
    struct firn_batch *batch;
    const firn_type *type;
    FIRN_VEC(piece) pieces;
    int64_t rows;
    int64_t number;
} batch_scan;

struct firn_batch {
    firn_session *session;
    firn_arena *arena;
    FIRN_VEC(batch_scan *) scans;
    const firn_type *type;
    const char *sql;
    int64_t rows;
    bool numbered; /* scans have FIRN_BATCH_ROW as their last column */
    int threads;
    pthread_mutex_t lock; /* of `err` */
    firn_err err;         /* the first that reading met */
};

/* ---- the function: binding --------------------------------------------------------------------------- */

static duckdb_logical_type logical_type(const firn_type *type);

static duckdb_logical_type struct_type(const firn_type *type)
{
    duckdb_logical_type *types = firn_calloc(type->n_fields, sizeof(*types));
    const char **names = firn_calloc(type->n_fields, sizeof(*names));
    for (size_t i = 0; i < type->n_fields; i++) {
        types[i] = logical_type(type->fields[i].type);
        names[i] = type->fields[i].name;
    }
    duckdb_logical_type out = duckdb_create_struct_type(types, names, type->n_fields);
    for (size_t i = 0; i < type->n_fields; i++) {
        duckdb_destroy_logical_type(&types[i]);
    }
    free(types);
    free(names);
    return out;
}

static duckdb_logical_type list_type(const firn_type *type)
{
    duckdb_logical_type first = logical_type(type->fields[0].type);
    duckdb_logical_type second =
        type->id == FIRN_TYPE_MAP ? logical_type(type->fields[1].type) : NULL;
    duckdb_logical_type out = type->id == FIRN_TYPE_MAP ? duckdb_create_map_type(first, second)
                                                        : duckdb_create_list_type(first);
    duckdb_destroy_logical_type(&first);
    duckdb_destroy_logical_type(&second);
    return out;
}

static duckdb_logical_type logical_type(const firn_type *type)
{
    static const duckdb_type SCALARS[] = {
        [FIRN_TYPE_UNKNOWN] = DUCKDB_TYPE_INTEGER,
        [FIRN_TYPE_BOOLEAN] = DUCKDB_TYPE_BOOLEAN,
        [FIRN_TYPE_INT] = DUCKDB_TYPE_INTEGER,
        [FIRN_TYPE_LONG] = DUCKDB_TYPE_BIGINT,
        [FIRN_TYPE_FLOAT] = DUCKDB_TYPE_FLOAT,
        [FIRN_TYPE_DOUBLE] = DUCKDB_TYPE_DOUBLE,
        [FIRN_TYPE_DATE] = DUCKDB_TYPE_DATE,
        [FIRN_TYPE_TIME] = DUCKDB_TYPE_TIME,
        [FIRN_TYPE_TIMESTAMP] = DUCKDB_TYPE_TIMESTAMP,
        [FIRN_TYPE_TIMESTAMPTZ] = DUCKDB_TYPE_TIMESTAMP_TZ,
        [FIRN_TYPE_TIMESTAMP_NS] = DUCKDB_TYPE_TIMESTAMP_NS,
        [FIRN_TYPE_STRING] = DUCKDB_TYPE_VARCHAR,
        [FIRN_TYPE_UUID] = DUCKDB_TYPE_UUID,
        [FIRN_TYPE_BINARY] = DUCKDB_TYPE_BLOB,
    };
    switch (type->id) {
    case FIRN_TYPE_DECIMAL:
        return duckdb_create_decimal_type((uint8_t)type->precision, (uint8_t)type->scale);
    case FIRN_TYPE_STRUCT: return struct_type(type);
    case FIRN_TYPE_LIST:
    case FIRN_TYPE_MAP: return list_type(type);
    default: return duckdb_create_logical_type(SCALARS[type->id]);
    }
}

static void bind(duckdb_bind_info info)
{
    duckdb_value parameter = duckdb_bind_get_parameter(info, 0);
    int64_t number = duckdb_get_int64(parameter);
    duckdb_destroy_value(&parameter);
    const batch_scan *scan = firn_scan_batch(duckdb_bind_get_extra_info(info), number);
    if (scan == NULL) {
        duckdb_bind_set_error(info, "no such batch: firn_batch is of no use by itself");
        return;
    }
    for (size_t i = 0; i < scan->type->n_fields; i++) {
        duckdb_logical_type type = logical_type(scan->type->fields[i].type);
        duckdb_bind_add_result_column(info, scan->type->fields[i].name, type);
        duckdb_destroy_logical_type(&type);
    }
    if (scan->batch->numbered) {
        duckdb_logical_type type = duckdb_create_logical_type(DUCKDB_TYPE_BIGINT);
        duckdb_bind_add_result_column(info, FIRN_BATCH_ROW, type);
        duckdb_destroy_logical_type(&type);
    }
    duckdb_bind_set_cardinality(info, (idx_t)scan->rows, true);
    duckdb_bind_set_bind_data(info, (void *)scan, NULL);
}

/* ---- the function: reading --------------------------------------------------------------------------- */

typedef struct shared_state { /* of one reading of a scan */
    atomic_size_t next_piece;
    idx_t n_columns;
    idx_t columns[]; /* of the scan, that are wanted */
} shared_state;

typedef struct local_state { /* of one thread */
    const piece *at;
    int64_t done;
} local_state;

static void init(duckdb_init_info info)
{
    const batch_scan *scan = duckdb_init_get_bind_data(info);
    idx_t n = duckdb_init_get_column_count(info);
    shared_state *state = firn_calloc(1, sizeof(*state) + n * sizeof(state->columns[0]));
    atomic_init(&state->next_piece, 0);
    state->n_columns = n;
    for (idx_t i = 0; i < n; i++) {
        state->columns[i] = duckdb_init_get_column_index(info, i);
    }
    size_t threads = scan->pieces.len < (size_t)scan->batch->threads ? scan->pieces.len
                                                                     : (size_t)scan->batch->threads;
    duckdb_init_set_init_data(info, state, free);
    duckdb_init_set_max_threads(info, threads > 0 ? threads : 1);
}

static void init_local(duckdb_init_info info)
{
    duckdb_init_set_init_data(info, firn_calloc(1, sizeof(local_state)), free);
}

static firn_rc read_columns(const batch_scan *scan, const shared_state *shared,
                            const local_state *local, idx_t count, duckdb_data_chunk output,
                            firn_err *err)
{
    for (idx_t i = 0; i < shared->n_columns; i++) {
        duckdb_vector vector = duckdb_data_chunk_get_vector(output, i);
        idx_t column = shared->columns[i];
        if (scan->batch->numbered && column == scan->type->n_fields) {
            int64_t *numbers = duckdb_vector_get_data(vector);
            for (idx_t row = 0; row < count; row++) {
                numbers[row] = local->at->number + local->done + (int64_t)row;
            }
        } else if (column < scan->type->n_fields) {
            FIRN_TRY(firn_arrow_read(firn_arrow_reader_column(local->at->reader, column),
                                     local->at->array, local->at->pick,
                                     local->at->from + local->done, count, vector, err));
        } else { /* no column of ours: DuckDB counts rows, or somebody asks for a row id */
            duckdb_vector_ensure_validity_writable(vector);
            memset(duckdb_vector_get_validity(vector), 0, (count + 63) / 64 * sizeof(uint64_t));
        }
    }
    return FIRN_OK;
}

static void keep_error(struct firn_batch *batch, const firn_err *err)
{
    pthread_mutex_lock(&batch->lock);
    if (batch->err.code == FIRN_OK) {
        batch->err = *err;
    }
    pthread_mutex_unlock(&batch->lock);
}

static void next(duckdb_function_info info, duckdb_data_chunk output)
{
    const batch_scan *scan = duckdb_function_get_bind_data(info);
    shared_state *shared = duckdb_function_get_init_data(info);
    local_state *local = duckdb_function_get_local_init_data(info);
    while (local->at == NULL || local->done == local->at->count) {
        size_t mine = atomic_fetch_add(&shared->next_piece, 1);
        if (mine >= scan->pieces.len) {
            duckdb_data_chunk_set_size(output, 0);
            return;
        }
        *local = (local_state){.at = &scan->pieces.items[mine]};
    }
    idx_t count = (idx_t)(local->at->count - local->done);
    count = count < duckdb_vector_size() ? count : duckdb_vector_size();
    firn_err err = {0};
    if (read_columns(scan, shared, local, count, output, &err) != FIRN_OK) {
        keep_error(scan->batch, &err);
        duckdb_function_set_error(info, err.message);
        return;
    }
    local->done += (int64_t)count;
    duckdb_data_chunk_set_size(output, count);
}

firn_rc firn_batch_function(struct firn_scan_registry *registry, duckdb_connection conn,
                            firn_err *err)
{
    duckdb_table_function function = duckdb_create_table_function();
    duckdb_logical_type number = duckdb_create_logical_type(DUCKDB_TYPE_BIGINT);
    duckdb_table_function_set_name(function, "firn_batch");
    duckdb_table_function_add_parameter(function, number);
    duckdb_table_function_set_extra_info(function, registry, NULL);
    duckdb_table_function_set_bind(function, bind);
    duckdb_table_function_set_init(function, init);
    duckdb_table_function_set_local_init(function, init_local);
    duckdb_table_function_set_function(function, next);
    duckdb_table_function_supports_projection_pushdown(function, true);
    duckdb_state state = duckdb_register_table_function(conn, function);
    duckdb_destroy_logical_type(&number);
    duckdb_destroy_table_function(&function);
    if (state != DuckDBSuccess) {
        FIRN_FAIL(err, FIRN_E_ENGINE, "DuckDB does not take the function firn_batch");
    }
    return FIRN_OK;
}

/* ---- opening ----------------------------------------------------------------------------------------- */

static void destroy(void *ctx)
{
    pthread_mutex_destroy(&((struct firn_batch *)ctx)->lock);
}

static batch_scan *scan_of_type(firn_arena *arena, struct firn_batch *batch, const firn_type *type)
{
    for (size_t i = 0; i < batch->scans.len; i++) {
        if (firn_type_equal(batch->scans.items[i]->type, type)) {
            return batch->scans.items[i];
        }
    }
    batch_scan *scan = FIRN_NEW(arena, batch_scan);
    *scan = (batch_scan){.batch = batch, .type = type};
    firn_vec_push(arena, &batch->scans, scan);
    return scan;
}

static void add_pieces(firn_arena *arena, batch_scan *scan, const firn_rows *rows,
                       const firn_arrow_reader *reader)
{
    for (int64_t done = 0; done < rows->count; done += PIECE_ROWS) {
        int64_t left = rows->count - done;
        piece p = {.reader = reader,
                   .array = rows->array,
                   .pick = rows->pick,
                   .number = scan->batch->rows + done,
                   .from = rows->from + done,
                   .count = left < PIECE_ROWS ? left : PIECE_ROWS};
        firn_vec_push(arena, &scan->pieces, p);
    }
    scan->rows += rows->count;
    scan->batch->rows += rows->count;
}

bool firn_rows_exist(const firn_rows *rows)
{
    if (rows->from < 0 || rows->count < 0) {
        return false;
    }
    for (int64_t i = 0; rows->pick != NULL && i < rows->count; i++) {
        if (rows->pick[rows->from + i] >= rows->array->length) {
            return false;
        }
    }
    return rows->pick != NULL || rows->from <= rows->array->length - rows->count;
}

static firn_rc add_rows(firn_arena *arena, struct firn_batch *batch, const firn_rows *rows,
                        size_t n, bool nanos, firn_err *err)
{
    const struct ArrowSchema *seen = NULL;
    const firn_arrow_reader *reader = NULL;
    batch_scan *scan = NULL;
    for (size_t i = 0; i < n; i++) {
        if (!firn_rows_exist(&rows[i])) {
            FIRN_FAIL(err, FIRN_E_INVALID,
                      "rows %" PRId64 " to %" PRId64 " of an array of %" PRId64 " do not exist",
                      rows[i].from, rows[i].from + rows[i].count, rows[i].array->length);
        }
        if (rows[i].schema != seen) {
            firn_type *type = NULL;
            FIRN_TRY(firn_arrow_type(arena, rows[i].schema, nanos, &type, err));
            seen = rows[i].schema;
            reader = firn_arrow_reader_new(arena, seen, type);
            scan = scan_of_type(arena, batch, type);
        }
        add_pieces(arena, scan, &rows[i], reader);
    }
    return FIRN_OK;
}

/* ---- as SQL ------------------------------------------------------------------------------------------ */

static firn_rc put_columns(firn_arena *arena, firn_buf *out, const batch_scan *scan,
                           const firn_type *all, firn_err *err)
{
    for (size_t i = 0; i < all->n_fields; i++) {
        const firn_field *field = &all->fields[i];
        const char *name = firn_sql_ident(arena, field->name);
        const char *type = NULL;
        const char *own = NULL;
        FIRN_TRY(firn_type_to_duck(arena, field->type, field->name, &type, err));
        for (size_t k = 0; k < scan->type->n_fields; k++) {
            const firn_field *mine = &scan->type->fields[k];
            if (firn_strcaseeq(mine->name, field->name)) {
                FIRN_TRY(firn_type_to_duck(arena, mine->type, mine->name, &own, err));
            }
        }
        firn_buf_puts(out, i > 0 ? ", " : "");
        if (own != NULL && firn_streq(own, type)) {
            firn_buf_printf(out, "%s AS %s", name, name);
        } else {
            firn_buf_printf(out, "CAST(%s AS %s) AS %s", own != NULL ? name : "NULL", type, name);
        }
    }
    firn_buf_puts(out, scan->batch->numbered ? ", " FIRN_BATCH_ROW : "");
    return FIRN_OK;
}

static firn_rc put_scans(firn_arena *arena, struct firn_batch *batch, firn_err *err)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    for (size_t i = 0; i < batch->scans.len; i++) {
        const batch_scan *scan = batch->scans.items[i];
        firn_buf_puts(&out, i > 0 ? " UNION ALL SELECT " : "(SELECT ");
        if (batch->scans.len > 1) {
            FIRN_TRY(put_columns(arena, &out, scan, batch->type, err));
        } else {
            firn_buf_putc(&out, '*');
        }
        firn_buf_printf(&out, " FROM firn_batch(%" PRId64 ")", scan->number);
    }
    firn_buf_putc(&out, ')');
    batch->sql = firn_arena_strdup(arena, firn_buf_cstr(&out));
    return FIRN_OK;
}

firn_rc firn_batch_open(firn_session *session, firn_arena *arena, const firn_rows *rows, size_t n,
                        bool nanos, firn_batch **out, firn_err *err)
{
    struct firn_batch *batch = FIRN_NEW(arena, struct firn_batch);
    batch->session = session;
    batch->arena = arena;
    batch->threads = session->engine->threads;
    pthread_mutex_init(&batch->lock, NULL);
    firn_arena_defer(arena, destroy, batch);
    if (n == 0) {
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "a batch needs at least one array: its schema says what the columns are");
    }
    FIRN_TRY(firn_duck_connect(session, err));
    FIRN_TRY(add_rows(arena, batch, rows, n, nanos, err));
    batch->type = batch->scans.items[0]->type;
    for (size_t i = 1; i < batch->scans.len; i++) {
        firn_type *all = NULL;
        FIRN_TRY(firn_arrow_unite(arena, batch->type, batch->scans.items[i]->type, "", &all, err));
        batch->type = all;
    }
    if (batch->type->n_fields == 0) {
        FIRN_FAIL(err, FIRN_E_INVALID, "the rows have no columns");
    }
    for (size_t i = 0; i < batch->scans.len; i++) {
        batch_scan *scan = batch->scans.items[i];
        scan->number = firn_scan_register_batch(session->engine->scans, arena, scan);
    }
    FIRN_TRY(put_scans(arena, batch, err));
    *out = batch;
    return FIRN_OK;
}

firn_rc firn_batch_number_rows(firn_batch *batch, firn_err *err)
{
    batch->numbered = true;
    return put_scans(batch->arena, batch, err);
}

const firn_type *firn_batch_type(const firn_batch *batch)
{
    return batch->type;
}

int64_t firn_batch_rows(const firn_batch *batch)
{
    return batch->rows;
}

const char *firn_batch_sql(const firn_batch *batch)
{
    return batch->sql;
}

/* Can the statement be bound? Then what it failed of are values. */
static bool is_sound(firn_batch *batch, const char *select)
{
    firn_duck_column *columns = NULL;
    size_t n = 0;
    return select != NULL &&
           firn_duck_describe(batch->session, batch->arena, select, &columns, &n, NULL) == FIRN_OK;
}

firn_rc firn_batch_result(firn_batch *batch, const char *select, firn_rc rc, firn_err *err)
{
    pthread_mutex_lock(&batch->lock);
    firn_err own = batch->err;
    batch->err = (firn_err){0};
    pthread_mutex_unlock(&batch->lock);
    if (rc != FIRN_OK && own.code != FIRN_OK) {
        if (err != NULL) {
            *err = own;
        }
        return own.code;
    }
    if (rc == FIRN_E_INVALID && is_sound(batch, select)) {
        if (err != NULL) {
            err->code = FIRN_E_TYPE;
        }
        return FIRN_E_TYPE;
    }
    return rc;
}
