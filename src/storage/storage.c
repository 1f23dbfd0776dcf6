/* firn_storage: applies the aliases, picks the driver by scheme, and leaves the work to it. */
#include "storage/storage.h"

#include "location.h"
#include "posix.h"

#include <assert.h>
#include <stdlib.h>

enum { STORAGE_DRIVERS_MAX = 8 };

/* Both sides as drivers see them: paths without "file://", no trailing slash. */
typedef struct alias {
    char *from;
    char *to;
    size_t from_len;
} alias;

struct firn_storage {
    alias *aliases; /* longest `from` first, so that the first match is the longest */
    size_t n_aliases;
    firn_storage_driver drivers[STORAGE_DRIVERS_MAX];
    size_t n_drivers;
};

static char *dup_without_trailing_slash(const char *location)
{
    firn_location parsed;
    char *text = firn_strdup(firn_location_parse(location, &parsed, NULL) == FIRN_OK ? parsed.target
                                                                                     : location);
    for (size_t len = strlen(text); len > 0 && text[len - 1] == '/'; len--) {
        text[len - 1] = '\0';
    }
    return text;
}

static int by_length_descending(const void *a, const void *b)
{
    size_t left = ((const alias *)a)->from_len, right = ((const alias *)b)->from_len;
    return left < right ? 1 : left > right ? -1 : 0;
}

firn_storage *firn_storage_new(const firn_storage_options *options)
{
    static const firn_storage_options defaults = {0};
    if (!options) {
        options = &defaults;
    }
    firn_storage *storage = firn_calloc(1, sizeof(*storage));
    storage->aliases = firn_calloc(options->n_aliases + 1, sizeof(*storage->aliases));
    storage->n_aliases = options->n_aliases;
    for (size_t i = 0; i < options->n_aliases; i++) {
        alias *one = &storage->aliases[i];
        one->from = dup_without_trailing_slash(options->aliases[i].from);
        one->to = dup_without_trailing_slash(options->aliases[i].to);
        one->from_len = strlen(one->from);
    }
    qsort(storage->aliases, storage->n_aliases, sizeof(*storage->aliases), by_length_descending);
    firn_storage_driver posix = firn_posix_driver_new(options->fsync_off);
    firn_storage_set_driver(storage, &posix);
    return storage;
}

void firn_storage_free(firn_storage *storage)
{
    if (!storage) {
        return;
    }
    for (size_t i = 0; i < storage->n_drivers; i++) {
        storage->drivers[i].release(storage->drivers[i].ctx);
    }
    for (size_t i = 0; i < storage->n_aliases; i++) {
        free(storage->aliases[i].from);
        free(storage->aliases[i].to);
    }
    free(storage->aliases);
    free(storage);
}

void firn_storage_set_driver(firn_storage *storage, const firn_storage_driver *driver)
{
    for (size_t i = 0; i < storage->n_drivers; i++) {
        if (firn_streq(storage->drivers[i].scheme, driver->scheme)) {
            storage->drivers[i].release(storage->drivers[i].ctx);
            storage->drivers[i] = *driver;
            return;
        }
    }
    assert(storage->n_drivers < STORAGE_DRIVERS_MAX);
    storage->drivers[storage->n_drivers++] = *driver;
}

/* The place that a location stands for, once the aliases have been applied. */
static firn_rc resolve(const firn_storage *storage, firn_arena *arena, const char *location,
                       firn_location *out, firn_err *err)
{
    FIRN_TRY(firn_location_parse(location, out, err));
    for (size_t i = 0; i < storage->n_aliases; i++) {
        const alias *one = &storage->aliases[i];
        char after =
            strncmp(out->target, one->from, one->from_len) == 0 ? out->target[one->from_len] : 'x';
        if (after == '/' || after == '\0') {
            const char *moved =
                firn_arena_printf(arena, "%s%s", one->to, out->target + one->from_len);
            return firn_location_parse(moved, out, err);
        }
    }
    return FIRN_OK;
}

char *firn_storage_resolve(const firn_storage *storage, firn_arena *arena, const char *location)
{
    firn_location place;
    bool understood = resolve(storage, arena, location, &place, NULL) == FIRN_OK;
    return firn_arena_strdup(arena, understood ? place.target : location);
}

static firn_rc unknown_scheme(const firn_storage *storage, const char *scheme, const char *location,
                              firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const char *known[STORAGE_DRIVERS_MAX];
    for (size_t i = 0; i < storage->n_drivers; i++) {
        known[i] = storage->drivers[i].scheme;
    }
    FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
              "no storage driver for \"%s\" locations (%s); known schemes: %s", scheme, location,
              firn_str_join(arena, known, storage->n_drivers, ", "));
}

