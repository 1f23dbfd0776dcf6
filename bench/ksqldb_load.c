/* The server of `./run bench export`: ksqlDB as far as an exporter asks it, with answers that are made before anybody asks.
 *
 *     ksqldb_load          prints the port and serves until its stdin ends
 *
 * Sources are named by what they hold: WIDE_10000 and SMALL_10000000 are streams, STATE_1000 is a table, of so many rows. A query is
 * answered by the rows' bytes as they stand in memory: a block of at most 100,000 rows, over and over, in which only what
 * must differ (id, offset, the day) is written anew: each block is a day later. A push query ends with a final message, which a real one would not, so that nobody's
 * waiting for silence is measured; "LIMIT n" is understood. GET /bytes?SQL tells how long that answer is. What rows hold is in
 * ksqldb_rows.h.
 */
#include "ksqldb_rows.h"

#include "base/json.h"
#include "base/thread.h"
#include "base/time.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    PARTITIONS = 4,
    NUMBER_DIGITS = 10, /* of ids and offsets: as many in every block */
    CHUNK_BYTES = 64 << 10,
    SOURCES_MAX = 16,
};
static const int64_t NUMBER_BASE = 1000000000;

static const char *const KIND_NAMES[] = {"WIDE_", "SMALL_", "STATE_"};

#define LEADING "`__FIRN_PARTITION` INTEGER, `__FIRN_OFFSET` BIGINT, `__FIRN_TIME` BIGINT, "

typedef struct block {
    firn_buf text;
    size_t ends[BLOCK_ROWS];
    size_t id_at[BLOCK_ROWS], offset_at[BLOCK_ROWS], day_at[BLOCK_ROWS]; /* 0: none */
} block;

static block
    *blocks[KINDS][2]; /* with ROWPARTITION and so on, or without; never changed once made */

/* ---- rows --------------------------------------------------------------------------------------- */

static block *make_block(kind k, bool leading)
{
    block *b = firn_calloc(1, sizeof *b);
    for (uint64_t i = 0; i < BLOCK_ROWS; i++) {
        firn_buf_puts(&b->text, "{\"row\":{\"columns\":[");
        if (leading) {
            firn_buf_printf(&b->text, "%d,", (int)(i % PARTITIONS));
            b->offset_at[i] = b->text.len;
            firn_buf_printf(&b->text, "%0*d,%lld,", NUMBER_DIGITS, 0,
                            1736935200000 + (long long)i * 10);
        }
        if (k != STATE) {
            b->id_at[i] = b->text.len;
            firn_buf_printf(&b->text, "%0*d", NUMBER_DIGITS, 0);
        }
        if (k == WIDE)
            put_wide(&b->text, i);
        else if (k == SMALL)
            put_small(&b->text, i);
        else
            put_state(&b->text, i);
        firn_buf_puts(&b->text, "]}},\n");
        size_t start = i > 0 ? b->ends[i - 1] : 0;
        const uint8_t *day =
            memmem(b->text.data + start, b->text.len - start, FIRST_DAY "T", sizeof FIRST_DAY);
        b->day_at[i] = day ? (size_t)(day - b->text.data) : 0;
        b->ends[i] = b->text.len;
    }
    return b;
}

/* ---- answers ------------------------------------------------------------------------------------ */

typedef struct query {
    kind kind;
    bool leading, is_push;
    int64_t rows;
} query;

static bool parse_query(const char *sql, query *out)
{
    const char *from = strcasestr(sql, "FROM ");
    *out = (query){.leading = strstr(sql, "ROWPARTITION") != NULL,
                   .is_push = strcasestr(sql, "EMIT CHANGES") != NULL};
    if (!from)
        return false;
    from += strspn(from + 5, " `\"") + 5;
    for (int k = 0; k < KINDS; k++) {
        size_t len = strlen(KIND_NAMES[k]);
        if (strncasecmp(from, KIND_NAMES[k], len) == 0) {
            out->kind = (kind)k;
            out->rows = atoll(from + len);
            const char *limit = strcasestr(from, " LIMIT ");
            if (limit && atoll(limit + 7) < out->rows)
                out->rows = atoll(limit + 7);
            return out->rows > 0 && !(k == STATE && out->rows > BLOCK_ROWS);
        }
    }
    return false;
}

