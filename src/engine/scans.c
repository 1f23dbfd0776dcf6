/* The registry of live scans and the SQL functions over it. The functions run on DuckDB's threads, a vector at a time: one look-up of
 * the scan per call, then plain array reads.
 */
#include "scans.h"

#include "rows_batch.h"

#include <inttypes.h>
#include <stdlib.h>

typedef struct live_scan {
    int64_t number;
    firn_scan_registry *registry;
    const firn_live_file *files; /* NULL: rows of text */
    const char *const *texts;
    void *batch; /* rows_scan.c */
    size_t n;
} live_scan;

/* Few statements run at a time, so the scans are an array in ascending order of their numbers. */
struct firn_scan_registry {
    pthread_rwlock_t lock;
    live_scan **scans;
    size_t n, cap;
    int64_t last;
};

firn_scan_registry *firn_scan_registry_new(void)
{
    firn_scan_registry *registry = firn_calloc(1, sizeof(*registry));
    pthread_rwlock_init(&registry->lock, NULL);
    return registry;
}

void firn_scan_registry_free(firn_scan_registry *registry)
{
    if (registry != NULL) {
        pthread_rwlock_destroy(&registry->lock);
        free(registry->scans);
        free(registry);
    }
}

static void unregister(void *ctx)
{
    live_scan *scan = ctx;
    firn_scan_registry *registry = scan->registry;
    pthread_rwlock_wrlock(&registry->lock);
    for (size_t i = 0; i < registry->n; i++) {
        if (registry->scans[i] == scan) {
            memmove(&registry->scans[i], &registry->scans[i + 1],
                    (registry->n - i - 1) * sizeof(live_scan *));
            registry->n--;
            break;
        }
    }
    pthread_rwlock_unlock(&registry->lock);
}

static int64_t register_scan(firn_scan_registry *registry, firn_arena *arena, live_scan new_scan)
{
    live_scan *scan = firn_arena_memdup(arena, &new_scan, sizeof(new_scan));
    scan->registry = registry;
    pthread_rwlock_wrlock(&registry->lock);
    if (registry->n == registry->cap) {
        registry->cap = registry->cap == 0 ? 16 : registry->cap * 2;
        registry->scans =
            firn_realloc(registry->scans, firn_mul_size(registry->cap, sizeof(live_scan *)));
    }
    scan->number = ++registry->last;
    registry->scans[registry->n++] = scan;
    pthread_rwlock_unlock(&registry->lock);
    firn_arena_defer(arena, unregister, scan);
    return scan->number;
}

int64_t firn_scan_register(firn_scan_registry *registry, firn_arena *arena,
                           const firn_live_file *files, size_t n)
{
    return register_scan(registry, arena, (live_scan){.files = files, .n = n});
}

int64_t firn_rows_register(firn_scan_registry *registry, firn_arena *arena,
                           const char *const *texts, size_t n)
{
    return register_scan(registry, arena, (live_scan){.texts = texts, .n = n});
}

static const live_scan *find(firn_scan_registry *registry, int64_t number)
{
    const live_scan *found = NULL;
    pthread_rwlock_rdlock(&registry->lock);
    for (size_t i = registry->n; i-- > 0 && found == NULL;) {
        found = registry->scans[i]->number == number ? registry->scans[i] : NULL;
    }
    pthread_rwlock_unlock(&registry->lock);
    return found;
}

int64_t firn_scan_register_batch(firn_scan_registry *registry, firn_arena *arena, void *batch)
{
    return register_scan(registry, arena, (live_scan){.batch = batch});
}

void *firn_scan_batch(firn_scan_registry *registry, int64_t number)
{
    const live_scan *scan = find(registry, number);
    return scan != NULL ? scan->batch : NULL;
}

/* ---- the functions ----------------------------------------------------------------------------------- */

/* One call's arguments; flattened by DuckDB. */
typedef struct call {
    duckdb_function_info info;
    firn_scan_registry *registry;
    const int64_t *numbers;
    const uint64_t *indexes;
    idx_t rows;
    const live_scan *scan; /* of the row looked at last */
} call;

