/* The connections under `sources`: one table of their members, from which the reader, the check of paths and the reference page are
 * made. To add a member, add it to firn_source_config and one row here. A kind of connection is known by the member that says where
 * it is (`kafka`, `ksqldb`), which every connection has exactly one of. */
#include "config_private.h"

typedef enum member_kind { MEMBER_TEXT, MEMBER_PATH, MEMBER_URL, MEMBER_MAPPING } member_kind;

typedef struct member_row {
    const char *name;
    member_kind kind;
    size_t offset;
    const char *choices; /* "a|b|c", without regard to case; nullable */
    const char *help;
} member_row;

#define AT(member) offsetof(firn_source_config, member)

static const member_row MEMBERS[] = {
    {"name", MEMBER_TEXT, AT(name), NULL, "What feeds and commands call it."},
    {"kafka", MEMBER_TEXT, AT(kafka), NULL,
     "Kafka brokers to start from, by comma: host:9092,host:9092."},
    {"ksqldb", MEMBER_URL, AT(ksqldb), NULL,
     "ksqlDB server, instead of `kafka`: http://host:8088. `username` and `password` (or `token`), "
     "`ca_file`, `cert_file`, `key_file` and `timeout` go with it."},
    {"token", MEMBER_TEXT, AT(token), NULL, "ksqlDB: bearer token, instead of a user."},
    {"timeout", MEMBER_TEXT, AT(timeout), NULL,
     "ksqlDB: how long to wait for an answer, or for its next row: 30s (the default), 2m."},
    {"http", MEMBER_TEXT, AT(http), "auto|1.1|2",
     "ksqlDB: version of HTTP. auto: 1.1, and 2 when the server asks for it."},
    {"security", MEMBER_TEXT, AT(security), "plaintext|ssl|sasl_plaintext|sasl_ssl",
     "How to speak to the brokers: plaintext, ssl, sasl_plaintext or sasl_ssl. Not given: sasl_ssl "
     "with a username, a mechanism or an oauth_url, ssl with a ca_file or cert_file, else plaintext."},
    {"mechanism", MEMBER_TEXT, AT(mechanism), "PLAIN|SCRAM-SHA-256|SCRAM-SHA-512|OAUTHBEARER",
     "PLAIN (Confluent Cloud's API keys), SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER. Not given: "
     "OAUTHBEARER with an oauth_url, else PLAIN."},
    {"username", MEMBER_TEXT, AT(username), NULL, "User, or API key."},
    {"password", MEMBER_TEXT, AT(password), NULL,
     "Password, or API secret; best from the environment: \"${KAFKA_SECRET}\"."},
    {"ca_file", MEMBER_PATH, AT(ca_file), NULL,
     "Certificates (PEM) to trust instead of the system's."},
    {"cert_file", MEMBER_PATH, AT(cert_file), NULL, "Our certificate (PEM), for brokers that ask."},
    {"key_file", MEMBER_PATH, AT(key_file), NULL, "Private key (PEM) of cert_file."},
    {"key_password", MEMBER_TEXT, AT(key_password), NULL, "What key_file is encrypted with."},
    {"oauth_url", MEMBER_URL, AT(oauth_url), NULL,
     "OAUTHBEARER: token endpoint of the OpenID Connect provider."},
    {"oauth_client", MEMBER_TEXT, AT(oauth_client), NULL, "OAUTHBEARER: client id."},
    {"oauth_secret", MEMBER_TEXT, AT(oauth_secret), NULL, "OAUTHBEARER: client secret."},
    {"oauth_scope", MEMBER_TEXT, AT(oauth_scope), NULL, "OAUTHBEARER: scope."},
    {"properties", MEMBER_MAPPING, AT(properties), NULL,
     "librdkafka's own settings, {name: value}; they win over everything else. The few that would break "
     "exactly-once are refused."},
    {"registry", MEMBER_URL, AT(registry), NULL,
     "Schema Registry: https://host:8081; several by comma are tried in turn."},
    {"registry_username", MEMBER_TEXT, AT(registry_username), NULL, "Registry: user, or API key."},
    {"registry_password", MEMBER_TEXT, AT(registry_password), NULL,
     "Registry: password, or API secret."},
    {"registry_token", MEMBER_TEXT, AT(registry_token), NULL,
     "Registry: bearer token, instead of a user."},
    {"registry_context", MEMBER_TEXT, AT(registry_context), NULL,
     "Registry: context of the subjects, such as :.sales:."},
    {"registry_ca_file", MEMBER_PATH, AT(registry_ca_file), NULL,
     "Registry: certificates (PEM) to trust instead of the system's."},
};
enum { N_MEMBERS = sizeof(MEMBERS) / sizeof(MEMBERS[0]), SOURCES_MAX = 1000 };

