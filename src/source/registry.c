/* The client of a Schema Registry: what it remembers, and when it asks.
 *
 * Invariants:
 *   1. an entry of `by_key` never changes and never goes: results live as long as the registry;
 *   2. `lock` guards the maps, `misses` and the pause; it is not held while the registry is asked. Two threads may ask the same at
 *      once, the first answer stays;
 *   3. `failures` counts calls that found no registry in a row; while the pause lasts nobody asks.
 *
 * Keys of the maps: "id/<context or subject>/<id>", "guid/<guid>", "version/<subject>/<version>".
 */
#include "source/registry.h"

#include "base/log.h"
#include "base/map.h"
#include "base/time.h"
#include "base/uuid.h"
#include "base/vec.h"
#include "net/http.h"
#include "net/http_client.h"
#include "registry_private.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    TIMEOUT_MS = 10000,
    PAUSE_MS_MIN = 100,
    PAUSE_MS_MAX = 30000,
    MISS_US = 1000000,
    MISSES_MAX = 10000,
    RETRIES_MAX =
        1, /* a kept connection that the server has closed; the rest is the pause's business */
};

typedef struct latest {
    const firn_registered *registered;
    int64_t asked_us;
} latest;

struct firn_registry {
    firn_arena *arena; /* guarded by `lock` once the registry is made */
    firn_http_client *client;
    char **urls;
    size_t n_urls;
    const char *context; /* ":.sales:", or NULL */
    int64_t pause_ms_max;
    pthread_mutex_t lock;
    firn_map *by_key;    /* firn_registered */
    firn_map *by_latest; /* subject -> latest */
    firn_arena *misses_arena;
    firn_map *misses; /* key -> int64_t: when it was missed */
    size_t url;       /* the one that answered last */
    int failures;
    int64_t ask_again_us;
};

const char *firn_schema_kind_name(firn_schema_kind kind)
{
    static const char *const names[] = {
        [FIRN_SCHEMA_AVRO] = "Avro",
        [FIRN_SCHEMA_JSON] = "JSON Schema",
        [FIRN_SCHEMA_PROTOBUF] = "Protobuf",
    };
    return names[kind];
}

/* ---- making one ------------------------------------------------------------------------------- */

static firn_rc read_urls(firn_registry *registry, const char *text, firn_err *err)
{
    FIRN_VEC(char *) urls = {0};
    size_t n = 0;
    char **parts = text ? firn_str_split(registry->arena, text, ',', &n) : NULL;
    for (size_t i = 0; i < n; i++) {
        char *url = firn_str_trim(registry->arena, parts[i]);
        size_t len = strlen(url);
        while (len > 0 && url[len - 1] == '/')
            url[--len] = '\0';
        if (len == 0)
            continue;
        if (!firn_starts_with(url, "http://") && !firn_starts_with(url, "https://")) {
            FIRN_FAIL(err, FIRN_E_CONFIG,
                      "the schema registry's url \"%s\" does not begin with http:// or https://",
                      firn_url_for_message(registry->arena, url));
        }
        firn_vec_push(registry->arena, &urls, url);
    }
    if (urls.len == 0)
        FIRN_FAIL(err, FIRN_E_CONFIG, "a schema registry needs a url");
    registry->urls = urls.items;
    registry->n_urls = urls.len;
    return FIRN_OK;
}

/* ":.sales:" from that, ".sales" or "sales". */
static const char *context_of(firn_arena *arena, const char *text)
{
    if (!text || !*text || firn_streq(text, ".") || firn_streq(text, ":.:"))
        return NULL;
    if (text[0] == ':')
        return firn_arena_strdup(arena, text);
    return firn_arena_printf(arena, ":%s%s:", text[0] == '.' ? "" : ".", text);
}

static firn_rc make_client(firn_registry *registry, const firn_registry_options *options,
                           firn_err *err)
{
    int timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : TIMEOUT_MS;
    firn_http_options http = {
        .connect_timeout_ms = timeout_ms,
        .total_timeout_ms = timeout_ms,
        .response_bytes_max = FIRN_REGISTRY_ANSWER_BYTES_MAX,
        .ca_file = options->ca_file,
        .cert_file = options->cert_file,
        .key_file = options->key_file,
        .retries_max = RETRIES_MAX,
        .retry_wait_ms_max = PAUSE_MS_MIN,
    };
    if (options->token) {
        http.auth.kind = FIRN_HTTP_AUTH_BEARER;
        http.auth.token = options->token;
    } else if (options->username) {
        http.auth.kind = FIRN_HTTP_AUTH_BASIC;
        http.auth.username = options->username;
        http.auth.password = options->password ? options->password : "";
    }
    return firn_http_client_new(&http, &registry->client, err);
}

