/* Files of known keys: see base/yaml.h. */
#include "base/yaml.h"

const char *firn_yaml_scalar(firn_arena *arena, const json_t *node)
{
    switch (json_typeof(node)) {
    case JSON_STRING: return json_string_value(node);
    case JSON_INTEGER:
        return firn_arena_printf(arena, "%" JSON_INTEGER_FORMAT, json_integer_value(node));
    case JSON_REAL: return firn_arena_printf(arena, "%.17g", json_real_value(node));
    case JSON_TRUE: return "true";
    case JSON_FALSE: return "false";
    default: return NULL;
    }
}

typedef struct walk {
    firn_arena *arena;
    const firn_yaml *yaml;
    const firn_yaml_keys *keys;
} walk;

/* The number of a full path, or n; *is_section tells whether keys lie below it. */
static size_t find_key(const firn_yaml_keys *keys, const char *path, bool *is_section)
{
    size_t len = strlen(path);
    *is_section = false;
    for (size_t i = 0; i < keys->n; i++) {
        const char *known = keys->path(i);
        if (firn_streq(known, path)) {
            return i;
        }
        *is_section = *is_section || (strncmp(known, path, len) == 0 && known[len] == '.');
    }
    return keys->n;
}

static const char *leaf_of(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot != NULL ? dot + 1 : path;
}

static firn_rc unknown_key(const walk *w, const char *path, int line, firn_err *err)
{
    const char **names = FIRN_NEW_N(w->arena, const char *, 2 * w->keys->n);
    size_t n = 0;
    for (size_t i = 0; i < w->keys->n; i++) {
        const char *known = w->keys->path(i);
        const char *dot = strchr(known, '.');
        names[n++] = known;
        if (dot != NULL) {
            names[n++] = firn_arena_strndup(w->arena, known, (size_t)(dot - known));
        }
    }
    const char *nearest = firn_nearest(path, names, n);
    /* A key written under the wrong section: `threads` at the top. */
    for (size_t i = 0; i < w->keys->n && nearest == NULL; i++) {
        const char *known = w->keys->path(i);
        nearest = firn_streq(leaf_of(path), leaf_of(known)) ? known : NULL;
    }
    if (nearest != NULL) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s:%d: there is no key \"%s\". Did you mean \"%s\"?",
                  w->yaml->filename, line, path, nearest);
    }
    FIRN_FAIL(err, FIRN_E_CONFIG, "%s:%d: there is no key \"%s\"; %s lists all keys",
              w->yaml->filename, line, path, w->keys->reference);
}

static firn_rc walk_section(const walk *w, json_t *mapping, const char *prefix, firn_err *err)
{
    const char *key;
    json_t *node;
    json_object_foreach(mapping, key, node)
    {
        const char *path =
            prefix[0] == '\0' ? key : firn_arena_printf(w->arena, "%s.%s", prefix, key);
        int line = firn_yaml_key_line(w->yaml, mapping, key);
        if (w->keys->json && strchr(key, '.') != NULL) {
            FIRN_FAIL(err, FIRN_E_CONFIG,
                      "%s:%d: there is no key \"%s\": a dot in the reference means a key below a "
                      "key, {\"a\": {\"b\": ...}}",
                      w->yaml->filename, line, path);
        }
        bool is_section;
        size_t row = find_key(w->keys, path, &is_section);
        if (row == w->keys->n && !is_section) {
            return unknown_key(w, path, line, err);
        }
        if (json_is_null(node)) {
            continue; /* a section or key whose content is commented out */
        }
        if (row < w->keys->n) {
            FIRN_TRY(w->keys->take(w->keys->ctx, row, node, line, err));
        } else if (json_is_object(node)) {
            FIRN_TRY(walk_section(w, node, path, err));
        } else {
            FIRN_FAIL(err, FIRN_E_CONFIG, "%s:%d: \"%s\" is a section: its keys go below it, %s",
                      w->yaml->filename, line, path, w->keys->json ? "{...}" : "indented");
        }
    }
    return FIRN_OK;
}

firn_rc firn_yaml_read_keys(firn_arena *arena, const firn_yaml *yaml, const firn_yaml_keys *keys,
                            firn_err *err)
{
    const walk w = {.arena = arena, .yaml = yaml, .keys = keys};
    if (json_is_null(yaml->root) && !keys->json) {
        return FIRN_OK;
    }
    if (!json_is_object(yaml->root)) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s:1: the file must hold %s", yaml->filename,
                  keys->json ? "an object, {\"key\": value}" : "\"key: value\" lines");
    }
    return walk_section(&w, yaml->root, "", err);
}
