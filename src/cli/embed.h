/* Files that the binary carries: made by embed.py from examples/. */
#ifndef CLI_EMBED_H
#define CLI_EMBED_H

#include <stddef.h>

typedef struct firn_embedded {
    const char *path; /* within the example's folder */
    const unsigned char *data;
    size_t len;
} firn_embedded;

extern const firn_embedded firn_embedded_ecommerce[]; /* ends with a row without path */

#endif
