/* YAML: libyaml's events built into a jansson tree, with the line of every node and key.
 *
 * Invariants:
 * 1. A new node is hung into its parent (the root: into the arena) before it is filled, so that giving up at
 *    any point leaks nothing.
 * 2. An anchor is known only once its node is complete. An alias can therefore not make a cycle.
 * 3. Aliases share the node; its size and height, counted with aliases written out, count again at every
 *    use. Whoever walks the tree is thus safe from trees that are small in memory and huge to walk.
 */
#include "yaml_lines.h"

#include "base/io.h"

#include <assert.h>
#include <stdlib.h>
#include <yaml.h>

enum {
    TEXT_BYTES_MAX = 1 << 20,
    LEVELS_MAX = 64,
    NODES_MAX = 100000,
};

typedef struct extent {
    int nodes;
    int height;
} extent;

typedef struct anchor {
    json_t *node;
    extent extent;
} anchor;

typedef struct builder {
    firn_arena *arena;
    yaml_parser_t parser;
    const char *filename;
    firn_map *anchors;
    line_index *lines;
    json_t *root;
    bool keep_variables;
} builder;

/* Where a node goes: into an array, into an object under `key`, or (NULL) to the root. */
typedef struct place {
    json_t *parent;
    const char *key;
    int level;
} place;

static int line_of(const yaml_event_t *event)
{
    return (int)event->start_mark.line + 1;
}

static firn_rc parser_error(const builder *b, firn_err *err)
{
    const yaml_parser_t *p = &b->parser;
    if (p->error == YAML_MEMORY_ERROR) {
        firn_malloc(SIZE_MAX); /* out of memory ends the process, here as everywhere */
    }
    int line = (int)p->problem_mark.line + 1;
    FIRN_FAIL(err, FIRN_E_CONFIG, "%s:%d: this is not valid YAML: %s%s%s", b->filename, line,
              p->context != NULL ? p->context : "", p->context != NULL ? ": " : "",
              p->problem != NULL ? p->problem : "unknown error");
}

static firn_rc next_event(builder *b, yaml_event_t *event, firn_err *err)
{
    if (yaml_parser_parse(&b->parser, event) == 0) {
        return parser_error(b, err);
    }
    return FIRN_OK;
}

static firn_rc check_limits(const builder *b, int line, int level, extent what, firn_err *err)
{
    if (level + what.height > LEVELS_MAX) {
        FIRN_FAIL(err, FIRN_E_LIMIT, "%s:%d: nested more than %d levels deep", b->filename, line,
                  LEVELS_MAX);
    }
    if (what.nodes > NODES_MAX) {
        FIRN_FAIL(err, FIRN_E_LIMIT, "%s:%d: more than %d values, counting aliases in full",
                  b->filename, line, NODES_MAX);
    }
    return FIRN_OK;
}

/* Takes over the reference to `node`. */
static firn_rc hang(builder *b, place at, json_t *node, int line, firn_err *err)
{
    int failed = 0;
    if (at.parent == NULL) {
        b->root = firn_json_own(b->arena, node);
        failed = node == NULL;
    } else if (at.key == NULL) {
        failed = json_array_append_new(at.parent, node);
    } else {
        failed = json_object_set_new(at.parent, at.key, node);
    }
    if (failed != 0) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s:%d: this value cannot be used here", b->filename, line);
    }
    return FIRN_OK;
}

static void note_line(builder *b, const json_t *node, int line)
{
    if (!is_singleton(node) && !firn_imap_has(b->lines->nodes, address_of(node))) {
        firn_imap_put(b->lines->nodes, address_of(node), from_line(line));
    }
}

static firn_rc refuse_tag(const builder *b, const yaml_event_t *event, const yaml_char_t *tag,
                          firn_err *err)
{
    if (tag != NULL) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s:%d: tags such as %s are not supported; remove it",
                  b->filename, line_of(event), (const char *)tag);
    }
    return FIRN_OK;
}

/* --- environment --------------------------------------------------------------------------------- */

static size_t name_length(const char *text)
{
    size_t n = 0;
    while ((text[n] >= 'A' && text[n] <= 'Z') || (text[n] >= 'a' && text[n] <= 'z') ||
           text[n] == '_' || (n > 0 && text[n] >= '0' && text[n] <= '9')) {
        n++;
    }
    return n;
}

