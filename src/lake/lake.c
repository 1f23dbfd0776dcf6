/* Opening and making lakes. firn.yaml is written last, so that a folder is a lake exactly when everything in it is there; init
 * of a half-made one goes through the same steps again.
 */
#include "lake/lake.h"
#include "config_private.h"

#include "base/io.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONFIG_BYTES_MAX = 1 << 20 };

#define CONFIG_NAME       "firn.yaml"
#define DEFAULT_NAMESPACE "default"

struct firn_lake {
    firn_arena *arena;
    char *root;
    firn_config config;
    firn_storage *storage;
    firn_catalog *catalog;
};

static bool is_uri(const char *path)
{
    return strstr(path, "://") != NULL || firn_starts_with(path, "file:");
}

static char *path_under(firn_arena *arena, const char *root, const char *relative)
{
    if (is_uri(relative)) {
        return firn_arena_strdup(arena, relative);
    }
    return relative[0] == '/' ? firn_path_absolute(arena, relative)
                              : firn_path_absolute(arena, firn_path_join(arena, root, relative));
}

static firn_rc open_parts(firn_lake *lake, bool create, firn_err *err)
{
    const firn_config *config = &lake->config;
    firn_storage_alias *aliases = FIRN_NEW_N(lake->arena, firn_storage_alias, config->n_aliases);
    for (size_t i = 0; i < config->n_aliases; i++) {
        aliases[i].from = config->aliases[i].from;
        aliases[i].to = path_under(lake->arena, lake->root, config->aliases[i].to);
    }
    lake->storage = firn_storage_new(
        &(firn_storage_options){.aliases = aliases, .n_aliases = config->n_aliases});
    const char *warehouse = path_under(lake->arena, lake->root, config->warehouse);
    firn_catalog_options options = {
        .path = path_under(lake->arena, lake->root, config->catalog),
        .uri = config->catalog_uri,
        .remote = &lake->config.remote,
        .schema = config->catalog_schema,
        .pool = (int)config->catalog_pool,
        .create = create,
        .storage = lake->storage,
        .warehouse = firn_location_of_path(lake->arena, warehouse),
        /* What the catalog takes for "not given", 0, is what firn.yaml has for "nothing of it". */
        .busy_timeout_ms = config->catalog_busy_ms > 0 ? (int)config->catalog_busy_ms : -1,
        .manifest_cache_bytes =
            config->manifest_cache_bytes > 0 ? (size_t)config->manifest_cache_bytes : 1,
    };
    if (config->remote.ca_file != NULL) {
        lake->config.remote.ca_file = path_under(lake->arena, lake->root, config->remote.ca_file);
    }
    if (is_uri(options.path)) {
        FIRN_FAIL(err, FIRN_E_CONFIG,
                  "%s/%s: catalog.path must be a file on this machine; a catalog elsewhere is a "
                  "catalog.uri",
                  lake->root, CONFIG_NAME);
    }
    return firn_catalog_open(&options, &lake->catalog, err);
}

static firn_rc read_config(firn_lake *lake, firn_err *err)
{
    const char *path = firn_path_join(lake->arena, lake->root, CONFIG_NAME);
    firn_bytes text;
    firn_rc rc = firn_file_read(lake->arena, path, CONFIG_BYTES_MAX, &text, err);
    if (rc == FIRN_E_NOT_FOUND) {
        FIRN_FAIL(err, FIRN_E_NOT_FOUND, "%s is no lake: it has no %s; `firn init %s` makes it one",
                  lake->root, CONFIG_NAME, lake->root);
    }
    FIRN_TRY(rc);
    FIRN_TRY(firn_config_parse(lake->arena, text, path, &lake->config, err));
    firn_config_sources_resolve(&lake->config, path_under, lake->arena, lake->root);
    return FIRN_OK;
}

static firn_lake *lake_new(const char *root)
{
    firn_arena *arena = firn_arena_new();
    firn_lake *lake = FIRN_NEW(arena, firn_lake);
    lake->arena = arena;
    lake->root = firn_path_absolute(arena, root);
    return lake;
}

firn_rc firn_lake_open(const char *root, firn_lake **out, firn_err *err)
{
    firn_lake *lake = lake_new(root);
    firn_rc rc = read_config(lake, err);
    if (rc == FIRN_OK) {
        rc = open_parts(lake, false, err);
    }
    if (rc != FIRN_OK) {
        firn_lake_close(lake);
        return rc;
    }
    *out = lake;
    return FIRN_OK;
}

void firn_lake_close(firn_lake *lake)
{
    if (lake == NULL) {
        return;
    }
    if (lake->catalog != NULL) {
        firn_catalog_close(lake->catalog);
    }
    if (lake->storage != NULL) {
        firn_storage_free(lake->storage);
    }
    firn_arena_free(lake->arena);
}

/* ---- making one -------------------------------------------------------------------------------------- */