/* The driver of a location and what to hand to it. */
static firn_rc route(const firn_storage *storage, firn_arena *arena, const char *location,
                     const firn_storage_driver **driver, const char **target, firn_err *err)
{
    firn_location place;
    FIRN_TRY(resolve(storage, arena, location, &place, err));
    for (size_t i = 0; i < storage->n_drivers; i++) {
        if (firn_streq(storage->drivers[i].scheme, place.scheme)) {
            *driver = &storage->drivers[i];
            *target = place.target;
            return FIRN_OK;
        }
    }
    return unknown_scheme(storage, place.scheme, location, err);
}

firn_rc firn_storage_get(firn_storage *storage, firn_arena *arena, const char *location,
                         size_t max_bytes, firn_bytes *out, firn_err *err)
{
    const firn_storage_driver *driver;
    const char *target;
    FIRN_TRY(route(storage, arena, location, &driver, &target, err));
    return driver->get(driver->ctx, arena, target, 0, -1, max_bytes, out, err);
}

firn_rc firn_storage_get_range(firn_storage *storage, firn_arena *arena, const char *location,
                               int64_t offset, size_t length, firn_bytes *out, firn_err *err)
{
    const firn_storage_driver *driver;
    const char *target;
    FIRN_TRY(route(storage, arena, location, &driver, &target, err));
    if (offset < 0 || length > (size_t)(INT64_MAX - offset)) {
        FIRN_FAIL(err, FIRN_E_CORRUPT, "there is no range of %zu bytes at offset %lld in %s",
                  length, (long long)offset, location);
    }
    return driver->get(driver->ctx, arena, target, offset, (int64_t)length, length, out, err);
}

firn_rc firn_storage_size(firn_storage *storage, const char *location, int64_t *size_bytes,
                          firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const firn_storage_driver *driver;
    const char *target;
    FIRN_TRY(route(storage, arena, location, &driver, &target, err));
    return driver->size(driver->ctx, target, size_bytes, err);
}

static firn_rc put(firn_storage *storage, const char *location, firn_bytes content, bool if_absent,
                   firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const firn_storage_driver *driver;
    const char *target;
    FIRN_TRY(route(storage, arena, location, &driver, &target, err));
    return driver->put(driver->ctx, target, content, if_absent, err);
}

firn_rc firn_storage_put(firn_storage *storage, const char *location, firn_bytes content,
                         firn_err *err)
{
    return put(storage, location, content, false, err);
}

firn_rc firn_storage_put_if_absent(firn_storage *storage, const char *location, firn_bytes content,
                                   firn_err *err)
{
    return put(storage, location, content, true, err);
}

firn_rc firn_storage_delete(firn_storage *storage, const char *location, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const firn_storage_driver *driver;
    const char *target;
    FIRN_TRY(route(storage, arena, location, &driver, &target, err));
    return driver->remove(driver->ctx, target, err);
}

firn_rc firn_storage_list(firn_storage *storage, firn_arena *arena, const char *prefix,
                          firn_storage_object **objects, size_t *n, firn_err *err)
{
    const firn_storage_driver *driver;
    const char *target;
    FIRN_TRY(route(storage, arena, prefix, &driver, &target, err));
    FIRN_TRY(driver->list(driver->ctx, arena, target, objects, n, err));
    /* Callers compare the list with locations in table metadata, so it speaks in the words of the question:
     * what was asked for as file:/old is not answered as /new. */
    size_t target_len = strlen(target);
    for (size_t i = 0; i < *n && !firn_streq(prefix, target); i++) {
        firn_storage_object *object = &(*objects)[i];
        object->location = firn_arena_printf(arena, "%s%s", prefix, object->location + target_len);
    }
    return FIRN_OK;
}

firn_rc firn_storage_prepare_dir(firn_storage *storage, const char *location, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const firn_storage_driver *driver;
    const char *target;
    FIRN_TRY(route(storage, arena, location, &driver, &target, err));
    return driver->prepare_dir(driver->ctx, target, err);
}

firn_rc firn_storage_sync(firn_storage *storage, const char *root, const char *const *locations,
                          size_t n, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const firn_storage_driver *root_driver, *driver;
    const char *root_target;
    FIRN_TRY(route(storage, arena, root, &root_driver, &root_target, err));
    const char **targets = FIRN_NEW_N(arena, const char *, n);
    for (size_t i = 0; i < n; i++) {
        FIRN_TRY(route(storage, arena, locations[i], &driver, &targets[i], err));
        if (driver != root_driver) {
            FIRN_FAIL(err, FIRN_E_INVALID, "%s is not under %s", locations[i], root);
        }
    }
    return root_driver->sync(root_driver->ctx, root_target, targets, n, err);
}
