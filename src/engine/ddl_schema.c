/* Namespaces: CREATE, DROP and ALTER SCHEMA (also NAMESPACE, DATABASE), USE.
 *
 *   CREATE SCHEMA [IF NOT EXISTS] a.b [COMMENT 'text'] [LOCATION 'uri'] [WITH [DBPROPERTIES] (...)]
 *   DROP SCHEMA [IF EXISTS] a.b [CASCADE | RESTRICT]
 *   ALTER SCHEMA a.b SET [DBPROPERTIES] (...) | UNSET [DBPROPERTIES] (...)
 *   USE [SCHEMA] a.b
 *
 * Tables under a namespace that does not exist cannot be, so CREATE makes missing parents with it, in the same commit.
 */
#include "ddl.h"

#include <string.h>

static bool accept_object(firn_parser *parser)
{
    return firn_accept(parser, "schema") || firn_accept(parser, "namespace") ||
           firn_accept(parser, "database");
}

static bool accept_properties_word(firn_parser *parser)
{
    return firn_accept(parser, "dbproperties") || firn_accept(parser, "properties") ||
           firn_accept(parser, "tblproperties");
}

static firn_rc namespace_exists(firn_session *session, firn_arena *arena, const char *ns,
                                bool *exists, firn_err *err)
{
    firn_catalog *catalog = NULL;
    json_t *properties = NULL;
    firn_err missing = {0};
    FIRN_TRY(firn_session_catalog(session, &catalog, err));
    firn_rc rc =
        firn_catalog_namespace_properties(catalog, arena, session->ref, ns, &properties, &missing);
    *exists = rc == FIRN_OK;
    if (rc != FIRN_OK && rc != FIRN_E_NO_NAMESPACE) {
        FIRN_FAIL(err, rc, "%s", missing.message);
    }
    return FIRN_OK;
}

typedef FIRN_VEC(firn_change) change_list;

/* One change per missing parent, then the namespace itself. */
static firn_rc plan_create(firn_session *session, firn_arena *arena, const char *ns,
                           json_t *properties, change_list *changes, firn_err *err)
{
    size_t n = 0;
    char **levels = firn_str_split(arena, ns, FIRN_NS_SEP[0], &n);
    for (size_t i = 1; i < n; i++) {
        const char *parent = firn_str_join(arena, (const char *const *)levels, i, FIRN_NS_SEP);
        bool exists = false;
        FIRN_TRY(namespace_exists(session, arena, parent, &exists, err));
        if (!exists) {
            firn_change change = {.kind = FIRN_CHANGE_CREATE_NAMESPACE, .ident = {.ns = parent}};
            firn_vec_push(arena, changes, change);
        }
    }
    firn_change change = {
        .kind = FIRN_CHANGE_CREATE_NAMESPACE, .ident = {.ns = ns}, .document = properties};
    firn_vec_push(arena, changes, change);
    return FIRN_OK;
}

static firn_rc set_text(json_t *properties, const char *key, const char *value, firn_err *err)
{
    json_t *text = json_string(value);
    if (text == NULL || json_object_set_new(properties, key, text) != 0) {
        FIRN_FAIL(err, FIRN_E_INVALID, "the %s is not valid UTF-8 text", key);
    }
    return FIRN_OK;
}

static firn_rc parse_create_options(firn_parser *parser, json_t *properties, firn_err *err)
{
    while (parser->at < parser->end) {
        const char *text = NULL;
        json_t *more = NULL;
        if (firn_accept(parser, "comment")) {
            FIRN_TRY(firn_parse_string(parser, &text, err));
            FIRN_TRY(set_text(properties, "comment", text, err));
        } else if (firn_accept(parser, "location")) {
            FIRN_TRY(firn_parse_string(parser, &text, err));
            FIRN_TRY(set_text(properties, "location", text, err));
        } else if (firn_accept(parser, "with") || firn_at_word(parser, "properties") ||
                   firn_at_word(parser, "dbproperties")) {
            (void)accept_properties_word(parser);
            FIRN_TRY(firn_parse_properties(parser, "CREATE SCHEMA", &more, err));
            json_object_update(properties, more);
        } else {
            return firn_syntax_error(parser, err, "COMMENT, LOCATION, WITH (...) or the end");
        }
    }
    return FIRN_OK;
}

