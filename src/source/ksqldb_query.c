/* A query: the call, the other ways to make it that old servers need, and the batches.
 *
 * Ways. POST /query-stream over HTTP/1.1; the same over HTTP/2, when the server says that it wants that (40004); POST /query, when there is
 * no /query-stream that answers in the form asked for (404, 405, 406, 415). What a server needed is remembered by its connection.
 */
#include "ksqldb_private.h"

#include "base/time.h"

#include <stdlib.h>
#include <strings.h>

enum {
    BATCH_ROWS_MAX = 16384,
    BATCH_BYTES_MAX = 1 << 20, /* what stays in a core's cache until it is encoded */
    ROW_BYTES_MAX = 64 << 20,
    REFUSAL_BYTES_MAX = 64 << 10,
    STREAM_BUFFER_BYTES = 256 << 10,
    CLOSE_TIMEOUT_MS = 2000,
    CODE_WANTS_HTTP2 = 40004,
};

struct firn_ksqldb_query {
    firn_ksqldb *ksqldb;
    firn_arena *arena;
    const char *what; /* the statement, shortened, for messages */
    bool is_push;
    firn_http_stream *stream;
    bool stream_over;
    firn_ksqldb_answer *answer;
    struct ArrowSchema schema;
    firn_bytes rest; /* of the last piece: not fed yet */
    int64_t bytes;
    int64_t
        silence_us; /* waited for the next piece so far; time that the caller takes does not count */
    firn_rc late;   /* a failure that waits until the rows before it are handed out */
    firn_err late_err;
};

/* ---- the call ----------------------------------------------------------------------------------- */

static const char *body_of(firn_arena *arena, const firn_ksqldb_query_options *options, bool old)
{
    json_t *body = firn_json_own(arena, json_object());
    json_t *properties = options->properties ? json_deep_copy(options->properties) : json_object();
    json_object_set_new(body, old ? "ksql" : "sql", json_string(options->sql));
    json_object_set_new(body, old ? "streamsProperties" : "properties", properties);
    return firn_json_text(arena, body);
}

static firn_rc call_once(firn_ksqldb_query *q, const firn_ksqldb_query_options *options, bool old,
                         firn_http_version version, firn_err *err)
{
    static const firn_http_header headers[] = {
        {"Accept", FIRN_KSQLDB_CONTENT_TYPE},
        {"Content-Type", "application/json"},
    };
    const firn_http_call call = {
        .method = "POST",
        .url =
            firn_arena_printf(q->arena, "%s%s", q->ksqldb->url, old ? "/query" : "/query-stream"),
        .headers = headers,
        .n_headers = 2,
        .body = firn_bytes_str(body_of(q->arena, options, old)),
        .idempotent = true, /* it reads */
    };
    const firn_http_stream_options how = {.version = version,
                                          .buffer_bytes_max = STREAM_BUFFER_BYTES};
    firn_rc rc = firn_http_stream_open(q->ksqldb->client, &call, &how, &q->stream, err);
    if (rc == FIRN_E_IO) {
        firn_err why = err ? *err : (firn_err){0};
        FIRN_FAIL(err, FIRN_E_UNAVAILABLE,
                  "ksqlDB at %s does not answer (%s): check that it runs, and the source's url",
                  q->ksqldb->shown, why.message);
    }
    return rc;
}

/* The whole body of a short answer, or its beginning. */
static firn_bytes read_body(firn_ksqldb_query *q)
{
    FIRN_AUTO_BUF firn_buf body = {0};
    int64_t until_us = firn_monotonic_us() + (int64_t)q->ksqldb->timeout_ms * 1000;
    firn_http_stream_state state = FIRN_HTTP_STREAM_DATA;
    while (state != FIRN_HTTP_STREAM_END && body.len < REFUSAL_BYTES_MAX &&
           firn_monotonic_us() < until_us) {
        firn_bytes chunk;
        if (firn_http_stream_next(q->stream, 1000, &chunk, &state, NULL) != FIRN_OK)
            break;
        firn_buf_append(&body, chunk.data, chunk.len);
    }
    return firn_bytes_dup(q->arena, firn_buf_bytes(&body));
}

