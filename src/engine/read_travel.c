/* The spellings of time travel and names that DuckDB's parser does not take, turned into those that it does, on tokens:
 *
 *   t VERSION AS OF 5 a, t FOR SYSTEM_TIME AS OF now() - INTERVAL '1 day', t AT (VERSION => 5) a  ->  t AS a AT (... => ...)
 *   t@dev, ns.t@dev                                                                              ->  ns."t@dev"
 *   a.b.c.t behind FROM or JOIN (the parser takes three parts)                                   ->  "a<US>b<US>c".t
 *
 * What is not recognised stays as it is and is the parser's to refuse.
 */
#include "lexer.h"
#include "read.h"

#include "catalog/catalog.h"

typedef struct travel {
    firn_arena *arena;
    const firn_tokens *tokens;
    firn_buf out;
    size_t copied; /* bytes of the text that are in `out` already */
} travel;

static const firn_token *token_at(const travel *t, size_t i)
{
    return &t->tokens->list.items[i < t->tokens->list.len ? i : t->tokens->list.len - 1];
}

static bool is_word(const travel *t, size_t i, const char *word)
{
    const firn_token *token = token_at(t, i);
    return token->kind == FIRN_TOKEN_WORD && token->len == strlen(word) &&
           strncasecmp(t->tokens->text + token->start, word, token->len) == 0;
}

static bool is_punct(const travel *t, size_t i, const char *punct)
{
    const firn_token *token = token_at(t, i);
    return token->kind == FIRN_TOKEN_PUNCT && token->len == strlen(punct) &&
           strncmp(t->tokens->text + token->start, punct, token->len) == 0;
}

static bool is_name(const travel *t, size_t i)
{
    firn_token_kind kind = token_at(t, i)->kind;
    return kind == FIRN_TOKEN_WORD || kind == FIRN_TOKEN_QUOTED;
}

/* A word that cannot be an alias and ends an expression. */
static bool is_clause(const travel *t, size_t i)
{
    static const char *const WORDS[] = {
        "where",     "group",     "order",       "having", "limit",   "offset", "fetch", "union",
        "intersect", "except",    "join",        "inner",  "left",    "right",  "full",  "cross",
        "natural",   "asof",      "positional",  "semi",   "anti",    "on",     "using", "window",
        "qualify",   "as",        "tablesample", "pivot",  "unpivot", "set",    "when",  "select",
        "from",      "returning", "at",          "sample", "lateral", "values"};
    for (size_t k = 0; k < sizeof(WORDS) / sizeof(WORDS[0]); k++) {
        if (is_word(t, i, WORDS[k])) {
            return true;
        }
    }
    return false;
}

static void copy_until(travel *t, size_t byte)
{
    firn_buf_append(&t->out, t->tokens->text + t->copied, byte - t->copied);
    t->copied = byte;
}

static char *text_of(const travel *t, size_t from, size_t to)
{
    return firn_token_text(t->arena, t->tokens, from, to);
}

static bool adjacent(const travel *t, size_t i)
{
    return token_at(t, i)->start + token_at(t, i)->len == token_at(t, i + 1)->start;
}

/* ---- names --------------------------------------------------------------------------------------------- */

/* One past the last token of the dotted name at `i`; *n_parts counts. */
static size_t name_end(const travel *t, size_t i, size_t *n_parts)
{
    *n_parts = 1;
    for (i++; is_punct(t, i, ".") && is_name(t, i + 1); i += 2) {
        (*n_parts)++;
    }
    return i;
}

/* Is a table's name expected at `i`? */
static bool after_from(const travel *t, size_t i)
{
    static const char *const WORDS[] = {"from",     "join", "table",     "into",  "using",
                                        "describe", "desc", "summarize", "update"};
    for (size_t k = 0; i > 0 && k < sizeof(WORDS) / sizeof(WORDS[0]); k++) {
        if (is_word(t, i - 1, WORDS[k])) {
            return true;
        }
    }
    return false;
}

/* "name" without quotes and escapes. */
static const char *plain(const travel *t, size_t i)
{
    char *text = text_of(t, i, i + 1);
    if (token_at(t, i)->kind != FIRN_TOKEN_QUOTED) {
        return text;
    }
    text[strlen(text) - 1] = '\0';
    return firn_str_replace(t->arena, text + 1, "\"\"", "\"");
}

