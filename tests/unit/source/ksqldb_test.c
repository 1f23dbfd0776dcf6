/* The client of ksqlDB against scripted servers: what is asked, in what ways, and what each refusal means. */
#include "source/ksqldb.h"

#include "../net/stream_server.h"
#include "arrow_text.h"
#include "base/time.h"

typedef struct setup {
    firn_arena *arena;
    firn_ksqldb *ksqldb;
    scripted_server server;
    stream_server pieces;
    firn_err err;
} setup;

static void open_at(setup *s, const char *url, firn_ksqldb_options options)
{
    options.url = url;
    s->arena = firn_arena_new();
    assert_int_equal(firn_ksqldb_open(&options, &s->ksqldb, &s->err), FIRN_OK);
}

static void close_all(setup *s)
{
    firn_ksqldb_close(s->ksqldb);
    firn_arena_free(s->arena);
}

static void finish(setup *s)
{
    scripted_end(&s->server);
    close_all(s);
}

#define OPTIONS(...) ((firn_ksqldb_options){__VA_ARGS__})
#define BEGIN(s, options, ...)      \
    setup s = {0};                  \
    SCRIPT(&s.server, __VA_ARGS__); \
    open_at(&s, s.server.url, options)
#define BEGIN_PIECES(s, options, ...)                                                         \
    const stream_connection connections_[] = {__VA_ARGS__};                                   \
    setup s = {0};                                                                            \
    stream_server_begin(&s.pieces, connections_, sizeof connections_ / sizeof *connections_); \
    open_at(&s, s.pieces.url, options)

static void message_has(const setup *s, const char *part)
{
    if (!strstr(s->err.message, part))
        fail_msg("\"%s\" lacks \"%s\"", s->err.message, part);
}

/* ---- what a server has ----------------------------------------------------------------------- */

static void info_says_who_it_is(void **state)
{
    (void)state;
    BEGIN(s, OPTIONS(.username = "u", .password = "secret"),
          {.request = "GET /info",
           .headers = {"Authorization: Basic dTpzZWNyZXQ="},
           .reply = "{\"KsqlServerInfo\":{\"version\":\"0.29.0\",\"kafkaClusterId\":\"c\","
                    "\"ksqlServiceId\":\"default_\",\"serverStatus\":\"RUNNING\"}}"},
          {.request = "GET /info", .reply = "{\"hello\": 1}"});
    firn_ksqldb_info info;
    assert_int_equal(firn_ksqldb_get_info(s.ksqldb, s.arena, &info, &s.err), FIRN_OK);
    assert_string_equal(info.version, "0.29.0");
    assert_string_equal(info.cluster_id, "c");
    assert_string_equal(info.service_id, "default_");
    assert_string_equal(info.status, "RUNNING");
    assert_int_equal(firn_ksqldb_get_info(s.ksqldb, s.arena, &info, &s.err), FIRN_E_CORRUPT);
    message_has(&s, "is no ksqlDB server");
    finish(&s);
}

#define STREAMS                                                                                      \
    "[{\"@type\":\"streams\",\"statementText\":\"LIST STREAMS;\",\"streams\":[{\"type\":\"STREAM\"," \
    "\"name\":\"PAYMENTS\",\"topic\":\"pay\",\"keyFormat\":\"KAFKA\",\"valueFormat\":\"JSON\","      \
    "\"isWindowed\":false},{\"type\":\"STREAM\",\"name\":\"lower\",\"topic\":\"l\",\"format\":"      \
    "\"AVRO\"}],\"warnings\":[]}]"
#define TABLES                                                                                    \
    "[{\"@type\":\"tables\",\"tables\":[{\"type\":\"TABLE\",\"name\":\"TOTALS\",\"topic\":\"t\"," \
    "\"keyFormat\":\"KAFKA\",\"valueFormat\":\"AVRO\",\"isWindowed\":true}],\"warnings\":[]}]"
#define LISTS                                                                                    \
    {.request = "POST /ksql",                                                                    \
     .body = "{\"ksql\":\"LIST STREAMS;\",\"streamsProperties\":{}}",                            \
     .reply = STREAMS},                                                                          \
    {                                                                                            \
        .request = "POST /ksql", .body = "{\"ksql\":\"LIST TABLES;\",\"streamsProperties\":{}}", \
        .reply = TABLES                                                                          \
    }

