/* What config.c, config_sources.c and config_schedules.c share. */
#ifndef LAKE_CONFIG_PRIVATE_H
#define LAKE_CONFIG_PRIVATE_H

#include "lake/config.h"

/* `node`: what stands under `sources`, on `line`. */
firn_rc firn_config_sources(firn_arena *arena, const firn_yaml *yaml, const json_t *node, int line,
                            firn_config *out, firn_err *err) FIRN_MUST_USE;
/* Paths of the connections, relative to the lake's folder, made absolute by `absolute`. */
void firn_config_sources_resolve(firn_config *config,
                                 char *(*absolute)(firn_arena *arena, const char *root,
                                                   const char *path),
                                 firn_arena *arena, const char *root);
/* The members' table of the reference page, Markdown. */
void firn_config_sources_reference(firn_buf *out);

/* The same of `schedules`. */
firn_rc firn_config_schedules(firn_arena *arena, const firn_yaml *yaml, const json_t *node,
                              int line, firn_config *out, firn_err *err) FIRN_MUST_USE;
void firn_config_schedules_reference(firn_buf *out);

#endif