firn_rc firn_registry_new(const firn_registry_options *options, firn_registry **out, firn_err *err)
{
    firn_registry *registry = firn_calloc(1, sizeof *registry);
    registry->arena = firn_arena_new();
    registry->misses_arena = firn_arena_new();
    pthread_mutex_init(&registry->lock, NULL);
    registry->by_key = firn_map_new(registry->arena);
    registry->by_latest = firn_map_new(registry->arena);
    registry->misses = firn_map_new(registry->misses_arena);
    registry->context = context_of(registry->arena, options->context);
    registry->pause_ms_max = options->pause_ms_max > 0 ? options->pause_ms_max : PAUSE_MS_MAX;
    firn_rc rc = read_urls(registry, options->url, err);
    if (rc == FIRN_OK)
        rc = make_client(registry, options, err);
    if (rc != FIRN_OK) {
        firn_registry_free(registry);
        return rc;
    }
    *out = registry;
    return FIRN_OK;
}

void firn_registry_free(firn_registry *registry)
{
    if (!registry)
        return;
    firn_http_client_free(registry->client);
    pthread_mutex_destroy(&registry->lock);
    firn_arena_free(registry->misses_arena);
    firn_arena_free(registry->arena);
    free(registry);
}

/* ---- what is remembered ----------------------------------------------------------------------- */

static const firn_registered *recall(firn_registry *registry, const char *key)
{
    pthread_mutex_lock(&registry->lock);
    const firn_registered *found = firn_map_get(registry->by_key, key);
    pthread_mutex_unlock(&registry->lock);
    return found;
}

static void free_arena(void *arena)
{
    firn_arena_free(arena);
}

/* `registered` lives in `arena`, which the registry takes over. Gives what stays. */
static const firn_registered *remember(firn_registry *registry, const char *key,
                                       const firn_registered *registered, firn_arena *arena)
{
    pthread_mutex_lock(&registry->lock);
    const firn_registered *before = firn_map_get(registry->by_key, key);
    if (!before) {
        (void)firn_map_put(registry->by_key, key, (void *)(uintptr_t)registered);
        firn_arena_defer(registry->arena, free_arena, arena);
    }
    pthread_mutex_unlock(&registry->lock);
    if (before)
        firn_arena_free(arena);
    return before ? before : registered;
}

static bool was_missed(firn_registry *registry, const char *key)
{
    pthread_mutex_lock(&registry->lock);
    const int64_t *at = firn_map_get(registry->misses, key);
    bool missed = at && firn_monotonic_us() - *at < MISS_US;
    pthread_mutex_unlock(&registry->lock);
    return missed;
}

static void note_miss(firn_registry *registry, const char *key)
{
    pthread_mutex_lock(&registry->lock);
    if (firn_map_len(registry->misses) >= MISSES_MAX) {
        firn_arena_reset(registry->misses_arena);
        registry->misses = firn_map_new(registry->misses_arena);
    }
    int64_t *at = firn_map_get(registry->misses, key);
    if (!at) {
        at = FIRN_NEW(registry->misses_arena, int64_t);
        (void)firn_map_put(registry->misses, key, at);
    }
    *at = firn_monotonic_us();
    pthread_mutex_unlock(&registry->lock);
}

/* ---- asking ----------------------------------------------------------------------------------- */

static firn_rc check_pause(firn_registry *registry, firn_err *err)
{
    pthread_mutex_lock(&registry->lock);
    int64_t wait_us = registry->failures > 0 ? registry->ask_again_us - firn_monotonic_us() : 0;
    pthread_mutex_unlock(&registry->lock);
    if (wait_us > 0) {
        FIRN_FAIL(err, FIRN_E_UNAVAILABLE,
                  "the schema registry did not answer; it is asked again in %.1f s",
                  (double)wait_us / 1e6);
    }
    return FIRN_OK;
}

static void note_outcome(firn_registry *registry, bool answered, size_t url)
{
    pthread_mutex_lock(&registry->lock);
    if (answered) {
        registry->failures = 0;
        registry->url = url;
    } else {
        int64_t pause_ms = PAUSE_MS_MIN;
        for (int i = 0; i < registry->failures && pause_ms < registry->pause_ms_max; i++)
            pause_ms *= 2;
        if (pause_ms > registry->pause_ms_max)
            pause_ms = registry->pause_ms_max;
        registry->failures++;
        registry->ask_again_us = firn_monotonic_us() + pause_ms * 1000;
    }
    pthread_mutex_unlock(&registry->lock);
}

