/* Texts as they are shown: control characters made visible, cut to a width, digits grouped. */
#include "output.h"

#include <ctype.h>

const char *firn_text_safe(firn_arena *arena, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    /* C1 control characters (U+0080..U+009F) are commands to some terminals, too. */
    while (*at != '\0' && *at >= 0x20 && *at != 0x7f &&
           !(at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f)) {
        at++;
    }
    if (*at == '\0') {
        return text;
    }
    FIRN_AUTO_BUF firn_buf buf = {0};
    for (at = (const unsigned char *)text; *at != '\0'; at++) {
        if (at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f) {
            firn_buf_printf(&buf, "\\x%02x", at[1]);
            at++;
        } else if (*at == '\n') {
            firn_buf_puts(&buf, "\\n");
        } else if (*at == '\t') {
            firn_buf_puts(&buf, "\\t");
        } else if (*at == '\r') {
            firn_buf_puts(&buf, "\\r");
        } else if (*at < 0x20 || *at == 0x7f) {
            firn_buf_printf(&buf, "\\x%02x", *at);
        } else {
            firn_buf_putc(&buf, *at);
        }
    }
    return firn_arena_strdup(arena, firn_buf_cstr(&buf));
}

/* Bytes of the character at `at`. */
static size_t char_bytes(const char *at)
{
    size_t n = 1;
    while (((unsigned char)at[n] & 0xc0) == 0x80) {
        n++;
    }
    return n;
}

char *firn_text_cut(firn_arena *arena, const char *text, size_t width)
{
    if (firn_utf8_width(text) <= width) {
        return firn_arena_strdup(arena, text);
    }
    const char *at = text;
    size_t used = 0;
    while (*at != '\0') {
        char one[16] = {0};
        size_t n = char_bytes(at);
        memcpy(one, at, n < sizeof(one) ? n : sizeof(one) - 1);
        size_t columns = firn_utf8_width(one);
        if (used + columns + 1 > width) {
            break;
        }
        used += columns;
        at += n;
    }
    return firn_arena_printf(arena, "%.*s%s", (int)(at - text), text, width > 0 ? "…" : "");
}

const char *firn_text_grouped(firn_arena *arena, const char *number)
{
    const char *digits = number + (number[0] == '-' || number[0] == '+');
    size_t n = strspn(digits, "0123456789");
    if (n < 4 || (digits[n] != '\0' && digits[n] != '.') ||
        digits[n + (digits[n] == '.') + strspn(digits + n + (digits[n] == '.'), "0123456789")] !=
            '\0') {
        return number;
    }
    FIRN_AUTO_BUF firn_buf buf = {0};
    firn_buf_append(&buf, number, (size_t)(digits - number));
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0) {
            firn_buf_putc(&buf, ',');
        }
        firn_buf_putc(&buf, (uint8_t)digits[i]);
    }
    firn_buf_puts(&buf, digits + n);
    return firn_arena_strdup(arena, firn_buf_cstr(&buf));
}
