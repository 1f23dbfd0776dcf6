/* CALL: Iceberg's procedures by their names in Spark, with arguments by position or by name.
 *
 *   CALL [catalog.][system.]name(value, ...)      CALL name(table => 'bronze.orders', snapshot_id => 123)
 *
 * A procedure is a row of the table below: its parameters and the function that runs it. All of them are one catalog commit on the
 * session's branch, and give one row (or several) of what they did.
 */
#include "call.h"

#include <string.h>

/* ---- arguments --------------------------------------------------------------------------------------------- */

static firn_rc parse_value(firn_parser *parser, const char **out, firn_err *err);

/* Maps do not nest. */
static firn_rc parse_entry(firn_parser *parser, const char **out, firn_err *err)
{
    if (firn_at_word(parser, "map")) {
        return firn_syntax_error(parser, err, "a value: 'text', a number, TRUE, FALSE or NULL");
    }
    return parse_value(parser, out, err);
}

/* map('k', 'v', ...) as Spark writes it, MAP {'k': 'v', ...} as DuckDB does: to the text of a JSON object. */
static firn_rc parse_map(firn_parser *parser, const char **out, firn_err *err)
{
    json_t *map = firn_json_own(parser->arena, json_object());
    bool braces = firn_accept(parser, "{");
    const char *end = braces ? "}" : ")";
    if (!braces) {
        FIRN_TRY(firn_expect(parser, "(", err));
    }
    for (bool first = true; !firn_accept(parser, end); first = false) {
        const char *key = NULL, *value = NULL;
        if (!first) {
            FIRN_TRY(firn_expect(parser, ",", err));
        }
        FIRN_TRY(parse_entry(parser, &key, err));
        FIRN_TRY(firn_expect(parser, braces ? ":" : ",", err));
        FIRN_TRY(parse_entry(parser, &value, err));
        if (key == NULL) {
            return firn_syntax_error(parser, err, "a key that is not NULL");
        }
        json_object_set_new(map, key, value != NULL ? json_string(value) : json_null());
    }
    *out = firn_json_text(parser->arena, map);
    return FIRN_OK;
}

/* 'text', 12, -12, TRUE, NULL, TIMESTAMP 'text': as text; NULL for NULL. */
static firn_rc parse_value(firn_parser *parser, const char **out, firn_err *err)
{
    const firn_token *token = firn_peek(parser);
    int64_t number = 0;
    (void)(firn_accept(parser, "timestamp with time zone") || firn_accept(parser, "timestamptz") ||
           firn_accept(parser, "timestamp") || firn_accept(parser, "date"));
    token = firn_peek(parser);
    *out = NULL;
    if (parser->at < parser->end && token->kind == FIRN_TOKEN_STRING) {
        return firn_parse_string(parser, out, err);
    }
    if (firn_accept(parser, "null")) {
        return FIRN_OK;
    }
    if (firn_accept(parser, "map")) {
        return parse_map(parser, out, err);
    }
    if (firn_accept(parser, "true")) {
        *out = "true";
        return FIRN_OK;
    }
    if (firn_accept(parser, "false")) {
        *out = "false";
        return FIRN_OK;
    }
    if (parser->at < parser->end &&
        (token->kind == FIRN_TOKEN_NUMBER || firn_at_words(parser, "-"))) {
        FIRN_TRY(firn_parse_integer(parser, &number, err));
        *out = firn_i64_text(parser->arena, number);
        return FIRN_OK;
    }
    return firn_syntax_error(parser, err, "a value: 'text', a number, TRUE, FALSE or NULL");
}

static size_t n_parameters(const firn_procedure *procedure)
{
    size_t n = 0;
    while (n < FIRN_CALL_ARGUMENTS_MAX && procedure->parameters[n] != NULL) {
        n++;
    }
    return n;
}

static firn_rc parameter_index(const firn_procedure *procedure, const char *name, size_t *out,
                               firn_err *err)
{
    size_t n = n_parameters(procedure);
    for (*out = 0; *out < n; (*out)++) {
        if (firn_strcaseeq(name, procedure->parameters[*out])) {
            return FIRN_OK;
        }
    }
    const char *near = firn_nearest(name, procedure->parameters, n);
    FIRN_FAIL(err, FIRN_E_INVALID, "%s has no parameter %s%s%s%s", procedure->name, name,
              near != NULL ? ". Did you mean " : "", near != NULL ? near : "",
              near != NULL ? "?" : "");
}

