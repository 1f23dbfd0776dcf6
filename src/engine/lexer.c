/* SQL text to tokens, and the cursor that firn's own grammar reads them with.
 *
 * Lexical rules are PostgreSQL's as DuckDB keeps them. Invariants: tokens are in text order and never overlap; the list ends
 * with one FIRN_TOKEN_END at the text's length; `depth` of an opening bracket and of its closing one is the depth outside.
 */
#include "lexer.h"

#include <string.h>

enum {
    LEX_TEXT_BYTES_MAX = 64 << 20, /* offsets are 32 bit; no sane statement is larger */
};

typedef struct lexer {
    firn_arena *arena;
    const char *text;
    size_t len;
    size_t at;
    uint32_t line;
    size_t line_start;
    int depth;
    firn_tokens *out;
    firn_err *err;
} lexer;

static bool is_word_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word_part(char c)
{
    return is_word_start(c) || is_digit(c) || c == '$';
}

static char char_at(const lexer *lex, size_t at)
{
    return at < lex->len ? lex->text[at] : '\0';
}

static void step(lexer *lex, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (lex->text[lex->at] == '\n') {
            lex->line++;
            lex->line_start = lex->at + 1;
        }
        lex->at++;
    }
}

static firn_rc fail_open(const lexer *lex, const char *what)
{
    FIRN_FAIL(lex->err, FIRN_E_SYNTAX, "%s is not closed, opened at line %u, column %zu", what,
              lex->line, lex->at - lex->line_start + 1);
}

/* Length of the blank or comment at the cursor, 0 if there is none. */
static firn_rc blank_len(const lexer *lex, size_t *len)
{
    char c = char_at(lex, lex->at);
    *len = 0;
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v') {
        *len = 1;
    } else if (c == '-' && char_at(lex, lex->at + 1) == '-') {
        const char *end = memchr(lex->text + lex->at, '\n', lex->len - lex->at);
        *len = end != NULL ? (size_t)(end - (lex->text + lex->at)) : lex->len - lex->at;
    } else if (c == '/' && char_at(lex, lex->at + 1) == '*') {
        size_t at = lex->at + 2;
        for (int nesting = 1; nesting > 0;) {
            if (at >= lex->len) {
                return fail_open(lex, "a comment /*");
            }
            if (lex->text[at] == '*' && char_at(lex, at + 1) == '/') {
                nesting--;
                at += 2;
            } else if (lex->text[at] == '/' && char_at(lex, at + 1) == '*') {
                nesting++;
                at += 2;
            } else {
                at++;
            }
        }
        *len = at - lex->at;
    }
    return FIRN_OK;
}

/* Length of a text that opens at `skip` bytes from the cursor and ends at `quote`; a doubled quote stands for itself. */
static firn_rc quoted_len(const lexer *lex, size_t skip, char quote, bool backslash,
                          const char *what, size_t *len)
{
    for (size_t at = lex->at + skip; at < lex->len; at++) {
        if (backslash && lex->text[at] == '\\') {
            at++;
        } else if (lex->text[at] == quote) {
            if (char_at(lex, at + 1) != quote) {
                *len = at + 1 - lex->at;
                return FIRN_OK;
            }
            at++;
        }
    }
    return fail_open(lex, what);
}

/* $$text$$ or $tag$text$tag$; *len 0 if the cursor is at no dollar quote. */
static firn_rc dollar_len(const lexer *lex, size_t *len)
{
    size_t at = lex->at + 1;
    *len = 0;
    if (is_digit(char_at(lex, at))) {
        return FIRN_OK; /* $1 */
    }
    while (at < lex->len && lex->text[at] != '$' && is_word_part(lex->text[at])) {
        at++;
    }
    if (char_at(lex, at) != '$') {
        return FIRN_OK;
    }
    size_t tag_len = at + 1 - lex->at;
    const char *tag = lex->text + lex->at;
    for (at++; at + tag_len <= lex->len; at++) {
        if (memcmp(lex->text + at, tag, tag_len) == 0) {
            *len = at + tag_len - lex->at;
            return FIRN_OK;
        }
    }
    return fail_open(lex, "a dollar-quoted string");
}

