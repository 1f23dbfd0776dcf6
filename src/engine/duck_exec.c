/* Statements that DuckDB runs itself: settings, variables, and the temporary objects of a session.
 *
 *   SET | RESET name ...; SET VARIABLE v = expression; PRAGMA ...
 *   CREATE [OR REPLACE] TEMP TABLE | VIEW | MACRO | TYPE ...; DROP and ALTER of those
 *   CREATE [OR REPLACE] SECRET, DROP SECRET (in memory, for this process)
 *
 * Nothing here outlives the process: DuckDB's own catalog is in memory, so what people want to keep must go to the lake, and a
 * statement that would put it elsewhere is refused with what to write instead. Settings that firn's own work depends on are fixed.
 */
#include "ddl.h"

#include "duck.h"
#include "read.h"

#include <string.h>

/* ---- settings ---------------------------------------------------------------------------------------------- */

/* What firn relies on, and why it stays as it is. */
static const struct {
    const char *name, *why;
} fixed_settings[] = {
    {"timezone", "firn works in UTC; write ts AT TIME ZONE 'Europe/Paris' in the query"},
    {"calendar", "firn uses the Gregorian calendar"},
    {"errors_as_json", "firn reads DuckDB's errors in that form"},
    {"schema", "use USE name"},
    {"search_path", "use USE name"},
    {"catalog_error_max_schemas", "firn looks names up itself"},
    {"disabled_optimizers", "firn plans scans with them"},
    {"autoinstall_known_extensions", "firn loads no extensions"},
    {"autoload_known_extensions", "firn loads no extensions"},
    {"allow_unsigned_extensions", "firn loads no extensions"},
    {"allow_community_extensions", "firn loads no extensions"},
    {"custom_extension_repository", "firn loads no extensions"},
    {"extension_directory", "firn loads no extensions"},
    {"temp_directory", "it is engine.temp_dir in firn.yaml"},
    {"enable_external_access", "firn reads and writes table files through it"},
    {"enable_profiling", "use EXPLAIN ANALYZE"},
    {"profile_output", "use EXPLAIN ANALYZE"},
    {"profiling_output", "use EXPLAIN ANALYZE"},
    {"lock_configuration", "firn changes settings itself"},
    {"access_mode", "the database is in memory"},
    {"preserve_insertion_order", "firn's writers set it"},
    {"old_implicit_casting", "it would change what statements mean"},
    {"lambda_syntax", "firn rewrites queries in DuckDB's default syntax"},
    {"default_null_order", "write NULLS FIRST or NULLS LAST in the query"},
    {"storage_compatibility_version", "the database is in memory"},
};

static firn_rc check_setting(const char *name, firn_err *err)
{
    for (size_t i = 0; i < sizeof(fixed_settings) / sizeof(fixed_settings[0]); i++) {
        if (firn_strcaseeq(name, fixed_settings[i].name)) {
            FIRN_FAIL(err, FIRN_E_UNSUPPORTED, "the setting %s is fixed: %s", name,
                      fixed_settings[i].why);
        }
    }
    return FIRN_OK;
}

/* SET VARIABLE v = (SELECT max(id) FROM t): the expression may read the lake. */
static firn_rc set_variable(firn_session *session, firn_parser *parser, firn_result **out,
                            firn_err *err)
{
    firn_arena *arena = parser->arena;
    const char *name = NULL;
    firn_read_plan plan = {0};
    FIRN_TRY(firn_parse_name(parser, &name, err));
    if (!firn_accept(parser, "=")) {
        FIRN_TRY(firn_expect(parser, "to", err));
    }
    if (parser->at == parser->end) {
        return firn_syntax_error(parser, err, "a value");
    }
    if (firn_starts_with(name, "firn_")) {
        FIRN_FAIL(err, FIRN_E_INVALID, "variables named firn_... are firn's own");
    }
    const char *value = firn_token_text(arena, parser->tokens, parser->at, parser->end);
    FIRN_TRY(firn_read_rewrite(session, arena,
                               firn_arena_printf(arena, "SELECT (%s\n) AS v", value), &plan, err));
    FIRN_TRY(firn_duck_execf(session, err, "SET VARIABLE %s = (%s)", firn_sql_ident(arena, name),
                             plan.sql));
    *out = firn_result_command("SET", -1, "set %s", name);
    return FIRN_OK;
}

static firn_rc set_or_reset(firn_session *session, firn_parser *parser, const char *sql,
                            firn_result **out, firn_err *err)
{
    const char *name = NULL;
    bool reset = firn_accept(parser, "reset");
    if (!reset) {
        FIRN_TRY(firn_expect(parser, "set", err));
    }
    if (!reset && firn_accept(parser, "variable")) {
        return set_variable(session, parser, out, err);
    }
    bool scoped = firn_accept(parser, "session") || firn_accept(parser, "global") ||
                  firn_accept(parser, "local") || firn_accept(parser, "variable");
    (void)scoped;
    if (firn_at_words(parser, "time zone")) {
        return check_setting("timezone", err);
    }
    FIRN_TRY(firn_parse_name(parser, &name, err));
    if (firn_accept(parser, ".")) {
        FIRN_FAIL(err, FIRN_E_INVALID, "there is no setting %s...: lake settings are in firn.yaml",
                  name);
    }
    FIRN_TRY(check_setting(name, err));
    FIRN_TRY(firn_duck_exec(session, sql, err));
    *out = firn_result_command(reset ? "RESET" : "SET", -1, reset ? "reset %s" : "set %s", name);
    return FIRN_OK;
}

