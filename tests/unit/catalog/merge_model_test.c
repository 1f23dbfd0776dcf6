/* Merging against a model: random work on two branches, and merges both ways. The model is a map from table to rows, columns
 * and properties per branch, merged by rules as a person would say them; the catalog must come to the same, rows counted by
 * manifests, or refuse exactly where the model sees a conflict. */
#include "branches.h"

enum { TABLES = 3, COLUMNS = 4, KEYS = 2, BRANCHES_N = 2, BATCHES_MAX = 256 };

/* One table on one branch. Values say what, 0 that there is none; ids of columns are positions in given order. */
typedef struct table_model {
    bool exists;
    int identity;              /* which table this is: changes when it is dropped and made anew */
    int name;                  /* which of the names it has */
    bool batches[BATCHES_MAX]; /* appended batches that it holds; batch b has b + 1 rows */
    bool deleted_rows;         /* since the base: did more than append */
    int n_columns;             /* beside "id" */
    int columns[COLUMNS];      /* names, in order of field ids */
    int keys[KEYS];
    bool changed; /* since the base, in any way */
} table_model;

typedef struct model {
    fixture *f;
    unsigned seed;
    int n_batches, n_identities, n_values;
    table_model now[BRANCHES_N][TABLES], base[TABLES];
    int merges, conflicts, replays;
} model;

static const char *const branch_names[BRANCHES_N] = {"main", "dev"};

static int dice(model *m, int sides)
{
    m->seed = m->seed * 1103515245u + 12345u;
    return (int)((m->seed >> 16) % (unsigned)sides);
}

static const char *table_name(fixture *f, int name)
{
    return firn_arena_printf(f->arena, "t%d", name);
}

/* ---- work ------------------------------------------------------------------------------------- */

static void work_create(model *m, int b, int t)
{
    fixture *f = m->f;
    assert_ok(f, create_table(f, branch_names[b], "s", table_name(f, t)));
    m->now[b][t] =
        (table_model){.exists = true, .identity = ++m->n_identities, .name = t, .changed = true};
}

static void work_append(model *m, int b, int t)
{
    assert_true(m->n_batches < BATCHES_MAX);
    m->now[b][t].batches[m->n_batches] = true;
    append_rows(m->f, branch_names[b], table_name(m->f, t), m->n_batches + 1);
    m->n_batches++;
}

static void work_delete(model *m, int b, int t)
{
    table_model *table = &m->now[b][t];
    change_rows(m->f, branch_names[b], table_name(m->f, t), 0, FIRN_SNAPSHOT_DELETE);
    memset(table->batches, 0, sizeof(table->batches));
    table->deleted_rows = true;
}

static bool work_column(model *m, int b, int t)
{
    table_model *table = &m->now[b][t];
    int name = dice(m, 6);
    for (int i = 0; i < table->n_columns; i++) {
        if (table->columns[i] == name) {
            return false;
        }
    }
    if (table->n_columns == COLUMNS) {
        return false;
    }
    table->columns[table->n_columns++] = name;
    add_column(m->f, branch_names[b], table_name(m->f, t),
               firn_arena_printf(m->f->arena, "c%d", name), "int");
    return true;
}

static bool work_property(model *m, int b, int t)
{
    int key = dice(m, KEYS), value = 1 + dice(m, 3);
    if (m->now[b][t].keys[key] == value) {
        return false;
    }
    m->now[b][t].keys[key] = value;
    set_key(m->f, branch_names[b], table_name(m->f, t), firn_arena_printf(m->f->arena, "k%d", key),
            firn_arena_printf(m->f->arena, "%d", value));
    return true;
}

static void work(model *m)
{
    int b = dice(m, BRANCHES_N), t = dice(m, TABLES), what = dice(m, 20);
    table_model *table = &m->now[b][t];
    bool did = true;
    if (!table->exists) {
        work_create(m, b, t);
        return;
    }
    if (what < 10) {
        work_append(m, b, t);
    } else if (what < 13) {
        did = work_column(m, b, t);
    } else if (what < 17) {
        did = work_property(m, b, t);
    } else if (what == 17) {
        bool any = false;
        for (int i = 0; i < m->n_batches; i++) {
            any |= table->batches[i];
        }
        did = any;
        if (any) {
            work_delete(m, b, t);
        }
    } else if (what == 18) {
        assert_ok(m->f,
                  commit_one(m->f, branch_names[b], drop_change(m->f, "s", table_name(m->f, t))));
        *table = (table_model){0};
    } else {
        did = false;
    }
    table->changed |= did;
}

/* ---- the model's merge ------------------------------------------------------------------------ */

