/* The table of firn.yaml's keys and the three things made from it: the parser, the commented file of a new lake, and the
 * reference page. To add a key, add a member to firn_config and one row here.
 *
 * Invariant: every row's default parses by the row's own kind and bounds (config_test checks it).
 */
#include "config_private.h"

#include "base/time.h"

#include <inttypes.h>
#include <limits.h>

typedef enum key_kind {
    KEY_TEXT,
    KEY_PATH, /* relative to the lake's folder, absolute, or a URI */
    KEY_INT,
    KEY_BYTES,    /* 64MB, 1.5GiB, 4096 */
    KEY_DURATION, /* 500ms, 30s, 5m, 1h -> milliseconds */
    KEY_ENUM,     /* one of `choices`, kept as text */
    KEY_BOOL,
    /* list of mappings whose members are exactly `choices`, all text; kept as an array of structs of as many texts in that
     * order, followed by its length. May hold secrets: messages never show values. */
    KEY_RECORDS,
    KEY_SOURCES,   /* list of connections: config_sources.c */
    KEY_SCHEDULES, /* list of commands and times: config_schedules.c */
} key_kind;

typedef struct key_row {
    const char *path;
    key_kind kind;
    size_t offset;
    const char *def;     /* as written in the file; NULL: required by no one, empty */
    int64_t min, max;    /* INT, BYTES, DURATION */
    const char *choices; /* ENUM, RECORDS: "a|b|c" */
    bool live;           /* written uncommented into a new lake's file */
    const char *help;
} key_row;

#define AT(member) offsetof(firn_config, member)

