/* pipeline.yaml to a definition: every key of every object is declared once in a table below; what is not in it is an error with
 * line and nearest key. SQL files are read here, so that a run sees one state of the folder.
 */
#include "definition.h"

#include "base/io.h"
#include "base/map.h"
#include "base/time.h"

#include <stdlib.h>

enum { SQL_BYTES_MAX = 4 << 20, TASKS_MAX = 1000, NAME_BYTES_MAX = 128 };

typedef enum key_kind {
    KEY_TEXT, /* string, number or boolean, kept as text */
    KEY_LIST, /* of texts; one text stands for a list of one */
    KEY_BOOL,
    KEY_INT,
    KEY_DURATION,
    KEY_OTHER, /* read by the object's own function */
} key_kind;

typedef struct key_spec {
    const char *name;
    key_kind kind;
    size_t offset;  /* of the member it fills */
    unsigned types; /* a task's or model's key: the FOR_... types that take it; 0: all */
} key_spec;

enum {
    FOR_GENERATE = 1u << FIRN_TASK_GENERATE,
    FOR_INGEST = 1u << FIRN_TASK_INGEST,
    FOR_SQL = 1u << FIRN_TASK_SQL,
    FOR_CHECK = 1u << FIRN_TASK_CHECK,
    FOR_REPORT = 1u << FIRN_TASK_REPORT,
    FOR_SHELL = 1u << FIRN_TASK_SHELL,
    FOR_MODELS = FOR_INGEST | FOR_SQL,
};

static const key_spec pipeline_keys[] = {
    {"name", KEY_TEXT, offsetof(firn_pipeline, name), 0},
    {"description", KEY_TEXT, offsetof(firn_pipeline, description), 0},
    {"schemas", KEY_LIST, offsetof(firn_pipeline, schemas), 0},
    {"params", KEY_OTHER, 0, 0},
    {"tasks", KEY_OTHER, 0, 0},
};

static const key_spec task_keys[] = {
    {"name", KEY_TEXT, offsetof(firn_task, name), 0},
    {"description", KEY_TEXT, offsetof(firn_task, description), 0},
    {"type", KEY_OTHER, 0, 0},
    {"after", KEY_LIST, offsetof(firn_task, after), 0},
    {"after_only", KEY_BOOL, offsetof(firn_task, after_only), 0},
    {"retries", KEY_INT, offsetof(firn_task, retries), 0},
    {"retry_delay", KEY_DURATION, offsetof(firn_task, retry_delay_us), 0},
    {"timeout", KEY_DURATION, offsetof(firn_task, timeout_us), 0},
    {"export_parquet", KEY_TEXT, offsetof(firn_task, export_parquet), FOR_MODELS},
    {"models", KEY_OTHER, 0, FOR_MODELS},
    {"checks", KEY_OTHER, 0, FOR_CHECK},
    {"generator", KEY_TEXT, offsetof(firn_task, generator), FOR_GENERATE},
    {"dir", KEY_TEXT, offsetof(firn_task, dir), FOR_GENERATE},
    {"scale", KEY_TEXT, offsetof(firn_task, scale), FOR_GENERATE},
    {"seed", KEY_TEXT, offsetof(firn_task, seed), FOR_GENERATE},
    {"end_date", KEY_TEXT, offsetof(firn_task, end_date), FOR_GENERATE},
    {"file", KEY_TEXT, offsetof(firn_task, file), FOR_REPORT},
    {"sql", KEY_TEXT, offsetof(firn_task, sql), FOR_REPORT},
    {"command", KEY_TEXT, offsetof(firn_task, command), FOR_SHELL},
};

static const key_spec model_keys[] = {
    {"table", KEY_TEXT, offsetof(firn_model, table), 0},
    {"file", KEY_TEXT, offsetof(firn_model, origin), FOR_SQL},
    {"sql", KEY_TEXT, offsetof(firn_model, sql), FOR_SQL},
    {"mode", KEY_OTHER, 0, 0},
    {"key", KEY_LIST, offsetof(firn_model, key), 0},
    {"partitioned_by", KEY_LIST, offsetof(firn_model, partitioned_by), 0},
    {"files", KEY_TEXT, offsetof(firn_model, files), FOR_INGEST},
    {"format", KEY_TEXT, offsetof(firn_model, format), FOR_INGEST},
    {"options", KEY_TEXT, offsetof(firn_model, options), FOR_INGEST},
};