static call call_of(duckdb_function_info info, duckdb_data_chunk input)
{
    return (call){
        .info = info,
        .registry = duckdb_scalar_function_get_extra_info(info),
        .numbers = duckdb_vector_get_data(duckdb_data_chunk_get_vector(input, 0)),
        .indexes = duckdb_vector_get_data(duckdb_data_chunk_get_vector(input, 1)),
        .rows = duckdb_data_chunk_get_size(input),
    };
}

/* The file of a row, or NULL after the error was set. */
static const firn_live_file *file_at(call *at, idx_t row)
{
    if (at->scan == NULL || at->scan->number != at->numbers[row]) {
        at->scan = find(at->registry, at->numbers[row]);
    }
    if (at->scan == NULL || at->scan->files == NULL || at->indexes[row] >= at->scan->n) {
        duckdb_scalar_function_set_error(
            at->info, "no such scan: firn's scan functions are of no use by themselves");
        return NULL;
    }
    return &at->scan->files[at->indexes[row]];
}

static void deleted(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output)
{
    call c = call_of(info, input);
    const int64_t *positions = duckdb_vector_get_data(duckdb_data_chunk_get_vector(input, 2));
    bool *out = duckdb_vector_get_data(output);
    for (idx_t row = 0; row < c.rows; row++) {
        const firn_live_file *file = file_at(&c, row);
        if (file == NULL) {
            return;
        }
        out[row] =
            file->deleted != NULL && firn_dv_contains(file->deleted, (uint64_t)positions[row]);
    }
}

static void location(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output)
{
    call c = call_of(info, input);
    for (idx_t row = 0; row < c.rows; row++) {
        const firn_live_file *file = file_at(&c, row);
        if (file == NULL) {
            return;
        }
        duckdb_vector_assign_string_element(output, row, file->location);
    }
}

static void put_nullable(duckdb_vector output, idx_t row, int64_t value)
{
    if (value >= 0) {
        ((int64_t *)duckdb_vector_get_data(output))[row] = value;
        return;
    }
    duckdb_vector_ensure_validity_writable(output);
    duckdb_validity_set_row_invalid(duckdb_vector_get_validity(output), row);
}

static void first_row_id(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output)
{
    call c = call_of(info, input);
    for (idx_t row = 0; row < c.rows; row++) {
        const firn_live_file *file = file_at(&c, row);
        if (file == NULL) {
            return;
        }
        put_nullable(output, row, file->first_row_id);
    }
}

static void sequence(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output)
{
    call c = call_of(info, input);
    for (idx_t row = 0; row < c.rows; row++) {
        const firn_live_file *file = file_at(&c, row);
        if (file == NULL) {
            return;
        }
        put_nullable(output, row, file->sequence_number);
    }
}

static void constant(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output)
{
    call c = call_of(info, input);
    const int64_t *which = duckdb_vector_get_data(duckdb_data_chunk_get_vector(input, 2));
    for (idx_t row = 0; row < c.rows; row++) {
        const firn_live_file *file = file_at(&c, row);
        if (file == NULL) {
            return;
        }
        bool known = which[row] >= 0 && (uint64_t)which[row] < file->n_constants;
        if (known && file->constants[which[row]] != NULL) {
            duckdb_vector_assign_string_element(output, row, file->constants[which[row]]);
        } else {
            duckdb_vector_ensure_validity_writable(output);
            duckdb_validity_set_row_invalid(duckdb_vector_get_validity(output), row);
        }
    }
}

/* ---- rows of text ------------------------------------------------------------------------------------- */

static void rows_bind(duckdb_bind_info info)
{
    duckdb_value parameter = duckdb_bind_get_parameter(info, 0);
    int64_t number = duckdb_get_int64(parameter);
    duckdb_destroy_value(&parameter);
    const live_scan *rows = find(duckdb_bind_get_extra_info(info), number);
    if (rows == NULL || rows->batch != NULL || (rows->texts == NULL && rows->n > 0)) {
        duckdb_bind_set_error(info, "no such rows: firn_rows is of no use by itself");
        return;
    }
    duckdb_logical_type text = duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
    duckdb_bind_add_result_column(info, "j", text);
    duckdb_destroy_logical_type(&text);
    duckdb_bind_set_cardinality(info, rows->n, true);
    duckdb_bind_set_bind_data(info, (void *)rows, NULL);
}