typedef struct reader {
    firn_arena *arena;
    const firn_yaml *yaml;
    const json_t *item;
    int line; /* of the item */
    firn_source_config *out;
} reader;

static void *member_at(firn_source_config *source, const member_row *row)
{
    return (char *)source + row->offset;
}

static const member_row *find_member(const char *name)
{
    for (size_t i = 0; i < N_MEMBERS; i++) {
        if (firn_streq(MEMBERS[i].name, name)) {
            return &MEMBERS[i];
        }
    }
    return NULL;
}

static firn_rc unknown_member(const reader *r, const char *name, int line, firn_err *err)
{
    const char *names[N_MEMBERS];
    for (size_t i = 0; i < N_MEMBERS; i++) {
        names[i] = MEMBERS[i].name;
    }
    const char *nearest = firn_nearest(name, names, N_MEMBERS);
    if (nearest != NULL) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s:%d: a source has no member \"%s\". Did you mean \"%s\"?",
                  r->yaml->filename, line, name, nearest);
    }
    FIRN_FAIL(
        err, FIRN_E_CONFIG,
        "%s:%d: a source has no member \"%s\"; docs/reference/config.md lists all (settings of "
        "librdkafka go under `properties`)",
        r->yaml->filename, line, name);
}

/* The choice as librdkafka spells it, whatever the case it was written in. */
static const char *find_choice(firn_arena *arena, const char *choices, const char *text)
{
    size_t n;
    char **all = firn_str_split(arena, choices, '|', &n);
    for (size_t i = 0; i < n; i++) {
        if (firn_strcaseeq(all[i], text)) {
            return all[i];
        }
    }
    return NULL;
}

static firn_rc read_mapping(const reader *r, const member_row *row, const json_t *node, int line,
                            firn_err *err)
{
    if (!json_is_object(node)) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s:%d: %s of a source must be a mapping, {name: value}",
                  r->yaml->filename, line, row->name);
    }
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)node, key, value)
    {
        if (firn_yaml_scalar(r->arena, value) == NULL) {
            FIRN_FAIL(err, FIRN_E_CONFIG, "%s:%d: %s: \"%s\" must be a single value",
                      r->yaml->filename, line, row->name, key);
        }
    }
    *(const json_t **)member_at(r->out, row) = node;
    return FIRN_OK;
}

/* Values are not shown, not even wrong ones: a secret may stand in the wrong place. */
static firn_rc read_member(const reader *r, const member_row *row, const json_t *node, int line,
                           firn_err *err)
{
    if (row->kind == MEMBER_MAPPING) {
        return read_mapping(r, row, node, line, err);
    }
    const char *text = firn_yaml_scalar(r->arena, node);
    if (text == NULL || text[0] == '\0') {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s:%d: %s of a source must be a non-empty text",
                  r->yaml->filename, line, row->name);
    }
    if (row->choices != NULL && (text = find_choice(r->arena, row->choices, text)) == NULL) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s:%d: %s of a source must be one of %s", r->yaml->filename,
                  line, row->name, firn_str_replace(r->arena, row->choices, "|", ", "));
    }
    if (row->kind == MEMBER_URL && !firn_starts_with(text, "http://") &&
        !firn_starts_with(text, "https://")) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s:%d: %s of a source must start with http:// or https://",
                  r->yaml->filename, line, row->name);
    }
    *(const char **)member_at(r->out, row) = firn_arena_strdup(r->arena, text);
    return FIRN_OK;
}

