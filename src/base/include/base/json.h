/* JSON on top of jansson. Trees are jansson's `json_t`, so unknown members survive a read-change-write
 * round; these helpers tie their lifetime to an arena and turn wrong shapes into firn errors.
 *
 * `what` in the getters names the document for messages ("table metadata file:///...").
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/buf.h"

#include <jansson.h>

/* The arena drops its reference when it ends. Gives `json` back. */
json_t *firn_json_own(firn_arena *arena, json_t *json);

/* Parse one document; duplicate keys are refused. CORRUPT with line and column on bad input. */
firn_rc firn_json_parse(firn_arena *arena, firn_bytes text, const char *what, json_t **out,
                        firn_err *err) FIRN_MUST_USE;

/* Compact or indented text in the arena; doubles with 17 significant digits. */
char *firn_json_text(firn_arena *arena, const json_t *json);
/* Append compact text. */
void firn_json_write(firn_buf *out, const json_t *json);
char *firn_json_pretty(firn_arena *arena, const json_t *json);

/* Required members: CORRUPT if absent or of another type. */
firn_rc firn_json_str(const json_t *obj, const char *key, const char *what, const char **out,
                      firn_err *err) FIRN_MUST_USE;
firn_rc firn_json_i64(const json_t *obj, const char *key, const char *what, int64_t *out,
                      firn_err *err) FIRN_MUST_USE;
firn_rc firn_json_i32(const json_t *obj, const char *key, const char *what, int32_t *out,
                      firn_err *err) FIRN_MUST_USE;
firn_rc firn_json_bool(const json_t *obj, const char *key, const char *what, bool *out,
                       firn_err *err) FIRN_MUST_USE;
firn_rc firn_json_array(const json_t *obj, const char *key, const char *what, json_t **out,
                        firn_err *err) FIRN_MUST_USE;
firn_rc firn_json_object(const json_t *obj, const char *key, const char *what, json_t **out,
                         firn_err *err) FIRN_MUST_USE;

/* Optional members: the default when absent or null; CORRUPT when of another type. */
firn_rc firn_json_opt_str(const json_t *obj, const char *key, const char *what, const char *def,
                          const char **out, firn_err *err) FIRN_MUST_USE;
firn_rc firn_json_opt_i64(const json_t *obj, const char *key, const char *what, int64_t def,
                          int64_t *out, firn_err *err) FIRN_MUST_USE;
firn_rc firn_json_opt_i32(const json_t *obj, const char *key, const char *what, int32_t def,
                          int32_t *out, firn_err *err) FIRN_MUST_USE;
firn_rc firn_json_opt_bool(const json_t *obj, const char *key, const char *what, bool def,
                           bool *out, firn_err *err) FIRN_MUST_USE;
firn_rc firn_json_opt_array(const json_t *obj, const char *key, const char *what, json_t **out,
                            firn_err *err) FIRN_MUST_USE; /* NULL if absent */
firn_rc firn_json_opt_object(const json_t *obj, const char *key, const char *what, json_t **out,
                             firn_err *err) FIRN_MUST_USE; /* NULL if absent */

/* Append `text` as a JSON string literal with quotes and escapes. */
void firn_json_escape(firn_buf *buf, const char *text);

#endif