static const key_spec check_keys[] = {
    {"name", KEY_TEXT, offsetof(firn_check_spec, name), 0},
    {"table", KEY_TEXT, offsetof(firn_check_spec, table), 0},
    {"severity", KEY_OTHER, 0, 0},
    {"quarantine", KEY_TEXT, offsetof(firn_check_spec, quarantine), 0},
    {"where", KEY_TEXT, offsetof(firn_check_spec, where), 0},
    {"not_null", KEY_OTHER, 0, 0},
    {"unique", KEY_OTHER, 0, 0},
    {"accepted_values", KEY_OTHER, 0, 0},
    {"range", KEY_OTHER, 0, 0},
    {"relationships", KEY_OTHER, 0, 0},
    {"row_count", KEY_OTHER, 0, 0},
    {"freshness", KEY_OTHER, 0, 0},
    {"expression", KEY_OTHER, 0, 0},
    {"sql", KEY_OTHER, 0, 0},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const type_names[] = {"generate", "ingest", "sql", "check", "report", "shell"};

const char *firn_task_type_name(firn_task_type type)
{
    return type_names[type];
}

typedef struct reader {
    firn_arena *arena;
    const firn_yaml *yaml;
    const char *dir;
    firn_err *err;
} reader;

#define BAD(r, line, ...) return bad((r), (line), firn_arena_printf((r)->arena, __VA_ARGS__))

static firn_rc bad(const reader *r, int line, const char *message)
{
    FIRN_FAIL(r->err, FIRN_E_CONFIG, "%s:%d: %s", r->yaml->filename, line, message);
}

static int key_line(const reader *r, const json_t *object, const char *key)
{
    return firn_yaml_key_line(r->yaml, object, key);
}

/* ---- values ----------------------------------------------------------------------------------------- */

bool firn_duration_parse(const char *text, int64_t *out_us)
{
    static const struct {
        const char *unit;
        double us;
    } units[] = {{"us", 1},        {"ms", 1e3},       {"s", 1e6},     {"sec", 1e6},
                 {"m", 60e6},      {"min", 60e6},     {"h", 3600e6},  {"d", 86400e6},
                 {"day", 86400e6}, {"days", 86400e6}, {"w", 604800e6}};
    size_t digits = strspn(text, "0123456789.");
    if (digits == 0 || digits > 15) {
        return false;
    }
    char number[16];
    memcpy(number, text, digits);
    number[digits] = '\0';
    const char *unit = text + digits + strspn(text + digits, " ");
    double value;
    if (!firn_parse_f64(number, &value)) {
        return false;
    }
    for (size_t i = 0; i < COUNT(units); i++) {
        if (firn_streq(unit, units[i].unit) && value * units[i].us < 9e18) {
            *out_us = (int64_t)(value * units[i].us);
            return true;
        }
    }
    return false;
}

static const char *scalar_text(const reader *r, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_STRING: return json_string_value(value);
    case JSON_INTEGER:
        return firn_arena_printf(r->arena, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    case JSON_REAL: return firn_arena_printf(r->arena, "%.15g", json_real_value(value));
    case JSON_TRUE: return "true";
    case JSON_FALSE: return "false";
    default: return NULL;
    }
}

static firn_rc read_list(const reader *r, const json_t *value, int line, const char *key,
                         firn_text_list *out)
{
    size_t n = json_is_array(value) ? json_array_size(value) : 1;
    out->items = FIRN_NEW_N(r->arena, const char *, n);
    for (size_t i = 0; i < n; i++) {
        out->items[i] = scalar_text(r, json_is_array(value) ? json_array_get(value, i) : value);
        if (out->items[i] == NULL) {
            BAD(r, line, "%s must be a list of names", key);
        }
    }
    out->n = n;
    return FIRN_OK;
}

static firn_rc read_value(const reader *r, const json_t *value, int line, const key_spec *key,
                          void *into)
{
    char *member = (char *)into + key->offset;
    const char *text = scalar_text(r, value);
    int64_t number;
    switch (key->kind) {
    case KEY_TEXT:
        if (text == NULL) {
            BAD(r, line, "%s must be a text", key->name);
        }
        *(const char **)(void *)member = text;
        return FIRN_OK;
    case KEY_LIST: return read_list(r, value, line, key->name, (firn_text_list *)(void *)member);
    case KEY_BOOL:
        if (!json_is_boolean(value)) {
            BAD(r, line, "%s must be true or false", key->name);
        }
        *(bool *)(void *)member = json_is_true(value);
        return FIRN_OK;
    case KEY_INT:
        if (text == NULL || !firn_parse_i64(text, &number) || number < 0 || number > 1000) {
            BAD(r, line, "%s must be a number from 0 to 1000", key->name);
        }
        *(int *)(void *)member = (int)number;
        return FIRN_OK;
    case KEY_DURATION:
        if (text == NULL || !firn_duration_parse(text, (int64_t *)(void *)member)) {
            BAD(r, line, "%s must be a duration such as 500ms, 5s, 10min or 1d", key->name);
        }
        return FIRN_OK;
    case KEY_OTHER: break;
    }
    return FIRN_OK;
}

/* Fill `into` from an object by its table; keys of kind OTHER are only checked to be known. */
static firn_rc read_object(const reader *r, const json_t *object, int line, const char *what,
                           const key_spec *keys, size_t n_keys, void *into)
{
    if (!json_is_object(object)) {
        BAD(r, line, "%s must be a mapping of keys to values", what);
    }
    const char *names[32];
    for (size_t i = 0; i < n_keys; i++) {
        names[i] = keys[i].name;
    }
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        size_t i = 0;
        while (i < n_keys && !firn_streq(key, keys[i].name)) {
            i++;
        }
        if (i == n_keys) {
            const char *near = firn_nearest(key, names, n_keys);
            if (near != NULL) {
                BAD(r, key_line(r, object, key), "%s has no key \"%s\"; did you mean \"%s\"?", what,
                    key, near);
            }
            BAD(r, key_line(r, object, key), "%s has no key \"%s\"; it takes %s", what, key,
                firn_str_join(r->arena, names, n_keys, ", "));
        }
        FIRN_TRY(read_value(r, value, key_line(r, object, key), &keys[i], into));
    }
    return FIRN_OK;
}

