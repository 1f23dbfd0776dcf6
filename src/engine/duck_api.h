/* DuckDB's C API, bound at run time: include this in place of <duckdb.h>.
 *
 * libduckdb is 70 MB with 80,000 relocations: linked, it costs every process 12 ms before main. Many commands need no SQL, so it is
 * loaded by firn_duck_api_load when the first database is opened (docs/decisions/031-duckdb-when-needed.md); until then no duckdb_*
 * function may be called, not even a destroying one with NULL. Code is written as against <duckdb.h>: each name is a macro for a pointer in
 * firn_duck_api, which may be called, passed on and compared like the function.
 *
 * A function that is used for the first time goes into both lists below. Forgetting it does not compile: a call to what
 * is not renamed is a call to a function that is declared an error (and nothing is linked that has it), what is renamed only is no
 * member of the struct.
 *
 * Threads: the pointers are written once, under a lock of their own, before the first database is there. A thread that uses one came
 * through firn_duck_api_load, or got its connection from a thread that did.
 */
#ifndef ENGINE_DUCK_API_H
#define ENGINE_DUCK_API_H

#include "base/err.h"

#define DUCKDB_C_API __attribute__((error("not in the lists of duck_api.h")))
#include <duckdb.h>

#define FIRN_DUCK_LIBRARY "libduckdb.so"

/* Load the library unless that is done. It is found as a linked one would be: in LD_LIBRARY_PATH, the program's run path, the
 * system's folders. Never unloaded. ENGINE: it is not there, or lacks a function; the next call tries again. `library` is
 * FIRN_DUCK_LIBRARY but for tests. */
firn_rc firn_duck_api_load(const char *library, firn_err *err) FIRN_MUST_USE;

