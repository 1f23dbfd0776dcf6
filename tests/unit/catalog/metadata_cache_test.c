/* The cache of table metadata: bounded, shared, and never pulled away from under a user. */
#include "fixture.h"

#include "internal.h"

static const char *nth(fixture *f, int i)
{
    return firn_arena_printf(f->arena, "file:///somewhere/metadata/%d.metadata.json", i);
}

static firn_metadata *put(fixture *f, firn_metadata_cache *cache, int i)
{
    firn_arena *own = firn_arena_new();
    firn_metadata *metadata;
    firn_update_options options = {0};
    const json_t *updates = table_updates(f, "file:///somewhere");
    assert_ok(f, firn_updates_apply(own, NULL, updates, &options, &metadata, &f->err));
    return firn_metadata_cache_adopt(cache, nth(f, i), own, metadata, i % 2 ? f->arena : NULL);
}

/* There are no such files, so what can be loaded is in the cache. */
static bool is_cached(fixture *f, firn_metadata_cache *cache, firn_arena *arena, int i)
{
    firn_metadata *metadata;
    return firn_metadata_cache_load(cache, f->storage, arena, nth(f, i), &metadata, NULL) ==
           FIRN_OK;
}

/* A commit's file is there for all to read before the commit remembers it. */
static void a_faster_readers_metadata_stands(void **state)
{
    fixture *f = *state;
    firn_metadata_cache *cache = firn_metadata_cache_new();
    firn_metadata *first = put(f, cache, 1);
    firn_metadata *second = put(f, cache, 1);
    assert_ptr_equal(first, second);
    assert_string_equal(second->location, "file:///somewhere"); /* and is alive */
    firn_metadata_cache_free(cache);
}

static void the_least_recently_used_leave(void **state)
{
    fixture *f = *state;
    firn_metadata_cache *cache = firn_metadata_cache_new();
    put(f, cache, 0);
    for (int i = 1; i < 200; i++) {
        put(f, cache, i);
        assert_true(is_cached(f, cache, f->arena, 0)); /* used all the time, so it stays */
    }
    assert_true(is_cached(f, cache, f->arena, 199));
    assert_true(is_cached(f, cache, f->arena, 100));
    assert_false(is_cached(f, cache, f->arena, 1));
    assert_false(is_cached(f, cache, f->arena, 50));
    firn_metadata_cache_free(cache);
}

static void a_user_keeps_what_has_left(void **state)
{
    fixture *f = *state;
    firn_metadata_cache *cache = firn_metadata_cache_new();
    firn_metadata *kept;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    put(f, cache, 0);
    assert_ok(f, firn_metadata_cache_load(cache, f->storage, arena, nth(f, 0), &kept, &f->err));
    for (int i = 1; i < 200; i++) {
        put(f, cache, i);
    }
    assert_false(is_cached(f, cache, f->arena, 0));
    firn_metadata_cache_free(cache);
    assert_string_equal(kept->location, "file:///somewhere");
}

static void the_same_location_is_kept_once(void **state)
{
    fixture *f = *state;
    firn_metadata_cache *cache = firn_metadata_cache_new();
    firn_metadata *first, *second;
    put(f, cache, 0);
    assert_ok(f, firn_metadata_cache_load(cache, f->storage, f->arena, nth(f, 0), &first, &f->err));
    put(f, cache, 0);
    assert_ok(f,
              firn_metadata_cache_load(cache, f->storage, f->arena, nth(f, 0), &second, &f->err));
    assert_ptr_equal(first, second);
    firn_metadata_cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_faster_readers_metadata_stands),
        TEST(the_least_recently_used_leave),
        TEST(a_user_keeps_what_has_left),
        TEST(the_same_location_is_kept_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
