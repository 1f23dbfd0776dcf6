/* The connection to a ksqlDB server, and what it has: /info, LIST, DESCRIBE. Queries are ksqldb_query.c. */
#include "ksqldb_private.h"

#include "base/vec.h"

#include <ctype.h>
#include <stdlib.h>

enum {
    TIMEOUT_MS = 30000,
    CONNECT_TIMEOUT_MS = 10000,
    ANSWER_BYTES_MAX = 64 << 20,
};

/* ---- making one --------------------------------------------------------------------------------- */

static firn_rc make_client(firn_ksqldb *ksqldb, const firn_ksqldb_options *options, firn_err *err)
{
    int timeout_ms = ksqldb->timeout_ms;
    firn_http_options http = {
        .connect_timeout_ms = timeout_ms < CONNECT_TIMEOUT_MS ? timeout_ms : CONNECT_TIMEOUT_MS,
        .total_timeout_ms = timeout_ms,
        .response_bytes_max = ANSWER_BYTES_MAX,
        .ca_file = options->ca_file,
        .cert_file = options->cert_file,
        .key_file = options->key_file,
    };
    if (options->token) {
        http.auth.kind = FIRN_HTTP_AUTH_BEARER;
        http.auth.token = options->token;
    } else if (options->username) {
        http.auth.kind = FIRN_HTTP_AUTH_BASIC;
        http.auth.username = options->username;
        http.auth.password = options->password ? options->password : "";
    }
    return firn_http_client_new(&http, &ksqldb->client, err);
}

firn_rc firn_ksqldb_open(const firn_ksqldb_options *options, firn_ksqldb **out, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    const char *given = options->url ? options->url : "";
    if (!firn_starts_with(given, "http://") && !firn_starts_with(given, "https://")) {
        FIRN_FAIL(err, FIRN_E_CONFIG,
                  "ksqlDB's url \"%s\" does not begin with http:// or https://: write it as "
                  "http://host:8088",
                  firn_url_for_message(scratch, given));
    }
    firn_ksqldb *ksqldb = firn_calloc(1, sizeof *ksqldb);
    ksqldb->arena = firn_arena_new();
    char *url = firn_arena_strdup(ksqldb->arena, given);
    for (size_t len = strlen(url); len > 0 && url[len - 1] == '/'; len--)
        url[len - 1] = '\0';
    ksqldb->url = url;
    ksqldb->shown = firn_url_for_message(ksqldb->arena, url);
    ksqldb->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : TIMEOUT_MS;
    ksqldb->version = options->version;
    firn_rc rc = make_client(ksqldb, options, err);
    if (rc != FIRN_OK) {
        firn_ksqldb_close(ksqldb);
        return rc;
    }
    *out = ksqldb;
    return FIRN_OK;
}

void firn_ksqldb_close(firn_ksqldb *ksqldb)
{
    if (!ksqldb)
        return;
    firn_http_client_free(ksqldb->client);
    firn_arena_free(ksqldb->arena);
    free(ksqldb);
}

/* ---- asking ------------------------------------------------------------------------------------- */

/* body NULL: GET. */
static firn_rc ask(firn_ksqldb *ksqldb, firn_arena *arena, const char *path, const char *body,
                   const char *what, json_t **out, firn_err *err)
{
    static const firn_http_header headers[] = {
        {"Accept", FIRN_KSQLDB_CONTENT_TYPE ", application/json"},
        {"Content-Type", "application/json"},
    };
    const firn_http_call call = {
        .method = body ? "POST" : "GET",
        .url = firn_arena_printf(arena, "%s%s", ksqldb->url, path),
        .headers = headers,
        .n_headers = body ? 2 : 1,
        .body = body ? firn_bytes_str(body) : (firn_bytes){0},
        .idempotent = true, /* only what reads is asked */
    };
    firn_http_reply reply = {0};
    firn_rc rc = firn_http_do(ksqldb->client, arena, &call, &reply, err);
    if (rc == FIRN_E_IO) {
        firn_err why = err ? *err : (firn_err){0};
        FIRN_FAIL(err, FIRN_E_UNAVAILABLE,
                  "ksqlDB at %s does not answer (%s): check that it runs, and the source's url",
                  ksqldb->shown, why.message);
    }
    FIRN_TRY(rc);
    firn_ksqldb_refusal refusal = {
        .status = reply.status,
        .content_type = firn_http_reply_header(&reply, "Content-Type"),
        .retry_after = firn_http_reply_header(&reply, "Retry-After"),
        .location = firn_http_reply_header(&reply, "Location"),
        .body = reply.body,
    };
    if (reply.status != 200) {
        firn_ksqldb_refusal_read(ksqldb, arena, &refusal);
        return firn_ksqldb_refused(ksqldb, arena, &refusal, what, err);
    }
    if (firn_json_parse(arena, reply.body, what, out, NULL) != FIRN_OK)
        return firn_ksqldb_refused(ksqldb, arena, &refusal, what, err);
    return FIRN_OK;
}

