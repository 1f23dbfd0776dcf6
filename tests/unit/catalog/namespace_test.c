/* Namespaces: nested, with properties, listed by level, dropped only when empty. */
#include "fixture.h"

static void names_are_split_at_dots_and_quoted_where_they_hold_some(void **state)
{
    fixture *f = *state;
    assert_string_equal(firn_ns_parse(f->arena, "a.b"), "a\x1f"
                                                        "b");
    assert_string_equal(firn_ns_parse(f->arena, "\"a.b\".c"), "a.b\x1f"
                                                              "c");
    assert_string_equal(firn_ns_parse(f->arena, "\"say \"\"hi\"\"\""), "say \"hi\"");
    assert_string_equal(firn_ns_text(f->arena, "a\x1f"
                                               "b"),
                        "a.b");
    assert_string_equal(firn_ns_text(f->arena, "a.b\x1f"
                                               "c"),
                        "\"a.b\".c");
    assert_string_equal(firn_ident_text(f->arena, (firn_ident){"bronze", "or ders"}),
                        "bronze.\"or ders\"");
    assert_string_equal(firn_ident_text(f->arena, (firn_ident){"bronze", NULL}), "bronze");
}

static char **list(fixture *f, const char *parent, bool recursive, size_t *n)
{
    char **out;
    parent = parent ? firn_ns_parse(f->arena, parent) : NULL;
    assert_ok(f, firn_catalog_namespace_list(f->catalog, f->arena, NULL, parent, recursive, &out, n,
                                             &f->err));
    return out;
}

static void they_nest_and_list_by_level(void **state)
{
    fixture *f = *state;
    size_t n;
    static const char *const all[] = {"silver", "bronze", "bronze.shop", "bronze.shop.eu",
                                      "bronze2"};
    for (size_t i = 0; i < 5; i++) {
        assert_ok(f, create_ns(f, NULL, all[i]));
    }
    char **top = list(f, NULL, false, &n);
    assert_int_equal(n, 3);
    assert_string_equal(top[0], "bronze");
    assert_string_equal(top[1], "bronze2");
    assert_string_equal(top[2], "silver");
    char **below = list(f, "bronze", false, &n);
    assert_int_equal(n, 1);
    assert_string_equal(below[0], "bronze\x1f"
                                  "shop");
    list(f, "bronze", true, &n);
    assert_int_equal(n, 2);
    list(f, NULL, true, &n);
    assert_int_equal(n, 5);
    char **none;
    assert_fails(f,
                 firn_catalog_namespace_list(f->catalog, f->arena, NULL, "bronce", false, &none, &n,
                                             &f->err),
                 FIRN_E_NO_NAMESPACE, "there is no namespace bronce on main. Did you mean bronze?");
}

static void a_parent_must_exist(void **state)
{
    fixture *f = *state;
    assert_fails(f, create_ns(f, NULL, "a.b"), FIRN_E_NO_NAMESPACE,
                 "there is no namespace a on main");
    assert_ok(f, create_ns(f, NULL, "a"));
    assert_ok(f, create_ns(f, NULL, "a.b"));
    assert_fails(f, create_ns(f, NULL, "a.b"), FIRN_E_EXISTS,
                 "namespace a.b exists already on main");
}

static firn_rc set_properties(fixture *f, const char *ns, const char *json)
{
    json_t *document = firn_json_own(f->arena, json_loads(json, 0, NULL));
    return commit_one(f, NULL,
                      (firn_change){
                          .kind = FIRN_CHANGE_SET_NAMESPACE_PROPERTIES,
                          .ident = {.ns = ns},
                          .document = document,
                      });
}

static const char *properties(fixture *f, const char *ns)
{
    json_t *out;
    assert_ok(f, firn_catalog_namespace_properties(f->catalog, f->arena, NULL, ns, &out, &f->err));
    return firn_json_text(f->arena, out);
}

