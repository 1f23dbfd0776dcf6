/* What the statements that change rows share. */
#include "dml.h"

#include "read.h"
#include "write_parts.h"

#include "base/time.h"
#include "base/uuid.h"

#include <inttypes.h>
#include <string.h>

/* With N writers after the same rows, one wins each round: N must be able to wait their turn. */
enum { ATTEMPTS_MAX = 100, WAIT_MS = 20 };

firn_rc firn_dml_parse_target(firn_session *session, firn_parser *parser, firn_dml_target *out,
                              firn_err *err)
{
    *out = (firn_dml_target){0};
    FIRN_TRY(firn_parse_target(session, parser, &out->ident, err));
    out->text = firn_ident_text(parser->arena, out->ident);
    out->name = out->ident.name;
    return FIRN_OK;
}

firn_rc firn_dml_parse_alias(firn_parser *parser, const char *stop, const char **alias,
                             firn_err *err)
{
    const firn_token *token = firn_peek(parser);
    bool at_end = parser->at == parser->end;
    *alias = NULL;
    if (firn_accept(parser, "as")) {
        return firn_parse_name(parser, alias, err);
    }
    if (at_end || (token->kind != FIRN_TOKEN_WORD && token->kind != FIRN_TOKEN_QUOTED)) {
        return FIRN_OK;
    }
    size_t n = 0;
    char **words = firn_str_split(parser->arena, stop, ' ', &n);
    for (size_t i = 0; i < n; i++) {
        if (firn_at_word(parser, words[i])) {
            return FIRN_OK;
        }
    }
    return firn_parse_name(parser, alias, err);
}

firn_rc firn_dml_load(firn_session *session, firn_arena *arena, firn_dml_target *target,
                      firn_err *err)
{
    FIRN_TRY(firn_session_load_table(session, arena, target->ident, &target->table, err));
    target->metadata = target->table.metadata;
    if (target->metadata->format_version < 2) {
        FIRN_FAIL(
            err, FIRN_E_UNSUPPORTED,
            "%s has format version 1, which firn reads and does not write: ALTER TABLE %s SET "
            "TBLPROPERTIES ('format-version' = '2') first",
            target->text, target->text);
    }
    return FIRN_OK;
}

const char *firn_dml_text(const firn_parser *parser, size_t from, size_t to)
{
    return firn_token_text(parser->arena, parser->tokens, from, to);
}

firn_rc firn_dml_parse_columns(firn_parser *parser, const char ***columns, size_t *n, firn_err *err)
{
    FIRN_VEC(const char *) list = {0};
    FIRN_TRY(firn_expect(parser, "(", err));
    do {
        const char *name = NULL;
        FIRN_TRY(firn_parse_name(parser, &name, err));
        firn_vec_push(parser->arena, &list, name);
    } while (firn_accept(parser, ","));
    FIRN_TRY(firn_expect(parser, ")", err));
    *columns = list.items;
    *n = list.len;
    return FIRN_OK;
}

firn_rc firn_dml_rewrite(firn_session *session, firn_arena *arena, const char *sql,
                         const char **out, firn_err *err)
{
    firn_read_plan plan = {0};
    FIRN_TRY(firn_read_rewrite(session, arena, sql, &plan, err));
    *out = plan.sql;
    return FIRN_OK;
}

firn_rc firn_dml_refuse_clauses(const firn_parser *parser, firn_err *err)
{
    firn_parser here = *parser;
    here.at = firn_find_word(parser, parser->at, "returning");
    if (here.at < parser->end) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                  "line %u, column %u: firn has no RETURNING; SELECT the rows before or after",
                  firn_peek(&here)->line, firn_peek(&here)->column);
    }
    for (here.at = parser->at; here.at < parser->end; here.at++) {
        if (firn_peek(&here)->depth == 0 && firn_at_words(&here, "on conflict")) {
            FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                      "line %u, column %u: Iceberg tables have no unique keys, so there is no ON "
                      "CONFLICT; say what to do with MERGE INTO",
                      firn_peek(&here)->line, firn_peek(&here)->column);
        }
    }
    return FIRN_OK;
}

