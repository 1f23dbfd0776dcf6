/* What changed between two states of a table: one join by the key columns, or two multisets of rows.
 *
 * Compared are the columns that both states have, by name; the version's own column differs by design and is left out.
 */
#include "versions_private.h"

#include "base/vec.h"
#include "tree_private.h"

#include <inttypes.h>

typedef struct comparison {
    firn_arena *arena;
    const firn_metadata *metadata;
    const char *text;
    const firn_snapshot *from, *to;
    FIRN_VEC(const char *) columns; /* quoted */
    FIRN_VEC(const char *) keys;
    FIRN_VEC(const char *) values; /* the other columns */
} comparison;

static firn_rc find_state(const comparison *c, const char *name, const firn_snapshot **out,
                          firn_err *err)
{
    const firn_snapshot_ref *ref = firn_metadata_ref(c->metadata, name);
    int64_t id = 0;
    *out = NULL;
    if (ref != NULL) {
        *out = firn_metadata_snapshot(c->metadata, ref->snapshot_id);
    } else if (firn_parse_i64(name, &id)) {
        *out = firn_metadata_snapshot(c->metadata, id);
    }
    if (*out == NULL) {
        FIRN_FAIL(err, FIRN_E_NOT_FOUND,
                  "table %s has no version, tag or snapshot %s: %s; its snapshots: firn table "
                  "snapshots %s",
                  c->text, name, firn_versions_text(c->arena, c->metadata), c->text);
    }
    return FIRN_OK;
}

static const firn_schema *schema_of(const comparison *c, const firn_snapshot *snapshot)
{
    const firn_schema *schema = firn_metadata_schema(c->metadata, snapshot->schema_id);
    return schema != NULL ? schema : c->metadata->schema;
}

static bool is_key(const comparison *c, int32_t id)
{
    const firn_schema *schema = c->metadata->schema;
    for (size_t i = 0; i < schema->n_identifier_field_ids; i++) {
        if (schema->identifier_field_ids[i] == id) {
            return true;
        }
    }
    return false;
}

static firn_rc find_columns(comparison *c, firn_err *err)
{
    const firn_schema *from = schema_of(c, c->from), *to = schema_of(c, c->to);
    const firn_field *version = firn_version_column(c->metadata);
    for (size_t i = 0; i < to->root.n_fields; i++) {
        const firn_field *field = &to->root.fields[i];
        if (firn_schema_find_name(from, field->name, true) == NULL ||
            (version != NULL && version->id == field->id)) {
            continue;
        }
        const char *name = firn_tree_name(c->arena, field->name);
        firn_vec_push(c->arena, &c->columns, name);
        if (is_key(c, field->id)) {
            firn_vec_push(c->arena, &c->keys, name);
        } else {
            firn_vec_push(c->arena, &c->values, name);
        }
    }
    if (c->columns.len == 0) {
        FIRN_FAIL(err, FIRN_E_INVALID, "the two states of table %s have no column in common",
                  c->text);
    }
    return FIRN_OK;
}

/* ---- SQL -------------------------------------------------------------------------------------------------------------- */

static const char *list(const comparison *c, const char *prefix)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    for (size_t i = 0; i < c->columns.len; i++) {
        firn_buf_printf(&out, "%s%s%s", i > 0 ? ", " : "", prefix, c->columns.items[i]);
    }
    return firn_arena_strdup(c->arena, firn_buf_cstr(&out));
}

static const char *state_sql(const comparison *c, const firn_snapshot *snapshot, const char *more)
{
    return firn_arena_printf(c->arena, "SELECT %s%s FROM %s AT (VERSION => %" PRId64 ")", more,
                             list(c, ""), c->text, snapshot->snapshot_id);
}

/* "WITH a AS (...), b AS (...)": __firn_in tells where a joined row comes from. */
static const char *with_sql(const comparison *c, bool marked)
{
    const char *more = marked ? "true AS __firn_in, " : "";
    return firn_arena_printf(c->arena, "WITH __firn_a AS (%s), __firn_b AS (%s)",
                             state_sql(c, c->from, more), state_sql(c, c->to, more));
}

