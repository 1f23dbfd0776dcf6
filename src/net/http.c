/* Percent-encoding and query strings (RFC 3986, and the form encoding of HTML for '+'). */
#include "net/http.h"

#include "base/str.h"

#include <string.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

char *firn_url_decode(firn_arena *arena, const char *text, size_t len, bool plus_is_space)
{
    char *out = firn_arena_strndup(arena, text, len);
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '%') {
            int high = i + 1 < len ? hex_digit(text[i + 1]) : -1;
            int low = i + 2 < len ? hex_digit(text[i + 2]) : -1;
            if (high < 0 || low < 0 || (high == 0 && low == 0)) {
                return NULL;
            }
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        out[n++] = c;
    }
    out[n] = '\0';
    return out;
}

char *firn_url_encode(firn_arena *arena, const char *text)
{
    static const char HEX[] = "0123456789ABCDEF";
    static const char PLAIN[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
    char *out = firn_arena_alloc(arena, strlen(text) * 3 + 1);
    size_t n = 0;
    for (; *text; text++) {
        if (strchr(PLAIN, *text)) {
            out[n++] = *text;
        } else {
            out[n++] = '%';
            out[n++] = HEX[(unsigned char)*text >> 4];
            out[n++] = HEX[(unsigned char)*text & 15];
        }
    }
    out[n] = '\0';
    return out;
}

const char *firn_query_value(firn_arena *arena, const char *query, const char *name)
{
    size_t name_len = strlen(name);
    while (query && *query) {
        size_t len = strcspn(query, "&");
        size_t key_len = strcspn(query, "=&");
        char *key = firn_url_decode(arena, query, key_len, true);
        if (key && strlen(key) == name_len && firn_streq(key, name)) {
            const char *value = key_len < len ? query + key_len + 1 : query + len;
            return firn_url_decode(arena, value, (size_t)(query + len - value), true);
        }
        query += query[len] ? len + 1 : len;
    }
    return NULL;
}
