/* A growable heap byte buffer with a hard maximum. Embedded: firn_buf_init / firn_buf_deinit; a zeroed
 * firn_buf is a valid empty one with the default maximum. Appends cannot fail below the maximum; past it
 * the buffer keeps its bytes and turns `overflow` on, which the owner checks once at the end.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/str.h"

#define FIRN_BUF_MAX_DEFAULT ((size_t)1 << 30)

typedef struct firn_buf {
    uint8_t *data;
    size_t len;
    size_t cap;
    size_t max; /* 0: FIRN_BUF_MAX_DEFAULT */
    bool overflow;
} firn_buf;

void firn_buf_init(firn_buf *buf, size_t max);
void firn_buf_deinit(firn_buf *buf);
void firn_buf_clear(firn_buf *buf);
/* Room for `more` bytes at data + len, or NULL on overflow; the caller advances len. */
uint8_t *firn_buf_reserve(firn_buf *buf, size_t more);
void firn_buf_append(firn_buf *buf, const void *data, size_t len);
void firn_buf_puts(firn_buf *buf, const char *text);
void firn_buf_putc(firn_buf *buf, uint8_t byte);
void firn_buf_put_i64(firn_buf *buf, int64_t value); /* decimal, several times as fast as printf */
void firn_buf_printf(firn_buf *buf, const char *fmt, ...) FIRN_PRINTF(2, 3);
/* NUL-terminated view of the content (the NUL is not counted in len). */
const char *firn_buf_cstr(firn_buf *buf);
static inline firn_bytes firn_buf_bytes(const firn_buf *buf)
{
    return (firn_bytes){.data = buf->data, .len = buf->len};
}

#define FIRN_AUTO_BUF __attribute__((cleanup(firn_buf_deinit)))

#endif
