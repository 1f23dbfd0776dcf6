/* The whole server on sockets: many clients at once, https, a catalog that dies, and stopping amid requests. */
#include "serving.h"

#include "base/time.h"

#include <curl/curl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>

enum { WRITERS = 8, COMMITS = 10 };

typedef struct site {
    serving s;
    firn_server *server; /* with sockets, beside s.server */
    const char *url;
} site;

static void listen_to(site *t)
{
    firn_err err = {0};
    firn_serve_options options = {.lake = t->s.lake, .listen = "127.0.0.1:0"};
    if (firn_serve_start(&options, &t->server, &err) != FIRN_OK) {
        print_error("%s\n", err.message);
        fail();
    }
    t->url = firn_serve_url(t->server);
}

static int setup(void **state)
{
    site *t = calloc(1, sizeof(*t));
    serving_start(&t->s, NULL);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    site *t = *state;
    firn_serve_stop(t->server, 5000);
    serving_end(&t->s);
    free(t);
    return 0;
}

static size_t take(char *data, size_t size, size_t n, void *ctx)
{
    firn_buf_append(ctx, data, size * n);
    return size * n;
}

/* One request of a client of its own; 0 when nothing came back. */
static long send_to(const char *url, const char *body, const char *ca, firn_buf *answer)
{
    CURL *curl = curl_easy_init();
    long status = 0;
    struct curl_blob blob = {.data = (void *)(uintptr_t)ca, .len = ca ? strlen(ca) : 0};
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "gzip");
    if (body) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    }
    if (ca) {
        curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &blob);
    }
    if (curl_easy_perform(curl) == CURLE_OK) {
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    }
    curl_easy_cleanup(curl);
    return status;
}

static long get(site *t, const char *path)
{
    FIRN_AUTO_BUF firn_buf answer = {0};
    return send_to(firn_arena_printf(t->s.arena, "%s%s", t->url, path), NULL, NULL, &answer);
}

static void make_table(site *t)
{
    expect(&t->s, 200, "POST", "/v1/main/namespaces", "{\"namespace\": [\"db\"]}");
    expect(
        &t->s, 200, "POST", "/v1/main/namespaces/db/tables",
        "{\"name\": \"t\", \"schema\": {\"type\": \"struct\", \"fields\": [{\"id\": 1, \"name\": "
        "\"id\", \"type\": \"long\", \"required\": true}]}}");
}

typedef struct writer {
    const site *t;
    int number;
    bool committed[COMMITS]; /* was answered 200 */
    int n_loaded;
} writer;

static void *write_properties(void *ctx)
{
    writer *w = ctx;
    for (int i = 0; i < COMMITS; i++) {
        FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
        FIRN_AUTO_BUF firn_buf answer = {0};
        const char *body = firn_arena_printf(
            arena,
            "{\"requirements\": [], \"updates\": [{\"action\": \"set-properties\", "
            "\"updates\": {\"w%d.%d\": \"x\"}}]}",
            w->number, i);
        const char *url =
            firn_arena_printf(arena, "%s/iceberg/v1/main/namespaces/db/tables/t", w->t->url);
        w->committed[i] = send_to(url, body, NULL, &answer) == 200;
        firn_buf_clear(&answer);
        w->n_loaded += send_to(url, NULL, NULL, &answer) == 200;
    }
    return NULL;
}

/* What was answered is in the table; how many commits were. */
static int check_committed(site *t, const writer *writers)
{
    int n = 0;
    expect(&t->s, 200, "GET", "/v1/main/namespaces/db/tables/t", NULL);
    const json_t *properties =
        json_object_get(json_object_get(t->s.json, "metadata"), "properties");
    for (int i = 0; i < WRITERS; i++) {
        for (int k = 0; k < COMMITS; k++) {
            if (writers[i].committed[k]) {
                assert_non_null(
                    json_object_get(properties, firn_arena_printf(t->s.arena, "w%d.%d", i, k)));
                n++;
            }
        }
    }
    return n;
}

static void start_writers(const site *t, writer *writers, pthread_t *threads)
{
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (writer){.t = t, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, write_properties, &writers[i]), 0);
    }
}

