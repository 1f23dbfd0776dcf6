/* Which rows of the table a MERGE can match at all, as a condition on the table alone: so that files without such rows are neither
 * read nor in the way of other writers.
 *
 * From the parts of the ON condition that are joined by AND: those that speak of the table only, and "t.column = s.column", which
 * bounds the column by the values that the source has.
 */
#include "merge_plan.h"

#include <string.h>

enum { KEYS_MAX = 200 }; /* listed one by one; beyond it their range must do */

typedef struct prune_job {
    const firn_merge *merge;
    firn_arena *arena;
    const char *source_table;
    const firn_duck_column *columns;
    size_t n_columns;
    firn_buf *out;
} prune_job;

static void put_part(prune_job *job, const char *text)
{
    firn_buf_printf(job->out, "%s(%s)", job->out->len > 0 ? " AND " : "", text);
}

/* Does the text mean something over the table alone, and restrict it? */
static bool speaks_of_table(const prune_job *job, const char *text)
{
    const firn_dml_target *target = &job->merge->target;
    const firn_expr *predicate = NULL;
    bool exact = false;
    firn_err ignored = {0};
    const char *alias = target->alias != NULL ? target->alias : target->name;
    return firn_read_predicate(job->merge->session, job->arena, target->metadata->schema, alias,
                               text, &predicate, &exact, &ignored) == FIRN_OK &&
           predicate != NULL && predicate->op != FIRN_EXPR_TRUE;
}

/* Types whose values compare as their text says, whatever the cast. Floating NaN does not. */
static bool has_plain_order(const char *type)
{
    static const char *const plain[] = {"TINYINT", "SMALLINT", "INTEGER",   "BIGINT",
                                        "DATE",    "VARCHAR",  "TIMESTAMP", "UUID"};
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        if (firn_streq(type, plain[i])) {
            return true;
        }
    }
    return false;
}

static bool is_integer(const char *type)
{
    return firn_ends_with(type, "INT") || firn_streq(type, "INTEGER");
}

static firn_rc put_keys(prune_job *job, const firn_field *field, const firn_duck_column *column,
                        firn_err *err)
{
    const char *type = NULL;
    firn_duck_cells rows = {0};
    FIRN_TRY(firn_type_to_duck(job->arena, field->type, field->name, &type, err));
    bool comparable =
        has_plain_order(type) && has_plain_order(column->type) &&
        (firn_streq(type, column->type) || (is_integer(type) && is_integer(column->type)));
    if (!comparable) {
        return FIRN_OK;
    }
    const char *key = firn_sql_ident(job->arena, column->name);
    const char *name = firn_sql_ident(job->arena, field->name);
    FIRN_TRY(firn_duck_rows(
        job->merge->session, job->arena,
        firn_arena_printf(job->arena, "SELECT DISTINCT %s FROM %s WHERE %s IS NOT NULL LIMIT %d",
                          key, job->source_table, key, KEYS_MAX + 1),
        &rows, err));
    if (rows.n_rows == 0) {
        put_part(job, "false");
        return FIRN_OK;
    }
    FIRN_AUTO_BUF firn_buf text = {0};
    if (rows.n_rows > KEYS_MAX) {
        FIRN_TRY(firn_duck_rows(job->merge->session, job->arena,
                                firn_arena_printf(job->arena, "SELECT min(%s), max(%s) FROM %s",
                                                  key, key, job->source_table),
                                &rows, err));
        firn_buf_printf(&text, "%s BETWEEN CAST(%s AS %s) AND CAST(%s AS %s)", name,
                        firn_sql_quote(job->arena, rows.cells[0][0]), column->type,
                        firn_sql_quote(job->arena, rows.cells[0][1]), column->type);
    } else {
        for (size_t i = 0; i < rows.n_rows; i++) {
            firn_buf_printf(&text, "%sCAST(%s AS %s)", i > 0 ? ", " : "",
                            firn_sql_quote(job->arena, rows.cells[i][0]), column->type);
        }
        const char *list = firn_arena_strdup(job->arena, firn_buf_cstr(&text));
        firn_buf_clear(&text);
        firn_buf_printf(&text, "%s IN (%s)", name, list);
    }
    put_part(job, firn_buf_cstr(&text));
    return FIRN_OK;
}

/* "t.a = s.b", either way round: the column of the table and that of the source. */
static firn_rc prune_by_keys(prune_job *job, const firn_parser *part, firn_err *err)
{
    const firn_dml_target *target = &job->merge->target;
    const char *ours = target->alias != NULL ? target->alias : target->name;
    const char **sides[2] = {NULL, NULL};
    size_t n[2] = {0, 0};
    firn_parser p = *part;
    firn_err ignored = {0};
    if (firn_parse_dotted(&p, &sides[0], &n[0], &ignored) != FIRN_OK || !firn_accept(&p, "=") ||
        firn_parse_dotted(&p, &sides[1], &n[1], &ignored) != FIRN_OK || p.at != p.end ||
        n[0] != 2 || n[1] != 2) {
        return FIRN_OK;
    }
    for (int i = 0; i < 2; i++) {
        const char **table = sides[i], **source = sides[1 - i];
        if (!firn_strcaseeq(table[0], ours) ||
            !firn_strcaseeq(source[0], job->merge->source_alias)) {
            continue;
        }
        const firn_type *root = &target->metadata->schema->root;
        for (size_t f = 0; f < root->n_fields; f++) {
            for (size_t c = 0; c < job->n_columns && firn_strcaseeq(root->fields[f].name, table[1]);
                 c++) {
                if (firn_strcaseeq(job->columns[c].name, source[1])) {
                    return put_keys(job, &root->fields[f], &job->columns[c], err);
                }
            }
        }
    }
    return FIRN_OK;
}

firn_rc firn_merge_prune(const firn_merge *merge, firn_arena *arena, const char *source_table,
                         const firn_duck_column *columns, size_t n_columns, const char **where,
                         firn_err *err)
{
    FIRN_AUTO_BUF firn_buf text = {0};
    prune_job job = {.merge = merge,
                     .arena = arena,
                     .source_table = source_table,
                     .columns = columns,
                     .n_columns = n_columns,
                     .out = &text};
    firn_tokens tokens = {0};
    *where = NULL;
    FIRN_TRY(firn_lex(arena, merge->condition, &tokens, err));
    firn_parser p = {.arena = arena, .tokens = &tokens, .end = tokens.list.len - 1};
    if (firn_clause_end(&p, "or between") < p.end) {
        return FIRN_OK; /* its ANDs join something else */
    }
    while (p.at < p.end) {
        firn_parser part = p;
        part.end = firn_clause_end(&p, "and");
        const char *conjunct = firn_token_text(arena, &tokens, part.at, part.end);
        if (speaks_of_table(&job, conjunct)) {
            put_part(&job, conjunct);
        } else {
            FIRN_TRY(prune_by_keys(&job, &part, err));
        }
        p.at = part.end + 1;
    }
    if (text.len > 0) {
        *where = firn_arena_strdup(arena, firn_buf_cstr(&text));
    }
    return FIRN_OK;
}
