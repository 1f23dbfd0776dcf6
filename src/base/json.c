/* JSON: arena lifetime for jansson trees, and getters that turn wrong shapes into firn errors. */
#include "base/json.h"

#include "utf8.h"

#include <assert.h>
#include <stdlib.h>

/* jansson reports an exhausted heap by NULLs that look like other errors. firn's rule is that allocation
 * does not fail, so jansson takes its memory from the allocator that aborts, from before main() on. */
__attribute__((constructor)) static void use_aborting_allocator(void)
{
    json_set_alloc_funcs(firn_malloc, free);
}

static void drop(void *json)
{
    json_decref(json);
}

json_t *firn_json_own(firn_arena *arena, json_t *json)
{
    if (json != NULL) {
        firn_arena_defer(arena, drop, json);
    }
    return json;
}

firn_rc firn_json_parse(firn_arena *arena, firn_bytes text, const char *what, json_t **out,
                        firn_err *err)
{
    json_error_t error;
    const char *start = text.data != NULL ? (const char *)text.data : "";
    json_t *json = json_loadb(start, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (json == NULL) {
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s is not valid JSON: line %d, column %d: %s", what,
                  error.line, error.column, error.text);
    }
    *out = firn_json_own(arena, json);
    return FIRN_OK;
}

char *firn_json_pretty(firn_arena *arena, const json_t *json)
{
    char *text = json_dumps(json, JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    assert(text != NULL); /* only for a NULL or circular tree */
    firn_arena_defer(arena, free, text);
    return text;
}

static const char *type_name(const json_t *json)
{
    switch (json_typeof(json)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "an array";
    case JSON_STRING: return "a string";
    case JSON_INTEGER: return "an integer";
    case JSON_REAL: return "a number with a fraction";
    case JSON_TRUE:
    case JSON_FALSE: return "a boolean";
    case JSON_NULL: return "null";
    }
    return "of an unknown type";
}

static firn_rc wrong_type(const json_t *member, const char *key, const char *what,
                          const char *wanted, firn_err *err)
{
    FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: \"%s\" must be %s, but it is %s", what, key, wanted,
              type_name(member));
}

/* The member, or NULL if it is absent. A NULL obj has no members, so that optional objects can be read
 * through without a check in between. */
static firn_rc find_member(const json_t *obj, const char *key, const char *what, json_t **out,
                           firn_err *err)
{
    if (obj != NULL && !json_is_object(obj)) {
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: expected an object with \"%s\", but found %s", what,
                  key, type_name(obj));
    }
    *out = json_object_get(obj, key);
    return FIRN_OK;
}

static firn_rc need_member(const json_t *obj, const char *key, const char *what, json_t **out,
                           firn_err *err)
{
    FIRN_TRY(find_member(obj, key, what, out, err));
    if (*out == NULL) {
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: \"%s\" is missing", what, key);
    }
    return FIRN_OK;
}

/* As find_member, with null taken for absent. */
static firn_rc want_member(const json_t *obj, const char *key, const char *what, json_t **out,
                           firn_err *err)
{
    FIRN_TRY(find_member(obj, key, what, out, err));
    if (json_is_null(*out)) {
        *out = NULL;
    }
    return FIRN_OK;
}

static firn_rc as_str(const json_t *member, const char *key, const char *what, const char **out,
                      firn_err *err)
{
    if (!json_is_string(member)) {
        return wrong_type(member, key, what, "a string", err);
    }
    *out = json_string_value(member);
    return FIRN_OK;
}

static firn_rc as_i64(const json_t *member, const char *key, const char *what, int64_t *out,
                      firn_err *err)
{
    if (!json_is_integer(member)) {
        return wrong_type(member, key, what, "an integer", err);
    }
    *out = json_integer_value(member);
    return FIRN_OK;
}

static firn_rc as_i32(const json_t *member, const char *key, const char *what, int32_t *out,
                      firn_err *err)
{
    int64_t wide = 0;
    FIRN_TRY(as_i64(member, key, what, &wide, err));
    if (wide < INT32_MIN || wide > INT32_MAX) {
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: \"%s\" is %lld, which does not fit into 32 bits", what,
                  key, (long long)wide);
    }
    *out = (int32_t)wide;
    return FIRN_OK;
}

static firn_rc as_bool(const json_t *member, const char *key, const char *what, bool *out,
                       firn_err *err)
{
    if (!json_is_boolean(member)) {
        return wrong_type(member, key, what, "true or false", err);
    }
    *out = json_is_true(member);
    return FIRN_OK;
}

static firn_rc as_array(json_t *member, const char *key, const char *what, json_t **out,
                        firn_err *err)
{
    if (!json_is_array(member)) {
        return wrong_type(member, key, what, "an array", err);
    }
    *out = member;
    return FIRN_OK;
}

static firn_rc as_object(json_t *member, const char *key, const char *what, json_t **out,
                         firn_err *err)
{
    if (!json_is_object(member)) {
        return wrong_type(member, key, what, "an object", err);
    }
    *out = member;
    return FIRN_OK;
}

