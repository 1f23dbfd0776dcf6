/* Tables that Spark, Java and PyIceberg wrote (tests/golden/tables): every row of every table, of every snapshot that is still
 * there, against what their own readers found.
 *
 * Values are compared by their Iceberg type: both sides are brought to one text per row. See tests/golden/README.md for the form of
 * expected.json.
 */
#include "duck.h"
#include "lake_fixture.h"
#include "read.h"

#include <dirent.h>
#include <inttypes.h>
#include <math.h>

#define GOLDEN "tests/golden/tables"

/* ---- one text for a value, whichever side it comes from -------------------------------------------------- */

static void put_value(firn_buf *out, const firn_type *type, const json_t *value);

/* "2024-02-29T12:34:56.5+00:00" with exactly `digits` decimals. */
static void put_time(firn_buf *out, const char *text, int digits)
{
    const char *dot = strchr(text, '.');
    size_t head = dot != NULL ? (size_t)(dot - text) : strcspn(text, "+Z");
    if (dot == NULL && strchr(text, 'T') == NULL) {
        head = strlen(text);
    }
    size_t fraction = dot != NULL ? strspn(dot + 1, "0123456789") : 0;
    firn_buf_printf(out, "%.*s.", (int)head, text);
    for (size_t i = 0; i < (size_t)digits; i++) {
        firn_buf_putc(out, i < fraction ? (uint8_t)dot[1 + i] : '0');
    }
    firn_buf_puts(out, dot != NULL ? dot + 1 + fraction : text + head);
}

static double real_of(const json_t *value)
{
    if (!json_is_string(value)) {
        return json_number_value(value);
    }
    const char *text = json_string_value(value);
    return strcasecmp(text, "nan") == 0 ? NAN : strtod(text, NULL);
}

