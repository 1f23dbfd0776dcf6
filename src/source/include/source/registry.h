/* A Schema Registry (Confluent's protocol; Apicurio, Karapace and Redpanda speak it, too): schemas by id, by guid and by subject.
 *
 *   GET /schemas/ids/{id}?subject=      GET /subjects/{subject}/versions/latest
 *   GET /schemas/guids/{guid}           GET /subjects/{subject}/versions/{version}?deleted=true   what a schema refers to
 *
 * Schemas are immutable, so what was fetched once is kept for the client's life. That an id is unknown is kept for a second, so
 * that a stream of such messages does not become a stream of requests. A registry that does not answer is asked again only after a
 * pause that grows to half a minute; until then calls fail at once.
 *
 * Threads: any; no lock is held while the registry is asked.
 * Errors: NOT_FOUND (the registry says that it has no such id or subject), UNAVAILABLE (retriable), PERMISSION (401, 403),
 * CONFIG (the URL is none, or what answers there is no registry), CORRUPT (a schema's references make no sense), LIMIT.
 */
#ifndef SOURCE_REGISTRY_H
#define SOURCE_REGISTRY_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

typedef struct firn_registry_options {
    const char *url;                 /* "https://host:8081"; several, by comma, are tried in turn */
    const char *username, *password; /* basic auth: API key and secret; nullable */
    const char *token;               /* bearer; nullable */
    const char *context;             /* ":.sales:", or "sales" for short; nullable */
    const char *ca_file, *cert_file, *key_file;
    int timeout_ms;   /* 0: 10 s */
    int pause_ms_max; /* 0: 30 s */
} firn_registry_options;

typedef struct firn_registry firn_registry;
firn_rc firn_registry_new(const firn_registry_options *options, firn_registry **out,
                          firn_err *err) FIRN_MUST_USE;
void firn_registry_free(firn_registry *registry);

enum {
    FIRN_REGISTRY_ANSWER_BYTES_MAX = 16 << 20,
    FIRN_REGISTRY_REFERENCES_MAX = 1000, /* of one schema, with those of its references */
};

typedef enum firn_schema_kind {
    FIRN_SCHEMA_AVRO,
    FIRN_SCHEMA_JSON,
    FIRN_SCHEMA_PROTOBUF
} firn_schema_kind;
const char *firn_schema_kind_name(firn_schema_kind kind); /* "JSON Schema" */

typedef struct firn_registered {
    firn_schema_kind kind;
    int32_t id;          /* -1: known by guid only */
    int32_t version;     /* by subject; else 0 */
    const char *subject; /* nullable */
    const char *text;
    /* What it refers to, each before those that need it. */
    struct firn_reference {
        const char *name; /* as the schema writes it: full name, or import path */
        const char *text;
    } *references;
    size_t n_references;
} firn_registered;

/* All results live as long as the registry. */
firn_rc firn_registry_by_id(firn_registry *registry, int32_t id, const char *subject /* nullable */,
                            const firn_registered **out, firn_err *err) FIRN_MUST_USE;
firn_rc firn_registry_by_guid(firn_registry *registry, const uint8_t guid[16],
                              const firn_registered **out, firn_err *err) FIRN_MUST_USE;
/* The latest version is asked for again after `max_age_ms`. */
firn_rc firn_registry_latest(firn_registry *registry, const char *subject, int max_age_ms,
                             const firn_registered **out, firn_err *err) FIRN_MUST_USE;

/* topic: "<topic>-value"; record: the record's full name; topic_record: "<topic>-<record>". */
typedef enum firn_subject_strategy {
    FIRN_SUBJECT_TOPIC,
    FIRN_SUBJECT_RECORD,
    FIRN_SUBJECT_TOPIC_RECORD
} firn_subject_strategy;
char *firn_subject_name(firn_arena *arena, firn_subject_strategy strategy, const char *topic,
                        const char *record /* nullable for topic */, bool key);

#endif
