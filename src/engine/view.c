/* Views: CREATE, DROP and ALTER VIEW, kept as Iceberg view metadata in the catalog.
 *
 *   CREATE [OR REPLACE] VIEW [IF NOT EXISTS] v [(name [COMMENT 'text'], ...)] [COMMENT 'text'] [TBLPROPERTIES (...)] AS query
 *   DROP VIEW [IF EXISTS] v
 *   ALTER VIEW [IF EXISTS] v RENAME TO w | SET TBLPROPERTIES (...) | UNSET TBLPROPERTIES (...) | AS query
 *
 * The query is checked by planning it (not by running it), stored as text with the schema it was written under, and planned again
 * at every use, so that it always reads the present tables.
 */
#include "ddl.h"

#include "duck.h"
#include "read.h"
#include "read_tree.h"

#include "base/map.h"
#include "iceberg/view.h"

#include <string.h>

typedef struct view_sql {
    bool or_replace, if_not_exists;
    firn_ident ident;
    const char *text; /* the name, for messages */
    FIRN_VEC(const char *) names;
    FIRN_VEC(const char *) comments; /* as many as names; NULL: none */
    json_t *properties;
    const char *query;
} view_sql;

/* ---- reading the statement -------------------------------------------------------------------------------- */

static firn_rc parse_names(firn_parser *parser, view_sql *view, firn_err *err)
{
    if (!firn_accept(parser, "(")) {
        return FIRN_OK;
    }
    do {
        const char *name = NULL;
        const char *comment = NULL;
        FIRN_TRY(firn_parse_name(parser, &name, err));
        if (firn_accept(parser, "comment")) {
            FIRN_TRY(firn_parse_string(parser, &comment, err));
        }
        firn_vec_push(parser->arena, &view->names, name);
        firn_vec_push(parser->arena, &view->comments, comment);
    } while (firn_accept(parser, ","));
    return firn_expect(parser, ")", err);
}

static firn_rc parse_options(firn_parser *parser, view_sql *view, firn_err *err)
{
    for (;;) {
        json_t *more = NULL;
        if (firn_accept(parser, "comment")) {
            const char *text = NULL;
            FIRN_TRY(firn_parse_string(parser, &text, err));
            json_object_set_new(view->properties, "comment", json_string(text));
        } else if (firn_accept(parser, "tblproperties") || firn_accept(parser, "with")) {
            FIRN_TRY(firn_parse_properties(parser, "CREATE VIEW", &more, err));
            json_object_update(view->properties, more);
        } else {
            return FIRN_OK;
        }
    }
}

static firn_rc parse_query(firn_parser *parser, view_sql *view, firn_err *err)
{
    FIRN_TRY(firn_expect(parser, "as", err));
    FIRN_TRY(firn_expect_query(parser, err));
    view->query = firn_token_text(parser->arena, parser->tokens, parser->at, parser->end);
    return FIRN_OK;
}

/* ---- the document ------------------------------------------------------------------------------------------ */

/* Names given in brackets go into the query, so that it alone says what the view gives. */
static const char *stored_query(firn_arena *arena, const view_sql *view)
{
    if (view->names.len == 0) {
        return view->query;
    }
    FIRN_AUTO_BUF firn_buf sql = {0};
    firn_buf_printf(&sql, "SELECT * FROM (%s\n) AS %s(", view->query,
                    firn_sql_ident(arena, view->ident.name));
    for (size_t i = 0; i < view->names.len; i++) {
        firn_buf_printf(&sql, "%s%s", i > 0 ? ", " : "",
                        firn_sql_ident(arena, view->names.items[i]));
    }
    firn_buf_puts(&sql, ")");
    return firn_arena_strdup(arena, firn_buf_cstr(&sql));
}

