/* A connection's settings in librdkafka's words. Order: our defaults, what the connection says, its `properties` (which win), and at
 * last what firn's promises rest on (set by the consumer), which properties may not touch.
 *
 * Values are never shown: librdkafka's own words repeat them, so of settings that may hold secrets only the name is said.
 */
#include "kafka_private.h"

enum { NAME_BYTES_MAX = 200 };

/* ---- properties that are not the user's ---------------------------------------------------------------- */

static const struct {
    const char *name, *why;
} REFUSED[] = {
    {"bootstrap.servers", "say it as `kafka`"},
    {"metadata.broker.list", "say it as `kafka`"},
    {"group.id", "the feed's `group` says it"},
    {"enable.auto.commit", "offsets live in the table and are committed with the rows"},
    {"auto.commit.enable", "offsets live in the table and are committed with the rows"},
    {"enable.auto.offset.store", "offsets live in the table and are committed with the rows"},
    {"auto.offset.reset", "an offset that is gone must stop the feed, not jump; the feed's `start` "
                          "says where new partitions begin"},
    {"enable.partition.eof", "the consumer does not expect it"},
    {"plugin.library.paths", "firn loads no code of others"},
};
enum { N_REFUSED = sizeof(REFUSED) / sizeof(REFUSED[0]) };

firn_rc firn_kafka_check_properties(const json_t *properties, firn_err *err)
{
    for (size_t i = 0; i < N_REFUSED; i++) {
        if (json_object_get(properties, REFUSED[i].name) != NULL) {
            FIRN_FAIL(err, FIRN_E_CONFIG, "properties: %s cannot be set here: %s", REFUSED[i].name,
                      REFUSED[i].why);
        }
    }
    return FIRN_OK;
}

/* ---- setting ------------------------------------------------------------------------------------------- */

static bool may_be_secret(const char *name)
{
    static const char *const WORDS[] = {"password", "secret", "pem", "token", "jaas", "config"};
    for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
        if (strcasestr(name, WORDS[i]) != NULL) {
            return true;
        }
    }
    return false;
}

firn_rc firn_kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value,
                            firn_err *err)
{
    char why[512] = "";
    switch (rd_kafka_conf_set(conf, name, value, why, sizeof(why))) {
    case RD_KAFKA_CONF_OK: return FIRN_OK;
    case RD_KAFKA_CONF_UNKNOWN:
        FIRN_FAIL(err, FIRN_E_CONFIG, "librdkafka %s has no setting \"%.*s\"",
                  rd_kafka_version_str(), NAME_BYTES_MAX, name);
    default:
        if (may_be_secret(name)) {
            FIRN_FAIL(err, FIRN_E_CONFIG, "librdkafka does not take the value of %s", name);
        }
        FIRN_FAIL(err, FIRN_E_CONFIG, "librdkafka does not take the value of %.*s: %s",
                  NAME_BYTES_MAX, name, why);
    }
}

firn_rc firn_kafka_conf_default(const firn_kafka *kafka, rd_kafka_conf_t *conf, const char *name,
                                const char *value, firn_err *err)
{
    if (json_object_get(kafka->options.properties, name) != NULL) {
        return FIRN_OK;
    }
    return firn_kafka_conf_set(conf, name, value, err);
}

const char *firn_kafka_conf_get(rd_kafka_t *rk, firn_arena *arena, const char *name)
{
    size_t size = 0;
    if (rd_kafka_conf_get(rd_kafka_conf(rk), name, NULL, &size) != RD_KAFKA_CONF_OK || size == 0) {
        return "";
    }
    char *value = firn_arena_alloc(arena, size);
    if (rd_kafka_conf_get(rd_kafka_conf(rk), name, value, &size) != RD_KAFKA_CONF_OK) {
        return "";
    }
    return value;
}

static firn_rc set_properties(const firn_kafka *kafka, rd_kafka_conf_t *conf, firn_err *err)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)kafka->options.properties, name, value)
    {
        char number[64];
        const char *text = NULL;
        if (json_is_integer(value)) {
            snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
            text = number;
        } else if (json_is_real(value)) {
            snprintf(number, sizeof(number), "%g", json_real_value(value));
            text = number;
        } else {
            text = json_is_true(value)    ? "true"
                   : json_is_false(value) ? "false"
                                          : json_string_value(value);
        }
        if (text == NULL) {
            FIRN_FAIL(err, FIRN_E_CONFIG, "properties: %.*s must be a single value", NAME_BYTES_MAX,
                      name);
        }
        firn_rc rc = firn_kafka_conf_set(conf, name, text, err);
        if (rc != FIRN_OK) {
            return firn_err_wrap(err, rc, "properties");
        }
    }
    return FIRN_OK;
}