static size_t number_len(const lexer *lex)
{
    size_t at = lex->at;
    if (lex->text[at] == '0' && (char_at(lex, at + 1) == 'x' || char_at(lex, at + 1) == 'X')) {
        for (at += 2; is_word_part(char_at(lex, at)); at++) {
        }
        return at - lex->at;
    }
    while (is_digit(char_at(lex, at)) ||
           (char_at(lex, at) == '_' && is_digit(char_at(lex, at + 1)))) {
        at++;
    }
    if (char_at(lex, at) == '.' && char_at(lex, at + 1) != '.') {
        for (at++; is_digit(char_at(lex, at)); at++) {
        }
    }
    if (char_at(lex, at) == 'e' || char_at(lex, at) == 'E') {
        size_t digits = at + 1 + (char_at(lex, at + 1) == '+' || char_at(lex, at + 1) == '-');
        if (is_digit(char_at(lex, digits))) {
            for (at = digits; is_digit(char_at(lex, at)); at++) {
            }
        }
    }
    return at - lex->at;
}

/* Operators of several characters that the grammar tells apart; all others are one character each. */
static size_t punct_len(const lexer *lex)
{
    static const char *const longer[] = {
        "->>", "=>", "->", "::", ":=", "<=", ">=", "<>", "!=", "||", "**", "//"};
    for (size_t i = 0; i < sizeof(longer) / sizeof(longer[0]); i++) {
        size_t len = strlen(longer[i]);
        if (lex->at + len <= lex->len && memcmp(lex->text + lex->at, longer[i], len) == 0) {
            return len;
        }
    }
    return 1;
}

static void emit(lexer *lex, firn_token_kind kind, size_t len)
{
    char c = char_at(lex, lex->at);
    if (kind == FIRN_TOKEN_PUNCT && (c == ')' || c == ']' || c == '}') && lex->depth > 0) {
        lex->depth--;
    }
    firn_token token = {.kind = kind,
                        .start = (uint32_t)lex->at,
                        .len = (uint32_t)len,
                        .line = lex->line,
                        .column = (uint32_t)(lex->at - lex->line_start + 1),
                        .depth = lex->depth};
    firn_vec_push(lex->arena, &lex->out->list, token);
    if (kind == FIRN_TOKEN_PUNCT && (c == '(' || c == '[' || c == '{')) {
        lex->depth++;
    }
    step(lex, len);
}

static firn_rc lex_one(lexer *lex)
{
    char c = lex->text[lex->at];
    char next = char_at(lex, lex->at + 1);
    size_t len = 0;
    if ((c == 'e' || c == 'E') && next == '\'') {
        FIRN_TRY(quoted_len(lex, 2, '\'', true, "a string E'", &len));
        emit(lex, FIRN_TOKEN_STRING, len);
    } else if ((c == 'x' || c == 'X' || c == 'b' || c == 'B') && next == '\'') {
        FIRN_TRY(quoted_len(lex, 2, '\'', false, "a string", &len));
        emit(lex, FIRN_TOKEN_STRING, len);
    } else if (is_word_start(c)) {
        for (len = 1; is_word_part(char_at(lex, lex->at + len)); len++) {
        }
        emit(lex, FIRN_TOKEN_WORD, len);
    } else if (is_digit(c) || (c == '.' && is_digit(next))) {
        emit(lex, FIRN_TOKEN_NUMBER, number_len(lex));
    } else if (c == '\'') {
        FIRN_TRY(quoted_len(lex, 1, '\'', false, "a string '", &len));
        emit(lex, FIRN_TOKEN_STRING, len);
    } else if (c == '"') {
        FIRN_TRY(quoted_len(lex, 1, '"', false, "a quoted name \"", &len));
        emit(lex, FIRN_TOKEN_QUOTED, len);
    } else if (c == '$') {
        FIRN_TRY(dollar_len(lex, &len));
        if (len > 0) {
            emit(lex, FIRN_TOKEN_STRING, len);
        } else {
            for (len = 1; is_word_part(char_at(lex, lex->at + len)); len++) {
            }
            emit(lex, len > 1 ? FIRN_TOKEN_PARAM : FIRN_TOKEN_PUNCT, len);
        }
    } else {
        emit(lex, c == '?' ? FIRN_TOKEN_PARAM : FIRN_TOKEN_PUNCT, punct_len(lex));
    }
    return FIRN_OK;
}