static void put_header(firn_buf *out, const query *q)
{
    firn_buf_printf(out, "[{\"header\":{\"queryId\":\"bench\",\"schema\":\"%s%s\"}},\n",
                    q->leading ? LEADING : "", SCHEMAS[q->kind]);
}

static const char *end_of(const query *q)
{
    return q->is_push ? "{\"finalMessage\":\"Limit Reached\"}]\n" : "]\n";
}

static size_t rows_bytes(const query *q, int64_t rows)
{
    const block *b = blocks[q->kind][q->leading];
    return (size_t)(rows / BLOCK_ROWS) * b->ends[BLOCK_ROWS - 1] +
           (rows % BLOCK_ROWS ? b->ends[rows % BLOCK_ROWS - 1] : 0);
}

static size_t answer_bytes(const query *q)
{
    FIRN_AUTO_BUF firn_buf header = {0};
    put_header(&header, q);
    /* Behind the last row of a pull query there is no comma. */
    return header.len + rows_bytes(q, q->rows) + strlen(end_of(q)) - (q->is_push ? 0 : 2);
}

static bool send_all(int fd, const void *data, size_t len)
{
    for (const char *at = data; len > 0;) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static bool send_chunks(int fd, const uint8_t *data, size_t len)
{
    while (len > 0) {
        char head[32];
        size_t n = len < CHUNK_BYTES ? len : CHUNK_BYTES;
        int head_len = snprintf(head, sizeof head, "%zx\r\n", n);
        if (!send_all(fd, head, (size_t)head_len) || !send_all(fd, data, n) ||
            !send_all(fd, "\r\n", 2))
            return false;
        data += n;
        len -= n;
    }
    return true;
}

static void put_number(uint8_t *at, int64_t number)
{
    for (int i = NUMBER_DIGITS - 1; i >= 0; i--, number /= 10)
        at[i] = (uint8_t)('0' + number % 10);
}

/* Ids, offsets and day of the block that begins with row `first`. */
static void renumber(const block *b, uint8_t *text, int64_t first, int64_t rows)
{
    firn_civil civil;
    char day[sizeof FIRST_DAY + 8];
    firn_civil_from_days(firn_days_from_civil(2025, 1, 15) + (int32_t)(first / BLOCK_ROWS), &civil);
    snprintf(day, sizeof day, "%04d-%02d-%02d", civil.year, civil.month, civil.day);
    for (int64_t i = 0; i < rows; i++) {
        if (b->id_at[i])
            put_number(text + b->id_at[i], NUMBER_BASE + first + i);
        if (b->offset_at[i])
            put_number(text + b->offset_at[i], NUMBER_BASE + (first + i) / PARTITIONS);
        if (b->day_at[i])
            memcpy(text + b->day_at[i], day, strlen(FIRST_DAY));
    }
}

static void answer_query(int fd, const query *q)
{
    const block *b = blocks[q->kind][q->leading];
    FIRN_AUTO_BUF firn_buf header = {0};
    size_t len = b->ends[BLOCK_ROWS - 1];
    uint8_t *text = firn_malloc(len);
    memcpy(text, b->text.data, len);
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.ksql.v1+json\r\n"
                               "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    put_header(&header, q);
    bool open = send_all(fd, head, sizeof head - 1) && send_chunks(fd, header.data, header.len);
    for (int64_t done = 0; done < q->rows && open; done += BLOCK_ROWS) {
        int64_t rows = q->rows - done < BLOCK_ROWS ? q->rows - done : BLOCK_ROWS;
        size_t bytes = b->ends[rows - 1];
        renumber(b, text, done, rows);
        if (!q->is_push && done + rows == q->rows)
            bytes -= 2;
        open = send_chunks(fd, text, bytes);
    }
    const char *end = end_of(q);
    if (open && send_chunks(fd, (const uint8_t *)end, strlen(end)))
        send_all(fd, "0\r\n\r\n", 5);
    free(text);
}

static void answer_json(int fd, int status, const char *body)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    firn_buf_printf(&out,
                    "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
                    "Connection: close\r\n\r\n%s",
                    status, strlen(body), body);
    send_all(fd, out.data, out.len);
}

