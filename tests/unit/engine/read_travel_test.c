/* Spellings of time travel and names, on text alone. */
#include "read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void becomes(const char *sql, const char *expected)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    char *out = NULL;
    firn_err err = {0};
    if (firn_read_time_travel(arena, sql, &out, &err) != FIRN_OK) {
        fail_msg("%s: %s", sql, err.message);
    }
    assert_string_equal(out, expected);
}

static void as_of_goes_behind_the_alias(void **state)
{
    (void)state;
    becomes("SELECT * FROM t VERSION AS OF 5", "SELECT * FROM t AT (VERSION => 5)");
    becomes("SELECT * FROM t VERSION AS OF 5 a WHERE a.x = 1",
            "SELECT * FROM t AS a AT (VERSION => 5) WHERE a.x = 1");
    becomes("FROM s.t FOR VERSION AS OF 'v1' AS a(b, c) JOIN u",
            "FROM s.t AS a(b, c) AT (VERSION => 'v1') JOIN u");
    becomes("FROM t TIMESTAMP AS OF '2024-01-01' LIMIT 1",
            "FROM t AT (TIMESTAMP => '2024-01-01') LIMIT 1");
    becomes("FROM t FOR SYSTEM_TIME AS OF now() - INTERVAL '1 day' a",
            "FROM t AS a AT (TIMESTAMP => now() - INTERVAL '1 day')");
    becomes("FROM t FOR SYSTEM_TIME AS OF TIMESTAMP '2024-01-01 00:00:00', u",
            "FROM t AT (TIMESTAMP => TIMESTAMP '2024-01-01 00:00:00'), u");
    becomes("SELECT (SELECT 1 FROM t FOR SYSTEM_VERSION AS OF 7) x",
            "SELECT (SELECT 1 FROM t AT (VERSION => 7)) x");
    becomes("FROM t TIMESTAMP AS OF ('2024-01-01'::DATE + 1) ORDER BY 1",
            "FROM t AT (TIMESTAMP => ('2024-01-01'::DATE + 1)) ORDER BY 1");
    becomes("FROM t AT (VERSION => 5) a", "FROM t AS a AT (VERSION => 5)");
    becomes("FROM t AS a AT (VERSION => 5) WHERE 1", "FROM t AS a AT (VERSION => 5) WHERE 1");
}

static void refs_become_part_of_the_name(void **state)
{
    (void)state;
    becomes("SELECT * FROM t@dev", "SELECT * FROM \"t@dev\"");
    becomes("FROM s.t@feature/x-1 a", "FROM \"s\".\"t@feature/x-1\" a");
    becomes("FROM \"odd name\"@\"my ref\"", "FROM \"odd name@my ref\"");
    becomes("FROM a, s.b@dev", "FROM a, \"s\".\"b@dev\"");
    becomes("FROM t@dev VERSION AS OF 3 x", "FROM \"t@dev\" AS x AT (VERSION => 3)");
}

static void long_names_fit_the_parser(void **state)
{
    (void)state;
    becomes("FROM a.b.c.t", "FROM \"a\x1f"
                            "b\x1f"
                            "c\".\"t\"");
    becomes("SELECT a.b.c.d FROM a.b.t", "SELECT a.b.c.d FROM a.b.t");
}

static void everything_else_stays(void **state)
{
    (void)state;
    static const char *const SAME[] = {
        "SELECT 'FROM t VERSION AS OF 5', \"t@x\" FROM t -- t@dev\n",
        "SELECT @ -5, a @> b, x AS version FROM t",
        "SELECT version FROM t AS version",
        "SELECT timestamp '2024-01-01' FROM t",
        "/* FROM t@dev */ SELECT 1",
        "SELECT at FROM t WHERE at > 5",
        "",
    };
    for (size_t i = 0; i < sizeof(SAME) / sizeof(SAME[0]); i++) {
        becomes(SAME[i], SAME[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_of_goes_behind_the_alias),
        cmocka_unit_test(refs_become_part_of_the_name),
        cmocka_unit_test(long_names_fit_the_parser),
        cmocka_unit_test(everything_else_stays),
    };
    return cmocka_run_group_tests_name("engine/read_travel", tests, NULL, NULL);
}
