/* A ksqlDB server inside the test: streams and tables held in memory, push and pull queries of the few forms that an export asks for, and
 * faults. Facts about the real one: docs/internals/source.md; the larger double in Python is held to them.
 *
 *     ksql_server *server = ksql_begin();
 *     ksql_source *s = ksql_stream(server, "PAYMENTS", "`ID` BIGINT, `NAME` STRING", 2);
 *     ksql_add(server, s, 0, 1736935200000, "1, \"a\"");
 *     ... server->url ...
 *     ksql_end(server);
 */
#ifndef TESTS_EXPORT_KSQL_SERVER_H
#define TESTS_EXPORT_KSQL_SERVER_H

#include "base/buf.h"
#include "base/vec.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { KSQL_SOURCES_MAX = 16, KSQL_CONNECTIONS_MAX = 4096, KSQL_PARTITIONS_MAX = 8 };

typedef struct ksql_row {
    int partition;
    int64_t offset, time;
    char *values; /* as in a JSON array */
    bool tombstone;
} ksql_row;

typedef struct ksql_source {
    const char *name, *columns;
    bool is_table, no_pull;
    int partitions, keys;
    int64_t next[KSQL_PARTITIONS_MAX];
    ksql_row *rows;
    size_t n_rows, cap;
} ksql_source;

typedef struct ksql_server {
    int listener;
    char url[64];
    pthread_t acceptor;
    pthread_mutex_t lock;
    /* @locks lock */
    ksql_source sources[KSQL_SOURCES_MAX];
    size_t n_sources;
    int cut_after, error_after; /* rows of the next query; -1: not */
    int cut_wait_ms;            /* from the last row to the cut */
    bool silent;                /* push queries show nothing */
    const char *cluster;
    char last_sql[8192];
    int n_queries;
    bool ending;
    pthread_t threads[KSQL_CONNECTIONS_MAX];
    int sockets[KSQL_CONNECTIONS_MAX];
    size_t n_connections;
} ksql_server;

/* ---- what it holds ------------------------------------------------------------------------------------------------- */

static inline ksql_source *ksql_source_new(ksql_server *s, const char *name, const char *columns,
                                           bool is_table, int partitions, int keys)
{
    pthread_mutex_lock(&s->lock);
    ksql_source *out = &s->sources[s->n_sources++];
    *out = (ksql_source){.name = name,
                         .columns = columns,
                         .is_table = is_table,
                         .partitions = partitions,
                         .keys = keys};
    pthread_mutex_unlock(&s->lock);
    return out;
}

static inline ksql_source *ksql_stream(ksql_server *s, const char *name, const char *columns,
                                       int partitions)
{
    return ksql_source_new(s, name, columns, false, partitions, 0);
}

/* The first `keys` columns are the key. */
static inline ksql_source *ksql_table(ksql_server *s, const char *name, const char *columns,
                                      int keys)
{
    return ksql_source_new(s, name, columns, true, 1, keys);
}

static inline void ksql_put(ksql_server *s, ksql_source *source, int partition, int64_t time,
                            bool tombstone, const char *values)
{
    pthread_mutex_lock(&s->lock);
    if (source->n_rows == source->cap) {
        source->cap = source->cap == 0 ? 64 : source->cap * 2;
        source->rows = realloc(source->rows, source->cap * sizeof(ksql_row));
    }
    source->rows[source->n_rows++] = (ksql_row){.partition = partition,
                                                .offset = source->next[partition]++,
                                                .time = time,
                                                .values = strdup(values),
                                                .tombstone = tombstone};
    pthread_mutex_unlock(&s->lock);
}

static inline void ksql_add(ksql_server *s, ksql_source *source, int partition, int64_t time,
                            const char *values)
{
    ksql_put(s, source, partition, time, false, values);
}