/* ---- statements --------------------------------------------------------------------------------- */

static const char *const SOURCES[] = {"WIDE_10000",     "WIDE_100000", "SMALL_1000000",
                                      "SMALL_10000000", "STATE_1000",  "STATE_10000"};

static void list(int fd, bool tables)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    const char *kind_name = tables ? "tables" : "streams", *separator = "";
    firn_buf_printf(&out, "[{\"@type\":\"%s\",\"%s\":[", kind_name, kind_name);
    for (size_t i = 0; i < sizeof SOURCES / sizeof *SOURCES; i++) {
        if ((strncmp(SOURCES[i], "STATE", 5) == 0) != tables)
            continue;
        firn_buf_printf(
            &out,
            "%s{\"type\":\"%s\",\"name\":\"%s\",\"topic\":\"%s\",\"keyFormat\":\"KAFKA\","
            "\"valueFormat\":\"JSON\",\"isWindowed\":false}",
            separator, tables ? "TABLE" : "STREAM", SOURCES[i], SOURCES[i]);
        separator = ",";
    }
    firn_buf_puts(&out, "],\"warnings\":[]}]");
    answer_json(fd, 200, firn_buf_cstr(&out));
}

/* Fields from the schema's text: "`NAME` TYPE, ...", decimals with a comma in brackets. */
static void put_fields(firn_buf *out, const char *schema)
{
    for (const char *at = schema; (at = strchr(at, '`'));) {
        size_t name = strcspn(at + 1, "`");
        const char *type = at + name + 3;
        size_t len = strcspn(type, "`");
        int precision = 0, scale = 0;
        bool key = memmem(type, len, " KEY", 4) != NULL;
        size_t word = strcspn(type, "(, ");
        firn_buf_printf(out,
                        "%s{\"name\":\"%.*s\",%s\"schema\":{\"type\":\"%.*s\",\"fields\":null,",
                        at == schema ? "" : ",", (int)name, at + 1, key ? "\"type\":\"KEY\"," : "",
                        (int)word, type);
        if (sscanf(type, "DECIMAL(%d, %d)", &precision, &scale) == 2)
            firn_buf_printf(out, "\"parameters\":{\"precision\":%d,\"scale\":%d},", precision,
                            scale);
        firn_buf_puts(out, "\"memberSchema\":null}}");
        at = type;
    }
}

static void describe(int fd, const char *statement)
{
    for (size_t i = 0; i < sizeof SOURCES / sizeof *SOURCES; i++) {
        FIRN_AUTO_BUF firn_buf out = {0}, name = {0};
        firn_buf_printf(&name, "`%s`", SOURCES[i]);
        if (!strstr(statement, firn_buf_cstr(&name)))
            continue;
        int k = 0;
        while (strncmp(SOURCES[i], KIND_NAMES[k], strlen(KIND_NAMES[k])) != 0)
            k++;
        firn_buf_printf(
            &out,
            "[{\"@type\":\"sourceDescription\",\"sourceDescription\":{\"name\":\"%s\","
            "\"windowType\":null,\"topic\":\"%s\",\"partitions\":%d,\"keyFormat\":\"KAFKA\","
            "\"valueFormat\":\"JSON\",\"statement\":\"\",\"fields\":[",
            SOURCES[i], SOURCES[i], PARTITIONS);
        put_fields(&out, SCHEMAS[k]);
        firn_buf_puts(&out, "]}}]");
        answer_json(fd, 200, firn_buf_cstr(&out));
        return;
    }
    answer_json(fd, 400, "{\"error_code\":40001,\"message\":\"no such source\"}");
}

