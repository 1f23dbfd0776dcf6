/* Whole queries: from SQL over lake tables to SQL for DuckDB.
 *
 *   1. spellings that DuckDB's parser does not take (read_travel.c)
 *   2. its syntax tree, lake tables found, loaded and marked (read_tree.c)
 *   3. the statement once over stubs: what each table's rows must fulfil (predicate.c)
 *   4. answers that the metadata has (read_answer.c)
 *   5. each table's scan as SQL text (read_sql.c), put where its mark stands
 *
 * Errors in the planner's run only cost pruning: the statement itself reports them, about the names that were written.
 */
#include "duck.h"
#include "metadata_tables.h"
#include "read_answer.h"
#include "read_tree.h"

#include <inttypes.h>

/* ---- putting texts where marks stand --------------------------------------------------------------------- */

/* Marks of views stand in the text of others, so the last found goes first. */
static char *put_texts(firn_arena *arena, const char *sql, firn_tree *tree,
                       const char *(*text)(const firn_occurrence *))
{
    char *out = firn_arena_strdup(arena, sql);
    for (size_t i = tree->tables.len; i-- > 0;) {
        const firn_occurrence *table = tree->tables.items[i];
        out = firn_str_replace(arena, out, table->mark, text(table));
    }
    return out;
}

static const char *scan_text(const firn_occurrence *table)
{
    return table->sql;
}

static const char *stub_text(const firn_occurrence *table)
{
    return table->scan.stub != NULL ? table->scan.stub : table->sql;
}

/* ---- predicates -------------------------------------------------------------------------------------------- */

/* How many files pruning could leave out; unknown counts as many. */
static bool worth_pruning(const firn_occurrence *table)
{
    if (table->snapshot == NULL || table->sql != NULL) {
        return false;
    }
    const char *total =
        json_string_value(json_object_get(table->snapshot->summary, "total-data-files"));
    int64_t n;
    return total == NULL || !firn_parse_i64(total, &n) || n > 1;
}

static firn_rc find_predicates(firn_session *session, firn_arena *arena, const char *sql,
                               firn_tree *tree, firn_err *err)
{
    FIRN_VEC(firn_plan_scan *) scans = {0};
    FIRN_TRY(firn_plan_begin(session, err));
    for (size_t i = 0; i < tree->tables.len; i++) {
        firn_occurrence *table = tree->tables.items[i];
        if (table->sql == NULL || table->schema != NULL) { /* not a view, whose tables are here */
            table->scan.schema = table->schema;
            FIRN_TRY(firn_plan_stub(session, arena, &table->scan, err));
            firn_vec_push(arena, &scans, &table->scan);
        }
    }
    return firn_plan_filters(session, arena, put_texts(arena, sql, tree, stub_text), scans.items,
                             scans.len, err);
}

static void prune(firn_session *session, firn_arena *arena, const char *sql, firn_tree *tree)
{
    bool worth = firn_read_asks_metadata(arena, tree);
    for (size_t i = 0; i < tree->tables.len; i++) {
        worth = worth || worth_pruning(tree->tables.items[i]);
    }
    if (!worth || !tree->restricts || tree->volatile_inputs) {
        return;
    }
    firn_err ignored = {0};
    if (find_predicates(session, arena, sql, tree, &ignored) != FIRN_OK) {
        for (size_t i = 0; i < tree->tables.len; i++) {
            tree->tables.items[i]->scan.filter = NULL;
        }
    }
}

/* ---- the texts ----------------------------------------------------------------------------------------------- */

static firn_rc put_table(firn_session *session, firn_arena *arena, const firn_tree *tree,
                         firn_occurrence *table, firn_read_plan *out, firn_err *err)
{
    if (table->sql != NULL) { /* a view: its tables are in the list themselves */
        return FIRN_OK;
    }
    char *sql = NULL;
    if (table->metadata_table != NULL) {
        firn_metadata_table_options options = {.name = table->metadata_table,
                                               .table = &table->table,
                                               .snapshot = table->snapshot,
                                               .table_text = table->text};
        FIRN_TRY(firn_metadata_table_sql(session, arena, &options, &sql, err));
        table->sql = sql;
        return FIRN_OK;
    }
    firn_read_table *report = firn_vec_push_zero(arena, &out->tables);
    report->ident = table->ident;
    report->metadata = table->table.metadata;
    report->expr = table->scan.filter;
    report->ref = table->ref;
    report->snapshot_id = table->snapshot != NULL ? table->snapshot->snapshot_id : -1;
    report->filter = table->scan.filter != NULL && table->scan.filter->op != FIRN_EXPR_TRUE
                         ? firn_expr_text(arena, table->schema, table->scan.filter)
                         : "";
    firn_read_options options = {.metadata = table->table.metadata,
                                 .snapshot = table->snapshot,
                                 .at_empty = table->snapshot == NULL,
                                 .schema = table->schema,
                                 .filter = table->scan.filter,
                                 .row_limit = firn_read_row_limit(tree),
                                 .with_file = tree->names_file,
                                 .with_row_lineage = tree->names_lineage &&
                                                     table->table.metadata->format_version >= 3,
                                 .table_text = table->text};
    firn_rc rc = firn_read_sql(session, arena, &options, &sql, &report->stats, err);
    if (rc != FIRN_OK) {
        return firn_err_wrap(err, rc, "%s", table->text);
    }
    table->sql = sql;
    return FIRN_OK;
}