/* Rows below `offset` of the partition are gone, as after the topic's retention. */
static inline void ksql_forget(ksql_server *s, ksql_source *source, int partition, int64_t offset)
{
    pthread_mutex_lock(&s->lock);
    size_t kept = 0;
    for (size_t i = 0; i < source->n_rows; i++) {
        if (source->rows[i].partition == partition && source->rows[i].offset < offset) {
            free(source->rows[i].values);
        } else {
            source->rows[kept++] = source->rows[i];
        }
    }
    source->n_rows = kept;
    pthread_mutex_unlock(&s->lock);
}

/* Dropped and made anew: offsets begin at 0 again. */
static inline void ksql_recreate(ksql_server *s, ksql_source *source, const char *columns)
{
    for (int i = 0; i < source->partitions; i++) {
        ksql_forget(s, source, i, INT64_MAX);
        source->next[i] = 0;
    }
    source->columns = columns;
}

/* ---- HTTP ---------------------------------------------------------------------------------------------------------- */

static inline bool ksql_send(int fd, const void *data, size_t len)
{
    const char *at = data;
    while (len > 0) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        if (n <= 0) {
            return false;
        }
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static inline bool ksql_reply(int fd, int status, const char *body)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    firn_buf_printf(&out,
                    "HTTP/1.1 %d X\r\nContent-Type: application/vnd.ksql.v1+json\r\n"
                    "Content-Length: %zu\r\n\r\n%s",
                    status, strlen(body), body);
    return ksql_send(fd, out.data, out.len);
}

static inline bool ksql_chunk(int fd, const firn_buf *data)
{
    char head[32];
    int n = snprintf(head, sizeof(head), "%zx\r\n", data->len);
    return ksql_send(fd, head, (size_t)n) && ksql_send(fd, data->data, data->len) &&
           ksql_send(fd, "\r\n", 2);
}

static inline ksql_source *ksql_find(ksql_server *s, const char *sql)
{
    for (size_t i = 0; i < s->n_sources; i++) {
        char quoted[128];
        snprintf(quoted, sizeof(quoted), "`%s`", s->sources[i].name);
        size_t len = strlen(s->sources[i].name);
        const char *plain = strcasestr(sql, s->sources[i].name);
        bool ends = plain != NULL && (plain[len] == ';' || plain[len] == ' ' || plain[len] == '"' ||
                                      plain[len] == '\0' || plain[len] == '`');
        if (strstr(sql, quoted) != NULL || ends) {
            return &s->sources[i];
        }
    }
    return NULL;
}

/* ---- DESCRIBE ------------------------------------------------------------------------------------------------------ */

static inline void ksql_field(firn_buf *out, const char *name, size_t name_len, const char *type,
                              size_t type_len, bool key)
{
    firn_buf_printf(out, "{\"name\":\"%.*s\",\"schema\":", (int)name_len, name);
    if (strncmp(type, "DECIMAL", 7) == 0) {
        int precision = 0, scale = 0;
        sscanf(type, "DECIMAL(%d, %d)", &precision, &scale);
        firn_buf_printf(out,
                        "{\"type\":\"DECIMAL\",\"fields\":null,\"memberSchema\":null,"
                        "\"parameters\":{\"precision\":%d,\"scale\":%d}}",
                        precision, scale);
    } else {
        firn_buf_printf(out, "{\"type\":\"%.*s\",\"fields\":null,\"memberSchema\":null}",
                        (int)type_len, type);
    }
    firn_buf_printf(out, "%s}", key ? ",\"type\":\"KEY\"" : "");
}

static inline void ksql_fields(firn_buf *out, const ksql_source *source)
{
    const char *at = source->columns;
    for (int i = 0; at != NULL && *at == '`'; i++) {
        const char *end = strchr(at + 1, '`');
        const char *type = end + 2;
        const char *next = strstr(type, ", `");
        size_t type_len = next != NULL ? (size_t)(next - type) : strlen(type);
        firn_buf_puts(out, i > 0 ? "," : "");
        ksql_field(out, at + 1, (size_t)(end - at - 1), type, type_len, i < source->keys);
        at = next != NULL ? next + 2 : NULL;
    }
}