static bool same_state(const table_model *a, const table_model *b)
{
    return a->exists == b->exists &&
           (!a->exists || (a->identity == b->identity && a->n_columns == b->n_columns &&
                           memcmp(a->columns, b->columns, sizeof(a->columns)) == 0 &&
                           memcmp(a->keys, b->keys, sizeof(a->keys)) == 0 &&
                           memcmp(a->batches, b->batches, sizeof(a->batches)) == 0));
}

/* A table that came and went since the base is no change. */
static bool has_changed(const table_model *base, const table_model *now)
{
    return now->changed && (base->exists || now->exists);
}

static bool only_before(const table_model *longer, const table_model *shorter)
{
    for (int i = 0; i < shorter->n_columns; i++) {
        if (longer->columns[i] != shorter->columns[i]) {
            return false;
        }
    }
    return true;
}

/* false: a conflict. *touched: the merge changes the target's table. */
static bool merge_table(const table_model *base, const table_model *ours, const table_model *theirs,
                        table_model *out, bool *touched)
{
    *out = *ours;
    *touched = false;
    if (!has_changed(base, theirs)) {
        return true;
    }
    if (!theirs->exists && !ours->exists) {
        return true;
    }
    if (!has_changed(base, ours)) {
        *out = *theirs;
        *touched = true;
        return true;
    }
    if (!ours->exists || !theirs->exists || ours->identity != theirs->identity || !base->exists ||
        base->identity != ours->identity || theirs->deleted_rows) {
        return false;
    }
    /* Columns get ids in order, so what both added must be the same up to where one of them ends. */
    int shared = ours->n_columns < theirs->n_columns ? ours->n_columns : theirs->n_columns;
    table_model prefix = *theirs;
    prefix.n_columns = shared;
    if (!only_before(ours, &prefix)) {
        return false;
    }
    for (int i = shared; i < theirs->n_columns; i++) {
        out->columns[i] = theirs->columns[i];
    }
    out->n_columns = theirs->n_columns > ours->n_columns ? theirs->n_columns : ours->n_columns;
    for (int k = 0; k < KEYS; k++) {
        bool we = ours->keys[k] != base->keys[k], they = theirs->keys[k] != base->keys[k];
        if (we && they && ours->keys[k] != theirs->keys[k]) {
            return false;
        }
        out->keys[k] = they ? theirs->keys[k] : ours->keys[k];
    }
    for (int i = 0; i < BATCHES_MAX; i++) {
        out->batches[i] |= theirs->batches[i] && !base->batches[i];
    }
    *touched = !same_state(out, ours);
    return true;
}

/* ---- comparing -------------------------------------------------------------------------------- */

static void check_table(model *m, int b, int t)
{
    fixture *f = m->f;
    const table_model *table = &m->now[b][t];
    const char *branch = branch_names[b], *name = table_name(f, t);
    if (!table->exists) {
        assert_fails(f, try_load(f, branch, "s", name), FIRN_E_NO_TABLE, name);
        return;
    }
    int64_t rows = 0;
    for (int i = 0; i < m->n_batches; i++) {
        rows += table->batches[i] ? i + 1 : 0;
    }
    assert_int_equal(count_rows(f, branch, name), rows);
    const char *expected = "id";
    for (int i = 0; i < table->n_columns; i++) {
        expected = firn_arena_printf(f->arena, "%s, c%d", expected, table->columns[i]);
    }
    assert_string_equal(columns(f, branch, name), expected);
    const firn_metadata *metadata = load(f, branch, "s", name).metadata;
    assert_int_equal(metadata->last_column_id, table->n_columns + 1);
    for (int k = 0; k < KEYS; k++) {
        const char *value =
            firn_metadata_property(metadata, firn_arena_printf(f->arena, "k%d", k), "0");
        assert_int_equal(atoi(value), table->keys[k]);
    }
    const firn_snapshot *current = metadata->current_snapshot;
    if (current) {
        const char *total = json_string_value(json_object_get(current->summary, "total-records"));
        assert_int_equal(atoll(total), rows);
    }
}

static void check_all(model *m)
{
    for (int b = 0; b < BRANCHES_N; b++) {
        for (int t = 0; t < TABLES; t++) {
            check_table(m, b, t);
        }
    }
}

/* ---- merging ---------------------------------------------------------------------------------- */

