/* Which snapshot, under which schema, a time-travel clause means (spec: "Snapshots", "Snapshot References").
 *
 * A snapshot id, a time and a tag are read with the schema of that snapshot, a branch with the table's current schema.
 */
#include "duck.h"
#include "read_tree.h"

#include "base/time.h"

#include <inttypes.h>

static void take_snapshot(firn_occurrence *occurrence, const firn_snapshot *snapshot,
                          bool own_schema)
{
    const firn_metadata *metadata = occurrence->table.metadata;
    occurrence->snapshot = snapshot;
    const firn_schema *schema = own_schema && snapshot->schema_id >= 0
                                    ? firn_metadata_schema(metadata, snapshot->schema_id)
                                    : NULL;
    occurrence->schema = schema != NULL ? schema : metadata->schema;
}

static firn_rc by_id(firn_occurrence *occurrence, int64_t id, firn_err *err)
{
    const firn_snapshot *snapshot = firn_metadata_snapshot(occurrence->table.metadata, id);
    if (snapshot == NULL) {
        FIRN_FAIL(err, FIRN_E_NO_SNAPSHOT,
                  "%s has no snapshot %" PRId64
                  " (expired, or of another table); SELECT * FROM \"%s$snapshots\" lists them",
                  occurrence->text, id, occurrence->ident.name);
    }
    take_snapshot(occurrence, snapshot, true);
    return FIRN_OK;
}

static firn_rc by_name(firn_arena *arena, firn_occurrence *occurrence, const char *name,
                       firn_err *err)
{
    const firn_metadata *metadata = occurrence->table.metadata;
    const firn_snapshot_ref *ref = firn_metadata_ref(metadata, name);
    int64_t id;
    if (ref == NULL && firn_parse_i64(name, &id)) {
        return by_id(occurrence, id, err);
    }
    if (ref == NULL) {
        const char **names = FIRN_NEW_N(arena, const char *, metadata->n_refs);
        for (size_t i = 0; i < metadata->n_refs; i++) {
            names[i] = metadata->refs[i].name;
        }
        const char *nearest = firn_nearest(name, names, metadata->n_refs);
        FIRN_FAIL(
            err, FIRN_E_NO_REF,
            "%s has no branch or tag %s of its own.%s%s%s Branches of the whole lake are read as %s@%s",
            occurrence->text, name, nearest != NULL ? " Did you mean " : "",
            nearest != NULL ? nearest : "", nearest != NULL ? "?" : "", occurrence->text, name);
    }
    const firn_snapshot *snapshot = firn_metadata_snapshot(metadata, ref->snapshot_id);
    if (snapshot == NULL) {
        FIRN_FAIL(err, FIRN_E_CORRUPT,
                  "%s: ref %s points to snapshot %" PRId64 ", which the metadata does not have",
                  occurrence->text, name, ref->snapshot_id);
    }
    take_snapshot(occurrence, snapshot, ref->is_tag);
    return FIRN_OK;
}

static firn_rc by_time(firn_arena *arena, firn_occurrence *occurrence, int64_t ms, firn_err *err)
{
    const firn_metadata *metadata = occurrence->table.metadata;
    const firn_snapshot *snapshot = firn_metadata_snapshot_as_of(metadata, ms);
    if (snapshot == NULL) {
        const char *first =
            metadata->n_snapshot_log > 0
                ? firn_arena_printf(arena, "; its log starts at %s",
                                    firn_format_timestamp(
                                        arena, metadata->snapshot_log[0].timestamp_ms * 1000, true))
                : "";
        FIRN_FAIL(err, FIRN_E_NO_SNAPSHOT, "%s had no snapshot at %s%s", occurrence->text,
                  firn_format_timestamp(arena, ms * 1000, true), first);
    }
    take_snapshot(occurrence, snapshot, true);
    return FIRN_OK;
}

/* The value of an expression of the tree, as text: DuckDB computes it. */
static firn_rc evaluate(firn_session *session, firn_arena *arena, const json_t *expr, bool as_time,
                        const char **out, firn_err *err)
{
    json_t *select;
    FIRN_TRY(firn_duck_parse(session, arena, "SELECT 1", &select, err));
    json_array_set(json_object_get(select, "select_list"), 0, (json_t *)expr);
    char *sql;
    FIRN_TRY(firn_duck_unparse(session, arena, select, &sql, err));
    firn_duck_cells rows;
    FIRN_TRY(firn_duck_rows(
        session, arena,
        firn_arena_printf(arena,
                          as_time ? "SELECT epoch_ms(CAST((%s) AS TIMESTAMP WITH TIME ZONE))"
                                  : "SELECT CAST((%s) AS VARCHAR)",
                          sql),
        &rows, err));
    if (rows.n_rows != 1 || rows.n_columns != 1 || rows.cells[0][0] == NULL) {
        FIRN_FAIL(err, FIRN_E_INVALID, "time travel needs one value, not NULL");
    }
    *out = rows.cells[0][0];
    return FIRN_OK;
}

firn_rc firn_travel_resolve(firn_session *session, firn_arena *arena, const json_t *at,
                            firn_occurrence *occurrence, firn_err *err)
{
    const char *unit = json_string_value(json_object_get(at, "unit"));
    const json_t *expr = json_object_get(at, "expr");
    const char *text;
    if (unit != NULL && firn_strcaseeq(unit, "TIMESTAMP")) {
        firn_rc rc = evaluate(session, arena, expr, true, &text, err);
        if (rc != FIRN_OK) {
            return firn_err_wrap(err, rc, "%s: the time to travel to", occurrence->text);
        }
        int64_t ms;
        if (!firn_parse_i64(text, &ms)) {
            FIRN_FAIL(err, FIRN_E_INVALID, "%s: %s is no time to travel to", occurrence->text,
                      text);
        }
        return by_time(arena, occurrence, ms, err);
    }
    firn_rc rc = evaluate(session, arena, expr, false, &text, err);
    if (rc != FIRN_OK) {
        return firn_err_wrap(err, rc, "%s: the version to travel to", occurrence->text);
    }
    return by_name(arena, occurrence, text, err);
}
