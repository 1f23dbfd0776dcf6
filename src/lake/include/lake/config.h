/* firn.yaml: every key is declared once, in the table of config.c (name, type, default, bounds, help). Parser, the comments that
 * `firn init` writes and the reference page docs/reference/config.md are generated from it.
 *
 * Unknown keys are errors that name file, line and the nearest known key. Values may hold ${ENV}.
 */
#ifndef LAKE_CONFIG_H
#define LAKE_CONFIG_H

#include "base/yaml.h"
#include "catalog/catalog.h"
#include "lake/schedules.h"
#include "lake/sources.h"
#include "storage/storage.h"

/* Members in the order of the key's fields (config.c). */
typedef struct firn_config_token {
    const char *name, *token, *role;
} firn_config_token;
typedef struct firn_config_client {
    const char *id, *secret, *role;
} firn_config_client;

typedef struct firn_config {
    const char *name;           /* lake.name */
    const char *warehouse;      /* warehouse: path or URI */
    const char *catalog;        /* catalog.path */
    const char *catalog_uri;    /* catalog.uri; NULL: the file */
    const char *catalog_schema; /* catalog.schema */
    int64_t catalog_pool;       /* catalog.pool */
    int64_t catalog_busy_ms;    /* catalog.busy_timeout */
    firn_remote_options
        remote; /* catalog.warehouse, .credential, ... .headers: of a REST catalog */
    int64_t engine_memory_bytes;  /* engine.memory_limit; 0: 60% of the machine's */
    int64_t engine_threads;       /* engine.threads; 0: all */
    const char *engine_temp;      /* engine.temp_dir */
    int64_t manifest_cache_bytes; /* engine.manifest_cache */
    int64_t target_file_bytes;    /* write.target_file_size: default of new tables */
    int64_t format_version;       /* write.format_version: default of new tables, 2 or 3 */
    const char *compression;      /* write.compression */
    const char *pipelines;        /* pipelines: folder */
    const char *feeds;            /* feeds: folder */
    firn_source_config *sources;  /* sources: lake/sources.h */
    size_t n_sources;
    firn_schedule_config *schedules; /* schedules: lake/schedules.h */
    size_t n_schedules;
    const char *serve_http;     /* serve.http: host:port */
    const char *serve_tls_cert; /* serve.tls_cert: path; NULL: none */
    const char *serve_tls_key;
    const char *serve_auth;          /* serve.auth: none, token */
    firn_config_token *serve_tokens; /* serve.tokens */
    size_t n_serve_tokens;
    firn_config_client *serve_clients; /* serve.clients */
    size_t n_serve_clients;
    int64_t serve_token_ms;      /* serve.token_lifetime */
    bool serve_insecure;         /* serve.insecure */
    int64_t serve_request_bytes; /* serve.max_request */
    int64_t serve_request_ms;    /* serve.request_timeout */
    int64_t serve_connections;   /* serve.connections */
    firn_storage_alias *aliases; /* storage.aliases: [{from, to}] */
    size_t n_aliases;
} firn_config;

firn_rc firn_config_parse(firn_arena *arena, firn_bytes text, const char *filename,
                          firn_config *out, firn_err *err) FIRN_MUST_USE;
/* The commented file of a new lake, with what its maker chose; nullable but for the name. ${ENV} is kept as it stands. */
typedef struct firn_config_choices {
    const char *name;
    const char *catalog_uri;
    const char *catalog_schema;
} firn_config_choices;
char *firn_config_template(firn_arena *arena, const firn_config_choices *choices);
/* The reference page, Markdown. */
char *firn_config_reference(firn_arena *arena);

#endif
