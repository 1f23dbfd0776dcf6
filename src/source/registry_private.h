/* Between the registry's client (registry.c) and what its answers mean (registry_schema.c). */
#ifndef FIRN_SOURCE_REGISTRY_PRIVATE_H
#define FIRN_SOURCE_REGISTRY_PRIVATE_H

#include "base/json.h"
#include "source/registry.h"

/* Asks GET <url><path>. `what` stands in messages: "schema with id 7". The tree lives in the arena. */
firn_rc firn_registry_ask(firn_registry *registry, firn_arena *arena, const char *path,
                          const char *what, json_t **out, firn_err *err) FIRN_MUST_USE;
/* The subject with the registry's context before it, unless it names one. */
const char *firn_registry_qualify(const firn_registry *registry, firn_arena *arena,
                                  const char *subject);

/* What was asked for, where the answer does not repeat it. */
typedef struct firn_registered_given {
    int32_t id; /* -1: not known */
    const char *subject;
} firn_registered_given;

/* A schema from an answer, its references fetched. */
firn_rc firn_registered_read(firn_registry *registry, firn_arena *arena, const json_t *json,
                             const char *what, const firn_registered_given *given,
                             firn_registered **out, firn_err *err) FIRN_MUST_USE;

#endif
