/* From a script to results: splitting, finding out whose grammar a statement is, running it.
 *
 * A statement is recognised by its leading words alone; the handler reads the rest. What firn has no grammar for goes to DuckDB only
 * if it is on the list below: DuckDB's own catalog is not a place where data should end up by a typing error.
 */
#include "statement.h"

#include "ddl.h"
#include "read.h"
#include "write.h"

#include <string.h>

/* ---- splitting --------------------------------------------------------------------------------------- */

static bool is_semicolon(const firn_tokens *tokens, const firn_token *token)
{
    return token->kind == FIRN_TOKEN_PUNCT && token->len == 1 && tokens->text[token->start] == ';';
}

/* What statements may be moved by, all together: without a bound a long script would grow with the square of its lines. */
enum { PLACE_BYTES_MAX = 8 << 20 };

/* The text of tokens [from, to) with as many line ends and blanks before it as make its position the script's; beyond the bound
 * its own. */
static char *placed_text(firn_arena *arena, const firn_tokens *tokens, size_t from, size_t to,
                         size_t *placed)
{
    const firn_token *first = &tokens->list.items[from];
    const firn_token *last = &tokens->list.items[to - 1];
    size_t lines = first->line - 1;
    size_t blanks = first->column - 1;
    *placed += lines + blanks;
    if (*placed > PLACE_BYTES_MAX) {
        lines = 0;
        blanks = 0;
    }
    size_t len = last->start + last->len - first->start;
    char *text = firn_arena_alloc(arena, lines + blanks + len + 1);
    memset(text, '\n', lines);
    memset(text + lines, ' ', blanks);
    memcpy(text + lines + blanks, tokens->text + first->start, len);
    text[lines + blanks + len] = '\0';
    return text;
}

firn_rc firn_statement_split(firn_arena *arena, const char *sql, char ***statements, size_t *n,
                             firn_err *err)
{
    firn_tokens tokens;
    FIRN_TRY(firn_lex(arena, sql, &tokens, err));
    FIRN_VEC(char *) list = {0};
    size_t from = 0;
    size_t placed = 0;
    for (size_t i = 0; i < tokens.list.len; i++) {
        const firn_token *token = &tokens.list.items[i];
        if (token->kind == FIRN_TOKEN_END || is_semicolon(&tokens, token)) {
            if (i > from) {
                firn_vec_push(arena, &list, placed_text(arena, &tokens, from, i, &placed));
            }
            from = i + 1;
        }
    }
    *statements = list.items;
    *n = list.len;
    return FIRN_OK;
}

firn_rc firn_parser_open(firn_arena *arena, const char *sql, firn_parser *out, firn_err *err)
{
    firn_tokens *tokens = FIRN_NEW(arena, firn_tokens);
    FIRN_TRY(firn_lex(arena, sql, tokens, err));
    size_t end = tokens->list.len - 1;
    while (end > 0 && is_semicolon(tokens, &tokens->list.items[end - 1])) {
        end--;
    }
    *out = (firn_parser){.arena = arena, .tokens = tokens, .at = 0, .end = end};
    return FIRN_OK;
}

bool firn_sql_is_complete(const char *sql)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_tokens tokens;
    firn_err err = {0};
    firn_rc rc = firn_lex(arena, sql, &tokens, &err);
    if (rc != FIRN_OK) {
        return rc != FIRN_E_SYNTAX; /* an open quote or comment asks for more */
    }
    if (tokens.list.len == 1) {
        return true; /* blanks and comments: nothing to wait for */
    }
    const firn_token *last = &tokens.list.items[tokens.list.len - 2];
    return is_semicolon(&tokens, last) && last->depth == 0;
}

/* ---- statements that firn leaves to nobody ------------------------------------------------------------- */

static firn_rc refuse_transaction(firn_session *session, const char *sql, firn_result **out,
                                  firn_err *err)
{
    (void)session, (void)sql, (void)out;
    FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
              "firn has no BEGIN, COMMIT and ROLLBACK: every statement is one atomic commit. To "
              "publish several together, work on a branch: CREATE BRANCH work; USE BRANCH work; "
              "... ; MERGE BRANCH work INTO main");
}