/* One reference; `*text` stands behind its "${" and is moved behind its "}". */
static firn_rc put_reference(const builder *b, int line, const char **text, firn_buf *buf,
                             firn_err *err)
{
    size_t name_len = name_length(*text);
    const char *name = firn_arena_strndup(b->arena, *text, name_len);
    const char *rest = *text + name_len;
    const char *end = strchr(rest, '}');
    bool has_default = rest[0] == ':' && rest[1] == '-';
    if (name_len == 0 || end == NULL || (!has_default && rest != end)) {
        FIRN_FAIL(err, FIRN_E_CONFIG,
                  "%s:%d: expected ${NAME} or ${NAME:-default} after \"${\"; "
                  "write $${ for the characters themselves",
                  b->filename, line);
    }
    const char *value = getenv(name);
    if (has_default && (value == NULL || value[0] == '\0')) {
        firn_buf_append(buf, rest + 2, (size_t)(end - rest - 2));
    } else if (value != NULL) {
        firn_buf_puts(buf, value);
    } else {
        FIRN_FAIL(err, FIRN_E_CONFIG,
                  "%s:%d: environment variable %s is not set; set it or write ${%s:-default}",
                  b->filename, line, name, name);
    }
    *text = end + 1;
    return FIRN_OK;
}

static firn_rc substitute(const builder *b, int line, const char *text, const char **out,
                          firn_err *err)
{
    if (strstr(text, "${") == NULL) {
        *out = text;
        return FIRN_OK;
    }
    FIRN_AUTO_BUF firn_buf buf = {.max = TEXT_BYTES_MAX};
    while (*text != '\0') {
        if (firn_starts_with(text, "$${")) {
            firn_buf_puts(&buf, "${");
            text += 3;
        } else if (firn_starts_with(text, "${")) {
            text += 2;
            FIRN_TRY(put_reference(b, line, &text, &buf, err));
        } else {
            firn_buf_putc(&buf, (uint8_t)*text++);
        }
    }
    if (buf.overflow) {
        FIRN_FAIL(err, FIRN_E_LIMIT, "%s:%d: longer than %d bytes with its variables filled in",
                  b->filename, line, TEXT_BYTES_MAX);
    }
    if (!firn_utf8_valid(firn_buf_bytes(&buf))) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s:%d: an environment variable here is not valid UTF-8",
                  b->filename, line);
    }
    *out = firn_arena_strdup(b->arena, firn_buf_cstr(&buf));
    return FIRN_OK;
}

/* --- scalars ------------------------------------------------------------------------------------- */

static bool is_one_of(const char *text, const char *const words[3])
{
    return firn_streq(text, words[0]) || firn_streq(text, words[1]) || firn_streq(text, words[2]);
}

static bool has_leading_zero(const char *text)
{
    text += *text == '-' || *text == '+';
    return text[0] == '0' && text[1] >= '0' && text[1] <= '9';
}

static bool is_integer_text(const char *text)
{
    text += *text == '-' || *text == '+';
    return *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}

/* YAML's core schema, without its spellings that JSON cannot hold (octal, hex, .inf, .nan): strings. */
static json_t *plain_scalar(const char *text)
{
    static const char *const nulls[] = {"null", "Null", "NULL"};
    static const char *const trues[] = {"true", "True", "TRUE"};
    static const char *const falses[] = {"false", "False", "FALSE"};
    int64_t integer;
    double real;
    if (text[0] == '\0' || firn_streq(text, "~") || is_one_of(text, nulls)) {
        return json_null();
    }
    if (is_one_of(text, trues) || is_one_of(text, falses)) {
        return json_boolean(is_one_of(text, trues));
    }
    if (has_leading_zero(text)) {
        return json_string(text);
    }
    if (firn_parse_i64(text, &integer)) {
        return json_integer(integer);
    }
    if (!is_integer_text(text) && firn_parse_f64(text, &real)) {
        return json_real(real);
    }
    return json_string(text);
}

static firn_rc scalar_text(const builder *b, const yaml_event_t *event, const char **out,
                           firn_err *err)
{
    const char *text = (const char *)event->data.scalar.value;
    FIRN_TRY(refuse_tag(b, event, event->data.scalar.tag, err));
    if (strlen(text) != event->data.scalar.length) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s:%d: NUL characters are not allowed", b->filename,
                  line_of(event));
    }
    *out = text;
    return FIRN_OK;
}

static firn_rc build_scalar(builder *b, const yaml_event_t *event, place at, json_t **node,
                            firn_err *err)
{
    const char *text;
    FIRN_TRY(scalar_text(b, event, &text, err));
    if (!b->keep_variables) {
        FIRN_TRY(substitute(b, line_of(event), text, &text, err));
    }
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    *node = plain ? plain_scalar(text) : json_string(text);
    return hang(b, at, *node, line_of(event), err);
}

/* --- collections --------------------------------------------------------------------------------- */

static firn_rc build_node(builder *b, yaml_event_t *event, place at, extent *out, firn_err *err);

