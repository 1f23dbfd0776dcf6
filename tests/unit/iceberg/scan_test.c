/* Scan planning. Its one law, tested on random tables, filters and partitionings: a file that holds a matching row is
 * read, and a file of which all rows are said to match has no other. Then what pruning must achieve, statistics,
 * deletes by bounds, and answers from metadata alone. */
#include "files_testing.h"

#include "base/uuid.h"

#include <math.h>

enum { COLUMNS = 5, ROWS_MAX = 6, FILES = 40, FILTERS = 60 };

typedef struct row {
    firn_value values[COLUMNS];
} row;

typedef struct file_rows {
    row rows[ROWS_MAX];
    size_t n;
} file_rows;

static firn_rng rng;

static bool chance(int percent)
{
    return firn_rng_below(&rng, 100) < (uint64_t)percent;
}

static int64_t between(int64_t low, int64_t high)
{
    return low + (int64_t)firn_rng_below(&rng, (uint64_t)(high - low + 1));
}

static firn_value random_text(void)
{
    static const char *const letters[] = {"a", "b", "é", "\xF0\x9F\x98\x80"};
    char text[32] = "";
    for (int64_t i = between(0, 4); i > 0; i--)
        strcat(text, letters[between(0, 3)]);
    return (firn_value){.type = FIRN_TYPE_STRING,
                        .bytes = firn_bytes_str(firn_arena_strdup(arena, text))};
}

static firn_value random_double(void)
{
    static const double numbers[] = {-0.0, 0.0, NAN, -1.5, 2.5, 7, -INFINITY, INFINITY, 1e300};
    return (firn_value){.type = FIRN_TYPE_DOUBLE, .f64 = numbers[between(0, 8)]};
}

static firn_value random_value(int column, bool nullable)
{
    static const firn_type_id types[] = {FIRN_TYPE_LONG, FIRN_TYPE_DATE, FIRN_TYPE_STRING,
                                         FIRN_TYPE_DOUBLE, FIRN_TYPE_DECIMAL};
    if (nullable && column > 0 && chance(15))
        return firn_value_null(types[column]);
    switch (column) {
    case 0: return (firn_value){.type = FIRN_TYPE_LONG, .i64 = between(-30, 30)};
    case 1: return (firn_value){.type = FIRN_TYPE_DATE, .i32 = (int32_t)between(-400, 400)};
    case 2: return random_text();
    case 3: return random_double();
    default:
        return (firn_value){.type = FIRN_TYPE_DECIMAL, .scale = 2, .decimal = between(-300, 300)};
    }
}

/* ---- what a row says, by SQL and the engine's order of numbers ---- */

static int compare(const firn_value *a, const firn_value *b)
{
    if (a->type == FIRN_TYPE_DOUBLE) {
        bool p = isnan(a->f64), q = isnan(b->f64);
        if (p || q)
            return p - q;
        return (a->f64 > b->f64) - (a->f64 < b->f64);
    }
    return firn_value_cmp(a, b);
}

static bool starts_with(const firn_value *value, const firn_value *prefix)
{
    return value->bytes.len >= prefix->bytes.len &&
           memcmp(value->bytes.data, prefix->bytes.data, prefix->bytes.len) == 0;
}

/* -1: unknown */
static int leaf_truth(const firn_expr *e, const firn_value *value)
{
    if (e->op == FIRN_EXPR_IS_NULL || e->op == FIRN_EXPR_NOT_NULL)
        return value->is_null == (e->op == FIRN_EXPR_IS_NULL);
    if (value->is_null)
        return -1;
    bool in = false;
    for (size_t i = 0; i < e->n_values; i++)
        in |= compare(value, &e->values[i]) == 0;
    switch (e->op) {
    case FIRN_EXPR_IS_NAN: return firn_value_is_nan(value);
    case FIRN_EXPR_NOT_NAN: return !firn_value_is_nan(value);
    case FIRN_EXPR_LT: return compare(value, e->values) < 0;
    case FIRN_EXPR_LT_EQ: return compare(value, e->values) <= 0;
    case FIRN_EXPR_GT: return compare(value, e->values) > 0;
    case FIRN_EXPR_GT_EQ: return compare(value, e->values) >= 0;
    case FIRN_EXPR_EQ:
    case FIRN_EXPR_IN: return in;
    case FIRN_EXPR_NOT_EQ:
    case FIRN_EXPR_NOT_IN: return !in;
    case FIRN_EXPR_STARTS_WITH: return starts_with(value, e->values);
    case FIRN_EXPR_NOT_STARTS_WITH: return !starts_with(value, e->values);
    default: fail(); return 0;
    }
}