static const key_row KEYS[] = {
    {"lake.name", KEY_TEXT, AT(name), "lake", 0, 0, NULL, true,
     "Name of the lake, shown by the shell and in reports."},
    {"warehouse", KEY_PATH, AT(warehouse), "warehouse", 0, 0, NULL, true,
     "Where table files live: a folder, relative to this file or absolute, or a URI."},
    {"catalog.path", KEY_PATH, AT(catalog), ".firn/catalog.db", 0, 0, NULL, true,
     "The catalog's SQLite file. With a catalog.uri: of the run log, or not used."},
    {"catalog.uri", KEY_TEXT, AT(catalog_uri), NULL, 0, 0, NULL, false,
     "Where the catalog is when it is no file: postgresql://user@host:5432/database (a password may "
     "come from ${NAME}, PGPASSWORD or ~/.pgpass), or http:// or https:// for an Iceberg REST catalog."},
    {"catalog.schema", KEY_TEXT, AT(catalog_schema), "firn", 0, 0, NULL, false,
     "PostgreSQL: the schema that holds the catalog, so that many lakes share a database."},
    {"catalog.pool", KEY_INT, AT(catalog_pool), "16", 1, 64, NULL, false,
     "PostgreSQL: connections of one firn process at most."},
    {"catalog.busy_timeout", KEY_DURATION, AT(catalog_busy_ms), "30s", 0, 3600000, NULL, false,
     "How long to wait for another process that is committing. 0: not at all."},
    {"catalog.warehouse", KEY_TEXT, AT(remote.warehouse), NULL, 0, 0, NULL, false,
     "REST catalog: which of the server's warehouses."},
    {"catalog.credential", KEY_TEXT, AT(remote.credential), NULL, 0, 0, NULL, false,
     "REST catalog: OAuth2 client credentials, \"id:secret\", best from the environment: "
     "${LAKE_CREDENTIAL}."},
    {"catalog.oauth2_uri", KEY_TEXT, AT(remote.oauth2_server_uri), NULL, 0, 0, NULL, false,
     "REST catalog: the token endpoint, if it is not <catalog.uri>/v1/oauth/tokens."},
    {"catalog.scope", KEY_TEXT, AT(remote.scope), NULL, 0, 0, NULL, false,
     "REST catalog: OAuth2 scope; \"catalog\" if not given."},
    {"catalog.token", KEY_TEXT, AT(remote.token), NULL, 0, 0, NULL, false,
     "REST catalog: a bearer token, instead of a credential."},
    {"catalog.sigv4_region", KEY_TEXT, AT(remote.sigv4_region), NULL, 0, 0, NULL, false,
     "REST catalog of AWS: sign requests for this region."},
    {"catalog.sigv4_name", KEY_TEXT, AT(remote.sigv4_name), NULL, 0, 0, NULL, false,
     "REST catalog of AWS: the service to sign for, glue (if not given) or s3tables."},
    {"catalog.access_key_id", KEY_TEXT, AT(remote.access_key_id), NULL, 0, 0, NULL, false,
     "REST catalog of AWS: whose key; AWS_ACCESS_KEY_ID if not given."},
    {"catalog.secret_access_key", KEY_TEXT, AT(remote.secret_access_key), NULL, 0, 0, NULL, false,
     "REST catalog of AWS: its secret; AWS_SECRET_ACCESS_KEY if not given."},
    {"catalog.session_token", KEY_TEXT, AT(remote.session_token), NULL, 0, 0, NULL, false,
     "REST catalog of AWS: of temporary keys; AWS_SESSION_TOKEN if not given."},
    {"catalog.prefix", KEY_TEXT, AT(remote.prefix), NULL, 0, 0, NULL, false,
     "REST catalog: prefix of its paths, for servers that do not tell it."},
    {"catalog.access_delegation", KEY_TEXT, AT(remote.access_delegation), NULL, 0, 0, NULL, false,
     "REST catalog: what to ask for as access to files: vended-credentials or remote-signing."},
    {"catalog.ca_file", KEY_PATH, AT(remote.ca_file), NULL, 0, 0, NULL, false,
     "REST catalog: certificates (PEM) to trust instead of the system's."},
    {"catalog.headers", KEY_RECORDS, AT(remote.headers), NULL, 0, 0, "name|value", false,
     "REST catalog: headers of every request: [{name: X-Tenant, value: seven}]."},
    {"engine.memory_limit", KEY_BYTES, AT(engine_memory_bytes), "0", 0, INT64_MAX, NULL, false,
     "Memory that queries may use before they spill to disk. 0: 60% of the machine's."},
    {"engine.threads", KEY_INT, AT(engine_threads), "0", 0, 1024, NULL, false,
     "Threads of one query. 0: all that the process may use."},
    {"engine.temp_dir", KEY_PATH, AT(engine_temp), ".firn/tmp", 0, 0, NULL, false,
     "Where queries that outgrow the memory limit spill."},
    {"engine.manifest_cache", KEY_BYTES, AT(manifest_cache_bytes), "256MB", 0, INT64_MAX, NULL,
     false, "Memory for decoded manifests, which make planning quick. 0: none."},
    {"write.target_file_size", KEY_BYTES, AT(target_file_bytes), "512MB", 1 << 20, INT64_C(1) << 40,
     NULL, false, "Size that data files of new tables aim at."},
    {"write.format_version", KEY_INT, AT(format_version), "2", 2, 3, NULL, false,
     "Iceberg format version of new tables."},
    {"write.compression", KEY_ENUM, AT(compression), "zstd", 0, 0,
     "zstd|snappy|gzip|lz4|uncompressed", false, "Parquet compression of new tables."},
    {"pipelines", KEY_PATH, AT(pipelines), "pipelines", 0, 0, NULL, false,
     "Folder that holds one folder per pipeline."},
    {"feeds", KEY_PATH, AT(feeds), "feeds", 0, 0, NULL, false,
     "Folder of the feeds: NAME.yaml from Kafka, active/NAME.json from ksqlDB, archived/NAME.json."},
    {"sources", KEY_SOURCES, AT(sources), NULL, 0, 0, NULL, false,
     "Connections that rows come from: [{name: shop, kafka: \"broker:9092\", registry: "
     "\"http://registry:8081\"}]. docs/reference/config.md lists all their members."},
    {"schedules", KEY_SCHEDULES, AT(schedules), NULL, 0, 0, NULL, false,
     "Commands that `firn serve` runs by the clock: [{name: nightly, cron: \"0 2 * * *\", run: \"export "
     "--all\"}]. docs/reference/config.md lists all their members."},
    {"serve.http", KEY_TEXT, AT(serve_http), "127.0.0.1:8181", 0, 0, NULL, false,
     "Where `firn serve` listens: host:port. Without serve.auth only a loopback address is taken."},
    {"serve.tls_cert", KEY_PATH, AT(serve_tls_cert), NULL, 0, 0, NULL, false,
     "Certificate chain (PEM) for https, with serve.tls_key."},
    {"serve.tls_key", KEY_PATH, AT(serve_tls_key), NULL, 0, 0, NULL, false,
     "Private key (PEM) that belongs to serve.tls_cert."},
    {"serve.auth", KEY_ENUM, AT(serve_auth), "none", 0, 0, "none|token", false,
     "Who may use the server. token: who shows one of serve.tokens, or got one for serve.clients."},
    {"serve.tokens", KEY_RECORDS, AT(serve_tokens), NULL, 0, 0, "name|token|role", false,
     "Bearer tokens: [{name: ann, token: \"${ANN_TOKEN}\", role: writer}]. Roles are reader, writer "
     "and admin; the name stands in the commit log."},
    {"serve.clients", KEY_RECORDS, AT(serve_clients), NULL, 0, 0, "id|secret|role", false,
     "OAuth2 clients (client_credentials at /v1/oauth/tokens): [{id: spark, secret: "
     "\"${SPARK_SECRET}\", role: writer}]."},
    {"serve.token_lifetime", KEY_DURATION, AT(serve_token_ms), "1h", 1000, INT64_C(31) * 86400000,
     NULL, false, "How long a token holds that an OAuth2 client was given."},
    {"serve.insecure", KEY_BOOL, AT(serve_insecure), "false", 0, 0, NULL, false,
     "Listen beyond this machine without https. Only behind a proxy that has it: tokens travel "
     "in the clear."},
    {"serve.max_request", KEY_BYTES, AT(serve_request_bytes), "64MB", 1024, INT64_C(1) << 30, NULL,
     false, "Largest body of a request."},
    {"serve.request_timeout", KEY_DURATION, AT(serve_request_ms), "60s", 100, 3600000, NULL, false,
     "How long a request may take to arrive, and its answer to be taken."},
    {"serve.connections", KEY_INT, AT(serve_connections), "1000", 1, 100000, NULL, false,
     "How many connections may be open at once."},
    {"storage.aliases", KEY_RECORDS, AT(aliases), NULL, 0, 0, "from|to", false,
     "Locations that moved: [{from: \"s3://old\", to: \"/mnt/copy\"}]. What tables record under `from` is "
     "read at `to`."},
};
enum { N_KEYS = sizeof(KEYS) / sizeof(KEYS[0]) };