static void properties_are_set_and_removed(void **state)
{
    fixture *f = *state;
    json_t *document =
        firn_json_own(f->arena, json_pack("{ssss}", "owner", "ann", "comment", "raw"));
    assert_ok(f, commit_one(f, NULL,
                            (firn_change){
                                .kind = FIRN_CHANGE_CREATE_NAMESPACE,
                                .ident = {.ns = "bronze"},
                                .document = document,
                            }));
    assert_string_equal(properties(f, "bronze"), "{\"comment\":\"raw\",\"owner\":\"ann\"}");
    assert_ok(
        f, set_properties(f, "bronze", "{\"owner\": \"bob\", \"comment\": null, \"gone\": null}"));
    assert_string_equal(properties(f, "bronze"), "{\"owner\":\"bob\"}");
    assert_fails(f, set_properties(f, "bronze", "{\"a\": 1}"), FIRN_E_INVALID,
                 "\"a\" of namespace bronze");
    assert_fails(f, set_properties(f, "gold", "{}"), FIRN_E_NO_NAMESPACE, "gold");
    json_t *out;
    assert_fails(
        f, firn_catalog_namespace_properties(f->catalog, f->arena, NULL, "gold", &out, &f->err),
        FIRN_E_NO_NAMESPACE, "gold");
}

static void setting_what_is_set_commits_nothing(void **state)
{
    fixture *f = *state;
    assert_ok(f, create_ns(f, NULL, "bronze"));
    assert_ok(f, set_properties(f, "bronze", "{\"a\": \"1\", \"b\": \"2\"}"));
    const char *before = head(f, NULL);
    assert_ok(f, set_properties(f, "bronze", "{\"b\": \"2\", \"a\": \"1\"}"));
    assert_string_equal(head(f, NULL), before);
}

static void only_an_empty_one_can_be_dropped(void **state)
{
    fixture *f = *state;
    assert_ok(f, create_ns(f, NULL, "a"));
    assert_ok(f, create_ns(f, NULL, "a.b"));
    assert_ok(f, create_table(f, NULL, "a.b", "t"));
    assert_fails(f, drop_ns(f, NULL, "a"), FIRN_E_NOT_EMPTY, "namespace a is not empty on main");
    assert_fails(f, drop_ns(f, NULL, "a.b"), FIRN_E_NOT_EMPTY, "namespace a.b is not empty");
    assert_ok(f, commit_one(f, NULL, drop_change(f, "a.b", "t")));
    assert_ok(f, drop_ns(f, NULL, "a.b"));
    assert_ok(f, drop_ns(f, NULL, "a"));
    assert_fails(f, drop_ns(f, NULL, "a"), FIRN_E_NO_NAMESPACE, "there is no namespace a");
}

static void a_whole_tree_goes_in_one_commit(void **state)
{
    fixture *f = *state;
    firn_change make[] = {
        {.kind = FIRN_CHANGE_CREATE_NAMESPACE, .ident = id(f, "a", NULL)},
        {.kind = FIRN_CHANGE_CREATE_NAMESPACE, .ident = id(f, "a.b", NULL)},
        create_change(f, "a.b", "t"),
    };
    assert_ok(f, firn_catalog_commit(f->catalog, f->arena, NULL, make, 3, NULL, NULL, &f->err));
    firn_change drop[] = {
        {.kind = FIRN_CHANGE_DROP_NAMESPACE, .ident = id(f, "a", NULL)},
        {.kind = FIRN_CHANGE_DROP_NAMESPACE, .ident = id(f, "a.b", NULL)},
        drop_change(f, "a.b", "t"),
    };
    assert_ok(f, firn_catalog_commit(f->catalog, f->arena, NULL, drop, 3, NULL, NULL, &f->err));
    size_t n;
    list(f, NULL, true, &n);
    assert_int_equal(n, 0);
}

static void names_have_bounds(void **state)
{
    fixture *f = *state;
    char *long_name = firn_arena_zalloc(f->arena, 257);
    memset(long_name, 'x', 256);
    assert_fails(f, create_ns(f, NULL, long_name), FIRN_E_LIMIT, "256 bytes");
    assert_fails(f, create_ns(f, NULL, ""), FIRN_E_INVALID, "must not be empty");
    assert_fails(f, create_ns(f, NULL, "a..b"), FIRN_E_INVALID, "must not be empty");
    assert_fails(f, create_ns(f, NULL, "a\nb"), FIRN_E_INVALID, "control character (0x0a)");
    assert_fails(f, create_ns(f, NULL, "\xff"), FIRN_E_INVALID, "UTF-8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(names_are_split_at_dots_and_quoted_where_they_hold_some),
        TEST(they_nest_and_list_by_level),
        TEST(a_parent_must_exist),
        TEST(properties_are_set_and_removed),
        TEST(setting_what_is_set_commits_nothing),
        TEST(only_an_empty_one_can_be_dropped),
        TEST(a_whole_tree_goes_in_one_commit),
        TEST(names_have_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