/* HTTP/2 or /query instead; false: the refusal stands. */
static bool find_another_way(firn_ksqldb *ksqldb, const firn_ksqldb_refusal *refusal, bool *old,
                             firn_http_version *version)
{
    if (refusal->code == CODE_WANTS_HTTP2 && *version != FIRN_HTTP_2) {
        *version = FIRN_HTTP_2;
        __atomic_store_n(&ksqldb->wants_http2, true, __ATOMIC_RELAXED);
        return true;
    }
    bool unknown = refusal->status == 404 || refusal->status == 405 || refusal->status == 406 ||
                   refusal->status == 415;
    if (!unknown || *old)
        return false;
    *old = true;
    *version = ksqldb->version;
    __atomic_store_n(&ksqldb->is_old, true, __ATOMIC_RELAXED);
    return true;
}

static bool is_answer_type(const char *content_type)
{
    static const char *const types[] = {
        FIRN_KSQLDB_CONTENT_TYPE, "application/json", "application/vnd.ksql.v1+json",
        "application/vnd.ksqlapi.delimited.v1", "application/vnd.ksqlapi.delimited+json"};
    if (!content_type)
        return true; /* nobody says what it is: its first byte will */
    size_t len = strcspn(content_type, "; \t");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strlen(types[i]) == len && strncasecmp(types[i], content_type, len) == 0)
            return true;
    }
    return false;
}

static firn_rc call_any_way(firn_ksqldb_query *q, const firn_ksqldb_query_options *options,
                            firn_err *err)
{
    firn_ksqldb *ksqldb = q->ksqldb;
    bool old = __atomic_load_n(&ksqldb->is_old, __ATOMIC_RELAXED);
    bool http2 = !old && __atomic_load_n(&ksqldb->wants_http2, __ATOMIC_RELAXED);
    firn_http_version version = http2 ? FIRN_HTTP_2 : ksqldb->version;
    for (;;) {
        FIRN_TRY(call_once(q, options, old, version, err));
        int status = firn_http_stream_status(q->stream);
        const char *type = firn_http_stream_header(q->stream, "Content-Type");
        if (status == 200 && is_answer_type(type))
            return FIRN_OK;
        firn_ksqldb_refusal refusal = {
            .status = status,
            .content_type = firn_arena_strdup(q->arena, type),
            .retry_after =
                firn_arena_strdup(q->arena, firn_http_stream_header(q->stream, "Retry-After")),
            .location = firn_arena_strdup(q->arena, firn_http_stream_header(q->stream, "Location")),
            .body = read_body(q),
        };
        firn_http_stream_close(q->stream);
        q->stream = NULL;
        if (status != 200)
            firn_ksqldb_refusal_read(ksqldb, q->arena, &refusal);
        if (!find_another_way(ksqldb, &refusal, &old, &version))
            return firn_ksqldb_refused(ksqldb, q->arena, &refusal, q->what, err);
    }
}

/* ---- reading ------------------------------------------------------------------------------------ */

/* Failures of the answer say whose answer it was. */
static firn_rc explain(const firn_ksqldb_query *q, firn_rc rc, firn_err *err)
{
    return rc == FIRN_OK ? rc : firn_err_wrap(err, rc, "%s, %s", q->ksqldb->shown, q->what);
}

