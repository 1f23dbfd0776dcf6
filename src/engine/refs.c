/* The lake's branches and tags, which span all its tables:
 *
 *   CREATE [OR REPLACE] BRANCH | TAG [IF NOT EXISTS] name [FROM ref] [AT commit]       DROP BRANCH | TAG [IF EXISTS] name
 *   ALTER BRANCH name RESET TO ref | RENAME TO name       RESET BRANCH name TO ref     USE BRANCH | TAG | REF name
 *   MERGE, CHERRY PICK: refs_merge.c
 *
 * A ref is a branch, a tag or a commit id. Iceberg's own branches, inside one table, are ALTER TABLE's (alter_ref.c).
 */
#include "refs.h"

#include <string.h>

/* Names like run/2026-11-20 or a commit id need no quotes: words, numbers and -./ without blanks between them. */
firn_rc firn_parse_ref(firn_parser *parser, const char **out, firn_err *err)
{
    const firn_token *first = firn_peek(parser);
    if (parser->at < parser->end && first->kind == FIRN_TOKEN_STRING) {
        return firn_parse_string(parser, out, err);
    }
    if (parser->at < parser->end && first->kind == FIRN_TOKEN_QUOTED) {
        return firn_parse_name(parser, out, err);
    }
    if (parser->at == parser->end ||
        (first->kind != FIRN_TOKEN_WORD && first->kind != FIRN_TOKEN_NUMBER)) {
        return firn_syntax_error(parser, err, "the name of a branch, a tag or a commit");
    }
    size_t start = parser->at;
    uint32_t end = first->start;
    while (parser->at < parser->end) {
        const firn_token *token = firn_peek(parser);
        bool joins = token->kind == FIRN_TOKEN_WORD || token->kind == FIRN_TOKEN_NUMBER ||
                     (token->kind == FIRN_TOKEN_PUNCT && token->len == 1 &&
                      strchr("-./", parser->tokens->text[token->start]) != NULL);
        if (token->start != end || !joins) {
            break;
        }
        end = token->start + token->len;
        parser->at++;
    }
    *out = firn_token_text(parser->arena, parser->tokens, start, parser->at);
    return FIRN_OK;
}

static firn_rc parse_kind(firn_parser *parser, bool *tag, firn_err *err)
{
    *tag = firn_accept(parser, "tag");
    return *tag || firn_accept(parser, "branch") ? FIRN_OK
                                                 : firn_syntax_error(parser, err, "BRANCH or TAG");
}

/* [BRANCH | TAG | COMMIT] ref */
static firn_rc parse_from(firn_parser *parser, const char **out, firn_err *err)
{
    if (!firn_accept(parser, "branch") && !firn_accept(parser, "commit")) {
        (void)firn_accept(parser, "tag");
    }
    return firn_parse_ref(parser, out, err);
}

/* [FROM ref] [AT commit]: AT says which commit of the ref; *where is both as written. */
static firn_rc parse_start(firn_parser *parser, const char **from, const char **where,
                           firn_err *err)
{
    if (firn_accept(parser, "from") || firn_accept(parser, "as of")) {
        FIRN_TRY(parse_from(parser, from, err));
        *where = *from;
    }
    if (firn_accept(parser, "at")) {
        FIRN_TRY(parse_from(parser, from, err));
        *where = firn_streq(*where, *from)
                     ? *where
                     : firn_arena_printf(parser->arena, "%s at %s", *where, *from);
    }
    return FIRN_OK;
}