firn_rc firn_dml_temporary(firn_session *session, const char *sql, const char *tag,
                           const char *done, firn_result **out, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_duck_cells rows = {0};
    int64_t n = 0;
    FIRN_TRY(firn_duck_rows(session, arena, sql, &rows, err));
    if (rows.n_rows == 1 && rows.n_columns == 1 && rows.cells[0][0] != NULL &&
        !firn_parse_i64(rows.cells[0][0], &n)) {
        n = 0;
    }
    *out = firn_result_command(firn_arena_printf(arena, "%s %" PRId64, tag, n), n, "%s %s",
                               firn_dml_count(arena, n, "row"), done);
    return FIRN_OK;
}

firn_rc firn_dml_check(firn_session *session, firn_arena *arena, const firn_dml_target *target,
                       const char *expression, firn_err *err)
{
    const firn_read_options options = {.metadata = target->metadata,
                                       .at_empty = true,
                                       .schema = target->metadata->schema,
                                       .table_text = target->text};
    firn_scan_stats stats = {0};
    char *read = NULL;
    const char *sql = NULL;
    firn_duck_column *columns = NULL;
    size_t n = 0;
    FIRN_TRY(firn_read_sql(session, arena, &options, &read, &stats, err));
    const char *alias = target->alias != NULL ? target->alias : target->name;
    FIRN_TRY(firn_dml_rewrite(
        session, arena,
        firn_arena_printf(
            arena,
            "WITH firn_empty AS (SELECT * FROM %s) SELECT 1 FROM firn_empty AS %s WHERE (%s)", read,
            firn_sql_ident(arena, alias), expression),
        &sql, err));
    return firn_duck_describe(session, arena, sql, &columns, &n, err);
}

bool firn_dml_is_volatile(const firn_session *session, firn_arena *arena, const char *expression)
{
    static const char *const volatiles[] = {"random",          "uuid",    "uuidv4",  "uuidv7",
                                            "gen_random_uuid", "setseed", "nextval", "currval"};
    firn_tokens tokens = {0};
    if (session->has_macros || firn_lex(arena, expression, &tokens, NULL) != FIRN_OK) {
        return true;
    }
    firn_parser here = {.arena = arena, .tokens = &tokens, .end = tokens.list.len - 1};
    for (; here.at < here.end; here.at++) {
        for (size_t i = 0; i < sizeof(volatiles) / sizeof(volatiles[0]); i++) {
            if (firn_at_word(&here, volatiles[i])) {
                return true;
            }
        }
    }
    return false;
}

char *firn_dml_count(firn_arena *arena, int64_t n, const char *noun)
{
    return firn_arena_printf(arena, "%s %s%s", firn_format_count(arena, n), noun,
                             n == 1 ? "" : "s");
}

bool firn_dml_reads(firn_session *session, firn_arena *arena, const char *sql, firn_ident ident)
{
    firn_ident *idents = NULL;
    size_t n = 0;
    firn_err ignored = {0};
    if (firn_session_references(session, arena, sql, &idents, &n, &ignored) != FIRN_OK) {
        return true;
    }
    for (size_t i = 0; i < n; i++) {
        if (firn_streq(idents[i].name, ident.name) && firn_streq(idents[i].ns, ident.ns)) {
            return true;
        }
    }
    return false;
}

/* ---- attempts ---------------------------------------------------------------------------------------- */

static firn_rc attempt_once(firn_session *session, firn_dml_attempt_fn attempt, void *ctx,
                            firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_err ignored = {0};
    FIRN_TRY(firn_write_setup(session, err));
    FIRN_TRY(firn_duck_exec(session, "BEGIN TRANSACTION", err)); /* DuckDB's: now() stands still */
    firn_rc rc = attempt(ctx, arena, err);
    /* Temporary tables of the attempt go, too. A ROLLBACK that fails has nothing left to undo. */
    firn_rc undone = firn_duck_exec(session, "ROLLBACK", &ignored);
    (void)undone;
    return rc;
}

firn_rc firn_dml_retry(firn_session *session, firn_dml_attempt_fn attempt, void *ctx, firn_err *err)
{
    for (int i = 1;; i++) {
        firn_err own = {0};
        firn_rc rc = attempt_once(session, attempt, ctx, &own);
        bool conflict = rc == FIRN_E_VALIDATION && !own.outcome_unknown;
        if (conflict && i < ATTEMPTS_MAX && !session->interrupted) {
            firn_sleep_ms((int64_t)(firn_random_u64() % (uint64_t)(WAIT_MS << (i < 6 ? i : 6))));
            continue;
        }
        if (rc != FIRN_OK && err != NULL) {
            *err = own;
        }
        return rc;
    }
}
