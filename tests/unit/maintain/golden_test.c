/* Tables that Spark, Java and PyIceberg wrote (tests/golden/tables), with equality deletes, vectors and specs of all kinds: compacted,
 * then expired down to one snapshot, each has the rows that it had, those of format version 3 with their ids.
 */
#include "../engine/lake_fixture.h"

#include "maintain/maintain.h"

#include "base/time.h"

#include <dirent.h>

#define GOLDEN "tests/golden/tables"

static const char *register_table(lake_fixture *f, firn_arena *arena, const char *dir,
                                  const char *name)
{
    json_error_t where;
    firn_err err = {0};
    const char *path = firn_arena_printf(arena, "%s/%s/expected.json", dir, name);
    json_t *expected = firn_json_own(arena, json_load_file(path, 0, &where));
    if (expected == NULL) {
        fail_msg("%s: %s", path, where.text);
    }
    firn_change change = {
        .kind = FIRN_CHANGE_REGISTER_TABLE,
        .ident = {.ns = "golden", .name = name},
        .location = firn_arena_printf(arena, "%s/%s",
                                      json_string_value(json_object_get(expected, "location")),
                                      json_string_value(json_object_get(expected, "metadata")))};
    firn_commit_result result;
    lake_check(firn_catalog_commit(firn_lake_catalog(f->lake), arena, "main", &change, 1, NULL,
                                   &result, &err),
               &err, name);
    return json_object_get(expected, "row_lineage") != NULL ? ", _row_id, "
                                                              "_last_updated_sequence_number"
                                                            : "";
}

/* NULL: it cannot be read (ORC, variant). */
static const char *rows_of(lake_fixture *f, firn_arena *arena, const char *name,
                           const char *lineage)
{
    firn_err err = {0};
    const char *text = NULL;
    const char *sql = firn_arena_printf(
        arena,
        "select count(*) || ' ' || coalesce(string_agg(r::varchar, chr(10) order by r::varchar), '')"
        " from (select t as r from (select *%s from golden.%s) t)",
        lineage, name);
    return firn_session_scalar(f->session, arena, sql, &text, &err) == FIRN_OK ? text : NULL;
}

static int differs(const char *name, const char *what, const char *before, const char *after)
{
    if (after != NULL && firn_streq(before, after)) {
        return 0;
    }
    print_error("%s: other rows after %s:\n%.2000s\n--- before:\n%.2000s\n", name, what,
                after != NULL ? after : "(unreadable)", before);
    return 1;
}

/* Its rows could be read but are of a kind that firn does not write. */
static bool may_be_refused(firn_rc rc, const firn_err *err)
{
    return rc == FIRN_E_UNSUPPORTED && strstr(err->message, "write") != NULL;
}

static int maintain_table(lake_fixture *f, const char *dir, const char *name, int *compacted,
                          int *expired)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_err err = {0};
    const char *lineage = register_table(f, arena, dir, name);
    const char *before = rows_of(f, arena, name, lineage);
    if (before == NULL) {
        return 0;
    }
    firn_compact_options compact = {.ident = {.ns = "golden", .name = name}};
    firn_compact_result done;
    firn_rc rc = firn_maintain_compact(f->session, arena, &compact, &done, &err);
    if (rc != FIRN_OK && !may_be_refused(rc, &err)) {
        print_error("%s: compact: %s\n", name, err.message);
        return 1;
    }
    *compacted += rc == FIRN_OK && done.files_before > 0;
    int bad = differs(name, "compaction", before, rows_of(f, arena, name, lineage));
    if (rc == FIRN_OK &&
        (done.given_up > 0 ||
         firn_maintain_compact(f->session, arena, &compact, &done, &err) != FIRN_OK ||
         done.given_up > 0)) {
        print_error("%s: given up, or cannot be compacted twice: %s\n", name, err.message);
        bad++;
    }
    firn_expire_options expire = {
        .ident = compact.ident, .older_than_us = firn_now_us() + 10 * 1000 * 1000, .keep_last = 1};
    firn_expire_result gone;
    rc = firn_maintain_expire(f->session, arena, &expire, &gone, &err);
    if (rc != FIRN_OK && rc != FIRN_E_INVALID) {
        print_error("%s: expire: %s\n", name, err.message);
        return 1;
    }
    *expired += rc == FIRN_OK && gone.files > 0;
    lake_reopen(f);
    return bad + differs(name, "expiry", before, rows_of(f, arena, name, lineage));
}

static void every_table_keeps_its_rows(void **state)
{
    lake_fixture *f = *state;
    const char *from =
        firn_path_absolute(f->arena, firn_arena_printf(f->arena, "%s/" GOLDEN, lake_source_dir()));
    const char *dir = firn_path_join(f->arena, f->root, "golden");
    assert_int_equal(
        system(firn_arena_printf(f->arena, "cp -r '%s' '%s' && chmod -R u+w '%s'", from, dir, dir)),
        0);
    lake_configure(
        f, "  # aliases: []",
        firn_arena_printf(f->arena, "  aliases: [{from: /firn-golden, to: \"%s\"}]", dir));
    lake_exec(f, "create schema golden");
    struct dirent **names;
    int n = scandir(dir, &names, NULL, alphasort), bad = 0, compacted = 0, expired = 0;
    const char *only = getenv("FIRN_GOLDEN_TABLE");
    for (int i = 0; i < n; i++) {
        if (names[i]->d_name[0] != '.' && (only == NULL || firn_streq(only, names[i]->d_name))) {
            bad += maintain_table(f, dir, names[i]->d_name, &compacted, &expired);
        }
        free(names[i]);
    }
    free(names);
    print_message("# %d golden tables compacted, %d expired\n", compacted, expired);
    assert_int_equal(bad, 0);
    assert_true(only != NULL || (compacted >= 40 && expired >= 60));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_table_keeps_its_rows, lake_setup, lake_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
