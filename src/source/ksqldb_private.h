/* What the files of source/ksqldb.h share: the connection, refusals, types, and the answer of a query. */
#ifndef SOURCE_KSQLDB_PRIVATE_H
#define SOURCE_KSQLDB_PRIVATE_H

#include "format/avro_schema.h"
#include "format/json_columns.h"
#include "net/http_client.h"
#include "source/ksqldb.h"

#define FIRN_KSQLDB_CONTENT_TYPE "application/vnd.ksql.v1+json"

struct firn_ksqldb {
    firn_arena *arena; /* of the options; not used after the connection was made */
    firn_http_client *client;
    const char *url;   /* without a slash at the end */
    const char *shown; /* for messages */
    int timeout_ms;
    firn_http_version version; /* as configured */
    /* Learnt from answers, read and written without order by whoever asks. */
    bool wants_http2;
    bool is_old; /* has no /query-stream that we can read */
};

/* ---- ksqldb_refusal.c ---- */
typedef struct firn_ksqldb_refusal {
    int status;               /* of HTTP; 200: the error came in the answer */
    int64_t code;             /* of ksqlDB: 40001; 0: none */
    const char *message;      /* one line; NULL: none */
    const char *content_type; /* nullable */
    const char *retry_after;  /* seconds; nullable */
    const char *location;     /* of a redirect; nullable */
    firn_bytes body;
} firn_ksqldb_refusal;
/* Fills code and message from {"@type", "error_code", "message"}, if that is what the body is. */
void firn_ksqldb_refusal_read(const firn_ksqldb *ksqldb, firn_arena *arena,
                              firn_ksqldb_refusal *refusal);
/* What it means, as an error. `what` was asked for: "LIST STREAMS". */
firn_rc firn_ksqldb_refused(const firn_ksqldb *ksqldb, firn_arena *arena,
                            const firn_ksqldb_refusal *refusal, const char *what, firn_err *err);
/* A code of ksqlDB as firn's. */
firn_rc firn_ksqldb_rc(int64_t code, int status);
/* The first bytes of an answer, for a message: one line, in quotes. */
const char *firn_ksqldb_first_bytes(firn_arena *arena, firn_bytes body);
/* One line of at most 500 bytes. */
char *firn_ksqldb_one_line(firn_arena *arena, const char *text);

/* ---- ksqldb_types.c ---- */
enum { FIRN_KSQLDB_COLUMNS_MAX = 10000, FIRN_KSQLDB_DEPTH_MAX = 30 };
/* "`ID` BIGINT KEY, `A` ARRAY<STRUCT<`B` DECIMAL(4, 2)>>" as the record that its rows are, and the tombstone's mark at its end. */
firn_rc firn_ksqldb_schema_parse(firn_arena *arena, const char *text, const firn_avro_schema **out,
                                 firn_err *err) FIRN_MUST_USE;
/* A type of DESCRIBE, {"type": "ARRAY", "memberSchema": {...}}, as ksqlDB writes it: "ARRAY<BIGINT>". */
firn_rc firn_ksqldb_type_text(firn_arena *arena, const json_t *schema, const char **out,
                              firn_err *err) FIRN_MUST_USE;

/* ---- ksqldb_answer.c ---- */
/* The answer of a query, in any of its three forms, fed piece by piece as it comes; the pieces may begin and end anywhere. */
typedef struct firn_ksqldb_answer firn_ksqldb_answer;
typedef struct firn_ksqldb_answer_options {
    int64_t batch_bytes_max, batch_rows_max;
    size_t row_bytes_max;
} firn_ksqldb_answer_options;
firn_ksqldb_answer *firn_ksqldb_answer_new(const firn_ksqldb_answer_options *options);
void firn_ksqldb_answer_free(firn_ksqldb_answer *answer);
/* Takes in bytes, all of them, or those up to where the batch is full: `*used`. IO: the server reported an error in
 * mid-stream (before the header: what the error's code means); CORRUPT, TYPE, LIMIT. Rows before a failure stay in the batch. */
firn_rc firn_ksqldb_answer_feed(firn_ksqldb_answer *answer, firn_bytes bytes, size_t *used,
                                firn_err *err) FIRN_MUST_USE;
/* No more bytes. IO: the answer is not whole. */
firn_rc firn_ksqldb_answer_end(firn_ksqldb_answer *answer, firn_err *err) FIRN_MUST_USE;

bool firn_ksqldb_answer_is_full(const firn_ksqldb_answer *answer);
bool firn_ksqldb_answer_is_over(const firn_ksqldb_answer *answer); /* whole: nothing may follow */
/* NULL before the header. */
const firn_json_decoder *firn_ksqldb_answer_decoder(const firn_ksqldb_answer *answer);
firn_avro_batch *firn_ksqldb_answer_batch(firn_ksqldb_answer *answer);
/* The rows so far, which the caller releases; the batch is empty then. */
void firn_ksqldb_answer_hand_out(firn_ksqldb_answer *answer, struct ArrowArray *out);
const char *firn_ksqldb_answer_query_id(const firn_ksqldb_answer *answer); /* NULL: none */
/* Of an error that the server reported: its code and words. */
int64_t firn_ksqldb_answer_error_code(const firn_ksqldb_answer *answer);
const char *firn_ksqldb_answer_error_message(const firn_ksqldb_answer *answer);

#endif
