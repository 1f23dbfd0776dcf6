/* Locations: plain absolute paths, the three spellings of file URIs, and other schemes' URIs.
 *
 * Iceberg writers (Hadoop, PyIceberg, Spark) record local files as "/a", "file:/a" or "file:///a" and do
 * not percent-encode what follows, although partition folders contain percent signs of their own
 * ("name=a%2Fb"). So the text after the scheme is the path as it is; nothing is decoded.
 */
#include "location.h"

#include "base/io.h"

static bool is_scheme_char(char c, bool first)
{
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return letter || (!first && ((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.'));
}

/* Length of the scheme in front of the ':', 0 if there is none. */
static size_t scheme_len(const char *location)
{
    size_t len = 0;
    while (is_scheme_char(location[len], len == 0)) {
        len++;
    }
    return location[len] == ':' ? len : 0;
}

static const char *one_leading_slash(const char *path)
{
    while (path[0] == '/' && path[1] == '/') {
        path++;
    }
    return path;
}

firn_rc firn_location_parse(const char *location, firn_location *out, firn_err *err)
{
    *out = (firn_location){.scheme = "file"};
    if (location[0] == '/') {
        out->target = one_leading_slash(location);
        return FIRN_OK;
    }
    size_t len = scheme_len(location);
    if (len == 0) {
        FIRN_FAIL(
            err, FIRN_E_INVALID,
            "location \"%s\" is neither a URI nor an absolute path: write it as /path, file:///path or "
            "scheme://...",
            location);
    }
    if (len >= FIRN_SCHEME_BYTES) {
        FIRN_FAIL(err, FIRN_E_INVALID, "the scheme of location \"%s\" is longer than %d characters",
                  location, FIRN_SCHEME_BYTES - 1);
    }
    for (size_t i = 0; i < len; i++) {
        char c = location[i];
        out->scheme[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    out->scheme[len] = '\0';
    if (!firn_streq(out->scheme, "file")) {
        out->target = location;
        return FIRN_OK;
    }
    const char *rest = location + len + 1;
    if (firn_starts_with(rest, "//localhost/")) {
        rest += strlen("//localhost");
    } else if (rest[0] == '/' && rest[1] == '/' && rest[2] != '/') {
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "location \"%s\" names a host: local files are written file:///path", location);
    }
    if (rest[0] != '/') {
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "location \"%s\" is not absolute: local files are written file:///path",
                  location);
    }
    out->target = one_leading_slash(rest);
    return FIRN_OK;
}

char *firn_location_of_path(firn_arena *arena, const char *path)
{
    if (scheme_len(path) > 0) {
        return firn_arena_strdup(arena, path);
    }
    return firn_arena_printf(arena, "file://%s", firn_path_absolute(arena, path));
}

char *firn_location_join(firn_arena *arena, const char *base, const char *name)
{
    size_t len = strlen(base);
    while (len > 0 && base[len - 1] == '/') {
        len--;
    }
    while (*name == '/') {
        name++;
    }
    return firn_arena_printf(arena, "%.*s/%s", (int)len, base, name);
}