static firn_rc fields_of_view(firn_session *session, firn_arena *arena, const view_sql *view,
                              firn_schema *schema, firn_err *err)
{
    firn_read_plan plan = {0};
    firn_duck_column *columns = NULL;
    size_t n = 0;
    FIRN_TRY(firn_read_rewrite(session, arena, view->query, &plan, err));
    FIRN_TRY(firn_duck_describe(session, arena, plan.sql, &columns, &n, err));
    if (view->names.len > 0 && view->names.len != n) {
        FIRN_FAIL(err, FIRN_E_INVALID, "%s is given %zu column names, its query has %zu columns",
                  view->text, view->names.len, n);
    }
    schema->root.id = FIRN_TYPE_STRUCT;
    schema->root.n_fields = n;
    schema->root.fields = FIRN_NEW_N(arena, firn_field, n);
    for (size_t i = 0; i < n; i++) {
        firn_field *field = &schema->root.fields[i];
        firn_type *type = NULL;
        field->name = view->names.len > 0 ? view->names.items[i] : columns[i].name;
        field->doc = view->names.len > 0 ? view->comments.items[i] : NULL;
        firn_rc rc = firn_type_of_query(arena, columns[i].type, 3, &type, err);
        if (rc != FIRN_OK) {
            return firn_err_wrap(err, rc, "column %s of the view is %s", field->name,
                                 columns[i].type);
        }
        field->type = type;
        for (size_t k = 0; k < i; k++) {
            if (firn_strcaseeq(schema->root.fields[k].name, field->name)) {
                FIRN_FAIL(err, FIRN_E_INVALID,
                          "the view's query has two columns named %s: rename one with AS",
                          field->name);
            }
        }
    }
    return FIRN_OK;
}

typedef struct circle {
    firn_session *session;
    firn_arena *arena;
    firn_catalog *catalog;
    const view_sql *view;
    firn_map *seen; /* views looked into */
} circle;

static firn_rc look_for_circle(circle *look, const char *sql, const char *schema, firn_err *err);

/* What a view that the query reads reads in turn, under its own schema. Tables and what is missing end the way. */
static firn_rc look_into(circle *look, firn_ident ident, firn_err *err)
{
    firn_catalog_entry entry = {0};
    json_t *document = NULL;
    firn_view *other = NULL;
    firn_err missing = {0};
    const char *text = firn_ident_text(look->arena, ident);
    if (firn_map_put(look->seen, text, look) != NULL ||
        firn_catalog_entry_get(look->catalog, look->arena, look->session->ref, ident, &entry,
                               &missing) != FIRN_OK ||
        entry.kind != FIRN_KIND_VIEW) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_catalog_view_load(look->catalog, look->arena, look->session->ref, ident, &entry,
                                    &document, err));
    FIRN_TRY(firn_view_from_json(look->arena, document, text, &other, err));
    return look_for_circle(look, firn_view_own_sql(look->arena, other),
                           firn_str_join(look->arena, other->default_namespace,
                                         other->n_default_namespace, FIRN_NS_SEP),
                           err);
}

static firn_rc look_for_circle(circle *look, const char *sql, const char *schema, firn_err *err)
{
    firn_ident *refs = NULL;
    size_t n = 0;
    char *own = look->session->schema;
    look->session->schema = (char *)schema; /* where the names of `sql` are looked up */
    firn_rc rc = firn_session_references(look->session, look->arena, sql, &refs, &n, err);
    look->session->schema = own;
    FIRN_TRY(rc);
    for (size_t i = 0; i < n; i++) {
        if (firn_streq(refs[i].ns, look->view->ident.ns) &&
            firn_streq(refs[i].name, look->view->ident.name)) {
            FIRN_FAIL(err, FIRN_E_INVALID, "view %s cannot read itself%s", look->view->text,
                      firn_map_len(look->seen) > 0 ? ", not by way of other views either" : "");
        }
        FIRN_TRY(look_into(look, refs[i], err));
    }
    return FIRN_OK;
}

