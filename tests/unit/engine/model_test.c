/* Random statements on a lake table and on a DuckDB temporary table side by side: after each one both hold the same rows, whatever
 * the format version, the partitioning and the way of deleting. */
#include "lake_fixture.h"

#include "base/uuid.h"

typedef struct variant {
    const char *name;
    const char *partitioning;
    const char *properties;
} variant;

static const variant variants[] = {
    {"plain v2", "", "'format-version' = '2'"},
    {"plain v3", "", "'format-version' = '3'"},
    {"partitioned v2", "PARTITIONED BY (bucket(3, id), days(ts))", "'format-version' = '2'"},
    {"partitioned v3", "PARTITIONED BY (truncate(2, name))", "'format-version' = '3'"},
    {"merge-on-read v2", "",
     "'format-version' = '2', 'write.delete.mode' = 'merge-on-read', 'write.update.mode' = "
     "'merge-on-read', 'write.merge.mode' = 'merge-on-read'"},
    {"merge-on-read v3", "PARTITIONED BY (grp)",
     "'format-version' = '3', 'write.delete.mode' = 'merge-on-read', 'write.update.mode' = "
     "'merge-on-read', 'write.merge.mode' = 'merge-on-read'"},
    {"sorted v2", "PARTITIONED BY (grp) ORDERED BY (name, id DESC)", "'format-version' = '2'"},
};

enum { STEPS = 16, IDS = 60 };

static const char COLUMNS[] =
    "(id BIGINT, name VARCHAR, grp INTEGER, ts TIMESTAMP, amount DECIMAL(12, 2), tags VARCHAR[], "
    "spot STRUCT(x INTEGER, y VARCHAR))";

static uint64_t pick(firn_rng *rng, uint64_t below)
{
    return firn_rng_below(rng, below);
}

/* Rows that depend on the seed in the text alone, so that both tables get the same. */
static char *random_rows(lake_fixture *f, firn_rng *rng)
{
    return firn_arena_printf(
        f->arena,
        "SELECT (hash(i, %d) %% %d)::BIGINT AS id, CASE WHEN i %% 7 = 0 THEN NULL ELSE "
        "'n' || (hash(i, 1) %% 20) END AS name, (hash(i, 2) %% 3)::INTEGER AS grp, CASE WHEN i %% "
        "11 = 0 THEN NULL ELSE TIMESTAMP '1969-12-30 00:00:00' + to_hours((hash(i, 3) %% "
        "96)::INTEGER) END AS ts, ((hash(i, 4) %% 10000) / 100)::DECIMAL(12, 2) AS amount, CASE "
        "WHEN i %% 5 = 0 THEN NULL ELSE ['a', NULL, 'b' || i] END AS tags, CASE WHEN i %% 6 = 0 "
        "THEN NULL ELSE {'x': i::INTEGER, 'y': 'y' || i} END AS spot FROM range(%d, %d) r(i)",
        (int)pick(rng, 1000), IDS, (int)pick(rng, 50), (int)pick(rng, 50) + 30);
}

static const char *random_condition(lake_fixture *f, firn_rng *rng, const char *t)
{
    int n = (int)pick(rng, IDS);
    switch (pick(rng, 10)) {
    case 0: return firn_arena_printf(f->arena, "%s.id = %d", t, n);
    case 1: return firn_arena_printf(f->arena, "%s.id BETWEEN %d AND %d", t, n, n + 9);
    case 2: return firn_arena_printf(f->arena, "%s.name IS NULL", t);
    case 3: return firn_arena_printf(f->arena, "%s.name LIKE 'n1%%' AND %s.id > %d", t, t, n);
    case 4:
        return firn_arena_printf(f->arena, "%s.ts < TIMESTAMP '1969-12-31' + to_hours(%d)", t, n);
    case 5: return firn_arena_printf(f->arena, "%s.grp = %d", t, n % 3);
    case 6: return firn_arena_printf(f->arena, "%s.spot.x %% 4 = %d", t, n % 4);
    case 7: return firn_arena_printf(f->arena, "NOT (%s.amount > %d)", t, n);
    case 8: return firn_arena_printf(f->arena, "%s.grp = %d OR %s.ts IS NULL", t, n % 3, t);
    default:
        return firn_arena_printf(f->arena, "%s.id IN (SELECT range FROM range(%d, %d))", t, n,
                                 n + 5);
    }
}

