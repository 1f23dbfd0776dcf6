/* The management API: refs, logs, differences, merges and their conflicts, cherry-picks. */
#include "serving.h"

static serving *s;

static int setup(void **state)
{
    static serving fresh;
    serving_start(&fresh, NULL);
    s = &fresh;
    *state = s;
    expect(s, 200, "POST", "/v1/namespaces", "{\"namespace\": [\"s\"]}");
    static const char *const names[] = {"a", "b"};
    for (int i = 0; i < 2; i++) {
        expect(
            s, 200, "POST", "/v1/namespaces/s/tables",
            firn_arena_printf(s->arena,
                              "{\"name\": \"%s\", \"schema\": {\"type\": \"struct\", \"fields\": "
                              "[{\"id\": 1, \"name\": \"id\", \"type\": \"long\", \"required\": "
                              "false}]}}",
                              names[i]));
    }
    expect(s, 201, "POST", "/api/v1/refs", "{\"name\": \"dev\"}");
    return 0;
}

static int teardown(void **state)
{
    serving_end(*state);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* ---- words -------------------------------------------------------------------------------------------- */

static const json_t *at(const json_t *json, const char *path)
{
    size_t n;
    char **parts = firn_str_split(s->arena, path, '.', &n);
    for (size_t i = 0; i < n && json; i++) {
        int64_t index;
        json = json_is_array(json) && firn_parse_i64(parts[i], &index)
                   ? json_array_get(json, (size_t)index)
                   : json_object_get(json, parts[i]);
    }
    return json;
}

static const char *text(const char *path)
{
    const char *value = json_string_value(at(s->json, path));
    return value ? value : "(none)";
}

static void set_property(const char *branch, const char *table, const char *key, const char *value)
{
    expect(
        s, 200, "POST",
        firn_arena_printf(s->arena, "/iceberg/%s/v1/namespaces/s/tables/%s", branch, table),
        firn_arena_printf(s->arena,
                          "{\"requirements\": [], \"updates\": [{\"action\": \"set-properties\", "
                          "\"updates\": {\"%s\": \"%s\"}}]}",
                          key, value));
}

static void add_column(const char *branch, const char *table, const char *name)
{
    expect(
        s, 200, "POST",
        firn_arena_printf(s->arena, "/iceberg/%s/v1/namespaces/s/tables/%s", branch, table),
        firn_arena_printf(
            s->arena,
            "{\"requirements\": [], \"updates\": [{\"action\": \"add-schema\", \"schema\": "
            "{\"type\": \"struct\", \"fields\": [{\"id\": 1, \"name\": \"id\", \"type\": \"long\", "
            "\"required\": false}, {\"id\": 2, \"name\": \"%s\", \"type\": \"string\", "
            "\"required\": false}]}}, {\"action\": \"set-current-schema\", \"schema-id\": -1}]}",
            name));
}

static const char *head(const char *ref)
{
    expect(s, 200, "GET", firn_arena_printf(s->arena, "/api/v1/refs/%s", ref), NULL);
    return text("commit");
}

static const char *property(const char *ref, const char *table, const char *key)
{
    expect(s, 200, "GET",
           firn_arena_printf(s->arena, "/iceberg/%s/v1/namespaces/s/tables/%s", ref, table), NULL);
    return text(firn_arena_printf(s->arena, "metadata.properties.%s", key));
}

/* ---- refs --------------------------------------------------------------------------------------------- */

static void refs_are_made_listed_moved_and_deleted(void **state)
{
    (void)state;
    const char *first = head("main");
    set_property("dev", "a", "k", "1");
    const char *second = head("dev");
    expect(s, 200, "GET", "/api/v1/refs", NULL);
    assert_int_equal(json_array_size(at(s->json, "references")), 2);
    assert_string_equal(text("references.0.name"), "dev");
    assert_string_equal(text("references.0.type"), "branch");
    assert_string_equal(text("references.0.commit"), second);
    assert_true(firn_ends_with(text("references.0.updated"), "Z"));

    /* Names with slashes, tags, from a commit's prefix. */
    expect(s, 201, "POST", "/api/v1/refs",
           firn_arena_printf(
               s->arena, "{\"name\": \"run/1\", \"type\": \"tag\", \"from\": \"%.10s\"}", second));
    assert_string_equal(text("type"), "tag");
    assert_string_equal(text("commit"), second);
    expect(s, 200, "GET", "/api/v1/refs/run%2F1", NULL);
    expect(s, 200, "GET", "/api/v1/refs?type=tag", NULL);
    assert_int_equal(json_array_size(at(s->json, "references")), 1);
    expect(s, 409, "POST", "/api/v1/refs", "{\"name\": \"dev\"}");
    expect_error(s, "AlreadyExistsException");
    expect(s, 201, "POST", "/api/v1/refs",
           "{\"name\": \"run/1\", \"type\": \"tag\", \"replace\": true}");
    assert_string_equal(text("commit"), first);
    expect(s, 409, "POST", "/api/v1/refs",
           firn_arena_printf(s->arena, "{\"name\": \"x\", \"from\": \"dev\", \"expected\": \"%s\"}",
                             first));
    expect_error(s, "CommitFailedException");

    /* Reset, with and without expectation; tags stay. */
    const char *body =
        firn_arena_printf(s->arena, "{\"to\": \"main\", \"expected\": \"%s\"}", first);
    expect(s, 409, "PUT", "/api/v1/refs/dev", body);
    expect_error(s, "CommitFailedException");
    expect(s, 200, "PUT", "/api/v1/refs/dev", "{\"to\": \"main\"}");
    assert_string_equal(text("commit"), first);
    assert_string_equal(property("dev", "a", "k"), "(none)");
    expect(s, 403, "PUT", "/api/v1/refs/run%2F1", "{\"to\": \"dev\"}");
    expect(s, 400, "PUT", "/api/v1/refs/dev", "{}");
    expect(s, 200, "PUT", "/api/v1/refs/dev", "{\"name\": \"dev2\"}");
    expect(s, 404, "GET", "/api/v1/refs/dev", NULL);
    expect_error(s, "NoSuchReferenceException");

    expect(s, 200, "GET", firn_arena_printf(s->arena, "/api/v1/refs/%s", second), NULL);
    assert_string_equal(text("type"), "commit");
    expect(s, 409, "DELETE", firn_arena_printf(s->arena, "/api/v1/refs/dev2?expected=%s", second),
           NULL);
    expect(s, 204, "DELETE", firn_arena_printf(s->arena, "/api/v1/refs/dev2?expected=%s", first),
           NULL);
    expect(s, 404, "DELETE", "/api/v1/refs/dev2", NULL);
    expect(s, 400, "DELETE", "/api/v1/refs/main", NULL);
}

static void the_log_comes_in_pages_and_filtered(void **state)
{
    (void)state;
    set_property("main", "a", "k", "1");
    set_property("main", "b", "k", "1");
    set_property("main", "a", "k", "2");
    expect(s, 200, "GET", "/api/v1/refs/main/log?limit=2", NULL);
    assert_int_equal(json_array_size(at(s->json, "commits")), 2);
    assert_string_equal(text("commits.0.changes.0"), "update table s.a");
    assert_string_equal(text("commits.0.parent"), text("commits.1.id"));
    const char *next = text("next-page-token");
    expect(s, 200, "GET",
           firn_arena_printf(s->arena, "/api/v1/refs/main/log?limit=100&page-token=%s", next),
           NULL);
    assert_string_equal(text("commits.0.id"), next);
    assert_true(json_is_null(at(s->json, "next-page-token")));
    expect(s, 200, "GET", "/api/v1/refs/main/log?table=s.a", NULL);
    assert_int_equal(json_array_size(at(s->json, "commits")), 3);
    expect(s, 200, "GET", "/api/v1/refs/main/log?namespace=s", NULL);
    assert_int_equal(json_array_size(at(s->json, "commits")), 6);
    expect(s, 200, "GET", "/api/v1/refs/main/log?until=2001-01-01T00:00:00Z", NULL);
    assert_int_equal(json_array_size(at(s->json, "commits")), 0);
    expect(s, 200, "GET", "/api/v1/refs/main/log?since=2001-01-01T00:00:00Z&author=nobody", NULL);
    assert_int_equal(json_array_size(at(s->json, "commits")), 0);
    expect(s, 400, "GET", "/api/v1/refs/main/log?since=yesterday", NULL);
    expect(s, 400, "GET", "/api/v1/refs/main/log?limit=0", NULL);
    expect(s, 200, "GET", "/api/v1/refs/main/tables?namespace=s", NULL);
    assert_int_equal(json_array_size(at(s->json, "entries")), 2);
    assert_string_equal(text("entries.0.kind"), "table");
    assert_string_equal(text("entries.0.namespace.0"), "s");
    assert_string_equal(text("entries.0.name"), "a");
}

/* ---- merge -------------------------------------------------------------------------------------------- */

static void a_merge_is_tried_and_then_made(void **state)
{
    (void)state;
    set_property("dev", "a", "k", "dev");
    add_column("dev", "a", "note");
    set_property("main", "a", "other", "main");
    const char *before = head("main");
    expect(s, 200, "GET", "/api/v1/diff?from=main&to=dev&detail=true", NULL);
    assert_string_equal(text("changes.0.change"), "changed");
    assert_string_equal(text("changes.0.columns.0.change"), "added");
    assert_string_equal(text("changes.0.columns.0.name"), "note");
    assert_string_equal(text("changes.0.columns.0.to"), "string");
    assert_int_equal(json_array_size(at(s->json, "changes.0.properties")), 2);
    assert_int_equal(json_integer_value(at(s->json, "changes.0.rows.to")), 0);
    expect(s, 200, "GET", "/api/v1/diff?from=main&to=dev", NULL);
    assert_null(at(s->json, "changes.0.columns"));
    assert_non_null(at(s->json, "changes.0.from-location"));

    expect(s, 200, "POST", "/api/v1/merge", "{\"from\": \"dev\", \"dry-run\": true}");
    assert_true(json_is_null(at(s->json, "commit")));
    assert_true(json_is_false(at(s->json, "merged")));
    assert_string_equal(text("changes.0.how"), "replayed");
    assert_string_equal(head("main"), before);
    expect(s, 200, "POST", "/api/v1/merge",
           firn_arena_printf(s->arena,
                             "{\"from\": \"dev\", \"into\": \"main\", \"message\": \"publish\", "
                             "\"expected-into\": \"%s\"}",
                             before));
    const char *commit = text("commit");
    assert_true(json_is_true(at(s->json, "merged")));
    assert_string_equal(head("main"), commit);
    assert_string_equal(property("main", "a", "k"), "dev");
    assert_string_equal(property("main", "a", "other"), "main");
    const char *dev = head("dev");
    expect(s, 200, "GET", "/api/v1/refs/main/log?limit=1", NULL);
    assert_string_equal(text("commits.0.message"), "publish");
    assert_string_equal(text("commits.0.merge-parent"), dev);
    expect(s, 200, "POST", "/api/v1/merge", "{\"from\": \"dev\"}");
    assert_true(json_is_null(at(s->json, "commit")));
    assert_true(json_is_true(at(s->json, "merged")));
    expect(s, 409, "POST", "/api/v1/merge",
           firn_arena_printf(s->arena, "{\"from\": \"dev\", \"expected-into\": \"%s\"}", before));
    expect_error(s, "CommitFailedException");
}

static void conflicts_are_all_in_the_answer(void **state)
{
    (void)state;
    set_property("dev", "a", "k", "dev");
    set_property("main", "a", "k", "main");
    add_column("dev", "b", "x");
    add_column("main", "b", "y");
    const char *before = head("main");
    expect(s, 409, "POST", "/api/v1/merge", "{\"from\": \"dev\"}");
    expect_error(s, "ValidationException");
    assert_int_equal(json_array_size(at(s->json, "conflicts")), 2);
    assert_string_equal(text("conflicts.0.type"), "VALUE_DIFFERS");
    assert_string_equal(text("conflicts.0.name"), "a");
    assert_string_equal(text("conflicts.0.details.0"),
                        "both sides changed property \"k\": dev on dev, main on main");
    assert_string_equal(
        text("conflicts.1.details.0"),
        "both sides added a column with field id 2: x string on dev, y string on main");
    assert_non_null(at(s->json, "conflicts.0.advice"));
    assert_true(json_is_null(at(s->json, "commit")));
    assert_string_equal(head("main"), before);

    expect(
        s, 200, "POST", "/api/v1/merge",
        "{\"from\": \"dev\", \"keys\": [{\"namespace\": [\"s\"], \"name\": \"a\", \"behaviour\": "
        "\"force\"}, {\"namespace\": [\"s\"], \"name\": \"b\", \"behaviour\": \"drop\"}]}");
    assert_string_equal(text("changes.0.how"), "forced");
    assert_string_equal(text("skipped.0.name"), "b");
    assert_string_equal(property("main", "a", "k"), "dev");
}

static void commits_are_cherry_picked(void **state)
{
    (void)state;
    set_property("dev", "a", "one", "1");
    const char *one = head("dev");
    set_property("dev", "a", "two", "2");
    const char *two = head("dev");
    set_property("main", "a", "other", "main");
    expect(s, 200, "POST", "/api/v1/cherry-pick",
           firn_arena_printf(s->arena, "{\"commits\": [\"%s\"], \"dry-run\": true}", two));
    assert_true(json_is_null(at(s->json, "picked.0.commit")));
    assert_int_equal(json_array_size(at(s->json, "picked.0.changes")), 1);
    expect(s, 200, "POST", "/api/v1/cherry-pick",
           firn_arena_printf(s->arena, "{\"commits\": [\"%s\"]}", two));
    const char *commit = text("commit");
    assert_string_equal(text("picked.0.source"), two);
    assert_string_equal(text("picked.0.commit"), commit);
    assert_string_equal(head("main"), commit);
    assert_string_equal(property("main", "a", "two"), "2");
    assert_string_equal(property("main", "a", "one"), "(none)");
    set_property("main", "a", "one", "else");
    expect(s, 409, "POST", "/api/v1/cherry-pick",
           firn_arena_printf(s->arena, "{\"commits\": [\"%s\"], \"into\": \"main\"}", one));
    assert_string_equal(text("conflicts.0.commit"), one);
    expect(s, 400, "POST", "/api/v1/cherry-pick", "{\"commits\": []}");
}

/* ---- what is asked badly --------------------------------------------------------------------------------- */

static void bad_requests_are_told_apart(void **state)
{
    (void)state;
    expect(s, 400, "POST", "/api/v1/refs", "{}");
    expect(s, 400, "POST", "/api/v1/refs", "{\"name\": 1}");
    expect(s, 400, "POST", "/api/v1/refs", "{\"name\": \"x\", \"type\": \"twig\"}");
    expect(s, 400, "POST", "/api/v1/refs", "[1]");
    expect(s, 404, "POST", "/api/v1/refs", "{\"name\": \"x\", \"from\": \"nowhere\"}");
    expect(s, 400, "POST", "/api/v1/merge", "{}");
    expect(s, 400, "POST", "/api/v1/merge", "{\"from\": \"dev\", \"default-behaviour\": \"hard\"}");
    expect(s, 400, "POST", "/api/v1/merge", "{\"from\": \"dev\", \"keys\": [1]}");
    expect(s, 400, "POST", "/api/v1/merge", "{\"from\": \"dev\", \"keys\": {}}");
    expect(s, 404, "POST", "/api/v1/merge",
           "{\"from\": \"dev\", \"keys\": [{\"namespace\": [\"s\"], \"name\": \"zz\"}]}");
    expect(s, 404, "POST", "/api/v1/merge", "{\"from\": \"nowhere\"}");
    expect(s, 404, "GET", "/api/v1/diff?from=nowhere", NULL);
    expect(s, 400, "GET", "/api/v1/diff", NULL);
    expect(s, 404, "GET", "/api/v1/nothing", NULL);
    expect(s, 405, "PATCH", "/api/v1/refs", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(refs_are_made_listed_moved_and_deleted),
        TEST(the_log_comes_in_pages_and_filtered),
        TEST(a_merge_is_tried_and_then_made),
        TEST(conflicts_are_all_in_the_answer),
        TEST(commits_are_cherry_picked),
        TEST(bad_requests_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