/* t@ref: the ref's tokens touch each other. Gives one past them, or `end` if there is no ref. */
static size_t ref_end(const travel *t, size_t end, const char **ref)
{
    *ref = NULL;
    if (!is_punct(t, end, "@") || end == 0 || !adjacent(t, end - 1) || !adjacent(t, end)) {
        return end;
    }
    size_t last = end + 1;
    if (token_at(t, last)->kind == FIRN_TOKEN_QUOTED) {
        *ref = plain(t, last);
        return last + 1;
    }
    while (adjacent(t, last) && token_at(t, last + 1)->kind != FIRN_TOKEN_END &&
           (is_name(t, last + 1) || token_at(t, last + 1)->kind == FIRN_TOKEN_NUMBER ||
            is_punct(t, last + 1, "-") || is_punct(t, last + 1, "/"))) {
        last++;
    }
    *ref = text_of(t, end + 1, last + 1);
    return last + 1;
}

/* Write the name at [from, end) anew when it has a ref or too many parts. */
static size_t put_name(travel *t, size_t from, size_t end, size_t n_parts, bool table_place)
{
    const char *ref = NULL;
    bool comma_place = from > 0 && (is_punct(t, from - 1, ",") || is_punct(t, from - 1, "("));
    size_t next = table_place || comma_place ? ref_end(t, end, &ref) : end;
    if (ref == NULL && (n_parts < 4 || !table_place)) {
        return next;
    }
    copy_until(t, token_at(t, from)->start);
    const char **parts = FIRN_NEW_N(t->arena, const char *, n_parts);
    for (size_t i = 0; i < n_parts; i++) {
        parts[i] = plain(t, from + 2 * i);
    }
    if (n_parts > 1) {
        const char *ns = firn_str_join(t->arena, parts, n_parts - 1, FIRN_NS_SEP);
        firn_buf_printf(&t->out, "%s.", firn_sql_ident(t->arena, ns));
    }
    const char *last = parts[n_parts - 1];
    if (ref != NULL) {
        last = firn_arena_printf(t->arena, "%s@%s", last, ref);
    }
    firn_buf_puts(&t->out, firn_sql_ident(t->arena, last));
    t->copied = token_at(t, next - 1)->start + token_at(t, next - 1)->len;
    return next;
}

/* ---- time -------------------------------------------------------------------------------------------------- */

/* "[FOR] VERSION|TIMESTAMP|SYSTEM_VERSION|SYSTEM_TIME AS OF": one past it and DuckDB's unit; 0 if it is not there. */
static size_t as_of(const travel *t, size_t i, const char **unit)
{
    i += is_word(t, i, "for") ? 1 : 0;
    bool version = is_word(t, i, "version") || is_word(t, i, "system_version");
    bool time = is_word(t, i, "timestamp") || is_word(t, i, "system_time");
    if ((!version && !time) || !is_word(t, i + 1, "as") || !is_word(t, i + 2, "of")) {
        return 0;
    }
    *unit = version ? "VERSION" : "TIMESTAMP";
    return i + 3;
}

/* INTERVAL '1' DAY */
static bool is_interval_unit(const travel *t, size_t i)
{
    static const char *const UNITS[] = {
        "year",   "years",   "month",       "months",       "week",   "weeks",
        "day",    "days",    "hour",        "hours",        "minute", "minutes",
        "second", "seconds", "millisecond", "milliseconds", "quarter"};
    for (size_t k = 0; k < sizeof(UNITS) / sizeof(UNITS[0]); k++) {
        if (is_word(t, i, UNITS[k])) {
            return true;
        }
    }
    return false;
}

/* One past the expression at `i`: up to a comma, a closing bracket, a clause, or an alias behind a complete value. */
static size_t expression_end(const travel *t, size_t i)
{
    int depth = token_at(t, i)->depth;
    bool value = false; /* the last token ended a value */
    for (size_t start = i;; i++) {
        const firn_token *token = token_at(t, i);
        if (token->kind == FIRN_TOKEN_END || is_punct(t, i, ";") || token->depth < depth ||
            (token->depth == depth && (is_punct(t, i, ",") || is_clause(t, i)))) {
            return i;
        }
        if (token->depth > depth) {
            value = true;
            continue;
        }
        bool unit = i >= start + 2 && is_word(t, i - 2, "interval") && is_interval_unit(t, i);
        if (value && is_name(t, i) && !unit && !is_word(t, i, "interval")) {
            return i; /* the alias */
        }
        if (value && is_word(t, i, "interval") && !is_punct(t, i - 1, "-") &&
            !is_punct(t, i - 1, "+")) {
            return i;
        }
        value = token->kind == FIRN_TOKEN_STRING || token->kind == FIRN_TOKEN_NUMBER ||
                token->kind == FIRN_TOKEN_PARAM || is_punct(t, i, ")") || is_punct(t, i, "(") ||
                unit;
    }
}

