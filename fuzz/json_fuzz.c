/* JSON documents: any bytes either parse or are CORRUPT; what parses survives being written and parsed
 * again, and the getters take every member of every type without harm.
 */
#include "base/json.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Which getter succeeds must follow from the type alone. */
static void read_member(const json_t *obj, const char *key, const json_t *value)
{
    const char *text;
    int64_t wide;
    int32_t narrow;
    bool flag;
    json_t *child;
    assert((firn_json_str(obj, key, "f", &text, NULL) == FIRN_OK) == json_is_string(value));
    assert((firn_json_i64(obj, key, "f", &wide, NULL) == FIRN_OK) == json_is_integer(value));
    assert((firn_json_bool(obj, key, "f", &flag, NULL) == FIRN_OK) == json_is_boolean(value));
    assert((firn_json_array(obj, key, "f", &child, NULL) == FIRN_OK) == json_is_array(value));
    assert((firn_json_object(obj, key, "f", &child, NULL) == FIRN_OK) == json_is_object(value));
    if (firn_json_i32(obj, key, "f", &narrow, NULL) == FIRN_OK) {
        assert(narrow == json_integer_value(value));
    }
    bool readable = json_is_string(value) || json_is_null(value);
    assert((firn_json_opt_str(obj, key, "f", "", &text, NULL) == FIRN_OK) == readable);
}

static void check_escape(firn_arena *arena, const char *text)
{
    FIRN_AUTO_BUF firn_buf buf = {0};
    json_t *back = NULL;
    firn_json_escape(&buf, text);
    firn_rc rc = firn_json_parse(arena, firn_buf_bytes(&buf), "escaped", &back, NULL);
    assert(rc == FIRN_OK && json_is_string(back));
    bool valid = firn_utf8_valid(firn_bytes_str(text));
    assert(!valid || firn_streq(json_string_value(back), text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    json_t *json = NULL;
    json_t *again = NULL;
    firn_err err = {0};
    check_escape(arena, firn_arena_strndup(arena, (const char *)data, size));
    firn_rc rc = firn_json_parse(arena, firn_bytes_of(data, size), "fuzz", &json, &err);
    if (rc != FIRN_OK) {
        assert(rc == FIRN_E_CORRUPT && err.message[0] != '\0');
        return 0;
    }
    const char *key;
    json_t *value;
    json_object_foreach(json, key, value)
    {
        read_member(json, key, value);
    }
    firn_bytes text = firn_bytes_str(firn_json_text(arena, json));
    rc = firn_json_parse(arena, text, "written", &again, &err);
    assert(rc == FIRN_OK && json_equal(json, again));
    return 0;
}
