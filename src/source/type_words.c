/* Words of declared columns: blanks, punctuation, keywords, names. */
#include "type_words.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

json_t *firn_type_keep(firn_type_text *p, json_t *json)
{
    return firn_json_own(p->arena, json);
}

firn_rc firn_type_wrong(firn_type_text *p, const char *wanted)
{
    FIRN_FAIL(p->err, p->code, "%s expected at position %zu of %s \"%.200s\", at \"%.30s\"", wanted,
              (size_t)(p->at - p->text) + 1, p->what, p->text, p->at);
}

void firn_type_skip_blanks(firn_type_text *p)
{
    while (isspace((unsigned char)*p->at))
        p->at++;
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || (c & 0x80);
}

bool firn_type_take_char(firn_type_text *p, char c)
{
    firn_type_skip_blanks(p);
    if (*p->at != c)
        return false;
    p->at++;
    return true;
}

bool firn_type_take_word(firn_type_text *p, const char *word)
{
    firn_type_skip_blanks(p);
    size_t len = strlen(word);
    if (strncasecmp(p->at, word, len) != 0 || is_word(p->at[len]))
        return false;
    p->at += len;
    return true;
}

firn_rc firn_type_parse_word(firn_type_text *p, const char *wanted, const char **out)
{
    firn_type_skip_blanks(p);
    const char *start = p->at;
    while (is_word(*p->at))
        p->at++;
    if (p->at == start)
        return firn_type_wrong(p, wanted);
    *out = firn_arena_strndup(p->arena, start, (size_t)(p->at - start));
    return FIRN_OK;
}

firn_rc firn_type_parse_quoted(firn_type_text *p, char quote, const char **out)
{
    FIRN_AUTO_BUF firn_buf name = {0};
    for (p->at++; *p->at && (*p->at != quote || p->at[1] == quote); p->at++) {
        p->at += *p->at == quote; /* a doubled quote stands for one */
        firn_buf_putc(&name, (uint8_t)*p->at);
    }
    *out = firn_arena_strdup(p->arena, firn_buf_cstr(&name));
    return firn_type_take_char(p, quote) ? FIRN_OK : firn_type_wrong(p, "the end of a quoted name");
}

firn_rc firn_type_parse_name(firn_type_text *p, const char **out)
{
    firn_type_skip_blanks(p);
    if (*p->at != '`' && *p->at != '"')
        return firn_type_parse_word(p, "a column's name", out);
    FIRN_TRY(firn_type_parse_quoted(p, *p->at, out));
    return **out ? FIRN_OK : firn_type_wrong(p, "a name that is not empty");
}

firn_rc firn_type_parse_number(firn_type_text *p, int *out)
{
    const char *word;
    int64_t number;
    FIRN_TRY(firn_type_parse_word(p, "a number", &word));
    if (!firn_parse_i64(word, &number) || number < 0 || number > INT32_MAX)
        return firn_type_wrong(p, "a number");
    *out = (int)number;
    return FIRN_OK;
}