/* A key that its task's type does not use would be ignored in silence: a gate that never runs. */
static firn_rc refuse_foreign_keys(const reader *r, const json_t *object, const key_spec *keys,
                                   size_t n_keys, const char *what, firn_task_type type)
{
    for (size_t i = 0; i < n_keys; i++) {
        bool fits = keys[i].types == 0 || (keys[i].types & (1u << type)) != 0;
        if (!fits && json_object_get(object, keys[i].name) != NULL) {
            BAD(r, key_line(r, object, keys[i].name), "%s of type %s takes no %s", what,
                type_names[type], keys[i].name);
        }
    }
    return FIRN_OK;
}

/* Names become parts of file names and messages. */
static firn_rc check_simple_name(const reader *r, int line, const char *what, const char *name)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    if (name[0] == '\0' || name[0] == '.' || strspn(name, letters) != strlen(name) ||
        strlen(name) > NAME_BYTES_MAX) {
        BAD(r, line, "%s cannot be named \"%s\": use letters, digits, \"_\", \"-\" and \".\"", what,
            name);
    }
    return FIRN_OK;
}

/* Without the blanks and semicolons that end it, and with a line end: so it can be put into parentheses even if its last line is a
 * comment. */
static const char *embeddable_sql(const reader *r, const char *sql)
{
    char *text = firn_str_trim(r->arena, sql);
    size_t len = strlen(text);
    while (len > 0 && strchr("; \t\r\n", text[len - 1]) != NULL) {
        text[--len] = '\0';
    }
    return firn_arena_printf(r->arena, "%s\n", text);
}