/* The first entity that the statement gives. */
static firn_rc ask_ksql(firn_ksqldb *ksqldb, firn_arena *arena, const char *statement,
                        const char *what, json_t **out, firn_err *err)
{
    json_t *body =
        firn_json_own(arena, json_pack("{s:s, s:{}}", "ksql", statement, "streamsProperties"));
    json_t *json;
    FIRN_TRY(ask(ksqldb, arena, "/ksql", firn_json_text(arena, body), what, &json, err));
    *out = json_is_array(json) ? json_array_get(json, 0) : json;
    if (!json_is_object(*out)) {
        FIRN_FAIL(err, FIRN_E_CORRUPT, "ksqlDB at %s, %s: the answer is no list of entities",
                  ksqldb->shown, what);
    }
    return FIRN_OK;
}

firn_rc firn_ksqldb_get_info(firn_ksqldb *ksqldb, firn_arena *arena, firn_ksqldb_info *out,
                             firn_err *err)
{
    static const char what[] = "/info";
    json_t *json, *info;
    FIRN_TRY(ask(ksqldb, arena, "/info", NULL, what, &json, err));
    info = json_object_get(json, "KsqlServerInfo");
    if (!json_is_object(info)) {
        FIRN_FAIL(err, FIRN_E_CORRUPT,
                  "%s is no ksqlDB server: its /info is %.200s: check the source's url",
                  ksqldb->shown, firn_json_text(arena, json));
    }
    FIRN_TRY(firn_json_opt_str(info, "version", what, "", &out->version, err));
    FIRN_TRY(firn_json_opt_str(info, "kafkaClusterId", what, "", &out->cluster_id, err));
    FIRN_TRY(firn_json_opt_str(info, "ksqlServiceId", what, "", &out->service_id, err));
    return firn_json_opt_str(info, "serverStatus", what, "", &out->status, err);
}

/* ---- streams and tables ------------------------------------------------------------------------- */

typedef FIRN_VEC(firn_ksqldb_object) objects;

static firn_rc read_object(firn_arena *arena, const json_t *json, bool is_table, const char *what,
                           firn_ksqldb_object *out, firn_err *err)
{
    const char *format;
    FIRN_TRY(firn_json_str(json, "name", what, &out->name, err));
    FIRN_TRY(firn_json_opt_str(json, "topic", what, "", &out->topic, err));
    FIRN_TRY(firn_json_opt_str(json, "format", what, "", &format, err)); /* before 0.15 */
    FIRN_TRY(firn_json_opt_str(json, "keyFormat", what, "KAFKA", &out->key_format, err));
    FIRN_TRY(firn_json_opt_str(json, "valueFormat", what, format, &out->value_format, err));
    FIRN_TRY(firn_json_opt_bool(json, "isWindowed", what, false, &out->windowed, err));
    out->is_table = is_table;
    (void)arena;
    return FIRN_OK;
}

static firn_rc list_kind(firn_ksqldb *ksqldb, firn_arena *arena, bool tables, objects *out,
                         firn_err *err)
{
    const char *what = tables ? "LIST TABLES" : "LIST STREAMS";
    json_t *entity, *list;
    FIRN_TRY(
        ask_ksql(ksqldb, arena, tables ? "LIST TABLES;" : "LIST STREAMS;", what, &entity, err));
    FIRN_TRY(firn_json_array(entity, tables ? "tables" : "streams", what, &list, err));
    for (size_t i = 0; i < json_array_size(list); i++) {
        firn_ksqldb_object *object = firn_vec_push_zero(arena, out);
        FIRN_TRY(read_object(arena, json_array_get(list, i), tables, what, object, err));
    }
    return FIRN_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const firn_ksqldb_object *)a)->name, ((const firn_ksqldb_object *)b)->name);
}

firn_rc firn_ksqldb_list(firn_ksqldb *ksqldb, firn_arena *arena, firn_ksqldb_object **out,
                         size_t *n, firn_err *err)
{
    objects all = {0};
    FIRN_TRY(list_kind(ksqldb, arena, false, &all, err));
    FIRN_TRY(list_kind(ksqldb, arena, true, &all, err));
    if (all.len > 0)
        qsort(all.items, all.len, sizeof *all.items, by_name);
    *out = all.items;
    *n = all.len;
    return FIRN_OK;
}

static const firn_ksqldb_object *find(const firn_ksqldb_object *objects_, size_t n,
                                      const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (firn_streq(objects_[i].name, name))
            return &objects_[i];
    }
    return NULL;
}

