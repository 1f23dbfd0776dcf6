/* Locations: the spellings of one local file, other schemes, and joining. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "location.h"

static void assert_file(const char *location, const char *path)
{
    firn_location place;
    assert_int_equal(firn_location_parse(location, &place, NULL), FIRN_OK);
    assert_string_equal(place.scheme, "file");
    assert_string_equal(place.target, path);
}

static void local_files_have_four_spellings(void **state)
{
    (void)state;
    assert_file("/lake/a.avro", "/lake/a.avro");
    assert_file("file:/lake/a.avro", "/lake/a.avro");
    assert_file("file:///lake/a.avro", "/lake/a.avro");
    assert_file("FILE://localhost/lake/a.avro", "/lake/a.avro");
    assert_file("//lake/a.avro", "/lake/a.avro");
}

static void percent_signs_are_part_of_the_name(void **state)
{
    (void)state;
    assert_file("file:///t/data/name=a%2Fb/x.parquet", "/t/data/name=a%2Fb/x.parquet");
}

static void other_schemes_keep_the_whole_uri(void **state)
{
    (void)state;
    firn_location place;
    assert_int_equal(firn_location_parse("S3://bucket/key", &place, NULL), FIRN_OK);
    assert_string_equal(place.scheme, "s3");
    assert_string_equal(place.target, "S3://bucket/key");
}

static void what_is_not_absolute_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",          "lake/a",        "./a",
                                      "file:a",    "file://host/a", "://a",
                                      "1s3://a/b", "a b://c/d",     "abcdefghijklmnopq://a"};
    firn_location place;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        firn_err err = {0};
        assert_int_equal(firn_location_parse(bad[i], &place, &err), FIRN_E_INVALID);
        assert_non_null(strstr(err.message, bad[i]));
    }
}

static void joining_puts_exactly_one_slash(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    assert_string_equal(firn_location_join(arena, "s3://b/t", "data/x"), "s3://b/t/data/x");
    assert_string_equal(firn_location_join(arena, "s3://b/t//", "/data/x"), "s3://b/t/data/x");
    assert_string_equal(firn_location_join(arena, "/", "x"), "/x");
}

static void a_path_becomes_a_file_uri(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    assert_string_equal(firn_location_of_path(arena, "/lake/./wh/../warehouse"),
                        "file:///lake/warehouse");
    assert_string_equal(firn_location_of_path(arena, "s3://bucket/x"), "s3://bucket/x");
    assert_true(firn_starts_with(firn_location_of_path(arena, "lake"), "file:///"));
    assert_true(firn_ends_with(firn_location_of_path(arena, "lake"), "/lake"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(local_files_have_four_spellings),
        cmocka_unit_test(percent_signs_are_part_of_the_name),
        cmocka_unit_test(other_schemes_keep_the_whole_uri),
        cmocka_unit_test(what_is_not_absolute_is_refused),
        cmocka_unit_test(joining_puts_exactly_one_slash),
        cmocka_unit_test(a_path_becomes_a_file_uri),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