static firn_rc create_ref(firn_session *session, firn_parser *parser, firn_result **out,
                          firn_err *err)
{
    firn_catalog *catalog = NULL;
    firn_ref_make make = {.from = session->ref};
    const char *where = session->ref;
    make.replace = firn_accept(parser, "or replace");
    FIRN_TRY(parse_kind(parser, &make.is_tag, err));
    bool if_not_exists = firn_accept(parser, "if not exists");
    if (make.replace && if_not_exists) {
        FIRN_FAIL(err, FIRN_E_SYNTAX, "OR REPLACE and IF NOT EXISTS exclude each other");
    }
    FIRN_TRY(firn_parse_ref(parser, &make.name, err));
    FIRN_TRY(parse_start(parser, &make.from, &where, err));
    FIRN_TRY(firn_parse_end(parser, err));
    FIRN_TRY(firn_session_catalog(session, &catalog, err));
    const char *what = make.is_tag ? "tag" : "branch";
    const char *done = make.is_tag ? "CREATE TAG" : "CREATE BRANCH";
    firn_rc rc = firn_catalog_ref_make(catalog, parser->arena, &make, NULL, err);
    if (rc == FIRN_E_EXISTS && if_not_exists) {
        firn_ref there = {0};
        if (firn_catalog_ref_get(catalog, parser->arena, make.name, &there, NULL) == FIRN_OK &&
            there.is_tag == make.is_tag) {
            *out = firn_result_command(done, -1, "%s %s is already there", what, make.name);
            return FIRN_OK;
        }
    }
    FIRN_TRY(rc);
    *out = firn_result_command(done, -1, "%s %s %s from %s", make.replace ? "put" : "created", what,
                               make.name, where);
    return FIRN_OK;
}

static firn_rc drop_ref(firn_session *session, firn_parser *parser, firn_result **out,
                        firn_err *err)
{
    firn_catalog *catalog = NULL;
    const char *name = NULL;
    firn_ref ref = {0};
    bool tag = false;
    FIRN_TRY(parse_kind(parser, &tag, err));
    bool if_exists = firn_accept(parser, "if exists");
    FIRN_TRY(firn_parse_ref(parser, &name, err));
    FIRN_TRY(firn_parse_end(parser, err));
    FIRN_TRY(firn_session_catalog(session, &catalog, err));
    const char *what = tag ? "tag" : "branch";
    const char *done = tag ? "DROP TAG" : "DROP BRANCH";
    firn_rc rc = firn_catalog_ref_get(catalog, parser->arena, name, &ref, err);
    if (rc == FIRN_E_NO_REF && if_exists) {
        *out = firn_result_command(done, -1, "there was no %s %s", what, name);
        return FIRN_OK;
    }
    FIRN_TRY(rc);
    if (ref.is_tag != tag) {
        FIRN_FAIL(err, FIRN_E_NO_REF, "%s is a %s: DROP %s %s", name, ref.is_tag ? "tag" : "branch",
                  ref.is_tag ? "TAG" : "BRANCH", name);
    }
    if (firn_streq(name, session->ref)) {
        FIRN_FAIL(err, FIRN_E_INVALID, "this session works on %s; USE BRANCH main first", name);
    }
    FIRN_TRY(firn_catalog_ref_delete(catalog, name, err));
    *out = firn_result_command(done, -1, "dropped %s %s", what, name);
    return FIRN_OK;
}

static firn_rc use_ref(firn_session *session, firn_parser *parser, firn_result **out, firn_err *err)
{
    const char *name = NULL;
    if (!firn_accept(parser, "branch") && !firn_accept(parser, "tag") &&
        !firn_accept(parser, "ref")) {
        FIRN_TRY(firn_expect(parser, "reference", err));
    }
    FIRN_TRY(firn_parse_ref(parser, &name, err));
    FIRN_TRY(firn_parse_end(parser, err));
    FIRN_TRY(firn_session_set_ref(session, name, err));
    *out = firn_result_command("USE", -1, "using %s", session->ref);
    return FIRN_OK;
}

/* ---- ALTER, RESET -------------------------------------------------------------------------------------------- */

/* A branch or tag by its name, and of the kind that the statement says. */
static firn_rc need_kind(firn_catalog *catalog, firn_arena *arena, const char *name, bool tag,
                         firn_err *err)
{
    firn_ref ref = {0};
    FIRN_TRY(firn_catalog_ref_get(catalog, arena, name, &ref, err));
    if (ref.is_tag != tag) {
        FIRN_FAIL(err, FIRN_E_NO_REF, "%s is a %s", name, ref.is_tag ? "tag" : "branch");
    }
    return FIRN_OK;
}

