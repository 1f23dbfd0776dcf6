/* Queries of views that other engines wrote, in firn's spelling.
 *
 * firn has one SQL, DuckDB's. A view without a query in it is tried in the first dialect that it has. For Spark's the quoting is
 * turned around, because it would not fail but mean something else: `name` is a name and "text" a text, with backslash escapes. What
 * else differs (functions, positions in arrays) is left as it is.
 */
#include "read_tree.h"

#include "base/buf.h"

static char unescaped(char c)
{
    switch (c) {
    case 'n': return '\n';
    case 't': return '\t';
    case 'r': return '\r';
    case 'b': return '\b';
    case 'Z': return 0x1a;
    default: return c;
    }
}

/* A quoted thing whose opening quote is at `at`; gives what follows its closing one. */
static const char *put_quoted(firn_buf *out, const char *at, char wanted, bool escapes)
{
    char quote = *at++;
    firn_buf_putc(out, (uint8_t)wanted);
    while (*at != '\0') {
        char c = *at++;
        if (c == quote && *at != quote) {
            break;
        }
        at += c == quote;
        if (escapes && c == '\\' && *at != '\0') {
            if (*at == '%' || *at == '_') { /* LIKE's own */
                firn_buf_putc(out, '\\');
            }
            c = unescaped(*at++);
        }
        if (c == wanted) {
            firn_buf_putc(out, (uint8_t)wanted);
        }
        firn_buf_putc(out, (uint8_t)c);
    }
    firn_buf_putc(out, (uint8_t)wanted);
    return at;
}

static const char *put_comment(firn_buf *out, const char *at)
{
    bool line = at[0] == '-';
    const char *end = line ? strchr(at, '\n') : strstr(at + 2, "*/");
    size_t len = end == NULL ? strlen(at) : (size_t)(end - at) + (line ? 0 : 2);
    firn_buf_append(out, at, len);
    return at + len;
}

static const char *from_spark(firn_arena *arena, const char *sql)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    for (const char *at = sql; *at != '\0';) {
        bool comment = (at[0] == '-' && at[1] == '-') || (at[0] == '/' && at[1] == '*');
        if (comment) {
            at = put_comment(&out, at);
        } else if (*at == '`') {
            at = put_quoted(&out, at, '"', false);
        } else if (*at == '\'' || *at == '"') {
            at = put_quoted(&out, at, '\'', true);
        } else {
            firn_buf_putc(&out, (uint8_t)*at++);
        }
    }
    return firn_arena_strdup(arena, firn_buf_cstr(&out));
}

bool firn_view_is_foreign(const firn_view *view)
{
    return !firn_strcaseeq(view->dialect, FIRN_VIEW_DIALECT);
}

const char *firn_view_own_sql(firn_arena *arena, const firn_view *view)
{
    return firn_strcaseeq(view->dialect, "spark") ? from_spark(arena, view->sql) : view->sql;
}

const char *firn_view_named_sql(firn_arena *arena, const firn_view *view, const char *sql)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    const firn_type *root = &view->schema->root;
    if (!firn_view_is_foreign(view) || root->n_fields == 0) {
        return firn_arena_printf(arena, "(%s)", sql);
    }
    firn_buf_printf(&out, "(SELECT * FROM (%s) AS v(", sql);
    for (size_t i = 0; i < root->n_fields; i++) {
        firn_buf_printf(&out, "%s%s", i > 0 ? ", " : "",
                        firn_sql_ident(arena, root->fields[i].name));
    }
    firn_buf_puts(&out, "))");
    return firn_arena_strdup(arena, firn_buf_cstr(&out));
}