static int truth(const firn_expr *e, const row *r)
{
    int a, b;
    switch (e->op) {
    case FIRN_EXPR_TRUE: return 1;
    case FIRN_EXPR_FALSE: return 0;
    case FIRN_EXPR_NOT: a = truth(e->left, r); return a < 0 ? a : !a;
    case FIRN_EXPR_AND:
        a = truth(e->left, r), b = truth(e->right, r);
        return a == 0 || b == 0 ? 0 : a < 0 || b < 0 ? -1 : 1;
    case FIRN_EXPR_OR:
        a = truth(e->left, r), b = truth(e->right, r);
        return a == 1 || b == 1 ? 1 : a < 0 || b < 0 ? -1 : 0;
    default: return leaf_truth(e, &r->values[e->field_id - 1]);
    }
}

static const firn_expr *random_filter(const firn_metadata *t, int depth)
{
    if (depth > 0 && chance(60)) {
        const firn_expr *a = random_filter(t, depth - 1);
        if (chance(20))
            return firn_expr_not(arena, a);
        const firn_expr *b = random_filter(t, depth - 1);
        return chance(50) ? firn_expr_and(arena, a, b) : firn_expr_or(arena, a, b);
    }
    int column = (int)between(0, COLUMNS - 1);
    firn_expr_op op = (firn_expr_op)between(FIRN_EXPR_IS_NULL, FIRN_EXPR_NOT_STARTS_WITH);
    bool is_prefix = op == FIRN_EXPR_STARTS_WITH || op == FIRN_EXPR_NOT_STARTS_WITH;
    if (is_prefix)
        column = 2;
    firn_value values[4];
    size_t n = op == FIRN_EXPR_IN || op == FIRN_EXPR_NOT_IN ? (size_t)between(1, 4) : 1;
    for (size_t i = 0; i < n; i++)
        values[i] = random_value(column, false);
    bool exact;
    const firn_expr *leaf =
        firn_expr_leaf(arena, op, &t->schema->root.fields[column], values, n, &exact);
    assert_true(exact);
    return leaf;
}

/* ---- files with honest metrics ---- */

static bool tuple_of(const firn_metadata *t, const row *r, firn_value *out)
{
    for (size_t i = 0; i < t->spec->n_fields; i++) {
        const firn_partition_field *field = &t->spec->fields[i];
        const firn_type *source = t->schema->root.fields[field->source_id - 1].type;
        MUST(firn_transform_apply(arena, &field->transform, source,
                                  &r->values[field->source_id - 1], &out[i], &err));
    }
    return true;
}

static bool same_tuple(const firn_value *a, const firn_value *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (a[i].is_null != b[i].is_null || (!a[i].is_null && firn_value_cmp(&a[i], &b[i]) != 0))
            return false;
    }
    return true;
}

static void measure(const file_rows *file, int column, firn_column_metrics *out)
{
    firn_value low = firn_value_null(FIRN_TYPE_LONG), high = low;
    *out = (firn_column_metrics){.field_id = column + 1, .size_bytes = -1, .nan_count = -1};
    if (column == 3)
        out->nan_count = 0;
    for (size_t i = 0; i < file->n; i++) {
        const firn_value *value = &file->rows[i].values[column];
        out->value_count++;
        out->null_count += value->is_null;
        if (value->is_null)
            continue;
        if (firn_value_is_nan(value)) {
            out->nan_count++;
            continue;
        }
        low = low.is_null || firn_value_cmp(value, &low) < 0 ? *value : low;
        high = high.is_null || firn_value_cmp(value, &high) > 0 ? *value : high;
    }
    if (low.is_null)
        return;
    if (column == 2)
        low = firn_value_truncate_lower(arena, &low, 2);
    out->lower = firn_value_encode(arena, &low);
    if (column != 2 || firn_value_truncate_upper(arena, &high, 2, &high))
        out->upper = firn_value_encode(arena, &high);
}