static firn_rc refuse_database(firn_session *session, const char *sql, firn_result **out,
                               firn_err *err)
{
    (void)session, (void)sql, (void)out;
    FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
              "firn attaches and exports no DuckDB databases: the tables are in the lake. Read "
              "files where they are (SELECT * FROM 'file.parquet'), write them with COPY ... TO");
}

static firn_rc refuse_extension(firn_session *session, const char *sql, firn_result **out,
                                firn_err *err)
{
    (void)session, (void)sql, (void)out;
    FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
              "firn loads no DuckDB extensions: native code from outside does not run in the "
              "process that writes the lake. Built in are json, parquet and icu");
}

static firn_rc refuse_prepare(firn_session *session, const char *sql, firn_result **out,
                              firn_err *err)
{
    (void)session, (void)sql, (void)out;
    FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
              "firn has no PREPARE and EXECUTE: a plan is made for the tables' snapshots at the "
              "moment the statement runs. Run the statement itself");
}

static firn_rc refuse_maintenance(firn_session *session, const char *sql, firn_result **out,
                                  firn_err *err)
{
    (void)session, (void)sql, (void)out;
    FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
              "lake tables need no VACUUM, ANALYZE or CHECKPOINT: every commit is durable and "
              "carries its statistics");
}

static firn_rc refuse_object(firn_session *session, const char *sql, firn_result **out,
                             firn_err *err)
{
    (void)session, (void)sql, (void)out;
    FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
              "Iceberg tables have no indexes, sequences or triggers: use PARTITIONED BY and WRITE "
              "ORDERED BY so that queries skip files, and row_number() or uuid() for keys");
}

/* WITH ... in front of a statement that changes rows: DuckDB takes it, the lake's statements want it inside. */
static firn_rc refuse_with_dml(firn_session *session, const char *sql, firn_result **out,
                               firn_err *err)
{
    (void)session, (void)sql, (void)out;
    FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
              "put WITH behind the target: INSERT INTO t WITH x AS (...) SELECT ... FROM x; for "
              "UPDATE, DELETE and MERGE use a subquery");
}

/* ---- dispatch ------------------------------------------------------------------------------------------ */

typedef struct family {
    const char *words; /* blank-separated, any case */
    firn_statement_fn run;
} family;

static const family families[] = {
    {"select", firn_exec_select},
    {"from", firn_exec_select},
    {"values", firn_exec_select},
    {"table", firn_exec_select},
    {"(", firn_exec_select},
    {"pivot", firn_exec_select},
    {"unpivot", firn_exec_select},
    {"pivot_wider", firn_exec_select},
    {"pivot_longer", firn_exec_select},
    {"summarize", firn_exec_select},
    {"summarise", firn_exec_select},
    {"explain", firn_exec_explain},
    {"describe", firn_exec_show},
    {"desc", firn_exec_show},
    {"show", firn_exec_show},
    {"insert", firn_exec_insert},
    {"delete", firn_exec_delete},
    {"update", firn_exec_update},
    {"merge into", firn_exec_merge},
    {"merge", firn_exec_refs},
    {"truncate", firn_exec_truncate},
    {"copy", firn_exec_copy},
    {"comment", firn_exec_comment},
    {"call", firn_exec_call},
    {"use branch", firn_exec_refs},
    {"use tag", firn_exec_refs},
    {"use ref", firn_exec_refs},
    {"use reference", firn_exec_refs},
    {"use", firn_exec_schema},
    {"set", firn_exec_duck},
    {"reset branch", firn_exec_refs},
    {"reset", firn_exec_duck},
    {"cherry", firn_exec_refs},
    {"pragma", firn_exec_duck},
    {"begin", refuse_transaction},
    {"start transaction", refuse_transaction},
    {"commit", refuse_transaction},
    {"end", refuse_transaction},
    {"rollback", refuse_transaction},
    {"abort", refuse_transaction},
    {"savepoint", refuse_transaction},
    {"attach", refuse_database},
    {"detach", refuse_database},
    {"export", refuse_database},
    {"import", refuse_database},
    {"install", refuse_extension},
    {"load", refuse_extension},
    {"force install", refuse_extension},
    {"update extensions", refuse_extension},
    {"prepare", refuse_prepare},
    {"execute", refuse_prepare},
    {"deallocate", refuse_prepare},
    {"vacuum", refuse_maintenance},
    {"analyze", refuse_maintenance},
    {"checkpoint", refuse_maintenance},
    {"force checkpoint", refuse_maintenance},
};

