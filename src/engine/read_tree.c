/* Walking DuckDB's syntax tree for lake tables. The tree's shapes are in docs/internals/duckdb.md; whatever the walk does not know it
 * goes through, so tables are found wherever DuckDB's parser allows them.
 *
 * Names: a CTE in scope hides everything for an unqualified name; then the lake (session schema, or the view's own); then DuckDB
 * (temporary tables and views, files); else NO_TABLE with the nearest name of the lake.
 */
#include "read_tree.h"

#include "duck.h"
#include "metadata_tables.h"
#include "rows_batch.h"

#include "base/uuid.h"
#include "iceberg/view.h"

#include <inttypes.h>
#include <stdlib.h>

enum { VIEW_DEPTH_MAX = 32, PARTS_MAX = 64 };

/* Names of CTEs that can be seen. */
typedef struct scope {
    const char *name;
    const struct scope *outer;
} scope;

typedef struct walk {
    firn_session *session;
    firn_arena *arena;
    firn_tree *tree;
    const char *ref;
    const char *schema; /* of unqualified names */
    int view_depth;
    bool names_only;
    bool
        foreign; /* inside a view of another engine, which knows this lake under a name of its own */
} walk;

static const char *text_member(const json_t *node, const char *key)
{
    const char *text = json_string_value(json_object_get(node, key));
    return text != NULL ? text : "";
}

static bool in_scope(const scope *at, const char *name)
{
    for (; at != NULL; at = at->outer) {
        if (firn_strcaseeq(at->name, name)) {
            return true;
        }
    }
    return false;
}

/* ---- which table a name means ---------------------------------------------------------------------------- */

/* A name taken apart: "ns.t@ref$snapshots" and "ns.t.snapshots". */
typedef struct named {
    const char *parts[PARTS_MAX];
    size_t n;
    const char *ref;
    const char *metadata_table;
} named;

static firn_rc take_apart(walk *w, const json_t *node, named *out, firn_err *err)
{
    *out = (named){.ref = w->ref};
    const char *catalog = text_member(node, "catalog_name");
    const char *schema = text_member(node, "schema_name");
    const char *const names[] = {catalog, schema};
    for (size_t i = 0; i < 2; i++) {
        size_t n = 0;
        char **levels =
            names[i][0] != '\0' ? firn_str_split(w->arena, names[i], FIRN_NS_SEP[0], &n) : NULL;
        if (n + out->n + 1 > PARTS_MAX) {
            FIRN_FAIL(err, FIRN_E_LIMIT, "a table name has more than %d parts", PARTS_MAX);
        }
        for (size_t k = 0; k < n; k++) {
            out->parts[out->n++] = levels[k];
        }
    }
    char *table = firn_arena_strdup(w->arena, text_member(node, "table_name"));
    char *dollar = strrchr(table, '$');
    if (dollar != NULL && dollar > table && firn_metadata_table_known(dollar + 1)) {
        out->metadata_table = dollar + 1;
        *dollar = '\0';
    }
    char *at = strchr(table, '@');
    if (at != NULL && at > table && at[1] != '\0') {
        out->ref = at + 1;
        *at = '\0';
    }
    out->parts[out->n++] = table;
    return FIRN_OK;
}

static firn_ident ident_of(walk *w, const named *name, size_t n)
{
    const char *ns = n == 1 ? w->schema : firn_str_join(w->arena, name->parts, n - 1, FIRN_NS_SEP);
    return (firn_ident){.ns = ns, .name = name->parts[n - 1]};
}

/* "lake.ns.t" as another engine's view has it: what it calls the catalog is not known here. */
static firn_ident without_catalog(walk *w, const named *name)
{
    return (firn_ident){.ns = firn_str_join(w->arena, name->parts + 1, name->n - 2, FIRN_NS_SEP),
                        .name = name->parts[name->n - 1]};
}

static bool is_missing(firn_rc rc)
{
    return rc == FIRN_E_NO_TABLE || rc == FIRN_E_NO_NAMESPACE || rc == FIRN_E_NO_VIEW;
}

