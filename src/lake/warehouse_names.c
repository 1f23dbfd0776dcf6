/* Names in a warehouse folder: metadata files, version hints, folders of tables. Text only. */
#include "lake/warehouse.h"

#include <ctype.h>

enum { HINT_BYTES_MAX = 64, VERSION_DIGITS_MAX = 18 };

/* Digits at the start of `text`, at most VERSION_DIGITS_MAX; -1 if there are none. *end is behind them. */
static int64_t leading_number(const char *text, const char **end)
{
    int64_t number = -1;
    size_t n = 0;
    for (; isdigit((unsigned char)text[n]); n++) {
        if (n >= VERSION_DIGITS_MAX) {
            return -1;
        }
        number = (number < 0 ? 0 : number) * 10 + (text[n] - '0');
    }
    *end = text + n;
    return number;
}

int64_t firn_metadata_file_version(const char *name)
{
    const char *end = NULL;
    bool known =
        firn_ends_with(name, ".metadata.json") || firn_ends_with(name, ".metadata.json.gz");
    if (!known) {
        return -1;
    }
    int64_t version = leading_number(name[0] == 'v' ? name + 1 : name, &end);
    /* "v3.metadata.json", "00003-<uuid>.metadata.json"; "2024_backup.metadata.json" is somebody's copy. */
    return version >= 0 && (end[0] == '.' || (end[0] == '-' && name[0] != 'v')) ? version : -1;
}

int64_t firn_version_hint_parse(firn_bytes text)
{
    size_t at = 0;
    int64_t number = -1;
    if (text.len > HINT_BYTES_MAX) {
        return -1;
    }
    while (at < text.len && isspace(text.data[at])) {
        at++;
    }
    for (size_t digits = 0; at < text.len && isdigit(text.data[at]); at++) {
        if (++digits > VERSION_DIGITS_MAX) {
            return -1;
        }
        number = (number < 0 ? 0 : number) * 10 + (text.data[at] - '0');
    }
    while (at < text.len && isspace(text.data[at])) {
        at++;
    }
    return at == text.len ? number : -1;
}

/* ---- folders ------------------------------------------------------------------------------------------ */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* %41 -> A, when all of it is well-formed and printable; else the text as it is. */
static const char *decoded(firn_arena *arena, const char *text)
{
    char *out = firn_arena_strdup(arena, text);
    size_t len = 0;
    for (size_t i = 0; text[i] != '\0'; i++) {
        if (text[i] != '%') {
            out[len++] = text[i];
            continue;
        }
        int high = hex_digit(text[i + 1]);
        int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
        if (low < 0 || high * 16 + low < 0x20 || high * 16 + low == 0x7f) {
            return text;
        }
        out[len++] = (char)(high * 16 + low);
        i += 2;
    }
    out[len] = '\0';
    return firn_utf8_valid(firn_bytes_str(out)) ? out : text;
}

static bool all_hex(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (hex_digit(text[i]) < 0) {
            return false;
        }
    }
    return true;
}

/* "8-4-4-4-12" */
static bool is_uuid(const char *text)
{
    static const size_t GROUPS[] = {8, 4, 4, 4, 12};
    for (size_t g = 0; g < 5; g++) {
        if (strnlen(text, GROUPS[g]) < GROUPS[g] || !all_hex(text, GROUPS[g])) {
            return false;
        }
        text += GROUPS[g];
        if (g < 4 && *text++ != '-') {
            return false;
        }
    }
    return *text == '\0';
}

/* Length of the name without "-<uuid>", "_<uuid>", "-<32 hex>", "-<8 hex>". Eight digits that are a date (20240115) stay, so
 * only those with a letter among them count. */
static size_t without_uuid(const char *name)
{
    size_t len = strlen(name);
    if (len > 37 && (name[len - 37] == '-' || name[len - 37] == '_') && is_uuid(name + len - 36)) {
        return len - 37;
    }
    if (len > 33 && (name[len - 33] == '-' || name[len - 33] == '_') &&
        all_hex(name + len - 32, 32)) {
        return len - 33;
    }
    if (len > 9 && name[len - 9] == '-' && all_hex(name + len - 8, 8) &&
        strpbrk(name + len - 8, "abcdefABCDEF") != NULL) {
        return len - 9;
    }
    return len;
}

static bool is_name(const char *text)
{
    size_t len = strlen(text);
    if (len == 0 || len > 255 || !firn_utf8_valid(firn_bytes_str(text))) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            return false;
        }
    }
    return strpbrk(text, "/@$") == NULL; /* t@ref and t$snapshots mean something in queries */
}

bool firn_warehouse_name(firn_arena *arena, const char *relative, const char **ns,
                         const char **name)
{
    size_t n = 0;
    char **levels = firn_str_split(arena, relative, '/', &n);
    const char **named = FIRN_NEW_N(arena, const char *, n);
    for (size_t i = 0; i < n; i++) {
        named[i] = decoded(arena, levels[i]);
        if (!is_name(named[i])) {
            return false;
        }
    }
    if (n == 0) {
        return false;
    }
    *name = firn_arena_strndup(arena, named[n - 1], without_uuid(named[n - 1]));
    for (size_t i = 0; i + 1 < n; i++) {
        size_t len = strlen(named[i]);
        if (len > 3 && firn_ends_with(named[i], ".db")) {
            named[i] = firn_arena_strndup(arena, named[i], len - 3);
        }
    }
    *ns = firn_str_join(arena, named, n - 1, FIRN_NS_SEP);
    return strlen(*ns) <= 255;
}
