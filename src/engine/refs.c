/* The lake's branches and tags, which span all its tables:
 *
 *   CREATE BRANCH | TAG [IF NOT EXISTS] name [FROM | AT ref]       DROP BRANCH | TAG [IF EXISTS] name
 *   USE BRANCH | TAG | REF name                                    MERGE [BRANCH] name [INTO name] [DRY RUN]
 *
 * A ref is a branch, a tag or a commit id. Iceberg's own branches, inside one table, are ALTER TABLE's (alter_ref.c).
 */
#include "ddl.h"

#include "duck.h"

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

static firn_rc create_ref(firn_session *session, firn_parser *parser, firn_result **out,
                          firn_err *err)
{
    firn_catalog *catalog = NULL;
    const char *name = NULL;
    const char *from = session->ref;
    bool tag = false;
    if (firn_at_words(parser, "or replace")) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                  "a branch or tag is not replaced in one step, so that no commit is lost by "
                  "accident: DROP it first, or merge it");
    }
    FIRN_TRY(parse_kind(parser, &tag, err));
    bool if_not_exists = firn_accept(parser, "if not exists");
    FIRN_TRY(firn_parse_ref(parser, &name, err));
    if (firn_accept(parser, "from") || firn_accept(parser, "at") || firn_accept(parser, "as of")) {
        if (!firn_accept(parser, "branch") && !firn_accept(parser, "commit")) {
            (void)firn_accept(parser, "tag");
        }
        FIRN_TRY(firn_parse_ref(parser, &from, err));
    }
    FIRN_TRY(firn_parse_end(parser, err));
    FIRN_TRY(firn_session_catalog(session, &catalog, err));
    const char *what = tag ? "tag" : "branch";
    const char *done = tag ? "CREATE TAG" : "CREATE BRANCH";
    firn_rc rc = firn_catalog_ref_create(catalog, name, tag, from, err);
    if (rc == FIRN_E_EXISTS && if_not_exists) {
        *out = firn_result_command(done, -1, "%s %s is already there", what, name);
        return FIRN_OK;
    }
    FIRN_TRY(rc);
    *out = firn_result_command(done, -1, "created %s %s from %s", what, name, from);
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

/* ---- MERGE ------------------------------------------------------------------------------------------------- */

/* Rows of a table by its metadata file's last snapshot; -1 when it does not say. */
static int64_t count_rows(firn_catalog *catalog, firn_arena *arena, const char *location)
{
    firn_metadata *metadata = NULL;
    int64_t rows = -1;
    if (location == NULL) {
        return 0;
    }
    if (firn_metadata_load(firn_catalog_storage(catalog), arena, location, &metadata, NULL) !=
        FIRN_OK) {
        return -1;
    }
    if (metadata->current_snapshot == NULL) {
        return 0;
    }
    const char *text =
        json_string_value(json_object_get(metadata->current_snapshot->summary, "total-records"));
    return text != NULL && firn_parse_i64(text, &rows) ? rows : -1;
}

/* "bronze.orders -21 rows" */
static const char *describe_change(firn_catalog *catalog, firn_arena *arena, const firn_diff *diff)
{
    const char *name =
        diff->kind == FIRN_KIND_NAMESPACE
            ? firn_arena_printf(arena, "schema %s", firn_ns_text(arena, diff->ident.ns))
            : firn_ident_text(arena, diff->ident);
    if (diff->what == FIRN_DIFF_REMOVED) {
        return firn_arena_printf(arena, "%s dropped", name);
    }
    if (diff->kind != FIRN_KIND_TABLE) {
        return firn_arena_printf(arena, "%s %s", name,
                                 diff->what == FIRN_DIFF_ADDED ? "added" : "changed");
    }
    int64_t before = count_rows(catalog, arena, diff->from_location);
    int64_t after = count_rows(catalog, arena, diff->to_location);
    if (before < 0 || after < 0 || (before == after && diff->what == FIRN_DIFF_CHANGED)) {
        return firn_arena_printf(arena, "%s changed", name);
    }
    int64_t rows = after - before;
    return firn_arena_printf(arena, "%s%s %c%s row%s", name,
                             diff->what == FIRN_DIFF_ADDED ? " (new)" : "", rows < 0 ? '-' : '+',
                             firn_format_count(arena, rows < 0 ? -rows : rows),
                             rows == 1 || rows == -1 ? "" : "s");
}

static const char *describe_merge(firn_catalog *catalog, firn_arena *arena,
                                  const firn_merge_result *result)
{
    enum { NAMED_MAX = 4 };
    const char *parts[NAMED_MAX];
    size_t tables = 0;
    if (result->n_merged <= NAMED_MAX) {
        for (size_t i = 0; i < result->n_merged; i++) {
            parts[i] = describe_change(catalog, arena, &result->merged[i]);
        }
        return firn_str_join(arena, parts, result->n_merged, ", ");
    }
    for (size_t i = 0; i < result->n_merged; i++) {
        tables += result->merged[i].kind == FIRN_KIND_TABLE;
    }
    size_t others = result->n_merged - tables;
    return others == 0 ? firn_arena_printf(arena, "%zu tables", tables)
                       : firn_arena_printf(arena, "%zu tables and %zu schema%s or views", tables,
                                           others, others == 1 ? "" : "s");
}

static firn_rc merge_ref(firn_session *session, firn_parser *parser, firn_result **out,
                         firn_err *err)
{
    firn_arena *arena = parser->arena;
    firn_catalog *catalog = NULL;
    firn_merge_result result = {0};
    const char *from = NULL;
    const char *into = FIRN_MAIN;
    if (!firn_accept(parser, "branch")) {
        (void)firn_accept(parser, "tag");
    }
    FIRN_TRY(firn_parse_ref(parser, &from, err));
    if (firn_accept(parser, "into")) {
        (void)firn_accept(parser, "branch");
        FIRN_TRY(firn_parse_ref(parser, &into, err));
    }
    bool dry_run = firn_accept(parser, "dry run");
    FIRN_TRY(firn_parse_end(parser, err));
    FIRN_TRY(firn_session_catalog(session, &catalog, err));
    firn_merge_options options = {.dry_run = dry_run,
                                  .info = {.author = session->author, .message = session->message}};
    FIRN_TRY(firn_catalog_merge(catalog, arena, from, into, &options, &result, err));
    if (result.n_merged == 0) {
        *out = firn_result_command("MERGE", 0, "%s has everything that %s has", into, from);
        return FIRN_OK;
    }
    *out = firn_result_command("MERGE", (int64_t)result.n_merged,
                               dry_run ? "would merge %s into %s: %s, 1 commit"
                                       : "merged %s into %s: %s, 1 commit",
                               from, into, describe_merge(catalog, arena, &result));
    return FIRN_OK;
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
    if (firn_accept(&parser, "merge")) {
        return merge_ref(session, &parser, out, err);
    }
    return firn_syntax_error(&parser, err, "CREATE, DROP, USE or MERGE in front of BRANCH or TAG");
}