static void put_struct(firn_buf *out, const firn_type *type, const json_t *value)
{
    firn_buf_putc(out, '{');
    for (size_t i = 0; i < type->n_fields; i++) {
        const json_t *member = json_object_get(value, type->fields[i].name);
        firn_buf_printf(out, "%s%s:", i > 0 ? "," : "", member == NULL ? "(absent) " : "");
        put_value(out, type->fields[i].type, member);
    }
    firn_buf_putc(out, '}');
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Expected: [[key, value], ...]; ours: an object, its keys texts. */
static void put_map(firn_buf *out, const firn_type *type, const json_t *value)
{
    char **entries = calloc(json_array_size(value) + json_object_size(value) + 1, sizeof(char *));
    size_t n = 0, i;
    const char *name;
    json_t *item;
    json_array_foreach(value, i, item)
    {
        firn_buf one = {0};
        put_value(&one, type->fields[0].type, json_array_get(item, 0));
        firn_buf_putc(&one, '=');
        put_value(&one, type->fields[1].type, json_array_get(item, 1));
        entries[n++] = strdup(firn_buf_cstr(&one));
        firn_buf_deinit(&one);
    }
    json_object_foreach((json_t *)value, name, item)
    {
        firn_buf one = {0};
        json_t *key = json_string(name);
        bool integer =
            type->fields[0].type->id == FIRN_TYPE_INT || type->fields[0].type->id == FIRN_TYPE_LONG;
        json_t *number = json_integer(strtoll(name, NULL, 10));
        put_value(&one, type->fields[0].type, integer ? number : key);
        firn_buf_putc(&one, '=');
        put_value(&one, type->fields[1].type, item);
        entries[n++] = strdup(firn_buf_cstr(&one));
        firn_buf_deinit(&one);
        json_decref(key);
        json_decref(number);
    }
    qsort(entries, n, sizeof(char *), by_text);
    firn_buf_putc(out, '<');
    for (size_t k = 0; k < n; k++) {
        firn_buf_printf(out, "%s%s", k > 0 ? "," : "", entries[k]);
        free(entries[k]);
    }
    firn_buf_putc(out, '>');
    free(entries);
}

static void put_value(firn_buf *out, const firn_type *type, const json_t *value)
{
    size_t i;
    json_t *item;
    if (value == NULL || json_is_null(value)) {
        firn_buf_puts(out, "null");
        return;
    }
    switch (type->id) {
    case FIRN_TYPE_STRUCT: put_struct(out, type, value); return;
    case FIRN_TYPE_MAP: put_map(out, type, value); return;
    case FIRN_TYPE_LIST:
        firn_buf_putc(out, '[');
        json_array_foreach(value, i, item)
        {
            firn_buf_puts(out, i > 0 ? "," : "");
            put_value(out, type->fields[0].type, item);
        }
        firn_buf_putc(out, ']');
        return;
    case FIRN_TYPE_FLOAT: firn_buf_printf(out, "%.9g", (double)(float)real_of(value)); return;
    case FIRN_TYPE_DOUBLE: firn_buf_printf(out, "%.17g", real_of(value)); return;
    case FIRN_TYPE_TIME: put_time(out, json_string_value(value), 6); return;
    case FIRN_TYPE_TIMESTAMP:
    case FIRN_TYPE_TIMESTAMPTZ: put_time(out, json_string_value(value), 6); return;
    case FIRN_TYPE_TIMESTAMP_NS: put_time(out, json_string_value(value), 9); return;
    case FIRN_TYPE_BOOLEAN: firn_buf_puts(out, json_is_true(value) ? "true" : "false"); return;
    default: break;
    }
    if (json_is_integer(value)) {
        firn_buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    } else if (json_is_string(value)) {
        firn_buf_puts(out, json_string_value(value));
    } else {
        firn_buf_puts(out, "(not a value of the type)");
    }
}

/* Bare decimals would lose digits in jansson: quote the numbers of decimal columns in a row's JSON before it is parsed. Ours are
 * plain digits with a point. */
static char *quote_decimals(firn_arena *arena, const char *json)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    for (const char *at = json; *at != '\0';) {
        if (*at == '"') {
            const char *end = at + 1;
            while (*end != '"') {
                end += *end == '\\' ? 2 : 1;
            }
            firn_buf_append(&out, at, (size_t)(end + 1 - at));
            at = end + 1;
            continue;
        }
        size_t len = strspn(at, "-0123456789.eE+");
        bool number = len > 0 && memchr(at, '.', len) != NULL && memchr(at, 'e', len) == NULL;
        if (number || len > 18) {
            firn_buf_printf(&out, "\"%.*s\"", (int)len, at);
        } else if (len > 0) {
            firn_buf_append(&out, at, len);
        } else {
            firn_buf_putc(&out, (uint8_t)*at);
        }
        at += len > 0 ? len : 1;
    }
    return firn_arena_strdup(arena, firn_buf_cstr(&out));
}

/* ---- rows ---------------------------------------------------------------------------------------------------- */

typedef FIRN_VEC(const char *) row_list;

static char *row_text(firn_arena *arena, const firn_type *root, const json_t *row)
{
    FIRN_AUTO_BUF firn_buf text = {0};
    put_struct(&text, root, row);
    return firn_arena_strdup(arena, firn_buf_cstr(&text));
}

static firn_rc read_rows(lake_fixture *f, firn_arena *arena, const char *sql, const firn_type *root,
                         row_list *out, firn_err *err)
{
    firn_result *result = NULL;
    firn_rc rc = firn_session_query(f->session, sql, &result, err);
    const char *const *cells = NULL;
    while (rc == FIRN_OK) {
        rc = firn_result_next(result, &cells, err);
        if (rc != FIRN_OK || cells == NULL) {
            break;
        }
        FIRN_AUTO_BUF firn_buf json = {0};
        rc = firn_result_row_json(result, &json, err);
        json_error_t where;
        json_t *row = rc == FIRN_OK
                          ? json_loads(quote_decimals(arena, firn_buf_cstr(&json)), 0, &where)
                          : NULL;
        if (row == NULL) {
            fail_msg("%s: not JSON: %s: %s", sql, where.text, firn_buf_cstr(&json));
        }
        firn_vec_push(arena, out, row_text(arena, root, row));
        json_decref(row);
    }
    firn_result_free(result);
    return rc;
}

