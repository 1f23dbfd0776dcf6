/* Idempotency keys: one commit per key, wherever the request is cut off, and the answer kept for the next time. */
#include "fixture.h"

#include "base/time.h"
#include "catalog/idempotency.h"
#include "internal.h"

#include <signal.h>

static int setup_tables(void **state)
{
    fixture *f = fixture_new();
    assert_ok(f, create_ns(f, NULL, "s"));
    assert_ok(f, create_table(f, NULL, "s", "a"));
    assert_ok(f, create_table(f, NULL, "s", "b"));
    *state = f;
    return 0;
}

#define TABLES(name) cmocka_unit_test_setup_teardown(name, setup_tables, teardown)

static firn_rc commit_under(fixture *f, const char *key, const char *fingerprint,
                            firn_change change, firn_commit_result *result)
{
    firn_commit_info info = {.idempotency_key = key, .idempotency_fingerprint = fingerprint};
    return firn_catalog_commit(f->catalog, f->arena, NULL, &change, 1, &info, result, &f->err);
}

static firn_idempotency_record *get(fixture *f, const char *key)
{
    firn_idempotency_record *record;
    assert_ok(f, firn_idempotency_get(f->catalog, f->arena, key, &record, &f->err));
    return record;
}

static bool put(fixture *f, const char *key, int status, const char *body)
{
    bool recorded;
    firn_idempotency_record record = {.key = key, .status = status, .body = body};
    assert_ok(f, firn_idempotency_put(f->catalog, &record, &recorded, &f->err));
    return recorded;
}

static void a_key_makes_one_commit(void **state)
{
    fixture *f = *state;
    firn_commit_result first, second;
    firn_table base = load(f, NULL, "s", "a");
    firn_change change = append_change(f, &base);
    assert_ok(f, commit_under(f, "k1", "fp", change, &first));
    assert_false(first.repeated);
    assert_non_null(first.commit_id);
    int files = warehouse_files(f);
    const char *before = head(f, NULL);

    /* The requirements of the change do not hold any more, and need not. */
    assert_ok(f, commit_under(f, "k1", "fp", change, &second));
    assert_true(second.repeated);
    assert_string_equal(second.commit_id, first.commit_id);
    assert_string_equal(second.locations[0], first.locations[0]);
    assert_string_equal(head(f, NULL), before);
    assert_int_equal(warehouse_files(f), files);

    firn_table now = load(f, NULL, "s", "a");
    assert_ok(f, commit_under(f, "k2", "fp", append_change(f, &now), &second));
    assert_false(second.repeated);
    assert_int_equal(snapshots(f, NULL, "s", "a"), 2);
}

static void a_repeated_commit_tells_what_the_first_one_made(void **state)
{
    fixture *f = *state;
    firn_commit_result first, second;
    firn_change rename = {
        .kind = FIRN_CHANGE_RENAME_TABLE, .ident = id(f, "s", "a"), .to = id(f, "s", "z")};
    assert_ok(f, commit_under(f, "k", NULL, rename, &first));
    assert_ok(f, append(f, NULL, "s", "z")); /* later commits do not count */
    assert_ok(f, commit_under(f, "k", NULL, rename, &second));
    assert_true(second.repeated);
    assert_string_equal(second.locations[0], first.locations[0]);
}

static void a_commit_that_failed_leaves_its_key_free(void **state)
{
    fixture *f = *state;
    firn_commit_result result;
    firn_table stale = load(f, NULL, "s", "a");
    assert_ok(f, append(f, NULL, "s", "a"));
    assert_fails(f, commit_under(f, "k", NULL, append_change(f, &stale), &result), FIRN_E_CONFLICT,
                 "Requirement failed");
    assert_null(get(f, "k"));
    firn_table now = load(f, NULL, "s", "a");
    assert_ok(f, commit_under(f, "k", NULL, append_change(f, &now), &result));
    assert_false(result.repeated);
}

static void a_key_is_for_one_request(void **state)
{
    fixture *f = *state;
    firn_commit_result result;
    firn_table base = load(f, NULL, "s", "a");
    assert_ok(f, commit_under(f, "k", "one", append_change(f, &base), &result));
    assert_fails(f, commit_under(f, "k", "two", append_change(f, &base), &result), FIRN_E_INVALID,
                 "idempotency key k was used for another request");
    assert_ok(f, commit_under(f, "k", NULL, append_change(f, &base), &result));
    assert_true(result.repeated);
}

