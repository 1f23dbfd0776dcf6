/* Live scans: what SQL needs to know of the files that a read_parquet lists, beyond what is in them, looked up by
 * (scan, file_index): deleted positions, the location as the table records it, row ids.
 *
 *   firn_deleted(scan BIGINT, file_index UBIGINT, file_row_number BIGINT) -> BOOLEAN
 *   firn_location(scan BIGINT, file_index UBIGINT) -> VARCHAR
 *   firn_first_row_id(scan BIGINT, file_index UBIGINT) -> BIGINT, NULL if the file has none
 *   firn_sequence(scan BIGINT, file_index UBIGINT) -> BIGINT
 *   firn_constant(scan BIGINT, file_index UBIGINT, k BIGINT) -> VARCHAR: the file's k-th identity partition value
 *
 * A scan is known by a number, never by an address, because SQL text can say anything; it stays registered until its arena ends,
 * which is after the query that reads it. @locks a read-write lock around the table of scans; entries never change.
 */
#ifndef ENGINE_SCANS_H
#define ENGINE_SCANS_H

#include "session.h"

#include "format/dv.h"

typedef struct firn_live_file {
    const char *location;
    const firn_dv *deleted; /* NULL: none */
    int64_t first_row_id;   /* -1: none */
    int64_t sequence_number;
    const char *const *constants; /* texts, NULL for null */
    size_t n_constants;
} firn_live_file;

typedef struct firn_scan_registry firn_scan_registry;
firn_scan_registry *firn_scan_registry_new(void);
void firn_scan_registry_free(firn_scan_registry *registry);

/* `files` must live as long as `arena`. Gives the scan's number, from 1. */
int64_t firn_scan_register(firn_scan_registry *registry, firn_arena *arena,
                           const firn_live_file *files, size_t n);
/* Rows of text that the table function firn_rows(n) streams as its one column j (sheet.h). `texts` must live as long as `arena`. */
int64_t firn_rows_register(firn_scan_registry *registry, firn_arena *arena,
                           const char *const *texts, size_t n);
/* Arrow rows that the table function firn_batch(n) reads (rows_scan.c). */
int64_t firn_scan_register_batch(firn_scan_registry *registry, firn_arena *arena, void *batch);
/* NULL: there is no such batch. */
void *firn_scan_batch(firn_scan_registry *registry, int64_t number);
/* Make the functions known to DuckDB: once per database. */
firn_rc firn_scan_functions(firn_scan_registry *registry, duckdb_connection conn,
                            firn_err *err) FIRN_MUST_USE;

#endif