/* Index of a word in a list, or an error that names the nearest. */
static firn_rc read_choice(const reader *r, const json_t *object, const char *key,
                           const char *const *choices, size_t n, int absent, int *out)
{
    const json_t *value = json_object_get(object, key);
    if (value == NULL) {
        *out = absent;
        return FIRN_OK;
    }
    const char *text = scalar_text(r, value);
    for (size_t i = 0; text != NULL && i < n; i++) {
        if (firn_streq(text, choices[i])) {
            *out = (int)i;
            return FIRN_OK;
        }
    }
    BAD(r, key_line(r, object, key), "%s is \"%s\"; it must be one of %s", key,
        text != NULL ? text : "no text", firn_str_join(r->arena, choices, n, ", "));
}

/* ---- models ----------------------------------------------------------------------------------------- */

static firn_rc read_sql_file(const reader *r, int line, const char *name, const char **sql,
                             const char **origin)
{
    const char *path = name[0] == '/' ? name : firn_path_join(r->arena, r->dir, name);
    firn_bytes text;
    firn_rc rc = firn_file_read(r->arena, path, SQL_BYTES_MAX, &text, r->err);
    if (rc != FIRN_OK) {
        return firn_err_wrap(r->err, rc, "%s:%d", r->yaml->filename, line);
    }
    *sql = embeddable_sql(r, (const char *)text.data);
    *origin = path;
    return FIRN_OK;
}

static firn_rc read_model(const reader *r, const json_t *json, int line, firn_task_type type,
                          firn_model *model)
{
    static const char *const modes[] = {"overwrite", "append", "merge"};
    int mode = 0;
    FIRN_TRY(read_object(r, json, line, "a model", model_keys, COUNT(model_keys), model));
    FIRN_TRY(
        refuse_foreign_keys(r, json, model_keys, COUNT(model_keys), "a model of a task", type));
    FIRN_TRY(read_choice(r, json, "mode", modes, COUNT(modes), FIRN_MODEL_OVERWRITE, &mode));
    model->mode = (firn_model_mode)mode;
    if (model->table == NULL) {
        BAD(r, line, "a model needs a table");
    }
    if (model->mode == FIRN_MODEL_MERGE && model->key.n == 0) {
        BAD(r, line, "the model of %s has mode merge and needs key: [column, ...]", model->table);
    }
    if (model->mode != FIRN_MODEL_MERGE && model->key.n > 0) {
        BAD(r, key_line(r, json, "key"), "the model of %s has a key, which only mode: merge uses",
            model->table);
    }
    if (type == FIRN_TASK_INGEST) {
        if (model->files == NULL) {
            BAD(r, line, "the model of %s needs files: the path or glob to read", model->table);
        }
        return FIRN_OK;
    }
    if ((model->sql == NULL) == (model->origin == NULL)) {
        BAD(r, line, "the model of %s needs either file: or sql:", model->table);
    }
    if (model->origin != NULL) {
        return read_sql_file(r, key_line(r, json, "file"), model->origin, &model->sql,
                             &model->origin);
    }
    model->origin = firn_arena_printf(r->arena, "%s:%d", r->yaml->filename, line);
    model->sql = embeddable_sql(r, model->sql);
    return FIRN_OK;
}

static firn_rc read_models(const reader *r, const json_t *json, firn_task *task)
{
    const json_t *list = json_object_get(json, "models");
    if (!json_is_array(list) || json_array_size(list) == 0) {
        BAD(r, task->line, "task %s needs models: a list of tables to write", task->name);
    }
    task->n_models = json_array_size(list);
    task->models = FIRN_NEW_N(r->arena, firn_model, task->n_models);
    for (size_t i = 0; i < task->n_models; i++) {
        const json_t *item = json_array_get(list, i);
        FIRN_TRY(read_model(r, item, firn_yaml_line(r->yaml, item), task->type, &task->models[i]));
    }
    return FIRN_OK;
}

/* ---- checks ----------------------------------------------------------------------------------------- */

/* A YAML scalar as SQL literal: numbers as they are, all else quoted. */
static const char *literal(const reader *r, const json_t *value)
{
    const char *text = scalar_text(r, value);
    return text == NULL || !json_is_string(value) ? text : firn_sql_quote(r->arena, text);
}

typedef struct check_arguments {
    const char *column, *to, *field, *max_age;
} check_arguments;