/* What follows CREATE [OR REPLACE], DROP or ALTER. */
static const family objects[] = {
    {"table", firn_exec_create_table}, /* and DROP, ALTER: see object_handler */
    {"view", firn_exec_view},
    {"schema", firn_exec_schema},
    {"namespace", firn_exec_schema},
    {"database", firn_exec_schema},
    {"branch", firn_exec_refs},
    {"tag", firn_exec_refs},
    {"temp", firn_exec_duck},
    {"temporary", firn_exec_duck},
    {"macro", firn_exec_duck},
    {"function", firn_exec_duck},
    {"type", firn_exec_duck},
    {"secret", firn_exec_duck},
    {"persistent secret", refuse_object},
    {"index", refuse_object},
    {"unique index", refuse_object},
    {"sequence", refuse_object},
    {"trigger", refuse_object},
};

enum {
    N_FAMILIES = sizeof(families) / sizeof(families[0]),
    N_OBJECTS = sizeof(objects) / sizeof(objects[0]),
};

static firn_statement_fn object_handler(firn_parser *parser)
{
    bool create = firn_accept(parser, "create");
    bool drop = !create && firn_accept(parser, "drop");
    if (create) {
        (void)firn_accept(parser, "or replace");
    } else if (!drop && !firn_accept(parser, "alter")) {
        return NULL;
    }
    if (firn_at_word(parser, "table")) {
        return create ? firn_exec_create_table
               : drop ? firn_exec_drop_table
                      : firn_exec_alter_table;
    }
    for (size_t i = 0; i < N_OBJECTS; i++) {
        if (firn_at_words(parser, objects[i].words)) {
            return objects[i].run;
        }
    }
    return NULL;
}

/* WITH belongs to the statement that follows its list of queries. */
static firn_statement_fn with_handler(const firn_parser *parser)
{
    static const char *const changing[] = {"insert", "update", "delete", "merge"};
    for (size_t i = parser->at; i < parser->end; i++) {
        firn_parser here = *parser;
        here.at = i;
        if (firn_peek(&here)->depth != 0) {
            continue;
        }
        if (firn_at_word(&here, "select") || firn_at_word(&here, "from")) {
            return firn_exec_select;
        }
        /* WITH update AS (...) names a query; no changing statement goes on like that. */
        here.at = i + 1;
        bool is_name =
            i + 1 < parser->end && (firn_at_word(&here, "as") || firn_at_words(&here, "("));
        here.at = i;
        for (size_t k = 0; !is_name && k < sizeof(changing) / sizeof(changing[0]); k++) {
            if (firn_at_word(&here, changing[k])) {
                return refuse_with_dml;
            }
        }
    }
    return firn_exec_select;
}

firn_statement_fn firn_statement_handler(const firn_parser *parser)
{
    firn_parser here = *parser;
    if (firn_at_word(&here, "create") || firn_at_word(&here, "drop") ||
        firn_at_word(&here, "alter")) {
        return object_handler(&here);
    }
    if (firn_at_word(&here, "with")) {
        return with_handler(&here);
    }
    for (size_t i = 0; i < N_FAMILIES; i++) {
        if (firn_at_words(&here, families[i].words)) {
            return families[i].run;
        }
    }
    return NULL;
}

/* The first word of a row of the tables above. */
static const char *first_word(firn_arena *arena, const char *words)
{
    return firn_arena_strndup(arena, words, strcspn(words, " "));
}

