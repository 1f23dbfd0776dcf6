/* now() and its like inside conditions become constants: the instant at which the statement started.
 *
 * Predicates are worked out by another DuckDB a moment before the statement runs in this one; with a clock in each, "ts < now()"
 * would leave out files that the statement then wants. In a select list of an inner query the clock can become a condition only by
 * way of its column: then nothing is pruned.
 */
#include "duck.h"
#include "read_tree.h"

#include "base/time.h"

typedef struct baker {
    firn_session *session;
    firn_arena *arena;
    firn_tree *tree;
} baker;

static const struct {
    const char *name;
    const char *type; /* NULL: no constant is put for it */
} CLOCKS[] = {{"now", "TIMESTAMP WITH TIME ZONE"},
              {"current_timestamp", "TIMESTAMP WITH TIME ZONE"},
              {"get_current_timestamp", "TIMESTAMP WITH TIME ZONE"},
              {"transaction_timestamp", "TIMESTAMP WITH TIME ZONE"},
              {"current_date", "DATE"},
              {"today", "DATE"},
              {"localtimestamp", "TIMESTAMP"},
              {"current_localtimestamp", "TIMESTAMP"},
              {"current_time", NULL},
              {"get_current_time", NULL},
              {"localtime", NULL},
              {"current_localtime", NULL}};
enum { N_CLOCKS = sizeof(CLOCKS) / sizeof(CLOCKS[0]) };

static const char *text_member(const json_t *node, const char *key)
{
    const char *text = json_string_value(json_object_get(node, key));
    return text != NULL ? text : "";
}

static bool is_column(const firn_tree *tree, const char *name)
{
    for (size_t i = 0; i < tree->tables.len; i++) {
        const firn_schema *schema = tree->tables.items[i]->schema;
        for (size_t k = 0; schema != NULL && k < schema->root.n_fields; k++) {
            if (firn_strcaseeq(schema->root.fields[k].name, name)) {
                return true;
            }
        }
    }
    return false;
}

/* Which clock a node reads: a call without arguments, or a bare word that is no column. N_CLOCKS: none. */
static size_t clock_of(const json_t *node)
{
    const char *name = "";
    if (firn_streq(text_member(node, "class"), "FUNCTION") &&
        json_array_size(json_object_get(node, "children")) == 0) {
        name = text_member(node, "function_name");
    } else if (firn_streq(text_member(node, "class"), "COLUMN_REF") &&
               json_array_size(json_object_get(node, "column_names")) == 1) {
        name = json_string_value(json_array_get(json_object_get(node, "column_names"), 0));
    }
    size_t i = 0;
    while (i < N_CLOCKS && (name == NULL || !firn_strcaseeq(CLOCKS[i].name, name))) {
        i++;
    }
    return i;
}

static firn_rc put_constant(baker *b, json_t *node, const char *type, firn_err *err)
{
    const char *now = firn_format_timestamp(b->arena, b->session->statement_us, true);
    const char *sql = firn_arena_printf(
        b->arena, "SELECT CAST(CAST('%s' AS TIMESTAMP WITH TIME ZONE) AS %s)", now, type);
    json_t *tree;
    FIRN_TRY(firn_duck_parse(b->session, b->arena, sql, &tree, err));
    json_t *constant = json_array_get(json_object_get(tree, "select_list"), 0);
    json_object_set_new(constant, "alias", json_string(text_member(node, "alias")));
    json_object_clear(node);
    json_object_update(node, constant);
    return FIRN_OK;
}

static bool is_condition(const char *key)
{
    return firn_streq(key, "where_clause") || firn_streq(key, "condition") ||
           firn_streq(key, "having") || firn_streq(key, "qualify");
}

/* `outermost`: in the statement's own select list, where a clock harms nobody. */
static firn_rc bake(baker *b, json_t *node, bool condition, bool outermost, firn_err *err)
{
    if (json_is_array(node)) {
        size_t i;
        json_t *item;
        json_array_foreach(node, i, item)
        {
            FIRN_TRY(bake(b, item, condition, outermost, err));
        }
        return FIRN_OK;
    }
    if (!json_is_object(node)) {
        return FIRN_OK;
    }
    size_t clock = clock_of(node);
    if (clock < N_CLOCKS) {
        bool column = firn_streq(text_member(node, "class"), "COLUMN_REF") &&
                      is_column(b->tree, CLOCKS[clock].name);
        if (condition && !column && CLOCKS[clock].type != NULL) {
            return put_constant(b, node, CLOCKS[clock].type, err);
        }
        b->tree->volatile_inputs = b->tree->volatile_inputs || !outermost;
        return FIRN_OK;
    }
    const char *key;
    json_t *child;
    json_object_foreach(node, key, child)
    {
        bool own_list = outermost && firn_streq(key, "select_list");
        bool inside = outermost && !json_object_get(node, "select_list");
        FIRN_TRY(bake(b, child, condition || is_condition(key), own_list || inside, err));
    }
    return FIRN_OK;
}

firn_rc firn_tree_fix_clocks(firn_session *session, firn_arena *arena, firn_tree *tree,
                             json_t *node, bool outermost, firn_err *err)
{
    baker b = {.session = session, .arena = arena, .tree = tree};
    return bake(&b, node, false, outermost, err);
}
