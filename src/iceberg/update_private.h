/* Inside iceberg/: the state that table updates work on.
 *
 * An updater holds a document and a view of it, both under construction, and every update changes both alike.
 * The document starts as a shallow copy of the base: members are shared until an update asks for one with
 * firn_updater_list() or firn_updater_object(), and then its elements still are. Nothing of the base changes,
 * and the view borrows nothing from the base's arena.
 */
#ifndef ICEBERG_UPDATE_PRIVATE_H
#define ICEBERG_UPDATE_PRIVATE_H

#include "iceberg/update.h"

#include "metadata_private.h"

#include "base/map.h"

enum { FIRN_UPDATER_MEMBERS_MAX = 32 };

typedef FIRN_VEC(firn_log_entry) firn_log_list;

typedef struct firn_updater {
    firn_arena *arena;
    const firn_metadata *base; /* NULL: a new table */
    const firn_update_options *options;
    int64_t now_ms;
    bool changed;

    json_t *doc;
    const char *owned[FIRN_UPDATER_MEMBERS_MAX]; /* members of doc that are copies already */
    size_t n_owned;

    firn_metadata *m; /* scalars; the lists are below until the end */
    FIRN_VEC(firn_schema *) schemas;
    FIRN_VEC(firn_partition_spec *) specs;
    FIRN_VEC(firn_sort_order *) sort_orders;
    FIRN_VEC(firn_snapshot) snapshots;
    FIRN_VEC(firn_snapshot_ref) refs;
    firn_log_list snapshot_log;
    firn_log_list metadata_log;
    firn_snapshot_index *index; /* as in firn_metadata; NULL after a removal until it is needed */

    int32_t schema_id, spec_id, order_id; /* current and defaults */
    int64_t snapshot_id;                  /* current, -1: none */

    /* "-1" in set-current-schema and friends; -1: none was added */
    int32_t last_schema_id, last_spec_id, last_order_id;
    bool layout_changed; /* schema, spec or sort order: check that they fit each other */
    firn_imap *added_snapshots;
    FIRN_VEC(int64_t) main_history; /* added snapshots that main was set to in this change */
    bool snapshots_removed;
} firn_updater;

/* The member of the document, as a copy that may be changed; made if absent. */
json_t *firn_updater_list(firn_updater *u, const char *key);
json_t *firn_updater_object(firn_updater *u, const char *key);

/* NULL if unknown; valid until the next snapshot is added. */
const firn_snapshot *firn_updater_snapshot(firn_updater *u, int64_t snapshot_id);
firn_snapshot_ref *firn_updater_ref(firn_updater *u, const char *name);

firn_rc firn_updater_add_spec(firn_updater *u, const firn_partition_spec *spec,
                              firn_err *err) FIRN_MUST_USE;
firn_rc firn_updater_add_order(firn_updater *u, const firn_sort_order *order,
                               firn_err *err) FIRN_MUST_USE;
/* The last step on snapshots: brings snapshot-log and metadata-log up to date. */
firn_rc firn_updater_finish_logs(firn_updater *u, firn_err *err) FIRN_MUST_USE;

/* One function per update action; `what` names the update for messages. */
typedef firn_rc firn_update_fn(firn_updater *u, const json_t *update, const char *what,
                               firn_err *err);
firn_update_fn firn_update_add_schema_fn, firn_update_set_schema_fn, firn_update_remove_schemas_fn,
    firn_update_add_spec_fn, firn_update_set_spec_fn, firn_update_remove_specs_fn,
    firn_update_add_order_fn, firn_update_set_order_fn, firn_update_add_snapshot_fn,
    firn_update_remove_snapshots_fn, firn_update_set_ref_fn, firn_update_remove_ref_fn,
    firn_update_set_statistics_fn, firn_update_remove_statistics_fn,
    firn_update_set_partition_statistics_fn, firn_update_remove_partition_statistics_fn;

#endif
