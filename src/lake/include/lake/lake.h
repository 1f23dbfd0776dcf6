/* A lake: a folder with firn.yaml, and what that file opens: one storage, one catalog, one warehouse.
 *
 * Layout of a new lake:
 *   firn.yaml          configuration (lake/config.h)
 *   .firn/catalog.db   the catalog (SQLite)
 *   .firn/tmp/         spill files of the engine
 *   warehouse/         table files
 *   raw/ pipelines/ logs/   by use
 */
#ifndef LAKE_LAKE_H
#define LAKE_LAKE_H

#include "catalog/catalog.h"
#include "lake/config.h"

typedef struct firn_lake firn_lake;

/* Makes DIR a lake: firn.yaml with every key commented, the catalog, the folders. EXISTS if it is one already. Interrupted at
 * any point it can simply be called again. */
firn_rc firn_lake_init(const char *dir, const char *name, firn_err *err) FIRN_MUST_USE;
/* The same, with a catalog elsewhere. choices->name NULL: the folder's. */
firn_rc firn_lake_init_with(const char *dir, const firn_config_choices *choices,
                            firn_err *err) FIRN_MUST_USE;

/* dir NULL: $FIRN_LAKE, else the nearest parent of the working folder that has firn.yaml; NOT_FOUND says how to make one. */
firn_rc firn_lake_find(firn_arena *arena, const char *dir, char **root,
                       firn_err *err) FIRN_MUST_USE;
firn_rc firn_lake_open(const char *root, firn_lake **out, firn_err *err) FIRN_MUST_USE;
void firn_lake_close(firn_lake *lake);

const char *firn_lake_root(const firn_lake *lake); /* absolute path */
const firn_config *firn_lake_config(const firn_lake *lake);
firn_catalog *firn_lake_catalog(firn_lake *lake);
firn_storage *firn_lake_storage(firn_lake *lake);
/* A path of the configuration, relative to the lake's folder, made absolute. */
char *firn_lake_path(const firn_lake *lake, firn_arena *arena, const char *relative);

#endif