static firn_data_file random_file(const firn_metadata *t, int number, file_rows *rows)
{
    firn_data_file file = data_file(t, firn_arena_printf(arena, "%d", number), 0, 0, 1);
    firn_value *tuple = FIRN_NEW_N(arena, firn_value, t->spec->n_fields + 1);
    firn_value *other = FIRN_NEW_N(arena, firn_value, t->spec->n_fields + 1);
    rows->n = 0;
    int64_t wanted = between(1, ROWS_MAX);
    for (int tries = 0; tries < 200 && (int64_t)rows->n < wanted; tries++) {
        row *r = &rows->rows[rows->n];
        for (int c = 0; c < COLUMNS; c++)
            r->values[c] = random_value(c, true);
        tuple_of(t, r, rows->n == 0 ? tuple : other);
        rows->n += rows->n == 0 || same_tuple(tuple, other, t->spec->n_fields);
    }
    file.partition = tuple;
    file.record_count = (int64_t)rows->n;
    file.metrics = FIRN_NEW_N(arena, firn_column_metrics, COLUMNS);
    file.n_metrics = 0;
    for (int c = 0; c < COLUMNS; c++) {
        firn_column_metrics *metrics = &file.metrics[file.n_metrics];
        measure(rows, c, metrics);
        if (chance(10)) /* writers leave things out */
            metrics->lower = metrics->upper = (firn_bytes){0};
        if (chance(10))
            metrics->null_count = -1;
        if (chance(10))
            metrics->nan_count = -1;
        file.n_metrics += chance(90);
    }
    return file;
}

static void check_filter(const firn_metadata *t, const file_rows *rows, const firn_expr *filter,
                         int *skippable, int *skipped)
{
    size_t n;
    firn_scan_stats stats;
    firn_scan_task *tasks = plan(t, filter, &n, &stats);
    bool kept[FILES] = {0}, all[FILES] = {0};
    for (size_t i = 0; i < n; i++) {
        int number = atoi(firn_path_basename(tasks[i].file->path));
        kept[number] = true;
        all[number] = tasks[i].all_rows_match;
    }
    for (int f = 0; f < FILES; f++) {
        size_t matching = 0;
        for (size_t i = 0; i < rows[f].n; i++)
            matching += truth(filter, &rows[f].rows[i]) == 1;
        if (matching > 0 && !kept[f])
            fail_msg("file %d has matching rows but is skipped by %s", f,
                     firn_expr_text(arena, t->schema, filter));
        if (all[f] && matching != rows[f].n)
            fail_msg("not all rows of file %d match %s", f,
                     firn_expr_text(arena, t->schema, filter));
        *skippable += matching == 0;
        *skipped += !kept[f];
    }
    assert_int_equal(stats.files, FILES);
    assert_int_equal(FILES, stats.files_read + stats.files_skipped_manifest +
                                stats.files_skipped_partition + stats.files_skipped_bounds +
                                stats.files_skipped_nulls);
}

static void test_never_loses_a_row(void **state)
{
    static const char *const specs[] = {
        NULL,
        "{'spec-id':0,'fields':[{'source-id':2,'field-id':1000,'name':'p','transform':'identity'}]}",
        "{'spec-id':0,'fields':[{'source-id':1,'field-id':1000,'name':'p','transform':'bucket[4]'}]}",
        "{'spec-id':0,'fields':[{'source-id':1,'field-id':1000,'name':'p','transform':'truncate[10]'}]}",
        "{'spec-id':0,'fields':[{'source-id':2,'field-id':1000,'name':'p','transform':'month'}]}",
        "{'spec-id':0,'fields':[{'source-id':2,'field-id':1000,'name':'p','transform':'year'},"
        "{'source-id':3,'field-id':1001,'name':'q','transform':'truncate[2]'}]}",
        "{'spec-id':0,'fields':[{'source-id':4,'field-id':1000,'name':'p','transform':'identity'}]}",
        "{'spec-id':0,'fields':[{'source-id':5,'field-id':1000,'name':'p','transform':'truncate[50]'}]}",
        "{'spec-id':0,'fields':[{'source-id':3,'field-id':1000,'name':'p','transform':'bucket[3]'}]}",
    };
    (void)state;
    firn_rng_init(&rng, 4711);
    int skippable = 0, skipped = 0;
    for (size_t s = 0; s < sizeof specs / sizeof *specs; s++) {
        tear_down(NULL);
        set_up(NULL);
        const firn_metadata *t =
            new_table(2, specs[s], "{'commit.manifest-merge.enabled': 'false'}");
        file_rows *rows = FIRN_NEW_N(arena, file_rows, FILES);
        firn_data_file *files = FIRN_NEW_N(arena, firn_data_file, FILES);
        for (int f = 0; f < FILES; f++)
            files[f] = random_file(t, f, &rows[f]);
        for (int f = 0; f < FILES; f += 8)
            t = append(t, &files[f], 8);
        for (int i = 0; i < FILTERS; i++)
            check_filter(t, rows, random_filter(t, 3), &skippable, &skipped);
    }
    print_message("# %d of %d files without a match are skipped\n", skipped, skippable);
    assert_true(skipped > skippable / 2); /* otherwise it would prove little */
}