/* Waits for the next piece, for at most wait_ms; *quiet: none came. */
static firn_rc read_piece(firn_ksqldb_query *q, int64_t wait_ms, bool *quiet, firn_err *err)
{
    firn_http_stream_state state;
    int64_t start_us = firn_monotonic_us();
    *quiet = false;
    FIRN_TRY(firn_http_stream_next(q->stream, (int)wait_ms, &q->rest, &state, err));
    switch (state) {
    case FIRN_HTTP_STREAM_DATA:
        q->bytes += (int64_t)q->rest.len;
        q->silence_us = 0;
        return FIRN_OK;
    case FIRN_HTTP_STREAM_END: q->stream_over = true; return firn_ksqldb_answer_end(q->answer, err);
    case FIRN_HTTP_STREAM_QUIET: break;
    }
    *quiet = true;
    q->silence_us += firn_monotonic_us() - start_us;
    if (!q->is_push && q->silence_us > (int64_t)q->ksqldb->timeout_ms * 1000) {
        firn_err_set(err, __FILE__, __LINE__, FIRN_E_IO,
                     "the answer stopped in its middle: nothing came for %d s",
                     q->ksqldb->timeout_ms / 1000);
        if (err)
            err->retriable = true;
        return FIRN_E_IO;
    }
    return FIRN_OK;
}

/* One step: feed what is there, or wait for more. */
static firn_rc advance(firn_ksqldb_query *q, int64_t wait_ms, bool *quiet, firn_err *err)
{
    *quiet = false;
    if (q->rest.len == 0)
        return read_piece(q, wait_ms, quiet, err);
    size_t used = 0;
    firn_rc rc = firn_ksqldb_answer_feed(q->answer, q->rest, &used, err);
    q->rest = firn_bytes_of(q->rest.data + used, q->rest.len - used);
    return rc;
}

static int64_t rows_of(const firn_ksqldb_query *q)
{
    firn_avro_batch *batch = firn_ksqldb_answer_batch(q->answer);
    return batch ? firn_avro_batch_root(batch)->length : 0;
}

static firn_rc wait_for_header(firn_ksqldb_query *q, firn_err *err)
{
    int64_t until_us = firn_monotonic_us() + (int64_t)q->ksqldb->timeout_ms * 1000;
    while (!firn_ksqldb_answer_decoder(q->answer)) {
        bool quiet;
        int64_t left_ms = (until_us - firn_monotonic_us()) / 1000;
        if (left_ms <= 0) {
            FIRN_FAIL(err, FIRN_E_UNAVAILABLE, "no header came within %d s",
                      q->ksqldb->timeout_ms / 1000);
        }
        firn_rc rc = advance(q, left_ms, &quiet, &q->late_err);
        if (rc != FIRN_OK && firn_ksqldb_answer_decoder(q->answer)) {
            q->late = explain(q, rc, &q->late_err); /* behind the header, and perhaps rows */
        } else if (rc != FIRN_OK) {
            if (err)
                *err = q->late_err;
            return rc;
        }
    }
    firn_avro_decoder_arrow_schema(firn_json_decoder_shape(firn_ksqldb_answer_decoder(q->answer)),
                                   &q->schema);
    return FIRN_OK;
}

/* The statement as messages show it. */
static const char *shorten(firn_arena *arena, const char *sql)
{
    enum { SQL_BYTES_MAX = 160 };
    char *line = firn_ksqldb_one_line(arena, sql);
    return strlen(line) <= SQL_BYTES_MAX ? line
                                         : firn_arena_printf(arena, "%.*s...", SQL_BYTES_MAX, line);
}

static void fill_defaults(const firn_ksqldb_query_options *options, firn_ksqldb_answer_options *out)
{
    out->batch_bytes_max =
        options->batch_bytes_max > 0 ? options->batch_bytes_max : BATCH_BYTES_MAX;
    out->batch_rows_max = options->batch_rows_max > 0 ? options->batch_rows_max : BATCH_ROWS_MAX;
    out->row_bytes_max = options->row_bytes_max > 0 ? options->row_bytes_max : ROW_BYTES_MAX;
}

