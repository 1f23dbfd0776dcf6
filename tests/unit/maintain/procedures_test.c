/* CALL system.expire_snapshots and system.rewrite_data_files. */
#include "../engine/lake_fixture.h"

#include "maintain/maintain.h"

static int setup(void **state)
{
    lake_setup(state);
    lake_fixture *f = *state;
    firn_maintain_install(f->engine);
    lake_exec(
        f, "create schema s; create table s.t (id bigint, g varchar) partitioned by (g);"
           "insert into s.t values (1, 'a'), (2, 'b'); insert into s.t values (3, 'a'), (4, 'b');"
           "insert into s.t values (5, 'a')");
    return 0;
}

static void files_are_rewritten(void **state)
{
    lake_fixture *f = *state;
    const char *row = lake_text(
        f, "call system.rewrite_data_files(table => 's.t', where => 'g = ''b''',"
           " options => map('min-input-files', '2', 'partial-progress.enabled', 'true'))");
    assert_true(firn_starts_with(row, "2|1|"));
    row = lake_text(f, "call rewrite_data_files('s.t', 'binpack')");
    assert_true(firn_starts_with(row, "3|1|"));
    assert_true(firn_starts_with(lake_text(f, "call rewrite_data_files('s.t')"), "0|0|0|0|0"));
    lake_expect(f, "select count(*), sum(id) from s.t", "5|15");
    lake_expect(f, "select count(*) from s.t$files", "2");
}

static void snapshots_expire(void **state)
{
    lake_fixture *f = *state;
    lake_expect(f, "call system.expire_snapshots('s.t')", "0|0|0|NULL");
    const char *row = lake_text(f, "call system.expire_snapshots(table => 's.t', older_than => "
                                   "timestamp '2100-01-01 00:00:00', retain_last => 2)");
    assert_true(firn_starts_with(row, "1|1|"));
    lake_exec(f, "create tag q1; insert into s.t values (6, 'a')");
    row = lake_text(f, "call expire_snapshots('s.t', 4102444800000, 1, 4, true)");
    lake_contains(row, "0|0|0|tag q1 has snapshot ");
    lake_expect(f, "select count(*) from s.t$snapshots", "3");
}

static void mistakes_are_told(void **state)
{
    lake_fixture *f = *state;
    const struct {
        const char *sql;
        firn_rc code;
        const char *words;
    } mistakes[] = {
        {"call expire_snapshots('s.t', 'soon')", FIRN_E_TYPE, "older_than is a timestamp"},
        {"call expire_snapshots('s.t', retain_last => 0)", FIRN_E_TYPE, "retain_last is a number"},
        {"call expire_snapshots('s.t', snapshot_ids => 1)", FIRN_E_INVALID,
         "no parameter snapshot_ids"},
        {"call expire_snapshots('s.x')", FIRN_E_NO_TABLE, "s.x"},
        {"call expire_snapshot('s.t')", FIRN_E_NOT_FOUND, "Did you mean expire_snapshots?"},
        {"call rewrite_data_files('s.t', 'sort')", FIRN_E_UNSUPPORTED, "WRITE ORDERED BY"},
        {"call rewrite_data_files('s.t', options => map('x', '1'))", FIRN_E_INVALID, "no option x"},
        {"call rewrite_data_files('s.t', options => map('min-input-files', '0'))", FIRN_E_TYPE,
         "min-input-files"},
        {"call rewrite_data_files('s.t', options => 'x')", FIRN_E_TYPE, "is a map"},
        {"call rewrite_data_files('s.t', where => 'random() < id')", FIRN_E_INVALID,
         "cannot be picked by"},
        {"call rewrite_manifests('s.t')", FIRN_E_UNSUPPORTED,
         "expire_snapshots, rewrite_data_files"},
    };
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        lake_contains(lake_fails(f, mistakes[i].sql, mistakes[i].code), mistakes[i].words);
    }
    lake_expect(f, "select count(*) from s.t$snapshots", "3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_are_rewritten, setup, lake_teardown),
        cmocka_unit_test_setup_teardown(snapshots_expire, setup, lake_teardown),
        cmocka_unit_test_setup_teardown(mistakes_are_told, setup, lake_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