/* A view that reads itself could never be expanded. */
static firn_rc check_not_circular(firn_session *session, firn_arena *arena, const view_sql *view,
                                  firn_err *err)
{
    circle look = {.session = session, .arena = arena, .view = view, .seen = firn_map_new(arena)};
    FIRN_TRY(firn_session_catalog(session, &look.catalog, err));
    return look_for_circle(&look, view->query, session->schema, err);
}

static firn_rc build_document(firn_session *session, firn_arena *arena, const view_sql *view,
                              const json_t *base, json_t **document, firn_err *err)
{
    firn_schema schema = {0};
    char *location = NULL;
    firn_catalog *catalog = NULL;
    FIRN_TRY(firn_session_catalog(session, &catalog, err));
    FIRN_TRY(fields_of_view(session, arena, view, &schema, err));
    FIRN_TRY(check_not_circular(session, arena, view, err));
    if (base == NULL) {
        FIRN_TRY(firn_catalog_default_location(catalog, arena, view->ident, &location, err));
    }
    firn_view_create create = {.sql = stored_query(arena, view),
                               .schema = &schema,
                               .location = location,
                               .properties = view->properties};
    create.default_namespace = (const char *const *)firn_str_split(
        arena, session->schema, FIRN_NS_SEP[0], &create.n_default_namespace);
    FIRN_TRY(firn_view_build(arena, base, &create, document, err));
    (void)firn_json_own(arena, *document);
    return FIRN_OK;
}

/* ---- commits ------------------------------------------------------------------------------------------------ */

static firn_rc put_view(firn_session *session, firn_arena *arena, firn_ident ident,
                        json_t *document, const firn_catalog_entry *old, const char *verb,
                        firn_err *err)
{
    firn_change change = {.kind = FIRN_CHANGE_PUT_VIEW,
                          .ident = ident,
                          .document = document,
                          .replace = old != NULL,
                          .expected_location = old != NULL ? old->location : NULL};
    const char *message =
        firn_arena_printf(arena, "%s view %s", verb, firn_ident_text(arena, ident));
    return firn_session_commit_changes(session, arena, &change, 1, message, NULL, err);
}

/* What there is under the name; a table in the way is EXISTS. */
static firn_rc look_up(firn_session *session, firn_arena *arena, const view_sql *view,
                       firn_catalog_entry *entry, bool *exists, firn_err *err)
{
    firn_catalog *catalog = NULL;
    firn_err missing = {0};
    FIRN_TRY(firn_session_catalog(session, &catalog, err));
    firn_rc rc = firn_catalog_entry_get(catalog, arena, session->ref, view->ident, entry, &missing);
    *exists = rc == FIRN_OK;
    if (rc != FIRN_OK && rc != FIRN_E_NO_TABLE && rc != FIRN_E_NO_VIEW) {
        FIRN_FAIL(err, rc, "%s", missing.message);
    }
    if (*exists && entry->kind != FIRN_KIND_VIEW) {
        FIRN_FAIL(err, FIRN_E_EXISTS, "%s is a table; choose another name for the view",
                  view->text);
    }
    if (*exists && !view->or_replace && !view->if_not_exists) {
        FIRN_FAIL(err, FIRN_E_EXISTS,
                  "there is a view %s on %s already; use CREATE OR REPLACE VIEW", view->text,
                  session->ref);
    }
    return FIRN_OK;
}