/* {"error_code": 40403, "message": "Schema not found"}; 0 when it is no such thing. */
static int64_t read_error(firn_arena *arena, const firn_registry *registry,
                          const firn_http_reply *reply, const char **message)
{
    json_t *json;
    *message = firn_arena_printf(arena, "HTTP %d", reply->status);
    if (firn_json_parse(arena, reply->body, "answer", &json, NULL) != FIRN_OK)
        return 0;
    const char *text = json_string_value(json_object_get(json, "message"));
    if (text) {
        *message = firn_arena_printf(arena, "HTTP %d: %.300s", reply->status,
                                     firn_http_redact(registry->client, arena, text));
    }
    return json_integer_value(json_object_get(json, "error_code"));
}

/* What a reply that is no success means. UNAVAILABLE: another URL may do better. */
static firn_rc refused(firn_registry *registry, firn_arena *arena, const firn_http_reply *reply,
                       const char *url, const char *what, firn_err *err)
{
    const char *message;
    int64_t code = read_error(arena, registry, reply, &message);
    url = firn_url_for_message(arena, url);
    /* 40401 subject, 40402 version, 40403 schema. A bare 404 comes from something that is no registry. */
    if (reply->status == 404 && code >= 40400 && code <= 40499)
        FIRN_FAIL(err, FIRN_E_NOT_FOUND, "the schema registry has no %s (%s)", what, message);
    if (reply->status == 401 || reply->status == 403) {
        FIRN_FAIL(err, FIRN_E_PERMISSION,
                  "the schema registry does not let us read %s (%s, %s): check its username and "
                  "password or token",
                  what, url, message);
    }
    if (reply->status >= 500 || reply->status == 429 || reply->status == 408)
        FIRN_FAIL(err, FIRN_E_UNAVAILABLE, "schema registry, %s (%s): %s", what, url, message);
    FIRN_FAIL(err, FIRN_E_CONFIG,
              "%s does not answer as a schema registry does (%s): check the registry's url", url,
              message);
}

static firn_rc ask_one(firn_registry *registry, firn_arena *arena, const char *url,
                       const char *what, json_t **out, firn_err *err)
{
    static const firn_http_header accept[] = {
        {"Accept", "application/vnd.schemaregistry.v1+json, application/json"}};
    const firn_http_call call = {.method = "GET", .url = url, .headers = accept, .n_headers = 1};
    firn_http_reply reply = {0};
    firn_rc rc = firn_http_do(registry->client, arena, &call, &reply, err);
    if (rc == FIRN_E_IO) {
        firn_err why = err ? *err : (firn_err){0};
        FIRN_FAIL(err, FIRN_E_UNAVAILABLE, "schema registry: %s", why.message);
    }
    FIRN_TRY(rc);
    if (reply.status != 200)
        return refused(registry, arena, &reply, url, what, err);
    if (firn_json_parse(arena, reply.body, what, out, NULL) != FIRN_OK) {
        FIRN_FAIL(err, FIRN_E_CONFIG,
                  "%s does not answer as a schema registry does (no JSON): check the registry's "
                  "url",
                  firn_url_for_message(arena, url));
    }
    return FIRN_OK;
}

firn_rc firn_registry_ask(firn_registry *registry, firn_arena *arena, const char *path,
                          const char *what, json_t **out, firn_err *err)
{
    FIRN_TRY(check_pause(registry, err));
    pthread_mutex_lock(&registry->lock);
    size_t first = registry->url;
    pthread_mutex_unlock(&registry->lock);

    firn_rc rc = FIRN_OK;
    for (size_t i = 0; i < registry->n_urls; i++) {
        size_t url = (first + i) % registry->n_urls;
        const char *full = firn_arena_printf(arena, "%s%s", registry->urls[url], path);
        rc = ask_one(registry, arena, full, what, out, err);
        if (rc != FIRN_E_UNAVAILABLE) {
            note_outcome(registry, true, url);
            return rc;
        }
    }
    note_outcome(registry, false, 0);
    return rc;
}

/* ---- lookups ---------------------------------------------------------------------------------- */

const char *firn_registry_qualify(const firn_registry *registry, firn_arena *arena,
                                  const char *subject)
{
    if (!registry->context || subject[0] == ':')
        return subject;
    return firn_arena_printf(arena, "%s%s", registry->context, subject);
}

/* One schema by its path, from memory or from the registry. */
static firn_rc look_up(firn_registry *registry, const char *key, const char *path, const char *what,
                       const firn_registered_given *given, const firn_registered **out,
                       firn_err *err)
{
    if ((*out = recall(registry, key)))
        return FIRN_OK;
    if (was_missed(registry, key))
        FIRN_FAIL(err, FIRN_E_NOT_FOUND, "the schema registry has no %s", what);

    firn_arena *arena = firn_arena_new();
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    json_t *json = NULL;
    firn_registered *registered = NULL;
    firn_rc rc = firn_registry_ask(registry, scratch, path, what, &json, err);
    if (rc == FIRN_E_NOT_FOUND)
        note_miss(registry, key);
    if (rc == FIRN_OK)
        rc = firn_registered_read(registry, arena, json, what, given, &registered, err);
    if (rc != FIRN_OK) {
        firn_arena_free(arena);
        return rc;
    }
    *out = remember(registry, key, registered, arena);
    return FIRN_OK;
}