/* clang-format off */
#define FIRN_DUCK_API(X) \
    X(duckdb_append_data_chunk) \
    X(duckdb_appender_close) \
    X(duckdb_appender_create_ext) \
    X(duckdb_appender_destroy) \
    X(duckdb_appender_error) \
    X(duckdb_array_type_array_size) \
    X(duckdb_array_type_child_type) \
    X(duckdb_array_vector_get_child) \
    X(duckdb_bind_add_result_column) \
    X(duckdb_bind_get_extra_info) \
    X(duckdb_bind_get_parameter) \
    X(duckdb_bind_null) \
    X(duckdb_bind_set_bind_data) \
    X(duckdb_bind_set_cardinality) \
    X(duckdb_bind_set_error) \
    X(duckdb_bind_varchar) \
    X(duckdb_close) \
    X(duckdb_column_count) \
    X(duckdb_column_logical_type) \
    X(duckdb_column_name) \
    X(duckdb_connect) \
    X(duckdb_create_config) \
    X(duckdb_create_data_chunk) \
    X(duckdb_create_decimal_type) \
    X(duckdb_create_float) \
    X(duckdb_create_list_type) \
    X(duckdb_create_logical_type) \
    X(duckdb_create_map_type) \
    X(duckdb_create_scalar_function) \
    X(duckdb_create_struct_type) \
    X(duckdb_create_table_function) \
    X(duckdb_data_chunk_get_size) \
    X(duckdb_data_chunk_get_vector) \
    X(duckdb_data_chunk_set_size) \
    X(duckdb_data_chunk_to_arrow) \
    X(duckdb_decimal_internal_type) \
    X(duckdb_decimal_scale) \
    X(duckdb_decimal_width) \
    X(duckdb_destroy_arrow_options) \
    X(duckdb_destroy_config) \
    X(duckdb_destroy_data_chunk) \
    X(duckdb_destroy_error_data) \
    X(duckdb_destroy_extracted) \
    X(duckdb_destroy_logical_type) \
    X(duckdb_destroy_pending) \
    X(duckdb_destroy_prepare) \
    X(duckdb_destroy_result) \
    X(duckdb_destroy_scalar_function) \
    X(duckdb_destroy_table_function) \
    X(duckdb_destroy_value) \
    X(duckdb_disconnect) \
    X(duckdb_enum_dictionary_size) \
    X(duckdb_enum_dictionary_value) \
    X(duckdb_enum_internal_type) \
    X(duckdb_error_data_error_type) \
    X(duckdb_error_data_has_error) \
    X(duckdb_error_data_message) \
    X(duckdb_execute_pending) \
    X(duckdb_execute_prepared) \
    X(duckdb_extract_statements) \
    X(duckdb_fetch_chunk) \
    X(duckdb_free) \
    X(duckdb_from_time_tz) \
    X(duckdb_function_get_bind_data) \
    X(duckdb_function_get_init_data) \
    X(duckdb_function_get_local_init_data) \
    X(duckdb_function_set_error) \
    X(duckdb_get_int64) \
    X(duckdb_get_type_id) \
    X(duckdb_get_varchar) \
    X(duckdb_init_get_bind_data) \
    X(duckdb_init_get_column_count) \
    X(duckdb_init_get_column_index) \
    X(duckdb_init_set_init_data) \
    X(duckdb_init_set_max_threads) \
    X(duckdb_interrupt) \
    X(duckdb_list_type_child_type) \
    X(duckdb_list_vector_get_child) \
    X(duckdb_list_vector_reserve) \
    X(duckdb_list_vector_set_size) \
    X(duckdb_logical_type_get_alias) \
    X(duckdb_map_type_key_type) \
    X(duckdb_map_type_value_type) \
    X(duckdb_open_ext) \
    X(duckdb_pending_error) \
    X(duckdb_pending_execute_task) \
    X(duckdb_pending_execution_is_finished) \
    X(duckdb_pending_prepared) \
    X(duckdb_pending_prepared_streaming) \
    X(duckdb_prepare) \
    X(duckdb_prepare_error) \
    X(duckdb_prepare_extracted_statement) \
    X(duckdb_prepared_statement_column_count) \
    X(duckdb_prepared_statement_column_logical_type) \
    X(duckdb_prepared_statement_column_name) \
    X(duckdb_query) \
    X(duckdb_query_progress) \
    X(duckdb_register_scalar_function) \
    X(duckdb_register_table_function) \
    X(duckdb_result_error) \
    X(duckdb_result_error_type) \
    X(duckdb_result_get_arrow_options) \
    X(duckdb_scalar_function_add_parameter) \
    X(duckdb_scalar_function_get_extra_info) \
    X(duckdb_scalar_function_set_error) \
    X(duckdb_scalar_function_set_extra_info) \
    X(duckdb_scalar_function_set_function) \
    X(duckdb_scalar_function_set_name) \
    X(duckdb_scalar_function_set_return_type) \
    X(duckdb_scalar_function_set_special_handling) \
    X(duckdb_set_config) \
    X(duckdb_string_t_data) \
    X(duckdb_string_t_length) \
    X(duckdb_struct_type_child_count) \
    X(duckdb_struct_type_child_name) \
    X(duckdb_struct_type_child_type) \
    X(duckdb_struct_vector_get_child) \
    X(duckdb_table_function_add_parameter) \
    X(duckdb_table_function_set_bind) \
    X(duckdb_table_function_set_extra_info) \
    X(duckdb_table_function_set_function) \
    X(duckdb_table_function_set_init) \
    X(duckdb_table_function_set_local_init) \
    X(duckdb_table_function_set_name) \
    X(duckdb_table_function_supports_projection_pushdown) \
    X(duckdb_to_arrow_schema) \
    X(duckdb_union_type_member_count) \
    X(duckdb_union_type_member_name) \
    X(duckdb_union_type_member_type) \
    X(duckdb_validity_row_is_valid) \
    X(duckdb_validity_set_row_invalid) \
    X(duckdb_vector_assign_string_element) \
    X(duckdb_vector_assign_string_element_len) \
    X(duckdb_vector_ensure_validity_writable) \
    X(duckdb_vector_get_column_type) \
    X(duckdb_vector_get_data) \
    X(duckdb_vector_get_validity) \
    X(duckdb_vector_size)
/* clang-format on */

#define FIRN_DUCK_MEMBER(name) __typeof__(name) *name;
struct firn_duck_api {
    FIRN_DUCK_API(FIRN_DUCK_MEMBER)
};
#undef FIRN_DUCK_MEMBER
extern struct firn_duck_api firn_duck_api;