static firn_rc create_view(firn_session *session, firn_parser *parser, firn_result **out,
                           firn_err *err)
{
    firn_arena *arena = parser->arena;
    firn_catalog *catalog = NULL;
    firn_catalog_entry entry = {0};
    json_t *base = NULL;
    json_t *document = NULL;
    bool exists = false;
    view_sql view = {.properties = firn_json_own(arena, json_object())};
    view.or_replace = firn_accept(parser, "or replace");
    FIRN_TRY(firn_expect(parser, "view", err));
    view.if_not_exists = firn_accept(parser, "if not exists");
    FIRN_TRY(firn_parse_target(session, parser, &view.ident, err));
    FIRN_TRY(firn_check_new_name(view.ident.name, err));
    view.text = firn_ident_text(arena, view.ident);
    FIRN_TRY(parse_names(parser, &view, err));
    FIRN_TRY(parse_options(parser, &view, err));
    FIRN_TRY(parse_query(parser, &view, err));
    FIRN_TRY(firn_session_catalog(session, &catalog, err));
    FIRN_TRY(look_up(session, arena, &view, &entry, &exists, err));
    if (exists && view.if_not_exists) {
        *out = firn_result_command("CREATE VIEW", -1, "view %s is already there", view.text);
        return FIRN_OK;
    }
    if (exists) {
        FIRN_TRY(
            firn_catalog_view_load(catalog, arena, session->ref, view.ident, &entry, &base, err));
    }
    FIRN_TRY(build_document(session, arena, &view, base, &document, err));
    FIRN_TRY(put_view(session, arena, view.ident, document, exists ? &entry : NULL,
                      exists ? "replace" : "create", err));
    *out = firn_result_command("CREATE VIEW", -1, "%s view %s", exists ? "replaced" : "created",
                               view.text);
    return FIRN_OK;
}

static bool is_missing(firn_rc rc)
{
    return rc == FIRN_E_NO_VIEW || rc == FIRN_E_NO_TABLE || rc == FIRN_E_NO_NAMESPACE;
}

static firn_rc drop_view(firn_session *session, firn_parser *parser, firn_result **out,
                         firn_err *err)
{
    firn_arena *arena = parser->arena;
    firn_ident ident = {0};
    bool temporary = false;
    bool if_exists = firn_accept(parser, "if exists");
    FIRN_TRY(firn_target_is_temporary(session, parser, &temporary, err));
    if (temporary) {
        return firn_exec_duck(session, parser->tokens->text, out, err);
    }
    FIRN_TRY(firn_parse_target(session, parser, &ident, err));
    FIRN_TRY(firn_parse_end(parser, err));
    const char *text = firn_ident_text(arena, ident);
    firn_change change = {.kind = FIRN_CHANGE_DROP_VIEW, .ident = ident};
    firn_rc rc = firn_session_commit_changes(
        session, arena, &change, 1, firn_arena_printf(arena, "drop view %s", text), NULL, err);
    if (if_exists && is_missing(rc)) {
        *out = firn_result_command("DROP VIEW", -1, "there was no view %s", text);
        return FIRN_OK;
    }
    FIRN_TRY(rc);
    *out = firn_result_command("DROP VIEW", -1, "dropped view %s", text);
    return FIRN_OK;
}

static firn_rc rename_view(firn_session *session, firn_parser *parser, firn_ident ident,
                           firn_err *err)
{
    firn_arena *arena = parser->arena;
    const char **parts = NULL;
    size_t n = 0;
    firn_change change = {.kind = FIRN_CHANGE_RENAME_VIEW, .ident = ident, .to = {.ns = ident.ns}};
    FIRN_TRY(firn_parse_dotted(parser, &parts, &n, err));
    FIRN_TRY(firn_parse_end(parser, err));
    if (n == 1) {
        change.to.name = parts[0];
    } else {
        FIRN_TRY(firn_session_resolve(session, arena, parts, n, &change.to, err));
    }
    FIRN_TRY(firn_check_new_name(change.to.name, err));
    const char *message =
        firn_arena_printf(arena, "rename view %s to %s", firn_ident_text(arena, ident),
                          firn_ident_text(arena, change.to));
    return firn_session_commit_changes(session, arena, &change, 1, message, NULL, err);
}

