/* Finding DuckDB's functions. Invariant: firn_duck_api is written once, when every function has been found.
 */
#include "duck_api.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct firn_duck_api firn_duck_api;

/* In the order of the members, each of which is one pointer. # keeps the name as it stands in the list. */
#define NAME(name) #name,
static const char *const NAMES[] = {FIRN_DUCK_API(NAME)};
#undef NAME
enum { N_NAMES = sizeof(NAMES) / sizeof(NAMES[0]) };
_Static_assert(sizeof(firn_duck_api) == N_NAMES * sizeof(void *), "one pointer for each name");

static const char *path_of(void *library)
{
    struct link_map *map = NULL;
    return dlinfo(library, RTLD_DI_LINKMAP, &map) == 0 ? map->l_name : "its library";
}

static firn_rc find_all(void *library, firn_err *err)
{
    void *found[N_NAMES];
    for (size_t i = 0; i < N_NAMES; i++) {
        found[i] = dlsym(library, NAMES[i]);
        if (found[i] == NULL) {
            FIRN_FAIL(err, FIRN_E_ENGINE,
                      "cannot use DuckDB: %s has no function %s; firn needs DuckDB 1.5 or later",
                      path_of(library), NAMES[i]);
        }
    }
    memcpy(&firn_duck_api, found, sizeof(firn_duck_api));
    return FIRN_OK;
}

/* DEEPBIND looks for DuckDB's 40,000 names in DuckDB before it looks in the fifty libraries of the program: 10 ms less. Not where
 * something stands between a program and the C library (a sanitizer, another allocator): DuckDB would go past it, and what one
 * allocates would be freed by the other. */
static int scope(void)
{
    void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    bool plain = libc != NULL && dlsym(libc, "malloc") == dlsym(RTLD_DEFAULT, "malloc") &&
                 getenv("LD_PRELOAD") == NULL;
    if (libc != NULL) {
        dlclose(libc);
    }
    return plain ? RTLD_LOCAL | RTLD_DEEPBIND : RTLD_LOCAL;
}

static firn_rc load(const char *name, bool *loaded, firn_err *err)
{
    void *library = dlopen(name, RTLD_LAZY | scope());
    if (library == NULL) {
        FIRN_FAIL(err, FIRN_E_ENGINE,
                  "cannot load DuckDB, which runs SQL: %s; put it where firn was built to look for "
                  "it (./run setup does) or name its folder in LD_LIBRARY_PATH",
                  dlerror());
    }
    firn_rc rc = find_all(library, err);
    *loaded = rc == FIRN_OK;
    if (rc != FIRN_OK) {
        dlclose(library);
    }
    return rc;
}

firn_rc firn_duck_api_load(const char *library, firn_err *err)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static bool loaded; /* under `lock` */
    pthread_mutex_lock(&lock);
    firn_rc rc = loaded ? FIRN_OK : load(library, &loaded, err);
    pthread_mutex_unlock(&lock);
    return rc;
}