#define duckdb_append_data_chunk               firn_duck_api.duckdb_append_data_chunk
#define duckdb_appender_close                  firn_duck_api.duckdb_appender_close
#define duckdb_appender_create_ext             firn_duck_api.duckdb_appender_create_ext
#define duckdb_appender_destroy                firn_duck_api.duckdb_appender_destroy
#define duckdb_appender_error                  firn_duck_api.duckdb_appender_error
#define duckdb_array_type_array_size           firn_duck_api.duckdb_array_type_array_size
#define duckdb_array_type_child_type           firn_duck_api.duckdb_array_type_child_type
#define duckdb_array_vector_get_child          firn_duck_api.duckdb_array_vector_get_child
#define duckdb_bind_add_result_column          firn_duck_api.duckdb_bind_add_result_column
#define duckdb_bind_get_extra_info             firn_duck_api.duckdb_bind_get_extra_info
#define duckdb_bind_get_parameter              firn_duck_api.duckdb_bind_get_parameter
#define duckdb_bind_null                       firn_duck_api.duckdb_bind_null
#define duckdb_bind_set_bind_data              firn_duck_api.duckdb_bind_set_bind_data
#define duckdb_bind_set_cardinality            firn_duck_api.duckdb_bind_set_cardinality
#define duckdb_bind_set_error                  firn_duck_api.duckdb_bind_set_error
#define duckdb_bind_varchar                    firn_duck_api.duckdb_bind_varchar
#define duckdb_close                           firn_duck_api.duckdb_close
#define duckdb_column_count                    firn_duck_api.duckdb_column_count
#define duckdb_column_logical_type             firn_duck_api.duckdb_column_logical_type
#define duckdb_column_name                     firn_duck_api.duckdb_column_name
#define duckdb_connect                         firn_duck_api.duckdb_connect
#define duckdb_create_config                   firn_duck_api.duckdb_create_config
#define duckdb_create_data_chunk               firn_duck_api.duckdb_create_data_chunk
#define duckdb_create_decimal_type             firn_duck_api.duckdb_create_decimal_type
#define duckdb_create_float                    firn_duck_api.duckdb_create_float
#define duckdb_create_list_type                firn_duck_api.duckdb_create_list_type
#define duckdb_create_logical_type             firn_duck_api.duckdb_create_logical_type
#define duckdb_create_map_type                 firn_duck_api.duckdb_create_map_type
#define duckdb_create_scalar_function          firn_duck_api.duckdb_create_scalar_function
#define duckdb_create_struct_type              firn_duck_api.duckdb_create_struct_type
#define duckdb_create_table_function           firn_duck_api.duckdb_create_table_function
#define duckdb_data_chunk_get_size             firn_duck_api.duckdb_data_chunk_get_size
#define duckdb_data_chunk_get_vector           firn_duck_api.duckdb_data_chunk_get_vector
#define duckdb_data_chunk_set_size             firn_duck_api.duckdb_data_chunk_set_size
#define duckdb_data_chunk_to_arrow             firn_duck_api.duckdb_data_chunk_to_arrow
#define duckdb_decimal_internal_type           firn_duck_api.duckdb_decimal_internal_type
#define duckdb_decimal_scale                   firn_duck_api.duckdb_decimal_scale
#define duckdb_decimal_width                   firn_duck_api.duckdb_decimal_width
#define duckdb_destroy_arrow_options           firn_duck_api.duckdb_destroy_arrow_options
#define duckdb_destroy_config                  firn_duck_api.duckdb_destroy_config
#define duckdb_destroy_data_chunk              firn_duck_api.duckdb_destroy_data_chunk
#define duckdb_destroy_error_data              firn_duck_api.duckdb_destroy_error_data
#define duckdb_destroy_extracted               firn_duck_api.duckdb_destroy_extracted
#define duckdb_destroy_logical_type            firn_duck_api.duckdb_destroy_logical_type
#define duckdb_destroy_pending                 firn_duck_api.duckdb_destroy_pending
#define duckdb_destroy_prepare                 firn_duck_api.duckdb_destroy_prepare
#define duckdb_destroy_result                  firn_duck_api.duckdb_destroy_result
#define duckdb_destroy_scalar_function         firn_duck_api.duckdb_destroy_scalar_function
#define duckdb_destroy_table_function          firn_duck_api.duckdb_destroy_table_function
#define duckdb_destroy_value                   firn_duck_api.duckdb_destroy_value
#define duckdb_disconnect                      firn_duck_api.duckdb_disconnect
#define duckdb_enum_dictionary_size            firn_duck_api.duckdb_enum_dictionary_size
#define duckdb_enum_dictionary_value           firn_duck_api.duckdb_enum_dictionary_value
#define duckdb_enum_internal_type              firn_duck_api.duckdb_enum_internal_type
#define duckdb_error_data_error_type           firn_duck_api.duckdb_error_data_error_type
#define duckdb_error_data_has_error            firn_duck_api.duckdb_error_data_has_error
#define duckdb_error_data_message              firn_duck_api.duckdb_error_data_message
#define duckdb_execute_pending                 firn_duck_api.duckdb_execute_pending
#define duckdb_execute_prepared                firn_duck_api.duckdb_execute_prepared
#define duckdb_extract_statements              firn_duck_api.duckdb_extract_statements
#define duckdb_fetch_chunk                     firn_duck_api.duckdb_fetch_chunk
#define duckdb_free                            firn_duck_api.duckdb_free
#define duckdb_from_time_tz                    firn_duck_api.duckdb_from_time_tz
#define duckdb_function_get_bind_data          firn_duck_api.duckdb_function_get_bind_data
#define duckdb_function_get_init_data          firn_duck_api.duckdb_function_get_init_data
#define duckdb_function_get_local_init_data    firn_duck_api.duckdb_function_get_local_init_data
#define duckdb_function_set_error              firn_duck_api.duckdb_function_set_error
#define duckdb_get_int64                       firn_duck_api.duckdb_get_int64
#define duckdb_get_type_id                     firn_duck_api.duckdb_get_type_id
#define duckdb_get_varchar                     firn_duck_api.duckdb_get_varchar
#define duckdb_init_get_bind_data              firn_duck_api.duckdb_init_get_bind_data
#define duckdb_init_get_column_count           firn_duck_api.duckdb_init_get_column_count
#define duckdb_init_get_column_index           firn_duck_api.duckdb_init_get_column_index
#define duckdb_init_set_init_data              firn_duck_api.duckdb_init_set_init_data
#define duckdb_init_set_max_threads            firn_duck_api.duckdb_init_set_max_threads
#define duckdb_interrupt                       firn_duck_api.duckdb_interrupt
#define duckdb_list_type_child_type            firn_duck_api.duckdb_list_type_child_type
#define duckdb_list_vector_get_child           firn_duck_api.duckdb_list_vector_get_child
#define duckdb_list_vector_reserve             firn_duck_api.duckdb_list_vector_reserve
#define duckdb_list_vector_set_size            firn_duck_api.duckdb_list_vector_set_size
#define duckdb_logical_type_get_alias          firn_duck_api.duckdb_logical_type_get_alias
#define duckdb_map_type_key_type               firn_duck_api.duckdb_map_type_key_type
#define duckdb_map_type_value_type             firn_duck_api.duckdb_map_type_value_type
#define duckdb_open_ext                        firn_duck_api.duckdb_open_ext
#define duckdb_pending_error                   firn_duck_api.duckdb_pending_error
#define duckdb_pending_execute_task            firn_duck_api.duckdb_pending_execute_task
#define duckdb_pending_execution_is_finished   firn_duck_api.duckdb_pending_execution_is_finished
#define duckdb_pending_prepared                firn_duck_api.duckdb_pending_prepared
#define duckdb_pending_prepared_streaming      firn_duck_api.duckdb_pending_prepared_streaming
#define duckdb_prepare                         firn_duck_api.duckdb_prepare
#define duckdb_prepare_error                   firn_duck_api.duckdb_prepare_error
#define duckdb_prepare_extracted_statement     firn_duck_api.duckdb_prepare_extracted_statement
#define duckdb_prepared_statement_column_count firn_duck_api.duckdb_prepared_statement_column_count
#define duckdb_prepared_statement_column_logical_type \
    firn_duck_api.duckdb_prepared_statement_column_logical_type