/* The bracket that closes the one at `i`. */
static size_t closing(const travel *t, size_t i)
{
    int depth = token_at(t, i)->depth;
    for (i++; token_at(t, i)->kind != FIRN_TOKEN_END; i++) {
        if (is_punct(t, i, ")") && token_at(t, i)->depth == depth) {
            return i;
        }
    }
    return 0;
}

/* Behind a table's name that ends before `i`: bring "AS OF ... alias" into DuckDB's order. One past what was taken. */
static size_t put_travel(travel *t, size_t i)
{
    const char *unit = NULL;
    char *clause;
    size_t after;
    size_t expression = as_of(t, i, &unit);
    if (expression != 0) {
        after = expression_end(t, expression);
        if (after == expression) {
            return i;
        }
        clause = firn_arena_printf(t->arena, "AT (%s => %s)", unit, text_of(t, expression, after));
    } else if (is_word(t, i, "at") && is_punct(t, i + 1, "(") && closing(t, i + 1) != 0) {
        after = closing(t, i + 1) + 1;
        clause = text_of(t, i, after);
    } else {
        return i;
    }
    size_t alias = after + (is_word(t, after, "as") ? 1 : 0);
    size_t end = after;
    if (is_name(t, alias) && !is_clause(t, alias)) {
        end = alias + 1;
        if (is_punct(t, end, "(") && closing(t, end) != 0) {
            end = closing(t, end) + 1;
        }
    } else if (expression == 0) {
        return i; /* DuckDB's own spelling as it is */
    }
    copy_until(t, token_at(t, i)->start);
    if (end > after) {
        firn_buf_printf(&t->out, "AS %s ", text_of(t, alias, end));
    }
    firn_buf_puts(&t->out, clause);
    t->copied = token_at(t, end - 1)->start + token_at(t, end - 1)->len;
    return end;
}

firn_rc firn_read_time_travel(firn_arena *arena, const char *sql, char **out, firn_err *err)
{
    firn_tokens tokens;
    FIRN_TRY(firn_lex(arena, sql, &tokens, err));
    travel t = {.arena = arena, .tokens = &tokens};
    for (size_t i = 0; token_at(&t, i)->kind != FIRN_TOKEN_END;) {
        bool dotted = i > 0 && is_punct(&t, i - 1, ".");
        if (!is_name(&t, i) || dotted ||
            (is_clause(&t, i) && token_at(&t, i)->kind == FIRN_TOKEN_WORD)) {
            i++;
            continue;
        }
        size_t n_parts;
        size_t end = name_end(&t, i, &n_parts);
        size_t next = put_name(&t, i, end, n_parts, after_from(&t, i));
        i = put_travel(&t, next);
    }
    copy_until(&t, strlen(sql));
    *out = firn_arena_strdup(arena, firn_buf_cstr(&t.out));
    firn_buf_deinit(&t.out);
    return FIRN_OK;
}

bool firn_read_may_name_tables(firn_arena *arena, const char *sql)
{
    static const char *const WORDS[] = {"from",    "join",        "table",        "pivot",
                                        "unpivot", "pivot_wider", "pivot_longer", "describe",
                                        "desc",    "summarize",   "summarise",    "show"};
    firn_tokens tokens;
    if (firn_lex(arena, sql, &tokens, NULL) != FIRN_OK) {
        return true; /* the parser says what is wrong */
    }
    travel t = {.arena = arena, .tokens = &tokens};
    for (size_t i = 0; i < tokens.list.len; i++) {
        for (size_t k = 0; k < sizeof(WORDS) / sizeof(WORDS[0]); k++) {
            if (is_word(&t, i, WORDS[k])) {
                return true;
            }
        }
    }
    return false;
}