static const key_spec accepted_keys[] = {{"column", KEY_TEXT, offsetof(check_arguments, column), 0},
                                         {"values", KEY_OTHER, 0, 0}};
static const key_spec range_keys[] = {{"column", KEY_TEXT, offsetof(check_arguments, column), 0},
                                      {"min", KEY_OTHER, 0, 0},
                                      {"max", KEY_OTHER, 0, 0}};
static const key_spec relationship_keys[] = {
    {"column", KEY_TEXT, offsetof(check_arguments, column), 0},
    {"to", KEY_TEXT, offsetof(check_arguments, to), 0},
    {"field", KEY_TEXT, offsetof(check_arguments, field), 0}};
static const key_spec row_count_keys[] = {{"min", KEY_OTHER, 0, 0}, {"max", KEY_OTHER, 0, 0}};
static const key_spec freshness_keys[] = {
    {"column", KEY_TEXT, offsetof(check_arguments, column), 0},
    {"max_age", KEY_TEXT, offsetof(check_arguments, max_age), 0}};

typedef struct check_form {
    const char *key;
    const key_spec *keys; /* NULL: a list of columns or a text */
    size_t n_keys;
} check_form;

/* By firn_check_kind. */
static const check_form check_forms[] = {
    {"not_null", NULL, 0},
    {"unique", NULL, 0},
    {"accepted_values", accepted_keys, COUNT(accepted_keys)},
    {"range", range_keys, COUNT(range_keys)},
    {"relationships", relationship_keys, COUNT(relationship_keys)},
    {"row_count", row_count_keys, COUNT(row_count_keys)},
    {"freshness", freshness_keys, COUNT(freshness_keys)},
    {"expression", NULL, 0},
    {"sql", NULL, 0},
};

static firn_rc read_bounds(const reader *r, const json_t *value, int line, firn_check_spec *check)
{
    const json_t *min = json_object_get(value, "min");
    const json_t *max = json_object_get(value, "max");
    if (min == NULL && max == NULL) {
        BAD(r, line, "%s needs min, max or both", check_forms[check->kind].key);
    }
    check->min = min != NULL ? literal(r, min) : NULL;
    check->max = max != NULL ? literal(r, max) : NULL;
    return FIRN_OK;
}

static firn_rc read_values(const reader *r, const json_t *value, int line, firn_check_spec *check)
{
    const json_t *list = json_object_get(value, "values");
    if (!json_is_array(list) || json_array_size(list) == 0) {
        BAD(r, line, "accepted_values needs values: [...]");
    }
    check->values.n = json_array_size(list);
    check->values.items = FIRN_NEW_N(r->arena, const char *, check->values.n);
    for (size_t i = 0; i < check->values.n; i++) {
        check->values.items[i] = literal(r, json_array_get(list, i));
        if (check->values.items[i] == NULL) {
            BAD(r, line, "accepted_values: values must be texts, numbers or booleans");
        }
    }
    return FIRN_OK;
}

/* The object behind accepted_values, range, relationships, row_count or freshness. */
static firn_rc read_check_object(const reader *r, const json_t *value, int line,
                                 firn_check_spec *check)
{
    const check_form *form = &check_forms[check->kind];
    check_arguments arguments = {0};
    FIRN_TRY(read_object(r, value, line, form->key, form->keys, form->n_keys, &arguments));
    if (check->kind != FIRN_CHECK_ROW_COUNT) {
        if (arguments.column == NULL) {
            BAD(r, line, "%s needs column: the column to look at", form->key);
        }
        check->columns.items = FIRN_NEW_N(r->arena, const char *, 1);
        check->columns.items[0] = arguments.column;
        check->columns.n = 1;
    }
    switch (check->kind) {
    case FIRN_CHECK_ACCEPTED_VALUES: return read_values(r, value, line, check);
    case FIRN_CHECK_RANGE:
    case FIRN_CHECK_ROW_COUNT: return read_bounds(r, value, line, check);
    case FIRN_CHECK_RELATIONSHIPS:
        check->to = arguments.to;
        check->field = arguments.field != NULL ? arguments.field : arguments.column;
        if (check->to == NULL) {
            BAD(r, line, "relationships needs to: the table that must hold the value");
        }
        return FIRN_OK;
    case FIRN_CHECK_FRESHNESS:
        if (arguments.max_age == NULL ||
            !firn_duration_parse(arguments.max_age, &check->max_age_us)) {
            BAD(r, line, "freshness needs max_age: a duration such as 1h or 2d");
        }
        return FIRN_OK;
    default: return FIRN_OK;
    }
}

