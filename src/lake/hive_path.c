/* Hive paths; see hive_path.h. */
#include "lake/hive_path.h"

#include "base/time.h"

#include <ctype.h>

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* NULL when it is not UTF-8 or has a NUL in it. A percent sign without two hex digits behind it is itself, as for Spark. */
static const char *decode(firn_arena *arena, const char *text, size_t len)
{
    char *out = firn_arena_alloc(arena, len + 1);
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        int high = text[i] == '%' && i + 2 < len ? hex_digit(text[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
        if (low >= 0) {
            out[n++] = (char)(high * 16 + low);
            i += 2;
        } else {
            out[n++] = text[i];
        }
    }
    out[n] = '\0';
    return memchr(out, '\0', n) == NULL && firn_utf8_valid(firn_bytes_of(out, n)) ? out : NULL;
}

bool firn_hive_is_hidden(const char *relative)
{
    for (const char *part = relative; *part != '\0';) {
        size_t len = strcspn(part, "/");
        bool folder = part[len] == '/';
        if (part[0] == '.' || (part[0] == '_' && !(folder && memchr(part, '=', len) != NULL))) {
            return true;
        }
        part += len + (folder ? 1 : 0);
    }
    return false;
}

static firn_rc parse_folder(firn_arena *arena, const char *relative, const char *part, size_t len,
                            firn_hive_key *out, firn_err *err)
{
    const char *equals = memchr(part, '=', len);
    size_t name_len = (size_t)(equals - part);
    out->name = decode(arena, part, name_len);
    out->value = decode(arena, equals + 1, len - name_len - 1);
    if (out->name == NULL || out->value == NULL || out->name[0] == '\0') {
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "%s: the folder \"%.*s\" gives no column name and value in UTF-8", relative,
                  (int)len, part);
    }
    if (firn_streq(out->value, FIRN_HIVE_NULL)) {
        out->value = NULL;
    }
    return FIRN_OK;
}

firn_rc firn_hive_path_parse(firn_arena *arena, const char *relative, firn_hive_key **keys,
                             size_t *n, firn_err *err)
{
    *keys = FIRN_NEW_N(arena, firn_hive_key, FIRN_HIVE_KEYS_MAX);
    *n = 0;
    for (const char *part = relative;;) {
        size_t len = strcspn(part, "/");
        if (part[len] == '\0') {
            return FIRN_OK; /* the file's own name */
        }
        if (memchr(part, '=', len) != NULL) {
            if (*n == FIRN_HIVE_KEYS_MAX) {
                FIRN_FAIL(err, FIRN_E_INVALID, "%s has more than %d key=value folders", relative,
                          FIRN_HIVE_KEYS_MAX);
            }
            FIRN_TRY(parse_folder(arena, relative, part, len, &(*keys)[*n], err));
            for (size_t i = 0; i < *n; i++) {
                if (firn_strcaseeq((*keys)[i].name, (*keys)[*n].name)) {
                    FIRN_FAIL(err, FIRN_E_INVALID, "%s has two folders for %s", relative,
                              (*keys)[*n].name);
                }
            }
            ++*n;
        }
        part += len + 1;
    }
}

static firn_type_id type_of(const char *value)
{
    int64_t number = 0;
    int32_t days = 0;
    const char *digits = value[0] == '-' ? value + 1 : value;
    if (isdigit((unsigned char)digits[0]) && digits[strspn(digits, "0123456789")] == '\0' &&
        firn_parse_i64(value, &number)) {
        return number >= INT32_MIN && number <= INT32_MAX ? FIRN_TYPE_INT : FIRN_TYPE_LONG;
    }
    return strlen(value) == 10 && firn_parse_date(value, &days) ? FIRN_TYPE_DATE : FIRN_TYPE_STRING;
}

firn_type_id firn_hive_type_widen(firn_type_id so_far, const char *value)
{
    if (value == NULL || so_far == FIRN_TYPE_STRING) {
        return so_far;
    }
    firn_type_id own = type_of(value);
    if (so_far == FIRN_TYPE_UNKNOWN || so_far == own) {
        return own;
    }
    bool numbers = (so_far == FIRN_TYPE_INT || so_far == FIRN_TYPE_LONG) &&
                   (own == FIRN_TYPE_INT || own == FIRN_TYPE_LONG);
    return numbers ? FIRN_TYPE_LONG : FIRN_TYPE_STRING;
}
