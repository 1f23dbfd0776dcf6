/* The connections of firn.yaml's `sources`: how to reach what rows come from. Feeds and commands name them.
 *
 *   sources:
 *     - name: shop
 *       kafka: broker-1:9092,broker-2:9092
 *       username: "${KAFKA_KEY}"
 *       password: "${KAFKA_SECRET}"
 *       registry: https://registry:8081
 *     - name: ksql
 *       ksqldb: http://ksql:8088
 *
 * Members are declared once, in the table of config_sources.c; the reference page is made from it. All but the name may be left out.
 * Values may be secrets: no message shows one. Everything lives in the configuration's arena.
 */
#ifndef LAKE_SOURCES_H
#define LAKE_SOURCES_H

#include "base/json.h"

typedef enum firn_source_kind { FIRN_SOURCE_KAFKA, FIRN_SOURCE_KSQLDB } firn_source_kind;

/* Texts NULL when not given; paths are absolute once a lake has been opened. */
typedef struct firn_source_config {
    firn_source_kind kind; /* by the member that says where it is */
    const char *name;
    const char *kafka;  /* brokers: "host:9092,host:9092" */
    const char *ksqldb; /* "http://host:8088" */
    const char *security, *mechanism;
    const char *username, *password, *token;
    const char *timeout, *http;
    const char *ca_file, *cert_file, *key_file, *key_password;
    const char *oauth_url, *oauth_client, *oauth_secret, *oauth_scope;
    const json_t *properties; /* object of scalars: the client library's own settings */
    const char *registry;     /* URL, or several by comma */
    const char *registry_username, *registry_password, *registry_token;
    const char *registry_context, *registry_ca_file;
    int line; /* of firn.yaml */
} firn_source_config;

struct firn_config;
/* The connection of that kind and name; NULL when there is one of the kind only. CONFIG if there is none of that name (the nearest is
 * said), or it is of another kind, or there are none at all, or several to choose from. */
firn_rc firn_source_config_find(const struct firn_config *config, firn_source_kind kind,
                                const char *name, const firn_source_config **out,
                                firn_err *err) FIRN_MUST_USE;

#endif
