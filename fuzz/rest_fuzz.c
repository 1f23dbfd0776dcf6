/* Requests of the HTTP API, against a small lake and without sockets: whatever method, path, headers and body say, the server
 * answers with a status of HTTP, an error in the protocol's shape, and no failure that it blames on itself.
 *
 * An input is up to 8 requests, parted by lines "==": a line "METHOD target", header lines, an empty line, the body. They are a
 * writer's, so that nothing outside of the lake's folder is written. Before each input the lake is put back to where it was: one
 * namespace, one table, one view, one branch.
 */
#include "call.h"

#include "base/io.h"
#include "base/log.h"

#include <assert.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { REQUESTS_MAX = 8, HEADERS_MAX = 16, INPUTS_PER_LAKE = 200, INPUT_BYTES_MAX = 64 << 10 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct world {
    firn_arena *arena;
    char *dir;
    firn_lake *lake;
    firn_server *server;
    const char *base; /* commit */
    int inputs;
} world;

static world w;

static void must(firn_rc rc, const firn_err *err)
{
    if (rc != FIRN_OK) {
        fprintf(stderr, "%s: %s\n", firn_rc_name(rc), err->message);
        abort();
    }
}

/* ---- one request -------------------------------------------------------------------------------------------- */

static bool is_error_body(firn_arena *arena, const firn_http_response *response)
{
    json_t *body;
    if (firn_json_parse(arena, response->body, "answer", &body, NULL) != FIRN_OK) {
        return false;
    }
    const json_t *error = json_object_get(body, "error");
    return json_is_string(error) || /* OAuth's form */
           (json_is_string(json_object_get(error, "message")) &&
            json_is_string(json_object_get(error, "type")) &&
            json_integer_value(json_object_get(error, "code")) == response->status);
}

static void check_answer(firn_arena *arena, const firn_http_request *request,
                         const firn_http_response *response)
{
    bool fine = response->status >= 200 && response->status < 600;
    /* 501 and 503 say something; 500 says that the server is broken, which a request must not bring about. */
    fine = fine && response->status != 500;
    if (response->status >= 400) {
        fine = fine && is_error_body(arena, response);
    }
    if (!fine) {
        fprintf(stderr, "%s %s?%s\n%.*s\n-> %d %.*s\n", request->method, request->path,
                request->query ? request->query : "", (int)request->body.len,
                (const char *)request->body.data, response->status, (int)response->body.len,
                (const char *)response->body.data);
        abort();
    }
}

static void send_request(firn_arena *arena, const char *method, const char *target,
                         const firn_http_header *headers, size_t n_headers, firn_bytes body)
{
    size_t path = strcspn(target, "?");
    firn_http_request request = {
        .arena = arena,
        .method = method,
        .path = firn_arena_strndup(arena, target, path),
        .query = target[path] ? target + path + 1 : NULL,
        .headers = headers,
        .n_headers = n_headers,
        .body = body,
        .peer = "127.0.0.1:1",
    };
    firn_http_response response = {.status = 200};
    firn_serve_request(w.server, &request, &response);
    check_answer(arena, &request, &response);
}

/* The next line without its end; *at moves behind it. */
static char *next_line(firn_arena *arena, const char **at, const char *end)
{
    const char *start = *at;
    const char *stop = memchr(start, '\n', (size_t)(end - start));
    stop = stop ? stop : end;
    *at = stop < end ? stop + 1 : end;
    return firn_arena_strndup(arena, start, (size_t)(stop - start));
}

static void run_request(const char *at, const char *end)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_http_header headers[HEADERS_MAX + 1] = {{"Authorization", "Bearer fuzzers-own-token"}};
    size_t n_headers = 1;
    char *method = next_line(arena, &at, end);
    char *space = strchr(method, ' ');
    const char *target = space ? space + 1 : "";
    if (space) {
        *space = '\0';
    }
    while (at < end) {
        char *line = next_line(arena, &at, end);
        char *colon = strchr(line, ':');
        if (!line[0]) {
            break;
        }
        if (colon && n_headers < HEADERS_MAX) {
            *colon = '\0';
            headers[n_headers++] = (firn_http_header){line, firn_str_trim(arena, colon + 1)};
        }
    }
    /* The NUL behind the body is the HTTP server's promise. */
    size_t len = (size_t)(end - at);
    char *body = firn_arena_zalloc(arena, len + 1);
    memcpy(body, at, len);
    send_request(arena, method, target, headers, n_headers, firn_bytes_of(body, len));
}