static firn_rc parse_argument(firn_call *call, size_t *position, firn_err *err)
{
    firn_parser *parser = call->parser;
    const firn_procedure *procedure = call->procedure;
    const firn_token *next = firn_peek_at(parser, 1);
    bool named = parser->at + 1 < parser->end && next->kind == FIRN_TOKEN_PUNCT && next->len == 2 &&
                 (strncmp(parser->tokens->text + next->start, "=>", 2) == 0 ||
                  strncmp(parser->tokens->text + next->start, ":=", 2) == 0);
    size_t index = *position;
    if (named) {
        const char *name = NULL;
        FIRN_TRY(firn_parse_name(parser, &name, err));
        parser->at++;
        FIRN_TRY(parameter_index(procedure, name, &index, err));
        *position = SIZE_MAX; /* positions end where names begin */
    } else if (index == SIZE_MAX) {
        return firn_syntax_error(parser, err, "name => value, as before");
    } else if (index >= n_parameters(procedure)) {
        FIRN_FAIL(err, FIRN_E_INVALID, "%s takes %zu arguments", procedure->name,
                  n_parameters(procedure));
    } else {
        ++*position;
    }
    if (call->given[index]) {
        FIRN_FAIL(err, FIRN_E_INVALID, "%s is given %s twice", procedure->name,
                  procedure->parameters[index]);
    }
    call->given[index] = true;
    return parse_value(parser, &call->arguments[index], err);
}

static firn_rc parse_arguments(firn_call *call, firn_err *err)
{
    const firn_procedure *procedure = call->procedure;
    size_t position = 0;
    FIRN_TRY(firn_expect(call->parser, "(", err));
    for (bool first = true; !firn_accept(call->parser, ")"); first = false) {
        if (!first) {
            FIRN_TRY(firn_expect(call->parser, ",", err));
        }
        FIRN_TRY(parse_argument(call, &position, err));
    }
    FIRN_TRY(firn_parse_end(call->parser, err));
    for (size_t i = 0; i < procedure->n_required; i++) {
        if (call->arguments[i] == NULL) {
            FIRN_FAIL(err, FIRN_E_INVALID, "%s needs the argument %s", procedure->name,
                      procedure->parameters[i]);
        }
    }
    return FIRN_OK;
}

firn_rc firn_call_i64(const firn_call *call, size_t index, int64_t *out, firn_err *err)
{
    if (call->arguments[index] == NULL || !firn_parse_i64(call->arguments[index], out)) {
        FIRN_FAIL(err, FIRN_E_TYPE, "%s: %s must be a whole number, not '%s'",
                  call->procedure->name, call->procedure->parameters[index],
                  call->arguments[index] != NULL ? call->arguments[index] : "NULL");
    }
    return FIRN_OK;
}

firn_rc firn_call_timestamp_ms(const firn_call *call, size_t index, int64_t *out, firn_err *err)
{
    int64_t us = 0;
    const char *text = call->arguments[index];
    if (firn_parse_i64(text, out)) {
        return FIRN_OK; /* milliseconds, as the metadata tables' internals give them */
    }
    if (!firn_parse_timestamp(text, &us, NULL)) {
        FIRN_FAIL(err, FIRN_E_TYPE, "%s: '%s' is no timestamp like '2024-02-15 10:20:30'",
                  call->procedure->name, text);
    }
    *out = us / 1000;
    return FIRN_OK;
}

/* ---- procedures ---------------------------------------------------------------------------------------------- */

static const firn_procedure procedures[] = {
    {"rollback_to_snapshot", {"table", "snapshot_id"}, 2, firn_call_rollback_to_snapshot},
    {"rollback_to_timestamp", {"table", "timestamp"}, 2, firn_call_rollback_to_timestamp},
    {"set_current_snapshot", {"table", "snapshot_id", "ref"}, 1, firn_call_set_current_snapshot},
    {"cherrypick_snapshot", {"table", "snapshot_id"}, 2, firn_call_cherrypick},
    {"publish_changes", {"table", "wap_id"}, 2, firn_call_publish_changes},
    {"fast_forward", {"table", "branch", "to"}, 3, firn_call_fast_forward},
    {"register_table", {"table", "metadata_file"}, 2, firn_call_register_table},
    {"ancestors_of", {"table", "snapshot_id"}, 1, firn_call_ancestors_of},
    {"add_files",
     {"table", "source_table", "partition_filter", "check_duplicate_files", "parallelism"},
     2,
     firn_call_add_files},
};
enum { N_PROCEDURES = sizeof(procedures) / sizeof(procedures[0]) };

/* Spark's procedures that firn does otherwise, or not at all. */
static const struct {
    const char *name, *command; /* NULL: none does it */
} elsewhere[] = {{"expire_snapshots", "firn maintain expire"},
                 {"rewrite_data_files", "firn maintain compact"},
                 {"rewrite_position_delete_files", "firn maintain compact"},
                 {"remove_orphan_files", NULL},
                 {"rewrite_manifests", NULL},
                 {"migrate", "firn table adopt"},
                 {"snapshot", "firn table adopt"},
                 {"create_changelog_view", NULL},
                 {"compute_table_stats", NULL},
                 {"compute_partition_stats", NULL},
                 {"rewrite_table_path", NULL}};