static void keys_have_bounds(void **state)
{
    fixture *f = *state;
    char text[FIRN_IDEMPOTENCY_KEY_BYTES_MAX + 2];
    memset(text, 'k', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    firn_idempotency_record *record;
    assert_fails(f, firn_idempotency_get(f->catalog, f->arena, text, &record, &f->err),
                 FIRN_E_INVALID, "1 to 255 characters");
    text[sizeof(text) - 2] = '\0';
    assert_true(put(f, text, 200, NULL));
    assert_fails(f, firn_idempotency_get(f->catalog, f->arena, "", &record, &f->err),
                 FIRN_E_INVALID, "this one has 0");
    assert_fails(f, firn_idempotency_get(f->catalog, f->arena, "a b", &record, &f->err),
                 FIRN_E_INVALID, "printable ASCII");
}

static void the_answer_completes_the_record(void **state)
{
    fixture *f = *state;
    firn_commit_result result;
    assert_null(get(f, "k"));
    firn_table base = load(f, NULL, "s", "a");
    assert_ok(f, commit_under(f, "k", "fp", append_change(f, &base), &result));
    firn_idempotency_record *record = get(f, "k");
    assert_int_equal(record->status, 0);
    assert_null(record->body);
    assert_string_equal(record->fingerprint, "fp");
    assert_string_equal(record->commit_id, result.commit_id);

    assert_false(put(f, "k", 409, "no")); /* the commit was made: nothing can say it was not */
    assert_true(put(f, "k", 200, "{\"yes\":1}"));
    assert_false(put(f, "k", 200, "another"));
    record = get(f, "k");
    assert_int_equal(record->status, 200);
    assert_string_equal(record->body, "{\"yes\":1}");
    assert_string_equal(record->commit_id, result.commit_id);
    assert_ok(f, commit_under(f, "k", NULL, append_change(f, &base), &result));
    assert_true(result.repeated);
}

static void a_key_that_was_refused_makes_no_commit_later(void **state)
{
    fixture *f = *state;
    firn_commit_result result;
    assert_true(put(f, "k", 404, "gone"));
    const char *before = head(f, NULL);
    firn_table base = load(f, NULL, "s", "a");
    assert_ok(f, commit_under(f, "k", NULL, append_change(f, &base), &result));
    assert_true(result.repeated);
    assert_null(result.commit_id);
    assert_null(result.locations[0]);
    assert_string_equal(head(f, NULL), before);
}

static void records_expire(void **state)
{
    fixture *f = *state;
    firn_commit_result result;
    int64_t now_us = firn_now_us();
    firn_idempotency_record old = {
        .key = "old", .status = 404, .body = "x", .expires_us = now_us - 1};
    assert_ok(f, firn_idempotency_put(f->catalog, &old, NULL, &f->err));
    assert_null(get(f, "old"));
    firn_table base = load(f, NULL, "s", "a");
    assert_ok(f, commit_under(f, "old", NULL, append_change(f, &base), &result));
    assert_false(result.repeated); /* what has expired is written over */
    assert_string_equal(get(f, "old")->commit_id, result.commit_id);

    assert_ok(f, firn_idempotency_expire(f->catalog, now_us, &f->err));
    assert_non_null(get(f, "old"));
    int64_t later_us = firn_now_us() + FIRN_IDEMPOTENCY_LIFE_US;
    assert_ok(f, firn_idempotency_expire(f->catalog, later_us, &f->err));
    assert_null(get(f, "old"));
}

static void a_merge_is_repeated_like_a_commit(void **state)
{
    fixture *f = *state;
    assert_ok(f, firn_catalog_ref_create(f->catalog, "dev", false, NULL, &f->err));
    assert_ok(f, append(f, "dev", "s", "a"));
    assert_ok(f, append(f, NULL, "s", "b"));
    firn_merge_options options = {.info = {.idempotency_key = "m"}};
    firn_merge_result first, second;
    assert_ok(f, firn_catalog_merge(f->catalog, f->arena, "dev", NULL, &options, &first, &f->err));
    assert_false(first.repeated);
    assert_ok(f, append(f, "dev", "s", "a"));
    const char *before = head(f, NULL);
    assert_ok(f, firn_catalog_merge(f->catalog, f->arena, "dev", NULL, &options, &second, &f->err));
    assert_true(second.repeated);
    assert_string_equal(second.commit_id, first.commit_id);
    assert_int_equal(second.n_merged, 1);
    assert_string_equal(second.merged[0].ident.name, "a");
    assert_string_equal(head(f, NULL), before);
}

static int discarded;

static firn_rc build_append(void *ctx, firn_arena *arena, const firn_table *base, json_t *updates,
                            json_t *requirements, firn_err *err)
{
    (void)ctx, (void)arena, (void)err;
    append_updates(base->metadata, updates, requirements);
    return FIRN_OK;
}

static void count_discard(void *ctx)
{
    (void)ctx;
    discarded++;
}

static void a_repeated_builder_takes_back_what_it_built(void **state)
{
    fixture *f = *state;
    firn_table_builder builder = {
        .ident = id(f, "s", "a"), .build = build_append, .discard = count_discard};
    firn_commit_info info = {.idempotency_key = "k"};
    discarded = 0;
    for (int i = 0; i < 2; i++) {
        firn_commit_result result;
        assert_ok(f, firn_catalog_commit_tables(f->catalog, f->arena, NULL, &builder, 1, &info,
                                                &result, &f->err));
        assert_int_equal(result.repeated, i == 1);
        assert_int_equal(discarded, i);
    }
    assert_int_equal(snapshots(f, NULL, "s", "a"), 1);
}

/* Killed wherever, and asked again: the commit is there once. */
static void a_killed_request_may_come_again(void **state)
{
    static const char *const points[] = {"storage.put",          "commit.metadata_written",
                                         "catalog.begin",        "catalog.commit.before",
                                         "catalog.commit.after", "commit.pointer_swapped"};
    (void)state;
    for (size_t p = 0; p < sizeof(points) / sizeof(points[0]); p++) {
        void *inner;
        setup_tables(&inner);
        fixture *f = inner;
        firn_table base = load(f, NULL, "s", "a");
        firn_change change = append_change(f, &base);
        fixture_close(f);
        pid_t child = fork();
        if (child == 0) {
            setenv("FIRN_FAULT_KILL", points[p], 1);
            firn_fault_reload();
            firn_commit_result result;
            firn_rc rc = fixture_open(f, false);
            rc = rc == FIRN_OK ? commit_under(f, "k", "fp", change, &result) : rc;
            _exit(rc == FIRN_OK ? 0 : 1);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        assert_ok(f, fixture_open(f, false));
        firn_commit_result result;
        assert_ok(f, commit_under(f, "k", "fp", change, &result));
        bool made = strstr(points[p], "after") || strstr(points[p], "swapped");
        assert_int_equal(result.repeated, made);
        assert_int_equal(snapshots(f, NULL, "s", "a"), 1);
        assert_string_equal(result.locations[0], load(f, NULL, "s", "a").entry.location);
        fixture_free(f);
    }
}

/* Many processes send the same request at once. */
static void a_key_in_many_hands_makes_one_commit(void **state)
{
    enum { PROCESSES = 8 };
    fixture *f = *state;
    firn_table base = load(f, NULL, "s", "a");
    firn_change change = append_change(f, &base);
    fixture_close(f);
    pid_t children[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            firn_commit_result result;
            firn_rc rc = fixture_open(f, false);
            rc = rc == FIRN_OK ? commit_under(f, "k", "fp", change, &result) : rc;
            _exit(rc == FIRN_OK ? (result.repeated ? 1 : 0) : 2);
        }
    }
    int made = 0;
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status));
        assert_int_not_equal(WEXITSTATUS(status), 2);
        made += WEXITSTATUS(status) == 0;
    }
    assert_int_equal(made, 1);
    assert_ok(f, fixture_open(f, false));
    assert_int_equal(snapshots(f, NULL, "s", "a"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TABLES(a_key_makes_one_commit),
        TABLES(a_repeated_commit_tells_what_the_first_one_made),
        TABLES(a_commit_that_failed_leaves_its_key_free),
        TABLES(a_key_is_for_one_request),
        TABLES(keys_have_bounds),
        TABLES(the_answer_completes_the_record),
        TABLES(a_key_that_was_refused_makes_no_commit_later),
        TABLES(records_expire),
        TABLES(a_merge_is_repeated_like_a_commit),
        TABLES(a_repeated_builder_takes_back_what_it_built),
        cmocka_unit_test(a_killed_request_may_come_again),
        TABLES(a_key_in_many_hands_makes_one_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
