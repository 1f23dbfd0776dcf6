/* SQL functions for what arrives from Kafka Connect and SQL cannot say:
 *
 *   firn_unscaled(bytes BLOB, scale INTEGER) -> VARCHAR   a decimal of any size, exactly: big-endian two's complement, as
 *                                                         java.math.BigInteger writes it, with its digits after the point
 *
 * Not NULL and not a number (no bytes, a scale beyond 4,096 or more than 4,096 bytes) is an error of the row.
 */
#include "rows_batch.h"

#include <string.h>

enum { BYTES_MAX = 4096, SCALE_MAX = 4096 };

/* Magnitude in base 1e9, least first. 9 digits a limb: 8 bytes need at most 3 limbs. */
typedef struct magnitude {
    uint32_t limbs[BYTES_MAX / 8 * 3 + 1];
    size_t n;
} magnitude;

static void push_byte(magnitude *m, uint8_t byte)
{
    uint64_t carry = byte;
    for (size_t i = 0; i < m->n; i++) {
        carry += (uint64_t)m->limbs[i] << 8;
        m->limbs[i] = (uint32_t)(carry % 1000000000);
        carry /= 1000000000;
    }
    if (carry > 0) {
        m->limbs[m->n++] = (uint32_t)carry;
    }
}

/* Digits of |bytes|, no leading zeros; "0" for zero. */
static void digits_of(firn_bytes bytes, bool negative, firn_buf *out)
{
    magnitude m = {.n = 0};
    size_t low = bytes.len; /* the lowest byte that is not zero takes the +1 of the complement */
    while (negative && low > 0 && bytes.data[low - 1] == 0) {
        low--;
    }
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t byte = bytes.data[i];
        if (negative) {
            byte = i + 1 < low ? (uint8_t)~byte : i + 1 == low ? (uint8_t)-byte : byte;
        }
        push_byte(&m, byte);
    }
    firn_buf_printf(out, "%u", m.n > 0 ? m.limbs[m.n - 1] : 0);
    for (size_t i = m.n; i > 1; i--) {
        firn_buf_printf(out, "%09u", m.limbs[i - 2]);
    }
}

static const char *decimal_text(firn_bytes bytes, int32_t scale, firn_buf *out)
{
    if (bytes.len == 0 || bytes.len > BYTES_MAX || scale < -SCALE_MAX || scale > SCALE_MAX) {
        return "a decimal has no bytes, too many of them, or a scale that makes no sense";
    }
    FIRN_AUTO_BUF firn_buf digits = {0};
    bool negative = (bytes.data[0] & 0x80) != 0;
    digits_of(bytes, negative, &digits);
    firn_buf_clear(out);
    firn_buf_puts(out, negative ? "-" : "");
    size_t after = scale > 0 ? (size_t)scale : 0;
    size_t n = digits.len;
    if (n <= after) {
        firn_buf_puts(out, "0.");
        for (size_t i = n; i < after; i++) {
            firn_buf_putc(out, '0');
        }
        firn_buf_append(out, digits.data, n);
    } else {
        firn_buf_append(out, digits.data, n - after);
        firn_buf_puts(out, after > 0 ? "." : "");
        firn_buf_append(out, digits.data + n - after, after);
    }
    bool zero = n == 1 && digits.data[0] == '0';
    for (int32_t i = scale; i < 0 && !zero; i++) {
        firn_buf_putc(out, '0');
    }
    return NULL;
}

static void run_unscaled(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output)
{
    FIRN_AUTO_BUF firn_buf text = {0};
    duckdb_vector values = duckdb_data_chunk_get_vector(input, 0);
    duckdb_vector scales = duckdb_data_chunk_get_vector(input, 1);
    const int32_t *scale = duckdb_vector_get_data(scales);
    for (idx_t i = 0; i < duckdb_data_chunk_get_size(input); i++) {
        if (firn_duck_is_null(values, i) || firn_duck_is_null(scales, i)) {
            duckdb_vector_ensure_validity_writable(output);
            duckdb_validity_set_row_invalid(duckdb_vector_get_validity(output), i);
            continue;
        }
        const char *wrong = decimal_text(firn_duck_bytes(values, i), scale[i], &text);
        if (wrong != NULL) {
            duckdb_scalar_function_set_error(info, wrong);
            return;
        }
        duckdb_vector_assign_string_element_len(output, i, (const char *)text.data, text.len);
    }
}

firn_rc firn_batch_scalar_functions(duckdb_connection conn, firn_err *err)
{
    duckdb_scalar_function function = duckdb_create_scalar_function();
    duckdb_logical_type blob = duckdb_create_logical_type(DUCKDB_TYPE_BLOB);
    duckdb_logical_type integer = duckdb_create_logical_type(DUCKDB_TYPE_INTEGER);
    duckdb_logical_type text = duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
    duckdb_scalar_function_set_name(function, "firn_unscaled");
    duckdb_scalar_function_add_parameter(function, blob);
    duckdb_scalar_function_add_parameter(function, integer);
    duckdb_scalar_function_set_return_type(function, text);
    duckdb_scalar_function_set_function(function, run_unscaled);
    duckdb_state state = duckdb_register_scalar_function(conn, function);
    duckdb_destroy_logical_type(&blob);
    duckdb_destroy_logical_type(&integer);
    duckdb_destroy_logical_type(&text);
    duckdb_destroy_scalar_function(&function);
    if (state == DuckDBError) {
        FIRN_FAIL(err, FIRN_E_ENGINE, "DuckDB does not take the function firn_unscaled");
    }
    return FIRN_OK;
}