/* ---- what pruning must achieve ---- */

static const firn_metadata *three_days(void)
{
    const firn_metadata *t = new_table(2, by_day, "{'commit.manifest-merge.enabled': 'false'}");
    for (int i = 0; i < 3; i++) {
        firn_data_file files[] = {
            data_file(t, firn_arena_printf(arena, "d%da", i), 10 + i, i * 1000, 100),
            data_file(t, firn_arena_printf(arena, "d%db", i), 10 + i, i * 1000 + 500, 100)};
        t = append(t, files, 2);
    }
    return t;
}

static void test_statistics(void **state)
{
    (void)state;
    const firn_metadata *t = three_days();
    size_t n;
    firn_scan_stats stats;
    const firn_expr *filter =
        where(t, "{'type':'and','left':{'type':'eq','term':'day','value':'1970-01-12'},"
                 "'right':{'type':'lt','term':'id','value':1050}}");
    firn_scan_task *tasks = plan(t, filter, &n, &stats);
    assert_int_equal(n, 1);
    assert_false(tasks[0].all_rows_match);
    assert_int_equal(stats.manifests, 3);
    assert_int_equal(stats.manifests_skipped, 2);
    assert_int_equal(stats.files, 6);
    assert_int_equal(stats.files_skipped_manifest, 4);
    assert_int_equal(stats.files_skipped_bounds, 1);
    assert_int_equal(stats.files_read, 1);
    assert_int_equal(stats.rows_read, 100);
    assert_int_equal(stats.bytes_read, 1000);

    tasks = plan(t, where(t, "{'type':'eq','term':'day','value':'1970-01-12'}"), &n, &stats);
    assert_int_equal(n, 2);
    assert_true(tasks[0].all_rows_match && tasks[1].all_rows_match);
    plan(t, where(t, "{'type':'is-null','term':'id'}"), &n, &stats);
    assert_int_equal(stats.files_skipped_nulls, 6);
}

/* The first task of a large scan opens one manifest. */
static void test_streams(void **state)
{
    (void)state;
    const firn_metadata *t = three_days();
    size_t n;
    firn_manifest_file *files;
    MUST(firn_manifest_list_read(storage, arena, t, t->current_snapshot, &files, &n, &err));
    MUST(firn_storage_delete(storage, files[1].path, &err));
    firn_scan_options options = {
        .storage = storage, .metadata = t, .snapshot = t->current_snapshot, .threads = 2};
    firn_scan *scan;
    const firn_scan_task *task;
    MUST(firn_scan_open(arena, &options, &scan, &err));
    MUST(firn_scan_next(scan, &task, &err));
    assert_non_null(task);
    MUST(firn_scan_next(scan, &task, &err));
    assert_non_null(task);
    MUST_FAIL(firn_scan_next(scan, &task, &err), FIRN_E_NOT_FOUND, "cannot read a manifest");
}

static void test_empty_table(void **state)
{
    (void)state;
    const firn_metadata *t = new_table(2, by_day, NULL);
    size_t n;
    plan(t, NULL, &n, NULL);
    assert_int_equal(n, 0);
    int64_t rows;
    firn_scan_options options = {.storage = storage, .metadata = t};
    MUST(firn_scan_count_rows(&options, &rows, &err));
    assert_int_equal(rows, 0);
}

/* ---- answers from metadata ---- */