/* The catalog's entry, also for "ns.t.snapshots" (then name->metadata_table is set). `why` keeps the first reason. */
static firn_rc find_entry(walk *w, named *name, firn_catalog_entry *entry, firn_err *why)
{
    firn_lake *lake = w->session->engine->lake;
    if (lake == NULL) {
        FIRN_FAIL(why, FIRN_E_NO_TABLE, "there is no table %s: this session runs without a lake",
                  name->parts[name->n - 1]);
    }
    firn_catalog *catalog = firn_lake_catalog(lake);
    firn_rc rc = firn_catalog_entry_get(catalog, w->arena, name->ref, ident_of(w, name, name->n),
                                        entry, why);
    if (is_missing(rc) && w->foreign && name->n > 2 &&
        firn_catalog_entry_get(catalog, w->arena, name->ref, without_catalog(w, name), entry,
                               NULL) == FIRN_OK) {
        memmove(name->parts, name->parts + 1, --name->n * sizeof(*name->parts));
        return FIRN_OK;
    }
    if (!is_missing(rc) || name->n < 2 || name->metadata_table != NULL ||
        !firn_metadata_table_known(name->parts[name->n - 1])) {
        return rc;
    }
    firn_err ignored = {0};
    firn_rc inner = firn_catalog_entry_get(catalog, w->arena, name->ref,
                                           ident_of(w, name, name->n - 1), entry, &ignored);
    if (inner == FIRN_OK && entry->kind == FIRN_KIND_TABLE) {
        name->metadata_table = name->parts[--name->n];
        return FIRN_OK;
    }
    return rc;
}

/* What DuckDB itself can mean by the name: its own schemas, files, temporary tables. */
static bool duck_knows(walk *w, const json_t *node)
{
    static const char *const OWN[] = {"main",      "temp", "system", "memory", "information_schema",
                                      "pg_catalog"};
    const char *schema = text_member(node, "schema_name");
    const char *catalog = text_member(node, "catalog_name");
    const char *table = text_member(node, "table_name");
    for (size_t i = 0; i < sizeof(OWN) / sizeof(OWN[0]); i++) {
        if (firn_strcaseeq(schema, OWN[i]) || firn_strcaseeq(catalog, OWN[i])) {
            return true;
        }
    }
    if (schema[0] != '\0') {
        return false;
    }
    if (strpbrk(table, "./*:") != NULL) {
        return true;
    }
    firn_duck_column *columns;
    size_t n;
    const char *probe =
        firn_arena_printf(w->arena, "SELECT * FROM %s", firn_sql_ident(w->arena, table));
    return firn_duck_describe(w->session, w->arena, probe, &columns, &n, NULL) == FIRN_OK;
}

/* ---- the replacement ---------------------------------------------------------------------------------------- */

static const char *put_mark(walk *w, json_t *node, const char *table)
{
    /* Marks are later replaced as text, so no literal of the statement may happen to hold one. */
    const char *mark = firn_arena_printf(w->arena, "__firn_%016" PRIx64 "_%" PRIu64 "__",
                                         firn_random_u64(), ++w->session->next_name);
    if (text_member(node, "alias")[0] == '\0') {
        json_object_set_new(node, "alias", json_string(table));
    }
    json_object_set_new(node, "table_name", json_string(mark));
    json_object_set_new(node, "schema_name", json_string(""));
    json_object_set_new(node, "catalog_name", json_string(""));
    json_object_set_new(node, "at_clause", json_null());
    return mark;
}

static firn_rc walk_node(walk *w, json_t *node, const scope *outer, firn_err *err);
static void strip_schemas(firn_tree *tree, json_t *node);