static void rows_init(duckdb_init_info info)
{
    duckdb_init_set_init_data(info, firn_calloc(1, sizeof(size_t)), free);
    duckdb_init_set_max_threads(info, 1);
}

static void rows_next(duckdb_function_info info, duckdb_data_chunk output)
{
    const live_scan *rows = duckdb_function_get_bind_data(info);
    size_t *next = duckdb_function_get_init_data(info);
    duckdb_vector vector = duckdb_data_chunk_get_vector(output, 0);
    idx_t n = 0;
    for (; n < duckdb_vector_size() && *next < rows->n; n++) {
        duckdb_vector_assign_string_element(vector, n, rows->texts[(*next)++]);
    }
    duckdb_data_chunk_set_size(output, n);
}

static firn_rc register_rows(firn_scan_registry *registry, duckdb_connection conn, firn_err *err)
{
    duckdb_table_function function = duckdb_create_table_function();
    duckdb_logical_type number = duckdb_create_logical_type(DUCKDB_TYPE_BIGINT);
    duckdb_table_function_set_name(function, "firn_rows");
    duckdb_table_function_add_parameter(function, number);
    duckdb_table_function_set_extra_info(function, registry, NULL);
    duckdb_table_function_set_bind(function, rows_bind);
    duckdb_table_function_set_init(function, rows_init);
    duckdb_table_function_set_function(function, rows_next);
    duckdb_state state = duckdb_register_table_function(conn, function);
    duckdb_destroy_logical_type(&number);
    duckdb_destroy_table_function(&function);
    if (state != DuckDBSuccess) {
        FIRN_FAIL(err, FIRN_E_ENGINE, "DuckDB does not take the function firn_rows");
    }
    return FIRN_OK;
}

firn_rc firn_scan_functions(firn_scan_registry *registry, duckdb_connection conn, firn_err *err)
{
    static const struct {
        const char *name;
        duckdb_scalar_function_t function;
        duckdb_type result;
        int n_params;
    } FUNCTIONS[] = {{"firn_deleted", deleted, DUCKDB_TYPE_BOOLEAN, 3},
                     {"firn_location", location, DUCKDB_TYPE_VARCHAR, 2},
                     {"firn_first_row_id", first_row_id, DUCKDB_TYPE_BIGINT, 2},
                     {"firn_sequence", sequence, DUCKDB_TYPE_BIGINT, 2},
                     {"firn_constant", constant, DUCKDB_TYPE_VARCHAR, 3}};
    static const duckdb_type PARAMS[] = {DUCKDB_TYPE_BIGINT, DUCKDB_TYPE_UBIGINT,
                                         DUCKDB_TYPE_BIGINT};
    for (size_t i = 0; i < sizeof(FUNCTIONS) / sizeof(FUNCTIONS[0]); i++) {
        duckdb_scalar_function function = duckdb_create_scalar_function();
        duckdb_scalar_function_set_name(function, FUNCTIONS[i].name);
        for (int p = 0; p < FUNCTIONS[i].n_params; p++) {
            duckdb_logical_type type = duckdb_create_logical_type(PARAMS[p]);
            duckdb_scalar_function_add_parameter(function, type);
            duckdb_destroy_logical_type(&type);
        }
        duckdb_logical_type result = duckdb_create_logical_type(FUNCTIONS[i].result);
        duckdb_scalar_function_set_return_type(function, result);
        duckdb_destroy_logical_type(&result);
        duckdb_scalar_function_set_extra_info(function, registry, NULL);
        duckdb_scalar_function_set_function(function, FUNCTIONS[i].function);
        duckdb_state state = duckdb_register_scalar_function(conn, function);
        duckdb_destroy_scalar_function(&function);
        if (state != DuckDBSuccess) {
            FIRN_FAIL(err, FIRN_E_ENGINE, "DuckDB does not take the function %s",
                      FUNCTIONS[i].name);
        }
    }
    FIRN_TRY(register_rows(registry, conn, err));
    FIRN_TRY(firn_batch_scalar_functions(conn, err));
    return firn_batch_function(registry, conn, err);
}