static firn_rc pragma(firn_session *session, firn_parser *parser, const char *sql,
                      firn_result **out, firn_err *err)
{
    const char *name = NULL;
    FIRN_TRY(firn_expect(parser, "pragma", err));
    FIRN_TRY(firn_parse_name(parser, &name, err));
    FIRN_TRY(check_setting(name, err));
    return firn_session_rows(session, sql, NULL, "PRAGMA", out, err);
}

/* ---- temporary objects --------------------------------------------------------------------------------------- */

/* The statement with the query behind AS made DuckDB's. */
static firn_rc rewrite_query(firn_session *session, firn_parser *parser, size_t as,
                             firn_read_plan *plan, const char **sql, firn_err *err)
{
    firn_arena *arena = parser->arena;
    parser->at = as + 1;
    FIRN_TRY(firn_expect_query(parser, err));
    const char *head = firn_token_text(arena, parser->tokens, 0, as + 1);
    const char *query = firn_token_text(arena, parser->tokens, as + 1, parser->end);
    FIRN_TRY(firn_read_rewrite(session, arena, query, plan, err));
    *sql = firn_arena_printf(arena, "%s %s", head, plan->sql);
    return FIRN_OK;
}

static firn_rc create_temporary(firn_session *session, firn_parser *parser, const char *sql,
                                firn_result **out, firn_err *err)
{
    firn_read_plan plan = {0};
    const char *name = NULL;
    bool view = firn_accept(parser, "view") || firn_accept(parser, "recursive view");
    bool table = !view && firn_accept(parser, "table");
    if (!view && !table) {
        FIRN_TRY(firn_duck_exec(session, sql, err)); /* MACRO, TYPE, SEQUENCE */
        *out = firn_result_command("CREATE", -1, "created for this session");
        return FIRN_OK;
    }
    (void)firn_accept(parser, "if not exists");
    FIRN_TRY(firn_parse_name(parser, &name, err));
    size_t as = firn_find_word(parser, parser->at, "as");
    if (as < parser->end) {
        FIRN_TRY(rewrite_query(session, parser, as, &plan, &sql, err));
    }
    if (view && plan.tables.len > 0) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                  "a temporary view over lake tables would show them as they are now for ever: use "
                  "CREATE VIEW, or CREATE TEMP TABLE %s AS for a copy",
                  name);
    }
    FIRN_TRY(firn_duck_exec(session, sql, err));
    *out = firn_result_command(view ? "CREATE VIEW" : "CREATE TABLE", -1, "created temporary %s %s",
                               view ? "view" : "table", name);
    return FIRN_OK;
}

/* CREATE MACRO and CREATE TYPE become temporary: without TEMP they would belong to every session of the process. */
static firn_rc create_object(firn_session *session, firn_parser *parser, const char *sql,
                             firn_result **out, firn_err *err)
{
    firn_arena *arena = parser->arena;
    bool replace = firn_accept(parser, "or replace");
    if (firn_accept(parser, "temp") || firn_accept(parser, "temporary")) {
        return create_temporary(session, parser, sql, out, err);
    }
    bool secret = firn_at_word(parser, "secret");
    const char *rest = firn_token_text(arena, parser->tokens, parser->at, parser->end);
    if (!secret) {
        sql = firn_arena_printf(arena, "CREATE %sTEMP %s", replace ? "OR REPLACE " : "", rest);
    }
    FIRN_TRY(firn_duck_exec(session, sql, err));
    *out = firn_result_command("CREATE", -1, "created for this %s", secret ? "process" : "session");
    return FIRN_OK;
}

/* DROP and ALTER of a temporary table or view, DROP MACRO, TYPE, SECRET. */
static firn_rc change_object(firn_session *session, firn_parser *parser, const char *sql,
                             firn_result **out, firn_err *err)
{
    const char *kind = NULL;
    const char **name = NULL;
    size_t n = 0;
    bool drop = firn_accept(parser, "drop");
    if (!drop) {
        FIRN_TRY(firn_expect(parser, "alter", err));
    }
    FIRN_TRY(firn_parse_name(parser, &kind, err));
    (void)firn_accept(parser, "if exists");
    FIRN_TRY(firn_parse_dotted(parser, &name, &n, err));
    FIRN_TRY(firn_duck_exec(session, sql, err));
    *out = firn_result_command(drop ? "DROP" : "ALTER", -1, "%s temporary %s %s",
                               drop ? "dropped" : "altered", firn_str_lower(parser->arena, kind),
                               firn_str_join(parser->arena, name, n, "."));
    return FIRN_OK;
}

firn_rc firn_exec_duck(firn_session *session, const char *sql, firn_result **out, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_parser parser;
    FIRN_TRY(firn_parser_open(arena, sql, &parser, err));
    if (firn_at_word(&parser, "set") || firn_at_word(&parser, "reset")) {
        return set_or_reset(session, &parser, sql, out, err);
    }
    if (firn_at_word(&parser, "pragma")) {
        return pragma(session, &parser, sql, out, err);
    }
    if (firn_accept(&parser, "create")) {
        return create_object(session, &parser, sql, out, err);
    }
    return change_object(session, &parser, sql, out, err);
}
