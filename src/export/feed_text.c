/* A feed's file as text, and changes to it: in the order of the reference, with what the user had where it was.
 *
 * Lists of single values stand in one line, as people write them; numbers are as short as they can be.
 */
#include "feed_files.h"

#include "base/buf.h"

#include <stdlib.h>

enum { INDENT = 2, IN_ONE_LINE = -1 };

static void put_real(firn_buf *out, double value)
{
    char text[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value) { /* the shortest that is the same number */
            break;
        }
    }
    firn_buf_puts(out, text);
    if (strpbrk(text, ".en") == NULL) {
        firn_buf_puts(out, ".0"); /* else it would come back as an integer */
    }
}

static bool is_single(const json_t *json)
{
    return !json_is_object(json) && !json_is_array(json);
}

static bool in_one_line(const json_t *json)
{
    for (size_t i = 0; i < json_array_size(json); i++) {
        if (!is_single(json_array_get(json, i))) {
            return false;
        }
    }
    return true;
}

static void new_line(firn_buf *out, int level)
{
    if (level > IN_ONE_LINE) {
        firn_buf_printf(out, "\n%*s", level * INDENT, "");
    }
}

static int below(int level)
{
    return level > IN_ONE_LINE ? level + 1 : level;
}

static void put_value(firn_buf *out, const json_t *json, int level);

static void put_array(firn_buf *out, const json_t *json, int level)
{
    bool one_line = level == IN_ONE_LINE || in_one_line(json);
    firn_buf_putc(out, '[');
    for (size_t i = 0; i < json_array_size(json); i++) {
        firn_buf_puts(out, i > 0 ? one_line ? ", " : "," : "");
        if (!one_line) {
            new_line(out, below(level));
        }
        put_value(out, json_array_get(json, i), below(level));
    }
    if (!one_line) {
        new_line(out, level);
    }
    firn_buf_putc(out, ']');
}

static void put_object(firn_buf *out, const json_t *json, int level)
{
    const char *key;
    json_t *value;
    bool first = true;
    firn_buf_putc(out, '{');
    json_object_foreach((json_t *)(uintptr_t)json, key, value)
    {
        firn_buf_puts(out, first ? "" : level == IN_ONE_LINE ? ", " : ",");
        first = false;
        new_line(out, below(level));
        firn_json_escape(out, key);
        firn_buf_puts(out, ": ");
        put_value(out, value, below(level));
    }
    if (!first) {
        new_line(out, level);
    }
    firn_buf_putc(out, '}');
}

static void put_value(firn_buf *out, const json_t *json, int level)
{
    if (json_is_object(json)) {
        put_object(out, json, level);
    } else if (json_is_array(json)) {
        put_array(out, json, level);
    } else if (json_is_real(json)) {
        put_real(out, json_real_value(json));
    } else {
        firn_json_write(out, json);
    }
}

char *firn_export_feed_text(firn_arena *arena, const json_t *json)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    put_value(&out, json, 0);
    firn_buf_putc(&out, '\n');
    return firn_arena_strdup(arena, firn_buf_cstr(&out));
}

char *firn_export_json_line(firn_arena *arena, const json_t *json)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    put_value(&out, json, IN_ONE_LINE);
    return firn_arena_strdup(arena, firn_buf_cstr(&out));
}

/* ---- changes ------------------------------------------------------------------------------------------- */

static size_t order_of(firn_arena *arena, const char *prefix, const char *key)
{
    return firn_export_key_order(firn_arena_printf(arena, "%s%s", prefix, key));
}

/* Sets a member: where it was, else before the first of those that come behind it in the reference. */
static void put_member(firn_arena *arena, json_t *object, const char *prefix, const char *key,
                       json_t *value)
{
    if (json_object_get(object, key) != NULL) {
        json_object_set(object, key, value);
        return;
    }
    size_t order = order_of(arena, prefix, key);
    json_t *before = firn_json_own(arena, json_copy(object));
    const char *at;
    json_t *member;
    bool done = false;
    json_object_clear(object);
    json_object_foreach(before, at, member)
    {
        if (!done && order_of(arena, prefix, at) > order) {
            json_object_set(object, key, value);
            done = true;
        }
        json_object_set(object, at, member);
    }
    if (!done) {
        json_object_set(object, key, value);
    }
}

/* "partitioning.type" and "quality.rows.min" go down at each dot, "properties.a.b" at the first one only. */
static firn_rc change_below(firn_arena *arena, json_t *object, const char *prefix, const char *path,
                            json_t *value, firn_err *err)
{
    const char *dot = firn_streq(prefix, "properties.") ? NULL : strchr(path, '.');
    if (dot == NULL) {
        if (value != NULL) {
            put_member(arena, object, prefix, path, value);
        } else {
            json_object_del(object, path);
        }
        return FIRN_OK;
    }
    const char *key = firn_arena_strndup(arena, path, (size_t)(dot - path));
    json_t *section = json_object_get(object, key);
    if (section != NULL && !json_is_object(section) && !json_is_null(section)) {
        FIRN_FAIL(err, FIRN_E_INVALID, "%s%s cannot be changed: %s%s is no object", prefix, path,
                  prefix, key);
    }
    if (!json_is_object(section)) {
        if (value == NULL) {
            return FIRN_OK;
        }
        section = firn_json_own(arena, json_object());
        put_member(arena, object, prefix, key, section);
    }
    FIRN_TRY(change_below(arena, section, firn_arena_printf(arena, "%s%s.", prefix, key), dot + 1,
                          value, err));
    if (json_object_size(section) == 0) {
        json_object_del(object, key);
    }
    return FIRN_OK;
}

firn_rc firn_export_json_change(firn_arena *arena, json_t *json, const firn_export_change *change,
                                firn_err *err)
{
    return change_below(arena, json, "", change->key, change->value, err);
}