static firn_rc check_source(const reader *r, firn_err *err)
{
    if (r->out->name == NULL) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s:%d: a source needs a name", r->yaml->filename, r->line);
    }
    if (r->out->kafka == NULL && r->out->ksqldb == NULL) {
        FIRN_FAIL(err, FIRN_E_CONFIG,
                  "%s:%d: source \"%s\" does not say where it is: give it `kafka: host:9092` or "
                  "`ksqldb: http://host:8088`",
                  r->yaml->filename, r->line, r->out->name);
    }
    if (r->out->kafka != NULL && r->out->ksqldb != NULL) {
        FIRN_FAIL(err, FIRN_E_CONFIG,
                  "%s:%d: source \"%s\" is kafka and ksqldb; make it two sources",
                  r->yaml->filename, r->line, r->out->name);
    }
    r->out->kind = r->out->ksqldb != NULL ? FIRN_SOURCE_KSQLDB : FIRN_SOURCE_KAFKA;
    return FIRN_OK;
}

static firn_rc read_source(const reader *r, firn_err *err)
{
    if (!json_is_object(r->item)) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s:%d: each of sources must be a mapping with a name",
                  r->yaml->filename, r->line);
    }
    const char *key;
    json_t *node;
    json_object_foreach((json_t *)(uintptr_t)r->item, key, node)
    {
        int line = firn_yaml_key_line(r->yaml, r->item, key);
        const member_row *row = find_member(key);
        if (row == NULL) {
            return unknown_member(r, key, line, err);
        }
        if (!json_is_null(node)) {
            FIRN_TRY(read_member(r, row, node, line, err));
        }
    }
    return check_source(r, err);
}

firn_rc firn_config_sources(firn_arena *arena, const firn_yaml *yaml, const json_t *node, int line,
                            firn_config *out, firn_err *err)
{
    size_t n = json_array_size(node);
    if (!json_is_array(node) || n > SOURCES_MAX) {
        FIRN_FAIL(err, FIRN_E_CONFIG,
                  "%s:%d: sources must be a list of at most %d connections, each with a name",
                  yaml->filename, line, SOURCES_MAX);
    }
    firn_source_config *sources = FIRN_NEW_N(arena, firn_source_config, n);
    for (size_t i = 0; i < n; i++) {
        reader r = {.arena = arena, .yaml = yaml, .item = json_array_get(node, i)};
        r.line = firn_yaml_line(yaml, r.item) != 0 ? firn_yaml_line(yaml, r.item) : line;
        r.out = &sources[i];
        r.out->line = r.line;
        FIRN_TRY(read_source(&r, err));
        for (size_t j = 0; j < i; j++) {
            if (firn_streq(sources[j].name, r.out->name)) {
                FIRN_FAIL(err, FIRN_E_CONFIG, "%s:%d: there is a source \"%s\" already, on line %d",
                          yaml->filename, r.line, r.out->name, sources[j].line);
            }
        }
    }
    out->sources = sources;
    out->n_sources = n;
    return FIRN_OK;
}

void firn_config_sources_resolve(firn_config *config,
                                 char *(*absolute)(firn_arena *arena, const char *root,
                                                   const char *path),
                                 firn_arena *arena, const char *root)
{
    for (size_t i = 0; i < config->n_sources; i++) {
        for (size_t m = 0; m < N_MEMBERS; m++) {
            const char **path = member_at(&config->sources[i], &MEMBERS[m]);
            if (MEMBERS[m].kind == MEMBER_PATH && *path != NULL) {
                *path = absolute(arena, root, *path);
            }
        }
    }
}

static const char *const KIND_NAMES[] = {
    [FIRN_SOURCE_KAFKA] = "kafka", [FIRN_SOURCE_KSQLDB] = "ksqldb"};