static char *upper(firn_arena *arena, const char *text)
{
    char *out = firn_arena_strdup(arena, text);
    for (char *c = out; *c; c++)
        *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
    return out;
}

static firn_rc no_such(firn_ksqldb *ksqldb, firn_arena *arena, const firn_ksqldb_object *all,
                       size_t n, const char *name, firn_err *err)
{
    const char **names = FIRN_NEW_N(arena, const char *, n);
    for (size_t i = 0; i < n; i++)
        names[i] = all[i].name;
    const char *nearest = firn_nearest(upper(arena, name), names, n);
    nearest = nearest ? nearest : firn_nearest(name, names, n);
    if (nearest) {
        FIRN_FAIL(err, FIRN_E_NOT_FOUND,
                  "ksqlDB at %s has no stream or table \"%s\". Did you mean \"%s\"?", ksqldb->shown,
                  name, nearest);
    }
    FIRN_FAIL(err, FIRN_E_NOT_FOUND, "ksqlDB at %s has no stream or table \"%s\"%s%s",
              ksqldb->shown, name, n > 0 ? "; it has " : ", and no other either",
              n > 0 ? firn_ksqldb_one_line(arena, firn_str_join(arena, names, n, ", ")) : "");
}

static firn_rc read_fields(firn_arena *arena, const json_t *description, const char *what,
                           firn_ksqldb_description *out, firn_err *err)
{
    json_t *list;
    FIRN_TRY(firn_json_array(description, "fields", what, &list, err));
    size_t n = json_array_size(list);
    firn_ksqldb_field *fields = FIRN_NEW_N(arena, firn_ksqldb_field, n);
    for (size_t i = 0; i < n; i++) {
        const json_t *json = json_array_get(list, i);
        const char *type;
        FIRN_TRY(firn_json_str(json, "name", what, &fields[i].name, err));
        FIRN_TRY(firn_json_opt_str(json, "type", what, "", &type, err));
        fields[i].is_key = firn_streq(type, "KEY");
        fields[i].is_header = firn_streq(type, "HEADER");
        FIRN_TRY(
            firn_ksqldb_type_text(arena, json_object_get(json, "schema"), &fields[i].type, err));
    }
    out->fields = fields;
    out->n_fields = n;
    return FIRN_OK;
}

static firn_rc describe(firn_ksqldb *ksqldb, firn_arena *arena, const firn_ksqldb_object *object,
                        firn_ksqldb_description *out, firn_err *err)
{
    const char *what = firn_arena_printf(arena, "DESCRIBE %s", object->name);
    /* Only EXTENDED asks Kafka for the topic's partitions. */
    const char *statement =
        firn_arena_printf(arena, "DESCRIBE %s EXTENDED;", firn_ksqldb_ident(arena, object->name));
    json_t *entity, *description;
    int64_t partitions;
    FIRN_TRY(ask_ksql(ksqldb, arena, statement, what, &entity, err));
    FIRN_TRY(firn_json_object(entity, "sourceDescription", what, &description, err));
    *out = (firn_ksqldb_description){.object = *object};
    FIRN_TRY(firn_json_opt_str(description, "topic", what, object->topic, &out->object.topic, err));
    FIRN_TRY(firn_json_opt_str(description, "keyFormat", what, object->key_format,
                               &out->object.key_format, err));
    FIRN_TRY(firn_json_opt_str(description, "valueFormat", what, object->value_format,
                               &out->object.value_format, err));
    FIRN_TRY(firn_json_opt_str(description, "statement", what, NULL, &out->statement, err));
    FIRN_TRY(firn_json_opt_i64(description, "partitions", what, 0, &partitions, err));
    out->partitions = partitions >= 0 && partitions <= INT32_MAX ? (int)partitions : 0;
    const char *window;
    FIRN_TRY(firn_json_opt_str(description, "windowType", what, NULL, &window, err));
    out->object.windowed = out->object.windowed || window != NULL;
    return read_fields(arena, description, what, out, err);
}

firn_rc firn_ksqldb_describe(firn_ksqldb *ksqldb, firn_arena *arena, const char *name,
                             firn_ksqldb_description *out, firn_err *err)
{
    firn_ksqldb_object *all;
    size_t n;
    FIRN_TRY(firn_ksqldb_list(ksqldb, arena, &all, &n, err));
    const firn_ksqldb_object *object = find(all, n, name);
    object = object ? object : find(all, n, upper(arena, name));
    if (!object)
        return no_such(ksqldb, arena, all, n, name, err);
    return describe(ksqldb, arena, object, out, err);
}

char *firn_ksqldb_ident(firn_arena *arena, const char *name)
{
    return firn_arena_printf(arena, "`%s`", firn_str_replace(arena, name, "`", "``"));
}