firn_rc firn_registry_by_id(firn_registry *registry, int32_t id, const char *subject,
                            const firn_registered **out, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    const char *where = subject             ? firn_registry_qualify(registry, scratch, subject)
                        : registry->context ? registry->context
                                            : "";
    const char *query =
        *where ? firn_arena_printf(scratch, "?subject=%s", firn_url_encode(scratch, where)) : "";
    const char *key = firn_arena_printf(scratch, "id/%s/%d", where, id);
    const char *path = firn_arena_printf(scratch, "/schemas/ids/%d%s", id, query);
    const char *what = firn_arena_printf(scratch, "schema with id %d", id);
    const firn_registered_given given = {.id = id, .subject = subject};
    return look_up(registry, key, path, what, &given, out, err);
}

firn_rc firn_registry_by_guid(firn_registry *registry, const uint8_t guid[16],
                              const firn_registered **out, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    char text[FIRN_UUID_TEXT_BYTES];
    firn_uuid_format(guid, text);
    const char *key = firn_arena_printf(scratch, "guid/%s", text);
    const char *path = firn_arena_printf(scratch, "/schemas/guids/%s", text);
    const char *what = firn_arena_printf(scratch, "schema with guid %s", text);
    const firn_registered_given given = {.id = -1};
    firn_rc rc = look_up(registry, key, path, what, &given, out, err);
    return rc != FIRN_E_CONFIG
               ? rc
               : firn_err_wrap(err, rc, "a schema by guid, which not every registry can look up");
}

static const firn_registered *recall_latest(firn_registry *registry, const char *subject,
                                            int max_age_ms)
{
    pthread_mutex_lock(&registry->lock);
    const latest *found = firn_map_get(registry->by_latest, subject);
    bool fresh = found && firn_monotonic_us() - found->asked_us <= (int64_t)max_age_ms * 1000;
    const firn_registered *registered = fresh ? found->registered : NULL;
    pthread_mutex_unlock(&registry->lock);
    return registered;
}

static void remember_latest(firn_registry *registry, const char *subject,
                            const firn_registered *registered)
{
    pthread_mutex_lock(&registry->lock);
    latest *entry = firn_map_get(registry->by_latest, subject);
    if (!entry) {
        entry = FIRN_NEW(registry->arena, latest);
        (void)firn_map_put(registry->by_latest, subject, entry);
    }
    *entry = (latest){registered, firn_monotonic_us()};
    pthread_mutex_unlock(&registry->lock);
}

firn_rc firn_registry_latest(firn_registry *registry, const char *subject, int max_age_ms,
                             const firn_registered **out, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    subject = firn_registry_qualify(registry, scratch, subject);
    if ((*out = recall_latest(registry, subject, max_age_ms)))
        return FIRN_OK;

    const char *what = firn_arena_printf(scratch, "subject %s", subject);
    const char *path = firn_arena_printf(scratch, "/subjects/%s/versions/latest",
                                         firn_url_encode(scratch, subject));
    json_t *json;
    FIRN_TRY(firn_registry_ask(registry, scratch, path, what, &json, err));
    int32_t version;
    FIRN_TRY(firn_json_i32(json, "version", what, &version, err));

    /* A version that is known already costs no look at its references. */
    const char *key = firn_arena_printf(scratch, "version/%s/%d", subject, version);
    *out = recall(registry, key);
    if (!*out) {
        firn_arena *arena = firn_arena_new();
        firn_registered *registered;
        const firn_registered_given given = {.id = -1, .subject = subject};
        firn_rc rc = firn_registered_read(registry, arena, json, what, &given, &registered, err);
        if (rc != FIRN_OK) {
            firn_arena_free(arena);
            return rc;
        }
        *out = remember(registry, key, registered, arena);
    }
    remember_latest(registry, subject, *out);
    return FIRN_OK;
}

char *firn_subject_name(firn_arena *arena, firn_subject_strategy strategy, const char *topic,
                        const char *record, bool key)
{
    switch (strategy) {
    case FIRN_SUBJECT_RECORD: return firn_arena_strdup(arena, record);
    case FIRN_SUBJECT_TOPIC_RECORD: return firn_arena_printf(arena, "%s-%s", topic, record);
    default: return firn_arena_printf(arena, "%s-%s", topic, key ? "key" : "value");
    }
}