/* ---- values ---------------------------------------------------------------------------------------- */

static bool is_choice(const char *choices, const char *value)
{
    size_t len = strlen(value);
    for (const char *at = choices; at != NULL; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL) {
        if (len > 0 && strncmp(at, value, len) == 0 && (at[len] == '|' || at[len] == '\0')) {
            return true;
        }
    }
    return false;
}

typedef struct parse_ctx {
    firn_arena *arena;
    const firn_yaml *yaml;
    firn_config *out;
} parse_ctx;

static firn_rc bad_value(const parse_ctx *ctx, const key_row *row, int line, const char *text,
                         const char *wanted, firn_err *err)
{
    FIRN_FAIL(err, FIRN_E_CONFIG, "%s:%d: %s is \"%s\", but it must be %s", ctx->yaml->filename,
              line, row->path, text, wanted);
}

static firn_rc parse_number(const parse_ctx *ctx, const key_row *row, const char *text, int line,
                            firn_err *err)
{
    int64_t value = 0;
    bool ok = false;
    const char *shape = "a whole number";
    if (row->kind == KEY_INT) {
        ok = firn_parse_i64(text, &value);
    } else if (row->kind == KEY_BYTES) {
        ok = firn_parse_size(text, &value);
        shape = "a size such as 512MB or 2GiB";
    } else {
        ok = firn_parse_duration(text, &value);
        shape = "a duration such as 500ms, 30s or 5m";
    }
    if (!ok) {
        return bad_value(ctx, row, line, text, shape, err);
    }
    if (value < row->min || value > row->max) {
        const char *upper = row->max == INT64_MAX
                                ? ""
                                : firn_arena_printf(ctx->arena, " and at most %" PRId64, row->max);
        return bad_value(ctx, row, line, text,
                         firn_arena_printf(ctx->arena, "at least %" PRId64 "%s%s", row->min, upper,
                                           row->kind == KEY_BYTES      ? " bytes"
                                           : row->kind == KEY_DURATION ? " ms"
                                                                       : ""),
                         err);
    }
    *(int64_t *)((char *)ctx->out + row->offset) = value;
    return FIRN_OK;
}

static firn_rc parse_bool(const parse_ctx *ctx, const key_row *row, const char *text, int line,
                          firn_err *err)
{
    bool value = firn_streq(text, "true");
    if (!value && !firn_streq(text, "false")) {
        return bad_value(ctx, row, line, text, "true or false", err);
    }
    *(bool *)((char *)ctx->out + row->offset) = value;
    return FIRN_OK;
}

