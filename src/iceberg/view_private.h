/* Inside iceberg/: rules that every change of a view document keeps, whoever makes it. */
#ifndef ICEBERG_VIEW_PRIVATE_H
#define ICEBERG_VIEW_PRIVATE_H

#include "iceberg/view.h"

enum { FIRN_VIEW_FORMAT_VERSION = 1, FIRN_VIEW_SQL_BYTES_MAX = 16 << 20 };

/* CORRUPT unless one version has everything that the specification requires; `what` names its document. */
firn_rc firn_view_version_check(const json_t *version, const char *what,
                                firn_err *err) FIRN_MUST_USE;
/* The version with this id, or NULL. */
json_t *firn_view_version(const json_t *view, int64_t version_id);
/* INVALID when the current version lacks a dialect that `previous` (nullable) has, unless the properties allow it. */
firn_rc firn_view_keeps_dialects(firn_arena *arena, const json_t *view, const json_t *previous,
                                 firn_err *err) FIRN_MUST_USE;
/* Forget old versions, keeping at least n_added and the current one; INVALID for a version.history.num-entries that is no
 * positive number. */
firn_rc firn_view_forget_versions(firn_arena *arena, json_t *view, size_t n_added,
                                  firn_err *err) FIRN_MUST_USE;

#endif