firn_rc firn_read_rewrite(firn_session *session, firn_arena *arena, const char *sql,
                          firn_read_plan *out, firn_err *err)
{
    *out = (firn_read_plan){0};
    char *plain;
    FIRN_TRY(firn_read_time_travel(arena, sql, &plain, err));
    if (!firn_read_may_name_tables(arena, plain)) {
        out->sql = plain;
        return FIRN_OK;
    }
    firn_tree tree;
    firn_err why = {0};
    firn_rc rc = firn_tree_open(session, arena, plain, &tree, &why);
    if (rc == FIRN_E_UNSUPPORTED && tree.root == NULL) {
        return firn_read_pivot(session, arena, plain, out, err);
    }
    if (rc != FIRN_OK) {
        FIRN_FAIL(err, rc, "%s", why.message);
    }
    if (tree.tables.len == 0) {
        out->sql = plain; /* DuckDB's own business, to the letter */
        return FIRN_OK;
    }
    char *marked;
    FIRN_TRY(firn_duck_unparse(session, arena, tree.root, &marked, err));
    prune(session, arena, marked, &tree);
    bool answered = false;
    FIRN_TRY(firn_read_answer(session, arena, &tree, out, &answered, err));
    if (answered) {
        return FIRN_OK;
    }
    for (size_t i = 0; i < tree.tables.len; i++) {
        FIRN_TRY(put_table(session, arena, &tree, tree.tables.items[i], out, err));
    }
    out->sql = put_texts(arena, marked, &tree, scan_text);
    out->foreign = tree.foreign;
    return FIRN_OK;
}

/* ---- for other statements --------------------------------------------------------------------------------------- */

firn_rc firn_session_load_table(firn_session *session, firn_arena *arena, firn_ident ident,
                                firn_table *out, firn_err *err)
{
    firn_lake *lake = session->engine->lake;
    if (lake == NULL) {
        FIRN_FAIL(err, FIRN_E_NO_TABLE, "there is no table %s: this session runs without a lake",
                  ident.name);
    }
    const char *ref = session->ref;
    const char *at = strchr(ident.name, '@');
    if (at != NULL && at > ident.name && at[1] != '\0') {
        ref = at + 1;
        ident.name = firn_arena_strndup(arena, ident.name, (size_t)(at - ident.name));
    }
    return firn_catalog_table_load(firn_lake_catalog(lake), arena, ref, ident, out, err);
}

firn_rc firn_read_predicate(firn_session *session, firn_arena *arena, const firn_schema *schema,
                            const char *alias, const char *where_sql, const firn_expr **out,
                            bool *exact, firn_err *err)
{
    (void)err;
    *out = firn_expr_true();
    *exact = false;
    if (where_sql == NULL || where_sql[0] == '\0') {
        *exact = true;
        return FIRN_OK;
    }
    /* What cannot be planned over a stub (subqueries over other tables, ...) is not known: that is no error here. */
    firn_err ignored = {0};
    firn_plan_scan scan = {.schema = schema};
    firn_plan_scan *const scans[] = {&scan};
    firn_tree tree;
    const char *probe = firn_arena_printf(arena, "SELECT 1 WHERE (%s\n)", where_sql);
    if (firn_tree_references(session, arena, probe, &tree, &ignored) != FIRN_OK ||
        tree.volatile_inputs || tree.references.len > 0 ||
        firn_plan_begin(session, &ignored) != FIRN_OK ||
        firn_plan_stub(session, arena, &scan, &ignored) != FIRN_OK) {
        return FIRN_OK;
    }
    const char *sql =
        firn_arena_printf(arena, "SELECT * FROM %s AS %s WHERE (%s\n)", scan.stub,
                          firn_sql_ident(arena, alias != NULL ? alias : "firn_target"), where_sql);
    if (firn_plan_filters(session, arena, sql, scans, 1, &ignored) == FIRN_OK) {
        *out = scan.filter;
        *exact = scan.exact;
    }
    return FIRN_OK;
}