static int compare_rows(const char *what, row_list *ours, row_list *theirs)
{
    if (ours->len != theirs->len) {
        print_error("%s: %zu rows, expected %zu\n", what, ours->len, theirs->len);
        return 1;
    }
    if (ours->len > 0) {
        qsort(ours->items, ours->len, sizeof(char *), by_text);
        qsort(theirs->items, theirs->len, sizeof(char *), by_text);
    }
    for (size_t i = 0; i < ours->len; i++) {
        if (strcmp(ours->items[i], theirs->items[i]) != 0) {
            print_error("%s:\n  ours     %s\n  expected %s\n", what, ours->items[i],
                        theirs->items[i]);
            return 1;
        }
    }
    return 0;
}

static int check_rows(lake_fixture *f, const char *what, const char *sql, const firn_schema *schema,
                      const json_t *expected)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_err err = {0};
    row_list ours = {0}, theirs = {0};
    size_t i;
    json_t *row;
    json_array_foreach(expected, i, row)
    {
        firn_vec_push(arena, &theirs, row_text(arena, &schema->root, row));
    }
    if (read_rows(f, arena, sql, &schema->root, &ours, &err) != FIRN_OK) {
        print_error("%s: %s\n", what, err.message);
        return 1;
    }
    return compare_rows(what, &ours, &theirs);
}

static int check_count(lake_fixture *f, const char *what, const char *sql, int64_t expected)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_err err = {0};
    const char *count = NULL;
    if (firn_session_scalar(f->session, arena, sql, &count, &err) != FIRN_OK) {
        print_error("%s: %s\n", what, err.message);
        return 1;
    }
    if (strtoll(count, NULL, 10) != expected) {
        print_error("%s: count(*) %s, expected %" PRId64 "\n", what, count, expected);
        return 1;
    }
    return 0;
}

/* ---- tables ---------------------------------------------------------------------------------------------------- */

static json_t *load_expected(firn_arena *arena, const char *name)
{
    const char *path =
        firn_arena_printf(arena, "%s/" GOLDEN "/%s/expected.json", lake_source_dir(), name);
    json_error_t where;
    json_t *json = json_load_file(path, 0, &where);
    if (json == NULL) {
        fail_msg("%s: %s", path, where.text);
    }
    return firn_json_own(arena, json);
}

static firn_rc register_table(lake_fixture *f, firn_arena *arena, const char *name,
                              const json_t *expected, firn_err *err)
{
    firn_change change = {
        .kind = FIRN_CHANGE_REGISTER_TABLE,
        .ident = {.ns = "golden", .name = name},
        .location = firn_arena_printf(arena, "%s/%s",
                                      json_string_value(json_object_get(expected, "location")),
                                      json_string_value(json_object_get(expected, "metadata")))};
    firn_commit_info info = {0};
    firn_commit_result result;
    return firn_catalog_commit(firn_lake_catalog(f->lake), arena, "main", &change, 1, &info,
                               &result, err);
}