static const char *check_name(const reader *r, const firn_check_spec *check)
{
    const char *form = check_forms[check->kind].key;
    if (check->columns.n == 0) {
        return check->table == NULL ? form
                                    : firn_arena_printf(r->arena, "%s %s", check->table, form);
    }
    return firn_arena_printf(r->arena, "%s.%s %s", check->table,
                             firn_str_join(r->arena, check->columns.items, check->columns.n, ","),
                             form);
}

static firn_rc read_check(const reader *r, const json_t *json, int line, firn_check_spec *check)
{
    static const char *const severities[] = {"error", "warn"};
    int severity = 0;
    int found = -1;
    check->line = line;
    FIRN_TRY(read_object(r, json, line, "a check", check_keys, COUNT(check_keys), check));
    FIRN_TRY(read_choice(r, json, "severity", severities, COUNT(severities), 0, &severity));
    check->warn = severity == 1;
    for (size_t i = 0; i < COUNT(check_forms); i++) {
        if (json_object_get(json, check_forms[i].key) != NULL) {
            if (found >= 0) {
                BAD(r, line, "a check is one of %s and %s, not both: make two checks",
                    check_forms[found].key, check_forms[i].key);
            }
            found = (int)i;
        }
    }
    if (found < 0) {
        BAD(r, line,
            "a check needs one of not_null, unique, accepted_values, range, relationships, "
            "row_count, freshness, expression, sql");
    }
    check->kind = (firn_check_kind)found;
    const char *key = check_forms[found].key;
    const json_t *value = json_object_get(json, key);
    if (check->table == NULL && check->kind != FIRN_CHECK_SQL) {
        BAD(r, line, "the check %s needs a table", key);
    }
    if (check->kind == FIRN_CHECK_NOT_NULL || check->kind == FIRN_CHECK_UNIQUE) {
        FIRN_TRY(read_list(r, value, line, key, &check->columns));
    } else if (check->kind == FIRN_CHECK_EXPRESSION || check->kind == FIRN_CHECK_SQL) {
        check->sql = scalar_text(r, value);
        if (check->sql == NULL) {
            BAD(r, line, "%s must be SQL text", key);
        }
        check->sql = embeddable_sql(r, check->sql);
    } else {
        FIRN_TRY(read_check_object(r, value, key_line(r, json, key), check));
    }
    bool of_rows = check->kind != FIRN_CHECK_ROW_COUNT && check->kind != FIRN_CHECK_FRESHNESS;
    if (check->quarantine != NULL && !of_rows) {
        BAD(r, line, "the check %s looks at the table as a whole: there are no rows to quarantine",
            key);
    }
    if (check->where != NULL && check->kind == FIRN_CHECK_SQL) {
        BAD(r, line, "the check sql takes no where: put the condition into its query");
    }
    if (check->name == NULL) {
        check->name = check_name(r, check);
    }
    return FIRN_OK;
}

static firn_rc read_checks(const reader *r, const json_t *json, firn_task *task)
{
    const json_t *list = json_object_get(json, "checks");
    if (!json_is_array(list) || json_array_size(list) == 0) {
        BAD(r, task->line, "task %s needs checks: a list", task->name);
    }
    task->n_checks = json_array_size(list);
    task->checks = FIRN_NEW_N(r->arena, firn_check_spec, task->n_checks);
    for (size_t i = 0; i < task->n_checks; i++) {
        const json_t *item = json_array_get(list, i);
        FIRN_TRY(read_check(r, item, firn_yaml_line(r->yaml, item), &task->checks[i]));
    }
    return FIRN_OK;
}

/* ---- tasks ------------------------------------------------------------------------------------------- */

static firn_rc need(const reader *r, const firn_task *task, const char *value, const char *key)
{
    if (value == NULL) {
        BAD(r, task->line, "task %s needs %s", task->name, key);
    }
    return FIRN_OK;
}