/* ---- the lake -------------------------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

static void close_world(void)
{
    if (!w.server) {
        return;
    }
    firn_serve_stop(w.server, 0);
    firn_lake_close(w.lake);
    nftw(w.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    firn_arena_free(w.arena);
    w = (world){0};
}

static void fill_world(void)
{
    static const char *const requests[] = {
        "POST /v1/main/namespaces\n\n{\"namespace\": [\"a\"]}",
        "POST /v1/main/namespaces/a/tables\n\n{\"name\": \"t\", \"schema\": {\"type\": \"struct\", "
        "\"fields\": [{\"id\": 1, \"name\": \"id\", \"type\": \"long\", \"required\": true}, "
        "{\"id\": 2, \"name\": \"at\", \"type\": \"timestamptz\", \"required\": false}]}}",
        "POST /v1/main/namespaces/a/views\n\n{\"name\": \"v\", \"schema\": {\"type\": \"struct\", "
        "\"fields\": [{\"id\": 1, \"name\": \"id\", \"type\": \"long\", \"required\": true}]}, "
        "\"view-version\": {\"version-id\": 1, \"timestamp-ms\": 1, \"schema-id\": 0, \"summary\": "
        "{}, \"representations\": [{\"type\": \"sql\", \"sql\": \"select 1\", \"dialect\": "
        "\"spark\"}], \"default-namespace\": [\"a\"]}, \"properties\": {}}",
    };
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        run_request(requests[i], requests[i] + strlen(requests[i]));
    }
}

static void open_world(void)
{
    firn_err err = {0};
    firn_ref main_ref;
    w.arena = firn_arena_new();
    const char *tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : getenv("TMPDIR");
    w.dir = firn_arena_printf(w.arena, "%s/firn-rest-fuzz-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(w.dir)) {
        abort();
    }
    must(firn_lake_init(w.dir, "fuzz", &err), &err);
    FILE *config = fopen(firn_path_join(w.arena, w.dir, "firn.yaml"), "w");
    assert(config);
    fputs("lake: {name: fuzz}\nserve:\n  auth: token\n  tokens:\n"
          "    - {name: fuzzer, token: fuzzers-own-token, role: writer}\n"
          "  clients:\n    - {id: c, secret: s, role: reader}\n",
          config);
    fclose(config);
    must(firn_lake_open(w.dir, &w.lake, &err), &err);
    firn_serve_options options = {.lake = w.lake};
    must(firn_serve_new(&options, &w.server, &err), &err);
    fill_world();
    must(firn_catalog_ref_get(firn_lake_catalog(w.lake), w.arena, "main", &main_ref, &err), &err);
    w.base = main_ref.commit_id;
}

/* main and dev at the base, and no other ref. */
static void put_back(void)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_catalog *catalog = firn_lake_catalog(w.lake);
    firn_err err = {0};
    firn_ref *refs;
    size_t n;
    must(firn_catalog_ref_list(catalog, arena, &refs, &n, &err), &err);
    for (size_t i = 0; i < n; i++) {
        if (!firn_streq(refs[i].name, "main")) {
            must(firn_catalog_ref_delete(catalog, refs[i].name, &err), &err);
        }
    }
    must(firn_catalog_ref_reset(catalog, arena, "main", w.base, NULL, NULL, &err), &err);
    must(firn_catalog_ref_create(catalog, "dev", false, "main", &err), &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > INPUT_BYTES_MAX) {
        return 0;
    }
    if (w.inputs++ % INPUTS_PER_LAKE == 0) {
        if (!w.server) {
            firn_log_set_level(FIRN_LOG_OFF);
            setenv("FIRN_FAKE_NOW", "2026-01-01T00:00:00Z", 1); /* snapshots carry times */
            atexit(close_world);
        }
        int inputs = w.inputs;
        close_world();
        open_world();
        w.inputs = inputs;
    }
    put_back();
    const char *at = (const char *)data, *end = at + size;
    for (int i = 0; i < REQUESTS_MAX && at < end; i++) {
        const char *stop = memmem(at, (size_t)(end - at), "\n==\n", 4);
        run_request(at, stop ? stop : end);
        at = stop ? stop + 4 : end;
    }
    return 0;
}