static firn_rc create_schema(firn_session *session, firn_parser *parser, firn_result **out,
                             firn_err *err)
{
    firn_arena *arena = parser->arena;
    const char *ns = NULL;
    bool exists = false;
    change_list changes = {0};
    bool if_not_exists = firn_accept(parser, "if not exists");
    FIRN_TRY(firn_parse_namespace(parser, &ns, err));
    json_t *properties = firn_json_own(arena, json_object());
    FIRN_TRY(parse_create_options(parser, properties, err));
    const char *text = firn_ns_text(arena, ns);
    FIRN_TRY(namespace_exists(session, arena, ns, &exists, err));
    if (exists && if_not_exists) {
        *out = firn_result_command("CREATE SCHEMA", -1, "schema %s is already there", text);
        return FIRN_OK;
    }
    FIRN_TRY(plan_create(session, arena, ns, properties, &changes, err));
    firn_rc rc =
        firn_session_commit_changes(session, arena, changes.items, changes.len,
                                    firn_arena_printf(arena, "create schema %s", text), NULL, err);
    if (rc == FIRN_E_EXISTS && if_not_exists) { /* somebody else was faster */
        *out = firn_result_command("CREATE SCHEMA", -1, "schema %s is already there", text);
        return FIRN_OK;
    }
    FIRN_TRY(rc);
    *out = firn_result_command("CREATE SCHEMA", -1, "created schema %s", text);
    return FIRN_OK;
}

/* Is `ns` this namespace or one below it? */
static bool is_under(const char *ns, const char *top)
{
    size_t len = strlen(top);
    return strncmp(ns, top, len) == 0 && (ns[len] == '\0' || ns[len] == FIRN_NS_SEP[0]);
}

static firn_rc plan_drop_entries(firn_session *session, firn_arena *arena, const char *ns,
                                 firn_entry_kind kind, change_list *changes, firn_err *err)
{
    firn_catalog *catalog = NULL;
    firn_catalog_entry *entries = NULL;
    size_t n = 0;
    FIRN_TRY(firn_session_catalog(session, &catalog, err));
    FIRN_TRY(firn_catalog_list(catalog, arena, session->ref, kind, NULL, &entries, &n, err));
    for (size_t i = 0; i < n; i++) {
        if (is_under(entries[i].ident.ns, ns)) {
            firn_change change = {.kind = kind == FIRN_KIND_VIEW ? FIRN_CHANGE_DROP_VIEW
                                                                 : FIRN_CHANGE_DROP_TABLE,
                                  .ident = entries[i].ident,
                                  .expected_location = entries[i].location};
            firn_vec_push(arena, changes, change);
        }
    }
    return FIRN_OK;
}

/* Everything below, views and tables first, then the namespaces from the leaves up. */
static firn_rc plan_cascade(firn_session *session, firn_arena *arena, const char *ns,
                            change_list *changes, firn_err *err)
{
    firn_catalog *catalog = NULL;
    char **below = NULL;
    size_t n = 0;
    FIRN_TRY(firn_session_catalog(session, &catalog, err));
    FIRN_TRY(plan_drop_entries(session, arena, ns, FIRN_KIND_VIEW, changes, err));
    FIRN_TRY(plan_drop_entries(session, arena, ns, FIRN_KIND_TABLE, changes, err));
    FIRN_TRY(firn_catalog_namespace_list(catalog, arena, session->ref, ns, true, &below, &n, err));
    for (size_t len = SIZE_MAX; n > 0;) { /* longest paths first: children before parents */
        size_t longest = 0;
        for (size_t i = 0; i < n; i++) {
            size_t l = strlen(below[i]);
            longest = l < len && l > longest ? l : longest;
        }
        if (longest == 0) {
            break;
        }
        for (size_t i = 0; i < n; i++) {
            if (strlen(below[i]) == longest && !firn_streq(below[i], ns)) {
                firn_change change = {.kind = FIRN_CHANGE_DROP_NAMESPACE,
                                      .ident = {.ns = below[i]}};
                firn_vec_push(arena, changes, change);
            }
        }
        len = longest;
    }
    return FIRN_OK;
}

