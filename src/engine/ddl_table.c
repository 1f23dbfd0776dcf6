/* DROP TABLE and COMMENT ON. */
#include "ddl.h"

#include "read.h"

#include <string.h>

firn_rc firn_exec_drop_table(firn_session *session, const char *sql, firn_result **out,
                             firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_parser parser;
    firn_ident ident = {0};
    bool temporary = false;
    FIRN_TRY(firn_parser_open(arena, sql, &parser, err));
    FIRN_TRY(firn_expect(&parser, "drop table", err));
    bool if_exists = firn_accept(&parser, "if exists");
    FIRN_TRY(firn_target_is_temporary(session, &parser, &temporary, err));
    if (temporary) {
        return firn_exec_duck(session, sql, out, err);
    }
    FIRN_TRY(firn_parse_target(session, &parser, &ident, err));
    bool purge = firn_accept(&parser, "purge");
    if (!firn_accept(&parser, "cascade")) {
        (void)firn_accept(&parser, "restrict");
    }
    FIRN_TRY(firn_parse_end(&parser, err));
    const char *text = firn_ident_text(arena, ident);
    firn_change change = {.kind = FIRN_CHANGE_DROP_TABLE, .ident = ident};
    firn_purge_result purged = {0};
    const char *message = firn_arena_printf(arena, "drop table %s", text);
    firn_rc rc = purge
                     ? firn_session_purge_table(session, arena, ident, message, &purged, err)
                     : firn_session_commit_changes(session, arena, &change, 1, message, NULL, err);
    if (if_exists && (rc == FIRN_E_NO_TABLE || rc == FIRN_E_NO_NAMESPACE)) {
        *out = firn_result_command("DROP TABLE", -1, "there was no table %s", text);
        return FIRN_OK;
    }
    FIRN_TRY(rc);
    const char *files = "";
    if (purge && purged.kept) {
        files = firn_arena_printf(arena, "; its files stay: %s", purged.kept);
    } else if (purge) {
        files = firn_arena_printf(arena, " and deleted %zu files", purged.deleted);
        files =
            purged.left == 0 ? files : firn_arena_printf(arena, "%s; %zu stay", files, purged.left);
    }
    *out = firn_result_command("DROP TABLE", -1, "dropped table %s%s", text, files);
    return FIRN_OK;
}

/* ---- COMMENT ON ------------------------------------------------------------------------------------------ */

typedef struct comment {
    firn_session *session;
    const char *text; /* NULL: remove */
    const char *path; /* of the column; NULL: the table */
    const char *table_text;
} comment;

static firn_rc build_comment(void *ctx, firn_arena *arena, const firn_table *base, json_t *updates,
                             json_t *requirements, firn_err *err)
{
    const comment *what = ctx;
    firn_schema *schema = NULL;
    const firn_field *field = NULL;
    if (what->path == NULL && what->text == NULL) {
        firn_update_remove_properties(updates, (const char *const[]){"comment"}, 1);
        return FIRN_OK;
    }
    if (what->path == NULL) {
        json_t *properties = firn_json_own(arena, json_pack("{s:s}", "comment", what->text));
        if (properties == NULL) {
            FIRN_FAIL(err, FIRN_E_INVALID, "the comment is not valid UTF-8 text");
        }
        firn_update_set_properties(updates, properties);
        return FIRN_OK;
    }
    FIRN_TRY(
        firn_find_column(arena, base->metadata->schema, what->path, what->table_text, &field, err));
    firn_schema_change *change = firn_schema_change_new(arena, base->metadata);
    FIRN_TRY(firn_schema_change_doc(
        change, firn_schema_path(arena, base->metadata->schema, field->id), what->text, err));
    return firn_schema_change_finish(change, &schema, updates, requirements, err);
}

static firn_rc commit_comment(firn_session *session, firn_arena *arena, firn_ident ident,
                              comment *what, firn_err *err)
{
    what->session = session;
    what->table_text = firn_ident_text(arena, ident);
    firn_table_commit commit = {.ident = ident,
                                .build = build_comment,
                                .ctx = what,
                                .message =
                                    firn_arena_printf(arena, "comment on %s", what->table_text)};
    return firn_session_commit_table(session, arena, &commit, err);
}

/* In a.b.c.d the table is the longest beginning that is one. */
static firn_rc split_column(firn_session *session, firn_parser *parser, firn_ident *ident,
                            const char **path, firn_err *err)
{
    firn_catalog *catalog = NULL;
    const char **parts = NULL;
    size_t n = 0;
    FIRN_TRY(firn_parse_dotted(parser, &parts, &n, err));
    if (n < 2) {
        return firn_syntax_error(parser, err, "table.column before this");
    }
    FIRN_TRY(firn_session_catalog(session, &catalog, err));
    for (size_t k = n - 1; k > 0; k--) {
        firn_catalog_entry entry = {0};
        firn_err missing = {0};
        FIRN_TRY(firn_session_resolve(session, parser->arena, parts, k, ident, err));
        *path = firn_str_join(parser->arena, parts + k, n - k, ".");
        if (firn_catalog_entry_get(catalog, parser->arena, session->ref, *ident, &entry,
                                   &missing) == FIRN_OK) {
            return FIRN_OK;
        }
    }
    *path = parts[n - 1];
    return firn_session_resolve(session, parser->arena, parts, n - 1, ident, err);
}

firn_rc firn_exec_comment(firn_session *session, const char *sql, firn_result **out, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_parser parser;
    firn_ident ident = {0};
    comment what = {0};
    const char *ns = NULL;
    FIRN_TRY(firn_parser_open(arena, sql, &parser, err));
    FIRN_TRY(firn_expect(&parser, "comment on", err));
    bool view = false;
    if (firn_accept(&parser, "table")) {
        FIRN_TRY(firn_parse_target(session, &parser, &ident, err));
    } else if (firn_accept(&parser, "view")) {
        view = true;
        FIRN_TRY(firn_parse_target(session, &parser, &ident, err));
    } else if (firn_accept(&parser, "column")) {
        FIRN_TRY(split_column(session, &parser, &ident, &what.path, err));
    } else if (firn_accept(&parser, "schema") || firn_accept(&parser, "namespace") ||
               firn_accept(&parser, "database")) {
        FIRN_TRY(firn_parse_namespace(&parser, &ns, err));
    } else {
        return firn_syntax_error(&parser, err, "TABLE, COLUMN, VIEW or SCHEMA");
    }
    FIRN_TRY(firn_expect(&parser, "is", err));
    if (!firn_accept(&parser, "null")) {
        FIRN_TRY(firn_parse_string(&parser, &what.text, err));
    }
    FIRN_TRY(firn_parse_end(&parser, err));
    json_t *text = what.text != NULL ? json_string(what.text) : json_null();
    json_t *properties = firn_json_own(arena, json_pack("{s:o}", "comment", text));
    if (properties == NULL) {
        FIRN_FAIL(err, FIRN_E_INVALID, "the comment is not valid UTF-8 text");
    }
    if (ns != NULL) {
        firn_change change = {.kind = FIRN_CHANGE_SET_NAMESPACE_PROPERTIES,
                              .ident = {.ns = ns},
                              .document = properties};
        FIRN_TRY(firn_session_commit_changes(session, arena, &change, 1, "comment", NULL, err));
    } else if (view) {
        FIRN_TRY(firn_view_set_properties(session, arena, ident, properties, err));
    } else {
        FIRN_TRY(commit_comment(session, arena, ident, &what, err));
    }
    *out = firn_result_command("COMMENT", -1, "comment %s", what.text != NULL ? "set" : "removed");
    return FIRN_OK;
}
