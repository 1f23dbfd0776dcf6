/* A lake in a folder of its own, the server on it without sockets, and short words for requests. */
#ifndef TESTS_SERVE_SERVING_H
#define TESTS_SERVE_SERVING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "call.h"

#include "base/io.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SERVING_HEADERS_MAX = 8 };

typedef struct serving {
    firn_arena *arena;
    char *dir;
    firn_lake *lake;
    firn_server *server;
    firn_http_header headers[SERVING_HEADERS_MAX]; /* of the requests that follow */
    size_t n_headers;
    /* the last answer */
    int status;
    json_t *json; /* NULL: no body, or none that is JSON */
    firn_http_response response;
} serving;

static inline int serving_unlink(const char *path, const struct stat *info, int kind,
                                 struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

/* `config` is what firn.yaml holds beside the name; NULL: what a new lake has. */
static inline void serving_start(serving *s, const char *config)
{
    firn_err err = {0};
    memset(s, 0, sizeof(*s));
    s->arena = firn_arena_new();
    const char *tmp = getenv("TMPDIR");
    s->dir = firn_arena_printf(s->arena, "%s/firn-serve-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(s->dir));
    assert_int_equal(firn_lake_init(s->dir, "shop", &err), FIRN_OK);
    if (config) {
        FILE *file = fopen(firn_path_join(s->arena, s->dir, "firn.yaml"), "w");
        assert_non_null(file);
        fprintf(file, "lake: {name: shop}\n%s", config);
        fclose(file);
    }
    assert_int_equal(firn_lake_open(s->dir, &s->lake, &err), FIRN_OK);
    firn_serve_options options = {.lake = s->lake};
    if (firn_serve_new(&options, &s->server, &err) != FIRN_OK) {
        print_error("%s\n", err.message);
        fail();
    }
}

static inline void serving_end(serving *s)
{
    firn_serve_stop(s->server, 0);
    firn_lake_close(s->lake);
    nftw(s->dir, serving_unlink, 16, FTW_DEPTH | FTW_PHYS);
    firn_arena_free(s->arena);
}

static inline void send_header(serving *s, const char *name, const char *value)
{
    assert_true(s->n_headers < SERVING_HEADERS_MAX);
    s->headers[s->n_headers++] = (firn_http_header){name, value};
}

/* Sends a request; gives its status, and leaves the answer in `s`. `target` is path and query as on the wire. */
static inline int request(serving *s, const char *method, const char *target, const char *body)
{
    size_t path = strcspn(target, "?");
    firn_http_request in = {
        .arena = s->arena,
        .method = method,
        .path = firn_arena_strndup(s->arena, target, path),
        .query = target[path] ? target + path + 1 : NULL,
        .headers = s->headers,
        .n_headers = s->n_headers,
        .body = body ? firn_bytes_str(body) : (firn_bytes){0},
        .peer = "127.0.0.1:1",
    };
    s->response = (firn_http_response){.status = 200};
    firn_serve_request(s->server, &in, &s->response);
    s->status = s->response.status;
    s->json = NULL;
    if (s->response.body.len > 0) {
        firn_err err = {0};
        assert_int_equal(firn_json_parse(s->arena, s->response.body, "answer", &s->json, &err),
                         FIRN_OK);
    }
    return s->status;
}

/* As `request`, and it must be answered so. */
#define expect(s, wanted, method, target, content)                                           \
    do {                                                                                     \
        int expect_status = request((s), (method), (target), (content));                     \
        if (expect_status != (wanted)) {                                                     \
            print_error("%s %s: %d %.*s\n", (method), (target), expect_status,               \
                        (int)(s)->response.body.len, (const char *)(s)->response.body.data); \
        }                                                                                    \
        assert_int_equal(expect_status, (wanted));                                           \
    } while (0)

/* The answer must be this JSON (members in any order). */
#define expect_json(s, text)                                                      \
    do {                                                                          \
        json_t *expect_wanted =                                                   \
            firn_json_own((s)->arena, json_loads((text), JSON_DECODE_ANY, NULL)); \
        assert_non_null(expect_wanted);                                           \
        if (!json_equal((s)->json, expect_wanted)) {                              \
            print_error("answer: %s\n", firn_json_text((s)->arena, (s)->json));   \
        }                                                                         \
        assert_true(json_equal((s)->json, expect_wanted));                        \
    } while (0)

/* The answer must be an error of this type, whose code agrees with the status. */
#define expect_error(s, wanted_type)                                                             \
    do {                                                                                         \
        const json_t *expect_body = json_object_get((s)->json, "error");                         \
        assert_non_null(expect_body);                                                            \
        assert_string_equal(json_string_value(json_object_get(expect_body, "type")),             \
                            (wanted_type));                                                      \
        assert_int_equal(json_integer_value(json_object_get(expect_body, "code")), (s)->status); \
        assert_non_null(json_string_value(json_object_get(expect_body, "message")));             \
    } while (0)

static inline const char *answer_header(const serving *s, const char *name)
{
    for (size_t i = 0; i < s->response.headers.len; i++) {
        if (firn_strcaseeq(s->response.headers.items[i].name, name)) {
            return s->response.headers.items[i].value;
        }
    }
    return NULL;
}

#endif