static firn_rc drop_schema(firn_session *session, firn_parser *parser, firn_result **out,
                           firn_err *err)
{
    firn_arena *arena = parser->arena;
    const char *ns = NULL;
    bool exists = false;
    change_list changes = {0};
    bool if_exists = firn_accept(parser, "if exists");
    FIRN_TRY(firn_parse_namespace(parser, &ns, err));
    bool cascade = firn_accept(parser, "cascade");
    if (!cascade) {
        (void)firn_accept(parser, "restrict");
    }
    FIRN_TRY(firn_parse_end(parser, err));
    const char *text = firn_ns_text(arena, ns);
    FIRN_TRY(namespace_exists(session, arena, ns, &exists, err));
    if (!exists && if_exists) {
        *out = firn_result_command("DROP SCHEMA", -1, "there was no schema %s", text);
        return FIRN_OK;
    }
    if (cascade && exists) {
        FIRN_TRY(plan_cascade(session, arena, ns, &changes, err));
    }
    size_t n_below = changes.len;
    firn_change change = {.kind = FIRN_CHANGE_DROP_NAMESPACE, .ident = {.ns = ns}};
    firn_vec_push(arena, &changes, change);
    firn_rc rc =
        firn_session_commit_changes(session, arena, changes.items, changes.len,
                                    firn_arena_printf(arena, "drop schema %s", text), NULL, err);
    if (rc == FIRN_E_NOT_EMPTY && !cascade) {
        return firn_err_wrap(err, rc, "DROP SCHEMA without CASCADE");
    }
    FIRN_TRY(rc);
    *out = n_below > 0 ? firn_result_command("DROP SCHEMA", -1, "dropped schema %s and %zu in it",
                                             text, n_below)
                       : firn_result_command("DROP SCHEMA", -1, "dropped schema %s", text);
    return FIRN_OK;
}

static firn_rc alter_schema(firn_session *session, firn_parser *parser, firn_result **out,
                            firn_err *err)
{
    firn_arena *arena = parser->arena;
    const char *ns = NULL;
    json_t *properties = NULL;
    FIRN_TRY(firn_parse_namespace(parser, &ns, err));
    if (firn_accept(parser, "set")) {
        (void)accept_properties_word(parser);
        FIRN_TRY(firn_parse_properties(parser, "ALTER SCHEMA", &properties, err));
    } else if (firn_accept(parser, "unset")) {
        const char **keys = NULL;
        size_t n = 0;
        (void)accept_properties_word(parser);
        FIRN_TRY(firn_parse_property_keys(parser, &keys, &n, err));
        properties = firn_json_own(arena, json_object());
        for (size_t i = 0; i < n; i++) {
            json_object_set_new(properties, keys[i], json_null());
        }
    } else {
        return firn_syntax_error(parser, err, "SET PROPERTIES (...) or UNSET PROPERTIES (...)");
    }
    FIRN_TRY(firn_parse_end(parser, err));
    firn_change change = {
        .kind = FIRN_CHANGE_SET_NAMESPACE_PROPERTIES, .ident = {.ns = ns}, .document = properties};
    const char *text = firn_ns_text(arena, ns);
    FIRN_TRY(firn_session_commit_changes(
        session, arena, &change, 1, firn_arena_printf(arena, "alter schema %s", text), NULL, err));
    *out = firn_result_command("ALTER SCHEMA", -1, "altered schema %s", text);
    return FIRN_OK;
}

static firn_rc use_schema(firn_session *session, firn_parser *parser, firn_result **out,
                          firn_err *err)
{
    firn_arena *arena = parser->arena;
    firn_catalog *catalog = NULL;
    const char *ns = NULL;
    json_t *properties = NULL;
    (void)accept_object(parser);
    FIRN_TRY(firn_parse_namespace(parser, &ns, err));
    FIRN_TRY(firn_parse_end(parser, err));
    FIRN_TRY(firn_session_catalog(session, &catalog, err));
    FIRN_TRY(firn_catalog_namespace_properties(catalog, arena, session->ref, ns, &properties, err));
    free(session->schema);
    session->schema = firn_strdup(ns);
    *out = firn_result_command("USE", -1, "using schema %s", firn_ns_text(arena, ns));
    return FIRN_OK;
}

firn_rc firn_exec_schema(firn_session *session, const char *sql, firn_result **out, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_parser parser;
    FIRN_TRY(firn_parser_open(arena, sql, &parser, err));
    if (firn_accept(&parser, "use")) {
        return use_schema(session, &parser, out, err);
    }
    bool create = firn_accept(&parser, "create");
    bool drop = !create && firn_accept(&parser, "drop");
    if (!create && !drop) {
        FIRN_TRY(firn_expect(&parser, "alter", err));
    }
    if (create && firn_at_words(&parser, "or replace")) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                  "a schema cannot be replaced: DROP SCHEMA ... CASCADE it first, or use CREATE "
                  "SCHEMA IF NOT EXISTS");
    }
    if (!accept_object(&parser)) {
        return firn_syntax_error(&parser, err, "SCHEMA");
    }
    return create ? create_schema(session, &parser, out, err)
           : drop ? drop_schema(session, &parser, out, err)
                  : alter_schema(session, &parser, out, err);
}
