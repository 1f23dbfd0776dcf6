/* A shelf for objects that answers as S3 does, as far as Nessie asks: PUT, GET, HEAD, DELETE of s3://bucket/key in path style,
 * and the POST that deletes many. /bucket/key is the file DIR/bucket/key. Signatures are not looked at, nothing is synced: it
 * is as quick an object store as a catalog could wish for. For `./run bench catalog` alone, on 127.0.0.1 alone.
 *
 *   s3_shelf DIR          prints its port
 */
#include "base/arena.h"
#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *shelf;

static void file_of(const char *url, char *out, size_t size)
{
    if (strstr(url, "/../"))
        url = "/refused";
    snprintf(out, size, "%s%s", shelf, url);
}

static void make_folders(char *path)
{
    for (char *slash = path + strlen(shelf) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(path, 0755);
        *slash = '/';
    }
}

static enum MHD_Result answer(struct MHD_Connection *c, unsigned status, const char *text)
{
    struct MHD_Response *r =
        MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_MUST_COPY);
    MHD_add_response_header(r, "Content-Type", "application/xml");
    enum MHD_Result rc = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    return rc;
}

static enum MHD_Result no_such_key(struct MHD_Connection *c)
{
    return answer(c, 404, "<Error><Code>NoSuchKey</Code><Message>no such key</Message></Error>");
}

/* aws-chunked: "<hex size>[;chunk-signature=...]\r\n<bytes>\r\n" ... "0...\r\n", in place; gives the new length. */
static size_t unchunk(uint8_t *data, size_t len)
{
    size_t in = 0, out = 0;
    while (in < len) {
        uint8_t *end = memchr(data + in, '\n', len - in);
        size_t n = strtoul((char *)data + in, NULL, 16);
        if (!end || n == 0)
            break;
        in = (size_t)(end - data) + 1;
        if (n > len - in)
            break;
        memmove(data + out, data + in, n);
        out += n;
        in += n + 2;
    }
    return out;
}

static enum MHD_Result put(struct MHD_Connection *c, const char *url, firn_buf *body)
{
    char path[4096], temporary[4200];
    const char *sha = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "x-amz-content-sha256");
    size_t len = body->len;
    if (sha && strncmp(sha, "STREAMING-", 10) == 0 && len > 0) {
        firn_buf_cstr(body);
        len = unchunk(body->data, len);
    }
    file_of(url, path, sizeof path);
    make_folders(path);
    snprintf(temporary, sizeof temporary, "%s.%p.tmp", path, (void *)body);
    FILE *file = fopen(temporary, "wb");
    if (!file || (len > 0 && fwrite(body->data, 1, len, file) != len) || fclose(file) != 0 ||
        rename(temporary, path) != 0)
        return answer(c, 500, "<Error><Code>InternalError</Code></Error>");
    return answer(c, 200, "");
}

static enum MHD_Result get(struct MHD_Connection *c, const char *url)
{
    char path[4096];
    struct stat info;
    file_of(url, path, sizeof path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        if (fd >= 0)
            close(fd);
        return no_such_key(c);
    }
    struct MHD_Response *r = MHD_create_response_from_fd((uint64_t)info.st_size, fd);
    MHD_add_response_header(r, "Last-Modified", "Sat, 01 Jan 2000 00:00:00 GMT");
    MHD_add_response_header(r, "Content-Type", "application/octet-stream");
    enum MHD_Result rc = MHD_queue_response(c, 200, r);
    MHD_destroy_response(r);
    return rc;
}

/* <Delete><Object><Key>...</Key></Object>...</Delete> */
static enum MHD_Result delete_many(struct MHD_Connection *c, const char *url, firn_buf *body)
{
    char name[4096], path[4096];
    for (const char *key = firn_buf_cstr(body); (key = strstr(key, "<Key>")); key += 5) {
        const char *end = strstr(key, "</Key>");
        if (!end)
            break;
        snprintf(name, sizeof name, "%s/%.*s", url, (int)(end - key - 5), key + 5);
        file_of(name, path, sizeof path);
        unlink(path);
    }
    return answer(c, 200, "<DeleteResult/>");
}

static enum MHD_Result respond(struct MHD_Connection *c, const char *url, const char *method,
                               firn_buf *body)
{
    char path[4096];
    if (strcmp(method, "PUT") == 0)
        return put(c, url, body);
    if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
        return get(c, url);
    if (strcmp(method, "POST") == 0)
        return delete_many(c, url, body);
    if (strcmp(method, "DELETE") == 0) {
        file_of(url, path, sizeof path);
        unlink(path);
        return answer(c, 204, "");
    }
    return answer(c, 501, "<Error><Code>NotImplemented</Code></Error>");
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **state)
{
    (void)ctx;
    (void)version;
    firn_buf *body = *state;
    if (!body) {
        *state = firn_calloc(1, sizeof(firn_buf));
        return MHD_YES;
    }
    if (*size > 0) {
        firn_buf_append(body, data, *size);
        *size = 0;
        return MHD_YES;
    }
    return respond(c, url, method, body);
}

static void on_end(void *ctx, struct MHD_Connection *c, void **state,
                   enum MHD_RequestTerminationCode why)
{
    (void)ctx;
    (void)c;
    (void)why;
    if (*state) {
        firn_buf_deinit(*state);
        free(*state);
        *state = NULL;
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: s3_shelf DIR\n");
        return 2;
    }
    shelf = argv[1];
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL, 0, NULL,
        NULL, on_request, NULL, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&here,
        MHD_OPTION_NOTIFY_COMPLETED, on_end, NULL, MHD_OPTION_END);
    if (!daemon) {
        fprintf(stderr, "s3_shelf: no port could be opened\n");
        return 1;
    }
    printf("port %d\n", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    for (;;)
        pause();
}