static void answer_post(int fd, const char *path, const char *body)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    json_t *json;
    query q;
    if (firn_json_parse(arena, firn_bytes_str(body), "request", &json, NULL) != FIRN_OK) {
        answer_json(fd, 400, "{\"error_code\":40000,\"message\":\"no JSON\"}");
        return;
    }
    const char *sql = json_string_value(json_object_get(json, "sql"));
    sql = sql ? sql : json_string_value(json_object_get(json, "ksql"));
    sql = sql ? sql : "";
    if (firn_streq(path, "/ksql") && strcasestr(sql, "LIST "))
        list(fd, strcasestr(sql, "TABLES") != NULL);
    else if (firn_streq(path, "/ksql"))
        describe(fd, sql);
    else if (firn_starts_with(path, "/query") && parse_query(sql, &q))
        answer_query(fd, &q);
    else if (firn_streq(path, "/bytes") && parse_query(sql, &q))
        answer_json(fd, 200, firn_arena_printf(arena, "%zu", answer_bytes(&q)));
    else
        answer_json(fd, 400, "{\"error_code\":40001,\"message\":\"not understood\"}");
}

/* ---- connections -------------------------------------------------------------------------------- */

static bool read_request(int fd, firn_buf *in, size_t *head)
{
    for (;;) {
        char piece[8192];
        const char *text = firn_buf_cstr(in), *end = strstr(text, "\r\n\r\n");
        if (end) {
            const char *length = strcasestr(text, "\r\nContent-Length:");
            *head = (size_t)(end - text) + 4;
            if (in->len >= *head + (length && length < end ? strtoul(length + 17, NULL, 10) : 0))
                return true;
        }
        ssize_t n = recv(fd, piece, sizeof piece, 0);
        if (n <= 0)
            return false;
        firn_buf_append(in, piece, (size_t)n);
    }
}

static void *serve(void *ctx)
{
    int fd = (int)(intptr_t)ctx, yes = 1;
    FIRN_AUTO_BUF firn_buf in = {0};
    size_t head;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (read_request(fd, &in, &head)) {
        char method[8] = "", path[64] = "";
        const char *text = firn_buf_cstr(&in);
        if (sscanf(text, "%7s %63s", method, path) != 2)
            method[0] = '\0';
        if (firn_streq(method, "POST"))
            answer_post(fd, path, text + head);
        else
            answer_json(fd, 200,
                        "{\"KsqlServerInfo\":{\"version\":\"0.29.0\",\"kafkaClusterId\":\"bench\","
                        "\"ksqlServiceId\":\"default_\",\"serverStatus\":\"RUNNING\"}}");
    }
    shutdown(fd, SHUT_WR);
    char rest[64];
    while (recv(fd, rest, sizeof rest, 0) > 0)
        ;
    close(fd);
    return NULL;
}

static void *accept_all(void *ctx)
{
    int listener = *(int *)ctx;
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        pthread_t thread;
        if (fd < 0)
            return NULL;
        if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) != 0)
            close(fd);
        else
            pthread_detach(thread);
    }
}

int main(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    pthread_t acceptor;
    for (int k = 0; k < KINDS; k++) {
        for (int leading = 0; leading < 2; leading++)
            blocks[k][leading] = make_block((kind)k, leading);
    }
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, 16) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &len) != 0) {
        perror("ksqldb_load");
        return 1;
    }
    pthread_create(&acceptor, NULL, accept_all, &listener);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    while (getchar() != EOF)
        ;
    return 0;
}