#define duckdb_prepared_statement_column_name  firn_duck_api.duckdb_prepared_statement_column_name
#define duckdb_query                           firn_duck_api.duckdb_query
#define duckdb_query_progress                  firn_duck_api.duckdb_query_progress
#define duckdb_register_scalar_function        firn_duck_api.duckdb_register_scalar_function
#define duckdb_register_table_function         firn_duck_api.duckdb_register_table_function
#define duckdb_result_error                    firn_duck_api.duckdb_result_error
#define duckdb_result_error_type               firn_duck_api.duckdb_result_error_type
#define duckdb_result_get_arrow_options        firn_duck_api.duckdb_result_get_arrow_options
#define duckdb_scalar_function_add_parameter   firn_duck_api.duckdb_scalar_function_add_parameter
#define duckdb_scalar_function_get_extra_info  firn_duck_api.duckdb_scalar_function_get_extra_info
#define duckdb_scalar_function_set_error       firn_duck_api.duckdb_scalar_function_set_error
#define duckdb_scalar_function_set_extra_info  firn_duck_api.duckdb_scalar_function_set_extra_info
#define duckdb_scalar_function_set_function    firn_duck_api.duckdb_scalar_function_set_function
#define duckdb_scalar_function_set_name        firn_duck_api.duckdb_scalar_function_set_name
#define duckdb_scalar_function_set_return_type firn_duck_api.duckdb_scalar_function_set_return_type
#define duckdb_scalar_function_set_special_handling \
    firn_duck_api.duckdb_scalar_function_set_special_handling
