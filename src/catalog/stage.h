/* What the files of the stage share: helpers for carrying out one change, and the changes of views (stage_view.c). */
#ifndef CATALOG_STAGE_H
#define CATALOG_STAGE_H

#include "internal.h"

/* The key's name, for messages. */
const char *firn_stage_text(firn_stage *stage, const firn_staged *staged);
/* What writing one new file returned, as a failure of the commit: an unknown outcome is a known failure, because nothing points
 * to that file yet. */
firn_rc firn_stage_written(firn_rc rc, firn_err *err) FIRN_MUST_USE;

firn_rc firn_stage_need_namespace(firn_stage *stage, const char *ns, firn_err *err) FIRN_MUST_USE;
/* The key of a table or view that must be there. */
firn_rc firn_stage_need_entry(firn_stage *stage, firn_ident ident, firn_entry_kind kind,
                              firn_staged **out, firn_err *err) FIRN_MUST_USE;
/* The key of a table or view that must not be there yet, in a namespace that is. */
firn_rc firn_stage_need_free(firn_stage *stage, firn_ident ident, firn_staged **out,
                             firn_err *err) FIRN_MUST_USE;
firn_rc firn_stage_fail_exists(firn_stage *stage, const firn_staged *staged,
                               firn_err *err) FIRN_MUST_USE;
/* CONFLICT when the key points elsewhere; `expected` is nullable. */
firn_rc firn_stage_check_expected(firn_stage *stage, const firn_staged *staged,
                                  const char *expected, firn_err *err) FIRN_MUST_USE;
void firn_stage_set_now(firn_stage *stage, firn_staged *staged, firn_entry_kind kind,
                        const char *content_id, const char *value);
void firn_stage_claim(firn_stage *stage, const char *location, const char *content_id);
/* Requirements are optional, and so are updates. */
const json_t *firn_stage_array(firn_stage *stage, const json_t *array);
/* The updates, with the default location put in where they name none. */
firn_rc firn_stage_with_location(firn_stage *stage, firn_ident ident, const json_t *updates,
                                 const json_t **out, firn_err *err) FIRN_MUST_USE;

firn_rc firn_stage_put_view(firn_stage *stage, const firn_change *change,
                            firn_err *err) FIRN_MUST_USE;
firn_rc firn_stage_create_view(firn_stage *stage, const firn_change *change,
                               firn_err *err) FIRN_MUST_USE;
firn_rc firn_stage_update_view(firn_stage *stage, const firn_change *change,
                               firn_err *err) FIRN_MUST_USE;
firn_rc firn_stage_register_view(firn_stage *stage, const firn_change *change,
                                 firn_err *err) FIRN_MUST_USE;

#endif