/* One statement with TABLE in place of the table's name. */
static const char *random_statement(lake_fixture *f, firn_rng *rng)
{
    const char *rows = random_rows(f, rng);
    switch (pick(rng, 12)) {
    case 0:
    case 1:
    case 2: return firn_arena_printf(f->arena, "INSERT INTO TABLE_ %s", rows);
    case 3:
        return firn_arena_printf(f->arena, "INSERT INTO TABLE_ (id, grp) SELECT id, grp FROM (%s)",
                                 rows);
    case 4:
        return firn_arena_printf(f->arena, "INSERT INTO TABLE_ BY NAME SELECT ts, id FROM (%s)",
                                 rows);
    case 5:
    case 6:
        return firn_arena_printf(f->arena, "DELETE FROM TABLE_ AS t WHERE %s",
                                 random_condition(f, rng, "t"));
    case 7:
        return firn_arena_printf(f->arena,
                                 "UPDATE TABLE_ AS t SET name = t.name || '!', amount = amount + 1 "
                                 "WHERE %s",
                                 random_condition(f, rng, "t"));
    case 8:
        return firn_arena_printf(
            f->arena,
            "UPDATE TABLE_ AS t SET grp = CASE WHEN grp = 2 THEN 0 ELSE grp + 1 "
            "END, spot = {'x': -1, 'y': name} WHERE %s",
            random_condition(f, rng, "t"));
    case 9:
        return firn_arena_printf(f->arena,
                                 "DELETE FROM TABLE_ AS t USING (%s) AS s WHERE t.id = s.id AND %s",
                                 rows, random_condition(f, rng, "t"));
    default:
        return firn_arena_printf(
            f->arena,
            "MERGE INTO TABLE_ AS t USING (SELECT DISTINCT ON (id) * FROM (%s) ORDER BY ALL) AS s ON t.id = "
            "s.id AND t.grp <> 1 WHEN MATCHED AND %s THEN DELETE WHEN MATCHED AND s.grp = 1 THEN UPDATE SET "
            "name = s.name, amount = s.amount WHEN MATCHED THEN UPDATE SET ts = s.ts WHEN NOT MATCHED AND s.id "
            "> 10 THEN INSERT (id, name, tags) VALUES (s.id, s.name, s.tags)%s",
            rows, random_condition(f, rng, "t"),
            pick(rng, 2) == 0 ? "" : " WHEN NOT MATCHED BY SOURCE AND t.id < 5 THEN DELETE");
    }
}

static void same_rows(lake_fixture *f, const char *after)
{
    const char *text = lake_text(f, "SELECT count(*) FROM ((FROM lake EXCEPT ALL FROM model) UNION "
                                    "ALL (FROM model EXCEPT ALL FROM lake))");
    if (strcmp(text, "0") != 0) {
        fail_msg("%s rows differ after: %s\nlake:\n%s\nmodel:\n%s", text, after,
                 lake_text(f, "FROM lake EXCEPT ALL FROM model"),
                 lake_text(f, "FROM model EXCEPT ALL FROM lake"));
    }
}

static void run_variant(lake_fixture *f, const variant *v, uint64_t seed)
{
    firn_rng rng;
    firn_rng_init(&rng, seed);
    lake_exec(f, firn_arena_printf(
                     f->arena,
                     "CREATE TABLE lake %s %s TBLPROPERTIES (%s); CREATE TEMP TABLE model %s",
                     COLUMNS, v->partitioning, v->properties, COLUMNS));
    for (int i = 0; i < STEPS; i++) {
        const char *statement = random_statement(f, &rng);
        lake_exec(f, firn_str_replace(f->arena, statement, "TABLE_", "lake"));
        lake_exec(f, firn_str_replace(f->arena, statement, "TABLE_", "model"));
        same_rows(f, firn_arena_printf(f->arena, "step %d of %s, seed %llu: %s", i, v->name,
                                       (unsigned long long)seed, statement));
    }
    lake_exec(f, "DROP TABLE lake; DROP TABLE model");
}

static void random_statements_agree(void **state)
{
    lake_fixture *f = *state;
    const char *seed = getenv("FIRN_MODEL_SEED");
    int64_t start = 1;
    if (seed != NULL) {
        assert_true(firn_parse_i64(seed, &start));
    }
    for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
        run_variant(f, &variants[i], (uint64_t)start * 100 + i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(random_statements_agree, lake_setup, lake_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