static firn_rc parse_record(const parse_ctx *ctx, const key_row *row, const json_t *item, int line,
                            size_t number, char **names, size_t n_names, const char **out,
                            firn_err *err)
{
    bool ok = json_object_size(item) == n_names;
    for (size_t i = 0; i < n_names; i++) {
        const json_t *node = json_object_get(item, names[i]);
        const char *text = node != NULL ? firn_yaml_scalar(ctx->arena, node) : NULL;
        out[i] = firn_arena_strdup(ctx->arena, text);
        ok = ok && text != NULL && text[0] != '\0';
    }
    if (!ok) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s:%d: item %zu of %s must have exactly %s, all text",
                  ctx->yaml->filename, line, number, row->path,
                  firn_str_join(ctx->arena, (const char *const *)names, n_names, ", "));
    }
    return FIRN_OK;
}

static firn_rc parse_records(const parse_ctx *ctx, const key_row *row, const json_t *node, int line,
                             firn_err *err)
{
    size_t n_names;
    char **names = firn_str_split(ctx->arena, row->choices, '|', &n_names);
    if (!json_is_array(node)) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s:%d: %s must be a list of {%s}", ctx->yaml->filename, line,
                  row->path, firn_str_replace(ctx->arena, row->choices, "|", ", "));
    }
    size_t n = json_array_size(node);
    const char **texts = FIRN_NEW_N(ctx->arena, const char *, firn_mul_size(n, n_names));
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(node, i);
        int item_line = firn_yaml_line(ctx->yaml, item);
        FIRN_TRY(parse_record(ctx, row, item, item_line != 0 ? item_line : line, i + 1, names,
                              n_names, texts + i * n_names, err));
    }
    void *at = (char *)ctx->out + row->offset;
    memcpy(at, &texts, sizeof(texts));
    memcpy((char *)at + sizeof(texts), &n, sizeof(n));
    return FIRN_OK;
}

static firn_rc parse_value(const parse_ctx *ctx, const key_row *row, const json_t *node, int line,
                           firn_err *err)
{
    if (row->kind == KEY_RECORDS) {
        return parse_records(ctx, row, node, line, err);
    }
    if (row->kind == KEY_SOURCES) {
        return firn_config_sources(ctx->arena, ctx->yaml, node, line, ctx->out, err);
    }
    if (row->kind == KEY_SCHEDULES) {
        return firn_config_schedules(ctx->arena, ctx->yaml, node, line, ctx->out, err);
    }
    const char *text = firn_yaml_scalar(ctx->arena, node);
    if (text == NULL) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s:%d: %s must be a single value, not a list or a mapping",
                  ctx->yaml->filename, line, row->path);
    }
    switch (row->kind) {
    case KEY_INT:
    case KEY_BYTES:
    case KEY_DURATION: return parse_number(ctx, row, text, line, err);
    case KEY_BOOL: return parse_bool(ctx, row, text, line, err);
    case KEY_ENUM:
        if (!is_choice(row->choices, text)) {
            return bad_value(
                ctx, row, line, text,
                firn_arena_printf(ctx->arena, "one of %s",
                                  firn_str_replace(ctx->arena, row->choices, "|", ", ")),
                err);
        }
        break;
    default:
        if (text[0] == '\0') {
            return bad_value(ctx, row, line, text, "a non-empty text", err);
        }
        break;
    }
    *(const char **)((char *)ctx->out + row->offset) = firn_arena_strdup(ctx->arena, text);
    return FIRN_OK;
}

/* ---- parsing ----------------------------------------------------------------------------------------- */

static const char *path_of(size_t row)
{
    return KEYS[row].path;
}

static firn_rc take_key(void *ctx, size_t row, const json_t *node, int line, firn_err *err)
{
    return parse_value(ctx, &KEYS[row], node, line, err);
}

firn_rc firn_config_parse(firn_arena *arena, firn_bytes text, const char *filename,
                          firn_config *out, firn_err *err)
{
    *out = (firn_config){0};
    firn_yaml yaml;
    FIRN_TRY(firn_yaml_parse(arena, text, filename, &yaml, err));
    parse_ctx ctx = {.arena = arena, .yaml = &yaml, .out = out};
    for (size_t i = 0; i < N_KEYS; i++) {
        if (KEYS[i].def != NULL) {
            json_t *def = firn_json_own(arena, json_string(KEYS[i].def));
            FIRN_TRY(parse_value(&ctx, &KEYS[i], def, 0, err));
        }
    }
    const firn_yaml_keys keys = {.n = N_KEYS,
                                 .path = path_of,
                                 .reference = "docs/reference/config.md",
                                 .take = take_key,
                                 .ctx = &ctx};
    return firn_yaml_read_keys(arena, &yaml, &keys, err);
}

/* ---- what else is made from the table ---------------------------------------------------------------- */

