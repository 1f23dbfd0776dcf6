/* Names: namespaces as levels joined by 0x1F, identifiers, refs; their text for people and their bounds. */
#include "internal.h"

#include "base/str.h"

static const char sep = FIRN_NS_SEP[0];

/* Append one level or name, quoted when it could be misread. */
static void append_part(firn_buf *buf, const char *part, size_t len)
{
    bool plain = len > 0;
    for (size_t i = 0; i < len; i++) {
        plain &= part[i] != '.' && part[i] != '"' && part[i] != ' ';
    }
    if (plain) {
        firn_buf_append(buf, part, len);
        return;
    }
    firn_buf_putc(buf, '"');
    for (size_t i = 0; i < len; i++) {
        if (part[i] == '"') {
            firn_buf_putc(buf, '"');
        }
        firn_buf_putc(buf, (uint8_t)part[i]);
    }
    firn_buf_putc(buf, '"');
}

static void append_ns(firn_buf *buf, const char *ns)
{
    for (const char *level = ns;; level++) {
        size_t len = strcspn(level, FIRN_NS_SEP);
        append_part(buf, level, len);
        level += len;
        if (*level == '\0') {
            return;
        }
        firn_buf_putc(buf, '.');
    }
}

char *firn_ns_text(firn_arena *arena, const char *ns)
{
    FIRN_AUTO_BUF firn_buf buf = {0};
    append_ns(&buf, ns);
    return firn_arena_strdup(arena, firn_buf_cstr(&buf));
}

char *firn_ident_text(firn_arena *arena, firn_ident ident)
{
    if (!ident.name || !ident.name[0]) {
        return firn_ns_text(arena, ident.ns);
    }
    FIRN_AUTO_BUF firn_buf buf = {0};
    if (ident.ns && ident.ns[0]) {
        append_ns(&buf, ident.ns);
        firn_buf_putc(&buf, '.');
    }
    append_part(&buf, ident.name, strlen(ident.name));
    return firn_arena_strdup(arena, firn_buf_cstr(&buf));
}

char *firn_ns_parse(firn_arena *arena, const char *dotted)
{
    char *out = firn_arena_alloc(arena, strlen(dotted) + 1), *to = out;
    bool quoted = false;
    for (const char *at = dotted; *at; at++) {
        if (*at == '"' && quoted && at[1] == '"') {
            *to++ = '"';
            at++;
        } else if (*at == '"') {
            quoted = !quoted;
        } else {
            *to++ = *at == '.' && !quoted ? sep : *at;
        }
    }
    *to = '\0';
    return out;
}

char *firn_ns_parent(firn_arena *arena, const char *ns)
{
    const char *last = strrchr(ns, sep);
    return last ? firn_arena_strndup(arena, ns, (size_t)(last - ns)) : firn_arena_strdup(arena, "");
}

const char *firn_kind_text(firn_entry_kind kind)
{
    static const char *const texts[] = {
        [FIRN_KIND_TABLE] = "table",
        [FIRN_KIND_VIEW] = "view",
        [FIRN_KIND_NAMESPACE] = "namespace",
    };
    return texts[kind];
}

/* No control characters: 0x1F separates levels, and the others only serve to deceive. */
static firn_rc check_part(const char *what, const char *part, size_t len, firn_err *err)
{
    if (len == 0) {
        FIRN_FAIL(err, FIRN_E_INVALID, "the name of a %s must not be empty", what);
    }
    if (len > FIRN_NAME_BYTES_MAX) {
        FIRN_FAIL(err, FIRN_E_LIMIT,
                  "the name of a %s has %zu bytes; at most %d are allowed: %.40s...", what, len,
                  FIRN_NAME_BYTES_MAX, part);
    }
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)part[i] < 0x20 || part[i] == 0x7f) {
            FIRN_FAIL(err, FIRN_E_INVALID, "the name of a %s holds a control character (0x%02x)",
                      what, (unsigned char)part[i]);
        }
    }
    if (!firn_utf8_valid(firn_bytes_of(part, len))) {
        FIRN_FAIL(err, FIRN_E_INVALID, "the name of a %s is not valid UTF-8", what);
    }
    return FIRN_OK;
}

firn_rc firn_ns_check(const char *ns, firn_err *err)
{
    enum { LEVELS_MAX = 32 };
    int levels = 0;
    for (const char *level = ns ? ns : "";; level++) {
        size_t len = strcspn(level, FIRN_NS_SEP);
        FIRN_TRY(check_part("namespace", level, len, err));
        if (++levels > LEVELS_MAX) {
            FIRN_FAIL(err, FIRN_E_LIMIT, "a namespace has at most %d levels", LEVELS_MAX);
        }
        level += len;
        if (*level == '\0') {
            return FIRN_OK;
        }
    }
}

firn_rc firn_ident_check(firn_ident ident, firn_err *err)
{
    FIRN_TRY(firn_ns_check(ident.ns, err));
    const char *name = ident.name ? ident.name : "";
    return check_part("table or view", name, strlen(name), err);
}

static bool is_hex(const char *text)
{
    return text[strspn(text, "0123456789abcdef")] == '\0';
}

bool firn_looks_like_commit_id(const char *text)
{
    return strlen(text) == 32 && is_hex(text);
}

firn_rc firn_ref_name_check(const char *name, firn_err *err)
{
    FIRN_TRY(check_part("branch or tag", name, strlen(name), err));
    if (firn_looks_like_commit_id(name)) {
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "\"%s\" looks like a commit id: give the branch or tag another name", name);
    }
    for (const char *at = name; *at; at++) {
        bool letter =
            (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9');
        if (!letter && !strchr("_-./", *at)) {
            FIRN_FAIL(err, FIRN_E_INVALID,
                      "\"%s\" cannot name a branch or tag: use letters, digits and _ - . /", name);
        }
    }
    return FIRN_OK;
}
