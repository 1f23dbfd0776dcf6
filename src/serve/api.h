/* What the handlers of the management API share (docs/reference/api.md). */
#ifndef SERVE_API_H
#define SERVE_API_H

#include "handlers.h"

/* Members of a body: INVALID when of another type. Text may be absent. */
firn_rc firn_api_text(const json_t *body, const char *key, const char **out,
                      firn_err *err) FIRN_MUST_USE;
firn_rc firn_api_need_text(const json_t *body, const char *key, const char **out,
                           firn_err *err) FIRN_MUST_USE;
firn_rc firn_api_bool(const json_t *body, const char *key, bool *out, firn_err *err) FIRN_MUST_USE;

/* "2026-11-28T18:05:12.123456Z" */
const char *firn_api_time(firn_arena *arena, int64_t us);
const char *firn_api_kind(firn_entry_kind kind);
/* New references. */
json_t *firn_api_ref(firn_arena *arena, const firn_ref *ref);
json_t *firn_api_or_null(int64_t count); /* -1: null */
/* {"change", "kind", "namespace", "name", "from-location", "to-location"} */
json_t *firn_api_change(const firn_diff *diff);
/* What the commits of a call are made as. */
firn_commit_info firn_api_info(const firn_call *call, const char *message);

#endif