firn_rc firn_lex(firn_arena *arena, const char *text, firn_tokens *out, firn_err *err)
{
    memset(out, 0, sizeof(*out));
    out->text = text;
    lexer lex = {
        .arena = arena, .text = text, .len = strlen(text), .line = 1, .out = out, .err = err};
    if (lex.len > LEX_TEXT_BYTES_MAX) {
        FIRN_FAIL(err, FIRN_E_LIMIT, "the SQL text has %zu bytes; at most %d are taken", lex.len,
                  LEX_TEXT_BYTES_MAX);
    }
    while (lex.at < lex.len) {
        size_t blank = 0;
        FIRN_TRY(blank_len(&lex, &blank));
        if (blank > 0) {
            step(&lex, blank);
        } else {
            FIRN_TRY(lex_one(&lex));
        }
    }
    lex.depth = 0;
    emit(&lex, FIRN_TOKEN_END, 0);
    return FIRN_OK;
}

/* ---- cursor ---------------------------------------------------------------------------------------- */

const firn_token *firn_peek_at(const firn_parser *parser, size_t ahead)
{
    size_t at = parser->at + ahead;
    return &parser->tokens->list.items[at < parser->end ? at : parser->end];
}

const firn_token *firn_peek(const firn_parser *parser)
{
    return firn_peek_at(parser, 0);
}

static bool token_is(const firn_parser *parser, const firn_token *token, const char *text,
                     size_t len)
{
    if (token == &parser->tokens->list.items[parser->end] || token->len != len) {
        return false;
    }
    if (token->kind == FIRN_TOKEN_WORD) {
        for (size_t i = 0; i < len; i++) {
            char a = parser->tokens->text[token->start + i];
            char b = text[i];
            a = (char)(a >= 'A' && a <= 'Z' ? a + 32 : a);
            b = (char)(b >= 'A' && b <= 'Z' ? b + 32 : b);
            if (a != b) {
                return false;
            }
        }
        return true;
    }
    return token->kind == FIRN_TOKEN_PUNCT &&
           memcmp(parser->tokens->text + token->start, text, len) == 0;
}

/* Number of tokens that match the blank-separated list, 0 if they do not all match. */
static size_t match_words(const firn_parser *parser, const char *words)
{
    size_t n = 0;
    while (*words != '\0') {
        size_t len = strcspn(words, " ");
        if (!token_is(parser, firn_peek_at(parser, n), words, len)) {
            return 0;
        }
        n++;
        words += len;
        words += strspn(words, " ");
    }
    return n;
}

bool firn_at_word(const firn_parser *parser, const char *keyword)
{
    return token_is(parser, firn_peek(parser), keyword, strlen(keyword));
}

bool firn_at_words(const firn_parser *parser, const char *words)
{
    return match_words(parser, words) > 0;
}

bool firn_accept(firn_parser *parser, const char *words_or_punct)
{
    size_t n = match_words(parser, words_or_punct);
    parser->at += n;
    return n > 0;
}

firn_rc firn_syntax_error(const firn_parser *parser, firn_err *err, const char *expected)
{
    const firn_token *token = firn_peek(parser);
    if (token == &parser->tokens->list.items[parser->end]) {
        FIRN_FAIL(err, FIRN_E_SYNTAX,
                  "line %u, column %u: expected %s, but the statement ends here", token->line,
                  token->column, expected);
    }
    FIRN_FAIL(err, FIRN_E_SYNTAX, "line %u, column %u: expected %s, found \"%.*s\"", token->line,
              token->column, expected, (int)(token->len < 60 ? token->len : 60),
              parser->tokens->text + token->start);
}

firn_rc firn_expect(firn_parser *parser, const char *words_or_punct, firn_err *err)
{
    if (firn_accept(parser, words_or_punct)) {
        return FIRN_OK;
    }
    return firn_syntax_error(parser, err, words_or_punct);
}

/* The text between the quotes with doubled quotes made single. */
static char *unquote(firn_arena *arena, const char *text, size_t len, char quote)
{
    char *out = firn_arena_alloc(arena, len + 1);
    size_t n = 0;
    for (size_t i = 1; i + 1 < len; i++) {
        out[n++] = text[i];
        if (text[i] == quote) {
            i++;
        }
    }
    out[n] = '\0';
    return out;
}