#define duckdb_set_config                    firn_duck_api.duckdb_set_config
#define duckdb_string_t_data                 firn_duck_api.duckdb_string_t_data
#define duckdb_string_t_length               firn_duck_api.duckdb_string_t_length
#define duckdb_struct_type_child_count       firn_duck_api.duckdb_struct_type_child_count
#define duckdb_struct_type_child_name        firn_duck_api.duckdb_struct_type_child_name
#define duckdb_struct_type_child_type        firn_duck_api.duckdb_struct_type_child_type
#define duckdb_struct_vector_get_child       firn_duck_api.duckdb_struct_vector_get_child
#define duckdb_table_function_add_parameter  firn_duck_api.duckdb_table_function_add_parameter
#define duckdb_table_function_set_bind       firn_duck_api.duckdb_table_function_set_bind
#define duckdb_table_function_set_extra_info firn_duck_api.duckdb_table_function_set_extra_info
#define duckdb_table_function_set_function   firn_duck_api.duckdb_table_function_set_function
#define duckdb_table_function_set_init       firn_duck_api.duckdb_table_function_set_init
#define duckdb_table_function_set_local_init firn_duck_api.duckdb_table_function_set_local_init
#define duckdb_table_function_set_name       firn_duck_api.duckdb_table_function_set_name
#define duckdb_table_function_supports_projection_pushdown \
    firn_duck_api.duckdb_table_function_supports_projection_pushdown
#define duckdb_to_arrow_schema              firn_duck_api.duckdb_to_arrow_schema
#define duckdb_union_type_member_count      firn_duck_api.duckdb_union_type_member_count
#define duckdb_union_type_member_name       firn_duck_api.duckdb_union_type_member_name
#define duckdb_union_type_member_type       firn_duck_api.duckdb_union_type_member_type
#define duckdb_validity_row_is_valid        firn_duck_api.duckdb_validity_row_is_valid
#define duckdb_validity_set_row_invalid     firn_duck_api.duckdb_validity_set_row_invalid
#define duckdb_vector_assign_string_element firn_duck_api.duckdb_vector_assign_string_element
#define duckdb_vector_assign_string_element_len \
    firn_duck_api.duckdb_vector_assign_string_element_len
#define duckdb_vector_ensure_validity_writable firn_duck_api.duckdb_vector_ensure_validity_writable
#define duckdb_vector_get_column_type          firn_duck_api.duckdb_vector_get_column_type
#define duckdb_vector_get_data                 firn_duck_api.duckdb_vector_get_data
#define duckdb_vector_get_validity             firn_duck_api.duckdb_vector_get_validity
#define duckdb_vector_size                     firn_duck_api.duckdb_vector_size

#endif