static firn_rc add_view(walk *w, json_t *node, const named *name, const char *text, firn_err *err)
{
    if (w->view_depth >= VIEW_DEPTH_MAX) {
        FIRN_FAIL(
            err, FIRN_E_LIMIT,
            "view %s is part of more than %d views in each other: do they refer to themselves?",
            text, VIEW_DEPTH_MAX);
    }
    if (!json_is_null(json_object_get(node, "at_clause"))) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                  "%s is a view: it has no snapshots to travel to. Use %s@<tag or commit>", text,
                  text);
    }
    firn_catalog_entry entry;
    json_t *document;
    firn_view *view;
    firn_catalog *catalog = firn_lake_catalog(w->session->engine->lake);
    FIRN_TRY(firn_catalog_view_load(catalog, w->arena, name->ref, ident_of(w, name, name->n),
                                    &entry, &document, err));
    FIRN_TRY(firn_view_from_json(w->arena, document, text, &view, err));
    walk inner = *w;
    inner.ref = name->ref;
    inner.view_depth++;
    inner.foreign = firn_view_is_foreign(view);
    if (inner.foreign) {
        text = firn_arena_printf(w->arena, "%s, whose SQL is %s's and was tried as firn's own",
                                 text, view->dialect);
        w->tree->foreign = firn_arena_printf(w->arena, "view %s", text);
    }
    if (view->n_default_namespace > 0) {
        inner.schema = firn_str_join(w->arena, view->default_namespace, view->n_default_namespace,
                                     FIRN_NS_SEP);
    }
    char *sql;
    json_t *tree;
    FIRN_TRY(firn_read_time_travel(w->arena, firn_view_own_sql(w->arena, view), &sql, err));
    firn_rc rc = firn_duck_parse(w->session, w->arena, sql, &tree, err);
    if (rc == FIRN_OK) {
        rc = walk_node(&inner, tree, NULL, err);
    }
    if (rc != FIRN_OK) {
        return firn_err_wrap(err, rc, "in view %s", text);
    }
    firn_occurrence *occurrence = FIRN_NEW(w->arena, firn_occurrence);
    occurrence->node = node;
    occurrence->text = firn_ident_text(w->arena, ident_of(w, name, name->n));
    occurrence->ident = ident_of(w, name, name->n);
    occurrence->aliased = text_member(node, "alias")[0] != '\0';
    occurrence->mark = put_mark(w, node, name->parts[name->n - 1]);
    strip_schemas(w->tree, tree);
    FIRN_TRY(firn_tree_fix_clocks(w->session, w->arena, w->tree, tree, false, err));
    char *inner_sql;
    FIRN_TRY(firn_duck_unparse(w->session, w->arena, tree, &inner_sql, err));
    occurrence->sql = firn_view_named_sql(w->arena, view, inner_sql);
    firn_vec_push(w->arena, &w->tree->tables, occurrence);
    return FIRN_OK;
}

static firn_rc add_table(walk *w, json_t *node, const named *name, const char *text, firn_err *err)
{
    firn_occurrence *occurrence = FIRN_NEW(w->arena, firn_occurrence);
    *occurrence = (firn_occurrence){.node = node,
                                    .text = text,
                                    .ident = ident_of(w, name, name->n),
                                    .ref = name->ref,
                                    .metadata_table = name->metadata_table,
                                    .aliased = text_member(node, "alias")[0] != '\0'};
    firn_catalog *catalog = firn_lake_catalog(w->session->engine->lake);
    FIRN_TRY(firn_catalog_table_load(catalog, w->arena, name->ref, occurrence->ident,
                                     &occurrence->table, err));
    occurrence->snapshot = occurrence->table.metadata->current_snapshot;
    occurrence->schema = occurrence->table.metadata->schema;
    const json_t *at = json_object_get(node, "at_clause");
    if (at != NULL && !json_is_null(at)) {
        FIRN_TRY(firn_travel_resolve(w->session, w->arena, at, occurrence, err));
    }
    const char *called =
        name->metadata_table != NULL ? name->metadata_table : name->parts[name->n - 1];
    occurrence->mark = put_mark(w, node, called);
    firn_vec_push(w->arena, &w->tree->tables, occurrence);
    return FIRN_OK;
}

/* Rows of the caller (rows_batch.h). */
static void add_batch(walk *w, json_t *node)
{
    firn_occurrence *occurrence = FIRN_NEW(w->arena, firn_occurrence);
    firn_schema *schema = FIRN_NEW(w->arena, firn_schema);
    schema->root = *firn_batch_type(w->session->batch);
    *occurrence = (firn_occurrence){.node = node,
                                    .text = "batch",
                                    .ident = {.ns = "", .name = "batch"},
                                    .schema = schema,
                                    .aliased = text_member(node, "alias")[0] != '\0',
                                    .sql = firn_batch_sql(w->session->batch)};
    occurrence->mark = put_mark(w, node, "batch");
    firn_vec_push(w->arena, &w->tree->tables, occurrence);
}

static void add_reference(walk *w, firn_ident ident)
{
    for (size_t i = 0; i < w->tree->references.len; i++) {
        firn_ident known = w->tree->references.items[i];
        if (firn_streq(known.ns, ident.ns) && firn_streq(known.name, ident.name)) {
            return;
        }
    }
    firn_vec_push(w->arena, &w->tree->references, ident);
}