static const char *each(const comparison *c, const char *const *names, size_t n, const char *op,
                        const char *joint, const char *none)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    for (size_t i = 0; i < n; i++) {
        firn_buf_printf(&out, "%sa.%s %s b.%s", i > 0 ? joint : "", names[i], op, names[i]);
    }
    return n > 0 ? firn_arena_strdup(c->arena, firn_buf_cstr(&out)) : none;
}

static const char *join_sql(const comparison *c)
{
    return firn_arena_printf(
        c->arena, "__firn_a AS a FULL JOIN __firn_b AS b ON (%s)",
        each(c, c->keys.items, c->keys.len, "IS NOT DISTINCT FROM", " AND ", "true"));
}

static const char *differs_sql(const comparison *c)
{
    return each(c, c->values.items, c->values.len, "IS DISTINCT FROM", " OR ", "false");
}

static const char *counts_sql(const comparison *c)
{
    if (c->keys.len == 0) {
        return firn_arena_printf(
            c->arena,
            "%s SELECT (SELECT count(*) FROM (FROM __firn_b EXCEPT ALL FROM __firn_a)), (SELECT "
            "count(*) FROM (FROM __firn_a EXCEPT ALL FROM __firn_b)), 0, (SELECT count(*) FROM "
            "__firn_b)",
            with_sql(c, false));
    }
    return firn_arena_printf(
        c->arena,
        "%s SELECT count(*) FILTER (WHERE a.__firn_in IS NULL), count(*) FILTER "
        "(WHERE b.__firn_in IS NULL), count(*) FILTER (WHERE a.__firn_in AND "
        "b.__firn_in AND (%s)), count(b.__firn_in) FROM %s",
        with_sql(c, true), differs_sql(c), join_sql(c));
}

static const char *rows_sql(const comparison *c)
{
    if (c->keys.len == 0) {
        return firn_arena_printf(
            c->arena,
            "%s SELECT '-' AS change, * FROM (FROM __firn_a EXCEPT ALL FROM __firn_b) UNION ALL "
            "SELECT '+', * FROM (FROM __firn_b EXCEPT ALL FROM __firn_a)",
            with_sql(c, false));
    }
    const char *keys = firn_str_join(c->arena, c->keys.items, c->keys.len, ", ");
    return firn_arena_printf(
        c->arena,
        "%s, __firn_j AS (SELECT a, b, (%s) AS differs FROM %s) SELECT change, %s FROM ("
        "SELECT '-' AS change, %s FROM __firn_j WHERE b.__firn_in IS NULL UNION ALL "
        "SELECT '+', %s FROM __firn_j WHERE a.__firn_in IS NULL UNION ALL "
        "SELECT '~-', %s FROM __firn_j WHERE a.__firn_in AND b.__firn_in AND differs UNION ALL "
        "SELECT '~+', %s FROM __firn_j WHERE a.__firn_in AND b.__firn_in AND differs) "
        "ORDER BY %s, change DESC",
        with_sql(c, true), differs_sql(c), join_sql(c), list(c, ""), list(c, "a."), list(c, "b."),
        list(c, "a."), list(c, "b."), keys);
}

/* ---- all together ------------------------------------------------------------------------------------------------------- */

static void take_counts(void *ctx, const char *const *cells)
{
    firn_version_diff *out = ctx;
    int64_t *counts[] = {&out->added, &out->removed, &out->changed, &out->same};
    for (size_t i = 0; i < 4; i++) {
        if (cells[i] == NULL || !firn_parse_i64(cells[i], counts[i])) {
            *counts[i] = 0;
        }
    }
    out->same -= out->added + out->changed; /* of all that the newer state has */
}

firn_rc firn_version_compare(firn_session *session, firn_arena *arena, firn_ident ident,
                             const char *from, const char *to, firn_version_diff *out,
                             firn_err *err)
{
    firn_table table;
    comparison c = {.arena = arena, .text = firn_ident_text(arena, ident)};
    *out = (firn_version_diff){0};
    FIRN_TRY(firn_catalog_table_load(firn_lake_catalog(firn_session_lake(session)), arena,
                                     firn_session_ref(session), ident, &table, err));
    c.metadata = table.metadata;
    FIRN_TRY(find_state(&c, from, &c.from, err));
    FIRN_TRY(find_state(&c, to, &c.to, err));
    FIRN_TRY(find_columns(&c, err));
    out->rows_sql = rows_sql(&c);
    return firn_tree_query(session, counts_sql(&c), take_counts, out, err);
}
