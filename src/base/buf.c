/* Growing byte buffers with a hard maximum.
 *
 * Invariant: once `overflow` is on, nothing more is appended, however small, until firn_buf_clear: a buffer
 * never holds bytes that follow a hole. There is always room for the NUL of firn_buf_cstr when cap > 0.
 */
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

void firn_buf_init(firn_buf *buf, size_t max)
{
    *buf = (firn_buf){.max = max};
}

void firn_buf_deinit(firn_buf *buf)
{
    free(buf->data);
    *buf = (firn_buf){.max = buf->max};
}

void firn_buf_clear(firn_buf *buf)
{
    buf->len = 0;
    buf->overflow = false;
}

/* cap >= content + 1; the caller has checked content against the maximum. */
static void grow_to(firn_buf *buf, size_t content)
{
    enum { FIRST_CAP_BYTES = 64 };
    if (content < buf->cap) {
        return;
    }
    size_t cap = buf->cap != 0 ? buf->cap : FIRST_CAP_BYTES;
    while (cap <= content) {
        cap = firn_mul_size(cap, 2);
    }
    buf->data = firn_realloc(buf->data, cap);
    buf->cap = cap;
}

uint8_t *firn_buf_reserve(firn_buf *buf, size_t more)
{
    size_t max = buf->max != 0 ? buf->max : FIRN_BUF_MAX_DEFAULT;
    if (buf->overflow || buf->len > max || more > max - buf->len) {
        buf->overflow = true;
        return NULL;
    }
    grow_to(buf, buf->len + more);
    return buf->data + buf->len;
}

void firn_buf_append(firn_buf *buf, const void *data, size_t len)
{
    uint8_t *to = firn_buf_reserve(buf, len);
    if (to != NULL && len != 0) {
        memcpy(to, data, len);
        buf->len += len;
    }
}

void firn_buf_puts(firn_buf *buf, const char *text)
{
    firn_buf_append(buf, text, strlen(text));
}

void firn_buf_putc(firn_buf *buf, uint8_t byte)
{
    firn_buf_append(buf, &byte, 1);
}

void firn_buf_put_i64(firn_buf *buf, int64_t value)
{
    char digits[24];
    size_t at = sizeof(digits);
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0) {
        digits[--at] = '-';
    }
    firn_buf_append(buf, digits + at, sizeof(digits) - at);
}

void firn_buf_printf(firn_buf *buf, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    uint8_t *to = len >= 0 ? firn_buf_reserve(buf, (size_t)len) : NULL;
    if (to == NULL) {
        buf->overflow = true;
        return;
    }
    va_start(args, fmt);
    vsnprintf((char *)to, (size_t)len + 1, fmt, args); /* the NUL has its room: see above */
    va_end(args);
    buf->len += (size_t)len;
}

const char *firn_buf_cstr(firn_buf *buf)
{
    grow_to(buf, buf->len);
    buf->data[buf->len] = '\0';
    return (const char *)buf->data;
}