static firn_rc read_task(const reader *r, const json_t *json, firn_task *task)
{
    int type = -1;
    task->line = firn_yaml_line(r->yaml, json);
    task->retry_delay_us = 1000000;
    FIRN_TRY(read_object(r, json, task->line, "a task", task_keys, COUNT(task_keys), task));
    if (task->name == NULL) {
        BAD(r, task->line, "a task needs a name");
    }
    FIRN_TRY(check_simple_name(r, key_line(r, json, "name"), "a task", task->name));
    FIRN_TRY(read_choice(r, json, "type", type_names, COUNT(type_names), -1, &type));
    if (type < 0) {
        BAD(r, task->line, "task %s needs a type: one of %s", task->name,
            firn_str_join(r->arena, type_names, COUNT(type_names), ", "));
    }
    task->type = (firn_task_type)type;
    FIRN_TRY(refuse_foreign_keys(r, json, task_keys, COUNT(task_keys), "a task", task->type));
    switch (task->type) {
    case FIRN_TASK_GENERATE:
        FIRN_TRY(need(r, task, task->generator, "generator: ecommerce"));
        return need(r, task, task->dir, "dir: the folder to write to");
    case FIRN_TASK_INGEST:
    case FIRN_TASK_SQL: return read_models(r, json, task);
    case FIRN_TASK_CHECK: return read_checks(r, json, task);
    case FIRN_TASK_REPORT:
        FIRN_TRY(need(r, task, task->file, "file: the report to write"));
        FIRN_TRY(need(r, task, task->sql, "sql: the query whose rows it holds"));
        task->sql = embeddable_sql(r, task->sql);
        return FIRN_OK;
    case FIRN_TASK_SHELL: return need(r, task, task->command, "command");
    }
    return FIRN_OK;
}

static firn_rc check_after(const reader *r, const firn_pipeline *pipeline, const firn_map *seen)
{
    const char **names = FIRN_NEW_N(r->arena, const char *, pipeline->n_tasks);
    for (size_t i = 0; i < pipeline->n_tasks; i++) {
        names[i] = pipeline->tasks[i].name;
    }
    for (size_t i = 0; i < pipeline->n_tasks; i++) {
        const firn_task *task = &pipeline->tasks[i];
        for (size_t k = 0; k < task->after.n; k++) {
            const char *other = task->after.items[k];
            const char *near = firn_nearest(other, names, pipeline->n_tasks);
            if (!firn_map_has(seen, other)) {
                BAD(r, task->line, "task %s comes after \"%s\", but there is no such task%s%s%s",
                    task->name, other, near != NULL ? "; did you mean \"" : "",
                    near != NULL ? near : "", near != NULL ? "\"?" : "");
            }
        }
    }
    return FIRN_OK;
}

static firn_rc read_tasks(const reader *r, const json_t *root, firn_pipeline *pipeline)
{
    const json_t *list = json_object_get(root, "tasks");
    if (!json_is_array(list) || json_array_size(list) == 0) {
        BAD(r, firn_yaml_line(r->yaml, root), "the pipeline needs tasks: a list");
    }
    if (json_array_size(list) > TASKS_MAX) {
        BAD(r, key_line(r, root, "tasks"), "a pipeline has at most %d tasks", TASKS_MAX);
    }
    pipeline->n_tasks = json_array_size(list);
    pipeline->tasks = FIRN_NEW_N(r->arena, firn_task, pipeline->n_tasks);
    firn_map *seen = firn_map_new(r->arena);
    for (size_t i = 0; i < pipeline->n_tasks; i++) {
        firn_task *task = &pipeline->tasks[i];
        FIRN_TRY(read_task(r, json_array_get(list, i), task));
        const firn_task *twin = firn_map_put(seen, task->name, task);
        if (twin != NULL) {
            BAD(r, task->line, "there is a task %s on line %d already", task->name, twin->line);
        }
    }
    return check_after(r, pipeline, seen);
}