static void wrap_comment(firn_buf *out, const char *indent, const char *help)
{
    enum { WIDTH = 100 };
    size_t column = 0;
    while (*help != '\0') {
        size_t word = strcspn(help, " ");
        if (column == 0 || column + word + 1 > WIDTH) {
            firn_buf_printf(out, "%s%s#", column == 0 ? "" : "\n", indent);
            column = strlen(indent) + 1;
        }
        firn_buf_printf(out, " %.*s", (int)word, help);
        column += word + 1;
        help += word;
        help += strspn(help, " ");
    }
    firn_buf_puts(out, "\n");
}

/* YAML needs quotes around a name such as "yes" or "a: b". */
static const char *yaml_text(firn_arena *arena, const char *text)
{
    FIRN_AUTO_BUF firn_buf buf = {0};
    firn_json_escape(&buf, text);
    return firn_arena_strdup(arena, firn_buf_cstr(&buf));
}

static bool is_list(key_kind kind)
{
    return kind == KEY_RECORDS || kind == KEY_SOURCES || kind == KEY_SCHEDULES;
}

char *firn_config_template(firn_arena *arena, const firn_config_choices *choices)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    firn_buf_puts(&out, "# A firn lake. Keys that are commented out show their defaults.\n"
                        "# Values may use ${NAME} and ${NAME:-default} from the environment.\n");
    const char *section = "";
    for (size_t i = 0; i < N_KEYS; i++) {
        const key_row *row = &KEYS[i];
        const char *dot = strchr(row->path, '.');
        const char *indent = dot != NULL ? "  " : "";
        const char *in =
            dot != NULL ? firn_arena_strndup(arena, row->path, (size_t)(dot - row->path)) : "";
        if (!firn_streq(in, section) || dot == NULL) {
            firn_buf_puts(&out, "\n");
        }
        if (dot != NULL && !firn_streq(in, section)) {
            firn_buf_printf(&out, "%s:\n", in);
        }
        section = in;
        wrap_comment(&out, indent, row->help);
        const char *chosen = row->offset == AT(name)             ? choices->name
                             : row->offset == AT(catalog_uri)    ? choices->catalog_uri
                             : row->offset == AT(catalog_schema) ? choices->catalog_schema
                                                                 : NULL;
        bool live = chosen != NULL ||
                    (row->live && (row->offset != AT(catalog) || choices->catalog_uri == NULL));
        const char *value = chosen != NULL       ? yaml_text(arena, chosen)
                            : is_list(row->kind) ? "[]"
                            : row->def != NULL   ? row->def
                                                 : "";
        firn_buf_printf(&out, "%s%s%s:%s%s\n", indent, live ? "" : "# ",
                        dot != NULL ? dot + 1 : row->path, value[0] != '\0' ? " " : "", value);
    }
    return firn_arena_strdup(arena, firn_buf_cstr(&out));
}

static const char *kind_text(firn_arena *arena, const key_row *row)
{
    switch (row->kind) {
    case KEY_PATH: return "path";
    case KEY_INT:
        return firn_arena_printf(arena, "number, %" PRId64 " to %" PRId64, row->min, row->max);
    case KEY_BYTES: return "size";
    case KEY_DURATION: return "duration";
    case KEY_ENUM: return firn_str_replace(arena, row->choices, "|", ", ");
    case KEY_BOOL: return "true, false";
    case KEY_RECORDS:
        return firn_arena_printf(arena, "list of `{%s}`",
                                 firn_str_replace(arena, row->choices, "|", ", "));
    case KEY_SOURCES: return "list of [connections](#sources)";
    case KEY_SCHEDULES: return "list of [schedules](#schedules)";
    default: return "text";
    }
}

char *firn_config_reference(firn_arena *arena)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    firn_buf_puts(
        &out,
        "# firn.yaml\n\n"
        "A lake is a folder with this file; `firn init` writes one with every key and its default. "
        "A key that firn does not know is an error. Values may use `${NAME}` and "
        "`${NAME:-default}` from the environment; `$${` stands for a plain `${`.\n\n"
        "Sizes: `512MB`, `2GiB` or bytes. Durations: `500ms`, `30s`, `5m`, `1h`. Paths are relative to "
        "the lake's folder unless they are absolute or URIs.\n\n"
        "| key | value | default | meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; i < N_KEYS; i++) {
        const key_row *row = &KEYS[i];
        firn_buf_printf(&out, "| `%s` | %s | %s%s%s | %s |\n", row->path, kind_text(arena, row),
                        row->def != NULL ? "`" : "", row->def != NULL ? row->def : "none",
                        row->def != NULL ? "`" : "", row->help);
    }
    firn_config_sources_reference(&out);
    firn_config_schedules_reference(&out);
    return firn_arena_strdup(arena, firn_buf_cstr(&out));
}
