/* MERGE INTO t [[AS] a] USING source [AS s] ON condition | USING (column, ...)
 *   WHEN MATCHED [AND condition] THEN UPDATE SET ... | UPDATE SET * | UPDATE | DELETE | DO NOTHING
 *   WHEN NOT MATCHED [BY TARGET] [AND condition] THEN INSERT [(a, b)] VALUES (x, y) | INSERT * | INSERT BY NAME | DO NOTHING
 *   WHEN NOT MATCHED BY SOURCE [AND condition] THEN UPDATE SET ... | DELETE | DO NOTHING
 *
 * Of the clauses of one kind the first whose condition holds applies to a row.
 */
#include "merge_plan.h"

#include <inttypes.h>

/* ON condition, or USING (a, b): equal columns of those names. */
static firn_rc parse_condition(firn_parser *p, firn_merge *merge, firn_err *err)
{
    if (firn_accept(p, "on")) {
        size_t end = firn_clause_end(p, "when");
        if (end == p->at) {
            return firn_syntax_error(p, err, "a condition");
        }
        merge->condition = firn_dml_text(p, p->at, end);
        p->at = end;
        return FIRN_OK;
    }
    if (!firn_accept(p, "using")) {
        return firn_syntax_error(p, err, "ON condition, or USING (column, ...)");
    }
    const char **columns = NULL;
    size_t n = 0;
    FIRN_TRY(firn_dml_parse_columns(p, &columns, &n, err));
    const firn_dml_target *target = &merge->target;
    const char *ours =
        firn_sql_ident(p->arena, target->alias != NULL ? target->alias : target->name);
    FIRN_AUTO_BUF firn_buf text = {0};
    for (size_t i = 0; i < n; i++) {
        const char *name = firn_sql_ident(p->arena, columns[i]);
        firn_buf_printf(&text, "%s%s.%s = %s.%s", i > 0 ? " AND " : "", ours, name,
                        firn_sql_ident(p->arena, merge->source_alias), name);
    }
    merge->condition = firn_arena_strdup(p->arena, firn_buf_cstr(&text));
    return FIRN_OK;
}

/* (x, y, DEFAULT) as texts. */
static firn_rc parse_values(firn_parser *p, const char ***values, size_t *n, firn_err *err)
{
    FIRN_VEC(const char *) list = {0};
    FIRN_TRY(firn_expect(p, "(", err));
    do {
        size_t end = firn_clause_end(p, ",");
        if (end == p->at) {
            return firn_syntax_error(p, err, "a value");
        }
        const char *text = firn_dml_text(p, p->at, end);
        firn_vec_push(p->arena, &list, text);
        p->at = end;
    } while (firn_accept(p, ","));
    FIRN_TRY(firn_expect(p, ")", err));
    *values = list.items;
    *n = list.len;
    return FIRN_OK;
}

static firn_rc parse_insert(firn_parser *p, firn_merge *merge, firn_merge_clause *clause,
                            firn_err *err)
{
    const firn_type *root = &merge->target.metadata->schema->root;
    const char **columns = NULL;
    const char **values = NULL;
    size_t n = 0, n_values = 0;
    if (firn_accept(p, "*") || firn_accept(p, "by name")) {
        clause->action = FIRN_MERGE_INSERT_ALL;
        return FIRN_OK;
    }
    clause->action = FIRN_MERGE_INSERT;
    if (firn_at_words(p, "(")) {
        FIRN_TRY(firn_dml_parse_columns(p, &columns, &n, err));
    } else if (firn_at_word(p, "values")) {
        n = root->n_fields;
        columns = FIRN_NEW_N(p->arena, const char *, n);
        for (size_t i = 0; i < n; i++) {
            columns[i] = root->fields[i].name;
        }
    } else { /* INSERT alone: as INSERT * */
        clause->action = FIRN_MERGE_INSERT_ALL;
        return FIRN_OK;
    }
    FIRN_TRY(firn_expect(p, "values", err));
    FIRN_TRY(parse_values(p, &values, &n_values, err));
    if (n_values != n) {
        FIRN_FAIL(err, FIRN_E_SYNTAX, "MERGE: INSERT gives %zu values for %zu columns", n_values,
                  n);
    }
    for (size_t i = 0; i < n; i++) {
        firn_assignment item = {
            .path = FIRN_NEW(p->arena, const char *), .n_path = 1, .text = values[i]};
        item.path[0] = columns[i];
        firn_vec_push(p->arena, &clause->assignments, item);
    }
    return FIRN_OK;
}