static void streams_and_tables_are_listed_by_name(void **state)
{
    (void)state;
    BEGIN(s, OPTIONS(.token = "tok"), LISTS);
    firn_ksqldb_object *list;
    size_t n;
    assert_int_equal(firn_ksqldb_list(s.ksqldb, s.arena, &list, &n, &s.err), FIRN_OK);
    assert_int_equal(n, 3);
    assert_string_equal(list[0].name, "PAYMENTS");
    assert_false(list[0].is_table);
    assert_string_equal(list[0].topic, "pay");
    assert_string_equal(list[1].name, "TOTALS");
    assert_true(list[1].is_table && list[1].windowed);
    assert_string_equal(list[2].name, "lower");
    assert_string_equal(list[2].value_format, "AVRO");
    finish(&s);
}

static void a_description_is_found_by_the_name_in_either_case(void **state)
{
    (void)state;
    const char *description =
        "[{\"@type\":\"sourceDescription\",\"sourceDescription\":{\"name\":\"PAYMENTS\","
        "\"windowType\":null,\"fields\":[{\"name\":\"ID\",\"schema\":{\"type\":\"BIGINT\",\"fields\":"
        "null,\"memberSchema\":null},\"type\":\"KEY\"},{\"name\":\"AMOUNT\",\"schema\":{\"type\":"
        "\"DECIMAL\",\"parameters\":{\"precision\":10,\"scale\":2}}},{\"name\":\"AT\",\"schema\":"
        "{\"type\":\"ARRAY\",\"memberSchema\":{\"type\":\"STRUCT\",\"fields\":[{\"name\":\"LAT\","
        "\"schema\":{\"type\":\"DOUBLE\"}},{\"name\":\"M\",\"schema\":{\"type\":\"MAP\","
        "\"memberSchema\":{\"type\":\"STRING\"}}}]}}},{\"name\":\"H\",\"schema\":{\"type\":\"BYTES\"},"
        "\"type\":\"HEADER\"}],\"topic\":\"pay\",\"partitions\":6,\"keyFormat\":\"KAFKA\","
        "\"valueFormat\":\"JSON\",\"statement\":\"CREATE STREAM ...\"}}]";
    BEGIN(s, OPTIONS(0), LISTS,
          {.request = "POST /ksql",
           .body_has = "DESCRIBE `PAYMENTS` EXTENDED;",
           .reply = description},
          LISTS,
          {.request = "POST /ksql",
           .body_has = "DESCRIBE `lower` EXTENDED;",
           .status = 400,
           .reply =
               "{\"@type\":\"statement_error\",\"error_code\":40001,\"message\":\"no,\\n\\tnot "
               "now\"}"},
          LISTS);
    firn_ksqldb_description d;
    assert_int_equal(firn_ksqldb_describe(s.ksqldb, s.arena, "payments", &d, &s.err), FIRN_OK);
    assert_int_equal(d.partitions, 6);
    assert_int_equal(d.n_fields, 4);
    assert_true(d.fields[0].is_key);
    assert_string_equal(d.fields[1].type, "DECIMAL(10, 2)");
    assert_string_equal(d.fields[2].type, "ARRAY<STRUCT<`LAT` DOUBLE, `M` MAP<STRING, STRING>>>");
    assert_true(d.fields[3].is_header);
    assert_string_equal(d.statement, "CREATE STREAM ...");
    assert_int_equal(firn_ksqldb_describe(s.ksqldb, s.arena, "lower", &d, &s.err), FIRN_E_SYNTAX);
    message_has(&s, "DESCRIBE lower: no, not now (error 40001)");
    assert_int_equal(firn_ksqldb_describe(s.ksqldb, s.arena, "paymets", &d, &s.err),
                     FIRN_E_NOT_FOUND);
    message_has(&s, "has no stream or table \"paymets\". Did you mean \"PAYMENTS\"?");
    finish(&s);
}

