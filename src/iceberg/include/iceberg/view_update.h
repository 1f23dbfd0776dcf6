/* Changes of views (REST catalog specification, "ViewUpdate" and "ViewRequirement"), and view metadata files.
 *
 * Updates and requirements are JSON objects of the protocol, applied to a view metadata document: {"action": "add-view-version",
 * ...}, {"type": "assert-view-uuid", ...}. The document is the truth; members that firn does not know survive. "-1" means "the
 * last one added" in set-current-view-version and in a version's schema-id.
 *
 * Rules, as Java's ViewMetadata.Builder has them: ids of versions and schemas are assigned here, an equal version or schema is
 * used again; a version holds one query per dialect; a replacement must keep every dialect of the version before it unless the
 * property replace.drop-dialect.allowed is true; version.history.num-entries (10) versions are kept, never fewer than those just
 * added and the current one, and the version log forgets what comes before a version that is gone.
 *
 * Errors: INVALID for malformed or forbidden updates; CONFLICT (retriable) for a failed requirement, with Java's texts; CORRUPT
 * for a document that is not as the specification has it.
 */
#ifndef ICEBERG_VIEW_UPDATE_H
#define ICEBERG_VIEW_UPDATE_H

#include "iceberg/view.h"
#include "storage/storage.h"

enum { FIRN_VIEW_BYTES_MAX = 64 << 20 };

/* Check every requirement against the document; base NULL means that the view does not exist. */
firn_rc firn_view_requirements_check(const json_t *requirements, const json_t *base,
                                     firn_err *err) FIRN_MUST_USE;

/* Apply an array of updates to `base` (NULL: create). When nothing changes, *out == base; else it is a new document that the
 * arena owns. now_ms 0: the clock. */
firn_rc firn_view_updates_apply(firn_arena *arena, const json_t *base, const json_t *updates,
                                int64_t now_ms, json_t **out, firn_err *err) FIRN_MUST_USE;

/* The updates that create a view from a CreateViewRequest's members; `location` and `properties` are nullable. New reference. */
json_t *firn_view_create_updates(const char *location, const json_t *schema,
                                 const json_t *view_version, const json_t *properties);

/* CORRUPT unless the document has everything that the view specification requires. */
firn_rc firn_view_check(firn_arena *arena, const json_t *view, const char *what,
                        firn_err *err) FIRN_MUST_USE;
/* Plain or gzip; what it holds is not checked. */
firn_rc firn_view_file_load(firn_storage *storage, firn_arena *arena, const char *location,
                            json_t **out, firn_err *err) FIRN_MUST_USE;
/* Write as a new file "<view location>/metadata/<5-digit version>-<uuid>.metadata.json", or below the property
 * write.metadata.path; gzip by write.metadata.compression-codec. The number follows the one in `previous_location` (NULL: 0). */
firn_rc firn_view_file_store(firn_storage *storage, firn_arena *arena, const json_t *view,
                             const char *previous_location, char **location,
                             firn_err *err) FIRN_MUST_USE;

#endif