static const char *const KIND_EXAMPLES[] = {[FIRN_SOURCE_KAFKA] = "kafka: \"host:9092\"",
                                            [FIRN_SOURCE_KSQLDB] = "ksqldb: \"http://host:8088\""};

static firn_rc choose_one(const firn_source_config *const *sources, size_t n, firn_source_kind kind,
                          const firn_source_config **out, firn_err *err)
{
    if (n > 1) {
        FIRN_FAIL(err, FIRN_E_CONFIG,
                  "the lake has %zu %s sources; say which one (the first is \"%s\")", n,
                  KIND_NAMES[kind], sources[0]->name);
    }
    *out = sources[0];
    return FIRN_OK;
}

firn_rc firn_source_config_find(const firn_config *config, firn_source_kind kind, const char *name,
                                const firn_source_config **out, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const firn_source_config **sources =
        FIRN_NEW_N(arena, const firn_source_config *, config->n_sources);
    const char **names = FIRN_NEW_N(arena, const char *, config->n_sources);
    size_t n = 0;
    for (size_t i = 0; i < config->n_sources; i++) {
        const firn_source_config *source = &config->sources[i];
        if (source->kind == kind) {
            sources[n] = source;
            names[n++] = source->name;
        }
        if (name != NULL && firn_streq(source->name, name)) {
            if (source->kind != kind) {
                FIRN_FAIL(err, FIRN_E_CONFIG,
                          "firn.yaml:%d: source \"%s\" is %s, and %s is wanted here", source->line,
                          name, KIND_NAMES[source->kind], KIND_NAMES[kind]);
            }
            *out = source;
            return FIRN_OK;
        }
    }
    if (n == 0) {
        FIRN_FAIL(err, FIRN_E_CONFIG,
                  "%s%s%s: firn.yaml has no %s sources; add `sources: [{name: %s, %s}]`",
                  name != NULL ? "source \"" : "no source", name != NULL ? name : "",
                  name != NULL ? "\"" : "", KIND_NAMES[kind],
                  name != NULL ? name : KIND_NAMES[kind], KIND_EXAMPLES[kind]);
    }
    if (name == NULL) {
        return choose_one(sources, n, kind, out, err);
    }
    const char *nearest = firn_nearest(name, names, n);
    if (nearest != NULL) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "firn.yaml has no source \"%s\". Did you mean \"%s\"?", name,
                  nearest);
    }
    FIRN_FAIL(err, FIRN_E_CONFIG, "firn.yaml has no source \"%s\"; it has %s", name,
              firn_str_join(arena, names, n, ", "));
}

void firn_config_sources_reference(firn_buf *out)
{
    firn_buf_puts(out,
                  "\n## sources\n\n"
                  "Connections that rows come from. All but the name and where it is may be left "
                  "out. Secrets are shown nowhere.\n\n"
                  "```yaml\n"
                  "sources:\n"
                  "  - name: shop\n"
                  "    kafka: pkc-1234.eu-west-1.aws.confluent.cloud:9092\n"
                  "    username: \"${KAFKA_KEY}\"\n"
                  "    password: \"${KAFKA_SECRET}\"\n"
                  "    registry: https://psrc-5678.eu-west-1.aws.confluent.cloud\n"
                  "    registry_username: \"${REGISTRY_KEY}\"\n"
                  "    registry_password: \"${REGISTRY_SECRET}\"\n"
                  "  - name: ksql\n"
                  "    ksqldb: http://localhost:8088\n"
                  "```\n\n"
                  "| member | value | meaning |\n|---|---|---|\n");
    static const char *const KINDS[] = {[MEMBER_TEXT] = "text",
                                        [MEMBER_PATH] = "path",
                                        [MEMBER_URL] = "URL",
                                        [MEMBER_MAPPING] = "mapping"};
    for (size_t i = 0; i < N_MEMBERS; i++) {
        firn_buf_printf(out, "| `%s` | %s | %s |\n", MEMBERS[i].name, KINDS[MEMBERS[i].kind],
                        MEMBERS[i].help);
    }
}