static int check_snapshots(lake_fixture *f, firn_arena *arena, const char *name,
                           const firn_metadata *metadata, const json_t *expected)
{
    int bad = 0;
    const char *id;
    json_t *snapshot;
    json_object_foreach(json_object_get(expected, "snapshots"), id, snapshot)
    {
        const firn_snapshot *known = firn_metadata_snapshot(metadata, strtoll(id, NULL, 10));
        if (known == NULL) {
            print_error("%s: snapshot %s is not known\n", name, id);
            bad++;
            continue;
        }
        const firn_schema *schema =
            known->schema_id >= 0 ? firn_metadata_schema(metadata, known->schema_id) : NULL;
        schema = schema != NULL ? schema : metadata->schema;
        const char *what = firn_arena_printf(arena, "%s, snapshot %s", name, id);
        bad += check_count(
            f, what,
            firn_arena_printf(arena, "SELECT count(*) FROM golden.%s AT (VERSION => %s)", name, id),
            json_integer_value(json_object_get(snapshot, "count")));
        const json_t *rows = json_object_get(snapshot, "rows");
        if (json_is_array(rows)) {
            const char *sql =
                firn_arena_printf(arena, "SELECT * FROM golden.%s AT (VERSION => %s)", name, id);
            bad += check_rows(f, what, sql, schema, rows);
        }
    }
    return bad;
}

/* Row ids and last updates of v3 tables, as Spark's metadata columns show them. */
static int check_lineage(lake_fixture *f, firn_arena *arena, const char *name,
                         const firn_metadata *metadata, const json_t *expected)
{
    firn_err err = {0};
    char *sql = NULL;
    firn_duck_cells rows;
    firn_read_options options = {.metadata = metadata, .with_row_lineage = true, .with_file = true};
    firn_rc rc = firn_read_sql(f->session, arena, &options, &sql, NULL, &err);
    if (rc == FIRN_OK) {
        const char *query = firn_arena_printf(
            arena,
            "SELECT id, _row_id, _last_updated_sequence_number FROM %s WHERE _file LIKE '%%firn-golden%%' AND _pos >= 0",
            sql);
        rc = firn_duck_rows(f->session, arena, query, &rows, &err);
    }
    if (rc != FIRN_OK) {
        print_error("%s: row lineage: %s\n", name, err.message);
        return 1;
    }
    row_list ours = {0}, theirs = {0};
    for (size_t i = 0; i < rows.n_rows; i++) {
        const char *const *c = rows.cells[i];
        firn_vec_push(arena, &ours,
                      (const char *)firn_arena_printf(arena, "%s %s %s", c[0],
                                                      c[1] != NULL ? c[1] : "null",
                                                      c[2] != NULL ? c[2] : "null"));
    }
    size_t i;
    json_t *row;
    json_array_foreach(expected, i, row)
    {
        const json_t *cells[] = {json_object_get(row, "id"), json_object_get(row, "_row_id"),
                                 json_object_get(row, "_last_updated_sequence_number")};
        FIRN_AUTO_BUF firn_buf text = {0};
        for (size_t k = 0; k < 3; k++) {
            firn_buf_puts(&text, k > 0 ? " " : "");
            if (json_is_integer(cells[k])) {
                firn_buf_printf(&text, "%" JSON_INTEGER_FORMAT, json_integer_value(cells[k]));
            } else {
                firn_buf_puts(&text, "null");
            }
        }
        firn_vec_push(arena, &theirs, (const char *)firn_arena_strdup(arena, firn_buf_cstr(&text)));
    }
    return compare_rows(firn_arena_printf(arena, "%s, row lineage", name), &ours, &theirs);
}

/* Predicates with the number of files that PyIceberg's planning keeps: ours must keep no more. */
static int check_pruning(lake_fixture *f, firn_arena *arena, const char *name,
                         const json_t *expected)
{
    int bad = 0;
    size_t i;
    json_t *item;
    json_array_foreach(expected, i, item)
    {
        firn_err err = {0};
        firn_read_plan plan;
        const char *where = json_string_value(json_object_get(item, "sql"));
        const char *sql = firn_arena_printf(arena, "SELECT * FROM golden.%s WHERE %s", name, where);
        int64_t files = json_integer_value(json_object_get(item, "files"));
        lake_check(firn_read_rewrite(f->session, arena, sql, &plan, &err), &err, sql);
        if (plan.tables.items[0].stats.files_read > files) {
            print_error("%s: %s reads %" PRId64 " files, PyIceberg %" PRId64 "\n", name, where,
                        plan.tables.items[0].stats.files_read, files);
            bad++;
        }
        bad += check_count(
            f, where,
            firn_arena_printf(arena, "SELECT count(*) FROM golden.%s WHERE %s", name, where),
            json_integer_value(json_object_get(item, "rows")));
    }
    return bad;
}