static void test_aggregates(void **state)
{
    (void)state;
    const firn_metadata *t = three_days();
    firn_scan_options options = {
        .storage = storage, .metadata = t, .snapshot = t->current_snapshot};
    int64_t rows;
    firn_value min, max;
    bool known;
    MUST(firn_scan_count_rows(&options, &rows, &err));
    assert_int_equal(rows, 600);
    MUST(firn_scan_min_max(&options, 1, &min, &max, &known, &err));
    assert_true(known);
    assert_int_equal(min.i64, 0);
    assert_int_equal(max.i64, 2599);
    MUST(firn_scan_min_max(&options, 3, &min, &max, &known, &err));
    assert_false(known); /* text: bounds may be cut */
    MUST(firn_scan_min_max(&options, 5, &min, &max, &known, &err));
    assert_false(known); /* not recorded */

    options.filter = where(t, "{'type':'eq','term':'day','value':'1970-01-12'}");
    MUST(firn_scan_count_rows(&options, &rows, &err));
    assert_int_equal(rows, 200);
    MUST(firn_scan_min_max(&options, 1, &min, &max, &known, &err));
    assert_true(known && min.i64 == 1000 && max.i64 == 1599);
    options.filter = where(t, "{'type':'lt','term':'id','value':50}");
    MUST(firn_scan_count_rows(&options, &rows, &err));
    assert_int_equal(rows, -1);
}

/* ---- deletes by bounds ---- */

static void test_delete_bounds(void **state)
{
    (void)state;
    const firn_metadata *t = new_table(2, by_day, NULL);
    firn_data_file files[] = {data_file(t, "low", 10, 0, 100), data_file(t, "high", 10, 500, 100)};
    t = append(t, files, 2);
    static int32_t ids[] = {1};
    firn_data_file eq = data_file(t, "eq", 10, 550, 10);
    eq.content = FIRN_CONTENT_EQUALITY_DELETES;
    eq.equality_ids = ids;
    eq.n_equality_ids = 1;
    firn_data_file pos = data_file(t, "pos", 10, 0, 1);
    pos.content = FIRN_CONTENT_POSITION_DELETES;
    pos.metrics = FIRN_NEW(arena, firn_column_metrics);
    *pos.metrics = (firn_column_metrics){.field_id = 2147483546,
                                         .value_count = 1,
                                         .lower = firn_bytes_str(files[0].path),
                                         .upper = firn_bytes_str(files[0].path)};
    firn_data_file both[] = {eq, pos};
    t = commit(t, &(firn_snapshot_change){
                      .op = FIRN_SNAPSHOT_OVERWRITE,
                      .added = both,
                      .n_added = 2,
                      .validation = {.starting_snapshot_id = FIRN_NO_STARTING_SNAPSHOT}});
    size_t n;
    firn_scan_stats stats;
    firn_scan_task *tasks = plan(t, NULL, &n, &stats);
    assert_int_equal(n, 2);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(tasks[i].n_deletes, 1);
        bool low = strstr(tasks[i].file->path, "low");
        assert_int_equal(tasks[i].deletes[0].file->content,
                         low ? FIRN_CONTENT_POSITION_DELETES : FIRN_CONTENT_EQUALITY_DELETES);
    }
    assert_int_equal(stats.delete_files, 2);
    assert_int_equal(stats.delete_manifests, 1);
}

/* One cache serves many scans; each sees its own filter's columns. */
static void test_cache(void **state)
{
    (void)state;
    const firn_metadata *t = three_days();
    firn_manifest_cache *cache = firn_manifest_cache_new(1 << 20);
    for (int i = 0; i < 3; i++) {
        FIRN_AUTO_ARENA firn_arena *own = firn_arena_new();
        firn_scan_options options = {.storage = storage,
                                     .cache = cache,
                                     .metadata = t,
                                     .snapshot = t->current_snapshot,
                                     .filter =
                                         where(t, i == 1 ? "{'type':'eq','term':'id','value':7}"
                                                         : "{'type':'not-null','term':'name'}"),
                                     .threads = 2};
        firn_scan *scan;
        firn_scan_task *tasks;
        size_t n;
        MUST(firn_scan_open(own, &options, &scan, &err));
        MUST(firn_scan_all(scan, &tasks, &n, &err));
        assert_int_equal(n, i == 1 ? 1 : 6);
    }
    firn_manifest_cache_free(cache);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_never_loses_a_row),
        TEST(test_statistics),
        TEST(test_streams),
        TEST(test_empty_table),
        TEST(test_aggregates),
        TEST(test_delete_bounds),
        TEST(test_cache),
    };
    return cmocka_run_group_tests_name("scan", tests, NULL, NULL);
}