firn_rc firn_ksqldb_query_open(firn_ksqldb *ksqldb, const firn_ksqldb_query_options *options,
                               firn_ksqldb_query **out, firn_err *err)
{
    firn_ksqldb_query *q = firn_calloc(1, sizeof *q);
    firn_ksqldb_answer_options limits;
    fill_defaults(options, &limits);
    q->ksqldb = ksqldb;
    q->arena = firn_arena_new();
    q->what = shorten(q->arena, options->sql);
    q->is_push = strcasestr(options->sql, "EMIT ") != NULL;
    q->answer = firn_ksqldb_answer_new(&limits);
    firn_rc rc = call_any_way(q, options, err);
    if (rc == FIRN_OK)
        rc = explain(q, wait_for_header(q, err), err);
    if (rc != FIRN_OK) {
        firn_ksqldb_query_close(q);
        return rc;
    }
    *out = q;
    return FIRN_OK;
}

/* ---- batches ------------------------------------------------------------------------------------ */

static firn_rc hand_out(firn_ksqldb_query *q, struct ArrowArray *rows, firn_ksqldb_state *state)
{
    firn_ksqldb_answer_hand_out(q->answer, rows);
    *state = FIRN_KSQLDB_ROWS;
    return FIRN_OK;
}

firn_rc firn_ksqldb_query_next(firn_ksqldb_query *q, int wait_ms, struct ArrowArray *rows,
                               firn_ksqldb_state *state, firn_err *err)
{
    int64_t until_us = firn_monotonic_us() + (int64_t)wait_ms * 1000;
    *rows = (struct ArrowArray){0};
    bool quiet = false;
    while (q->late == FIRN_OK && !quiet && !firn_ksqldb_answer_is_full(q->answer)) {
        if (q->rest.len == 0 && firn_ksqldb_answer_is_over(q->answer)) {
            *state = FIRN_KSQLDB_END;
            return rows_of(q) > 0 ? hand_out(q, rows, state) : FIRN_OK;
        }
        int64_t left_us = until_us - firn_monotonic_us();
        q->late =
            explain(q, advance(q, left_us > 0 ? (left_us + 999) / 1000 : 0, &quiet, &q->late_err),
                    &q->late_err);
        quiet = quiet || (q->rest.len == 0 && rows_of(q) > 0 && firn_monotonic_us() >= until_us);
    }
    if (rows_of(q) > 0)
        return hand_out(q, rows, state);
    *state = FIRN_KSQLDB_QUIET;
    if (q->late != FIRN_OK && err)
        *err = q->late_err;
    return q->late;
}

const struct ArrowSchema *firn_ksqldb_query_schema(const firn_ksqldb_query *q)
{
    return &q->schema;
}

int64_t firn_ksqldb_query_bytes(const firn_ksqldb_query *q)
{
    return q->bytes;
}

/* ---- the end ------------------------------------------------------------------------------------ */

/* A push query ends on the server when its connection does, but only at its next write: so it is told. */
static void end_on_server(firn_ksqldb_query *q)
{
    const char *id = q->answer ? firn_ksqldb_answer_query_id(q->answer) : NULL;
    if (!id || !q->is_push || q->stream_over || firn_ksqldb_answer_is_over(q->answer))
        return;
    json_t *body = firn_json_own(q->arena, json_pack("{s:s}", "queryId", id));
    static const firn_http_header headers[] = {{"Content-Type", "application/json"}};
    const firn_http_call call = {
        .method = "POST",
        .url = firn_arena_printf(q->arena, "%s/close-query", q->ksqldb->url),
        .headers = headers,
        .n_headers = 1,
        .body = firn_bytes_str(firn_json_text(q->arena, body)),
    };
    firn_http_stream *reply;
    firn_http_stream_close(q->stream);
    q->stream = NULL;
    const firn_http_stream_options how = {.head_timeout_ms = CLOSE_TIMEOUT_MS};
    if (firn_http_stream_open(q->ksqldb->client, &call, &how, &reply, NULL) == FIRN_OK)
        firn_http_stream_close(reply);
}

void firn_ksqldb_query_close(firn_ksqldb_query *q)
{
    if (!q)
        return;
    end_on_server(q);
    firn_http_stream_close(q->stream);
    firn_ksqldb_answer_free(q->answer);
    if (q->schema.release)
        q->schema.release(&q->schema);
    firn_arena_free(q->arena);
    free(q);
}