firn_rc firn_parse_name(firn_parser *parser, const char **out, firn_err *err)
{
    const firn_token *token = firn_peek(parser);
    const char *text = parser->tokens->text + token->start;
    bool at_end = token == &parser->tokens->list.items[parser->end];
    if (!at_end && token->kind == FIRN_TOKEN_WORD) {
        *out = firn_arena_strndup(parser->arena, text, token->len);
    } else if (!at_end && token->kind == FIRN_TOKEN_QUOTED && token->len > 2) {
        *out = unquote(parser->arena, text, token->len, '"');
    } else {
        return firn_syntax_error(parser, err, "a name");
    }
    parser->at++;
    return FIRN_OK;
}

firn_rc firn_parse_dotted(firn_parser *parser, const char ***parts, size_t *n, firn_err *err)
{
    FIRN_VEC(const char *) list = {0};
    do {
        const char *name = NULL;
        FIRN_TRY(firn_parse_name(parser, &name, err));
        firn_vec_push(parser->arena, &list, name);
    } while (firn_accept(parser, "."));
    *parts = list.items;
    *n = list.len;
    return FIRN_OK;
}

/* E'...' escapes that PostgreSQL knows; an unknown one stands for the character itself. */
static char *unescape(firn_arena *arena, const char *text, size_t len)
{
    static const char from[] = "bfnrt";
    static const char to[] = "\b\f\n\r\t";
    char *out = firn_arena_alloc(arena, len + 1);
    size_t n = 0;
    for (size_t i = 2; i + 1 < len; i++) {
        char c = text[i];
        if (c == '\\' && i + 2 < len) {
            c = text[++i];
            const char *known = c != '\0' ? strchr(from, c) : NULL;
            c = known != NULL ? to[known - from] : c;
        } else if (c == '\'') {
            i++;
        }
        out[n++] = c;
    }
    out[n] = '\0';
    return out;
}

firn_rc firn_parse_string(firn_parser *parser, const char **out, firn_err *err)
{
    const firn_token *token = firn_peek(parser);
    const char *text = parser->tokens->text + token->start;
    if (token == &parser->tokens->list.items[parser->end] || token->kind != FIRN_TOKEN_STRING) {
        return firn_syntax_error(parser, err, "a 'string'");
    }
    if (text[0] == '\'') {
        *out = unquote(parser->arena, text, token->len, '\'');
    } else if (text[0] == 'e' || text[0] == 'E') {
        *out = unescape(parser->arena, text, token->len);
    } else if (text[0] == '$') {
        size_t tag_len = (size_t)((const char *)memchr(text + 1, '$', token->len - 1) - text) + 1;
        *out = firn_arena_strndup(parser->arena, text + tag_len, token->len - 2 * tag_len);
    } else {
        return firn_syntax_error(parser, err, "a 'string'");
    }
    parser->at++;
    return FIRN_OK;
}

firn_rc firn_parse_end(firn_parser *parser, firn_err *err)
{
    if (firn_peek(parser) == &parser->tokens->list.items[parser->end]) {
        return FIRN_OK;
    }
    return firn_syntax_error(parser, err, "the end of the statement");
}

char *firn_token_text(firn_arena *arena, const firn_tokens *tokens, size_t from, size_t to)
{
    if (from >= to) {
        return firn_arena_strdup(arena, "");
    }
    const firn_token *first = &tokens->list.items[from];
    const firn_token *last = &tokens->list.items[to - 1];
    return firn_arena_strndup(arena, tokens->text + first->start,
                              last->start + last->len - first->start);
}

size_t firn_find_word(const firn_parser *parser, size_t from, const char *keyword)
{
    size_t len = strlen(keyword);
    int depth = from < parser->end ? parser->tokens->list.items[from].depth : 0;
    for (size_t i = from; i < parser->end; i++) {
        const firn_token *token = &parser->tokens->list.items[i];
        if (token->depth < depth) {
            break;
        }
        if (token->depth == depth && token_is(parser, token, keyword, len)) {
            return i;
        }
    }
    return parser->end;
}