static firn_rc visit_table(walk *w, json_t *node, const scope *visible, firn_err *err)
{
    bool qualified = text_member(node, "schema_name")[0] != '\0';
    const json_t *at = json_object_get(node, "at_clause");
    bool travels = at != NULL && !json_is_null(at);
    if (!qualified && in_scope(visible, text_member(node, "table_name"))) {
        if (travels) {
            FIRN_FAIL(err, FIRN_E_INVALID, "%s is a WITH query: it has no snapshots to travel to",
                      text_member(node, "table_name"));
        }
        return FIRN_OK;
    }
    if (!qualified && !travels && w->session->batch != NULL && w->view_depth == 0 &&
        firn_strcaseeq(text_member(node, "table_name"), "batch")) {
        if (!w->names_only) {
            add_batch(w, node);
        }
        return FIRN_OK;
    }
    named name;
    firn_catalog_entry entry;
    firn_err why = {0};
    FIRN_TRY(take_apart(w, node, &name, err));
    firn_rc rc = find_entry(w, &name, &entry, &why);
    if (is_missing(rc) && !travels && duck_knows(w, node)) {
        return FIRN_OK;
    }
    if (w->names_only) { /* what is not there yet counts, too: a pipeline may be about to make it */
        add_reference(w, ident_of(w, &name, name.n));
        return FIRN_OK;
    }
    if (rc != FIRN_OK) {
        FIRN_FAIL(err, rc == FIRN_E_NO_NAMESPACE ? FIRN_E_NO_TABLE : rc, "%s", why.message);
    }
    const char *text = firn_ident_text(w->arena, ident_of(w, &name, name.n));
    if (!firn_streq(name.ref, w->session->ref)) {
        text = firn_arena_printf(w->arena, "%s@%s", text, name.ref);
    }
    if (w->view_depth == 0) {
        add_reference(w, ident_of(w, &name, name.n));
    }
    if (entry.kind == FIRN_KIND_VIEW) {
        if (name.metadata_table != NULL) {
            FIRN_FAIL(err, FIRN_E_UNSUPPORTED, "%s is a view: it has no metadata tables", text);
        }
        return add_view(w, node, &name, text, err);
    }
    return add_table(w, node, &name, text, err);
}

static firn_rc visit_path_scan(walk *w, json_t *node, firn_err *err)
{
    if (w->names_only) {
        return FIRN_OK;
    }
    firn_occurrence *occurrence = FIRN_NEW(w->arena, firn_occurrence);
    FIRN_TRY(firn_tree_open_path_scan(w->session, w->arena, node, occurrence, err));
    occurrence->mark = put_mark(w, node, "iceberg_scan");
    firn_vec_push(w->arena, &w->tree->tables, occurrence);
    return FIRN_OK;
}

/* ---- the walk ------------------------------------------------------------------------------------------------- */

/* Functions whose value a second DuckDB does not know, or knows differently: they keep predicates from being used. (For now() and
 * its like see read_now.c.) */
static void note_function(walk *w, const json_t *node)
{
    static const char *const NAMES[] = {"getvariable",      "current_setting",   "nextval",
                                        "currval",          "current_schema",    "current_role",
                                        "current_database", "current_schemas",   "current_query",
                                        "txid_current",     "pg_my_temp_schema", "getenv"};
    const char *name = text_member(node, "function_name");
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        w->tree->volatile_inputs = w->tree->volatile_inputs || firn_strcaseeq(name, NAMES[i]);
    }
}

/* Columns that every lake table has but shows only to those who name them. */
static void note_column(walk *w, const json_t *node)
{
    const json_t *names = json_object_get(node, "column_names");
    size_t n = json_array_size(names);
    const char *name = n > 0 ? json_string_value(json_array_get(names, n - 1)) : NULL;
    if (name != NULL && name[0] == '_') {
        w->tree->names_lineage = w->tree->names_lineage || firn_strcaseeq(name, "_row_id") ||
                                 firn_strcaseeq(name, "_last_updated_sequence_number");
        w->tree->names_file =
            w->tree->names_file || firn_strcaseeq(name, "_file") || firn_strcaseeq(name, "_pos");
    }
}

static void note(walk *w, const json_t *node)
{
    static const char *const CLAUSES[] = {"where_clause", "having", "qualify"};
    for (size_t i = 0; i < sizeof(CLAUSES) / sizeof(CLAUSES[0]); i++) {
        const json_t *clause = json_object_get(node, CLAUSES[i]);
        w->tree->restricts = w->tree->restricts || (clause != NULL && !json_is_null(clause));
    }
    const char *type = text_member(node, "type");
    w->tree->restricts = w->tree->restricts || firn_streq(type, "JOIN");
    if (firn_streq(type, "FUNCTION")) {
        note_function(w, node);
    } else if (firn_streq(type, "COLUMN_REF")) {
        note_column(w, node);
    }
}

