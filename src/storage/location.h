/* Locations taken apart: which driver, and what that driver is to open. */
#ifndef STORAGE_LOCATION_H
#define STORAGE_LOCATION_H

#include "storage/storage.h"

enum { FIRN_SCHEME_BYTES = 16 };

typedef struct firn_location {
    char scheme[FIRN_SCHEME_BYTES]; /* "file" for plain paths, too */
    const char *
        target; /* file: the absolute path with one leading slash; others: the whole URI. Borrowed. */
} firn_location;

/* INVALID for a relative path, a file URI that names a host, or a scheme that is too long. */
firn_rc firn_location_parse(const char *location, firn_location *out, firn_err *err) FIRN_MUST_USE;

#endif
