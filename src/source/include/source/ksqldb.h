/* ksqlDB over its REST API: what a server has, and the rows of its streams and tables as Arrow batches.
 *
 * Facts about the protocol, and where they were read: docs/internals/source.md. Always asks for application/vnd.ksql.v1+json, since
 * the other forms drop tombstones and the final message; understands all three, because proxies and old servers answer otherwise.
 *
 * Errors:
 *   UNAVAILABLE (retriable)  nobody answers, or the server is starting (50302); names host and port. Retry-After is honoured
 *   PERMISSION               401, 403
 *   NOT_FOUND                no such stream or table, with the nearest name that there is
 *   SYNTAX                   the server refused the statement (4000x), in its words
 *   BUSY (retriable)         too many requests (429), too many push queries (40003)
 *   IO                       the answer was cut in mid-row, or the server reported an error in mid-stream: what came before it is not all
 *   CORRUPT                  it is no answer of ksqlDB (wrong content type, a proxy's page): the first bytes are shown
 *   TYPE                     a row holds what its column cannot
 *   LIMIT                    one row is larger than the bound
 *
 * Threads: a client may be used by many; a query belongs to one.
 */
#ifndef SOURCE_KSQLDB_H
#define SOURCE_KSQLDB_H

#include "format/arrow.h"
#include "net/http_stream.h"

#include "base/json.h"

typedef struct firn_ksqldb firn_ksqldb;

typedef struct firn_ksqldb_options {
    const char *url;                 /* "http://host:8088" */
    const char *username, *password; /* basic; nullable */
    const char *token;               /* bearer; nullable */
    const char *ca_file, *cert_file, *key_file;
    int timeout_ms; /* of answers, and of silence in the middle of a pull query; 0: 30 s */
    firn_http_version
        version; /* AUTO: HTTP/1.1 first; HTTP/2 when the server says that it wants that (40004) */
} firn_ksqldb_options;

firn_rc firn_ksqldb_open(const firn_ksqldb_options *options, firn_ksqldb **out,
                         firn_err *err) FIRN_MUST_USE;
void firn_ksqldb_close(firn_ksqldb *ksqldb); /* after its queries; NULL is fine */

typedef struct firn_ksqldb_info {
    const char *version, *cluster_id, *service_id, *status;
} firn_ksqldb_info;
firn_rc firn_ksqldb_get_info(firn_ksqldb *ksqldb, firn_arena *arena, firn_ksqldb_info *out,
                             firn_err *err) FIRN_MUST_USE;

typedef struct firn_ksqldb_object {
    bool is_table;
    const char *name, *topic, *key_format, *value_format;
    bool windowed;
} firn_ksqldb_object;
/* Streams and tables, sorted by name. */
firn_rc firn_ksqldb_list(firn_ksqldb *ksqldb, firn_arena *arena, firn_ksqldb_object **out,
                         size_t *n, firn_err *err) FIRN_MUST_USE;

typedef struct firn_ksqldb_field {
    const char *name;
    const char *type; /* as ksqlDB writes it: "DECIMAL(10, 2)", "ARRAY<STRUCT<`A` BIGINT>>" */
    bool is_key, is_header;
} firn_ksqldb_field;
typedef struct firn_ksqldb_description {
    firn_ksqldb_object object;
    int partitions;
    const firn_ksqldb_field *fields;
    size_t n_fields;
    const char *statement; /* that made it; nullable */
} firn_ksqldb_description;
/* name: as a feed has it; matched as written, else in upper case (ksqlDB's names are, unless quoted). */
firn_rc firn_ksqldb_describe(firn_ksqldb *ksqldb, firn_arena *arena, const char *name,
                             firn_ksqldb_description *out, firn_err *err) FIRN_MUST_USE;
/* A name as SQL takes it: `quoted`. */
char *firn_ksqldb_ident(firn_arena *arena, const char *name);

#define FIRN_KSQLDB_TOMBSTONE "__firn_tombstone"

/* ---- queries --------------------------------------------------------------------------------------------------- */
typedef struct firn_ksqldb_query firn_ksqldb_query;

typedef struct firn_ksqldb_query_options {
    const char *sql;
    const json_t *properties; /* of the statement: {"auto.offset.reset": "earliest"}; nullable */
    int64_t batch_bytes_max;  /* decoded; 0: 1 MiB */
    int64_t batch_rows_max;   /* 0: 16,384 */
    size_t row_bytes_max;     /* 0: 64 MiB */
} firn_ksqldb_query_options;

/* Sends it and waits for the header, from which the columns are known. */
firn_rc firn_ksqldb_query_open(firn_ksqldb *ksqldb, const firn_ksqldb_query_options *options,
                               firn_ksqldb_query **out, firn_err *err) FIRN_MUST_USE;
/* Ends it on the server, too (POST /close-query for a push query). NULL is fine. */
void firn_ksqldb_query_close(firn_ksqldb_query *query);
/* The columns of all batches, "+s": names in the case that the server gives; a key is marked in the metadata: firn.ksqldb.key=1. One column
 * more at the end, boolean, not null: `__firn_tombstone`, true for a deleted row of a table. Valid until close.
 *
 *   BOOLEAN b | INTEGER i | BIGINT l | DOUBLE g | STRING u | BYTES z | DECIMAL(p,s) d:p,s, exact | DATE tdD | TIME ttm (milliseconds, as
 *   time-millis) | TIMESTAMP tsm:UTC | ARRAY +l | MAP +m | STRUCT +s; everything is nullable */
const struct ArrowSchema *firn_ksqldb_query_schema(const firn_ksqldb_query *query);

typedef enum firn_ksqldb_state {
    FIRN_KSQLDB_ROWS,  /* a batch */
    FIRN_KSQLDB_QUIET, /* no row came within the wait (heartbeats do not count) */
    FIRN_KSQLDB_END,   /* complete: final message, or a pull query's closing bracket */
} firn_ksqldb_state;
/* At most wait_ms until something came; what has come by then is handed out even if the batch is not full. The caller releases the array. */
firn_rc firn_ksqldb_query_next(firn_ksqldb_query *query, int wait_ms, struct ArrowArray *rows,
                               firn_ksqldb_state *state, firn_err *err) FIRN_MUST_USE;
int64_t firn_ksqldb_query_bytes(const firn_ksqldb_query *query); /* of JSON read so far */

#endif