static inline bool ksql_describe(ksql_server *s, int fd, const char *body)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    pthread_mutex_lock(&s->lock);
    const ksql_source *source = ksql_find(s, body);
    if (strcasestr(body, "LIST ") != NULL || strcasestr(body, "SHOW ") != NULL) {
        bool tables = strcasestr(body, "TABLES") != NULL;
        firn_buf_printf(&out, "[{\"@type\":\"%s\",\"statementText\":\"\",\"%s\":[",
                        tables ? "tables" : "streams", tables ? "tables" : "streams");
        bool any = false;
        for (size_t i = 0; i < s->n_sources; i++) {
            const ksql_source *at = &s->sources[i];
            if (at->is_table == tables) {
                firn_buf_printf(
                    &out,
                    "%s{\"type\":\"%s\",\"name\":\"%s\",\"topic\":\"t_%s\",\"keyFormat\":"
                    "\"KAFKA\",\"valueFormat\":\"JSON\",\"isWindowed\":false}",
                    any ? "," : "", tables ? "TABLE" : "STREAM", at->name, at->name);
                any = true;
            }
        }
        firn_buf_puts(&out, "],\"warnings\":[]}]");
    } else if (source != NULL) {
        firn_buf_printf(&out,
                        "[{\"@type\":\"sourceDescription\",\"statementText\":\"DESCRIBE\","
                        "\"sourceDescription\":{\"name\":\"%s\",\"windowType\":null,"
                        "\"readQueries\":[],\"writeQueries\":[],\"fields\":[",
                        source->name);
        ksql_fields(&out, source);
        firn_buf_printf(&out,
                        "],\"type\":\"%s\",\"timestamp\":\"\",\"statistics\":\"\",\"errorStats\":"
                        "\"\",\"extended\":false,\"keyFormat\":\"KAFKA\",\"valueFormat\":\"JSON\","
                        "\"topic\":\"t_%s\",\"partitions\":%d,\"replication\":1,\"statement\":"
                        "\"\"},\"warnings\":[]}]",
                        source->is_table ? "TABLE" : "STREAM", source->name, source->partitions);
    }
    pthread_mutex_unlock(&s->lock);
    if (out.len == 0) {
        return ksql_reply(fd, 400,
                          "{\"@type\":\"statement_error\",\"error_code\":40001,\"message\":\"Could "
                          "not find STREAM/TABLE in the Metastore\",\"statementText\":\"\","
                          "\"entities\":[]}");
    }
    return ksql_reply(fd, 200, firn_buf_cstr(&out));
}

/* ---- queries ------------------------------------------------------------------------------------------------------- */

static inline bool ksql_wants(const char *sql, const ksql_row *row)
{
    for (const char *at = sql; (at = strstr(at, "(ROWPARTITION = ")) != NULL; at++) {
        int partition = 0;
        long long from = 0;
        if (sscanf(at, "(ROWPARTITION = %d AND ROWOFFSET >= %lld", &partition, &from) == 2 &&
            partition == row->partition) {
            return row->offset >= from;
        }
    }
    return true;
}

static inline void ksql_put_row(firn_buf *out, const ksql_row *row, bool leading)
{
    firn_buf_puts(out, ",\n{\"row\":{\"columns\":[");
    if (leading) {
        firn_buf_printf(out, "%d, %lld, %lld, ", row->partition, (long long)row->offset,
                        (long long)row->time);
    }
    firn_buf_printf(out, "%s]%s}}", row->values, row->tombstone ? ",\"tombstone\":true" : "");
}

/* Until the client goes. */
static inline void ksql_hold(ksql_server *s, int fd)
{
    for (bool ending = false; !ending;) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        char byte;
        if (poll(&wait, 1, 20) > 0 && recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0) {
            return;
        }
        pthread_mutex_lock(&s->lock);
        ending = s->ending;
        pthread_mutex_unlock(&s->lock);
    }
}