/* Those of rooms above the engine, too. */
static const char **procedure_names(const firn_call *call, size_t *n)
{
    const firn_engine *engine = call->session->engine;
    *n = N_PROCEDURES + engine->n_procedures;
    const char **names = FIRN_NEW_N(call->arena, const char *, *n);
    for (size_t i = 0; i < *n; i++) {
        names[i] =
            i < N_PROCEDURES ? procedures[i].name : engine->procedures[i - N_PROCEDURES].name;
    }
    return names;
}

static const char *list_procedures(const firn_call *call)
{
    size_t n = 0;
    const char **names = procedure_names(call, &n);
    return firn_str_join(call->arena, names, n, ", ");
}

static firn_rc run_outside(firn_call *call, firn_result **out, firn_err *err)
{
    const firn_outside_procedure *outside = call->outside;
    const char **cells = FIRN_NEW_N(call->arena, const char *, outside->n_columns);
    FIRN_TRY(outside->run(call->session, call->arena, call->ident, call->arguments, cells, err));
    *out = firn_result_table("CALL", outside->columns, outside->types, outside->n_columns);
    firn_result_add_row(*out, cells);
    return FIRN_OK;
}

void firn_engine_set_procedures(firn_engine *engine, const firn_outside_procedure *list, size_t n)
{
    engine->procedures = list;
    engine->n_procedures = n;
}

static bool find_known(firn_call *call, const char *name)
{
    const firn_engine *engine = call->session->engine;
    for (size_t i = 0; i < N_PROCEDURES; i++) {
        if (firn_strcaseeq(name, procedures[i].name)) {
            call->procedure = &procedures[i];
            return true;
        }
    }
    for (size_t i = 0; i < engine->n_procedures; i++) {
        if (firn_strcaseeq(name, engine->procedures[i].name)) {
            firn_procedure *own = FIRN_NEW(call->arena, firn_procedure);
            call->outside = &engine->procedures[i];
            *own = (firn_procedure){.name = call->outside->name,
                                    .n_required = call->outside->n_required,
                                    .run = run_outside};
            memcpy(own->parameters, call->outside->parameters, sizeof(own->parameters));
            call->procedure = own;
            return true;
        }
    }
    return false;
}

static firn_rc find_procedure(firn_call *call, const char *name, firn_err *err)
{
    size_t n_names = 0;
    const char **names = procedure_names(call, &n_names);
    if (find_known(call, name)) {
        return FIRN_OK;
    }
    for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++) {
        if (!firn_strcaseeq(name, elsewhere[i].name)) {
            continue;
        }
        if (elsewhere[i].command != NULL) {
            FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                      "%s is no procedure here, it is a command of its own: %s", name,
                      elsewhere[i].command);
        }
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                  "firn does not have the procedure %s; it has %s. Any Iceberg engine can run "
                  "it on the same table",
                  name, list_procedures(call));
    }
    const char *near = firn_nearest(name, names, n_names);
    if (near != NULL) {
        FIRN_FAIL(err, FIRN_E_NOT_FOUND, "there is no procedure %s. Did you mean %s?", name, near);
    }
    FIRN_FAIL(err, FIRN_E_NOT_FOUND, "there is no procedure %s; firn has %s", name,
              list_procedures(call));
}

firn_rc firn_exec_call(firn_session *session, const char *sql, firn_result **out, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_parser parser;
    const char **parts = NULL;
    size_t n = 0;
    FIRN_TRY(firn_parser_open(arena, sql, &parser, err));
    FIRN_TRY(firn_expect(&parser, "call", err));
    FIRN_TRY(firn_parse_dotted(&parser, &parts, &n, err));
    firn_call call = {.session = session, .arena = arena, .parser = &parser};
    if (n > 1 && !firn_strcaseeq(parts[n - 2], "system")) {
        FIRN_FAIL(err, FIRN_E_NOT_FOUND, "there is no procedure %s; procedures are in system: %s",
                  firn_str_join(arena, parts, n, "."), list_procedures(&call));
    }
    FIRN_TRY(firn_session_catalog(session, &call.catalog, err));
    FIRN_TRY(find_procedure(&call, parts[n - 1], err));
    FIRN_TRY(parse_arguments(&call, err));
    FIRN_TRY(firn_parse_target_text(session, arena, call.arguments[0], &call.ident, err));
    call.text = firn_ident_text(arena, call.ident);
    return call.procedure->run(&call, out, err);
}