firn_rc firn_view_set_properties(firn_session *session, firn_arena *arena, firn_ident ident,
                                 const json_t *properties, firn_err *err)
{
    firn_catalog *catalog = NULL;
    firn_catalog_entry entry = {0};
    json_t *base = NULL;
    FIRN_TRY(firn_session_catalog(session, &catalog, err));
    FIRN_TRY(firn_catalog_view_load(catalog, arena, session->ref, ident, &entry, &base, err));
    json_t *document = firn_json_own(arena, firn_view_with_properties(base, properties));
    return put_view(session, arena, ident, document, &entry, "alter", err);
}

static firn_rc alter_properties(firn_session *session, firn_parser *parser, firn_ident ident,
                                bool set, firn_err *err)
{
    json_t *properties = NULL;
    if (!firn_accept(parser, "tblproperties")) {
        (void)firn_accept(parser, "properties");
    }
    if (set) {
        FIRN_TRY(firn_parse_properties(parser, "ALTER VIEW", &properties, err));
    } else {
        const char **keys = NULL;
        size_t n = 0;
        (void)firn_accept(parser, "if exists");
        FIRN_TRY(firn_parse_property_keys(parser, &keys, &n, err));
        properties = firn_json_own(parser->arena, json_object());
        for (size_t i = 0; i < n; i++) {
            json_object_set_new(properties, keys[i], json_null());
        }
    }
    FIRN_TRY(firn_parse_end(parser, err));
    return firn_view_set_properties(session, parser->arena, ident, properties, err);
}

static firn_rc replace_query(firn_session *session, firn_parser *parser, firn_ident ident,
                             firn_err *err)
{
    firn_arena *arena = parser->arena;
    firn_catalog *catalog = NULL;
    firn_catalog_entry entry = {0};
    json_t *base = NULL;
    json_t *document = NULL;
    view_sql view = {.ident = ident, .text = firn_ident_text(arena, ident)};
    FIRN_TRY(parse_query(parser, &view, err));
    FIRN_TRY(firn_session_catalog(session, &catalog, err));
    FIRN_TRY(firn_catalog_view_load(catalog, arena, session->ref, ident, &entry, &base, err));
    FIRN_TRY(build_document(session, arena, &view, base, &document, err));
    return put_view(session, arena, ident, document, &entry, "replace", err);
}

static firn_rc alter_view(firn_session *session, firn_parser *parser, firn_result **out,
                          firn_err *err)
{
    firn_ident ident = {0};
    bool if_exists = firn_accept(parser, "if exists");
    FIRN_TRY(firn_parse_target(session, parser, &ident, err));
    const char *text = firn_ident_text(parser->arena, ident);
    firn_rc rc = FIRN_OK;
    if (firn_accept(parser, "rename to")) {
        rc = rename_view(session, parser, ident, err);
    } else if (firn_accept(parser, "set")) {
        rc = alter_properties(session, parser, ident, true, err);
    } else if (firn_accept(parser, "unset")) {
        rc = alter_properties(session, parser, ident, false, err);
    } else if (firn_at_word(parser, "as")) {
        rc = replace_query(session, parser, ident, err);
    } else {
        return firn_syntax_error(parser, err,
                                 "RENAME TO, SET TBLPROPERTIES, UNSET TBLPROPERTIES or AS query");
    }
    if (if_exists && is_missing(rc)) {
        *out = firn_result_command("ALTER VIEW", -1, "there is no view %s", text);
        return FIRN_OK;
    }
    FIRN_TRY(rc);
    *out = firn_result_command("ALTER VIEW", -1, "altered view %s", text);
    return FIRN_OK;
}

firn_rc firn_exec_view(firn_session *session, const char *sql, firn_result **out, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_parser parser;
    FIRN_TRY(firn_parser_open(arena, sql, &parser, err));
    if (firn_accept(&parser, "create")) {
        return create_view(session, &parser, out, err);
    }
    if (firn_accept(&parser, "drop view")) {
        return drop_view(session, &parser, out, err);
    }
    FIRN_TRY(firn_expect(&parser, "alter view", err));
    return alter_view(session, &parser, out, err);
}