/* ---- security ------------------------------------------------------------------------------------------ */

/* Never in the clear what was not asked to be: a login without a word on security goes over TLS. */
static const char *security_of(const firn_kafka_options *o)
{
    if (o->security != NULL) {
        return o->security;
    }
    if (o->username != NULL || o->mechanism != NULL || o->oauth_url != NULL) {
        return "sasl_ssl";
    }
    return o->ca_file != NULL || o->cert_file != NULL ? "ssl" : "plaintext";
}

static const char *mechanism_of(const firn_kafka_options *o)
{
    return o->mechanism != NULL ? o->mechanism : o->oauth_url != NULL ? "OAUTHBEARER" : "PLAIN";
}

static firn_rc check_login(const firn_kafka_options *o, const char *security, firn_err *err)
{
    const char *mechanism = mechanism_of(o);
    if (!firn_starts_with(security, "sasl")) {
        if (o->username != NULL || o->oauth_url != NULL) {
            FIRN_FAIL(err, FIRN_E_CONFIG,
                      "security is %s, but a login is given: it needs sasl_ssl (or sasl_plaintext)",
                      security);
        }
        return FIRN_OK;
    }
    bool by_password = firn_streq(mechanism, "PLAIN") || firn_starts_with(mechanism, "SCRAM-");
    if (by_password && (o->username == NULL || o->password == NULL)) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "mechanism %s needs a username and a password", mechanism);
    }
    if (firn_streq(mechanism, "OAUTHBEARER") &&
        (o->oauth_url == NULL || o->oauth_client == NULL || o->oauth_secret == NULL)) {
        FIRN_FAIL(err, FIRN_E_CONFIG,
                  "mechanism OAUTHBEARER needs oauth_url, oauth_client and oauth_secret");
    }
    return FIRN_OK;
}

static firn_rc set_security(firn_kafka *kafka, rd_kafka_conf_t *conf, firn_err *err)
{
    const firn_kafka_options *o = &kafka->options;
    const char *security = security_of(o);
    FIRN_TRY(firn_kafka_conf_default(kafka, conf, "security.protocol", security, err));
    if (json_object_get(o->properties, "security.protocol") == NULL) {
        FIRN_TRY(check_login(o, security, err));
    }
    if (firn_starts_with(security, "sasl")) {
        FIRN_TRY(firn_kafka_conf_default(kafka, conf, "sasl.mechanism", mechanism_of(o), err));
    }
    const struct {
        const char *name, *value;
    } texts[] = {
        {"sasl.username", o->username},    {"sasl.password", o->password},
        {"ssl.ca.location", o->ca_file},   {"ssl.certificate.location", o->cert_file},
        {"ssl.key.location", o->key_file}, {"ssl.key.password", o->key_password},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i].value != NULL) {
            FIRN_TRY(firn_kafka_conf_default(kafka, conf, texts[i].name, texts[i].value, err));
        }
    }
    return FIRN_OK;
}

firn_rc firn_kafka_conf(firn_kafka *kafka, rd_kafka_conf_t **out, firn_err *err)
{
    const firn_kafka_options *o = &kafka->options;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    static const char *const DEFAULTS[][2] = {
        {"log.connection.close", "false"},
        {"socket.keepalive.enable", "true"},
        {"reconnect.backoff.max.ms", "5000"},
        {"topic.blacklist", "^__consumer_offsets$,^__transaction_state$"},
        {"isolation.level", "read_committed"},
        {"check.crcs", "true"},
    };
    firn_rc rc = firn_kafka_check_properties(o->properties, err);
    for (size_t i = 0; rc == FIRN_OK && i < sizeof(DEFAULTS) / sizeof(DEFAULTS[0]); i++) {
        rc = firn_kafka_conf_default(kafka, conf, DEFAULTS[i][0], DEFAULTS[i][1], err);
    }
    if (rc == FIRN_OK) {
        rc = firn_kafka_conf_set(conf, "bootstrap.servers", o->brokers, err);
    }
    if (rc == FIRN_OK) {
        rc = firn_kafka_conf_default(kafka, conf, "client.id",
                                     o->client_id != NULL ? o->client_id : "firn", err);
    }
    if (rc == FIRN_OK) {
        rc = set_security(kafka, conf, err);
    }
    if (rc == FIRN_OK) {
        rc = set_properties(kafka, conf, err);
    }
    if (rc != FIRN_OK) {
        rd_kafka_conf_destroy(conf);
        return rc;
    }
    *out = conf;
    return FIRN_OK;
}
