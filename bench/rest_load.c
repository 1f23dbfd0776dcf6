/* A load of Iceberg REST clients, for `./run bench catalog` and `./run test load`: real snapshots with real manifests, made by
 * firn's own table library, sent by many writers at once over plain HTTP; and readers that load tables. It speaks the protocol
 * alone, so every server gets the same.
 *
 *   rest_load create --uri URI [--tables N] [--snapshots N]     make <namespace>.t0 ... and fill each with N snapshots
 *   rest_load append --uri URI [--tables N] [--writers W] [--appends K] [--retries R] [--data DIR] [--log FILE]
 *   rest_load read   --uri URI [--tables N] [--writers W] [--requests K]
 *
 * One line of JSON tells what happened. An append is one data file of one row: `w<writer>-<i>.parquet` of --data, or a name
 * alone. What the server acknowledged, and what it left open, is logged by --log, one "acknowledged <i>" a line, where the row's
 * id is <writer> * 1000000 + <i>. Without --retries a refused append is not tried again. After an answer that says neither yes
 * nor no (5xx, connection lost) the writer goes on with its next append; with --patience S it waits up to S seconds for the
 * server to come back.
 */
#include "iceberg/snapshot.h"

#include "base/thread.h"
#include "base/time.h"

#include <curl/curl.h>
#include <getopt.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ID_STRIDE = 1000000, REPLY_BYTES_MAX = 512 << 20, ALIASES_MAX = 4 };

typedef struct settings {
    const char *command, *uri, *warehouse, *ns, *data, *token, *log;
    int tables, writers, appends, requests, snapshots, retries, patience_s, format_version;
    bool merge_manifests;
    firn_storage_alias aliases[ALIASES_MAX];
    size_t n_aliases;
} settings;

typedef struct load {
    const settings *set;
    firn_storage *storage;
    char *prefix; /* "<uri>/v1" or "<uri>/v1/<prefix>" */
    FILE *log;
    pthread_mutex_t log_lock;
    atomic_int ready;
    atomic_bool go;
} load;

typedef struct writer {
    load *load;
    pthread_t thread;
    int index;
    CURL *http;
    struct curl_slist *headers;
    firn_arena *base_arena; /* of `base` */
    const firn_metadata *base;
    char table_url[1024];
    int done, refused, unknown, failed, attempts;
    size_t reply_bytes;  /* of the last loadTable */
    int64_t *latency_us; /* of the requests that succeeded */
    size_t n_latencies;
    char first_error[512];
} writer;

__attribute__((noreturn)) static void die(const char *what, const char *why)
{
    fprintf(stderr, "rest_load: %s: %s\n", what, why);
    exit(1);
}

/* ---- HTTP -------------------------------------------------------------------------------------- */

static size_t take_body(char *data, size_t size, size_t n, void *ctx)
{
    firn_buf *body = ctx;
    firn_buf_append(body, data, size * n);
    return body->overflow ? 0 : size * n;
}

