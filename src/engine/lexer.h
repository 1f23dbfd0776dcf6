/* SQL text to tokens, by the lexical rules of DuckDB (PostgreSQL's): identifiers, "quoted", 'strings' with '' , E'..' and $$..$$
 * strings, numbers, operators, parameters, -- and nested block comments. Borrowed from the text; never fails except for an open
 * quote, string or comment (SYNTAX with line and column).
 */
#ifndef ENGINE_LEXER_H
#define ENGINE_LEXER_H

#include "base/str.h"
#include "base/vec.h"

typedef enum firn_token_kind {
    FIRN_TOKEN_END,
    FIRN_TOKEN_WORD,   /* unquoted identifier or keyword */
    FIRN_TOKEN_QUOTED, /* "identifier" */
    FIRN_TOKEN_STRING,
    FIRN_TOKEN_NUMBER,
    FIRN_TOKEN_PARAM, /* ?, $1, $name */
    FIRN_TOKEN_PUNCT, /* one of ( ) [ ] { } , ; . : or an operator */
} firn_token_kind;

typedef struct firn_token {
    firn_token_kind kind;
    uint32_t start, len;   /* bytes in the text */
    uint32_t line, column; /* 1-based */
    int depth;             /* bracket depth at the token */
} firn_token;

typedef struct firn_tokens {
    const char *text;
    FIRN_VEC(firn_token) list; /* ends with FIRN_TOKEN_END */
} firn_tokens;

firn_rc firn_lex(firn_arena *arena, const char *text, firn_tokens *out,
                 firn_err *err) FIRN_MUST_USE;

/* A cursor over tokens for recursive descent. */
typedef struct firn_parser {
    firn_arena *arena;
    const firn_tokens *tokens;
    size_t at;
    size_t end; /* index of the token that ends the statement */
} firn_parser;

const firn_token *firn_peek(const firn_parser *parser);
const firn_token *firn_peek_at(const firn_parser *parser, size_t ahead);
bool firn_at_word(const firn_parser *parser, const char *keyword); /* unquoted, any case */
bool firn_at_words(const firn_parser *parser, const char *words);  /* "insert into" */
bool firn_accept(firn_parser *parser, const char *words_or_punct); /* "if not exists", "(" */
firn_rc firn_expect(firn_parser *parser, const char *words_or_punct,
                    firn_err *err) FIRN_MUST_USE; /* SYNTAX: expected X, found Y, line and column */
firn_rc firn_parse_name(firn_parser *parser, const char **out, firn_err *err)
    FIRN_MUST_USE; /* identifier, unquoted text kept as written */
firn_rc firn_parse_dotted(firn_parser *parser, const char ***parts, size_t *n,
                          firn_err *err) FIRN_MUST_USE;
firn_rc firn_parse_string(firn_parser *parser, const char **out,
                          firn_err *err) FIRN_MUST_USE;                   /* 'text', unescaped */
firn_rc firn_parse_end(firn_parser *parser, firn_err *err) FIRN_MUST_USE; /* nothing may follow */
firn_rc firn_syntax_error(const firn_parser *parser, firn_err *err, const char *expected);
/* Source text of tokens [from, to). */
char *firn_token_text(firn_arena *arena, const firn_tokens *tokens, size_t from, size_t to);
/* Index of the first token in [at, end) at bracket depth `depth` that is the keyword (any case), or end. */
size_t firn_find_word(const firn_parser *parser, size_t from, const char *keyword);

#endif