firn_rc firn_json_str(const json_t *obj, const char *key, const char *what, const char **out,
                      firn_err *err)
{
    json_t *member;
    FIRN_TRY(need_member(obj, key, what, &member, err));
    return as_str(member, key, what, out, err);
}

firn_rc firn_json_i64(const json_t *obj, const char *key, const char *what, int64_t *out,
                      firn_err *err)
{
    json_t *member;
    FIRN_TRY(need_member(obj, key, what, &member, err));
    return as_i64(member, key, what, out, err);
}

firn_rc firn_json_i32(const json_t *obj, const char *key, const char *what, int32_t *out,
                      firn_err *err)
{
    json_t *member;
    FIRN_TRY(need_member(obj, key, what, &member, err));
    return as_i32(member, key, what, out, err);
}

firn_rc firn_json_bool(const json_t *obj, const char *key, const char *what, bool *out,
                       firn_err *err)
{
    json_t *member;
    FIRN_TRY(need_member(obj, key, what, &member, err));
    return as_bool(member, key, what, out, err);
}

firn_rc firn_json_array(const json_t *obj, const char *key, const char *what, json_t **out,
                        firn_err *err)
{
    json_t *member;
    FIRN_TRY(need_member(obj, key, what, &member, err));
    return as_array(member, key, what, out, err);
}

firn_rc firn_json_object(const json_t *obj, const char *key, const char *what, json_t **out,
                         firn_err *err)
{
    json_t *member;
    FIRN_TRY(need_member(obj, key, what, &member, err));
    return as_object(member, key, what, out, err);
}

firn_rc firn_json_opt_str(const json_t *obj, const char *key, const char *what, const char *def,
                          const char **out, firn_err *err)
{
    json_t *member;
    FIRN_TRY(want_member(obj, key, what, &member, err));
    if (member == NULL) {
        *out = def;
        return FIRN_OK;
    }
    return as_str(member, key, what, out, err);
}

firn_rc firn_json_opt_i64(const json_t *obj, const char *key, const char *what, int64_t def,
                          int64_t *out, firn_err *err)
{
    json_t *member;
    FIRN_TRY(want_member(obj, key, what, &member, err));
    if (member == NULL) {
        *out = def;
        return FIRN_OK;
    }
    return as_i64(member, key, what, out, err);
}

firn_rc firn_json_opt_i32(const json_t *obj, const char *key, const char *what, int32_t def,
                          int32_t *out, firn_err *err)
{
    json_t *member;
    FIRN_TRY(want_member(obj, key, what, &member, err));
    if (member == NULL) {
        *out = def;
        return FIRN_OK;
    }
    return as_i32(member, key, what, out, err);
}

firn_rc firn_json_opt_bool(const json_t *obj, const char *key, const char *what, bool def,
                           bool *out, firn_err *err)
{
    json_t *member;
    FIRN_TRY(want_member(obj, key, what, &member, err));
    if (member == NULL) {
        *out = def;
        return FIRN_OK;
    }
    return as_bool(member, key, what, out, err);
}

firn_rc firn_json_opt_array(const json_t *obj, const char *key, const char *what, json_t **out,
                            firn_err *err)
{
    json_t *member;
    FIRN_TRY(want_member(obj, key, what, &member, err));
    if (member == NULL) {
        *out = NULL;
        return FIRN_OK;
    }
    return as_array(member, key, what, out, err);
}

firn_rc firn_json_opt_object(const json_t *obj, const char *key, const char *what, json_t **out,
                             firn_err *err)
{
    json_t *member;
    FIRN_TRY(want_member(obj, key, what, &member, err));
    if (member == NULL) {
        *out = NULL;
        return FIRN_OK;
    }
    return as_object(member, key, what, out, err);
}

static void escape_control(firn_buf *buf, uint8_t byte)
{
    static const char letters[32] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    if (letters[byte] != '\0') {
        firn_buf_putc(buf, '\\');
        firn_buf_putc(buf, (uint8_t)letters[byte]);
    } else {
        firn_buf_printf(buf, "\\u%04x", byte);
    }
}

void firn_json_escape(firn_buf *buf, const char *text)
{
    firn_bytes rest = firn_bytes_str(text);
    firn_buf_putc(buf, '"');
    while (rest.len > 0) {
        uint32_t code_point;
        uint8_t byte = rest.data[0];
        size_t len = firn_utf8_decode(rest, &code_point);
        if (len == 0) {
            firn_buf_puts(buf, "\\ufffd"); /* a bad byte must not spoil the whole document */
            len = 1;
        } else if (byte < 0x20) {
            escape_control(buf, byte);
        } else {
            if (byte == '"' || byte == '\\') {
                firn_buf_putc(buf, '\\');
            }
            firn_buf_append(buf, rest.data, len);
        }
        rest = firn_bytes_of(rest.data + len, rest.len - len);
    }
    firn_buf_putc(buf, '"');
}