static firn_rc build_sequence(builder *b, json_t *array, int level, extent *out, firn_err *err)
{
    for (;;) {
        __attribute__((cleanup(yaml_event_delete))) yaml_event_t event = {0};
        FIRN_TRY(next_event(b, &event, err));
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            return FIRN_OK;
        }
        place inside = {.parent = array, .level = level + 1};
        FIRN_TRY(build_node(b, &event, inside, out, err));
    }
}

static firn_rc take_key(builder *b, const yaml_event_t *event, const json_t *object,
                        firn_map *key_lines, const char **out, firn_err *err)
{
    int line = line_of(event);
    const char *key;
    if (event->type != YAML_SCALAR_EVENT) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s:%d: a key must be a plain word or a string", b->filename,
                  line);
    }
    FIRN_TRY(scalar_text(b, event, &key, err));
    if (event->data.scalar.anchor != NULL) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s:%d: an anchor on a key is not supported", b->filename,
                  line);
    }
    if (json_object_get(object, key) != NULL) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s:%d: \"%s\" is given twice, first in line %d", b->filename,
                  line, key, to_line(firn_map_get(key_lines, key)));
    }
    firn_map_put(key_lines, key, from_line(line));
    *out = firn_arena_strdup(b->arena, key);
    return FIRN_OK;
}

static firn_rc build_mapping(builder *b, json_t *object, int level, extent *out, firn_err *err)
{
    firn_map *key_lines = firn_map_new(b->arena);
    firn_imap_put(b->lines->keys, address_of(object), key_lines);
    for (;;) {
        __attribute__((cleanup(yaml_event_delete))) yaml_event_t key_event = {0};
        __attribute__((cleanup(yaml_event_delete))) yaml_event_t event = {0};
        FIRN_TRY(next_event(b, &key_event, err));
        if (key_event.type == YAML_MAPPING_END_EVENT) {
            return FIRN_OK;
        }
        place inside = {.parent = object, .level = level + 1};
        FIRN_TRY(take_key(b, &key_event, object, key_lines, &inside.key, err));
        FIRN_TRY(next_event(b, &event, err));
        FIRN_TRY(build_node(b, &event, inside, out, err));
    }
}

static firn_rc build_alias(builder *b, const yaml_event_t *event, place at, extent *out,
                           firn_err *err)
{
    const char *name = (const char *)event->data.alias.anchor;
    const anchor *a = firn_map_get(b->anchors, name);
    if (a == NULL) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s:%d: alias *%s has no complete anchor &%s before it",
                  b->filename, line_of(event), name, name);
    }
    *out = a->extent;
    FIRN_TRY(check_limits(b, line_of(event), at.level, *out, err));
    return hang(b, at, json_incref(a->node), line_of(event), err);
}

static firn_rc build_fresh(builder *b, yaml_event_t *event, place at, json_t **node, extent *out,
                           firn_err *err)
{
    int line = line_of(event);
    if (event->type == YAML_SCALAR_EVENT) {
        FIRN_TRY(build_scalar(b, event, at, node, err));
        note_line(b, *node, line);
        return FIRN_OK;
    }
    bool is_sequence = event->type == YAML_SEQUENCE_START_EVENT;
    assert(is_sequence || event->type == YAML_MAPPING_START_EVENT);
    FIRN_TRY(refuse_tag(
        b, event, is_sequence ? event->data.sequence_start.tag : event->data.mapping_start.tag,
        err));
    *node = is_sequence ? json_array() : json_object();
    FIRN_TRY(hang(b, at, *node, line, err));
    note_line(b, *node, line);
    return is_sequence ? build_sequence(b, *node, at.level, out, err)
                       : build_mapping(b, *node, at.level, out, err);
}

static const char *anchor_name(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT: return (const char *)event->data.scalar.anchor;
    case YAML_SEQUENCE_START_EVENT: return (const char *)event->data.sequence_start.anchor;
    case YAML_MAPPING_START_EVENT: return (const char *)event->data.mapping_start.anchor;
    default: return NULL;
    }
}

/* Build the node that `event` begins at its place, and add its extent to that of the parent. */
static firn_rc build_node(builder *b, yaml_event_t *event, place at, extent *parent, firn_err *err)
{
    extent own = {.nodes = 1, .height = 1};
    if (event->type == YAML_ALIAS_EVENT) {
        FIRN_TRY(build_alias(b, event, at, &own, err));
    } else {
        json_t *node;
        extent inner = {0};
        FIRN_TRY(check_limits(b, line_of(event), at.level, own, err));
        FIRN_TRY(build_fresh(b, event, at, &node, &inner, err));
        own.nodes += inner.nodes;
        own.height += inner.height;
        if (anchor_name(event) != NULL) {
            anchor *a = FIRN_NEW(b->arena, anchor);
            *a = (anchor){.node = node, .extent = own};
            firn_map_put(b->anchors, anchor_name(event), a);
        }
    }
    parent->nodes += own.nodes; /* both at most NODES_MAX: no overflow */
    parent->height = own.height > parent->height ? own.height : parent->height;
    return check_limits(b, line_of(event), at.level, (extent){.nodes = parent->nodes}, err);
}

