/* A set of paths that keeps 8 bytes of each: for "which of a million files does nobody need any more".
 *
 * Two paths with the same hash are one to it. Whoever deletes only what is in the set, and takes out of it what is needed, is safe
 * all the same: the mistake that a shared hash makes is a file that stays.
 */
#ifndef MAINTAIN_PATH_SET_H
#define MAINTAIN_PATH_SET_H

#include "base/str.h"

typedef struct firn_path_set {
    uint64_t *slots; /* heap; 0: free, 1: taken out */
    size_t n_slots, used, len;
} firn_path_set;

void firn_path_set_deinit(firn_path_set *set);
bool firn_path_set_has(const firn_path_set *set, const char *path);
/* True when it was not there. */
bool firn_path_set_add(firn_path_set *set, const char *path);
/* True when it was there. */
bool firn_path_set_remove(firn_path_set *set, const char *path);

#endif