static CURL *client_new(const settings *set, struct curl_slist **headers)
{
    CURL *http = curl_easy_init();
    *headers = curl_slist_append(NULL, "Content-Type: application/json");
    *headers = curl_slist_append(*headers, "Expect:");
    if (set->token) {
        char line[1024];
        snprintf(line, sizeof line, "Authorization: Bearer %s", set->token);
        *headers = curl_slist_append(*headers, line);
    }
    curl_easy_setopt(http, CURLOPT_HTTPHEADER, *headers);
    curl_easy_setopt(http, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(http, CURLOPT_TIMEOUT, 120L);
    curl_easy_setopt(http, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(http, CURLOPT_WRITEFUNCTION, take_body);
    return http;
}

/* The reply's status, 0 if there was none; `body` is emptied first. */
static long request(CURL *http, const char *method, const char *url, const char *json,
                    firn_buf *body)
{
    long status = 0;
    firn_buf_clear(body);
    curl_easy_setopt(http, CURLOPT_URL, url);
    curl_easy_setopt(http, CURLOPT_WRITEDATA, body);
    if (strcmp(method, "POST") == 0) {
        curl_easy_setopt(http, CURLOPT_POST, 1L);
        curl_easy_setopt(http, CURLOPT_POSTFIELDS, json);
        curl_easy_setopt(http, CURLOPT_POSTFIELDSIZE, (long)strlen(json));
    } else {
        curl_easy_setopt(http, CURLOPT_HTTPGET, 1L);
    }
    if (curl_easy_perform(http) != CURLE_OK)
        return 0;
    curl_easy_getinfo(http, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

/* The error's type and message of a reply, for people. */
static void describe(long status, firn_buf *body, char *out, size_t size)
{
    json_t *reply = json_loadb((const char *)body->data, body->len, 0, NULL);
    const json_t *error = json_object_get(reply, "error");
    const char *type = json_string_value(json_object_get(error, "type"));
    const char *message = json_string_value(json_object_get(error, "message"));
    if (status == 0)
        snprintf(out, size, "no answer");
    else
        snprintf(out, size, "%ld %s: %s", status, type ? type : "", message ? message : "");
    json_decref(reply);
}

static void must_be(long status, long wanted, long other, const char *what, firn_buf *body)
{
    char text[512];
    if (status == wanted || status == other)
        return;
    describe(status, body, text, sizeof text);
    die(what, text);
}

/* The base of the table paths, from /v1/config: its prefix is an override or a default. */
static char *find_prefix(const settings *set, CURL *http)
{
    FIRN_AUTO_BUF firn_buf body = {.max = REPLY_BYTES_MAX};
    char url[2048];
    char *out = NULL;
    char *warehouse = set->warehouse ? curl_easy_escape(http, set->warehouse, 0) : NULL;
    snprintf(url, sizeof url, "%s/v1/config%s%s", set->uri, warehouse ? "?warehouse=" : "",
             warehouse ? warehouse : "");
    must_be(request(http, "GET", url, NULL, &body), 200, 200, url, &body);
    json_t *config = json_loadb((const char *)body.data, body.len, 0, NULL);
    json_t *prefix = json_object_get(json_object_get(config, "overrides"), "prefix");
    if (!prefix)
        prefix = json_object_get(json_object_get(config, "defaults"), "prefix");
    if (json_is_string(prefix) && *json_string_value(prefix) != '\0') {
        /* Servers send it encoded, ready for a path. */
        if (asprintf(&out, "%s/v1/%s", set->uri, json_string_value(prefix)) < 0)
            abort();
    } else if (asprintf(&out, "%s/v1", set->uri) < 0) {
        abort();
    }
    curl_free(warehouse);
    json_decref(config);
    return out;
}

static void table_url(const load *l, int table, char *out, size_t size)
{
    snprintf(out, size, "%s/namespaces/%s/tables/t%d", l->prefix, l->set->ns, table);
}

/* ---- one append -------------------------------------------------------------------------------- */

/* Takes the metadata of a loadTable or commit reply as the writer's base. */
static void take_base(writer *w, firn_buf *body)
{
    firn_err err = {0};
    json_t *reply;
    firn_metadata *metadata = NULL;
    firn_arena *arena = firn_arena_new();
    if (firn_json_parse(arena, firn_buf_bytes(body), "reply", &reply, &err) != FIRN_OK ||
        firn_metadata_from_json(arena, json_object_get(reply, "metadata"), "metadata", &metadata,
                                &err) != FIRN_OK)
        die("the server's table metadata", err.message);
    firn_arena_free(w->base_arena);
    w->base_arena = arena;
    w->base = metadata;
}

/* The status: 200, or what went wrong. */
static long load_table(writer *w, firn_buf *body)
{
    long status = request(w->http, "GET", w->table_url, NULL, body);
    if (status == 200)
        take_base(w, body);
    else if (!*w->first_error)
        describe(status, body, w->first_error, sizeof w->first_error);
    return status;
}

static void one_row_file(const writer *w, firn_arena *arena, int i, firn_data_file *out)
{
    const settings *set = w->load->set;
    int64_t id = (int64_t)w->index * ID_STRIDE + i;
    struct stat info = {.st_size = 1000};
    const char *path =
        set->data
            ? firn_arena_printf(arena, "%s/w%d-%d.parquet", set->data, w->index, i)
            : firn_arena_printf(arena, "%s/data/w%d-%d.parquet", w->base->location, w->index, i);
    if (set->data && stat(path, &info) != 0)
        die(path, "there is no such data file");
    firn_value value = {.type = FIRN_TYPE_LONG, .i64 = id};
    firn_column_metrics *metrics = FIRN_NEW(arena, firn_column_metrics);
    *metrics = (firn_column_metrics){.field_id = 1,
                                     .size_bytes = 8,
                                     .value_count = 1,
                                     .nan_count = -1,
                                     .lower = firn_value_encode(arena, &value),
                                     .upper = firn_value_encode(arena, &value)};
    *out = (firn_data_file){.path = path,
                            .format = "PARQUET",
                            .record_count = 1,
                            .file_size_bytes = info.st_size,
                            .metrics = metrics,
                            .n_metrics = 1,
                            .sort_order_id = 0,
                            .first_row_id = -1,
                            .content_offset = -1,
                            .content_size_bytes = -1};
}

/* Makes the snapshot on the writer's base; gives the commit's body. */
static const char *build_append(writer *w, firn_arena *arena, int i, firn_snapshot_result *made)
{
    firn_err err = {0};
    firn_data_file file;
    one_row_file(w, arena, i, &file);
    firn_snapshot_change change = {
        .op = FIRN_SNAPSHOT_APPEND,
        .added = &file,
        .n_added = 1,
        .threads = 1,
        .validation = {.starting_snapshot_id = FIRN_NO_STARTING_SNAPSHOT}};
    json_t *body = firn_json_own(arena, json_object());
    json_t *updates = json_array(), *requirements = json_array();
    json_object_set_new(body, "requirements", requirements);
    json_object_set_new(body, "updates", updates);
    if (firn_snapshot_produce(w->load->storage, NULL, arena, w->base, &change, updates,
                              requirements, made, &err) != FIRN_OK)
        die("making a snapshot", err.message);
    return firn_json_text(arena, body);
}

static void say(load *l, const char *what, int64_t id)
{
    if (!l->log)
        return;
    pthread_mutex_lock(&l->log_lock);
    fprintf(l->log, "%s %lld\n", what, (long long)id);
    fflush(l->log);
    pthread_mutex_unlock(&l->log_lock);
}

static void nap_before_retry(int attempt)
{
    int64_t most_ms = 100LL << (attempt < 9 ? attempt : 9);
    firn_sleep_ms(most_ms / 2 + random() % (most_ms / 2 + 1));
}

/* One append with as many retries as are allowed; counts its outcome. */
static void append_one(writer *w, int i, firn_buf *body)
{
    load *l = w->load;
    int64_t id = (int64_t)w->index * ID_STRIDE + i;
    for (int attempt = 0;; attempt++) {
        FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
        firn_snapshot_result made = {0};
        const char *json = build_append(w, arena, i, &made);
        int64_t start_us = firn_monotonic_us();
        long status = request(w->http, "POST", w->table_url, json, body);
        w->attempts++;
        if (status == 200) {
            w->latency_us[w->n_latencies++] = firn_monotonic_us() - start_us;
            w->done++;
            say(l, "acknowledged", id);
            take_base(w, body);
            return;
        }
        if (!*w->first_error)
            describe(status, body, w->first_error, sizeof w->first_error);
        if (status == 0 || status >= 500) {
            w->unknown++;
            say(l, "open", id);
            return;
        }
        firn_snapshot_discard(l->storage, &made);
        bool again = status == 409 && attempt < l->set->retries;
        if (again)
            nap_before_retry(attempt);
        if (load_table(w, body) != 200 || !again) {
            *(status == 409 ? &w->refused : &w->failed) += 1;
            say(l, "refused", id);
            return;
        }
    }
}

/* Waits for a server that went away; false when it did not come back in time. */
static bool reload_patiently(writer *w, firn_buf *body)
{
    int64_t until_us = firn_monotonic_us() + (int64_t)w->load->set->patience_s * 1000000;
    while (load_table(w, body) != 200) {
        if (firn_monotonic_us() > until_us)
            return false;
        firn_sleep_ms(50);
    }
    return true;
}

/* ---- the threads ------------------------------------------------------------------------------- */

static void wait_for_start(load *l)
{
    atomic_fetch_add(&l->ready, 1);
    while (!atomic_load(&l->go))
        firn_sleep_ms(1);
}

static void *write_many(void *ctx)
{
    writer *w = ctx;
    const settings *set = w->load->set;
    FIRN_AUTO_BUF firn_buf body = {.max = REPLY_BYTES_MAX};
    if (!reload_patiently(w, &body))
        die(w->table_url, w->first_error);
    wait_for_start(w->load);
    for (int i = 0; i < set->appends; i++) {
        int unknown = w->unknown;
        append_one(w, i, &body);
        if (w->unknown > unknown && !reload_patiently(w, &body)) {
            w->failed += set->appends - i - 1;
            break;
        }
    }
    return NULL;
}

static void *read_many(void *ctx)
{
    writer *w = ctx;
    const settings *set = w->load->set;
    FIRN_AUTO_BUF firn_buf body = {.max = REPLY_BYTES_MAX};
    wait_for_start(w->load);
    for (int i = 0; i < set->requests; i++) {
        int64_t start_us = firn_monotonic_us();
        long status = request(w->http, "GET", w->table_url, NULL, &body);
        w->attempts++;
        if (status == 200) {
            w->latency_us[w->n_latencies++] = firn_monotonic_us() - start_us;
            w->done++;
            w->reply_bytes = body.len;
        } else {
            w->failed++;
            if (!*w->first_error)
                describe(status, &body, w->first_error, sizeof w->first_error);
        }
    }
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void report(const settings *set, writer *writers, double seconds)
{
    int done = 0, refused = 0, unknown = 0, failed = 0, attempts = 0;
    size_t n = 0;
    const char *error = "";
    int64_t *all =
        firn_malloc(sizeof *all * (size_t)(set->writers * (set->appends + set->requests) + 1));
    for (int i = 0; i < set->writers; i++) {
        const writer *w = &writers[i];
        done += w->done;
        refused += w->refused;
        unknown += w->unknown;
        failed += w->failed;
        attempts += w->attempts;
        memcpy(all + n, w->latency_us, w->n_latencies * sizeof *all);
        n += w->n_latencies;
        if (!*error)
            error = w->first_error;
    }
    qsort(all, n, sizeof *all, by_value);
    json_t *line =
        json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:f, s:f, s:f, s:f, s:s}", "done", done,
                  "refused", refused, "unknown", unknown, "failed", failed, "attempts", attempts,
                  "reply_bytes", (int)writers[0].reply_bytes, "seconds", seconds, "per_second",
                  seconds > 0 ? done / seconds : 0.0, "p50_ms", n ? (double)all[n / 2] / 1e3 : 0.0,
                  "p99_ms", n ? (double)all[(n * 99 - 1) / 100] / 1e3 : 0.0, "first_error", error);
    char *text = json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(8));
    puts(text);
    free(text);
    json_decref(line);
    free(all);
}

static void run_threads(load *l, void *(*body)(void *))
{
    const settings *set = l->set;
    writer *writers = firn_calloc((size_t)set->writers, sizeof *writers);
    for (int i = 0; i < set->writers; i++) {
        writer *w = &writers[i];
        w->load = l;
        w->index = i;
        w->http = client_new(set, &w->headers);
        w->latency_us = firn_calloc((size_t)(set->appends + set->requests + 1), sizeof(int64_t));
        table_url(l, i % set->tables, w->table_url, sizeof w->table_url);
        if (pthread_create(&w->thread, NULL, body, w) != 0)
            die("starting a thread", "no room");
    }
    while (atomic_load(&l->ready) < set->writers)
        firn_sleep_ms(1);
    int64_t start_us = firn_monotonic_us();
    atomic_store(&l->go, true);
    for (int i = 0; i < set->writers; i++)
        pthread_join(writers[i].thread, NULL);
    report(set, writers, (double)(firn_monotonic_us() - start_us) / 1e6);
    for (int i = 0; i < set->writers; i++) {
        curl_easy_cleanup(writers[i].http);
        curl_slist_free_all(writers[i].headers);
        firn_arena_free(writers[i].base_arena);
        free(writers[i].latency_us);
    }
    free(writers);
}

/* ---- making the tables ------------------------------------------------------------------------- */

static void create_namespace(load *l, CURL *http, firn_buf *body)
{
    char url[2048], json[512];
    snprintf(url, sizeof url, "%s/namespaces", l->prefix);
    snprintf(json, sizeof json, "{\"namespace\":[\"%s\"],\"properties\":{}}", l->set->ns);
    must_be(request(http, "POST", url, json, body), 200, 409, "creating the namespace", body);
}

static void create_table(load *l, CURL *http, int table, firn_buf *body)
{
    char url[2048], json[1024];
    snprintf(url, sizeof url, "%s/namespaces/%s/tables", l->prefix, l->set->ns);
    snprintf(
        json, sizeof json,
        "{\"name\":\"t%d\",\"stage-create\":false,\"schema\":{\"type\":\"struct\",\"schema-id\":0,\"fields\":["
        "{\"id\":1,\"name\":\"id\",\"required\":false,\"type\":\"long\"},"
        "{\"id\":2,\"name\":\"w\",\"required\":false,\"type\":\"int\"}]},"
        "\"properties\":{\"format-version\":\"%d\",\"commit.manifest-merge.enabled\":\"%s\"}}",
        table, l->set->format_version, l->set->merge_manifests ? "true" : "false");
    must_be(request(http, "POST", url, json, body), 200, 200, "creating a table", body);
}

static void create_tables(load *l)
{
    FIRN_AUTO_BUF firn_buf body = {.max = REPLY_BYTES_MAX};
    writer w = {.load = l};
    w.http = client_new(l->set, &w.headers);
    w.latency_us = firn_calloc((size_t)l->set->snapshots + 1, sizeof(int64_t));
    create_namespace(l, w.http, &body);
    for (int t = 0; t < l->set->tables; t++) {
        create_table(l, w.http, t, &body);
        table_url(l, t, w.table_url, sizeof w.table_url);
        w.n_latencies = 0;
        if (l->set->snapshots > 0 && load_table(&w, &body) != 200)
            die(w.table_url, w.first_error);
        for (int i = 0; i < l->set->snapshots; i++)
            append_one(&w, i, &body);
    }
    if (w.done != l->set->tables * l->set->snapshots)
        die("filling a table", w.first_error);
    printf("{\"done\":%d}\n", l->set->tables);
    curl_easy_cleanup(w.http);
    curl_slist_free_all(w.headers);
    firn_arena_free(w.base_arena);
    free(w.latency_us);
}

/* ---- the command line -------------------------------------------------------------------------- */

static void add_alias(settings *set, char *text)
{
    char *to = strchr(text, '=');
    if (!to || set->n_aliases == ALIASES_MAX)
        die("--alias", "FROM=TO is wanted, four of them at most");
    *to = '\0';
    set->aliases[set->n_aliases++] = (firn_storage_alias){.from = text, .to = to + 1};
}

static void parse(int argc, char **argv, settings *set)
{
    static const struct option options[] = {{"uri", 1, 0, 'u'},
                                            {"warehouse", 1, 0, 'W'},
                                            {"namespace", 1, 0, 'n'},
                                            {"data", 1, 0, 'd'},
                                            {"token", 1, 0, 'T'},
                                            {"log", 1, 0, 'l'},
                                            {"tables", 1, 0, 't'},
                                            {"writers", 1, 0, 'w'},
                                            {"appends", 1, 0, 'a'},
                                            {"requests", 1, 0, 'q'},
                                            {"snapshots", 1, 0, 's'},
                                            {"retries", 1, 0, 'r'},
                                            {"patience", 1, 0, 'p'},
                                            {"alias", 1, 0, 'A'},
                                            {"merge-manifests", 0, 0, 'm'},
                                            {"format-version", 1, 0, 'v'},
                                            {0}};
    if (argc < 2)
        die("usage", "rest_load create|append|read --uri URI [OPTION...]");
    set->command = argv[1];
    for (int c; (c = getopt_long(argc - 1, argv + 1, "", options, NULL)) != -1;) {
        switch (c) {
        case 'u': set->uri = optarg; break;
        case 'W': set->warehouse = optarg; break;
        case 'n': set->ns = optarg; break;
        case 'd': set->data = optarg; break;
        case 'T': set->token = optarg; break;
        case 'l': set->log = optarg; break;
        case 't': set->tables = atoi(optarg); break;
        case 'w': set->writers = atoi(optarg); break;
        case 'a': set->appends = atoi(optarg); break;
        case 'q': set->requests = atoi(optarg); break;
        case 's': set->snapshots = atoi(optarg); break;
        case 'r': set->retries = atoi(optarg); break;
        case 'p': set->patience_s = atoi(optarg); break;
        case 'v': set->format_version = atoi(optarg); break;
        case 'm': set->merge_manifests = true; break;
        case 'A': add_alias(set, optarg); break;
        default: exit(2);
        }
    }
    if (!set->uri || set->tables < 1 || set->writers < 1)
        die("usage", "--uri is missing, or --tables or --writers is below 1");
}

int main(int argc, char **argv)
{
    settings set = {.ns = "load",
                    .tables = 1,
                    .writers = 1,
                    .appends = 1,
                    .requests = 1,
                    .patience_s = 5,
                    .format_version = 2};
    parse(argc, argv, &set);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    firn_storage_options options = {
        .aliases = set.aliases, .n_aliases = set.n_aliases, .fsync_off = true};
    load l = {
        .set = &set, .storage = firn_storage_new(&options), .log_lock = PTHREAD_MUTEX_INITIALIZER};
    struct curl_slist *headers;
    CURL *http = client_new(&set, &headers);
    l.prefix = find_prefix(&set, http);
    if (set.log && !(l.log = fopen(set.log, "a")))
        die(set.log, "it cannot be written");

    int rc = 0;
    if (strcmp(set.command, "create") == 0)
        create_tables(&l);
    else if (strcmp(set.command, "append") == 0)
        run_threads(&l, write_many);
    else if (strcmp(set.command, "read") == 0)
        run_threads(&l, read_many);
    else
        die(set.command, "create, append or read is wanted");

    if (l.log)
        fclose(l.log);
    curl_easy_cleanup(http);
    curl_slist_free_all(headers);
    free(l.prefix);
    firn_storage_free(l.storage);
    curl_global_cleanup();
    return rc;
}
