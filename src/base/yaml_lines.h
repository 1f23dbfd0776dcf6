/* Where the nodes of a document stand: what firn_yaml.lines holds. */
#ifndef BASE_YAML_LINES_H
#define BASE_YAML_LINES_H

#include "base/map.h"
#include "base/yaml.h"

typedef struct line_index {
    firn_imap *nodes; /* json_t address -> line */
    firn_imap *keys;  /* mapping's address -> firn_map of key -> line */
} line_index;

static inline void *from_line(int line)
{
    return (void *)(intptr_t)line;
}

static inline int to_line(const void *value)
{
    return (int)(intptr_t)value;
}

static inline int64_t address_of(const json_t *node)
{
    return (int64_t)(intptr_t)node;
}

/* jansson has one true, one false and one null: they stand on no line. */
static inline bool is_singleton(const json_t *node)
{
    return json_is_null(node) || json_is_boolean(node);
}

#endif