static firn_rc make_folders(firn_arena *arena, const char *root, firn_err *err)
{
    static const char *const FOLDERS[] = {".firn", ".firn/tmp", "warehouse",
                                          "raw",   "pipelines", "logs"};
    for (size_t i = 0; i < sizeof(FOLDERS) / sizeof(FOLDERS[0]); i++) {
        FIRN_TRY(firn_mkdir_p(firn_path_join(arena, root, FOLDERS[i]), 0755, err));
    }
    return FIRN_OK;
}

/* Unqualified names need a home from the first statement on. */
static firn_rc make_default_namespace(firn_lake *lake, firn_err *err)
{
    json_t *properties = NULL;
    firn_err ignored = {0};
    firn_rc rc = firn_catalog_namespace_properties(lake->catalog, lake->arena, NULL,
                                                   DEFAULT_NAMESPACE, &properties, &ignored);
    if (rc == FIRN_OK) {
        return FIRN_OK; /* an init that was interrupted after this step */
    }
    if (rc != FIRN_E_NO_NAMESPACE) {
        FIRN_FAIL(err, rc, "%s", ignored.message);
    }
    firn_change change = {.kind = FIRN_CHANGE_CREATE_NAMESPACE, .ident = {.ns = DEFAULT_NAMESPACE}};
    firn_commit_info info = {.message = "create the lake"};
    firn_commit_result result;
    return firn_catalog_commit(lake->catalog, lake->arena, FIRN_MAIN, &change, 1, &info, &result,
                               err);
}

static firn_rc init_parts(firn_lake *lake, const char *text, firn_err *err)
{
    FIRN_TRY(firn_config_parse(lake->arena, firn_bytes_str(text), CONFIG_NAME, &lake->config, err));
    FIRN_TRY(make_folders(lake->arena, lake->root, err));
    FIRN_TRY(open_parts(lake, true, err));
    return make_default_namespace(lake, err);
}

firn_rc firn_lake_init(const char *dir, const char *name, firn_err *err)
{
    return firn_lake_init_with(dir, &(firn_config_choices){.name = name}, err);
}

firn_rc firn_lake_init_with(const char *dir, const firn_config_choices *choices, firn_err *err)
{
    firn_lake *lake = lake_new(dir);
    firn_arena *arena = lake->arena;
    const char *config = firn_path_join(arena, lake->root, CONFIG_NAME);
    firn_rc rc = FIRN_E_EXISTS;
    if (firn_path_exists(config)) {
        firn_err_set(err, __FILE__, __LINE__, rc, "%s is a lake already (it has a %s)", lake->root,
                     CONFIG_NAME);
    } else {
        const char *base = firn_path_basename(lake->root);
        firn_config_choices named = *choices;
        named.name = named.name != NULL ? named.name : base[0] != '\0' ? base : "lake";
        const char *text = firn_config_template(arena, &named);
        rc = init_parts(lake, text, err);
        if (rc == FIRN_OK) {
            rc = firn_file_write_atomic(config, firn_bytes_str(text), 0644, err);
        }
    }
    firn_lake_close(lake);
    return rc;
}

/* ---- finding one ------------------------------------------------------------------------------------- */

firn_rc firn_lake_find(firn_arena *arena, const char *dir, char **root, firn_err *err)
{
    const char *given = dir != NULL ? dir : getenv("FIRN_LAKE");
    if (given != NULL && given[0] != '\0') {
        *root = firn_path_absolute(arena, given);
        if (!firn_path_exists(firn_path_join(arena, *root, CONFIG_NAME))) {
            FIRN_FAIL(err, FIRN_E_NOT_FOUND, "there is no lake in %s%s; `firn init %s` makes one",
                      *root, dir == NULL ? " (from FIRN_LAKE)" : "", given);
        }
        return FIRN_OK;
    }
    char cwd[PATH_MAX];
    if (getcwd(cwd, sizeof(cwd)) == NULL) {
        return firn_err_errno(err, __FILE__, __LINE__, errno, "cannot tell the working folder");
    }
    for (char *at = firn_path_absolute(arena, cwd);; at = firn_path_dirname(arena, at)) {
        if (firn_path_exists(firn_path_join(arena, at, CONFIG_NAME))) {
            *root = at;
            return FIRN_OK;
        }
        if (firn_streq(at, "/")) {
            break;
        }
    }
    FIRN_FAIL(
        err, FIRN_E_NOT_FOUND,
        "there is no %s in %s or above; `firn init` makes this folder a lake, --lake DIR names another",
        CONFIG_NAME, cwd);
}

/* ---- getters ----------------------------------------------------------------------------------------- */

const char *firn_lake_root(const firn_lake *lake)
{
    return lake->root;
}

const firn_config *firn_lake_config(const firn_lake *lake)
{
    return &lake->config;
}

firn_catalog *firn_lake_catalog(firn_lake *lake)
{
    return lake->catalog;
}

firn_storage *firn_lake_storage(firn_lake *lake)
{
    return lake->storage;
}

char *firn_lake_path(const firn_lake *lake, firn_arena *arena, const char *relative)
{
    return path_under(arena, lake->root, relative);
}