static firn_rc read_params(const reader *r, const json_t *root, firn_pipeline *pipeline)
{
    const json_t *params = json_object_get(root, "params");
    if (params == NULL) {
        return FIRN_OK;
    }
    if (!json_is_object(params)) {
        BAD(r, key_line(r, root, "params"), "params must map names to default values");
    }
    pipeline->params = FIRN_NEW_N(r->arena, firn_pipeline_param, json_object_size(params));
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)params, key, value)
    {
        const char *text = scalar_text(r, value);
        if (text == NULL) {
            BAD(r, key_line(r, params, key), "the default of parameter %s must be a text or number",
                key);
        }
        pipeline->params[pipeline->n_params++] = (firn_pipeline_param){.name = key, .value = text};
    }
    return FIRN_OK;
}

firn_rc firn_pipeline_load(firn_arena *arena, const char *dir, firn_pipeline **out, firn_err *err)
{
    firn_pipeline *pipeline = FIRN_NEW(arena, firn_pipeline);
    firn_yaml *yaml = FIRN_NEW(arena, firn_yaml);
    pipeline->dir = firn_path_absolute(arena, dir);
    pipeline->path = firn_path_join(arena, pipeline->dir, "pipeline.yaml");
    FIRN_TRY(firn_yaml_load_raw(arena, pipeline->path, yaml, err));
    const reader r = {.arena = arena, .yaml = yaml, .dir = pipeline->dir, .err = err};
    FIRN_TRY(read_object(&r, yaml->root, 1, "a pipeline", pipeline_keys, COUNT(pipeline_keys),
                         pipeline));
    if (pipeline->name == NULL) {
        pipeline->name = firn_path_basename(pipeline->dir);
    }
    FIRN_TRY(check_simple_name(&r, key_line(&r, yaml->root, "name"), "a pipeline", pipeline->name));
    FIRN_TRY(read_params(&r, yaml->root, pipeline));
    FIRN_TRY(read_tasks(&r, yaml->root, pipeline));
    *out = pipeline;
    return FIRN_OK;
}

const char *firn_pipeline_name(const firn_pipeline *pipeline)
{
    return pipeline->name;
}

const char *firn_pipeline_description(const firn_pipeline *pipeline)
{
    return pipeline->description != NULL ? pipeline->description : "";
}

/* ---- parameters --------------------------------------------------------------------------------------- */

static const char *param_value(const firn_pipeline *pipeline, const firn_pipeline_param *given,
                               size_t n_given, const char *name)
{
    for (size_t i = 0; i < n_given; i++) {
        if (firn_streq(given[i].name, name)) {
            return given[i].value;
        }
    }
    for (size_t i = 0; i < pipeline->n_params; i++) {
        if (firn_streq(pipeline->params[i].name, name)) {
            return pipeline->params[i].value;
        }
    }
    return getenv(name);
}

firn_rc firn_definition_expand(firn_arena *arena, const firn_pipeline *pipeline,
                               const firn_pipeline_param *given, size_t n_given, const char *text,
                               char **out, firn_err *err)
{
    FIRN_AUTO_BUF firn_buf buf = {.max = SQL_BYTES_MAX};
    while (*text != '\0') {
        if (firn_starts_with(text, "$${")) {
            firn_buf_puts(&buf, "${");
            text += 3;
            continue;
        }
        const char *end = firn_starts_with(text, "${") ? strchr(text, '}') : NULL;
        if (end == NULL) {
            firn_buf_putc(&buf, (uint8_t)*text++);
            continue;
        }
        const char *name = firn_arena_strndup(arena, text + 2, (size_t)(end - text) - 2);
        const char *value = param_value(pipeline, given, n_given, name);
        if (value == NULL) {
            FIRN_FAIL(
                err, FIRN_E_CONFIG,
                "%s: there is no parameter \"%s\" for ${%s}; declare it under params: or give --set %s=...",
                pipeline->path, name, name, name);
        }
        firn_buf_puts(&buf, value);
        text = end + 1;
    }
    if (buf.overflow) {
        FIRN_FAIL(err, FIRN_E_LIMIT,
                  "%s: a text is longer than %d bytes with its parameters filled in",
                  pipeline->path, SQL_BYTES_MAX);
    }
    *out = firn_arena_strdup(arena, firn_buf_cstr(&buf));
    return FIRN_OK;
}