/* dev into main; without conflicts main into dev, too, so that both start from the same again. */
static void merge_both_ways(model *m)
{
    fixture *f = m->f;
    table_model merged[TABLES];
    bool clean = true, any = false;
    int expected = 0;
    for (int t = 0; t < TABLES; t++) {
        bool touched;
        bool fits = merge_table(&m->base[t], &m->now[0][t], &m->now[1][t], &merged[t], &touched);
        expected += !fits;
        clean &= fits;
        any |= fits && touched;
    }
    firn_merge_result result;
    const char *before = head(f, "main");
    int files = warehouse_files(f);
    m->merges++;
    firn_rc rc = merge(f, "dev", "main", &result);
    if (!clean) {
        m->conflicts++;
        assert_int_equal(rc, FIRN_E_VALIDATION);
        assert_int_equal(result.n_conflicts, expected);
        assert_string_equal(head(f, "main"), before);
        assert_int_equal(warehouse_files(f), files);
        check_all(m);
        /* Give in: main is put where dev stands. */
        assert_ok(
            f, firn_catalog_ref_reset(f->catalog, f->arena, "main", "dev", before, NULL, &f->err));
        memcpy(m->now[0], m->now[1], sizeof(m->now[0]));
    } else {
        assert_ok(f, rc);
        m->replays += (int)result.n_replayed;
        assert_true(!any || result.n_merged > 0);
        memcpy(m->now[0], merged, sizeof(merged));
        check_all(m);
        /* Twice is once. */
        bool made = result.commit_id != NULL;
        before = head(f, "main");
        assert_ok(f, merge(f, "dev", "main", &result));
        assert_null(result.commit_id);
        assert_string_equal(head(f, "main"), before);
        /* And back: what main has comes to dev as it is, since the merge is where they parted now. */
        assert_ok(f, merge(f, "main", "dev", &result));
        assert_true(!made || result.n_replayed == 0);
        memcpy(m->now[1], m->now[0], sizeof(m->now[1]));
    }
    check_all(m);
    for (int t = 0; t < TABLES; t++) {
        m->now[0][t].changed = m->now[0][t].deleted_rows = false;
        m->now[1][t].changed = m->now[1][t].deleted_rows = false;
        m->base[t] = m->now[0][t];
    }
}

/* main into dev alone, as people do to catch up: from then on the two part where main stood. */
static void catch_up(model *m)
{
    fixture *f = m->f;
    table_model merged[TABLES];
    bool clean = true;
    bool touched[TABLES];
    for (int t = 0; t < TABLES; t++) {
        clean &= merge_table(&m->base[t], &m->now[1][t], &m->now[0][t], &merged[t], &touched[t]);
    }
    firn_merge_result result;
    firn_rc rc = merge(f, "main", "dev", &result);
    m->merges++;
    if (!clean) {
        m->conflicts++;
        assert_int_equal(rc, FIRN_E_VALIDATION);
        check_all(m);
        return;
    }
    assert_ok(f, rc);
    m->replays += (int)result.n_replayed;
    for (int t = 0; t < TABLES; t++) {
        table_model *dev = &m->now[1][t];
        bool as_main = !has_changed(&m->base[t], dev);
        bool deleted = dev->deleted_rows;
        *dev = merged[t];
        if (result.commit_id) {
            dev->changed = !as_main;
            dev->deleted_rows = deleted && !as_main;
            m->base[t] = m->now[0][t];
            m->now[0][t].changed = m->now[0][t].deleted_rows = false;
        }
    }
    check_all(m);
}

static void random_work_merges_as_the_model_says(void **state)
{
    (void)state;
    enum { RUNS = 12, ROUNDS = 6 };
    const char *given = getenv("FIRN_TEST_SEED");
    int merges = 0, conflicts = 0, replays = 0;
    for (int run = 0; run < RUNS; run++) {
        fixture *f = fixture_new();
        model m = {.f = f,
                   .seed =
                       given ? (unsigned)atoi(given) + (unsigned)run : 20261128u + (unsigned)run};
        assert_ok(f, create_ns(f, NULL, "s"));
        assert_ok(f, firn_catalog_ref_create(f->catalog, "dev", false, NULL, &f->err));
        for (int t = 0; t < TABLES; t++) {
            work_create(&m, 0, t);
        }
        merge_both_ways(&m);
        firn_merge_result result;
        assert_ok(f, merge(f, "main", "dev", &result));
        for (int round = 0; round < ROUNDS; round++) {
            for (int i = 2 + dice(&m, 7); i > 0; i--) {
                work(&m);
            }
            if (dice(&m, 2) == 0) {
                catch_up(&m);
                for (int i = 1 + dice(&m, 5); i > 0; i--) {
                    work(&m);
                }
            }
            merge_both_ways(&m);
        }
        merges += m.merges;
        conflicts += m.conflicts;
        replays += m.replays;
        fixture_free(f);
    }
    print_message("# %d merges: %d refused, %d tables replayed\n", merges, conflicts, replays);
    assert_true(conflicts > merges / 20);
    assert_true(replays > merges / 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_work_merges_as_the_model_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
