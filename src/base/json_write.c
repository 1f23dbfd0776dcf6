/* JSON as compact text, the same that jansson gives, several times faster: jansson looks for circles by printing the
 * address of every container into a hash table, and table metadata is thousands of small objects. firn's trees are parsed
 * or built from parsed ones and cannot be circular; their depth is that of what was parsed.
 */
#include "base/json.h"

#include <assert.h>
#include <stdlib.h>

static void write_value(firn_buf *out, const json_t *json);

static bool is_plain(uint8_t byte)
{
    return byte >= 0x20 && byte != '"' && byte != '\\';
}

static void write_escape(firn_buf *out, uint8_t byte)
{
    switch (byte) {
    case '"': firn_buf_puts(out, "\\\""); break;
    case '\\': firn_buf_puts(out, "\\\\"); break;
    case '\b': firn_buf_puts(out, "\\b"); break;
    case '\f': firn_buf_puts(out, "\\f"); break;
    case '\n': firn_buf_puts(out, "\\n"); break;
    case '\r': firn_buf_puts(out, "\\r"); break;
    case '\t': firn_buf_puts(out, "\\t"); break;
    default: firn_buf_printf(out, "\\u%04X", byte); break;
    }
}

/* jansson's strings are valid UTF-8. */
static void write_string(firn_buf *out, const char *text, size_t len)
{
    firn_buf_putc(out, '"');
    for (size_t at = 0; at < len;) {
        size_t plain = at;
        while (plain < len && is_plain((uint8_t)text[plain])) {
            plain++;
        }
        firn_buf_append(out, text + at, plain - at);
        if (plain < len) {
            write_escape(out, (uint8_t)text[plain++]);
        }
        at = plain;
    }
    firn_buf_putc(out, '"');
}

static void write_object(firn_buf *out, const json_t *json)
{
    json_t *object = (json_t *)json; /* iterators are not declared const, but change nothing */
    const char *before = "{";
    for (void *i = json_object_iter(object); i; i = json_object_iter_next(object, i)) {
        const char *key = json_object_iter_key(i);
        firn_buf_puts(out, before);
        write_string(out, key, strlen(key));
        firn_buf_putc(out, ':');
        write_value(out, json_object_iter_value(i));
        before = ",";
    }
    firn_buf_puts(out, before[0] == '{' ? "{}" : "}");
}

static void write_array(firn_buf *out, const json_t *json)
{
    firn_buf_putc(out, '[');
    size_t n = json_array_size(json);
    for (size_t i = 0; i < n; i++) {
        if (i > 0) {
            firn_buf_putc(out, ',');
        }
        write_value(out, json_array_get(json, i));
    }
    firn_buf_putc(out, ']');
}

static void write_real(firn_buf *out, const json_t *json)
{
    char text[64];
    size_t len = json_dumpb(json, text, sizeof(text), JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    assert(len <= sizeof(text));
    firn_buf_append(out, text, len);
}

static void write_value(firn_buf *out, const json_t *json)
{
    switch (json_typeof(json)) {
    case JSON_OBJECT: write_object(out, json); break;
    case JSON_ARRAY: write_array(out, json); break;
    case JSON_STRING: write_string(out, json_string_value(json), json_string_length(json)); break;
    case JSON_INTEGER: firn_buf_put_i64(out, json_integer_value(json)); break;
    case JSON_REAL: write_real(out, json); break;
    case JSON_TRUE: firn_buf_puts(out, "true"); break;
    case JSON_FALSE: firn_buf_puts(out, "false"); break;
    case JSON_NULL: firn_buf_puts(out, "null"); break;
    }
}

void firn_json_write(firn_buf *out, const json_t *json)
{
    write_value(out, json);
}

char *firn_json_text(firn_arena *arena, const json_t *json)
{
    firn_buf out = {.max = SIZE_MAX / 2};
    write_value(&out, json);
    firn_buf_cstr(&out);
    firn_arena_defer(arena, free, out.data);
    return (char *)out.data;
}