/* The rows of a query as of now, with the answer's head and end; *cut: the connection is to be closed after it. */
static inline void ksql_answer(ksql_server *s, const ksql_source *source, const char *sql,
                               firn_buf *out, bool *cut)
{
    bool push = strstr(sql, "EMIT CHANGES") != NULL;
    bool leading = strstr(sql, "ROWPARTITION AS") != NULL;
    bool materialised = !push && source->is_table;
    int n = 0;
    firn_buf_printf(out, "[{\"header\":{\"queryId\":\"q%d\",\"schema\":\"%s%s\"}}", s->n_queries,
                    leading ? "`__FIRN_PARTITION` INTEGER, `__FIRN_OFFSET` BIGINT, `__FIRN_TIME` "
                              "BIGINT, "
                            : "",
                    source->columns);
    for (size_t i = 0; i < source->n_rows && !(push && s->silent); i++) {
        const ksql_row *row = &source->rows[i];
        if ((materialised && row->tombstone) || !ksql_wants(sql, row)) {
            continue;
        }
        if (s->cut_after >= 0 && n == s->cut_after) {
            firn_buf_puts(out, ",\n{\"row\":{\"colu");
            *cut = true;
            break;
        }
        if (s->error_after >= 0 && n == s->error_after) {
            firn_buf_puts(out, ",\n{\"errorMessage\":{\"@type\":\"generic_error\",\"error_code\":"
                               "50000,\"message\":\"the disk burns\"}}]");
            *cut = true;
            break;
        }
        ksql_put_row(out, row, leading);
        n++;
    }
    if (!push && !*cut) {
        firn_buf_puts(out, "]");
    }
    s->cut_after = -1;
    s->error_after = -1;
}

/* false: the connection ends. */
static inline bool ksql_query(ksql_server *s, int fd, const char *sql)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    bool cut = false, refused = false;
    bool push = strstr(sql, "EMIT CHANGES") != NULL;
    pthread_mutex_lock(&s->lock);
    const ksql_source *source = ksql_find(s, sql);
    snprintf(s->last_sql, sizeof(s->last_sql), "%s", sql);
    s->n_queries++;
    refused = source == NULL || (!push && source->no_pull);
    if (!refused) {
        ksql_answer(s, source, sql, &out, &cut);
    }
    pthread_mutex_unlock(&s->lock);
    if (refused) {
        return ksql_reply(fd, 400,
                          "{\"@type\":\"statement_error\",\"error_code\":40001,\"message\":\"the "
                          "source is not queryable\",\"statementText\":\"\",\"entities\":[]}");
    }
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.ksql.v1+json\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n";
    if (!ksql_send(fd, head, sizeof(head) - 1) || !ksql_chunk(fd, &out)) {
        return false;
    }
    if (cut) {
        poll(NULL, 0, s->cut_wait_ms);
        return false;
    }
    if (push) {
        ksql_hold(s, fd);
        return false;
    }
    return ksql_send(fd, "0\r\n\r\n", 5);
}

/* The value of "sql" or "ksql" in the body, escapes undone as far as exports use any. */
static inline void ksql_statement(const char *body, char *out, size_t size)
{
    const char *at = strstr(body, "sql\":");
    size_t n = 0;
    at = at != NULL ? strchr(at + 5, '"') : NULL;
    for (at = at != NULL ? at + 1 : ""; *at != '"' && *at != '\0' && n + 1 < size; at++) {
        at += *at == '\\' && at[1] != '\0';
        out[n++] = *at;
    }
    out[n] = '\0';
}