static firn_rc parse_action(firn_parser *p, firn_merge *merge, firn_merge_clause *clause,
                            firn_err *err)
{
    bool insert_fits = clause->match == FIRN_MERGE_NOT_MATCHED;
    if (firn_accept(p, "do nothing")) {
        clause->action = FIRN_MERGE_NOTHING;
        return FIRN_OK;
    }
    if (insert_fits && firn_accept(p, "insert")) {
        return parse_insert(p, merge, clause, err);
    }
    if (!insert_fits && firn_accept(p, "delete")) {
        clause->action = FIRN_MERGE_DELETE;
        return FIRN_OK;
    }
    if (insert_fits || !firn_accept(p, "update")) {
        return firn_syntax_error(
            p, err, insert_fits ? "INSERT or DO NOTHING" : "UPDATE, DELETE or DO NOTHING");
    }
    bool all = clause->match == FIRN_MERGE_MATCHED &&
               (firn_accept(p, "set *") || firn_accept(p, "by name") || !firn_at_word(p, "set"));
    clause->action = all ? FIRN_MERGE_UPDATE_ALL : FIRN_MERGE_UPDATE;
    if (all) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_expect(p, "set", err));
    return firn_parse_assignments(p, &merge->target, "when", &clause->assignments, err);
}

static firn_rc parse_clause(firn_parser *p, firn_merge *merge, firn_err *err)
{
    firn_merge_clause clause = {.match = FIRN_MERGE_MATCHED};
    FIRN_TRY(firn_expect(p, "when", err));
    if (firn_accept(p, "not matched by source")) {
        clause.match = FIRN_MERGE_NOT_MATCHED_BY_SOURCE;
    } else if (firn_accept(p, "not matched by target") || firn_accept(p, "not matched")) {
        clause.match = FIRN_MERGE_NOT_MATCHED;
    } else {
        FIRN_TRY(firn_expect(p, "matched", err));
    }
    if (firn_accept(p, "and")) {
        size_t end = firn_clause_end(p, "then");
        clause.condition = firn_dml_text(p, p->at, end);
        p->at = end;
    }
    FIRN_TRY(firn_expect(p, "then", err));
    FIRN_TRY(parse_action(p, merge, &clause, err));
    firn_vec_push(p->arena, &merge->clauses, clause);
    return FIRN_OK;
}

static firn_rc parse(firn_session *session, firn_parser *p, firn_merge *merge, firn_err *err)
{
    FIRN_TRY(firn_dml_parse_target(session, p, &merge->target, err));
    FIRN_TRY(firn_dml_parse_alias(p, "using", &merge->target.alias, err));
    FIRN_TRY(firn_expect(p, "using", err));
    FIRN_TRY(firn_parse_merge_source(p, "on using", &merge->source, &merge->source_alias, err));
    if (merge->source_alias == NULL) {
        return firn_syntax_error(p, err, "a name for the source: USING (...) AS s");
    }
    FIRN_TRY(parse_condition(p, merge, err));
    FIRN_TRY(firn_dml_refuse_clauses(p, err));
    FIRN_TRY(firn_dml_load(session, p->arena, &merge->target, err));
    do {
        FIRN_TRY(parse_clause(p, merge, err));
    } while (firn_at_word(p, "when"));
    return firn_parse_end(p, err);
}

static const char *message_of(firn_arena *arena, const firn_merge *merge)
{
    return firn_arena_printf(
        arena, "%s updated, %s deleted, %s inserted%s",
        firn_dml_count(arena, merge->updated, "row"), firn_format_count(arena, merge->deleted),
        firn_format_count(arena, merge->inserted),
        firn_rowlevel_note(arena, merge->n_rewritten, merge->n_removed, merge->n_delete_files));
}

firn_rc firn_exec_merge(firn_session *session, const char *sql, firn_result **out, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_merge merge = {.session = session, .operation = "merge", .statement = "MERGE"};
    firn_parser parser;
    bool temporary = false;
    FIRN_TRY(firn_parser_open(arena, sql, &parser, err));
    FIRN_TRY(firn_expect(&parser, "merge into", err));
    FIRN_TRY(firn_target_is_temporary(session, &parser, &temporary, err));
    if (temporary) {
        return firn_dml_temporary(session, sql, "MERGE", "merged", out, err);
    }
    FIRN_TRY(parse(session, &parser, &merge, err));
    FIRN_TRY(firn_merge_run(&merge, err));
    int64_t rows = merge.updated + merge.deleted + merge.inserted;
    *out = firn_result_command(firn_arena_printf(arena, "MERGE %" PRId64, rows), rows, "%s",
                               message_of(arena, &merge));
    return FIRN_OK;
}