/* Tables that hold what the engine cannot read, with the words that say so. */
static const struct {
    const char *name, *words;
} REFUSED[] = {{"data_avro", "AVRO"},
               {"data_orc", "ORC"},
               {"pos_deletes_avro", "AVRO"},
               {"types_v3_nanos", "nanoseconds"},
               {"types_v3_variant", "variant"}};

static int check_refused(lake_fixture *f, const char *name, const char *words)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_err err = {0};
    firn_rc rc = firn_session_exec(
        f->session, firn_arena_printf(arena, "SELECT * FROM golden.%s", name), NULL, &err);
    if (rc == FIRN_OK || strstr(err.message, words) == NULL) {
        print_error("%s: expected an error with \"%s\", got %s: %s\n", name, words,
                    firn_rc_name(rc), err.message);
        return 1;
    }
    return 0;
}

static int check_table(lake_fixture *f, const char *name)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const json_t *expected = load_expected(arena, name);
    firn_err err = {0};
    firn_table table;
    firn_rc rc = register_table(f, arena, name, expected, &err);
    if (rc == FIRN_OK) {
        rc = firn_catalog_table_load(firn_lake_catalog(f->lake), arena, NULL,
                                     (firn_ident){.ns = "golden", .name = name}, &table, &err);
    }
    if (rc != FIRN_OK) {
        print_error("%s: %s\n", name, err.message);
        return 1;
    }
    for (size_t i = 0; i < sizeof(REFUSED) / sizeof(REFUSED[0]); i++) {
        if (strcmp(REFUSED[i].name, name) == 0) {
            return check_refused(f, name, REFUSED[i].words);
        }
    }
    int bad = check_count(f, name, firn_arena_printf(arena, "SELECT count(*) FROM golden.%s", name),
                          json_integer_value(json_object_get(expected, "count")));
    const json_t *rows = json_object_get(expected, "rows");
    if (json_is_array(rows)) {
        bad += check_rows(f, name, firn_arena_printf(arena, "SELECT * FROM golden.%s", name),
                          table.metadata->schema, rows);
    }
    if (json_object_get(expected, "row_lineage") != NULL) {
        bad +=
            check_lineage(f, arena, name, table.metadata, json_object_get(expected, "row_lineage"));
    }
    bad += check_pruning(f, arena, name, json_object_get(expected, "pruning"));
    return bad + check_snapshots(f, arena, name, table.metadata, expected);
}

static void every_table(void **state)
{
    lake_fixture *f = *state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const char *dir = firn_arena_printf(arena, "%s/" GOLDEN, lake_source_dir());
    lake_configure(f, "  # aliases: []",
                   firn_arena_printf(arena, "  aliases: [{from: /firn-golden, to: \"%s\"}]",
                                     firn_path_absolute(arena, dir)));
    lake_exec(f, "CREATE SCHEMA golden");
    struct dirent **names;
    int n = scandir(dir, &names, NULL, alphasort);
    assert_true(n > 0);
    int tables = 0, bad = 0;
    const char *only = getenv("FIRN_GOLDEN_TABLE");
    for (int i = 0; i < n; i++) {
        if (names[i]->d_name[0] != '.' && (only == NULL || strcmp(only, names[i]->d_name) == 0)) {
            tables++;
            bad += check_table(f, names[i]->d_name) != 0;
        }
        free(names[i]);
    }
    free(names);
    print_message("# %d golden tables\n", tables);
    assert_int_equal(bad, 0);
    assert_true(only != NULL || tables >= 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_table, lake_setup, lake_teardown),
    };
    return cmocka_run_group_tests_name("engine/golden", tests, NULL, NULL);
}