static void identifiers_are_quoted(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    assert_string_equal(firn_ksqldb_ident(arena, "a`b"), "`a``b`");
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void every_refusal_has_its_code(void **state)
{
    (void)state;
    static const struct {
        int status, code;
        firn_rc rc;
    } cases[] = {{400, 40000, FIRN_E_SYNTAX},      {400, 40001, FIRN_E_SYNTAX},
                 {400, 40002, FIRN_E_SYNTAX},      {400, 40003, FIRN_E_BUSY},
                 {400, 40005, FIRN_E_SYNTAX},      {401, 40100, FIRN_E_PERMISSION},
                 {403, 40300, FIRN_E_PERMISSION},  {403, 40301, FIRN_E_PERMISSION},
                 {404, 40400, FIRN_E_NOT_FOUND},   {417, 41700, FIRN_E_IO},
                 {421, 42100, FIRN_E_IO},          {428, 42801, FIRN_E_IO},
                 {500, 50000, FIRN_E_IO},          {503, 50301, FIRN_E_UNAVAILABLE},
                 {503, 50303, FIRN_E_UNAVAILABLE}, {503, 50304, FIRN_E_UNAVAILABLE}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char reply[200];
        snprintf(reply, sizeof reply,
                 "{\"@type\":\"generic_error\",\"error_code\":%d,\"message\":\"because\"}",
                 cases[i].code);
        exchange once = {.request = "GET /info",
                         .status = cases[i].status,
                         .reply_headers = "Retry-After: 60\r\n", /* longer than anybody waits */
                         .reply = reply};
        setup s = {0};
        scripted_begin(&s.server, &once, 1);
        open_at(&s, s.server.url, OPTIONS(0));
        firn_ksqldb_info info;
        assert_int_equal(firn_ksqldb_get_info(s.ksqldb, s.arena, &info, &s.err), cases[i].rc);
        message_has(&s, "because (error ");
        message_has(&s, s.server.url);
        finish(&s);
    }
}

static void a_starting_server_is_waited_for(void **state)
{
    (void)state;
    BEGIN(s, OPTIONS(0),
          {.request = "GET /info",
           .status = 503,
           .reply_headers = "Retry-After: 1\r\n",
           .reply = "{\"error_code\":50302,\"message\":\"Server initializing\"}"},
          {.request = "GET /info", .reply = "{\"KsqlServerInfo\":{}}"},
          {.request = "GET /info",
           .status = 503,
           .reply_headers = "Retry-After: 99\r\n",
           .reply = "{\"error_code\":50302,\"message\":\"Server initializing\"}"});
    firn_ksqldb_info info;
    int64_t start = firn_monotonic_us();
    assert_int_equal(firn_ksqldb_get_info(s.ksqldb, s.arena, &info, &s.err), FIRN_OK);
    assert_true(firn_monotonic_us() - start >= 1000000);
    assert_int_equal(firn_ksqldb_get_info(s.ksqldb, s.arena, &info, &s.err), FIRN_E_UNAVAILABLE);
    message_has(&s, "asks to wait 99 s): it is starting");
    assert_true(s.err.retriable);
    finish(&s);
}

static void who_is_no_ksqldb_is_shown_by_its_first_bytes(void **state)
{
    (void)state;
    BEGIN(s, OPTIONS(0), {.request = "GET /info", .reply = "<html>\n<body>It works"},
          {.request = "GET /info", .status = 404, .reply = "nginx"},
          {.request = "GET /info",
           .status = 307,
           .reply_headers = "Location: https://u:p@other:1/info\r\n"},
          {.request = "POST /query-stream", .reply = "<html>"});
    firn_ksqldb_info info;
    firn_ksqldb_query *query;
    assert_int_equal(firn_ksqldb_get_info(s.ksqldb, s.arena, &info, &s.err), FIRN_E_CORRUPT);
    message_has(&s, "beginning with \"<html> <body>It works\"");
    assert_int_equal(firn_ksqldb_get_info(s.ksqldb, s.arena, &info, &s.err), FIRN_E_CORRUPT);
    message_has(&s, "HTTP 404 (application/json) beginning with \"nginx\"");
    assert_int_equal(firn_ksqldb_get_info(s.ksqldb, s.arena, &info, &s.err), FIRN_E_CORRUPT);
    message_has(&s, "https://other:1/info");
    firn_ksqldb_query_options options = {.sql = "SELECT 1"};
    assert_int_equal(firn_ksqldb_query_open(s.ksqldb, &options, &query, &s.err), FIRN_E_CORRUPT);
    message_has(&s, "SELECT 1: this is no answer of ksqlDB");
    finish(&s);
}

static void nobody_there_is_said_with_the_url(void **state)
{
    (void)state;
    setup s = {0};
    setenv("no_proxy", "127.0.0.1", 1);
    open_at(&s, "http://u:p@127.0.0.1:1/", OPTIONS(.timeout_ms = 2000));
    firn_ksqldb_info info;
    firn_ksqldb_query *query;
    firn_ksqldb_query_options options = {.sql = "SELECT 1"};
    assert_int_equal(firn_ksqldb_get_info(s.ksqldb, s.arena, &info, &s.err), FIRN_E_UNAVAILABLE);
    message_has(&s, "ksqlDB at http://127.0.0.1:1 does not answer");
    assert_true(s.err.retriable);
    assert_int_equal(firn_ksqldb_query_open(s.ksqldb, &options, &query, &s.err),
                     FIRN_E_UNAVAILABLE);
    close_all(&s);
    firn_ksqldb *none;
    assert_int_equal(firn_ksqldb_open(&OPTIONS(.url = "host:8088"), &none, &s.err), FIRN_E_CONFIG);
    message_has(&s, "http://host:8088");
}

/* ---- queries --------------------------------------------------------------------------------- */

#define TYPE_JSON "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.ksql.v1+json\r\n"
#define CHUNKED   TYPE_JSON "Transfer-Encoding: chunked\r\n\r\n"
#define CLOSED    TYPE_JSON "\r\n" /* the body ends with the connection */
#define HEADER    "[{\"header\":{\"queryId\":\"q1\",\"schema\":\"`A` BIGINT\"}},\n"

/* Rows to the end, as text; quiet waits are gone over. */
static firn_rc read_all(setup *s, firn_ksqldb_query *query, firn_buf *out)
{
    for (;;) {
        struct ArrowArray rows;
        firn_ksqldb_state state;
        FIRN_TRY(firn_ksqldb_query_next(query, 100, &rows, &state, &s->err));
        if (state == FIRN_KSQLDB_END)
            return FIRN_OK;
        if (state != FIRN_KSQLDB_ROWS)
            continue;
        for (int64_t i = 0; i < rows.length; i++)
            arrow_put(out, firn_ksqldb_query_schema(query), &rows, i);
        rows.release(&rows);
    }
}

static void a_query_is_asked_in_the_form_that_has_everything(void **state)
{
    (void)state;
    BEGIN(s, OPTIONS(0),
          {.request = "POST /query-stream",
           .headers = {"Accept: application/vnd.ksql.v1+json"},
           .body = "{\"sql\":\"SELECT * FROM S EMIT "
                   "CHANGES;\",\"properties\":{\"auto.offset.reset\":\"earliest\"}}",
           .reply = HEADER "{\"row\":{\"columns\":[1]}},\n{\"finalMessage\":\"Limit Reached\"}]"});
    json_t *properties = json_pack("{s:s}", "auto.offset.reset", "earliest");
    firn_ksqldb_query_options options = {.sql = "SELECT * FROM S EMIT CHANGES;",
                                         .properties = properties};
    firn_ksqldb_query *query;
    FIRN_AUTO_BUF firn_buf rows = {0};
    assert_int_equal(firn_ksqldb_query_open(s.ksqldb, &options, &query, &s.err), FIRN_OK);
    assert_int_equal(firn_ksqldb_query_schema(query)->n_children, 2);
    assert_int_equal(read_all(&s, query, &rows), FIRN_OK);
    assert_string_equal(firn_buf_cstr(&rows), "{\"A\": 1, \"__firn_tombstone\": false}");
    assert_int_equal(
        firn_ksqldb_query_bytes(query),
        strlen(HEADER "{\"row\":{\"columns\":[1]}},\n{\"finalMessage\":\"Limit Reached\"}]"));
    firn_ksqldb_query_close(query); /* complete: nothing is said to the server */
    json_decref(properties);
    finish(&s);
}

static void old_servers_are_asked_by_query_from_then_on(void **state)
{
    (void)state;
    BEGIN(s, OPTIONS(0), {.request = "POST /query-stream", .status = 404, .reply = "nothing"},
          {.request = "POST /query",
           .body = "{\"ksql\":\"SELECT 1\",\"streamsProperties\":{}}",
           .reply = HEADER "]"},
          {.request = "POST /query",
           .status = 400,
           .reply = "{\"error_code\":40001,\"message\":\"line 1:8: Syntax Error\"}"});
    firn_ksqldb_query_options options = {.sql = "SELECT 1"};
    firn_ksqldb_query *query;
    FIRN_AUTO_BUF firn_buf rows = {0};
    assert_int_equal(firn_ksqldb_query_open(s.ksqldb, &options, &query, &s.err), FIRN_OK);
    assert_int_equal(read_all(&s, query, &rows), FIRN_OK);
    firn_ksqldb_query_close(query);
    assert_int_equal(firn_ksqldb_query_open(s.ksqldb, &options, &query, &s.err), FIRN_E_SYNTAX);
    message_has(&s, "SELECT 1: line 1:8: Syntax Error (error 40001)");
    finish(&s);
}

static void a_server_that_does_not_know_the_form_is_asked_by_query(void **state)
{
    (void)state;
    BEGIN(s, OPTIONS(0),
          {.request = "POST /query-stream",
           .status = 406,
           .reply = "{\"error_code\":40600,\"message\":\"Not Acceptable\"}"},
          {.request = "POST /query", .status = 406, .reply = "{\"error_code\":40600}"});
    firn_ksqldb_query_options options = {.sql = "SELECT 1"};
    firn_ksqldb_query *query;
    assert_int_not_equal(firn_ksqldb_query_open(s.ksqldb, &options, &query, &s.err), FIRN_OK);
    finish(&s);
}

#define H2_DATA(len, flags) "\0\0" len "\0" flags "\0\0\0\1"

static void http2_is_spoken_where_it_is_wanted(void **state)
{
    (void)state;
    static const char rows[] = H2_SETTINGS H2_SETTINGS_OK H2_STATUS_200 H2_DATA(
        "\x4a",
        "\1") "[{\"header\":{\"queryId\":\"q\",\"schema\":\"`A` BIGINT\"}},{\"row\":{\"columns\":[7]}}]";
    BEGIN_PIECES(s, OPTIONS(0),
                 {.steps = {{.bytes = "HTTP/1.1 400 Bad\r\nContent-Length: 83\r\n\r\n"
                                      "{\"error_code\":40004,\"message\":\"This endpoint is only "
                                      "available when using HTTP2\"}     "}}},
                 {.steps = {{.bytes = rows, .len = sizeof rows - 1}}, .keep = true},
                 {.steps = {{.bytes = rows, .len = sizeof rows - 1}}, .keep = true});
    firn_ksqldb_query_options options = {.sql = "SELECT 1"};
    for (int i = 0; i < 2; i++) {
        firn_ksqldb_query *query;
        FIRN_AUTO_BUF firn_buf out = {0};
        if (firn_ksqldb_query_open(s.ksqldb, &options, &query, &s.err) != FIRN_OK)
            fail_msg("%s", s.err.message);
        assert_int_equal(read_all(&s, query, &out), FIRN_OK);
        assert_string_equal(firn_buf_cstr(&out), "{\"A\": 7, \"__firn_tombstone\": false}");
        firn_ksqldb_query_close(query);
        stream_server_go(&s.pieces);
    }
    stream_server_end(&s.pieces); /* the second query spoke HTTP/2 at once */
    close_all(&s);
}

static void rows_are_handed_out_before_the_failure_behind_them(void **state)
{
    (void)state;
    BEGIN_PIECES(
        s, OPTIONS(0),
        {.steps = {{.bytes = CLOSED HEADER "{\"row\":{\"columns\":[1]}},\n{\"row\":{\"colu"}}},
        {.steps = {{.bytes =
                        CHUNKED "ff\r\n[{\"header\":{\"queryId\":\"q\",\"schema\":\"`A` BIGINT\"}},"
                                "{\"row\":{\"columns\""}}},
        {.steps = {{.bytes = CLOSED HEADER "{\"row\":{\"columns\":[1]}},\n"
                                           "{\"errorMessage\":{\"error_code\":50000,\"message\":"
                                           "\"it broke\"}},\n"}}});
    static const char *const messages[] = {"in the middle of a row", "transfer closed",
                                           "it broke (error 50000)"};
    firn_ksqldb_query_options options = {.sql = "SELECT 1"};
    for (int i = 0; i < 3; i++) {
        firn_ksqldb_query *query;
        FIRN_AUTO_BUF firn_buf out = {0};
        if (firn_ksqldb_query_open(s.ksqldb, &options, &query, &s.err) != FIRN_OK)
            fail_msg("%s", s.err.message);
        assert_int_equal(read_all(&s, query, &out), FIRN_E_IO);
        message_has(&s, messages[i]);
        assert_string_equal(firn_buf_cstr(&out),
                            i == 1 ? "" : "{\"A\": 1, \"__firn_tombstone\": false}");
        assert_int_equal(read_all(&s, query, &out), FIRN_E_IO); /* and stays failed */
        firn_ksqldb_query_close(query);
    }
    stream_server_end(&s.pieces);
    close_all(&s);
}

static void a_push_query_is_quiet_and_is_ended_on_the_server(void **state)
{
    (void)state;
    BEGIN_PIECES(s, OPTIONS(0),
                 {.steps = {{.bytes = CLOSED HEADER},
                            {.bytes = "\n", .wait = true},
                            {.bytes = "{\"row\":{\"columns\":[1]}},\n", .wait = true},
                            {.bytes = "\n", .wait = true}}},
                 {.steps = {{.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}}});
    firn_ksqldb_query_options options = {.sql = "select * from S emit changes;"};
    firn_ksqldb_query *query;
    struct ArrowArray rows;
    firn_ksqldb_state now;
    assert_int_equal(firn_ksqldb_query_open(s.ksqldb, &options, &query, &s.err), FIRN_OK);
    assert_int_equal(firn_ksqldb_query_next(query, 5, &rows, &now, &s.err), FIRN_OK);
    assert_int_equal(now, FIRN_KSQLDB_QUIET);
    stream_server_go(&s.pieces); /* a heartbeat is no row */
    assert_int_equal(firn_ksqldb_query_next(query, 50, &rows, &now, &s.err), FIRN_OK);
    assert_int_equal(now, FIRN_KSQLDB_QUIET);
    stream_server_go(&s.pieces);
    do
        assert_int_equal(firn_ksqldb_query_next(query, 20, &rows, &now, &s.err), FIRN_OK);
    while (now == FIRN_KSQLDB_QUIET);
    assert_int_equal(now, FIRN_KSQLDB_ROWS);
    assert_int_equal(rows.length, 1);
    rows.release(&rows);
    stream_server_go(&s.pieces);
    firn_ksqldb_query_close(query);
    stream_server_end(&s.pieces);
    close_all(&s);
}

static void silence_in_a_pull_query_is_a_failure(void **state)
{
    (void)state;
    BEGIN_PIECES(s, OPTIONS(.timeout_ms = 60), {.steps = {{.bytes = CLOSED HEADER}}, .keep = true});
    firn_ksqldb_query_options options = {.sql = "SELECT * FROM T;"};
    firn_ksqldb_query *query;
    FIRN_AUTO_BUF firn_buf out = {0};
    assert_int_equal(firn_ksqldb_query_open(s.ksqldb, &options, &query, &s.err), FIRN_OK);
    assert_int_equal(read_all(&s, query, &out), FIRN_E_IO);
    message_has(&s, "stopped in its middle");
    firn_ksqldb_query_close(query);
    stream_server_end(&s.pieces);
    close_all(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(info_says_who_it_is),
        cmocka_unit_test(streams_and_tables_are_listed_by_name),
        cmocka_unit_test(a_description_is_found_by_the_name_in_either_case),
        cmocka_unit_test(identifiers_are_quoted),
        cmocka_unit_test(every_refusal_has_its_code),
        cmocka_unit_test(a_starting_server_is_waited_for),
        cmocka_unit_test(who_is_no_ksqldb_is_shown_by_its_first_bytes),
        cmocka_unit_test(nobody_there_is_said_with_the_url),
        cmocka_unit_test(a_query_is_asked_in_the_form_that_has_everything),
        cmocka_unit_test(old_servers_are_asked_by_query_from_then_on),
        cmocka_unit_test(a_server_that_does_not_know_the_form_is_asked_by_query),
        cmocka_unit_test(http2_is_spoken_where_it_is_wanted),
        cmocka_unit_test(rows_are_handed_out_before_the_failure_behind_them),
        cmocka_unit_test(a_push_query_is_quiet_and_is_ended_on_the_server),
        cmocka_unit_test(silence_in_a_pull_query_is_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