static void test_many_writers_of_one_table_all_succeed(void **state)
{
    site *t = *state;
    pthread_t threads[WRITERS];
    writer writers[WRITERS];
    make_table(t);
    listen_to(t);
    start_writers(t, writers, threads);
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(writers[i].n_loaded, COMMITS);
    }
    assert_int_equal(check_committed(t, writers), WRITERS * COMMITS);
}

static void test_stopping_amid_requests_loses_nothing_that_was_answered(void **state)
{
    site *t = *state;
    pthread_t threads[WRITERS];
    writer writers[WRITERS];
    make_table(t);
    listen_to(t);
    t->url = firn_arena_strdup(t->s.arena, t->url); /* the server's own ends with it */
    start_writers(t, writers, threads);
    firn_sleep_ms(100);
    firn_server *server = t->server;
    t->server = NULL;
    firn_serve_stop(server, 5000);
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
    }
    check_committed(t, writers);
}

static void test_health_tells_of_a_dead_catalog(void **state)
{
    site *t = *state;
    listen_to(t);
    assert_int_equal(get(t, "/health"), 200);
    /* SQLite would go on with a file that has no name any more. */
    const char *file = firn_path_join(t->s.arena, t->s.dir, ".firn/catalog.db");
    const char *moved = firn_path_join(t->s.arena, t->s.dir, "moved.db");
    assert_int_equal(rename(file, moved), 0);
    assert_int_equal(get(t, "/health"), 503);
    assert_int_equal(rename(moved, file), 0);
    assert_int_equal(get(t, "/health"), 200);
}

/* ---- https ------------------------------------------------------------------------------------------------- */

static void write_certificate(const char *cert_path, const char *key_path)
{
    EVP_PKEY *pair = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    X509_set_pubkey(x, pair);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               (const unsigned char *)"firn", -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");
    X509_add_ext(x, names, -1);
    X509_EXTENSION_free(names);
    assert_true(X509_sign(x, pair, EVP_sha256()) > 0);
    FILE *cert = fopen(cert_path, "w"), *key = fopen(key_path, "w");
    assert_true(cert && key);
    PEM_write_X509(cert, x);
    PEM_write_PrivateKey(key, pair, NULL, NULL, 0, NULL, NULL);
    fclose(cert);
    fclose(key);
    X509_free(x);
    EVP_PKEY_free(pair);
}

static void test_https_by_firn_yaml(void **state)
{
    site *t = *state;
    firn_err err = {0};
    serving_end(&t->s);
    serving_start(&t->s, "serve:\n  tls_cert: cert.pem\n  tls_key: key.pem\n");
    firn_serve_options options = {.lake = t->s.lake, .listen = "127.0.0.1:0"};
    assert_int_equal(firn_serve_start(&options, &t->server, &err), FIRN_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "serve.tls_cert"));
    const char *cert = firn_path_join(t->s.arena, t->s.dir, "cert.pem");
    write_certificate(cert, firn_path_join(t->s.arena, t->s.dir, "key.pem"));
    listen_to(t);
    assert_true(firn_starts_with(t->url, "https://127.0.0.1:"));
    firn_bytes ca;
    FIRN_AUTO_BUF firn_buf answer = {0};
    assert_int_equal(firn_file_read(t->s.arena, cert, 65536, &ca, &err), FIRN_OK);
    assert_int_equal(send_to(firn_arena_printf(t->s.arena, "%s/iceberg/v1/config", t->url), NULL,
                             (const char *)ca.data, &answer),
                     200);
    assert_non_null(strstr(firn_buf_cstr(&answer), "\"prefix\":\"main\""));
    assert_int_equal(get(t, "/health"), 0); /* who does not trust the certificate gets nothing */
}

int main(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_many_writers_of_one_table_all_succeed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_stopping_amid_requests_loses_nothing_that_was_answered,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_health_tells_of_a_dead_catalog, setup, teardown),
        cmocka_unit_test_setup_teardown(test_https_by_firn_yaml, setup, teardown),
    };
    return cmocka_run_group_tests_name("server", tests, NULL, NULL);
}