/* --- documents ----------------------------------------------------------------------------------- */

static firn_rc build_document(builder *b, firn_err *err)
{
    extent whole = {0};
    __attribute__((cleanup(yaml_event_delete))) yaml_event_t stream = {0};
    __attribute__((cleanup(yaml_event_delete))) yaml_event_t start = {0};
    __attribute__((cleanup(yaml_event_delete))) yaml_event_t node = {0};
    __attribute__((cleanup(yaml_event_delete))) yaml_event_t end = {0};
    __attribute__((cleanup(yaml_event_delete))) yaml_event_t after = {0};
    FIRN_TRY(next_event(b, &stream, err));
    FIRN_TRY(next_event(b, &start, err));
    if (start.type == YAML_STREAM_END_EVENT) {
        b->root = json_null();
        return FIRN_OK;
    }
    FIRN_TRY(next_event(b, &node, err));
    FIRN_TRY(build_node(b, &node, (place){0}, &whole, err));
    FIRN_TRY(next_event(b, &end, err));
    FIRN_TRY(next_event(b, &after, err));
    if (after.type != YAML_STREAM_END_EVENT) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s:%d: a second document begins here; keep one per file",
                  b->filename, line_of(&after));
    }
    return FIRN_OK;
}

static firn_rc parse(firn_arena *arena, firn_bytes text, const char *filename, bool keep_variables,
                     firn_yaml *out, firn_err *err)
{
    if (text.len > TEXT_BYTES_MAX) {
        FIRN_FAIL(err, FIRN_E_LIMIT, "%s is larger than the %d bytes allowed for YAML", filename,
                  TEXT_BYTES_MAX);
    }
    line_index *lines = FIRN_NEW(arena, line_index);
    *lines = (line_index){.nodes = firn_imap_new(arena), .keys = firn_imap_new(arena)};
    builder b = {
        .arena = arena,
        .filename = firn_arena_strdup(arena, filename),
        .anchors = firn_map_new(arena),
        .lines = lines,
        .keep_variables = keep_variables,
    };
    if (yaml_parser_initialize(&b.parser) == 0) {
        return parser_error(&b, err);
    }
    yaml_parser_set_input_string(&b.parser, text.data != NULL ? text.data : (const uint8_t *)"",
                                 text.len);
    firn_rc rc = build_document(&b, err);
    yaml_parser_delete(&b.parser);
    if (rc == FIRN_OK) {
        *out = (firn_yaml){.root = b.root, .filename = b.filename, .lines = lines};
    }
    return rc;
}

firn_rc firn_yaml_parse(firn_arena *arena, firn_bytes text, const char *filename, firn_yaml *out,
                        firn_err *err)
{
    return parse(arena, text, filename, false, out, err);
}

firn_rc firn_yaml_parse_raw(firn_arena *arena, firn_bytes text, const char *filename,
                            firn_yaml *out, firn_err *err)
{
    return parse(arena, text, filename, true, out, err);
}

firn_rc firn_yaml_load_raw(firn_arena *arena, const char *path, firn_yaml *out, firn_err *err)
{
    firn_bytes text;
    FIRN_TRY(firn_file_read(arena, path, TEXT_BYTES_MAX, &text, err));
    return parse(arena, text, path, true, out, err);
}

firn_rc firn_yaml_load(firn_arena *arena, const char *path, firn_yaml *out, firn_err *err)
{
    firn_bytes text;
    FIRN_TRY(firn_file_read(arena, path, TEXT_BYTES_MAX, &text, err));
    return firn_yaml_parse(arena, text, path, out, err);
}

int firn_yaml_line(const firn_yaml *yaml, const json_t *node)
{
    const line_index *lines = yaml->lines;
    return to_line(firn_imap_get(lines->nodes, address_of(node)));
}

int firn_yaml_key_line(const firn_yaml *yaml, const json_t *mapping, const char *key)
{
    const line_index *lines = yaml->lines;
    const firn_map *keys = firn_imap_get(lines->keys, address_of(mapping));
    return keys != NULL ? to_line(firn_map_get(keys, key)) : 0;
}
