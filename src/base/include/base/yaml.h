/* YAML configuration files, read by libyaml into a JSON tree plus the line of every node, so that config
 * errors can say where. Scalars: plain null/true/false/integers/floats become JSON values, everything
 * else (and every quoted scalar) a string. Anchors and aliases work; tags, several documents and duplicate
 * keys are refused. `${NAME}` and `${NAME:-default}` in scalars are replaced from the environment; an unset name
 * without default is a CONFIG error; `$${` stands for a literal `${`. Values only, never keys: so the
 * environment cannot add structure. A plain scalar gets its type after the replacement, a quoted one stays a
 * string. Integers with leading zeros or outside 64 bits stay strings rather than being misread.
 *
 * Bounds: 1 MiB of text, 64 levels and 100,000 nodes, both counted with aliases written out: LIMIT beyond.
 * Everything else that is wrong is CONFIG, with file and line. An empty document is null.
 */
#ifndef BASE_YAML_H
#define BASE_YAML_H

#include "base/json.h"

typedef struct firn_yaml {
    json_t *root;         /* owned by the arena */
    const char *filename; /* for messages */
    void *lines;          /* internal: node -> line */
} firn_yaml;

firn_rc firn_yaml_parse(firn_arena *arena, firn_bytes text, const char *filename, firn_yaml *out,
                        firn_err *err) FIRN_MUST_USE;
firn_rc firn_yaml_load(firn_arena *arena, const char *path, firn_yaml *out,
                       firn_err *err) FIRN_MUST_USE;
/* `${...}` is left as it stands: for files whose variables are not the environment's. */
firn_rc firn_yaml_parse_raw(firn_arena *arena, firn_bytes text, const char *filename,
                            firn_yaml *out, firn_err *err) FIRN_MUST_USE;
firn_rc firn_yaml_load_raw(firn_arena *arena, const char *path, firn_yaml *out,
                           firn_err *err) FIRN_MUST_USE;
/* The same from a JSON file: `lines` work, and so does firn_yaml_read_keys. Duplicate keys are refused; CONFIG with file and line. */
firn_rc firn_yaml_of_json(firn_arena *arena, firn_bytes text, const char *filename, firn_yaml *out,
                          firn_err *err) FIRN_MUST_USE;
/* 1-based line where `node` starts (pointer identity), 0 if unknown. Singletons such as json_true() have none:
 * ask for the line of the mapping and key instead. */
int firn_yaml_line(const firn_yaml *yaml, const json_t *node);
int firn_yaml_key_line(const firn_yaml *yaml, const json_t *mapping, const char *key);

/* A scalar as text, in the arena or the tree; NULL for lists, mappings and null. */
const char *firn_yaml_scalar(firn_arena *arena, const json_t *node);

/* A file whose keys are declared in one table: dots in a path stand for sections. */
typedef struct firn_yaml_keys {
    size_t n;
    const char *(*path)(size_t row); /* "commit.every" */
    const char *reference;           /* what lists all keys, for messages */
    bool json;                       /* written as JSON: for messages */
    firn_rc (*take)(void *ctx, size_t row, const json_t *node, int line, firn_err *err);
    void *ctx;
} firn_yaml_keys;
/* Gives each key of the document to `take`, those without a value left out. CONFIG names an unknown key and the nearest known one. */
firn_rc firn_yaml_read_keys(firn_arena *arena, const firn_yaml *yaml, const firn_yaml_keys *keys,
                            firn_err *err) FIRN_MUST_USE;

#endif