/* CTEs see those before them, and themselves if they are recursive; the body sees all. */
static firn_rc walk_ctes(walk *w, json_t *ctes, const scope **visible, firn_err *err)
{
    size_t i;
    json_t *entry;
    json_array_foreach(ctes, i, entry)
    {
        json_t *query = json_object_get(json_object_get(entry, "value"), "query");
        scope *mine = FIRN_NEW(w->arena, scope);
        *mine = (scope){.name = text_member(entry, "key"), .outer = *visible};
        bool recursive =
            firn_streq(text_member(json_object_get(query, "node"), "type"), "RECURSIVE_CTE_NODE");
        FIRN_TRY(walk_node(w, query, recursive ? mine : *visible, err));
        *visible = mine;
    }
    return FIRN_OK;
}

static firn_rc walk_node(walk *w, json_t *node, const scope *outer, firn_err *err)
{
    if (json_is_array(node)) {
        size_t i;
        json_t *item;
        json_array_foreach(node, i, item)
        {
            FIRN_TRY(walk_node(w, item, outer, err));
        }
        return FIRN_OK;
    }
    if (!json_is_object(node)) {
        return FIRN_OK;
    }
    if (firn_streq(text_member(node, "type"), "BASE_TABLE") &&
        json_object_get(node, "table_name") != NULL) {
        return visit_table(w, node, outer, err);
    }
    if (firn_tree_is_path_scan(node)) {
        return visit_path_scan(w, node, err);
    }
    note(w, node);
    const scope *visible = outer;
    json_t *ctes = json_object_get(json_object_get(node, "cte_map"), "map");
    FIRN_TRY(walk_ctes(w, ctes, &visible, err));
    const char *key;
    json_t *child;
    json_object_foreach(node, key, child)
    {
        if (!firn_streq(key, "cte_map")) {
            FIRN_TRY(walk_node(w, child, visible, err));
        }
    }
    return FIRN_OK;
}

/* ---- names of columns ------------------------------------------------------------------------------------------- */

/* "bronze.orders.id": the schema in front means nothing to DuckDB once the table is a subquery. */
static void strip_schema(firn_tree *tree, json_t *column_names)
{
    for (size_t i = 0; i < tree->tables.len; i++) {
        const firn_occurrence *table = tree->tables.items[i];
        const char *levels = table->ident.ns;
        size_t n = 1;
        for (const char *at = levels; *at != '\0'; at++) {
            n += *at == FIRN_NS_SEP[0];
        }
        if (table->aliased || json_array_size(column_names) < n + 2) {
            continue;
        }
        bool same =
            firn_strcaseeq(table->ident.name, json_string_value(json_array_get(column_names, n)));
        for (size_t k = 0; k < n && same; k++) {
            size_t len = strcspn(levels, FIRN_NS_SEP);
            const char *part = json_string_value(json_array_get(column_names, k));
            same = strlen(part) == len && strncasecmp(part, levels, len) == 0;
            levels += len + (levels[len] != '\0');
        }
        for (size_t k = 0; same && k < n; k++) {
            json_array_remove(column_names, 0);
        }
        if (same) {
            return;
        }
    }
}

static void strip_schemas(firn_tree *tree, json_t *node)
{
    json_t *child;
    if (json_is_array(node)) {
        size_t i;
        json_array_foreach(node, i, child)
        {
            strip_schemas(tree, child);
        }
        return;
    }
    if (firn_streq(text_member(node, "class"), "COLUMN_REF")) {
        strip_schema(tree, json_object_get(node, "column_names"));
        return;
    }
    const char *key;
    json_object_foreach(node, key, child)
    {
        strip_schemas(tree, child);
    }
}

/* ---- entry points ------------------------------------------------------------------------------------------------ */

static firn_rc open_tree(firn_session *session, firn_arena *arena, const char *sql, bool names_only,
                         firn_tree *out, firn_err *err)
{
    *out = (firn_tree){0};
    FIRN_TRY(firn_duck_parse(session, arena, sql, &out->root, err));
    walk w = {.session = session,
              .arena = arena,
              .tree = out,
              .ref = session->ref,
              .schema = session->schema,
              .names_only = names_only};
    FIRN_TRY(walk_node(&w, out->root, NULL, err));
    if (out->tables.len > 0) {
        strip_schemas(out, out->root);
        FIRN_TRY(firn_tree_fix_clocks(session, arena, out, out->root, true, err));
    }
    return FIRN_OK;
}

firn_rc firn_tree_open(firn_session *session, firn_arena *arena, const char *sql, firn_tree *out,
                       firn_err *err)
{
    return open_tree(session, arena, sql, false, out, err);
}

firn_rc firn_tree_references(firn_session *session, firn_arena *arena, const char *sql,
                             firn_tree *out, firn_err *err)
{
    return open_tree(session, arena, sql, true, out, err);
}