static inline bool ksql_handle(ksql_server *s, int fd, const char *head, const char *body)
{
    char sql[8192];
    ksql_statement(body, sql, sizeof(sql));
    if (strncmp(head, "GET /info", 9) == 0) {
        char info[256];
        snprintf(info, sizeof(info),
                 "{\"KsqlServerInfo\":{\"version\":\"7.6.0\",\"kafkaClusterId\":\"%s\","
                 "\"ksqlServiceId\":\"default_\",\"serverStatus\":\"RUNNING\"}}",
                 s->cluster);
        return ksql_reply(fd, 200, info);
    }
    if (strncmp(head, "POST /ksql", 10) == 0) {
        return ksql_describe(s, fd, sql);
    }
    if (strncmp(head, "POST /query", 11) == 0) {
        return ksql_query(s, fd, sql);
    }
    if (strncmp(head, "POST /close-query", 17) == 0) {
        return ksql_reply(fd, 200, "");
    }
    return ksql_reply(fd, 404, "{}");
}

typedef struct ksql_connection {
    ksql_server *server;
    int fd;
} ksql_connection;

static inline void *ksql_serve(void *ctx)
{
    ksql_connection c = *(ksql_connection *)ctx;
    FIRN_AUTO_BUF firn_buf in = {0};
    free(ctx);
    for (bool more = true; more;) {
        char piece[8192];
        ssize_t n = recv(c.fd, piece, sizeof(piece), 0);
        if (n <= 0) {
            break;
        }
        firn_buf_append(&in, piece, (size_t)n);
        const char *text = firn_buf_cstr(&in);
        const char *end = strstr(text, "\r\n\r\n");
        const char *length = strcasestr(text, "\r\nContent-Length:");
        size_t want = length != NULL && length < end ? strtoul(length + 17, NULL, 10) : 0;
        if (end == NULL || in.len < (size_t)(end + 4 - text) + want) {
            continue;
        }
        if (strcasestr(text, "\r\nExpect: 100-continue") != NULL) {
            ksql_send(c.fd, "HTTP/1.1 100 Continue\r\n\r\n", 25);
        }
        more = ksql_handle(c.server, c.fd, text, end + 4);
        firn_buf_clear(&in);
    }
    shutdown(c.fd, SHUT_RDWR);
    return NULL;
}

static inline void *ksql_accept(void *ctx)
{
    ksql_server *s = ctx;
    for (;;) {
        int fd = accept(s->listener, NULL, NULL);
        if (fd < 0) {
            return NULL;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        ksql_connection *c = malloc(sizeof(*c));
        *c = (ksql_connection){.server = s, .fd = fd};
        if (s->n_connections == KSQL_CONNECTIONS_MAX) {
            abort();
        }
        s->sockets[s->n_connections] = fd;
        pthread_create(&s->threads[s->n_connections++], NULL, ksql_serve, c);
    }
}

static inline ksql_server *ksql_begin(void)
{
    ksql_server *s = calloc(1, sizeof(*s));
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    pthread_mutex_init(&s->lock, NULL);
    s->cut_after = -1;
    s->error_after = -1;
    s->cluster = "cluster-1";
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->listener < 0 || bind(s->listener, (struct sockaddr *)&at, sizeof(at)) != 0 ||
        listen(s->listener, 64) != 0 ||
        getsockname(s->listener, (struct sockaddr *)&at, &len) != 0) {
        perror("ksql_server");
        abort();
    }
    snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%d", ntohs(at.sin_port));
    pthread_create(&s->acceptor, NULL, ksql_accept, s);
    return s;
}

static inline void ksql_end(ksql_server *s)
{
    pthread_mutex_lock(&s->lock);
    s->ending = true;
    pthread_mutex_unlock(&s->lock);
    shutdown(s->listener, SHUT_RDWR);
    close(s->listener);
    pthread_join(s->acceptor, NULL);
    for (size_t i = 0; i < s->n_connections; i++) {
        shutdown(s->sockets[i], SHUT_RDWR);
        pthread_join(s->threads[i], NULL);
        close(s->sockets[i]);
    }
    for (size_t i = 0; i < s->n_sources; i++) {
        ksql_recreate(s, &s->sources[i], NULL);
        free(s->sources[i].rows);
    }
    pthread_mutex_destroy(&s->lock);
    free(s);
}

#endif