static firn_rc unknown_object(firn_parser *parser, firn_err *err)
{
    const char *verb = firn_at_word(parser, "create") ? "CREATE"
                       : firn_at_word(parser, "drop") ? "DROP"
                                                      : "ALTER";
    parser->at++;
    (void)firn_accept(parser, "or replace");
    const char *known[N_OBJECTS];
    for (size_t i = 0; i < N_OBJECTS; i++) {
        known[i] = first_word(parser->arena, objects[i].words);
    }
    const char *found = firn_token_text(parser->arena, parser->tokens, parser->at, parser->at + 1);
    const char *near = parser->at == parser->end ? NULL : firn_nearest(found, known, N_OBJECTS);
    const char *expected = firn_arena_printf(
        parser->arena, "TABLE, VIEW, SCHEMA, BRANCH or TAG behind %s%s%s%s", verb,
        near != NULL ? " (did you mean " : "", near != NULL ? near : "", near != NULL ? "?)" : "");
    return firn_syntax_error(parser, err, expected);
}

static firn_rc unknown_statement(firn_parser *parser, firn_err *err)
{
    if (firn_at_word(parser, "create") || firn_at_word(parser, "drop") ||
        firn_at_word(parser, "alter")) {
        return unknown_object(parser, err);
    }
    const char *known[N_FAMILIES + 4] = {"create", "drop", "alter", "with"};
    size_t n = 4;
    for (size_t i = 0; i < N_FAMILIES; i++) {
        known[n++] = first_word(parser->arena, families[i].words);
    }
    const firn_token *token = firn_peek(parser);
    const char *found = firn_token_text(parser->arena, parser->tokens, parser->at, parser->at + 1);
    const char *near = token->kind == FIRN_TOKEN_WORD
                           ? firn_nearest(firn_str_lower(parser->arena, found), known, n)
                           : NULL;
    if (near != NULL) {
        FIRN_FAIL(err, FIRN_E_SYNTAX,
                  "line %u, column %u: no statement starts with \"%.40s\". Did you mean %s?",
                  token->line, token->column, found, near);
    }
    FIRN_FAIL(err, FIRN_E_SYNTAX,
              "line %u, column %u: no statement starts with \"%.40s\". firn knows SELECT, INSERT, "
              "UPDATE, DELETE, MERGE, COPY, CREATE, ALTER, DROP, TRUNCATE, SHOW, DESCRIBE, "
              "EXPLAIN, CALL, USE and SET",
              token->line, token->column, found);
}

firn_rc firn_expect_query(const firn_parser *parser, firn_err *err)
{
    if (parser->at < parser->end && firn_statement_handler(parser) == firn_exec_select) {
        return FIRN_OK;
    }
    return firn_syntax_error(parser, err, "a query (SELECT, WITH, FROM, VALUES or TABLE)");
}

/* ---- running ------------------------------------------------------------------------------------------- */

firn_rc firn_exec_select(firn_session *session, const char *sql, firn_result **out, firn_err *err)
{
    firn_arena *arena = firn_arena_new(); /* the result's, from the moment there is one */
    firn_read_plan plan = {0};
    firn_rc rc = firn_read_rewrite(session, arena, sql, &plan, err);
    if (rc == FIRN_OK) {
        rc = firn_session_rows(session, plan.sql, arena, "SELECT", out, err);
        if (rc != FIRN_OK && plan.foreign != NULL) {
            rc = firn_err_wrap(err, rc, "in %s", plan.foreign);
        }
    }
    if (rc != FIRN_OK) {
        firn_arena_free(arena);
    }
    return rc;
}

firn_rc firn_statement_execute(firn_session *session, const char *sql, firn_result **out,
                               firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_parser parser;
    *out = NULL;
    if (!firn_utf8_valid(firn_bytes_str(sql))) { /* so every name and text from here on is */
        FIRN_FAIL(err, FIRN_E_INVALID, "the statement is not valid UTF-8 text");
    }
    FIRN_TRY(firn_parser_open(arena, sql, &parser, err));
    if (parser.at == parser.end) {
        FIRN_FAIL(err, FIRN_E_SYNTAX, "there is no statement in the text");
    }
    firn_statement_fn run = firn_statement_handler(&parser);
    if (run == NULL) {
        return unknown_statement(&parser, err);
    }
    /* Positions count from the start of the text, so only its end may be cut. */
    const firn_token *last = &parser.tokens->list.items[parser.end - 1];
    return run(session, firn_arena_strndup(arena, sql, last->start + last->len), out, err);
}