static firn_rc reset_to(firn_session *session, firn_parser *parser, const char *name,
                        firn_result **out, firn_err *err)
{
    firn_catalog *catalog = NULL;
    const char *to = NULL;
    firn_ref ref = {0};
    FIRN_TRY(firn_expect(parser, "to", err));
    FIRN_TRY(parse_from(parser, &to, err));
    FIRN_TRY(firn_parse_end(parser, err));
    FIRN_TRY(firn_session_catalog(session, &catalog, err));
    FIRN_TRY(firn_catalog_ref_reset(catalog, parser->arena, name, to, NULL, &ref, err));
    *out = firn_result_command("RESET BRANCH", -1, "reset branch %s to %s (commit %.10s)", name, to,
                               ref.commit_id);
    return FIRN_OK;
}

/* Behind ALTER: BRANCH b RESET TO ref | BRANCH or TAG b RENAME TO c */
static firn_rc alter_ref(firn_session *session, firn_parser *parser, firn_result **out,
                         firn_err *err)
{
    firn_catalog *catalog = NULL;
    const char *name = NULL;
    const char *to = NULL;
    bool tag = false;
    FIRN_TRY(parse_kind(parser, &tag, err));
    FIRN_TRY(firn_parse_ref(parser, &name, err));
    if (!tag && firn_accept(parser, "reset")) {
        return reset_to(session, parser, name, out, err);
    }
    if (!firn_accept(parser, "rename to")) {
        return firn_syntax_error(parser, err, tag ? "RENAME TO" : "RESET TO or RENAME TO");
    }
    FIRN_TRY(firn_parse_ref(parser, &to, err));
    FIRN_TRY(firn_parse_end(parser, err));
    FIRN_TRY(firn_session_catalog(session, &catalog, err));
    FIRN_TRY(need_kind(catalog, parser->arena, name, tag, err));
    if (firn_streq(name, session->ref)) {
        FIRN_FAIL(err, FIRN_E_INVALID, "this session works on %s; USE BRANCH main first", name);
    }
    FIRN_TRY(firn_catalog_ref_rename(catalog, name, to, err));
    *out = firn_result_command(tag ? "ALTER TAG" : "ALTER BRANCH", -1, "renamed %s %s to %s",
                               tag ? "tag" : "branch", name, to);
    return FIRN_OK;
}

/* Behind RESET BRANCH. */
static firn_rc reset_branch(firn_session *session, firn_parser *parser, firn_result **out,
                            firn_err *err)
{
    const char *name = NULL;
    FIRN_TRY(firn_parse_ref(parser, &name, err));
    return reset_to(session, parser, name, out, err);
}

firn_rc firn_exec_refs(firn_session *session, const char *sql, firn_result **out, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_parser parser;
    FIRN_TRY(firn_parser_open(arena, sql, &parser, err));
    if (firn_accept(&parser, "create")) {
        return create_ref(session, &parser, out, err);
    }
    if (firn_accept(&parser, "drop")) {
        return drop_ref(session, &parser, out, err);
    }
    if (firn_accept(&parser, "use")) {
        return use_ref(session, &parser, out, err);
    }
    if (firn_accept(&parser, "alter")) {
        return alter_ref(session, &parser, out, err);
    }
    if (firn_accept(&parser, "reset branch")) {
        return reset_branch(session, &parser, out, err);
    }
    if (firn_accept(&parser, "merge")) {
        return firn_exec_merge_ref(session, &parser, out, err);
    }
    if (firn_accept(&parser, "cherry")) {
        (void)firn_accept(&parser, "-");
        FIRN_TRY(firn_expect(&parser, "pick", err));
        return firn_exec_cherry_pick(session, &parser, out, err);
    }
    return firn_syntax_error(&parser, err,
                             "CREATE, DROP, ALTER, RESET, USE or MERGE in front of BRANCH or TAG");
}
