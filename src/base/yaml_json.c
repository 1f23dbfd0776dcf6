/* JSON files with the line of every node and key, so that they are read by the same tables of keys as YAML files.
 *
 * jansson parses; then the text, which is valid by now, is walked beside the tree only to count lines. jansson keeps members in the
 * order of the text.
 */
#include "yaml_lines.h"

typedef struct walk {
    firn_arena *arena;
    const char *at, *end;
    int line;
    line_index *lines;
} walk;

static void skip_blanks(walk *w)
{
    for (; w->at < w->end && strchr(" \t\r\n,:", *w->at) != NULL && *w->at != '\0'; w->at++) {
        w->line += *w->at == '\n';
    }
}

/* Past a string, from its first quote on; JSON has no line breaks in strings. */
static void skip_string(walk *w)
{
    for (w->at++; w->at < w->end && *w->at != '"'; w->at++) {
        w->at += *w->at == '\\' && w->at + 1 < w->end;
    }
    w->at += w->at < w->end;
}

static void skip_scalar(walk *w)
{
    while (w->at < w->end && strchr(" \t\r\n,]}", *w->at) == NULL) {
        w->at++;
    }
}

/* Past the bracket at the present place. */
static void skip_bracket(walk *w)
{
    skip_blanks(w);
    w->at += w->at < w->end;
}

static void walk_value(walk *w, json_t *node);

static void walk_object(walk *w, json_t *object)
{
    firn_map *keys = firn_map_new(w->arena);
    firn_imap_put(w->lines->keys, address_of(object), keys);
    skip_bracket(w);
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        skip_blanks(w);
        firn_map_put(keys, key, from_line(w->line));
        skip_string(w);
        walk_value(w, value);
    }
    skip_bracket(w);
}

static void walk_array(walk *w, json_t *array)
{
    skip_bracket(w);
    size_t i;
    json_t *value;
    json_array_foreach(array, i, value)
    {
        walk_value(w, value);
    }
    skip_bracket(w);
}

static void walk_value(walk *w, json_t *node)
{
    skip_blanks(w);
    if (!is_singleton(node)) {
        firn_imap_put(w->lines->nodes, address_of(node), from_line(w->line));
    }
    if (json_is_object(node)) {
        walk_object(w, node);
    } else if (json_is_array(node)) {
        walk_array(w, node);
    } else if (json_is_string(node)) {
        skip_string(w);
    } else {
        skip_scalar(w);
    }
}

firn_rc firn_yaml_of_json(firn_arena *arena, firn_bytes text, const char *filename, firn_yaml *out,
                          firn_err *err)
{
    json_error_t error;
    const char *start = text.data != NULL ? (const char *)text.data : "";
    json_t *root = json_loadb(start, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (root == NULL) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s:%d: this is not valid JSON: %s", filename,
                  error.line > 0 ? error.line : 1, error.text);
    }
    line_index *lines = FIRN_NEW(arena, line_index);
    *lines = (line_index){.nodes = firn_imap_new(arena), .keys = firn_imap_new(arena)};
    walk w = {.arena = arena, .at = start, .end = start + text.len, .line = 1, .lines = lines};
    walk_value(&w, firn_json_own(arena, root));
    *out =
        (firn_yaml){.root = root, .filename = firn_arena_strdup(arena, filename), .lines = lines};
    return FIRN_OK;
}
