/* Partition transforms as DuckDB functions, for those that SQL cannot say exactly:
 *
 *   firn_bucket(n INTEGER, x ANY) -> INTEGER     murmur3 of the value's bytes (spec, Appendix B)
 *   firn_truncate(w INTEGER, x ANY) -> VARCHAR   the value as text: firn_value_from_text reads it back
 *
 * Both call firn_transform_apply, so that a row's partition is computed by the code that prunes by it.
 */
#include "write_parts.h"

#include <string.h>

static firn_type source_type_of(duckdb_vector vector)
{
    duckdb_logical_type logical = duckdb_vector_get_column_type(vector);
    firn_type out = {.id = FIRN_TYPE_UNKNOWN};
    switch (duckdb_get_type_id(logical)) {
    case DUCKDB_TYPE_INTEGER: out.id = FIRN_TYPE_INT; break;
    case DUCKDB_TYPE_BIGINT: out.id = FIRN_TYPE_LONG; break;
    case DUCKDB_TYPE_DECIMAL:
        out.id = FIRN_TYPE_DECIMAL;
        out.precision = duckdb_decimal_width(logical);
        out.scale = duckdb_decimal_scale(logical);
        break;
    case DUCKDB_TYPE_DATE: out.id = FIRN_TYPE_DATE; break;
    case DUCKDB_TYPE_TIME: out.id = FIRN_TYPE_TIME; break;
    case DUCKDB_TYPE_TIMESTAMP: out.id = FIRN_TYPE_TIMESTAMP; break;
    case DUCKDB_TYPE_TIMESTAMP_TZ: out.id = FIRN_TYPE_TIMESTAMPTZ; break;
    case DUCKDB_TYPE_TIMESTAMP_NS: out.id = FIRN_TYPE_TIMESTAMP_NS; break;
    case DUCKDB_TYPE_VARCHAR: out.id = FIRN_TYPE_STRING; break;
    case DUCKDB_TYPE_UUID: out.id = FIRN_TYPE_UUID; break;
    case DUCKDB_TYPE_BLOB: out.id = FIRN_TYPE_BINARY; break;
    default: break;
    }
    duckdb_destroy_logical_type(&logical);
    return out;
}

static __int128 decimal_at(duckdb_vector vector, int precision, idx_t row)
{
    const void *data = duckdb_vector_get_data(vector);
    if (precision <= 4) {
        return ((const int16_t *)data)[row];
    }
    if (precision <= 9) {
        return ((const int32_t *)data)[row];
    }
    if (precision <= 18) {
        return ((const int64_t *)data)[row];
    }
    duckdb_hugeint wide = ((const duckdb_hugeint *)data)[row];
    return (__int128)(((unsigned __int128)(uint64_t)wide.upper << 64) | wide.lower);
}

/* `uuid` is room for 16 bytes that the value borrows. */
static firn_value value_at(duckdb_vector vector, const firn_type *type, idx_t row, uint8_t *uuid)
{
    firn_value out = {.type = type->id, .scale = type->scale};
    const void *data = duckdb_vector_get_data(vector);
    switch (type->id) {
    case FIRN_TYPE_INT:
    case FIRN_TYPE_DATE: out.i32 = ((const int32_t *)data)[row]; break;
    case FIRN_TYPE_DECIMAL: out.decimal = decimal_at(vector, type->precision, row); break;
    case FIRN_TYPE_STRING:
    case FIRN_TYPE_BINARY: out.bytes = firn_duck_bytes(vector, row); break;
    case FIRN_TYPE_UUID: {
        /* DuckDB keeps UUIDs as integers with the top bit flipped, so that they sort. */
        duckdb_hugeint wide = ((const duckdb_hugeint *)data)[row];
        uint64_t upper = (uint64_t)wide.upper ^ (UINT64_C(1) << 63);
        for (int i = 0; i < 8; i++) {
            uuid[i] = (uint8_t)(upper >> (56 - 8 * i));
            uuid[8 + i] = (uint8_t)(wide.lower >> (56 - 8 * i));
        }
        out.bytes = firn_bytes_of(uuid, 16);
        break;
    }
    default: out.i64 = ((const int64_t *)data)[row]; break;
    }
    return out;
}

static void set_null(duckdb_vector output, idx_t row)
{
    duckdb_vector_ensure_validity_writable(output);
    duckdb_validity_set_row_invalid(duckdb_vector_get_validity(output), row);
}

static void run_transform(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output,
                          firn_transform_kind kind)
{
    duckdb_vector params = duckdb_data_chunk_get_vector(input, 0);
    duckdb_vector values = duckdb_data_chunk_get_vector(input, 1);
    firn_type type = source_type_of(values);
    idx_t n = duckdb_data_chunk_get_size(input);
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    for (idx_t i = 0; i < n; i++) {
        if (firn_duck_is_null(params, i) || firn_duck_is_null(values, i)) {
            set_null(output, i);
            continue;
        }
        uint8_t uuid[16];
        firn_err err = {0};
        firn_value value = value_at(values, &type, i, uuid);
        firn_value result = {0};
        firn_transform transform = {.kind = kind,
                                    .param = ((int32_t *)duckdb_vector_get_data(params))[i]};
        if (transform.param <= 0 || type.id == FIRN_TYPE_UNKNOWN ||
            firn_transform_apply(arena, &transform, &type, &value, &result, &err) != FIRN_OK) {
            duckdb_scalar_function_set_error(
                info, err.code != FIRN_OK ? err.message
                                          : "firn_bucket and firn_truncate take a positive number "
                                            "and a value of a type that Iceberg can transform");
            return;
        }
        if (kind == FIRN_TRANSFORM_BUCKET) {
            ((int32_t *)duckdb_vector_get_data(output))[i] = result.i32;
        } else {
            duckdb_vector_assign_string_element(output, i, firn_value_text(arena, &type, &result));
        }
    }
}

static void bucket(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output)
{
    run_transform(info, input, output, FIRN_TRANSFORM_BUCKET);
}

static void truncate_text(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output)
{
    run_transform(info, input, output, FIRN_TRANSFORM_TRUNCATE);
}

static firn_rc add_function(duckdb_connection conn, const char *name, duckdb_type result,
                            duckdb_scalar_function_t run, firn_err *err)
{
    const duckdb_type params[] = {DUCKDB_TYPE_INTEGER, DUCKDB_TYPE_ANY};
    duckdb_scalar_function function = duckdb_create_scalar_function();
    duckdb_scalar_function_set_name(function, name);
    for (size_t i = 0; i < 2; i++) {
        duckdb_logical_type param = duckdb_create_logical_type(params[i]);
        duckdb_scalar_function_add_parameter(function, param);
        duckdb_destroy_logical_type(&param);
    }
    duckdb_logical_type out = duckdb_create_logical_type(result);
    duckdb_scalar_function_set_return_type(function, out);
    duckdb_destroy_logical_type(&out);
    duckdb_scalar_function_set_special_handling(function);
    duckdb_scalar_function_set_function(function, run);
    duckdb_state state = duckdb_register_scalar_function(conn, function);
    duckdb_destroy_scalar_function(&function);
    if (state != DuckDBSuccess) {
        FIRN_FAIL(err, FIRN_E_ENGINE, "DuckDB does not take the function %s", name);
    }
    return FIRN_OK;
}

firn_rc firn_partition_functions(duckdb_connection conn, firn_err *err)
{
    FIRN_TRY(add_function(conn, "firn_bucket", DUCKDB_TYPE_INTEGER, bucket, err));
    return add_function(conn, "firn_truncate", DUCKDB_TYPE_VARCHAR, truncate_text, err);
}
